
/*
 * Reading a preset's Lua tables, for nudge_preset_compile.c.  Every function
 * takes the table at "index" and the field's name, and leaves by a Lua error
 * that names file, line, field, what was found and what was expected.
 */


#ifndef _NUDGE_PRESET_READ_H_INCLUDED_
#define _NUDGE_PRESET_READ_H_INCLUDED_


#include "nudge_preset_private.h"

#include <lua.h>


#define NUDGE_PRESET_PAGES  64

typedef struct {
    nudge_preset_t      *preset;
    nudge_str_t          text;
    const char          *name;          /* of the file, for messages */
    char                *message;       /* the one that ends it */
    size_t               size;
    nudge_uint_t         line;          /* of the statement at hand */
    char                 what[96];      /* rule "add link" */
    uint32_t             uses;          /* 1 << kind of each source read */
    size_t               memory;        /* taken by Lua */
    unsigned             begun:1;       /* "preset" was seen */
    nudge_uint_t         nrules;
    nudge_uint_t         npages;
    nudge_rule_t         rules[NUDGE_PRESET_RULES];
    nudge_page_rule_t    pages[NUDGE_PRESET_PAGES];
} nudge_compiler_t;


/* value: the text to be found in the file near the statement, or NULL */
void nudge_read_fail(nudge_compiler_t *c, lua_State *L, const char *field,
    const char *value, const char *found, const char *expected)
    __attribute__((noreturn));
/* the same for the value on top of the stack */
void nudge_read_fail_top(nudge_compiler_t *c, lua_State *L, const char *field,
    const char *expected) __attribute__((noreturn));

void *nudge_read_alloc(nudge_compiler_t *c, lua_State *L, size_t size);
/* names ends with NULL */
void nudge_read_known(nudge_compiler_t *c, lua_State *L, int index,
    const char *in, const char *const *names);
nudge_str_t nudge_read_str(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t required);
/* a boolean, or "otherwise" where there is none */
nudge_uint_t nudge_read_flag(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t otherwise);
void nudge_read_strs(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_strs_t *strs);
void nudge_read_patterns(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_patterns_t *patterns);
/* each: a text without a prefix is a path in the element */
void nudge_read_sources(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_uint_t each, nudge_sources_t *sources);
/* a query argument's bit */
int nudge_read_name(nudge_compiler_t *c, lua_State *L, const char *field,
    const nudge_str_t *name);

/* of the value on top of the stack */
nudge_str_t nudge_read_copy(nudge_compiler_t *c, lua_State *L);
/* pushes a list of what stands in the field, be it one text or a list, and
 * returns its length; then pushes its element i as a text */
nudge_uint_t nudge_read_list(nudge_compiler_t *c, lua_State *L, int index,
    const char *field);
void nudge_read_list_text(nudge_compiler_t *c, lua_State *L,
    const char *field, nudge_uint_t i);
/* what the form parser would drop anyway is a mistake here */
void nudge_read_secret(nudge_compiler_t *c, lua_State *L, const char *field,
    const nudge_source_t *s);

/* nudge_preset_read_test.c */

void nudge_read_tests(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_source_kind_t kind, nudge_tests_t *tests);
void nudge_read_conditions(nudge_compiler_t *c, lua_State *L, int index,
    const char *field, nudge_conditions_t *conditions);

/* nudge_preset_compile.c: on entering a statement; its table is at index 1 */
nudge_compiler_t *nudge_compile_enter(lua_State *L, const char *what,
    const char *name);
/* nudge_preset_rule.c: closures over the compiler and a name */
int nudge_compile_page(lua_State *L);
int nudge_compile_rule(lua_State *L);


#endif /* _NUDGE_PRESET_READ_H_INCLUDED_ */
