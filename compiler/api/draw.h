/* From graphs to a picture: the boxes, what they say, and what has changed between two graphs. */
#ifndef TENON_API_DRAW_H
#define TENON_API_DRAW_H

#include "api/handles.h"
#include "report/picture.h"

/* Texts made in an arena: one that cannot be made is "", and `failed` stays set. */
typedef struct words {
    arena *memory;
    bool failed;
} words;

typedef struct drawing {
    arena *memory;
    words words; /* in the same */
    const pass_registry *registry;
    graph *g;      /* what is drawn */
    graph *before; /* what it is compared with; NULL */
    map other;     /* nodes and inputs of one graph -> those of the other that stand for the same */
    map boxes;     /* nodes and inputs of both -> box + 1, as a pointer */
    map counted;   /* constants whose elements are counted */
    picture p;
    VEC(draw_constant) constants;
} drawing;

/* ---- draw_boxes.c ---- */
/* Fills d->p from d->g, and d->before where that is there. Messages of the graphs go nowhere meanwhile. */
status draw_picture(drawing *d);

/* ---- draw_words.c ---- */
/* What stands in the box of a node, and in its tooltip (without what has changed). */
status draw_node_lines(const node *n, words *w, const char **out);
status draw_node_tip(const picture_box *b, const node *n, words *w, strbuf *tip);
/* "W", "inputs 2": the operator's name of its input. */
const char *draw_input_name(const node *n, int index, words *w);
/* A value in few words: the operator that makes it, an input's name, a constant's contents or type. */
const char *draw_value_words(const value *v, words *w);
const char *draw_type(const tensor_type *t, words *w);
/* A name, cut. */
const char *draw_name(const char *name, size_t longest, words *w);

/* ---- draw_changes.c ---- */
/* Which nodes and inputs of d->before and d->g stand for the same: d->other. */
status draw_match(drawing *d);
/* What is different between the node x of d->before and its like in d->g: lines for the box and for the tooltip;
 * nothing where they are the same. */
status draw_node_changes(drawing *d, const node *x, const node *y, strbuf *lines, strbuf *tip);
/* Constants that are used in one of the graphs only, or with other contents: d->constants. */
status draw_constants(drawing *d);

/* ---- draw_run.c ---- */
/* The DOT text of t's graph g. */
status draw_dot(const tenon_graph *t, graph *g, arena *a, const char **out);
/* The module that draws; [no-drawing] STATUS_RESOURCE. */
typedef struct drawer drawer;
status draw_open(tenon_context *c, const drawer **out);

#endif
