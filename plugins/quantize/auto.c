/* auto=accuracy:POINTS: the fewest bits of weights that lose no more.
 *
 * Each weight alone is rounded at each width, and what that does to the model's output is measured: the harm. Harms of
 * several weights add up, nearly. So for a bound of the harm, the fewest bits are a knapsack's: of each weight one
 * width, the sum of harms within the bound. Which bound it may be, the labelled samples say.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quantize.h"

static const int widths[] = {2, 3, 4, 5, 6, 8};
enum { N_WIDTHS = 6, UNITS = 4096, STEPS = 9, PROBES = 64 };

typedef struct judging {
    job *j;
    const tenon_tensor *labels;
    tenon_value *output;
    int64_t n, probes; /* samples to judge by; to measure harm by */
    int64_t size;      /* elements of the output */
    float *reference;  /* the float model's, of all n samples */
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
        a->reference = quant_room(j, (size_t)(a->n * a->size), sizeof *a->reference);
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

/* ---- weights in the float graph ---- */

static int put(const job *j, weight *w, int width) {
    w->width = width;
    TRY(weight_round(j, w));
    w->rounded = w->rounded != NULL ? w->rounded : quant_room(j, (size_t)w->count, sizeof *w->rounded);
    if (w->rounded == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < w->count; i++)
        w->rounded[i] = format_number(&w->formats[weight_group(w, i)], w->codes[i]);
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, w->rank, w->dims, w->rounded);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, "tried", t) : NULL;
    return v != NULL ? j->graph->set_input(j->host, w->node, w->input, v) : TENON_PASS_RESOURCE;
}

static int take_back(const job *j, const weight *w) {
    tenon_value *tried = j->graph->node_input(w->node, w->input);
    if (tried == w->value)
        return TENON_OK;
    TRY(j->graph->set_input(j->host, w->node, w->input, w->value));
    return j->graph->remove_value(j->host, j->g, tried);
}

static int measure(judging *a) {
    const job *j = a->j;
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        w->harm = quant_room(j, N_WIDTHS, sizeof *w->harm);
        if (w->harm == NULL)
            return TENON_PASS_RESOURCE;
        for (int k = 0; k < N_WIDTHS; k++) {
            TRY(put(j, w, widths[k]));
            TRY(run(a, a->probes));
            TRY(take_back(j, w));
            w->harm[k] = a->harm;
        }
    }
    return TENON_OK;
}

/* ---- the knapsack ---- */

/* choice[i * (UNITS + 1) + u]: the width of weight i where the first i + 1 weights share u units of the bound. */
typedef struct sack {
    double *bits;
    unsigned char *choice;
} sack;

static int units_of(double harm, double bound) {
    double most = (double)UNITS, u = ceil(harm / bound * most);
    return u > most ? UNITS + 1 : (int)u;
}

static void add_item(const weight *w, double bound, const double *before, double *after, unsigned char *chosen) {
    for (int u = 0; u <= UNITS; u++) {
        after[u] = INFINITY;
        for (int k = 0; k < N_WIDTHS; k++) {
            int need = units_of(w->harm[k], bound);
            double bits = need <= u ? before[u - need] + (double)w->count * widths[k] : INFINITY;
            if (bits < after[u]) {
                after[u] = bits;
                chosen[u] = (unsigned char)k;
            }
        }
    }
}

/* Sets the widths; 0 where no choice keeps the bound. */
static int fill(const job *j, double bound, const sack *s) {
    double *rows[2] = {s->bits, s->bits + UNITS + 1};
    memset(s->bits, 0, 2 * (UNITS + 1) * sizeof *s->bits);
    for (int i = 0; i < j->n_weights; i++)
        add_item(&j->weights[i], bound, rows[i % 2], rows[1 - i % 2], s->choice + i * (UNITS + 1));
    if (!(rows[j->n_weights % 2][UNITS] < INFINITY))
        return 0;
    for (int i = j->n_weights - 1, u = UNITS; i >= 0; i--) {
        weight *w = &j->weights[i];
        int k = s->choice[i * (UNITS + 1) + u];
        w->width = widths[k];
        u -= units_of(w->harm[k], bound);
    }
    return 1;
}

/* ---- the bound ---- */

static int judge(judging *a, int64_t right, int *out_good) {
    const job *j = a->j;
    for (int i = 0; i < j->n_weights; i++)
        TRY(put(j, &j->weights[i], j->weights[i].width));
    TRY(run(a, a->n));
    for (int i = 0; i < j->n_weights; i++)
        TRY(take_back(j, &j->weights[i]));
    a->j->lost = right - a->right;
    *out_good = 100 * (double)a->j->lost <= a->allowed * (double)a->n;
    return TENON_OK;
}

/* From all of 8 bits (the harm that is always accepted) to all of 2, by halves of the logarithm. */
static int search(judging *a, int64_t right) {
    job *j = a->j;
    sack s = {quant_room(j, 2 * (UNITS + 1), sizeof *s.bits), quant_room(j, (size_t)j->n_weights * (UNITS + 1), 1)};
    int *best = quant_room(j, (size_t)j->n_weights, sizeof *best);
    double low = 1e-12, high = 1e-12;
    int64_t lost = 0;
    if (s.bits == NULL || s.choice == NULL || best == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_weights; i++) {
        best[i] = widths[N_WIDTHS - 1];
        low += j->weights[i].harm[N_WIDTHS - 1];
        high += j->weights[i].harm[0];
    }
    for (int step = 0; step < STEPS; step++) {
        double bound = sqrt(low * high);
        int good = 0;
        if (fill(j, bound, &s))
            TRY(judge(a, right, &good));
        if (good) {
            low = bound;
            lost = j->lost;
            for (int i = 0; i < j->n_weights; i++)
                best[i] = j->weights[i].width;
        } else {
            high = bound;
        }
    }
    for (int i = 0; i < j->n_weights; i++)
        j->weights[i].width = best[i];
    j->lost = lost;
    j->judged = a->n;
    return TENON_OK;
}

/* ---- all ---- */

static int refuse(const job *j, const char *text, const char *why) {
    j->diag->error(j->host, NULL, "usage", "auto=%s: %s", text, why);
    return TENON_PASS_USAGE;
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
    return j->graph->element_type(a->output) == TENON_FLOAT ? TENON_OK
                                                            : refuse(j, text, "the first output is no float");
}

int quant_auto(job *j) {
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
