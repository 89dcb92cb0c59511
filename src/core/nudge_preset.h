
/*
 * Presets: how one store platform speaks, as data.  share/presets/NAME.lua is
 * a Lua table (language in README.md, "Presets") compiled once into rules;
 * matching and extracting then run without Lua.  nudge_preset_match() looks
 * at the request line alone and says what else is needed;
 * nudge_preset_events() turns the finished exchange into events.
 */


#ifndef _NUDGE_PRESET_H_INCLUDED_
#define _NUDGE_PRESET_H_INCLUDED_


#include "nudge_event.h"
#include "nudge_form.h"
#include "nudge_session.h"


#define NUDGE_PRESET_CANDIDATES  8

typedef struct nudge_preset_s  nudge_preset_t;

/* an error a person can act on: "FILE:LINE: found ..., expected ..." */
typedef struct {
    u_char          text[512];
} nudge_error_t;

/* text: the file's bytes, name: for messages.  The preset owns its memory */
nudge_preset_t *nudge_preset_compile(const nudge_str_t *text,
    const char *name, nudge_error_t *error);
void nudge_preset_destroy(nudge_preset_t *preset);


/* what a rule that may apply wants to see; valid while the preset lives */

typedef struct {
    uint16_t        rule[NUDGE_PRESET_CANDIDATES];
    nudge_uint_t    n;              /* 0: an ordinary request */
    unsigned        body:1;         /* copy the request body */
    unsigned        answer:1;       /* copy the response body if it is JSON */
    unsigned        order:1;        /* matches an order rule: order_attempt */
    unsigned        change:1;       /* may change cart, order or identity:
                                       raises the cookie's version */
    unsigned        payment:1;      /* payment page: never read, no piece */
} nudge_match_t;

typedef struct {
    nudge_str_t     method;
    nudge_str_t     path;           /* original, percent-decoded, no args */
    nudge_str_t     args;           /* raw query string */
    nudge_str_t     host;
    nudge_str_t     content_type;   /* of the request */
    nudge_str_t     body;           /* what was copied of it */
    unsigned        body_cut:1;     /* longer than nudge_body_size */
    unsigned        navigation:1;   /* see D16 */

    nudge_uint_t    status;
    nudge_str_t     location;
    nudge_str_t    *set_cookie;     /* whole Set-Cookie values */
    nudge_uint_t    nset_cookie;
    nudge_str_t     answer_type;    /* Content-Type of the response */
    nudge_str_t     answer;         /* JSON copied of the response */
    unsigned        answer_cut:1;

    nudge_str_t     body_class;     /* of the page, see nudge_html.h */
} nudge_exchange_t;

void nudge_preset_match(const nudge_preset_t *preset,
    const nudge_exchange_t *x, nudge_match_t *match);

/* the kind of page: "product", "cart", "checkout", "thankyou", "payment",
 * "list", "search", "account" or empty; from the body class where the preset
 * says so, else (body_class empty: not known yet) from the path */
nudge_str_t nudge_preset_page(const nudge_preset_t *preset,
    const nudge_exchange_t *x);
/* the store's own product key of a product page ("postid-19" -> "19"), empty
 * when the preset has no rule for it */
nudge_str_t nudge_preset_page_id(const nudge_preset_t *preset,
    const nudge_exchange_t *x);

/*
 * The events of a finished exchange, in the order they happened, at most
 * "max".  before: the session as it was (for line keys, deltas and what a
 * cart snapshot changed); may be NULL.  Only type, items, cart, snapshot,
 * email, order, value, currency, method, reason, text, page and rule are
 * filled.  Returns their number, or NUDGE_ERROR without memory.
 */
nudge_int_t nudge_preset_events(const nudge_preset_t *preset,
    const nudge_match_t *match, const nudge_exchange_t *x, nudge_json_t *js,
    nudge_pool_t *pool, const nudge_session_t *before, nudge_event_t *events,
    nudge_uint_t max);

/* the e-mail an order request carries, for order_attempt; empty if none */
nudge_str_t nudge_preset_order_email(const nudge_preset_t *preset,
    const nudge_match_t *match, const nudge_exchange_t *x, nudge_json_t *js,
    nudge_pool_t *pool);

/* has "@", a dot in the domain, no control, space or bracket, at most 254
 * bytes; quoted local parts and address literals are refused (RFC 5321 allows
 * what no shopper has) */
nudge_uint_t nudge_email_valid(const nudge_str_t *email);


#endif /* _NUDGE_PRESET_H_INCLUDED_ */
