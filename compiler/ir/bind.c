/* Binding the symbols of a graph's dimensions to integers. */
#include "ir/graph_parts.h"
#include "ir/op.h"

static status check_bindings(const graph *g, const map *bindings) {
    status s = STATUS_OK;
    for (size_t i = 0; i < bindings->n; i++) {
        const int64_t *x = bindings->entries[i].value;
        if (x != NULL && (*x < 0 || *x > DIM_SYMBOL_MAX))
            s = diag_error(g->diags, STATUS_INVALID, "bad-dimension", graph_place(g),
                           "dimension '%s' cannot be %lld: expected 0 to %lld", bindings->entries[i].name,
                           (long long)*x, (long long)DIM_SYMBOL_MAX);
    }
    return s;
}

static status bind_type(graph *g, const value *v, const map *bindings, tensor_type *out) {
    *out = v->type;
    if (type_shape(&v->type, NULL) || v->type.rank < 0)
        return STATUS_OK;
    dim *dims = ARENA_NEW_N(g->memory, dim, v->type.rank);
    TRY_ALLOC(dims);
    for (int i = 0; i < v->type.rank; i++) {
        dims[i] = dim_bind(g->memory, v->type.dims[i], bindings);
        status s = dim_status(dims[i]);
        bool negative = s == STATUS_OK && dim_is_known(dims[i]) && dims[i].n < 0;
        if (s == STATUS_INVALID || negative)
            return diag_error(g->diags, STATUS_INVALID, "bad-dimension", graph_place(g),
                              "dimension %d of '%s' has no size with these bindings", i, v->name);
        TRY(s);
    }
    out->dims = dims;
    return STATUS_OK;
}

static status bind_inputs(graph *g, const map *bindings) {
    for (size_t i = 0; i < g->inputs.n; i++) {
        tensor_type bound;
        TRY(bind_type(g, g->inputs.at[i], bindings, &bound));
        g->inputs.at[i]->type = bound;
    }
    return STATUS_OK;
}

/* What inference could not tell is taken from the type before, bound. */
static status complete_type(graph *g, value *v, const tensor_type *bound) {
    tensor_type *t = &v->type;
    if (t->elem == DT_NONE)
        t->elem = bound->elem;
    if (t->rank < 0) {
        t->rank = bound->rank;
        t->dims = bound->dims;
    }
    if (t->rank < 0 || t->rank != bound->rank || type_shape(t, NULL))
        return STATUS_OK;
    dim *dims = arena_copy(g->memory, t->dims, (size_t)t->rank * sizeof *dims);
    TRY_ALLOC(dims);
    for (int i = 0; i < t->rank; i++)
        if (!dim_is_known(dims[i]) && dim_is_known(bound->dims[i]))
            dims[i] = bound->dims[i];
    t->dims = dims;
    return STATUS_OK;
}

static status bind_node(graph *g, node *n, const map *bindings) {
    for (int i = 0; i < n->n_attrs; i++)
        if (n->attrs[i].kind == ATTR_GRAPH)
            TRY(graph_bind(n->attrs[i].g, bindings));
    tensor_type *bound = ARENA_NEW_N(g->memory, tensor_type, n->n_outputs);
    TRY_ALLOC(bound);
    for (int i = 0; i < n->n_outputs; i++) {
        value *v = n->outputs[i];
        if (v == NULL)
            continue;
        TRY(bind_type(g, v, bindings, &bound[i]));
        v->type = (tensor_type){DT_NONE, -1, NULL};
    }
    status s = op_infer(n);
    for (int i = 0; i < n->n_outputs && s != STATUS_RESOURCE; i++)
        if (n->outputs[i] != NULL)
            TRY(complete_type(g, n->outputs[i], &bound[i]));
    return s;
}

/* Replaces symbols by integers in the inputs, and infers everything behind them anew. Reports as graph_infer does. */
status graph_bind(graph *g, const map *bindings) {
    TRY(check_bindings(g, bindings));
    TRY(bind_inputs(g, bindings));
    status worst = STATUS_OK;
    for (node *n = g->first; n != NULL; n = n->next) {
        status s = bind_node(g, n, bindings);
        if (s == STATUS_RESOURCE)
            return s;
        worst = op_worse(worst, s);
    }
    return worst;
}

typedef struct collector {
    map *names;
    status result;
} collector;

static void collect(const char *symbol, void *ctx) {
    collector *c = ctx;
    if (c->result == STATUS_OK && map_get(c->names, symbol) == NULL)
        c->result = map_set(c->names, symbol, (void *)(uintptr_t)symbol);
}

/* Names of the symbols in the inputs' types, in order: map name -> name. The names live in the graph. */
status graph_symbols(const graph *g, map *out) {
    collector c = {.names = out, .result = STATUS_OK};
    for (size_t i = 0; i < g->inputs.n; i++) {
        const tensor_type *t = &g->inputs.at[i]->type;
        for (int d = 0; d < t->rank; d++)
            dim_symbols(t->dims[d], collect, &c);
    }
    return c.result;
}
