
/*
 * A hostile page's JSON-LD: whatever it says, links stay on the shop, pictures
 * are https or local, and what is not certain is left out.
 */


#include <stdlib.h>

#include "nudge_html.h"
#include "nudge_page.h"


#define BLOCKS  4


static nudge_json_t  *js;
static nudge_pool_t  *pool;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


/* what a browser would take for another origin is not in there */

static void
check_local(nudge_str_t url)
{
    size_t  i;

    if (url.len == 0) {
        return;
    }

    check(url.data[0] == '/' && (url.len == 1 || url.data[1] != '/'));

    for (i = 0; i < url.len; i++) {
        check(url.data[i] >= ' ' && url.data[i] != '\\' && url.data[i] != '#');
    }
}


static void
check_item(const nudge_item_t *item)
{
    size_t  i;

    check_local(item->url);

    if (item->image.len && item->image.data[0] == '/') {
        check_local(item->image);

    } else if (item->image.len) {
        check(nudge_str_starts(&item->image, "https://"));

        for (i = 0; i < item->image.len; i++) {
            check(item->image.data[i] > ' ' && item->image.data[i] != '\\');
        }
    }

    check(nudge_utf8_valid(&item->id) && nudge_utf8_valid(&item->sku)
          && nudge_utf8_valid(&item->name) && nudge_utf8_valid(&item->brand)
          && nudge_utf8_valid(&item->category));

    for (i = 0; i < item->name.len; i++) {
        check(item->name.data[i] >= ' ');
    }

    check(item->price == NUDGE_MONEY_NONE || item->price > 0);
    check(item->currency.len == 0
          || (item->currency.len == 3 && item->price != NUDGE_MONEY_NONE));
    check(item->quantity == 0 && item->key.len == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char        *copy, *p, *end;
    nudge_buf_t    b;
    nudge_str_t    host, blocks[BLOCKS], s, t;
    nudge_int_t    rc;
    nudge_item_t   item;
    nudge_uint_t   n;

    if (js == NULL) {
        js = nudge_json_create(1024 * 1024);
        pool = nudge_pool_create(8 * 1024 * 1024);
        check(js != NULL && pool != NULL);
    }

    nudge_pool_reset(pool);
    host = nudge_cstr("shop.example");

    copy = malloc(size + 1);

    if (copy == NULL) {
        return 0;
    }

    memcpy(copy, data, size);
    s.data = copy;
    s.len = size;

    check_local(nudge_page_local(s, &host));
    (void) nudge_page_stock(&s);

    /* references: never longer than before, escaped text is plain ASCII and
     * comes back */

    check(nudge_html_unescape(pool, &t, &s) == NUDGE_OK && t.len <= size);
    nudge_buf_grow(&b, pool, 256, 1024 * 1024);
    nudge_html_escape(&b, &s);
    t = nudge_buf_result(&b);

    for (n = 0; n < t.len; n++) {
        check(t.data[n] >= ' ' && t.data[n] < 0x7f && t.data[n] != '<'
              && t.data[n] != '"');
    }

    /* blocks, one a line */

    p = copy;

    for (n = 0; n < BLOCKS && p < copy + size; n++) {
        end = memchr(p, '\n', copy + size - p);
        end = end ? end : copy + size;
        blocks[n].data = p;
        blocks[n].len = end - p;
        p = end + 1;
    }

    rc = nudge_page_product(js, pool, blocks, n, &host, &item);
    check(rc == NUDGE_OK || rc == NUDGE_DECLINED);
    free(copy);

    if (rc == NUDGE_OK) {
        check_item(&item);
    }

    return 0;
}
