
/*
 * Header lines.  Lists are walked by name, so that one function serves every
 * header and every nginx version; the few that core keeps pointers to are
 * changed in place or hidden (hash 0), never removed.
 */


#include "ngx_http_nudge.h"


ngx_table_elt_t *
ngx_http_nudge_header(ngx_list_t *headers, const char *name,
    ngx_table_elt_t *previous)
{
    size_t            len;
    ngx_uint_t        i, found;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    len = ngx_strlen(name);
    found = (previous == NULL);

    for (part = &headers->part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (found && h[i].hash != 0 && h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
            {
                return &h[i];
            }

            if (&h[i] == previous) {
                found = 1;
            }
        }
    }

    return NULL;
}


ngx_str_t
ngx_http_nudge_header_value(ngx_list_t *headers, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_http_nudge_header(headers, name, NULL);

    if (h == NULL) {
        ngx_str_t  none = ngx_null_string;

        return none;
    }

    return h->value;
}


static ngx_table_elt_t *
ngx_http_nudge_push_header(ngx_http_request_t *r, const char *name)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    ngx_http_nudge_elt_next(h);
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->lowcase_key = NULL;
    ngx_str_null(&h->value);

    return h;
}


ngx_int_t
ngx_http_nudge_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_http_nudge_push_header(r, name);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value = *value;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_nudge_cache_says(ngx_http_request_t *r, const char *word)
{
    size_t            len;
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    len = ngx_strlen(word);

    for (h = ngx_http_nudge_header(&r->headers_out.headers, "cache-control",
                                   NULL);
         h != NULL;
         h = ngx_http_nudge_header(&r->headers_out.headers, "cache-control",
                                   h))
    {
        if (h->value.len < len) {
            continue;
        }

        last = h->value.data + h->value.len - len;

        for (p = h->value.data; p <= last; p++) {
            if (ngx_strncasecmp(p, (u_char *) word, len) == 0) {
                return 1;
            }
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_nudge_cache_shared(ngx_http_request_t *r)
{
    return ngx_http_nudge_cache_says(r, "public")
           || ngx_http_nudge_cache_says(r, "s-maxage")
           || ngx_http_nudge_cache_says(r, "immutable");
}


ngx_int_t
ngx_http_nudge_cache_private(ngx_http_request_t *r)
{
    ngx_table_elt_t  *h;

    if (ngx_http_nudge_cache_says(r, "no-store")) {
        return NGX_OK;
    }

    h = NULL;

    while ((h = ngx_http_nudge_header(&r->headers_out.headers,
                                      "cache-control", h))
           != NULL)
    {
        h->hash = 0;
    }

    h = ngx_http_nudge_header(&r->headers_out.headers, "expires", NULL);
    if (h != NULL) {
        h->hash = 0;
        r->headers_out.expires = NULL;
    }

    h = ngx_http_nudge_push_header(r, "Cache-Control");
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&h->value, "private, no-cache");

    return ngx_http_nudge_set_cache_control(r, h);
}


/*
 * hash 0 hides a response line, but proxy and fastcgi pass on every request
 * line of the list: it has to leave the list.  Core keeps pointers to other
 * elements, so none may move; the part is split around the hole instead.
 */

static void
ngx_http_nudge_header_remove(ngx_http_request_t *r, ngx_list_t *list,
    const char *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part, *rest;
    ngx_table_elt_t  *h, *found;

    found = ngx_http_nudge_header(list, name, NULL);
    if (found == NULL) {
        return;
    }

    h = NULL;

    for (part = &list->part; part != NULL; part = part->next) {
        h = part->elts;

        if (found >= h && found < h + part->nelts) {
            break;
        }
    }

    if (part == NULL) {
        return;
    }

    i = found - h;

    if (part->nelts > 1 && i < part->nelts - 1 && i > 0) {
        rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
        if (rest == NULL) {
            return;
        }

        rest->elts = found + 1;
        rest->nelts = part->nelts - i - 1;
        rest->next = part->next;

        part->nelts = i;
        part->next = rest;

        if (list->last == part) {
            list->last = rest;
        }

    } else if (part->nelts > 1 && i == 0) {
        part->elts = found + 1;
        part->nelts--;

    } else {
        part->nelts--;

        /* loops over a list take the first element of a following part for
         * granted: an empty part may only be the only one */

        if (part->nelts == 0 && part->next != NULL) {
            rest = part->next;

            if (list->last == rest) {
                list->last = part;
            }

            *part = *rest;

        } else if (part->nelts == 0 && part != &list->part) {
            for (rest = &list->part; rest->next != part; rest = rest->next) {
                /* void */
            }

            rest->next = NULL;
            list->last = rest;
        }
    }

    /* what is left of the last part may be smaller than nalloc says: the next
     * push has to make a new one */

    if (list->last->nelts != 0) {
        list->nalloc = list->last->nelts;
    }
}


void
ngx_http_nudge_drop_conditions(ngx_http_request_t *r)
{
    ngx_uint_t  i;

    static const char  *names[] = {
        "if-modified-since", "if-unmodified-since", "if-match",
        "if-none-match", "if-range", "range", NULL
    };

    for (i = 0; names[i] != NULL; i++) {
        ngx_http_nudge_header_remove(r, &r->headers_in.headers, names[i]);
    }

    r->headers_in.if_modified_since = NULL;
    r->headers_in.if_unmodified_since = NULL;
    r->headers_in.if_match = NULL;
    r->headers_in.if_none_match = NULL;
    r->headers_in.if_range = NULL;
    r->headers_in.range = NULL;

    r->allow_ranges = 0;
    r->disable_not_modified = 1;
}
