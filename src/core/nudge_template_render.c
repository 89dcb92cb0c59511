
/*
 * Rendering a template over a tree of values.
 *
 * Promise: it ends for every template and every data, in bounded stack and
 * time; a template that names itself as its partial is an error, not a loop.
 * No value can leave the line of a header, nor the text or quoted attribute
 * of a page, unless the template asked for it raw.
 */


#include "nudge_html.h"
#include "nudge_template_priv.h"


#define NUDGE_TEMPLATE_PARTS  100000

typedef struct nudge_indent_s  nudge_indent_t;

struct nudge_indent_s {
    const nudge_str_t     *text;
    const nudge_indent_t  *outer;
};

typedef struct {
    nudge_buf_t           *out;
    nudge_escape_t         escape;
    nudge_partial_pt       partial;
    void                  *partial_data;
    const nudge_value_t   *context[NUDGE_TEMPLATE_DEPTH + 1];
    nudge_uint_t           ncontext;
    nudge_uint_t           depth;
    nudge_uint_t           parts;
    const nudge_indent_t  *indent;
    unsigned               fresh:1;     /* at the start of a line */
} nudge_render_t;


static nudge_int_t nudge_render_nodes(nudge_render_t *r,
    const nudge_node_t *node);
static nudge_int_t nudge_render_section(nudge_render_t *r,
    const nudge_node_t *node);
static nudge_int_t nudge_render_inside(nudge_render_t *r,
    const nudge_node_t *node, const nudge_value_t *context);
static nudge_int_t nudge_render_partial(nudge_render_t *r,
    const nudge_node_t *node);
static void nudge_render_text(nudge_render_t *r, const nudge_str_t *text);
static void nudge_render_indent(nudge_render_t *r,
    const nudge_indent_t *indent);
static void nudge_render_literal(nudge_render_t *r, nudge_str_t text);
static void nudge_render_value(nudge_render_t *r, const nudge_str_t *s,
    nudge_uint_t raw);
static void nudge_render_plain(nudge_buf_t *b, const nudge_str_t *s,
    nudge_escape_t escape);
static nudge_uint_t nudge_render_dropped(uint32_t c, nudge_escape_t escape);
static const nudge_value_t *nudge_render_find(nudge_render_t *r,
    const nudge_node_t *node);


nudge_int_t
nudge_template_render(const nudge_template_t *t, nudge_buf_t *b,
    const nudge_value_t *data, nudge_escape_t escape,
    nudge_partial_pt partial, void *partial_data)
{
    nudge_render_t  r;

    memset(&r, 0, sizeof(nudge_render_t));

    r.out = b;
    r.escape = escape;
    r.partial = partial;
    r.partial_data = partial_data;
    r.context[0] = data;
    r.ncontext = 1;
    r.fresh = 1;

    if (nudge_render_nodes(&r, t->first) != NUDGE_OK || b->full) {
        return NUDGE_ERROR;
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_render_nodes(nudge_render_t *r, const nudge_node_t *node)
{
    nudge_str_t  s;
    nudge_int_t  rc;

    for ( /* void */ ; node != NULL; node = node->next) {

        /* lists in lists in partials: bounded, however deep they multiply */

        if (++r->parts > NUDGE_TEMPLATE_PARTS || r->out->full) {
            return NUDGE_ERROR;
        }

        rc = NUDGE_OK;

        switch (node->type) {

        case NUDGE_NODE_TEXT:
            nudge_render_text(r, &node->text);
            break;

        case NUDGE_NODE_NAME:
        case NUDGE_NODE_RAW:
            s = nudge_value_str(nudge_render_find(r, node));
            nudge_render_value(r, &s, node->type == NUDGE_NODE_RAW);
            break;

        case NUDGE_NODE_PARTIAL:
            rc = nudge_render_partial(r, node);
            break;

        default:
            rc = nudge_render_section(r, node);
        }

        if (rc != NUDGE_OK) {
            return rc;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_render_section(nudge_render_t *r, const nudge_node_t *node)
{
    nudge_uint_t          on;
    const nudge_value_t  *v, *item;

    v = nudge_render_find(r, node);
    on = nudge_value_filled(v);

    if (node->type == NUDGE_NODE_INVERTED) {
        return on ? NUDGE_OK : nudge_render_inside(r, node, NULL);
    }

    if (!on) {
        return NUDGE_OK;
    }

    if (v->type != NUDGE_JSON_ARRAY) {
        return nudge_render_inside(r, node, v);
    }

    for (item = v->child; item != NULL; item = item->next) {
        if (++r->parts > NUDGE_TEMPLATE_PARTS
            || nudge_render_inside(r, node, item) != NUDGE_OK)
        {
            return NUDGE_ERROR;
        }
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_render_inside(nudge_render_t *r, const nudge_node_t *node,
    const nudge_value_t *context)
{
    nudge_int_t  rc;

    if (r->depth == NUDGE_TEMPLATE_DEPTH) {
        return NUDGE_ERROR;
    }

    r->depth++;

    if (context != NULL) {
        r->context[r->ncontext++] = context;
    }

    rc = nudge_render_nodes(r, node->child);

    if (context != NULL) {
        r->ncontext--;
    }

    r->depth--;

    return rc;
}


static nudge_int_t
nudge_render_partial(nudge_render_t *r, const nudge_node_t *node)
{
    nudge_int_t            rc;
    nudge_indent_t         indent;
    nudge_template_t      *t;
    const nudge_indent_t  *outer;

    t = r->partial ? r->partial(r->partial_data, &node->text) : NULL;

    if (t == NULL) {
        return NUDGE_OK;
    }

    if (r->depth == NUDGE_TEMPLATE_DEPTH) {
        return NUDGE_ERROR;
    }

    outer = r->indent;

    indent.text = &node->indent;
    indent.outer = outer;

    r->depth++;
    r->indent = &indent;

    rc = nudge_render_nodes(r, t->first);

    r->indent = outer;
    r->depth--;

    return rc;
}


/* the template's own text: trusted markup, indented line by line */

static void
nudge_render_text(nudge_render_t *r, const nudge_str_t *text)
{
    u_char       *p, *end, *eol;
    nudge_str_t   line;

    if (r->indent == NULL) {
        nudge_render_literal(r, *text);
        return;
    }

    end = text->data + text->len;

    for (p = text->data; p < end; p = eol) {

        eol = memchr(p, '\n', end - p);
        eol = eol ? eol + 1 : end;

        if (r->fresh) {
            nudge_render_indent(r, r->indent);
        }

        line.data = p;
        line.len = eol - p;
        nudge_render_literal(r, line);

        r->fresh = (eol[-1] == '\n');
    }
}


static void
nudge_render_indent(nudge_render_t *r, const nudge_indent_t *indent)
{
    if (indent != NULL) {
        nudge_render_indent(r, indent->outer);
        nudge_buf_str(r->out, indent->text);
    }
}


static void
nudge_render_literal(nudge_render_t *r, nudge_str_t text)
{
    switch (r->escape) {

    case NUDGE_ESCAPE_ASCII:
        nudge_html_ascii(r->out, &text);
        break;

    case NUDGE_ESCAPE_HEADER:
        nudge_render_plain(r->out, &text, NUDGE_ESCAPE_HEADER);
        break;

    default:
        nudge_buf_str(r->out, &text);
    }
}


static void
nudge_render_value(nudge_render_t *r, const nudge_str_t *s, nudge_uint_t raw)
{
    if (r->fresh && r->indent != NULL) {
        nudge_render_indent(r, r->indent);
    }

    r->fresh = 0;

    if (s->len == 0) {
        return;
    }

    switch (r->escape) {

    case NUDGE_ESCAPE_ASCII:
        if (raw) {
            nudge_html_ascii(r->out, s);

        } else {
            nudge_html_escape(r->out, s);
        }

        break;

    case NUDGE_ESCAPE_HTML:
        if (raw) {
            nudge_buf_str(r->out, s);
            break;
        }

        /* fall through */

    default:
        nudge_render_plain(r->out, s, r->escape);
    }
}


/* character by character, so that what is not UTF-8 cannot hide anything */

static void
nudge_render_plain(nudge_buf_t *b, const nudge_str_t *s,
    nudge_escape_t escape)
{
    u_char      *p, *end, utf8[4];
    uint32_t     c;
    const char  *reference;

    p = s->data;
    end = s->data + s->len;

    while (p < end && !b->full) {

        c = nudge_utf8_decode(&p, end);

        if (nudge_render_dropped(c, escape)) {
            continue;
        }

        reference = NULL;

        if (escape == NUDGE_ESCAPE_HTML) {
            switch (c) {
            case '&':
                reference = "&amp;";
                break;
            case '<':
                reference = "&lt;";
                break;
            case '>':
                reference = "&gt;";
                break;
            case '"':
                reference = "&quot;";
                break;
            case '\'':
                reference = "&#39;";
                break;
            }
        }

        if (reference != NULL) {
            nudge_buf_cstr(b, reference);

        } else {
            nudge_buf_put(b, utf8, nudge_utf8_encode(utf8, c));
        }
    }
}


/*
 * Controls, line and paragraph separators (U+2028/9 break lines in some mail
 * clients), and the characters that reorder text (UAX #9: LRE..RLO, LRI..PDI,
 * LRM, RLM, ALM): a product's name must not rewrite the sentence around it.
 */

static nudge_uint_t
nudge_render_dropped(uint32_t c, nudge_escape_t escape)
{
    if (c < 0x20) {
        return c != '\n' || escape == NUDGE_ESCAPE_HEADER;
    }

    return (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e
           || c == 0x200f || (c >= 0x2028 && c <= 0x202e)
           || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}


static const nudge_value_t *
nudge_render_find(nudge_render_t *r, const nudge_node_t *node)
{
    const char           *part;
    nudge_uint_t          i;
    const nudge_value_t  *v;

    if (node->nparts == 0) {
        return r->context[r->ncontext - 1];
    }

    v = NULL;
    part = node->part;

    for (i = r->ncontext; v == NULL && i > 0; i--) {
        v = nudge_value_get(r->context[i - 1], part);
    }

    /* only the first part is looked for in outer contexts */

    for (i = 1; v != NULL && i < node->nparts; i++) {
        part += strlen(part) + 1;
        v = nudge_value_get(v, part);
    }

    return v;
}
