
/*
 * What the offers of a product say: price, currency, availability, in every
 * nesting of Offer, AggregateOffer and priceSpecification.
 */


#include "nudge_page_private.h"


static void nudge_page_offer(nudge_value_t *v, nudge_page_offer_t *offer);
static void nudge_page_specification(nudge_value_t *v,
    nudge_page_offer_t *offer);
static nudge_str_t nudge_page_currency(const nudge_value_t *v);
static nudge_money_t nudge_page_price(const nudge_value_t *v);


/* "https://schema.org/InStock", "schema:InStock" -> "InStock" */

nudge_str_t
nudge_page_term(nudge_str_t s)
{
    size_t  i;

    s = nudge_str_trim(s);

    for (i = s.len; i > 0; i--) {
        if (s.data[i - 1] == '/' || s.data[i - 1] == '#'
            || s.data[i - 1] == ':')
        {
            s.data += i;
            s.len -= i;
            break;
        }
    }

    return s;
}


/*
 * An Offer, an AggregateOffer, several, or things that have offers.  The
 * lowest price of what can be bought counts; in stock is what has one offer
 * in stock.
 */

void
nudge_page_offers(nudge_value_t *v, nudge_page_offer_t *offer)
{
    nudge_uint_t        better;
    nudge_value_t      *child;
    nudge_page_offer_t  one;

    if (v == NULL) {
        return;
    }

    if (v->type == NUDGE_JSON_ARRAY) {
        for (child = v->child; child; child = child->next) {
            if (child->type == NUDGE_JSON_OBJECT) {
                nudge_page_offers(child, offer);
            }
        }

        return;
    }

    memset(&one, 0, sizeof(nudge_page_offer_t));
    one.price = NUDGE_MONEY_NONE;

    nudge_page_offer(v, &one);

    if (one.price == NUDGE_MONEY_NONE || one.stock == NUDGE_STOCK_UNKNOWN) {
        child = nudge_value_get(v, "offers");

        if (child != NULL && child->child != NULL) {
            nudge_page_offers(child, &one);
        }
    }

    better = one.price != NUDGE_MONEY_NONE
             && (offer->price == NUDGE_MONEY_NONE
                 || (one.stock != NUDGE_STOCK_OUT
                     && offer->stock == NUDGE_STOCK_OUT)
                 || (one.price < offer->price
                     && (one.stock != NUDGE_STOCK_OUT
                         || offer->stock == NUDGE_STOCK_OUT)));

    if (better) {
        offer->price = one.price;
        offer->currency = one.currency;
    }

    if (offer->url.len == 0) {
        offer->url = one.url;
    }

    if (one.stock == NUDGE_STOCK_IN || offer->stock == NUDGE_STOCK_UNKNOWN
        || (offer->stock == NUDGE_STOCK_OUT
            && one.stock == NUDGE_STOCK_PREORDER))
    {
        offer->stock = one.stock;
    }
}


static nudge_str_t
nudge_page_currency(const nudge_value_t *v)
{
    nudge_str_t   s;
    nudge_uint_t  i;

    s = nudge_str_trim(nudge_value_str(nudge_value_get(v, "priceCurrency")));

    for (i = 0; i < s.len; i++) {
        if (s.data[i] < 'A' || s.data[i] > 'Z') {
            break;
        }
    }

    if (i != 3 || s.len != 3) {
        nudge_str_null(&s);
    }

    return s;
}


static void
nudge_page_offer(nudge_value_t *v, nudge_page_offer_t *offer)
{
    nudge_str_t     s;
    nudge_value_t  *child;

    s = nudge_value_str(nudge_value_get(v, "availability"));

    offer->stock = nudge_page_stock(&s);
    offer->url = nudge_value_str(nudge_value_get(v, "url"));
    offer->currency = nudge_page_currency(v);
    offer->price = nudge_page_price(nudge_value_get(v, "price"));

    if (offer->price == NUDGE_MONEY_NONE) {
        offer->price = nudge_page_price(nudge_value_get(v, "lowPrice"));
    }

    child = nudge_value_get(v, "priceSpecification");

    if (child != NULL && child->type == NUDGE_JSON_ARRAY) {
        for (child = child->child; child; child = child->next) {
            nudge_page_specification(child, offer);
        }

    } else {
        nudge_page_specification(child, offer);
    }
}


/* what a product used to cost, or costs per kilogram, is not its price */

static void
nudge_page_specification(nudge_value_t *v, nudge_page_offer_t *offer)
{
    nudge_str_t  kind;

    kind = nudge_page_term(nudge_value_str(nudge_value_get(v, "priceType")));

    if (nudge_str_is(&kind, "ListPrice") || nudge_str_is(&kind, "MSRP")
        || nudge_str_is(&kind, "SRP") || nudge_str_is(&kind, "RegularPrice")
        || nudge_str_is(&kind, "StrikethroughPrice")
        || nudge_value_get(v, "referenceQuantity") != NULL)
    {
        return;
    }

    if (offer->price == NUDGE_MONEY_NONE) {
        offer->price = nudge_page_price(nudge_value_get(v, "price"));
    }

    if (offer->currency.len == 0) {
        offer->currency = nudge_page_currency(v);
    }
}


/* schema.org: "." is the decimal point, so "12.500" of a shop in Kuwait is no
 * thousand.  0 stands for "see below" in too many shops to be believed */

static nudge_money_t
nudge_page_price(const nudge_value_t *v)
{
    size_t         i, point;
    nudge_str_t    s;
    nudge_money_t  m;

    m = 0;
    s = nudge_str_trim(nudge_value_str(v));
    point = s.len;

    for (i = 0; i < s.len && s.len <= 16; i++) {
        if (s.data[i] >= '0' && s.data[i] <= '9') {
            m = m * 10 + (s.data[i] - '0');

        } else if (s.data[i] == '.' && point == s.len && i > 0) {
            point = i;

        } else {
            break;
        }
    }

    if (i < s.len || s.len - point != 4) {
        m = nudge_value_money(v);
    }

    return (m > 0) ? m : NUDGE_MONEY_NONE;
}


nudge_stock_t
nudge_page_stock(const nudge_str_t *availability)
{
    size_t        i, n;
    u_char        c, word[32];
    nudge_str_t   s, term;
    nudge_uint_t  k;

    static const struct {
        const char     *term;
        nudge_stock_t   stock;
    } terms[] = {
        { "instock", NUDGE_STOCK_IN },
        { "limitedavailability", NUDGE_STOCK_IN },
        { "onlineonly", NUDGE_STOCK_IN },
        { "available", NUDGE_STOCK_IN },
        { "outofstock", NUDGE_STOCK_OUT },
        { "soldout", NUDGE_STOCK_OUT },
        { "discontinued", NUDGE_STOCK_OUT },
        { "reserved", NUDGE_STOCK_OUT },
        { "instoreonly", NUDGE_STOCK_OUT },
        { "unavailable", NUDGE_STOCK_OUT },
        { "preorder", NUDGE_STOCK_PREORDER },
        { "presale", NUDGE_STOCK_PREORDER },
        { "backorder", NUDGE_STOCK_PREORDER },
        { "madetoorder", NUDGE_STOCK_PREORDER },
        { NULL, NUDGE_STOCK_UNKNOWN }
    };

    term = nudge_page_term(*availability);
    n = 0;

    /* "InStock", "in stock", "in_stock" */

    for (i = 0; i < term.len && n < sizeof(word); i++) {
        c = term.data[i];

        if (c != ' ' && c != '_' && c != '-') {
            word[n++] = c;
        }
    }

    s.data = word;
    s.len = (i == term.len) ? n : 0;

    for (k = 0; terms[k].term; k++) {
        if (nudge_str_case_is(&s, terms[k].term)) {
            return terms[k].stock;
        }
    }

    return NUDGE_STOCK_UNKNOWN;
}
