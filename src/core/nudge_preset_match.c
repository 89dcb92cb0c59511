
/*
 * Which rules may apply to a request, by its request line alone.  Runs on
 * every request: rules are indexed by method, and a query string is looked
 * through once, each argument name that some rule knows becoming a bit.
 *
 * Promise: allocates nothing and takes no longer than the request line and
 * the preset are long.
 */


#include "nudge_preset_private.h"


static uint64_t nudge_preset_args(const nudge_preset_t *preset,
    const nudge_str_t *args, nudge_str_t *values);
static nudge_str_t nudge_args_decode(nudge_str_t s, u_char *buf, size_t size);
static nudge_uint_t nudge_args_test(const nudge_tests_t *tests,
    const nudge_str_t *values);
static nudge_uint_t nudge_page_matches(const nudge_preset_t *preset,
    const nudge_page_rule_t *page, const nudge_exchange_t *x);


int
nudge_preset_method(const nudge_str_t *method)
{
    switch (method->len) {

    case 3:
        if (memcmp(method->data, "GET", 3) == 0) {
            return 0;
        }

        if (memcmp(method->data, "PUT", 3) == 0) {
            return 2;
        }

        break;

    case 4:
        if (memcmp(method->data, "POST", 4) == 0) {
            return 1;
        }

        break;

    case 5:
        if (memcmp(method->data, "PATCH", 5) == 0) {
            return 3;
        }

        break;

    case 6:
        if (memcmp(method->data, "DELETE", 6) == 0) {
            return 4;
        }

        break;
    }

    return -1;
}


uint32_t
nudge_preset_body_kind(const nudge_str_t *content_type)
{
    size_t       i;
    nudge_str_t  type;

    type = *content_type;

    for (i = 0; i < type.len; i++) {
        if (type.data[i] == ';') {
            break;
        }
    }

    type.len = i;
    type = nudge_str_trim(type);

    if (type.len == 0) {
        return NUDGE_BODY_OTHER;
    }

    if (nudge_str_case_is(&type, "application/x-www-form-urlencoded")) {
        return NUDGE_BODY_URLENCODED;
    }

    if (nudge_str_case_is(&type, "multipart/form-data")) {
        return NUDGE_BODY_MULTIPART;
    }

    if (nudge_str_case_is(&type, "application/json")) {
        return NUDGE_BODY_JSON;
    }

    if (nudge_str_case_is(&type, "text/plain")) {
        return NUDGE_BODY_TEXT;
    }

    if (type.len > 5) {
        type.data += type.len - 5;
        type.len = 5;

        if (nudge_str_case_is(&type, "+json")) {
            return NUDGE_BODY_JSON;
        }
    }

    return NUDGE_BODY_OTHER;
}


nudge_uint_t
nudge_preset_slot(const nudge_str_t *s)
{
    return (s->len * 31 + s->data[0] * 7 + s->data[s->len - 1] * 5
            + s->data[s->len / 2])
           % NUDGE_PRESET_SLOTS;
}


int
nudge_preset_name_bit(const nudge_preset_t *preset, const nudge_str_t *s)
{
    int           bit;
    nudge_uint_t  slot;

    if (s->len == 0) {
        return -1;
    }

    slot = nudge_preset_slot(s);

    while (preset->slots[slot]) {
        bit = preset->slots[slot] - 1;

        if (nudge_str_eq(&preset->names[bit], s)) {
            return bit;
        }

        slot = (slot + 1) % NUDGE_PRESET_SLOTS;
    }

    return -1;
}


/* percent-decoding into buf where there is anything to decode; what does not
 * fit cannot be a name or value that a rule asks for, and is given raw */

static nudge_str_t
nudge_args_decode(nudge_str_t s, u_char *buf, size_t size)
{
    u_char      *d;
    size_t       i;
    nudge_int_t  hi, lo;

    if (s.len == 0 || s.len > size
        || (memchr(s.data, '%', s.len) == NULL
            && memchr(s.data, '+', s.len) == NULL))
    {
        return s;
    }

    d = buf;

    for (i = 0; i < s.len; i++) {
        *d = s.data[i];

        if (*d == '+') {
            *d = ' ';

        } else if (*d == '%' && i + 2 < s.len) {
            hi = s.data[i + 1] | 0x20;
            lo = s.data[i + 2] | 0x20;
            hi = (hi >= '0' && hi <= '9') ? hi - '0'
                 : (hi >= 'a' && hi <= 'f') ? hi - 'a' + 10 : -1;
            lo = (lo >= '0' && lo <= '9') ? lo - '0'
                 : (lo >= 'a' && lo <= 'f') ? lo - 'a' + 10 : -1;

            if (hi >= 0 && lo >= 0) {
                *d = (u_char) (hi * 16 + lo);
                i += 2;
            }
        }

        d++;
    }

    s.data = buf;
    s.len = d - buf;

    return s;
}


/* of repeated arguments the last counts, as in PHP; empty ones are absent */

static uint64_t
nudge_preset_args(const nudge_preset_t *preset, const nudge_str_t *args,
    nudge_str_t *values)
{
    int           bit;
    u_char       *p, *s, *end, buf[64];
    uint64_t      have;
    nudge_str_t   name;
    nudge_uint_t  coded;

    have = 0;

    if (args->len == 0) {
        return 0;
    }

    end = args->data + args->len;

    for (p = args->data; p < end; p = s + 1) {

        coded = 0;

        for (s = p; s < end && *s != '=' && *s != '&'; s++) {
            coded |= *s == '%' || *s == '+';
        }

        name.data = p;
        name.len = s - p;

        if (coded) {
            name = nudge_args_decode(name, buf, sizeof(buf));
        }

        bit = nudge_preset_name_bit(preset, &name);
        p = s;

        if (s < end && *s == '=') {
            p++;
            s = memchr(s, '&', end - s);
            s = s ? s : end;
        }

        if (bit < 0) {
            continue;
        }

        if (p == s) {
            have &= ~((uint64_t) 1 << bit);
            continue;
        }

        have |= (uint64_t) 1 << bit;
        values[bit].data = p;
        values[bit].len = s - p;
    }

    return have;
}


static nudge_uint_t
nudge_args_test(const nudge_tests_t *tests, const nudge_str_t *values)
{
    u_char               buf[256];
    nudge_str_t          value;
    nudge_uint_t         i;
    const nudge_test_t  *t;

    for (i = 0; i < tests->n; i++) {
        t = &tests->elts[i];

        if (t->kind == NUDGE_TEST_ONE_OF) {
            value = nudge_args_decode(values[t->bit], buf, sizeof(buf));

            if (!nudge_globs(&t->values, &value)) {
                return 0;
            }
        }
    }

    return 1;
}


/* what follows "/wp-json", with its slash; empty when it is not in the path */

nudge_str_t
nudge_preset_route(const nudge_preset_t *preset, const nudge_str_t *path)
{
    u_char       *p;
    nudge_str_t   route, after;

    after = preset->route_after;
    nudge_str_null(&route);

    if (after.len == 0 || path->len <= after.len) {
        return route;
    }

    p = nudge_seek(path, &after);

    if (p == NULL) {
        return route;
    }

    route.data = p + after.len;
    route.len = path->data + path->len - route.data;

    if (route.len == 0 || route.data[0] != '/') {
        nudge_str_null(&route);
    }

    return route;
}


void
nudge_preset_match(const nudge_preset_t *preset, const nudge_exchange_t *x,
    nudge_match_t *match)
{
    int                          method;
    u_char                       buf[512];
    uint16_t                    *list;
    uint32_t                     kind;
    uint64_t                     have;
    nudge_str_t                  route, values[NUDGE_PRESET_NAMES];
    nudge_uint_t                 i, n;
    const nudge_rule_t          *rule;
    const nudge_method_index_t  *index;

    memset(match, 0, sizeof(nudge_match_t));

    method = nudge_preset_method(&x->method);

    if (method < 0) {
        return;
    }

    have = x->args.len ? nudge_preset_args(preset, &x->args, values) : 0;
    index = &preset->index[method];
    list = have ? index->rule : index->plain;
    n = have ? index->n : index->nplain;
    kind = 0;

    if (n) {
        route = nudge_preset_route(preset, &x->path);

        if (route.len == 0 && preset->route_bit >= 0
            && (have & ((uint64_t) 1 << preset->route_bit)))
        {
            route = nudge_args_decode(values[preset->route_bit], buf,
                                      sizeof(buf));
        }
    }

    for (i = 0; i < n; i++) {
        rule = &preset->rules[list[i]];

        if ((rule->need & have) != rule->need || (rule->forbid & have)) {
            continue;
        }

        if (rule->route.n
            && (route.len == 0 || !nudge_patterns_match(&rule->route, route)))
        {
            continue;
        }

        if (rule->path.n && !nudge_patterns_match(&rule->path, x->path)) {
            continue;
        }

        if (rule->navigation && !x->navigation) {
            continue;
        }

        if (rule->kinds) {
            kind = kind ? kind : nudge_preset_body_kind(&x->content_type);

            if (!(rule->kinds & kind)) {
                continue;
            }
        }

        if (!nudge_args_test(&rule->query, values)) {
            continue;
        }

        if (match->n == NUDGE_PRESET_CANDIDATES) {
            break;
        }

        match->rule[match->n++] = list[i];
        match->body |= rule->body;
        match->answer |= rule->answer;
        match->order |= rule->order;
        match->change |= rule->change;
    }

    if (match->n && nudge_patterns_match(&preset->ignore, x->path)) {
        memset(match, 0, sizeof(nudge_match_t));
        return;
    }

    for (i = 0; preset->payment && i < preset->npages; i++) {
        if (preset->pages[i].payment
            && nudge_page_matches(preset, &preset->pages[i], x))
        {
            match->payment = 1;
            match->body = 0;
            match->answer = 0;
            break;
        }
    }
}


/* by its class once that is known; before, or without one, by its address */

static nudge_uint_t
nudge_page_matches(const nudge_preset_t *preset, const nudge_page_rule_t *page,
    const nudge_exchange_t *x)
{
    char          name[64];
    uint64_t      have;
    nudge_str_t   values[NUDGE_PRESET_NAMES];
    nudge_uint_t  i;

    if (page->query.n) {
        have = nudge_preset_args(preset, &x->args, values);

        for (i = 0; i < page->query.n; i++) {
            if (!!(have & ((uint64_t) 1 << page->query.elts[i].bit))
                == (page->query.elts[i].kind == NUDGE_TEST_ABSENT))
            {
                return 0;
            }
        }

        if (!nudge_args_test(&page->query, values)) {
            return 0;
        }
    }

    if (page->classes.n && x->body_class.len) {
        for (i = 0; i < page->classes.n; i++) {
            if (page->classes.elts[i].len >= sizeof(name)) {
                continue;
            }

            memcpy(name, page->classes.elts[i].data, page->classes.elts[i].len);
            name[page->classes.elts[i].len] = '\0';

            if (nudge_html_has_class(&x->body_class, name)) {
                return 1;
            }
        }

        return 0;
    }

    if (page->path.n) {
        return nudge_patterns_match(&page->path, x->path);
    }

    return page->query.n != 0;
}


nudge_str_t
nudge_preset_page(const nudge_preset_t *preset, const nudge_exchange_t *x)
{
    nudge_str_t   none;
    nudge_uint_t  i;

    for (i = 0; i < preset->npages; i++) {
        if (nudge_page_matches(preset, &preset->pages[i], x)) {
            return preset->pages[i].kind;
        }
    }

    nudge_str_null(&none);

    return none;
}


nudge_str_t
nudge_preset_page_id(const nudge_preset_t *preset, const nudge_exchange_t *x)
{
    int                       bit;
    uint64_t                  have;
    nudge_str_t               id, values[NUDGE_PRESET_NAMES];
    nudge_uint_t              i, k;
    const nudge_source_t     *s;
    const nudge_page_rule_t  *page;

    nudge_str_null(&id);

    for (i = 0; i < preset->npages; i++) {
        page = &preset->pages[i];

        if (page->id.n == 0 || !nudge_page_matches(preset, page, x)) {
            continue;
        }

        have = nudge_preset_args(preset, &x->args, values);

        for (k = 0; k < page->id.n && id.len == 0; k++) {
            s = &page->id.elts[k];

            if (s->kind == NUDGE_SOURCE_CLASS && x->body_class.len) {
                id = nudge_html_class_rest(&x->body_class, &s->name);

            } else if (s->kind == NUDGE_SOURCE_PATH) {
                id = nudge_path_segment(&x->path, s);

            } else if (s->kind == NUDGE_SOURCE_QUERY) {
                bit = nudge_preset_name_bit(preset, &s->name);

                if (bit >= 0 && (have & ((uint64_t) 1 << bit))) {
                    id = values[bit];
                }
            }
        }

        return id;
    }

    return id;
}
