
/*
 * Conditions.  The standard ones become plain C and cost a few comparisons;
 * one written as a function is called with a table of facts, within its
 * budget of instructions, and is switched off for good when it fails or
 * answers anything but true, false or nil.
 *
 * A condition about something that is not known is not met: when in doubt,
 * nothing is shown and nothing is sent.
 */


#include "nudge_campaign_priv.h"


typedef struct {
    nudge_campaign_priv_t  *priv;
    const nudge_when_t     *when;
    const nudge_facts_t    *facts;
    nudge_uint_t            met;
} nudge_when_call_t;


static void nudge_when_flag(nudge_scope_t *s, const char *key, int *flag);
static void nudge_when_members(nudge_scope_t *s, nudge_when_t *w);
static nudge_uint_t nudge_when_standard(const nudge_when_t *w,
    const nudge_facts_t *facts);
static nudge_uint_t nudge_when_flags(const nudge_when_t *w,
    const nudge_facts_t *facts);
static nudge_uint_t nudge_when_function(nudge_campaign_priv_t *p,
    nudge_when_t *w, const nudge_facts_t *facts, nudge_uint_t *failed);
static int nudge_when_call(lua_State *lua);
static void nudge_when_facts(lua_State *lua, const nudge_facts_t *facts);


static const char *const  nudge_when_keys[] = {
    "cart_min", "cart_max", "items_min", "items_max", "pages_min",
    "visits_min", "viewed_min", "page", "returning", "subscribed", "ordered",
    "person", NULL
};

static const char *const  nudge_when_pages[] = {
    "product", "cart", "checkout", "thankyou", "payment", "list", "search",
    "account", NULL
};


nudge_int_t
nudge_when_read(nudge_scope_t *s)
{
    char                    found[64], what[96];
    nudge_when_t           *w;
    nudge_scope_t           inner;
    nudge_campaign_priv_t  *p;

    p = s->priv;

    lua_pushliteral(s->lua, "when");
    lua_rawget(s->lua, s->table);

    if (lua_isnil(s->lua, -1)) {
        lua_pop(s->lua, 1);
        return -1;
    }

    w = nudge_pcalloc(p->pool, sizeof(nudge_when_t));

    if (w == NULL || p->nwhen == NUDGE_CAMPAIGN_WHEN) {
        return nudge_scope_fail(s, "found too many conditions, expected "
                                "fewer");
    }

    w->function = LUA_NOREF;
    w->file = s->file;
    w->line = s->line;

    if (lua_isfunction(s->lua, -1)) {

        w->function = luaL_ref(s->lua, LUA_REGISTRYINDEX);
        p->functions++;

    } else if (lua_istable(s->lua, -1)) {

        lua_pushfstring(s->lua, "\"when\" of %s", s->what);
        strncpy(what, lua_tostring(s->lua, -1), sizeof(what) - 1);
        what[sizeof(what) - 1] = '\0';
        lua_pop(s->lua, 1);

        inner = *s;
        inner.table = lua_gettop(s->lua);
        inner.what = what;

        nudge_when_members(&inner, w);
        lua_pop(s->lua, 1);

    } else {
        return nudge_scope_fail(s, "found %s for \"when\" in %s, expected "
                                "{ conditions } or a function",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                s->what);
    }

    p->when[p->nwhen] = w;

    return p->nwhen++;
}


static void
nudge_when_members(nudge_scope_t *s, nudge_when_t *w)
{
    nudge_uint_t  i, n, page[NUDGE_CAMPAIGN_LIST];

    nudge_scope_keys(s, nudge_when_keys, 0);

    w->cart_min = NUDGE_MONEY_NONE;
    w->cart_max = NUDGE_MONEY_NONE;
    w->items_min = -1;
    w->items_max = -1;
    w->pages_min = -1;
    w->visits_min = -1;
    w->viewed_min = -1;

    (void) nudge_scope_money(s, "cart_min", &w->cart_min);
    (void) nudge_scope_money(s, "cart_max", &w->cart_max);
    (void) nudge_scope_int(s, "items_min", 0, 10000, &w->items_min);
    (void) nudge_scope_int(s, "items_max", 0, 10000, &w->items_max);
    (void) nudge_scope_int(s, "pages_min", 0, 10000, &w->pages_min);
    (void) nudge_scope_int(s, "visits_min", 0, 10000, &w->visits_min);
    (void) nudge_scope_int(s, "viewed_min", 0, 10000, &w->viewed_min);

    nudge_when_flag(s, "returning", &w->returning);
    nudge_when_flag(s, "subscribed", &w->subscribed);
    nudge_when_flag(s, "ordered", &w->ordered);
    nudge_when_flag(s, "person", &w->person);

    n = nudge_scope_words(s, "page", nudge_when_pages, NUDGE_CAMPAIGN_LIST,
                          page);
    if (n == 0) {
        return;
    }

    w->page = nudge_pcalloc(s->priv->pool, n * sizeof(nudge_str_t));
    if (w->page == NULL) {
        (void) nudge_scope_fail(s, "no memory");
        return;
    }

    for (i = 0; i < n; i++) {
        w->page[i] = nudge_cstr(nudge_when_pages[page[i]]);
    }

    w->npage = n;
}


static void
nudge_when_flag(nudge_scope_t *s, const char *key, int *flag)
{
    nudge_uint_t  on;

    *flag = -1;

    if (nudge_scope_bool(s, key, &on)) {
        *flag = on;
    }
}


nudge_uint_t
nudge_when_met(nudge_campaign_priv_t *p, nudge_int_t when,
    const nudge_facts_t *facts, nudge_uint_t *failed)
{
    nudge_uint_t   ignored;
    nudge_when_t  *w;

    if (failed == NULL) {
        failed = &ignored;
    }

    *failed = 0;

    if (when < 0) {
        return 1;
    }

    if ((nudge_uint_t) when >= p->nwhen) {
        return 0;
    }

    w = p->when[when];

    if (w->function == LUA_NOREF) {
        return nudge_when_standard(w, facts);
    }

    return w->off ? 0 : nudge_when_function(p, w, facts, failed);
}


static nudge_uint_t
nudge_when_standard(const nudge_when_t *w, const nudge_facts_t *facts)
{
    nudge_uint_t  i;

    if ((w->cart_min != NUDGE_MONEY_NONE || w->cart_max != NUDGE_MONEY_NONE)
        && facts->cart_total == NUDGE_MONEY_NONE)
    {
        return 0;
    }

    if (w->cart_min != NUDGE_MONEY_NONE && facts->cart_total < w->cart_min) {
        return 0;
    }

    if (w->cart_max != NUDGE_MONEY_NONE && facts->cart_total > w->cart_max) {
        return 0;
    }

    if (facts->cart_items < w->items_min || facts->pages < w->pages_min
        || facts->visits < w->visits_min || facts->viewed < w->viewed_min
        || (w->items_max >= 0 && facts->cart_items > w->items_max))
    {
        return 0;
    }

    if (!nudge_when_flags(w, facts)) {
        return 0;
    }

    for (i = 0; i < w->npage; i++) {
        if (nudge_str_eq(&w->page[i], &facts->page)) {
            return 1;
        }
    }

    return w->npage == 0;
}


static nudge_uint_t
nudge_when_flags(const nudge_when_t *w, const nudge_facts_t *facts)
{
    return (w->returning < 0 || w->returning == (facts->visits > 1))
           && (w->subscribed < 0 || w->subscribed == (int) facts->subscribed)
           && (w->ordered < 0 || w->ordered == (int) facts->ordered)
           && (w->person < 0 || w->person == (int) facts->person);
}


static nudge_uint_t
nudge_when_function(nudge_campaign_priv_t *p, nudge_when_t *w,
    const nudge_facts_t *facts, nudge_uint_t *failed)
{
    int                rc;
    nudge_when_call_t  call;

    call.priv = p;
    call.when = w;
    call.facts = facts;
    call.met = 0;

    rc = nudge_sandbox_run(p, nudge_when_call, &call, NUDGE_CAMPAIGN_CALL);

    if (rc == 0 && !p->tripped) {
        return call.met;
    }

    w->off = 1;
    *failed = 1;

    nudge_sandbox_failure(p, rc);

    return 0;
}


static int
nudge_when_call(lua_State *lua)
{
    nudge_uint_t        i;
    nudge_when_call_t  *call;

    call = lua_touserdata(lua, 1);

    lua_rawgeti(lua, LUA_REGISTRYINDEX, call->when->function);
    nudge_when_facts(lua, call->facts);
    lua_call(lua, 1, 1);

    if (!lua_isnil(lua, -1) && !lua_isboolean(lua, -1)) {

        for (i = 0; i < call->priv->nfiles; i++) {
            if (call->priv->file[i] == call->when->file) {
                break;
            }
        }

        return luaL_error(lua, "#%d:%d: found a %s as the answer of "
                          "\"when\", expected true or false", (int) i,
                          (int) call->when->line,
                          lua_typename(lua, lua_type(lua, -1)));
    }

    call->met = lua_toboolean(lua, -1);

    return 0;
}


static void
nudge_when_facts(lua_State *lua, const nudge_facts_t *facts)
{
    lua_createtable(lua, 0, 10);

    if (facts->cart_total != NUDGE_MONEY_NONE) {
        lua_pushnumber(lua, (double) facts->cart_total / NUDGE_MONEY_UNIT);
        lua_setfield(lua, -2, "cart_total");
    }

    lua_pushnumber(lua, (double) facts->cart_items);
    lua_setfield(lua, -2, "cart_items");
    lua_pushnumber(lua, (double) facts->pages);
    lua_setfield(lua, -2, "pages");
    lua_pushnumber(lua, (double) facts->visits);
    lua_setfield(lua, -2, "visits");
    lua_pushnumber(lua, (double) facts->viewed);
    lua_setfield(lua, -2, "viewed");
    lua_pushlstring(lua, (const char *) facts->page.data, facts->page.len);
    lua_setfield(lua, -2, "page");
    lua_pushboolean(lua, facts->visits > 1);
    lua_setfield(lua, -2, "returning");
    lua_pushboolean(lua, facts->subscribed);
    lua_setfield(lua, -2, "subscribed");
    lua_pushboolean(lua, facts->ordered);
    lua_setfield(lua, -2, "ordered");
    lua_pushboolean(lua, facts->person);
    lua_setfield(lua, -2, "person");
}
