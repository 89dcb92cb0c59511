
/*
 * A preset's Lua tables as C structures: tests and conditions.
 */


#include "nudge_preset_read.h"

#include <lauxlib.h>


static void nudge_read_test(nudge_compiler_t *c, lua_State *L,
    const char *field, nudge_test_t *t);
static void nudge_read_condition(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_condition_t *cond);
static void nudge_read_status(nudge_compiler_t *c, lua_State *L,
    const char *field, nudge_condition_t *cond);


/* { "present", name = "value", other = { "a", "b*" }, third = false } */

void
nudge_read_tests(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_source_kind_t kind, nudge_tests_t *tests)
{
    nudge_test_t  *t;

    memset(tests, 0, sizeof(nudge_tests_t));
    lua_getfield(L, index, field);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (!lua_istable(L, -1)) {
        nudge_read_fail_top(c, L, field, "a table such as { \"name\", other = "
                            "\"value\" }");
    }

    lua_pushnil(L);

    while (lua_next(L, -2)) {
        tests->n++;
        lua_pop(L, 1);
    }

    tests->elts = nudge_read_alloc(c, L, tests->n * sizeof(nudge_test_t));
    t = tests->elts;
    lua_pushnil(L);

    while (lua_next(L, -2)) {
        t->source.kind = kind;
        t->bit = -1;

        if (lua_type(L, -2) == LUA_TSTRING) {
            lua_pushvalue(L, -2);
            t->source.name = nudge_read_copy(c, L);
            lua_pop(L, 1);
            nudge_read_test(c, L, field, t);

        } else if (lua_type(L, -1) == LUA_TSTRING) {
            t->source.name = nudge_read_copy(c, L);
            t->kind = NUDGE_TEST_PRESENT;

        } else {
            nudge_read_fail_top(c, L, field, "a name, or name = value");
        }

        if (kind == NUDGE_SOURCE_QUERY) {
            t->bit = nudge_read_name(c, L, field, &t->source.name);
        }

        nudge_read_secret(c, L, field, &t->source);
        t++;
        lua_pop(L, 1);
    }

    c->uses |= 1 << kind;
    lua_pop(L, 1);
}


static void
nudge_read_test(nudge_compiler_t *c, lua_State *L, const char *field,
    nudge_test_t *t)
{
    if (lua_isboolean(L, -1)) {
        t->kind = lua_toboolean(L, -1) ? NUDGE_TEST_PRESENT
                                       : NUDGE_TEST_ABSENT;
        return;
    }

    t->kind = NUDGE_TEST_ONE_OF;

    if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER
        && !lua_istable(L, -1))
    {
        nudge_read_fail_top(c, L, field, "true, false, a string or a list");
    }

    lua_newtable(L);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, field);
    nudge_read_strs(c, L, lua_gettop(L), field, &t->values);
    lua_pop(L, 1);
}


/* one table of them, or a list of tables of which any may hold */

void
nudge_read_conditions(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_conditions_t *conditions)
{
    nudge_uint_t  i, n;

    memset(conditions, 0, sizeof(nudge_conditions_t));
    lua_getfield(L, index, field);

    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }

    if (!lua_istable(L, -1)) {
        nudge_read_fail_top(c, L, field, "a table such as { status = \"2xx\" "
                            "}");
    }

    n = lua_objlen(L, -1);
    conditions->n = n ? n : 1;

    if (n > 16) {
        nudge_read_fail(c, L, field, NULL, "a longer list",
                        "at most 16 alternatives");
    }

    conditions->elts = nudge_read_alloc(c, L, conditions->n
                                              * sizeof(nudge_condition_t));

    if (n == 0) {
        nudge_read_condition(c, L, lua_gettop(L), field, conditions->elts);
        lua_pop(L, 1);
        return;
    }

    for (i = 0; i < n; i++) {
        lua_rawgeti(L, -1, (int) i + 1);

        if (!lua_istable(L, -1)) {
            nudge_read_fail_top(c, L, field, "tables in the list");
        }

        nudge_read_condition(c, L, lua_gettop(L), field, &conditions->elts[i]);
        lua_pop(L, 1);
    }

    lua_pop(L, 1);
}


static void
nudge_read_condition(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_condition_t *cond)
{
    static const char *const  names[] = {
        "status", "answer", "cookie", "gone", "location", "class", NULL
    };

    nudge_uint_t  i, n;

    nudge_read_known(c, L, index, field, names);

    n = nudge_read_list(c, L, index, "status");

    for (i = 0; i < n; i++) {
        nudge_read_list_text(c, L, "status", i);
        nudge_read_status(c, L, "status", cond);
        lua_pop(L, 1);
    }

    lua_pop(L, 1);

    nudge_read_tests(c, L, index, "answer", NUDGE_SOURCE_ANSWER, &cond->tests);
    nudge_read_strs(c, L, index, "cookie", &cond->cookie);
    nudge_read_strs(c, L, index, "gone", &cond->gone);
    nudge_read_strs(c, L, index, "location", &cond->location);
    nudge_read_strs(c, L, index, "class", &cond->classes);
}


static void
nudge_read_status(nudge_compiler_t *c, lua_State *L, const char *field,
    nudge_condition_t *cond)
{
    int64_t       n;
    nudge_str_t   s;

    s.data = (u_char *) lua_tostring(L, -1);
    s.len = lua_objlen(L, -1);
    n = nudge_str_int(&s);

    if (cond->nstatus == sizeof(cond->from) / sizeof(cond->from[0])) {
        nudge_read_fail_top(c, L, field, "at most four");
    }

    if (s.len == 3 && s.data[0] >= '1' && s.data[0] <= '5'
        && s.data[1] == 'x' && s.data[2] == 'x')
    {
        cond->from[cond->nstatus] = (uint16_t) ((s.data[0] - '0') * 100);
        cond->to[cond->nstatus] = cond->from[cond->nstatus] + 99;

    } else if (s.len == 3 && n >= 100) {
        cond->from[cond->nstatus] = (uint16_t) n;
        cond->to[cond->nstatus] = (uint16_t) n;

    } else {
        nudge_read_fail_top(c, L, field, "a status such as 200, or a class "
                            "such as \"2xx\"");
    }

    cond->nstatus++;
}
