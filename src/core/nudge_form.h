
/*
 * Bodies and query strings: urlencoded (WHATWG URL, section 5), multipart
 * (RFC 7578) and a form inside a form field.  Works on a whole buffer; a
 * truncated multipart body gives the complete fields it holds, an urlencoded
 * one does not show where it was cut: whoever knows takes off what follows its
 * last "&".  File parts are skipped.
 * Fields whose name says password, card, cvv, cvc, iban, pin or secret are
 * dropped here, before anybody can look at them (D15).
 */


#ifndef _NUDGE_FORM_H_INCLUDED_
#define _NUDGE_FORM_H_INCLUDED_


#include "nudge_core.h"


#define NUDGE_FORM_FIELDS  256

typedef struct {
    nudge_str_t     name;           /* decoded */
    nudge_str_t     value;          /* decoded, valid UTF-8 */
} nudge_field_t;

typedef struct {
    nudge_field_t  *fields;         /* in order of appearance */
    nudge_uint_t    n;
} nudge_form_t;

/* NUDGE_OK or NUDGE_ERROR (no memory); excess fields are dropped */
nudge_int_t nudge_form_urlencoded(nudge_pool_t *pool, const nudge_str_t *text,
    nudge_form_t *form);
/* content_type: the whole header value, for its boundary; NUDGE_DECLINED
 * without a usable one */
nudge_int_t nudge_form_multipart(nudge_pool_t *pool,
    const nudge_str_t *content_type, const nudge_str_t *body,
    nudge_form_t *form);

/* of repeated keys the last (PHP, Rails); NULL when absent */
nudge_str_t *nudge_form_get(const nudge_form_t *form, const nudge_str_t *name);

/* the name is one that must never be read */
nudge_uint_t nudge_form_secret(const nudge_str_t *name);


#endif /* _NUDGE_FORM_H_INCLUDED_ */
