
/*
 * The join of two sessions.  Every member is a join of its own: maxima,
 * lexicographic maxima of pairs, the later snapshot, and newest-first sets
 * cut at a fixed number, where an element once dropped can never come back
 * because what pushed it out is newer.  From that follows that the order and
 * number of merges do not matter (commutative, associative, idempotent).
 *
 * What is not a join lives elsewhere: folding changes the snapshot and is
 * done where events are applied; "attempted" is derived afterwards.
 */


#include "nudge_session_private.h"


static int nudge_item_cmp(const nudge_item_t *a, const nudge_item_t *b);
static int nudge_delta_content_cmp(const nudge_delta_t *a,
    const nudge_delta_t *b);
static int nudge_lines_cmp(const nudge_session_t *a, const nudge_session_t *b);
static nudge_int_t nudge_session_merge_deltas(nudge_session_t *dst,
    nudge_pool_t *pool, const nudge_session_t *a, const nudge_session_t *b);
static nudge_int_t nudge_session_merge_viewed(nudge_session_t *dst,
    nudge_pool_t *pool, const nudge_session_t *a, const nudge_session_t *b);
static nudge_int_t nudge_session_merge_seen(nudge_session_t *dst,
    nudge_pool_t *pool, const nudge_session_t *a, const nudge_session_t *b);
static void nudge_session_merge_numbers(nudge_session_t *dst,
    const nudge_session_t *src);
static void nudge_attempt_join(nudge_attempt_t *dst,
    const nudge_attempt_t *src);


int
nudge_stamp_cmp(const nudge_stamp_t *a, const nudge_stamp_t *b)
{
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }

    if (a->nonce != b->nonce) {
        return a->nonce < b->nonce ? -1 : 1;
    }

    if (a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }

    return 0;
}


nudge_uint_t
nudge_stamp_zero(const nudge_stamp_t *stamp)
{
    return stamp->time == 0 && stamp->nonce == 0 && stamp->seq == 0;
}


int
nudge_delta_cmp(const nudge_delta_t *a, const nudge_delta_t *b)
{
    int  rc;

    rc = nudge_stamp_cmp(&a->stamp, &b->stamp);
    if (rc) {
        return rc;
    }

    rc = nudge_str_cmp(&a->item.key, &b->item.key);
    if (rc) {
        return rc;
    }

    return nudge_str_cmp(&a->item.id, &b->item.id);
}


int
nudge_viewed_cmp(const nudge_viewed_t *a, const nudge_viewed_t *b)
{
    int  rc;

    rc = nudge_stamp_cmp(&b->stamp, &a->stamp);
    if (rc) {
        return rc;
    }

    return nudge_str_cmp(&a->id, &b->id);
}


/*
 * The whole entry of the later showing wins.  Were "done" or the count joined
 * by themselves, an entry pushed out of the sixteen on one host would still
 * lend them to the same offer's entry elsewhere, depending on who merges
 * first.  A submitted form is remembered in "subscribed" besides.
 */

int
nudge_seen_cmp(const nudge_seen_t *a, const nudge_seen_t *b)
{
    if (a->last != b->last) {
        return a->last > b->last ? -1 : 1;
    }

    return nudge_str_cmp(&a->offer, &b->offer);
}


/* any total order of the contents will do, as long as it is the same on all
 * hosts: equal stamps with different contents come from damage, or from two
 * hosts folding up to the same delta */

static int
nudge_item_cmp(const nudge_item_t *a, const nudge_item_t *b)
{
    int           rc;
    nudge_uint_t  i;

    const nudge_str_t  *x[] = { &a->id, &a->key, &a->parent, &a->name,
                                &a->url, &a->image, &a->currency };
    const nudge_str_t  *y[] = { &b->id, &b->key, &b->parent, &b->name,
                                &b->url, &b->image, &b->currency };

    if (a->quantity != b->quantity) {
        return a->quantity < b->quantity ? -1 : 1;
    }

    if (a->price != b->price) {
        return a->price < b->price ? -1 : 1;
    }

    for (i = 0; i < sizeof(x) / sizeof(x[0]); i++) {
        rc = nudge_str_cmp(x[i], y[i]);
        if (rc) {
            return rc;
        }
    }

    return 0;
}


static int
nudge_delta_content_cmp(const nudge_delta_t *a, const nudge_delta_t *b)
{
    if (a->kind != b->kind) {
        return a->kind < b->kind ? -1 : 1;
    }

    return nudge_item_cmp(&a->item, &b->item);
}


static int
nudge_lines_cmp(const nudge_session_t *a, const nudge_session_t *b)
{
    int           rc;
    nudge_uint_t  i;

    if (a->nlines != b->nlines) {
        return a->nlines < b->nlines ? -1 : 1;
    }

    for (i = 0; i < a->nlines; i++) {
        rc = nudge_item_cmp(&a->lines[i], &b->lines[i]);
        if (rc) {
            return rc;
        }
    }

    return 0;
}


nudge_int_t
nudge_session_merge(nudge_session_t *dst, nudge_pool_t *pool,
    const nudge_session_t *src)
{
    int              rc;
    nudge_session_t  a;

    a = *dst;

    rc = nudge_stamp_cmp(&src->snap, &a.snap);

    if (rc > 0 || (rc == 0 && nudge_lines_cmp(src, &a) > 0)) {
        a.snap = src->snap;
        a.lines = src->lines;
        a.nlines = src->nlines;
    }

    if (nudge_stamp_cmp(&src->forgotten, &a.forgotten) > 0) {
        a.forgotten = src->forgotten;
    }

    if (nudge_session_merge_deltas(&a, pool, dst, src) != NUDGE_OK
        || nudge_session_merge_viewed(&a, pool, dst, src) != NUDGE_OK
        || nudge_session_merge_seen(&a, pool, dst, src) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    nudge_session_merge_numbers(&a, src);
    nudge_session_settle(&a);

    *dst = a;

    return NUDGE_OK;
}


/* the union, newest first so that the cap drops the oldest */

static nudge_int_t
nudge_session_merge_deltas(nudge_session_t *dst, nudge_pool_t *pool,
    const nudge_session_t *a, const nudge_session_t *b)
{
    int                   rc;
    nudge_uint_t          i, j, n;
    const nudge_delta_t  *next;

    i = a->ndeltas;
    j = b->ndeltas;

    dst->deltas = NULL;
    dst->ndeltas = 0;

    if (i + j == 0) {
        return NUDGE_OK;
    }

    n = nudge_min(i + j, NUDGE_SESSION_DELTAS);

    dst->deltas = nudge_palloc(pool, n * sizeof(nudge_delta_t));
    if (dst->deltas == NULL) {
        return NUDGE_ERROR;
    }

    dst->deltas += n;

    while (dst->ndeltas < n && i + j > 0) {

        rc = (i == 0) ? -1 : (j == 0) ? 1
             : nudge_delta_cmp(&a->deltas[i - 1], &b->deltas[j - 1]);

        if (rc > 0) {
            next = &a->deltas[--i];

        } else if (rc < 0) {
            next = &b->deltas[--j];

        } else {
            next = &a->deltas[--i];
            j--;

            if (nudge_delta_content_cmp(next, &b->deltas[j]) < 0) {
                next = &b->deltas[j];
            }
        }

        if (nudge_stamp_cmp(&next->stamp, &dst->snap) <= 0) {
            break;
        }

        *--dst->deltas = *next;
        dst->ndeltas++;
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_session_merge_viewed(nudge_session_t *dst, nudge_pool_t *pool,
    const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_uint_t           i, j, k;
    const nudge_viewed_t  *next;

    dst->viewed = NULL;
    dst->nviewed = 0;

    if (a->nviewed + b->nviewed == 0) {
        return NUDGE_OK;
    }

    dst->viewed = nudge_palloc(pool,
                               NUDGE_SESSION_VIEWED * sizeof(nudge_viewed_t));
    if (dst->viewed == NULL) {
        return NUDGE_ERROR;
    }

    i = 0;
    j = 0;

    while (dst->nviewed < NUDGE_SESSION_VIEWED
           && (i < a->nviewed || j < b->nviewed))
    {
        if (j == b->nviewed
            || (i < a->nviewed
                && nudge_viewed_cmp(&a->viewed[i], &b->viewed[j]) < 0))
        {
            next = &a->viewed[i++];

        } else {
            next = &b->viewed[j++];
        }

        if (nudge_stamp_cmp(&next->stamp, &dst->forgotten) <= 0) {
            break;
        }

        /* newest first: a known id was seen again later */

        for (k = 0; k < dst->nviewed; k++) {
            if (nudge_str_eq(&dst->viewed[k].id, &next->id)) {
                break;
            }
        }

        if (k == dst->nviewed) {
            dst->viewed[dst->nviewed++] = *next;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_session_merge_seen(nudge_session_t *dst, nudge_pool_t *pool,
    const nudge_session_t *a, const nudge_session_t *b)
{
    nudge_uint_t         i, j, k;
    nudge_seen_t        *known;
    const nudge_seen_t  *next;

    dst->seen = NULL;
    dst->nseen = 0;

    if (a->nseen + b->nseen == 0) {
        return NUDGE_OK;
    }

    dst->seen = nudge_palloc(pool, NUDGE_SESSION_SEEN * sizeof(nudge_seen_t));
    if (dst->seen == NULL) {
        return NUDGE_ERROR;
    }

    i = 0;
    j = 0;

    while (i < a->nseen || j < b->nseen) {

        if (j == b->nseen
            || (i < a->nseen && nudge_seen_cmp(&a->seen[i], &b->seen[j]) < 0))
        {
            next = &a->seen[i++];

        } else {
            next = &b->seen[j++];
        }

        known = NULL;

        for (k = 0; k < dst->nseen; k++) {
            if (nudge_str_eq(&dst->seen[k].offer, &next->offer)) {
                known = &dst->seen[k];
                break;
            }
        }

        if (known == NULL) {
            if (dst->nseen == NUDGE_SESSION_SEEN) {
                break;
            }

            dst->seen[dst->nseen++] = *next;
            continue;
        }

        if (known->last != next->last) {
            continue;
        }

        /* the same moment on two hosts: the entry that shows less wins */

        if (next->done > known->done
            || (next->done == known->done
                && (next->count > known->count
                    || (next->count == known->count
                        && next->first > known->first))))
        {
            *known = *next;
        }
    }

    return NUDGE_OK;
}


static void
nudge_session_merge_numbers(nudge_session_t *dst, const nudge_session_t *src)
{
    dst->version = nudge_max(dst->version, src->version);
    dst->active = nudge_max(dst->active, src->active);
    dst->checkout = nudge_max(dst->checkout, src->checkout);
    dst->cart_changed = nudge_max(dst->cart_changed, src->cart_changed);
    dst->subscribed |= src->subscribed;

    if (dst->created == 0
        || (src->created && src->created < dst->created))
    {
        dst->created = src->created;
    }

    if (src->visits > dst->visits) {
        dst->visits = src->visits;
        dst->pages = src->pages;

    } else if (src->visits == dst->visits) {
        dst->pages = nudge_max(dst->pages, src->pages);
    }

    if (src->ordered > dst->ordered
        || (src->ordered == dst->ordered && src->order > dst->order))
    {
        dst->ordered = src->ordered;
        dst->order = src->order;
    }

    nudge_attempt_join(&dst->attempt, &src->attempt);
    nudge_attempt_join(&dst->resolved, &src->resolved);
}


static void
nudge_attempt_join(nudge_attempt_t *dst, const nudge_attempt_t *src)
{
    if (src->time > dst->time
        || (src->time == dst->time && src->id > dst->id))
    {
        *dst = *src;
    }
}


/*
 * An attempt is over when an order came after it or when the very attempt, by
 * its id, was resolved.  A failure without id ends what was tried before it.
 * Where in doubt it stays open: that only holds messages back.
 */

void
nudge_session_settle(nudge_session_t *s)
{
    s->attempted = s->attempt.time;

    if (s->ordered >= s->attempt.time) {
        s->attempted = 0;
        return;
    }

    if (s->resolved.time == 0) {
        return;
    }

    if (s->resolved.id && s->attempt.id) {
        if (s->resolved.id == s->attempt.id) {
            s->attempted = 0;
        }

        return;
    }

    if (s->resolved.time >= s->attempt.time) {
        s->attempted = 0;
    }
}
