
/*
 * HTML read slowly, for comparison: the whole page in memory, searching ahead
 * instead of keeping states.
 */


#ifndef _HTML_REFERENCE_H_INCLUDED_
#define _HTML_REFERENCE_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>


#define REFERENCE_BLOCKS  16


typedef struct {
    const unsigned char *p;
    size_t               n;
    size_t               i;             /* where it is being read */

    char                 stack[64][24];
    size_t               depth;
    int                  lost;

    char                 name[32];      /* of the tag read last, lower case */
    char                 type[80];      /* attribute values wanted, or "" */
    char                 encoding[80];
    int                  font;
    int                  closing;
    int                  empty;

    int                  marked;
    size_t               mark;
    int                  document;
    size_t               nld;

    struct {
        size_t           start;
        size_t           len;
    } ld[REFERENCE_BLOCKS];
} reference_t;


static int
reference_space(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}


static int
reference_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}


static int
reference_ends_name(const reference_t *r, size_t i)
{
    return i < r->n && (reference_space(r->p[i]) || r->p[i] == '/'
                        || r->p[i] == '>');
}


/* the text at i is this one, any case */

static int
reference_at(const reference_t *r, size_t i, const char *s)
{
    size_t  len;

    len = strlen(s);

    return i <= r->n && r->n - i >= len
           && strncasecmp((const char *) r->p + i, s, len) == 0;
}


static size_t
reference_find(const reference_t *r, size_t i, const char *s)
{
    while (i < r->n && !reference_at(r, i, s)) {
        i++;
    }

    return (i < r->n) ? i : r->n;
}


static int
reference_in(const char *list, const char *name)
{
    char  word[40];

    snprintf(word, sizeof(word), " %s ", name);

    return strstr(list, word) != NULL;
}


static int
reference_foreign(const reference_t *r)
{
    return r->depth && reference_in(" svg math ", r->stack[r->depth - 1]);
}


static void
reference_push(reference_t *r)
{
    if (r->depth == NUDGE_HTML_DEPTH) {
        r->lost = 1;
        return;
    }

    snprintf(r->stack[r->depth++], sizeof(r->stack[0]), "%s", r->name);
}


static void
reference_attribute(reference_t *r, const char *name, const char *value,
    int *seen)
{
    if (strcmp(name, "type") == 0 && !(*seen & 1)) {
        *seen |= 1;
        strcpy(r->type, value);
    }

    if (strcmp(name, "encoding") == 0 && !(*seen & 2)) {
        *seen |= 2;
        strcpy(r->encoding, value);
    }

    r->font |= reference_in(" color face size ", name);
}


/* copies up to size - 1 bytes, a NUL as "?" */

static void
reference_copy(char *dst, size_t size, const unsigned char *p, size_t n,
    int lower)
{
    size_t  i;

    for (i = 0; i < n && i < size - 1; i++) {
        dst[i] = (p[i] == '\0') ? '?' : (char) p[i];

        if (lower && p[i] >= 'A' && p[i] <= 'Z') {
            dst[i] = (char) (p[i] - 'A' + 'a');
        }
    }

    dst[i] = '\0';
}


/* r->i: behind the tag's name; 0 when the page ends first */

static int
reference_attributes(reference_t *r)
{
    int     seen, slash;
    char    name[32], value[65], quote[2];
    size_t  start;

    seen = 0;
    slash = 0;

    for ( ;; ) {

        while (r->i < r->n
               && (reference_space(r->p[r->i]) || r->p[r->i] == '/'))
        {
            slash = (r->p[r->i++] == '/');
        }

        if (r->i == r->n) {
            return 0;
        }

        if (r->p[r->i] == '>') {
            r->empty = slash;
            r->i++;
            return 1;
        }

        /* a name may begin with "=" */

        start = r->i++;

        while (r->i < r->n && !reference_ends_name(r, r->i)
               && r->p[r->i] != '=')
        {
            r->i++;
        }

        reference_copy(name, sizeof(name), r->p + start, r->i - start, 1);
        value[0] = '\0';

        while (r->i < r->n && reference_space(r->p[r->i])) {
            r->i++;
        }

        slash = 0;

        if (r->i < r->n && r->p[r->i] == '=') {
            r->i++;

            while (r->i < r->n && reference_space(r->p[r->i])) {
                r->i++;
            }

            start = r->i;

            if (r->i < r->n && (r->p[r->i] == '"' || r->p[r->i] == '\'')) {
                quote[0] = (char) r->p[r->i];
                quote[1] = '\0';
                start++;
                r->i = reference_find(r, start, quote);

                if (r->i == r->n) {
                    return 0;
                }

                r->i++;
                reference_copy(value, sizeof(value), r->p + start,
                               r->i - 1 - start, 0);

            } else {
                while (r->i < r->n && r->p[r->i] != '>'
                       && !reference_space(r->p[r->i]))
                {
                    r->i++;
                }

                reference_copy(value, sizeof(value), r->p + start,
                               r->i - start, 0);
            }
        }

        reference_attribute(r, name, value, &seen);
    }
}


static int
reference_ld(const reference_t *r)
{
    char    *end, type[80];
    size_t   n;

    strcpy(type, r->type);
    end = strchr(type, ';');

    if (end != NULL) {
        *end = '\0';
    }

    n = strlen(type);

    while (n && (reference_space((unsigned char) type[n - 1])
                 || type[n - 1] == '\v'))
    {
        type[--n] = '\0';
    }

    for (end = type; reference_space((unsigned char) *end) || *end == '\v';
         end++)
    {
        /* void */
    }

    return strcasecmp(end, "application/ld+json") == 0;
}


/* where a script's text ends: r->n when it does not */

static size_t
reference_script(const reference_t *r)
{
    int     level;
    size_t  i, from;

    level = 0;
    from = 0;

    for (i = r->i; i < r->n; i++) {

        if (level == 0 && reference_at(r, i, "<!--")) {
            level = 1;
            from = i + 2;
            i += 3;
            continue;
        }

        if (level && r->p[i] == '>' && i >= from + 2 && r->p[i - 1] == '-'
            && r->p[i - 2] == '-')
        {
            level = 0;
            continue;
        }

        if (reference_at(r, i, "</script") && reference_ends_name(r, i + 8)) {
            if (level < 2) {
                return i;
            }

            level = 1;
            continue;
        }

        if (level == 1 && reference_at(r, i, "<script")
            && reference_ends_name(r, i + 7))
        {
            level = 2;
        }
    }

    return r->n;
}


/* r->i: the start of the text; leaves it at the "<" of the end tag */

static void
reference_text(reference_t *r)
{
    char    end[40];
    size_t  i, start;

    start = r->i;

    if (strcmp(r->name, "script") == 0) {
        r->i = reference_script(r);

        if (r->i < r->n && reference_ld(r) && r->i > start
            && r->nld < REFERENCE_BLOCKS)
        {
            r->ld[r->nld].start = start;
            r->ld[r->nld++].len = r->i - start;
        }

        return;
    }

    snprintf(end, sizeof(end), "</%s", r->name);
    i = start;

    do {
        i = reference_find(r, i, end);

        if (reference_ends_name(r, i + strlen(end))) {
            break;
        }

        i++;
    } while (i < r->n);

    r->i = (i < r->n) ? i : r->n;
}


static void
reference_end_tag(reference_t *r, size_t lt)
{
    size_t  i;

    if (strcmp(r->name, "body") == 0) {

        for (i = 0; i < r->depth; i++) {
            if (!reference_in(" svg math ", r->stack[i])) {
                return;
            }
        }

        if (!r->marked && !r->lost) {
            r->marked = 1;
            r->mark = lt;
        }

        return;
    }

    if (reference_in(" p br ", r->name)) {
        while (reference_foreign(r)) {
            r->depth--;
        }
    }

    for (i = r->depth; i > 0; i--) {
        if (strcmp(r->stack[i - 1], r->name) == 0) {
            r->depth = i - 1;
            return;
        }

        if (strcmp(r->stack[i - 1], "template") == 0) {
            return;
        }
    }
}


static void
reference_start_tag(reference_t *r)
{
    int     svg;
    size_t  i;

    if (reference_foreign(r)
        && (reference_in(" b big blockquote body br center code dd div dl dt em"
                         " embed h1 h2 h3 h4 h5 h6 head hr i img li listing"
                         " menu meta nobr ol p pre ruby s small span strong"
                         " strike sub sup table tt u ul var ", r->name)
            || (strcmp(r->name, "font") == 0 && r->font)))
    {
        while (reference_foreign(r)) {
            r->depth--;
        }
    }

    if (reference_foreign(r)) {
        svg = strcmp(r->stack[r->depth - 1], "svg") == 0;

        if (!r->empty
            && (strcmp(r->name, "svg") == 0
                || (svg && reference_in(" foreignobject desc title ", r->name))
                || (!svg && reference_in(" math mi mo mn ms mtext ", r->name))
                || (!svg && strcmp(r->name, "annotation-xml") == 0
                    && (strcasecmp(r->encoding, "text/html") == 0
                        || strcasecmp(r->encoding, "application/xhtml+xml")
                           == 0))))
        {
            reference_push(r);
        }

        return;
    }

    if (reference_in(" html body ", r->name) && r->depth == 0) {
        r->document = 1;
    }

    if (strcmp(r->name, "template") == 0
        || (!r->empty && reference_in(" svg math ", r->name)))
    {
        reference_push(r);
    }

    if (strcmp(r->name, "plaintext") == 0) {
        r->i = r->n;
    }

    if (reference_in(" script style xmp iframe noembed noframes noscript title"
                     " textarea ", r->name))
    {
        for (i = 0; i < r->depth; i++) {
            if (strcmp(r->stack[i], "template") == 0) {
                r->type[0] = '\0';
            }
        }

        reference_text(r);

        /* its end tag closes nothing else */

        if (r->i < r->n) {
            r->i += 2 + strlen(r->name);
            (void) reference_attributes(r);
        }
    }
}


static void
reference_tag(reference_t *r)
{
    size_t  lt, start;

    lt = r->i;
    start = lt + 1 + r->closing;
    r->i = start;

    while (r->i < r->n && !reference_ends_name(r, r->i)) {
        r->i++;
    }

    reference_copy(r->name, sizeof(r->name), r->p + start, r->i - start, 1);
    r->type[0] = '\0';
    r->encoding[0] = '\0';
    r->font = 0;
    r->empty = 0;

    if (r->i == r->n) {
        return;
    }

    /* the end of the body counts as soon as its name is there */

    if (r->closing) {
        reference_end_tag(r, lt);
        (void) reference_attributes(r);
        return;
    }

    if (reference_attributes(r)) {
        reference_start_tag(r);
    }
}


/* r->i: at "<!" */

static void
reference_declaration(reference_t *r)
{
    size_t  a, b, i;

    i = r->i + 2;

    if (reference_at(r, i, "--")) {
        i += 2;

        if (reference_at(r, i, ">")) {
            r->i = i + 1;
            return;
        }

        if (reference_at(r, i, "->")) {
            r->i = i + 2;
            return;
        }

        a = reference_find(r, i, "-->") + 3;
        b = reference_find(r, i, "--!>") + 4;
        r->i = (a - 3 < b - 4) ? a : b;
        return;
    }

    if (reference_foreign(r) && r->n - i >= 7
        && memcmp(r->p + i, "[CDATA[", 7) == 0)
    {
        r->i = reference_find(r, i + 7, "]]>") + 3;
        return;
    }

    a = reference_find(r, i, ">");

    if (reference_at(r, i, "doctype")) {

        for (i += 7; i < a && reference_space(r->p[i]); i++) {
            /* void */
        }

        if (reference_at(r, i, "html")
            && i + 4 < r->n && (i + 4 == a || reference_space(r->p[i + 4])))
        {
            r->document = 1;
        }
    }

    r->i = a + 1;
}


static void
reference_read(reference_t *r, const unsigned char *p, size_t n)
{
    unsigned char  c;

    memset(r, 0, sizeof(reference_t));
    r->p = p;
    r->n = n;

    while (r->i + 1 < n) {

        if (p[r->i] != '<') {
            r->i++;
            continue;
        }

        c = p[r->i + 1];
        r->closing = (c == '/');

        if (reference_letter(c)) {
            reference_tag(r);

        } else if (r->closing && r->i + 2 < n && reference_letter(p[r->i + 2]))
        {
            reference_tag(r);

        } else if (r->closing && r->i + 2 < n && p[r->i + 2] == '>') {
            r->i += 3;

        } else if (c == '!') {
            reference_declaration(r);

        } else if (r->closing || c == '?') {
            r->i = reference_find(r, r->i + 2, ">") + 1;

        } else {
            r->i++;
        }
    }
}


#endif /* _HTML_REFERENCE_H_INCLUDED_ */
