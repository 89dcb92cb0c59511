
/*
 * The schema of a store: read, made, brought up to date in one transaction.
 * A store of a newer schema is left alone.
 */


#include <stdio.h>
#include <sys/random.h>

#include "log.h"
#include "store_schema.h"
#include "store_sqlite.h"


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


nudge_int_t
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

        snprintf(text, sizeof(text),
                 "insert into migration values (%lld, %lld)",
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
