
/*
 * nudge simulate: a journal played through the very code that sends, with the
 * journal's own clock, a store in memory and nothing at the other end.  Tells
 * what would be sent, when, and why not.
 *
 * The contact ids in a journal were drawn by the store it was made for; this
 * one draws its own.  Who is meant by an id is decided when it is first seen,
 * among those whom no id has been matched to yet:
 *
 *   a confirmation   who asked for it in that browser, else who has been
 *                    waiting longest; within the life of the link
 *   an unsubscribe   who is known to use that browser, else who was written
 *                    to last
 *   a click          who is known to use that browser
 */


#include <stdlib.h>

#include "command.h"
#include "compose.h"
#include "effect.h"
#include "guard.h"
#include "log.h"
#include "sql.h"


#define SIMULATE_MEMORY  (32 * 1024 * 1024)
#define SIMULATE_STEPS   1000000        /* looks, then something is wrong */

typedef struct {
    flow_t              flow;
    store_t            *store;
    const nudge_event_t *ev;
    int64_t             clock;          /* ms */
    int64_t             next;
    int64_t            *told;           /* runs whose end has been printed */
    nudge_uint_t        ntold;
    nudge_uint_t        events;
    nudge_uint_t        sent;
    nudge_uint_t        skipped;
    nudge_uint_t        strangers;      /* events of nobody we could name */
} simulate_t;


static nudge_uint_t
simulate_told(simulate_t *s, int64_t run)
{
    int64_t       *p;
    nudge_uint_t   i;

    for (i = s->ntold; i > 0; i--) {
        if (s->told[i - 1] == run) {
            return 1;
        }
    }

    if (s->ntold % 256 == 0) {
        p = realloc(s->told, (s->ntold + 256) * sizeof(int64_t));

        if (p == NULL) {
            return 1;
        }

        s->told = p;
    }

    s->told[s->ntold++] = run;

    return 0;
}


static void
simulate_line(int64_t time, const char *what, const nudge_str_t *flow,
    nudge_uint_t step, const nudge_str_t *visitor, const char *contact,
    const char *why)
{
    char  text[32];

    command_time(text, time);

    printf("%s  %-4s  %.*s step %lu  visitor %.*s  contact %s%s%s\n", text,
           what, (int) flow->len, flow->data, (unsigned long) step + 1,
           (int) (visitor->len < 8 ? visitor->len : 8),
           visitor->len ? (char *) visitor->data : "",
           contact[0] ? contact : "unknown", why[0] ? "  " : "", why);
}


/* episodes that ended without a message having been due */

static nudge_int_t
simulate_ended(tx_t *tx, simulate_t *s)
{
    char          contact[STORE_CONTACT], why[40];
    sql_t        *q;
    int64_t       run, ended;
    nudge_str_t   flow, visitor;

    q = sql_query(tx, "select id, flow, visitor, contact, step, reason, ended"
                  " from episode where state = 'void' and ended >= ?"
                  " order by id", "i", s->clock);

    while (sql_row(q) == 1) {
        run = sql_int(q, 0);

        if (simulate_told(s, run)) {
            continue;
        }

        flow = sql_text(q, s->flow.pool, 1);
        visitor = sql_text(q, s->flow.pool, 2);
        sql_copy(q, contact, sizeof(contact), 3);
        sql_copy(q, why, sizeof(why), 5);
        ended = sql_int(q, 6);
        s->skipped++;

        simulate_line(ended, "skip", &flow, sql_int(q, 4), &visitor, contact,
                      why);
    }

    return sql_end(q);
}


static nudge_int_t
simulate_message(tx_t *tx, simulate_t *s, store_message_t *m)
{
    char         why[96], until[32];
    guard_t      g;
    nudge_int_t  rc;

    memset(&g, 0, sizeof(guard_t));
    g.flow = &s->flow;
    g.message = m;
    g.live = GUARD_LIVE_NONE;

    guard_look(tx, &g);

    if (g.verdict == GUARD_SEND) {
        s->sent++;
        simulate_line(s->clock, "send", &m->flow, m->step, &m->visitor,
                      m->contact, "");

        if (store_message_move(tx, m->claim, "taken", "final", s->clock)
                != NUDGE_OK
            || store_message_end(tx, m->claim, "sent", "", s->clock)
                != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        return flow_ended(tx, &s->flow, m, "sent", "");
    }

    if (g.verdict == GUARD_HOLD) {
        command_time(until, g.until);
        snprintf(why, sizeof(why), "%s until %s", g.reason, until);

        if (!nudge_str_is(&m->reason, g.reason)) {
            simulate_line(s->clock, "hold", &m->flow, m->step, &m->visitor,
                          m->contact, why);
        }

    } else {
        s->skipped++;
        simulate_line(s->clock, "skip", &m->flow, m->step, &m->visitor,
                      m->contact, g.reason);
    }

    rc = guard_record(tx, &g);

    if (rc == NUDGE_OK && g.verdict == GUARD_SKIP && m->run) {
        (void) simulate_told(s, m->run);
    }

    return rc;
}


/* everything that is due at this instant */

static nudge_int_t
simulate_due(tx_t *tx, void *arg)
{
    nudge_int_t       rc;
    simulate_t       *s = arg;
    store_message_t   m;

    do {
        if (flow_tick(tx, &s->flow) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    } while (s->flow.more);

    for ( ;; ) {
        rc = store_message_take(tx, s->flow.pool, s->clock, &m);

        if (rc == NUDGE_DECLINED) {
            break;
        }

        if (rc != NUDGE_OK || simulate_message(tx, s, &m) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    if (simulate_ended(tx, s) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    s->next = store_message_next(tx);

    return NUDGE_OK;
}


static nudge_int_t
simulate_begin(tx_t *tx, void *arg)
{
    return sql_exec(tx, "create temporary table adopted (shop text not null,"
                    " id text not null, contact text not null,"
                    " primary key (shop, id), unique (shop, contact))", "");
}


static sql_t *
simulate_asked(tx_t *tx, const nudge_event_t *ev)
{
    return sql_query(tx, "select c.id from consent k join contact c on"
                     " c.shop = k.shop and c.id = k.contact where"
                     " k.shop = ?1 and k.what = 'asked' and k.time > ?2"
                     " and c.status = 'pending' and not exists (select 1"
                     " from adopted a where a.shop = ?1 and a.contact = c.id)"
                     " order by exists (select 1 from link l where"
                     " l.shop = ?1 and l.visitor = ?3 and l.contact = c.id)"
                     " desc, k.id limit 1", "sis", &ev->shop,
                     ev->time - (int64_t) COMPOSE_CONFIRM * 1000,
                     &ev->visitor);
}


static sql_t *
simulate_written(tx_t *tx, const nudge_event_t *ev)
{
    int64_t  anywhere;

    anywhere = ev->type == NUDGE_EVENT_UNSUBSCRIBE;

    return sql_query(tx, "select id from (select c.id, exists (select 1 from"
                     " link l where l.shop = ?1 and l.visitor = ?2 and"
                     " l.contact = c.id) as here, (select max(m.attempted)"
                     " from message m where m.shop = ?1 and m.contact = c.id"
                     " and m.run <> 0 and m.state = 'sent') as written"
                     " from contact c where c.shop = ?1 and not exists"
                     " (select 1 from adopted a where a.shop = ?1 and"
                     " a.contact = c.id)) where here or (?3 and written)"
                     " order by here desc, written desc limit 1", "ssi",
                     &ev->shop, &ev->visitor, anywhere);
}


static sql_t *
simulate_match(tx_t *tx, const nudge_event_t *ev)
{
    switch (ev->type) {

    case NUDGE_EVENT_SUBSCRIBE:
        return simulate_asked(tx, ev);

    case NUDGE_EVENT_UNSUBSCRIBE:
    case NUDGE_EVENT_MESSAGE_CLICK:
        return simulate_written(tx, ev);

    default:
        return sql_query(tx, "select 1 where 0", "");
    }
}


/* NUDGE_DECLINED: nobody */

static nudge_int_t
simulate_contact(sql_t *q, char contact[STORE_CONTACT])
{
    int  row;

    row = sql_row(q);

    if (row == 1) {
        sql_copy(q, contact, STORE_CONTACT, 0);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


/* the event as it would read had this store drawn the journal's ids */

static nudge_int_t
simulate_adopt(tx_t *tx, simulate_t *s, nudge_event_t *ev)
{
    char         contact[STORE_CONTACT];
    nudge_int_t  rc;
    nudge_str_t  id;

    if (ev->contact.len == 0) {
        return NUDGE_OK;
    }

    rc = simulate_contact(sql_query(tx, "select contact from adopted where"
                                    " shop = ? and id = ?", "ss", &ev->shop,
                                    &ev->contact), contact);

    if (rc == NUDGE_DECLINED
        && (!ev->bot || ev->type == NUDGE_EVENT_UNSUBSCRIBE))
    {
        rc = simulate_contact(simulate_match(tx, ev), contact);

        if (rc == NUDGE_DECLINED) {
            s->strangers++;
        }

        if (rc == NUDGE_OK
            && sql_exec(tx, "insert into adopted values (?, ?, ?)", "ssz",
                        &ev->shop, &ev->contact, contact) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED ? NUDGE_OK : NUDGE_ERROR;
    }

    id = nudge_cstr(contact);

    return nudge_pstrdup(s->flow.pool, &ev->contact, &id);
}


static nudge_int_t
simulate_apply(tx_t *tx, void *arg)
{
    simulate_t     *s = arg;
    nudge_event_t   ev;

    ev = *s->ev;

    if (simulate_adopt(tx, s, &ev) != NUDGE_OK
        || effect_apply(tx, &s->flow, &ev) != NUDGE_OK
        || simulate_ended(tx, s) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    s->next = store_message_next(tx);

    return NUDGE_OK;
}


static void
simulate_clock(simulate_t *s, int64_t time)
{
    if (time > s->clock) {
        s->clock = time;
    }

    s->flow.now = s->clock;
    nudge_pool_reset(s->flow.pool);
}


static nudge_int_t
simulate_until(simulate_t *s, int64_t time)
{
    nudge_uint_t  i;

    for (i = 0; i < SIMULATE_STEPS && s->next < time; i++) {

        simulate_clock(s, s->next);

        if (store_run(s->store, simulate_due, s) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return i < SIMULATE_STEPS ? NUDGE_OK : NUDGE_ERROR;
}


static nudge_int_t
simulate_event(void *data, const nudge_str_t *json, nudge_event_t *ev,
    nudge_pool_t *pool)
{
    simulate_t  *s = data;

    if (simulate_until(s, ev->time) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    simulate_clock(s, ev->time);
    s->ev = ev;
    s->events++;

    return store_run(s->store, simulate_apply, s) == NUDGE_OK ? NUDGE_OK
                                                              : NUDGE_ERROR;
}


int
command_simulate(const command_t *c)
{
    config_t        *conf;
    simulate_t       s;
    nudge_int_t      rc;
    nudge_error_t    error;

    memset(&s, 0, sizeof(simulate_t));
    conf = config_load(c->campaign, c->share, &error);
    s.store = conf ? store_open("sqlite::memory:", 0, &error) : NULL;

    if (s.store == NULL) {
        fprintf(stderr, "nudge: %s\n", (char *) error.text);
        return 1;
    }

    s.next = INT64_MAX;
    s.flow.conf = conf;
    s.flow.simulate = 1;
    s.flow.pool = nudge_pool_create(SIMULATE_MEMORY);

    rc = s.flow.pool ? store_run(s.store, simulate_begin, NULL) : NUDGE_ERROR;

    if (rc == NUDGE_OK) {
        rc = command_journal(c->args[0], simulate_event, &s);
    }

    if (rc == NUDGE_OK) {
        rc = simulate_until(&s, INT64_MAX);
    }

    if (rc == NUDGE_OK && s.strangers) {
        printf("%lu events were of contacts that are not in this journal\n",
               (unsigned long) s.strangers);
    }

    if (rc == NUDGE_OK) {
        printf("%lu events: %lu messages would be sent, %lu not\n",
               (unsigned long) s.events, (unsigned long) s.sent,
               (unsigned long) s.skipped);

    } else {
        fprintf(stderr, "nudge: simulation stopped after %lu events\n",
                (unsigned long) s.events);
    }

    store_close(s.store);
    config_destroy(conf);

    if (s.flow.pool) {
        nudge_pool_destroy(s.flow.pool);
    }

    free(s.told);

    return rc == NUDGE_OK ? 0 : 1;
}
