/* A plugin that does one thing wrong, chosen when it is compiled by -DWRONG=N: see test_plugins.py. */
#include <string.h>

#include <tenon/plugin.h>

enum {
    FAILS_SILENTLY = 1,
    FAILS_LOUDLY,
    INVALID_GRAPH,
    UNDECLARED,
    WRONG_KIND,
    NO_INTERFACE,
    SAYS_BUT_SUCCEEDS,
    OLDER,
    NEWER_MINOR,
    OTHER_MAJOR,
    NO_RUN,
    NO_NAME,
    SHORT_STRUCT,
    OPEN_FAILS,
    BAD_DEFAULT,
    REFUSES,
    BAD_PATTERN,
    LOOPS_IN_ORDER
};

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    tenon_match found = {.struct_size = sizeof found};
    (void)state;
    /* Every one of them changes the graph first. */
    if (graph->annotate(host, graph->first(g), "broken", "yes") != TENON_OK)
        return TENON_PASS_RESOURCE;
    switch (WRONG) {
    case FAILS_SILENTLY:
        return TENON_PASS_UNSUPPORTED;
    case FAILS_LOUDLY:
        diag->error(host, graph->first(g), "too-odd", "it has %d inputs", graph->node_inputs(graph->first(g)));
        diag->note(host, "try another model");
        return TENON_PASS_INVALID;
    case INVALID_GRAPH: /* an output of the graph that is there twice */
        return graph->add_output(host, g, graph->output(g, 0), graph->output_name(g, 0));
    case UNDECLARED:
        option->integer(host, "bits", NULL);
        return TENON_OK;
    case WRONG_KIND:
        option->text(host, "rate", NULL);
        return TENON_OK;
    case NO_INTERFACE:
        return host->get_interface(host, "tenon.graph/9") == NULL ? TENON_OK : TENON_PASS_INVALID;
    case SAYS_BUT_SUCCEEDS:
        diag->error(host, NULL, "half-done", "something is wrong");
        return TENON_OK;
    case BAD_PATTERN:
        graph->match(host, graph->output(g, 0), "Add(x", &found);
        return TENON_OK;
    default:
        return TENON_OK;
    }
}

static int fail_to_open(const tenon_plugin_host *host, void **state) {
    (void)host, (void)state;
    return TENON_PASS_RESOURCE;
}

static const tenon_option rate = {
    sizeof rate, TENON_OPTION_FLOAT, "rate", "X", "how fast", WRONG == BAD_DEFAULT ? "fast" : "0.5", 0, 1, NULL};
static const tenon_option *const options[] = {&rate, NULL};
static const char *const itself[] = {"fold", NULL};
static const tenon_pass pass = {
    .struct_size = WRONG == SHORT_STRUCT ? 16
                   : WRONG == OLDER      ? offsetof(tenon_pass, doc)
                                         : sizeof pass,
    .name = WRONG == NO_NAME ? "no name" : "broken",
    .help = "does one thing wrong",
    .stage = WRONG == LOOPS_IN_ORDER ? "clean-up" : "edit",
    .after = WRONG == LOOPS_IN_ORDER ? itself : NULL,
    .before = WRONG == LOOPS_IN_ORDER ? itself : NULL,
    .options = options,
    .run = WRONG == NO_RUN ? NULL : run,
};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {
    .struct_size = WRONG == OLDER ? offsetof(tenon_plugin, licence) : sizeof plugin,
    .abi = WRONG == OLDER         ? TENON_PLUGIN_ABI_MAJOR << 16
           : WRONG == NEWER_MINOR ? TENON_PLUGIN_ABI + 1
           : WRONG == OTHER_MAJOR ? (TENON_PLUGIN_ABI_MAJOR + 7) << 16
                                  : TENON_PLUGIN_ABI,
    .name = "broken",
    .version = "1",
    .passes = passes,
    .open = WRONG == OPEN_FAILS ? fail_to_open : NULL,
};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    (void)host_abi;
    return WRONG == REFUSES ? NULL : &plugin;
}
