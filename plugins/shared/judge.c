#include "judge.h"

#include <stdlib.h>
#include <string.h>

enum { PROBES = 64 };

static int64_t largest(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

static int see_output(void *context, int64_t sample, const tenon_tensor *const *values) {
    judge *a = context;
    const float *y = a->tensor->data(values[0]);
    if (a->reference == NULL) {
        a->size = a->tensor->count(values[0]);
        a->reference = pass_room(a->host, (size_t)(a->n * a->size), sizeof *a->reference);
        if (a->reference == NULL)
            return TENON_PASS_RESOURCE;
    }
    float *was = a->reference + sample * a->size;
    if (a->keeps)
        memcpy(was, y, (size_t)a->size * sizeof *y);
    for (int64_t i = 0; i < a->size; i++)
        a->harm += ((double)y[i] - (double)was[i]) * ((double)y[i] - (double)was[i]);
    a->right += largest(y, a->size) == a->tensor->integer(a->labels, sample);
    return TENON_OK;
}

int judge_run(judge *a, int64_t n) {
    a->right = 0;
    a->harm = 0;
    return a->eval->run(a->host, a->g, a->samples, 0, n, &a->output, 1, see_output, a);
}

int judge_is_good(const judge *a) {
    return 100 * (double)(a->before - a->right) <= a->allowed * (double)a->n;
}

int judge_refuse(const tenon_plugin_host *host, const char *text, const char *why) {
    const tenon_diag_1 *diag = host->get_interface(host, TENON_DIAG_1);
    diag->error(host, NULL, "usage", "auto=%s: %s", text, why);
    return TENON_PASS_USAGE;
}

int judge_read(judge *a, const tenon_plugin_host *host, tenon_graph *g, tenon_samples *samples, const char *text) {
    char *end;
    *a = (judge){.host = host, .g = g, .samples = samples};
    a->eval = host->get_interface(host, TENON_EVAL_1);
    a->tensor = host->get_interface(host, TENON_TENSOR_1);
    if (strncmp(text, "accuracy:", 9) != 0)
        return judge_refuse(host, text, "expected accuracy:POINTS; did you mean 'accuracy:0.5'?");
    a->allowed = strtod(text + 9, &end);
    if (end == text + 9 || *end != '\0' || !(a->allowed >= 0 && a->allowed <= 100))
        return judge_refuse(host, text, "expected points from 0 to 100, as in accuracy:0.5");
    return samples != NULL ? TENON_OK : judge_refuse(host, text, "give calibration=FILE.npz, with labels, to judge by");
}

int judge_begin(judge *a, const char *text) {
    const tenon_graph_1 *graph = a->host->get_interface(a->host, TENON_GRAPH_1);
    const tenon_option_1 *option = a->host->get_interface(a->host, TENON_OPTION_1);
    a->labels = a->eval->array(a->host, a->samples, option->text(a->host, "label", NULL));
    if (a->labels == NULL)
        return TENON_PASS_INVALID;
    int64_t wanted = option->integer(a->host, "auto_samples", NULL);
    a->n = a->eval->count(a->host, a->samples, a->g);
    if (a->n < 0 || a->n != a->tensor->count(a->labels))
        return judge_refuse(a->host, text, "the labels are not one for each sample");
    a->n = wanted < a->n ? wanted : a->n;
    a->probes = a->n < PROBES ? a->n : PROBES;
    a->output = graph->output(a->g, 0);
    return graph->element_type(a->output) == TENON_FLOAT ? TENON_OK
                                                         : judge_refuse(a->host, text, "the first output is no float");
}

int judge_reference(judge *a) {
    a->keeps = 1;
    TRY(judge_run(a, a->n));
    a->keeps = 0;
    a->before = a->right;
    return TENON_OK;
}
