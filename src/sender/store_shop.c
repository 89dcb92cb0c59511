
/*
 * Visitors, products, orders.  An order is unique by its number and counts
 * once; what stops messages is looked up by contact, by every browser linked
 * to it, and by the hash of the address it was placed with, so that a guest
 * on a second device is found too.
 */


#include <stdio.h>
#include <stdlib.h>

#include "publish.h"
#include "sql.h"
#include "store_shop.h"


nudge_int_t
store_visitor_get(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *id, store_visitor_t *v)
{
    int          row;
    sql_t       *q;
    nudge_str_t  packed;

    memset(v, 0, sizeof(store_visitor_t));
    nudge_str_null(&packed);

    q = sql_query(tx, "select session, cart_first, cart_changed from visitor"
                  " where shop = ? and id = ?", "ss", shop, id);
    row = sql_row(q);

    if (row == 1) {
        packed = sql_text(q, pool, 0);
        v->cart_first = sql_int(q, 1);
        v->cart_changed = sql_int(q, 2);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    /* one that no longer reads (written by a later version) begins anew */

    if (packed.len
        && nudge_session_unpack(&v->session, pool, &packed) != NUDGE_OK)
    {
        memset(v, 0, sizeof(store_visitor_t));
    }

    return NUDGE_OK;
}


nudge_int_t
store_visitor_put(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *id, const store_visitor_t *v, int64_t time)
{
    nudge_buf_t  b;
    nudge_str_t  packed;

    if (nudge_buf_grow(&b, pool, 1024, NUDGE_SESSION_MAX) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_session_pack(&b, &v->session);

    if (b.full) {
        return NUDGE_ERROR;
    }

    packed = nudge_buf_result(&b);

    return sql_exec(tx, "insert into visitor values (?, ?, ?, ?, ?, ?)"
                    " on conflict do update set session = excluded.session,"
                    " cart_first = excluded.cart_first,"
                    " cart_changed = excluded.cart_changed,"
                    " seen = max(seen, excluded.seen)", "ssbiii", shop, id,
                    &packed, v->cart_first, v->cart_changed, time);
}


nudge_int_t
store_visitor_forget(tx_t *tx, const nudge_str_t *shop, const nudge_str_t *id)
{
    return sql_exec(tx, "delete from visitor where shop = ? and id = ?", "ss",
                    shop, id);
}


nudge_int_t
store_product_put(tx_t *tx, const nudge_str_t *shop, const nudge_item_t *item,
    nudge_event_type_t type, int64_t time)
{
    int       row;
    sql_t    *q;
    double    score, weight;
    int64_t   scored;

    if (item->id.len == 0) {
        return NUDGE_OK;
    }

    score = 0;
    scored = time;

    q = sql_query(tx, "select score, scored from product where shop = ? and"
                  " id = ?", "ss", shop, &item->id);
    row = sql_row(q);

    if (row == 1) {
        score = sql_double(q, 0);
        scored = sql_int(q, 1);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    weight = publish_weight(type, item->quantity > 0 ? item->quantity : 1);
    score = publish_decay(score, scored, time) + weight;

    if (time > scored) {
        scored = time;
    }

    if (sql_exec(tx, "insert into product values (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                 " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
                 " on conflict do update set"
                 " parent = case when ?3 <> '' then ?3 else parent end,"
                 " sku = case when ?4 <> '' then ?4 else sku end,"
                 " name = case when ?5 <> '' then ?5 else name end,"
                 " url = case when ?6 <> '' then ?6 else url end,"
                 " image = case when ?7 <> '' then ?7 else image end,"
                 " category = case when ?8 <> '' then ?8 else category end,"
                 " brand = case when ?9 <> '' then ?9 else brand end,"
                 " price = coalesce(?10, price),"
                 " currency = case when ?11 <> '' then ?11 else currency end,"
                 " stock = case when ?12 <> 0 then ?12 else stock end,"
                 " score = ?13, scored = ?14, seen = max(seen, ?15)",
                 "sssssssssmsidii", shop, &item->id, &item->parent, &item->sku,
                 &item->name, &item->url, &item->image, &item->category,
                 &item->brand, item->price, &item->currency,
                 (int64_t) item->stock, score, scored, time)
        != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    return sql_exec(tx, "insert into shop (shop, products) values (?, 1)"
                    " on conflict do update set products = products + 1",
                    "s", shop);
}


static void
store_product_row(sql_t *q, nudge_pool_t *pool, nudge_product_t *p,
    int64_t now)
{
    memset(p, 0, sizeof(nudge_product_t));

    p->item.id = sql_text(q, pool, 0);
    p->item.parent = sql_text(q, pool, 1);
    p->item.sku = sql_text(q, pool, 2);
    p->item.name = sql_text(q, pool, 3);
    p->item.url = sql_text(q, pool, 4);
    p->item.image = sql_text(q, pool, 5);
    p->item.category = sql_text(q, pool, 6);
    p->item.brand = sql_text(q, pool, 7);
    p->item.price = sql_money(q, 8);
    p->item.currency = sql_text(q, pool, 9);
    p->item.stock = (nudge_stock_t) sql_int(q, 10);
    p->popularity = publish_popularity(sql_double(q, 11), sql_int(q, 12), now);
    p->seen = sql_int(q, 13);
}


nudge_int_t
store_product_get(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    const nudge_str_t *id, nudge_product_t *p)
{
    int     row;
    sql_t  *q;

    q = sql_query(tx, "select id, parent, sku, name, url, image, category,"
                  " brand, price, currency, stock, score, scored, seen"
                  " from product where shop = ? and id = ?", "ss", shop, id);
    row = sql_row(q);

    if (row == 1) {
        store_product_row(q, pool, p, 0);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    return row == 1 ? NUDGE_OK : NUDGE_DECLINED;
}


static int
store_product_cmp(const void *one, const void *two)
{
    const nudge_product_t  *a = one, *b = two;

    if (a->popularity != b->popularity) {
        return a->popularity < b->popularity ? 1 : -1;
    }

    return nudge_str_cmp(&a->item.id, &b->item.id);
}


nudge_int_t
store_products(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop,
    int64_t now, nudge_product_t *products, nudge_uint_t max)
{
    int           row;
    sql_t        *q;
    nudge_uint_t  n;

    q = sql_query(tx, "select id, parent, sku, name, url, image, category,"
                  " brand, price, currency, stock, score, scored, seen"
                  " from product where shop = ? order by seen desc limit ?",
                  "si", shop, (int64_t) max);
    n = 0;

    while (n < max && (row = sql_row(q)) == 1) {
        store_product_row(q, pool, &products[n++], now);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    qsort(products, n, sizeof(nudge_product_t), store_product_cmp);

    return n;
}


nudge_uint_t
store_products_count(tx_t *tx, const nudge_str_t *shop)
{
    int64_t  n;

    n = sql_value(tx, 0, "select count(*) from product where shop = ?", "s",
                  shop);

    return n < STORE_PRODUCTS ? n : STORE_PRODUCTS;
}


int64_t
store_products_version(tx_t *tx, const nudge_str_t *shop)
{
    return sql_value(tx, 0, "select products from shop where shop = ?", "s",
                     shop);
}


nudge_int_t
store_order(tx_t *tx, const nudge_event_t *ev, const char *contact,
    const char *hash)
{
    nudge_int_t  rc;

    rc = sql_exec(tx, "insert into orders values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                  " on conflict do nothing", "ssszzsims", &ev->shop, &ev->order,
                  &ev->visitor, contact, hash, &ev->attempt, ev->time,
                  ev->value, &ev->currency);

    if (rc == NUDGE_OK && sql_changes(tx) == 0) {
        return NUDGE_DECLINED;
    }

    return rc;
}


int64_t
store_order_last(tx_t *tx, const nudge_str_t *shop, const char *contact,
    const char *hash, const nudge_str_t *visitor)
{
    return sql_value(tx, 0, "select max(t) from ("
        "select max(time) as t from orders where shop = ?1 and contact = ?2"
        " and ?2 <> '' union all "
        "select max(time) from orders where shop = ?1 and hash = ?3"
        " and ?3 <> '' union all "
        "select max(time) from orders where shop = ?1 and visitor = ?4"
        " and ?4 <> '' union all "
        "select max(o.time) from link l join orders o on o.shop = l.shop and"
        " o.visitor = l.visitor where l.shop = ?1 and l.contact = ?2)",
        "szzs", shop, contact, hash, visitor);
}


nudge_int_t
store_attempt(tx_t *tx, const nudge_event_t *ev, const char *contact,
    const char *hash)
{
    return sql_exec(tx, "insert into attempt (shop, id, visitor, contact,"
                    " hash, time) values (?, ?, ?, ?, ?, ?)"
                    " on conflict do nothing", "ssszzi", &ev->shop,
                    &ev->attempt, &ev->visitor, contact, hash, ev->time);
}


nudge_int_t
store_attempt_resolve(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *attempt)
{
    return sql_exec(tx, "update attempt set resolved = 1 where shop = ? and"
                    " id = ?", "ss", shop, attempt);
}


int64_t
store_attempt_open(tx_t *tx, const nudge_str_t *shop, const char *contact,
    const char *hash, const nudge_str_t *visitor, int64_t since)
{
    return sql_value(tx, 0, "select max(time) from attempt where shop = ?1 and"
        " resolved = 0 and time > ?5 and ("
        "(contact = ?2 and ?2 <> '') or (hash = ?3 and ?3 <> '')"
        " or (visitor = ?4 and ?4 <> '') or visitor in (select visitor from"
        " link where shop = ?1 and contact = ?2))",
        "szzsi", shop, contact, hash, visitor, since);
}


nudge_int_t
store_gap(tx_t *tx, const nudge_str_t *shop, int64_t from, int64_t to)
{
    return sql_exec(tx, "insert into gap values (?, ?, ?)"
                    " on conflict do nothing", "sii", shop, from, to);
}


/* a gap without a shop concerns all of them */

nudge_uint_t
store_gap_since(tx_t *tx, const nudge_str_t *shop, int64_t time)
{
    return sql_value(tx, 0, "select 1 from gap where shop in (?, '') and"
                     " stop >= ? limit 1", "si", shop, time);
}


nudge_int_t
store_shop_cart_page(tx_t *tx, const nudge_str_t *shop,
    const nudge_str_t *path)
{
    return sql_exec(tx, "insert into shop (shop, cart_page) values (?, ?)"
                    " on conflict do update set cart_page = excluded.cart_page"
                    " where cart_page <> excluded.cart_page", "ss", shop, path);
}


nudge_str_t
store_shop_get_cart_page(tx_t *tx, nudge_pool_t *pool, const nudge_str_t *shop)
{
    sql_t        *q;
    nudge_str_t   page;

    nudge_str_null(&page);

    q = sql_query(tx, "select cart_page from shop where shop = ?", "s", shop);

    if (sql_row(q) == 1) {
        page = sql_text(q, pool, 0);
    }

    sql_end(q);

    return page;
}


int64_t
store_activation(tx_t *tx, const nudge_str_t *shop, const nudge_str_t *flow,
    int64_t now)
{
    int64_t  since;

    since = sql_value(tx, -1, "select since from activation where shop = ? and"
                      " flow = ?", "ss", shop, flow);

    if (since == -1) {
        (void) sql_exec(tx, "insert into activation values (?, ?, ?)"
                        " on conflict do nothing", "ssi", shop, flow, now);
        since = now;
    }

    return since;
}


nudge_int_t
store_count(tx_t *tx, const char *name, const char *detail)
{
    char  text[96];

    if (detail[0] != '\0') {
        snprintf(text, sizeof(text), "%s:%s", name, detail);

    } else {
        snprintf(text, sizeof(text), "%s", name);
    }

    return sql_exec(tx, "insert into counter values (?, 1) on conflict do"
                    " update set value = value + 1", "z", text);
}
