/* rooms: loop base */
/* Texts of programs: what parses prints as a text that parses and prints the same; what the verifier refuses has a
 * reason. */
#include <string.h>

#include "fuzz.h"

#include "loop/loop.h"

static const char *print(const program *p, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    program_print(p, &s);
    FUZZ_CHECK(strbuf_finish(&s, &text) == STATUS_OK);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    char *text = fuzz_text(data, n);
    program *p, *again;
    FUZZ_CHECK(d != NULL && a != NULL);
    status s = program_parse(text, n, "fuzz", a, d, NULL, NULL, &p);
    fuzz_check_refusal(s, d);
    if (s == STATUS_OK) {
        const char *first = print(p, a);
        FUZZ_CHECK(program_parse(first, strlen(first), "printed", a, d, NULL, NULL, &again) == STATUS_OK);
        FUZZ_CHECK(strcmp(print(again, a), first) == 0);
        fuzz_check_refusal(program_verify(p, d), d);
    }
    free(text);
    arena_free(a);
    diag_free(d);
    return 0;
}
