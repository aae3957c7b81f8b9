/* Pruning weights: shares, masks, what stays. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "obs.h"
#include "prune.h"

double *prune_grown(const job *j, growing *g, size_t n) {
    if (g->n < n) {
        g->at = prune_room(j, n, sizeof *g->at);
        g->n = g->at != NULL ? n : 0;
    }
    return g->at;
}

/* ---- into the graph ---- */

static const char *with_suffix(const job *j, const char *name, const char *suffix) {
    char *text = prune_room(j, strlen(name) + strlen(suffix) + 1, 1);
    if (text != NULL)
        sprintf(text, "%s%s", name, suffix);
    return text;
}

int weight_put(const job *j, weight *w, const float *x) {
    tenon_value *old = j->graph->node_input(w->node, w->input);
    float *to = prune_room(j, (size_t)w->count, sizeof *to);
    if (to == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t o = 0, at = 0; o < w->shape.outputs; o++)
        for (int64_t i = 0; i < w->shape.inputs; i++)
            to[weight_place(w, o, i)] = x[at++];
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, w->rank, w->dims, to);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, with_suffix(j, w->name, "_pruned"), t) : NULL;
    if (v == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->set_input(j->host, w->node, w->input, v));
    for (const sharer *s = w->others; s != NULL; s = s->next)
        TRY(j->graph->set_input(j->host, s->node, s->input, v));
    w->value = v;
    return j->graph->uses(old) == 0 ? j->graph->remove_value(j->host, j->g, old) : TENON_OK;
}

/* ---- errors ---- */

/* d S d^T, by the upper half of S. */
static double form(const double *sums, int64_t k, const double *d) {
    double total = 0;
    for (int64_t a = 0; a < k; a++) {
        const double *row = sums + a * k;
        double s = 0;
        if (d[a] == 0)
            continue;
        for (int64_t b = a + 1; b < k; b++)
            s += row[b] * d[b];
        total += d[a] * (row[a] * d[a] + 2 * s);
    }
    return total;
}

static double ratio(double noise, double signal) {
    return signal > 0 ? noise / signal : 0;
}

/* At the output, on the data that have been seen, too. */
static int measure(job *j, weight *w) {
    double signal = 0, noise = 0, output_signal = 0, output_noise = 0;
    int64_t k = w->shape.inputs, each = w->shape.outputs / w->groups;
    int has_sums = w->used == METHOD_HESSIAN;
    double *d = prune_grown(j, &j->scores, (size_t)(2 * k));
    if (d == NULL)
        return TENON_PASS_RESOURCE;
    w->zeros = 0;
    for (int64_t o = 0; o < w->shape.outputs; o++) {
        for (int64_t i = 0; i < k; i++) {
            double x = (double)w->x[o * k + i], y = (double)w->pruned[o * k + i];
            d[k + i] = has_sums ? (double)w->aim[o * k + i] : x;
            d[i] = d[k + i] - y;
            signal += x * x;
            noise += (x - y) * (x - y);
            w->zeros += y == 0;
        }
        const double *sums = has_sums ? w->seen->sums + o / each * k * k : NULL;
        output_noise += has_sums ? form(sums, k, d) : 0;
        output_signal += has_sums ? form(sums, k, d + k) : 0;
    }
    w->error = ratio(noise, signal);
    w->output_error = has_sums ? ratio(output_noise, output_signal) : -1;
    return TENON_OK;
}

/* ---- pruning one ---- */

/* By scores alone. */
static int mask_by_scores(job *j, weight *w) {
    const grain *g = &w->how.grain;
    int64_t k = w->shape.inputs, n = grain_units(g, &w->shape, 0, k);
    double *scores = prune_grown(j, &j->scores, (size_t)w->count), *sums = prune_grown(j, &j->units_sums, (size_t)n),
           *room = prune_grown(j, &j->units_twice, (size_t)n);
    unsigned char *units = prune_room(j, (size_t)n, 1);
    if (scores == NULL || sums == NULL || room == NULL || units == NULL)
        return TENON_PASS_RESOURCE;
    TRY(weight_scores(j, w, scores));
    if (g->kept > 0) {
        grain_keep_best(g, &w->shape, 0, k, scores, w->keep);
    } else {
        grain_sum(g, &w->shape, 0, k, scores, sums);
        keep_but_least(sums, n, share_of(w->share, n), room, units);
        grain_spread(g, &w->shape, 0, k, units, w->keep);
    }
    for (int64_t i = 0; i < w->count; i++)
        w->pruned[i] = w->keep[i] ? w->x[i] : 0;
    return TENON_OK;
}

static int obs_group(job *j, weight *w, const shape *s, double share, double *x, unsigned char *keep) {
    int64_t k = s->inputs, stripe = k < OBS_STRIPE ? k : OBS_STRIPE, wide = w->how.grain.columns;
    size_t n = (size_t)(s->outputs * (stripe > wide ? stripe : wide));
    obs_room room = {prune_grown(j, &j->scores, n), prune_grown(j, &j->units_sums, n),
                     prune_grown(j, &j->units_twice, n), prune_room(j, n, 1)};
    if (room.scores == NULL || room.sums == NULL || room.twice == NULL || room.units == NULL)
        return TENON_PASS_RESOURCE;
    if (!obs_factorise(j->inverse.at, k))
        return weight_no_hessian(j, w);
    obs_prune(&w->how.grain, s, x, j->inverse.at, share, keep, &room);
    return TENON_OK;
}

static int obs_columns(job *j, weight *w, const shape *s, double share, double *x, unsigned char *keep) {
    obs_reader all = {x, s->outputs, j->inverse.at, {1, s->inputs, 1}, 1};
    unsigned char *units = prune_room(j, (size_t)s->inputs, 1);
    double *room = prune_grown(j, &j->h, (size_t)s->inputs + 2);
    if (units == NULL || room == NULL)
        return TENON_PASS_RESOURCE;
    memset(units, 1, (size_t)s->inputs);
    if (!obs_remove(&all, 1, share_of(share, s->inputs), units, room))
        return weight_no_hessian(j, w);
    for (int64_t i = 0; i < s->outputs * s->inputs; i++)
        keep[i] = units[i % s->inputs];
    return TENON_OK;
}

/* The share of each part: the least of all parts together go, since some, such as the filters of a depthwise
 * convolution, have little that can. */
static int share_among(job *j, weight *w, const shape *s, double *shares) {
    const grain *g = &w->how.grain;
    int64_t n = grain_units(g, s, 0, s->inputs), all = n * w->groups, each = w->count / w->groups;
    double *scores = prune_grown(j, &j->scores, (size_t)w->count), *sums = prune_grown(j, &j->units_sums, (size_t)all),
           *room = prune_grown(j, &j->units_twice, (size_t)all);
    unsigned char *units = prune_room(j, (size_t)all, 1);
    if (scores == NULL || sums == NULL || room == NULL || units == NULL)
        return TENON_PASS_RESOURCE;
    TRY(weight_scores(j, w, scores));
    for (int64_t p = 0; p < w->groups; p++)
        grain_sum(g, s, 0, s->inputs, scores + p * each, sums + p * n);
    keep_but_least(sums, all, share_of(w->share, all), room, units);
    for (int64_t u = 0; u < all; u++)
        shares[u / n] += units[u] ? 0 : 1 / (double)n;
    return TENON_OK;
}

/* What the data of a part were before anything was pruned is not what they are now: the numbers that would make of
 * these, nearly, what the dense layer gave. x: those of the layer as it was, and as it stays where nothing goes. */
static int aim_at_dense(job *j, const weight *w, const shape *s, int64_t part, double *x) {
    int64_t k = s->inputs;
    const double *cross = w->seen->cross != NULL && w->share > 0 ? w->seen->cross + part * k * k : NULL;
    double *by = prune_grown(j, &j->h, (size_t)(k * k));
    if (by == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t o = 0; o < s->outputs && cross != NULL; o++, x += k) {
        memset(by, 0, (size_t)k * sizeof *by);
        for (int64_t a = 0; a < k; a++)
            for (int64_t b = 0; b < k && x[a] != 0; b++)
                by[b] += x[a] * cross[a * k + b];
        for (int64_t a = 0; a < k; a++)
            for (int64_t b = 0; b < k; b++)
                x[b] += by[a] * j->inverse.at[a * k + b];
    }
    return TENON_OK;
}

/* Each part of the outputs has inputs, and an inverse, of its own. */
static int prune_by_hessian(job *j, weight *w) {
    int64_t k = w->shape.inputs, each = w->shape.outputs / w->groups;
    const shape s = {each, k, w->shape.run};
    double *x = prune_grown(j, &j->matrix, (size_t)(each * k)),
           *shares = prune_room(j, (size_t)w->groups, sizeof *shares);
    w->aim = w->aim != NULL ? w->aim : prune_room(j, (size_t)w->count, sizeof *w->aim);
    if (x == NULL || shares == NULL || w->aim == NULL)
        return TENON_PASS_RESOURCE;
    shares[0] = w->share;
    if (w->groups > 1) {
        shares[0] = 0;
        TRY(share_among(j, w, &s, shares));
    }
    for (int64_t p = 0; p < w->groups; p++) {
        unsigned char *keep = w->keep + p * each * k;
        for (int64_t i = 0; i < each * k; i++)
            x[i] = keep[i] ? (double)w->x[p * each * k + i] : 0;
        TRY(weight_inverse(j, w, p));
        TRY(aim_at_dense(j, w, &s, p, x));
        for (int64_t i = 0; i < each * k; i++)
            w->aim[p * each * k + i] = (float)x[i];
        TRY(w->how.by == BY_COLUMN ? obs_columns(j, w, &s, shares[p], x, keep)
                                   : obs_group(j, w, &s, shares[p], x, keep));
        for (int64_t i = 0; i < each * k; i++)
            w->pruned[p * each * k + i] = keep[i] ? (float)x[i] : 0;
    }
    return TENON_OK;
}

int weight_prune(job *j, weight *w) {
    TRY(w->used == METHOD_HESSIAN ? prune_by_hessian(j, w) : mask_by_scores(j, w));
    return measure(j, w);
}

/* ---- scope=global ---- */

/* Scores of those that are alike can be compared. */
static int is_pooled(const weight *w, const settings *s) {
    return w->used == s->method && w->how.method == s->method && w->how.sparsity == s->sparsity && w->how.by == s->by;
}

int weight_see(job *j, const weight *w) {
    if (w->seen == NULL || w->seen == j->now || (w->seen->is_diagonal && w->seen->rows > 0))
        return TENON_OK;
    j->now = w->seen->is_diagonal ? j->now : w->seen;
    return prune_see(j, w->seen);
}

/* Scores that depend on data count beside the mean of their layer's: layers' data differ in size, and what comes behind
 * one often undoes that. */
static void relate(const weight *w, double *scores) {
    double sum = 0;
    for (int64_t i = 0; i < w->count; i++)
        sum += scores[i] > 0 ? scores[i] : 0;
    for (int64_t i = 0; i < w->count && sum > 0; i++)
        scores[i] *= (double)w->count / sum;
}

static int add_to_pool(job *j, const weight *w, double *pool) {
    double *scores = prune_grown(j, &j->scores, (size_t)w->count);
    if (scores == NULL)
        return TENON_PASS_RESOURCE;
    TRY(weight_see(j, w));
    TRY(weight_scores(j, w, scores));
    if (w->used == METHOD_WANDA || w->used == METHOD_HESSIAN)
        relate(w, scores);
    grain_sum(&w->how.grain, &w->shape, 0, w->shape.inputs, scores, pool);
    return TENON_OK;
}

static int64_t units_of(const weight *w) {
    return grain_units(&w->how.grain, &w->shape, 0, w->shape.inputs);
}

/* The least of all together go: from that, each one's share. */
static int share_globally(job *j) {
    settings s;
    int64_t n = 0, at = 0;
    TRY(prune_settings(j, NULL, &s));
    for (int i = 0; i < j->n_weights; i++)
        n += is_pooled(&j->weights[i], &s) ? units_of(&j->weights[i]) : 0;
    double *pool = prune_room(j, (size_t)n + 1, sizeof *pool), *room = prune_room(j, (size_t)n + 1, sizeof *room);
    unsigned char *keep = prune_room(j, (size_t)n + 1, 1);
    if (pool == NULL || room == NULL || keep == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_weights; i++)
        if (is_pooled(&j->weights[i], &s)) {
            TRY(add_to_pool(j, &j->weights[i], pool + at));
            at += units_of(&j->weights[i]);
        }
    keep_but_least(pool, n, share_of(s.sparsity, n), room, keep);
    at = 0;
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        int64_t units = units_of(w), gone = 0;
        if (!is_pooled(w, &s))
            continue;
        for (int64_t u = 0; u < units; u++)
            gone += !keep[at++];
        w->share = (double)gone / (double)units;
    }
    return TENON_OK;
}

/* ---- all ---- */

int prune_weights(job *j) {
    if (j->is_global)
        TRY(share_globally(j));
    j->now = NULL; /* what comes behind a pruned weight has to be seen anew */
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        TRY(weight_see(j, w));
        TRY(weight_prune(j, w));
        if (w->zeros == w->count && w->how.sparsity < 1 && w->error > 0)
            j->diag->warning(j->host, w->node, "all-zero",
                             "nothing of %s is left; keep=NODE, a lower sparsity or a finer granularity would leave some",
                             w->name);
        TRY(weight_put(j, w, w->pruned));
        TRY(prune_correct(j, w));
        TRY(mask_write(j, w));
    }
    return TENON_OK;
}
