
/*
 * The tokenizer's inside, shared by its files and nobody else: nudge_html.c
 * (markup), nudge_html_data.c (the way through a page's plain parts),
 * nudge_html_raw.c (text that holds no markup, JSON-LD), nudge_html_tag.c
 * (what a tag means where it stands) and nudge_html_name.c (which one it is).
 */


#ifndef _NUDGE_HTML_MACHINE_H_INCLUDED_
#define _NUDGE_HTML_MACHINE_H_INCLUDED_


#include "nudge_html.h"


/* the standard's tokenizer states, those with equal effect joined */

typedef enum {
    NUDGE_HTML_DATA = 0,
    NUDGE_HTML_TAG_OPEN,
    NUDGE_HTML_END_TAG_OPEN,
    NUDGE_HTML_TAG_NAME,
    NUDGE_HTML_BEFORE_ATTR,
    NUDGE_HTML_ATTR_NAME,
    NUDGE_HTML_AFTER_ATTR,
    NUDGE_HTML_BEFORE_VALUE,
    NUDGE_HTML_VALUE_DOUBLE,
    NUDGE_HTML_VALUE_SINGLE,
    NUDGE_HTML_VALUE_BARE,
    NUDGE_HTML_AFTER_VALUE,
    NUDGE_HTML_SELF_CLOSING,
    NUDGE_HTML_DECLARATION,         /* "<!" and what may become a keyword */
    NUDGE_HTML_BOGUS,               /* ends at ">": bogus comment, doctype */
    NUDGE_HTML_DOCTYPE,
    NUDGE_HTML_COMMENT_START,
    NUDGE_HTML_COMMENT_START_DASH,
    NUDGE_HTML_COMMENT,
    NUDGE_HTML_COMMENT_DASH,
    NUDGE_HTML_COMMENT_END,
    NUDGE_HTML_COMMENT_BANG,
    NUDGE_HTML_CDATA,
    NUDGE_HTML_CDATA_BRACKET,
    NUDGE_HTML_CDATA_END,

    NUDGE_HTML_RAW,                 /* the first state of nudge_html_raw.c */
    NUDGE_HTML_RAW_LT,
    NUDGE_HTML_RAW_END_NAME,
    NUDGE_HTML_SCRIPT_BANG,
    NUDGE_HTML_SCRIPT_BANG_DASH,
    NUDGE_HTML_SCRIPT_ESCAPED,
    NUDGE_HTML_SCRIPT_ESCAPED_LT,
    NUDGE_HTML_SCRIPT_DOUBLE,       /* a word that may change "escaped" */
    NUDGE_HTML_PLAINTEXT
} nudge_html_state_t;


typedef enum {
    NUDGE_HTML_T_OTHER = 0,
    NUDGE_HTML_T_HTML,
    NUDGE_HTML_T_BODY,
    NUDGE_HTML_T_LINK,
    NUDGE_HTML_T_META,
    NUDGE_HTML_T_FONT,
    NUDGE_HTML_T_TEMPLATE,
    NUDGE_HTML_T_SVG,
    NUDGE_HTML_T_MATH,

    NUDGE_HTML_T_SCRIPT,            /* text up to their end tag */
    NUDGE_HTML_T_STYLE,
    NUDGE_HTML_T_XMP,
    NUDGE_HTML_T_IFRAME,
    NUDGE_HTML_T_NOEMBED,
    NUDGE_HTML_T_NOFRAMES,
    NUDGE_HTML_T_NOSCRIPT,
    NUDGE_HTML_T_TITLE,
    NUDGE_HTML_T_TEXTAREA,
    NUDGE_HTML_T_PLAINTEXT,

    NUDGE_HTML_T_FOREIGN_OBJECT,    /* HTML within svg or math */
    NUDGE_HTML_T_DESC,
    NUDGE_HTML_T_MI,
    NUDGE_HTML_T_MO,
    NUDGE_HTML_T_MN,
    NUDGE_HTML_T_MS,
    NUDGE_HTML_T_MTEXT,
    NUDGE_HTML_T_ANNOTATION_XML,

    NUDGE_HTML_T_BREAKOUT           /* ends svg and math where it begins */
} nudge_html_tag_t;


typedef enum {
    NUDGE_HTML_A_NONE = 0,
    NUDGE_HTML_A_CLASS,
    NUDGE_HTML_A_TYPE,
    NUDGE_HTML_A_REL,
    NUDGE_HTML_A_HREF,
    NUDGE_HTML_A_HTTP_EQUIV,
    NUDGE_HTML_A_ENCODING,
    NUDGE_HTML_A_FONT               /* color, face or size */
} nudge_html_attr_t;


/* "\t\n\f\r " of the standard */
#define nudge_html_space(c)                                                   \
    ((c) == ' ' || (c) == '\n' || (c) == '\t' || (c) == '\r' || (c) == '\f')

#define nudge_html_alpha(c)  (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')

/* m.base is chosen at each feed so that this is the offset of its byte p */
#define nudge_html_offset(h, p)  ((h)->m.base + (uint64_t) (uintptr_t) (p))


/* what a name (lower case) means to HTML; where foreign, to svg and math */
nudge_html_tag_t nudge_html_tag(const u_char *name, size_t len,
    nudge_uint_t foreign);
nudge_html_attr_t nudge_html_attr(const u_char *name, size_t len);
/* bits of the lengths that names with this first letter have; where foreign,
 * also of those that svg and math know: most tags need no further look */
uint16_t nudge_html_lengths(u_char letter, nudge_uint_t foreign);
/* the current element is of svg or math, not of HTML */
nudge_uint_t nudge_html_foreign(const nudge_html_t *h);
/* a "</body" here would be markup and end the body */
nudge_uint_t nudge_html_markable(const nudge_html_t *h);

/* the name of a tag is complete: an end tag takes effect, for a start tag the
 * attributes wanted get their slots */
void nudge_html_tag_begin(nudge_html_t *h);
/* an attribute's name is complete: chooses its slot */
void nudge_html_tag_attr(nudge_html_t *h);
/* appends to the value of the attribute m.slot stands for, if any */
void nudge_html_value_put(nudge_html_t *h, const u_char *p, size_t n);
/* ">": a start tag takes effect and m.state is what follows it.  Whoever wants
 * to see start tags looks here.  next: offset behind the tag */
void nudge_html_tag_end(nudge_html_t *h, uint64_t next);

/* runs the state NUDGE_HTML_DATA; returns where another one begins */
const u_char *nudge_html_data(nudge_html_t *h, const u_char *p,
    const u_char *end);
/* the same for the states from NUDGE_HTML_RAW on */
const u_char *nudge_html_raw(nudge_html_t *h, const u_char *p,
    const u_char *end);


#endif /* _NUDGE_HTML_MACHINE_H_INCLUDED_ */
