/* rooms: ir base */
/* The tensor graph: edits, what they refuse and how they say so, order, copies, and 10,000 random edits under the
 * verifier. */
#include "ir_support.h"

static const char DIAMOND[] = "graph \"main\"(%x: f32[batch,4]) {\n"
                              "  opset \"\" 17\n"
                              "  const %c: f32[4] = [1, 2, 3, 4]\n"
                              "  %y: f32[batch,4] = Relu-13(%x) name \"relu\" source 0\n"
                              "  %a: f32[batch,4] = Add-13(%y, %c) name \"a\" source 1\n"
                              "  %b: f32[batch,4] = Mul-13(%a, %y) name \"b\" source 2\n"
                              "  return %b as \"out\"\n"
                              "}\n";

static void graph_erase_names_the_users(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    node *relu = find_node(b.g, "relu");
    assert_int_equal(graph_erase_node(b.g, relu), STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main/node 0 'relu' (Relu-13): error[value-has-users]: node 'relu' (Relu) cannot be erased: "
        "its output 'y' is still used by 2 nodes: 'a' (Add) input 0, 'b' (Mul) input 1; "
        "replace_all_uses_with first moves them\n");
    assert_false(relu->erased);
    diag_clear(b.messages);
    assert_int_equal(graph_erase_node(b.g, find_node(b.g, "b")), STATUS_INVALID);
    assert_non_null(strstr(bench_messages(&b), "its output 'b' is still used by 1 graph output: graph output 'out';"));
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_long_lists_of_users_are_cut(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *y = graph_find_value(b.g, "y");
    for (int i = 0; i < 30; i++)
        assert_non_null(graph_build(b.g, NULL, "Relu", &y, 1, NULL, 0, 1));
    assert_int_equal(graph_erase_node(b.g, find_node(b.g, "relu")), STATUS_INVALID);
    assert_non_null(strstr(bench_messages(&b), "is still used by 32 nodes: "));
    assert_non_null(strstr(bench_messages(&b), " and 24 more; "));
    bench_free(&b);
}

static void graph_replaces_then_erases(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *x = graph_find_value(b.g, "x"), *y = graph_find_value(b.g, "y");
    assert_int_equal(y->n_uses, 2);
    assert_int_equal(graph_replace_all_uses(b.g, y, x), STATUS_OK);
    assert_int_equal(y->n_uses, 0);
    assert_int_equal(x->n_uses, 3);
    node *relu = find_node(b.g, "relu");
    assert_int_equal(graph_erase_node(b.g, relu), STATUS_OK);
    assert_true(relu->erased);
    assert_null(graph_find_value(b.g, "y"));
    assert_graph_is_whole(&b);
    assert_int_equal(graph_replace_all_uses(b.g, graph_find_value(b.g, "b"), x), STATUS_OK);
    assert_ptr_equal(b.g->outputs.at[0]->v, x);
    assert_graph_is_whole(&b);
    assert_string_equal(bench_messages(&b), "");
    bench_free(&b);
}

static void graph_replacement_must_be_defined_before_its_users(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *y = graph_find_value(b.g, "y"), *a = graph_find_value(b.g, "a");
    assert_int_equal(graph_replace_all_uses(b.g, y, a), STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main/node 1 'a' (Add-13): error[use-before-definition]: 'a' cannot replace "
                        "'y' in node 'a' (Add) input: it is defined later, by 'a' (Add)\n");
    assert_int_equal(y->n_uses, 2);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_moves_keep_the_order(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    node *relu = find_node(b.g, "relu"), *a = find_node(b.g, "a"), *last = find_node(b.g, "b");
    assert_int_equal(graph_move_before(b.g, a, relu), STATUS_INVALID);
    assert_int_equal(graph_move_before(b.g, a, NULL), STATUS_INVALID);
    assert_int_equal(graph_move_before(b.g, relu, last), STATUS_INVALID);
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main/node 1 'a' (Add-13): error[use-before-definition]: node 'a' (Add) cannot be moved: it would "
        "come before its input's definition 'relu' (Relu)\n"
        "test.onnx: main/node 1 'a' (Add-13): error[use-before-definition]: node 'a' (Add) cannot be moved: it would "
        "come after its user 'b' (Mul)\n"
        "test.onnx: main/node 0 'relu' (Relu-13): error[use-before-definition]: node 'relu' (Relu) cannot be moved: "
        "it would come after its user 'a' (Add)\n");
    value *x = graph_find_value(b.g, "x");
    node *n = graph_build(b.g, NULL, "Relu", &x, 1, NULL, 0, 1);
    assert_int_equal(node_index(n), 3);
    assert_int_equal(graph_move_before(b.g, n, relu), STATUS_OK);
    assert_int_equal(node_index(n), 0);
    assert_true(node_is_before(n, relu));
    assert_int_equal(graph_move_before(b.g, n, n), STATUS_OK);
    assert_int_equal(graph_move_before(b.g, n, NULL), STATUS_OK);
    assert_true(node_is_before(last, n));
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_order_labels_never_run_out(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *x = graph_find_value(b.g, "x");
    node *before = find_node(b.g, "a");
    for (int i = 0; i < 500; i++) {
        node *n = graph_build(b.g, before, "Relu", &x, 1, NULL, 0, 1);
        assert_non_null(n);
        before = i % 3 == 0 ? before : n;
    }
    assert_graph_is_whole(&b);
    bench_free(&b);
}

/* n0 to n4, which all add x to itself. */
static void add_five(bench *b, node **out) {
    value *x = graph_add_input(b->g, "x", &(tensor_type){DT_F32, 0, NULL});
    static const char *const names[] = {"n0", "n1", "n2", "n3", "n4"};
    for (int i = 0; i < 5; i++)
        out[i] = graph_add_node(b->g, NULL, "", "Add", 13, names[i], (value *[]){x, x}, 2, &names[i], 1);
}

static void graph_sorts_stably(void **state) {
    (void)state;
    bench b = bench_new();
    node *n[5];
    add_five(&b, n);
    /* n1 needs n3, n0 needs n4; n2 is free. */
    assert_int_equal(node_set_input(n[1], 0, n[3]->outputs[0]), STATUS_OK);
    assert_int_equal(node_set_input(n[0], 1, n[4]->outputs[0]), STATUS_OK);
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main/'n0' (Add-13): error[use-before-definition]: node 'n0' (Add) uses 'n4' "
                        "before its definition by 'n4' (Add)\n");
    assert_int_equal(graph_sort(b.g, b.g->first, b.g->last), STATUS_OK);
    static const int expected[] = {4, 0, 3, 1, 2};
    for (int i = 0; i < 5; i++)
        assert_int_equal(node_index(n[expected[i]]), i);
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

/* Only n1 to n3; what lies around them stays, and whatever it needs of them is no concern of theirs. */
static void graph_sorts_a_part(void **state) {
    (void)state;
    bench b = bench_new();
    node *n[5];
    add_five(&b, n);
    assert_int_equal(node_set_input(n[1], 0, n[3]->outputs[0]), STATUS_OK);
    assert_int_equal(node_set_input(n[1], 1, n[0]->outputs[0]), STATUS_OK);
    assert_int_equal(node_set_input(n[4], 0, n[1]->outputs[0]), STATUS_OK);
    assert_int_equal(graph_sort(b.g, n[1], n[3]), STATUS_OK);
    static const int expected[] = {0, 3, 1, 2, 4};
    for (int i = 0; i < 5; i++)
        assert_int_equal(node_index(n[expected[i]]), i);
    for (int i = 1; i < 5; i++)
        assert_true(node_is_before(n[expected[i - 1]], n[expected[i]]));
    assert_int_equal(graph_sort(b.g, n[0], n[0]), STATUS_OK);
    assert_int_equal(graph_sort(b.g, NULL, NULL), STATUS_OK);
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_sort_names_the_cycle(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    node *relu = find_node(b.g, "relu");
    assert_int_equal(node_set_input(relu, 0, graph_find_value(b.g, "b")), STATUS_OK);
    assert_int_equal(graph_sort(b.g, b.g->first, b.g->last), STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main/node 0 'relu' (Relu-13): error[cycle]: the graph has a cycle: 'a' (Add) -> "
                        "'b' (Mul) -> 'relu' (Relu) -> 'a' (Add)\n");
    diag_clear(b.messages);
    assert_int_equal(node_set_input(relu, 0, graph_find_value(b.g, "y")), STATUS_OK);
    assert_int_equal(graph_sort(b.g, b.g->first, b.g->last), STATUS_INVALID);
    assert_non_null(strstr(bench_messages(&b), "a cycle: 'relu' (Relu) -> 'relu' (Relu)\n"));
    bench_free(&b);
}

static void graph_sorts_long_chains(void **state) {
    (void)state;
    bench b = bench_new();
    enum { LONG = 200000 };
    value *x = graph_add_input(b.g, "x", &(tensor_type){DT_F32, 0, NULL});
    node *later = NULL;
    for (int i = 0; i < LONG; i++) {
        node *n = graph_add_node(b.g, NULL, "", "Relu", 13, "", (value *[]){x}, 1, NULL, 1);
        if (later != NULL)
            assert_int_equal(node_set_input(later, 0, n->outputs[0]), STATUS_OK);
        later = n;
    }
    assert_int_equal(graph_sort(b.g, b.g->first, b.g->last), STATUS_OK);
    assert_ptr_equal(b.g->first, later);
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_makes_names_unique(void **state) {
    (void)state;
    bench b = bench_new();
    tensor_type scalar = {DT_F32, 0, NULL};
    assert_string_equal(graph_add_input(b.g, "x", &scalar)->name, "x");
    assert_string_equal(graph_add_input(b.g, "x", &scalar)->name, "x_1");
    value *third = graph_add_input(b.g, "x", &scalar);
    assert_string_equal(third->name, "x_2");
    value *fresh = graph_add_input(b.g, NULL, &scalar);
    assert_ptr_equal(graph_find_value(b.g, fresh->name), fresh);
    assert_int_equal(graph_set_name(b.g, third, "x_1"), STATUS_OK);
    assert_string_equal(third->name, "x_1_1");
    assert_null(graph_find_value(b.g, "x_2"));
    assert_int_equal(graph_set_name(b.g, third, "x_1_1"), STATUS_OK);
    assert_int_equal(graph_remove_value(b.g, third), STATUS_OK);
    assert_null(graph_find_value(b.g, "x_1_1"));
    assert_int_equal(b.g->inputs.n, 3);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_input_with_users_stays(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *x = graph_find_value(b.g, "x");
    assert_int_equal(graph_remove_value(b.g, x), STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main: error[value-has-users]: input 'x' cannot be removed: it is still used by 1 "
                        "node: 'relu' (Relu) input 0; replace_all_uses_with first moves them\n");
    assert_int_equal(b.g->inputs.n, 1);
    bench_free(&b);
}

static void graph_values_become_constants(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *y = graph_find_value(b.g, "y"), *x = graph_find_value(b.g, "x");
    node *relu = y->def;
    tensor *t = tensor_new(b.g->memory, DT_F32, 2, (int64_t[]){1, 4}, NULL);
    assert_int_equal(graph_make_constant(b.g, y, t), STATUS_OK);
    assert_true(value_is_constant(y));
    assert_null(y->def);
    assert_int_equal(y->n_uses, 2);
    assert_ptr_not_equal(relu->outputs[0], y);
    assert_int_equal(graph_erase_node(b.g, relu), STATUS_OK);
    assert_int_equal(graph_make_constant(b.g, x, t), STATUS_OK);
    assert_int_equal(b.g->inputs.n, 0);
    assert_false(x->is_input);
    b.g->first->outputs[0]->type = (tensor_type){DT_NONE, -1, NULL};
    assert_int_equal(graph_infer(b.g), STATUS_OK);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void graph_outputs_move_up(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *a = graph_find_value(b.g, "a"), *x = graph_find_value(b.g, "x");
    assert_int_equal(graph_add_output(b.g, a, "second"), STATUS_OK);
    assert_int_equal(graph_add_output(b.g, a, "third"), STATUS_OK);
    assert_int_equal(graph_set_output(b.g, 1, x), STATUS_OK);
    assert_int_equal(graph_remove_output(b.g, 0), STATUS_OK);
    assert_int_equal(b.g->outputs.n, 2);
    assert_ptr_equal(b.g->outputs.at[0]->v, x);
    assert_string_equal(b.g->output_names.at[1], "third");
    assert_int_equal(b.g->outputs.at[1]->index, 1);
    assert_int_equal(graph_find_value(b.g, "b")->n_uses, 0);
    assert_graph_is_whole(&b);
    bench_free(&b);
}

static void node_inputs_grow(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *x = graph_find_value(b.g, "x"), *y = graph_find_value(b.g, "y");
    node *n = graph_add_node(b.g, NULL, "", "Bound", 13, "bound", (value *[]){y, y}, 2, NULL, 1);
    assert_int_equal(node_set_input(n, 5, x), STATUS_OK);
    assert_int_equal(n->n_inputs, 6);
    assert_null(node_input(n, 4));
    assert_null(node_input(n, 99));
    assert_ptr_equal(node_input(n, 5), x);
    assert_int_equal(node_set_input(n, 0, NULL), STATUS_OK);
    assert_int_equal(node_set_input(n, 0, y), STATUS_OK);
    int seen = 0;
    for (const use *u = y->uses; u != NULL; u = u->next)
        seen += u->user == n;
    assert_int_equal(seen, 2);
    assert_int_equal(y->n_uses, 4);
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    assert_string_equal(bench_messages(&b),
                        "test.onnx: main/'bound' (Bound-13): error[wrong-arity]: 6 inputs, expected 1 to 3\n");
    bench_free(&b);
}

static void node_attributes_replace_and_go(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    node *n = find_node(b.g, "relu");
    assert_null(node_attr(n, "alpha"));
    assert_true(op_float(n, "alpha") == 0.25);
    assert_string_equal(op_string(n, "mode"), "plain");
    for (int i = 0; i < 20; i++) {
        char name[8] = {'k', (char)('a' + i), '\0'};
        int64_t list[] = {i, -i};
        assert_int_equal(node_set_attr(n, &(attr){.name = name, .kind = ATTR_INTS, .ints = list, .n = 2}), STATUS_OK);
    }
    int64_t count;
    assert_int_equal(op_ints(n, "kt", &count)[1], -19);
    assert_int_equal(count, 2);
    assert_int_equal(node_set_attr(n, &(attr){.name = "kc", .kind = ATTR_FLOAT, .f = 2}), STATUS_OK);
    node_remove_attr(n, "kb");
    node_remove_attr(n, "nothing");
    assert_int_equal(n->n_attrs, 19);
    assert_true(op_float(n, "kc") == 2);
    assert_false(op_has(n, "kb"));
    assert_null(op_ints(n, "kb", &count));
    assert_int_equal(count, 0);
    bench_free(&b);
}

static void release_to_count(tensor *t) {
    ++*(int *)t->owner;
}

static void graph_copies_share_held_constants(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    int released = 0;
    float data[4] = {1, 2, 3, 4};
    int64_t dims[1] = {4};
    tensor t = {.elem = DT_F32,
                .rank = 1,
                .dims = dims,
                .data = data,
                .bytes = 16,
                .count = 4,
                .release = release_to_count,
                .owner = &released};
    value *held = graph_add_constant(b.g, "held", &t);
    assert_ptr_equal(held->constant, &t);
    assert_int_equal(node_note(find_node(b.g, "a"), "origin", "by hand"), STATUS_OK);
    const char *before = graph_text(b.g, b.memory);
    graph *copy = graph_copy(b.g);
    assert_non_null(copy);
    assert_ptr_equal(graph_find_value(copy, "held")->constant, &t);
    assert_ptr_not_equal(graph_find_value(copy, "c")->constant, graph_find_value(b.g, "c")->constant);
    graph_free(b.g);
    assert_int_equal(released, 0);
    b.g = copy;
    assert_string_equal(graph_text(copy, b.memory), before);
    assert_graph_is_whole(&b);
    bench_free(&b);
    assert_int_equal(released, 1);
}

static void graph_verifier_finds_what_is_broken(void **state) {
    (void)state;
    bench b = bench_parse(DIAMOND);
    value *y = graph_find_value(b.g, "y"), *bv = graph_find_value(b.g, "b");
    y->n_uses++;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    y->n_uses--;
    y->is_input = true;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    y->is_input = false;
    y->def_index = 1;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    y->def_index = 0;
    b.g->n_nodes++;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    b.g->n_nodes--;
    tensor_type kept = bv->type, wrong = {DT_F64, kept.rank, kept.dims}, none = {DT_NONE, -1, NULL};
    bv->type = wrong;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    bv->type = none;
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    bv->type = kept;
    assert_string_equal(
        bench_messages(&b),
        "test.onnx: main: error[broken-graph]: wrong count of uses of value 'y'\n"
        "test.onnx: main: error[broken-graph]: two definitions of value 'y'\n"
        "test.onnx: main: error[broken-graph]: wrong definition of value 'y'\n"
        "test.onnx: main: error[broken-graph]: broken list of nodes in graph 'main'\n"
        "test.onnx: main/node 2 'b' (Mul-13): error[type-mismatch]: output 'b' is declared f64, but is f32\n"
        "test.onnx: main/node 2 'b' (Mul-13): error[missing-type]: output 'b' has no type: infer it after an edit\n");
    diag_clear(b.messages);
    /* A value of another graph. */
    bench other = bench_parse(DIAMOND);
    assert_int_equal(node_set_input(find_node(b.g, "b"), 1, graph_find_value(other.g, "x")), STATUS_OK);
    assert_int_equal(graph_verify(b.g), STATUS_INVALID);
    assert_non_null(strstr(bench_messages(&b), "an input that is not in the graph"));
    assert_int_equal(node_set_input(find_node(b.g, "b"), 1, graph_find_value(b.g, "x")), STATUS_OK);
    diag_clear(b.messages);
    assert_graph_is_whole(&b);
    bench_free(&other);
    bench_free(&b);
}

/* ---- random edits ---- */

static value *random_value(const graph *g, uint64_t *seed) {
    int at = random_below(seed, 12);
    value *v = g->last_value;
    while (at-- > 0 && v->prev != NULL)
        v = v->prev;
    return v;
}

static node *random_node(const graph *g, uint64_t *seed) {
    int at = g->n_nodes == 0 ? 0 : random_below(seed, g->n_nodes);
    node *n = g->first;
    while (at-- > 0)
        n = n->next;
    return n;
}

static void edit_add(graph *g, uint64_t *seed) {
    static const char *const ops[] = {"Add", "Mul", "Relu", "Copy"};
    node *before = random_below(seed, 3) == 0 ? random_node(g, seed) : NULL;
    value *inputs[2] = {random_value(g, seed), random_value(g, seed)};
    for (int i = 0; i < 2; i++)
        while (inputs[i]->def != NULL && before != NULL && !node_is_before(inputs[i]->def, before))
            inputs[i] = inputs[i]->prev;
    int op = random_below(seed, 4);
    assert_non_null(graph_build(g, before, ops[op], inputs, op == 2 ? 1 : 2, NULL, 0, op == 3 ? 3 : 1));
}

static void edit_once(bench *b, uint64_t *seed) {
    graph *g = b->g;
    node *n = random_node(g, seed);
    value *v = random_value(g, seed);
    dim d = DIM(4);
    int choice = random_below(seed, 12);
    if (choice <= 3 && g->n_nodes < 25) {
        edit_add(g, seed);
    } else if (choice <= 5 && n != NULL) {
        bool used = false;
        for (int i = 0; i < n->n_outputs; i++)
            used |= n->outputs[i]->n_uses > 0;
        assert_int_equal(graph_erase_node(g, n) != STATUS_OK, used);
    } else if (choice <= 7) {
        graph_replace_all_uses(g, v, random_value(g, seed));
    } else if (choice == 8 && n != NULL) {
        graph_move_before(g, n, random_node(g, seed));
    } else if (choice == 9) {
        assert_int_equal(graph_make_constant(g, v, tensor_new(g->memory, DT_F32, 1, (int64_t[]){4}, NULL)), STATUS_OK);
    } else if (choice == 10) {
        char name[16];
        snprintf(name, sizeof name, "o%u", (unsigned)next_random(seed));
        assert_int_equal(graph_add_output(g, v, name), STATUS_OK);
        if (g->outputs.n > 3)
            assert_int_equal(graph_remove_output(g, random_below(seed, 4)), STATUS_OK);
    } else if (choice == 11 && g->inputs.n < 5) {
        assert_non_null(graph_add_input(g, "in", &(tensor_type){DT_F32, 1, &d}));
    } else if (g->inputs.n > 0) {
        value *in = g->inputs.at[random_below(seed, (int)g->inputs.n)];
        assert_int_equal(graph_remove_value(g, in) != STATUS_OK, in->n_uses > 0);
    }
}

static void graph_survives_random_edits(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 100; round++) {
        bench b = bench_new();
        dim d = DIM(4);
        assert_non_null(graph_add_input(b.g, "x", &(tensor_type){DT_F32, 1, &d}));
        for (int i = 0; i < 100; i++) {
            /* Something to choose from must be left. */
            if (b.g->values == NULL)
                assert_non_null(graph_add_input(b.g, "x", &(tensor_type){DT_F32, 1, &d}));
            edit_once(&b, &seed);
            diag_clear(b.messages);
            assert_graph_is_whole(&b);
        }
        const char *text = graph_text(b.g, b.memory);
        graph *copy = graph_copy(b.g), *again = parse_text(&b, text);
        assert_string_equal(graph_text(copy, b.memory), text);
        assert_string_equal(graph_text(again, b.memory), text);
        graph_free(copy);
        graph_free(again);
        bench_free(&b);
    }
}

/* ---- want of memory ---- */

static status edit_all(graph *g) {
    dim d = dim_mul(g->memory, dim_symbol(g->memory, "n"), DIM(2));
    TRY(dim_status(d));
    value *x = graph_add_input(g, "x", &(tensor_type){DT_F32, 1, &d});
    TRY_ALLOC(x);
    tensor *t = tensor_new(g->memory, DT_F32, 1, (int64_t[]){1}, NULL);
    TRY_ALLOC(t);
    value *c = graph_add_constant(g, "x", t);
    TRY_ALLOC(c);
    node *relu = graph_build(g, NULL, "Relu", &x, 1,
                             &(attr){.name = "mode", .kind = ATTR_STRING, .s = "hot", .s_bytes = 3}, 1, 1);
    TRY_ALLOC(relu);
    node *add = graph_build(g, NULL, "Add", (value *[]){relu->outputs[0], c}, 2, NULL, 0, 1);
    TRY_ALLOC(add);
    node *copy = graph_build(g, relu, "Copy", &x, 1, NULL, 0, 3);
    TRY_ALLOC(copy);
    TRY(graph_add_output(g, add->outputs[0], "out"));
    TRY(node_note(add, "why", "because"));
    TRY(graph_replace_all_uses(g, relu->outputs[0], copy->outputs[1]));
    TRY(graph_erase_node(g, relu));
    TRY(graph_make_constant(g, copy->outputs[2], t));
    TRY(node_set_input(copy, 1, x));
    TRY(graph_set_name(g, x, "renamed"));
    TRY(graph_infer(g));
    TRY(graph_sort(g, g->first, g->last));
    return graph_verify(g);
}

static status copy_and_check(const bench *b) {
    graph *copy = graph_copy(b->g);
    TRY_ALLOC(copy);
    status s = graph_verify(copy);
    if (s == STATUS_OK)
        assert_string_equal(graph_text(copy, b->memory), graph_text(b->g, b->memory));
    graph_free(copy);
    return s;
}

/* Whatever failed, the graph is whole: refused diagnostics aside, the verifier finds nothing but untyped values. */
static status edit_under_pressure(const allocator *from, void *ctx) {
    const size_t *pad = ctx;
    bench b = {arena_new(&allocator_system), diag_new(&allocator_system), NULL};
    b.g = graph_new(from, b.messages, &ir_table, "main", "test.onnx");
    status s = b.g == NULL || arena_alloc(b.g->memory, *pad) == NULL ? STATUS_RESOURCE : edit_all(b.g);
    if (s == STATUS_OK)
        s = copy_and_check(&b);
    else if (b.g != NULL)
        assert_true(graph_verify(b.g) != STATUS_INVALID);
    graph_free(b.g);
    diag_free(b.messages);
    arena_free(b.memory);
    return s;
}

static void graph_survives_want_of_memory(void **state) {
    (void)state;
    for (size_t pad = 16; pad < 8192; pad += 48)
        test_each_allocation(edit_under_pressure, &pad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graph_erase_names_the_users),
        cmocka_unit_test(graph_long_lists_of_users_are_cut),
        cmocka_unit_test(graph_replaces_then_erases),
        cmocka_unit_test(graph_replacement_must_be_defined_before_its_users),
        cmocka_unit_test(graph_moves_keep_the_order),
        cmocka_unit_test(graph_order_labels_never_run_out),
        cmocka_unit_test(graph_sorts_stably),
        cmocka_unit_test(graph_sorts_a_part),
        cmocka_unit_test(graph_sort_names_the_cycle),
        cmocka_unit_test(graph_sorts_long_chains),
        cmocka_unit_test(graph_makes_names_unique),
        cmocka_unit_test(graph_input_with_users_stays),
        cmocka_unit_test(graph_values_become_constants),
        cmocka_unit_test(graph_outputs_move_up),
        cmocka_unit_test(node_inputs_grow),
        cmocka_unit_test(node_attributes_replace_and_go),
        cmocka_unit_test(graph_copies_share_held_constants),
        cmocka_unit_test(graph_verifier_finds_what_is_broken),
        cmocka_unit_test(graph_survives_random_edits),
        cmocka_unit_test(graph_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
