
/*
 * Making a piece: the data a template sees, the markup, and the two tags that
 * bring style sheet and script.
 *
 * Promise: pure ASCII, so any page charset is safe; links lead nowhere but to
 * the shop's own origin and pictures come from there or over https, whatever
 * a page or a cart answer once claimed.
 */


#include "ngx_http_nudge_offer.h"


#define NGX_HTTP_NUDGE_PIECE_COUNT  4
#define NGX_HTTP_NUDGE_PIECE_MAX    12


static nudge_uint_t ngx_http_nudge_piece_choose(nudge_product_t *products,
    nudge_uint_t n, nudge_str_t *path, nudge_uint_t max);
static nudge_value_t *ngx_http_nudge_piece_offer(nudge_pool_t *pool,
    nudge_value_t *data, nudge_offer_t *offer);
static nudge_value_t *ngx_http_nudge_piece_cart(nudge_pool_t *pool,
    nudge_value_t *data, nudge_cart_t *cart);
static nudge_value_t *ngx_http_nudge_piece_products(nudge_pool_t *pool,
    nudge_value_t *data, nudge_product_t *products, nudge_uint_t n);
static nudge_value_t *ngx_http_nudge_piece_item(nudge_pool_t *pool,
    nudge_value_t *array, nudge_item_t *item);
static ngx_uint_t ngx_http_nudge_piece_image(nudge_str_t *url);
static void ngx_http_nudge_piece_url(ngx_http_nudge_visit_t *v,
    nudge_buf_t *b, const char *name);
static void ngx_http_nudge_piece_nonce(nudge_buf_t *b, nudge_str_t *nonce);


ngx_int_t
ngx_http_nudge_piece_render(ngx_http_nudge_visit_t *v, nudge_offer_t *offer,
    nudge_buf_t *b)
{
    char              name[128];
    nudge_uint_t      n, max;
    nudge_value_t    *data, *items;
    nudge_product_t   products[NGX_HTTP_NUDGE_PIECE_MAX + 1];

    n = 0;

    if (offer->recommend.len && v->shop->catalogue.data != NULL) {
        max = offer->count ? offer->count : NGX_HTTP_NUDGE_PIECE_COUNT;
        max = ngx_min(max, NGX_HTTP_NUDGE_PIECE_MAX);

        /* one more: the product of this very page is left out */

        n = nudge_recommend(&v->shop->catalogue, &v->session, &v->cart,
                            &offer->recommend, ngx_http_nudge_live_product,
                            v->shop, products, max + 1);

        n = ngx_http_nudge_piece_choose(products, n, &v->ctx->x.path, max);
    }

    if (offer->recommend.len && n == 0 && offer->kind == NUDGE_KIND_BANNER) {
        v->why = NGX_HTTP_NUDGE_SKIP_EMPTY;
        return NGX_DECLINED;
    }

    data = ngx_http_nudge_piece_data(v->shop, v->pool);

    items = ngx_http_nudge_piece_cart(v->pool, data, &v->cart);

    if (items != NULL && items->count == 0 && v->cart.n != 0
        && offer->kind == NUDGE_KIND_POPUP)
    {
        /* a cart of which nothing can be named yet */

        v->why = NGX_HTTP_NUDGE_SKIP_EMPTY;
        return NGX_DECLINED;
    }

    if (items == NULL
        || ngx_http_nudge_piece_offer(v->pool, data, offer) == NULL
        || ngx_http_nudge_piece_products(v->pool, data, products, n) == NULL
        || nudge_value_add_bool(v->pool, data, "no_mail",
                                v->session.subscribed
                                || !v->shop->bundle->campaign->sends)
           == NULL)
    {
        v->why = NGX_HTTP_NUDGE_SKIP_ERROR;
        return NGX_ERROR;
    }

    (void) snprintf(name, sizeof(name), "onsite/%.*s.html",
                    (int) offer->template.len, offer->template.data);

    if (nudge_bundle_render(v->shop->bundle, name, b, data, NUDGE_ESCAPE_ASCII)
        != NUDGE_OK
        || b->full)
    {
        ngx_log_error(NGX_LOG_ERR, v->request->connection->log, 0,
                      "nudge: template \"%s\" could not be rendered", name);

        v->why = NGX_HTTP_NUDGE_SKIP_ERROR;
        return NGX_ERROR;
    }

    if (b->pos == b->start) {
        v->why = NGX_HTTP_NUDGE_SKIP_EMPTY;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* drops what cannot be linked to and the page that is being looked at */

static nudge_uint_t
ngx_http_nudge_piece_choose(nudge_product_t *products, nudge_uint_t n,
    nudge_str_t *path, nudge_uint_t max)
{
    size_t         len;
    u_char        *p;
    nudge_str_t   *url;
    nudge_uint_t   i, kept;

    kept = 0;

    for (i = 0; i < n && kept < max; i++) {
        url = &products[i].item.url;

        if (!ngx_http_nudge_piece_path(url)) {
            continue;
        }

        p = memchr(url->data, '?', url->len);
        len = p ? (size_t) (p - url->data) : url->len;

        if (path->len == len && ngx_strncmp(path->data, url->data, len) == 0) {
            continue;
        }

        products[kept++] = products[i];
    }

    return kept;
}


nudge_value_t *
ngx_http_nudge_piece_data(ngx_http_nudge_shop_t *shop, nudge_pool_t *pool)
{
    nudge_str_t      assets;
    nudge_shop_t    *s;
    nudge_value_t   *data, *v;
    nudge_bundle_t  *bundle;

    bundle = shop->bundle;
    s = &bundle->campaign->shop;

    data = nudge_value_object(pool);
    v = nudge_value_add(pool, data, "shop", nudge_value_object(pool));

    assets.len = shop->assets.len;
    assets.data = shop->assets.data;

    if (nudge_value_add_str(pool, v, "name", &s->name) == NULL
        || nudge_value_add_str(pool, v, "url", &s->url) == NULL
        || nudge_value_add_str(pool, v, "privacy", &s->privacy) == NULL
        || nudge_value_add_str(pool, v, "postal_address", &s->postal_address)
           == NULL
        || nudge_value_add_str(pool, v, "currency", &s->currency) == NULL
        || nudge_value_add_str(pool, v, "locale", &s->locale) == NULL
        || nudge_value_add_str(pool, data, "assets", &assets) == NULL
        || nudge_value_add_str(pool, data, "prefix", &bundle->prefix) == NULL
        || nudge_campaign_frequency(bundle->campaign, pool, data) != NUDGE_OK)
    {
        return NULL;
    }

    return data;
}


static nudge_value_t *
ngx_http_nudge_piece_offer(nudge_pool_t *pool, nudge_value_t *data,
    nudge_offer_t *offer)
{
    nudge_value_t  *v;

    v = nudge_value_add(pool, data, "offer", nudge_value_object(pool));

    if (nudge_value_add_str(pool, v, "name", &offer->name) == NULL
        || nudge_value_add_str(pool, v, "coupon", &offer->coupon) == NULL)
    {
        return NULL;
    }

    return v;
}


static nudge_value_t *
ngx_http_nudge_piece_cart(nudge_pool_t *pool, nudge_value_t *data,
    nudge_cart_t *cart)
{
    nudge_item_t   *line;
    nudge_uint_t    i, whole;
    nudge_value_t  *v, *items, *item;

    whole = 1;

    v = nudge_value_add(pool, data, "cart", nudge_value_object(pool));
    items = nudge_value_add(pool, v, "items", nudge_value_array(pool));

    for (i = 0; i < cart->n; i++) {
        line = &cart->lines[i];

        /* a line nobody can name is no reminder of anything, and a total of
         * more than is shown would be wrong */

        if (line->name.len == 0) {
            whole = 0;
            continue;
        }

        item = ngx_http_nudge_piece_item(pool, items, line);

        if (nudge_value_add_int(pool, item, "quantity", line->quantity)
            == NULL)
        {
            return NULL;
        }

        if (line->price != NUDGE_MONEY_NONE
            && nudge_value_add_money(pool, item, "total",
                                     line->price * line->quantity,
                                     &line->currency)
               == NULL)
        {
            return NULL;
        }
    }

    if (nudge_value_add_int(pool, v, "count", cart->items) == NULL) {
        return NULL;
    }

    if (cart->n != 0 && whole && cart->total != NUDGE_MONEY_NONE
        && nudge_value_add_money(pool, v, "total", cart->total,
                                 &cart->currency)
           == NULL)
    {
        return NULL;
    }

    return items;
}


static nudge_value_t *
ngx_http_nudge_piece_products(nudge_pool_t *pool, nudge_value_t *data,
    nudge_product_t *products, nudge_uint_t n)
{
    nudge_uint_t    i;
    nudge_value_t  *array;

    array = nudge_value_add(pool, data, "recommend", nudge_value_array(pool));

    for (i = 0; i < n; i++) {
        if (ngx_http_nudge_piece_item(pool, array, &products[i].item) == NULL)
        {
            return NULL;
        }
    }

    return array;
}


static nudge_value_t *
ngx_http_nudge_piece_item(nudge_pool_t *pool, nudge_value_t *array,
    nudge_item_t *item)
{
    nudge_value_t  *v;

    v = nudge_value_add(pool, array, NULL, nudge_value_object(pool));

    if (nudge_value_add_str(pool, v, "name", &item->name) == NULL) {
        return NULL;
    }

    if (ngx_http_nudge_piece_path(&item->url)
        && nudge_value_add_str(pool, v, "url", &item->url) == NULL)
    {
        return NULL;
    }

    if (ngx_http_nudge_piece_image(&item->image)
        && nudge_value_add_str(pool, v, "image", &item->image) == NULL)
    {
        return NULL;
    }

    if (item->price != NUDGE_MONEY_NONE
        && nudge_value_add_money(pool, v, "price", item->price,
                                 &item->currency)
           == NULL)
    {
        return NULL;
    }

    return v;
}


/* browsers read "\" as "/": neither "//host" nor "/\host" is a path */

ngx_uint_t
ngx_http_nudge_piece_path(nudge_str_t *url)
{
    size_t  i;

    if (url->len == 0 || url->data[0] != '/'
        || (url->len > 1 && (url->data[1] == '/' || url->data[1] == '\\')))
    {
        return 0;
    }

    /* and they drop tabs and line feeds before they look */

    for (i = 0; i < url->len; i++) {
        if (url->data[i] < 0x20 || url->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_nudge_piece_image(nudge_str_t *url)
{
    return ngx_http_nudge_piece_path(url)
           || (url->len > sizeof("https://") - 1
               && ngx_strncasecmp(url->data, (u_char *) "https://",
                                  sizeof("https://") - 1)
                  == 0);
}


void
ngx_http_nudge_piece_style(ngx_http_nudge_visit_t *v, nudge_buf_t *b)
{
    nudge_buf_cstr(b, "<link rel=\"stylesheet\" href=\"");
    ngx_http_nudge_piece_url(v, b, "nudge.css");
    nudge_buf_cstr(b, "\"");
    ngx_http_nudge_piece_nonce(b, &v->ctx->csp.style_nonce);
    nudge_buf_cstr(b, ">");
}


void
ngx_http_nudge_piece_script(ngx_http_nudge_visit_t *v, nudge_buf_t *b)
{
    nudge_buf_cstr(b, "<script src=\"");
    ngx_http_nudge_piece_url(v, b, "nudge.js");
    nudge_buf_cstr(b, "\" defer data-page=\"");
    nudge_html_escape(b, &v->facts.page);
    nudge_buf_cstr(b, "\"");
    ngx_http_nudge_piece_nonce(b, &v->ctx->csp.script_nonce);
    nudge_buf_cstr(b, "></script>");
}


static void
ngx_http_nudge_piece_url(ngx_http_nudge_visit_t *v, nudge_buf_t *b,
    const char *name)
{
    nudge_str_t  assets;

    assets.len = v->shop->assets.len;
    assets.data = v->shop->assets.data;

    nudge_html_escape(b, &v->shop->bundle->prefix);
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "?v=");
    nudge_html_escape(b, &assets);
}


static void
ngx_http_nudge_piece_nonce(nudge_buf_t *b, nudge_str_t *nonce)
{
    if (nonce->len) {
        nudge_buf_cstr(b, " nonce=\"");
        nudge_html_escape(b, nonce);
        nudge_buf_cstr(b, "\"");
    }
}


ngx_int_t
ngx_http_nudge_piece_copy(ngx_http_request_t *r, nudge_buf_t *b,
    ngx_str_t *html)
{
    nudge_str_t  text;

    if (b->full) {
        return NGX_ERROR;
    }

    text = nudge_buf_result(b);

    html->data = ngx_pnalloc(r->pool, text.len);
    if (html->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(html->data, text.data, text.len);
    html->len = text.len;

    return NGX_OK;
}
