/* DFT and STFT: sums over a table of sines and cosines. Axis, length and step may be data where the model declares the
 * output's shape. */
#include "ops/kit.h"

#define MOST_LENGTH (1 << 22)

/* ---- one line: a sequence of places of an operand, transformed ---- */

typedef struct transform {
    nest_list *l;
    builder *b;
    int table; /* a temporary: cosines, then sines from `room` on */
    int64_t room;
    const expr *n;  /* the length */
    bool inverse;   /* divides by n, turns the other way */
    bool from_half; /* the input is one half of a spectrum whose other half mirrors it */
} transform;

typedef struct line {
    int operand, window;        /* window: operand that weighs the elements, -1 none */
    const expr *first, *stride; /* places of numbers, which are one or two elements each */
    const expr *count;          /* numbers there are; the rest is 0 */
    int64_t parts;              /* 2: complex */
} line;

static const expr *load_wide(const transform *t, int operand, const expr *at) {
    dtype elem = kit_operand(t->l, operand)->elem;
    return kit_cast(t->b, DT_F64, build_load(t->b, operand, LTYPE(elem, 1), at, NULL));
}

static status begin_table(transform *t, int64_t room, const node *n) {
    if (room > MOST_LENGTH)
        return op_unsupported(n, "too-large", "transforms of up to %d elements are made, not of %lld", MOST_LENGTH,
                              (long long)room);
    t->room = room > 0 ? room : 1;
    int64_t size = 2 * t->room;
    t->table = nest_temporary(t->l, DT_F64, 1, &size);
    return STATUS_OK;
}

/* Refuses a length without room, then fills the table. */
static void fill_table(const transform *t) {
    builder *b = t->b;
    build_check(b, kit_inside(b, NULL, t->n, 1, t->room + 1, true, true), KIT_E_VALUE);
    const expr *k = build_for(b, "k", t->n, LOOP_SERIAL), *x = build_cast(b, DT_F64, k);
    x = build_div(b, build_mul(b, x, kit_const(b, x, 2 * 3.14159265358979323846)), build_cast(b, DT_F64, t->n));
    build_store(b, t->table, k, build_cos(b, x), NULL);
    build_store(b, t->table, build_add(b, k, build_index(b, t->room)), build_sin(b, x), NULL);
    build_end(b);
}

/* Adds number j of the line, turned by `turn` steps of the table, to the sums. */
static void add_number(const transform *t, const line *s, const expr *j, const expr *turn, int re, int im) {
    builder *b = t->b;
    ltype wide = LTYPE(DT_F64, 1);
    const expr *zero = build_index(b, 0), *c = build_load(b, t->table, wide, turn, NULL),
               *v = build_load(b, t->table, wide, build_add(b, turn, build_index(b, t->room)), NULL);
    const expr *at = build_add(b, s->first, build_mul(b, j, s->stride));
    at = build_mul(b, at, build_index(b, s->parts));
    const expr *x = load_wide(t, s->operand, at), *y = build_float(b, DT_F64, 0);
    if (s->parts == 2)
        y = load_wide(t, s->operand, build_add(b, at, build_index(b, 1)));
    if (s->window >= 0) {
        const expr *w = load_wide(t, s->window, j);
        x = build_mul(b, x, w);
        y = build_mul(b, y, w);
    }
    if (t->from_half) {
        const expr *twice = build_mul(b, j, build_index(b, 2)),
                   *once = build_binary(b, EXPR_OR, build_eq(b, j, zero), build_eq(b, twice, t->n));
        const expr *w = build_select(b, once, build_float(b, DT_F64, 1), build_float(b, DT_F64, 2));
        x = build_mul(b, x, w);
        y = build_mul(b, y, w);
    }
    if (!t->inverse)
        v = build_unary(b, EXPR_NEG, v);
    const expr *real = build_sub(b, build_mul(b, x, c), build_mul(b, y, v)),
               *imaginary = build_add(b, build_mul(b, y, c), build_mul(b, x, v));
    build_set(b, re, zero, build_add(b, build_reg_get(b, re, wide, zero), real));
    build_set(b, im, zero, build_add(b, build_reg_get(b, im, wide, zero), imaginary));
}

/* Number k of the line's transform, stored at place `to` of output 0. */
static void transform_number(const transform *t, const line *s, const expr *k, const expr *to, int64_t parts) {
    builder *b = t->b;
    ltype wide = LTYPE(DT_F64, 1), whole = LTYPE(DT_I64, 1);
    const expr *zero = build_index(b, 0), *nothing = build_float(b, DT_F64, 0);
    int re = build_declare(b, "re", wide, 1), im = build_declare(b, "im", wide, 1),
        phase = build_declare(b, "phase", whole, 1);
    build_set(b, re, zero, nothing);
    build_set(b, im, zero, nothing);
    build_set(b, phase, zero, zero);
    const expr *half = build_add(b, build_div(b, t->n, build_index(b, 2)), build_index(b, 1));
    const expr *count = build_min(b, s->count, t->from_half ? half : t->n);
    const expr *j = build_for(b, "j", count, LOOP_SERIAL);
    add_number(t, s, j, build_let(b, "turn", build_reg_get(b, phase, whole, zero)), re, im);
    const expr *next = build_add(b, build_reg_get(b, phase, whole, zero), k);
    build_set(b, phase, zero, build_select(b, build_le(b, t->n, next), build_sub(b, next, t->n), next));
    build_end(b);
    const int sums[] = {re, im};
    dtype elem = kit_operand(t->l, nest_output(t->l, 0))->elem;
    for (int64_t part = 0; part < parts; part++) {
        const expr *x = build_reg_get(b, sums[part], wide, zero);
        if (t->inverse)
            x = build_div(b, x, build_cast(b, DT_F64, t->n));
        const expr *at = build_add(b, build_mul(b, to, build_index(b, parts)), build_index(b, part));
        build_store(b, nest_output(t->l, 0), at, kit_cast(b, elem, x), NULL);
    }
}

/* A scalar operand of integers in a raw nest. */
static const expr *scalar_int(const node *n, const nest_list *l, int operand) {
    return build_let(l->b, "given", kit_int_at(n, l, operand, 0, true));
}

/* ---- DFT ---- */

enum { DFT_LENGTH = 1, DFT_AXIS = 2 };

/* Not the last dimension, which holds the parts of the numbers. */
static status dft_axis_of(node *n, int64_t given, int rank, int *out) {
    TRY(op_axis(n, given, rank, out));
    if (*out == rank - 1)
        return op_invalid(n, "bad-axis", "the last axis holds real and imaginary parts: transform another one");
    return STATUS_OK;
}

static status dft_check(const node *n, const tensor_type *x) {
    if (x->rank < 2)
        return op_invalid(n, "wrong-rank", "'input' must have 2 dimensions or more, it has %d", x->rank);
    dim parts = x->dims[x->rank - 1];
    if (dim_is_known(parts) && parts.n != 1 && parts.n != 2)
        return op_invalid(n, "shape-mismatch", "the last dimension of 'input' is %lld, expected 1 or 2",
                          (long long)parts.n);
    TRY(kit_check_single(n, DFT_LENGTH));
    return kit_check_single(n, DFT_AXIS);
}

static status dft_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    arena *a = n->graph->memory;
    const tensor *length = kit_constant(n, DFT_LENGTH), *given = kit_constant(n, DFT_AXIS);
    bool half = op_int(n, "onesided") != 0, inverse = op_int(n, "inverse") != 0;
    int axis;
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    TRY(dft_check(n, x));
    if ((length == NULL && node_input(n, DFT_LENGTH) != NULL) || (given == NULL && node_input(n, DFT_AXIS) != NULL))
        return op_output_of_rank(n, 0, x->elem, x->rank);
    TRY(dft_axis_of(n, given == NULL ? -2 : tensor_int(given, 0), x->rank, &axis));
    if (length != NULL && tensor_int(length, 0) < 1)
        return op_invalid(n, "bad-value", "'dft_length' is %lld", (long long)tensor_int(length, 0));
    dim dims[TENSOR_MAX_RANK], size = length != NULL ? DIM(tensor_int(length, 0)) : x->dims[axis];
    if (length == NULL && half && inverse)
        size = dim_mul(a, DIM(2), dim_sub(a, size, DIM(1)));
    kit_copy_dims(dims, x->dims, x->rank);
    dims[axis] = half && !inverse ? dim_add(a, dim_floor_div(a, size, DIM(2)), DIM(1)) : size;
    dims[x->rank - 1] = DIM(half && inverse ? 1 : 2);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* In opset 17 the axis was an attribute. */
static status dft_upgrade(node *n) {
    if (n->version >= 20)
        return STATUS_OK;
    value *axis = graph_add_number(n->graph, DT_I64, op_has(n, "axis") ? (double)node_attr(n, "axis")->i : 1);
    TRY_ALLOC(axis);
    TRY(node_set_input(n, DFT_AXIS, axis));
    node_remove_attr(n, "axis");
    return STATUS_OK;
}

/* The loops around a line, and its lengths before and after. */
typedef struct dft_loops {
    const expr *before, *in, *out, *behind;
} dft_loops;

/* The loops for one axis; false where the declared shape does not fit it. */
static bool loops_of(const nest_list *l, int axis, dft_loops *out) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0));
    int64_t before = 1, behind = 1;
    bool fits = true;
    for (int k = 0; k < x->rank - 1; k++) {
        before *= k < axis ? x->dims[k] : 1;
        behind *= k > axis ? x->dims[k] : 1;
        fits &= k == axis || x->dims[k] == y->dims[k];
    }
    *out = (dft_loops){build_index(b, before), build_index(b, x->dims[axis]), build_index(b, y->dims[axis]),
                       build_index(b, behind)};
    return fits;
}

static dft_loops choose_loops(const node *n, const nest_list *l) {
    builder *b = l->b;
    int rank = kit_operand(l, 0)->rank;
    const expr *axis = node_input(n, DFT_AXIS) == NULL ? build_index(b, -2) : scalar_int(n, l, DFT_AXIS);
    const expr *fits = build_int(b, DT_BOOL, 0);
    dft_loops chosen = {0};
    for (int k = 0; k < rank - 1; k++) {
        dft_loops s;
        const expr *here =
            build_binary(b, EXPR_OR, build_eq(b, axis, build_index(b, k)), build_eq(b, axis, build_index(b, k - rank)));
        if (loops_of(l, k, &s))
            fits = build_binary(b, EXPR_OR, fits, here);
        if (k == 0)
            chosen = s;
        chosen.before = build_select(b, here, s.before, chosen.before);
        chosen.in = build_select(b, here, s.in, chosen.in);
        chosen.out = build_select(b, here, s.out, chosen.out);
        chosen.behind = build_select(b, here, s.behind, chosen.behind);
    }
    build_check(b, fits, KIT_E_VALUE);
    return (dft_loops){build_let(b, "before", chosen.before), build_let(b, "in", chosen.in),
                       build_let(b, "out", chosen.out), build_let(b, "behind", chosen.behind)};
}

/* The length, which must give the output's size. */
static const expr *dft_length(const node *n, nest_list *l, const dft_loops *s, bool half, bool inverse) {
    builder *b = l->b;
    const expr *one = build_index(b, 1), *two = build_index(b, 2), *size = s->in;
    if (node_input(n, DFT_LENGTH) != NULL)
        size = scalar_int(n, l, DFT_LENGTH);
    else if (half && inverse)
        size = build_mul(b, two, build_sub(b, size, one));
    size = build_let(b, "n", size);
    build_check(b, build_eq(b, half && !inverse ? build_add(b, build_div(b, size, two), one) : size, s->out),
                KIT_E_VALUE);
    return size;
}

static status dft_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    bool half = op_int(n, "onesided") != 0, inverse = op_int(n, "inverse") != 0;
    const nest_operand *y = kit_operand(l, nest_output(l, 0));
    int rank = y->rank;
    int64_t parts = half && inverse ? 1 : 2, most = 1, in_parts = kit_operand(l, 0)->dims[rank - 1];
    transform t = {.l = l, .b = b, .inverse = inverse, .from_half = half && inverse};
    if (y->dims[rank - 1] != parts)
        return op_invalid(n, "shape-mismatch", "the last dimension of 'output' must be %lld", (long long)parts);
    for (int k = 0; k < rank - 1; k++)
        most = y->dims[k] > most ? y->dims[k] : most;
    TRY(begin_table(&t, half && !inverse ? 2 * most - 1 : most, n));
    nest *m = nest_add(l, "dft");
    nest_raw_begin(l, m);
    dft_loops s = choose_loops(n, l);
    t.n = dft_length(n, l, &s, half, inverse);
    fill_table(&t);
    const expr *i = build_for(b, "i", s.before, LOOP_SERIAL), *j = build_for(b, "j", s.behind, LOOP_SERIAL);
    const expr *k = build_for(b, "k", s.out, LOOP_SERIAL);
    line from = {.operand = 0, .window = -1, .stride = s.behind, .count = s.in, .parts = in_parts};
    from.first = build_add(b, build_mul(b, build_mul(b, i, s.in), s.behind), j);
    const expr *row = build_add(b, build_mul(b, i, s.out), k);
    transform_number(&t, &from, k, build_add(b, build_mul(b, row, s.behind), j), parts);
    build_end(b);
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(DFT) = {
    .name = "DFT",
    .domain = "",
    .versions = VERSIONS(17, 20),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_FLOAT, 'T', 0}, {"dft_length", TYPES_INDEX, 'I', PARAM_OPTIONAL},
                     {"axis", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"inverse", ATTR_INT, .i = 0}, {"onesided", ATTR_INT, .i = 0}),
    .infer = dft_infer,
    .upgrade = dft_upgrade,
    .lower = dft_lower,
};

/* ---- STFT ---- */

enum { STFT_STEP = 1, STFT_WINDOW = 2, STFT_LENGTH = 3 };

static status stft_check(const node *n, const tensor_type *x, const tensor_type *window) {
    if (x->rank >= 0 && x->rank != 3)
        return op_invalid(n, "wrong-rank", "'signal' must have 3 dimensions: batch, length, 1 or 2; it has %d",
                          x->rank);
    if (x->rank == 3 && dim_is_known(x->dims[2]) && x->dims[2].n != 1 && x->dims[2].n != 2)
        return op_invalid(n, "shape-mismatch", "the last dimension of 'signal' is %lld, expected 1 or 2",
                          (long long)x->dims[2].n);
    if (window != NULL && window->rank >= 0 && window->rank != 1)
        return op_invalid(n, "wrong-rank", "'window' must have 1 dimension, it has %d", window->rank);
    if (window == NULL && node_input(n, STFT_LENGTH) == NULL)
        return op_invalid(n, "wrong-arity", "'window' or 'frame_length' must be given");
    TRY(kit_check_single(n, STFT_STEP));
    return kit_check_single(n, STFT_LENGTH);
}

static status stft_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0), *window = op_input_type(n, STFT_WINDOW);
    arena *a = n->graph->memory;
    const tensor *step = kit_constant(n, STFT_STEP), *length = kit_constant(n, STFT_LENGTH);
    TRY(stft_check(n, x, window));
    if (x->rank < 0 || step == NULL || (length == NULL && node_input(n, STFT_LENGTH) != NULL) ||
        (length == NULL && window->rank < 0))
        return op_output_of_rank(n, 0, x->elem, 4);
    dim size = length != NULL ? DIM(tensor_int(length, 0)) : window->dims[0];
    if (tensor_int(step, 0) < 1 || (dim_is_known(size) && size.n < 1))
        return op_invalid(n, "bad-value", "frames of %lld elements, %lld apart", (long long)size.n,
                          (long long)tensor_int(step, 0));
    if (length != NULL && window != NULL && window->rank == 1 && dim_is_known(window->dims[0]) &&
        window->dims[0].n != size.n)
        return op_invalid(n, "shape-mismatch", "'window' has %lld elements, 'frame_length' is %lld",
                          (long long)window->dims[0].n, (long long)size.n);
    if (dim_is_known(size) && dim_is_known(x->dims[1]) && size.n > x->dims[1].n)
        return op_invalid(n, "shape-mismatch", "a frame has %lld elements, the signal %lld", (long long)size.n,
                          (long long)x->dims[1].n);
    dim frames = dim_floor_div(a, dim_sub(a, x->dims[1], size), DIM(tensor_int(step, 0)));
    dim bins = op_int(n, "onesided") != 0 ? dim_add(a, dim_floor_div(a, size, DIM(2)), DIM(1)) : size;
    return op_set_output(n, 0, x->elem, 4, (dim[]){x->dims[0], dim_add(a, frames, DIM(1)), bins, DIM(2)});
}

/* Frame length and step, which must give the output's shape. */
static void stft_numbers(const node *n, nest_list *l, const expr **out_step, const expr **out_length) {
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, 0), *y = kit_operand(l, nest_output(l, 0)),
                       *window = node_input(n, STFT_WINDOW) == NULL ? NULL : kit_operand(l, STFT_WINDOW);
    const expr *one = build_index(b, 1), *step = scalar_int(n, l, STFT_STEP), *signal = build_index(b, x->dims[1]);
    const expr *size = node_input(n, STFT_LENGTH) != NULL ? scalar_int(n, l, STFT_LENGTH)
                                                          : build_index(b, window != NULL ? window->dims[0] : 0);
    build_check(b, kit_inside(b, NULL, size, 1, x->dims[1] + 1, true, true), KIT_E_VALUE);
    build_check(b, build_le(b, one, step), KIT_E_VALUE);
    if (window != NULL)
        build_check(b, build_eq(b, size, build_index(b, window->dims[0])), KIT_E_VALUE);
    const expr *frames = build_add(b, build_div(b, build_sub(b, signal, size), step), one);
    const expr *bins = op_int(n, "onesided") != 0 ? build_add(b, build_div(b, size, build_index(b, 2)), one) : size;
    build_check(b, build_eq(b, frames, build_index(b, y->dims[1])), KIT_E_VALUE);
    build_check(b, build_eq(b, bins, build_index(b, y->dims[2])), KIT_E_VALUE);
    *out_step = step;
    *out_length = size;
}

static status stft_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    const nest_operand x = *kit_operand(l, 0), y = *kit_operand(l, nest_output(l, 0));
    transform t = {.l = l, .b = b};
    const expr *step;
    if (y.rank != 4 || y.dims[0] != x.dims[0] || y.dims[3] != 2)
        return op_invalid(n, "shape-mismatch", "'output' must be [batch, frames, bins, 2]");
    TRY(begin_table(&t, op_int(n, "onesided") != 0 ? 2 * y.dims[2] - 1 : y.dims[2], n));
    nest *m = nest_add(l, "stft");
    nest_raw_begin(l, m);
    stft_numbers(n, l, &step, &t.n);
    fill_table(&t);
    const expr *i = build_for(b, "i", build_index(b, x.dims[0]), LOOP_SERIAL);
    const expr *frame = build_for(b, "frame", build_index(b, y.dims[1]), LOOP_SERIAL);
    const expr *k = build_for(b, "k", build_index(b, y.dims[2]), LOOP_SERIAL);
    line from = {.window = node_input(n, STFT_WINDOW) == NULL ? -1 : STFT_WINDOW,
                 .stride = build_index(b, 1),
                 .count = t.n,
                 .parts = x.dims[2]};
    from.first = build_add(b, build_mul(b, i, build_index(b, x.dims[1])), build_mul(b, frame, step));
    transform_number(&t, &from, k, nest_linear(b, (const expr *[]){i, frame, k}, 3, y.dims), 2);
    build_end(b);
    build_end(b);
    build_end(b);
    nest_raw_end(l, m);
    return builder_status(b);
}

OP_ROW(STFT) = {
    .name = "STFT",
    .domain = "",
    .versions = VERSIONS(17),
    .kind = OP_LOWER,
    .inputs = PARAMS({"signal", TYPES_FLOAT, 'T', 0}, {"frame_step", TYPES_INDEX, 'I', 0},
                     {"window", TYPES_FLOAT, 'T', PARAM_OPTIONAL}, {"frame_length", TYPES_INDEX, 'I', PARAM_OPTIONAL}),
    .outputs = PARAMS({"output", TYPES_FLOAT, 'T', 0}),
    .attrs = ATTRS({"onesided", ATTR_INT, .i = 1}),
    .infer = stft_infer,
    .lower = stft_lower,
};
