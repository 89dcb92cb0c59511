
/*
 * Variables, for map, log_format and proxy_set_header.  Each is read from the
 * request's context or the hot session at the moment it is asked for; none of
 * them ever waits.
 */


#include "ngx_http_nudge.h"


static ngx_int_t ngx_http_nudge_variable_cart(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_str_t *value, ngx_uint_t total);


static const char  *ngx_http_nudge_consents[] = {
    "unknown", "pending", "denied", "granted"
};


ngx_int_t
ngx_http_nudge_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_str_t              value;
    ngx_http_nudge_ctx_t  *ctx;

    ngx_str_null(&value);

    ctx = ngx_http_nudge_get_ctx(r->main);

    if (ctx != NULL && ctx->on) {

        switch (data) {

        case NGX_HTTP_NUDGE_VAR_VISITOR:
            if (ctx->identified) {
                value.data = ctx->visitor.id;
                value.len = NUDGE_VISITOR_ID;
            }
            break;

        case NGX_HTTP_NUDGE_VAR_EVENT:
            value = ctx->events;
            break;

        case NGX_HTTP_NUDGE_VAR_OFFER:
            value = ctx->offer;
            break;

        case NGX_HTTP_NUDGE_VAR_CONSENT:
            value.data = (u_char *) ngx_http_nudge_consents[ctx->consent];
            value.len = ngx_strlen(value.data);
            break;

        default: /* NGX_HTTP_NUDGE_VAR_CART_TOTAL, _ITEMS */
            if (ctx->identified
                && ngx_http_nudge_variable_cart(r, ctx, &value,
                                         data == NGX_HTTP_NUDGE_VAR_CART_TOTAL)
                   != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    if (value.data == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_variable_cart(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_str_t *value, ngx_uint_t total)
{
    nudge_buf_t       b;
    nudge_cart_t      cart;
    nudge_pool_t     *pool;
    nudge_session_t   s;

    /* asked for in the middle of anything: the scratch pool may be in use */

    pool = nudge_pool_create(256 * 1024);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    value->data = ngx_pnalloc(r->pool, 32);
    if (value->data == NULL) {
        nudge_pool_destroy(pool);
        return NGX_ERROR;
    }

    nudge_buf_init(&b, value->data, 32);

    if (ngx_http_nudge_session_load(ctx, pool, &s) == NGX_OK
        && nudge_session_cart(&s, pool, &cart) == NUDGE_OK)
    {
        if (!total) {
            nudge_buf_int(&b, cart.items);

        } else if (cart.total != NUDGE_MONEY_NONE) {
            nudge_buf_money(&b, cart.total);
        }
    }

    nudge_pool_destroy(pool);

    value->len = nudge_buf_result(&b).len;

    return NGX_OK;
}
