
/*
 * Episodes: one run of a flow for one browser's cart or one contact.  "open"
 * until its last step is through ("done") or something ended it ("void" and
 * the reason).  "next" is when the flow has to look at it; NULL while a
 * message of it is on its way.
 */


#ifndef _NUDGE_STORE_EPISODE_H_INCLUDED_
#define _NUDGE_STORE_EPISODE_H_INCLUDED_


#include "store_contact.h"


typedef struct {
    int64_t         id;
    nudge_str_t     shop;
    nudge_str_t     flow;
    nudge_str_t     visitor;
    char            contact[STORE_CONTACT];     /* "" until one is known */
    nudge_str_t     name;
    int64_t         first;          /* ms: the cart's first line */
    int64_t         changed;        /* ms: its last change, the trigger */
    nudge_uint_t    step;           /* the next one to send */
    int64_t         due;
    char            state[8];
    char            reason[32];
} store_episode_t;

/* opens it, or moves its clock while nothing of it is on its way; one that
 * has ended stays ended */
nudge_int_t store_episode_put(tx_t *tx, const store_episode_t *e);
nudge_int_t store_episode_get(tx_t *tx, nudge_pool_t *pool, int64_t id,
    store_episode_t *e);
/* the earliest that is due; NUDGE_DECLINED: none */
nudge_int_t store_episode_due(tx_t *tx, nudge_pool_t *pool, int64_t now,
    store_episode_t *e);
/* to be looked at then; INT64_MAX: not before a message of it has ended */
nudge_int_t store_episode_wait(tx_t *tx, int64_t id, const char *contact,
    int64_t next);
nudge_int_t store_episode_step(tx_t *tx, int64_t id, nudge_uint_t step,
    int64_t due);
nudge_int_t store_episode_end(tx_t *tx, int64_t id, const char *state,
    const char *reason, int64_t now);
/* ends all open ones of a visitor, a contact, or (both empty) those of the
 * shop that began before "before"; their queued messages are skipped.
 * Shop empty: of every shop */
nudge_int_t store_episode_void(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, const char *contact, int64_t before,
    const char *reason, int64_t now);
/* a contact became known for this visitor: those that waited for one */
nudge_int_t store_episode_known(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor);
/* another flow is underway with this contact */
nudge_uint_t store_episode_other(tx_t *tx, const nudge_str_t *shop,
    const char *contact, int64_t id);


#endif /* _NUDGE_STORE_EPISODE_H_INCLUDED_ */
