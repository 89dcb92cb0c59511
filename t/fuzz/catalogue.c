
/*
 * A catalogue file of any content.  Size and checksum are made right here, so
 * that what is behind them is reached: no lookup may leave the file, whether
 * opening took it or not.
 */


#include <stdlib.h>

#include "nudge_recommend.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static void
put(u_char *p, uint64_t n, unsigned bytes)
{
    while (bytes--) {
        *p++ = (u_char) n;
        n >>= 8;
    }
}


/* touches every byte of every string */

static void
read_item(const nudge_product_t *p, const u_char *file, size_t size)
{
    uint64_t        sum;
    nudge_uint_t    i;

    const nudge_str_t  *s[] = {
        &p->item.id, &p->item.parent, &p->item.key, &p->item.sku,
        &p->item.name, &p->item.url, &p->item.image, &p->item.category,
        &p->item.brand, &p->item.currency
    };

    sum = 0;

    for (i = 0; i < sizeof(s) / sizeof(s[0]); i++) {
        sum += nudge_hash(sum, s[i]->data, s[i]->len);
        check(s[i]->len == 0
              || (s[i]->data >= file && s[i]->data + s[i]->len
                                        <= file + size));
    }

    check(p->item.id.len > 0 && sum != 1);
}


static void
read_all(const nudge_catalogue_t *c, int sound)
{
    nudge_uint_t     i;
    nudge_str_t      id;
    nudge_viewed_t   viewed[2];
    nudge_session_t  s;
    nudge_product_t  p, q, out[4];

    for (i = 0; i < c->count && i < 1000; i++) {
        if (nudge_catalogue_popular(c, i, &p) != NUDGE_OK) {
            check(!sound);
            continue;
        }

        read_item(&p, c->data, c->size);

        if (nudge_catalogue_find(c, &p.item.id, &q) == NUDGE_OK) {
            read_item(&q, c->data, c->size);

        } else {
            check(!sound);
        }
    }

    id = nudge_cstr("19");
    viewed[0].id = id;
    viewed[1].id = nudge_cstr("no such thing");
    memset(&s, 0, sizeof(nudge_session_t));
    s.viewed = viewed;
    s.nviewed = 2;

    (void) nudge_recommend(c, &s, NULL, &id, NULL, NULL, out, 4);
}


/* products made of the input, built and read again */

static void
fuzz_build(const uint8_t *data, size_t size, nudge_pool_t *pool)
{
    size_t              n;
    const char         *error;
    nudge_str_t         shop, s;
    nudge_buf_t         b;
    nudge_uint_t        count;
    nudge_product_t     p[16];
    nudge_catalogue_t   c;

    count = 0;
    shop = nudge_cstr("bluemug");
    memset(p, 0, sizeof(p));

    while (size > 2 && count < 16) {
        n = data[0] < size - 2 ? data[0] : size - 2;
        s.data = (u_char *) data + 2;
        s.len = n;
        p[count].item.id = s;
        p[count].item.name = s;
        p[count].item.url = s;
        p[count].item.image = s;
        p[count].popularity = data[1];
        p[count].item.stock = data[1] % 4;
        p[count].item.price = (int64_t) data[1] << data[1] % 56;
        count++;
        data += 2 + n;
        size -= 2 + n;
    }

    check(nudge_buf_grow(&b, pool, 1024, 1024 * 1024) == NUDGE_OK);

    if (nudge_catalogue_build(&b, pool, &shop, 7, p, count) == NUDGE_OK) {
        check(nudge_catalogue_open(&c, b.start, b.pos - b.start, &shop, &error)
              == NUDGE_OK);
        check(c.count <= count);
        read_all(&c, 1);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char             *file;
    const char         *error;
    nudge_str_t         shop;
    nudge_catalogue_t   c;

    static nudge_pool_t  *pool;

    if (pool == NULL) {
        pool = nudge_pool_create(16 * 1024 * 1024);
        check(pool != NULL);
    }

    shop = nudge_cstr("bluemug");

    (void) nudge_catalogue_open(&c, data, size, &shop, NULL);
    fuzz_build(data, size, pool);
    nudge_pool_reset(pool);

    if (size < 40) {
        return 0;
    }

    /* of its exact size, so that the sanitizer sees a byte too many */

    file = malloc(size);
    check(file != NULL);
    memcpy(file, data, size);
    memcpy(file, NUDGE_CATALOGUE_MAGIC, 8);
    put(file + 8, NUDGE_CATALOGUE_V, 4);
    put(file + 16, size, 8);
    put(file + 12, nudge_crc32(file + 16, size - 16), 4);

    if (nudge_catalogue_open(&c, file, size, &shop, &error) == NUDGE_OK) {
        read_all(&c, 1);

        /* and if it changes under us */

        file[data[0] * 7 % size] ^= 0xff;
        read_all(&c, 0);
    }

    free(file);

    return 0;
}
