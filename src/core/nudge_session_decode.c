
/*
 * The session document of memcached, read (nudge_session_encode.c tells what
 * it looks like).  Other hosts wrote it, or an earlier version, or anybody
 * who can reach memcached: members not known are ignored, what is malformed
 * is dropped, and the rest is brought into the order and the bounds the join
 * relies on.
 */


#include "nudge_session_private.h"


#define NUDGE_CODEC_ELEMENTS  256       /* of one array are looked at */


static nudge_int_t nudge_codec_hex(const nudge_str_t *s, uint64_t *n);
static nudge_int_t nudge_codec_read_stamp(const nudge_value_t *v,
    const char *name, nudge_stamp_t *stamp);
static int64_t nudge_codec_read_time(const nudge_value_t *v,
    const char *name);
static uint32_t nudge_codec_read_u32(const nudge_value_t *v,
    const char *name);
static uint64_t nudge_codec_read_hash(const nudge_value_t *v,
    const char *name);
static void nudge_codec_read_numbers(const nudge_value_t *v,
    nudge_session_t *s);
static nudge_int_t nudge_codec_read_lines(const nudge_value_t *doc,
    nudge_session_t *s, nudge_pool_t *pool);
static nudge_int_t nudge_codec_read_deltas(const nudge_value_t *v,
    nudge_session_t *s, nudge_pool_t *pool);
static nudge_int_t nudge_codec_read_viewed(const nudge_value_t *v,
    nudge_session_t *s, nudge_pool_t *pool);
static nudge_int_t nudge_codec_read_seen(const nudge_value_t *v,
    nudge_session_t *s, nudge_pool_t *pool);


static nudge_int_t
nudge_codec_hex(const nudge_str_t *s, uint64_t *n)
{
    u_char  c;
    size_t  i;

    *n = 0;

    if (s->len == 0 || s->len > 16) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c >= '0' && c <= '9') {
            *n = *n << 4 | (c - '0');

        } else if (c >= 'a' && c <= 'f') {
            *n = *n << 4 | (c - 'a' + 10);

        } else {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_codec_read_stamp(const nudge_value_t *v, const char *name,
    nudge_stamp_t *stamp)
{
    u_char       *p, *q, *end;
    nudge_str_t   s, part;

    memset(stamp, 0, sizeof(nudge_stamp_t));

    s = nudge_value_str(nudge_value_get(v, name));

    if (s.len == 0) {
        return NUDGE_ERROR;
    }

    end = s.data + s.len;
    p = memchr(s.data, '-', s.len);

    if (p == NULL) {
        return NUDGE_ERROR;
    }

    q = memchr(p + 1, '-', end - (p + 1));

    if (q == NULL) {
        return NUDGE_ERROR;
    }

    part.data = s.data;
    part.len = p - s.data;
    stamp->time = nudge_str_int(&part);

    if (stamp->time < 0 || stamp->time > NUDGE_SESSION_TIME) {
        stamp->time = 0;
        return NUDGE_ERROR;
    }

    part.data = p + 1;
    part.len = q - (p + 1);

    if (nudge_codec_hex(&part, &stamp->nonce) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    part.data = q + 1;
    part.len = end - (q + 1);

    return nudge_codec_hex(&part, &stamp->seq);
}


static int64_t
nudge_codec_read_time(const nudge_value_t *v, const char *name)
{
    return nudge_session_time(nudge_value_int(nudge_value_get(v, name), 0));
}


static uint32_t
nudge_codec_read_u32(const nudge_value_t *v, const char *name)
{
    return (uint32_t) nudge_min(nudge_codec_read_time(v, name), UINT32_MAX);
}


static uint64_t
nudge_codec_read_hash(const nudge_value_t *v, const char *name)
{
    uint64_t     n;
    nudge_str_t  s;

    s = nudge_value_str(nudge_value_get(v, name));

    return nudge_codec_hex(&s, &n) == NUDGE_OK ? n : 0;
}


static void
nudge_codec_read_numbers(const nudge_value_t *v, nudge_session_t *s)
{
    nudge_value_t  *a;

    s->version = nudge_codec_read_u32(v, "version");
    s->created = nudge_codec_read_time(v, "created");
    s->active = nudge_codec_read_time(v, "active");
    s->visits = nudge_codec_read_u32(v, "visits");
    s->pages = nudge_codec_read_u32(v, "pages");
    s->subscribed = nudge_value_true(nudge_value_get(v, "subscribed")) ? 1 : 0;
    s->ordered = nudge_codec_read_time(v, "ordered");
    s->order = nudge_codec_read_hash(v, "order");
    s->checkout = nudge_codec_read_time(v, "checkout");
    s->cart_changed = nudge_codec_read_time(v, "cart_changed");

    a = nudge_value_get(v, "attempt");
    s->attempt.time = nudge_codec_read_time(a, "time");
    s->attempt.id = nudge_codec_read_hash(a, "id");

    a = nudge_value_get(v, "resolved");
    s->resolved.time = nudge_codec_read_time(a, "time");
    s->resolved.id = nudge_codec_read_hash(a, "id");

    if (nudge_codec_read_stamp(v, "forgotten", &s->forgotten) != NUDGE_OK) {
        memset(&s->forgotten, 0, sizeof(nudge_stamp_t));
    }
}


static nudge_int_t
nudge_codec_read_lines(const nudge_value_t *doc, nudge_session_t *s,
    nudge_pool_t *pool)
{
    nudge_uint_t    i, n;
    nudge_item_t   *items;
    nudge_stamp_t   at;
    nudge_value_t  *v;

    v = nudge_value_get(doc, "snapshot");

    if (nudge_codec_read_stamp(v, "at", &at) != NUDGE_OK) {
        return NUDGE_OK;
    }

    v = nudge_value_get(v, "items");

    if (v == NULL) {
        v = nudge_value_get(nudge_value_get(doc, "cart"), "items");
    }

    items = NULL;
    n = v ? nudge_min(v->count, NUDGE_CODEC_ELEMENTS) : 0;

    if (n) {
        items = nudge_palloc(pool, n * sizeof(nudge_item_t));
        if (items == NULL) {
            return NUDGE_ERROR;
        }
    }

    v = nudge_value_at(v, 0);

    for (i = 0; i < n && v; i++) {
        nudge_item_decode(v, &items[i]);
        v = v->next;
    }

    return nudge_session_snapshot(s, pool, &at, items, i);
}


static nudge_int_t
nudge_codec_read_deltas(const nudge_value_t *v, nudge_session_t *s,
    nudge_pool_t *pool)
{
    int              cmp;
    nudge_int_t      rc;
    nudge_str_t      op;
    nudge_item_t     item;
    nudge_uint_t     i, j, n;
    nudge_delta_t   *deltas, delta;
    nudge_value_t   *e;

    n = v ? nudge_min(v->count, NUDGE_CODEC_ELEMENTS) : 0;

    if (n == 0) {
        return NUDGE_OK;
    }

    deltas = nudge_palloc(pool, n * sizeof(nudge_delta_t));
    if (deltas == NULL) {
        return NUDGE_ERROR;
    }

    s->deltas = deltas;
    e = nudge_value_at(v, 0);

    for (i = 0; i < n && e; i++, e = e->next) {

        if (nudge_codec_read_stamp(e, "at", &delta.stamp) != NUDGE_OK) {
            continue;
        }

        op = nudge_value_str(nudge_value_get(e, "op"));

        for (delta.kind = NUDGE_DELTA_ADD; delta.kind <= NUDGE_DELTA_CLEAR;
             delta.kind++)
        {
            if (nudge_str_is(&op, nudge_delta_names[delta.kind])) {
                break;
            }
        }

        nudge_item_decode(nudge_value_get(e, "item"), &item);
        item.quantity = nudge_value_int(nudge_value_get(e, "quantity"), 0);

        rc = nudge_session_item(pool, &delta.item, &item);

        if (rc == NUDGE_ERROR) {
            return NUDGE_ERROR;
        }

        if (delta.kind > NUDGE_DELTA_CLEAR
            || (rc == NUDGE_DECLINED && delta.kind != NUDGE_DELTA_CLEAR))
        {
            continue;
        }

        cmp = 1;

        for (j = s->ndeltas; j > 0; j--) {
            cmp = nudge_delta_cmp(&deltas[j - 1], &delta);

            if (cmp <= 0) {
                break;
            }
        }

        if (j > 0 && cmp == 0) {
            continue;
        }

        memmove(&deltas[j + 1], &deltas[j],
                (s->ndeltas - j) * sizeof(nudge_delta_t));
        deltas[j] = delta;
        s->ndeltas++;
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_codec_read_viewed(const nudge_value_t *v, nudge_session_t *s,
    nudge_pool_t *pool)
{
    nudge_str_t       id;
    nudge_uint_t      i, j, n;
    nudge_value_t    *e;
    nudge_viewed_t   *viewed, one;

    n = v ? nudge_min(v->count, NUDGE_CODEC_ELEMENTS) : 0;

    if (n == 0) {
        return NUDGE_OK;
    }

    viewed = nudge_palloc(pool, n * sizeof(nudge_viewed_t));
    if (viewed == NULL) {
        return NUDGE_ERROR;
    }

    s->viewed = viewed;
    e = nudge_value_at(v, 0);

    for (i = 0; i < n && e; i++, e = e->next) {

        id = nudge_value_str(nudge_value_get(e, "id"));

        if (nudge_session_text(pool, &one.id, &id, NUDGE_SESSION_ID)
            != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        if (one.id.len == 0
            || nudge_codec_read_stamp(e, "at", &one.stamp) != NUDGE_OK)
        {
            continue;
        }

        for (j = s->nviewed; j > 0; j--) {
            if (nudge_viewed_cmp(&viewed[j - 1], &one) <= 0) {
                break;
            }
        }

        memmove(&viewed[j + 1], &viewed[j],
                (s->nviewed - j) * sizeof(nudge_viewed_t));
        viewed[j] = one;
        s->nviewed++;
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_codec_read_seen(const nudge_value_t *v, nudge_session_t *s,
    nudge_pool_t *pool)
{
    nudge_str_t     offer;
    nudge_seen_t   *seen, one;
    nudge_uint_t    i, j, n;
    nudge_value_t  *e;

    n = v ? nudge_min(v->count, NUDGE_CODEC_ELEMENTS) : 0;

    if (n == 0) {
        return NUDGE_OK;
    }

    seen = nudge_palloc(pool, n * sizeof(nudge_seen_t));
    if (seen == NULL) {
        return NUDGE_ERROR;
    }

    s->seen = seen;
    e = nudge_value_at(v, 0);

    for (i = 0; i < n && e; i++, e = e->next) {

        memset(&one, 0, sizeof(nudge_seen_t));
        offer = nudge_value_str(nudge_value_get(e, "offer"));

        if (nudge_session_text(pool, &one.offer, &offer, NUDGE_SESSION_ID)
            != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        if (one.offer.len == 0) {
            continue;
        }

        one.first = nudge_codec_read_time(e, "first");
        one.last = nudge_codec_read_time(e, "last");
        one.count = nudge_codec_read_u32(e, "count");
        one.done = nudge_value_true(nudge_value_get(e, "done")) ? 1 : 0;

        for (j = s->nseen; j > 0; j--) {
            if (nudge_seen_cmp(&seen[j - 1], &one) <= 0) {
                break;
            }
        }

        memmove(&seen[j + 1], &seen[j],
                (s->nseen - j) * sizeof(nudge_seen_t));
        seen[j] = one;
        s->nseen++;
    }

    return NUDGE_OK;
}


nudge_int_t
nudge_session_decode(nudge_json_t *js, nudge_session_t *s,
    nudge_pool_t *pool, const nudge_str_t *text)
{
    int64_t           version;
    nudge_value_t    *v;
    nudge_session_t   raw;

    memset(s, 0, sizeof(nudge_session_t));
    memset(&raw, 0, sizeof(nudge_session_t));

    v = nudge_json_decode(js, pool, text, NULL);

    if (v == NULL || v->type != NUDGE_JSON_OBJECT) {
        return NUDGE_ERROR;
    }

    version = nudge_value_int(nudge_value_get(v, "v"), 0);

    if (version != NUDGE_SESSION_SCHEMA) {
        return version > NUDGE_SESSION_SCHEMA ? NUDGE_DECLINED : NUDGE_ERROR;
    }

    nudge_codec_read_numbers(v, &raw);

    if (nudge_codec_read_lines(v, &raw, pool) != NUDGE_OK
        || nudge_codec_read_deltas(nudge_value_get(v, "deltas"), &raw, pool)
           != NUDGE_OK
        || nudge_codec_read_viewed(nudge_value_get(v, "viewed"), &raw, pool)
           != NUDGE_OK
        || nudge_codec_read_seen(nudge_value_get(v, "seen"), &raw, pool)
           != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    /* joined to nothing it is cut, and loses doubles and what is covered */

    return nudge_session_merge(s, pool, &raw);
}
