
/*
 * Putting a piece into a stream of bufs, before the "</body" that ends the
 * page.
 *
 * Promise: bytes leave in the call they came in, except for at most
 * NUDGE_HTML_HOLD bytes that may be the beginning of the mark; apart from the
 * piece they are the store's own, bit for bit, with every flush and last flag
 * in its place.  Where memory runs out, the rest of the page passes as it is.
 */


#include "ngx_http_nudge_rewrite.h"


/* a buf of ours with room for bytes that were held back */

typedef struct {
    ngx_buf_t                   buf;
    u_char                      area[NUDGE_HTML_HOLD];
} ngx_http_nudge_rewrite_buf_t;


struct ngx_http_nudge_inject_s {
    ngx_chain_t                *free;
    ngx_chain_t                *busy;
    ngx_chain_t                *out;
    ngx_chain_t               **last_out;

    /* lets the held bytes go when nothing else can be allocated */
    ngx_chain_t                *spare;

    ngx_str_t                   piece;
    nudge_uint_t                held;
    u_char                      hold[NUDGE_HTML_HOLD];

    unsigned                    passing:1;      /* nothing to put in any more */
};


static ngx_int_t ngx_http_nudge_rewrite_one(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_buf_t *buf);
static void ngx_http_nudge_rewrite_feed(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_buf_t *buf);
static ngx_int_t ngx_http_nudge_rewrite_split(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx, ngx_buf_t *buf, uint64_t start);
static ngx_int_t ngx_http_nudge_rewrite_keep(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, ngx_buf_t *buf, size_t hold);
static void ngx_http_nudge_rewrite_piece(ngx_http_request_t *r,
    ngx_http_nudge_ctx_t *ctx);
static ngx_buf_t *ngx_http_nudge_rewrite_buf(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic);
static ngx_int_t ngx_http_nudge_rewrite_link(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, ngx_buf_t *buf);
static ngx_int_t ngx_http_nudge_rewrite_held(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, u_char *pos, size_t len);
static ngx_int_t ngx_http_nudge_rewrite_part(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, ngx_buf_t *buf, u_char *pos, u_char *last,
    ngx_uint_t final);
static void ngx_http_nudge_rewrite_give_up(ngx_http_nudge_inject_t *ic);
static ngx_int_t ngx_http_nudge_rewrite_output(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, ngx_chain_t *rest,
    ngx_http_output_body_filter_pt next);
static void ngx_http_nudge_rewrite_release(ngx_http_nudge_inject_t *ic);


ngx_http_nudge_inject_t *
ngx_http_nudge_rewrite_create(ngx_http_request_t *r)
{
    ngx_buf_t                *b;
    ngx_http_nudge_inject_t  *ic;

    ic = ngx_pcalloc(r->pool, sizeof(ngx_http_nudge_inject_t));
    if (ic == NULL) {
        return NULL;
    }

    ic->last_out = &ic->out;

    b = ngx_http_nudge_rewrite_buf(r, ic);
    if (b == NULL) {
        return NULL;
    }

    ic->spare = ngx_alloc_chain_link(r->pool);
    if (ic->spare == NULL) {
        return NULL;
    }

    ic->spare->buf = b;
    ic->spare->next = NULL;

    return ic;
}


ngx_int_t
ngx_http_nudge_rewrite(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_chain_t *in, ngx_http_output_body_filter_pt next)
{
    ngx_int_t                 rc;
    ngx_chain_t              *cl;
    ngx_http_nudge_inject_t  *ic;

    ic = ctx->inject;

    if (ic->passing) {
        ngx_http_nudge_inject_read(ctx, in);

        rc = next(r, in);

        ngx_http_nudge_rewrite_release(ic);

        return rc;
    }

    for (cl = in; cl; cl = cl->next) {

        if (ic->passing) {
            ngx_http_nudge_inject_read(ctx, cl);
            break;
        }

        if (ngx_http_nudge_rewrite_one(r, ctx, cl->buf) != NGX_OK) {

            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "nudge: no memory to rewrite \"%V\"", &r->uri);

            ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_ERROR);
            ngx_http_nudge_rewrite_give_up(ic);
            ngx_http_nudge_inject_read(ctx, cl->next);
            break;
        }
    }

    return ngx_http_nudge_rewrite_output(r, ic, cl, next);
}


static ngx_int_t
ngx_http_nudge_rewrite_one(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_buf_t *buf)
{
    uint64_t                  start;
    nudge_html_t             *h;
    ngx_http_nudge_inject_t  *ic;

    h = ctx->html;
    ic = ctx->inject;

    start = h->offset;

    if (ngx_buf_in_memory(buf)) {
        ngx_http_nudge_rewrite_feed(r, ctx, buf);

    } else if (buf->in_file) {

        /* cannot be seen, so the place cannot be known */

        ic->passing = 1;
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_FRAGMENT);
    }

    if (buf->last_buf) {
        nudge_html_end(h);
    }

    if (h->marked && !ic->passing) {
        return ngx_http_nudge_rewrite_split(r, ctx, buf, start);
    }

    if (buf->last_buf && !ic->passing) {
        ic->passing = 1;
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_FRAGMENT);
    }

    return ngx_http_nudge_rewrite_keep(r, ic, buf, ic->passing ? 0 : h->hold);
}


/*
 * What is decided at the mark is decided by what stands before it, wherever
 * the buf ends: once the mark is found, the scan goes back and stops there.
 * The scanner points into itself; its copy is only ever put back in place.
 */

static void
ngx_http_nudge_rewrite_feed(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_buf_t *buf)
{
    size_t         n;
    nudge_html_t  *h, before;

    if (buf->pos == buf->last) {
        return;
    }

    h = ctx->html;
    before = *h;

    nudge_html_feed(h, buf->pos, buf->last - buf->pos);

    if (!h->marked) {
        return;
    }

    n = 0;

    if (h->mark > before.offset) {
        n = (size_t) (h->mark - before.offset);
    }

    *h = before;

    nudge_html_feed(h, buf->pos, n);
    ngx_http_nudge_rewrite_piece(r, ctx);
    nudge_html_feed(h, buf->pos + n, buf->last - buf->pos - n);
}


/* the mark is among the held bytes or in this buf, which began at "start" */

static ngx_int_t
ngx_http_nudge_rewrite_split(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    ngx_buf_t *buf, uint64_t start)
{
    size_t                    before;
    u_char                   *cut;
    ngx_buf_t                *b;
    ngx_http_nudge_inject_t  *ic;

    ic = ctx->inject;
    ic->passing = 1;

    if (ic->piece.len == 0) {
        return ngx_http_nudge_rewrite_keep(r, ic, buf, 0);
    }

    before = ic->held;
    cut = buf->pos;

    if (ctx->html->mark < start) {
        before -= ngx_min(before, (size_t) (start - ctx->html->mark));

    } else {
        cut += ngx_min((size_t) (ctx->html->mark - start),
                       (size_t) (buf->last - buf->pos));
    }

    if (before
        && ngx_http_nudge_rewrite_held(r, ic, ic->hold, before) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memmove(ic->hold, ic->hold + before, ic->held - before);
    ic->held -= before;

    if (cut > buf->pos
        && ngx_http_nudge_rewrite_part(r, ic, buf, buf->pos, cut, 0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    b = ngx_http_nudge_rewrite_buf(r, ic);
    if (b == NULL) {
        goto failed;
    }

    b->memory = 1;
    b->pos = ic->piece.data;
    b->last = ic->piece.data + ic->piece.len;

    if (ngx_http_nudge_rewrite_link(r, ic, b) != NGX_OK) {
        goto failed;
    }

    ctx->injected = 1;

    if (ic->held) {
        if (ngx_http_nudge_rewrite_held(r, ic, ic->hold, ic->held) != NGX_OK) {
            goto failed;
        }

        ic->held = 0;
    }

    if (cut == buf->pos) {
        return ngx_http_nudge_rewrite_link(r, ic, buf);
    }

    if (ngx_http_nudge_rewrite_part(r, ic, buf, cut, buf->last, 1) == NGX_OK) {
        return NGX_OK;
    }

failed:

    /* what stands before the cut is on its way already */

    if (buf->in_file) {
        buf->file_pos += cut - buf->pos;
    }

    buf->pos = cut;

    return NGX_ERROR;
}


/* lets everything go but the last "hold" of the held bytes and this buf's */

static ngx_int_t
ngx_http_nudge_rewrite_keep(ngx_http_request_t *r, ngx_http_nudge_inject_t *ic,
    ngx_buf_t *buf, size_t hold)
{
    size_t  n, out;

    n = ngx_buf_in_memory(buf) ? (size_t) (buf->last - buf->pos) : 0;

    hold = ngx_min(hold, ic->held + n);
    hold = ngx_min(hold, NUDGE_HTML_HOLD);

    out = ic->held + n - hold;
    out = ngx_min(out, ic->held);

    if (out) {
        if (ngx_http_nudge_rewrite_held(r, ic, ic->hold, out) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_memmove(ic->hold, ic->hold + out, ic->held - out);
        ic->held -= out;
    }

    if (hold == 0 || n == 0) {
        return ngx_http_nudge_rewrite_link(r, ic, buf);
    }

    /* what of the new hold is in this buf */

    hold -= ic->held;

    if ((hold < n || buf->flush || buf->recycled || buf->last_in_chain)
        && ngx_http_nudge_rewrite_part(r, ic, buf, buf->pos, buf->last - hold,
                                       1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(ic->hold + ic->held, buf->last - hold, hold);
    ic->held += hold;

    if (hold == n && !buf->flush && !buf->recycled && !buf->last_in_chain) {

        /* nothing of it goes on: it is free again */

        buf->pos = buf->last;
    }

    return NGX_OK;
}


static void
ngx_http_nudge_rewrite_piece(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx)
{
    nudge_str_t    page;
    nudge_html_t  *h;

    h = ctx->html;

    if (!h->document) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_FRAGMENT);
        return;
    }

    if (h->meta_csp) {
        ngx_http_nudge_count(NGX_HTTP_NUDGE_SKIP_CSP);
        return;
    }

    ngx_http_nudge_offer_learn(ctx, &h->body_class);

    nudge_str_null(&page);

    if (ctx->conf && ctx->conf->preset) {
        ctx->x.body_class = h->body_class;
        page = nudge_preset_page(ctx->conf->preset, &ctx->x);
    }

    if (ngx_http_nudge_offer_page(r, ctx, &page, &ctx->inject->piece)
        != NGX_OK)
    {
        ngx_str_null(&ctx->inject->piece);
    }
}


static ngx_buf_t *
ngx_http_nudge_rewrite_buf(ngx_http_request_t *r, ngx_http_nudge_inject_t *ic)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (ic->free) {
        cl = ic->free;
        ic->free = cl->next;

        b = cl->buf;
        ngx_free_chain(r->pool, cl);

    } else {
        b = ngx_palloc(r->pool, sizeof(ngx_http_nudge_rewrite_buf_t));
        if (b == NULL) {
            return NULL;
        }
    }

    ngx_memzero(b, sizeof(ngx_buf_t));
    b->tag = (ngx_buf_tag_t) &ngx_http_nudge_module;

    return b;
}


static ngx_int_t
ngx_http_nudge_rewrite_link(ngx_http_request_t *r, ngx_http_nudge_inject_t *ic,
    ngx_buf_t *buf)
{
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = buf;
    cl->next = NULL;

    *ic->last_out = cl;
    ic->last_out = &cl->next;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_rewrite_held(ngx_http_request_t *r, ngx_http_nudge_inject_t *ic,
    u_char *pos, size_t len)
{
    ngx_buf_t  *b;

    b = ngx_http_nudge_rewrite_buf(r, ic);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->memory = 1;
    b->pos = ((ngx_http_nudge_rewrite_buf_t *) b)->area;
    b->last = ngx_cpymem(b->pos, pos, len);

    return ngx_http_nudge_rewrite_link(r, ic, b);
}


/* final: the part that ends a buf carries its flags and lets it go when sent */

static ngx_int_t
ngx_http_nudge_rewrite_part(ngx_http_request_t *r, ngx_http_nudge_inject_t *ic,
    ngx_buf_t *buf, u_char *pos, u_char *last, ngx_uint_t final)
{
    ngx_buf_t  *b;

    b = ngx_http_nudge_rewrite_buf(r, ic);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (pos < last) {
        *b = *buf;

        b->tag = (ngx_buf_tag_t) &ngx_http_nudge_module;
        b->pos = pos;
        b->last = last;
        b->shadow = NULL;
        b->flush = 0;
        b->sync = 0;
        b->recycled = 0;
        b->last_buf = 0;
        b->last_in_chain = 0;
        b->last_shadow = 0;

        if (b->in_file) {
            b->file_pos = buf->file_pos + (pos - buf->pos);
            b->file_last = b->file_pos + (last - pos);
        }

    } else {
        b->sync = 1;
    }

    if (final) {
        b->shadow = buf;
        b->flush = buf->flush;
        b->recycled = buf->recycled;
        b->last_buf = buf->last_buf;
        b->last_in_chain = buf->last_in_chain;
    }

    return ngx_http_nudge_rewrite_link(r, ic, b);
}


/* held bytes go out; the caller's own links are to follow them */

static void
ngx_http_nudge_rewrite_give_up(ngx_http_nudge_inject_t *ic)
{
    ngx_buf_t  *b;

    ic->passing = 1;

    if (ic->held) {
        b = ic->spare->buf;

        b->memory = 1;
        b->pos = ((ngx_http_nudge_rewrite_buf_t *) b)->area;
        b->last = ngx_cpymem(b->pos, ic->hold, ic->held);

        ic->held = 0;

        *ic->last_out = ic->spare;
        ic->last_out = &ic->spare->next;
        ic->spare = NULL;
    }
}


static ngx_int_t
ngx_http_nudge_rewrite_output(ngx_http_request_t *r,
    ngx_http_nudge_inject_t *ic, ngx_chain_t *rest,
    ngx_http_output_body_filter_pt next)
{
    ngx_int_t      rc;
    ngx_chain_t   *cl, *ln, **busy;

    *ic->last_out = rest;

    rc = next(r, ic->out);

    busy = &ic->busy;

    while (*busy) {
        busy = &(*busy)->next;
    }

    for (cl = ic->out; cl != rest; cl = ln) {
        ln = cl->next;
        cl->next = NULL;

        if (cl->buf->tag != (ngx_buf_tag_t) &ngx_http_nudge_module) {
            ngx_free_chain(r->pool, cl);
            continue;
        }

        *busy = cl;
        busy = &cl->next;
    }

    ic->out = NULL;
    ic->last_out = &ic->out;

    ngx_http_nudge_rewrite_release(ic);

    return rc;
}


static void
ngx_http_nudge_rewrite_release(ngx_http_nudge_inject_t *ic)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    while (ic->busy) {
        cl = ic->busy;
        b = cl->buf;

        if (ngx_buf_size(b) != 0) {
            return;
        }

        if (b->shadow) {
            b->shadow->pos = b->shadow->last;
        }

        ic->busy = cl->next;

        /* an empty one may still wait in a filter below, behind the store's
         * own bufs, which are not in this chain: it is not used again */

        if (ngx_buf_in_memory(b)) {
            cl->next = ic->free;
            ic->free = cl;
        }
    }
}
