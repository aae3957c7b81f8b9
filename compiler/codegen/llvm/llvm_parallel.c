/* Kernels with parts: what hands them to the caller's parallel_for. */
#include "codegen/llvm/llvm_emit.h"

#include <stddef.h>

enum { ENV, COUNT, BODY, DATA, PARAMS };

bool llvm_parallel_is_in(const program *p) {
    for (size_t i = 0; i < p->kernels.n; i++)
        if (kernel_parts(p->kernels.at[i]) != NULL)
            return true;
    return false;
}

static LLVMBasicBlockRef new_block(emitter *e, LLVMValueRef function, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, function, name);
}

static LLVMTypeRef body_type(const emitter *e) {
    LLVMTypeRef params[] = {e->pointer, e->i64};
    return LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, 2, false);
}

static LLVMTypeRef parallel_type(const emitter *e) {
    LLVMTypeRef params[PARAMS] = {e->pointer, e->i64, e->pointer, e->pointer};
    return LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, PARAMS, false);
}

static LLVMValueRef env_field(emitter *e, unsigned field) {
    LLVMTypeRef env = llvm_entry_env(e);
    LLVMValueRef at = LLVMBuildStructGEP2(e->at, env, LLVMGetParam(e->parallel, ENV), field, "");
    return LLVMBuildLoad2(e->at, LLVMStructGetTypeAtIndex(env, field), at, "");
}

/* for (i = 0; i < n; i++) body(data, i); */
static void emit_serial(emitter *e, LLVMBasicBlockRef from, LLVMBasicBlockRef loop, LLVMBasicBlockRef after) {
    LLVMPositionBuilderAtEnd(e->at, loop);
    LLVMValueRef i = LLVMBuildPhi(e->at, e->i64, "i");
    LLVMValueRef args[] = {LLVMGetParam(e->parallel, DATA), i};
    LLVMBuildCall2(e->at, body_type(e), LLVMGetParam(e->parallel, BODY), args, 2, "");
    LLVMValueRef next = LLVMBuildNUWAdd(e->at, i, LLVMConstInt(e->i64, 1, false), "");
    LLVMValueRef values[] = {LLVMConstInt(e->i64, 0, false), next};
    LLVMBasicBlockRef blocks[] = {from, loop};
    LLVMAddIncoming(i, values, blocks, 2);
    LLVMValueRef more = LLVMBuildICmp(e->at, LLVMIntSLT, next, LLVMGetParam(e->parallel, COUNT), "");
    LLVMBuildCondBr(e->at, more, loop, after);
}

/* A struct too short for the field has no parallel_for. */
void llvm_parallel_emit(emitter *e) {
    LLVMValueRef f = e->parallel = LLVMAddFunction(e->module, "parallel", parallel_type(e));
    LLVMSetLinkage(f, LLVMInternalLinkage);
    llvm_program_attributes(e, f);
    LLVMBasicBlockRef entry = new_block(e, f, "entry"), has = new_block(e, f, "has"), call = new_block(e, f, "call"),
                      serial = new_block(e, f, "serial"), loop = new_block(e, f, "loop"),
                      done = new_block(e, f, "done");
    LLVMPositionBuilderAtEnd(e->at, entry);
    LLVMTargetDataRef layout = LLVMGetModuleDataLayout(e->module);
    uint64_t end = LLVMOffsetOfElement(layout, llvm_entry_env(e), ENV_CTX) + LLVMABISizeOfType(layout, e->pointer);
    LLVMValueRef reach = LLVMConstInt(e->i32, end, false);
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntULT, env_field(e, ENV_SIZE), reach, ""), serial, has);
    LLVMPositionBuilderAtEnd(e->at, has);
    LLVMValueRef theirs = env_field(e, ENV_PARALLEL_FOR);
    LLVMBuildCondBr(e->at, LLVMBuildIsNull(e->at, theirs, ""), serial, call);
    LLVMPositionBuilderAtEnd(e->at, call);
    LLVMValueRef args[PARAMS] = {env_field(e, ENV_CTX), LLVMGetParam(f, COUNT), LLVMGetParam(f, BODY),
                                 LLVMGetParam(f, DATA)};
    LLVMBuildCall2(e->at, parallel_type(e), theirs, args, PARAMS, "");
    LLVMBuildBr(e->at, done);
    LLVMPositionBuilderAtEnd(e->at, serial);
    LLVMBuildBr(e->at, loop);
    emit_serial(e, serial, loop, done);
    LLVMPositionBuilderAtEnd(e->at, done);
    LLVMBuildRetVoid(e->at);
}

static LLVMValueRef slot(emitter *e, LLVMValueRef room, size_t n) {
    LLVMValueRef index = LLVMConstInt(e->i64, n, false);
    return LLVMBuildInBoundsGEP2(e->at, e->pointer, room, &index, 1, "");
}

/* The part's own copy of a scratch. */
static LLVMValueRef own_copy(emitter *e, const kernel_buffer *b, LLVMValueRef first, LLVMValueRef part) {
    LLVMValueRef index = LLVMBuildMul(e->at, part, LLVMConstInt(e->i64, (uint64_t)kernel_scratch_step(b), false), "");
    return LLVMBuildInBoundsGEP2(e->at, llvm_memory_type(e, (ltype){b->elem, 1}), first, &index, 1, "");
}

/* body(data, i): one part, its buffers' addresses taken from `data`. */
static status emit_body(emitter *e, const kernel *k, LLVMValueRef function, LLVMTypeRef type, LLVMValueRef *out) {
    size_t n_name, n = k->buffers.n;
    const char *name = arena_printf(e->memory, "%s_part", LLVMGetValueName2(function, &n_name));
    LLVMValueRef *args = ARENA_NEW_N(e->memory, LLVMValueRef, n + 1);
    TRY_ALLOC(name);
    TRY_ALLOC(args);
    if ((*out = LLVMGetNamedFunction(e->module, name)) != NULL)
        return STATUS_OK;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->at);
    *out = LLVMAddFunction(e->module, name, body_type(e));
    LLVMSetLinkage(*out, LLVMInternalLinkage);
    llvm_program_attributes(e, *out);
    LLVMPositionBuilderAtEnd(e->at, new_block(e, *out, "entry"));
    for (size_t i = 0; i < n; i++) {
        args[i] = LLVMBuildLoad2(e->at, e->pointer, slot(e, LLVMGetParam(*out, 0), i), "");
        if (k->buffers.at[i].access == ACCESS_SCRATCH)
            args[i] = own_copy(e, &k->buffers.at[i], args[i], LLVMGetParam(*out, 1));
    }
    args[n] = LLVMGetParam(*out, 1);
    LLVMBuildCall2(e->at, type, function, args, (unsigned)n + 1, "");
    LLVMBuildRetVoid(e->at);
    LLVMPositionBuilderAtEnd(e->at, here);
    return STATUS_OK;
}

status llvm_parallel_call(emitter *e, const kernel *k, LLVMValueRef function, LLVMTypeRef type, LLVMValueRef *args,
                          LLVMValueRef room, LLVMValueRef env) {
    LLVMValueRef body;
    TRY(emit_body(e, k, function, type, &body));
    for (size_t i = 0; i < k->buffers.n; i++)
        LLVMBuildStore(e->at, args[i], slot(e, room, i));
    LLVMValueRef count = LLVMConstInt(e->i64, (uint64_t)kernel_parts(k)->loop.extent->imm, false);
    LLVMValueRef all[PARAMS] = {env, count, body, room};
    LLVMBuildCall2(e->at, parallel_type(e), e->parallel, all, PARAMS, "");
    return STATUS_OK;
}
