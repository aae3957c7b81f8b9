/* Inside of the graph, shared by the files that keep its invariants. */
#ifndef TENON_IR_GRAPH_PARTS_H
#define TENON_IR_GRAPH_PARTS_H

#include "ir/graph.h"

/* ---- graph.c ---- */
/* Appends u to the use list of v (NULL: an absent input) and takes it out again. */
void use_link(use *u, value *v);
void use_unlink(use *u);
/* A value with a name of its own, at the end of the list; NULL when out of memory. */
value *value_new(graph *g, const char *name, node *def, int def_index);
/* Takes an unused value out of the graph. */
void value_unlink(graph *g, value *v);
/* Diagnostic [value-has-users] at `where`: `what` cannot be done (`advice` follows the list of users). */
status value_refuse(const graph *g, const value *v, diag_place where, const char *what, const char *advice);
diag_place graph_place(const graph *g);
/* How messages name a node: its name, or else that of its first output. */
const char *node_label(const node *n);

/* ---- graph_edit.c ---- */
/* A copy of `a` in g's arena; tensors are held, or copied where they live in an arena and `deep` is set. */
status attr_copy(graph *g, const attr *a, bool deep, attr *out);

/* Adds an attribute that is in the graph's arena. */
status node_append_attr(node *n, const attr *made);

/* ---- op.c ---- */
/* Of two outcomes the one to return: no memory before invalid before unsupported before OK. */
status op_worse(status x, status y);

/* ---- graph_order.c ---- */
/* Puts a node that is not in the list before `before` (NULL: at the end). */
void order_insert(graph *g, node *n, node *before);
void order_remove(graph *g, node *n);

#endif
