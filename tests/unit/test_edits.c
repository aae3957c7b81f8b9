/* rooms: ir ops */
/* Random edits of random graphs, seeded: whatever is done, or refused, the graph stays valid, and its text reads back
 * as the same. */
#include "test_support.h"

#include "ops/ops.h"

enum { EDITS = 10000, GRAPHS = 20, MOST_NODES = 60 };

typedef struct edits {
    graph *g;
    diag *d;
    uint64_t state;
    int done, refused; /* of the edits that may be refused */
} edits;

/* splitmix64 */
static uint32_t pick(edits *e, uint32_t below) {
    uint64_t z = e->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

static value *pick_value(edits *e) {
    int n = 0;
    for (const value *v = e->g->values; v != NULL; v = v->next)
        n++;
    value *v = e->g->values;
    for (uint32_t i = pick(e, (uint32_t)n); i > 0; i--)
        v = v->next;
    return v;
}

/* NULL where there is none, and now and then otherwise: "the end". */
static node *pick_node(edits *e) {
    node *n = e->g->first;
    for (uint32_t i = pick(e, (uint32_t)e->g->n_nodes + 1); i > 0 && n != NULL; i--)
        n = n->next;
    return n;
}

static void count(edits *e, status s) {
    if (s == STATUS_OK)
        e->done++;
    else
        e->refused++;
    assert_true(s == STATUS_OK || s == STATUS_INVALID);
}

static bool comes_before(const value *v, const node *n) {
    return v->def == NULL || (n == NULL ? true : v->def != n && node_is_before(v->def, n));
}

/* ---- the edits ---- */

static void build(edits *e) {
    static const char *const ops[] = {"Relu", "Neg", "Add", "Mul", "Max"};
    uint32_t op = pick(e, 5);
    node *before = pick_node(e);
    value *inputs[] = {pick_value(e), pick_value(e)};
    if (e->g->n_nodes >= MOST_NODES || !comes_before(inputs[0], before) || !comes_before(inputs[1], before))
        return;
    assert_non_null(graph_build(e->g, before, ops[op], inputs, op < 2 ? 1 : 2, NULL, 0, 1));
}

static void set_input(edits *e) {
    node *n = pick_node(e);
    value *v = pick_value(e);
    if (n != NULL && comes_before(v, n))
        assert_int_equal(node_set_input(n, (int)pick(e, (uint32_t)n->n_inputs), v), STATUS_OK);
}

static void replace(edits *e) {
    value *from = pick_value(e), *to = pick_value(e);
    count(e, graph_replace_all_uses(e->g, from, to));
}

static void erase(edits *e) {
    node *n = pick_node(e);
    if (n != NULL)
        count(e, graph_erase_node(e->g, n));
}

static void move(edits *e) {
    node *n = pick_node(e), *before = pick_node(e);
    if (n != NULL)
        count(e, graph_move_before(e->g, n, before));
}

static void set_output(edits *e) {
    assert_int_equal(graph_set_output(e->g, (int)pick(e, (uint32_t)e->g->outputs.n), pick_value(e)), STATUS_OK);
}

static void remove_constant(edits *e) {
    value *v = pick_value(e);
    if (v->constant != NULL && v->n_uses == 0 && pick(e, 4) == 0)
        assert_int_equal(graph_remove_value(e->g, v), STATUS_OK);
}

static void add_constant(edits *e) {
    if (pick(e, 4) == 0)
        assert_non_null(graph_add_constant(e->g, "c", tensor_new(e->g->memory, DT_F32, 1, (const int64_t[]){4}, NULL)));
}

static void (*const kinds[])(edits *e) = {build, build, build,      set_input,       replace,     erase,
                                          erase, move,  set_output, remove_constant, add_constant};

/* ---- the property ---- */

static const char *text_of(graph *g) {
    strbuf s = strbuf_in(g->memory);
    const char *text;
    graph_print(g, &s);
    assert_int_equal(strbuf_finish(&s, &text), STATUS_OK);
    return text;
}

static void read_back(edits *e) {
    graph *again;
    const char *text = text_of(e->g);
    assert_int_equal(graph_parse(text, strlen(text), "again", &allocator_system, e->d, &ops_table, NULL, NULL, &again),
                     STATUS_OK);
    assert_string_equal(text_of(again), text);
    graph *copy = graph_copy(e->g);
    assert_string_equal(text_of(copy), text);
    graph_free(copy);
    graph_free(again);
}

static void edit(edits *e, int edits_each) {
    static const char start[] =
        "graph \"main\"(%x: f32[4], %y: f32[4]) {\n  opset \"\" 28\n  const %k: f32[4] = [1, 2, 3, 4]\n"
        "  %z: f32[4] = Add-14(%x, %k)\n  return %z as \"a\", %y as \"b\"\n}\n";
    assert_int_equal(
        graph_parse(start, sizeof start - 1, "start", &allocator_system, e->d, &ops_table, NULL, NULL, &e->g),
        STATUS_OK);
    for (int i = 0; i < edits_each; i++) {
        kinds[pick(e, sizeof kinds / sizeof *kinds)](e);
        diag_clear(e->d);
        if (graph_verify(e->g) != STATUS_OK)
            fail_msg("edit %d: %s\n%s", i, diag_at(e->d, 0)->message, text_of(e->g));
    }
    read_back(e);
    graph_free(e->g);
}

static void random_edits_keep_graphs_valid(void **state) {
    (void)state;
    edits e = {.d = diag_new(&allocator_system), .state = 5};
    for (int i = 0; i < GRAPHS; i++)
        edit(&e, EDITS / GRAPHS);
    assert_true(e.done > EDITS / 10 && e.refused > EDITS / 100); /* both happen */
    diag_free(e.d);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_edits_keep_graphs_valid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
