
/*
 * Events and items as JSON, and what is known of each kind of event.  The
 * encoder writes members in a fixed order, so that a journal reads well; the
 * decoder takes them in any order and tolerates members it does not know,
 * which a later version may have added.
 */


#include "nudge_event.h"


typedef struct {
    const char         *name;
    size_t              offset;
} nudge_member_t;


static nudge_uint_t nudge_event_in(nudge_event_type_t type,
    const nudge_event_type_t *list);
static void nudge_event_name_member(nudge_buf_t *b, const char *name);
static void nudge_event_put_str(nudge_buf_t *b, const char *name,
    const nudge_str_t *s);
static void nudge_event_put_money(nudge_buf_t *b, const char *name,
    nudge_money_t m);
static void nudge_event_put_int(nudge_buf_t *b, const char *name, int64_t n);
static void nudge_event_put_true(nudge_buf_t *b, const char *name,
    nudge_uint_t on);
static void nudge_event_put_items(nudge_buf_t *b, const char *name,
    const nudge_item_t *items, nudge_uint_t n);
static nudge_int_t nudge_event_decode_id(const nudge_str_t *id,
    nudge_event_t *ev);
static nudge_int_t nudge_event_items(const nudge_value_t *v,
    nudge_pool_t *pool, nudge_item_t **items, nudge_uint_t *n);


const char  *nudge_event_names[NUDGE_EVENT_MAX] = {
    "none",
    "page_view",
    "view_item",
    "view_item_list",
    "search",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "order_attempt",
    "purchase",
    "order_failed",
    "refund",
    "identify",
    "login",
    "logout",
    "sign_up",
    "subscribe",
    "unsubscribe",
    "consent",
    "add_to_wishlist",
    "stock_request",
    "stock_change",
    "price_change",
    "coupon_apply",
    "exit_intent",
    "offer_view",
    "offer_click",
    "offer_close",
    "survey_answer",
    "message_click",
    "message_open",
    "gap"
};


static const nudge_event_type_t  nudge_event_triggers[] = {
    NUDGE_EVENT_ADD_TO_CART,
    NUDGE_EVENT_REMOVE_FROM_CART,
    NUDGE_EVENT_BEGIN_CHECKOUT,
    NUDGE_EVENT_ORDER_ATTEMPT,
    NUDGE_EVENT_PURCHASE,
    NUDGE_EVENT_ORDER_FAILED,
    NUDGE_EVENT_REFUND,
    NUDGE_EVENT_IDENTIFY,
    NUDGE_EVENT_LOGIN,
    NUDGE_EVENT_LOGOUT,
    NUDGE_EVENT_SIGN_UP,
    NUDGE_EVENT_SUBSCRIBE,
    NUDGE_EVENT_UNSUBSCRIBE,
    NUDGE_EVENT_CONSENT,
    NUDGE_EVENT_STOCK_REQUEST,
    NUDGE_EVENT_GAP,
    NUDGE_EVENT_NONE
};


/* a gap tells that events were lost: it must not be lost itself */

static const nudge_event_type_t  nudge_event_vital[] = {
    NUDGE_EVENT_ORDER_ATTEMPT,
    NUDGE_EVENT_PURCHASE,
    NUDGE_EVENT_ORDER_FAILED,
    NUDGE_EVENT_REFUND,
    NUDGE_EVENT_SUBSCRIBE,
    NUDGE_EVENT_UNSUBSCRIBE,
    NUDGE_EVENT_CONSENT,
    NUDGE_EVENT_GAP,
    NUDGE_EVENT_NONE
};


static const nudge_member_t  nudge_event_members[] = {
    { "shop", offsetof(nudge_event_t, shop) },
    { "visitor", offsetof(nudge_event_t, visitor) },
    { "contact", offsetof(nudge_event_t, contact) },
    { "email", offsetof(nudge_event_t, email) },
    { "url", offsetof(nudge_event_t, url) },
    { "page", offsetof(nudge_event_t, page) },
    { "order", offsetof(nudge_event_t, order) },
    { "attempt", offsetof(nudge_event_t, attempt) },
    { "offer", offsetof(nudge_event_t, offer) },
    { "claim", offsetof(nudge_event_t, claim) },
    { "method", offsetof(nudge_event_t, method) },
    { "reason", offsetof(nudge_event_t, reason) },
    { "text", offsetof(nudge_event_t, text) },
    { "rule", offsetof(nudge_event_t, rule) },
    { NULL, 0 }
};


static const nudge_member_t  nudge_item_members[] = {
    { "id", offsetof(nudge_item_t, id) },
    { "parent", offsetof(nudge_item_t, parent) },
    { "key", offsetof(nudge_item_t, key) },
    { "sku", offsetof(nudge_item_t, sku) },
    { "name", offsetof(nudge_item_t, name) },
    { "url", offsetof(nudge_item_t, url) },
    { "image", offsetof(nudge_item_t, image) },
    { "category", offsetof(nudge_item_t, category) },
    { "brand", offsetof(nudge_item_t, brand) },
    { NULL, 0 }
};


static const char  *nudge_stock_names[] = { "", "in", "out", "preorder" };


const char *
nudge_event_name(nudge_event_type_t type)
{
    if ((nudge_uint_t) type >= NUDGE_EVENT_MAX) {
        return nudge_event_names[NUDGE_EVENT_NONE];
    }

    return nudge_event_names[type];
}


nudge_event_type_t
nudge_event_type(const nudge_str_t *name)
{
    nudge_uint_t  i;

    for (i = NUDGE_EVENT_NONE + 1; i < NUDGE_EVENT_MAX; i++) {
        if (nudge_str_is(name, nudge_event_names[i])) {
            return (nudge_event_type_t) i;
        }
    }

    return NUDGE_EVENT_NONE;
}


static nudge_uint_t
nudge_event_in(nudge_event_type_t type, const nudge_event_type_t *list)
{
    for ( /* void */ ; *list != NUDGE_EVENT_NONE; list++) {
        if (*list == type) {
            return 1;
        }
    }

    return 0;
}


nudge_uint_t
nudge_event_is_trigger(nudge_event_type_t type)
{
    return nudge_event_in(type, nudge_event_triggers);
}


nudge_uint_t
nudge_event_is_vital(nudge_event_type_t type)
{
    return nudge_event_in(type, nudge_event_vital);
}


void
nudge_event_init(nudge_event_t *ev, nudge_event_type_t type)
{
    memset(ev, 0, sizeof(nudge_event_t));

    ev->type = type;
    ev->value = NUDGE_MONEY_NONE;
}


void
nudge_item_init(nudge_item_t *item)
{
    memset(item, 0, sizeof(nudge_item_t));

    item->price = NUDGE_MONEY_NONE;
}


/* names are ours and need no escaping; the comma goes with all but the first */

static void
nudge_event_name_member(nudge_buf_t *b, const char *name)
{
    if (b->pos > b->start && b->pos[-1] != '{') {
        nudge_buf_char(b, ',');
    }

    nudge_buf_char(b, '"');
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "\":");
}


static void
nudge_event_put_str(nudge_buf_t *b, const char *name, const nudge_str_t *s)
{
    if (s->len) {
        nudge_event_name_member(b, name);
        nudge_buf_json(b, s);
    }
}


static void
nudge_event_put_money(nudge_buf_t *b, const char *name, nudge_money_t m)
{
    if (m != NUDGE_MONEY_NONE) {
        nudge_event_name_member(b, name);
        nudge_buf_money(b, m);
    }
}


static void
nudge_event_put_int(nudge_buf_t *b, const char *name, int64_t n)
{
    if (n) {
        nudge_event_name_member(b, name);
        nudge_buf_int(b, n);
    }
}


static void
nudge_event_put_true(nudge_buf_t *b, const char *name, nudge_uint_t on)
{
    if (on) {
        nudge_event_name_member(b, name);
        nudge_buf_cstr(b, "true");
    }
}


static void
nudge_event_put_items(nudge_buf_t *b, const char *name,
    const nudge_item_t *items, nudge_uint_t n)
{
    nudge_uint_t  i;

    if (n == 0) {
        return;
    }

    nudge_event_name_member(b, name);
    nudge_buf_char(b, '[');

    for (i = 0; i < n; i++) {
        if (i) {
            nudge_buf_char(b, ',');
        }

        nudge_item_encode(b, &items[i]);
    }

    nudge_buf_char(b, ']');
}


void
nudge_item_encode(nudge_buf_t *b, const nudge_item_t *item)
{
    const nudge_member_t  *m;

    nudge_buf_char(b, '{');

    for (m = nudge_item_members; m->name; m++) {
        nudge_event_put_str(b, m->name,
                            (nudge_str_t *) ((u_char *) item + m->offset));
    }

    nudge_event_put_money(b, "price", item->price);
    nudge_event_put_str(b, "currency", &item->currency);

    if (item->stock > NUDGE_STOCK_UNKNOWN
        && item->stock <= NUDGE_STOCK_PREORDER)
    {
        nudge_event_name_member(b, "stock");
        nudge_buf_char(b, '"');
        nudge_buf_cstr(b, nudge_stock_names[item->stock]);
        nudge_buf_char(b, '"');
    }

    nudge_event_put_int(b, "quantity", item->quantity);
    nudge_buf_char(b, '}');
}


void
nudge_item_decode(const nudge_value_t *v, nudge_item_t *item)
{
    nudge_str_t            stock;
    nudge_uint_t           i;
    const nudge_member_t  *m;

    nudge_item_init(item);

    for (m = nudge_item_members; m->name; m++) {
        *(nudge_str_t *) ((u_char *) item + m->offset) =
                                  nudge_value_str(nudge_value_get(v, m->name));
    }

    item->price = nudge_value_money(nudge_value_get(v, "price"));
    item->currency = nudge_value_str(nudge_value_get(v, "currency"));
    item->quantity = nudge_value_int(nudge_value_get(v, "quantity"), 0);

    stock = nudge_value_str(nudge_value_get(v, "stock"));

    for (i = NUDGE_STOCK_IN; i <= NUDGE_STOCK_PREORDER; i++) {
        if (nudge_str_is(&stock, nudge_stock_names[i])) {
            item->stock = (nudge_stock_t) i;
        }
    }
}


void
nudge_event_encode_id(nudge_buf_t *b, const nudge_event_t *ev)
{
    nudge_uint_t  digits;

    for (digits = 1; digits < 16 && ev->seq >> (4 * digits); digits++) {
        /* void */
    }

    nudge_buf_hex(b, ev->nonce, 16);
    nudge_buf_char(b, '-');
    nudge_buf_hex(b, ev->seq, digits);
}


void
nudge_event_encode(nudge_buf_t *b, const nudge_event_t *ev)
{
    const nudge_member_t  *m;

    nudge_buf_cstr(b, "{\"v\":");
    nudge_buf_int(b, NUDGE_EVENT_VERSION);
    nudge_buf_cstr(b, ",\"id\":\"");
    nudge_event_encode_id(b, ev);
    nudge_buf_cstr(b, "\",\"e\":\"");
    nudge_buf_cstr(b, nudge_event_name(ev->type));
    nudge_buf_cstr(b, "\",\"t\":");
    nudge_buf_int(b, ev->time);

    for (m = nudge_event_members; m->name; m++) {
        nudge_event_put_str(b, m->name,
                            (nudge_str_t *) ((u_char *) ev + m->offset));
    }

    nudge_event_put_money(b, "value", ev->value);
    nudge_event_put_str(b, "currency", &ev->currency);
    nudge_event_put_items(b, "items", ev->items, ev->nitems);
    nudge_event_put_items(b, "cart", ev->cart, ev->ncart);
    nudge_event_put_true(b, "snapshot", ev->snapshot);
    nudge_event_put_true(b, "tentative", ev->tentative);
    nudge_event_put_true(b, "bot", ev->bot);
    nudge_event_put_true(b, "joinable", ev->joinable);
    nudge_event_put_int(b, "from", ev->from);
    nudge_event_put_int(b, "to", ev->to);

    nudge_buf_char(b, '}');
}


static nudge_int_t
nudge_event_hex(const u_char *p, size_t n, uint64_t *value)
{
    size_t  i;

    *value = 0;

    for (i = 0; i < n; i++) {
        if (p[i] >= '0' && p[i] <= '9') {
            *value = (*value << 4) | (uint64_t) (p[i] - '0');

        } else if (p[i] >= 'a' && p[i] <= 'f') {
            *value = (*value << 4) | (uint64_t) (p[i] - 'a' + 10);

        } else {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_event_decode_id(const nudge_str_t *id, nudge_event_t *ev)
{
    if (id->len < 18 || id->len > 33 || id->data[16] != '-') {
        return NUDGE_ERROR;
    }

    if (nudge_event_hex(id->data, 16, &ev->nonce) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return nudge_event_hex(id->data + 17, id->len - 17, &ev->seq);
}


static nudge_int_t
nudge_event_items(const nudge_value_t *v, nudge_pool_t *pool,
    nudge_item_t **items, nudge_uint_t *n)
{
    nudge_item_t   *item;
    nudge_value_t  *child;

    if (v == NULL || v->type != NUDGE_JSON_ARRAY || v->count == 0) {
        return NUDGE_OK;
    }

    item = nudge_palloc(pool, v->count * sizeof(nudge_item_t));
    if (item == NULL) {
        return NUDGE_ERROR;
    }

    *items = item;

    for (child = v->child; child; child = child->next) {
        if (child->type == NUDGE_JSON_OBJECT) {
            nudge_item_decode(child, item++);
        }
    }

    *n = item - *items;

    return NUDGE_OK;
}


nudge_int_t
nudge_event_decode(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *text, nudge_event_t *ev)
{
    int64_t                version;
    nudge_str_t            id, name;
    nudge_value_t         *v;
    const nudge_member_t  *m;

    nudge_event_init(ev, NUDGE_EVENT_NONE);

    v = nudge_json_decode(js, pool, text, NULL);

    version = nudge_value_int(nudge_value_get(v, "v"), 0);
    name = nudge_value_str(nudge_value_get(v, "e"));

    if (version < 1 || name.len == 0) {
        return NUDGE_ERROR;
    }

    if (version > NUDGE_EVENT_VERSION) {
        return NUDGE_DECLINED;
    }

    id = nudge_value_str(nudge_value_get(v, "id"));
    ev->time = nudge_value_int(nudge_value_get(v, "t"), -1);

    if (nudge_event_decode_id(&id, ev) != NUDGE_OK || ev->time < 0) {
        return NUDGE_ERROR;
    }

    ev->type = nudge_event_type(&name);

    if (ev->type == NUDGE_EVENT_NONE) {
        return NUDGE_DECLINED;
    }

    for (m = nudge_event_members; m->name; m++) {
        *(nudge_str_t *) ((u_char *) ev + m->offset) =
                                  nudge_value_str(nudge_value_get(v, m->name));
    }

    ev->value = nudge_value_money(nudge_value_get(v, "value"));
    ev->currency = nudge_value_str(nudge_value_get(v, "currency"));
    ev->snapshot = nudge_value_true(nudge_value_get(v, "snapshot"));
    ev->tentative = nudge_value_true(nudge_value_get(v, "tentative"));
    ev->bot = nudge_value_true(nudge_value_get(v, "bot"));
    ev->joinable = nudge_value_true(nudge_value_get(v, "joinable"));
    ev->from = nudge_value_int(nudge_value_get(v, "from"), 0);
    ev->to = nudge_value_int(nudge_value_get(v, "to"), 0);

    if (nudge_event_items(nudge_value_get(v, "items"), pool, &ev->items,
                          &ev->nitems)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return nudge_event_items(nudge_value_get(v, "cart"), pool, &ev->cart,
                             &ev->ncart);
}
