
/*
 * The delivery threads: each has a connection, a look at memcached and pools
 * of its own, takes what is due first, and rests when nothing is.
 */


#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dispatch_worker.h"
#include "log.h"
#include "sql.h"


void
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

        (void) dispatch_stop(d);
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
