
/*
 * libmemcached off the event loop: two threads of our own take tasks from a
 * bounded queue, a third runs fdatasync and the like, so that an unsubscribe
 * never queues behind a hung memcached.  Completions come back through an
 * eventfd that is registered as a connection.
 *
 * A task is malloc()ed, holds copies of all it needs and knows its owner only
 * on the loop's side: a request that ends meanwhile orphans it.  Nothing here
 * waits: a full queue or an open breaker declines.
 */


#include "ngx_http_nudge_handle.h"

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>


#define NGX_HTTP_NUDGE_MC_THREADS   2
#define NGX_HTTP_NUDGE_MC_QUEUE     256
#define NGX_HTTP_NUDGE_MC_STACK     (512 * 1024)

#define NGX_HTTP_NUDGE_MC_FAILURES  5
#define NGX_HTTP_NUDGE_MC_BACKOFF   1000
#define NGX_HTTP_NUDGE_MC_LONGEST   30000

/* how long a quitting worker waits for a call() */
#define NGX_HTTP_NUDGE_MC_LINGER    30000


/* a server's breaker, of this worker's loop */

typedef struct {
    ngx_uint_t                failures;     /* in a row */
    ngx_uint_t                open;
    ngx_uint_t                probing;
    ngx_msec_t                backoff;
    ngx_msec_t                until;
} ngx_http_nudge_breaker_t;


typedef struct {
    pthread_mutex_t           mutex;
    pthread_cond_t            cond;
    ngx_http_nudge_task_t    *first;
    ngx_http_nudge_task_t   **last;
    ngx_uint_t                n;
    ngx_uint_t                quit;
} ngx_http_nudge_queue_t;


typedef struct {
    ngx_http_nudge_queue_t    calls;
    ngx_http_nudge_queue_t    ops;

    pthread_mutex_t           mutex;        /* of the three below */
    ngx_http_nudge_task_t    *done;
    ngx_http_nudge_task_t   **done_last;
    int                       fd;

    pthread_t                 threads[NGX_HTTP_NUDGE_MC_THREADS + 1];
    ngx_uint_t                nthreads;

    ngx_http_nudge_breaker_t  breakers[NGX_HTTP_NUDGE_SERVERS];

    ngx_connection_t         *connection;
    ngx_event_t               linger;
    ngx_connection_t          nowhere;      /* for the timer's log lines */
    ngx_uint_t                ncalls;       /* posted and not done */
    ngx_uint_t                nops;
    ngx_uint_t                running;
} ngx_http_nudge_memcached_t;


static ngx_int_t ngx_http_nudge_memcached_connection(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_nudge_memcached_threads(ngx_log_t *log);
static void *ngx_http_nudge_memcached_thread(void *data);
static void ngx_http_nudge_memcached_finish(ngx_http_nudge_task_t *task);
static void ngx_http_nudge_memcached_handler(ngx_event_t *ev);
static void ngx_http_nudge_memcached_complete(void);
static void ngx_http_nudge_memcached_linger(ngx_event_t *ev);
static ngx_uint_t ngx_http_nudge_breaker_allows(ngx_http_nudge_breaker_t *s);
static void ngx_http_nudge_breaker_success(ngx_http_nudge_breaker_t *s);
static void ngx_http_nudge_breaker_failure(ngx_http_nudge_breaker_t *s,
    ngx_http_nudge_task_t *task, ngx_uint_t timedout);


static ngx_http_nudge_memcached_t  ngx_http_nudge_mc = { .fd = -1 };


ngx_int_t
ngx_http_nudge_memcached_init(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_uint_t                   i;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    if (m->running) {
        return NGX_OK;
    }

    m->done = NULL;
    m->done_last = &m->done;
    m->calls.last = &m->calls.first;
    m->ops.last = &m->ops.first;

    for (i = 0; i < NGX_HTTP_NUDGE_SERVERS; i++) {
        m->breakers[i].backoff = NGX_HTTP_NUDGE_MC_BACKOFF;
    }

    if (pthread_mutex_init(&m->mutex, NULL) != 0
        || pthread_mutex_init(&m->calls.mutex, NULL) != 0
        || pthread_mutex_init(&m->ops.mutex, NULL) != 0
        || pthread_cond_init(&m->calls.cond, NULL) != 0
        || pthread_cond_init(&m->ops.cond, NULL) != 0)
    {
        return NGX_ERROR;
    }

    if (ngx_http_nudge_handle_init(cycle->log, nmcf) != NGX_OK
        || ngx_http_nudge_memcached_connection(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    m->running = 1;

    m->nowhere.fd = (ngx_socket_t) -1;
    m->linger.data = &m->nowhere;
    m->linger.log = cycle->log;
    m->linger.handler = ngx_http_nudge_memcached_linger;

    return ngx_http_nudge_memcached_threads(cycle->log);
}


/*
 * "channel" tells ngx_worker_process_exit() that this is no client left over.
 * Level-triggered like nginx's own channels, see ngx_add_channel_event().
 */

static ngx_int_t
ngx_http_nudge_memcached_connection(ngx_cycle_t *cycle)
{
    int                          fd;
    ngx_int_t                    rc;
    ngx_connection_t            *c;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "eventfd() failed");
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return NGX_ERROR;
    }

    c->pool = cycle->pool;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->channel = 1;
    c->write->channel = 1;
    c->read->handler = ngx_http_nudge_memcached_handler;

    if (ngx_add_conn && (ngx_event_flags & NGX_USE_EPOLL_EVENT) == 0) {
        rc = ngx_add_conn(c);

    } else {
        rc = ngx_add_event(c->read, NGX_READ_EVENT, 0);
    }

    if (rc == NGX_ERROR) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        (void) close(fd);
        return NGX_ERROR;
    }

    m->connection = c;
    m->fd = fd;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_memcached_threads(ngx_log_t *log)
{
    int                          err;
    sigset_t                     all, old;
    ngx_int_t                    rc;
    ngx_uint_t                   i, n;
    pthread_attr_t               attr;
    ngx_http_nudge_queue_t      *queue;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    if (pthread_attr_init(&attr) != 0) {
        return NGX_ERROR;
    }

    (void) pthread_attr_setstacksize(&attr, NGX_HTTP_NUDGE_MC_STACK);

    /* nginx's handlers are for its own thread */

    sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &old);

    rc = NGX_OK;
    n = ngx_http_nudge_handle_servers() ? NGX_HTTP_NUDGE_MC_THREADS + 1 : 1;

    for (i = 0; i < n; i++) {
        queue = (i == 0) ? &m->calls : &m->ops;

        err = pthread_create(&m->threads[i], &attr,
                             ngx_http_nudge_memcached_thread, queue);
        if (err != 0) {
            ngx_log_error(NGX_LOG_ALERT, log, err, "pthread_create() failed");
            rc = NGX_ERROR;
            break;
        }

        (void) pthread_setname_np(m->threads[i],
                                  i ? "nudge memcached" : "nudge sync");
        m->nthreads++;
    }

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void) pthread_attr_destroy(&attr);

    return rc;
}


static void *
ngx_http_nudge_memcached_thread(void *data)
{
    ngx_http_nudge_queue_t *queue = data;

    ngx_http_nudge_task_t    *task;
    ngx_http_nudge_handle_t  *h;

    h = NULL;

    for ( ;; ) {

        (void) pthread_mutex_lock(&queue->mutex);

        while (queue->first == NULL && !queue->quit) {
            (void) pthread_cond_wait(&queue->cond, &queue->mutex);
        }

        if (queue->quit) {
            (void) pthread_mutex_unlock(&queue->mutex);
            break;
        }

        task = queue->first;
        queue->first = task->next;
        queue->n--;

        if (queue->first == NULL) {
            queue->last = &queue->first;
        }

        (void) pthread_mutex_unlock(&queue->mutex);

        if (task->op == NGX_HTTP_NUDGE_MC_CALL) {
            task->call(task);

        } else {

            if (h == NULL) {
                h = ngx_http_nudge_handle_create();
            }

            ngx_http_nudge_handle_run(h, task);
        }

        ngx_http_nudge_memcached_finish(task);
    }

    ngx_http_nudge_handle_destroy(h);

    return NULL;
}


/* the thread's last word: the loop may free the task at once */

static void
ngx_http_nudge_memcached_finish(ngx_http_nudge_task_t *task)
{
    ssize_t                      n;
    uint64_t                     one;
    ngx_uint_t                   empty;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    one = 1;
    task->next = NULL;

    (void) pthread_mutex_lock(&m->mutex);

    empty = (m->done == NULL);
    *m->done_last = task;
    m->done_last = &task->next;

    /* EAGAIN would mean that the counter is full, that is, readable */

    if (empty && m->fd != -1) {
        do {
            n = write(m->fd, &one, sizeof(one));
        } while (n == -1 && errno == EINTR);
    }

    (void) pthread_mutex_unlock(&m->mutex);
}


static void
ngx_http_nudge_memcached_handler(ngx_event_t *ev)
{
    ngx_http_nudge_memcached_complete();
}


static void
ngx_http_nudge_memcached_complete(void)
{
    ssize_t                      n;
    uint64_t                     count;
    ngx_http_nudge_task_t       *task, *next;
    ngx_http_nudge_breaker_t    *s;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    do {
        n = read(m->fd, &count, sizeof(count));
    } while (n == -1 && ngx_errno == NGX_EINTR);

    (void) pthread_mutex_lock(&m->mutex);

    task = m->done;
    m->done = NULL;
    m->done_last = &m->done;

    (void) pthread_mutex_unlock(&m->mutex);

    for ( /* void */ ; task != NULL; task = next) {
        next = task->next;

        if (task->op == NGX_HTTP_NUDGE_MC_CALL) {
            m->ncalls--;

            if (m->ncalls == 0 && m->linger.timer_set) {
                ngx_del_timer(&m->linger);
            }

        } else {
            m->nops--;
            s = &m->breakers[task->server];

            if (task->rc == NGX_ERROR) {
                ngx_http_nudge_count(task->timedout
                                     ? NGX_HTTP_NUDGE_MC_TIMEOUTS
                                     : NGX_HTTP_NUDGE_MC_ERRORS);
            }

            if (!task->late) {
                if (task->rc == NGX_ERROR) {
                    ngx_http_nudge_breaker_failure(s, task, task->timedout);

                } else {
                    ngx_http_nudge_breaker_success(s);
                }
            }
        }

        if (task->owner != NULL) {
            task->finishing = 1;
            task->done(task);
            task->finishing = 0;
        }

        ngx_http_nudge_task_free(task);
    }
}


/* a worker told to quit leaves when no timer is left: this one holds it back
 * while somebody waits for the answer that his data is on disk */

static void
ngx_http_nudge_memcached_linger(ngx_event_t *ev)
{
    ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                  "nudge: %ui calls are still not done",
                  ngx_http_nudge_mc.ncalls);
}


static ngx_uint_t
ngx_http_nudge_breaker_allows(ngx_http_nudge_breaker_t *s)
{
    if (!s->open) {
        return 1;
    }

    return !s->probing && (ngx_msec_int_t) (ngx_current_msec - s->until) >= 0;
}


static void
ngx_http_nudge_breaker_success(ngx_http_nudge_breaker_t *s)
{
    if (s->open) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "nudge memcached \"%s\" answers again",
                      ngx_http_nudge_handle_name(
                          s - ngx_http_nudge_mc.breakers));
    }

    s->open = 0;
    s->probing = 0;
    s->failures = 0;
    s->backoff = NGX_HTTP_NUDGE_MC_BACKOFF;
}


static void
ngx_http_nudge_breaker_failure(ngx_http_nudge_breaker_t *s,
    ngx_http_nudge_task_t *task, ngx_uint_t timedout)
{
    s->failures++;

    if (s->open) {

        if (!task->probe) {
            return;
        }

        task->probe = 0;
        s->probing = 0;
        s->backoff = ngx_min(s->backoff * 2, NGX_HTTP_NUDGE_MC_LONGEST);
        s->until = ngx_current_msec + s->backoff;

        return;
    }

    if (s->failures < NGX_HTTP_NUDGE_MC_FAILURES) {
        return;
    }

    s->open = 1;
    s->until = ngx_current_msec + s->backoff;

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                  "nudge memcached \"%s\" failed %ui times in a row%s, "
                  "going on without it",
                  ngx_http_nudge_handle_name(task->server), s->failures,
                  timedout ? " (timed out)" : "");
}


ngx_http_nudge_task_t *
ngx_http_nudge_task_create(ngx_http_nudge_op_t op)
{
    ngx_http_nudge_task_t  *task;

    task = calloc(1, sizeof(ngx_http_nudge_task_t));

    if (task != NULL) {
        task->op = op;
        task->rc = NGX_ERROR;
    }

    return task;
}


static ngx_int_t
ngx_http_nudge_task_enqueue(ngx_http_nudge_queue_t *queue,
    ngx_http_nudge_task_t *task)
{
    (void) pthread_mutex_lock(&queue->mutex);

    if (queue->n >= NGX_HTTP_NUDGE_MC_QUEUE) {
        (void) pthread_mutex_unlock(&queue->mutex);
        return NGX_DECLINED;
    }

    task->next = NULL;
    *queue->last = task;
    queue->last = &task->next;
    queue->n++;

    (void) pthread_cond_signal(&queue->cond);
    (void) pthread_mutex_unlock(&queue->mutex);

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_task_post(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_breaker_t    *s;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    if (task->op == NGX_HTTP_NUDGE_MC_CALL) {

        if (m->nthreads == 0
            || ngx_http_nudge_task_enqueue(&m->calls, task) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        m->ncalls++;

        if (!m->linger.timer_set) {
            ngx_add_timer(&m->linger, NGX_HTTP_NUDGE_MC_LINGER);
        }

        return NGX_OK;
    }

    if (m->nthreads < 2) {
        return NGX_DECLINED;
    }

    task->server = ngx_http_nudge_handle_server(task->key, task->key_len);
    s = &m->breakers[task->server];

    if (!ngx_http_nudge_breaker_allows(s)
        || ngx_http_nudge_task_enqueue(&m->ops, task) != NGX_OK)
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_MC_SKIPPED);
        return NGX_DECLINED;
    }

    if (s->open) {
        s->probing = 1;
        task->probe = 1;
    }

    m->nops++;

    ngx_http_nudge_count(task->op == NGX_HTTP_NUDGE_MC_GET
                         ? NGX_HTTP_NUDGE_MC_GETS : NGX_HTTP_NUDGE_MC_SETS);

    return NGX_OK;
}


void
ngx_http_nudge_task_orphan(ngx_http_nudge_task_t *task)
{
    task->owner = NULL;
}


void
ngx_http_nudge_task_late(ngx_http_nudge_task_t *task)
{
    task->owner = NULL;

    if (!task->late) {
        task->late = 1;
        ngx_http_nudge_breaker_failure(
            &ngx_http_nudge_mc.breakers[task->server], task, 1);
    }
}


void
ngx_http_nudge_task_free(ngx_http_nudge_task_t *task)
{
    if (task != NULL && !task->finishing) {
        free(task->value);
        free(task->data);
        free(task);
    }
}


void
ngx_http_nudge_memcached_drain(ngx_msec_t ms)
{
    ngx_msec_t                   end;
    struct pollfd                pfd;
    ngx_msec_int_t               left;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    ngx_time_update();

    end = ngx_current_msec + ms;

    while (m->nops) {
        left = (ngx_msec_int_t) (end - ngx_current_msec);

        if (left <= 0) {
            return;
        }

        pfd.fd = m->fd;
        pfd.events = POLLIN;

        if (poll(&pfd, 1, left) > 0) {
            ngx_http_nudge_memcached_complete();
        }

        ngx_time_update();
    }
}


static void
ngx_http_nudge_memcached_quit(ngx_http_nudge_queue_t *queue)
{
    (void) pthread_mutex_lock(&queue->mutex);

    queue->quit = 1;

    (void) pthread_cond_broadcast(&queue->cond);
    (void) pthread_mutex_unlock(&queue->mutex);
}


static void
ngx_http_nudge_memcached_discard(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_task_t  *next;

    for ( /* void */ ; task != NULL; task = next) {
        next = task->next;
        ngx_http_nudge_task_free(task);
    }
}


/*
 * A thread may be inside getaddrinfo(), which knows no timeout, or in a call()
 * on a dying disk.  After a moment the process goes without it; but nginx is
 * about to dlclose() this module with the code the thread stands on, so it is
 * then pinned.
 */

void
ngx_http_nudge_memcached_exit(void)
{
    Dl_info                      info;
    ngx_uint_t                   i, stuck;
    struct timespec              ts;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    if (!m->running) {
        return;
    }

    ngx_http_nudge_memcached_quit(&m->calls);
    ngx_http_nudge_memcached_quit(&m->ops);

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_sec++;

    stuck = 0;

    for (i = 0; i < m->nthreads; i++) {
        if (pthread_timedjoin_np(m->threads[i], NULL, &ts) != 0) {
            stuck++;
        }
    }

    if (!ngx_http_nudge_handle_exit(&ts)) {
        stuck++;
    }

    if (m->linger.timer_set) {
        ngx_del_timer(&m->linger);
    }

    (void) pthread_mutex_lock(&m->mutex);

    m->fd = -1;
    ngx_http_nudge_memcached_discard(m->done);
    m->done = NULL;
    m->done_last = &m->done;

    (void) pthread_mutex_unlock(&m->mutex);

    ngx_close_connection(m->connection);

    m->running = 0;
    m->nthreads = 0;

    if (stuck) {
        if (dladdr(&ngx_http_nudge_mc, &info) != 0) {
            (void) dlopen(info.dli_fname,
                          RTLD_NOW|RTLD_NOLOAD|RTLD_NODELETE);
        }

        return;
    }

    ngx_http_nudge_memcached_discard(m->calls.first);
    ngx_http_nudge_memcached_discard(m->ops.first);
    m->calls.first = NULL;
    m->ops.first = NULL;
}


static const char *
ngx_http_nudge_breaker_state(ngx_http_nudge_breaker_t *s)
{
    if (!s->open) {
        return "closed";
    }

    return (s->probing || ngx_http_nudge_breaker_allows(s))
           ? "half-open" : "open";
}


void
ngx_http_nudge_memcached_status(nudge_buf_t *b)
{
    ngx_uint_t                   i, n;
    nudge_str_t                  name;
    const char                  *state, *worst;
    ngx_http_nudge_memcached_t  *m = &ngx_http_nudge_mc;

    worst = "closed";
    n = m->running ? ngx_http_nudge_handle_servers() : 0;

    for (i = 0; i < n; i++) {
        state = ngx_http_nudge_breaker_state(&m->breakers[i]);

        if (state[0] == 'o' || worst[0] == 'c') {
            worst = state;
        }
    }

    nudge_buf_cstr(b, "\"breaker\":\"");
    nudge_buf_cstr(b, worst);
    nudge_buf_cstr(b, "\",\"memcached_pending\":");
    nudge_buf_int(b, m->nops);
    nudge_buf_cstr(b, ",\"memcached\":[");

    for (i = 0; i < n; i++) {
        if (i) {
            nudge_buf_char(b, ',');
        }

        name = nudge_cstr(ngx_http_nudge_handle_name(i));

        nudge_buf_cstr(b, "{\"server\":");
        nudge_buf_json(b, &name);
        nudge_buf_cstr(b, ",\"breaker\":\"");
        nudge_buf_cstr(b, ngx_http_nudge_breaker_state(&m->breakers[i]));
        nudge_buf_cstr(b, "\",\"failures\":");
        nudge_buf_int(b, m->breakers[i].failures);
        nudge_buf_char(b, '}');
    }

    nudge_buf_char(b, ']');
}
