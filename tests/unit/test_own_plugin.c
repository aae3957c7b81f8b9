/* rooms: api plugin */
#include "test_support.h"

#include <string.h>
#include <tenon/plugin.h>
#include <tenon/tenon.h>

#define MODEL TENON_SOURCE_DIR "/tests/diff/linear.onnx"

/* ---- plugins of this program ---- */

/* What its functions get: how often they were called. */
typedef struct seen {
    int opened, closed, nodes;
} seen;

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    if (graph == NULL)
        return TENON_PASS_UNSUPPORTED;
    ((seen *)state)->nodes = graph->nodes(g);
    return TENON_OK;
}

/* An output of a node is no value to remove. */
static int remove_output_of_node(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    (void)state;
    return graph != NULL ? graph->remove_value(host, g, graph->node_output(graph->first(g), 0))
                         : TENON_PASS_UNSUPPORTED;
}

static int open(const tenon_plugin_host *host, void **state) {
    (void)host;
    ((seen *)*state)->opened++;
    return TENON_OK;
}

static void close(void *state) {
    ((seen *)state)->closed++;
}

static const tenon_pass counting = {
    .struct_size = sizeof counting, .name = "count", .help = "counts nodes", .stage = "edit", .run = run};
static const tenon_pass removing = {.struct_size = sizeof removing,
                                    .name = "remove",
                                    .help = "removes what cannot be",
                                    .stage = "edit",
                                    .run = remove_output_of_node};
static const tenon_pass *const passes[] = {&counting, &removing, NULL};
static const tenon_plugin own = {.struct_size = sizeof own,
                                 .abi = TENON_PLUGIN_ABI,
                                 .name = "own",
                                 .version = "1",
                                 .passes = passes,
                                 .open = open,
                                 .close = close};

/* ---- a model opened with one ---- */

typedef struct session {
    tenon_context *context;
    tenon_options *options;
    tenon_graph *graph;
} session;

static tenon_status begin(session *s, const tenon_host *host, const tenon_plugin *plugin, void *state,
                          const char *asked) {
    *s = (session){0};
    tenon_status done = tenon_context_new(host, &s->context);
    if (done == TENON_DONE)
        done = tenon_options_new(s->context, &s->options);
    if (done == TENON_DONE)
        done = tenon_options_add_plugin(s->options, plugin, state, "this test");
    if (done == TENON_DONE)
        done = tenon_options_set(s->options, "p", asked);
    return done == TENON_DONE ? tenon_graph_open(s->context, MODEL, s->options, &s->graph) : done;
}

static void end(session *s) {
    tenon_graph_free(s->graph);
    tenon_options_free(s->options);
    tenon_context_free(s->context);
}

static void own_plugin_runs_with_its_state(void **state) {
    (void)state;
    seen counts = {0};
    session s;
    assert_int_equal(begin(&s, NULL, &own, &counts, "count"), TENON_DONE);
    assert_true(counts.nodes > 0);
    assert_int_equal(counts.opened, 1);
    end(&s);
    assert_int_equal(counts.closed, 1);
}

static void expect_message(session *s, const char *text) {
    assert_true(tenon_message_count(s->context) > 0);
    const char *message = tenon_message(s->context, 0);
    if (strstr(message, text) == NULL)
        fail_msg("'%s' does not say '%s'", message, text);
}

static void own_plugin_that_is_wrong_is_refused(void **state) {
    (void)state;
    seen counts = {0};
    session s;
    tenon_plugin wrong = own;
    wrong.name = "no name";
    assert_int_equal(begin(&s, NULL, &wrong, &counts, "count"), TENON_INVALID);
    expect_message(&s, "this test");
    end(&s);
    wrong = own;
    wrong.abi += 1u << 16;
    assert_int_equal(begin(&s, NULL, &wrong, &counts, "count"), TENON_UNSUPPORTED);
    end(&s);
    assert_int_equal(counts.opened, 0);
}

static void own_plugin_cannot_remove_an_output_of_a_node(void **state) {
    (void)state;
    seen counts = {0};
    session s;
    assert_int_equal(begin(&s, NULL, &own, &counts, "remove"), TENON_INVALID);
    expect_message(&s, "which is an output of a node");
    end(&s);
    assert_int_equal(counts.closed, 1);
}

static status work(const allocator *from, void *ctx) {
    (void)ctx;
    seen counts = {0};
    session s;
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    tenon_status done = begin(&s, &host, &own, &counts, "count");
    if (done != TENON_DONE)
        assert_int_equal(done, TENON_RESOURCE);
    end(&s);
    assert_int_equal(counts.opened, counts.closed);
    return (status)done;
}

static void own_plugin_survives_each_failed_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(work, NULL) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_plugin_runs_with_its_state),
        cmocka_unit_test(own_plugin_that_is_wrong_is_refused),
        cmocka_unit_test(own_plugin_cannot_remove_an_output_of_a_node),
        cmocka_unit_test(own_plugin_survives_each_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
