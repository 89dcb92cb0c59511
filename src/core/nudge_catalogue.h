
/*
 * The catalogue as workers see it: one checksummed file per generation,
 * written by the sender, mapped read-only, found by binary search on the hash
 * of the product id.  Both directions live here so that they cannot drift
 * apart.  nudge_catalogue_open() verifies header, bounds and CRC once; after
 * that no lookup can leave the file, whatever it contains.
 */


#ifndef _NUDGE_CATALOGUE_H_INCLUDED_
#define _NUDGE_CATALOGUE_H_INCLUDED_


#include "nudge_event.h"


#define NUDGE_CATALOGUE_MAGIC  "nudgecat"
#define NUDGE_CATALOGUE_V      1

typedef struct {
    nudge_item_t    item;           /* quantity unused */
    uint32_t        popularity;     /* decayed score, larger is better */
    int64_t         seen;           /* ms since the epoch */
} nudge_product_t;

typedef struct {
    const u_char   *data;
    size_t          size;
    uint64_t        generation;
    uint32_t        count;
} nudge_catalogue_t;

/* the whole file into b; products in any order, ids unique.  shop is kept in
 * the header and has to match on opening; scratch takes about as much as the
 * file.  Products without an id or with one above 255 bytes are left out */
nudge_int_t nudge_catalogue_build(nudge_buf_t *b, nudge_pool_t *scratch,
    const nudge_str_t *shop, uint64_t generation,
    const nudge_product_t *products, nudge_uint_t n);

/* NUDGE_OK, or NUDGE_ERROR and *error; the bytes must stay while in use */
nudge_int_t nudge_catalogue_open(nudge_catalogue_t *c, const u_char *data,
    size_t size, const nudge_str_t *shop, const char **error);

/* NUDGE_OK (strings point into the file) or NUDGE_DECLINED */
nudge_int_t nudge_catalogue_find(const nudge_catalogue_t *c,
    const nudge_str_t *id, nudge_product_t *p);
/* the i-th most popular product, i < c->count */
nudge_int_t nudge_catalogue_popular(const nudge_catalogue_t *c,
    nudge_uint_t i, nudge_product_t *p);


#endif /* _NUDGE_CATALOGUE_H_INCLUDED_ */
