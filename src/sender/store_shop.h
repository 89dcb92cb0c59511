
/*
 * What the shop's traffic tells: browsers and their carts, products, orders
 * and attempts at one, gaps in the journal, counters.
 */


#ifndef _NUDGE_STORE_SHOP_H_INCLUDED_
#define _NUDGE_STORE_SHOP_H_INCLUDED_


#include "nudge_catalogue.h"
#include "nudge_session.h"
#include "store.h"


#define STORE_PRODUCTS  50000       /* of one shop, most popular first */

typedef struct {
    nudge_session_t     session;
    int64_t             cart_first;     /* when this cart got its first line,
                                           ms; 0: it is empty */
    int64_t             cart_changed;
} store_visitor_t;

/* NUDGE_OK, also for a visitor never seen before (session.created is 0) */
nudge_int_t store_visitor_get(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *id, store_visitor_t *v);
nudge_int_t store_visitor_put(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *id, const store_visitor_t *v,
    int64_t time);
nudge_int_t store_visitor_forget(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *id);

/* one event about a product: what it says replaces what is known, silence
 * does not */
nudge_int_t store_product_put(tx_t *tx, const nudge_str_t *shop,
    const nudge_item_t *item, nudge_event_type_t type, int64_t time);
/* NUDGE_OK, NUDGE_DECLINED, NUDGE_ERROR */
nudge_int_t store_product_get(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, const nudge_str_t *id, nudge_product_t *p);
/* the shop's products by popularity; number, or NUDGE_ERROR */
nudge_int_t store_products(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop, int64_t now, nudge_product_t *products,
    nudge_uint_t max);
nudge_uint_t store_products_count(tx_t *tx, const nudge_str_t *shop);
/* grows with every change; 0: none yet */
int64_t store_products_version(tx_t *tx, const nudge_str_t *shop);

/* NUDGE_DECLINED: this order is known already */
nudge_int_t store_order(tx_t *tx, const nudge_event_t *ev,
    const char *contact, const char *hash);
/* latest order of a contact, an address or any of its browsers, ms or 0 */
int64_t store_order_last(tx_t *tx, const nudge_str_t *shop,
    const char *contact, const char *hash, const nudge_str_t *visitor);
nudge_int_t store_attempt(tx_t *tx, const nudge_event_t *ev,
    const char *contact, const char *hash);
nudge_int_t store_attempt_resolve(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *attempt);
/* latest unresolved attempt since then, ms or 0 */
int64_t store_attempt_open(tx_t *tx, const nudge_str_t *shop,
    const char *contact, const char *hash, const nudge_str_t *visitor,
    int64_t since);
nudge_int_t store_gap(tx_t *tx, const nudge_str_t *shop, int64_t from,
    int64_t to);
/* did the journal lose anything since then? */
nudge_uint_t store_gap_since(tx_t *tx, const nudge_str_t *shop, int64_t time);

nudge_int_t store_shop_cart_page(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *path);
nudge_str_t store_shop_get_cart_page(tx_t *tx, nudge_pool_t *pool,
    const nudge_str_t *shop);
/* when this flow first ran here, ms; "now" if that is now */
int64_t store_activation(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *flow, int64_t now);
/* "sent", "skipped:quiet" ...: counted when written, read by status.json */
nudge_int_t store_count(tx_t *tx, const char *name, const char *detail);


#endif /* _NUDGE_STORE_SHOP_H_INCLUDED_ */
