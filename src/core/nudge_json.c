
/*
 * JSON decoding: lua-cjson in a Lua state of our own, its tables copied to a
 * tree in the caller's pool.  Whatever Lua raises is caught here.
 *
 * cjson leaks its scratch buffer when an allocation fails half way, so a text
 * that might need more than the state's limit is refused before it gets there
 * (nudge_json_need); the limit itself is the second line of defence.
 */


#include "nudge_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lua5.1/lua-cjson.h>


/* what LuaJIT takes for the least JSON text of each kind, rounded up: a table
 * with its first slot, an element more in a growing one, a member more with
 * its key, half a string.  Checked by t/fuzz/json.c */

#define NUDGE_JSON_NEED_TABLE    128
#define NUDGE_JSON_NEED_ELEMENT  32
#define NUDGE_JSON_NEED_MEMBER   80
#define NUDGE_JSON_NEED_QUOTE    24


int luaopen_cjson_safe(lua_State *L);


struct nudge_json_s {
    lua_State          *L;
    size_t              used;
    size_t              limit;
    int                 decode;     /* reference of cjson's decode() */
};


typedef struct {
    nudge_json_t       *js;
    nudge_pool_t       *pool;
    nudge_str_t         text;
    nudge_value_t      *value;
    const char         *error;
} nudge_json_call_t;


static void *nudge_json_alloc(void *data, void *p, size_t osize, size_t nsize);
static int nudge_json_open(lua_State *L);
static int nudge_json_collect(lua_State *L);
static int nudge_json_call(lua_State *L);
static size_t nudge_json_need(const nudge_str_t *text);
static nudge_value_t *nudge_json_value(nudge_json_call_t *call, lua_State *L,
    nudge_uint_t depth);
static nudge_int_t nudge_json_children(nudge_json_call_t *call, lua_State *L,
    nudge_value_t *v, nudge_uint_t depth);
static nudge_int_t nudge_json_string(nudge_pool_t *pool, lua_State *L,
    int index, nudge_str_t *dst);
static nudge_value_t *nudge_json_sort(nudge_value_t *list, nudge_uint_t n,
    nudge_value_t **rest);


static void *
nudge_json_alloc(void *data, void *p, size_t osize, size_t nsize)
{
    void          *q;
    nudge_json_t  *js;

    js = data;

    if (p == NULL) {
        osize = 0;
    }

    if (nsize == 0) {
        js->used -= osize;
        free(p);
        return NULL;
    }

    if (nsize > osize && nsize - osize > js->limit - js->used) {
        return NULL;
    }

    q = realloc(p, nsize);

    if (q != NULL) {
        js->used += nsize - osize;
    }

    return q;
}


static int
nudge_json_open(lua_State *L)
{
    nudge_json_call_t  *call;

    call = lua_touserdata(L, 1);

    /* the collector runs between two texts, never inside one */

    lua_gc(L, LUA_GCSTOP, 0);

    lua_pushcfunction(L, luaopen_cjson_safe);
    lua_call(L, 0, 1);

    lua_getfield(L, -1, "decode_max_depth");
    lua_pushinteger(L, NUDGE_JSON_DEPTH);
    lua_call(L, 1, 0);

    lua_getfield(L, -1, "decode_invalid_numbers");
    lua_pushboolean(L, 0);
    lua_call(L, 1, 0);

    lua_getfield(L, -1, "decode");
    call->js->decode = luaL_ref(L, LUA_REGISTRYINDEX);

    return 0;
}


static int
nudge_json_collect(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCSTOP, 0);

    return 0;
}


nudge_json_t *
nudge_json_create(size_t memory)
{
    nudge_json_t       *js;
    nudge_json_call_t   call;

    js = calloc(1, sizeof(nudge_json_t));
    if (js == NULL) {
        return NULL;
    }

    js->limit = memory;
    js->L = lua_newstate(nudge_json_alloc, js);

    if (js->L == NULL) {
        free(js);
        return NULL;
    }

    memset(&call, 0, sizeof(nudge_json_call_t));
    call.js = js;

    if (!luaJIT_setmode(js->L, 0, LUAJIT_MODE_ENGINE|LUAJIT_MODE_OFF)
        || lua_cpcall(js->L, nudge_json_open, &call) != 0)
    {
        nudge_json_destroy(js);
        return NULL;
    }

    return js;
}


void
nudge_json_destroy(nudge_json_t *js)
{
    if (js == NULL) {
        return;
    }

    lua_close(js->L);
    free(js);
}


nudge_value_t *
nudge_json_decode(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *text, const char **error)
{
    size_t             room;
    nudge_json_call_t  call;

    memset(&call, 0, sizeof(nudge_json_call_t));

    call.js = js;
    call.pool = pool;
    call.text = *text;

    /* RFC 8259, section 8.1: a parser may ignore a byte order mark */

    if (text->len >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0) {
        call.text.data += 3;
        call.text.len -= 3;
    }

    room = js->limit - js->used;

    if (text->len > room || nudge_json_need(&call.text) > room) {
        call.error = "json needs too much memory";

    } else {
        if (lua_cpcall(js->L, nudge_json_call, &call) != 0
            && call.error == NULL)
        {
            call.error = "json decoder failed";
            call.value = NULL;
        }

        lua_settop(js->L, 0);
        (void) lua_cpcall(js->L, nudge_json_collect, NULL);
        lua_settop(js->L, 0);
    }

    if (error != NULL) {
        *error = call.value ? NULL : call.error;
    }

    return call.value;
}


/* more than cjson will allocate for this text: see the constants above */

static size_t
nudge_json_need(const nudge_str_t *text)
{
    size_t         i, need;
    nudge_uint_t   quoted;
    const u_char  *p;

    p = text->data;
    quoted = 0;

    /* the text itself, and the values of its strings */

    need = 4096 + text->len * 2;

    for (i = 0; i < text->len; i++) {

        if (p[i] == '"') {
            quoted = !quoted;
            need += NUDGE_JSON_NEED_QUOTE;
            continue;
        }

        if (quoted) {
            i += (p[i] == '\\');
            continue;
        }

        switch (p[i]) {

        case '[':
        case '{':
            need += NUDGE_JSON_NEED_TABLE;
            break;

        case ',':
            need += NUDGE_JSON_NEED_ELEMENT;
            break;

        case ':':
            need += NUDGE_JSON_NEED_MEMBER;
            break;

        default:
            break;
        }
    }

    return need;
}


static int
nudge_json_call(lua_State *L)
{
    size_t              len;
    const char         *message;
    nudge_str_t         src, dst;
    nudge_json_call_t  *call;

    call = lua_touserdata(L, 1);

    lua_rawgeti(L, LUA_REGISTRYINDEX, call->js->decode);
    lua_pushlstring(L, (char *) call->text.data, call->text.len);
    lua_call(L, 1, 2);

    if (lua_isnil(L, -2)) {
        call->error = "not json";
        message = lua_tolstring(L, -1, &len);

        if (message != NULL) {
            src.data = (u_char *) message;
            src.len = len;

            if (nudge_pstrdup(call->pool, &dst, &src) == NUDGE_OK) {
                call->error = (char *) dst.data;
            }
        }

        return 0;
    }

    lua_settop(L, -2);

    call->value = nudge_json_value(call, L, 0);
    if (call->value == NULL) {
        call->error = "json does not fit";
    }

    return 0;
}


static nudge_int_t
nudge_json_string(nudge_pool_t *pool, lua_State *L, int index,
    nudge_str_t *dst)
{
    size_t       n;
    u_char      *p, *end, *q;
    nudge_str_t  src;

    src.data = (u_char *) lua_tolstring(L, index, &src.len);

    if (nudge_utf8_valid(&src)) {
        return nudge_pstrdup(pool, dst, &src);
    }

    end = src.data + src.len;
    n = 0;

    for (p = src.data; p < end; n++) {
        (void) nudge_utf8_decode(&p, end);
    }

    /* at most three bytes for each bad one, four for each character */

    q = nudge_palloc(pool, (n < src.len / 3) ? n * 4 : src.len * 3 + 1);
    if (q == NULL) {
        return NUDGE_ERROR;
    }

    dst->data = q;

    for (p = src.data; p < end; /* void */ ) {
        q += nudge_utf8_encode(q, nudge_utf8_decode(&p, end));
    }

    dst->len = q - dst->data;
    *q = '\0';

    return NUDGE_OK;
}


/* integers are exact up to 2^53: identifiers are often longer than the 14
 * digits that "%.14g" keeps */

static nudge_int_t
nudge_json_number(nudge_pool_t *pool, nudge_value_t *v)
{
    int          n;
    char         text[32];
    nudge_str_t  src;

    if (v->number == floor(v->number) && fabs(v->number) <= 9007199254740992.0)
    {
        n = snprintf(text, sizeof(text), "%lld", (long long) v->number);

    } else {
        n = snprintf(text, sizeof(text), "%.14g", v->number);
    }

    if (n < 0 || (size_t) n >= sizeof(text)) {
        return NUDGE_ERROR;
    }

    src.data = (u_char *) text;
    src.len = n;

    return nudge_pstrdup(pool, &v->string, &src);
}


/* the value on top of the stack, which stays there */

static nudge_value_t *
nudge_json_value(nudge_json_call_t *call, lua_State *L, nudge_uint_t depth)
{
    nudge_value_t  *v;

    v = nudge_pcalloc(call->pool, sizeof(nudge_value_t));
    if (v == NULL) {
        return NULL;
    }

    switch (lua_type(L, -1)) {

    case LUA_TBOOLEAN:
        v->type = lua_toboolean(L, -1) ? NUDGE_JSON_TRUE : NUDGE_JSON_FALSE;
        break;

    case LUA_TNUMBER:
        v->number = lua_tonumber(L, -1);

        /* "1e999" overflows to infinity: no number anybody can use */

        if (!isfinite(v->number)) {
            v->number = 0;
            break;
        }

        v->type = NUDGE_JSON_NUMBER;

        if (nudge_json_number(call->pool, v) != NUDGE_OK) {
            return NULL;
        }

        break;

    case LUA_TSTRING:
        v->type = NUDGE_JSON_STRING;

        if (nudge_json_string(call->pool, L, -1, &v->string) != NUDGE_OK) {
            return NULL;
        }

        break;

    case LUA_TTABLE:
        if (nudge_json_children(call, L, v, depth) != NUDGE_OK) {
            return NULL;
        }

        break;

    default:
        /* cjson's null is a light userdata */
        break;
    }

    return v;
}


/* cjson gives the same empty table for "[]" and "{}": an object here.  Arrays
 * have no holes (null is a value), so the first key tells which it is */

static nudge_int_t
nudge_json_children(nudge_json_call_t *call, lua_State *L, nudge_value_t *v,
    nudge_uint_t depth)
{
    int             i, n;
    nudge_value_t  *child, **last;

    if (depth >= NUDGE_JSON_DEPTH || !lua_checkstack(L, 4)) {
        return NUDGE_ERROR;
    }

    v->type = NUDGE_JSON_OBJECT;
    last = &v->child;
    n = (int) lua_objlen(L, -1);

    if (n > 0) {
        v->type = NUDGE_JSON_ARRAY;

        for (i = 1; i <= n; i++) {
            lua_rawgeti(L, -1, i);
            child = nudge_json_value(call, L, depth + 1);
            lua_pop(L, 1);

            if (child == NULL) {
                return NUDGE_ERROR;
            }

            *last = child;
            last = &child->next;
            v->count++;
        }

        return NUDGE_OK;
    }

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        child = nudge_json_value(call, L, depth + 1);

        if (child == NULL
            || nudge_json_string(call->pool, L, -2, &child->name) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }

        lua_pop(L, 1);

        *last = child;
        last = &child->next;
        v->count++;
    }

    /* the order of a Lua table changes from state to state, ours does not */

    if (v->count > 1) {
        v->child = nudge_json_sort(v->child, v->count, &child);
    }

    return NUDGE_OK;
}


/* sorts the first n members of a list by name; *rest: what follows them */

static nudge_value_t *
nudge_json_sort(nudge_value_t *list, nudge_uint_t n, nudge_value_t **rest)
{
    nudge_value_t  *a, *b, *head, **last;

    if (n == 1) {
        *rest = list->next;
        list->next = NULL;
        return list;
    }

    a = nudge_json_sort(list, n / 2, &b);
    b = nudge_json_sort(b, n - n / 2, rest);
    last = &head;

    while (a != NULL && b != NULL) {
        if (nudge_str_cmp(&a->name, &b->name) <= 0) {
            *last = a;
            a = a->next;

        } else {
            *last = b;
            b = b->next;
        }

        last = &(*last)->next;
    }

    *last = a ? a : b;

    return head;
}
