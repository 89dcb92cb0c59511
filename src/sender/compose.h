
/*
 * One mail: from a shop's bundle, a step's templates and what is known of the
 * contact to the bytes handed to the relay.  Deterministic: the same request
 * gives the same bytes, and Message-ID and boundary depend on the claim only,
 * so a mail sent twice by accident can be recognised as one.
 */


#ifndef _NUDGE_COMPOSE_H_INCLUDED_
#define _NUDGE_COMPOSE_H_INCLUDED_


#include "nudge_bundle.h"
#include "nudge_token.h"


#define COMPOSE_MAX      (512 * 1024)   /* bytes of one finished message */
#define COMPOSE_CONFIRM  (7 * 86400)    /* a confirm link lives, seconds */
#define COMPOSE_CLICK    (90 * 86400)   /* a click link lives, seconds */

typedef struct {
    const nudge_bundle_t   *bundle;
    const nudge_keys_t     *keys;
    nudge_str_t             mail;       /* of the step: "cart-reminder"; or
                                           "confirm" */
    nudge_str_t             flow;       /* empty for "confirm" */
    nudge_str_t             claim;      /* [A-Za-z0-9-]{1,64} */
    nudge_str_t             contact;    /* opaque id, never the address */
    nudge_str_t             email;
    int64_t                 time;       /* seconds since the epoch: Date, and
                                           where links' lives begin */
    const nudge_item_t     *cart;
    nudge_uint_t            ncart;
    nudge_str_t             cart_page;  /* path where the shop shows the cart,
                                           as visited; empty: the front page */
    const nudge_item_t     *recommend;
    nudge_uint_t            nrecommend;
    unsigned                marketing:1;  /* List-*, one-click unsubscribe */
} compose_t;

typedef struct {
    nudge_str_t             from;       /* bare addresses for the envelope */
    nudge_str_t             to;
    nudge_str_t             id;         /* Message-ID with its brackets */
    nudge_str_t             subject;    /* as rendered, UTF-8 */
    nudge_str_t             text;
    nudge_str_t             html;
    nudge_str_t             bytes;      /* the whole message, CRLF, without
                                           dot stuffing */
} compose_message_t;


/*
 * NUDGE_OK; NUDGE_DECLINED: this mail cannot be written, *reason is one of
 *
 *   address_invalid, address_not_ascii    the contact's address
 *   from_invalid                          shop.from
 *   claim_invalid, header_invalid         a control character somewhere
 *   no_template, template_failed          "nudge check" tells more
 *   too_large
 *
 * NUDGE_ERROR: no memory.  Everything in *m lives in the pool, which should
 * have a limit of at least 4 * COMPOSE_MAX.
 */
nudge_int_t compose_message(nudge_pool_t *pool, const compose_t *c,
    compose_message_t *m, const char **reason);

/* the tree the templates see, also for nudge preview; NULL without memory */
nudge_value_t *compose_data(nudge_pool_t *pool, const compose_t *c);

/* shop.url + path, percent-encoded where a URL needs it; an absolute http(s)
 * URL stays; everything else is empty */
nudge_int_t compose_url(nudge_pool_t *pool, const nudge_shop_t *shop,
    const nudge_str_t *path, nudge_str_t *url);


#endif /* _NUDGE_COMPOSE_H_INCLUDED_ */
