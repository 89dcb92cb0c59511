
/*
 * What became of a message, written down; when it is tried again, and when a
 * relay is left alone.
 */


#include <poll.h>
#include <sys/random.h>

#include "dispatch_worker.h"
#include "log.h"


int64_t
dispatch_backoff(nudge_uint_t tries, u_char jitter)
{
    int64_t  minutes;

    minutes = tries > 6 ? 60 : (int64_t) 1 << (tries ? tries - 1 : 0);

    if (minutes > 60) {
        minutes = 60;
    }

    return minutes * 60000 + minutes * 7500 * jitter / 256;
}


typedef struct {
    dispatch_worker_t  *worker;
    const char         *state;      /* NULL: hold */
    const char         *reason;
    int64_t             until;
} dispatch_end_t;


static nudge_int_t
dispatch_end(tx_t *tx, void *arg)
{
    flow_t              f;
    nudge_int_t         rc;
    dispatch_end_t     *e = arg;
    store_message_t    *m;
    deliver_result_t   *r;

    m = &e->worker->message;
    r = &e->worker->result;
    dispatch_flow(e->worker, &f);

    if (r->code || r->text[0]) {
        rc = store_message_reply(tx, m->claim, r->code, r->enhanced,
                                 r->class != DELIVER_SENT);
        if (rc != NUDGE_OK) {
            return rc;
        }
    }

    if (e->state == NULL) {
        return store_message_hold(tx, m->claim, e->reason, e->until);
    }

    rc = store_message_end(tx, m->claim, e->state, e->reason, f.now);

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED ? NUDGE_OK : rc;
    }

    if (r->class == DELIVER_PERMANENT && r->bad_address) {
        rc = store_suppress(tx, &m->shop, &e->worker->guard.contact.address,
                            "bounced", f.now);
        if (rc != NUDGE_OK) {
            return rc;
        }
    }

    return flow_ended(tx, &f, m, e->state, e->reason);
}


/* what became of a message must be written: while the disk is full this
 * thread does nothing else */

void
dispatch_write(dispatch_worker_t *w, const char *state, const char *reason,
    int64_t until)
{
    dispatch_end_t  e;

    e.worker = w;
    e.state = state;
    e.reason = reason;
    e.until = until;

    nudge_pool_reset(w->scratch);

    while (store_run(w->dispatch->store, dispatch_end, &e) != NUDGE_OK) {

        nudge_log(NUDGE_LOG_ALERT, "message %s: \"%s\" could not be written",
                  w->message.claim, state ? state : reason);

        if (w->dispatch->stopping) {
            return;
        }

        poll(NULL, 0, 1000);
    }
}


static dispatch_relay_t *
dispatch_relay(dispatch_worker_t *w)
{
    nudge_uint_t     i;
    const config_t  *conf;

    conf = w->dispatch->conf;

    for (i = 0; i + 1 < conf->nshops && i + 1 < DISPATCH_RELAYS; i++) {
        if (conf->shops[i] == w->guard.bundle) {
            break;
        }
    }

    return &w->dispatch->relays[i];
}


static void
dispatch_judge_relay(dispatch_worker_t *w)
{
    int64_t            wait;
    dispatch_relay_t  *relay;

    relay = dispatch_relay(w);

    pthread_mutex_lock(&w->dispatch->lock);

    if (w->result.class == DELIVER_TEMPORARY
        && w->result.stage == DELIVER_AT_CONNECT)
    {
        wait = relay->failures > 5 ? 60000
                                   : (int64_t) 2000 << relay->failures;
        relay->failures++;
        relay->until = nudge_monotonic() + wait;

    } else {
        relay->failures = 0;
        relay->until = 0;
    }

    pthread_mutex_unlock(&w->dispatch->lock);
}


static void
dispatch_later(dispatch_worker_t *w, const char *reason)
{
    u_char   jitter;
    int64_t  next;

    if (getrandom(&jitter, 1, 0) != 1) {
        jitter = 0;
    }

    next = nudge_now() + dispatch_backoff(w->message.tries + 1, jitter);

    if (next > w->message.due + FLOW_OVERDUE) {
        dispatch_write(w, "dead", "gave_up", 0);
        return;
    }

    dispatch_write(w, NULL, reason, next);
}


void
dispatch_result(dispatch_worker_t *w)
{
    deliver_result_t  *r;

    r = &w->result;
    dispatch_judge_relay(w);

    nudge_log(r->class == DELIVER_SENT ? NUDGE_LOG_INFO : NUDGE_LOG_WARN,
              "message %s to %s: %s, %u \"%s\"", w->message.claim,
              w->message.contact,
              w->refused ? w->guard.reason : deliver_class_name(r->class),
              (unsigned) r->code, r->enhanced);

    switch (r->class) {

    case DELIVER_SENT:
        dispatch_write(w, "sent", "", 0);
        break;

    case DELIVER_TEMPORARY:
        dispatch_later(w, r->stage == DELIVER_AT_CONNECT ? "relay_down"
                                                         : "relay_later");
        break;

    case DELIVER_PERMANENT:
        dispatch_write(w, "dead", r->bad_address ? "bad_address" : "refused",
                       0);
        break;

    case DELIVER_AMBIGUOUS:
        if (w->guard.step_of && w->guard.step_of->ambiguous_resend) {
            dispatch_later(w, "ambiguous");

        } else {
            dispatch_write(w, "ambiguous", "no_reply", 0);
        }

        break;

    case DELIVER_ABORTED:
        if (!w->refused) {
            dispatch_write(w, NULL, "interrupted",
                           nudge_now() + (w->dispatch->stopping
                                          ? 0 : GUARD_RETRY / 6));
        }

        break;
    }
}


nudge_uint_t
dispatch_relay_rests(dispatch_worker_t *w)
{
    int64_t  until;

    pthread_mutex_lock(&w->dispatch->lock);
    until = dispatch_relay(w)->until - nudge_monotonic();
    pthread_mutex_unlock(&w->dispatch->lock);

    if (until <= 0) {
        return 0;
    }

    dispatch_write(w, NULL, "relay_down", nudge_now() + until);

    return 1;
}
