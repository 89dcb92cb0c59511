
/*
 * What passed by since the catalogue was written: price and stock of this
 * moment, name, page and picture of products the sender has not published yet.
 * One record a product in the shared zone, so that every worker knows what any
 * of them saw; it wins over the catalogue when it is younger.
 */


#include "ngx_http_nudge.h"


/* the value of NGX_HTTP_NUDGE_LIVE in the zone */

typedef struct {
    int64_t          time;              /* ms since the epoch */
    int64_t          price;             /* nudge_money_t */
    u_char           currency[4];       /* zero-padded */
    u_char           stock;             /* nudge_stock_t */
    u_char           name_len;
    u_char           url_len;
    u_char           image_len;
    u_char           name[160];
    u_char           url[200];
    u_char           image[200];
} ngx_http_nudge_live_t;


static ngx_int_t ngx_http_nudge_live_get(ngx_http_nudge_shop_t *shop,
    nudge_str_t *id, ngx_http_nudge_live_t *live);
static ngx_int_t ngx_http_nudge_live_key(ngx_http_nudge_shop_t *shop,
    nudge_str_t *id, ngx_str_t *key, u_char *buf, size_t size);
static void ngx_http_nudge_live_text(u_char *dst, u_char *len, size_t size,
    nudge_str_t *s);
static void ngx_http_nudge_live_copy(nudge_pool_t *pool, nudge_str_t *dst,
    u_char *data, size_t len);
static ngx_shm_zone_t *ngx_http_nudge_live_zone(void);


void
ngx_http_nudge_live_set(ngx_http_nudge_shop_t *shop, nudge_item_t *item)
{
    u_char                  buf[512];
    ngx_str_t               key;
    ngx_shm_zone_t         *zone;
    ngx_http_nudge_live_t   live;

    zone = ngx_http_nudge_live_zone();

    if (zone == NULL
        || ngx_http_nudge_live_key(shop, &item->id, &key, buf, sizeof(buf))
           != NGX_OK)
    {
        return;
    }

    if (ngx_http_nudge_live_get(shop, &item->id, &live) != NGX_OK) {
        ngx_memzero(&live, sizeof(ngx_http_nudge_live_t));
        live.price = NUDGE_MONEY_NONE;
    }

    if (item->price != NUDGE_MONEY_NONE) {
        live.price = item->price;

        if (item->currency.len != 0
            && item->currency.len < sizeof(live.currency))
        {
            ngx_memzero(live.currency, sizeof(live.currency));
            ngx_memcpy(live.currency, item->currency.data,
                       item->currency.len);
        }
    }

    if (item->stock != NUDGE_STOCK_UNKNOWN) {
        live.stock = (u_char) item->stock;
    }

    ngx_http_nudge_live_text(live.name, &live.name_len, sizeof(live.name),
                             &item->name);
    ngx_http_nudge_live_text(live.url, &live.url_len, sizeof(live.url),
                             &item->url);
    ngx_http_nudge_live_text(live.image, &live.image_len, sizeof(live.image),
                             &item->image);

    live.time = ngx_http_nudge_now();

    (void) ngx_http_nudge_zone_set(zone, NGX_HTTP_NUDGE_LIVE, &key,
                                   (u_char *) &live, sizeof(live), NULL);
}


/* a text that does not fit is none: half a link leads nowhere */

static void
ngx_http_nudge_live_text(u_char *dst, u_char *len, size_t size,
    nudge_str_t *s)
{
    if (s->len != 0 && s->len <= size) {
        ngx_memcpy(dst, s->data, s->len);
        *len = (u_char) s->len;
    }
}


void
ngx_http_nudge_live_fill(ngx_http_nudge_shop_t *shop, nudge_pool_t *pool,
    nudge_item_t *item)
{
    ngx_http_nudge_live_t  live;

    if (ngx_http_nudge_live_get(shop, &item->id, &live) != NGX_OK
        && (item->parent.len == 0
            || ngx_http_nudge_live_get(shop, &item->parent, &live) != NGX_OK))
    {
        return;
    }

    ngx_http_nudge_live_copy(pool, &item->name, live.name, live.name_len);
    ngx_http_nudge_live_copy(pool, &item->url, live.url, live.url_len);
    ngx_http_nudge_live_copy(pool, &item->image, live.image, live.image_len);

    if (item->price == NUDGE_MONEY_NONE && live.price != NUDGE_MONEY_NONE) {
        item->price = live.price;
        nudge_str_null(&item->currency);
        ngx_http_nudge_live_copy(pool, &item->currency, live.currency,
                                 strnlen((char *) live.currency,
                                         sizeof(live.currency)));
    }
}


static void
ngx_http_nudge_live_copy(nudge_pool_t *pool, nudge_str_t *dst, u_char *data,
    size_t len)
{
    nudge_str_t  src;

    if (dst->len != 0 || len == 0) {
        return;
    }

    src.data = data;
    src.len = len;

    if (nudge_pstrdup(pool, dst, &src) != NUDGE_OK) {
        nudge_str_null(dst);
    }
}


void
ngx_http_nudge_live_product(void *data, nudge_product_t *p)
{
    ngx_http_nudge_shop_t *shop = data;

    ngx_http_nudge_live_t  live;

    if (ngx_http_nudge_live_get(shop, &p->item.id, &live) != NGX_OK
        || live.time < p->seen)
    {
        return;
    }

    /* a price in another currency than the page's is none to show here */

    if (live.price != NUDGE_MONEY_NONE
        && p->item.currency.len < sizeof(live.currency)
        && ngx_strncmp(live.currency, p->item.currency.data,
                       p->item.currency.len)
           == 0)
    {
        p->item.price = live.price;
    }

    if (live.stock != NUDGE_STOCK_UNKNOWN) {
        p->item.stock = live.stock;
    }
}


static ngx_int_t
ngx_http_nudge_live_get(ngx_http_nudge_shop_t *shop, nudge_str_t *id,
    ngx_http_nudge_live_t *live)
{
    size_t           len;
    u_char           buf[512];
    uint32_t         stamp;
    ngx_str_t        key;
    ngx_shm_zone_t  *zone;

    zone = ngx_http_nudge_live_zone();

    if (zone == NULL
        || ngx_http_nudge_live_key(shop, id, &key, buf, sizeof(buf)) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    len = sizeof(ngx_http_nudge_live_t);

    if (ngx_http_nudge_zone_get(zone, NGX_HTTP_NUDGE_LIVE, &key,
                                (u_char *) live, &len, &stamp)
        != NGX_OK
        || len != sizeof(ngx_http_nudge_live_t)
        || live->name_len > sizeof(live->name)
        || live->url_len > sizeof(live->url)
        || live->image_len > sizeof(live->image))
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_live_key(ngx_http_nudge_shop_t *shop, nudge_str_t *id,
    ngx_str_t *key, u_char *buf, size_t size)
{
    u_char  *p;

    if (id->len == 0 || shop->id.len + 1 + id->len > size) {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(buf, shop->id.data, shop->id.len);
    *p++ = '\0';
    p = ngx_cpymem(p, id->data, id->len);

    key->data = buf;
    key->len = p - buf;

    return NGX_OK;
}


static ngx_shm_zone_t *
ngx_http_nudge_live_zone(void)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_nudge_module);

    return (nmcf == NULL) ? NULL : nmcf->zone;
}
