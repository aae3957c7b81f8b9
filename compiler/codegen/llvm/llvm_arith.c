/* Arithmetic: operators over emitted operands, with the meaning that loop.h states and no more freedom than that. */
#include "codegen/llvm/llvm_emit.h"

typedef enum number_class { CLASS_SIGNED, CLASS_UNSIGNED, CLASS_REAL, CLASS_COUNT } number_class;

static number_class class_of(dtype t) {
    return llvm_is_real(t) ? CLASS_REAL : dtype_is_signed(t) ? CLASS_SIGNED : CLASS_UNSIGNED;
}

static const LLVMOpcode opcodes[EXPR_COUNT][CLASS_COUNT] = {
    [EXPR_ADD] = {LLVMAdd, LLVMAdd, LLVMFAdd}, [EXPR_SUB] = {LLVMSub, LLVMSub, LLVMFSub},
    [EXPR_MUL] = {LLVMMul, LLVMMul, LLVMFMul}, [EXPR_DIV] = {LLVMSDiv, LLVMUDiv, LLVMFDiv},
    [EXPR_REM] = {LLVMSRem, LLVMURem, 0},      [EXPR_AND] = {LLVMAnd, LLVMAnd, 0},
    [EXPR_OR] = {LLVMOr, LLVMOr, 0},           [EXPR_XOR] = {LLVMXor, LLVMXor, 0},
};

static LLVMValueRef plain(emitter *e, expr_kind kind, dtype t, LLVMValueRef l, LLVMValueRef r) {
    return LLVMBuildBinOp(e->at, opcodes[kind][class_of(t)], l, r, "");
}

LLVMValueRef llvm_arith_binary(emitter *e, const expr *x, const LLVMValueRef *args) {
    return plain(e, x->kind, x->type.elem, args[0], args[1]);
}

/* The constant in every lane of x. */
static bool constant_of(const expr *x, int64_t *out) {
    while (x->kind == EXPR_BROADCAST)
        x = x->arg[0];
    *out = x->imm;
    return x->kind == EXPR_INT;
}

/* Integer x/0 and x rem 0 are 0; x/-1 is -x (which wraps), x rem -1 is 0. LLVM leaves all four undefined. */
LLVMValueRef llvm_arith_divide(emitter *e, const expr *x, const LLVMValueRef *args) {
    dtype t = x->type.elem;
    int64_t divisor;
    if (llvm_is_real(t) || (constant_of(x->arg[1], &divisor) && divisor != 0 && divisor != -1))
        return plain(e, x->kind, t, args[0], args[1]);
    LLVMValueRef zero = llvm_int(e, x->type, 0), one = llvm_int(e, x->type, 1), minus_one = llvm_int(e, x->type, -1);
    LLVMValueRef by_zero = LLVMBuildICmp(e->at, LLVMIntEQ, args[1], zero, "");
    LLVMValueRef by_minus = LLVMBuildICmp(e->at, LLVMIntEQ, args[1], minus_one, "");
    LLVMValueRef special = dtype_is_signed(t) ? LLVMBuildOr(e->at, by_zero, by_minus, "") : by_zero;
    LLVMValueRef safe = LLVMBuildSelect(e->at, special, one, args[1], "");
    LLVMValueRef result = plain(e, x->kind, t, args[0], safe);
    if (x->kind == EXPR_REM)
        return LLVMBuildSelect(e->at, special, zero, result, "");
    if (dtype_is_signed(t))
        result = LLVMBuildSelect(e->at, by_minus, LLVMBuildNeg(e->at, args[0], ""), result, "");
    return LLVMBuildSelect(e->at, by_zero, zero, result, "");
}

/* a < b ? a : b on floats, as written: LLVM knows it as minps. */
static LLVMValueRef min_max(emitter *e, bool is_min, dtype t, LLVMValueRef l, LLVMValueRef r) {
    if (llvm_is_real(t)) {
        LLVMValueRef first = LLVMBuildFCmp(e->at, is_min ? LLVMRealOLT : LLVMRealOGT, l, r, "");
        return LLVMBuildSelect(e->at, first, l, r, "");
    }
    static const char *const names[2][2] = {{"llvm.umax", "llvm.umin"}, {"llvm.smax", "llvm.smin"}};
    LLVMValueRef args[] = {l, r};
    return llvm_intrinsic_like(e, names[dtype_is_signed(t)][is_min], args, 2);
}

LLVMValueRef llvm_arith_min_max(emitter *e, const expr *x, const LLVMValueRef *args) {
    return min_max(e, x->kind == EXPR_MIN, x->type.elem, args[0], args[1]);
}

LLVMValueRef llvm_arith_reduce(emitter *e, const expr *x, const LLVMValueRef *args) {
    dtype t = x->type.elem;
    LLVMValueRef rest = args[0];
    for (int n = x->arg[0]->type.lanes / 2; n >= 1; n /= 2) {
        LLVMValueRef low = llvm_lanes(e, rest, 0, 1, n), high = llvm_lanes(e, rest, n, 1, n);
        if (x->kind == EXPR_REDUCE_MIN || x->kind == EXPR_REDUCE_MAX)
            rest = min_max(e, x->kind == EXPR_REDUCE_MIN, t, low, high);
        else
            rest = plain(e, x->kind == EXPR_REDUCE_ADD ? EXPR_ADD : EXPR_MUL, t, low, high);
    }
    return rest;
}

/* Even lanes, or odd ones that have been moved down to these, with their signs in lanes of 64 bits: LLVM knows a
 * product of two such as pmuldq. An arithmetic shift down, which AVX2 lacks, would make it a product of 64 bits. */
static LLVMValueRef every_other(emitter *e, LLVMValueRef x, ltype t, bool odd) {
    ltype wide = LTYPE(DT_I64, t.lanes / 2);
    LLVMValueRef mask[64], by = llvm_int(e, wide, 32);
    for (int i = 0; i < t.lanes; i++)
        mask[i] = LLVMConstInt(e->i32, (unsigned)(i | odd), false);
    if (odd)
        x = LLVMBuildShuffleVector(e->at, x, x, LLVMConstVector(mask, (unsigned)t.lanes), "");
    x = LLVMBuildBitCast(e->at, x, llvm_type(e, wide), "");
    return LLVMBuildAShr(e->at, LLVMBuildShl(e->at, x, by, ""), by, "");
}

/* By even and odd lanes, whose products fill a register each. */
static LLVMValueRef high_of_pairs(emitter *e, ltype t, const LLVMValueRef *args) {
    LLVMValueRef products[2], mask[64];
    for (int odd = 0; odd < 2; odd++) {
        LLVMValueRef product =
            LLVMBuildMul(e->at, every_other(e, args[0], t, odd != 0), every_other(e, args[1], t, odd != 0), "");
        products[odd] = LLVMBuildBitCast(e->at, product, llvm_type(e, t), "");
    }
    for (int i = 0; i < t.lanes; i++)
        mask[i] = LLVMConstInt(e->i32, (unsigned)(i % 2 == 0 ? i + 1 : t.lanes + i), false);
    return LLVMBuildShuffleVector(e->at, products[0], products[1], LLVMConstVector(mask, (unsigned)t.lanes), "");
}

LLVMValueRef llvm_arith_high(emitter *e, const expr *x, const LLVMValueRef *args) {
    ltype t = x->type, wide = LTYPE(DT_I64, t.lanes);
    if (t.lanes % 2 == 0)
        return high_of_pairs(e, t, args);
    LLVMValueRef a = LLVMBuildSExt(e->at, args[0], llvm_type(e, wide), ""),
                 b = LLVMBuildSExt(e->at, args[1], llvm_type(e, wide), "");
    LLVMValueRef upper = LLVMBuildAShr(e->at, LLVMBuildMul(e->at, a, b, ""), llvm_int(e, wide, 32), "");
    return LLVMBuildTrunc(e->at, upper, llvm_type(e, t), "");
}

static LLVMValueRef shift(emitter *e, expr_kind kind, ltype t, LLVMValueRef value, LLVMValueRef count) {
    LLVMValueRef bounded = LLVMBuildAnd(e->at, count, llvm_int(e, t, dtype_bits(t.elem) - 1), "");
    LLVMOpcode op = kind == EXPR_SHL ? LLVMShl : dtype_is_signed(t.elem) ? LLVMAShr : LLVMLShr;
    return LLVMBuildBinOp(e->at, op, value, bounded, "");
}

LLVMValueRef llvm_arith_shift(emitter *e, const expr *x, const LLVMValueRef *args) {
    return shift(e, x->kind, x->type, args[0], args[1]);
}

/* (x >> n) + bit n-1 of x: the carry cannot overflow, where adding 2^(n-1) first could. */
LLVMValueRef llvm_arith_shift_round(emitter *e, const expr *x, const LLVMValueRef *args) {
    ltype t = x->type;
    LLVMValueRef one = llvm_int(e, t, 1);
    LLVMValueRef count = LLVMBuildAnd(e->at, args[1], llvm_int(e, t, dtype_bits(t.elem) - 1), "");
    LLVMValueRef high = shift(e, EXPR_SHR, t, args[0], count);
    LLVMValueRef below = shift(e, EXPR_SHR, t, args[0], LLVMBuildSub(e->at, count, one, ""));
    LLVMValueRef rounded = LLVMBuildAdd(e->at, high, LLVMBuildAnd(e->at, below, one, ""), "");
    LLVMValueRef none = LLVMBuildICmp(e->at, LLVMIntEQ, count, llvm_int(e, t, 0), "");
    return LLVMBuildSelect(e->at, none, args[0], rounded, "");
}

static const LLVMIntPredicate int_predicates[EXPR_COUNT][2] = {
    [EXPR_EQ] = {LLVMIntEQ, LLVMIntEQ},
    [EXPR_NE] = {LLVMIntNE, LLVMIntNE},
    [EXPR_LT] = {LLVMIntULT, LLVMIntSLT},
    [EXPR_LE] = {LLVMIntULE, LLVMIntSLE},
};

static const LLVMRealPredicate real_predicates[EXPR_COUNT] = {
    [EXPR_EQ] = LLVMRealOEQ,
    [EXPR_NE] = LLVMRealUNE,
    [EXPR_LT] = LLVMRealOLT,
    [EXPR_LE] = LLVMRealOLE,
};

LLVMValueRef llvm_arith_compare(emitter *e, const expr *x, const LLVMValueRef *args) {
    dtype t = x->arg[0]->type.elem;
    if (llvm_is_real(t))
        return LLVMBuildFCmp(e->at, real_predicates[x->kind], args[0], args[1], "");
    return LLVMBuildICmp(e->at, int_predicates[x->kind][dtype_is_signed(t)], args[0], args[1], "");
}

LLVMValueRef llvm_arith_neg(emitter *e, const expr *x, const LLVMValueRef *args) {
    return llvm_is_real(x->type.elem) ? LLVMBuildFNeg(e->at, args[0], "") : LLVMBuildNeg(e->at, args[0], "");
}

LLVMValueRef llvm_arith_abs(emitter *e, const expr *x, const LLVMValueRef *args) {
    LLVMValueRef operands[] = {args[0], LLVMConstInt(LLVMInt1TypeInContext(e->context), 0, false)};
    if (llvm_is_real(x->type.elem))
        return llvm_intrinsic_like(e, "llvm.fabs", operands, 1);
    return dtype_is_signed(x->type.elem) ? llvm_intrinsic_like(e, "llvm.abs", operands, 2) : args[0];
}

LLVMValueRef llvm_arith_not(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)x;
    return LLVMBuildNot(e->at, args[0], "");
}

static const char *const float_intrinsics[EXPR_COUNT] = {
    [EXPR_SQRT] = "llvm.sqrt",   [EXPR_FLOOR] = "llvm.floor",    [EXPR_CEIL] = "llvm.ceil",
    [EXPR_TRUNC] = "llvm.trunc", [EXPR_RINT] = "llvm.roundeven",
};

LLVMValueRef llvm_arith_float_unary(emitter *e, const expr *x, const LLVMValueRef *args) {
    LLVMValueRef operand = args[0];
    return llvm_intrinsic_like(e, float_intrinsics[x->kind], &operand, 1);
}

LLVMValueRef llvm_arith_select(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)x;
    return LLVMBuildSelect(e->at, args[0], args[1], args[2], "");
}

LLVMValueRef llvm_arith_fma(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)x;
    LLVMValueRef operands[] = {args[0], args[1], args[2]};
    return llvm_intrinsic_like(e, "llvm.fma", operands, 3);
}

/* One x86 register. */
LLVMValueRef llvm_arith_permute(emitter *e, const expr *x, const LLVMValueRef *args) {
    static const char *const names[2][2] = {{"llvm.x86.avx2.permd", "llvm.x86.avx2.permps"},
                                            {"llvm.x86.avx512.permvar.si.512", "llvm.x86.avx512.permvar.sf.512"}};
    LLVMValueRef operands[] = {args[0], args[1]};
    return llvm_intrinsic(e, names[x->type.lanes == 16][llvm_is_real(x->type.elem)], NULL, 0, operands, 2);
}

LLVMValueRef llvm_arith_permute2(emitter *e, const expr *x, const LLVMValueRef *args) {
    static const char *const names[2][2] = {{"llvm.x86.avx512.vpermi2var.d.256", "llvm.x86.avx512.vpermi2var.ps.256"},
                                            {"llvm.x86.avx512.vpermi2var.d.512", "llvm.x86.avx512.vpermi2var.ps.512"}};
    LLVMValueRef operands[] = {args[0], args[2], args[1]};
    return llvm_intrinsic(e, names[x->type.lanes == 16][llvm_is_real(x->type.elem)], NULL, 0, operands, 3);
}

static LLVMValueRef widened(emitter *e, const expr *x, LLVMValueRef value) {
    LLVMTypeRef wide = llvm_type(e, (ltype){DT_I32, x->type.lanes});
    return dtype_is_signed(x->type.elem) ? LLVMBuildSExt(e->at, value, wide, "")
                                         : LLVMBuildZExt(e->at, value, wide, "");
}

/* Intrinsics by the size of vectors, 16, 32, 64 bytes. */
static const char *const pair_products[] = {"llvm.x86.sse2.pmadd.wd", "llvm.x86.avx2.pmadd.wd",
                                            "llvm.x86.avx512.pmaddw.d.512"};
static const char *const byte_products[] = {"llvm.x86.avx512.vpdpbusd.128", "llvm.x86.avx512.vpdpbusd.256",
                                            "llvm.x86.avx512.vpdpbusd.512"};

static const char *const word_products[] = {"llvm.x86.avx512.vpdpwssd.128", "llvm.x86.avx512.vpdpwssd.256",
                                            "llvm.x86.avx512.vpdpwssd.512"};
static const char *const byte_pairs[] = {"llvm.x86.ssse3.pmadd.ub.sw.128", "llvm.x86.avx2.pmadd.ub.sw",
                                         "llvm.x86.avx512.pmaddubs.w.512"};

static LLVMValueRef as_lanes(emitter *e, dtype elem, int lanes, LLVMValueRef x) {
    return LLVMBuildBitCast(e->at, x, llvm_type(e, LTYPE(elem, lanes)), "");
}

/* Bytes 0 and 2 (or 1 and 3) of each group of four, as pairs of 16 bits. */
static LLVMValueRef half_of_bytes(emitter *e, LLVMValueRef x, int pairs, bool is_signed, bool odd) {
    ltype t = LTYPE(DT_I16, pairs);
    LLVMValueRef eight = llvm_int(e, t, 8);
    x = as_lanes(e, DT_I16, pairs, x);
    if (!odd && !is_signed)
        return LLVMBuildAnd(e->at, x, llvm_int(e, t, 255), "");
    x = odd ? x : LLVMBuildShl(e->at, x, eight, "");
    return is_signed ? LLVMBuildAShr(e->at, x, eight, "") : LLVMBuildLShr(e->at, x, eight, "");
}

/* The number of the register's size, 16, 32, 64 bytes; -1: the vector fills none. */
static int size_of_register(const emitter *e, int bytes) {
    for (int size = 0; size < 3; size++)
        if (bytes == 16 << size && bytes <= e->program->target->vector_bytes)
            return size;
    return -1;
}

/* Products of bytes fit 17 bits, so their sums are clamped in 32. */
LLVMValueRef llvm_arith_pairs(emitter *e, const expr *x, const LLVMValueRef *args) {
    int lanes = x->type.lanes, size = size_of_register(e, 2 * lanes);
    LLVMValueRef operands[] = {args[0], args[1]};
    if (e->program->target->has_pairs && size >= 0)
        return llvm_intrinsic(e, byte_pairs[size], NULL, 0, operands, 2);
    ltype wide = {DT_I32, lanes};
    LLVMValueRef products = LLVMBuildMul(e->at, widened(e, x->arg[0], args[0]), widened(e, x->arg[1], args[1]), "");
    LLVMValueRef sum[] = {
        LLVMBuildAdd(e->at, llvm_lanes(e, products, 0, 2, lanes), llvm_lanes(e, products, 1, 2, lanes), ""),
        llvm_int(e, wide, INT16_MAX)};
    sum[0] = llvm_intrinsic_like(e, "llvm.smin", sum, 2);
    sum[1] = llvm_int(e, wide, INT16_MIN);
    return LLVMBuildTrunc(e->at, llvm_intrinsic_like(e, "llvm.smax", sum, 2), llvm_type(e, x->type), "");
}

static LLVMValueRef neon_dot(emitter *e, const LLVMValueRef *args) {
    LLVMTypeRef types[] = {LLVMTypeOf(args[0]), LLVMTypeOf(args[1])};
    LLVMValueRef operands[] = {args[0], args[1], args[2]};
    return llvm_intrinsic(e, "llvm.aarch64.neon.sdot", types, 2, operands, 3);
}

/* On one register. */
static LLVMValueRef dot_in_register(emitter *e, expr_kind k, int size, int lanes, const LLVMValueRef *args) {
    bool by_twos = k == EXPR_DOT2;
    if (e->program->target->has_dotprod)
        return neon_dot(e, args);
    if (e->program->target->has_vnni) {
        LLVMValueRef words[] = {args[0], as_lanes(e, DT_I32, lanes, args[1]), as_lanes(e, DT_I32, lanes, args[2])};
        return llvm_intrinsic(e, (by_twos ? word_products : byte_products)[size], NULL, 0, words, 3);
    }
    LLVMValueRef sum = args[0], words[] = {args[1], args[2]};
    if (by_twos)
        return LLVMBuildAdd(e->at, sum, llvm_intrinsic(e, pair_products[size], NULL, 0, words, 2), "");
    for (int odd = 0; odd < 2; odd++) {
        LLVMValueRef pairs[] = {half_of_bytes(e, args[1], 2 * lanes, false, odd != 0),
                                half_of_bytes(e, args[2], 2 * lanes, true, odd != 0)};
        sum = LLVMBuildAdd(e->at, sum, llvm_intrinsic(e, pair_products[size], NULL, 0, pairs, 2), "");
    }
    return sum;
}

/* Widened products, then the sum of every group's members, then the accumulator: sums wrap, so their order is free, and
 * this one LLVM knows as pmaddwd. */
LLVMValueRef llvm_arith_dot(emitter *e, const expr *x, const LLVMValueRef *args) {
    int size = size_of_register(e, 4 * x->type.lanes);
    const target *t = e->program->target;
    if (t->dot4 > 0 && size >= 0 && !(t->has_dotprod && x->kind == EXPR_DOT2))
        return dot_in_register(e, x->kind, size, x->type.lanes, args);
    int group = x->kind == EXPR_DOT2 ? 2 : 4, lanes = x->type.lanes;
    LLVMValueRef left = widened(e, x->arg[1], args[1]), right = widened(e, x->arg[2], args[2]);
    LLVMValueRef products = LLVMBuildMul(e->at, left, right, "");
    LLVMValueRef sum = llvm_lanes(e, products, 0, group, lanes);
    for (int i = 1; i < group; i++)
        sum = LLVMBuildAdd(e->at, sum, llvm_lanes(e, products, i, group, lanes), "");
    return LLVMBuildAdd(e->at, args[0], sum, "");
}
