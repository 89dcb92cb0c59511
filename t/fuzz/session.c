
/*
 * The session, from three sides: hostile bytes where the hot copy should be,
 * a hostile document from memcached, and hostile events.  Whatever comes of
 * it can be joined lawfully, and fits both encodings, which give it back.
 */


#include <stdlib.h>

#include "nudge_session.h"


#define HOSTS  3
#define SIZE   (2 * NUDGE_SESSION_MAX)


typedef struct {
    const uint8_t   *pos;
    const uint8_t   *end;
} input_t;


static nudge_pool_t  *pool;
static nudge_json_t  *js;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static unsigned
byte(input_t *in)
{
    return in->pos < in->end ? *in->pos++ : 0;
}


/* a few known words, so that lines meet, or bytes of the input */

static nudge_str_t
word(input_t *in)
{
    unsigned      n;
    nudge_str_t   s;

    static const char  *words[] = { "", "1", "2", "3", "19", "key", "EUR" };

    n = byte(in);

    if (n < 160) {
        return nudge_cstr(words[n % 7]);
    }

    n = (n - 160) * 4;
    s.data = (u_char *) in->pos;
    s.len = n < (size_t) (in->end - in->pos) ? n : (in->end - in->pos);
    in->pos += s.len;

    return s;
}


static nudge_str_t
form(const nudge_session_t *s, int compact)
{
    nudge_buf_t  b;
    nudge_str_t  copy;

    check(nudge_buf_grow(&b, pool, 1024, SIZE) == NUDGE_OK);

    if (compact) {
        nudge_session_pack(&b, s);

    } else {
        nudge_session_encode(&b, s);
    }

    check(!b.full);
    copy = nudge_buf_result(&b);

    return copy;
}


static int
same(const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_str_t  x, y;

    x = form(a, 1);
    y = form(b, 1);

    return nudge_str_eq(&x, &y) && a->attempted == b->attempted;
}


static nudge_session_t
join(const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_session_t  s;

    s = *a;
    check(nudge_session_merge(&s, pool, b) == NUDGE_OK);

    return s;
}


/* what every session made of events or of a document is like */

static void
lawful(const nudge_session_t *s)
{
    nudge_str_t      text;
    nudge_cart_t     cart;
    nudge_uint_t     i;
    nudge_session_t  t;

    check(s->nlines <= NUDGE_SESSION_LINES);
    check(s->ndeltas <= NUDGE_SESSION_DELTAS);
    check(s->nviewed <= NUDGE_SESSION_VIEWED);
    check(s->nseen <= NUDGE_SESSION_SEEN);

    t = join(s, s);
    check(same(s, &t));

    text = form(s, 1);
    check(text.len <= NUDGE_SESSION_MAX);
    check(nudge_session_unpack(&t, pool, &text) == NUDGE_OK);
    check(same(s, &t));

    text = form(s, 0);
    check(text.len <= NUDGE_SESSION_MAX);
    check(nudge_session_decode(js, &t, pool, &text) == NUDGE_OK);
    check(same(s, &t));

    check(nudge_session_cart(s, pool, &cart) == NUDGE_OK);
    check(cart.n <= NUDGE_SESSION_LINES);

    for (i = 0; i < cart.n; i++) {
        check(cart.lines[i].quantity > 0);
    }
}


static void
fuzz_packed(const nudge_str_t *bytes)
{
    nudge_str_t      text;
    nudge_cart_t     cart;
    nudge_session_t  s, t;

    if (nudge_session_unpack(&s, pool, bytes) != NUDGE_OK) {
        return;
    }

    text = form(&s, 1);
    check(nudge_session_unpack(&t, pool, &text) == NUDGE_OK);
    check(same(&s, &t));

    (void) form(&s, 0);
    check(nudge_session_cart(&s, pool, &cart) == NUDGE_OK);

    t = join(&s, &s);
    s = join(&t, &t);
    check(same(&s, &t));
}


static void
fuzz_document(const nudge_str_t *bytes)
{
    nudge_session_t  s;

    if (nudge_session_decode(js, &s, pool, bytes) == NUDGE_OK) {
        lawful(&s);
    }
}


static void
random_event(input_t *in, nudge_event_t *ev, nudge_item_t items[8],
    int64_t *now, uint64_t *seq)
{
    unsigned      n;
    nudge_uint_t  i;

    memset(ev, 0, sizeof(nudge_event_t));
    memset(items, 0, 8 * sizeof(nudge_item_t));

    n = byte(in);
    *now += n & 3;

    ev->type = byte(in) % NUDGE_EVENT_MAX;
    ev->time = *now;
    ev->seq = ++*seq;
    ev->tentative = (n & 4) ? 1 : 0;
    ev->snapshot = (n & 8) ? 1 : 0;
    ev->items = items;
    ev->nitems = n >> 5;

    if (n & 16) {
        ev->order = word(in);
        ev->attempt = word(in);
        ev->offer = word(in);
        ev->from = *now - byte(in);
    }

    for (i = 0; i < ev->nitems; i++) {
        n = byte(in);
        items[i].id = word(in);
        items[i].quantity = (int) (n & 7) - 1;
        items[i].price = (n & 8) ? NUDGE_MONEY_NONE : (int64_t) n << (n & 32);

        if (n & 16) {
            items[i].key = word(in);
            items[i].currency = word(in);
        }

        if (n & 64) {
            items[i].parent = word(in);
            items[i].name = word(in);
            items[i].url = word(in);
            items[i].image = word(in);
        }

        if (n == 255) {
            items[i].quantity = INT64_MIN;
            items[i].price = INT64_MAX;
        }
    }

    if (ev->snapshot) {
        ev->cart = items;
        ev->ncart = ev->nitems;
    }
}


static void
fuzz_events(input_t *in)
{
    int64_t          now;
    uint64_t         seq;
    unsigned         n;
    nudge_uint_t     i;
    nudge_item_t     items[8];
    nudge_event_t    ev;
    nudge_session_t  host[HOSTS], x, y;

    now = byte(in);
    seq = 0;

    for (i = 0; i < HOSTS; i++) {
        memset(&host[i], 0, sizeof(nudge_session_t));
    }

    while (in->pos < in->end) {
        n = byte(in);
        i = n % HOSTS;

        if (n >= 224) {
            host[i] = join(&host[i], &host[(i + 1) % HOSTS]);
            continue;
        }

        if (n == 223) {
            nudge_session_forget(&host[i]);
            continue;
        }

        if (n == 222) {
            nudge_session_touch(&host[i], now, 3);
            continue;
        }

        random_event(in, &ev, items, &now, &seq);
        ev.nonce = i;
        ev.time -= (i == 2) ? 5 : 0;
        check(nudge_session_apply(&host[i], pool, &ev) == NUDGE_OK);
    }

    for (i = 0; i < HOSTS; i++) {
        lawful(&host[i]);
    }

    x = join(&host[0], &host[1]);
    y = join(&host[1], &host[0]);
    check(same(&x, &y));

    x = join(&x, &host[2]);
    y = join(&host[1], &host[2]);
    y = join(&host[0], &y);
    check(same(&x, &y));

    lawful(&x);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input_t      in;
    nudge_str_t  bytes;

    if (pool == NULL) {
        pool = nudge_pool_create(256 * 1024 * 1024);
        js = nudge_json_create(16 * 1024 * 1024);
        check(pool != NULL && js != NULL);
    }

    if (size == 0 || size > 16384) {
        return 0;
    }

    bytes.data = (u_char *) data + 1;
    bytes.len = size - 1;
    in.pos = data + 1;
    in.end = data + size;

    switch (data[0] % 4) {

    case 0:
        fuzz_packed(&bytes);
        break;

    case 1:
        fuzz_document(&bytes);
        break;

    default:
        fuzz_events(&in);
    }

    nudge_pool_reset(pool);

    return 0;
}
