
/*
 * Replies of the endpoints.  Each is sent whole and says itself how it may be
 * kept; error_page has no say in them, since a shop's own error page would not
 * tell a visitor whether they are unsubscribed.
 */


#include "ngx_http_nudge_endpoint.h"


#define NGX_HTTP_NUDGE_ANSWER_PAGE  65536


static ngx_int_t ngx_http_nudge_answer_headers(ngx_http_nudge_endpoint_t *e,
    ngx_uint_t page);
static ngx_int_t ngx_http_nudge_answer_send(ngx_http_nudge_endpoint_t *e,
    ngx_uint_t status, ngx_str_t *type, ngx_str_t *body);
static ngx_int_t ngx_http_nudge_answer_asset(ngx_http_nudge_endpoint_t *e,
    const char *name, const char *type);
static ngx_int_t ngx_http_nudge_answer_etag(ngx_http_nudge_endpoint_t *e);


ngx_int_t
ngx_http_nudge_answer(ngx_http_nudge_endpoint_t *e, ngx_uint_t status,
    const char *type, ngx_str_t *body)
{
    ngx_str_t  content_type;

    content_type.data = (u_char *) type;
    content_type.len = type ? ngx_strlen(type) : 0;

    if (ngx_http_nudge_answer_headers(e, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_nudge_answer_send(e, status, &content_type, body);
}


ngx_int_t
ngx_http_nudge_answer_text(ngx_http_nudge_endpoint_t *e, ngx_uint_t status,
    const char *text)
{
    size_t     len;
    ngx_str_t  body;

    len = ngx_strlen(text);

    body.data = ngx_pnalloc(e->request->pool, len + 1);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(body.data, text, len);
    body.data[len] = '\n';
    body.len = len + 1;

    return ngx_http_nudge_answer(e, status, "text/plain", &body);
}


ngx_int_t
ngx_http_nudge_answer_page(ngx_http_nudge_endpoint_t *e, ngx_uint_t status,
    const char *name, nudge_str_t *token, const char *reason)
{
    ngx_str_t        type, body;
    nudge_buf_t      b;
    nudge_str_t      text;
    nudge_shop_t    *shop;
    nudge_value_t   *data;

    data = ngx_http_nudge_piece_data(e->shop, e->pool);

    if (data == NULL
        || (token != NULL
            && nudge_value_add_str(e->pool, data, "token", token) == NULL))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reason != NULL) {
        shop = &e->shop->bundle->campaign->shop;

        if (nudge_value_add_bool(e->pool, data, reason, 1) == NULL
            || nudge_value_add_str(e->pool, data, "contact",
                                   shop->from.len ? &shop->from
                                                  : &shop->postal_address)
               == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (nudge_buf_grow(&b, e->pool, 4096, NGX_HTTP_NUDGE_ANSWER_PAGE)
        != NUDGE_OK
        || nudge_bundle_render(e->shop->bundle, name, &b, data,
                               NUDGE_ESCAPE_ASCII)
           != NUDGE_OK
        || b.full)
    {
        ngx_log_error(NGX_LOG_ERR, e->request->connection->log, 0,
                      "nudge: page \"%s\" could not be rendered", name);

        return ngx_http_nudge_answer_text(e, status,
                                          status < NGX_HTTP_BAD_REQUEST
                                          ? "done" : "this did not work");
    }

    /* the pool lives as long as the request does */

    text = nudge_buf_result(&b);

    body.len = text.len;
    body.data = text.data;

    ngx_str_set(&type, "text/html");

    if (ngx_http_nudge_answer_headers(e, 1) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_nudge_answer_send(e, status, &type, &body);
}


/*
 * Nothing here is for anybody else's eyes.  A page has its token in its
 * address: it is kept out of Referer and search engines, and of frames.
 */

static ngx_int_t
ngx_http_nudge_answer_headers(ngx_http_nudge_endpoint_t *e, ngx_uint_t page)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    static const char  *headers[][2] = {
        { "Cache-Control", "no-store" },
        { "X-Content-Type-Options", "nosniff" },
        { "X-Robots-Tag", "noindex" },
        { "Referrer-Policy", "no-referrer" },
        { "Content-Security-Policy", "default-src 'none'; style-src 'self'; "
          "img-src 'self' https:; form-action 'self'; "
          "frame-ancestors 'none'; base-uri 'none'" },
        { NULL, NULL }
    };

    for (i = 0; headers[i][0] != NULL; i++) {

        if (i == 3 && !page) {
            break;
        }

        value.data = (u_char *) headers[i][1];
        value.len = ngx_strlen(value.data);

        if (ngx_http_nudge_add_header(e->request, headers[i][0], &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_answer_redirect(ngx_http_nudge_endpoint_t *e,
    ngx_str_t *location)
{
    ngx_str_t            body;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = e->request;

    ngx_http_clear_location(r);

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    ngx_http_nudge_elt_next(h);
    ngx_str_set(&h->key, "Location");
    h->value = *location;

    r->headers_out.location = h;

    ngx_str_null(&body);

    return ngx_http_nudge_answer(e, NGX_HTTP_MOVED_TEMPORARILY, NULL, &body);
}


ngx_int_t
ngx_http_nudge_answer_css(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_answer_asset(e, "nudge.css", "text/css");
}


ngx_int_t
ngx_http_nudge_answer_js(ngx_http_nudge_endpoint_t *e)
{
    return ngx_http_nudge_answer_asset(e, "nudge.js",
                                       "application/javascript");
}


/* under the name the pages use it never changes; under any other it may */

static ngx_int_t
ngx_http_nudge_answer_asset(ngx_http_nudge_endpoint_t *e, const char *name,
    const char *type)
{
    ngx_str_t      body, content_type, cache, *assets;
    nudge_str_t    version;
    nudge_file_t  *file;

    file = nudge_bundle_file(e->shop->bundle, name);

    if (file == NULL) {
        return ngx_http_nudge_answer_text(e, NGX_HTTP_NOT_FOUND, "not found");
    }

    assets = &e->shop->assets;
    version = ngx_http_nudge_endpoint_field(e, "v");

    if (version.len == assets->len
        && ngx_memcmp(version.data, assets->data, assets->len) == 0)
    {
        ngx_str_set(&cache, "public, max-age=31536000, immutable");

    } else {
        ngx_str_set(&cache, "no-cache");
    }

    if (ngx_http_nudge_add_header(e->request, "Cache-Control", &cache)
        != NGX_OK
        || ngx_http_nudge_answer_etag(e) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = file->text.len;
    body.data = file->text.data;

    content_type.data = (u_char *) type;
    content_type.len = ngx_strlen(type);

    return ngx_http_nudge_answer_send(e, NGX_HTTP_OK, &content_type, &body);
}


/* nginx's own not_modified filter does the rest */

static ngx_int_t
ngx_http_nudge_answer_etag(ngx_http_nudge_endpoint_t *e)
{
    u_char              *p;
    ngx_table_elt_t     *h;
    ngx_http_request_t  *r;

    r = e->request;

    p = ngx_pnalloc(r->pool, e->shop->assets.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_nudge_elt_next(h);
    ngx_str_set(&h->key, "ETag");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "\"%V\"", &e->shop->assets) - p;

    r->headers_out.etag = h;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_answer_send(ngx_http_nudge_endpoint_t *e, ngx_uint_t status,
    ngx_str_t *type, ngx_str_t *body)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = e->request;

    /* of a POST that was refused; what was read already is not there to be */

    if (ngx_http_discard_request_body(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;
    r->headers_out.last_modified_time = -1;

    if (type->len) {
        r->headers_out.content_type = *type;
        r->headers_out.content_type_len = type->len;
        r->headers_out.content_type_lowcase = NULL;
        ngx_str_set(&r->headers_out.charset, "utf-8");
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = (body->len != 0);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    rc = ngx_http_send_header(r);

    if (rc != NGX_ERROR && rc <= NGX_OK && !r->header_only) {
        rc = ngx_http_output_filter(r, &out);
    }

    ngx_http_finalize_request(r, rc);

    return NGX_DONE;
}
