
/*
 * Publishing the catalogue.  What is on disk is the only memory of what was
 * published: after a restart the newest file is read once, and when the same
 * products give the same bytes nothing is written.
 *
 * Promise: a generation's name never stands for a half-written file, not even
 * after a power failure, and the two newest generations stay.
 */


#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "publish.h"


#define PUBLISH_KEEP    2
#define PUBLISH_MAX     (512 * 1024 * 1024)
#define PUBLISH_DIGITS  10
#define PUBLISH_PATH    1024


static nudge_int_t publish_known(publish_t *p, const char *dir,
    const nudge_str_t *shop, const char **error);
static nudge_int_t publish_read(publish_t *p, const char *dir,
    const nudge_str_t *shop);
static uint64_t publish_generation(const char *name, const nudge_str_t *shop);
static nudge_int_t publish_write(const char *dir, const nudge_str_t *shop,
    uint64_t generation, const nudge_str_t *bytes, const char **error);
static nudge_int_t publish_bytes(const char *path, const nudge_str_t *bytes);
static nudge_int_t publish_sync(const char *path);
static void publish_clean(const char *dir, const nudge_str_t *shop,
    uint64_t generation);
static nudge_int_t publish_shop(const nudge_str_t *shop);
static nudge_int_t publish_error(const char **error, const char *what,
    const char *path);


static _Thread_local char  publish_message[PUBLISH_PATH + 128];


double
publish_weight(nudge_event_type_t type, int64_t quantity)
{
    double  n;

    n = quantity < 1 ? 1 : quantity > 10 ? 10 : (double) quantity;

    switch (type) {

    case NUDGE_EVENT_PURCHASE:
        return 10 * n;

    case NUDGE_EVENT_ADD_TO_CART:
        return 3 * n;

    case NUDGE_EVENT_VIEW_ITEM:
        return 1;

    default:
        return 0;
    }
}


double
publish_decay(double score, int64_t then, int64_t now)
{
    if (!(score > 0) || isinf(score)) {
        return 0;
    }

    if (now <= then) {
        return score;
    }

    return score * exp2(-(double) (now - then) / (double) PUBLISH_HALF_LIFE);
}


uint32_t
publish_popularity(double score, int64_t scored, int64_t now)
{
    now -= now % (3600 * 1000);

    score = publish_decay(score, scored, now) * 1000;

    return score >= (double) UINT32_MAX ? UINT32_MAX : (uint32_t) score;
}


nudge_int_t
publish_catalogue(publish_t *p, const char *dir, const nudge_str_t *shop,
    const nudge_product_t *products, nudge_uint_t n, int64_t now,
    const char **error)
{
    uint64_t       generation;
    nudge_int_t    rc;
    nudge_str_t    bytes;
    nudge_buf_t    b;
    nudge_pool_t  *pool;

    if (publish_shop(shop) != NUDGE_OK) {
        *error = "shop id is not fit for a file name";
        return NUDGE_ERROR;
    }

    /* a clock that stepped back must not silence us */

    if (p->known && now >= p->time && now - p->time < PUBLISH_INTERVAL) {
        return NUDGE_AGAIN;
    }

    p->time = now;

    if (!p->known && publish_known(p, dir, shop, error) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    pool = nudge_pool_create(2 * (size_t) PUBLISH_MAX);
    if (pool == NULL) {
        *error = "no memory for the catalogue";
        return NUDGE_ERROR;
    }

    /* once as what is there, to see whether anything differs, then as new */

    rc = NUDGE_DECLINED;

    for (generation = p->generation; ; generation++) {

        nudge_pool_reset(pool);

        if (nudge_buf_grow(&b, pool, 65536, PUBLISH_MAX) != NUDGE_OK
            || nudge_catalogue_build(&b, pool, shop, generation, products, n)
               != NUDGE_OK
            || b.full)
        {
            *error = "cannot build the catalogue";
            rc = NUDGE_ERROR;
            break;
        }

        bytes = nudge_buf_result(&b);

        if (generation != p->generation) {
            rc = publish_write(dir, shop, generation, &bytes, error);
            break;
        }

        if (generation && nudge_hash(0, bytes.data, bytes.len) == p->hash) {
            break;
        }
    }

    if (rc == NUDGE_OK) {
        p->generation = generation;
        p->hash = nudge_hash(0, bytes.data, bytes.len);
        publish_clean(dir, shop, generation);
    }

    nudge_pool_destroy(pool);

    return rc;
}


/* what an earlier process left: the directory, the newest generation */

static nudge_int_t
publish_known(publish_t *p, const char *dir, const nudge_str_t *shop,
    const char **error)
{
    DIR            *d;
    char            path[PUBLISH_PATH];
    uint64_t        generation;
    struct dirent  *entry;

    if (snprintf(path, sizeof(path), "%s/catalogue", dir)
        >= (int) sizeof(path))
    {
        *error = "the state directory's name is too long";
        return NUDGE_ERROR;
    }

    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        return publish_error(error, "cannot create", path);
    }

    d = opendir(path);
    if (d == NULL) {
        return publish_error(error, "cannot read", path);
    }

    p->generation = 0;
    p->hash = 0;

    while ((entry = readdir(d)) != NULL) {
        generation = publish_generation(entry->d_name, shop);

        if (generation > p->generation) {
            p->generation = generation;
        }
    }

    closedir(d);

    /* a file that cannot be read only means that we write a new one */

    (void) publish_read(p, dir, shop);

    p->known = 1;

    return NUDGE_OK;
}


static nudge_int_t
publish_read(publish_t *p, const char *dir, const nudge_str_t *shop)
{
    int          fd;
    char         path[PUBLISH_PATH];
    u_char      *buf;
    size_t       size, n;
    ssize_t      rc;
    struct stat  st;

    if (p->generation == 0
        || snprintf(path, sizeof(path), "%s/catalogue/%.*s.%010llu", dir,
                    (int) shop->len, (char *) shop->data,
                    (unsigned long long) p->generation)
           >= (int) sizeof(path))
    {
        return NUDGE_DECLINED;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC|O_NOFOLLOW);
    if (fd == -1) {
        return NUDGE_DECLINED;
    }

    buf = NULL;
    n = 0;

    if (fstat(fd, &st) == -1 || st.st_size <= 0 || st.st_size > PUBLISH_MAX) {
        goto done;
    }

    size = (size_t) st.st_size;

    buf = malloc(size);
    if (buf == NULL) {
        goto done;
    }

    while (n < size) {
        rc = read(fd, buf + n, size - n);

        if (rc == -1 && errno == EINTR) {
            continue;
        }

        if (rc <= 0) {
            break;
        }

        n += (size_t) rc;
    }

    if (n == size) {
        p->hash = nudge_hash(0, buf, size);
    }

done:

    free(buf);
    close(fd);

    return NUDGE_OK;
}


/* "<shop>.<10 digits>" -> the number, everything else 0 */

static uint64_t
publish_generation(const char *name, const nudge_str_t *shop)
{
    size_t       len;
    int64_t      n;
    nudge_str_t  digits;

    len = strlen(name);

    if (len != shop->len + 1 + PUBLISH_DIGITS
        || memcmp(name, shop->data, shop->len) != 0
        || name[shop->len] != '.')
    {
        return 0;
    }

    digits.data = (u_char *) name + shop->len + 1;
    digits.len = PUBLISH_DIGITS;

    n = nudge_str_int(&digits);

    return n > 0 ? (uint64_t) n : 0;
}


static nudge_int_t
publish_write(const char *dir, const nudge_str_t *shop, uint64_t generation,
    const nudge_str_t *bytes, const char **error)
{
    char  temp[PUBLISH_PATH], path[PUBLISH_PATH + 32], parent[PUBLISH_PATH];

    if (snprintf(temp, sizeof(temp), "%s/catalogue/.%.*s.tmp", dir,
                 (int) shop->len, (char *) shop->data)
        >= (int) sizeof(temp))
    {
        *error = "the state directory's name is too long";
        return NUDGE_ERROR;
    }

    snprintf(parent, sizeof(parent), "%s/catalogue", dir);
    snprintf(path, sizeof(path), "%s/%.*s.%010llu", parent, (int) shop->len,
             (char *) shop->data, (unsigned long long) generation);

    if (publish_bytes(temp, bytes) != NUDGE_OK) {
        publish_error(error, "cannot write", temp);
        (void) unlink(temp);
        return NUDGE_ERROR;
    }

    if (rename(temp, path) == -1) {
        publish_error(error, "cannot rename to", path);
        (void) unlink(temp);
        return NUDGE_ERROR;
    }

    if (publish_sync(parent) != NUDGE_OK) {
        return publish_error(error, "cannot sync", parent);
    }

    return NUDGE_OK;
}


static nudge_int_t
publish_bytes(const char *path, const nudge_str_t *bytes)
{
    int      fd, err;
    size_t   n;
    ssize_t  rc;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC|O_NOFOLLOW, 0600);
    if (fd == -1) {
        return NUDGE_ERROR;
    }

    n = 0;

    while (n < bytes->len) {
        rc = write(fd, bytes->data + n, bytes->len - n);

        if (rc == -1 && errno == EINTR) {
            continue;
        }

        if (rc <= 0) {
            goto failed;
        }

        n += (size_t) rc;
    }

    if (fsync(fd) == -1) {
        goto failed;
    }

    return close(fd) == -1 ? NUDGE_ERROR : NUDGE_OK;

failed:

    err = errno;
    close(fd);
    errno = err;

    return NUDGE_ERROR;
}


static nudge_int_t
publish_sync(const char *path)
{
    int  fd, rc, err;

    fd = open(path, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return NUDGE_ERROR;
    }

    rc = fsync(fd);
    err = errno;
    close(fd);
    errno = err;

    return rc == -1 ? NUDGE_ERROR : NUDGE_OK;
}


/* best effort: what stays now goes next time */

static void
publish_clean(const char *dir, const nudge_str_t *shop, uint64_t generation)
{
    DIR            *d;
    char            path[PUBLISH_PATH], name[PUBLISH_PATH + 256];
    uint64_t        n;
    struct dirent  *entry;

    snprintf(path, sizeof(path), "%s/catalogue", dir);

    d = opendir(path);
    if (d == NULL) {
        return;
    }

    while ((entry = readdir(d)) != NULL) {
        n = publish_generation(entry->d_name, shop);

        if (n == 0 || n + PUBLISH_KEEP > generation) {
            continue;
        }

        if (snprintf(name, sizeof(name), "%s/%s", path, entry->d_name)
            < (int) sizeof(name))
        {
            (void) unlink(name);
        }
    }

    closedir(d);
}


static nudge_int_t
publish_shop(const nudge_str_t *shop)
{
    u_char  c;
    size_t  i;

    if (shop->len == 0 || shop->len > 32) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < shop->len; i++) {
        c = shop->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
publish_error(const char **error, const char *what, const char *path)
{
    snprintf(publish_message, sizeof(publish_message), "%s \"%s\": %s", what,
             path, strerror(errno));

    *error = publish_message;

    return NUDGE_ERROR;
}
