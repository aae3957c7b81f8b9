/* Which nodes are computed together. */
#include "lower/group.h"

#include <string.h>

/* An expression of at most this many operations is cheaper to compute again than to store and load. */
#define CHEAP 2

node_info *group_info(const grouping *x, const node *n) {
    return map_get_key(&x->by_node, MAP_KEY(n));
}

/* ---- what a node is ---- */

typedef struct shape_of_value {
    int operations, reads;
} shape_of_value;

static void count_parts(const expr *x, void *ctx) {
    shape_of_value *s = ctx;
    if (x->kind == EXPR_READ)
        s->reads++;
    else if (x->n_args > 0 && x->type.elem != DT_I64)
        s->operations++;
}

/* Does the store cover its operand, each dimension by an axis of its own (or by 0 where the extent is 1)? */
static bool store_is_identity(const nest *m, const nest_stage *g, const nest_operand *o) {
    for (int d = 0; d < g->rank; d++) {
        const expr *i = g->index[d];
        bool found = o->dims[d] == 1 && expr_is_int(i, 0);
        for (int k = 0; !found && k < m->n_axes; k++)
            found = m->axes[k].var == i && m->axes[k].extent == o->dims[d];
        for (int k = 0; !found && k < g->n_axes; k++)
            found = g->axes[k].var == i && g->axes[k].extent == o->dims[d];
        if (!found)
            return false;
        for (int e = 0; e < d; e++)
            if (g->index[e] == i && i->kind == EXPR_VAR)
                return false;
    }
    return true;
}

static bool is_map(const nest_list *l) {
    const nest *m = l->nests.at[0];
    if (l->nests.n != 1 || m->raw || m->stages.n != 1 || m->stages.at[0].kind != STAGE_STORE ||
        m->stages.at[0].n_axes != 0)
        return false;
    const nest_stage *g = &m->stages.at[0];
    if (l->n_outputs != 1 || g->operand != l->n_inputs || m->n_axes != g->rank)
        return false;
    for (int d = 0; d < g->rank; d++)
        if (g->index[d] != m->axes[d].var)
            return false;
    return store_is_identity(m, g, &l->operands.at[g->operand]);
}

static bool is_view(const nest_list *l, const nest *m) {
    const nest_stage *g = &m->stages.at[0];
    const expr *r = g->value, *units[NEST_MAX_AXES], *zeros[NEST_MAX_AXES];
    const nest_operand *from = &l->operands.at[r->ref], *to = &l->operands.at[g->operand];
    int n = 0;
    for (int i = 0; i < m->n_axes; i++)
        if (m->axes[i].extent == 1) {
            units[n] = m->axes[i].var;
            zeros[n++] = build_index(l->b, 0);
        }
    const expr *read = nest_linear(l->b, r->arg, from->rank, from->dims);
    const expr *stored = nest_linear(l->b, g->index, to->rank, to->dims);
    return build_substitute(l->b, read, units, zeros, n) == build_substitute(l->b, stored, units, zeros, n);
}

static bool parts_may_be_core(const nest_list *l) {
    for (size_t k = 0; k < l->nests.n; k++)
        if (l->nests.at[k]->raw || l->nests.at[k]->stages.n == 0)
            return false;
    return true;
}

static bool may_be_core(const nest_list *l) {
    if (l->parts)
        return parts_may_be_core(l);
    const nest *last = l->nests.at[l->nests.n - 1];
    if (last->raw || l->n_outputs != 1 || last->stages.n == 0)
        return false;
    int stores = 0;
    for (size_t k = 0; k < l->nests.n; k++)
        for (size_t s = 0; !l->nests.at[k]->raw && s < l->nests.at[k]->stages.n; s++)
            stores +=
                l->nests.at[k]->stages.at[s].kind == STAGE_STORE && l->nests.at[k]->stages.at[s].operand == l->n_inputs;
    const nest_stage *g = &last->stages.at[last->stages.n - 1];
    return stores == 1 && g->kind == STAGE_STORE && g->operand == l->n_inputs &&
           store_is_identity(last, g, &l->operands.at[g->operand]);
}

static void describe_nest(const nest *m, node_info *i) {
    int stages = 0;
    i->raw |= m->raw;
    i->in_steps |= m->steps.var != NULL;
    i->contract |= m->contract;
    for (size_t s = 0; s < m->stages.n; s++) {
        shape_of_value v = {0};
        expr_visit(m->stages.at[s].value, count_parts, &v);
        i->cost += v.operations;
        stages += v.reads > 0;
    }
    i->reads = stages > i->reads ? stages : i->reads;
}

static void describe(const nest_list *l, node_info *i) {
    i->n_nests = (int)l->nests.n;
    i->map = is_map(l);
    i->may_be_core = may_be_core(l);
    i->channels_last = l->channels_last;
    for (size_t k = 0; k < l->nests.n; k++)
        for (const nest *m = l->nests.at[k]; m != NULL; m = m->then)
            describe_nest(m, i);
    const expr *element = i->map ? l->nests.at[0]->stages.at[0].value : NULL;
    i->movement = i->map && element->kind == EXPR_READ && !element->masked;
    i->view = i->movement && is_view(l, l->nests.at[0]);
}

static status look_at(const node *n, const lower_options *o, arena *scratch, node_info *out) {
    arena_mark mark = arena_get_mark(scratch);
    nest_list *l = NULL;
    builder *b = builder_new(scratch, o->target);
    TRY_ALLOC(b);
    status s = compose_lower(n, scratch, b, &l);
    if (s == STATUS_OK && l->nests.n == 0)
        s = op_unsupported(n, "not-lowered", "this form of the operator has no code yet");
    if (s == STATUS_OK)
        describe(l, out);
    arena_reset(scratch, mark);
    return s;
}

/* ---- who reads it ---- */

static void add_root(node_info *i, int root) {
    for (int k = 0; k < i->n_roots && k < GROUP_MAX_ROOTS; k++)
        if (i->roots[k] == root)
            return;
    if (i->n_roots < GROUP_MAX_ROOTS)
        i->roots[i->n_roots] = root;
    i->n_roots++;
}

/* Collects the roots that read n's output, and how. False where it must have a buffer. */
static bool collect_readers(const grouping *x, node_info *i) {
    const value *v = node_output(i->n, 0);
    i->n_roots = 0;
    i->hot = i->repeated = i->operand_of_raw = false;
    if (v == NULL || i->n->n_outputs != 1 || v->uses == NULL)
        return false;
    bool inside = true;
    for (const use *u = v->uses; u != NULL; u = u->next) {
        if (u->user == NULL) {
            inside = false;
            continue;
        }
        const node_info *reader = group_info(x, u->user);
        i->hot |= reader->contract || (reader->inlined && reader->hot);
        i->repeated |= reader->reads > 1 || (reader->inlined && reader->repeated);
        i->operand_of_raw |= reader->raw;
        for (int k = 0; k < reader->n_roots; k++) {
            if (k == GROUP_MAX_ROOTS)
                return false;
            add_root(i, reader->roots[k]);
        }
    }
    return inside && i->n_roots <= GROUP_MAX_ROOTS && i->n_roots > 0;
}

static void make_root(grouping *x, node_info *i) {
    i->inlined = false;
    i->roots[0] = (int)(i - x->nodes);
    i->n_roots = 1;
}

/* ---- may it be inlined ---- */

/* Is a value smaller than what its reader computes? Then inlining computes it several times. */
static bool is_broadcast(const grouping *x, const node_info *i) {
    const value *v = node_output(i->n, 0);
    int64_t own = type_count(&v->type);
    for (int k = 0; k < i->n_roots; k++) {
        const value *y = node_output(x->nodes[i->roots[k]].n, 0);
        if (type_count(&y->type) > own)
            return true;
    }
    return false;
}

/* Does it make a narrower type of what a contraction computes? Then it is better stored than the sums. */
static bool narrows(const grouping *x, const node_info *i) {
    for (int k = 0; k < i->n->n_inputs; k++) {
        const value *v = node_input(i->n, k);
        if (v != NULL && v->def != NULL && v->constant == NULL && group_info(x, v->def)->contract && v->n_uses == 1 &&
            dtype_bits(v->type.elem) > dtype_bits(node_output(i->n, 0)->type.elem))
            return true;
    }
    return false;
}

static status stays_affine(const grouping *x, const node_info *root, arena *scratch, bool *out) {
    arena_mark mark = arena_get_mark(scratch);
    const node_info *which = root->core >= 0 ? &x->nodes[root->core] : root;
    status s = STATUS_OK;
    *out = true;
    for (int k = 0; k < which->n_nests && s == STATUS_OK && *out; k++) {
        composed c;
        s = compose_group(x, root, which, k, scratch, &c);
        *out = s == STATUS_OK && compose_is_affine(&c);
    }
    arena_reset(scratch, mark);
    return s;
}

static status may_inline(grouping *x, node_info *i, arena *scratch, bool *out) {
    *out = false;
    if (!i->map || i->operand_of_raw)
        return STATUS_OK;
    if (narrows(x, i)) { /* with the contraction it becomes the end of one kernel; a second one is stored */
        node_info *root = &x->nodes[i->roots[0]];
        *out = i->n_roots == 1 && root->map && root->core < 0 && !root->narrowed && !i->hot && !i->repeated;
        root->narrowed |= *out;
        return STATUS_OK;
    }
    if (i->hot) {
        if (!i->movement)
            return STATUS_OK;
        i->inlined = *out = true;
        for (int k = 0; *out && k < i->n_roots; k++)
            TRY(stays_affine(x, &x->nodes[i->roots[k]], scratch, out));
        i->inlined = false;
        return STATUS_OK;
    }
    if (i->movement)
        *out = i->view || i->n_roots == 1;
    else if (i->cost <= CHEAP)
        *out = !i->repeated && !is_broadcast(x, i); /* better the epilogue of whoever makes its operand */
    else
        *out = i->n_roots == 1 && !i->repeated && !is_broadcast(x, i);
    return STATUS_OK;
}

/* ---- may it be a core ---- */

typedef struct identity_check {
    const composed *c;
    const nest_stage *store;
    const value *v;
    bool holds;
} identity_check;

static void check_read(const expr *x, void *ctx) {
    identity_check *k = ctx;
    if (x->kind != EXPR_READ || k->c->values.at[x->ref] != k->v)
        return;
    k->holds &= !x->masked;
    for (int d = 0; d < k->store->rank; d++)
        k->holds &=
            x->arg[d] == k->store->index[d] || (k->c->operands.at[x->ref].dims[d] == 1 && expr_is_int(x->arg[d], 0));
}

/* Does the composed root read v only at the index at which it stores? */
static bool reads_identity(const composed *c, const value *v) {
    identity_check k = {c, &c->n->stages.at[c->n->stages.n - 1], v, true};
    expr_visit(k.store->value, check_read, &k);
    return k.holds;
}

static bool same_shape(const value *v, const value *w) {
    if (v->type.rank != w->type.rank)
        return false;
    for (int d = 0; d < v->type.rank; d++)
        if (!dim_equal(v->type.dims[d], w->type.dims[d]))
            return false;
    return true;
}

static status may_join(const grouping *x, const node_info *i, arena *scratch, bool *out) {
    *out = false;
    if (!i->may_be_core || i->n_roots != 1 || i->operand_of_raw || narrows(x, i))
        return STATUS_OK;
    const node_info *root = &x->nodes[i->roots[0]];
    const value *v = node_output(i->n, 0), *y = node_output(root->n, 0);
    if (!root->map || root->core >= 0 || !same_shape(v, y))
        return STATUS_OK;
    arena_mark mark = arena_get_mark(scratch);
    composed c;
    status s = compose_group(x, root, root, 0, scratch, &c);
    *out = s == STATUS_OK && reads_identity(&c, v);
    arena_reset(scratch, mark);
    return s;
}

/* ---- all nodes, last first ---- */

static status decide(grouping *x, node_info *i, arena *scratch) {
    bool yes = false;
    if (x->o->naive || !collect_readers(x, i)) {
        make_root(x, i);
        return STATUS_OK;
    }
    TRY(may_inline(x, i, scratch, &yes));
    if (yes) {
        i->inlined = true;
        return STATUS_OK;
    }
    TRY(may_join(x, i, scratch, &yes));
    if (yes) {
        i->core_of = i->roots[0];
        x->nodes[i->core_of].core = (int)(i - x->nodes);
        return STATUS_OK;
    }
    make_root(x, i);
    return STATUS_OK;
}

static status new_grouping(const graph *g, const lower_options *o, arena *a, int n, grouping *out,
                           arena **out_scratch) {
    *out = (grouping){.g = g, .o = o, .memory = a, .by_node = map_in(a), .layouts = map_in(a)};
    TRY_ALLOC(out->nodes = ARENA_NEW_N(a, node_info, n + 1));
    TRY_ALLOC(*out_scratch = arena_new(arena_allocator(a)));
    return STATUS_OK;
}

static status add_node(grouping *x, const node *n, arena *scratch) {
    node_info *i = &x->nodes[x->n++];
    *i = (node_info){.n = n, .core = -1, .core_of = -1};
    TRY(map_set_key(&x->by_node, MAP_KEY(n), i));
    return look_at(n, x->o, scratch, i);
}

status group_nodes(const graph *g, const lower_options *o, arena *a, grouping *out) {
    arena *scratch = NULL;
    TRY(new_grouping(g, o, a, g->n_nodes, out, &scratch));
    status all = STATUS_OK;
    for (const node *n = g->first; n != NULL && all != STATUS_RESOURCE; n = n->next) {
        status s = add_node(out, n, scratch);
        all = all == STATUS_OK ? s : all;
    }
    if (all == STATUS_OK)
        all = adopt_transposes(out);
    for (int k = out->n - 1; all == STATUS_OK && k >= 0; k--)
        all = decide(out, &out->nodes[k], scratch);
    arena_free(scratch);
    return all;
}

status group_node(const node *n, const lower_options *o, arena *a, grouping *out) {
    arena *scratch = NULL;
    TRY(new_grouping(n->graph, o, a, 1, out, &scratch));
    status s = add_node(out, n, scratch);
    if (s == STATUS_OK)
        make_root(out, &out->nodes[0]);
    arena_free(scratch);
    return s;
}

bool lower_is_identity(const node *n, arena *scratch, int *out_input) {
    bool holds = false;
    const value *y = n->n_outputs == 1 ? node_output(n, 0) : NULL;
    if (y == NULL || !type_shape(&y->type, NULL) || !op_is_ready(n) || n->row->kind == OP_EXPAND)
        return false;
    arena_mark mark = arena_get_mark(scratch);
    nest_list *l = NULL;
    builder *b = builder_new(scratch, target_numeric());
    if (b != NULL && compose_lower(n, scratch, b, &l) == STATUS_OK && l->nests.n == 1 && is_map(l)) {
        const nest_stage *g = &l->nests.at[0]->stages.at[0];
        holds = g->value->kind == EXPR_READ && !g->value->masked && is_view(l, l->nests.at[0]) &&
                type_equal(&node_input(n, g->value->ref)->type, &y->type);
        *out_input = g->value->ref;
    }
    arena_reset(scratch, mark);
    return holds;
}
