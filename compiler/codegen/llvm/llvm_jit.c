/* Programs compiled into this process: an object in memory, linked by ORC. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm-c/LLJIT.h>
#include <llvm-c/Object.h>
#include <string.h>

typedef int (*run_function)(const void *const *inputs, void *const *outputs, void *scratch);

struct llvm_code {
    arena *memory; /* holds this struct */
    LLVMOrcLLJITRef jit;
    run_function run;
    size_t code_bytes;
};

/* Bytes of machine code in the object. */
static size_t text_bytes(LLVMMemoryBufferRef object) {
    char *message = NULL;
    LLVMBinaryRef binary = LLVMCreateBinary(object, NULL, &message);
    if (binary == NULL) {
        LLVMDisposeMessage(message);
        return 0;
    }
    size_t bytes = 0;
    LLVMSectionIteratorRef s = LLVMObjectFileCopySectionIterator(binary);
    for (; !LLVMObjectFileIsSectionIteratorAtEnd(binary, s); LLVMMoveToNextSection(s))
        if (LLVMGetSectionName(s) != NULL && strncmp(LLVMGetSectionName(s), ".text", strlen(".text")) == 0)
            bytes += LLVMGetSectionSize(s);
    LLVMDisposeSectionIterator(s);
    LLVMDisposeBinary(binary);
    return bytes;
}

/* The program as an object file; the module and its context live only here. */
static status make_object(const program *p, LLVMTargetMachineRef machine, arena *a, diag *d, LLVMMemoryBufferRef *out) {
    LLVMContextRef context = llvm_target_context(d);
    LLVMContextSetDiscardValueNames(context, true);
    LLVMModuleRef module = NULL;
    status result = llvm_program_emit(p, CONSTS_IN_PLACE, context, machine, a, d, &module);
    if (result == STATUS_OK)
        result = llvm_target_optimise(module, machine, d);
    if (result == STATUS_OK)
        result = llvm_target_generate(module, machine, LLVMObjectFile, d, out);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    return result;
}

/* Consumes the machine and the object. */
static status link_object(llvm_code *c, LLVMTargetMachineRef machine, LLVMMemoryBufferRef object, const char *entry,
                          diag *d) {
    LLVMOrcLLJITBuilderRef settings = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(settings,
                                                  LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    status result = llvm_target_check(LLVMOrcCreateLLJIT(&c->jit, settings), "starting the JIT", d);
    if (result != STATUS_OK) {
        c->jit = NULL;
        LLVMDisposeMemoryBuffer(object);
        return result;
    }
    TRY(llvm_target_check(LLVMOrcLLJITAddObjectFile(c->jit, LLVMOrcLLJITGetMainJITDylib(c->jit), object), "linking",
                          d));
    LLVMOrcExecutorAddress address = 0;
    TRY(llvm_target_check(LLVMOrcLLJITLookup(c->jit, &address, entry), "linking", d));
    c->run = (run_function)(uintptr_t)address;
    return STATUS_OK;
}

static status compile_into(llvm_code *c, const program *p, arena *scratch, diag *d) {
    const char *entry = llvm_program_entry(p, scratch);
    TRY_ALLOC(entry);
    LLVMTargetMachineRef machine = NULL;
    LLVMMemoryBufferRef object = NULL;
    TRY(llvm_target_machine(p->target, d, &machine));
    status result = make_object(p, machine, scratch, d, &object);
    if (result != STATUS_OK) {
        LLVMDisposeTargetMachine(machine);
        return result;
    }
    c->code_bytes = text_bytes(object);
    return link_object(c, machine, object, entry, d);
}

status llvm_jit_compile(const program *p, const allocator *from, diag *d, llvm_code **out) {
    *out = NULL;
    if (!target_runs_here(p->target))
        return diag_error(d, STATUS_RESOURCE, "llvm", DIAG_NOWHERE, "this machine cannot run code for target '%s'",
                          p->target->name);
    arena *memory = arena_new(from), *scratch = arena_new(from);
    llvm_code *c = memory != NULL ? ARENA_NEW(memory, llvm_code) : NULL;
    if (c != NULL)
        c->memory = memory;
    status result = c != NULL && scratch != NULL ? compile_into(c, p, scratch, d) : STATUS_RESOURCE;
    arena_free(scratch);
    if (result == STATUS_OK)
        *out = c;
    else if (c != NULL)
        llvm_jit_release(c);
    else
        arena_free(memory);
    return result;
}

int llvm_jit_run(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch) {
    return c->run(inputs, outputs, scratch);
}

size_t llvm_jit_code_bytes(const llvm_code *c) {
    return c->code_bytes;
}

void llvm_jit_release(llvm_code *c) {
    if (c == NULL)
        return;
    if (c->jit != NULL)
        LLVMConsumeError(LLVMOrcDisposeLLJIT(c->jit));
    arena_free(c->memory);
}
