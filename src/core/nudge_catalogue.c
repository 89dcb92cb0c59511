
/*
 * The catalogue file, both directions.  All numbers are little-endian:
 *
 *   0   magic "nudgecat"              8
 *   8   version                       u32
 *   12  CRC-32 of all that follows    u32
 *   16  size of the file              u64
 *   24  generation                    u64
 *   32  number of products            u32
 *   36  length of the shop's id       u32
 *   40  the shop's id, padded to 8
 *       index: hash u64, record u64   sorted by hash, then by product id
 *       popular: index u32 ...        most popular first, padded to 8
 *       records: popularity u32, stock u32, price i64, seen i64,
 *                ten lengths u16, the strings
 *
 * Opening checks every offset once; finding checks them again, because it is
 * cheap and the file is not ours alone.
 */
#include "nudge_catalogue.h"

#include <stdlib.h>


#define NUDGE_CATALOGUE_HEADER   40
#define NUDGE_CATALOGUE_ENTRY    16
#define NUDGE_CATALOGUE_STRINGS  10
#define NUDGE_CATALOGUE_RECORD   (24 + 2 * NUDGE_CATALOGUE_STRINGS)
#define NUDGE_CATALOGUE_COUNT    4000000
#define NUDGE_CATALOGUE_ID       255
#define NUDGE_CATALOGUE_TEXT     1024


/* where the sections begin; records_end is the end of the file */

typedef struct {
    uint64_t                 index;
    uint64_t                 popular;
    uint64_t                 records;
} nudge_catalogue_map_t;


typedef struct {
    uint64_t                 hash;
    uint64_t                 offset;
    uint32_t                 position;
    const nudge_product_t   *product;
} nudge_catalogue_entry_t;


static uint64_t nudge_catalogue_get(const u_char *p, nudge_uint_t bytes);
static void nudge_catalogue_put(nudge_buf_t *b, uint64_t n,
    nudge_uint_t bytes);
static void nudge_catalogue_pad(nudge_buf_t *b, size_t start);
static nudge_catalogue_map_t nudge_catalogue_map(uint64_t shop,
    uint64_t count);
static void nudge_catalogue_strings(const nudge_item_t *item,
    nudge_str_t s[NUDGE_CATALOGUE_STRINGS]);
static nudge_uint_t nudge_catalogue_fits(const nudge_product_t *p);
static size_t nudge_catalogue_record_size(const nudge_product_t *p);
static void nudge_catalogue_write_record(nudge_buf_t *b,
    const nudge_product_t *p);
static nudge_int_t nudge_catalogue_record(const nudge_catalogue_t *c,
    uint64_t offset, nudge_product_t *p);
static nudge_int_t nudge_catalogue_check(const nudge_catalogue_t *c,
    const char **error);
static int nudge_catalogue_by_hash(const void *a, const void *b);
static int nudge_catalogue_by_popularity(const void *a, const void *b);


static uint64_t
nudge_catalogue_get(const u_char *p, nudge_uint_t bytes)
{
    uint64_t  n;

    n = 0;

    while (bytes--) {
        n = n << 8 | p[bytes];
    }

    return n;
}


static void
nudge_catalogue_put(nudge_buf_t *b, uint64_t n, nudge_uint_t bytes)
{
    u_char        buf[8];
    nudge_uint_t  i;

    for (i = 0; i < bytes; i++) {
        buf[i] = (u_char) (n >> (8 * i));
    }

    nudge_buf_put(b, buf, bytes);
}


static void
nudge_catalogue_pad(nudge_buf_t *b, size_t start)
{
    while (!b->full && (b->pos - b->start - start) % 8) {
        nudge_buf_char(b, '\0');
    }
}


static nudge_catalogue_map_t
nudge_catalogue_map(uint64_t shop, uint64_t count)
{
    nudge_catalogue_map_t  map;

    map.index = (NUDGE_CATALOGUE_HEADER + shop + 7) / 8 * 8;
    map.popular = map.index + count * NUDGE_CATALOGUE_ENTRY;
    map.records = (map.popular + count * 4 + 7) / 8 * 8;

    return map;
}


/* too long to be true: a name is cut, everything else left out */

static void
nudge_catalogue_strings(const nudge_item_t *item,
    nudge_str_t s[NUDGE_CATALOGUE_STRINGS])
{
    nudge_uint_t  i;

    s[0] = item->id;
    s[1] = item->parent;
    s[2] = item->key;
    s[3] = item->sku;
    s[4] = nudge_utf8_cut(item->name, NUDGE_CATALOGUE_TEXT);
    s[5] = item->url;
    s[6] = item->image;
    s[7] = nudge_utf8_cut(item->category, NUDGE_CATALOGUE_TEXT);
    s[8] = nudge_utf8_cut(item->brand, NUDGE_CATALOGUE_TEXT);
    s[9] = item->currency;

    for (i = 1; i < NUDGE_CATALOGUE_STRINGS; i++) {
        if (s[i].len > 2 * NUDGE_CATALOGUE_TEXT) {
            s[i].len = 0;
        }
    }
}


static nudge_uint_t
nudge_catalogue_fits(const nudge_product_t *p)
{
    return p->item.id.len > 0 && p->item.id.len <= NUDGE_CATALOGUE_ID;
}


static size_t
nudge_catalogue_record_size(const nudge_product_t *p)
{
    size_t        size;
    nudge_str_t   s[NUDGE_CATALOGUE_STRINGS];
    nudge_uint_t  i;

    nudge_catalogue_strings(&p->item, s);

    size = NUDGE_CATALOGUE_RECORD;

    for (i = 0; i < NUDGE_CATALOGUE_STRINGS; i++) {
        size += s[i].len;
    }

    return size;
}


static void
nudge_catalogue_write_record(nudge_buf_t *b, const nudge_product_t *p)
{
    nudge_str_t   s[NUDGE_CATALOGUE_STRINGS];
    nudge_uint_t  i;

    nudge_catalogue_strings(&p->item, s);

    nudge_catalogue_put(b, p->popularity, 4);
    nudge_catalogue_put(b, p->item.stock, 4);
    nudge_catalogue_put(b, p->item.price, 8);
    nudge_catalogue_put(b, p->seen, 8);

    for (i = 0; i < NUDGE_CATALOGUE_STRINGS; i++) {
        nudge_catalogue_put(b, s[i].len, 2);
    }

    for (i = 0; i < NUDGE_CATALOGUE_STRINGS; i++) {
        nudge_buf_put(b, s[i].data, s[i].len);
    }
}


static int
nudge_catalogue_by_hash(const void *a, const void *b)
{
    const nudge_catalogue_entry_t  *x, *y;

    x = a;
    y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }

    return nudge_str_cmp(&x->product->item.id, &y->product->item.id);
}


static int
nudge_catalogue_by_popularity(const void *a, const void *b)
{
    const nudge_catalogue_entry_t  *x, *y;

    x = a;
    y = b;

    if (x->product->popularity != y->product->popularity) {
        return x->product->popularity > y->product->popularity ? -1 : 1;
    }

    return nudge_str_cmp(&x->product->item.id, &y->product->item.id);
}


nudge_int_t
nudge_catalogue_build(nudge_buf_t *b, nudge_pool_t *scratch,
    const nudge_str_t *shop, uint64_t generation,
    const nudge_product_t *products, nudge_uint_t n)
{
    u_char                   *crc;
    size_t                    start, size;
    uint64_t                  offset;
    nudge_buf_t               w;
    nudge_uint_t              i, count;
    nudge_catalogue_map_t     map;
    nudge_catalogue_entry_t  *e;

    if (n > NUDGE_CATALOGUE_COUNT || shop->len > NUDGE_CATALOGUE_ID) {
        return NUDGE_ERROR;
    }

    e = nudge_palloc(scratch, (n + 1) * sizeof(nudge_catalogue_entry_t));
    if (e == NULL) {
        return NUDGE_ERROR;
    }

    count = 0;

    for (i = 0; i < n; i++) {
        if (nudge_catalogue_fits(&products[i])) {
            e[count].product = &products[i];
            e[count].hash = nudge_hash(0, products[i].item.id.data,
                                       products[i].item.id.len);
            count++;
        }
    }

    if (count) {
        qsort(e, count, sizeof(nudge_catalogue_entry_t),
              nudge_catalogue_by_hash);
    }

    map = nudge_catalogue_map(shop->len, count);
    offset = map.records;

    for (i = 0; i < count; i++) {
        if (i && nudge_catalogue_by_hash(&e[i - 1], &e[i]) == 0) {
            return NUDGE_ERROR;
        }

        e[i].offset = offset;
        e[i].position = (uint32_t) i;
        offset += nudge_catalogue_record_size(e[i].product);
    }

    start = b->pos - b->start;

    nudge_buf_cstr(b, NUDGE_CATALOGUE_MAGIC);
    nudge_catalogue_put(b, NUDGE_CATALOGUE_V, 4);
    nudge_catalogue_put(b, 0, 4);
    nudge_catalogue_put(b, offset, 8);
    nudge_catalogue_put(b, generation, 8);
    nudge_catalogue_put(b, count, 4);
    nudge_catalogue_put(b, shop->len, 4);
    nudge_buf_str(b, shop);
    nudge_catalogue_pad(b, start);

    for (i = 0; i < count; i++) {
        nudge_catalogue_put(b, e[i].hash, 8);
        nudge_catalogue_put(b, e[i].offset, 8);
    }

    /* the records have to stand in the order of the index: they come first
     * into a buffer of their own, as sorting by popularity loses that order */

    size = offset - map.records;

    if (nudge_buf_grow(&w, scratch, size + 1, size + 1) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < count; i++) {
        nudge_catalogue_write_record(&w, e[i].product);
    }

    if (count) {
        qsort(e, count, sizeof(nudge_catalogue_entry_t),
              nudge_catalogue_by_popularity);
    }

    for (i = 0; i < count; i++) {
        nudge_catalogue_put(b, e[i].position, 4);
    }

    nudge_catalogue_pad(b, start);
    nudge_buf_put(b, w.start, w.pos - w.start);

    if (b->full || w.full
        || (size_t) (b->pos - b->start) - start != offset)
    {
        return NUDGE_ERROR;
    }

    crc = b->start + start + 12;
    nudge_buf_init(&w, crc, 4);
    nudge_catalogue_put(&w, nudge_crc32(crc + 4, offset - 16), 4);

    return NUDGE_OK;
}


/* the record at "offset", if all of it is there and means something */

static nudge_int_t
nudge_catalogue_record(const nudge_catalogue_t *c, uint64_t offset,
    nudge_product_t *p)
{
    size_t         len, left;
    u_char        *r;
    uint64_t       stock;
    nudge_str_t   *s[NUDGE_CATALOGUE_STRINGS];
    nudge_uint_t   i;

    if (offset > c->size || c->size - offset < NUDGE_CATALOGUE_RECORD) {
        return NUDGE_ERROR;
    }

    memset(p, 0, sizeof(nudge_product_t));

    s[0] = &p->item.id;
    s[1] = &p->item.parent;
    s[2] = &p->item.key;
    s[3] = &p->item.sku;
    s[4] = &p->item.name;
    s[5] = &p->item.url;
    s[6] = &p->item.image;
    s[7] = &p->item.category;
    s[8] = &p->item.brand;
    s[9] = &p->item.currency;

    r = (u_char *) c->data + offset;
    left = c->size - offset - NUDGE_CATALOGUE_RECORD;

    p->popularity = (uint32_t) nudge_catalogue_get(r, 4);
    stock = nudge_catalogue_get(r + 4, 4);
    p->item.price = (int64_t) nudge_catalogue_get(r + 8, 8);
    p->seen = (int64_t) nudge_catalogue_get(r + 16, 8);

    if (stock > NUDGE_STOCK_PREORDER) {
        return NUDGE_ERROR;
    }

    p->item.stock = (nudge_stock_t) stock;

    for (i = 0; i < NUDGE_CATALOGUE_STRINGS; i++) {
        len = nudge_catalogue_get(r + 24 + 2 * i, 2);

        if (len > left) {
            return NUDGE_ERROR;
        }

        if (len) {
            s[i]->data = (u_char *) c->data + c->size - left;
            s[i]->len = len;
        }

        left -= len;
    }

    if (p->item.id.len == 0) {
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


/* every record can be read, is indexed under its own hash, and the index is
 * sorted; popularity refers to products there are */

static nudge_int_t
nudge_catalogue_check(const nudge_catalogue_t *c, const char **error)
{
    uint64_t                hash, last;
    const u_char           *e;
    nudge_uint_t            i;
    nudge_product_t         p;
    nudge_catalogue_map_t   map;

    map = nudge_catalogue_map(nudge_catalogue_get(c->data + 36, 4), c->count);
    last = 0;

    for (i = 0; i < c->count; i++) {
        e = c->data + map.index + i * NUDGE_CATALOGUE_ENTRY;
        hash = nudge_catalogue_get(e, 8);

        if (hash < last) {
            *error = "index is not sorted";
            return NUDGE_ERROR;
        }

        last = hash;

        if (nudge_catalogue_get(e + 8, 8) < map.records
            || nudge_catalogue_record(c, nudge_catalogue_get(e + 8, 8), &p)
               != NUDGE_OK
            || nudge_hash(0, p.item.id.data, p.item.id.len) != hash)
        {
            *error = "record is damaged";
            return NUDGE_ERROR;
        }

        if (nudge_catalogue_get(c->data + map.popular + 4 * i, 4) >= c->count)
        {
            *error = "list of popular products is damaged";
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


nudge_int_t
nudge_catalogue_open(nudge_catalogue_t *c, const u_char *data, size_t size,
    const nudge_str_t *shop, const char **error)
{
    uint64_t                len;
    const char             *none;
    nudge_str_t             id;
    nudge_catalogue_map_t   map;

    if (error == NULL) {
        error = &none;
    }

    memset(c, 0, sizeof(nudge_catalogue_t));

    if (data == NULL || size < NUDGE_CATALOGUE_HEADER
        || memcmp(data, NUDGE_CATALOGUE_MAGIC, 8) != 0)
    {
        *error = "not a catalogue";
        return NUDGE_ERROR;
    }

    if (nudge_catalogue_get(data + 8, 4) != NUDGE_CATALOGUE_V) {
        *error = "unknown version";
        return NUDGE_ERROR;
    }

    if (nudge_catalogue_get(data + 16, 8) != size) {
        *error = "size differs from the header's";
        return NUDGE_ERROR;
    }

    len = nudge_catalogue_get(data + 36, 4);
    map = nudge_catalogue_map(len, nudge_catalogue_get(data + 32, 4));

    if (len > NUDGE_CATALOGUE_ID || map.records > size) {
        *error = "sections exceed the file";
        return NUDGE_ERROR;
    }

    if (nudge_crc32(data + 16, size - 16) != nudge_catalogue_get(data + 12, 4))
    {
        *error = "checksum differs";
        return NUDGE_ERROR;
    }

    id.data = (u_char *) data + NUDGE_CATALOGUE_HEADER;
    id.len = len;

    if (!nudge_str_eq(&id, shop)) {
        *error = "belongs to another shop";
        return NUDGE_ERROR;
    }

    c->data = data;
    c->size = size;
    c->generation = nudge_catalogue_get(data + 24, 8);
    c->count = (uint32_t) nudge_catalogue_get(data + 32, 4);

    if (nudge_catalogue_check(c, error) != NUDGE_OK) {
        memset(c, 0, sizeof(nudge_catalogue_t));
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


nudge_int_t
nudge_catalogue_find(const nudge_catalogue_t *c, const nudge_str_t *id,
    nudge_product_t *p)
{
    uint64_t                hash, found;
    const u_char           *index;
    nudge_uint_t            low, high, i;
    nudge_catalogue_map_t   map;

    if (c->data == NULL || id->len == 0) {
        return NUDGE_DECLINED;
    }

    map = nudge_catalogue_map(nudge_catalogue_get(c->data + 36, 4), c->count);

    if (map.records > c->size) {
        return NUDGE_DECLINED;
    }

    index = c->data + map.index;
    hash = nudge_hash(0, id->data, id->len);
    low = 0;
    high = c->count;

    while (low < high) {
        i = low + (high - low) / 2;

        if (nudge_catalogue_get(index + i * NUDGE_CATALOGUE_ENTRY, 8) < hash) {
            low = i + 1;

        } else {
            high = i;
        }
    }

    for (i = low; i < c->count; i++) {
        found = nudge_catalogue_get(index + i * NUDGE_CATALOGUE_ENTRY, 8);

        if (found != hash) {
            break;
        }

        found = nudge_catalogue_get(index + i * NUDGE_CATALOGUE_ENTRY + 8, 8);

        if (nudge_catalogue_record(c, found, p) == NUDGE_OK
            && nudge_str_eq(&p->item.id, id))
        {
            return NUDGE_OK;
        }
    }

    return NUDGE_DECLINED;
}


nudge_int_t
nudge_catalogue_popular(const nudge_catalogue_t *c, nudge_uint_t i,
    nudge_product_t *p)
{
    uint64_t               n, offset;
    nudge_catalogue_map_t  map;

    if (c->data == NULL || i >= c->count) {
        return NUDGE_DECLINED;
    }

    map = nudge_catalogue_map(nudge_catalogue_get(c->data + 36, 4), c->count);

    if (map.records > c->size) {
        return NUDGE_DECLINED;
    }

    n = nudge_catalogue_get(c->data + map.popular + 4 * i, 4);

    if (n >= c->count) {
        return NUDGE_DECLINED;
    }

    offset = nudge_catalogue_get(c->data + map.index
                                 + n * NUDGE_CATALOGUE_ENTRY + 8, 8);

    return nudge_catalogue_record(c, offset, p) == NUDGE_OK ? NUDGE_OK
                                                            : NUDGE_DECLINED;
}
