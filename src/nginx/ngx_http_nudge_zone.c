
/*
 * What all workers of a host share: hot sessions, page hashes, live prices,
 * rate buckets, event ids and counters, in one shared memory zone.
 *
 * Each kind of blob has its tree, its LRU queue and its share of the memory.
 * The slab's mutex is held for a walk and a copy only.  A worker that dies
 * with the mutex held is unlocked by the master (ngx_unlock_mutexes()) with
 * its work half done: "dirty" is set as long as structures are touched, and
 * who finds it set empties slab and trees.  What is lost then are copies of
 * what memcached holds.  Sequence, nonce, generation and counters live beyond
 * the slab's end, are touched by atomic operations only and survive that.
 */


#include "ngx_http_nudge.h"

#include <sys/random.h>


#define NGX_HTTP_NUDGE_ZONE_MAGIC   0x6e7564676533ULL
#define NGX_HTTP_NUDGE_ZONE_DEPTH   96
#define NGX_HTTP_NUDGE_ZONE_DATA    65536
#define NGX_HTTP_NUDGE_ZONE_EVICT   64
#define NGX_HTTP_NUDGE_ZONE_SLOTS   32


/* color and data of the tree's node leave no hole worth using */

typedef struct {
    ngx_rbtree_node_t             node;
    ngx_queue_t                   queue;
    ngx_msec_t                    accessed;
    uint32_t                      stamp;
    uint32_t                      room;     /* bytes behind the header */
    uint32_t                      len;
    uint16_t                      key_len;
    uint16_t                      kind;
    u_char                        bytes[1]; /* key, then data */
} ngx_http_nudge_entry_t;


typedef struct {
    ngx_rbtree_t                  rbtree;
    ngx_rbtree_node_t             sentinel;
    ngx_queue_t                   queue;    /* newest first */
    size_t                        used;
    size_t                        quota;
    ngx_uint_t                    entries;
    ngx_uint_t                    evicted;  /* before their time */
} ngx_http_nudge_tree_t;


/* a worker's own cache lines */

typedef union {
    ngx_atomic_t                  n[NGX_HTTP_NUDGE_COUNTERS];
    u_char                        pad[(sizeof(ngx_atomic_t)
                                       * NGX_HTTP_NUDGE_COUNTERS + 63)
                                      / 64 * 64];
} ngx_http_nudge_slot_t;


typedef struct {
    ngx_http_nudge_slot_t         slots[NGX_HTTP_NUDGE_ZONE_SLOTS];
    uint64_t                      magic;
    size_t                        size;     /* of this structure */
    uint64_t                      nonce;
    ngx_atomic_t                  sequence;
    ngx_atomic_t                  generation;
    ngx_atomic_t                  resets;
    volatile ngx_uint_t           dirty;
    uint32_t                      stamp;
    ngx_http_nudge_tree_t         trees[NGX_HTTP_NUDGE_KINDS];
} ngx_http_nudge_sh_t;


typedef struct {
    ngx_uint_t                    sixteenths;   /* of the zone */
    ngx_msec_t                    ttl;          /* since the last access */
    const char                   *name;
} ngx_http_nudge_kind_conf_t;


static ngx_http_nudge_sh_t *ngx_http_nudge_zone_sh(ngx_shm_zone_t *zone);
static ngx_http_nudge_sh_t *ngx_http_nudge_zone_enter(ngx_shm_zone_t *zone);
static void ngx_http_nudge_zone_leave(ngx_shm_zone_t *zone,
    ngx_http_nudge_sh_t *sh);
static void ngx_http_nudge_zone_reset(ngx_slab_pool_t *shpool,
    ngx_http_nudge_sh_t *sh);
static void ngx_http_nudge_zone_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_http_nudge_entry_t *ngx_http_nudge_zone_lookup(
    ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind, uint32_t hash, ngx_str_t *key);
static ngx_http_nudge_entry_t *ngx_http_nudge_zone_insert(
    ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind, uint32_t hash, ngx_str_t *key, size_t len);
static void *ngx_http_nudge_zone_alloc(ngx_slab_pool_t *shpool,
    ngx_http_nudge_sh_t *sh, ngx_http_nudge_kind_t kind, size_t size);
static void ngx_http_nudge_zone_remove(ngx_slab_pool_t *shpool,
    ngx_http_nudge_sh_t *sh, ngx_http_nudge_entry_t *e);
static void ngx_http_nudge_zone_expire(ngx_slab_pool_t *shpool,
    ngx_http_nudge_sh_t *sh, ngx_http_nudge_kind_t kind);
static void ngx_http_nudge_zone_use(ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_entry_t *e);


static const ngx_http_nudge_kind_conf_t  ngx_http_nudge_kinds[] = {
    { 9, 30 * 60 * 1000, "sessions" },
    { 2, 24 * 3600 * 1000, "pages" },
    { 3, 24 * 3600 * 1000, "products" },
    { 1, 60 * 1000, "addresses" }
};


/* the order is the order of ngx_http_nudge_counter_t */

static const char  *ngx_http_nudge_counter_names[] = {
    "requests",
    "events",
    "events_dropped",
    "journal_errors",
    "visitors_new",
    "cookies_forged",
    "bodies_cut",
    "memcached_gets",
    "memcached_sets",
    "memcached_errors",
    "memcached_timeouts",
    "memcached_conflicts",
    "memcached_skipped",
    "waited",
    "offers_shown",
    "skipped_encoded",
    "skipped_csp",
    "skipped_charset",
    "skipped_fragment",
    "skipped_consent",
    "skipped_bot",
    "skipped_cap",
    "skipped_condition",
    "skipped_unknown",
    "skipped_empty",
    "skipped_error",
    "rate_limited"
};

_Static_assert(sizeof(ngx_http_nudge_counter_names) / sizeof(char *)
               == NGX_HTTP_NUDGE_COUNTERS, "a counter has no name");
_Static_assert(sizeof(ngx_http_nudge_kinds)
               / sizeof(ngx_http_nudge_kind_conf_t) == NGX_HTTP_NUDGE_KINDS,
               "a kind has no share of the zone");


/*
 * The header is cut off the slab's end, so emptying the slab does not move
 * it.  After a reload with the same size the memory is simply kept: the tag
 * (the module's address) differs when another build of the module is loaded,
 * and nginx then allocates anew.
 */

ngx_int_t
ngx_http_nudge_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t      *shpool;
    ngx_http_nudge_sh_t  *sh;

    if (zone->shm.size < sizeof(ngx_http_nudge_sh_t) + 16 * ngx_pagesize) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "nudge zone \"%V\" is too small", &zone->shm.name);
        return NGX_ERROR;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    sh = ngx_http_nudge_zone_sh(zone);

    zone->data = sh;

    if (data != NULL || zone->shm.exists) {

        if (sh->magic != NGX_HTTP_NUDGE_ZONE_MAGIC
            || sh->size != sizeof(ngx_http_nudge_sh_t))
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "nudge zone \"%V\" has another layout",
                          &zone->shm.name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    ngx_memzero(sh, sizeof(ngx_http_nudge_sh_t));

    if (getrandom(&sh->nonce, sizeof(sh->nonce), 0) != sizeof(sh->nonce)) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    shpool->end = (u_char *) sh;

    ngx_http_nudge_zone_reset(shpool, sh);

    sh->size = sizeof(ngx_http_nudge_sh_t);
    sh->magic = NGX_HTTP_NUDGE_ZONE_MAGIC;

    return NGX_OK;
}


static ngx_http_nudge_sh_t *
ngx_http_nudge_zone_sh(ngx_shm_zone_t *zone)
{
    uintptr_t  end;

    if (zone == NULL || zone->shm.addr == NULL) {
        return NULL;
    }

    end = (uintptr_t) zone->shm.addr + zone->shm.size
          - sizeof(ngx_http_nudge_sh_t);

    return (ngx_http_nudge_sh_t *) (end & ~(uintptr_t) 63);
}


static ngx_http_nudge_sh_t *
ngx_http_nudge_zone_enter(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t      *shpool;
    ngx_http_nudge_sh_t  *sh;

    sh = ngx_http_nudge_zone_sh(zone);

    if (sh == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_shmtx_lock(&shpool->mutex);

    if (sh->dirty) {
        ngx_http_nudge_zone_reset(shpool, sh);
    }

    sh->dirty = 1;
    ngx_memory_barrier();

    return sh;
}


static void
ngx_http_nudge_zone_leave(ngx_shm_zone_t *zone, ngx_http_nudge_sh_t *sh)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_memory_barrier();
    sh->dirty = 0;

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_nudge_zone_reset(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh)
{
    size_t                  room;
    ngx_uint_t              i;
    ngx_http_nudge_tree_t  *t;

    if (sh->magic) {
        (void) ngx_atomic_fetch_add(&sh->resets, 1);
    }

    ngx_slab_init(shpool);

    /* nomem is no news: it is answered by eviction */
    shpool->log_nomem = 0;

    room = shpool->pfree * ngx_pagesize;

    for (i = 0; i < NGX_HTTP_NUDGE_KINDS; i++) {
        t = &sh->trees[i];

        ngx_rbtree_init(&t->rbtree, &t->sentinel,
                        ngx_http_nudge_zone_insert_value);
        ngx_queue_init(&t->queue);

        t->used = 0;
        t->entries = 0;
        t->quota = room / 16 * ngx_http_nudge_kinds[i].sixteenths;
    }
}


static ngx_int_t
ngx_http_nudge_zone_cmp(ngx_http_nudge_entry_t *e, u_char *key, size_t len)
{
    if (e->key_len != len) {
        return (e->key_len < len) ? -1 : 1;
    }

    return ngx_memcmp(e->bytes, key, len);
}


static void
ngx_http_nudge_zone_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t       **p;
    ngx_http_nudge_entry_t   *e;

    e = (ngx_http_nudge_entry_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            p = (ngx_http_nudge_zone_cmp((ngx_http_nudge_entry_t *) temp,
                                         e->bytes, e->key_len)
                 > 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


/*
 * Bounded in depth and in reach: what a worker gone wild wrote over must not
 * take the others with it, so nonsense empties the zone.
 */

static ngx_http_nudge_entry_t *
ngx_http_nudge_zone_lookup(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind, uint32_t hash, ngx_str_t *key)
{
    u_char                  *p;
    ngx_int_t                rc;
    ngx_uint_t               depth;
    ngx_rbtree_node_t       *node;
    ngx_http_nudge_tree_t   *t;
    ngx_http_nudge_entry_t  *e;

    t = &sh->trees[kind];
    node = t->rbtree.root;

    for (depth = 0; depth < NGX_HTTP_NUDGE_ZONE_DEPTH; depth++) {

        if (node == &t->sentinel) {
            return NULL;
        }

        p = (u_char *) node;
        e = (ngx_http_nudge_entry_t *) node;

        if (p < shpool->start
            || p > shpool->end - sizeof(ngx_http_nudge_entry_t)
            || ((uintptr_t) p & 7)
            || e->kind != kind
            || e->room > (size_t) (shpool->end - e->bytes)
            || (size_t) e->key_len + e->len > e->room)
        {
            break;
        }

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        rc = ngx_http_nudge_zone_cmp(e, key->data, key->len);

        if (rc == 0) {
            return e;
        }

        node = (rc > 0) ? node->left : node->right;
    }

    ngx_http_nudge_zone_reset(shpool, sh);

    return NULL;
}


static ngx_uint_t
ngx_http_nudge_zone_expired(ngx_http_nudge_entry_t *e)
{
    return (ngx_msec_int_t) (ngx_current_msec - e->accessed)
           >= (ngx_msec_int_t) ngx_http_nudge_kinds[e->kind].ttl;
}


/* moving an entry to the front once a second orders the queue well enough */

static void
ngx_http_nudge_zone_use(ngx_http_nudge_sh_t *sh, ngx_http_nudge_entry_t *e)
{
    ngx_http_nudge_tree_t  *t;

    if ((ngx_msec_int_t) (ngx_current_msec - e->accessed) < 1000) {
        return;
    }

    t = &sh->trees[e->kind];

    e->accessed = ngx_current_msec;

    ngx_queue_remove(&e->queue);
    ngx_queue_insert_head(&t->queue, &e->queue);
}


ngx_int_t
ngx_http_nudge_zone_get(ngx_shm_zone_t *zone, ngx_http_nudge_kind_t kind,
    ngx_str_t *key, u_char *buf, size_t *len, uint32_t *stamp)
{
    size_t                   n;
    uint32_t                 hash;
    ngx_int_t                rc;
    ngx_http_nudge_sh_t     *sh;
    ngx_http_nudge_entry_t  *e;

    n = 0;
    rc = NGX_DECLINED;
    hash = ngx_murmur_hash2(key->data, key->len);

    if (stamp != NULL) {
        *stamp = 0;
    }

    sh = ngx_http_nudge_zone_enter(zone);

    if (sh == NULL) {
        *len = 0;
        return NGX_DECLINED;
    }

    e = ngx_http_nudge_zone_lookup((ngx_slab_pool_t *) zone->shm.addr, sh,
                                   kind, hash, key);

    if (e != NULL && !ngx_http_nudge_zone_expired(e)) {
        n = ngx_min(e->len, *len);
        ngx_memcpy(buf, e->bytes + e->key_len, n);

        if (stamp != NULL) {
            *stamp = e->stamp;
        }

        ngx_http_nudge_zone_use(sh, e);
        rc = NGX_OK;
    }

    ngx_http_nudge_zone_leave(zone, sh);

    *len = n;

    return rc;
}


ngx_int_t
ngx_http_nudge_zone_set(ngx_shm_zone_t *zone, ngx_http_nudge_kind_t kind,
    ngx_str_t *key, u_char *data, size_t len, uint32_t *stamp)
{
    uint32_t                 hash, current;
    ngx_int_t                rc;
    ngx_slab_pool_t         *shpool;
    ngx_http_nudge_sh_t     *sh;
    ngx_http_nudge_entry_t  *e;

    if (len > NGX_HTTP_NUDGE_ZONE_DATA || key->len > 0xffff) {
        return NGX_ERROR;
    }

    hash = ngx_murmur_hash2(key->data, key->len);

    sh = ngx_http_nudge_zone_enter(zone);

    if (sh == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_OK;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    e = ngx_http_nudge_zone_lookup(shpool, sh, kind, hash, key);

    current = (e == NULL || ngx_http_nudge_zone_expired(e)) ? 0 : e->stamp;

    if (stamp != NULL && *stamp != current) {
        rc = NGX_DECLINED;
        goto done;
    }

    if (e != NULL && e->key_len + len > e->room) {
        ngx_http_nudge_zone_remove(shpool, sh, e);
        e = NULL;
    }

    if (e == NULL) {
        e = ngx_http_nudge_zone_insert(shpool, sh, kind, hash, key, len);

        if (e == NULL) {
            rc = NGX_ERROR;
            goto done;
        }
    }

    e->len = len;
    ngx_memcpy(e->bytes + e->key_len, data, len);

    /* 0 means "does not exist" */

    if (++sh->stamp == 0) {
        sh->stamp = 1;
    }

    e->stamp = sh->stamp;

    if (stamp != NULL) {
        *stamp = e->stamp;
    }

    ngx_http_nudge_zone_use(sh, e);

done:

    ngx_http_nudge_zone_leave(zone, sh);

    return rc;
}


void
ngx_http_nudge_zone_delete(ngx_shm_zone_t *zone, ngx_http_nudge_kind_t kind,
    ngx_str_t *key)
{
    uint32_t                 hash;
    ngx_slab_pool_t         *shpool;
    ngx_http_nudge_sh_t     *sh;
    ngx_http_nudge_entry_t  *e;

    hash = ngx_murmur_hash2(key->data, key->len);

    sh = ngx_http_nudge_zone_enter(zone);

    if (sh == NULL) {
        return;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    e = ngx_http_nudge_zone_lookup(shpool, sh, kind, hash, key);

    if (e != NULL) {
        ngx_http_nudge_zone_remove(shpool, sh, e);
    }

    ngx_http_nudge_zone_leave(zone, sh);
}


/* what the slab really takes: powers of two, or whole pages */

static size_t
ngx_http_nudge_zone_charge(size_t size)
{
    size_t  n;

    if (size > ngx_pagesize / 2) {
        return ngx_align(size, ngx_pagesize);
    }

    for (n = 8; n < size; n <<= 1) { /* void */ }

    return n;
}


static ngx_http_nudge_entry_t *
ngx_http_nudge_zone_insert(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind, uint32_t hash, ngx_str_t *key, size_t len)
{
    size_t                   size;
    ngx_http_nudge_tree_t   *t;
    ngx_http_nudge_entry_t  *e;

    t = &sh->trees[kind];

    size = ngx_http_nudge_zone_charge(offsetof(ngx_http_nudge_entry_t, bytes)
                                      + key->len + len);

    ngx_http_nudge_zone_expire(shpool, sh, kind);

    e = ngx_http_nudge_zone_alloc(shpool, sh, kind, size);

    if (e == NULL) {
        return NULL;
    }

    e->node.key = hash;
    e->accessed = ngx_current_msec;
    e->stamp = 0;
    e->room = size - offsetof(ngx_http_nudge_entry_t, bytes);
    e->len = 0;
    e->key_len = key->len;
    e->kind = kind;
    ngx_memcpy(e->bytes, key->data, key->len);

    ngx_rbtree_insert(&t->rbtree, &e->node);
    ngx_queue_insert_head(&t->queue, &e->queue);

    t->used += size;
    t->entries++;

    return e;
}


static void
ngx_http_nudge_zone_remove(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_entry_t *e)
{
    ngx_http_nudge_tree_t  *t;

    t = &sh->trees[e->kind];

    t->used -= e->room + offsetof(ngx_http_nudge_entry_t, bytes);
    t->entries--;

    ngx_queue_remove(&e->queue);
    ngx_rbtree_delete(&t->rbtree, &e->node);
    ngx_slab_free_locked(shpool, e);
}


/* the oldest of a kind; 0 when there is none */

static ngx_uint_t
ngx_http_nudge_zone_evict(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_uint_t kind)
{
    ngx_queue_t             *q;
    ngx_http_nudge_tree_t   *t;
    ngx_http_nudge_entry_t  *e;

    t = &sh->trees[kind];

    if (ngx_queue_empty(&t->queue)) {
        return 0;
    }

    q = ngx_queue_last(&t->queue);
    e = ngx_queue_data(q, ngx_http_nudge_entry_t, queue);

    if (!ngx_http_nudge_zone_expired(e)) {
        t->evicted++;
    }

    ngx_http_nudge_zone_remove(shpool, sh, e);

    return 1;
}


static void *
ngx_http_nudge_zone_alloc(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind, size_t size)
{
    void                   *p;
    ngx_uint_t              i;
    ngx_http_nudge_tree_t  *t;

    t = &sh->trees[kind];

    if (size > t->quota / 4) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_NUDGE_ZONE_EVICT; i++) {

        if (t->used + size <= t->quota) {
            break;
        }

        if (!ngx_http_nudge_zone_evict(shpool, sh, kind)) {
            break;
        }
    }

    /* within its quota, but the slab may be full of holes of another size;
     * sessions, the largest kind, give when its own have nothing to give */

    for (i = 0; i < NGX_HTTP_NUDGE_ZONE_EVICT; i++) {

        p = ngx_slab_alloc_locked(shpool, size);

        if (p != NULL) {
            return p;
        }

        if (!ngx_http_nudge_zone_evict(shpool, sh, kind)
            && !ngx_http_nudge_zone_evict(shpool, sh, NGX_HTTP_NUDGE_SESSION))
        {
            return NULL;
        }
    }

    return NULL;
}


static void
ngx_http_nudge_zone_expire(ngx_slab_pool_t *shpool, ngx_http_nudge_sh_t *sh,
    ngx_http_nudge_kind_t kind)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_nudge_tree_t   *t;
    ngx_http_nudge_entry_t  *e;

    t = &sh->trees[kind];

    for (i = 0; i < 2 && !ngx_queue_empty(&t->queue); i++) {
        q = ngx_queue_last(&t->queue);
        e = ngx_queue_data(q, ngx_http_nudge_entry_t, queue);

        if (!ngx_http_nudge_zone_expired(e)) {
            return;
        }

        ngx_http_nudge_zone_remove(shpool, sh, e);
    }
}


void
ngx_http_nudge_zone_id(ngx_shm_zone_t *zone, uint64_t *nonce, uint64_t *seq)
{
    ngx_http_nudge_sh_t  *sh;

    sh = ngx_http_nudge_zone_sh(zone);

    *nonce = sh->nonce;
    *seq = ngx_atomic_fetch_add(&sh->sequence, 1) + 1;
}


ngx_atomic_t *
ngx_http_nudge_zone_generation(ngx_shm_zone_t *zone)
{
    return &ngx_http_nudge_zone_sh(zone)->generation;
}


/*
 * The zone is found through the cycle each time: a static pointer set by
 * init_zone would be left dangling in the master by a reload that failed.
 */

void
ngx_http_nudge_count(ngx_http_nudge_counter_t counter)
{
    ngx_http_nudge_sh_t         *sh;
    ngx_http_nudge_main_conf_t  *nmcf;

    nmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_nudge_module);

    sh = (nmcf != NULL) ? ngx_http_nudge_zone_sh(nmcf->zone) : NULL;

    if (sh == NULL) {
        return;
    }

    (void) ngx_atomic_fetch_add(
               &sh->slots[ngx_worker % NGX_HTTP_NUDGE_ZONE_SLOTS].n[counter],
               1);
}


/* the bucket is what limit_req keeps: excess in thousandths of a request */

ngx_uint_t
ngx_http_nudge_zone_allow(ngx_shm_zone_t *zone, ngx_str_t *key,
    ngx_uint_t per_second, ngx_uint_t burst)
{
    int64_t                  excess, ms;
    uint32_t                 hash;
    ngx_uint_t               allowed;
    ngx_slab_pool_t         *shpool;
    ngx_http_nudge_sh_t     *sh;
    ngx_http_nudge_entry_t  *e;

    struct {
        ngx_msec_t           last;
        int64_t              excess;
    } bucket;

    hash = ngx_murmur_hash2(key->data, key->len);

    sh = ngx_http_nudge_zone_enter(zone);

    if (sh == NULL) {
        return 1;
    }

    allowed = 1;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    bucket.last = ngx_current_msec;
    bucket.excess = 0;

    e = ngx_http_nudge_zone_lookup(shpool, sh, NGX_HTTP_NUDGE_RATE, hash, key);

    if (e != NULL && e->len == sizeof(bucket)) {
        ngx_memcpy(&bucket, e->bytes + e->key_len, sizeof(bucket));

        ms = (ngx_msec_int_t) (ngx_current_msec - bucket.last);
        ms = ngx_max(ms, 0);

        excess = bucket.excess - (int64_t) per_second * ms + 1000;
        excess = ngx_max(excess, 0);

        if (excess > (int64_t) burst * 1000) {
            allowed = 0;
            goto done;
        }

        bucket.last = ngx_current_msec;
        bucket.excess = excess;

    } else if (e == NULL) {
        e = ngx_http_nudge_zone_insert(shpool, sh, NGX_HTTP_NUDGE_RATE, hash,
                                       key, sizeof(bucket));
        if (e == NULL) {
            goto done;
        }
    }

    if (e->key_len + sizeof(bucket) <= e->room) {
        e->len = sizeof(bucket);
        ngx_memcpy(e->bytes + e->key_len, &bucket, sizeof(bucket));
        ngx_http_nudge_zone_use(sh, e);
    }

done:

    ngx_http_nudge_zone_leave(zone, sh);

    return allowed;
}


static void
ngx_http_nudge_zone_number(nudge_buf_t *b, const char *name, uint64_t n)
{
    nudge_buf_char(b, '"');
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "\":");
    nudge_buf_int(b, (int64_t) n);
}


void
ngx_http_nudge_zone_status(ngx_shm_zone_t *zone, nudge_buf_t *b)
{
    uint64_t               n;
    ngx_uint_t             i, k, pfree;
    ngx_slab_pool_t       *shpool;
    ngx_http_nudge_sh_t   *sh;
    ngx_http_nudge_tree_t  trees[NGX_HTTP_NUDGE_KINDS];

    sh = ngx_http_nudge_zone_enter(zone);

    if (sh == NULL) {
        nudge_buf_cstr(b, "\"zone\":null");
        return;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_memcpy(trees, sh->trees, sizeof(trees));
    pfree = shpool->pfree;

    ngx_http_nudge_zone_leave(zone, sh);

    for (i = 0; i < NGX_HTTP_NUDGE_COUNTERS; i++) {
        n = 0;

        for (k = 0; k < NGX_HTTP_NUDGE_ZONE_SLOTS; k++) {
            n += sh->slots[k].n[i];
        }

        ngx_http_nudge_zone_number(b, ngx_http_nudge_counter_names[i], n);
        nudge_buf_char(b, ',');
    }

    nudge_buf_cstr(b, "\"zone\":{");
    ngx_http_nudge_zone_number(b, "size", zone->shm.size);
    nudge_buf_char(b, ',');
    ngx_http_nudge_zone_number(b, "free", pfree * ngx_pagesize);
    nudge_buf_char(b, ',');
    ngx_http_nudge_zone_number(b, "resets", sh->resets);

    for (i = 0; i < NGX_HTTP_NUDGE_KINDS; i++) {
        nudge_buf_cstr(b, ",\"");
        nudge_buf_cstr(b, ngx_http_nudge_kinds[i].name);
        nudge_buf_cstr(b, "\":{");
        ngx_http_nudge_zone_number(b, "entries", trees[i].entries);
        nudge_buf_char(b, ',');
        ngx_http_nudge_zone_number(b, "bytes", trees[i].used);
        nudge_buf_char(b, ',');
        ngx_http_nudge_zone_number(b, "quota", trees[i].quota);
        nudge_buf_char(b, ',');
        ngx_http_nudge_zone_number(b, "evicted", trees[i].evicted);
        nudge_buf_char(b, '}');
    }

    nudge_buf_char(b, '}');
}
