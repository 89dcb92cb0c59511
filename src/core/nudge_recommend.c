
/*
 * Choosing products.  A source proposes ids or products in its own order;
 * whatever it proposes passes the same examination.  Work is bounded: at most
 * the views a session holds and the first NUDGE_RECOMMEND_POPULAR popular
 * products are looked at, however many of them are sold out.
 */


#include "nudge_recommend.h"


#define NUDGE_RECOMMEND_POPULAR  512


typedef struct {
    const nudge_catalogue_t  *catalogue;
    const nudge_session_t    *session;
    const nudge_cart_t       *cart;
    nudge_live_pt             live;
    void                     *live_data;
    nudge_product_t          *out;
    nudge_uint_t              n;
    nudge_uint_t              count;
} nudge_recommend_t;


static void nudge_recommend_recent(nudge_recommend_t *r);
static void nudge_recommend_popular(nudge_recommend_t *r);
static void nudge_recommend_offer(nudge_recommend_t *r, nudge_product_t *p);
static nudge_uint_t nudge_recommend_same(const nudge_item_t *a,
    const nudge_item_t *b);


nudge_uint_t
nudge_recommend(const nudge_catalogue_t *c, const nudge_session_t *s,
    const nudge_cart_t *cart, const nudge_str_t *strategy, nudge_live_pt live,
    void *live_data, nudge_product_t *out, nudge_uint_t count)
{
    nudge_recommend_t  r;

    if (c == NULL) {
        return 0;
    }

    r.catalogue = c;
    r.session = s;
    r.cart = cart;
    r.live = live;
    r.live_data = live_data;
    r.out = out;
    r.n = 0;
    r.count = count;

    if (strategy && nudge_str_is(strategy, "popular")) {
        nudge_recommend_popular(&r);
        nudge_recommend_recent(&r);

    } else {
        nudge_recommend_recent(&r);
        nudge_recommend_popular(&r);
    }

    return r.n;
}


static void
nudge_recommend_recent(nudge_recommend_t *r)
{
    nudge_uint_t     i;
    nudge_product_t  p;

    if (r->session == NULL) {
        return;
    }

    for (i = 0; i < r->session->nviewed && r->n < r->count; i++) {
        if (nudge_catalogue_find(r->catalogue, &r->session->viewed[i].id, &p)
            == NUDGE_OK)
        {
            nudge_recommend_offer(r, &p);
        }
    }
}


static void
nudge_recommend_popular(nudge_recommend_t *r)
{
    nudge_uint_t     i;
    nudge_product_t  p;

    for (i = 0; i < NUDGE_RECOMMEND_POPULAR && r->n < r->count; i++) {

        if (i >= r->catalogue->count) {
            return;
        }

        if (nudge_catalogue_popular(r->catalogue, i, &p) == NUDGE_OK) {
            nudge_recommend_offer(r, &p);
        }
    }
}


/* takes it unless there is a reason not to */

static void
nudge_recommend_offer(nudge_recommend_t *r, nudge_product_t *p)
{
    nudge_uint_t  i;

    if (p->item.name.len == 0 || p->item.url.len == 0
        || p->item.image.len == 0)
    {
        return;
    }

    for (i = 0; r->cart && i < r->cart->n; i++) {
        if (nudge_recommend_same(&r->cart->lines[i], &p->item)) {
            return;
        }
    }

    for (i = 0; i < r->n; i++) {
        if (nudge_recommend_same(&r->out[i].item, &p->item)) {
            return;
        }
    }

    if (r->live) {
        r->live(r->live_data, p);
    }

    if (p->item.stock == NUDGE_STOCK_OUT) {
        return;
    }

    r->out[r->n++] = *p;
}


/* variants of one product are one product to a shopper */

static nudge_uint_t
nudge_recommend_same(const nudge_item_t *a, const nudge_item_t *b)
{
    const nudge_str_t  *x, *y;

    if (nudge_str_eq(&a->id, &b->id)) {
        return 1;
    }

    x = a->parent.len ? &a->parent : &a->id;
    y = b->parent.len ? &b->parent : &b->id;

    return x->len && nudge_str_eq(x, y);
}
