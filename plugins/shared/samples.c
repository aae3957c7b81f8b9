#include "samples.h"

#include <math.h>

/* A list option as a NULL-terminated array. */
static const char *const *texts_of(const tenon_plugin_host *host, const char *name) {
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    size_t n = option->count(host, name, NULL);
    const char **list = pass_room(host, n + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++)
        list[i] = option->item(host, name, NULL, i);
    return list;
}

typedef struct search {
    const tenon_plugin_host *host;
    const tenon_tensor_1 *tensor;
    const tenon_diag_1 *diag;
    const char *path;
    const char **names; /* of the inputs */
    int n;
} search;

static int is_float(int type) {
    return type == TENON_FLOAT || type == TENON_DOUBLE || type == TENON_FLOAT16 || type == TENON_BFLOAT16;
}

static int refuse_odd(void *context, int64_t sample, const tenon_tensor *const *values) {
    const search *s = context;
    for (int i = 0; i < s->n; i++)
        for (int64_t k = 0, n = s->tensor->count(values[i]); k < n; k++) {
            const double x = s->tensor->real(values[i], k);
            if (isfinite(x))
                continue;
            s->diag->error(s->host, NULL, "not-finite", "calibration=%s: sample %lld of input '%s' has %g", s->path,
                           (long long)sample, s->names[i], x);
            return TENON_PASS_INVALID;
        }
    return TENON_OK;
}

/* One number that is none makes everything that is measured of a layer none. */
static int check_finite(search *s, const tenon_graph *g, tenon_samples *samples, int64_t n) {
    const tenon_eval_1 *eval = s->host->get_interface(s->host, TENON_EVAL_1);
    const tenon_graph_1 *graph = s->host->get_interface(s->host, TENON_GRAPH_1);
    const int n_inputs = graph->inputs(g);
    tenon_value **values = pass_room(s->host, (size_t)n_inputs + 1, sizeof *values);
    s->names = pass_room(s->host, (size_t)n_inputs + 1, sizeof *s->names);
    if (values == NULL || s->names == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n_inputs; i++) {
        tenon_value *v = graph->input(g, i);
        if (!is_float(graph->element_type(v)))
            continue;
        s->names[s->n] = graph->value_name(v);
        values[s->n++] = v;
    }
    return s->n > 0 ? eval->run(s->host, g, samples, 0, n, values, s->n, refuse_odd, s) : TENON_OK;
}

int samples_open(const tenon_plugin_host *host, const tenon_graph *g, tenon_samples **out, int64_t *out_n) {
    const tenon_option_1 *option = host->get_interface(host, TENON_OPTION_1);
    const tenon_eval_1 *eval = host->get_interface(host, TENON_EVAL_1);
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    const char *path = option->text(host, "calibration", NULL);
    if (path == NULL)
        return TENON_OK;
    const char *const *maps = texts_of(host, "calibration_map"), *const *scales = texts_of(host, "calibration_scale");
    if (maps == NULL || scales == NULL)
        return TENON_PASS_RESOURCE;
    *out = eval->open(host, path, maps, scales);
    if (*out == NULL)
        return TENON_PASS_INVALID;
    int64_t wanted = option->integer(host, "samples", NULL);
    *out_n = eval->count(host, *out, g);
    if (*out_n < 0)
        return TENON_PASS_INVALID;
    if (*out_n == 0) {
        diag->error(host, NULL, "no-data", "calibration=%s: the file has no samples", path);
        return TENON_PASS_INVALID;
    }
    int64_t judged = option->integer(host, "auto_samples", NULL), most = judged > wanted ? judged : wanted;
    search s = {.host = host, .tensor = host->get_interface(host, TENON_TENSOR_1), .diag = diag, .path = path};
    TRY(check_finite(&s, g, *out, most < *out_n ? most : *out_n));
    *out_n = wanted < *out_n ? wanted : *out_n;
    return TENON_OK;
}
