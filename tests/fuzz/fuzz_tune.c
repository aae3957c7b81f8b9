/* rooms: api schedule ir loop base */
/* Tune files: what is read can be written, and read again as the same. */
#include <string.h>

#include "fuzz.h"

#include "api/tune_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    tune_table t, again;
    const char *text, *second;
    FUZZ_CHECK(d != NULL && a != NULL);
    status s = tune_file_parse("fuzz", (const char *)data, n, a, d, &t);
    fuzz_check_refusal(s, d);
    if (s == STATUS_OK) {
        FUZZ_CHECK(tune_file_print(&t, a, &text) == STATUS_OK);
        FUZZ_CHECK(tune_file_parse("fuzz", text, strlen(text), a, d, &again) == STATUS_OK && again.at.n == t.at.n);
        FUZZ_CHECK(tune_file_print(&again, a, &second) == STATUS_OK && strcmp(text, second) == 0);
    }
    arena_free(a);
    diag_free(d);
    return 0;
}
