
/*
 * Looking into a decoded tree.  Every accessor answers the wrong type, and
 * NULL, with NULL or nothing: what a store answers is never certain.
 */


#include "nudge_json.h"

#include <math.h>


#define NUDGE_VALUE_EXACT  9007199254740992.0      /* 2^53 */


nudge_value_t *
nudge_value_get(const nudge_value_t *v, const char *name)
{
    size_t          len;
    nudge_value_t  *child;

    if (v == NULL || v->type != NUDGE_JSON_OBJECT) {
        return NULL;
    }

    len = strlen(name);

    for (child = v->child; child; child = child->next) {
        if (child->name.len == len
            && memcmp(child->name.data, name, len) == 0)
        {
            return child;
        }
    }

    return NULL;
}


nudge_value_t *
nudge_value_at(const nudge_value_t *v, nudge_uint_t i)
{
    nudge_value_t  *child;

    if (v == NULL || v->type != NUDGE_JSON_ARRAY) {
        return NULL;
    }

    for (child = v->child; child && i; child = child->next) {
        i--;
    }

    return child;
}


static nudge_value_t *
nudge_value_member(const nudge_value_t *v, const nudge_str_t *name)
{
    nudge_value_t  *child;

    if (v == NULL || v->type != NUDGE_JSON_OBJECT) {
        return NULL;
    }

    for (child = v->child; child; child = child->next) {
        if (nudge_str_eq(&child->name, name)) {
            return child;
        }
    }

    return NULL;
}


nudge_value_t *
nudge_value_path(const nudge_value_t *v, const nudge_str_t *p)
{
    u_char       *s, *end;
    int64_t       i;
    nudge_str_t   step;

    s = p->data;
    end = p->len ? s + p->len : s;

    while (v != NULL && s < end) {

        if (*s == '[') {
            step.data = ++s;

            while (s < end && *s != ']') {
                s++;
            }

            step.len = s - step.data;
            i = nudge_str_int(&step);

            if (s == end || i < 1) {
                return NULL;
            }

            v = nudge_value_at(v, i - 1);
            s++;
            continue;
        }

        if (*s == '.') {
            s++;
        }

        step.data = s;

        while (s < end && *s != '.' && *s != '[') {
            s++;
        }

        step.len = s - step.data;
        v = nudge_value_member(v, &step);
    }

    return (nudge_value_t *) v;
}


nudge_str_t
nudge_value_str(const nudge_value_t *v)
{
    nudge_str_t  none = nudge_null_string;

    if (v == NULL
        || (v->type != NUDGE_JSON_STRING && v->type != NUDGE_JSON_NUMBER))
    {
        return none;
    }

    return v->string;
}


int64_t
nudge_value_int(const nudge_value_t *v, int64_t otherwise)
{
    int64_t       n;
    nudge_str_t   s;
    nudge_uint_t  negative;

    if (v == NULL) {
        return otherwise;
    }

    if (v->type == NUDGE_JSON_NUMBER) {
        return (fabs(v->number) <= NUDGE_VALUE_EXACT) ? (int64_t) v->number
                                                       : otherwise;
    }

    if (v->type != NUDGE_JSON_STRING) {
        return otherwise;
    }

    s = nudge_str_trim(v->string);
    negative = (s.len > 1 && s.data[0] == '-');

    if (negative) {
        s.data++;
        s.len--;
    }

    n = nudge_str_int(&s);

    if (n == NUDGE_ERROR) {
        return otherwise;
    }

    return negative ? -n : n;
}


nudge_money_t
nudge_value_money(const nudge_value_t *v)
{
    if (v == NULL) {
        return NUDGE_MONEY_NONE;
    }

    if (v->type == NUDGE_JSON_STRING) {
        return nudge_money_parse(&v->string);
    }

    if (v->type != NUDGE_JSON_NUMBER || !(fabs(v->number) <= 1e12)) {
        return NUDGE_MONEY_NONE;
    }

    return (nudge_money_t) llround(v->number * NUDGE_MONEY_UNIT);
}


nudge_uint_t
nudge_value_filled(const nudge_value_t *v)
{
    if (v == NULL) {
        return 0;
    }

    switch (v->type) {

    case NUDGE_JSON_TRUE:
        return 1;

    case NUDGE_JSON_NUMBER:
        return v->number != 0;

    case NUDGE_JSON_STRING:
        return v->string.len != 0;

    case NUDGE_JSON_ARRAY:
    case NUDGE_JSON_OBJECT:
        return v->count != 0;

    default:
        return 0;
    }
}


nudge_uint_t
nudge_value_true(const nudge_value_t *v)
{
    if (v == NULL) {
        return 0;
    }

    switch (v->type) {

    case NUDGE_JSON_TRUE:
        return 1;

    case NUDGE_JSON_NUMBER:
        return v->number != 0;

    case NUDGE_JSON_STRING:
        return nudge_str_is(&v->string, "1")
               || nudge_str_case_is(&v->string, "true")
               || nudge_str_case_is(&v->string, "yes")
               || nudge_str_case_is(&v->string, "on");

    default:
        return 0;
    }
}
