/* Regions of nodes that compute the same whatever the layout: transposes at their borders cancel each other when the
 * nodes between work on what is not transposed. */
#include <string.h>

#include "passes/transposes.h"

typedef struct region {
    graph *g;
    permutation p, inverse; /* every value inside is a Transpose p of what it becomes */
    arena *a;
    map inside; /* node -> node */
    VEC(node *) nodes;
    map sources; /* value that comes in -> what is used in its place (itself until the flip) */
    VEC(value *) entries;
    int count;         /* by how much there are more transposes after the flip */
    int64_t bytes;     /* by how much they write more */
    bool unknown_size; /* an inserted one has a size that is not known */
} region;

/* ---- nodes that can be flipped ---- */

static int axis_within(int64_t axis, int rank) {
    return (int)(axis < 0 ? axis + rank : axis);
}

static status set_ints(node *n, int input, const int64_t *ints, int64_t count) {
    value *v = graph_add_ints(n->graph, node_input(n, input)->name, 1, ints, count);
    TRY_ALLOC(v);
    return node_set_input(n, input, v);
}

static status turn_axis(node *n, const permutation *p) {
    const attr a = {.name = "axis", .kind = ATTR_INT, .i = p->of[axis_within(op_int(n, "axis"), p->rank)]};
    return node_set_attr(n, &a);
}

static bool has_known_axes(const node *n) {
    const value *axes = node_input(n, 1);
    return axes == NULL || axes->constant != NULL;
}

static bool keeps_dims(const node *n) {
    return has_known_axes(n) && op_int(n, "keepdims") != 0;
}

static status turn_axes(node *n, const permutation *p) {
    const tensor *t = node_input(n, 1) != NULL ? node_input(n, 1)->constant : NULL;
    int64_t axes[TENSOR_MAX_RANK];
    if (t == NULL || t->count == 0)
        return STATUS_OK;
    for (int64_t i = 0; i < t->count; i++)
        axes[i] = p->of[axis_within(tensor_int(t, i), p->rank)];
    return set_ints(n, 1, axes, t->count);
}

static bool has_plain_pads(const node *n) {
    const value *pads = node_input(n, 1);
    return pads != NULL && pads->constant != NULL && node_input(n, 3) == NULL;
}

static status turn_pads(node *n, const permutation *p) {
    int64_t pads[2 * TENSOR_MAX_RANK];
    const tensor *t = node_input(n, 1)->constant;
    for (int k = 0; k < p->rank; k++) {
        pads[p->of[k]] = tensor_int(t, k);
        pads[p->rank + p->of[k]] = tensor_int(t, p->rank + k);
    }
    return set_ints(n, 1, pads, 2 * p->rank);
}

static bool has_one_scale(const node *n) {
    const value *scale = node_input(n, 1);
    return scale != NULL && type_count(&scale->type) == 1 && scale->type.rank <= 1 && op_int(n, "block_size") == 0;
}

enum { ALL_INPUTS = 99 };

typedef struct carrier {
    const char *op;
    int n_data;                                    /* inputs from 0 on that are in the layout */
    bool (*may)(const node *n);                    /* NULL: always */
    status (*turn)(node *n, const permutation *p); /* what it says of dimensions; NULL: nothing */
} carrier;

static const carrier carriers[] = {
    {"Concat", ALL_INPUTS, NULL, turn_axis},    {"Softmax", 1, NULL, turn_axis},
    {"LogSoftmax", 1, NULL, turn_axis},         {"Pad", 1, has_plain_pads, turn_pads},
    {"QuantizeLinear", 1, has_one_scale, NULL}, {"DequantizeLinear", 1, has_one_scale, NULL},
    {"ReduceMax", 1, keeps_dims, turn_axes},    {"ReduceMean", 1, keeps_dims, turn_axes},
    {"ReduceMin", 1, keeps_dims, turn_axes},    {"ReduceSum", 1, keeps_dims, turn_axes},
};
static const carrier element_wise = {NULL, ALL_INPUTS, NULL, NULL};

static const carrier *carrier_of(const node *n) {
    for (size_t i = 0; i < sizeof carriers / sizeof *carriers; i++)
        if (is_op(n, carriers[i].op))
            return carriers[i].may == NULL || carriers[i].may(n) ? &carriers[i] : NULL;
    return n->row != NULL && n->row->kind == OP_SCALAR ? &element_wise : NULL;
}

/* Does input i change with the layout? One element for all does not. */
static bool turns(const carrier *c, const node *n, int i) {
    const value *v = node_input(n, i);
    return i < c->n_data && v != NULL && (v->constant != NULL ? v->constant->count != 1 : v->type.rank > 0);
}

/* Can the node, in this rank, be flipped? */
static const carrier *flippable(const node *n, int rank) {
    const carrier *c = carrier_of(n);
    if (c == NULL || n->n_outputs != 1 || n->outputs[0] == NULL || n->outputs[0]->type.rank != rank)
        return NULL;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (!turns(c, n, i))
            continue;
        if (v->constant != NULL ? dtype_bits(v->constant->elem) < 8 || v->constant->rank > rank : v->type.rank != rank)
            return NULL;
    }
    return c;
}

/* Does the Reduce take the layout away, as what it leaves has its dimensions in the order of `p`'s input? */
static bool absorbs(const node *n, const permutation *p) {
    bool reduced[TENSOR_MAX_RANK] = {false};
    int64_t last = -1;
    const carrier *c = n != NULL ? carrier_of(n) : NULL;
    if (c != NULL || n == NULL || n->domain[0] != '\0' || strncmp(n->op, "Reduce", 6) != 0 || n->row == NULL ||
        !has_known_axes(n) || op_int(n, "keepdims") != 0)
        return false;
    const tensor *t = node_input(n, 1) != NULL ? node_input(n, 1)->constant : NULL;
    for (int64_t i = 0; t != NULL && i < t->count; i++)
        reduced[axis_within(tensor_int(t, i), p->rank)] = true;
    bool all = (t == NULL || t->count == 0) && op_int(n, "noop_with_empty_axes") == 0;
    for (int k = 0; k < p->rank; k++) {
        if (all || reduced[k])
            continue;
        if (p->of[k] < last)
            return false;
        last = p->of[k];
    }
    return true;
}

status transpose_absorb(graph *g, node *reduce) {
    permutation p;
    node *before = node_input(reduce, 0) != NULL ? node_input(reduce, 0)->def : NULL;
    if (before == NULL || !permutation_read(before, &p) || !absorbs(reduce, &p))
        return STATUS_OK;
    TRY(turn_axes(reduce, &p));
    TRY(node_set_input(reduce, 0, node_input(before, 0)));
    return erase_unused(g, before);
}

/* ---- the region ---- */

static bool is_inside(const region *r, const node *n) {
    return n != NULL && map_get_key(&r->inside, MAP_KEY(n)) != NULL;
}

/* Is this use of a value one by a node inside that goes with the layout? */
static bool is_inner(const region *r, const use *u) {
    return is_inside(r, u->user) && turns(carrier_of(u->user), u->user, u->index);
}

static status add_node(region *r, node *n) {
    if (n == NULL || is_inside(r, n) || flippable(n, r->p.rank) == NULL)
        return STATUS_OK;
    TRY(map_set_key(&r->inside, MAP_KEY(n), n));
    return VEC_PUSH(r->a, r->nodes, n);
}

static status add_users(region *r, const value *v) {
    for (const use *u = v->uses; u != NULL; u = u->next) {
        const carrier *c = u->user != NULL ? flippable(u->user, r->p.rank) : NULL;
        if (c != NULL && turns(c, u->user, u->index))
            TRY(add_node(r, u->user));
    }
    return STATUS_OK;
}

static bool is_transposed(const region *r, const value *v) {
    permutation q;
    return permutation_read(v->def, &q) && q.rank == r->p.rank &&
           memcmp(q.of, r->p.of, (size_t)q.rank * sizeof *q.of) == 0;
}

static status grow(region *r, const node *transpose) {
    TRY(add_users(r, transpose->outputs[0]));
    for (size_t i = 0; i < r->nodes.n; i++) {
        node *n = r->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++) {
            const value *v = node_input(n, k);
            if (!turns(carrier_of(n), n, k) || v->constant != NULL)
                continue;
            TRY(add_node(r, v->def));
            if (is_transposed(r, v))
                TRY(add_users(r, v));
        }
        TRY(add_users(r, n->outputs[0]));
    }
    return STATUS_OK;
}

static status find_entries(region *r) {
    for (size_t i = 0; i < r->nodes.n; i++) {
        const node *n = r->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++) {
            value *v = node_input(n, k);
            if (!turns(carrier_of(n), n, k) || is_inside(r, v->def) || map_get_key(&r->sources, MAP_KEY(v)) != NULL)
                continue;
            TRY(map_set_key(&r->sources, MAP_KEY(v), v));
            TRY(VEC_PUSH(r->a, r->entries, v));
        }
    }
    return STATUS_OK;
}

/* ---- what the flip costs ---- */

static void count_one(region *r, const value *v, int change) {
    int64_t n = type_count(&v->type);
    r->count += change;
    if (n >= 0)
        r->bytes += change * (int64_t)dtype_bytes(v->type.elem, (size_t)n);
    else
        r->unknown_size |= change > 0;
}

static void count_entry(region *r, const value *v) {
    permutation q;
    bool needed = false;
    if (v->constant != NULL)
        return;
    if (!is_transposed(r, v))
        count_one(r, v, 1);
    if (!permutation_read(v->def, &q))
        return;
    for (const use *u = v->uses; u != NULL; u = u->next)
        needed |= !is_inner(r, u);
    if (!needed)
        count_one(r, v, -1);
}

static void count_exit(region *r, const value *y) {
    bool needed = false;
    for (const use *u = y->uses; u != NULL; u = u->next) {
        permutation q;
        if (is_inner(r, u) || absorbs(u->user, &r->p))
            continue;
        if (u->user == NULL || !permutation_read(u->user, &q)) {
            needed = true;
            continue;
        }
        permutation left = permutation_after(&q, &r->p);
        if (permutation_is_identity(&left))
            count_one(r, y, -1);
    }
    if (needed)
        count_one(r, y, 1);
}

static bool pays(region *r) {
    for (size_t i = 0; i < r->entries.n; i++)
        count_entry(r, r->entries.at[i]);
    for (size_t i = 0; i < r->nodes.n; i++)
        count_exit(r, r->nodes.at[i]->outputs[0]);
    return r->count < 0 && r->bytes <= 0 && !r->unknown_size;
}

/* ---- the flip ---- */

static status make_source(region *r, value *v) {
    value *made;
    if (v->constant != NULL)
        TRY(permutation_undo(r->g, v, &r->p, &made));
    else if (is_transposed(r, v))
        made = node_input(v->def, 0);
    else
        made = permutation_apply(r->g, v->def != NULL ? v->def->next : r->g->first, v, &r->inverse);
    TRY_ALLOC(made);
    return map_set_key(&r->sources, MAP_KEY(v), made);
}

/* The type that y has in the other layout. */
static status turn_type(const region *r, value *y) {
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < r->p.rank; k++)
        dims[r->p.of[k]] = y->type.dims[k];
    return graph_set_type(r->g, y, &(tensor_type){y->type.elem, r->p.rank, dims});
}

/* Who is outside gets what it had, by the name that it had. */
static status restore(const region *r, node *n) {
    value *y = n->outputs[0], *old = NULL;
    const char *name = y->name, *other = arena_printf(r->a, "%s_transposed", name);
    TRY_ALLOC(other);
    TRY(graph_set_name(r->g, y, other));
    for (use *u = y->uses, *next; u != NULL; u = next) {
        next = u->next;
        if (is_inner(r, u) || (old != NULL && u->user == old->def))
            continue;
        if (absorbs(u->user, &r->p)) {
            TRY(turn_axes(u->user, &r->p));
            continue;
        }
        if (old == NULL) {
            TRY_ALLOC(old = permutation_apply(r->g, n->next, y, &r->p));
            old->def->source = n->source;
            old->def->name = n->name;
            TRY(graph_set_name(r->g, old, name));
        }
        TRY(u->user != NULL ? node_set_input(u->user, u->index, old) : graph_set_output(r->g, u->index, old));
    }
    return STATUS_OK;
}

static status flip_node(const region *r, node *n) {
    const carrier *c = carrier_of(n);
    for (int k = 0; k < n->n_inputs; k++) {
        value *source = turns(c, n, k) ? map_get_key(&r->sources, MAP_KEY(node_input(n, k))) : NULL;
        if (source != NULL)
            TRY(node_set_input(n, k, source));
    }
    if (c->turn != NULL)
        TRY(c->turn(n, &r->p));
    TRY(turn_type(r, n->outputs[0]));
    TRY(op_infer(n));
    return restore(r, n);
}

static status flip(region *r) {
    for (size_t i = 0; i < r->entries.n; i++)
        TRY(make_source(r, r->entries.at[i]));
    for (node *n = r->g->first, *next; n != NULL; n = next) {
        next = n->next;
        if (is_inside(r, n))
            TRY(flip_node(r, n));
    }
    for (size_t i = 0; i < r->entries.n; i++)
        TRY(erase_unused(r->g, r->entries.at[i]->def));
    return STATUS_OK;
}

status transpose_flip(graph *g, const node *transpose, arena *scratch, bool *out_done) {
    region r = {.g = g, .a = scratch, .inside = map_in(scratch), .sources = map_in(scratch)};
    if (!permutation_read(transpose, &r.p))
        return STATUS_OK;
    r.inverse = permutation_inverse(&r.p);
    TRY(grow(&r, transpose));
    TRY(find_entries(&r));
    *out_done = pays(&r);
    return *out_done ? flip(&r) : STATUS_OK;
}
