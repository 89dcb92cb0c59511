
/*
 * What is happening?  The request and its response, as far as a preset's rule
 * or the page itself makes them interesting, become events.  Bytes are copied
 * as they pass and never delayed; an exchange that may change a cart or an
 * order is understood before its last byte is sent, so that the shopper's next
 * request finds everything in place; ordinary views wait for the log phase.
 */


#include "ngx_http_nudge.h"

#include <sys/random.h>


#define NGX_HTTP_NUDGE_EVENTS_MAX   24
#define NGX_HTTP_NUDGE_ANSWER_MAX   65536
#define NGX_HTTP_NUDGE_PAGE_REPORT  (60 * 60 * 1000)


/* the zone's value for a page known to show one product */

typedef struct {
    uint64_t                    hash;           /* of its JSON-LD */
    int64_t                     reported;       /* in full, ms */
    u_char                      id_len;
    u_char                      id[63];
} ngx_http_nudge_page_t;


static void ngx_http_nudge_capture_copy(u_char *dst, size_t size,
    size_t *len, unsigned *cut, ngx_chain_t *in);
static void ngx_http_nudge_capture_event(nudge_event_t *ev,
    nudge_event_type_t type);
static ngx_uint_t ngx_http_nudge_capture_page(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool, nudge_event_t *ev);
static ngx_uint_t ngx_http_nudge_capture_product(ngx_http_nudge_ctx_t *ctx,
    nudge_pool_t *pool, nudge_item_t *item);
static void ngx_http_nudge_capture_outcome(ngx_http_nudge_ctx_t *ctx,
    nudge_event_t *ev, ngx_uint_t n);
static nudge_str_t ngx_http_nudge_capture_url(ngx_http_request_t *r);
static ngx_uint_t ngx_http_nudge_capture_wanted(ngx_http_nudge_ctx_t *ctx,
    nudge_event_t *ev);
static void ngx_http_nudge_capture_emit(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_event_t *ev, ngx_uint_t n);


void
ngx_http_nudge_capture_request(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    nudge_exchange_t  *x;

    x = &ctx->x;

    x->method = ngx_http_nudge_str(r->method_name);
    x->path = ngx_http_nudge_str(ctx->uri);
    x->args = ngx_http_nudge_str(ctx->args);
    x->host = ngx_http_nudge_str(r->headers_in.server);

    if (r->headers_in.host != NULL) {

        /* with its port: the store's own links have it, too */

        x->host = ngx_http_nudge_str(r->headers_in.host->value);
    }

    x->navigation = ctx->navigation;

    if (r->headers_in.content_type != NULL) {
        x->content_type = ngx_http_nudge_str(r->headers_in.content_type->value);
    }

    if (ctx->conf->preset == NULL) {
        return;
    }

    nudge_preset_match(ctx->conf->preset, x, &ctx->match);

    if (ctx->match.payment) {

        /* never read there, whatever else a rule wants (D15) */

        ctx->match.body = 0;
        ctx->match.answer = 0;
    }
}


void
ngx_http_nudge_capture_attempt(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    u_char           random[8];
    nudge_event_t    ev;
    nudge_session_t  s;

    if (!ctx->match.change) {
        return;
    }

    if (ctx->identified) {

        /* raised whether or not the store agrees: success is not known when
         * the response header with our cookie leaves (D2) */

        nudge_pool_reset(ngx_http_nudge_scratch());

        if (ngx_http_nudge_session_load(ctx, ngx_http_nudge_scratch(), &s)
            == NGX_OK && s.version > ctx->visitor.version)
        {
            ctx->visitor.version = s.version;
        }

        ctx->visitor.version++;
    }

    if (!ctx->match.order) {
        return;
    }

    ctx->attempt.data = ngx_pnalloc(r->pool, 2 * sizeof(random));

    if (ctx->attempt.data == NULL
        || getrandom(random, sizeof(random), GRND_NONBLOCK)
           != sizeof(random))
    {
        ctx->attempt.len = 0;
        return;
    }

    ctx->attempt.len = 2 * sizeof(random);
    ngx_hex_dump(ctx->attempt.data, random, sizeof(random));

    ngx_http_nudge_capture_event(&ev, NUDGE_EVENT_ORDER_ATTEMPT);

    ngx_http_nudge_capture_emit(r, ctx, &ev, 1);
}


static void
ngx_http_nudge_capture_event(nudge_event_t *ev, nudge_event_type_t type)
{
    ngx_memzero(ev, sizeof(nudge_event_t));

    ev->type = type;
    ev->value = NUDGE_MONEY_NONE;
}


/*
 * Buffers of either direction: what fits is copied, the rest only counted as
 * cut.  A buffer in a file was in memory before or is nothing a form has.
 */

static void
ngx_http_nudge_capture_copy(u_char *dst, size_t size, size_t *len,
    unsigned *cut, ngx_chain_t *in)
{
    size_t  n;

    for ( /* void */ ; in != NULL; in = in->next) {

        if (!ngx_buf_in_memory(in->buf)) {
            if (ngx_buf_size(in->buf) != 0) {
                *cut = 1;
            }
            continue;
        }

        n = in->buf->last - in->buf->pos;

        if (n > size - *len) {
            n = size - *len;
            *cut = 1;
        }

        ngx_memcpy(dst + *len, in->buf->pos, n);
        *len += n;
    }
}


void
ngx_http_nudge_capture_body(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_chain_t *in)
{
    unsigned        cut;
    nudge_str_t     email;
    ngx_chain_t    *cl;
    nudge_event_t   ev;

    if (ctx->body == NULL) {
        ctx->body_size = ctx->conf->body_size;

        /* of a chunked body nginx counts what has come so far */

        if (!r->headers_in.chunked && r->headers_in.content_length_n > 0
            && r->headers_in.content_length_n < (off_t) ctx->body_size)
        {
            ctx->body_size = (size_t) r->headers_in.content_length_n;
        }

        ctx->body = ngx_palloc(r->pool, ctx->body_size);
        if (ctx->body == NULL) {
            ctx->match.body = 0;
            return;
        }
    }

    cut = ctx->x.body_cut;
    ngx_http_nudge_capture_copy(ctx->body, ctx->body_size, &ctx->body_len,
                                &cut, in);

    if (cut && !ctx->x.body_cut) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_BODIES_CUT);
    }

    ctx->x.body_cut = cut;
    ctx->x.body.data = ctx->body;
    ctx->x.body.len = ctx->body_len;

    if (!ctx->match.order || ctx->attempt.len == 0 || ctx->attempt_email) {
        return;
    }

    for (cl = in; cl != NULL; cl = cl->next) {
        if (cl->buf->last_buf) {
            break;
        }
    }

    if (cl == NULL && ctx->body_len < ctx->body_size) {
        return;
    }

    /* the address makes the attempt hold on the buyer's other devices too */

    ctx->attempt_email = 1;

    nudge_pool_reset(ngx_http_nudge_scratch());

    email = nudge_preset_order_email(ctx->conf->preset, &ctx->match, &ctx->x,
                                     ngx_http_nudge_json(),
                                     ngx_http_nudge_scratch());
    if (email.len == 0) {
        return;
    }

    ngx_http_nudge_capture_event(&ev, NUDGE_EVENT_ORDER_ATTEMPT);
    ev.email = email;

    ngx_http_nudge_capture_emit(r, ctx, &ev, 1);
}


void
ngx_http_nudge_capture_header(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    size_t             size;
    ngx_uint_t         n;
    nudge_str_t       *cookies;
    ngx_table_elt_t   *h;
    nudge_exchange_t  *x;

    x = &ctx->x;

    x->status = r->headers_out.status;
    x->answer_type = ngx_http_nudge_str(r->headers_out.content_type);

    if (ctx->match.n == 0) {
        return;
    }

    /* by name: upstream sets headers_out.location only when it rewrote it */

    x->location = ngx_http_nudge_str(
                    ngx_http_nudge_header_value(&r->headers_out.headers,
                                                "location"));

    n = 0;
    h = NULL;

    while ((h = ngx_http_nudge_header(&r->headers_out.headers, "set-cookie",
                                      h))
           != NULL)
    {
        n++;
    }

    cookies = (n == 0) ? NULL : ngx_palloc(r->pool, n * sizeof(nudge_str_t));

    if (cookies != NULL) {
        n = 0;

        while ((h = ngx_http_nudge_header(&r->headers_out.headers,
                                          "set-cookie", h))
               != NULL)
        {
            cookies[n++] = ngx_http_nudge_str(h->value);
        }

        x->set_cookie = cookies;
        x->nset_cookie = n;
    }

    if (ctx->match.answer && !r->header_only
        && r->headers_out.content_encoding == NULL
        && nudge_str_find(&x->answer_type, "json") != NULL)
    {
        size = NGX_HTTP_NUDGE_ANSWER_MAX;

        if (r->headers_out.content_length_n >= 0
            && r->headers_out.content_length_n < (off_t) size)
        {
            size = (size_t) r->headers_out.content_length_n;
        }

        ctx->answer_size = size;
        ctx->answer = ngx_palloc(r->pool, size + 1);

        if (ctx->answer != NULL) {
            ctx->copy_answer = 1;
            r->main_filter_need_in_memory = 1;
            return;
        }
    }

    if (ctx->match.change && r->method != NGX_HTTP_GET) {

        /* the header says all there is to know: a page that follows already
         * finds the new cart.  A page asked for by GET is a view as well, and
         * rules may ask for its class: it is understood when it has passed. */

        ngx_http_nudge_capture_finish(r, ctx);
    }
}


void
ngx_http_nudge_capture_answer(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in)
{
    unsigned      cut;
    ngx_chain_t  *cl;

    cut = ctx->x.answer_cut;
    ngx_http_nudge_capture_copy(ctx->answer, ctx->answer_size,
                                &ctx->answer_len, &cut, in);
    ctx->x.answer_cut = cut;

    for (cl = in; cl != NULL; cl = cl->next) {
        if (cl->buf->last_buf) {
            ctx->copy_answer = 0;
            ctx->x.answer.data = ctx->answer;
            ctx->x.answer.len = ctx->answer_len;

            ngx_http_nudge_capture_finish(r, ctx);
            return;
        }
    }
}


void
ngx_http_nudge_capture_finish(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx)
{
    ngx_uint_t        n;
    nudge_int_t       rc;
    nudge_pool_t     *pool;
    nudge_event_t     ev[NGX_HTTP_NUDGE_EVENTS_MAX];
    nudge_session_t   before;

    if (ctx->captured) {
        return;
    }

    ctx->captured = 1;

    pool = ngx_http_nudge_scratch();
    nudge_pool_reset(pool);

    ngx_memzero(ev, sizeof(ev));

    if (ngx_http_nudge_session_load(ctx, pool, &before) != NGX_OK) {
        nudge_session_init(&before, ngx_http_nudge_now());
    }

    if (ctx->html != NULL) {
        ctx->x.body_class = ctx->html->body_class;
    }

    n = 0;

    if (ctx->match.n != 0) {
        rc = nudge_preset_events(ctx->conf->preset, &ctx->match, &ctx->x,
                                 ngx_http_nudge_json(), pool, &before, ev,
                                 NGX_HTTP_NUDGE_EVENTS_MAX - 4);
        if (rc > 0) {
            n = rc;
        }
    }

    ngx_http_nudge_capture_outcome(ctx, ev, n);

    n += ngx_http_nudge_declare_directives(r, ctx, pool, ev + n,
                                        NGX_HTTP_NUDGE_EVENTS_MAX - 3 - n);
    n += ngx_http_nudge_declare_upstream(ctx, pool, ev + n,
                                         NGX_HTTP_NUDGE_EVENTS_MAX - 3 - n);
    n += ngx_http_nudge_capture_page(r, ctx, pool, ev + n);

    if (ctx->consent_changed) {
        ngx_http_nudge_capture_event(&ev[n], NUDGE_EVENT_CONSENT);
        nudge_str_set(&ev[n].reason, "withdrawn");

        if (ctx->storage == NUDGE_STORE_PERSON) {
            nudge_str_set(&ev[n].reason, "granted");
        }

        n++;
    }

    if (n != 0 || ctx->match.change) {
        ngx_http_nudge_capture_emit(r, ctx, ev, n);
    }

    if (ctx->storage == NUDGE_STORE_NOTHING && ctx->returning) {
        ngx_http_nudge_session_delete(ctx);
    }
}


/*
 * The outcome of an order names the attempt it resolves.  What is neither a
 * purchase nor a failure the preset knows stays open, and open attempts hold
 * every message for a day (D6).
 */

static void
ngx_http_nudge_capture_outcome(ngx_http_nudge_ctx_t *ctx, nudge_event_t *ev,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    if (ctx->attempt.len == 0) {
        return;
    }

    for (i = 0; i < n; i++) {
        if (ev[i].type == NUDGE_EVENT_PURCHASE
            || ev[i].type == NUDGE_EVENT_ORDER_FAILED)
        {
            ev[i].attempt = ngx_http_nudge_str(ctx->attempt);
        }
    }
}


/*
 * A view is a navigation that got a document (D16).  The product it shows is
 * parsed from its structured data only when those bytes are new for this URL.
 */

static ngx_uint_t
ngx_http_nudge_capture_page(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    nudge_pool_t *pool, nudge_event_t *ev)
{
    ngx_uint_t         n;
    nudge_str_t        page;
    nudge_item_t      *item;
    nudge_exchange_t  *x;

    x = &ctx->x;

    if (!ctx->navigation || r->method != NGX_HTTP_GET || x->status != 200
        || ctx->html == NULL || !ctx->html->document || ctx->match.payment)
    {
        return 0;
    }

    nudge_str_null(&page);

    if (ctx->conf->preset != NULL) {
        page = nudge_preset_page(ctx->conf->preset, x);
    }

    ngx_http_nudge_capture_event(&ev[0], NUDGE_EVENT_PAGE_VIEW);
    ev[0].page = page;
    ev[0].tentative = ctx->prefetch;
    n = 1;

    if (nudge_str_is(&page, "checkout")) {
        ngx_http_nudge_capture_event(&ev[n], NUDGE_EVENT_BEGIN_CHECKOUT);
        ev[n].page = page;
        n++;
    }

    item = nudge_pcalloc(pool, sizeof(nudge_item_t));

    if (item != NULL && ngx_http_nudge_capture_product(ctx, pool, item)) {
        ngx_http_nudge_capture_event(&ev[n], NUDGE_EVENT_VIEW_ITEM);
        ev[n].tentative = ctx->prefetch;
        ev[n].page = page;
        ev[n].items = item;
        ev[n].nitems = 1;
        n++;
    }

    return n;
}


static ngx_uint_t
ngx_http_nudge_capture_product(ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool,
    nudge_item_t *item)
{
    size_t                        len;
    u_char                       *p;
    int64_t                       now;
    ngx_str_t                     key;
    ngx_uint_t                    i;
    nudge_str_t                   id, blocks[NUDGE_HTML_LD_BLOCKS];
    nudge_html_t                 *html;
    ngx_http_nudge_page_t         known;
    ngx_http_nudge_main_conf_t   *nmcf;

    html = ctx->html;

    if (html->nld == 0) {
        return 0;
    }

    nmcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_nudge_module);
    now = ngx_http_nudge_now();

    key.len = ctx->shop->id.len + 1 + ctx->uri.len;
    key.data = nudge_palloc(pool, key.len);
    if (key.data == NULL) {
        return 0;
    }

    p = ngx_cpymem(key.data, ctx->shop->id.data, ctx->shop->id.len);
    *p++ = '\0';
    ngx_memcpy(p, ctx->uri.data, ctx->uri.len);

    len = sizeof(known);

    if (ngx_http_nudge_zone_get(nmcf->zone, NGX_HTTP_NUDGE_PAGE, &key,
                                (u_char *) &known, &len, NULL)
        == NGX_OK
        && len == sizeof(known) && known.hash == html->ld_hash
        && now - known.reported < NGX_HTTP_NUDGE_PAGE_REPORT
        && known.id_len <= sizeof(known.id))
    {
        if (known.id_len == 0) {
            return 0;
        }

        item->id.data = nudge_palloc(pool, known.id_len);
        if (item->id.data == NULL) {
            return 0;
        }

        item->id.len = known.id_len;
        ngx_memcpy(item->id.data, known.id, known.id_len);
        item->price = NUDGE_MONEY_NONE;

        return 1;
    }

    for (i = 0; i < html->nld; i++) {
        blocks[i].data = html->ld + html->block[i].start;
        blocks[i].len = html->block[i].len;
    }

    ngx_memzero(&known, sizeof(known));
    known.hash = html->ld_hash;
    known.reported = now;

    if (nudge_page_product(ngx_http_nudge_json(), pool, blocks, html->nld,
                           &ctx->x.host, item)
        == NUDGE_OK)
    {
        if (ctx->conf->preset != NULL) {
            id = nudge_preset_page_id(ctx->conf->preset, &ctx->x);
            if (id.len) {
                item->id = id;
            }
        }

        item->url = ngx_http_nudge_capture_url(ctx->request);

        if (item->id.len && item->id.len <= sizeof(known.id)) {
            known.id_len = (u_char) item->id.len;
            ngx_memcpy(known.id, item->id.data, item->id.len);
        }
    }

    (void) ngx_http_nudge_zone_set(nmcf->zone, NGX_HTTP_NUDGE_PAGE, &key,
                                   (u_char *) &known, sizeof(known), NULL);

    if (known.id_len == 0) {
        return 0;
    }

    ngx_http_nudge_live_set(ctx->shop, item);

    return 1;
}


/* the path as it was asked for, escaped as it was: fit for a link */

static nudge_str_t
ngx_http_nudge_capture_url(ngx_http_request_t *r)
{
    u_char       *p;
    nudge_str_t   url;

    url = ngx_http_nudge_str(r->unparsed_uri);

    p = ngx_strlchr(url.data, url.data + url.len, '?');
    if (p != NULL) {
        url.len = p - url.data;
    }

    return url;
}


/* what consent and common sense leave of an event (D15, D16) */

static ngx_uint_t
ngx_http_nudge_capture_wanted(ngx_http_nudge_ctx_t *ctx, nudge_event_t *ev)
{
    ngx_uint_t  order;

    order = (ev->type == NUDGE_EVENT_ORDER_ATTEMPT
             || ev->type == NUDGE_EVENT_PURCHASE
             || ev->type == NUDGE_EVENT_ORDER_FAILED
             || ev->type == NUDGE_EVENT_REFUND);

    /* orders stop messages and are noted whoever makes them, a payment
     * provider's callback included */

    if (order) {
        return 1;
    }

    if (ev->type == NUDGE_EVENT_CONSENT) {
        return ctx->returning;
    }

    if (ctx->storage == NUDGE_STORE_NOTHING || !ctx->identified || ctx->bot) {
        return 0;
    }

    if (ctx->storage == NUDGE_STORE_VISIT) {

        /* nothing joins a person */

        if (ev->type == NUDGE_EVENT_IDENTIFY) {
            return 0;
        }

        nudge_str_null(&ev->email);
    }

    return 1;
}


static void
ngx_http_nudge_capture_emit(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    nudge_event_t *ev, ngx_uint_t n)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i, j, kept;
    const char  *name;

    kept = 0;
    len = 0;

    for (i = 0; i < n; i++) {

        if (!ngx_http_nudge_capture_wanted(ctx, &ev[i])) {
            continue;
        }

        if (ctx->storage != NUDGE_STORE_NOTHING
            || ev[i].type == NUDGE_EVENT_CONSENT)
        {
            if (ctx->identified || ctx->returning) {
                ev[i].visitor.data = ctx->visitor.id;
                ev[i].visitor.len = NUDGE_VISITOR_ID;
            }
        }

        ev[i].bot = ctx->bot;
        ev[i].joinable = (ctx->storage == NUDGE_STORE_PERSON);

        if (ev[i].type == NUDGE_EVENT_ORDER_ATTEMPT) {
            ev[i].attempt = ngx_http_nudge_str(ctx->attempt);
        }

        if (ev[i].url.len == 0) {

            /* without arguments: they carry keys and tokens */

            ev[i].url = ngx_http_nudge_capture_url(r);
        }

        for (j = 0; j < ev[i].ncart; j++) {
            ngx_http_nudge_live_set(ctx->shop, &ev[i].cart[j]);
        }

        (void) ngx_http_nudge_journal_append(ctx->shop, &ev[i]);

        len += ngx_strlen(nudge_event_name(ev[i].type)) + 1;
        ev[kept++] = ev[i];
    }

    if (ctx->identified && (kept || ctx->match.change)) {
        (void) ngx_http_nudge_session_apply(ctx, ev, kept,
                                   ctx->match.change || ctx->consent_changed);
    }

    if (kept == 0) {
        return;
    }

    p = ngx_pnalloc(r->pool, ctx->events.len + len + 1);
    if (p == NULL) {
        return;
    }

    len = ctx->events.len;

    if (len != 0) {
        ngx_memcpy(p, ctx->events.data, len);
    }

    ctx->events.data = p;
    p += len;

    for (i = 0; i < kept; i++) {
        name = nudge_event_name(ev[i].type);

        if (p != ctx->events.data) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, name, ngx_strlen(name));
    }

    ctx->events.len = p - ctx->events.data;
}
