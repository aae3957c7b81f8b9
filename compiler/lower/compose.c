/* Composition: inlined nodes are substituted where they are read, an epilogue where its core stores. */
#include <string.h>

#include "lower/group.h"
#include "lower/packed.h"

/* A node lowered into the group's builder. */
typedef struct lowered {
    const node *n;
    nest_list *l;
    const expr *value; /* of an inlined map, over its axes, READs already in the group's numbering */
} lowered;

typedef struct composer {
    const grouping *x;
    arena *memory;
    composed *out;
    map inlined; /* node -> lowered */
    status result;
} composer;

static const expr *resolve(composer *c, const lowered *from, const expr *x);

/* ---- one node ---- */

static status lower_scalar(const node *n, nest_list *l) {
    const op_row *row = n->row;
    const nest_operand *y = &l->operands.at[l->n_inputs];
    const expr *axes[NEST_MAX_AXES], *x[NEST_MAX_AXES * 4];
    if (l->n_inputs > NEST_MAX_AXES * 4)
        return op_unsupported(n, "too-many-inputs", "%d inputs, at most %d are supported", l->n_inputs,
                              NEST_MAX_AXES * 4);
    nest *m = nest_add(l, text_identifier(builder_arena(l->b), row->name));
    nest_outer_all(m, y->rank, y->dims, axes);
    for (int i = 0; i < l->n_inputs; i++)
        x[i] = l->operands.at[i].present ? nest_read_broadcast(l, i, axes, y->rank) : NULL;
    nest_store(m, l->n_inputs, axes, y->rank, row->scalar(l->b, n, x));
    return STATUS_OK;
}

static status add_operand(arena *a, nest_list *l, const value *v) {
    nest_operand o = {.present = v != NULL};
    if (v != NULL) {
        int64_t *dims = ARENA_NEW_N(a, int64_t, v->type.rank + 1);
        TRY_ALLOC(dims);
        type_shape(&v->type, dims);
        o = (nest_operand){true, dtype_storage(v->type.elem), v->type.rank, dims};
    }
    return VEC_PUSH(a, l->operands, o);
}

status compose_lower(const node *n, arena *a, builder *b, nest_list **out) {
    nest_list *l = ARENA_NEW(a, nest_list);
    TRY_ALLOC(l);
    l->b = b;
    l->n_inputs = n->n_inputs;
    l->n_outputs = n->n_outputs;
    for (int i = 0; i < n->n_inputs; i++)
        TRY(add_operand(a, l, node_input(n, i)));
    for (int i = 0; i < n->n_outputs; i++)
        TRY(add_operand(a, l, node_output(n, i)));
    TRY(n->row->kind == OP_SCALAR ? lower_scalar(n, l) : n->row->lower(n, l));
    TRY(builder_status(b));
    *out = l;
    return STATUS_OK;
}

/* ---- operands of the group ---- */

static int add_group_operand(composer *c, const value *v, int temporary, schedule_operand o) {
    if (VEC_PUSH(c->memory, c->out->values, v) != STATUS_OK ||
        VEC_PUSH(c->memory, c->out->temporaries, temporary) != STATUS_OK ||
        VEC_PUSH(c->memory, c->out->operands, o) != STATUS_OK) {
        c->result = STATUS_RESOURCE;
        return 0;
    }
    return (int)c->out->operands.n - 1;
}

static const void *constant_data(composer *c, const value *v) {
    const void *data = NULL;
    if (v->constant != NULL && packed_constant(v->constant, c->memory, &data) != STATUS_OK)
        c->result = STATUS_RESOURCE;
    return data;
}

static int operand_of_value(composer *c, const value *v, const nest_operand *o) {
    for (size_t i = 0; i < c->out->values.n; i++)
        if (c->out->values.at[i] == v)
            return (int)i;
    const void *data = constant_data(c, v);
    return add_group_operand(c, v, -1, (schedule_operand){o->elem, o->rank, o->dims, data, layout_of(c->x, v)});
}

/* The group's number for operand k of a lowered node. */
static int group_operand(composer *c, const lowered *from, int k) {
    const nest_operand *o = &from->l->operands.at[k];
    if (k < from->l->n_inputs)
        return operand_of_value(c, node_input(from->n, k), o);
    if (k < from->l->n_inputs + from->l->n_outputs)
        return operand_of_value(c, node_output(from->n, k - from->l->n_inputs), o);
    int temporary = k - from->l->n_inputs - from->l->n_outputs;
    for (size_t i = 0; i < c->out->temporaries.n; i++)
        if (c->out->values.at[i] == NULL && c->out->temporaries.at[i] == temporary)
            return (int)i;
    return add_group_operand(c, NULL, temporary, (schedule_operand){o->elem, o->rank, o->dims, NULL, NULL});
}

/* ---- substitution of READs ---- */

/* x read only where mask is true, 0 elsewhere. */
static const expr *mask_value(composer *c, const expr *x, const expr *mask) {
    builder *b = c->out->b;
    expr_list reads = {.kind = EXPR_READ, .memory = c->memory};
    expr_list_add(&reads, x);
    for (size_t i = 0; i < reads.at.n; i++) {
        const expr *r = reads.at.at[i];
        int rank = r->n_args - (r->masked ? 1 : 0);
        const expr *both = r->masked ? build_and(b, r->arg[rank], mask) : mask;
        const expr *masked = build_read(b, r->ref, r->type.elem, r->arg, rank, both);
        if (x == r)
            return masked;
        x = build_substitute(b, x, &r, &masked, 1);
        for (size_t k = i + 1; k < reads.at.n; k++) /* whose indices may hold this one */
            reads.at.at[k] = build_substitute(b, reads.at.at[k], &r, &masked, 1);
    }
    return build_select(b, mask, x, build_const(b, x->type.elem, 0));
}

static lowered *inlined_node(composer *c, const node *n) {
    lowered *have = map_get_key(&c->inlined, MAP_KEY(n));
    if (have != NULL)
        return have;
    lowered *made = ARENA_NEW(c->memory, lowered);
    if (made == NULL || compose_lower(n, c->memory, c->out->b, &made->l) != STATUS_OK) {
        c->result = STATUS_RESOURCE; /* the node lowered without complaint when it was looked at */
        return NULL;
    }
    made->n = n;
    made->value = resolve(c, made, made->l->nests.at[0]->stages.at[0].value);
    if (map_set_key(&c->inlined, MAP_KEY(n), made) != STATUS_OK)
        c->result = STATUS_RESOURCE;
    return made;
}

static const expr *read_value(composer *c, const lowered *from, int k, const expr *const *index, int rank,
                              const expr *mask, dtype elem) {
    builder *b = c->out->b;
    const value *v = k < from->l->n_inputs ? node_input(from->n, k) : NULL;
    const node_info *def = v != NULL && v->def != NULL && v->constant == NULL ? group_info(c->x, v->def) : NULL;
    if (def == NULL || !def->inlined)
        return build_read(b, group_operand(c, from, k), elem, index, rank, mask);
    lowered *inner = inlined_node(c, v->def);
    if (inner == NULL)
        return build_const(b, elem, 0);
    const nest *m = inner->l->nests.at[0];
    const expr *axes[NEST_MAX_AXES];
    for (int i = 0; i < m->n_axes; i++)
        axes[i] = m->axes[i].var;
    const expr *x = build_substitute(b, inner->value, axes, index, m->n_axes);
    return mask == NULL ? x : mask_value(c, x, mask);
}

/* x, of a node's own numbering, in the group's: what is inlined substituted, the rest renumbered. */
static const expr *resolve(composer *c, const lowered *from, const expr *x) {
    builder *b = c->out->b;
    expr_list reads = {.kind = EXPR_READ, .memory = c->memory};
    expr_list_add(&reads, x);
    const expr **to = ARENA_NEW_N(c->memory, const expr *, reads.at.n + 1);
    if (to == NULL || reads.result != STATUS_OK) {
        c->result = STATUS_RESOURCE;
        return x;
    }
    for (size_t i = 0; i < reads.at.n; i++) {
        const expr *r = reads.at.at[i], *args[NEST_MAX_AXES + 1];
        for (int k = 0; k < r->n_args; k++)
            args[k] = build_substitute(b, r->arg[k], reads.at.at, to, (int)i);
        int rank = r->n_args - (r->masked ? 1 : 0);
        to[i] = read_value(c, from, r->ref, args, rank, r->masked ? args[rank] : NULL, r->type.elem);
    }
    return build_substitute(b, x, reads.at.at, to, (int)reads.at.n);
}

static void resolve_nest(composer *c, const lowered *from, nest *m) {
    for (size_t s = 0; s < m->stages.n; s++) {
        nest_stage *g = &m->stages.at[s];
        g->value = resolve(c, from, g->value);
        if (g->kind != STAGE_STORE)
            continue;
        g->operand = group_operand(c, from, g->operand);
        for (int d = 0; d < g->rank; d++)
            g->index[d] = resolve(c, from, g->index[d]);
    }
}

/* ---- epilogue ---- */

/* The element x of the root's map in place of what the core's store gives. */
static status end_store(composer *c, const nest *map_nest, const expr *x, const value *v, int operand,
                        nest_stage *store) {
    builder *b = c->out->b;
    const expr *axes[NEST_MAX_AXES];
    for (int i = 0; i < map_nest->n_axes; i++)
        axes[i] = map_nest->axes[i].var;
    x = build_substitute(b, x, axes, store->index, map_nest->n_axes);
    expr_list reads = {.kind = EXPR_READ, .memory = c->memory};
    expr_list_add(&reads, x);
    TRY(reads.result);
    for (size_t i = 0; i < reads.at.n; i++) {
        const expr *read = reads.at.at[i];
        if (c->out->values.at[read->ref] == v)
            x = build_substitute(b, x, &read, &store->value, 1);
    }
    store->value = x;
    store->operand = operand;
    return STATUS_OK;
}

/* The root's expression over the element that the core stores, wherever it stores one. */
static status add_epilogue(composer *c, const node_info *root, const node_info *core, nest *m) {
    builder *b = c->out->b;
    lowered r = {.n = root->n};
    TRY(compose_lower(root->n, c->memory, b, &r.l));
    const nest *map_nest = r.l->nests.at[0];
    const value *v = node_output(core->n, 0);
    const expr *x = NULL;
    int operand = -1;
    for (size_t s = 0; s < m->stages.n; s++) {
        nest_stage *store = &m->stages.at[s];
        if (store->kind != STAGE_STORE || c->out->values.at[store->operand] != v)
            continue;
        if (x == NULL) {
            x = resolve(c, &r, map_nest->stages.at[0].value);
            operand = group_operand(c, &r, map_nest->stages.at[0].operand);
        }
        TRY(end_store(c, map_nest, x, v, operand, store));
    }
    if (x == NULL)
        return c->result;
    char *name = arena_printf(builder_arena(b), "%s_%s", m->name, map_nest->name);
    TRY_ALLOC(name);
    m->name = name;
    return c->result;
}

/* A raw nest keeps its node's numbering: operand k is operand k. */
static status raw_operands(composer *c, const lowered *from) {
    static const uint8_t nothing[8] = {0};
    for (size_t k = 0; k < from->l->operands.n; k++) {
        const nest_operand *o = &from->l->operands.at[k];
        if (!o->present)
            (void)add_group_operand(c, NULL, -1, (schedule_operand){DT_U8, 0, NULL, nothing, NULL});
        else if (k < (size_t)from->l->n_inputs) {
            const value *v = node_input(from->n, (int)k);
            (void)add_group_operand(c, v, -1, (schedule_operand){o->elem, o->rank, o->dims, constant_data(c, v), NULL});
        } else
            (void)group_operand(c, from, (int)k);
    }
    return c->result;
}

status compose_group(const grouping *x, const node_info *root, const node_info *which, int index, arena *a,
                     composed *out) {
    composer c = {.x = x, .memory = a, .out = out, .inlined = map_in(a)};
    *out = (composed){.b = builder_new(a, x->o->target)};
    TRY_ALLOC(out->b);
    lowered from = {.n = which->n};
    TRY(compose_lower(which->n, a, out->b, &from.l));
    out->n = from.l->nests.at[index];
    if (out->n->raw)
        return raw_operands(&c, &from);
    for (nest *m = out->n; m != NULL; m = m->then)
        resolve_nest(&c, &from, m);
    if (which != root && (index == which->n_nests - 1 || from.l->parts))
        TRY(add_epilogue(&c, root, which, out->n));
    TRY(c.result);
    return builder_status(out->b);
}

/* ---- a question about the result ---- */

static bool nest_is_affine(const composed *c, const nest *m) {
    for (size_t s = 0; s < m->stages.n; s++) {
        const nest_stage *g = &m->stages.at[s];
        if (g->kind == STAGE_STORE)
            continue;
        const expr *vars[2 * NEST_MAX_AXES + 1];
        int n = 0;
        if (m->steps.var != NULL)
            vars[n++] = m->steps.var;
        for (int i = 0; i < m->n_axes; i++)
            vars[n++] = m->axes[i].var;
        for (int i = 0; i < g->n_axes; i++)
            vars[n++] = g->axes[i].var;
        expr_list reads = {.kind = EXPR_READ, .memory = builder_arena(c->b)};
        expr_list_add(&reads, g->value);
        for (size_t i = 0; i < reads.at.n; i++) {
            const expr *r = reads.at.at[i], *rest = NULL;
            const schedule_operand *o = &c->operands.at[r->ref];
            int64_t steps[2 * NEST_MAX_AXES + 1];
            if (!expr_affine(c->b, operand_position(c->b, o, r->arg), vars, n, steps, &rest) || rest->kind != EXPR_INT)
                return false;
        }
    }
    return true;
}

bool compose_is_affine(const composed *c) {
    for (const nest *m = c->n; m != NULL; m = m->then)
        if (!nest_is_affine(c, m))
            return false;
    return true;
}
