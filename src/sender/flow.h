
/*
 * Flows: what a cart or a subscription starts, when each step of it is due,
 * and what ends it (D17).  All of it happens within jobs of the store; the
 * clock is an argument, so "nudge simulate" runs the very same code.
 */


#ifndef _NUDGE_FLOW_H_INCLUDED_
#define _NUDGE_FLOW_H_INCLUDED_


#include "config.h"
#include "store_episode.h"
#include "store_message.h"


#define FLOW_DAY       ((int64_t) 86400 * 1000)
#define FLOW_OVERDUE   FLOW_DAY         /* then a message is dropped */
#define FLOW_SILENCE   FLOW_DAY         /* after an order */
#define FLOW_ATTEMPT   FLOW_DAY         /* an unresolved attempt holds */
#define FLOW_RESTARTS  FLOW_DAY         /* a cart's clock may restart */
#define FLOW_CART      (30 * FLOW_DAY)  /* an untouched cart is forgotten */
#define FLOW_BATCH     64               /* episodes in one job */

typedef struct {
    const config_t     *conf;
    nudge_pool_t       *pool;       /* scratch, reset by the caller */
    int64_t             now;        /* ms */
    unsigned            simulate:1; /* flows have always been active */
    unsigned            more:1;
} flow_t;

/* since when carts and subscriptions count: called once at start */
nudge_int_t flow_activate(tx_t *tx, flow_t *f);
/* a cart with something in it has changed */
nudge_int_t flow_cart(tx_t *tx, flow_t *f, nudge_bundle_t *b,
    const nudge_str_t *visitor, int64_t first, int64_t changed);
/* a contact has confirmed */
nudge_int_t flow_subscribed(tx_t *tx, flow_t *f, nudge_bundle_t *b,
    const nudge_str_t *visitor, const char *contact, int64_t time);
/* a form was submitted: claims the double opt-in mail */
nudge_int_t flow_confirm(tx_t *tx, flow_t *f, nudge_bundle_t *b,
    const nudge_str_t *visitor, const store_contact_t *contact,
    const nudge_str_t *offer, int64_t time);
/* ends everything of these contacts, of their browsers and of this one */
nudge_int_t flow_stop(tx_t *tx, flow_t *f, const nudge_str_t *shop,
    const nudge_str_t *visitor, char ids[][STORE_CONTACT], nudge_uint_t n,
    const char *reason);

/* when this step of a cart's episode is due */
int64_t flow_cart_due(const nudge_flow_t *flow, int64_t first,
    int64_t changed);
/* turns due episodes into claims; f->more: call again */
nudge_int_t flow_tick(tx_t *tx, flow_t *f);
/* a message has ended: state, and for "skipped" the reason; moves its episode
 * on or ends it */
nudge_int_t flow_ended(tx_t *tx, flow_t *f, const store_message_t *m,
    const char *state, const char *reason);
/* puts right what a killed sender left behind; *ambiguous: their number */
nudge_int_t flow_recover(tx_t *tx, flow_t *f, nudge_uint_t *ambiguous);


#endif /* _NUDGE_FLOW_H_INCLUDED_ */
