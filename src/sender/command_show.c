
/*
 * nudge check, preview, events, contact: what a shop's owner asks first.
 */


#include <time.h>

#include "command.h"
#include "compose.h"
#include "sql.h"
#include "store_contact.h"
#include "store_shop.h"
#include "timezone.h"


#define COMMAND_MEMORY  (8 * COMPOSE_MAX)


int
command_check(const command_t *c)
{
    int                faults;
    config_t          *conf;
    const char        *file, *why;
    nudge_uint_t       i;
    nudge_error_t      error;
    nudge_campaign_t  *campaign;

    file = c->nargs ? c->args[0] : c->campaign;
    conf = config_load(file, c->share, &error);

    if (conf == NULL) {
        fprintf(stderr, "nudge: %s\n", (char *) error.text);
        return 1;
    }

    faults = 0;
    campaign = conf->shops[0]->campaign;

    if (timezone_get(&campaign->shop.timezone) == NULL) {
        fprintf(stderr, "nudge: %s: timezone \"%.*s\" is not in %s\n", file,
                (int) campaign->shop.timezone.len, campaign->shop.timezone.data,
                TIMEZONE_DIR);
        faults++;
    }

    printf("%s: shop \"%.*s\", %lu offers, %lu flows, %lu files: ok\n", file,
           (int) campaign->shop.id.len, campaign->shop.id.data,
           (unsigned long) campaign->noffers, (unsigned long) campaign->nflows,
           (unsigned long) conf->shops[0]->nfiles);

    for (i = 0; i < campaign->nflows; i++) {
        if (campaign->flows[i].nsteps > 1
            && nudge_str_is(&campaign->flows[i].on, "cart_abandoned"))
        {
            printf("note: flow \"%.*s\" reminds %lu times; once is what "
                   "shoppers bear\n", (int) campaign->flows[i].name.len,
                   campaign->flows[i].name.data,
                   (unsigned long) campaign->flows[i].nsteps);
        }
    }

    why = nudge_campaign_no_sending(campaign);

    if (why) {
        printf("nothing is sent: %s\n", why);

    } else if (campaign->mail.shadow) {
        printf("nothing is sent: shadow mode\n");
    }

    config_destroy(conf);

    return faults ? 1 : 0;
}


/* two lines a shopper might have in the cart */

static nudge_uint_t
command_sample(nudge_item_t items[2], const nudge_shop_t *shop)
{
    memset(items, 0, 2 * sizeof(nudge_item_t));

    items[0].id = nudge_cstr("sample-1");
    items[0].name = nudge_cstr("Blue mug");
    items[0].url = nudge_cstr("/product/blue-mug/");
    items[0].image = nudge_cstr("/images/blue-mug.png");
    items[0].price = 12500;
    items[0].currency = shop->currency;
    items[0].quantity = 2;

    items[1] = items[0];
    items[1].id = nudge_cstr("sample-2");
    items[1].name = nudge_cstr("Tea towel, \"Sea & Sky\"");
    items[1].url = nudge_cstr("/product/tea-towel/");
    items[1].image = nudge_cstr("/images/tea-towel.png");
    items[1].price = 9900;
    items[1].quantity = 1;

    return 2;
}


/* the mail of a flow's step, or of "confirm" */

static nudge_int_t
command_mail(const config_t *conf, const command_t *c, nudge_str_t *mail)
{
    int64_t       step;
    nudge_int_t   i;
    nudge_str_t   name, number;

    name = nudge_cstr(c->args[0]);
    number = nudge_cstr(c->args[1]);
    step = nudge_str_int(&number);

    if (nudge_str_is(&name, "confirm") && step == 1) {
        *mail = name;
        return NUDGE_OK;
    }

    i = config_flow(conf->shops[0], &name);

    if (i == -1 || step < 1
        || step > (int64_t) conf->shops[0]->campaign->flows[i].nsteps)
    {
        fprintf(stderr, "nudge: there is no step %s of flow \"%s\"\n",
                c->args[1], c->args[0]);
        return NUDGE_ERROR;
    }

    *mail = conf->shops[0]->campaign->flows[i].steps[step - 1].mail;

    return NUDGE_OK;
}


static int
command_compose(const config_t *conf, const command_t *c, nudge_pool_t *pool)
{
    compose_t           m;
    const char         *reason;
    nudge_item_t        items[2];
    nudge_bundle_t     *b;
    compose_message_t   message;

    b = conf->shops[0];
    memset(&m, 0, sizeof(compose_t));

    if (command_mail(conf, c, &m.mail) != NUDGE_OK) {
        return 1;
    }

    m.bundle = b;
    m.keys = &conf->keys;
    m.marketing = !nudge_str_is(&m.mail, "confirm");

    if (m.marketing) {
        m.flow = nudge_cstr(c->args[0]);
    }

    m.claim = nudge_cstr("00000000000000000000000000000000");
    m.contact = nudge_cstr("c0000000000000000");
    m.email = nudge_cstr("shopper@example.com");
    m.time = time(NULL);
    m.ncart = command_sample(items, &b->campaign->shop);
    m.cart = items;
    m.cart_page = nudge_cstr("/cart/");

    reason = "no_memory";

    if (compose_message(pool, &m, &message, &reason) != NUDGE_OK) {
        fprintf(stderr, "nudge: this mail cannot be written: %s\n", reason);
        return 1;
    }

    if (fwrite(message.bytes.data, 1, message.bytes.len, stdout)
        != message.bytes.len || fflush(stdout) != 0)
    {
        return 1;
    }

    return 0;
}


int
command_preview(const command_t *c)
{
    int             rc;
    config_t       *conf;
    nudge_pool_t   *pool;
    nudge_error_t   error;

    conf = config_load(c->campaign, c->share, &error);

    if (conf == NULL) {
        fprintf(stderr, "nudge: %s\n", (char *) error.text);
        return 1;
    }

    rc = 1;
    pool = nudge_pool_create(COMMAND_MEMORY);

    if (pool) {
        rc = command_compose(conf, c, pool);
        nudge_pool_destroy(pool);
    }

    config_destroy(conf);

    return rc;
}


static nudge_int_t
command_print(void *data, const nudge_str_t *json, nudge_event_t *ev,
    nudge_pool_t *pool)
{
    if (fwrite(json->data, 1, json->len, stdout) != json->len
        || putchar('\n') == EOF)
    {
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


int
command_events(const command_t *c)
{
    return command_journal(c->args[0], command_print, NULL) == NUDGE_OK ? 0
                                                                        : 1;
}


typedef struct {
    nudge_str_t     who;
    nudge_pool_t   *pool;
    nudge_uint_t    found;
} command_contact_t;


static void
command_rows(sql_t *q, nudge_pool_t *pool, const char *title,
    const char *format)
{
    char          time[32];
    nudge_str_t   a, b, c;
    nudge_uint_t  n;

    for (n = 0; sql_row(q) == 1; n++) {

        if (n == 0) {
            printf("\n%s\n", title);
        }

        command_time(time, sql_int(q, 0));
        a = sql_text(q, pool, 1);
        b = sql_text(q, pool, 2);
        c = sql_text(q, pool, 3);

        printf(format, time, (int) a.len, a.data, (int) b.len, b.data,
               (int) c.len, c.data);
    }

    sql_end(q);
}


static void
command_history(tx_t *tx, command_contact_t *cc, const nudge_str_t *shop,
    const char *id, const char *hash)
{
    nudge_pool_t  *pool;

    pool = cc->pool;

    command_rows(sql_query(tx, "select time, what, method, page from consent"
                           " where shop = ? and contact = ? order by id", "sz",
                           shop, id),
                 pool, "consent", "  %s  %.*s %.*s %.*s\n");

    command_rows(sql_query(tx, "select time, visitor, case send when 1 then"
                           " 'joined' else 'stops only' end, '' from link"
                           " where shop = ? and contact = ? order by time",
                           "sz", shop, id),
                 pool, "browsers", "  %s  %.*s %.*s%.*s\n");

    command_rows(sql_query(tx, "select time, id, coalesce(value / 1000.0, ''),"
                           " currency from orders where shop = ?1 and"
                           " (contact = ?2 or hash = ?3) order by time", "szz",
                           shop, id, hash),
                 pool, "orders", "  %s  %.*s %.*s %.*s\n");

    command_rows(sql_query(tx, "select due, flow, state, reason from episode"
                           " where shop = ?1 and (contact = ?2 or visitor in"
                           " (select visitor from link where shop = ?1 and"
                           " contact = ?2)) order by due", "sz", shop, id),
                 pool, "episodes (due)", "  %s  %.*s %.*s %.*s\n");

    command_rows(sql_query(tx, "select case when finished then finished else"
                           " due end, flow || ' ' || (step + 1), state, reason"
                           " from message where shop = ? and contact = ?"
                           " order by created", "sz", shop, id),
                 pool, "messages", "  %s  %.*s %.*s %.*s\n");
}


static void
command_cart(tx_t *tx, command_contact_t *cc, const nudge_str_t *shop,
    const char *id)
{
    sql_t            *q;
    nudge_str_t       visitor;
    nudge_cart_t      cart;
    nudge_uint_t      i;
    store_visitor_t   v;

    q = sql_query(tx, "select visitor from link where shop = ? and contact = ?"
                  " and send = 1 order by time desc limit 1", "sz", shop, id);
    nudge_str_null(&visitor);

    if (sql_row(q) == 1) {
        visitor = sql_text(q, cc->pool, 0);
    }

    sql_end(q);

    if (visitor.len == 0
        || store_visitor_get(tx, cc->pool, shop, &visitor, &v) != NUDGE_OK
        || nudge_session_cart(&v.session, cc->pool, &cart) != NUDGE_OK
        || cart.n == 0)
    {
        return;
    }

    printf("\ncart\n");

    for (i = 0; i < cart.n; i++) {
        printf("  %lld x %.*s %.*s\n", (long long) cart.lines[i].quantity,
               (int) cart.lines[i].id.len, cart.lines[i].id.data,
               (int) cart.lines[i].name.len, cart.lines[i].name.data);
    }
}


static nudge_int_t
command_person(tx_t *tx, void *arg)
{
    char                hash[65], time[32], reason[32];
    sql_t              *q;
    nudge_str_t         shop[STORE_CONTACTS], address;
    nudge_uint_t        i, n;
    store_contact_t     c;
    command_contact_t  *cc = arg;

    address = store_normal(cc->pool, &cc->who);
    n = 0;

    q = sql_query(tx, "select shop from contact where id = ? or address = ?",
                  "ss", &cc->who, &address);

    while (n < STORE_CONTACTS && sql_row(q) == 1) {
        shop[n++] = sql_text(q, cc->pool, 0);
    }

    if (sql_end(q) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (store_contact_email(tx, cc->pool, &shop[i], &cc->who, &c)
                != NUDGE_OK
            && store_contact_id(tx, cc->pool, &shop[i], &cc->who, &c)
                != NUDGE_OK)
        {
            continue;
        }

        cc->found++;
        command_time(time, c.created);
        store_address(tx, &c.address, hash);

        printf("%scontact %s of shop \"%.*s\"\n  email    %.*s\n"
               "  status   %s\n  created  %s\n", i ? "\n" : "", c.id,
               (int) shop[i].len, shop[i].data, (int) c.email.len,
               c.email.data, c.status, time);

        if (store_suppressed(tx, &shop[i], &c.address, reason) == NUDGE_OK) {
            printf("  suppressed: %s\n", reason);
        }

        command_cart(tx, cc, &shop[i], c.id);
        command_history(tx, cc, &shop[i], c.id, hash);
    }

    return NUDGE_OK;
}


int
command_contact(const command_t *c)
{
    char                dsn[4096];
    store_t            *store;
    nudge_int_t         rc;
    nudge_error_t       error;
    command_contact_t   cc;

    if (strcmp(c->args[0], "show") != 0) {
        fprintf(stderr, "usage: nudge contact show ID|EMAIL\n");
        return 2;
    }

    if (command_become(c->state) != NUDGE_OK) {
        return 1;
    }

    snprintf(dsn, sizeof(dsn), "sqlite:%s/store.db", c->state);
    store = store_open(dsn, 1, &error);

    if (store == NULL) {
        fprintf(stderr, "nudge: %s\n", (char *) error.text);
        return 1;
    }

    cc.who = nudge_cstr(c->args[1]);
    cc.found = 0;
    cc.pool = nudge_pool_create(COMMAND_MEMORY);

    rc = cc.pool ? store_run(store, command_person, &cc) : NUDGE_ERROR;
    store_close(store);

    if (cc.pool) {
        nudge_pool_destroy(cc.pool);
    }

    if (rc == NUDGE_OK && cc.found == 0) {
        fprintf(stderr, "nudge: nobody is known as \"%s\"\n", c->args[1]);
        return 1;
    }

    return rc == NUDGE_OK ? 0 : 1;
}
