
/*
 * Bundles: files found in their order of preference, every mistake named with
 * file and line, the document the sender gets equal to what nginx loaded; and
 * the installed share directory, compiled and rendered for real.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_bundle.h"

#include "tap.h"


typedef struct {
    const char      *path;
    const char      *text;          /* NULL: there, but cannot be read */
} entry_t;

#define CAMPAIGN  "shop { id = 'x', name = 'X', locale = 'pl-PL' }\n"         \
                  "offer 'a' { on = 'exit_intent', kind = 'popup' }\n"        \
                  "use 'flows/one'\n"


static const entry_t  good[] = {
    { "/etc/n/nudge.lua", "\xef\xbb\xbf" CAMPAIGN },
    { "/share/flows/one.lua", "\nflow 'f' { on = 'subscribed', "
      "{ mail = 'hello' } }" },
    { "/share/templates/en/onsite/cart.html", "installed" },
    { "/etc/n/templates/pl/onsite/cart.html", "a\r\n{{> foot}}" },
    { "/share/templates/en/onsite/foot.html", "foot {{x}}\n{{> deep}}" },
    { "/share/templates/pl-PL/onsite/deep.html", "deep" },
    { "/share/templates/en/mail/hello.subject", "Hi {{n}}\n" },
    { "/share/templates/en/mail/hello.txt", "en" },
    { "/share/templates/pl/mail/hello.txt", "pl" },
    { "/share/templates/en/mail/hello.html", "<b>{{n}}</b>" },
    { "/share/templates/en/mail/confirm.subject", "s" },
    { "/share/templates/en/mail/confirm.txt", "t" },
    { "/share/templates/en/mail/confirm.html", "h" },
    { "/share/templates/en/page/confirm.html", "1" },
    { "/share/templates/en/page/confirmed.html", "2" },
    { "/share/templates/en/page/unsubscribe.html", "3" },
    { "/share/templates/en/page/unsubscribed.html", "4" },
    { "/share/templates/en/page/subscribed.html", "5" },
    { "/share/templates/en/page/error.html", "6" },
    { "/share/onsite/nudge.css", "c{}" },
    { "/share/onsite/nudge.js", "{{not a template" },
    { NULL, NULL }
};


static const entry_t  *changed;
static nudge_uint_t    opened;


/* the changed files first, then the good ones; an empty path hides all */

static nudge_int_t
read_memory(void *data, const char *path, nudge_str_t *text)
{
    size_t          len;
    const entry_t  *e;

    opened++;

    for (e = changed; e != NULL && e->path != NULL; e++) {

        if (strcmp(e->path, path) != 0) {
            continue;
        }

        if (e->text == NULL) {
            return NUDGE_ERROR;
        }

        if (strcmp(e->text, "gone") == 0) {
            return NUDGE_DECLINED;
        }

        goto found;
    }

    for (e = good; e->path != NULL; e++) {
        if (strcmp(e->path, path) == 0) {
            goto found;
        }
    }

    return NUDGE_DECLINED;

found:

    len = strlen(e->text);
    text->data = malloc(len + 1);

    if (text->data == NULL) {
        return NUDGE_ERROR;
    }

    memcpy(text->data, e->text, len);
    text->len = len;

    return NUDGE_OK;
}


static nudge_int_t
read_disk(void *data, const char *path, nudge_str_t *text)
{
    FILE    *f;
    size_t   n;

    f = fopen(path, "rb");
    if (f == NULL) {
        return NUDGE_DECLINED;
    }

    text->data = malloc(1024 * 1024);

    if (text->data == NULL) {
        fclose(f);
        return NUDGE_ERROR;
    }

    n = fread(text->data, 1, 1024 * 1024, f);
    text->len = n;
    fclose(f);

    return NUDGE_OK;
}


static nudge_bundle_t *
load(const entry_t *change, nudge_error_t *error)
{
    changed = change;

    return nudge_bundle_load("/etc/n/nudge.lua", "/share", "/nudge/",
                             read_memory, NULL, error);
}


static nudge_str_t
render(const nudge_bundle_t *b, const char *name, const nudge_value_t *data,
    nudge_escape_t escape)
{
    nudge_buf_t  out;
    nudge_str_t  s;

    nudge_str_null(&s);

    if (nudge_buf_grow(&out, b->pool, 4096, 262144) != NUDGE_OK
        || nudge_bundle_render(b, name, &out, data, escape) != NUDGE_OK)
    {
        return s;
    }

    return nudge_buf_result(&out);
}


static nudge_bundle_t *
copy(const nudge_bundle_t *b, nudge_pool_t *pool, nudge_json_t *js,
    nudge_error_t *error)
{
    const char     *why;
    nudge_buf_t     out;
    nudge_str_t     text;
    nudge_value_t  *v;

    if (nudge_buf_grow(&out, pool, 65536, 1024 * 1024) != NUDGE_OK) {
        return NULL;
    }

    nudge_bundle_encode(&out, b);
    text = nudge_buf_result(&out);
    why = "";

    v = nudge_json_decode(js, pool, &text, &why);

    if (v == NULL || out.full) {
        ok(0, "the document is JSON: %s", why);
        return NULL;
    }

    return nudge_bundle_decode(v, error);
}


static void
test_good(nudge_pool_t *pool, nudge_json_t *js)
{
    nudge_str_t      n;
    nudge_uint_t     i, same;
    nudge_error_t    error;
    nudge_value_t   *v;
    nudge_bundle_t  *b, *c;

    b = load(NULL, &error);

    if (!ok(b != NULL, "a whole bundle loads: %s", error.text)) {
        return;
    }

    v = nudge_value_object(pool);
    n = nudge_cstr("<x>");
    nudge_value_add_str(pool, v, "n", &n);
    nudge_value_add_str(pool, v, "x", &n);

    ok(b->campaign->nflows == 1 && b->campaign->noffers == 1, "its campaign");
    is_str(b->prefix, "/nudge/", "its prefix");
    is_str(render(b, "onsite/cart.html", v, NUDGE_ESCAPE_ASCII),
           "a\nfoot &#x3C;x&#x3E;\ndeep",
           "beside the campaign before installed, partials of partials, no CR");
    is_str(render(b, "mail/hello.txt", v, NUDGE_ESCAPE_NONE), "pl",
           "the nearest language");
    is_str(render(b, "mail/hello.subject", v, NUDGE_ESCAPE_HEADER), "Hi <x>",
           "English when there is no other; one line");
    is_str(render(b, "mail/hello.html", v, NUDGE_ESCAPE_HTML),
           "<b>&lt;x&gt;</b>", "a mail's HTML");
    is_str(render(b, "nudge.js", v, NUDGE_ESCAPE_NONE), "",
           "an asset is no template");
    is_str(nudge_bundle_file(b, "nudge.js")->text, "{{not a template",
           "an asset as it is");
    ok(nudge_bundle_file(b, "flows/one.lua") != NULL
       && nudge_bundle_file(b, "flows/two.lua") == NULL, "used files");

    opened = 0;
    c = copy(b, pool, js, &error);

    if (ok(c != NULL, "the document gives a bundle: %s", error.text)) {

        ok(opened == 0, "without opening a file");

        for (i = 0, same = 0; i < b->nfiles && i < c->nfiles; i++) {
            same += nudge_str_eq(&b->files[i].name, &c->files[i].name)
                    && nudge_str_eq(&b->files[i].text, &c->files[i].text);
        }

        ok(same == b->nfiles && c->nfiles == b->nfiles
           && nudge_str_eq(&b->text, &c->text)
           && nudge_str_eq(&b->path, &c->path),
           "with the same %d files", (int) same);

        is_str(render(c, "onsite/cart.html", v, NUDGE_ESCAPE_ASCII),
               "a\nfoot &#x3C;x&#x3E;\ndeep", "that render the same");
    }

    nudge_bundle_destroy(c);
    nudge_bundle_destroy(b);
    nudge_pool_reset(pool);
}


static void
refused(const char *path, const char *text, const char *expected)
{
    entry_t          change[2];
    nudge_error_t    error;
    nudge_bundle_t  *b;

    change[0].path = path;
    change[0].text = text;
    change[1].path = NULL;

    b = load(change, &error);

    ok(b == NULL && strncmp((char *) error.text, expected,
                            strlen(expected)) == 0,
       "%s", b ? path : (char *) error.text);

    nudge_bundle_destroy(b);
}


static void
test_refused(void)
{
    refused("/etc/n/nudge.lua", "gone",
            "/etc/n/nudge.lua: found no such file");
    refused("/etc/n/nudge.lua", NULL,
            "/etc/n/nudge.lua: found a file that cannot be read");
    refused("/etc/n/nudge.lua", "\n\nshop {}",
            "/etc/n/nudge.lua:3: found no \"id\" in shop");
    refused("/etc/n/nudge.lua", "-- ok\n-- caf\xe9\n",
            "/etc/n/nudge.lua:2: found bytes that are not UTF-8");
    refused("/etc/n/nudge.lua", CAMPAIGN "offer 'b' { on = 'exit_intent', "
            "kind = 'popup', template = 'none' }",
            "/etc/n/nudge.lua:4: found no \"onsite/none.html\", expected it "
            "below \"/etc/n/templates\" or \"/share/templates\"");
    refused("/share/flows/one.lua", "gone",
            "/etc/n/nudge.lua:3: found no file \"flows/one.lua\"");
    refused("/share/flows/one.lua", NULL,
            "/share/flows/one.lua: found a file that cannot be read");
    refused("/share/flows/one.lua", "\n\nflow 'f' { on = 'subscribed', "
            "{ mail = 'none' } }",
            "flows/one.lua:3: found no \"mail/none.subject\"");
    refused("/share/templates/en/mail/hello.html", "gone",
            "flows/one.lua:2: found no \"mail/hello.html\"");
    refused("/share/templates/pl/mail/hello.txt", "one\n{{#two}}",
            "/share/templates/pl/mail/hello.txt:2: found a section that is "
            "not closed");
    refused("/share/templates/pl/mail/hello.txt", "{{> nothing}}",
            "/share/templates/pl/mail/hello.txt:1: found no "
            "\"mail/nothing.txt\"");
    refused("/share/templates/pl/mail/hello.txt", "a\n\xff",
            "/share/templates/pl/mail/hello.txt:2: found bytes that are not");
    refused("/share/templates/en/page/error.html", "gone",
            "/etc/n/nudge.lua:1: found no \"page/error.html\"");
    refused("/share/onsite/nudge.css", "gone",
            "/etc/n/nudge.lua:1: found no \"nudge.css\", expected it below "
            "\"/etc/n/onsite\" or \"/share/onsite\"");
}


static void
undecodable(nudge_pool_t *pool, nudge_json_t *js, const char *text,
    const char *expected)
{
    nudge_str_t      s;
    nudge_error_t    error;
    nudge_bundle_t  *b;

    s = nudge_cstr(text);
    b = nudge_bundle_decode(nudge_json_decode(js, pool, &s, NULL), &error);

    ok(b == NULL && strstr((char *) error.text, expected) != NULL, "%s",
       b ? text : (char *) error.text);

    nudge_bundle_destroy(b);
    nudge_pool_reset(pool);
}


static void
test_undecodable(nudge_pool_t *pool, nudge_json_t *js)
{
    undecodable(pool, js, "[]", "without path or prefix");
    undecodable(pool, js, "not JSON", "without path or prefix");
    undecodable(pool, js, "{\"path\":\"p\",\"prefix\":\"/n/\"}",
                "p:1: found no shop");
    undecodable(pool, js, "{\"path\":\"p\",\"prefix\":\"/n/\",\"text\":"
                "\"shop { id = 'x' }\",\"files\":[3,{\"name\":4}]}",
                "p:1: found no \"mail/confirm.subject\"");
    undecodable(pool, js, "{\"path\":\"p\",\"prefix\":\"/n/\",\"text\":"
                "\"shop { id = 'x' }\",\"files\":[{\"name\":"
                "\"mail/confirm.subject\",\"text\":\"{{\"}]}",
                "mail/confirm.subject:1: found a tag");
}


/* the data of plan and README: what workers and sender hand to templates */

static nudge_value_t *
shown(nudge_pool_t *pool, nudge_json_t *js)
{
    nudge_str_t  s;

    s = nudge_cstr(
        "{\"shop\":{\"name\":\"Blue & Mug\",\"url\":\"https://b.example\","
        "\"privacy\":\"https://b.example/privacy\",\"postal_address\":"
        "\"1 Mug Street\",\"currency\":\"EUR\",\"locale\":\"en\"},"
        "\"assets\":\"0a1b\",\"prefix\":\"/nudge/\",\"offer\":{\"name\":"
        "\"leaving\",\"coupon\":\"BACK\"},\"cart\":{\"items\":[{\"name\":"
        "\"Mug <script>alert(1)</script>\",\"url\":\"/p/mug\",\"image\":"
        "\"/i/mug.svg\",\"price\":\"\\u20ac12.00\",\"quantity\":2,"
        "\"total\":\"\\u20ac24.00\"}],\"count\":2,\"total\":\"\\u20ac24.00\"},"
        "\"recommend\":[{\"name\":\"Plate\",\"url\":\"/p/plate\",\"image\":"
        "\"/i/plate.svg\",\"price\":\"\\u20ac9.00\"}],\"contact\":"
        "{\"email\":\"a@b.example\"},\"link\":{\"shop\":"
        "\"https://b.example/\",\"cart\":\"https://b.example/cart\","
        "\"confirm\":\"https://b.example/nudge/confirm?t=C\","
        "\"unsubscribe\":\"https://b.example/nudge/unsubscribe?t=U\"},"
        "\"frequency\":\"at most 2 e-mails a week\",\"token\":\"T0KEN\"}");

    return nudge_json_decode(js, pool, &s, NULL);
}


static void
contains(nudge_str_t text, const char *name, const char *needle)
{
    ok(text.len && nudge_str_find(&text, needle) != NULL, "%s has %s", name,
       needle);
}


static void
lacks(nudge_str_t text, const char *name, const char *needle)
{
    ok(text.len && nudge_str_find(&text, needle) == NULL, "%s has no %s",
       name, needle);
}


static void
test_onsite(const nudge_bundle_t *b, const nudge_value_t *v)
{
    static const char *const  names[] = {
        "onsite/cart.html", "onsite/banner.html", NULL
    };

    size_t              n, i;
    nudge_str_t         s;
    const char *const  *name;

    for (name = names; *name != NULL; name++) {

        s = render(b, *name, v, NUDGE_ESCAPE_ASCII);

        lacks(s, *name, " style=");
        lacks(s, *name, "<script");
        lacks(s, *name, " onclick");
        lacks(s, *name, "{{");

        for (i = 0, n = 0; i < s.len; i++) {
            n += (s.data[i] >= 0x80);
        }

        ok(s.len && n == 0, "%s is ASCII", *name);
    }

    s = render(b, "onsite/cart.html", v, NUDGE_ESCAPE_ASCII);

    contains(s, "popup",
             "<dialog class=\"nudge-popup\" data-nudge-offer=\"leaving\"");
    contains(s, "popup", "action=\"/nudge/subscribe\"");
    contains(s, "popup", "name=\"website\"");
    contains(s, "popup", "name=\"offer\" value=\"leaving\"");
    contains(s, "popup", "aria-labelledby=\"nudge-popup-title\"");
    contains(s, "popup", "Mug &#x3C;script&#x3E;alert(1)");
    contains(s, "popup", "https://b.example/privacy");
    contains(s, "popup", "at most 2 e-mails a week");
    contains(s, "popup", "&#x20AC;24.00");

    s = render(b, "onsite/banner.html", v, NUDGE_ESCAPE_ASCII);

    contains(s, "banner",
             "<aside class=\"nudge-banner\" data-nudge-offer=\"leaving\"");
    contains(s, "banner", "href=\"/p/plate\"");
    contains(s, "banner", "width=\"180\" height=\"180\"");
}


static void
test_mails(const nudge_bundle_t *b, const nudge_value_t *v)
{
    nudge_str_t  s;

    is_str(render(b, "mail/cart-reminder.subject", v, NUDGE_ESCAPE_HEADER),
           "Your cart at Blue & Mug", "subject of the reminder");

    s = render(b, "mail/cart-reminder.txt", v, NUDGE_ESCAPE_NONE);

    contains(s, "text", "- 2 x Mug <script>alert(1)</script>, "
             "\xe2\x82\xac" "12.00");
    contains(s, "text", "https://b.example/nudge/unsubscribe?t=U");
    contains(s, "text", "1 Mug Street");
    contains(s, "text", "https://b.example/cart");
    lacks(s, "text", "{{");

    s = render(b, "mail/cart-reminder.html", v, NUDGE_ESCAPE_HTML);

    contains(s, "html", "Mug &lt;script&gt;alert(1)");
    contains(s, "html", "https://b.example/nudge/unsubscribe?t=U");
    contains(s, "html", "1 Mug Street");
    contains(s, "html", "href=\"https://b.example/cart\"");
    contains(s, "html", "name=\"color-scheme\"");
    lacks(s, "html", "{{");
    lacks(s, "html", "<script");

    s = render(b, "mail/confirm.html", v, NUDGE_ESCAPE_HTML);
    contains(s, "confirm", "href=\"https://b.example/nudge/confirm?t=C\"");

    s = render(b, "mail/confirm.txt", v, NUDGE_ESCAPE_NONE);
    contains(s, "confirm", "https://b.example/nudge/confirm?t=C");
}


static void
test_pages(const nudge_bundle_t *b, const nudge_value_t *v)
{
    static const char *const  names[] = {
        "page/confirm.html", "page/confirmed.html", "page/unsubscribe.html",
        "page/unsubscribed.html", "page/subscribed.html", "page/error.html",
        NULL
    };

    nudge_str_t         s;
    const char *const  *name;

    for (name = names; *name != NULL; name++) {
        s = render(b, *name, v, NUDGE_ESCAPE_ASCII);

        contains(s, *name, "<!DOCTYPE html>");
        contains(s, *name, "<html lang=\"en\">");
        contains(s, *name, "<title>");
        contains(s, *name, "/nudge/nudge.css?v=0a1b");
        contains(s, *name, "nudge-content");
        contains(s, *name, "</html>");
        lacks(s, *name, " style=");
        lacks(s, *name, "<script");
    }

    s = render(b, "page/unsubscribe.html", v, NUDGE_ESCAPE_ASCII);
    contains(s, "unsubscribe", "method=\"post\" action=\"/nudge/unsubscribe\"");
    contains(s, "unsubscribe", "name=\"t\" value=\"T0KEN\"");

    s = render(b, "page/confirm.html", v, NUDGE_ESCAPE_ASCII);
    contains(s, "confirm", "method=\"post\" action=\"/nudge/confirm\"");
    contains(s, "confirm", "name=\"t\" value=\"T0KEN\"");
}


static void
test_share(nudge_pool_t *pool, nudge_json_t *js)
{
    char             path[512];
    const char      *share;
    nudge_error_t    error;
    nudge_value_t   *v;
    nudge_bundle_t  *b, *c;

    share = getenv("NUDGE_SHARE");
    share = share ? share : "share";

    snprintf(path, sizeof(path), "%s/nudge.lua", share);

    b = nudge_bundle_load(path, share, NULL, read_disk, NULL, &error);

    if (!ok(b != NULL, "the installed campaign loads: %s", error.text)) {
        return;
    }

    ok(b->campaign->noffers == 2 && b->campaign->nflows == 1
       && b->campaign->flows[0].nsteps == 1
       && b->campaign->flows[0].steps[0].after == 4 * 3600,
       "two offers, and one reminder after four hours");
    ok(b->campaign->mail.shadow && !b->campaign->sends,
       "its mail is in shadow mode");
    ok(b->campaign->nwarnings == 0, "nothing to be warned of");

    v = shown(pool, js);
    ok(v != NULL, "the example data");

    test_onsite(b, v);
    test_mails(b, v);
    test_pages(b, v);

    c = copy(b, pool, js, &error);
    ok(c != NULL && c->nfiles == b->nfiles,
       "the sender gets the same %d files: %s", (int) b->nfiles, error.text);

    nudge_bundle_destroy(c);
    nudge_bundle_destroy(b);
    nudge_pool_reset(pool);
}


int
main(void)
{
    nudge_json_t  *js;
    nudge_pool_t  *pool;

    pool = nudge_pool_create(8 * 1024 * 1024);
    js = nudge_json_create(8 * 1024 * 1024);

    if (pool == NULL || js == NULL) {
        ok(0, "no memory");
        done_testing();
        return 0;
    }

    test_good(pool, js);
    test_refused();
    test_undecodable(pool, js);
    test_share(pool, js);

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
