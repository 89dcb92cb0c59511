
/* Content-Security-Policy: may our script and style sheet be put in? */


#include "tap.h"

#include "nudge_csp.h"


typedef struct {
    const char  *policy;            /* several headers: separated by "\n" */
    int          script;
    int          style;
    const char  *script_nonce;
    const char  *style_nonce;
} case_t;


static const case_t  cases[] = {

    { "", 1, 1, "", "" },
    { "default-src 'self'", 1, 1, "", "" },
    { "default-src 'SELF'", 1, 1, "", "" },
    { "DEFAULT-SRC *", 1, 1, "", "" },
    { "default-src 'none'", 0, 0, "", "" },
    { "default-src", 0, 0, "", "" },
    { "default-src;", 0, 0, "", "" },
    { ";;; ; default-src 'self' ;;", 1, 1, "", "" },
    { "upgrade-insecure-requests", 1, 1, "", "" },
    { "img-src 'none'; font-src 'none'", 1, 1, "", "" },

    /* fallback */

    { "default-src 'none'; script-src 'self'; style-src 'self'", 0, 1, "",
      "" },
    { "default-src 'none'; script-src 'self'; style-src 'self'; "
      "connect-src 'self'", 1, 1, "", "" },
    { "script-src 'self'; script-src-elem 'none'", 0, 1, "", "" },
    { "script-src 'none'; script-src-elem 'self'", 1, 1, "", "" },
    { "style-src-elem https://fonts.example", 1, 0, "", "" },
    { "connect-src https://api.example", 0, 1, "", "" },
    { "form-action https://pay.example", 0, 1, "", "" },
    { "default-src 'none'; form-action 'self'", 0, 0, "", "" },

    /* the first of repeated directives counts */

    { "style-src 'none'; style-src 'self'", 1, 0, "", "" },
    { "style-src 'self'; style-src 'none'", 1, 1, "", "" },

    /* hosts and schemes */

    { "style-src https:", 1, 1, "", "" },
    { "style-src http:", 1, 1, "", "" },
    { "style-src shop.example", 1, 1, "", "" },
    { "style-src https://shop.example", 1, 1, "", "" },
    { "style-src https://shop.example.evil.example", 1, 0, "", "" },
    { "style-src *.example", 1, 0, "", "" },
    { "style-src shop.example/css/", 1, 0, "", "" },

    /* nonces */

    { "script-src 'nonce-abc'", 1, 1, "abc", "" },
    { "style-src 'nonce-abc' 'self'", 1, 1, "", "abc" },
    { "script-src 'nonce-a+b/c-d_e=='", 1, 1, "a+b/c-d_e==", "" },
    { "script-src 'nonce-abc\"onload'", 0, 1, "", "" },
    { "script-src 'nonce-'", 0, 1, "", "" },
    { "script-src 'nonce-abc", 0, 1, "", "" },
    { "script-src 'self' 'strict-dynamic'", 0, 1, "", "" },
    { "script-src 'strict-dynamic' 'nonce-q'", 1, 1, "q", "" },
    { "connect-src 'nonce-abc'", 0, 1, "", "" },
    { "script-src 'unsafe-inline' 'unsafe-eval'", 0, 1, "", "" },
    { "script-src 'sha256-AAAA'", 0, 1, "", "" },

    /* several policies: all of them hold */

    { "default-src 'self', style-src 'none'", 1, 0, "", "" },
    { "default-src 'self'\nstyle-src 'none'", 1, 0, "", "" },
    { "script-src 'nonce-a', script-src 'nonce-b'", 0, 1, NULL, "" },
    { "script-src 'nonce-a', script-src 'nonce-a'", 1, 1, "a", "" },
    { "script-src 'nonce-a', script-src 'self'", 1, 1, "a", "" },

    { "sandbox", 0, 0, "", "" },
    { "sandbox allow-scripts allow-forms", 0, 0, "", "" },
    { "require-trusted-types-for 'script'", 0, 1, "", "" },

    { NULL, 0, 0, NULL, NULL }
};


static void
check(const case_t *c)
{
    char          text[512], *line, *next;
    nudge_csp_t   csp;
    nudge_str_t   value, host;

    (void) snprintf(text, sizeof(text), "%s", c->policy);

    host = nudge_cstr("shop.example");
    nudge_csp_init(&csp);

    for (line = text; line; line = next) {
        next = strchr(line, '\n');

        if (next) {
            *next++ = '\0';
        }

        value = nudge_cstr(line);
        nudge_csp_apply(&csp, &value, &host, 1);
    }

    is_int(csp.script, c->script, "script: %s", text);
    is_int(csp.style, c->style, "style: %s", text);

    if (c->script_nonce) {
        is_str(csp.script_nonce, c->script_nonce, "script nonce: %s", text);
    }

    is_str(csp.style_nonce, c->style_nonce, "style nonce: %s", text);
}


int
main(void)
{
    nudge_csp_t    csp;
    nudge_str_t    value, host;
    const case_t  *c;

    for (c = cases; c->policy; c++) {
        check(c);
    }

    /* over http what is promised for https is not */

    host = nudge_cstr("shop.example:8080");
    value = nudge_cstr("style-src https:; script-src https://shop.example:8080"
                       " http://shop.example:8080");

    nudge_csp_init(&csp);
    nudge_csp_apply(&csp, &value, &host, 0);

    is_int(csp.style, 0, "https: over http");
    is_int(csp.script, 1, "host with port over http");

    /* bytes that are not text */

    value.data = (u_char *) "style-src \0 'self'";
    value.len = sizeof("style-src \0 'self'") - 1;

    nudge_csp_init(&csp);
    nudge_csp_apply(&csp, &value, &host, 0);

    is_int(csp.style, 1, "a zero byte is no end");

    done_testing();

    return 0;
}
