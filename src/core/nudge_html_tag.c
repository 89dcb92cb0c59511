
/*
 * What a tag means where it stands.  Of the standard's tree construction only
 * what changes the reading of bytes is kept: a stack of the open templates,
 * svg and math elements and of the places within these that hold HTML again.
 *
 * Start tags pass through nudge_html_tag_begin(), which says what attributes
 * are wanted of one, and nudge_html_tag_end(), which acts on them.
 */


#include "nudge_html_machine.h"


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

    name = nudge_html_attr(h->m.name, h->m.nname);

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
