
/*
 * The tokenizer: however a page is cut, what comes out is what a second, slow
 * and simple reading of the whole gives.  That reading is written from the
 * standard's text, one state after the other, with the whole page in memory:
 * it shares nothing with nudge_html.c but the results.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_html.h"

#include "html_reference.h"


#define LD_ROOM  512


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static u_char  ld[2][LD_ROOM];


static void
fuzz_check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


static void
fuzz_same(const nudge_html_t *a, const nudge_html_t *b)
{
    nudge_uint_t  i;

    fuzz_check(a->offset == b->offset && a->marked == b->marked
               && (!a->marked || a->mark == b->mark)
               && a->document == b->document && a->meta_csp == b->meta_csp
               && a->ld_truncated == b->ld_truncated
               && a->ld_hash == b->ld_hash && a->nld == b->nld
               && nudge_str_eq(&a->body_class, &b->body_class)
               && nudge_str_eq(&a->canonical, &b->canonical));

    for (i = 0; i < a->nld; i++) {
        fuzz_check(a->block[i].start == b->block[i].start
                   && a->block[i].len == b->block[i].len
                   && memcmp(a->ld + a->block[i].start,
                             b->ld + b->block[i].start, a->block[i].len) == 0);
    }
}


static void
fuzz_feed(nudge_html_t *h, const uint8_t *p, size_t n)
{
    uint8_t  *copy;

    copy = malloc(n ? n : 1);

    if (copy == NULL) {
        return;
    }

    if (n) {
        memcpy(copy, p, n);
    }

    nudge_html_feed(h, copy, n);
    free(copy);
}


/* in pieces whose sizes the seed decides; 0: of one byte */

static void
fuzz_pieces(nudge_html_t *h, const uint8_t *data, size_t size, uint32_t seed,
    const nudge_html_t *whole)
{
    size_t  n, pos, before;

    nudge_html_init(h, ld[1], LD_ROOM);

    for (pos = 0; pos < size; pos += n) {
        seed = seed * 1664525 + 1013904223;
        n = (seed >> 24) % 16 + ((seed & 0x70000) ? 0 : 200);
        n = (n == 0 || whole == NULL) ? 1 : n;
        n = (n > size - pos) ? size - pos : n;

        before = h->offset - h->hold;
        fuzz_feed(h, data + pos, n);

        fuzz_check(h->hold <= NUDGE_HTML_HOLD && h->hold <= h->offset);
        fuzz_check(!h->marked || h->hold == 0);
        fuzz_check(h->offset == pos + n);

        /* what was let go before is gone for good */

        fuzz_check(!h->marked || h->mark >= before || whole == NULL
                   || whole->mark == h->mark);
        fuzz_check(h->marked || h->offset - h->hold >= before);

        if (whole && whole->marked && !h->marked) {
            fuzz_check(whole->mark >= h->offset - h->hold);
        }
    }

    nudge_html_end(h);
    fuzz_check(h->hold == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t               seed;
    nudge_uint_t           i;
    static nudge_html_t    whole, other;
    static reference_t     ref;

    seed = (uint32_t) nudge_hash(0, data, size);

    nudge_html_init(&whole, ld[0], LD_ROOM);
    fuzz_feed(&whole, data, size);
    nudge_html_end(&whole);

    fuzz_pieces(&other, data, size, 0, NULL);
    fuzz_same(&whole, &other);

    for (i = 0; i < 3; i++) {
        fuzz_pieces(&other, data, size, seed + i, &whole);
        fuzz_same(&whole, &other);
    }

    reference_read(&ref, data, size);

    fuzz_check(ref.marked == whole.marked);
    fuzz_check(!ref.marked || ref.mark == whole.mark);
    fuzz_check(ref.document == whole.document);

    if (!whole.ld_truncated) {
        fuzz_check(ref.nld == whole.nld);

        for (i = 0; i < whole.nld; i++) {
            fuzz_check(ref.ld[i].len == whole.block[i].len
                       && memcmp(data + ref.ld[i].start,
                                 whole.ld + whole.block[i].start,
                                 ref.ld[i].len) == 0);
        }
    }

    return 0;
}
