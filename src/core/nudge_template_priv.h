
/*
 * A compiled template, shared by the parser (nudge_template.c) and the
 * renderer (nudge_template_render.c) and by nobody else.
 */


#ifndef _NUDGE_TEMPLATE_PRIV_H_INCLUDED_
#define _NUDGE_TEMPLATE_PRIV_H_INCLUDED_


#include "nudge_template.h"


#define NUDGE_TEMPLATE_DEPTH  16

typedef enum {
    NUDGE_NODE_TEXT = 0,
    NUDGE_NODE_NAME,
    NUDGE_NODE_RAW,
    NUDGE_NODE_SECTION,
    NUDGE_NODE_INVERTED,
    NUDGE_NODE_PARTIAL
} nudge_node_type_t;

typedef struct nudge_node_s  nudge_node_t;

struct nudge_node_s {
    nudge_node_type_t      type;
    nudge_str_t            text;        /* or the whole name */
    nudge_str_t            indent;      /* of a standalone partial */
    char                  *part;        /* the name's parts, each terminated */
    nudge_uint_t           nparts;      /* 0: the implicit iterator "." */
    nudge_uint_t           line;
    nudge_node_t          *child;
    nudge_node_t          *next;
};

struct nudge_template_s {
    nudge_node_t          *first;
    nudge_node_t          *partials[NUDGE_TEMPLATE_DEPTH];
    nudge_uint_t           npartials;
};


#endif /* _NUDGE_TEMPLATE_PRIV_H_INCLUDED_ */
