
/*
 * Where the tokenizer finds the mark and what else it finds.  "@" in a page
 * stands before the "</body" that has to be found; every page is fed whole,
 * byte by byte, and cut in two at every byte.
 */


#include <stdlib.h>

#include "nudge_html.h"

#include "tap.h"


#define LD_ROOM  256


typedef struct {
    const char         *name;
    const char         *page;
} page_t;


static u_char  ld[2][LD_ROOM];


/* the results of two runs, hold aside */

static int
equal(const nudge_html_t *a, const nudge_html_t *b)
{
    nudge_uint_t  i;

    if (a->offset != b->offset || a->marked != b->marked
        || (a->marked && a->mark != b->mark) || a->document != b->document
        || a->meta_csp != b->meta_csp || a->ld_truncated != b->ld_truncated
        || a->ld_hash != b->ld_hash || a->nld != b->nld
        || !nudge_str_eq(&a->body_class, &b->body_class)
        || !nudge_str_eq(&a->canonical, &b->canonical))
    {
        return 0;
    }

    for (i = 0; i < a->nld; i++) {
        if (a->block[i].len != b->block[i].len
            || memcmp(a->ld + a->block[i].start, b->ld + b->block[i].start,
                      a->block[i].len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


/* feeds a copy of its own size, so that any byte read too far is seen */

static void
feed(nudge_html_t *h, const u_char *p, size_t n)
{
    u_char  *copy;

    copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    nudge_html_feed(h, copy, n);
    free(copy);
}


/* whole into *h; the number of cuts at which something else comes out */

static int
run(nudge_html_t *h, const u_char *p, size_t n)
{
    int            bad;
    size_t         i, released;
    nudge_html_t  *other;

    nudge_html_init(h, ld[0], LD_ROOM);
    feed(h, p, n);
    nudge_html_end(h);

    other = malloc(sizeof(nudge_html_t));
    bad = 0;

    for (i = 0; i <= n; i++) {
        nudge_html_init(other, ld[1], LD_ROOM);
        feed(other, p, i);
        bad += (other->hold > NUDGE_HTML_HOLD || other->hold > i);

        /* what was let go is gone: the mark may not be in there */

        released = i - other->hold;
        bad += (h->marked && !other->marked && h->mark < released);
        bad += (other->marked && other->hold != 0);

        feed(other, p + i, n - i);
        nudge_html_end(other);
        bad += !equal(h, other) || other->hold != 0;
    }

    nudge_html_init(other, ld[1], LD_ROOM);

    for (i = 0; i < n; i++) {
        feed(other, p + i, 1);
    }

    nudge_html_end(other);
    bad += !equal(h, other);
    free(other);

    return bad;
}


static const page_t  pages[] = {
    { "plain", "<html><body><p>x</p>@</body></html>" },
    { "none", "<html><body><p>x</p>" },
    { "upper case", "<BODY>x@</BODY>" },
    { "white space", "<body>x@</body\n >" },
    { "slash", "<body>x@</body/>" },
    { "attributes", "<body>x@</body class='a'>" },
    { "the first counts", "<body>x@</body></body>" },
    { "longer name", "<body></bodyx></body-x></bod>@</body>" },
    { "not closed", "<body>x</body" },
    { "no tag", "<body>x< /body></ body>@</body>" },
    { "text before it", "a < b <3 <> </> &lt;/body> <<@</body>" },

    { "double quotes", "<p title=\"</body>\">@</body>" },
    { "single quotes", "<p title='</body>'>@</body>" },
    { "quotes in quotes", "<p a='\"</body>' b=\"'</body>\">@</body>" },
    { "no quotes", "<p title=</body>@</body>" },
    { "spaces around =", "<p title = \"</body>\">@</body>" },
    { "slash, then quotes", "<p title=/\"</body>\">" "@</body>" },
    { "quote in a bare value", "<p a=b\"c>@</body>" },
    { "quote in a name", "<p \"a>@</body>" },
    { "quote after =", "<p =\">@</body>" },
    { "two =", "<p a==\"x>@</body>" },
    { "quote right after a value", "<p a=\"x\"\"y>@</body>" },
    { "value right after a value", "<p a=\"x\"b=\"</body>\">@</body>" },
    { "missing value", "<p a=>@</body>" },
    { "> in quotes", "<p a=\">\" b='>'>@</body>" },
    { "self-closing", "<br/><img a=\"</body>\"/>@</body>" },
    { "name with others",
      "<p\xc3\xa9 a=\"</body>\"><x:y a='</body>'>@</body>" },
    { "end tag with attributes", "</p a=\"</body>\">@</body>" },
    { "< in a tag", "<p <b>@</body>" },
    { "< in a name", "<p<script>@</body>" },
    { "upper case attribute", "<P TITLE=\"</body>\">@</body>" },
    { "long name", "<abcdefghijklmnopqrstuvwxyz a='</body>'>@</body>" },
    { "form feed", "<p\fa\f=\f'</body>'>@</body>" },

    { "comment", "<!-- </body> -->@</body>" },
    { "empty comments", "<!--><!---><!---->@</body>" },
    { "comment with >", "<!-- > -> -- > </body> -->@</body>" },
    { "comment with bang", "<!-- </body> --!>@</body>" },
    { "bang at the start", "<!--!></body>--!>@</body>" },
    { "dash and bang at the start", "<!---!></body>-->@</body>" },
    { "dashes", "<!------>@</body>" },
    { "dashes before the end", "<!-- </body> ----->@</body>" },
    { "bang and dashes", "<!-- --!-></body>-->@</body>" },
    { "nested comment", "<!-- <!-- </body> -->@</body>-->" },
    { "comment with script", "<!--<script>-->@</body>" },
    { "comment, then script", "<!--><script></body></script>@</body>" },
    { "unclosed comment", "<!-- </body> --" },
    { "bogus comments", "<! </body><?php '</body>' ?></ x=\">@</body>" },
    { "bogus: not a comment", "<!-x>@</body>" },
    { "doctype", "<!DOCTYPE html PUBLIC \"-//W3C\" \"x\">@</body>" },
    { "cdata in html", "<![CDATA[ > @</body> ]]>" },

    { "script", "<script>'</body>'</script>@</body>" },
    { "script with <", "<script>a<b;c</d;'</scr'+'ipt>'</body></script>"
                       "@</body>" },
    { "script, end tag with space", "<script></body></script >@</body>" },
    { "script, end tag with slash", "<script></body></script/>@</body>" },
    { "script, end tag with attributes",
      "<script></body></script a=\"</body>\">@</body>" },
    { "script, longer end tag", "<script></body></scripts></script>@</body>" },
    { "script, upper case", "<SCRIPT></body></ScRiPt>@</body>" },
    { "script, self-closing is not", "<script/></body></script>@</body>" },
    { "script, > in attribute", "<script a=\">\"></body></script>@</body>" },
    { "escaped script", "<script><!-- </script>@</body>-->" },
    { "escaped twice",
      "<script><!-- <script> </script> </body> --> </script>@</body>" },
    { "escaped twice, two ends",
      "<script><!-- <script></body></script></body></script>@</body>" },
    { "escaped twice, ended by -->",
      "<script><!-- <script> --></script>@</body>" },
    { "escape ended at once", "<script><!--><script></script>@</body>" },
    { "escape ended by --->", "<script><!---><script></script>@</body>" },
    { "no double escape", "<script><!-- <scripts></script>@</body>" },
    { "no double escape either", "<script><!-- <script\xc3\xa9></script>"
                                 "@</body>" },
    { "double escape with slash",
      "<script><!-- <script/ </script> </body> </script>@</body>" },
    { "double end with space",
      "<script><!--<script></script \n</body></script>@</body>" },
    { "not even escaped", "<script><!- <script></script>@</body>" },
    { "double escape, upper case",
      "<script><!--<SCRIPT></body></SCRIPT></body>--></script>@</body>" },

    { "style", "<style>a{content:'</body>'}</style>@</body>" },
    { "style has no escape", "<style><!--<style></style>@</body>" },
    { "title", "<title>a <b> </body> </title>@</body>" },
    { "textarea", "<textarea></body><!--</textarea>@</body>-->" },
    { "iframe", "<iframe></body></iframe>@</body>" },
    { "xmp, noembed, noframes",
      "<xmp></body></xmp><noembed></body></noembed><noframes></body>"
      "</noframes>@</body>" },
    { "noscript", "<noscript><img a='</noscript>@</body>'></noscript>" },
    { "plaintext", "<plaintext></body></plaintext></body>" },
    { "another one's end", "<title></style></script></body></title>@</body>" },
    { "unclosed script", "<script> </body> " },

    { "template", "<template></body></template>@</body>" },
    { "nested templates",
      "<template><p><template></body></template></body></template>@</body>" },
    { "template, self-closing is not",
      "<template/></body></template>@</body>" },
    { "end of no template", "</template>@</body>" },
    { "script in a template",
      "<template><script></template></script></body></template>@</body>" },
    { "unclosed template", "<template></body>" },
    { "template in an attribute", "<p a='<template>'>@</body>" },

    { "cdata in svg", "<svg><![CDATA[ </body> <x a=\" ]]></svg>@</body>" },
    { "cdata in math", "<math><![CDATA[</body>]]]></math>@</body>" },
    { "cdata, case counts", "<svg><![cdata[>@</body>]]>" },
    { "cdata after svg", "<svg></svg><![CDATA[>@</body>]]>" },
    { "cdata, svg is empty", "<svg/><![CDATA[>@</body>]]>" },
    { "cdata in nested svg",
      "<svg><svg></svg><![CDATA[</body>]]></svg>@</body>" },
    { "cdata, brackets", "<svg><![CDATA[]]</body>] ]>]]]]></svg>@</body>" },
    { "unclosed svg", "<svg><g>@</body>" },
    { "html ends svg", "<svg><div><![CDATA[>@</body>]]>" },
    { "font may end svg", "<svg><font size=1><![CDATA[>@</body>]]>" },
    { "or not", "<svg><font><![CDATA[></body>]]>@</body>" },
    { "p and br end svg, div does not",
      "<svg></div><![CDATA[></body>]]></p><![CDATA[>@</body>]]>" },
    { "style in svg is markup", "<svg><style/><g></svg>@</body>" },
    { "style in svg has comments",
      "<svg><style><!--</style></body>--></style></svg>@</body>" },
    { "script in svg may be empty", "<svg><script/></svg>@</body>" },
    { "title in svg", "<svg><title><b><title></body></title></title></svg>"
                      "@</body>" },
    { "empty title in svg", "<svg><title/><![CDATA[</body>]]></svg>@</body>" },
    { "html in svg",
      "<svg><foreignObject></body><p><![CDATA[></p></body>]]>"
      "</foreignObject><![CDATA[</body>]]></svg>@</body>" },
    { "svg in html in svg",
      "<svg><desc><svg><![CDATA[</body>]]></svg><![CDATA[></body></desc>"
      "</svg>@</body>" },
    { "template in html in svg",
      "<svg><desc><template></desc></svg></body></template></desc></svg>"
      "@</body>" },
    { "template in svg is none", "<svg><template>@</body>" },
    { "html in math", "<math><mi><![CDATA[></body></mi></math>@</body>" },
    { "annotation",
      "<math><annotation-xml><![CDATA[</body>]]></annotation-xml>"
      "<annotation-xml encoding='text/HTML'><![CDATA[></body>"
      "</annotation-xml></math>@</body>" },
    { "mi in svg is none", "<svg><mi><![CDATA[</body>]]></svg>@</body>" },
    { "svg in a template", "<template><svg></template>@</body>" },
    { "end of no svg", "</svg></math></title>@</body>" },
    { NULL, NULL }
};


static void
test_mark(void)
{
    int            bad;
    u_char         text[1024];
    size_t         n;
    const char    *at;
    const page_t  *t;
    nudge_html_t   h;

    for (t = pages; t->name; t++) {
        at = strchr(t->page, '@');
        n = strlen(t->page);

        if (at != NULL) {
            memcpy(text, t->page, at - t->page);
            memcpy(text + (at - t->page), at + 1, n - (at - t->page) - 1);
            n--;

        } else {
            memcpy(text, t->page, n);
        }

        bad = run(&h, text, n);

        is_int(h.marked ? (int64_t) h.mark : -1, at ? at - t->page : -1,
               "%s", t->name);
        is_int(bad, 0, "%s, cut at every byte", t->name);
    }
}


/* blocks as "text|", then class, canonical and flags */

static void
found(const char *name, const char *page, const char *want)
{
    int            bad;
    u_char         mem[2048];
    nudge_buf_t    b;
    nudge_html_t   h;
    nudge_uint_t   i;

    bad = run(&h, (const u_char *) page, strlen(page));

    nudge_buf_init(&b, mem, sizeof(mem));

    for (i = 0; i < h.nld; i++) {
        nudge_buf_put(&b, h.ld + h.block[i].start, h.block[i].len);
        nudge_buf_char(&b, '|');
    }

    if (h.body_class.len) {
        nudge_buf_cstr(&b, "class:");
        nudge_buf_str(&b, &h.body_class);
    }

    if (h.canonical.len) {
        nudge_buf_cstr(&b, "canonical:");
        nudge_buf_str(&b, &h.canonical);
    }

    nudge_buf_cstr(&b, h.document ? " document" : "");
    nudge_buf_cstr(&b, h.meta_csp ? " csp" : "");
    nudge_buf_cstr(&b, h.ld_truncated ? " truncated" : "");

    is_str(nudge_buf_result(&b), want, "%s", name);
    is_int(bad, 0, "%s, cut at every byte", name);
}


#define LD  "<script type=\"application/ld+json\">"
#define TEN  "0123456789"
#define HUNDRED  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static void
test_found(void)
{
    found("doctype", "<!doctype html>", " document");
    found("doctype, public",
          "<!DOCTYPE\nHTML PUBLIC \"-//W3C//DTD XHTML 1.0\">x", " document");
    found("doctype of svg", "<!DOCTYPE svg>", "");
    found("doctype of html5", "<!DOCTYPE html5>", "");
    found("html", " <html lang=en>", " document");
    found("body", "<BODY>", " document");
    found("a fragment", "<div>x</div>", "");
    found("a comment", "<!-- <html> -->", "");
    found("a template", "<template><html><body class=x></template>", "");
    found("json", "{\"html\":\"\\u003chtml>\"}", "");

    found("json-ld", LD "{\"a\":1}</script>", "{\"a\":1}|");
    found("two", LD "1</script>" LD "2</script>", "1|2|");
    found("none of it", "<script>1</script><script type=module>2</script>"
          "<script type='text/javascript'>3</script>", "");
    found("other attributes first",
          "<script class='y' data-type=\"application/ld+json\" id=x>1</script>"
          "<script class='yoast' nonce=\"a\" TYPE = 'Application/LD+JSON' >2"
          "</script>", "2|");
    found("no quotes", "<script type=application/ld+json>1</script>", "1|");
    found("parameters and space",
          "<script type=\" application/ld+json ; charset=utf-8 \">1</script>"
          "<script type=application/ld+json;profile=x>2</script>", "1|2|");
    found("long parameters", "<script type='application/ld+json;" HUNDRED
          "'>1</script>", "1|");
    found("another type", "<script type=application/ld+jsonx>1</script>", "");
    found("of two types the first", "<script type=a type=application/ld+json>"
          "1</script><script type=application/ld+json type=a>2</script>",
          "2|");
    found("what looks like the end",
          LD "\"</scrip</script</scripts>\"</script>",
          "\"</scrip</script</scripts>\"|");
    found("a comment in it", LD "<!--{\"a\":\"</div>\"}--></script >",
          "<!--{\"a\":\"</div>\"}-->|");
    found("escaped twice", LD "<!--<script></script>--></script>",
          "<!--<script></script>-->|");
    found("empty", LD "</script>" LD "1</script>", "1|");
    found("unclosed", LD "{\"a\":1}</scrip", "");
    found("in a comment", "<!--" LD "1</script>-->", "");
    found("in a template", "<template>" LD "1</script></template>", "");
    found("in a style", "<style>" LD "1</script></style>", "");
    found("in noscript", "<noscript>" LD "1</script></noscript>", "");
    found("after the body", "</body>" LD "1</script>", "1|");
    found("exactly as long as there is room",
          LD HUNDRED HUNDRED TEN TEN TEN TEN TEN "012345</script>",
          HUNDRED HUNDRED TEN TEN TEN TEN TEN "012345|");
    found("too long", LD "1</script>" LD HUNDRED HUNDRED TEN TEN TEN TEN TEN
          "012345</script>" LD "2</script>", "1|2| truncated");
    found("more than can be kept",
          LD "0</script>" LD "1</script>" LD "2</script>" LD "3</script>"
          LD "4</script>" LD "5</script>" LD "6</script>" LD "7</script>"
          LD "8</script>" LD "9</script>" LD "a</script>" LD "b</script>"
          LD "c</script>" LD "d</script>" LD "e</script>" LD "f</script>"
          LD "g</script>", "0|1|2|3|4|5|6|7|8|9|a|b|c|d|e|f| truncated");

    found("class", "<body id=x class=\"single-product postid-19\">",
          "class:single-product postid-19 document");
    found("no quotes", "<body class=home>", "class:home document");
    found("single quotes", "<body class='a \"b'>", "class:a \"b document");
    found("the first", "<body class=a class=b><body class=c>",
          "class:a document");
    found("a second body", "<body><body class=b>", "class:b document");
    found("not of others", "<p class=a><body data-class=b>", " document");
    found("too long, whole names", "<body class='a " HUNDRED " b" HUNDRED " c"
          HUNDRED " d" HUNDRED " e" HUNDRED " f" HUNDRED "'>",
          "class:a " HUNDRED " b" HUNDRED " c" HUNDRED " d" HUNDRED " e"
          HUNDRED "  document");
    found("too long, one name", "<body class='" HUNDRED HUNDRED HUNDRED
          HUNDRED HUNDRED HUNDRED "'>", " document");

    found("canonical", "<link rel=\"canonical\" href=\"https://a/b?c&amp;d\">",
          "canonical:https://a/b?c&amp;d");
    found("the other way around", "<LINK href='/a' REL='Alternate Canonical'/>",
          "canonical:/a");
    found("the first", "<link rel=canonical href=/a><link rel=canonical "
          "href=/b><link rel=icon href=/c>", "canonical:/a");
    found("not these", "<link rel=canonicals href=/a><link href=/b>"
          "<link rel=canonical><link rel=canonical href=''>", "");
    found("too long", "<link rel=canonical href=/" HUNDRED HUNDRED HUNDRED
          HUNDRED HUNDRED HUNDRED ">", "");

    found("csp", "<meta http-equiv=\"Content-Security-Policy\" content=\"x\">",
          " csp");
    found("no csp", "<meta http-equiv=refresh content="
          "content-security-policy>", "");
}


static void
test_depth(void)
{
    u_char        *p;
    size_t         i;
    const char    *last;
    nudge_html_t   h;
    static u_char  page[4096];

    p = page;

    for (i = 0; i < NUDGE_HTML_DEPTH + 1; i++) {
        p += sprintf((char *) p, "<template>");
    }

    for (i = 0; i < NUDGE_HTML_DEPTH + 1; i++) {
        p += sprintf((char *) p, "</template>");
    }

    p += sprintf((char *) p, "</body>");

    is_int(run(&h, page, p - page), 0, "nested too deeply, cut at every byte");
    ok(!h.marked, "no mark is better than a wrong one");

    last = LD "1</script></body>";
    nudge_html_init(&h, NULL, 0);
    feed(&h, (const u_char *) last, strlen(last));
    ok(h.nld == 0 && h.marked && !h.ld_truncated, "json-ld is not wanted");
}


static void
test_text(void)
{
    u_char         mem[512];
    nudge_buf_t    b;
    nudge_str_t    s, t;
    nudge_uint_t   i;
    nudge_pool_t  *pool;

    static const struct {
        const char     *text;
        const char     *plain;
    } refs[] = {
        { "Ben &amp; Jerry&#8217;s", "Ben & Jerry\xe2\x80\x99s" },
        { "&lt;b&gt;&quot;&apos;&nbsp;&times;", "<b>\"'\xc2\xa0\xc3\x97" },
        { "&#x20AC;&#X20ac;&#128;&#150", "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                                         "\xe2\x80\x93" },
        { "&#x1F600;", "\xf0\x9f\x98\x80" },
        { "&#0;&#xD800;&#x110000;&#99999999999999999999;",
          "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
        { "&amp &ampx; &; & && &#; &#x; &copy;", "&amp &ampx; &; & && &#; &#x; "
                                                 "&copy;" },
        { "&amp;lt;", "&lt;" }, { "", "" }, { NULL, NULL }
    };

    nudge_buf_init(&b, mem, sizeof(mem));
    s = nudge_cstr("a<b>&\"'\xc3\xa9\xe2\x80\x99\xf0\x9f\x98\x80\xff\x01\n\tz"
                   "\xc2\x80\x7f");
    nudge_html_escape(&b, &s);
    is_str(nudge_buf_result(&b),
           "a&#x3C;b&#x3E;&#x26;&#x22;&#x27;&#xE9;&#x2019;&#x1F600;&#xFFFD;"
           "  z", "escape");

    nudge_buf_init(&b, mem, sizeof(mem));
    s = nudge_cstr("<b>\xc5\x82&amp;\xf0\x9f\x98\x80\x80</b>\n");
    nudge_html_ascii(&b, &s);
    is_str(nudge_buf_result(&b), "<b>&#x142;&amp;&#x1F600;&#xFFFD;</b>\n",
           "ascii");

    s = nudge_cstr(" a\tpostid-19  bb\npostid-20");
    ok(nudge_html_has_class(&s, "a") && nudge_html_has_class(&s, "bb")
       && nudge_html_has_class(&s, "postid-20"), "has these");
    ok(!nudge_html_has_class(&s, "b") && !nudge_html_has_class(&s, "A")
       && !nudge_html_has_class(&s, "") && !nudge_html_has_class(&s, "postid"),
       "and not those");
    t = nudge_cstr("postid-");
    is_str(nudge_html_class_rest(&s, &t), "19", "the rest of the first");
    t = nudge_cstr("term-");
    is_str(nudge_html_class_rest(&s, &t), "", "none");
    nudge_str_null(&s);
    is_str(nudge_html_class_rest(&s, &t), "", "none in nothing");
    ok(!nudge_html_has_class(&s, "a"), "nor here");

    pool = nudge_pool_create(65536);

    for (i = 0; refs[i].text; i++) {
        s = nudge_cstr(refs[i].text);
        nudge_html_unescape(pool, &t, &s);
        is_str(t, refs[i].plain, "%s", refs[i].text);
    }

    nudge_pool_destroy(pool);
}


int
main(void)
{
    test_mark();
    test_found();
    test_depth();
    test_text();
    done_testing();

    return 0;
}
