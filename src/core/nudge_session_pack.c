
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

/* a delta with all its strings takes less */
#define NUDGE_PACK_RECORD      1280

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


static u_char *nudge_pack_number(u_char *p, uint64_t n);
static u_char *nudge_pack_signed(u_char *p, int64_t n);
static u_char *nudge_pack_word(u_char *p, uint64_t n);
static u_char *nudge_pack_text(u_char *p, const nudge_str_t *s);
static u_char *nudge_pack_stamp(u_char *p, const nudge_stamp_t *stamp);
static u_char *nudge_pack_attempt(u_char *p, const nudge_attempt_t *a);
static u_char *nudge_pack_item(u_char *p, const nudge_item_t *item);
static void nudge_pack_items(nudge_buf_t *b, const nudge_item_t *items,
    nudge_uint_t n);
static void nudge_pack_deltas(nudge_buf_t *b, const nudge_session_t *s);
static nudge_uint_t nudge_pack_fits(const nudge_item_t *item);
static void nudge_pack_history(nudge_buf_t *b, const nudge_session_t *s);
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


/* room for it was made: ten bytes at most */

static u_char *
nudge_pack_number(u_char *p, uint64_t n)
{
    while (n > 0x7f) {
        *p++ = (u_char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (u_char) n;

    return p;
}


/* small magnitudes of either sign stay short */

static u_char *
nudge_pack_signed(u_char *p, int64_t n)
{
    return nudge_pack_number(p, ((uint64_t) n << 1)
                                ^ (n < 0 ? UINT64_MAX : 0));
}


static u_char *
nudge_pack_word(u_char *p, uint64_t n)
{
    int  i;

    for (i = 0; i < 8; i++) {
        *p++ = (u_char) (n >> (8 * i));
    }

    return p;
}


static u_char *
nudge_pack_text(u_char *p, const nudge_str_t *s)
{
    p = nudge_pack_number(p, s->len);

    if (s->len == 0) {
        return p;
    }

    memcpy(p, s->data, s->len);

    return p + s->len;
}


static u_char *
nudge_pack_stamp(u_char *p, const nudge_stamp_t *stamp)
{
    p = nudge_pack_number(p, stamp->time);
    p = nudge_pack_word(p, stamp->nonce);

    return nudge_pack_number(p, stamp->seq);
}


static u_char *
nudge_pack_attempt(u_char *p, const nudge_attempt_t *a)
{
    p = nudge_pack_number(p, a->time);

    return nudge_pack_word(p, a->id);
}


static u_char *
nudge_pack_item(u_char *p, const nudge_item_t *item)
{
    u_char  mask;

    mask = (item->parent.len ? NUDGE_PACK_PARENT : 0)
           | (item->key.len ? NUDGE_PACK_KEY : 0)
           | (item->name.len ? NUDGE_PACK_NAME : 0)
           | (item->url.len ? NUDGE_PACK_URL : 0)
           | (item->image.len ? NUDGE_PACK_IMAGE : 0)
           | (item->currency.len ? NUDGE_PACK_CURRENCY : 0)
           | (item->price != NUDGE_MONEY_NONE ? NUDGE_PACK_PRICE : 0);

    *p++ = mask;
    p = nudge_pack_signed(p, item->quantity);
    p = nudge_pack_text(p, &item->id);

    if (mask & NUDGE_PACK_PARENT) {
        p = nudge_pack_text(p, &item->parent);
    }

    if (mask & NUDGE_PACK_KEY) {
        p = nudge_pack_text(p, &item->key);
    }

    if (mask & NUDGE_PACK_NAME) {
        p = nudge_pack_text(p, &item->name);
    }

    if (mask & NUDGE_PACK_URL) {
        p = nudge_pack_text(p, &item->url);
    }

    if (mask & NUDGE_PACK_IMAGE) {
        p = nudge_pack_text(p, &item->image);
    }

    if (mask & NUDGE_PACK_CURRENCY) {
        p = nudge_pack_text(p, &item->currency);
    }

    if (mask & NUDGE_PACK_PRICE) {
        p = nudge_pack_signed(p, item->price);
    }

    return p;
}


/* a buffer write for each number would cost more than the packing */

static void
nudge_pack_items(nudge_buf_t *b, const nudge_item_t *items, nudge_uint_t n)
{
    u_char        buf[NUDGE_PACK_RECORD], *p;
    nudge_uint_t  i;

    for (i = 0; i < n && !b->full; i++) {

        if (!nudge_pack_fits(&items[i])) {
            b->full = 1;
            return;
        }

        p = nudge_pack_item(buf, &items[i]);
        nudge_buf_put(b, buf, p - buf);
    }
}


static void
nudge_pack_deltas(nudge_buf_t *b, const nudge_session_t *s)
{
    u_char                buf[NUDGE_PACK_RECORD], *p;
    nudge_uint_t          i;
    const nudge_delta_t  *delta;

    p = nudge_pack_number(buf, s->ndeltas);
    nudge_buf_put(b, buf, p - buf);

    for (i = 0; i < s->ndeltas && !b->full; i++) {
        delta = &s->deltas[i];

        if (!nudge_pack_fits(&delta->item)) {
            b->full = 1;
            return;
        }

        p = nudge_pack_stamp(buf, &delta->stamp);
        *p++ = (u_char) delta->kind;
        p = nudge_pack_item(p, &delta->item);
        nudge_buf_put(b, buf, p - buf);
    }
}


/* what the session's own files make always does */

static nudge_uint_t
nudge_pack_fits(const nudge_item_t *item)
{
    return item->id.len <= NUDGE_SESSION_ID
           && item->parent.len <= NUDGE_SESSION_ID
           && item->key.len <= NUDGE_SESSION_ID
           && item->name.len <= NUDGE_SESSION_URL
           && item->url.len <= NUDGE_SESSION_URL
           && item->image.len <= NUDGE_SESSION_URL
           && item->currency.len <= 8;
}


static void
nudge_pack_history(nudge_buf_t *b, const nudge_session_t *s)
{
    u_char        buf[NUDGE_PACK_RECORD], *p;
    nudge_uint_t  i;

    p = nudge_pack_number(buf, s->nviewed);

    for (i = 0; i < s->nviewed; i++) {

        if (s->viewed[i].id.len > NUDGE_SESSION_ID) {
            b->full = 1;
            return;
        }

        p = nudge_pack_stamp(p, &s->viewed[i].stamp);
        p = nudge_pack_text(p, &s->viewed[i].id);
        nudge_buf_put(b, buf, p - buf);
        p = buf;
    }

    p = nudge_pack_number(p, s->nseen);

    for (i = 0; i < s->nseen; i++) {

        if (s->seen[i].offer.len > NUDGE_SESSION_ID) {
            b->full = 1;
            return;
        }

        p = nudge_pack_text(p, &s->seen[i].offer);
        p = nudge_pack_number(p, s->seen[i].first);
        p = nudge_pack_number(p, s->seen[i].last);
        p = nudge_pack_number(p, ((uint64_t) s->seen[i].count << 1)
                                 | s->seen[i].done);
        nudge_buf_put(b, buf, p - buf);
        p = buf;
    }

    nudge_buf_put(b, buf, p - buf);
}


void
nudge_session_pack(nudge_buf_t *b, const nudge_session_t *s)
{
    u_char  mask, buf[NUDGE_PACK_RECORD], *p;

    mask = (s->subscribed ? NUDGE_PACK_SUBSCRIBED : 0)
           | (s->ordered || s->order ? NUDGE_PACK_ORDER : 0)
           | (s->attempt.time || s->attempt.id ? NUDGE_PACK_ATTEMPT : 0)
           | (s->resolved.time || s->resolved.id ? NUDGE_PACK_RESOLVED : 0)
           | (nudge_stamp_zero(&s->forgotten) ? 0 : NUDGE_PACK_FORGOTTEN)
           | (nudge_stamp_zero(&s->snap) ? 0 : NUDGE_PACK_SNAP);

    p = buf;
    *p++ = NUDGE_PACK_FORMAT;
    *p++ = mask;

    p = nudge_pack_number(p, s->version);
    p = nudge_pack_number(p, s->created);
    p = nudge_pack_number(p, s->active);
    p = nudge_pack_number(p, s->pages);
    p = nudge_pack_number(p, s->visits);
    p = nudge_pack_number(p, s->checkout);
    p = nudge_pack_number(p, s->cart_changed);

    if (mask & NUDGE_PACK_ORDER) {
        p = nudge_pack_number(p, s->ordered);
        p = nudge_pack_word(p, s->order);
    }

    if (mask & NUDGE_PACK_ATTEMPT) {
        p = nudge_pack_attempt(p, &s->attempt);
    }

    if (mask & NUDGE_PACK_RESOLVED) {
        p = nudge_pack_attempt(p, &s->resolved);
    }

    if (mask & NUDGE_PACK_FORGOTTEN) {
        p = nudge_pack_stamp(p, &s->forgotten);
    }

    if (mask & NUDGE_PACK_SNAP) {
        p = nudge_pack_stamp(p, &s->snap);
        p = nudge_pack_number(p, s->nlines);
    }

    nudge_buf_put(b, buf, p - buf);

    if (mask & NUDGE_PACK_SNAP) {
        nudge_pack_items(b, s->lines, s->nlines);
    }

    nudge_pack_deltas(b, s);
    nudge_pack_history(b, s);
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

        if (viewed->id.len == 0
            || nudge_stamp_cmp(&viewed->stamp, &s->forgotten) <= 0
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

        if (seen->offer.len == 0
            || (i > 0 && nudge_seen_cmp(seen - 1, seen) >= 0))
        {
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
