
/*
 * Which piece belongs on this response.  Three questions, each asked when its
 * answer is cheapest: may there be one (before the session is known), is one
 * due (before headers leave), and which one (at the mark of the page, or when
 * an exit intent is reported).
 *
 * Promise: never an overlay on a payment or thank-you page, on the first page
 * of a visit or while a consent banner is open, and at most one at a time.
 * Where anything is unknown or fails, nothing is shown and the reason counted.
 */


#include "ngx_http_nudge_offer.h"


#define NGX_HTTP_NUDGE_OFFER_POOL     (1024 * 1024)
#define NGX_HTTP_NUDGE_OFFER_MARKUP   65536
#define NGX_HTTP_NUDGE_OFFER_LEARNED  256       /* a power of two */

#define ngx_http_nudge_on(on)         ((uint32_t) 1 << (on))


typedef struct {
    uint64_t                    hash;
    ngx_uint_t                  kind;   /* index of learned_kinds */
} ngx_http_nudge_learned_t;


static nudge_str_t ngx_http_nudge_offer_page_kind(ngx_http_nudge_ctx_t *ctx);
static uint32_t ngx_http_nudge_offer_mask(nudge_str_t *page,
    ngx_uint_t guess);
static ngx_uint_t ngx_http_nudge_offer_overlay_page(nudge_str_t *page);
static ngx_int_t ngx_http_nudge_offer_visit(ngx_http_nudge_visit_t *v,
    ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx, nudge_str_t *page,
    ngx_uint_t current);
static void ngx_http_nudge_offer_complete(ngx_http_nudge_visit_t *v);
static ngx_uint_t ngx_http_nudge_offer_allowed(ngx_http_nudge_visit_t *v,
    nudge_uint_t n, nudge_facts_t *facts);
static ngx_uint_t ngx_http_nudge_offer_capped(ngx_http_nudge_visit_t *v,
    nudge_offer_t *offer);
static ngx_uint_t ngx_http_nudge_offer_banner_due(ngx_http_nudge_visit_t *v,
    uint32_t mask);
static ngx_uint_t ngx_http_nudge_offer_exit_due(ngx_http_nudge_visit_t *v);
static ngx_int_t ngx_http_nudge_offer_choose(ngx_http_nudge_visit_t *v,
    nudge_kind_t kind, uint32_t mask, nudge_buf_t *b, nudge_offer_t **chosen);
static void ngx_http_nudge_offer_shown(ngx_http_nudge_visit_t *v,
    nudge_offer_t *offer);
static nudge_pool_t *ngx_http_nudge_offer_pool(void);


static nudge_pool_t              *ngx_http_nudge_offer_memory;
static ngx_http_nudge_learned_t   ngx_http_nudge_offer_learned[
                                      NGX_HTTP_NUDGE_OFFER_LEARNED];

/* pages whose path alone may not tell what they are, but must be known */

static const char  *ngx_http_nudge_offer_learned_kinds[] = {
    "", "cart", "checkout", "thankyou", "payment", NULL
};


ngx_uint_t
ngx_http_nudge_offer_expected(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    uint32_t                mask;
    nudge_str_t             page;
    ngx_http_nudge_shop_t  *shop;

    shop = ctx->shop;

    /* the response's own policies are known only later */

    nudge_csp_init(&ctx->csp);

    if (shop == NULL || shop->bundle == NULL || shop->on == 0
        || !(ctx->navigation || ctx->prefetch)
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_POST))
        || ctx->match.payment)
    {
        return 0;
    }

    ngx_http_nudge_lookup_refresh(shop);

    page = ngx_http_nudge_offer_page_kind(ctx);
    mask = ngx_http_nudge_offer_mask(&page, 1);

    if (ngx_http_nudge_offer_overlay_page(&page)) {
        mask |= ngx_http_nudge_on(NUDGE_ON_EXIT_INTENT);
    }

    if (!(mask & shop->on)) {
        return 0;
    }

    if (ctx->bot) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_BOT);
        return 0;
    }

    if (ctx->storage == NUDGE_STORE_NOTHING) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CONSENT);
        return 0;
    }

    return 1;
}


ngx_uint_t
ngx_http_nudge_offer_due(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    nudge_str_t             page;
    ngx_http_nudge_visit_t  v;

    if (ctx->weighed) {
        return ctx->due;
    }

    ctx->weighed = 1;

    if (!ctx->known) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_UNKNOWN);
        return 0;
    }

    page = ngx_http_nudge_offer_page_kind(ctx);

    if (ngx_http_nudge_offer_visit(&v, r, ctx, &page, 1) != NGX_OK) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
        return 0;
    }

    if (ngx_http_nudge_offer_exit_due(&v)
        || ngx_http_nudge_offer_banner_due(&v,
                                         ngx_http_nudge_offer_mask(&page, 1)))
    {
        ctx->due = 1;
        return 1;
    }

    if (v.why != NGX_HTTP_NUDGE_OFFER_NONE) {
        ngx_http_nudge_count(v.why);
    }

    return 0;
}


ngx_int_t
ngx_http_nudge_offer_page(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    nudge_str_t *page, ngx_str_t *html)
{
    ngx_uint_t               script;
    nudge_buf_t              b, piece;
    nudge_str_t              text;
    nudge_offer_t           *banner;
    ngx_http_nudge_visit_t   v;

    ngx_str_null(html);

    if (ctx->shop->bundle == NULL || !ctx->known || ctx->match.payment
        || ngx_http_nudge_offer_visit(&v, r, ctx, page, 1) != NGX_OK
        || nudge_buf_grow(&b, v.pool, 4096, NGX_HTTP_NUDGE_OFFER_MARKUP)
           != NUDGE_OK
        || nudge_buf_grow(&piece, v.pool, 4096, NGX_HTTP_NUDGE_OFFER_MARKUP)
           != NUDGE_OK)
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
        return NGX_ERROR;
    }

    if (ngx_http_nudge_offer_choose(&v, NUDGE_KIND_BANNER,
                                    ngx_http_nudge_offer_mask(page, 0),
                                    &piece, &banner)
        != NGX_OK)
    {
        banner = NULL;
    }

    script = ngx_http_nudge_offer_exit_due(&v);

    if (banner == NULL && !script) {

        if (v.why != NGX_HTTP_NUDGE_OFFER_NONE) {
            ngx_http_nudge_count(v.why);
        }

        return NGX_OK;
    }

    ngx_http_nudge_piece_style(&v, &b);

    if (banner != NULL) {
        text = nudge_buf_result(&piece);
        nudge_buf_str(&b, &text);
    }

    if (script) {
        ngx_http_nudge_piece_script(&v, &b);
    }

    if (ngx_http_nudge_piece_copy(r, &b, html) != NGX_OK) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
        return NGX_ERROR;
    }

    if (banner != NULL) {
        ngx_http_nudge_offer_shown(&v, banner);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_offer_exit(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    nudge_str_t *page, ngx_str_t *html)
{
    nudge_buf_t              b;
    nudge_event_t            ev;
    nudge_offer_t           *popup;
    ngx_http_nudge_visit_t   v;

    ngx_str_null(html);

    if (ctx->shop->bundle == NULL) {
        return NGX_OK;
    }

    if (ctx->bot) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_BOT);
        return NGX_OK;
    }

    if (!ctx->identified || ctx->storage == NUDGE_STORE_NOTHING
        || ctx->consent_pending)
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CONSENT);
        return NGX_OK;
    }

    ngx_http_nudge_lookup_refresh(ctx->shop);

    ngx_http_nudge_offer_event(ctx, &ev, NUDGE_EVENT_EXIT_INTENT);
    ev.page = *page;

    (void) ngx_http_nudge_journal_append(ctx->shop, &ev);

    if (!ctx->known) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_UNKNOWN);
        return NGX_OK;
    }

    if (!ngx_http_nudge_offer_overlay_page(page)) {
        return NGX_OK;
    }

    if (ngx_http_nudge_offer_visit(&v, r, ctx, page, 0) != NGX_OK
        || nudge_buf_grow(&b, v.pool, 4096, NGX_HTTP_NUDGE_OFFER_MARKUP)
           != NUDGE_OK)
    {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
        return NGX_ERROR;
    }

    if (v.facts.pages <= 1) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CONDITION);
        return NGX_OK;
    }

    if (ngx_http_nudge_offer_choose(&v, NUDGE_KIND_POPUP,
                                    ngx_http_nudge_on(NUDGE_ON_EXIT_INTENT),
                                    &b, &popup)
        != NGX_OK)
    {
        if (v.why != NGX_HTTP_NUDGE_OFFER_NONE) {
            ngx_http_nudge_count(v.why);
        }

        return NGX_OK;
    }

    if (ngx_http_nudge_piece_copy(r, &b, html) != NGX_OK) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
        return NGX_ERROR;
    }

    ngx_http_nudge_offer_shown(&v, popup);

    return NGX_OK;
}


/* by its path, or as its body class told when it passed by before */

static nudge_str_t
ngx_http_nudge_offer_page_kind(ngx_http_nudge_ctx_t *ctx)
{
    uint64_t                   hash;
    nudge_str_t                page;
    ngx_http_nudge_learned_t  *l;

    nudge_str_null(&page);

    if (ctx->conf == NULL || ctx->conf->preset == NULL) {
        return page;
    }

    page = nudge_preset_page(ctx->conf->preset, &ctx->x);

    if (page.len) {
        return page;
    }

    hash = nudge_hash(nudge_hash(0, ctx->shop->id.data, ctx->shop->id.len),
                      ctx->x.path.data, ctx->x.path.len);

    l = &ngx_http_nudge_offer_learned[hash
                                      & (NGX_HTTP_NUDGE_OFFER_LEARNED - 1)];

    if (l->hash == hash && l->kind != 0) {
        page = nudge_cstr(ngx_http_nudge_offer_learned_kinds[l->kind]);
    }

    return page;
}


void
ngx_http_nudge_offer_learn(ngx_http_nudge_ctx_t *ctx, nudge_str_t *body_class)
{
    uint64_t                   hash;
    ngx_uint_t                 i;
    nudge_str_t                page, before;
    ngx_http_nudge_learned_t  *l;

    if (ctx->shop->bundle == NULL || body_class->len == 0
        || ctx->conf == NULL || ctx->conf->preset == NULL)
    {
        return;
    }

    before = ctx->x.body_class;
    ctx->x.body_class = *body_class;
    page = nudge_preset_page(ctx->conf->preset, &ctx->x);
    ctx->x.body_class = before;

    for (i = 1; ngx_http_nudge_offer_learned_kinds[i]; i++) {
        if (nudge_str_is(&page, ngx_http_nudge_offer_learned_kinds[i])) {
            break;
        }
    }

    if (ngx_http_nudge_offer_learned_kinds[i] == NULL) {
        return;
    }

    hash = nudge_hash(nudge_hash(0, ctx->shop->id.data, ctx->shop->id.len),
                      ctx->x.path.data, ctx->x.path.len);

    l = &ngx_http_nudge_offer_learned[hash
                                      & (NGX_HTTP_NUDGE_OFFER_LEARNED - 1)];
    l->hash = hash;
    l->kind = i;
}


/* guess: a page of unknown kind may turn out to be a product */

static uint32_t
ngx_http_nudge_offer_mask(nudge_str_t *page, ngx_uint_t guess)
{
    uint32_t  mask;

    if (nudge_str_is(page, "payment")) {
        return 0;
    }

    mask = ngx_http_nudge_on(NUDGE_ON_PAGE);

    if (nudge_str_is(page, "cart")) {
        mask |= ngx_http_nudge_on(NUDGE_ON_CART);

    } else if (nudge_str_is(page, "checkout")) {
        mask |= ngx_http_nudge_on(NUDGE_ON_CHECKOUT);

    } else if (nudge_str_is(page, "product") || (page->len == 0 && guess)) {
        mask |= ngx_http_nudge_on(NUDGE_ON_PRODUCT);
    }

    return mask;
}


static ngx_uint_t
ngx_http_nudge_offer_overlay_page(nudge_str_t *page)
{
    return !nudge_str_is(page, "payment") && !nudge_str_is(page, "thankyou");
}


/*
 * current: this response is a page and not yet among the pages counted.  What
 * is loaded stays in the offer pool until the next visit is looked at.
 */

static ngx_int_t
ngx_http_nudge_offer_visit(ngx_http_nudge_visit_t *v, ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, nudge_str_t *page, ngx_uint_t current)
{
    nudge_facts_t    *facts;
    nudge_session_t  *s;

    ngx_memzero(v, sizeof(ngx_http_nudge_visit_t));

    v->request = r;
    v->ctx = ctx;
    v->shop = ctx->shop;
    v->now = ngx_http_nudge_now();
    v->why = NGX_HTTP_NUDGE_OFFER_NONE;

    v->pool = ngx_http_nudge_offer_pool();
    if (v->pool == NULL) {
        return NGX_ERROR;
    }

    s = &v->session;

    if (ngx_http_nudge_session_load(ctx, v->pool, s) != NGX_OK
        || nudge_session_cart(s, v->pool, &v->cart) != NUDGE_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_nudge_offer_complete(v);

    facts = &v->facts;

    facts->cart_total = v->cart.n ? v->cart.total : 0;
    facts->cart_items = v->cart.items;
    facts->pages = (int64_t) s->pages + (current ? 1 : 0);
    facts->visits = s->visits;
    facts->viewed = s->nviewed;
    facts->page = *page;
    facts->subscribed = s->subscribed;
    facts->ordered = (s->ordered != 0
                      && v->now - s->ordered < 24 * 3600 * (int64_t) 1000);
    facts->person = (ctx->storage == NUDGE_STORE_PERSON);

    return NGX_OK;
}


/* what the store's cart answers left out, the catalogue may know */

static void
ngx_http_nudge_offer_complete(ngx_http_nudge_visit_t *v)
{
    nudge_item_t     *line;
    nudge_uint_t      i;
    nudge_money_t     total;
    nudge_product_t   p;

    total = 0;

    for (i = 0; i < v->cart.n; i++) {
        line = &v->cart.lines[i];

        if (v->shop->catalogue.data != NULL
            && (nudge_catalogue_find(&v->shop->catalogue, &line->id, &p)
                == NUDGE_OK
                || (line->parent.len
                    && nudge_catalogue_find(&v->shop->catalogue,
                                            &line->parent, &p)
                       == NUDGE_OK)))
        {
            if (line->name.len == 0) {
                line->name = p.item.name;
            }

            if (line->url.len == 0) {
                line->url = p.item.url;
            }

            if (line->image.len == 0) {
                line->image = p.item.image;
            }

            if (line->price == NUDGE_MONEY_NONE) {
                ngx_http_nudge_live_product(v->shop, &p);

                line->price = p.item.price;
                line->currency = p.item.currency;
            }
        }

        ngx_http_nudge_live_fill(v->shop, v->pool, line);

        if (line->currency.len == 0) {

            /* most answers do not say: a shop has one */

            line->currency = v->shop->bundle->campaign->shop.currency;
        }

        if (line->price == NUDGE_MONEY_NONE) {
            total = NUDGE_MONEY_NONE;
        }

        if (total != NUDGE_MONEY_NONE) {
            total += line->price * line->quantity;
        }

        if (v->cart.currency.len == 0) {
            v->cart.currency = line->currency;
        }
    }

    if (v->cart.total == NUDGE_MONEY_NONE) {
        v->cart.total = total;
    }
}


/* caps and conditions; why not is noted */

static ngx_uint_t
ngx_http_nudge_offer_allowed(ngx_http_nudge_visit_t *v, nudge_uint_t n,
    nudge_facts_t *facts)
{
    nudge_uint_t       failed;
    nudge_offer_t     *offer;
    nudge_campaign_t  *c;

    c = v->shop->bundle->campaign;
    offer = &c->offers[n];

    if (ngx_http_nudge_offer_capped(v, offer)) {
        v->why = NGX_HTTP_NUDGE_SKIP_CAP;
        return 0;
    }

    failed = 0;

    if (nudge_campaign_offer(c, n, facts, &failed)) {
        return 1;
    }

    v->why = NGX_HTTP_NUDGE_SKIP_CONDITION;

    if (failed) {
        v->why = NGX_HTTP_NUDGE_SKIP_ERROR;

        ngx_log_error(NGX_LOG_ERR, v->request->connection->log, 0,
                      "nudge: condition of offer \"%*s\" failed, the offer "
                      "is off until the next reload",
                      offer->name.len, offer->name.data);
    }

    return 0;
}


static ngx_uint_t
ngx_http_nudge_offer_capped(ngx_http_nudge_visit_t *v, nudge_offer_t *offer)
{
    nudge_uint_t   i;
    nudge_seen_t  *seen;

    for (i = 0; i < v->session.nseen; i++) {
        seen = &v->session.seen[i];

        if (!nudge_str_eq(&seen->offer, &offer->name)) {
            continue;
        }

        if (seen->done) {
            return 1;
        }

        return offer->cap != 0 && seen->count >= offer->cap
               && (offer->cap_per == 0
                   || v->now - seen->first < offer->cap_per * 1000);
    }

    return 0;
}


static ngx_uint_t
ngx_http_nudge_offer_banner_due(ngx_http_nudge_visit_t *v, uint32_t mask)
{
    nudge_uint_t       i;
    nudge_campaign_t  *c;

    c = v->shop->bundle->campaign;

    for (i = 0; i < c->noffers; i++) {

        if (c->offers[i].kind == NUDGE_KIND_BANNER
            && (c->offers[i].on & mask)
            && ngx_http_nudge_offer_allowed(v, i, &v->facts))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Does this page need the script?  The cart may still change on the page
 * itself, so the question is also asked as if it were full; the answer that
 * counts is given when the exit intent comes.
 */

static ngx_uint_t
ngx_http_nudge_offer_exit_due(ngx_http_nudge_visit_t *v)
{
    nudge_uint_t       i;
    nudge_facts_t      full;
    nudge_campaign_t  *c;

    if (!ngx_http_nudge_offer_overlay_page(&v->facts.page)
        || !v->ctx->csp.script)
    {
        return 0;
    }

    c = v->shop->bundle->campaign;

    full = v->facts;
    full.cart_total = (nudge_money_t) 1000000000 * NUDGE_MONEY_UNIT;
    full.cart_items = 1000;

    for (i = 0; i < c->noffers; i++) {

        if (c->offers[i].kind != NUDGE_KIND_POPUP
            || !(c->offers[i].on & ngx_http_nudge_on(NUDGE_ON_EXIT_INTENT)))
        {
            continue;
        }

        if (v->ctx->consent_pending) {
            v->why = NGX_HTTP_NUDGE_SKIP_CONSENT;
            return 0;
        }

        if (v->facts.pages <= 1) {
            v->why = NGX_HTTP_NUDGE_SKIP_CONDITION;
            return 0;
        }

        if (ngx_http_nudge_offer_allowed(v, i, &v->facts)
            || ngx_http_nudge_offer_allowed(v, i, &full))
        {
            return 1;
        }
    }

    return 0;
}


/* the first offer in the campaign's order that may be shown and renders */

static ngx_int_t
ngx_http_nudge_offer_choose(ngx_http_nudge_visit_t *v, nudge_kind_t kind,
    uint32_t mask, nudge_buf_t *b, nudge_offer_t **chosen)
{
    nudge_uint_t       i;
    nudge_offer_t     *offer;
    nudge_campaign_t  *c;

    *chosen = NULL;

    c = v->shop->bundle->campaign;

    for (i = 0; i < c->noffers; i++) {
        offer = &c->offers[i];

        if (offer->kind != kind || !(offer->on & mask)
            || !ngx_http_nudge_offer_allowed(v, i, &v->facts))
        {
            continue;
        }

        b->pos = b->start;
        b->full = 0;

        if (ngx_http_nudge_piece_render(v, offer, b) == NGX_OK) {
            *chosen = offer;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* a prefetched page may never be looked at: it spends no cap (D16) */

static void
ngx_http_nudge_offer_shown(ngx_http_nudge_visit_t *v, nudge_offer_t *offer)
{
    nudge_event_t          ev;
    ngx_http_nudge_ctx_t  *ctx;

    ctx = v->ctx;

    ngx_http_nudge_offer_event(ctx, &ev, NUDGE_EVENT_OFFER_VIEW);

    ev.offer = offer->name;
    ev.page = v->facts.page;

    (void) ngx_http_nudge_journal_append(ctx->shop, &ev);

    if (!ctx->prefetch && ev.visitor.len) {

        /* where the counting of a cap begins anew */

        if (offer->cap_per > 0) {
            ev.from = v->now - offer->cap_per * 1000;
        }

        (void) ngx_http_nudge_session_apply(ctx, &ev, 1, 0);
    }

    ctx->offer.len = offer->name.len;
    ctx->offer.data = offer->name.data;

    ngx_http_nudge_count(NGX_HTTP_NUDGE_OFFERS_SHOWN);
}


void
ngx_http_nudge_offer_event(ngx_http_nudge_ctx_t *ctx, nudge_event_t *ev,
    nudge_event_type_t type)
{
    ngx_memzero(ev, sizeof(nudge_event_t));

    ev->type = type;
    ev->value = NUDGE_MONEY_NONE;
    ev->time = ngx_http_nudge_now();
    ev->shop = ctx->shop->id;

    if (ctx->identified && ctx->storage != NUDGE_STORE_NOTHING) {
        ev->visitor.data = ctx->visitor.id;
        ev->visitor.len = NUDGE_VISITOR_ID;
    }

    ev->tentative = ctx->prefetch;
    ev->bot = ctx->bot;
    ev->joinable = (ctx->storage == NUDGE_STORE_PERSON);

    /* without arguments: they carry keys and tokens */

    if (ctx->endpoint == NULL) {
        ev->url = ngx_http_nudge_str(ctx->uri);
    }
}


/*
 * Not the worker's scratch pool: the markup has to outlive the journalling of
 * its own showing, and the body filter runs in the middle of other work.
 */

static nudge_pool_t *
ngx_http_nudge_offer_pool(void)
{
    if (ngx_http_nudge_offer_memory == NULL) {
        ngx_http_nudge_offer_memory =
                                 nudge_pool_create(NGX_HTTP_NUDGE_OFFER_POOL);
        return ngx_http_nudge_offer_memory;
    }

    nudge_pool_reset(ngx_http_nudge_offer_memory);

    return ngx_http_nudge_offer_memory;
}


void
ngx_http_nudge_offer_exit_worker(ngx_http_nudge_main_conf_t *nmcf)
{
    ngx_http_nudge_lookup_exit(nmcf);

    if (ngx_http_nudge_offer_memory != NULL) {
        nudge_pool_destroy(ngx_http_nudge_offer_memory);
        ngx_http_nudge_offer_memory = NULL;
    }
}
