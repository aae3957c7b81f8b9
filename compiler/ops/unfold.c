/* Col2Im and MaxUnpool: images put together from pieces. Shapes may be data where the model declares the output's. */
#include "ops/window.h"

static void clear_output(nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int y = nest_output(l, 0);
    nest *m = kit_over(l, "clear", y, i);
    nest_store(m, y, i, kit_operand(l, y)->rank, build_const(l->b, kit_operand(l, y)->elem, 0));
}

/* ---- Col2Im ---- */

enum { COL_IMAGE = 1, COL_BLOCK = 2 };

typedef struct col2im {
    int rank; /* of the image */
    int64_t stride[TENSOR_MAX_RANK], dilation[TENSOR_MAX_RANK], pads[2 * TENSOR_MAX_RANK];
} col2im;

static status col2im_read(const node *n, int rank, col2im *c) {
    c->rank = rank;
    TRY(window_list(n, "strides", rank, 1, 1, c->stride));
    TRY(window_list(n, "dilations", rank, 1, 1, c->dilation));
    return window_list(n, "pads", 2 * rank, 0, 0, c->pads);
}

static status col2im_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    int64_t n_image, n_block, block_count = 1;
    const int64_t *image = op_known_ints(n, COL_IMAGE, &n_image), *sizes = op_known_ints(n, COL_BLOCK, &n_block);
    col2im c;
    if (x->rank >= 0 && x->rank != 3)
        return op_invalid(n, "wrong-rank", "'input' must have 3 dimensions, it has %d", x->rank);
    if (x->rank < 0 || image == NULL || sizes == NULL)
        return op_unknown_output(n, 0, x->elem);
    if (n_image != n_block || n_image < 1 || n_image > TENSOR_MAX_RANK - 2)
        return op_invalid(n, "bad-shape",
                          "'image_shape' has %lld entries, 'block_shape' %lld: both need one for each "
                          "dimension of the image, %d at most",
                          (long long)n_image, (long long)n_block, TENSOR_MAX_RANK - 2);
    TRY(col2im_read(n, (int)n_image, &c));
    dim dims[TENSOR_MAX_RANK] = {x->dims[0]};
    for (int64_t k = 0; k < n_image; k++) {
        if (sizes[k] < 1 || sizes[k] > INT32_MAX || image[k] < 0 || block_count > INT32_MAX)
            return op_invalid(n, "bad-value", "'block_shape' or 'image_shape' has the entries %lld and %lld",
                              (long long)sizes[k], (long long)image[k]);
        block_count *= sizes[k];
        dims[2 + k] = DIM(image[k]);
    }
    if (dim_is_known(x->dims[1]) && x->dims[1].n % block_count != 0)
        return op_invalid(n, "shape-mismatch", "dimension 1 of 'input' is %lld, no multiple of a block of %lld",
                          (long long)x->dims[1].n, (long long)block_count);
    dims[1] = dim_floor_div(n->graph->memory, x->dims[1], DIM(block_count));
    return op_set_output(n, 0, x->elem, 2 + (int)n_image, dims);
}

/* The sizes of a block, and how many blocks there are along each dimension: checked against what the operands hold. */
static void block_sizes(const node *n, const nest_list *l, const col2im *c, int64_t size, const expr **piece_size,
                        const expr **count) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    const expr *one = build_index(b, 1), *zero = build_index(b, 0), *left = build_index(b, size),
               *blocks = build_index(b, x->dims[2]);
    for (int k = 0; k < c->rank; k++) {
        const expr *image = kit_int_at(n, l, COL_IMAGE, k, true);
        build_check(b, build_eq(b, image, build_index(b, y->dims[2 + k])), KIT_E_VALUE);
        piece_size[k] = build_let(b, "block", kit_int_at(n, l, COL_BLOCK, k, true));
        build_check(b, kit_inside(b, NULL, piece_size[k], 1, size + 1, true, true), KIT_E_VALUE);
        build_check(b, build_eq(b, build_rem(b, left, piece_size[k]), zero), KIT_E_VALUE);
        left = build_let(b, "left", build_div(b, left, piece_size[k]));
        const expr *span = build_mul(b, build_sub(b, piece_size[k], one), build_index(b, c->dilation[k]));
        const expr *room = build_index(b, y->dims[2 + k] + c->pads[k] + c->pads[c->rank + k] - 1);
        room = build_let(b, "room", build_sub(b, room, span));
        build_check(b, build_le(b, zero, room), KIT_E_VALUE);
        count[k] = build_let(b, "count", build_add(b, build_div(b, room, build_index(b, c->stride[k])), one));
        build_check(b, build_eq(b, build_rem(b, blocks, count[k]), zero), KIT_E_VALUE);
        blocks = build_let(b, "blocks", build_div(b, blocks, count[k]));
    }
    build_check(b, build_eq(b, left, one), KIT_E_VALUE);
    build_check(b, build_eq(b, blocks, one), KIT_E_VALUE);
}

/* Adds element `from` of the input, piece `piece` of block number `which`, to its place in the image at `base`. */
static void add_piece(const nest_list *l, const col2im *c, const expr *const *piece_size, const expr *const *count,
                      const expr *piece, const expr *which, const expr *base, const expr *from) {
    builder *b = l->b;
    int y = nest_output(l, 0);
    const nest_operand *image = kit_operand(l, y);
    ltype t = LTYPE(image->elem, 1);
    const expr *inside = NULL, *at[TENSOR_MAX_RANK];
    for (int k = c->rank - 1; k >= 0; k--) {
        const expr *i = build_mul(b, build_rem(b, which, count[k]), build_index(b, c->stride[k]));
        i = build_add(b, i, build_mul(b, build_rem(b, piece, piece_size[k]), build_index(b, c->dilation[k])));
        at[k] = build_let(b, "at", build_sub(b, i, build_index(b, c->pads[k])));
        inside = kit_inside(b, inside, at[k], 0, image->dims[2 + k], true, true);
        which = build_div(b, which, count[k]);
        piece = build_div(b, piece, piece_size[k]);
    }
    const expr *to = build_add(b, base, nest_linear(b, at, c->rank, image->dims + 2));
    build_if(b, inside);
    const expr *sum =
        build_add(b, kit_wide(b, build_load(b, y, t, to, NULL)), kit_wide(b, build_load(b, 0, t, from, NULL)));
    build_store(b, y, to, kit_narrow(b, t.elem, sum), NULL);
    build_end(b);
}

static status col2im_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    const expr *piece_size[TENSOR_MAX_RANK], *count[TENSOR_MAX_RANK];
    int64_t area = 1;
    col2im c;
    if (y->rank < 3 || y->dims[0] != x->dims[0] || y->dims[1] < 1 || x->dims[1] % y->dims[1] != 0)
        return op_invalid(n, "shape-mismatch",
                          "'output' must be [batch, channels, image...], with as many channels as "
                          "dimension 1 of 'input' has blocks");
    TRY(col2im_read(n, y->rank - 2, &c));
    for (int k = COL_IMAGE; k <= COL_BLOCK; k++)
        if (kit_operand(l, k)->rank != 1 || kit_operand(l, k)->dims[0] != c.rank)
            return op_invalid(n, "bad-shape", "'%s' must have %d entries", n->row->inputs[k].name, c.rank);
    for (int k = 0; k < c.rank; k++)
        area *= y->dims[2 + k];
    int64_t size = x->dims[1] / y->dims[1];
    clear_output(l);
    nest *m = nest_add(l, "col2im");
    nest_raw_begin(l, m);
    block_sizes(n, l, &c, size, piece_size, count);
    const expr *i = build_for(b, "i", build_index(b, y->dims[0] * y->dims[1]), LOOP_SERIAL);
    const expr *piece = build_for(b, "piece", build_index(b, size), LOOP_SERIAL);
    const expr *which = build_for(b, "which", build_index(b, x->dims[2]), LOOP_SERIAL);
    const expr *from = build_add(b, build_mul(b, i, build_index(b, size)), piece);
    from = build_add(b, build_mul(b, from, build_index(b, x->dims[2])), which);
    add_piece(l, &c, piece_size, count, piece, which, build_mul(b, i, build_index(b, area)), from);
    build_end(b);
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(Col2Im) = {
    .name = "Col2Im",
    .domain = "",
    .versions = VERSIONS(18),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_NUMBER, 'T', 0}, {"image_shape", TYPE_BIT(DT_I64), 0, 0},
                     {"block_shape", TYPE_BIT(DT_I64), 0, 0}),
    .outputs = PARAMS({"output", TYPES_NUMBER, 'T', 0}),
    .attrs = ATTRS({"dilations", .kind = ATTR_INTS}, {"pads", .kind = ATTR_INTS}, {"strides", .kind = ATTR_INTS}),
    .note = "no strings, no bools, no complex numbers",
    .infer = col2im_infer,
    .lower = col2im_lower,
};

/* ---- MaxUnpool ---- */

/* What the pooling was made from, if it took all of it. */
static status unpooled_shape(const node *n, const tensor_type *x, dim *out) {
    arena *a = n->graph->memory;
    int rank = x->rank - 2;
    int64_t taps[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK], pads[2 * TENSOR_MAX_RANK];
    TRY(window_list(n, "kernel_shape", rank, 1, 1, taps));
    TRY(window_list(n, "strides", rank, 1, 1, stride));
    TRY(window_list(n, "pads", 2 * rank, 0, 0, pads));
    kit_copy_dims(out, x->dims, 2);
    for (int k = 0; k < rank; k++) {
        dim steps = dim_mul(a, dim_sub(a, x->dims[2 + k], DIM(1)), DIM(stride[k]));
        out[2 + k] = dim_add(a, steps, DIM(taps[k] - pads[k] - pads[rank + k]));
    }
    return STATUS_OK;
}

static status max_unpool_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *at = op_input_type(n, 1);
    int64_t count;
    const int64_t *shape = op_known_ints(n, 2, &count);
    dim dims[TENSOR_MAX_RANK];
    if (x->rank >= 0 && x->rank < 3)
        return op_invalid(n, "wrong-rank", "'X' must have 3 dimensions or more, it has %d", x->rank);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (at->rank >= 0 && at->rank != x->rank)
        return op_invalid(n, "shape-mismatch", "'X' has %d dimensions, 'I' %d", x->rank, at->rank);
    if (shape == NULL && node_input(n, 2) != NULL)
        return op_output_of_rank(n, 0, x->elem, x->rank);
    TRY(unpooled_shape(n, x, dims));
    if (shape != NULL && count != x->rank)
        return op_invalid(n, "shape-mismatch", "'output_shape' has %lld entries, expected %d", (long long)count,
                          x->rank);
    for (int k = 0; shape != NULL && k < x->rank; k++) {
        if (shape[k] < 0 || (dim_is_known(dims[k]) && (k < 2 ? shape[k] != dims[k].n : shape[k] < dims[k].n)))
            return op_invalid(n, "bad-shape", "'output_shape' has %lld for dimension %d, which needs %lld",
                              (long long)shape[k], k, (long long)dims[k].n);
        dims[k] = DIM(shape[k]);
    }
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* Places are those in the shape that the pooling took; a larger output has the rest behind. */
static status max_unpool_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int y = nest_output(l, 0);
    const nest_operand *x = kit_operand(l, 0), *out = kit_operand(l, y);
    dim own[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK], count = 1, places = 1;
    TRY(unpooled_shape(n, &node_input(n, 0)->type, own));
    for (int k = 0; k < x->rank; k++) {
        dims[k] = own[k].n;
        if (x->rank != out->rank || x->dims[k] != kit_operand(l, 1)->dims[k] || dims[k] < 0 || dims[k] > out->dims[k])
            return op_invalid(n, "shape-mismatch", "dimension %d: 'X' and 'I' must agree, and 'output' hold %lld", k,
                              (long long)dims[k]);
        count *= x->dims[k];
        places *= dims[k];
    }
    if (node_input(n, 2) != NULL)
        kit_check_equal(n, l, 2, out->dims, out->rank);
    clear_output(l);
    nest *m = nest_add(l, "max_unpool");
    nest_raw_begin(l, m);
    const expr *from = build_for(b, "i", build_index(b, count), LOOP_SERIAL), *i[TENSOR_MAX_RANK];
    const expr *at = build_let(b, "at", build_load(b, 1, LTYPE(DT_I64, 1), from, NULL));
    build_check(b, kit_inside(b, NULL, at, 0, places, true, true), KIT_E_INDEX);
    nest_delinear(b, at, x->rank, dims, i);
    build_store(b, y, nest_linear(b, i, x->rank, out->dims), build_load(b, 0, LTYPE(x->elem, 1), from, NULL), NULL);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(MaxUnpool) = {
    .name = "MaxUnpool",
    .domain = "",
    .versions = VERSIONS(9, 11, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_FLOAT, 'T', 0}, {"I", TYPE_BIT(DT_I64), 0, 0},
                     {"output_shape", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"kernel_shape", .kind = ATTR_INTS, .required = true}, {"pads", .kind = ATTR_INTS},
                   {"strides", .kind = ATTR_INTS}),
    .infer = max_unpool_infer,
    .lower = max_unpool_lower,
};
