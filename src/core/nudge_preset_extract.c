
/*
 * Values out of an exchange: the sources of a rule.  Bodies are decoded when a
 * rule first asks, and only what a preset names is ever looked at.
 */


#include "nudge_preset_private.h"


static nudge_str_t nudge_reader_field(nudge_reader_t *r,
    const nudge_source_t *s);
static nudge_form_t *nudge_reader_nested(nudge_reader_t *r,
    const nudge_source_t *s);
static nudge_str_t nudge_reader_location(nudge_reader_t *r,
    const nudge_source_t *s);


void
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


nudge_value_t *
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


nudge_value_t *
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
