
/*
 * What the three files of the session share:
 *
 *   session.c   the hot copy in shared memory
 *   save.c      its way to memcached, behind the requests
 *   wait.c      a request that needs what memcached has
 */


#ifndef _NGX_HTTP_NUDGE_SESSION_H_INCLUDED_
#define _NGX_HTTP_NUDGE_SESSION_H_INCLUDED_


#include "ngx_http_nudge.h"


#define NGX_HTTP_NUDGE_IDLE     (30 * 60 * 1000)    /* ms */
#define NGX_HTTP_NUDGE_SHOP_ID  64

/* shop, a zero byte, visitor: the key in the zone */

typedef struct {
    u_char                      data[NGX_HTTP_NUDGE_SHOP_ID + 1
                                     + NUDGE_VISITOR_ID];
    size_t                      len;
} ngx_http_nudge_who_t;


/*
 * A hot copy is partial when this host has applied changes without having
 * seen what other hosts did up to version "need": its version is then not to
 * be believed, neither here nor by those who read it from memcached.
 */

typedef struct {
    nudge_session_t             session;
    int64_t                     since;      /* partial since, ms */
    uint32_t                    need;
    uint32_t                    partial;
    uint32_t                    stamp;      /* of the zone; 0: not there */
} ngx_http_nudge_hot_t;


/* session.c; strings of what is read stay until the next read or join */

nudge_pool_t *ngx_http_nudge_session_pool(void);
ngx_uint_t ngx_http_nudge_session_shared(void);     /* is there memcached? */
ngx_int_t ngx_http_nudge_session_who(ngx_http_nudge_ctx_t *ctx,
    ngx_http_nudge_who_t *who);
/* NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_nudge_hot_read(ngx_http_nudge_who_t *who,
    nudge_pool_t *pool, ngx_http_nudge_hot_t *hot);
ngx_uint_t ngx_http_nudge_hot_current(ngx_http_nudge_hot_t *hot,
    uint32_t version);
/*
 * Merges memcached's document (NULL: there is none) into the hot copy, which
 * comes back in *hot.  visit: the visitor is here now, the copy is created if
 * need be; otherwise NGX_DECLINED says that it is gone.
 */
ngx_int_t ngx_http_nudge_hot_join(ngx_http_nudge_who_t *who,
    nudge_session_t *doc, ngx_uint_t visit, ngx_http_nudge_hot_t *hot);
/* NGX_DECLINED: not a session; NGX_ABORT: one of a later schema */
ngx_int_t ngx_http_nudge_session_decode(ngx_http_nudge_task_t *task,
    nudge_session_t *doc);
ngx_http_nudge_task_t *ngx_http_nudge_session_task(ngx_http_nudge_who_t *who,
    ngx_http_nudge_op_t op);


/* save.c */

void ngx_http_nudge_save(ngx_http_nudge_who_t *who, uint32_t expires,
    ngx_uint_t now);
void ngx_http_nudge_save_delete(ngx_http_nudge_who_t *who);
/* what waits goes out now, for a moment; then everything is dropped */
void ngx_http_nudge_save_exit(void);


/* wait.c */

void ngx_http_nudge_wait_exit(void);


#endif /* _NGX_HTTP_NUDGE_SESSION_H_INCLUDED_ */
