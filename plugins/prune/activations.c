/* Activations: what is below a threshold becomes zero, by Shrink in front of what multiplies. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "prune.h"

/* Magnitudes by the upper half of their float: 128 bins for each power of two. */
enum { BINS = 1 << 15 };

static int bin_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int)(bits >> 16 & (BINS - 1));
}

/* The largest magnitude of a bin. */
static float top_of(int bin) {
    uint32_t bits = (uint32_t)bin << 16 | 0xffff;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    const job *j = context;
    (void)sample;
    for (int a = 0; a < j->n_activations; a++) {
        const float *x = j->tensor->data(values[a]);
        for (int64_t i = 0; i < j->tensor->count(values[a]); i++)
            j->activations[a].bins[x[i] == 0 ? 0 : bin_of(x[i])]++;
    }
    return TENON_OK;
}

/* The threshold whose share of zeros is nearest, from above, to what is asked for. */
static void choose(activation *a, double wanted) {
    int64_t all = 0, below = 0;
    for (int i = 0; i < BINS; i++)
        all += a->bins[i];
    if (all == 0)
        return;
    a->was = (double)a->bins[0] / (double)all;
    for (int i = 0; i < BINS; i++) {
        below += a->bins[i];
        a->sparsity = (double)below / (double)all;
        a->threshold = i > 0 ? (double)top_of(i) : 0;
        if (a->sparsity >= wanted)
            return;
    }
}

/* ---- which ---- */

static int add_activation(job *j, const weight *w) {
    tenon_value *v = j->graph->node_input(w->node, 0);
    double wanted = j->option->real(j->host, "activation_sparsity", w->node);
    if (wanted == 0 || prune_is_op(j, w->node, "Gather") || v == NULL || j->graph->constant(v) != NULL)
        return TENON_OK;
    for (int a = 0; a < j->n_activations; a++)
        if (j->activations[a].value == v)
            return TENON_OK;
    activation *a = &j->activations[j->n_activations++];
    a->value = v;
    a->sparsity = wanted;
    a->bins = prune_room(j, BINS, sizeof *a->bins);
    return a->bins != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

/* In front of the nodes whose weights are pruned, not of others that read the value. */
static int insert(job *j, const activation *a) {
    char attributes[64];
    tenon_node *shrink = NULL;
    if (a->threshold == 0)
        return TENON_OK;
    sprintf(attributes, "lambd=%.9g, bias=0.0", a->threshold);
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        if (j->graph->node_input(w->node, 0) != a->value || prune_is_op(j, w->node, "Gather"))
            continue;
        if (shrink == NULL)
            shrink = j->graph->insert_before(j->host, j->g, w->node, 0, "Shrink", attributes);
        else
            TRY(j->graph->set_input(j->host, w->node, 0, j->graph->node_output(shrink, 0)));
        if (shrink == NULL)
            return TENON_PASS_RESOURCE;
    }
    return TENON_OK;
}

int prune_activations(job *j) {
    j->activations = prune_room(j, (size_t)j->n_weights + 1, sizeof *j->activations);
    tenon_value **values = prune_room(j, (size_t)j->n_weights + 1, sizeof *values);
    if (j->activations == NULL || values == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_weights; i++)
        TRY(add_activation(j, &j->weights[i]));
    if (j->n_activations == 0)
        return TENON_OK;
    if (j->samples == NULL) {
        j->diag->error(j->host, NULL, "no-calibration",
                       "activation_sparsity=: without data, nobody knows what values are small");
        j->diag->note(j->host, "give calibration=FILE.npz");
        return TENON_PASS_USAGE;
    }
    for (int a = 0; a < j->n_activations; a++)
        values[a] = j->activations[a].value;
    TRY(j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, values, j->n_activations, see, j));
    for (int a = 0; a < j->n_activations; a++) {
        choose(&j->activations[a], j->activations[a].sparsity);
        TRY(insert(j, &j->activations[a]));
    }
    return TENON_OK;
}
