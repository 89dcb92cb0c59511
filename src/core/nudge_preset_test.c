
/*
 * Does a rule apply, and did the store do it: tests of fields, answers, status
 * and cookies.
 *
 * Promise: what cannot be read satisfies nothing.
 */


#include "nudge_preset_private.h"


static nudge_uint_t nudge_value_present(const nudge_value_t *v,
    nudge_uint_t answer);
static nudge_uint_t nudge_test_holds(nudge_reader_t *r, const nudge_test_t *t);
static nudge_uint_t nudge_condition_holds(nudge_reader_t *r,
    const nudge_condition_t *c);
static nudge_uint_t nudge_cookie_is(nudge_reader_t *r,
    const nudge_strs_t *names, nudge_uint_t gone);
static nudge_uint_t nudge_cookie_deleted(nudge_str_t value,
    nudge_str_t attributes);


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

    return nudge_value_filled(v);
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
