
/*
 * Values out of an exchange: the sources, tests and conditions of a rule.
 * Bodies are decoded when a rule first asks, and only what a preset names is
 * ever looked at.
 */


#include "nudge_preset_private.h"


static void nudge_reader_query(nudge_reader_t *r);
static nudge_value_t *nudge_reader_json(nudge_reader_t *r);
static nudge_value_t *nudge_reader_answer(nudge_reader_t *r);
static nudge_str_t nudge_reader_field(nudge_reader_t *r,
    const nudge_source_t *s);
static nudge_form_t *nudge_reader_nested(nudge_reader_t *r,
    const nudge_source_t *s);
static nudge_str_t nudge_reader_location(nudge_reader_t *r,
    const nudge_source_t *s);
static nudge_uint_t nudge_value_present(const nudge_value_t *v,
    nudge_uint_t answer);
static nudge_uint_t nudge_test_holds(nudge_reader_t *r, const nudge_test_t *t);
static nudge_uint_t nudge_condition_holds(nudge_reader_t *r,
    const nudge_condition_t *c);
static nudge_uint_t nudge_cookie_is(nudge_reader_t *r,
    const nudge_strs_t *names, nudge_uint_t gone);
static nudge_uint_t nudge_cookie_deleted(nudge_str_t value,
    nudge_str_t attributes);


static void
nudge_reader_query(nudge_reader_t *r)
{
    if (r->have_query) {
        return;
    }

    r->have_query = 1;

    if (r->args.len == 0) {
        return;
    }

    if (nudge_form_urlencoded(r->pool, &r->args, &r->query) != NUDGE_OK) {
        r->failed = 1;
        r->query.n = 0;
    }
}


nudge_form_t *
nudge_reader_form(nudge_reader_t *r)
{
    uint32_t      kind;
    nudge_int_t   rc;
    nudge_str_t   body;

    if (r->have_form) {
        return &r->form;
    }

    r->have_form = 1;
    body = r->x->body;

    if (r->inner || body.len == 0) {
        return &r->form;
    }

    kind = nudge_preset_body_kind(&r->x->content_type);
    rc = NUDGE_DECLINED;

    if (kind == NUDGE_BODY_URLENCODED) {

        /* the last field of a form that was cut may be half of one */

        while (r->x->body_cut && body.len && body.data[body.len - 1] != '&') {
            body.len--;
        }

        rc = body.len ? nudge_form_urlencoded(r->pool, &body, &r->form)
                      : NUDGE_OK;

    } else if (kind == NUDGE_BODY_MULTIPART) {
        rc = nudge_form_multipart(r->pool, &r->x->content_type, &body,
                                  &r->form);
    }

    if (rc != NUDGE_OK) {
        r->form.n = 0;
        r->failed |= rc == NUDGE_ERROR;
    }

    return &r->form;
}


static nudge_value_t *
nudge_reader_json(nudge_reader_t *r)
{
    uint32_t  kind;

    if (r->inner || r->have_json) {
        return r->json;
    }

    r->have_json = 1;
    kind = nudge_preset_body_kind(&r->x->content_type);

    if (r->x->body.len && !r->x->body_cut
        && (kind & (NUDGE_BODY_JSON|NUDGE_BODY_TEXT)))
    {
        r->json = nudge_json_decode(r->js, r->pool, &r->x->body, NULL);
    }

    return r->json;
}


static nudge_value_t *
nudge_reader_answer(nudge_reader_t *r)
{
    if (r->inner || r->have_answer) {
        return r->answer;
    }

    r->have_answer = 1;

    if (r->x->answer.len && !r->x->answer_cut) {
        r->answer = nudge_json_decode(r->js, r->pool, &r->x->answer, NULL);
    }

    return r->answer;
}


nudge_value_t *
nudge_source_value(nudge_reader_t *r, const nudge_source_t *s)
{
    nudge_value_t  *root;

    switch (s->kind) {

    case NUDGE_SOURCE_JSON:
        root = nudge_reader_json(r);
        break;

    case NUDGE_SOURCE_ANSWER:
        root = nudge_reader_answer(r);
        break;

    case NUDGE_SOURCE_EACH:
        root = r->element;
        break;

    case NUDGE_SOURCE_VALUE:
        return r->element;

    default:
        return NULL;
    }

    return s->name.len ? nudge_value_path(root, &s->name) : root;
}


/* "name", "name[]" of the element's number, "name[*]" of what its "*" was */

static nudge_str_t
nudge_reader_field(nudge_reader_t *r, const nudge_source_t *s)
{
    u_char        *p, *star;
    nudge_int_t    n;
    nudge_str_t    name, none, *value;
    nudge_uint_t   i;
    nudge_form_t  *form;

    nudge_str_null(&none);
    form = s->inner.len ? nudge_reader_nested(r, s) : nudge_reader_form(r);
    name = s->inner.len ? s->inner : s->name;

    if (r->number >= 0 && name.len > 2
        && memcmp(name.data + name.len - 2, "[]", 2) == 0)
    {
        n = r->number;

        for (i = 0; i < form->n; i++) {
            if (nudge_str_eq(&form->fields[i].name, &name) && n-- == 0) {
                return form->fields[i].value;
            }
        }

        return none;
    }

    star = memchr(name.data, '*', name.len);

    if (star != NULL && r->match.len) {
        p = nudge_palloc(r->pool, name.len + r->match.len);

        if (p == NULL) {
            r->failed = 1;
            return none;
        }

        i = star - name.data;
        memcpy(p, name.data, i);
        memcpy(p + i, r->match.data, r->match.len);
        memcpy(p + i + r->match.len, star + 1, name.len - i - 1);
        name.len += r->match.len - 1;
        name.data = p;
    }

    value = nudge_form_get(form, &name);

    return value ? *value : none;
}


static nudge_form_t *
nudge_reader_nested(nudge_reader_t *r, const nudge_source_t *s)
{
    nudge_str_t  *outer;

    if (nudge_str_eq(&r->nested_name, &s->name)) {
        return &r->nested;
    }

    r->nested_name = s->name;
    r->nested.n = 0;
    outer = nudge_form_get(nudge_reader_form(r), &s->name);

    if (outer != NULL && outer->len
        && nudge_form_urlencoded(r->pool, outer, &r->nested) != NUDGE_OK)
    {
        r->failed = 1;
        r->nested.n = 0;
    }

    return &r->nested;
}


static nudge_str_t
nudge_reader_location(nudge_reader_t *r, const nudge_source_t *s)
{
    u_char        *p, *end;
    nudge_str_t    path, args, none, *value;
    nudge_form_t   form;

    nudge_str_null(&none);

    if (r->inner || r->x->location.len == 0) {
        return none;
    }

    path = r->x->location;
    p = nudge_str_find(&path, "://");

    if (p != NULL) {
        end = path.data + path.len;

        for (p += 3; p < end && *p != '/' && *p != '?'; p++) { /* void */ }

        path.data = p;
        path.len = end - p;
    }

    p = path.len ? memchr(path.data, '#', path.len) : NULL;
    path.len = p ? (size_t) (p - path.data) : path.len;
    nudge_str_null(&args);
    p = path.len ? memchr(path.data, '?', path.len) : NULL;

    if (p != NULL) {
        args.data = p + 1;
        args.len = path.data + path.len - args.data;
        path.len = p - path.data;
    }

    if (s->inner.len == 0) {
        return nudge_path_segment(&path, s);
    }

    if (args.len == 0) {
        return none;
    }

    if (nudge_form_urlencoded(r->pool, &args, &form) != NUDGE_OK) {
        r->failed = 1;
        return none;
    }

    value = nudge_form_get(&form, &s->inner);

    return value ? *value : none;
}


nudge_str_t
nudge_source_text(nudge_reader_t *r, const nudge_source_t *s)
{
    nudge_str_t  none, *value;

    nudge_str_null(&none);

    switch (s->kind) {

    case NUDGE_SOURCE_CONST:
        return s->name;

    case NUDGE_SOURCE_QUERY:
        nudge_reader_query(r);
        value = nudge_form_get(&r->query, &s->name);
        return value ? *value : none;

    case NUDGE_SOURCE_FORM:
        return nudge_reader_field(r, s);

    case NUDGE_SOURCE_PATH:
        return nudge_path_segment(&r->path, s);

    case NUDGE_SOURCE_ROUTE:
        return nudge_path_segment(&r->route, s);

    case NUDGE_SOURCE_LOCATION:
        return nudge_reader_location(r, s);

    case NUDGE_SOURCE_MATCH:
        return r->match;

    case NUDGE_SOURCE_VALUE:
        return r->element ? nudge_value_str(r->element) : r->value;

    case NUDGE_SOURCE_CLASS:
        return none;

    default:
        return nudge_value_str(nudge_source_value(r, s));
    }
}


nudge_str_t
nudge_sources_text(nudge_reader_t *r, const nudge_sources_t *s)
{
    nudge_str_t   text;
    nudge_uint_t  i;

    nudge_str_null(&text);

    for (i = 0; i < s->n && text.len == 0; i++) {
        text = nudge_str_trim(nudge_source_text(r, &s->elts[i]));
    }

    return text;
}


nudge_str_t
nudge_sources_id(nudge_reader_t *r, const nudge_sources_t *s, size_t max)
{
    nudge_str_t   text;
    nudge_uint_t  i;

    for (i = 0; i < s->n; i++) {
        text = nudge_str_trim(nudge_source_text(r, &s->elts[i]));

        if (text.len && text.len <= max && !nudge_str_is(&text, "0")) {
            return text;
        }
    }

    nudge_str_null(&text);

    return text;
}


nudge_money_t
nudge_sources_money(nudge_reader_t *r, const nudge_sources_t *price,
    const nudge_sources_t *minor)
{
    int64_t      unit;
    nudge_str_t  text, digits;

    text = nudge_sources_text(r, price);

    if (text.len == 0) {
        return NUDGE_MONEY_NONE;
    }

    if (minor->n == 0) {
        return nudge_money_parse(&text);
    }

    /* without its unit "4500" may be 45 or 4500: better not known */

    digits = nudge_sources_text(r, minor);
    unit = nudge_str_int(&digits);

    if (unit < 0 || unit > 3) {
        return NUDGE_MONEY_NONE;
    }

    return nudge_money_minor(&text, (nudge_uint_t) unit);
}


nudge_str_t
nudge_sources_currency(nudge_reader_t *r, const nudge_sources_t *s)
{
    size_t       i;
    nudge_str_t  text;

    text = nudge_sources_text(r, s);

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < 'A' || text.data[i] > 'Z') {
            break;
        }
    }

    if (text.len != 3 || i != 3) {
        nudge_str_null(&text);
    }

    return text;
}


/* of an answer null, false, 0, "" and what holds nothing are as good as
 * absent: "errors": [] and "error": false both say that there is none; of a
 * request only null and "", for a quantity may well be 0 */

static nudge_uint_t
nudge_value_present(const nudge_value_t *v, nudge_uint_t answer)
{
    if (v == NULL || v->type == NUDGE_JSON_NULL) {
        return 0;
    }

    if (!answer && v->type != NUDGE_JSON_STRING) {
        return 1;
    }

    switch (v->type) {

    case NUDGE_JSON_TRUE:
        return 1;

    case NUDGE_JSON_NUMBER:
        return v->number != 0;

    case NUDGE_JSON_STRING:
        return v->string.len != 0;

    case NUDGE_JSON_ARRAY:
    case NUDGE_JSON_OBJECT:
        return v->count != 0;

    default:
        return 0;
    }
}


static nudge_uint_t
nudge_test_holds(nudge_reader_t *r, const nudge_test_t *t)
{
    nudge_str_t     text;
    nudge_uint_t    present;
    nudge_value_t  *v;

    if (t->source.kind == NUDGE_SOURCE_JSON
        || t->source.kind == NUDGE_SOURCE_ANSWER)
    {
        v = nudge_source_value(r, &t->source);
        present = nudge_value_present(v, t->source.kind
                                         == NUDGE_SOURCE_ANSWER);
        text = nudge_value_str(v);

        if (v != NULL && (v->type == NUDGE_JSON_TRUE
                          || v->type == NUDGE_JSON_FALSE))
        {
            text = nudge_cstr(v->type == NUDGE_JSON_TRUE ? "true" : "false");
        }

    } else {
        text = nudge_source_text(r, &t->source);
        present = text.len != 0;
    }

    switch (t->kind) {

    case NUDGE_TEST_PRESENT:
        return present;

    case NUDGE_TEST_ABSENT:
        return !present;

    default:
        return nudge_globs(&t->values, &text);
    }
}


nudge_uint_t
nudge_tests_hold(nudge_reader_t *r, const nudge_tests_t *tests)
{
    nudge_uint_t  i;

    for (i = 0; i < tests->n; i++) {

        /* an answer that cannot be read proves nothing, not even absence */

        if ((tests->elts[i].source.kind == NUDGE_SOURCE_ANSWER
             && nudge_reader_answer(r) == NULL)
            || (tests->elts[i].source.kind == NUDGE_SOURCE_JSON
                && nudge_reader_json(r) == NULL)
            || !nudge_test_holds(r, &tests->elts[i]))
        {
            return 0;
        }
    }

    return 1;
}


nudge_uint_t
nudge_conditions_hold(nudge_reader_t *r, const nudge_conditions_t *conditions)
{
    nudge_uint_t  i;

    for (i = 0; i < conditions->n; i++) {
        if (nudge_condition_holds(r, &conditions->elts[i])) {
            return 1;
        }
    }

    return 0;
}


static nudge_uint_t
nudge_condition_holds(nudge_reader_t *r, const nudge_condition_t *c)
{
    char          name[64];
    nudge_uint_t  i;

    for (i = 0; i < c->nstatus; i++) {
        if (r->status >= c->from[i] && r->status <= c->to[i]) {
            break;
        }
    }

    if (c->nstatus && i == c->nstatus) {
        return 0;
    }

    if (c->location.n && (r->inner
                          || !nudge_globs(&c->location, &r->x->location)))
    {
        return 0;
    }

    if (c->cookie.n && (r->inner || !nudge_cookie_is(r, &c->cookie, 0))) {
        return 0;
    }

    if (c->gone.n && (r->inner || !nudge_cookie_is(r, &c->gone, 1))) {
        return 0;
    }

    for (i = 0; r->x->body_class.len && i < c->classes.n; i++) {
        if (c->classes.elts[i].len < sizeof(name)) {
            memcpy(name, c->classes.elts[i].data, c->classes.elts[i].len);
            name[c->classes.elts[i].len] = '\0';

            if (nudge_html_has_class(&r->x->body_class, name)) {
                break;
            }
        }
    }

    if (r->x->body_class.len && c->classes.n && i == c->classes.n) {
        return 0;
    }

    return nudge_tests_hold(r, &c->tests);
}


/* one answer may delete a cookie for one path and set it for another: set
 * means set anywhere, gone means deleted and set nowhere */

static nudge_uint_t
nudge_cookie_is(nudge_reader_t *r, const nudge_strs_t *names,
    nudge_uint_t gone)
{
    u_char        *eq, *semi;
    nudge_str_t    cookie, name, value;
    nudge_uint_t   i, deleted, set;

    deleted = 0;
    set = 0;

    for (i = 0; i < r->x->nset_cookie; i++) {
        cookie = r->x->set_cookie[i];
        eq = cookie.len ? memchr(cookie.data, '=', cookie.len) : NULL;

        if (eq == NULL) {
            continue;
        }

        name.data = cookie.data;
        name.len = eq - cookie.data;
        name = nudge_str_trim(name);

        if (!nudge_globs(names, &name)) {
            continue;
        }

        value.data = eq + 1;
        cookie.len -= value.data - cookie.data;
        cookie.data = value.data;
        semi = cookie.len ? memchr(cookie.data, ';', cookie.len) : NULL;
        value.len = semi ? (size_t) (semi - value.data) : cookie.len;
        cookie.data += value.len;
        cookie.len -= value.len;

        if (nudge_cookie_deleted(nudge_str_trim(value), cookie)) {
            deleted = 1;

        } else {
            set = 1;
        }
    }

    return gone ? (deleted && !set) : set;
}


/* Max-Age beats Expires (RFC 6265, section 5.3); there is no clock here, but
 * who deletes by Expires alone uses the epoch */

static nudge_uint_t
nudge_cookie_deleted(nudge_str_t value, nudge_str_t attributes)
{
    u_char       *p, *end;
    nudge_str_t   attribute;

    if (value.len == 0 || nudge_str_is(&value, "0")
        || nudge_str_is(&value, "%20") || nudge_str_is(&value, "deleted")
        || nudge_str_is(&value, "\"\""))
    {
        return 1;
    }

    end = attributes.data + attributes.len;

    for (p = attributes.data; p < end; p = attribute.data + attribute.len) {

        attribute.data = p + 1;
        p = memchr(attribute.data, ';', end - attribute.data);
        attribute.len = (p ? p : end) - attribute.data;

        while (attribute.len && attribute.data[0] == ' ') {
            attribute.data++;
            attribute.len--;
        }

        if (attribute.len > 8 && strncasecmp((char *) attribute.data,
                                             "max-age=", 8) == 0)
        {
            return attribute.data[8] == '0' || attribute.data[8] == '-';
        }

        if (attribute.len > 8
            && strncasecmp((char *) attribute.data, "expires=", 8) == 0
            && (nudge_str_find(&attribute, "Jan 1970") != NULL
                || nudge_str_find(&attribute, "Jan-1970") != NULL))
        {
            return 1;
        }
    }

    return 0;
}


/*
 * Of a request by itself nudge_preset_match() has looked at the request line
 * already; one in an envelope has nothing but its method, path and JSON.
 */

nudge_uint_t
nudge_rule_applies(nudge_reader_t *r, const nudge_rule_t *rule)
{
    int           method;
    uint32_t      kind;
    nudge_uint_t  i;

    if (r->inner) {
        method = nudge_preset_method(&r->method);

        if (method < 0 || !(rule->methods & 1 << method)
            || rule->navigation || rule->envelope != NULL)
        {
            return 0;
        }

        if (rule->route.n + rule->path.n == 0
            || (rule->route.n && !nudge_patterns_match(&rule->route,
                                                       r->route))
            || (rule->path.n && !nudge_patterns_match(&rule->path, r->path)))
        {
            return 0;
        }

        if (rule->kinds && !(rule->kinds & NUDGE_BODY_JSON)) {
            return 0;
        }

        nudge_reader_query(r);

        for (i = 0; i < rule->query.n; i++) {
            if (!nudge_test_holds(r, &rule->query.elts[i])) {
                return 0;
            }
        }

    } else if (rule->kinds) {
        kind = nudge_preset_body_kind(&r->x->content_type);

        if (!(rule->kinds & kind)) {
            return 0;
        }
    }

    return nudge_tests_hold(r, &rule->tests);
}
