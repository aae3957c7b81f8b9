/* A plugin for tests. Pass `mark` writes its options for each node into annotations; `liar` says that it keeps the
 * numbers, and negates the first output; `honest` does the same without the promise; `twice` negates twice; `price`
 * reports what the cost model says. */
#include <stdio.h>
#include <string.h>

#include <tenon/plugin.h>

static int mark(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    (void)state;
    if (graph == NULL || option == NULL)
        return TENON_PASS_INVALID;
    for (tenon_node *n = graph->first(g); n != NULL; n = graph->next(n)) {
        char text[256];
        int at = 0;
        if (!option->selects(host, "nodes", n))
            continue;
        at += snprintf(text + at, sizeof text - (size_t)at, "bits %lld, rate %g, %s",
                       (long long)option->integer(host, "bits", n), option->real(host, "rate", n),
                       option->boolean(host, "deep", n) ? "deep" : "flat");
        for (size_t i = 0; i < option->count(host, "words", n); i++)
            at += snprintf(text + at, sizeof text - (size_t)at, ", [%s]", option->item(host, "words", n, i));
        if (option->text(host, "way", n) != NULL)
            snprintf(text + at, sizeof text - (size_t)at, ", %s", option->text(host, "way", n));
        if (graph->annotate(host, n, "mark", text) != TENON_OK)
            return TENON_PASS_RESOURCE;
    }
    return TENON_OK;
}

/* A node `op` before the first output, `times` times. */
static int append(const tenon_plugin_host *host, tenon_graph *g, const char *op, int times) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    tenon_value *v = graph->output(g, 0);
    for (int i = 0; i < times; i++) {
        tenon_node *n = graph->build(host, g, NULL, op, &v, 1, NULL, 1);
        if (n == NULL)
            return TENON_PASS_INVALID;
        v = graph->node_output(n, 0);
    }
    return graph->set_output(host, g, 0, v);
}

static int negate_once(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)state;
    return append(host, g, "Neg", 1);
}

static int negate_twice(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)state;
    return append(host, g, "Neg", 2);
}

/* Reports what the cost model says for two targets. */
static int price(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_cost_1 *cost = host->get_interface(host, TENON_COST_1);
    const tenon_report_1 *report = host->get_interface(host, TENON_REPORT_1);
    (void)state;
    double wide = cost->cycles(host, g, "x86-64-v3"), narrow = wide < 0 ? -1 : cost->cycles(host, g, "x86-64");
    if (narrow < 0)
        return TENON_PASS_INVALID;
    report->line(host, "%.0f cycles, %.0f with narrower vectors", wide, narrow);
    report->real(host, "wide", wide);
    report->real(host, "narrow", narrow);
    return TENON_OK;
}

static const char *const ways[] = {"left", "right", NULL};
static const tenon_option nodes = {sizeof nodes, TENON_OPTION_SELECTOR, "nodes", "SELECTOR", "which", "*", 0, 0, NULL};
static const tenon_option bits = {sizeof bits, TENON_OPTION_INT, "bits", "N", "how many", "8", 2, 16, NULL};
static const tenon_option rate = {sizeof rate, TENON_OPTION_FLOAT, "rate", "X", "how fast", "0.5", 0, 1, NULL};
static const tenon_option deep = {sizeof deep, TENON_OPTION_BOOL, "deep", "BOOL", "how deep", NULL, 0, 0, NULL};
static const tenon_option words = {sizeof words, TENON_OPTION_LIST, "words", "WORD,...", "what", NULL, 0, 0, NULL};
static const tenon_option way = {sizeof way, TENON_OPTION_ENUM, "way", "WAY", "where to", NULL, 0, 0, ways};
static const tenon_option *const options[] = {&nodes, &bits, &rate, &deep, &words, &way, NULL};

static const tenon_pass passes[] = {
    {sizeof *passes, TENON_PASS_KEEPS_NUMBERS, "mark", "annotates nodes", "edit", NULL, NULL, options, mark,
     "Writes what it was asked."},
    {sizeof *passes, TENON_PASS_KEEPS_NUMBERS, "liar", "negates an output", "edit", NULL, NULL, NULL, negate_once,
     NULL},
    {sizeof *passes, 0, "honest", "negates an output", "edit", NULL, NULL, NULL, negate_once, NULL},
    {sizeof *passes, TENON_PASS_KEEPS_NUMBERS, "twice", "negates an output twice", "edit", NULL, NULL, NULL,
     negate_twice, NULL},
    {sizeof *passes, TENON_PASS_KEEPS_NUMBERS, "price", "says what a run costs", "edit", NULL, NULL, NULL, price, NULL},
};
static const tenon_pass *const list[] = {&passes[0], &passes[1], &passes[2], &passes[3], &passes[4], NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "probe",
                                    .version = "1.0",
                                    .passes = list,
                                    .licence = "Apache-2.0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR ? &plugin : NULL;
}
