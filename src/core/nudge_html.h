
/*
 * A streaming HTML tokenizer after the WHATWG standard's states, as far as
 * they decide where markup is markup: comments, attribute values, raw text
 * (script with its escaped states, style, xmp, iframe, noembed, noframes,
 * noscript), RCDATA (title, textarea), plaintext, template, and CDATA sections
 * within svg and math.  It looks at each byte once, allocates nothing, and
 * finds in one pass
 *
 *   - where a piece goes: before the first "</body" that is markup;
 *   - JSON-LD blocks, copied to memory the caller lends;
 *   - the class of <body>, the canonical link, a CSP <meta>;
 *   - whether this is a document at all (<!doctype html, <html or <body).
 *
 * Promise: however the stream is cut, the result is that of the whole.  At
 * most NUDGE_HTML_HOLD bytes at the end of what was fed have to be held back.
 */


#ifndef _NUDGE_HTML_H_INCLUDED_
#define _NUDGE_HTML_H_INCLUDED_


#include "nudge_core.h"


#define NUDGE_HTML_HOLD       16
#define NUDGE_HTML_LD_BLOCKS  16
#define NUDGE_HTML_ATTR       512

#define NUDGE_HTML_NAME       16        /* longest name that means anything */
#define NUDGE_HTML_DEPTH      32        /* nested template, svg, math ... */
#define NUDGE_HTML_SLOTS      2         /* attributes wanted of one tag */


/* an attribute value that is wanted; data is one of the buffers below */

typedef struct {
    u_char         *data;
    uint16_t        size;
    uint16_t        len;
    uint8_t         name;           /* NUDGE_HTML_A_..., 0: slot unused */
    uint8_t         seen;           /* of duplicates the first counts */
    uint8_t         cut;
} nudge_html_slot_t;


/* private to nudge_html*.c, see nudge_html_machine.h */

typedef struct {
    uint64_t            base;       /* see nudge_html_offset() */
    uint64_t            lt;         /* offset of the last "<" of markup */
    uint64_t            ld_start;   /* offset of the open block's text */
    size_t              ld_used;
    uint8_t             state;
    uint8_t             back;       /* where to return from an end tag */
    uint8_t             match;      /* bytes of a known word seen so far */
    uint8_t             tag;        /* NUDGE_HTML_T_... */
    uint8_t             raw;        /* the element whose text this is */
    uint8_t             dashes;     /* of "-->" in an escaped script */
    uint8_t             escaped;    /* script: 1 escaped, 2 doubly */
    uint8_t             nname;
    uint8_t             depth;
    uint8_t             end_tag;
    uint8_t             self_closing;
    uint8_t             ld;         /* the open script is JSON-LD */
    uint8_t             lost;       /* nested too deeply: no mark any more */
    uint8_t             nslots;
    nudge_html_slot_t  *slot;       /* of the attribute being read or NULL */
    nudge_html_slot_t   slots[NUDGE_HTML_SLOTS];
    u_char              name[NUDGE_HTML_NAME];
    u_char              stack[NUDGE_HTML_DEPTH];
    u_char              word[64];   /* type, rel, http-equiv */
    u_char              link[NUDGE_HTML_ATTR];
    u_char              body[NUDGE_HTML_ATTR];
} nudge_html_machine_t;


typedef struct {
    /* results; read only */
    uint64_t        offset;         /* bytes fed so far */
    uint64_t        mark;           /* offset of the "<" of "</body" */
    unsigned        marked:1;       /* mark is valid */
    unsigned        document:1;
    unsigned        meta_csp:1;
    unsigned        ld_truncated:1; /* a block did not fit and was dropped */
    nudge_uint_t    hold;           /* bytes at the end that may begin the
                                       mark; 0 once marked */
    uint64_t        ld_hash;        /* nudge_hash() over all kept blocks */
    nudge_uint_t    nld;
    struct {
        uint32_t    start;          /* into ld.data */
        uint32_t    len;
    } block[NUDGE_HTML_LD_BLOCKS];
    nudge_str_t     body_class;     /* at most NUDGE_HTML_ATTR bytes, whole
                                       names; references not decoded */
    nudge_str_t     canonical;      /* empty when longer than that */

    /* lent by the caller; ld_size 0: JSON-LD is not wanted */
    u_char         *ld;
    size_t          ld_size;

    nudge_html_machine_t  m;
} nudge_html_t;

/* not to be copied or moved once it has been fed */
void nudge_html_init(nudge_html_t *h, u_char *ld, size_t ld_size);
void nudge_html_feed(nudge_html_t *h, const u_char *p, size_t n);
/* the stream has ended: an unclosed JSON-LD block is dropped, hold becomes 0 */
void nudge_html_end(nudge_html_t *h);

/* appends s as pure ASCII HTML text fit for text and quoted attributes:
 * & < > " ' and everything beyond ASCII as numeric references, control
 * characters dropped, bytes that are not UTF-8 as &#xFFFD; */
void nudge_html_escape(nudge_buf_t *b, const nudge_str_t *s);
/* only bytes beyond ASCII become references: for trusted markup that has to
 * fit pages of any ASCII-compatible charset */
void nudge_html_ascii(nudge_buf_t *b, const nudge_str_t *s);
/* one space-separated class name out of a class attribute; with a prefix
 * ("postid-") the rest of the first one that starts so, else empty */
nudge_uint_t nudge_html_has_class(const nudge_str_t *classes, const char *name);
nudge_str_t nudge_html_class_rest(const nudge_str_t *classes,
    const nudge_str_t *prefix);
/* decodes character references (numeric and the named few: amp lt gt quot
 * apos nbsp times) in place of use: JSON-LD in the wild has them */
nudge_int_t nudge_html_unescape(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src);


#endif /* _NUDGE_HTML_H_INCLUDED_ */
