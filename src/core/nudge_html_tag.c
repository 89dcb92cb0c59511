
/*
 * What a tag means where it stands.  Of the standard's tree construction only
 * what changes the reading of bytes is kept: a stack of the open templates,
 * svg and math elements and of the places within these that hold HTML again.
 *
 * Start tags pass through nudge_html_tag_begin(), which says what attributes
 * are wanted of one, and nudge_html_tag_end(), which acts on them.
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
static nudge_html_slot_t *nudge_html_want(nudge_html_t *h,
    nudge_html_attr_t name, u_char *data, size_t size);
static nudge_uint_t nudge_html_within(const nudge_html_t *h,
    nudge_html_tag_t tag);
static void nudge_html_push(nudge_html_t *h, nudge_html_tag_t tag);
static void nudge_html_pop(nudge_html_t *h, nudge_html_tag_t tag);
static void nudge_html_break_out(nudge_html_t *h);
static void nudge_html_tag_close(nudge_html_t *h);
static void nudge_html_tag_foreign(nudge_html_t *h);
static void nudge_html_tag_html(nudge_html_t *h, uint64_t next);
static nudge_uint_t nudge_html_is_ld(const nudge_html_slot_t *slot);
static nudge_uint_t nudge_html_is_canonical(nudge_str_t rel);
static void nudge_html_tag_result(nudge_html_t *h);


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


nudge_uint_t
nudge_html_foreign(const nudge_html_t *h)
{
    return h->m.depth
           && (h->m.stack[h->m.depth - 1] == NUDGE_HTML_T_SVG
               || h->m.stack[h->m.depth - 1] == NUDGE_HTML_T_MATH);
}


static nudge_uint_t
nudge_html_within(const nudge_html_t *h, nudge_html_tag_t tag)
{
    return h->m.depth && memchr(h->m.stack, tag, h->m.depth) != NULL;
}


/* the end tag of the body counts within an unclosed svg or math, but neither
 * in a template nor where these two hold HTML: "has an element in scope" */

nudge_uint_t
nudge_html_markable(const nudge_html_t *h)
{
    nudge_uint_t  i;

    for (i = 0; i < h->m.depth; i++) {
        if (h->m.stack[i] != NUDGE_HTML_T_SVG
            && h->m.stack[i] != NUDGE_HTML_T_MATH)
        {
            return 0;
        }
    }

    return !h->m.lost;
}


static void
nudge_html_push(nudge_html_t *h, nudge_html_tag_t tag)
{
    if (h->m.depth == NUDGE_HTML_DEPTH) {
        h->m.lost = 1;
        return;
    }

    h->m.stack[h->m.depth++] = (u_char) tag;
}


/* closes the innermost element of this kind; a template is closed by its own
 * end tag alone */

static void
nudge_html_pop(nudge_html_t *h, nudge_html_tag_t tag)
{
    nudge_uint_t  i;

    for (i = h->m.depth; i > 0; i--) {

        if (h->m.stack[i - 1] == tag) {
            h->m.depth = (uint8_t) (i - 1);
            return;
        }

        if (h->m.stack[i - 1] == NUDGE_HTML_T_TEMPLATE) {
            return;
        }
    }
}


static void
nudge_html_break_out(nudge_html_t *h)
{
    while (nudge_html_foreign(h)) {
        h->m.depth--;
    }
}


static nudge_html_slot_t *
nudge_html_want(nudge_html_t *h, nudge_html_attr_t name, u_char *data,
    size_t size)
{
    nudge_html_slot_t  *slot;

    slot = &h->m.slots[h->m.nslots++];

    slot->data = data;
    slot->size = (uint16_t) size;
    slot->len = 0;
    slot->name = name;
    slot->seen = 0;
    slot->cut = 0;

    return slot;
}


void
nudge_html_tag_begin(nudge_html_t *h)
{
    nudge_uint_t           foreign;
    nudge_html_machine_t  *m;

    m = &h->m;
    m->nslots = 0;
    m->slot = NULL;

    if (m->end_tag) {
        nudge_html_tag_close(h);
        return;
    }

    foreign = nudge_html_foreign(h);
    m->tag = nudge_html_tag(m->name, m->nname, foreign);

    if (m->tag == NUDGE_HTML_T_BREAKOUT) {
        nudge_html_break_out(h);
        m->tag = nudge_html_tag(m->name, m->nname, 0);
    }

    switch (m->tag) {

    case NUDGE_HTML_T_FONT:
        nudge_html_want(h, NUDGE_HTML_A_FONT, m->word, sizeof(m->word));
        return;

    case NUDGE_HTML_T_ANNOTATION_XML:
        nudge_html_want(h, NUDGE_HTML_A_ENCODING, m->word, sizeof(m->word));
        return;

    default:
        break;
    }

    /* nothing in a template is of the page yet */

    if (nudge_html_within(h, NUDGE_HTML_T_TEMPLATE)) {
        return;
    }

    switch (m->tag) {

    case NUDGE_HTML_T_SCRIPT:
        if (h->ld_size) {
            nudge_html_want(h, NUDGE_HTML_A_TYPE, m->word, sizeof(m->word));
        }

        break;

    case NUDGE_HTML_T_BODY:
        if (h->body_class.data == NULL) {
            nudge_html_want(h, NUDGE_HTML_A_CLASS, m->body, sizeof(m->body));
        }

        break;

    case NUDGE_HTML_T_LINK:
        if (h->canonical.data == NULL) {
            nudge_html_want(h, NUDGE_HTML_A_REL, m->word, sizeof(m->word));
            nudge_html_want(h, NUDGE_HTML_A_HREF, m->link, sizeof(m->link));
        }

        break;

    case NUDGE_HTML_T_META:
        nudge_html_want(h, NUDGE_HTML_A_HTTP_EQUIV, m->word, sizeof(m->word));
        break;

    default:
        break;
    }
}


void
nudge_html_tag_attr(nudge_html_t *h)
{
    nudge_uint_t        i, name;
    nudge_html_slot_t  *slot;

    if (h->m.nslots == 0) {
        return;
    }

    name = nudge_html_find(nudge_html_attrs, h->m.name, h->m.nname);

    for (i = 0; i < h->m.nslots; i++) {
        slot = &h->m.slots[i];

        if (slot->name == name && !slot->seen) {
            slot->seen = 1;
            h->m.slot = slot;
        }
    }
}


void
nudge_html_value_put(nudge_html_t *h, const u_char *p, size_t n)
{
    nudge_html_slot_t  *slot;

    slot = h->m.slot;

    if (slot == NULL) {
        return;
    }

    if (n > (size_t) (slot->size - slot->len)) {
        n = slot->size - slot->len;
        slot->cut = 1;
    }

    memcpy(slot->data + slot->len, p, n);
    slot->len += n;
}


static void
nudge_html_tag_close(nudge_html_t *h)
{
    nudge_html_tag_t  tag;

    if (h->m.nname == 4 && memcmp(h->m.name, "body", 4) == 0) {

        if (!h->marked && nudge_html_markable(h)) {
            h->marked = 1;
            h->mark = h->m.lt;
        }

        return;
    }

    if (h->m.depth == 0) {
        return;
    }

    tag = nudge_html_tag(h->m.name, h->m.nname, 1);

    switch (tag) {

    case NUDGE_HTML_T_OTHER:
    case NUDGE_HTML_T_FONT:
        break;

    case NUDGE_HTML_T_BREAKOUT:

        /* of end tags only these two do so */

        if (h->m.name[0] == 'p' ? h->m.nname == 1
                                : (h->m.nname == 2
                                   && memcmp(h->m.name, "br", 2) == 0))
        {
            nudge_html_break_out(h);
        }

        break;

    default:
        nudge_html_pop(h, tag);
    }
}


void
nudge_html_tag_end(nudge_html_t *h, uint64_t next)
{
    h->m.state = NUDGE_HTML_DATA;

    if (h->m.end_tag) {
        return;
    }

    if (nudge_html_foreign(h)) {
        nudge_html_tag_foreign(h);

    } else {
        nudge_html_tag_html(h, next);
    }
}


static void
nudge_html_tag_foreign(nudge_html_t *h)
{
    nudge_str_t   encoding;
    nudge_uint_t  svg;

    svg = (h->m.stack[h->m.depth - 1] == NUDGE_HTML_T_SVG);

    if (h->m.tag == NUDGE_HTML_T_FONT) {
        if (h->m.slots[0].seen) {
            nudge_html_break_out(h);
        }

        return;
    }

    if (h->m.self_closing) {
        return;
    }

    switch (h->m.tag) {

    case NUDGE_HTML_T_SVG:
        nudge_html_push(h, NUDGE_HTML_T_SVG);
        break;

    case NUDGE_HTML_T_MATH:
    case NUDGE_HTML_T_MI:
    case NUDGE_HTML_T_MO:
    case NUDGE_HTML_T_MN:
    case NUDGE_HTML_T_MS:
    case NUDGE_HTML_T_MTEXT:
        if (!svg) {
            nudge_html_push(h, h->m.tag);
        }

        break;

    case NUDGE_HTML_T_FOREIGN_OBJECT:
    case NUDGE_HTML_T_DESC:
    case NUDGE_HTML_T_TITLE:
        if (svg) {
            nudge_html_push(h, h->m.tag);
        }

        break;

    case NUDGE_HTML_T_ANNOTATION_XML:
        encoding.data = h->m.slots[0].data;
        encoding.len = h->m.slots[0].len;

        if (!svg && (nudge_str_case_is(&encoding, "text/html")
                     || nudge_str_case_is(&encoding, "application/xhtml+xml")))
        {
            nudge_html_push(h, h->m.tag);
        }

        break;

    default:
        break;
    }
}


static nudge_uint_t
nudge_html_is_ld(const nudge_html_slot_t *slot)
{
    u_char       *p;
    nudge_str_t   type;

    type.data = slot->data;
    type.len = slot->len;

    p = type.len ? memchr(type.data, ';', type.len) : NULL;

    if (p != NULL) {
        type.len = p - type.data;
    }

    type = nudge_str_trim(type);

    return nudge_str_case_is(&type, "application/ld+json");
}


/* one of the link types in rel: ASCII case-insensitive, split at spaces */

static nudge_uint_t
nudge_html_is_canonical(nudge_str_t rel)
{
    u_char       *end;
    nudge_str_t   type;

    end = rel.data + rel.len;

    for (type.data = rel.data; type.data < end; type.data += type.len + 1) {

        for (type.len = 0; type.data + type.len < end; type.len++) {
            if (nudge_html_space(type.data[type.len])) {
                break;
            }
        }

        if (nudge_str_case_is(&type, "canonical")) {
            return 1;
        }
    }

    return 0;
}


static void
nudge_html_tag_result(nudge_html_t *h)
{
    nudge_str_t         s;
    nudge_html_slot_t  *slot;

    slot = h->m.slots;

    s.data = slot->data;
    s.len = slot->len;

    switch (h->m.tag) {

    case NUDGE_HTML_T_BODY:

        /* half a name would be another one */

        while (slot->cut && s.len && !nudge_html_space(s.data[s.len - 1])) {
            s.len--;
        }

        if (slot->seen) {
            h->body_class = s;
        }

        break;

    case NUDGE_HTML_T_META:
        s = nudge_str_trim(s);

        if (nudge_str_case_is(&s, "content-security-policy")) {
            h->meta_csp = 1;
        }

        break;

    case NUDGE_HTML_T_LINK:
        if (slot[1].len && !slot[1].cut && nudge_html_is_canonical(s)) {
            h->canonical.data = slot[1].data;
            h->canonical.len = slot[1].len;
        }

        break;

    default:
        break;
    }
}


static void
nudge_html_tag_html(nudge_html_t *h, uint64_t next)
{
    if ((h->m.tag == NUDGE_HTML_T_HTML || h->m.tag == NUDGE_HTML_T_BODY)
        && h->m.depth == 0)
    {
        h->document = 1;
    }

    switch (h->m.tag) {

    case NUDGE_HTML_T_TEMPLATE:
        nudge_html_push(h, NUDGE_HTML_T_TEMPLATE);
        return;

    case NUDGE_HTML_T_SVG:
    case NUDGE_HTML_T_MATH:
        if (!h->m.self_closing) {
            nudge_html_push(h, h->m.tag);
        }

        return;

    case NUDGE_HTML_T_PLAINTEXT:
        h->m.state = NUDGE_HTML_PLAINTEXT;
        return;

    default:
        break;
    }

    if (h->m.tag >= NUDGE_HTML_T_SCRIPT && h->m.tag <= NUDGE_HTML_T_TEXTAREA) {
        h->m.state = NUDGE_HTML_RAW;
        h->m.raw = h->m.tag;
        h->m.escaped = 0;

        if (h->m.tag == NUDGE_HTML_T_SCRIPT && h->m.nslots
            && nudge_html_is_ld(h->m.slots))
        {
            h->m.ld = 1;
            h->m.ld_start = next;
        }

        return;
    }

    if (h->m.nslots) {
        nudge_html_tag_result(h);
    }
}
