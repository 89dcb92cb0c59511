
/*
 * memcached, read.  libmemcached's text protocol aborts the process on an
 * unexpected reply, the binary one turns it into an error: binary always.
 */


#include <stdio.h>
#include <stdlib.h>
#include <libmemcached/memcached.h>

#include "live.h"
#include "log.h"


#define LIVE_JSON  (1024 * 1024)

struct live_s {
    memcached_st   *mc;
    nudge_json_t   *js;
    int64_t         broken;     /* monotonic ms until which it is left alone */
};


static nudge_int_t
live_server(memcached_st *mc, const char *server)
{
    char          host[256];
    int64_t       n;
    const char   *colon;
    nudge_str_t   port;

    if (server[0] == '/') {
        return memcached_server_add_unix_socket(mc, server)
               == MEMCACHED_SUCCESS ? NUDGE_OK : NUDGE_ERROR;
    }

    if (strncmp(server, "unix:", 5) == 0) {
        return live_server(mc, server + 5);
    }

    colon = strrchr(server, ':');
    n = 11211;

    if (colon && strchr(server, ']') < colon) {
        port = nudge_cstr(colon + 1);
        n = nudge_str_int(&port);

    } else {
        colon = server + strlen(server);
    }

    if (n <= 0 || n > 65535 || (size_t) (colon - server) >= sizeof(host)) {
        return NUDGE_ERROR;
    }

    memcpy(host, server, colon - server);
    host[colon - server] = '\0';

    return memcached_server_add(mc, host, n) == MEMCACHED_SUCCESS
           ? NUDGE_OK : NUDGE_ERROR;
}


static memcached_st *
live_connect(const config_t *conf)
{
    nudge_uint_t   i;
    memcached_st  *mc;

    mc = memcached_create(NULL);

    if (mc == NULL) {
        return NULL;
    }

    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_NO_BLOCK, 0);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,
                           LIVE_TIMEOUT);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, LIVE_TIMEOUT);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_SND_TIMEOUT,
                           LIVE_TIMEOUT * 1000);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_RCV_TIMEOUT,
                           LIVE_TIMEOUT * 1000);
    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_RETRY_TIMEOUT, 0);

    /* the workers' choice of a server for a key */

    memcached_behavior_set(mc, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1);

    for (i = 0; i < conf->nmemcached; i++) {
        if (live_server(mc, conf->memcached[i]) != NUDGE_OK) {
            nudge_log(NUDGE_LOG_ERR, "memcached server \"%s\" makes no sense",
                      conf->memcached[i]);
            memcached_free(mc);
            return NULL;
        }
    }

    return mc;
}


live_t *
live_create(const config_t *conf)
{
    live_t  *l;

    l = calloc(1, sizeof(live_t));

    if (l == NULL) {
        return NULL;
    }

    l->js = nudge_json_create(LIVE_JSON);
    l->mc = conf->nmemcached ? live_connect(conf) : NULL;

    if (l->js == NULL || (conf->nmemcached && l->mc == NULL)) {
        live_destroy(l);
        return NULL;
    }

    return l;
}


void
live_destroy(live_t *l)
{
    if (l->mc) {
        memcached_free(l->mc);
    }

    if (l->js) {
        nudge_json_destroy(l->js);
    }

    free(l);
}


nudge_uint_t
live_configured(const live_t *l)
{
    return l->mc != NULL;
}


static nudge_int_t
live_failed(live_t *l, memcached_return_t rc)
{
    nudge_log(NUDGE_LOG_WARN, "memcached: \"%s\"",
              memcached_strerror(l->mc, rc));
    memcached_quit(l->mc);
    l->broken = nudge_monotonic() + LIVE_BREAK;

    return NUDGE_ERROR;
}


/* *value is malloc()ed */

static nudge_int_t
live_get(live_t *l, const nudge_str_t *key, nudge_str_t *value)
{
    size_t               len;
    uint32_t             flags;
    memcached_return_t   rc;

    if (l->mc == NULL) {
        return NUDGE_DECLINED;
    }

    if (nudge_monotonic() < l->broken) {
        return NUDGE_ERROR;
    }

    value->data = (u_char *) memcached_get(l->mc, (char *) key->data, key->len,
                                           &len, &flags, &rc);
    value->len = len;

    if (rc == MEMCACHED_NOTFOUND) {
        return NUDGE_DECLINED;
    }

    if (rc != MEMCACHED_SUCCESS || value->data == NULL) {
        free(value->data);
        return live_failed(l, rc);
    }

    return NUDGE_OK;
}


nudge_int_t
live_session(live_t *l, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *visitor, nudge_session_t *s)
{
    u_char       key[256];
    nudge_buf_t  b;
    nudge_int_t  rc;
    nudge_str_t  k, value;

    nudge_buf_init(&b, key, sizeof(key));
    nudge_session_key(&b, shop, visitor);
    k = nudge_buf_result(&b);

    if (visitor->len == 0 || b.full) {
        return NUDGE_DECLINED;
    }

    rc = live_get(l, &k, &value);

    if (rc != NUDGE_OK) {
        return rc;
    }

    rc = nudge_session_decode(l->js, s, pool, &value);

    if (rc != NUDGE_OK) {
        nudge_log(NUDGE_LOG_WARN, "memcached: a session of %lu bytes cannot "
                  "be read", (unsigned long) value.len);
        rc = NUDGE_ERROR;
    }

    free(value.data);

    return rc;
}


/* another that adds it at the same time may well be a thread of this very
 * sender: whose it is says the value, not who was faster */

static nudge_int_t
live_store_add(live_t *l, const nudge_str_t *key, const char *uuid)
{
    memcached_return_t  rc;

    rc = memcached_add(l->mc, (char *) key->data, key->len, uuid, strlen(uuid),
                       0, 0);

    if (rc == MEMCACHED_SUCCESS || rc == MEMCACHED_NOTSTORED
        || rc == MEMCACHED_DATA_EXISTS)
    {
        return NUDGE_OK;
    }

    return live_failed(l, rc);
}


nudge_int_t
live_store(live_t *l, const nudge_str_t *shop, const char *uuid)
{
    u_char        key[128];
    nudge_buf_t   b;
    nudge_int_t   rc;
    nudge_str_t   k, value;

    nudge_buf_init(&b, key, sizeof(key));
    nudge_buf_cstr(&b, "nudge:");
    nudge_buf_str(&b, shop);
    nudge_buf_cstr(&b, ":store");
    k = nudge_buf_result(&b);

    if (l->mc == NULL) {
        return NUDGE_OK;
    }

    rc = live_get(l, &k, &value);

    if (rc == NUDGE_DECLINED) {

        if (live_store_add(l, &k, uuid) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        rc = live_get(l, &k, &value);
    }

    /* gone again at once: nobody says whose it is */

    if (rc != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    rc = nudge_str_is(&value, uuid) ? NUDGE_OK : NUDGE_DECLINED;
    free(value.data);

    return rc;
}
