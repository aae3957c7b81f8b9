/* rooms: frontend ops passes lower schedule loop ir base */
/* ONNX models: what is read is valid, survives the clean-up, and is written as a model that is read again. */
#include "fuzz.h"

#include "frontend/frontend.h"
#include "ops/ops.h"
#include "passes/passes.h"

static void clean_up(graph **g, arena *a) {
    pass_registry *r = pass_registry_new(a);
    pass_options o = {.verify = true};
    FUZZ_CHECK(r != NULL && pass_registry_sort(r, (*g)->diags) == STATUS_OK);
    size_t before = diag_errors((*g)->diags);
    status s = passes_clean_up(r, g, &o);
    FUZZ_CHECK(s == STATUS_OK || s == STATUS_RESOURCE || diag_errors((*g)->diags) > before);
}

static void write_again(const graph *g, arena *a, diag *d) {
    const void *bytes;
    size_t n;
    graph *again;
    if (onnx_export(g, a, &bytes, &n) != STATUS_OK)
        return;
    FUZZ_CHECK(onnx_import_bytes(bytes, n, "written", NULL, arena_allocator(a), d, &ops_table, &again) == STATUS_OK);
    graph_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    graph *g = NULL;
    FUZZ_CHECK(d != NULL && a != NULL);
    status s = onnx_import_bytes(data, n, "fuzz", NULL, &memory, d, &ops_table, &g);
    fuzz_check_refusal(s, d);
    if (s == STATUS_OK) {
        FUZZ_CHECK(graph_verify(g) == STATUS_OK);
        clean_up(&g, a);
        write_again(g, a, d);
    }
    graph_free(g);
    arena_free(a);
    diag_free(d);
    return 0;
}
