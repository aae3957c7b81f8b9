/* Loads and stores: contiguous, masked, gathered, scattered. A lane whose mask is false is not touched. */
#include "codegen/llvm/llvm_emit.h"

/* The element's address. Only an unmasked access promises that the index is within the buffer. */
static LLVMValueRef address(emitter *e, int buffer, LLVMValueRef index, bool masked) {
    LLVMTypeRef element = llvm_memory_type(e, (ltype){e->kernel->buffers.at[buffer].elem, 1});
    LLVMValueRef base = e->buffers[buffer];
    return masked ? LLVMBuildGEP2(e->at, element, base, &index, 1, "")
                  : LLVMBuildInBoundsGEP2(e->at, element, base, &index, 1, "");
}

/* The same for a scalar index: what varies first, then the constant, so that neighbours share all but that. */
static LLVMValueRef address_at(emitter *e, int buffer, const expr *index) {
    const expr *constant = index->kind == EXPR_ADD && index->arg[1]->kind == EXPR_INT ? index->arg[1] : NULL;
    if (constant == NULL)
        return address(e, buffer, llvm_expr(e, index), false);
    LLVMValueRef rest = address(e, buffer, llvm_expr(e, index->arg[0]), true), step = llvm_expr(e, constant);
    LLVMTypeRef element = llvm_memory_type(e, (ltype){e->kernel->buffers.at[buffer].elem, 1});
    return LLVMBuildGEP2(e->at, element, rest, &step, 1, "");
}

static LLVMValueRef to_memory(emitter *e, ltype t, LLVMValueRef value) {
    return t.elem == DT_BOOL ? LLVMBuildZExt(e->at, value, llvm_memory_type(e, t), "") : value;
}

static LLVMValueRef from_memory(emitter *e, ltype t, LLVMValueRef value) {
    if (t.elem != DT_BOOL)
        return value;
    return LLVMBuildICmp(e->at, LLVMIntNE, value, LLVMConstNull(llvm_memory_type(e, t)), "");
}

/* Lane i of an index vector; a ramp needs none. */
static LLVMValueRef index_lane(emitter *e, const expr *index, int i) {
    if (index->kind != EXPR_RAMP)
        return llvm_lanes(e, llvm_expr(e, index), i, 1, 1);
    uint64_t offset = (uint64_t)index->imm * (uint64_t)i;
    LLVMValueRef base = llvm_expr(e, index->arg[0]);
    return LLVMBuildAdd(e->at, base, LLVMConstInt(LLVMTypeOf(base), offset, false), "");
}

static LLVMValueRef load_at(emitter *e, LLVMTypeRef type, LLVMValueRef from) {
    LLVMValueRef value = LLVMBuildLoad2(e->at, type, from, "");
    LLVMSetAlignment(value, 1);
    return value;
}

static void store_at(emitter *e, LLVMValueRef value, LLVMValueRef to) {
    LLVMSetAlignment(LLVMBuildStore(e->at, value, to), 1);
}

/* A mask (and what goes with it) as a vector also for one lane, as the masked intrinsics want it. */
static LLVMValueRef as_vector(emitter *e, LLVMValueRef value, int lanes) {
    if (lanes != 1)
        return value;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(value), 1);
    return LLVMBuildInsertElement(e->at, LLVMGetPoison(type), value, LLVMConstInt(e->i32, 0, false), "");
}

/* llvm.masked.load, or .gather where the index has lanes of its own. */
static LLVMValueRef masked_load(emitter *e, const expr *x) {
    const expr *index = x->arg[0];
    bool gather = index->type.lanes > 1;
    LLVMTypeRef scalar = llvm_memory_type(e, (ltype){x->type.elem, 1});
    LLVMTypeRef type = LLVMVectorType(scalar, (unsigned)x->type.lanes);
    LLVMValueRef from = address(e, x->ref, llvm_expr(e, index), true);
    LLVMValueRef mask = as_vector(e, llvm_expr(e, x->arg[1]), x->type.lanes);
    LLVMValueRef args[] = {from, LLVMConstInt(e->i32, 1, false), mask, LLVMConstNull(type)};
    LLVMTypeRef types[] = {type, LLVMTypeOf(from)};
    LLVMValueRef value = llvm_intrinsic(e, gather ? "llvm.masked.gather" : "llvm.masked.load", types, 2, args, 4);
    return x->type.lanes == 1 ? llvm_lanes(e, value, 0, 1, 1) : value;
}

static LLVMValueRef gather(emitter *e, const expr *x) {
    LLVMTypeRef scalar = llvm_memory_type(e, (ltype){x->type.elem, 1});
    LLVMValueRef value = LLVMGetPoison(llvm_memory_type(e, x->type));
    for (int i = 0; i < x->type.lanes; i++) {
        LLVMValueRef lane = load_at(e, scalar, address(e, x->ref, index_lane(e, x->arg[0], i), false));
        value = LLVMBuildInsertElement(e->at, value, lane, LLVMConstInt(e->i32, (unsigned)i, false), "");
    }
    return value;
}

LLVMValueRef llvm_memory_load(emitter *e, const expr *x) {
    const expr *index = x->arg[0];
    if (x->masked)
        return from_memory(e, x->type, masked_load(e, x));
    if (index->type.lanes > 1)
        return from_memory(e, x->type, gather(e, x));
    LLVMValueRef from = address_at(e, x->ref, index);
    return from_memory(e, x->type, load_at(e, llvm_memory_type(e, x->type), from));
}

static void masked_store(emitter *e, const stmt *s, LLVMValueRef value) {
    int lanes = s->store.value->type.lanes;
    bool scatter = s->store.index->type.lanes > 1;
    LLVMValueRef to = address(e, s->store.buffer, llvm_expr(e, s->store.index), true);
    LLVMValueRef mask = as_vector(e, llvm_expr(e, s->store.mask), lanes);
    value = as_vector(e, value, lanes);
    LLVMValueRef args[] = {value, to, LLVMConstInt(e->i32, 1, false), mask};
    LLVMTypeRef types[] = {LLVMTypeOf(value), LLVMTypeOf(to)};
    llvm_intrinsic(e, scatter ? "llvm.masked.scatter" : "llvm.masked.store", types, 2, args, 4);
}

static void scatter(emitter *e, const stmt *s, LLVMValueRef value) {
    for (int i = 0; i < s->store.value->type.lanes; i++) {
        LLVMValueRef to = address(e, s->store.buffer, index_lane(e, s->store.index, i), false);
        store_at(e, llvm_lanes(e, value, i, 1, 1), to);
    }
}

void llvm_memory_store(emitter *e, const stmt *s) {
    LLVMValueRef value = to_memory(e, s->store.value->type, llvm_expr(e, s->store.value));
    if (s->store.mask != NULL)
        masked_store(e, s, value);
    else if (s->store.index->type.lanes > 1)
        scatter(e, s, value);
    else
        store_at(e, value, address_at(e, s->store.buffer, s->store.index));
}
