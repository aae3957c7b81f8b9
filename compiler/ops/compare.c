/* Comparisons, logic and choice, element by element. */
#include <math.h>

#include "ops/kit.h"

#define TYPES_COMPARED (TYPES_NUMBER | TYPES_BOOL)
static const op_param any_ab[] = {{"A", TYPES_COMPARED, 'T', 0}, {"B", TYPES_COMPARED, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param number_ab[] = {{"A", TYPES_NUMBER, 'T', 0}, {"B", TYPES_NUMBER, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param bool_ab[] = {{"A", TYPES_BOOL, 'T', 0}, {"B", TYPES_BOOL, 'T', 0}, {NULL, 0, 0, 0}};
static const op_param bool_c[] = {{"C", TYPES_BOOL, 0, 0}, {NULL, 0, 0, 0}};

static const expr *equal_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_eq(b, kit_wide(b, x[0]), kit_wide(b, x[1]));
}
static const expr *less_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_lt(b, kit_wide(b, x[0]), kit_wide(b, x[1]));
}
static const expr *greater_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_lt(b, kit_wide(b, x[1]), kit_wide(b, x[0]));
}
static const expr *less_or_equal_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_le(b, kit_wide(b, x[0]), kit_wide(b, x[1]));
}
static const expr *greater_or_equal_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_le(b, kit_wide(b, x[1]), kit_wide(b, x[0]));
}

OP_ROW(Equal) = {
    .name = "Equal",
    .domain = "",
    .versions = VERSIONS(1, 7, 11, 13, 19),
    .kind = OP_SCALAR,
    .inputs = any_ab,
    .outputs = bool_c,
    .note = "no strings",
    .upgrade = kit_upgrade_broadcast,
    .scalar = equal_scalar,
};
OP_ROW(Less) = {
    .name = "Less",
    .domain = "",
    .versions = VERSIONS(1, 7, 9, 13),
    .kind = OP_SCALAR,
    .inputs = number_ab,
    .outputs = bool_c,
    .upgrade = kit_upgrade_broadcast,
    .scalar = less_scalar,
};
OP_ROW(Greater) = {
    .name = "Greater",
    .domain = "",
    .versions = VERSIONS(1, 7, 9, 13),
    .kind = OP_SCALAR,
    .inputs = number_ab,
    .outputs = bool_c,
    .upgrade = kit_upgrade_broadcast,
    .scalar = greater_scalar,
};
OP_ROW(LessOrEqual) = {
    .name = "LessOrEqual",
    .domain = "",
    .versions = VERSIONS(12, 16),
    .kind = OP_SCALAR,
    .inputs = number_ab,
    .outputs = bool_c,
    .scalar = less_or_equal_scalar,
};
OP_ROW(GreaterOrEqual) = {
    .name = "GreaterOrEqual",
    .domain = "",
    .versions = VERSIONS(12, 16),
    .kind = OP_SCALAR,
    .inputs = number_ab,
    .outputs = bool_c,
    .scalar = greater_or_equal_scalar,
};

/* ---- logic ---- */

static const expr *and_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_and(b, x[0], x[1]);
}
static const expr *or_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_binary(b, EXPR_OR, x[0], x[1]);
}
static const expr *xor_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_binary(b, EXPR_XOR, x[0], x[1]);
}
static const expr *not_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_unary(b, EXPR_NOT, x[0]);
}

OP_ROW(And) = {.name = "And",
               .domain = "",
               .versions = VERSIONS(1, 7),
               .kind = OP_SCALAR,
               .inputs = bool_ab,
               .outputs = bool_c,
               .upgrade = kit_upgrade_broadcast,
               .scalar = and_scalar};
OP_ROW(Or) = {.name = "Or",
              .domain = "",
              .versions = VERSIONS(1, 7),
              .kind = OP_SCALAR,
              .inputs = bool_ab,
              .outputs = bool_c,
              .upgrade = kit_upgrade_broadcast,
              .scalar = or_scalar};
OP_ROW(Xor) = {.name = "Xor",
               .domain = "",
               .versions = VERSIONS(1, 7),
               .kind = OP_SCALAR,
               .inputs = bool_ab,
               .outputs = bool_c,
               .upgrade = kit_upgrade_broadcast,
               .scalar = xor_scalar};
OP_ROW(Not) = {
    .name = "Not",
    .domain = "",
    .versions = VERSIONS(1),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_BOOL, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_BOOL, 'T', 0}),
    .scalar = not_scalar,
};

static const expr *where_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    return build_select(b, x[0], x[1], x[2]);
}

OP_ROW(Where) = {
    .name = "Where",
    .domain = "",
    .versions = VERSIONS(9, 16),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"condition", TYPES_BOOL, 0, 0}, {"X", TYPES_MOVE, 'T', 0}, {"Y", TYPES_MOVE, 'T', 0}),
    .outputs = PARAMS({"output", TYPES_MOVE, 'T', 0}),
    .note = "no strings, no complex numbers",
    .scalar = where_scalar,
};

/* ---- kinds of floats ---- */

#define TYPES_TESTED (TYPES_FLOAT | (TYPES_FLOAT8 & ~TYPE_BIT(DT_F8E8M0)))

static const expr *is_nan_scalar(builder *b, const node *n, const expr *const *x) {
    (void)n;
    const expr *wide = kit_wide(b, x[0]);
    return build_ne(b, wide, wide);
}

OP_ROW(IsNaN) = {
    .name = "IsNaN",
    .domain = "",
    .versions = VERSIONS(9, 13, 20),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_TESTED, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_BOOL, 0, 0}),
    .scalar = is_nan_scalar,
};

static const expr *is_inf_scalar(builder *b, const node *n, const expr *const *x) {
    const expr *wide = kit_wide(b, x[0]), *result = build_int(b, DT_BOOL, 0);
    if (op_int(n, "detect_positive") != 0)
        result = build_eq(b, wide, kit_const(b, wide, INFINITY));
    if (op_int(n, "detect_negative") != 0)
        result = build_binary(b, EXPR_OR, result, build_eq(b, wide, kit_const(b, wide, -INFINITY)));
    return result;
}

OP_ROW(IsInf) = {
    .name = "IsInf",
    .domain = "",
    .versions = VERSIONS(10, 20),
    .kind = OP_SCALAR,
    .inputs = PARAMS({"X", TYPES_TESTED, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_BOOL, 0, 0}),
    .attrs = ATTRS({"detect_negative", ATTR_INT, .i = 1}, {"detect_positive", ATTR_INT, .i = 1}),
    .scalar = is_inf_scalar,
};
