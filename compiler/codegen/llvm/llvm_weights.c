/* A program's constants as globals: with their data, or as symbols that another file of the model's defines. */
#include "codegen/llvm/llvm_emit.h"

static LLVMValueRef add_global(const emitter *e, const program_buffer *b, const char *name, LLVMLinkage linkage) {
    size_t bytes = dtype_bytes(b->elem, (size_t)b->n);
    LLVMTypeRef type = LLVMArrayType2(LLVMInt8TypeInContext(e->context), bytes);
    LLVMValueRef global = LLVMAddGlobal(e->module, type, name);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, linkage);
    LLVMSetAlignment(global, WEIGHTS_ALIGN);
    return global;
}

static void fill(const emitter *e, const program_buffer *b, LLVMValueRef global) {
    LLVMSetInitializer(global,
                       LLVMConstStringInContext2(e->context, b->data, dtype_bytes(b->elem, (size_t)b->n), true));
}

LLVMValueRef llvm_weights_define(const emitter *e, const program_buffer *b) {
    LLVMValueRef global = add_global(e, b, b->name, LLVMPrivateLinkage);
    fill(e, b, global);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

/* Hidden: linked together the files make one model, which shows nothing of its inside. */
LLVMValueRef llvm_weights_declare(const emitter *e, const program_buffer *b, const char *symbol) {
    LLVMValueRef global = add_global(e, b, symbol, LLVMExternalLinkage);
    LLVMSetVisibility(global, LLVMHiddenVisibility);
    return global;
}

status llvm_weights_emit(const program *p, LLVMContextRef context, LLVMTargetMachineRef machine, arena *a, diag *d,
                         LLVMModuleRef *out) {
    weight_table table;
    *out = NULL;
    TRY(weights_place(p, a, &table));
    TRY(llvm_target_module(p, context, machine, d, out));
    emitter e = {.memory = a, .program = p, .context = context, .module = *out};
    for (size_t i = 0; i < p->buffers.n; i++)
        if (table.symbols[i] != NULL)
            fill(&e, &p->buffers.at[i], llvm_weights_declare(&e, &p->buffers.at[i], table.symbols[i]));
    return STATUS_OK;
}
