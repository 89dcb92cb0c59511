
/*
 * libmemcached as the threads of memcached.c see it: which servers there are,
 * which of them a key belongs to, and one handle a thread that runs a task.
 */


#ifndef _NGX_HTTP_NUDGE_HANDLE_H_INCLUDED_
#define _NGX_HTTP_NUDGE_HANDLE_H_INCLUDED_


#include "ngx_http_nudge.h"


#define NGX_HTTP_NUDGE_SERVERS  16

typedef struct ngx_http_nudge_handle_s  ngx_http_nudge_handle_t;

/* takes the configuration over; servers may be NULL.  Once, before threads */
ngx_int_t ngx_http_nudge_handle_init(ngx_log_t *log,
    ngx_http_nudge_main_conf_t *nmcf);
/* after the threads.  0: something would not end by then */
ngx_uint_t ngx_http_nudge_handle_exit(struct timespec *until);
ngx_uint_t ngx_http_nudge_handle_servers(void);
/* terminated, as configured */
const char *ngx_http_nudge_handle_name(ngx_uint_t server);
/* of the loop only */
ngx_uint_t ngx_http_nudge_handle_server(u_char *key, size_t len);

/* NULL without memory; connects when used */
ngx_http_nudge_handle_t *ngx_http_nudge_handle_create(void);
void ngx_http_nudge_handle_destroy(ngx_http_nudge_handle_t *h);
/* fills rc, timedout and, for a get, value and cas; returns after a small
 * multiple of the timeout */
void ngx_http_nudge_handle_run(ngx_http_nudge_handle_t *h,
    ngx_http_nudge_task_t *task);


#endif /* _NGX_HTTP_NUDGE_HANDLE_H_INCLUDED_ */
