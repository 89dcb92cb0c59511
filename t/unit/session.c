
/*
 * The session: what events do to it, that the join is one, and that both
 * encodings give back what went in.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "nudge_session.h"

#include "tap.h"


#define REPLICAS  3
#define NOW       INT64_C(1763769600000)


static uint64_t       seed;
static uint64_t       sequence;
static nudge_pool_t  *pool;
static nudge_json_t  *js;


static uint64_t
rnd(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (seed * UINT64_C(2685821657736338717) >> 33) % n;
}


static nudge_str_t
text(const char *fmt, uint64_t n)
{
    char         buf[256];
    nudge_str_t  s;

    snprintf(buf, sizeof(buf), fmt, (unsigned long) n);
    s = nudge_cstr(buf);
    nudge_pstrdup(pool, &s, &s);

    return s;
}


static nudge_item_t
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


static nudge_event_t
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


static nudge_event_t
snapshot(int64_t time, nudge_item_t *lines, nudge_uint_t n)
{
    nudge_event_t  ev;

    ev = event(NUDGE_EVENT_VIEW_CART, time, NULL, 0);
    ev.cart = lines;
    ev.ncart = n;
    ev.snapshot = 1;

    return ev;
}


static nudge_str_t
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


static nudge_str_t
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


static int
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


static nudge_session_t
merged(const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_session_t  s;

    s = *a;

    if (nudge_session_merge(&s, pool, b) != NUDGE_OK) {
        nudge_session_init(&s, 1);
    }

    return s;
}


static nudge_cart_t
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

static const char *
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


static void
cart_is(const nudge_session_t *s, const char *expected, const char *name)
{
    const char  *got;

    got = show(s);
    ok(strcmp(got, expected) == 0, "%s: %s (%s)", name, expected, got);
}


static void
test_deltas(void)
{
    nudge_cart_t     c;
    nudge_item_t     it[3];
    nudge_event_t    ev;
    nudge_session_t  s;

    nudge_session_init(&s, NOW);
    cart_is(&s, "", "a new session has an empty cart");

    it[0] = item("19", 1, 45000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1, it, 1);
    ok(nudge_session_apply(&s, pool, &ev) == NUDGE_OK, "add");
    cart_is(&s, "19*1", "add");
    ok(s.cart_changed == NOW + 1, "the cart has changed");

    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*1", "the same event twice");

    it[0].quantity = 2;
    it[1] = item("7", 0, 10500);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 2, it, 2);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*3 7*1", "two lines, one without quantity");

    c = cart(&s);
    ok(c.items == 4 && c.total == 145500 && nudge_str_is(&c.currency, "USD"),
       "items, total and currency");

    it[0].quantity = 1;
    ev = event(NUDGE_EVENT_REMOVE_FROM_CART, NOW + 3, it, 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*2 7*1", "remove one");

    it[0].quantity = 0;
    ev = event(NUDGE_EVENT_REMOVE_FROM_CART, NOW + 4, it, 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "7*1", "remove the line");

    it[0] = item("99", 5, 1);
    ev = event(NUDGE_EVENT_REMOVE_FROM_CART, NOW + 5, it, 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "7*1", "remove what is not there");
    ok(s.cart_changed == NOW + 4, "which is no change");

    it[0] = item("8", 1, NUDGE_MONEY_NONE);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 6, it, 1);
    nudge_session_apply(&s, pool, &ev);
    c = cart(&s);
    ok(c.total == NUDGE_MONEY_NONE && c.items == 2,
       "no total with a price missing");

    it[0] = item("8", 1, 1000);
    it[0].currency = nudge_cstr("EUR");
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 7, it, 1);
    nudge_session_apply(&s, pool, &ev);
    c = cart(&s);
    ok(c.total == NUDGE_MONEY_NONE && c.items == 3,
       "no total over two currencies");

    it[0] = item("8", 3, 1000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 8, it, 1);
    ev.bot = 1;
    nudge_session_apply(&s, pool, &ev);
    ok(cart(&s).items == 3, "bots change nothing");
}


static void
test_snapshot(void)
{
    nudge_str_t      key;
    nudge_cart_t     c;
    nudge_item_t     it[3], *line;
    nudge_event_t    ev, late;
    nudge_session_t  s;

    nudge_session_init(&s, NOW);

    it[0] = item("19", 1, NUDGE_MONEY_NONE);
    it[0].name = nudge_cstr("Hoodie");
    late = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1, it, 1);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1, it, 1);
    nudge_session_apply(&s, pool, &ev);

    it[0] = item("19", 2, 45000);
    it[0].key = nudge_cstr("1f0e3dad99908345f7439f8ffabdffc4");
    it[1] = item("7", 1, 10000);
    it[1].key = nudge_cstr("8f14e45fceea167a5a36dedd4bea2543");
    ev = snapshot(NOW + 2, it, 2);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*2 7*1", "a snapshot replaces");
    ok(s.ndeltas == 0 && s.nlines == 2, "deltas it covers are gone");

    key = it[0].key;
    c = cart(&s);
    line = nudge_cart_line(&c, &key);
    ok(line && nudge_str_is(&line->name, "Hoodie"),
       "what was known of a line stays");

    nudge_session_apply(&s, pool, &late);
    cart_is(&s, "19*2 7*1", "an older change of the same host is covered");

    ev = snapshot(NOW + 100000, it, 2);
    nudge_session_apply(&s, pool, &ev);
    ok(s.cart_changed == NOW + 2, "the same cart again is no change");

    /* the removal names the line, the addition the product */

    it[2] = item("", 0, NUDGE_MONEY_NONE);
    it[2].key = key;
    ev = event(NUDGE_EVENT_REMOVE_FROM_CART, NOW + 100001, &it[2], 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "7*1", "removed by key");

    it[2] = item("7", 2, NUDGE_MONEY_NONE);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 100002, &it[2], 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "7*3", "added by id to a line with a key");
    ok(cart(&s).total == 30000, "the price stays known");

    ev = snapshot(NOW + 100003, NULL, 0);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "", "the store says: empty");
}


/* host B's clock is a minute behind */

static void
test_clocks(void)
{
    nudge_item_t     it;
    nudge_event_t    ev;
    nudge_session_t  s;

    nudge_session_init(&s, NOW);

    it = item("19", 1, 45000);
    ev = snapshot(NOW, &it, 1);
    nudge_session_apply(&s, pool, &ev);

    it = item("7", 1, 45000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW - 60000, &it, 1);
    ev.nonce = 5;
    ev.seq = 77;
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*1 7*1", "a change on a host whose clock is behind");

    ev.seq = 78;
    ev.time++;
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*1 7*2", "and the next one there");

    it = item("3", 1, 1000);
    ev = snapshot(NOW - 50000, &it, 1);
    ev.nonce = 5;
    ev.seq = 79;
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "3*1", "and a snapshot");

    it = item("4", 1, 1000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1, &it, 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "3*1 4*1", "and back");

    it = item("5", 1, 1000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 1, &it, 1);
    ev.nonce = 0;
    ev.seq = 0;
    nudge_session_apply(&s, pool, &ev);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "3*1 4*1 5*2", "events without an id are all different");
}


static void
test_order(void)
{
    nudge_item_t     it;
    nudge_event_t    ev;
    nudge_session_t  s, other;

    nudge_session_init(&s, NOW);

    it = item("19", 1, 45000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW, &it, 1);
    nudge_session_apply(&s, pool, &ev);

    ev = event(NUDGE_EVENT_BEGIN_CHECKOUT, NOW + 1, NULL, 0);
    nudge_session_apply(&s, pool, &ev);
    ok(s.checkout == NOW + 1, "checkout");

    ev = event(NUDGE_EVENT_ORDER_ATTEMPT, NOW + 2, NULL, 0);
    ev.attempt = nudge_cstr("a-1");
    nudge_session_apply(&s, pool, &ev);
    ok(s.attempted == NOW + 2, "an order is attempted");
    other = s;

    ev = event(NUDGE_EVENT_ORDER_FAILED, NOW + 3, NULL, 0);
    ev.attempt = nudge_cstr("a-0");
    nudge_session_apply(&s, pool, &ev);
    ok(s.attempted == NOW + 2, "another attempt failed");

    ev.seq = ++sequence;
    ev.attempt = nudge_cstr("a-1");
    nudge_session_apply(&s, pool, &ev);
    ok(s.attempted == 0, "this one failed");

    other = merged(&other, &s);
    ok(other.attempted == 0, "also for who merges");
    cart_is(&s, "19*1", "the cart is still there");

    ev = event(NUDGE_EVENT_ORDER_ATTEMPT, NOW + 4, NULL, 0);
    ev.attempt = nudge_cstr("a-2");
    nudge_session_apply(&s, pool, &ev);
    ok(s.attempted == NOW + 4, "attempted again");
    other = merged(&other, &s);
    ok(other.attempted == NOW + 4, "also for who merges");

    ev = event(NUDGE_EVENT_PURCHASE, NOW + 5, NULL, 0);
    ev.order = nudge_cstr("64");
    nudge_session_apply(&s, pool, &ev);
    ok(s.attempted == 0 && s.ordered == NOW + 5, "bought");
    cart_is(&s, "", "the cart is bought");

    other = merged(&other, &s);
    ok(other.attempted == 0 && other.ordered == NOW + 5, "merged");
    cart_is(&other, "", "the older cart does not come back");

    it = item("7", 1, 45000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 6, &it, 1);
    nudge_session_apply(&s, pool, &ev);

    ev = event(NUDGE_EVENT_PURCHASE, NOW + 7, NULL, 0);
    ev.order = nudge_cstr("64");
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "7*1", "a reloaded thank-you page clears no new cart");
    ok(s.ordered == NOW + 5, "and is no new order");
}


static void
test_visit(void)
{
    nudge_uint_t     i;
    nudge_item_t     it;
    nudge_event_t    ev;
    nudge_session_t  s, other;

    memset(&s, 0, sizeof(nudge_session_t));
    nudge_session_touch(&s, NOW, 1800000);
    ok(s.created == NOW && s.visits == 1, "the first visit");

    ev = event(NUDGE_EVENT_PAGE_VIEW, NOW, NULL, 0);
    nudge_session_apply(&s, pool, &ev);
    ev.tentative = 1;
    nudge_session_apply(&s, pool, &ev);
    ok(s.pages == 1, "a prefetch is no page view");

    nudge_session_touch(&s, NOW + 1799999, 1800000);
    ok(s.visits == 1 && s.pages == 1, "still the same visit");
    nudge_session_touch(&s, NOW + 3599999, 1800000);
    ok(s.visits == 2 && s.pages == 0, "the next visit");

    for (i = 0; i < 20; i++) {
        it = item("", 1, 1000);
        it.id = text("p%lu", i % 15);
        ev = event(NUDGE_EVENT_VIEW_ITEM, NOW + i, &it, 1);
        nudge_session_apply(&s, pool, &ev);
    }

    ok(s.nviewed == NUDGE_SESSION_VIEWED
       && nudge_str_is(&s.viewed[0].id, "p4")
       && nudge_str_is(&s.viewed[11].id, "p8"),
       "the newest views, each once");

    it = item("tentative", 1, 1000);
    ev = event(NUDGE_EVENT_VIEW_ITEM, NOW + 30, &it, 1);
    ev.tentative = 1;
    nudge_session_apply(&s, pool, &ev);
    ok(nudge_str_is(&s.viewed[0].id, "p4"), "a prefetch is no view");

    it = item("19", 1, 1000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 40, &it, 1);
    nudge_session_apply(&s, pool, &ev);

    other = s;
    ev = event(NUDGE_EVENT_LOGOUT, NOW + 50, NULL, 0);
    nudge_session_apply(&s, pool, &ev);
    ok(s.nviewed == 0 && cart(&s).n == 0, "forgotten at logout");

    s = merged(&s, &other);
    ok(s.nviewed == 0 && cart(&s).n == 0, "by all hosts");

    s = other;
    nudge_session_forget(&s);
    ok(s.nviewed == 0 && cart(&s).n == 0, "forgotten");
    s = merged(&other, &s);
    ok(s.nviewed == 0 && cart(&s).n == 0, "by all hosts");

    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW + 40, &it, 1);
    nudge_session_apply(&s, pool, &ev);
    cart_is(&s, "19*1", "a change right afterwards counts");
}


static void
test_offers(void)
{
    nudge_uint_t     i;
    nudge_event_t    ev;
    nudge_session_t  s;

    nudge_session_init(&s, NOW);

    ev = event(NUDGE_EVENT_OFFER_VIEW, NOW, NULL, 0);
    ev.offer = nudge_cstr("leaving");
    ev.from = NOW - 1000;
    nudge_session_apply(&s, pool, &ev);
    ok(s.nseen == 1 && s.seen[0].count == 1 && s.seen[0].first == NOW,
       "shown once");

    ev.time = NOW + 500;
    ev.from = NOW - 500;
    nudge_session_apply(&s, pool, &ev);
    ok(s.seen[0].count == 2 && s.seen[0].first == NOW
       && s.seen[0].last == NOW + 500, "twice in the window");

    ev.time = NOW + 5000;
    ev.from = NOW + 4000;
    nudge_session_apply(&s, pool, &ev);
    ok(s.seen[0].count == 1 && s.seen[0].first == NOW + 5000,
       "once in the next window");

    ev.type = NUDGE_EVENT_OFFER_CLOSE;
    ev.time = NOW + 5001;
    ev.from = 0;
    nudge_session_apply(&s, pool, &ev);
    ok(s.seen[0].count == 1 && !s.seen[0].done, "closed: was shown");

    ev.type = NUDGE_EVENT_SUBSCRIBE;
    nudge_session_apply(&s, pool, &ev);
    ok(s.seen[0].done && s.subscribed, "submitted: done");

    for (i = 0; i < 40; i++) {
        ev = event(NUDGE_EVENT_OFFER_VIEW, NOW + 6000 + i, NULL, 0);
        ev.offer = text("offer-%lu", i);
        nudge_session_apply(&s, pool, &ev);
    }

    ok(s.nseen == NUDGE_SESSION_SEEN
       && nudge_str_is(&s.seen[0].offer, "offer-39"),
       "the newest offers are remembered");
}


/* folding keeps the cart, whatever was in it */

static void
test_fold(void)
{
    int              lost;
    int64_t          count[8], total;
    nudge_item_t     it;
    nudge_uint_t     i, n;
    nudge_cart_t     c;
    nudge_event_t    ev;
    nudge_session_t  s;

    nudge_session_init(&s, NOW);
    memset(count, 0, sizeof(count));
    lost = 0;

    for (i = 0; i < 500; i++) {
        n = rnd(8);
        it = item("", 1 + rnd(3), 1000);
        it.id = text("p%lu", n);
        ev = event(rnd(3) ? NUDGE_EVENT_ADD_TO_CART
                          : NUDGE_EVENT_REMOVE_FROM_CART, NOW + i, &it, 1);

        count[n] += (ev.type == NUDGE_EVENT_ADD_TO_CART) ? it.quantity
                                                         : -it.quantity;

        if (count[n] < 0) {
            count[n] = 0;
        }

        nudge_session_apply(&s, pool, &ev);

        total = 0;

        for (n = 0; n < 8; n++) {
            total += count[n];
        }

        c = cart(&s);

        if (c.items != total || s.ndeltas > NUDGE_SESSION_DELTAS) {
            lost++;
        }
    }

    ok(lost == 0, "500 changes of one host, folded: nothing lost");
    ok(s.nlines > 0, "and something was folded");
}


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


static void
test_document(void)
{
    nudge_str_t      doc;
    nudge_buf_t      b;
    nudge_item_t     it;
    nudge_event_t    ev;
    nudge_value_t   *v;
    nudge_session_t  s;

    nudge_pool_reset(pool);
    nudge_session_init(&s, NOW);

    it = item("19", 2, 45000);
    it.name = nudge_cstr("Hoodie <with> Zipper");
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW, &it, 1);
    nudge_session_apply(&s, pool, &ev);

    doc = encoded(&s);
    v = nudge_json_decode(js, pool, &doc, NULL);
    ok(v != NULL, "the document is JSON");
    ok(nudge_value_int(nudge_value_get(v, "v"), 0) == 1, "its version");

    v = nudge_value_get(v, "cart");
    ok(nudge_value_int(nudge_value_get(v, "count"), 0) == 2
       && nudge_value_money(nudge_value_get(v, "total")) == 90000,
       "the cart as it stands");

    v = nudge_value_at(nudge_value_get(v, "items"), 0);
    doc = nudge_value_str(nudge_value_get(v, "name"));
    ok(nudge_str_is(&doc, "Hoodie <with> Zipper"), "with its lines");

    doc = nudge_cstr("{\"v\":1,\"pages\":7,\"news\":{\"a\":[1]},"
                     "\"viewed\":[3,{\"id\":19,\"at\":\"5-1-1\"},"
                     "{\"id\":\"x\",\"at\":\"5-1\"}],\"deltas\":{},"
                     "\"snapshot\":{\"at\":\"9-0-a\",\"items\":"
                     "[{\"id\":\"7\",\"quantity\":2},{},7]}}");
    ok(nudge_session_decode(js, &s, pool, &doc) == NUDGE_OK
       && s.pages == 7 && s.nviewed == 1 && s.snap.seq == 10,
       "unknown and malformed members are passed over");
    cart_is(&s, "7*2", "the rest counts");

    doc = nudge_cstr("{\"v\":2}");
    ok(nudge_session_decode(js, &s, pool, &doc) == NUDGE_DECLINED,
       "a later schema");
    doc = nudge_cstr("[]");
    ok(nudge_session_decode(js, &s, pool, &doc) == NUDGE_ERROR,
       "no document");
    doc = nudge_cstr("{\"v\":1");
    ok(nudge_session_decode(js, &s, pool, &doc) == NUDGE_ERROR, "no JSON");

    nudge_buf_grow(&b, pool, 64, 256);
    doc = nudge_cstr("bluemug");
    it.id = nudge_cstr("00112233445566778899aabbccddeeff");
    nudge_session_key(&b, &doc, &it.id);
    doc = nudge_buf_result(&b);
    ok(nudge_str_is(&doc, "nudge:bluemug:s:00112233445566778899aabbccddeeff"),
       "its key");
}


/* without memory nothing changes */

static void
test_memory(void)
{
    int              bad, failed;
    size_t           limit;
    nudge_str_t      before, after;
    nudge_item_t     it[4];
    nudge_pool_t    *small;
    nudge_event_t    ev;
    nudge_session_t  s, t;

    nudge_pool_reset(pool);
    nudge_session_init(&s, NOW);

    it[0] = item("19", 2, 45000);
    it[1] = item("20", 2, 45000);
    it[2] = item("21", 2, 45000);
    it[3] = item("22", 2, 45000);
    ev = event(NUDGE_EVENT_ADD_TO_CART, NOW, it, 2);
    nudge_session_apply(&s, pool, &ev);
    before = packed(&s);

    bad = 0;
    failed = 0;

    for (limit = 1; limit < 60000; limit += 997) {
        small = nudge_pool_create(limit);

        if (small == NULL) {
            continue;
        }

        t = s;
        ev = snapshot(NOW + 5, it, 4);

        if (nudge_session_apply(&t, small, &ev) != NUDGE_OK) {
            failed++;
            after = packed(&t);
            bad += !nudge_str_eq(&before, &after);
        }

        nudge_pool_destroy(small);
    }

    ok(failed > 0 && bad == 0, "without memory the session stays as it was");
}


int
main(void)
{
    seed = 88172645463325252;
    pool = nudge_pool_create(64 * 1024 * 1024);
    js = nudge_json_create(4 * 1024 * 1024);

    if (pool == NULL || js == NULL) {
        printf("Bail out! no memory\n");
        return 0;
    }

    test_deltas();
    test_snapshot();
    test_clocks();
    test_order();
    test_visit();
    test_offers();
    test_fold();
    test_laws(1000, 0);
    test_laws(150, 1);
    test_replicas(1000);
    test_oracle(1000);
    test_encodings(600);
    test_largest();
    test_document();
    test_memory();

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
