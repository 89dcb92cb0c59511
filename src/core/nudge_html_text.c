
/*
 * Text into HTML and out of it: escaping for pages of any charset, character
 * references back to characters, names out of a class attribute.
 */


#include "nudge_html.h"


static void nudge_html_reference(nudge_buf_t *b, uint32_t c);
static u_char *nudge_html_resolve(u_char *p, u_char *end, uint32_t *c);
static u_char *nudge_html_number(u_char *p, u_char *end, uint32_t *c);
static nudge_str_t nudge_html_class(nudge_str_t *classes);


/* numeric references to the C1 controls mean windows-1252: WHATWG HTML,
 * numeric character reference end state */

static const uint16_t  nudge_html_c1[32] = {
    0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
    0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d, 0x008f,
    0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
    0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178
};


static const struct {
    const char         *name;
    uint32_t            c;
} nudge_html_entities[] = {
    { "amp;", '&' },
    { "lt;", '<' },
    { "gt;", '>' },
    { "quot;", '"' },
    { "apos;", '\'' },
    { "nbsp;", 0xa0 },
    { "times;", 0xd7 },
    { NULL, 0 }
};


static void
nudge_html_reference(nudge_buf_t *b, uint32_t c)
{
    nudge_uint_t  digits;

    /* a reference to one of these would show something else */

    if (c >= 0x80 && c < 0xa0) {
        return;
    }

    for (digits = 1; c >> (4 * digits); digits++) {
        /* void */
    }

    nudge_buf_cstr(b, "&#x");

    while (digits--) {
        nudge_buf_char(b, "0123456789ABCDEF"[(c >> (4 * digits)) & 0xf]);
    }

    nudge_buf_char(b, ';');
}


void
nudge_html_escape(nudge_buf_t *b, const nudge_str_t *s)
{
    u_char    *p, *run, *end;
    uint32_t   c;

    if (s->len == 0) {
        return;
    }

    p = s->data;
    run = p;
    end = p + s->len;

    while (p < end) {
        c = *p;

        if (c >= 0x20 && c < 0x7f && c != '&' && c != '<' && c != '>'
            && c != '"' && c != '\'')
        {
            p++;
            continue;
        }

        nudge_buf_put(b, run, p - run);

        c = nudge_utf8_decode(&p, end);
        run = p;

        if (c >= '\t' && c <= '\r') {

            /* a line break still separates words */

            nudge_buf_char(b, ' ');

        } else if (c >= 0x20 && c != 0x7f) {
            nudge_html_reference(b, c);
        }
    }

    nudge_buf_put(b, run, p - run);
}


void
nudge_html_ascii(nudge_buf_t *b, const nudge_str_t *s)
{
    u_char  *p, *run, *end;

    if (s->len == 0) {
        return;
    }

    p = s->data;
    run = p;
    end = p + s->len;

    while (p < end) {

        if (*p < 0x80) {
            p++;
            continue;
        }

        nudge_buf_put(b, run, p - run);
        nudge_html_reference(b, nudge_utf8_decode(&p, end));
        run = p;
    }

    nudge_buf_put(b, run, p - run);
}


/* takes the next name off the front */

static nudge_str_t
nudge_html_class(nudge_str_t *classes)
{
    nudge_str_t  name;

    *classes = nudge_str_trim(*classes);
    name = *classes;

    if (name.len == 0) {
        return name;
    }

    for (name.len = 0; name.len < classes->len; name.len++) {
        if (name.data[name.len] <= ' ') {
            break;
        }
    }

    classes->data += name.len;
    classes->len -= name.len;

    return name;
}


nudge_uint_t
nudge_html_has_class(const nudge_str_t *classes, const char *name)
{
    nudge_str_t  s, class;

    s = *classes;

    do {
        class = nudge_html_class(&s);

        if (class.len && nudge_str_is(&class, name)) {
            return 1;
        }

    } while (class.len);

    return 0;
}


nudge_str_t
nudge_html_class_rest(const nudge_str_t *classes, const nudge_str_t *prefix)
{
    nudge_str_t  s, class;

    s = *classes;

    do {
        class = nudge_html_class(&s);

        if (class.len >= prefix->len && class.len
            && (prefix->len == 0
                || memcmp(class.data, prefix->data, prefix->len) == 0))
        {
            class.data += prefix->len;
            class.len -= prefix->len;
            return class;
        }

    } while (class.len);

    return class;
}


/* p: behind "&#"; a missing ";" is forgiven, missing digits are not */

static u_char *
nudge_html_number(u_char *p, u_char *end, uint32_t *c)
{
    u_char    *start, d;
    uint32_t   base;

    base = 10;
    *c = 0;

    if (p < end && (*p | 0x20) == 'x') {
        base = 16;
        p++;
    }

    for (start = p; p < end; p++) {
        d = *p | 0x20;

        if (*p >= '0' && *p <= '9') {
            d = *p - '0';

        } else if (base == 16 && d >= 'a' && d <= 'f') {
            d = d - 'a' + 10;

        } else {
            break;
        }

        if (*c <= 0x10ffff) {
            *c = *c * base + d;
        }
    }

    if (p == start) {
        return NULL;
    }

    if (*c >= 0x80 && *c < 0xa0) {
        *c = nudge_html_c1[*c - 0x80];
    }

    if (*c == 0) {
        *c = 0xfffd;
    }

    return (p < end && *p == ';') ? p + 1 : p;
}


/* p: behind "&".  Where the reference ends, NULL if it is none */

static u_char *
nudge_html_resolve(u_char *p, u_char *end, uint32_t *c)
{
    size_t        len;
    nudge_uint_t  i;

    if (p < end && *p == '#') {
        return nudge_html_number(p + 1, end, c);
    }

    for (i = 0; nudge_html_entities[i].name; i++) {
        len = strlen(nudge_html_entities[i].name);

        if ((size_t) (end - p) >= len
            && memcmp(p, nudge_html_entities[i].name, len) == 0)
        {
            *c = nudge_html_entities[i].c;
            return p + len;
        }
    }

    return NULL;
}


/* no reference is shorter than what it stands for */

nudge_int_t
nudge_html_unescape(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src)
{
    u_char    *p, *q, *end, *next;
    uint32_t   c;

    q = nudge_palloc(pool, src->len + 1);
    if (q == NULL) {
        return NUDGE_ERROR;
    }

    c = 0xfffd;
    dst->data = q;
    p = src->data;
    end = src->len ? p + src->len : p;

    while (p < end) {
        next = (*p == '&') ? nudge_html_resolve(p + 1, end, &c) : NULL;

        if (next == NULL) {
            *q++ = *p++;
            continue;
        }

        q += nudge_utf8_encode(q, c);
        p = next;
    }

    *q = '\0';
    dst->len = q - dst->data;

    return NUDGE_OK;
}
