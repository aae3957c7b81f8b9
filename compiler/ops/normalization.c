/* Normalizations: LayerNormalization, RMSNormalization, InstanceNormalization, GroupNormalization, BatchNormalization,
 * LRN, MeanVarianceNormalization, LpNormalization. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

#define EPSILON {"epsilon", ATTR_FLOAT, .f = 1e-5f}

/* ---- rows: statistics of the row, then one store over it ---- */

static const expr *row_mean(const nest_list *l, kit_rows *r) {
    kit_rows_open(r);
    const expr *sum = nest_reduce(r->m, REDUCE_SUM, kit_read(l, 0, r->index));
    return build_div(l->b, sum, kit_const(l->b, sum, (double)r->count));
}

/* Mean of (x - mean)^2; mean NULL: of x^2. */
static const expr *row_variance(const nest_list *l, kit_rows *r, const expr *mean) {
    kit_rows_open(r);
    const expr *x = kit_read(l, 0, r->index);
    const expr *sum = nest_reduce(r->m, REDUCE_SUM, kit_square(l->b, mean == NULL ? x : build_sub(l->b, x, mean)));
    return build_div(l->b, sum, kit_const(l->b, sum, (double)r->count));
}

/* 1 / sqrt(variance + epsilon). */
static const expr *inverse_deviation(builder *b, const node *n, const expr *variance) {
    return kit_reciprocal(b, build_unary(b, EXPR_SQRT, build_add(b, variance, kit_attr(b, n, "epsilon", variance))));
}

static void trailing(int from, int rank, bool *out_inner) {
    for (int k = 0; k < rank; k++)
        out_inner[k] = k >= from;
}

/* The operand, if present, must broadcast to input 0. */
static status check_spread(node *n, int k) {
    const tensor_type *x = op_input_type(n, 0), *s = op_input_type(n, k);
    if (s == NULL || s->rank < 0 || x->rank < 0)
        return STATUS_OK;
    if (s->rank > x->rank)
        return op_invalid(n, "shape-mismatch", "'%s' has more dimensions than '%s'", n->row->inputs[k].name,
                          n->row->inputs[0].name);
    for (int d = 0; d < s->rank; d++) {
        dim own = s->dims[d], whole = x->dims[x->rank - s->rank + d];
        if (dim_is_known(own) && dim_is_known(whole) && own.n != 1 && own.n != whole.n)
            return op_invalid(n, "shape-mismatch", "dimension %d of '%s' is %lld, expected %lld", d,
                              n->row->inputs[k].name, (long long)own.n, (long long)whole.n);
    }
    return STATUS_OK;
}

/* ---- LayerNormalization ---- */

static status layer_norm_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    dtype stash = dtype_from_onnx((int32_t)op_int(n, "stash_type"));
    int axis = 0;
    if (stash != DT_F32 && stash != DT_BF16 && stash != DT_F64 && stash != DT_F16)
        return op_invalid(n, "wrong-attribute", "stash_type is %lld, no float type",
                          (long long)op_int(n, "stash_type"));
    TRY(kit_infer_same(n));
    if (x->rank < 0) {
        TRY(op_unknown_output(n, 1, stash));
        return op_unknown_output(n, 2, stash);
    }
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    TRY(check_spread(n, 1));
    TRY(check_spread(n, 2));
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < x->rank; k++)
        dims[k] = k < axis ? x->dims[k] : DIM(1);
    TRY(op_set_output(n, 1, stash, x->rank, dims));
    return op_set_output(n, 2, stash, x->rank, dims);
}

/* One statistic of each row goes to output k, if that is there. */
static void store_statistic(const node *n, nest_list *l, const kit_rows *r, int k, const expr *x) {
    const expr *index[TENSOR_MAX_RANK];
    if (node_output(n, k) == NULL)
        return;
    for (int d = 0; d < r->rank; d++)
        index[d] = r->inner[d] ? build_index(l->b, 0) : r->index[d];
    kit_store(l, r->m, nest_output(l, k), index, x);
}

static status layer_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank;
    bool inner[TENSOR_MAX_RANK];
    kit_rows r;
    trailing(kit_axis(op_int(n, "axis"), rank), rank, inner);
    kit_rows_begin(l, "layer_norm", 0, inner, &r);
    const expr *mean = row_mean(l, &r), *scale = inverse_deviation(b, n, row_variance(l, &r, mean));
    store_statistic(n, l, &r, 1, mean);
    store_statistic(n, l, &r, 2, scale);
    kit_rows_open(&r);
    const expr *y = build_mul(b, build_sub(b, kit_read(l, 0, r.index), mean), scale);
    y = build_mul(b, y, kit_read_broadcast(l, 1, r.index, rank));
    if (node_input(n, 2) != NULL)
        y = build_add(b, y, kit_read_broadcast(l, 2, r.index, rank));
    kit_store(l, r.m, nest_output(l, 0), r.index, y);
    return builder_status(b);
}

OP_ROW(LayerNormalization) = {
    .name = "LayerNormalization",
    .domain = "",
    .versions = VERSIONS(17),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"Scale", TYPES_FLOAT, 'T', 0},
                     {"B", TYPES_FLOAT, 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'T', 0}, {"Mean", TYPES_FLOAT, 'U', PARAM_OPTIONAL},
                      {"InvStdDev", TYPES_FLOAT, 'U', PARAM_OPTIONAL}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}, EPSILON, {"stash_type", ATTR_INT, .i = 1}),
    .infer = layer_norm_infer,
    .lower = layer_norm_lower,
};

/* ---- RMSNormalization ---- */

static status rms_norm_infer(node *n) {
    int axis, rank = op_input_rank(n, 0);
    if (rank >= 0) {
        TRY(op_axis(n, op_int(n, "axis"), rank, &axis));
        TRY(check_spread(n, 1));
    }
    return kit_output_shaped(n, 0, 0, op_input_type(n, 1)->elem);
}

static status rms_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank;
    bool inner[TENSOR_MAX_RANK];
    kit_rows r;
    trailing(kit_axis(op_int(n, "axis"), rank), rank, inner);
    kit_rows_begin(l, "rms_norm", 0, inner, &r);
    const expr *scale = inverse_deviation(b, n, row_variance(l, &r, NULL));
    kit_rows_open(&r);
    const expr *y = build_mul(b, kit_read(l, 0, r.index), scale), *weight = kit_read_broadcast(l, 1, r.index, rank);
    kit_store(l, r.m, nest_output(l, 0), r.index, build_mul(b, build_cast(b, weight->type.elem, y), weight));
    return builder_status(b);
}

OP_ROW(RMSNormalization) = {
    .name = "RMSNormalization",
    .domain = "",
    .versions = VERSIONS(23),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"scale", TYPES_FLOAT, 'V', 0}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'V', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}, EPSILON, {"stash_type", ATTR_INT, .i = 1}),
    .infer = rms_norm_infer,
    .lower = rms_norm_lower,
};

/* ---- InstanceNormalization ---- */

static status check_per_channel(node *n, int k, dim channels) {
    const tensor_type *t = op_input_type(n, k);
    if (t == NULL || t->rank < 0)
        return STATUS_OK;
    if (t->rank != 1 || (dim_is_known(t->dims[0]) && dim_is_known(channels) && t->dims[0].n != channels.n))
        return op_invalid(n, "shape-mismatch", "'%s' must have one element for each channel", n->row->inputs[k].name);
    return STATUS_OK;
}

static status instance_norm_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    if (x->rank >= 0 && x->rank < 3)
        return op_invalid(n, "wrong-rank", "the input must have 3 dimensions or more, it has %d", x->rank);
    for (int k = 1; k < 3 && x->rank >= 0; k++)
        TRY(check_per_channel(n, k, x->dims[1]));
    return kit_infer_same(n);
}

static status instance_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    bool inner[TENSOR_MAX_RANK];
    kit_rows r;
    trailing(2, kit_operand(l, 0)->rank, inner);
    kit_rows_begin(l, "instance_norm", 0, inner, &r);
    const expr *mean = row_mean(l, &r), *scale = inverse_deviation(b, n, row_variance(l, &r, mean));
    kit_rows_open(&r);
    const expr *y =
        build_mul(b, build_sub(b, kit_read(l, 0, r.index), mean), build_mul(b, scale, kit_read(l, 1, r.index + 1)));
    kit_store(l, r.m, nest_output(l, 0), r.index, build_add(b, y, kit_read(l, 2, r.index + 1)));
    return builder_status(b);
}

OP_ROW(InstanceNormalization) = {
    .name = "InstanceNormalization",
    .domain = "",
    .versions = VERSIONS(1, 6, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_FLOAT, 'T', 0}, {"scale", TYPES_FLOAT, 'T', 0}, {"B", TYPES_FLOAT, 'T', 0}),
    .outputs = kit_float_output,
    .attrs = ATTRS(EPSILON),
    .infer = instance_norm_infer,
    .lower = instance_norm_lower,
};

/* ---- GroupNormalization: rows are groups of channels, two stages of index arithmetic of its own ---- */

static status group_norm_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t groups = op_int(n, "num_groups");
    if (x->rank < 0)
        return kit_infer_same(n);
    if (x->rank < 2)
        return op_invalid(n, "wrong-rank", "the input must have 2 dimensions or more, it has %d", x->rank);
    if (groups < 1 || (dim_is_known(x->dims[1]) && x->dims[1].n % groups != 0))
        return op_invalid(n, "wrong-attribute", "the channels do not divide into num_groups = %lld", (long long)groups);
    for (int k = 1; k < 3; k++)
        TRY(check_per_channel(n, k, x->dims[1]));
    return kit_infer_same(n);
}

/* In opset 18 scale and bias had one element for each group. */
static status group_norm_upgrade(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    kit_chain c = KIT_CHAIN(n->graph, n);
    int64_t groups = op_int(n, "num_groups");
    if (x->rank < 2 || !dim_is_known(x->dims[1]) || groups < 1)
        return op_unsupported(n, "unknown-shape",
                              "the number of channels must be known to bring this node to opset 21");
    value *spread = kit_chain_ints(&c, (const int64_t[]){groups, x->dims[1].n / groups}, 2);
    for (int k = 1; k < 3; k++) {
        value *column = kit_chain_reshape(&c, node_input(n, k), (const int64_t[]){groups, 1}, 2);
        value *flat = kit_chain_reshape(&c, kit_chain_binary(&c, "Expand", column, spread), (const int64_t[]){-1}, 1);
        TRY(kit_chain_status(&c));
        TRY(node_set_input(n, k, flat));
    }
    return STATUS_OK;
}

/* Opens a stage over the channels of group i[1] and the image; `index` is that of the element. */
static void open_group(builder *b, nest *m, const nest_operand *x, const expr *const *i, int64_t each,
                       const expr **index) {
    nest_open(m);
    index[0] = i[0];
    index[1] = build_add(b, build_mul(b, i[1], build_index(b, each)), nest_inner(m, "c", each));
    for (int k = 2; k < x->rank; k++)
        index[k] = nest_inner(m, "j", x->dims[k]);
}

static status group_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    int64_t groups = op_int(n, "num_groups"), each = x->dims[1] / groups, count = each;
    const expr *index[TENSOR_MAX_RANK], *i[2];
    for (int k = 2; k < x->rank; k++)
        count *= x->dims[k];
    nest *m = nest_add(l, "group_norm");
    i[0] = nest_outer(m, "n", x->dims[0]);
    i[1] = nest_outer(m, "g", groups);
    open_group(b, m, x, i, each, index);
    const expr *sum = nest_reduce(m, REDUCE_SUM, kit_read(l, 0, index)), *total = kit_const(b, sum, (double)count),
               *mean = build_div(b, sum, total);
    open_group(b, m, x, i, each, index);
    const expr *squares = nest_reduce(m, REDUCE_SUM, kit_square(b, build_sub(b, kit_read(l, 0, index), mean)));
    const expr *scale = inverse_deviation(b, n, build_div(b, squares, total));
    open_group(b, m, x, i, each, index);
    const expr *y = build_mul(b, build_sub(b, kit_read(l, 0, index), mean), scale);
    y = build_add(b, build_mul(b, y, kit_read(l, 1, index + 1)), kit_read(l, 2, index + 1));
    kit_store(l, m, nest_output(l, 0), index, y);
    return builder_status(b);
}

OP_ROW(GroupNormalization) = {
    .name = "GroupNormalization",
    .domain = "",
    .versions = VERSIONS(18, 21),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"scale", TYPES_FLOAT, 'T', 0}, {"bias", TYPES_FLOAT, 'T', 0}),
    .outputs = kit_float_Y,
    .attrs = ATTRS(EPSILON, {"num_groups", ATTR_INT, .required = true}, {"stash_type", ATTR_INT, .i = 1}),
    .infer = group_norm_infer,
    .upgrade = group_norm_upgrade,
    .lower = group_norm_lower,
};

/* ---- MeanVarianceNormalization, LpNormalization ---- */

/* The axes, [0, 2, 3] if not given. */
static status mvn_axes(const node *n, int rank, bool *out_inner) {
    static const int64_t usual[] = {0, 2, 3};
    int64_t count;
    const int64_t *axes = op_ints(n, "axes", &count);
    return kit_axis_set(n, axes == NULL ? usual : axes, axes == NULL ? 3 : count, rank, out_inner);
}

static status mvn_infer(node *n) {
    bool inner[TENSOR_MAX_RANK];
    if (op_input_rank(n, 0) >= 0)
        TRY(mvn_axes(n, op_input_rank(n, 0), inner));
    return kit_infer_same(n);
}

/* (x - mean) / (deviation + 1e-9). */
static status mvn_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    bool inner[TENSOR_MAX_RANK];
    kit_rows r;
    TRY(mvn_axes(n, kit_operand(l, 0)->rank, inner));
    kit_rows_begin(l, "mean_variance_norm", 0, inner, &r);
    const expr *mean = row_mean(l, &r), *deviation = build_unary(b, EXPR_SQRT, row_variance(l, &r, mean));
    kit_rows_open(&r);
    const expr *centred = build_sub(b, kit_read(l, 0, r.index), mean);
    kit_store(l, r.m, nest_output(l, 0), r.index,
              build_div(b, centred, build_add(b, deviation, kit_const(b, mean, 1e-9))));
    return builder_status(b);
}

OP_ROW(MeanVarianceNormalization) = {
    .name = "MeanVarianceNormalization",
    .domain = "",
    .versions = VERSIONS(9, 13),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS({"axes", .kind = ATTR_INTS}),
    .infer = mvn_infer,
    .lower = mvn_lower,
};

static status lp_norm_infer(node *n) {
    int axis;
    if (op_int(n, "p") != 1 && op_int(n, "p") != 2)
        return op_invalid(n, "wrong-attribute", "p is %lld, expected 1 or 2", (long long)op_int(n, "p"));
    if (op_input_rank(n, 0) >= 0)
        TRY(op_axis(n, op_int(n, "axis"), op_input_rank(n, 0), &axis));
    return kit_infer_same(n);
}

static status lp_norm_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank;
    bool inner[TENSOR_MAX_RANK] = {false};
    kit_rows r;
    inner[kit_axis(op_int(n, "axis"), rank)] = true;
    kit_rows_begin(l, "lp_norm", 0, inner, &r);
    kit_rows_open(&r);
    const expr *x = kit_read(l, 0, r.index);
    bool euclid = op_int(n, "p") == 2;
    const expr *norm = nest_reduce(r.m, REDUCE_SUM, euclid ? kit_square(b, x) : build_unary(b, EXPR_ABS, x));
    if (euclid)
        norm = build_unary(b, EXPR_SQRT, norm);
    const expr *zero = kit_const(b, norm, 0);
    kit_rows_open(&r);
    const expr *y = build_div(b, kit_read(l, 0, r.index), norm);
    kit_store(l, r.m, nest_output(l, 0), r.index, build_select(b, build_eq(b, norm, zero), zero, y));
    return builder_status(b);
}

OP_ROW(LpNormalization) = {
    .name = "LpNormalization",
    .domain = "",
    .versions = VERSIONS(1, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_input,
    .outputs = kit_float_output,
    .attrs = ATTRS({"axis", ATTR_INT, .i = -1}, {"p", ATTR_INT, .i = 2}),
    .infer = lp_norm_infer,
    .lower = lp_norm_lower,
};

/* ---- LRN ---- */

static status lrn_infer(node *n) {
    if (op_input_rank(n, 0) >= 0 && op_input_rank(n, 0) < 2)
        return op_invalid(n, "wrong-rank", "the input must have 2 dimensions or more, it has %d", op_input_rank(n, 0));
    if (op_int(n, "size") < 1 || op_int(n, "size") > INT32_MAX)
        return op_invalid(n, "wrong-attribute", "size is %lld", (long long)op_int(n, "size"));
    return kit_infer_same(n);
}

static status lrn_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0);
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int64_t size = op_int(n, "size");
    nest *m = kit_over(l, "lrn", nest_output(l, 0), i);
    memcpy(f, i, (size_t)x->rank * sizeof *i);
    nest_open(m);
    f[1] = build_add(b, i[1], build_sub(b, nest_inner(m, "k", size), build_index(b, (size - 1) / 2)));
    const expr *near = kit_read_masked(l, 0, f, kit_inside(b, NULL, f[1], 0, x->dims[1], true, true));
    const expr *sum = nest_reduce(m, REDUCE_SUM, kit_square(b, near)), *v = kit_read(l, 0, i);
    const expr *base = build_add(b, kit_attr(b, n, "bias", v),
                                 build_mul(b, kit_const(b, v, op_float(n, "alpha") / (double)size), sum));
    kit_store(l, m, nest_output(l, 0), i, build_div(b, v, build_pow(b, base, kit_attr(b, n, "beta", v))));
    return builder_status(b);
}

OP_ROW(LRN) = {
    .name = "LRN",
    .domain = "",
    .versions = VERSIONS(1, 13),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS({"alpha", ATTR_FLOAT, .f = 0.0001f}, {"beta", ATTR_FLOAT, .f = 0.75}, {"bias", ATTR_FLOAT, .f = 1},
                   {"size", ATTR_INT, .required = true}),
    .infer = lrn_infer,
    .lower = lrn_lower,
};

/* ---- BatchNormalization: expanded, so that everything that depends on constants alone is folded ---- */

static status batch_norm_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    dtype stats = op_input_type(n, 3)->elem;
    if (op_int(n, "training_mode") == 0 && (node_output(n, 1) != NULL || node_output(n, 2) != NULL))
        return op_invalid(n, "wrong-arity", "running statistics are outputs of training_mode only");
    if (x->rank == 0)
        return op_invalid(n, "wrong-rank", "the input is a scalar");
    for (int k = 1; k < 5 && x->rank > 1; k++)
        TRY(check_per_channel(n, k, x->dims[1]));
    TRY(kit_infer_same(n));
    TRY(kit_output_shaped(n, 1, 3, stats));
    return kit_output_shaped(n, 2, 4, stats);
}

static status batch_norm_upgrade(node *n) {
    const attr *a = node_attr(n, "spatial");
    if (a != NULL && a->i == 0)
        return op_unsupported(
            n, "unsupported-attribute",
            "spatial = 0 (statistics for each element) is not supported; normalize a flattened input");
    node_remove_attr(n, "spatial");
    if (n->version >= 7)
        return STATUS_OK;
    const attr *test = node_attr(n, "is_test"); /* before opset 7; its default was 0 */
    attr training = {.name = "training_mode", .kind = ATTR_INT, .i = test == NULL || test->i == 0};
    node_remove_attr(n, "is_test");
    return node_set_attr(n, &training);
}

/* Statistics of the batch in place of the running ones, which are updated into outputs 1 and 2. All are f32 or f64. */
static status batch_statistics(kit_chain *c, const node *n, value *x, value **mean, value **variance) {
    int64_t axes[TENSOR_MAX_RANK] = {0};
    int rank = x->type.rank, count = 1;
    for (int k = 2; k < rank; k++)
        axes[count++] = k;
    double momentum = op_float(n, "momentum");
    attr squeeze = {.name = "keepdims", .kind = ATTR_INT, .i = 0};
    value *over = kit_chain_ints(c, axes, count), *keep = kit_chain_scalar(c, x->type.elem, momentum);
    value *take = kit_chain_scalar(c, x->type.elem, 1 - momentum);
    value *centred = kit_chain_binary(c, "Sub", x, kit_chain_binary(c, "ReduceMean", x, over));
    value *now[2] = {kit_chain_with(c, "ReduceMean", x, over, &squeeze),
                     kit_chain_with(c, "ReduceMean", kit_chain_binary(c, "Mul", centred, centred), over, &squeeze)};
    value *running[2] = {*mean, *variance};
    for (int k = 0; k < 2; k++) {
        value *to = node_output(n, 1 + k), *kept = kit_chain_binary(c, "Mul", running[k], keep);
        value *updated = kit_chain_binary(c, "Add", kept, kit_chain_binary(c, "Mul", now[k], take));
        if (to != NULL)
            TRY(kit_chain_result(c, to, kit_chain_cast(c, updated, to->type.elem)));
    }
    *mean = now[0];
    *variance = now[1];
    return kit_chain_status(c);
}

/* y = x * a + (B - mean * a) with a = scale / sqrt(variance + epsilon), per channel. */
static status batch_norm_expand(graph *g, node *n) {
    kit_chain c = KIT_CHAIN(g, n);
    dtype from = node_input(n, 0)->type.elem, t = from == DT_F64 ? DT_F64 : DT_F32;
    int rank = node_input(n, 0)->type.rank, n_axes = 0;
    int64_t axes[TENSOR_MAX_RANK];
    if (rank < 0)
        return op_unsupported(n, "unknown-shape", "the number of dimensions of the input must be known");
    value *in[5];
    for (int k = 0; k < 5; k++)
        in[k] = kit_chain_cast(&c, node_input(n, k), t);
    TRY(kit_chain_status(&c));
    if (op_int(n, "training_mode") != 0)
        TRY(batch_statistics(&c, n, in[0], &in[3], &in[4]));
    for (int k = 2; k < rank; k++)
        axes[n_axes++] = k - 1;
    value *variance = kit_chain_binary(&c, "Add", in[4], kit_chain_scalar(&c, t, op_float(n, "epsilon")));
    value *a = kit_chain_binary(&c, "Div", in[1], kit_chain_unary(&c, "Sqrt", variance));
    value *b = kit_chain_binary(&c, "Sub", in[2], kit_chain_binary(&c, "Mul", in[3], a));
    value *spread = kit_chain_ints(&c, axes, n_axes);
    value *y = kit_chain_binary(&c, "Mul", in[0], kit_chain_binary(&c, "Unsqueeze", a, spread));
    y = kit_chain_binary(&c, "Add", y, kit_chain_binary(&c, "Unsqueeze", b, spread));
    return kit_chain_result(&c, node_output(n, 0), kit_chain_cast(&c, y, from));
}

OP_ROW(BatchNormalization) = {
    .name = "BatchNormalization",
    .domain = "",
    .versions = VERSIONS(1, 6, 7, 9, 14, 15),
    .kind = OP_EXPAND,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"scale", TYPES_FLOAT, 'S', 0}, {"B", TYPES_FLOAT, 'S', 0},
                     {"input_mean", TYPES_FLOAT, 'U', 0}, {"input_var", TYPES_FLOAT, 'U', 0}),
    .outputs = PARAMS({"Y", TYPES_FLOAT, 'T', 0}, {"running_mean", TYPES_FLOAT, 'U', PARAM_OPTIONAL},
                      {"running_var", TYPES_FLOAT, 'U', PARAM_OPTIONAL}),
    .attrs = ATTRS(EPSILON, {"momentum", ATTR_FLOAT, .f = 0.9f}, {"training_mode", ATTR_INT, .i = 0}),
    .infer = batch_norm_infer,
    .upgrade = batch_norm_upgrade,
    .expand = batch_norm_expand,
};
