/* tenon.eval/1: values of a graph on data. */
#include <string.h>

#include "plugin/engine.h"
#include "plugin/services.h"

static const plugin_engine *engine_of(const tenon_plugin_host *host) {
    pass_host *h = pass_host_of(host);
    if (h->registry->engine == NULL)
        diag_error(h->d, STATUS_UNSUPPORTED, "no-engine", DIAG_NOWHERE,
                   "%s evaluates graphs, which cannot be done here", pass_host_who(h));
    return h->registry->engine;
}

/* A failure that nobody has given a reason for is want of memory. */
static status settle(pass_host *h, status s, size_t errors) {
    if (s == STATUS_RESOURCE && diag_errors(h->d) == errors)
        diag_error(h->d, s, "out-of-memory", DIAG_NOWHERE, "out of memory");
    return s;
}

static tenon_samples *open(const tenon_plugin_host *host, const char *path, const char *const *maps,
                           const char *const *scales) {
    const plugin_engine *e = engine_of(host);
    pass_host *h = pass_host_of(host);
    engine_samples *made;
    size_t errors = diag_errors(h->d);
    if (e == NULL || settle(h, e->open(e, path, maps, scales, h->scratch, h->d, &made), errors) != STATUS_OK)
        return NULL;
    return (tenon_samples *)made;
}

static int64_t count(const tenon_plugin_host *host, tenon_samples *samples, const tenon_graph *g) {
    const plugin_engine *e = engine_of(host);
    pass_host *h = pass_host_of(host);
    size_t errors = diag_errors(h->d);
    int64_t n;
    if (e == NULL || settle(h, e->count(e, (engine_samples *)samples, plugin_graph_of(g), &n), errors) != STATUS_OK)
        return -1;
    return n;
}

static const tenon_tensor *array_of(const tenon_plugin_host *host, tenon_samples *samples, const char *name) {
    const plugin_engine *e = engine_of(host);
    pass_host *h = pass_host_of(host);
    size_t errors = diag_errors(h->d);
    const tensor *t;
    if (e == NULL || settle(h, e->array(e, (engine_samples *)samples, name, h->d, &t), errors) != STATUS_OK)
        return NULL;
    return (const tenon_tensor *)t;
}

/* ---- running ---- */

typedef struct running {
    int (*each)(void *context, int64_t sample, const tenon_tensor *const *values);
    void *context;
    const tenon_tensor **values;
    int n;
} running;

static int hand_on(void *ctx, int64_t sample, const tensor *outputs) {
    running *r = ctx;
    for (int i = 0; i < r->n; i++)
        r->values[i] = (const tenon_tensor *)&outputs[i];
    return r->each(r->context, sample, r->values);
}

static status set_outputs(graph *g, tenon_value *const *values, int n) {
    while (g->outputs.n > 0)
        TRY(graph_remove_output(g, (int)g->outputs.n - 1));
    for (int i = 0; i < n; i++) {
        const char *name = plugin_value(values[i])->name;
        TRY(graph_add_output(g, graph_find_value(g, name), name));
    }
    return STATUS_OK;
}

static int run(const tenon_plugin_host *host, const tenon_graph *from, tenon_samples *samples, int64_t first, int64_t n,
               tenon_value *const *values, int n_values,
               int (*each)(void *context, int64_t sample, const tenon_tensor *const *values), void *context) {
    const plugin_engine *e = engine_of(host);
    pass_host *h = pass_host_of(host);
    running r = {each, context, ARENA_NEW_N(h->scratch, const tenon_tensor *, n_values + 1), n_values};
    if (e == NULL)
        return TENON_PASS_UNSUPPORTED;
    graph *g = graph_copy(plugin_graph_of(from));
    int code = TENON_OK;
    status s = r.values != NULL && g != NULL ? set_outputs(g, values, n_values) : STATUS_RESOURCE;
    if (s == STATUS_OK)
        s = e->run(e, (engine_samples *)samples, g, first, n, hand_on, &r, &code);
    graph_free(g);
    return s == STATUS_OK ? code : (int)s;
}

const tenon_eval_1 plugin_eval = {sizeof plugin_eval, open, count, run, array_of};
