
/*
 * What the files of the module share: configurations, the request's context
 * and each concern's public functions.  Data flows one way through a request:
 *
 *   POST_READ   endpoint (answers /nudge/...) or a context for the request
 *   PREACCESS   visitor, preset match, session (may wait for memcached)
 *   filters     header: cookie, what to copy; body: capture, offer, inject
 *   last buffer or LOG   capture: events -> session, journal
 */


#ifndef _NGX_HTTP_NUDGE_H_INCLUDED_
#define _NGX_HTTP_NUDGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "nudge_bundle.h"
#include "nudge_csp.h"
#include "nudge_html.h"
#include "nudge_page.h"
#include "nudge_recommend.h"
#include "nudge_token.h"

#include "ngx_http_nudge_compat.h"


#define NGX_HTTP_NUDGE_VERSION  "0.1.0"


typedef struct ngx_http_nudge_ctx_s       ngx_http_nudge_ctx_t;
typedef struct ngx_http_nudge_shop_s      ngx_http_nudge_shop_t;
typedef struct ngx_http_nudge_task_s      ngx_http_nudge_task_t;
typedef struct ngx_http_nudge_inject_s    ngx_http_nudge_inject_t;
typedef struct ngx_http_nudge_endpoint_s  ngx_http_nudge_endpoint_t;


/* what /nudge/status counts; names in ngx_http_nudge_zone.c */

typedef enum {
    NGX_HTTP_NUDGE_REQUESTS = 0,        /* seen with nudge on */
    NGX_HTTP_NUDGE_EVENTS,
    NGX_HTTP_NUDGE_EVENTS_DROPPED,      /* journal full, disk full */
    NGX_HTTP_NUDGE_JOURNAL_ERRORS,
    NGX_HTTP_NUDGE_VISITORS_NEW,
    NGX_HTTP_NUDGE_COOKIES_FORGED,
    NGX_HTTP_NUDGE_BODIES_CUT,
    NGX_HTTP_NUDGE_MC_GETS,
    NGX_HTTP_NUDGE_MC_SETS,
    NGX_HTTP_NUDGE_MC_ERRORS,
    NGX_HTTP_NUDGE_MC_TIMEOUTS,
    NGX_HTTP_NUDGE_MC_CONFLICTS,        /* CAS lost */
    NGX_HTTP_NUDGE_MC_SKIPPED,          /* breaker open or queue full */
    NGX_HTTP_NUDGE_WAITED,              /* requests that waited for it */
    NGX_HTTP_NUDGE_OFFERS_SHOWN,
    NGX_HTTP_NUDGE_SKIP_ENCODED,        /* why a piece was not shown */
    NGX_HTTP_NUDGE_SKIP_CSP,
    NGX_HTTP_NUDGE_SKIP_CHARSET,
    NGX_HTTP_NUDGE_SKIP_FRAGMENT,       /* not a document, or no </body> */
    NGX_HTTP_NUDGE_SKIP_CONSENT,
    NGX_HTTP_NUDGE_SKIP_BOT,
    NGX_HTTP_NUDGE_SKIP_CAP,
    NGX_HTTP_NUDGE_SKIP_CONDITION,
    NGX_HTTP_NUDGE_SKIP_UNKNOWN,        /* session not known in time */
    NGX_HTTP_NUDGE_SKIP_EMPTY,          /* nothing to put into it */
    NGX_HTTP_NUDGE_SKIP_ERROR,          /* template, memory, condition */
    NGX_HTTP_NUDGE_RATE_LIMITED,
    NGX_HTTP_NUDGE_COUNTERS
} ngx_http_nudge_counter_t;


/* a shop: one campaign; several servers may share it */

struct ngx_http_nudge_shop_s {
    ngx_str_t                   campaign;   /* path; empty: capture only */
    ngx_str_t                   path;       /* nudge_path */
    nudge_str_t                 id;         /* "default" without a campaign */
    nudge_bundle_t             *bundle;     /* NULL: capture only */
    ngx_uint_t                  on;         /* mask of offers' "on" */
    ngx_str_t                   assets;     /* version for asset URLs, hex */

    /* per worker, see lookup.c */
    nudge_catalogue_t           catalogue;      /* data NULL: none yet */
    ngx_msec_t                  catalogue_checked;
    ngx_http_nudge_task_t      *catalogue_task;
};


typedef struct {
    ngx_str_t                   state;
    off_t                       state_max;
    ngx_path_t                 *state_path;
    ngx_array_t                *memcached;      /* of ngx_str_t host:port,
                                                   or unix:/path */
    ngx_msec_t                  timeout;        /* smallest of the servers' */
    ngx_str_t                   key_file;
    nudge_keys_t                keys;
    ngx_shm_zone_t             *zone;
    size_t                      zone_size;
    ngx_str_t                   sender;         /* program */
    ngx_flag_t                  sender_on;
    ngx_str_t                   share;          /* installed share directory */
    ngx_str_t                   store;          /* "sqlite:PATH" */
    ngx_array_t                 shops;          /* ngx_http_nudge_shop_t * */
    ngx_array_t                *presets;        /* see setup.c */
    ngx_uint_t                  on;             /* nudge is on somewhere */
} ngx_http_nudge_main_conf_t;


typedef struct {
    ngx_uint_t                  on;             /* in some location here */
    ngx_str_t                   campaign;
    ngx_http_nudge_shop_t      *shop;
    ngx_str_t                   path;           /* "/nudge/" */
    ngx_str_t                   cookie;         /* name */
    ngx_str_t                   cookie_domain;
    ngx_str_t                   cookie_path;
    ngx_uint_t                  cookie_secure;  /* 0 no, 1 yes, 2 by scheme */
    ngx_msec_t                  timeout;
    ngx_array_t                *status;         /* of ngx_cidr_t */
} ngx_http_nudge_srv_conf_t;


/* nudge_event NAME key=value ... [if=$var] */

typedef struct {
    ngx_str_t                   key;            /* "order" */
    ngx_http_complex_value_t    value;
} ngx_http_nudge_param_t;

typedef struct {
    nudge_event_type_t          type;
    ngx_http_complex_value_t   *filter;         /* if= */
    ngx_array_t                 params;         /* ngx_http_nudge_param_t */
} ngx_http_nudge_declared_t;


typedef struct {
    ngx_flag_t                  enable;
    ngx_str_t                   preset_name;
    nudge_preset_t             *preset;         /* NULL: structured data and
                                                   declared events only */
    ngx_array_t                *events;         /* ngx_http_nudge_declared_t */
    ngx_uint_t                  consent;        /* nudge_consent_mode_t */
    ngx_http_complex_value_t   *consent_source;
    size_t                      body_size;
} ngx_http_nudge_loc_conf_t;


struct ngx_http_nudge_ctx_s {
    ngx_http_request_t         *request;
    ngx_http_nudge_shop_t      *shop;
    ngx_http_nudge_loc_conf_t  *conf;           /* of the location that
                                                   switched us on */
    ngx_str_t                   uri;            /* as asked, decoded */
    ngx_str_t                   args;

    /* visitor.c */
    nudge_visitor_t             visitor;
    nudge_storage_t             storage;
    nudge_consent_t             consent;
    uint32_t                    cookie_version; /* as it came; 0: none came */
    unsigned                    on:1;
    unsigned                    identified:1;   /* visitor.id is valid */
    unsigned                    returning:1;    /* a genuine cookie came */
    unsigned                    fresh:1;        /* the id was made just now */
    unsigned                    bot:1;
    unsigned                    navigation:1;   /* D16 */
    unsigned                    prefetch:1;
    unsigned                    gpc:1;
    unsigned                    consent_pending:1;
    unsigned                    consent_changed:1;

    /* module.c, session.c */
    unsigned                    prepared:1;     /* PREACCESS is done */
    unsigned                    waiting:1;      /* parked for memcached */
    unsigned                    known:1;        /* the session is current */
    unsigned                    personal:1;     /* a piece may be due */
    ngx_http_nudge_task_t      *task;
    ngx_event_t                 deadline;

    /* capture.c */
    nudge_exchange_t            x;
    nudge_match_t               match;
    u_char                     *body;           /* copied request body */
    size_t                      body_len;
    size_t                      body_size;
    u_char                     *answer;
    size_t                      answer_len;
    size_t                      answer_size;
    ngx_str_t                   attempt;        /* id of our order_attempt */
    unsigned                    attempt_email:1;
    unsigned                    copy_answer:1;
    unsigned                    captured:1;     /* events are out */
    ngx_array_t                *upstream_events;    /* of ngx_str_t */
    ngx_str_t                   events;         /* names, for $nudge_event */

    /* inject.c */
    nudge_html_t               *html;           /* scanning this response */
    nudge_csp_t                 csp;            /* what the response's allows */
    unsigned                    injecting:1;    /* headers are cleared */
    unsigned                    injected:1;
    ngx_http_nudge_inject_t    *inject;

    /* endpoint.c: set when this request is ours to answer; every filter and
     * the log phase then leave it alone */
    ngx_http_nudge_endpoint_t  *endpoint;

    /* offer.c */
    ngx_str_t                   offer;          /* for $nudge_offer */
    unsigned                    weighed:1;      /* offer_due() has answered */
    unsigned                    due:1;          /* ... yes */
};


/* core's strings and nginx's have the same members */

static ngx_inline nudge_str_t
ngx_http_nudge_str(ngx_str_t s)
{
    nudge_str_t  n;

    n.len = s.len;
    n.data = s.data;

    return n;
}


/* module.c */

extern ngx_module_t  ngx_http_nudge_module;

/* NULL without memory; found again by get_ctx.  Sets request and shop, conf
 * from r's present location, and nothing else */
ngx_http_nudge_ctx_t *ngx_http_nudge_create_ctx(ngx_http_request_t *r,
    ngx_http_nudge_shop_t *shop);
/* survives internal redirects, which wipe r->ctx */
ngx_http_nudge_ctx_t *ngx_http_nudge_get_ctx(ngx_http_request_t *r);
/* a worker's own: scratch memory of whoever handles a request or an answer
 * (capture, offer, endpoint), reset at the start of that work and never kept
 * across a return to the event loop; what those call (session, journal, zone)
 * has memory of its own */
nudge_pool_t *ngx_http_nudge_scratch(void);
nudge_json_t *ngx_http_nudge_json(void);
int64_t ngx_http_nudge_now(void);               /* ms since the epoch */


/* header.c: header lines, whatever the nginx version */

/* all request and response header lines of that name (lower case) are walked;
 * previous NULL gives the first */
ngx_table_elt_t *ngx_http_nudge_header(ngx_list_t *headers, const char *name,
    ngx_table_elt_t *previous);
ngx_int_t ngx_http_nudge_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);
/* Cache-Control becomes "private, no-cache", or stays when the store already
 * said no-store; Expires goes */
ngx_int_t ngx_http_nudge_cache_private(ngx_http_request_t *r);
/* the response may be shared: public, s-maxage or immutable */
ngx_uint_t ngx_http_nudge_cache_shared(ngx_http_request_t *r);
/* the request's If-* and Range lines are taken away */
void ngx_http_nudge_drop_conditions(ngx_http_request_t *r);
ngx_str_t ngx_http_nudge_header_value(ngx_list_t *headers, const char *name);


/* conf.c: directives */

extern ngx_command_t  ngx_http_nudge_commands[];

void *ngx_http_nudge_create_main_conf(ngx_conf_t *cf);
void *ngx_http_nudge_create_srv_conf(ngx_conf_t *cf);
char *ngx_http_nudge_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
void *ngx_http_nudge_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_nudge_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


/* setup.c */

/* "name" or a path; NULL after logging why */
nudge_preset_t *ngx_http_nudge_preset_load(ngx_conf_t *cf, ngx_str_t *name);
/* postconfiguration: defaults, shops, presets, zone, paths */
ngx_int_t ngx_http_nudge_conf_finish(ngx_conf_t *cf,
    ngx_http_nudge_main_conf_t *nmcf);
/* creates a missing key file for the worker user; never under -t.  On reload
 * the keys in force stay when that fails */
ngx_int_t ngx_http_nudge_keys_init(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf);


/* variable.c */

typedef enum {
    NGX_HTTP_NUDGE_VAR_VISITOR = 0,
    NGX_HTTP_NUDGE_VAR_EVENT,
    NGX_HTTP_NUDGE_VAR_CART_TOTAL,
    NGX_HTTP_NUDGE_VAR_CART_ITEMS,
    NGX_HTTP_NUDGE_VAR_OFFER,
    NGX_HTTP_NUDGE_VAR_CONSENT
} ngx_http_nudge_var_t;

ngx_int_t ngx_http_nudge_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* zone.c: keyed blobs with LRU in shared memory, counters, event ids */

typedef enum {
    NGX_HTTP_NUDGE_SESSION = 0,         /* key: shop, 0, visitor */
    NGX_HTTP_NUDGE_PAGE,                /* key: shop, 0, path; data of page.c */
    NGX_HTTP_NUDGE_LIVE,                /* key: shop, 0, product id */
    NGX_HTTP_NUDGE_RATE,                /* key: address */
    NGX_HTTP_NUDGE_KINDS
} ngx_http_nudge_kind_t;

ngx_int_t ngx_http_nudge_zone_init(ngx_shm_zone_t *zone, void *data);
/* copies at most *len bytes, sets *len and *stamp (changes with every set);
 * NGX_OK or NGX_DECLINED */
ngx_int_t ngx_http_nudge_zone_get(ngx_shm_zone_t *zone,
    ngx_http_nudge_kind_t kind, ngx_str_t *key, u_char *buf, size_t *len,
    uint32_t *stamp);
/* NGX_OK; NGX_DECLINED: it is no longer *stamp (0: did not exist) and nothing
 * was written; NGX_ERROR: no memory even after eviction.  stamp NULL: write
 * whatever stands there */
ngx_int_t ngx_http_nudge_zone_set(ngx_shm_zone_t *zone,
    ngx_http_nudge_kind_t kind, ngx_str_t *key, u_char *data, size_t len,
    uint32_t *stamp);
void ngx_http_nudge_zone_delete(ngx_shm_zone_t *zone,
    ngx_http_nudge_kind_t kind, ngx_str_t *key);
void ngx_http_nudge_zone_id(ngx_shm_zone_t *zone, uint64_t *nonce,
    uint64_t *seq);
ngx_atomic_t *ngx_http_nudge_zone_generation(ngx_shm_zone_t *zone);
void ngx_http_nudge_count(ngx_http_nudge_counter_t counter);
/* token bucket: may "key" do one more thing now? */
ngx_uint_t ngx_http_nudge_zone_allow(ngx_shm_zone_t *zone, ngx_str_t *key,
    ngx_uint_t per_second, ngx_uint_t burst);
/* "name":value, ... of all counters and of the zone's fill */
void ngx_http_nudge_zone_status(ngx_shm_zone_t *zone, nudge_buf_t *b);


/* visitor.c */

/* cookie, consent, bot, navigation; fills ctx; never fails the request */
void ngx_http_nudge_visitor_identify(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* in the header filter: adds our Set-Cookie where D14 and D15 allow it */
ngx_int_t ngx_http_nudge_visitor_cookie(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);


/* memcached.c: own threads, own eventfd, breaker; tasks that can be orphaned */

typedef enum {
    NGX_HTTP_NUDGE_MC_GET = 0,
    NGX_HTTP_NUDGE_MC_SET,              /* with cas when cas != 0, else add */
    NGX_HTTP_NUDGE_MC_DELETE,
    NGX_HTTP_NUDGE_MC_CALL              /* runs call() on the thread: for
                                           fdatasync and file reading */
} ngx_http_nudge_op_t;

struct ngx_http_nudge_task_s {
    ngx_http_nudge_op_t         op;
    ngx_http_nudge_task_t      *next;
    void                       *owner;  /* NULL once orphaned; loop side only */
    void                      (*done)(ngx_http_nudge_task_t *task);
    void                      (*call)(ngx_http_nudge_task_t *task);
    void                       *data;   /* malloc()ed for call, freed with
                                           the task */
    u_char                      key[251];
    size_t                      key_len;
    u_char                     *value;  /* malloc()ed, freed with the task */
    size_t                      value_len;
    uint64_t                    cas;
    uint32_t                    expires;    /* seconds */
    ngx_int_t                   rc;     /* NGX_OK, NGX_DECLINED (not there,
                                           or CAS lost), NGX_ERROR */

    ngx_uint_t                  timedout;

    /* memcached.c's own, loop side */
    ngx_uint_t                  server;
    unsigned                    probe:1;
    unsigned                    late:1;
    unsigned                    finishing:1;
};

ngx_int_t ngx_http_nudge_memcached_init(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf);
void ngx_http_nudge_memcached_exit(void);
ngx_http_nudge_task_t *ngx_http_nudge_task_create(ngx_http_nudge_op_t op);
/* NGX_DECLINED: not configured, breaker open or queue full; the task is then
 * still the caller's.  After NGX_OK it belongs to memcached.c, which calls
 * done() in the event loop (unless orphaned) and frees it afterwards; to free
 * it in done() has no effect */
ngx_int_t ngx_http_nudge_task_post(ngx_http_nudge_task_t *task);
void ngx_http_nudge_task_orphan(ngx_http_nudge_task_t *task);
/* the same, because no answer came in time: a failure for the breaker */
void ngx_http_nudge_task_late(ngx_http_nudge_task_t *task);
/* a worker that leaves: runs completions until no operation is pending, for
 * at most "ms" */
void ngx_http_nudge_memcached_drain(ngx_msec_t ms);
void ngx_http_nudge_task_free(ngx_http_nudge_task_t *task);
/* "breaker":"closed|open|half-open", ... */
void ngx_http_nudge_memcached_status(nudge_buf_t *b);


/* session.c */

/* PREACCESS: NGX_OK (ctx->known says whether the session is current) or
 * NGX_AGAIN (parked; resumes the phases by itself, at the latest after
 * nudge_timeout) */
ngx_int_t ngx_http_nudge_session_wait(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* the hot copy, or an empty session; strings live in the pool */
ngx_int_t ngx_http_nudge_session_load(ngx_http_nudge_ctx_t *ctx,
    nudge_pool_t *pool, nudge_session_t *s);
/* applies events to the hot copy (re-reading when another worker was faster)
 * and saves: at once when "now" is set, else within a second */
ngx_int_t ngx_http_nudge_session_apply(ngx_http_nudge_ctx_t *ctx,
    nudge_event_t *events, ngx_uint_t n, ngx_uint_t now);
/* the visitor withdrew: hot copy and memcached document go */
void ngx_http_nudge_session_delete(ngx_http_nudge_ctx_t *ctx);
void ngx_http_nudge_session_exit(void);


/* journal.c */

ngx_int_t ngx_http_nudge_journal_init(ngx_cycle_t *cycle,
    ngx_http_nudge_main_conf_t *nmcf);
void ngx_http_nudge_journal_exit(void);
/* sets ev's id, time and shop, appends.  A trigger flushes before it returns.
 * NGX_OK; NGX_DECLINED: dropped by quota; NGX_ERROR: lost (counted, logged
 * once a minute, a gap record will follow) */
ngx_int_t ngx_http_nudge_journal_append(ngx_http_nudge_shop_t *shop,
    nudge_event_t *ev);
/* append, then fdatasync on a thread; done(data, rc) in the event loop, never
 * before this returns; NGX_OK or NGX_ERROR (done is then not called).  *handle
 * is the task: orphaned, it does not call done() any more */
ngx_int_t ngx_http_nudge_journal_durable(ngx_http_nudge_shop_t *shop,
    nudge_event_t *ev, void (*done)(void *data, ngx_int_t rc), void *data,
    void **handle);
void ngx_http_nudge_journal_status(nudge_buf_t *b);


/* capture.c */

/* PREACCESS: fills ctx->x and ctx->match */
void ngx_http_nudge_capture_request(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* end of PREACCESS: appends order_attempt where an order rule matched */
void ngx_http_nudge_capture_attempt(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* request body filter: copies, never keeps pointers (B4) */
void ngx_http_nudge_capture_body(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in);
/* header filter: what of this response is worth copying */
void ngx_http_nudge_capture_header(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* body filter, before the bytes go on */
void ngx_http_nudge_capture_answer(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in);
/* once per request, at the last buffer or in the log phase */
void ngx_http_nudge_capture_finish(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);


/* declare.c: events the operator or the store declares */

/* names of the parameters both ways of declaring know, NULL at the end */
extern const char  *ngx_http_nudge_declare_params[];

/* nudge_event directives that apply to this response; returns their number */
ngx_uint_t ngx_http_nudge_declare_directives(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool, nudge_event_t *ev,
    ngx_uint_t max);
/* X-Nudge-Event lines are noted in ctx and hidden from the client */
ngx_int_t ngx_http_nudge_declare_take(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
ngx_uint_t ngx_http_nudge_declare_upstream(ngx_http_nudge_ctx_t *ctx,
    nudge_pool_t *pool, nudge_event_t *ev, ngx_uint_t max);


/* offer.c */

/* does this request deserve the price of waiting and of uncacheable headers?
 * decided before the response is known (D1, D2) */
ngx_uint_t ngx_http_nudge_offer_expected(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* the same question once the session is known (after session_wait): 0 means
 * that nothing can be due and the page may stay the store's own, validators
 * and all; counts why */
ngx_uint_t ngx_http_nudge_offer_due(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* the markup for the end of this page: banner and what the script needs; an
 * empty result is usual.  page: kind of page.  Applies caps, journals
 * offer_view.  Allocated in r->pool */
ngx_int_t ngx_http_nudge_offer_page(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_str_t *page, ngx_str_t *html);
/* the popup answering an exit intent on a page of that kind; empty: 204 */
ngx_int_t ngx_http_nudge_offer_exit(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_str_t *page, ngx_str_t *html);
/* the body class told what kind of page stands at this path: remembered, so
 * that the next visitor's request is known for what it is in time */
void ngx_http_nudge_offer_learn(ngx_http_nudge_ctx_t *ctx,
    nudge_str_t *body_class);
/* exit_process, after memcached_exit */
void ngx_http_nudge_offer_exit_worker(ngx_http_nudge_main_conf_t *nmcf);
/* an event of this visitor, with what every event carries filled in */
void ngx_http_nudge_offer_event(ngx_http_nudge_ctx_t *ctx, nudge_event_t *ev,
    nudge_event_type_t type);

/* piece.c: what every template sees: shop, assets, prefix; NULL without
 * memory */
nudge_value_t *ngx_http_nudge_piece_data(ngx_http_nudge_shop_t *shop,
    nudge_pool_t *pool);
/* a path on the shop's own origin, to a browser, too */
ngx_uint_t ngx_http_nudge_piece_path(nudge_str_t *url);


/* live.c: what passed by since the catalogue was written */

/* a product page or cart line was understood: price and stock of this moment,
 * and how it looks; what is unknown keeps what is there */
void ngx_http_nudge_live_set(ngx_http_nudge_shop_t *shop, nudge_item_t *item);
/* fills what is still empty of a cart line or product, copied to the pool */
void ngx_http_nudge_live_fill(ngx_http_nudge_shop_t *shop, nudge_pool_t *pool,
    nudge_item_t *item);
/* a nudge_live_pt; data is the shop */
void ngx_http_nudge_live_product(void *data, nudge_product_t *p);


/* lookup.c: the mapped catalogue */

/* looks for a newer one, at most once a second, on a thread */
void ngx_http_nudge_lookup_refresh(ngx_http_nudge_shop_t *shop);
/* the mapped files go */
void ngx_http_nudge_lookup_exit(ngx_http_nudge_main_conf_t *nmcf);


/* inject.c: the header and body filters for HTML */

ngx_int_t ngx_http_nudge_inject_header(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
/* calls the next body filter itself */
ngx_int_t ngx_http_nudge_inject_body(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);


/* endpoint.c */

/* POST_READ for URIs below nudge_path: NGX_DECLINED or a final result */
ngx_int_t ngx_http_nudge_endpoint(ngx_http_request_t *r,
    ngx_http_nudge_srv_conf_t *nscf);


/* sender.c */

/* registers the state path whose manager starts and supervises the sender */
ngx_int_t ngx_http_nudge_sender_register(ngx_conf_t *cf,
    ngx_http_nudge_main_conf_t *nmcf);
/* reads DIR/status.json on a thread; done, handle and results as for
 * ngx_http_nudge_journal_durable() */
ngx_int_t ngx_http_nudge_sender_refresh(ngx_http_nudge_main_conf_t *nmcf,
    void (*done)(void *data, ngx_int_t rc), void *data, void **handle);
void ngx_http_nudge_sender_exit(void);
/* "sender":{...} from DIR/status.json, as it was read last */
void ngx_http_nudge_sender_status(nudge_buf_t *b);


#endif /* _NGX_HTTP_NUDGE_H_INCLUDED_ */
