
/*
 * What the files of the campaign share: the compilation in progress, the
 * sandbox and the conditions.  nudge_campaign.c is the way in and out,
 * _sandbox.c bounds Lua, _field.c reads one table's members and words every
 * complaint, _dsl.c knows the words of the language, _when.c its conditions.
 */


#ifndef _NUDGE_CAMPAIGN_PRIV_H_INCLUDED_
#define _NUDGE_CAMPAIGN_PRIV_H_INCLUDED_


#include "nudge_campaign.h"

#include <lua.h>
#include <lauxlib.h>


#define NUDGE_CAMPAIGN_POOL      (1024 * 1024)
#define NUDGE_CAMPAIGN_FILES     16
#define NUDGE_CAMPAIGN_WARNINGS  32
#define NUDGE_CAMPAIGN_WHEN      (NUDGE_CAMPAIGN_OFFERS                       \
                                  + NUDGE_CAMPAIGN_FLOWS                      \
                                    * NUDGE_CAMPAIGN_STEPS)
#define NUDGE_CAMPAIGN_COMPILE   1000000    /* instructions for the file */
#define NUDGE_CAMPAIGN_CALL      10000      /* for one condition */
#define NUDGE_CAMPAIGN_YEAR      (366 * 86400)
#define NUDGE_CAMPAIGN_LIST      8          /* names in "on" and "page" */

/* a condition: the standard ones as C, or a reference to a Lua function */

typedef struct {
    nudge_money_t           cart_min;       /* NUDGE_MONEY_NONE: not asked */
    nudge_money_t           cart_max;
    int64_t                 items_min;      /* -1: not asked, as all below */
    int64_t                 items_max;
    int64_t                 pages_min;
    int64_t                 visits_min;
    int64_t                 viewed_min;
    int                     returning;
    int                     subscribed;
    int                     ordered;
    int                     person;
    nudge_str_t            *page;
    nudge_uint_t            npage;
    int                     function;       /* LUA_NOREF: the fields above */
    const char             *file;
    nudge_uint_t            line;
    unsigned                off:1;
} nudge_when_t;

typedef struct nudge_campaign_priv_s  nudge_campaign_priv_t;

/* the table a statement was called with, and where */

typedef struct {
    nudge_campaign_priv_t  *priv;
    lua_State              *lua;
    int                     table;          /* stack index */
    const char             *what;           /* "shop", "offer \"x\"" */
    const char             *file;
    nudge_uint_t            line;
} nudge_scope_t;

struct nudge_campaign_priv_s {
    nudge_campaign_t       *campaign;
    nudge_pool_t           *pool;
    lua_State              *lua;            /* NULL when nobody needs it */
    size_t                  used;           /* bytes Lua has */
    nudge_uint_t            tripped;        /* instructions are used up */
    nudge_uint_t            budget;

    nudge_when_t           *when[NUDGE_CAMPAIGN_WHEN];
    nudge_uint_t            nwhen;
    nudge_uint_t            functions;
    nudge_error_t           failure;

    /* while compiling only */
    nudge_uint_t            compiling;
    nudge_error_t          *error;
    nudge_uint_t            failed;
    const nudge_str_t      *text;
    const char             *file[NUDGE_CAMPAIGN_FILES];
    nudge_uint_t            nfiles;
    nudge_use_pt            use;
    void                   *use_data;
    nudge_uint_t            shop;           /* lines of the only ones */
    nudge_uint_t            mail;
    nudge_uint_t            moderation;
    nudge_scope_t           pending;        /* offer "x" without its table */
    char                    pending_what[64];
};


/* sandbox.c */

nudge_int_t nudge_sandbox_create(nudge_campaign_priv_t *p);
void nudge_sandbox_destroy(nudge_campaign_priv_t *p);
/* LUA_OK-like result of call(lua, data) in protected mode, with the message
 * on top of the stack when it is not 0; at most "budget" instructions */
int nudge_sandbox_run(nudge_campaign_priv_t *p, lua_CFunction call,
    void *data, nudge_uint_t budget);
/* loads text as file number "file"; leaves function or message */
int nudge_sandbox_load(lua_State *lua, const nudge_str_t *text,
    nudge_uint_t file);
/* where the innermost Lua function now stands; 0 when there is none */
nudge_uint_t nudge_sandbox_where(nudge_campaign_priv_t *p, lua_State *lua,
    const char **file);
/* after a run that failed: p->failure says why, the stack is empty again and
 * what the run left behind is collected */
void nudge_sandbox_failure(nudge_campaign_priv_t *p, int rc);
nudge_campaign_priv_t *nudge_sandbox_priv(lua_State *lua);

/* dsl.c: shop, mail, moderation, offer, flow, use as globals */

void nudge_dsl_register(lua_State *lua);
/* the beginning of every statement that takes a table; only: line of the
 * only statement of its kind, 0 while there is none */
void nudge_dsl_begin(nudge_scope_t *s, lua_State *lua, const char *what,
    nudge_uint_t *only);
/* refuses offer "x" without its table */
void nudge_dsl_complete(nudge_campaign_priv_t *p);
extern const char *const  nudge_dsl_words[];

/* offer.c: offer and flow */

int nudge_dsl_offer(lua_State *lua);
int nudge_dsl_flow(lua_State *lua);

/* field.c: none of these returns when the member is not as expected */

void nudge_scope_init(nudge_scope_t *s, lua_State *lua, int table,
    const char *what);
int nudge_scope_fail(nudge_scope_t *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void nudge_scope_warn(nudge_scope_t *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* every name is one of keys; positions only when "list" is set */
void nudge_scope_keys(nudge_scope_t *s, const char *const *keys,
    nudge_uint_t list);
/* what is found at a stack index, in words */
const char *nudge_scope_found(lua_State *lua, int index, char *buf,
    size_t size);
/* the nearest of keys, or NULL when none is near */
const char *nudge_scope_near(const char *word, const char *const *keys);
void nudge_scope_need(nudge_scope_t *s, const char *key,
    const char *expected);
/* each: 1 when it is there, 0 when it is not and *dst is untouched */
nudge_uint_t nudge_scope_text(nudge_scope_t *s, const char *key,
    nudge_str_t *dst, size_t max);
/* the same over several lines */
nudge_uint_t nudge_scope_lines(nudge_scope_t *s, const char *key,
    nudge_str_t *dst, size_t max);
nudge_uint_t nudge_scope_name(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_bool(nudge_scope_t *s, const char *key,
    nudge_uint_t *dst);
nudge_uint_t nudge_scope_int(nudge_scope_t *s, const char *key, int64_t min,
    int64_t max, int64_t *dst);
nudge_uint_t nudge_scope_money(nudge_scope_t *s, const char *key,
    nudge_money_t *dst);
nudge_uint_t nudge_scope_span(nudge_scope_t *s, const char *key,
    int64_t *dst);
/* a word of "words", or (max > 1) a list of them; each as its index */
nudge_uint_t nudge_scope_words(nudge_scope_t *s, const char *key,
    const char *const *words, nudge_uint_t max, nudge_uint_t *dst);
/* leaves the table (or nothing: 0) on the stack */
nudge_uint_t nudge_scope_table(nudge_scope_t *s, const char *key,
    const char *expected);
void nudge_scope_copy(nudge_scope_t *s, nudge_str_t *dst, const char *data,
    size_t len);
/* the duration at a stack index, as *dst seconds, or it does not return */
void nudge_scope_duration(nudge_scope_t *s, const char *key, int index,
    int64_t *dst);
nudge_uint_t nudge_name_valid(const char *data, size_t len, size_t max);

/* text.c: members that are text of a known shape, as the functions above */

nudge_uint_t nudge_scope_origin(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_currency(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_locale(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_zone(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_mailbox(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
nudge_uint_t nudge_scope_coupon(nudge_scope_t *s, const char *key,
    nudge_str_t *dst);
/* a path is put behind the origin, when there is one */
nudge_uint_t nudge_scope_privacy(nudge_scope_t *s, const char *key,
    const nudge_str_t *origin, nudge_str_t *dst);
/* local: the relay is this machine */
nudge_uint_t nudge_scope_relay(nudge_scope_t *s, const char *key,
    nudge_str_t *dst, nudge_uint_t *local);

/* when.c */

/* the member "when" of a scope: its number, or -1 */
nudge_int_t nudge_when_read(nudge_scope_t *s);
nudge_uint_t nudge_when_met(nudge_campaign_priv_t *p, nudge_int_t when,
    const nudge_facts_t *facts, nudge_uint_t *failed);


#endif /* _NUDGE_CAMPAIGN_PRIV_H_INCLUDED_ */
