
/*
 * What the files of the delivery threads share.  Nobody else includes this.
 */


#ifndef _NUDGE_DISPATCH_WORKER_H_INCLUDED_
#define _NUDGE_DISPATCH_WORKER_H_INCLUDED_


#include <pthread.h>
#include <stdatomic.h>

#include "compose.h"
#include "deliver_smtp.h"
#include "dispatch.h"
#include "guard.h"
#include "live.h"


#define DISPATCH_MEMORY    (8 * COMPOSE_MAX)
#define DISPATCH_BROWSERS  8        /* of one contact, looked at live */
#define DISPATCH_RELAYS    64       /* shops whose relay is remembered */

typedef struct {
    dispatch_t         *dispatch;
    pthread_t           thread;
    deliver_smtp_t     *smtp;
    live_t             *live;
    nudge_pool_t       *pool;       /* the message */
    nudge_pool_t       *scratch;    /* a job */
    flow_t              flow;
    store_message_t     message;
    guard_t             guard;
    nudge_session_t     session;
    nudge_str_t         browsers[DISPATCH_BROWSERS];
    nudge_uint_t        nbrowsers;
    deliver_result_t    result;
    unsigned            refused:1;  /* the last look has written its verdict */
} dispatch_worker_t;

/* a relay that cannot be reached is left alone for a moment: each of its
 * messages would only find out for itself */

typedef struct {
    nudge_uint_t        failures;
    int64_t             until;      /* monotonic ms */
} dispatch_relay_t;

struct dispatch_s {
    const config_t     *conf;
    store_t            *store;
    ingest_t           *ingest;
    dispatch_worker_t   workers[DISPATCH_THREADS];
    nudge_uint_t        n;
    pthread_mutex_t     lock;
    pthread_cond_t      wake;
    nudge_uint_t        work;
    dispatch_relay_t    relays[DISPATCH_RELAYS];
    atomic_int          stopping;
};


/* dispatch.c: a job's view of the flows, now */
void dispatch_flow(dispatch_worker_t *w, flow_t *f);

/* dispatch_send.c: from "taken" to its end */
void dispatch_one(dispatch_worker_t *w);

/* dispatch_result.c: the end of w->message: a state and its reason, or (state
 * NULL) held until then */
void dispatch_write(dispatch_worker_t *w, const char *state,
    const char *reason, int64_t until);
/* what w->result means for it and for the relay */
void dispatch_result(dispatch_worker_t *w);
/* the relay is left alone for now; the message is held */
nudge_uint_t dispatch_relay_rests(dispatch_worker_t *w);


#endif /* _NUDGE_DISPATCH_WORKER_H_INCLUDED_ */
