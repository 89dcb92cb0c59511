
/*
 * Events there and back, and what is refused.
 */


#include <stdlib.h>

#include "nudge_event.h"

#include "tap.h"


static nudge_json_t  *js;
static nudge_pool_t  *pool;


static void
test_names(void)
{
    nudge_str_t   s;
    nudge_uint_t  i, bad;

    bad = 0;

    for (i = NUDGE_EVENT_NONE + 1; i < NUDGE_EVENT_MAX; i++) {
        s = nudge_cstr(nudge_event_name((nudge_event_type_t) i));
        bad += (s.len == 0 || nudge_event_type(&s) != i);
    }

    is_int(bad, 0, "each type has its name");

    is_str(nudge_cstr(nudge_event_name(NUDGE_EVENT_GAP)), "gap", "the last");
    is_str(nudge_cstr(nudge_event_name(NUDGE_EVENT_ORDER_ATTEMPT)),
           "order_attempt", "one in between");
    is_str(nudge_cstr(nudge_event_name(NUDGE_EVENT_MAX)), "none", "beyond");

    s = nudge_cstr("none");
    is_int(nudge_event_type(&s), NUDGE_EVENT_NONE, "\"none\" is no event");

    ok(nudge_event_is_trigger(NUDGE_EVENT_ADD_TO_CART)
       && nudge_event_is_trigger(NUDGE_EVENT_UNSUBSCRIBE)
       && !nudge_event_is_trigger(NUDGE_EVENT_PAGE_VIEW), "triggers");
    ok(nudge_event_is_vital(NUDGE_EVENT_PURCHASE)
       && nudge_event_is_vital(NUDGE_EVENT_GAP)
       && !nudge_event_is_vital(NUDGE_EVENT_ADD_TO_CART), "vital ones");
}


static void
test_encode(void)
{
    nudge_buf_t    b;
    nudge_item_t   item;
    nudge_event_t  ev, back;
    nudge_str_t    text;

    nudge_event_init(&ev, NUDGE_EVENT_PAGE_VIEW);
    ev.nonce = 0x0123456789abcdefULL;
    ev.seq = 0x1f;
    ev.time = 1763769600123LL;

    nudge_buf_grow(&b, pool, 64, 65536);
    nudge_event_encode(&b, &ev);
    is_str(nudge_buf_result(&b),
           "{\"v\":1,\"id\":\"0123456789abcdef-1f\",\"e\":\"page_view\","
           "\"t\":1763769600123}", "the least");

    nudge_item_init(&item);
    nudge_str_set(&item.id, "19");
    nudge_str_set(&item.key, "k1");
    nudge_str_set(&item.name, "Hoodie \"<b>\"\r\n");
    item.price = 45000;
    nudge_str_set(&item.currency, "EUR");
    item.stock = NUDGE_STOCK_OUT;
    item.quantity = 2;

    ev.type = NUDGE_EVENT_ADD_TO_CART;
    nudge_str_set(&ev.shop, "bluemug");
    nudge_str_set(&ev.email, "a@example.com");
    ev.value = 90000;
    ev.items = &item;
    ev.nitems = 1;
    ev.cart = &item;
    ev.ncart = 1;
    ev.snapshot = 1;
    ev.joinable = 1;
    ev.from = 5;

    nudge_buf_grow(&b, pool, 64, 65536);
    nudge_event_encode(&b, &ev);
    text = nudge_buf_result(&b);
    is_str(text,
           "{\"v\":1,\"id\":\"0123456789abcdef-1f\",\"e\":\"add_to_cart\","
           "\"t\":1763769600123,\"shop\":\"bluemug\","
           "\"email\":\"a@example.com\",\"value\":90.00,\"items\":[{\"id\":"
           "\"19\",\"key\":\"k1\",\"name\":\"Hoodie \\\"\\u003cb\\u003e\\\""
           "\\r\\n\",\"price\":45.00,\"currency\":\"EUR\",\"stock\":\"out\","
           "\"quantity\":2}],\"cart\":[{\"id\":\"19\",\"key\":\"k1\","
           "\"name\":\"Hoodie \\\"\\u003cb\\u003e\\\"\\r\\n\",\"price\":45.00,"
           "\"currency\":\"EUR\",\"stock\":\"out\",\"quantity\":2}],"
           "\"snapshot\":true,\"joinable\":true,\"from\":5}", "all kinds");

    is_int(nudge_event_decode(js, pool, &text, &back), NUDGE_OK, "decodes");
    ok(back.type == ev.type && back.nonce == ev.nonce && back.seq == ev.seq
       && back.time == ev.time && back.value == ev.value && back.nitems == 1
       && back.ncart == 1 && back.snapshot && back.joinable && !back.bot
       && back.from == 5 && back.to == 0, "to the same");
    is_str(back.items[0].name, "Hoodie \"<b>\"\r\n", "a name");
    is_int(back.cart[0].price, 45000, "a price");
    is_int(back.cart[0].stock, NUDGE_STOCK_OUT, "a stock");
    is_int(back.items[0].quantity, 2, "a quantity");

    nudge_event_init(&ev, NUDGE_EVENT_GAP);
    ev.seq = UINT64_MAX;
    nudge_buf_grow(&b, pool, 64, 65536);
    nudge_event_encode(&b, &ev);
    text = nudge_buf_result(&b);
    is_int(nudge_event_decode(js, pool, &text, &back), NUDGE_OK, "a large id");
    ok(back.seq == UINT64_MAX && back.nonce == 0, "is kept");
    ok(back.value == NUDGE_MONEY_NONE, "no value stays none");
}


static void
test_refused(void)
{
    nudge_str_t    s;
    nudge_uint_t   i;
    nudge_event_t  ev;

#define ID  "\"id\":\"0123456789abcdef-1\","

    static const struct {
        const char     *text;
        nudge_int_t     rc;
    } t[] = {
        { "", NUDGE_ERROR }, { "{}", NUDGE_ERROR }, { "[]", NUDGE_ERROR },
        { "{\"v\":1," ID "\"e\":\"search\",\"t\":1}", NUDGE_OK },
        { "{\"v\":2," ID "\"e\":\"search\",\"t\":1}", NUDGE_DECLINED },
        { "{\"v\":2,\"e\":\"search\"}", NUDGE_DECLINED },
        { "{\"v\":1," ID "\"e\":\"later\",\"t\":1}", NUDGE_DECLINED },
        { "{\"v\":1," ID "\"e\":\"none\",\"t\":1}", NUDGE_DECLINED },
        { "{\"v\":0," ID "\"e\":\"search\",\"t\":1}", NUDGE_ERROR },
        { "{\"v\":1," ID "\"e\":\"search\"}", NUDGE_ERROR },
        { "{\"v\":1,\"e\":\"search\",\"t\":1}", NUDGE_ERROR },
        { "{\"v\":1,\"id\":\"0123456789abcdef-\",\"e\":\"search\",\"t\":1}",
          NUDGE_ERROR },
        { "{\"v\":1,\"id\":\"0123456789abcdeg-1\",\"e\":\"search\",\"t\":1}",
          NUDGE_ERROR },
        { "{\"v\":1,\"id\":\"0123456789abcdef-11112222333344445\","
          "\"e\":\"search\",\"t\":1}", NUDGE_ERROR },
        { "{\"v\":1," ID "\"e\":\"search\",\"t\":1,\"items\":7,\"cart\":[1,"
          "{}],\"shop\":[]}", NUDGE_OK },
        { NULL, 0 }
    };

    for (i = 0; t[i].text; i++) {
        s = nudge_cstr(t[i].text);
        is_int(nudge_event_decode(js, pool, &s, &ev), t[i].rc, "%s",
               t[i].text);
    }

    is_int(ev.ncart, 1, "what is no item is left out");
}


int
main(void)
{
    js = nudge_json_create(1024 * 1024);
    pool = nudge_pool_create(1024 * 1024);

    test_names();
    test_encode();
    test_refused();

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);
    done_testing();

    return 0;
}
