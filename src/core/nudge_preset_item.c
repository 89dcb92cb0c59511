
/*
 * Items out of an exchange: what a request names, and the lines of a cart
 * that an answer gives, described as fully as the answer and what was known
 * before allow.
 */


#include "nudge_preset_private.h"


#define NUDGE_ITEM_ID        128
#define NUDGE_ITEM_NAME      256
#define NUDGE_ITEM_URL       1024
#define NUDGE_ITEM_QUANTITY  1000000


static nudge_str_t nudge_item_name(nudge_reader_t *r,
    const nudge_sources_t *s);
static int64_t nudge_item_quantity(nudge_reader_t *r,
    const nudge_sources_t *s);
static nudge_str_t nudge_item_image(nudge_reader_t *r, nudge_str_t url);
static nudge_uint_t nudge_items_add(nudge_reader_t *r,
    const nudge_rule_t *rule, nudge_item_t *items, nudge_uint_t n);
static nudge_uint_t nudge_items_form(nudge_reader_t *r,
    const nudge_rule_t *rule, nudge_item_t *items);
static nudge_int_t nudge_cart_json(nudge_reader_t *r,
    const nudge_reading_t *reading, nudge_item_t *lines, nudge_uint_t *n);
static nudge_int_t nudge_cart_html(nudge_reader_t *r,
    const nudge_reading_t *reading, nudge_item_t *lines, nudge_uint_t *n);
static void nudge_cart_keyless(nudge_reader_t *r, nudge_item_t *line,
    nudge_uint_t html, uint64_t *used);
static void nudge_cart_variation(nudge_item_t *line,
    const nudge_item_t *request, nudge_uint_t nrequest, nudge_uint_t fresh);
static void nudge_cart_describe(nudge_item_t *line, const nudge_item_t *known);


static nudge_str_t
nudge_item_name(nudge_reader_t *r, const nudge_sources_t *s)
{
    nudge_str_t  name, plain;

    name = nudge_sources_text(r, s);

    if (name.len == 0) {
        return name;
    }

    /* WooCommerce and others put names into JSON as they would into HTML */

    if (memchr(name.data, '&', name.len) != NULL) {
        if (nudge_html_unescape(r->pool, &plain, &name) != NUDGE_OK) {
            r->failed = 1;

        } else {
            name = plain;
        }
    }

    return nudge_utf8_cut(name, NUDGE_ITEM_NAME);
}


/* whole units: "2", "2.00"; -1 where nothing is said */

static int64_t
nudge_item_quantity(nudge_reader_t *r, const nudge_sources_t *s)
{
    size_t       i;
    int64_t      n;
    nudge_str_t  text;

    text = nudge_sources_text(r, s);

    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '.' || text.data[i] == ',') {
            break;
        }
    }

    text.len = i;
    n = text.len ? nudge_str_int(&text) : -1;

    if (n < 0) {
        return -1;
    }

    return n > NUDGE_ITEM_QUANTITY ? NUDGE_ITEM_QUANTITY : n;
}


static nudge_str_t
nudge_item_image(nudge_reader_t *r, nudge_str_t url)
{
    nudge_str_t  local;

    local = nudge_page_local(url, &r->x->host);

    if (local.len == 0 && nudge_str_starts(&url, "https://")) {
        local = url;
    }

    if (local.len > NUDGE_ITEM_URL) {
        nudge_str_null(&local);
    }

    return local;
}


static nudge_str_t
nudge_item_page(nudge_reader_t *r, nudge_str_t url)
{
    if (url.len) {
        url = nudge_page_local(url, &r->x->host);
    }

    if (url.len > NUDGE_ITEM_URL) {
        nudge_str_null(&url);
    }

    return url;
}


void
nudge_fields_item(nudge_reader_t *r, const nudge_sources_t *fields,
    nudge_item_t *item)
{
    memset(item, 0, sizeof(nudge_item_t));

    item->id = nudge_sources_id(r, &fields[NUDGE_FIELD_ID], NUDGE_ITEM_ID);
    item->parent = nudge_sources_id(r, &fields[NUDGE_FIELD_PARENT],
                                    NUDGE_ITEM_ID);
    item->key = nudge_sources_id(r, &fields[NUDGE_FIELD_KEY], NUDGE_ITEM_ID);
    item->sku = nudge_sources_id(r, &fields[NUDGE_FIELD_SKU], NUDGE_ITEM_ID);
    item->name = nudge_item_name(r, &fields[NUDGE_FIELD_NAME]);
    item->category = nudge_item_name(r, &fields[NUDGE_FIELD_CATEGORY]);
    item->brand = nudge_item_name(r, &fields[NUDGE_FIELD_BRAND]);
    item->url = nudge_sources_text(r, &fields[NUDGE_FIELD_URL]);
    item->image = nudge_sources_text(r, &fields[NUDGE_FIELD_IMAGE]);
    item->quantity = nudge_item_quantity(r, &fields[NUDGE_FIELD_QUANTITY]);
    item->price = nudge_sources_money(r, &fields[NUDGE_FIELD_PRICE],
                                      &fields[NUDGE_FIELD_MINOR]);
    item->currency = nudge_sources_currency(r, &fields[NUDGE_FIELD_CURRENCY]);

    item->url = nudge_item_page(r, item->url);

    if (item->image.len) {
        item->image = nudge_item_image(r, item->image);
    }

    /* a store that knows products by their sku alone */

    if (item->id.len == 0 && fields[NUDGE_FIELD_ID].n == 0) {
        item->id = item->sku;
    }

    if (nudge_str_eq(&item->id, &item->parent)) {
        nudge_str_null(&item->parent);
    }
}


static nudge_uint_t
nudge_items_add(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_item_t *items, nudge_uint_t n)
{
    if (n == NUDGE_PRESET_ITEMS) {
        return n;
    }

    nudge_fields_item(r, rule->fields, &items[n]);

    return n + (items[n].id.len || items[n].key.len);
}


nudge_uint_t
nudge_rule_items(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_item_t *items)
{
    nudge_uint_t    n;
    nudge_value_t  *list, *v;

    n = 0;
    r->element = NULL;
    nudge_str_null(&r->match);
    nudge_str_null(&r->value);
    r->number = -1;

    if (!rule->item) {
        return 0;
    }

    if (!rule->has_each) {
        return nudge_items_add(r, rule, items, 0);
    }

    if (rule->each.kind == NUDGE_SOURCE_FORM) {
        return nudge_items_form(r, rule, items);
    }

    list = nudge_source_value(r, &rule->each);

    if (list != NULL && (list->type == NUDGE_JSON_ARRAY
                         || list->type == NUDGE_JSON_OBJECT))
    {
        for (v = list->child; v; v = v->next) {
            r->element = v;
            r->match = v->name;
            n = nudge_items_add(r, rule, items, n);
        }
    }

    r->element = NULL;
    nudge_str_null(&r->match);

    return n;
}


/* "cart[*][qty]": every field of that shape; "id[]": every field so named */

static nudge_uint_t
nudge_items_form(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_item_t *items)
{
    u_char         *star;
    nudge_str_t     shape, name, tail;
    nudge_uint_t    i, n;
    nudge_form_t   *form;
    nudge_field_t  *field;

    n = 0;
    form = nudge_reader_form(r);
    shape = rule->each.name;
    star = memchr(shape.data, '*', shape.len);
    nudge_str_null(&tail);

    if (star != NULL) {
        tail.data = star + 1;
        tail.len = shape.data + shape.len - tail.data;
        shape.len = star - shape.data;
    }

    for (i = 0; i < form->n; i++) {
        field = &form->fields[i];
        name = field->name;

        if (star == NULL) {
            if (!nudge_str_eq(&name, &shape)) {
                continue;
            }

            r->number++;

        } else {
            if (name.len <= shape.len + tail.len
                || (shape.len && memcmp(name.data, shape.data, shape.len))
                || (tail.len && memcmp(name.data + name.len - tail.len,
                                       tail.data, tail.len)))
            {
                continue;
            }

            r->match.data = name.data + shape.len;
            r->match.len = name.len - shape.len - tail.len;

            if (memchr(r->match.data, '[', r->match.len) != NULL) {
                continue;
            }
        }

        r->value = field->value;
        n = nudge_items_add(r, rule, items, n);
    }

    nudge_str_null(&r->match);
    nudge_str_null(&r->value);
    r->number = -1;

    return n;
}


nudge_int_t
nudge_cart_read(nudge_reader_t *r, const nudge_rule_t *rule,
    const nudge_item_t *request, nudge_uint_t nrequest, nudge_item_t *lines,
    nudge_uint_t *n)
{
    uint64_t       used;
    nudge_int_t    rc;
    nudge_uint_t   i, k, fresh;
    nudge_item_t  *found[NUDGE_SESSION_LINES];

    *n = 0;

    if (rule->cart == NULL) {
        return NUDGE_DECLINED;
    }

    rc = rule->cart->html ? nudge_cart_html(r, rule->cart, lines, n)
                          : nudge_cart_json(r, rule->cart, lines, n);

    if (rc != NUDGE_OK) {
        return rc;
    }

    used = 0;
    fresh = 0;

    for (i = 0; i < *n; i++) {
        found[i] = NULL;

        for (k = 0; lines[i].key.len && k < r->nknown; k++) {
            if (nudge_str_eq(&lines[i].key, &r->known[k].key)) {
                found[i] = &r->known[k];
                used |= (uint64_t) 1 << k;
                break;
            }
        }

        fresh += found[i] == NULL;
    }

    for (i = 0; i < *n; i++) {

        if (found[i] != NULL) {
            if (rule->cart->html) {
                lines[i].id = found[i]->id;
            }

            nudge_cart_describe(&lines[i], found[i]);

        } else {
            if (rule->cart->html && rule->action == NUDGE_ACTION_ADD) {
                nudge_cart_variation(&lines[i], request, nrequest, fresh);
            }

            nudge_cart_keyless(r, &lines[i], rule->cart->html, &used);
        }

        if (lines[i].quantity < 0) {
            lines[i].quantity = found[i] ? found[i]->quantity : 1;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_cart_json(nudge_reader_t *r, const nudge_reading_t *reading,
    nudge_item_t *lines, nudge_uint_t *n)
{
    nudge_value_t  *list, *v;

    list = nudge_source_value(r, &reading->lines);

    /* an empty array and an empty object are the same to PHP and to Lua */

    if (list == NULL
        || (list->type != NUDGE_JSON_ARRAY
            && (list->type != NUDGE_JSON_OBJECT || list->count)))
    {
        return NUDGE_DECLINED;
    }

    for (v = list->child; v && *n < NUDGE_SESSION_LINES; v = v->next) {
        r->element = v;
        nudge_fields_item(r, reading->fields, &lines[*n]);

        if (lines[*n].quantity != 0
            && (lines[*n].id.len || lines[*n].key.len))
        {
            (*n)++;
        }
    }

    r->element = NULL;

    return (*n || list->count == 0) ? NUDGE_OK : NUDGE_DECLINED;
}


static nudge_int_t
nudge_cart_html(nudge_reader_t *r, const nudge_reading_t *reading,
    nudge_item_t *lines, nudge_uint_t *n)
{
    nudge_uint_t    i;
    nudge_value_t  *source, *v;

    source = nudge_source_value(r, &reading->lines);

    if (source == NULL) {
        return NUDGE_DECLINED;
    }

    i = *n;

    if (source->type == NUDGE_JSON_STRING) {
        *n = nudge_preset_html_lines(r->pool, reading, &source->string, lines,
                                     *n, NUDGE_SESSION_LINES);
    }

    for (v = source->child; v; v = v->next) {
        if (v->type == NUDGE_JSON_STRING) {
            *n = nudge_preset_html_lines(r->pool, reading, &v->string, lines,
                                         *n, NUDGE_SESSION_LINES);
        }
    }

    for ( /* void */ ; i < *n; i++) {
        lines[i].url = nudge_item_page(r, lines[i].url);
        lines[i].image = nudge_item_image(r, lines[i].image);
    }

    /* a theme may leave the lines out: only the store's word makes it empty */

    if (*n == 0 && (reading->empty.n == 0
                    || !nudge_tests_hold(r, &reading->empty)))
    {
        return NUDGE_DECLINED;
    }

    return NUDGE_OK;
}


/*
 * A line whose key was not known may be one that was added before the store
 * told its key.  Markup names the parent of a variation; what was added knows
 * the variation itself.
 */

static void
nudge_cart_keyless(nudge_reader_t *r, nudge_item_t *line, nudge_uint_t html,
    uint64_t *used)
{
    nudge_uint_t   i;
    nudge_item_t  *known;

    for (i = 0; i < r->nknown; i++) {
        known = &r->known[i];

        if (known->key.len || (*used & (uint64_t) 1 << i)) {
            continue;
        }

        if (nudge_str_eq(&known->id, &line->id)
            || (html && known->parent.len
                && nudge_str_eq(&known->parent, &line->id)))
        {
            *used |= (uint64_t) 1 << i;
            line->id = known->id;
            nudge_cart_describe(line, known);
            return;
        }
    }
}


/* ... or the one just asked for */

static void
nudge_cart_variation(nudge_item_t *line, const nudge_item_t *request,
    nudge_uint_t nrequest, nudge_uint_t fresh)
{
    nudge_uint_t  i, sku;

    for (i = 0; i < nrequest; i++) {

        sku = fresh == 1 && nrequest == 1 && line->sku.len
              && nudge_str_eq(&request[i].sku, &line->sku);

        if (request[i].id.len == 0
            || nudge_str_eq(&request[i].id, &line->id)
            || (!sku && (request[i].parent.len == 0
                         || !nudge_str_eq(&request[i].parent, &line->id))))
        {
            continue;
        }

        line->parent = line->id;
        line->id = request[i].id;
        return;
    }
}


/* the answer is right in what it says; what it leaves out was known before */

static void
nudge_cart_describe(nudge_item_t *line, const nudge_item_t *known)
{
    nudge_uint_t  i;

    const size_t  text[] = {
        offsetof(nudge_item_t, id), offsetof(nudge_item_t, parent),
        offsetof(nudge_item_t, sku), offsetof(nudge_item_t, name),
        offsetof(nudge_item_t, url), offsetof(nudge_item_t, image),
        offsetof(nudge_item_t, category), offsetof(nudge_item_t, brand),
        offsetof(nudge_item_t, currency)
    };

    nudge_str_t        *dst;
    const nudge_str_t  *src;

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        dst = (nudge_str_t *) ((u_char *) line + text[i]);
        src = (const nudge_str_t *) ((const u_char *) known + text[i]);

        if (dst->len == 0) {
            *dst = *src;
        }
    }

    if (line->price == NUDGE_MONEY_NONE) {
        line->price = known->price;
    }

    if (nudge_str_eq(&line->id, &line->parent)) {
        nudge_str_null(&line->parent);
    }
}
