
/*
 * Building the tree of values a template sees.  A parent of NULL is accepted
 * and answered with NULL, so a whole tree is built without a check between
 * the lines; whoever needs to know looks at the last result, or renders, for
 * a missing member is an empty one.
 */


#include "nudge_template.h"


typedef struct {
    const char  *code;
    const char  *before;
    const char  *after;
} nudge_currency_t;


static const nudge_currency_t  nudge_currencies[] = {
    { "EUR", "\xe2\x82\xac", "" },
    { "USD", "$", "" },
    { "GBP", "\xc2\xa3", "" },
    { "PLN", "", " z\xc5\x82" },
    { NULL, NULL, NULL }
};


static nudge_value_t *nudge_value_create(nudge_pool_t *pool,
    nudge_json_type_t type);


static nudge_value_t *
nudge_value_create(nudge_pool_t *pool, nudge_json_type_t type)
{
    nudge_value_t  *v;

    v = nudge_pcalloc(pool, sizeof(nudge_value_t));

    if (v != NULL) {
        v->type = type;
    }

    return v;
}


nudge_value_t *
nudge_value_object(nudge_pool_t *pool)
{
    return nudge_value_create(pool, NUDGE_JSON_OBJECT);
}


nudge_value_t *
nudge_value_array(nudge_pool_t *pool)
{
    return nudge_value_create(pool, NUDGE_JSON_ARRAY);
}


nudge_value_t *
nudge_value_add(nudge_pool_t *pool, nudge_value_t *parent, const char *name,
    nudge_value_t *child)
{
    nudge_str_t      text;
    nudge_value_t  **last;

    if (parent == NULL || child == NULL) {
        return NULL;
    }

    if (name != NULL) {
        text = nudge_cstr(name);

        if (nudge_pstrdup(pool, &child->name, &text) != NUDGE_OK) {
            return NULL;
        }
    }

    for (last = &parent->child; *last != NULL; last = &(*last)->next) {
        /* void */
    }

    *last = child;
    parent->count++;

    return child;
}


nudge_value_t *
nudge_value_add_str(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, const nudge_str_t *s)
{
    nudge_value_t  *v;

    v = nudge_value_create(pool, NUDGE_JSON_STRING);

    if (v == NULL || nudge_pstrdup(pool, &v->string, s) != NUDGE_OK) {
        return NULL;
    }

    return nudge_value_add(pool, parent, name, v);
}


nudge_value_t *
nudge_value_add_int(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, int64_t n)
{
    u_char          text[32];
    nudge_buf_t     b;
    nudge_str_t     s;
    nudge_value_t  *v;

    nudge_buf_init(&b, text, sizeof(text));
    nudge_buf_int(&b, n);
    s = nudge_buf_result(&b);

    v = nudge_value_create(pool, NUDGE_JSON_NUMBER);

    if (v == NULL || nudge_pstrdup(pool, &v->string, &s) != NUDGE_OK) {
        return NULL;
    }

    v->number = (double) n;

    return nudge_value_add(pool, parent, name, v);
}


nudge_value_t *
nudge_value_add_bool(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, nudge_uint_t on)
{
    return nudge_value_add(pool, parent, name,
                           nudge_value_create(pool, on ? NUDGE_JSON_TRUE
                                                       : NUDGE_JSON_FALSE));
}


nudge_value_t *
nudge_value_add_money(nudge_pool_t *pool, nudge_value_t *parent,
    const char *name, nudge_money_t m, const nudge_str_t *currency)
{
    u_char                   text[64];
    nudge_str_t              s;
    nudge_buf_t              b;
    const nudge_currency_t  *c;

    nudge_buf_init(&b, text, sizeof(text));

    /* a price nobody knows is an empty one: {{#price}} then leaves it out */

    if (m != NUDGE_MONEY_NONE) {

        for (c = nudge_currencies; c->code != NULL; c++) {
            if (nudge_str_case_is(currency, c->code)) {
                break;
            }
        }

        if (m < 0) {
            nudge_buf_char(&b, '-');
            m = -m;
        }

        if (c->code != NULL) {
            nudge_buf_cstr(&b, c->before);
        }

        nudge_buf_money(&b, m);

        if (c->code != NULL) {
            nudge_buf_cstr(&b, c->after);

        } else if (currency->len) {
            nudge_buf_char(&b, ' ');
            nudge_buf_str(&b, currency);
        }
    }

    if (b.full) {
        nudge_buf_init(&b, text, sizeof(text));
    }

    s = nudge_buf_result(&b);

    return nudge_value_add_str(pool, parent, name, &s);
}
