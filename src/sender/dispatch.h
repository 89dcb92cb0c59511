
/*
 * The delivery threads: each takes the message that is due first, looks at
 * the live session, reads the journal to its end, asks the guard, composes,
 * and hands over; then writes down what became of it.  All the durable states
 * of a claim (store_message.h) are passed here and nowhere else.
 */


#ifndef _NUDGE_DISPATCH_H_INCLUDED_
#define _NUDGE_DISPATCH_H_INCLUDED_


#include "ingest.h"


#define DISPATCH_THREADS  2
#define DISPATCH_DRAIN    3000      /* ms a delivery may take to end */

typedef struct dispatch_s  dispatch_t;

/* NULL and *error */
dispatch_t *dispatch_start(const config_t *conf, store_t *store,
    ingest_t *ingest, nudge_error_t *error);
/* there may be something to do */
void dispatch_wake(dispatch_t *d);
/* ends what can be ended within DISPATCH_DRAIN.  NUDGE_AGAIN: a thread still
 * waits for a reply to its final dot; the process may only exit */
nudge_int_t dispatch_stop(dispatch_t *d);

/* ms until try number "tries" (1: the second one) is made: 1, 2, 4 ... 60
 * minutes; jitter: 0..255 spreads it by an eighth */
int64_t dispatch_backoff(nudge_uint_t tries, u_char jitter);


#endif /* _NUDGE_DISPATCH_H_INCLUDED_ */
