
/*
 * libmemcached 1.1.4 believes a reply's header: a key longer than 250 bytes
 * or a long version overruns its buffers, so whoever speaks for memcached
 * could write into a worker that holds TLS keys.  One thread therefore stands
 * between them, forwards requests as they are, and replies only as far as
 * their headers are what our requests may be answered with; otherwise it
 * closes, which libmemcached takes for a lost connection.
 *
 * libmemcached knows paths and ports, not descriptors.  The listening socket
 * is bound in the state directory, opened with O_PATH and unlinked at once:
 * "/proc/self/fd/N" leads to it from this process alone.
 */


#include "ngx_http_nudge_guard.h"

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>


#define NGX_HTTP_NUDGE_GUARD_PEERS   16
#define NGX_HTTP_NUDGE_GUARD_PAIRS   64
#define NGX_HTTP_NUDGE_GUARD_STACK   (512 * 1024)
#define NGX_HTTP_NUDGE_GUARD_CHUNK   16384
#define NGX_HTTP_NUDGE_GUARD_HEADER  24
#define NGX_HTTP_NUDGE_GUARD_BODY    (128 * 1024)
#define NGX_HTTP_NUDGE_GUARD_TEXT    1024

/* the binary protocol: magic, and the operations we use */

#define NGX_HTTP_NUDGE_GUARD_REPLY   0x81
#define NGX_HTTP_NUDGE_GUARD_SET     0x01
#define NGX_HTTP_NUDGE_GUARD_ADD     0x02
#define NGX_HTTP_NUDGE_GUARD_REPLACE 0x03   /* libmemcached's CAS */
#define NGX_HTTP_NUDGE_GUARD_DELETE  0x04
#define NGX_HTTP_NUDGE_GUARD_QUIT    0x07
#define NGX_HTTP_NUDGE_GUARD_NOOP    0x0a
#define NGX_HTTP_NUDGE_GUARD_GETK    0x0c
#define NGX_HTTP_NUDGE_GUARD_GETKQ   0x0d


typedef struct {
    u_char                    data[NGX_HTTP_NUDGE_GUARD_CHUNK
                                   + NGX_HTTP_NUDGE_GUARD_HEADER];
    size_t                    pos;
    size_t                    len;
} ngx_http_nudge_flow_t;


typedef struct {
    int                       client;   /* libmemcached; -1: free */
    int                       server;
    u_char                    header[NGX_HTTP_NUDGE_GUARD_HEADER];
    size_t                    have;     /* of the header */
    size_t                    body;     /* still to come */
    ngx_http_nudge_flow_t     request;
    ngx_http_nudge_flow_t     reply;
} ngx_http_nudge_pair_t;


typedef struct {
    ngx_http_nudge_peer_t    *peers;
    ngx_uint_t                npeers;
    int                       listen[NGX_HTTP_NUDGE_GUARD_PEERS];
    int                       node[NGX_HTTP_NUDGE_GUARD_PEERS];
    char                      path[NGX_HTTP_NUDGE_GUARD_PEERS][32];
    int                       wake;
    ngx_msec_t                timeout;
    pthread_t                 thread;
    ngx_uint_t                running;
    ngx_http_nudge_pair_t    *pairs;
    struct pollfd             poll[1 + NGX_HTTP_NUDGE_GUARD_PEERS
                                   + 2 * NGX_HTTP_NUDGE_GUARD_PAIRS];
} ngx_http_nudge_guard_t;


static ngx_int_t ngx_http_nudge_guard_listen(ngx_log_t *log, ngx_str_t *state,
    ngx_uint_t i);
static ngx_int_t ngx_http_nudge_guard_start(ngx_log_t *log);
static void ngx_http_nudge_guard_close(void);
static void *ngx_http_nudge_guard_thread(void *data);
static void ngx_http_nudge_guard_poll(void);
static void ngx_http_nudge_guard_accept(ngx_uint_t peer);
static int ngx_http_nudge_guard_connect(ngx_http_nudge_peer_t *peer);
static int ngx_http_nudge_guard_try(struct sockaddr *sa, socklen_t len);
static void ngx_http_nudge_guard_drop(ngx_http_nudge_pair_t *p);
static void ngx_http_nudge_guard_pair(ngx_http_nudge_pair_t *p, int client,
    int server);
static ngx_int_t ngx_http_nudge_guard_send(int fd, ngx_http_nudge_flow_t *f);
static ngx_int_t ngx_http_nudge_guard_request(ngx_http_nudge_pair_t *p);
static ngx_int_t ngx_http_nudge_guard_reply(ngx_http_nudge_pair_t *p);
static ngx_int_t ngx_http_nudge_guard_check(ngx_http_nudge_pair_t *p);


static ngx_http_nudge_guard_t  ngx_http_nudge_guard = { .wake = -1 };


ngx_int_t
ngx_http_nudge_guard_init(ngx_log_t *log, ngx_str_t *state,
    ngx_http_nudge_peer_t *peers, ngx_uint_t n, ngx_msec_t timeout)
{
    ngx_uint_t               i;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    g->peers = peers;
    g->npeers = ngx_min(n, NGX_HTTP_NUDGE_GUARD_PEERS);
    g->timeout = timeout;

    for (i = 0; i < g->npeers; i++) {
        g->listen[i] = -1;
        g->node[i] = -1;
    }

    g->wake = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);
    g->pairs = calloc(NGX_HTTP_NUDGE_GUARD_PAIRS,
                      sizeof(ngx_http_nudge_pair_t));

    if (g->wake == -1 || g->pairs == NULL) {
        goto failed;
    }

    for (i = 0; i < NGX_HTTP_NUDGE_GUARD_PAIRS; i++) {
        g->pairs[i].client = -1;
    }

    for (i = 0; i < g->npeers; i++) {
        if (ngx_http_nudge_guard_listen(log, state, i) != NGX_OK) {
            goto failed;
        }
    }

    if (ngx_http_nudge_guard_start(log) == NGX_OK) {
        return NGX_OK;
    }

failed:

    ngx_http_nudge_guard_close();

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "nudge: replies of memcached are not checked before "
                  "libmemcached reads them");

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_nudge_guard_listen(ngx_log_t *log, ngx_str_t *state, ngx_uint_t i)
{
    int                      fd, rc;
    u_char                  *p;
    struct sockaddr_un       sun;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    ngx_memzero(&sun, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;

    p = ngx_snprintf((u_char *) sun.sun_path, sizeof(sun.sun_path) - 1,
                     "%V/memcached.%P.%ui", state, ngx_pid, i);

    if (p == (u_char *) sun.sun_path + sizeof(sun.sun_path) - 1) {
        return NGX_ERROR;
    }

    g->listen[i] = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (g->listen[i] == -1) {
        return NGX_ERROR;
    }

    (void) unlink(sun.sun_path);

    if (bind(g->listen[i], (struct sockaddr *) &sun, sizeof(sun)) == -1) {
        ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                      "bind() to \"%s\" failed", sun.sun_path);
        return NGX_ERROR;
    }

    g->node[i] = open(sun.sun_path, O_PATH|O_CLOEXEC);

    if (unlink(sun.sun_path) == -1
        || g->node[i] == -1
        || listen(g->listen[i], NGX_HTTP_NUDGE_GUARD_PAIRS) == -1)
    {
        return NGX_ERROR;
    }

    (void) ngx_sprintf((u_char *) g->path[i], "/proc/self/fd/%d%Z",
                       g->node[i]);

    /* does /proc lead there? */

    ngx_memzero(sun.sun_path, sizeof(sun.sun_path));
    ngx_memcpy(sun.sun_path, g->path[i], ngx_strlen(g->path[i]));

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return NGX_ERROR;
    }

    rc = connect(fd, (struct sockaddr *) &sun, sizeof(sun));

    (void) close(fd);

    if (rc == -1) {
        return NGX_ERROR;
    }

    fd = accept4(g->listen[i], NULL, NULL, SOCK_CLOEXEC);

    if (fd == -1) {
        return NGX_ERROR;
    }

    (void) close(fd);

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_guard_start(ngx_log_t *log)
{
    int                      err;
    sigset_t                 all, old;
    pthread_attr_t           attr;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    if (pthread_attr_init(&attr) != 0) {
        return NGX_ERROR;
    }

    (void) pthread_attr_setstacksize(&attr, NGX_HTTP_NUDGE_GUARD_STACK);

    sigfillset(&all);
    (void) pthread_sigmask(SIG_BLOCK, &all, &old);

    err = pthread_create(&g->thread, &attr, ngx_http_nudge_guard_thread, NULL);

    (void) pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void) pthread_attr_destroy(&attr);

    if (err != 0) {
        ngx_log_error(NGX_LOG_ALERT, log, err, "pthread_create() failed");
        return NGX_ERROR;
    }

    (void) pthread_setname_np(g->thread, "nudge guard");
    g->running = 1;

    return NGX_OK;
}


const char *
ngx_http_nudge_guard_path(ngx_uint_t peer)
{
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    return (g->running && peer < g->npeers) ? g->path[peer] : NULL;
}


ngx_uint_t
ngx_http_nudge_guard_exit(struct timespec *until)
{
    uint64_t                 one;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    if (!g->running) {
        return 1;
    }

    one = 1;

    if (write(g->wake, &one, sizeof(one)) == -1
        || pthread_timedjoin_np(g->thread, NULL, until) != 0)
    {
        return 0;
    }

    g->running = 0;
    ngx_http_nudge_guard_close();

    return 1;
}


static void
ngx_http_nudge_guard_close(void)
{
    ngx_uint_t               i;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    for (i = 0; i < g->npeers; i++) {
        if (g->listen[i] != -1) {
            (void) close(g->listen[i]);
            g->listen[i] = -1;
        }

        if (g->node[i] != -1) {
            (void) close(g->node[i]);
            g->node[i] = -1;
        }
    }

    if (g->wake != -1) {
        (void) close(g->wake);
        g->wake = -1;
    }

    free(g->pairs);
    g->pairs = NULL;
}


static void *
ngx_http_nudge_guard_thread(void *data)
{
    ngx_uint_t               i, n;
    ngx_http_nudge_pair_t   *p;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    n = 1 + g->npeers;

    for ( ;; ) {
        ngx_http_nudge_guard_poll();

        if (poll(g->poll, n + 2 * NGX_HTTP_NUDGE_GUARD_PAIRS, -1) == -1) {
            continue;
        }

        if (g->poll[0].revents) {
            break;
        }

        for (i = 0; i < NGX_HTTP_NUDGE_GUARD_PAIRS; i++) {
            p = &g->pairs[i];

            if (p->client != -1) {
                ngx_http_nudge_guard_pair(p, g->poll[n + 2 * i].revents,
                                          g->poll[n + 2 * i + 1].revents);
            }
        }

        for (i = 0; i < g->npeers; i++) {
            if (g->poll[1 + i].revents) {
                ngx_http_nudge_guard_accept(i);
            }
        }
    }

    for (i = 0; i < NGX_HTTP_NUDGE_GUARD_PAIRS; i++) {
        if (g->pairs[i].client != -1) {
            ngx_http_nudge_guard_drop(&g->pairs[i]);
        }
    }

    return NULL;
}


/* poll() passes over negative descriptors */

static void
ngx_http_nudge_guard_poll(void)
{
    ngx_uint_t               i;
    struct pollfd           *pfd;
    ngx_http_nudge_pair_t   *p;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    pfd = g->poll;

    pfd->fd = g->wake;
    pfd->events = POLLIN;
    pfd++;

    for (i = 0; i < g->npeers; i++) {
        pfd->fd = g->listen[i];
        pfd->events = POLLIN;
        pfd++;
    }

    /* what was read and not yet written stops the reading */

    for (i = 0; i < NGX_HTTP_NUDGE_GUARD_PAIRS; i++) {
        p = &g->pairs[i];

        pfd->fd = p->client;
        pfd->events = (p->request.len ? 0 : POLLIN)
                      | (p->reply.len ? POLLOUT : 0);
        pfd++;

        /* that it hung up would be reported over and over */

        pfd->events = (p->reply.len ? 0 : POLLIN)
                      | (p->request.len ? POLLOUT : 0);
        pfd->fd = (p->client == -1 || !pfd->events) ? -1 : p->server;
        pfd++;
    }
}


/* dropped at once where nobody is behind: a lost connection to libmemcached */

static void
ngx_http_nudge_guard_accept(ngx_uint_t peer)
{
    int                      fd;
    ngx_uint_t               i;
    ngx_http_nudge_pair_t   *p;
    ngx_http_nudge_guard_t  *g = &ngx_http_nudge_guard;

    fd = accept4(g->listen[peer], NULL, NULL, SOCK_NONBLOCK|SOCK_CLOEXEC);

    if (fd == -1) {
        return;
    }

    for (i = 0; i < NGX_HTTP_NUDGE_GUARD_PAIRS; i++) {
        p = &g->pairs[i];

        if (p->client != -1) {
            continue;
        }

        ngx_memzero(p, sizeof(ngx_http_nudge_pair_t));

        p->client = fd;
        p->server = ngx_http_nudge_guard_connect(&g->peers[peer]);

        if (p->server == -1) {
            ngx_http_nudge_guard_drop(p);
        }

        return;
    }

    (void) close(fd);
}


static void
ngx_http_nudge_guard_drop(ngx_http_nudge_pair_t *p)
{
    (void) close(p->client);
    p->client = -1;

    if (p->server != -1) {
        (void) close(p->server);
    }

    p->request.len = 0;
    p->reply.len = 0;
}


static int
ngx_http_nudge_guard_connect(ngx_http_nudge_peer_t *peer)
{
    int                 fd;
    char                port[8];
    struct addrinfo     hints, *list, *ai;
    struct sockaddr_un  sun;

    if (peer->port == 0) {
        ngx_memzero(&sun, sizeof(struct sockaddr_un));

        sun.sun_family = AF_UNIX;
        (void) ngx_cpystrn((u_char *) sun.sun_path, (u_char *) peer->host,
                           sizeof(sun.sun_path));

        return ngx_http_nudge_guard_try((struct sockaddr *) &sun, sizeof(sun));
    }

    (void) ngx_sprintf((u_char *) port, "%d%Z", (int) peer->port);

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    if (getaddrinfo(peer->host, port, &hints, &list) != 0) {
        return -1;
    }

    fd = -1;

    for (ai = list; ai != NULL && fd == -1; ai = ai->ai_next) {
        fd = ngx_http_nudge_guard_try(ai->ai_addr, ai->ai_addrlen);
    }

    freeaddrinfo(list);

    return fd;
}


/*
 * The only place where the thread waits, for as long as libmemcached would:
 * a name may have an address that refuses before one that answers.
 */

static int
ngx_http_nudge_guard_try(struct sockaddr *sa, socklen_t len)
{
    int            fd, one, err;
    socklen_t      n;
    struct pollfd  pfd;

    fd = socket(sa->sa_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return -1;
    }

    if (sa->sa_family != AF_UNIX) {
        one = 1;
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        (void) setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    }

    if (connect(fd, sa, len) == 0) {
        return fd;
    }

    if (errno == EINPROGRESS) {
        err = 0;
        n = sizeof(err);

        pfd.fd = fd;
        pfd.events = POLLOUT;

        if (poll(&pfd, 1, (int) ngx_http_nudge_guard.timeout) == 1
            && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0
            && err == 0)
        {
            return fd;
        }
    }

    (void) close(fd);

    return -1;
}


static void
ngx_http_nudge_guard_pair(ngx_http_nudge_pair_t *p, int client, int server)
{
    if ((client & (POLLERR|POLLHUP|POLLNVAL))
        || (server & (POLLERR|POLLNVAL)))
    {
        ngx_http_nudge_guard_drop(p);
        return;
    }

    if (((client & POLLOUT)
         && ngx_http_nudge_guard_send(p->client, &p->reply) != NGX_OK)
        || ((server & POLLOUT)
            && ngx_http_nudge_guard_send(p->server, &p->request) != NGX_OK)
        || ((client & POLLIN) && p->request.len == 0
            && ngx_http_nudge_guard_request(p) != NGX_OK)
        || ((server & (POLLIN|POLLHUP)) && p->reply.len == 0
            && ngx_http_nudge_guard_reply(p) != NGX_OK))
    {
        ngx_http_nudge_guard_drop(p);
    }
}


static ngx_int_t
ngx_http_nudge_guard_send(int fd, ngx_http_nudge_flow_t *f)
{
    ssize_t  n;

    n = send(fd, f->data + f->pos, f->len, MSG_NOSIGNAL|MSG_DONTWAIT);

    if (n == -1) {
        return (errno == EAGAIN || errno == EINTR) ? NGX_OK : NGX_ERROR;
    }

    f->pos += n;
    f->len -= n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_guard_request(ngx_http_nudge_pair_t *p)
{
    ssize_t  n;

    n = recv(p->client, p->request.data, NGX_HTTP_NUDGE_GUARD_CHUNK,
             MSG_DONTWAIT);

    if (n == -1) {
        return (errno == EAGAIN || errno == EINTR) ? NGX_OK : NGX_ERROR;
    }

    if (n == 0) {
        return NGX_ERROR;
    }

    p->request.pos = 0;
    p->request.len = n;

    return ngx_http_nudge_guard_send(p->server, &p->request);
}


/* a header is kept back until it is whole and checked */

static ngx_int_t
ngx_http_nudge_guard_reply(ngx_http_nudge_pair_t *p)
{
    u_char   *in, *last, *out;
    size_t    size;
    ssize_t   n;
    u_char    chunk[NGX_HTTP_NUDGE_GUARD_CHUNK];

    n = recv(p->server, chunk, sizeof(chunk), MSG_DONTWAIT);

    if (n == -1) {
        return (errno == EAGAIN || errno == EINTR) ? NGX_OK : NGX_ERROR;
    }

    if (n == 0) {
        return NGX_ERROR;
    }

    in = chunk;
    last = chunk + n;
    out = p->reply.data;

    while (in < last) {

        if (p->body) {
            size = ngx_min(p->body, (size_t) (last - in));
            out = ngx_cpymem(out, in, size);
            p->body -= size;
            in += size;
            continue;
        }

        size = ngx_min(sizeof(p->header) - p->have, (size_t) (last - in));
        ngx_memcpy(p->header + p->have, in, size);
        p->have += size;
        in += size;

        if (p->have == sizeof(p->header)) {

            if (ngx_http_nudge_guard_check(p) != NGX_OK) {
                return NGX_ERROR;
            }

            out = ngx_cpymem(out, p->header, sizeof(p->header));
            p->have = 0;
        }
    }

    p->reply.pos = 0;
    p->reply.len = out - p->reply.data;

    return p->reply.len ? ngx_http_nudge_guard_send(p->client, &p->reply)
                        : NGX_OK;
}


/*
 * magic, operation, key length (2), extras length, data type, status (2),
 * body length (4), opaque (4), cas (8).  Only a value has key and extras; an
 * error has a text, which libmemcached skips.
 */

static ngx_int_t
ngx_http_nudge_guard_check(ngx_http_nudge_pair_t *p)
{
    size_t   key, extras, status, body;
    u_char  *h;

    h = p->header;

    key = h[2] << 8 | h[3];
    extras = h[4];
    status = h[6] << 8 | h[7];
    body = (size_t) h[8] << 24 | h[9] << 16 | h[10] << 8 | h[11];

    if (h[0] != NGX_HTTP_NUDGE_GUARD_REPLY || key + extras > body) {
        return NGX_ERROR;
    }

    switch (h[1]) {

    case NGX_HTTP_NUDGE_GUARD_GETK:
    case NGX_HTTP_NUDGE_GUARD_GETKQ:

        if (status == 0
            && (key == 0 || key > 250 || extras != 4
                || body > NGX_HTTP_NUDGE_GUARD_BODY))
        {
            return NGX_ERROR;
        }

        break;

    case NGX_HTTP_NUDGE_GUARD_SET:
    case NGX_HTTP_NUDGE_GUARD_ADD:
    case NGX_HTTP_NUDGE_GUARD_REPLACE:
    case NGX_HTTP_NUDGE_GUARD_DELETE:
    case NGX_HTTP_NUDGE_GUARD_QUIT:
    case NGX_HTTP_NUDGE_GUARD_NOOP:

        if (status == 0 && body != 0) {
            return NGX_ERROR;
        }

        break;

    default:
        return NGX_ERROR;
    }

    if (status != 0 && body > NGX_HTTP_NUDGE_GUARD_TEXT) {
        return NGX_ERROR;
    }

    p->body = body;

    return NGX_OK;
}
