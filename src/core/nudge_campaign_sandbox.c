
/*
 * The bounded Lua that reads a campaign: its own allocator with a limit, a
 * count hook with the JIT off (compiled traces do not look at hooks), source
 * text only, and an environment built from a list of what is allowed.  There
 * is no string library and strings have no metatable: pattern matching runs
 * in C for as long as its input wants, beyond any hook.
 *
 * Promise: whatever the file does, control comes back with a result.  A script
 * cannot swallow the end of its budget: once tripped, each further instruction
 * raises, so no pcall() gets to run another one.
 */


#include "nudge_campaign_priv.h"

#include <lualib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>


#define NUDGE_SANDBOX_NODES  10000      /* values cjson.encode() may walk */
#define NUDGE_SANDBOX_BYTES  65536
#define NUDGE_SANDBOX_DEPTH  16
#define NUDGE_SANDBOX_JSON   65536      /* bytes cjson.decode() takes */


typedef struct {
    lua_CFunction  call;
    void          *data;
} nudge_sandbox_call_t;


int luaopen_cjson_safe(lua_State *lua);

static void *nudge_sandbox_alloc(void *ud, void *ptr, size_t osize,
    size_t nsize);
static void nudge_sandbox_hook(lua_State *lua, lua_Debug *ar);
static int nudge_sandbox_setup(lua_State *lua);
static void nudge_sandbox_library(lua_State *lua, const char *name,
    lua_CFunction open, const char *const *names);
static void nudge_sandbox_cjson(lua_State *lua);
static int nudge_sandbox_encode(lua_State *lua);
static int nudge_sandbox_decode(lua_State *lua);
static nudge_int_t nudge_sandbox_measure(lua_State *lua, int index,
    nudge_uint_t depth, size_t *nodes, size_t *bytes);
static int nudge_sandbox_contains(lua_State *lua);
static int nudge_sandbox_starts(lua_State *lua);
static int nudge_sandbox_ends(lua_State *lua);
static int nudge_sandbox_unknown(lua_State *lua);
static int nudge_sandbox_enter(lua_State *lua);
static void nudge_sandbox_message(nudge_campaign_priv_t *p,
    const char *message, nudge_error_t *error);
static int nudge_sandbox_collect(lua_State *lua);


/* no xpcall(): its handler would run inside of our hook, where no hook is
 * called, and so without an end */

static const char *const  nudge_sandbox_base[] = {
    "assert", "error", "ipairs", "next", "pairs", "pcall", "rawequal",
    "rawget", "rawset", "select", "tonumber", "tostring", "type", "unpack",
    "_VERSION", NULL
};

static const char *const  nudge_sandbox_table[] = {
    "concat", "insert", "maxn", "remove", "sort", NULL
};

static const char *const  nudge_sandbox_math[] = {
    "abs", "ceil", "exp", "floor", "fmod", "huge", "log", "log10", "max",
    "min", "modf", "pi", "pow", "sqrt", NULL
};


nudge_int_t
nudge_sandbox_create(nudge_campaign_priv_t *p)
{
    p->lua = lua_newstate(nudge_sandbox_alloc, p);

    if (p->lua == NULL) {
        return NUDGE_ERROR;
    }

    if (luaJIT_setmode(p->lua, 0, LUAJIT_MODE_ENGINE|LUAJIT_MODE_OFF) == 0
        || lua_cpcall(p->lua, nudge_sandbox_setup, NULL) != 0)
    {
        nudge_sandbox_destroy(p);
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


void
nudge_sandbox_destroy(nudge_campaign_priv_t *p)
{
    if (p->lua != NULL) {
        lua_close(p->lua);
        p->lua = NULL;
    }
}


static void *
nudge_sandbox_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    void                   *new;
    nudge_campaign_priv_t  *p;

    p = ud;

    if (ptr == NULL) {
        osize = 0;
    }

    if (nsize == 0) {
        free(ptr);
        p->used -= osize;
        return NULL;
    }

    if (nsize > osize && nsize - osize > NUDGE_CAMPAIGN_MEMORY - p->used) {
        return NULL;
    }

    new = realloc(ptr, nsize);

    if (new != NULL) {
        p->used = p->used - osize + nsize;
    }

    return new;
}


nudge_campaign_priv_t *
nudge_sandbox_priv(lua_State *lua)
{
    void  *ud;

    (void) lua_getallocf(lua, &ud);

    return ud;
}


static void
nudge_sandbox_hook(lua_State *lua, lua_Debug *ar)
{
    nudge_campaign_priv_t  *p;

    p = nudge_sandbox_priv(lua);

    p->tripped = 1;
    (void) lua_sethook(lua, nudge_sandbox_hook, LUA_MASKCOUNT, 1);

    /* luaL_error() would name the caller's line, not the loop's */

    if (!lua_getinfo(lua, "Sl", ar)) {
        ar->short_src[0] = '\0';
        ar->currentline = 0;
    }

    lua_pushfstring(lua, "%s:%d: found more than %d instructions, expected "
                    "an end before that", ar->short_src, ar->currentline,
                    (int) p->budget);
    (void) lua_error(lua);
}


static int
nudge_sandbox_setup(lua_State *lua)
{
    int  base, env;

    lua_newtable(lua);
    env = lua_gettop(lua);

    /* luaopen_base() fills the global table: an empty one for the moment */

    lua_newtable(lua);
    base = lua_gettop(lua);
    lua_pushvalue(lua, base);
    lua_replace(lua, LUA_GLOBALSINDEX);

    lua_pushvalue(lua, env);
    nudge_sandbox_library(lua, "", luaopen_base, nudge_sandbox_base);
    nudge_sandbox_library(lua, LUA_TABLIBNAME, luaopen_table,
                          nudge_sandbox_table);
    nudge_sandbox_library(lua, LUA_MATHLIBNAME, luaopen_math,
                          nudge_sandbox_math);
    nudge_sandbox_cjson(lua);

    lua_pushcfunction(lua, nudge_sandbox_contains);
    lua_setfield(lua, env, "contains");
    lua_pushcfunction(lua, nudge_sandbox_starts);
    lua_setfield(lua, env, "starts");
    lua_pushcfunction(lua, nudge_sandbox_ends);
    lua_setfield(lua, env, "ends");

    /* a global nobody knows is a typing error, said so at its line */

    lua_newtable(lua);
    lua_pushcfunction(lua, nudge_sandbox_unknown);
    lua_setfield(lua, -2, "__index");
    (void) lua_setmetatable(lua, env);

    lua_pushvalue(lua, env);
    lua_replace(lua, LUA_GLOBALSINDEX);

    nudge_dsl_register(lua);

    /* what the libraries left behind for require() */

    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, "_LOADED");

    return 0;
}


/* the environment is on top of the stack and stays there */

static void
nudge_sandbox_library(lua_State *lua, const char *name, lua_CFunction open,
    const char *const *names)
{
    int  env, from, to;

    env = lua_gettop(lua);

    lua_pushcfunction(lua, open);
    lua_pushstring(lua, name);
    lua_call(lua, 1, 0);

    if (name[0] == '\0') {
        lua_pushvalue(lua, LUA_GLOBALSINDEX);
        from = lua_gettop(lua);
        to = env;

    } else {
        lua_getfield(lua, LUA_GLOBALSINDEX, name);
        from = lua_gettop(lua);
        lua_newtable(lua);
        to = lua_gettop(lua);
        lua_pushvalue(lua, to);
        lua_setfield(lua, env, name);
    }

    for ( /* void */ ; *names != NULL; names++) {
        lua_getfield(lua, from, *names);
        lua_setfield(lua, to, *names);
    }

    lua_settop(lua, env);
}


static void
nudge_sandbox_cjson(lua_State *lua)
{
    int  env, from, to;

    env = lua_gettop(lua);

    lua_pushcfunction(lua, luaopen_cjson_safe);
    lua_call(lua, 0, 1);
    from = lua_gettop(lua);

    lua_getfield(lua, from, "decode_max_depth");
    lua_pushinteger(lua, NUDGE_SANDBOX_DEPTH);
    lua_call(lua, 1, 0);
    lua_getfield(lua, from, "encode_max_depth");
    lua_pushinteger(lua, NUDGE_SANDBOX_DEPTH);
    lua_call(lua, 1, 0);
    lua_getfield(lua, from, "encode_keep_buffer");
    lua_pushboolean(lua, 0);
    lua_call(lua, 1, 0);

    lua_newtable(lua);
    to = lua_gettop(lua);

    lua_getfield(lua, from, "encode");
    lua_pushcclosure(lua, nudge_sandbox_encode, 1);
    lua_setfield(lua, to, "encode");
    lua_getfield(lua, from, "decode");
    lua_pushcclosure(lua, nudge_sandbox_decode, 1);
    lua_setfield(lua, to, "decode");
    lua_getfield(lua, from, "null");
    lua_setfield(lua, to, "null");

    lua_pushvalue(lua, to);
    lua_setfield(lua, env, "cjson");

    lua_settop(lua, env);
}


/*
 * cjson's buffer lives outside of our allocator, and a table that holds itself
 * several times a level grows without end: it is measured first.
 */

static int
nudge_sandbox_encode(lua_State *lua)
{
    size_t  nodes, bytes;

    lua_settop(lua, 1);

    nodes = 0;
    bytes = 0;

    if (nudge_sandbox_measure(lua, 1, 0, &nodes, &bytes) != NUDGE_OK) {
        return luaL_error(lua, "found too large a value for cjson.encode, "
                          "expected less than 64 KB");
    }

    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 1, LUA_MULTRET);

    return lua_gettop(lua);
}


static nudge_int_t
nudge_sandbox_measure(lua_State *lua, int index, nudge_uint_t depth,
    size_t *nodes, size_t *bytes)
{
    int  top;

    if (++*nodes > NUDGE_SANDBOX_NODES || depth > NUDGE_SANDBOX_DEPTH
        || !lua_checkstack(lua, 4))
    {
        return NUDGE_ERROR;
    }

    if (lua_type(lua, index) == LUA_TSTRING) {
        *bytes += lua_objlen(lua, index);
        return *bytes > NUDGE_SANDBOX_BYTES ? NUDGE_ERROR : NUDGE_OK;
    }

    if (!lua_istable(lua, index)) {
        return NUDGE_OK;
    }

    lua_pushnil(lua);

    while (lua_next(lua, index) != 0) {
        top = lua_gettop(lua);

        if (nudge_sandbox_measure(lua, top - 1, depth + 1, nodes, bytes)
            != NUDGE_OK
            || nudge_sandbox_measure(lua, top, depth + 1, nodes, bytes)
               != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        lua_pop(lua, 1);
    }

    return NUDGE_OK;
}


static int
nudge_sandbox_decode(lua_State *lua)
{
    lua_settop(lua, 1);

    if (lua_type(lua, 1) != LUA_TSTRING
        || lua_objlen(lua, 1) > NUDGE_SANDBOX_JSON)
    {
        return luaL_error(lua, "found no usable text for cjson.decode, "
                          "expected a string of at most 64 KB");
    }

    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, 1, LUA_MULTRET);

    return lua_gettop(lua);
}


static int
nudge_sandbox_contains(lua_State *lua)
{
    size_t       len, n;
    const char  *s, *needle;

    s = luaL_checklstring(lua, 1, &len);
    needle = luaL_checklstring(lua, 2, &n);

    /* memmem(): two-way search, linear in the worst case */

    lua_pushboolean(lua, n == 0 || memmem(s, len, needle, n) != NULL);

    return 1;
}


static int
nudge_sandbox_starts(lua_State *lua)
{
    size_t       len, n;
    const char  *s, *prefix;

    s = luaL_checklstring(lua, 1, &len);
    prefix = luaL_checklstring(lua, 2, &n);

    lua_pushboolean(lua, n <= len && memcmp(s, prefix, n) == 0);

    return 1;
}


static int
nudge_sandbox_ends(lua_State *lua)
{
    size_t       len, n;
    const char  *s, *suffix;

    s = luaL_checklstring(lua, 1, &len);
    suffix = luaL_checklstring(lua, 2, &n);

    lua_pushboolean(lua, n <= len && memcmp(s + len - n, suffix, n) == 0);

    return 1;
}


static int
nudge_sandbox_unknown(lua_State *lua)
{
    char         found[64];
    const char  *near;

    near = NULL;
    (void) nudge_scope_found(lua, 2, found, sizeof(found));

    if (lua_type(lua, 2) == LUA_TSTRING) {
        near = nudge_scope_near(lua_tostring(lua, 2), nudge_dsl_words);
    }

    if (near != NULL) {
        return luaL_error(lua, "found unknown name %s, expected \"%s\"?",
                          found, near);
    }

    return luaL_error(lua, "found unknown name %s, expected shop, mail, "
                      "moderation, offer, flow, use or a local", found);
}


int
nudge_sandbox_run(nudge_campaign_priv_t *p, lua_CFunction call, void *data,
    nudge_uint_t budget)
{
    int                   rc;
    nudge_sandbox_call_t  enter;

    enter.call = call;
    enter.data = data;

    p->tripped = 0;
    p->budget = budget;

    (void) lua_sethook(p->lua, nudge_sandbox_hook, LUA_MASKCOUNT,
                       (int) budget);

    rc = lua_cpcall(p->lua, nudge_sandbox_enter, &enter);

    (void) lua_sethook(p->lua, NULL, 0, 0);

    return rc;
}


static int
nudge_sandbox_enter(lua_State *lua)
{
    nudge_sandbox_call_t  *enter;

    enter = lua_touserdata(lua, 1);

    lua_settop(lua, 0);
    lua_pushlightuserdata(lua, enter->data);

    return enter->call(lua);
}


/*
 * Lua cuts a file's name at 60 characters: chunks are called by number, and
 * nudge_sandbox_message() puts the whole name back into what Lua says.
 */

int
nudge_sandbox_load(lua_State *lua, const nudge_str_t *text, nudge_uint_t file)
{
    char  name[16];

    snprintf(name, sizeof(name), "=#%u", (unsigned) file);

    if (text->len && text->data[0] == 0x1b) {
        lua_pushfstring(lua, "%s:1: found compiled code, expected Lua source",
                        name + 1);
        return LUA_ERRSYNTAX;
    }

    return luaL_loadbufferx(lua, (const char *) text->data, text->len, name,
                            "t");
}


nudge_uint_t
nudge_sandbox_where(nudge_campaign_priv_t *p, lua_State *lua,
    const char **file)
{
    int            level;
    lua_Debug      ar;
    nudge_uint_t   n;

    *file = p->file[0];

    for (level = 0; lua_getstack(lua, level, &ar); level++) {

        if (!lua_getinfo(lua, "Sl", &ar) || ar.currentline <= 0) {
            continue;
        }

        if (ar.short_src[0] == '#') {
            n = strtoul(ar.short_src + 1, NULL, 10);

            if (n < p->nfiles) {
                *file = p->file[n];
            }
        }

        return ar.currentline;
    }

    return 0;
}


void
nudge_sandbox_failure(nudge_campaign_priv_t *p, int rc)
{
    const char  *message;

    message = NULL;

    if (rc == LUA_ERRMEM) {
        message = "found a script that needs more than 4 MB, expected "
                  "less";

    } else if (rc != 0 && lua_type(p->lua, -1) == LUA_TSTRING) {
        message = lua_tostring(p->lua, -1);

    } else if (p->tripped) {
        message = "found a script that does not end, expected an end";
    }

    nudge_sandbox_message(p, message, &p->failure);

    lua_settop(p->lua, 0);
    (void) lua_cpcall(p->lua, nudge_sandbox_collect, NULL);
}


static void
nudge_sandbox_message(nudge_campaign_priv_t *p, const char *message,
    nudge_error_t *error)
{
    char           *rest;
    u_char         *c;
    const char     *end;
    unsigned long   n;

    if (message == NULL) {
        message = "found an error that is no text, expected "
                  "error(\"...\")";
    }

    n = 0;
    end = "";

    if (message[0] == '#') {
        n = strtoul(message + 1, &rest, 10);
        end = rest;
    }

    if (*end == ':' && n < p->nfiles) {
        snprintf((char *) error->text, sizeof(error->text), "%s%s",
                 p->file[n], end);

    } else {
        snprintf((char *) error->text, sizeof(error->text), "%s: %s",
                 p->file[0], message);
    }

    for (c = error->text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = ' ';
        }
    }
}


static int
nudge_sandbox_collect(lua_State *lua)
{
    (void) lua_gc(lua, LUA_GCCOLLECT, 0);

    return 0;
}
