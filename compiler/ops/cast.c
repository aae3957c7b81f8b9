/* Cast, CastLike, BitCast. */
#include <math.h>
#include <string.h>

#include "ops/kit.h"

#define CAST_NOTE "no strings, no complex numbers"

/* Past the largest value a float8 without saturation becomes an infinity where it has one, else NaN: both come from
 * those of the source. What rounds to more than the largest value begins half a step above it. */
typedef struct float8_limit {
    dtype type;
    double first_over; /* smallest magnitude that does not round to a finite value; a tie goes to the even neighbour */
    bool tie_is_over, has_infinity;
} float8_limit;
static const float8_limit float8_limits[] = {
    {DT_F8E4M3FN, 464, false, false},
    {DT_F8E4M3FNUZ, 248, true, false},
    {DT_F8E5M2, 61440, true, true},
    {DT_F8E5M2FNUZ, 61440, true, false},
};

static const expr *cast_unsaturated(builder *b, const float8_limit *limit, const expr *x) {
    const expr *v = kit_cast(b, DT_F32, x), *size = build_unary(b, EXPR_ABS, v),
               *bound = kit_const(b, v, limit->first_over);
    const expr *over = limit->tie_is_over ? build_le(b, bound, size) : build_lt(b, bound, size);
    const expr *nan = kit_const(b, v, NAN);
    if (!limit->has_infinity)
        return build_cast(b, limit->type, build_select(b, over, nan, v));
    /* CAST clamps an infinity too, so the bits of one are put in. */
    const expr *bits =
        build_select(b, build_lt(b, v, kit_const(b, v, 0)), build_int(b, DT_U8, 0xfc), build_int(b, DT_U8, 0x7c));
    return build_select(b, over, build_bitcast(b, limit->type, bits), build_cast(b, limit->type, v));
}

/* x, an element of the node's first input, as one of type t. */
static const expr *cast_to(builder *b, const node *n, dtype t, const expr *x) {
    x = kit_decode(b, op_input_type(n, 0)->elem, x);
    if (t == DT_F8E8M0)
        return kit_power_of_two(b, kit_cast(b, DT_F32, x), op_string(n, "round_mode"), op_int(n, "saturate") != 0);
    if (op_int(n, "saturate") == 0 && dtype_is_float(x->type.elem))
        for (size_t k = 0; k < sizeof float8_limits / sizeof *float8_limits; k++)
            if (float8_limits[k].type == t)
                return cast_unsaturated(b, &float8_limits[k], x);
    return kit_encode(b, t, x);
}

/* The row's `to`; DT_NONE after a diagnostic. */
static dtype cast_target(node *n, uint64_t allowed) {
    int64_t to = op_int(n, "to");
    dtype t = to > 0 && to < 1000 ? dtype_from_onnx((int32_t)to) : DT_NONE;
    if (t == DT_NONE || (allowed & TYPE_BIT(t)) == 0) {
        op_unsupported(n, "unsupported-type", "'to' is element type %lld, which %s does not produce here",
                       (long long)to, n->op);
        return DT_NONE;
    }
    return t;
}

static status check_round_mode(node *n) {
    const char *mode = op_string(n, "round_mode");
    if (strcmp(mode, "up") != 0 && strcmp(mode, "down") != 0 && strcmp(mode, "nearest") != 0)
        return op_invalid(n, "wrong-attribute", "round_mode is '%s', expected 'up', 'down' or 'nearest'", mode);
    return STATUS_OK;
}

static status cast_infer(node *n) {
    dtype t = cast_target(n, TYPES_STORED);
    if (t == DT_NONE)
        return STATUS_UNSUPPORTED;
    TRY(check_round_mode(n));
    return kit_output_shaped(n, 0, 0, t);
}

static const expr *cast_scalar(builder *b, const node *n, const expr *const *x) {
    return cast_to(b, n, dtype_from_onnx((int32_t)op_int(n, "to")), x[0]);
}

/* Before opset 6 `to` was the name that onnx.proto has for the type. */
static status cast_upgrade(node *n) {
    static const struct {
        const char *name;
        int number;
    } types[] = {{"FLOAT", 1}, {"UINT8", 2}, {"INT8", 3},     {"UINT16", 4},  {"INT16", 5},   {"INT32", 6},
                 {"INT64", 7}, {"BOOL", 9},  {"FLOAT16", 10}, {"DOUBLE", 11}, {"UINT32", 12}, {"UINT64", 13}};
    const attr *to = node_attr(n, "to");
    if (to == NULL || to->kind != ATTR_STRING)
        return STATUS_OK;
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (strcmp(to->s, types[k].name) == 0)
            return node_set_attr(n, &(attr){.name = "to", .kind = ATTR_INT, .i = types[k].number});
    return op_unsupported(n, "unsupported-type", "'to' is %s, which Cast does not produce here", to->s);
}

OP_ROW(Cast) = {
    .name = "Cast",
    .domain = "",
    .versions = VERSIONS(1, 6, 9, 13, 19, 21, 23, 24, 25, 28),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"input", TYPES_STORED, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_STORED, 'U', 0}),
    .attrs = ATTRS({"round_mode", ATTR_STRING, .s = "up"}, {"saturate", ATTR_INT, .i = 1},
                   {"to", ATTR_INT, .required = true}),
    .note = CAST_NOTE,
    .infer = cast_infer,
    .upgrade = cast_upgrade,
    .scalar = cast_scalar,
};

static status cast_like_infer(node *n) {
    TRY(check_round_mode(n));
    return kit_output_shaped(n, 0, 0, op_input_type(n, 1)->elem);
}

static status cast_like_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int y = nest_output(l, 0);
    nest *m = kit_over(l, "cast", y, i);
    const expr *v = cast_to(l->b, n, op_input_type(n, 1)->elem, nest_read(l, 0, i));
    nest_store(m, y, i, kit_operand(l, y)->rank, v);
    return builder_status(l->b);
}

OP_ROW(CastLike) = {
    .name = "CastLike",
    .domain = "",
    .versions = VERSIONS(15, 19, 21, 23, 24, 25),
    .kind = OP_LOWER,
    .inputs = PARAMS({"input", TYPES_STORED, 'T', 0}, {"target_type", TYPES_STORED, 'U', PARAM_SHAPE}),
    .outputs = PARAMS({"output", TYPES_STORED, 'U', 0}),
    .attrs = ATTRS({"round_mode", ATTR_STRING, .s = "up"}, {"saturate", ATTR_INT, .i = 1}),
    .note = CAST_NOTE,
    .infer = cast_like_infer,
    .lower = cast_like_lower,
};

static status bit_cast_infer(node *n) {
    dtype t = cast_target(n, TYPES_MOVE);
    if (t == DT_NONE)
        return STATUS_UNSUPPORTED;
    dtype from = op_input_type(n, 0)->elem;
    if (from != DT_NONE && dtype_bits(from) != dtype_bits(t))
        return op_invalid(n, "wrong-type", "%s has %d bits and %s has %d", dtype_name(from), dtype_bits(from),
                          dtype_name(t), dtype_bits(t));
    return kit_output_shaped(n, 0, 0, t);
}

/* A bool's byte holds 0 or 1: it is converted, not reinterpreted. */
static const expr *bit_cast_scalar(builder *b, const node *n, const expr *const *x) {
    dtype t = dtype_from_onnx((int32_t)op_int(n, "to"));
    const expr *bits = x[0]->type.elem == DT_BOOL ? build_cast(b, DT_U8, x[0]) : x[0];
    if (t == DT_BOOL)
        return build_ne(b, build_bitcast(b, DT_U8, bits), build_int(b, DT_U8, 0));
    return build_bitcast(b, t, bits);
}

OP_ROW(BitCast) = {
    .name = "BitCast",
    .domain = "",
    .versions = VERSIONS(26),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"input", TYPES_MOVE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'U', 0}),
    .attrs = ATTRS({"to", ATTR_INT, .required = true}),
    .note = CAST_NOTE ", no 2- and 4-bit elements",
    .infer = bit_cast_infer,
    .scalar = bit_cast_scalar,
};
