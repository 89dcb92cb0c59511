
/*
 * Reading the members of one statement's table, and every complaint about
 * them.  All say the same three things: where (FILE:LINE of the statement),
 * what was found, and what was expected.
 *
 * These functions run inside Lua's protected mode: a complaint is noted and
 * raised as a Lua error, so they return only with a usable value.  The note
 * stays even when the script catches the error: the file is refused anyway.
 */
#include "nudge_campaign_priv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>


#define NUDGE_SCOPE_WORD  32


static void nudge_scope_put(nudge_scope_t *s, u_char *text, size_t size,
    const char *fmt, va_list args);
static void nudge_scope_list(const char *const *words, char *buf,
    size_t size);
static nudge_uint_t nudge_scope_distance(const char *a, const char *b);
static nudge_uint_t nudge_scope_get(nudge_scope_t *s, const char *key);
static void nudge_scope_word(nudge_scope_t *s, const char *key, int index,
    const char *const *words, nudge_uint_t *dst);


void
nudge_scope_init(nudge_scope_t *s, lua_State *lua, int table,
    const char *what)
{
    s->priv = nudge_sandbox_priv(lua);
    s->lua = lua;
    s->table = table;
    s->what = what;
    s->line = nudge_sandbox_where(s->priv, lua, &s->file);
}


int
nudge_scope_fail(nudge_scope_t *s, const char *fmt, ...)
{
    va_list         args;
    nudge_error_t   error;

    memset(&error, 0, sizeof(nudge_error_t));

    va_start(args, fmt);
    nudge_scope_put(s, error.text, sizeof(error.text), fmt, args);
    va_end(args);

    if (!s->priv->failed) {
        s->priv->failed = 1;

        if (s->priv->error != NULL) {
            *s->priv->error = error;
        }
    }

    lua_pushstring(s->lua, (char *) error.text);

    return lua_error(s->lua);
}


void
nudge_scope_warn(nudge_scope_t *s, const char *fmt, ...)
{
    va_list            args;
    nudge_str_t       *w;
    nudge_error_t      error;
    nudge_campaign_t  *c;

    c = s->priv->campaign;

    if (c->nwarnings == NUDGE_CAMPAIGN_WARNINGS) {
        return;
    }

    va_start(args, fmt);
    nudge_scope_put(s, error.text, sizeof(error.text), fmt, args);
    va_end(args);

    w = &c->warnings[c->nwarnings++];
    nudge_scope_copy(s, w, (char *) error.text, strlen((char *) error.text));
}


static void
nudge_scope_put(nudge_scope_t *s, u_char *text, size_t size, const char *fmt,
    va_list args)
{
    int  n;

    n = snprintf((char *) text, size, "%s:%u: ", s->file, (unsigned) s->line);

    if (n > 0 && (size_t) n < size) {
        vsnprintf((char *) text + n, size - n, fmt, args);
    }
}


const char *
nudge_scope_found(lua_State *lua, int index, char *buf, size_t size)
{
    u_char       *p;
    size_t        len;
    nudge_str_t   s;

    switch (lua_type(lua, index)) {

    case LUA_TNIL:
    case LUA_TNONE:
        return "nothing";

    case LUA_TBOOLEAN:
        return lua_toboolean(lua, index) ? "true" : "false";

    case LUA_TNUMBER:
        snprintf(buf, size, "%.14g", lua_tonumber(lua, index));
        return buf;

    case LUA_TTABLE:
        return "a table";

    case LUA_TFUNCTION:
        return "a function";

    case LUA_TSTRING:
        break;

    default:
        return "a value of another kind";
    }

    s.data = (u_char *) lua_tolstring(lua, index, &len);
    s.len = len;
    s = nudge_utf8_cut(s, size > 44 ? 40 : size - 4);

    snprintf(buf, size, "\"%.*s\"", (int) s.len, s.data);

    for (p = (u_char *) buf; *p != '\0'; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    return buf;
}


/* Levenshtein, for words: 2 edits in longer ones, 1 in short ones */

const char *
nudge_scope_near(const char *word, const char *const *keys)
{
    const char    *near;
    nudge_uint_t   d, best;

    near = NULL;
    best = strlen(word) > 3 ? 3 : 2;

    for ( /* void */ ; *keys != NULL; keys++) {
        d = nudge_scope_distance(word, *keys);

        if (d < best) {
            best = d;
            near = *keys;
        }
    }

    return near;
}


static nudge_uint_t
nudge_scope_distance(const char *a, const char *b)
{
    size_t        i, j, la, lb;
    nudge_uint_t  row[NUDGE_SCOPE_WORD + 1], diagonal, above, cost;

    la = strlen(a);
    lb = strlen(b);

    if (la > NUDGE_SCOPE_WORD || lb > NUDGE_SCOPE_WORD) {
        return NUDGE_SCOPE_WORD;
    }

    for (j = 0; j <= lb; j++) {
        row[j] = j;
    }

    for (i = 1; i <= la; i++) {
        diagonal = row[0];
        row[0] = i;

        for (j = 1; j <= lb; j++) {
            above = row[j];
            cost = diagonal + (a[i - 1] != b[j - 1]);

            if (above + 1 < cost) {
                cost = above + 1;
            }

            if (row[j - 1] + 1 < cost) {
                cost = row[j - 1] + 1;
            }

            row[j] = cost;
            diagonal = above;
        }
    }

    return row[lb];
}


static void
nudge_scope_list(const char *const *words, char *buf, size_t size)
{
    int     n;
    size_t  used;

    used = 0;
    buf[0] = '\0';

    for ( /* void */ ; *words != NULL; words++) {

        n = snprintf(buf + used, size - used, "%s%s", *words,
                     words[1] == NULL ? "" : words[2] == NULL ? " or " : ", ");

        if (n < 0 || (size_t) n >= size - used) {
            return;
        }

        used += n;
    }
}


void
nudge_scope_keys(nudge_scope_t *s, const char *const *keys, nudge_uint_t list)
{
    char                found[64], all[256];
    const char         *near;
    lua_State          *lua;
    const char *const  *key;

    lua = s->lua;

    lua_pushnil(lua);

    while (lua_next(lua, s->table) != 0) {

        lua_pop(lua, 1);

        if (lua_type(lua, -1) == LUA_TNUMBER && list) {
            continue;
        }

        if (lua_type(lua, -1) != LUA_TSTRING) {
            (void) nudge_scope_fail(s, "found a value without a name in %s, "
                                    "expected name = value", s->what);
        }

        for (key = keys; *key != NULL; key++) {
            if (strcmp(*key, lua_tostring(lua, -1)) == 0) {
                break;
            }
        }

        if (*key != NULL) {
            continue;
        }

        near = nudge_scope_near(lua_tostring(lua, -1), keys);
        (void) nudge_scope_found(lua, -1, found, sizeof(found));
        nudge_scope_list(keys, all, sizeof(all));

        if (near != NULL) {
            (void) nudge_scope_fail(s, "found unknown %s in %s, expected %s; "
                                    "did you mean \"%s\"?", found, s->what,
                                    all, near);
        }

        (void) nudge_scope_fail(s, "found unknown %s in %s, expected %s",
                                found, s->what, all);
    }
}


/* leaves the member on the stack when there is one */

static nudge_uint_t
nudge_scope_get(nudge_scope_t *s, const char *key)
{
    luaL_checkstack(s->lua, 8, NULL);
    lua_pushstring(s->lua, key);
    lua_rawget(s->lua, s->table);

    if (lua_isnil(s->lua, -1)) {
        lua_pop(s->lua, 1);
        return 0;
    }

    return 1;
}


void
nudge_scope_need(nudge_scope_t *s, const char *key, const char *expected)
{
    if (!nudge_scope_get(s, key)) {
        (void) nudge_scope_fail(s, "found no \"%s\" in %s, expected %s", key,
                                s->what, expected);
    }

    lua_pop(s->lua, 1);
}


void
nudge_scope_copy(nudge_scope_t *s, nudge_str_t *dst, const char *data,
    size_t len)
{
    nudge_str_t  src;

    src.data = (u_char *) data;
    src.len = len;

    if (nudge_pstrdup(s->priv->pool, dst, &src) != NUDGE_OK) {
        (void) nudge_scope_fail(s, "found more text than fits into %d bytes, "
                                "expected a smaller campaign",
                                NUDGE_CAMPAIGN_POOL);
    }
}


nudge_uint_t
nudge_scope_text(nudge_scope_t *s, const char *key, nudge_str_t *dst,
    size_t max)
{
    if (!nudge_scope_lines(s, key, dst, max)) {
        return 0;
    }

    if (memchr(dst->data, '\n', dst->len) != NULL) {
        return nudge_scope_fail(s, "found several lines for \"%s\" in %s, "
                                "expected one", key, s->what);
    }

    return 1;
}


nudge_uint_t
nudge_scope_lines(nudge_scope_t *s, const char *key, nudge_str_t *dst,
    size_t max)
{
    char          found[64];
    size_t        len, i;
    u_char       *p;
    nudge_str_t   text;

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    if (lua_type(s->lua, -1) != LUA_TSTRING) {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected text "
                                "in quotes",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what);
    }

    p = (u_char *) lua_tolstring(s->lua, -1, &len);
    text.data = p;
    text.len = len;

    if (len == 0 || len > max || !nudge_utf8_valid(&text)) {
        return nudge_scope_fail(s, "found %s text for \"%s\" in %s, expected "
                                "1 to %d bytes of UTF-8",
                                len == 0 ? "empty" : len > max ? "too long"
                                                               : "broken",
                                key, s->what, (int) max);
    }

    for (i = 0; i < len; i++) {
        if ((p[i] < 0x20 && p[i] != '\n') || p[i] == 0x7f) {
            return nudge_scope_fail(s, "found a control character in \"%s\" "
                                    "in %s, expected plain text", key,
                                    s->what);
        }
    }

    nudge_scope_copy(s, dst, (char *) p, len);
    lua_pop(s->lua, 1);

    return 1;
}


nudge_uint_t
nudge_name_valid(const char *data, size_t len, size_t max)
{
    size_t  i;

    if (len == 0 || len > max || data[0] == '-') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (!((data[i] >= 'a' && data[i] <= 'z')
              || (data[i] >= '0' && data[i] <= '9') || data[i] == '-'))
        {
            return 0;
        }
    }

    return 1;
}


nudge_uint_t
nudge_scope_name(nudge_scope_t *s, const char *key, nudge_str_t *dst)
{
    char  found[64];

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    if (lua_type(s->lua, -1) != LUA_TSTRING
        || !nudge_name_valid(lua_tostring(s->lua, -1),
                             lua_objlen(s->lua, -1), 32))
    {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected 1 to "
                                "32 of a-z, 0-9 and \"-\"",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what);
    }

    nudge_scope_copy(s, dst, lua_tostring(s->lua, -1),
                     lua_objlen(s->lua, -1));
    lua_pop(s->lua, 1);

    return 1;
}


nudge_uint_t
nudge_scope_bool(nudge_scope_t *s, const char *key, nudge_uint_t *dst)
{
    char  found[64];

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    if (!lua_isboolean(s->lua, -1)) {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected true "
                                "or false",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what);
    }

    *dst = lua_toboolean(s->lua, -1);
    lua_pop(s->lua, 1);

    return 1;
}


nudge_uint_t
nudge_scope_int(nudge_scope_t *s, const char *key, int64_t min, int64_t max,
    int64_t *dst)
{
    char    found[64];
    double  n;

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    n = lua_type(s->lua, -1) == LUA_TNUMBER ? lua_tonumber(s->lua, -1) : NAN;

    if (!(n >= (double) min && n <= (double) max) || n != floor(n)) {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected a "
                                "whole number from %d to %d",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what, (int) min, (int) max);
    }

    *dst = (int64_t) n;
    lua_pop(s->lua, 1);

    return 1;
}


nudge_uint_t
nudge_scope_money(nudge_scope_t *s, const char *key, nudge_money_t *dst)
{
    char    found[64];
    double  n;

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    n = lua_type(s->lua, -1) == LUA_TNUMBER ? lua_tonumber(s->lua, -1) : NAN;

    if (!(n >= 0 && n <= 1e9)) {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected an "
                                "amount as 20 or 19.95",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what);
    }

    *dst = (nudge_money_t) llround(n * NUDGE_MONEY_UNIT);
    lua_pop(s->lua, 1);

    return 1;
}


nudge_uint_t
nudge_scope_span(nudge_scope_t *s, const char *key, int64_t *dst)
{
    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    nudge_scope_duration(s, key, lua_gettop(s->lua), dst);
    lua_pop(s->lua, 1);

    return 1;
}


void
nudge_scope_duration(nudge_scope_t *s, const char *key, int index,
    int64_t *dst)
{
    char         found[64];
    size_t       len;
    int64_t      n;
    nudge_str_t  text;

    n = NUDGE_ERROR;

    if (lua_type(s->lua, index) == LUA_TSTRING) {
        text.data = (u_char *) lua_tolstring(s->lua, index, &len);
        text.len = len;
        n = nudge_duration(&text);
    }

    if (n < 0 || n > NUDGE_CAMPAIGN_YEAR) {
        (void) nudge_scope_fail(s, "found %s for \"%s\" in %s, expected a "
                                "time as \"30s\", \"90m\", \"4h\", \"1d\" or "
                                "\"2w\", at most \"366d\"",
                                nudge_scope_found(s->lua, index, found,
                                                  sizeof(found)),
                                key, s->what);
    }

    *dst = n;
}


nudge_uint_t
nudge_scope_words(nudge_scope_t *s, const char *key, const char *const *words,
    nudge_uint_t max, nudge_uint_t *dst)
{
    size_t        n;
    nudge_uint_t  i;

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    if (max == 1 || !lua_istable(s->lua, -1)) {
        nudge_scope_word(s, key, lua_gettop(s->lua), words, dst);
        lua_pop(s->lua, 1);
        return 1;
    }

    n = lua_objlen(s->lua, -1);

    if (n == 0 || n > max) {
        return nudge_scope_fail(s, "found %d values for \"%s\" in %s, "
                                "expected 1 to %d", (int) n, key, s->what,
                                (int) max);
    }

    for (i = 0; i < n; i++) {
        lua_rawgeti(s->lua, -1, i + 1);
        nudge_scope_word(s, key, lua_gettop(s->lua), words, &dst[i]);
        lua_pop(s->lua, 1);
    }

    lua_pop(s->lua, 1);

    return n;
}


static void
nudge_scope_word(nudge_scope_t *s, const char *key, int index,
    const char *const *words, nudge_uint_t *dst)
{
    char           found[64], all[256];
    const char    *near, *text;
    nudge_uint_t   i;

    near = NULL;

    if (lua_type(s->lua, index) == LUA_TSTRING) {

        text = lua_tostring(s->lua, index);

        for (i = 0; words[i] != NULL; i++) {
            if (strcmp(words[i], text) == 0) {
                *dst = i;
                return;
            }
        }

        near = nudge_scope_near(text, words);
    }

    nudge_scope_list(words, all, sizeof(all));

    (void) nudge_scope_fail(s, "found %s for \"%s\" in %s, expected %s%s%s%s",
                            nudge_scope_found(s->lua, index, found,
                                              sizeof(found)),
                            key, s->what, all,
                            near ? "; did you mean \"" : "",
                            near ? near : "", near ? "\"?" : "");
}


nudge_uint_t
nudge_scope_table(nudge_scope_t *s, const char *key, const char *expected)
{
    char  found[64];

    if (!nudge_scope_get(s, key)) {
        return 0;
    }

    if (!lua_istable(s->lua, -1)) {
        return nudge_scope_fail(s, "found %s for \"%s\" in %s, expected %s",
                                nudge_scope_found(s->lua, -1, found,
                                                  sizeof(found)),
                                key, s->what, expected);
    }

    return 1;
}
