/* auto=accuracy:POINTS: as many zeros as lose no more.
 *
 * Each weight alone is pruned to each of some levels, and what that does to the model's output is measured: the harm.
 * For a price of harm, each weight takes the level at which its zeros less the price of its harm are most; harms add
 * up, nearly, so no other choice has as many zeros for as much harm. Which price it may be, the labelled samples say.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"

static const double levels[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
enum { N_LEVELS = sizeof levels / sizeof *levels, STEPS = 9, PROBES = 64 };

typedef struct candidate {
    double harm[N_LEVELS];
    float *pruned[N_LEVELS];
    int level, best;
} candidate;

typedef struct judging {
    job *j;
    candidate *of; /* each weight */
    const tenon_tensor *labels;
    tenon_value *output;
    int64_t n, probes; /* samples to judge by; to measure harm by */
    int64_t size;      /* elements of the output */
    float *reference;  /* of the model as it was */
    int keeps;         /* the reference is being made */
    int64_t right;
    double harm;
    double allowed; /* points */
} judging;

/* ---- running the model ---- */

static int64_t largest(const float *x, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    judging *a = context;
    const job *j = a->j;
    const float *y = j->tensor->data(values[0]);
    if (a->reference == NULL) {
        a->size = j->tensor->count(values[0]);
        a->reference = prune_room(j, (size_t)(a->n * a->size), sizeof *a->reference);
        if (a->reference == NULL)
            return TENON_PASS_RESOURCE;
    }
    float *was = a->reference + sample * a->size;
    if (a->keeps)
        memcpy(was, y, (size_t)a->size * sizeof *y);
    for (int64_t i = 0; i < a->size; i++)
        a->harm += ((double)y[i] - (double)was[i]) * ((double)y[i] - (double)was[i]);
    a->right += largest(y, a->size) == j->tensor->integer(a->labels, sample);
    return TENON_OK;
}

static int run(judging *a, int64_t n) {
    a->right = 0;
    a->harm = 0;
    return a->j->eval->run(a->j->host, a->j->g, a->j->samples, 0, n, &a->output, 1, see, a);
}

/* ---- harm ---- */

static int try_level(judging *a, weight *w, const unsigned char *keep, int level) {
    job *j = a->j;
    candidate *c = &a->of[w - j->weights];
    c->pruned[level] = prune_room(j, (size_t)w->count, sizeof(float));
    if (c->pruned[level] == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(w->keep, keep, (size_t)w->count);
    w->share = levels[level];
    TRY(weight_prune(j, w));
    memcpy(c->pruned[level], w->pruned, (size_t)w->count * sizeof(float));
    TRY(weight_put(j, w, w->pruned));
    TRY(run(a, a->probes));
    c->harm[level] = a->harm;
    memcpy(w->keep, keep, (size_t)w->count);
    return weight_put(j, w, w->x);
}

static int measure(judging *a) {
    job *j = a->j;
    for (weight *w = j->weights; w < j->weights + j->n_weights; w++) {
        unsigned char *keep = prune_room(j, (size_t)w->count, 1);
        if (keep == NULL)
            return TENON_PASS_RESOURCE;
        memcpy(keep, w->keep, (size_t)w->count);
        TRY(weight_see(j, w));
        a->of[w - j->weights].pruned[0] = w->x;
        for (int level = 1; level < N_LEVELS; level++)
            TRY(try_level(a, w, keep, level));
    }
    return TENON_OK;
}

/* ---- the price ---- */

/* Each weight's best level where harm costs `price` zeros. */
static void choose(judging *a, double price) {
    for (int i = 0; i < a->j->n_weights; i++) {
        candidate *c = &a->of[i];
        double most = -INFINITY;
        for (int level = 0; level < N_LEVELS; level++) {
            double gain = levels[level] * (double)a->j->weights[i].count - price * c->harm[level];
            if (gain > most) {
                most = gain;
                c->level = level;
            }
        }
    }
}

static int judge(judging *a, int64_t right, int *out_good) {
    job *j = a->j;
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], a->of[i].pruned[a->of[i].level]));
    TRY(run(a, a->n));
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], j->weights[i].x));
    *out_good = 100 * (double)(right - a->right) <= a->allowed * (double)a->n;
    return TENON_OK;
}

/* Between the price at which all take the last level and the one at which none takes any, by halves of the logarithm.
 */
static int search(judging *a, int64_t right) {
    job *j = a->j;
    double low = INFINITY, high = 1e-12;
    for (int i = 0; i < j->n_weights; i++)
        for (int level = 1; level < N_LEVELS; level++) {
            double price = (double)j->weights[i].count / (a->of[i].harm[level] + 1e-12);
            low = price < low ? price : low;
            high = price > high ? price : high;
        }
    low *= 1e-2;
    for (int step = 0; step < STEPS; step++) {
        double price = sqrt(low * high);
        int good;
        choose(a, price);
        TRY(judge(a, right, &good));
        if (!good) {
            low = price;
            continue;
        }
        high = price;
        j->lost = right - a->right;
        for (int i = 0; i < j->n_weights; i++)
            a->of[i].best = a->of[i].level;
    }
    for (int i = 0; i < j->n_weights; i++)
        j->weights[i].share = levels[a->of[i].best];
    j->judged = a->n;
    return TENON_OK;
}

/* ---- all ---- */

static int refuse(const job *j, const char *text, const char *why) {
    j->diag->error(j->host, NULL, "usage", "auto=%s: %s", text, why);
    return TENON_PASS_USAGE;
}

static int check(const job *j, const char *text) {
    if (j->is_global || j->option->given(j->host, "sparsity"))
        return refuse(j, text, "it chooses each layer's sparsity: leave sparsity= and scope=global away");
    for (int i = 0; i < j->n_weights; i++)
        if (j->weights[i].how.by == BY_N_OF_M)
            return refuse(j, text, "granularity=N:M says the sparsity: there is nothing to choose");
    return j->n_weights > 0 && j->n_structures == 0
               ? TENON_OK
               : refuse(j, text, "it is for elements, blocks and columns, not for what leaves the graph");
}

static int begin(judging *a, const char *text) {
    const job *j = a->j;
    char *end;
    if (strncmp(text, "accuracy:", 9) != 0)
        return refuse(j, text, "expected accuracy:POINTS; did you mean 'accuracy:0.5'?");
    a->allowed = strtod(text + 9, &end);
    if (end == text + 9 || *end != '\0' || !(a->allowed >= 0 && a->allowed <= 100))
        return refuse(j, text, "expected points from 0 to 100, as in accuracy:0.5");
    if (j->samples == NULL)
        return refuse(j, text, "give calibration=FILE.npz, with labels, to judge by");
    TRY(check(j, text));
    a->labels = j->eval->array(j->host, j->samples, j->option->text(j->host, "label", NULL));
    if (a->labels == NULL)
        return TENON_PASS_INVALID;
    int64_t wanted = j->option->integer(j->host, "auto_samples", NULL);
    a->n = j->eval->count(j->host, j->samples, j->g);
    if (a->n < 0 || a->n != j->tensor->count(a->labels))
        return refuse(j, text, "the labels are not one for each sample");
    a->n = wanted < a->n ? wanted : a->n;
    a->probes = a->n < PROBES ? a->n : PROBES;
    a->output = j->graph->output(j->g, 0);
    a->of = prune_room(j, (size_t)j->n_weights, sizeof *a->of);
    if (a->of == NULL)
        return TENON_PASS_RESOURCE;
    return j->graph->element_type(a->output) == TENON_FLOAT ? TENON_OK
                                                            : refuse(j, text, "the first output is no float");
}

int prune_auto(job *j) {
    const char *text = j->option->text(j->host, "auto", NULL);
    judging a = {.j = j, .keeps = 1};
    if (text == NULL)
        return TENON_OK;
    TRY(begin(&a, text));
    TRY(run(&a, a.n));
    int64_t right = a.right;
    a.keeps = 0;
    TRY(measure(&a));
    return search(&a, right);
}
