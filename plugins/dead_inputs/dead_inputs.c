/* dead_inputs: what a model was exported with and an application does not need goes: inputs, the outputs and nodes
 * behind them, weights.
 *
 * The pass looks at everything first (snapshot), reads what is asked for (drop=, keep=, bind=), follows from node to
 * node what depends on what (trace), and only then changes the graph. The host's clean-up computes what has become
 * constant; what nobody needs then goes, too.
 */
#include <string.h>

#include "dead_inputs.h"

entry *dead_find(entry *list, int n, const char *name, size_t bytes) {
    for (int i = 0; i < n; i++)
        if (strlen(list[i].name) == bytes && strncmp(list[i].name, name, bytes) == 0)
            return &list[i];
    return NULL;
}

int dead_is_removed(const entry *e) {
    return e->fate == DROPPED || e->fate == NOT_KEPT;
}

/* ---- a picture of what there is, since handles and texts do not outlive changes ---- */

const char *dead_copy(const job *j, const char *text) {
    char *own = j->host->scratch(j->host, strlen(text) + 1);
    return own != NULL ? strcpy(own, text) : "?";
}

static entry describe(const job *j, const tenon_value *v, const char *name) {
    entry e = {dead_copy(j, name), dead_copy(j, j->graph->type_text(j->host, v)), STAYS, 0, NULL};
    return e;
}

static size_t slot_of(const job *j, const tenon_node *n) {
    size_t at = (size_t)((uintptr_t)n >> 4) % j->n_slots;
    while (j->slots[at] != 0 && j->rows[j->slots[at] - 1].node != n)
        at = (at + 1) % j->n_slots;
    return at;
}

static const char *first_output(const job *j, const tenon_node *n) {
    for (int i = 0; i < j->graph->node_outputs(n); i++)
        if (j->graph->node_output(n, i) != NULL)
            return j->graph->value_name(j->graph->node_output(n, i));
    return "";
}

static void add_row(job *j, tenon_node *n) {
    row *r = &j->rows[j->n_rows++];
    *r = (row){n,
               dead_copy(j, j->graph->node_name(n)),
               dead_copy(j, j->graph->op(n)),
               dead_copy(j, first_output(j, n)),
               -1,
               -1,
               -1,
               0};
    j->slots[slot_of(j, n)] = j->n_rows;
}

row *dead_row_of(const job *j, const tenon_node *n) {
    return &j->rows[j->slots[slot_of(j, n)] - 1];
}

static int snapshot(job *j) {
    const tenon_graph_1 *graph = j->graph;
    size_t n = (size_t)graph->nodes(j->g);
    j->n_inputs = graph->inputs(j->g);
    j->n_outputs = graph->outputs(j->g);
    j->n_slots = 2 * n + 1;
    j->inputs = j->host->scratch(j->host, ((size_t)j->n_inputs + 1) * sizeof *j->inputs);
    j->outputs = j->host->scratch(j->host, ((size_t)j->n_outputs + 1) * sizeof *j->outputs);
    j->rows = j->host->scratch(j->host, (n + 1) * sizeof *j->rows);
    j->slots = j->host->scratch(j->host, j->n_slots * sizeof *j->slots);
    if (j->inputs == NULL || j->outputs == NULL || j->rows == NULL || j->slots == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_inputs; i++)
        j->inputs[i] = describe(j, graph->input(j->g, i), graph->value_name(graph->input(j->g, i)));
    for (int i = 0; i < j->n_outputs; i++)
        j->outputs[i] = describe(j, graph->output(j->g, i), graph->output_name(j->g, i));
    for (tenon_node *node = graph->first(j->g); node != NULL; node = graph->next(node))
        add_row(j, node);
    return TENON_OK;
}

/* Parameters as `tenon inspect` counts them: more than one number, and neither indices nor flags. */
static totals count(const job *j) {
    totals t = {j->graph->nodes(j->g), 0, 0, 0};
    for (const tenon_value *v = j->graph->first_value(j->g); v != NULL; v = j->graph->next_value(v)) {
        const tenon_tensor *x = j->graph->constant(v);
        if (x == NULL || j->graph->uses(v) == 0 || j->tensor->count(x) <= 1 ||
            j->tensor->element_type(x) == TENON_INT64 || j->tensor->element_type(x) == TENON_BOOL)
            continue;
        t.parameters += j->tensor->count(x);
        t.bytes += (int64_t)j->tensor->bytes(x);
    }
    for (const tenon_node *n = j->graph->first(j->g); n != NULL && t.macs >= 0; n = j->graph->next(n)) {
        int64_t macs = j->cost->macs(j->host, n);
        t.macs = macs < 0 ? -1 : t.macs + macs;
    }
    return t;
}

/* ---- the pass ---- */

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    job j = {.host = host, .g = g};
    (void)state;
    j.graph = host->get_interface(host, TENON_GRAPH_1);
    j.tensor = host->get_interface(host, TENON_TENSOR_1);
    j.option = host->get_interface(host, TENON_OPTION_1);
    j.diag = host->get_interface(host, TENON_DIAG_1);
    j.cost = host->get_interface(host, TENON_COST_1);
    j.report = host->get_interface(host, TENON_REPORT_1);
    if (j.graph == NULL || j.tensor == NULL || j.option == NULL || j.diag == NULL || j.cost == NULL || j.report == NULL)
        return TENON_PASS_UNSUPPORTED;
    TRY(snapshot(&j));
    j.before = count(&j);
    TRY(dead_read_asked(&j));
    TRY(dead_change(&j));
    j.after = count(&j);
    dead_report(&j);
    return TENON_OK;
}

static const tenon_option option_drop = {sizeof option_drop,
                                         TENON_OPTION_LIST,
                                         "drop",
                                         "NAME,...",
                                         "inputs that go with all that depends on them, and outputs",
                                         NULL,
                                         0,
                                         0,
                                         NULL};
static const tenon_option option_bind = {sizeof option_bind,
                                         TENON_OPTION_LIST,
                                         "bind",
                                         "INPUT=X,...",
                                         "inputs that become constants: a number or a .npy file",
                                         NULL,
                                         0,
                                         0,
                                         NULL};
static const tenon_option option_keep = {sizeof option_keep,
                                         TENON_OPTION_LIST,
                                         "keep",
                                         "NAME,...",
                                         "the inputs, and the outputs, that stay: all others go",
                                         NULL,
                                         0,
                                         0,
                                         NULL};
static const tenon_option *const options[] = {&option_drop, &option_bind, &option_keep, NULL};

static const tenon_pass pass = {
    sizeof pass,
    TENON_PASS_KEEPS_NUMBERS,
    "dead_inputs",
    "inputs, nodes, weights and outputs that nobody needs are removed",
    "edit",
    NULL,
    NULL,
    options,
    run,
    "Without options: an input that reaches no output goes, and an output that tells nothing: a constant, another "
    "output again, or an\n"
    "input as it was fed. One output always stays. What only they needed goes with them.\n\n"
    "drop=labels: the input goes with every node and every output that depends on it, such as a loss. An output may be "
    "named, too.\n\n"
    "bind=attention_mask=1: the input becomes a constant, one number for all its elements or what a .npy file holds. "
    "What follows from\n"
    "it is computed, and a mask that changes nothing disappears: the model is as if it had been exported without the "
    "input. The data\n"
    "that are fed have to be such that it holds: with a mask of ones, sequences without padding.\n\n"
    "keep=input_ids,logits: the inverse. Where an input is named, all inputs that are neither named nor bound go as "
    "with drop=; where an\n"
    "output is named, all other outputs go. What is named stays, needed or not.\n\n"
    "The report tells what went and why, and counts nodes, parameters, bytes and multiply-accumulates before and "
    "after."};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "dead_inputs",
                                    .version = "1.0",
                                    .passes = passes,
                                    .licence = "Apache-2.0"};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR && host_abi >= TENON_PLUGIN_ABI ? &plugin : NULL;
}
