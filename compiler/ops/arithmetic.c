/* Arithmetic, element by element: Add, Sub, Mul, Div, Pow, Mod, Neg, Abs, Sqrt, rounding, Min, Max, Sum, Mean, bits. */
#include "ops/kit.h"

static const op_param number_ab[] = {{"A", TYPES_NUMBER, 'T', 0}, {"B", TYPES_NUMBER, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param number_c[] = {{"C", TYPES_NUMBER, 'T', 0}, {NULL, 0, 0, 0}};

/* A scalar callback that applies one builder function to one or two numbers. */
#define UNARY(NAME, FN)                                                                                                \
    static const expr *NAME##_scalar(builder *b, const node *n, const expr *const *x) {                                \
        (void)n;                                                                                                       \
        return kit_unary(b, x[0], FN);                                                                                 \
    }
#define BINARY(NAME, FN)                                                                                               \
    static const expr *NAME##_scalar(builder *b, const node *n, const expr *const *x) {                                \
        (void)n;                                                                                                       \
        return kit_binary(b, x[0], x[1], FN);                                                                          \
    }

#define BINARY_ROW(NAME, FN)                                                                                           \
    {.name = NAME,                                                                                                     \
     .domain = "",                                                                                                     \
     .versions = VERSIONS_BROADCAST,                                                                                   \
     .kind = OP_SCALAR,                                                                                                \
     .inputs = number_ab,                                                                                              \
     .outputs = number_c,                                                                                              \
     .upgrade = kit_upgrade_broadcast,                                                                                 \
     .scalar = FN}

BINARY(add, build_add)
OP_ROW(Add) = BINARY_ROW("Add", add_scalar);

BINARY(sub, build_sub)
OP_ROW(Sub) = BINARY_ROW("Sub", sub_scalar);

BINARY(mul, build_mul)
OP_ROW(Mul) = BINARY_ROW("Mul", mul_scalar);

BINARY(div, build_div)
OP_ROW(Div) = BINARY_ROW("Div", div_scalar);

/* ---- Pow ---- */

/* base^exponent for a small known exponent, by squaring. */
static const expr *power_known(builder *b, const expr *base, int64_t exponent) {
    const expr *result = NULL;
    for (; exponent > 0; exponent >>= 1) {
        if (exponent & 1)
            result = result == NULL ? base : build_mul(b, result, base);
        if (exponent > 1)
            base = build_mul(b, base, base);
    }
    return result == NULL ? kit_const(b, base, 1) : result;
}

/* Integers modulo 2^bits, by squaring over the exponent's bits; a negative exponent gives the reciprocal, cut to an
 * integer. */
static const expr *power_int(builder *b, const expr *base, const expr *exponent) {
    dtype t = base->type.elem, e = exponent->type.elem;
    const expr *zero = build_int(b, e, 0), *one = build_int(b, t, 1), *minus_one = build_int(b, t, -1), *x = base,
               *result = one;
    const expr *odd = NULL;
    for (int bit = 0; bit < dtype_bits(e) - (dtype_is_signed(e) ? 1 : 0); bit++) {
        const expr *set = build_ne(b, build_and(b, exponent, build_int(b, e, (int64_t)(UINT64_C(1) << bit))), zero);
        if (bit == 0)
            odd = set;
        result = build_mul(b, result, build_select(b, set, x, one));
        x = build_mul(b, x, x);
    }
    if (!dtype_is_signed(e))
        return result;
    const expr *inverse =
        build_select(b, build_eq(b, base, minus_one), build_select(b, odd, minus_one, one), build_int(b, t, 0));
    inverse = build_select(b, build_eq(b, base, one), one, inverse);
    return build_select(b, build_lt(b, exponent, zero), inverse, result);
}

static const expr *pow_scalar(builder *b, const node *n, const expr *const *x) {
    const tensor *known = kit_constant(n, 1);
    const expr *base = kit_wide(b, x[0]), *exponent = kit_wide(b, x[1]);
    dtype t = x[0]->type.elem;
    if (known != NULL && known->count == 1 && dtype_is_float(t)) {
        double e = dtype_is_float(known->elem) ? tensor_double(known, 0) : (double)tensor_int(known, 0);
        if (e >= 0 && e <= 4 && e == (double)(int64_t)e)
            return kit_narrow(b, t, power_known(b, base, (int64_t)e));
    }
    if (dtype_is_float(t))
        return kit_narrow(b, t, build_pow(b, base, build_cast(b, base->type.elem, exponent)));
    if (!dtype_is_float(exponent->type.elem))
        return power_int(b, base, exponent);
    return build_cast(b, t, build_pow(b, build_cast(b, DT_F64, base), build_cast(b, DT_F64, exponent)));
}

OP_ROW(Pow) = {
    .name = "Pow",
    .domain = "",
    .versions = VERSIONS(1, 7, 12, 13, 15),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_FLOAT | TYPES_INDEX, 'T', 0}, {"Y", TYPES_NUMBER, 'U', 0}),
    .outputs = PARAMS({"Z", TYPES_FLOAT | TYPES_INDEX, 'T', 0}),
    .upgrade = kit_upgrade_broadcast,
    .scalar = pow_scalar,
};

/* ---- Mod ---- */

/* r, a zero of it with the sign of `like`. */
static const expr *sign_zero(builder *b, const expr *r, const expr *like) {
    const expr *negative = build_lt(b, like, kit_const(b, like, 0));
    const expr *zero = build_select(b, negative, kit_const(b, r, -0.0), kit_const(b, r, 0));
    return build_select(b, build_eq(b, r, kit_const(b, r, 0)), zero, r);
}

/* x - trunc(x / y) * y in f64, exact for f32 quotients below 2^29: the quotient is rounded once, so the remainder may
 * have to be put back into range. */
static const expr *float_mod(builder *b, const expr *x, const expr *y) {
    if (x->type.elem == DT_F32)
        return build_cast(b, DT_F32, float_mod(b, build_cast(b, DT_F64, x), build_cast(b, DT_F64, y)));
    const expr *zero = kit_const(b, x, 0), *negative = build_lt(b, x, zero), *size = build_unary(b, EXPR_ABS, y);
    const expr *step = build_select(b, negative, build_unary(b, EXPR_NEG, size), size);
    const expr *r = build_sub(b, x, build_mul(b, build_unary(b, EXPR_TRUNC, build_div(b, x, y)), y));
    r = build_select(b, build_le(b, size, build_unary(b, EXPR_ABS, r)), build_sub(b, r, step), r);
    const expr *wrong_sign = build_select(b, negative, build_lt(b, zero, r), build_lt(b, r, zero));
    r = build_select(b, wrong_sign, build_add(b, r, step), r);
    r = build_select(b, build_eq(b, r, zero), build_mul(b, x, zero), r); /* the sign of x */
    /* A finite x modulo infinity is x; x + x*0 makes the NaN of an infinite one. */
    return build_select(b, build_eq(b, size, kit_highest(b, DT_F64)), build_add(b, x, build_mul(b, x, zero)), r);
}

static const expr *floor_mod(builder *b, const expr *x, const expr *y) {
    const expr *r = dtype_is_float(x->type.elem) ? float_mod(b, x, y) : build_rem(b, x, y);
    if (!dtype_is_float(x->type.elem) && !dtype_is_signed(x->type.elem))
        return r;
    const expr *zero = kit_const(b, x, 0);
    const expr *differ = build_ne(b, build_lt(b, r, zero), build_lt(b, y, zero));
    const expr *floored = build_select(b, build_and(b, build_ne(b, r, zero), differ), build_add(b, r, y), r);
    return dtype_is_float(x->type.elem) ? sign_zero(b, floored, y) : floored;
}

static const expr *mod_scalar(builder *b, const node *n, const expr *const *x) {
    if (op_int(n, "fmod") == 0)
        return kit_binary(b, x[0], x[1], floor_mod);
    return kit_binary(b, x[0], x[1], dtype_is_float(x[0]->type.elem) ? float_mod : build_rem);
}

OP_ROW(Mod) = {
    .name = "Mod",
    .domain = "",
    .versions = VERSIONS(10, 13, 28),
    .kind = OP_SCALAR,
    .inputs = number_ab,
    .outputs = number_c,
    .attrs = ATTRS({"fmod", ATTR_INT, .i = 0}),
    .scalar = mod_scalar,
};

/* ---- one operand ---- */

static const op_param signed_x[] = {{"X", TYPES_SIGNED | TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param signed_y[] = {{"Y", TYPES_SIGNED | TYPES_FLOAT, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param number_x[] = {{"X", TYPES_NUMBER, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param number_y[] = {{"Y", TYPES_NUMBER, 'T', 0}, {NULL, 0, 0, 0}};

static const expr *negate(builder *b, const expr *x) {
    return build_unary(b, EXPR_NEG, x);
}
static const expr *absolute(builder *b, const expr *x) {
    return dtype_is_float(x->type.elem) || dtype_is_signed(x->type.elem) ? build_unary(b, EXPR_ABS, x) : x;
}
static const expr *root(builder *b, const expr *x) {
    return build_unary(b, EXPR_SQRT, x);
}
static const expr *round_down(builder *b, const expr *x) {
    return build_unary(b, EXPR_FLOOR, x);
}
static const expr *round_up(builder *b, const expr *x) {
    return build_unary(b, EXPR_CEIL, x);
}
static const expr *round_even(builder *b, const expr *x) {
    return build_unary(b, EXPR_RINT, x);
}
static const expr *sign(builder *b, const expr *x) {
    const expr *zero = kit_const(b, x, 0), *positive = build_lt(b, zero, x), *one = kit_const(b, x, 1);
    if (!dtype_is_float(x->type.elem) && !dtype_is_signed(x->type.elem))
        return build_select(b, positive, one, zero);
    const expr *result = build_select(b, build_lt(b, x, zero), kit_const(b, x, -1), zero);
    result = build_select(b, positive, one, result);
    return dtype_is_float(x->type.elem) ? build_select(b, build_ne(b, x, x), x, result) : result;
}

UNARY(neg, negate)
OP_ROW(Neg) = {.name = "Neg",
               .domain = "",
               .versions = VERSIONS_UNARY,
               .kind = OP_SCALAR,
               .inputs = signed_x,
               .outputs = signed_y,
               .scalar = neg_scalar};

UNARY(abs, absolute)
OP_ROW(Abs) = {.name = "Abs",
               .domain = "",
               .versions = VERSIONS_UNARY,
               .kind = OP_SCALAR,
               .inputs = number_x,
               .outputs = number_y,
               .scalar = abs_scalar};

UNARY(sqrt, root)
OP_ROW(Sqrt) = {.name = "Sqrt",
                .domain = "",
                .versions = VERSIONS_UNARY,
                .kind = OP_SCALAR,
                .inputs = kit_float_X,
                .outputs = kit_float_Y,
                .scalar = sqrt_scalar};

UNARY(reciprocal, kit_reciprocal)
OP_ROW(Reciprocal) = {.name = "Reciprocal",
                      .domain = "",
                      .versions = VERSIONS_UNARY,
                      .kind = OP_SCALAR,
                      .inputs = kit_float_X,
                      .outputs = kit_float_Y,
                      .scalar = reciprocal_scalar};

UNARY(floor, round_down)
OP_ROW(Floor) = {.name = "Floor",
                 .domain = "",
                 .versions = VERSIONS_UNARY,
                 .kind = OP_SCALAR,
                 .inputs = kit_float_X,
                 .outputs = kit_float_Y,
                 .scalar = floor_scalar};

UNARY(ceil, round_up)
OP_ROW(Ceil) = {.name = "Ceil",
                .domain = "",
                .versions = VERSIONS_UNARY,
                .kind = OP_SCALAR,
                .inputs = kit_float_X,
                .outputs = kit_float_Y,
                .scalar = ceil_scalar};

UNARY(round, round_even)
OP_ROW(Round) = {.name = "Round",
                 .domain = "",
                 .versions = VERSIONS(11, 22),
                 .kind = OP_SCALAR,
                 .inputs = kit_float_X,
                 .outputs = kit_float_Y,
                 .scalar = round_scalar};

UNARY(sign, sign)
OP_ROW(Sign) = {
    .name = "Sign",
    .domain = "",
    .versions = VERSIONS(9, 13),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"input", TYPES_NUMBER, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_NUMBER, 'T', 0}),
    .scalar = sign_scalar,
};

/* ---- any number of operands ---- */

static const expr *accumulate(builder *b, const node *n, const expr *const *x,
                              const expr *(*fn)(builder *b, const expr *x, const expr *y)) {
    const expr *result = kit_wide(b, x[0]);
    for (int k = 1; k < n->n_inputs; k++)
        result = fn(b, result, kit_wide(b, x[k]));
    return result;
}

static const expr *min_scalar(builder *b, const node *n, const expr *const *x) {
    return kit_narrow(b, x[0]->type.elem, accumulate(b, n, x, kit_min));
}
static const expr *max_scalar(builder *b, const node *n, const expr *const *x) {
    return kit_narrow(b, x[0]->type.elem, accumulate(b, n, x, kit_max));
}
static const expr *sum_scalar(builder *b, const node *n, const expr *const *x) {
    return kit_narrow(b, x[0]->type.elem, accumulate(b, n, x, build_add));
}
static const expr *mean_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *sum = accumulate(b, n, x, build_add);
    return kit_narrow(b, x[0]->type.elem, build_div(b, sum, kit_const(b, sum, n->n_inputs)));
}

static const op_param number_data[] = {{"data_0", TYPES_NUMBER, 'T', PARAM_VARIADIC}, {NULL, 0, 0, 0}};
static const op_param float_data[] = {{"data_0", TYPES_FLOAT, 'T', PARAM_VARIADIC}, {NULL, 0, 0, 0}};

OP_ROW(Min) = {
    .name = "Min",
    .domain = "",
    .versions = VERSIONS(1, 6, 8, 12, 13),
    .kind = OP_SCALAR,
    .inputs = number_data,
    .outputs = PARAMS({"min", TYPES_NUMBER, 'T', 0}),
    .scalar = min_scalar,
};
OP_ROW(Max) = {
    .name = "Max",
    .domain = "",
    .versions = VERSIONS(1, 6, 8, 12, 13),
    .kind = OP_SCALAR,
    .inputs = number_data,
    .outputs = PARAMS({"max", TYPES_NUMBER, 'T', 0}),
    .scalar = max_scalar,
};
OP_ROW(Sum) = {
    .name = "Sum",
    .domain = "",
    .versions = VERSIONS(1, 6, 8, 13),
    .kind = OP_SCALAR,
    .inputs = float_data,
    .outputs = PARAMS({"sum", TYPES_FLOAT, 'T', 0}),
    .scalar = sum_scalar,
};
OP_ROW(Mean) = {
    .name = "Mean",
    .domain = "",
    .versions = VERSIONS(1, 6, 8, 13),
    .kind = OP_SCALAR,
    .inputs = float_data,
    .outputs = PARAMS({"mean", TYPES_FLOAT, 'T', 0}),
    .scalar = mean_scalar,
};

/* ---- bits ---- */

static const op_param int_ab[] = {{"A", TYPES_INT, 'T', 0}, {"B", TYPES_INT, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param int_c[] = {{"C", TYPES_INT, 'T', 0}, {NULL, 0, 0, 0}};

static const expr *bit_or(builder *b, const expr *x, const expr *y) {
    return build_binary(b, EXPR_OR, x, y);
}
static const expr *bit_xor(builder *b, const expr *x, const expr *y) {
    return build_binary(b, EXPR_XOR, x, y);
}
static const expr *bit_not(builder *b, const expr *x) {
    return build_unary(b, EXPR_NOT, x);
}

BINARY(bitwise_and, build_and)
OP_ROW(BitwiseAnd) = {.name = "BitwiseAnd",
                      .domain = "",
                      .versions = VERSIONS(18),
                      .kind = OP_SCALAR,
                      .inputs = int_ab,
                      .outputs = int_c,
                      .scalar = bitwise_and_scalar};

BINARY(bitwise_or, bit_or)
OP_ROW(BitwiseOr) = {.name = "BitwiseOr",
                     .domain = "",
                     .versions = VERSIONS(18),
                     .kind = OP_SCALAR,
                     .inputs = int_ab,
                     .outputs = int_c,
                     .scalar = bitwise_or_scalar};

BINARY(bitwise_xor, bit_xor)
OP_ROW(BitwiseXor) = {.name = "BitwiseXor",
                      .domain = "",
                      .versions = VERSIONS(18),
                      .kind = OP_SCALAR,
                      .inputs = int_ab,
                      .outputs = int_c,
                      .scalar = bitwise_xor_scalar};

UNARY(bitwise_not, bit_not)
OP_ROW(BitwiseNot) = {
    .name = "BitwiseNot",
    .domain = "",
    .versions = VERSIONS(18),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_INT, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_INT, 'T', 0}),
    .scalar = bitwise_not_scalar,
};

/* Counts below 0 or of the width and more give what is left of the sign; the loop IR takes counts modulo the width. */
static const expr *bit_shift_scalar(builder *b, const node *n, const expr *const *x) {
    dtype t = x[0]->type.elem;
    bool left = op_string(n, "direction")[0] == 'L';
    const expr *shifted = build_binary(b, left ? EXPR_SHL : EXPR_SHR, x[0], x[1]), *zero = build_int(b, t, 0),
               *rest = zero;
    if (!left && dtype_is_signed(t))
        rest = build_select(b, build_lt(b, x[0], zero), build_int(b, t, -1), zero);
    const expr *inside = build_and(b, build_le(b, zero, x[1]), build_lt(b, x[1], build_int(b, t, dtype_bits(t))));
    return build_select(b, inside, shifted, rest);
}

OP_ROW(BitShift) = {
    .name = "BitShift",
    .domain = "",
    .versions = VERSIONS(11, 28),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_INT, 'T', 0}, {"Y", TYPES_INT, 'T', 0}),
    .outputs = PARAMS({"Z", TYPES_INT, 'T', 0}),
    .attrs = ATTRS({"direction", ATTR_STRING, .required = true}),
    .scalar = bit_shift_scalar,
};
