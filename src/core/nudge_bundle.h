
/*
 * A bundle is everything one shop's marketer wrote: the campaign file, what
 * it uses, the templates and on-site assets it needs, read once and compiled
 * once.  The nginx master loads it (so "nginx -t" finds every mistake), the
 * workers inherit it, and the sender receives the very same bytes on its
 * standard input; "nudge check" loads it the same way.
 *
 * Files are looked for beside the campaign file first, then in the installed
 * share directory:
 *
 *   flows/NAME.lua                               use "flows/NAME"
 *   templates/LOCALE/mail/NAME.{subject,txt,html}  a flow's step, "confirm"
 *   templates/LOCALE/onsite/NAME.html            an offer
 *   templates/LOCALE/page/NAME.html              confirm, unsubscribe, done ...
 *   onsite/nudge.css, onsite/nudge.js            the assets
 *
 * LOCALE falls back from "pl-PL" to "pl" to "en".
 */


#ifndef _NUDGE_BUNDLE_H_INCLUDED_
#define _NUDGE_BUNDLE_H_INCLUDED_


#include "nudge_campaign.h"
#include "nudge_template.h"


/* reads a whole file into malloc()ed memory; NUDGE_OK, NUDGE_DECLINED (there
 * is none), NUDGE_ERROR (there is one and it cannot be read) */
typedef nudge_int_t (*nudge_read_pt)(void *data, const char *path,
    nudge_str_t *text);

typedef struct {
    nudge_str_t         name;       /* "mail/cart-reminder.txt", "nudge.css" */
    nudge_str_t         text;
    nudge_template_t   *template;   /* NULL for assets and Lua */
} nudge_file_t;

typedef struct {
    nudge_str_t         path;       /* of the campaign file, for messages */
    nudge_str_t         prefix;     /* nudge_path, "/nudge/" */
    nudge_str_t         text;       /* the campaign file's bytes */
    nudge_campaign_t   *campaign;
    nudge_file_t       *files;
    nudge_uint_t        nfiles;
    nudge_pool_t       *pool;
} nudge_bundle_t;

/* NULL and *error "FILE:LINE: ..." on any mistake, missing template included */
nudge_bundle_t *nudge_bundle_load(const char *campaign, const char *share,
    const char *prefix, nudge_read_pt read, void *data, nudge_error_t *error);
void nudge_bundle_destroy(nudge_bundle_t *b);

nudge_file_t *nudge_bundle_file(const nudge_bundle_t *b, const char *name);
/* renders file "name" with the bundle's own partials resolved */
nudge_int_t nudge_bundle_render(const nudge_bundle_t *b, const char *name,
    nudge_buf_t *out, const nudge_value_t *data, nudge_escape_t escape);

/* one JSON object, and back; for the sender's configuration document */
void nudge_bundle_encode(nudge_buf_t *out, const nudge_bundle_t *b);
nudge_bundle_t *nudge_bundle_decode(const nudge_value_t *v,
    nudge_error_t *error);


#endif /* _NUDGE_BUNDLE_H_INCLUDED_ */
