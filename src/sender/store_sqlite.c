
/*
 * The store over SQLite: WAL, synchronous=FULL, one connection, one writer
 * thread.  Jobs that wait while a commit is under way share the next one, so
 * the price of a sync is paid once for all of them.
 */


#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "log.h"
#include "nudge_token.h"
#include "sql.h"
#include "store_schema.h"


#define STORE_STATEMENTS  509       /* slots; prime */
#define STORE_BUSY        5000      /* ms to wait for a command line */

struct sql_s {
    const char     *text;
    sqlite3_stmt   *stmt;
    tx_t           *tx;
    unsigned        busy:1;
    unsigned        broken:1;
};

struct tx_s {
    sqlite3        *db;
    store_t        *store;
    nudge_uint_t    depth;
    nudge_uint_t    errors;
    unsigned        failed:1;
    unsigned        readonly:1;
    sql_t           statements[STORE_STATEMENTS];
};

typedef struct store_request_s  store_request_t;

struct store_request_s {
    store_job_pt        job;
    void               *arg;
    nudge_int_t         rc;
    unsigned            done:1;
    store_request_t    *next;
};

struct store_s {
    tx_t                tx;
    pthread_t           thread;
    pthread_mutex_t     lock;
    pthread_cond_t      work;
    pthread_cond_t      done;
    store_request_t    *first;
    store_request_t   **last;
    nudge_keys_t        key;
    char                uuid[33];
    unsigned            closing:1;
};


/* what a statement of ours may meet besides a mistake in it */

static nudge_uint_t
store_transient(int rc)
{
    switch (rc & 0xff) {

    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return 1;
    }

    return 0;
}


static void
store_complain(tx_t *tx, int rc, const char *text)
{
    if (store_transient(rc)) {
        tx->failed = 1;
    }

    tx->errors++;

    nudge_log(NUDGE_LOG_ERR, "store: \"%s\" in \"%.60s\"",
              sqlite3_errmsg(tx->db), text);
}


static sql_t *
sql_slot(tx_t *tx, const char *text)
{
    int           rc;
    sql_t        *q;
    nudge_uint_t  i, n;

    i = ((uintptr_t) text >> 3) % STORE_STATEMENTS;

    for (n = 0; n < STORE_STATEMENTS; n++) {
        q = &tx->statements[i];

        if (q->text == text && !q->busy) {
            return q;
        }

        if (q->text == NULL) {
            rc = sqlite3_prepare_v3(tx->db, text, -1, SQLITE_PREPARE_PERSISTENT,
                                    &q->stmt, NULL);
            if (rc != SQLITE_OK) {
                store_complain(tx, rc, text);
                return NULL;
            }

            q->text = text;
            q->tx = tx;

            return q;
        }

        i = (i + 1) % STORE_STATEMENTS;
    }

    tx->errors++;
    nudge_log(NUDGE_LOG_ALERT, "store: too many statements");

    return NULL;
}


static int
sql_bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int           i, rc;
    int64_t       n;
    const char   *z;
    nudge_str_t  *s;

    rc = SQLITE_OK;

    for (i = 1; *types != '\0' && rc == SQLITE_OK; types++, i++) {

        switch (*types) {

        case 'i':
            rc = sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
            break;

        case 'm':
            n = va_arg(args, nudge_money_t);
            rc = n == NUDGE_MONEY_NONE ? sqlite3_bind_null(stmt, i)
                                       : sqlite3_bind_int64(stmt, i, n);
            break;

        case 'd':
            rc = sqlite3_bind_double(stmt, i, va_arg(args, double));
            break;

        case 'z':
            z = va_arg(args, const char *);
            rc = sqlite3_bind_text(stmt, i, z, -1, SQLITE_TRANSIENT);
            break;

        case 'b':
            s = va_arg(args, nudge_str_t *);
            rc = sqlite3_bind_blob(stmt, i, s->len ? (char *) s->data : "",
                                   s->len, SQLITE_TRANSIENT);
            break;

        default: /* 's' */
            s = va_arg(args, nudge_str_t *);
            rc = sqlite3_bind_text(stmt, i, s->len ? (char *) s->data : "",
                                   s->len, SQLITE_TRANSIENT);
            break;
        }
    }

    return rc;
}


static sql_t *
sql_vquery(tx_t *tx, const char *text, const char *types, va_list args)
{
    int     rc;
    sql_t  *q;

    q = sql_slot(tx, text);

    if (q == NULL) {
        return NULL;
    }

    q->busy = 1;
    q->broken = 0;

    rc = sql_bind(q->stmt, types, args);

    if (rc != SQLITE_OK) {
        store_complain(tx, rc, text);
        q->broken = 1;
    }

    return q;
}


sql_t *
sql_query(tx_t *tx, const char *text, const char *types, ...)
{
    sql_t    *q;
    va_list   args;

    va_start(args, types);
    q = sql_vquery(tx, text, types, args);
    va_end(args);

    return q;
}


int
sql_row(sql_t *q)
{
    int  rc;

    if (q == NULL || q->broken) {
        return -1;
    }

    rc = sqlite3_step(q->stmt);

    if (rc == SQLITE_ROW) {
        return 1;
    }

    if (rc == SQLITE_DONE) {
        return 0;
    }

    store_complain(q->tx, rc, q->text);
    q->broken = 1;

    return -1;
}


nudge_int_t
sql_end(sql_t *q)
{
    if (q == NULL) {
        return NUDGE_ERROR;
    }

    sqlite3_reset(q->stmt);
    sqlite3_clear_bindings(q->stmt);
    q->busy = 0;

    return q->broken ? NUDGE_ERROR : NUDGE_OK;
}


int64_t
sql_int(sql_t *q, int column)
{
    return q ? sqlite3_column_int64(q->stmt, column) : 0;
}


double
sql_double(sql_t *q, int column)
{
    return q ? sqlite3_column_double(q->stmt, column) : 0;
}


nudge_uint_t
sql_null(sql_t *q, int column)
{
    return q == NULL || sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
}


nudge_money_t
sql_money(sql_t *q, int column)
{
    return sql_null(q, column) ? NUDGE_MONEY_NONE : sql_int(q, column);
}


nudge_str_t
sql_text(sql_t *q, nudge_pool_t *pool, int column)
{
    nudge_str_t  s, copy;

    nudge_str_null(&s);

    if (q == NULL) {
        return s;
    }

    s.data = (u_char *) sqlite3_column_blob(q->stmt, column);
    s.len = s.data ? (size_t) sqlite3_column_bytes(q->stmt, column) : 0;

    if (pool == NULL || s.len == 0) {
        return s;
    }

    if (nudge_pstrdup(pool, &copy, &s) != NUDGE_OK) {
        q->broken = 1;
        nudge_str_null(&copy);
    }

    return copy;
}


void
sql_copy(sql_t *q, char *dst, size_t size, int column)
{
    nudge_str_t  s;

    s = sql_text(q, NULL, column);

    if (s.len > size - 1) {
        s.len = size - 1;
    }

    if (s.len) {
        memcpy(dst, s.data, s.len);
    }

    dst[s.len] = '\0';
}


nudge_int_t
sql_exec(tx_t *tx, const char *text, const char *types, ...)
{
    int       rc;
    sql_t    *q;
    va_list   args;

    va_start(args, types);
    q = sql_vquery(tx, text, types, args);
    va_end(args);

    do {
        rc = sql_row(q);
    } while (rc == 1);

    return sql_end(q);
}


int64_t
sql_changes(tx_t *tx)
{
    return sqlite3_changes(tx->db);
}


int64_t
sql_value(tx_t *tx, int64_t otherwise, const char *text, const char *types,
    ...)
{
    sql_t    *q;
    va_list   args;

    va_start(args, types);
    q = sql_vquery(tx, text, types, args);
    va_end(args);

    if (sql_row(q) == 1 && !sql_null(q, 0)) {
        otherwise = sql_int(q, 0);
    }

    sql_end(q);

    return otherwise;
}


nudge_uint_t
sql_failed(const tx_t *tx)
{
    return tx->failed;
}


nudge_uint_t
sql_errors(const tx_t *tx)
{
    return tx->errors;
}


static nudge_int_t
store_plain(tx_t *tx, const char *text)
{
    int  rc;

    rc = sqlite3_exec(tx->db, text, NULL, NULL, NULL);

    if (rc != SQLITE_OK) {
        store_complain(tx, rc, text);
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


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

        /* a request lives on its caller's stack: gone once it is done */

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
    store_request_t  r;

    memset(&r, 0, sizeof(store_request_t));
    r.job = job;
    r.arg = arg;
    r.rc = NUDGE_ERROR;

    pthread_mutex_lock(&st->lock);

    *st->last = &r;
    st->last = &r.next;
    pthread_cond_signal(&st->work);

    while (!r.done) {
        pthread_cond_wait(&st->done, &st->lock);
    }

    pthread_mutex_unlock(&st->lock);

    return r.rc;
}


/* NUDGE_DECLINED: an empty database */

static nudge_int_t
store_version(sqlite3 *db, int64_t *version)
{
    int            rc;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(db, "select 1 from sqlite_master where "
                            "type = 'table' and name = 'migration'", -1,
                            &stmt, NULL);
    if (rc != SQLITE_OK) {
        return NUDGE_ERROR;
    }

    rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? NUDGE_DECLINED : NUDGE_ERROR;
    }

    rc = sqlite3_prepare_v2(db, "select max(version) from migration", -1,
                            &stmt, NULL);
    if (rc != SQLITE_OK) {
        return NUDGE_ERROR;
    }

    rc = sqlite3_step(stmt);
    *version = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);

    return rc == SQLITE_ROW ? NUDGE_OK : NUDGE_ERROR;
}


static nudge_int_t
store_create(tx_t *tx)
{
    char     text[160];
    u_char   random[48];
    size_t   i;

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return NUDGE_ERROR;
    }

    if (store_plain(tx, "create table migration (version integer primary key,"
                        " applied integer not null);"
                        "create table meta (name text primary key, value text"
                        " not null) without rowid") != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    strcpy(text, "insert into meta values ('uuid', '");

    for (i = 0; i < 16; i++) {
        sprintf(text + strlen(text), "%02x", random[i]);
    }

    strcat(text, "'), ('key', '");

    for ( /* void */ ; i < 48; i++) {
        sprintf(text + strlen(text), "%02x", random[i]);
    }

    strcat(text, "')");

    return store_plain(tx, text);
}


static nudge_int_t
store_migrate(tx_t *tx, nudge_uint_t readonly, nudge_error_t *error)
{
    char         text[80];
    int64_t      version;
    nudge_int_t  rc;

    version = 0;
    rc = store_version(tx->db, &version);

    if (rc == NUDGE_ERROR) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store cannot be read: \"%s\"", sqlite3_errmsg(tx->db));
        return NUDGE_ERROR;
    }

    if (version > STORE_SCHEMA) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store has schema %lld, this program knows %d: it was written "
                 "by a newer version", (long long) version, STORE_SCHEMA);
        return NUDGE_ERROR;
    }

    if (version == STORE_SCHEMA) {
        return NUDGE_OK;
    }

    if (readonly) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store has the older schema %lld", (long long) version);
        return NUDGE_ERROR;
    }

    if (store_plain(tx, "begin immediate") != NUDGE_OK
        || (rc == NUDGE_DECLINED && store_create(tx) != NUDGE_OK))
    {
        goto failed;
    }

    for ( /* void */ ; version < STORE_SCHEMA; version++) {

        snprintf(text, sizeof(text), "insert into migration values (%lld, %lld)",
                 (long long) version + 1, (long long) nudge_now());

        if (store_plain(tx, store_migrations[version]) != NUDGE_OK
            || store_plain(tx, text) != NUDGE_OK)
        {
            goto failed;
        }
    }

    if (store_plain(tx, "commit") == NUDGE_OK) {
        return NUDGE_OK;
    }

failed:

    snprintf((char *) error->text, sizeof(error->text),
             "store cannot be brought to schema %d: \"%s\"", STORE_SCHEMA,
             sqlite3_errmsg(tx->db));

    return NUDGE_ERROR;
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
