
/*
 * Reads the journal in batches, decodes them outside the store's thread, and
 * gives each batch to the store as one job.  A batch that fails for lack of
 * space or memory is tried again as it is; an event that can never be applied
 * is counted, logged and left out, so that it cannot stop the others.
 */


#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ingest.h"
#include "journal.h"
#include "log.h"
#include "seen.h"
#include "sql.h"
#include "store_shop.h"


#define INGEST_MEMORY   (64 * 1024 * 1024)
#define INGEST_JSON     (8 * 1024 * 1024)
#define INGEST_CROWD    20              /* ms */
#define INGEST_SOURCES  64

struct ingest_s {
    const config_t     *conf;
    store_t            *store;
    journal_t           journal;
    nudge_json_t       *js;
    nudge_pool_t       *pool;           /* a batch's events */
    nudge_pool_t       *scratch;        /* one event's effects */
    seen_t             *sources;
    nudge_uint_t        nsources;
    nudge_event_t      *events;
    nudge_uint_t        n;
    atomic_llong        done;           /* events applied since the start */
    atomic_llong        newest;         /* time of the last of them, ms */
    atomic_llong        lag;            /* bytes */
    pthread_mutex_t     lock;
    atomic_int          halted;
    atomic_int          caught_up;
    unsigned            failing:1;
    unsigned            tidy:1;
};

typedef struct {
    flow_t              flow;
    const nudge_event_t *ev;
} ingest_one_t;


static seen_t *
ingest_source(tx_t *tx, ingest_t *in, uint64_t nonce)
{
    sql_t         *q;
    seen_t        *s;
    nudge_str_t    window;
    nudge_uint_t   i;

    for (i = 0; i < in->nsources; i++) {
        if (in->sources[i].nonce == nonce) {
            return &in->sources[i];
        }
    }

    /* those in use are in this batch or a recent one: begin again when full */

    if (in->nsources == INGEST_SOURCES) {
        return NULL;
    }

    s = &in->sources[in->nsources];
    memset(s, 0, sizeof(seen_t));
    s->nonce = nonce;

    q = sql_query(tx, "select high, window from source where nonce = ?", "i",
                  (int64_t) nonce);

    if (sql_row(q) == 1) {
        s->high = sql_int(q, 0);
        window = sql_text(q, NULL, 1);

        if (window.len == sizeof(s->window)) {
            memcpy(s->window, window.data, window.len);
        }
    }

    if (sql_end(q) != NUDGE_OK) {
        return NULL;
    }

    in->nsources++;

    return s;
}


static nudge_int_t
ingest_save_sources(tx_t *tx, ingest_t *in)
{
    seen_t        *s;
    nudge_str_t    window;
    nudge_uint_t   i;

    for (i = 0; i < in->nsources; i++) {
        s = &in->sources[i];

        if (!s->dirty) {
            continue;
        }

        window.data = s->window;
        window.len = sizeof(s->window);

        if (sql_exec(tx, "insert into source values (?, ?, ?) on conflict do"
                     " update set high = excluded.high,"
                     " window = excluded.window", "iib", (int64_t) s->nonce,
                     (int64_t) s->high, &window) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        s->dirty = 0;
    }

    return NUDGE_OK;
}


static nudge_int_t
ingest_one(tx_t *tx, void *arg)
{
    ingest_one_t  *one = arg;

    return effect_apply(tx, &one->flow, one->ev);
}


static nudge_int_t
ingest_apply(tx_t *tx, ingest_t *in, const nudge_event_t *ev)
{
    seen_t        *s;
    ingest_one_t   one;

    if (ev->nonce || ev->seq) {
        s = ingest_source(tx, in, ev->nonce);

        if (s == NULL && sql_failed(tx)) {
            return NUDGE_ERROR;
        }

        if (s && seen_event(s, ev->seq)) {
            return store_count(tx, "repeated", "");
        }
    }

    memset(&one, 0, sizeof(ingest_one_t));
    one.flow.conf = in->conf;
    one.flow.pool = in->scratch;
    one.flow.now = nudge_now();
    one.ev = ev;

    nudge_pool_reset(in->scratch);

    if (store_try(tx, ingest_one, &one) == NUDGE_OK) {
        return NUDGE_OK;
    }

    if (sql_failed(tx)) {
        return NUDGE_ERROR;
    }

    nudge_log(NUDGE_LOG_ERR, "event \"%s\" %016llx-%llx could not be applied",
              nudge_event_name(ev->type), (unsigned long long) ev->nonce,
              (unsigned long long) ev->seq);

    return store_count(tx, "refused_events", "");
}


static nudge_int_t
ingest_batch(tx_t *tx, void *arg)
{
    ingest_t           *in = arg;
    int64_t             offset;
    nudge_uint_t        i;
    journal_batch_t    *b;
    journal_segment_t  *s;

    b = &in->journal.batch;
    s = b->segment;

    /* the store is what knows how far reading has come */

    offset = sql_value(tx, 0, "select offset from segment where"
                       " generation = ?", "i", s->generation);

    if (offset != s->resumed) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < in->n; i++) {
        if (ingest_apply(tx, in, &in->events[i]) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    if (ingest_save_sources(tx, in) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return sql_exec(tx, "insert into segment values (?, ?, ?, ?) on conflict"
                    " do update set inode = excluded.inode,"
                    " head = excluded.head, offset = excluded.offset", "iiii",
                    s->generation, s->inode, b->head, b->to);
}


static void
ingest_decode(ingest_t *in)
{
    nudge_int_t       rc;
    nudge_uint_t      i;
    journal_batch_t  *b;

    b = &in->journal.batch;
    in->n = 0;
    nudge_pool_reset(in->pool);

    for (i = 0; i < b->n; i++) {
        rc = nudge_event_decode(in->js, in->pool, &b->records[i],
                                &in->events[in->n]);
        if (rc == NUDGE_OK) {
            in->n++;

        } else if (rc == NUDGE_ERROR) {
            nudge_log(NUDGE_LOG_ERR, "journal segment %lld: a record of %lu "
                      "bytes is not an event",
                      (long long) b->segment->generation,
                      (unsigned long) b->records[i].len);
        }
    }

    if (b->skipped) {
        nudge_log(NUDGE_LOG_WARN, "journal segment %lld: %lu damaged bytes "
                  "passed over", (long long) b->segment->generation,
                  (unsigned long) b->skipped);
    }
}


static nudge_int_t
ingest_commit(ingest_t *in)
{
    journal_batch_t  *b;

    b = &in->journal.batch;
    ingest_decode(in);

    if (store_run(in->store, ingest_batch, in) != NUDGE_OK) {

        /* what was noted in memory did not happen */

        in->nsources = 0;
        b->segment->known = 0;

        if (!in->failing) {
            nudge_log(NUDGE_LOG_ERR, "journal segment %lld: events could not "
                      "be stored, trying again",
                      (long long) b->segment->generation);
        }

        in->failing = 1;
        return NUDGE_ERROR;
    }

    in->failing = 0;
    in->done += in->n;
    b->segment->offset = b->to;
    b->segment->resumed = b->to;

    in->lag = journal_lag(&in->journal);

    if (in->n) {
        in->newest = in->events[in->n - 1].time;
    }

    if (in->nsources == INGEST_SOURCES) {
        in->nsources = 0;
    }

    return NUDGE_OK;
}


typedef struct {
    int64_t         generation;
    int64_t         inode;
    int64_t         head;
    int64_t         offset;
} ingest_position_t;


static nudge_int_t
ingest_position(tx_t *tx, void *arg)
{
    sql_t              *q;
    ingest_position_t  *p = arg;

    q = sql_query(tx, "select inode, head, offset from segment where"
                  " generation = ?", "i", p->generation);

    if (sql_row(q) == 1) {
        p->inode = sql_int(q, 0);
        p->head = sql_int(q, 1);
        p->offset = sql_int(q, 2);
    }

    return sql_end(q);
}


static nudge_int_t
ingest_forget(tx_t *tx, void *arg)
{
    ingest_position_t  *p = arg;

    return sql_exec(tx, "delete from segment where generation = ?", "i",
                    p->generation);
}


static nudge_int_t
ingest_segment(ingest_t *in, journal_segment_t *s)
{
    nudge_int_t        rc;
    ingest_position_t  p;

    if (!s->known) {
        memset(&p, 0, sizeof(ingest_position_t));
        p.generation = s->generation;

        if (store_run(in->store, ingest_position, &p) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        journal_resume(&in->journal, s, p.inode, p.head, p.offset);
    }

    while (!in->halted) {
        rc = journal_read(&in->journal, s);

        if (rc != NUDGE_OK) {
            return rc == NUDGE_DECLINED ? NUDGE_OK : NUDGE_ERROR;
        }

        if (ingest_commit(in) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_ERROR;
}


/* positions of segments that are gone, left by a sender killed between the
 * two: a lower generation is never written again */

static nudge_int_t
ingest_tidy(tx_t *tx, void *arg)
{
    ingest_t  *in = arg;

    return sql_exec(tx, "delete from segment where generation < ?", "i",
                    in->journal.segments[0].generation);
}


static nudge_int_t
ingest_pass(ingest_t *in)
{
    nudge_int_t         rc;
    nudge_uint_t        i;
    ingest_position_t   p;
    journal_segment_t  *s;

    rc = journal_scan(&in->journal);

    if (rc == NUDGE_OK && in->journal.n && !in->tidy) {
        rc = journal_sync(&in->journal);

        if (rc == NUDGE_OK) {
            rc = store_run(in->store, ingest_tidy, in);
        }

        in->tidy = rc == NUDGE_OK;
    }

    for (i = 0; i < in->journal.n && rc == NUDGE_OK; i++) {
        rc = ingest_segment(in, &in->journal.segments[i]);
    }

    for (i = 0; i + 1 < in->journal.n && rc == NUDGE_OK; /* void */ ) {
        s = &in->journal.segments[i];
        p.generation = s->generation;

        if (journal_delete(&in->journal, s) != NUDGE_OK) {
            i++;
            continue;
        }

        rc = store_run(in->store, ingest_forget, &p);
        journal_drop(&in->journal, s);
    }

    in->lag = journal_lag(&in->journal);

    if (rc == NUDGE_OK) {
        in->caught_up = 1;
    }

    return rc;
}


nudge_uint_t
ingest_caught_up(ingest_t *in)
{
    return in->caught_up;
}


void
ingest_halt(ingest_t *in)
{
    in->halted = 1;
}


nudge_int_t
ingest_drain(ingest_t *in)
{
    nudge_int_t  rc;

    pthread_mutex_lock(&in->lock);
    rc = ingest_pass(in);
    pthread_mutex_unlock(&in->lock);

    return rc;
}


void
ingest_wait(ingest_t *in, int ms)
{
    struct pollfd  fd;

    fd.fd = in->journal.watch;
    fd.events = POLLIN;

    if (fd.fd == -1) {
        poll(NULL, 0, ms);

    } else if (poll(&fd, 1, ms) == 1) {

        /* a busy shop's events come in crowds: one commit for each crowd */

        poll(NULL, 0, INGEST_CROWD);
        journal_settle(&in->journal);
    }

    if (ingest_drain(in) != NUDGE_OK) {
        poll(NULL, 0, ms / 2);
    }
}


ingest_t *
ingest_create(const config_t *conf, store_t *store, nudge_error_t *error)
{
    char       path[4096];
    ingest_t  *in;

    in = calloc(1, sizeof(ingest_t));

    if (in == NULL) {
        snprintf((char *) error->text, sizeof(error->text), "no memory");
        return NULL;
    }

    in->conf = conf;
    in->store = store;
    in->newest = nudge_now();
    pthread_mutex_init(&in->lock, NULL);

    snprintf(path, sizeof(path), "%s/journal", conf->state);

    if (journal_open(&in->journal, path) != NUDGE_OK) {
        snprintf((char *) error->text, sizeof(error->text),
                 "journal \"%.400s\" cannot be opened", path);
        free(in);
        return NULL;
    }

    in->js = nudge_json_create(INGEST_JSON);
    in->pool = nudge_pool_create(INGEST_MEMORY);
    in->scratch = nudge_pool_create(INGEST_MEMORY);
    in->sources = calloc(INGEST_SOURCES, sizeof(seen_t));
    in->events = calloc(JOURNAL_RECORDS, sizeof(nudge_event_t));

    if (in->js == NULL || in->pool == NULL || in->scratch == NULL
        || in->sources == NULL || in->events == NULL)
    {
        snprintf((char *) error->text, sizeof(error->text), "no memory");
        ingest_destroy(in);
        return NULL;
    }

    return in;
}


void
ingest_destroy(ingest_t *in)
{
    journal_close(&in->journal);

    if (in->js) {
        nudge_json_destroy(in->js);
    }

    if (in->pool) {
        nudge_pool_destroy(in->pool);
    }

    if (in->scratch) {
        nudge_pool_destroy(in->scratch);
    }

    pthread_mutex_destroy(&in->lock);
    free(in->sources);
    free(in->events);
    free(in);
}


int64_t
ingest_events(ingest_t *in)
{
    return in->done;
}


/* how far behind, in bytes; in time only while there are any */

int64_t
ingest_lag(ingest_t *in, int64_t *ms)
{
    int64_t  lag;

    lag = in->lag;
    *ms = lag ? nudge_now() - in->newest : 0;

    return lag;
}
