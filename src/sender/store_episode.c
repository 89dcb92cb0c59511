
/*
 * Episodes.  A name is unique for its visitor and flow and never used again,
 * which is what makes "one episode a cart" hold across restarts.
 */


#include "sql.h"
#include "store_episode.h"
#include "store_shop.h"


nudge_int_t
store_episode_put(tx_t *tx, const store_episode_t *e)
{
    return sql_exec(tx, "insert into episode (shop, flow, visitor, contact,"
                    " name, first, changed, due, next)"
                    " values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
                    " on conflict do update set changed = ?7, due = ?8,"
                    " next = ?8 where state = 'open' and step = 0 and"
                    " next is not null", "ssszsiii", &e->shop, &e->flow,
                    &e->visitor, e->contact, &e->name, e->first, e->changed,
                    e->due);
}


static nudge_int_t
store_episode_row(sql_t *q, nudge_pool_t *pool, store_episode_t *e)
{
    int  row;

    row = sql_row(q);

    if (row == 1) {
        e->id = sql_int(q, 0);
        e->shop = sql_text(q, pool, 1);
        e->flow = sql_text(q, pool, 2);
        e->visitor = sql_text(q, pool, 3);
        sql_copy(q, e->contact, sizeof(e->contact), 4);
        e->name = sql_text(q, pool, 5);
        e->first = sql_int(q, 6);
        e->changed = sql_int(q, 7);
        e->step = sql_int(q, 8);
        e->due = sql_int(q, 9);
        sql_copy(q, e->state, sizeof(e->state), 10);
        sql_copy(q, e->reason, sizeof(e->reason), 11);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


nudge_int_t
store_episode_get(tx_t *tx, nudge_pool_t *pool, int64_t id, store_episode_t *e)
{
    sql_t  *q;

    q = sql_query(tx, "select id, shop, flow, visitor, contact, name, first,"
                  " changed, step, due, state, reason from episode"
                  " where id = ?", "i", id);

    return store_episode_row(q, pool, e);
}


nudge_int_t
store_episode_due(tx_t *tx, nudge_pool_t *pool, int64_t now,
    store_episode_t *e)
{
    sql_t  *q;

    q = sql_query(tx, "select id, shop, flow, visitor, contact, name, first,"
                  " changed, step, due, state, reason from episode"
                  " where next is not null and next <= ?"
                  " order by next, id limit 1", "i", now);

    return store_episode_row(q, pool, e);
}


nudge_int_t
store_episode_wait(tx_t *tx, int64_t id, const char *contact, int64_t next)
{
    return sql_exec(tx, "update episode set contact = ?1,"
                    " next = case when ?2 = 9223372036854775807 then null"
                    " else ?2 end where id = ?3", "zii", contact, next, id);
}


nudge_int_t
store_episode_step(tx_t *tx, int64_t id, nudge_uint_t step, int64_t due)
{
    return sql_exec(tx, "update episode set step = ?1, due = ?2, next = ?2"
                    " where id = ?3 and state = 'open'", "iii", (int64_t) step,
                    due, id);
}


nudge_int_t
store_episode_end(tx_t *tx, int64_t id, const char *state, const char *reason,
    int64_t now)
{
    return sql_exec(tx, "update episode set state = ?, reason = ?, ended = ?,"
                    " next = null where id = ? and state = 'open'", "zzii",
                    state, reason, now, id);
}


nudge_int_t
store_episode_void(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor, const char *contact, int64_t before,
    const char *reason, int64_t now)
{
    int64_t  i, skipped;

    if (sql_exec(tx, "update message set state = 'skipped', reason = ?1,"
                 " finished = ?2 where state = 'queued' and run in ("
                 " select id from episode where state = 'open' and"
                 " (shop = ?3 or ?3 = '') and first <= ?6 and"
                 " ((visitor = ?4 and ?4 <> '') or (contact = ?5 and ?5 <> '')"
                 " or (?5 <> '' and visitor in (select visitor from link where"
                 " shop = ?3 and contact = ?5)) or (?4 = '' and ?5 = '')))",
                 "zisszi", reason, now, shop, visitor, contact, before)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    skipped = sql_changes(tx);

    for (i = 0; i < skipped; i++) {
        if (store_count(tx, "skipped", reason) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return sql_exec(tx, "update episode set state = 'void', reason = ?1,"
                    " ended = ?2, next = null where state = 'open' and"
                    " (shop = ?3 or ?3 = '') and first <= ?6 and"
                    " ((visitor = ?4 and ?4 <> '') or (contact = ?5 and"
                    " ?5 <> '') or (?5 <> '' and visitor in (select visitor"
                    " from link where shop = ?3 and contact = ?5))"
                    " or (?4 = '' and ?5 = ''))", "zisszi", reason,
                    now, shop, visitor, contact, before);
}


nudge_int_t
store_episode_known(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *visitor)
{
    return sql_exec(tx, "update episode set next = due where state = 'open'"
                    " and shop = ? and visitor = ? and contact = ''"
                    " and next is not null", "ss", shop, visitor);
}


nudge_uint_t
store_episode_other(tx_t *tx, const nudge_str_t *shop, const char *contact,
    int64_t id)
{
    return sql_value(tx, 0, "select 1 from episode where state = 'open' and"
                     " shop = ? and contact = ? and id <> ? and step > 0"
                     " limit 1", "szi", shop, contact, id);
}
