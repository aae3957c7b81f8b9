/* rooms: passes ops lower schedule loop ir base */
/* What stands behind -p: names of passes and their options. */
#include "fuzz.h"

#include "passes/passes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    char *text = fuzz_text(data, n);
    pass_request q;
    FUZZ_CHECK(d != NULL && a != NULL);
    pass_registry *r = pass_registry_new(a);
    FUZZ_CHECK(r != NULL);
    fuzz_check_refusal(request_parse(r, text, a, d, &q), d);
    free(text);
    arena_free(a);
    diag_free(d);
    return 0;
}
