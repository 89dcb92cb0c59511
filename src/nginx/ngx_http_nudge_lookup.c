
/*
 * What workers look up: the catalogue the sender published, mapped read-only.
 * Directory and file are read on a thread; the new mapping replaces the
 * old one in the event loop, where nothing holds pointers into it.
 */


#include "ngx_http_nudge.h"

#include <dirent.h>


#define NGX_HTTP_NUDGE_LOOKUP_INTERVAL  1000
#define NGX_HTTP_NUDGE_LOOKUP_MAX       (1024 * 1024 * 1024)
#define NGX_HTTP_NUDGE_LOOKUP_DIGITS    10


/* all a thread may touch; malloc()ed, freed with the task */

typedef struct {
    char                dir[NGX_MAX_PATH];
    u_char              shop[64];
    nudge_str_t         id;
    uint64_t            have;           /* generation mapped now */
    u_char             *data;
    size_t              size;
    nudge_catalogue_t   catalogue;
    const char         *error;
    ngx_err_t           err;
} ngx_http_nudge_lookup_t;


static void ngx_http_nudge_lookup_read(ngx_http_nudge_task_t *task);
static uint64_t ngx_http_nudge_lookup_newest(ngx_http_nudge_lookup_t *l);
static void ngx_http_nudge_lookup_map(ngx_http_nudge_lookup_t *l,
    uint64_t generation);
static void ngx_http_nudge_lookup_done(ngx_http_nudge_task_t *task);


void
ngx_http_nudge_lookup_refresh(ngx_http_nudge_shop_t *shop)
{
    u_char                      *p;
    ngx_http_nudge_task_t       *task;
    ngx_http_nudge_lookup_t     *l;
    ngx_http_nudge_main_conf_t  *nmcf;

    if (shop->catalogue_task != NULL
        || (shop->catalogue_checked != 0
            && (ngx_msec_int_t) (ngx_current_msec - shop->catalogue_checked)
               < NGX_HTTP_NUDGE_LOOKUP_INTERVAL))
    {
        return;
    }

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_nudge_module);

    if (nmcf == NULL || nmcf->state.len == 0
        || nmcf->state.len + sizeof("/catalogue") > NGX_MAX_PATH
        || shop->id.len > sizeof(l->shop))
    {
        return;
    }

    /* zero means "never" */

    shop->catalogue_checked = ngx_current_msec | 1;

    task = ngx_http_nudge_task_create(NGX_HTTP_NUDGE_MC_CALL);
    if (task == NULL) {
        return;
    }

    l = calloc(1, sizeof(ngx_http_nudge_lookup_t));
    if (l == NULL) {
        ngx_http_nudge_task_free(task);
        return;
    }

    p = ngx_cpymem(l->dir, nmcf->state.data, nmcf->state.len);
    ngx_memcpy(p, "/catalogue", sizeof("/catalogue"));

    ngx_memcpy(l->shop, shop->id.data, shop->id.len);
    l->id.data = l->shop;
    l->id.len = shop->id.len;
    l->have = shop->catalogue.data ? shop->catalogue.generation : 0;

    task->data = l;
    task->owner = shop;
    task->call = ngx_http_nudge_lookup_read;
    task->done = ngx_http_nudge_lookup_done;

    if (ngx_http_nudge_task_post(task) != NGX_OK) {
        ngx_http_nudge_task_free(task);
        return;
    }

    shop->catalogue_task = task;
}


/* on a thread */

static void
ngx_http_nudge_lookup_read(ngx_http_nudge_task_t *task)
{
    uint64_t                  generation;
    ngx_http_nudge_lookup_t  *l;

    l = task->data;
    task->rc = NGX_DECLINED;

    generation = ngx_http_nudge_lookup_newest(l);

    if (generation == 0 || generation == l->have) {
        return;
    }

    ngx_http_nudge_lookup_map(l, generation);

    task->rc = l->data ? NGX_OK : NGX_ERROR;
}


/* "<shop>.<10 digits>"; temporary files have other names */

static uint64_t
ngx_http_nudge_lookup_newest(ngx_http_nudge_lookup_t *l)
{
    DIR            *dir;
    size_t          i, len;
    uint64_t        n, newest;
    struct dirent  *de;

    dir = opendir(l->dir);
    if (dir == NULL) {
        return 0;
    }

    newest = 0;

    while ((de = readdir(dir)) != NULL) {
        len = l->id.len;

        if (strlen(de->d_name) != len + 1 + NGX_HTTP_NUDGE_LOOKUP_DIGITS
            || memcmp(de->d_name, l->id.data, len) != 0
            || de->d_name[len] != '.')
        {
            continue;
        }

        n = 0;

        for (i = len + 1; de->d_name[i] >= '0' && de->d_name[i] <= '9'; i++) {
            n = n * 10 + (de->d_name[i] - '0');
        }

        if (de->d_name[i] == '\0' && n > newest) {
            newest = n;
        }
    }

    (void) closedir(dir);

    return newest;
}


static void
ngx_http_nudge_lookup_map(ngx_http_nudge_lookup_t *l, uint64_t generation)
{
    int          fd;
    char         path[NGX_MAX_PATH + 80];
    void        *data;
    struct stat  st;

    (void) snprintf(path, sizeof(path), "%s/%.*s.%010llu", l->dir,
                    (int) l->id.len, l->id.data,
                    (unsigned long long) generation);

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);

    if (fd == -1) {
        l->err = errno;

        /* gone already: a newer one will be there in a second */

        if (l->err != ENOENT) {
            l->error = "could not be opened";
        }

        return;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) || st.st_size <= 0
        || st.st_size > NGX_HTTP_NUDGE_LOOKUP_MAX)
    {
        l->error = "is not a catalogue";
        (void) close(fd);
        return;
    }

    data = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);

    if (data == MAP_FAILED) {
        l->err = errno;
        l->error = "could not be mapped";
        (void) close(fd);
        return;
    }

    (void) close(fd);

    if (nudge_catalogue_open(&l->catalogue, data, st.st_size, &l->id,
                             &l->error)
        != NUDGE_OK)
    {
        (void) munmap(data, st.st_size);
        return;
    }

    l->data = data;
    l->size = st.st_size;
}


static void
ngx_http_nudge_lookup_done(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_shop_t    *shop;
    ngx_http_nudge_lookup_t  *l;

    shop = task->owner;
    l = task->data;

    shop->catalogue_task = NULL;

    if (l->error != NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, l->err,
                      "nudge: newest catalogue of \"%*s\" %s",
                      shop->id.len, shop->id.data, l->error);

        /* it will not get better by itself: ask less often */

        shop->catalogue_checked = (ngx_current_msec + 30000) | 1;
    }

    if (l->data == NULL) {
        ngx_http_nudge_task_free(task);
        return;
    }

    if (shop->catalogue.data != NULL) {
        (void) munmap((void *) shop->catalogue.data, shop->catalogue.size);
    }

    shop->catalogue = l->catalogue;

    ngx_http_nudge_task_free(task);
}


void
ngx_http_nudge_lookup_exit(ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_uint_t               i;
    ngx_http_nudge_shop_t  **shop;

    shop = nmcf->shops.elts;

    for (i = 0; i < nmcf->shops.nelts; i++) {
        shop[i]->catalogue_task = NULL;

        if (shop[i]->catalogue.data != NULL) {
            (void) munmap((void *) shop[i]->catalogue.data,
                          shop[i]->catalogue.size);
            shop[i]->catalogue.data = NULL;
        }
    }
}
