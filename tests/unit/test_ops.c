/* rooms: ops passes lower schedule loop ir base */
/* The operator rows: that the table is whole, what each infers, what it refuses, and what small constant nodes compute.
 */
#include <math.h>

#include "ops_support.h"

/* ---- the table ---- */

static void check_params(const op_param *p) {
    for (; p->name != NULL; p++) {
        assert_true(p->types != 0);
        if (p->flags & PARAM_VARIADIC)
            assert_null(p[1].name);
    }
}

static void check_attributes(const op_row *r) {
    for (const op_attr *a = r->attrs; a != NULL && a->name != NULL; a++) {
        assert_int_not_equal(a->kind, ATTR_NONE);
        for (const op_attr *b = r->attrs; b != a; b++)
            assert_string_not_equal(a->name, b->name);
        if (a->kind == ATTR_STRING && !a->required)
            assert_non_null(a->s);
    }
}

static void rows_are_well_formed(void **state) {
    (void)state;
    assert_true(ops_table.n > 100);
    for (size_t k = 0; k < ops_table.n; k++) {
        const op_row *r = ops_table.rows[k];
        if (k > 0) {
            int domains = strcmp(ops_table.rows[k - 1]->domain, r->domain);
            assert_true(domains < 0 || (domains == 0 && strcmp(ops_table.rows[k - 1]->name, r->name) < 0));
        }
        assert_ptr_equal(op_find(&ops_table, r->domain, r->name), r);
        assert_true(r->versions[0] > 0);
        for (int v = 1; r->versions[v] != 0; v++)
            assert_true(r->versions[v] > r->versions[v - 1]);
        assert_int_equal(r->kind == OP_SCALAR, r->scalar != NULL);
        assert_int_equal(r->kind == OP_EXPAND, r->expand != NULL);
        assert_true(r->kind == OP_LOWER || r->kind == OP_CONTRACT ? r->lower != NULL : true);
        assert_true(r->kind != OP_SCALAR || r->lower == NULL);
        assert_true(r->kind == OP_SCALAR || r->infer != NULL);
        check_params(r->inputs);
        check_params(r->outputs);
        check_attributes(r);
    }
}

/* ---- inference ---- */

typedef struct infer_case {
    const char *inputs, *constants, *statement, *expected;
} infer_case;

#define STATIC(SHAPE) "%x: f32[" SHAPE "]"
static const infer_case infer_cases[] = {
    /* symbolic dimensions */
    {"%x: f32[batch,3]", "const %a: i64[2] = [0, 3]", "%y: ?[*] = Reshape-25(%x, %a)", "f32[batch,3]"},
    {"%x: f32[batch,seq,6]", "const %a: i64[3] = [0, -1, 2]", "%y: ?[*] = Reshape-25(%x, %a)", "f32[batch,3*seq,2]"},
    {"%x: f32[batch,seq], %w: f32[seq,4]", "", "%y: ?[*] = MatMul-13(%x, %w)", "f32[batch,4]"},
    {"%x: f32[batch,1], %w: f32[1,seq]", "", "%y: ?[*] = Add-14(%x, %w)", "f32[batch,seq]"},
    {"%x: i64[batch,seq]", "", "%y: ?[*] = Shape-25(%x) {start=1}", "i64[1]"},
    {"%x: f32[batch,2], %w: f32[n,2]", "", "%y: ?[*] = Concat-13(%x, %w) {axis=0}", "f32[batch+n,2]"},
    {"%x: f32[n,3,4]", "", "%y: ?[*] = Flatten-25(%x)", "f32[n,12]"},
    {"%x: f32[n,3,4]", "", "%y: ?[*] = Transpose-25(%x) {perm=[2,0,1]}", "f32[4,n,3]"},
    {"%x: f32[n,c,4]", "const %a: i64[1] = [-1]", "%y: ?[*] = ReduceMean-18(%x, %a)", "f32[n,c,1]"},
    {"%x: f32[n,c,4]", "const %a: i64[1] = [-1]", "%y: ?[*] = ReduceMean-18(%x, %a) {keepdims=0}", "f32[n,c]"},
    {"%x: f32[n,8], %i: i64[m]", "", "%y: ?[*] = Gather-13(%x, %i) {axis=1}", "f32[n,m]"},
    {"%x: f32[n,8]",
     "const %s: i64[1] = [0]  const %e: i64[1] = [9223372036854775807]  const %a: i64[1] = [0]  const %t: i64[1] = [2]",
     "%y: ?[*] = Slice-13(%x, %s, %e, %a, %t)", "f32[(n+1)/2,8]"},
    /* unknown contents leave the shape open */
    {"%x: f32[6], %a: i64[2]", "", "%y: ?[*] = Reshape-25(%x, %a)", "f32[*]"},
    {"%x: f32[*]", "", "%y: ?[*] = Softmax-13(%x)", "f32[*]"},
    {"%x: i64[2]", "", "%y: ?[*] = ConstantOfShape-25(%x)", "f32[*]"},
    /* windows */
    {STATIC("1,3,28,28") ", %w: f32[8,3,3,3]", "", "%y: ?[*] = Conv-22(%x, %w) {pads=[1,1,1,1], strides=[2,2]}",
     "f32[1,8,14,14]"},
    {STATIC("1,3,28,28") ", %w: f32[8,3,3,3]", "",
     "%y: ?[*] = Conv-22(%x, %w) {auto_pad=\"SAME_UPPER\", strides=[3,3]}", "f32[1,8,10,10]"},
    {STATIC("1,4,9,9") ", %w: f32[8,2,3,3]", "", "%y: ?[*] = Conv-22(%x, %w) {group=2, dilations=[2,2]}",
     "f32[1,8,5,5]"},
    {STATIC("1,4,9,9"), "", "%y: ?[*], %z: ?[*] = MaxPool-22(%x) {kernel_shape=[2,2], strides=[2,2], ceil_mode=1}",
     "f32[1,4,5,5] i64[1,4,5,5]"},
    {"%x: f32[n,4,h,9]", "", "%y: ?[*] = AveragePool-22(%x) {kernel_shape=[3,3], pads=[1,0,1,0]}", "f32[n,4,h,7]"},
    {STATIC("1,4,4,5") ", %w: f32[4,3,3,3]", "", "%y: ?[*] = ConvTranspose-22(%x, %w) {strides=[2,2]}",
     "f32[1,3,9,11]"},
    /* element types */
    {STATIC("2"), "", "%y: ?[*] = Cast-28(%x) {to=10}", "f16[2]"},
    {"%x: u8[2], %w: u8[2]", "", "%y: ?[*] = Less-13(%x, %w)", "bool[2]"},
    {"%x: f32[2], %s: f32[], %o: i8[]", "", "%y: ?[*] = QuantizeLinear-28(%x, %s, %o)", "i8[2]"},
    {STATIC("2,5,7") ", %w: f32[5,7]", "", "%y: ?[*], _, %z: ?[*] = LayerNormalization-17(%x, %w) {axis=1}",
     "f32[2,5,7] f32[2,1,1]"},
    {STATIC("2,5,7") ", %w: f32[3,7]", "", "%y: ?[*] = LayerNormalization-17(%x, %w) {axis=1}",
     "error[shape-mismatch]"},
    /* refusals */
    {STATIC("2,3") ", %w: f32[4,5]", "", "%y: ?[*] = MatMul-13(%x, %w)", "error[shape-mismatch]"},
    {STATIC("2,3") ", %w: f32[4]", "", "%y: ?[*] = Add-14(%x, %w)", "error[shape-mismatch]"},
    {STATIC("2,3") ", %w: i32[3]", "", "%y: ?[*] = Add-14(%x, %w)", "error[wrong-type]"},
    {STATIC("2,3"), "const %a: i64[1] = [4]", "%y: ?[*] = Reshape-25(%x, %a)", "error[shape-mismatch]"},
    {STATIC("2,3"), "const %a: i64[2] = [-1, -1]", "%y: ?[*] = Reshape-25(%x, %a)", "error[bad-shape]"},
    {STATIC("2,3"), "", "%y: ?[*] = Softmax-13(%x) {axis=2}", "error[bad-axis]"},
    {STATIC("2,3"), "", "%y: ?[*] = Transpose-25(%x) {perm=[0,0]}", "error[bad-axis]"},
    {STATIC("2,3"), "const %a: i64[1] = [1]", "%y: ?[*] = Squeeze-25(%x, %a)", "error[shape-mismatch]"},
    {STATIC("2,3"), "const %i: i64[1] = [2]", "%y: ?[*] = Gather-13(%x, %i)", "error[bad-index]"},
    {STATIC("2,3"), "const %i: i64[1] = [-3]", "%y: ?[*] = Gather-13(%x, %i)", "error[bad-index]"},
    {STATIC("1,3,8,8") ", %w: f32[8,4,3,3]", "", "%y: ?[*] = Conv-22(%x, %w)", "error[shape-mismatch]"},
    {STATIC("1,3,8,8") ", %w: f32[8,3,3,3]", "", "%y: ?[*] = Conv-22(%x, %w) {strides=[1]}", "error[wrong-attribute]"},
    {STATIC("1,3,8,8") ", %w: f32[8,3,3,3]", "", "%y: ?[*] = Conv-22(%x, %w) {auto_pad=\"WIDE\"}",
     "error[wrong-attribute]"},
    {STATIC("1,3,2,2") ", %w: f32[8,3,5,5]", "", "%y: ?[*] = Conv-22(%x, %w)", "error[shape-mismatch]"},
    {STATIC("2,3"), "", "%y: ?[*] = Cast-28(%x) {to=8}", "error[unsupported-type]"},
    {STATIC("2,3"), "const %r: f32[] = [0.5]  const %m: bool[] = [1]", "%y: ?[*] = Dropout-22(%x, %r, %m)",
     "error[unsupported-attribute]"},
    {STATIC("2,3") ", %t: i64[3]", "", "%y: ?[*] = NegativeLogLikelihoodLoss-22(%x, %t)", "error[shape-mismatch]"},
    {STATIC("2,3"), "const %s: i64[1] = [0]  const %e: i64[1] = [2]  const %a: i64[1] = [0]  const %t: i64[1] = [0]",
     "%y: ?[*] = Slice-13(%x, %s, %e, %a, %t)", "error[bad-value]"},
};

static void infer_gives_types(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof infer_cases / sizeof *infer_cases; k++) {
        const infer_case *c = &infer_cases[k];
        ops_bench b;
        assert_int_equal(ops_parse(&allocator_system, c->inputs, c->constants, c->statement, &b), STATUS_OK);
        const char *got = ops_types(&b);
        if (strcmp(got, c->expected) != 0)
            fail_msg("%s: %s, expected %s", c->statement, got, c->expected);
        ops_free(&b);
    }
}

/* ---- values ---- */

static const infer_case value_cases[] = {
    {"", "const %a: i64[3] = [7, -7, 9223372036854775807]  const %b: i64[3] = [2, 2, 1]", "%y: ?[*] = Add-14(%a, %b)",
     "[9, -5, -9223372036854775808]"},
    {"", "const %a: i32[4] = [7, -7, 7, -7]  const %b: i32[4] = [3, 3, -3, -3]", "%y: ?[*] = Div-14(%a, %b)",
     "[2, -2, -2, 2]"},
    {"", "const %a: i32[4] = [7, -7, 7, -7]  const %b: i32[4] = [3, 3, -3, -3]", "%y: ?[*] = Mod-28(%a, %b)",
     "[1, 2, -2, -1]"},
    {"", "const %a: i32[4] = [7, -7, 7, -7]  const %b: i32[4] = [3, 3, -3, -3]", "%y: ?[*] = Mod-28(%a, %b) {fmod=1}",
     "[1, -1, 1, -1]"},
    {"", "const %a: i32[3] = [2, -1, 3]  const %b: i32[3] = [10, 101, -1]", "%y: ?[*] = Pow-15(%a, %b)",
     "[1024, -1, 0]"},
    {"", "const %a: f16[2] = [1, 0.3333]  const %b: f16[1] = [3]", "%y: ?[*] = Mul-14(%a, %b)", "[3, 1]"},
    {"", "const %a: f32[3] = [nan, 1, -2]", "%y: ?[*] = Relu-14(%a)", "[nan, 1, 0]"},
    {"", "const %a: f32[2] = [nan, 1]  const %b: f32[2] = [2, nan]", "%y: ?[*] = Max-13(%a, %b)", "[nan, nan]"},
    {"", "const %a: f32[4] = [0.5, 1.5, 2.5, -0.5]", "%y: ?[*] = Round-22(%a)", "[0, 2, 2, -0]"},
    {"", "const %a: u8[3] = [1, 128, 255]  const %b: u8[3] = [9, 1, 7]",
     "%y: ?[*] = BitShift-28(%a, %b) {direction=\"LEFT\"}", "[0, 0, 128]"},
    {"", "const %a: f32[4] = [300, -300, nan, 1.9]", "%y: ?[*] = Cast-28(%a) {to=6}", "[300, -300, 0, 1]"},
    {"", "const %a: f32[3] = [1000, -1000, 448]", "%y: ?[*] = Cast-28(%a) {to=17}", "[448, -448, 448]"},
    {"", "const %a: f32[3] = [464, 465, -465]", "%y: ?[*] = Cast-28(%a) {to=17, saturate=0}", "[448, nan, nan]"},
    {"", "const %a: i64[2,3] = [1, 2, 3, 4, 5, 6]", "%y: ?[*] = Transpose-25(%a)", "[1, 4, 2, 5, 3, 6]"},
    {"",
     "const %a: i64[6] = [1, 2, 3, 4, 5, 6]  const %s: i64[1] = [-1]  const %e: i64[1] = [-100]  const %x: i64[1] = "
     "[0]  const %t: i64[1] = [-2]",
     "%y: ?[*] = Slice-13(%a, %s, %e, %x, %t)", "[6, 4, 2]"},
    {"", "const %a: i64[3] = [1, 2, 3]  const %p: i64[2] = [2, 3]", "%y: ?[*] = Pad-25(%a, %p) {mode=\"reflect\"}",
     "[3, 2, 1, 2, 3, 2, 1, 2]"},
    {"", "const %a: i64[3] = [10, 20, 30]  const %i: i64[4] = [0, -1, 2, -3]", "%y: ?[*] = Gather-13(%a, %i)",
     "[10, 30, 30, 10]"},
    {"", "const %a: f32[2,2] = [1, 2, 3, 4]  const %b: f32[2] = [10, 100]", "%y: ?[*] = MatMul-13(%a, %b)",
     "[210, 430]"},
    {"", "const %a: f32[1,1,3] = [1, 2, 3]  const %w: f32[1,1,2] = [1, 10]", "%y: ?[*] = Conv-22(%a, %w) {pads=[1,1]}",
     "[10, 21, 32, 3]"},
    {"", "const %a: f32[1,1,4] = [1, 7, 7, 2]", "%y: ?[*], %z: ?[*] = MaxPool-22(%a) {kernel_shape=[2], strides=[1]}",
     "[7, 7, 7] [1, 1, 2]"},
    {"", "const %a: f32[1,1,4] = [1, 7, 7, 3]", "%y: ?[*] = AveragePool-22(%a) {kernel_shape=[3], pads=[1,1]}",
     "[4, 5, 5.6666665, 5]"},
    {"", "const %a: f32[1,1,4] = [1, 7, 7, 3]",
     "%y: ?[*] = AveragePool-22(%a) {kernel_shape=[2], pads=[1,1], count_include_pad=1}", "[0.5, 4, 7, 5, 1.5]"},
    {"", "const %a: i32[2,2] = [1, 2, 4, 9]", "%y: ?[*] = ReduceMean-18(%a) {keepdims=0}", "[4]"},
    {"", "const %a: bool[2,2] = [0, 1, 0, 0]  const %x: i64[1] = [1]", "%y: ?[*] = ReduceMax-20(%a, %x) {keepdims=0}",
     "[1, 0]"},
    {"", "const %a: f32[4] = [2, 5, 5, 1]", "%y: ?[*] = ArgMax-13(%a) {select_last_index=1, keepdims=0}", "[2]"},
    {"", "const %a: f32[3] = [0.5, 1.5, -200]  const %s: f32[] = [0.5]  const %o: i8[] = [1]",
     "%y: ?[*] = QuantizeLinear-28(%a, %s, %o)", "[2, 4, -128]"},
    {"", "const %a: i64[] = [10]  const %b: i64[] = [0]  const %d: i64[] = [-3]", "%y: ?[*] = Range-27(%a, %b, %d)",
     "[10, 7, 4, 1]"},
    {"", "const %a: f32[2,3] = [1, 2, 3, 4, 5, 6]  const %t: i64[2] = [2, -1]",
     "%y: ?[*] = NegativeLogLikelihoodLoss-22(%a, %t) {ignore_index=-1, reduction=\"none\"}", "[-3, 0]"},
};

static void lower_computes_values(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof value_cases / sizeof *value_cases; k++) {
        const infer_case *c = &value_cases[k];
        ops_bench b;
        assert_int_equal(ops_parse(&allocator_system, c->inputs, c->constants, c->statement, &b), STATUS_OK);
        const char *got = ops_values(&b);
        if (strcmp(got, c->expected) != 0)
            fail_msg("%s: %s, expected %s", c->statement, got, c->expected);
        ops_free(&b);
    }
}

/* ---- indices in the data ---- */

/* Runs a graph of one i64 input: the code of the check that stopped it, 0 where none did. `out` takes the output. */
static int run_into(const char *inputs, const char *constants, const char *statement, const int64_t *input,
                    float out[64]) {
    ops_bench b;
    program *p = NULL;
    interp *m = NULL;
    int code = -1;
    lower_options options = {.target = target_numeric(), .naive = true};
    assert_int_equal(ops_parse(&allocator_system, inputs, constants, statement, &b), STATUS_OK);
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_int_equal(lower_graph(b.g, &options, b.memory, &p), STATUS_OK);
    assert_int_equal(interp_new(p, b.memory, &m), STATUS_OK);
    void *scratch = arena_alloc(b.memory, (size_t)p->arena_bytes + 256);
    assert_int_equal(interp_run(m, (const void *[]){input}, (void *[]){out}, scratch, &code), STATUS_OK);
    ops_free(&b);
    return code;
}

static int run_code(const char *inputs, const char *constants, const char *statement, const int64_t *input) {
    float out[64];
    return run_into(inputs, constants, statement, input, out);
}

static void gather_checks_indices(void **state) {
    (void)state;
    static const char constants[] = "const %a: f32[3] = [1, 2, 3]", gather[] = "%y: ?[*] = Gather-13(%a, %i)";
    assert_int_equal(run_code("%i: i64[2]", constants, gather, (const int64_t[]){0, 2}), 0);
    assert_int_equal(run_code("%i: i64[2]", constants, gather, (const int64_t[]){-3, -1}), 0);
    assert_int_equal(run_code("%i: i64[2]", constants, gather, (const int64_t[]){0, 3}), 6);
    assert_int_equal(run_code("%i: i64[2]", constants, gather, (const int64_t[]){-4, 0}), 6);
    static const char table[] = "const %a: f32[2,2] = [1, 2, 3, 4]";
    assert_int_equal(run_code("%i: i64[1,2]", table, "%y: ?[*] = GatherND-13(%a, %i)", (const int64_t[]){1, -2}), 0);
    assert_int_equal(run_code("%i: i64[1,2]", table, "%y: ?[*] = GatherND-13(%a, %i)", (const int64_t[]){1, 2}), 6);
}

static void loss_checks_classes(void **state) {
    (void)state;
    static const char scores[] = "const %a: f32[2,3] = [1, 2, 3, 4, 5, 6]";
    static const char loss[] = "%y: ?[*] = NegativeLogLikelihoodLoss-22(%a, %t) {ignore_index=-100}";
    assert_int_equal(run_code("%t: i64[2]", scores, loss, (const int64_t[]){0, -100}), 0);
    assert_int_equal(run_code("%t: i64[2]", scores, loss, (const int64_t[]){0, 3}), 6);
    assert_int_equal(run_code("%t: i64[2]", scores, loss, (const int64_t[]){-1, 0}), 6);
}

/* ---- shapes and axes in the data: the declared shape is what counts ---- */

static void data_may_say_the_declared_shape(void **state) {
    (void)state;
    static const char table[] = "const %a: f32[2,3] = [1, 2, 3, 4, 5, 6]";
    static const char reshape[] = "%y: f32[3,2] = Reshape-25(%a, %i)", tile[] = "%y: f32[4,3] = Tile-13(%a, %i)";
    assert_int_equal(run_code("%i: i64[2]", table, reshape, (const int64_t[]){3, 2}), 0);
    assert_int_equal(run_code("%i: i64[2]", table, reshape, (const int64_t[]){-1, 2}), 0);
    assert_int_equal(run_code("%i: i64[2]", table, reshape, (const int64_t[]){6, 1}), 9);
    assert_int_equal(run_code("%i: i64[2]", table, reshape, (const int64_t[]){0, 2}), 9);
    assert_int_equal(run_code("%i: i64[2]", table, tile, (const int64_t[]){2, 1}), 0);
    assert_int_equal(run_code("%i: i64[2]", table, tile, (const int64_t[]){1, 1}), 9);
    static const char row[] = "const %a: f32[1,3,1] = [1, 2, 3]", squeeze[] = "%y: f32[1,3] = Squeeze-25(%a, %i)";
    assert_int_equal(run_code("%i: i64[1]", row, squeeze, (const int64_t[]){-1}), 0);
    assert_int_equal(run_code("%i: i64[1]", row, squeeze, (const int64_t[]){1}), 9);
}

static void data_may_say_the_axes(void **state) {
    (void)state;
    float y[64];
    static const char table[] = "const %a: f32[2,2] = [1, 2, 3, 5]",
                      sum[] = "%y: f32[2] = ReduceSum-13(%a, %i) {keepdims=0}";
    assert_int_equal(run_into("%i: i64[1]", table, sum, (const int64_t[]){0}, y), 0);
    assert_true(y[0] == 4 && y[1] == 7);
    assert_int_equal(run_into("%i: i64[1]", table, sum, (const int64_t[]){-1}, y), 0);
    assert_true(y[0] == 3 && y[1] == 8);
    assert_int_equal(run_code("%i: i64[1]", table, sum, (const int64_t[]){2}), 6);
    assert_int_equal(run_code("%i: i64[2]", table, sum, (const int64_t[]){0, 1}), 9);
    static const char running[] = "%y: f32[2,2] = CumSum-14(%a, %i)";
    assert_int_equal(run_into("%i: i64[]", table, running, (const int64_t[]){-2}, y), 0);
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 4 && y[3] == 7);
    assert_int_equal(run_code("%i: i64[]", table, running, (const int64_t[]){-3}), 6);
}

/* ---- older forms ---- */

/* The statement's node, of version `version`, after its upgrade: printed without its outputs. */
static void check_upgrade(const char *inputs, const char *statement, int version, int n_inputs, const char *gone) {
    ops_bench b;
    assert_int_equal(ops_parse(&allocator_system, inputs, "", statement, &b), STATUS_OK);
    node *n = b.g->last;
    n->version = version;
    assert_int_equal(n->row->upgrade(n), STATUS_OK);
    assert_int_equal(n->n_inputs, n_inputs);
    assert_null(node_attr(n, gone));
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_true(type_shape(&b.g->outputs.at[0]->v->type, NULL));
    ops_free(&b);
}

static void upgrade_moves_attributes(void **state) {
    (void)state;
    check_upgrade("%x: f32[2,3]", "%y: ?[*] = ReduceMean-13(%x) {axes=[1]}", 13, 2, "axes");
    check_upgrade("%x: f32[2,1]", "%y: ?[*] = Squeeze-11(%x) {axes=[1]}", 11, 2, "axes");
    check_upgrade("%x: f32[2,3]", "%y: ?[*] = Clip-6(%x) {max=6.0}", 6, 3, "max");
    check_upgrade("%x: f32[2,3]", "%y: ?[*] = Slice-1(%x) {starts=[0], ends=[1]}", 1, 3, "starts");
    check_upgrade("%x: f32[2,3]", "%y: ?[*] = Pad-2(%x) {pads=[1,1,1,1], value=2.0}", 2, 3, "value");
}

/* Before opset 13 Softmax took all dimensions from `axis` on as one row. */
static void upgrade_flattens_softmax(void **state) {
    (void)state;
    ops_bench b;
    assert_int_equal(ops_parse(&allocator_system, "%x: f32[2,3,4]", "", "%y: ?[*] = Softmax-11(%x) {axis=1}", &b),
                     STATUS_OK);
    node *n = b.g->last;
    n->version = 11;
    assert_int_equal(n->row->upgrade(n), STATUS_OK);
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_string_equal(b.g->outputs.at[0]->v->def->op, "Reshape");
    strbuf text = strbuf_in(b.memory);
    type_print(&node_input(b.g->outputs.at[0]->v->def, 0)->type, &text);
    assert_string_equal(text.text, "f32[2,12]");
    ops_free(&b);
}

/* ---- memory ---- */

static status infer_and_lower(const allocator *from, void *ctx) {
    const infer_case *c = ctx;
    ops_bench b;
    program *p = NULL;
    lower_options options = {.target = target_numeric(), .naive = true};
    status s = ops_parse(from, c->inputs, c->constants, c->statement, &b);
    if (s == STATUS_OK)
        s = graph_infer(b.g);
    if (s == STATUS_OK)
        s = lower_graph(b.g, &options, b.memory, &p);
    ops_free(&b);
    return s;
}

static void lower_survives_lack_of_memory(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof value_cases / sizeof *value_cases; k++) {
        infer_case c = value_cases[k];
        test_each_allocation(infer_and_lower, &c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(infer_gives_types),
        cmocka_unit_test(lower_computes_values),
        cmocka_unit_test(gather_checks_indices),
        cmocka_unit_test(loss_checks_classes),
        cmocka_unit_test(upgrade_moves_attributes),
        cmocka_unit_test(data_may_say_the_declared_shape),
        cmocka_unit_test(data_may_say_the_axes),
        cmocka_unit_test(upgrade_flattens_softmax),
        cmocka_unit_test(lower_survives_lack_of_memory),
    };
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
