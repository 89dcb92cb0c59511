
/*
 * Decoding: what comes out, what is refused, and that no text ever costs more
 * memory than it may.
 */


#include <stdlib.h>

#include "nudge_json.h"

#include "tap.h"


static nudge_json_t  *js;
static nudge_pool_t  *pool;


static nudge_value_t *
decode(const char *text)
{
    nudge_str_t  s;

    s = nudge_cstr(text);

    return nudge_json_decode(js, pool, &s, NULL);
}


static nudge_value_t *
path(nudge_value_t *v, const char *p)
{
    nudge_str_t  s;

    s = nudge_cstr(p);

    return nudge_value_path(v, &s);
}


static void
test_tree(void)
{
    nudge_value_t  *v, *a;

    v = decode("{\"b\":[1,\"two\",null,true,false,{\"c\":{}},[]],\"a\":-1.5,"
               "\"n\\u0000l\":\"x\\u0000y\",\"a\":2,\"e\":\"\\u00e9\\ud83d"
               "\\ude00\\/\"}");

    ok(v != NULL && v->type == NUDGE_JSON_OBJECT, "an object");
    is_int(v->count, 4, "its members, duplicates once");
    is_int(nudge_value_int(nudge_value_get(v, "a"), 0), 2, "the last counts");

    a = nudge_value_get(v, "b");
    ok(a != NULL && a->type == NUDGE_JSON_ARRAY && a->count == 7, "an array");
    is_int(nudge_value_at(a, 0)->type, NUDGE_JSON_NUMBER, "number");
    is_str(nudge_value_str(nudge_value_at(a, 0)), "1", "as text");
    is_str(nudge_value_str(nudge_value_at(a, 1)), "two", "string");
    is_int(nudge_value_at(a, 2)->type, NUDGE_JSON_NULL, "null");
    is_int(nudge_value_at(a, 3)->type, NUDGE_JSON_TRUE, "true");
    is_int(nudge_value_at(a, 4)->type, NUDGE_JSON_FALSE, "false");
    is_int(nudge_value_at(a, 5)->type, NUDGE_JSON_OBJECT, "object");
    is_int(nudge_value_at(a, 6)->count, 0, "an empty one");
    ok(nudge_value_at(a, 7) == NULL, "no more");

    is_str(nudge_value_str(nudge_value_get(v, "e")),
           "\xc3\xa9\xf0\x9f\x98\x80/", "escapes");

    is_int(v->child->next->next->next->name.len, 3, "a name with a NUL");
    ok(memcmp(v->child->next->next->next->name.data, "n\0l", 3) == 0,
       "members come sorted by name");
    is_int(v->child->next->next->next->string.len, 3, "a string with a NUL");

    ok(path(v, "b[6]") == nudge_value_at(a, 5), "path");
    ok(path(v, "b[6].c") != NULL && path(v, "b[6].c")->count == 0, "deeper");
    ok(path(v, "b[0]") == NULL && path(v, "b[99]") == NULL
       && path(v, "b[x]") == NULL && path(v, "b[1") == NULL
       && path(v, "x.y") == NULL && path(v, "a.y") == NULL, "to nowhere");
    ok(path(v, "") == v, "to the root");
}


static void
test_numbers(void)
{
    nudge_uint_t    i;
    nudge_value_t  *v;

    static const struct {
        const char     *text;
        const char     *string;
        nudge_money_t   money;
    } n[] = {
        { "45", "45", 45000 }, { "45.00", "45", 45000 },
        { "12.5", "12.5", 12500 }, { "0.1", "0.1", 100 },
        { "19.99", "19.99", 19990 }, { "-3", "-3", -3000 },
        { "1234567890123456", "1234567890123456", NUDGE_MONEY_NONE },
        { "9007199254740992", "9007199254740992", NUDGE_MONEY_NONE },
        { "1e3", "1000", 1000000 }, { "1e300", "1e+300", NUDGE_MONEY_NONE },
        { "0.0004", "0.0004", 0 }, { "-0", "0", 0 },
        { NULL, NULL, 0 }
    };

    for (i = 0; n[i].text; i++) {
        v = decode(n[i].text);
        is_str(nudge_value_str(v), n[i].string, "%s as text", n[i].text);
        is_int(nudge_value_money(v), n[i].money, "%s as money", n[i].text);
    }

    v = decode("1e999");
    ok(v != NULL && v->type == NUDGE_JSON_NULL, "infinity is no number");
    is_int(nudge_value_int(decode("1e15"), 7), 1000000000000000, "an integer");
    is_int(nudge_value_int(decode("1e17"), 7), 7, "not exact: none");
    is_int(nudge_value_int(decode("\" -12 \""), 7), -12, "in a string");
    is_int(nudge_value_int(decode("\"12a\""), 7), 7, "not quite");
    is_int(nudge_value_money(decode("\"1.234,50 \\u20ac\"")), 1234500,
           "money in a string");
    ok(nudge_value_true(decode("1")) && nudge_value_true(decode("\"Yes\""))
       && !nudge_value_true(decode("0")) && !nudge_value_true(decode("\"\""))
       && !nudge_value_true(NULL), "true and not");
    ok(nudge_value_str(NULL).len == 0 && nudge_value_get(NULL, "a") == NULL
       && nudge_value_at(NULL, 0) == NULL
       && nudge_value_money(NULL) == NUDGE_MONEY_NONE, "NULL is harmless");
}


static void
test_refused(void)
{
    size_t          len;
    nudge_str_t     s;
    nudge_uint_t    i;
    nudge_value_t  *v;
    const char     *error;
    static char     deep[200001];

    static const char  *bad[] = {
        "", " ", "{", "}", "[1,", "[1,]", "{\"a\"}", "{a:1}", "'a'", "nul",
        "NaN", "Infinity", "0x10", "[\"\\ud800\"]", "\"abc", "[1] x",
        "{\"a\":1,}", "\"\\x\"", NULL
    };

    for (i = 0; bad[i]; i++) {
        s = nudge_cstr(bad[i]);
        error = NULL;
        v = nudge_json_decode(js, pool, &s, &error);
        ok(v == NULL && error != NULL, "refused: %s (%s)", bad[i],
           error ? error : "no reason");
    }

    for (len = 31; len <= 33; len++) {
        memset(deep, '[', len);
        memset(deep + len, ']', len);
        deep[2 * len] = '\0';
        v = decode(deep);
        ok((v != NULL) == (len <= NUDGE_JSON_DEPTH), "%d levels", (int) len);
    }

    memset(deep, '[', 200000);
    deep[200000] = '\0';
    ok(decode(deep) == NULL, "a very deep one");

    v = decode("[\"a\xff\xc3(\xe2\x82\xac\xed\xa0\x80\"]");
    is_str(nudge_value_str(nudge_value_at(v, 0)),
           "a\xef\xbf\xbd\xef\xbf\xbd(\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd"
           "\xef\xbf\xbd", "bytes that are not UTF-8");

    v = decode("\xef\xbb\xbf{\"a\":1}");
    ok(v != NULL, "a byte order mark");
}


/* n copies of "unit", between "open" and "close" */

static nudge_str_t
repeat(const char *open, const char *unit, size_t n, const char *close)
{
    size_t         i, len;
    u_char        *p;
    nudge_str_t    s;

    len = strlen(unit);
    s.data = malloc(strlen(open) + n * (len + 8) + strlen(close));
    p = s.data;

    if (p == NULL) {
        s.len = 0;
        return s;
    }

    p += sprintf((char *) p, "%s", open);

    for (i = 0; i < n; i++) {
        p += sprintf((char *) p, "%s", i ? "," : "");
        p += sprintf((char *) p, unit, (int) i);
    }

    p += sprintf((char *) p, "%s", close);
    s.len = p - s.data;

    return s;
}


static void
test_memory(void)
{
    size_t          n;
    nudge_str_t     s;
    nudge_uint_t    i, good;
    const char     *error;
    nudge_json_t   *small;
    nudge_pool_t   *tiny;
    nudge_value_t  *v;

    static const struct {
        const char     *open, *unit, *close;
    } shape[] = {
        { "[", "[]", "]" }, { "[", "{}", "]" }, { "[", "[%d]", "]" },
        { "{", "\"k%d\":{}", "}" }, { "{", "\"k%d\":[1]", "}" },
        { "[", "\"s%d\"", "]" }, { "[", "1", "]" }, { "[", "{\"%d\":1}", "]" },
        { NULL, NULL, NULL }
    };

    small = nudge_json_create(256 * 1024);
    ok(small != NULL, "a small state");

    for (i = 0; shape[i].open; i++) {
        good = 0;

        for (n = 16; n <= 16384; n *= 2) {
            s = repeat(shape[i].open, shape[i].unit, n, shape[i].close);
            nudge_pool_reset(pool);
            v = nudge_json_decode(small, pool, &s, &error);
            free(s.data);

            if (v != NULL && v->count == n) {
                good = n;

            } else if (strcmp(error, "json needs too much memory") != 0) {
                ok(0, "%s of %s: %s", shape[i].open, shape[i].unit, error);
            }
        }

        ok(good >= 256 && good < 16384, "up to %d of %s, never out of memory",
           (int) good, shape[i].unit);
    }

    for (n = 0, i = 0; i < 20000; i++) {
        nudge_pool_reset(pool);
        s = nudge_cstr((i & 1) ? "[{\"a\":[1,2,3,\"x\"]},{\"b\":\"yyyyyyyy\"}]"
                               : "[{\"a\":[1,2,3");
        n += nudge_json_decode(small, pool, &s, NULL) != NULL;
    }

    is_int(n, 10000, "memory does not creep");
    nudge_json_destroy(small);

    ok(nudge_json_create(4096) == NULL, "too little for any state");

    tiny = nudge_pool_create(2000);
    s = repeat("[", "\"some text %d\"", 100, "]");
    ok(nudge_json_decode(js, tiny, &s, &error) == NULL, "a pool too small");
    is_str(nudge_cstr(error), "json does not fit", "says so");
    free(s.data);
    nudge_pool_destroy(tiny);
}


int
main(void)
{
    js = nudge_json_create(1024 * 1024);
    pool = nudge_pool_create(16 * 1024 * 1024);

    test_tree();
    test_numbers();
    test_refused();
    test_memory();

    nudge_json_destroy(js);
    nudge_json_destroy(NULL);
    nudge_pool_destroy(pool);
    done_testing();

    return 0;
}
