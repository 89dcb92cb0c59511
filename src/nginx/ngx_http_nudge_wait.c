
/*
 * A request that may be answered with something personal, or that changes the
 * cart, and whose hot copy is older than the visitor's cookie, is parked in
 * PREACCESS until memcached has answered, at most for nudge_timeout.  A
 * document older than the cookie is on its way from another host: it is read
 * again until the deadline.  Then the visitor is unknown for this request.
 *
 * r->main->blocked is not touched, nor the request's count: the task knows
 * the request only as long as the cleanup handler has not run, and the
 * deadline timer both bounds the wait and holds back a worker told to quit.
 */


#include "ngx_http_nudge_session.h"


typedef struct {
    ngx_http_nudge_ctx_t       *ctx;        /* NULL: over */
    ngx_http_nudge_who_t        who;
    ngx_event_t                 reread;
    ngx_uint_t                  answers;
} ngx_http_nudge_wait_t;


static ngx_uint_t ngx_http_nudge_wait_current(ngx_http_nudge_wait_t *w);
static ngx_int_t ngx_http_nudge_wait_start(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_http_nudge_who_t *who);
static ngx_int_t ngx_http_nudge_wait_post(ngx_http_nudge_wait_t *w);
static void ngx_http_nudge_wait_done(ngx_http_nudge_task_t *task);
static void ngx_http_nudge_wait_reread(ngx_event_t *ev);
static void ngx_http_nudge_wait_deadline(ngx_event_t *ev);
static void ngx_http_nudge_wait_end(ngx_http_nudge_wait_t *w);
static void ngx_http_nudge_wait_resume(ngx_http_nudge_wait_t *w,
    ngx_uint_t known);
static void ngx_http_nudge_wait_cleanup(void *data);


static ngx_uint_t  ngx_http_nudge_wait_leaving;


ngx_int_t
ngx_http_nudge_session_wait(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    nudge_pool_t          *pool;
    ngx_http_nudge_hot_t   hot;
    ngx_http_nudge_who_t   who;

    /* any event on the connection runs the phases again */

    if (ctx->waiting) {
        return NGX_AGAIN;
    }

    /* has waited */

    if (ctx->deadline.handler != NULL) {
        return NGX_OK;
    }

    ctx->known = 0;

    if (!ctx->identified
        || ngx_http_nudge_session_who(ctx, &who) != NGX_OK)
    {
        return NGX_OK;
    }

    if (!ctx->returning) {
        ctx->known = 1;
        return NGX_OK;
    }

    pool = ngx_http_nudge_session_pool();

    if (pool == NULL) {
        return NGX_OK;
    }

    if (ngx_http_nudge_hot_read(&who, pool, &hot) == NGX_OK
        && ngx_http_nudge_hot_current(&hot, ctx->cookie_version))
    {
        ctx->known = 1;
        return NGX_OK;
    }

    if (!ngx_http_nudge_session_shared()) {

        /* nobody else could know more; a cart there was is lost */

        ctx->known = (ctx->cookie_version == 0);
        return NGX_OK;
    }

    if (r != r->main
        || (!ctx->personal
            && (!ctx->match.change || ctx->cookie_version == 0)))
    {
        return NGX_OK;
    }

    return ngx_http_nudge_wait_start(r, ctx, &who);
}


static ngx_int_t
ngx_http_nudge_wait_start(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_http_nudge_who_t *who)
{
    ngx_event_t                *rev;
    ngx_http_cleanup_t         *cln;
    ngx_http_nudge_wait_t      *w;
    ngx_http_nudge_srv_conf_t  *nscf;

    w = ngx_pcalloc(r->pool, sizeof(ngx_http_nudge_wait_t));
    if (w == NULL) {
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_OK;
    }

    w->ctx = ctx;
    w->who = *who;

    ctx->deadline.handler = ngx_http_nudge_wait_deadline;
    ctx->deadline.data = w;
    ctx->deadline.log = r->connection->log;

    w->reread.handler = ngx_http_nudge_wait_reread;
    w->reread.data = w;
    w->reread.log = r->connection->log;

    if (ngx_http_nudge_wait_post(w) != NGX_OK) {
        return NGX_OK;
    }

    /* as limit_req does to notice a client that has gone */

    rev = r->connection->read;

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_nudge_wait_end(w);
        return NGX_OK;
    }

    cln->handler = ngx_http_nudge_wait_cleanup;
    cln->data = w;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    nscf = ngx_http_get_module_srv_conf(r, ngx_http_nudge_module);

    ngx_add_timer(&ctx->deadline, nscf->timeout);

    ctx->waiting = 1;

    ngx_http_nudge_count(NGX_HTTP_NUDGE_WAITED);

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "http nudge waits for memcached");

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_nudge_wait_post(ngx_http_nudge_wait_t *w)
{
    ngx_http_nudge_task_t  *task;

    task = ngx_http_nudge_session_task(&w->who, NGX_HTTP_NUDGE_MC_GET);

    if (task == NULL) {
        return NGX_ERROR;
    }

    task->owner = w;
    task->done = ngx_http_nudge_wait_done;

    if (ngx_http_nudge_task_post(task) != NGX_OK) {
        ngx_http_nudge_task_free(task);
        return NGX_DECLINED;
    }

    w->ctx->task = task;

    return NGX_OK;
}


/* another request of this visitor may have brought it meanwhile */

static ngx_uint_t
ngx_http_nudge_wait_current(ngx_http_nudge_wait_t *w)
{
    nudge_pool_t          *pool;
    ngx_http_nudge_hot_t   hot;

    pool = ngx_http_nudge_session_pool();

    return pool != NULL
           && ngx_http_nudge_hot_read(&w->who, pool, &hot) == NGX_OK
           && ngx_http_nudge_hot_current(&hot, w->ctx->cookie_version);
}


static void
ngx_http_nudge_wait_done(ngx_http_nudge_task_t *task)
{
    uint32_t                version;
    nudge_session_t         doc;
    ngx_http_nudge_hot_t    hot;
    ngx_http_nudge_wait_t  *w;

    w = task->owner;
    w->ctx->task = NULL;

    if (ngx_http_nudge_wait_leaving) {
        return;
    }

    if (task->rc == NGX_ERROR) {
        ngx_http_nudge_wait_resume(w, 0);
        return;
    }

    version = w->ctx->cookie_version;

    /* garbage counts as nothing: the next save writes it over */

    if (task->rc == NGX_OK
        && ngx_http_nudge_session_decode(task, &doc) == NGX_OK)
    {
        if (ngx_http_nudge_hot_join(&w->who, &doc, 1, &hot) != NGX_OK) {
            ngx_http_nudge_wait_resume(w, 0);
            return;
        }

        if (ngx_http_nudge_hot_current(&hot, version)) {
            ngx_http_nudge_wait_resume(w, 1);
            return;
        }

    } else if (version == 0) {

        /* a cookie, but never a cart: that memcached has nothing is all right
         * and need not be asked again */

        (void) ngx_http_nudge_hot_join(&w->who, NULL, 1, &hot);

        ngx_http_nudge_wait_resume(w, 1);
        return;
    }

    ngx_add_timer(&w->reread, w->answers++ ? 2 : 1);
}


static void
ngx_http_nudge_wait_reread(ngx_event_t *ev)
{
    ngx_http_nudge_wait_t  *w = ev->data;

    if (ngx_http_nudge_wait_current(w)) {
        ngx_http_nudge_wait_resume(w, 1);
        return;
    }

    if (ngx_http_nudge_wait_post(w) != NGX_OK) {
        ngx_http_nudge_wait_resume(w, 0);
    }
}


static void
ngx_http_nudge_wait_deadline(ngx_event_t *ev)
{
    ngx_http_nudge_wait_t  *w = ev->data;

    /* memcached that has answered before only lacks what is asked for */

    if (w->ctx->task != NULL && w->answers == 0) {
        ngx_http_nudge_task_late(w->ctx->task);
        w->ctx->task = NULL;
    }

    ngx_http_nudge_wait_resume(w, ngx_http_nudge_wait_current(w));
}


static void
ngx_http_nudge_wait_end(ngx_http_nudge_wait_t *w)
{
    ngx_http_nudge_ctx_t  *ctx;

    ctx = w->ctx;

    if (ctx->task != NULL) {
        ngx_http_nudge_task_orphan(ctx->task);
        ctx->task = NULL;
    }

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    if (w->reread.timer_set) {
        ngx_del_timer(&w->reread);
    }

    ctx->waiting = 0;
    w->ctx = NULL;
}


/* the request may be gone when this returns */

static void
ngx_http_nudge_wait_resume(ngx_http_nudge_wait_t *w, ngx_uint_t known)
{
    ngx_connection_t      *c;
    ngx_http_request_t    *r;
    ngx_http_nudge_ctx_t  *ctx;

    ctx = w->ctx;
    r = ctx->request;
    c = r->connection;

    ngx_http_nudge_wait_end(w);

    ctx->known = known ? 1 : 0;

    ngx_http_set_log_request(c->log, r);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "http nudge session known: %ui", known);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else {
        r->read_event_handler = ngx_http_block_reading;
        r->write_event_handler = ngx_http_core_run_phases;

        ngx_http_core_run_phases(r);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_nudge_wait_cleanup(void *data)
{
    ngx_http_nudge_wait_t  *w = data;

    if (w->ctx != NULL) {
        ngx_http_nudge_wait_end(w);
    }
}


void
ngx_http_nudge_wait_exit(void)
{
    ngx_http_nudge_wait_leaving = 1;
}
