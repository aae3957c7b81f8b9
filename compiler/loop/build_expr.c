/* One function per form of expression: checks its operands, simplifies, interns. */
#include "loop/build_internal.h"

#include <math.h>
#include <string.h>

/* ---- constants ---- */

/* An integer or bool constant; `value` wraps to the type. */
const expr *build_int(builder *b, dtype t, int64_t value) {
    TENON_ASSERT(dtype_is_int(t) || t == DT_BOOL);
    expr shape = {.kind = EXPR_INT, .type = LTYPE(t, 1), .imm = fold_wrap(t, value)};
    return build_intern(b, &shape, NULL);
}

/* An i64 constant. */
const expr *build_index(builder *b, int64_t value) {
    return build_int(b, DT_I64, value);
}

/* A float constant of any float type, rounded to it. */
const expr *build_float(builder *b, dtype t, double value) {
    TENON_ASSERT(dtype_is_float(t));
    double rounded = fold_round(t, value);
    expr shape = {.kind = EXPR_FLOAT, .type = LTYPE(t, 1), .f = isnan(rounded) ? (double)NAN : rounded};
    return build_intern(b, &shape, NULL);
}

/* A constant of any type; integers truncate and saturate as CAST does. */
const expr *build_const(builder *b, dtype t, double value) {
    if (dtype_is_float(t))
        return build_float(b, t, value);
    return build_cast(b, t, build_float(b, DT_F64, value));
}

bool expr_is_int(const expr *x, int64_t value) {
    const expr *c = x->kind == EXPR_BROADCAST ? x->arg[0] : x;
    return c->kind == EXPR_INT && c->imm == value;
}

/* ---- memory ---- */

static const expr *zero_of(builder *b, ltype t) {
    return build_broadcast(b, build_const(b, t.elem, 0), t.lanes);
}

static bool is_unit_ramp(const expr *index) {
    return index->kind == EXPR_RAMP && index->imm == 1;
}

/* Elements of a buffer: a contiguous run where `index` is scalar (or a ramp of stride 1), else a gather. */
const expr *build_load(builder *b, int buffer, ltype t, const expr *index, const expr *mask) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(index->type.lanes == 1 || index->type.lanes == t.lanes);
    TENON_ASSERT(mask == NULL || mask->type.lanes == t.lanes);
    if (mask != NULL && expr_is_int(mask, 0))
        return zero_of(b, t);
    if (mask != NULL && expr_is_int(mask, 1))
        mask = NULL;
    if (is_unit_ramp(index))
        index = index->arg[0];
    if (index->kind == EXPR_BROADCAST && mask == NULL)
        return build_broadcast(b, build_load(b, buffer, LTYPE(t.elem, 1), index->arg[0], NULL), t.lanes);
    const expr *args[] = {index, mask};
    expr shape = {.kind = EXPR_LOAD, .type = t, .ref = buffer, .masked = mask != NULL, .n_args = mask != NULL ? 2 : 1};
    return build_intern(b, &shape, args);
}

/* An element of a register array. */
const expr *build_reg_get(builder *b, int reg, ltype t, const expr *index) {
    expr shape = {.kind = EXPR_REG, .type = t, .ref = reg, .n_args = 1};
    return build_intern(b, &shape, &index);
}

static int read_lanes(const expr *const *index, int rank, const expr *mask) {
    int lanes = mask != NULL ? mask->type.lanes : 1;
    for (int i = 0; i < rank; i++)
        if (index[i]->type.lanes > lanes)
            lanes = index[i]->type.lanes;
    return lanes;
}

static bool all_broadcast(const expr *const *args, int n) {
    for (int i = 0; i < n; i++)
        if (args[i]->kind != EXPR_BROADCAST)
            return false;
    return n > 0;
}

/* An element of a tensor operand, or one per lane where an index or the mask has lanes; scalar indices are broadcast.
 */
const expr *build_read(builder *b, int operand, dtype t, const expr *const *index, int rank, const expr *mask) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(rank >= 0 && rank <= NEST_MAX_AXES);
    int lanes = read_lanes(index, rank, mask);
    if (mask != NULL && expr_is_int(mask, 0))
        return zero_of(b, LTYPE(t, lanes));
    if (mask != NULL && expr_is_int(mask, 1))
        mask = NULL;
    const expr *args[EXPR_MAX_ARGS];
    for (int i = 0; i < rank; i++)
        args[i] = index[i]->type.lanes == lanes ? index[i] : build_broadcast(b, index[i], lanes);
    int n = rank;
    if (mask != NULL)
        args[n++] = mask->type.lanes == lanes ? mask : build_broadcast(b, mask, lanes);
    if (lanes > 1 && (n == 0 || all_broadcast(args, n))) {
        for (int i = 0; i < n; i++)
            args[i] = args[i]->arg[0];
        return build_broadcast(b, build_read(b, operand, t, args, rank, mask != NULL ? args[rank] : NULL), lanes);
    }
    expr shape = {.kind = EXPR_READ, .type = LTYPE(t, lanes), .ref = operand, .masked = mask != NULL, .n_args = n};
    return build_intern(b, &shape, args);
}

/* ---- lanes ---- */

const expr *build_broadcast(builder *b, const expr *x, int lanes) {
    if (lanes == 1 || b->failed)
        return x;
    TENON_ASSERT(x->type.lanes == 1);
    return build_raw(b, EXPR_BROADCAST, LTYPE(x->type.elem, lanes), &x, 1);
}

/* base, base + stride, base + 2*stride ... in the base's integer type. */
const expr *build_ramp(builder *b, const expr *base, int64_t stride, int lanes) {
    if (lanes == 1 || b->failed)
        return base;
    TENON_ASSERT(base->type.lanes == 1 && dtype_is_int(base->type.elem));
    stride = fold_wrap(base->type.elem, stride);
    if (stride == 0)
        return build_broadcast(b, base, lanes);
    expr shape = {.kind = EXPR_RAMP, .type = LTYPE(base->type.elem, lanes), .imm = stride, .n_args = 1};
    return build_intern(b, &shape, &base);
}

/* One lane of x, where it is known without a SHUFFLE. */
static const expr *lane_of(builder *b, const expr *x, int lane) {
    if (x->type.lanes == 1)
        return x;
    if (x->kind == EXPR_BROADCAST)
        return x->arg[0];
    if (x->kind == EXPR_RAMP)
        return build_add(b, x->arg[0], build_int(b, x->type.elem, (int64_t)((uint64_t)x->imm * (uint64_t)lane)));
    return NULL;
}

/* The operand that the lanes copy whole and in order, if any. */
static const expr *copied_operand(const expr *x, const expr *y, const uint8_t *lanes, int n) {
    int m = x->type.lanes;
    if (n != m)
        return NULL;
    bool is_x = true, is_y = true;
    for (int i = 0; i < n; i++) {
        is_x = is_x && lanes[i] == i;
        is_y = is_y && lanes[i] == m + i;
    }
    return is_x ? x : is_y ? y : NULL;
}

/* n lanes chosen from the concatenation of x and y; n = 1 gives a scalar. */
const expr *build_shuffle(builder *b, const expr *x, const expr *y, const uint8_t *lanes, int n) {
    if (b->failed)
        return b->poison;
    int m = x->type.lanes;
    TENON_ASSERT(ltype_equal(x->type, y->type) && n >= 1 && n <= 64);
    const expr *copied = copied_operand(x, y, lanes, n);
    if (copied != NULL)
        return copied;
    const expr *one = n == 1 ? lane_of(b, lanes[0] < m ? x : y, lanes[0] % m) : NULL;
    if (one != NULL)
        return one;
    if (x == y && x->kind == EXPR_BROADCAST)
        return build_broadcast(b, x->arg[0], n);
    const expr *args[] = {x, y};
    expr shape = {.kind = EXPR_SHUFFLE, .type = LTYPE(x->type.elem, n), .lanes = lanes, .n_args = 2};
    return build_intern(b, &shape, args);
}

/* Lanes of x by variable numbers. */
const expr *build_permute(builder *b, const expr *x, const expr *lanes) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(x->type.lanes == lanes->type.lanes && dtype_bits(x->type.elem) == dtype_bits(lanes->type.elem));
    const expr *args[] = {x, lanes};
    return x->kind == EXPR_BROADCAST ? x : build_raw(b, EXPR_PERMUTE, x->type, args, 2);
}

/* The same of x and y. */
const expr *build_permute2(builder *b, const expr *x, const expr *y, const expr *lanes) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(ltype_equal(x->type, y->type) && x->type.lanes == lanes->type.lanes &&
                 dtype_bits(x->type.elem) == dtype_bits(lanes->type.elem));
    const expr *args[] = {x, y, lanes};
    return x == y ? build_permute(b, x, lanes) : build_raw(b, EXPR_PERMUTE2, x->type, args, 3);
}

/* ---- operations ---- */

static bool is_reduce(expr_kind k) {
    return k >= EXPR_REDUCE_ADD && k <= EXPR_REDUCE_MAX;
}

static const expr *unary_to(builder *b, expr_kind k, dtype to, const expr *x) {
    if (b->failed)
        return b->poison;
    if (x->kind == EXPR_BROADCAST)
        return build_broadcast(b, unary_to(b, k, to, x->arg[0]), x->type.lanes);
    const expr *folded = fold_unary(b, k, to, x);
    return folded != NULL ? folded : build_raw(b, k, LTYPE(to, x->type.lanes), &x, 1);
}

/* NEG .. RINT, and REDUCE_*, which gives a scalar. */
const expr *build_unary(builder *b, expr_kind k, const expr *x) {
    if (b->failed)
        return b->poison;
    if (is_reduce(k)) {
        if (x->type.lanes == 1)
            return x;
        if (x->kind == EXPR_BROADCAST && (k == EXPR_REDUCE_MIN || k == EXPR_REDUCE_MAX))
            return x->arg[0];
        return build_raw(b, k, LTYPE(x->type.elem, 1), &x, 1);
    }
    const expr *simple = simplify_unary(b, k, x);
    return simple != NULL ? simple : unary_to(b, k, x->type.elem, x);
}

/* To another element type: loop.h's CAST. */
const expr *build_cast(builder *b, dtype t, const expr *x) {
    if (b->failed || x->type.elem == t)
        return b->failed ? b->poison : x;
    const expr *simple = simplify_cast(b, t, x);
    return simple != NULL ? simple : unary_to(b, EXPR_CAST, t, x);
}

/* Integer to integer, clamped. */
const expr *build_saturate(builder *b, dtype t, const expr *x) {
    if (b->failed)
        return b->poison;
    range r = expr_range(x), all = range_of_type(t);
    bool fits = x->type.elem != DT_U64 && t != DT_U64 && r.lo >= all.lo && r.hi <= all.hi;
    if (fits || simplify_holds(t, x->type.elem))
        return build_cast(b, t, x);
    return unary_to(b, EXPR_SATURATE, t, x);
}

/* The same bits as another type of the same width. */
const expr *build_bitcast(builder *b, dtype t, const expr *x) {
    if (b->failed || x->type.elem == t)
        return b->failed ? b->poison : x;
    TENON_ASSERT(dtype_bits(t) == dtype_bits(x->type.elem));
    if (x->kind == EXPR_BITCAST)
        return build_bitcast(b, t, x->arg[0]);
    if (dtype_is_int(t) && dtype_is_int(x->type.elem))
        return build_cast(b, t, x);
    return unary_to(b, EXPR_BITCAST, t, x);
}

/* ADD .. LE over operands of one type. */
const expr *build_binary(builder *b, expr_kind k, const expr *x, const expr *y) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(ltype_equal(x->type, y->type));
    if (x->kind == EXPR_BROADCAST && y->kind == EXPR_BROADCAST)
        return build_broadcast(b, build_binary(b, k, x->arg[0], y->arg[0]), x->type.lanes);
    const expr *simple = simplify_binary(b, k, x, y);
    return b->failed ? b->poison : simple;
}

/* c ? x : y in each lane. */
const expr *build_select(builder *b, const expr *c, const expr *x, const expr *y) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(ltype_equal(x->type, y->type) && c->type.lanes == x->type.lanes && c->type.elem == DT_BOOL);
    if (x == y || expr_is_int(c, 1))
        return x;
    if (expr_is_int(c, 0))
        return y;
    if (c->kind == EXPR_NOT)
        return build_select(b, c->arg[0], y, x);
    const expr *args[] = {c, x, y};
    if (all_broadcast(args, 3))
        return build_broadcast(b, build_select(b, c->arg[0], x->arg[0], y->arg[0]), x->type.lanes);
    return build_raw(b, EXPR_SELECT, x->type, args, 3);
}

static bool is_float_value(const expr *x, double value) {
    const expr *c = x->kind == EXPR_BROADCAST ? x->arg[0] : x;
    return c->kind == EXPR_FLOAT && c->f == value && !signbit(c->f) == !signbit(value);
}

/* x * y + z rounded once. */
const expr *build_fma(builder *b, const expr *x, const expr *y, const expr *z) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(ltype_equal(x->type, y->type) && ltype_equal(x->type, z->type));
    bool swap = expr_before(y, x);
    const expr *ordered[] = {swap ? y : x, swap ? x : y, z};
    if (all_broadcast(ordered, 3))
        return build_broadcast(b, build_fma(b, x->arg[0], y->arg[0], z->arg[0]), x->type.lanes);
    const expr *folded = fold_fma(b, x, y, z);
    if (folded != NULL)
        return folded;
    if (is_float_value(x, 1))
        return build_binary(b, EXPR_ADD, y, z);
    if (is_float_value(y, 1))
        return build_binary(b, EXPR_ADD, x, z);
    if (is_float_value(z, -0.0))
        return build_binary(b, EXPR_MUL, x, y);
    return build_raw(b, EXPR_FMA, x->type, ordered, 3);
}

const expr *build_pairs(builder *b, const expr *x, const expr *y) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(x->type.lanes == y->type.lanes && x->type.lanes % 2 == 0);
    const expr *args[] = {x, y};
    return build_raw(b, EXPR_PAIRS, LTYPE(DT_I16, x->type.lanes / 2), args, 2);
}

/* DOT2 or DOT4. */
const expr *build_dot(builder *b, expr_kind k, const expr *acc, const expr *x, const expr *y) {
    if (b->failed)
        return b->poison;
    int each = k == EXPR_DOT2 ? 2 : 4;
    TENON_ASSERT(x->type.lanes == each * acc->type.lanes && y->type.lanes == x->type.lanes);
    if (expr_is_int(x, 0) || expr_is_int(y, 0))
        return acc;
    const expr *args[] = {acc, x, y};
    return build_raw(b, k, acc->type, args, 3);
}

/* ---- short forms ---- */

static const expr *to_lanes(builder *b, const expr *x, int lanes) {
    return x->type.lanes == lanes || b->failed ? x : build_broadcast(b, x, lanes);
}

static const expr *binary_of_any_lanes(builder *b, expr_kind k, const expr *x, const expr *y) {
    int lanes = x->type.lanes > y->type.lanes ? x->type.lanes : y->type.lanes;
    return build_binary(b, k, to_lanes(b, x, lanes), to_lanes(b, y, lanes));
}

const expr *build_mul_add(builder *b, const expr *x, const expr *y, const expr *z) {
    bool fuse = target_has_fma(b->target, x->type.elem);
    if (!fuse)
        return build_add(b, build_mul(b, x, y), z);
    int lanes = x->type.lanes > y->type.lanes ? x->type.lanes : y->type.lanes;
    lanes = z->type.lanes > lanes ? z->type.lanes : lanes;
    return build_fma(b, to_lanes(b, x, lanes), to_lanes(b, y, lanes), to_lanes(b, z, lanes));
}

const expr *build_add(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_ADD, x, y);
}

const expr *build_sub(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_SUB, x, y);
}

const expr *build_mul(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_MUL, x, y);
}

const expr *build_div(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_DIV, x, y);
}

const expr *build_rem(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_REM, x, y);
}

const expr *build_min(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_MIN, x, y);
}

const expr *build_max(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_MAX, x, y);
}

const expr *build_and(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_AND, x, y);
}

const expr *build_lt(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_LT, x, y);
}

const expr *build_le(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_LE, x, y);
}

const expr *build_eq(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_EQ, x, y);
}

const expr *build_ne(builder *b, const expr *x, const expr *y) {
    return binary_of_any_lanes(b, EXPR_NE, x, y);
}
