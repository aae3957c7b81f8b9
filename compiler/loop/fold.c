/* Arithmetic on constants, exactly as loop.h defines it. */
#include "loop/build_internal.h"

#include <math.h>
#include <string.h>

bool expr_is_const(const expr *x) {
    return x->kind == EXPR_INT || x->kind == EXPR_FLOAT;
}

int64_t fold_wrap(dtype t, int64_t x) {
    if (t == DT_BOOL)
        return x != 0;
    int shift = 64 - dtype_bits(t);
    uint64_t up = (uint64_t)x << shift;
    return dtype_is_signed(t) ? (int64_t)up >> shift : (int64_t)(up >> shift);
}

/* x as a value of the float type t: rounded once where x is a float or t is f16 or wider, clamped for float8. */
double fold_round(dtype t, double x) {
    switch (t) {
    case DT_F64:
        return x;
    case DT_F32:
        return (double)(float)x;
    case DT_F16:
        return (double)half_to_float(half_from_double(x));
    case DT_BF16:
        return (double)bfloat_to_float(bfloat_from_float((float)x));
    default:
        return dtype_small_float_get(t, dtype_small_float_make(t, (float)x, true));
    }
}

static bool folds_float(dtype t) {
    return t == DT_F32 || t == DT_F64;
}

/* ---- one operand ---- */

static const expr *fold_int_to_float(builder *b, dtype to, const expr *x) {
    bool u64 = x->type.elem == DT_U64;
    if (to == DT_F64)
        return build_float(b, to, u64 ? (double)(uint64_t)x->imm : (double)x->imm);
    if (to == DT_F32)
        return build_float(b, to, (double)(u64 ? (float)(uint64_t)x->imm : (float)x->imm));
    if (x->imm > (1 << 24) || x->imm < -(1 << 24))
        return NULL;
    return build_float(b, to, (double)x->imm);
}

/* Truncated and clamped; NaN is 0. */
static int64_t float_to_int(dtype to, double x) {
    if (isnan(x))
        return 0;
    x = trunc(x);
    if (x <= (double)dtype_min(to))
        return dtype_min(to);
    if (x >= (double)dtype_max(to))
        return (int64_t)dtype_max(to);
    return to == DT_U64 ? (int64_t)(uint64_t)x : (int64_t)x;
}

static const expr *fold_cast(builder *b, dtype to, const expr *x) {
    if (x->kind == EXPR_INT) {
        if (dtype_is_float(to))
            return fold_int_to_float(b, to, x);
        return build_int(b, to, x->imm);
    }
    if (to == DT_BOOL)
        return build_int(b, to, x->f != 0);
    if (dtype_is_int(to))
        return build_int(b, to, float_to_int(to, x->f));
    bool twice = to != DT_F64 && to != DT_F32 && to != DT_F16 && (double)(float)x->f != x->f;
    return twice && !isnan(x->f) ? NULL : build_float(b, to, x->f);
}

static const expr *fold_saturate(builder *b, dtype to, const expr *x) {
    bool u64 = x->type.elem == DT_U64;
    int64_t v = x->imm;
    if (!u64 && v < dtype_min(to))
        v = dtype_min(to);
    else if ((u64 || v > 0) && (uint64_t)v > dtype_max(to))
        v = (int64_t)dtype_max(to);
    return build_int(b, to, v);
}

static const expr *fold_bitcast(builder *b, dtype to, const expr *x) {
    dtype from = x->type.elem;
    if (x->kind == EXPR_INT && dtype_is_int(to))
        return build_int(b, to, x->imm);
    if (x->kind == EXPR_INT && folds_float(to)) {
        float f;
        double d;
        uint32_t low = (uint32_t)x->imm;
        memcpy(&f, &low, sizeof f);
        memcpy(&d, &x->imm, sizeof d);
        double value = to == DT_F32 ? (double)f : d;
        return isnan(value) ? NULL : build_float(b, to, value);
    }
    if (x->kind == EXPR_FLOAT && folds_float(from) && dtype_is_int(to) && !isnan(x->f)) {
        float f = (float)x->f;
        int32_t low;
        int64_t bits;
        memcpy(&low, &f, sizeof low);
        memcpy(&bits, &x->f, sizeof bits);
        return build_int(b, to, from == DT_F32 ? low : bits);
    }
    return NULL;
}

static const expr *fold_int_unary(builder *b, expr_kind k, const expr *x) {
    dtype t = x->type.elem;
    uint64_t v = (uint64_t)x->imm;
    switch (k) {
    case EXPR_NEG:
        return build_int(b, t, (int64_t)(0 - v));
    case EXPR_ABS:
        return build_int(b, t, dtype_is_signed(t) && x->imm < 0 ? (int64_t)(0 - v) : x->imm);
    case EXPR_NOT:
        return build_int(b, t, t == DT_BOOL ? x->imm == 0 : (int64_t)~v);
    default:
        return NULL;
    }
}

static double float_unary(expr_kind k, dtype t, double x, bool *out_known) {
    switch (k) {
    case EXPR_NEG:
        return -x;
    case EXPR_ABS:
        return fabs(x);
    case EXPR_SQRT:
        return t == DT_F32 ? (double)sqrtf((float)x) : sqrt(x);
    case EXPR_FLOOR:
        return floor(x);
    case EXPR_CEIL:
        return ceil(x);
    case EXPR_TRUNC:
        return trunc(x);
    case EXPR_RINT:
        return nearbyint(x);
    default:
        *out_known = false;
        return 0;
    }
}

/* `to`: the result's element type, which CAST, SATURATE and BITCAST change. */
const expr *fold_unary(builder *b, expr_kind k, dtype to, const expr *x) {
    if (!expr_is_const(x))
        return NULL;
    switch (k) {
    case EXPR_CAST:
        return fold_cast(b, to, x);
    case EXPR_SATURATE:
        return fold_saturate(b, to, x);
    case EXPR_BITCAST:
        return fold_bitcast(b, to, x);
    default:
        break;
    }
    if (x->kind == EXPR_INT)
        return fold_int_unary(b, k, x);
    bool known = folds_float(to);
    double y = float_unary(k, to, x->f, &known);
    return known ? build_float(b, to, y) : NULL;
}

/* ---- two operands ---- */

static int64_t int_div(dtype t, int64_t x, int64_t y) {
    if (y == 0)
        return 0;
    if (t == DT_U64)
        return (int64_t)((uint64_t)x / (uint64_t)y);
    return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t int_rem(dtype t, int64_t x, int64_t y) {
    if (y == 0 || y == -1)
        return t == DT_U64 && y != 0 ? (int64_t)((uint64_t)x % (uint64_t)y) : 0;
    return t == DT_U64 ? (int64_t)((uint64_t)x % (uint64_t)y) : x % y;
}

static bool int_less(dtype t, int64_t x, int64_t y) {
    return t == DT_U64 ? (uint64_t)x < (uint64_t)y : x < y;
}

static int64_t int_shr(dtype t, int64_t x, int count) {
    return dtype_is_signed(t) ? x >> count : (int64_t)((uint64_t)x >> count);
}

static int64_t int_shr_round(dtype t, int64_t x, int count) {
    return count == 0 ? x : int_shr(t, x, count) + ((x >> (count - 1)) & 1);
}

static const expr *fold_int(builder *b, expr_kind k, const expr *xe, const expr *ye) {
    dtype t = xe->type.elem;
    int64_t x = xe->imm, y = ye->imm;
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    int count = (int)(uy & (uint64_t)(dtype_bits(t) - 1));
    switch (k) {
    case EXPR_ADD:
        return build_int(b, t, (int64_t)(ux + uy));
    case EXPR_SUB:
        return build_int(b, t, (int64_t)(ux - uy));
    case EXPR_MUL:
        return build_int(b, t, (int64_t)(ux * uy));
    case EXPR_MUL_HIGH:
        return build_int(b, t, x * y >> 32);
    case EXPR_DIV:
        return build_int(b, t, int_div(t, x, y));
    case EXPR_REM:
        return build_int(b, t, int_rem(t, x, y));
    case EXPR_MIN:
        return build_int(b, t, int_less(t, x, y) ? x : y);
    case EXPR_MAX:
        return build_int(b, t, int_less(t, y, x) ? x : y);
    case EXPR_AND:
        return build_int(b, t, x & y);
    case EXPR_OR:
        return build_int(b, t, x | y);
    case EXPR_XOR:
        return build_int(b, t, x ^ y);
    case EXPR_SHL:
        return build_int(b, t, (int64_t)(ux << count));
    case EXPR_SHR:
        return build_int(b, t, int_shr(t, x, count));
    case EXPR_SHR_ROUND:
        return build_int(b, t, int_shr_round(t, x, count));
    case EXPR_EQ:
        return build_int(b, DT_BOOL, x == y);
    case EXPR_NE:
        return build_int(b, DT_BOOL, x != y);
    case EXPR_LT:
        return build_int(b, DT_BOOL, int_less(t, x, y));
    case EXPR_LE:
        return build_int(b, DT_BOOL, !int_less(t, y, x));
    default:
        return NULL;
    }
}

static const expr *fold_float(builder *b, expr_kind k, const expr *xe, const expr *ye) {
    dtype t = xe->type.elem;
    if (!folds_float(t))
        return NULL;
    bool single = t == DT_F32;
    double x = xe->f, y = ye->f;
    float sx = (float)x, sy = (float)y;
    switch (k) {
    case EXPR_ADD:
        return build_float(b, t, single ? (double)(sx + sy) : x + y);
    case EXPR_SUB:
        return build_float(b, t, single ? (double)(sx - sy) : x - y);
    case EXPR_MUL:
        return build_float(b, t, single ? (double)(sx * sy) : x * y);
    case EXPR_DIV:
        return build_float(b, t, single ? (double)(sx / sy) : x / y);
    case EXPR_MIN:
        return build_float(b, t, x < y ? x : y);
    case EXPR_MAX:
        return build_float(b, t, x > y ? x : y);
    case EXPR_EQ:
        return build_int(b, DT_BOOL, x == y);
    case EXPR_NE:
        return build_int(b, DT_BOOL, x != y);
    case EXPR_LT:
        return build_int(b, DT_BOOL, x < y);
    case EXPR_LE:
        return build_int(b, DT_BOOL, x <= y);
    default:
        return NULL;
    }
}

const expr *fold_binary(builder *b, expr_kind k, const expr *x, const expr *y) {
    if (x->kind == EXPR_INT && y->kind == EXPR_INT)
        return fold_int(b, k, x, y);
    if (x->kind == EXPR_FLOAT && y->kind == EXPR_FLOAT)
        return fold_float(b, k, x, y);
    return NULL;
}

const expr *fold_fma(builder *b, const expr *x, const expr *y, const expr *z) {
    if (x->kind != EXPR_FLOAT || y->kind != EXPR_FLOAT || z->kind != EXPR_FLOAT || !folds_float(x->type.elem))
        return NULL;
    double r = x->type.elem == DT_F32 ? (double)fmaf((float)x->f, (float)y->f, (float)z->f) : fma(x->f, y->f, z->f);
    return build_float(b, x->type.elem, r);
}
