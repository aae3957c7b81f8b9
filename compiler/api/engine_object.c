/* The back end that goes through an object file, the one of --emit obj --weights bin: loaded without a linker. */
#include "api/engine.h"
#include "api/opened_model.h"

typedef struct loaded {
    llvm_code *code;
    opened_model model;
} loaded;

/* The weights lie outside, so that the object is small and they are in memory once. */
static status place_weights(engine *e, opened_model *m) {
    weight_table table;
    TRY(weights_place(e->p, e->memory, &table));
    m->weights_bytes = table.bytes;
    return weights_file(e->p, &table, e->memory, &m->weights);
}

static status load(engine *e, loaded *l, arena *scratch) {
    const llvm_table *llvm;
    const void *object;
    size_t bytes;
    uintptr_t query = 0;
    diag *d = e->c->diags;
    const char *symbol = arena_printf(scratch, "%s_model", e->p->name);
    TRY_ALLOC(symbol);
    TRY(context_llvm(e->c, &llvm));
    TRY(llvm->emit(e->p, LLVM_FORM_OBJECT, WEIGHTS_BIN, scratch, d, &object, &bytes));
    TRY(llvm->load(e->p->target, object, bytes, symbol, &e->c->memory, d, &l->code, &query));
    e->code_bytes = llvm->code_bytes(l->code);
    return opened_model_ask(&l->model, (tenon_model_query)query, d, DIAG_NOWHERE);
}

static status prepare(engine *e) {
    loaded *l = ARENA_NEW(e->memory, loaded);
    TRY_ALLOC(l);
    e->state = l;
    TRY(place_weights(e, &l->model));
    arena *scratch = arena_new(&e->c->memory);
    TRY_ALLOC(scratch);
    status s = load(e, l, scratch);
    arena_free(scratch);
    return s;
}

static status run(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code) {
    const loaded *l = e->state;
    *out_code = opened_model_run(&l->model, inputs, outputs, scratch, &e->env);
    return STATUS_OK;
}

static void release(engine *e) {
    loaded *l = e->state;
    if (l != NULL && l->code != NULL)
        e->c->llvm->release(l->code);
}

const engine_row engine_object = {
    .name = "object", .is_native = true, .prepare = prepare, .run = run, .release = release};
