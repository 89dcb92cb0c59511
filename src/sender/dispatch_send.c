
/*
 * One message, from "taken" to the final dot.  Every step that may lead to a
 * second copy is durable before it is taken: "attempt" before the first byte
 * of the message, "final" before the final dot.  A kill at any instant
 * therefore leaves either a message that is known unsent or one that is
 * reported as ambiguous.
 */


#include "dispatch_worker.h"
#include "log.h"


/* the first browser's session is the one the message is about; of the others
 * it matters only whether they have ordered */

static guard_live_t
dispatch_look(dispatch_worker_t *w)
{
    nudge_int_t       rc;
    nudge_uint_t      i;
    nudge_session_t   s;

    w->guard.session = NULL;

    if (!live_configured(w->live)) {
        return GUARD_LIVE_NONE;
    }

    rc = live_store(w->live, &w->message.shop,
                    store_uuid(w->dispatch->store));

    if (rc != NUDGE_OK) {
        return rc == NUDGE_DECLINED ? GUARD_LIVE_OTHER : GUARD_LIVE_UNKNOWN;
    }

    memset(&w->session, 0, sizeof(nudge_session_t));

    for (i = 0; i < w->nbrowsers; i++) {
        rc = live_session(w->live, w->pool, &w->message.shop, &w->browsers[i],
                          &s);

        if (rc == NUDGE_ERROR) {
            return GUARD_LIVE_UNKNOWN;
        }

        if (rc == NUDGE_DECLINED) {
            continue;
        }

        if (i == 0 && w->message.visitor.len) {
            w->session = s;
            continue;
        }

        if (s.ordered > w->session.ordered) {
            w->session.ordered = s.ordered;
        }

        if (s.attempted > w->session.attempted) {
            w->session.attempted = s.attempted;
        }
    }

    w->guard.session = &w->session;

    return GUARD_LIVE_KNOWN;
}


static nudge_int_t
dispatch_guard(tx_t *tx, void *arg)
{
    dispatch_worker_t  *w = arg;

    w->flow.now = nudge_now();
    guard_look(tx, &w->guard);

    return w->guard.verdict == GUARD_SEND ? NUDGE_OK
                                          : guard_record(tx, &w->guard);
}


static nudge_int_t
dispatch_attempt(tx_t *tx, void *arg)
{
    dispatch_worker_t  *w = arg;

    return store_message_move(tx, w->message.claim, "taken", "attempt",
                              nudge_now());
}


static nudge_int_t
dispatch_before_data(void *arg)
{
    dispatch_worker_t  *w = arg;

    return store_run(w->dispatch->store, dispatch_attempt, w);
}


/* the verdict and the right to give the final dot, in one transaction */

static nudge_int_t
dispatch_final(tx_t *tx, void *arg)
{
    guard_t             g;
    flow_t              f;
    dispatch_worker_t  *w = arg;

    dispatch_flow(w, &f);

    memset(&g, 0, sizeof(guard_t));
    g.flow = &f;
    g.message = &w->message;
    g.live = w->guard.live;
    g.session = w->guard.session;
    g.final = 1;

    guard_look(tx, &g);

    if (g.verdict == GUARD_SEND) {
        return store_message_move(tx, w->message.claim, "attempt", "final",
                                  f.now);
    }

    if (guard_record(tx, &g) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    w->refused = 1;
    w->guard.reason = g.reason;

    return NUDGE_OK;
}


static nudge_int_t
dispatch_last_look(void *arg)
{
    nudge_int_t         rc;
    dispatch_worker_t  *w = arg;

    if (ingest_drain(w->dispatch->ingest) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_pool_reset(w->scratch);
    rc = store_run(w->dispatch->store, dispatch_final, w);

    if (rc != NUDGE_OK) {
        w->refused = 0;
        return NUDGE_ERROR;
    }

    return w->refused ? NUDGE_DECLINED : NUDGE_OK;
}


static nudge_int_t
dispatch_halt(void *arg)
{
    dispatch_worker_t  *w = arg;

    return w->dispatch->stopping ? NUDGE_ERROR : NUDGE_OK;
}


static char *
dispatch_cstr(nudge_pool_t *pool, const nudge_str_t *s)
{
    nudge_str_t  copy;

    if (s->len == 0 || nudge_pstrdup(pool, &copy, s) != NUDGE_OK) {
        return NULL;
    }

    return (char *) copy.data;
}


static void
dispatch_send(dispatch_worker_t *w, const compose_message_t *mail)
{
    nudge_mail_t     *conf;
    deliver_calls_t   calls;
    deliver_relay_t   relay;

    conf = &w->guard.bundle->campaign->mail;

    memset(&relay, 0, sizeof(deliver_relay_t));
    relay.url = dispatch_cstr(w->pool, &conf->relay);
    relay.user = dispatch_cstr(w->pool, &conf->user);
    relay.password = dispatch_cstr(w->pool, &conf->password);
    relay.tls = conf->tls;

    calls.before_data = dispatch_before_data;
    calls.last_look = dispatch_last_look;
    calls.stop = dispatch_halt;
    calls.arg = w;

    deliver_smtp_send(w->smtp, &relay, &mail->from, &mail->to, &mail->bytes,
                      &calls, &w->result);

    dispatch_result(w);
}


static nudge_int_t
dispatch_compose(dispatch_worker_t *w, compose_message_t *mail,
    const char **reason)
{
    guard_t    *g;
    compose_t   c;

    g = &w->guard;

    memset(&c, 0, sizeof(compose_t));
    c.bundle = g->bundle;
    c.keys = &w->dispatch->conf->keys;
    c.mail = w->message.mail;
    c.flow = g->step_of ? w->message.flow : c.flow;
    c.claim = nudge_cstr(w->message.claim);
    c.contact = nudge_cstr(w->message.contact);
    c.email = g->contact.email;
    c.time = w->message.created / 1000;
    c.cart = g->cart.lines;
    c.ncart = g->cart.n;
    c.cart_page = g->cart_page;
    c.recommend = g->recommend;
    c.nrecommend = g->nrecommend;
    c.marketing = g->step_of != NULL;

    return compose_message(w->pool, &c, mail, reason);
}


static void
dispatch_shadow(dispatch_worker_t *w)
{
    if (store_run(w->dispatch->store, dispatch_attempt, w) == NUDGE_OK) {
        dispatch_write(w, "shadow", "", 0);
    }
}


void
dispatch_one(dispatch_worker_t *w)
{
    nudge_int_t         rc;
    const char         *reason;
    compose_message_t   mail;

    memset(&w->guard, 0, sizeof(guard_t));
    memset(&w->result, 0, sizeof(deliver_result_t));
    w->refused = 0;

    dispatch_flow(w, &w->flow);
    w->flow.pool = w->pool;
    w->guard.flow = &w->flow;
    w->guard.message = &w->message;
    w->guard.live = dispatch_look(w);

    if (ingest_drain(w->dispatch->ingest) != NUDGE_OK) {
        dispatch_write(w, NULL, "journal_behind",
                       nudge_now() + GUARD_RETRY / 6);
        return;
    }

    if (store_run(w->dispatch->store, dispatch_guard, w) != NUDGE_OK) {
        dispatch_write(w, NULL, "store_failed", nudge_now() + GUARD_RETRY);
        return;
    }

    if (w->guard.verdict != GUARD_SEND || dispatch_relay_rests(w)) {
        return;
    }

    reason = "no_memory";
    rc = dispatch_compose(w, &mail, &reason);

    if (rc == NUDGE_ERROR) {
        dispatch_write(w, NULL, reason, nudge_now() + GUARD_RETRY);
        return;
    }

    if (rc == NUDGE_DECLINED) {
        nudge_log(NUDGE_LOG_ERR, "message %s to %s cannot be written: %s",
                  w->message.claim, w->message.contact, reason);
        dispatch_write(w, "skipped", reason, 0);
        return;
    }

    if (w->guard.bundle->campaign->mail.shadow) {
        dispatch_shadow(w);
        return;
    }

    dispatch_send(w, &mail);
}
