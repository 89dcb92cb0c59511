
/*
 * The guard between memcached and libmemcached: libmemcached connects to it,
 * it connects to memcached, and only well-formed replies come through.
 */


#ifndef _NGX_HTTP_NUDGE_GUARD_H_INCLUDED_
#define _NGX_HTTP_NUDGE_GUARD_H_INCLUDED_


#include "ngx_http_nudge.h"


typedef struct {
    char                     *host;     /* name, address or path */
    in_port_t                 port;     /* 0: a unix socket */
} ngx_http_nudge_peer_t;

/* one thread for all of them; peers have to stay.  NGX_DECLINED: there is no
 * guard here, connect directly */
ngx_int_t ngx_http_nudge_guard_init(ngx_log_t *log, ngx_str_t *state,
    ngx_http_nudge_peer_t *peers, ngx_uint_t n, ngx_msec_t timeout);
/* the socket that leads to a peer, or NULL */
const char *ngx_http_nudge_guard_path(ngx_uint_t peer);
/* 0: the thread would not end by then */
ngx_uint_t ngx_http_nudge_guard_exit(struct timespec *until);


#endif /* _NGX_HTTP_NUDGE_GUARD_H_INCLUDED_ */
