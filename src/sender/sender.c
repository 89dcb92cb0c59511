
/*
 * The sender's life: configuration from standard input, the lock, the store,
 * three kinds of threads (store, ingest, delivery), and a loop that turns due
 * episodes into claims.  Everything durable is safe at every instant, so the
 * end may be gentle (SIGTERM, the parent's end: drain within four seconds) or
 * not.
 */


#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deliver_smtp.h"
#include "dispatch.h"
#include "flow.h"
#include "log.h"
#include "publish.h"
#include "sender.h"
#include "status.h"
#include "store_shop.h"


#define SENDER_TICK    250                  /* ms between two looks */
#define SENDER_MEMORY  (64 * 1024 * 1024)

typedef struct {
    config_t           *conf;
    store_t            *store;
    ingest_t           *ingest;
    dispatch_t         *dispatch;
    status_t           *status;
    publish_t          *published;      /* of each shop */
    int64_t            *versions;
    nudge_pool_t       *pool;
    pthread_t           tail;           /* the ingest thread */
    int                 signals;
    int                 link;           /* SENDER_LINK, or -1 */
    int64_t             second;         /* of the last status */
    atomic_int          stopping;
    unsigned            tailing:1;
} sender_t;

typedef struct {
    sender_t           *sender;
    flow_t              flow;
    int64_t             next;
    nudge_uint_t        ambiguous;
} sender_job_t;


static void
sender_reopen(sender_t *s)
{
    int  fd;

    if (s->conf->log[0] == '\0') {
        return;
    }

    fd = open(s->conf->log, O_WRONLY|O_APPEND|O_CREAT|O_CLOEXEC, 0644);

    if (fd == -1) {
        nudge_log(NUDGE_LOG_ERR, "log \"%s\" cannot be opened (%d)",
                  s->conf->log, errno);
        return;
    }

    dup2(fd, STDERR_FILENO);
    close(fd);
}


/* 1: it is time to go */

static nudge_uint_t
sender_wait(sender_t *s, int ms)
{
    char                     end;
    struct pollfd            fds[2];
    struct signalfd_siginfo  si;

    fds[0].fd = s->signals;
    fds[0].events = POLLIN;
    fds[1].fd = s->link;
    fds[1].events = POLLIN;
    fds[1].revents = 0;

    if (poll(fds, 2, ms) <= 0) {
        return 0;
    }

    if (fds[1].revents && read(s->link, &end, 1) <= 0) {
        nudge_log(NUDGE_LOG_NOTICE, "parent is gone, exiting");
        return 1;
    }

    if ((fds[0].revents & POLLIN)
        && read(s->signals, &si, sizeof(si)) == sizeof(si))
    {
        if (si.ssi_signo != SIGUSR1) {
            nudge_log(NUDGE_LOG_NOTICE, "signal %u, exiting", si.ssi_signo);
            return 1;
        }

        sender_reopen(s);
    }

    return 0;
}


/* the first line of defence is the link; a parent killed between fork and
 * exec is found by its number */

static nudge_int_t
sender_signals(sender_t *s)
{
    sigset_t     set;
    const char  *parent;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGQUIT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);

    signal(SIGPIPE, SIG_IGN);

    if (pthread_sigmask(SIG_SETMASK, &set, NULL) != 0) {
        return NUDGE_ERROR;
    }

    s->signals = signalfd(-1, &set, SFD_CLOEXEC|SFD_NONBLOCK);
    s->link = fcntl(SENDER_LINK, F_GETFD) == -1 ? -1 : SENDER_LINK;

    if (s->link != -1) {
        fcntl(s->link, F_SETFD, FD_CLOEXEC);
    }

    parent = getenv("NUDGE_PARENT");

    if (parent && s->link != -1) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);

        if (getppid() != (pid_t) atol(parent)) {
            return NUDGE_ERROR;
        }
    }

    return s->signals == -1 ? NUDGE_ERROR : NUDGE_OK;
}


/* one sender at a time: the next waits here while the last one drains.  The
 * lock is the open file's and ends with the process */

static nudge_int_t
sender_lock(sender_t *s)
{
    int           fd;
    char          path[4096];
    nudge_uint_t  told;

    snprintf(path, sizeof(path), "%s/sender.lock", s->conf->state);
    fd = open(path, O_RDWR|O_CREAT|O_CLOEXEC|O_NOFOLLOW, 0600);

    if (fd == -1) {
        nudge_log(NUDGE_LOG_ALERT, "\"%s\" cannot be opened (%d)", path, errno);
        return NUDGE_ERROR;
    }

    told = 0;

    while (flock(fd, LOCK_EX|LOCK_NB) == -1) {

        if (errno != EWOULDBLOCK && errno != EINTR) {
            nudge_log(NUDGE_LOG_ALERT, "\"%s\" cannot be locked (%d)", path,
                      errno);
            return NUDGE_ERROR;
        }

        if (!told) {
            nudge_log(NUDGE_LOG_INFO, "waiting for another sender to end");
            told = 1;
        }

        if (sender_wait(s, 200)) {
            return NUDGE_DECLINED;
        }
    }

    return NUDGE_OK;
}


static void *
sender_tail(void *data)
{
    sender_t  *s = data;

    while (!s->stopping) {
        ingest_wait(s->ingest, 500);
    }

    return NULL;
}


static nudge_int_t
sender_start_job(tx_t *tx, void *arg)
{
    sender_job_t  *job = arg;

    if (flow_activate(tx, &job->flow) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return flow_recover(tx, &job->flow, &job->ambiguous);
}


static nudge_int_t
sender_tick_job(tx_t *tx, void *arg)
{
    sender_job_t  *job = arg;

    if (flow_tick(tx, &job->flow) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    job->next = store_message_next(tx);

    return NUDGE_OK;
}


static void
sender_job(sender_t *s, sender_job_t *job)
{
    memset(job, 0, sizeof(sender_job_t));
    nudge_pool_reset(s->pool);

    job->sender = s;
    job->flow.conf = s->conf;
    job->flow.pool = s->pool;
    job->flow.now = nudge_now();
    job->next = INT64_MAX;
}


typedef struct {
    sender_t           *sender;
    const nudge_str_t  *shop;
    int64_t             version;
    int64_t             known;
    nudge_product_t    *products;
    nudge_int_t         n;
} sender_products_t;


static nudge_int_t
sender_products(tx_t *tx, void *arg)
{
    sender_t           *s;
    nudge_int_t         rc;
    sender_products_t  *p = arg;

    s = p->sender;
    p->version = store_products_version(tx, p->shop);

    if (p->version == p->known) {
        return NUDGE_DECLINED;
    }

    p->n = store_products_count(tx, p->shop);
    p->products = nudge_palloc(s->pool, (p->n + 1) * sizeof(nudge_product_t));

    if (p->products == NULL) {
        return NUDGE_ERROR;
    }

    rc = store_products(tx, s->pool, p->shop, nudge_now(), p->products, p->n);
    p->n = rc;

    return rc >= 0 ? NUDGE_OK : NUDGE_ERROR;
}


static void
sender_publish(sender_t *s, nudge_uint_t i)
{
    const char         *error;
    nudge_int_t         rc;
    sender_products_t   p;

    memset(&p, 0, sizeof(sender_products_t));
    nudge_pool_reset(s->pool);

    p.sender = s;
    p.shop = &s->conf->shops[i]->campaign->shop.id;
    p.known = s->versions[i];

    if (store_run(s->store, sender_products, &p) != NUDGE_OK) {
        return;
    }

    error = NULL;
    rc = publish_catalogue(&s->published[i], s->conf->state, p.shop,
                           p.products, p.n, nudge_now(), &error);

    if (rc == NUDGE_ERROR) {
        nudge_log(NUDGE_LOG_ERR, "catalogue of \"%.*s\" could not be "
                  "published: %s", (int) p.shop->len, p.shop->data,
                  error ? error : "");

    } else if (rc != NUDGE_AGAIN) {
        s->versions[i] = p.version;
    }
}


/* everything that is done now and then */

static void
sender_tick(sender_t *s)
{
    int64_t        second;
    nudge_uint_t   i;
    sender_job_t   job;

    while (s->dispatch) {
        sender_job(s, &job);

        if (store_run(s->store, sender_tick_job, &job) != NUDGE_OK) {
            break;
        }

        if (job.next <= nudge_now()) {
            dispatch_wake(s->dispatch);
        }

        if (!job.flow.more) {
            break;
        }
    }

    second = nudge_monotonic() / 1000;

    if (second == s->second) {
        return;
    }

    s->second = second;

    (void) status_write(s->status, s->conf, s->store, s->ingest);

    for (i = 0; i < s->conf->nshops; i++) {
        sender_publish(s, i);
    }
}


static nudge_int_t
sender_open(sender_t *s, nudge_error_t *error)
{
    sender_job_t  job;

    s->pool = nudge_pool_create(SENDER_MEMORY);
    s->status = calloc(1, sizeof(status_t));
    s->published = calloc(s->conf->nshops + 1, sizeof(publish_t));
    s->versions = calloc(s->conf->nshops + 1, sizeof(int64_t));

    snprintf((char *) error->text, sizeof(error->text), "no memory");

    if (s->pool == NULL || s->status == NULL || s->published == NULL
        || s->versions == NULL || deliver_init() != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    s->store = store_open(s->conf->store, 0, error);

    if (s->store == NULL) {
        return NUDGE_ERROR;
    }

    sender_job(s, &job);

    if (store_run(s->store, sender_start_job, &job) != NUDGE_OK) {
        snprintf((char *) error->text, sizeof(error->text),
                 "store cannot be written");
        return NUDGE_ERROR;
    }

    if (job.ambiguous) {
        nudge_log(NUDGE_LOG_WARN, "%lu messages may or may not have been sent "
                  "when the last sender ended; they are not repeated",
                  (unsigned long) job.ambiguous);
    }

    s->ingest = ingest_create(s->conf, s->store, error);

    if (s->ingest == NULL) {
        return NUDGE_ERROR;
    }

    if (pthread_create(&s->tail, NULL, sender_tail, s) != 0) {
        snprintf((char *) error->text, sizeof(error->text),
                 "ingest thread cannot be started");
        return NUDGE_ERROR;
    }

    s->tailing = 1;

    return NUDGE_OK;
}


/* what happened while nobody looked comes before what is due: flows and
 * deliveries begin when the journal has been read to its end */

static nudge_int_t
sender_begin(sender_t *s)
{
    nudge_error_t  error;

    if (s->dispatch || !ingest_caught_up(s->ingest)) {
        return NUDGE_OK;
    }

    s->dispatch = dispatch_start(s->conf, s->store, s->ingest, &error);

    if (s->dispatch == NULL) {
        nudge_log(NUDGE_LOG_ALERT, "%s", (char *) error.text);
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


/* also after a start that failed half-way */

static void
sender_close(sender_t *s)
{
    s->stopping = 1;

    if (s->dispatch && dispatch_stop(s->dispatch) != NUDGE_OK) {
        nudge_log(NUDGE_LOG_NOTICE, "exiting while the relay has not answered");
        _exit(0);
    }

    if (s->tailing) {
        ingest_halt(s->ingest);
        pthread_join(s->tail, NULL);
    }

    if (s->ingest) {
        ingest_destroy(s->ingest);
    }

    if (s->store) {
        store_close(s->store);
    }

    if (s->pool) {
        nudge_pool_destroy(s->pool);
    }

    config_destroy(s->conf);
    free(s->status);
    free(s->published);
    free(s->versions);
}


static void
sender_null_stdin(void)
{
    int  fd;

    fd = open("/dev/null", O_RDWR|O_CLOEXEC);

    if (fd != -1) {
        dup2(fd, STDIN_FILENO);

        if (fd != STDIN_FILENO) {
            close(fd);
        }
    }
}


int
sender_main(void)
{
    sender_t        s;
    nudge_int_t     rc;
    nudge_error_t   error;

    memset(&s, 0, sizeof(sender_t));
    umask(077);

    if (sender_signals(&s) != NUDGE_OK) {
        nudge_log(NUDGE_LOG_ALERT, "parent is gone before the start");
        return 1;
    }

    s.conf = config_read(STDIN_FILENO, &error);

    if (s.conf == NULL) {
        nudge_log(NUDGE_LOG_ALERT, "%s", (char *) error.text);
        return 1;
    }

    sender_null_stdin();

    rc = sender_lock(&s);

    if (rc != NUDGE_OK) {
        sender_close(&s);
        return rc == NUDGE_DECLINED ? 0 : 1;
    }

    if (sender_open(&s, &error) != NUDGE_OK) {
        nudge_log(NUDGE_LOG_ALERT, "%s", (char *) error.text);
        sender_close(&s);
        return 1;
    }

    nudge_log(NUDGE_LOG_NOTICE, "started, %lu shops, store %.8s",
              (unsigned long) s.conf->nshops, store_uuid(s.store));

    do {
        rc = sender_begin(&s);
        sender_tick(&s);
    } while (rc == NUDGE_OK && !sender_wait(&s, SENDER_TICK));

    sender_close(&s);
    nudge_log(NUDGE_LOG_NOTICE, "exited");

    return rc == NUDGE_OK ? 0 : 1;
}
