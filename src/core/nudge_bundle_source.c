
/*
 * Finding a bundle's files: beside the campaign, then in the installed share
 * directory, templates in the shop's language, then in English; or in the
 * configuration document.  What is found is checked here, once: its size, its
 * encoding, and that a template compiles.
 */
#include "nudge_bundle_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


static nudge_int_t nudge_bundle_look(nudge_source_t *s, const char *name,
    const char *relative, nudge_str_t *text, char *path);
static nudge_int_t nudge_bundle_member(nudge_source_t *s, const char *name,
    nudge_str_t *text);
static nudge_uint_t nudge_bundle_broken(const nudge_str_t *text);
static nudge_file_t *nudge_bundle_add(nudge_source_t *s, const char *name,
    const char *path, const nudge_str_t *text);


nudge_uint_t
nudge_bundle_plain(const char *name)
{
    return strncmp(name, "flows/", 6) == 0 || strchr(name, '/') == NULL;
}


nudge_int_t
nudge_bundle_find(nudge_source_t *s, const char *name, nudge_file_t **file)
{
    char         path[NUDGE_BUNDLE_PATH], relative[NUDGE_BUNDLE_PATH];
    nudge_int_t  rc;
    nudge_str_t  text, locale;

    *file = nudge_bundle_file(s->bundle, name);

    if (*file != NULL) {
        return NUDGE_OK;
    }

    if (nudge_bundle_plain(name)) {
        snprintf(relative, sizeof(relative), "%s%s",
                 strchr(name, '/') ? "" : "onsite/", name);

        rc = nudge_bundle_look(s, name, relative, &text, path);

    } else {

        /* "pl-PL", then "pl", then "en" */

        locale = s->bundle->campaign->shop.locale;

        do {
            snprintf(relative, sizeof(relative), "templates/%.*s/%s",
                     (int) locale.len, locale.data, name);

            rc = nudge_bundle_look(s, name, relative, &text, path);

            while (locale.len > 0 && locale.data[--locale.len] != '-') {
                /* void */
            }

        } while (rc == NUDGE_DECLINED && locale.len > 0);

        if (rc == NUDGE_DECLINED) {
            snprintf(relative, sizeof(relative), "templates/en/%s", name);
            rc = nudge_bundle_look(s, name, relative, &text, path);
        }
    }

    if (rc != NUDGE_OK) {
        return rc;
    }

    *file = nudge_bundle_add(s, name, path, &text);

    return *file ? NUDGE_OK : NUDGE_ERROR;
}


/* beside the campaign, then in the installed directory */

static nudge_int_t
nudge_bundle_look(nudge_source_t *s, const char *name, const char *relative,
    nudge_str_t *text, char *path)
{
    nudge_int_t  rc;

    if (s->read == NULL) {
        snprintf(path, NUDGE_BUNDLE_PATH, "%s", name);
        return nudge_bundle_member(s, name, text);
    }

    rc = NUDGE_DECLINED;

    if (snprintf(path, NUDGE_BUNDLE_PATH, "%.*s%s", (int) s->dir.len,
                 s->dir.data, relative)
        < NUDGE_BUNDLE_PATH)
    {
        rc = nudge_bundle_read(s, path, text);
    }

    if (rc == NUDGE_DECLINED && s->share != NULL
        && snprintf(path, NUDGE_BUNDLE_PATH, "%s/%s", s->share, relative)
           < NUDGE_BUNDLE_PATH)
    {
        rc = nudge_bundle_read(s, path, text);
    }

    return rc;
}


static nudge_int_t
nudge_bundle_member(nudge_source_t *s, const char *name, nudge_str_t *text)
{
    nudge_str_t           member;
    const nudge_value_t  *v;

    v = s->document ? s->document->child : NULL;

    for ( /* void */ ; v != NULL; v = v->next) {

        member = nudge_value_str(nudge_value_get(v, "name"));

        if (nudge_str_is(&member, name)) {
            *text = nudge_value_str(nudge_value_get(v, "text"));
            return nudge_bundle_text(s, name, text);
        }
    }

    return NUDGE_DECLINED;
}


nudge_int_t
nudge_bundle_read(nudge_source_t *s, const char *path, nudge_str_t *text)
{
    nudge_int_t  rc;
    nudge_str_t  file;

    nudge_str_null(&file);

    rc = s->read(s->data, path, &file);

    if (rc == NUDGE_ERROR) {
        return nudge_bundle_fail(s, "%s: found a file that cannot be read, "
                                 "expected a readable one", path);
    }

    if (rc != NUDGE_OK) {
        return rc;
    }

    *text = file;
    rc = nudge_bundle_text(s, path, text);

    free(file.data);

    return rc;
}


nudge_int_t
nudge_bundle_text(nudge_source_t *s, const char *path, nudge_str_t *text)
{
    u_char       *p;
    nudge_str_t   src;

    src = *text;

    /* editors put a byte order mark before UTF-8, browsers and mails show it */

    if (nudge_str_starts(&src, "\xef\xbb\xbf")) {
        src.data += 3;
        src.len -= 3;
    }

    if (src.len > NUDGE_BUNDLE_FILE) {
        return nudge_bundle_fail(s, "%s: found %lu bytes, expected at most "
                                 "%d", path, (unsigned long) src.len,
                                 NUDGE_BUNDLE_FILE);
    }

    /* the sender gets the text as JSON, which has no place for other bytes */

    if (!nudge_utf8_valid(&src)
        || (src.len && memchr(src.data, '\0', src.len) != NULL))
    {
        return nudge_bundle_fail(s, "%s:%u: found bytes that are not UTF-8, "
                                 "expected text in UTF-8", path,
                                 (unsigned) nudge_bundle_broken(&src));
    }

    if (nudge_pstrdup(s->bundle->pool, text, &src) != NUDGE_OK) {
        return nudge_bundle_fail(s, "%s: no memory", path);
    }

    /* templates written on Windows would double the CR in mails */

    for (p = text->data, src = *text; src.len; src.len--, src.data++) {
        if (src.data[0] != '\r' || src.len == 1 || src.data[1] != '\n') {
            *p++ = src.data[0];
        }
    }

    *p = '\0';
    text->len = p - text->data;

    return NUDGE_OK;
}


/* the line of the first byte that is not well-formed UTF-8 */

static nudge_uint_t
nudge_bundle_broken(const nudge_str_t *text)
{
    u_char        *p, *end;
    uint32_t       c;
    nudge_str_t    read;
    nudge_uint_t   line;

    line = 1;
    end = text->data + text->len;

    for (p = text->data; p < end; /* void */ ) {

        read.data = p;
        c = nudge_utf8_decode(&p, end);
        read.len = p - read.data;

        if (c == 0 || !nudge_utf8_valid(&read)) {
            break;
        }

        line += (c == '\n');
    }

    return line;
}


static nudge_file_t *
nudge_bundle_add(nudge_source_t *s, const char *name, const char *path,
    const nudge_str_t *text)
{
    nudge_str_t      where, title;
    const char      *error;
    nudge_uint_t     line;
    nudge_file_t    *file;
    nudge_bundle_t  *b;

    b = s->bundle;

    where = nudge_cstr(path);
    title = nudge_cstr(name);

    if (b->nfiles == NUDGE_BUNDLE_FILES) {
        (void) nudge_bundle_fail(s, "%s: found more than %d files, expected "
                                 "fewer", path, NUDGE_BUNDLE_FILES);
        return NULL;
    }

    file = &b->files[b->nfiles];
    file->text = *text;

    if (nudge_pstrdup(b->pool, &file->name, &title) != NUDGE_OK
        || nudge_pstrdup(b->pool, &where, &where) != NUDGE_OK)
    {
        (void) nudge_bundle_fail(s, "%s: no memory", path);
        return NULL;
    }

    if (!nudge_bundle_plain(name)) {
        file->template = nudge_template_compile(b->pool, text, &line, &error);

        if (file->template == NULL) {
            (void) nudge_bundle_fail(s, "%s:%u: %s", path, (unsigned) line,
                                     error);
            return NULL;
        }
    }

    s->path[b->nfiles++] = (char *) where.data;

    return file;
}


nudge_int_t
nudge_bundle_fail(nudge_source_t *s, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vsnprintf((char *) s->error->text, sizeof(s->error->text), fmt, args);
    va_end(args);

    return NUDGE_ERROR;
}
