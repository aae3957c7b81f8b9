/* The back end that compiles into this process, through LLVM. */
#include "api/engine.h"
#include "api/options.h"
#include "api/perf_map.h"

static status prepare(engine *e) {
    const llvm_table *llvm;
    llvm_code *code = NULL;
    TRY(context_llvm(e->c, &llvm));
    const llvm_options options = {.is_named = e->o->perf_map};
    TRY(llvm->compile(e->p, &options, &e->c->memory, e->c->diags, &code));
    e->state = code;
    e->code_bytes = llvm->code_bytes(code);
    size_t n;
    const llvm_symbol *symbols = llvm->symbols(code, &n);
    return e->o->perf_map ? perf_map_add(symbols, n, e->memory, e->c->diags) : STATUS_OK;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    *out_code = e->c->llvm->run(e->state, inputs, outputs, scratch, &e->env);
    return STATUS_OK;
}

static void release(engine *e) {
    if (e->state != NULL)
        e->c->llvm->release(e->state);
}

const engine_row engine_jit = {.name = "jit", .is_native = true, .prepare = prepare, .run = run, .release = release};
