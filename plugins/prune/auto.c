/* auto=accuracy:POINTS: as many zeros as lose no more.
 *
 * Each weight alone is pruned to each of some levels, and what that does to the model's output is measured: the harm.
 * For a price of harm, each weight takes the level at which its zeros less the price of its harm are most; harms add
 * up, nearly, so no other choice has as many zeros for as much harm. Which price it may be, the labelled samples say.
 */
#include <math.h>
#include <string.h>

#include "judge.h"
#include "prune.h"

static const double levels[] = {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
enum { N_LEVELS = sizeof levels / sizeof *levels, STEPS = 9 };

typedef struct candidate {
    double harm[N_LEVELS];
    float *pruned[N_LEVELS];
    int level, best;
} candidate;

typedef struct judging {
    job *j;
    candidate *of; /* each weight */
    judge by;
} judging;

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
    TRY(judge_run(&a->by, a->by.probes));
    c->harm[level] = a->by.harm;
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

static int try_levels(judging *a, int *out_good) {
    job *j = a->j;
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], a->of[i].pruned[a->of[i].level]));
    TRY(judge_run(&a->by, a->by.n));
    for (int i = 0; i < j->n_weights; i++)
        TRY(weight_put(j, &j->weights[i], j->weights[i].x));
    *out_good = judge_is_good(&a->by);
    return TENON_OK;
}

/* Between the price at which all take the last level and the one at which none takes any, by halves of the logarithm.
 */
static int search(judging *a) {
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
        TRY(try_levels(a, &good));
        if (!good) {
            low = price;
            continue;
        }
        high = price;
        j->lost = a->by.before - a->by.right;
        for (int i = 0; i < j->n_weights; i++)
            a->of[i].best = a->of[i].level;
    }
    for (int i = 0; i < j->n_weights; i++)
        j->weights[i].share = levels[a->of[i].best];
    j->judged = a->by.n;
    return TENON_OK;
}

/* ---- all ---- */

static int check(const job *j, const char *text) {
    if (j->is_global || j->option->given(j->host, "sparsity"))
        return judge_refuse(j->host, text, "it chooses each layer's sparsity: leave sparsity= and scope=global away");
    for (int i = 0; i < j->n_weights; i++)
        if (j->weights[i].how.by == BY_N_OF_M)
            return judge_refuse(j->host, text, "granularity=N:M says the sparsity: there is nothing to choose");
    return j->n_weights > 0 && j->n_structures == 0
               ? TENON_OK
               : judge_refuse(j->host, text, "it is for elements, blocks and columns, not for what leaves the graph");
}

int prune_auto(job *j) {
    const char *text = j->option->text(j->host, "auto", NULL);
    judging a = {.j = j};
    if (text == NULL)
        return TENON_OK;
    TRY(judge_read(&a.by, j->host, j->g, j->samples, text));
    TRY(check(j, text));
    TRY(judge_begin(&a.by, text));
    a.of = prune_room(j, (size_t)j->n_weights, sizeof *a.of);
    if (a.of == NULL)
        return TENON_PASS_RESOURCE;
    TRY(judge_reference(&a.by));
    TRY(measure(&a));
    return search(&a);
}
