
/*
 * From a finished exchange to events: the candidates nudge_preset_match()
 * found are looked at again with bodies, status and cookies at hand, those in
 * an envelope one by one.
 *
 * Promise: no event without proof.  What cannot be read (cut off, not JSON, an
 * answer nobody knows) gives nothing, and an order that is neither done nor
 * refused stays open.
 */


#include "nudge_preset_private.h"


static nudge_int_t nudge_reader_init(nudge_reader_t *r,
    const nudge_preset_t *preset, const nudge_exchange_t *x, nudge_json_t *js,
    nudge_pool_t *pool);
static nudge_int_t nudge_reader_known(nudge_reader_t *r,
    const nudge_session_t *before);
static void nudge_rule_events(nudge_reader_t *r, const nudge_rule_t *rule);
static void nudge_rule_event(nudge_reader_t *r, const nudge_rule_t *rule);
static nudge_str_t nudge_rule_email(nudge_reader_t *r,
    const nudge_rule_t *rule);
static void nudge_envelope_events(nudge_reader_t *r,
    const nudge_rule_t *rule);
static void nudge_envelope_request(nudge_reader_t *r,
    const nudge_envelope_t *e, nudge_value_t *request,
    nudge_value_t *response);


static nudge_int_t
nudge_reader_init(nudge_reader_t *r, const nudge_preset_t *preset,
    const nudge_exchange_t *x, nudge_json_t *js, nudge_pool_t *pool)
{
    nudge_str_t  *query;

    memset(r, 0, sizeof(nudge_reader_t));

    r->preset = preset;
    r->x = x;
    r->js = js;
    r->pool = pool;
    r->method = x->method;
    r->path = x->path;
    r->args = x->args;
    r->status = x->status;
    r->number = -1;
    r->route = nudge_preset_route(preset, &x->path);

    if (r->route.len == 0 && preset->route_query.len && x->args.len) {
        if (nudge_form_urlencoded(pool, &x->args, &r->query) != NUDGE_OK) {
            return NUDGE_ERROR;
        }

        r->have_query = 1;
        query = nudge_form_get(&r->query, &preset->route_query);

        if (query != NULL) {
            r->route = *query;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_reader_known(nudge_reader_t *r, const nudge_session_t *before)
{
    nudge_cart_t  cart;

    if (before == NULL) {
        return NUDGE_OK;
    }

    if (nudge_session_cart(before, r->pool, &cart) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    r->known = cart.lines;
    r->nknown = cart.n > NUDGE_SESSION_LINES ? NUDGE_SESSION_LINES : cart.n;
    r->complete = before->snap.time != 0;

    return NUDGE_OK;
}


nudge_int_t
nudge_preset_events(const nudge_preset_t *preset, const nudge_match_t *match,
    const nudge_exchange_t *x, nudge_json_t *js, nudge_pool_t *pool,
    const nudge_session_t *before, nudge_event_t *events, nudge_uint_t max)
{
    nudge_uint_t         i;
    nudge_reader_t       r;
    nudge_exchange_t     unread;
    const nudge_rule_t  *rule;

    if (match->n == 0 || max == 0) {
        return 0;
    }

    if (match->payment) {

        /* whatever the caller copied of a payment page stays unseen */

        unread = *x;
        nudge_str_null(&unread.body);
        nudge_str_null(&unread.answer);
        x = &unread;
    }

    if (nudge_reader_init(&r, preset, x, js, pool) != NUDGE_OK
        || nudge_reader_known(&r, before) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    r.events = events;
    r.max = max;

    for (i = 0; i < match->n; i++) {
        rule = &preset->rules[match->rule[i]];

        if (!nudge_rule_applies(&r, rule)) {
            continue;
        }

        if (rule->envelope != NULL) {
            nudge_envelope_events(&r, rule);

        } else {
            nudge_rule_events(&r, rule);
        }
    }

    return r.failed ? NUDGE_ERROR : (nudge_int_t) r.nevents;
}


static void
nudge_rule_events(nudge_reader_t *r, const nudge_rule_t *rule)
{
    nudge_uint_t  failed;

    /* two rules of one preset may see the same change: the first counts */

    if (r->made & (uint64_t) 1 << rule->type) {
        return;
    }

    failed = nudge_conditions_hold(r, &rule->failed);

    if (failed) {
        if (rule->order) {
            (void) nudge_reader_event(r, rule, NUDGE_EVENT_ORDER_FAILED);
        }

        return;
    }

    if (rule->success.n == 0 ? (r->status < 200 || r->status > 399)
                             : !nudge_conditions_hold(r, &rule->success))
    {
        return;
    }

    if (rule->action == NUDGE_ACTION_EVENT) {
        nudge_rule_event(r, rule);
    }

    if (rule->action != NUDGE_ACTION_EVENT || rule->cart != NULL) {
        nudge_rule_cart_events(r, rule);
    }
}


static void
nudge_rule_event(nudge_reader_t *r, const nudge_rule_t *rule)
{
    nudge_str_t             email, order, text;
    nudge_uint_t            i;
    nudge_item_t           *items;
    nudge_event_t          *ev;
    const nudge_sources_t  *v;

    v = rule->values;
    email = nudge_rule_email(r, rule);
    order = nudge_sources_id(r, &v[NUDGE_VALUE_ORDER], 128);
    text = nudge_utf8_cut(nudge_sources_text(r, &v[NUDGE_VALUE_TEXT]), 256);

    /* an address is all there is to the first two, an order's number to the
     * third: without it nobody could tell a second report from a second order
     */

    if ((rule->type == NUDGE_EVENT_IDENTIFY
         || rule->type == NUDGE_EVENT_SUBSCRIBE) && email.len == 0)
    {
        return;
    }

    if (rule->type == NUDGE_EVENT_PURCHASE && order.len == 0
        && v[NUDGE_VALUE_ORDER].n)
    {
        return;
    }

    ev = nudge_reader_event(r, rule, rule->type);

    if (ev == NULL) {
        return;
    }

    ev->email = email;
    ev->order = order;
    ev->text = text;
    ev->method = nudge_utf8_cut(nudge_sources_text(r, &v[NUDGE_VALUE_METHOD]),
                                64);
    ev->value = nudge_sources_money(r, &v[NUDGE_VALUE_VALUE],
                                    &v[NUDGE_VALUE_MINOR]);
    ev->currency = nudge_sources_currency(r, &v[NUDGE_VALUE_CURRENCY]);

    if (!rule->item) {
        return;
    }

    items = nudge_palloc(r->pool, NUDGE_PRESET_ITEMS * sizeof(nudge_item_t));

    if (items == NULL) {
        r->failed = 1;
        return;
    }

    ev->items = items;
    ev->nitems = nudge_rule_items(r, rule, items);

    for (i = 0; i < ev->nitems; i++) {
        if (items[i].quantity < 0) {
            items[i].quantity = 1;
        }
    }
}


static nudge_str_t
nudge_rule_email(nudge_reader_t *r, const nudge_rule_t *rule)
{
    nudge_str_t             email;
    nudge_uint_t            i;
    const nudge_sources_t  *s;

    s = &rule->values[NUDGE_VALUE_EMAIL];

    for (i = 0; i < s->n; i++) {
        email = nudge_str_trim(nudge_source_text(r, &s->elts[i]));

        if (nudge_email_valid(&email)) {
            return email;
        }
    }

    nudge_str_null(&email);

    return email;
}


static void
nudge_envelope_events(nudge_reader_t *r, const nudge_rule_t *rule)
{
    nudge_str_t     args;
    nudge_uint_t    i;
    nudge_value_t  *requests, *responses, *request, *response;
    nudge_source_t  source;
    nudge_reader_t  outer;

    memset(&source, 0, sizeof(nudge_source_t));
    source.kind = NUDGE_SOURCE_JSON;
    source.name = rule->envelope->requests;
    requests = nudge_source_value(r, &source);
    source.kind = NUDGE_SOURCE_ANSWER;
    source.name = rule->envelope->responses;
    responses = nudge_source_value(r, &source);

    if (requests == NULL || responses == NULL) {
        return;
    }

    outer = *r;
    request = requests->child;
    response = responses->child;
    nudge_str_null(&args);

    for (i = 0; request && response && i < NUDGE_PRESET_BATCH; i++) {
        r->args = args;
        nudge_envelope_request(r, rule->envelope, request, response);
        request = request->next;
        response = response->next;
    }

    /* what was learned of the cart and what was said of it stay */

    outer.known = r->known;
    outer.nknown = r->nknown;
    outer.complete = r->complete;
    outer.nevents = r->nevents;
    outer.failed = r->failed;
    *r = outer;
}


static void
nudge_envelope_request(nudge_reader_t *r, const nudge_envelope_t *e,
    nudge_value_t *request, nudge_value_t *response)
{
    u_char               *p;
    int64_t               status;
    nudge_str_t           path;
    nudge_uint_t          i;
    const nudge_rule_t   *rule;

    r->inner = 1;
    r->made = 0;
    r->have_query = 0;
    r->method = nudge_value_str(nudge_value_path(request, &e->method));

    if (r->method.len == 0) {
        nudge_str_set(&r->method, "POST");
    }

    r->json = nudge_value_path(request, &e->body);
    r->answer = nudge_value_path(response, &e->answer);
    status = nudge_value_int(nudge_value_path(response, &e->status), 0);
    r->status = status > 0 && status < 1000 ? (nudge_uint_t) status : 0;
    path = nudge_value_str(nudge_value_path(request, &e->path));

    p = path.len ? memchr(path.data, '?', path.len) : NULL;

    if (p != NULL) {
        r->args.data = p + 1;
        r->args.len = path.data + path.len - r->args.data;
        path.len = p - path.data;
    }

    r->path = path;
    r->route = path;

    for (i = 0; i < r->preset->nrules; i++) {
        rule = &r->preset->rules[i];

        if (nudge_rule_applies(r, rule)) {
            nudge_rule_events(r, rule);
        }
    }
}


nudge_str_t
nudge_preset_order_email(const nudge_preset_t *preset,
    const nudge_match_t *match, const nudge_exchange_t *x, nudge_json_t *js,
    nudge_pool_t *pool)
{
    nudge_str_t          email;
    nudge_uint_t         i;
    nudge_reader_t       r;
    const nudge_rule_t  *rule;

    nudge_str_null(&email);

    if (!match->order || match->payment
        || nudge_reader_init(&r, preset, x, js, pool) != NUDGE_OK)
    {
        return email;
    }

    for (i = 0; i < match->n && email.len == 0; i++) {
        rule = &preset->rules[match->rule[i]];

        if (rule->order && nudge_rule_applies(&r, rule)) {
            email = nudge_rule_email(&r, rule);
        }
    }

    return email;
}


nudge_uint_t
nudge_email_valid(const nudge_str_t *email)
{
    u_char  *p, *at, *end, *label;
    size_t   dots;

    if (email->len < 3 || email->len > 254) {
        return 0;
    }

    p = email->data;
    end = p + email->len;
    at = memchr(p, '@', email->len);

    /* RFC 5321, section 4.5.3.1.1: a local part has at most 64 octets */

    if (at == NULL || at == p || at - p > 64 || *p == '.' || at[-1] == '.') {
        return 0;
    }

    for (p = email->data; p < at; p++) {
        if (*p <= ' ' || *p >= 0x7f || strchr("\"(),:;<>[\\]", *p) != NULL
            || (*p == '.' && p[1] == '.'))
        {
            return 0;
        }
    }

    dots = 0;
    label = at + 1;

    for (p = at + 1; p <= end; p++) {

        if (p == end || *p == '.') {
            if (p == label || p - label > 63 || *label == '-'
                || p[-1] == '-')
            {
                return 0;
            }

            dots += p != end;
            label = p + 1;
            continue;
        }

        /* an internationalised domain may come as it was typed */

        if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
            && !(*p >= '0' && *p <= '9') && *p != '-' && *p < 0x80)
        {
            return 0;
        }
    }

    return dots > 0 && nudge_utf8_valid(email);
}
