
/*
 * Statements of the SQLite store.  Each text is prepared once and kept; a
 * statement that is busy (a query within a query) gets a second copy.
 */


#include <stdarg.h>

#include "log.h"
#include "store_sqlite.h"


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


nudge_int_t
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
