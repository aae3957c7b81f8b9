/* Opening the LLVM back end, which is a module of its own so that nothing else needs libLLVM. */
#include "api/context.h"

status context_llvm(tenon_context *c, const llvm_table **out) {
    *out = c->llvm;
    if (c->llvm != NULL)
        return STATUS_OK;
    arena *scratch = arena_new(&c->memory);
    TRY_ALLOC(scratch);
    const char *why;
    c->llvm = context_module("tenon-llvm.so", "tenon_llvm_query", LLVM_TABLE_VERSION, scratch, &why);
    if (c->llvm == NULL && why != NULL) {
        diag_error(c->diags, STATUS_RESOURCE, "no-llvm", DIAG_NOWHERE, "the LLVM back end cannot be opened: %s", why);
        diag_note(c->diags, "--emit c, --backend c and --backend interp work without it");
    }
    arena_free(scratch);
    *out = c->llvm;
    return c->llvm != NULL ? STATUS_OK : STATUS_RESOURCE;
}
