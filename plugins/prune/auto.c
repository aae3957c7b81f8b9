/* auto=GOAL:NUMBER: the sparsity of each layer.
 *
 * Each weight alone is pruned to each of some levels, and what that does to the model's output is measured, the harm,
 * and what it gains: zeros, or cycles. For a price of harm, each weight takes the level at which its gain less the
 * price of its harm is most; harms add up, nearly, so no other choice gains as much for as much harm. Which price it
 * may be, the goal says.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "auto.h"

const double auto_levels[N_LEVELS] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
enum { STEPS = 9, PROBES = 64 };

int auto_refuse(const judging *a, const char *why) {
    a->j->diag->error(a->j->host, NULL, "usage", "auto=%s: %s", a->text, why);
    return TENON_PASS_USAGE;
}

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
    if (a->labels != NULL)
        a->right += largest(y, a->size) == j->tensor->integer(a->labels, sample);
    return TENON_OK;
}

int auto_run(judging *a, int64_t n) {
    a->right = 0;
    a->harm = 0;
    return a->j->eval->run(a->j->host, a->j->g, a->j->samples, 0, n, &a->output, 1, see, a);
}

/* ---- harm and gain ---- */

static int try_level(judging *a, weight *w, const unsigned char *keep, int level) {
    job *j = a->j;
    candidate *c = &a->of[w - j->weights];
    c->pruned[level] = prune_room(j, (size_t)w->count, sizeof(float));
    if (c->pruned[level] == NULL)
        return TENON_PASS_RESOURCE;
    memcpy(w->keep, keep, (size_t)w->count);
    w->share = auto_levels[level];
    TRY(weight_prune(j, w));
    memcpy(c->pruned[level], w->pruned, (size_t)w->count * sizeof(float));
    TRY(weight_put(j, w, w->pruned));
    TRY(auto_run(a, a->probes));
    c->harm[level] = a->harm;
    TRY(a->goal->gain(a, w, level, &c->gain[level]));
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

/* Each weight's best level where harm costs `price`. */
static void choose(judging *a, double price) {
    for (int i = 0; i < a->j->n_weights; i++) {
        candidate *c = &a->of[i];
        double most = -INFINITY;
        for (int level = 0; level < N_LEVELS; level++) {
            double worth = c->gain[level] - price * c->harm[level];
            if (worth > most) {
                most = worth;
                c->level = level;
            }
        }
    }
}

static int judge(judging *a, int *out_met) {
    job *j = a->j;
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], a->of[i].pruned[a->of[i].level]));
    TRY(a->goal->judge(a, out_met));
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], j->weights[i].x));
    return TENON_OK;
}

static void take(judging *a) {
    for (int i = 0; i < a->j->n_weights; i++)
        a->of[i].best = a->of[i].level;
}

/* From a price at which all take what gains most to one at which none takes anything. */
static void bounds(const judging *a, double *low, double *high) {
    *low = INFINITY;
    *high = 1e-12;
    for (int i = 0; i < a->j->n_weights; i++)
        for (int level = 1; level < N_LEVELS; level++) {
            double price = a->of[i].gain[level] / (a->of[i].harm[level] + 1e-12);
            *low = price > 0 && price < *low ? price : *low;
            *high = price > *high ? price : *high;
        }
    *low = *low < *high ? *low * 1e-2 : *high * 1e-2;
}

/* Prices skip choices: one weight after the other takes the next level below while the goal is met. */
static int relax(judging *a) {
    for (int i = 0; i < a->j->n_weights; i++)
        a->of[i].level = a->of[i].best;
    for (int i = 0; i < a->j->n_weights; i++) {
        candidate *c = &a->of[i];
        int met = 1;
        while (met && c->level > 0 && c->harm[c->level - 1] < c->harm[c->level]) {
            c->level--;
            TRY(judge(a, &met));
            c->level += !met;
        }
    }
    take(a);
    return TENON_OK;
}

/* By halves of the price's logarithm. What bounds the harm goes for the lowest price that meets it, what asks for gain
 * for the highest. */
static int search(judging *a) {
    job *j = a->j;
    double low, high;
    int met;
    bounds(a, &low, &high);
    if (!a->goal->bounds_harm) {
        choose(a, 0);
        TRY(judge(a, &met));
        if (!met)
            return auto_refuse(a, "not even the most that there is to gain in these layers gets there");
        take(a);
    }
    for (int step = 0; step < STEPS; step++) {
        double price = sqrt(low * high);
        choose(a, price);
        TRY(judge(a, &met));
        if (met)
            take(a);
        if (met == a->goal->bounds_harm)
            high = price;
        else
            low = price;
    }
    if (!a->goal->bounds_harm)
        TRY(relax(a));
    for (int i = 0; i < j->n_weights; i++)
        j->weights[i].share = auto_levels[a->of[i].best];
    return TENON_OK;
}

/* ---- all ---- */

static int check(const judging *a) {
    const job *j = a->j;
    if (j->is_global || j->option->given(j->host, "sparsity"))
        return auto_refuse(a, "it chooses each layer's sparsity: leave sparsity= and scope=global away");
    for (int i = 0; i < j->n_weights; i++)
        if (j->weights[i].how.by == BY_N_OF_M)
            return auto_refuse(a, "granularity=N:M says the sparsity: there is nothing to choose");
    return j->n_weights > 0 && j->n_structures == 0
               ? TENON_OK
               : auto_refuse(a, "it is for elements, blocks and columns, not for what leaves the graph");
}

static int read_goal(judging *a) {
    const goal *g = auto_goals, *end = auto_goals + auto_n_goals;
    char *rest = NULL;
    for (; g < end; g++) {
        size_t n = strlen(g->name);
        if (strncmp(a->text, g->name, n) == 0 && a->text[n] == ':')
            break;
    }
    a->goal = g;
    if (g == end)
        return auto_refuse(a, "expected accuracy:POINTS or latency:SHARE; did you mean 'accuracy:0.5'?");
    const char *number = a->text + strlen(g->name) + 1;
    a->asked = strtod(number, &rest);
    int is_number = rest != number && *rest == '\0' && a->asked >= 0 && a->asked <= g->most;
    return is_number ? TENON_OK : auto_refuse(a, g->number);
}

static int begin(judging *a) {
    const job *j = a->j;
    TRY(read_goal(a));
    if (j->samples == NULL)
        return auto_refuse(a, "give calibration=FILE.npz to judge by");
    TRY(check(a));
    a->n = j->eval->count(j->host, j->samples, j->g);
    if (a->n < 0)
        return TENON_PASS_INVALID;
    int64_t wanted = j->option->integer(j->host, "auto_samples", NULL);
    a->n = wanted < a->n ? wanted : a->n;
    a->probes = a->n < PROBES ? a->n : PROBES;
    a->output = j->graph->output(j->g, 0);
    a->of = prune_room(j, (size_t)j->n_weights, sizeof *a->of);
    if (a->of == NULL)
        return TENON_PASS_RESOURCE;
    return j->graph->element_type(a->output) == TENON_FLOAT ? a->goal->begin(a)
                                                            : auto_refuse(a, "the first output is no float");
}

int prune_auto(job *j) {
    judging a = {.j = j, .text = j->option->text(j->host, "auto", NULL), .keeps = 1};
    if (a.text == NULL)
        return TENON_OK;
    TRY(begin(&a));
    TRY(auto_run(&a, a.n));
    a.right_before = a.right;
    a.keeps = 0;
    TRY(measure(&a));
    return search(&a);
}
