
/*
 * Every difference between the nginx versions the module builds with, and
 * nothing else.  1.23.0 turned multi-value headers from arrays into linked
 * lists of ngx_table_elt_t.
 */


#ifndef _NGX_HTTP_NUDGE_COMPAT_H_INCLUDED_
#define _NGX_HTTP_NUDGE_COMPAT_H_INCLUDED_


#if (nginx_version >= 1023000)

#define ngx_http_nudge_elt_next(h)  (h)->next = NULL

static ngx_inline ngx_int_t
ngx_http_nudge_cookie(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    return ngx_http_parse_multi_header_lines(r, r->headers_in.cookie, name,
                                             value)
           == NULL ? NGX_DECLINED : NGX_OK;
}

#else

#define ngx_http_nudge_elt_next(h)

static ngx_inline ngx_int_t
ngx_http_nudge_cookie(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    return ngx_http_parse_multi_header_lines(&r->headers_in.cookies, name,
                                             value)
           == NGX_DECLINED ? NGX_DECLINED : NGX_OK;
}

#endif


/* "h" becomes the response's only Cache-Control; it is in the list already */

static ngx_inline ngx_int_t
ngx_http_nudge_set_cache_control(ngx_http_request_t *r, ngx_table_elt_t *h)
{
#if (nginx_version >= 1023000)

    h->next = NULL;
    r->headers_out.cache_control = h;

#else

    ngx_table_elt_t  **p;

    r->headers_out.cache_control.nelts = 0;

    if (r->headers_out.cache_control.elts == NULL
        && ngx_array_init(&r->headers_out.cache_control, r->pool, 1,
                          sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    p = ngx_array_push(&r->headers_out.cache_control);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = h;

#endif

    return NGX_OK;
}


#endif /* _NGX_HTTP_NUDGE_COMPAT_H_INCLUDED_ */
