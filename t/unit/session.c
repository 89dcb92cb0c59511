
/*
 * The session: what events do to it, and the document others read.
 */


#include "session.h"


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
    if (setup() != 0) {
        return 0;
    }

    test_deltas();
    test_snapshot();
    test_clocks();
    test_order();
    test_visit();
    test_offers();
    test_fold();
    test_document();
    test_memory();

    teardown();

    return 0;
}
