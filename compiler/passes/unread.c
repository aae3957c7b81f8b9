/* The pass unread: where all that is ever read of a value is one range of an axis, because a Gather or Slice picks it,
 * matrix products and what is row by row around them compute that range alone. A classifier that looks at the first
 * token needs the last block of a transformer for that token only. */
#include <string.h>

#include "passes/transposes.h"

/* What is read of a value: `count` elements of `axis` from `start` on; WHOLE: everything. */
typedef struct range {
    int axis;
    int64_t start, count;
} range;

#define WHOLE_AXIS (-1)
static const range whole = {.axis = WHOLE_AXIS};

/* A node that can compute a range of its output alone, and what it reads then. */
typedef struct cut {
    range out, *in; /* in: one for each input */
    bool pays;      /* a contraction is among what gets less to do */
} cut;

typedef struct sweep {
    graph *g;
    arena *a;
    map reads; /* value's id -> range *; none: nobody reads it */
    map cuts;  /* node's id -> cut * */
} sweep;

static bool is_whole(const range *r) {
    return r->axis == WHOLE_AXIS;
}

static bool same_range(const range *x, const range *y) {
    return x->axis == y->axis && (is_whole(x) || (x->start == y->start && x->count == y->count));
}

static int axis_within(int64_t axis, int rank) {
    return (int)(axis < 0 ? axis + rank : axis);
}

/* ---- what picks ---- */

static bool one_int(const value *v, int64_t *out) {
    if (v == NULL || v->constant == NULL || v->constant->count != 1)
        return false;
    *out = tensor_int(v->constant, 0);
    return true;
}

static int64_t clamp(int64_t at, int64_t extent) {
    at = at < 0 ? at + extent : at;
    return at < 0 ? 0 : at > extent ? extent : at;
}

static bool known_extent(const value *v, int64_t axis, int64_t *out) {
    if (axis < 0 || axis >= v->type.rank || !dim_is_known(v->type.dims[axis]))
        return false;
    *out = v->type.dims[axis].n;
    return true;
}

/* Gather of one index. */
static bool gather_read(const node *n, range *out, int64_t *extent) {
    const value *data = node_input(n, 0), *index = node_input(n, 1);
    int axis = axis_within(op_int(n, "axis"), data->type.rank);
    int64_t at;
    if (!one_int(index, &at) || index->constant->rank > 1 || !known_extent(data, axis, extent))
        return false;
    *out = (range){axis, at < 0 ? at + *extent : at, 1};
    return out->start >= 0 && out->start < *extent;
}

/* Slice of one axis by steps of one. */
static bool slice_read(const node *n, range *out, int64_t *extent) {
    const value *data = node_input(n, 0);
    int64_t start, end, axis = 0, step = 1;
    if (!one_int(node_input(n, 1), &start) || !one_int(node_input(n, 2), &end) ||
        (node_input(n, 3) != NULL && !one_int(node_input(n, 3), &axis)) ||
        (node_input(n, 4) != NULL && !one_int(node_input(n, 4), &step)) || step != 1)
        return false;
    axis = axis_within(axis, data->type.rank);
    if (!known_extent(data, axis, extent))
        return false;
    start = clamp(start, *extent);
    *out = (range){(int)axis, start, clamp(end, *extent) - start};
    return out->count > 0;
}

static bool pick_read(const node *n, range *out) {
    int64_t extent;
    bool is_pick = is_op(n, "Gather")  ? gather_read(n, out, &extent)
                   : is_op(n, "Slice") ? slice_read(n, out, &extent)
                                       : false;
    return is_pick && out->count < extent;
}

/* ---- what can compute a range alone ---- */

/* The range of an input that is broadcast to `rank` dimensions; false where it is not known what is read. */
static bool broadcast_range(const value *v, int rank, const range *out, range *in) {
    int64_t extent;
    if (v == NULL)
        return true;
    int axis = out->axis - (rank - v->type.rank);
    if (v->type.rank < 0 || (axis >= 0 && !known_extent(v, axis, &extent)))
        return false;
    if (axis >= 0 && extent != 1)
        *in = (range){axis, out->start, out->count};
    return true;
}

static int output_rank(const node *n) {
    return n->outputs[0]->type.rank;
}

static bool scalar_range(const node *n, const range *out, range *in) {
    for (int i = 0; i < n->n_inputs; i++)
        if (!broadcast_range(node_input(n, i), output_rank(n), out, &in[i]))
            return false;
    return true;
}

/* Rows, and what is done for each matrix. */
static bool matmul_range(const node *n, const range *out, range *in) {
    int rank = output_rank(n), x = node_input(n, 0)->type.rank, y = node_input(n, 1)->type.rank;
    if (x < 2 || y < 2 || out->axis == rank - 1)
        return false;
    if (out->axis < rank - 2)
        return scalar_range(n, out, in);
    in[0] = (range){x - 2, out->start, out->count};
    return true;
}

static bool gemm_range(const node *n, const range *out, range *in) {
    if (out->axis != 0)
        return false;
    in[0] = (range){op_int(n, "transA") != 0 ? 1 : 0, out->start, out->count};
    return broadcast_range(node_input(n, 2), 2, out, &in[2]);
}

static bool softmax_range(const node *n, const range *out, range *in) {
    in[0] = *out;
    return out->axis != axis_within(op_int(n, "axis"), output_rank(n));
}

static bool layer_norm_range(const node *n, const range *out, range *in) {
    int axis = axis_within(op_int(n, "axis"), output_rank(n)), inner = output_rank(n) - axis;
    in[0] = *out;
    for (int i = 1; i < n->n_inputs; i++)
        if (node_input(n, i) != NULL && (node_input(n, i)->type.rank < 0 || node_input(n, i)->type.rank > inner))
            return false;
    return out->axis < axis;
}

static bool transpose_range(const node *n, const range *out, range *in) {
    permutation p;
    if (!permutation_read(n, &p))
        return false;
    in[0] = (range){(int)p.of[out->axis], out->start, out->count};
    return true;
}

/* The axis of the input with as many elements before it, and as long, as the output's. */
static bool reshape_range(const node *n, const range *out, range *in) {
    int64_t from[TENSOR_MAX_RANK], to[TENSOR_MAX_RANK], before = 1, at = 1;
    if (!type_shape(&node_input(n, 0)->type, from) || !type_shape(&n->outputs[0]->type, to))
        return false;
    for (int k = 0; k < out->axis; k++)
        before *= to[k];
    for (int k = 0; k < node_input(n, 0)->type.rank; at *= from[k++]) {
        if (at != before || from[k] != to[out->axis])
            continue;
        in[0] = (range){k, out->start, out->count};
        return true;
    }
    return false;
}

/* Of the first input; others are read whole. */
static bool first_range(const node *n, const range *out, range *in) {
    (void)n;
    in[0] = *out;
    return true;
}

/* Rows of the last axis. */
static bool rows_range(const node *n, const range *out, range *in) {
    in[0] = *out;
    return out->axis < output_rank(n) - 1;
}

/* Rows of A; the offsets have one number for each column. */
static bool integer_matmul_range(const node *n, const range *out, range *in) {
    const value *offsets = node_input(n, 2);
    return (offsets == NULL || offsets->type.rank <= 1) && matmul_range(n, out, in);
}

/* With one scale for all; else the parameters may be read at the range, too. */
static bool quantize_range(const node *n, const range *out, range *in) {
    const value *scale = node_input(n, 1);
    in[0] = *out;
    return scale->type.rank == 0 || (scale->constant != NULL && scale->constant->count == 1);
}

/* Sums and the like over other axes, all of which stay. */
static bool reduce_range(const node *n, const range *out, range *in) {
    const value *axes = node_input(n, 1);
    if (op_int(n, "keepdims") == 0 || axes == NULL || axes->constant == NULL || axes->constant->count == 0)
        return false;
    for (int64_t k = 0; k < axes->constant->count; k++)
        if (axis_within(tensor_int(axes->constant, k), output_rank(n)) == out->axis)
            return false;
    in[0] = *out;
    return true;
}

typedef struct rule {
    const char *op;
    bool (*ranges)(const node *n, const range *out, range *in); /* in: WHOLE from the caller */
    bool is_contraction;
} rule;
static const rule rules[] = {
    {"MatMul", matmul_range, true},
    {"Gemm", gemm_range, true},
    {"Softmax", softmax_range, false},
    {"LayerNormalization", layer_norm_range, false},
    {"Reshape", reshape_range, false},
    {"Squeeze", reshape_range, false},
    {"Unsqueeze", reshape_range, false},
    {"Transpose", transpose_range, false},
    {"QuantizeLinear", quantize_range, false},
    {"DequantizeLinear", quantize_range, false},
    {"ReduceMean", reduce_range, false},
    {"ReduceSum", reduce_range, false},
};
/* Of tenon's own domain. */
static const rule own_rules[] = {
    {"IntegerMatMul", integer_matmul_range, true}, {"Requantize", scalar_range, false},
    {"RoundScaled", scalar_range, false},          {"Lookup", first_range, false},
    {"IntegerSoftmax", softmax_range, false},      {"IntegerLayerNorm", rows_range, false},
};

static const rule *rule_of(const node *n) {
    bool is_own = strcmp(n->domain, OP_OWN_DOMAIN) == 0;
    const rule *all = is_own ? own_rules : rules;
    size_t n_all = is_own ? sizeof own_rules / sizeof *own_rules : sizeof rules / sizeof *rules;
    for (size_t i = 0; i < n_all; i++)
        if ((is_own || is_op(n, all[i].op)) && strcmp(n->op, all[i].op) == 0)
            return &all[i];
    return NULL;
}

static bool ranges_of(const node *n, cut *c) {
    const rule *r = rule_of(n);
    if (r != NULL) {
        c->pays = r->is_contraction;
        return r->ranges(n, &c->out, c->in);
    }
    return n->row != NULL && n->row->kind == OP_SCALAR && !n->row->is_random && scalar_range(n, &c->out, c->in);
}

/* ---- backwards: what is read of each value ---- */

static status note_read(sweep *s, const value *v, const range *r) {
    range *known = map_get_key(&s->reads, v->id);
    if (known != NULL) {
        if (!same_range(known, r))
            *known = whole;
        return STATUS_OK;
    }
    TRY_ALLOC(known = arena_copy(s->a, r, sizeof *r));
    return map_set_key(&s->reads, v->id, known);
}

/* NULL where the node has to compute all, or is none that knows how to compute less. */
static status cut_of(sweep *s, const node *n, cut **out) {
    const range *r = n->n_outputs == 1 && n->outputs[0] != NULL ? map_get_key(&s->reads, n->outputs[0]->id) : NULL;
    *out = NULL;
    if (r == NULL || is_whole(r))
        return STATUS_OK;
    cut *c = ARENA_NEW(s->a, cut);
    TRY_ALLOC(c);
    TRY_ALLOC(c->in = ARENA_NEW_N(s->a, range, n->n_inputs + 1));
    c->out = *r;
    for (int i = 0; i < n->n_inputs; i++)
        c->in[i] = whole;
    *out = ranges_of(n, c) ? c : NULL;
    return STATUS_OK;
}

static status read_inputs(sweep *s, const node *n) {
    cut *c;
    range picked = whole;
    bool is_pick = pick_read(n, &picked);
    TRY(cut_of(s, n, &c));
    if (c != NULL)
        TRY(map_set_key(&s->cuts, n->id, c));
    for (int i = 0; i < n->n_inputs; i++)
        if (node_input(n, i) != NULL)
            TRY(note_read(s, node_input(n, i), c != NULL ? &c->in[i] : is_pick && i == 0 ? &picked : &whole));
    return STATUS_OK;
}

/* ---- forwards: the nodes compute that ---- */

static cut *cut_before(const sweep *s, const value *v) {
    cut *c = v != NULL && v->def != NULL ? map_get_key(&s->cuts, v->def->id) : NULL;
    return c != NULL && c->pays ? c : NULL;
}

/* A Slice of v before n; one that is there already where it is the same. */
static status slice_for(graph *g, node *n, value *v, const range *r, value **out) {
    range other;
    for (const use *u = v->uses; u != NULL; u = u->next)
        if (u->index == 0 && is_op(u->user, "Slice") && node_is_before(u->user, n) && pick_read(u->user, &other) &&
            same_range(&other, r)) {
            *out = u->user->outputs[0];
            return STATUS_OK;
        }
    const int64_t numbers[] = {r->start, r->start + r->count, r->axis};
    value *inputs[4] = {v};
    for (int i = 0; i < 3; i++)
        TRY_ALLOC(inputs[i + 1] = graph_add_ints(g, NULL, 1, &numbers[i], 1));
    node *made = graph_build(g, n, "Slice", inputs, 4, NULL, 0, 1);
    TRY_ALLOC(made);
    made->source = n->source;
    made->part_of = n->part_of != NULL ? n->part_of : n->op;
    made->name = n->name;
    *out = made->outputs[0];
    return STATUS_OK;
}

/* A Reshape says its result's shape. */
static status cut_shape(graph *g, node *n, const range *out) {
    int64_t dims[TENSOR_MAX_RANK];
    if (!is_op(n, "Reshape"))
        return STATUS_OK;
    (void)type_shape(&n->outputs[0]->type, dims);
    dims[out->axis] = out->count;
    value *shape = graph_add_ints(g, NULL, 1, dims, output_rank(n));
    TRY_ALLOC(shape);
    return node_set_input(n, 1, shape);
}

static status cut_node(sweep *s, node *n, cut *c) {
    for (int i = 0; i < n->n_inputs; i++)
        c->pays |= !is_whole(&c->in[i]) && cut_before(s, node_input(n, i)) != NULL;
    if (!c->pays)
        return STATUS_OK;
    for (int i = 0; i < n->n_inputs; i++) {
        value *v = node_input(n, i);
        if (is_whole(&c->in[i]) || cut_before(s, v) != NULL)
            continue;
        TRY(slice_for(s->g, n, v, &c->in[i], &v));
        TRY(node_set_input(n, i, v));
    }
    TRY(cut_shape(s->g, n, &c->out));
    const tensor_type unknown = {n->outputs[0]->type.elem, -1, NULL};
    TRY(graph_set_type(s->g, n->outputs[0], &unknown));
    return op_infer(n);
}

/* n picked what is all that there is now. */
static status cut_pick(sweep *s, node *n) {
    static const int64_t first = 0;
    if (is_op(n, "Slice")) {
        TRY(graph_replace_all_uses(s->g, n->outputs[0], node_input(n, 0)));
        return graph_erase_node(s->g, n);
    }
    value *index = graph_add_ints(s->g, NULL, node_input(n, 1)->constant->rank, &first, 1);
    TRY_ALLOC(index);
    return node_set_input(n, 1, index);
}

static status run(sweep *s) {
    for (size_t i = 0; i < s->g->outputs.n; i++)
        TRY(note_read(s, s->g->outputs.at[i]->v, &whole));
    for (node *n = s->g->last; n != NULL; n = n->prev)
        TRY(read_inputs(s, n));
    for (node *n = s->g->first, *next; n != NULL; n = next) {
        next = n->next;
        cut *c = map_get_key(&s->cuts, n->id);
        if (c != NULL)
            TRY(cut_node(s, n, c));
        else if (cut_before(s, node_input(n, 0)) != NULL && (is_op(n, "Slice") || is_op(n, "Gather")))
            TRY(cut_pick(s, n));
    }
    return STATUS_OK;
}

status pass_unread(graph *g) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    sweep s = {.g = g, .a = scratch, .reads = map_in(scratch), .cuts = map_in(scratch)};
    status result = run(&s);
    arena_free(scratch);
    return result;
}
