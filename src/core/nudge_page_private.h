
/*
 * Between nudge_page.c and nudge_page_offer.c.
 */


#ifndef _NUDGE_PAGE_PRIVATE_H_INCLUDED_
#define _NUDGE_PAGE_PRIVATE_H_INCLUDED_


#include "nudge_page.h"


/* what one offer, or several taken together, say */

typedef struct {
    nudge_money_t       price;      /* NUDGE_MONEY_NONE to begin with */
    nudge_str_t         currency;
    nudge_str_t         url;
    nudge_stock_t       stock;
} nudge_page_offer_t;


/* adds what v (an offer, several, or things that have some) says */
void nudge_page_offers(nudge_value_t *v, nudge_page_offer_t *offer);
/* "https://schema.org/InStock", "schema:InStock" -> "InStock" */
nudge_str_t nudge_page_term(nudge_str_t s);


#endif /* _NUDGE_PAGE_PRIVATE_H_INCLUDED_ */
