
/*
 * The part of Content-Security-Policy that concerns two tags of our own.  The
 * policy is read in place; a nonce is handed out only when every character of
 * it is one the grammar allows, so that it can stand in an attribute.
 */
#include "nudge_csp.h"

#include <strings.h>


#define NUDGE_CSP_SOURCES  7


/* the directives that matter, each with what it falls back to */

enum {
    NUDGE_CSP_DEFAULT = 0,
    NUDGE_CSP_SCRIPT,
    NUDGE_CSP_SCRIPT_ELEM,
    NUDGE_CSP_STYLE,
    NUDGE_CSP_STYLE_ELEM,
    NUDGE_CSP_CONNECT,
    NUDGE_CSP_FORM
};

static const char  *nudge_csp_names[NUDGE_CSP_SOURCES] = {
    "default-src",
    "script-src",
    "script-src-elem",
    "style-src",
    "style-src-elem",
    "connect-src",
    "form-action"
};


static void nudge_csp_policy(nudge_csp_t *csp, nudge_str_t policy,
    const nudge_str_t *host, nudge_uint_t https);
static nudge_str_t nudge_csp_token(nudge_str_t *rest, const char *delimiters);
static nudge_str_t *nudge_csp_choose(nudge_str_t *list, const nudge_int_t *use);
static nudge_uint_t nudge_csp_allows(const nudge_str_t *list,
    nudge_str_t *nonce, const nudge_str_t *host, nudge_uint_t https);
static nudge_uint_t nudge_csp_source(const nudge_str_t *source,
    const nudge_str_t *host, nudge_uint_t https);
static nudge_str_t nudge_csp_nonce(const nudge_str_t *source);
static nudge_uint_t nudge_csp_with_nonce(nudge_str_t *have,
    const nudge_str_t *nonce);


void
nudge_csp_init(nudge_csp_t *csp)
{
    csp->script = 1;
    csp->style = 1;
    nudge_str_null(&csp->script_nonce);
    nudge_str_null(&csp->style_nonce);
}


void
nudge_csp_apply(nudge_csp_t *csp, const nudge_str_t *value,
    const nudge_str_t *host, nudge_uint_t https)
{
    nudge_str_t  rest, policy;

    rest = *value;

    while (rest.len) {
        policy = nudge_csp_token(&rest, ",");
        nudge_csp_policy(csp, policy, host, https);
    }
}


static void
nudge_csp_policy(nudge_csp_t *csp, nudge_str_t policy,
    const nudge_str_t *host, nudge_uint_t https)
{
    nudge_str_t   lists[NUDGE_CSP_SOURCES], directive, name, nonce, *list;
    nudge_uint_t  i;

    static const nudge_int_t  script[] = { NUDGE_CSP_SCRIPT_ELEM,
                                           NUDGE_CSP_SCRIPT,
                                           NUDGE_CSP_DEFAULT, -1 };
    static const nudge_int_t  style[] = { NUDGE_CSP_STYLE_ELEM,
                                          NUDGE_CSP_STYLE,
                                          NUDGE_CSP_DEFAULT, -1 };
    static const nudge_int_t  connect[] = { NUDGE_CSP_CONNECT,
                                            NUDGE_CSP_DEFAULT, -1 };
    /* form-action does not fall back to default-src */
    static const nudge_int_t  form[] = { NUDGE_CSP_FORM, -1 };

    memset(lists, 0, sizeof(lists));

    while (policy.len) {
        directive = nudge_str_trim(nudge_csp_token(&policy, ";"));
        name = nudge_csp_token(&directive, " \t");

        if (nudge_str_case_is(&name, "sandbox")) {
            csp->script = 0;
            csp->style = 0;
            return;
        }

        if (nudge_str_case_is(&name, "require-trusted-types-for")) {
            /* the script puts a piece of HTML into the page */
            csp->script = 0;
            continue;
        }

        for (i = 0; i < NUDGE_CSP_SOURCES; i++) {

            /* of repeated directives the first counts */

            if (lists[i].data == NULL
                && nudge_str_case_is(&name, nudge_csp_names[i]))
            {
                lists[i] = directive;

                if (lists[i].data == NULL) {
                    lists[i] = nudge_cstr("");
                }
            }
        }
    }

    list = nudge_csp_choose(lists, style);

    if (list != NULL
        && (!nudge_csp_allows(list, &nonce, host, https)
            || !nudge_csp_with_nonce(&csp->style_nonce, &nonce)))
    {
        csp->style = 0;
    }

    list = nudge_csp_choose(lists, script);

    if (list != NULL
        && (!nudge_csp_allows(list, &nonce, host, https)
            || !nudge_csp_with_nonce(&csp->script_nonce, &nonce)))
    {
        csp->script = 0;
    }

    list = nudge_csp_choose(lists, connect);

    if (list != NULL && !nudge_csp_allows(list, NULL, host, https)) {
        csp->script = 0;
    }

    list = nudge_csp_choose(lists, form);

    if (list != NULL && !nudge_csp_allows(list, NULL, host, https)) {
        csp->script = 0;
    }
}


/* cuts the next token off rest, without the delimiters before and after it */

static nudge_str_t
nudge_csp_token(nudge_str_t *rest, const char *delimiters)
{
    u_char       *p, *end;
    nudge_str_t   token;

    p = rest->data;
    end = p + rest->len;

    while (p < end && *p != '\0' && strchr(delimiters, *p) != NULL) {
        p++;
    }

    token.data = p;

    while (p < end && (*p == '\0' || strchr(delimiters, *p) == NULL)) {
        p++;
    }

    token.len = p - token.data;

    rest->data = p;
    rest->len = end - p;

    return token;
}


static nudge_str_t *
nudge_csp_choose(nudge_str_t *lists, const nudge_int_t *use)
{
    for ( /* void */ ; *use >= 0; use++) {
        if (lists[*use].data != NULL) {
            return &lists[*use];
        }
    }

    return NULL;
}


/* nonce NULL: nonces mean nothing to this directive */

static nudge_uint_t
nudge_csp_allows(const nudge_str_t *list, nudge_str_t *nonce,
    const nudge_str_t *host, nudge_uint_t https)
{
    nudge_str_t   rest, source, found, none;
    nudge_uint_t  allowed, strict;

    rest = *list;
    allowed = 0;
    strict = 0;
    nudge_str_null(&none);

    if (nonce == NULL) {
        nonce = &none;
    }

    nudge_str_null(nonce);

    while (rest.len) {
        source = nudge_csp_token(&rest, " \t");

        if (nudge_str_case_is(&source, "'strict-dynamic'")) {
            strict = 1;
            continue;
        }

        found = nudge_csp_nonce(&source);

        if (found.len) {
            *nonce = found;
            continue;
        }

        if (nudge_csp_source(&source, host, https)) {
            allowed = 1;
        }
    }

    if (nonce == &none) {
        return allowed;
    }

    /* 'strict-dynamic' makes browsers ignore hosts and 'self' */

    return (allowed && !strict) || nonce->len;
}


static nudge_uint_t
nudge_csp_source(const nudge_str_t *source, const nudge_str_t *host,
    nudge_uint_t https)
{
    nudge_str_t  s;

    if (nudge_str_case_is(source, "'self'") || nudge_str_is(source, "*")) {
        return 1;
    }

    if (nudge_str_case_is(source, "https:")) {
        return https;
    }

    /* a page over http may load https, too, but ours would come over http */

    if (nudge_str_case_is(source, "http:")) {
        return 1;
    }

    s = *source;

    if (s.len > 8 && strncasecmp((char *) s.data, "https://", 8) == 0) {

        if (!https) {
            return 0;
        }

        s.data += 8;
        s.len -= 8;

    } else if (s.len > 7 && strncasecmp((char *) s.data, "http://", 7) == 0) {
        s.data += 7;
        s.len -= 7;
    }

    /* the whole host and no path; wildcards are left to 'self' */

    return s.len == host->len && s.len != 0
           && strncasecmp((char *) s.data, (char *) host->data, s.len) == 0;
}


static nudge_str_t
nudge_csp_nonce(const nudge_str_t *source)
{
    u_char       *p, *end;
    nudge_str_t   nonce;

    nudge_str_null(&nonce);

    if (source->len < sizeof("'nonce-x'") - 1
        || strncasecmp((char *) source->data, "'nonce-", 7) != 0
        || source->data[source->len - 1] != '\'')
    {
        return nonce;
    }

    p = source->data + 7;
    end = source->data + source->len - 1;

    while (p < end) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z')
              || (*p >= 'A' && *p <= 'Z') || *p == '+' || *p == '/'
              || *p == '-' || *p == '_' || *p == '='))
        {
            return nonce;
        }

        p++;
    }

    nonce.data = source->data + 7;
    nonce.len = end - nonce.data;

    return nonce;
}


/* two policies with different nonces cannot both be met */

static nudge_uint_t
nudge_csp_with_nonce(nudge_str_t *have, const nudge_str_t *nonce)
{
    if (nonce->len == 0) {
        return 1;
    }

    if (have->len == 0) {
        *have = *nonce;
        return 1;
    }

    return nudge_str_eq(have, nonce);
}
