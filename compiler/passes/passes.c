/* The built-in passes and the clean-up, which runs until nothing changes. */
#include <string.h>

#include "passes/builtin.h"

/* More rounds than this have not been seen to help. */
#define MAX_ROUNDS 8

/* A pass of the clean-up from its function on graphs. */
#define CLEAN_UP(id, name, after, help, doc)                                                                           \
    static int run_##id(const tenon_plugin_host *host, void *state, tenon_graph *g) {                                  \
        (void)host, (void)state;                                                                                       \
        return (int)pass_##id(pass_graph(g));                                                                          \
    }                                                                                                                  \
    static const tenon_pass id##_pass = {                                                                              \
        sizeof id##_pass, TENON_PASS_KEEPS_NUMBERS, name, help, "clean-up", after, NULL, NULL, run_##id, doc};

#define AFTER(...) ((const char *const[]){__VA_ARGS__, NULL})

CLEAN_UP(fold_batch_norm, "fold-batch-norm", NULL,
         "BatchNormalization and scaling by channel become part of the weights beside them",
         "BatchNormalization in its form for inference, and Mul, Div, Add and Sub with a number for each channel, "
         "behind a Conv, ConvTranspose,\n"
         "Gemm or MatMul with constant weights, where nobody else reads what lies between: the node gets new weights "
         "and a bias.\n"
         "BatchNormalization before a Conv, Gemm or MatMul, too, where no border of zeros is in the way. Computed in "
         "double and rounded once;\n"
         "other nodes that share the weights keep the old ones.")
CLEAN_UP(expand, "expand", AFTER("fold-batch-norm"), "operators that are defined by others are rewritten into them",
         "Attention stays whole in the clean-up, so that passes and other runtimes see it, and is rewritten when the "
         "model is lowered.")
CLEAN_UP(fold, "fold", AFTER("expand"), "nodes whose inputs are constants (or whose shapes say all) are computed",
         "Each such node is lowered alone and interpreted, so that folding gives the bits that running gives. What "
         "would become much larger\n"
         "than what it is made of (above 64 KiB and four times its inputs) is left to run time.")
CLEAN_UP(algebra, "algebra", AFTER("fold"),
         "operands that change nothing, known choices and needless broadcasts are removed",
         "x+0, x-0, x*1, x/1, x^1, and true, or false; Where with one condition for all elements. A value counts as "
         "one number where every\n"
         "element is that, also where its shape is not known: the mask of ones that an attention adds as "
         "(1-mask)*-3.4e38 is 0 everywhere. x+0 is\n"
         "taken for x although it would turn -0 into 0. An Expand, or a Gather that always picks the same row, is left "
         "out where an\n"
         "element-wise operator broadcasts anyway, and a mask of Attention that lets all through.")
CLEAN_UP(canonicalise, "canonicalise", AFTER("algebra"), "nodes that hand their input on unchanged are removed",
         "Whatever the operator, where it comes to reading each element at its own place: Identity, Dropout, a Cast to "
         "the same type, a Reshape\n"
         "or Transpose that changes nothing, a Slice of all.")
CLEAN_UP(fuse, "fuse", AFTER("canonicalise"),
         "LayerNormalization, Gelu and Softmax that were taken apart become one operator again",
         "LayerNormalization over the last axis (mean, difference, its square's mean, epsilon, square root, quotient, "
         "scale, bias), Gelu by Erf and\n"
         "by Tanh in the orders that exporters write, Softmax as a quotient of exponentials, with or without the "
         "largest subtracted. Only where\n"
         "nobody else uses what lies between.")
CLEAN_UP(fuse_attention, "fuse-attention", AFTER("fuse"),
         "products, mask and Softmax of an attention become one operator",
         "MatMul of queries and transposed keys, scaled before or behind by a constant, a mask that is added or chosen "
         "by Where, Softmax, and\n"
         "MatMul with the values become ONNX's Attention (opset 23), where all have four dimensions and are f32. A "
         "mask gets a row for each\n"
         "query and a number for each key, as ONNX Runtime needs it. Lowering takes the operator apart again. A query "
         "whose mask is -inf for\n"
         "every key gets zeros, where Softmax alone would give NaN.")
CLEAN_UP(
    layout, "layout", AFTER("fuse-attention"), "transposes that follow each other or meet across other nodes disappear",
    "A Transpose of a Transpose becomes one or none. Element-wise nodes, Concat, Pad, Softmax, reductions and "
    "quantisation by one scale\n"
    "between transposes work on what is not transposed where that leaves fewer transposes and moves no more bytes: "
    "so models from\n"
    "TensorFlow lose those around each convolution. A Transpose that moves but dimensions of 1 beside a Reshape, "
    "and a Reshape of a\n"
    "Reshape, become one Reshape. Which layout values have in memory is chosen later, by lowering.")
CLEAN_UP(cse, "cse", AFTER("layout"), "nodes that compute the same from the same are merged",
         "The same operator with the same inputs and attributes. Nodes without inputs (random numbers) and with "
         "tensors in attributes stay.")
CLEAN_UP(dead_code, "dead-code", AFTER("cse"),
         "nodes whose results nobody uses, and constants that nobody uses, are removed",
         "Inputs and outputs of the model stay; the pass dead_inputs takes them away.")

static int run_integer(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)state;
    return (int)pass_integer(pass_graph(g), pass_host_of(host)->integer);
}
static const tenon_pass integer_pass = {
    .struct_size = sizeof integer_pass,
    .flags = TENON_PASS_KEEPS_NUMBERS,
    .name = "integer",
    .help = "quantised models compute in integers, where that is faster or asked for",
    .stage = "lowering",
    .run = run_integer,
    .doc = "What stands between DequantizeLinear and QuantizeLinear becomes operators of integers: products are summed "
           "in i32, or in i64 where the\n"
           "weights could make i32 overflow, and rounded once to the result's scale. Functions of 8 bits become "
           "tables. A product whose result is not\n"
           "quantised is summed in integers, too, and multiplied by its scale. Results differ from those in floats "
           "where one of these rounds the other\n"
           "way, by one step. Runs when the model is lowered; --emit graph and --emit onnx show the model before it.\n"
           "Where floats are faster by a count of the target's operations, a product stays in floats, and inspect says "
           "so; --int force and --float none\n"
           "do not ask.",
};

static int run_winograd(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)state;
    return (int)pass_winograd(pass_graph(g), pass_host_of(host)->target, pass_host_of(host)->tuning);
}
static const tenon_pass winograd_pass = {
    .struct_size = sizeof winograd_pass,
    .flags = TENON_PASS_KEEPS_NUMBERS,
    .name = "winograd",
    .help = "convolutions by 3x3 windows are computed with fewer products",
    .stage = "lowering",
    .run = run_winograd,
    .doc = "Winograd's F(2x2,3x3) and F(4x4,3x3) for a Conv of f32 with constant weights, one group, strides and "
           "dilations of 1, where a count\n"
           "of operations, loads and stores says that it takes less time on the target: channels fill vectors, and "
           "products count for more\n"
           "than the transforms and than the weights, which are 1.8 or 4 times as large. Not on targets without "
           "vectors. Rounding errors grow as docs/performance.md says. MACs stay those of the Conv.",
};

static int run_unread(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)host, (void)state;
    return (int)pass_unread(pass_graph(g));
}
static const tenon_pass unread_pass = {
    .struct_size = sizeof unread_pass,
    .flags = TENON_PASS_KEEPS_NUMBERS,
    .name = "unread",
    .help = "rows that a Gather or Slice leaves out, and nobody else reads, are not computed",
    .stage = "lowering",
    .run = run_unread,
    .doc = "Where one range of one axis is all that is ever read of a value, MatMul and Gemm compute those rows or "
           "matrices alone, and so do\n"
           "element-wise operators, Softmax, LayerNormalization, Transpose, Reshape, Squeeze and Unsqueeze around "
           "them; what they read is sliced.\n"
           "Only where a MatMul or Gemm gets less to do. A classifier that reads the first token computes the last "
           "block of a transformer,\n"
           "but for its keys and values, for that token alone.",
};

const tenon_pass *const builtin_passes[] = {
    &input_pass,  &fold_batch_norm_pass, &expand_pass, &fold_pass, &algebra_pass,   &canonicalise_pass,
    &fuse_pass,   &fuse_attention_pass,  &layout_pass, &cse_pass,  &dead_code_pass, &integer_pass,
    &unread_pass, &winograd_pass,        NULL};

/* ---- the clean-up ---- */

static bool is_skipped(const pass_options *o, const char *name) {
    for (const char *const *s = o->skip; s != NULL && *s != NULL; s++)
        if (strcmp(*s, name) == 0)
            return true;
    return false;
}

static status check_skipped(const pass_registry *r, const graph *g, const pass_options *o) {
    const char *const *names;
    size_t n;
    for (const char *const *s = o->skip; s != NULL && *s != NULL; s++) {
        if (pass_registry_find(r, *s) != NULL)
            continue;
        TRY(pass_registry_names(r, g->memory, &names, &n));
        (void)diag_error(g->diags, STATUS_USAGE, "unknown-pass", DIAG_NOWHERE, "there is no pass '%s' to skip", *s);
        pass_suggest(g->diags, *s, names, n);
        return STATUS_USAGE;
    }
    return STATUS_OK;
}

/* Built-in passes work in place. */
static status run_in_place(const pass_registry *r, const pass_entry *e, graph *g, const pass_options *o) {
    arena *memory = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(memory);
    pass_host h;
    pass_host_begin(&h, r, e, g->diags, memory);
    h.target = o->target;
    h.tuning = o->tuning;
    h.integer = &o->integer;
    status s = (status)e->pass->run(&h.base, e->state, (tenon_graph *)g);
    arena_free(memory);
    return s;
}

static status run_one(const pass_registry *r, const pass_entry *e, graph **g, const pass_options *o) {
    if (e->plugin == NULL) {
        TRY(run_in_place(r, e, *g, o));
    } else {
        pass_request q;
        TRY(request_begin(r, pass_name(e), pass_name(e), r->memory, (*g)->diags, &q));
        TRY(pass_apply(r, &q, g, NULL, NULL, r->memory));
    }
    if (o->verify)
        TRY(graph_verify(*g));
    return o->after != NULL ? o->after(o->ctx, pass_name(e), *g) : STATUS_OK;
}

static bool has_changed(const graph *g, uint32_t next_id, int nodes) {
    return g->next_id != next_id || g->n_nodes != nodes;
}

/* run_one, with the graph before it kept for the proof. */
static status prove_one(const pass_registry *r, const pass_entry *e, graph **g, const pass_options *o) {
    graph *before = graph_copy(*g);
    TRY_ALLOC(before);
    uint32_t next_id = (*g)->next_id;
    int nodes = (*g)->n_nodes;
    status s = run_one(r, e, g, o);
    if (s == STATUS_OK && has_changed(*g, next_id, nodes))
        s = o->prove(o->ctx, e, before, *g);
    graph_free(before);
    return s;
}

static status run_or_prove(const pass_registry *r, const pass_entry *e, graph **g, const pass_options *o) {
    return o->prove != NULL ? prove_one(r, e, g, o) : run_one(r, e, g, o);
}

status passes_clean_up(const pass_registry *r, graph **g, const pass_options *o) {
    TRY(check_skipped(r, *g, o));
    uint32_t before;
    int nodes, rounds = 0;
    do {
        before = (*g)->next_id;
        nodes = (*g)->n_nodes;
        for (size_t i = 0; i < r->clean_up.n; i++) {
            const pass_entry *e = r->clean_up.at[i];
            if (!is_skipped(o, pass_name(e)) && !(o->in_place && e->plugin != NULL))
                TRY(run_or_prove(r, e, g, o));
        }
    } while (has_changed(*g, before, nodes) && ++rounds < MAX_ROUNDS);
    return STATUS_OK;
}

/* ---- before lowering ---- */

static bool has_unexpanded(const graph *g) {
    for (const node *n = g->first; n != NULL; n = n->next)
        if (n->row != NULL && n->row->kind == OP_EXPAND && op_is_ready(n))
            return true;
    return false;
}

/* o's skip with one name more. */
static status skip_too(const pass_options *o, const char *name, arena *a, pass_options *out) {
    size_t n = 0;
    while (o->skip != NULL && o->skip[n] != NULL)
        n++;
    const char **skip = ARENA_NEW_N(a, const char *, n + 2);
    TRY_ALLOC(skip);
    for (size_t i = 0; i < n; i++)
        skip[i] = o->skip[i];
    skip[n] = name;
    *out = *o;
    out->skip = skip;
    return STATUS_OK;
}

static status expand_rest(const pass_registry *r, graph **g, const pass_options *rest) {
    TRY(pass_expand_all(*g));
    return passes_clean_up(r, g, rest);
}

/* The pass `integer`; then what is left of constants to dequantise is folded. */
static status to_integers(const pass_registry *r, graph **g, const pass_options *o, const pass_options *rest) {
    uint32_t before = (*g)->next_id;
    int nodes = (*g)->n_nodes;
    if (!is_skipped(o, integer_pass.name))
        TRY(run_one(r, pass_registry_find(r, integer_pass.name), g, o));
    if (!is_skipped(o, fold_pass.name))
        TRY(pass_fold_all(*g));
    if (has_changed(*g, before, nodes))
        TRY(passes_clean_up(r, g, rest));
    return o->integer.no_float ? integer_check(*g) : STATUS_OK;
}

status passes_before_lowering(const pass_registry *r, graph **g, const pass_options *o) {
    pass_options rest;
    TRY(check_skipped(r, *g, o));
    TRY(skip_too(o, "fuse-attention", (*g)->memory, &rest));
    if (has_unexpanded(*g))
        TRY(expand_rest(r, g, &rest));
    TRY(to_integers(r, g, o, &rest));
    for (size_t i = 0; i < r->all.n && o->target != NULL; i++) {
        const pass_entry *e = r->all.at[i];
        if (strcmp(pass_stage(e), "lowering") == 0 && e->pass != &integer_pass && !is_skipped(o, pass_name(e)))
            TRY(run_or_prove(r, e, g, o));
    }
    return STATUS_OK;
}
