
/*
 * Who is this?  The identity cookie (D14), what may be kept (D15), whether
 * the request is a view, a prefetch or a bot's (D16).  All of it is decided
 * from the request alone and before anything is stored; a visitor who denied
 * consent is told apart from nobody.
 */


#include "ngx_http_nudge.h"

#include <sys/random.h>


#define NGX_HTTP_NUDGE_COOKIE_AGE  (365 * 24 * 60 * 60)


static void ngx_http_nudge_visitor_consent(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static void ngx_http_nudge_visitor_cookie_in(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_keys_t *keys);
static ngx_uint_t ngx_http_nudge_visitor_navigation(ngx_http_request_t *r);
static ngx_uint_t ngx_http_nudge_visitor_bot(ngx_http_request_t *r);
static ngx_int_t ngx_http_nudge_visitor_set_cookie(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_uint_t expire);


/* what well-known crawlers, previewers and command line tools call themselves;
 * compared in lower case.  They are served, not counted, not mailed. */

static const char  *ngx_http_nudge_bots[] = {
    "bot", "crawl", "spider", "slurp", "headlesschrome", "lighthouse",
    "facebookexternalhit", "whatsapp", "preview", "curl/", "wget/",
    "python-", "go-http-client", "java/", "okhttp", "libwww", "httpclient",
    NULL
};


void
ngx_http_nudge_visitor_identify(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    u_char                       random[16];
    ngx_str_t                    value;
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_nudge_module);

    ctx->navigation = ngx_http_nudge_visitor_navigation(r);
    ctx->bot = ngx_http_nudge_visitor_bot(r);

    value = ngx_http_nudge_header_value(&r->headers_in.headers,
                                        "sec-purpose");
    if (value.len == 0) {
        value = ngx_http_nudge_header_value(&r->headers_in.headers, "purpose");
    }

    ctx->prefetch = value.len >= 8
                    && ngx_strncmp(value.data, "prefetch", 8) == 0;

    value = ngx_http_nudge_header_value(&r->headers_in.headers, "sec-gpc");
    ctx->gpc = (value.len == 1 && value.data[0] == '1');

    ngx_http_nudge_visitor_consent(r, ctx);
    ngx_http_nudge_visitor_cookie_in(r, ctx, &nmcf->keys);

    if (ctx->storage == NUDGE_STORE_NOTHING) {
        ctx->consent_changed = ctx->returning;
        return;
    }

    if (ctx->returning) {
        ctx->identified = 1;
        ctx->consent_changed = (ctx->visitor.persistent
                                != (ctx->storage == NUDGE_STORE_PERSON));
        return;
    }

    /* an id is only given where a cookie can carry it */

    if (!ctx->navigation || ctx->bot) {
        return;
    }

    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != sizeof(random)) {
        return;
    }

    nudge_visitor_new(&ctx->visitor, random);
    ctx->identified = 1;
    ctx->fresh = 1;
}


static void
ngx_http_nudge_visitor_consent(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    ngx_str_t                   value;
    nudge_str_t                 s;
    nudge_consent_t             answer, seen;
    ngx_table_elt_t            *h;
    ngx_http_nudge_loc_conf_t  *nlcf;

    nlcf = ctx->conf;
    answer = NUDGE_CONSENT_UNKNOWN;

    if (nlcf->consent_source != NULL) {

        if (ngx_http_complex_value(r, nlcf->consent_source, &value)
            != NGX_OK)
        {
            answer = NUDGE_CONSENT_DENIED;

        } else {
            s.len = value.len;
            s.data = value.data;
            answer = nudge_consent_value(&s);
        }

    } else {

        for (h = ngx_http_nudge_header(&r->headers_in.headers, "cookie", NULL);
             h != NULL;
             h = ngx_http_nudge_header(&r->headers_in.headers, "cookie", h))
        {
            s.len = h->value.len;
            s.data = h->value.data;

            seen = nudge_consent_cookies(&s);

            /* of several answers the one that allows less counts */

            if (seen != NUDGE_CONSENT_UNKNOWN
                && (answer == NUDGE_CONSENT_UNKNOWN || seen < answer))
            {
                answer = seen;
            }
        }
    }

    ctx->consent = answer;
    ctx->consent_pending = (answer == NUDGE_CONSENT_PENDING);
    ctx->storage = nudge_consent_storage(nlcf->consent, answer, ctx->gpc);
}


static void
ngx_http_nudge_visitor_cookie_in(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_keys_t *keys)
{
    ngx_str_t                   value;
    nudge_str_t                 s;
    ngx_http_nudge_srv_conf_t  *nscf;

    nscf = ngx_http_get_module_srv_conf(r, ngx_http_nudge_module);

    if (ngx_http_nudge_cookie(r, &nscf->cookie, &value) == NGX_DECLINED) {
        return;
    }

    s.len = value.len;
    s.data = value.data;

    if (nudge_visitor_decode(&ctx->visitor, &s, &ctx->shop->id, keys)
        != NUDGE_OK)
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_COOKIES_FORGED);
        ngx_memzero(&ctx->visitor, sizeof(nudge_visitor_t));
        return;
    }

    ctx->returning = 1;
    ctx->cookie_version = ctx->visitor.version;
}


/*
 * A navigation asks for a document.  Browsers say so in Sec-Fetch-*, but only
 * to https and loopback; without, an XHR is known by its header and what is
 * not asking for HTML first is no navigation (D16).
 */

static ngx_uint_t
ngx_http_nudge_visitor_navigation(ngx_http_request_t *r)
{
    ngx_str_t  dest, mode, accept;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_POST))) {
        return 0;
    }

    dest = ngx_http_nudge_header_value(&r->headers_in.headers,
                                       "sec-fetch-dest");
    mode = ngx_http_nudge_header_value(&r->headers_in.headers,
                                       "sec-fetch-mode");

    if (dest.len || mode.len) {
        return (mode.len == 0
                || (mode.len == 8
                    && ngx_strncmp(mode.data, "navigate", 8) == 0))
               && (dest.len == 0
                   || (dest.len == 8
                       && ngx_strncmp(dest.data, "document", 8) == 0));
    }

    if (ngx_http_nudge_header(&r->headers_in.headers, "x-requested-with",
                              NULL)
        != NULL)
    {
        return 0;
    }

    accept = ngx_http_nudge_header_value(&r->headers_in.headers, "accept");

    return accept.len >= 9 && ngx_strncmp(accept.data, "text/html", 9) == 0;
}


static ngx_uint_t
ngx_http_nudge_visitor_bot(ngx_http_request_t *r)
{
    u_char       ua[256];
    size_t       len;
    ngx_uint_t   i;
    nudge_str_t  s;

    if (r->headers_in.user_agent == NULL
        || r->headers_in.user_agent->value.len == 0)
    {
        return 1;
    }

    len = ngx_min(r->headers_in.user_agent->value.len, sizeof(ua));
    ngx_strlow(ua, r->headers_in.user_agent->value.data, len);

    s.data = ua;
    s.len = len;

    for (i = 0; ngx_http_nudge_bots[i] != NULL; i++) {
        if (nudge_str_find(&s, ngx_http_nudge_bots[i]) != NULL) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_nudge_visitor_cookie(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    ngx_uint_t  html;

    if (ctx->storage == NUDGE_STORE_NOTHING) {

        /* withdrawn: what was set with consent goes with it */

        return ctx->returning ? ngx_http_nudge_visitor_set_cookie(r, ctx, 1)
                              : NGX_OK;
    }

    if (!ctx->identified) {
        return NGX_OK;
    }

    if (ctx->returning && !ctx->match.change && !ctx->consent_changed) {
        return NGX_OK;
    }

    html = r->headers_out.content_type.len >= 9
           && ngx_strncasecmp(r->headers_out.content_type.data,
                              (u_char *) "text/html", 9) == 0;

    /* a cookie on a page that others may be given would be given to them */

    if ((!html && !ctx->match.change) || ngx_http_nudge_cache_shared(r)) {

        if (ctx->fresh) {
            ctx->identified = 0;
        }

        return NGX_OK;
    }

    if (ctx->fresh) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_VISITORS_NEW);
    }

    return ngx_http_nudge_visitor_set_cookie(r, ctx, 0);
}


static ngx_int_t
ngx_http_nudge_visitor_set_cookie(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_uint_t expire)
{
    size_t                       len;
    u_char                      *p;
    ngx_str_t                    value;
    ngx_uint_t                   secure;
    nudge_buf_t                  b;
    ngx_http_nudge_srv_conf_t   *nscf;
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_get_module_main_conf(r, ngx_http_nudge_module);
    nscf = ngx_http_get_module_srv_conf(r, ngx_http_nudge_module);

    secure = nscf->cookie_secure;

    if (secure == 2) {
        secure = 0;

#if (NGX_HTTP_SSL)
        secure = (r->connection->ssl != NULL);
#endif
    }

    len = nscf->cookie.len + sizeof("=") + NUDGE_VISITOR_COOKIE
          + sizeof("; Path=") + nscf->cookie_path.len
          + sizeof("; Domain=") + nscf->cookie_domain.len
          + sizeof("; Max-Age=") + NGX_TIME_T_LEN
          + sizeof("; HttpOnly; SameSite=Lax; Secure");

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = ngx_sprintf(p, "%V=", &nscf->cookie);

    if (!expire) {
        ctx->visitor.persistent = (ctx->storage == NUDGE_STORE_PERSON);

        nudge_buf_init(&b, p, NUDGE_VISITOR_COOKIE);
        nudge_visitor_encode(&b, &ctx->visitor, &ctx->shop->id, &nmcf->keys);

        if (b.full) {
            return NGX_ERROR;
        }

        p = b.pos;
    }

    p = ngx_sprintf(p, "; Path=%V", &nscf->cookie_path);

    if (nscf->cookie_domain.len) {
        p = ngx_sprintf(p, "; Domain=%V", &nscf->cookie_domain);
    }

    if (expire) {
        p = ngx_cpymem(p, "; Max-Age=0", sizeof("; Max-Age=0") - 1);

    } else if (ctx->visitor.persistent) {
        p = ngx_sprintf(p, "; Max-Age=%d", NGX_HTTP_NUDGE_COOKIE_AGE);
    }

    p = ngx_cpymem(p, "; HttpOnly; SameSite=Lax",
                   sizeof("; HttpOnly; SameSite=Lax") - 1);

    if (secure) {
        p = ngx_cpymem(p, "; Secure", sizeof("; Secure") - 1);
    }

    value.len = p - value.data;

    if (ngx_http_nudge_add_header(r, "Set-Cookie", &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_nudge_cache_private(r);
}
