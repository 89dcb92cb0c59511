
/*
 * Signed links in mails: confirm, unsubscribe, click.  base64url (RFC 4648
 * section 5) of "<kind>.<shop>.<contact>.<claim>.<expiry>.<target>" and a
 * truncated HMAC-SHA256 (128 bit) under the shop's key, with the kind in the
 * signed text so that one link can never act as another.  The address itself
 * is never inside.
 */


#ifndef _NUDGE_TOKEN_H_INCLUDED_
#define _NUDGE_TOKEN_H_INCLUDED_


#include "nudge_visitor.h"


#define NUDGE_TOKEN_MAX  512

typedef struct {
    u_char          kind;           /* 'c'onfirm, 'u'nsubscribe, 'l'ink */
    nudge_str_t     shop;
    nudge_str_t     contact;        /* opaque contact id of the store */
    nudge_str_t     claim;          /* message it came in, or empty */
    nudge_str_t     target;         /* link: path on the shop, or empty */
    int64_t         expires;        /* seconds since the epoch, 0: never */
} nudge_token_t;

/* NUDGE_ERROR: the target is no path on the shop, or all of it is longer than
 * NUDGE_TOKEN_MAX */
nudge_int_t nudge_token_encode(nudge_buf_t *b, const nudge_token_t *t,
    const nudge_keys_t *keys);
/* NUDGE_OK; NUDGE_DECLINED: not ours or tampered with; NUDGE_AGAIN: was ours
 * and has expired; NUDGE_ERROR: no memory.  Accepts current and previous key;
 * strings in the pool */
nudge_int_t nudge_token_decode(nudge_token_t *t, nudge_pool_t *pool,
    const nudge_str_t *text, u_char kind, const nudge_str_t *shop,
    int64_t now, const nudge_keys_t *keys);

/* HMAC-SHA256 of data under the current key, as lower-case hex; out[65].
 * Also names suppressed addresses without keeping them */
nudge_int_t nudge_token_hmac(u_char out[65], const nudge_str_t *data,
    const nudge_keys_t *keys);


#endif /* _NUDGE_TOKEN_H_INCLUDED_ */
