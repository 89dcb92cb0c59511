
/*
 * The rule language against shapes of other platforms, what the compiler says
 * of mistakes, and what counts as an address.
 */


#include "preset_play.h"


static nudge_preset_t *
compiled(const char *text)
{
    nudge_str_t      s;
    nudge_error_t    error;
    nudge_preset_t  *preset;

    s = nudge_cstr(text);
    preset = nudge_preset_compile(&s, "own.lua", &error);
    ok(preset != NULL, "compiles %s", error.text);

    return preset;
}


/* shapes of other platforms, in one preset */

static const char  language[] =
    "preset { name = 'own', version = 1, route = { query = 'route' } }\n"
    "rule 'add' { event = 'add_to_cart', method = 'POST',\n"
    "  route = { 'checkout/cart.add', 'checkout/cart/add' }, body = 'form',\n"
    "  form = { 'product_id' }, item = { id = 'form:product_id',\n"
    "  quantity = { 'form:quantity', '=2' } },\n"
    "  success = { answer = { 'success', error = false } } }\n"
    "rule 'down' { event = 'remove_from_cart', method = 'POST', path = '/c',\n"
    "  body = 'form', form = { op = 'down', 'p' },\n"
    "  item = { id = 'form:p', quantity = '=1' } }\n"
    "rule 'up' { event = 'add_to_cart', method = 'POST', path = '/c',\n"
    "  body = 'form', form = { op = { 'up', 'inc*' }, 'p' },\n"
    "  item = { id = 'form:p', quantity = '=1' } }\n"
    "rule 'arrays' { event = 'add_to_cart', method = 'POST', path = '/many',\n"
    "  body = 'form', each = 'form:id[]',\n"
    "  item = { id = 'value', quantity = 'form:qty[]' } }\n"
    "rule 'brackets' { event = 'add_to_cart', method = 'POST',\n"
    "  path = '/checkout/line-item/add', body = 'form',\n"
    "  each = 'form:lineItems[*][id]', item = { id = 'value',\n"
    "  name = 'form:product-name',\n"
    "  quantity = 'form:lineItems[*][quantity]' } }\n"
    "rule 'lines' { event = 'add_to_cart', method = 'POST',\n"
    "  path = '/cart/add.js', body = 'json', each = 'json:items',\n"
    "  item = { id = 'each:id', quantity = 'each:quantity' } }\n"
    "rule 'updates' { event = 'set_quantity', method = 'POST',\n"
    "  path = '/cart/update.js', body = 'json', each = 'json:updates',\n"
    "  item = { key = 'match', quantity = 'value' },\n"
    "  cart = { lines = 'answer:items', id = 'variant_id', key = 'key',\n"
    "  quantity = 'quantity', price = 'price', minor = '=2',\n"
    "  image = 'image', currency = 'answer:currency' } }\n"
    "rule 'delete' { event = 'remove_from_cart', method = 'DELETE',\n"
    "  path = '/api/cart/*/items/*', item = { key = 'path:-1' } }\n"
    "rule 'override' { event = 'remove_from_cart', method = 'POST',\n"
    "  path = '/line/#', body = 'form', form = { _method = 'delete' },\n"
    "  item = { key = 'path:line' } }\n"
    "rule 'order' { event = 'purchase', method = 'POST', path = '/order',\n"
    "  order = 'location:?orderId', value = '=1.234,50', currency = '=EUR',\n"
    "  success = { { status = 303 }, { location = '*/finish*' } },\n"
    "  failed = { location = '*/error*' } }\n"
    "rule 'news' { event = 'subscribe', method = 'POST', path = '/news',\n"
    "  body = 'form', form = { newsletter = '1' }, email = 'form:email',\n"
    "  how = '=form' }\n"
    "rule 'saleor' { event = 'add_to_cart', method = 'POST',\n"
    "  path = '/graphql/', body = 'json',\n"
    "  json = { query = '*checkoutLinesAdd*' },\n"
    "  each = 'json:variables.lines',\n"
    "  item = { id = 'each:variantId', quantity = 'each:quantity' },\n"
    "  success = { answer = { 'data', errors = false,\n"
    "    ['data.checkoutLinesAdd.errors'] = false } } }\n"
    "page 'product' { query = { route = 'product/product' },\n"
    "  id = { 'query:product_id', 'path:p' } }\n"
    "page 'product' { path = '/**/p/*', id = 'path:p' }\n";


static void
forms(const nudge_preset_t *own)
{
    forget(1);

    gives(own, 1, "front controller",
          (shape_t) { "POST", "/index.php",
              "language=x&route=checkout/cart.add", FORM, "product_id=40",
              200, NULL, NULL, "{\"success\":\"ok\"}",
              NULL },
          "add_to_cart 40 2 - - - -");
    gives(own, 1, "its refusal",
          (shape_t) { "POST", "/", "route=checkout%2Fcart%2Fadd", FORM,
              "product_id=40", 200, NULL, NULL,
              "{\"error\":{\"option\":\"x\"},\"success\":\"\"}", NULL },
          "-");
    gives(own, 1, "another controller",
          (shape_t) { "POST", "/", "route=checkout/cart.list", FORM,
              "product_id=40", 200, NULL, NULL, "{\"success\":1}", NULL },
          "-");
    gives(own, 1, "one up",
          (shape_t) { "POST", "/c", NULL, FORM, "op=increase&p=40", 200, NULL,
              NULL, NULL, NULL },
          "add_to_cart 40 1 - - - -");
    gives(own, 1, "one down",
          (shape_t) { "POST", "/c/", NULL, FORM, "op=up&op=down&p=40", 200,
              NULL, NULL, NULL, NULL },
          "remove_from_cart 40 1 - - - -");
    gives(own, 1, "parallel arrays",
          (shape_t) { "POST", "/many", NULL, FORM,
              "id[]=1&id[]=2&qty[]=3&qty[]=4&id[]=5", 200, NULL, NULL, NULL,
              NULL },
          "add_to_cart 1,2,5 3,4,1 -,-,- - - -");
    gives(own, 1, "fields of a bracket",
          (shape_t) { "POST", "/checkout/line-item/add", NULL, FORM,
              "lineItems[ab][id]=ab&lineItems[ab][quantity]=2"
              "&product-name=Mug", 302, NULL, NULL, NULL, NULL },
          "add_to_cart ab 2 - - - -");
    gives(own, 1, "of repeated keys the last",
          (shape_t) { "POST", "/news", NULL, FORM,
              "email=a%40b.example&newsletter=0&newsletter=1", 200, NULL,
              NULL, NULL, NULL },
          "subscribe - - - - a@b.example -");
    gives(own, 1, "unticked",
          (shape_t) { "POST", "/news", NULL, FORM,
              "email=a%40b.example&newsletter=0", 200, NULL, NULL, NULL,
              NULL },
          "-");
    gives(own, 1, "an order by where it leads",
          (shape_t) { "POST", "/order", NULL, NULL, NULL, 302, NULL,
              "/checkout/finish?x=1&orderId=A%2D7", NULL, NULL },
          "purchase - - - A-7 - -");
    gives(own, 1, "and one that leads back",
          (shape_t) { "POST", "/order", NULL, NULL, NULL, 303, NULL,
              "/checkout/error?orderId=7", NULL, NULL },
          "order_failed - - - - - -");
}


static void
documents(const nudge_preset_t *own)
{
    forget(1);

    gives(own, 1, "a JSON list",
          (shape_t) { "POST", "/cart/add.js", NULL, JSON,
              "{\"items\":[{\"id\":7,\"quantity\":2},{\"id\":8},{\"x\":1}]}",
              200, NULL, NULL, NULL, NULL },
          "add_to_cart 7,8 2,1 -,- - - -");

    forget(1);
    gives(own, 1, "a JSON object of lines nobody knows",
          (shape_t) { "POST", "/cart/update.js", NULL, JSON,
              "{\"updates\":{\"k7\":5}}", 200, NULL, NULL,
              "{\"items\":[{\"variant_id\":7,\"key\":\"k7\",\"quantity\":5,"
              "\"price\":1250},{\"variant_id\":8,\"key\":\"k8\","
              "\"quantity\":1,\"price\":99}],\"currency\":\"GBP\"}", NULL },
          "view_cart - - - - - 7x5@12.50,8x1@0.99");
    gives(own, 1, "and of known ones",
          (shape_t) { "POST", "/cart/update.js", NULL, JSON,
              "{\"updates\":{\"k7\":2,\"k8\":0}}", 200, NULL, NULL,
              "{\"items\":[{\"variant_id\":7,\"key\":\"k7\",\"quantity\":2,"
              "\"price\":1250}],\"currency\":\"GBP\"}", NULL },
          "remove_from_cart 7,8 3,1 12.50,0.99 - - 7x2@12.50");
    gives(own, 1, "a cut body proves nothing",
          (shape_t) { "POST", "/cart/update.js", NULL, JSON,
              "{\"updates\":{\"k7\":", 200, NULL, NULL, NULL, NULL },
          "-");
    gives(own, 1, "the key in the path",
          (shape_t) { "DELETE", "/api/cart/u-1/items/k7", NULL, NULL, NULL,
              200, NULL, NULL, NULL, NULL },
          "remove_from_cart 7 2 12.50 - - -");
    gives(own, 1, "a method in a field, a line nobody knows",
          (shape_t) { "POST", "/line/12", NULL, FORM, "_method=delete", 302,
              NULL, NULL, NULL, NULL },
          "remove_from_cart - 1 - - - -");
    gives(own, 1, "not a number",
          (shape_t) { "POST", "/line/x", NULL, FORM, "_method=delete", 302,
              NULL, NULL, NULL, NULL },
          "-");
    gives(own, 1, "GraphQL",
          (shape_t) { "POST", "/graphql/", NULL, JSON,
              "{\"query\":\"mutation { checkoutLinesAdd }\",\"variables\":"
              "{\"lines\":[{\"variantId\":\"Ab==\",\"quantity\":3}]}}", 200,
              NULL, NULL,
              "{\"data\":{\"checkoutLinesAdd\":{\"errors\":[]}}}", NULL },
          "add_to_cart Ab== 3 - - - -");
    gives(own, 1, "GraphQL refused with 200",
          (shape_t) { "POST", "/graphql/", NULL, JSON,
              "{\"query\":\"mutation { checkoutLinesAdd }\",\"variables\":"
              "{\"lines\":[{\"variantId\":\"Ab==\",\"quantity\":3}]}}", 200,
              NULL, NULL, "{\"data\":{\"checkoutLinesAdd\":{\"errors\":"
              "[{\"code\":\"X\"}]}}}", NULL },
          "-");
}


static void
other_platforms(void)
{
    nudge_str_t       id, cookie;
    nudge_preset_t   *own;
    nudge_exchange_t  x;

    own = compiled(language);
    if (own == NULL) {
        return;
    }

    forms(own);
    documents(own);

    x = exchange(&(shape_t) { "GET", "/index.php",
                              "route=product/product&product_id=40", NULL,
                              NULL, 200, NULL, NULL, NULL, NULL }, &cookie);
    id = nudge_preset_page_id(own, &x);
    ok(nudge_str_is(&id, "40"), "a page's id from its arguments");
    x.path = nudge_cstr("/en/p/mug");
    nudge_str_null(&x.args);
    id = nudge_preset_page_id(own, &x);
    ok(nudge_str_is(&id, "mug"), "or its path");

    nudge_preset_destroy(own);
}


#define HEAD  "preset { name = 'x', version = 1 }\n"

static void
mistakes(void)
{
    static const struct {
        const char  *text;
        const char  *error;
    } wrong[] = {
        { "", "x.lua:1: found no preset, expected preset { name = ..., "
          "version = ... }" },
        { "preset { version = 1 }", "x.lua:1: found nothing for name of "
          "preset, expected a string" },
        { "preset {\n name = 'x',\n version = 'two' }",
          "x.lua:3: found \"two\" for version of preset, expected a number "
          "from 1" },
        { "preset {\n name = 'x', version = 1,\n nmae = 2 }",
          "x.lua:3: found the field \"nmae\" of preset, expected one of name, "
          "version, route, ignore" },
        { HEAD HEAD, "x.lua:2: found a second preset of preset, expected one "
          "in a file" },
        { "rule 'a' { }", "x.lua:1: found a rule, expected preset { name = "
          "... } before it" },
        { HEAD "rul 'a' { }", "x.lua:2: found unknown name \"rul\", expected "
          "preset, page, rule or a local" },
        { HEAD "rule 'a' {", "x.lua:2: unexpected symbol near '<eof>'" },
        { HEAD "rule 'a' {\n  event = 'add_to_cart',\n  method = 'POST',\n"
          "  body = 'form',\n  item = {\n    id = 'form:id',\n"
          "    quantity = 'frm:q',\n  },\n}",
          "x.lua:8: found \"frm:q\" for quantity of rule \"a\", expected a "
          "source: \"query:\", \"form:\", \"json:\", \"answer:\", \"path:\", "
          "\"route:\", \"location:\", \"each:\" or \"class:\" and a name, "
          "\"match\", \"value\" or \"=text\"" },
        { HEAD "rule 'a' {\n  event = 'add_to_basket',\n  method = 'POST' }",
          "x.lua:3: found \"add_to_basket\" for event of rule \"a\", expected "
          "add_to_cart, remove_from_cart, set_quantity, read_cart, envelope, "
          "purchase, identify, login, logout, sign_up, subscribe, search, "
          "begin_checkout, coupon_apply, ..." },
        { HEAD "rule 'a' {\n  event = 'gap',\n  method = 'POST' }", NULL },
        { HEAD "rule 'a' {\n  event = 'login',\n  method = 'SEND' }",
          "x.lua:4: found \"SEND\" for method of rule \"a\", expected GET, "
          "POST, PUT, PATCH or DELETE, or a list of them" },
        { HEAD "rule 'a' {\n  event = 'login', method = 'POST',\n"
          "  email = 'form:mail' }",
          "x.lua:2: found nothing that is a form for body of rule \"a\", "
          "expected \"form\", as a form's field is asked for" },
        { HEAD "rule 'a' { event = 'login', method = 'POST', body = 'form',\n"
          "  email = 'form:password' }",
          "x.lua:3: found \"form:password\" for email of rule \"a\", expected "
          "a field that is no secret" },
        { HEAD "rule 'a' { event = 'login', method = 'POST',\n"
          "  path = '/a*b/c' }",
          "x.lua:3: found \"/a*b/c\" for path of rule \"a\", expected segments "
          "that are text, \"*\", \"#\" or \"**\"" },
        { HEAD "rule 'a' { event = 'login', method = 'POST',\n"
          "  success = { status = '2XX' } }",
          "x.lua:3: found \"2XX\" for status of rule \"a\", expected a status "
          "such as 200, or a class such as \"2xx\"" },
        { HEAD "rule 'a' { event = 'login', method = 'POST',\n"
          "  success = { stauts = 200 } }",
          "x.lua:3: found the field \"stauts\" in success of rule \"a\", "
          "expected one of status, answer, cookie, gone, location, class" },
        { HEAD "rule 'a' { event = 'read_cart', method = 'GET',\n"
          "  cart = { lines = 'json:items', id = 'id' } }",
          "x.lua:3: found another source for lines of rule \"a\", expected one "
          "such as \"answer:items\"" },
        { HEAD "rule 'a' { event = 'login', method = 'POST', route = '/x' }",
          "x.lua:2: found a route for route of rule \"a\", expected preset { "
          "route = ... } to say where it stands" },
        { HEAD "page 'basket' { path = '/x' }",
          "x.lua:2: found an unknown kind of page of page \"basket\", expected "
          "product, cart, checkout, thankyou, payment, list, search or "
          "account" },
        { HEAD "page 'cart' { }", "x.lua:2: found nothing of page \"cart\", "
          "expected class, path or query" },
        { HEAD "while true do end", "x.lua:2: found more than 1000000 "
          "instructions, expected a table of rules" },
        { HEAD "local s = 'x'\nwhile true do s = s .. s end", NULL },
        { HEAD "os.exit(1)", "x.lua:2: found unknown name \"os\", expected "
          "preset, page, rule or a local" },
        { HEAD "local s = ('x'):rep(9)", NULL },
        { HEAD "page {}", NULL },
        { HEAD "page 'cart' 'x'", NULL },
        { HEAD "rule('a')()", NULL },
        { HEAD "error {}", NULL },
        { HEAD "for i = 1, 300 do rule('r' .. i) { event = 'login', "
          "method = 'POST' } end", NULL },
        { HEAD "for i = 1, 65 do rule('r' .. i) { event = 'login', "
          "method = 'GET', query = { 'q' .. i } } end", NULL },
        { "\x1bLJ", NULL }
    };

    nudge_str_t      s;
    nudge_uint_t     i;
    nudge_error_t    error;
    nudge_preset_t  *preset;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        s = nudge_cstr(wrong[i].text);
        preset = nudge_preset_compile(&s, "x.lua", &error);
        ok(preset == NULL
           && (wrong[i].error == NULL
               ? strncmp((char *) error.text, "x.lua:", 6) == 0
               : strcmp((char *) error.text, wrong[i].error) == 0),
           "%s", error.text);
        nudge_preset_destroy(preset);
    }
}


static void
addresses(void)
{
    static const char  *good[] = {
        "a@b.co", "first.last+tag@sub.shop.example", "o'neil@shop.example",
        "x_y-z@xn--bcher-kva.example", ("anna@b\xc3\xbc" "cher.example"),
        "123@4.example"
    };
    static const char  *bad[] = {
        "", "@", "a@b", "a@", "@b.co", "a b@c.co", "a@b c.co", "a@b.co>",
        "<a@b.co", "\"a\"@b.co", "a@[127.0.0.1]", "a@b..co", "a@.b.co",
        "a@b.co.", "a..b@c.co", ".a@c.co", "a.@c.co", "a@b@c.co", "a@-b.co",
        "a@b-.co", "a\r\n@b.co", "a@b.co\r\nBcc:x@y.co", "a\tb@c.co",
        "a,b@c.co", "a@b,c.co", "a@b\xff.co", "a\xc3\xbc@b.co"
    };

    char          buf[300];
    nudge_str_t   s;
    nudge_uint_t  i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        s = nudge_cstr(good[i]);
        ok(nudge_email_valid(&s), "an address: %s", good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s = nudge_cstr(bad[i]);
        ok(!nudge_email_valid(&s), "no address: %u", (unsigned) i);
    }

    memset(buf, 'a', sizeof(buf));
    memcpy(buf + 64, "@b.co", 5);
    s.data = (u_char *) buf;
    s.len = 69;
    ok(nudge_email_valid(&s), "a local part of 64 bytes");
    s.data = (u_char *) buf;
    memcpy(buf + 64, "a@b.c", 5);
    ok(!nudge_email_valid(&s), "and of 65");
}


int
main(void)
{
    begin();
    other_platforms();
    mistakes();
    addresses();
    finish();

    return 0;
}
