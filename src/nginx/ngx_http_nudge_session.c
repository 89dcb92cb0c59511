
/*
 * The hot copy of a session: one blob in the zone, the same for all workers
 * of the host.  A change reads it, applies, packs and writes it back under
 * its stamp; when another worker was faster it is read again, so nothing is
 * lost and no lock is held while thinking.
 *
 * Which copy is current is known, not guessed (D2): the visitor's cookie
 * carries the version every answer to a candidate request raised.  A copy
 * that is older, or partial, is believed only once memcached was merged in.
 * On a host without memcached the hot copy is all there is: after a restart
 * a returning visitor is unknown for one request, whose events begin anew.
 */


#include "ngx_http_nudge_session.h"


#define NGX_HTTP_NUDGE_SESSION_POOL   (1024 * 1024)
#define NGX_HTTP_NUDGE_SESSION_TRIES  8
/* how long what memcached never gets is waited for */
#define NGX_HTTP_NUDGE_SESSION_GRACE  2000

#define NGX_HTTP_NUDGE_EXPIRES_VISIT   (30 * 60)
#define NGX_HTTP_NUDGE_EXPIRES_PERSON  (30 * 24 * 3600)


/* stands before the packed session in the zone */

typedef struct {
    int64_t                     since;
    uint32_t                    need;
    uint32_t                    partial;
} ngx_http_nudge_blob_t;


static ngx_int_t ngx_http_nudge_hot_write(ngx_http_nudge_who_t *who,
    ngx_http_nudge_hot_t *hot);
static ngx_int_t ngx_http_nudge_hot_apply(ngx_http_nudge_ctx_t *ctx,
    ngx_http_nudge_who_t *who, nudge_event_t *events, ngx_uint_t n);
static ngx_int_t ngx_http_nudge_hot_copy(ngx_http_nudge_who_t *who,
    u_char *buf, size_t *len, uint32_t *stamp);


static nudge_pool_t  *ngx_http_nudge_pool;

static u_char  ngx_http_nudge_hot_in[sizeof(ngx_http_nudge_blob_t)
                                     + NUDGE_SESSION_MAX];
static u_char  ngx_http_nudge_hot_out[sizeof(ngx_http_nudge_blob_t)
                                      + NUDGE_SESSION_MAX];


nudge_pool_t *
ngx_http_nudge_session_pool(void)
{
    if (ngx_http_nudge_pool == NULL) {
        ngx_http_nudge_pool = nudge_pool_create(NGX_HTTP_NUDGE_SESSION_POOL);

    } else {
        nudge_pool_reset(ngx_http_nudge_pool);
    }

    return ngx_http_nudge_pool;
}


static ngx_http_nudge_main_conf_t *
ngx_http_nudge_session_conf(void)
{
    return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_nudge_module);
}


ngx_uint_t
ngx_http_nudge_session_shared(void)
{
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_nudge_session_conf();

    return nmcf->memcached != NULL && nmcf->memcached->nelts != 0;
}


ngx_int_t
ngx_http_nudge_session_who(ngx_http_nudge_ctx_t *ctx,
    ngx_http_nudge_who_t *who)
{
    u_char       *p;
    nudge_str_t  *shop;

    shop = &ctx->shop->id;

    if ((!ctx->identified && !ctx->returning)
        || shop->len > NGX_HTTP_NUDGE_SHOP_ID)
    {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(who->data, shop->data, shop->len);
    *p++ = '\0';
    p = ngx_cpymem(p, ctx->visitor.id, NUDGE_VISITOR_ID);

    who->len = p - who->data;

    return NGX_OK;
}


ngx_http_nudge_task_t *
ngx_http_nudge_session_task(ngx_http_nudge_who_t *who, ngx_http_nudge_op_t op)
{
    nudge_buf_t             b;
    nudge_str_t             shop, visitor;
    ngx_http_nudge_task_t  *task;

    task = ngx_http_nudge_task_create(op);

    if (task == NULL) {
        return NULL;
    }

    shop.data = who->data;
    shop.len = who->len - NUDGE_VISITOR_ID - 1;
    visitor.data = who->data + shop.len + 1;
    visitor.len = NUDGE_VISITOR_ID;

    nudge_buf_init(&b, task->key, sizeof(task->key) - 1);
    nudge_session_key(&b, &shop, &visitor);

    if (b.full) {
        ngx_http_nudge_task_free(task);
        return NULL;
    }

    task->key_len = b.pos - b.start;
    task->key[task->key_len] = '\0';

    return task;
}


ngx_int_t
ngx_http_nudge_session_decode(ngx_http_nudge_task_t *task,
    nudge_session_t *doc)
{
    nudge_str_t    text;
    nudge_pool_t  *pool;
    nudge_json_t  *js;

    js = ngx_http_nudge_json();
    pool = ngx_http_nudge_session_pool();

    if (js == NULL || pool == NULL || task->value == NULL) {
        return NGX_DECLINED;
    }

    text.data = task->value;
    text.len = task->value_len;

    switch (nudge_session_decode(js, doc, pool, &text)) {

    case NUDGE_OK:
        return NGX_OK;

    case NUDGE_DECLINED:
        return NGX_ABORT;

    default:
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "nudge memcached holds no session under \"%s\"",
                      task->key);
        return NGX_DECLINED;
    }
}


static ngx_int_t
ngx_http_nudge_hot_copy(ngx_http_nudge_who_t *who, u_char *buf, size_t *len,
    uint32_t *stamp)
{
    ngx_str_t                    key;
    ngx_http_nudge_main_conf_t  *nmcf;

    key.data = who->data;
    key.len = who->len;

    nmcf = ngx_http_nudge_session_conf();

    if (ngx_http_nudge_zone_get(nmcf->zone, NGX_HTTP_NUDGE_SESSION, &key, buf,
                                len, stamp)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return (*len >= sizeof(ngx_http_nudge_blob_t)) ? NGX_OK : NGX_DECLINED;
}


/*
 * A copy that cannot be unpacked, or whose visitor has been away for half an
 * hour, counts as none; its stamp stays, so that it can be written over.
 */

ngx_int_t
ngx_http_nudge_hot_read(ngx_http_nudge_who_t *who, nudge_pool_t *pool,
    ngx_http_nudge_hot_t *hot)
{
    size_t                  len;
    nudge_str_t             text;
    ngx_http_nudge_blob_t   blob;

    ngx_memzero(hot, sizeof(ngx_http_nudge_hot_t));

    len = sizeof(ngx_http_nudge_hot_in);

    if (ngx_http_nudge_hot_copy(who, ngx_http_nudge_hot_in, &len, &hot->stamp)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    text.data = ngx_http_nudge_hot_in + sizeof(blob);
    text.len = len - sizeof(blob);

    if (nudge_session_unpack(&hot->session, pool, &text) != NUDGE_OK
        || ngx_http_nudge_now() - hot->session.active >= NGX_HTTP_NUDGE_IDLE)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&blob, ngx_http_nudge_hot_in, sizeof(blob));

    hot->since = blob.since;
    hot->need = blob.need;
    hot->partial = blob.partial;

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_hot_write(ngx_http_nudge_who_t *who, ngx_http_nudge_hot_t *hot)
{
    ngx_str_t                    key;
    nudge_buf_t                  b;
    ngx_http_nudge_blob_t        blob;
    ngx_http_nudge_main_conf_t  *nmcf;

    blob.since = hot->since;
    blob.need = hot->need;
    blob.partial = hot->partial;

    nudge_buf_init(&b, ngx_http_nudge_hot_out, sizeof(ngx_http_nudge_hot_out));
    nudge_buf_put(&b, &blob, sizeof(blob));
    nudge_session_pack(&b, &hot->session);

    if (b.full) {
        return NGX_ERROR;
    }

    key.data = who->data;
    key.len = who->len;

    nmcf = ngx_http_nudge_session_conf();

    return ngx_http_nudge_zone_set(nmcf->zone, NGX_HTTP_NUDGE_SESSION, &key,
                                   b.start, b.pos - b.start, &hot->stamp);
}


ngx_uint_t
ngx_http_nudge_hot_current(ngx_http_nudge_hot_t *hot, uint32_t version)
{
    return !hot->partial && hot->session.version >= version;
}


ngx_int_t
ngx_http_nudge_hot_join(ngx_http_nudge_who_t *who, nudge_session_t *doc,
    ngx_uint_t visit, ngx_http_nudge_hot_t *hot)
{
    int64_t        now;
    uint32_t       seen;
    ngx_int_t      rc;
    ngx_uint_t     i;
    nudge_pool_t  *pool;

    now = ngx_http_nudge_now();
    seen = (doc != NULL) ? doc->version : 0;

    /* the document lies in the pool */

    pool = (doc != NULL) ? ngx_http_nudge_pool : ngx_http_nudge_session_pool();

    if (pool == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_NUDGE_SESSION_TRIES; i++) {

        if (ngx_http_nudge_hot_read(who, pool, hot) != NGX_OK) {

            if (!visit) {
                return NGX_DECLINED;
            }

            if (doc != NULL) {
                hot->session = *doc;

            } else {
                nudge_session_init(&hot->session, now);
            }

        } else if (doc != NULL
                   && nudge_session_merge(&hot->session, pool, doc)
                      != NUDGE_OK)
        {
            return NGX_ERROR;
        }

        /* what does not come for so long was lost: life goes on without */

        if (hot->partial
            && (seen >= hot->need
                || now - hot->since >= NGX_HTTP_NUDGE_SESSION_GRACE))
        {
            hot->partial = 0;
            hot->need = 0;
        }

        if (visit) {
            nudge_session_touch(&hot->session, now, NGX_HTTP_NUDGE_IDLE);
        }

        rc = ngx_http_nudge_hot_write(who, hot);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_nudge_session_load(ngx_http_nudge_ctx_t *ctx, nudge_pool_t *pool,
    nudge_session_t *s)
{
    size_t                len;
    uint32_t              stamp;
    nudge_str_t           text;
    ngx_http_nudge_who_t  who;

    len = sizeof(ngx_http_nudge_hot_in);

    if (!ctx->identified
        || ngx_http_nudge_session_who(ctx, &who) != NGX_OK
        || ngx_http_nudge_hot_copy(&who, ngx_http_nudge_hot_in, &len, &stamp)
           != NGX_OK)
    {
        goto empty;
    }

    /* the caller's strings have to outlive the buffer */

    text.len = len - sizeof(ngx_http_nudge_blob_t);
    text.data = nudge_palloc(pool, text.len + 1);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(text.data,
               ngx_http_nudge_hot_in + sizeof(ngx_http_nudge_blob_t),
               text.len);

    if (nudge_session_unpack(s, pool, &text) == NUDGE_OK
        && ngx_http_nudge_now() - s->active < NGX_HTTP_NUDGE_IDLE)
    {
        return NGX_OK;
    }

empty:

    nudge_session_init(s, ngx_http_nudge_now());

    return NGX_OK;
}


ngx_int_t
ngx_http_nudge_session_apply(ngx_http_nudge_ctx_t *ctx, nudge_event_t *events,
    ngx_uint_t n, ngx_uint_t now)
{
    ngx_int_t             rc;
    ngx_http_nudge_who_t  who;

    if ((n == 0 && !ctx->match.change)
        || !ctx->identified
        || ctx->storage == NUDGE_STORE_NOTHING
        || ngx_http_nudge_session_who(ctx, &who) != NGX_OK)
    {
        return NGX_OK;
    }

    rc = ngx_http_nudge_hot_apply(ctx, &who, events, n);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                      "nudge session could not be written");
        return NGX_ERROR;
    }

    if (ngx_http_nudge_session_shared()) {
        ngx_http_nudge_save(&who, (ctx->storage == NUDGE_STORE_PERSON)
                                  ? NGX_HTTP_NUDGE_EXPIRES_PERSON
                                  : NGX_HTTP_NUDGE_EXPIRES_VISIT,
                            now || ctx->match.change);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_nudge_hot_apply(ngx_http_nudge_ctx_t *ctx, ngx_http_nudge_who_t *who,
    nudge_event_t *events, ngx_uint_t n)
{
    int64_t                now;
    ngx_int_t              rc;
    ngx_uint_t             i, k, found;
    nudge_pool_t          *pool;
    ngx_http_nudge_hot_t   hot;

    now = ngx_http_nudge_now();

    for (i = 0; i < NGX_HTTP_NUDGE_SESSION_TRIES; i++) {

        pool = ngx_http_nudge_session_pool();

        if (pool == NULL) {
            return NGX_ERROR;
        }

        found = (ngx_http_nudge_hot_read(who, pool, &hot) == NGX_OK);

        if (!found) {
            nudge_session_init(&hot.session, now);
        }

        nudge_session_touch(&hot.session, now, NGX_HTTP_NUDGE_IDLE);

        if (ctx->returning
            && (!found || hot.session.version < ctx->cookie_version)
            && ngx_http_nudge_session_shared())
        {
            if (!hot.partial) {
                hot.since = now;
            }

            hot.partial = 1;
            hot.need = ngx_max(hot.need, ctx->cookie_version);
        }

        for (k = 0; k < n; k++) {
            if (nudge_session_apply(&hot.session, pool, &events[k])
                != NUDGE_OK)
            {
                return NGX_ERROR;
            }
        }

        hot.session.version = ngx_max(hot.session.version,
                                      ctx->visitor.version);

        rc = ngx_http_nudge_hot_write(who, &hot);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_ERROR;
}


void
ngx_http_nudge_session_delete(ngx_http_nudge_ctx_t *ctx)
{
    ngx_str_t                    key;
    ngx_http_nudge_who_t         who;
    ngx_http_nudge_main_conf_t  *nmcf;

    /* storage says what is allowed from now on, not what there is */

    if (ngx_http_nudge_session_who(ctx, &who) != NGX_OK) {
        return;
    }

    key.data = who.data;
    key.len = who.len;

    nmcf = ngx_http_nudge_session_conf();

    ngx_http_nudge_zone_delete(nmcf->zone, NGX_HTTP_NUDGE_SESSION, &key);

    if (ngx_http_nudge_session_shared()) {
        ngx_http_nudge_save_delete(&who);
    }
}


void
ngx_http_nudge_session_exit(void)
{
    ngx_http_nudge_wait_exit();
    ngx_http_nudge_save_exit();

    if (ngx_http_nudge_pool != NULL) {
        nudge_pool_destroy(ngx_http_nudge_pool);
        ngx_http_nudge_pool = NULL;
    }
}
