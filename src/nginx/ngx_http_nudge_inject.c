
/*
 * The HTML filter.  It reads every page that may tell something about a
 * product and, where a visitor is due a piece, decides whether the page can
 * carry it and clears the headers that would let it be kept or checked.
 *
 * Promise: a response that carries nothing leaves as it came, validators,
 * ranges and all.
 */


#include "ngx_http_nudge_rewrite.h"


#define NGX_HTTP_NUDGE_LD_SIZE  65536


static ngx_uint_t ngx_http_nudge_inject_readable(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static ngx_uint_t ngx_http_nudge_inject_allowed(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static ngx_uint_t ngx_http_nudge_inject_charset(ngx_http_request_t *r);
static void ngx_http_nudge_inject_csp(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static ngx_int_t ngx_http_nudge_inject_prepare(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static ngx_int_t ngx_http_nudge_inject_private(ngx_http_request_t *r);


/* what would let somebody else keep or check a page made for one visitor */

static char  *ngx_http_nudge_inject_dropped[] = {
    "cache-control",
    "expires",
    "surrogate-control",
    "cdn-cache-control",
    "content-md5",
    "digest",
    "content-digest",
    "repr-digest",
    NULL
};


ngx_int_t
ngx_http_nudge_inject_header(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    u_char  *ld;

    if (ctx->endpoint || !ngx_http_nudge_inject_readable(r, ctx)) {
        return NGX_OK;
    }

    ctx->html = ngx_palloc(r->pool, sizeof(nudge_html_t));
    if (ctx->html == NULL) {
        return NGX_OK;
    }

    ld = ngx_palloc(r->pool, NGX_HTTP_NUDGE_LD_SIZE);

    nudge_html_init(ctx->html, ld, ld ? NGX_HTTP_NUDGE_LD_SIZE : 0);

    /* static pages and those from the cache are otherwise sent unread */

    r->main_filter_need_in_memory = 1;

    if (!ctx->personal
        || !ngx_http_nudge_inject_allowed(r, ctx)
        || !ngx_http_nudge_offer_due(r, ctx))
    {
        return NGX_OK;
    }

    return ngx_http_nudge_inject_prepare(r, ctx);
}


/* a whole document that can be read; what is not is none of our business */

static ngx_uint_t
ngx_http_nudge_inject_readable(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    ngx_str_t        *type;
    ngx_table_elt_t  *h;

    if (r != r->main
        || r->header_only
        || r->headers_out.status != NGX_HTTP_OK
        || ctx->html != NULL)
    {
        return 0;
    }

    /* a shopper's page, be it the answer to a form (D16) */

    if (!(ctx->navigation || ctx->prefetch)
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_POST)))
    {
        return 0;
    }

    type = &r->headers_out.content_type;

    if (type->len < sizeof("text/html") - 1
        || ngx_strncasecmp(type->data, (u_char *) "text/html",
                           sizeof("text/html") - 1)
           != 0)
    {
        return 0;
    }

    if (type->len > sizeof("text/html") - 1
        && ngx_strchr("; \t", type->data[sizeof("text/html") - 1]) == NULL)
    {
        return 0;
    }

    if (r->headers_out.content_encoding
        && r->headers_out.content_encoding->value.len)
    {
        if (ctx->personal) {
            ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ENCODED);
        }

        return 0;
    }

    h = ngx_http_nudge_header(&r->headers_out.headers, "content-disposition",
                              NULL);

    if (h && ngx_strncasecmp(h->value.data, (u_char *) "attachment",
                             ngx_min(h->value.len,
                                     sizeof("attachment") - 1))
             == 0)
    {
        return 0;
    }

    return 1;
}


static ngx_uint_t
ngx_http_nudge_inject_allowed(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    if (!ngx_http_nudge_inject_charset(r)) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CHARSET);
        return 0;
    }

    ngx_http_nudge_inject_csp(r, ctx);

    if (!ctx->csp.style) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CSP);
        return 0;
    }

    return 1;
}


/*
 * Encodings in which the byte "<" is not always the character, or the other
 * way round; in all others known to the WHATWG our ASCII means the same.
 */

static ngx_uint_t
ngx_http_nudge_inject_charset(ngx_http_request_t *r)
{
    u_char       *p;
    size_t        len;
    ngx_str_t     charset;
    ngx_uint_t    i;

    static ngx_str_t  foreign[] = {
        ngx_string("utf-16"), ngx_string("utf16"), ngx_string("utf-32"),
        ngx_string("utf32"), ngx_string("utf-7"), ngx_string("utf7"),
        ngx_string("ucs-"), ngx_string("iso-10646"), ngx_string("unicode"),
        ngx_string("csunicode"), ngx_string("iso-2022"),
        ngx_string("csiso2022"), ngx_string("hz-"), ngx_string("ibm037"),
        ngx_string("cp037"), ngx_string("ibm1047"), ngx_string("cp1047"),
        ngx_string("ebcdic"), ngx_null_string
    };

    charset = r->headers_out.charset;

    if (charset.len == 0) {
        p = ngx_strlcasestrn(r->headers_out.content_type.data,
                             r->headers_out.content_type.data
                             + r->headers_out.content_type.len,
                             (u_char *) "charset=", sizeof("charset=") - 2);
        if (p == NULL) {
            return 1;
        }

        charset.data = p + sizeof("charset=") - 1;
        charset.len = r->headers_out.content_type.data
                      + r->headers_out.content_type.len - charset.data;
    }

    while (charset.len && (*charset.data == '"' || *charset.data == '\''
                           || *charset.data == ' '))
    {
        charset.data++;
        charset.len--;
    }

    for (i = 0; foreign[i].len; i++) {
        len = foreign[i].len;

        if (charset.len >= len
            && ngx_strncasecmp(charset.data, foreign[i].data, len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_http_nudge_inject_csp(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    nudge_str_t       host, value;
    ngx_uint_t        https;
    ngx_table_elt_t  *h;

    nudge_csp_init(&ctx->csp);

    nudge_str_null(&host);

    if (r->headers_in.host) {
        host.len = r->headers_in.host->value.len;
        host.data = r->headers_in.host->value.data;
    }

    https = 0;

#if (NGX_HTTP_SSL)
    https = (r->connection->ssl != NULL);
#endif

    h = NULL;

    for ( ;; ) {
        h = ngx_http_nudge_header(&r->headers_out.headers,
                                  "content-security-policy", h);
        if (h == NULL) {
            return;
        }

        value.len = h->value.len;
        value.data = h->value.data;

        nudge_csp_apply(&ctx->csp, &value, &host, https);
    }
}


static ngx_int_t
ngx_http_nudge_inject_prepare(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    ngx_http_nudge_inject_t  *ic;

    ic = ngx_http_nudge_rewrite_create(r);
    if (ic == NULL) {
        return NGX_OK;
    }

    if (ngx_http_nudge_inject_private(r) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->inject = ic;
    ctx->injecting = 1;

    return NGX_OK;
}


/*
 * The page is for this visitor alone and changes with what they do, so it may
 * be kept only by their own browser and has to be asked for again.  "no-store"
 * stays the store's decision: it disables the back/forward cache.
 */

static ngx_int_t
ngx_http_nudge_inject_private(ngx_http_request_t *r)
{
    char             **name;
    ngx_uint_t         no_store;
    ngx_table_elt_t   *h;

    no_store = 0;

    for (name = ngx_http_nudge_inject_dropped; *name; name++) {
        h = NULL;

        for ( ;; ) {
            h = ngx_http_nudge_header(&r->headers_out.headers, *name, h);
            if (h == NULL) {
                break;
            }

            if (name == ngx_http_nudge_inject_dropped
                && ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                                    (u_char *) "no-store",
                                    sizeof("no-store") - 2))
            {
                no_store = 1;
            }

            h->hash = 0;
        }
    }

    r->headers_out.expires = NULL;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_nudge_elt_next(h);
    ngx_str_set(&h->key, "Cache-Control");

    if (no_store) {
        ngx_str_set(&h->value, "private, no-cache, no-store");

    } else {
        ngx_str_set(&h->value, "private, no-cache");
    }

    if (ngx_http_nudge_set_cache_control(r, h) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_etag(r);

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_inject_body(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_chain_t *in, ngx_http_output_body_filter_pt next)
{
    if (ctx->html == NULL) {
        return next(r, in);
    }

    if (ctx->inject != NULL) {
        return ngx_http_nudge_rewrite(r, ctx, in, next);
    }

    ngx_http_nudge_inject_read(ctx, in);

    return next(r, in);
}


/* for capture: what passes is looked at and nothing else */

void
ngx_http_nudge_inject_read(ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (ngx_buf_in_memory(b) && b->last > b->pos) {
            nudge_html_feed(ctx->html, b->pos, b->last - b->pos);
        }

        if (b->last_buf) {
            nudge_html_end(ctx->html);
            ngx_http_nudge_offer_learn(ctx, &ctx->html->body_class);
        }
    }
}
