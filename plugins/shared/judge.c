#include "judge.h"

#include <math.h>
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
    if (a->labels != NULL)
        a->right += (double)largest(y, a->size) == a->tensor->real(a->labels, sample);
    return TENON_OK;
}

int judge_run(judge *a, int64_t n) {
    a->right = 0;
    a->harm = 0;
    return a->eval->run(a->host, a->g, a->samples, 0, n, &a->output, 1, see_output, a);
}

int judge_lost_at_most(const judge *a, double points) {
    return 100 * (double)(a->before - a->right) <= points * (double)a->n;
}

int judge_refuse(const judge *a, const char *why) {
    const tenon_diag_1 *diag = a->host->get_interface(a->host, TENON_DIAG_1);
    diag->error(a->host, NULL, "usage", "auto=%s: %s", a->text, why);
    return TENON_PASS_USAGE;
}

void judge_begin(judge *a, const tenon_plugin_host *host, const char *text) {
    *a = (judge){.host = host, .text = text};
    a->eval = host->get_interface(host, TENON_EVAL_1);
    a->tensor = host->get_interface(host, TENON_TENSOR_1);
}

int judge_open(judge *a, tenon_graph *g, tenon_samples *samples) {
    const tenon_graph_1 *graph = a->host->get_interface(a->host, TENON_GRAPH_1);
    const tenon_option_1 *option = a->host->get_interface(a->host, TENON_OPTION_1);
    a->g = g;
    a->samples = samples;
    if (samples == NULL)
        return judge_refuse(a, "give calibration=FILE.npz to judge by");
    int64_t wanted = option->integer(a->host, "auto_samples", NULL);
    a->n = a->eval->count(a->host, samples, g);
    if (a->n < 0)
        return TENON_PASS_INVALID;
    a->n = wanted < a->n ? wanted : a->n;
    a->probes = a->n < PROBES ? a->n : PROBES;
    a->output = graph->output(g, 0);
    return graph->element_type(a->output) == TENON_FLOAT ? TENON_OK : judge_refuse(a, "the first output is no float");
}

int judge_find_labels(judge *a) {
    const tenon_option_1 *option = a->host->get_interface(a->host, TENON_OPTION_1);
    a->labels = a->eval->array(a->host, a->samples, option->text(a->host, "label", NULL));
    if (a->labels == NULL)
        return TENON_PASS_INVALID;
    return a->eval->count(a->host, a->samples, a->g) == a->tensor->count(a->labels)
               ? TENON_OK
               : judge_refuse(a, "the labels are not one for each sample");
}

static int check_labels(const judge *a) {
    const tenon_diag_1 *diag = a->host->get_interface(a->host, TENON_DIAG_1);
    for (int64_t i = 0; a->labels != NULL && i < a->n; i++) {
        const double label = a->tensor->real(a->labels, i);
        if (label >= 0 && label < (double)a->size && label == floor(label))
            continue;
        diag->error(a->host, NULL, "label",
                    "auto=%s: the label of sample %lld is %g; the first output has classes 0 to %lld", a->text,
                    (long long)i, label, (long long)a->size - 1);
        return TENON_PASS_INVALID;
    }
    return TENON_OK;
}

int judge_reference(judge *a) {
    a->keeps = 1;
    TRY(judge_run(a, a->n));
    TRY(check_labels(a));
    a->keeps = 0;
    a->before = a->right;
    return TENON_OK;
}
