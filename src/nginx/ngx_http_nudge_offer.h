
/*
 * Between choosing a piece (offer.c) and making it (piece.c): one visitor at
 * one page, with what is known of them.
 */


#ifndef _NGX_HTTP_NUDGE_OFFER_H_INCLUDED_
#define _NGX_HTTP_NUDGE_OFFER_H_INCLUDED_


#include "ngx_http_nudge.h"


#define NGX_HTTP_NUDGE_OFFER_NONE     NGX_HTTP_NUDGE_COUNTERS


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_nudge_ctx_t       *ctx;
    ngx_http_nudge_shop_t      *shop;
    nudge_pool_t               *pool;
    nudge_session_t             session;
    nudge_cart_t                cart;
    nudge_facts_t               facts;
    int64_t                     now;
    ngx_http_nudge_counter_t    why;    /* the last offer was not shown */
} ngx_http_nudge_visit_t;


/* appends the offer's markup; NGX_DECLINED: nothing to put into it; v->why
 * then says so */
ngx_int_t ngx_http_nudge_piece_render(ngx_http_nudge_visit_t *v,
    nudge_offer_t *offer, nudge_buf_t *b);
void ngx_http_nudge_piece_style(ngx_http_nudge_visit_t *v, nudge_buf_t *b);
void ngx_http_nudge_piece_script(ngx_http_nudge_visit_t *v, nudge_buf_t *b);
/* out of the offer pool into r->pool */
ngx_int_t ngx_http_nudge_piece_copy(ngx_http_request_t *r, nudge_buf_t *b,
    ngx_str_t *html);


#endif /* _NGX_HTTP_NUDGE_OFFER_H_INCLUDED_ */
