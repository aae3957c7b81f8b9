/* From the graph to a program. */
#include "lower/lower.h"

#include <string.h>

#include "lower/lowering.h"
#include "lower/packed.h"
#include "schedule/latency.h"

/* ---- buffers ---- */

static void *as_pointer(int number) {
    return (void *)(intptr_t)(number + 1);
}

static int as_number(void *pointer) {
    return (int)(intptr_t)pointer - 1;
}

/* The buffer that holds the same constant, or -1; then *out_key is free for it. */
static int find_constant(const lowering *w, const program_buffer *b, uint64_t *out_key) {
    const size_t most = 4096;
    size_t bytes = dtype_bytes(b->elem, (size_t)b->n);
    *out_key = hash_bytes(b->data, bytes < most ? bytes : most, bytes);
    for (int at; (at = as_number(map_get_key(&w->constants, *out_key))) >= 0; ++*out_key) {
        const program_buffer *have = &w->p->buffers.at[at];
        if (have->elem == b->elem && have->n == b->n && memcmp(have->data, b->data, bytes) == 0)
            return at;
    }
    return -1;
}

/* Names the buffer by its kind and number. Equal constants are one. */
status lowering_add_buffer(lowering *w, program_buffer b, int *out) {
    uint64_t key = 0;
    bool shares = b.place == PLACE_CONST && b.n > 0;
    if (shares && (*out = find_constant(w, &b, &key)) >= 0)
        return STATUS_OK;
    static const char *const stems[PLACE_COUNT] = {
        [PLACE_INPUT] = "in", [PLACE_OUTPUT] = "out", [PLACE_CONST] = "w", [PLACE_ARENA] = "t"};
    TRY_ALLOC(b.name = arena_printf(w->memory, "%s%zu", stems[b.place], w->p->buffers.n));
    TRY(VEC_PUSH(w->memory, w->p->buffers, b));
    *out = (int)w->p->buffers.n - 1;
    return shares ? map_set_key(&w->constants, key, as_pointer(*out)) : STATUS_OK;
}

static status value_shape(lowering *w, const value *v, const int64_t **out_dims, int64_t *out_n) {
    int64_t *dims = ARENA_NEW_N(w->memory, int64_t, v->type.rank + 1);
    TRY_ALLOC(dims);
    type_shape(&v->type, dims);
    *out_dims = dims;
    *out_n = type_count(&v->type);
    return STATUS_OK;
}

static status add_value_buffer(lowering *w, const value *v, const char *title, place_kind place, int *out) {
    bool of_model = place == PLACE_INPUT || place == PLACE_OUTPUT;
    dtype elem = of_model ? v->type.elem : dtype_storage(v->type.elem);
    program_buffer b = {.title = title, .elem = elem, .place = place, .rank = v->type.rank};
    TRY(value_shape(w, v, &b.dims, &b.n));
    if (place == PLACE_ARENA && layout_of(&w->groups, v) != NULL)
        b.n = layout_of(&w->groups, v)->n;
    if (place == PLACE_CONST)
        TRY(packed_constant(v->constant, w->memory, &b.data));
    return lowering_add_buffer(w, b, out);
}

status lowering_set_buffer(lowering *w, const value *v, int number) {
    return map_set_key(&w->buffers, MAP_KEY(v), as_pointer(number));
}

status lowering_value_buffer(lowering *w, const value *v, int *out) {
    *out = as_number(map_get_key(&w->buffers, MAP_KEY(v)));
    if (*out >= 0)
        return STATUS_OK;
    TRY(add_value_buffer(w, v, NULL, v->constant != NULL ? PLACE_CONST : PLACE_ARENA, out));
    return lowering_set_buffer(w, v, *out);
}

/* Temporaries of a node are numbered within it: they are known by their root, too. */
int *lowering_temporary(lowering *w, const node_info *root, int temporary) {
    int **all = &w->temporaries[root - w->groups.nodes];
    if (*all == NULL && (*all = ARENA_NEW_N(w->memory, int, NEST_MAX_AXES)) != NULL)
        memset(*all, -1, NEST_MAX_AXES * sizeof **all);
    return *all != NULL ? *all + temporary : NULL;
}

static status operand_buffer(lowering *w, const composed *c, const node_info *root, int operand, int *out) {
    const schedule_operand *o = &c->operands.at[operand];
    if (c->values.at[operand] != NULL)
        return lowering_value_buffer(w, c->values.at[operand], out);
    int64_t n = 1;
    for (int d = 0; d < o->rank; d++)
        n *= o->dims[d];
    if (c->temporaries.at[operand] < 0)
        return lowering_add_buffer(w, (program_buffer){.elem = o->elem, .n = n, .place = PLACE_CONST, .data = o->data},
                                   out);
    int *slot = lowering_temporary(w, root, c->temporaries.at[operand]);
    TRY_ALLOC(slot);
    if (*slot < 0)
        TRY(lowering_add_buffer(w, (program_buffer){.elem = o->elem, .n = n, .place = PLACE_ARENA}, slot));
    *out = *slot;
    return STATUS_OK;
}

/* ---- kernels and steps ---- */

/* Equal kernels are one. */
status lowering_add_kernel(lowering *w, kernel *k, int *out) {
    strbuf text = strbuf_in(w->memory);
    const char *stem = k->name, *key = NULL;
    k->name = "k";
    kernel_print(k, &text);
    TRY(strbuf_finish(&text, &key));
    *out = as_number(map_get(&w->kernels, key));
    if (*out >= 0)
        return STATUS_OK;
    TRY_ALLOC(k->name = arena_printf(w->memory, "k%zu_%.40s", w->p->kernels.n, stem));
    TRY(VEC_PUSH(w->memory, w->p->kernels, k));
    *out = (int)w->p->kernels.n - 1;
    return map_set(&w->kernels, key, as_pointer(*out));
}

status lowering_add_step(lowering *w, program_step step, const step_nodes *nodes) {
    TRY(VEC_PUSH(w->memory, w->p->steps, step));
    return w->o->steps != NULL ? VEC_PUSH(w->memory, *w->o->steps, *nodes) : STATUS_OK;
}

status lowering_buffers(lowering *w, const schedule *s, const composed *c, const node_info *root, const int **out) {
    int *buffers = ARENA_NEW_N(w->memory, int, s->buffers.n + 1);
    TRY_ALLOC(buffers);
    *out = buffers;
    for (size_t i = 0; i < s->calls.n; i++)
        for (size_t k = 0; k < s->calls.at[i].k->buffers.n; k++)
            buffers[s->calls.at[i].buffers[k]] = 1;
    for (size_t i = 0; i < s->buffers.n; i++) {
        const schedule_buffer *b = &s->buffers.at[i];
        if (!buffers[i])
            continue; /* a constant that was packed into another */
        if (b->kind == SCHEDULE_OPERAND) {
            TRY(operand_buffer(w, c, root, b->operand, &buffers[i]));
        } else {
            place_kind place = b->kind == SCHEDULE_CONST ? PLACE_CONST : PLACE_ARENA;
            TRY(lowering_add_buffer(w, (program_buffer){.elem = b->elem, .n = b->n, .place = place, .data = b->data},
                                    &buffers[i]));
        }
    }
    return STATUS_OK;
}

static status add_steps(lowering *w, const schedule *s, const composed *c, const node_info *root, const work *of) {
    const int *buffers = NULL;
    step_nodes nodes = of->nodes;
    nodes.kernels = s->kernels.at;
    nodes.n_kernels = s->kernels.n;
    TRY(lowering_buffers(w, s, c, root, &buffers));
    for (size_t i = 0; i < s->calls.n; i++) {
        const schedule_call *call = &s->calls.at[i];
        if (call->k->body.first == NULL)
            continue; /* nothing to compute: a tensor without elements */
        program_step step = {.note = of->note, .node = of->nodes.lead->source, .lead = of->lead, .macs = call->macs};
        step_arg *args = ARENA_NEW_N(w->memory, step_arg, call->k->buffers.n + 1);
        TRY_ALLOC(args);
        for (size_t k = 0; k < call->k->buffers.n; k++)
            args[k] = (step_arg){buffers[call->buffers[k]], 0};
        step.args = args;
        TRY(lowering_add_kernel(w, call->k, &step.kernel));
        TRY(lowering_add_step(w, step, &nodes));
    }
    return STATUS_OK;
}

/* ---- groups ---- */

static void note_node(strbuf *s, const node *n) {
    strbuf_printf(s, "%s%s", s->n > 0 ? " + " : "", n->op);
    if (n->name != NULL && n->name[0] != '\0')
        strbuf_printf(s, " '%s'", n->name);
}

/* The nodes that a root's kernels compute, in order. */
status lowering_work(lowering *w, const node_info *root, const node *lead, work *out) {
    VEC(const node *) nodes = {0};
    strbuf s = strbuf_in(w->memory);
    int own = (int)(root - w->groups.nodes);
    for (int k = 0; k <= own; k++) {
        const node_info *i = &w->groups.nodes[k];
        bool inside = k == own || i->core_of == own;
        for (int r = 0; i->inlined && r < i->n_roots && r < GROUP_MAX_ROOTS; r++)
            inside |= i->roots[r] == own;
        if (!inside)
            continue;
        note_node(&s, i->n);
        TRY(VEC_PUSH(w->memory, nodes, i->n));
    }
    bool has_name = lead->name != NULL && lead->name[0] != '\0';
    *out = (work){.lead = has_name ? lead->name : lead->op, .nodes = {.lead = lead, .nodes = nodes.at, .n = nodes.n}};
    return strbuf_finish(&s, &out->note);
}

/* The border of the group's result, filled before the rest is computed. */
static status add_border(lowering *w, const value *v, const work *of) {
    const operand_layout *layout = v != NULL ? layout_of(&w->groups, v) : NULL;
    if (!layout_has_border(layout, layout != NULL ? v->type.rank : 0))
        return STATUS_OK;
    composed c = {0};
    schedule s = {.memory = w->memory};
    schedule_options options = {.target = w->o->target};
    schedule_operand o = {.elem = dtype_storage(v->type.elem), .rank = v->type.rank, .layout = layout};
    int64_t count;
    TRY(value_shape(w, v, &o.dims, &count));
    TRY(VEC_PUSH(w->memory, c.operands, o));
    TRY(VEC_PUSH(w->memory, c.values, v));
    TRY(border_fill(&o, &options, &s));
    return add_steps(w, &s, &c, NULL, of);
}

static status lower_nest(lowering *w, const node_info *root, const node_info *which, int index, const work *of) {
    schedule_options options = {.target = w->o->target, .naive = w->o->naive, .tuning = w->o->tuning};
    schedule s = {.memory = w->memory};
    composed c;
    TRY(compose_group(&w->groups, root, which, index, w->memory, &c));
    TRY(schedule_nest(c.n, c.operands.at, (int)c.operands.n, &options, &s));
    return add_steps(w, &s, &c, root, of);
}

/* A chain is lowered in the place of its last nest: what else it reads is there by then. */
static status lower_group(lowering *w, const node_info *root) {
    const node_info *which = root->core >= 0 ? &w->groups.nodes[root->core] : root;
    work of;
    TRY(lowering_work(w, root, which->n, &of));
    TRY(add_border(w, node_output(root->n, 0), &of));
    for (int i = 0; i < which->n_nests; i++) {
        const chain *c = chain_of(&w->chains, root, i);
        if (c == NULL)
            TRY(lower_nest(w, root, which, i, &of));
        else if (chain_ends_with(c, root, i))
            TRY(lower_chain(w, c));
    }
    return STATUS_OK;
}

/* ---- inputs, and outputs that nothing computes: a constant, an input, the same value twice, packed elements ---- */

/* A step that fills buffer `to` from buffer `from`, which are operands 1 and 0 of the nest. */
static status add_copy(lowering *w, nest *n, const schedule_operand operands[2], int from, int to) {
    schedule s = {.memory = w->memory};
    schedule_options options = {.target = w->o->target, .naive = w->o->naive};
    TRY(schedule_nest(n, operands, 2, &options, &s));
    if (s.calls.at[0].k->body.first == NULL)
        return STATUS_OK; /* a tensor without elements */
    program_step step = {.note = to < w->p->n_inputs + w->p->n_outputs ? "output" : "input", .node = -1};
    step_arg *args = ARENA_NEW_N(w->memory, step_arg, 2);
    TRY_ALLOC(args);
    const schedule_call *call = &s.calls.at[0];
    for (int k = 0; k < 2; k++)
        args[k] = (step_arg){s.buffers.at[call->buffers[k]].operand == 0 ? from : to, 0};
    step.args = args;
    TRY(lowering_add_kernel(w, call->k, &step.kernel));
    return lowering_add_step(w, step, &(step_nodes){0});
}

static bool is_packed(const value *v) {
    return dtype_bits(v->type.elem) < 8;
}

static status copy_packed(lowering *w, const value *v, bool to_packed, int from, int to) {
    builder *b = builder_new(w->memory, w->o->target);
    packed_move move;
    TRY_ALLOC(b);
    TRY(packed_copy(v->type.elem, type_count(&v->type), to_packed, b, &move));
    return add_copy(w, move.nest, move.operands, from, to);
}

static status copy_output(lowering *w, const value *v, int to) {
    const int64_t *dims = NULL;
    int64_t count = 0;
    int from = -1;
    const expr *axes[NEST_MAX_AXES];
    TRY(lowering_value_buffer(w, v, &from));
    if (is_packed(v))
        return copy_packed(w, v, true, from, to);
    nest_list l = {.b = builder_new(w->memory, w->o->target)};
    TRY_ALLOC(l.b);
    TRY(value_shape(w, v, &dims, &count));
    nest_operand o = {true, dtype_storage(v->type.elem), v->type.rank, dims};
    TRY(VEC_PUSH(w->memory, l.operands, o));
    TRY(VEC_PUSH(w->memory, l.operands, o));
    l.n_inputs = l.n_outputs = 1;
    nest *n = nest_add(&l, "copy");
    nest_outer_all(n, o.rank, dims, axes);
    nest_store(n, 1, axes, o.rank, nest_read(&l, 0, axes));
    schedule_operand operands[2] = {{o.elem, o.rank, dims, NULL, NULL}, {o.elem, o.rank, dims, NULL, NULL}};
    TRY(builder_status(l.b));
    return add_copy(w, n, operands, from, to);
}

static status add_input(lowering *w, const value *v) {
    int b = 0;
    TRY(add_value_buffer(w, v, v->name, PLACE_INPUT, &b));
    w->p->n_inputs++;
    return lowering_set_buffer(w, v, b);
}

/* Who computes the value stores it in the output, unless that is packed. */
static status add_output(lowering *w, const value *v, const char *name) {
    int b = 0;
    TRY(add_value_buffer(w, v, name, PLACE_OUTPUT, &b));
    w->p->n_outputs++;
    if (v->def == NULL || v->constant != NULL || is_packed(v) || map_get_key(&w->buffers, MAP_KEY(v)) != NULL)
        return STATUS_OK;
    return lowering_set_buffer(w, v, b);
}

/* Once all inputs and outputs have their buffers: what is read of a packed input is an unpacked copy. */
static status unpack_input(lowering *w, const value *v) {
    int from = as_number(map_get_key(&w->buffers, MAP_KEY(v))), to = 0;
    if (!is_packed(v))
        return STATUS_OK;
    TRY(add_value_buffer(w, v, NULL, PLACE_ARENA, &to));
    TRY(copy_packed(w, v, false, from, to));
    return lowering_set_buffer(w, v, to);
}

static status add_interface(lowering *w) {
    const graph *g = w->g;
    for (size_t i = 0; i < g->inputs.n; i++)
        TRY(add_input(w, g->inputs.at[i]));
    for (size_t i = 0; i < g->outputs.n; i++)
        TRY(add_output(w, g->outputs.at[i]->v, g->output_names.at[i]));
    return STATUS_OK;
}

static status unpack_inputs(lowering *w) {
    for (size_t i = 0; i < w->g->inputs.n; i++)
        TRY(unpack_input(w, w->g->inputs.at[i]));
    return STATUS_OK;
}

static status copy_outputs(lowering *w) {
    for (size_t i = 0; i < w->g->outputs.n; i++) {
        const value *v = w->g->outputs.at[i]->v;
        int to = w->p->n_inputs + (int)i;
        if (as_number(map_get_key(&w->buffers, MAP_KEY(v))) != to)
            TRY(copy_output(w, v, to));
    }
    return STATUS_OK;
}

/* ---- is everything known ---- */

static status check_value(const node *n, const value *v) {
    if (v == NULL || v->constant != NULL || (v->type.rank >= 0 && type_shape(&v->type, NULL)))
        return STATUS_OK;
    return op_unsupported(n, "unknown-shape",
                          "the shape of '%s' is not known at compile time; bind its dimensions with --dim NAME=N",
                          v->name);
}

static status check_node(const node *n) {
    if (n->row == NULL)
        return op_unsupported(n, "unsupported-operator", "the operator has no code yet");
    bool lowers_unknown = n->row->kind == OP_EXPAND && n->row->lower != NULL && !op_is_ready(n);
    for (int i = 0; i < n->n_outputs; i++)
        TRY(check_value(n, n->outputs[i]));
    for (int i = 0; i < n->n_inputs; i++) {
        const op_param *p = op_input_param(n, i);
        const value *v = node_input(n, i);
        TRY(check_value(n, v));
        if (v != NULL && v->constant == NULL && p != NULL && (p->flags & PARAM_KNOWN) && !lowers_unknown)
            return op_unsupported(
                n, "not-constant",
                "input '%s' must be known at compile time; give it with --freeze, or bind the dimensions it is made of",
                p->name);
    }
    return n->row->kind != OP_EXPAND || lowers_unknown
               ? STATUS_OK
               : op_unsupported(n, "unsupported-operator", "it was not expanded: leave the pass 'expand' in");
}

static status check_all(const graph *g) {
    status worst = STATUS_OK;
    for (const node *n = g->first; n != NULL; n = n->next) {
        status s = check_node(n);
        worst = worst == STATUS_OK ? s : worst;
    }
    return worst;
}

static status new_program(lowering *w, const char *name) {
    TRY_ALLOC(w->p = ARENA_NEW(w->memory, program));
    w->p->memory = w->memory;
    w->p->target = w->o->target;
    w->p->origin = w->o->origin;
    w->p->name = w->o->name != NULL ? w->o->name : text_identifier(w->memory, name);
    TRY_ALLOC(w->p->name);
    w->buffers = map_in(w->memory);
    w->constants = map_in(w->memory);
    w->kernels = map_in(w->memory);
    return STATUS_OK;
}

/* ---- memory ---- */

/* The steps and what they compute, in another order. */
static status reorder(lowering *w, const int *order) {
    size_t n = w->p->steps.n;
    program_step *steps = arena_copy(w->memory, w->p->steps.at, n * sizeof *steps);
    TRY_ALLOC(steps);
    for (size_t i = 0; i < n; i++)
        w->p->steps.at[i] = steps[order[i]];
    if (w->o->steps == NULL)
        return STATUS_OK;
    step_nodes *nodes = arena_copy(w->memory, w->o->steps->at, n * sizeof *nodes);
    TRY_ALLOC(nodes);
    for (size_t i = 0; i < n; i++)
        w->o->steps->at[i] = nodes[order[i]];
    return STATUS_OK;
}

static status plan(lowering *w) {
    const int *order;
    if (w->o->naive)
        return plan_memory(w->p, w->o->regions);
    TRY(order_steps(w->p, w->memory, &order));
    if (order != NULL)
        TRY(reorder(w, order));
    TRY(share_in_place(w->p));
    return plan_memory(w->p, w->o->regions);
}

/* All steps, before they are divided among threads and get their memory. */
static status make_steps(lowering *w, bool zeros_follow) {
    TRY(new_program(w, w->g->name));
    TRY(add_interface(w));
    TRY(group_nodes(w->g, w->o, w->memory, &w->groups));
    w->groups.zeros_follow = zeros_follow;
    TRY(choose_layouts(&w->groups));
    TRY(choose_borders(&w->groups));
    TRY(find_chains(&w->groups, &w->chains));
    TRY_ALLOC(w->temporaries = ARENA_NEW_N(w->memory, int *, w->groups.n + 1));
    TRY(unpack_inputs(w));
    for (int i = 0; i < w->groups.n; i++)
        if (!w->groups.nodes[i].inlined && w->groups.nodes[i].core_of < 0)
            TRY(lower_group(w, &w->groups.nodes[i]));
    return copy_outputs(w);
}

/* Where weights that are mostly zero want rows, which others do not: takes the layouts of the others if the program is
 * predicted to be faster so. */
static status weigh_rows(lowering *w) {
    program_cost rows, last;
    step_nodes_list steps = {0};
    lower_options again = *w->o;
    again.steps = w->o->steps != NULL ? &steps : NULL;
    lowering other = {.g = w->g, .o = &again, .memory = w->memory};
    TRY(make_steps(&other, true));
    TRY(program_cost_of(w->p, w->memory, &rows));
    TRY(program_cost_of(other.p, w->memory, &last));
    if (rows.cycles <= last.cycles)
        return STATUS_OK;
    if (w->o->steps != NULL)
        *w->o->steps = steps;
    other.o = other.groups.o = w->o;
    *w = other;
    return STATUS_OK;
}

status lower_graph(const graph *g, const lower_options *o, arena *a, program **out) {
    lowering w = {.g = g, .o = o, .memory = a};
    TRY(check_all(g));
    TRY(make_steps(&w, false));
    if (w.groups.has_rows && o->tuning == NULL)
        TRY(weigh_rows(&w));
    if (o->threads > 1)
        TRY(schedule_parallel(w.p, o->threads));
    TRY(plan(&w));
    *out = w.p;
    return STATUS_OK;
}

/* ---- one node alone ---- */

static status node_interface(lowering *w, const node *n) {
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (v != NULL && v->constant == NULL && map_get_key(&w->buffers, MAP_KEY(v)) == NULL)
            TRY(add_input(w, v));
    }
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            TRY(add_output(w, n->outputs[i], n->outputs[i]->name));
    return STATUS_OK;
}

static status pack_node_outputs(lowering *w, const node *n) {
    for (int i = 0, to = w->p->n_inputs; i < n->n_outputs; i++) {
        if (n->outputs[i] == NULL)
            continue;
        if (is_packed(n->outputs[i]))
            TRY(copy_output(w, n->outputs[i], to));
        to++;
    }
    return STATUS_OK;
}

status lower_node(const node *n, const target *t, arena *a, program **out) {
    lower_options o = {.target = t, .naive = true};
    lowering w = {.g = n->graph, .o = &o, .memory = a};
    TRY(check_node(n));
    TRY(new_program(&w, n->op));
    TRY(node_interface(&w, n));
    TRY(group_node(n, &o, a, &w.groups));
    TRY_ALLOC(w.temporaries = ARENA_NEW_N(a, int *, w.groups.n + 1));
    TRY(lower_group(&w, &w.groups.nodes[0]));
    TRY(pack_node_outputs(&w, n));
    TRY(plan_memory(w.p, NULL));
    *out = w.p;
    return STATUS_OK;
}
