
/*
 * The session's join is one (commutative, associative, idempotent), hosts
 * that exchange states agree, and both encodings give back what went in.
 */


#include "session.h"


#define REPLICAS  3


static nudge_str_t
hostile(nudge_uint_t len)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    static const char  *parts[] = { "a", "<", "\"", "\\", "\x01", "\xc5\xbc",
                                    "\xe2\x80\xa8", "\xff", "\xed\xa0\x80",
                                    "&", " ", "\xf0\x9f\x98\x80" };

    s.data = nudge_palloc(pool, 4 * len + 1);
    s.len = 0;

    for (i = 0; i < len; i++) {
        const char  *p = parts[rnd(sizeof(parts) / sizeof(parts[0]))];

        memcpy(s.data + s.len, p, strlen(p));
        s.len += strlen(p);
    }

    return s;
}


static nudge_item_t
random_item(int wild)
{
    nudge_item_t  it;

    it = item("", rnd(4), rnd(3) ? (int64_t) rnd(100000) : NUDGE_MONEY_NONE);
    it.id = text("%lu", 1 + rnd(6));

    if (rnd(3) == 0) {
        it.key = text("key%lu", rnd(6));
    }

    if (rnd(3) == 0) {
        it.name = text("Mug number %lu", rnd(20));
        it.url = text("/product/%lu/", rnd(20));
        it.image = text("/image/%lu.jpg", rnd(20));
    }

    if (rnd(10) == 0) {
        it.currency = nudge_cstr("EUR");
    }

    if (wild && rnd(2) == 0) {
        it.id = text("%lu", rnd(200));
        it.name = hostile(rnd(200));
        it.url = hostile(rnd(300));
        it.image = hostile(rnd(300));
        it.parent = hostile(rnd(20));
        it.key = rnd(2) ? hostile(rnd(40)) : it.key;
        it.quantity = (int64_t) (rnd(3) ? rnd(10) : INT64_MAX);
        it.price = rnd(2) ? INT64_MAX - 1 : -5;
    }

    return it;
}


static nudge_event_t
random_event(int64_t now, uint64_t host, int wild)
{
    nudge_uint_t   i, n;
    nudge_event_t  ev;

    static nudge_event_type_t  types[] = {
        NUDGE_EVENT_PAGE_VIEW, NUDGE_EVENT_VIEW_ITEM, NUDGE_EVENT_VIEW_ITEM,
        NUDGE_EVENT_ADD_TO_CART, NUDGE_EVENT_ADD_TO_CART,
        NUDGE_EVENT_ADD_TO_CART, NUDGE_EVENT_REMOVE_FROM_CART,
        NUDGE_EVENT_REMOVE_FROM_CART, NUDGE_EVENT_VIEW_CART,
        NUDGE_EVENT_BEGIN_CHECKOUT, NUDGE_EVENT_ORDER_ATTEMPT,
        NUDGE_EVENT_ORDER_FAILED, NUDGE_EVENT_SUBSCRIBE,
        NUDGE_EVENT_OFFER_VIEW, NUDGE_EVENT_OFFER_VIEW,
        NUDGE_EVENT_OFFER_CLOSE, NUDGE_EVENT_SEARCH
    };

    ev = event(types[rnd(sizeof(types) / sizeof(types[0]))], now, NULL, 0);
    ev.nonce = host;

    if (rnd(40) == 0) {
        ev.type = rnd(2) ? NUDGE_EVENT_PURCHASE : NUDGE_EVENT_LOGOUT;
    }

    n = rnd(wild ? 40 : 3);

    if (n) {
        ev.items = nudge_palloc(pool, n * sizeof(nudge_item_t));

        for (i = 0; i < n; i++) {
            ev.items[i] = random_item(wild);
        }

        ev.nitems = n;
    }

    if (rnd(12) == 0 || ev.type == NUDGE_EVENT_VIEW_CART) {
        ev.snapshot = 1;
        ev.cart = ev.items;
        ev.ncart = ev.nitems;
    }

    ev.offer = text("offer-%lu", rnd(wild ? 40 : 4));
    ev.attempt = text("attempt-%lu", rnd(3));
    ev.order = text("%lu", rnd(5));
    ev.tentative = (rnd(8) == 0);

    return ev;
}


/* a session somebody may have: made of events, some seen by others, too */

static nudge_session_t
random_session(nudge_session_t *base, uint64_t host, int64_t now, int wild)
{
    nudge_uint_t     i, n;
    nudge_event_t    ev;
    nudge_session_t  s;

    if (base) {
        s = *base;

    } else if (rnd(10)) {
        nudge_session_init(&s, now);

    } else {
        memset(&s, 0, sizeof(nudge_session_t));
    }

    n = rnd(40);

    for (i = 0; i < n; i++) {
        now += rnd(3);
        ev = random_event(now, host, wild);
        nudge_session_apply(&s, pool, &ev);
    }

    if (rnd(4) == 0) {
        s.version += rnd(5);
    }

    if (rnd(15) == 0) {
        nudge_session_touch(&s, now + 10, 5);
    }

    if (rnd(30) == 0) {
        nudge_session_forget(&s);
    }

    return s;
}


static void
test_laws(int rounds, int wild)
{
    int              i, bad[4];
    nudge_session_t  base, a, b, c, x, y;

    memset(bad, 0, sizeof(bad));

    for (i = 0; i < rounds; i++) {
        nudge_pool_reset(pool);
        base = random_session(NULL, 1, NOW, wild);
        a = random_session(rnd(2) ? &base : NULL, 1, NOW + 20, wild);
        b = random_session(rnd(2) ? &base : NULL, 2, NOW + 20, wild);
        c = random_session(rnd(2) ? &a : NULL, 3, NOW + 20, wild);

        x = merged(&a, &a);
        bad[0] += !same(&x, &a);

        x = merged(&a, &b);
        y = merged(&b, &a);
        bad[1] += !same(&x, &y);

        x = merged(&x, &c);
        y = merged(&b, &c);
        y = merged(&a, &y);
        bad[2] += !same(&x, &y);

        y = merged(&x, &b);
        bad[3] += !same(&x, &y);
    }

    ok(bad[0] == 0, "a + a = a, %d sessions%s (%d)", rounds,
       wild ? ", hostile" : "", bad[0]);
    ok(bad[1] == 0, "a + b = b + a (%d)", bad[1]);
    ok(bad[2] == 0, "(a + b) + c = a + (b + c) (%d)", bad[2]);
    ok(bad[3] == 0, "what is in it adds nothing (%d)", bad[3]);
}


/*
 * Three hosts, each event applied on one, states exchanged at random and
 * through either encoding: in the end all agree.
 */

static int
replicas(void)
{
    int              i, from, to;
    int64_t          now;
    nudge_str_t      data;
    nudge_event_t    ev;
    nudge_session_t  r[REPLICAS], s;

    now = NOW;

    for (i = 0; i < REPLICAS; i++) {
        nudge_session_init(&r[i], now);
    }

    for (i = 0; i < 60; i++) {
        now += 1 + rnd(1000);
        from = rnd(REPLICAS);
        to = rnd(REPLICAS);

        ev = random_event(now, from + 1, 0);

        nudge_session_apply(&r[from], pool, &ev);

        if (rnd(3)) {
            continue;
        }

        if (rnd(2)) {
            data = packed(&r[from]);

            if (nudge_session_unpack(&s, pool, &data) != NUDGE_OK) {
                return 1;
            }

        } else {
            data = encoded(&r[from]);

            if (nudge_session_decode(js, &s, pool, &data) != NUDGE_OK) {
                return 2;
            }
        }

        nudge_session_merge(&r[to], pool, &s);
    }

    s = merged(&r[0], &r[1]);
    s = merged(&s, &r[2]);

    for (i = 0; i < REPLICAS; i++) {
        nudge_session_merge(&r[i], pool, &r[(i + 2) % REPLICAS]);
        nudge_session_merge(&r[i], pool, &r[(i + 1) % REPLICAS]);
        nudge_session_merge(&r[i], pool, &s);

        if (!same(&r[i], &s) || strcmp(show(&r[i]), show(&s)) != 0) {
            return 3;
        }
    }

    return 0;
}


static void
test_replicas(int rounds)
{
    int  i, rc, bad;

    bad = 0;

    for (i = 0; i < rounds; i++) {
        nudge_pool_reset(pool);
        rc = replicas();
        bad += (rc != 0);
    }

    ok(bad == 0, "three hosts agree, %d histories (%d)", rounds, bad);
}


/* only additions and removals, no more than are kept: whatever the order of
 * merging, the cart is the one a single host would hold */

static void
test_oracle(int rounds)
{
    int              i, j, n, host, bad;
    int64_t          now;
    nudge_item_t     it;
    nudge_event_t    ev;
    nudge_session_t  r[REPLICAS], one, s;

    bad = 0;

    for (i = 0; i < rounds; i++) {
        nudge_pool_reset(pool);
        now = NOW;
        nudge_session_init(&one, now);

        for (j = 0; j < REPLICAS; j++) {
            r[j] = one;
        }

        n = rnd(25);

        for (j = 0; j < n; j++) {
            now += 1 + rnd(10);
            host = rnd(REPLICAS);
            it = random_item(0);
            it.key.len = 0;
            ev = event(rnd(3) ? NUDGE_EVENT_ADD_TO_CART
                              : NUDGE_EVENT_REMOVE_FROM_CART, now, &it, 1);
            ev.nonce = host + 1;

            if (rnd(10) == 0) {
                ev.snapshot = 1;
                ev.cart = &it;
                ev.ncart = 1;
            }

            nudge_session_apply(&one, pool, &ev);
            nudge_session_apply(&r[host], pool, &ev);

            if (rnd(3) == 0) {
                nudge_session_merge(&r[rnd(REPLICAS)], pool, &r[host]);
            }
        }

        s = merged(&r[2], &r[0]);
        s = merged(&s, &r[1]);

        if (strcmp(show(&s), show(&one)) != 0) {
            bad++;
        }
    }

    ok(bad == 0, "nothing is lost between hosts, %d histories (%d)", rounds,
       bad);
}


static void
test_encodings(int rounds)
{
    int              i, bad[5];
    size_t           largest[2];
    nudge_str_t      p, e;
    nudge_session_t  s, t;

    memset(bad, 0, sizeof(bad));
    largest[0] = 0;
    largest[1] = 0;

    for (i = 0; i < rounds; i++) {
        nudge_pool_reset(pool);
        s = random_session(NULL, 1, NOW, i % 2);
        t = random_session(NULL, 2, NOW, i % 2);
        s = merged(&s, &t);

        p = packed(&s);
        e = encoded(&s);
        bad[0] += nudge_str_is(&p, "full") || nudge_str_is(&e, "full");
        largest[0] = p.len > largest[0] ? p.len : largest[0];
        largest[1] = e.len > largest[1] ? e.len : largest[1];

        bad[1] += nudge_session_unpack(&t, pool, &p) != NUDGE_OK;
        bad[2] += !same(&s, &t);

        bad[3] += nudge_session_decode(js, &t, pool, &e) != NUDGE_OK;
        bad[4] += !same(&s, &t);
    }

    ok(bad[0] == 0, "%d sessions fit (%zu and %zu bytes at most)", rounds,
       largest[0], largest[1]);
    ok(bad[1] == 0, "all unpack (%d)", bad[1]);
    ok(bad[2] == 0, "to what was packed (%d)", bad[2]);
    ok(bad[3] == 0, "all decode (%d)", bad[3]);
    ok(bad[4] == 0, "to what was encoded (%d)", bad[4]);
}


/* as large as events can make one */

static void
test_largest(void)
{
    int              bad;
    size_t           j;
    nudge_str_t      p, e;
    nudge_uint_t     i;
    nudge_item_t     it[64];
    nudge_pool_t    *small;
    nudge_event_t    ev;
    nudge_session_t  s, t;

    nudge_pool_reset(pool);
    nudge_session_init(&s, NOW);
    nudge_session_init(&t, NOW);

    for (i = 0; i < 64; i++) {
        it[i] = item("", 1000000, 999999999999);
        it[i].id = text("%060lu", i);
        it[i].key = text("k%060lu", i);
        it[i].parent = text("p%060lu", i);
        it[i].name = text("%0160lu", i);
        it[i].url = text("/%0200lu", i);
        it[i].image = text("/%0200lu", i);
    }

    ev = snapshot(NOW, it, 64);
    nudge_session_apply(&s, pool, &ev);
    nudge_session_apply(&t, pool, &ev);
    ok(s.nlines > 32, "long lines are kept, shortened: %d", (int) s.nlines);

    for (i = 0; i < 48; i++) {
        it[0].id = text("d%060lu", i);
        it[0].key = text("dk%060lu", i);
        ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1 + i, it, 1);
        ev.nonce = UINT64_MAX - i % 2;
        ev.seq = UINT64_MAX - i;
        nudge_session_apply(i % 2 ? &s : &t, pool, &ev);

        it[1].id = text("v%060lu", i);
        ev = event(NUDGE_EVENT_VIEW_ITEM, NOW + 1 + i, &it[1], 1);
        nudge_session_apply(&s, pool, &ev);

        ev = event(NUDGE_EVENT_OFFER_VIEW, NOW + 1 + i, NULL, 0);
        ev.offer = text("o%060lu", i);
        nudge_session_apply(&s, pool, &ev);
    }

    s = merged(&s, &t);
    p = packed(&s);
    e = encoded(&s);
    ok(s.ndeltas == NUDGE_SESSION_DELTAS && s.nviewed == NUDGE_SESSION_VIEWED
       && s.nseen == NUDGE_SESSION_SEEN, "the largest session");
    ok(!nudge_str_is(&p, "full"), "packs into %zu", p.len);
    ok(!nudge_str_is(&e, "full"), "encodes into %zu", e.len);

    small = nudge_pool_create(1024 * 1024);
    bad = 0;

    for (j = 0; j < p.len; j++) {
        e = p;
        e.len = j;
        nudge_pool_reset(small);
        bad += nudge_session_unpack(&t, small, &e) != NUDGE_ERROR;
    }

    nudge_pool_destroy(small);

    ok(bad == 0, "no part of it unpacks");
    ok(nudge_session_unpack(&t, pool, &p) == NUDGE_OK, "whole it unpacks");
}


int
main(void)
{
    if (setup() != 0) {
        return 0;
    }

    test_laws(1000, 0);
    test_laws(150, 1);
    test_replicas(1000);
    test_oracle(1000);
    test_encodings(600);
    test_largest();

    teardown();

    return 0;
}
