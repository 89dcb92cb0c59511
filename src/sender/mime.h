
/*
 * The outer form of a mail: header fields after RFC 5322 and RFC 2047, body
 * parts after RFC 2045.  Text in, bytes out; no clock, no files.
 *
 * Promise: whatever goes in, what comes out is ASCII, every line ends in CRLF
 * and has at most 998 octets (76 within bodies), and no value can begin a
 * header field of its own.
 */


#ifndef _NUDGE_MIME_H_INCLUDED_
#define _NUDGE_MIME_H_INCLUDED_


#include "nudge_core.h"


#define MIME_LINE  76

/* CR, LF, NUL or another control character: not fit for a header field */
nudge_uint_t mime_unsafe(const nudge_str_t *s);

/* "Name: value", folded; encoded-words where it is not plain ASCII.
 * NUDGE_DECLINED, and nothing written, when the value is unsafe */
nudge_int_t mime_header(nudge_buf_t *b, const char *name,
    const nudge_str_t *value);
/* "Name: display <address>"; the display name (may be empty) as a phrase:
 * atoms, quoted-string or encoded-words.  The address is written as it is:
 * check it with mime_address() first */
nudge_int_t mime_mailbox(nudge_buf_t *b, const char *name,
    const nudge_str_t *display, const nudge_str_t *address);
/* "Date: Sun, 22 Nov 2026 00:15:29 +0000" */
void mime_date(nudge_buf_t *b, int64_t seconds);

/* Content-Type, Content-Transfer-Encoding (7bit when it can be, else the
 * shorter of quoted-printable and base64), an empty line, the body.  Line
 * ends of any kind become CRLF; a last line end is added when there is none */
void mime_part(nudge_buf_t *b, const char *type, const nudge_str_t *text);


/* RFC 5322 section 3.2.3: may stand in an atom */
nudge_uint_t mime_atext(u_char c);
/* an addr-spec without quotes and comments: NULL when it may be used, else
 * the reason, "address_invalid" or "address_not_ascii" */
const char *mime_address(const nudge_str_t *address);
/* "Blue Mug <hello@bluemug.example>", "\"Mug, Blue\" <..>" or a bare address
 * into its two parts; strings point into s or the pool.  NULL or a reason */
const char *mime_split(nudge_pool_t *pool, const nudge_str_t *s,
    nudge_str_t *display, nudge_str_t *address);


#endif /* _NUDGE_MIME_H_INCLUDED_ */
