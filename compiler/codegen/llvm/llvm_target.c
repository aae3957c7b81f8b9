/* LLVM's side of a target: its machine, the pass pipeline, and errors as diagnostics. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm-c/Transforms/PassBuilder.h>

typedef struct llvm_backend {
    void (*info)(void);
    void (*target)(void);
    void (*code)(void);
    void (*printer)(void);
} llvm_backend;

#define BACKEND(name)                                                                                                  \
    {LLVMInitialize##name##TargetInfo, LLVMInitialize##name##Target, LLVMInitialize##name##TargetMC,                   \
     LLVMInitialize##name##AsmPrinter}

static const llvm_backend backends[] = {
    BACKEND(X86), BACKEND(AArch64), BACKEND(ARM), BACKEND(RISCV), BACKEND(PowerPC), BACKEND(LoongArch),
};

/* The registry of LLVM's back ends is not locked, so it is filled once, under the loader's lock: with all that targets
 * and
 * --triple may name, which takes a third of a millisecond. */
__attribute__((constructor)) static void register_backends(void) {
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        backends[i].info();
        backends[i].target();
        backends[i].code();
        backends[i].printer();
    }
}

status llvm_target_fail(char *message, const char *doing, diag *d) {
    status result = diag_error(d, STATUS_RESOURCE, "llvm", DIAG_NOWHERE, "%s: %s", doing,
                               message ? message : "LLVM gives no reason");
    LLVMDisposeMessage(message);
    return result;
}

status llvm_target_check(LLVMErrorRef error, const char *doing, diag *d) {
    if (error == LLVMErrorSuccess)
        return STATUS_OK;
    char *message = LLVMGetErrorMessage(error);
    status result = diag_error(d, STATUS_RESOURCE, "llvm", DIAG_NOWHERE, "%s: %s", doing, message);
    LLVMDisposeErrorMessage(message);
    return result;
}

static void report(LLVMDiagnosticInfoRef info, void *ctx) {
    if (LLVMGetDiagInfoSeverity(info) == LLVMDSError)
        llvm_target_fail(LLVMGetDiagInfoDescription(info), "LLVM", ctx);
}

LLVMContextRef llvm_target_context(diag *d) {
    LLVMContextRef context = LLVMContextCreate();
    LLVMContextSetDiagnosticHandler(context, report, d);
    return context;
}

static status make_machine(const target *t, const llvm_machine_names *names, diag *d, LLVMTargetMachineRef *out) {
    TRY(llvm_names_check(names, t, d));
    *out = LLVMCreateTargetMachine(names->backend, names->triple, names->cpu, names->features, LLVMCodeGenLevelDefault,
                                   t->is_bare ? LLVMRelocStatic : LLVMRelocPIC, LLVMCodeModelDefault);
    return STATUS_OK;
}

status llvm_target_machine(const target *t, diag *d, LLVMTargetMachineRef *out) {
    *out = NULL;
    char *message = NULL;
    char *triple = LLVMNormalizeTargetTriple(t->triple);
    LLVMTargetRef row = NULL;
    status result = STATUS_OK;
    if (LLVMGetTargetFromTriple(triple, &row, &message))
        result = llvm_target_fail(message, t->name, d);
    else
        result = make_machine(
            t, &(llvm_machine_names){row, triple, t->cpu ? t->cpu : "", t->features ? t->features : ""}, d, out);
    LLVMDisposeMessage(triple);
    if (result == STATUS_OK && *out == NULL)
        result = llvm_target_fail(NULL, t->name, d);
    return result;
}

status llvm_target_module(const program *p, LLVMContextRef context, LLVMTargetMachineRef machine, diag *d,
                          LLVMModuleRef *out) {
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    char *triple = LLVMGetTargetMachineTriple(machine);
    *out = LLVMModuleCreateWithNameInContext(p->name, context);
    LLVMSetTarget(*out, triple);
    LLVMSetModuleDataLayout(*out, layout);
    bool is_little = LLVMByteOrder(layout) == LLVMLittleEndian;
    LLVMDisposeMessage(triple);
    LLVMDisposeTargetData(layout);
    return is_little ? STATUS_OK
                     : diag_error(d, STATUS_UNSUPPORTED, "big-endian", DIAG_NOWHERE,
                                  "target '%s' is big-endian; compiled weights are little-endian", p->target->name);
}

/* The schedule is decided before LLVM sees the program: no vectoriser, no unroller, no inliner; expressions come
 * simplified and shared. What is left is to bring register arrays into registers, merge equal addresses, and move what
 * loops do not change out of them. More passes cost a tenth of the compile time and change nothing. */
static const char *const pipeline = "function(sroa,early-cse<memssa>,loop-mssa(licm))";

status llvm_target_optimise(LLVMModuleRef module, LLVMTargetMachineRef machine, diag *d) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(module, pipeline, machine, options);
    LLVMDisposePassBuilderOptions(options);
    return llvm_target_check(error, "optimising", d);
}

status llvm_target_generate(LLVMModuleRef module, LLVMTargetMachineRef machine, LLVMCodeGenFileType form, diag *d,
                            LLVMMemoryBufferRef *out) {
    *out = NULL;
    char *message = NULL;
    size_t errors = diag_errors(d);
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, form, &message, out))
        return llvm_target_fail(message, "generating code", d);
    if (diag_errors(d) == errors)
        return STATUS_OK;
    LLVMDisposeMemoryBuffer(*out);
    *out = NULL;
    return STATUS_RESOURCE;
}
