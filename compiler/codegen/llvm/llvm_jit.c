/* Code in this process: an object in memory, of a program compiled for the purpose or as --emit obj writes it, linked
 * by ORC. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm-c/Object.h>
#include <string.h>

typedef int (*run_function)(const void *const *inputs, void *const *outputs, void *scratch);
typedef int (*parallel_function)(const void *const *inputs, void *const *outputs, void *scratch, const tenon_env *env);
typedef int (*traced_function)(const void *const *inputs, void *const *outputs, void *scratch, llvm_tick tick,
                               void *ctx);
typedef int (*traced_parallel_function)(const void *const *inputs, void *const *outputs, void *scratch, llvm_tick tick,
                                        void *ctx, const tenon_env *env);

struct llvm_code {
    arena *memory; /* holds this struct */
    LLVMOrcLLJITRef jit;
    uintptr_t entry; /* one of the functions above, or a symbol of a loaded object */
    bool has_parts;  /* some kernel: the function has env */
    size_t code_bytes;
    const llvm_symbol *symbols;
    size_t n_symbols;
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

/* Starts the JIT; consumes the machine. */
static status start(llvm_code *c, const llvm_options *o, LLVMTargetMachineRef machine, diag *d) {
    LLVMOrcLLJITBuilderRef settings = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(settings,
                                                  LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    if (o->is_named)
        llvm_symbols_tell_gdb(settings);
    status result = llvm_target_check(LLVMOrcCreateLLJIT(&c->jit, settings), "starting the JIT", d);
    if (result != STATUS_OK)
        c->jit = NULL;
    return result;
}

/* Consumes the objects and the machine. */
static status link_objects(llvm_code *c, const llvm_options *o, LLVMTargetMachineRef machine,
                           LLVMMemoryBufferRef *objects, int n, const char *entry, diag *d) {
    status result = start(c, o, machine, d);
    for (int i = 0; i < n; i++) {
        c->code_bytes += text_bytes(objects[i]);
        if (result == STATUS_OK)
            result = llvm_target_check(
                LLVMOrcLLJITAddObjectFile(c->jit, LLVMOrcLLJITGetMainJITDylib(c->jit), objects[i]), "linking", d);
        else
            LLVMDisposeMemoryBuffer(objects[i]);
    }
    TRY(result);
    LLVMOrcExecutorAddress address = 0;
    TRY(llvm_target_check(LLVMOrcLLJITLookup(c->jit, &address, entry), "linking", d));
    c->entry = (uintptr_t)address;
    return STATUS_OK;
}

/* Links the objects, and lists their functions where they are wanted: before the JIT takes them, by their offsets. */
static status link_and_list(llvm_code *c, const llvm_options *o, LLVMTargetMachineRef machine,
                            LLVMMemoryBufferRef *objects, int n, const char *entry, diag *d) {
    llvm_symbol *list = NULL;
    status listed = o->is_named ? llvm_symbols_list(objects[0], entry, c->memory, d, &list, &c->n_symbols) : STATUS_OK;
    TRY(link_objects(c, o, machine, objects, n, entry, d));
    for (size_t i = 0; listed == STATUS_OK && i < c->n_symbols; i++)
        list[i].address += c->entry;
    c->symbols = list;
    return listed;
}

static status compile_into(llvm_code *c, const program *p, const llvm_options *o, arena *scratch, diag *d) {
    const char *entry = llvm_program_entry(p, scratch);
    TRY_ALLOC(entry);
    c->has_parts = llvm_parallel_is_in(p);
    LLVMTargetMachineRef machine = NULL;
    LLVMMemoryBufferRef objects[LLVM_MOST_PARTS];
    int n = 0;
    TRY(llvm_target_machine(p->target, d, &machine));
    status result = llvm_build_objects(p, o, scratch, d, objects, &n);
    if (result != STATUS_OK) {
        LLVMDisposeTargetMachine(machine);
        return result;
    }
    return link_and_list(c, o, machine, objects, n, entry, d);
}

/* Code that is empty yet, for t. */
static status begin(const target *t, const allocator *from, diag *d, llvm_code **out) {
    *out = NULL;
    if (!target_runs_here(t))
        return diag_error(d, STATUS_RESOURCE, "llvm", DIAG_NOWHERE, "this machine cannot run code for target '%s'",
                          t->name);
    arena *memory = arena_new(from);
    llvm_code *c = memory != NULL ? ARENA_NEW(memory, llvm_code) : NULL;
    if (c == NULL) {
        arena_free(memory);
        return STATUS_RESOURCE;
    }
    c->memory = memory;
    *out = c;
    return STATUS_OK;
}

static status end(status result, llvm_code **out) {
    if (result == STATUS_OK)
        return STATUS_OK;
    llvm_jit_release(*out);
    *out = NULL;
    return result;
}

status llvm_jit_compile(const program *p, const llvm_options *o, const allocator *from, diag *d, llvm_code **out) {
    TRY(begin(p->target, from, d, out));
    arena *scratch = arena_new(from);
    status result = scratch != NULL ? compile_into(*out, p, o, scratch, d) : STATUS_RESOURCE;
    arena_free(scratch);
    return end(result, out);
}

static status load_into(llvm_code *c, const target *t, const void *object, size_t bytes, const char *symbol, diag *d) {
    const llvm_options nothing = {0};
    LLVMTargetMachineRef machine = NULL;
    TRY(llvm_target_machine(t, d, &machine));
    LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, bytes, symbol);
    return link_objects(c, &nothing, machine, &copy, 1, symbol, d);
}

status llvm_jit_load(const target *t, const void *object, size_t bytes, const char *symbol, const allocator *from,
                     diag *d, llvm_code **out, uintptr_t *out_address) {
    TRY(begin(t, from, d, out));
    TRY(end(load_into(*out, t, object, bytes, symbol, d), out));
    *out_address = (*out)->entry;
    return STATUS_OK;
}

static const tenon_env alone = {.struct_size = sizeof alone};

int llvm_jit_run(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
                 const tenon_env *env) {
    if (c->has_parts)
        return ((parallel_function)c->entry)(inputs, outputs, scratch, env != NULL ? env : &alone);
    return ((run_function)c->entry)(inputs, outputs, scratch);
}

int llvm_jit_run_traced(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
                        const tenon_env *env, llvm_tick tick, void *ctx) {
    if (c->has_parts)
        return ((traced_parallel_function)c->entry)(inputs, outputs, scratch, tick, ctx, env != NULL ? env : &alone);
    return ((traced_function)c->entry)(inputs, outputs, scratch, tick, ctx);
}

const llvm_symbol *llvm_jit_symbols(const llvm_code *c, size_t *out_n) {
    *out_n = c->n_symbols;
    return c->symbols;
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
