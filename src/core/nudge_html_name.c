
/*
 * The names of tags and attributes that mean something to the tokenizer.
 */


#include "nudge_html_machine.h"


typedef struct {
    const char         *name;
    uint8_t             len;
    uint8_t             value;      /* NUDGE_HTML_T_... or A_... */
} nudge_html_word_t;

#define nudge_html_word(s, t)  { s, sizeof(s) - 1, t }


static nudge_uint_t nudge_html_find(const nudge_html_word_t *word,
    const u_char *name, size_t len);


/* names of HTML by their first letter; of svg and math, and what ends them */

static const nudge_html_word_t  nudge_html_b[] = {
    nudge_html_word("body", NUDGE_HTML_T_BODY),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_h[] = {
    nudge_html_word("html", NUDGE_HTML_T_HTML),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_i[] = {
    nudge_html_word("iframe", NUDGE_HTML_T_IFRAME),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_l[] = {
    nudge_html_word("link", NUDGE_HTML_T_LINK),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_m[] = {
    nudge_html_word("meta", NUDGE_HTML_T_META),
    nudge_html_word("math", NUDGE_HTML_T_MATH),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_n[] = {
    nudge_html_word("noscript", NUDGE_HTML_T_NOSCRIPT),
    nudge_html_word("noembed", NUDGE_HTML_T_NOEMBED),
    nudge_html_word("noframes", NUDGE_HTML_T_NOFRAMES),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_p[] = {
    nudge_html_word("plaintext", NUDGE_HTML_T_PLAINTEXT),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_s[] = {
    nudge_html_word("script", NUDGE_HTML_T_SCRIPT),
    nudge_html_word("style", NUDGE_HTML_T_STYLE),
    nudge_html_word("svg", NUDGE_HTML_T_SVG),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_t_[] = {
    nudge_html_word("title", NUDGE_HTML_T_TITLE),
    nudge_html_word("textarea", NUDGE_HTML_T_TEXTAREA),
    nudge_html_word("template", NUDGE_HTML_T_TEMPLATE),
    { NULL, 0, 0 }
};

static const nudge_html_word_t  nudge_html_x[] = {
    nudge_html_word("xmp", NUDGE_HTML_T_XMP),
    { NULL, 0, 0 }
};


static const nudge_html_word_t  *nudge_html_letters[26] = {
    NULL, nudge_html_b, NULL, NULL, NULL, NULL, NULL, nudge_html_h,
    nudge_html_i, NULL, NULL, nudge_html_l, nudge_html_m, nudge_html_n, NULL,
    nudge_html_p, NULL, NULL, nudge_html_s, nudge_html_t_, NULL, NULL, NULL,
    nudge_html_x, NULL, NULL
};


static const nudge_html_word_t  nudge_html_foreigners[] = {
    nudge_html_word("template", NUDGE_HTML_T_TEMPLATE),
    nudge_html_word("svg", NUDGE_HTML_T_SVG),
    nudge_html_word("math", NUDGE_HTML_T_MATH),
    nudge_html_word("font", NUDGE_HTML_T_FONT),
    nudge_html_word("title", NUDGE_HTML_T_TITLE),
    nudge_html_word("foreignobject", NUDGE_HTML_T_FOREIGN_OBJECT),
    nudge_html_word("desc", NUDGE_HTML_T_DESC),
    nudge_html_word("mi", NUDGE_HTML_T_MI),
    nudge_html_word("mo", NUDGE_HTML_T_MO),
    nudge_html_word("mn", NUDGE_HTML_T_MN),
    nudge_html_word("ms", NUDGE_HTML_T_MS),
    nudge_html_word("mtext", NUDGE_HTML_T_MTEXT),
    nudge_html_word("annotation-xml", NUDGE_HTML_T_ANNOTATION_XML),
    { NULL, 0, 0 }
};


/* in step with the tables above and below */

static const uint16_t  nudge_html_lengths_html[26] = {
    0, 1 << 4, 0, 0, 0, 0, 0, 1 << 4,               /* body, html */
    1 << 6, 0, 0, 1 << 4, 1 << 4,                   /* iframe, link, meta */
    1 << 7 | 1 << 8, 0, 1 << 9, 0, 0,               /* no..., plaintext */
    1 << 3 | 1 << 5 | 1 << 6,                       /* svg, style, script */
    1 << 5 | 1 << 8, 0, 0, 0, 1 << 3, 0, 0          /* title, te..., xmp */
};


static const uint16_t  nudge_html_lengths_all[26] = {
    1 << 14,                                        /* a */
    1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 10,    /* b */
    1 << 4 | 1 << 6,                                /* c */
    1 << 2 | 1 << 3 | 1 << 4,                       /* d */
    1 << 2 | 1 << 5,                                /* e */
    1 << 4 | 1 << 13,                               /* f */
    0,
    1 << 2 | 1 << 4,                                /* h */
    1 << 1 | 1 << 3 | 1 << 6,                       /* i */
    0, 0,
    1 << 2 | 1 << 4 | 1 << 7,                       /* l */
    1 << 2 | 1 << 4 | 1 << 5,                       /* m */
    1 << 4 | 1 << 7 | 1 << 8,                       /* n */
    1 << 2,                                         /* o */
    1 << 1 | 1 << 3 | 1 << 9,                       /* p */
    0,
    1 << 4,                                         /* r */
    1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6,     /* s */
    1 << 2 | 1 << 5 | 1 << 8,                       /* t */
    1 << 1 | 1 << 2,                                /* u */
    1 << 3,                                         /* v */
    0, 1 << 3, 0, 0                                 /* x */
};


static const char  *nudge_html_breakouts[] = {
    "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div",
    "dl", "dt", "em", "embed", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p",
    "pre", "ruby", "s", "small", "span", "strong", "strike", "sub", "sup",
    "table", "tt", "u", "ul", "var", NULL
};


static const nudge_html_word_t  nudge_html_attrs[] = {
    nudge_html_word("class", NUDGE_HTML_A_CLASS),
    nudge_html_word("type", NUDGE_HTML_A_TYPE),
    nudge_html_word("rel", NUDGE_HTML_A_REL),
    nudge_html_word("href", NUDGE_HTML_A_HREF),
    nudge_html_word("http-equiv", NUDGE_HTML_A_HTTP_EQUIV),
    nudge_html_word("encoding", NUDGE_HTML_A_ENCODING),
    nudge_html_word("color", NUDGE_HTML_A_FONT),
    nudge_html_word("face", NUDGE_HTML_A_FONT),
    nudge_html_word("size", NUDGE_HTML_A_FONT),
    { NULL, 0, 0 }
};


uint16_t
nudge_html_lengths(u_char letter, nudge_uint_t foreign)
{
    return foreign ? nudge_html_lengths_all[letter - 'a']
                   : nudge_html_lengths_html[letter - 'a'];
}


static nudge_uint_t
nudge_html_find(const nudge_html_word_t *word, const u_char *name, size_t len)
{
    for ( /* void */ ; word->name; word++) {
        if (word->len == len && memcmp(word->name, name, len) == 0) {
            return word->value;
        }
    }

    return 0;
}


nudge_html_tag_t
nudge_html_tag(const u_char *name, size_t len, nudge_uint_t foreign)
{
    nudge_str_t               s;
    nudge_uint_t              i, tag;
    const nudge_html_word_t  *word;

    if (!foreign) {
        word = nudge_html_letters[name[0] - 'a'];
        return word ? nudge_html_find(word, name, len) : NUDGE_HTML_T_OTHER;
    }

    if (len >= 16 || !(nudge_html_lengths_all[name[0] - 'a'] & (1 << len))) {
        return NUDGE_HTML_T_OTHER;
    }

    tag = nudge_html_find(nudge_html_foreigners, name, len);

    if (tag != NUDGE_HTML_T_OTHER) {
        return tag;
    }

    s.data = (u_char *) name;
    s.len = len;

    for (i = 0; nudge_html_breakouts[i]; i++) {
        if (nudge_str_is(&s, nudge_html_breakouts[i])) {
            return NUDGE_HTML_T_BREAKOUT;
        }
    }

    return NUDGE_HTML_T_OTHER;
}


nudge_html_attr_t
nudge_html_attr(const u_char *name, size_t len)
{
    return nudge_html_find(nudge_html_attrs, name, len);
}
