/* What nodes and graphs cost: multiply-accumulates of a node alone, also of one that lowering takes apart; cycles. */
#include "loop/target.h"
#include "lower/lower.h"
#include "passes/builtin.h"
#include "schedule/latency.h"

static status count_lowered(const node *n, const target *t, int64_t *sum) {
    program *p = NULL;
    arena *scratch = arena_new(arena_allocator(n->graph->memory));
    TRY_ALLOC(scratch);
    status s = lower_node(n, t, scratch, &p);
    for (size_t i = 0; s == STATUS_OK && i < p->steps.n; i++)
        *sum += p->steps.at[i].macs;
    arena_free(scratch);
    return s;
}

/* n with inputs of the same types, in a graph of its own. */
static status copy_alone(const node *n, graph *g) {
    value **inputs = ARENA_NEW_N(g->memory, value *, n->n_inputs + 1);
    TRY_ALLOC(inputs);
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (v == NULL)
            continue;
        inputs[i] = v->constant != NULL ? graph_add_constant(g, NULL, v->constant) : graph_add_input(g, NULL, &v->type);
        TRY_ALLOC(inputs[i]);
    }
    const node *made = graph_build(g, NULL, n->op, inputs, n->n_inputs, n->attrs, n->n_attrs, n->n_outputs);
    TRY_ALLOC(made);
    for (int i = 0; i < made->n_outputs; i++)
        TRY(graph_add_output(g, made->outputs[i], made->outputs[i]->name));
    return STATUS_OK;
}

static status count_parts(const pass_registry *r, const node *n, const target *t, int64_t *sum) {
    graph *g = graph_new(arena_allocator(n->graph->memory), n->graph->diags, n->graph->ops, "parts", n->graph->file);
    TRY_ALLOC(g);
    status s = copy_alone(n, g);
    if (s == STATUS_OK)
        s = passes_before_lowering(r, &g, &(pass_options){.in_place = true});
    for (const node *part = s == STATUS_OK ? g->first : NULL; part != NULL && s == STATUS_OK; part = part->next)
        s = count_lowered(part, t, sum);
    graph_free(g);
    return s;
}

status passes_node_macs(const pass_registry *r, const node *n, const target *t, int64_t *out) {
    *out = 0;
    return n->row != NULL && n->row->kind == OP_EXPAND ? count_parts(r, n, t, out) : count_lowered(n, t, out);
}

static bool is_known(const node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !type_shape(&n->outputs[i]->type, NULL))
            return false;
    return n->row != NULL && op_is_ready(n);
}

int64_t passes_known_macs(const pass_registry *r, const node *n) {
    int64_t sum;
    return is_known(n) && passes_node_macs(r, n, target_numeric(), &sum) == STATUS_OK ? sum : -1;
}

static status lowered_cycles(const pass_registry *r, graph **g, const target *t, arena *scratch, double *out) {
    const pass_options o = {.in_place = true, .target = t, .integer = {.target = t}};
    const lower_options how = {.target = t};
    program *p;
    program_cost cost;
    TRY(passes_before_lowering(r, g, &o));
    TRY(lower_graph(*g, &how, scratch, &p));
    TRY(program_cost_of(p, scratch, &cost));
    *out = cost.cycles;
    return STATUS_OK;
}

status passes_cycles(const pass_registry *r, const graph *g, const target *t, double *out) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    graph *copy = graph_copy(g);
    status s = scratch != NULL && copy != NULL ? lowered_cycles(r, &copy, t, scratch, out) : STATUS_RESOURCE;
    graph_free(copy);
    arena_free(scratch);
    return s;
}
