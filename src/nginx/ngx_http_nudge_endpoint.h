
/*
 * Between the endpoints' files: endpoint.c routes, limits and reads a request,
 * action.c does what it asks for, answer.c replies, status.c tells how things
 * are.
 */


#ifndef _NGX_HTTP_NUDGE_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_NUDGE_ENDPOINT_H_INCLUDED_


#include "ngx_http_nudge.h"


/* NGX_AGAIN: parked, the phase calls again; everything else is final */
typedef ngx_int_t (*ngx_http_nudge_action_pt)(ngx_http_nudge_endpoint_t *e);


typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   methods;
    ngx_http_nudge_action_pt     get;       /* and HEAD */
    ngx_http_nudge_action_pt     post;
    unsigned                     always:1;  /* without a campaign, too */
    unsigned                     free:1;    /* outside the token bucket */
    unsigned                     origin:1;  /* POST: from our own pages only */
    unsigned                     person:1;  /* POST: a person asks to be
                                               written to: few at a time */
    unsigned                     mailbox:1; /* POST: comes from mailbox
                                               providers, many at a time */
} ngx_http_nudge_route_t;


struct ngx_http_nudge_endpoint_s {
    ngx_http_request_t          *request;
    ngx_http_nudge_ctx_t        *ctx;
    ngx_http_nudge_shop_t       *shop;
    ngx_http_nudge_srv_conf_t   *conf;
    ngx_http_nudge_main_conf_t  *main;
    const ngx_http_nudge_route_t  *route;

    nudge_pool_t                *pool;      /* until the request is freed */
    nudge_form_t                 args;
    nudge_form_t                 form;

    void                        *handle;    /* of what a thread does for us */
    ngx_event_t                  timer;
    ngx_int_t                    rc;

    unsigned                     have_body:1;
    unsigned                     identified:1;
    unsigned                     waiting:1;
    unsigned                     acted:1;
};


/* endpoint.c: a field of the body, else of the query; empty when absent */
nudge_str_t ngx_http_nudge_endpoint_field(ngx_http_nudge_endpoint_t *e,
    const char *name);


/*
 * Waiting for a thread: e->handle is its task, which calls wake() when it is
 * done.  The phase then comes again with e->acted set and the result in e->rc;
 * NGX_ERROR after five seconds without an answer.
 */
ngx_int_t ngx_http_nudge_endpoint_park(ngx_http_nudge_endpoint_t *e);
void ngx_http_nudge_endpoint_wake(void *data, ngx_int_t rc);


/* action.c */

ngx_int_t ngx_http_nudge_action_exit(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_subscribe(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_close(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_confirm(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_confirm_page(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_unsubscribe(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_unsubscribe_page(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_action_click(ngx_http_nudge_endpoint_t *e);


/* answer.c: each sends the whole response, finalizes and returns NGX_DONE */

ngx_int_t ngx_http_nudge_answer(ngx_http_nudge_endpoint_t *e,
    ngx_uint_t status, const char *type, ngx_str_t *body);
/* a line of text, for what no person reads */
ngx_int_t ngx_http_nudge_answer_text(ngx_http_nudge_endpoint_t *e,
    ngx_uint_t status, const char *text);
/* renders file "name"; reason: what is true of {{#invalid}}, {{#expired}},
 * {{#unavailable}} and {{#bad_address}}, or NULL */
ngx_int_t ngx_http_nudge_answer_page(ngx_http_nudge_endpoint_t *e,
    ngx_uint_t status, const char *name, nudge_str_t *token,
    const char *reason);
ngx_int_t ngx_http_nudge_answer_redirect(ngx_http_nudge_endpoint_t *e,
    ngx_str_t *location);
ngx_int_t ngx_http_nudge_answer_css(ngx_http_nudge_endpoint_t *e);
ngx_int_t ngx_http_nudge_answer_js(ngx_http_nudge_endpoint_t *e);


/* status.c */

ngx_int_t ngx_http_nudge_status(ngx_http_nudge_endpoint_t *e);


#endif /* _NGX_HTTP_NUDGE_ENDPOINT_H_INCLUDED_ */
