
/*
 * The store over SQLite: WAL, synchronous=FULL, one connection, one writer
 * thread.  Jobs that wait while a commit is under way share the next one, so
 * the price of a sync is paid once for all of them.
 */


#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "store_sqlite.h"


#define STORE_BUSY  5000        /* ms to wait for a command line */


nudge_int_t
store_try(tx_t *tx, store_job_pt job, void *arg)
{
    char          text[32];
    nudge_int_t   rc;
    nudge_uint_t  depth;

    depth = tx->depth++;

    snprintf(text, sizeof(text), "savepoint s%u", (unsigned) depth);
    rc = store_plain(tx, text);

    if (rc == NUDGE_OK) {
        rc = job(tx, arg);

        if (rc != NUDGE_OK) {
            snprintf(text, sizeof(text), "rollback to s%u", (unsigned) depth);

            if (store_plain(tx, text) != NUDGE_OK) {
                rc = NUDGE_ERROR;
            }
        }

        snprintf(text, sizeof(text), "release s%u", (unsigned) depth);

        if (store_plain(tx, text) != NUDGE_OK) {
            rc = NUDGE_ERROR;
        }
    }

    tx->depth--;

    return rc;
}


/* some failures (a full disk) make SQLite roll the whole transaction back by
 * itself; then none of its jobs has happened, whatever they returned */

static void
store_batch(tx_t *tx, store_request_t *first)
{
    nudge_uint_t      lost;
    store_request_t  *r;

    tx->failed = 0;
    lost = store_plain(tx, tx->readonly ? "begin" : "begin immediate")
           != NUDGE_OK;

    for (r = first; r && !lost; r = r->next) {
        r->rc = store_try(tx, r->job, r->arg);
        lost = sqlite3_get_autocommit(tx->db);
    }

    if (!lost) {
        lost = store_plain(tx, "commit") != NUDGE_OK;
    }

    if (lost) {
        if (!sqlite3_get_autocommit(tx->db)) {
            (void) store_plain(tx, "rollback");
        }

        for (r = first; r; r = r->next) {
            r->rc = NUDGE_ERROR;
        }
    }
}


static void *
store_writer(void *data)
{
    store_t          *st = data;
    store_request_t  *first, *r;

    pthread_mutex_lock(&st->lock);

    for ( ;; ) {

        while (st->first == NULL && !st->closing) {
            pthread_cond_wait(&st->work, &st->lock);
        }

        if (st->first == NULL) {
            break;
        }

        first = st->first;
        st->first = NULL;
        st->last = &st->first;

        pthread_mutex_unlock(&st->lock);

        store_batch(&st->tx, first);

        pthread_mutex_lock(&st->lock);

        /* its caller frees a request as soon as it is done */

        while (first) {
            r = first;
            first = r->next;
            r->done = 1;
        }

        pthread_cond_broadcast(&st->done);
    }

    pthread_mutex_unlock(&st->lock);

    return NULL;
}


nudge_int_t
store_run(store_t *st, store_job_pt job, void *arg)
{
    nudge_int_t       rc;
    store_request_t  *r;

    r = calloc(1, sizeof(store_request_t));

    if (r == NULL) {
        return NUDGE_ERROR;
    }

    r->job = job;
    r->arg = arg;
    r->rc = NUDGE_ERROR;

    pthread_mutex_lock(&st->lock);

    *st->last = r;
    st->last = &r->next;
    pthread_cond_signal(&st->work);

    while (!r->done) {
        pthread_cond_wait(&st->done, &st->lock);
    }

    pthread_mutex_unlock(&st->lock);

    rc = r->rc;
    free(r);

    return rc;
}


static nudge_int_t
store_identity(store_t *st)
{
    sql_t         *q;
    char           hex[65];
    nudge_str_t    text;
    nudge_uint_t   line;

    q = sql_query(&st->tx, "select (select value from meta where name ="
                  " 'uuid'), (select value from meta where name = 'key')", "");

    if (sql_row(q) != 1) {
        sql_end(q);
        return NUDGE_ERROR;
    }

    sql_copy(q, st->uuid, sizeof(st->uuid), 0);
    sql_copy(q, hex, sizeof(hex), 1);
    sql_end(q);

    text = nudge_cstr(hex);

    if (strlen(st->uuid) != 32) {
        return NUDGE_ERROR;
    }

    return nudge_keys_parse(&st->key, &text, &line);
}


static nudge_int_t
store_connect(store_t *st, const char *path, nudge_uint_t readonly,
    nudge_error_t *error)
{
    int    flags;
    tx_t  *tx;

    tx = &st->tx;
    tx->readonly = readonly ? 1 : 0;
    flags = SQLITE_OPEN_NOMUTEX
            | (readonly ? SQLITE_OPEN_READONLY
                        : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

    if (sqlite3_open_v2(path, &tx->db, flags, NULL) != SQLITE_OK) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store \"%s\" cannot be opened: \"%s\"", path,
                 tx->db ? sqlite3_errmsg(tx->db) : "no memory");
        return NUDGE_ERROR;
    }

    sqlite3_busy_timeout(tx->db, STORE_BUSY);

    /* mmap off: a disk error should be an error code, not a signal */

    if (store_plain(tx, readonly ? "pragma query_only = 1"
                                 : "pragma journal_mode = wal;"
                                   "pragma synchronous = full;"
                                   "pragma mmap_size = 0;"
                                   "pragma trusted_schema = 0")
        != NUDGE_OK)
    {
        snprintf((char *) error->text, sizeof(error->text),
                 "store \"%s\" cannot be used: \"%s\"", path,
                 sqlite3_errmsg(tx->db));
        return NUDGE_ERROR;
    }

    if (store_migrate(tx, readonly, error) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (store_identity(st) != NUDGE_OK) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store \"%s\" has no identity", path);
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


static void
store_free(store_t *st)
{
    nudge_uint_t  i;

    for (i = 0; i < STORE_STATEMENTS; i++) {
        sqlite3_finalize(st->tx.statements[i].stmt);
    }

    sqlite3_close(st->tx.db);
    free(st);
}


store_t *
store_open(const char *dsn, nudge_uint_t readonly, nudge_error_t *error)
{
    store_t  *st;

    if (strncmp(dsn, "sqlite:", 7) != 0) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store \"%s\" is not of a kind this program knows", dsn);
        return NULL;
    }

    st = calloc(1, sizeof(store_t));

    if (st == NULL) {
        snprintf((char *) error->text, sizeof(error->text), "no memory");
        return NULL;
    }

    st->tx.store = st;
    st->last = &st->first;

    if (store_connect(st, dsn + 7, readonly, error) != NUDGE_OK) {
        store_free(st);
        return NULL;
    }

    pthread_mutex_init(&st->lock, NULL);
    pthread_cond_init(&st->work, NULL);
    pthread_cond_init(&st->done, NULL);

    if (pthread_create(&st->thread, NULL, store_writer, st) != 0) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store's thread cannot be started");
        store_free(st);
        return NULL;
    }

    return st;
}


void
store_close(store_t *st)
{
    pthread_mutex_lock(&st->lock);
    st->closing = 1;
    pthread_cond_signal(&st->work);
    pthread_mutex_unlock(&st->lock);

    pthread_join(st->thread, NULL);

    pthread_cond_destroy(&st->done);
    pthread_cond_destroy(&st->work);
    pthread_mutex_destroy(&st->lock);

    store_free(st);
}


const char *
store_uuid(const store_t *st)
{
    return st->uuid;
}


nudge_str_t
store_normal(nudge_pool_t *pool, const nudge_str_t *email)
{
    size_t       i;
    nudge_str_t  s, copy;

    s = nudge_str_trim(*email);

    if (s.len == 0 || nudge_pstrdup(pool, &copy, &s) != NUDGE_OK) {
        nudge_str_null(&copy);
        return copy;
    }

    for (i = 0; i < copy.len; i++) {
        if (copy.data[i] >= 'A' && copy.data[i] <= 'Z') {
            copy.data[i] |= 0x20;
        }
    }

    return copy;
}


void
store_address(tx_t *tx, const nudge_str_t *email, char out[65])
{
    if (email->len == 0
        || nudge_token_hmac((u_char *) out, email, &tx->store->key) != NUDGE_OK)
    {
        out[0] = '\0';
    }

    out[64] = '\0';
}
