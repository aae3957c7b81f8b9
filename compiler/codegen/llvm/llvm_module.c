/* The module's table, and a program as text or as an object. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm/Config/llvm-config.h>
#include <string.h>

static const LLVMCodeGenFileType file_types[] = {
    [LLVM_FORM_ASSEMBLY] = LLVMAssemblyFile, [LLVM_FORM_OBJECT] = LLVMObjectFile, [LLVM_FORM_WEIGHTS] = LLVMObjectFile};

static const const_place places[] = {[WEIGHTS_INLINE] = CONSTS_IN_MODULE,
                                     [WEIGHTS_C] = CONSTS_OUTSIDE,
                                     [WEIGHTS_OBJ] = CONSTS_OUTSIDE,
                                     [WEIGHTS_BIN] = CONSTS_IN_FILE};

static const char *keep(arena *a, const char *from, size_t bytes) {
    char *copy = arena_alloc(a, bytes + 1);
    return copy != NULL ? memcpy(copy, from, bytes) : NULL;
}

/* The module's text or bytes, with a '\0' after them that does not count. */
static status write_module(LLVMModuleRef module, LLVMTargetMachineRef machine, llvm_form form, arena *a, diag *d,
                           const void **out, size_t *out_bytes) {
    if (form == LLVM_FORM_IR) {
        char *text = LLVMPrintModuleToString(module);
        *out_bytes = strlen(text);
        *out = keep(a, text, *out_bytes);
        LLVMDisposeMessage(text);
    } else {
        LLVMMemoryBufferRef buffer = NULL;
        TRY(llvm_target_generate(module, machine, file_types[form], d, &buffer));
        *out_bytes = LLVMGetBufferSize(buffer);
        *out = keep(a, LLVMGetBufferStart(buffer), *out_bytes);
        LLVMDisposeMemoryBuffer(buffer);
    }
    TRY_ALLOC(*out);
    return STATUS_OK;
}

static status make_module(const program *p, llvm_form form, weights_form weights, LLVMContextRef context,
                          LLVMTargetMachineRef machine, arena *a, diag *d, LLVMModuleRef *out) {
    if (form == LLVM_FORM_WEIGHTS)
        return llvm_weights_emit(p, context, machine, a, d, out);
    const llvm_options plain = {.is_traced = false};
    TRY(llvm_program_emit(p, places[weights], NULL, &plain, context, machine, a, d, out));
    return llvm_target_optimise(*out, machine, d);
}

static status emit_module(const program *p, llvm_form form, weights_form weights, arena *a, diag *d, const void **out,
                          size_t *out_bytes) {
    LLVMTargetMachineRef machine = NULL;
    TRY(llvm_target_machine(p->target, d, &machine));
    LLVMContextRef context = llvm_target_context(d);
    LLVMModuleRef module = NULL;
    status result = make_module(p, form, weights, context, machine, a, d, &module);
    if (result == STATUS_OK)
        result = write_module(module, machine, form, a, d, out, out_bytes);
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
    .emit = emit_module,
    .compile = llvm_jit_compile,
    .load = llvm_jit_load,
    .run = llvm_jit_run,
    .run_traced = llvm_jit_run_traced,
    .code_bytes = llvm_jit_code_bytes,
    .symbols = llvm_jit_symbols,
    .release = llvm_jit_release,
    .llvm_version = version_text,
};

__attribute__((visibility("default"))) const llvm_table *tenon_llvm_query(uint32_t version) {
    return version == LLVM_TABLE_VERSION ? &table : NULL;
}
