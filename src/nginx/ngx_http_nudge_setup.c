
/*
 * What a configuration needs besides its directives: the presets and campaign
 * files it names, the shared zone, the directories of the state and the keys.
 * Files are read and compiled while the configuration is, so "nginx -t" finds
 * their mistakes; the only thing made at start alone is the key file.
 */


#include "ngx_http_nudge.h"

#include <sys/random.h>


#ifndef NUDGE_SHARE
#define NUDGE_SHARE    "/usr/share/nudge"
#endif

#ifndef NUDGE_PROGRAM
#define NUDGE_PROGRAM  "/usr/bin/nudge"
#endif

#define NGX_HTTP_NUDGE_STATE     "/var/lib/nudge"
#define NGX_HTTP_NUDGE_CAMPAIGN  "/etc/nudge/nudge.lua"
#define NGX_HTTP_NUDGE_FILE_MAX  (1024 * 1024)


typedef struct {
    ngx_str_t         path;
    nudge_preset_t   *preset;
} ngx_http_nudge_preset_t;


static nudge_int_t ngx_http_nudge_read(void *data, const char *path,
    nudge_str_t *text);
static void ngx_http_nudge_preset_cleanup(void *data);
static void ngx_http_nudge_bundle_cleanup(void *data);
static ngx_int_t ngx_http_nudge_defaults(ngx_conf_t *cf,
    ngx_http_nudge_main_conf_t *nmcf);
static ngx_int_t ngx_http_nudge_shop(ngx_conf_t *cf,
    ngx_http_nudge_main_conf_t *nmcf, ngx_http_nudge_srv_conf_t *nscf);
static ngx_int_t ngx_http_nudge_keys_read(ngx_log_t *log,
    ngx_http_nudge_main_conf_t *nmcf);
static ngx_int_t ngx_http_nudge_keys_create(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf);


nudge_preset_t *
ngx_http_nudge_preset_load(ngx_conf_t *cf, ngx_str_t *name)
{
    size_t                       len;
    ngx_str_t                    path;
    nudge_str_t                  text;
    ngx_uint_t                   i;
    nudge_int_t                  rc;
    nudge_error_t                error;
    nudge_preset_t              *preset;
    ngx_pool_cleanup_t          *cln;
    ngx_http_nudge_preset_t     *p;
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_nudge_module);

    if (nmcf->share.len == 0) {
        ngx_str_set(&nmcf->share, NUDGE_SHARE);
    }

    if (ngx_strlchr(name->data, name->data + name->len, '/') != NULL
        || ngx_strlchr(name->data, name->data + name->len, '.') != NULL)
    {
        path = *name;

        if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            return NULL;
        }

    } else {
        len = nmcf->share.len + sizeof("/presets/.lua") + name->len;

        path.data = ngx_pnalloc(cf->pool, len);
        if (path.data == NULL) {
            return NULL;
        }

        path.len = ngx_sprintf(path.data, "%V/presets/%V.lua%Z",
                               &nmcf->share, name)
                   - path.data - 1;
    }

    if (nmcf->presets == NULL) {
        nmcf->presets = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_nudge_preset_t));
        if (nmcf->presets == NULL) {
            return NULL;
        }
    }

    p = nmcf->presets->elts;
    for (i = 0; i < nmcf->presets->nelts; i++) {
        if (p[i].path.len == path.len
            && ngx_strncmp(p[i].path.data, path.data, path.len) == 0)
        {
            return p[i].preset;
        }
    }

    rc = ngx_http_nudge_read(NULL, (char *) path.data, &text);

    if (rc != NUDGE_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "nudge_preset \"%V\": cannot read \"%V\"",
                           name, &path);
        return NULL;
    }

    preset = nudge_preset_compile(&text, (char *) path.data, &error);
    free(text.data);

    if (preset == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error.text);
        return NULL;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    p = ngx_array_push(nmcf->presets);

    if (cln == NULL || p == NULL) {
        nudge_preset_destroy(preset);
        return NULL;
    }

    cln->handler = ngx_http_nudge_preset_cleanup;
    cln->data = preset;

    p->path = path;
    p->preset = preset;

    return preset;
}


static void
ngx_http_nudge_preset_cleanup(void *data)
{
    nudge_preset_destroy(data);
}


static void
ngx_http_nudge_bundle_cleanup(void *data)
{
    nudge_bundle_destroy(data);
}


static nudge_int_t
ngx_http_nudge_read(void *data, const char *path, nudge_str_t *text)
{
    ssize_t     n;
    size_t      size;
    ngx_fd_t    fd;
    nudge_int_t rc;
    struct stat sb;

    fd = open(path, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return (errno == ENOENT || errno == ENOTDIR) ? NUDGE_DECLINED
                                                     : NUDGE_ERROR;
    }

    rc = NUDGE_ERROR;
    text->data = NULL;

    if (fstat(fd, &sb) == -1 || !S_ISREG(sb.st_mode)
        || sb.st_size > NGX_HTTP_NUDGE_FILE_MAX)
    {
        goto done;
    }

    size = (size_t) sb.st_size;

    text->data = malloc(size + 1);
    if (text->data == NULL) {
        goto done;
    }

    for (text->len = 0; text->len < size; text->len += n) {
        n = read(fd, text->data + text->len, size - text->len);
        if (n <= 0) {
            break;
        }
    }

    text->data[text->len] = '\0';

    if (text->len == size) {
        rc = NUDGE_OK;

    } else {
        free(text->data);
        text->data = NULL;
    }

done:

    (void) close(fd);

    return rc;
}


static ngx_int_t
ngx_http_nudge_defaults(ngx_conf_t *cf, ngx_http_nudge_main_conf_t *nmcf)
{
    u_char     *p;
    ngx_str_t  *server;

    if (nmcf->state.len == 0) {
        ngx_str_set(&nmcf->state, NGX_HTTP_NUDGE_STATE);
    }

    if (nmcf->memcached == NULL) {
        nmcf->memcached = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
        if (nmcf->memcached == NULL) {
            return NGX_ERROR;
        }

        server = ngx_array_push(nmcf->memcached);
        if (server == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(server, "127.0.0.1:11211");
    }

    if (nmcf->zone_size == NGX_CONF_UNSET_SIZE) {
        nmcf->zone_size = 16 * 1024 * 1024;
    }

    if (nmcf->zone_size < 1024 * 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "nudge_zone is too small, expected at least 1m");
        return NGX_ERROR;
    }

    if (nmcf->sender_on == NGX_CONF_UNSET) {
        nmcf->sender_on = 1;
        ngx_str_set(&nmcf->sender, NUDGE_PROGRAM);
    }

    if (nmcf->sender_on && access((char *) nmcf->sender.data, X_OK) == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "nudge_sender \"%V\" cannot be executed",
                           &nmcf->sender);
        return NGX_ERROR;
    }

    if (nmcf->store.len == 0) {
        p = ngx_pnalloc(cf->pool, nmcf->state.len + sizeof("sqlite:/store.db"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        nmcf->store.data = p;
        nmcf->store.len = ngx_sprintf(p, "sqlite:%V/store.db%Z", &nmcf->state)
                          - p - 1;
    }

    if (ngx_strncmp(nmcf->store.data, "sqlite:/", 8) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid nudge_store \"%V\", expected "
                           "\"sqlite:/PATH\"", &nmcf->store);
        return NGX_ERROR;
    }

    if (nmcf->key_file.len == 0) {
        p = ngx_pnalloc(cf->pool, nmcf->state.len + sizeof("/keys"));
        if (p == NULL) {
            return NGX_ERROR;
        }

        nmcf->key_file.data = p;
        nmcf->key_file.len = ngx_sprintf(p, "%V/keys%Z", &nmcf->state) - p - 1;

    } else if (ngx_conf_full_name(cf->cycle, &nmcf->key_file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * One shop for each pair of campaign file and path; a server without a
 * campaign is a shop of its own kind: events are noted, nothing is shown.
 */

static ngx_int_t
ngx_http_nudge_shop(ngx_conf_t *cf, ngx_http_nudge_main_conf_t *nmcf,
    ngx_http_nudge_srv_conf_t *nscf)
{
    uint32_t                 crc;
    ngx_uint_t               i;
    nudge_error_t            error;
    ngx_pool_cleanup_t      *cln;
    ngx_http_nudge_shop_t   *shop, **shops;

    if (nscf->campaign.len == 0
        && access(NGX_HTTP_NUDGE_CAMPAIGN, F_OK) == 0)
    {
        ngx_str_set(&nscf->campaign, NGX_HTTP_NUDGE_CAMPAIGN);
    }

    if (ngx_strcmp(nscf->campaign.data, "off") == 0) {
        ngx_str_set(&nscf->campaign, "");
    }

    if (nscf->campaign.len
        && ngx_conf_full_name(cf->cycle, &nscf->campaign, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    shops = nmcf->shops.elts;
    for (i = 0; i < nmcf->shops.nelts; i++) {
        if (shops[i]->campaign.len == nscf->campaign.len
            && ngx_strncmp(shops[i]->campaign.data, nscf->campaign.data,
                           nscf->campaign.len) == 0
            && shops[i]->path.len == nscf->path.len
            && ngx_strncmp(shops[i]->path.data, nscf->path.data,
                           nscf->path.len) == 0)
        {
            nscf->shop = shops[i];
            return NGX_OK;
        }
    }

    shop = ngx_pcalloc(cf->pool, sizeof(ngx_http_nudge_shop_t));
    shops = ngx_array_push(&nmcf->shops);
    if (shop == NULL || shops == NULL) {
        return NGX_ERROR;
    }

    *shops = shop;
    nscf->shop = shop;

    shop->campaign = nscf->campaign;
    shop->path = nscf->path;
    nudge_str_set(&shop->id, "default");

    if (shop->campaign.len == 0) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    shop->bundle = nudge_bundle_load((char *) shop->campaign.data,
                                     (char *) nmcf->share.data,
                                     (char *) shop->path.data,
                                     ngx_http_nudge_read, NULL, &error);
    if (shop->bundle == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error.text);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_nudge_bundle_cleanup;
    cln->data = shop->bundle;

    shop->id = shop->bundle->campaign->shop.id;

    for (i = 0; i < nmcf->shops.nelts - 1; i++) {
        shops = nmcf->shops.elts;

        if (nudge_str_eq(&shops[i]->id, &shop->id)
            && shops[i]->bundle != NULL)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" and \"%V\" have the same shop.id",
                               &shops[i]->campaign, &shop->campaign);
            return NGX_ERROR;
        }
    }

    for (i = 0; i < shop->bundle->campaign->noffers; i++) {
        shop->on |= shop->bundle->campaign->offers[i].on;
    }

    /* assets are cached for a year under a name that changes with them */

    ngx_crc32_init(crc);

    for (i = 0; i < shop->bundle->nfiles; i++) {
        ngx_crc32_update(&crc, shop->bundle->files[i].text.data,
                         shop->bundle->files[i].text.len);
    }

    ngx_crc32_final(crc);

    shop->assets.data = ngx_pnalloc(cf->pool, 9);
    if (shop->assets.data == NULL) {
        return NGX_ERROR;
    }

    shop->assets.len = ngx_sprintf(shop->assets.data, "%08xD%Z", crc)
                       - shop->assets.data - 1;

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_conf_finish(ngx_conf_t *cf, ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_str_t                    name;
    ngx_uint_t                   s;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_nudge_srv_conf_t   *nscf;

    if (ngx_http_nudge_defaults(cf, nmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* here a broken key file is a mistake like any other: a reload fails and
     * what runs goes on */

    if (ngx_http_nudge_keys_read(cf->log, nmcf) == NGX_ERROR) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    nmcf->timeout = NGX_MAX_INT32_VALUE;

    for (s = 0; s < cmcf->servers.nelts; s++) {
        nscf = cscfp[s]->ctx->srv_conf[ngx_http_nudge_module.ctx_index];

        if (!nscf->on) {
            continue;
        }

        nmcf->timeout = ngx_min(nmcf->timeout, nscf->timeout);

        if (ngx_http_nudge_shop(cf, nmcf, nscf) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&name, "nudge");

    nmcf->zone = ngx_shared_memory_add(cf, &name, nmcf->zone_size,
                                       &ngx_http_nudge_module);
    if (nmcf->zone == NULL) {
        return NGX_ERROR;
    }

    nmcf->zone->init = ngx_http_nudge_zone_init;
    nmcf->zone->data = nmcf;

    return ngx_http_nudge_sender_register(cf, nmcf);
}


/* NGX_DECLINED: there is no such file */

static ngx_int_t
ngx_http_nudge_keys_read(ngx_log_t *log, ngx_http_nudge_main_conf_t *nmcf)
{
    nudge_int_t   rc;
    nudge_str_t   text;
    nudge_uint_t  line;

    rc = ngx_http_nudge_read(NULL, (char *) nmcf->key_file.data, &text);

    if (rc == NUDGE_DECLINED) {
        return NGX_DECLINED;
    }

    if (rc != NUDGE_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "nudge_key \"%V\" cannot be read", &nmcf->key_file);
        return NGX_ERROR;
    }

    rc = nudge_keys_parse(&nmcf->keys, &text, &line);

    ngx_explicit_memzero(text.data, text.len);
    free(text.data);

    if (rc != NUDGE_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "%V:%ui: expected one or two lines of 64 hexadecimal "
                      "digits", &nmcf->key_file, line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_keys_init(ngx_cycle_t *cycle, ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_int_t  rc;

    static nudge_keys_t  last;
    static ngx_uint_t    valid;

    rc = ngx_http_nudge_keys_read(cycle->log, nmcf);

    if (rc == NGX_DECLINED
        && ngx_http_nudge_keys_create(cycle, nmcf) == NGX_OK)
    {
        rc = ngx_http_nudge_keys_read(cycle->log, nmcf);
    }

    if (rc == NGX_OK) {
        last = nmcf->keys;
        valid = 1;

        return NGX_OK;
    }

    if (ngx_is_init_cycle(cycle->old_cycle)) {
        return NGX_ERROR;
    }

    /* on a reload an error in here ends the master, and the store with it: see
     * ngx_init_modules() in ngx_init_cycle() */

    if (!valid) {
        if (getrandom(&last.current, sizeof(last.current), 0)
            != sizeof(last.current))
        {
            return NGX_ERROR;
        }

        valid = 1;
    }

    nmcf->keys = last;

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "nudge goes on with keys that are in no file");

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_keys_create(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf)
{
    u_char            random[32], text[65];
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_core_conf_t  *ccf;

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    ngx_hex_dump(text, random, sizeof(random));
    text[64] = '\n';

    fd = open((char *) nmcf->key_file.data,
              O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {

        if (errno == EEXIST) {
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "nudge_key \"%V\" cannot be created", &nmcf->key_file);
        return NGX_ERROR;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    rc = NGX_OK;

    if (write(fd, text, sizeof(text)) != sizeof(text) || fsync(fd) == -1
        || (geteuid() == 0 && fchown(fd, ccf->user, (gid_t) -1) == -1))
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "nudge_key \"%V\" cannot be written", &nmcf->key_file);
        (void) unlink((char *) nmcf->key_file.data);
        rc = NGX_ERROR;
    }

    (void) close(fd);

    return rc;
}
