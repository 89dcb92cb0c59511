
/*
 * A preset file into rules: runs the file once in a Lua state that has
 * nothing but tables and arithmetic, with limits on memory and instructions,
 * takes what "preset", "page" and "rule" are given, and closes the state.
 *
 * Promise: a preset that compiles holds nothing the other files would have to
 * check again; one that does not says where and why.
 */


#include "nudge_preset_read.h"

#include <lauxlib.h>
#include <luajit.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>


#define NUDGE_PRESET_STEPS  1000000
#define NUDGE_PRESET_TEXT   (256 * 1024)
#define NUDGE_PRESET_POOL   (1024 * 1024)


static void *nudge_compile_alloc(void *ud, void *p, size_t osize,
    size_t nsize);
static void nudge_compile_hook(lua_State *L, lua_Debug *ar);
static int nudge_compile_setup(lua_State *L);
static int nudge_compile_run(lua_State *L);
static int nudge_compile_unknown(lua_State *L);
static int nudge_compile_preset(lua_State *L);
static int nudge_compile_named(lua_State *L);
static nudge_int_t nudge_compile_finish(nudge_compiler_t *c);
static nudge_int_t nudge_compile_index(nudge_preset_t *preset,
    nudge_uint_t method);
static void nudge_compile_message(nudge_compiler_t *c, lua_State *L);


static void *
nudge_compile_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
    void              *q;
    nudge_compiler_t  *c;

    c = ud;
    osize = p ? osize : 0;

    if (nsize == 0) {
        c->memory -= osize;
        free(p);
        return NULL;
    }

    if (nsize > osize && nsize - osize > NUDGE_PRESET_MEMORY - c->memory) {
        return NULL;
    }

    q = realloc(p, nsize);

    if (q != NULL) {
        c->memory += nsize - osize;
    }

    return q;
}


static void
nudge_compile_hook(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "l", ar);
    lua_pushfstring(L, "#:%d: found more than %d instructions, expected a "
                    "table of rules", ar->currentline, NUDGE_PRESET_STEPS);
    lua_error(L);
}


nudge_preset_t *
nudge_preset_compile(const nudge_str_t *text, const char *name,
    nudge_error_t *error)
{
    lua_State         *L;
    nudge_int_t        rc;
    nudge_pool_t      *pool;
    nudge_preset_t    *preset;
    nudge_compiler_t  *c;

    error->text[0] = '\0';
    preset = NULL;
    rc = NUDGE_ERROR;
    c = calloc(1, sizeof(nudge_compiler_t));
    pool = nudge_pool_create(NUDGE_PRESET_POOL);

    if (c != NULL && pool != NULL) {
        preset = nudge_pcalloc(pool, sizeof(nudge_preset_t));
    }

    if (preset != NULL) {
        preset->pool = pool;
        preset->route_bit = -1;
        c->preset = preset;
        c->text = *text;
        c->name = name;
        c->message = (char *) error->text;
        c->size = sizeof(error->text);

        L = lua_newstate(nudge_compile_alloc, c);

        if (L != NULL) {
            if (lua_cpcall(L, nudge_compile_setup, c) != 0
                || lua_cpcall(L, nudge_compile_run, c) != 0)
            {
                nudge_compile_message(c, L);

            } else {
                rc = nudge_compile_finish(c);
            }

            lua_close(L);
        }
    }

    if (rc != NUDGE_OK) {
        if (error->text[0] == '\0') {
            snprintf((char *) error->text, sizeof(error->text),
                     "%s:1: found no memory, expected some for a preset",
                     name);
        }

        if (pool != NULL) {
            nudge_pool_destroy(pool);
        }

        preset = NULL;
    }

    free(c);

    return preset;
}


void
nudge_preset_destroy(nudge_preset_t *preset)
{
    if (preset != NULL) {
        nudge_pool_destroy(preset->pool);
    }
}


static int
nudge_compile_setup(lua_State *L)
{
    static const char *const  keep[] = {
        "assert", "error", "ipairs", "next", "pairs", "select", "tonumber",
        "tostring", "type", "unpack", NULL
    };

    int                env;
    void              *c;
    nudge_uint_t       i;
    lua_CFunction      words[3] = { nudge_compile_preset, nudge_compile_named,
                                    nudge_compile_named };
    const char        *names[3] = { "preset", "page", "rule" };

    c = lua_touserdata(L, 1);

    /* compiled traces do not look at the count hook */
    (void) luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE|LUAJIT_MODE_OFF);

    lua_newtable(L);
    env = lua_gettop(L);

    lua_pushcfunction(L, luaopen_base);
    lua_pushliteral(L, "");
    lua_call(L, 1, 0);

    for (i = 0; keep[i]; i++) {
        lua_getglobal(L, keep[i]);
        lua_setfield(L, env, keep[i]);
    }

    lua_pushcfunction(L, luaopen_table);
    lua_pushliteral(L, LUA_TABLIBNAME);
    lua_call(L, 1, 0);
    lua_getglobal(L, LUA_TABLIBNAME);
    lua_setfield(L, env, LUA_TABLIBNAME);

    for (i = 0; i < 3; i++) {
        lua_pushlightuserdata(L, c);
        lua_pushstring(L, names[i]);
        lua_pushcclosure(L, words[i], 2);
        lua_setfield(L, env, names[i]);
    }

    lua_newtable(L);
    lua_pushcfunction(L, nudge_compile_unknown);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, env);
    lua_setfield(L, LUA_REGISTRYINDEX, "nudge");

    return 0;
}


static int
nudge_compile_unknown(lua_State *L)
{
    return luaL_error(L, "found unknown name \"%s\", expected preset, page, "
                      "rule or a local",
                      lua_isstring(L, 2) ? lua_tostring(L, 2) : "?");
}


static int
nudge_compile_run(lua_State *L)
{
    nudge_compiler_t  *c;

    c = lua_touserdata(L, 1);

    if (c->text.len > NUDGE_PRESET_TEXT) {
        return luaL_error(L, "#:1: found %d bytes, expected at most %d",
                          (int) c->text.len, NUDGE_PRESET_TEXT);
    }

    /* "=#": Lua cuts long names, ours is put in afterwards; only text */

    if (luaL_loadbufferx(L, (char *) c->text.data, c->text.len, "=#", "t")
        != 0)
    {
        return lua_error(L);
    }

    lua_getfield(L, LUA_REGISTRYINDEX, "nudge");
    lua_setfenv(L, -2);
    lua_sethook(L, nudge_compile_hook, LUA_MASKCOUNT, NUDGE_PRESET_STEPS);
    lua_call(L, 0, 0);
    lua_sethook(L, NULL, 0, 0);

    return 0;
}


/* leaves alone what nudge_read_fail() wrote; Lua's own errors begin "#:" */

static void
nudge_compile_message(nudge_compiler_t *c, lua_State *L)
{
    char        *p;
    const char  *s;

    if (c->message[0] != '\0') {
        return;
    }

    s = lua_isstring(L, -1) ? lua_tostring(L, -1) : "found an error without "
                              "a text, expected a table of rules";

    if (s[0] == '#' && s[1] == ':') {
        snprintf(c->message, c->size, "%s%s", c->name, s + 1);

    } else {
        snprintf(c->message, c->size, "%s:1: %s", c->name, s);
    }

    for (p = c->message; *p; p++) {
        *p = (u_char) *p < 0x20 ? ' ' : *p;
    }
}


nudge_compiler_t *
nudge_compile_enter(lua_State *L, const char *what, const char *name)
{
    lua_Debug          ar;
    nudge_compiler_t  *c;

    c = lua_touserdata(L, lua_upvalueindex(1));
    c->uses = 0;

    if (lua_getstack(L, 1, &ar) && lua_getinfo(L, "l", &ar)
        && ar.currentline > 0)
    {
        c->line = ar.currentline;
    }

    if (name == NULL) {
        snprintf(c->what, sizeof(c->what), "%s", what);

    } else {
        snprintf(c->what, sizeof(c->what), "%s \"%.64s\"", what, name);
    }

    if (!lua_istable(L, 1)) {
        lua_settop(L, 1);
        nudge_read_fail_top(c, L, NULL, "a table: { ... }");
    }

    lua_settop(L, 1);

    if (!lua_checkstack(L, 32)) {
        luaL_error(L, "found too deep a nesting, expected less");
    }

    return c;
}


static int
nudge_compile_preset(lua_State *L)
{
    static const char *const  names[] = {
        "name", "version", "route", "ignore", NULL
    };
    static const char *const  routes[] = { "after", "query", NULL };

    nudge_preset_t    *preset;
    nudge_compiler_t  *c;

    c = nudge_compile_enter(L, "preset", NULL);
    preset = c->preset;

    if (c->begun) {
        nudge_read_fail(c, L, NULL, NULL, "a second preset", "one in a file");
    }

    c->begun = 1;
    nudge_read_known(c, L, 1, "", names);
    preset->name = nudge_read_str(c, L, 1, "name", 1);
    nudge_read_patterns(c, L, 1, "ignore", &preset->ignore);

    lua_getfield(L, 1, "version");

    if (lua_type(L, -1) != LUA_TNUMBER || lua_tonumber(L, -1) < 1
        || lua_tonumber(L, -1) > 1000000)
    {
        nudge_read_fail_top(c, L, "version", "a number from 1");
    }

    preset->version = (nudge_uint_t) lua_tonumber(L, -1);
    lua_pop(L, 1);

    lua_getfield(L, 1, "route");

    if (lua_istable(L, -1)) {
        nudge_read_known(c, L, 2, "route", routes);
        preset->route_after = nudge_read_str(c, L, 2, "after", 0);
        preset->route_query = nudge_read_str(c, L, 2, "query", 0);

        if (preset->route_query.len) {
            preset->route_bit = nudge_read_name(c, L, "route",
                                                &preset->route_query);
        }

    } else if (!lua_isnil(L, -1)) {
        nudge_read_fail_top(c, L, "route",
                            "a table such as { query = \"route\" }");
    }

    return 0;
}


/* page "name" and rule "name" give a function that takes the table */

static int
nudge_compile_named(lua_State *L)
{
    const char        *word;
    nudge_compiler_t  *c;

    c = lua_touserdata(L, lua_upvalueindex(1));
    word = lua_tostring(L, lua_upvalueindex(2));

    if (lua_type(L, 1) != LUA_TSTRING || lua_objlen(L, 1) == 0
        || lua_objlen(L, 1) > 64)
    {
        return luaL_error(L, "found no name for a %s, expected %s \"name\" "
                          "{ ... }", word, word);
    }

    if (!c->begun) {
        return luaL_error(L, "found a %s, expected preset { name = ... } "
                          "before it", word);
    }

    lua_pushlightuserdata(L, c);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, word[0] == 'p' ? nudge_compile_page
                                       : nudge_compile_rule, 2);

    return 1;
}


static nudge_int_t
nudge_compile_finish(nudge_compiler_t *c)
{
    nudge_uint_t     m;
    nudge_preset_t  *preset;

    preset = c->preset;

    if (!c->begun) {
        snprintf(c->message, c->size, "%s:1: found no preset, expected "
                 "preset { name = ..., version = ... }", c->name);
        return NUDGE_ERROR;
    }

    preset->nrules = c->nrules;
    preset->rules = nudge_pcalloc(preset->pool,
                                  c->nrules * sizeof(nudge_rule_t) + 1);
    preset->npages = c->npages;
    preset->pages = nudge_pcalloc(preset->pool,
                                  c->npages * sizeof(nudge_page_rule_t) + 1);

    if (preset->rules == NULL || preset->pages == NULL) {
        return NUDGE_ERROR;
    }

    memcpy(preset->rules, c->rules, c->nrules * sizeof(nudge_rule_t));
    memcpy(preset->pages, c->pages, c->npages * sizeof(nudge_page_rule_t));

    for (m = 0; m < NUDGE_PRESET_METHODS; m++) {
        if (nudge_compile_index(preset, m) != NUDGE_OK) {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_compile_index(nudge_preset_t *preset, nudge_uint_t method)
{
    nudge_uint_t           i;
    nudge_rule_t          *rule;
    nudge_method_index_t  *index;

    index = &preset->index[method];
    index->rule = nudge_pcalloc(preset->pool,
                                preset->nrules * sizeof(uint16_t) + 1);
    index->plain = nudge_pcalloc(preset->pool,
                                 preset->nrules * sizeof(uint16_t) + 1);

    if (index->rule == NULL || index->plain == NULL) {
        return NUDGE_ERROR;
    }

    for (i = 0; i < preset->nrules; i++) {
        rule = &preset->rules[i];

        if (!(rule->methods & 1 << method)) {
            continue;
        }

        index->rule[index->n++] = (uint16_t) i;

        if (rule->need == 0) {
            index->plain[index->nplain++] = (uint16_t) i;
        }
    }

    return NUDGE_OK;
}
