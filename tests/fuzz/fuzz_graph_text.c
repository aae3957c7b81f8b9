/* rooms: ops loop ir base */
/* Texts of graphs: what parses prints as a text that parses and prints the same. */
#include <string.h>

#include "fuzz.h"

#include "ops/ops.h"

static const char *print(const graph *g, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    graph_print(g, &s);
    FUZZ_CHECK(strbuf_finish(&s, &text) == STATUS_OK);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    const allocator memory = allocator_system;
    diag *d = diag_new(&memory);
    arena *a = arena_new(&memory);
    char *text = fuzz_text(data, n);
    graph *g = NULL, *again = NULL;
    FUZZ_CHECK(d != NULL && a != NULL);
    status s = graph_parse(text, n, "fuzz", &memory, d, &ops_table, NULL, NULL, &g);
    fuzz_check_refusal(s, d);
    if (s == STATUS_OK) {
        const char *first = print(g, a);
        FUZZ_CHECK(graph_parse(first, strlen(first), "printed", &memory, d, &ops_table, NULL, NULL, &again) ==
                   STATUS_OK);
        FUZZ_CHECK(strcmp(print(again, a), first) == 0);
        fuzz_check_refusal(graph_infer(g), d);
        graph_verify(g);
    }
    graph_free(again);
    graph_free(g);
    free(text);
    arena_free(a);
    diag_free(d);
    return 0;
}
