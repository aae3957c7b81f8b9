/* prune: weights that matter little become zeros, or leave the graph.
 *
 * The pass finds the weights of what multiplies (find), scores their elements, by what they multiply on calibration
 * data too (calibrate, scores), and prunes layer after layer, so that each sees what those before it give by then
 * (weights). What goes as a whole, channels, heads and neurons, goes with all that depends on it (groups, shrink).
 */
#include "prune.h"
#include "overrides.h"
#include "samples.h"

void *prune_room(const job *j, size_t n, size_t each) {
    return pass_room(j->host, n, each);
}

enum { NOTES_MOST = 10 };

/* Says of each layer why. */
static int nothing(const job *j) {
    int is_unsupported = 0;
    const char *why = j->n_left > 0     ? "no layer that is selected can be"
                      : j->n_layers > 0 ? "select= and keep= leave no MatMul, Gemm or Conv"
                                        : "the model has no MatMul, Gemm or Conv";
    j->diag->error(j->host, NULL, "nothing-to-do", "nothing is pruned: %s", why);
    for (const unpruned *l = j->left; l < j->left + j->n_left; l++) {
        is_unsupported |= l->is_unsupported;
        if (l < j->left + NOTES_MOST)
            j->diag->note(j->host, "'%s': %s", prune_label(j, l->node), l->why);
    }
    if (j->n_left > NOTES_MOST)
        j->diag->note(j->host, "and so on for %d more", j->n_left - NOTES_MOST);
    return is_unsupported ? TENON_PASS_UNSUPPORTED : TENON_PASS_USAGE;
}

static int prune(job *j) {
    settings s;
    j->seed = (uint64_t)j->option->integer(j->host, "seed", NULL);
    j->is_global = j->option->text(j->host, "scope", NULL)[0] == 'g';
    TRY(prune_settings(j, NULL, &s));
    TRY(overrides_check(j->host, j->g, prune_whole));
    TRY(samples_open(j->host, j->g, &j->samples, &j->n_samples));
    j->corrects = j->samples != NULL && j->option->boolean(j->host, "bias_correction", NULL);
    TRY(prune_structures(j));
    TRY(prune_find(j));
    if (j->n_weights == 0 && j->n_structures == 0)
        return nothing(j);
    TRY(prune_begin_seen(j));
    TRY(prune_auto(j));
    TRY(prune_weights(j));
    TRY(prune_activations(j));
    prune_report(j);
    return TENON_OK;
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    job j = {.host = host, .g = g};
    (void)state;
    j.graph = host->get_interface(host, TENON_GRAPH_1);
    j.tensor = host->get_interface(host, TENON_TENSOR_1);
    j.option = host->get_interface(host, TENON_OPTION_1);
    j.diag = host->get_interface(host, TENON_DIAG_1);
    j.report = host->get_interface(host, TENON_REPORT_1);
    j.eval = host->get_interface(host, TENON_EVAL_1);
    j.opinfo = host->get_interface(host, TENON_OPINFO_1);
    j.criterion = host->get_interface(host, TENON_CRITERION_1);
    j.cost = host->get_interface(host, TENON_COST_1);
    if (j.graph == NULL || j.tensor == NULL || j.option == NULL || j.diag == NULL || j.report == NULL ||
        j.eval == NULL || j.opinfo == NULL || j.criterion == NULL || j.cost == NULL)
        return TENON_PASS_UNSUPPORTED;
    return prune(&j);
}

static const tenon_pass pass = {sizeof pass,
                                0,
                                "prune",
                                "weights that matter little become zeros; channels, heads and neurons leave the graph",
                                "edit",
                                NULL,
                                NULL,
                                prune_options,
                                run,
                                "The weights of Conv, MatMul and Gemm lose a share of their numbers (sparsity=), or of "
                                "their blocks, columns or rows; Gather's\n"
                                "tables (embeddings) do where select= names them. What has gone is zero, and stands in "
                                "an annotation of the node (tenon.mask),\n"
                                "which ONNX files keep: pruned again, it stays zero.\n\n"
                                "prune:method=hessian,sparsity=0.8,calibration=train.npz: 256 samples of train.npz, "
                                "which has an array for each input, say what\n"
                                "the weights multiply; those that stay make up for those that go, layer after layer.\n"
                                "prune:granularity=neuron,sparsity=0.5,method=hessian,calibration=train.npz: half of "
                                "the neurons between two layers leave the "
                                "graph,\n"
                                "which is smaller and faster then, anywhere.\n\n"
                                "select= and keep= choose nodes; a pipeline file gives other options to some of them."};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "prune",
                                    .version = "1.0",
                                    .passes = passes,
                                    .licence = "Apache-2.0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR && host_abi >= TENON_PLUGIN_ABI ? &plugin : NULL;
}
