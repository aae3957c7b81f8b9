/* A plugin that was built when the ABI became 1.0 (specimen-1.0.so, as specimen.sh says), and has to load ever since.
 * Its pass uses every interface, its criterion is used by it and by others. Needs no libc. */
#include <tenon/plugin.h>

/* All interfaces. */
typedef struct offers {
    const tenon_diag_1 *diag;
    const tenon_option_1 *option;
    const tenon_tensor_1 *tensor;
    const tenon_graph_1 *graph;
    const tenon_opinfo_1 *opinfo;
    const tenon_eval_1 *eval;
    const tenon_criterion_1 *criterion;
    const tenon_cost_1 *cost;
    const tenon_report_1 *report;
} offers;

static int ask(const tenon_plugin_host *host, offers *o) {
    o->diag = host->get_interface(host, TENON_DIAG_1);
    o->option = host->get_interface(host, TENON_OPTION_1);
    o->tensor = host->get_interface(host, TENON_TENSOR_1);
    o->graph = host->get_interface(host, TENON_GRAPH_1);
    o->opinfo = host->get_interface(host, TENON_OPINFO_1);
    o->eval = host->get_interface(host, TENON_EVAL_1);
    o->criterion = host->get_interface(host, TENON_CRITERION_1);
    o->cost = host->get_interface(host, TENON_COST_1);
    o->report = host->get_interface(host, TENON_REPORT_1);
    return o->diag != NULL && o->option != NULL && o->tensor != NULL && o->graph != NULL && o->opinfo != NULL &&
           o->eval != NULL && o->criterion != NULL && o->cost != NULL && o->report != NULL;
}

/* ---- the criterion: the place from the end ---- */

static int score(const tenon_plugin_host *host, void *state, const tenon_graph *graph, const tenon_node *node,
                 int input, tenon_samples *samples, int64_t n, double *scores) {
    offers o;
    (void)state, (void)graph, (void)samples, (void)n;
    if (!ask(host, &o))
        return TENON_PASS_UNSUPPORTED;
    int64_t count = o.tensor->count(o.graph->constant(o.graph->node_input(node, input)));
    for (int64_t i = 0; i < count; i++)
        scores[i] = (double)(count - i);
    return TENON_OK;
}

static const tenon_criterion from_the_end = {
    .struct_size = sizeof from_the_end, .name = "from-the-end", .help = "the last go first", .score = score};
static const tenon_criterion *const criteria[] = {&from_the_end, NULL};

/* ---- the pass ---- */

static const char *const ways[] = {"times", "plus", NULL};
static const tenon_option by = {.struct_size = sizeof by,
                                .kind = TENON_OPTION_FLOAT,
                                .name = "by",
                                .argument = "X",
                                .help = "what the constants are multiplied by, or what is added",
                                .default_value = "2",
                                .least = -100,
                                .most = 100};
static const tenon_option way = {.struct_size = sizeof way,
                                 .kind = TENON_OPTION_ENUM,
                                 .name = "way",
                                 .argument = "WAY",
                                 .help = "times or plus",
                                 .default_value = "times",
                                 .choices = ways};
static const tenon_option nodes = {.struct_size = sizeof nodes,
                                   .kind = TENON_OPTION_SELECTOR,
                                   .name = "nodes",
                                   .argument = "NODES",
                                   .help = "whose constants are changed",
                                   .default_value = "op:MatMul"};
static const tenon_option data = {.struct_size = sizeof data,
                                  .kind = TENON_OPTION_STRING,
                                  .name = "data",
                                  .argument = "FILE.npz",
                                  .help = "to evaluate the model on"};
static const tenon_option *const options[] = {&by, &way, &nodes, &data, NULL};

static double changed(const tenon_plugin_host *host, const offers *o, const tenon_node *n, double x) {
    double y = o->option->real(host, "by", n);
    return o->option->text(host, "way", n)[0] == 't' ? x * y : x + y;
}

/* Input 1 of the node becomes another constant; the scores of the one that was are added up. */
static int change(const tenon_plugin_host *host, const offers *o, tenon_graph *g, tenon_node *n, double *sum) {
    tenon_value *old = o->graph->node_input(n, 1);
    const tenon_tensor *t = old != NULL ? o->graph->constant(old) : NULL;
    if (t == NULL || o->tensor->element_type(t) != TENON_FLOAT)
        return TENON_OK;
    int64_t count = o->tensor->count(t);
    float *x = host->scratch(host, (size_t)count * sizeof *x);
    double *scores = host->scratch(host, (size_t)count * sizeof *scores);
    if (x == NULL || scores == NULL)
        return TENON_PASS_RESOURCE;
    int code = o->criterion->score(host, "from-the-end", g, n, 1, NULL, 0, scores);
    for (int64_t i = 0; i < count; i++) {
        *sum += scores[i];
        x[i] = (float)changed(host, o, n, o->tensor->real(t, i));
    }
    tenon_tensor *made = o->tensor->make(host, g, TENON_FLOAT, o->tensor->rank(t), o->tensor->dims(t), x);
    tenon_value *v = made != NULL ? o->graph->add_constant(host, g, "changed", made) : NULL;
    const tenon_change one = {.node = n, .input = 1, .value = v};
    code = code != TENON_OK ? code : v == NULL ? TENON_PASS_RESOURCE : o->graph->change(host, g, &one, 1);
    code = code != TENON_OK ? code : o->graph->annotate(host, n, "specimen", "changed");
    return code != TENON_OK || o->graph->uses(old) > 0 ? code : o->graph->remove_value(host, g, old);
}

typedef struct adding {
    const offers *o;
    double sum;
    int64_t samples;
} adding;

static int add(void *context, int64_t sample, const tenon_tensor *const *values) {
    adding *a = context;
    (void)sample;
    a->samples++;
    for (int64_t i = 0; i < a->o->tensor->count(values[0]); i++)
        a->sum += a->o->tensor->real(values[0], i);
    return TENON_OK;
}

/* The sum of the model's first output; whose shapes are known then. */
static int evaluate(const tenon_plugin_host *host, const offers *o, const tenon_graph *g) {
    const char *path = o->option->text(host, "data", NULL);
    adding a = {.o = o};
    if (path == NULL)
        return TENON_OK;
    tenon_samples *samples = o->eval->open(host, path, NULL, NULL);
    int64_t n = samples != NULL ? o->eval->count(host, samples, g) : -1;
    tenon_value *y = o->graph->output(g, 0);
    int code = n < 0 ? TENON_PASS_INVALID : o->eval->run(host, g, samples, 0, n, &y, 1, add, &a);
    o->report->integer(host, "samples", a.samples);
    o->report->real(host, "sum", a.sum);
    o->report->integer(host, "takes_time", o->cost->cycles(host, g, "generic") > 0);
    return code;
}

/* What is behind a MatMul's columns; how many Relus there are. */
static void look(const tenon_plugin_host *host, const offers *o, const tenon_graph *g) {
    int64_t relus = 0, macs = 0;
    o->report->begin_list(host, "axes");
    for (tenon_node *n = o->graph->first(g); n != NULL; n = o->graph->next(n)) {
        tenon_match m = {.struct_size = sizeof m};
        relus += o->graph->match(host, o->graph->node_output(n, 0), "Relu(x)", &m);
        macs += o->cost->macs(host, n);
        o->report->integer(host, NULL, o->opinfo->axis(host, n, 0, 1));
    }
    o->report->end(host);
    o->report->integer(host, "relus", relus);
    o->report->integer(host, "macs", macs);
    o->report->text(host, "text", o->graph->print(host, g) != NULL ? "is there" : "is not");
    o->report->text(host, "nearest", o->diag->nearest(host, "tims", ways, 2));
}

static int run(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    offers o;
    double sum = 0;
    int64_t n_changed = 0;
    if (!ask(host, &o))
        return TENON_PASS_UNSUPPORTED;
    for (tenon_node *n = o.graph->first(g); n != NULL; n = o.graph->next(n)) {
        if (!o.option->selects(host, "nodes", n))
            continue;
        int code = change(host, &o, g, n, &sum);
        if (code != TENON_OK)
            return code;
        n_changed++;
    }
    if (n_changed == 0) {
        o.diag->error(host, NULL, "nothing-to-do", "nodes= selects none of %d nodes", o.graph->nodes(g));
        return TENON_PASS_USAGE;
    }
    if (n_changed > 1) {
        o.diag->warning(host, o.graph->first(g), "several", "%d nodes are changed", (int)n_changed);
        o.diag->note(host, "this is said of %s", "the first");
    }
    o.report->line(host, "%d nodes changed, opened %s", (int)n_changed, *(const int *)state == 1 ? "once" : "often");
    o.report->integer(host, "changed", n_changed);
    o.report->real(host, "scores", sum);
    look(host, &o, g);
    return evaluate(host, &o, g);
}

/* ---- the plugin ---- */

static const int opened = 1;

static int open(const tenon_plugin_host *host, void **state) {
    *state = (void *)(uintptr_t)&opened;
    return host->scratch(host, 16) != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

static void close(void *state) {
    (void)state;
}

static const tenon_pass pass = {.struct_size = sizeof pass,
                                .name = "specimen",
                                .help = "changes constants, and says what it sees",
                                .stage = "edit",
                                .options = options,
                                .run = run,
                                .doc = "For the tests of later versions."};
static const tenon_pass *const passes[] = {&pass, NULL};
static const tenon_plugin plugin = {.struct_size = sizeof plugin,
                                    .abi = TENON_PLUGIN_ABI,
                                    .name = "specimen",
                                    .version = "1.0",
                                    .passes = passes,
                                    .open = open,
                                    .close = close,
                                    .licence = "Apache-2.0",
                                    .criteria = criteria};

const tenon_plugin *tenon_plugin_query(uint32_t host_abi) {
    return host_abi >> 16 == TENON_PLUGIN_ABI_MAJOR && host_abi >= TENON_PLUGIN_ABI ? &plugin : NULL;
}
