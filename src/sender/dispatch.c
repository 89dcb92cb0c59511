
/*
 * One message, from "taken" to its end.  Every step that may lead to a second
 * copy is durable before it is taken: "attempt" before the first byte of the
 * message, "final" before the final dot.  A kill at any instant therefore
 * leaves either a message that is known unsent or one that is reported as
 * ambiguous.
 */


#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "compose.h"
#include "deliver_smtp.h"
#include "dispatch.h"
#include "guard.h"
#include "live.h"
#include "log.h"
#include "sql.h"
#include "store_shop.h"


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
    volatile int        stopping;
};


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


static void
dispatch_flow(dispatch_worker_t *w, flow_t *f)
{
    memset(f, 0, sizeof(flow_t));
    f->conf = w->dispatch->conf;
    f->pool = w->scratch;
    f->now = nudge_now();
}


/* takes a message, and the browsers whose live sessions matter to it */

static nudge_int_t
dispatch_take(tx_t *tx, void *arg)
{
    sql_t              *q;
    nudge_int_t         rc;
    store_message_t    *m;
    dispatch_worker_t  *w = arg;

    m = &w->message;
    rc = store_message_take(tx, w->pool, nudge_now(), m);

    if (rc != NUDGE_OK) {
        return rc;
    }

    w->nbrowsers = 0;

    if (m->visitor.len) {
        w->browsers[w->nbrowsers++] = m->visitor;
    }

    q = sql_query(tx, "select visitor from link where shop = ? and contact = ?"
                  " and visitor <> ? order by time desc limit 7", "szs",
                  &m->shop, m->contact, &m->visitor);

    while (w->nbrowsers < DISPATCH_BROWSERS && sql_row(q) == 1) {
        w->browsers[w->nbrowsers++] = sql_text(q, w->pool, 0);
    }

    return sql_end(q);
}


/* the first browser's session is the one the message is about; of the others
 * it matters only whether they have ordered */

static guard_live_t
dispatch_look(dispatch_worker_t *w)
{
    nudge_int_t       rc;
    nudge_uint_t      i;
    nudge_session_t   s;

    w->guard.session = NULL;

    if (!live_configured(w->live)) {
        return GUARD_LIVE_NONE;
    }

    rc = live_store(w->live, &w->message.shop,
                    store_uuid(w->dispatch->store));

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED ? GUARD_LIVE_OTHER : GUARD_LIVE_UNKNOWN;
    }

    memset(&w->session, 0, sizeof(nudge_session_t));

    for (i = 0; i < w->nbrowsers; i++) {
        rc = live_session(w->live, w->pool, &w->message.shop, &w->browsers[i],
                          &s);

        if (rc == NUDGE_ERROR) {
            return GUARD_LIVE_UNKNOWN;
        }

        if (rc == NUDGE_DECLINED) {
            continue;
        }

        if (i == 0 && w->message.visitor.len) {
            w->session = s;
            continue;
        }

        if (s.ordered > w->session.ordered) {
            w->session.ordered = s.ordered;
        }

        if (s.attempted > w->session.attempted) {
            w->session.attempted = s.attempted;
        }
    }

    w->guard.session = &w->session;

    return GUARD_LIVE_KNOWN;
}


static nudge_int_t
dispatch_guard(tx_t *tx, void *arg)
{
    dispatch_worker_t  *w = arg;

    w->flow.now = nudge_now();
    guard_look(tx, &w->guard);

    return w->guard.verdict == GUARD_SEND ? NUDGE_OK
                                          : guard_record(tx, &w->guard);
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

static void
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


static nudge_int_t
dispatch_attempt(tx_t *tx, void *arg)
{
    dispatch_worker_t  *w = arg;

    return store_message_move(tx, w->message.claim, "taken", "attempt",
                              nudge_now());
}


static nudge_int_t
dispatch_before_data(void *arg)
{
    dispatch_worker_t  *w = arg;

    return store_run(w->dispatch->store, dispatch_attempt, w);
}


/* the verdict and the right to give the final dot, in one transaction */

static nudge_int_t
dispatch_final(tx_t *tx, void *arg)
{
    guard_t             g;
    flow_t              f;
    dispatch_worker_t  *w = arg;

    dispatch_flow(w, &f);

    memset(&g, 0, sizeof(guard_t));
    g.flow = &f;
    g.message = &w->message;
    g.live = w->guard.live;
    g.session = w->guard.session;
    g.final = 1;

    guard_look(tx, &g);

    if (g.verdict == GUARD_SEND) {
        return store_message_move(tx, w->message.claim, "attempt", "final",
                                  f.now);
    }

    if (guard_record(tx, &g) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    w->refused = 1;
    w->guard.reason = g.reason;

    return NUDGE_OK;
}


static nudge_int_t
dispatch_last_look(void *arg)
{
    nudge_int_t         rc;
    dispatch_worker_t  *w = arg;

    if (ingest_drain(w->dispatch->ingest) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_pool_reset(w->scratch);
    rc = store_run(w->dispatch->store, dispatch_final, w);

    if (rc != NUDGE_OK) {
        w->refused = 0;
        return NUDGE_ERROR;
    }

    return w->refused ? NUDGE_DECLINED : NUDGE_OK;
}


static nudge_int_t
dispatch_halt(void *arg)
{
    dispatch_worker_t  *w = arg;

    return w->dispatch->stopping ? NUDGE_ERROR : NUDGE_OK;
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


static void
dispatch_result(dispatch_worker_t *w)
{
    deliver_result_t  *r;

    r = &w->result;

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


static char *
dispatch_cstr(nudge_pool_t *pool, const nudge_str_t *s)
{
    nudge_str_t  copy;

    if (s->len == 0 || nudge_pstrdup(pool, &copy, s) != NUDGE_OK) {
        return NULL;
    }

    return (char *) copy.data;
}


static void
dispatch_send(dispatch_worker_t *w, const compose_message_t *mail)
{
    nudge_mail_t     *conf;
    deliver_calls_t   calls;
    deliver_relay_t   relay;

    conf = &w->guard.bundle->campaign->mail;

    memset(&relay, 0, sizeof(deliver_relay_t));
    relay.url = dispatch_cstr(w->pool, &conf->relay);
    relay.user = dispatch_cstr(w->pool, &conf->user);
    relay.password = dispatch_cstr(w->pool, &conf->password);
    relay.tls = conf->tls;

    calls.before_data = dispatch_before_data;
    calls.last_look = dispatch_last_look;
    calls.stop = dispatch_halt;
    calls.arg = w;

    deliver_smtp_send(w->smtp, &relay, &mail->from, &mail->to, &mail->bytes,
                      &calls, &w->result);

    dispatch_judge_relay(w);
    dispatch_result(w);
}


static nudge_int_t
dispatch_compose(dispatch_worker_t *w, compose_message_t *mail,
    const char **reason)
{
    guard_t    *g;
    compose_t   c;

    g = &w->guard;

    memset(&c, 0, sizeof(compose_t));
    c.bundle = g->bundle;
    c.keys = &w->dispatch->conf->keys;
    c.mail = w->message.mail;
    c.flow = g->step_of ? w->message.flow : c.flow;
    c.claim = nudge_cstr(w->message.claim);
    c.contact = nudge_cstr(w->message.contact);
    c.email = g->contact.email;
    c.time = w->message.created / 1000;
    c.cart = g->cart.lines;
    c.ncart = g->cart.n;
    c.cart_page = g->cart_page;
    c.recommend = g->recommend;
    c.nrecommend = g->nrecommend;
    c.marketing = g->step_of != NULL;

    return compose_message(w->pool, &c, mail, reason);
}


static void
dispatch_shadow(dispatch_worker_t *w)
{
    if (store_run(w->dispatch->store, dispatch_attempt, w) == NUDGE_OK) {
        dispatch_write(w, "shadow", "", 0);
    }
}


static nudge_uint_t
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


static void
dispatch_one(dispatch_worker_t *w)
{
    nudge_int_t         rc;
    const char         *reason;
    compose_message_t   mail;

    memset(&w->guard, 0, sizeof(guard_t));
    memset(&w->result, 0, sizeof(deliver_result_t));
    w->refused = 0;

    dispatch_flow(w, &w->flow);
    w->flow.pool = w->pool;
    w->guard.flow = &w->flow;
    w->guard.message = &w->message;
    w->guard.live = dispatch_look(w);

    if (ingest_drain(w->dispatch->ingest) != NUDGE_OK) {
        dispatch_write(w, NULL, "journal_behind",
                       nudge_now() + GUARD_RETRY / 6);
        return;
    }

    if (store_run(w->dispatch->store, dispatch_guard, w) != NUDGE_OK) {
        dispatch_write(w, NULL, "store_failed", nudge_now() + GUARD_RETRY);
        return;
    }

    if (w->guard.verdict != GUARD_SEND || dispatch_relay_rests(w)) {
        return;
    }

    reason = "no_memory";
    rc = dispatch_compose(w, &mail, &reason);

    if (rc == NUDGE_ERROR) {
        dispatch_write(w, NULL, reason, nudge_now() + GUARD_RETRY);
        return;
    }

    if (rc == NUDGE_DECLINED) {
        nudge_log(NUDGE_LOG_ERR, "message %s to %s cannot be written: %s",
                  w->message.claim, w->message.contact, reason);
        dispatch_write(w, "skipped", reason, 0);
        return;
    }

    if (w->guard.bundle->campaign->mail.shadow) {
        dispatch_shadow(w);
        return;
    }

    dispatch_send(w, &mail);
}


static void
dispatch_rest(dispatch_t *d)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += 1;

    pthread_mutex_lock(&d->lock);

    if (d->work == 0 && !d->stopping) {
        pthread_cond_timedwait(&d->wake, &d->lock, &ts);
    }

    if (d->work) {
        d->work--;
    }

    pthread_mutex_unlock(&d->lock);
}


static void *
dispatch_thread(void *data)
{
    nudge_int_t         rc;
    dispatch_worker_t  *w = data;

    while (!w->dispatch->stopping) {

        nudge_pool_reset(w->pool);
        rc = store_run(w->dispatch->store, dispatch_take, w);

        if (rc == NUDGE_OK) {
            nudge_pool_reset(w->scratch);
            dispatch_one(w);

        } else {
            dispatch_rest(w->dispatch);
        }
    }

    return NULL;
}


static nudge_int_t
dispatch_worker(dispatch_t *d, dispatch_worker_t *w)
{
    w->dispatch = d;
    w->smtp = deliver_smtp_create();
    w->live = live_create(d->conf);
    w->pool = nudge_pool_create(DISPATCH_MEMORY);
    w->scratch = nudge_pool_create(DISPATCH_MEMORY);

    if (w->smtp == NULL || w->live == NULL || w->pool == NULL
        || w->scratch == NULL
        || pthread_create(&w->thread, NULL, dispatch_thread, w) != 0)
    {
        return NUDGE_ERROR;
    }

    d->n++;

    return NUDGE_OK;
}


dispatch_t *
dispatch_start(const config_t *conf, store_t *store, ingest_t *ingest,
    nudge_error_t *error)
{
    dispatch_t          *d;
    nudge_uint_t         i;
    pthread_condattr_t   attr;

    d = calloc(1, sizeof(dispatch_t));

    if (d) {
        d->conf = conf;
        d->store = store;
        d->ingest = ingest;
        pthread_mutex_init(&d->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&d->wake, &attr);
        pthread_condattr_destroy(&attr);

        for (i = 0; i < DISPATCH_THREADS; i++) {
            if (dispatch_worker(d, &d->workers[i]) != NUDGE_OK) {
                break;
            }
        }

        if (d->n == DISPATCH_THREADS) {
            return d;
        }
    }

    snprintf((char *) error->text, sizeof(error->text),
             "delivery threads cannot be started");

    return NULL;
}


void
dispatch_wake(dispatch_t *d)
{
    pthread_mutex_lock(&d->lock);
    d->work = DISPATCH_THREADS;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);
}


nudge_int_t
dispatch_stop(dispatch_t *d)
{
    nudge_uint_t     i;
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += DISPATCH_DRAIN / 1000;

    pthread_mutex_lock(&d->lock);
    d->stopping = 1;
    pthread_cond_broadcast(&d->wake);
    pthread_mutex_unlock(&d->lock);

    for (i = 0; i < d->n; i++) {
        if (pthread_clockjoin_np(d->workers[i].thread, NULL, CLOCK_MONOTONIC,
                                 &ts) != 0)
        {
            return NUDGE_AGAIN;
        }
    }

    for (i = 0; i < d->n; i++) {
        deliver_smtp_destroy(d->workers[i].smtp);
        live_destroy(d->workers[i].live);
        nudge_pool_destroy(d->workers[i].pool);
        nudge_pool_destroy(d->workers[i].scratch);
    }

    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);

    return NUDGE_OK;
}
