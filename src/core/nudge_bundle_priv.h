
/*
 * Where a bundle's bytes come from; shared by nudge_bundle.c, which knows what
 * is needed, and nudge_bundle_source.c, which finds it.
 */


#ifndef _NUDGE_BUNDLE_PRIV_H_INCLUDED_
#define _NUDGE_BUNDLE_PRIV_H_INCLUDED_


#include "nudge_bundle.h"


#define NUDGE_BUNDLE_POOL   (16 * 1024 * 1024)
#define NUDGE_BUNDLE_FILE   (256 * 1024)
#define NUDGE_BUNDLE_FILES  512
#define NUDGE_BUNDLE_PATH   1024

typedef struct {
    nudge_bundle_t       *bundle;
    nudge_error_t        *error;
    nudge_uint_t          failed;       /* *error is about a file */

    /* files ... */
    nudge_read_pt         read;
    void                 *data;
    nudge_str_t           dir;          /* of the campaign, with its slash */
    const char           *share;

    /* ... or a document */
    const nudge_value_t  *document;

    /* where each of the bundle's files was found, for messages */
    const char           *path[NUDGE_BUNDLE_FILES];
} nudge_source_t;


/* the file, read and compiled when it is new; NUDGE_DECLINED: there is none,
 * NUDGE_ERROR: *error says what is wrong with it */
nudge_int_t nudge_bundle_find(nudge_source_t *s, const char *name,
    nudge_file_t **file);
nudge_int_t nudge_bundle_read(nudge_source_t *s, const char *path,
    nudge_str_t *text);
/* text becomes a checked copy in the bundle's pool */
nudge_int_t nudge_bundle_text(nudge_source_t *s, const char *path,
    nudge_str_t *text);
/* assets and Lua: no locale, not a template */
nudge_uint_t nudge_bundle_plain(const char *name);
/* notes the message; NUDGE_ERROR */
nudge_int_t nudge_bundle_fail(nudge_source_t *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


#endif /* _NUDGE_BUNDLE_PRIV_H_INCLUDED_ */
