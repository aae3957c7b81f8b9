/* What a weight's elements are worth. */
#include <math.h>

#include "obs.h"
#include "prune.h"

int weight_no_hessian(const job *j, const weight *w) {
    j->diag->error(j->host, w->node, "no-hessian",
                   "method=hessian: the sum of products of its data has no inverse: the data are too large");
    return TENON_PASS_INVALID;
}

int weight_inverse(job *j, const weight *w, int64_t part) {
    size_t k = (size_t)w->shape.inputs;
    double *h = prune_grown(j, &j->h, k * k), *inverse = prune_grown(j, &j->inverse, k * k);
    if (h == NULL || inverse == NULL)
        return TENON_PASS_RESOURCE;
    return obs_invert(w->seen->sums + (size_t)part * k * k, (int64_t)k, h, inverse) ? TENON_OK
                                                                                    : weight_no_hessian(j, w);
}

/* ---- one for each method: the score of element i, whose input is `input` ---- */

static double score_random(const job *j, const weight *w, int64_t i) {
    return random_score(j->seed, w->name, i);
}

static double score_l1(const job *j, const weight *w, int64_t i) {
    (void)j;
    return fabs((double)w->x[i]);
}

static double score_l2(const job *j, const weight *w, int64_t i) {
    (void)j;
    return (double)w->x[i] * (double)w->x[i];
}

static int64_t group_of(const weight *w, int64_t i) {
    return i / w->shape.inputs / (w->shape.outputs / w->groups);
}

static double score_wanda(const job *j, const weight *w, int64_t i) {
    (void)j;
    double squares = w->seen->sums[group_of(w, i) * w->shape.inputs + i % w->shape.inputs];
    return fabs((double)w->x[i]) * sqrt(squares / (double)(w->seen->rows > 0 ? w->seen->rows : 1));
}

/* Of the last group whose inverse has been made. */
static double score_hessian(const job *j, const weight *w, int64_t i) {
    int64_t k = w->shape.inputs;
    return (double)w->x[i] * (double)w->x[i] / j->inverse.at[i % k * (k + 1)];
}

static double (*const rows[])(const job *j, const weight *w, int64_t i) = {score_random, score_l1, score_l2,
                                                                           score_wanda, score_hessian};

/* Another plugin's, in the tensor's order. */
static int score_elsewhere(job *j, const weight *w, double *scores) {
    double *theirs = prune_room(j, (size_t)w->count, sizeof *theirs);
    if (theirs == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->criterion->score(j->host, w->how.criterion, j->g, w->node, w->input, j->samples, j->n_samples, theirs));
    for (int64_t o = 0, at = 0; o < w->shape.outputs; o++)
        for (int64_t i = 0; i < w->shape.inputs; i++, at++)
            scores[at] = w->keep[at] ? theirs[weight_place(w, o, i)] : -INFINITY;
    return TENON_OK;
}

int weight_scores(job *j, const weight *w, double *scores) {
    if (w->used == METHOD_OTHER)
        return score_elsewhere(j, w, scores);
    for (int64_t i = 0; i < w->count; i++) {
        int begins_group = i % (w->count / w->groups) == 0;
        if (w->used == METHOD_HESSIAN && begins_group)
            TRY(weight_inverse(j, w, group_of(w, i)));
        scores[i] = w->keep[i] ? rows[w->used](j, w, i) : -1;
    }
    return TENON_OK;
}
