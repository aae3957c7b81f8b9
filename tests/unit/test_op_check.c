/* rooms: ir base */
/* Checks of nodes by their rows, inference, declared types, binding of symbols: texts as users read them. */
#include "ir_support.h"

/* Infers the graph of `text` and compares outcome and messages. */
static void expect_inference(const char *text, status expected, const char *messages) {
    bench b = bench_parse(text);
    assert_int_equal(graph_infer(b.g), expected);
    assert_string_equal(bench_messages(&b), messages);
    bench_free(&b);
}

#define HEAD "graph \"main\"(%x: f32[batch,4], %y: f32[4], %z: f32[3], %i: i64[4], %u: ?[*]) {\n"

static void op_find_finds_each_row(void **state) {
    (void)state;
    for (size_t i = 0; i < ir_table.n; i++)
        assert_ptr_equal(op_find(&ir_table, ir_rows[i].domain, ir_rows[i].name), &ir_rows[i]);
    assert_null(op_find(&ir_table, "other", "Add"));
    assert_null(op_find(&ir_table, "", "Zzz"));
    assert_null(op_find(NULL, "", "Add"));
    assert_int_equal(op_newest(&ir_rows[0]), 13);
}

static void op_wrong_arity(void **state) {
    (void)state;
    expect_inference(HEAD "%a: ?[*] = Add-13(%x) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-arity]: 1 input, expected 2\n");
    expect_inference(HEAD "%a: ?[*] = Add-13(%x, _) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-arity]: 1 input, expected 2\n");
    expect_inference(HEAD "%a: ?[*] = Add-13(_, %x) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-arity]: input 0 'A' is missing\n");
    expect_inference(HEAD "%a: ?[*] = Copy-13() name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Copy-13): error[wrong-arity]: 0 inputs, expected at least 1\n");
    expect_inference(HEAD "%a: ?[*] = Copy-13(%x, _, %x) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Copy-13): error[wrong-arity]: input 1 'inputs' is missing\n");
    expect_inference(HEAD "%a: ?[*] = Bound-13(%x, %x, %x, %x) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Bound-13): error[wrong-arity]: 4 inputs, expected 1 to 3\n");
    expect_inference(HEAD "%a: ?[*], %b: ?[*] = Add-13(%x, %x) name \"a\"\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-arity]: 2 outputs, expected 1\n");
    expect_inference(HEAD "%a: ?[*] = Bound-13(%x, _, %y, _) name \"a\"\n}", STATUS_OK, "");
}

static void op_wrong_attributes(void **state) {
    (void)state;
    /* One of each kind; the second unknown one is not reported. */
    expect_inference(HEAD "%a: ?[*] = Join-13(%x) {axes=1, other=2} name \"a\" source 3\n}", STATUS_INVALID,
                     "test.onnx: main/node 3 'a' (Join-13): error[unknown-attribute]: Join has no attribute 'axes'\n"
                     "note: did you mean 'axis'?\n"
                     "test.onnx: main/node 3 'a' (Join-13): error[missing-attribute]: Join needs the attribute 'axis', "
                     "an integer\n");
    expect_inference(
        HEAD "%a: ?[*] = Relu-13(%x) {alpha=1, mode=2.0}\n}", STATUS_INVALID,
        "test.onnx: main/'a' (Relu-13): error[wrong-attribute]: attribute 'alpha' is an integer, expected a float\n");
    expect_inference(HEAD "%a: ?[*] = Add-13(%x, %x) {alpha=1.0}\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[unknown-attribute]: Add has no attribute 'alpha'\n");
}

static void op_wrong_types(void **state) {
    (void)state;
    expect_inference(HEAD "%a: ?[*] = Relu-13(%i)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Relu-13): error[wrong-type]: input 'X' has type i64, expected one of: f32, "
                     "f16, f64, bf16\n");
    expect_inference(HEAD "%a: ?[*] = Add-13(%x, %i)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-type]: input 'B' has type i64, but 'A' has f32: they "
                     "must be the same\n");
    expect_inference(
        HEAD "%a: ?[*] = Reshape-13(%x, %y)\n}", STATUS_INVALID,
        "test.onnx: main/'a' (Reshape-13): error[wrong-type]: input 'shape' has type f32, expected one of: i64\n");
    expect_inference("graph \"main\"(%b: bool[2]) {\n%a: ?[*] = Add-13(%b, %b)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Add-13): error[wrong-type]: input 'A' has type bool, expected one of: f32, "
                     "u8, i8, u16, i16, "
                     "i32, i64, f16, ...\n");
}

static void op_unsupported_are_all_reported(void **state) {
    (void)state;
    expect_inference(HEAD "%a: ?[*] = Reluu-13(%x) source 0\n%b: ?[*] = Add-13(%a, %x) source 1\n"
                          "%c: ?[*] = Odd-1(%x) source 2\n%d: ?[*] = \"other\"::Od-1(%x) source 3\n}",
                     STATUS_UNSUPPORTED,
                     "test.onnx: main/node 0 'a' (Reluu-13): error[unsupported-operator]: operator 'Reluu' of domain "
                     "'ai.onnx' is not "
                     "supported\nnote: the nearest supported operator is 'Relu'\n"
                     "test.onnx: main/node 2 'c' (Odd-1): error[unsupported-operator]: operator 'Odd' of domain "
                     "'ai.onnx' is not supported\n"
                     "note: the nearest supported operator is 'Add'\n"
                     "test.onnx: main/node 3 'd' (Od-1): error[unsupported-operator]: operator 'Od' of domain 'other' "
                     "is not supported\n"
                     "note: the nearest supported operator is 'Odd'\n");
    /* Invalid beats unsupported, whichever comes first. */
    expect_inference(
        HEAD "%a: ?[*] = What_is_this-13(%x)\n%b: ?[*] = Add-13(%y, %z)\n}", STATUS_INVALID,
        "test.onnx: main/'a' (What_is_this-13): error[unsupported-operator]: operator 'What_is_this' of domain "
        "'ai.onnx' is "
        "not supported\n"
        "test.onnx: main/'b' (Add-13): error[shape-mismatch]: inputs 'y' f32[4] and 'z' f32[3] cannot be broadcast\n");
    expect_inference(
        HEAD "%b: ?[*] = Add-13(%y, %z)\n%a: ?[*] = What_is_this-13(%x)\n}", STATUS_INVALID,
        "test.onnx: main/'b' (Add-13): error[shape-mismatch]: inputs 'y' f32[4] and 'z' f32[3] cannot be broadcast\n"
        "test.onnx: main/'a' (What_is_this-13): error[unsupported-operator]: operator 'What_is_this' of domain "
        "'ai.onnx' is "
        "not supported\n");
}

/* The type that value `name` has after inference of a graph of one statement. */
static void expect_type(const char *statement, const char *type) {
    bench b = bench_new();
    const char *text = arena_printf(
        b.memory,
        "graph \"main\"(%%s: f32[], %%v: f32[n], %%w: f32[m], %%one: f32[1,4], %%big: f32[batch,3,4], %%u: ?[*], "
        "%%r: f32[*]) {\nconst %%shape: i64[2] = [6, 2]\n%s\n}",
        statement);
    graph_free(b.g);
    b.g = parse_text(&b, text);
    if (graph_infer(b.g) != STATUS_OK)
        fail_msg("%s", bench_messages(&b));
    strbuf printed = strbuf_in(b.memory);
    type_print(&graph_find_value(b.g, "a")->type, &printed);
    assert_string_equal(printed.text, type);
    bench_free(&b);
}

static void op_infers_types(void **state) {
    (void)state;
    expect_type("%a: ?[*] = Add-13(%s, %big)", "f32[batch,3,4]");
    expect_type("%a: ?[*] = Add-13(%one, %big)", "f32[batch,3,4]");
    expect_type("%a: ?[*] = Add-13(%v, %w)", "f32[n]");
    expect_type("%a: ?[*] = Add-13(%v, %one)", "f32[1,4]");
    expect_type("%a: ?[*] = Add-13(%one, %v)", "f32[1,4]");
    expect_type("%a: ?[*] = Add-13(%r, %v)", "f32[*]");
    expect_type("%a: ?[*] = Add-13(%u, %v)", "?[*]");
    expect_type("%a: ?[*] = Less-13(%v, %s)", "bool[n]");
    expect_type("%a: ?[*] = Bound-13(%v, _, %big)", "f32[batch,3,4]");
    expect_type("%a: ?[*] = Join-13(%v, %w, %v) {axis=-1}", "f32[m+2*n]");
    expect_type("%a: ?[*] = Reshape-13(%v, %shape)", "f32[6,2]");
    /* Declared integers fill in what is not known. */
    expect_type("%a: f32[7] = Relu-13(%v)", "f32[7]");
    expect_type("%a: f32[other] = Relu-13(%v)", "f32[n]");
    expect_type("%a: f32[2,q] = Add-13(%r, %v)", "f32[2,q]");
    expect_type("%a: ?[batch,2,4] = Reshape-13(%u, %shape)", "?[batch,2,4]");
}

static void op_declared_and_inferred_must_agree(void **state) {
    (void)state;
    expect_inference(HEAD "%a: f32[batch,5] = Relu-13(%x)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Relu-13): error[shape-mismatch]: output 'a' is declared f32[batch,5], but "
                     "its inputs make it "
                     "f32[batch,4]\n");
    expect_inference(HEAD "%a: f32[batch] = Relu-13(%x)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Relu-13): error[shape-mismatch]: output 'a' is declared f32[batch], but its "
                     "inputs make it "
                     "f32[batch,4]\n");
    expect_inference(HEAD "%a: f64[*] = Relu-13(%x)\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Relu-13): error[type-mismatch]: output 'a' is declared f64, but is f32\n");
}

static void op_impossible_outputs(void **state) {
    (void)state;
    expect_inference(HEAD "%a: ?[*] = Join-13(%x) {axis=2}\n}", STATUS_INVALID,
                     "test.onnx: main/'a' (Join-13): error[bad-axis]: axis 2 is out of range for rank 2\n");
    expect_inference(
        HEAD "const %s: i64[2] = [4, -3]\n%a: ?[*] = Reshape-13(%x, %s)\n}", STATUS_INVALID,
        "test.onnx: main/'a' (Reshape-13): error[shape-mismatch]: dimension 1 of output 'a' would be -3\n");
    expect_inference(
        HEAD "const %s: i64[3] = [4000000000, 4000000000, 4000000000]\n%a: ?[*] = Reshape-13(%x, %s)\n}",
        STATUS_INVALID,
        "test.onnx: main/'a' (Reshape-13): error[too-large]: output 'a' would have more than 2^48 elements\n");
    expect_inference("graph \"main\"(%x: f32[9223372036854775807*n]) {\n%a: ?[*] = Join-13(%x, %x) {axis=0}\n}",
                     STATUS_INVALID,
                     "test.onnx: main/'a' (Join-13): error[shape-mismatch]: dimension 0 of output 'a' cannot be "
                     "computed: too large\n");
    expect_inference(
        HEAD
        "const %s: i64[17] = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n%a: ?[*] = Reshape-13(%x, %s)\n}",
        STATUS_UNSUPPORTED,
        "test.onnx: main/'a' (Reshape-13): error[unsupported-rank]: output 'a' would have rank 17, above 16\n");
}

static void op_inputs_of_high_rank(void **state) {
    (void)state;
    bench b = bench_new();
    dim dims[20];
    for (int i = 0; i < 20; i++)
        dims[i] = DIM(1);
    value *x = graph_add_input(b.g, "x", &(tensor_type){DT_F32, 20, dims});
    assert_null(graph_build(b.g, NULL, "Relu", &x, 1, NULL, 0, 1));
    assert_non_null(strstr(bench_messages(&b), "error[unsupported-rank]: input 'x' has rank 20, above 16\n"));
    assert_int_equal(b.g->n_nodes, 0);
    bench_free(&b);
}

static void op_builds_of_unknown_operators_fail(void **state) {
    (void)state;
    bench b = bench_new();
    assert_null(graph_build(b.g, NULL, "Nothing", NULL, 0, NULL, 0, 1));
    assert_int_equal(diag_errors(b.messages), 1);
    assert_null(b.g->values);
    bench_free(&b);
}

static void op_broadcasts_dimensions(void **state) {
    (void)state;
    bench b = bench_parse(HEAD "%a: ?[*] = Add-13(%x, %y)\n}");
    node *n = b.g->first;
    dim s = dim_symbol(b.g->memory, "s"), t = dim_symbol(b.g->memory, "t"), out;
    const struct {
        dim x, y, expected;
    } cases[] = {{DIM(1), s, s}, {s, DIM(1), s}, {s, DIM(3), DIM(3)},      {DIM(3), s, DIM(3)},
                 {s, t, s},      {s, s, s},      {DIM(0), DIM(1), DIM(0)}, {DIM(5), DIM(5), DIM(5)}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(op_broadcast_dim(n, cases[i].x, cases[i].y, &out), STATUS_OK);
        assert_true(dim_equal(out, cases[i].expected));
    }
    assert_int_equal(op_broadcast_dim(n, DIM(2), DIM(3), &out), STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main/'a' (Add-13): error[shape-mismatch]: dimensions 2 and 3 cannot be broadcast\n");
    bench_free(&b);
}

/* ---- binding ---- */

static map bindings_of(arena *a, const char *name, int64_t x, const char *other, int64_t y) {
    map m = map_in(a);
    assert_int_equal(map_set(&m, name, arena_copy(a, &x, sizeof x)), STATUS_OK);
    if (other != NULL)
        assert_int_equal(map_set(&m, other, arena_copy(a, &y, sizeof y)), STATUS_OK);
    return m;
}

static const char SYMBOLIC[] = "graph \"main\"(%x: f32[batch,seq], %y: f32[1,seq+1], %k: f32[last]) {\n"
                               "  %j: f32[batch,2*seq] = Join-13(%x, %x) {axis=1}\n"
                               "  %a: f32[batch,seq] = Add-13(%x, %k)\n"
                               "  %h: f32[rows,seq] = Hidden-1(%x)\n"
                               "  return %j as \"j\", %a as \"a\", %h as \"h\"\n"
                               "}\n";

static void graph_lists_symbols(void **state) {
    (void)state;
    bench b = bench_parse(SYMBOLIC);
    map names = map_in(b.memory);
    assert_int_equal(graph_symbols(b.g, &names), STATUS_OK);
    assert_int_equal(names.n, 3);
    assert_string_equal(names.entries[0].name, "batch");
    assert_string_equal(names.entries[1].value, "seq");
    assert_string_equal(names.entries[2].value, "last");
    bench_free(&b);
}

static void graph_binds_symbols(void **state) {
    (void)state;
    bench b = bench_parse(SYMBOLIC);
    map first = bindings_of(b.memory, "seq", 8, "rows", 3), second = bindings_of(b.memory, "batch", 2, "last", 1);
    assert_int_equal(graph_bind(b.g, &first), STATUS_UNSUPPORTED);
    diag_clear(b.messages);
    assert_int_equal(graph_bind(b.g, &second), STATUS_UNSUPPORTED);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main/'h' (Hidden-1): error[unsupported-operator]: operator 'Hidden' of domain "
                        "'ai.onnx' is not supported\n");
    /* h has a type that only its declaration tells. */
    assert_string_equal(graph_text(b.g, b.memory), "graph \"main\"(%x: f32[2,8], %y: f32[1,9], %k: f32[1]) {\n"
                                                   "  %j: f32[2,16] = Join-13(%x, %x) {axis=1}\n"
                                                   "  %a: f32[2,8] = Add-13(%x, %k)\n"
                                                   "  %h: f32[3,8] = Hidden-1(%x)\n"
                                                   "  return %j as \"j\", %a as \"a\", %h as \"h\"\n"
                                                   "}\n");
    bench_free(&b);
}

/* Before binding, f32[n] + f32[m] was taken for f32[n]; the guess must not outlive what is known. */
static void graph_binding_forgets_guesses(void **state) {
    (void)state;
    static const char text[] =
        "graph \"main\"(%v: f32[n], %w: f32[m]) {\n  %a: f32[n] = Add-13(%v, %w)\n  return %a as \"a\"\n}\n";
    bench b = bench_parse(text);
    map m = bindings_of(b.memory, "n", 1, "m", 5);
    assert_int_equal(graph_bind(b.g, &m), STATUS_OK);
    assert_int_equal(graph_find_value(b.g, "a")->type.dims[0].n, 5);
    bench_free(&b);
    b = bench_parse(text);
    m = bindings_of(b.memory, "n", 2, "m", 5);
    assert_int_equal(graph_bind(b.g, &m), STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main/'a' (Add-13): error[shape-mismatch]: inputs 'v' f32[2] and 'w' f32[5] cannot be broadcast\n");
    bench_free(&b);
}

static void graph_binding_leaves_unknown_ranks(void **state) {
    (void)state;
    bench b = bench_parse("graph \"main\"(%x: f32[n], %s: i64[2]) {\n  %a: f32[*] = Reshape-13(%x, %s)\n}\n");
    map m = bindings_of(b.memory, "n", 6, NULL, 0);
    assert_int_equal(graph_bind(b.g, &m), STATUS_OK);
    assert_int_equal(graph_find_value(b.g, "a")->type.elem, DT_F32);
    assert_int_equal(graph_find_value(b.g, "a")->type.rank, -1);
    bench_free(&b);
}

static void graph_refuses_bad_bindings(void **state) {
    (void)state;
    bench b = bench_parse("graph \"main\"(%x: f32[n-4]) {\n}");
    map m = bindings_of(b.memory, "n", -1, "k", INT64_C(1) << 40);
    assert_int_equal(graph_bind(b.g, &m), STATUS_INVALID);
    m = bindings_of(b.memory, "n", 3, NULL, 0);
    assert_int_equal(graph_bind(b.g, &m), STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main: error[bad-dimension]: dimension 'n' cannot be -1: expected 0 to 2147483647\n"
        "test.onnx: main: error[bad-dimension]: dimension 'k' cannot be 1099511627776: expected 0 to 2147483647\n"
        "test.onnx: main: error[bad-dimension]: dimension 0 of 'x' has no size with these bindings\n");
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(op_find_finds_each_row),
        cmocka_unit_test(op_wrong_arity),
        cmocka_unit_test(op_wrong_attributes),
        cmocka_unit_test(op_wrong_types),
        cmocka_unit_test(op_unsupported_are_all_reported),
        cmocka_unit_test(op_infers_types),
        cmocka_unit_test(op_declared_and_inferred_must_agree),
        cmocka_unit_test(op_impossible_outputs),
        cmocka_unit_test(op_inputs_of_high_rank),
        cmocka_unit_test(op_builds_of_unknown_operators_fail),
        cmocka_unit_test(op_broadcasts_dimensions),
        cmocka_unit_test(graph_lists_symbols),
        cmocka_unit_test(graph_binds_symbols),
        cmocka_unit_test(graph_binding_forgets_guesses),
        cmocka_unit_test(graph_binding_leaves_unknown_ranks),
        cmocka_unit_test(graph_refuses_bad_bindings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
