
/*
 * What a mail may show.  The tree the templates see is built here and nowhere
 * else; every value in it is ready to print, every URL absolute and encoded.
 * What is not known is left out, so that a template's section stays closed.
 */


#include "compose.h"


#define COMPOSE_URL  2048


static nudge_int_t compose_shop(nudge_pool_t *pool, nudge_value_t *root,
    const nudge_shop_t *shop);
static nudge_int_t compose_cart(nudge_pool_t *pool, nudge_value_t *root,
    const compose_t *c);
static nudge_int_t compose_item(nudge_pool_t *pool, nudge_value_t *items,
    const nudge_shop_t *shop, const nudge_item_t *item, nudge_money_t *total);
static nudge_int_t compose_name(nudge_pool_t *pool, const nudge_item_t *item,
    nudge_str_t *name);
static nudge_int_t compose_links(nudge_pool_t *pool, nudge_value_t *root,
    const compose_t *c);
static nudge_int_t compose_link(nudge_pool_t *pool, const compose_t *c,
    u_char kind, nudge_str_t *url);


nudge_value_t *
compose_data(nudge_pool_t *pool, const compose_t *c)
{
    nudge_money_t        total;
    nudge_uint_t         i;
    nudge_value_t       *root, *v;
    const nudge_shop_t  *shop;

    shop = &c->bundle->campaign->shop;

    root = nudge_value_object(pool);

    if (compose_shop(pool, root, shop) != NUDGE_OK
        || nudge_campaign_frequency(c->bundle->campaign, pool, root)
           != NUDGE_OK)
    {
        return NULL;
    }

    nudge_value_add_str(pool, root, "prefix", &c->bundle->prefix);

    v = nudge_value_add(pool, root, "contact", nudge_value_object(pool));
    if (nudge_value_add_str(pool, v, "email", &c->email) == NULL) {
        return NULL;
    }

    if (compose_cart(pool, root, c) != NUDGE_OK) {
        return NULL;
    }

    v = nudge_value_add(pool, root, "recommend", nudge_value_array(pool));
    if (v == NULL) {
        return NULL;
    }

    for (i = 0; i < c->nrecommend; i++) {
        total = 0;

        if (compose_item(pool, v, shop, &c->recommend[i], &total) != NUDGE_OK) {
            return NULL;
        }
    }

    if (compose_links(pool, root, c) != NUDGE_OK) {
        return NULL;
    }

    return root;
}


static nudge_int_t
compose_shop(nudge_pool_t *pool, nudge_value_t *root, const nudge_shop_t *shop)
{
    nudge_str_t     privacy;
    nudge_value_t  *v;

    if (compose_url(pool, shop, &shop->privacy, &privacy) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    v = nudge_value_add(pool, root, "shop", nudge_value_object(pool));

    nudge_value_add_str(pool, v, "id", &shop->id);
    nudge_value_add_str(pool, v, "name", &shop->name);
    nudge_value_add_str(pool, v, "url", &shop->url);
    nudge_value_add_str(pool, v, "privacy", &privacy);
    nudge_value_add_str(pool, v, "postal_address", &shop->postal_address);
    nudge_value_add_str(pool, v, "currency", &shop->currency);
    nudge_value_add_str(pool, v, "locale", &shop->locale);

    return v == NULL ? NUDGE_ERROR : NUDGE_OK;
}


/* a total is shown when every price is known and in one currency */

static nudge_int_t
compose_cart(nudge_pool_t *pool, nudge_value_t *root, const compose_t *c)
{
    int64_t              count;
    nudge_str_t          currency;
    nudge_uint_t         i;
    nudge_money_t        total;
    nudge_value_t       *cart, *items;
    const nudge_item_t  *item;
    const nudge_shop_t  *shop;

    shop = &c->bundle->campaign->shop;

    cart = nudge_value_add(pool, root, "cart", nudge_value_object(pool));
    items = nudge_value_add(pool, cart, "items", nudge_value_array(pool));

    if (items == NULL) {
        return NUDGE_ERROR;
    }

    total = 0;
    count = 0;
    currency = shop->currency;

    for (i = 0; i < c->ncart; i++) {
        item = &c->cart[i];

        if (item->quantity <= 0) {
            continue;
        }

        if (compose_item(pool, items, shop, item, &total) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        if (item->currency.len && !nudge_str_eq(&item->currency, &currency)) {

            if (count == 0) {
                currency = item->currency;

            } else {
                total = NUDGE_MONEY_NONE;
            }
        }

        if (__builtin_add_overflow(count, item->quantity, &count)) {
            count = 0;
        }
    }

    nudge_value_add_int(pool, cart, "count", count);

    if (count && total != NUDGE_MONEY_NONE) {
        nudge_value_add_money(pool, cart, "total", total, &currency);
    }

    return NUDGE_OK;
}


/* one line of a cart or a recommendation; adds to *total */

static nudge_int_t
compose_item(nudge_pool_t *pool, nudge_value_t *items,
    const nudge_shop_t *shop, const nudge_item_t *item, nudge_money_t *total)
{
    nudge_str_t     name, url, image;
    nudge_money_t   line;
    nudge_value_t  *v;

    if (compose_name(pool, item, &name) != NUDGE_OK
        || compose_url(pool, shop, &item->url, &url) != NUDGE_OK
        || compose_url(pool, shop, &item->image, &image) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    v = nudge_value_add(pool, items, NULL, nudge_value_object(pool));

    nudge_value_add_str(pool, v, "name", &name);

    if (url.len) {
        nudge_value_add_str(pool, v, "url", &url);
    }

    if (image.len) {
        nudge_value_add_str(pool, v, "image", &image);
    }

    if (item->quantity > 0) {
        nudge_value_add_int(pool, v, "quantity", item->quantity);
    }

    if (item->price == NUDGE_MONEY_NONE) {
        *total = NUDGE_MONEY_NONE;
        return v == NULL ? NUDGE_ERROR : NUDGE_OK;
    }

    nudge_value_add_money(pool, v, "price", item->price,
                          item->currency.len ? &item->currency
                                             : &shop->currency);

    if (__builtin_mul_overflow(item->price, item->quantity, &line)) {
        *total = NUDGE_MONEY_NONE;
        return v == NULL ? NUDGE_ERROR : NUDGE_OK;
    }

    if (item->quantity > 0) {
        nudge_value_add_money(pool, v, "total", line,
                              item->currency.len ? &item->currency
                                                 : &shop->currency);
    }

    if (*total != NUDGE_MONEY_NONE
        && __builtin_add_overflow(*total, line, total))
    {
        *total = NUDGE_MONEY_NONE;
    }

    return v == NULL ? NUDGE_ERROR : NUDGE_OK;
}


/* one line, or a product's name could write lines of the mail's own */

static nudge_int_t
compose_name(nudge_pool_t *pool, const nudge_item_t *item, nudge_str_t *name)
{
    size_t  i;

    if (nudge_pstrdup(pool, name, item->name.len ? &item->name : &item->id)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x20 || name->data[i] == 0x7f) {
            name->data[i] = ' ';
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
compose_links(nudge_pool_t *pool, nudge_value_t *root, const compose_t *c)
{
    nudge_str_t     url, front;
    nudge_value_t  *v;

    v = nudge_value_add(pool, root, "link", nudge_value_object(pool));

    front = nudge_cstr("/");

    if (compose_url(pool, &c->bundle->campaign->shop, &front, &url)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    nudge_value_add_str(pool, v, "shop", &url);

    if (compose_link(pool, c, 'l', &url) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_value_add_str(pool, v, "cart", &url);

    if (compose_link(pool, c, 'u', &url) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_value_add_str(pool, v, "unsubscribe", &url);

    if (c->marketing) {
        return v == NULL ? NUDGE_ERROR : NUDGE_OK;
    }

    if (compose_link(pool, c, 'c', &url) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_value_add_str(pool, v, "confirm", &url);

    return v == NULL ? NUDGE_ERROR : NUDGE_OK;
}


/* an unsubscribe link never expires: mails are read years later */

static nudge_int_t
compose_link(nudge_pool_t *pool, const compose_t *c, u_char kind,
    nudge_str_t *url)
{
    nudge_buf_t    b;
    nudge_token_t  t;

    memset(&t, 0, sizeof(nudge_token_t));

    t.kind = kind;
    t.shop = c->bundle->campaign->shop.id;
    t.contact = c->contact;
    t.claim = c->claim;

    if (nudge_buf_grow(&b, pool, 512, COMPOSE_URL) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_buf_str(&b, &c->bundle->campaign->shop.url);
    nudge_buf_str(&b, &c->bundle->prefix);

    switch (kind) {

    case 'c':
        t.expires = c->time + COMPOSE_CONFIRM;
        nudge_buf_cstr(&b, "confirm?t=");
        break;

    case 'u':
        nudge_buf_cstr(&b, "unsubscribe?t=");
        break;

    default:
        t.expires = c->time + COMPOSE_CLICK;

        if (c->cart_page.len && c->cart_page.len <= 200) {
            t.target = c->cart_page;

        } else {
            t.target = nudge_cstr("/");
        }

        nudge_buf_cstr(&b, "click?t=");
    }

    if (nudge_token_encode(&b, &t, c->keys) != NUDGE_OK || b.full) {
        return NUDGE_ERROR;
    }

    *url = nudge_buf_result(&b);

    return NUDGE_OK;
}


nudge_int_t
compose_url(nudge_pool_t *pool, const nudge_shop_t *shop,
    const nudge_str_t *path, nudge_str_t *url)
{
    u_char       c;
    size_t       i;
    nudge_buf_t  b;

    nudge_str_null(url);

    if (path->len > COMPOSE_URL / 3
        || (!(nudge_str_starts(path, "/") && !nudge_str_starts(path, "//"))
            && !nudge_str_starts(path, "https://")
            && !(nudge_str_starts(path, "http://") && shop->demo)))
    {
        return NUDGE_OK;
    }

    if (nudge_buf_grow(&b, pool, shop->url.len + path->len + 64,
                       shop->url.len + COMPOSE_URL)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (path->data[0] == '/') {
        nudge_buf_str(&b, &shop->url);
    }

    for (i = 0; i < path->len; i++) {
        c = path->data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL) {
            nudge_buf_char(&b, '%');
            nudge_buf_char(&b, "0123456789ABCDEF"[c >> 4]);
            nudge_buf_char(&b, "0123456789ABCDEF"[c & 0xf]);

        } else {
            nudge_buf_char(&b, c);
        }
    }

    if (b.full) {
        return NUDGE_ERROR;
    }

    *url = nudge_buf_result(&b);

    return NUDGE_OK;
}
