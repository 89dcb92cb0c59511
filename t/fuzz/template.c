
/*
 * Any text as a template, over data full of everything a shop's catalogue may
 * hold.  Header lines stay one line, ASCII stays ASCII, values never become
 * markup unless asked for raw, and what renders once renders the same again.
 */


#include <stdlib.h>

#include "nudge_template.h"


int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);


static const char  data[] =
    "{\"name\":\"<b>\\r\\nBcc: x \\u202e\\u0000\\u00e9&\\\"'\","
    "\"list\":[{\"name\":\"a\"},{\"name\":\"<i>\",\"list\":[1,2,3]},"
    "\"\\u2028\",null,true],\"o\":{\"p\":{\"q\":\"<deep>\"}},\"n\":12.5,"
    "\"yes\":true,\"no\":false,\"empty\":[],\"nil\":null}";


static nudge_pool_t   *pool;
static nudge_json_t   *js;


static nudge_template_t *
partial(void *p, const nudge_str_t *name)
{
    return p;
}


static void
check(nudge_template_t *t, nudge_value_t *v, nudge_escape_t escape,
    nudge_uint_t raw, nudge_uint_t markup)
{
    size_t       i;
    nudge_buf_t  a, b;
    nudge_str_t  s, again;

    if (nudge_buf_grow(&a, pool, 1024, 65536) != NUDGE_OK
        || nudge_buf_grow(&b, pool, 1024, 65536) != NUDGE_OK
        || nudge_template_render(t, &a, v, escape, partial, t) != NUDGE_OK)
    {
        return;
    }

    s = nudge_buf_result(&a);

    if (a.full
        || nudge_template_render(t, &b, v, escape, partial, t) != NUDGE_OK)
    {
        __builtin_trap();
    }

    again = nudge_buf_result(&b);

    if (!nudge_str_eq(&s, &again)) {
        __builtin_trap();
    }

    for (i = 0; i < s.len; i++) {

        if (escape == NUDGE_ESCAPE_HEADER
            && (s.data[i] < 0x20 || s.data[i] == 0x7f))
        {
            __builtin_trap();
        }

        if (escape == NUDGE_ESCAPE_ASCII && s.data[i] >= 0x80) {
            __builtin_trap();
        }

        if ((escape == NUDGE_ESCAPE_ASCII || escape == NUDGE_ESCAPE_HTML)
            && s.data[i] == '<' && !raw && !markup)
        {
            __builtin_trap();
        }
    }

    if (escape == NUDGE_ESCAPE_HEADER && !nudge_utf8_valid(&s)) {
        __builtin_trap();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    nudge_str_t        s;
    nudge_uint_t       line, raw, markup;
    const char        *error;
    nudge_value_t     *v;
    nudge_template_t  *t;

    if (pool == NULL) {
        pool = nudge_pool_create(4 * 1024 * 1024);
        js = nudge_json_create(1024 * 1024);

        if (pool == NULL || js == NULL) {
            abort();
        }
    }

    nudge_pool_reset(pool);

    s = nudge_cstr(data);
    v = nudge_json_decode(js, pool, &s, NULL);

    s.data = (u_char *) input;
    s.len = size;

    line = 9;
    error = NULL;
    t = nudge_template_compile(pool, &s, &line, &error);

    if (t == NULL) {
        if (error == NULL || error[0] == '\0') {
            __builtin_trap();
        }

        return 0;
    }

    raw = nudge_str_find(&s, "{{{") != NULL || nudge_str_find(&s, "{{&");
    markup = memchr(input, '<', size) != NULL;

    check(t, v, NUDGE_ESCAPE_NONE, raw, markup);
    check(t, v, NUDGE_ESCAPE_HTML, raw, markup);
    check(t, v, NUDGE_ESCAPE_ASCII, raw, markup);
    check(t, v, NUDGE_ESCAPE_HEADER, raw, markup);

    return 0;
}
