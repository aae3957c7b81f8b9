/* Does LLVM know the processor and the features that the user named? Its C API has no such question: what it does not
 * know it leaves out, with a warning on stderr. So a machine is made for each name and thrown away, while stderr goes
 * into a file in memory; any word there is a no. This happens only where the user gave such names. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codegen/llvm/llvm_emit.h"

/* stderr put aside. Its lock keeps other threads' messages out, and other contexts that want the same. */
typedef struct capture {
    int saved, into;
} capture;

static bool capture_begin(capture *c) {
    flockfile(stderr);
    fflush(stderr);
    c->saved = dup(STDERR_FILENO);
    c->into = memfd_create("stderr", MFD_CLOEXEC);
    return c->saved >= 0 && c->into >= 0 && dup2(c->into, STDERR_FILENO) >= 0;
}

/* How much was written. */
static off_t capture_end(const capture *c) {
    if (c->saved >= 0) {
        dup2(c->saved, STDERR_FILENO);
        close(c->saved);
    }
    off_t bytes = 0;
    if (c->into >= 0) {
        bytes = lseek(c->into, 0, SEEK_END);
        close(c->into);
    }
    funlockfile(stderr);
    return bytes;
}

/* STATUS_DIFFER: LLVM has something to say of these names. */
static status ask(const llvm_machine_names *names, diag *d) {
    capture c;
    LLVMTargetMachineRef machine = NULL;
    const bool captures = capture_begin(&c);
    if (captures)
        machine = LLVMCreateTargetMachine(names->backend, names->triple, names->cpu, names->features,
                                          LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
    const off_t said = capture_end(&c);
    if (machine != NULL)
        LLVMDisposeTargetMachine(machine);
    if (!captures)
        return diag_error(d, STATUS_RESOURCE, "llvm", DIAG_NOWHERE,
                          "stderr cannot be captured to ask LLVM for --cpu and --features");
    return said > 0 ? STATUS_DIFFER : STATUS_OK;
}

static status refuse(const llvm_machine_names *names, const char *id, const char *option, const char *what, diag *d) {
    diag_error(d, STATUS_USAGE, id, DIAG_NOWHERE, "--%s %s: LLVM knows no such %s of %s", option, what,
               strcmp(option, "cpu") == 0 ? "processor" : "feature", names->triple);
    diag_note(d, "clang --target=%s --print-supported-cpus lists processors, llc -mtriple=%s -mattr=help features",
              names->triple, names->triple);
    return STATUS_USAGE;
}

static status check_feature(const llvm_machine_names *names, char *feature, diag *d) {
    llvm_machine_names one = *names;
    one.cpu = "";
    one.features = feature;
    const status result = ask(&one, d);
    return result == STATUS_DIFFER ? refuse(names, "unknown-feature", "features", feature, d) : result;
}

status llvm_names_check(const llvm_machine_names *names, const target *t, diag *d) {
    llvm_machine_names one = *names;
    one.cpu = t->asked_cpu;
    one.features = "";
    status result = t->asked_cpu != NULL ? ask(&one, d) : STATUS_OK;
    if (result == STATUS_DIFFER || (t->asked_cpu != NULL && strcmp(t->asked_cpu, "help") == 0))
        return refuse(names, "unknown-cpu", "cpu", t->asked_cpu, d);
    for (const char *at = t->asked_features; result == STATUS_OK && at != NULL && *at != '\0';) {
        char feature[64];
        const size_t n = strcspn(at, ",");
        snprintf(feature, sizeof feature, "%.*s", (int)n, at);
        result = check_feature(names, feature, d);
        at += n + (at[n] == ',');
    }
    return result;
}
