
/*
 * Persons.  A contact's id is random: it stands in links and logs and tells
 * nothing.  A suppression keeps the keyed hash of an address only, so it can
 * stay when everything else of a person has been erased.
 */


#include <stdio.h>
#include <sys/random.h>

#include "sql.h"
#include "store_contact.h"


static nudge_int_t
store_contact_row(sql_t *q, nudge_pool_t *pool, store_contact_t *c)
{
    int  row;

    row = sql_row(q);

    if (row == 1) {
        sql_copy(q, c->id, sizeof(c->id), 0);
        sql_copy(q, c->status, sizeof(c->status), 1);
        c->email = sql_text(q, pool, 2);
        c->address = sql_text(q, pool, 3);
        c->offer = sql_text(q, pool, 4);
        c->created = sql_int(q, 5);
        c->confirmed = sql_int(q, 6);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


nudge_int_t
store_contact_id(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *id, store_contact_t *c)
{
    sql_t  *q;

    q = sql_query(tx, "select id, status, email, address, offer, created,"
                  " confirmed from contact where shop = ? and id = ?",
                  "ss", shop, id);

    return store_contact_row(q, pool, c);
}


nudge_int_t
store_contact_email(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *email, store_contact_t *c)
{
    sql_t        *q;
    nudge_str_t   address;

    address = store_normal(pool, email);

    if (address.len == 0) {
        return NUDGE_DECLINED;
    }

    q = sql_query(tx, "select id, status, email, address, offer, created,"
                  " confirmed from contact where shop = ? and address = ?",
                  "ss", shop, &address);

    return store_contact_row(q, pool, c);
}


nudge_int_t
store_contact_make(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *email, int64_t time, store_contact_t *c)
{
    uint64_t     random;
    nudge_int_t  rc;
    nudge_str_t  trimmed, address;

    rc = store_contact_email(tx, pool, shop, email, c);

    if (rc != NUDGE_DECLINED) {
        return rc;
    }

    trimmed = nudge_str_trim(*email);
    address = store_normal(pool, email);

    if (address.len == 0
        || getrandom(&random, sizeof(random), 0) != sizeof(random))
    {
        return NUDGE_ERROR;
    }

    snprintf(c->id, sizeof(c->id), "c%016llx", (unsigned long long) random);

    rc = sql_exec(tx, "insert into contact (shop, id, email, address, created)"
                  " values (?, ?, ?, ?, ?)", "szssi", shop, c->id, &trimmed,
                  &address, time);

    return rc == NUDGE_OK ? store_contact_email(tx, pool, shop, email, c) : rc;
}


nudge_int_t
store_contact_status(tx_t *tx, const nudge_str_t *shop, const char *id,
    const char *status, const nudge_str_t *offer, int64_t time)
{
    return sql_exec(tx, "update contact set status = ?1, offer = case when"
                    " ?2 <> '' then ?2 else offer end, confirmed = case when"
                    " ?1 = 'confirmed' then ?3 else confirmed end"
                    " where shop = ?4 and id = ?5", "zsisz", status, offer,
                    time, shop, id);
}


nudge_int_t
store_link(tx_t *tx, const nudge_str_t *shop, const nudge_str_t *visitor,
    const char *contact, nudge_uint_t send, int64_t time)
{
    if (visitor->len == 0) {
        return NUDGE_OK;
    }

    return sql_exec(tx, "insert into link values (?, ?, ?, ?, ?) on conflict"
                    " do update set send = max(send, excluded.send),"
                    " time = max(time, excluded.time)", "sszii", shop, visitor,
                    contact, (int64_t) (send ? 1 : 0), time);
}


nudge_int_t
store_link_contact(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, char id[STORE_CONTACT])
{
    int     row;
    sql_t  *q;

    q = sql_query(tx, "select contact from link where shop = ? and visitor = ?"
                  " and send = 1 order by time desc limit 1", "ss", shop,
                  visitor);
    row = sql_row(q);

    if (row == 1) {
        sql_copy(q, id, STORE_CONTACT, 0);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


nudge_uint_t
store_link_all(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *visitor, const nudge_str_t *contact,
    const nudge_str_t *email, char ids[STORE_CONTACTS][STORE_CONTACT])
{
    sql_t        *q;
    nudge_str_t   address;
    nudge_uint_t  n;

    address = store_normal(pool, email);

    q = sql_query(tx, "select id from contact where shop = ?1 and id = ?2"
                  " union select id from contact where shop = ?1 and"
                  " address = ?3 and ?3 <> ''"
                  " union select contact from link where shop = ?1 and"
                  " visitor = ?4 and ?4 <> '' limit 16", "ssss", shop, contact,
                  &address, visitor);

    for (n = 0; n < STORE_CONTACTS && sql_row(q) == 1; n++) {
        sql_copy(q, ids[n], STORE_CONTACT, 0);
    }

    sql_end(q);

    return n;
}


nudge_int_t
store_link_close(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, nudge_uint_t forget)
{
    if (forget) {
        return sql_exec(tx, "delete from link where shop = ? and visitor = ?",
                        "ss", shop, visitor);
    }

    return sql_exec(tx, "update link set send = 0 where shop = ? and"
                    " visitor = ?", "ss", shop, visitor);
}


nudge_int_t
store_consent(tx_t *tx, const nudge_event_t *ev, const char *contact,
    const char *what)
{
    const nudge_str_t  *page;

    page = ev->url.len ? &ev->url : &ev->page;

    return sql_exec(tx, "insert into consent (shop, contact, visitor, time,"
                    " what, page, wording, method)"
                    " values (?, ?, ?, ?, ?, ?, ?, ?)", "szsizsss", &ev->shop,
                    contact, &ev->visitor, ev->time, what, page, &ev->text,
                    &ev->method);
}


/* an address that bounced stays so, even when its owner also unsubscribes */

nudge_int_t
store_suppress(tx_t *tx, const nudge_str_t *shop, const nudge_str_t *address,
    const char *reason, int64_t time)
{
    char  hash[65];

    store_address(tx, address, hash);

    if (hash[0] == '\0') {
        return NUDGE_ERROR;
    }

    return sql_exec(tx, "insert into suppression values (?, ?, ?, ?)"
                    " on conflict do update set reason = excluded.reason,"
                    " time = excluded.time where reason = 'unsubscribed'",
                    "szzi", shop, hash, reason, time);
}


nudge_int_t
store_suppress_lift(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *address, const char *reason)
{
    char  hash[65];

    store_address(tx, address, hash);

    return sql_exec(tx, "delete from suppression where shop = ? and hash = ?"
                    " and reason = ?", "szz", shop, hash, reason);
}


nudge_int_t
store_suppressed(tx_t *tx, const nudge_str_t *shop, const nudge_str_t *address,
    char reason[32])
{
    int     row;
    char    hash[65];
    sql_t  *q;

    store_address(tx, address, hash);

    if (hash[0] == '\0') {
        return NUDGE_ERROR;
    }

    q = sql_query(tx, "select reason from suppression where shop = ? and"
                  " hash = ?", "sz", shop, hash);
    row = sql_row(q);

    if (row == 1) {
        sql_copy(q, reason, 32, 0);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}
