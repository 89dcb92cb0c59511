
/*
 * What an event does to a session.  Nothing here looks at a clock or writes
 * in place: the new state is built beside the old one and put there at the
 * end, so a session is either as it was or has taken the whole event.
 *
 * Stamps are hybrid: the event's own time, raised above everything the
 * session already knows of other hosts.  What a visitor does after having
 * seen a cart is then later than that cart, whatever the hosts' clocks say.
 * Events of one host are ordered by their sequence, so two workers that
 * finish in the wrong order do not let the older cart win.
 */


#include "nudge_session_private.h"


static void nudge_session_after(nudge_stamp_t *stamp, const nudge_stamp_t *e);
static nudge_stamp_t nudge_session_stamp(const nudge_session_t *s,
    const nudge_event_t *ev);
static nudge_uint_t nudge_session_knows(const nudge_session_t *s,
    const nudge_event_t *ev);
static nudge_int_t nudge_session_change(nudge_session_t *s,
    nudge_pool_t *pool, const nudge_event_t *ev);
static nudge_int_t nudge_session_items(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev, const nudge_stamp_t *stamp);
static nudge_int_t nudge_session_purchase(nudge_session_t *s,
    nudge_pool_t *pool, const nudge_event_t *ev);
static nudge_int_t nudge_session_logout(nudge_session_t *s,
    nudge_pool_t *pool, const nudge_event_t *ev);
static nudge_int_t nudge_session_view(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev);
static nudge_int_t nudge_session_offer(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev);
static void nudge_session_show(nudge_seen_t *seen, const nudge_event_t *ev);
static nudge_int_t nudge_session_dispatch(nudge_session_t *s,
    nudge_pool_t *pool, const nudge_event_t *ev);
static uint64_t nudge_session_hash(const nudge_str_t *id);
static void nudge_session_attempt(nudge_attempt_t *attempt,
    const nudge_event_t *ev);


void
nudge_session_init(nudge_session_t *s, int64_t now)
{
    memset(s, 0, sizeof(nudge_session_t));

    s->created = nudge_session_time(now);
    s->active = s->created;
    s->visits = 1;
}


void
nudge_session_touch(nudge_session_t *s, int64_t now, int64_t idle)
{
    now = nudge_session_time(now);

    if (s->created == 0) {
        s->created = now;
        s->active = now;
        s->visits = 1;
        return;
    }

    if (now - s->active >= idle && s->visits < UINT32_MAX) {
        s->visits++;
        s->pages = 0;
    }

    s->active = nudge_max(s->active, now);
}


/*
 * An empty snapshot covers every change known; the next change of any host
 * that has seen it comes later.
 */

void
nudge_session_forget(nudge_session_t *s)
{
    nudge_stamp_t  last;

    last = s->snap;

    if (s->ndeltas
        && nudge_stamp_cmp(&s->deltas[s->ndeltas - 1].stamp, &last) > 0)
    {
        last = s->deltas[s->ndeltas - 1].stamp;
    }

    if (s->nlines || s->ndeltas) {
        s->snap.time = last.time + 1;
        s->snap.nonce = 0;
        s->snap.seq = 0;
        s->lines = NULL;
        s->nlines = 0;
        s->deltas = NULL;
        s->ndeltas = 0;
    }

    if (s->nviewed) {
        s->forgotten = s->viewed[0].stamp;
        s->viewed = NULL;
        s->nviewed = 0;
    }
}


/* an event without an id is taken for a new one each time */

static void
nudge_session_after(nudge_stamp_t *stamp, const nudge_stamp_t *e)
{
    if (nudge_stamp_zero(e)) {
        return;
    }

    if (stamp->nonce == e->nonce && (stamp->nonce || stamp->seq)) {

        if (e->seq <= stamp->seq && e->time > stamp->time) {
            stamp->time = e->time;
        }

        return;
    }

    if (e->time >= stamp->time) {
        stamp->time = e->time + 1;
    }
}


static nudge_stamp_t
nudge_session_stamp(const nudge_session_t *s, const nudge_event_t *ev)
{
    nudge_uint_t   i;
    nudge_stamp_t  stamp;

    stamp.time = nudge_session_time(ev->time);
    stamp.nonce = ev->nonce;
    stamp.seq = ev->seq;

    nudge_session_after(&stamp, &s->snap);
    nudge_session_after(&stamp, &s->forgotten);

    for (i = 0; i < s->ndeltas; i++) {
        nudge_session_after(&stamp, &s->deltas[i].stamp);
    }

    return stamp;
}


/* has this very event changed the cart before? */

static nudge_uint_t
nudge_session_knows(const nudge_session_t *s, const nudge_event_t *ev)
{
    nudge_uint_t  i;

    if (ev->nonce == 0 && ev->seq == 0) {
        return 0;
    }

    if (s->snap.nonce == ev->nonce && s->snap.seq == ev->seq) {
        return 1;
    }

    for (i = 0; i < s->ndeltas; i++) {
        if (s->deltas[i].stamp.nonce == ev->nonce
            && s->deltas[i].stamp.seq == ev->seq)
        {
            return 1;
        }
    }

    return 0;
}


static uint64_t
nudge_session_hash(const nudge_str_t *id)
{
    uint64_t  h;

    if (id->len == 0) {
        return 0;
    }

    h = nudge_hash(0, id->data, id->len);

    return h ? h : 1;
}


nudge_int_t
nudge_session_apply(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    nudge_session_t  next;

    if (ev->bot) {
        return NUDGE_OK;
    }

    next = *s;

    if (nudge_session_dispatch(&next, pool, ev) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (next.created == 0) {
        next.created = nudge_session_time(ev->time);
        next.visits = nudge_max(next.visits, 1);
    }

    next.active = nudge_max(next.active, nudge_session_time(ev->time));
    nudge_session_settle(&next);

    *s = next;

    return NUDGE_OK;
}


static nudge_int_t
nudge_session_dispatch(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    int64_t  time;

    time = nudge_session_time(ev->time);

    switch (ev->type) {

    case NUDGE_EVENT_PURCHASE:
        return nudge_session_purchase(s, pool, ev);

    case NUDGE_EVENT_LOGOUT:
        return nudge_session_logout(s, pool, ev);

    case NUDGE_EVENT_ORDER_ATTEMPT:
        nudge_session_attempt(&s->attempt, ev);
        return NUDGE_OK;

    case NUDGE_EVENT_ORDER_FAILED:
        nudge_session_attempt(&s->resolved, ev);
        break;

    case NUDGE_EVENT_BEGIN_CHECKOUT:
        s->checkout = nudge_max(s->checkout, time);
        break;

    case NUDGE_EVENT_PAGE_VIEW:
        if (!ev->tentative && s->pages < UINT32_MAX) {
            s->pages++;
        }

        break;

    case NUDGE_EVENT_VIEW_ITEM:
        if (!ev->tentative && nudge_session_view(s, pool, ev) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        break;

    case NUDGE_EVENT_SUBSCRIBE:
        s->subscribed = 1;
        return nudge_session_offer(s, pool, ev);

    case NUDGE_EVENT_OFFER_VIEW:
    case NUDGE_EVENT_OFFER_CLOSE:
        if (ev->tentative) {
            return NUDGE_OK;
        }

        return nudge_session_offer(s, pool, ev);

    default:
        break;
    }

    return nudge_session_change(s, pool, ev);
}


/* when the cart comes out different, it has changed now */

static nudge_int_t
nudge_session_change(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    nudge_int_t    rc;
    nudge_cart_t   before, after;
    nudge_stamp_t  stamp;

    if (!ev->snapshot
        && ev->type != NUDGE_EVENT_ADD_TO_CART
        && ev->type != NUDGE_EVENT_REMOVE_FROM_CART)
    {
        return NUDGE_OK;
    }

    if (nudge_session_knows(s, ev)) {
        return NUDGE_OK;
    }

    if (nudge_session_cart(s, pool, &before) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    stamp = nudge_session_stamp(s, ev);

    if (ev->snapshot) {
        rc = nudge_session_snapshot(s, pool, &stamp, ev->cart, ev->ncart);

    } else {
        rc = nudge_session_items(s, pool, ev, &stamp);
    }

    if (rc != NUDGE_OK || nudge_session_cart(s, pool, &after) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (!nudge_cart_same(&before, &after)) {
        s->cart_changed = nudge_max(s->cart_changed,
                                    nudge_session_time(ev->time));
    }

    return NUDGE_OK;
}


/*
 * One delta for each line the event is about.  An addition that does not say
 * how many is of one; a removal that does not takes the whole line.
 */

static nudge_int_t
nudge_session_items(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev, const nudge_stamp_t *stamp)
{
    int             cmp;
    nudge_int_t     rc;
    nudge_uint_t    i, j, n;
    nudge_delta_t  *deltas, delta;

    n = 0;

    if (ev->nitems == 0) {
        return NUDGE_OK;
    }

    deltas = nudge_palloc(pool, nudge_min(ev->nitems, NUDGE_SESSION_LINES)
                                * sizeof(nudge_delta_t));
    if (deltas == NULL) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < ev->nitems && n < NUDGE_SESSION_LINES; i++) {

        rc = nudge_session_item(pool, &delta.item, &ev->items[i]);

        if (rc == NUDGE_ERROR) {
            return NUDGE_ERROR;
        }

        if (rc == NUDGE_DECLINED || delta.item.quantity < 0) {
            continue;
        }

        delta.stamp = *stamp;
        delta.kind = NUDGE_DELTA_ADD;

        if (ev->type == NUDGE_EVENT_ADD_TO_CART) {
            if (delta.item.quantity == 0) {
                delta.item.quantity = 1;
            }

        } else if (delta.item.quantity == 0) {
            delta.kind = NUDGE_DELTA_SET;

        } else {
            delta.item.quantity = -delta.item.quantity;
        }

        cmp = 1;

        for (j = 0; j < n; j++) {
            cmp = nudge_delta_cmp(&deltas[j], &delta);

            if (cmp >= 0) {
                break;
            }
        }

        if (j < n && cmp == 0) {

            /* the same line twice in one event */

            if (delta.kind == NUDGE_DELTA_SET) {
                deltas[j] = delta;

            } else if (deltas[j].kind == NUDGE_DELTA_ADD) {
                delta.item.quantity += deltas[j].item.quantity;
                deltas[j].item.quantity = nudge_max(-NUDGE_SESSION_QUANTITY,
                                              nudge_min(delta.item.quantity,
                                                    NUDGE_SESSION_QUANTITY));
            }

            continue;
        }

        memmove(&deltas[j + 1], &deltas[j], (n - j) * sizeof(nudge_delta_t));
        deltas[j] = delta;
        n++;
    }

    return nudge_session_deltas(s, pool, deltas, n);
}


static void
nudge_session_attempt(nudge_attempt_t *attempt, const nudge_event_t *ev)
{
    int64_t  time;

    time = nudge_session_time(ev->time);

    if (time >= attempt->time) {
        attempt->time = time;
        attempt->id = nudge_session_hash(&ev->attempt);
    }
}


/*
 * The cart was bought.  The same order may be told several times: by the
 * answer to the order request, by the thank-you page and its reloads, which
 * may come when the next cart is being filled.
 */

static nudge_int_t
nudge_session_purchase(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    int64_t        time;
    uint64_t       order;
    nudge_stamp_t  stamp;

    time = nudge_session_time(ev->time);
    order = nudge_session_hash(&ev->order);

    if (ev->attempt.len) {
        nudge_session_attempt(&s->resolved, ev);
    }

    if (order && order == s->order) {
        return NUDGE_OK;
    }

    if (time >= s->ordered) {
        s->ordered = time;
        s->order = order;
    }

    if (nudge_session_knows(s, ev)) {
        return NUDGE_OK;
    }

    if (s->nlines || s->ndeltas) {
        s->cart_changed = nudge_max(s->cart_changed, time);
    }

    stamp = nudge_session_stamp(s, ev);

    return nudge_session_snapshot(s, pool, &stamp, NULL, 0);
}


static nudge_int_t
nudge_session_logout(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    nudge_uint_t   i;
    nudge_stamp_t  stamp;

    if (nudge_session_knows(s, ev)) {
        return NUDGE_OK;
    }

    stamp = nudge_session_stamp(s, ev);

    for (i = 0; i < s->nviewed; i++) {
        nudge_session_after(&stamp, &s->viewed[i].stamp);
    }

    if (nudge_stamp_cmp(&stamp, &s->forgotten) > 0) {
        s->forgotten = stamp;
    }

    for (i = 0; i < s->nviewed; i++) {
        if (nudge_stamp_cmp(&s->viewed[i].stamp, &s->forgotten) <= 0) {
            break;
        }
    }

    s->nviewed = i;

    return nudge_session_snapshot(s, pool, &stamp, NULL, 0);
}


static nudge_int_t
nudge_session_view(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    nudge_uint_t      i;
    nudge_viewed_t    viewed;
    nudge_session_t   one;

    if (ev->nitems == 0) {
        return NUDGE_OK;
    }

    memset(&one, 0, sizeof(nudge_session_t));

    if (nudge_session_text(pool, &viewed.id, &ev->items[0].id,
                           NUDGE_SESSION_ID)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (viewed.id.len == 0) {
        return NUDGE_OK;
    }

    viewed.stamp = nudge_session_stamp(s, ev);

    for (i = 0; i < s->nviewed; i++) {
        nudge_session_after(&viewed.stamp, &s->viewed[i].stamp);
    }

    one.viewed = &viewed;
    one.nviewed = 1;

    return nudge_session_merge(s, pool, &one);
}


/* a form submitted or a piece closed was shown, too, if only to somebody
 * whose session was lost meanwhile */

static nudge_int_t
nudge_session_offer(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev)
{
    nudge_uint_t     i;
    nudge_seen_t     seen;
    nudge_session_t  one;

    memset(&one, 0, sizeof(nudge_session_t));
    memset(&seen, 0, sizeof(nudge_seen_t));

    if (nudge_session_text(pool, &seen.offer, &ev->offer, NUDGE_SESSION_ID)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (seen.offer.len == 0) {
        return NUDGE_OK;
    }

    for (i = 0; i < s->nseen; i++) {
        if (nudge_str_eq(&s->seen[i].offer, &seen.offer)) {
            seen = s->seen[i];
            break;
        }
    }

    nudge_session_show(&seen, ev);

    one.seen = &seen;
    one.nseen = 1;

    return nudge_session_merge(s, pool, &one);
}


static void
nudge_session_show(nudge_seen_t *seen, const nudge_event_t *ev)
{
    int64_t  time;

    /* this host's clock may be behind that of the last showing */

    time = nudge_max(nudge_session_time(ev->time), seen->last);

    if (ev->type == NUDGE_EVENT_OFFER_VIEW || seen->count == 0) {

        if (ev->from > 0 && seen->first < ev->from) {
            seen->count = 0;
        }

        if (seen->count == 0 || ev->from <= 0) {
            seen->first = time;
        }

        if (seen->count < UINT32_MAX) {
            seen->count++;
        }
    }

    if (ev->type == NUDGE_EVENT_SUBSCRIBE) {
        seen->done = 1;
    }

    seen->last = time;
}
