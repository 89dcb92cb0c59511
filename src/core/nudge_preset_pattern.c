
/*
 * Patterns of a preset: values with "*" at either end, and paths compared
 * segment by segment.
 */


#include "nudge_preset_private.h"


static nudge_uint_t nudge_segments_match(u_char *p, u_char *pe, u_char *s,
    u_char *se);


/* memmem() prepares itself with more work than a path is long; the last byte
 * tells words that begin with a slash apart sooner than the first */

u_char *
nudge_seek(const nudge_str_t *s, const nudge_str_t *needle)
{
    size_t   n;
    u_char   c, *p, *end;

    n = needle->len;

    if (n == 0 || s->len < n) {
        return NULL;
    }

    c = needle->data[n - 1];
    end = s->data + s->len;

    for (p = s->data + n - 1; p < end; p++) {
        if (*p == c && memcmp(p + 1 - n, needle->data, n) == 0) {
            return p + 1 - n;
        }
    }

    return NULL;
}


nudge_uint_t
nudge_glob(const nudge_str_t *glob, const nudge_str_t *s)
{
    nudge_str_t   g;
    nudge_uint_t  head, tail;

    g = *glob;
    head = g.len && g.data[0] == '*';

    if (head) {
        g.data++;
        g.len--;
    }

    tail = g.len && g.data[g.len - 1] == '*';

    if (tail) {
        g.len--;
    }

    if (g.len > s->len || (!head && !tail && g.len != s->len)) {
        return 0;
    }

    if (g.len == 0) {
        return 1;
    }

    if (!head) {
        return memcmp(s->data, g.data, g.len) == 0;
    }

    if (!tail) {
        return memcmp(s->data + s->len - g.len, g.data, g.len) == 0;
    }

    return nudge_seek(s, &g) != NULL;
}


nudge_uint_t
nudge_globs(const nudge_strs_t *globs, const nudge_str_t *s)
{
    nudge_uint_t  i;

    for (i = 0; i < globs->n; i++) {
        if (nudge_glob(&globs->elts[i], s)) {
            return 1;
        }
    }

    return 0;
}


/*
 * Segment by segment; "**" tries every rest, and as a pattern holds at most
 * two of them (compile), that is at most quadratic in a path's segments.
 */

static nudge_uint_t
nudge_segments_match(u_char *p, u_char *pe, u_char *s, u_char *se)
{
    u_char  *pn, *sn, *c;

    for ( ;; ) {

        while (s < se && *s == '/') {
            s++;
        }

        if (p >= pe) {
            return s == se;
        }

        for (pn = p; pn < pe && *pn != '/'; pn++) { /* void */ }
        for (sn = s; sn < se && *sn != '/'; sn++) { /* void */ }

        if (pn - p == 2 && p[0] == '*' && p[1] == '*') {
            p = (pn < pe) ? pn + 1 : pe;

            if (p == pe) {
                return 1;
            }

            for ( ;; ) {
                if (nudge_segments_match(p, pe, s, se)) {
                    return 1;
                }

                while (s < se && *s != '/') {
                    s++;
                }

                if (s == se) {
                    return 0;
                }

                s++;
            }
        }

        if (s == se) {
            return 0;
        }

        if (pn - p == 1 && *p == '#') {
            for (c = s; c < sn; c++) {
                if (*c < '0' || *c > '9') {
                    return 0;
                }
            }

        } else if (!(pn - p == 1 && *p == '*')
                   && (pn - p != sn - s || memcmp(p, s, pn - p) != 0))
        {
            return 0;
        }

        p = (pn < pe) ? pn + 1 : pe;
        s = sn;
    }
}


nudge_uint_t
nudge_pattern_match(const nudge_pattern_t *p, nudge_str_t s)
{
    while (s.len && s.data[0] == '/') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] == '/') {
        s.len--;
    }

    if (p->literal) {
        return p->text.len == s.len
               && (s.len == 0 || memcmp(p->text.data, s.data, s.len) == 0);
    }

    if (p->anchor.len && nudge_seek(&s, &p->anchor) == NULL) {
        return 0;
    }

    if (s.len == 0) {
        s.data = p->text.data;
    }

    return nudge_segments_match(p->text.data, p->text.data + p->text.len,
                                s.data, s.data + s.len);
}


nudge_uint_t
nudge_patterns_match(const nudge_patterns_t *p, nudge_str_t s)
{
    nudge_uint_t  i;

    for (i = 0; i < p->n; i++) {
        if (nudge_pattern_match(&p->elts[i], s)) {
            return 1;
        }
    }

    return 0;
}


nudge_str_t
nudge_path_segment(const nudge_str_t *path, const nudge_source_t *source)
{
    int           n, wanted;
    u_char       *p, *s, *end;
    nudge_str_t   found;
    nudge_uint_t  next;

    nudge_str_null(&found);

    if (path->len == 0) {
        return found;
    }

    end = path->data + path->len;
    wanted = source->index;

    if (wanted < 0) {
        n = 0;

        for (p = path->data; p < end; p++) {
            n += *p != '/' && (p == path->data || p[-1] == '/');
        }

        wanted += n + 1;

        if (wanted <= 0) {
            return found;
        }
    }

    n = 0;
    next = 0;

    for (p = path->data; p < end; p = s) {

        while (p < end && *p == '/') {
            p++;
        }

        for (s = p; s < end && *s != '/'; s++) { /* void */ }

        if (s == p) {
            break;
        }

        n++;

        if (next || (source->index && n == wanted)) {
            found.data = p;
            found.len = s - p;
            break;
        }

        next = source->index == 0
               && (size_t) (s - p) == source->name.len
               && memcmp(p, source->name.data, s - p) == 0;
    }

    return found;
}
