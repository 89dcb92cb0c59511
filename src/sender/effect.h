
/*
 * What an event does to the store: contacts, consent, carts, orders,
 * products, and what these start or stop.  Called once for each event, in the
 * transaction that also moves the journal's position.
 */


#ifndef _NUDGE_EFFECT_H_INCLUDED_
#define _NUDGE_EFFECT_H_INCLUDED_


#include "flow.h"


/* NUDGE_OK; NUDGE_ERROR: roll it back */
nudge_int_t effect_apply(tx_t *tx, flow_t *f, const nudge_event_t *ev);


#endif /* _NUDGE_EFFECT_H_INCLUDED_ */
