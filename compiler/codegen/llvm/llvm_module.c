/* The module's table, and a program as LLVM text. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm/Config/llvm-config.h>
#include <string.h>

static status text_of(LLVMModuleRef module, LLVMTargetMachineRef machine, llvm_form form, arena *a, diag *d,
                      const char **out_text, size_t *out_bytes) {
    if (form == LLVM_FORM_IR) {
        char *text = LLVMPrintModuleToString(module);
        *out_bytes = strlen(text);
        *out_text = arena_strndup(a, text, *out_bytes);
        LLVMDisposeMessage(text);
    } else {
        LLVMMemoryBufferRef buffer = NULL;
        TRY(llvm_target_generate(module, machine, LLVMAssemblyFile, d, &buffer));
        *out_bytes = LLVMGetBufferSize(buffer);
        *out_text = arena_strndup(a, LLVMGetBufferStart(buffer), *out_bytes);
        LLVMDisposeMemoryBuffer(buffer);
    }
    TRY_ALLOC(*out_text);
    return STATUS_OK;
}

static status emit_text(const program *p, llvm_form form, arena *a, diag *d, const char **out_text, size_t *out_bytes) {
    LLVMTargetMachineRef machine = NULL;
    TRY(llvm_target_machine(p->target, d, &machine));
    LLVMContextRef context = llvm_target_context(d);
    LLVMModuleRef module = NULL;
    status result = llvm_program_emit(p, CONSTS_IN_MODULE, context, machine, a, d, &module);
    if (result == STATUS_OK)
        result = llvm_target_optimise(module, machine, d);
    if (result == STATUS_OK)
        result = text_of(module, machine, form, a, d, out_text, out_bytes);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    LLVMDisposeTargetMachine(machine);
    return result;
}

static const char *version_text(void) {
    return LLVM_VERSION_STRING;
}

static const llvm_table table = {
    .version = LLVM_TABLE_VERSION,
    .emit = emit_text,
    .compile = llvm_jit_compile,
    .run = llvm_jit_run,
    .code_bytes = llvm_jit_code_bytes,
    .release = llvm_jit_release,
    .llvm_version = version_text,
};

__attribute__((visibility("default"))) const llvm_table *tenon_llvm_query(uint32_t version) {
    return version == LLVM_TABLE_VERSION ? &table : NULL;
}
