
/*
 * The journal: the only way from a worker to the sender.  Records are
 * appended to a segment shared by all workers (O_APPEND, one write a flush,
 * which local filesystems keep whole), views buffered for up to a second, a
 * trigger flushed before its request goes on.  A worker holds a shared lock on
 * the segment it writes, so the sender deletes none that may still grow.
 *
 * Promise: nothing here waits for a disk; what could not be written is
 * counted, logged once a minute and confessed to the sender as a gap.
 */


#include "ngx_http_nudge.h"
#include "nudge_journal_frame.h"

#include <sys/file.h>
#include <sys/statvfs.h>


#define NGX_HTTP_NUDGE_JOURNAL_BUFFER   32768
#define NGX_HTTP_NUDGE_JOURNAL_SEGMENT  (64 * 1024 * 1024)
#define NGX_HTTP_NUDGE_JOURNAL_AGE      600         /* seconds */
#define NGX_HTTP_NUDGE_JOURNAL_LINE     (NUDGE_FRAME_MAX + NUDGE_FRAME_OVERHEAD)


typedef struct {
    ngx_http_nudge_main_conf_t  *conf;
    ngx_fd_t                     fd;
    ngx_atomic_uint_t            generation;
    off_t                        size;          /* as last seen */
    time_t                       opened;
    time_t                       checked;       /* space, see quota() */
    ngx_uint_t                   pressure;      /* 0, 1: no views, 2: vital */
    time_t                       failed;        /* skip the rest of a second */
    time_t                       logged;
    int64_t                      gap_from;      /* ms, 0: nothing was lost */
    ngx_event_t                  timer;
    size_t                       len;
    u_char                       buffer[NGX_HTTP_NUDGE_JOURNAL_BUFFER];
} ngx_http_nudge_journal_t;


typedef struct {
    void                       (*done)(void *data, ngx_int_t rc);
    void                        *data;
    ngx_fd_t                     fd;
} ngx_http_nudge_durable_t;


static void ngx_http_nudge_journal_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_nudge_journal_open(void);
static ngx_fd_t ngx_http_nudge_journal_segment(ngx_atomic_uint_t generation,
    int flags);
static ngx_atomic_uint_t ngx_http_nudge_journal_newest(void);
static void ngx_http_nudge_journal_close(void);
static ngx_int_t ngx_http_nudge_journal_write(u_char *data, size_t len);
static ngx_int_t ngx_http_nudge_journal_flush(void);
static void ngx_http_nudge_journal_quota(void);
static void ngx_http_nudge_journal_lost(const char *what, ngx_err_t err);
static void ngx_http_nudge_journal_gap(ngx_http_nudge_shop_t *shop);
static ngx_int_t ngx_http_nudge_journal_put(ngx_http_nudge_shop_t *shop,
    nudge_event_t *ev);


static ngx_http_nudge_journal_t  *ngx_http_nudge_journal;


ngx_int_t
ngx_http_nudge_journal_init(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_http_nudge_journal_t  *j;

    static ngx_connection_t  dumb;

    j = ngx_calloc(sizeof(ngx_http_nudge_journal_t), cycle->log);
    if (j == NULL) {
        return NGX_ERROR;
    }

    j->conf = nmcf;
    j->fd = NGX_INVALID_FILE;

    dumb.fd = (ngx_socket_t) -1;

    j->timer.handler = ngx_http_nudge_journal_timer;
    j->timer.data = &dumb;
    j->timer.log = cycle->log;
    j->timer.cancelable = 1;

    ngx_http_nudge_journal = j;

    ngx_add_timer(&j->timer, 1000);

    return NGX_OK;
}


void
ngx_http_nudge_journal_exit(void)
{
    if (ngx_http_nudge_journal == NULL) {
        return;
    }

    (void) ngx_http_nudge_journal_flush();

    if (ngx_http_nudge_journal->timer.timer_set) {
        ngx_del_timer(&ngx_http_nudge_journal->timer);
    }

    ngx_http_nudge_journal_close();

    ngx_free(ngx_http_nudge_journal);
    ngx_http_nudge_journal = NULL;
}


/*
 * Once a second: views go out, the segment's size is looked at (other workers
 * write to it, too), and one that is no longer the newest is let go of, so
 * that the sender can delete it.  A worker shutting down keeps running this as
 * long as its requests keep it alive.
 */

static void
ngx_http_nudge_journal_timer(ngx_event_t *ev)
{
    struct stat                sb;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    (void) ngx_http_nudge_journal_flush();

    if (j->fd != NGX_INVALID_FILE && fstat(j->fd, &sb) == 0) {
        j->size = sb.st_size;
    }

    if (j->fd != NGX_INVALID_FILE
        && (j->generation
            != *ngx_http_nudge_zone_generation(j->conf->zone)
            || ngx_exiting))
    {
        ngx_http_nudge_journal_close();
    }

    ngx_add_timer(ev, 1000);
}


static ngx_fd_t
ngx_http_nudge_journal_segment(ngx_atomic_uint_t generation, int flags)
{
    ngx_fd_t   fd;
    u_char     path[NGX_MAX_PATH];

    if (ngx_snprintf(path, sizeof(path), "%V/journal/journal.%010uA%Z",
                     &ngx_http_nudge_journal->conf->state, generation)
        == path + sizeof(path))
    {
        ngx_set_errno(ENAMETOOLONG);
        return NGX_INVALID_FILE;
    }

    fd = open((char *) path, O_WRONLY|O_APPEND|O_CLOEXEC|flags, 0600);

    return fd;
}


/* at the first write after a start: one more than anything that lies there */

static ngx_atomic_uint_t
ngx_http_nudge_journal_newest(void)
{
    u_char              path[NGX_MAX_PATH];
    ngx_dir_t           dir;
    ngx_int_t           n;
    ngx_str_t           name;
    ngx_atomic_uint_t   newest;

    name.data = path;
    name.len = ngx_snprintf(path, sizeof(path) - 1, "%V/journal%Z",
                            &ngx_http_nudge_journal->conf->state)
               - path - 1;

    newest = 0;

    if (ngx_open_dir(&name, &dir) == NGX_ERROR) {
        return 0;
    }

    while (ngx_read_dir(&dir) == NGX_OK) {

        if (ngx_de_namelen(&dir) != sizeof("journal.0000000000") - 1
            || ngx_strncmp(ngx_de_name(&dir), "journal.", 8) != 0)
        {
            continue;
        }

        n = ngx_atoi(ngx_de_name(&dir) + 8, 10);

        if (n != NGX_ERROR && (ngx_atomic_uint_t) n > newest) {
            newest = n;
        }
    }

    (void) ngx_close_dir(&dir);

    return newest;
}


static void
ngx_http_nudge_journal_close(void)
{
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    if (j->fd != NGX_INVALID_FILE) {
        (void) close(j->fd);            /* the lock goes with it */
        j->fd = NGX_INVALID_FILE;
    }
}


/*
 * Opens the newest segment.  Whoever finds it full or old raises the zone's
 * generation and creates the next one O_EXCL; the others find it there.  After
 * locking the link count tells whether the sender has deleted it meanwhile.
 */

static ngx_int_t
ngx_http_nudge_journal_open(void)
{
    ngx_uint_t                 i;
    struct stat                sb;
    ngx_atomic_t              *newest;
    ngx_atomic_uint_t          generation;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;
    newest = ngx_http_nudge_zone_generation(j->conf->zone);

    if (*newest == 0) {
        generation = ngx_http_nudge_journal_newest() + 1;
        (void) ngx_atomic_cmp_set(newest, 0, generation);
    }

    if (j->fd != NGX_INVALID_FILE && j->generation == *newest) {

        if (j->size < NGX_HTTP_NUDGE_JOURNAL_SEGMENT
            && (ngx_time() - j->opened < NGX_HTTP_NUDGE_JOURNAL_AGE
                || j->size == 0))
        {
            return NGX_OK;
        }

        (void) ngx_atomic_cmp_set(newest, j->generation, j->generation + 1);
    }

    ngx_http_nudge_journal_close();

    for (i = 0; i < 8; i++) {
        generation = *newest;

        j->fd = ngx_http_nudge_journal_segment(generation, O_CREAT|O_EXCL);

        if (j->fd == NGX_INVALID_FILE && ngx_errno == EEXIST) {
            j->fd = ngx_http_nudge_journal_segment(generation, 0);

            if (j->fd == NGX_INVALID_FILE && ngx_errno == ENOENT) {
                continue;
            }
        }

        if (j->fd == NGX_INVALID_FILE) {
            return NGX_ERROR;
        }

        if (flock(j->fd, LOCK_SH|LOCK_NB) == 0 && fstat(j->fd, &sb) == 0
            && sb.st_nlink > 0)
        {
            j->generation = generation;
            j->size = sb.st_size;
            j->opened = ngx_time();

            return NGX_OK;
        }

        /* the sender is deleting it: the next one is ours */

        (void) ngx_atomic_cmp_set(newest, generation, generation + 1);
        ngx_http_nudge_journal_close();
    }

    ngx_set_errno(EBUSY);
    return NGX_ERROR;
}


static void
ngx_http_nudge_journal_lost(const char *what, ngx_err_t err)
{
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    ngx_http_nudge_count(NGX_HTTP_NUDGE_JOURNAL_ERRORS);

    j->failed = ngx_time();

    if (j->gap_from == 0) {
        j->gap_from = ngx_http_nudge_now();
    }

    if (ngx_time() - j->logged >= 60) {
        j->logged = ngx_time();
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, err,
                      "nudge journal: %s failed in \"%V/journal\", events are "
                      "being lost", what, &j->conf->state);
    }
}


static ngx_int_t
ngx_http_nudge_journal_write(u_char *data, size_t len)
{
    ssize_t                    n;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    /* a disk that just failed is left alone for the rest of the second, as the
     * access log leaves a full one */

    if (j->failed == ngx_time()) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_JOURNAL_ERRORS);
        return NGX_ERROR;
    }

    if (ngx_http_nudge_journal_open() != NGX_OK) {
        ngx_http_nudge_journal_lost("open()", ngx_errno);
        return NGX_ERROR;
    }

    n = write(j->fd, data, len);

    if (n == (ssize_t) len) {
        j->size += n;
        return NGX_OK;
    }

    /* a torn record is closed by the newline of the next one; what was torn
     * is lost, not written twice */

    ngx_http_nudge_journal_lost("write()", n == -1 ? ngx_errno : ENOSPC);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_nudge_journal_flush(void)
{
    size_t                     len;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    if (j->len == 0) {
        return NGX_OK;
    }

    len = j->len;
    j->len = 0;

    return ngx_http_nudge_journal_write(j->buffer, len);
}


/*
 * Views are dropped at half of max=, everything but orders, consent and
 * unsubscribes at nine tenths, and everything but those below five percent of
 * free disk (D5).  Looked at every five seconds: it costs a directory listing.
 */

static void
ngx_http_nudge_journal_quota(void)
{
    off_t                      used;
    u_char                     path[NGX_MAX_PATH];
    ngx_dir_t                  dir;
    ngx_str_t                  name;
    struct stat                sb;
    struct statvfs             vfs;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    if (ngx_time() - j->checked < 5) {
        return;
    }

    j->checked = ngx_time();
    j->pressure = 0;

    if (statvfs((char *) j->conf->state.data, &vfs) == 0
        && vfs.f_blocks != 0
        && (uint64_t) vfs.f_bavail * 20 < (uint64_t) vfs.f_blocks)
    {
        j->pressure = 2;
        return;
    }

    if (j->conf->state_max == 0) {
        return;
    }

    name.data = path;
    name.len = ngx_snprintf(path, sizeof(path) - 1, "%V/journal%Z",
                            &j->conf->state)
               - path - 1;

    if (ngx_open_dir(&name, &dir) == NGX_ERROR) {
        return;
    }

    used = 0;

    while (ngx_read_dir(&dir) == NGX_OK) {
        if (fstatat(dirfd(dir.dir), (char *) ngx_de_name(&dir), &sb, 0) == 0
            && S_ISREG(sb.st_mode))
        {
            used += sb.st_size;
        }
    }

    (void) ngx_close_dir(&dir);

    if (used >= j->conf->state_max / 10 * 9) {
        j->pressure = 2;

    } else if (used >= j->conf->state_max / 2) {
        j->pressure = 1;
    }
}


/* after something was lost, the first record that can be written says so */

static void
ngx_http_nudge_journal_gap(ngx_http_nudge_shop_t *shop)
{
    int64_t                    from;
    nudge_event_t              ev;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    if (j->gap_from == 0 || j->failed == ngx_time()) {
        return;
    }

    from = j->gap_from;
    j->gap_from = 0;

    ngx_memzero(&ev, sizeof(nudge_event_t));
    ev.type = NUDGE_EVENT_GAP;
    ev.value = NUDGE_MONEY_NONE;
    ev.from = from;
    ev.to = ngx_http_nudge_now();

    if (ngx_http_nudge_journal_put(shop, &ev) != NGX_OK) {
        j->gap_from = from;
    }
}


static ngx_int_t
ngx_http_nudge_journal_put(ngx_http_nudge_shop_t *shop, nudge_event_t *ev)
{
    nudge_buf_t                b, f;
    nudge_str_t                json;
    ngx_http_nudge_journal_t  *j;

    static u_char  text[NUDGE_FRAME_MAX];
    static u_char  frame[NGX_HTTP_NUDGE_JOURNAL_LINE];

    j = ngx_http_nudge_journal;

    ev->shop = shop->id;
    ev->time = ngx_http_nudge_now();
    ngx_http_nudge_zone_id(j->conf->zone, &ev->nonce, &ev->seq);

    nudge_buf_init(&b, text, sizeof(text));
    nudge_event_encode(&b, ev);
    json = nudge_buf_result(&b);

    nudge_buf_init(&f, frame, sizeof(frame));
    nudge_frame_encode(&f, &json);

    if (b.full || f.full) {
        ngx_http_nudge_journal_lost("an event beyond 64k", 0);
        return NGX_ERROR;
    }

    json = nudge_buf_result(&f);

    if (j->len + json.len > sizeof(j->buffer)
        && ngx_http_nudge_journal_flush() != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (json.len > sizeof(j->buffer)) {
        return ngx_http_nudge_journal_write(json.data, json.len);
    }

    ngx_memcpy(j->buffer + j->len, json.data, json.len);
    j->len += json.len;

    if (nudge_event_is_trigger(ev->type) || ev->type == NUDGE_EVENT_GAP) {
        return ngx_http_nudge_journal_flush();
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_journal_append(ngx_http_nudge_shop_t *shop, nudge_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_uint_t                 trigger;
    ngx_http_nudge_journal_t  *j;

    j = ngx_http_nudge_journal;

    if (j == NULL) {
        return NGX_ERROR;
    }

    trigger = nudge_event_is_trigger(ev->type);

    ngx_http_nudge_journal_quota();

    if ((j->pressure == 1 && !trigger)
        || (j->pressure == 2 && !nudge_event_is_vital(ev->type)))
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_EVENTS_DROPPED);

        if (trigger && j->gap_from == 0) {
            j->gap_from = ngx_http_nudge_now();
        }

        /* the id still orders the session's changes */

        ev->shop = shop->id;
        ev->time = ngx_http_nudge_now();
        ngx_http_nudge_zone_id(j->conf->zone, &ev->nonce, &ev->seq);

        return NGX_DECLINED;
    }

    ngx_http_nudge_journal_gap(shop);

    rc = ngx_http_nudge_journal_put(shop, ev);

    ngx_http_nudge_count(rc == NGX_OK ? NGX_HTTP_NUDGE_EVENTS
                                      : NGX_HTTP_NUDGE_EVENTS_DROPPED);
    return rc;
}


static void
ngx_http_nudge_journal_sync(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_durable_t *d = task->data;

    task->rc = (fdatasync(d->fd) == 0) ? NGX_OK : NGX_ERROR;

    (void) close(d->fd);
    d->fd = NGX_INVALID_FILE;
}


static void
ngx_http_nudge_journal_synced(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_durable_t *d = task->data;

    d->done(d->data, task->rc);
}


ngx_int_t
ngx_http_nudge_journal_durable(ngx_http_nudge_shop_t *shop, nudge_event_t *ev,
    void (*done)(void *data, ngx_int_t rc), void *data, void **handle)
{
    ngx_http_nudge_task_t     *task;
    ngx_http_nudge_durable_t  *d;

    if (ngx_http_nudge_journal_append(shop, ev) != NGX_OK
        || ngx_http_nudge_journal_flush() != NGX_OK)
    {
        return NGX_ERROR;
    }

    task = ngx_http_nudge_task_create(NGX_HTTP_NUDGE_MC_CALL);
    if (task == NULL) {
        return NGX_ERROR;
    }

    d = malloc(sizeof(ngx_http_nudge_durable_t));

    if (d == NULL) {
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    /* a descriptor of its own: the worker may rotate while the thread syncs,
     * and whatever other descriptor wrote, the file's data is what counts */

    d->done = done;
    d->data = data;
    d->fd = dup(ngx_http_nudge_journal->fd);

    task->data = d;
    task->owner = d;
    task->call = ngx_http_nudge_journal_sync;
    task->done = ngx_http_nudge_journal_synced;

    if (d->fd == NGX_INVALID_FILE) {
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    if (ngx_http_nudge_task_post(task) != NGX_OK) {
        (void) close(d->fd);
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    *handle = task;

    return NGX_OK;
}


void
ngx_http_nudge_journal_status(nudge_buf_t *b)
{
    static const char  *pressure[] = { "none", "views", "all but vital" };

    nudge_buf_cstr(b, "\"journal\":{\"generation\":");

    if (ngx_http_nudge_journal == NULL) {
        nudge_buf_cstr(b, "null}");
        return;
    }

    nudge_buf_int(b, (int64_t) *ngx_http_nudge_zone_generation(
                                   ngx_http_nudge_journal->conf->zone));
    nudge_buf_cstr(b, ",\"dropping\":\"");
    nudge_buf_cstr(b, pressure[ngx_http_nudge_journal->pressure]);
    nudge_buf_cstr(b, "\",\"losing\":");
    nudge_buf_cstr(b, ngx_http_nudge_journal->gap_from ? "true" : "false");
    nudge_buf_cstr(b, "}");
}
