/* What the tests of the tensor graph share: a handful of operators, a graph to start from, its text and its
 * diagnostics. */
#ifndef TENON_IR_SUPPORT_H
#define TENON_IR_SUPPORT_H

#include <stdio.h>

#include "test_support.h"

#include "ir/graph.h"
#include "ir/op.h"

static inline status infer_as_input(node *n) {
    const tensor_type *t = op_input_type(n, 0);
    for (int i = 0; i < n->n_outputs; i++)
        TRY(op_set_output(n, i, t->elem, t->rank, t->dims));
    return STATUS_OK;
}

/* The sum of the sizes along `axis`. */
static inline status infer_join(node *n) {
    const tensor_type *first = op_input_type(n, 0);
    int axis;
    if (first->rank < 0)
        return op_unknown_output(n, 0, first->elem);
    TRY(op_axis(n, op_int(n, "axis"), first->rank, &axis));
    dim dims[TENSOR_MAX_RANK];
    memcpy(dims, first->dims, (size_t)first->rank * sizeof *dims);
    for (int i = 1; i < n->n_inputs; i++)
        dims[axis] = dim_add(n->graph->memory, dims[axis], op_input_type(n, i)->dims[axis]);
    return op_set_output(n, 0, first->elem, first->rank, dims);
}

/* Input 1 is the shape. */
static inline status infer_reshape(node *n) {
    int64_t rank;
    const int64_t *shape = op_known_ints(n, 1, &rank);
    if (shape == NULL)
        return op_unknown_output(n, 0, op_input_type(n, 0)->elem);
    dim dims[TENSOR_MAX_RANK];
    for (int64_t i = 0; i < rank && i < TENSOR_MAX_RANK; i++)
        dims[i] = DIM(shape[i]);
    return op_set_output(n, 0, op_input_type(n, 0)->elem, (int)rank, dims);
}

static const op_param ir_one[] = {{"X", TYPES_FLOAT, 'T', 0}, {0}};
static const op_param ir_two[] = {{"A", TYPES_NUMBER, 'T', 0}, {"B", TYPES_NUMBER, 'T', 0}, {0}};
static const op_param ir_many[] = {{"inputs", TYPES_ANY, 'T', PARAM_VARIADIC}, {0}};
static const op_param ir_scaled[] = {{"X", TYPES_FLOAT, 'T', 0},
                                     {"low", TYPES_FLOAT, 'T', PARAM_OPTIONAL},
                                     {"high", TYPES_FLOAT, 'T', PARAM_OPTIONAL},
                                     {0}};
static const op_param ir_reshaped[] = {{"data", TYPES_ANY, 'T', 0}, {"shape", TYPE_BIT(DT_I64), 0, PARAM_KNOWN}, {0}};
static const op_param ir_out[] = {{"Y", TYPES_ANY, 'T', 0}, {0}};
static const op_param ir_outs[] = {{"Y", TYPES_ANY, 'T', PARAM_VARIADIC}, {0}};
static const op_param ir_truth[] = {{"C", TYPES_BOOL, 0, 0}, {0}};
static const op_attr ir_axis[] = {{.name = "axis", .kind = ATTR_INT, .required = true}, {0}};
static const op_attr ir_alpha[] = {
    {.name = "alpha", .kind = ATTR_FLOAT, .f = 0.25}, {.name = "mode", .kind = ATTR_STRING, .s = "plain"}, {0}};
static const int ir_versions[] = {1, 7, 13, 0};

static const op_row ir_rows[] = {
    {.name = "Add", .domain = "", .versions = ir_versions, .kind = OP_SCALAR, .inputs = ir_two, .outputs = ir_out},
    {.name = "Bound", .domain = "", .versions = ir_versions, .kind = OP_SCALAR, .inputs = ir_scaled, .outputs = ir_out},
    {.name = "Copy",
     .domain = "",
     .versions = ir_versions,
     .kind = OP_LOWER,
     .inputs = ir_many,
     .outputs = ir_outs,
     .infer = infer_as_input},
    {.name = "Join",
     .domain = "",
     .versions = ir_versions,
     .kind = OP_LOWER,
     .inputs = ir_many,
     .outputs = ir_out,
     .attrs = ir_axis,
     .infer = infer_join},
    {.name = "Less", .domain = "", .versions = ir_versions, .kind = OP_SCALAR, .inputs = ir_two, .outputs = ir_truth},
    {.name = "Mul", .domain = "", .versions = ir_versions, .kind = OP_SCALAR, .inputs = ir_two, .outputs = ir_out},
    {.name = "Relu",
     .domain = "",
     .versions = ir_versions,
     .kind = OP_SCALAR,
     .inputs = ir_one,
     .outputs = ir_out,
     .attrs = ir_alpha},
    {.name = "Reshape",
     .domain = "",
     .versions = ir_versions,
     .kind = OP_LOWER,
     .inputs = ir_reshaped,
     .outputs = ir_out,
     .infer = infer_reshape},
    {.name = "Odd", .domain = "other", .versions = ir_versions, .kind = OP_SCALAR, .inputs = ir_one, .outputs = ir_out},
};
static const op_row *const ir_row_list[] = {&ir_rows[0], &ir_rows[1], &ir_rows[2], &ir_rows[3], &ir_rows[4],
                                            &ir_rows[5], &ir_rows[6], &ir_rows[7], &ir_rows[8]};
static const op_table ir_table = {ir_row_list, sizeof ir_row_list / sizeof *ir_row_list};

/* A graph with its diagnostics, and an arena for texts. */
typedef struct bench {
    arena *memory;
    diag *messages;
    graph *g;
} bench;

static inline bench bench_new(void) {
    bench b = {arena_new(&allocator_system), diag_new(&allocator_system), NULL};
    b.g = graph_new(&allocator_system, b.messages, &ir_table, "main", "test.onnx");
    return b;
}

static inline void bench_free(bench *b) {
    graph_free(b->g);
    diag_free(b->messages);
    arena_free(b->memory);
}

/* All diagnostics, a line each. */
static inline const char *bench_messages(const bench *b) {
    strbuf text = strbuf_in(b->memory);
    for (size_t i = 0; i < diag_count(b->messages); i++)
        strbuf_printf(&text, "%s\n", diag_line(b->messages, i, b->memory));
    return text.text;
}

static inline const char *graph_text(const graph *g, arena *a) {
    strbuf text = strbuf_in(a);
    graph_print(g, &text);
    return text.text;
}

static inline graph *parse_text(bench *b, const char *text) {
    graph *g = NULL;
    status s = graph_parse(text, strlen(text), "test.onnx", &allocator_system, b->messages, &ir_table, NULL, NULL, &g);
    if (s != STATUS_OK)
        fail_msg("%s", bench_messages(b));
    return g;
}

/* Replaces the graph by what the text says. */
static inline bench bench_parse(const char *text) {
    bench b = bench_new();
    graph_free(b.g);
    b.g = parse_text(&b, text);
    return b;
}

static inline node *find_node(const graph *g, const char *name) {
    for (node *n = g->first; n != NULL; n = n->next)
        if (strcmp(n->name, name) == 0)
            return n;
    fail_msg("no node '%s'", name);
    return NULL;
}

static inline void assert_graph_is_whole(const bench *b) {
    if (graph_verify(b->g) != STATUS_OK)
        fail_msg("%s%s", bench_messages(b), graph_text(b->g, b->memory));
}

/* A linear congruence: its upper bits. */
static inline uint32_t next_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static inline int random_below(uint64_t *seed, int n) {
    return (int)(next_random(seed) % (uint32_t)n);
}

#endif
