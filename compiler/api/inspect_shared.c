/* tenon inspect on a model that comes compiled: what its library says. */
#include "api/reports.h"

static status print_type(arena *a, const program_buffer *b, const char **out) {
    strbuf s = strbuf_in(a);
    dim dims[TENSOR_MAX_RANK];
    for (int i = 0; i < b->rank; i++)
        dims[i] = DIM(b->dims[i]);
    type_print(&(tensor_type){b->elem, b->rank, dims}, &s);
    return strbuf_finish(&s, out);
}

static status list(arena *a, const program_buffer *b, int n, const inspect_tensor **out) {
    inspect_tensor *t = ARENA_NEW_N(a, inspect_tensor, n + 1);
    TRY_ALLOC(t);
    for (int i = 0; i < n; i++) {
        t[i].name = b[i].title;
        TRY(print_type(a, &b[i], &t[i].type));
    }
    *out = t;
    return STATUS_OK;
}

status inspect_shared(const tenon_graph *t, arena *a, report *out) {
    program *p;
    const tenon_model *m = t->shared->opened.model;
    TRY(shared_model_program(t->shared, a, &p));
    shared_result r = {.model = t->file,
                       .name = m->name,
                       .n_inputs = (size_t)p->n_inputs,
                       .n_outputs = (size_t)p->n_outputs,
                       .arena_bytes = p->arena_bytes,
                       .regions = p->regions.at,
                       .n_regions = p->regions.n,
                       .weight_bytes = (int64_t)t->shared->constant_bytes,
                       .code_bytes = (int64_t)t->shared->code_bytes};
    if (m->weights_bytes > 0)
        TRY_ALLOC(r.weights_file = arena_printf(a, "in %s.weights", m->name));
    TRY(list(a, p->buffers.at, p->n_inputs, &r.inputs));
    TRY(list(a, p->buffers.at + p->n_inputs, p->n_outputs, &r.outputs));
    return shared_report(&r, a, out);
}
