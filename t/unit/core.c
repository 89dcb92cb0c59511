
/*
 * Strings, pool, writer, UTF-8, money and hashes.
 */


#include <stdlib.h>

#include "nudge_core.h"

#include "tap.h"


static nudge_str_t
str(const char *s)
{
    return nudge_cstr(s);
}


static void
test_strings(void)
{
    nudge_str_t  s, t;

    s = str("Hello");
    t = str("hello");

    ok(!nudge_str_eq(&s, &t), "case counts");
    ok(nudge_str_case_is(&s, "hELLO"), "unless it does not");
    ok(nudge_str_starts(&s, "Hel") && !nudge_str_starts(&s, "Hellow"),
       "starts");
    ok(nudge_str_cmp(&s, &t) < 0 && nudge_str_cmp(&t, &s) > 0
       && nudge_str_cmp(&s, &s) == 0, "order");

    s = str("a");
    t = str("ab");
    ok(nudge_str_cmp(&s, &t) < 0, "a prefix comes first");

    s = str("aaab");
    ok(nudge_str_find(&s, "aab") == s.data + 1, "find after a false start");
    ok(nudge_str_find(&s, "ba") == NULL, "not there");
    s.len = 3;
    ok(nudge_str_find(&s, "ab") == NULL, "not behind the end");

    s = str("123456789012345678");
    is_int(nudge_str_int(&s), 123456789012345678, "eighteen digits");
    s = str("1234567890123456789");
    is_int(nudge_str_int(&s), NUDGE_ERROR, "not nineteen");
    s = str("");
    is_int(nudge_str_int(&s), NUDGE_ERROR, "nothing is no number");
    s = str("-1");
    is_int(nudge_str_int(&s), NUDGE_ERROR, "nor is a sign");

    is_str(nudge_str_trim(str(" \t\r\n x y \v\f")), "x y", "trim");
    is_str(nudge_str_trim(str(" \n")), "", "trim to nothing");
    s = nudge_cstr(NULL);
    is_str(nudge_str_trim(s), "", "trim NULL");
}


static void
test_pool(void)
{
    size_t         n, size;
    u_char        *p;
    nudge_str_t    s;
    nudge_pool_t  *pool;

    pool = nudge_pool_create(100000);
    n = 0;

    for (size = 1; (p = nudge_palloc(pool, size)) != NULL; size++) {
        memset(p, (int) size, size);
        n += size;

        if (((uintptr_t) p & 15) != 0) {
            break;
        }
    }

    ok(p == NULL, "aligned, and bounded");
    ok(n > 80000 && n <= 100000, "%zu of 100000 bytes are of use", n);

    nudge_pool_reset(pool);
    p = nudge_pcalloc(pool, 50000);
    ok(p != NULL && p[0] == 0 && p[49999] == 0, "after a reset all is there");
    ok(nudge_palloc(pool, 60000) == NULL, "and the limit too");
    ok(nudge_palloc(pool, SIZE_MAX) == NULL, "a size that wraps around");
    ok(nudge_palloc(pool, SIZE_MAX - 8) == NULL, "and one that rounds to 0");

    s = str("text");
    is_int(nudge_pstrdup(pool, &s, &s), NUDGE_OK, "strdup");
    ok(s.len == 4 && s.data[4] == '\0', "is terminated");

    nudge_pool_destroy(pool);
    nudge_pool_destroy(NULL);

    pool = nudge_pool_create(10);
    ok(nudge_palloc(pool, 1) == NULL, "a limit below any chunk");
    nudge_pool_reset(pool);
    nudge_pool_destroy(pool);
}


static void
test_buf(void)
{
    size_t         i;
    u_char         mem[8];
    nudge_buf_t    b;
    nudge_str_t    s;
    nudge_pool_t  *pool;

    nudge_buf_init(&b, mem, sizeof(mem));
    nudge_buf_cstr(&b, "12345");
    nudge_buf_cstr(&b, "6789");
    nudge_buf_char(&b, 'x');
    ok(b.full, "full");
    is_str(nudge_buf_result(&b), "12345", "and nothing more is written");

    nudge_buf_init(&b, mem, sizeof(mem));
    nudge_buf_cstr(&b, "12345678");
    ok(!b.full, "to the last byte");

    pool = nudge_pool_create(1024 * 1024);
    nudge_buf_grow(&b, pool, 4, 1000);

    for (i = 0; i < 1000; i++) {
        if (i == 500) {
            (void) nudge_palloc(pool, 1);       /* somebody else's */
        }

        nudge_buf_char(&b, 'a' + i % 26);
    }

    s = nudge_buf_result(&b);
    ok(!b.full && s.len == 1000, "grows to its limit");

    for (i = 0; i < s.len && s.data[i] == 'a' + i % 26; i++) {
        /* void */
    }

    is_int(i, 1000, "and keeps what it has");
    nudge_buf_char(&b, 'x');
    ok(b.full, "not beyond it");

    nudge_buf_grow(&b, pool, 16, 1000);
    nudge_buf_int(&b, INT64_MIN);
    nudge_buf_char(&b, ' ');
    nudge_buf_int(&b, INT64_MAX);
    nudge_buf_char(&b, ' ');
    nudge_buf_int(&b, 0);
    nudge_buf_char(&b, ' ');
    nudge_buf_hex(&b, 0xbeef, 8);
    is_str(nudge_buf_result(&b),
           "-9223372036854775808 9223372036854775807 0 0000beef", "numbers");

    nudge_buf_grow(&b, pool, 16, 1000);
    s.data = (u_char *) "a\"\\\b\f\n\r\t\x01\0\x7f</&>\xe2\x80\xa8\xff\xc3\xa9"
                        "\xf0\x9f\x98\x80";
    s.len = 25;
    nudge_buf_json(&b, &s);
    is_str(nudge_buf_result(&b),
           "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u0000\\u007f\\u003c/\\u0026"
           "\\u003e\\u2028\\ufffd\xc3\xa9\xf0\x9f\x98\x80\"", "a json string");

    nudge_pool_destroy(pool);
}


static void
test_utf8(void)
{
    u_char        *p, mem[4];
    uint32_t       c;
    nudge_str_t    s;
    nudge_uint_t   i, bad;

    static const char  *wrong[] = {
        "\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x80\x80", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "\xc3\x28",
        "\xe2\x28\xa1", "\xe2\x82\x28", "\xf0\x9f\x98", NULL
    };

    bad = 0;

    for (c = 1; c <= 0x10ffff; c++) {
        if (c >= 0xd800 && c < 0xe000) {
            continue;
        }

        s.data = mem;
        s.len = nudge_utf8_encode(mem, c);
        p = mem;

        if (!nudge_utf8_valid(&s) || nudge_utf8_decode(&p, mem + s.len) != c
            || p != mem + s.len)
        {
            bad++;
        }
    }

    is_int(bad, 0, "every character there and back");
    is_int(nudge_utf8_encode(mem, 0xd800), 3, "a surrogate is encoded ...");
    ok(memcmp(mem, "\xef\xbf\xbd", 3) == 0, "... as U+FFFD");

    for (i = 0; wrong[i]; i++) {
        s = str(wrong[i]);
        p = s.data;
        ok(!nudge_utf8_valid(&s)
           && nudge_utf8_decode(&p, s.data + s.len) == 0xfffd
           && p == s.data + 1, "malformed %d", (int) i);
    }

    is_str(nudge_utf8_cut(str("a\xc3\xa9z"), 2), "a", "cut before, not in");
    is_str(nudge_utf8_cut(str("a\xc3\xa9z"), 3), "a\xc3\xa9", "cut after");
    is_str(nudge_utf8_cut(str("\xf0\x9f\x98\x80"), 3), "", "cut to nothing");
    is_str(nudge_utf8_cut(str("\x80\x80\x80\x80\x80"), 4), "\x80\x80\x80\x80",
           "garbage is cut anywhere");
    is_str(nudge_utf8_cut(str("abc"), 9), "abc", "short enough");
}


static void
test_money(void)
{
    u_char        mem[64];
    nudge_str_t   s;
    nudge_buf_t   b;
    nudge_uint_t  i;

    static const struct {
        const char     *text;
        nudge_money_t   m;
    } texts[] = {
        { "45.00", 45000 }, { "45", 45000 }, { "45,5", 45500 },
        { "1,234.50", 1234500 }, { "1.234,50", 1234500 },
        { "1.234", 1234000 }, { "1,234", 1234000 }, { "0.125", 125 },
        { "1.234.567", 1234567000 }, { "1,234,567.891", 1234567891 },
        { "12345.678", 12345678 }, { "100.0000", 100000 },
        { "45.9999", 46000 }, { "1 234,50 z\xc5\x82", 1234500 },
        { "1\xc2\xa0" "234,50\xc2\xa0\xe2\x82\xac", 1234500 },
        { "1\xe2\x80\xaf" "234\xe2\x80\xaf" "567", 1234567000 },
        { "1'234.50", 1234500 }, { "CHF 1\xe2\x80\x99" "234.50", 1234500 },
        { "$45.00", 45000 }, { "\xe2\x82\xac" "45,-", 45000 },
        { "USD 3.50 each", 3500 }, { "Rs.500", 500000 },
        { "Rs. 1,50,000", 150000000 }, { "$.99", 990 }, { ".5", 500 },
        { "-3.50", -3500 }, { "-$3.50", -3500 }, { "10-20", 10000 },
        { "A-5", 5000 }, { "45.", 45000 }, { "3 450.00", 3450000 },
        { "3 45.00", 3000 }, { "1000000000000", 1000000000000000 },
        { "1000000000000.01", NUDGE_MONEY_NONE },
        { "9999999999999999999999999999999999999999999", NUDGE_MONEY_NONE },
        { "1e3", NUDGE_MONEY_NONE }, { "45EUR", 45000 },
        { "", NUDGE_MONEY_NONE }, { "free", NUDGE_MONEY_NONE },
        { NULL, 0 }
    };

    static const struct {
        const char     *text;
        nudge_uint_t    unit;
        nudge_money_t   m;
    } minors[] = {
        { "4500", 2, 45000 }, { "4500", 0, 4500000 }, { "4500", 3, 4500 },
        { "12345", 4, 1235 }, { "-4500", 2, -45000 },
        { "45.00", 2, NUDGE_MONEY_NONE }, { "", 2, NUDGE_MONEY_NONE },
        { "999999999999999999", 2, NUDGE_MONEY_NONE },
        { NULL, 0, 0 }
    };

    static const struct {
        nudge_money_t   m;
        const char     *text;
    } plain[] = {
        { 45000, "45.00" }, { 125, "0.125" }, { -3500, "-3.50" },
        { 0, "0.00" }, { -5, "-0.005" },
        { 1000000000000000, "1000000000000.00" },
        { 0, NULL }
    };

    for (i = 0; texts[i].text; i++) {
        s = str(texts[i].text);
        is_int(nudge_money_parse(&s), texts[i].m, "\"%s\"", texts[i].text);
    }

    for (i = 0; minors[i].text; i++) {
        s = str(minors[i].text);
        is_int(nudge_money_minor(&s, minors[i].unit), minors[i].m,
               "\"%s\" in units of 10^-%d", minors[i].text,
               (int) minors[i].unit);
    }

    for (i = 0; plain[i].text; i++) {
        nudge_buf_init(&b, mem, sizeof(mem));
        nudge_buf_money(&b, plain[i].m);
        is_str(nudge_buf_result(&b), plain[i].text, "%s", plain[i].text);
    }
}


static void
test_hashes(void)
{
    u_char        key[16], in[64];
    nudge_uint_t  i;

    for (i = 0; i < 64; i++) {
        in[i] = (u_char) i;
    }

    memcpy(key, in, 16);

    /* vectors of the reference implementation */

    ok(nudge_siphash(key, in, 0) == 0x726fdb47dd0e0e31ULL, "siphash, 0 bytes");
    ok(nudge_siphash(key, in, 7) == 0xab0200f58b01d137ULL, "siphash, 7 bytes");
    ok(nudge_siphash(key, in, 15) == 0xa129ca6149be45e5ULL,
       "siphash, 15 bytes");

    ok(nudge_crc32("123456789", 9) == 0xcbf43926, "crc32");
    ok(nudge_hash(0, "a", 1) == 0xaf63dc4c8601ec8cULL, "fnv-1a");
    ok(nudge_hash(nudge_hash(0, "foo", 3), "bar", 3)
       == nudge_hash(0, "foobar", 6), "continued");
}


int
main(void)
{
    test_strings();
    test_pool();
    test_buf();
    test_utf8();
    test_money();
    test_hashes();
    done_testing();

    return 0;
}
