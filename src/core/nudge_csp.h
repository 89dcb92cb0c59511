
/*
 * Content-Security-Policy (CSP level 3), as far as it decides whether a page
 * may carry our script and style sheet from its own origin.  Each policy only
 * narrows: feed all of them, in any order.  Anything not understood counts as
 * forbidden: a piece less is better than an error in the visitor's console.
 */


#ifndef _NUDGE_CSP_H_INCLUDED_
#define _NUDGE_CSP_H_INCLUDED_


#include "nudge_core.h"


typedef struct {
    unsigned        script:1;       /* the script may run, ask and submit */
    unsigned        style:1;        /* the style sheet may load */
    nudge_str_t     script_nonce;   /* to be put on the tag, or empty; points */
    nudge_str_t     style_nonce;    /* into the policy */
} nudge_csp_t;

/* nothing forbidden yet */
void nudge_csp_init(nudge_csp_t *csp);
/* value: one header's, which may hold several policies separated by commas;
 * host: the request's Host, with port if it has one; https: its scheme */
void nudge_csp_apply(nudge_csp_t *csp, const nudge_str_t *value,
    const nudge_str_t *host, nudge_uint_t https);


#endif /* _NUDGE_CSP_H_INCLUDED_ */
