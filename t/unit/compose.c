
/*
 * Whole mails out of a bundle in memory: header fields, parts, links, and what
 * must be refused.
 */


#include <stdlib.h>

#include "compose.h"
#include "tap.h"


typedef struct {
    const char  *name;
    const char  *text;
} file_t;


static nudge_pool_t  *pool;
static nudge_keys_t   keys;

static const char  campaign[] =
    "shop { id = \"bluemug\", name = \"Blue Mug\","
    " url = \"https://bluemug.example\", currency = \"EUR\", locale = \"en\","
    " from = \"Caf\xc3\xa9 \\\"Mug\\\" <hello@bluemug.example>\","
    " postal_address = \"Kiln Lane 4\", privacy = \"/privacy/\" }\n"
    "mail { relay = \"smtp://127.0.0.1:25\","
    " reply_to = \"Help <help@bluemug.example>\" }\n"
    "moderation { email = { max = 2, per = \"1w\", gap = \"16h\" } }\n"
    "flow \"abandoned\" { on = \"cart_abandoned\", after = \"4h\","
    " { mail = \"cart-reminder\" } }\n";

static const file_t  files[] = {
    { "nudge.lua", campaign },
    { "mail/cart-reminder.subject",
      "{{#cart.items}}{{name}} {{/cart.items}}\n" },
    { "mail/cart-reminder.txt",
      "{{#cart.items}}[{{name}}|{{quantity}}|{{price}}|{{total}}|{{url}}|"
      "{{image}}]\n{{/cart.items}}T={{cart.total}} N={{cart.count}}"
      " S={{link.shop}} P={{shop.privacy}} F={{frequency}}\n" },
    { "mail/cart-reminder.html",
      "<p>{{#cart.items}}{{name}} {{/cart.items}}</p>"
      "<a href=\"{{link.cart}}\">x</a>{{link.confirm}}\n" },
    { "mail/confirm.subject", "Confirm" },
    { "mail/confirm.txt", "{{link.confirm}}\n" },
    { "mail/confirm.html", "<a href=\"{{link.confirm}}\">x</a>" }
};


/* "share/templates/en/mail/confirm.txt" -> what is above, or a filler */

static nudge_int_t
read_file(void *data, const char *path, nudge_str_t *text)
{
    size_t       i, n, len;
    const char  *found;

    found = NULL;
    len = strlen(path);

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        n = strlen(files[i].name);

        if (len >= n && strcmp(path + len - n, files[i].name) == 0) {
            found = files[i].text;
        }
    }

    if (found == NULL) {
        if (strstr(path, "/page/") == NULL && strstr(path, "/onsite/") == NULL)
        {
            return NUDGE_DECLINED;
        }

        found = "<p>x</p>";
    }

    text->len = strlen(found);
    text->data = malloc(text->len + 1);

    if (text->data == NULL) {
        return NUDGE_ERROR;
    }

    memcpy(text->data, found, text->len + 1);

    return NUDGE_OK;
}


static void
item(nudge_item_t *it, const char *name, const char *url, nudge_money_t price,
    int64_t quantity)
{
    memset(it, 0, sizeof(nudge_item_t));

    it->id = nudge_cstr("21");
    it->name = nudge_cstr(name);
    it->url = nudge_cstr(url);
    it->image = nudge_cstr("https://cdn.example/a b.png");
    it->price = price;
    it->currency = nudge_cstr("EUR");
    it->quantity = quantity;
}


static nudge_uint_t
has(const compose_message_t *m, const char *text)
{
    return nudge_str_find(&m->bytes, text) != NULL;
}


static nudge_str_t
between(const compose_message_t *m, const char *from, const char *to)
{
    u_char       *p;
    nudge_str_t   s, rest;

    nudge_str_null(&s);
    p = nudge_str_find(&m->bytes, from);

    if (p == NULL) {
        return s;
    }

    rest.data = p + strlen(from);
    rest.len = m->bytes.data + m->bytes.len - rest.data;
    p = nudge_str_find(&rest, to);

    if (p != NULL) {
        s.data = rest.data;
        s.len = p - rest.data;
    }

    return s;
}


static void
reminder(compose_t *c)
{
    nudge_str_t        s;
    const char        *reason;
    nudge_item_t       cart[2];
    nudge_token_t      t;
    compose_message_t  m, again;

    item(&cart[0], "Blue Mug", "/product/blue mug/\"x", 24000, 2);
    item(&cart[1],
         "Kubek <b>\xc5\xbc\xc3\xb3\xc5\x82ty</b>\r\nBcc: e@x.example",
         "javascript:alert(1)", NUDGE_MONEY_NONE, 1);

    c->cart = cart;
    c->ncart = 2;

    ok(compose_message(pool, c, &m, &reason) == NUDGE_OK, "a reminder");

    ok(has(&m, "From: =?UTF-8?"), "the display name is encoded");
    ok(has(&m, "= <hello@bluemug.example>\r\n"), "the address is not");
    ok(has(&m, "\r\nTo: anna@shop.example\r\n"), "To");
    ok(has(&m, "\r\nReply-To: Help <help@bluemug.example>\r\n"), "Reply-To");
    ok(has(&m, "Date: Sun, 22 Nov 2026 00:15:29 +0000\r\n"), "Date");
    ok(has(&m, "\r\nMessage-ID: <c-42.bluemug@bluemug.example>\r\n"),
       "Message-ID is made of the claim");
    ok(has(&m, "\r\nMIME-Version: 1.0\r\n"), "MIME-Version");
    ok(has(&m, "\r\nList-Id: <abandoned.bluemug.example>\r\n"), "List-Id");
    ok(has(&m, "\r\nList-Unsubscribe: <https://bluemug.example/nudge/"
               "unsubscribe?t="), "List-Unsubscribe");
    ok(has(&m, "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"),
       "one click");
    ok(has(&m, "\r\nFeedback-ID: cart-reminder:abandoned:bluemug:nudge-"),
       "Feedback-ID");
    ok(!has(&m, "Auto-Submitted"), "marketing is not an answer");
    ok(!has(&m, "\nBcc:"), "a product name begins no line");
    ok(nudge_str_find(&m.subject, "\n") == NULL, "the subject is one line");

    is_str(m.from, "hello@bluemug.example", "envelope from");
    is_str(m.to, "anna@shop.example", "envelope to");

    ok(nudge_str_find(&m.text, "[Blue Mug|2|\xe2\x82\xac" "24.00|\xe2\x82\xac"
                      "48.00|https://bluemug.example/product/blue%20mug/%22x|"
                      "https://cdn.example/a%20b.png]") != NULL,
       "a line with absolute, encoded URLs");
    ok(nudge_str_find(&m.text, "javascript") == NULL, "no other scheme");
    ok(nudge_str_find(&m.text, "T= N=3") != NULL,
       "no total when a price is not known");
    ok(nudge_str_find(&m.text, "S=https://bluemug.example/ "
                      "P=https://bluemug.example/privacy/") != NULL, "links");
    ok(nudge_str_find(&m.text, "F=at most 2 e-mails a week") != NULL,
       "how often");
    ok(nudge_str_find(&m.html, "<b>") == NULL, "markup is escaped");
    ok(nudge_str_find(&m.html, "/nudge/confirm") == NULL,
       "no confirm link in marketing");

    s = between(&m, "unsubscribe?t=", ">");
    ok(nudge_token_decode(&t, pool, &s, 'u', &c->bundle->campaign->shop.id,
                          1795306529, &keys) == NUDGE_OK, "the token is ours");
    is_str(t.contact, "c0123456789abcdef", "and names the contact");
    is_str(t.claim, "c-42", "and the claim");
    is_int(t.expires, 0, "an unsubscribe link does not expire");

    ok(compose_message(pool, c, &again, &reason) == NUDGE_OK
       && nudge_str_eq(&m.bytes, &again.bytes), "the same bytes again");

    cart[1].price = 1500;
    ok(compose_message(pool, c, &m, &reason) == NUDGE_OK
       && nudge_str_find(&m.text, "T=\xe2\x82\xac" "49.50 N=3") != NULL,
       "a total");

    cart[1].quantity = INT64_MAX;
    ok(compose_message(pool, c, &m, &reason) == NUDGE_OK
       && nudge_str_find(&m.text, "T= ") != NULL, "no total that overflows");

    c->cart = NULL;
    c->ncart = 0;
}


static void
confirm(compose_t *c)
{
    const char         *reason;
    compose_t           d;
    nudge_str_t         s, url;
    nudge_token_t       t;
    compose_message_t   m;

    d = *c;
    d.marketing = 0;
    d.mail = nudge_cstr("confirm");
    nudge_str_null(&d.flow);
    d.ncart = 0;

    ok(compose_message(pool, &d, &m, &reason) == NUDGE_OK, "a confirm mail");
    ok(has(&m, "\r\nAuto-Submitted: auto-generated\r\n"), "an answer");
    ok(!has(&m, "List-"), "no list");

    url = m.text;
    s.data = nudge_str_find(&url, "confirm?t=") + 10;
    s.len = url.data + url.len - s.data;
    s = nudge_str_trim(s);

    ok(nudge_token_decode(&t, pool, &s, 'c', &d.bundle->campaign->shop.id,
                          d.time + COMPOSE_CONFIRM - 1, &keys) == NUDGE_OK,
       "the link works for a week");
    ok(nudge_token_decode(&t, pool, &s, 'c', &d.bundle->campaign->shop.id,
                          d.time + COMPOSE_CONFIRM + 1, &keys) == NUDGE_AGAIN,
       "and no longer");
    ok(nudge_token_decode(&t, pool, &s, 'u', &d.bundle->campaign->shop.id,
                          d.time, &keys) == NUDGE_DECLINED,
       "and does nothing else");
}


static void
refused(const compose_t *c, const char *what, const char *email,
    const char *claim, const char *mail, const char *want)
{
    compose_t           d;
    nudge_int_t         rc;
    const char         *reason;
    compose_message_t   m;

    d = *c;
    d.email = nudge_cstr(email);
    d.claim = nudge_cstr(claim);
    d.mail = nudge_cstr(mail);
    reason = "";

    rc = compose_message(pool, &d, &m, &reason);

    ok(rc == NUDGE_DECLINED && strcmp(reason, want) == 0, "%s: %s", what,
       reason);
}


int
main(void)
{
    compose_t        c;
    nudge_error_t    error;
    nudge_bundle_t  *bundle;

    pool = nudge_pool_create(64 * 1024 * 1024);
    memset(keys.current, 7, sizeof(keys.current));

    bundle = nudge_bundle_load("etc/nudge.lua", "share", "/nudge/", read_file,
                               NULL, &error);

    if (!ok(bundle != NULL, "the bundle loads: %s",
            bundle ? "" : (char *) error.text))
    {
        done_testing();
        return 0;
    }

    memset(&c, 0, sizeof(compose_t));

    c.bundle = bundle;
    c.keys = &keys;
    c.mail = nudge_cstr("cart-reminder");
    c.flow = nudge_cstr("abandoned");
    c.claim = nudge_cstr("c-42");
    c.contact = nudge_cstr("c0123456789abcdef");
    c.email = nudge_cstr("anna@shop.example");
    c.time = 1795306529;
    c.cart_page = nudge_cstr("/cart/");
    c.marketing = 1;

    reminder(&c);
    confirm(&c);

    refused(&c, "IDN", "anna@b\xc3\xbc" "cher.example", "c1", "cart-reminder",
            "address_not_ascii");
    refused(&c, "quoted", "\"a b\"@shop.example", "c1", "cart-reminder",
            "address_invalid");
    refused(&c, "two lines", "a@shop.example\r\nBcc: e@x.example", "c1",
            "cart-reminder", "address_invalid");
    refused(&c, "claim", "a@shop.example", "c1>\r\n", "cart-reminder",
            "claim_invalid");
    refused(&c, "no claim", "a@shop.example", "", "cart-reminder",
            "claim_invalid");
    refused(&c, "no template", "a@shop.example", "c1", "other", "no_template");

    nudge_bundle_destroy(bundle);
    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
