/* The graph's invariants. What is found here is a mistake of whoever edited the graph: a pass or a plugin. */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/op.h"

static status broken(const graph *g, const char *what, const char *name) {
    return diag_error(g->diags, STATUS_INVALID, "broken-graph", graph_place(g), "%s '%s'", what, name);
}

static status broken_node(const node *n, const char *what) {
    return diag_error(n->graph->diags, STATUS_INVALID, "broken-graph", node_place(n), "node '%s' (%s): %s",
                      node_label(n), n->op, what);
}

/* ---- values and uses ---- */

/* Does the slot exist that u claims to be? */
static bool is_slot(const graph *g, const use *u) {
    if (u->user == NULL)
        return u->index >= 0 && (size_t)u->index < g->outputs.n && g->outputs.at[u->index] == u;
    return !u->user->erased && u->user->graph == g && u->index >= 0 && u->index < u->user->n_inputs &&
           &u->user->inputs[u->index] == u;
}

static status verify_uses(const graph *g, const value *v) {
    const use *before = NULL;
    int count = 0;
    for (const use *u = v->uses; u != NULL; before = u, u = u->next, count++) {
        if (u->v != v || u->prev != before)
            return broken(g, "broken use list of value", v->name);
        if (!is_slot(g, u))
            return broken(g, "a use that no node has, of value", v->name);
    }
    if (v->last_use != before || v->n_uses != count)
        return broken(g, "wrong count of uses of value", v->name);
    return STATUS_OK;
}

static bool is_listed_input(const graph *g, const value *v) {
    for (size_t i = 0; i < g->inputs.n; i++)
        if (g->inputs.at[i] == v)
            return true;
    return false;
}

static bool is_defined(const value *v) {
    const node *n = v->def;
    return n != NULL && !n->erased && v->def_index >= 0 && v->def_index < n->n_outputs && n->outputs[v->def_index] == v;
}

static status verify_definition(const graph *g, const value *v) {
    if (v->def != NULL && !is_defined(v))
        return broken(g, "wrong definition of value", v->name);
    if (v->def != NULL && (v->is_input || v->constant != NULL))
        return broken(g, "two definitions of value", v->name);
    if (v->def == NULL && !v->is_input && v->constant == NULL)
        return broken(g, "no definition of value", v->name);
    return STATUS_OK;
}

static status verify_type(const graph *g, const value *v) {
    for (int i = 0; i < v->type.rank; i++)
        if (dim_status(v->type.dims[i]) != STATUS_OK)
            return broken(g, "a dimension without a value in the type of", v->name);
    const tensor *t = v->constant;
    if (t == NULL)
        return STATUS_OK;
    bool same = v->type.elem == t->elem && v->type.rank == t->rank;
    for (int i = 0; same && i < t->rank; i++)
        same = dim_equal(v->type.dims[i], DIM(t->dims[i]));
    return same ? STATUS_OK : broken(g, "a type that is not that of the contents of constant", v->name);
}

static status verify_values(const graph *g) {
    const value *before = NULL;
    for (const value *v = g->values; v != NULL; before = v, v = v->next) {
        if (v->prev != before || graph_find_value(g, v->name) != v)
            return broken(g, "a second value, or a broken list of values, at", v->name);
        TRY(verify_definition(g, v));
        TRY(verify_uses(g, v));
        TRY(verify_type(g, v));
    }
    return g->last_value == before ? STATUS_OK : broken(g, "broken list of values in", g->name);
}

/* Is the value in the list of this graph? */
static bool has_value(const graph *g, const value *v) {
    return graph_find_value(g, v->name) == v;
}

static status verify_ends(const graph *g) {
    for (size_t i = 0; i < g->inputs.n; i++)
        if (!g->inputs.at[i]->is_input || !has_value(g, g->inputs.at[i]))
            return broken(g, "a graph input that is none:", g->inputs.at[i]->name);
    for (const value *v = g->values; v != NULL; v = v->next)
        if (v->is_input && !is_listed_input(g, v))
            return broken(g, "not in the list of inputs:", v->name);
    for (size_t i = 0; i < g->outputs.n; i++) {
        const use *u = g->outputs.at[i];
        for (size_t k = 0; k < i; k++)
            if (strcmp(g->output_names.at[k], g->output_names.at[i]) == 0)
                return broken(g, "two outputs called", g->output_names.at[i]);
        if (u->user != NULL || u->v == NULL || !is_slot(g, u) || !has_value(g, u->v))
            return broken(g, "broken graph output", g->output_names.at[i]);
    }
    return STATUS_OK;
}

/* ---- nodes ---- */

static status verify_inputs(const node *n) {
    for (int i = 0; i < n->n_inputs; i++) {
        const use *u = &n->inputs[i];
        if (u->user != n || u->index != i)
            return broken_node(n, "wrong use");
        if (u->v == NULL)
            continue;
        if (!has_value(n->graph, u->v))
            return broken_node(n, "an input that is not in the graph");
        if (u->v->def != NULL && !node_is_before(u->v->def, n))
            return diag_error(n->graph->diags, STATUS_INVALID, "use-before-definition", node_place(n),
                              "node '%s' (%s) uses '%s' before its definition by '%s' (%s)", node_label(n), n->op,
                              u->v->name, node_label(u->v->def), u->v->def->op);
    }
    return STATUS_OK;
}

static status verify_outputs(const node *n) {
    for (int i = 0; i < n->n_outputs; i++) {
        const value *v = n->outputs[i];
        if (v != NULL && (v->def != n || v->def_index != i || !has_value(n->graph, v)))
            return broken_node(n, "wrong output");
    }
    return STATUS_OK;
}

/* Every slot of a node or output must be in its value's list: as many slots as list entries, which are all slots. */
static status verify_use_total(const graph *g) {
    size_t slots = g->outputs.n, listed = 0;
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_inputs; i++)
            slots += n->inputs[i].v != NULL;
    for (const value *v = g->values; v != NULL; v = v->next)
        listed += (size_t)v->n_uses;
    return slots == listed ? STATUS_OK : broken(g, "uses that are in no list, in graph", g->name);
}

static status verify_nodes(const graph *g) {
    const node *before = NULL;
    int count = 0;
    for (const node *n = g->first; n != NULL; before = n, n = n->next, count++) {
        if (n->graph != g || n->erased || n->prev != before || (before != NULL && !node_is_before(before, n)))
            return broken_node(n, "broken list of nodes");
        TRY(verify_inputs(n));
        TRY(verify_outputs(n));
    }
    if (g->last != before || g->n_nodes != count)
        return broken(g, "broken list of nodes in graph", g->name);
    return verify_use_total(g);
}

/* ---- rows and types ---- */

/* Infers once more and compares; op_infer itself reports contradictions. The types stay as they were. */
static status verify_inference(node *n) {
    tensor_type *kept = ARENA_NEW_N(n->graph->memory, tensor_type, n->n_outputs);
    TRY_ALLOC(kept);
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            kept[i] = n->outputs[i]->type;
    status s = op_infer(n);
    const value *untyped = NULL;
    for (int i = 0; i < n->n_outputs; i++) {
        value *v = n->outputs[i];
        if (v == NULL)
            continue;
        if (kept[i].elem == DT_NONE && v->type.elem != DT_NONE)
            untyped = v;
        v->type = kept[i];
    }
    if (s == STATUS_OK && untyped != NULL)
        return diag_error(n->graph->diags, STATUS_INVALID, "missing-type", node_place(n),
                          "output '%s' has no type: infer it after an edit", untyped->name);
    return s;
}

static status verify_rows(graph *g) {
    status worst = STATUS_OK;
    for (node *n = g->first; n != NULL; n = n->next) {
        if (n->row == NULL)
            continue;
        status s = verify_inference(n);
        if (s == STATUS_RESOURCE)
            return s;
        worst = op_worse(worst, s);
    }
    return worst;
}

static status verify_subgraphs(const graph *g) {
    for (const node *n = g->first; n != NULL; n = n->next)
        for (int i = 0; i < n->n_attrs; i++)
            if (n->attrs[i].kind == ATTR_GRAPH)
                TRY(graph_verify(n->attrs[i].g));
    return STATUS_OK;
}

/* Checks the whole graph: the first broken invariant, or else all contradictions between nodes, rows and types. Nodes
 * that nobody knows are not checked against a row. */
status graph_verify(graph *g) {
    TRY(verify_values(g));
    TRY(verify_ends(g));
    TRY(verify_nodes(g));
    TRY(verify_subgraphs(g));
    arena_mark mark = arena_get_mark(g->memory);
    status s = verify_rows(g);
    arena_reset(g->memory, mark);
    return s;
}
