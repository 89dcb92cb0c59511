
/*
 * Mustache, read once into a tree.  The parser follows the specification's
 * rule of standalone lines: a section tag, comment or partial alone on its
 * line takes the whole line with it, and a partial there hands its indentation
 * to every line of what it puts in.
 *
 * Promise: compiling ends for every input, in memory bounded by the pool, and
 * every mistake is named with its line.
 */


#include "nudge_template_priv.h"


#define NUDGE_TEMPLATE_NAME  128

typedef struct {
    nudge_pool_t          *pool;
    nudge_template_t      *template;
    u_char                *start;
    u_char                *pos;
    u_char                *end;
    u_char                *counted;     /* lines up to here: "line" */
    nudge_uint_t           line;
    nudge_node_t         **last;
    nudge_node_t          *open[NUDGE_TEMPLATE_DEPTH];
    nudge_uint_t           depth;
    const char            *error;
} nudge_parser_t;

/* one tag as it stands in the text */

typedef struct {
    u_char                *start;       /* of "{{" */
    u_char                *end;         /* after "}}" */
    u_char                 sigil;       /* 0 for a plain name */
    nudge_str_t            name;
    nudge_str_t            indent;
} nudge_tag_t;


static nudge_uint_t nudge_template_line(nudge_parser_t *p, u_char *at);
static nudge_node_t *nudge_template_node(nudge_parser_t *p,
    nudge_node_type_t type, u_char *at);
static nudge_int_t nudge_template_text(nudge_parser_t *p, u_char *end);
static nudge_int_t nudge_template_tag(nudge_parser_t *p, u_char *start,
    nudge_tag_t *tag);
static nudge_int_t nudge_template_name(nudge_parser_t *p, nudge_node_t *node,
    nudge_str_t name);
static nudge_uint_t nudge_template_name_valid(nudge_str_t name);
static u_char *nudge_template_standalone(nudge_parser_t *p, nudge_tag_t *tag);
static nudge_int_t nudge_template_put(nudge_parser_t *p, nudge_tag_t *tag);
static nudge_int_t nudge_template_open(nudge_parser_t *p,
    nudge_node_type_t type, nudge_tag_t *tag);
static nudge_int_t nudge_template_close(nudge_parser_t *p, nudge_tag_t *tag);
static nudge_int_t nudge_template_refer(nudge_parser_t *p, nudge_tag_t *tag);


nudge_template_t *
nudge_template_compile(nudge_pool_t *pool, const nudge_str_t *text,
    nudge_uint_t *line, const char **error)
{
    u_char          *at, *tag_at;
    nudge_str_t      copy;
    nudge_tag_t      tag;
    nudge_parser_t   p;

    *line = 0;
    *error = "no memory";

    memset(&p, 0, sizeof(nudge_parser_t));

    p.pool = pool;
    p.template = nudge_pcalloc(pool, sizeof(nudge_template_t));

    if (p.template == NULL || nudge_pstrdup(pool, &copy, text) != NUDGE_OK) {
        return NULL;
    }

    p.error = *error;
    p.start = copy.data;
    p.pos = copy.data;
    p.counted = copy.data;
    p.line = 1;
    p.end = copy.data + copy.len;
    p.last = &p.template->first;

    tag_at = p.start;

    for (at = p.start; p.end - at >= 2; at++) {

        if (at[0] != '{' || at[1] != '{') {
            continue;
        }

        tag_at = at;

        if (nudge_template_tag(&p, at, &tag) != NUDGE_OK
            || nudge_template_put(&p, &tag) != NUDGE_OK)
        {
            goto failed;
        }

        at = p.pos - 1;
    }

    if (nudge_template_text(&p, p.end) != NUDGE_OK) {
        goto failed;
    }

    if (p.depth) {
        *line = p.open[p.depth - 1]->line;
        *error = "found a section that is not closed, expected {{/its name}}";
        return NULL;
    }

    return p.template;

failed:

    *line = nudge_template_line(&p, tag_at);
    *error = p.error;

    return NULL;
}


static nudge_uint_t
nudge_template_line(nudge_parser_t *p, u_char *at)
{
    while (p->counted < at) {
        if (*p->counted++ == '\n') {
            p->line++;
        }
    }

    return p->line;
}


static nudge_node_t *
nudge_template_node(nudge_parser_t *p, nudge_node_type_t type, u_char *at)
{
    nudge_node_t  *node;

    node = nudge_pcalloc(p->pool, sizeof(nudge_node_t));
    if (node == NULL) {
        p->error = "no memory";
        return NULL;
    }

    node->type = type;

    if (type != NUDGE_NODE_TEXT) {
        node->line = nudge_template_line(p, at);
    }

    *p->last = node;
    p->last = &node->next;

    return node;
}


static nudge_int_t
nudge_template_text(nudge_parser_t *p, u_char *end)
{
    nudge_node_t  *node;

    if (end > p->pos) {

        node = nudge_template_node(p, NUDGE_NODE_TEXT, p->pos);
        if (node == NULL) {
            return NUDGE_ERROR;
        }

        node->text.data = p->pos;
        node->text.len = end - p->pos;
    }

    return NUDGE_OK;
}


static nudge_int_t
nudge_template_tag(nudge_parser_t *p, u_char *start, nudge_tag_t *tag)
{
    u_char       *at;
    const char   *close;
    nudge_str_t   rest;

    memset(tag, 0, sizeof(nudge_tag_t));

    tag->start = start;
    at = start + 2;
    close = "}}";

    if (at < p->end && strchr("{&#^/!>=<$", *at) != NULL && *at != '\0') {
        tag->sigil = *at++;
    }

    if (tag->sigil == '{') {
        close = "}}}";
    }

    rest.data = at;
    rest.len = p->end - at;

    at = nudge_str_find(&rest, close);

    if (at == NULL) {
        p->error = "found a tag that does not end, expected \"}}\"";
        return NUDGE_ERROR;
    }

    tag->end = at + strlen(close);

    rest.len = at - rest.data;
    tag->name = nudge_str_trim(rest);

    return NUDGE_OK;
}


static nudge_uint_t
nudge_template_name_valid(nudge_str_t name)
{
    u_char  c, last;
    size_t  i;

    if (nudge_str_is(&name, ".")) {
        return 1;
    }

    if (name.len == 0 || name.len > NUDGE_TEMPLATE_NAME) {
        return 0;
    }

    last = '.';

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if (c == '.') {
            if (last == '.') {
                return 0;
            }

        } else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                     || (c >= '0' && c <= '9') || c == '_' || c == '-'))
        {
            return 0;
        }

        last = c;
    }

    return last != '.';
}


static nudge_int_t
nudge_template_name(nudge_parser_t *p, nudge_node_t *node, nudge_str_t name)
{
    size_t       i;
    nudge_str_t  copy;

    if (!nudge_template_name_valid(name)) {
        p->error = "found no usable name in a tag, expected letters, digits, "
                   "\"_\", \"-\" and single \".\"";
        return NUDGE_ERROR;
    }

    node->text = name;

    if (name.len == 1 && name.data[0] == '.') {
        return NUDGE_OK;
    }

    if (nudge_pstrdup(p->pool, &copy, &name) != NUDGE_OK) {
        p->error = "no memory";
        return NUDGE_ERROR;
    }

    node->part = (char *) copy.data;
    node->nparts = 1;

    for (i = 0; i < copy.len; i++) {
        if (copy.data[i] == '.') {
            copy.data[i] = '\0';
            node->nparts++;
        }
    }

    return NUDGE_OK;
}


/*
 * Is the tag alone on its line?  Then the text before it ends where the line
 * begins and the next begins after the line; p->pos is moved there.
 */

static u_char *
nudge_template_standalone(nudge_parser_t *p, nudge_tag_t *tag)
{
    u_char  *before, *after;

    p->pos = tag->end;

    for (before = tag->start; before > p->start; before--) {
        if (before[-1] != ' ' && before[-1] != '\t') {
            break;
        }
    }

    if (before > p->start && before[-1] != '\n') {
        return tag->start;
    }

    for (after = tag->end; after < p->end; after++) {
        if (*after != ' ' && *after != '\t') {
            break;
        }
    }

    if (after < p->end && *after == '\r') {
        after++;
    }

    if (after < p->end && *after++ != '\n') {
        return tag->start;
    }

    tag->indent.data = before;
    tag->indent.len = tag->start - before;
    p->pos = after;

    return before;
}


static nudge_int_t
nudge_template_put(nudge_parser_t *p, nudge_tag_t *tag)
{
    u_char        *from, *to;
    nudge_node_t  *node;

    from = p->pos;
    to = tag->start;

    if (tag->sigil == 0 || tag->sigil == '{' || tag->sigil == '&') {
        p->pos = tag->end;

    } else {
        to = nudge_template_standalone(p, tag);
    }

    /* two standalone tags never share a line, so "to" is not before "from" */

    tag->end = p->pos;
    p->pos = from;

    if (nudge_template_text(p, to) != NUDGE_OK) {
        return NUDGE_ERROR;
    }

    p->pos = tag->end;

    switch (tag->sigil) {

    case '!':
        return NUDGE_OK;

    case '#':
        return nudge_template_open(p, NUDGE_NODE_SECTION, tag);

    case '^':
        return nudge_template_open(p, NUDGE_NODE_INVERTED, tag);

    case '/':
        return nudge_template_close(p, tag);

    case '>':
        return nudge_template_refer(p, tag);

    case '=':
        p->error = "found a change of delimiters, expected \"{{\" and \"}}\" "
                   "throughout";
        return NUDGE_ERROR;

    case '<':
    case '$':
        p->error = "found template inheritance, expected a partial "
                   "{{> name}}";
        return NUDGE_ERROR;

    default:
        node = nudge_template_node(p, tag->sigil ? NUDGE_NODE_RAW
                                                 : NUDGE_NODE_NAME,
                                   tag->start);
        if (node == NULL) {
            return NUDGE_ERROR;
        }

        return nudge_template_name(p, node, tag->name);
    }
}


static nudge_int_t
nudge_template_open(nudge_parser_t *p, nudge_node_type_t type,
    nudge_tag_t *tag)
{
    nudge_node_t  *node;

    if (p->depth == NUDGE_TEMPLATE_DEPTH) {
        p->error = "found sections nested deeper than 16, expected fewer";
        return NUDGE_ERROR;
    }

    node = nudge_template_node(p, type, tag->start);

    if (node == NULL
        || nudge_template_name(p, node, tag->name) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    p->open[p->depth++] = node;
    p->last = &node->child;

    return NUDGE_OK;
}


static nudge_int_t
nudge_template_close(nudge_parser_t *p, nudge_tag_t *tag)
{
    nudge_node_t  *node;

    if (p->depth == 0) {
        p->error = "found the end of a section, expected its {{#name}} before";
        return NUDGE_ERROR;
    }

    node = p->open[p->depth - 1];

    if (!nudge_str_eq(&node->text, &tag->name)) {
        p->error = "found the end of another section, expected the innermost "
                   "one to be closed first";
        return NUDGE_ERROR;
    }

    p->depth--;
    p->last = &node->next;

    return NUDGE_OK;
}


static nudge_int_t
nudge_template_refer(nudge_parser_t *p, nudge_tag_t *tag)
{
    nudge_node_t  *node;

    node = nudge_template_node(p, NUDGE_NODE_PARTIAL, tag->start);

    if (node == NULL
        || nudge_template_name(p, node, tag->name) != NUDGE_OK)
    {
        return NUDGE_ERROR;
    }

    if (p->template->npartials == NUDGE_TEMPLATE_DEPTH) {
        p->error = "found more than 16 partials, expected fewer";
        return NUDGE_ERROR;
    }

    node->indent = tag->indent;
    p->template->partials[p->template->npartials++] = node;

    return NUDGE_OK;
}


nudge_int_t
nudge_template_partial(const nudge_template_t *t, nudge_uint_t i,
    nudge_str_t *name, nudge_uint_t *line)
{
    if (i >= t->npartials) {
        return NUDGE_DECLINED;
    }

    *name = t->partials[i]->text;
    *line = t->partials[i]->line;

    return NUDGE_OK;
}
