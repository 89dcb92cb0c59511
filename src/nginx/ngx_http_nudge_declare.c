
/*
 * Events that are declared, for what no preset knows: by the operator with
 * nudge_event and variables, or by the store itself with a response header,
 *
 *     X-Nudge-Event: purchase; order=1001; value=45.00; currency=EUR
 *
 * a name, then the parameters nudge_event knows, separated by semicolons.
 * The header is meant for us alone and never reaches the client.
 */


#include "ngx_http_nudge.h"


static void ngx_http_nudge_declare_param(nudge_event_t *ev,
    nudge_item_t *item, nudge_str_t *key, nudge_str_t *value);
static nudge_item_t *ngx_http_nudge_declare_begin(nudge_pool_t *pool,
    nudge_event_t *ev, nudge_event_type_t type, const char *rule);
static ngx_uint_t ngx_http_nudge_declare_end(nudge_event_t *ev,
    nudge_item_t *item);


const char  *ngx_http_nudge_declare_params[] = {
    "id", "name", "price", "quantity", "currency", "order", "value", "email",
    "text", NULL
};


ngx_uint_t
ngx_http_nudge_declare_directives(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool, nudge_event_t *ev,
    ngx_uint_t max)
{
    ngx_str_t                   value;
    ngx_uint_t                  i, j, n;
    nudge_str_t                 key, val;
    nudge_item_t               *item;
    ngx_http_nudge_param_t     *p;
    ngx_http_nudge_declared_t  *d;

    if (ctx->conf->events == NULL) {
        return 0;
    }

    n = 0;
    d = ctx->conf->events->elts;

    for (i = 0; i < ctx->conf->events->nelts && n < max; i++) {

        if (d[i].filter != NULL) {

            if (ngx_http_complex_value(r, d[i].filter, &value) != NGX_OK) {
                return n;
            }

            if (value.len == 0 || (value.len == 1 && value.data[0] == '0')) {
                continue;
            }
        }

        item = ngx_http_nudge_declare_begin(pool, &ev[n], d[i].type,
                                            "nudge_event");
        if (item == NULL) {
            return n;
        }

        p = d[i].params.elts;

        for (j = 0; j < d[i].params.nelts; j++) {

            if (ngx_http_complex_value(r, &p[j].value, &value) != NGX_OK) {
                return n;
            }

            key = ngx_http_nudge_str(p[j].key);
            val = ngx_http_nudge_str(value);

            ngx_http_nudge_declare_param(&ev[n], item, &key, &val);
        }

        n += ngx_http_nudge_declare_end(&ev[n], item);
    }

    return n;
}


ngx_int_t
ngx_http_nudge_declare_take(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    ngx_str_t        *value;
    ngx_table_elt_t  *h, *next;

    h = ngx_http_nudge_header(&r->headers_out.headers, "x-nudge-event", NULL);

    for ( /* void */ ; h != NULL; h = next) {

        next = ngx_http_nudge_header(&r->headers_out.headers, "x-nudge-event",
                                     h);
        h->hash = 0;

        if (ctx->upstream_events == NULL) {
            ctx->upstream_events = ngx_array_create(r->pool, 2,
                                                    sizeof(ngx_str_t));
            if (ctx->upstream_events == NULL) {
                return NGX_ERROR;
            }
        }

        value = ngx_array_push(ctx->upstream_events);
        if (value == NULL) {
            return NGX_ERROR;
        }

        *value = h->value;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_nudge_declare_upstream(ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool,
    nudge_event_t *ev, ngx_uint_t max)
{
    u_char        *p, *last, *eq, *end;
    ngx_str_t     *value;
    ngx_uint_t     i, n;
    nudge_str_t    key, val;
    nudge_item_t  *item;

    if (ctx->upstream_events == NULL) {
        return 0;
    }

    n = 0;
    value = ctx->upstream_events->elts;

    for (i = 0; i < ctx->upstream_events->nelts && n < max; i++) {

        item = NULL;
        p = value[i].data;
        last = p + value[i].len;

        for ( /* void */ ; p < last; p = end + 1) {
            end = ngx_strlchr(p, last, ';');
            if (end == NULL) {
                end = last;
            }

            eq = ngx_strlchr(p, end, '=');

            key.data = p;
            key.len = (eq ? eq : end) - p;
            val.data = eq ? eq + 1 : end;
            val.len = end - val.data;

            key = nudge_str_trim(key);
            val = nudge_str_trim(val);

            if (item != NULL) {
                ngx_http_nudge_declare_param(&ev[n], item, &key, &val);
                continue;
            }

            item = ngx_http_nudge_declare_begin(pool, &ev[n],
                                                nudge_event_type(&key),
                                                "X-Nudge-Event");
            if (item == NULL) {
                return n;
            }
        }

        if (item != NULL) {
            n += ngx_http_nudge_declare_end(&ev[n], item);
        }
    }

    return n;
}


static nudge_item_t *
ngx_http_nudge_declare_begin(nudge_pool_t *pool, nudge_event_t *ev,
    nudge_event_type_t type, const char *rule)
{
    nudge_item_t  *item;

    item = nudge_pcalloc(pool, sizeof(nudge_item_t));
    if (item == NULL) {
        return NULL;
    }

    item->price = NUDGE_MONEY_NONE;
    item->quantity = 1;

    ev->type = type;
    ev->value = NUDGE_MONEY_NONE;
    ev->rule = nudge_cstr(rule);

    return item;
}


static void
ngx_http_nudge_declare_param(nudge_event_t *ev, nudge_item_t *item,
    nudge_str_t *key, nudge_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    if (nudge_str_is(key, "id")) {
        item->id = *value;

    } else if (nudge_str_is(key, "name")) {
        item->name = *value;

    } else if (nudge_str_is(key, "price")) {
        item->price = nudge_money_parse(value);

    } else if (nudge_str_is(key, "quantity")) {
        item->quantity = nudge_str_int(value);

        if (item->quantity < 0) {
            item->quantity = 1;
        }

    } else if (nudge_str_is(key, "currency")) {
        ev->currency = *value;
        item->currency = *value;

    } else if (nudge_str_is(key, "order")) {
        ev->order = *value;

    } else if (nudge_str_is(key, "value")) {
        ev->value = nudge_money_parse(value);

    } else if (nudge_str_is(key, "email")) {
        if (nudge_email_valid(value)) {
            ev->email = *value;
        }

    } else if (nudge_str_is(key, "text")) {
        ev->text = *value;
    }
}


/* 1 when it is an event worth keeping; otherwise the slot is clean again */

static ngx_uint_t
ngx_http_nudge_declare_end(nudge_event_t *ev, nudge_item_t *item)
{
    if (ev->type == NUDGE_EVENT_NONE || ev->type == NUDGE_EVENT_GAP
        || (ev->type == NUDGE_EVENT_PURCHASE && ev->order.len == 0))
    {
        ngx_memzero(ev, sizeof(nudge_event_t));
        return 0;
    }

    if (item->id.len) {
        ev->items = item;
        ev->nitems = 1;
    }

    return 1;
}
