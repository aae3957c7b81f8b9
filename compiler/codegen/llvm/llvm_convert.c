/* Conversions between element types. */
#include "codegen/llvm/llvm_emit.h"

#include <math.h>

static bool is_whole(dtype t) {
    return dtype_is_int(t) || t == DT_BOOL;
}

static LLVMValueRef int_to_int(emitter *e, ltype from, ltype to, LLVMValueRef value) {
    LLVMTypeRef type = llvm_type(e, to);
    int from_bits = dtype_bits(from.elem), to_bits = dtype_bits(to.elem);
    if (from.elem != DT_BOOL && to_bits < from_bits)
        return LLVMBuildTrunc(e->at, value, type, "");
    if (from.elem != DT_BOOL && to_bits == from_bits)
        return value;
    return dtype_is_signed(from.elem) ? LLVMBuildSExt(e->at, value, type, "") : LLVMBuildZExt(e->at, value, type, "");
}

static LLVMValueRef to_bool(emitter *e, ltype from, LLVMValueRef value) {
    LLVMValueRef zero = LLVMConstNull(llvm_type(e, from));
    if (llvm_is_real(from.elem))
        return LLVMBuildFCmp(e->at, LLVMRealUNE, value, zero, "");
    return LLVMBuildICmp(e->at, LLVMIntNE, value, zero, "");
}

static LLVMValueRef plain_real_to_int(emitter *e, ltype to, LLVMValueRef value) {
    LLVMTypeRef type = llvm_type(e, to);
    return dtype_is_signed(to.elem) ? LLVMBuildFPToSI(e->at, value, type, "") : LLVMBuildFPToUI(e->at, value, type, "");
}

/* max(value, low) and min(value, high), where value is not NaN, as far as the span asks for them. */
static LLVMValueRef clamped(emitter *e, ltype t, LLVMValueRef value, float_span span, double low, double high) {
    if (span.lo < low) {
        LLVMValueRef bound = llvm_float(e, t, low);
        value = LLVMBuildSelect(e->at, LLVMBuildFCmp(e->at, LLVMRealOGT, value, bound, ""), value, bound, "");
    }
    if (span.hi > high) {
        LLVMValueRef bound = llvm_float(e, t, high);
        value = LLVMBuildSelect(e->at, LLVMBuildFCmp(e->at, LLVMRealOLT, value, bound, ""), value, bound, "");
    }
    return value;
}

/* Truncates, saturates, NaN gives 0. On vectors this is spelt out: x86 would do llvm.fptosi.sat lane by lane. First NaN
 * becomes 0, then the value is clamped to the floats within the integer type; above those the largest integer, which
 * may not be a float, is selected. */
static LLVMValueRef real_to_int(emitter *e, const expr *x, LLVMValueRef value) {
    ltype from = x->arg[0]->type, to = x->type;
    int magnitude_bits = dtype_bits(to.elem) - dtype_is_signed(to.elem), precision = from.elem == DT_F32 ? 24 : 53;
    double low = (double)dtype_min(to.elem), limit = ldexp(1, magnitude_bits);
    double high = magnitude_bits <= precision ? limit - 1 : limit - ldexp(1, magnitude_bits - precision);
    float_span span = expr_span(x->arg[0], e->lets);
    if (!span.nan && span.lo >= low && span.hi <= high)
        return plain_real_to_int(e, to, value);
    if (to.lanes == 1) {
        LLVMTypeRef types[] = {llvm_type(e, to), LLVMTypeOf(value)};
        return llvm_intrinsic(e, dtype_is_signed(to.elem) ? "llvm.fptosi.sat" : "llvm.fptoui.sat", types, 2, &value, 1);
    }
    LLVMValueRef number = value;
    if (span.nan) {
        LLVMValueRef ordered = LLVMBuildFCmp(e->at, LLVMRealORD, value, value, "");
        number = LLVMBuildSelect(e->at, ordered, value, llvm_float(e, from, 0), "");
    }
    LLVMValueRef result = plain_real_to_int(e, to, clamped(e, from, number, span, low, high));
    if (magnitude_bits <= precision || span.hi <= high)
        return result;
    LLVMValueRef above = LLVMBuildFCmp(e->at, LLVMRealOGE, value, llvm_float(e, from, limit), "");
    return LLVMBuildSelect(e->at, above, llvm_int(e, to, (int64_t)dtype_max(to.elem)), result, "");
}

static LLVMValueRef int_to_real(emitter *e, ltype from, ltype to, LLVMValueRef value) {
    LLVMTypeRef type = llvm_type(e, to);
    return dtype_is_signed(from.elem) ? LLVMBuildSIToFP(e->at, value, type, "")
                                      : LLVMBuildUIToFP(e->at, value, type, "");
}

/* Between f32 and f16, whose bits travel as an integer. Every other conversion of a storage type has been legalised. */
static LLVMValueRef half_cast(emitter *e, ltype from, ltype to, LLVMValueRef value) {
    TENON_ASSERT(e->program->target->has_half);
    TENON_ASSERT((from.elem == DT_F16 && to.elem == DT_F32) || (from.elem == DT_F32 && to.elem == DT_F16));
    LLVMTypeRef half = LLVMHalfTypeInContext(e->context);
    if (from.lanes > 1)
        half = LLVMVectorType(half, (unsigned)from.lanes);
    if (from.elem == DT_F16)
        return LLVMBuildFPExt(e->at, LLVMBuildBitCast(e->at, value, half, ""), llvm_type(e, to), "");
    return LLVMBuildBitCast(e->at, LLVMBuildFPTrunc(e->at, value, half, ""), llvm_type(e, to), "");
}

LLVMValueRef llvm_convert_cast(emitter *e, const expr *x, const LLVMValueRef *args) {
    ltype from = x->arg[0]->type, to = x->type;
    if (from.elem == to.elem)
        return args[0];
    if (to.elem == DT_BOOL && (is_whole(from.elem) || llvm_is_real(from.elem)))
        return to_bool(e, from, args[0]);
    if (is_whole(from.elem) && is_whole(to.elem))
        return int_to_int(e, from, to, args[0]);
    if (llvm_is_real(from.elem) && is_whole(to.elem))
        return real_to_int(e, x, args[0]);
    if (is_whole(from.elem) && llvm_is_real(to.elem))
        return int_to_real(e, from, to, args[0]);
    if (llvm_is_real(from.elem) && llvm_is_real(to.elem))
        return LLVMBuildFPCast(e->at, args[0], llvm_type(e, to), "");
    return half_cast(e, from, to, args[0]);
}

/* A register of bytes out of four of 32 bits. Packs work within halves of registers, so words change places. */
static LLVMValueRef packed(emitter *e, ltype to, LLVMValueRef value) {
    static const int words[] = {0, 4, 1, 5, 2, 6, 3, 7};
    LLVMValueRef halves[2], mask[8];
    for (int k = 0; k < 2; k++) {
        LLVMValueRef parts[] = {llvm_lanes(e, value, 16 * k, 1, 8), llvm_lanes(e, value, 16 * k + 8, 1, 8)};
        halves[k] = llvm_intrinsic(e, "llvm.x86.avx2.packssdw", NULL, 0, parts, 2);
    }
    const char *name = dtype_is_signed(to.elem) ? "llvm.x86.avx2.packsswb" : "llvm.x86.avx2.packuswb";
    LLVMValueRef bytes =
        LLVMBuildBitCast(e->at, llvm_intrinsic(e, name, NULL, 0, halves, 2), llvm_type(e, LTYPE(DT_I32, 8)), "");
    for (int i = 0; i < 8; i++)
        mask[i] = LLVMConstInt(e->i32, (unsigned)words[i], false);
    bytes = LLVMBuildShuffleVector(e->at, bytes, bytes, LLVMConstVector(mask, 8), "");
    return LLVMBuildBitCast(e->at, bytes, llvm_type(e, to), "");
}

/* Clamps in the source's type to what both types hold, then resizes. */
LLVMValueRef llvm_convert_saturate(emitter *e, const expr *x, const LLVMValueRef *args) {
    ltype from = x->arg[0]->type, to = x->type;
    bool from_signed = dtype_is_signed(from.elem);
    int64_t lowest = dtype_min(to.elem) > dtype_min(from.elem) ? dtype_min(to.elem) : dtype_min(from.elem);
    uint64_t highest = dtype_max(to.elem) < dtype_max(from.elem) ? dtype_max(to.elem) : dtype_max(from.elem);
    LLVMValueRef value = args[0];
    if (e->program->target->isa == ISA_AVX2 && from.elem == DT_I32 && dtype_bits(to.elem) == 8 && to.lanes == 32)
        return packed(e, to, value);
    if (lowest != dtype_min(from.elem)) {
        LLVMValueRef low[] = {value, llvm_int(e, from, lowest)};
        value = llvm_intrinsic_like(e, from_signed ? "llvm.smax" : "llvm.umax", low, 2);
    }
    if (highest != dtype_max(from.elem)) {
        LLVMValueRef high[] = {value, llvm_int(e, from, (int64_t)highest)};
        value = llvm_intrinsic_like(e, from_signed ? "llvm.smin" : "llvm.umin", high, 2);
    }
    return int_to_int(e, from, to, value);
}

LLVMValueRef llvm_convert_bitcast(emitter *e, const expr *x, const LLVMValueRef *args) {
    ltype from = x->arg[0]->type, to = x->type;
    if (from.elem == to.elem)
        return args[0];
    if (to.elem == DT_BOOL)
        return to_bool(e, (ltype){DT_U8, from.lanes}, args[0]);
    if (from.elem == DT_BOOL)
        return LLVMBuildZExt(e->at, args[0], llvm_type(e, to), "");
    return LLVMBuildBitCast(e->at, args[0], llvm_type(e, to), "");
}
