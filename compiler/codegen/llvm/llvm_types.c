/* LLVM types and constants of the loop IR's types. */
#include "codegen/llvm/llvm_emit.h"

#include <string.h>

bool llvm_is_real(dtype t) {
    return t == DT_F32 || t == DT_F64;
}

void llvm_types_init(emitter *e) {
    for (int t = DT_NONE + 1; t < DT_COUNT; t++)
        e->scalar[t] = LLVMIntTypeInContext(e->context, (unsigned)dtype_bits((dtype)t));
    e->scalar[DT_BOOL] = LLVMInt1TypeInContext(e->context);
    e->scalar[DT_F32] = LLVMFloatTypeInContext(e->context);
    e->scalar[DT_F64] = LLVMDoubleTypeInContext(e->context);
    e->pointer = LLVMPointerTypeInContext(e->context, 0);
    e->i32 = LLVMInt32TypeInContext(e->context);
    e->i64 = LLVMInt64TypeInContext(e->context);
}

static LLVMTypeRef with_lanes(LLVMTypeRef scalar, int lanes) {
    return lanes == 1 ? scalar : LLVMVectorType(scalar, (unsigned)lanes);
}

LLVMTypeRef llvm_type(const emitter *e, ltype t) {
    return with_lanes(e->scalar[t.elem], t.lanes);
}

LLVMTypeRef llvm_memory_type(const emitter *e, ltype t) {
    return with_lanes(e->scalar[t.elem == DT_BOOL ? DT_U8 : t.elem], t.lanes);
}

LLVMValueRef llvm_splat(const emitter *e, LLVMValueRef scalar, int lanes) {
    if (lanes == 1)
        return scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)lanes);
    LLVMValueRef zero = LLVMConstInt(e->i32, 0, false);
    LLVMValueRef first = LLVMBuildInsertElement(e->at, LLVMGetPoison(type), scalar, zero, "");
    LLVMValueRef mask = LLVMConstNull(LLVMVectorType(e->i32, (unsigned)lanes));
    return LLVMBuildShuffleVector(e->at, first, LLVMGetPoison(type), mask, "");
}

LLVMValueRef llvm_int(const emitter *e, ltype t, int64_t value) {
    return llvm_splat(e, LLVMConstInt(e->scalar[t.elem], (unsigned long long)value, false), t.lanes);
}

LLVMValueRef llvm_float(const emitter *e, ltype t, double value) {
    if (llvm_is_real(t.elem))
        return llvm_splat(e, LLVMConstReal(e->scalar[t.elem], value), t.lanes);
    uint8_t bytes[sizeof(double)] = {0};
    dtype_set_double(t.elem, bytes, 0, value);
    uint16_t bits = bytes[0];
    if (dtype_bits(t.elem) == 16)
        memcpy(&bits, bytes, sizeof bits);
    return llvm_int(e, t, bits);
}

LLVMValueRef llvm_lanes(const emitter *e, LLVMValueRef x, int first, int step, int n) {
    if (n == 1)
        return LLVMBuildExtractElement(e->at, x, LLVMConstInt(e->i32, (unsigned)first, false), "");
    LLVMValueRef mask[64];
    TENON_ASSERT(n <= 64);
    for (int i = 0; i < n; i++)
        mask[i] = LLVMConstInt(e->i32, (unsigned)(first + i * step), false);
    return LLVMBuildShuffleVector(e->at, x, LLVMGetPoison(LLVMTypeOf(x)), LLVMConstVector(mask, (unsigned)n), "");
}

LLVMValueRef llvm_intrinsic(const emitter *e, const char *name, const LLVMTypeRef *types, int n_types,
                            LLVMValueRef *args, int n_args) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    TENON_ASSERT(id != 0);
    LLVMTypeRef overload[3];
    if (n_types > 0)
        memcpy(overload, types, (size_t)n_types * sizeof *types);
    LLVMValueRef function = LLVMGetIntrinsicDeclaration(e->module, id, overload, (size_t)n_types);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, overload, (size_t)n_types);
    return LLVMBuildCall2(e->at, type, function, args, (unsigned)n_args, "");
}

LLVMValueRef llvm_intrinsic_like(const emitter *e, const char *name, LLVMValueRef *args, int n_args) {
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    return llvm_intrinsic(e, name, &type, 1, args, n_args);
}

LLVMAttributeRef llvm_attribute(LLVMContextRef context, const char *name, uint64_t value) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    TENON_ASSERT(kind != 0);
    return LLVMCreateEnumAttribute(context, kind, value);
}
