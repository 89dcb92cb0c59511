
/*
 * Events from any bytes: what decodes is encoded to a text that decodes to the
 * same event; and an event of any strings survives the journal.
 */


#include <stdlib.h>

#include "nudge_event.h"


#define ROOM  (1024 * 1024)


static nudge_json_t  *js;
static nudge_pool_t  *pool;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static nudge_str_t
encoded(const nudge_event_t *ev)
{
    nudge_buf_t  b;

    check(nudge_buf_grow(&b, pool, 512, ROOM) == NUDGE_OK);
    nudge_event_encode(&b, ev);
    check(!b.full);

    return nudge_buf_result(&b);
}


/* encoding, decoding and encoding once more gives the same bytes */

static void
check_stable(const nudge_event_t *ev)
{
    nudge_str_t    first, second;
    nudge_event_t  back;

    first = encoded(ev);
    check(nudge_utf8_valid(&first));
    check(first.len == 0 || memchr(first.data, '\n', first.len) == NULL);

    check(nudge_event_decode(js, pool, &first, &back) == NUDGE_OK);

    check(back.type == ev->type && back.nonce == ev->nonce
          && back.seq == ev->seq && back.time == ev->time
          && back.nitems == ev->nitems && back.ncart == ev->ncart
          && back.value == ev->value && back.snapshot == ev->snapshot
          && back.tentative == ev->tentative && back.bot == ev->bot
          && back.joinable == ev->joinable && back.from == ev->from
          && back.to == ev->to);

    second = encoded(&back);
    check(nudge_str_eq(&first, &second));
}


static uint64_t
number(const uint8_t **p, const uint8_t *end, size_t bytes)
{
    uint64_t  n;

    for (n = 0; bytes && *p < end; bytes--) {
        n = (n << 8) | *(*p)++;
    }

    return n;
}


static nudge_str_t
string(const uint8_t **p, const uint8_t *end)
{
    nudge_str_t  s;

    s.len = (size_t) number(p, end, 1) % 24;
    s.len = (s.len > (size_t) (end - *p)) ? (size_t) (end - *p) : s.len;
    s.data = (u_char *) *p;
    *p += s.len;

    return s;
}


static void
made_up(const uint8_t *p, const uint8_t *end)
{
    uint64_t       flags;
    nudge_uint_t   i;
    nudge_item_t   items[3];
    nudge_event_t  ev;

    nudge_event_init(&ev, (nudge_event_type_t)
                          (1 + number(&p, end, 1) % (NUDGE_EVENT_MAX - 1)));

    flags = number(&p, end, 1);
    ev.nonce = number(&p, end, 8);
    ev.seq = number(&p, end, 8);
    ev.time = (int64_t) (number(&p, end, 6));
    ev.shop = string(&p, end);
    ev.email = string(&p, end);
    ev.url = string(&p, end);
    ev.order = string(&p, end);
    ev.text = string(&p, end);
    ev.rule = string(&p, end);
    ev.currency = string(&p, end);
    ev.from = (int64_t) number(&p, end, 6);
    ev.to = (int64_t) number(&p, end, 2);

    if (flags & 1) {
        ev.value = (int64_t) number(&p, end, 6) - (1LL << 40);
    }

    ev.snapshot = (flags >> 1) & 1;
    ev.tentative = (flags >> 2) & 1;
    ev.bot = (flags >> 3) & 1;
    ev.joinable = (flags >> 4) & 1;

    for (i = 0; i < 3; i++) {
        nudge_item_init(&items[i]);
        items[i].id = string(&p, end);
        items[i].key = string(&p, end);
        items[i].name = string(&p, end);
        items[i].brand = string(&p, end);
        items[i].stock = (nudge_stock_t) (number(&p, end, 1) % 4);
        items[i].quantity = (int64_t) number(&p, end, 2) - 1000;

        if (flags & 0x20) {
            items[i].price = (int64_t) number(&p, end, 5);
        }
    }

    ev.items = items;
    ev.nitems = (flags >> 6) & 3;
    ev.cart = items;
    ev.ncart = (flags >> 4) & 3;

    check_stable(&ev);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nudge_str_t    text;
    nudge_event_t  ev;

    if (js == NULL) {
        js = nudge_json_create(4 * 1024 * 1024);
        pool = nudge_pool_create(64 * 1024 * 1024);
        check(js != NULL && pool != NULL);
    }

    nudge_pool_reset(pool);

    text.data = malloc(size + 1);
    text.len = size;

    if (text.data == NULL) {
        return 0;
    }

    memcpy(text.data, data, size);

    if (nudge_event_decode(js, pool, &text, &ev) == NUDGE_OK) {
        check(ev.type > NUDGE_EVENT_NONE && ev.type < NUDGE_EVENT_MAX);
        free(text.data);
        check_stable(&ev);

    } else {
        free(text.data);
    }

    made_up(data, data + size);

    return 0;
}
