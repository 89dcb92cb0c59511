
/*
 * The quick way through a page.  Most of it is text and tags without a
 * meaning, plainly written: these are passed in steps of sixteen bytes, and of
 * the few tags that do have a meaning only the attributes wanted are read.
 * What is unusual, or not all in sight, is left to the states in nudge_html.c,
 * from its "<" on.  Both ways read the same language: t/fuzz/html.c compares
 * them.
 */


#include "nudge_html_machine.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif


static const u_char *nudge_html_find_lt(const u_char *p, const u_char *end);
static const u_char *nudge_html_find_name_end(const u_char *p,
    const u_char *end);
static const u_char *nudge_html_find_attr(const u_char *p,
    const u_char *end);
static const u_char *nudge_html_find_quote(const u_char *p, const u_char *end,
    u_char quote);
static const u_char *nudge_html_plain_tag(nudge_html_t *h, const u_char *p,
    const u_char *end);
static const u_char *nudge_html_plain_attrs(nudge_html_t *h, const u_char *p,
    const u_char *end);
static void nudge_html_plain_names(nudge_html_t *h, const u_char *p,
    const u_char *end);
static nudge_uint_t nudge_html_lower(nudge_html_t *h, const u_char *p,
    size_t len);


const u_char *
nudge_html_data(nudge_html_t *h, const u_char *p, const u_char *end)
{
    const u_char  *next;

    while ((p = nudge_html_find_lt(p, end)) != NULL) {

        h->m.lt = nudge_html_offset(h, p);
        next = nudge_html_plain_tag(h, p + 1, end);

        if (next == NULL) {
            h->m.state = NUDGE_HTML_TAG_OPEN;
            return p + 1;
        }

        if (h->m.state != NUDGE_HTML_DATA) {
            return next;
        }

        p = next;
    }

    return end;
}


/* in markup the next "<" is rarely far away: the first bytes are looked at
 * here, and a function is called for the rest only */

static const u_char *
nudge_html_find_lt(const u_char *p, const u_char *end)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  v;

    if (end - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('<')));

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }

        p += 16;
    }
#endif

    return memchr(p, '<', end - p);
}


/* the first "/", ">" or byte up to " "; end when there is none */

static const u_char *
nudge_html_find_name_end(const u_char *p, const u_char *end)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  v, space, found;

    if (end - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        space = _mm_set1_epi8(' ');

        found = _mm_cmpeq_epi8(_mm_max_epu8(v, space), space);
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('/')));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('>')));
        mask = _mm_movemask_epi8(found);

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }

        p += 16;
    }
#endif

    while (p < end && *p > ' ' && *p != '/' && *p != '>') {
        p++;
    }

    return p;
}


/* the first "=", ">" or quote; end when there is none */

static const u_char *
nudge_html_find_attr(const u_char *p, const u_char *end)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  v, found;

    for ( /* void */ ; end - p >= 16; p += 16) {
        v = _mm_loadu_si128((const __m128i *) p);

        found = _mm_cmpeq_epi8(v, _mm_set1_epi8('='));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('>')));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        found = _mm_or_si128(found, _mm_cmpeq_epi8(v, _mm_set1_epi8('\'')));
        mask = _mm_movemask_epi8(found);

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }
    }
#endif

    while (p < end && *p != '=' && *p != '>' && *p != '"' && *p != '\'') {
        p++;
    }

    return p;
}


static const u_char *
nudge_html_find_quote(const u_char *p, const u_char *end, u_char quote)
{
#if defined(__SSE2__)
    int       i, mask;
    __m128i   v, q;

    q = _mm_set1_epi8((char) quote);

    for (i = 0; i < 4 && end - p >= 16; i++, p += 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(_mm_cmpeq_epi8(v, q));

        if (mask) {
            return p + __builtin_ctz((unsigned) mask);
        }
    }
#endif

    return memchr(p, quote, end - p);
}


/* m.name becomes these bytes in lower case; 0: no such long name is known */

static nudge_uint_t
nudge_html_lower(nudge_html_t *h, const u_char *p, size_t len)
{
    size_t  i;

    if (len > NUDGE_HTML_NAME) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        h->m.name[i] = (p[i] >= 'A' && p[i] <= 'Z') ? p[i] | 0x20 : p[i];
    }

    h->m.nname = (uint8_t) len;

    return 1;
}


/* p: behind "<".  Where the tag ends and, if it means something, has taken
 * effect; NULL when it has to be looked at closely */

static const u_char *
nudge_html_plain_tag(nudge_html_t *h, const u_char *p, const u_char *end)
{
    size_t         len;
    uint16_t       lengths;
    nudge_uint_t   end_tag;
    const u_char  *name;

    end_tag = (p < end && *p == '/');
    name = p + end_tag;

    if (name >= end || !nudge_html_alpha(*name)) {
        return NULL;
    }

    h->m.nslots = 0;
    h->m.tag = NUDGE_HTML_T_OTHER;

    lengths = nudge_html_lengths(*name | 0x20, h->m.depth);

    /* outside of svg and math one end tag counts, and that once */

    if (end_tag && h->m.depth == 0 && (h->marked || (*name | 0x20) != 'b')) {
        lengths = 0;
    }

    if (lengths == 0) {
        p = nudge_html_find_attr(name + 1, end);

        if (p < end && *p == '>') {
            return p + 1;
        }
    }

    p = nudge_html_find_name_end(name, end);

    if (p == end || (*p != '>' && *p != '/' && !nudge_html_space(*p))) {
        return NULL;
    }

    len = p - name;

    if (len < 16 && (lengths & (1 << len))) {

        if (end_tag || h->m.depth) {
            return NULL;
        }

        h->m.end_tag = 0;
        (void) nudge_html_lower(h, name, len);
        nudge_html_tag_begin(h);
    }

    p = nudge_html_plain_attrs(h, p, end);

    if (p != NULL && h->m.tag != NUDGE_HTML_T_OTHER) {
        nudge_html_tag_end(h, nudge_html_offset(h, p));
    }

    return p;
}


/*
 * p: behind a tag's name.  Only attributes that are written NAME="VALUE" or
 * NAME='VALUE', or have no value: up to the first "=" there is nothing but
 * names, and behind a name it begins a value.  Outside of quotes ">" always
 * ends the tag.
 */

static const u_char *
nudge_html_plain_attrs(nudge_html_t *h, const u_char *p, const u_char *end)
{
    const u_char  *start, *quote;

    for ( ;; ) {
        start = p;
        p = nudge_html_find_attr(p, end);

        if (p == end) {
            return NULL;
        }

        if (*p == '>') {
            break;
        }

        if (*p != '=' || end - p < 2 || p == start || p[-1] == '/'
            || nudge_html_space(p[-1]) || (p[1] != '"' && p[1] != '\''))
        {
            return NULL;
        }

        quote = nudge_html_find_quote(p + 2, end, p[1]);

        if (quote == NULL) {
            return NULL;
        }

        if (h->m.nslots) {
            nudge_html_plain_names(h, start, p);
            nudge_html_value_put(h, p + 2, quote - p - 2);
        }

        p = quote + 1;
    }

    if (h->m.nslots) {
        nudge_html_plain_names(h, start, p);
    }

    h->m.self_closing = (p > start && p[-1] == '/');

    return p + 1;
}


/* names between two values: the last one is that of the value to come */

static void
nudge_html_plain_names(nudge_html_t *h, const u_char *p, const u_char *end)
{
    const u_char  *name;

    while (p < end) {

        if (*p == '/' || nudge_html_space(*p)) {
            p++;
            continue;
        }

        for (name = p; p < end && *p != '/' && !nudge_html_space(*p); p++) {
            /* void */
        }

        h->m.slot = NULL;

        if (nudge_html_lower(h, name, p - name)) {
            nudge_html_tag_attr(h);
        }
    }
}
