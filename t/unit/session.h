
/*
 * What the tests of the session share: random numbers, events, and ways to
 * look at a session.
 */


#ifndef _T_SESSION_H_INCLUDED_
#define _T_SESSION_H_INCLUDED_


#include <stdio.h>

#include "nudge_session.h"

#include "tap.h"


#define NOW  INT64_C(1763769600000)


static uint64_t       seed;
static uint64_t       sequence;
static nudge_pool_t  *pool;
static nudge_json_t  *js;


static inline uint64_t
rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (seed * UINT64_C(2685821657736338717) >> 33) % n;
}


static inline nudge_str_t
text(const char *fmt, uint64_t n)
{
    char         buf[256];
    nudge_str_t  s;

    snprintf(buf, sizeof(buf), fmt, (unsigned long) n);
    s = nudge_cstr(buf);
    nudge_pstrdup(pool, &s, &s);

    return s;
}


static inline nudge_item_t
item(const char *id, int64_t quantity, nudge_money_t price)
{
    nudge_item_t  it;

    memset(&it, 0, sizeof(nudge_item_t));
    it.id = nudge_cstr(id);
    it.quantity = quantity;
    it.price = price;

    if (price != NUDGE_MONEY_NONE) {
        it.currency = nudge_cstr("USD");
    }

    return it;
}


static inline nudge_event_t
event(nudge_event_type_t type, int64_t time, nudge_item_t *items,
    nudge_uint_t n)
{
    nudge_event_t  ev;

    memset(&ev, 0, sizeof(nudge_event_t));
    ev.type = type;
    ev.nonce = 0x1111111111111111;
    ev.seq = ++sequence;
    ev.time = time;
    ev.items = items;
    ev.nitems = n;
    ev.value = NUDGE_MONEY_NONE;

    return ev;
}


static inline nudge_event_t
snapshot(int64_t time, nudge_item_t *lines, nudge_uint_t n)
{
    nudge_event_t  ev;

    ev = event(NUDGE_EVENT_VIEW_CART, time, NULL, 0);
    ev.cart = lines;
    ev.ncart = n;
    ev.snapshot = 1;

    return ev;
}


static inline nudge_str_t
packed(const nudge_session_t *s)
{
    nudge_buf_t  b;

    nudge_buf_grow(&b, pool, 256, NUDGE_SESSION_MAX);
    nudge_session_pack(&b, s);

    if (b.full) {
        return nudge_cstr("full");
    }

    return nudge_buf_result(&b);
}


static inline nudge_str_t
encoded(const nudge_session_t *s)
{
    nudge_buf_t  b;

    nudge_buf_grow(&b, pool, 256, NUDGE_SESSION_MAX);
    nudge_session_encode(&b, s);

    if (b.full) {
        return nudge_cstr("full");
    }

    return nudge_buf_result(&b);
}


static inline int
same(const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_str_t  x, y;

    x = packed(a);
    y = packed(b);

    if (!nudge_str_eq(&x, &y) || a->attempted != b->attempted) {
        return 0;
    }

    x = encoded(a);
    y = encoded(b);

    return nudge_str_eq(&x, &y);
}


static inline nudge_session_t
merged(const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_session_t  s;

    s = *a;

    if (nudge_session_merge(&s, pool, b) != NUDGE_OK) {
        nudge_session_init(&s, 1);
    }

    return s;
}


static inline nudge_cart_t
cart(const nudge_session_t *s)
{
    nudge_cart_t  c;

    if (nudge_session_cart(s, pool, &c) != NUDGE_OK) {
        memset(&c, 0, sizeof(nudge_cart_t));
        c.items = -1;
    }

    return c;
}


/* lines of a cart as "id*quantity id*quantity" */

static inline const char *
show(const nudge_session_t *s)
{
    nudge_buf_t   b;
    nudge_cart_t  c;
    nudge_uint_t  i;

    c = cart(s);
    nudge_buf_grow(&b, pool, 256, 65536);

    for (i = 0; i < c.n; i++) {
        if (i) {
            nudge_buf_char(&b, ' ');
        }

        nudge_buf_str(&b, &c.lines[i].id);
        nudge_buf_char(&b, '*');
        nudge_buf_int(&b, c.lines[i].quantity);
    }

    nudge_buf_char(&b, '\0');

    return (char *) b.start;
}


static inline void
cart_is(const nudge_session_t *s, const char *expected, const char *name)
{
    const char  *got;

    got = show(s);
    ok(strcmp(got, expected) == 0, "%s: %s (%s)", name, expected, got);
}


static inline int
setup(void)
{
    seed = 88172645463325252;
    pool = nudge_pool_create(64 * 1024 * 1024);
    js = nudge_json_create(4 * 1024 * 1024);

    if (pool == NULL || js == NULL) {
        printf("Bail out! no memory\n");
        return -1;
    }

    return 0;
}


static inline void
teardown(void)
{
    nudge_json_destroy(js);
    nudge_pool_destroy(pool);

    done_testing();
}


#endif /* _T_SESSION_H_INCLUDED_ */
