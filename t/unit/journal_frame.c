
/*
 * Journal records: whole ones are read whatever surrounds them, and however
 * the bytes arrive the same ones are read.
 */


#include <stdlib.h>

#include "nudge_journal_frame.h"

#include "tap.h"


#define ROOM  (256 * 1024)

static u_char  journal[ROOM];
static u_char  result[2][ROOM];


/* reads what is there in pieces of "step" bytes; the records into r */

static nudge_str_t
read_all(u_char *data, size_t len, size_t step, u_char *r, size_t *skipped)
{
    u_char       *pos, *end, *copy, *last;
    size_t        n;
    nudge_buf_t   b;
    nudge_str_t   json;

    nudge_buf_init(&b, r, ROOM);
    *skipped = 0;
    pos = data;
    last = data;

    for (n = 0; n < len; /* void */ ) {
        n = (len - n < step) ? len : n + step;
        end = data + n;

        /* a buffer of its own, so that any byte read too far is seen */

        copy = malloc(end - pos);
        memcpy(copy, pos, end - pos);
        last = pos;
        pos = copy;

        while (nudge_frame_decode(&pos, copy + (end - last), &json, skipped)
               == NUDGE_OK)
        {
            nudge_buf_str(&b, &json);
            nudge_buf_char(&b, '|');
        }

        pos = last + (pos - copy);
        free(copy);
    }

    return nudge_buf_result(&b);
}


static void
put(nudge_buf_t *b, const char *json)
{
    nudge_str_t  s;

    s = nudge_cstr(json);
    nudge_frame_encode(b, &s);
}


static void
test_encode(void)
{
    size_t        skipped;
    u_char        mem[64];
    nudge_buf_t   b;
    nudge_str_t   s;
    static char   large[NUDGE_FRAME_MAX + 1];

    nudge_buf_init(&b, mem, sizeof(mem));
    put(&b, "{\"v\":1}");
    is_str(nudge_buf_result(&b), "\nN1 84dbe73d 7 {\"v\":1}\n", "one record");

    put(&b, "{\"v\":1,\"longer\":\"than there is room for\"}");
    ok(b.full, "no room");
    is_str(nudge_buf_result(&b), "\nN1 84dbe73d 7 {\"v\":1}\n",
           "and no half record");

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "");
    ok(b.full, "nothing is no record");

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "{\n}");
    ok(b.full, "nor is a text of two lines");

    memset(large, 'x', sizeof(large));
    s.data = (u_char *) large;
    s.len = NUDGE_FRAME_MAX + 1;
    nudge_buf_init(&b, journal, ROOM);
    nudge_frame_encode(&b, &s);
    ok(b.full && b.pos == b.start, "nor one that is too long");

    s.len = NUDGE_FRAME_MAX;
    nudge_buf_init(&b, journal, ROOM);
    nudge_frame_encode(&b, &s);
    ok(!b.full && b.pos - b.start <= NUDGE_FRAME_MAX + NUDGE_FRAME_OVERHEAD,
       "the longest");
    s = read_all(journal, b.pos - b.start, 7777, result[0], &skipped);
    is_int(s.len, NUDGE_FRAME_MAX + 1, "is read again");
}


/* "good" has to come out of the first "n" bytes of the journal */

static void
same(const char *name, size_t n, const char *good, int64_t lost)
{
    size_t       step, skipped, bad;
    nudge_str_t  s;

    s = read_all(journal, n, n, result[0], &skipped);
    is_str(s, good, "%s", name);

    if (lost >= 0) {
        is_int(skipped, lost, "%s: bytes lost", name);
    }

    bad = 0;

    for (step = 1; step < 40; step++) {
        size_t  other;

        s = read_all(journal, n, step, result[1], &other);
        bad += !nudge_str_is(&s, good);

        if (lost >= 0) {
            bad += (other != skipped);
        }
    }

    is_int(bad, 0, "%s, in pieces of every size", name);
}


static void
test_damage(void)
{
    size_t       i, n;
    nudge_buf_t  b;

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "{\"a\":1}");
    put(&b, "{\"b\":22}");
    put(&b, "{\"c\":333}");
    n = b.pos - b.start;
    same("three records", n, "{\"a\":1}|{\"b\":22}|{\"c\":333}|", 0);

    for (i = 0; i < 7; i++) {
        journal[30 + i] ^= 1;
        same("one byte of the second", n, "{\"a\":1}|{\"c\":333}|", -1);
        journal[30 + i] ^= 1;
    }

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "{\"a\":1}");
    put(&b, "{\"torn\":\"a long one that is torn\"}");
    b.pos -= 20;
    put(&b, "{\"c\":333}");
    same("a torn record ends at the next one", b.pos - b.start,
         "{\"a\":1}|{\"c\":333}|", 30);

    nudge_buf_init(&b, journal, ROOM);
    nudge_buf_cstr(&b, "garbage N1 84dbe73d 7 {\"v\":1}\n");
    put(&b, "{\"a\":1}");
    nudge_buf_cstr(&b, "NNNNNNN");
    put(&b, "{\"b\":1}");
    nudge_buf_cstr(&b, "N1 84dbe73d 7 {\"v\":2}\nN1 84DBE73D 7 {\"v\":1}\n"
                       "N1 84dbe73d 07 {\"v\":1}\nN2 84dbe73d 7 {\"v\":1}\n"
                       "N1 84dbe73d 99999 {\"v\":1}\nN1 84dbe73d 7 {\"v\":1}x");
    put(&b, "{\"c\":1}");
    same("what only looks like one", b.pos - b.start,
         "{\"a\":1}|{\"b\":1}|{\"c\":1}|", -1);

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "{\"a\":1}");
    memset(b.pos, 0, 5000);
    b.pos += 5000;
    put(&b, "{\"b\":1}");
    same("zeroes after a power cut", b.pos - b.start, "{\"a\":1}|{\"b\":1}|",
         5000);
}


static void
test_again(void)
{
    size_t        skipped, i;
    u_char       *pos;
    nudge_buf_t   b;
    nudge_str_t   json;
    nudge_uint_t  bad;

    nudge_buf_init(&b, journal, ROOM);
    put(&b, "{\"a\":1}");
    bad = 0;
    skipped = 0;

    for (i = 0; i < (size_t) (b.pos - b.start); i++) {
        pos = journal;
        bad += nudge_frame_decode(&pos, journal + i, &json, &skipped)
               != NUDGE_AGAIN;
        bad += pos != journal + (i > 0);
    }

    is_int(bad, 0, "a record that is not all there is waited for");

    memset(journal, 'x', ROOM);
    pos = journal;
    is_int(nudge_frame_decode(&pos, journal + ROOM, &json, &skipped),
           NUDGE_AGAIN, "garbage without an end");
    ok(journal + ROOM - pos <= 2, "is not kept");
}


int
main(void)
{
    test_encode();
    test_damage();
    test_again();
    done_testing();

    return 0;
}
