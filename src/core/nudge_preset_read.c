
/*
 * A preset's Lua tables as C structures: strings, path patterns and sources.
 * A mistake ends the compilation with a message that names the file, the line
 * and the field.
 *
 * Lua keeps no line for a table's members, so the line is that of the
 * statement, moved forward to where the file's text shows the field.
 */


#include "nudge_preset_read.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>


static nudge_uint_t nudge_read_locate(nudge_compiler_t *c, const char *field,
    const char *value);
static void nudge_read_pattern(nudge_compiler_t *c, lua_State *L,
    const char *field, nudge_pattern_t *p);
static void nudge_read_source(nudge_compiler_t *c, lua_State *L,
    const char *field, nudge_uint_t each, nudge_source_t *s);


static const struct {
    const char           *prefix;
    nudge_source_kind_t   kind;
} nudge_source_prefixes[] = {
    { "query:", NUDGE_SOURCE_QUERY },
    { "form:", NUDGE_SOURCE_FORM },
    { "json:", NUDGE_SOURCE_JSON },
    { "answer:", NUDGE_SOURCE_ANSWER },
    { "path:", NUDGE_SOURCE_PATH },
    { "route:", NUDGE_SOURCE_ROUTE },
    { "location:", NUDGE_SOURCE_LOCATION },
    { "each:", NUDGE_SOURCE_EACH },
    { "class:", NUDGE_SOURCE_CLASS },
    { NULL, NUDGE_SOURCE_CONST }
};


/* the line within the statement that has both, else either of them */

static nudge_uint_t
nudge_read_locate(nudge_compiler_t *c, const char *field, const char *value)
{
    u_char        *p, *e, *end;
    const char    *last;
    nudge_uint_t   line, best, score, found;

    last = field ? strrchr(field, '.') : NULL;
    field = last ? last + 1 : field;

    p = c->text.data;
    end = p + c->text.len;
    best = c->line;
    found = 0;

    for (line = 1; p < end; line++, p = e + 1) {

        e = memchr(p, '\n', end - p);
        e = e ? e : end;

        if (line < c->line) {
            continue;
        }

        if (line > c->line && (*p == '}' || line > c->line + 200)) {
            break;
        }

        score = (field && memmem(p, e - p, field, strlen(field)) != NULL)
                + 2 * (value && *value
                       && memmem(p, e - p, value, strlen(value)) != NULL);

        if (score > found) {
            found = score;
            best = line;
        }
    }

    return best;
}


void
nudge_read_fail(nudge_compiler_t *c, lua_State *L, const char *field,
    const char *value, const char *found, const char *expected)
{
    u_char  *p;

    snprintf(c->message, c->size, "%s:%lu: found %s%s%s%s%s, expected %s",
             c->name, (unsigned long) nudge_read_locate(c, field, value),
             found, field ? " for " : "", field ? field : "",
             c->what[0] ? " of " : "", c->what, expected);

    for (p = (u_char *) c->message; *p; p++) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = ' ';
        }
    }

    lua_settop(L, 0);
    lua_pushliteral(L, "!");
    lua_error(L);
    abort();                            /* lua_error() does not return */
}


void
nudge_read_fail_top(nudge_compiler_t *c, lua_State *L, const char *field,
    const char *expected)
{
    char         found[64], value[48];

    value[0] = '\0';

    switch (lua_type(L, -1)) {

    case LUA_TSTRING:
        snprintf(value, sizeof(value), "%.40s", lua_tostring(L, -1));
        snprintf(found, sizeof(found), "\"%s\"", value);
        break;

    case LUA_TNUMBER:
        snprintf(value, sizeof(value), "%.14g", lua_tonumber(L, -1));
        snprintf(found, sizeof(found), "%s", value);
        break;

    case LUA_TBOOLEAN:
        snprintf(value, sizeof(value), "%s",
                 lua_toboolean(L, -1) ? "true" : "false");
        snprintf(found, sizeof(found), "%s", value);
        break;

    case LUA_TNIL:
        snprintf(found, sizeof(found), "nothing");
        break;

    default:
        snprintf(found, sizeof(found), "a %s", luaL_typename(L, -1));
    }

    nudge_read_fail(c, L, field, value, found, expected);
}


void *
nudge_read_alloc(nudge_compiler_t *c, lua_State *L, size_t size)
{
    void  *p;

    p = nudge_pcalloc(c->preset->pool, size ? size : 1);

    if (p == NULL) {
        nudge_read_fail(c, L, NULL, NULL, "a preset that is too large",
                        "less than 1 MB of rules");
    }

    return p;
}


nudge_str_t
nudge_read_copy(nudge_compiler_t *c, lua_State *L)
{
    size_t        len;
    const char   *p;
    nudge_str_t   s, t;

    p = lua_tolstring(L, -1, &len);
    s.data = (u_char *) p;
    s.len = len;

    if (nudge_pstrdup(c->preset->pool, &t, &s) != NUDGE_OK) {
        nudge_read_fail(c, L, NULL, NULL, "a preset that is too large",
                        "less than 1 MB of rules");
    }

    return t;
}


void
nudge_read_known(nudge_compiler_t *c, lua_State *L, int index, const char *in,
    const char *const *names)
{
    char          field[96], expected[320];
    size_t        n;
    const char   *key;
    nudge_uint_t  i;

    lua_pushnil(L);

    while (lua_next(L, index)) {
        key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

        for (i = 0; key && names[i]; i++) {
            if (strcmp(key, names[i]) == 0) {
                break;
            }
        }

        if (key && names[i]) {
            lua_pop(L, 1);
            continue;
        }

        n = snprintf(expected, sizeof(expected), "one of");

        for (i = 0; names[i] && n < sizeof(expected); i++) {
            n += snprintf(expected + n, sizeof(expected) - n, "%s %s",
                          i ? "," : "", names[i]);
        }

        snprintf(field, sizeof(field), "the field \"%.32s\"%s%s",
                 key ? key : "[1]", in[0] ? " in " : "", in);
        nudge_read_fail(c, L, NULL, key, field, expected);
    }
}


nudge_str_t
nudge_read_str(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t required)
{
    nudge_str_t  s;

    nudge_str_null(&s);
    lua_getfield(L, index, field);

    if (lua_type(L, -1) == LUA_TSTRING) {
        s = nudge_read_copy(c, L);

    } else if (!lua_isnil(L, -1) || required) {
        nudge_read_fail_top(c, L, field, "a string");
    }

    lua_pop(L, 1);

    return s;
}


nudge_uint_t
nudge_read_flag(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t otherwise)
{
    nudge_uint_t  flag;

    flag = otherwise;
    lua_getfield(L, index, field);

    if (lua_isboolean(L, -1)) {
        flag = lua_toboolean(L, -1);

    } else if (!lua_isnil(L, -1)) {
        nudge_read_fail_top(c, L, field, "true or false");
    }

    lua_pop(L, 1);

    return flag;
}


nudge_uint_t
nudge_read_list(nudge_compiler_t *c, lua_State *L, int index,
    const char *field)
{
    nudge_uint_t  n;

    lua_getfield(L, index, field);

    if (lua_isnil(L, -1)) {
        return 0;
    }

    if (!lua_istable(L, -1)) {
        lua_newtable(L);
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
        return 1;
    }

    n = lua_objlen(L, -1);

    if (n == 0 || n > 64) {
        nudge_read_fail(c, L, field, NULL, n ? "a longer list" : "no list",
                        "a string or a list of 1 to 64 of them");
    }

    return n;
}


void
nudge_read_list_text(nudge_compiler_t *c, lua_State *L, const char *field,
    nudge_uint_t i)
{
    lua_rawgeti(L, -1, (int) i + 1);

    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_tostring(L, -1);
    }

    if (lua_type(L, -1) != LUA_TSTRING || lua_objlen(L, -1) == 0) {
        nudge_read_fail_top(c, L, field, "a string or a list of strings");
    }
}


void
nudge_read_strs(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_strs_t *strs)
{
    nudge_uint_t  i;

    strs->n = nudge_read_list(c, L, index, field);
    strs->elts = nudge_read_alloc(c, L, strs->n * sizeof(nudge_str_t));

    for (i = 0; i < strs->n; i++) {
        nudge_read_list_text(c, L, field, i);
        strs->elts[i] = nudge_read_copy(c, L);
        lua_pop(L, 1);
    }

    lua_pop(L, 1);
}


void
nudge_read_patterns(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_patterns_t *patterns)
{
    nudge_uint_t  i;

    patterns->n = nudge_read_list(c, L, index, field);
    patterns->elts = nudge_read_alloc(c, L,
                                      patterns->n * sizeof(nudge_pattern_t));

    for (i = 0; i < patterns->n; i++) {
        nudge_read_list_text(c, L, field, i);
        nudge_read_pattern(c, L, field, &patterns->elts[i]);
        lua_pop(L, 1);
    }

    lua_pop(L, 1);
}


static void
nudge_read_pattern(nudge_compiler_t *c, lua_State *L, const char *field,
    nudge_pattern_t *p)
{
    u_char        *s, *e, *end;
    nudge_str_t    seg;
    nudge_uint_t   deep;

    p->text = nudge_read_copy(c, L);
    nudge_str_null(&p->anchor);

    while (p->text.len && p->text.data[0] == '/') {
        p->text.data++;
        p->text.len--;
    }

    while (p->text.len && p->text.data[p->text.len - 1] == '/') {
        p->text.len--;
    }

    p->literal = 1;
    deep = 0;
    end = p->text.data + p->text.len;

    for (s = p->text.data; s < end; s = e + 1) {

        e = memchr(s, '/', end - s);
        e = e ? e : end;
        seg.data = s;
        seg.len = e - s;

        if (nudge_str_is(&seg, "*") || nudge_str_is(&seg, "#")
            || nudge_str_is(&seg, "**"))
        {
            p->literal = 0;
            deep += seg.len == 2;

        } else if (seg.len == 0 || memchr(s, '*', e - s) != NULL) {
            nudge_read_fail_top(c, L, field, "segments that are text, \"*\", "
                                "\"#\" or \"**\"");

        } else if (seg.len > p->anchor.len) {
            p->anchor = seg;
        }
    }

    if (deep > 2) {
        nudge_read_fail_top(c, L, field, "at most two \"**\"");
    }
}


void
nudge_read_sources(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t each, nudge_sources_t *sources)
{
    nudge_uint_t  i;

    sources->n = nudge_read_list(c, L, index, field);
    sources->elts = nudge_read_alloc(c, L,
                                     sources->n * sizeof(nudge_source_t));

    for (i = 0; i < sources->n; i++) {
        nudge_read_list_text(c, L, field, i);
        nudge_read_source(c, L, field, each, &sources->elts[i]);
        lua_pop(L, 1);
    }

    lua_pop(L, 1);
}


static void
nudge_read_source(nudge_compiler_t *c, lua_State *L, const char *field,
    nudge_uint_t each, nudge_source_t *s)
{
    size_t        len;
    u_char       *p;
    nudge_str_t   text, digits;
    nudge_uint_t  i;

    memset(s, 0, sizeof(nudge_source_t));
    text = nudge_read_copy(c, L);
    s->kind = NUDGE_SOURCE_EACH;
    s->name = text;

    if (text.data[0] == '=') {
        s->kind = NUDGE_SOURCE_CONST;
        s->name.data++;
        s->name.len--;
        return;
    }

    for (i = 0; nudge_source_prefixes[i].prefix; i++) {
        if (nudge_str_starts(&text, nudge_source_prefixes[i].prefix)) {
            len = strlen(nudge_source_prefixes[i].prefix);
            s->kind = nudge_source_prefixes[i].kind;
            s->name.data += len;
            s->name.len -= len;
            break;
        }
    }

    if (nudge_source_prefixes[i].prefix == NULL && !each) {

        if (nudge_str_is(&text, "match") || nudge_str_is(&text, "value")) {
            s->kind = text.data[0] == 'm' ? NUDGE_SOURCE_MATCH
                                          : NUDGE_SOURCE_VALUE;

        } else {
            nudge_read_fail_top(c, L, field, "a source: \"query:\", "
                                "\"form:\", \"json:\", \"answer:\", "
                                "\"path:\", \"route:\", \"location:\", "
                                "\"each:\" or \"class:\" and a name, "
                                "\"match\", \"value\" or \"=text\"");
        }
    }

    if (s->name.len == 0 && s->kind != NUDGE_SOURCE_ANSWER
        && s->kind != NUDGE_SOURCE_JSON)
    {
        nudge_read_fail_top(c, L, field, "a name after the colon");
    }

    c->uses |= 1 << s->kind;

    if (s->kind == NUDGE_SOURCE_LOCATION && s->name.data[0] == '?') {
        s->inner.data = s->name.data + 1;
        s->inner.len = s->name.len - 1;
        return;
    }

    if (s->kind == NUDGE_SOURCE_PATH || s->kind == NUDGE_SOURCE_ROUTE
        || s->kind == NUDGE_SOURCE_LOCATION)
    {
        digits = s->name;

        if (digits.data[0] == '-' && digits.len > 1) {
            digits.data++;
            digits.len--;
        }

        if (digits.len < 4 && nudge_str_int(&digits) > 0) {
            s->index = (int) nudge_str_int(&digits);
            s->index = s->name.data[0] == '-' ? -s->index : s->index;
        }
    }

    p = memchr(s->name.data, '>', s->name.len);

    if (s->kind == NUDGE_SOURCE_FORM && p != NULL) {
        s->inner.data = p + 1;
        s->inner.len = s->name.data + s->name.len - p - 1;
        s->name.len = p - s->name.data;
    }

    nudge_read_secret(c, L, field, s);
}


void
nudge_read_secret(nudge_compiler_t *c, lua_State *L, const char *field,
    const nudge_source_t *s)
{
    u_char       *p;
    nudge_str_t   name;

    name = s->inner.len ? s->inner : s->name;

    if (s->kind == NUDGE_SOURCE_JSON || s->kind == NUDGE_SOURCE_ANSWER) {
        p = memrchr(name.data, '.', name.len);

        if (p != NULL) {
            name.len -= p + 1 - name.data;
            name.data = p + 1;
        }

    } else if (s->kind != NUDGE_SOURCE_FORM && s->kind != NUDGE_SOURCE_QUERY) {
        return;
    }

    if (nudge_form_secret(&name)) {
        nudge_read_fail_top(c, L, field, "a field that is no secret");
    }
}


int
nudge_read_name(nudge_compiler_t *c, lua_State *L, const char *field,
    const nudge_str_t *name)
{
    int              bit;
    nudge_uint_t     slot;
    nudge_preset_t  *preset;

    preset = c->preset;
    bit = nudge_preset_name_bit(preset, name);

    if (bit >= 0) {
        return bit;
    }

    if (preset->nnames == NUDGE_PRESET_NAMES || name->len == 0) {
        nudge_read_fail(c, L, field, NULL, "one more query argument",
                        "at most 64 different ones in a preset");
    }

    bit = (int) preset->nnames++;
    preset->names[bit] = *name;

    slot = nudge_preset_slot(name);

    while (preset->slots[slot]) {
        slot = (slot + 1) % NUDGE_PRESET_SLOTS;
    }

    preset->slots[slot] = (uint8_t) (bit + 1);

    return bit;
}
