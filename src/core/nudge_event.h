
/*
 * Events: what happened in the shop, in the words of GA4 and schema.org.  A
 * worker makes them, the journal carries them, the sender gives each its
 * effect exactly once.  The JSON form is documented in README.md ("Events")
 * and carries its version as "v".
 *
 * An event's id is (nonce, seq): the nonce is drawn when the shared zone is
 * created, the sequence is an atomic of that zone, so ids never repeat and
 * order the events of one host.
 */


#ifndef _NUDGE_EVENT_H_INCLUDED_
#define _NUDGE_EVENT_H_INCLUDED_


#include "nudge_json.h"


#define NUDGE_EVENT_VERSION  1

/* the order is the order of nudge_event_names[]; append only */

typedef enum {
    NUDGE_EVENT_NONE = 0,
    NUDGE_EVENT_PAGE_VIEW,
    NUDGE_EVENT_VIEW_ITEM,
    NUDGE_EVENT_VIEW_ITEM_LIST,
    NUDGE_EVENT_SEARCH,
    NUDGE_EVENT_ADD_TO_CART,
    NUDGE_EVENT_REMOVE_FROM_CART,
    NUDGE_EVENT_VIEW_CART,
    NUDGE_EVENT_BEGIN_CHECKOUT,
    NUDGE_EVENT_ORDER_ATTEMPT,
    NUDGE_EVENT_PURCHASE,
    NUDGE_EVENT_ORDER_FAILED,
    NUDGE_EVENT_REFUND,
    NUDGE_EVENT_IDENTIFY,           /* an e-mail hint: never consent */
    NUDGE_EVENT_LOGIN,
    NUDGE_EVENT_LOGOUT,
    NUDGE_EVENT_SIGN_UP,
    NUDGE_EVENT_SUBSCRIBE,          /* method "form": asked; "confirm": done */
    NUDGE_EVENT_UNSUBSCRIBE,
    NUDGE_EVENT_CONSENT,            /* reason "granted" or "withdrawn" */
    NUDGE_EVENT_ADD_TO_WISHLIST,
    NUDGE_EVENT_STOCK_REQUEST,
    NUDGE_EVENT_STOCK_CHANGE,
    NUDGE_EVENT_PRICE_CHANGE,
    NUDGE_EVENT_COUPON_APPLY,
    NUDGE_EVENT_EXIT_INTENT,
    NUDGE_EVENT_OFFER_VIEW,
    NUDGE_EVENT_OFFER_CLICK,
    NUDGE_EVENT_OFFER_CLOSE,
    NUDGE_EVENT_SURVEY_ANSWER,
    NUDGE_EVENT_MESSAGE_CLICK,
    NUDGE_EVENT_MESSAGE_OPEN,
    NUDGE_EVENT_GAP,
    NUDGE_EVENT_MAX
} nudge_event_type_t;


typedef enum {
    NUDGE_STOCK_UNKNOWN = 0,
    NUDGE_STOCK_IN,
    NUDGE_STOCK_OUT,
    NUDGE_STOCK_PREORDER
} nudge_stock_t;


/* a product, as a page or a cart answer showed it, or one line of a cart */

typedef struct {
    nudge_str_t     id;             /* the key the store's cart uses */
    nudge_str_t     parent;         /* product of a variant, or empty */
    nudge_str_t     key;            /* opaque cart line key, or empty */
    nudge_str_t     sku;
    nudge_str_t     name;
    nudge_str_t     url;            /* path on the shop's own origin */
    nudge_str_t     image;
    nudge_str_t     category;
    nudge_str_t     brand;
    nudge_money_t   price;
    nudge_str_t     currency;       /* ISO 4217 */
    nudge_stock_t   stock;
    int64_t         quantity;       /* what was added or removed; in a cart
                                       snapshot, what is in it */
} nudge_item_t;


typedef struct {
    nudge_event_type_t  type;
    uint64_t            nonce;
    uint64_t            seq;
    int64_t             time;       /* ms since the epoch */

    nudge_str_t         shop;       /* shop.id */
    nudge_str_t         visitor;    /* 32 hex digits; empty without consent */
    nudge_str_t         contact;    /* from a signed token only */
    nudge_str_t         email;      /* never in memcached, never in a log */
    nudge_str_t         url;        /* as requested: path and arguments */
    nudge_str_t         page;       /* "product", "cart", "checkout", ... */
    nudge_str_t         order;
    nudge_str_t         attempt;    /* ties order_attempt to its outcome */
    nudge_str_t         offer;
    nudge_str_t         claim;      /* of the message a click came from */
    nudge_str_t         method;
    nudge_str_t         reason;
    nudge_str_t         text;       /* search words, coupon code, wording
                                       version, survey answer */
    nudge_str_t         rule;       /* preset rule or directive, for people */
    nudge_money_t       value;
    nudge_str_t         currency;

    nudge_item_t       *items;      /* what it is about */
    nudge_uint_t        nitems;
    nudge_item_t       *cart;       /* the whole cart afterwards ... */
    nudge_uint_t        ncart;
    unsigned            snapshot:1; /* ... when the store gave it */

    unsigned            tentative:1;  /* prefetch not yet seen to be used */
    unsigned            bot:1;
    unsigned            joinable:1;   /* consent lets it join a person */

    int64_t             from;       /* gap: ms since the epoch */
    int64_t             to;
} nudge_event_t;


extern const char  *nudge_event_names[NUDGE_EVENT_MAX];

const char *nudge_event_name(nudge_event_type_t type);
nudge_event_type_t nudge_event_type(const nudge_str_t *name);

/* all members empty; money NUDGE_MONEY_NONE, which zeroed memory is not */
void nudge_event_init(nudge_event_t *ev, nudge_event_type_t type);
void nudge_item_init(nudge_item_t *item);

/* cart, order, identity and consent events: flushed in the same call (D5) */
nudge_uint_t nudge_event_is_trigger(nudge_event_type_t type);
/* orders, consent, unsubscribes: kept until the disk is all but full */
nudge_uint_t nudge_event_is_vital(nudge_event_type_t type);

/* empty and unknown members are left out; check b->full afterwards */
void nudge_event_encode(nudge_buf_t *b, const nudge_event_t *ev);
/* "<nonce 16 hex>-<seq 1..16 hex>" */
void nudge_event_encode_id(nudge_buf_t *b, const nudge_event_t *ev);

/* NUDGE_OK; NUDGE_DECLINED: of a later version or an unknown type (skip it);
 * NUDGE_ERROR: not an event */
nudge_int_t nudge_event_decode(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *text, nudge_event_t *ev);

/* shared by event, session and cart answers: one item as JSON object */
void nudge_item_encode(nudge_buf_t *b, const nudge_item_t *item);
void nudge_item_decode(const nudge_value_t *v, nudge_item_t *item);


#endif /* _NUDGE_EVENT_H_INCLUDED_ */
