
/*
 * What the tests of presets share: an exchange written down in one line goes
 * through match and events into a visitor's session, and its events come out
 * as text, with the columns of t/recordings/woocommerce.tsv.
 */


#ifndef _NUDGE_TEST_PRESET_H_INCLUDED_
#define _NUDGE_TEST_PRESET_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>

#include "nudge_preset.h"

#include "tap.h"


#define NOW  INT64_C(1795301221000)

#define FORM  "application/x-www-form-urlencoded; charset=UTF-8"
#define JSON  "application/json"
#define OKAY  "woocommerce_cart_hash=6ba28ed4; path=/"
#define LOGIN "wordpress_logged_in_5c0a=joe%7C17; path=/; HttpOnly"


typedef struct {
    const char  *method;
    const char  *path;
    const char  *args;
    const char  *type;
    const char  *body;
    unsigned     status;
    const char  *cookie;
    const char  *location;
    const char  *answer;
    const char  *class;
} shape_t;


static nudge_pool_t     *pool;
static nudge_json_t     *js;
static nudge_session_t   visitor[4];
static nudge_pool_t     *memory[4];
static uint64_t          seq;
static u_char            room[65536];


static inline nudge_str_t
slurp(const char *path)
{
    FILE         *f;
    long          n;
    nudge_str_t   s;

    nudge_str_null(&s);
    f = fopen(path, "rb");

    if (f == NULL) {
        return s;
    }

    fseek(f, 0, SEEK_END);
    n = ftell(f);
    rewind(f);
    s.data = malloc(n + 1);
    s.len = fread(s.data, 1, n, f);
    fclose(f);

    return s;
}


/* the preset and the table are looked for from the project's root */

static inline nudge_str_t
project(const char *path)
{
    char          name[256];
    nudge_str_t   s;
    nudge_uint_t  i;

    static const char  *from[] = { "", "../", "../../", "../../../" };

    nudge_str_null(&s);

    for (i = 0; i < 4 && s.data == NULL; i++) {
        snprintf(name, sizeof(name), "%s%s", from[i], path);
        s = slurp(name);
    }

    return s;
}


static inline void
forget(int who)
{
    if (memory[who] != NULL) {
        nudge_pool_destroy(memory[who]);
    }

    memory[who] = nudge_pool_create(8 * 1024 * 1024);
    nudge_session_init(&visitor[who], NOW);
}


static inline void
put_str(nudge_buf_t *b, const nudge_str_t *s)
{
    if (s->len) {
        nudge_buf_str(b, s);

    } else {
        nudge_buf_cstr(b, "-");
    }
}


static inline void
put_event(nudge_buf_t *b, const nudge_event_t *ev)
{
    nudge_uint_t  i;

    nudge_buf_cstr(b, nudge_event_name(ev->type));
    nudge_buf_cstr(b, " ");

    for (i = 0; i < ev->nitems; i++) {
        nudge_buf_cstr(b, i ? "," : "");
        put_str(b, &ev->items[i].id);
    }

    nudge_buf_cstr(b, i ? " " : "- ");

    for (i = 0; i < ev->nitems; i++) {
        nudge_buf_cstr(b, i ? "," : "");
        nudge_buf_int(b, ev->items[i].quantity);
    }

    nudge_buf_cstr(b, i ? " " : "- ");

    for (i = 0; i < ev->nitems; i++) {
        nudge_buf_cstr(b, i ? "," : "");

        if (ev->items[i].price == NUDGE_MONEY_NONE) {
            nudge_buf_cstr(b, "-");

        } else {
            nudge_buf_money(b, ev->items[i].price);
        }
    }

    nudge_buf_cstr(b, i ? " " : "- ");
    put_str(b, &ev->order);
    nudge_buf_cstr(b, " ");
    put_str(b, &ev->email);
    nudge_buf_cstr(b, ev->snapshot ? (ev->ncart ? " " : " empty") : " -");

    for (i = 0; i < ev->ncart; i++) {
        nudge_buf_cstr(b, i ? "," : "");
        nudge_buf_str(b, &ev->cart[i].id);
        nudge_buf_cstr(b, "x");
        nudge_buf_int(b, ev->cart[i].quantity);

        if (ev->cart[i].price != NUDGE_MONEY_NONE) {
            nudge_buf_cstr(b, "@");
            nudge_buf_money(b, ev->cart[i].price);
        }
    }
}


/* one exchange through match and events into a visitor's session */

static inline const char *
play(const nudge_preset_t *preset, const nudge_exchange_t *x, int who,
    nudge_match_t *match)
{
    nudge_buf_t    b;
    nudge_int_t    i, n;
    nudge_event_t  ev[32];

    nudge_buf_init(&b, room, sizeof(room) - 1);
    nudge_preset_match(preset, x, match);
    n = nudge_preset_events(preset, match, x, js, pool, &visitor[who], ev, 32);

    if (n == NUDGE_ERROR) {
        return "error";
    }

    for (i = 0; i < n; i++) {
        ev[i].time = NOW + (int64_t) ++seq * 1000;
        ev[i].nonce = 1;
        ev[i].seq = seq;
        nudge_buf_cstr(&b, i ? "; " : "");
        put_event(&b, &ev[i]);

        if (nudge_session_apply(&visitor[who], memory[who], &ev[i])
            != NUDGE_OK)
        {
            return "not applied";
        }
    }

    if (n == 0) {
        nudge_buf_cstr(&b, "-");
    }

    *b.pos = '\0';

    return (char *) room;
}


static inline nudge_exchange_t
exchange(const shape_t *s, nudge_str_t *cookie)
{
    nudge_exchange_t  x;

    memset(&x, 0, sizeof(nudge_exchange_t));
    x.method = nudge_cstr(s->method);
    x.path = nudge_cstr(s->path);
    x.args = nudge_cstr(s->args);
    x.host = nudge_cstr("shop.example");
    x.content_type = nudge_cstr(s->type);
    x.body = nudge_cstr(s->body);
    x.navigation = 1;
    x.status = s->status;
    x.location = nudge_cstr(s->location);
    x.answer = nudge_cstr(s->answer);
    x.answer_type = nudge_cstr(s->answer ? JSON : "text/html");
    x.body_class = nudge_cstr(s->class);
    *cookie = nudge_cstr(s->cookie);
    x.set_cookie = cookie;
    x.nset_cookie = s->cookie != NULL;

    return x;
}


static inline void
gives(const nudge_preset_t *preset, int who, const char *name, shape_t s,
    const char *expected)
{
    const char        *got;
    nudge_str_t        cookie;
    nudge_match_t      match;
    nudge_exchange_t   x;

    nudge_pool_reset(pool);
    x = exchange(&s, &cookie);
    got = play(preset, &x, who, &match);
    ok(strcmp(got, expected) == 0, "%s: %s", name, got);
}


static inline void
begin(void)
{
    pool = nudge_pool_create(8 * 1024 * 1024);
    js = nudge_json_create(4 * 1024 * 1024);

    if (pool == NULL || js == NULL) {
        printf("Bail out! no memory\n");
        exit(0);
    }
}


static inline void
finish(void)
{
    int  i;

    for (i = 0; i < 4; i++) {
        if (memory[i] != NULL) {
            nudge_pool_destroy(memory[i]);
        }
    }

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);

    done_testing();
}


#endif /* _NUDGE_TEST_PRESET_H_INCLUDED_ */
