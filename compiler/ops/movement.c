/* Operators that move whole elements: Transpose, Expand, Tile, Concat, Split, DepthToSpace, SpaceToDepth, Trilu. */
#include <string.h>

#include "ops/kit.h"

#define MOVE_NOTE "no strings, no complex numbers, no 2- and 4-bit elements"
static const op_param move_input[] = {{"input", TYPES_MOVE, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param move_output[] = {{"output", TYPES_MOVE, 'T', 0}, {NULL, 0, 0, 0}};

/* Output 0 at `i` is input 0 at `f`. */
static status store_moved(nest_list *l, nest *m, const expr *const *i, const expr *const *f) {
    int y = nest_output(l, 0);
    nest_store(m, y, i, kit_operand(l, y)->rank, nest_read(l, 0, f));
    return builder_status(l->b);
}

/* ---- Transpose ---- */

/* The input's axis for each axis of the output. */
static int transposed_axis(const int64_t *perm, int rank, int k) {
    return perm == NULL ? rank - 1 - k : kit_axis(perm[k], rank);
}

static status transpose_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count;
    const int64_t *perm = op_ints(n, "perm", &count);
    bool seen[TENSOR_MAX_RANK];
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (perm != NULL && count != x->rank)
        return op_invalid(n, "bad-axis", "'perm' has %lld entries, the input %d dimensions", (long long)count, x->rank);
    if (perm != NULL)
        TRY(kit_axis_set(n, perm, count, x->rank, seen));
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < x->rank; k++)
        dims[k] = x->dims[transposed_axis(perm, x->rank, k)];
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

static status transpose_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int64_t count;
    const int64_t *perm = op_ints(n, "perm", &count);
    int rank = kit_operand(l, 0)->rank;
    nest *m = kit_over(l, "transpose", nest_output(l, 0), i);
    for (int k = 0; k < rank; k++)
        f[transposed_axis(perm, rank, k)] = i[k];
    return store_moved(l, m, i, f);
}

OP_ROW(Transpose) = {
    .name = "Transpose",
    .domain = "",
    .versions = VERSIONS(1, 13, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"data", TYPES_STORED, 'T', 0}),
    .outputs = PARAMS({"transposed", TYPES_STORED, 'T', 0}),
    .attrs = ATTRS({"perm", .kind = ATTR_INTS}),
    .note = "no strings, no complex numbers",
    .infer = transpose_infer,
    .lower = transpose_lower,
};

/* ---- Expand ---- */

/* To a shape that shape arithmetic says, symbols and all. */
static status expand_symbolic(node *n, const tensor_type *x) {
    dim wanted[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    int count;
    if (!kit_known_dims(n, 1, wanted, &count))
        return op_unknown_output(n, 0, x->elem);
    int rank = count > x->rank ? count : x->rank;
    for (int k = 0; k < rank; k++) {
        int from = k - (rank - x->rank), to = k - (rank - count);
        TRY(op_broadcast_dim(n, from < 0 ? DIM(1) : x->dims[from], to < 0 ? DIM(1) : wanted[to], &dims[k]));
    }
    return op_set_output(n, 0, x->elem, rank, dims);
}

static status expand_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count;
    const int64_t *shape = op_known_ints(n, 1, &count);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (shape == NULL)
        return expand_symbolic(n, x);
    if (count > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-dimensions", "%lld dimensions, more than %d", (long long)count,
                              TENSOR_MAX_RANK);
    int rank = count > x->rank ? (int)count : x->rank;
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < rank; k++) {
        int from = k - (rank - x->rank), to = k - (rank - (int)count);
        dim wanted = to < 0 ? DIM(1) : DIM(shape[to]);
        if (wanted.n < 0)
            return op_invalid(n, "bad-shape", "dimension %d of the shape is %lld", to, (long long)wanted.n);
        TRY(op_broadcast_dim(n, from < 0 ? DIM(1) : x->dims[from], wanted, &dims[k]));
    }
    return op_set_output(n, 0, x->elem, rank, dims);
}

static status expand_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int y = nest_output(l, 0), rank = kit_operand(l, y)->rank;
    int64_t given = kit_operand(l, 1)->dims[0];
    kit_allowed allowed[TENSOR_MAX_RANK];
    for (int64_t k = 0; k < given && k < rank; k++) {
        int64_t at = rank - given + k, own = at - (rank - kit_operand(l, 0)->rank),
                extent = kit_operand(l, y)->dims[at];
        allowed[k] = (kit_allowed){1, {extent}};
        if (own >= 0 && kit_operand(l, 0)->dims[own] == extent)
            allowed[k].values[allowed[k].n++] = 1;
    }
    kit_check_allowed(n, l, 1, allowed, given < rank ? given : rank);
    nest *m = kit_over(l, "expand", y, i);
    nest_store(m, y, i, rank, nest_read_broadcast(l, 0, i, rank));
    return builder_status(l->b);
}

OP_ROW(Expand) = {
    .name = "Expand",
    .domain = "",
    .versions = VERSIONS(8, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}, {"shape", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = move_output,
    .note = MOVE_NOTE,
    .infer = expand_infer,
    .lower = expand_lower,
};

/* ---- Tile ---- */

static status tile_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count;
    const int64_t *repeats = op_known_ints(n, 1, &count);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (repeats == NULL)
        return op_output_of_rank(n, 0, x->elem, x->rank);
    if (count != x->rank)
        return op_invalid(n, "shape-mismatch", "'repeats' has %lld entries, the input %d dimensions", (long long)count,
                          x->rank);
    dim dims[TENSOR_MAX_RANK];
    for (int k = 0; k < x->rank; k++) {
        if (repeats[k] < 0)
            return op_invalid(n, "bad-value", "repeat %d is %lld", k, (long long)repeats[k]);
        dims[k] = dim_mul(n->graph->memory, x->dims[k], DIM(repeats[k]));
    }
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

static status tile_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    int out = nest_output(l, 0);
    const nest_operand x = *kit_operand(l, 0), y = *kit_operand(l, out);
    int64_t repeats[TENSOR_MAX_RANK];
    for (int k = 0; k < x.rank; k++)
        repeats[k] = x.dims[k] == 0 ? 1 : y.dims[k] / x.dims[k];
    kit_check_equal(n, l, 1, repeats, x.rank);
    nest *m = kit_over(l, "tile", out, i);
    for (int k = 0; k < x.rank; k++)
        f[k] = repeats[k] == 1 ? i[k] : build_rem(l->b, i[k], build_index(l->b, x.dims[k]));
    return store_moved(l, m, i, f);
}

/* In opset 1 `tiles` said how often along the one `axis`. */
static status tile_upgrade(node *n) {
    if (n->version >= 6)
        return STATUS_OK;
    const tensor *tiles = kit_constant(n, 1), *axis = kit_constant(n, 2);
    int64_t repeats[TENSOR_MAX_RANK];
    int rank = op_input_rank(n, 0), at;
    if (rank < 0 || tiles == NULL || axis == NULL || tiles->count != 1 || axis->count != 1)
        return op_unsupported(n, "not-constant",
                              "the input's number of dimensions, 'tiles' and 'axis' must be known before opset 6");
    TRY(op_axis(n, (int64_t)tensor_double(axis, 0), rank, &at));
    for (int k = 0; k < rank; k++)
        repeats[k] = k == at ? (int64_t)tensor_double(tiles, 0) : 1;
    value *v = graph_add_ints(n->graph, NULL, 1, repeats, rank);
    TRY_ALLOC(v);
    TRY(node_set_input(n, 1, v));
    return node_set_input(n, 2, NULL);
}

OP_ROW(Tile) = {
    .name = "Tile",
    .domain = "",
    .versions = VERSIONS(1, 6, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}, {"repeats", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = move_output,
    .note = MOVE_NOTE,
    .infer = tile_infer,
    .upgrade = tile_upgrade,
    .lower = tile_lower,
};

/* ---- Concat ---- */

static status concat_infer(node *n) {
    const tensor_type *first = op_input_type(n, 0);
    for (int k = 0; k < n->n_inputs; k++)
        if (op_input_rank(n, k) < 0)
            return op_unknown_output(n, 0, first->elem);
    int rank = first->rank, axis;
    TRY(op_axis(n, op_int(n, "axis"), rank, &axis));
    dim dims[TENSOR_MAX_RANK];
    for (int d = 0; d < rank; d++)
        dims[d] = first->dims[d];
    for (int k = 1; k < n->n_inputs; k++) {
        const tensor_type *x = op_input_type(n, k);
        if (x->rank != rank)
            return op_invalid(n, "shape-mismatch", "input %d has %d dimensions, input 0 has %d", k, x->rank, rank);
        for (int d = 0; d < rank; d++) {
            if (d == axis)
                dims[d] = dim_add(n->graph->memory, dims[d], x->dims[d]);
            else if (!dim_is_known(dims[d]))
                dims[d] = x->dims[d];
            else if (dim_is_known(x->dims[d]) && x->dims[d].n != dims[d].n)
                return op_invalid(n, "shape-mismatch", "dimension %d of input %d is %lld, of the inputs before it %lld",
                                  d, k, (long long)x->dims[d].n, (long long)dims[d].n);
        }
    }
    return op_set_output(n, 0, first->elem, rank, dims);
}

static status concat_lower(const node *n, nest_list *l) {
    int y = nest_output(l, 0), rank = kit_operand(l, y)->rank, axis = kit_axis(op_int(n, "axis"), rank);
    int64_t offset = 0;
    for (int k = 0; k < n->n_inputs; k++) {
        const expr *i[TENSOR_MAX_RANK], *to[TENSOR_MAX_RANK];
        nest *m = kit_over(l, "concat", k, i);
        memcpy(to, i, (size_t)rank * sizeof *i);
        to[axis] = build_add(l->b, i[axis], build_index(l->b, offset));
        nest_store(m, y, to, rank, nest_read(l, k, i));
        offset += kit_operand(l, k)->dims[axis];
    }
    return builder_status(l->b);
}

/* Before opset 4 the axis had a default. */
static status concat_upgrade(node *n) {
    return node_attr(n, "axis") != NULL ? STATUS_OK
                                        : node_set_attr(n, &(attr){.name = "axis", .kind = ATTR_INT, .i = 1});
}

OP_ROW(Concat) = {
    .name = "Concat",
    .domain = "",
    .versions = VERSIONS(1, 4, 11, 13),
    .kind = OP_LOWER,
    .inputs = PARAMS({"inputs", TYPES_MOVE, 'T', PARAM_VARIADIC}),
    .outputs = PARAMS({"concat_result", TYPES_MOVE, 'T', 0}),
    .attrs = ATTRS({"axis", ATTR_INT, .required = true}),
    .note = MOVE_NOTE,
    .infer = concat_infer,
    .upgrade = concat_upgrade,
    .lower = concat_lower,
};

/* ---- Split ---- */

/* Equal pieces, the last one smaller where they do not come out even. */
static status split_evenly(node *n, const tensor_type *x, int axis) {
    arena *a = n->graph->memory;
    dim all = x->dims[axis], pieces = DIM(n->n_outputs);
    dim each = dim_floor_div(a, dim_add(a, all, DIM(n->n_outputs - 1)), pieces);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, x->rank);
    for (int k = 0; k < n->n_outputs; k++) {
        dims[axis] = k < n->n_outputs - 1 ? each : dim_sub(a, all, dim_mul(a, each, DIM(k)));
        if (dim_is_known(dims[axis]) && dims[axis].n < 0)
            return op_invalid(n, "shape-mismatch", "%lld elements do not split into %d parts", (long long)all.n,
                              n->n_outputs);
        TRY(op_set_output(n, k, x->elem, x->rank, dims));
    }
    return STATUS_OK;
}

static status split_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t count = 0, sum = 0;
    const int64_t *split = op_known_ints(n, 1, &count);
    int axis = 0;
    if (op_has(n, "num_outputs") && op_int(n, "num_outputs") != n->n_outputs)
        return op_invalid(n, "wrong-attribute", "num_outputs is %lld, the node has %d outputs",
                          (long long)op_int(n, "num_outputs"), n->n_outputs);
    if (x->rank < 0 || (node_input(n, 1) != NULL && split == NULL)) {
        for (int k = 0; k < n->n_outputs; k++)
            TRY(op_unknown_output(n, k, x->elem));
        return STATUS_OK;
    }
    TRY(op_axis(n, op_int(n, "axis"), x->rank, &axis));
    if (split == NULL)
        return split_evenly(n, x, axis);
    if (count != n->n_outputs)
        return op_invalid(n, "shape-mismatch", "'split' has %lld entries, the node %d outputs", (long long)count,
                          n->n_outputs);
    dim dims[TENSOR_MAX_RANK];
    kit_copy_dims(dims, x->dims, x->rank);
    for (int64_t k = 0; k < count; k++) {
        if (split[k] < 0 || split[k] > INT64_MAX - sum)
            return op_invalid(n, "bad-value", "part %lld has the size %lld", (long long)k, (long long)split[k]);
        sum += split[k];
        dims[axis] = DIM(split[k]);
        TRY(op_set_output(n, (int)k, x->elem, x->rank, dims));
    }
    if (dim_is_known(x->dims[axis]) && x->dims[axis].n != sum)
        return op_invalid(n, "shape-mismatch", "the parts have %lld elements together, the axis %lld", (long long)sum,
                          (long long)x->dims[axis].n);
    return STATUS_OK;
}

static status split_upgrade(node *n) {
    TRY(kit_ints_to_input(n, "split", 1));
    if (node_input(n, 1) != NULL || node_attr(n, "num_outputs") != NULL)
        return STATUS_OK;
    return node_set_attr(n, &(attr){.name = "num_outputs",
                                    .kind = ATTR_INT,
                                    .i = n->n_outputs}); /* equal parts, once said by saying nothing */
}

static status split_lower(const node *n, nest_list *l) {
    int rank = kit_operand(l, 0)->rank, axis = kit_axis(op_int(n, "axis"), rank);
    int64_t offset = 0, sizes[TENSOR_MAX_RANK];
    if (node_input(n, 1) != NULL && kit_constant(n, 1) == NULL && n->n_outputs > TENSOR_MAX_RANK)
        return op_unsupported(n, "not-constant", "'split' must be known at compile time for more than %d parts",
                              TENSOR_MAX_RANK);
    for (int k = 0; k < n->n_outputs && k < TENSOR_MAX_RANK; k++)
        sizes[k] = kit_operand(l, nest_output(l, k))->dims[axis];
    if (node_input(n, 1) != NULL && kit_constant(n, 1) == NULL)
        kit_check_equal(n, l, 1, sizes, n->n_outputs);
    for (int k = 0; k < n->n_outputs; k++) {
        const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
        int y = nest_output(l, k);
        int64_t extent = kit_operand(l, y)->dims[axis];
        if (kit_operand(l, y)->present) {
            nest *m = kit_over(l, "split", y, i);
            memcpy(f, i, (size_t)rank * sizeof *i);
            f[axis] = build_add(l->b, i[axis], build_index(l->b, offset));
            nest_store(m, y, i, rank, nest_read(l, 0, f));
        }
        offset += extent;
    }
    return builder_status(l->b);
}

OP_ROW(Split) = {
    .name = "Split",
    .domain = "",
    .versions = VERSIONS(1, 2, 11, 13, 18),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}, {"split", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"outputs", TYPES_MOVE, 'T', PARAM_VARIADIC}),
    .attrs = ATTRS({"axis", ATTR_INT, .i = 0}, {"num_outputs", .kind = ATTR_INT}),
    .note = MOVE_NOTE,
    .infer = split_infer,
    .upgrade = split_upgrade,
    .lower = split_lower,
};

/* ---- DepthToSpace, SpaceToDepth ---- */

static status check_block(node *n, const tensor_type *x, int64_t size) {
    if (size <= 0 || size > INT32_MAX)
        return op_invalid(n, "wrong-attribute", "blocksize is %lld", (long long)size);
    if (x->rank >= 0 && x->rank != 4)
        return op_invalid(n, "wrong-rank", "the input must have 4 dimensions, it has %d", x->rank);
    return STATUS_OK;
}

static status depth_to_space_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t size = op_int(n, "blocksize");
    arena *a = n->graph->memory;
    TRY(check_block(n, x, size));
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (dim_is_known(x->dims[1]) && x->dims[1].n % (size * size) != 0)
        return op_invalid(n, "shape-mismatch", "%lld channels are not a multiple of blocksize squared",
                          (long long)x->dims[1].n);
    dim dims[4] = {x->dims[0], dim_floor_div(a, x->dims[1], DIM(size * size)), dim_mul(a, x->dims[2], DIM(size)),
                   dim_mul(a, x->dims[3], DIM(size))};
    return op_set_output(n, 0, x->elem, 4, dims);
}

/* The channel of the deep side for place (h, w) in a block and channel c of the flat side. */
static const expr *deep_channel(builder *b, const node *n, int64_t size, int64_t channels, const expr *c, const expr *h,
                                const expr *w) {
    const expr *place = build_add(b, build_mul(b, h, build_index(b, size)), w);
    if (strcmp(op_string(n, "mode"), "CRD") == 0)
        return build_add(b, build_mul(b, c, build_index(b, size * size)), place);
    return build_add(b, build_mul(b, place, build_index(b, channels)), c);
}

static status depth_to_space_lower(const node *n, nest_list *l) {
    const expr *i[4];
    builder *b = l->b;
    int64_t size = op_int(n, "blocksize"), channels = kit_operand(l, nest_output(l, 0))->dims[1];
    const expr *step = build_index(b, size);
    nest *m = kit_over(l, "depth_to_space", nest_output(l, 0), i);
    const expr *c = deep_channel(b, n, size, channels, i[1], build_rem(b, i[2], step), build_rem(b, i[3], step));
    return store_moved(l, m, i, (const expr *[]){i[0], c, build_div(b, i[2], step), build_div(b, i[3], step)});
}

OP_ROW(DepthToSpace) = {
    .name = "DepthToSpace",
    .domain = "",
    .versions = VERSIONS(1, 11, 13, 28),
    .kind = OP_LOWER,
    .inputs = move_input,
    .outputs = move_output,
    .attrs = ATTRS({"blocksize", ATTR_INT, .required = true}, {"mode", ATTR_STRING, .s = "DCR"}),
    .note = MOVE_NOTE,
    .infer = depth_to_space_infer,
    .lower = depth_to_space_lower,
};

static status space_to_depth_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t size = op_int(n, "blocksize");
    arena *a = n->graph->memory;
    TRY(check_block(n, x, size));
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    for (int k = 2; k < 4; k++)
        if (dim_is_known(x->dims[k]) && x->dims[k].n % size != 0)
            return op_invalid(n, "shape-mismatch", "dimension %d is %lld, no multiple of blocksize", k,
                              (long long)x->dims[k].n);
    dim dims[4] = {x->dims[0], dim_mul(a, x->dims[1], DIM(size * size)), dim_floor_div(a, x->dims[2], DIM(size)),
                   dim_floor_div(a, x->dims[3], DIM(size))};
    return op_set_output(n, 0, x->elem, 4, dims);
}

static status space_to_depth_lower(const node *n, nest_list *l) {
    const expr *i[4];
    builder *b = l->b;
    int64_t size = op_int(n, "blocksize"), channels = kit_operand(l, 0)->dims[1];
    bool crd = strcmp(op_string(n, "mode"), "CRD") == 0;
    const expr *step = build_index(b, size), *area = build_index(b, size * size), *count = build_index(b, channels);
    nest *m = kit_over(l, "space_to_depth", nest_output(l, 0), i);
    const expr *place = crd ? build_rem(b, i[1], area) : build_div(b, i[1], count);
    const expr *c = crd ? build_div(b, i[1], area) : build_rem(b, i[1], count);
    const expr *h = build_add(b, build_mul(b, i[2], step), build_div(b, place, step));
    const expr *w = build_add(b, build_mul(b, i[3], step), build_rem(b, place, step));
    return store_moved(l, m, i, (const expr *[]){i[0], c, h, w});
}

OP_ROW(SpaceToDepth) = {
    .name = "SpaceToDepth",
    .domain = "",
    .versions = VERSIONS(1, 13, 28),
    .kind = OP_LOWER,
    .inputs = move_input,
    .outputs = move_output,
    .attrs = ATTRS({"blocksize", ATTR_INT, .required = true}, {"mode", ATTR_STRING, .s = "DCR"}),
    .note = MOVE_NOTE,
    .infer = space_to_depth_infer,
    .lower = space_to_depth_lower,
};

/* ---- Trilu ---- */

static status trilu_infer(node *n) {
    if (op_input_rank(n, 0) >= 0 && op_input_rank(n, 0) < 2)
        return op_invalid(n, "wrong-rank", "the input must have 2 dimensions or more, it has %d", op_input_rank(n, 0));
    TRY(kit_check_single(n, 1));
    return kit_infer_same(n);
}

static status trilu_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    builder *b = l->b;
    int y = nest_output(l, 0), rank = kit_operand(l, y)->rank;
    dtype elem = kit_operand(l, y)->elem;
    nest *m = kit_over(l, "trilu", y, i);
    const expr *k = node_input(n, 1) == NULL ? build_index(b, 0)
                                             : nest_read_broadcast(l, 1, (const expr *[]){build_index(b, 0)}, 1);
    const expr *diagonal = build_add(b, i[rank - 2], k), *column = i[rank - 1];
    const expr *kept = op_int(n, "upper") != 0 ? build_le(b, diagonal, column) : build_le(b, column, diagonal);
    nest_store(m, y, i, rank,
               build_select(b, kept, nest_read(l, 0, i), kit_cast(b, elem, build_const(b, kit_compute(elem), 0))));
    return builder_status(b);
}

OP_ROW(Trilu) = {
    .name = "Trilu",
    .domain = "",
    .versions = VERSIONS(14),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}, {"k", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = move_output,
    .attrs = ATTRS({"upper", ATTR_INT, .i = 1}),
    .note = MOVE_NOTE,
    .infer = trilu_infer,
    .lower = trilu_lower,
};
