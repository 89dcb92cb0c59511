
/*
 * The product of a page out of its JSON-LD, as shops really print it: wrapped
 * in @graph or not, twice by theme and plugin, offers in every shape schema.org
 * allows and some it does not.  What is not certain is left empty: a product
 * without a price is shown without one, a wrong one costs trust.
 */


#include "nudge_html.h"
#include "nudge_page_private.h"

#include <strings.h>


#define NUDGE_PAGE_NAME  300
#define NUDGE_PAGE_URL   1024


typedef struct {
    nudge_item_t        item;
    nudge_value_t      *product;
    nudge_uint_t        groups;     /* ProductGroup: variants do not count */
    unsigned            many:1;
    nudge_pool_t       *pool;
    const nudge_str_t  *host;
} nudge_page_t;


static nudge_value_t *nudge_page_decode(nudge_json_t *js, nudge_pool_t *pool,
    nudge_str_t text);
static nudge_int_t nudge_page_walk(nudge_page_t *page, nudge_value_t *v);
static nudge_int_t nudge_page_found(nudge_page_t *page, nudge_value_t *v,
    nudge_uint_t group);
static nudge_int_t nudge_page_item(nudge_page_t *page, nudge_value_t *v,
    nudge_item_t *item);
static void nudge_page_merge(nudge_item_t *item, const nudge_item_t *other);
static nudge_int_t nudge_page_text(nudge_page_t *page, const nudge_value_t *v,
    nudge_str_t *dst);
static nudge_str_t nudge_page_url(nudge_page_t *page, nudge_value_t *v,
    const nudge_page_offer_t *offer);
static nudge_int_t nudge_page_image(nudge_page_t *page, nudge_value_t *v,
    nudge_str_t *image);


nudge_int_t
nudge_page_product(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *blocks, nudge_uint_t n, const nudge_str_t *host,
    nudge_item_t *item)
{
    nudge_uint_t    i;
    nudge_page_t    page;
    nudge_value_t  *v;

    memset(&page, 0, sizeof(nudge_page_t));

    page.pool = pool;
    page.host = host;

    for (i = 0; i < n && !page.many; i++) {
        v = nudge_page_decode(js, pool, blocks[i]);

        if (nudge_page_walk(&page, v) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    if (page.product == NULL || page.many) {
        return NUDGE_DECLINED;
    }

    *item = page.item;

    return NUDGE_OK;
}


/* a block may come in a comment, or with its quotes as references */

static nudge_value_t *
nudge_page_decode(nudge_json_t *js, nudge_pool_t *pool, nudge_str_t text)
{
    nudge_str_t     plain;
    nudge_value_t  *v;

    /* up to the first and from the last brace or bracket: "<!--",
     * "//<![CDATA[", a ";" that somebody put there */

    while (text.len && text.data[0] != '{' && text.data[0] != '[') {

        /* "[" also stands in "<![CDATA[" */

        if (nudge_str_starts(&text, "<![CDATA[")) {
            text.data += 8;
            text.len -= 8;
        }

        text.data++;
        text.len--;
    }

    if (text.len && text.data[0] == '{') {
        while (text.data[text.len - 1] != '}' && text.len > 1) {
            text.len--;
        }
    }

    if (text.len < 2) {
        return NULL;
    }

    v = nudge_json_decode(js, pool, &text, NULL);

    if (v != NULL || nudge_str_find(&text, "&quot;") == NULL
        || nudge_html_unescape(pool, &plain, &text) != NUDGE_OK)
    {
        return v;
    }

    return nudge_json_decode(js, pool, &plain, NULL);
}


static nudge_uint_t
nudge_page_is(const nudge_value_t *v, const char *type)
{
    nudge_str_t     s;
    nudge_value_t  *t;

    t = nudge_value_get(v, "@type");

    if (t == NULL) {
        return 0;
    }

    if (t->type == NUDGE_JSON_ARRAY) {
        t = t->child;
    }

    /* siblings are only those of an array */

    for ( /* void */ ; t; t = t->name.len ? NULL : t->next) {
        s = nudge_page_term(nudge_value_str(t));

        if (nudge_str_is(&s, type)) {
            return 1;
        }
    }

    return 0;
}


/* top level, arrays, @graph and the mainEntity of a WebPage; a Product that
 * stands anywhere else (ItemList, isRelatedTo) is not what the page is about */

static nudge_int_t
nudge_page_walk(nudge_page_t *page, nudge_value_t *v)
{
    nudge_value_t  *child;

    if (v == NULL) {
        return NUDGE_OK;
    }

    if (v->type == NUDGE_JSON_ARRAY) {
        for (child = v->child; child; child = child->next) {
            if (nudge_page_walk(page, child) != NUDGE_OK) {
                return NUDGE_ERROR;
            }
        }

        return NUDGE_OK;
    }

    if (v->type != NUDGE_JSON_OBJECT) {
        return NUDGE_OK;
    }

    if (nudge_page_is(v, "ProductGroup")) {
        return nudge_page_found(page, v, 1);
    }

    if (nudge_page_is(v, "Product") || nudge_page_is(v, "IndividualProduct")
        || nudge_page_is(v, "ProductModel"))
    {
        return nudge_page_found(page, v, 0);
    }

    if (nudge_page_walk(page, nudge_value_get(v, "@graph")) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (nudge_page_is(v, "ItemList")) {
        return NUDGE_OK;
    }

    return nudge_page_walk(page, nudge_value_get(v, "mainEntity"));
}


static nudge_uint_t
nudge_page_same(const nudge_str_t *a, const nudge_str_t *b)
{
    return a->len && nudge_str_eq(a, b);
}


static nudge_int_t
nudge_page_found(nudge_page_t *page, nudge_value_t *v, nudge_uint_t group)
{
    nudge_item_t  item, *known;

    if (page->groups && !group) {
        return NUDGE_OK;
    }

    if (nudge_page_item(page, v, &item) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    known = &page->item;

    if (page->product == NULL || (group && !page->groups)) {
        page->product = v;
        page->many = 0;
        page->item = item;
        page->groups += group;
        return NUDGE_OK;
    }

    /* theme and plugin each print theirs: one product all the same */

    if (nudge_page_same(&item.id, &known->id)
        || nudge_page_same(&item.sku, &known->sku)
        || nudge_page_same(&item.url, &known->url)
        || nudge_page_same(&item.name, &known->name))
    {
        nudge_page_merge(known, &item);
        return NUDGE_OK;
    }

    page->many = 1;

    return NUDGE_OK;
}


static void
nudge_page_merge(nudge_item_t *item, const nudge_item_t *other)
{
    nudge_uint_t        i;
    nudge_str_t        *to;
    const nudge_str_t  *from;

    static const size_t  members[] = {
        offsetof(nudge_item_t, id),
        offsetof(nudge_item_t, sku),
        offsetof(nudge_item_t, name),
        offsetof(nudge_item_t, url),
        offsetof(nudge_item_t, image),
        offsetof(nudge_item_t, category),
        offsetof(nudge_item_t, brand)
    };

    for (i = 0; i < sizeof(members) / sizeof(size_t); i++) {
        to = (nudge_str_t *) ((u_char *) item + members[i]);
        from = (const nudge_str_t *) ((const u_char *) other + members[i]);

        if (to->len == 0) {
            *to = *from;
        }
    }

    if (item->price == NUDGE_MONEY_NONE) {
        item->price = other->price;
        item->currency = other->currency;
    }

    if (item->stock == NUDGE_STOCK_UNKNOWN) {
        item->stock = other->stock;
    }
}


/* "a thing or its name", or several of them: the first */

static nudge_value_t *
nudge_page_name(nudge_value_t *v)
{
    if (v != NULL && v->type == NUDGE_JSON_ARRAY) {
        v = v->child;
    }

    if (v != NULL && v->type == NUDGE_JSON_OBJECT) {
        v = nudge_value_get(v, "name");
    }

    return v;
}


static nudge_int_t
nudge_page_item(nudge_page_t *page, nudge_value_t *v, nudge_item_t *item)
{
    nudge_value_t       *id;
    nudge_page_offer_t   offer;

    nudge_item_init(item);

    memset(&offer, 0, sizeof(nudge_page_offer_t));
    offer.price = NUDGE_MONEY_NONE;

    nudge_page_offers(nudge_value_get(v, "offers"), &offer);

    if (offer.price == NUDGE_MONEY_NONE) {
        nudge_page_offers(nudge_value_get(v, "hasVariant"), &offer);
    }

    id = nudge_value_get(v, "productID");

    if (nudge_value_str(id).len == 0) {
        id = nudge_value_get(v, "sku");
    }

    if (nudge_page_text(page, id, &item->id) != NUDGE_OK
        || nudge_page_text(page, nudge_value_get(v, "sku"), &item->sku)
           != NUDGE_OK
        || nudge_page_text(page, nudge_value_get(v, "name"), &item->name)
           != NUDGE_OK
        || nudge_page_text(page, nudge_page_name(nudge_value_get(v,
                                                                 "category")),
                           &item->category)
           != NUDGE_OK
        || nudge_page_text(page, nudge_page_name(nudge_value_get(v, "brand")),
                           &item->brand)
           != NUDGE_OK
        || nudge_page_image(page, nudge_value_get(v, "image"), &item->image)
           != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    item->url = nudge_page_url(page, v, &offer);
    item->stock = offer.stock;

    if (offer.price != NUDGE_MONEY_NONE) {
        item->price = offer.price;
        item->currency = offer.currency;
    }

    return NUDGE_OK;
}


/* plain text: references decoded, one space for any white space */

static nudge_int_t
nudge_page_text(nudge_page_t *page, const nudge_value_t *v, nudge_str_t *dst)
{
    size_t       i;
    u_char      *p;
    nudge_str_t  s;

    s = nudge_value_str(v);
    nudge_str_null(dst);

    if (s.len == 0) {
        return NUDGE_OK;
    }

    if (nudge_html_unescape(page->pool, dst, &s) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    p = dst->data;

    for (i = 0; i < dst->len; i++) {
        if (dst->data[i] > ' ') {
            *p++ = dst->data[i];

        } else if (p > dst->data && p[-1] != ' ') {
            *p++ = ' ';
        }
    }

    dst->len = p - dst->data;
    *dst = nudge_str_trim(nudge_utf8_cut(*dst, NUDGE_PAGE_NAME));

    return NUDGE_OK;
}


static nudge_str_t
nudge_page_url(nudge_page_t *page, nudge_value_t *v,
    const nudge_page_offer_t *offer)
{
    nudge_str_t  url;

    url = nudge_page_local(nudge_value_str(nudge_value_get(v, "url")),
                           page->host);

    if (url.len == 0) {
        url = nudge_page_local(offer->url, page->host);
    }

    if (url.len == 0) {
        url = nudge_page_local(nudge_value_str(nudge_value_get(v, "@id")),
                               page->host);
    }

    if (url.len > NUDGE_PAGE_URL) {
        nudge_str_null(&url);
    }

    return url;
}


/* a URL, an ImageObject, or several of either */

static nudge_int_t
nudge_page_image(nudge_page_t *page, nudge_value_t *v, nudge_str_t *image)
{
    size_t       i;
    u_char      *p;
    nudge_str_t  url;

    if (v != NULL && v->type == NUDGE_JSON_ARRAY) {
        v = v->child;
    }

    if (v != NULL && v->type == NUDGE_JSON_OBJECT) {
        url = nudge_value_str(nudge_value_get(v, "url"));

        if (url.len == 0) {
            url = nudge_value_str(nudge_value_get(v, "contentUrl"));
        }

    } else {
        url = nudge_value_str(v);
    }

    url = nudge_str_trim(url);
    nudge_str_null(image);

    if (url.len > NUDGE_PAGE_URL) {
        return NUDGE_OK;
    }

    *image = nudge_page_local(url, page->host);

    if (image->len) {
        return NUDGE_OK;
    }

    for (i = 0; i < url.len; i++) {
        if (url.data[i] <= ' ' || url.data[i] == '\\' || url.data[i] == 0x7f) {
            return NUDGE_OK;
        }
    }

    if (nudge_str_starts(&url, "https://") && url.len > 8) {
        *image = url;

    } else if (nudge_str_starts(&url, "//") && url.len > 2) {
        p = nudge_palloc(page->pool, url.len + 6);
        if (p == NULL) {
            return NUDGE_ERROR;
        }

        memcpy(p, "https:", 6);
        memcpy(p + 6, url.data, url.len);

        image->data = p;
        image->len = url.len + 6;
    }

    return NUDGE_OK;
}


/* host with the default port of either scheme taken off */

static nudge_str_t
nudge_page_host(nudge_str_t host)
{
    if (host.len > 4 && memcmp(host.data + host.len - 4, ":443", 4) == 0) {
        host.len -= 4;

    } else if (host.len > 3 && memcmp(host.data + host.len - 3, ":80", 3) == 0)
    {
        host.len -= 3;
    }

    return host;
}


static nudge_uint_t
nudge_page_host_is(nudge_str_t a, nudge_str_t b)
{
    size_t  i;
    u_char  c, d;

    a = nudge_page_host(a);
    b = nudge_page_host(b);

    if (a.len != b.len || a.len == 0) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        c = a.data[i];
        d = b.data[i];

        if (c != d && ((c | 0x20) != (d | 0x20) || (c | 0x20) < 'a'
                       || (c | 0x20) > 'z'))
        {
            return 0;
        }
    }

    return 1;
}


/* browsers read "\\" as "/" and drop tabs and line breaks, so a URL with any
 * of these may lead elsewhere than it seems to */

nudge_str_t
nudge_page_local(nudge_str_t url, const nudge_str_t *host)
{
    size_t       i, n;
    nudge_str_t  authority, none = nudge_null_string;

    url = nudge_str_trim(url);

    for (i = 0; i < url.len && url.data[i] != '#'; i++) {
        if (url.data[i] < 0x20 || url.data[i] == 0x7f || url.data[i] == '\\')
        {
            return none;
        }
    }

    url.len = i;
    n = 0;

    if (url.len > 7 && strncasecmp((char *) url.data, "http://", 7) == 0) {
        n = 7;

    } else if (url.len > 8
               && strncasecmp((char *) url.data, "https://", 8) == 0)
    {
        n = 8;
    }

    if (n) {
        url.data += n;
        url.len -= n;

        authority.data = url.data;

        for (n = 0; n < url.len; n++) {
            if (url.data[n] == '/' || url.data[n] == '?') {
                break;
            }
        }

        authority.len = n;

        if (!nudge_page_host_is(authority, *host)) {
            return none;
        }

        url.data += n;
        url.len -= n;

        if (url.len == 0) {
            nudge_str_set(&url, "/");
        }
    }

    if (url.len == 0 || url.data[0] != '/'
        || (url.len > 1 && url.data[1] == '/'))
    {
        return none;
    }

    return url;
}
