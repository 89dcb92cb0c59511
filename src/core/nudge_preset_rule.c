
/*
 * The statements of a preset file: page "kind" { ... } and rule "name"
 * { ... }, their members read, checked against each other and completed with
 * what follows from them.
 */


#include "nudge_preset_read.h"

#include <lauxlib.h>


static void nudge_compile_event(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule);
static void nudge_compile_request(nudge_compiler_t *c, lua_State *L,
    int index, nudge_rule_t *rule);
static void nudge_compile_item(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule);
static nudge_reading_t *nudge_compile_cart(nudge_compiler_t *c, lua_State *L,
    int index);
static nudge_envelope_t *nudge_compile_envelope(nudge_compiler_t *c,
    lua_State *L, int index);
static void nudge_compile_flags(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule);


static const char *const  nudge_field_names[] = {
    "id", "parent", "key", "sku", "name", "url", "image", "category",
    "brand", "quantity", "price", "minor", "currency", NULL
};

static const char *const  nudge_value_names[] = {
    "email", "order", "text", "how", "value", "minor", "currency", NULL
};

static const char *const  nudge_page_kinds[] = {
    "product", "cart", "checkout", "thankyou", "payment", "list", "search",
    "account", NULL
};

/* what a request may mean; the others are nudge's own to tell */

static const nudge_event_type_t  nudge_rule_types[] = {
    NUDGE_EVENT_VIEW_ITEM_LIST, NUDGE_EVENT_SEARCH,
    NUDGE_EVENT_BEGIN_CHECKOUT, NUDGE_EVENT_PURCHASE, NUDGE_EVENT_REFUND,
    NUDGE_EVENT_IDENTIFY, NUDGE_EVENT_LOGIN, NUDGE_EVENT_LOGOUT,
    NUDGE_EVENT_SIGN_UP, NUDGE_EVENT_SUBSCRIBE, NUDGE_EVENT_ADD_TO_WISHLIST,
    NUDGE_EVENT_STOCK_REQUEST, NUDGE_EVENT_COUPON_APPLY, NUDGE_EVENT_NONE
};


int
nudge_compile_page(lua_State *L)
{
    static const char *const  names[] = {
        "class", "path", "query", "id", NULL
    };

    const char         *kind;
    nudge_uint_t        i;
    nudge_compiler_t   *c;
    nudge_page_rule_t  *page;

    kind = lua_tostring(L, lua_upvalueindex(2));
    c = nudge_compile_enter(L, "page", kind);
    nudge_read_known(c, L, 1, "", names);

    for (i = 0; nudge_page_kinds[i]; i++) {
        if (strcmp(kind, nudge_page_kinds[i]) == 0) {
            break;
        }
    }

    if (nudge_page_kinds[i] == NULL) {
        nudge_read_fail(c, L, NULL, kind, "an unknown kind of page",
                        "product, cart, checkout, thankyou, payment, list, "
                        "search or account");
    }

    if (c->npages == NUDGE_PRESET_PAGES) {
        nudge_read_fail(c, L, NULL, NULL, "one more page", "at most 64");
    }

    page = &c->pages[c->npages++];
    page->kind = nudge_cstr(nudge_page_kinds[i]);
    page->payment = strcmp(kind, "payment") == 0;
    c->preset->payment |= page->payment;

    nudge_read_strs(c, L, 1, "class", &page->classes);
    nudge_read_patterns(c, L, 1, "path", &page->path);
    nudge_read_tests(c, L, 1, "query", NUDGE_SOURCE_QUERY, &page->query);
    nudge_read_sources(c, L, 1, "id", 0, &page->id);

    if (page->classes.n + page->path.n + page->query.n == 0) {
        nudge_read_fail(c, L, NULL, NULL, "nothing", "class, path or query");
    }

    for (i = 0; i < page->id.n; i++) {
        switch (page->id.elts[i].kind) {

        case NUDGE_SOURCE_QUERY:
            (void) nudge_read_name(c, L, "id", &page->id.elts[i].name);
            break;

        case NUDGE_SOURCE_CLASS:
        case NUDGE_SOURCE_PATH:
            break;

        default:
            nudge_read_fail(c, L, "id", NULL, "another source",
                            "\"class:\", \"query:\" or \"path:\"");
        }
    }

    return 0;
}


int
nudge_compile_rule(lua_State *L)
{
    static const char *const  names[] = {
        "event", "method", "path", "route", "query", "body", "form", "json",
        "navigation", "each", "item", "cart", "envelope", "email", "order",
        "text", "how", "value", "minor", "currency", "success", "failed",
        "attempt", "change", NULL
    };

    const char        *name;
    nudge_str_t        s;
    nudge_uint_t       i;
    nudge_rule_t      *rule;
    nudge_compiler_t  *c;

    name = lua_tostring(L, lua_upvalueindex(2));
    c = nudge_compile_enter(L, "rule", name);
    nudge_read_known(c, L, 1, "", names);

    if (c->nrules == NUDGE_PRESET_RULES) {
        nudge_read_fail(c, L, NULL, NULL, "one more rule", "at most 256");
    }

    rule = &c->rules[c->nrules++];
    s = nudge_cstr(name);

    if (nudge_pstrdup(c->preset->pool, &rule->name, &s) != NUDGE_OK) {
        return luaL_error(L, "found no memory, expected some");
    }

    rule->line = c->line;
    nudge_compile_event(c, L, 1, rule);
    nudge_compile_request(c, L, 1, rule);
    nudge_compile_item(c, L, 1, rule);

    for (i = 0; i < NUDGE_VALUES; i++) {
        nudge_read_sources(c, L, 1, nudge_value_names[i], 0,
                           &rule->values[i]);
    }

    nudge_read_conditions(c, L, 1, "success", &rule->success);
    nudge_read_conditions(c, L, 1, "failed", &rule->failed);
    rule->cart = nudge_compile_cart(c, L, 1);
    rule->envelope = nudge_compile_envelope(c, L, 1);
    nudge_compile_flags(c, L, 1, rule);

    return 0;
}


static void
nudge_compile_event(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule)
{
    static const struct {
        const char          *name;
        nudge_action_t       action;
        nudge_event_type_t   type;
    } actions[] = {
        { "add_to_cart", NUDGE_ACTION_ADD, NUDGE_EVENT_ADD_TO_CART },
        { "remove_from_cart", NUDGE_ACTION_REMOVE,
          NUDGE_EVENT_REMOVE_FROM_CART },
        { "set_quantity", NUDGE_ACTION_SET, NUDGE_EVENT_ADD_TO_CART },
        { "read_cart", NUDGE_ACTION_READ, NUDGE_EVENT_VIEW_CART },
        { "envelope", NUDGE_ACTION_ENVELOPE, NUDGE_EVENT_NONE }
    };

    nudge_str_t         name;
    nudge_uint_t        i;
    nudge_event_type_t  type;

    name = nudge_read_str(c, L, index, "event", 1);

    for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (nudge_str_is(&name, actions[i].name)) {
            rule->action = actions[i].action;
            rule->type = actions[i].type;
            return;
        }
    }

    type = nudge_event_type(&name);

    for (i = 0; nudge_rule_types[i] != NUDGE_EVENT_NONE; i++) {
        if (type == nudge_rule_types[i]) {
            rule->type = type;
            return;
        }
    }

    lua_getfield(L, index, "event");
    nudge_read_fail_top(c, L, "event", "add_to_cart, remove_from_cart, "
                        "set_quantity, read_cart, envelope, purchase, "
                        "identify, login, logout, sign_up, subscribe, search, "
                        "begin_checkout, coupon_apply, ...");
}


static void
nudge_compile_request(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule)
{
    int            m;
    nudge_strs_t   methods, bodies;
    nudge_test_t  *t;
    nudge_uint_t   i;

    nudge_read_strs(c, L, index, "method", &methods);

    for (i = 0; i < methods.n; i++) {
        m = nudge_preset_method(&methods.elts[i]);

        if (m < 0) {
            lua_getfield(L, index, "method");
            nudge_read_fail_top(c, L, "method", "GET, POST, PUT, PATCH or "
                                "DELETE, or a list of them");
        }

        rule->methods |= 1 << m;
    }

    if (rule->methods == 0) {
        nudge_read_fail(c, L, "method", NULL, "nothing", "a method");
    }

    nudge_read_patterns(c, L, index, "path", &rule->path);
    nudge_read_patterns(c, L, index, "route", &rule->route);

    if (rule->route.n && c->preset->route_after.len == 0
        && c->preset->route_query.len == 0)
    {
        nudge_read_fail(c, L, "route", NULL, "a route",
                        "preset { route = ... } to say where it stands");
    }

    nudge_read_tests(c, L, index, "query", NUDGE_SOURCE_QUERY, &rule->query);

    for (i = 0; i < rule->query.n; i++) {
        t = &rule->query.elts[i];

        if (t->kind == NUDGE_TEST_ABSENT) {
            rule->forbid |= (uint64_t) 1 << t->bit;

        } else {
            rule->need |= (uint64_t) 1 << t->bit;
        }
    }

    nudge_read_strs(c, L, index, "body", &bodies);

    for (i = 0; i < bodies.n; i++) {
        if (nudge_str_is(&bodies.elts[i], "form")) {
            rule->kinds |= NUDGE_BODY_URLENCODED | NUDGE_BODY_MULTIPART;

        } else if (nudge_str_is(&bodies.elts[i], "json")) {
            rule->kinds |= NUDGE_BODY_JSON | NUDGE_BODY_TEXT;

        } else {
            lua_getfield(L, index, "body");
            nudge_read_fail_top(c, L, "body", "\"form\", \"json\" or both");
        }
    }

    rule->navigation = nudge_read_flag(c, L, index, "navigation", 0);
}


static void
nudge_compile_item(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule)
{
    nudge_uint_t     i;
    nudge_tests_t    form, json;
    nudge_sources_t  each;

    nudge_read_tests(c, L, index, "form", NUDGE_SOURCE_FORM, &form);
    nudge_read_tests(c, L, index, "json", NUDGE_SOURCE_JSON, &json);

    rule->tests.n = form.n + json.n;
    rule->tests.elts = nudge_read_alloc(c, L, rule->tests.n
                                              * sizeof(nudge_test_t));

    for (i = 0; i < rule->tests.n; i++) {
        rule->tests.elts[i] = i < form.n ? form.elts[i]
                                         : json.elts[i - form.n];
    }

    nudge_read_sources(c, L, index, "each", 0, &each);

    if (each.n) {
        rule->each = each.elts[0];
        rule->has_each = 1;

        if (each.n > 1 || (rule->each.kind != NUDGE_SOURCE_FORM
                           && rule->each.kind != NUDGE_SOURCE_JSON
                           && rule->each.kind != NUDGE_SOURCE_ANSWER))
        {
            nudge_read_fail(c, L, "each", NULL, "another source", "one of "
                            "\"form:name[*]\", \"form:name[]\", "
                            "\"json:list\" or \"answer:list\"");
        }
    }

    lua_getfield(L, index, "item");

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (!lua_istable(L, -1)) {
        nudge_read_fail_top(c, L, "item", "a table such as { id = "
                            "\"form:product\" }");
    }

    rule->item = 1;
    nudge_read_known(c, L, lua_gettop(L), "item", nudge_field_names);

    for (i = 0; i < NUDGE_FIELDS; i++) {
        nudge_read_sources(c, L, lua_gettop(L), nudge_field_names[i], 0,
                           &rule->fields[i]);
    }

    lua_pop(L, 1);

    if (rule->fields[NUDGE_FIELD_ID].n == 0
        && rule->fields[NUDGE_FIELD_KEY].n == 0
        && rule->fields[NUDGE_FIELD_SKU].n == 0)
    {
        nudge_read_fail(c, L, "item", NULL, "neither", "id, key or sku");
    }
}


static nudge_reading_t *
nudge_compile_cart(nudge_compiler_t *c, lua_State *L, int index)
{
    static const char *const  json[] = {
        "lines", "id", "parent", "key", "sku", "name", "url", "image",
        "category", "brand", "quantity", "price", "minor", "currency", NULL
    };
    static const char *const  html[] = {
        "html", "key", "id", "sku", "times", "link", "empty", NULL
    };

    int                 cart;
    nudge_uint_t        i;
    nudge_sources_t     lines;
    nudge_reading_t    *reading;
    nudge_conditions_t  empty;

    lua_getfield(L, index, "cart");

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return NULL;
    }

    if (!lua_istable(L, -1)) {
        nudge_read_fail_top(c, L, "cart",
                            "a table such as { lines = \"answer:items\" }");
    }

    cart = lua_gettop(L);
    reading = nudge_read_alloc(c, L, sizeof(nudge_reading_t));
    lua_getfield(L, cart, "html");
    reading->html = !lua_isnil(L, -1);
    lua_pop(L, 1);

    nudge_read_known(c, L, cart, "cart", reading->html ? html : json);
    nudge_read_sources(c, L, cart, reading->html ? "html" : "lines", 0,
                       &lines);

    if (lines.n != 1 || lines.elts[0].kind != NUDGE_SOURCE_ANSWER) {
        nudge_read_fail(c, L, reading->html ? "html" : "lines", NULL,
                        "another source", "one such as \"answer:items\"");
    }

    reading->lines = lines.elts[0];

    if (reading->html) {
        reading->key = nudge_read_str(c, L, cart, "key", 1);
        reading->id = nudge_read_str(c, L, cart, "id", 1);
        reading->sku = nudge_read_str(c, L, cart, "sku", 0);
        reading->times = nudge_read_str(c, L, cart, "times", 0);
        reading->link = nudge_read_str(c, L, cart, "link", 0);
        nudge_read_conditions(c, L, cart, "empty", &empty);

        if (empty.n > 1 || (empty.n && empty.elts[0].tests.n == 0)) {
            nudge_read_fail(c, L, "empty", NULL, "another condition",
                            "{ answer = { ... } }");
        }

        if (empty.n) {
            reading->empty = empty.elts[0].tests;
        }

    } else {
        for (i = 0; i < NUDGE_FIELDS; i++) {
            nudge_read_sources(c, L, cart, nudge_field_names[i], 1,
                               &reading->fields[i]);
        }

        if (reading->fields[NUDGE_FIELD_ID].n == 0
            && reading->fields[NUDGE_FIELD_SKU].n == 0)
        {
            nudge_read_fail(c, L, "cart", NULL, "neither", "id or sku");
        }
    }

    lua_pop(L, 1);

    return reading;
}


static nudge_envelope_t *
nudge_compile_envelope(nudge_compiler_t *c, lua_State *L, int index)
{
    static const char *const  names[] = {
        "requests", "responses", "path", "method", "body", "status", "answer",
        NULL
    };

    int                top;
    nudge_envelope_t  *e;

    lua_getfield(L, index, "envelope");

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return NULL;
    }

    if (!lua_istable(L, -1)) {
        nudge_read_fail_top(c, L, "envelope",
                            "a table such as { requests = \"requests\" }");
    }

    top = lua_gettop(L);
    nudge_read_known(c, L, top, "envelope", names);
    e = nudge_read_alloc(c, L, sizeof(nudge_envelope_t));

    e->requests = nudge_read_str(c, L, top, "requests", 1);
    e->responses = nudge_read_str(c, L, top, "responses", 1);
    e->path = nudge_read_str(c, L, top, "path", 1);
    e->method = nudge_read_str(c, L, top, "method", 1);
    e->body = nudge_read_str(c, L, top, "body", 1);
    e->status = nudge_read_str(c, L, top, "status", 1);
    e->answer = nudge_read_str(c, L, top, "answer", 1);

    c->uses |= 1 << NUDGE_SOURCE_JSON | 1 << NUDGE_SOURCE_ANSWER;
    lua_pop(L, 1);

    return e;
}


/* what follows from the rest, and what does not fit together */

static void
nudge_compile_flags(nudge_compiler_t *c, lua_State *L, int index,
    nudge_rule_t *rule)
{
    nudge_uint_t  cart;

    if ((c->uses & 1 << NUDGE_SOURCE_FORM)
        && !(rule->kinds & NUDGE_BODY_URLENCODED))
    {
        nudge_read_fail(c, L, "body", NULL, "nothing that is a form",
                        "\"form\", as a form's field is asked for");
    }

    if ((c->uses & 1 << NUDGE_SOURCE_JSON) && !(rule->kinds & NUDGE_BODY_JSON))
    {
        nudge_read_fail(c, L, "body", NULL, "nothing that is JSON",
                        "\"json\", as a JSON field is asked for");
    }

    if (c->uses & 1 << NUDGE_SOURCE_CLASS) {
        nudge_read_fail(c, L, NULL, "class:", "a source \"class:\"",
                        "it in the id of a page only");
    }

    if ((rule->action == NUDGE_ACTION_ENVELOPE) != (rule->envelope != NULL)) {
        nudge_read_fail(c, L, "envelope", NULL, "the event or the table alone",
                        "event = \"envelope\" and envelope = { ... }");
    }

    if ((rule->action == NUDGE_ACTION_ADD || rule->action == NUDGE_ACTION_SET)
        && !rule->item && rule->cart == NULL)
    {
        nudge_read_fail(c, L, "item", NULL, "nothing", "item or cart");
    }

    if (rule->action == NUDGE_ACTION_READ && rule->cart == NULL) {
        nudge_read_fail(c, L, "cart", NULL, "nothing", "a cart to read");
    }

    if (rule->has_each && !rule->item) {
        nudge_read_fail(c, L, "each", NULL, "a source",
                        "an item = { ... } to read from it");
    }

    cart = rule->action == NUDGE_ACTION_ADD
           || rule->action == NUDGE_ACTION_REMOVE
           || rule->action == NUDGE_ACTION_SET
           || rule->action == NUDGE_ACTION_ENVELOPE;

    rule->body = rule->kinds != 0;
    rule->answer = !!(c->uses & 1 << NUDGE_SOURCE_ANSWER);
    rule->order = nudge_read_flag(c, L, index, "attempt",
                                  rule->type == NUDGE_EVENT_PURCHASE);

    if (rule->order && rule->type != NUDGE_EVENT_PURCHASE) {
        nudge_read_fail(c, L, "attempt", NULL, "true",
                        "it with event = \"purchase\" only");
    }

    rule->change = nudge_read_flag(c, L, index, "change", cart
                                   || rule->type == NUDGE_EVENT_PURCHASE
                                   || rule->type == NUDGE_EVENT_IDENTIFY
                                   || rule->type == NUDGE_EVENT_LOGIN
                                   || rule->type == NUDGE_EVENT_LOGOUT
                                   || rule->type == NUDGE_EVENT_SIGN_UP
                                   || rule->type == NUDGE_EVENT_SUBSCRIBE);
}
