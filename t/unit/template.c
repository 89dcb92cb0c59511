
/*
 * The template engine against the cases of the Mustache specification (1.1.3:
 * interpolation, sections, inverted, comments, partials, standalone lines) as
 * far as nudge speaks it, its escapes, its errors and its bounds; and the
 * builders of values.
 */


#include <stdio.h>
#include <stdlib.h>

#include "nudge_template.h"

#include "tap.h"


typedef struct {
    const char      *name;
    const char      *template;
    const char      *data;
    const char      *expected;
    const char      *partial;       /* of every name */
} example_t;

typedef struct {
    const char      *name;
    const char      *template;
    nudge_uint_t     line;
    const char      *found;         /* what the message has to contain */
} mistake_t;


static nudge_pool_t  *pool;
static nudge_json_t  *js;


static const example_t  spec[] = {
    { "no interpolation", "Hello from {Mustache}!\n", "{}",
      "Hello from {Mustache}!\n", NULL },
    { "basic interpolation", "Hello, {{subject}}!", "{\"subject\":\"world\"}",
      "Hello, world!", NULL },
    { "html escaping", "{{f}}", "{\"f\":\"& \\\" < > '\"}",
      "&amp; &quot; &lt; &gt; &#39;", NULL },
    { "triple mustache", "{{{f}}}", "{\"f\":\"& \\\" < >\"}", "& \" < >",
      NULL },
    { "ampersand", "{{&f}}", "{\"f\":\"& \\\" < >\"}", "& \" < >", NULL },
    { "integer", "\"{{mph}} miles an hour!\"", "{\"mph\":85}",
      "\"85 miles an hour!\"", NULL },
    { "decimal", "{{p}} jiggawatts", "{\"p\":1.21}", "1.21 jiggawatts",
      NULL },
    { "null interpolation", "I ({{cannot}}) be seen!", "{\"cannot\":null}",
      "I () be seen!", NULL },
    { "context miss", "I ({{cannot}}) be seen!", "{}", "I () be seen!",
      NULL },
    { "dotted names", "{{person.name}} == {{#person}}{{name}}{{/person}}",
      "{\"person\":{\"name\":\"Joe\"}}", "Joe == Joe", NULL },
    { "dotted names, arbitrary depth", "{{a.b.c.d.e.name}}",
      "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"name\":\"Phil\"}}}}}}", "Phil",
      NULL },
    { "dotted names, broken chain", "({{a.b.c}})", "{\"a\":{}}", "()",
      NULL },
    { "dotted names, broken chain resolution", "({{a.b.c.name}})",
      "{\"a\":{\"b\":{}},\"c\":{\"name\":\"Jim\"}}", "()", NULL },
    { "dotted names, initial resolution", "{{#a}}{{b.c.d.e.name}}{{/a}}",
      "{\"a\":{\"b\":{\"c\":{\"d\":{\"e\":{\"name\":\"Phil\"}}}}},"
      "\"b\":{\"c\":{\"d\":{\"e\":{\"name\":\"Wrong\"}}}}}", "Phil", NULL },
    { "dotted names, context precedence", "{{#a}}{{b.c}}{{/a}}",
      "{\"a\":{\"b\":{}},\"b\":{\"c\":\"ERROR\"}}", "", NULL },
    { "surrounding whitespace", "| {{s}} |", "{\"s\":\"---\"}", "| --- |",
      NULL },
    { "standalone interpolation", "  {{s}}\n", "{\"s\":\"---\"}", "  ---\n",
      NULL },
    { "interpolation with padding", "|{{  s  }}|", "{\"s\":\"---\"}",
      "|---|", NULL },

    { "truthy", "\"{{#b}}This should be rendered.{{/b}}\"", "{\"b\":true}",
      "\"This should be rendered.\"", NULL },
    { "falsey", "\"{{#b}}no{{/b}}\"", "{\"b\":false}", "\"\"", NULL },
    { "null is falsey", "\"{{#b}}no{{/b}}\"", "{\"b\":null}", "\"\"", NULL },
    { "an empty string is falsey", "\"{{#b}}no{{/b}}{{^b}}yes{{/b}}\"",
      "{\"b\":\"\"}", "\"yes\"", NULL },
    { "context", "\"{{#c}}Hi {{name}}.{{/c}}\"",
      "{\"c\":{\"name\":\"Joe\"}}", "\"Hi Joe.\"", NULL },
    { "parent contexts", "{{#sec}}{{a}}, {{b}}, {{c.d}}{{/sec}}",
      "{\"a\":\"foo\",\"b\":\"wrong\",\"sec\":{\"b\":\"bar\"},"
      "\"c\":{\"d\":\"baz\"}}", "foo, bar, baz", NULL },
    { "variable test", "{{#foo}}{{.}} is {{foo}}{{/foo}}",
      "{\"foo\":\"bar\"}", "bar is bar", NULL },
    { "list contexts",
      "{{#tops}}{{#middles}}{{tname.lower}}{{mname}}."
      "{{#bottoms}}{{tname.upper}}{{mname}}{{bname}}.{{/bottoms}}"
      "{{/middles}}{{/tops}}",
      "{\"tops\":[{\"tname\":{\"upper\":\"A\",\"lower\":\"a\"},"
      "\"middles\":[{\"mname\":\"1\",\"bottoms\":[{\"bname\":\"x\"},"
      "{\"bname\":\"y\"}]}]}]}", "a1.A1x.A1y.", NULL },
    { "list", "\"{{#list}}{{item}}{{/list}}\"",
      "{\"list\":[{\"item\":1},{\"item\":2},{\"item\":3}]}", "\"123\"",
      NULL },
    { "empty list", "\"{{#list}}Yay!{{/list}}\"", "{\"list\":[]}", "\"\"",
      NULL },
    { "doubled", "{{#b}}\n* first\n{{/b}}\n* {{two}}\n{{#b}}\n* third\n"
      "{{/b}}\n", "{\"b\":true,\"two\":\"second\"}",
      "* first\n* second\n* third\n", NULL },
    { "nested truthy", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |",
      "{\"b\":true}", "| A B C D E |", NULL },
    { "nested falsey", "| A {{#b}}B {{#b}}C{{/b}} D{{/b}} E |",
      "{\"b\":false}", "| A  E |", NULL },
    { "implicit iterator", "\"{{#list}}({{.}}){{/list}}\"",
      "{\"list\":[\"a\",\"b\"]}", "\"(a)(b)\"", NULL },
    { "implicit iterator, nested",
      "\"{{#list}}({{#.}}{{.}}{{/.}}){{/list}}\"",
      "{\"list\":[[1,2],[\"a\",\"b\"]]}", "\"(12)(ab)\"", NULL },
    { "implicit iterator escapes", "\"{{#list}}({{.}}){{/list}}\"",
      "{\"list\":[\"&\",\"<\"]}", "\"(&amp;)(&lt;)\"", NULL },
    { "dotted section", "\"{{#a.b.c}}Here{{/a.b.c}}\" == \"Here\"",
      "{\"a\":{\"b\":{\"c\":true}}}", "\"Here\" == \"Here\"", NULL },
    { "section, surrounding whitespace", " | {{#b}}\t|\t{{/b}} | \n",
      "{\"b\":true}", " | \t|\t | \n", NULL },
    { "section, indented inline", " {{#b}}YES{{/b}}\n {{#b}}GOOD{{/b}}\n",
      "{\"b\":true}", " YES\n GOOD\n", NULL },
    { "section, standalone lines",
      "| This Is\n{{#b}}\n|\n{{/b}}\n| A Line\n", "{\"b\":true}",
      "| This Is\n|\n| A Line\n", NULL },
    { "section, indented standalone lines",
      "| This Is\n  {{#b}}\n|\n  {{/b}}\n| A Line\n", "{\"b\":true}",
      "| This Is\n|\n| A Line\n", NULL },
    { "section, standalone line endings", "|\r\n{{#b}}\r\n{{/b}}\r\n|",
      "{\"b\":true}", "|\r\n|", NULL },
    { "section, standalone without previous line", "  {{#b}}\n#{{/b}}\n/",
      "{\"b\":true}", "#\n/", NULL },
    { "section, standalone without newline", "#{{#b}}\n/\n  {{/b}}",
      "{\"b\":true}", "#\n/\n", NULL },
    { "section, padding", "|{{# b }}={{/ b }}|", "{\"b\":true}", "|=|",
      NULL },

    { "inverted falsey", "\"{{^b}}yes{{/b}}\"", "{\"b\":false}", "\"yes\"",
      NULL },
    { "inverted truthy", "\"{{^b}}no{{/b}}\"", "{\"b\":true}", "\"\"",
      NULL },
    { "inverted list", "\"{{^l}}no{{/l}}\"", "{\"l\":[{\"n\":1}]}", "\"\"",
      NULL },
    { "inverted empty list", "\"{{^l}}Yay!{{/l}}\"", "{\"l\":[]}",
      "\"Yay!\"", NULL },
    { "inverted context", "\"{{^c}}no{{/c}}\"", "{\"c\":{\"n\":\"x\"}}",
      "\"\"", NULL },
    { "inverted context miss", "[{{^missing}}none{{/missing}}]", "{}",
      "[none]", NULL },
    { "inverted standalone", "| This\n{{^b}}\n|\n{{/b}}\n| Line\n",
      "{\"b\":false}", "| This\n|\n| Line\n", NULL },

    { "comment inline", "12345{{! Comment Block! }}67890", "{}",
      "1234567890", NULL },
    { "comment multiline", "12345{{!\n  multi\n  line\n}}67890\n", "{}",
      "1234567890\n", NULL },
    { "comment standalone", "Begin.\n{{! alone }}\nEnd.\n", "{}",
      "Begin.\nEnd.\n", NULL },
    { "comment indented standalone", "Begin.\n  {{! alone }}\nEnd.\n", "{}",
      "Begin.\nEnd.\n", NULL },
    { "comment standalone line endings", "|\r\n{{! alone }}\r\n|", "{}",
      "|\r\n|", NULL },
    { "comment multiline standalone", "Begin.\n{{!\nSomething\n}}\nEnd.\n",
      "{}", "Begin.\nEnd.\n", NULL },
    { "comment indented inline", "  12 {{! 34 }}\n", "{}", "  12 \n", NULL },

    { "partial", "\"{{>text}}\"", "{}", "\"from partial\"",
      "from partial" },
    { "partial, none", "\"{{>text}}\"", "{}", "\"\"", NULL },
    { "partial context", "\"{{>p}}\"", "{\"text\":\"content\"}",
      "\"*content*\"", "*{{text}}*" },
    { "partial recursion", "{{>node}}",
      "{\"content\":\"X\",\"nodes\":[{\"content\":\"Y\",\"nodes\":[]}]}",
      "X<Y<>>", "{{content}}<{{#nodes}}{{>node}}{{/nodes}}>" },
    { "partial, surrounding whitespace", "| {{>p}} |", "{}", "| \t|\t |",
      "\t|\t" },
    { "partial, inline indentation", "  {{data}}  {{> p}}\n",
      "{\"data\":\"|\"}", "  |  >\n>\n", ">\n>" },
    { "partial, standalone line endings", "|\r\n{{>p}}\r\n|", "{}",
      "|\r\n>|", ">" },
    { "partial, standalone without previous line", "  {{>p}}\n>", "{}",
      "  >\n  >>", ">\n>" },
    { "partial, standalone without newline", ">\n  {{>p}}", "{}",
      ">\n  >\n  >", ">\n>" },
    { "partial, standalone indentation", "\\\n {{>p}}\n/\n",
      "{\"content\":\"<\\n->\"}", "\\\n |\n <\n->\n |\n/\n",
      "|\n{{{content}}}\n|\n" },
    { "partial, padding", "|{{> p }}|", "{}", "|[]|", "[]" },
    { NULL, NULL, NULL, NULL, NULL }
};


static const mistake_t  mistakes[] = {
    { "tag without end", "one\n{{two", 2, "does not end" },
    { "triple without end", "{{{a}} b", 1, "does not end" },
    { "section left open", "a\nb\n{{#c}}\nd\n", 3, "not closed" },
    { "end without section", "a\n{{/c}}", 2, "end of a section" },
    { "ends crossed", "{{#a}}\n{{#b}}\n{{/a}}\n{{/b}}", 3,
      "another section" },
    { "delimiters", "\n\n{{=<% %>=}}", 3, "delimiters" },
    { "inheritance", "{{<parent}}", 1, "inheritance" },
    { "block", "{{$block}}", 1, "inheritance" },
    { "no name", "{{}}", 1, "no usable name" },
    { "name with space", "a\n{{b c}}", 2, "no usable name" },
    { "name with empty part", "{{a..b}}", 1, "no usable name" },
    { "partial in another directory", "{{> ../secret}}", 1,
      "no usable name" },
    { "too deep",
      "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}"
      "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}\n{{#a}}", 2, "deeper than 16" },
    { NULL, NULL, 0, NULL }
};


static nudge_template_t *
compile(const char *text)
{
    nudge_str_t    s;
    const char    *error;
    nudge_uint_t   line;

    s = nudge_cstr(text);

    return nudge_template_compile(pool, &s, &line, &error);
}


static nudge_value_t *
decode(const char *text)
{
    nudge_str_t  s;

    s = nudge_cstr(text);

    return nudge_json_decode(js, pool, &s, NULL);
}


static nudge_template_t *
partial(void *data, const nudge_str_t *name)
{
    return data;
}


static nudge_int_t
render(nudge_template_t *t, const nudge_value_t *data, nudge_escape_t escape,
    nudge_template_t *p, nudge_str_t *out)
{
    nudge_int_t  rc;
    nudge_buf_t  b;

    if (nudge_buf_grow(&b, pool, 64, 65536) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    rc = nudge_template_render(t, &b, data, escape, partial, p);
    *out = nudge_buf_result(&b);

    return rc;
}


static void
check(const char *name, const char *template, const nudge_value_t *data,
    nudge_escape_t escape, const char *p, const char *expected)
{
    nudge_int_t        rc;
    nudge_str_t        out;
    nudge_template_t  *t;

    t = compile(template);

    if (t == NULL) {
        ok(0, "%s: does not compile", name);
        return;
    }

    rc = render(t, data, escape, p ? compile(p) : NULL, &out);

    ok(rc == NUDGE_OK && nudge_str_is(&out, expected),
       "%s%s%.*s", name, nudge_str_is(&out, expected) ? "" : ": got ",
       nudge_str_is(&out, expected) ? 0 : (int) out.len, out.data);
}


static void
test_spec(void)
{
    const example_t  *e;

    for (e = spec; e->name != NULL; e++) {
        check(e->name, e->template, decode(e->data), NUDGE_ESCAPE_HTML,
              e->partial, e->expected);
        nudge_pool_reset(pool);
    }
}


static void
test_mistakes(void)
{
    nudge_str_t       s;
    const char       *error;
    nudge_uint_t      line;
    const mistake_t  *m;

    for (m = mistakes; m->name != NULL; m++) {

        s = nudge_cstr(m->template);

        ok(nudge_template_compile(pool, &s, &line, &error) == NULL
           && line == m->line && strstr(error, m->found) != NULL,
           "%s is refused in line %d: %s", m->name, (int) line, error);

        nudge_pool_reset(pool);
    }
}


static void
test_escapes(void)
{
    nudge_value_t  *v;

    v = decode("{\"n\":\"Caf\\u00e9 <b>\\r\\nBcc: \\u202eevil\\u0000\","
               "\"m\":\"a\\u2028b\\u0085c\\u200fd\"}");

    check("header: one line, no controls, no bidi", "Hi {{n}}!\n", v,
          NUDGE_ESCAPE_HEADER, NULL, "Hi Caf\xc3\xa9 <b>Bcc: evil!");
    check("header: a raw name is no way round", "{{{n}}}", v,
          NUDGE_ESCAPE_HEADER, NULL, "Caf\xc3\xa9 <b>Bcc: evil");
    check("text: only controls and bidi go", "\t{{n}}", v, NUDGE_ESCAPE_NONE,
          NULL, "\tCaf\xc3\xa9 <b>\nBcc: evil");
    check("text: separators go", "{{m}}", v, NUDGE_ESCAPE_NONE, NULL,
          "abcd");
    check("html: markup is text", "\xc3\xa9 {{n}}", v, NUDGE_ESCAPE_HTML,
          NULL, "\xc3\xa9 Caf\xc3\xa9 &lt;b&gt;\nBcc: evil");

    nudge_pool_reset(pool);

    v = decode("{\"n\":\"\\u00e9<\\\"'&\\ud83d\\ude00\"}");

    check("ascii: text and value become references", "\xc3\x97{{n}}", v,
          NUDGE_ESCAPE_ASCII, NULL,
          "&#xD7;&#xE9;&#x3C;&#x22;&#x27;&#x26;&#x1F600;");
    check("ascii: a raw name stays ASCII", "{{{n}}}", v, NUDGE_ESCAPE_ASCII,
          NULL, "&#xE9;<\"'&&#x1F600;");

    nudge_pool_reset(pool);
}


static void
test_bounds(void)
{
    u_char             small[8];
    nudge_buf_t        b;
    nudge_str_t        out;
    nudge_value_t     *v;
    nudge_template_t  *t;

    t = compile("{{> self}}");
    v = decode("{}");

    ok(render(t, v, NUDGE_ESCAPE_HTML, t, &out) == NUDGE_ERROR,
       "a template that puts itself in is an error");

    t = compile("{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}"
                "{{/l}}{{/l}}");
    v = decode("{\"l\":[1,1,1,1,1,1,1,1,1,1]}");

    ok(render(t, v, NUDGE_ESCAPE_HTML, NULL, &out) == NUDGE_ERROR,
       "a million empty repetitions are an error");

    t = compile("123456789");
    nudge_buf_init(&b, small, sizeof(small));

    ok(nudge_template_render(t, &b, NULL, NUDGE_ESCAPE_HTML, NULL, NULL)
       == NUDGE_ERROR, "a full buffer is an error");

    t = compile("[{{a.b}}{{#c}}{{/c}}]");
    ok(render(t, NULL, NUDGE_ESCAPE_HTML, NULL, &out) == NUDGE_OK
       && nudge_str_is(&out, "[]"), "no data at all is empty data");

    nudge_pool_reset(pool);
}


static void
test_partials(void)
{
    nudge_str_t        name;
    nudge_uint_t       line;
    nudge_template_t  *t;

    t = compile("a\n{{> one}}\n{{#x}}\n{{> two}}{{/x}}");

    ok(nudge_template_partial(t, 0, &name, &line) == NUDGE_OK
       && nudge_str_is(&name, "one") && line == 2, "first partial named");
    ok(nudge_template_partial(t, 1, &name, &line) == NUDGE_OK
       && nudge_str_is(&name, "two") && line == 4, "nested partial named");
    ok(nudge_template_partial(t, 2, &name, &line) == NUDGE_DECLINED,
       "no third");

    nudge_pool_reset(pool);
}


static void
money(const char *currency, nudge_money_t m, const char *expected)
{
    nudge_str_t     c, s;
    nudge_value_t  *v;

    c = nudge_cstr(currency);
    v = nudge_value_object(pool);

    nudge_value_add_money(pool, v, "m", m, &c);
    s = nudge_value_str(nudge_value_get(v, "m"));

    ok(nudge_str_is(&s, expected), "%lld %s is \"%.*s\"", (long long) m,
       currency, (int) s.len, s.data);
}


static void
test_values(void)
{
    nudge_str_t     s;
    nudge_value_t  *v, *list;

    v = nudge_value_object(pool);
    s = nudge_cstr("Mug");
    nudge_value_add_str(pool, v, "name", &s);
    nudge_value_add_int(pool, v, "count", -12);
    nudge_value_add_bool(pool, v, "yes", 1);
    nudge_value_add_bool(pool, v, "no", 0);
    list = nudge_value_add(pool, v, "list", nudge_value_array(pool));
    nudge_value_add_int(pool, list, NULL, 1);
    nudge_value_add_int(pool, list, NULL, 2);

    check("what is built is rendered",
          "{{name}} {{count}} {{#yes}}y{{/yes}}{{#no}}n{{/no}}"
          "{{#list}}{{.}};{{/list}}", v, NUDGE_ESCAPE_HTML, NULL,
          "Mug -12 y1;2;");

    ok(v->count == 5 && list->count == 2, "children are counted");
    ok(nudge_value_add_int(pool, NULL, "x", 1) == NULL,
       "no parent gives no value");

    money("EUR", 45000, "\xe2\x82\xac" "45.00");
    money("USD", 1234500, "$1234.50");
    money("GBP", -3500, "-\xc2\xa3" "3.50");
    money("PLN", 19990, "19.99 z\xc5\x82");
    money("SEK", 100000, "100.00 SEK");
    money("", 1000, "1.00");
    money("EUR", NUDGE_MONEY_NONE, "");
    money("a currency with a name that is far too long for any buffer here",
          1000, "");

    nudge_pool_reset(pool);
}


int
main(void)
{
    pool = nudge_pool_create(1024 * 1024);
    js = nudge_json_create(1024 * 1024);

    if (pool == NULL || js == NULL) {
        ok(0, "no memory");
        done_testing();
        return 0;
    }

    test_spec();
    test_mistakes();
    test_escapes();
    test_bounds();
    test_partials();
    test_values();

    nudge_json_destroy(js);
    nudge_pool_destroy(pool);

    done_testing();

    return 0;
}
