
/*
 * JSON in, through lua-cjson; JSON out is written by each module with
 * nudge_buf_json().  A nudge_json_t owns one Lua state with a memory limit;
 * decoding never throws, never grows beyond that limit, and refuses nesting
 * deeper than NUDGE_JSON_DEPTH.  Of duplicate keys the last wins (RFC 8259
 * section 4 leaves it open).  Strings are copied to the pool, with bytes that
 * are not UTF-8 replaced by U+FFFD, so nothing refers to the Lua state
 * afterwards.
 */


#ifndef _NUDGE_JSON_H_INCLUDED_
#define _NUDGE_JSON_H_INCLUDED_


#include "nudge_core.h"


#define NUDGE_JSON_DEPTH  32

typedef struct nudge_json_s  nudge_json_t;

typedef enum {
    NUDGE_JSON_NULL = 0,
    NUDGE_JSON_FALSE,
    NUDGE_JSON_TRUE,
    NUDGE_JSON_NUMBER,
    NUDGE_JSON_STRING,
    NUDGE_JSON_ARRAY,
    NUDGE_JSON_OBJECT
} nudge_json_type_t;

typedef struct nudge_value_s  nudge_value_t;

struct nudge_value_s {
    nudge_json_type_t   type;
    double              number;
    nudge_str_t         string;     /* strings; numbers: integers up to 2^53
                                       exactly, others as "%.14g" text */
    nudge_str_t         name;       /* when a member of an object */
    nudge_value_t      *child;      /* first element or member, or NULL */
    nudge_value_t      *next;       /* next sibling, or NULL */
    nudge_uint_t        count;      /* children */
};

/* memory: the Lua state's limit in bytes (1 MB is plenty for 64 KB of JSON);
 * NULL when there is none to be had */
nudge_json_t *nudge_json_create(size_t memory);
void nudge_json_destroy(nudge_json_t *js);

/* NULL when it is not JSON or does not fit; *error (may be NULL) then points
 * to a static or pool string fit for a log line */
nudge_value_t *nudge_json_decode(nudge_json_t *js, nudge_pool_t *pool,
    const nudge_str_t *text, const char **error);

/* every accessor accepts NULL and the wrong type, and answers NULL or empty.
 * Members come sorted by name; i counts from 0 */
nudge_value_t *nudge_value_get(const nudge_value_t *v, const char *name);
nudge_value_t *nudge_value_at(const nudge_value_t *v, nudge_uint_t i);
/* "a.b[2].c" ([1] is the first element) */
nudge_value_t *nudge_value_path(const nudge_value_t *v, const nudge_str_t *p);
/* strings, and numbers as text */
nudge_str_t nudge_value_str(const nudge_value_t *v);
int64_t nudge_value_int(const nudge_value_t *v, int64_t otherwise);
/* number or localised text */
nudge_money_t nudge_value_money(const nudge_value_t *v);
nudge_uint_t nudge_value_true(const nudge_value_t *v);
/* neither absent, null, false, 0, "" nor empty; lua-cjson reads [] and {} as
 * the same empty table */
nudge_uint_t nudge_value_filled(const nudge_value_t *v);


#endif /* _NUDGE_JSON_H_INCLUDED_ */
