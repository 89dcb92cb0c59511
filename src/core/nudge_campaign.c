
/*
 * The campaign: compiled in the master, inherited by workers through fork,
 * owned by nobody but its maker.  Everything the file says is copied out of
 * Lua into one pool; the Lua state stays only for conditions that are
 * functions.
 *
 * Promise: a campaign is complete and checked, or it is not there and *error
 * says where and why.  No globals: two of them never meet.
 */
#include "nudge_campaign_priv.h"

#include <stdio.h>
#include <stdlib.h>


static nudge_campaign_priv_t *nudge_campaign_create(const nudge_str_t *text,
    const char *name, nudge_use_pt use, void *use_data,
    nudge_error_t *error);
static void nudge_campaign_defaults(nudge_campaign_t *c);
static int nudge_campaign_main(lua_State *lua);
static nudge_int_t nudge_campaign_run(nudge_campaign_priv_t *p);


nudge_campaign_t *
nudge_campaign_compile(const nudge_str_t *text, const char *name,
    nudge_use_pt use, void *use_data, nudge_error_t *error)
{
    nudge_campaign_t       *c;
    nudge_campaign_priv_t  *p;

    snprintf((char *) error->text, sizeof(error->text), "%s: no memory",
             name);

    p = nudge_campaign_create(text, name, use, use_data, error);
    if (p == NULL) {
        return NULL;
    }

    c = p->campaign;

    if (nudge_sandbox_create(p) != NUDGE_OK
        || nudge_campaign_run(p) != NUDGE_OK)
    {
        nudge_campaign_destroy(c);
        return NULL;
    }

    p->compiling = 0;
    p->error = NULL;
    p->text = NULL;
    p->use = NULL;

    if (p->functions == 0) {
        nudge_sandbox_destroy(p);
    }

    c->sends = nudge_campaign_no_sending(c) == NULL;
    error->text[0] = '\0';

    return c;
}


static nudge_campaign_priv_t *
nudge_campaign_create(const nudge_str_t *text, const char *name,
    nudge_use_pt use, void *use_data, nudge_error_t *error)
{
    nudge_str_t             file, copy;
    nudge_pool_t           *pool;
    nudge_campaign_t       *c;
    nudge_campaign_priv_t  *p;

    pool = nudge_pool_create(NUDGE_CAMPAIGN_POOL);
    if (pool == NULL) {
        return NULL;
    }

    file = nudge_cstr(name);

    c = nudge_pcalloc(pool, sizeof(nudge_campaign_t));
    p = nudge_pcalloc(pool, sizeof(nudge_campaign_priv_t));

    if (c == NULL || p == NULL
        || nudge_pstrdup(pool, &copy, &file) != NUDGE_OK)
    {
        goto failed;
    }

    c->offers = nudge_pcalloc(pool,
                              NUDGE_CAMPAIGN_OFFERS * sizeof(nudge_offer_t));
    c->flows = nudge_pcalloc(pool,
                             NUDGE_CAMPAIGN_FLOWS * sizeof(nudge_flow_t));
    c->warnings = nudge_pcalloc(pool,
                                NUDGE_CAMPAIGN_WARNINGS * sizeof(nudge_str_t));

    if (c->offers == NULL || c->flows == NULL || c->warnings == NULL) {
        goto failed;
    }

    nudge_campaign_defaults(c);

    c->priv = p;

    p->campaign = c;
    p->pool = pool;
    p->error = error;
    p->text = text;
    p->file[0] = (const char *) copy.data;
    p->nfiles = 1;
    p->use = use;
    p->use_data = use_data;
    p->compiling = 1;

    return p;

failed:

    nudge_pool_destroy(pool);

    return NULL;
}


static void
nudge_campaign_defaults(nudge_campaign_t *c)
{
    nudge_str_set(&c->shop.currency, "EUR");
    nudge_str_set(&c->shop.locale, "en");
    nudge_str_set(&c->shop.timezone, "UTC");

    /* a campaign that says nothing about mail hands none over */

    nudge_str_set(&c->mail.relay, "smtp://127.0.0.1:25");
    c->mail.shadow = 1;

    c->moderation.max = 2;
    c->moderation.per = 7 * 86400;
    c->moderation.gap = 16 * 3600;
    c->moderation.quiet_from = 21 * 60;
    c->moderation.quiet_to = 8 * 60;
}


static nudge_int_t
nudge_campaign_run(nudge_campaign_priv_t *p)
{
    int  rc;

    rc = nudge_sandbox_run(p, nudge_campaign_main, p,
                           NUDGE_CAMPAIGN_COMPILE);

    /* a complaint caught by pcall() is a complaint, and so is a budget */

    if (p->failed) {
        return NUDGE_ERROR;
    }

    if (rc != 0 || p->tripped) {
        nudge_sandbox_failure(p, rc);
        *p->error = p->failure;
        return NUDGE_ERROR;
    }

    if (p->shop == 0) {
        snprintf((char *) p->error->text, sizeof(p->error->text),
                 "%s:1: found no shop, expected shop { id = \"NAME\" }",
                 p->file[0]);
        return NUDGE_ERROR;
    }

    lua_settop(p->lua, 0);

    return NUDGE_OK;
}


static int
nudge_campaign_main(lua_State *lua)
{
    nudge_campaign_priv_t  *p;

    p = lua_touserdata(lua, 1);

    if (nudge_sandbox_load(lua, p->text, 0) != 0) {
        return lua_error(lua);
    }

    lua_call(lua, 0, 0);
    nudge_dsl_complete(p);

    return 0;
}


void
nudge_campaign_destroy(nudge_campaign_t *c)
{
    nudge_campaign_priv_t  *p;

    if (c == NULL) {
        return;
    }

    p = c->priv;

    nudge_sandbox_destroy(p);
    nudge_pool_destroy(p->pool);
}


nudge_uint_t
nudge_campaign_offer(nudge_campaign_t *c, nudge_uint_t offer,
    const nudge_facts_t *facts, nudge_uint_t *failed)
{
    if (offer >= c->noffers) {
        if (failed != NULL) {
            *failed = 0;
        }

        return 0;
    }

    return nudge_when_met(c->priv, c->offers[offer].when, facts, failed);
}


nudge_uint_t
nudge_campaign_step(nudge_campaign_t *c, nudge_uint_t flow, nudge_uint_t step,
    const nudge_facts_t *facts, nudge_uint_t *failed)
{
    if (flow >= c->nflows || step >= c->flows[flow].nsteps) {
        if (failed != NULL) {
            *failed = 0;
        }

        return 0;
    }

    return nudge_when_met(c->priv, c->flows[flow].steps[step].when, facts,
                          failed);
}


const char *
nudge_campaign_failure(const nudge_campaign_t *c)
{
    nudge_campaign_priv_t  *p;

    p = c->priv;

    return (const char *) p->failure.text;
}


const char *
nudge_campaign_no_sending(const nudge_campaign_t *c)
{
    if (c->shop.from.len == 0) {
        return "shop has no \"from\"";
    }

    if (c->shop.postal_address.len == 0) {
        return "shop has no \"postal_address\"";
    }

    if (c->shop.url.len == 0) {
        return "shop has no \"url\"";
    }

    if (!c->shop.demo && !nudge_str_starts(&c->shop.url, "https://")) {
        return "shop's \"url\" is not https";
    }

    return NULL;
}


int64_t
nudge_duration(const nudge_str_t *s)
{
    int64_t      n;
    nudge_str_t  digits;

    if (s->len < 2 || s->len > 10) {
        return NUDGE_ERROR;
    }

    digits.data = s->data;
    digits.len = s->len - 1;

    n = nudge_str_int(&digits);

    if (n < 0) {
        return NUDGE_ERROR;
    }

    switch (s->data[s->len - 1]) {

    case 's':
        return n;

    case 'm':
        return n * 60;

    case 'h':
        return n * 3600;

    case 'd':
        return n * 86400;

    case 'w':
        return n * 7 * 86400;

    default:
        return NUDGE_ERROR;
    }
}


/*
 * "at most 2 e-mails a week", from the moderation that is in force.  There are
 * words for it in English only: other locales' templates leave it out or say
 * it themselves.
 */

nudge_int_t
nudge_campaign_frequency(const nudge_campaign_t *c, nudge_pool_t *pool,
    nudge_value_t *root)
{
    int64_t                    n;
    const char                *unit;
    nudge_buf_t                b;
    nudge_str_t                text;
    const nudge_moderation_t  *m;

    m = &c->moderation;

    if (m->max == 0 || m->per < 86400 || m->per % 86400
        || (c->shop.locale.len
            && !nudge_str_starts(&c->shop.locale, "en")))
    {
        return NUDGE_OK;
    }

    n = m->per / 86400;
    unit = "day";

    if (n % 7 == 0) {
        n /= 7;
        unit = "week";
    }

    if (nudge_buf_grow(&b, pool, 64, 128) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    nudge_buf_cstr(&b, "at most ");
    nudge_buf_int(&b, m->max);
    nudge_buf_cstr(&b, m->max == 1 ? " e-mail " : " e-mails ");

    if (n == 1) {
        nudge_buf_cstr(&b, "a ");
        nudge_buf_cstr(&b, unit);

    } else {
        nudge_buf_cstr(&b, "in ");
        nudge_buf_int(&b, n);
        nudge_buf_char(&b, ' ');
        nudge_buf_cstr(&b, unit);
        nudge_buf_char(&b, 's');
    }

    text = nudge_buf_result(&b);
    nudge_value_add_str(pool, root, "frequency", &text);

    return b.full ? NUDGE_ERROR : NUDGE_OK;
}
