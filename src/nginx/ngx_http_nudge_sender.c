
/*
 * Starts the sender and keeps it alive.  The cache-manager process does it:
 * the master starts that one, respawns it and replaces it on reload, it runs
 * as the worker user, and it has neither threads nor listening sockets, so
 * fork() is safe there.  The child is exec()ed at once: it inherits no
 * descriptor but four, no memory and so no TLS key.
 *
 *   0  the configuration as the master compiled it    2  the error log
 *   1  /dev/null                                      3  end of file: we died
 *
 * Promise: the callback returns in well under a millisecond unless it forks;
 * proxy_cache's manager shares the process.
 */


#include "ngx_http_nudge.h"

#include <sys/mman.h>
#include <sys/prctl.h>


#define NGX_HTTP_NUDGE_SENDER_TICK     500          /* ms */
#define NGX_HTTP_NUDGE_SENDER_BACKOFF  30000
#define NGX_HTTP_NUDGE_SENDER_STEADY   10000
#define NGX_HTTP_NUDGE_STATUS_MAX      65536


typedef struct {
    ngx_pid_t        pid;
    ngx_socket_t     fd;            /* our end of the pair */
    dev_t            log_dev;       /* error log the child writes to */
    ino_t            log_ino;
    ngx_msec_t       started;
    ngx_msec_t       next;          /* not before */
    ngx_msec_t       backoff;
} ngx_http_nudge_child_t;


/* the file DIR/status.json as last read, one per worker */

typedef struct {
    u_char          *text;
    size_t           len;
} ngx_http_nudge_report_t;


typedef struct {
    void           (*done)(void *data, ngx_int_t rc);
    void            *data;
    u_char           path[];
} ngx_http_nudge_reading_t;


static ngx_msec_t ngx_http_nudge_sender_manager(void *data);
static ngx_uint_t ngx_http_nudge_sender_alive(ngx_http_nudge_child_t *child);
static void ngx_http_nudge_sender_reopen(ngx_http_nudge_child_t *child);
static ngx_int_t ngx_http_nudge_sender_spawn(
    ngx_http_nudge_main_conf_t *nmcf, ngx_http_nudge_child_t *child);
static ngx_fd_t ngx_http_nudge_sender_document(
    ngx_http_nudge_main_conf_t *nmcf);
static void ngx_http_nudge_sender_exec(ngx_http_nudge_main_conf_t *nmcf,
    ngx_fd_t document, ngx_socket_t pair);


static ngx_http_nudge_child_t   ngx_http_nudge_child = { 0, -1, 0, 0, 0, 0, 0 };
static ngx_http_nudge_report_t  ngx_http_nudge_report;


static ngx_int_t
ngx_http_nudge_sender_path(ngx_conf_t *cf, ngx_http_nudge_main_conf_t *nmcf,
    const char *sub, ngx_path_manager_pt manager)
{
    u_char      *p;
    ngx_path_t  *path;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    p = ngx_pnalloc(cf->pool, nmcf->state.len + ngx_strlen(sub) + 1);

    if (path == NULL || p == NULL) {
        return NGX_ERROR;
    }

    path->name.data = p;
    path->name.len = ngx_sprintf(p, "%V%s%Z", &nmcf->state, sub) - p - 1;
    path->manager = manager;
    path->data = nmcf;
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    return ngx_add_path(cf, &path);
}


ngx_int_t
ngx_http_nudge_sender_register(ngx_conf_t *cf,
    ngx_http_nudge_main_conf_t *nmcf)
{
    if (ngx_http_nudge_sender_path(cf, nmcf, "",
                                   nmcf->sender_on
                                   ? ngx_http_nudge_sender_manager : NULL)
        != NGX_OK
        || ngx_http_nudge_sender_path(cf, nmcf, "/journal", NULL) != NGX_OK
        || ngx_http_nudge_sender_path(cf, nmcf, "/catalogue", NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_msec_t
ngx_http_nudge_sender_manager(void *data)
{
    ngx_http_nudge_main_conf_t *nmcf = data;

    ngx_http_nudge_child_t  *child;

    child = &ngx_http_nudge_child;

    if (child->pid != 0) {

        if (ngx_http_nudge_sender_alive(child)) {
            ngx_http_nudge_sender_reopen(child);
            return NGX_HTTP_NUDGE_SENDER_TICK;
        }

        /* reaped by nginx's own SIGCHLD handler */

        (void) close(child->fd);
        child->fd = -1;
        child->pid = 0;

        if (ngx_current_msec - child->started > NGX_HTTP_NUDGE_SENDER_STEADY
            || child->backoff == 0)
        {
            child->backoff = NGX_HTTP_NUDGE_SENDER_TICK;

        } else {
            child->backoff = ngx_min(child->backoff * 2,
                                     NGX_HTTP_NUDGE_SENDER_BACKOFF);
        }

        child->next = ngx_current_msec + child->backoff;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "nudge sender exited, the next one starts in %M ms",
                      child->backoff);

        return child->backoff;
    }

    if ((ngx_msec_int_t) (child->next - ngx_current_msec) > 0) {
        return child->next - ngx_current_msec;
    }

    if (ngx_quit || ngx_terminate) {
        return NGX_HTTP_NUDGE_SENDER_TICK;
    }

    if (ngx_http_nudge_sender_spawn(nmcf, child) != NGX_OK) {
        child->next = ngx_current_msec + NGX_HTTP_NUDGE_SENDER_BACKOFF;
        return NGX_HTTP_NUDGE_SENDER_BACKOFF;
    }

    return NGX_HTTP_NUDGE_SENDER_TICK;
}


static ngx_uint_t
ngx_http_nudge_sender_alive(ngx_http_nudge_child_t *child)
{
    u_char   c;
    ssize_t  n;

    n = recv(child->fd, &c, 1, MSG_DONTWAIT);

    return n > 0 || (n == -1 && (ngx_errno == NGX_EAGAIN
                                 || ngx_errno == NGX_EINTR));
}


/*
 * USR1 has made nginx reopen the error log when its descriptor shows another
 * file than the child was given: the child is told to open it again, too.
 */

static void
ngx_http_nudge_sender_reopen(ngx_http_nudge_child_t *child)
{
    struct stat  sb;

    if (ngx_cycle->log->file == NULL
        || fstat(ngx_cycle->log->file->fd, &sb) == -1)
    {
        return;
    }

    if (sb.st_dev == child->log_dev && sb.st_ino == child->log_ino) {
        return;
    }

    child->log_dev = sb.st_dev;
    child->log_ino = sb.st_ino;

    (void) kill(child->pid, SIGUSR1);
}


static ngx_int_t
ngx_http_nudge_sender_spawn(ngx_http_nudge_main_conf_t *nmcf,
    ngx_http_nudge_child_t *child)
{
    int          pair[2];
    ngx_fd_t     document;
    ngx_pid_t    pid;
    struct stat  sb;

    document = ngx_http_nudge_sender_document(nmcf);

    if (document == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "nudge sender: its configuration cannot be written");
        return NGX_ERROR;
    }

    if (socketpair(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0, pair) == -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "nudge sender: socketpair() failed");
        (void) close(document);
        return NGX_ERROR;
    }

    pid = fork();

    if (pid == 0) {
        ngx_http_nudge_sender_exec(nmcf, document, pair[1]);
        _exit(127);
    }

    (void) close(document);
    (void) close(pair[1]);

    if (pid == -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "nudge sender: fork() failed");
        (void) close(pair[0]);
        return NGX_ERROR;
    }

    child->pid = pid;
    child->fd = pair[0];
    child->started = ngx_current_msec;

    if (ngx_cycle->log->file != NULL
        && fstat(ngx_cycle->log->file->fd, &sb) == 0)
    {
        child->log_dev = sb.st_dev;
        child->log_ino = sb.st_ino;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "nudge sender \"%V\" started, pid %P", &nmcf->sender, pid);

    return NGX_OK;
}


static void
ngx_http_nudge_sender_encode(ngx_http_nudge_main_conf_t *nmcf, nudge_buf_t *b)
{
    u_char                   hex[64];
    ngx_str_t               *server;
    ngx_uint_t               i, n;
    nudge_str_t              s;
    ngx_http_nudge_shop_t  **shop;

    nudge_buf_cstr(b, "{\"v\":1,\"state\":");
    s = ngx_http_nudge_str(nmcf->state);
    nudge_buf_json(b, &s);

    nudge_buf_cstr(b, ",\"state_max\":");
    nudge_buf_int(b, nmcf->state_max);

    nudge_buf_cstr(b, ",\"store\":");
    s = ngx_http_nudge_str(nmcf->store);
    nudge_buf_json(b, &s);

    nudge_buf_cstr(b, ",\"share\":");
    s = ngx_http_nudge_str(nmcf->share);
    nudge_buf_json(b, &s);

    nudge_buf_cstr(b, ",\"log\":");
    nudge_str_null(&s);
    if (ngx_cycle->log->file != NULL) {
        s = ngx_http_nudge_str(ngx_cycle->log->file->name);
    }
    nudge_buf_json(b, &s);

    nudge_buf_cstr(b, ",\"memcached\":[");
    server = nmcf->memcached->elts;
    for (i = 0; i < nmcf->memcached->nelts; i++) {
        if (i != 0) {
            nudge_buf_char(b, ',');
        }
        s = ngx_http_nudge_str(server[i]);
        nudge_buf_json(b, &s);
    }

    nudge_buf_cstr(b, "],\"keys\":{\"current\":\"");
    ngx_hex_dump(hex, nmcf->keys.current, 32);
    nudge_buf_put(b, hex, 64);
    if (nmcf->keys.has_previous) {
        nudge_buf_cstr(b, "\",\"previous\":\"");
        ngx_hex_dump(hex, nmcf->keys.previous, 32);
        nudge_buf_put(b, hex, 64);
    }

    nudge_buf_cstr(b, "\"},\"shops\":[");
    shop = nmcf->shops.elts;
    for (i = 0, n = 0; i < nmcf->shops.nelts; i++) {
        if (shop[i]->bundle == NULL) {
            continue;
        }
        if (n++ != 0) {
            nudge_buf_char(b, ',');
        }
        nudge_bundle_encode(b, shop[i]->bundle);
    }

    nudge_buf_cstr(b, "]}");
}


/* a memfd: it needs no directory and is gone with its last descriptor */

static ngx_fd_t
ngx_http_nudge_sender_document(ngx_http_nudge_main_conf_t *nmcf)
{
    size_t         done;
    ssize_t        n;
    ngx_fd_t       fd;
    nudge_buf_t    b;
    nudge_str_t    text;
    nudge_pool_t  *pool;

    fd = NGX_INVALID_FILE;

    pool = nudge_pool_create(64 * 1024 * 1024);
    if (pool == NULL) {
        return fd;
    }

    if (nudge_buf_grow(&b, pool, 65536, 16 * 1024 * 1024) != NUDGE_OK) {
        goto done;
    }

    ngx_http_nudge_sender_encode(nmcf, &b);

    if (b.full) {
        ngx_set_errno(ENOMEM);
        goto done;
    }

    fd = memfd_create("nudge", MFD_CLOEXEC);
    if (fd == -1) {
        fd = NGX_INVALID_FILE;
        goto done;
    }

    text = nudge_buf_result(&b);

    for (done = 0; done < text.len; done += n) {
        n = write(fd, text.data + done, text.len - done);
        if (n <= 0) {
            (void) close(fd);
            fd = NGX_INVALID_FILE;
            goto done;
        }
    }

    (void) lseek(fd, 0, SEEK_SET);

done:

    nudge_pool_destroy(pool);

    return fd;
}


/* in the child: async-signal-safe calls only, the parent's heap is a copy */

static void
ngx_http_nudge_sender_exec(ngx_http_nudge_main_conf_t *nmcf,
    ngx_fd_t document, ngx_socket_t pair)
{
    int         log, null;
    u_char      parent[sizeof("NUDGE_PARENT=") + NGX_INT64_LEN];
    sigset_t    set;
    char       *argv[3], *env[4];

    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);

    sigemptyset(&set);
    (void) sigprocmask(SIG_SETMASK, &set, NULL);

    ngx_sprintf(parent, "NUDGE_PARENT=%P%Z", getppid());

    /* above the numbers they are going to have */

    null = open("/dev/null", O_RDWR);
    null = fcntl(null, F_DUPFD, 16);
    document = fcntl(document, F_DUPFD, 16);
    pair = fcntl(pair, F_DUPFD, 16);
    log = fcntl(ngx_cycle->log->file ? ngx_cycle->log->file->fd : 2,
                F_DUPFD, 16);

    if (null == -1 || document == -1 || pair == -1 || log == -1
        || dup2(document, 0) == -1 || dup2(null, 1) == -1
        || dup2(log, 2) == -1 || dup2(pair, 3) == -1)
    {
        return;
    }

    if (close_range(4, ~0U, 0) == -1) {
        return;
    }

    argv[0] = "nudge";
    argv[1] = "sender";
    argv[2] = NULL;

    env[0] = "PATH=/usr/local/bin:/usr/bin:/bin";
    env[1] = (char *) parent;
    env[2] = getenv("TZ") ? getenv("TZ") - 3 : NULL;
    env[3] = NULL;

    (void) execve((char *) nmcf->sender.data, argv, env);
}


static void
ngx_http_nudge_sender_read(ngx_http_nudge_task_t *task)
{
    int                       fd;
    ssize_t                   n;
    ngx_http_nudge_reading_t  *reading;

    reading = task->data;
    task->rc = NGX_DECLINED;

    fd = open((char *) reading->path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return;
    }

    task->value = malloc(NGX_HTTP_NUDGE_STATUS_MAX);

    if (task->value != NULL) {
        n = read(fd, task->value, NGX_HTTP_NUDGE_STATUS_MAX);

        /* renamed into place whole: an object or nothing */

        if (n > 1 && task->value[0] == '{') {
            task->value_len = n;
            task->rc = NGX_OK;
        }
    }

    (void) close(fd);
}


static void
ngx_http_nudge_sender_done(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_reading_t *reading = task->data;

    free(ngx_http_nudge_report.text);

    ngx_http_nudge_report.text = task->value;
    ngx_http_nudge_report.len = task->value_len;

    task->value = NULL;

    reading->done(reading->data, task->rc);
}


ngx_int_t
ngx_http_nudge_sender_refresh(ngx_http_nudge_main_conf_t *nmcf,
    void (*done)(void *data, ngx_int_t rc), void *data, void **handle)
{
    ngx_http_nudge_task_t     *task;
    ngx_http_nudge_reading_t  *reading;

    task = ngx_http_nudge_task_create(NGX_HTTP_NUDGE_MC_CALL);
    if (task == NULL) {
        return NGX_ERROR;
    }

    reading = malloc(sizeof(ngx_http_nudge_reading_t) + nmcf->state.len
                     + sizeof("/status.json"));

    if (reading == NULL) {
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    reading->done = done;
    reading->data = data;
    ngx_sprintf(reading->path, "%V/status.json%Z", &nmcf->state);

    task->data = reading;
    task->owner = reading;
    task->call = ngx_http_nudge_sender_read;
    task->done = ngx_http_nudge_sender_done;

    if (ngx_http_nudge_task_post(task) != NGX_OK) {
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    *handle = task;

    return NGX_OK;
}


void
ngx_http_nudge_sender_status(nudge_buf_t *b)
{
    nudge_buf_cstr(b, "\"sender\":");

    if (ngx_http_nudge_report.text == NULL) {
        nudge_buf_cstr(b, "null");
        return;
    }

    nudge_buf_put(b, ngx_http_nudge_report.text, ngx_http_nudge_report.len);
}


void
ngx_http_nudge_sender_exit(void)
{
    free(ngx_http_nudge_report.text);
    ngx_http_nudge_report.text = NULL;
}
