
/*
 * Any text: the Lua state never runs out of memory half way (which would leak,
 * see nudge_json.c), what is decoded keeps its promises, and written again it
 * decodes to the same.
 */


#include <math.h>
#include <stdlib.h>

#include "nudge_json.h"


#define MEMORY  (192 * 1024)


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


static void
write_value(nudge_buf_t *b, const nudge_value_t *v, nudge_uint_t depth)
{
    nudge_uint_t          n;
    const nudge_value_t  *child, *last;

    check(depth <= NUDGE_JSON_DEPTH);

    switch (v->type) {

    case NUDGE_JSON_NULL:
        nudge_buf_cstr(b, "null");
        break;

    case NUDGE_JSON_FALSE:
    case NUDGE_JSON_TRUE:
        check(nudge_value_true(v) == (v->type == NUDGE_JSON_TRUE));
        nudge_buf_cstr(b, nudge_value_true(v) ? "true" : "false");
        break;

    case NUDGE_JSON_NUMBER:
        check(isfinite(v->number) && v->string.len > 0
              && v->string.data[v->string.len] == '\0');
        nudge_buf_str(b, &v->string);
        break;

    case NUDGE_JSON_STRING:
        check(nudge_utf8_valid(&v->string));
        (void) nudge_value_money(v);
        (void) nudge_value_int(v, 0);
        nudge_buf_json(b, &v->string);
        break;

    default:
        n = 0;
        last = NULL;
        nudge_buf_char(b, v->type == NUDGE_JSON_ARRAY ? '[' : '{');

        for (child = v->child; child; child = child->next) {
            if (n++) {
                nudge_buf_char(b, ',');
            }

            if (v->type == NUDGE_JSON_OBJECT) {
                check(nudge_utf8_valid(&child->name));
                check(last == NULL
                      || nudge_str_cmp(&last->name, &child->name) <= 0);
                nudge_buf_json(b, &child->name);
                nudge_buf_char(b, ':');

            } else {
                check(child->name.len == 0
                      && nudge_value_at(v, n - 1) == child);
            }

            write_value(b, child, depth + 1);
            last = child;
        }

        check(n == v->count);
        nudge_buf_char(b, v->type == NUDGE_JSON_ARRAY ? ']' : '}');
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nudge_buf_t     b, c;
    nudge_str_t     text, again;
    const char     *error;
    nudge_value_t  *v;

    if (js == NULL) {
        js = nudge_json_create(MEMORY);
        pool = nudge_pool_create(32 * 1024 * 1024);
        check(js != NULL && pool != NULL);
    }

    nudge_pool_reset(pool);

    text.data = malloc(size + 1);
    text.len = size;

    if (text.data == NULL) {
        return 0;
    }

    memcpy(text.data, data, size);
    error = NULL;

    v = nudge_json_decode(js, pool, &text, &error);
    free(text.data);

    check((v == NULL) == (error != NULL));
    check(error == NULL || strcmp(error, "json decoder failed") != 0);

    if (v != NULL) {
        nudge_buf_grow(&b, pool, 256, 4 * 1024 * 1024);
        write_value(&b, v, 0);
        check(!b.full);
        again = nudge_buf_result(&b);

        v = nudge_json_decode(js, pool, &again, &error);

        /* escapes may have made it too long for this small state */

        if (v != NULL) {
            nudge_buf_grow(&c, pool, 256, 4 * 1024 * 1024);
            write_value(&c, v, 0);
            text = nudge_buf_result(&c);

            /* two names may become one when bytes are replaced */

            check(!c.full && text.len <= again.len);

        } else {
            check(strcmp(error, "json needs too much memory") == 0);
        }
    }

    text = nudge_cstr("{\"a\":[1,\"b\"]}");
    check(nudge_json_decode(js, pool, &text, &error) != NULL);

    return 0;
}
