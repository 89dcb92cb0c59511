
/*
 * Strings, the bounded pool and the writer.  Everything here works on bytes
 * with a length, takes no lock and has no global state, so the sender's
 * threads may use it as freely as a worker.
 */


#include "nudge_core.h"

#include <stdlib.h>


#define NUDGE_POOL_ALIGN      16
#define NUDGE_POOL_FIRST      4096
#define NUDGE_POOL_CHUNK_MAX  (256 * 1024)


typedef struct nudge_chunk_s  nudge_chunk_t;

struct nudge_chunk_s {
    nudge_chunk_t      *next;
    u_char             *pos;
    u_char             *end;
    size_t              size;
};


struct nudge_pool_s {
    size_t              limit;
    size_t              total;
    nudge_chunk_t      *first;
    nudge_chunk_t      *current;
};


static nudge_chunk_t *nudge_pool_chunk(nudge_pool_t *pool, size_t need);
static nudge_uint_t nudge_pool_extend(nudge_pool_t *pool, u_char *end,
    size_t more);
static nudge_int_t nudge_buf_reserve(nudge_buf_t *b, size_t len);


nudge_str_t
nudge_cstr(const char *s)
{
    nudge_str_t  str;

    str.len = (s == NULL) ? 0 : strlen(s);
    str.data = (u_char *) s;

    return str;
}


nudge_uint_t
nudge_str_eq(const nudge_str_t *a, const nudge_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


nudge_uint_t
nudge_str_is(const nudge_str_t *a, const char *b)
{
    size_t  len;

    len = strlen(b);

    return a->len == len && (len == 0 || memcmp(a->data, b, len) == 0);
}


nudge_uint_t
nudge_str_case_is(const nudge_str_t *a, const char *b)
{
    size_t  i;
    u_char  c, d;

    if (a->len != strlen(b)) {
        return 0;
    }

    for (i = 0; i < a->len; i++) {
        c = a->data[i];
        d = (u_char) b[i];

        if (c >= 'A' && c <= 'Z') {
            c |= 0x20;
        }

        if (d >= 'A' && d <= 'Z') {
            d |= 0x20;
        }

        if (c != d) {
            return 0;
        }
    }

    return 1;
}


nudge_uint_t
nudge_str_starts(const nudge_str_t *a, const char *prefix)
{
    size_t  len;

    len = strlen(prefix);

    return a->len >= len && (len == 0 || memcmp(a->data, prefix, len) == 0);
}


nudge_int_t
nudge_str_cmp(const nudge_str_t *a, const nudge_str_t *b)
{
    int     rc;
    size_t  n;

    n = (a->len < b->len) ? a->len : b->len;
    rc = (n == 0) ? 0 : memcmp(a->data, b->data, n);

    if (rc != 0) {
        return (rc < 0) ? -1 : 1;
    }

    return (a->len > b->len) - (a->len < b->len);
}


u_char *
nudge_str_find(const nudge_str_t *a, const char *needle)
{
    size_t   len;
    u_char  *p, *last;

    len = strlen(needle);

    if (len == 0 || a->len < len) {
        return (len == 0) ? a->data : NULL;
    }

    last = a->data + a->len - len;

    for (p = a->data; p <= last; p++) {
        p = memchr(p, needle[0], last - p + 1);

        if (p == NULL || memcmp(p, needle, len) == 0) {
            return p;
        }
    }

    return NULL;
}


int64_t
nudge_str_int(const nudge_str_t *a)
{
    size_t   i;
    int64_t  n;

    if (a->len == 0 || a->len > 18) {
        return NUDGE_ERROR;
    }

    n = 0;

    for (i = 0; i < a->len; i++) {
        if (a->data[i] < '0' || a->data[i] > '9') {
            return NUDGE_ERROR;
        }

        n = n * 10 + (a->data[i] - '0');
    }

    return n;
}


static nudge_uint_t
nudge_is_space(u_char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}


nudge_str_t
nudge_str_trim(nudge_str_t s)
{
    while (s.len && nudge_is_space(s.data[0])) {
        s.data++;
        s.len--;
    }

    while (s.len && nudge_is_space(s.data[s.len - 1])) {
        s.len--;
    }

    return s;
}


nudge_pool_t *
nudge_pool_create(size_t limit)
{
    nudge_pool_t  *pool;

    pool = calloc(1, sizeof(nudge_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->limit = limit;
    pool->total = sizeof(nudge_pool_t);

    return pool;
}


void
nudge_pool_reset(nudge_pool_t *pool)
{
    nudge_chunk_t  *chunk, *next;

    if (pool == NULL || pool->first == NULL) {
        return;
    }

    for (chunk = pool->first->next; chunk; chunk = next) {
        next = chunk->next;
        pool->total -= chunk->size;
        free(chunk);
    }

    chunk = pool->first;
    chunk->next = NULL;
    chunk->pos = (u_char *) (chunk + 1);
    pool->current = chunk;
}


void
nudge_pool_destroy(nudge_pool_t *pool)
{
    if (pool == NULL) {
        return;
    }

    nudge_pool_reset(pool);
    free(pool->first);
    free(pool);
}


/* each chunk is twice the one before, or as large as what is asked for */

static nudge_chunk_t *
nudge_pool_chunk(nudge_pool_t *pool, size_t need)
{
    size_t          room, size;
    nudge_chunk_t  *chunk;

    room = (pool->total < pool->limit) ? pool->limit - pool->total : 0;

    if (room < sizeof(nudge_chunk_t) || need > room - sizeof(nudge_chunk_t)) {
        return NULL;
    }

    size = pool->current ? pool->current->size * 2 : NUDGE_POOL_FIRST;

    if (size > NUDGE_POOL_CHUNK_MAX) {
        size = NUDGE_POOL_CHUNK_MAX;
    }

    if (size > room) {
        size = room;
    }

    if (size < need + sizeof(nudge_chunk_t)) {
        size = need + sizeof(nudge_chunk_t);
    }

    chunk = malloc(size);
    if (chunk == NULL) {
        return NULL;
    }

    chunk->next = NULL;
    chunk->size = size;
    chunk->pos = (u_char *) (chunk + 1);
    chunk->end = (u_char *) chunk + size;

    if (pool->current) {
        pool->current->next = chunk;

    } else {
        pool->first = chunk;
    }

    pool->current = chunk;
    pool->total += size;

    return chunk;
}


void *
nudge_palloc(nudge_pool_t *pool, size_t size)
{
    u_char         *p;
    nudge_chunk_t  *chunk;

    if (pool == NULL || size > pool->limit) {
        return NULL;
    }

    size = (size + NUDGE_POOL_ALIGN - 1) & ~((size_t) NUDGE_POOL_ALIGN - 1);

    if (size == 0) {
        size = NUDGE_POOL_ALIGN;
    }

    chunk = pool->current;

    if (chunk == NULL || size > (size_t) (chunk->end - chunk->pos)) {
        chunk = nudge_pool_chunk(pool, size);
        if (chunk == NULL) {
            return NULL;
        }
    }

    p = chunk->pos;
    chunk->pos += size;

    return p;
}


void *
nudge_pcalloc(nudge_pool_t *pool, size_t size)
{
    void  *p;

    p = nudge_palloc(pool, size);
    if (p != NULL) {
        memset(p, 0, size);
    }

    return p;
}


nudge_int_t
nudge_pstrdup(nudge_pool_t *pool, nudge_str_t *dst, const nudge_str_t *src)
{
    u_char  *p;

    if (src->len == SIZE_MAX) {
        return NUDGE_ERROR;
    }

    p = nudge_palloc(pool, src->len + 1);
    if (p == NULL) {
        return NUDGE_ERROR;
    }

    if (src->len) {
        memcpy(p, src->data, src->len);
    }

    p[src->len] = '\0';
    dst->len = src->len;
    dst->data = p;

    return NUDGE_OK;
}


/* a writer that is the pool's last allocation grows where it stands */

static nudge_uint_t
nudge_pool_extend(nudge_pool_t *pool, u_char *end, size_t more)
{
    nudge_chunk_t  *chunk;

    chunk = pool->current;

    if (chunk == NULL || chunk->pos != end
        || more > (size_t) (chunk->end - chunk->pos))
    {
        return 0;
    }

    chunk->pos += more;

    return 1;
}


void
nudge_buf_init(nudge_buf_t *b, void *start, size_t size)
{
    b->start = start;
    b->pos = start;
    b->end = (u_char *) start + size;
    b->pool = NULL;
    b->max = size;
    b->full = 0;
}


nudge_int_t
nudge_buf_grow(nudge_buf_t *b, nudge_pool_t *pool, size_t size, size_t max)
{
    size = (size + NUDGE_POOL_ALIGN - 1) & ~((size_t) NUDGE_POOL_ALIGN - 1);

    if (size > max) {
        size = max;
    }

    b->start = nudge_palloc(pool, size);
    b->pos = b->start;
    b->end = b->start;
    b->pool = pool;
    b->max = max;
    b->full = 0;

    if (b->start == NULL) {
        b->full = 1;
        return NUDGE_ERROR;
    }

    b->end = b->start + size;

    return NUDGE_OK;
}


static nudge_int_t
nudge_buf_reserve(nudge_buf_t *b, size_t len)
{
    size_t   used, size;
    u_char  *p;

    if (b->full) {
        return NUDGE_ERROR;
    }

    if (len <= (size_t) (b->end - b->pos)) {
        return NUDGE_OK;
    }

    used = b->pos - b->start;

    if (b->pool == NULL || len > b->max || used > b->max - len) {
        b->full = 1;
        return NUDGE_ERROR;
    }

    size = (size_t) (b->end - b->start) * 2;

    if (size < used + len) {
        size = used + len;
    }

    size = (size + NUDGE_POOL_ALIGN - 1) & ~((size_t) NUDGE_POOL_ALIGN - 1);

    if (size > b->max) {
        size = b->max;
    }

    if (nudge_pool_extend(b->pool, b->end, size - (b->end - b->start))) {
        b->end = b->start + size;
        return NUDGE_OK;
    }

    p = nudge_palloc(b->pool, size);

    if (p == NULL && size > used + len) {
        size = used + len;
        p = nudge_palloc(b->pool, size);
    }

    if (p == NULL) {
        b->full = 1;
        return NUDGE_ERROR;
    }

    if (used) {
        memcpy(p, b->start, used);
    }

    b->start = p;
    b->pos = p + used;
    b->end = p + size;

    return NUDGE_OK;
}


void
nudge_buf_put(nudge_buf_t *b, const void *data, size_t len)
{
    if (len == 0 || nudge_buf_reserve(b, len) != NUDGE_OK) {
        return;
    }

    memcpy(b->pos, data, len);
    b->pos += len;
}


void
nudge_buf_char(nudge_buf_t *b, u_char c)
{
    if (nudge_buf_reserve(b, 1) == NUDGE_OK) {
        *b->pos++ = c;
    }
}


void
nudge_buf_cstr(nudge_buf_t *b, const char *s)
{
    nudge_buf_put(b, s, strlen(s));
}


void
nudge_buf_str(nudge_buf_t *b, const nudge_str_t *s)
{
    nudge_buf_put(b, s->data, s->len);
}


void
nudge_buf_int(nudge_buf_t *b, int64_t n)
{
    u_char    *p, text[24];
    uint64_t   u;

    p = text + sizeof(text);
    u = (n < 0) ? -(uint64_t) n : (uint64_t) n;

    do {
        *--p = '0' + u % 10;
        u /= 10;
    } while (u);

    if (n < 0) {
        *--p = '-';
    }

    nudge_buf_put(b, p, text + sizeof(text) - p);
}


void
nudge_buf_hex(nudge_buf_t *b, uint64_t n, nudge_uint_t digits)
{
    u_char        text[16];
    nudge_uint_t  i;

    if (digits > 16) {
        digits = 16;
    }

    for (i = digits; i > 0; i--) {
        text[i - 1] = "0123456789abcdef"[n & 0xf];
        n >>= 4;
    }

    nudge_buf_put(b, text, digits);
}


nudge_str_t
nudge_buf_result(const nudge_buf_t *b)
{
    nudge_str_t  s;

    s.data = b->start;
    s.len = b->pos - b->start;

    return s;
}
