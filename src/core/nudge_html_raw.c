
/*
 * Text that holds no markup: what stands in script, style, title and their
 * like up to the one end tag that counts.  A script has states of its own
 * ("<!--" and within it "<script") in which its end tag does not count.
 *
 * A JSON-LD block is copied with whatever looks like its end; when that turns
 * out to be the end, the block is cut where it began.
 */


#include "nudge_html_machine.h"


static const u_char *nudge_html_text(nudge_html_t *h, const u_char *p,
    const u_char *end);
static const u_char *nudge_html_text_lt(nudge_html_t *h, const u_char *p);
static nudge_int_t nudge_html_text_end(nudge_html_t *h, u_char c);
static void nudge_html_script(nudge_html_t *h, const u_char **p,
    const u_char *end);
static void nudge_html_script_word(nudge_html_t *h, const u_char **p);
static void nudge_html_ld_put(nudge_html_t *h, const u_char *p, size_t n);
static void nudge_html_ld_end(nudge_html_t *h);


static const char  *nudge_html_raw_names[] = {
    "script", "style", "xmp", "iframe", "noembed", "noframes", "noscript",
    "title", "textarea"
};


const u_char *
nudge_html_raw(nudge_html_t *h, const u_char *p, const u_char *end)
{
    const u_char  *start;

    start = p;

    while (p < end && h->m.state >= NUDGE_HTML_RAW) {
        p = nudge_html_text(h, p, end);
    }

    if (h->m.ld) {
        nudge_html_ld_put(h, start, p - start);

        if (h->m.state < NUDGE_HTML_RAW) {
            nudge_html_ld_end(h);
        }
    }

    return p;
}


static const u_char *
nudge_html_text(nudge_html_t *h, const u_char *p, const u_char *end)
{
    const u_char  *lt;

    switch (h->m.state) {

    case NUDGE_HTML_RAW:
        lt = memchr(p, '<', end - p);

        if (lt == NULL) {
            return end;
        }

        h->m.state = NUDGE_HTML_RAW_LT;
        h->m.back = NUDGE_HTML_RAW;
        h->m.lt = nudge_html_offset(h, lt);

        return lt + 1;

    case NUDGE_HTML_RAW_LT:
        return nudge_html_text_lt(h, p);

    case NUDGE_HTML_RAW_END_NAME:
        return (nudge_html_text_end(h, *p) == NUDGE_OK) ? p + 1 : p;

    case NUDGE_HTML_PLAINTEXT:
        return end;

    default:
        nudge_html_script(h, &p, end);
        return p;
    }
}


static const u_char *
nudge_html_text_lt(nudge_html_t *h, const u_char *p)
{
    if (*p == '/') {
        h->m.state = NUDGE_HTML_RAW_END_NAME;
        h->m.match = 0;
        return p + 1;
    }

    if (*p == '!' && h->m.raw == NUDGE_HTML_T_SCRIPT) {
        h->m.state = NUDGE_HTML_SCRIPT_BANG;
        return p + 1;
    }

    h->m.state = NUDGE_HTML_RAW;

    return p;
}


/* NUDGE_DECLINED: not this end tag, c is to be looked at again */

static nudge_int_t
nudge_html_text_end(nudge_html_t *h, u_char c)
{
    const char  *name;

    name = nudge_html_raw_names[h->m.raw - NUDGE_HTML_T_SCRIPT];

    if (name[h->m.match] != '\0') {

        if ((c | 0x20) != (u_char) name[h->m.match]) {
            h->m.state = h->m.back;
            return NUDGE_DECLINED;
        }

        h->m.match++;
        return NUDGE_OK;
    }

    if (c != '>' && c != '/' && !nudge_html_space(c)) {
        h->m.state = h->m.back;
        return NUDGE_DECLINED;
    }

    h->m.end_tag = 1;
    h->m.tag = NUDGE_HTML_T_OTHER;
    h->m.nslots = 0;

    if (c == '>') {
        h->m.state = NUDGE_HTML_DATA;

    } else {
        h->m.state = (c == '/') ? NUDGE_HTML_SELF_CLOSING
                                : NUDGE_HTML_BEFORE_ATTR;
    }

    return NUDGE_OK;
}


/* m.escaped: 1 within "<!--", 2 within "<script" in there; m.dashes counts
 * those right before, of "-->" */

static void
nudge_html_script(nudge_html_t *h, const u_char **p, const u_char *end)
{
    u_char  c;

    c = **p;

    switch (h->m.state) {

    case NUDGE_HTML_SCRIPT_BANG:
    case NUDGE_HTML_SCRIPT_BANG_DASH:

        if (c != '-') {
            h->m.state = NUDGE_HTML_RAW;
            return;
        }

        if (h->m.state == NUDGE_HTML_SCRIPT_BANG_DASH) {
            h->m.state = NUDGE_HTML_SCRIPT_ESCAPED;
            h->m.escaped = 1;
            h->m.dashes = 2;

        } else {
            h->m.state = NUDGE_HTML_SCRIPT_BANG_DASH;
        }

        (*p)++;
        return;

    case NUDGE_HTML_SCRIPT_ESCAPED_LT:
        h->m.match = 0;

        if (c == '/' && h->m.escaped == 1) {
            h->m.state = NUDGE_HTML_RAW_END_NAME;
            (*p)++;

        } else if (c == '/') {
            h->m.state = NUDGE_HTML_SCRIPT_DOUBLE;
            (*p)++;

        } else if (nudge_html_alpha(c) && h->m.escaped == 1) {
            h->m.state = NUDGE_HTML_SCRIPT_DOUBLE;

        } else {
            h->m.state = NUDGE_HTML_SCRIPT_ESCAPED;
        }

        return;

    case NUDGE_HTML_SCRIPT_DOUBLE:
        nudge_html_script_word(h, p);
        return;

    default: /* NUDGE_HTML_SCRIPT_ESCAPED */
        break;
    }

    for ( /* void */ ; *p < end; (*p)++) {
        c = **p;

        if (c == '-') {
            h->m.dashes += (h->m.dashes < 2);
            continue;
        }

        if (c == '>' && h->m.dashes == 2) {
            h->m.state = NUDGE_HTML_RAW;
            h->m.escaped = 0;
            (*p)++;
            return;
        }

        h->m.dashes = 0;

        if (c == '<') {
            h->m.state = NUDGE_HTML_SCRIPT_ESCAPED_LT;
            h->m.back = NUDGE_HTML_SCRIPT_ESCAPED;
            h->m.lt = nudge_html_offset(h, *p);
            (*p)++;
            return;
        }
    }
}


/* "<script" begins double escaping, "</script" ends it; no other word does */

static void
nudge_html_script_word(nudge_html_t *h, const u_char **p)
{
    u_char             c;
    static const char  word[] = "script";

    c = **p;

    if (nudge_html_alpha(c)) {
        if (h->m.match < 6 && (c | 0x20) == word[h->m.match]) {
            h->m.match++;

        } else {
            h->m.match = 7;
        }

        (*p)++;
        return;
    }

    h->m.state = NUDGE_HTML_SCRIPT_ESCAPED;

    if (c == '>' || c == '/' || nudge_html_space(c)) {
        if (h->m.match == 6) {
            h->m.escaped = (h->m.escaped == 1) ? 2 : 1;
        }

        (*p)++;
    }
}


/* more than fits is counted, not kept: its end may yet be the end tag */

static void
nudge_html_ld_put(nudge_html_t *h, const u_char *p, size_t n)
{
    size_t    room;
    uint64_t  pos;

    pos = nudge_html_offset(h, p) - h->m.ld_start;
    room = h->ld_size - h->m.ld_used;

    if (pos >= room) {
        return;
    }

    if (n > room - pos) {
        n = room - pos;
    }

    memcpy(h->ld + h->m.ld_used + pos, p, n);
}


static void
nudge_html_ld_end(nudge_html_t *h)
{
    uint64_t  len;

    len = h->m.lt - h->m.ld_start;
    h->m.ld = 0;

    if (len == 0) {
        return;
    }

    if (len > h->ld_size - h->m.ld_used || h->nld == NUDGE_HTML_LD_BLOCKS) {
        h->ld_truncated = 1;
        return;
    }

    h->block[h->nld].start = (uint32_t) h->m.ld_used;
    h->block[h->nld].len = (uint32_t) len;
    h->nld++;

    h->ld_hash = nudge_hash(h->ld_hash, h->ld + h->m.ld_used, len);
    h->m.ld_used += len;
}
