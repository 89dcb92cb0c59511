
/*
 * Events to effects.  An address joins a browser to a person only when the
 * event says that consent allows it; without it an address may still stop
 * messages, which is what the person behind it would expect (D15).
 */


#include <stdio.h>

#include "effect.h"
#include "nudge_preset.h"
#include "sql.h"
#include "store_shop.h"


typedef struct {
    tx_t                   *tx;
    flow_t                 *flow;
    const nudge_event_t    *ev;
    nudge_bundle_t         *bundle;     /* NULL: a shop no longer configured */
    char                    hash[65];   /* of ev->email, or "" */
    char                    ids[STORE_CONTACTS][STORE_CONTACT];
    nudge_uint_t            nids;       /* whom the event may be about */
} effect_t;


static nudge_uint_t
effect_is_address(const nudge_str_t *email)
{
    nudge_str_t  s;

    s = nudge_str_trim(*email);

    return s.len && nudge_email_valid(&s);
}


/* the browser belongs to this person from now on: episodes that waited for an
 * address have one */

static nudge_int_t
effect_join(effect_t *e, const char *contact)
{
    if (e->ev->visitor.len == 0) {
        return NUDGE_OK;
    }

    if (store_link(e->tx, &e->ev->shop, &e->ev->visitor, contact,
                   e->ev->joinable, e->ev->time) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (!e->ev->joinable) {
        return NUDGE_OK;
    }

    return store_episode_known(e->tx, &e->ev->shop, &e->ev->visitor);
}


/* an e-mail hint: never consent, and without consent to join nothing is kept
 * but a tie to somebody already known, so that an order still stops them */

static nudge_int_t
effect_identify(effect_t *e)
{
    nudge_int_t       rc;
    store_contact_t   c;

    if (!effect_is_address(&e->ev->email)) {
        return NUDGE_OK;
    }

    if (e->ev->joinable && e->ev->visitor.len) {
        rc = store_contact_make(e->tx, e->flow->pool, &e->ev->shop,
                                &e->ev->email, e->ev->time, &c);

    } else {
        rc = store_contact_email(e->tx, e->flow->pool, &e->ev->shop,
                                 &e->ev->email, &c);
    }

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED ? NUDGE_OK : NUDGE_ERROR;
    }

    return effect_join(e, c.id);
}


static nudge_int_t
effect_asked(effect_t *e)
{
    store_contact_t   c;

    if (!effect_is_address(&e->ev->email)) {
        return store_count(e->tx, "skipped", "address_invalid");
    }

    if (store_contact_make(e->tx, e->flow->pool, &e->ev->shop, &e->ev->email,
                           e->ev->time, &c) != NUDGE_OK
        || store_consent(e->tx, e->ev, c.id, "asked") != NUDGE_OK
        || effect_join(e, c.id) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (strcmp(c.status, "confirmed") == 0) {
        return NUDGE_OK;
    }

    if (store_contact_status(e->tx, &e->ev->shop, c.id, "pending",
                             &e->ev->offer, e->ev->time) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (e->bundle == NULL) {
        return NUDGE_OK;
    }

    return flow_confirm(e->tx, e->flow, e->bundle, &e->ev->visitor, &c,
                        &e->ev->offer, e->ev->time);
}


/* the link in the double opt-in mail was followed and the button pressed; it
 * may be pressed twice.  Who unsubscribed since asks anew, with the form */

static nudge_int_t
effect_confirmed(effect_t *e)
{
    nudge_int_t       rc;
    nudge_str_t       none;
    store_contact_t   c;

    rc = store_contact_id(e->tx, e->flow->pool, &e->ev->shop, &e->ev->contact,
                          &c);

    if (rc != NUDGE_OK || strcmp(c.status, "pending") != 0) {
        return rc == NUDGE_ERROR ? NUDGE_ERROR : NUDGE_OK;
    }

    nudge_str_null(&none);

    if (store_contact_status(e->tx, &e->ev->shop, c.id, "confirmed", &none,
                             e->ev->time) != NUDGE_OK
        || store_consent(e->tx, e->ev, c.id, "confirmed") != NUDGE_OK
        || store_suppress_lift(e->tx, &e->ev->shop, &c.address,
                               "unsubscribed") != NUDGE_OK
        || store_message_wake(e->tx, &e->ev->shop, c.id, "not_confirmed",
                              e->flow->now) != NUDGE_OK
        || effect_join(e, c.id) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (e->bundle == NULL) {
        return NUDGE_OK;
    }

    return flow_subscribed(e->tx, e->flow, e->bundle, &e->ev->visitor, c.id,
                           e->ev->time);
}


static nudge_int_t
effect_subscribe(effect_t *e)
{
    if (nudge_str_is(&e->ev->method, "form")) {
        return effect_asked(e);
    }

    if (nudge_str_is(&e->ev->method, "confirm")) {
        return effect_confirmed(e);
    }

    return NUDGE_OK;
}


static nudge_int_t
effect_unsubscribe(effect_t *e)
{
    nudge_int_t       rc;
    nudge_str_t       none;
    store_contact_t   c;

    rc = store_contact_id(e->tx, e->flow->pool, &e->ev->shop, &e->ev->contact,
                          &c);

    if (rc != NUDGE_OK) {
        return rc == NUDGE_ERROR ? NUDGE_ERROR : NUDGE_OK;
    }

    nudge_str_null(&none);

    if (store_contact_status(e->tx, &e->ev->shop, c.id, "unsubscribed", &none,
                             e->ev->time) != NUDGE_OK
        || store_suppress(e->tx, &e->ev->shop, &c.address, "unsubscribed",
                          e->ev->time) != NUDGE_OK
        || store_consent(e->tx, e->ev, c.id, "unsubscribed") != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    memcpy(e->ids[0], c.id, STORE_CONTACT);

    return flow_stop(e->tx, e->flow, &e->ev->shop, &none, e->ids, 1,
                     "unsubscribed");
}


/* withdrawn: what this browser did is forgotten, and nothing it started goes
 * on.  The newsletter has its own way out */

static nudge_int_t
effect_consent(effect_t *e)
{
    char         contact[STORE_CONTACT];
    nudge_str_t  visitor;

    visitor = e->ev->visitor;

    if (visitor.len == 0) {
        return NUDGE_OK;
    }

    if (store_link_contact(e->tx, &e->ev->shop, &visitor, contact)
        != NUDGE_OK)
    {
        contact[0] = '\0';
    }

    if (nudge_str_is(&e->ev->reason, "granted")) {
        return store_consent(e->tx, e->ev, contact, "granted");
    }

    if (!nudge_str_is(&e->ev->reason, "withdrawn")) {
        return NUDGE_OK;
    }

    if (store_consent(e->tx, e->ev, contact, "withdrawn") != NUDGE_OK
        || flow_stop(e->tx, e->flow, &e->ev->shop, &visitor, NULL, 0,
                     "withdrawn") != NUDGE_OK
        || store_link_close(e->tx, &e->ev->shop, &visitor, 1) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return store_visitor_forget(e->tx, &e->ev->shop, &visitor);
}


static nudge_int_t
effect_attempt(effect_t *e)
{
    if (e->ev->attempt.len == 0) {
        return NUDGE_OK;
    }

    return store_attempt(e->tx, e->ev, e->nids ? e->ids[0] : "", e->hash);
}


/* whatever this attempt held may be looked at again */

static nudge_int_t
effect_resolve(effect_t *e)
{
    nudge_uint_t  i;

    if (e->ev->attempt.len
        && store_attempt_resolve(e->tx, &e->ev->shop, &e->ev->attempt)
           != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    for (i = 0; i < e->nids; i++) {
        if (store_message_wake(e->tx, &e->ev->shop, e->ids[i],
                               "order_pending", e->flow->now) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/* an order stops everything of everybody it may be about: by browser, by
 * contact, by address.  One without a number is one of its own */

static nudge_int_t
effect_purchase(effect_t *e)
{
    u_char         id[64];
    nudge_int_t    rc;
    nudge_buf_t    b;
    nudge_event_t  ev;

    ev = *e->ev;

    if (ev.order.len == 0) {
        nudge_buf_init(&b, id, sizeof(id));
        nudge_buf_cstr(&b, "event ");
        nudge_event_encode_id(&b, &ev);
        ev.order = nudge_buf_result(&b);
    }

    rc = store_order(e->tx, &ev, e->nids ? e->ids[0] : "", e->hash);

    if (rc == NUDGE_ERROR || effect_resolve(e) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (rc == NUDGE_DECLINED) {
        return NUDGE_DECLINED;
    }

    if (flow_stop(e->tx, e->flow, &ev.shop, &ev.visitor, e->ids, e->nids,
                  "ordered") != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (store_count(e->tx, "orders", "") != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return effect_identify(e);
}


static nudge_int_t
effect_gap(effect_t *e)
{
    int64_t      to;
    nudge_str_t  nobody;

    nudge_str_null(&nobody);
    to = e->ev->to ? e->ev->to : e->ev->time;

    if (store_gap(e->tx, &e->ev->shop, e->ev->from, to) != NUDGE_OK
        || store_count(e->tx, "gaps", "") != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return store_episode_void(e->tx, &e->ev->shop, &nobody, "", to, "gap",
                              e->flow->now);
}


static nudge_uint_t
effect_same_cart(const nudge_cart_t *a, const nudge_cart_t *b)
{
    nudge_uint_t  i;

    if (a->n != b->n) {
        return 0;
    }

    for (i = 0; i < a->n; i++) {
        if (a->lines[i].quantity != b->lines[i].quantity
            || !nudge_str_eq(&a->lines[i].id, &b->lines[i].id)
            || !nudge_str_eq(&a->lines[i].key, &b->lines[i].key))
        {
            return 0;
        }
    }

    return 1;
}


/* a cart begins with its first line and ends when it is empty; one untouched
 * for a month is another when it is found again */

static nudge_int_t
effect_cart_moved(effect_t *e, store_visitor_t *v, const nudge_cart_t *cart)
{
    int64_t       time;
    nudge_str_t  *visitor;

    time = e->ev->time;
    visitor = (nudge_str_t *) &e->ev->visitor;

    if (cart->n == 0) {
        v->cart_first = 0;
        v->cart_changed = time;

        return flow_stop(e->tx, e->flow, &e->ev->shop, visitor, NULL, 0,
                         e->ev->type == NUDGE_EVENT_LOGOUT ? "logout"
                                                           : "cart_empty");
    }

    if (v->cart_first == 0 || time > v->cart_changed + FLOW_CART) {
        v->cart_first = time;
    }

    if (time > v->cart_changed) {
        v->cart_changed = time;
    }

    if (e->bundle == NULL) {
        return NUDGE_OK;
    }

    return flow_cart(e->tx, e->flow, e->bundle, visitor, v->cart_first,
                     v->cart_changed);
}


/* an order that does not say what was in it: what was in the cart */

static nudge_int_t
effect_bought(effect_t *e, const nudge_cart_t *cart)
{
    nudge_uint_t  i;

    for (i = 0; i < cart->n; i++) {
        if (store_product_put(e->tx, &e->ev->shop, &cart->lines[i],
                              NUDGE_EVENT_PURCHASE, e->ev->time) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
effect_session(effect_t *e)
{
    nudge_cart_t      before, after;
    nudge_pool_t     *pool;
    store_visitor_t   v;

    pool = e->flow->pool;

    if (e->ev->visitor.len == 0 || e->ev->tentative) {
        return NUDGE_OK;
    }

    if (store_visitor_get(e->tx, pool, &e->ev->shop, &e->ev->visitor, &v)
            != NUDGE_OK
        || nudge_session_cart(&v.session, pool, &before) != NUDGE_OK
        || nudge_session_apply(&v.session, pool, e->ev) != NUDGE_OK
        || nudge_session_cart(&v.session, pool, &after) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (e->ev->type == NUDGE_EVENT_PURCHASE && e->ev->nitems == 0
        && effect_bought(e, &before) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (!effect_same_cart(&before, &after)
        && effect_cart_moved(e, &v, &after) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return store_visitor_put(e->tx, pool, &e->ev->shop, &e->ev->visitor, &v,
                             e->ev->time);
}


/* items carry what the page or the answer said of a product; a whole cart
 * adds names and prices but is no new sign of interest */

static nudge_int_t
effect_products(effect_t *e)
{
    nudge_uint_t          i;
    const nudge_event_t  *ev;

    ev = e->ev;

    if (ev->tentative) {
        return NUDGE_OK;
    }

    for (i = 0; i < ev->nitems; i++) {
        if (store_product_put(e->tx, &ev->shop, &ev->items[i], ev->type,
                              ev->time) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    for (i = 0; ev->snapshot && i < ev->ncart; i++) {
        if (store_product_put(e->tx, &ev->shop, &ev->cart[i],
                              NUDGE_EVENT_VIEW_CART, ev->time) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/* where this shop shows its cart, as visited: a path of its own origin */

static nudge_int_t
effect_cart_page(effect_t *e)
{
    nudge_str_t           path;
    u_char               *p;
    const nudge_event_t  *ev;

    ev = e->ev;

    if ((ev->type != NUDGE_EVENT_PAGE_VIEW && ev->type != NUDGE_EVENT_VIEW_CART)
        || !nudge_str_is(&ev->page, "cart") || ev->url.len < 2
        || ev->url.data[0] != '/' || ev->url.data[1] == '/')
    {
        return NUDGE_OK;
    }

    path = ev->url;
    p = memchr(path.data, '?', path.len);

    if (p) {
        path.len = p - path.data;
    }

    return store_shop_cart_page(e->tx, &ev->shop, &path);
}


static nudge_int_t
effect_kind(effect_t *e)
{
    switch (e->ev->type) {

    case NUDGE_EVENT_IDENTIFY:
    case NUDGE_EVENT_LOGIN:
    case NUDGE_EVENT_SIGN_UP:
        return effect_identify(e);

    case NUDGE_EVENT_LOGOUT:
        return store_link_close(e->tx, &e->ev->shop, &e->ev->visitor, 0);

    case NUDGE_EVENT_SUBSCRIBE:
        return effect_subscribe(e);

    case NUDGE_EVENT_UNSUBSCRIBE:
        return effect_unsubscribe(e);

    case NUDGE_EVENT_CONSENT:
        return effect_consent(e);

    case NUDGE_EVENT_ORDER_ATTEMPT:
        return effect_attempt(e);

    case NUDGE_EVENT_ORDER_FAILED:
        return effect_resolve(e);

    case NUDGE_EVENT_PURCHASE:
        return effect_purchase(e);

    case NUDGE_EVENT_GAP:
        return effect_gap(e);

    default:
        return NUDGE_OK;
    }
}


/* what counts even for a bot: that an order happened, that somebody left */

static nudge_uint_t
effect_counts(const nudge_event_t *ev)
{
    return !ev->bot
           || ev->type == NUDGE_EVENT_PURCHASE
           || ev->type == NUDGE_EVENT_ORDER_ATTEMPT
           || ev->type == NUDGE_EVENT_ORDER_FAILED
           || ev->type == NUDGE_EVENT_UNSUBSCRIBE
           || ev->type == NUDGE_EVENT_CONSENT
           || ev->type == NUDGE_EVENT_GAP;
}


static nudge_int_t
effect_traffic(tx_t *tx, void *arg)
{
    effect_t  *e = arg;

    if (effect_products(e) != NUDGE_OK || effect_cart_page(e) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return effect_session(e);
}


nudge_int_t
effect_apply(tx_t *tx, flow_t *f, const nudge_event_t *ev)
{
    effect_t      e;
    nudge_int_t   rc;
    nudge_str_t   address;

    if (!effect_counts(ev)
        || (ev->shop.len == 0 && ev->type != NUDGE_EVENT_GAP))
    {
        return NUDGE_OK;
    }

    memset(&e, 0, sizeof(effect_t));
    e.tx = tx;
    e.flow = f;
    e.ev = ev;
    e.bundle = config_shop(f->conf, &ev->shop);

    if (ev->email.len) {
        address = store_normal(f->pool, &ev->email);
        store_address(tx, &address, e.hash);
    }

    if (nudge_event_is_trigger(ev->type) && ev->type != NUDGE_EVENT_GAP) {
        e.nids = store_link_all(tx, f->pool, &ev->shop, &ev->visitor,
                                &ev->contact, &ev->email, e.ids);
    }

    rc = effect_kind(&e);

    if (rc == NUDGE_DECLINED) {
        return NUDGE_OK;
    }

    /* what was withdrawn is not written down again */

    if (rc != NUDGE_OK || ev->bot
        || (ev->type == NUDGE_EVENT_CONSENT
            && nudge_str_is(&ev->reason, "withdrawn")))
    {
        return rc;
    }

    /* a session that cannot be kept must not undo an order or a consent */

    if (store_try(tx, effect_traffic, &e) == NUDGE_OK) {
        return NUDGE_OK;
    }

    return sql_failed(tx) ? NUDGE_ERROR : store_count(tx, "sessions_lost", "");
}
