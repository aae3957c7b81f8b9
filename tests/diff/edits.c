/* A plugin for tests of tenon diff: pass `bind_masks` binds a BERT's mask to 1 and its token types to 0; `negate`
 * negates the first output. */
#include <tenon/plugin.h>

static int bind_one(const tenon_plugin_host *host, tenon_graph *g, const char *name, double x) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    const tenon_tensor_1 *tensor = host->get_interface(host, TENON_TENSOR_1);
    tenon_value *v = graph->find_value(g, name);
    tenon_tensor *t = v != NULL ? tensor->fill(host, g, 7, 0, NULL, x) : NULL;
    return t != NULL ? graph->bind_input(host, g, v, t) : TENON_PASS_INVALID;
}

static int bind_masks(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)state;
    int code = bind_one(host, g, "attention_mask", 1);
    return code == TENON_OK ? bind_one(host, g, "token_type_ids", 0) : code;
}

static int negate(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    const tenon_graph_1 *graph = host->get_interface(host, TENON_GRAPH_1);
    tenon_value *v = graph->output(g, 0);
    tenon_node *n = graph->build(host, g, NULL, "Neg", &v, 1, NULL, 1);
    (void)state;
    return n != NULL ? graph->set_output(host, g, 0, graph->node_output(n, 0)) : TENON_PASS_INVALID;
}

static const tenon_pass passes[] = {
    {sizeof *passes, 0, "bind_masks", "binds attention_mask and token_type_ids", "edit", NULL, NULL, NULL, bind_masks,
     NULL},
    {sizeof *passes, 0, "negate", "negates an output", "edit", NULL, NULL, NULL, negate, NULL},
};
static const tenon_pass *const list[] = {&passes[0], &passes[1], NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "edits",
                                    .version = "1.0",
                                    .passes = list,
                                    .licence = "Apache-2.0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR ? &plugin : NULL;
}
