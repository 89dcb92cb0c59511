
/*
 * What the files of the SQLite store share: the connection, its statements,
 * the queue of jobs.  Nobody else includes this.
 */


#ifndef _NUDGE_STORE_SQLITE_H_INCLUDED_
#define _NUDGE_STORE_SQLITE_H_INCLUDED_


#include <pthread.h>
#include <sqlite3.h>

#include "nudge_token.h"
#include "sql.h"


#define STORE_STATEMENTS  509       /* slots; prime */

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


/* sql_sqlite.c: a statement without arguments or rows */
nudge_int_t store_plain(tx_t *tx, const char *text);

/* store_migrate.c: brings the store to this program's schema, or refuses */
nudge_int_t store_migrate(tx_t *tx, nudge_uint_t readonly,
    nudge_error_t *error);


#endif /* _NUDGE_STORE_SQLITE_H_INCLUDED_ */
