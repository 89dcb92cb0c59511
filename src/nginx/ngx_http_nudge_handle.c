
/*
 * Between libmemcached and us.  A handle belongs to one thread; after any
 * failure it is thrown away with its connections, so that nobody has to guess
 * what still stands on them, nor wait for the library's own retry timeout.
 *
 * The protocol is always the binary one: libmemcached's text parser asserts,
 * that is aborts the worker, on legal replies to another question.  It reports
 * most failures of a get as "not found", hence memcached_last_error().  What
 * it does not survive are replies that claim what no memcached would: they
 * are kept from it, see guard.c.
 */


#include "ngx_http_nudge_handle.h"
#include "ngx_http_nudge_guard.h"

#include <libmemcached/memcached.h>


#define NGX_HTTP_NUDGE_HANDLE_MEMORY  (1024 * 1024)
#define NGX_HTTP_NUDGE_HANDLE_VALUE   65536
#define NGX_HTTP_NUDGE_HANDLE_PORT    11211


/* the configuration's memory is gone before a stuck thread is */

typedef struct {
    char                      name[256];
    char                      host[256];
    in_port_t                 port;     /* 0: a unix socket */
} ngx_http_nudge_host_t;


/*
 * One memcached_st a server, so that what one of them did costs the others
 * nothing.  Without the guard libmemcached would read a key of whatever length
 * a header claims into the array that ends memcached_result_st.
 */

struct ngx_http_nudge_handle_s {
    memcached_st             *mc[NGX_HTTP_NUDGE_SERVERS];
    u_char                    good[NGX_HTTP_NUDGE_SERVERS]; /* has answered */
    union {
        memcached_result_st   result;
        u_char                room[sizeof(memcached_result_st) + 65536];
    } u;
};


static ngx_int_t ngx_http_nudge_handle_parse(ngx_http_nudge_host_t *host,
    ngx_str_t *name);
static memcached_return_t ngx_http_nudge_handle_op(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task);
static memcached_return_t ngx_http_nudge_handle_get(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task);
static memcached_return_t ngx_http_nudge_handle_fetch(
    ngx_http_nudge_handle_t *h, ngx_http_nudge_task_t *task,
    ngx_uint_t *found);
static ngx_int_t ngx_http_nudge_handle_open(ngx_http_nudge_handle_t *h,
    ngx_uint_t server);
static void ngx_http_nudge_handle_close(ngx_http_nudge_handle_t *h,
    ngx_uint_t server);
static memcached_st *ngx_http_nudge_handle_memcached(
    ngx_http_nudge_handle_t *h);
static memcached_return_t ngx_http_nudge_handle_add(memcached_st *mc,
    ngx_uint_t server);


static ngx_http_nudge_host_t  ngx_http_nudge_hosts[NGX_HTTP_NUDGE_SERVERS];
static ngx_http_nudge_peer_t  ngx_http_nudge_peers[NGX_HTTP_NUDGE_SERVERS];
static ngx_uint_t             ngx_http_nudge_nhosts;
static ngx_msec_t             ngx_http_nudge_handle_timeout;
/* where keys belong; never connected */
static memcached_st          *ngx_http_nudge_handle_map;


ngx_int_t
ngx_http_nudge_handle_init(ngx_log_t *log, ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_str_t              *name;
    ngx_uint_t              i, n;
    ngx_http_nudge_host_t  *host;

    n = 0;
    ngx_http_nudge_nhosts = 0;
    ngx_http_nudge_handle_timeout = ngx_max(nmcf->timeout, 1);

    if (nmcf->memcached == NULL) {
        return NGX_OK;
    }

    name = nmcf->memcached->elts;

    for (i = 0; i < nmcf->memcached->nelts; i++) {
        host = &ngx_http_nudge_hosts[n];

        if (n == NGX_HTTP_NUDGE_SERVERS
            || ngx_http_nudge_handle_parse(host, &name[i]) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "nudge memcached \"%V\" is ignored", &name[i]);
            continue;
        }

        ngx_http_nudge_peers[n].host = host->host;
        ngx_http_nudge_peers[n].port = host->port;
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    ngx_http_nudge_handle_map = ngx_http_nudge_handle_memcached(NULL);

    if (ngx_http_nudge_handle_map == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        host = &ngx_http_nudge_hosts[i];

        if ((host->port
             ? memcached_server_add(ngx_http_nudge_handle_map, host->host,
                                    host->port)
             : memcached_server_add_unix_socket(ngx_http_nudge_handle_map,
                                                host->host))
            != MEMCACHED_SUCCESS)
        {
            return NGX_ERROR;
        }
    }

    ngx_http_nudge_nhosts = n;

    (void) ngx_http_nudge_guard_init(log, &nmcf->state, ngx_http_nudge_peers,
                                     n, ngx_http_nudge_handle_timeout);

    return NGX_OK;
}


ngx_uint_t
ngx_http_nudge_handle_exit(struct timespec *until)
{
    if (ngx_http_nudge_handle_map != NULL) {
        memcached_free(ngx_http_nudge_handle_map);
        ngx_http_nudge_handle_map = NULL;
    }

    return ngx_http_nudge_guard_exit(until);
}


/* "host", "host:port", "[::1]", "[::1]:port", "unix:/path" */

static ngx_int_t
ngx_http_nudge_handle_parse(ngx_http_nudge_host_t *host, ngx_str_t *name)
{
    u_char     *p, *last, *colon;
    ngx_int_t   port;

    if (name->len >= sizeof(host->name)) {
        return NGX_ERROR;
    }

    ngx_memzero(host, sizeof(ngx_http_nudge_host_t));
    ngx_memcpy(host->name, name->data, name->len);

    p = name->data;
    last = p + name->len;
    port = NGX_HTTP_NUDGE_HANDLE_PORT;

    if (name->len > 5 && ngx_strncmp(p, "unix:", 5) == 0) {
        port = 0;
        p += 5;

    } else {

        for (colon = last; colon > p; colon--) {
            if (colon[-1] == ':' || colon[-1] == ']') {
                break;
            }
        }

        if (colon > p && colon[-1] == ':') {
            port = ngx_atoi(colon, last - colon);
            last = colon - 1;

            if (port < 1 || port > 65535) {
                return NGX_ERROR;
            }
        }

        if (last - p > 2 && p[0] == '[' && last[-1] == ']') {
            p++;
            last--;
        }
    }

    if (p == last) {
        return NGX_ERROR;
    }

    ngx_memcpy(host->host, p, last - p);
    host->port = port;

    return NGX_OK;
}


ngx_uint_t
ngx_http_nudge_handle_servers(void)
{
    return ngx_http_nudge_nhosts;
}


const char *
ngx_http_nudge_handle_name(ngx_uint_t server)
{
    return ngx_http_nudge_hosts[server].name;
}


ngx_uint_t
ngx_http_nudge_handle_server(u_char *key, size_t len)
{
    uint32_t  n;

    if (ngx_http_nudge_nhosts < 2) {
        return 0;
    }

    n = memcached_generate_hash(ngx_http_nudge_handle_map, (char *) key, len);

    return (n < ngx_http_nudge_nhosts) ? n : 0;
}


ngx_http_nudge_handle_t *
ngx_http_nudge_handle_create(void)
{
    return calloc(1, sizeof(ngx_http_nudge_handle_t));
}


void
ngx_http_nudge_handle_destroy(ngx_http_nudge_handle_t *h)
{
    ngx_uint_t  i;

    if (h == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_NUDGE_SERVERS; i++) {
        ngx_http_nudge_handle_close(h, i);
    }

    free(h);
}


void
ngx_http_nudge_handle_run(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task)
{
    ngx_uint_t          tries, good;
    memcached_return_t  rc;

    task->rc = NGX_ERROR;

    if (h == NULL) {
        return;
    }

    /*
     * The connection may have gone since it was used last, with a restart of
     * memcached: that is no failure.  A set that was executed before the
     * connection broke comes back as a lost CAS and is merged again.
     */

    for (tries = 0; tries < 2; tries++) {

        if (ngx_http_nudge_handle_open(h, task->server) != NGX_OK) {
            return;
        }

        good = h->good[task->server];

        rc = ngx_http_nudge_handle_op(h, task);

        switch (rc) {

        case MEMCACHED_SUCCESS:
            h->good[task->server] = 1;
            task->rc = NGX_OK;
            return;

        case MEMCACHED_NOTFOUND:
        case MEMCACHED_NOTSTORED:
        case MEMCACHED_DATA_EXISTS:
            h->good[task->server] = 1;
            task->rc = NGX_DECLINED;
            return;

        default:
            break;
        }

        ngx_http_nudge_handle_close(h, task->server);

        if (rc == MEMCACHED_TIMEOUT) {
            task->timedout = 1;
            return;
        }

        if (!good) {
            return;
        }
    }
}


static memcached_return_t
ngx_http_nudge_handle_op(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task)
{
    char          *key, *value;
    memcached_st  *mc;

    mc = h->mc[task->server];
    key = (char *) task->key;
    value = (char *) task->value;

    if (task->op == NGX_HTTP_NUDGE_MC_GET) {
        return ngx_http_nudge_handle_get(h, task);
    }

    if (task->op == NGX_HTTP_NUDGE_MC_DELETE) {
        return memcached_delete(mc, key, task->key_len, 0);
    }

    if (task->cas == 0) {
        return memcached_add(mc, key, task->key_len, value, task->value_len,
                             task->expires, 0);
    }

    return memcached_cas(mc, key, task->key_len, value, task->value_len,
                         task->expires, 0, task->cas);
}


static memcached_return_t
ngx_http_nudge_handle_get(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task)
{
    const char          *key;
    ngx_uint_t           found;
    memcached_st        *mc;
    memcached_return_t   rc;

    found = 0;
    mc = h->mc[task->server];
    key = (char *) task->key;

    if (memcached_result_create(mc, &h->u.result) == NULL) {
        return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
    }

    rc = memcached_mget(mc, &key, &task->key_len, 1);

    if (rc == MEMCACHED_SUCCESS) {
        rc = ngx_http_nudge_handle_fetch(h, task, &found);
    }

    memcached_result_free(&h->u.result);

    if (rc == MEMCACHED_SUCCESS) {
        rc = memcached_last_error(mc);

        if (rc == MEMCACHED_SUCCESS || rc == MEMCACHED_NOTFOUND) {
            return found ? MEMCACHED_SUCCESS : MEMCACHED_NOTFOUND;
        }
    }

    free(task->value);
    task->value = NULL;
    task->value_len = 0;

    /* nothing of what failed may read as an answer */

    return (rc == MEMCACHED_TIMEOUT) ? rc : MEMCACHED_FAILURE;
}


/* up to the end of the answer: exactly our key, or nothing */

static memcached_return_t
ngx_http_nudge_handle_fetch(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task, ngx_uint_t *found)
{
    size_t                len;
    memcached_return_t    rc;
    memcached_result_st  *result;

    for ( ;; ) {
        result = memcached_fetch_result(h->mc[task->server], &h->u.result,
                                        &rc);

        /* what an over-long key may have written over */
        h->u.result.options.is_allocated = 0;
        h->u.result.options.is_initialized = 1;

        if (result == NULL) {
            return MEMCACHED_SUCCESS;
        }

        len = memcached_result_length(result);

        if (*found
            || len > NGX_HTTP_NUDGE_HANDLE_VALUE
            || result->key_length != task->key_len
            || ngx_memcmp(result->item_key, task->key, task->key_len) != 0)
        {
            return MEMCACHED_PROTOCOL_ERROR;
        }

        task->value = malloc(len + 1);

        if (task->value == NULL) {
            return MEMCACHED_MEMORY_ALLOCATION_FAILURE;
        }

        ngx_memcpy(task->value, memcached_result_value(result), len);

        task->value_len = len;
        task->cas = memcached_result_cas(result);
        *found = 1;
    }
}


static ngx_int_t
ngx_http_nudge_handle_open(ngx_http_nudge_handle_t *h, ngx_uint_t server)
{
    memcached_st  *mc;

    if (h->mc[server] != NULL) {
        return NGX_OK;
    }

    mc = ngx_http_nudge_handle_memcached(h);

    if (mc == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_nudge_handle_add(mc, server) != MEMCACHED_SUCCESS) {
        memcached_free(mc);
        return NGX_ERROR;
    }

    h->mc[server] = mc;

    return NGX_OK;
}


static memcached_return_t
ngx_http_nudge_handle_add(memcached_st *mc, ngx_uint_t server)
{
    const char             *path;
    ngx_http_nudge_host_t  *host;

    path = ngx_http_nudge_guard_path(server);

    if (path != NULL) {
        return memcached_server_add_unix_socket(mc, path);
    }

    host = &ngx_http_nudge_hosts[server];

    if (host->port == 0) {
        return memcached_server_add_unix_socket(mc, host->host);
    }

    return memcached_server_add(mc, host->host, host->port);
}


static void
ngx_http_nudge_handle_close(ngx_http_nudge_handle_t *h, ngx_uint_t server)
{
    if (h->mc[server] != NULL) {
        memcached_free(h->mc[server]);
    }

    h->mc[server] = NULL;
    h->good[server] = 0;
}


/* a reply may claim to be 4 GB long; libmemcached allocates before it reads */

static void *
ngx_http_nudge_handle_malloc(const memcached_st *mc, const size_t size,
    void *context)
{
    return (size > NGX_HTTP_NUDGE_HANDLE_MEMORY) ? NULL : malloc(size);
}


static void
ngx_http_nudge_handle_free(const memcached_st *mc, void *p, void *context)
{
    ngx_http_nudge_handle_t *h = context;

    /* "is_allocated" may have been written over, see above */

    if (h != NULL && p == &h->u.result) {
        return;
    }

    free(p);
}


static void *
ngx_http_nudge_handle_realloc(const memcached_st *mc, void *p,
    const size_t size, void *context)
{
    return (size > NGX_HTTP_NUDGE_HANDLE_MEMORY) ? NULL : realloc(p, size);
}


static void *
ngx_http_nudge_handle_calloc(const memcached_st *mc, size_t n,
    const size_t size, void *context)
{
    return (size != 0 && n > NGX_HTTP_NUDGE_HANDLE_MEMORY / size)
           ? NULL : calloc(n, size);
}


/*
 * Behaviours come before servers: setting one later resets connections.  No
 * server is ever removed from the continuum: that would move sessions to
 * another and back, and a missing one is better than two.
 */

static memcached_st *
ngx_http_nudge_handle_memcached(ngx_http_nudge_handle_t *h)
{
    uint64_t                ms;
    ngx_uint_t              i;
    memcached_st           *mc;
    memcached_return_t      rc;

    ms = ngx_http_nudge_handle_timeout;

    const struct {
        memcached_behavior_t  behavior;
        uint64_t              value;
    } behaviors[] = {
        { MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1 },
        { MEMCACHED_BEHAVIOR_NO_BLOCK, 1 },
        { MEMCACHED_BEHAVIOR_TCP_NODELAY, 1 },
        { MEMCACHED_BEHAVIOR_TCP_KEEPALIVE, 1 },
        { MEMCACHED_BEHAVIOR_SUPPORT_CAS, 1 },
        { MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1 },
        { MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, ms },
        { MEMCACHED_BEHAVIOR_POLL_TIMEOUT, ms },
        { MEMCACHED_BEHAVIOR_SND_TIMEOUT, ms * 1000 },
        { MEMCACHED_BEHAVIOR_RCV_TIMEOUT, ms * 1000 }
    };

    mc = memcached_create(NULL);

    if (mc == NULL) {
        return NULL;
    }

    rc = memcached_set_memory_allocators(mc, ngx_http_nudge_handle_malloc,
                                         ngx_http_nudge_handle_free,
                                         ngx_http_nudge_handle_realloc,
                                         ngx_http_nudge_handle_calloc, h);

    for (i = 0; i < sizeof(behaviors) / sizeof(behaviors[0]); i++) {

        if (rc == MEMCACHED_SUCCESS) {
            rc = memcached_behavior_set(mc, behaviors[i].behavior,
                                        behaviors[i].value);
        }
    }

    if (rc != MEMCACHED_SUCCESS) {
        memcached_free(mc);
        return NULL;
    }

    return mc;
}
