
/*
 * Between the HTML filter (inject.c), which decides, and the rewriting of the
 * stream (rewrite.c).
 */


#ifndef _NGX_HTTP_NUDGE_REWRITE_H_INCLUDED_
#define _NGX_HTTP_NUDGE_REWRITE_H_INCLUDED_


#include "ngx_http_nudge.h"


/* NULL without memory: the page then passes as it is */
ngx_http_nudge_inject_t *ngx_http_nudge_rewrite_create(ngx_http_request_t *r);
/* ctx->inject is there */
ngx_int_t ngx_http_nudge_rewrite(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);

/* inject.c: what passes is looked at and nothing else */
void ngx_http_nudge_inject_read(ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in);


#endif /* _NGX_HTTP_NUDGE_REWRITE_H_INCLUDED_ */
