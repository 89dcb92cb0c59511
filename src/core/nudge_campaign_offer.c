
/*
 * The words of a campaign that name something: offer "x" {...} and flow "x"
 * {...}.  Lua reads them as two calls, so a name whose table never comes is
 * kept in mind and refused.
 */
#include "nudge_campaign_priv.h"

#include <stdio.h>


static int nudge_dsl_offer_body(lua_State *lua);
static int nudge_dsl_flow_body(lua_State *lua);
static int nudge_dsl_head(lua_State *lua, const char *word,
    lua_CFunction body);
static void nudge_dsl_body(nudge_scope_t *s, lua_State *lua, char *what,
    size_t size, const char *word, nudge_str_t *name);
static void nudge_dsl_placing(nudge_scope_t *s, nudge_offer_t *o);
static void nudge_dsl_recommend(nudge_scope_t *s, nudge_offer_t *o);
static void nudge_dsl_cap(nudge_scope_t *s, nudge_offer_t *o);
static void nudge_dsl_steps(nudge_scope_t *s, nudge_flow_t *f,
    nudge_uint_t trigger);
static void nudge_dsl_step(nudge_scope_t *s, nudge_flow_t *f,
    nudge_uint_t n, nudge_uint_t trigger);


static const char *const  nudge_dsl_offer_keys[] = {
    "on", "kind", "template", "when", "recommend", "count", "coupon", "cap",
    NULL
};

static const char *const  nudge_dsl_flow_keys[] = {
    "on", "after", "override", "ambiguous", NULL
};

static const char *const  nudge_dsl_step_keys[] = {
    "mail", "after", "when", NULL
};

/* in the order of nudge_on_t and nudge_kind_t */

static const char *const  nudge_dsl_on[] = {
    "exit_intent", "cart", "checkout", "product", "page", NULL
};

static const char *const  nudge_dsl_kinds[] = { "popup", "banner", NULL };

static const char *const  nudge_dsl_strategies[] = {
    "recent", "popular", "also_bought", "also_viewed", "for_you", NULL
};

static const char *const  nudge_dsl_triggers[] = {
    "cart_abandoned", "subscribed", NULL
};

static const char *const  nudge_dsl_ambiguous[] = {
    "report", "resend", NULL
};


int
nudge_dsl_offer(lua_State *lua)
{
    return nudge_dsl_head(lua, "offer", nudge_dsl_offer_body);
}


int
nudge_dsl_flow(lua_State *lua)
{
    return nudge_dsl_head(lua, "flow", nudge_dsl_flow_body);
}


/* offer "name": gives the function that takes the table */

static int
nudge_dsl_head(lua_State *lua, const char *word, lua_CFunction body)
{
    char                    found[64];
    nudge_scope_t           s;
    nudge_campaign_priv_t  *p;

    nudge_scope_init(&s, lua, 1, word);

    p = s.priv;

    if (!p->compiling) {
        return nudge_scope_fail(&s, "found %s in a condition, expected it in "
                                "the campaign itself", word);
    }

    nudge_dsl_complete(p);

    if (lua_type(lua, 1) != LUA_TSTRING
        || !nudge_name_valid(lua_tostring(lua, 1), lua_objlen(lua, 1), 32))
    {
        return nudge_scope_fail(&s, "found %s after %s, expected its name: 1 "
                                "to 32 of a-z, 0-9 and \"-\" in quotes",
                                nudge_scope_found(lua, 1, found,
                                                  sizeof(found)),
                                word);
    }

    snprintf(p->pending_what, sizeof(p->pending_what), "%s \"%s\"", word,
             lua_tostring(lua, 1));

    p->pending = s;
    p->pending.what = p->pending_what;

    lua_pushvalue(lua, 1);
    lua_pushcclosure(lua, body, 1);

    return 1;
}


static void
nudge_dsl_body(nudge_scope_t *s, lua_State *lua, char *what, size_t size,
    const char *word, nudge_str_t *name)
{
    char          found[64];
    nudge_uint_t  none;

    snprintf(what, size, "%s \"%s\"", word,
             lua_tostring(lua, lua_upvalueindex(1)));

    none = 0;
    nudge_sandbox_priv(lua)->pending.what = NULL;
    nudge_dsl_begin(s, lua, what, &none);

    if (lua_gettop(lua) != 1) {
        (void) nudge_scope_fail(s, "found %s after the table of %s, expected "
                                "one table",
                                nudge_scope_found(lua, 2, found,
                                                  sizeof(found)),
                                what);
    }

    nudge_scope_copy(s, name, lua_tostring(lua, lua_upvalueindex(1)),
                     lua_objlen(lua, lua_upvalueindex(1)));
}


static int
nudge_dsl_offer_body(lua_State *lua)
{
    char               what[64];
    nudge_uint_t       i;
    nudge_offer_t      o;
    nudge_scope_t      s;
    nudge_campaign_t  *c;

    memset(&o, 0, sizeof(nudge_offer_t));

    nudge_dsl_body(&s, lua, what, sizeof(what), "offer", &o.name);
    nudge_scope_keys(&s, nudge_dsl_offer_keys, 0);

    c = s.priv->campaign;
    o.file = s.file;
    o.line = s.line;

    for (i = 0; i < c->noffers; i++) {
        if (nudge_str_eq(&c->offers[i].name, &o.name)) {
            return nudge_scope_fail(&s, "found a second %s, expected another "
                                    "name (the first is in line %u)", what,
                                    (unsigned) c->offers[i].line);
        }
    }

    if (c->noffers == NUDGE_CAMPAIGN_OFFERS) {
        return nudge_scope_fail(&s, "found more than %d offers, expected "
                                "fewer", NUDGE_CAMPAIGN_OFFERS);
    }

    nudge_dsl_placing(&s, &o);
    nudge_dsl_recommend(&s, &o);
    nudge_dsl_cap(&s, &o);
    (void) nudge_scope_coupon(&s, "coupon", &o.coupon);
    o.when = nudge_when_read(&s);

    c->offers[c->noffers++] = o;

    return 0;
}


static void
nudge_dsl_placing(nudge_scope_t *s, nudge_offer_t *o)
{
    nudge_uint_t  i, n, kind, on[NUDGE_CAMPAIGN_LIST];

    nudge_scope_need(s, "on", "one or several of exit_intent, cart, "
                     "checkout, product, page");
    nudge_scope_need(s, "kind", "\"popup\" or \"banner\"");

    n = nudge_scope_words(s, "on", nudge_dsl_on, 5, on);

    for (i = 0; i < n; i++) {
        o->on |= 1 << on[i];
    }

    kind = 0;
    (void) nudge_scope_words(s, "kind", nudge_dsl_kinds, 1, &kind);
    o->kind = kind;

    if (o->kind == NUDGE_KIND_POPUP && o->on != 1 << NUDGE_ON_EXIT_INTENT) {
        (void) nudge_scope_fail(s, "found a popup on a page's arrival in %s, "
                                "expected on = \"exit_intent\", or kind = "
                                "\"banner\"", s->what);
    }

    if (o->kind == NUDGE_KIND_BANNER
        && (o->on & 1 << NUDGE_ON_EXIT_INTENT))
    {
        (void) nudge_scope_fail(s, "found a banner on \"exit_intent\" in %s, "
                                "expected kind = \"popup\"", s->what);
    }

    o->template = nudge_cstr(o->kind == NUDGE_KIND_POPUP ? "cart" : "banner");
    (void) nudge_scope_name(s, "template", &o->template);
}


static void
nudge_dsl_recommend(nudge_scope_t *s, nudge_offer_t *o)
{
    int64_t       count;
    nudge_uint_t  strategy;

    if (nudge_scope_words(s, "recommend", nudge_dsl_strategies, 1,
                          &strategy))
    {
        o->recommend = nudge_cstr(nudge_dsl_strategies[strategy]);
        count = 4;

    } else {

        if (nudge_str_is(&o->template, "banner")) {
            nudge_scope_need(s, "recommend", "\"recent\", \"popular\" or "
                             "another strategy: the template \"banner\" "
                             "shows products");
        }

        count = 0;
    }

    if (nudge_scope_int(s, "count", 1, 12, &count) && !o->recommend.len) {
        (void) nudge_scope_fail(s, "found \"count\" without \"recommend\" in "
                                "%s, expected both", s->what);
    }

    o->count = count;
}


static void
nudge_dsl_cap(nudge_scope_t *s, nudge_offer_t *o)
{
    char    found[64];
    double  times;

    /* an overlay nobody limited comes once a day, not on every page */

    if (o->kind == NUDGE_KIND_POPUP) {
        o->cap = 1;
        o->cap_per = 86400;
    }

    if (!nudge_scope_table(s, "cap", "{ TIMES, \"1d\" }")) {
        return;
    }

    lua_rawgeti(s->lua, -1, 1);
    times = lua_type(s->lua, -1) == LUA_TNUMBER ? lua_tonumber(s->lua, -1)
                                                : 0;

    if (!(times >= 1 && times <= 1000) || times != (uint32_t) times
        || lua_objlen(s->lua, -2) != 2)
    {
        (void) nudge_scope_fail(s, "found %s for \"cap\" in %s, expected "
                                "{ TIMES, \"1d\" } with 1 to 1000 times",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                s->what);
    }

    lua_rawgeti(s->lua, -2, 2);
    nudge_scope_duration(s, "cap", lua_gettop(s->lua), &o->cap_per);
    o->cap = times;

    lua_pop(s->lua, 3);
}


static int
nudge_dsl_flow_body(lua_State *lua)
{
    char               what[64];
    nudge_uint_t       i, trigger, override, resend;
    nudge_flow_t      *f;
    nudge_str_t        name;
    nudge_scope_t      s;
    nudge_campaign_t  *c;

    nudge_dsl_body(&s, lua, what, sizeof(what), "flow", &name);
    nudge_scope_keys(&s, nudge_dsl_flow_keys, 1);

    c = s.priv->campaign;

    for (i = 0; i < c->nflows; i++) {
        if (nudge_str_eq(&c->flows[i].name, &name)) {
            return nudge_scope_fail(&s, "found a second %s, expected another "
                                    "name (the first is in line %u)", what,
                                    (unsigned) c->flows[i].line);
        }
    }

    if (c->nflows == NUDGE_CAMPAIGN_FLOWS) {
        return nudge_scope_fail(&s, "found more than %d flows, expected "
                                "fewer", NUDGE_CAMPAIGN_FLOWS);
    }

    f = &c->flows[c->nflows];
    memset(f, 0, sizeof(nudge_flow_t));

    f->name = name;
    f->file = s.file;
    f->line = s.line;

    trigger = 0;
    override = 0;
    resend = 0;

    nudge_scope_need(&s, "on", "\"cart_abandoned\" or \"subscribed\"");
    (void) nudge_scope_words(&s, "on", nudge_dsl_triggers, 1, &trigger);
    f->on = nudge_cstr(nudge_dsl_triggers[trigger]);

    (void) nudge_scope_words(&s, "ambiguous", nudge_dsl_ambiguous, 1,
                             &resend);
    f->ambiguous_resend = resend;

    nudge_dsl_steps(&s, f, trigger);

    (void) nudge_scope_bool(&s, "override", &override);

    if (f->nsteps > 4 && !override) {
        return nudge_scope_fail(&s, "found %d steps in %s, expected at most "
                                "4, or override = true", (int) f->nsteps,
                                what);
    }

    if (trigger == 0 && f->nsteps > 1) {
        nudge_scope_warn(&s, "found %d reminders for one cart in %s, "
                         "expected 1: more cost more customers than they "
                         "win", (int) f->nsteps, what);
    }

    c->nflows++;

    return 0;
}


static void
nudge_dsl_steps(nudge_scope_t *s, nudge_flow_t *f, nudge_uint_t trigger)
{
    char    found[64];
    size_t  i, n;

    n = lua_objlen(s->lua, s->table);

    if (n == 0 || n > NUDGE_CAMPAIGN_STEPS) {
        (void) nudge_scope_fail(s, "found %d steps in %s, expected 1 to %d: "
                                "{ mail = \"NAME\" }", (int) n, s->what,
                                NUDGE_CAMPAIGN_STEPS);
    }

    for (i = 0; i < n; i++) {

        lua_rawgeti(s->lua, s->table, i + 1);

        if (!lua_istable(s->lua, -1)) {
            (void) nudge_scope_fail(s, "found %s as step %d of %s, expected "
                                    "{ mail = \"NAME\" }",
                                    nudge_scope_found(s->lua, -1, found,
                                                      sizeof(found)),
                                    (int) i + 1, s->what);
        }

        nudge_dsl_step(s, f, i, trigger);
        lua_pop(s->lua, 1);
    }

    f->nsteps = n;
}


/* the step's table is on top of the stack */

static void
nudge_dsl_step(nudge_scope_t *s, nudge_flow_t *f, nudge_uint_t n,
    nudge_uint_t trigger)
{
    char           what[96];
    nudge_uint_t   outer, own;
    nudge_step_t  *step;
    nudge_scope_t  inner;

    snprintf(what, sizeof(what), "step %d of %s", (int) n + 1, s->what);

    inner = *s;
    inner.table = lua_gettop(s->lua);
    inner.what = what;

    nudge_scope_keys(&inner, nudge_dsl_step_keys, 0);
    nudge_scope_need(&inner, "mail", "the name of its templates");

    step = &f->steps[n];
    step->line = s->line;

    (void) nudge_scope_name(&inner, "mail", &step->mail);

    if (n > 0) {
        nudge_scope_need(&inner, "after", "a time after the step before, as "
                         "\"1d\"");
    }

    own = nudge_scope_span(&inner, "after", &step->after);
    outer = n == 0 && nudge_scope_span(s, "after", &step->after);

    if (own && outer) {
        (void) nudge_scope_fail(s, "found \"after\" in %s and in its first "
                                "step, expected one of them", s->what);
    }

    /* a cart counts as abandoned after four hours unless somebody says
     * otherwise; who has just subscribed is still there */

    if (n == 0 && !own && !outer && trigger == 0) {
        step->after = 4 * 3600;
    }

    step->when = nudge_when_read(&inner);
}
