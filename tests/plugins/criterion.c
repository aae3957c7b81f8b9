/* A plugin that lends a criterion: a number is worth its place from the end, so the last ones go first. */
#include <tenon/plugin.h>

static int score(const tenon_plugin_host *host, void *state, const tenon_graph *graph, const tenon_node *node,
                 int input, tenon_samples *samples, int64_t n, double *scores) {
    const tenon_graph_1 *g = host->get_interface(host, TENON_GRAPH_1);
    const tenon_tensor_1 *t = host->get_interface(host, TENON_TENSOR_1);
    (void)state, (void)graph, (void)samples, (void)n;
    if (g == NULL || t == NULL)
        return TENON_PASS_UNSUPPORTED;
    int64_t count = t->count(g->constant(g->node_input(node, input)));
    for (int64_t i = 0; i < count; i++)
        scores[i] = (double)(count - i);
    return TENON_OK;
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *graph) {
    (void)host, (void)state, (void)graph;
    return TENON_OK;
}

static const tenon_criterion last = {sizeof last, "last", "the last go first", score};
static const tenon_criterion *const criteria[] = {&last, NULL};
static const tenon_pass pass = {
    .struct_size = sizeof pass, .name = "nothing", .help = "does nothing", .stage = "edit", .run = run};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "lender",
                                    .version = "1",
                                    .passes = passes,
                                    .criteria = criteria};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR ? &plugin : NULL;
}
