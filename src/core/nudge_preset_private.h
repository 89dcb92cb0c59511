
/*
 * What a preset is once compiled: rules, patterns, sources and tests.  Shared
 * by the nudge_preset_*.c files and nobody else.
 */


#ifndef _NUDGE_PRESET_PRIVATE_H_INCLUDED_
#define _NUDGE_PRESET_PRIVATE_H_INCLUDED_


#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* memmem() */
#endif

#include "nudge_html.h"
#include "nudge_page.h"
#include "nudge_preset.h"


#define NUDGE_PRESET_MEMORY    (4 * 1024 * 1024)
#define NUDGE_PRESET_RULES     256
#define NUDGE_PRESET_NAMES     64       /* distinct query arguments: one bit */
#define NUDGE_PRESET_SLOTS     256
#define NUDGE_PRESET_BATCH     16       /* inner requests of one envelope */
#define NUDGE_PRESET_ITEMS     64       /* changed by one request */


/* where a value comes from */

typedef enum {
    NUDGE_SOURCE_CONST = 0,             /* "=text" */
    NUDGE_SOURCE_QUERY,                 /* "query:name" */
    NUDGE_SOURCE_FORM,                  /* "form:name", "form:outer>inner" */
    NUDGE_SOURCE_JSON,                  /* "json:a.b[1]", of the request */
    NUDGE_SOURCE_ANSWER,                /* "answer:a.b[1]" */
    NUDGE_SOURCE_PATH,                  /* "path:2", "path:-1", "path:word" */
    NUDGE_SOURCE_ROUTE,                 /* the same of the route */
    NUDGE_SOURCE_LOCATION,              /* "location:-1", "location:?name" */
    NUDGE_SOURCE_EACH,                  /* "each:a.b" of the element */
    NUDGE_SOURCE_MATCH,                 /* what "*" stood for */
    NUDGE_SOURCE_VALUE,                 /* the element itself */
    NUDGE_SOURCE_CLASS                  /* "class:postid-" */
} nudge_source_kind_t;

typedef struct {
    nudge_source_kind_t  kind;
    nudge_str_t          name;
    nudge_str_t          inner;         /* after ">", or "?name" */
    int                  index;         /* of a segment; 0: after "name" */
} nudge_source_t;

typedef struct {
    nudge_source_t      *elts;          /* the first that is not empty wins */
    nudge_uint_t         n;
} nudge_sources_t;

typedef struct {
    nudge_str_t         *elts;
    nudge_uint_t         n;
} nudge_strs_t;


/* a path or route: segments, "*" one, "#" one of digits, "**" any number */

typedef struct {
    nudge_str_t          text;          /* without slashes at the ends */
    nudge_str_t          anchor;        /* longest literal segment */
    unsigned             literal:1;
} nudge_pattern_t;

typedef struct {
    nudge_pattern_t     *elts;
    nudge_uint_t         n;
} nudge_patterns_t;


typedef enum {
    NUDGE_TEST_PRESENT = 0,
    NUDGE_TEST_ABSENT,
    NUDGE_TEST_ONE_OF
} nudge_test_kind_t;

typedef struct {
    nudge_test_kind_t    kind;
    nudge_source_t       source;
    nudge_strs_t         values;        /* with "*" at either end */
    int                  bit;           /* of a query argument, or -1 */
} nudge_test_t;

typedef struct {
    nudge_test_t        *elts;
    nudge_uint_t         n;
} nudge_tests_t;


/* how an exchange ended; everything named has to hold */

typedef struct {
    uint16_t             from[4];
    uint16_t             to[4];
    nudge_uint_t         nstatus;
    nudge_tests_t        tests;
    nudge_strs_t         location;
    nudge_strs_t         cookie;        /* set */
    nudge_strs_t         gone;          /* deleted */
    nudge_strs_t         classes;       /* of the body, when known */
} nudge_condition_t;

typedef struct {
    nudge_condition_t   *elts;          /* any of them */
    nudge_uint_t         n;
} nudge_conditions_t;


typedef enum {
    NUDGE_FIELD_ID = 0,
    NUDGE_FIELD_PARENT,
    NUDGE_FIELD_KEY,
    NUDGE_FIELD_SKU,
    NUDGE_FIELD_NAME,
    NUDGE_FIELD_URL,
    NUDGE_FIELD_IMAGE,
    NUDGE_FIELD_CATEGORY,
    NUDGE_FIELD_BRAND,
    NUDGE_FIELD_QUANTITY,
    NUDGE_FIELD_PRICE,
    NUDGE_FIELD_MINOR,
    NUDGE_FIELD_CURRENCY,
    NUDGE_FIELDS
} nudge_field_id_t;

typedef enum {
    NUDGE_VALUE_EMAIL = 0,
    NUDGE_VALUE_ORDER,
    NUDGE_VALUE_TEXT,
    NUDGE_VALUE_METHOD,
    NUDGE_VALUE_VALUE,
    NUDGE_VALUE_MINOR,
    NUDGE_VALUE_CURRENCY,
    NUDGE_VALUES
} nudge_value_id_t;


/* how to read the cart an answer gives */

typedef struct {
    nudge_source_t       lines;         /* JSON array; or, with html set,
                                           markup (or an object of it) */
    nudge_sources_t      fields[NUDGE_FIELDS];
    unsigned             html:1;
    nudge_str_t          key;           /* html: attribute names */
    nudge_str_t          id;
    nudge_str_t          sku;
    nudge_str_t          times;         /* html: class of "2 x $45.00" */
    nudge_str_t          link;          /* html: element that leads to the
                                           product: its text is the name */
    nudge_tests_t        empty;         /* html: no line means empty, if */
} nudge_reading_t;


/* an envelope of requests */

typedef struct {
    nudge_str_t          requests;      /* JSON paths */
    nudge_str_t          responses;
    nudge_str_t          path;
    nudge_str_t          method;
    nudge_str_t          body;
    nudge_str_t          status;
    nudge_str_t          answer;
} nudge_envelope_t;


typedef enum {
    NUDGE_ACTION_EVENT = 0,             /* rule->type and nothing else */
    NUDGE_ACTION_ADD,
    NUDGE_ACTION_REMOVE,
    NUDGE_ACTION_SET,                   /* lines now have these quantities */
    NUDGE_ACTION_READ,
    NUDGE_ACTION_ENVELOPE
} nudge_action_t;

#define NUDGE_BODY_URLENCODED  0x01
#define NUDGE_BODY_MULTIPART   0x02
#define NUDGE_BODY_JSON        0x04
#define NUDGE_BODY_TEXT        0x08
#define NUDGE_BODY_OTHER       0x10

typedef struct {
    nudge_str_t          name;
    nudge_uint_t         line;
    nudge_action_t       action;
    nudge_event_type_t   type;

    uint32_t             methods;       /* bits of nudge_preset_method() */
    uint64_t             need;          /* query arguments: present ... */
    uint64_t             forbid;        /* ... and absent */
    uint32_t             kinds;         /* NUDGE_BODY_..., 0: any */
    nudge_patterns_t     path;
    nudge_patterns_t     route;
    nudge_tests_t        query;         /* those with values */
    nudge_tests_t        tests;         /* of form and json */

    nudge_source_t       each;
    nudge_sources_t      fields[NUDGE_FIELDS];
    nudge_sources_t      values[NUDGE_VALUES];
    nudge_conditions_t   success;
    nudge_conditions_t   failed;
    nudge_reading_t     *cart;
    nudge_envelope_t    *envelope;

    unsigned             item:1;        /* has fields */
    unsigned             has_each:1;
    unsigned             body:1;
    unsigned             answer:1;
    unsigned             order:1;
    unsigned             change:1;
    unsigned             navigation:1;
} nudge_rule_t;


typedef struct {
    nudge_str_t          kind;
    nudge_strs_t         classes;
    nudge_patterns_t     path;
    nudge_tests_t        query;
    nudge_sources_t      id;
    unsigned             payment:1;
} nudge_page_rule_t;


typedef struct {
    uint16_t            *rule;
    nudge_uint_t         n;
    uint16_t            *plain;         /* those that need no argument */
    nudge_uint_t         nplain;
} nudge_method_index_t;

#define NUDGE_PRESET_METHODS   5

struct nudge_preset_s {
    nudge_pool_t        *pool;
    nudge_str_t          name;
    nudge_uint_t         version;

    nudge_rule_t        *rules;
    nudge_uint_t         nrules;
    nudge_page_rule_t   *pages;
    nudge_uint_t         npages;
    nudge_patterns_t     ignore;
    nudge_str_t          route_after;   /* "/wp-json/" */
    nudge_str_t          route_query;   /* "rest_route" */
    int                  route_bit;

    nudge_str_t          names[NUDGE_PRESET_NAMES];
    nudge_uint_t         nnames;
    uint8_t              slots[NUDGE_PRESET_SLOTS];     /* 0: free */
    nudge_method_index_t index[NUDGE_PRESET_METHODS];
    unsigned             payment:1;     /* some page is one */
};


/* an exchange while it is being read */

typedef struct {
    const nudge_preset_t    *preset;
    const nudge_exchange_t  *x;
    nudge_json_t            *js;
    nudge_pool_t            *pool;

    /* of the request itself, or of one in an envelope */
    nudge_str_t              method;
    nudge_str_t              path;
    nudge_str_t              args;
    nudge_str_t              route;
    nudge_uint_t             status;
    nudge_value_t           *json;
    nudge_value_t           *answer;
    unsigned                 inner:1;

    unsigned                 have_query:1;
    unsigned                 have_form:1;
    unsigned                 have_json:1;
    unsigned                 have_answer:1;
    unsigned                 failed:1;          /* without memory */
    nudge_form_t             query;
    nudge_form_t             form;
    nudge_str_t              nested_name;       /* a form inside a field */
    nudge_form_t             nested;

    /* the element of "each" or of a cart */
    nudge_value_t           *element;
    nudge_str_t              match;
    nudge_str_t              value;
    nudge_int_t              number;            /* of "name[]", or -1 */

    /* the cart as known; "complete" when the store once gave all of it */
    nudge_item_t            *known;
    nudge_uint_t             nknown;
    unsigned                 complete:1;

    nudge_event_t           *events;
    nudge_uint_t             nevents;
    nudge_uint_t             max;
    uint64_t                 made;              /* types, of this request */
} nudge_reader_t;


/* nudge_preset_match.c */

int nudge_preset_method(const nudge_str_t *method);
uint32_t nudge_preset_body_kind(const nudge_str_t *content_type);
/* bit of a query argument's name, or -1 */
int nudge_preset_name_bit(const nudge_preset_t *preset, const nudge_str_t *s);
nudge_uint_t nudge_preset_slot(const nudge_str_t *s);
nudge_str_t nudge_preset_route(const nudge_preset_t *preset,
    const nudge_str_t *path);

/* nudge_preset_pattern.c */

u_char *nudge_seek(const nudge_str_t *s, const nudge_str_t *needle);
nudge_uint_t nudge_pattern_match(const nudge_pattern_t *p, nudge_str_t s);
nudge_uint_t nudge_patterns_match(const nudge_patterns_t *p, nudge_str_t s);
/* "*" at either end stands for anything */
nudge_uint_t nudge_glob(const nudge_str_t *glob, const nudge_str_t *s);
nudge_uint_t nudge_globs(const nudge_strs_t *globs, const nudge_str_t *s);
nudge_str_t nudge_path_segment(const nudge_str_t *path,
    const nudge_source_t *source);


/* nudge_preset_extract.c: nothing here fails but for want of memory, which
 * sets r->failed */

nudge_value_t *nudge_source_value(nudge_reader_t *r, const nudge_source_t *s);
nudge_str_t nudge_source_text(nudge_reader_t *r, const nudge_source_t *s);
/* the first that says something */
nudge_str_t nudge_sources_text(nudge_reader_t *r, const nudge_sources_t *s);
/* the same, "0" counting as nothing, at most "max" bytes long */
nudge_str_t nudge_sources_id(nudge_reader_t *r, const nudge_sources_t *s,
    size_t max);
nudge_money_t nudge_sources_money(nudge_reader_t *r,
    const nudge_sources_t *price, const nudge_sources_t *minor);
nudge_str_t nudge_sources_currency(nudge_reader_t *r,
    const nudge_sources_t *s);
nudge_form_t *nudge_reader_form(nudge_reader_t *r);
nudge_value_t *nudge_reader_json(nudge_reader_t *r);
nudge_value_t *nudge_reader_answer(nudge_reader_t *r);
void nudge_reader_query(nudge_reader_t *r);

/* nudge_preset_test.c */

/* the request side of a rule */
nudge_uint_t nudge_rule_applies(nudge_reader_t *r, const nudge_rule_t *rule);
nudge_uint_t nudge_tests_hold(nudge_reader_t *r, const nudge_tests_t *tests);
nudge_uint_t nudge_conditions_hold(nudge_reader_t *r,
    const nudge_conditions_t *conditions);

/* nudge_preset_item.c */

/* what the fields say; item->quantity is -1 when nothing does */
void nudge_fields_item(nudge_reader_t *r, const nudge_sources_t *fields,
    nudge_item_t *item);
/* the items a request names, at most NUDGE_PRESET_ITEMS */
nudge_uint_t nudge_rule_items(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_item_t *items);
/* the cart an answer gives, at most NUDGE_SESSION_LINES; NUDGE_DECLINED when
 * it gives none.  request[]: what the request named, to tell variations */
nudge_int_t nudge_cart_read(nudge_reader_t *r, const nudge_rule_t *rule,
    const nudge_item_t *request, nudge_uint_t nrequest, nudge_item_t *lines,
    nudge_uint_t *n);

/* nudge_preset_cart.c: what changed, and the events of it */

void nudge_rule_cart_events(nudge_reader_t *r, const nudge_rule_t *rule);
/* NULL without room */
nudge_event_t *nudge_reader_event(nudge_reader_t *r, const nudge_rule_t *rule,
    nudge_event_type_t type);

/* nudge_preset_html.c: lines of a cart out of markup, appended to lines[n];
 * quantity is -1 and price NUDGE_MONEY_NONE where not found */

nudge_uint_t nudge_preset_html_lines(nudge_pool_t *pool,
    const nudge_reading_t *reading, const nudge_str_t *html,
    nudge_item_t *lines, nudge_uint_t n, nudge_uint_t max);


#endif /* _NUDGE_PRESET_PRIVATE_H_INCLUDED_ */
