
/*
 * Which products to show.  Sources in order of preference, filled up from the
 * next until "count" are found: recently viewed, then popular.  Never a
 * product that is in the cart, sold out, without a name, picture or page, or
 * already chosen.  Live price and stock, where the caller knows them, win over
 * the catalogue's.
 */


#ifndef _NUDGE_RECOMMEND_H_INCLUDED_
#define _NUDGE_RECOMMEND_H_INCLUDED_


#include "nudge_catalogue.h"
#include "nudge_session.h"


/* overrides p->item.price and p->item.stock when newer ones are known */
typedef void (*nudge_live_pt)(void *data, nudge_product_t *p);

/* strategy: the campaign's "recommend" ("recent", "popular"; every other name
 * is served by both until its index is there).  Returns the number found */
nudge_uint_t nudge_recommend(const nudge_catalogue_t *c,
    const nudge_session_t *s, const nudge_cart_t *cart,
    const nudge_str_t *strategy, nudge_live_pt live, void *live_data,
    nudge_product_t *out, nudge_uint_t count);


#endif /* _NUDGE_RECOMMEND_H_INCLUDED_ */
