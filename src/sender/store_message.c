
/*
 * Claims and the message log.  Every change names the state it expects, so
 * two threads, or a thread and an order, cannot both have their way.
 */


#include <stdio.h>

#include "sql.h"
#include "store_message.h"
#include "store_shop.h"


nudge_int_t
store_message_claim(tx_t *tx, store_message_t *m)
{
    char         hash[65];
    u_char       key[1024];
    nudge_buf_t  b;
    nudge_str_t  s;
    nudge_int_t  rc;

    nudge_buf_init(&b, key, sizeof(key));
    nudge_buf_str(&b, &m->shop);
    nudge_buf_char(&b, '\n');
    nudge_buf_cstr(&b, m->contact);
    nudge_buf_char(&b, '\n');
    nudge_buf_str(&b, &m->flow);
    nudge_buf_char(&b, '\n');
    nudge_buf_str(&b, &m->episode);
    nudge_buf_char(&b, '\n');
    nudge_buf_int(&b, m->step);

    s = nudge_buf_result(&b);
    store_address(tx, &s, hash);

    if (b.full || hash[0] == '\0') {
        return NUDGE_ERROR;
    }

    memcpy(m->claim, hash, STORE_CLAIM - 1);
    m->claim[STORE_CLAIM - 1] = '\0';

    rc = sql_exec(tx, "insert into message (claim, shop, contact, visitor,"
                  " flow, episode, run, step, mail, offer, due, next, created)"
                  " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                  " ?12) on conflict do nothing", "zszsssiissii", m->claim,
                  &m->shop, m->contact, &m->visitor, &m->flow, &m->episode,
                  m->run, (int64_t) m->step, &m->mail, &m->offer, m->due,
                  m->created);

    if (rc == NUDGE_OK && sql_changes(tx) == 0) {
        return NUDGE_DECLINED;
    }

    return rc == NUDGE_OK ? store_count(tx, "claimed", "") : rc;
}


static nudge_int_t
store_message_row(sql_t *q, nudge_pool_t *pool, store_message_t *m)
{
    int  row;

    row = sql_row(q);

    if (row == 1) {
        sql_copy(q, m->claim, sizeof(m->claim), 0);
        m->shop = sql_text(q, pool, 1);
        sql_copy(q, m->contact, sizeof(m->contact), 2);
        m->visitor = sql_text(q, pool, 3);
        m->flow = sql_text(q, pool, 4);
        m->episode = sql_text(q, pool, 5);
        m->run = sql_int(q, 6);
        m->step = sql_int(q, 7);
        m->mail = sql_text(q, pool, 8);
        m->offer = sql_text(q, pool, 9);
        sql_copy(q, m->state, sizeof(m->state), 10);
        m->reason = sql_text(q, pool, 11);
        m->due = sql_int(q, 12);
        m->next = sql_int(q, 13);
        m->tries = sql_int(q, 14);
        m->created = sql_int(q, 15);
        m->attempted = sql_int(q, 16);
        m->finished = sql_int(q, 17);
        m->code = sql_int(q, 18);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


nudge_int_t
store_message_take(tx_t *tx, nudge_pool_t *pool, int64_t now,
    store_message_t *m)
{
    sql_t        *q;
    nudge_int_t   rc;

    q = sql_query(tx, "select claim, shop, contact, visitor, flow, episode,"
                  " run, step, mail, offer, state, reason, due, next, tries,"
                  " created, attempted, finished, code from message"
                  " where state = 'queued' and next <= ?"
                  " order by next, claim limit 1", "i", now);

    rc = store_message_row(q, pool, m);

    if (rc != NUDGE_OK) {
        return rc;
    }

    return store_message_move(tx, m->claim, "queued", "taken", now);
}


nudge_int_t
store_message_move(tx_t *tx, const char *claim, const char *from,
    const char *to, int64_t now)
{
    nudge_int_t  rc;

    rc = sql_exec(tx, "update message set state = ?1, attempted = case when"
                  " ?1 in ('attempt', 'final') then ?2 else attempted end"
                  " where claim = ?3 and state = ?4", "zizz", to, now, claim,
                  from);

    if (rc == NUDGE_OK && sql_changes(tx) == 0) {
        return NUDGE_DECLINED;
    }

    return rc;
}


nudge_int_t
store_message_hold(tx_t *tx, const char *claim, const char *reason,
    int64_t next)
{
    return sql_exec(tx, "update message set state = 'queued', reason = ?,"
                    " next = ? where claim = ? and state in ('queued',"
                    " 'taken', 'attempt', 'final')", "ziz", reason, next,
                    claim);
}


nudge_int_t
store_message_end(tx_t *tx, const char *claim, const char *state,
    const char *reason, int64_t now)
{
    nudge_int_t  rc;

    rc = sql_exec(tx, "update message set state = ?, reason = ?, finished = ?"
                  " where claim = ? and state in ('queued', 'taken',"
                  " 'attempt', 'final')", "zziz", state, reason, now, claim);

    if (rc != NUDGE_OK || sql_changes(tx) == 0) {
        return rc == NUDGE_OK ? NUDGE_DECLINED : rc;
    }

    return store_count(tx, state, reason);
}


nudge_int_t
store_message_reply(tx_t *tx, const char *claim, int64_t code,
    const char *detail, nudge_uint_t failed)
{
    return sql_exec(tx, "update message set code = ?, detail = ?,"
                    " tries = tries + ? where claim = ?", "iziz", code, detail,
                    (int64_t) (failed ? 1 : 0), claim);
}


nudge_int_t
store_message_wake(tx_t *tx, const nudge_str_t *shop, const char *contact,
    const char *reason, int64_t now)
{
    return sql_exec(tx, "update message set next = ?, reason = '' where"
                    " state = 'queued' and shop = ? and contact = ? and"
                    " reason = ?", "iszz", now, shop, contact, reason);
}


int64_t
store_message_next(tx_t *tx)
{
    int64_t  message, episode;

    message = sql_value(tx, INT64_MAX, "select min(next) from message where"
                        " state = 'queued'", "");
    episode = sql_value(tx, INT64_MAX, "select min(next) from episode where"
                        " next is not null", "");

    return message < episode ? message : episode;
}


/* a message whose clock is ahead of ours counts: a clock that steps back must
 * not make room */

nudge_uint_t
store_message_count(tx_t *tx, const nudge_str_t *shop, const char *contact,
    int64_t since, int64_t *first, int64_t *last)
{
    sql_t         *q;
    nudge_uint_t   n;

    n = 0;
    *first = 0;
    *last = 0;

    q = sql_query(tx, "select count(*), min(attempted), max(attempted) from"
                  " message where shop = ? and contact = ? and attempted > ?"
                  " and flow <> 'confirm' and state in ('final', 'sent',"
                  " 'ambiguous', 'shadow')", "szi", shop, contact, since);

    if (sql_row(q) == 1) {
        n = sql_int(q, 0);
        *first = sql_int(q, 1);
        *last = sql_int(q, 2);
    }

    sql_end(q);

    return n;
}


nudge_uint_t
store_message_busy(tx_t *tx, const store_message_t *m)
{
    return sql_value(tx, 0, "select 1 from message where state in ('taken',"
                     " 'attempt', 'final') and shop = ? and contact = ?"
                     " and claim <> ? limit 1", "szz", &m->shop, m->contact,
                     m->claim);
}


nudge_uint_t
store_message_again(tx_t *tx, const store_message_t *m, int64_t since)
{
    return sql_value(tx, 0, "select 1 from message where shop = ? and"
                     " contact = ? and flow = ? and step = ? and claim <> ?"
                     " and attempted > ? and state in ('final', 'sent',"
                     " 'ambiguous', 'shadow') limit 1", "szsizi", &m->shop,
                     m->contact, &m->flow, (int64_t) m->step, m->claim, since);
}


nudge_uint_t
store_message_asked(tx_t *tx, const nudge_str_t *shop, const char *contact,
    int64_t since)
{
    return sql_value(tx, 0, "select 1 from message where shop = ? and"
                     " contact = ? and flow = 'confirm' and created > ? and"
                     " state <> 'skipped' limit 1", "szi", shop, contact,
                     since);
}


nudge_int_t
store_message_requeue(tx_t *tx, int64_t now)
{
    return sql_exec(tx, "update message set state = 'queued', next = ?"
                    " where state in ('taken', 'attempt')", "i", now);
}


nudge_int_t
store_message_final(tx_t *tx, nudge_pool_t *pool, store_message_t *m)
{
    sql_t  *q;

    q = sql_query(tx, "select claim, shop, contact, visitor, flow, episode,"
                  " run, step, mail, offer, state, reason, due, next, tries,"
                  " created, attempted, finished, code from message"
                  " where state = 'final' limit 1", "");

    return store_message_row(q, pool, m);
}
