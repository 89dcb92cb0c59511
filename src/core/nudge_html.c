
/*
 * The tokenizer's markup states, byte by byte where it matters, and the loop
 * that leads through all of them.
 */


#include "nudge_html_machine.h"


static const u_char *nudge_html_markup(nudge_html_t *h, const u_char *p,
    const u_char *end);
static const u_char *nudge_html_value(nudge_html_t *h, const u_char *p,
    const u_char *end);
static const u_char *nudge_html_open(nudge_html_t *h, const u_char *p);
static const u_char *nudge_html_declaration(nudge_html_t *h, const u_char *p,
    const u_char *end);
static const u_char *nudge_html_keyword(nudge_html_t *h, const u_char *p);
static const u_char *nudge_html_doctype(nudge_html_t *h, const u_char *p);
static void nudge_html_comment(nudge_html_t *h, u_char c);
static nudge_uint_t nudge_html_held(const nudge_html_t *h);


void
nudge_html_init(nudge_html_t *h, u_char *ld, size_t ld_size)
{
    memset(h, 0, sizeof(nudge_html_t));

    h->ld = ld;
    h->ld_size = (ld_size > UINT32_MAX) ? UINT32_MAX : ld_size;
}


void
nudge_html_feed(nudge_html_t *h, const u_char *p, size_t n)
{
    const u_char  *end;

    if (n == 0) {
        return;
    }

    end = p + n;
    h->m.base = h->offset - (uint64_t) (uintptr_t) p;

    while (p < end) {

        if (h->m.state == NUDGE_HTML_DATA) {
            p = nudge_html_data(h, p, end);

        } else if (h->m.state < NUDGE_HTML_DECLARATION) {
            p = nudge_html_markup(h, p, end);

        } else if (h->m.state < NUDGE_HTML_RAW) {
            p = nudge_html_declaration(h, p, end);

        } else {
            p = nudge_html_raw(h, p, end);
        }
    }

    h->offset += n;
    h->hold = nudge_html_held(h);
}


void
nudge_html_end(nudge_html_t *h)
{
    h->m.state = NUDGE_HTML_PLAINTEXT;
    h->m.ld = 0;
    h->hold = 0;
}


static nudge_uint_t
nudge_html_held(const nudge_html_t *h)
{
    if (h->marked || h->m.state == NUDGE_HTML_DATA
        || h->m.state > NUDGE_HTML_TAG_NAME || !nudge_html_markable(h))
    {
        return 0;
    }

    switch (h->m.state) {

    case NUDGE_HTML_TAG_OPEN:
        return 1;

    case NUDGE_HTML_END_TAG_OPEN:
        return 2;

    default: /* NUDGE_HTML_TAG_NAME */
        return (h->m.end_tag && h->m.nname <= 4
                && memcmp(h->m.name, "body", h->m.nname) == 0)
               ? (nudge_uint_t) h->m.nname + 2 : 0;
    }
}


static void
nudge_html_name(nudge_html_t *h, u_char c)
{
    if (h->m.nname >= NUDGE_HTML_NAME) {
        h->m.nname = NUDGE_HTML_NAME + 1;
        return;
    }

    h->m.name[h->m.nname++] = (c >= 'A' && c <= 'Z') ? c | 0x20 : c;
}


static void
nudge_html_attr_begin(nudge_html_t *h, u_char c)
{
    h->m.state = NUDGE_HTML_ATTR_NAME;
    h->m.slot = NULL;
    h->m.nname = 0;
    nudge_html_name(h, c);
}


/* TAG_OPEN and END_TAG_OPEN */

static const u_char *
nudge_html_open(nudge_html_t *h, const u_char *p)
{
    if (nudge_html_alpha(*p)) {
        h->m.end_tag = (h->m.state == NUDGE_HTML_END_TAG_OPEN);
        h->m.self_closing = 0;
        h->m.nname = 0;
        h->m.state = NUDGE_HTML_TAG_NAME;
        nudge_html_name(h, *p);
        return p + 1;
    }

    if (h->m.state == NUDGE_HTML_END_TAG_OPEN) {
        h->m.state = (*p == '>') ? NUDGE_HTML_DATA : NUDGE_HTML_BOGUS;
        return (*p == '>') ? p + 1 : p;
    }

    switch (*p) {

    case '/':
        h->m.state = NUDGE_HTML_END_TAG_OPEN;
        return p + 1;

    case '!':
        h->m.state = NUDGE_HTML_DECLARATION;
        h->m.match = 0;
        return p + 1;

    case '?':
        h->m.state = NUDGE_HTML_BOGUS;
        return p + 1;

    default:
        h->m.state = NUDGE_HTML_DATA;
        return p;
    }
}


/* states up to SELF_CLOSING; ">" ends a tag in all but the quoted ones */

static const u_char *
nudge_html_markup(nudge_html_t *h, const u_char *p, const u_char *end)
{
    u_char                 c;
    nudge_html_machine_t  *m;

    m = &h->m;

    while (p < end) {
        c = *p;

        switch (m->state) {

        case NUDGE_HTML_TAG_OPEN:
        case NUDGE_HTML_END_TAG_OPEN:
            p = nudge_html_open(h, p);

            if (m->state == NUDGE_HTML_DATA
                || m->state >= NUDGE_HTML_DECLARATION)
            {
                return p;
            }

            continue;

        case NUDGE_HTML_BEFORE_VALUE:
        case NUDGE_HTML_VALUE_DOUBLE:
        case NUDGE_HTML_VALUE_SINGLE:
        case NUDGE_HTML_VALUE_BARE:
            p = nudge_html_value(h, p, end);
            continue;

        case NUDGE_HTML_TAG_NAME:
            if (c != '>' && c != '/' && !nudge_html_space(c)) {
                nudge_html_name(h, c);
                p++;
                continue;
            }

            nudge_html_tag_begin(h);
            break;

        case NUDGE_HTML_ATTR_NAME:
            if (c != '>' && c != '/' && c != '=' && !nudge_html_space(c)) {
                nudge_html_name(h, c);
                p++;
                continue;
            }

            nudge_html_tag_attr(h);
            m->state = NUDGE_HTML_AFTER_ATTR;

            /* fall through */

        case NUDGE_HTML_AFTER_ATTR:
            if (c == '=') {
                m->state = NUDGE_HTML_BEFORE_VALUE;
                p++;
                continue;
            }

            break;

        default: /* BEFORE_ATTR, AFTER_VALUE, SELF_CLOSING */
            break;
        }

        p++;

        if (c == '>') {
            m->self_closing = (m->state == NUDGE_HTML_SELF_CLOSING);
            nudge_html_tag_end(h, nudge_html_offset(h, p));
            return p;
        }

        if (c == '/') {
            m->state = NUDGE_HTML_SELF_CLOSING;

        } else if (!nudge_html_space(c)) {
            nudge_html_attr_begin(h, c);

        } else if (m->state != NUDGE_HTML_AFTER_ATTR) {
            m->state = NUDGE_HTML_BEFORE_ATTR;
        }
    }

    return p;
}


/* BEFORE_VALUE and the values; leaves ">" of a bare or missing value */

static const u_char *
nudge_html_value(nudge_html_t *h, const u_char *p, const u_char *end)
{
    u_char         quote;
    const u_char  *start;

    if (h->m.state == NUDGE_HTML_BEFORE_VALUE) {

        switch (*p) {

        case '"':
            h->m.state = NUDGE_HTML_VALUE_DOUBLE;
            return p + 1;

        case '\'':
            h->m.state = NUDGE_HTML_VALUE_SINGLE;
            return p + 1;

        case '>':
            h->m.state = NUDGE_HTML_BEFORE_ATTR;
            return p;

        default:
            if (nudge_html_space(*p)) {
                return p + 1;
            }

            h->m.state = NUDGE_HTML_VALUE_BARE;
        }
    }

    start = p;

    if (h->m.state == NUDGE_HTML_VALUE_BARE) {

        while (p < end && *p != '>' && !nudge_html_space(*p)) {
            p++;
        }

        nudge_html_value_put(h, start, p - start);

        if (p < end) {
            h->m.state = NUDGE_HTML_BEFORE_ATTR;
        }

        return p;
    }

    quote = (h->m.state == NUDGE_HTML_VALUE_DOUBLE) ? '"' : '\'';
    p = memchr(p, quote, end - p);

    if (p == NULL) {
        nudge_html_value_put(h, start, end - start);
        return end;
    }

    nudge_html_value_put(h, start, p - start);
    h->m.state = NUDGE_HTML_AFTER_VALUE;

    return p + 1;
}


/* states from DECLARATION to CDATA_END */

static const u_char *
nudge_html_declaration(nudge_html_t *h, const u_char *p, const u_char *end)
{
    u_char  c;

    switch (h->m.state) {

    case NUDGE_HTML_DECLARATION:
        return nudge_html_keyword(h, p);

    case NUDGE_HTML_DOCTYPE:
        return nudge_html_doctype(h, p);

    case NUDGE_HTML_BOGUS:
        c = '>';
        break;

    case NUDGE_HTML_COMMENT:
        c = '-';
        break;

    case NUDGE_HTML_CDATA:
        c = ']';
        break;

    case NUDGE_HTML_CDATA_BRACKET:
        h->m.state = (*p == ']') ? NUDGE_HTML_CDATA_END : NUDGE_HTML_CDATA;
        return p + 1;

    case NUDGE_HTML_CDATA_END:
        if (*p != ']') {
            h->m.state = (*p == '>') ? NUDGE_HTML_DATA : NUDGE_HTML_CDATA;
        }

        return p + 1;

    default:
        nudge_html_comment(h, *p);
        return p + 1;
    }

    p = memchr(p, c, end - p);

    if (p == NULL) {
        return end;
    }

    switch (h->m.state) {

    case NUDGE_HTML_BOGUS:
        h->m.state = NUDGE_HTML_DATA;
        break;

    case NUDGE_HTML_COMMENT:
        h->m.state = NUDGE_HTML_COMMENT_DASH;
        break;

    default:
        h->m.state = NUDGE_HTML_CDATA_BRACKET;
    }

    return p + 1;
}


/* m.match is what was seen of the word; its first byte tells which one */

static const u_char *
nudge_html_keyword(nudge_html_t *h, const u_char *p)
{
    u_char              c;
    size_t              len;
    const char         *word;
    nudge_html_state_t  next;

    c = h->m.match ? h->m.name[0] : *p | 0x20;

    if (c == '-') {
        word = "--";
        next = NUDGE_HTML_COMMENT_START;

    } else if (c == 'd') {
        word = "doctype";
        next = NUDGE_HTML_DOCTYPE;

    } else {
        word = "[CDATA[";
        next = NUDGE_HTML_CDATA;
    }

    len = strlen(word);

    if (*p != (u_char) word[h->m.match]
        && (c != 'd' || (*p | 0x20) != (u_char) word[h->m.match]))
    {
        h->m.state = NUDGE_HTML_BOGUS;
        return p;
    }

    if (h->m.match == 0 && *p == '[' && !nudge_html_foreign(h)) {
        h->m.state = NUDGE_HTML_BOGUS;
        return p;
    }

    h->m.name[0] = c;

    if (++h->m.match == len) {
        h->m.state = next;
        h->m.match = 0;
    }

    return p + 1;
}


/* only its name matters; a ">" ends it even within a quoted identifier */

static const u_char *
nudge_html_doctype(nudge_html_t *h, const u_char *p)
{
    static const char  name[] = "html";

    if (h->m.match == 0 && nudge_html_space(*p)) {
        return p + 1;
    }

    if (h->m.match < 4 && (*p | 0x20) == name[h->m.match]) {
        h->m.match++;
        return p + 1;
    }

    if (h->m.match == 4 && (*p == '>' || nudge_html_space(*p))) {
        h->document = 1;
    }

    h->m.state = NUDGE_HTML_BOGUS;

    return p;
}


/* "<!-->" and "<!--->" are whole comments, "--!>" ends one too */

static void
nudge_html_comment(nudge_html_t *h, u_char c)
{
    nudge_uint_t  state;

    state = h->m.state;

    if (c == '>' && state != NUDGE_HTML_COMMENT_DASH) {
        h->m.state = NUDGE_HTML_DATA;
        return;
    }

    if (c == '-') {
        switch (state) {

        case NUDGE_HTML_COMMENT_START:
            h->m.state = NUDGE_HTML_COMMENT_START_DASH;
            return;

        case NUDGE_HTML_COMMENT_BANG:
            h->m.state = NUDGE_HTML_COMMENT_DASH;
            return;

        default: /* START_DASH, DASH, END */
            h->m.state = NUDGE_HTML_COMMENT_END;
            return;
        }
    }

    h->m.state = (c == '!' && state == NUDGE_HTML_COMMENT_END)
                 ? NUDGE_HTML_COMMENT_BANG : NUDGE_HTML_COMMENT;
}
