
/*
 * What a page is about.  From its JSON-LD: the one Product it presents, with
 * @graph, arrays, offers as object or array, priceSpecification and
 * AggregateOffer understood, wrong and missing parts tolerated.  A page with
 * several top-level Products, or a Product inside ItemList, is a list and not
 * a product view.
 */


#ifndef _NUDGE_PAGE_H_INCLUDED_
#define _NUDGE_PAGE_H_INCLUDED_


#include "nudge_event.h"


/*
 * blocks[n]: the text of each JSON-LD script.  NUDGE_OK: *item filled (id from
 * productID or sku, url and image with scheme and host removed when they are
 * on "host" (the request's Host; images elsewhere keep their https URL, other
 * hosts' page URLs are dropped).  NUDGE_DECLINED: no product, or several.
 * A block that is not JSON is skipped.
 */
nudge_int_t nudge_page_product(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *blocks, nudge_uint_t n, const nudge_str_t *host,
    nudge_item_t *item);

/* "https://host/path?x#y" -> "/path?x" when host matches; a path stays; "//"
 * and every other scheme or host give an empty string */
nudge_str_t nudge_page_local(nudge_str_t url, const nudge_str_t *host);
/* schema.org availability, with or without its URL prefix */
nudge_stock_t nudge_page_stock(const nudge_str_t *availability);


#endif /* _NUDGE_PAGE_H_INCLUDED_ */
