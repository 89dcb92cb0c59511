
/*
 * The guard's questions, in the order that gives the most telling reason.
 * When in doubt, do not send: a question the store could not answer holds the
 * message.
 */


#include <stdio.h>

#include "guard.h"
#include "sql.h"
#include "store_shop.h"
#include "timezone.h"


typedef struct {
    char                hash[65];
    store_episode_t     episode;
    store_visitor_t     visitor;
    int64_t             ordered;    /* last order we know of, ms or 0 */
} guard_facts_t;

/* NUDGE_OK: no objection; NUDGE_DECLINED: g has the verdict */
typedef nudge_int_t (*guard_question_pt)(tx_t *tx, guard_t *g,
    guard_facts_t *facts);


static nudge_int_t
guard_skip(guard_t *g, const char *reason)
{
    g->verdict = GUARD_SKIP;
    g->reason = reason;

    return NUDGE_DECLINED;
}


/* what cannot go out before it is overdue need not wait */

static nudge_int_t
guard_hold(guard_t *g, const char *reason, int64_t until)
{
    if (until > g->message->due + FLOW_OVERDUE) {
        return guard_skip(g, reason);
    }

    g->verdict = GUARD_HOLD;
    g->reason = reason;
    g->until = until;

    return NUDGE_DECLINED;
}


/* held until something happens, at the latest until it is overdue */

static nudge_int_t
guard_wait(guard_t *g, const char *reason, int64_t until)
{
    int64_t  overdue;

    overdue = g->message->due + FLOW_OVERDUE + 1;

    g->verdict = GUARD_HOLD;
    g->reason = reason;
    g->until = until < overdue ? until : overdue;

    return NUDGE_DECLINED;
}


static nudge_int_t
guard_configured(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    nudge_int_t             i;
    const store_message_t  *m;

    m = g->message;
    g->bundle = config_shop(g->flow->conf, &m->shop);

    if (g->flow->now > m->due + FLOW_OVERDUE) {
        return guard_skip(g, nudge_str_is(&m->reason, "not_confirmed")
                             ? "not_confirmed" : "overdue");
    }

    if (g->bundle == NULL) {
        return guard_skip(g, "flow_gone");
    }

    if (m->run) {
        i = config_flow(g->bundle, &m->flow);

        if (i == -1 || m->step >= g->bundle->campaign->flows[i].nsteps) {
            return guard_skip(g, "flow_gone");
        }

        g->step_of = &g->bundle->campaign->flows[i];
    }

    if (!g->bundle->campaign->sends) {
        return guard_hold(g, "sending_off", g->flow->now + GUARD_RETRY);
    }

    return NUDGE_OK;
}


static nudge_int_t
guard_episode(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    nudge_int_t       rc;
    nudge_str_t       why;
    store_episode_t  *e;

    if (g->step_of == NULL) {
        return NUDGE_OK;
    }

    e = &facts->episode;
    rc = store_episode_get(tx, g->flow->pool, g->message->run, e);

    if (rc == NUDGE_ERROR) {
        return guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }

    if (rc == NUDGE_OK && strcmp(e->state, "open") == 0) {
        return NUDGE_OK;
    }

    /* the order, the unsubscribe, the gap that ended it: say so */

    why = nudge_cstr(rc == NUDGE_OK && e->reason[0] ? e->reason
                                                    : "episode_ended");

    if (nudge_pstrdup(g->flow->pool, &why, &why) != NUDGE_OK) {
        return guard_skip(g, "episode_ended");
    }

    return guard_skip(g, (char *) why.data);
}


static nudge_int_t
guard_person(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    char          reason[32];
    nudge_int_t   rc;
    nudge_str_t   id;

    id = nudge_cstr(g->message->contact);
    rc = store_contact_id(tx, g->flow->pool, &g->message->shop, &id,
                          &g->contact);

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED
               ? guard_skip(g, "no_contact")
               : guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }

    store_address(tx, &g->contact.address, facts->hash);
    rc = store_suppressed(tx, &g->message->shop, &g->contact.address, reason);

    if (rc == NUDGE_ERROR) {
        return guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }

    /* who left may ask to come back, a dead address may not */

    if (rc == NUDGE_OK
        && (g->step_of || strcmp(reason, "unsubscribed") != 0))
    {
        return guard_skip(g, strcmp(reason, "unsubscribed") == 0
                             ? "unsubscribed" : "suppressed");
    }

    if (g->step_of == NULL) {
        return strcmp(g->contact.status, "pending") == 0
               ? NUDGE_OK : guard_skip(g, "not_pending");
    }

    if (strcmp(g->contact.status, "unsubscribed") == 0) {
        return guard_skip(g, "unsubscribed");
    }

    facts->ordered = store_order_last(tx, &g->message->shop,
                                      g->message->contact, facts->hash,
                                      &g->message->visitor);

    if (strcmp(g->contact.status, "confirmed") == 0
        || (g->bundle->campaign->mail.customers && facts->ordered))
    {
        return NUDGE_OK;
    }

    /* asked, and may answer yet: the confirmation wakes it */

    if (strcmp(g->contact.status, "pending") == 0) {
        return guard_wait(g, "not_confirmed", INT64_MAX);
    }

    return guard_skip(g, "not_confirmed");
}


/* an order anywhere ends a recovery; one that may just be happening holds */

static nudge_int_t
guard_order(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    int64_t  now, ordered, attempt;

    if (g->step_of == NULL || !nudge_str_is(&g->step_of->on, "cart_abandoned"))
    {
        return NUDGE_OK;
    }

    now = g->flow->now;
    ordered = facts->ordered;

    if (g->session && g->session->ordered > ordered) {
        ordered = g->session->ordered;
    }

    if (ordered >= facts->episode.first) {
        return guard_skip(g, "ordered");
    }

    if (ordered > now - FLOW_SILENCE) {
        return guard_skip(g, "after_order");
    }

    if (store_gap_since(tx, &g->message->shop, facts->episode.first)) {
        return guard_skip(g, "gap");
    }

    attempt = store_attempt_open(tx, &g->message->shop, g->message->contact,
                                 facts->hash, &g->message->visitor,
                                 now - FLOW_ATTEMPT);
    if (attempt) {
        return guard_wait(g, "order_pending", attempt + FLOW_ATTEMPT);
    }

    if (g->session && g->session->attempted > now - FLOW_ATTEMPT) {
        return guard_hold(g, "order_pending", now + GUARD_RETRY);
    }

    return NUDGE_OK;
}


static nudge_int_t
guard_live(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    switch (g->live) {

    case GUARD_LIVE_UNKNOWN:
        return guard_hold(g, "session_unknown", g->flow->now + GUARD_RETRY);

    case GUARD_LIVE_OTHER:
        return guard_hold(g, "other_store", g->flow->now + GUARD_RETRY);

    default:
        return NUDGE_OK;
    }
}


/* the cart as it is now.  The live session counts when it has seen a later
 * change than our journal has (another host's); a copy that merely forgot an
 * idle cart has not */

static nudge_int_t
guard_cart(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    int64_t           changed, due;
    nudge_str_t       visitor;
    nudge_pool_t     *pool;
    store_visitor_t  *v;

    if (g->step_of == NULL || !nudge_str_is(&g->step_of->on, "cart_abandoned"))
    {
        return NUDGE_OK;
    }

    v = &facts->visitor;
    pool = g->flow->pool;
    visitor = facts->episode.visitor;

    if (store_visitor_get(tx, pool, &g->message->shop, &visitor, v)
        != NUDGE_OK)
    {
        return guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }

    changed = facts->episode.changed > v->cart_changed
              ? facts->episode.changed : v->cart_changed;

    if (g->session && g->session->cart_changed > changed) {
        changed = g->session->cart_changed;

        if (nudge_session_merge(&v->session, pool, g->session) != NUDGE_OK) {
            return guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
        }
    }

    if (nudge_session_cart(&v->session, pool, &g->cart) != NUDGE_OK) {
        return guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }

    if (g->cart.n == 0) {
        return guard_skip(g, "cart_empty");
    }

    due = flow_cart_due(g->step_of, facts->episode.first, changed);

    if (g->message->step == 0 && due > g->flow->now) {
        return guard_hold(g, "cart_active", due);
    }

    return NUDGE_OK;
}


static nudge_int_t
guard_one_at_a_time(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    int64_t                 since;
    const store_message_t  *m;

    m = g->message;

    if (g->step_of == NULL) {
        return NUDGE_OK;
    }

    if (store_message_busy(tx, m)) {
        return guard_hold(g, "busy", g->flow->now + 2000);
    }

    if (m->step == 0
        && store_episode_other(tx, &m->shop, m->contact, m->run))
    {
        return guard_hold(g, "other_flow", g->flow->now + 10 * GUARD_RETRY);
    }

    /* the same cart seen on a second device, or rebuilt: once is enough */

    since = g->flow->now - FLOW_DAY;

    if (facts->episode.first && facts->episode.first < since) {
        since = facts->episode.first;
    }

    if (store_message_again(tx, m, since)) {
        return guard_skip(g, "reminded");
    }

    return NUDGE_OK;
}


static nudge_int_t
guard_condition(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    nudge_uint_t      failed, ok;
    nudge_facts_t     n;
    nudge_session_t  *s;

    if (g->step_of == NULL) {
        return NUDGE_OK;
    }

    s = &facts->visitor.session;

    memset(&n, 0, sizeof(nudge_facts_t));
    n.cart_total = g->cart.total;
    n.cart_items = g->cart.items;
    n.pages = s->pages;
    n.visits = s->visits;
    n.viewed = s->nviewed;
    n.subscribed = strcmp(g->contact.status, "confirmed") == 0;
    n.ordered = facts->ordered > g->flow->now - FLOW_DAY;
    n.person = 1;

    failed = 0;
    ok = nudge_campaign_step(g->bundle->campaign,
                             g->step_of - g->bundle->campaign->flows,
                             g->message->step, &n, &failed);

    return ok && !failed ? NUDGE_OK : guard_skip(g, "condition");
}


static void
guard_fill(nudge_item_t *item, const nudge_item_t *known)
{
    if (item->name.len == 0) {
        item->name = known->name;
    }

    if (item->url.len == 0) {
        item->url = known->url;
    }

    if (item->image.len == 0) {
        item->image = known->image;
    }

    if (item->parent.len == 0) {
        item->parent = known->parent;
    }
}


/* fills a cart line from what the shop's pages told since; NUDGE_DECLINED:
 * not to be shown */

static nudge_int_t
guard_product(tx_t *tx, guard_t *g, int64_t changed, nudge_item_t *item,
    nudge_uint_t *sold_out)
{
    nudge_int_t       rc;
    nudge_product_t   p, parent;

    rc = store_product_get(tx, g->flow->pool, &g->message->shop, &item->id,
                           &p);

    if (rc == NUDGE_OK) {
        guard_fill(item, &p.item);

        if (p.item.price != NUDGE_MONEY_NONE
            && (item->price == NUDGE_MONEY_NONE || p.seen > changed)
            && (item->currency.len == 0
                || nudge_str_eq(&item->currency, &p.item.currency)))
        {
            item->price = p.item.price;
            item->currency = p.item.currency;
        }

        item->stock = p.item.stock;
    }

    if (item->parent.len
        && store_product_get(tx, g->flow->pool, &g->message->shop,
                             &item->parent, &parent) == NUDGE_OK)
    {
        guard_fill(item, &parent.item);
    }

    if (item->stock == NUDGE_STOCK_OUT) {
        *sold_out = 1;
        return NUDGE_DECLINED;
    }

    return item->name.len ? NUDGE_OK : NUDGE_DECLINED;
}


/* in stock and at the price shown; what is sold out is left out of the mail */

static nudge_int_t
guard_stock(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    nudge_uint_t   i, n, sold_out;
    nudge_cart_t  *cart;
    nudge_item_t  *line;

    if (g->cart.n == 0) {
        return NUDGE_OK;
    }

    n = 0;
    sold_out = 0;
    cart = &g->cart;
    cart->items = 0;
    cart->total = 0;

    for (i = 0; i < cart->n; i++) {
        line = &cart->lines[i];

        if (guard_product(tx, g, facts->visitor.cart_changed, line, &sold_out)
            != NUDGE_OK)
        {
            continue;
        }

        cart->items += line->quantity;

        if (line->price == NUDGE_MONEY_NONE
            || cart->total == NUDGE_MONEY_NONE)
        {
            cart->total = NUDGE_MONEY_NONE;

        } else {
            cart->total += line->price * line->quantity;
        }

        cart->lines[n++] = *line;
    }

    cart->n = n;

    if (n == 0) {
        return guard_skip(g, sold_out ? "sold_out" : "products_unknown");
    }

    return NUDGE_OK;
}


static nudge_int_t
guard_moderation(tx_t *tx, guard_t *g, guard_facts_t *facts)
{
    int64_t              now, first, last, end;
    nudge_uint_t         n;
    const timezone_t    *tz;
    nudge_moderation_t  *mod;

    if (g->step_of == NULL) {
        return NUDGE_OK;
    }

    now = g->flow->now;
    mod = &g->bundle->campaign->moderation;

    if (mod->max && mod->per) {
        n = store_message_count(tx, &g->message->shop, g->message->contact,
                                now - mod->per * 1000, &first, &last);
        if (n >= mod->max) {
            return guard_hold(g, "cap", first + mod->per * 1000);
        }
    }

    if (mod->gap) {
        n = store_message_count(tx, &g->message->shop, g->message->contact,
                                now - mod->gap * 1000, &first, &last);
        if (n) {
            return guard_hold(g, "too_soon", last + mod->gap * 1000);
        }
    }

    tz = timezone_get(&g->bundle->campaign->shop.timezone);

    if (tz == NULL) {
        return guard_hold(g, "timezone_unknown", now + GUARD_RETRY);
    }

    end = timezone_quiet(tz, now, mod->quiet_from, mod->quiet_to);

    if (end) {
        return guard_hold(g, "quiet", end);
    }

    return NUDGE_OK;
}


static nudge_uint_t
guard_in_cart(const nudge_cart_t *cart, const nudge_item_t *item)
{
    nudge_uint_t  i;

    for (i = 0; i < cart->n; i++) {
        if (nudge_str_eq(&cart->lines[i].id, &item->id)
            || nudge_str_eq(&cart->lines[i].parent, &item->id)
            || nudge_str_eq(&cart->lines[i].url, &item->url))
        {
            return 1;
        }
    }

    return 0;
}


/* what others like, for the end of the mail; never a reason not to send it */

static void
guard_recommend(tx_t *tx, guard_t *g)
{
    nudge_int_t       n, i;
    nudge_item_t     *item;
    nudge_product_t  *products;

    products = nudge_palloc(g->flow->pool, 64 * sizeof(nudge_product_t));

    if (products == NULL) {
        return;
    }

    n = store_products(tx, g->flow->pool, &g->message->shop, g->flow->now,
                       products, 64);

    for (i = 0; i < n && g->nrecommend < GUARD_RECOMMEND; i++) {
        item = &products[i].item;

        if (item->name.len && item->url.len && item->image.len
            && item->price != NUDGE_MONEY_NONE
            && item->stock != NUDGE_STOCK_OUT
            && !guard_in_cart(&g->cart, item))
        {
            g->recommend[g->nrecommend++] = *item;
        }
    }
}


void
guard_look(tx_t *tx, guard_t *g)
{
    nudge_uint_t    i, errors;
    guard_facts_t   facts;

    static const guard_question_pt  questions[] = {
        guard_configured, guard_episode, guard_person, guard_order, guard_live,
        guard_cart, guard_one_at_a_time, guard_condition, guard_stock,
        guard_moderation, NULL
    };

    memset(&facts, 0, sizeof(guard_facts_t));
    g->verdict = GUARD_SEND;
    g->reason = "";
    errors = sql_errors(tx);

    for (i = 0; questions[i]; i++) {
        if (questions[i](tx, g, &facts) != NUDGE_OK) {
            break;
        }
    }

    if (g->verdict == GUARD_SEND && !g->final) {
        g->cart_page = store_shop_get_cart_page(tx, g->flow->pool,
                                                &g->message->shop);
        if (g->cart.n) {
            guard_recommend(tx, g);
        }
    }

    if (sql_errors(tx) != errors && g->verdict == GUARD_SEND) {
        (void) guard_hold(g, "store_failed", g->flow->now + GUARD_RETRY);
    }
}


nudge_int_t
guard_record(tx_t *tx, const guard_t *g)
{
    nudge_int_t             rc;
    const store_message_t  *m;

    m = g->message;

    if (g->verdict == GUARD_HOLD) {
        return store_message_hold(tx, m->claim, g->reason, g->until);
    }

    rc = store_message_end(tx, m->claim, "skipped", g->reason, g->flow->now);

    if (rc != NUDGE_OK) {
        return rc;
    }

    return flow_ended(tx, g->flow, m, "skipped", g->reason);
}
