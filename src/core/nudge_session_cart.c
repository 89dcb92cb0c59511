
/*
 * The cart of a session: what the store said last (the snapshot) and what
 * changed since (the deltas).  The cart as it stands is a pure function of
 * the two, deltas taken in the order of their stamps, so whoever holds the
 * same state sees the same cart.  Folding old deltas into a snapshot happens
 * only where an event is applied, never in the join: it then is a change like
 * any other, and what it covers is covered everywhere.
 */


#include "nudge_session_private.h"


static size_t nudge_session_cost(const nudge_str_t *s);
static nudge_int_t nudge_session_utf8(nudge_pool_t *pool, nudge_str_t *s);
static nudge_int_t nudge_session_name(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src);
static void nudge_session_item_fit(nudge_item_t *item);
static nudge_item_t *nudge_session_line(nudge_item_t *lines, nudge_uint_t n,
    const nudge_item_t *item);
static void nudge_session_fill(nudge_item_t *line, const nudge_item_t *item);
static nudge_uint_t nudge_cart_holds(const nudge_cart_t *cart,
    const nudge_item_t *item);


int64_t
nudge_session_time(int64_t t)
{
    if (t < 0) {
        return 0;
    }

    return nudge_min(t, NUDGE_SESSION_TIME);
}


/*
 * An upper bound of what nudge_buf_json() makes of a well-formed string: six
 * bytes for what it escapes, U+2028, U+2029 and U+FFFD among it.
 */

static size_t
nudge_session_cost(const nudge_str_t *s)
{
    u_char  c;
    size_t  i, n;

    n = s->len;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>'
            || c == '&' || c == 0x7f)
        {
            n += 5;

        } else if (c == 0xe2 || c == 0xef) {
            n += 3;
        }
    }

    return n;
}


/* each byte that belongs to no character becomes U+FFFD */

static nudge_int_t
nudge_session_utf8(nudge_pool_t *pool, nudge_str_t *s)
{
    u_char  *p, *end, *out;

    if (nudge_utf8_valid(s)) {
        return NUDGE_OK;
    }

    out = nudge_palloc(pool, 3 * s->len + 1);
    if (out == NULL) {
        return NUDGE_ERROR;
    }

    p = s->data;
    end = p + s->len;
    s->data = out;

    while (p < end) {
        out += nudge_utf8_encode(out, nudge_utf8_decode(&p, end));
    }

    s->len = out - s->data;

    return NUDGE_OK;
}


nudge_int_t
nudge_session_text(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src, size_t max)
{
    nudge_str_t  s;

    nudge_str_null(dst);

    if (src->len == 0 || src->len > max) {
        return NUDGE_OK;
    }

    s = *src;

    if (nudge_session_utf8(pool, &s) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    if (nudge_session_cost(&s) > max) {
        return NUDGE_OK;
    }

    return nudge_pstrdup(pool, dst, &s);
}


/* part of a name is better than none; 40 bytes fit whatever they are */

static nudge_int_t
nudge_session_name(nudge_pool_t *pool, nudge_str_t *dst,
    const nudge_str_t *src)
{
    nudge_str_t  s;

    nudge_str_null(dst);

    if (src->len == 0) {
        return NUDGE_OK;
    }

    s = nudge_utf8_cut(*src, NUDGE_SESSION_NAME);

    if (nudge_session_utf8(pool, &s) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    s = nudge_utf8_cut(s, NUDGE_SESSION_NAME);

    if (nudge_session_cost(&s) > NUDGE_SESSION_URL) {
        s = nudge_utf8_cut(s, 40);
    }

    return nudge_pstrdup(pool, dst, &s);
}


/* the names, quotes and numbers of an item take less than 136 bytes */

size_t
nudge_session_item_cost(const nudge_item_t *item)
{
    return 136 + nudge_session_cost(&item->id)
           + nudge_session_cost(&item->parent)
           + nudge_session_cost(&item->key)
           + nudge_session_cost(&item->name)
           + nudge_session_cost(&item->url)
           + nudge_session_cost(&item->image)
           + nudge_session_cost(&item->currency);
}


/* id and key always fit */

static void
nudge_session_item_fit(nudge_item_t *item)
{
    if (nudge_session_item_cost(item) <= NUDGE_SESSION_ITEM) {
        return;
    }

    nudge_str_null(&item->image);

    if (nudge_session_item_cost(item) <= NUDGE_SESSION_ITEM) {
        return;
    }

    nudge_str_null(&item->url);

    if (nudge_session_item_cost(item) <= NUDGE_SESSION_ITEM) {
        return;
    }

    nudge_str_null(&item->name);
}


nudge_int_t
nudge_session_item(nudge_pool_t *pool, nudge_item_t *dst,
    const nudge_item_t *src)
{
    memset(dst, 0, sizeof(nudge_item_t));

    if (nudge_session_text(pool, &dst->id, &src->id, NUDGE_SESSION_ID)
        != NUDGE_OK
        || nudge_session_text(pool, &dst->parent, &src->parent,
                              NUDGE_SESSION_ID)
           != NUDGE_OK
        || nudge_session_text(pool, &dst->key, &src->key, NUDGE_SESSION_ID)
           != NUDGE_OK
        || nudge_session_name(pool, &dst->name, &src->name) != NUDGE_OK
        || nudge_session_text(pool, &dst->url, &src->url, NUDGE_SESSION_URL)
           != NUDGE_OK
        || nudge_session_text(pool, &dst->image, &src->image,
                              NUDGE_SESSION_URL)
           != NUDGE_OK
        || nudge_session_text(pool, &dst->currency, &src->currency, 8)
           != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (dst->id.len == 0 && dst->key.len == 0) {
        return NUDGE_DECLINED;
    }

    dst->price = src->price;

    if (dst->price < -NUDGE_SESSION_PRICE || dst->price > NUDGE_SESSION_PRICE)
    {
        dst->price = NUDGE_MONEY_NONE;
    }

    dst->quantity = nudge_max(src->quantity, -NUDGE_SESSION_QUANTITY);
    dst->quantity = nudge_min(dst->quantity, NUDGE_SESSION_QUANTITY);

    nudge_session_item_fit(dst);

    return NUDGE_OK;
}


/*
 * By key; a line added before the store told its key, by id.  Stores that
 * never tell keys have one line for each id.
 */

static nudge_item_t *
nudge_session_line(nudge_item_t *lines, nudge_uint_t n,
    const nudge_item_t *item)
{
    nudge_uint_t  i;

    if (item->key.len) {
        for (i = 0; i < n; i++) {
            if (nudge_str_eq(&lines[i].key, &item->key)) {
                return &lines[i];
            }
        }
    }

    if (item->id.len == 0) {
        return NULL;
    }

    for (i = 0; i < n; i++) {
        if (nudge_str_eq(&lines[i].id, &item->id)
            && (item->key.len == 0 || lines[i].key.len == 0))
        {
            return &lines[i];
        }
    }

    return NULL;
}


/* the newer description wins where it says anything */

static void
nudge_session_fill(nudge_item_t *line, const nudge_item_t *item)
{
    if (line->id.len == 0) {
        line->id = item->id;
    }

    if (line->key.len == 0) {
        line->key = item->key;
    }

    if (item->parent.len) {
        line->parent = item->parent;
    }

    if (item->name.len) {
        line->name = item->name;
    }

    if (item->url.len) {
        line->url = item->url;
    }

    if (item->image.len) {
        line->image = item->image;
    }

    if (item->price != NUDGE_MONEY_NONE) {
        line->price = item->price;
    }

    if (item->currency.len) {
        line->currency = item->currency;
    }

    nudge_session_item_fit(line);
}


void
nudge_session_fold(nudge_item_t *lines, nudge_uint_t *n,
    const nudge_delta_t *delta)
{
    int64_t        quantity;
    nudge_uint_t   i;
    nudge_item_t  *line;

    if (delta->kind == NUDGE_DELTA_CLEAR) {
        *n = 0;
        return;
    }

    line = nudge_session_line(lines, *n, &delta->item);
    quantity = delta->item.quantity;

    if (line == NULL) {
        if (quantity > 0 && *n < NUDGE_SESSION_LINES) {
            lines[(*n)++] = delta->item;
        }

        return;
    }

    if (delta->kind == NUDGE_DELTA_ADD) {
        quantity += line->quantity;
    }

    if (quantity <= 0) {
        i = line - lines;
        (*n)--;
        memmove(line, line + 1, (*n - i) * sizeof(nudge_item_t));
        return;
    }

    nudge_session_fill(line, &delta->item);
    line->quantity = nudge_min(quantity, NUDGE_SESSION_QUANTITY);
}


/* pictures go first, from the end, then pages, names, and lines at last */

void
nudge_session_fit(nudge_item_t *lines, nudge_uint_t *n)
{
    size_t        size;
    nudge_str_t  *s;
    nudge_uint_t  i, pass;

    size = 0;

    for (i = 0; i < *n; i++) {
        size += nudge_session_item_cost(&lines[i]);
    }

    for (pass = 0; pass < 3; pass++) {
        for (i = *n; i > 0 && size > NUDGE_SESSION_CART; i--) {
            s = (pass == 0) ? &lines[i - 1].image
                : (pass == 1) ? &lines[i - 1].url : &lines[i - 1].name;

            size -= nudge_session_cost(s);
            nudge_str_null(s);
        }
    }

    while (*n && size > NUDGE_SESSION_CART) {
        (*n)--;
        size -= nudge_session_item_cost(&lines[*n]);
    }
}


nudge_int_t
nudge_session_snapshot(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_stamp_t *stamp, const nudge_item_t *items, nudge_uint_t n)
{
    nudge_int_t    rc;
    nudge_uint_t   i, j, k;
    nudge_cart_t   before;
    nudge_item_t  *lines, *known, item;

    if (nudge_stamp_cmp(stamp, &s->snap) < 0) {
        return NUDGE_OK;
    }

    if (nudge_session_cart(s, pool, &before) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    lines = NULL;
    k = 0;

    if (n) {
        lines = nudge_palloc(pool, NUDGE_SESSION_LINES * sizeof(nudge_item_t));
        if (lines == NULL) {
            return NUDGE_ERROR;
        }
    }

    for (i = 0; i < n && k < NUDGE_SESSION_LINES; i++) {
        rc = nudge_session_item(pool, &item, &items[i]);

        if (rc == NUDGE_ERROR) {
            return NUDGE_ERROR;
        }

        if (rc == NUDGE_DECLINED || item.quantity <= 0) {
            continue;
        }

        for (j = 0; j < k; j++) {
            if (nudge_str_eq(&lines[j].id, &item.id)
                && nudge_str_eq(&lines[j].key, &item.key))
            {
                break;
            }
        }

        if (j < k) {
            lines[j].quantity = nudge_min(lines[j].quantity + item.quantity,
                                          NUDGE_SESSION_QUANTITY);
            continue;
        }

        /* a store's answer may say less of a line than the page did */

        lines[k] = item;
        known = nudge_session_line(before.lines, before.n, &item);

        if (known) {
            lines[k] = *known;
            lines[k].id = item.id;
            lines[k].key = item.key;
            lines[k].quantity = item.quantity;
            nudge_session_fill(&lines[k], &item);
        }

        k++;
    }

    nudge_session_fit(lines, &k);

    s->lines = lines;
    s->nlines = k;
    s->snap = *stamp;

    for (i = 0; i < s->ndeltas; i++) {
        if (nudge_stamp_cmp(&s->deltas[i].stamp, stamp) > 0) {
            break;
        }
    }

    if (i) {
        s->deltas += i;
        s->ndeltas -= i;
    }

    return NUDGE_OK;
}


nudge_int_t
nudge_session_deltas(nudge_session_t *s, nudge_pool_t *pool,
    const nudge_delta_t *deltas, nudge_uint_t n)
{
    nudge_uint_t    i, k, m;
    nudge_stamp_t   last;
    nudge_item_t   *lines;
    nudge_delta_t  *all;

    if (n == 0 || nudge_stamp_cmp(&deltas[0].stamp, &s->snap) <= 0) {
        return NUDGE_OK;
    }

    m = s->ndeltas + n;

    all = nudge_palloc(pool, m * sizeof(nudge_delta_t));
    if (all == NULL) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < s->ndeltas; i++) {
        if (nudge_delta_cmp(&s->deltas[i], &deltas[0]) > 0) {
            break;
        }

        all[i] = s->deltas[i];
    }

    memcpy(&all[i], deltas, n * sizeof(nudge_delta_t));

    for ( /* void */ ; i < s->ndeltas; i++) {
        all[i + n] = s->deltas[i];
    }

    if (m <= NUDGE_SESSION_FOLD) {
        s->deltas = all;
        s->ndeltas = m;
        return NUDGE_OK;
    }

    lines = nudge_palloc(pool, NUDGE_SESSION_LINES * sizeof(nudge_item_t));
    if (lines == NULL) {
        return NUDGE_ERROR;
    }

    k = s->nlines;

    if (k) {
        memcpy(lines, s->lines, k * sizeof(nudge_item_t));
    }

    /* a snapshot covers its whole stamp */

    last = all[m - NUDGE_SESSION_KEEP - 1].stamp;

    for (i = 0; i < m && nudge_stamp_cmp(&all[i].stamp, &last) <= 0; i++) {
        nudge_session_fold(lines, &k, &all[i]);
    }

    nudge_session_fit(lines, &k);

    s->snap = last;
    s->lines = lines;
    s->nlines = k;
    s->deltas = all + i;
    s->ndeltas = m - i;

    return NUDGE_OK;
}


nudge_int_t
nudge_session_cart(const nudge_session_t *s, nudge_pool_t *pool,
    nudge_cart_t *cart)
{
    size_t         size;
    nudge_item_t  *lines;

    lines = NULL;
    size = nudge_min(s->nlines + s->ndeltas, NUDGE_SESSION_LINES);

    if (size) {
        lines = nudge_palloc(pool, size * sizeof(nudge_item_t));
        if (lines == NULL) {
            return NUDGE_ERROR;
        }
    }

    nudge_session_total(s, lines, cart);

    return NUDGE_OK;
}


void
nudge_session_total(const nudge_session_t *s, nudge_item_t *lines,
    nudge_cart_t *cart)
{
    int64_t        sum;
    nudge_uint_t   i;
    nudge_item_t  *line;

    memset(cart, 0, sizeof(nudge_cart_t));

    cart->lines = lines;
    cart->n = nudge_min(s->nlines, NUDGE_SESSION_LINES);

    if (cart->n) {
        memcpy(lines, s->lines, cart->n * sizeof(nudge_item_t));
    }

    for (i = 0; i < s->ndeltas; i++) {
        nudge_session_fold(lines, &cart->n, &s->deltas[i]);
    }

    for (i = 0; i < cart->n; i++) {
        line = &lines[i];
        cart->items += line->quantity;

        if (cart->currency.len == 0) {
            cart->currency = line->currency;
        }

        if (line->price == NUDGE_MONEY_NONE
            || (line->currency.len
                && !nudge_str_eq(&line->currency, &cart->currency)))
        {
            cart->total = NUDGE_MONEY_NONE;
        }

        if (cart->total == NUDGE_MONEY_NONE) {
            continue;
        }

        if (__builtin_mul_overflow(line->price, line->quantity, &sum)
            || __builtin_add_overflow(cart->total, sum, &cart->total))
        {
            cart->total = NUDGE_MONEY_NONE;
        }
    }
}


nudge_item_t *
nudge_cart_line(const nudge_cart_t *cart, const nudge_str_t *key)
{
    nudge_uint_t  i;

    if (key->len == 0) {
        return NULL;
    }

    for (i = 0; i < cart->n; i++) {
        if (nudge_str_eq(&cart->lines[i].key, key)) {
            return &cart->lines[i];
        }
    }

    return NULL;
}


static nudge_uint_t
nudge_cart_holds(const nudge_cart_t *cart, const nudge_item_t *item)
{
    nudge_item_t  *line;

    line = nudge_session_line(cart->lines, cart->n, item);

    return line != NULL && line->quantity == item->quantity;
}


nudge_uint_t
nudge_cart_same(const nudge_cart_t *a, const nudge_cart_t *b)
{
    nudge_uint_t  i;

    if (a->n != b->n || a->items != b->items) {
        return 0;
    }

    for (i = 0; i < a->n; i++) {
        if (!nudge_cart_holds(b, &a->lines[i])) {
            return 0;
        }
    }

    return 1;
}
