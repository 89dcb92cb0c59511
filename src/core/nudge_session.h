
/*
 * The session: what memcached and the hot copy hold of one visitor.  The cart
 * is the last snapshot the store gave plus the deltas since; ties are broken
 * by event id.  nudge_session_merge() is commutative, associative and
 * idempotent, so two hosts that saw different requests agree whatever the
 * order their writes arrive in.
 *
 * Two encodings of the same state: a compact one for shared memory, and the
 * JSON document in memcached, which the store's own code may read (schema in
 * README.md, "Session").  E-mail addresses are in neither.
 *
 * Of an item the session keeps id, parent, key, name, url, image, price,
 * currency and quantity, each within bounds that make both encodings of every
 * session fit NUDGE_SESSION_MAX: what would not fit loses its picture first,
 * then its page, then its name.
 */


#ifndef _NUDGE_SESSION_H_INCLUDED_
#define _NUDGE_SESSION_H_INCLUDED_


#include "nudge_event.h"


#define NUDGE_SESSION_SCHEMA   1
#define NUDGE_SESSION_LINES    64       /* distinct lines of one cart */
#define NUDGE_SESSION_DELTAS   32       /* then folded into a snapshot */
#define NUDGE_SESSION_VIEWED   12
#define NUDGE_SESSION_SEEN     16       /* offers whose showing is counted */
#define NUDGE_SESSION_MAX      32768    /* bytes of either encoding */

/* total order of changes: by time, then nonce, then seq */

typedef struct {
    int64_t         time;
    uint64_t        nonce;
    uint64_t        seq;
} nudge_stamp_t;

typedef enum {
    NUDGE_DELTA_ADD = 0,            /* quantity more of item */
    NUDGE_DELTA_SET,                /* line now has quantity; 0 removes */
    NUDGE_DELTA_CLEAR               /* the cart is empty (order, logout) */
} nudge_delta_kind_t;

typedef struct {
    nudge_stamp_t       stamp;
    nudge_delta_kind_t  kind;
    nudge_item_t        item;       /* found by key when set, else by id */
} nudge_delta_t;

typedef struct {
    nudge_str_t     id;
    nudge_stamp_t   stamp;          /* of the last view */
} nudge_viewed_t;

typedef struct {
    nudge_str_t     offer;
    int64_t         first;          /* start of the counting window, ms */
    int64_t         last;
    uint32_t        count;          /* shown in the window */
    unsigned        done:1;         /* submitted or closed for good */
} nudge_seen_t;

/* an order_attempt, or what ended one: time and hash of the attempt's id */

typedef struct {
    int64_t         time;
    uint64_t        id;
} nudge_attempt_t;

typedef struct {
    uint32_t        version;        /* as in the visitor cookie */
    int64_t         created;        /* ms since the epoch; 0: empty session */
    int64_t         active;         /* last request, ms */
    uint32_t        pages;          /* page views of this visit */
    uint32_t        visits;
    int64_t         ordered;        /* last purchase, ms, or 0 */
    uint64_t        order;          /* hash of that order's id: a reloaded
                                       thank-you page clears no new cart */
    int64_t         attempted;      /* unresolved order_attempt, ms, or 0;
                                       derived from the next two and from
                                       "ordered", never merged itself */
    nudge_attempt_t attempt;        /* the last one */
    nudge_attempt_t resolved;       /* the last one that ended */
    int64_t         checkout;       /* last begin_checkout, ms, or 0 */
    int64_t         cart_changed;   /* ms, or 0 */
    unsigned        subscribed:1;   /* a form was submitted: ask no more */

    nudge_stamp_t   forgotten;      /* views up to here are gone */
    nudge_stamp_t   snap;           /* of lines[]; zero: none yet */
    nudge_item_t   *lines;
    nudge_uint_t    nlines;
    nudge_delta_t  *deltas;         /* sorted by stamp, all later than snap */
    nudge_uint_t    ndeltas;
    nudge_viewed_t *viewed;         /* newest first */
    nudge_uint_t    nviewed;
    nudge_seen_t   *seen;
    nudge_uint_t    nseen;
} nudge_session_t;

/* the cart as it stands: snapshot and deltas folded, lines with quantity > 0 */

typedef struct {
    nudge_item_t   *lines;
    nudge_uint_t    n;
    int64_t         items;          /* sum of quantities */
    nudge_money_t   total;          /* NUDGE_MONEY_NONE if a price is missing */
    nudge_str_t     currency;
} nudge_cart_t;


void nudge_session_init(nudge_session_t *s, int64_t now);
/* applies one event of this visitor; strings are copied to the pool.
 * Understands the cart, view, checkout, order, subscribe, offer, logout
 * events and ignores the rest; ev->snapshot replaces the cart.  The event has
 * its id and time already; what it changes is stamped later than all the
 * session knows of other hosts, so a clock that is behind loses nothing.
 * offer_view: ev->from, when set, is the earliest time the offer's cap still
 * counts; an older window is begun anew.  Without it every showing begins the
 * window anew and keeps counting, which errs towards showing less.
 * NUDGE_OK, or NUDGE_ERROR without memory (s is then unchanged) */
nudge_int_t nudge_session_apply(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_event_t *ev);
/* dst becomes the join of dst and src (src's strings must outlive dst) */
nudge_int_t nudge_session_merge(nudge_session_t *dst, nudge_pool_t *pool,
    const nudge_session_t *src);
nudge_int_t nudge_session_cart(const nudge_session_t *s, nudge_pool_t *pool,
    nudge_cart_t *cart);
/* the line of the current cart with that store key, or NULL */
nudge_item_t *nudge_cart_line(const nudge_cart_t *cart, const nudge_str_t *key);
/* forget what must not outlive the visit or the person (D3): cart and views */
void nudge_session_forget(nudge_session_t *s);
/* starts a new visit when "idle" ms have passed since s->active */
void nudge_session_touch(nudge_session_t *s, int64_t now, int64_t idle);

/* compact form: decoded strings point into "data", arrays into the pool.
 * NUDGE_ERROR on any malformed input, never a crash */
void nudge_session_pack(nudge_buf_t *b, const nudge_session_t *s);
nudge_int_t nudge_session_unpack(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_str_t *data);

/* the memcached document; decode: NUDGE_DECLINED when of a later schema */
void nudge_session_encode(nudge_buf_t *b, const nudge_session_t *s);
nudge_int_t nudge_session_decode(nudge_json_t *js, nudge_session_t *s,
    nudge_pool_t *pool, const nudge_str_t *text);
/* "nudge:<shop>:s:<visitor>" */
void nudge_session_key(nudge_buf_t *b, const nudge_str_t *shop,
    const nudge_str_t *visitor);


#endif /* _NUDGE_SESSION_H_INCLUDED_ */
