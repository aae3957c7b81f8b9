/* Expressions on one lane: a table from (kind, class of type) to C. */
#include <string.h>

#include "codegen/c99/c99.h"

/* Classes of operand types that are spelt alike. */
enum {
    BOOLS = 1,
    NARROW_S = 2, /* i8, i16: C computes in int */
    NARROW_U = 4,
    WIDE_S = 8, /* i32, i64: overflow must be kept away */
    WIDE_U = 16,
    FLOATS = 32,
    NARROW = NARROW_S | NARROW_U,
    SIGNED = NARROW_S | WIDE_S,
    UNSIGNED = NARROW_U | WIDE_U,
    INTS = NARROW | SIGNED | UNSIGNED,
    ANY = BOOLS | INTS | FLOATS
};

typedef struct scalar_row {
    expr_kind kind;
    int classes;
    bool plain; /* only where it is proven not to wrap */
    level result;
    level left, right; /* how loosely operands may bind */
    const char
        *text; /* $0 $1 operands, $T the type, $U its unsigned form, $C operand 1 as a shift count; NULL: a helper */
    c99_helper helper;
} scalar_row;

#define OPERATOR(kind, classes, l, left, right, text)                                                                  \
    {EXPR_##kind, classes, false, LEVEL_##l, LEVEL_##left, LEVEL_##right, text, 0}
#define CALL(kind, classes, helper)                                                                                    \
    {EXPR_##kind, classes, false, LEVEL_ATOM, LEVEL_ANY, LEVEL_ANY, NULL, HELPER_##helper}

static const scalar_row rows[] = {
    {EXPR_ADD, WIDE_S, true, LEVEL_ADD, LEVEL_ADD, LEVEL_MUL, "$0 + $1", 0},
    {EXPR_SUB, WIDE_S, true, LEVEL_ADD, LEVEL_ADD, LEVEL_MUL, "$0 - $1", 0},
    {EXPR_MUL, WIDE_S, true, LEVEL_MUL, LEVEL_MUL, LEVEL_UNARY, "$0 * $1", 0},
    {EXPR_NEG, WIDE_S, true, LEVEL_ADD, LEVEL_UNARY, LEVEL_ANY, "-$0", 0},
    {EXPR_DIV, WIDE_S | WIDE_U, true, LEVEL_MUL, LEVEL_MUL, LEVEL_UNARY, "$0 / $1", 0},
    {EXPR_REM, WIDE_S | WIDE_U, true, LEVEL_MUL, LEVEL_MUL, LEVEL_UNARY, "$0 % $1", 0},
    {EXPR_DIV, NARROW, true, LEVEL_UNARY, LEVEL_MUL, LEVEL_UNARY, "($T)($0 / $1)", 0},
    {EXPR_REM, NARROW, true, LEVEL_UNARY, LEVEL_MUL, LEVEL_UNARY, "($T)($0 % $1)", 0},
    OPERATOR(ADD, NARROW, UNARY, ADD, MUL, "($T)($0 + $1)"),
    OPERATOR(SUB, NARROW, UNARY, ADD, MUL, "($T)($0 - $1)"),
    OPERATOR(MUL, NARROW, UNARY, UNARY, UNARY, "($T)((uint32_t)$0 * (uint32_t)$1)"),
    OPERATOR(ADD, WIDE_S, UNARY, UNARY, UNARY, "($T)(($U)$0 + ($U)$1)"),
    OPERATOR(SUB, WIDE_S, UNARY, UNARY, UNARY, "($T)(($U)$0 - ($U)$1)"),
    OPERATOR(MUL, WIDE_S, UNARY, UNARY, UNARY, "($T)(($U)$0 * ($U)$1)"),
    OPERATOR(ADD, WIDE_U | FLOATS, ADD, ADD, MUL, "$0 + $1"),
    OPERATOR(SUB, WIDE_U | FLOATS, ADD, ADD, MUL, "$0 - $1"),
    OPERATOR(MUL, WIDE_U | FLOATS, MUL, MUL, UNARY, "$0 * $1"),
    OPERATOR(MUL_HIGH, SIGNED, UNARY, UNARY, UNARY, "(int32_t)((int64_t)$0 * $1 >> 32)"),
    OPERATOR(DIV, FLOATS, MUL, MUL, UNARY, "$0 / $1"),
    CALL(DIV, SIGNED, DIV_SIGNED),
    CALL(DIV, UNSIGNED, DIV_UNSIGNED),
    CALL(REM, SIGNED, REM_SIGNED),
    CALL(REM, UNSIGNED, REM_UNSIGNED),
    CALL(MIN, INTS | FLOATS, MIN),
    CALL(MAX, INTS | FLOATS, MAX),
    OPERATOR(NEG, INTS, UNARY, UNARY, ANY, "($T)(0 - ($U)$0)"),
    OPERATOR(NEG, FLOATS, ADD, UNARY, ANY, "-$0"),
    CALL(ABS, SIGNED, ABS_INT),
    CALL(ABS, FLOATS, ABS_FLOAT),
    OPERATOR(ABS, UNSIGNED, UNARY, UNARY, ANY, "$0"),
    OPERATOR(NOT, BOOLS, UNARY, UNARY, ANY, "!$0"),
    OPERATOR(NOT, INTS, UNARY, UNARY, ANY, "($T)~$0"),
    OPERATOR(AND, BOOLS, ANY, UNARY, UNARY, "$0 && $1"),
    OPERATOR(OR, BOOLS, ANY, UNARY, UNARY, "$0 || $1"),
    OPERATOR(XOR, BOOLS, ANY, UNARY, UNARY, "$0 != $1"),
    OPERATOR(AND, INTS, UNARY, UNARY, UNARY, "($T)($0 & $1)"),
    OPERATOR(OR, INTS, UNARY, UNARY, UNARY, "($T)($0 | $1)"),
    OPERATOR(XOR, INTS, UNARY, UNARY, UNARY, "($T)($0 ^ $1)"),
    OPERATOR(SHL, NARROW, UNARY, UNARY, UNARY, "($T)((uint32_t)$0 << $C)"),
    OPERATOR(SHL, WIDE_S | WIDE_U, UNARY, UNARY, UNARY, "($T)(($U)$0 << $C)"),
    OPERATOR(SHR, INTS, UNARY, UNARY, UNARY, "($T)($0 >> $C)"),
    CALL(SHR_ROUND, INTS, SHR_ROUND),
    OPERATOR(EQ, ANY, ANY, ADD, ADD, "$0 == $1"),
    OPERATOR(NE, ANY, ANY, ADD, ADD, "$0 != $1"),
    OPERATOR(LT, ANY, ANY, ADD, ADD, "$0 < $1"),
    OPERATOR(LE, ANY, ANY, ADD, ADD, "$0 <= $1"),
    /* C computes a choice between narrow integers in int */
    OPERATOR(SELECT, NARROW, UNARY, UNARY, UNARY, "($T)($0 ? $1 : $2)"),
    OPERATOR(SELECT, ANY, ANY, UNARY, UNARY, "$0 ? $1 : $2"),
};

/* What only the target's intrinsics can do in one rounding. */
typedef struct isa_row {
    expr_kind kind;
    uint32_t types, isas; /* by their bits */
    c99_helper helper;
} isa_row;

#define SINGLE (1u << DT_F32)
#define DOUBLE (1u << DT_F64)
#define X86 (1u << ISA_SSE2 | 1u << ISA_AVX2 | 1u << ISA_AVX512)
#define NEON (1u << ISA_NEON)
#define VFP (1u << ISA_VFP)

static const isa_row isa_rows[] = {
    {EXPR_SQRT, SINGLE, X86, HELPER_SQRT_SS},
    {EXPR_SQRT, DOUBLE, X86, HELPER_SQRT_SD},
    {EXPR_FLOOR, SINGLE | DOUBLE, X86, HELPER_FLOOR_X86},
    {EXPR_CEIL, SINGLE | DOUBLE, X86, HELPER_CEIL_X86},
    {EXPR_TRUNC, SINGLE | DOUBLE, X86, HELPER_TRUNC_X86},
    {EXPR_RINT, SINGLE | DOUBLE, X86, HELPER_RINT_X86},
    {EXPR_FMA, SINGLE | DOUBLE, X86, HELPER_FMA_X86},
    {EXPR_SQRT, SINGLE | DOUBLE, NEON, HELPER_SQRT_NEON},
    {EXPR_FLOOR, SINGLE | DOUBLE, NEON, HELPER_FLOOR_NEON},
    {EXPR_CEIL, SINGLE | DOUBLE, NEON, HELPER_CEIL_NEON},
    {EXPR_TRUNC, SINGLE | DOUBLE, NEON, HELPER_TRUNC_NEON},
    {EXPR_RINT, SINGLE | DOUBLE, NEON, HELPER_RINT_NEON},
    {EXPR_FMA, SINGLE | DOUBLE, NEON, HELPER_FMA_NEON},
    {EXPR_SQRT, SINGLE, VFP, HELPER_SQRT_VFP},
    {EXPR_FMA, SINGLE, VFP, HELPER_FMA_VFP},
};

static int class_of(dtype t) {
    if (t == DT_BOOL)
        return BOOLS;
    if (t == DT_F32 || t == DT_F64)
        return FLOATS;
    if (dtype_bits(t) < 32)
        return dtype_is_signed(t) ? NARROW_S : NARROW_U;
    return dtype_is_signed(t) ? WIDE_S : WIDE_U;
}

static bool is_literal(code x) {
    return (*x.s >= '0' && *x.s <= '9' && x.level == LEVEL_NAME) || (*x.s == '-' && x.s[1] >= '0' && x.s[1] <= '9');
}

/* gcc takes what compares a narrow type with a complement of one for a mistake, whatever the casts. */
static code comparable(c99 *c, dtype t, code x) {
    return class_of(t) == NARROW_U && x.level == LEVEL_UNARY ? c99_temporary(c, t, dtype_bits(t), 1, x) : x;
}

/* What C would compute in another type, or warn of, although the operands have values of the right one. */
static void adapt_operands(c99 *c, expr_kind kind, dtype t, code *args, int n) {
    bool literals = dtype_bits(t) == 64 && dtype_is_int(t);
    for (int i = 0; i < n; i++)
        literals &= is_literal(args[i]) || (kind == EXPR_SELECT && i == 0) || (kind == EXPR_SHR && i == 1);
    if (literals) { /* 5 is an int */
        code *x = &args[kind == EXPR_SELECT];
        *x = c99_code(c, LEVEL_UNARY, 1, "(%s)%s", c99_scalar_type(t), c99_inside(c, *x, LEVEL_UNARY));
    }
    if (kind >= EXPR_EQ && kind <= EXPR_LE)
        for (int i = 0; i < n; i++)
            args[i] = comparable(c, t, args[i]);
}

static const char *fill(c99 *c, const scalar_row *row, dtype to, dtype from, const code *args) {
    strbuf s = strbuf_in(c->scratch);
    for (const char *t = row->text; *t != '\0'; t++) {
        if (*t != '$') {
            strbuf_char(&s, *t);
            continue;
        }
        t++;
        if (*t >= '0' && *t <= '2')
            strbuf_add(&s, c99_inside(c, args[*t - '0'], *t == '0' ? row->left : row->right));
        else if (*t == 'T')
            strbuf_add(&s, c99_scalar_type(to));
        else if (*t == 'U')
            strbuf_add(&s, c99_scalar_type(c99_int_type(dtype_bits(from), false)));
        else if (is_literal(args[1]))
            strbuf_add(&s, args[1].s);
        else
            strbuf_printf(&s, "(%s & %d)", c99_inside(c, args[1], LEVEL_UNARY), dtype_bits(from) - 1);
    }
    const char *text = "";
    if (strbuf_finish(&s, &text) != STATUS_OK)
        c->failed = true;
    return text;
}

static int cost_of(const code *args, int n) {
    int cost = 1;
    for (int i = 0; i < n; i++)
        cost += args[i].cost;
    return cost;
}

static code call(c99 *c, const char *name, const code *args, int n) {
    int cost = cost_of(args, n);
    if (n == 1)
        return c99_code(c, LEVEL_ATOM, cost, "%s(%s)", name, args[0].s);
    if (n == 2)
        return c99_code(c, LEVEL_ATOM, cost, "%s(%s, %s)", name, args[0].s, args[1].s);
    return c99_code(c, LEVEL_ATOM, cost, "%s(%s, %s, %s)", name, args[0].s, args[1].s, args[2].s);
}

static code cast(c99 *c, dtype to, dtype from, const code *x) {
    bool neon = c->target->isa == ISA_NEON;
    if (to == from)
        return *x;
    if (to == DT_BOOL)
        return c99_code(c, LEVEL_ANY, x->cost + 1, "%s != 0", c99_inside(c, comparable(c, from, *x), LEVEL_ADD));
    if (from == DT_BOOL && dtype_is_float(to) && to != DT_F32 && to != DT_F64)
        return c99_code(c, LEVEL_ANY, x->cost + 1, "%s ? %s : 0", c99_inside(c, *x, LEVEL_UNARY),
                        c99_float(c, to, 1).s);
    /* gcc takes (int)flag for a flag still, and warns of ~ on it. */
    if (from == DT_BOOL && dtype_is_int(to))
        return c99_code(c, LEVEL_UNARY, x->cost + 1, "(%s)(%s ? 1 : 0)", c99_scalar_type(to),
                        c99_inside(c, *x, LEVEL_UNARY));
    if (from == DT_F16)
        return call(c, c99_helper_name(c, neon ? HELPER_HALF_TO_FLOAT_NEON : HELPER_HALF_TO_FLOAT_X86, to, from), x, 1);
    if (to == DT_F16)
        return call(c, c99_helper_name(c, neon ? HELPER_FLOAT_TO_HALF_NEON : HELPER_FLOAT_TO_HALF_X86, to, from), x, 1);
    if (dtype_is_int(to) && dtype_is_float(from))
        return call(c, c99_helper_name(c, HELPER_FLOAT_TO_INT, to, from), x, 1);
    return c99_code(c, LEVEL_UNARY, x->cost + 1, "(%s)%s", c99_scalar_type(to), c99_inside(c, *x, LEVEL_UNARY));
}

static code saturate(c99 *c, dtype to, dtype from, const code *x) {
    c99_range t = c99_type_range(to), f = c99_type_range(from);
    bool low = f.lo<t.lo, high = f.hi> t.hi;
    if (!low && !high)
        return cast(c, to, from, x);
    c99_helper h = low && high ? HELPER_SATURATE : low ? HELPER_SATURATE_LOW : HELPER_SATURATE_HIGH;
    return call(c, c99_helper_name(c, h, to, from), x, 1);
}

static code by_isa(c99 *c, expr_kind kind, dtype elem, const code *args, int n) {
    for (size_t i = 0; i < sizeof isa_rows / sizeof *isa_rows; i++) {
        const isa_row *r = &isa_rows[i];
        if (r->kind == kind && (r->types >> elem & 1) && (r->isas >> c->target->isa & 1))
            return call(c, c99_helper_name(c, r->helper, elem, DT_NONE), args, n);
    }
    TENON_ASSERT(kind == EXPR_COUNT); /* kernel_legalise leaves it to no target */
    return args[0];
}

code c99_scalar(c99 *c, expr_kind kind, dtype to, dtype from, const code *args, int n, bool plain) {
    if (kind == EXPR_CAST)
        return cast(c, to, from, args);
    if (kind == EXPR_SATURATE)
        return saturate(c, to, from, args);
    if (kind == EXPR_BITCAST) {
        to = c99_stored(to);
        from = c99_stored(from);
        if (to == from || (dtype_is_int(to) && dtype_is_int(from)))
            return cast(c, to, from, args);
        return call(c, c99_helper_name(c, HELPER_BITCAST, to, from), args, 1);
    }
    dtype base = from == DT_BOOL ? from : c99_stored(from);
    code operands[3];
    memcpy(operands, args, (size_t)n * sizeof *args);
    adapt_operands(c, kind, base, operands, n);
    args = operands;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const scalar_row *r = &rows[i];
        if (r->kind != kind || !(r->classes & class_of(base)) || (r->plain && !plain))
            continue;
        if (r->text == NULL)
            return call(c, c99_helper_name(c, r->helper, base, DT_NONE), args, n);
        return (code){fill(c, r, to, base, args), r->result, cost_of(args, n)};
    }
    return by_isa(c, kind, from, args, n);
}
