
/*
 * What lies below nudge_path, answered in POST_READ before rewrites and
 * locations can swallow it.  Everything here is reachable by anybody, so each
 * request passes, in this order: a known name, its method, the address's token
 * bucket, where it came from, the size of its body.
 *
 * GET and HEAD never change anything a person would miss; a POST acts once,
 * and what matters is on disk before the answer says so.
 */


#include "ngx_http_nudge_endpoint.h"


#define NGX_HTTP_NUDGE_ENDPOINT_BODY    4096
#define NGX_HTTP_NUDGE_ENDPOINT_MEMORY  (512 * 1024)
#define NGX_HTTP_NUDGE_ENDPOINT_WAIT    5000


static ngx_int_t ngx_http_nudge_endpoint_start(ngx_http_request_t *r,
    ngx_http_nudge_srv_conf_t *nscf);
static const ngx_http_nudge_route_t *ngx_http_nudge_endpoint_route(
    ngx_http_request_t *r, ngx_http_nudge_srv_conf_t *nscf);
static ngx_int_t ngx_http_nudge_endpoint_refuse(ngx_http_nudge_endpoint_t *e);
static ngx_uint_t ngx_http_nudge_endpoint_allow(ngx_http_nudge_endpoint_t *e);
static ngx_uint_t ngx_http_nudge_endpoint_bucket(ngx_http_nudge_endpoint_t *e,
    u_char kind, ngx_uint_t per_second, ngx_uint_t burst);
static ngx_uint_t ngx_http_nudge_endpoint_same_origin(ngx_http_request_t *r);
static ngx_uint_t ngx_http_nudge_endpoint_our_host(ngx_http_request_t *r,
    ngx_str_t *url);
static void ngx_http_nudge_endpoint_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_endpoint_resume(ngx_http_nudge_endpoint_t *e);
static ngx_int_t ngx_http_nudge_endpoint_body(ngx_http_nudge_endpoint_t *e);
static void ngx_http_nudge_endpoint_cleanup(void *data);
static void ngx_http_nudge_endpoint_late(ngx_event_t *ev);
static void ngx_http_nudge_endpoint_gone(void *data);


#define NGX_HTTP_NUDGE_READ   (NGX_HTTP_GET|NGX_HTTP_HEAD)

static const ngx_http_nudge_route_t  ngx_http_nudge_routes[] = {

    { ngx_string("nudge.js"), NGX_HTTP_NUDGE_READ,
      ngx_http_nudge_answer_js, NULL, 0, 1, 0, 0, 0 },

    { ngx_string("nudge.css"), NGX_HTTP_NUDGE_READ,
      ngx_http_nudge_answer_css, NULL, 0, 1, 0, 0, 0 },

    { ngx_string("exit"), NGX_HTTP_POST,
      NULL, ngx_http_nudge_action_exit, 0, 0, 1, 0, 0 },

    { ngx_string("subscribe"), NGX_HTTP_POST,
      NULL, ngx_http_nudge_action_subscribe, 0, 0, 1, 1, 0 },

    { ngx_string("close"), NGX_HTTP_POST,
      NULL, ngx_http_nudge_action_close, 0, 0, 1, 0, 0 },

    { ngx_string("confirm"), NGX_HTTP_NUDGE_READ|NGX_HTTP_POST,
      ngx_http_nudge_action_confirm_page,
      ngx_http_nudge_action_confirm, 0, 0, 0, 0, 0 },

    { ngx_string("unsubscribe"), NGX_HTTP_NUDGE_READ|NGX_HTTP_POST,
      ngx_http_nudge_action_unsubscribe_page,
      ngx_http_nudge_action_unsubscribe, 0, 0, 0, 0, 1 },

    { ngx_string("click"), NGX_HTTP_NUDGE_READ,
      ngx_http_nudge_action_click, NULL, 0, 0, 0, 0, 0 },

    { ngx_string("status"), NGX_HTTP_NUDGE_READ,
      ngx_http_nudge_status, NULL, 1, 1, 0, 0, 0 },

    { ngx_null_string, 0, NULL, NULL, 0, 0, 0, 0, 0 }
};


ngx_int_t
ngx_http_nudge_endpoint(ngx_http_request_t *r, ngx_http_nudge_srv_conf_t *nscf)
{
    ngx_http_nudge_ctx_t  *ctx;

    ctx = ngx_http_nudge_get_ctx(r);

    if (ctx != NULL && ctx->endpoint != NULL) {
        return ngx_http_nudge_endpoint_resume(ctx->endpoint);
    }

    return ngx_http_nudge_endpoint_start(r, nscf);
}


static ngx_int_t
ngx_http_nudge_endpoint_start(ngx_http_request_t *r,
    ngx_http_nudge_srv_conf_t *nscf)
{
    ngx_int_t                   rc;
    nudge_str_t                 args;
    ngx_pool_cleanup_t         *cln;
    ngx_http_nudge_ctx_t       *ctx;
    ngx_http_nudge_endpoint_t  *e;

    ctx = ngx_http_nudge_create_ctx(r, nscf->shop);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_nudge_endpoint_t));

    if (ctx == NULL || cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    e = cln->data;
    ngx_memzero(e, sizeof(ngx_http_nudge_endpoint_t));

    cln->handler = ngx_http_nudge_endpoint_cleanup;

    e->request = r;
    e->ctx = ctx;
    e->shop = nscf->shop;
    e->conf = nscf;
    e->main = ngx_http_get_module_main_conf(r, ngx_http_nudge_module);
    e->route = ngx_http_nudge_endpoint_route(r, nscf);

    /* no view, no event of its own, no piece: not a page of the store */

    ctx->captured = 1;
    ctx->endpoint = e;

    rc = ngx_http_nudge_endpoint_refuse(e);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    e->pool = nudge_pool_create(NGX_HTTP_NUDGE_ENDPOINT_MEMORY);
    if (e->pool == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    args = ngx_http_nudge_str(r->args);

    if (args.len
        && nudge_form_urlencoded(e->pool, &args, &e->args) != NUDGE_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_POST) {

        if (ngx_http_discard_request_body(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        e->have_body = 1;

        return e->route->get(e);
    }

    rc = ngx_http_read_client_request_body(r,
                                         ngx_http_nudge_endpoint_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static const ngx_http_nudge_route_t *
ngx_http_nudge_endpoint_route(ngx_http_request_t *r,
    ngx_http_nudge_srv_conf_t *nscf)
{
    ngx_str_t                      name;
    const ngx_http_nudge_route_t  *route;

    name.data = r->uri.data + nscf->path.len;
    name.len = r->uri.len - nscf->path.len;

    for (route = ngx_http_nudge_routes; route->name.len; route++) {

        if (route->name.len == name.len
            && ngx_strncmp(route->name.data, name.data, name.len) == 0)
        {
            return route;
        }
    }

    return NULL;
}


/* NGX_DECLINED: nothing speaks against it */

static ngx_int_t
ngx_http_nudge_endpoint_refuse(ngx_http_nudge_endpoint_t *e)
{
    ngx_str_t            value;
    ngx_http_request_t  *r;

    r = e->request;

    if (e->route == NULL
        || (e->shop->bundle == NULL && !e->route->always))
    {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_NOT_FOUND, "not found");
    }

    if (!(r->method & e->route->methods)) {

        if (e->route->methods == NGX_HTTP_POST) {
            ngx_str_set(&value, "POST");

        } else if (e->route->methods & NGX_HTTP_POST) {
            ngx_str_set(&value, "GET, HEAD, POST");

        } else {
            ngx_str_set(&value, "GET, HEAD");
        }

        if (ngx_http_nudge_add_header(r, "Allow", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_nudge_answer_text(e, NGX_HTTP_NOT_ALLOWED,
                                          "method not allowed");
    }

    if (!ngx_http_nudge_endpoint_allow(e)) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_RATE_LIMITED);
        ngx_str_set(&value, "1");

        if (ngx_http_nudge_add_header(r, "Retry-After", &value) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_nudge_answer_text(e, NGX_HTTP_TOO_MANY_REQUESTS,
                                          "too many requests");
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_DECLINED;
    }

    if (e->route->origin && !ngx_http_nudge_endpoint_same_origin(r)) {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_FORBIDDEN,
                                          "not from this shop");
    }

    /* none of our forms is sent in chunks; what has no length has no limit */

    if (r->headers_in.chunked) {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_LENGTH_REQUIRED,
                                          "length required");
    }

    if (r->headers_in.content_length_n > NGX_HTTP_NUDGE_ENDPOINT_BODY) {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                          "too large");
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_nudge_endpoint_allow(ngx_http_nudge_endpoint_t *e)
{
    if (e->route->free || e->main->zone == NULL) {
        return 1;
    }

    if (e->request->method == NGX_HTTP_POST) {

        /* a few addresses of a provider stand for all of its customers */

        if (e->route->mailbox) {
            return ngx_http_nudge_endpoint_bucket(e, 'u', 200, 2000);
        }

        /* each may cause a mail to somebody else's address */

        if (e->route->person
            && !ngx_http_nudge_endpoint_bucket(e, 's', 1, 10))
        {
            return 0;
        }
    }

    return ngx_http_nudge_endpoint_bucket(e, 'e', 10, 40);
}


static ngx_uint_t
ngx_http_nudge_endpoint_bucket(ngx_http_nudge_endpoint_t *e, u_char kind,
    ngx_uint_t per_second, ngx_uint_t burst)
{
    u_char                buf[1 + 16];
    ngx_str_t             key;
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    sa = e->request->connection->sockaddr;

    buf[0] = kind;
    key.data = buf;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        ngx_memcpy(buf + 1, &sin->sin_addr, 4);
        key.len = 1 + 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(buf + 1, sin6->sin6_addr.s6_addr + 12, 4);
            key.len = 1 + 4;
            break;
        }

        /* a household has at least a /64 */

        ngx_memcpy(buf + 1, sin6->sin6_addr.s6_addr, 8);
        key.len = 1 + 8;
        break;
#endif

    default:
        return 1;
    }

    return ngx_http_nudge_zone_allow(e->main->zone, &key, per_second, burst);
}


/* browsers that do not say where a POST comes from send Origin or Referer */

static ngx_uint_t
ngx_http_nudge_endpoint_same_origin(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    static const char  *names[] = { "origin", "referer" };

    h = ngx_http_nudge_header(&r->headers_in.headers, "sec-fetch-site", NULL);

    if (h != NULL) {
        return h->value.len == sizeof("same-origin") - 1
               && ngx_strncmp(h->value.data, "same-origin", h->value.len) == 0;
    }

    for (i = 0; i < 2; i++) {
        h = ngx_http_nudge_header(&r->headers_in.headers, names[i], NULL);

        if (h != NULL) {
            return ngx_http_nudge_endpoint_our_host(r, &h->value);
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_nudge_endpoint_our_host(ngx_http_request_t *r, ngx_str_t *url)
{
    u_char     *p, *last;
    ngx_str_t   host, *ours;

    if (r->headers_in.host == NULL) {
        return 0;
    }

    ours = &r->headers_in.host->value;

    if (url->len > 8
        && ngx_strncasecmp(url->data, (u_char *) "https://", 8) == 0)
    {
        host.data = url->data + 8;

    } else if (url->len > 7
               && ngx_strncasecmp(url->data, (u_char *) "http://", 7) == 0)
    {
        host.data = url->data + 7;

    } else {
        return 0;
    }

    last = url->data + url->len;

    for (p = host.data; p < last; p++) {
        if (*p == '/' || *p == '?' || *p == '#' || *p == '\\') {
            break;
        }
    }

    host.len = p - host.data;

    return host.len == ours->len
           && ngx_strncasecmp(host.data, ours->data, host.len) == 0;
}


static void
ngx_http_nudge_endpoint_body_handler(ngx_http_request_t *r)
{
    ngx_http_nudge_ctx_t  *ctx;

    ctx = ngx_http_nudge_get_ctx(r);

    ctx->endpoint->have_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* the phase runs again at every event while something is waited for */

static ngx_int_t
ngx_http_nudge_endpoint_resume(ngx_http_nudge_endpoint_t *e)
{
    ngx_int_t  rc;

    if (!e->have_body || e->waiting) {
        return NGX_AGAIN;
    }

    if (e->request->method != NGX_HTTP_POST) {
        return e->route->get(e);
    }

    if (e->form.fields == NULL) {
        rc = ngx_http_nudge_endpoint_body(e);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return e->route->post(e);
}


static ngx_int_t
ngx_http_nudge_endpoint_body(ngx_http_nudge_endpoint_t *e)
{
    size_t               len;
    u_char              *p;
    ngx_chain_t         *cl;
    nudge_int_t          rc;
    nudge_str_t          body, type;
    ngx_http_request_t  *r;

    r = e->request;
    body.len = 0;
    body.data = nudge_palloc(e->pool, NGX_HTTP_NUDGE_ENDPOINT_BODY);

    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = body.data;

    for (cl = r->request_body ? r->request_body->bufs : NULL;
         cl != NULL;
         cl = cl->next)
    {
        /* it went to a file: client_body_buffer_size is smaller than this */

        if (!ngx_buf_in_memory(cl->buf)) {

            if (ngx_buf_size(cl->buf) == 0) {
                continue;
            }

            return ngx_http_nudge_answer_text(e,
                                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                            "too large");
        }

        len = cl->buf->last - cl->buf->pos;

        if (len > NGX_HTTP_NUDGE_ENDPOINT_BODY - body.len) {
            return ngx_http_nudge_answer_text(e,
                                            NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                            "too large");
        }

        p = ngx_cpymem(p, cl->buf->pos, len);
        body.len += len;
    }

    nudge_str_null(&type);

    if (r->headers_in.content_type != NULL) {
        type = ngx_http_nudge_str(r->headers_in.content_type->value);
    }

    rc = NUDGE_DECLINED;

    if (nudge_str_find(&type, "multipart/form-data") != NULL) {
        rc = nudge_form_multipart(e->pool, &type, &body, &e->form);
    }

    if (rc == NUDGE_DECLINED) {
        rc = nudge_form_urlencoded(e->pool, &body, &e->form);
    }

    if (rc != NUDGE_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (e->form.fields == NULL) {

        /* an empty form is parsed only once, too */

        e->form.fields = nudge_pcalloc(e->pool, sizeof(nudge_field_t));

        if (e->form.fields == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return NGX_OK;
}


nudge_str_t
ngx_http_nudge_endpoint_field(ngx_http_nudge_endpoint_t *e, const char *name)
{
    nudge_str_t  key, *value;

    key = nudge_cstr(name);

    value = nudge_form_get(&e->form, &key);

    if (value == NULL) {
        value = nudge_form_get(&e->args, &key);
    }

    return value ? *value : nudge_cstr("");
}


static void
ngx_http_nudge_endpoint_cleanup(void *data)
{
    ngx_http_nudge_endpoint_t *e = data;

    if (e->pool != NULL) {
        nudge_pool_destroy(e->pool);
    }
}


ngx_int_t
ngx_http_nudge_endpoint_park(ngx_http_nudge_endpoint_t *e)
{
    ngx_http_cleanup_t  *cln;

    cln = ngx_http_cleanup_add(e->request, 0);

    if (cln == NULL) {
        ngx_http_nudge_task_orphan(e->handle);
        e->handle = NULL;
        return NGX_ERROR;
    }

    cln->handler = ngx_http_nudge_endpoint_gone;
    cln->data = e;

    /* a disk that does not answer must not hold a worker that wants to go */

    e->timer.handler = ngx_http_nudge_endpoint_late;
    e->timer.data = e;
    e->timer.log = e->request->connection->log;
    e->waiting = 1;

    ngx_add_timer(&e->timer, NGX_HTTP_NUDGE_ENDPOINT_WAIT);

    return NGX_OK;
}


void
ngx_http_nudge_endpoint_wake(void *data, ngx_int_t rc)
{
    ngx_http_nudge_endpoint_t *e = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = e->request;
    c = r->connection;

    if (e->timer.timer_set) {
        ngx_del_timer(&e->timer);
    }

    e->handle = NULL;
    e->waiting = 0;
    e->acted = 1;
    e->rc = rc;

    ngx_http_set_log_request(c->log, r);

    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}


static void
ngx_http_nudge_endpoint_late(ngx_event_t *ev)
{
    ngx_http_nudge_endpoint_t *e = ev->data;

    if (e->handle != NULL) {
        ngx_http_nudge_task_orphan(e->handle);
    }

    ngx_http_nudge_endpoint_wake(e, NGX_ERROR);
}


static void
ngx_http_nudge_endpoint_gone(void *data)
{
    ngx_http_nudge_endpoint_t *e = data;

    if (e->timer.timer_set) {
        ngx_del_timer(&e->timer);
    }

    if (e->handle != NULL) {
        ngx_http_nudge_task_orphan(e->handle);
        e->handle = NULL;
    }
}
