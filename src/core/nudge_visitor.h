
/*
 * Who is this, and what may be kept of them: the identity cookie (D14) and
 * consent as the cookies of consent managers tell it (D15).  The cookie is
 * "<version of the format>.<id, 32 hex>.<session version, hex>.<flags>.<tag,
 * 16 hex>"; the tag is SipHash-2-4 under the shop's key over shop id and
 * everything before it, so a forged cookie costs no memcached read.
 */


#ifndef _NUDGE_VISITOR_H_INCLUDED_
#define _NUDGE_VISITOR_H_INCLUDED_


#include "nudge_core.h"


#define NUDGE_VISITOR_ID        32      /* hex digits of 128 random bits */
#define NUDGE_VISITOR_COOKIE    80      /* longest cookie value */

typedef struct {
    u_char          id[NUDGE_VISITOR_ID];
    uint32_t        version;            /* of the session, see D2 */
    unsigned        persistent:1;       /* consent allows more than the visit */
} nudge_visitor_t;

typedef struct {
    u_char          current[32];        /* first 16: SipHash; all: HMAC */
    u_char          previous[32];
    unsigned        has_previous:1;
} nudge_keys_t;

void nudge_visitor_encode(nudge_buf_t *b, const nudge_visitor_t *v,
    const nudge_str_t *shop, const nudge_keys_t *keys);
/* NUDGE_OK; NUDGE_DECLINED: malformed or forged */
nudge_int_t nudge_visitor_decode(nudge_visitor_t *v, const nudge_str_t *value,
    const nudge_str_t *shop, const nudge_keys_t *keys);
/* random: 16 bytes from the system */
void nudge_visitor_new(nudge_visitor_t *v, const u_char random[16]);


/*
 * The key file: one or two lines of 64 hexadecimal digits, the current key
 * first; "#" begins a comment.  NUDGE_ERROR with *line set where it is wrong.
 */
nudge_int_t nudge_keys_parse(nudge_keys_t *keys, const nudge_str_t *text,
    nudge_uint_t *line);


typedef enum {
    NUDGE_CONSENT_UNKNOWN = 0,          /* no consent manager seen */
    NUDGE_CONSENT_PENDING,              /* one is there, no answer yet */
    NUDGE_CONSENT_DENIED,
    NUDGE_CONSENT_GRANTED               /* marketing, or the category asked */
} nudge_consent_t;

/* what the mode and the answer allow */

typedef enum {
    NUDGE_STORE_NOTHING = 0,
    NUDGE_STORE_VISIT,                  /* session cookie, 30 idle minutes,
                                           nothing joins a person */
    NUDGE_STORE_PERSON
} nudge_storage_t;

typedef enum {
    NUDGE_CONSENT_AUTO = 0,
    NUDGE_CONSENT_REQUIRED,
    NUDGE_CONSENT_SESSION,
    NUDGE_CONSENT_OFF
} nudge_consent_mode_t;

/* cookie: one whole Cookie header value; finds Cookiebot's CookieConsent.  Of
 * several the one that allows less; what is not understood is DENIED */
nudge_consent_t nudge_consent_cookies(const nudge_str_t *cookie);
/* the value of a generic "required" source: "1", "yes", "true", "granted",
 * "allow" (any case) grant; empty or absent is PENDING; all else DENIED */
nudge_consent_t nudge_consent_value(const nudge_str_t *value);
/* gpc: the request carries Sec-GPC: 1, which no answer overrules; the table is
 * in nudge_consent.c */
nudge_storage_t nudge_consent_storage(nudge_consent_mode_t mode,
    nudge_consent_t answer, nudge_uint_t gpc);


#endif /* _NUDGE_VISITOR_H_INCLUDED_ */
