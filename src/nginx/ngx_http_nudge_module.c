
/*
 * The table of contents: directives, configuration, phases and filters.  What
 * each phase does stands in the file of its concern; this one only calls them
 * in order.  Nothing is registered at all unless "nudge on" stands somewhere,
 * and whatever fails in here leaves the store's response as it was.
 */


#include "ngx_http_nudge.h"


#define NGX_HTTP_NUDGE_SCRATCH  (4 * 1024 * 1024)
#define NGX_HTTP_NUDGE_JSON     (8 * 1024 * 1024)


static ngx_int_t ngx_http_nudge_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_log_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_nudge_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static void ngx_http_nudge_prepare(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static void ngx_http_nudge_ctx_cleanup(void *data);

static ngx_int_t ngx_http_nudge_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_nudge_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_nudge_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_nudge_init_process(ngx_cycle_t *cycle);
static void ngx_http_nudge_exit_process(ngx_cycle_t *cycle);


static ngx_http_module_t  ngx_http_nudge_module_ctx = {
    ngx_http_nudge_add_variables,          /* preconfiguration */
    ngx_http_nudge_init,                   /* postconfiguration */

    ngx_http_nudge_create_main_conf,       /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_nudge_create_srv_conf,        /* create server configuration */
    ngx_http_nudge_merge_srv_conf,         /* merge server configuration */

    ngx_http_nudge_create_loc_conf,        /* create location configuration */
    ngx_http_nudge_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_nudge_module = {
    NGX_MODULE_V1,
    &ngx_http_nudge_module_ctx,            /* module context */
    ngx_http_nudge_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_nudge_init_module,            /* init module */
    ngx_http_nudge_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_nudge_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;
static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;

static nudge_pool_t  *ngx_http_nudge_scratch_pool;
static nudge_json_t  *ngx_http_nudge_json_state;


static ngx_int_t
ngx_http_nudge_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_nudge_srv_conf_t  *nscf;

    nscf = ngx_http_get_module_srv_conf(r, ngx_http_nudge_module);

    if (!nscf->on || r != r->main) {
        return NGX_DECLINED;
    }

    if (r->uri.len >= nscf->path.len
        && ngx_strncmp(r->uri.data, nscf->path.data, nscf->path.len) == 0)
    {
        return ngx_http_nudge_endpoint(r, nscf);
    }

    /*
     * The original URI is noted here: rewrites and internal redirects change
     * r->uri before the location is known, and rules speak of what the
     * browser asked for.
     */

    (void) ngx_http_nudge_create_ctx(r, nscf->shop);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_nudge_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_nudge_ctx_t       *ctx;
    ngx_http_nudge_loc_conf_t  *nlcf;

    nlcf = ngx_http_get_module_loc_conf(r, ngx_http_nudge_module);

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_nudge_get_ctx(r);

    if (ctx == NULL || ctx->prepared || ctx->endpoint != NULL) {
        return NGX_DECLINED;
    }

    if (!ctx->on) {

        /* a location may switch off what the server switched on, and what one
         * location switched on stays on through internal redirects */

        if (!nlcf->enable) {
            return NGX_DECLINED;
        }

        ctx->on = 1;
        ctx->conf = nlcf;

        ngx_http_nudge_prepare(r, ctx);
    }

    if (ctx->personal || ctx->match.change) {

        if (ngx_http_nudge_session_wait(r, ctx) == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    ctx->prepared = 1;

    if (ctx->personal && !ngx_http_nudge_offer_due(r, ctx)) {
        ctx->personal = 0;
    }

    if (ctx->personal) {

        /*
         * A 304 or a part of the page could not carry a piece, and not_modified
         * and range filters run before ours: they have to find nothing (D1).
         */

        ngx_http_nudge_drop_conditions(r);
    }

    /* appended last and before the upstream is asked (D6) */

    ngx_http_nudge_capture_attempt(r, ctx);

    return NGX_DECLINED;
}


static void
ngx_http_nudge_prepare(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    ngx_http_nudge_count(NGX_HTTP_NUDGE_REQUESTS);

    ngx_http_nudge_visitor_identify(r, ctx);
    ngx_http_nudge_capture_request(r, ctx);

    ctx->personal = ngx_http_nudge_offer_expected(r, ctx);

#if (NGX_HTTP_GZIP)

    if (ctx->personal || ctx->match.answer || ctx->navigation) {

        /* gunzip, where it is on, decodes only for clients that cannot take
         * gzip; the header filter makes the gzip filter test again */

        r->gzip_tested = 1;
        r->gzip_ok = 0;
    }

#endif
}


static ngx_int_t
ngx_http_nudge_log_handler(ngx_http_request_t *r)
{
    ngx_http_nudge_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_nudge_get_ctx(r);

    if (ctx != NULL && ctx->on) {
        ngx_http_nudge_capture_finish(r, ctx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_header_filter(ngx_http_request_t *r)
{
    ngx_http_nudge_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_nudge_get_ctx(r);

    if (ctx == NULL || !ctx->on) {
        return ngx_http_next_header_filter(r);
    }

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 0;
#endif

    if (ngx_http_nudge_declare_take(r, ctx) != NGX_OK
        || ngx_http_nudge_visitor_cookie(r, ctx) != NGX_OK)
    {
        /* no memory for ours: the store's response goes out as it is */
        ctx->on = 0;
        return ngx_http_next_header_filter(r);
    }

    ngx_http_nudge_capture_header(r, ctx);

    if (ngx_http_nudge_inject_header(r, ctx) != NGX_OK) {
        ctx->html = NULL;
        ctx->injecting = 0;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_nudge_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_nudge_ctx_t  *ctx;

    if (r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    ctx = ngx_http_nudge_get_ctx(r);

    if (ctx == NULL || !ctx->on) {
        return ngx_http_next_body_filter(r, in);
    }

    if (in != NULL && ctx->copy_answer) {
        ngx_http_nudge_capture_answer(r, ctx, in);
    }

    if (ctx->html == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    return ngx_http_nudge_inject_body(r, ctx, in, ngx_http_next_body_filter);
}


static ngx_int_t
ngx_http_nudge_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_nudge_ctx_t  *ctx;

    if (r == r->main && in != NULL) {
        ctx = ngx_http_nudge_get_ctx(r);

        if (ctx != NULL && ctx->on && ctx->match.body) {
            ngx_http_nudge_capture_body(r, ctx, in);
        }
    }

    return ngx_http_next_request_body_filter(r, in);
}


ngx_http_nudge_ctx_t *
ngx_http_nudge_create_ctx(ngx_http_request_t *r, ngx_http_nudge_shop_t *shop)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_nudge_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_nudge_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_nudge_ctx_t));

    cln->handler = ngx_http_nudge_ctx_cleanup;

    ctx->request = r;
    ctx->shop = shop;
    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_nudge_module);
    ctx->uri = r->uri;
    ctx->args = r->args;

    ngx_http_set_ctx(r, ctx, ngx_http_nudge_module);

    return ctx;
}


ngx_http_nudge_ctx_t *
ngx_http_nudge_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_nudge_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_nudge_module);

    if (ctx != NULL || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /* an internal redirect wiped the contexts: as realip does, look for it
     * among the pool's cleanups */

    for (cln = r->pool->cleanup; cln != NULL; cln = cln->next) {
        if (cln->handler == ngx_http_nudge_ctx_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_nudge_module);
            return ctx;
        }
    }

    return NULL;
}


static void
ngx_http_nudge_ctx_cleanup(void *data)
{
    ngx_http_nudge_ctx_t *ctx = data;

    /* nothing is owned outside the pool; the handler marks the context */

    ctx->on = 0;
}


nudge_pool_t *
ngx_http_nudge_scratch(void)
{
    return ngx_http_nudge_scratch_pool;
}


nudge_json_t *
ngx_http_nudge_json(void)
{
    return ngx_http_nudge_json_state;
}


int64_t
ngx_http_nudge_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


static ngx_http_variable_t  ngx_http_nudge_vars[] = {

    { ngx_string("nudge_visitor"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_VISITOR, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("nudge_event"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_EVENT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("nudge_cart_total"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_CART_TOTAL, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("nudge_cart_items"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_CART_ITEMS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("nudge_offer"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_OFFER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("nudge_consent"), NULL, ngx_http_nudge_variable,
      NGX_HTTP_NUDGE_VAR_CONSENT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_nudge_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_nudge_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/*
 * Handlers of a phase run from the last of the array to the first, those of
 * the log phase from the first to the last.  The first place is right for us
 * in each: after realip, after limit_req, before the access log.
 */

static ngx_int_t
ngx_http_nudge_add_handler(ngx_http_core_main_conf_t *cmcf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_array_t          *a;
    ngx_http_handler_pt  *h;

    a = &cmcf->phases[phase].handlers;

    h = ngx_array_push(a);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h = a->elts;
    ngx_memmove(h + 1, h, (a->nelts - 1) * sizeof(ngx_http_handler_pt));
    *h = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_nudge_module);

    if (!nmcf->on) {
        return NGX_OK;
    }

    if (ngx_http_nudge_conf_finish(cf, nmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_http_nudge_add_handler(cmcf, NGX_HTTP_POST_READ_PHASE,
                                   ngx_http_nudge_post_read_handler)
        != NGX_OK
        || ngx_http_nudge_add_handler(cmcf, NGX_HTTP_PREACCESS_PHASE,
                                      ngx_http_nudge_preaccess_handler)
           != NGX_OK
        || ngx_http_nudge_add_handler(cmcf, NGX_HTTP_LOG_PHASE,
                                      ngx_http_nudge_log_handler)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_nudge_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_nudge_body_filter;

    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_nudge_request_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_init_module(ngx_cycle_t *cycle)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_nudge_module);

    if (nmcf == NULL || !nmcf->on || ngx_test_config) {
        return NGX_OK;
    }

    return ngx_http_nudge_keys_init(cycle, nmcf);
}


static ngx_int_t
ngx_http_nudge_init_process(ngx_cycle_t *cycle)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_nudge_module);

    if (nmcf == NULL || !nmcf->on
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_http_nudge_scratch_pool = nudge_pool_create(NGX_HTTP_NUDGE_SCRATCH);
    ngx_http_nudge_json_state = nudge_json_create(NGX_HTTP_NUDGE_JSON);

    if (ngx_http_nudge_scratch_pool == NULL
        || ngx_http_nudge_json_state == NULL)
    {
        return NGX_ERROR;
    }

    /* neither of them is worth a worker: without, less is known */

    if (ngx_http_nudge_memcached_init(cycle, nmcf) != NGX_OK
        || ngx_http_nudge_journal_init(cycle, nmcf) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                      "nudge could not start in this worker");
    }

    return NGX_OK;
}


static void
ngx_http_nudge_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_nudge_module);

    if (nmcf == NULL || !nmcf->on || ngx_http_nudge_scratch_pool == NULL) {
        return;
    }

    ngx_http_nudge_session_exit();
    ngx_http_nudge_sender_exit();
    ngx_http_nudge_journal_exit();
    ngx_http_nudge_memcached_exit();
    ngx_http_nudge_offer_exit_worker(nmcf);

    nudge_json_destroy(ngx_http_nudge_json_state);
    nudge_pool_destroy(ngx_http_nudge_scratch_pool);

    ngx_http_nudge_json_state = NULL;
    ngx_http_nudge_scratch_pool = NULL;
}
