
/*
 * What the files of the session share among themselves.
 *
 *   nudge_session.c         events become changes
 *   nudge_session_cart.c    snapshot and deltas, folded
 *   nudge_session_merge.c   orders and the join
 *   nudge_session_pack.c    the compact form
 *   nudge_session_encode.c  the memcached document
 *   nudge_session_decode.c
 */


#ifndef _NUDGE_SESSION_PRIVATE_H_INCLUDED_
#define _NUDGE_SESSION_PRIVATE_H_INCLUDED_


#include "nudge_session.h"


/*
 * The join keeps the NUDGE_SESSION_DELTAS newest deltas.  One host folds
 * earlier than that, so that joining what two hosts saw loses nothing.
 */

#define NUDGE_SESSION_FOLD      24      /* more deltas than that are folded */
#define NUDGE_SESSION_KEEP      12      /* down to that many */

/*
 * Bounds of what is stored.  The sizes are those of the JSON form, where the
 * worst case is 32 deltas of 448 + 84 bytes, 10752 bytes of lines, 12 views,
 * 16 offers and the scalars: 32 KB with the folded cart left out.
 */

#define NUDGE_SESSION_ID        64
#define NUDGE_SESSION_NAME      160
#define NUDGE_SESSION_URL       256
#define NUDGE_SESSION_ITEM      448     /* JSON bytes of one item */
#define NUDGE_SESSION_CART      10752   /* JSON bytes of all lines */
#define NUDGE_SESSION_QUANTITY  1000000
#define NUDGE_SESSION_PRICE     (INT64_C(1000000000) * NUDGE_MONEY_UNIT)
#define NUDGE_SESSION_TIME      INT64_C(253402300799999)    /* year 9999 */

#define nudge_max(a, b)         ((a) < (b) ? (b) : (a))
#define nudge_min(a, b)         ((a) > (b) ? (b) : (a))


/* nudge_session_merge.c: total orders */

int nudge_stamp_cmp(const nudge_stamp_t *a, const nudge_stamp_t *b);
nudge_uint_t nudge_stamp_zero(const nudge_stamp_t *stamp);
/* which delta it is: stamp and line */
int nudge_delta_cmp(const nudge_delta_t *a, const nudge_delta_t *b);
/* newer first */
int nudge_viewed_cmp(const nudge_viewed_t *a, const nudge_viewed_t *b);
int nudge_seen_cmp(const nudge_seen_t *a, const nudge_seen_t *b);
/* s->attempted from what it derives from */
void nudge_session_settle(nudge_session_t *s);


/* nudge_session_cart.c */

int64_t nudge_session_time(int64_t t);
/* a bounded, valid UTF-8 copy; too long for "max" JSON bytes: empty */
nudge_int_t nudge_session_text(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src, size_t max);
/* what of an item is kept; NUDGE_DECLINED: it has neither id nor key */
nudge_int_t nudge_session_item(nudge_pool_t *pool, nudge_item_t *dst,
    const nudge_item_t *src);
/* applies one delta to lines[]; it may need room for one more, up to
 * NUDGE_SESSION_LINES */
void nudge_session_fold(nudge_item_t *lines, nudge_uint_t *n,
    const nudge_delta_t *delta);
/* makes lines[] fit the bounds above */
void nudge_session_fit(nudge_item_t *lines, nudge_uint_t *n);
/* the cart becomes items[] at "stamp" (n = 0: empty), unless a later snapshot
 * is known */
nudge_int_t nudge_session_snapshot(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_stamp_t *stamp, const nudge_item_t *items, nudge_uint_t n);
/* adds deltas (sorted, of one stamp) and folds when they are too many */
nudge_int_t nudge_session_deltas(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_delta_t *deltas, nudge_uint_t n);
/* the cart as it stands, in lines[], which has room for as many as there are
 * lines and deltas, at most NUDGE_SESSION_LINES */
void nudge_session_total(const nudge_session_t *s, nudge_item_t *lines,
    nudge_cart_t *cart);
/* an upper bound of an item's JSON bytes */
size_t nudge_session_item_cost(const nudge_item_t *item);
/* do both hold the same lines in the same quantities? */
nudge_uint_t nudge_cart_same(const nudge_cart_t *a, const nudge_cart_t *b);


/* nudge_session_encode.c: by nudge_delta_kind_t */

extern const char  *nudge_delta_names[];


#endif /* _NUDGE_SESSION_PRIVATE_H_INCLUDED_ */
