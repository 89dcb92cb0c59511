
/*
 * Everything one shop's marketer wrote, found and checked.  Where the bytes
 * come from is one function: files beside the campaign and in the installed
 * share directory for nginx and the command line, the configuration document
 * for the sender.  Both ways go through the same steps, so the sender refuses
 * exactly what "nginx -t" refuses.
 *
 * Promise: a bundle is whole.  Each offer and each step has its templates, each
 * template compiles and its partials are there, or there is no bundle.
 */
#include "nudge_bundle_priv.h"

#include <stdio.h>


typedef struct {
    const nudge_bundle_t  *bundle;
    nudge_str_t            dir;
    nudge_str_t            ext;
} nudge_partials_t;


static nudge_bundle_t *nudge_bundle_create(nudge_source_t *s,
    const nudge_str_t *path, const nudge_str_t *prefix, nudge_error_t *error);
static nudge_int_t nudge_bundle_build(nudge_source_t *s);
static nudge_int_t nudge_bundle_needs(nudge_source_t *s);
static nudge_int_t nudge_bundle_need(nudge_source_t *s, const char *file,
    nudge_uint_t line, const char *dir, const nudge_str_t *name,
    const char *ext);
static nudge_int_t nudge_bundle_partials(nudge_source_t *s);
static nudge_int_t nudge_bundle_use(void *data, const char *name,
    nudge_str_t *text);
static nudge_template_t *nudge_bundle_partial(void *data,
    const nudge_str_t *name);


static const char *const  nudge_bundle_always[] = {
    "mail/confirm.subject", "mail/confirm.txt", "mail/confirm.html",
    "page/confirm.html", "page/confirmed.html", "page/unsubscribe.html",
    "page/unsubscribed.html", "page/subscribed.html", "page/error.html",
    "nudge.css", "nudge.js", NULL
};


nudge_bundle_t *
nudge_bundle_load(const char *campaign, const char *share,
    const char *prefix, nudge_read_pt read, void *data, nudge_error_t *error)
{
    u_char          *slash;
    nudge_int_t      rc;
    nudge_str_t      path, mount, text;
    nudge_bundle_t  *b;
    nudge_source_t   s;

    memset(&s, 0, sizeof(nudge_source_t));

    path = nudge_cstr(campaign);
    mount = nudge_cstr(prefix ? prefix : "/nudge/");

    s.read = read;
    s.data = data;
    s.share = share;
    s.dir = path;

    slash = memrchr(path.data, '/', path.len);
    s.dir.len = slash ? (size_t) (slash + 1 - path.data) : 0;

    b = nudge_bundle_create(&s, &path, &mount, error);
    if (b == NULL) {
        return NULL;
    }

    rc = nudge_bundle_read(&s, campaign, &text);

    if (rc == NUDGE_OK) {
        b->text = text;
        rc = nudge_bundle_build(&s);

    } else if (rc == NUDGE_DECLINED) {
        (void) nudge_bundle_fail(&s, "%s: found no such file, expected the "
                                 "campaign", campaign);
    }

    if (rc != NUDGE_OK) {
        nudge_bundle_destroy(b);
        return NULL;
    }

    return b;
}


nudge_bundle_t *
nudge_bundle_decode(const nudge_value_t *v, nudge_error_t *error)
{
    nudge_str_t      path, prefix, text;
    nudge_bundle_t  *b;
    nudge_source_t   s;

    memset(&s, 0, sizeof(nudge_source_t));

    s.document = nudge_value_get(v, "files");

    path = nudge_value_str(nudge_value_get(v, "path"));
    prefix = nudge_value_str(nudge_value_get(v, "prefix"));
    text = nudge_value_str(nudge_value_get(v, "text"));

    b = nudge_bundle_create(&s, &path, &prefix, error);
    if (b == NULL) {
        return NULL;
    }

    if (path.len == 0 || prefix.len == 0) {
        (void) nudge_bundle_fail(&s, "found a bundle without path or prefix, "
                                 "expected both");
        goto failed;
    }

    if (nudge_bundle_text(&s, (char *) b->path.data, &text) != NUDGE_OK) {
        goto failed;
    }

    b->text = text;

    if (nudge_bundle_build(&s) != NUDGE_OK) {
        goto failed;
    }

    return b;

failed:

    nudge_bundle_destroy(b);

    return NULL;
}


static nudge_bundle_t *
nudge_bundle_create(nudge_source_t *s, const nudge_str_t *path,
    const nudge_str_t *prefix, nudge_error_t *error)
{
    nudge_pool_t    *pool;
    nudge_bundle_t  *b;

    snprintf((char *) error->text, sizeof(error->text), "no memory");

    pool = nudge_pool_create(NUDGE_BUNDLE_POOL);
    if (pool == NULL) {
        return NULL;
    }

    b = nudge_pcalloc(pool, sizeof(nudge_bundle_t));

    if (b == NULL) {
        nudge_pool_destroy(pool);
        return NULL;
    }

    b->pool = pool;
    b->files = nudge_pcalloc(pool, NUDGE_BUNDLE_FILES * sizeof(nudge_file_t));

    if (b->files == NULL
        || nudge_pstrdup(pool, &b->path, path) != NUDGE_OK
        || nudge_pstrdup(pool, &b->prefix, prefix) != NUDGE_OK)
    {
        nudge_bundle_destroy(b);
        return NULL;
    }

    s->bundle = b;
    s->error = error;

    return b;
}


void
nudge_bundle_destroy(nudge_bundle_t *b)
{
    if (b != NULL) {
        nudge_campaign_destroy(b->campaign);
        nudge_pool_destroy(b->pool);
    }
}


static nudge_int_t
nudge_bundle_build(nudge_source_t *s)
{
    nudge_error_t    file;
    nudge_bundle_t  *b;

    b = s->bundle;

    b->campaign = nudge_campaign_compile(&b->text, (char *) b->path.data,
                                         nudge_bundle_use, s, &file);

    if (b->campaign == NULL) {

        /* the trouble with a used file says more than that it was not used */

        if (!s->failed) {
            *s->error = file;
        }

        return NUDGE_ERROR;
    }

    if (nudge_bundle_needs(s) != NUDGE_OK
        || nudge_bundle_partials(s) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    s->error->text[0] = '\0';

    return NUDGE_OK;
}


static nudge_int_t
nudge_bundle_needs(nudge_source_t *s)
{
    nudge_str_t           none;
    nudge_uint_t          i, n;
    const char *const    *name;
    nudge_campaign_t     *c;
    const nudge_flow_t   *f;
    const nudge_offer_t  *o;

    c = s->bundle->campaign;

    for (i = 0; i < c->noffers; i++) {
        o = &c->offers[i];

        if (nudge_bundle_need(s, o->file, o->line, "onsite/", &o->template,
                              ".html")
            != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    for (i = 0; i < c->nflows; i++) {
        f = &c->flows[i];

        for (n = 0; n < f->nsteps; n++) {
            if (nudge_bundle_need(s, f->file, f->line, "mail/",
                                  &f->steps[n].mail, ".subject") != NUDGE_OK
                || nudge_bundle_need(s, f->file, f->line, "mail/",
                                     &f->steps[n].mail, ".txt") != NUDGE_OK
                || nudge_bundle_need(s, f->file, f->line, "mail/",
                                     &f->steps[n].mail, ".html") != NUDGE_OK)
            {
                return NUDGE_ERROR;
            }
        }
    }

    nudge_str_null(&none);

    for (name = nudge_bundle_always; *name != NULL; name++) {
        if (nudge_bundle_need(s, (char *) s->bundle->path.data, 1, *name,
                              &none, "")
            != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_bundle_need(nudge_source_t *s, const char *file, nudge_uint_t line,
    const char *dir, const nudge_str_t *name, const char *ext)
{
    char           full[NUDGE_BUNDLE_PATH];
    nudge_int_t    rc;
    nudge_uint_t   plain;
    nudge_file_t  *found;

    snprintf(full, sizeof(full), "%s%.*s%s", dir, (int) name->len,
             name->data ? (char *) name->data : "", ext);

    rc = nudge_bundle_find(s, full, &found);

    if (rc == NUDGE_DECLINED) {
        plain = nudge_bundle_plain(full);

        (void) nudge_bundle_fail(s, "%s:%u: found no \"%s\", expected it "
                                 "below \"%.*s%s\" or \"%s/%s\"", file,
                                 (unsigned) line, full, (int) s->dir.len,
                                 s->dir.data ? (char *) s->dir.data : "",
                                 plain ? "onsite" : "templates",
                                 s->share ? s->share : "",
                                 plain ? "onsite" : "templates");
    }

    return rc == NUDGE_OK ? NUDGE_OK : NUDGE_ERROR;
}


/* partials are files as well, and may name others: until no new one comes */

static nudge_int_t
nudge_bundle_partials(nudge_source_t *s)
{
    char           dir[NUDGE_BUNDLE_PATH];
    u_char        *slash, *dot;
    nudge_str_t    name;
    nudge_uint_t   i, n, line;
    nudge_file_t  *file;

    for (i = 0; i < s->bundle->nfiles; i++) {

        file = &s->bundle->files[i];

        if (file->template == NULL) {
            continue;
        }

        slash = memrchr(file->name.data, '/', file->name.len);
        dot = memrchr(file->name.data, '.', file->name.len);

        if (slash == NULL || dot == NULL) {
            continue;
        }

        snprintf(dir, sizeof(dir), "%.*s",
                 (int) (slash + 1 - file->name.data), file->name.data);

        for (n = 0;
             nudge_template_partial(file->template, n, &name, &line)
             == NUDGE_OK;
             n++)
        {
            if (nudge_bundle_need(s, s->path[i], line, dir, &name,
                                  (char *) dot)
                != NUDGE_OK)
            {
                return NUDGE_ERROR;
            }
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_bundle_use(void *data, const char *name, nudge_str_t *text)
{
    char             full[NUDGE_BUNDLE_PATH];
    nudge_int_t      rc;
    nudge_file_t    *file;
    nudge_source_t  *s;

    s = data;

    snprintf(full, sizeof(full), "%s.lua", name);

    rc = nudge_bundle_find(s, full, &file);

    if (rc == NUDGE_OK) {
        *text = file->text;

    } else if (rc == NUDGE_ERROR) {
        s->failed = 1;
    }

    return rc;
}


nudge_file_t *
nudge_bundle_file(const nudge_bundle_t *b, const char *name)
{
    nudge_uint_t  i;

    for (i = 0; i < b->nfiles; i++) {
        if (nudge_str_is(&b->files[i].name, name)) {
            return &b->files[i];
        }
    }

    return NULL;
}


nudge_int_t
nudge_bundle_render(const nudge_bundle_t *b, const char *name,
    nudge_buf_t *out, const nudge_value_t *data, nudge_escape_t escape)
{
    u_char            *slash, *dot;
    nudge_file_t      *file;
    nudge_partials_t   p;

    file = nudge_bundle_file(b, name);

    if (file == NULL || file->template == NULL) {
        return NUDGE_ERROR;
    }

    p.bundle = b;
    p.dir = file->name;
    p.ext = file->name;

    slash = memrchr(file->name.data, '/', file->name.len);
    dot = memrchr(file->name.data, '.', file->name.len);

    if (slash == NULL || dot == NULL) {
        return NUDGE_ERROR;
    }

    p.dir.len = slash + 1 - file->name.data;
    p.ext.len = file->name.data + file->name.len - dot;
    p.ext.data = dot;

    return nudge_template_render(file->template, out, data, escape,
                                 nudge_bundle_partial, &p);
}


/* {{> foot}} in mail/x.html is mail/foot.html */

static nudge_template_t *
nudge_bundle_partial(void *data, const nudge_str_t *name)
{
    char               full[NUDGE_BUNDLE_PATH];
    nudge_file_t      *file;
    nudge_partials_t  *p;

    p = data;

    snprintf(full, sizeof(full), "%.*s%.*s%.*s", (int) p->dir.len,
             p->dir.data, (int) name->len, name->data, (int) p->ext.len,
             p->ext.data);

    file = nudge_bundle_file(p->bundle, full);

    return file ? file->template : NULL;
}


void
nudge_bundle_encode(nudge_buf_t *out, const nudge_bundle_t *b)
{
    nudge_uint_t  i;

    nudge_buf_cstr(out, "{\"path\":");
    nudge_buf_json(out, &b->path);
    nudge_buf_cstr(out, ",\"prefix\":");
    nudge_buf_json(out, &b->prefix);
    nudge_buf_cstr(out, ",\"text\":");
    nudge_buf_json(out, &b->text);
    nudge_buf_cstr(out, ",\"files\":[");

    for (i = 0; i < b->nfiles; i++) {
        if (i > 0) {
            nudge_buf_char(out, ',');
        }

        nudge_buf_cstr(out, "{\"name\":");
        nudge_buf_json(out, &b->files[i].name);
        nudge_buf_cstr(out, ",\"text\":");
        nudge_buf_json(out, &b->files[i].text);
        nudge_buf_char(out, '}');
    }

    nudge_buf_cstr(out, "]}");
}
