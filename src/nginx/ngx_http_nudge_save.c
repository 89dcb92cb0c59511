
/*
 * The hot copy's way to memcached, behind the requests: get with CAS, merge
 * into the hot copy, set what came out.  Never blindly: a lost CAS is read
 * and merged again, three times, then again in a second.  What memcached had
 * is in the hot copy by then, so both sides agree afterwards.
 *
 * Each worker lists the sessions it changed.  Changes of cart, order and
 * identity go out at once, views within a second and together; while
 * memcached is away entries stay and try again each second.  When a worker
 * leaves, what is still listed goes out first, for a moment at most.
 */


#include "ngx_http_nudge_session.h"


#define NGX_HTTP_NUDGE_SAVE_DELAY      1000
#define NGX_HTTP_NUDGE_SAVE_ENTRIES    4096
#define NGX_HTTP_NUDGE_SAVE_BUCKETS    1024
#define NGX_HTTP_NUDGE_SAVE_FLYING     32
#define NGX_HTTP_NUDGE_SAVE_CONFLICTS  3
/* a hot copy lives for half an hour */
#define NGX_HTTP_NUDGE_SAVE_TRIES      1800
#define NGX_HTTP_NUDGE_SAVE_DRAIN      500


typedef struct ngx_http_nudge_save_s  ngx_http_nudge_save_t;

struct ngx_http_nudge_save_s {
    ngx_http_nudge_save_t      *next;       /* in the bucket */
    ngx_queue_t                 queue;
    ngx_msec_t                  due;
    ngx_http_nudge_task_t      *task;       /* on its way */
    ngx_http_nudge_who_t        who;
    uint32_t                    hash;
    uint32_t                    expires;
    ngx_uint_t                  tries;
    ngx_uint_t                  conflicts;
    unsigned                    queued:1;
    unsigned                    again:1;    /* changed meanwhile */
    unsigned                    urgent:1;   /* ... and not by a view */
    unsigned                    doomed:1;   /* the document has to go */
};


static ngx_http_nudge_save_t *ngx_http_nudge_save_find(
    ngx_http_nudge_who_t *who, ngx_uint_t create);
static void ngx_http_nudge_save_free(ngx_http_nudge_save_t *e);
static void ngx_http_nudge_save_enqueue(ngx_http_nudge_save_t *e,
    ngx_msec_t delay);
static void ngx_http_nudge_save_dequeue(ngx_http_nudge_save_t *e);
static void ngx_http_nudge_save_retry(ngx_http_nudge_save_t *e);
static void ngx_http_nudge_save_pump(void);
static void ngx_http_nudge_save_timer(ngx_event_t *ev);
static void ngx_http_nudge_save_start(ngx_http_nudge_save_t *e);
static ngx_int_t ngx_http_nudge_save_post(ngx_http_nudge_save_t *e,
    ngx_http_nudge_task_t *task, void (*done)(ngx_http_nudge_task_t *task));
static void ngx_http_nudge_save_got(ngx_http_nudge_task_t *task);
static ngx_int_t ngx_http_nudge_save_set(ngx_http_nudge_save_t *e,
    ngx_http_nudge_hot_t *hot, uint64_t cas);
static void ngx_http_nudge_save_done(ngx_http_nudge_task_t *task);
static void ngx_http_nudge_save_deleted(ngx_http_nudge_task_t *task);


static ngx_http_nudge_save_t  *ngx_http_nudge_saves[
                                               NGX_HTTP_NUDGE_SAVE_BUCKETS];
static ngx_queue_t             ngx_http_nudge_save_queue;   /* by due */
static ngx_uint_t              ngx_http_nudge_nsaves;
static ngx_uint_t              ngx_http_nudge_flying;
static ngx_uint_t              ngx_http_nudge_save_leaving;
static ngx_event_t             ngx_http_nudge_save_event;
static ngx_connection_t        ngx_http_nudge_save_nowhere;

static u_char  ngx_http_nudge_save_text[NUDGE_SESSION_MAX];


void
ngx_http_nudge_save(ngx_http_nudge_who_t *who, uint32_t expires,
    ngx_uint_t now)
{
    ngx_http_nudge_save_t  *e;

    e = ngx_http_nudge_save_find(who, 1);

    if (e == NULL) {

        /* the hot copy has it; the visitor's next event lists it again */

        ngx_http_nudge_count(NGX_HTTP_NUDGE_MC_SKIPPED);
        return;
    }

    e->expires = expires;

    if (e->task != NULL) {
        e->again = 1;
        e->urgent |= (now != 0);
        return;
    }

    if (e->queued) {

        if (!now) {
            return;
        }

        ngx_http_nudge_save_dequeue(e);
    }

    ngx_http_nudge_save_enqueue(e, now ? 0 : NGX_HTTP_NUDGE_SAVE_DELAY);
    ngx_http_nudge_save_pump();
}


void
ngx_http_nudge_save_delete(ngx_http_nudge_who_t *who)
{
    ngx_http_nudge_save_t  *e;

    e = ngx_http_nudge_save_find(who, 1);

    if (e == NULL) {
        return;
    }

    e->doomed = 1;
    e->tries = 0;

    if (e->task != NULL) {
        return;
    }

    if (e->queued) {
        ngx_http_nudge_save_dequeue(e);
    }

    ngx_http_nudge_save_enqueue(e, 0);
    ngx_http_nudge_save_pump();
}


static ngx_http_nudge_save_t *
ngx_http_nudge_save_find(ngx_http_nudge_who_t *who, ngx_uint_t create)
{
    uint32_t                 hash;
    ngx_http_nudge_save_t   *e, **bucket;

    hash = ngx_murmur_hash2(who->data, who->len);
    bucket = &ngx_http_nudge_saves[hash % NGX_HTTP_NUDGE_SAVE_BUCKETS];

    for (e = *bucket; e != NULL; e = e->next) {
        if (e->hash == hash
            && e->who.len == who->len
            && ngx_memcmp(e->who.data, who->data, who->len) == 0)
        {
            return e;
        }
    }

    if (!create
        || ngx_http_nudge_save_leaving
        || ngx_http_nudge_nsaves >= NGX_HTTP_NUDGE_SAVE_ENTRIES)
    {
        return NULL;
    }

    e = calloc(1, sizeof(ngx_http_nudge_save_t));

    if (e == NULL) {
        return NULL;
    }

    e->who = *who;
    e->hash = hash;
    e->next = *bucket;
    *bucket = e;

    ngx_http_nudge_nsaves++;

    return e;
}


static void
ngx_http_nudge_save_free(ngx_http_nudge_save_t *e)
{
    ngx_http_nudge_save_t  **p;

    p = &ngx_http_nudge_saves[e->hash % NGX_HTTP_NUDGE_SAVE_BUCKETS];

    while (*p != e) {
        p = &(*p)->next;
    }

    *p = e->next;

    if (e->queued) {
        ngx_http_nudge_save_dequeue(e);
    }

    if (e->task != NULL) {
        ngx_http_nudge_task_orphan(e->task);
    }

    ngx_http_nudge_nsaves--;

    free(e);
}


/* there are two delays only, so the queue is in order by itself */

static void
ngx_http_nudge_save_enqueue(ngx_http_nudge_save_t *e, ngx_msec_t delay)
{
    if (ngx_http_nudge_save_queue.next == NULL) {
        ngx_queue_init(&ngx_http_nudge_save_queue);
    }

    e->queued = 1;
    e->due = ngx_current_msec + delay;

    if (delay) {
        ngx_queue_insert_tail(&ngx_http_nudge_save_queue, &e->queue);

    } else {
        ngx_queue_insert_head(&ngx_http_nudge_save_queue, &e->queue);
    }
}


static void
ngx_http_nudge_save_dequeue(ngx_http_nudge_save_t *e)
{
    e->queued = 0;
    ngx_queue_remove(&e->queue);
}


static void
ngx_http_nudge_save_retry(ngx_http_nudge_save_t *e)
{
    if (ngx_http_nudge_save_leaving
        || ++e->tries > NGX_HTTP_NUDGE_SAVE_TRIES)
    {
        ngx_http_nudge_save_free(e);
        return;
    }

    ngx_http_nudge_save_enqueue(e, NGX_HTTP_NUDGE_SAVE_DELAY);
}


/* not more at once than leaves the threads to requests that wait */

static void
ngx_http_nudge_save_pump(void)
{
    ngx_queue_t            *q;
    ngx_event_t            *ev;
    ngx_msec_int_t          left;
    ngx_http_nudge_save_t  *e;

    if (ngx_http_nudge_save_queue.next == NULL) {
        return;
    }

    left = 0;

    while (!ngx_queue_empty(&ngx_http_nudge_save_queue)) {

        if (ngx_http_nudge_flying >= NGX_HTTP_NUDGE_SAVE_FLYING) {
            return;
        }

        q = ngx_queue_head(&ngx_http_nudge_save_queue);
        e = ngx_queue_data(q, ngx_http_nudge_save_t, queue);

        left = (ngx_msec_int_t) (e->due - ngx_current_msec);

        if (left > 0) {
            break;
        }

        ngx_http_nudge_save_dequeue(e);
        ngx_http_nudge_save_start(e);
    }

    ev = &ngx_http_nudge_save_event;

    if (left <= 0 || ev->timer_set || ngx_http_nudge_save_leaving) {
        return;
    }

    /* a worker told to quit need not wait for it, see save_exit() */

    ngx_http_nudge_save_nowhere.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_nudge_save_timer;
    ev->data = &ngx_http_nudge_save_nowhere;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, left);
}


static void
ngx_http_nudge_save_timer(ngx_event_t *ev)
{
    ngx_http_nudge_save_pump();
}


static void
ngx_http_nudge_save_start(ngx_http_nudge_save_t *e)
{
    ngx_int_t               rc;
    ngx_http_nudge_task_t  *task;

    e->again = 0;
    e->urgent = 0;

    if (e->doomed) {
        task = ngx_http_nudge_session_task(&e->who, NGX_HTTP_NUDGE_MC_DELETE);
        rc = ngx_http_nudge_save_post(e, task, ngx_http_nudge_save_deleted);

    } else {
        task = ngx_http_nudge_session_task(&e->who, NGX_HTTP_NUDGE_MC_GET);
        rc = ngx_http_nudge_save_post(e, task, ngx_http_nudge_save_got);
    }

    if (rc != NGX_OK) {
        ngx_http_nudge_save_retry(e);
    }
}


static ngx_int_t
ngx_http_nudge_save_post(ngx_http_nudge_save_t *e,
    ngx_http_nudge_task_t *task, void (*done)(ngx_http_nudge_task_t *task))
{
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->owner = e;
    task->done = done;

    if (ngx_http_nudge_task_post(task) != NGX_OK) {
        ngx_http_nudge_task_free(task);
        return NGX_DECLINED;
    }

    e->task = task;
    ngx_http_nudge_flying++;

    return NGX_OK;
}


static void
ngx_http_nudge_save_got(ngx_http_nudge_task_t *task)
{
    uint64_t                cas;
    uint32_t                version;
    ngx_int_t               rc;
    nudge_session_t         doc, *found;
    ngx_http_nudge_hot_t    hot;
    ngx_http_nudge_save_t  *e;

    e = task->owner;
    e->task = NULL;
    ngx_http_nudge_flying--;

    if (e->doomed) {
        ngx_http_nudge_save_start(e);
        goto done;
    }

    if (task->rc == NGX_ERROR) {
        ngx_http_nudge_save_retry(e);
        goto done;
    }

    /* what is there and is no session is replaced, under its CAS */

    cas = 0;
    found = NULL;
    version = 0;

    if (task->rc == NGX_OK) {
        cas = task->cas;
        rc = ngx_http_nudge_session_decode(task, &doc);

        if (rc == NGX_ABORT) {

            /* a newer nudge elsewhere wrote it: what it knows is not lost to
             * a schema we cannot read */

            ngx_http_nudge_save_free(e);
            goto done;
        }

        if (rc == NGX_OK) {
            found = &doc;
            version = doc.version;
        }
    }

    /* what changed since the get was posted is in the hot copy */

    e->again = 0;
    e->urgent = 0;

    rc = ngx_http_nudge_hot_join(&e->who, found, 0, &hot);

    if (rc == NGX_DECLINED) {

        /* evicted or withdrawn: nothing to save any more */

        ngx_http_nudge_save_free(e);
        goto done;
    }

    if (hot.partial) {
        hot.session.version = version;
        e->again = 1;
    }

    if (rc != NGX_OK || ngx_http_nudge_save_set(e, &hot, cas) != NGX_OK) {
        ngx_http_nudge_save_retry(e);
    }

done:

    ngx_http_nudge_save_pump();
}


static ngx_int_t
ngx_http_nudge_save_set(ngx_http_nudge_save_t *e, ngx_http_nudge_hot_t *hot,
    uint64_t cas)
{
    size_t                  len;
    nudge_buf_t             b;
    ngx_http_nudge_task_t  *task;

    nudge_buf_init(&b, ngx_http_nudge_save_text,
                   sizeof(ngx_http_nudge_save_text));
    nudge_session_encode(&b, &hot->session);

    if (b.full) {
        return NGX_ERROR;
    }

    task = ngx_http_nudge_session_task(&e->who, NGX_HTTP_NUDGE_MC_SET);

    if (task == NULL) {
        return NGX_ERROR;
    }

    len = b.pos - b.start;

    task->value = malloc(len + 1);

    if (task->value == NULL) {
        ngx_http_nudge_task_free(task);
        return NGX_ERROR;
    }

    ngx_memcpy(task->value, b.start, len);

    task->value_len = len;
    task->cas = cas;
    task->expires = e->expires;

    return ngx_http_nudge_save_post(e, task, ngx_http_nudge_save_done);
}


static void
ngx_http_nudge_save_done(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_save_t  *e;

    e = task->owner;
    e->task = NULL;
    ngx_http_nudge_flying--;

    if (e->doomed) {
        ngx_http_nudge_save_start(e);

    } else if (task->rc == NGX_OK) {

        e->tries = 0;
        e->conflicts = 0;

        if (!e->again) {
            ngx_http_nudge_save_free(e);

        } else if (e->urgent || ngx_http_nudge_save_leaving) {
            ngx_http_nudge_save_enqueue(e, 0);

        } else {
            ngx_http_nudge_save_enqueue(e, NGX_HTTP_NUDGE_SAVE_DELAY);
        }

    } else if (task->rc == NGX_DECLINED) {

        ngx_http_nudge_count(NGX_HTTP_NUDGE_MC_CONFLICTS);

        if (++e->conflicts < NGX_HTTP_NUDGE_SAVE_CONFLICTS) {
            ngx_http_nudge_save_start(e);

        } else {
            e->conflicts = 0;
            ngx_http_nudge_save_retry(e);
        }

    } else {
        ngx_http_nudge_save_retry(e);
    }

    ngx_http_nudge_save_pump();
}


static void
ngx_http_nudge_save_deleted(ngx_http_nudge_task_t *task)
{
    ngx_http_nudge_save_t  *e;

    e = task->owner;
    e->task = NULL;
    ngx_http_nudge_flying--;

    if (task->rc == NGX_ERROR) {
        ngx_http_nudge_save_retry(e);

    } else {
        ngx_http_nudge_save_free(e);
    }

    ngx_http_nudge_save_pump();
}


void
ngx_http_nudge_save_exit(void)
{
    ngx_uint_t              i;
    ngx_queue_t            *q;
    ngx_http_nudge_save_t  *e;

    ngx_http_nudge_save_leaving = 1;

    if (ngx_http_nudge_save_event.timer_set) {
        ngx_del_timer(&ngx_http_nudge_save_event);
    }

    if (ngx_http_nudge_save_queue.next != NULL) {

        for (q = ngx_queue_head(&ngx_http_nudge_save_queue);
             q != ngx_queue_sentinel(&ngx_http_nudge_save_queue);
             q = ngx_queue_next(q))
        {
            e = ngx_queue_data(q, ngx_http_nudge_save_t, queue);
            e->due = ngx_current_msec;
        }

        ngx_http_nudge_save_pump();
        ngx_http_nudge_memcached_drain(NGX_HTTP_NUDGE_SAVE_DRAIN);
    }

    for (i = 0; i < NGX_HTTP_NUDGE_SAVE_BUCKETS; i++) {
        while (ngx_http_nudge_saves[i] != NULL) {
            ngx_http_nudge_save_free(ngx_http_nudge_saves[i]);
        }
    }
}
