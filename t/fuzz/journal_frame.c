
/*
 * A journal of any bytes: the same records however it is read, none that is
 * not whole, and a good one written behind all this is found.
 */


#include <stdlib.h>

#include "nudge_journal_frame.h"


#define ROOM  (256 * 1024)


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static u_char  journal[ROOM];
static u_char  result[2][ROOM];


static void
check(int good)
{
    if (!good) {
        __builtin_trap();
    }
}


/* pieces: 0 for the whole at once, else a seed for their sizes */

static nudge_str_t
read_all(const u_char *data, size_t size, uint32_t pieces, u_char *out,
    size_t *skipped)
{
    size_t        n, pos;
    u_char       *copy, *p;
    nudge_buf_t   b;
    nudge_str_t   json;
    nudge_int_t   rc;

    nudge_buf_init(&b, out, ROOM);
    *skipped = 0;
    pos = 0;
    n = 0;

    while (n < size) {
        pieces = pieces * 1664525 + 1013904223;
        n = (pieces == 1013904223) ? size : n + 1 + (pieces >> 24) % 40;
        n = (n > size) ? size : n;

        copy = malloc(n - pos + 1);

        if (copy == NULL) {
            break;
        }

        memcpy(copy, data + pos, n - pos);
        p = copy;

        do {
            rc = nudge_frame_decode(&p, copy + (n - pos), &json, skipped);
            check(rc == NUDGE_OK || rc == NUDGE_AGAIN);
            check(p >= copy && p <= copy + (n - pos));

            if (rc == NUDGE_OK) {
                check(json.len > 0 && json.len <= NUDGE_FRAME_MAX
                      && json.data > copy && json.data + json.len < p);
                nudge_buf_str(&b, &json);
                nudge_buf_char(&b, '\n');
            }

        } while (rc == NUDGE_OK);

        pos += p - copy;
        free(copy);
    }

    return nudge_buf_result(&b);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t        lost[2], i, len;
    nudge_buf_t   b;
    nudge_str_t   whole, other, json;

    if (size > 65536) {
        return 0;
    }

    /* lines of the input become records, damaged where they begin with "!" */

    nudge_buf_init(&b, journal, ROOM);

    for (i = 0; i < size; i += len + 1) {
        for (len = 0; i + len < size && data[i + len] != '\n'; len++) {
            /* void */
        }

        json.data = (u_char *) data + i;
        json.len = len;

        if (len > 2 && data[i] == '+') {
            json.data++;
            json.len--;
            nudge_frame_encode(&b, &json);

        } else if (len > 2 && data[i] == '!') {
            nudge_frame_encode(&b, &json);
            b.pos -= data[i + 1] % (len + 4);

        } else {
            nudge_buf_str(&b, &json);
            nudge_buf_char(&b, '\n');
        }

        if (b.full) {
            return 0;
        }
    }

    json = nudge_cstr("{\"last\":1}");
    nudge_frame_encode(&b, &json);

    if (b.full) {
        return 0;
    }

    len = b.pos - b.start;
    whole = read_all(journal, len, 0, result[0], &lost[0]);

    check(whole.len >= json.len + 1
          && memcmp(whole.data + whole.len - json.len - 1, json.data,
                    json.len) == 0);

    for (i = 1; i < 4; i++) {
        other = read_all(journal, len, (uint32_t) (i * 7919 + size), result[1],
                         &lost[1]);
        check(nudge_str_eq(&whole, &other));
        check(lost[0] == lost[1]);
    }

    return 0;
}
