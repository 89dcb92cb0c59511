
/*
 * The words of a campaign.  Here those without a name of their own: shop,
 * mail, moderation and use; nudge_campaign_offer.c has offer and flow.  Each
 * is a C function that looks at every member of its table: there is none whose
 * spelling or type goes unchecked.
 */
#include "nudge_campaign_priv.h"

#include <stdio.h>


static int nudge_dsl_shop(lua_State *lua);
static int nudge_dsl_mail(lua_State *lua);
static int nudge_dsl_moderation(lua_State *lua);
static int nudge_dsl_use(lua_State *lua);
static void nudge_dsl_quiet(nudge_scope_t *s, nudge_moderation_t *m);
static void nudge_dsl_email(nudge_scope_t *s, nudge_moderation_t *m);


const char *const  nudge_dsl_words[] = {
    "shop", "mail", "moderation", "offer", "flow", "use", "contains",
    "starts", "ends", "cjson", "table", "math", "pairs", "ipairs", "pcall",
    "tostring", "tonumber", "select", "type", "unpack", "error", NULL
};

static const char *const  nudge_dsl_shop_keys[] = {
    "id", "name", "url", "currency", "locale", "timezone", "from",
    "postal_address", "privacy", "demo", NULL
};

static const char *const  nudge_dsl_mail_keys[] = {
    "relay", "user", "password", "reply_to", "shadow", "customers", "tls",
    NULL
};


void
nudge_dsl_register(lua_State *lua)
{
    static const luaL_Reg  words[] = {
        { "shop", nudge_dsl_shop },
        { "mail", nudge_dsl_mail },
        { "moderation", nudge_dsl_moderation },
        { "offer", nudge_dsl_offer },
        { "flow", nudge_dsl_flow },
        { "use", nudge_dsl_use },
        { NULL, NULL }
    };

    const luaL_Reg  *w;

    for (w = words; w->name != NULL; w++) {
        lua_pushcfunction(lua, w->func);
        lua_setfield(lua, LUA_GLOBALSINDEX, w->name);
    }
}


void
nudge_dsl_complete(nudge_campaign_priv_t *p)
{
    if (p->pending.what != NULL) {
        (void) nudge_scope_fail(&p->pending, "found %s without a table, "
                                "expected { ... } after it",
                                p->pending.what);
    }
}


void
nudge_dsl_begin(nudge_scope_t *s, lua_State *lua, const char *what,
    nudge_uint_t *only)
{
    char  found[64];

    nudge_scope_init(s, lua, 1, what);

    if (!s->priv->compiling) {
        (void) nudge_scope_fail(s, "found %s in a condition, expected it in "
                                "the campaign itself", what);
    }

    nudge_dsl_complete(s->priv);

    if (!lua_istable(lua, 1)) {
        (void) nudge_scope_fail(s, "found %s after %s, expected { ... }",
                                nudge_scope_found(lua, 1, found,
                                                  sizeof(found)),
                                what);
    }

    if (*only) {
        (void) nudge_scope_fail(s, "found a second %s, expected one (the "
                                "first is in line %u)", what,
                                (unsigned) *only);
    }

    *only = s->line ? s->line : 1;
}


static int
nudge_dsl_shop(lua_State *lua)
{
    nudge_uint_t    demo;
    nudge_shop_t   *shop;
    nudge_scope_t   s;

    nudge_dsl_begin(&s, lua, "shop", &nudge_sandbox_priv(lua)->shop);
    nudge_scope_keys(&s, nudge_dsl_shop_keys, 0);

    shop = &s.priv->campaign->shop;

    nudge_scope_need(&s, "id", "1 to 32 of a-z, 0-9 and \"-\"");
    (void) nudge_scope_name(&s, "id", &shop->id);

    shop->name = shop->id;
    (void) nudge_scope_text(&s, "name", &shop->name, 200);

    (void) nudge_scope_lines(&s, "postal_address", &shop->postal_address,
                             500);
    (void) nudge_scope_origin(&s, "url", &shop->url);
    (void) nudge_scope_currency(&s, "currency", &shop->currency);
    (void) nudge_scope_locale(&s, "locale", &shop->locale);
    (void) nudge_scope_zone(&s, "timezone", &shop->timezone);
    (void) nudge_scope_mailbox(&s, "from", &shop->from);
    (void) nudge_scope_privacy(&s, "privacy", &shop->url, &shop->privacy);

    demo = 0;
    (void) nudge_scope_bool(&s, "demo", &demo);
    shop->demo = demo;

    return 0;
}


static int
nudge_dsl_mail(lua_State *lua)
{
    nudge_mail_t   *mail;
    nudge_uint_t    local, shadow, customers, tls;
    nudge_scope_t   s;

    nudge_dsl_begin(&s, lua, "mail", &nudge_sandbox_priv(lua)->mail);
    nudge_scope_keys(&s, nudge_dsl_mail_keys, 0);

    mail = &s.priv->campaign->mail;
    shadow = 0;
    customers = 0;

    (void) nudge_scope_bool(&s, "shadow", &shadow);
    (void) nudge_scope_bool(&s, "customers", &customers);

    if (!shadow) {
        nudge_scope_need(&s, "relay", "\"smtp://HOST:PORT\", or "
                         "shadow = true");
    }

    local = 1;
    (void) nudge_scope_relay(&s, "relay", &mail->relay, &local);

    tls = !local;
    (void) nudge_scope_bool(&s, "tls", &tls);

    (void) nudge_scope_text(&s, "user", &mail->user, 200);
    (void) nudge_scope_text(&s, "password", &mail->password, 200);
    (void) nudge_scope_mailbox(&s, "reply_to", &mail->reply_to);

    if ((mail->user.len == 0) != (mail->password.len == 0)) {
        return nudge_scope_fail(&s, "found only one of \"user\" and "
                                "\"password\" in mail, expected both or "
                                "none");
    }

    if (mail->password.len && !tls && !local) {
        return nudge_scope_fail(&s, "found a password and tls = false in "
                                "mail, expected TLS: it would travel in "
                                "clear text");
    }

    mail->shadow = shadow;
    mail->customers = customers;
    mail->tls = tls;

    return 0;
}


static int
nudge_dsl_moderation(lua_State *lua)
{
    static const char *const  keys[] = { "email", "quiet", NULL };

    nudge_scope_t        s;
    nudge_moderation_t  *m;

    nudge_dsl_begin(&s, lua, "moderation",
                    &nudge_sandbox_priv(lua)->moderation);
    nudge_scope_keys(&s, keys, 0);

    m = &s.priv->campaign->moderation;

    nudge_dsl_email(&s, m);
    nudge_dsl_quiet(&s, m);

    return 0;
}


static void
nudge_dsl_email(nudge_scope_t *s, nudge_moderation_t *m)
{
    static const char *const  keys[] = { "max", "per", "gap", NULL };

    int64_t        max;
    nudge_scope_t  inner;

    if (!nudge_scope_table(s, "email", "{ max = 2, per = \"1w\", gap = "
                           "\"16h\" }"))
    {
        return;
    }

    inner = *s;
    inner.table = lua_gettop(s->lua);
    inner.what = "\"email\" of moderation";

    nudge_scope_keys(&inner, keys, 0);

    max = m->max;
    (void) nudge_scope_int(&inner, "max", 1, 100, &max);
    (void) nudge_scope_span(&inner, "per", &m->per);
    (void) nudge_scope_span(&inner, "gap", &m->gap);
    m->max = max;

    lua_pop(s->lua, 1);
}


static void
nudge_dsl_quiet(nudge_scope_t *s, nudge_moderation_t *m)
{
    char           found[64];
    size_t         len;
    uint32_t       minutes[2];
    const char    *t;
    nudge_uint_t   i;

    if (!nudge_scope_table(s, "quiet", "{ \"21:00\", \"08:00\" }")) {
        return;
    }

    if (lua_objlen(s->lua, -1) != 2) {
        (void) nudge_scope_fail(s, "found %d times for \"quiet\" in %s, "
                                "expected { \"21:00\", \"08:00\" }",
                                (int) lua_objlen(s->lua, -1), s->what);
    }

    for (i = 0; i < 2; i++) {
        lua_rawgeti(s->lua, -1, i + 1);

        len = 0;
        t = lua_type(s->lua, -1) == LUA_TSTRING
            ? lua_tolstring(s->lua, -1, &len) : "";

        if (len != 5 || t[0] < '0' || t[0] > '2' || t[1] < '0' || t[1] > '9'
            || t[2] != ':' || t[3] < '0' || t[3] > '5' || t[4] < '0'
            || t[4] > '9' || (t[0] == '2' && t[1] > '3'))
        {
            (void) nudge_scope_fail(s, "found %s for \"quiet\" in %s, "
                                    "expected a time of day as \"21:00\"",
                                    nudge_scope_found(s->lua, -1, found,
                                                      sizeof(found)),
                                    s->what);
        }

        minutes[i] = (t[0] - '0') * 600 + (t[1] - '0') * 60
                     + (t[3] - '0') * 10 + (t[4] - '0');

        lua_pop(s->lua, 1);
    }

    m->quiet_from = minutes[0];
    m->quiet_to = minutes[1];

    lua_pop(s->lua, 1);
}


static int
nudge_dsl_use(lua_State *lua)
{
    char                    found[64];
    size_t                  len;
    nudge_str_t             text, copy;
    const char             *name;
    nudge_uint_t            i;
    nudge_scope_t           s;
    nudge_campaign_priv_t  *p;

    nudge_scope_init(&s, lua, 1, "use");

    p = s.priv;

    if (!p->compiling) {
        return nudge_scope_fail(&s, "found use in a condition, expected it "
                                "in the campaign itself");
    }

    nudge_dsl_complete(p);

    len = 0;
    name = lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &len) : "";

    if (strncmp(name, "flows/", 6) != 0
        || !nudge_name_valid(name + 6, len - 6, 32))
    {
        return nudge_scope_fail(&s, "found %s after use, expected "
                                "\"flows/NAME\"",
                                nudge_scope_found(lua, 1, found,
                                                  sizeof(found)));
    }

    lua_pushfstring(lua, "%s.lua", name);

    for (i = 1; i < p->nfiles; i++) {
        if (strcmp(p->file[i], lua_tostring(lua, -1)) == 0) {
            return nudge_scope_fail(&s, "found a second use of \"%s\", "
                                    "expected one", name);
        }
    }

    if (p->nfiles == NUDGE_CAMPAIGN_FILES) {
        return nudge_scope_fail(&s, "found more than %d files in use, "
                                "expected fewer", NUDGE_CAMPAIGN_FILES - 1);
    }

    if (p->use == NULL || p->use(p->use_data, name, &text) != NUDGE_OK) {
        return nudge_scope_fail(&s, "found no file \"%s.lua\", expected it "
                                "beside the campaign or in the installed "
                                "share directory", name);
    }

    nudge_scope_copy(&s, &copy, lua_tostring(lua, -1), lua_objlen(lua, -1));
    p->file[p->nfiles] = (const char *) copy.data;

    if (nudge_sandbox_load(lua, &text, p->nfiles++) != 0) {
        return lua_error(lua);
    }

    lua_call(lua, 0, 0);
    nudge_dsl_complete(p);

    return 0;
}
