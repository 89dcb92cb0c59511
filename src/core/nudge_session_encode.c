
/*
 * The session as the document memcached holds, for other hosts and for the
 * store's own code, which may read it:
 *
 *   {"v":1, "version":3, "created":ms, "active":ms, "visits":1, "pages":7,
 *    "subscribed":true, "ordered":ms, "order":HASH, "attempted":ms,
 *    "attempt":{"time":ms,"id":HASH}, "resolved":{"time":ms,"id":HASH},
 *    "checkout":ms, "cart_changed":ms, "forgotten":STAMP,
 *    "snapshot":{"at":STAMP,"items":[ITEM, ...]},
 *    "deltas":[{"at":STAMP,"op":"add|set|clear","quantity":-1,"item":ITEM}],
 *    "viewed":[{"id":"19","at":STAMP}],
 *    "seen":[{"offer":"..","first":ms,"last":ms,"count":1,"done":true}],
 *    "cart":{"count":2,"total":90.00,"currency":"USD","items":[ITEM, ...]}}
 *
 * ITEM is as in events; STAMP is "ms-nonce-seq", the last two hexadecimal;
 * HASH is 16 hexadecimal digits.  Zero and empty members are left out.
 * "cart" is the cart as it stands; without deltas it is the snapshot, whose
 * own "items" are then left out.  Only with the largest carts and many deltas
 * "cart" goes without items, so that the document fits NUDGE_SESSION_MAX.
 */


#include "nudge_session_private.h"


#define NUDGE_CODEC_CART  160       /* "cart" without items, and "}" */


static void nudge_codec_name(nudge_buf_t *b, const char *name);
static void nudge_codec_number(nudge_buf_t *b, const char *name, int64_t n);
static void nudge_codec_stamp(nudge_buf_t *b, const char *name,
    const nudge_stamp_t *stamp);
static void nudge_codec_attempt(nudge_buf_t *b, const char *name,
    const nudge_attempt_t *a);
static void nudge_codec_items(nudge_buf_t *b, const nudge_item_t *items,
    nudge_uint_t n);
static void nudge_codec_deltas(nudge_buf_t *b, const nudge_session_t *s);
static void nudge_codec_history(nudge_buf_t *b, const nudge_session_t *s);
static void nudge_codec_cart(nudge_buf_t *b, const nudge_session_t *s,
    size_t start);


const char  *nudge_delta_names[] = { "add", "set", "clear" };


void
nudge_session_key(nudge_buf_t *b, const nudge_str_t *shop,
    const nudge_str_t *visitor)
{
    nudge_buf_cstr(b, "nudge:");
    nudge_buf_str(b, shop);
    nudge_buf_cstr(b, ":s:");
    nudge_buf_str(b, visitor);
}


static void
nudge_codec_name(nudge_buf_t *b, const char *name)
{
    nudge_buf_cstr(b, ",\"");
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "\":");
}


static void
nudge_codec_number(nudge_buf_t *b, const char *name, int64_t n)
{
    if (n) {
        nudge_codec_name(b, name);
        nudge_buf_int(b, n);
    }
}


static void
nudge_codec_stamp(nudge_buf_t *b, const char *name,
    const nudge_stamp_t *stamp)
{
    nudge_uint_t  digits;

    digits = 1;

    while (digits < 16 && stamp->seq >> (4 * digits)) {
        digits++;
    }

    nudge_buf_char(b, '"');
    nudge_buf_cstr(b, name);
    nudge_buf_cstr(b, "\":\"");
    nudge_buf_int(b, stamp->time);
    nudge_buf_char(b, '-');
    nudge_buf_hex(b, stamp->nonce, 16);
    nudge_buf_char(b, '-');
    nudge_buf_hex(b, stamp->seq, digits);
    nudge_buf_char(b, '"');
}


static void
nudge_codec_attempt(nudge_buf_t *b, const char *name,
    const nudge_attempt_t *a)
{
    if (a->time == 0 && a->id == 0) {
        return;
    }

    nudge_codec_name(b, name);
    nudge_buf_cstr(b, "{\"time\":");
    nudge_buf_int(b, a->time);
    nudge_buf_cstr(b, ",\"id\":\"");
    nudge_buf_hex(b, a->id, 16);
    nudge_buf_cstr(b, "\"}");
}


static void
nudge_codec_items(nudge_buf_t *b, const nudge_item_t *items, nudge_uint_t n)
{
    nudge_uint_t  i;

    nudge_buf_cstr(b, ",\"items\":[");

    for (i = 0; i < n; i++) {
        if (i) {
            nudge_buf_char(b, ',');
        }

        nudge_item_encode(b, &items[i]);
    }

    nudge_buf_char(b, ']');
}


void
nudge_session_encode(nudge_buf_t *b, const nudge_session_t *s)
{
    size_t  start;

    start = b->pos - b->start;

    nudge_buf_cstr(b, "{\"v\":1");
    nudge_codec_number(b, "version", s->version);
    nudge_codec_number(b, "created", s->created);
    nudge_codec_number(b, "active", s->active);
    nudge_codec_number(b, "visits", s->visits);
    nudge_codec_number(b, "pages", s->pages);

    if (s->subscribed) {
        nudge_buf_cstr(b, ",\"subscribed\":true");
    }

    nudge_codec_number(b, "ordered", s->ordered);

    if (s->order) {
        nudge_buf_cstr(b, ",\"order\":\"");
        nudge_buf_hex(b, s->order, 16);
        nudge_buf_char(b, '"');
    }

    nudge_codec_number(b, "attempted", s->attempted);
    nudge_codec_attempt(b, "attempt", &s->attempt);
    nudge_codec_attempt(b, "resolved", &s->resolved);
    nudge_codec_number(b, "checkout", s->checkout);
    nudge_codec_number(b, "cart_changed", s->cart_changed);

    if (!nudge_stamp_zero(&s->forgotten)) {
        nudge_buf_char(b, ',');
        nudge_codec_stamp(b, "forgotten", &s->forgotten);
    }

    nudge_codec_deltas(b, s);
    nudge_codec_history(b, s);
    nudge_codec_cart(b, s, start);

    nudge_buf_char(b, '}');
}


static void
nudge_codec_deltas(nudge_buf_t *b, const nudge_session_t *s)
{
    nudge_uint_t          i;
    const nudge_delta_t  *delta;

    if (!nudge_stamp_zero(&s->snap)) {
        nudge_buf_cstr(b, ",\"snapshot\":{");
        nudge_codec_stamp(b, "at", &s->snap);

        if (s->ndeltas) {
            nudge_codec_items(b, s->lines, s->nlines);
        }

        nudge_buf_char(b, '}');
    }

    if (s->ndeltas == 0) {
        return;
    }

    nudge_buf_cstr(b, ",\"deltas\":[");

    for (i = 0; i < s->ndeltas; i++) {
        delta = &s->deltas[i];

        nudge_buf_cstr(b, i ? ",{" : "{");
        nudge_codec_stamp(b, "at", &delta->stamp);
        nudge_buf_cstr(b, ",\"op\":\"");
        nudge_buf_cstr(b, nudge_delta_names[delta->kind]);
        nudge_buf_cstr(b, "\",\"quantity\":");
        nudge_buf_int(b, delta->item.quantity);
        nudge_buf_cstr(b, ",\"item\":");
        nudge_item_encode(b, &delta->item);
        nudge_buf_char(b, '}');
    }

    nudge_buf_char(b, ']');
}


static void
nudge_codec_history(nudge_buf_t *b, const nudge_session_t *s)
{
    nudge_uint_t         i;
    const nudge_seen_t  *seen;

    for (i = 0; i < s->nviewed; i++) {
        nudge_buf_cstr(b, i ? ",{\"id\":" : ",\"viewed\":[{\"id\":");
        nudge_buf_json(b, &s->viewed[i].id);
        nudge_buf_char(b, ',');
        nudge_codec_stamp(b, "at", &s->viewed[i].stamp);
        nudge_buf_char(b, '}');
    }

    nudge_buf_cstr(b, i ? "]" : "");

    for (i = 0; i < s->nseen; i++) {
        seen = &s->seen[i];

        nudge_buf_cstr(b, i ? ",{\"offer\":" : ",\"seen\":[{\"offer\":");
        nudge_buf_json(b, &seen->offer);
        nudge_codec_number(b, "first", seen->first);
        nudge_codec_number(b, "last", seen->last);
        nudge_codec_number(b, "count", seen->count);
        nudge_buf_cstr(b, seen->done ? ",\"done\":true}" : "}");
    }

    nudge_buf_cstr(b, i ? "]" : "");
}


static void
nudge_codec_cart(nudge_buf_t *b, const nudge_session_t *s, size_t start)
{
    size_t        size;
    nudge_cart_t  cart;
    nudge_uint_t  i;
    nudge_item_t  lines[NUDGE_SESSION_LINES];

    nudge_session_total(s, lines, &cart);

    size = (b->pos - b->start) - start + NUDGE_CODEC_CART;

    for (i = 0; i < cart.n; i++) {
        size += nudge_session_item_cost(&lines[i]);
    }

    nudge_buf_cstr(b, ",\"cart\":{\"count\":");
    nudge_buf_int(b, cart.items);

    if (cart.total != NUDGE_MONEY_NONE) {
        nudge_buf_cstr(b, ",\"total\":");
        nudge_buf_money(b, cart.total);
    }

    if (cart.currency.len) {
        nudge_codec_name(b, "currency");
        nudge_buf_json(b, &cart.currency);
    }

    if (size <= NUDGE_SESSION_MAX || s->ndeltas == 0) {
        nudge_codec_items(b, lines, cart.n);
    }

    nudge_buf_char(b, '}');
}
