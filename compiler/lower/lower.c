/* From the graph to a program. */
#include "lower/lower.h"

#include <string.h>

#include "lower/group.h"

typedef struct lowering {
    const graph *g;
    const lower_options *o;
    grouping groups;
    program *p;
    arena *memory;
    map buffers;        /* value -> (buffer number + 1) as a pointer */
    map kernels;        /* text of a kernel without its name -> (kernel number + 1) */
    int *temporaries;   /* of the node being lowered: buffer numbers, by temporary */
    int n_temporaries;
} lowering;

/* ---- buffers ---- */

static void *as_pointer(int number) {
    return (void *)(intptr_t)(number + 1);
}

static int as_number(void *pointer) {
    return (int)(intptr_t)pointer - 1;
}

/* Names the buffer by its kind and number. */
static status add_buffer(lowering *w, program_buffer b, int *out) {
    static const char *const stems[PLACE_COUNT] = {[PLACE_INPUT] = "in", [PLACE_OUTPUT] = "out", [PLACE_CONST] = "w", [PLACE_ARENA] = "t"};
    TRY_ALLOC(b.name = arena_printf(w->memory, "%s%zu", stems[b.place], w->p->buffers.n));
    TRY(VEC_PUSH(w->memory, w->p->buffers, b));
    *out = (int)w->p->buffers.n - 1;
    return STATUS_OK;
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
    program_buffer b = {.title = title, .elem = v->type.elem, .place = place, .rank = v->type.rank};
    TRY(value_shape(w, v, &b.dims, &b.n));
    if (place == PLACE_ARENA && layout_of(&w->groups, v) != NULL)
        b.n = layout_of(&w->groups, v)->n;
    if (place == PLACE_CONST)
        b.data = v->constant->data;
    return add_buffer(w, b, out);
}

static status value_buffer(lowering *w, const value *v, int *out) {
    *out = as_number(map_get_key(&w->buffers, MAP_KEY(v)));
    if (*out >= 0)
        return STATUS_OK;
    TRY(add_value_buffer(w, v, NULL, v->constant != NULL ? PLACE_CONST : PLACE_ARENA, out));
    return map_set_key(&w->buffers, MAP_KEY(v), as_pointer(*out));
}

static status operand_buffer(lowering *w, const composed *c, int operand, int *out) {
    const schedule_operand *o = &c->operands.at[operand];
    if (c->values.at[operand] != NULL)
        return value_buffer(w, c->values.at[operand], out);
    int64_t n = 1;
    for (int d = 0; d < o->rank; d++)
        n *= o->dims[d];
    if (c->temporaries.at[operand] < 0)
        return add_buffer(w, (program_buffer){.elem = o->elem, .n = n, .place = PLACE_CONST, .data = o->data}, out);
    int *slot = &w->temporaries[c->temporaries.at[operand]];
    if (*slot < 0)
        TRY(add_buffer(w, (program_buffer){.elem = o->elem, .n = n, .place = PLACE_ARENA}, slot));
    *out = *slot;
    return STATUS_OK;
}

/* ---- kernels and steps ---- */

/* Equal kernels are one. */
static status add_kernel(lowering *w, kernel *k, int *out) {
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

/* What a root's kernels compute. */
typedef struct work {
    const char *note, *lead;
    step_nodes nodes;
} work;

static status add_step(lowering *w, program_step step, const step_nodes *nodes) {
    TRY(VEC_PUSH(w->memory, w->p->steps, step));
    return w->o->steps != NULL ? VEC_PUSH(w->memory, *w->o->steps, *nodes) : STATUS_OK;
}

static status add_steps(lowering *w, const schedule *s, const composed *c, const work *of) {
    int *buffers = ARENA_NEW_N(w->memory, int, s->buffers.n + 1);
    TRY_ALLOC(buffers);
    for (size_t i = 0; i < s->calls.n; i++)
        for (size_t k = 0; k < s->calls.at[i].k->buffers.n; k++)
            buffers[s->calls.at[i].buffers[k]] = 1;
    for (size_t i = 0; i < s->buffers.n; i++) {
        const schedule_buffer *b = &s->buffers.at[i];
        if (!buffers[i])
            continue; /* a constant that was packed into another */
        if (b->kind == SCHEDULE_OPERAND) {
            TRY(operand_buffer(w, c, b->operand, &buffers[i]));
        } else {
            place_kind place = b->kind == SCHEDULE_CONST ? PLACE_CONST : PLACE_ARENA;
            TRY(add_buffer(w, (program_buffer){.elem = b->elem, .n = b->n, .place = place, .data = b->data}, &buffers[i]));
        }
    }
    for (size_t i = 0; i < s->calls.n; i++) {
        const schedule_call *call = &s->calls.at[i];
        if (call->k->body.first == NULL)
            continue; /* nothing to compute: a tensor without elements */
        program_step step = {
            .note = of->note, .node = of->nodes.lead->source, .lead = of->lead, .macs = call->macs};
        step_arg *args = ARENA_NEW_N(w->memory, step_arg, call->k->buffers.n + 1);
        TRY_ALLOC(args);
        for (size_t k = 0; k < call->k->buffers.n; k++)
            args[k] = (step_arg){buffers[call->buffers[k]], 0};
        step.args = args;
        TRY(add_kernel(w, call->k, &step.kernel));
        TRY(add_step(w, step, &of->nodes));
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
static status work_of(lowering *w, const node_info *root, const node *lead, work *out) {
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
    *out = (work){.lead = has_name ? lead->name : lead->op, .nodes = {lead, nodes.at, nodes.n}};
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
    schedule_operand o = {.elem = v->type.elem, .rank = v->type.rank, .layout = layout};
    int64_t count;
    TRY(value_shape(w, v, &o.dims, &count));
    TRY(VEC_PUSH(w->memory, c.operands, o));
    TRY(VEC_PUSH(w->memory, c.values, v));
    TRY(border_fill(&o, &options, &s));
    return add_steps(w, &s, &c, of);
}

static status lower_group(lowering *w, const node_info *root) {
    const node_info *which = root->core >= 0 ? &w->groups.nodes[root->core] : root;
    schedule_options options = {.target = w->o->target, .naive = w->o->naive};
    work of;
    TRY(work_of(w, root, which->n, &of));
    TRY(add_border(w, node_output(root->n, 0), &of));
    w->n_temporaries = 0;
    for (int i = 0; i < which->n_nests; i++) {
        composed c;
        schedule s = {.memory = w->memory};
        TRY(compose_group(&w->groups, root, which, i, w->memory, &c));
        if (w->n_temporaries == 0) {
            w->n_temporaries = NEST_MAX_AXES;
            TRY_ALLOC(w->temporaries = ARENA_NEW_N(w->memory, int, w->n_temporaries));
            memset(w->temporaries, -1, (size_t)w->n_temporaries * sizeof *w->temporaries);
        }
        TRY(schedule_nest(c.n, c.operands.at, (int)c.operands.n, &options, &s));
        TRY(add_steps(w, &s, &c, &of));
    }
    return STATUS_OK;
}

/* ---- outputs that nothing computes: a constant, an input, or the same value twice ---- */

static status copy_output(lowering *w, const value *v, int to) {
    composed c = {.b = builder_new(w->memory, w->o->target)};
    schedule s = {.memory = w->memory};
    schedule_options options = {.target = w->o->target, .naive = w->o->naive};
    const int64_t *dims = NULL;
    int64_t count = 0;
    int from = -1;
    const expr *axes[NEST_MAX_AXES];
    TRY_ALLOC(c.b);
    TRY(value_shape(w, v, &dims, &count));
    TRY(value_buffer(w, v, &from));
    nest_list l = {.b = c.b};
    nest_operand o = {true, v->type.elem, v->type.rank, dims};
    TRY(VEC_PUSH(w->memory, l.operands, o));
    TRY(VEC_PUSH(w->memory, l.operands, o));
    l.n_inputs = l.n_outputs = 1;
    nest *n = nest_add(&l, "copy");
    nest_outer_all(n, o.rank, dims, axes);
    nest_store(n, 1, axes, o.rank, nest_read(&l, 0, axes));
    schedule_operand operands[2] = {{o.elem, o.rank, dims, NULL, NULL}, {o.elem, o.rank, dims, NULL, NULL}};
    TRY(builder_status(c.b));
    TRY(schedule_nest(n, operands, 2, &options, &s));
    if (s.calls.at[0].k->body.first == NULL)
        return STATUS_OK; /* a tensor without elements */
    program_step step = {.note = "output", .node = -1};
    step_arg *args = ARENA_NEW_N(w->memory, step_arg, 2);
    TRY_ALLOC(args);
    const schedule_call *call = &s.calls.at[0];
    for (int k = 0; k < 2; k++)
        args[k] = (step_arg){s.buffers.at[call->buffers[k]].operand == 0 ? from : to, 0};
    step.args = args;
    TRY(add_kernel(w, call->k, &step.kernel));
    return add_step(w, step, &(step_nodes){0});
}

static status add_interface(lowering *w) {
    const graph *g = w->g;
    int b = 0;
    for (size_t i = 0; i < g->inputs.n; i++) {
        TRY(add_value_buffer(w, g->inputs.at[i], g->inputs.at[i]->name, PLACE_INPUT, &b));
        TRY(map_set_key(&w->buffers, MAP_KEY(g->inputs.at[i]), as_pointer(b)));
    }
    for (size_t i = 0; i < g->outputs.n; i++) {
        const value *v = g->outputs.at[i]->v;
        TRY(add_value_buffer(w, v, g->output_names.at[i], PLACE_OUTPUT, &b));
        if (v->def != NULL && v->constant == NULL && map_get_key(&w->buffers, MAP_KEY(v)) == NULL)
            TRY(map_set_key(&w->buffers, MAP_KEY(v), as_pointer(b)));
    }
    w->p->n_inputs = (int)g->inputs.n;
    w->p->n_outputs = (int)g->outputs.n;
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
    return op_unsupported(n, "unknown-shape", "the shape of '%s' is not known at compile time; bind its dimensions with --dim NAME=N", v->name);
}

static status check_node(const node *n) {
    if (n->row == NULL)
        return op_unsupported(n, "unsupported-operator", "the operator has no code yet");
    for (int i = 0; i < n->n_outputs; i++)
        TRY(check_value(n, n->outputs[i]));
    for (int i = 0; i < n->n_inputs; i++) {
        const op_param *p = op_input_param(n, i);
        const value *v = node_input(n, i);
        TRY(check_value(n, v));
        if (v != NULL && v->constant == NULL && p != NULL && (p->flags & PARAM_KNOWN))
            return op_unsupported(n, "not-constant", "input '%s' must be known at compile time; give it with --freeze, or bind the dimensions it is made of",
                                  p->name);
    }
    return n->row->kind != OP_EXPAND ? STATUS_OK : op_unsupported(n, "unsupported-operator", "it was not expanded: leave the pass 'expand' in");
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
    w->kernels = map_in(w->memory);
    return STATUS_OK;
}

status lower_graph(const graph *g, const lower_options *o, arena *a, program **out) {
    lowering w = {.g = g, .o = o, .memory = a};
    TRY(check_all(g));
    TRY(new_program(&w, g->name));
    TRY(add_interface(&w));
    TRY(group_nodes(g, o, a, &w.groups));
    TRY(choose_layouts(&w.groups));
    TRY(choose_borders(&w.groups));
    for (int i = 0; i < w.groups.n; i++)
        if (!w.groups.nodes[i].inlined && w.groups.nodes[i].core_of < 0)
            TRY(lower_group(&w, &w.groups.nodes[i]));
    TRY(copy_outputs(&w));
    TRY(plan_memory(w.p));
    *out = w.p;
    return STATUS_OK;
}

/* ---- one node alone ---- */

static status node_interface(lowering *w, const node *n) {
    int b = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (v == NULL || v->constant != NULL || map_get_key(&w->buffers, MAP_KEY(v)) != NULL)
            continue;
        TRY(add_value_buffer(w, v, v->name, PLACE_INPUT, &b));
        TRY(map_set_key(&w->buffers, MAP_KEY(v), as_pointer(b)));
        w->p->n_inputs++;
    }
    for (int i = 0; i < n->n_outputs; i++) {
        if (n->outputs[i] == NULL)
            continue;
        TRY(add_value_buffer(w, n->outputs[i], n->outputs[i]->name, PLACE_OUTPUT, &b));
        TRY(map_set_key(&w->buffers, MAP_KEY(n->outputs[i]), as_pointer(b)));
        w->p->n_outputs++;
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
    TRY(lower_group(&w, &w.groups.nodes[0]));
    TRY(plan_memory(w.p));
    *out = w.p;
    return STATUS_OK;
}

static bool is_lowerable(const node *n) {
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL && !type_shape(&n->outputs[i]->type, NULL))
            return false;
    return n->row != NULL && n->row->kind != OP_EXPAND && op_is_ready(n);
}

int64_t lower_macs(const node *n, const arena *a) {
    if (!is_lowerable(n))
        return -1;
    program *p = NULL;
    arena *scratch = arena_new(arena_allocator(a));
    int64_t sum = -1;
    if (scratch != NULL && lower_node(n, target_numeric(), scratch, &p) == STATUS_OK) {
        sum = 0;
        for (size_t i = 0; i < p->steps.n; i++)
            sum += p->steps.at[i].macs;
    }
    arena_free(scratch);
    return sum;
}
