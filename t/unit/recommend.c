
/*
 * Which products are shown.
 */


#include <stdio.h>

#include "nudge_recommend.h"

#include "tap.h"


#define PRODUCTS  40


static nudge_pool_t       *pool;
static nudge_product_t     products[PRODUCTS];
static nudge_str_t         shop = nudge_string("bluemug");
static nudge_catalogue_t   catalogue;


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


/* the larger the number the more popular */

static nudge_int_t
fill(void)
{
    unsigned          i;
    const char       *error;
    nudge_buf_t       b;
    nudge_product_t  *p;

    memset(products, 0, sizeof(products));

    for (i = 0; i < PRODUCTS; i++) {
        p = &products[i];
        p->item.id = text("%u", i);
        p->item.name = text("Mug %u", i);
        p->item.url = text("/product/%u/", i);
        p->item.image = text("/image/%u.svg", i);
        p->item.price = 10000;
        p->popularity = i;
    }

    products[39].item.stock = NUDGE_STOCK_OUT;
    nudge_str_null(&products[38].item.name);
    nudge_str_null(&products[37].item.url);
    nudge_str_null(&products[36].item.image);
    products[35].item.parent = nudge_cstr("10");
    products[34].item.parent = nudge_cstr("10");

    nudge_buf_grow(&b, pool, 1024, 1024 * 1024);

    if (nudge_catalogue_build(&b, pool, &shop, 1, products, PRODUCTS)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return nudge_catalogue_open(&catalogue, b.start, b.pos - b.start, &shop,
                                &error);
}


static void
shows(const nudge_session_t *s, const nudge_cart_t *cart,
    const char *strategy, nudge_live_pt live, nudge_uint_t count,
    const char *expected, const char *name)
{
    nudge_buf_t      b;
    nudge_str_t      str;
    nudge_uint_t     i, n;
    nudge_product_t  out[PRODUCTS];

    str = nudge_cstr(strategy);
    n = nudge_recommend(&catalogue, s, cart, &str, live, NULL, out, count);
    nudge_buf_grow(&b, pool, 256, 4096);

    for (i = 0; i < n; i++) {
        if (i) {
            nudge_buf_char(&b, ' ');
        }

        nudge_buf_str(&b, &out[i].item.id);
    }

    is_str(nudge_buf_result(&b), expected, "%s", name);
}


/* 33 is sold out, 39 is back */

static void
live(void *data, nudge_product_t *p)
{
    if (nudge_str_is(&p->item.id, "33")) {
        p->item.stock = NUDGE_STOCK_OUT;
    }

    if (nudge_str_is(&p->item.id, "39")) {
        p->item.stock = NUDGE_STOCK_IN;
    }
}


int
main(void)
{
    nudge_cart_t       cart;
    nudge_item_t       lines[2];
    nudge_session_t    s;
    nudge_product_t    p;
    nudge_viewed_t     viewed[4];
    nudge_catalogue_t  none;

    pool = nudge_pool_create(16 * 1024 * 1024);

    if (pool == NULL || fill() != NUDGE_OK) {
        printf("Bail out! no catalogue\n");
        return 0;
    }

    memset(&s, 0, sizeof(nudge_session_t));
    memset(&cart, 0, sizeof(nudge_cart_t));
    memset(viewed, 0, sizeof(viewed));
    memset(lines, 0, sizeof(lines));

    viewed[0].id = nudge_cstr("3");
    viewed[1].id = nudge_cstr("gone");
    viewed[2].id = nudge_cstr("39");
    viewed[3].id = nudge_cstr("5");
    s.viewed = viewed;
    s.nviewed = 4;

    shows(&s, &cart, "recent", NULL, 4, "3 5 35 33",
          "recently viewed, then popular; sold out, nameless and the second "
          "variant never");
    shows(&s, &cart, "popular", NULL, 4, "35 33 32 31", "popular");
    shows(&s, &cart, "also_bought", NULL, 3, "3 5 35", "any other strategy");
    shows(&s, &cart, "recent", live, 4, "3 39 5 35",
          "live stock: one is back");
    shows(NULL, NULL, "popular", live, 2, "39 35", "without a session");
    shows(NULL, NULL, "popular", live, 3, "39 35 32",
          "live stock: one is sold out");

    lines[0].id = nudge_cstr("3");
    lines[1].id = nudge_cstr("99");
    lines[1].parent = nudge_cstr("10");
    cart.lines = lines;
    cart.n = 2;
    shows(&s, &cart, "recent", NULL, 4, "5 33 32 31",
          "nothing that is in the cart, nor another variant of it");

    shows(&s, &cart, "recent", NULL, 0, "", "none asked for");
    shows(&s, &cart, "recent", NULL, PRODUCTS,
          "5 33 32 31 30 29 28 27 26 25 24 23 22 21 20 19 18 17 16 15 14 13 "
          "12 11 9 8 7 6 4 2 1 0", "all there are");

    memset(&none, 0, sizeof(nudge_catalogue_t));
    is_int(nudge_recommend(&none, &s, &cart, NULL, NULL, NULL, &p, 1), 0,
           "no catalogue, no products");
    is_int(nudge_recommend(NULL, &s, &cart, NULL, NULL, NULL, &p, 1), 0,
           "no catalogue at all");

    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
