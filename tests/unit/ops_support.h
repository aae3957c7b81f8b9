/* What the tests of the operator rows share: one-node graphs from text, their inferred types, their folded results. */
#ifndef TENON_OPS_SUPPORT_H
#define TENON_OPS_SUPPORT_H

#include <stdio.h>

#include "test_support.h"

#include "ir/graph_text.h"
#include "lower/lower.h"
#include "ops/ops.h"
#include "passes_support.h"

/* "inputs | constants | statement": the statement's outputs %y, %z, ... are the graph's. */
typedef struct ops_bench {
    arena *memory;
    diag *messages;
    graph *g;
} ops_bench;

static inline const char *ops_graph_text(arena *a, const char *inputs, const char *constants, const char *statement) {
    strbuf text = strbuf_in(a);
    strbuf_printf(&text, "graph \"main\"(%s) {\n%s\n%s\nreturn %%y as \"y\"%s\n}\n", inputs, constants, statement,
                  strstr(statement, "%z:") != NULL ? ", %z as \"z\"" : "");
    return text.failed ? NULL : text.text;
}

/* The graph, or NULL when out of memory; anything wrong with the text fails the test. */
static inline status ops_parse(const allocator *from, const char *inputs, const char *constants, const char *statement,
                               ops_bench *out) {
    *out = (ops_bench){arena_new(from), diag_new(from), NULL};
    TRY_ALLOC(out->memory);
    TRY_ALLOC(out->messages);
    const char *text = ops_graph_text(out->memory, inputs, constants, statement);
    TRY_ALLOC(text);
    status s = graph_parse(text, strlen(text), "test", from, out->messages, &ops_table, NULL, NULL, &out->g);
    if (s != STATUS_OK && s != STATUS_RESOURCE)
        fail_msg("%s\n%s", text, diag_line(out->messages, 0, out->memory));
    return s;
}

static inline void ops_free(ops_bench *b) {
    graph_free(b->g);
    diag_free(b->messages);
    arena_free(b->memory);
}

/* Inferred types of the last node's outputs, "error[id]" of the first diagnostic where it is refused. */
static inline const char *ops_types(ops_bench *b) {
    strbuf text = strbuf_in(b->memory);
    if (graph_infer(b->g) != STATUS_OK)
        return arena_printf(b->memory, "error[%s]", diag_at(b->messages, 0)->id);
    for (int k = 0; k < b->g->last->n_outputs; k++) {
        const value *v = b->g->last->outputs[k];
        if (v == NULL)
            continue;
        strbuf_add(&text, text.n > 0 ? " " : "");
        type_print(&v->type, &text);
    }
    return text.text;
}

/* Everything is constant: the outputs' elements after folding, "error[id]" where folding refuses. */
static inline const char *ops_values(ops_bench *b) {
    strbuf text = strbuf_in(b->memory);
    pass_options options = {.verify = true};
    if (graph_infer(b->g) != STATUS_OK || passes_run(b->g, &options) != STATUS_OK)
        return arena_printf(b->memory, "error[%s]", diag_at(b->messages, 0)->id);
    for (size_t k = 0; k < b->g->outputs.n; k++) {
        const value *v = b->g->outputs.at[k]->v;
        strbuf_add(&text, k > 0 ? " " : "");
        if (v->constant == NULL)
            strbuf_add(&text, "not folded");
        else
            tensor_print_data(v->constant, NULL, &text);
    }
    return text.text;
}

#endif
