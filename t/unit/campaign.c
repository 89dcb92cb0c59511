
/*
 * The campaign file: what a good one gives, what every kind of mistake is
 * answered with, and that no script leaves its sandbox or its budget.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_campaign.h"

#include "tap.h"


typedef struct {
    const char      *text;
    const char      *expected;      /* of the message, from its beginning */
} mistake_t;

typedef struct {
    const char      *when;
    nudge_facts_t    facts;
    nudge_uint_t     met;
} condition_t;


#define SHOP  "shop { id = 'x' } "


static const mistake_t  mistakes[] = {

    /* the file as a whole */

    { "", "nudge.lua:1: found no shop, expected shop { id = " },
    { "shop {", "nudge.lua:1: unexpected symbol near '<eof>'" },
    { "\n\nfoo()", "nudge.lua:3: found unknown name \"foo\", expected" },
    { "ofer 'x' {}", "nudge.lua:1: found unknown name \"ofer\", expected "
      "\"offer\"?" },
    { "\nerror('not today')", "nudge.lua:2: not today" },
    { "error({})", "nudge.lua: found an error that is no text" },
    { "\x1bLJ\x02\x02", "nudge.lua:1: found compiled code, expected Lua" },
    { "local t = nil; t.x = 1", "nudge.lua:1: attempt to index" },

    /* shop */

    { "\nshop {}", "nudge.lua:2: found no \"id\" in shop, expected 1 to 32 "
      "of a-z" },
    { "shop {\n id = 'x',\n nmae = 'y' }", "nudge.lua:1: found unknown "
      "\"nmae\" in shop, expected id, name, url, currency, locale, timezone, "
      "from, postal_address, privacy or demo; did you mean \"name\"?" },
    { SHOP "\n" SHOP, "nudge.lua:2: found a second shop, expected one (the "
      "first is in line 1)" },
    { "shop 'x'", "nudge.lua:1: found \"x\" after shop, expected { ... }" },
    { "shop { 'x' }", "nudge.lua:1: found a value without a name in shop" },
    { "shop { id = 'Blue Mug' }", "nudge.lua:1: found \"Blue Mug\" for "
      "\"id\" in shop, expected 1 to 32 of a-z, 0-9 and \"-\"" },
    { "shop { id = '-x' }", "nudge.lua:1: found \"-x\" for \"id\"" },
    { "shop { id = 12 }", "nudge.lua:1: found 12 for \"id\" in shop" },
    { "shop { id = 'x', url = 'https://a.example/shop' }",
      "nudge.lua:1: found \"https://a.example/shop\" for \"url\" in shop, "
      "expected an origin as" },
    { "shop { id = 'x', url = 'javascript://a' }", "nudge.lua:1: found \"jav" },
    { "shop { id = 'x', url = 'https://a:99999' }", "nudge.lua:1: found" },
    { "shop { id = 'x', url = 'https://u@a.example' }",
      "nudge.lua:1: found" },
    { "shop { id = 'x', from = 'a@b.example\\nBcc: c@d.example' }",
      "nudge.lua:1: found several lines for \"from\" in shop" },
    { "shop { id = 'x', from = 'a\\0b@c.example' }",
      "nudge.lua:1: found a control character in \"from\" in shop" },
    { "shop { id = 'x', from = 'nobody' }",
      "nudge.lua:1: found \"nobody\" for \"from\" in shop, expected an "
      "address" },
    { "shop { id = 'x', name = '\\255' }", "nudge.lua:1: found broken text "
      "for \"name\" in shop, expected 1 to 200 bytes of UTF-8" },
    { "shop { id = 'x', name = '' }", "nudge.lua:1: found empty text" },
    { "shop { id = 'x', currency = 'euro' }", "nudge.lua:1: found too long" },
    { "shop { id = 'x', currency = 'eur' }", "nudge.lua:1: found \"eur\"" },
    { "shop { id = 'x', locale = '../x' }", "nudge.lua:1: found \"../x\"" },
    { "shop { id = 'x', locale = 'en-' }", "nudge.lua:1: found \"en-\"" },
    { "shop { id = 'x', timezone = '../etc' }", "nudge.lua:1: found" },
    { "shop { id = 'x', privacy = 'javascript:x' }", "nudge.lua:1: found" },
    { "shop { id = 'x', privacy = '//evil.example' }", "nudge.lua:1: found" },
    { "shop { id = 'x', demo = 1 }", "nudge.lua:1: found 1 for \"demo\" in "
      "shop, expected true or false" },

    /* mail and moderation */

    { SHOP "mail {}", "nudge.lua:1: found no \"relay\" in mail, expected "
      "\"smtp://HOST:PORT\", or shadow = true" },
    { SHOP "mail { relay = 'http://x' }", "nudge.lua:1: found \"http://x\" "
      "for \"relay\" in mail, expected \"smtp://" },
    { SHOP "mail { relay = 'smtp://u:p@x' }", "nudge.lua:1: found" },
    { SHOP "mail { relay = 'smtp://x', user = 'u' }",
      "nudge.lua:1: found only one of \"user\" and \"password\"" },
    { SHOP "mail { relay = 'smtp://x', tls = false, user = 'u', "
      "password = 'p' }", "nudge.lua:1: found a password and tls = false" },
    { SHOP "moderation { mail = {} }", "nudge.lua:1: found unknown \"mail\" "
      "in moderation, expected email or quiet" },
    { SHOP "moderation { email = { max = 0 } }",
      "nudge.lua:1: found 0 for \"max\" in \"email\" of moderation, expected "
      "a whole number from 1 to 100" },
    { SHOP "moderation { email = { per = '1y' } }",
      "nudge.lua:1: found \"1y\" for \"per\" in \"email\" of moderation, "
      "expected a time as" },
    { SHOP "moderation { quiet = { '21:00' } }",
      "nudge.lua:1: found 1 times for \"quiet\"" },
    { SHOP "moderation { quiet = { '21:00', '24:00' } }",
      "nudge.lua:1: found \"24:00\" for \"quiet\"" },

    /* offers */

    { SHOP "offer 'a'", "nudge.lua:1: found offer \"a\" without a table, "
      "expected { ... } after it" },
    { SHOP "offer 'a'\noffer 'b' {}", "nudge.lua:1: found offer \"a\" "
      "without a table" },
    { SHOP "offer { on = 'cart' }", "nudge.lua:1: found a table after offer, "
      "expected its name" },
    { SHOP "offer 'a' {}", "nudge.lua:1: found no \"on\" in offer \"a\", "
      "expected one or several of exit_intent" },
    { SHOP "offer 'a' { on = 'cart' }", "nudge.lua:1: found no \"kind\" in "
      "offer \"a\"" },
    { SHOP "\n\noffer 'a' {\n on = 'exit-intent', kind = 'popup' }",
      "nudge.lua:3: found \"exit-intent\" for \"on\" in offer \"a\", "
      "expected exit_intent, cart, checkout, product or page; did you mean "
      "\"exit_intent\"?" },
    { SHOP "offer 'a' { on = {}, kind = 'popup' }",
      "nudge.lua:1: found 0 values for \"on\"" },
    { SHOP "offer 'a' { on = 'cart', kind = 'popup' }",
      "nudge.lua:1: found a popup on a page's arrival" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'banner' }",
      "nudge.lua:1: found a banner on \"exit_intent\"" },
    { SHOP "offer 'a' { on = 'cart', kind = 'banner' }",
      "nudge.lua:1: found no \"recommend\" in offer \"a\"" },
    { SHOP "offer 'a' { on = 'cart', kind = 'banner', template = 'x', "
      "count = 3 }", "nudge.lua:1: found \"count\" without \"recommend\"" },
    { SHOP "offer 'a' { on = 'cart', kind = 'banner', recommend = 'recent', "
      "count = 2.5 }", "nudge.lua:1: found 2.5 for \"count\"" },
    { SHOP "offer 'a' { on = 'cart', kind = 'banner', recommend = 'recnt' }",
      "nudge.lua:1: found \"recnt\" for \"recommend\" in offer \"a\", "
      "expected recent, popular, also_bought, also_viewed or for_you; did "
      "you mean \"recent\"?" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', cap = 1 }",
      "nudge.lua:1: found 1 for \"cap\" in offer \"a\", expected { TIMES" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', cap = {1} }",
      "nudge.lua:1: found 1 for \"cap\"" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "cap = {1, '1x'} }", "nudge.lua:1: found \"1x\" for \"cap\"" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "coupon = '<b>' }", "nudge.lua:1: found \"<b>\" for \"coupon\"" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "template = '../x' }", "nudge.lua:1: found \"../x\" for \"template\"" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup' }\n"
      "offer 'a' { on = 'exit_intent', kind = 'popup' }",
      "nudge.lua:2: found a second offer \"a\", expected another name (the "
      "first is in line 1)" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', when = 1 }",
      "nudge.lua:1: found 1 for \"when\" in offer \"a\", expected" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "when = { cart_mim = 1 } }", "nudge.lua:1: found unknown \"cart_mim\" "
      "in \"when\" of offer \"a\", expected cart_min, cart_max" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "when = { cart_min = '20' } }", "nudge.lua:1: found \"20\" for "
      "\"cart_min\"" },
    { SHOP "offer 'a' { on = 'exit_intent', kind = 'popup', "
      "when = { page = 'home' } }", "nudge.lua:1: found \"home\" for "
      "\"page\"" },

    /* flows */

    { SHOP "flow 'f' { { mail = 'm' } }", "nudge.lua:1: found no \"on\" in "
      "flow \"f\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned' }", "nudge.lua:1: found 0 steps "
      "in flow \"f\", expected 1 to 8" },
    { SHOP "flow 'f' { on = 'cart_abandonned', { mail = 'm' } }",
      "nudge.lua:1: found \"cart_abandonned\" for \"on\" in flow \"f\", "
      "expected cart_abandoned or subscribed; did you mean" },
    { SHOP "flow 'f' { on = 'cart_abandoned', 'm' }",
      "nudge.lua:1: found \"m\" as step 1 of flow \"f\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned', {} }",
      "nudge.lua:1: found no \"mail\" in step 1 of flow \"f\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned', { mail = 'a/b' } }",
      "nudge.lua:1: found \"a/b\" for \"mail\" in step 1 of flow \"f\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned', after = '4h', { mail = 'm', "
      "after = '4h' } }", "nudge.lua:1: found \"after\" in flow \"f\" and in "
      "its first step" },
    { SHOP "flow 'f' { on = 'cart_abandoned', after = '4 hours', "
      "{ mail = 'm' } }", "nudge.lua:1: found \"4 hours\" for \"after\" in "
      "flow \"f\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned', after = '9999d', "
      "{ mail = 'm' } }", "nudge.lua:1: found \"9999d\" for \"after\"" },
    { SHOP "flow 'f' { on = 'cart_abandoned', { mail = 'm' }, "
      "{ mail = 'n' } }", "nudge.lua:1: found no \"after\" in step 2" },
    { SHOP "local s = { mail = 'm', after = '1d' } flow 'f' { on = "
      "'subscribed', s, s, s, s, s }", "nudge.lua:1: found 5 steps in flow "
      "\"f\", expected at most 4, or override = true" },
    { SHOP "local s = { mail = 'm', after = '1d' } flow 'f' { on = "
      "'subscribed', override = true, s, s, s, s, s, s, s, s, s }",
      "nudge.lua:1: found 9 steps in flow \"f\", expected 1 to 8" },
    { SHOP "for i = 1, 2 do flow 'f' { on = 'subscribed', { mail = 'm' } } "
      "end", "nudge.lua:1: found a second flow \"f\"" },

    /* use */

    { SHOP "use 'presets/x'", "nudge.lua:1: found \"presets/x\" after use, "
      "expected \"flows/NAME\"" },
    { SHOP "use 'flows/../../x'", "nudge.lua:1: found" },
    { SHOP "use 'flows/none'", "nudge.lua:1: found no file "
      "\"flows/none.lua\"" },
    { SHOP "use 'flows/good' use 'flows/good'", "nudge.lua:1: found a second "
      "use" },
    { SHOP "use 'flows/bad'", "flows/bad.lua:2: found unknown \"onn\" in "
      "flow \"bad\"" },
    { SHOP "use 'flows/syntax'", "flows/syntax.lua:2: unexpected symbol" },
    { SHOP "use 'flows/code'", "flows/code.lua:1: found compiled code" },
    { SHOP "use 'flows/loop'", "flows/loop.lua:1: found a second use" },

    /* caught is not forgiven */

    { SHOP "pcall(offer, 3)", "nudge.lua" },
    { SHOP "pcall(function() mail { relay = 3 } end) mail { shadow = true }",
      "nudge.lua:1: found 3 for \"relay\"" },

    /* the sandbox */

    { "while true do end", "nudge.lua:1: found more than 1000000 "
      "instructions" },
    { SHOP "while true do pcall(function() while true do end end) end",
      "nudge.lua:1: found more than" },
    { SHOP "pcall(function() while true do end end)",
      "nudge.lua:1: found more than" },
    { SHOP "xpcall(function() while true do end end, function() while true "
      "do end end)", "nudge.lua:1: found unknown name \"xpcall\"" },
    { SHOP "local s = 'x' for i = 1, 40 do s = s .. s end",
      "nudge.lua: found a script that needs more than 4 MB" },
    { SHOP "local t = {} for i = 1, 1e6 do t[i] = { i } end",
      "nudge.lua: found a script that needs more than 4 MB" },
    { SHOP "local f = function(f) return f(f) + 1 end f(f)",
      "nudge.lua: stack overflow" },
    { SHOP "local s = ('x'):rep(3)", "nudge.lua:1: attempt to index" },
    { SHOP "local t = { 'x' } for i = 1, 20 do t = { t, t } end "
      "cjson.encode(t)", "nudge.lua:1: found too large a value for "
      "cjson.encode" },
    { SHOP "local t = {} t[1] = t cjson.encode(t)",
      "nudge.lua:1: found too large" },
    { NULL, NULL }
};


static const condition_t  conditions[] = {
    { "{}", { .cart_total = NUDGE_MONEY_NONE }, 1 },
    { "{ cart_min = 20 }", { .cart_total = 20000 }, 1 },
    { "{ cart_min = 20 }", { .cart_total = 19999 }, 0 },
    { "{ cart_min = 19.95 }", { .cart_total = 19950 }, 1 },
    { "{ cart_min = 0 }", { .cart_total = NUDGE_MONEY_NONE }, 0 },
    { "{ cart_max = 50 }", { .cart_total = 50000 }, 1 },
    { "{ cart_max = 50 }", { .cart_total = 50001 }, 0 },
    { "{ cart_max = 50 }", { .cart_total = NUDGE_MONEY_NONE }, 0 },
    { "{ items_min = 2 }", { .cart_items = 2 }, 1 },
    { "{ items_min = 2 }", { .cart_items = 1 }, 0 },
    { "{ items_max = 2 }", { .cart_items = 2 }, 1 },
    { "{ items_max = 2 }", { .cart_items = 3 }, 0 },
    { "{ pages_min = 3 }", { .pages = 3 }, 1 },
    { "{ pages_min = 3 }", { .pages = 2 }, 0 },
    { "{ visits_min = 2 }", { .visits = 1 }, 0 },
    { "{ viewed_min = 1 }", { .viewed = 1 }, 1 },
    { "{ returning = true }", { .visits = 2 }, 1 },
    { "{ returning = true }", { .visits = 1 }, 0 },
    { "{ returning = false }", { .visits = 1 }, 1 },
    { "{ subscribed = false }", { .subscribed = 1 }, 0 },
    { "{ subscribed = false }", { .subscribed = 0 }, 1 },
    { "{ ordered = true }", { .ordered = 1 }, 1 },
    { "{ person = true }", { .person = 0 }, 0 },
    { "{ page = 'cart' }", { .page = nudge_string("cart") }, 1 },
    { "{ page = 'cart' }", { .page = nudge_string("product") }, 0 },
    { "{ page = { 'cart', 'product' } }",
      { .page = nudge_string("product") }, 1 },
    { "{ page = 'cart', items_min = 1 }",
      { .page = nudge_string("cart") }, 0 },
    { "function(v) return v.cart_total >= 20 end", { .cart_total = 20500 },
      1 },
    { "function(v) return v.cart_total == nil end",
      { .cart_total = NUDGE_MONEY_NONE }, 1 },
    { "function(v) return v.cart_items == 2 and v.pages == 3 and v.visits == "
      "4 and v.viewed == 5 and v.page == 'cart' and v.returning and "
      "v.subscribed and v.ordered and v.person end",
      { .cart_items = 2, .pages = 3, .visits = 4, .viewed = 5,
        .page = nudge_string("cart"), .subscribed = 1, .ordered = 1,
        .person = 1 }, 1 },
    { "function(v) return contains(v.page, 'ar') and starts(v.page, 'ca') "
      "and ends(v.page, 'rt') and not contains(v.page, 'x') end",
      { .page = nudge_string("cart") }, 1 },
    { "function(v) end", { .pages = 1 }, 0 },
    { "function(v) return false end", { .pages = 1 }, 0 },
    { NULL, { .pages = 0 }, 0 }
};


static const char *const  failing[] = {
    "function(v) return v.nothing.there end",
    "function(v) return v.pages end",
    "function(v) while true do end end",
    "function(v) pcall(function() while true do end end) return true end",
    "function(v) local s = 'x' while true do s = s .. s end end",
    "function(v) error('no') end",
    "function(v) error({}) end",
    "function(v) return v.cart_total > 1 end",
    "function(v) offer 'later' {} end",
    "function(v) use 'flows/good' end",
    "function(v) return undefined_name end",
    NULL
};


static nudge_int_t
use(void *data, const char *name, nudge_str_t *text)
{
    if (strcmp(name, "flows/good") == 0) {
        *text = nudge_cstr("flow 'good' { on = 'subscribed', "
                           "{ mail = 'welcome' } }");

    } else if (strcmp(name, "flows/bad") == 0) {
        *text = nudge_cstr("\nflow 'bad' { onn = 'subscribed' }");

    } else if (strcmp(name, "flows/syntax") == 0) {
        *text = nudge_cstr("\n)");

    } else if (strcmp(name, "flows/code") == 0) {
        *text = nudge_cstr("\x1bLua");

    } else if (strcmp(name, "flows/loop") == 0) {
        *text = nudge_cstr("use 'flows/loop'");

    } else {
        return NUDGE_DECLINED;
    }

    return NUDGE_OK;
}


static nudge_campaign_t *
compile(const char *text, nudge_error_t *error)
{
    nudge_str_t  s;

    s = nudge_cstr(text);

    return nudge_campaign_compile(&s, "nudge.lua", use, NULL, error);
}


static void
test_mistakes(void)
{
    size_t             n;
    nudge_error_t      error;
    const mistake_t   *m;
    nudge_campaign_t  *c;

    for (m = mistakes; m->text != NULL; m++) {

        c = compile(m->text, &error);
        n = strlen(m->expected);
        error.text[sizeof(error.text) - 1] = '\0';

        ok(c == NULL
           && strncmp((char *) error.text, m->expected, n) == 0,
           "%s", c == NULL ? (char *) error.text : m->text);

        nudge_campaign_destroy(c);
    }
}


static void
test_shop(const nudge_shop_t *s)
{
    ok(nudge_str_is(&s->id, "bluemug"), "id");
    ok(nudge_str_is(&s->name, "Blue Mug"), "name");
    ok(nudge_str_is(&s->url, "https://bluemug.example"), "no slash at the end");
    ok(nudge_str_is(&s->currency, "PLN"), "currency");
    ok(nudge_str_is(&s->locale, "pl-PL"), "locale");
    ok(nudge_str_is(&s->timezone, "Europe/Warsaw"), "timezone");
    ok(nudge_str_is(&s->from, "Blue Mug <hello@bluemug.example>"), "from");
    ok(nudge_str_is(&s->postal_address, "1 Mug Street\nWarszawa"),
       "an address has lines");
    ok(nudge_str_is(&s->privacy, "https://bluemug.example/privacy"),
       "a path became a whole link");
    ok(!s->demo, "no demo");
}


static void
test_good(void)
{
    nudge_error_t      error;
    nudge_campaign_t  *c;

    c = compile("shop { id = 'bluemug', name = 'Blue Mug', url = "
                "'https://bluemug.example/', currency = 'PLN', locale = "
                "'pl-PL', timezone = 'Europe/Warsaw', from = 'Blue Mug "
                "<hello@bluemug.example>', postal_address = '1 Mug Street\\n"
                "Warszawa', privacy = '/privacy' }\n"
                "mail { relay = 'smtps://mx.example:465', user = 'u', "
                "password = 'p', reply_to = 'a@b.example', customers = true "
                "}\n"
                "moderation { email = { max = 3, per = '2w', gap = '90m' }, "
                "quiet = { '22:30', '07:05' } }\n"
                "offer 'a' { on = 'exit_intent', kind = 'popup', coupon = "
                "'COME_BACK-1', cap = { 2, '3d' }, when = { cart_min = 20 } "
                "}\n"
                "offer 'b' { on = { 'cart', 'checkout' }, kind = 'banner', "
                "recommend = 'also_bought', count = 6 }\n"
                "flow 'x' { on = 'cart_abandoned', after = '4h', ambiguous = "
                "'resend', { mail = 'one' }, { mail = 'two', after = '2d', "
                "when = { items_min = 1 } } }\n"
                "use 'flows/good'", &error);

    if (!ok(c != NULL, "a good campaign compiles: %s", error.text)) {
        return;
    }

    test_shop(&c->shop);

    ok(nudge_str_is(&c->mail.relay, "smtps://mx.example:465")
       && nudge_str_is(&c->mail.user, "u")
       && nudge_str_is(&c->mail.password, "p")
       && nudge_str_is(&c->mail.reply_to, "a@b.example"), "mail");
    ok(c->mail.tls && c->mail.customers && !c->mail.shadow, "mail flags");

    ok(c->moderation.max == 3 && c->moderation.per == 14 * 86400
       && c->moderation.gap == 5400 && c->moderation.quiet_from == 1350
       && c->moderation.quiet_to == 425, "moderation");

    ok(c->noffers == 2 && c->offers[0].on == 1 << NUDGE_ON_EXIT_INTENT
       && c->offers[0].kind == NUDGE_KIND_POPUP
       && nudge_str_is(&c->offers[0].template, "cart")
       && nudge_str_is(&c->offers[0].coupon, "COME_BACK-1")
       && c->offers[0].cap == 2 && c->offers[0].cap_per == 3 * 86400
       && c->offers[0].line == 4, "the popup");
    ok(c->offers[1].on == (1 << NUDGE_ON_CART | 1 << NUDGE_ON_CHECKOUT)
       && c->offers[1].kind == NUDGE_KIND_BANNER && c->offers[1].count == 6
       && c->offers[1].cap == 0
       && nudge_str_is(&c->offers[1].recommend, "also_bought"),
       "the banner");

    ok(c->nflows == 2 && c->flows[0].nsteps == 2
       && c->flows[0].ambiguous_resend
       && c->flows[0].steps[0].after == 4 * 3600
       && c->flows[0].steps[1].after == 2 * 86400
       && nudge_str_is(&c->flows[0].steps[1].mail, "two"), "the flow");
    ok(nudge_str_is(&c->flows[1].name, "good")
       && strcmp(c->flows[1].file, "flows/good.lua") == 0
       && c->flows[1].steps[0].after == 0, "the used flow");

    ok(c->nwarnings == 1
       && nudge_str_starts(&c->warnings[0], "nudge.lua:6: found 2 reminders"),
       "a second reminder is warned of");
    ok(c->sends && nudge_campaign_no_sending(c) == NULL, "it may send");

    nudge_campaign_destroy(c);
}


static void
test_defaults(void)
{
    nudge_error_t      error;
    nudge_campaign_t  *c;

    c = compile(SHOP "offer 'a' { on = 'exit_intent', kind = 'popup' } flow "
                "'f' { on = 'cart_abandoned', { mail = 'm' } }", &error);

    if (!ok(c != NULL, "the smallest campaign compiles: %s", error.text)) {
        return;
    }

    ok(nudge_str_is(&c->shop.name, "x") && nudge_str_is(&c->shop.locale, "en")
       && nudge_str_is(&c->shop.currency, "EUR")
       && nudge_str_is(&c->shop.timezone, "UTC"), "defaults of the shop");
    ok(c->mail.shadow, "nothing said about mail: shadow mode");
    ok(c->moderation.max == 2 && c->moderation.per == 7 * 86400
       && c->moderation.gap == 16 * 3600 && c->moderation.quiet_from == 1260
       && c->moderation.quiet_to == 480, "defaults of moderation");
    ok(c->offers[0].cap == 1 && c->offers[0].cap_per == 86400,
       "a popup comes once a day");
    ok(c->flows[0].steps[0].after == 4 * 3600, "abandoned after four hours");
    ok(c->nwarnings == 0, "no warning");

    nudge_campaign_destroy(c);

    c = compile(SHOP "mail { relay = 'smtp://mx.example' }", &error);
    ok(c != NULL && c->mail.tls, "TLS to a relay elsewhere");
    nudge_campaign_destroy(c);

    c = compile(SHOP "mail { relay = 'smtp://127.0.0.1:2525' }", &error);
    ok(c != NULL && !c->mail.tls && !c->mail.shadow, "no TLS to ourselves");
    nudge_campaign_destroy(c);

    c = compile(SHOP "mail { relay = 'smtp://127.0.0.1.example.com' }",
                &error);
    ok(c != NULL && c->mail.tls, "a name that looks like ourselves is not");
    nudge_campaign_destroy(c);

    c = compile(SHOP "mail { relay = 'smtp://localhost' }", &error);
    ok(c != NULL && !c->mail.tls, "localhost is");
    nudge_campaign_destroy(c);
}


static void
sending(const char *text, const char *expected)
{
    const char        *why;
    nudge_error_t      error;
    nudge_campaign_t  *c;

    c = compile(text, &error);

    if (c == NULL) {
        ok(0, "%s", error.text);
        return;
    }

    why = nudge_campaign_no_sending(c);

    ok(expected ? why != NULL && strcmp(why, expected) == 0 && !c->sends
                : why == NULL && c->sends,
       "sending: %s", why ? why : "yes");

    nudge_campaign_destroy(c);
}


static void
test_sending(void)
{
    sending(SHOP, "shop has no \"from\"");
    sending("shop { id = 'x', from = 'a@b.example' }",
            "shop has no \"postal_address\"");
    sending("shop { id = 'x', from = 'a@b.example', postal_address = 'y' }",
            "shop has no \"url\"");
    sending("shop { id = 'x', from = 'a@b.example', postal_address = 'y', "
            "url = 'http://127.0.0.1:8080' }", "shop's \"url\" is not https");
    sending("shop { id = 'x', from = 'a@b.example', postal_address = 'y', "
            "url = 'http://127.0.0.1:8080', demo = true }", NULL);
    sending("shop { id = 'x', from = 'a@b.example', postal_address = 'y', "
            "url = 'https://b.example' }", NULL);
}


static nudge_campaign_t *
with_condition(const char *when)
{
    char               text[1024];
    nudge_error_t      error;
    nudge_campaign_t  *c;

    snprintf(text, sizeof(text), SHOP "offer 'a' { on = 'exit_intent', kind "
             "= 'popup', when = %s } flow 'f' { on = 'subscribed', { mail = "
             "'m', when = { pages_min = 1 } } }", when);

    c = compile(text, &error);
    ok(c != NULL, "%s", c ? when : (char *) error.text);

    return c;
}


static void
test_conditions(void)
{
    nudge_uint_t        met, failed;
    nudge_campaign_t   *c;
    const condition_t  *t;

    for (t = conditions; t->when != NULL; t++) {

        c = with_condition(t->when);
        if (c == NULL) {
            continue;
        }

        failed = 9;
        met = nudge_campaign_offer(c, 0, &t->facts, &failed);

        ok(met == t->met && failed == 0, "%s is %smet%s%s", t->when,
           met ? "" : "not ", failed ? ": " : "",
           failed ? nudge_campaign_failure(c) : "");

        ok(nudge_campaign_step(c, 0, 0, &t->facts, NULL)
           == (t->facts.pages >= 1), "the step's own condition");

        nudge_campaign_destroy(c);
    }
}


static void
test_failing(void)
{
    nudge_uint_t        first, second, failed;
    nudge_facts_t       facts;
    const char *const  *f;
    nudge_campaign_t   *c;

    memset(&facts, 0, sizeof(nudge_facts_t));
    facts.cart_total = NUDGE_MONEY_NONE;
    facts.pages = 1;

    for (f = failing; *f != NULL; f++) {

        c = with_condition(*f);
        if (c == NULL) {
            continue;
        }

        failed = 0;
        first = nudge_campaign_offer(c, 0, &facts, &failed);

        ok(first == 0 && failed == 1
           && strncmp(nudge_campaign_failure(c), "nudge.lua:", 10) == 0,
           "it fails: %s", nudge_campaign_failure(c));

        second = nudge_campaign_offer(c, 0, &facts, &failed);
        ok(second == 0 && failed == 0, "and is off, said once");

        nudge_campaign_destroy(c);
    }
}


static void
test_lasting(void)
{
    nudge_uint_t       i, n, failed;
    nudge_error_t      error;
    nudge_facts_t      facts;
    nudge_campaign_t  *c;

    memset(&facts, 0, sizeof(nudge_facts_t));
    facts.page = nudge_cstr("product");

    c = compile(SHOP "offer 'bad' { on = 'exit_intent', kind = 'popup', when "
                "= function() while true do end end }\n"
                "offer 'good' { on = 'exit_intent', kind = 'popup', when = "
                "function(v) local t = {} for i = 1, 100 do t[i] = v.page .. "
                "i end return #t == 100 end }", &error);

    if (!ok(c != NULL, "two conditions: %s", error.text)) {
        return;
    }

    (void) nudge_campaign_offer(c, 0, &facts, &failed);
    ok(failed, "one fails");

    for (i = 0, n = 0; i < 20000; i++) {
        n += nudge_campaign_offer(c, 1, &facts, &failed);
    }

    ok(n == 20000, "the other works %d times within its memory", (int) n);
    ok(nudge_campaign_offer(c, 2, &facts, &failed) == 0 && !failed,
       "there is no third");

    nudge_campaign_destroy(c);
}


static void
test_sandbox(void)
{
    nudge_error_t      error;
    nudge_campaign_t  *c;

    c = compile(SHOP
                "local function deep() return pcall(deep) end deep()\n"
                "assert(cjson.encode({ a = 1 }) == '{\"a\":1}')\n"
                "assert(cjson.decode('{\"a\":[1,2]}').a[2] == 2)\n"
                "assert(cjson.decode('{') == nil)\n"
                "assert(math.floor(2.5) == 2 and math.random == nil)\n"
                "assert(table.concat({ 1, 2 }, '-') == '1-2')\n"
                "assert(table.foreach == nil and cjson.new == nil)\n"
                "assert(contains('abc', '') and starts('abc', '') and "
                "ends('abc', ''))\n"
                "assert(not starts('a', 'ab') and not ends('a', 'ba'))\n",
                &error);

    ok(c != NULL, "what is allowed works: %s", error.text);
    nudge_campaign_destroy(c);
}


static void
test_forbidden(void)
{
    static const char *const  names[] = {
        "load", "loadstring", "loadfile", "dofile", "collectgarbage",
        "getfenv", "setfenv", "newproxy", "print", "setmetatable",
        "getmetatable", "require", "module", "io", "os", "debug", "package",
        "ffi", "jit", "bit", "string", "coroutine", "gcinfo", "_G", "xpcall",
        NULL
    };

    char                text[128], expected[128];
    nudge_error_t       error;
    const char *const  *n;
    nudge_campaign_t   *c;

    for (n = names; *n != NULL; n++) {

        snprintf(text, sizeof(text), SHOP "local x = %s", *n);
        snprintf(expected, sizeof(expected), "nudge.lua:1: found unknown "
                 "name \"%s\"", *n);

        c = compile(text, &error);

        ok(c == NULL && strncmp((char *) error.text, expected,
                                strlen(expected)) == 0,
           "no %s: %s", *n, c ? "there is" : (char *) error.text);

        nudge_campaign_destroy(c);
    }
}


static void
test_duration(void)
{
    static const struct {
        const char  *text;
        int64_t      seconds;
    } durations[] = {
        { "0s", 0 }, { "30s", 30 }, { "90m", 5400 }, { "4h", 14400 },
        { "1d", 86400 }, { "2w", 1209600 }, { "999999999w", 604799999395200 },
        { "", -1 }, { "h", -1 }, { "4", -1 }, { "4H", -1 }, { "-4h", -1 },
        { "4 h", -1 }, { "4hh", -1 }, { "1y", -1 }, { "0x4h", -1 },
        { "9999999999w", -1 }, { "+4h", -1 }
    };

    size_t       i;
    nudge_str_t  s;

    for (i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        s = nudge_cstr(durations[i].text);
        ok(nudge_duration(&s) == durations[i].seconds, "\"%s\" is %lld",
           durations[i].text, (long long) nudge_duration(&s));
    }
}


static void
test_long_name(void)
{
    char               name[200];
    nudge_str_t        s;
    nudge_error_t      error;
    nudge_campaign_t  *c;

    memset(name, 'd', sizeof(name));
    memcpy(name, "/etc/nudge/", 11);
    memcpy(name + sizeof(name) - 5, ".lua", 5);

    s = nudge_cstr("\nx = y.z");
    c = nudge_campaign_compile(&s, name, NULL, NULL, &error);

    ok(c == NULL && strncmp((char *) error.text, name, strlen(name)) == 0
       && strncmp((char *) error.text + strlen(name), ":2: ", 4) == 0,
       "a long file name is not cut");

    nudge_campaign_destroy(c);
}


int
main(void)
{
    test_mistakes();
    test_good();
    test_defaults();
    test_sending();
    test_conditions();
    test_failing();
    test_lasting();
    test_sandbox();
    test_forbidden();
    test_duration();
    test_long_name();

    done_testing();

    return 0;
}
