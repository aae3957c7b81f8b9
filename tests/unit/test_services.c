/* rooms: plugin passes ops */
/* What plugins edit graphs with: patterns and what they bind, edits that keep types right, refusals and their words,
 * extraction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ops/ops.h"
#include "plugin/services.h"

#define GRAPH(g) ((tenon_graph *)(g))

static const char TEXT[] = "graph \"main\"(%x: f32[2,3], %y: f32[2,3]) {\n"
                           "  opset \"\" 28\n"
                           "  const %half: f32[] = [0.5]\n"
                           "  const %halves: f32[3] = [0.5, 0.5, 0.5]\n"
                           "  const %mixed: f32[3] = [0.5, 0.5, 0.75]\n"
                           "  const %six: f32[] = [6]\n"
                           "  %a: f32[2,3] = Relu-14(%x) name \"a\"\n"
                           "  %b: f32[2,3] = Sigmoid-13(%a) name \"b\"\n"
                           "  %c: f32[2,3] = Mul-14(%b, %a) name \"c\"\n"
                           "  %d: f32[2,3] = Add-14(%halves, %c) name \"d\"\n"
                           "  %e: f32[2,3] = Mul-14(%b, %y) name \"e\"\n"
                           "  %f: f32[2,3] = Sub-14(%e, %half) name \"f\"\n"
                           "  %g: f32[2,3] = Clip-13(%f, _, %six) name \"g\"\n"
                           "  %h: f32[2,3] = Add-14(%g, %mixed) name \"h\"\n"
                           "  %i: f32[3,2] = Transpose-25(%h) {perm=[1, 0]} name \"i\"\n"
                           "  %j: f32[3,2] = Exp-13(%i) name \"j\"\n"
                           "  return %d as \"d\", %c as \"c\", %j as \"j\"\n"
                           "}\n";

/* ---- a pass at work on the graph ---- */

static int no_run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)host, (void)state, (void)g;
    return TENON_OK;
}
static const tenon_pass pass = {
    .struct_size = sizeof pass, .name = "probe", .help = "", .stage = "edit", .run = no_run};

typedef struct work {
    arena *a;
    diag *d;
    graph *g;
    pass_entry entry;
    pass_host h;
    const tenon_plugin_host *host;
} work;

static void begin(work *w) {
    *w = (work){.a = arena_new(&allocator_system),
                .d = diag_new(&allocator_system),
                .entry = {.pass = &pass, .plugin = "probe", .file = "probe.so"}};
    assert_int_equal(
        graph_parse(TEXT, sizeof TEXT - 1, "t.onnx", &allocator_system, w->d, &ops_table, NULL, NULL, &w->g),
        STATUS_OK);
    assert_int_equal(graph_verify(w->g), STATUS_OK);
    pass_registry *r = pass_registry_new(w->a);
    assert_non_null(r);
    pass_host_begin(&w->h, r, &w->entry, w->d, w->a);
    w->h.g = w->g;
    w->host = &w->h.base;
}

static void end(work *w) {
    graph_free(w->g);
    diag_free(w->d);
    arena_free(w->a);
}

static tenon_value *value_of(const work *w, const char *name) {
    tenon_value *v = plugin_graph.find_value(GRAPH(w->g), name);
    if (v == NULL)
        fail_msg("no value '%s'", name);
    return v;
}

static tenon_node *node_of(const work *w, const char *name) {
    tenon_node *n = plugin_graph.find_node(GRAPH(w->g), name);
    if (n == NULL)
        fail_msg("no node '%s'", name);
    return n;
}

static const char *type_of(const work *w, const char *name) {
    return plugin_graph.type_text(w->host, value_of(w, name));
}

/* Nothing has been said, and the graph is valid. */
static void assert_whole(const work *w) {
    if (diag_count(w->d) > 0 || graph_verify(w->g) != STATUS_OK)
        fail_msg("%s\n%s", diag_line(w->d, 0, w->a), plugin_graph.print(w->host, GRAPH(w->g)));
}

/* The first thing said since has this id and these words; then it is forgotten. The graph is still valid. */
static void assert_refused(const work *w, const char *id, const char *words) {
    assert_true(diag_count(w->d) > 0);
    assert_string_equal(diag_at(w->d, 0)->id, id);
    if (strstr(diag_at(w->d, 0)->message, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, diag_at(w->d, 0)->message);
    diag_clear(w->d);
    assert_whole(w);
}

/* ---- patterns ---- */

static bool matches(const work *w, const char *root, const char *pattern, tenon_match *out) {
    *out = (tenon_match){.struct_size = sizeof *out};
    return plugin_graph.match(w->host, value_of(w, root), pattern, out) == 1;
}

static void match_commutes_where_the_operator_does(void **state) {
    (void)state;
    work w;
    tenon_match m;
    begin(&w);
    assert_true(matches(&w, "c", "Mul(x, Sigmoid(x))", &m));
    assert_int_equal(m.n_values, 1);
    assert_int_equal(m.n_nodes, 2);
    assert_ptr_equal(m.values[0], value_of(&w, "a"));
    assert_ptr_equal(m.nodes[0], node_of(&w, "c"));
    assert_ptr_equal(m.nodes[1], node_of(&w, "b"));
    assert_true(matches(&w, "c", "Mul(Sigmoid(x), x)", &m));
    assert_ptr_equal(m.values[0], value_of(&w, "a"));
    assert_true(matches(&w, "d", " Add( Mul(x , Sigmoid(x)) , 0.5 ) ", &m));
    assert_true(matches(&w, "f", "Sub(x, 0.5)", &m));
    assert_false(matches(&w, "f", "Sub(0.5, x)", &m));
    assert_whole(&w);
    end(&w);
}

static void match_wants_the_same_value_for_the_same_word(void **state) {
    (void)state;
    work w;
    tenon_match m;
    begin(&w);
    assert_false(matches(&w, "e", "Mul(x, Sigmoid(x))", &m));
    assert_true(matches(&w, "e", "Mul(x, Sigmoid(y))", &m));
    assert_int_equal(m.n_values, 2);
    assert_ptr_equal(m.values[0], value_of(&w, "y"));
    assert_ptr_equal(m.values[1], value_of(&w, "a"));
    assert_false(matches(&w, "e", "Mul(x, x)", &m));
    assert_false(matches(&w, "e", "Add(x, y)", &m));
    assert_false(matches(&w, "x", "Relu(x)", &m)); /* nobody computes an input */
    assert_whole(&w);
    end(&w);
}

static void match_knows_constants_and_numbers(void **state) {
    (void)state;
    work w;
    tenon_match m;
    begin(&w);
    assert_true(matches(&w, "d", "Add(x, $c)", &m));
    assert_ptr_equal(m.values[0], value_of(&w, "c"));
    assert_ptr_equal(m.values[1], value_of(&w, "halves"));
    assert_false(matches(&w, "c", "Mul(x, $c)", &m));
    assert_true(matches(&w, "d", "Add(x, 0.500001)", &m)); /* nearly */
    assert_false(matches(&w, "d", "Add(x, 0.5001)", &m));
    assert_false(matches(&w, "h", "Add(x, 0.5)", &m)); /* not all of its elements */
    assert_true(matches(&w, "g", "Clip(x, _, 6)", &m));
    assert_true(matches(&w, "g", "Clip(_, _, _)", &m));
    assert_int_equal(m.n_values, 0);
    assert_false(matches(&w, "g", "Clip(x, y, 6)", &m)); /* what is absent is no value */
    assert_false(matches(&w, "g", "Clip(x)", &m));       /* and what is there must be named */
    assert_whole(&w);
    end(&w);
}

static void match_says_who_else_looks_in(void **state) {
    (void)state;
    work w;
    tenon_match m;
    begin(&w);
    assert_true(matches(&w, "g", "Clip(Sub(x, 0.5), _, 6)", &m));
    assert_true(m.is_private);
    assert_true(matches(&w, "d", "Add(Mul(x, y), 0.5)", &m)); /* the product is an output, too */
    assert_false(m.is_private);
    assert_true(matches(&w, "e", "Mul(Sigmoid(x), y)", &m)); /* c reads it */
    assert_false(m.is_private);
    assert_true(matches(&w, "c", "Mul(x, y)", &m)); /* the root's users do not count */
    assert_true(m.is_private);
    end(&w);
}

/* A plugin with an older, shorter struct keeps what is behind it. */
static void match_fills_no_more_than_it_is_given(void **state) {
    (void)state;
    work w;
    begin(&w);
    tenon_match m = {.struct_size = offsetof(tenon_match, nodes), .n_nodes = -1, .is_private = 77};
    m.nodes[0] = node_of(&w, "a");
    assert_int_equal(plugin_graph.match(w.host, value_of(&w, "c"), "Mul(x, y)", &m), 1);
    assert_int_equal(m.n_values, 2);
    assert_ptr_equal(m.nodes[0], node_of(&w, "a"));
    assert_int_equal(m.is_private, 77);
    assert_int_equal(m.struct_size, offsetof(tenon_match, nodes));
    end(&w);
}

static void match_refuses_what_is_no_pattern(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *says;
    } wrong[] = {
        {"Add(x", "expected ',' or ')'"},
        {"Add(x, )", "expected an operator, a variable, $constant, a number or _"},
        {"", "expected an operator, a variable, $constant, a number or _"},
        {"Add(x, y) z", "something follows its end"},
        {"Add(x, 1.2.3)", "expected a number"},
        {"Sum(a, b, c, d, e, f, g)", "an operator has too many arguments"},
        {"Sum(Sum(a, b, c, d, e, f), Sum(g, h, i, j, k, l), Sum(m, n, o, p, q, r))", "too many variables"},
        {"Add(x, $)", "expected an operator, a variable, $constant, a number or _"},
    };
    work w;
    tenon_match m;
    begin(&w);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(matches(&w, "d", wrong[i].pattern, &m));
        assert_true(w.h.broke_rules);
        assert_refused(&w, "bad-pattern", wrong[i].says);
    }
    end(&w);
}

/* ---- inserting ---- */

static void insert_after_takes_over_every_use(void **state) {
    (void)state;
    work w;
    begin(&w);
    tenon_node *n = plugin_graph.insert_after(w.host, GRAPH(w.g), value_of(&w, "c"), "Neg", NULL);
    assert_non_null(n);
    assert_int_equal(plugin_graph.uses(value_of(&w, "c")), 1);
    assert_ptr_equal(plugin_graph.node_input(node_of(&w, "d"), 1), plugin_graph.node_output(n, 0));
    assert_ptr_equal(plugin_graph.output(GRAPH(w.g), 1), plugin_graph.node_output(n, 0));
    assert_string_equal(plugin_graph.output_name(GRAPH(w.g), 1), "c");
    assert_whole(&w);
    end(&w);
}

static void insert_after_brings_types_up_to_date(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_null(plugin_graph.insert_after(w.host, GRAPH(w.g), value_of(&w, "g"), "Unsqueeze", NULL));
    assert_refused(&w, "wrong-arity", "1 input");
    assert_null(plugin_graph.insert_after(w.host, GRAPH(w.g), value_of(&w, "f"), "Cast", "to=11"));
    diag_clear(w.d); /* Clip would have two element types */
    end(&w);
    begin(&w);
    assert_non_null(plugin_graph.insert_after(w.host, GRAPH(w.g), value_of(&w, "h"), "Concat", "axis=0"));
    assert_string_equal(type_of(&w, "i"), "f32[3,2]");
    assert_non_null(plugin_graph.insert_after(w.host, GRAPH(w.g), value_of(&w, "i"), "Transpose", "perm=[1, 0]"));
    assert_string_equal(type_of(&w, "j"), "f32[2,3]");
    assert_whole(&w);
    end(&w);
}

static void insert_before_changes_one_input(void **state) {
    (void)state;
    work w;
    begin(&w);
    tenon_node *n = plugin_graph.insert_before(w.host, GRAPH(w.g), node_of(&w, "c"), 1, "Neg", NULL);
    assert_non_null(n);
    assert_ptr_equal(plugin_graph.node_input(n, 0), value_of(&w, "a"));
    assert_ptr_equal(plugin_graph.node_input(node_of(&w, "c"), 1), plugin_graph.node_output(n, 0));
    assert_ptr_equal(plugin_graph.node_input(node_of(&w, "b"), 0), value_of(&w, "a"));
    assert_ptr_equal(plugin_graph.next(n), node_of(&w, "c"));
    assert_non_null(plugin_graph.insert_before(w.host, GRAPH(w.g), node_of(&w, "j"), 0, "Transpose", "perm=[1, 0]"));
    assert_string_equal(type_of(&w, "j"), "f32[2,3]");
    assert_whole(&w);
    assert_null(plugin_graph.insert_before(w.host, GRAPH(w.g), node_of(&w, "a"), 7, "Neg", NULL));
    assert_refused(&w, "no-such-input",
                   "pass 'probe' of plugin 'probe' (probe.so) inserts before input 7 of node 'a', which has none");
    assert_null(plugin_graph.insert_before(w.host, GRAPH(w.g), node_of(&w, "g"), 1, "Neg", NULL)); /* absent */
    assert_refused(&w, "no-such-input", "input 1 of node 'g'");
    end(&w);
}

/* ---- changing ---- */

static void move_before_keeps_definitions_before_uses(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_int_equal(plugin_graph.move_before(w.host, GRAPH(w.g), node_of(&w, "d"), NULL), TENON_OK);
    assert_null(plugin_graph.next(node_of(&w, "d")));
    assert_int_equal(plugin_graph.move_before(w.host, GRAPH(w.g), node_of(&w, "d"), node_of(&w, "e")), TENON_OK);
    assert_whole(&w);
    assert_int_equal(plugin_graph.move_before(w.host, GRAPH(w.g), node_of(&w, "b"), node_of(&w, "a")),
                     TENON_PASS_INVALID);
    assert_refused(&w, "use-before-definition",
                   "node 'b' (Sigmoid) cannot be moved: it would come before its input's definition 'a' (Relu)");
    assert_int_equal(plugin_graph.move_before(w.host, GRAPH(w.g), node_of(&w, "b"), NULL), TENON_PASS_INVALID);
    assert_refused(&w, "use-before-definition", "it would come after its user 'c' (Mul)");
    end(&w);
}

static void make_constant_takes_an_output_away(void **state) {
    (void)state;
    work w;
    begin(&w);
    tenon_tensor *t = plugin_tensor.fill(w.host, GRAPH(w.g), TENON_FLOAT, 2, (const int64_t[]){2, 3}, 2);
    assert_non_null(t);
    tenon_value *c = value_of(&w, "c");
    assert_int_equal(plugin_graph.make_constant(w.host, GRAPH(w.g), c, t), TENON_OK);
    assert_null(plugin_graph.producer(c));
    assert_ptr_equal(plugin_graph.constant(c), t);
    assert_int_equal(plugin_graph.uses(c), 2);
    assert_int_equal(plugin_graph.uses(plugin_graph.node_output(node_of(&w, "c"), 0)), 0);
    assert_int_equal(plugin_graph.erase(w.host, GRAPH(w.g), node_of(&w, "c")), TENON_OK);
    assert_whole(&w);
    end(&w);
}

static void inputs_and_outputs_are_what_there_is_and_have_names(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_int_equal(plugin_graph.set_output(w.host, GRAPH(w.g), 0, value_of(&w, "i")), TENON_OK);
    assert_ptr_equal(plugin_graph.output(GRAPH(w.g), 0), value_of(&w, "i"));
    assert_string_equal(plugin_graph.output_name(GRAPH(w.g), 0), "d");
    assert_int_equal(plugin_graph.set_input(w.host, node_of(&w, "j"), 0, value_of(&w, "h")), TENON_OK);
    assert_string_equal(type_of(&w, "j"), "f32[2,3]");
    assert_int_equal(plugin_graph.set_input(w.host, node_of(&w, "g"), 1, value_of(&w, "half")), TENON_OK);
    assert_whole(&w);
    assert_int_equal(plugin_graph.set_output(w.host, GRAPH(w.g), 3, value_of(&w, "i")), TENON_PASS_INVALID);
    assert_refused(&w, "no-such-output", "sets output 3 of a graph that has 3");
    assert_int_equal(plugin_graph.set_input(w.host, node_of(&w, "a"), 2, value_of(&w, "x")), TENON_PASS_INVALID);
    assert_refused(&w, "no-such-input", "sets input 2 of node 'a', which has 1");
    assert_int_equal(plugin_graph.set_input(w.host, node_of(&w, "a"), -1, value_of(&w, "x")), TENON_PASS_INVALID);
    assert_refused(&w, "no-such-input", "sets input -1");
    assert_int_equal(plugin_graph.add_output(w.host, GRAPH(w.g), value_of(&w, "i"), ""), TENON_PASS_INVALID);
    assert_refused(&w, "no-name", "adds an output without a name");
    assert_null(plugin_graph.add_input(w.host, GRAPH(w.g), "", "f32[2]"));
    assert_refused(&w, "no-name", "adds an input without a name");
    end(&w);
}

static void set_attributes_infers_anew(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_int_equal(plugin_graph.set_attributes(w.host, node_of(&w, "i"), "perm=[0, 1]"), TENON_OK);
    assert_string_equal(type_of(&w, "i"), "f32[2,3]");
    assert_string_equal(type_of(&w, "j"), "f32[2,3]");
    assert_whole(&w);
    assert_int_equal(plugin_graph.set_attributes(w.host, node_of(&w, "i"), "perm=[0,"), TENON_PASS_INVALID);
    assert_refused(&w, "graph-syntax", "");
    assert_int_equal(plugin_graph.set_attributes(w.host, node_of(&w, "i"), "prem=[1, 0]"), TENON_PASS_INVALID);
    assert_string_equal(diag_at(w.d, 0)->id, "unknown-attribute");
    end(&w);
}

static void replace_all_uses_brings_types_up_to_date(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_int_equal(plugin_graph.replace_all_uses(w.host, GRAPH(w.g), value_of(&w, "i"), value_of(&w, "h")), TENON_OK);
    assert_string_equal(type_of(&w, "j"), "f32[2,3]");
    assert_whole(&w);
    assert_int_equal(plugin_graph.replace_all_uses(w.host, GRAPH(w.g), value_of(&w, "a"), value_of(&w, "e")),
                     TENON_PASS_INVALID);
    assert_refused(&w, "use-before-definition", "'e' cannot replace 'a'");
    end(&w);
}

/* ---- removing ---- */

static void removing_names_the_users(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_int_equal(plugin_graph.erase(w.host, GRAPH(w.g), node_of(&w, "a")), TENON_PASS_INVALID);
    assert_refused(&w, "value-has-users",
                   "its output 'a' is still used by 2 nodes: 'b' (Sigmoid) input 0, 'c' (Mul) input 1");
    assert_int_equal(plugin_graph.remove_value(w.host, GRAPH(w.g), value_of(&w, "six")), TENON_PASS_INVALID);
    assert_refused(&w, "value-has-users", "'six' cannot be removed: it is still used by 1 node: 'g' (Clip) input 2");
    assert_int_equal(plugin_graph.remove_output(w.host, GRAPH(w.g), 3), TENON_PASS_INVALID);
    assert_refused(&w, "no-such-output", "removes output 3 of a graph that has 3");
    assert_int_equal(plugin_graph.remove_output(w.host, GRAPH(w.g), 2), TENON_OK);
    static const char *const chain[] = {"j", "i", "h", "g", "f", "e"};
    for (size_t i = 0; i < sizeof chain / sizeof *chain; i++)
        assert_int_equal(plugin_graph.erase(w.host, GRAPH(w.g), node_of(&w, chain[i])), TENON_OK);
    assert_int_equal(plugin_graph.remove_value(w.host, GRAPH(w.g), value_of(&w, "six")), TENON_OK);
    assert_int_equal(plugin_graph.remove_value(w.host, GRAPH(w.g), value_of(&w, "y")), TENON_OK);
    assert_int_equal(plugin_graph.inputs(GRAPH(w.g)), 1);
    assert_int_equal(plugin_graph.outputs(GRAPH(w.g)), 2);
    assert_int_equal(plugin_graph.nodes(GRAPH(w.g)), 4);
    assert_whole(&w);
    end(&w);
}

/* ---- extraction ---- */

static tenon_graph *extract(const work *w, const char *in, const char *out) {
    tenon_value *inputs[1] = {in != NULL ? value_of(w, in) : NULL}, *outputs[1] = {value_of(w, out)};
    return plugin_graph.extract(w->host, GRAPH(w->g), inputs, in != NULL ? 1 : 0, outputs, 1);
}

static void extract_brings_what_is_needed(void **state) {
    (void)state;
    work w;
    begin(&w);
    const char *before = plugin_graph.print(w.host, GRAPH(w.g));
    tenon_graph *part = extract(&w, "a", "d");
    assert_non_null(part);
    assert_string_equal(plugin_graph.print(w.host, part), "graph \"main\"(%a: f32[2,3]) {\n"
                                                          "  opset \"\" 28\n"
                                                          "  const %halves: f32[3] = [0.5, 0.5, 0.5]\n"
                                                          "  %b: f32[2,3] = Sigmoid-13(%a) name \"b\"\n"
                                                          "  %c: f32[2,3] = Mul-14(%b, %a) name \"c\"\n"
                                                          "  %d: f32[2,3] = Add-14(%halves, %c) name \"d\"\n"
                                                          "  return %d as \"d\"\n"
                                                          "}\n");
    assert_string_equal(plugin_graph.print(w.host, GRAPH(w.g)), before);
    assert_non_null(extract(&w, "x", "c"));
    assert_whole(&w);
    end(&w);
}

static void extract_names_missing_inputs(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_null(extract(&w, "a", "f"));
    assert_int_equal(diag_count(w.d), 1);
    assert_refused(&w, "missing-input", "a sub-graph cannot be extracted: what it computes needs the input 'y', too");
    assert_null(extract(&w, NULL, "f"));
    assert_int_equal(diag_count(w.d), 2); /* x and y, each in a message of its own */
    assert_non_null(strstr(diag_at(w.d, 0)->message, "'y'"));
    assert_non_null(strstr(diag_at(w.d, 1)->message, "'x'"));
    end(&w);
}

/* ---- beyond the end ---- */

static void walking_ends_with_null(void **state) {
    (void)state;
    work w;
    begin(&w);
    assert_null(plugin_graph.input(GRAPH(w.g), 2));
    assert_null(plugin_graph.input(GRAPH(w.g), -1));
    assert_null(plugin_graph.output(GRAPH(w.g), 3));
    assert_null(plugin_graph.output_name(GRAPH(w.g), -1));
    assert_null(plugin_graph.node_input(node_of(&w, "a"), 1));
    assert_null(plugin_graph.node_output(node_of(&w, "a"), -1));
    assert_null(plugin_graph.find_value(GRAPH(w.g), "nothing"));
    assert_null(plugin_graph.find_node(GRAPH(w.g), "nothing"));
    assert_int_equal(plugin_graph.dim(value_of(&w, "a"), 2), -1);
    assert_string_equal(plugin_graph.dim_text(w.host, value_of(&w, "a"), 2), "?");
    tenon_use u = plugin_graph.use(value_of(&w, "a"), 2);
    assert_null(u.node);
    assert_int_equal(u.index, -1);
    u = plugin_graph.use(value_of(&w, "c"), 1);
    assert_null(u.node);
    assert_int_equal(u.index, 1);
    end(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(match_commutes_where_the_operator_does),
        cmocka_unit_test(match_wants_the_same_value_for_the_same_word),
        cmocka_unit_test(match_knows_constants_and_numbers),
        cmocka_unit_test(match_says_who_else_looks_in),
        cmocka_unit_test(match_fills_no_more_than_it_is_given),
        cmocka_unit_test(match_refuses_what_is_no_pattern),
        cmocka_unit_test(insert_after_takes_over_every_use),
        cmocka_unit_test(insert_after_brings_types_up_to_date),
        cmocka_unit_test(insert_before_changes_one_input),
        cmocka_unit_test(move_before_keeps_definitions_before_uses),
        cmocka_unit_test(make_constant_takes_an_output_away),
        cmocka_unit_test(inputs_and_outputs_are_what_there_is_and_have_names),
        cmocka_unit_test(set_attributes_infers_anew),
        cmocka_unit_test(replace_all_uses_brings_types_up_to_date),
        cmocka_unit_test(removing_names_the_users),
        cmocka_unit_test(extract_brings_what_is_needed),
        cmocka_unit_test(extract_names_missing_inputs),
        cmocka_unit_test(walking_ends_with_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
