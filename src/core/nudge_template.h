
/*
 * Mustache (the specification's variables, sections, inverted sections,
 * comments, partials; no lambdas, no delimiter change) over a tree of
 * nudge_value_t.  One engine serves mails and on-site pieces; how {{name}} is
 * escaped is the caller's choice, {{{name}}} is never escaped (but in text and
 * header lines it loses the same characters, and in ASCII it stays ASCII).
 *
 * False are: a missing member, null, false, 0, an empty string, list or object.
 */


#ifndef _NUDGE_TEMPLATE_H_INCLUDED_
#define _NUDGE_TEMPLATE_H_INCLUDED_


#include "nudge_json.h"


typedef struct nudge_template_s  nudge_template_t;

typedef enum {
    NUDGE_ESCAPE_NONE = 0,          /* text part: controls other than \n
                                       dropped, bidi overrides removed */
    NUDGE_ESCAPE_HTML,              /* UTF-8 kept; for mails */
    NUDGE_ESCAPE_ASCII,             /* as nudge_html_escape(); template text
                                       through nudge_html_ascii() */
    NUDGE_ESCAPE_HEADER             /* one line: CR, LF, NUL, controls and
                                       bidi overrides removed */
} nudge_escape_t;

/* resolves {{> name}}; NULL or an empty result: nothing is put in */
typedef nudge_template_t *(*nudge_partial_pt)(void *data,
    const nudge_str_t *name);

/* NULL on a syntax error: *line and *error say where and what; memory is the
 * pool's */
nudge_template_t *nudge_template_compile(nudge_pool_t *pool,
    const nudge_str_t *text, nudge_uint_t *line, const char **error);
/* the partials a template names, in order: NUDGE_OK, or NUDGE_DECLINED from
 * the first i that is too large */
nudge_int_t nudge_template_partial(const nudge_template_t *t, nudge_uint_t i,
    nudge_str_t *name, nudge_uint_t *line);
/* NUDGE_ERROR: b is full, nested deeper than 16, or more than 100,000 parts */
nudge_int_t nudge_template_render(const nudge_template_t *t, nudge_buf_t *b,
    const nudge_value_t *data, nudge_escape_t escape,
    nudge_partial_pt partial, void *partial_data);

/* building the tree a template sees; NULL without memory */
nudge_value_t *nudge_value_object(nudge_pool_t *pool);
nudge_value_t *nudge_value_array(nudge_pool_t *pool);
/* each appends to parent (name NULL for arrays) and returns the new value;
 * parent NULL is accepted and gives NULL, so one check at the end does */
nudge_value_t *nudge_value_add(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, nudge_value_t *child);
nudge_value_t *nudge_value_add_str(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, const nudge_str_t *s);
nudge_value_t *nudge_value_add_int(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, int64_t n);
nudge_value_t *nudge_value_add_bool(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, nudge_uint_t on);
/* "45.00 EUR"-like text: symbol for EUR USD GBP PLN, else the code */
nudge_value_t *nudge_value_add_money(nudge_pool_t *pool,
    nudge_value_t *parent, const char *name, nudge_money_t m,
    const nudge_str_t *currency);


#endif /* _NUDGE_TEMPLATE_H_INCLUDED_ */
