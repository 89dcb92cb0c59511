
/*
 * The catalogue file: what is built can be found, what is damaged is refused.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_catalogue.h"

#include "tap.h"


#define PRODUCTS  1000


static nudge_pool_t     *pool;
static nudge_product_t   products[PRODUCTS];
static nudge_str_t       shop = nudge_string("bluemug");


static nudge_str_t
text(const char *fmt, unsigned n)
{
    char         buf[128];
    nudge_str_t  s;

    snprintf(buf, sizeof(buf), fmt, n);
    s = nudge_cstr(buf);
    nudge_pstrdup(pool, &s, &s);

    return s;
}


static nudge_str_t
build(const nudge_product_t *p, nudge_uint_t n, nudge_int_t expected)
{
    nudge_int_t   rc;
    nudge_buf_t   b;
    nudge_pool_t  *scratch;

    scratch = nudge_pool_create(16 * 1024 * 1024);
    nudge_buf_grow(&b, pool, 1024, 16 * 1024 * 1024);
    rc = nudge_catalogue_build(&b, scratch, &shop, 42, p, n);
    nudge_pool_destroy(scratch);

    is_int(rc, expected, "build of %d products", (int) n);

    return nudge_buf_result(&b);
}


static void
fill(void)
{
    unsigned          i;
    nudge_product_t  *p;

    memset(products, 0, sizeof(products));

    for (i = 0; i < PRODUCTS; i++) {
        p = &products[i];
        p->item.id = text("%u", i * 7);
        p->item.parent = i % 3 ? text("parent %u", i) : nudge_cstr("");
        p->item.sku = text("SKU-%u", i);
        p->item.name = text("Mug \xc5\xbc %u", i);
        p->item.url = text("/product/%u/", i);
        p->item.image = text("/image/%u.svg", i);
        p->item.category = text("Cups > %u", i % 10);
        p->item.brand = nudge_cstr("Blue Mug");
        p->item.price = i % 5 ? (nudge_money_t) i * 1000 : NUDGE_MONEY_NONE;
        p->item.currency = nudge_cstr("EUR");
        p->item.stock = (nudge_stock_t) (i % 4);
        p->popularity = (i * 7919) % 500;
        p->seen = 1763769600000 + i;
    }
}


static int
same(const nudge_product_t *a, const nudge_product_t *b)
{
    return nudge_str_eq(&a->item.id, &b->item.id)
           && nudge_str_eq(&a->item.parent, &b->item.parent)
           && nudge_str_eq(&a->item.sku, &b->item.sku)
           && nudge_str_eq(&a->item.name, &b->item.name)
           && nudge_str_eq(&a->item.url, &b->item.url)
           && nudge_str_eq(&a->item.image, &b->item.image)
           && nudge_str_eq(&a->item.category, &b->item.category)
           && nudge_str_eq(&a->item.brand, &b->item.brand)
           && nudge_str_eq(&a->item.currency, &b->item.currency)
           && a->item.price == b->item.price
           && a->item.stock == b->item.stock
           && a->popularity == b->popularity && a->seen == b->seen;
}


static void
test_lookup(void)
{
    int                  bad, unsorted;
    const char          *error;
    nudge_str_t          file, id;
    nudge_uint_t         i, last;
    nudge_product_t      p;
    nudge_catalogue_t    c;

    file = build(products, PRODUCTS, NUDGE_OK);
    error = "";
    ok(nudge_catalogue_open(&c, file.data, file.len, &shop, &error)
       == NUDGE_OK, "open (%s)", error);
    ok(c.count == PRODUCTS && c.generation == 42, "count and generation");

    bad = 0;

    for (i = 0; i < PRODUCTS; i++) {
        bad += nudge_catalogue_find(&c, &products[i].item.id, &p) != NUDGE_OK
               || !same(&p, &products[i]);
    }

    is_int(bad, 0, "every product is found as it was");

    for (i = 0; i < PRODUCTS; i++) {
        id = text("%u", (unsigned) i * 7 + 1);
        bad += nudge_catalogue_find(&c, &id, &p) != NUDGE_DECLINED;
    }

    id = nudge_cstr("");
    bad += nudge_catalogue_find(&c, &id, &p) != NUDGE_DECLINED;
    is_int(bad, 0, "and no other");

    last = UINT32_MAX;
    unsorted = 0;

    for (i = 0; i < PRODUCTS; i++) {
        bad += nudge_catalogue_popular(&c, i, &p) != NUDGE_OK;
        unsorted += p.popularity > last;
        last = p.popularity;
    }

    ok(bad == 0 && unsorted == 0, "popular ones first");
    is_int(nudge_catalogue_popular(&c, PRODUCTS, &p), NUDGE_DECLINED,
           "there are no more");
}


static void
test_damage(void)
{
    int                 bad;
    u_char             *copy;
    const char         *error;
    nudge_str_t         file, other;
    nudge_uint_t        i;
    nudge_product_t     p;
    nudge_catalogue_t   c;

    file = build(products, 20, NUDGE_OK);
    copy = malloc(file.len);
    bad = 0;

    for (i = 0; copy && i < file.len; i++) {
        memcpy(copy, file.data, file.len);
        copy[i] ^= 1 << i % 8;
        bad += nudge_catalogue_open(&c, copy, file.len, &shop, &error)
               == NUDGE_OK;
    }

    is_int(bad, 0, "no bit may change");

    for (i = 0; copy && i < file.len; i++) {
        memcpy(copy, file.data, i);
        bad += nudge_catalogue_open(&c, copy, i, &shop, &error) == NUDGE_OK;
    }

    is_int(bad, 0, "no byte may be missing");
    free(copy);

    other = nudge_cstr("redmug");
    is_int(nudge_catalogue_open(&c, file.data, file.len, &other, &error),
           NUDGE_ERROR, "another shop's");
    is_str(nudge_cstr(error), "belongs to another shop", "it says so");
    is_int(nudge_catalogue_find(&c, &products[0].item.id, &p), NUDGE_DECLINED,
           "nothing is found in what was refused");
}


static void
test_edges(void)
{
    const char         *error;
    nudge_str_t         file, longest;
    nudge_product_t     p[3], found;
    nudge_catalogue_t   c;

    file = build(NULL, 0, NUDGE_OK);
    is_int(nudge_catalogue_open(&c, file.data, file.len, &shop, &error),
           NUDGE_OK, "an empty catalogue");
    is_int(nudge_catalogue_find(&c, &products[0].item.id, &found),
           NUDGE_DECLINED, "holds nothing");

    p[0] = products[1];
    p[1] = products[1];
    build(p, 2, NUDGE_ERROR);

    longest.len = 5000;
    longest.data = nudge_palloc(pool, longest.len);
    memset(longest.data, 'a', longest.len);

    p[0].item.id = longest;
    p[1].item.name = longest;
    p[1].item.url = longest;
    p[2] = products[2];
    p[2].item.id.len = 0;
    file = build(p, 3, NUDGE_OK);
    is_int(nudge_catalogue_open(&c, file.data, file.len, &shop, &error),
           NUDGE_OK, "strange products");
    is_int(c.count, 1, "without an id they are left out");
    ok(nudge_catalogue_find(&c, &p[1].item.id, &found) == NUDGE_OK
       && found.item.name.len == 1024 && found.item.url.len == 0,
       "a name is cut, a page left out");
}


int
main(void)
{
    pool = nudge_pool_create(64 * 1024 * 1024);

    if (pool == NULL) {
        printf("Bail out! no memory\n");
        return 0;
    }

    fill();
    test_lookup();
    test_damage();
    test_edges();

    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
