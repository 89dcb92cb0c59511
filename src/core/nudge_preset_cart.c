
/*
 * What a request did to the cart.  Where the answer gives the whole cart, the
 * difference to the one known counts and the request only says which line it
 * was about; elsewhere the request is taken at its word, line keys and
 * absolute quantities resolved through the cart known.
 *
 * Promise: nothing is made up.  A quantity set on a line nobody knows gives
 * no event but the cart the answer shows.
 */


#include "nudge_preset_private.h"


typedef struct {
    nudge_item_t         lines[NUDGE_SESSION_LINES];
    nudge_uint_t         nlines;
    unsigned             snapshot:1;
    nudge_item_t         items[NUDGE_PRESET_ITEMS];
    nudge_uint_t         nitems;
    nudge_item_t         up[NUDGE_PRESET_ITEMS];
    nudge_uint_t         nup;
    nudge_item_t         down[NUDGE_PRESET_ITEMS];
    nudge_uint_t         ndown;
    uint64_t             taken;         /* keyless lines already named */
} nudge_change_t;


static int64_t nudge_lines_count(const nudge_item_t *lines, nudge_uint_t n,
    const nudge_item_t *item, nudge_item_t **line);
static nudge_item_t *nudge_known_keyless(nudge_reader_t *r,
    nudge_change_t *ch);
static void nudge_change_add(nudge_reader_t *r, nudge_change_t *ch,
    nudge_item_t *item);
static nudge_item_t *nudge_change_grown(nudge_reader_t *r, nudge_change_t *ch,
    int64_t *by);
static void nudge_change_remove(nudge_reader_t *r, nudge_change_t *ch,
    nudge_item_t *item);
static void nudge_change_set(nudge_reader_t *r, nudge_change_t *ch,
    nudge_item_t *item);
static void nudge_change_all(nudge_reader_t *r, nudge_change_t *ch);
static void nudge_change_put(nudge_change_t *ch, const nudge_item_t *item,
    const nudge_item_t *line, int64_t by);
static nudge_uint_t nudge_cart_differs(nudge_reader_t *r, nudge_change_t *ch);
static nudge_event_t *nudge_change_event(nudge_reader_t *r,
    const nudge_rule_t *rule, nudge_event_type_t type,
    const nudge_item_t *items, nudge_uint_t n);


/* how much of it there is; by key, else of all lines with its id */

static int64_t
nudge_lines_count(const nudge_item_t *lines, nudge_uint_t n,
    const nudge_item_t *item, nudge_item_t **line)
{
    int64_t       count;
    nudge_uint_t  i;

    count = 0;
    *line = NULL;

    for (i = 0; item->key.len && i < n; i++) {
        if (nudge_str_eq(&lines[i].key, &item->key)) {
            *line = (nudge_item_t *) &lines[i];
            return lines[i].quantity;
        }
    }

    for (i = 0; item->id.len && i < n; i++) {
        if (nudge_str_eq(&lines[i].id, &item->id)
            && (item->key.len == 0 || lines[i].key.len == 0))
        {
            *line = *line ? *line : (nudge_item_t *) &lines[i];
            count += lines[i].quantity;
        }
    }

    return count;
}


/* an unknown key can only be that of the one line whose key was never told */

static nudge_item_t *
nudge_known_keyless(nudge_reader_t *r, nudge_change_t *ch)
{
    nudge_uint_t  i, at, n;

    n = 0;
    at = 0;

    for (i = 0; i < r->nknown; i++) {
        if (r->known[i].key.len == 0) {
            at = i;
            n++;
        }
    }

    if (n != 1 || (ch->taken & (uint64_t) 1 << at)
        || (!r->complete && r->nknown != 1))
    {
        return NULL;
    }

    ch->taken |= (uint64_t) 1 << at;

    return &r->known[at];
}


static void
nudge_change_put(nudge_change_t *ch, const nudge_item_t *item,
    const nudge_item_t *line, int64_t by)
{
    nudge_item_t  *dst;

    if (by == 0 || (by > 0 ? ch->nup : ch->ndown) == NUDGE_PRESET_ITEMS) {
        return;
    }

    dst = by > 0 ? &ch->up[ch->nup++] : &ch->down[ch->ndown++];
    *dst = line ? *line : *item;
    dst->quantity = by > 0 ? by : -by;

    if (line != NULL) {
        if (dst->key.len == 0) {
            dst->key = item->key;
        }

        if (dst->parent.len == 0 && !nudge_str_eq(&item->parent, &dst->id)) {
            dst->parent = item->parent;
        }
    }
}


static void
nudge_change_add(nudge_reader_t *r, nudge_change_t *ch, nudge_item_t *item)
{
    int64_t        by, before, after;
    nudge_item_t  *line, *known;

    by = item->quantity < 0 ? 1 : item->quantity;

    if (by == 0) {
        return;
    }

    before = nudge_lines_count(r->known, r->nknown, item, &known);

    if (!ch->snapshot) {

        /* the same product may be on several lines: only its looks count */

        if (known != NULL) {
            if (item->name.len == 0) {
                item->name = known->name;
            }

            if (item->price == NUDGE_MONEY_NONE) {
                item->price = known->price;
                item->currency = known->currency;
            }
        }

        nudge_change_put(ch, item, NULL, by);
        return;
    }

    after = nudge_lines_count(ch->lines, ch->nlines, item, &line);

    if (line == NULL) {

        /* asked for by its parent: the line that grew is the variation */

        line = nudge_change_grown(r, ch, &after);
        before = 0;

        if (line == NULL) {
            nudge_change_put(ch, item, NULL, by);
            return;
        }

        if (!nudge_str_eq(&item->id, &line->id) && line->parent.len == 0) {
            line->parent = item->id;
        }
    }

    if ((known != NULL || r->complete) && after > before) {
        by = after - before;
    }

    nudge_change_put(ch, item, line, by);
}


static nudge_item_t *
nudge_change_grown(nudge_reader_t *r, nudge_change_t *ch, int64_t *by)
{
    int64_t        before;
    nudge_uint_t   i;
    nudge_item_t  *known, *grown;

    grown = NULL;

    if (!r->complete && ch->nlines != 1) {
        return NULL;
    }

    for (i = 0; i < ch->nlines; i++) {
        before = nudge_lines_count(r->known, r->nknown, &ch->lines[i],
                                   &known);

        if (ch->lines[i].quantity > before) {
            if (grown != NULL) {
                return NULL;
            }

            grown = &ch->lines[i];
            *by = grown->quantity - before;
        }
    }

    return grown;
}


static void
nudge_change_remove(nudge_reader_t *r, nudge_change_t *ch,
    nudge_item_t *item)
{
    int64_t        by, before, after;
    nudge_item_t  *line, *known;

    before = nudge_lines_count(r->known, r->nknown, item, &known);

    if (known == NULL && item->key.len && item->id.len == 0) {
        known = nudge_known_keyless(r, ch);
        before = known ? known->quantity : 0;
    }

    by = item->quantity > 0 ? item->quantity : (known ? before : 1);

    if (ch->snapshot) {
        after = nudge_lines_count(ch->lines, ch->nlines, item, &line);

        if (known != NULL) {
            by = before - after;

        } else if (r->complete || after) {
            by = 0;
        }

    } else if (known != NULL && by > before) {
        by = before;
    }

    if (by > 0) {
        nudge_change_put(ch, item, known, -by);
    }
}


static void
nudge_change_set(nudge_reader_t *r, nudge_change_t *ch, nudge_item_t *item)
{
    int64_t        before, after;
    nudge_item_t  *line, *known;

    before = nudge_lines_count(r->known, r->nknown, item, &known);

    if (known == NULL && item->key.len && item->id.len == 0) {
        known = nudge_known_keyless(r, ch);
        before = known ? known->quantity : 0;
    }

    line = NULL;
    after = item->quantity;

    if (ch->snapshot) {
        after = nudge_lines_count(ch->lines, ch->nlines, item, &line);
    }

    if (known == NULL || after < 0) {
        return;
    }

    nudge_change_put(ch, item, line ? line : known, after - before);
}


/* a request that names nothing, but the answer tells all */

static void
nudge_change_all(nudge_reader_t *r, nudge_change_t *ch)
{
    int64_t        before, after;
    nudge_uint_t   i;
    nudge_item_t  *line, *known;

    for (i = 0; i < ch->nlines; i++) {
        before = nudge_lines_count(r->known, r->nknown, &ch->lines[i],
                                   &known);

        if (known != NULL || r->complete) {
            nudge_change_put(ch, &ch->lines[i], &ch->lines[i],
                             ch->lines[i].quantity - before);
        }
    }

    for (i = 0; i < r->nknown; i++) {
        after = nudge_lines_count(ch->lines, ch->nlines, &r->known[i], &line);

        if (line == NULL && after == 0) {
            nudge_change_put(ch, &r->known[i], &r->known[i],
                             -r->known[i].quantity);
        }
    }
}


static nudge_uint_t
nudge_cart_differs(nudge_reader_t *r, nudge_change_t *ch)
{
    nudge_uint_t   i, k;
    nudge_item_t  *line, *known;

    if (ch->nlines != r->nknown) {
        return 1;
    }

    for (i = 0; i < ch->nlines; i++) {
        line = &ch->lines[i];
        known = NULL;

        for (k = 0; k < r->nknown; k++) {
            if (nudge_str_eq(&line->key, &r->known[k].key)
                && nudge_str_eq(&line->id, &r->known[k].id))
            {
                known = &r->known[k];
                break;
            }
        }

        if (known == NULL || line->quantity != known->quantity
            || line->price != known->price)
        {
            return 1;
        }
    }

    return 0;
}


nudge_event_t *
nudge_reader_event(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_event_type_t type)
{
    nudge_event_t  *ev;

    if (r->nevents == r->max || (r->made & (uint64_t) 1 << type)) {
        return NULL;
    }

    r->made |= (uint64_t) 1 << type;
    ev = &r->events[r->nevents++];
    memset(ev, 0, sizeof(nudge_event_t));
    ev->type = type;
    ev->rule = rule->name;
    ev->value = NUDGE_MONEY_NONE;

    return ev;
}


static nudge_event_t *
nudge_change_event(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_event_type_t type, const nudge_item_t *items, nudge_uint_t n)
{
    nudge_item_t   *copy;
    nudge_event_t  *ev;

    copy = nudge_palloc(r->pool, n * sizeof(nudge_item_t) + 1);

    if (copy == NULL) {
        r->failed = 1;
        return NULL;
    }

    ev = nudge_reader_event(r, rule, type);

    if (ev != NULL && n) {
        memcpy(copy, items, n * sizeof(nudge_item_t));
        ev->items = copy;
        ev->nitems = n;
    }

    return ev;
}


void
nudge_rule_cart_events(nudge_reader_t *r, const nudge_rule_t *rule)
{
    nudge_uint_t     i;
    nudge_event_t   *ev;
    nudge_change_t  *ch;

    ch = nudge_pcalloc(r->pool, sizeof(nudge_change_t));

    if (ch == NULL) {
        r->failed = 1;
        return;
    }

    if (rule->action != NUDGE_ACTION_EVENT) {
        ch->nitems = nudge_rule_items(r, rule, ch->items);
    }

    ch->snapshot = nudge_cart_read(r, rule, ch->items, ch->nitems, ch->lines,
                                   &ch->nlines)
                   == NUDGE_OK;

    for (i = 0; i < ch->nitems; i++) {
        switch (rule->action) {

        case NUDGE_ACTION_ADD:
            nudge_change_add(r, ch, &ch->items[i]);
            break;

        case NUDGE_ACTION_REMOVE:
            nudge_change_remove(r, ch, &ch->items[i]);
            break;

        case NUDGE_ACTION_SET:
            nudge_change_set(r, ch, &ch->items[i]);
            break;

        default:
            break;
        }
    }

    if (!rule->item && ch->snapshot && rule->action != NUDGE_ACTION_READ
        && rule->action != NUDGE_ACTION_EVENT)
    {
        nudge_change_all(r, ch);
    }

    ev = NULL;

    if (ch->nup) {
        ev = nudge_change_event(r, rule, NUDGE_EVENT_ADD_TO_CART, ch->up,
                                ch->nup);
    }

    if (ch->ndown) {
        ev = nudge_change_event(r, rule, NUDGE_EVENT_REMOVE_FROM_CART,
                                ch->down, ch->ndown);
    }

    if (!ch->snapshot) {
        return;
    }

    if (ev == NULL && nudge_cart_differs(r, ch)) {
        ev = nudge_change_event(r, rule, NUDGE_EVENT_VIEW_CART, NULL, 0);
    }

    if (ev != NULL) {
        ev->cart = ch->lines;
        ev->ncart = ch->nlines;
        ev->snapshot = 1;
    }

    r->known = ch->lines;
    r->nknown = ch->nlines;
    r->complete = 1;
}
