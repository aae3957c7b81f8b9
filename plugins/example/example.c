/* A complete plugin: takes Dropout and Identity out of a model. Copy it, then change it step by step.
 *
 *  1. Ask the host for the interfaces that you need: tenon/plugin.h lists them.
 *  2. Write the pass: a function on the graph that returns TENON_OK, or a code after diag->error.
 *  3. Describe it: name, help, stage, options.
 *  4. Describe the plugin, and hand that out by tenon_plugin_query, its only visible symbol.
 *  5. Put graphs into tests/, as they are before and as they have to be after, and run: tenon passes --test
 * ./example.so tests
 */
#include <string.h>

#include <tenon/plugin.h>

/* Does the node hand on its first input, and has it no other output that is used? A Dropout drops nothing when it is
 * not trained. */
static int hands_on(const tenon_graph_1 *graph, const tenon_node *n) {
    if (strcmp(graph->op(n), "Identity") == 0)
        return 1;
    const tenon_value *mask = graph->node_output(n, 1);
    return strcmp(graph->op(n), "Dropout") == 0 && graph->node_input(n, 2) == NULL &&
           (mask == NULL || graph->uses(mask) == 0);
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    const tenon_report_1 *report = host->get_interface(host, TENON_REPORT_1);
    (void)state;
    if (graph == NULL || option == NULL || report == NULL)
        return TENON_PASS_UNSUPPORTED; /* the host has said so */
    int removed = 0;
    for (tenon_node *n = graph->first(g), *next; n != NULL; n = next) {
        int code;
        next = graph->next(n);
        if (!hands_on(graph, n) || !option->selects(host, "nodes", n))
            continue;
        /* Users first: a node whose output is used cannot be erased. */
        if ((code = graph->replace_all_uses(host, g, graph->node_output(n, 0), graph->node_input(n, 0))) != TENON_OK)
            return code;
        if ((code = graph->erase(host, g, n)) != TENON_OK)
            return code;
        removed++;
    }
    report->line(host, "%d nodes removed", removed);
    report->integer(host, "removed", removed);
    return TENON_OK;
}

static const tenon_option nodes = {
    sizeof nodes, TENON_OPTION_SELECTOR, "nodes", "SELECTOR", "only these (default: all)", "*", 0, 0, NULL};
static const tenon_option *const options[] = {&nodes, NULL};

static const tenon_pass pass = {
    .struct_size = sizeof pass,
    .flags = TENON_PASS_KEEPS_NUMBERS,
    .name = "example",
    .help = "Dropout and Identity are removed",
    .stage = "edit",
    .options = options,
    .run = run,
    .doc = "What uses the output of such a node uses its input instead.",
};
static const tenon_pass *const passes[] = {&pass, NULL};

static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "example",
                                    .version = "1.0",
                                    .passes = passes,
                                    .licence = "MIT-0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR ? &plugin : NULL;
}
