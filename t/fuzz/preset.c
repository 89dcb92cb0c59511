
/*
 * Presets.  An input that begins with "L" is a preset file: it compiles or
 * says where it does not, and what compiles matches and reads without fault.
 * Any other is a visit: exchanges, separated by 0x1e, of fields separated by
 * 0x1f, through the WooCommerce preset into one session.
 *
 * Properties: no more events than asked for, each of a kind a preset may
 * give, cart changes with a positive quantity and something to know the line
 * by, addresses valid, and nothing of a password in any of them.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_preset.h"


#define CANARY  "c4n4ryPa55"
#define EVENTS  6


static nudge_preset_t  *woo;
static nudge_pool_t    *pool;
static nudge_pool_t    *memory;
static nudge_json_t    *js;


int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    FILE           *f;
    nudge_str_t     text;
    static u_char   buf[65536];
    nudge_error_t   error;

    f = fopen("share/presets/woocommerce.lua", "rb");

    if (f == NULL) {
        fprintf(stderr, "run from the project's root\n");
        exit(1);
    }

    text.data = buf;
    text.len = fread(buf, 1, sizeof(buf), f);
    fclose(f);

    woo = nudge_preset_compile(&text, "woocommerce.lua", &error);
    pool = nudge_pool_create(4 * 1024 * 1024);
    memory = nudge_pool_create(4 * 1024 * 1024);
    js = nudge_json_create(1024 * 1024);

    if (woo == NULL || pool == NULL || memory == NULL || js == NULL) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }

    return 0;
}


static void
clean(const nudge_str_t *s)
{
    if (nudge_str_find(s, CANARY) != NULL) {
        __builtin_trap();
    }
}


static void
check_items(const nudge_item_t *items, nudge_uint_t n)
{
    nudge_uint_t  i;

    for (i = 0; i < n; i++) {
        clean(&items[i].id);
        clean(&items[i].parent);
        clean(&items[i].key);
        clean(&items[i].sku);
        clean(&items[i].name);
        clean(&items[i].url);
        clean(&items[i].image);
        clean(&items[i].currency);

        if ((items[i].id.len == 0 && items[i].key.len == 0)
            || items[i].id.len > 128 || items[i].key.len > 128
            || items[i].name.len > 256 || items[i].quantity < 0
            || items[i].quantity > 64 * 1000000)
        {
            __builtin_trap();
        }
    }
}


static void
check(const nudge_event_t *ev)
{
    nudge_uint_t  i;

    clean(&ev->email);
    clean(&ev->order);
    clean(&ev->text);
    check_items(ev->items, ev->nitems);
    check_items(ev->cart, ev->ncart);

    if (ev->type <= NUDGE_EVENT_NONE || ev->type >= NUDGE_EVENT_MAX
        || ev->type == NUDGE_EVENT_ORDER_ATTEMPT || ev->rule.len == 0
        || (ev->email.len && !nudge_email_valid(&ev->email))
        || (ev->snapshot == 0 && ev->ncart)
        || ev->ncart > NUDGE_SESSION_LINES)
    {
        __builtin_trap();
    }

    for (i = 0; i < ev->nitems; i++) {
        if (ev->items[i].quantity == 0
            && (ev->type == NUDGE_EVENT_ADD_TO_CART
                || ev->type == NUDGE_EVENT_REMOVE_FROM_CART))
        {
            __builtin_trap();
        }
    }
}


static nudge_str_t
field(nudge_str_t *rest, u_char end)
{
    u_char       *p;
    nudge_str_t   s;

    s = *rest;
    p = s.len ? memchr(s.data, end, s.len) : NULL;

    if (p == NULL) {
        rest->data += s.len;
        rest->len = 0;
        return s;
    }

    s.len = p - s.data;
    rest->data = p + 1;
    rest->len -= s.len + 1;

    return s;
}


/* as the last field of a form, where no mutation reaches it */

static nudge_str_t
with_password(nudge_str_t body)
{
    nudge_str_t  s;

    s.len = body.len + sizeof("&password=" CANARY) - 1;
    s.data = nudge_palloc(pool, s.len);

    if (s.data == NULL) {
        return body;
    }

    if (body.len) {
        memcpy(s.data, body.data, body.len);
    }

    memcpy(s.data + body.len, "&password=" CANARY,
           sizeof("&password=" CANARY) - 1);

    return s;
}


static void
visit(const nudge_preset_t *preset, nudge_str_t rest, nudge_session_t *session,
    uint64_t seq)
{
    nudge_int_t        i, n;
    nudge_str_t        cookie, email;
    nudge_match_t      match;
    nudge_event_t      ev[EVENTS];
    nudge_exchange_t   x;

    static const nudge_str_t  types[] = {
        nudge_string("application/x-www-form-urlencoded"),
        nudge_string("multipart/form-data; boundary=x"),
        nudge_string("application/json"), nudge_string("text/plain"),
        nudge_null_string
    };

    memset(&x, 0, sizeof(nudge_exchange_t));
    x.method = field(&rest, 0x1f);
    x.path = field(&rest, 0x1f);
    x.args = field(&rest, 0x1f);
    nudge_str_set(&x.host, "shop.example");
    cookie = field(&rest, 0x1f);
    x.set_cookie = &cookie;
    x.nset_cookie = cookie.len != 0;
    x.location = field(&rest, 0x1f);
    x.body_class = field(&rest, 0x1f);
    x.body = field(&rest, 0x1f);
    x.answer = field(&rest, 0x1f);

    if (x.method.len > 1) {
        i = x.method.data[0];
        x.method.data++;
        x.method.len--;
        x.content_type = types[i % 5];
        x.body_cut = i / 5 % 7 == 3;
        x.answer_cut = i / 5 % 7 == 4;
        x.navigation = i & 1;
        x.status = i / 35 == 0 ? 200 : (i / 35 == 1 ? 302 : (i / 35) * 100);
    }

    nudge_pool_reset(pool);

    if (nudge_str_eq(&x.content_type, &types[0])) {
        x.body = with_password(x.body);
    }

    nudge_preset_match(preset, &x, &match);
    email = nudge_preset_order_email(preset, &match, &x, js, pool);

    if (email.len && !nudge_email_valid(&email)) {
        __builtin_trap();
    }

    (void) nudge_preset_page(preset, &x);
    (void) nudge_preset_page_id(preset, &x);

    n = nudge_preset_events(preset, &match, &x, js, pool, session, ev,
                            EVENTS);

    if (n > EVENTS || (match.n == 0 && n != 0)) {
        __builtin_trap();
    }

    for (i = 0; i < n; i++) {
        check(&ev[i]);
        ev[i].time = 1000 + (int64_t) seq;
        ev[i].nonce = 1;
        ev[i].seq = seq * EVENTS + i;
        (void) nudge_session_apply(session, memory, &ev[i]);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t         seq;
    nudge_str_t      text, rest;
    nudge_error_t    error;
    nudge_preset_t  *preset;
    nudge_session_t  session;

    text.data = (u_char *) data;
    text.len = size;

    nudge_pool_reset(memory);
    nudge_session_init(&session, 1000);

    if (size == 0 || nudge_str_find(&text, CANARY) != NULL) {
        return 0;
    }

    if (data[0] == 'L') {
        text.data++;
        text.len--;
        preset = nudge_preset_compile(&text, "x.lua", &error);

        if (preset == NULL) {
            if (strncmp((char *) error.text, "x.lua:", 6) != 0) {
                __builtin_trap();
            }

            return 0;
        }

        nudge_str_set(&rest, "\1POST\x1f/c/1\x1fp=1&route=a\x1fk=1\x1f/b?x=2"
                      "\x1f" "c\x1fp=1&id[]=2&a[b][c]=3\x1f{\"a\":[{}]}");
        visit(preset, rest, &session, 1);
        nudge_preset_destroy(preset);

        return 0;
    }

    for (seq = 1; text.len && seq < 8; seq++) {
        visit(woo, field(&text, 0x1e), &session, seq);
    }

    return 0;
}
