
/*
 * Flows.  An episode waits for its step to be due, becomes a claim, and moves
 * on when that message has ended.  Nothing here sends or decides whether a
 * message may be sent: that is the guard's, at the last moment.
 */


#include <stdio.h>

#include "flow.h"
#include "store_shop.h"


static nudge_flow_t *
flow_of(const flow_t *f, const nudge_str_t *shop, const nudge_str_t *name)
{
    nudge_int_t      i;
    nudge_bundle_t  *b;

    b = config_shop(f->conf, shop);
    i = b ? config_flow(b, name) : -1;

    return i == -1 ? NULL : &b->campaign->flows[i];
}


nudge_int_t
flow_activate(tx_t *tx, flow_t *f)
{
    nudge_uint_t       i, n;
    nudge_campaign_t  *c;

    for (i = 0; i < f->conf->nshops; i++) {
        c = f->conf->shops[i]->campaign;

        for (n = 0; n < c->nflows; n++) {
            if (store_activation(tx, &c->shop.id, &c->flows[n].name, f->now)
                < 0)
            {
                return NUDGE_ERROR;
            }
        }
    }

    return NUDGE_OK;
}


/* a shopper who keeps changing the cart is left alone, but not for ever: a
 * cart that never rests would otherwise never be due */

int64_t
flow_cart_due(const nudge_flow_t *flow, int64_t first, int64_t changed)
{
    if (changed > first + FLOW_RESTARTS) {
        changed = first + FLOW_RESTARTS;
    }

    return changed + flow->steps[0].after * 1000;
}


nudge_int_t
flow_cart(tx_t *tx, flow_t *f, nudge_bundle_t *b, const nudge_str_t *visitor,
    int64_t first, int64_t changed)
{
    char              name[64];
    nudge_uint_t      i;
    nudge_flow_t     *flow;
    store_episode_t   e;

    snprintf(name, sizeof(name), "cart-%lld-%.*s", (long long) first,
             (int) (visitor->len < 8 ? visitor->len : 8), visitor->data);

    for (i = 0; i < b->campaign->nflows; i++) {
        flow = &b->campaign->flows[i];

        if (!nudge_str_is(&flow->on, "cart_abandoned") || flow->nsteps == 0) {
            continue;
        }

        if (!f->simulate
            && changed < store_activation(tx, &b->campaign->shop.id,
                                          &flow->name, f->now))
        {
            continue;
        }

        memset(&e, 0, sizeof(store_episode_t));
        e.shop = b->campaign->shop.id;
        e.flow = flow->name;
        e.visitor = *visitor;
        e.name = nudge_cstr(name);
        e.first = first;
        e.changed = changed;
        e.due = flow_cart_due(flow, first, changed);

        if (store_episode_put(tx, &e) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/* one run for each confirmation: the event's time is its name */

nudge_int_t
flow_subscribed(tx_t *tx, flow_t *f, nudge_bundle_t *b,
    const nudge_str_t *visitor, const char *contact, int64_t time)
{
    char              name[64];
    nudge_uint_t      i;
    nudge_flow_t     *flow;
    store_episode_t   e;

    snprintf(name, sizeof(name), "subscribed-%lld-%s", (long long) time,
             contact);

    for (i = 0; i < b->campaign->nflows; i++) {
        flow = &b->campaign->flows[i];

        if (!nudge_str_is(&flow->on, "subscribed") || flow->nsteps == 0) {
            continue;
        }

        if (!f->simulate
            && time < store_activation(tx, &b->campaign->shop.id, &flow->name,
                                       f->now))
        {
            continue;
        }

        memset(&e, 0, sizeof(store_episode_t));
        e.shop = b->campaign->shop.id;
        e.flow = flow->name;
        e.visitor = *visitor;
        e.name = nudge_cstr(name);
        snprintf(e.contact, sizeof(e.contact), "%s", contact);
        e.first = time;
        e.changed = time;
        e.due = time + flow->steps[0].after * 1000;

        if (store_episode_put(tx, &e) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


nudge_int_t
flow_confirm(tx_t *tx, flow_t *f, nudge_bundle_t *b,
    const nudge_str_t *visitor, const store_contact_t *contact,
    const nudge_str_t *offer, int64_t time)
{
    char              name[32];
    nudge_int_t       rc;
    store_message_t   m;

    if (store_message_asked(tx, &b->campaign->shop.id, contact->id,
                            time - FLOW_DAY))
    {
        return store_count(tx, "skipped", "asked_today");
    }

    snprintf(name, sizeof(name), "asked-%lld", (long long) time);

    memset(&m, 0, sizeof(store_message_t));
    m.shop = b->campaign->shop.id;
    snprintf(m.contact, sizeof(m.contact), "%s", contact->id);
    m.visitor = *visitor;
    m.flow = nudge_cstr("confirm");
    m.episode = nudge_cstr(name);
    m.mail = m.flow;
    m.offer = *offer;
    m.due = time;
    m.created = f->now;

    rc = store_message_claim(tx, &m);

    return rc == NUDGE_DECLINED ? NUDGE_OK : rc;
}


nudge_int_t
flow_stop(tx_t *tx, flow_t *f, const nudge_str_t *shop,
    const nudge_str_t *visitor, char ids[][STORE_CONTACT], nudge_uint_t n,
    const char *reason)
{
    nudge_uint_t  i;
    nudge_str_t   nobody;

    nudge_str_null(&nobody);

    if (visitor->len
        && store_episode_void(tx, shop, visitor, "", INT64_MAX, reason, f->now)
           != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (store_episode_void(tx, shop, &nobody, ids[i], INT64_MAX, reason,
                               f->now) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


/* too late to be of use; a contact that came to be known in time would have
 * had its claim */

static nudge_int_t
flow_drop(tx_t *tx, flow_t *f, const store_episode_t *e, const char *reason)
{
    if (store_episode_end(tx, e->id, "void", reason, f->now) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return store_count(tx, "skipped", reason);
}


static nudge_int_t
flow_claim(tx_t *tx, flow_t *f, const store_episode_t *e,
    const nudge_flow_t *flow, const char *contact)
{
    nudge_int_t       rc;
    store_message_t   m;

    memset(&m, 0, sizeof(store_message_t));
    m.shop = e->shop;
    snprintf(m.contact, sizeof(m.contact), "%s", contact);
    m.visitor = e->visitor;
    m.flow = e->flow;
    m.episode = e->name;
    m.run = e->id;
    m.step = e->step;
    m.mail = flow->steps[e->step].mail;
    m.due = e->due;
    m.created = f->now;

    rc = store_message_claim(tx, &m);

    if (rc == NUDGE_DECLINED) {
        return flow_drop(tx, f, e, "claimed");
    }

    if (rc != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return store_episode_wait(tx, e->id, contact, INT64_MAX);
}


static nudge_int_t
flow_due(tx_t *tx, flow_t *f, store_episode_t *e)
{
    char           contact[STORE_CONTACT];
    nudge_int_t    rc;
    nudge_flow_t  *flow;

    flow = flow_of(f, &e->shop, &e->flow);

    if (flow == NULL || e->step >= flow->nsteps) {
        return flow_drop(tx, f, e, "flow_gone");
    }

    memcpy(contact, e->contact, STORE_CONTACT);

    if (contact[0] == '\0') {
        rc = store_link_contact(tx, &e->shop, &e->visitor, contact);

        if (rc == NUDGE_ERROR) {
            return NUDGE_ERROR;
        }

        if (rc == NUDGE_DECLINED) {
            if (f->now > e->due + FLOW_OVERDUE) {
                return flow_drop(tx, f, e, "no_contact");
            }

            return store_episode_wait(tx, e->id, "",
                                      e->due + FLOW_OVERDUE + 1);
        }
    }

    return flow_claim(tx, f, e, flow, contact);
}


nudge_int_t
flow_tick(tx_t *tx, flow_t *f)
{
    nudge_int_t       rc;
    nudge_uint_t      i;
    store_episode_t   e;

    f->more = 0;

    for (i = 0; i < FLOW_BATCH; i++) {
        rc = store_episode_due(tx, f->pool, f->now, &e);

        if (rc != NUDGE_OK) {
            return rc == NUDGE_DECLINED ? NUDGE_OK : NUDGE_ERROR;
        }

        if (flow_due(tx, f, &e) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    f->more = 1;

    return NUDGE_OK;
}


/* a refusal of this one message, not of the whole run */

static nudge_uint_t
flow_goes_on(const char *reason)
{
    nudge_uint_t        i;
    static const char  *reasons[] = {
        "condition", "cap", "too_soon", "quiet", "sold_out", "overdue", NULL
    };

    for (i = 0; reasons[i]; i++) {
        if (strcmp(reason, reasons[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


nudge_int_t
flow_ended(tx_t *tx, flow_t *f, const store_message_t *m, const char *state,
    const char *reason)
{
    nudge_int_t       rc;
    nudge_uint_t      step;
    nudge_flow_t     *flow;
    store_episode_t   e;

    if (m->run == 0) {
        return NUDGE_OK;
    }

    rc = store_episode_get(tx, f->pool, m->run, &e);

    if (rc != NUDGE_OK || strcmp(e.state, "open") != 0) {
        return rc == NUDGE_ERROR ? NUDGE_ERROR : NUDGE_OK;
    }

    if (strcmp(state, "dead") == 0
        || (strcmp(state, "skipped") == 0 && !flow_goes_on(reason)))
    {
        return store_episode_end(tx, e.id, "void", reason, f->now);
    }

    flow = flow_of(f, &e.shop, &e.flow);
    step = m->step + 1;

    if (flow == NULL || step >= flow->nsteps) {
        return store_episode_end(tx, e.id, "done", reason, f->now);
    }

    return store_episode_step(tx, e.id, step,
                              f->now + flow->steps[step].after * 1000);
}


nudge_int_t
flow_recover(tx_t *tx, flow_t *f, nudge_uint_t *ambiguous)
{
    nudge_int_t       rc;
    nudge_flow_t     *flow;
    store_message_t   m;

    *ambiguous = 0;

    if (store_message_requeue(tx, f->now) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    for ( ;; ) {
        rc = store_message_final(tx, f->pool, &m);

        if (rc != NUDGE_OK) {
            return rc == NUDGE_DECLINED ? NUDGE_OK : NUDGE_ERROR;
        }

        flow = flow_of(f, &m.shop, &m.flow);

        if (flow && flow->ambiguous_resend) {
            rc = store_message_hold(tx, m.claim, "ambiguous", f->now);

        } else {
            (*ambiguous)++;
            rc = store_message_end(tx, m.claim, "ambiguous", "interrupted",
                                   f->now);

            if (rc == NUDGE_OK) {
                rc = flow_ended(tx, f, &m, "ambiguous", "interrupted");
            }
        }

        if (rc != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }
}
