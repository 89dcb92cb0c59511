
/*
 * Reads the configuration document (see the process contract in README.md,
 * "Sender") into plain C.  Everything is copied: nothing refers to the
 * document afterwards, and the keys' text is wiped.
 */


#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "file.h"


static char *
config_string(config_t *conf, const nudge_value_t *doc, const char *name,
    const char *otherwise)
{
    nudge_str_t  s, copy;

    s = nudge_value_str(nudge_value_get(doc, name));

    if (s.len == 0 && otherwise) {
        s = nudge_cstr(otherwise);
    }

    if (s.len && memchr(s.data, '\0', s.len)) {
        return NULL;
    }

    if (nudge_pstrdup(conf->pool, &copy, &s) != NUDGE_OK) {
        return NULL;
    }

    return (char *) copy.data;
}


static nudge_int_t
config_keys(config_t *conf, const nudge_value_t *doc)
{
    u_char         text[130];
    nudge_buf_t    b;
    nudge_int_t    rc;
    nudge_str_t    current, previous, lines;
    nudge_uint_t   line;
    nudge_value_t  *keys;

    keys = nudge_value_get(doc, "keys");
    current = nudge_value_str(nudge_value_get(keys, "current"));
    previous = nudge_value_str(nudge_value_get(keys, "previous"));

    nudge_buf_init(&b, text, sizeof(text));
    nudge_buf_str(&b, &current);

    if (previous.len) {
        nudge_buf_char(&b, '\n');
        nudge_buf_str(&b, &previous);
    }

    lines = nudge_buf_result(&b);
    rc = b.full ? NUDGE_ERROR : nudge_keys_parse(&conf->keys, &lines, &line);

    explicit_bzero(text, sizeof(text));

    return rc;
}


static nudge_int_t
config_memcached(config_t *conf, const nudge_value_t *doc)
{
    nudge_str_t     s;
    nudge_value_t  *list, *v;

    list = nudge_value_get(doc, "memcached");

    if (list == NULL || list->count == 0) {
        return NUDGE_OK;
    }

    conf->memcached = nudge_palloc(conf->pool, list->count * sizeof(char *));

    if (conf->memcached == NULL) {
        return NUDGE_ERROR;
    }

    for (v = list->child; v; v = v->next) {
        s = nudge_value_str(v);

        if (s.len == 0 || nudge_pstrdup(conf->pool, &s, &s) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        conf->memcached[conf->nmemcached++] = (char *) s.data;
    }

    return NUDGE_OK;
}


static nudge_int_t
config_shops(config_t *conf, const nudge_value_t *doc, nudge_error_t *error)
{
    nudge_value_t   *list, *v;
    nudge_bundle_t  *b;

    list = nudge_value_get(doc, "shops");

    if (list == NULL || list->count == 0) {
        return NUDGE_OK;
    }

    conf->shops = nudge_pcalloc(conf->pool,
                                list->count * sizeof(nudge_bundle_t *));
    if (conf->shops == NULL) {
        return NUDGE_ERROR;
    }

    for (v = list->child; v; v = v->next) {
        b = nudge_bundle_decode(v, error);

        if (b == NULL) {
            return NUDGE_ERROR;
        }

        conf->shops[conf->nshops++] = b;
    }

    return NUDGE_OK;
}


static nudge_int_t
config_fill(config_t *conf, const nudge_value_t *doc, nudge_error_t *error)
{
    const char  *wrong;

    conf->state = config_string(conf, doc, "state", CONFIG_STATE);
    conf->store = config_string(conf, doc, "store", "");
    conf->log = config_string(conf, doc, "log", "");
    conf->share = config_string(conf, doc, "share", NUDGE_SHARE);

    wrong = NULL;

    if (nudge_value_int(nudge_value_get(doc, "v"), 0) != 1) {
        wrong = "v";

    } else if (conf->state == NULL || conf->state[0] != '/') {
        wrong = "state";

    } else if (conf->store == NULL || conf->store[0] == '\0') {
        wrong = "store";

    } else if (conf->log == NULL || conf->share == NULL) {
        wrong = "log";

    } else if (config_keys(conf, doc) != NUDGE_OK) {
        wrong = "keys";

    } else if (config_memcached(conf, doc) != NUDGE_OK) {
        wrong = "memcached";
    }

    if (wrong) {
        snprintf((char *) error->text, sizeof(error->text),
                 "configuration document: bad \"%s\"", wrong);
        return NUDGE_ERROR;
    }

    return config_shops(conf, doc, error);
}


static config_t *
config_create(void)
{
    config_t      *conf;
    nudge_pool_t  *pool;

    pool = nudge_pool_create(1024 * 1024);

    if (pool == NULL) {
        return NULL;
    }

    conf = nudge_pcalloc(pool, sizeof(config_t));

    if (conf == NULL) {
        nudge_pool_destroy(pool);
        return NULL;
    }

    conf->pool = pool;

    return conf;
}


config_t *
config_read(int fd, nudge_error_t *error)
{
    config_t       *conf;
    const char     *why;
    nudge_int_t     rc;
    nudge_str_t     text;
    nudge_json_t   *js;
    nudge_pool_t   *pool;
    nudge_value_t  *doc;

    snprintf((char *) error->text, sizeof(error->text),
             "configuration document cannot be read");

    if (file_slurp(fd, CONFIG_MAX, &text) != NUDGE_OK) {
        return NULL;
    }

    rc = NUDGE_ERROR;
    conf = config_create();
    js = nudge_json_create(4 * (size_t) CONFIG_MAX);
    pool = nudge_pool_create(4 * (size_t) CONFIG_MAX);

    if (conf && js && pool) {
        doc = nudge_json_decode(js, pool, &text, &why);

        if (doc == NULL) {
            snprintf((char *) error->text, sizeof(error->text),
                     "configuration document is not JSON: %s", why);

        } else {
            rc = config_fill(conf, doc, error);
        }
    }

    explicit_bzero(text.data, text.len);
    free(text.data);

    if (pool) {
        nudge_pool_destroy(pool);
    }

    if (js) {
        nudge_json_destroy(js);
    }

    if (rc != NUDGE_OK && conf) {
        config_destroy(conf);
        conf = NULL;
    }

    return conf;
}


config_t *
config_load(const char *campaign, const char *share, nudge_error_t *error)
{
    config_t        *conf;
    nudge_bundle_t  *b;

    conf = config_create();

    if (conf == NULL) {
        snprintf((char *) error->text, sizeof(error->text), "no memory");
        return NULL;
    }

    conf->shops = nudge_pcalloc(conf->pool, sizeof(nudge_bundle_t *));
    b = conf->shops ? nudge_bundle_load(campaign, share, "/nudge/", file_read,
                                        NULL, error)
                    : NULL;

    if (b == NULL) {
        config_destroy(conf);
        return NULL;
    }

    conf->shops[0] = b;
    conf->nshops = 1;

    return conf;
}


void
config_destroy(config_t *conf)
{
    nudge_uint_t  i;

    for (i = 0; i < conf->nshops; i++) {
        nudge_bundle_destroy(conf->shops[i]);
    }

    explicit_bzero(&conf->keys, sizeof(nudge_keys_t));
    nudge_pool_destroy(conf->pool);
}


nudge_bundle_t *
config_shop(const config_t *conf, const nudge_str_t *shop)
{
    nudge_uint_t  i;

    for (i = 0; i < conf->nshops; i++) {
        if (nudge_str_eq(&conf->shops[i]->campaign->shop.id, shop)) {
            return conf->shops[i];
        }
    }

    return NULL;
}


nudge_int_t
config_flow(const nudge_bundle_t *b, const nudge_str_t *name)
{
    nudge_uint_t  i;

    for (i = 0; i < b->campaign->nflows; i++) {
        if (nudge_str_eq(&b->campaign->flows[i].name, name)) {
            return i;
        }
    }

    return -1;
}
