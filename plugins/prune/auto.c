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
enum { STEPS = 9 };

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
    TRY(judge_run(&a->by, a->by.probes));
    c->harm[level] = a->by.harm;
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

static int is_met(judging *a, int *out_met) {
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
            TRY(is_met(a, &met));
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
        TRY(is_met(a, &met));
        if (!met)
            return judge_refuse(&a->by, "not even the most that there is to gain in these layers gets there");
        take(a);
    }
    for (int step = 0; step < STEPS; step++) {
        double price = sqrt(low * high);
        choose(a, price);
        TRY(is_met(a, &met));
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
        return judge_refuse(&a->by, "it chooses each layer's sparsity: leave sparsity= and scope=global away");
    for (int i = 0; i < j->n_weights; i++)
        if (j->weights[i].how.by == BY_N_OF_M)
            return judge_refuse(&a->by, "granularity=N:M says the sparsity: there is nothing to choose");
    return j->n_weights > 0 && j->n_structures == 0
               ? TENON_OK
               : judge_refuse(&a->by, "it is for elements, blocks and columns, not for what leaves the graph");
}

static int read_goal(judging *a) {
    const goal *g = auto_goals, *end = auto_goals + auto_n_goals;
    char *rest = NULL;
    for (; g < end; g++) {
        size_t n = strlen(g->name);
        if (strncmp(a->by.text, g->name, n) == 0 && a->by.text[n] == ':')
            break;
    }
    a->goal = g;
    if (g == end)
        return judge_refuse(&a->by, "expected accuracy:POINTS or latency:SHARE; did you mean 'accuracy:0.5'?");
    const char *number = a->by.text + strlen(g->name) + 1;
    a->asked = strtod(number, &rest);
    int is_number = rest != number && *rest == '\0' && a->asked >= 0 && a->asked <= g->most;
    return is_number ? TENON_OK : judge_refuse(&a->by, g->number);
}

int prune_auto(job *j) {
    const char *text = j->option->text(j->host, "auto", NULL);
    judging a = {.j = j};
    if (text == NULL)
        return TENON_OK;
    judge_begin(&a.by, j->host, text);
    TRY(read_goal(&a));
    TRY(judge_open(&a.by, j->g, j->samples));
    TRY(check(&a));
    a.of = prune_room(j, (size_t)j->n_weights, sizeof *a.of);
    if (a.of == NULL)
        return TENON_PASS_RESOURCE;
    TRY(a.goal->begin(&a));
    TRY(judge_reference(&a.by));
    TRY(measure(&a));
    return search(&a);
}
