
/*
 * Drives ngx_http_nudge_rewrite() with random pages in random bufs, above a
 * filter that sends as little as it likes, with allocations that fail.  Plays
 * the pool, the offer and the filter below; the scanner is the real one.
 *
 *     driver FIRST LAST       runs these seeds, prints the first that fails
 */


#include "ngx_http_nudge_rewrite.h"

#include <stdio.h>


#define DRIVER_BUFS   4096
#define DRIVER_PAGE   4096


static void driver_fail(const char *what);


ngx_module_t              ngx_http_nudge_module;

static const char         driver_piece[] = "[[PIECE]]";
static const size_t       driver_piece_len = sizeof(driver_piece) - 1;

static const char  *driver_words[] = {
    "<", "</", "</b", "</bo", "</bod", "</body", "</body>", "</BODY >", ">",
    "<!--", "-->", "<script>", "</script>", "<p x=\"", "\"", " ", "a",
    "<title>", "</title>", "<html>", "<body>", "--", "/", "<<",
    "xxxxxxxxxxxxxxxxxxxxxxxxxx"
};

static unsigned           driver_seed;
static int                driver_give;      /* a piece is due */

/* memory */

static int                driver_allocs;
static int                driver_limit;     /* -1: none */
static void              *driver_blocks[DRIVER_BUFS * 8];
static int                driver_nblocks;

/* the filter below */

static ngx_buf_t         *driver_queue[DRIVER_BUFS * 8];
static int                driver_head;
static int                driver_tail;
static int                driver_stingy;
static u_char             driver_out[DRIVER_PAGE * 4];
static size_t             driver_sent;
static int                driver_lasts;
static int                driver_flushes;


static void *
driver_alloc(size_t size)
{
    void  *p;

    driver_allocs++;

    if (driver_limit >= 0 && driver_allocs > driver_limit) {
        return NULL;
    }

    p = malloc(size ? size : 1);

    if (p == NULL || driver_nblocks == DRIVER_BUFS * 8) {
        driver_fail("out of memory");
    }

    driver_blocks[driver_nblocks++] = p;

    return p;
}


void *
ngx_palloc(ngx_pool_t *pool, size_t size)
{
    return driver_alloc(size);
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    void  *p;

    p = driver_alloc(size);

    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


ngx_chain_t *
ngx_alloc_chain_link(ngx_pool_t *pool)
{
    ngx_chain_t  *cl;

    cl = pool->chain;

    if (cl != NULL) {
        pool->chain = cl->next;
        return cl;
    }

    return driver_alloc(sizeof(ngx_chain_t));
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void
ngx_http_nudge_count(ngx_http_nudge_counter_t counter)
{
}


void
ngx_http_nudge_offer_learn(ngx_http_nudge_ctx_t *ctx, nudge_str_t *body_class)
{
}


nudge_str_t
nudge_preset_page(const nudge_preset_t *preset, const nudge_exchange_t *x)
{
    return nudge_cstr("");
}


ngx_int_t
ngx_http_nudge_offer_page(ngx_http_request_t *r, ngx_http_nudge_ctx_t *ctx,
    nudge_str_t *page, ngx_str_t *html)
{
    html->data = (u_char *) driver_piece;
    html->len = driver_give ? driver_piece_len : 0;

    return NGX_OK;
}


void
ngx_http_nudge_inject_read(ngx_http_nudge_ctx_t *ctx, ngx_chain_t *in)
{
    for ( /* void */ ; in != NULL; in = in->next) {

        if (in->buf->last > in->buf->pos) {
            nudge_html_feed(ctx->html, in->buf->pos,
                            in->buf->last - in->buf->pos);
        }

        if (in->buf->last_buf) {
            nudge_html_end(ctx->html);
        }
    }
}


static ngx_int_t
driver_next(ngx_http_request_t *r, ngx_chain_t *in)
{
    int         i;
    size_t      n, budget;
    ngx_buf_t  *b;

    for ( /* void */ ; in != NULL; in = in->next) {
        b = in->buf;

        if (ngx_buf_size(b) == 0 && !ngx_buf_special(b)) {
            driver_fail("zero size buf");
        }

        for (i = driver_head; i < driver_tail; i++) {
            if (driver_queue[i] == b) {
                driver_fail("a buf that was not sent is used again");
            }
        }

        driver_queue[driver_tail++] = b;
        driver_flushes += b->flush;
        driver_lasts += b->last_buf;
    }

    budget = driver_stingy ? (size_t) (rand() % 40) : DRIVER_PAGE * 4;

    while (driver_head < driver_tail) {
        b = driver_queue[driver_head];
        n = ngx_buf_in_memory(b) ? (size_t) (b->last - b->pos) : 0;

        if (n != 0) {
            n = ngx_min(n, budget);
            memcpy(driver_out + driver_sent, b->pos, n);

            driver_sent += n;
            budget -= n;
            b->pos += n;
            b->file_pos += n;
        }

        if (ngx_buf_size(b) != 0) {
            return NGX_AGAIN;
        }

        driver_head++;
    }

    return NGX_OK;
}


static void
driver_fail(const char *what)
{
    printf("seed %u: %s\n", driver_seed, what);
    exit(1);
}


static size_t
driver_make_page(u_char *page)
{
    int     i, n;
    size_t  len;

    len = sprintf((char *) page, "%s", rand() % 8 ? "<html>" : "");
    n = rand() % 60;

    for (i = 0; i < n; i++) {
        len += sprintf((char *) page + len, "%s",
                       driver_words[rand() % (sizeof(driver_words)
                                              / sizeof(char *))]);
    }

    return len;
}


/* from the page as a whole */

static size_t
driver_expect(u_char *page, size_t len, u_char *want)
{
    size_t                at;
    static nudge_html_t   h;

    nudge_html_init(&h, NULL, 0);
    nudge_html_feed(&h, page, len);
    nudge_html_end(&h);

    memcpy(want, page, len);

    if (!h.marked || !driver_give) {
        return len;
    }

    at = (size_t) h.mark;

    nudge_html_init(&h, NULL, 0);
    nudge_html_feed(&h, page, at);

    if (!h.document || h.meta_csp) {
        return len;
    }

    memcpy(want + at, driver_piece, driver_piece_len);
    memcpy(want + at + driver_piece_len, page + at, len - at);

    return len + driver_piece_len;
}


static ngx_buf_t *
driver_buf(u_char *page, size_t pos, size_t n)
{
    ngx_buf_t  *b;

    b = calloc(1, sizeof(ngx_buf_t));

    if (b == NULL) {
        driver_fail("out of memory");
    }

    if (n == 0) {
        b->flush = rand() % 2;
        b->sync = !b->flush;
        return b;
    }

    /* memory of its own: a byte read too far is seen */

    b->start = malloc(n);

    if (b->start == NULL) {
        driver_fail("out of memory");
    }

    memcpy(b->start, page + pos, n);

    b->pos = b->start;
    b->last = b->start + n;
    b->end = b->last;
    b->temporary = rand() % 2;
    b->memory = !b->temporary;
    b->recycled = (rand() % 4 == 0);
    b->flush = (rand() % 5 == 0);

    if (rand() % 3 == 0) {
        b->in_file = 1;
        b->file_pos = pos;
        b->file_last = pos + n;
    }

    return b;
}


static void
driver_free(ngx_buf_t **bufs, int nbufs)
{
    int  i;

    for (i = 0; i < nbufs; i++) {

        if (bufs[i]->pos != bufs[i]->last) {
            driver_fail("a buf was not let go");
        }

        free(bufs[i]->start);
        free(bufs[i]);
    }

    for (i = 0; i < driver_nblocks; i++) {
        free(driver_blocks[i]);
    }
}


static void
driver_run(void)
{
    int                           nbufs, nlinks, want_flushes, done, max;
    size_t                        len, wanted, pos, n, plain;
    u_char                        page[DRIVER_PAGE], want[DRIVER_PAGE * 2];
    ngx_log_t                     log;
    ngx_buf_t                    *bufs[DRIVER_BUFS];
    ngx_pool_t                    pool;
    ngx_chain_t                   links[8];
    ngx_connection_t              c;
    static nudge_html_t           h;
    static ngx_http_request_t     r;
    static ngx_http_nudge_ctx_t   ctx;

    memset(&log, 0, sizeof(log));
    memset(&pool, 0, sizeof(pool));
    memset(&c, 0, sizeof(c));
    memset(&r, 0, sizeof(r));
    memset(&ctx, 0, sizeof(ctx));

    c.log = &log;
    r.connection = &c;
    r.pool = &pool;
    r.main = &r;

    driver_give = (rand() % 6 != 0);
    len = driver_make_page(page);
    wanted = driver_expect(page, len, want);

    driver_head = driver_tail = driver_nblocks = driver_allocs = 0;
    driver_lasts = driver_flushes = 0;
    driver_sent = 0;
    driver_limit = -1;
    driver_stingy = rand() % 2;

    nudge_html_init(&h, NULL, 0);
    ctx.html = &h;
    ctx.inject = ngx_http_nudge_rewrite_create(&r);

    if (rand() % 3 == 0) {
        driver_limit = driver_allocs + rand() % 25;
    }

    nbufs = want_flushes = done = 0;
    pos = 0;
    max = 1 + rand() % 30;

    while (!done) {
        nlinks = 0;

        do {
            n = rand() % (max + 1);
            n = ngx_min(n, len - pos);

            bufs[nbufs] = driver_buf(page, pos, n);
            pos += n;

            if (pos == len && rand() % 2) {
                bufs[nbufs]->last_buf = 1;
                bufs[nbufs]->last_in_chain = 1;
                done = 1;
            }

            want_flushes += bufs[nbufs]->flush;

            links[nlinks].buf = bufs[nbufs++];
            links[nlinks].next = NULL;

            if (nlinks) {
                links[nlinks - 1].next = &links[nlinks];
            }

            nlinks++;

        } while (!done && nlinks < 6 && rand() % 4);

        if (ngx_http_nudge_rewrite(&r, &ctx, links, driver_next) == NGX_ERROR)
        {
            driver_fail("the page was given up");
        }

        /* the caller's links are the caller's */

        memset(links, 0xee, sizeof(links));

        if (rand() % 4 == 0) {
            (void) ngx_http_nudge_rewrite(&r, &ctx, NULL, driver_next);
        }

        plain = driver_sent;

        if (memmem(driver_out, driver_sent, driver_piece, driver_piece_len)) {
            plain -= driver_piece_len;
        }

        if (!driver_stingy && pos - plain > NUDGE_HTML_HOLD) {
            driver_fail("more was held back than may be");
        }
    }

    do {
        (void) ngx_http_nudge_rewrite(&r, &ctx, NULL, driver_next);
    } while (driver_head < driver_tail);

    (void) ngx_http_nudge_rewrite(&r, &ctx, NULL, driver_next);

    if (!(driver_sent == wanted && memcmp(driver_out, want, wanted) == 0)
        && !(driver_limit >= 0 && driver_allocs > driver_limit
             && driver_sent == len && memcmp(driver_out, page, len) == 0))
    {
        driver_fail("the page differs");
    }

    if (driver_lasts != 1 || driver_flushes != want_flushes) {
        driver_fail("a flag was lost");
    }

    driver_free(bufs, nbufs);
}


int
main(int argc, char **argv)
{
    unsigned  last;

    if (argc != 3) {
        return 2;
    }

    last = strtoul(argv[2], NULL, 10);

    for (driver_seed = strtoul(argv[1], NULL, 10);
         driver_seed <= last;
         driver_seed++)
    {
        srand(driver_seed);
        driver_run();
    }

    printf("ok\n");

    return 0;
}
