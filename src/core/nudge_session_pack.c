
/*
 * The compact form: a session as it lies in shared memory.  A format byte,
 * a mask of what follows, then variable-length integers (seven bits a byte,
 * low first) and length-prefixed strings; a session of a few lines packs and
 * unpacks well below a microsecond.  Unpacking trusts nothing: every length
 * and count is checked against the bytes there are, order and bounds against
 * what the join relies on, and strings are left where they are.
 */


#include "nudge_session_private.h"


#define NUDGE_PACK_FORMAT      1

#define NUDGE_PACK_SUBSCRIBED  0x01
#define NUDGE_PACK_ORDER       0x02
#define NUDGE_PACK_ATTEMPT     0x04
#define NUDGE_PACK_RESOLVED    0x08
#define NUDGE_PACK_FORGOTTEN   0x10
#define NUDGE_PACK_SNAP        0x20

#define NUDGE_PACK_PARENT      0x01
#define NUDGE_PACK_KEY         0x02
#define NUDGE_PACK_NAME        0x04
#define NUDGE_PACK_URL         0x08
#define NUDGE_PACK_IMAGE       0x10
#define NUDGE_PACK_CURRENCY    0x20
#define NUDGE_PACK_PRICE       0x40


typedef struct {
    u_char          *pos;
    u_char          *end;
    nudge_uint_t     bad;
} nudge_unpack_t;


static void nudge_pack_number(nudge_buf_t *b, uint64_t n);
static void nudge_pack_signed(nudge_buf_t *b, int64_t n);
static void nudge_pack_word(nudge_buf_t *b, uint64_t n);
static void nudge_pack_text(nudge_buf_t *b, const nudge_str_t *s);
static void nudge_pack_stamp(nudge_buf_t *b, const nudge_stamp_t *stamp);
static void nudge_pack_attempt(nudge_buf_t *b, const nudge_attempt_t *a);
static void nudge_pack_item(nudge_buf_t *b, const nudge_item_t *item);
static uint64_t nudge_unpack_number(nudge_unpack_t *u, uint64_t max);
static int64_t nudge_unpack_signed(nudge_unpack_t *u, int64_t max);
static uint64_t nudge_unpack_word(nudge_unpack_t *u);
static void nudge_unpack_text(nudge_unpack_t *u, nudge_str_t *s, size_t max);
static void nudge_unpack_stamp(nudge_unpack_t *u, nudge_stamp_t *stamp);
static void nudge_unpack_attempt(nudge_unpack_t *u, nudge_attempt_t *a);
static void nudge_unpack_item(nudge_unpack_t *u, nudge_item_t *item);
static void *nudge_unpack_array(nudge_unpack_t *u, nudge_pool_t *pool,
    nudge_uint_t *n, nudge_uint_t max, size_t size);
static void nudge_unpack_numbers(nudge_unpack_t *u, nudge_session_t *s);
static void nudge_unpack_cart(nudge_unpack_t *u, nudge_session_t *s,
    nudge_pool_t *pool);
static void nudge_unpack_history(nudge_unpack_t *u, nudge_session_t *s,
    nudge_pool_t *pool);


static void
nudge_pack_number(nudge_buf_t *b, uint64_t n)
{
    u_char  *p, buf[10];

    p = buf;

    while (n > 0x7f) {
        *p++ = (u_char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (u_char) n;

    nudge_buf_put(b, buf, p - buf);
}


/* small magnitudes of either sign stay short */

static void
nudge_pack_signed(nudge_buf_t *b, int64_t n)
{
    nudge_pack_number(b, ((uint64_t) n << 1) ^ (n < 0 ? UINT64_MAX : 0));
}


static void
nudge_pack_word(nudge_buf_t *b, uint64_t n)
{
    int     i;
    u_char  buf[8];

    for (i = 0; i < 8; i++) {
        buf[i] = (u_char) (n >> (8 * i));
    }

    nudge_buf_put(b, buf, 8);
}


static void
nudge_pack_text(nudge_buf_t *b, const nudge_str_t *s)
{
    nudge_pack_number(b, s->len);
    nudge_buf_put(b, s->data, s->len);
}


static void
nudge_pack_stamp(nudge_buf_t *b, const nudge_stamp_t *stamp)
{
    nudge_pack_number(b, stamp->time);
    nudge_pack_word(b, stamp->nonce);
    nudge_pack_number(b, stamp->seq);
}


static void
nudge_pack_attempt(nudge_buf_t *b, const nudge_attempt_t *a)
{
    nudge_pack_number(b, a->time);
    nudge_pack_word(b, a->id);
}


static void
nudge_pack_item(nudge_buf_t *b, const nudge_item_t *item)
{
    u_char  mask;

    mask = (item->parent.len ? NUDGE_PACK_PARENT : 0)
           | (item->key.len ? NUDGE_PACK_KEY : 0)
           | (item->name.len ? NUDGE_PACK_NAME : 0)
           | (item->url.len ? NUDGE_PACK_URL : 0)
           | (item->image.len ? NUDGE_PACK_IMAGE : 0)
           | (item->currency.len ? NUDGE_PACK_CURRENCY : 0)
           | (item->price != NUDGE_MONEY_NONE ? NUDGE_PACK_PRICE : 0);

    nudge_buf_char(b, mask);
    nudge_pack_signed(b, item->quantity);
    nudge_pack_text(b, &item->id);

    if (mask & NUDGE_PACK_PARENT) {
        nudge_pack_text(b, &item->parent);
    }

    if (mask & NUDGE_PACK_KEY) {
        nudge_pack_text(b, &item->key);
    }

    if (mask & NUDGE_PACK_NAME) {
        nudge_pack_text(b, &item->name);
    }

    if (mask & NUDGE_PACK_URL) {
        nudge_pack_text(b, &item->url);
    }

    if (mask & NUDGE_PACK_IMAGE) {
        nudge_pack_text(b, &item->image);
    }

    if (mask & NUDGE_PACK_CURRENCY) {
        nudge_pack_text(b, &item->currency);
    }

    if (mask & NUDGE_PACK_PRICE) {
        nudge_pack_signed(b, item->price);
    }
}


void
nudge_session_pack(nudge_buf_t *b, const nudge_session_t *s)
{
    u_char        mask;
    nudge_uint_t  i;

    mask = (s->subscribed ? NUDGE_PACK_SUBSCRIBED : 0)
           | (s->ordered || s->order ? NUDGE_PACK_ORDER : 0)
           | (s->attempt.time || s->attempt.id ? NUDGE_PACK_ATTEMPT : 0)
           | (s->resolved.time || s->resolved.id ? NUDGE_PACK_RESOLVED : 0)
           | (nudge_stamp_zero(&s->forgotten) ? 0 : NUDGE_PACK_FORGOTTEN)
           | (nudge_stamp_zero(&s->snap) ? 0 : NUDGE_PACK_SNAP);

    nudge_buf_char(b, NUDGE_PACK_FORMAT);
    nudge_buf_char(b, mask);

    nudge_pack_number(b, s->version);
    nudge_pack_number(b, s->created);
    nudge_pack_number(b, s->active);
    nudge_pack_number(b, s->pages);
    nudge_pack_number(b, s->visits);
    nudge_pack_number(b, s->checkout);
    nudge_pack_number(b, s->cart_changed);

    if (mask & NUDGE_PACK_ORDER) {
        nudge_pack_number(b, s->ordered);
        nudge_pack_word(b, s->order);
    }

    if (mask & NUDGE_PACK_ATTEMPT) {
        nudge_pack_attempt(b, &s->attempt);
    }

    if (mask & NUDGE_PACK_RESOLVED) {
        nudge_pack_attempt(b, &s->resolved);
    }

    if (mask & NUDGE_PACK_FORGOTTEN) {
        nudge_pack_stamp(b, &s->forgotten);
    }

    if (mask & NUDGE_PACK_SNAP) {
        nudge_pack_stamp(b, &s->snap);
        nudge_pack_number(b, s->nlines);

        for (i = 0; i < s->nlines; i++) {
            nudge_pack_item(b, &s->lines[i]);
        }
    }

    nudge_pack_number(b, s->ndeltas);

    for (i = 0; i < s->ndeltas; i++) {
        nudge_pack_stamp(b, &s->deltas[i].stamp);
        nudge_buf_char(b, s->deltas[i].kind);
        nudge_pack_item(b, &s->deltas[i].item);
    }

    nudge_pack_number(b, s->nviewed);

    for (i = 0; i < s->nviewed; i++) {
        nudge_pack_stamp(b, &s->viewed[i].stamp);
        nudge_pack_text(b, &s->viewed[i].id);
    }

    nudge_pack_number(b, s->nseen);

    for (i = 0; i < s->nseen; i++) {
        nudge_pack_text(b, &s->seen[i].offer);
        nudge_pack_number(b, s->seen[i].first);
        nudge_pack_number(b, s->seen[i].last);
        nudge_pack_number(b, ((uint64_t) s->seen[i].count << 1)
                             | s->seen[i].done);
    }
}


/* after the first misfit everything reads as zero; the end asks once */

static uint64_t
nudge_unpack_number(nudge_unpack_t *u, uint64_t max)
{
    u_char        c;
    uint64_t      n;
    nudge_uint_t  shift;

    n = 0;

    for (shift = 0; shift < 64; shift += 7) {

        if (u->pos == u->end) {
            break;
        }

        c = *u->pos++;

        if (shift == 63 && c > 1) {
            break;
        }

        n |= (uint64_t) (c & 0x7f) << shift;

        if (c < 0x80) {
            if (n > max) {
                break;
            }

            return n;
        }
    }

    u->bad = 1;
    u->pos = u->end;

    return 0;
}


static int64_t
nudge_unpack_signed(nudge_unpack_t *u, int64_t max)
{
    int64_t   value;
    uint64_t  n;

    n = nudge_unpack_number(u, 2 * (uint64_t) max);
    value = (int64_t) (n >> 1);

    return (n & 1) ? -value - 1 : value;
}


static uint64_t
nudge_unpack_word(nudge_unpack_t *u)
{
    int       i;
    uint64_t  n;

    if (u->end - u->pos < 8) {
        u->bad = 1;
        u->pos = u->end;
        return 0;
    }

    n = 0;

    for (i = 7; i >= 0; i--) {
        n = n << 8 | u->pos[i];
    }

    u->pos += 8;

    return n;
}


static void
nudge_unpack_text(nudge_unpack_t *u, nudge_str_t *s, size_t max)
{
    size_t  len;

    len = nudge_unpack_number(u, max);

    if (len > (size_t) (u->end - u->pos)) {
        u->bad = 1;
        u->pos = u->end;
        len = 0;
    }

    s->len = len;
    s->data = len ? u->pos : NULL;
    u->pos += len;
}


static void
nudge_unpack_stamp(nudge_unpack_t *u, nudge_stamp_t *stamp)
{
    stamp->time = nudge_unpack_number(u, NUDGE_SESSION_TIME);
    stamp->nonce = nudge_unpack_word(u);
    stamp->seq = nudge_unpack_number(u, UINT64_MAX);
}


static void
nudge_unpack_attempt(nudge_unpack_t *u, nudge_attempt_t *a)
{
    a->time = nudge_unpack_number(u, NUDGE_SESSION_TIME);
    a->id = nudge_unpack_word(u);
}


static void
nudge_unpack_item(nudge_unpack_t *u, nudge_item_t *item)
{
    u_char  mask;

    memset(item, 0, sizeof(nudge_item_t));

    mask = (u_char) nudge_unpack_number(u, 0x7f);

    item->price = NUDGE_MONEY_NONE;
    item->quantity = nudge_unpack_signed(u, NUDGE_SESSION_QUANTITY);
    nudge_unpack_text(u, &item->id, NUDGE_SESSION_ID);

    if (mask & NUDGE_PACK_PARENT) {
        nudge_unpack_text(u, &item->parent, NUDGE_SESSION_ID);
    }

    if (mask & NUDGE_PACK_KEY) {
        nudge_unpack_text(u, &item->key, NUDGE_SESSION_ID);
    }

    if (mask & NUDGE_PACK_NAME) {
        nudge_unpack_text(u, &item->name, NUDGE_SESSION_URL);
    }

    if (mask & NUDGE_PACK_URL) {
        nudge_unpack_text(u, &item->url, NUDGE_SESSION_URL);
    }

    if (mask & NUDGE_PACK_IMAGE) {
        nudge_unpack_text(u, &item->image, NUDGE_SESSION_URL);
    }

    if (mask & NUDGE_PACK_CURRENCY) {
        nudge_unpack_text(u, &item->currency, 8);
    }

    if (mask & NUDGE_PACK_PRICE) {
        item->price = nudge_unpack_signed(u, NUDGE_SESSION_PRICE);
    }
}


static void *
nudge_unpack_array(nudge_unpack_t *u, nudge_pool_t *pool, nudge_uint_t *n,
    nudge_uint_t max, size_t size)
{
    void  *p;

    *n = nudge_unpack_number(u, max);

    if (*n == 0) {
        return NULL;
    }

    p = nudge_palloc(pool, *n * size);

    if (p == NULL) {
        u->bad = 1;
        *n = 0;
    }

    return p;
}


static void
nudge_unpack_numbers(nudge_unpack_t *u, nudge_session_t *s)
{
    u_char  mask;

    mask = (u_char) nudge_unpack_number(u, 0x3f);

    s->subscribed = (mask & NUDGE_PACK_SUBSCRIBED) ? 1 : 0;
    s->version = nudge_unpack_number(u, UINT32_MAX);
    s->created = nudge_unpack_number(u, NUDGE_SESSION_TIME);
    s->active = nudge_unpack_number(u, NUDGE_SESSION_TIME);
    s->pages = nudge_unpack_number(u, UINT32_MAX);
    s->visits = nudge_unpack_number(u, UINT32_MAX);
    s->checkout = nudge_unpack_number(u, NUDGE_SESSION_TIME);
    s->cart_changed = nudge_unpack_number(u, NUDGE_SESSION_TIME);

    if (mask & NUDGE_PACK_ORDER) {
        s->ordered = nudge_unpack_number(u, NUDGE_SESSION_TIME);
        s->order = nudge_unpack_word(u);
    }

    if (mask & NUDGE_PACK_ATTEMPT) {
        nudge_unpack_attempt(u, &s->attempt);
    }

    if (mask & NUDGE_PACK_RESOLVED) {
        nudge_unpack_attempt(u, &s->resolved);
    }

    if (mask & NUDGE_PACK_FORGOTTEN) {
        nudge_unpack_stamp(u, &s->forgotten);
    }

    if (mask & NUDGE_PACK_SNAP) {
        nudge_unpack_stamp(u, &s->snap);
        s->nlines = NUDGE_SESSION_LINES;
    }
}


static void
nudge_unpack_cart(nudge_unpack_t *u, nudge_session_t *s, nudge_pool_t *pool)
{
    nudge_uint_t    i;
    nudge_item_t   *line;
    nudge_delta_t  *delta;

    if (s->nlines) {
        s->lines = nudge_unpack_array(u, pool, &s->nlines,
                                      NUDGE_SESSION_LINES,
                                      sizeof(nudge_item_t));
    }

    for (i = 0; i < s->nlines; i++) {
        line = &s->lines[i];
        nudge_unpack_item(u, line);

        if (line->quantity <= 0 || line->id.len + line->key.len == 0) {
            u->bad = 1;
        }
    }

    s->deltas = nudge_unpack_array(u, pool, &s->ndeltas, NUDGE_SESSION_DELTAS,
                                   sizeof(nudge_delta_t));

    for (i = 0; i < s->ndeltas; i++) {
        delta = &s->deltas[i];
        nudge_unpack_stamp(u, &delta->stamp);
        delta->kind = nudge_unpack_number(u, NUDGE_DELTA_CLEAR);
        nudge_unpack_item(u, &delta->item);

        if (nudge_stamp_cmp(&delta->stamp, &s->snap) <= 0
            || (i > 0 && nudge_delta_cmp(delta - 1, delta) >= 0))
        {
            u->bad = 1;
        }
    }
}


static void
nudge_unpack_history(nudge_unpack_t *u, nudge_session_t *s,
    nudge_pool_t *pool)
{
    uint64_t         n;
    nudge_uint_t     i;
    nudge_seen_t    *seen;
    nudge_viewed_t  *viewed;

    s->viewed = nudge_unpack_array(u, pool, &s->nviewed, NUDGE_SESSION_VIEWED,
                                   sizeof(nudge_viewed_t));

    for (i = 0; i < s->nviewed; i++) {
        viewed = &s->viewed[i];
        nudge_unpack_stamp(u, &viewed->stamp);
        nudge_unpack_text(u, &viewed->id, NUDGE_SESSION_ID);

        if (nudge_stamp_cmp(&viewed->stamp, &s->forgotten) <= 0
            || (i > 0 && nudge_viewed_cmp(viewed - 1, viewed) >= 0))
        {
            u->bad = 1;
        }
    }

    s->seen = nudge_unpack_array(u, pool, &s->nseen, NUDGE_SESSION_SEEN,
                                 sizeof(nudge_seen_t));

    for (i = 0; i < s->nseen; i++) {
        seen = &s->seen[i];
        nudge_unpack_text(u, &seen->offer, NUDGE_SESSION_ID);
        seen->first = nudge_unpack_number(u, NUDGE_SESSION_TIME);
        seen->last = nudge_unpack_number(u, NUDGE_SESSION_TIME);
        n = nudge_unpack_number(u, 2 * (uint64_t) UINT32_MAX + 1);
        seen->count = (uint32_t) (n >> 1);
        seen->done = n & 1;

        if (i > 0 && nudge_seen_cmp(seen - 1, seen) >= 0) {
            u->bad = 1;
        }
    }
}


nudge_int_t
nudge_session_unpack(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_str_t *data)
{
    nudge_unpack_t  u;

    memset(s, 0, sizeof(nudge_session_t));

    if (data->len == 0) {
        return NUDGE_ERROR;
    }

    u.pos = data->data;
    u.end = data->data + data->len;
    u.bad = 0;

    if (nudge_unpack_number(&u, 0x7f) != NUDGE_PACK_FORMAT) {
        return NUDGE_ERROR;
    }

    nudge_unpack_numbers(&u, s);
    nudge_unpack_cart(&u, s, pool);
    nudge_unpack_history(&u, s, pool);

    if (u.bad || u.pos != u.end) {
        memset(s, 0, sizeof(nudge_session_t));
        return NUDGE_ERROR;
    }

    nudge_session_settle(s);

    return NUDGE_OK;
}
