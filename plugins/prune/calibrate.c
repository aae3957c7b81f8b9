/* Calibration: what the weights multiply, on data. */
#include <math.h>
#include <string.h>

#include "obs.h"
#include "prune.h"
#include "window.h"

/* ---- what can be seen ---- */

/* Inputs of a sum of products: above this it would be larger than what it is for. Rows that are added at once. */
enum { INPUTS_MOST = 4096, ROWS = 64 };

static int is_plain_conv(const job *j, const weight *w) {
    const char *pad = j->graph->attribute_text(w->node, "auto_pad");
    return w->is_conv && w->rank == 4 && (pad == NULL || strcmp(pad, "NOTSET") == 0);
}

static int is_product(const job *j, const weight *w) {
    int is_gemm = prune_is_op(j, w->node, "Gemm") && j->graph->attribute_int(w->node, "transA") == 0;
    return w->rank == 2 && (prune_is_op(j, w->node, "MatMul") || is_gemm);
}

int prune_is_fed(const job *j, const weight *w) {
    return is_plain_conv(j, w) || is_product(j, w);
}

static method can_be_used(const job *j, const weight *w) {
    method m = w->how.method;
    if (m == METHOD_HESSIAN && prune_is_fed(j, w) && w->shape.inputs > INPUTS_MOST)
        return METHOD_WANDA;
    return (m == METHOD_HESSIAN || m == METHOD_WANDA) && !prune_is_fed(j, w) ? METHOD_L1 : m;
}

static seen *seen_of(const job *j, const weight *w, int is_diagonal) {
    for (int i = 0; i < j->n_weights && &j->weights[i] != w; i++) {
        seen *s = j->weights[i].seen;
        if (s != NULL && s->conv == NULL && !w->is_conv && s->value == j->graph->node_input(w->node, 0) &&
            s->is_diagonal == is_diagonal)
            return s;
    }
    return prune_new_seen(j, w, is_diagonal);
}

seen *prune_new_seen(const job *j, const weight *w, int is_diagonal) {
    seen *s = prune_room(j, 1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->value = j->graph->node_input(w->node, 0);
    s->conv = w->is_conv ? w : NULL;
    s->k = w->shape.inputs;
    s->groups = w->groups;
    s->is_diagonal = is_diagonal;
    size_t each = (size_t)(s->groups * s->k);
    s->room = prune_room(j, (size_t)(s->k * 2 * ROWS), sizeof *s->room);
    s->totals = prune_room(j, each, sizeof *s->totals);
    s->means = prune_room(j, each, sizeof *s->means);
    if (is_diagonal)
        s->sums = prune_room(j, each, sizeof *s->sums);
    return s->room != NULL && s->totals != NULL && s->means != NULL && (s->sums != NULL || !is_diagonal) ? s : NULL;
}

/* Can pruning change what hessian sees here? Not where that is an input of the model. */
static int is_changed(const job *j, const weight *w) {
    return w->used == METHOD_HESSIAN && j->graph->producer(w->seen->value) != NULL;
}

static int place_in(tenon_value *const *list, int n, const tenon_value *v) {
    int i = 0;
    while (i < n && list[i] != v)
        i++;
    return i;
}

/* Keeps the model as it is, as far as hessian's data need it: what is pruned before a layer changes what it reads. */
static int keep_dense(job *j) {
    int n_inputs = j->graph->inputs(j->g), n = 0;
    tenon_value **inputs = prune_room(j, (size_t)n_inputs + 1, sizeof *inputs);
    tenon_value **outputs = prune_room(j, (size_t)j->n_weights + 1, sizeof *outputs);
    if (inputs == NULL || outputs == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n_inputs; i++)
        inputs[i] = j->graph->input(j->g, i);
    for (const weight *w = j->weights; w < j->weights + j->n_weights; w++)
        if (is_changed(j, w) && place_in(outputs, n, w->seen->value) == n)
            outputs[n++] = w->seen->value;
    if (n == 0)
        return TENON_OK;
    j->dense = j->graph->extract(j->host, j->g, inputs, n_inputs, outputs, n);
    for (weight *w = j->weights; j->dense != NULL && w < j->weights + j->n_weights; w++)
        if (is_changed(j, w))
            w->seen->dense = j->graph->output(j->dense, place_in(outputs, n, w->seen->value));
    return j->dense != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

int prune_begin_seen(job *j) {
    int is_run = j->corrects;
    for (int i = 0; i < j->n_weights; i++) {
        weight *w = &j->weights[i];
        w->used = can_be_used(j, w);
        int is_asked = w->used == METHOD_WANDA || w->used == METHOD_HESSIAN;
        if (!is_asked && !(j->corrects && prune_is_fed(j, w)))
            continue;
        w->seen = seen_of(j, w, w->used != METHOD_HESSIAN);
        if (w->seen == NULL)
            return TENON_PASS_RESOURCE;
        is_run |= w->used == METHOD_HESSIAN;
    }
    TRY(keep_dense(j));
    return is_run ? prune_see_means(j) : TENON_OK;
}

/* ---- adding up ---- */

/* was: the same rows in the dense model, or NULL; they become the differences. */
static void add_rows(seen *s, int64_t part, const float *x, float *was, int64_t n, int only_means) {
    double *total = s->totals + part * s->k;
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < s->k; i++)
            total[i] += (double)x[r * s->k + i];
    if (only_means)
        return;
    for (int64_t i = 0; i < n * s->k && was != NULL; i++)
        was[i] -= x[i];
    if (was != NULL)
        obs_add_cross(s->cross + part * s->k * s->k, s->k, was, x, n);
    if (!s->is_diagonal) {
        obs_add(s->sums + part * s->k * s->k, s->k, x, n);
        return;
    }
    double *sum = s->sums + part * s->k;
    for (int64_t r = 0; r < n; r++, x += s->k)
        for (int64_t i = 0; i < s->k; i++)
            sum[i] += (double)x[i] * (double)x[i];
}

static void see_conv(const job *j, seen *s, const tenon_tensor *t, const float *was, int only_means) {
    const int64_t *dims = j->tensor->dims(t), channels = s->conv->dims[1], plane = dims[2] * dims[3];
    const window v = window_of(j->graph, s->conv->node, s->conv->dims, dims);
    const float *planes = j->tensor->data(t);
    float *rows = s->room, *dense = was != NULL ? s->room + ROWS * s->k : NULL;
    for (int64_t g = 0; g < s->groups * dims[0]; g++) {
        const int64_t from = g * channels * plane;
        int64_t n = 0;
        for (int64_t at = 0; at < v.steps[0] * v.steps[1]; at++) {
            int64_t y = at / v.steps[1], x = at % v.steps[1];
            window_patch(&v, planes + from, channels, y, x, 1, channels, rows + n * s->k);
            if (was != NULL)
                window_patch(&v, was + from, channels, y, x, 1, channels, dense + n * s->k);
            n++;
            if (n < ROWS && at + 1 < v.steps[0] * v.steps[1])
                continue;
            add_rows(s, g % s->groups, rows, dense, n, only_means);
            n = 0;
        }
    }
    s->rows += dims[0] * v.steps[0] * v.steps[1];
}

/* ---- the run ---- */

typedef struct calibration {
    const job *j;
    seen *const *of;
    int n, only_means;
    int64_t first; /* sample that kept begins with */
    float *kept;   /* what of[0] was in the dense model; NULL: not asked for */
} calibration;

/* Room for what hessian compares with later, of the first layers, as far as it is not too much. */
static int make_kept(const calibration *c, const tenon_tensor *const *values) {
    int64_t left = 1 << 27;
    for (int i = 0; i < c->n; i++) {
        seen *s = c->of[i];
        s->elements = c->j->tensor->count(values[i]);
        const int64_t numbers = s->dense != NULL ? c->j->n_samples * s->elements : left;
        if (numbers >= left)
            continue;
        s->kept = prune_room(c->j, (size_t)numbers + 1, sizeof *s->kept);
        if (s->kept == NULL)
            return TENON_PASS_RESOURCE;
        left -= numbers;
    }
    return TENON_OK;
}

static int keep(void *context, int64_t sample, const tenon_tensor *const *values) {
    const calibration *c = context;
    const int64_t n = c->of[0]->elements;
    memcpy(c->kept + (sample - c->first) * n, c->j->tensor->data(values[0]), (size_t)n * sizeof *c->kept);
    return TENON_OK;
}

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    const calibration *c = context;
    const job *j = c->j;
    for (int i = 0; i < c->n; i++) {
        seen *s = c->of[i];
        float *was = c->kept != NULL ? c->kept + (sample - c->first) * s->elements : NULL;
        s->elements = j->tensor->count(values[i]);
        if (s->conv != NULL) {
            see_conv(j, s, values[i], was, c->only_means);
            continue;
        }
        add_rows(s, 0, j->tensor->data(values[i]), was, s->elements / s->k, c->only_means);
        s->rows += s->elements / s->k;
    }
    return TENON_OK;
}

static int see_means(void *context, int64_t sample, const tenon_tensor *const *values) {
    const calibration *c = context;
    if (sample == 0)
        TRY(make_kept(c, values));
    for (int i = 0; i < c->n; i++) {
        seen *s = c->of[i];
        if (s->kept != NULL)
            memcpy(s->kept + sample * s->elements, c->j->tensor->data(values[i]),
                   (size_t)s->elements * sizeof *s->kept);
    }
    return see(context, sample, values);
}

static void forget(seen *s) {
    s->rows = 0;
    memset(s->totals, 0, (size_t)(s->groups * s->k) * sizeof *s->totals);
}

static int run(const job *j, seen *const *of, int n, int only_means) {
    calibration c = {j, of, n, only_means, 0, NULL};
    tenon_value **values = prune_room(j, (size_t)n + 1, sizeof *values);
    if (values == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < n; i++) {
        values[i] = of[i]->value;
        forget(of[i]);
    }
    return n > 0 ? j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, values, n, only_means ? see_means : see, &c)
                 : TENON_OK;
}

/* With the dense model beside it, by as many samples as there is room for; or with what was kept of it. */
static int run_both(job *j, seen *s) {
    enum { KEPT_NUMBERS = 1 << 24 };
    int64_t at_once = s->elements < KEPT_NUMBERS ? KEPT_NUMBERS / (s->elements + 1) + 1 : 1;
    at_once = at_once < j->n_samples ? at_once : j->n_samples;
    calibration c = {.j = j, .of = &s, .n = 1, .kept = s->kept};
    forget(s);
    if (s->kept != NULL) {
        s->kept = NULL; /* it becomes the differences */
        return j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, &s->value, 1, see, &c);
    }
    c.kept = (float *)prune_grown(j, &j->kept, (size_t)(at_once * s->elements + 1) / 2);
    if (c.kept == NULL)
        return TENON_PASS_RESOURCE;
    for (; c.first < j->n_samples; c.first += at_once) {
        int64_t left = j->n_samples - c.first, n = left < at_once ? left : at_once;
        TRY(j->eval->run(j->host, j->dense, j->samples, c.first, n, &s->dense, 1, keep, &c));
        TRY(j->eval->run(j->host, j->g, j->samples, c.first, n, &s->value, 1, see, &c));
    }
    return TENON_OK;
}

/* Where biases make up for the mean, what counts is how the inputs are spread around theirs. */
static void centre(seen *s) {
    for (int64_t at = 0; at < s->groups * s->k && s->rows > 0; at++) {
        const double *totals = s->totals + at / s->k * s->k, by = s->totals[at] / (double)s->rows;
        double *row = s->sums + at * s->k;
        for (int64_t b = at % s->k; b < s->k; b++)
            row[b] -= by * totals[b];
        for (int64_t b = 0; b < s->k && s->cross != NULL; b++)
            s->cross[at * s->k + b] -= (s->means[at] - by) * totals[b];
    }
}

/* The sums of finite numbers may be more than a float holds within the model. */
static int check_seen(const job *j, const seen *s) {
    for (int64_t i = 0; i < s->groups * s->k; i++)
        if (!isfinite(s->totals[i])) {
            j->diag->error(j->host, NULL, "not-finite",
                           "calibration=%s: '%s', by which weights are multiplied, becomes %g on these data",
                           j->option->text(j->host, "calibration", NULL), j->graph->value_name(s->value), s->totals[i]);
            return TENON_PASS_INVALID;
        }
    return TENON_OK;
}

int prune_see(job *j, seen *s) {
    size_t size = (size_t)(s->groups * s->k) * (s->is_diagonal ? 1 : (size_t)s->k);
    if (!s->is_diagonal)
        s->sums = prune_grown(j, s->place != NULL ? s->place : &j->sums, size);
    if (s->dense != NULL)
        s->cross = prune_grown(j, &j->cross, size);
    if (s->sums == NULL || (s->dense != NULL && s->cross == NULL))
        return TENON_PASS_RESOURCE;
    memset(s->sums, 0, size * sizeof *s->sums);
    if (s->dense != NULL)
        memset(s->cross, 0, size * sizeof *s->cross);
    TRY(s->dense != NULL ? run_both(j, s) : run(j, &s, 1, 0));
    TRY(check_seen(j, s));
    if (j->corrects && !s->is_diagonal)
        centre(s);
    return TENON_OK;
}

int prune_see_means(job *j) {
    seen **of = prune_room(j, (size_t)j->n_weights + 1, sizeof *of);
    int n = 0;
    if (of == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_weights; i++) {
        int is_known = j->weights[i].seen == NULL;
        for (int k = 0; k < n && !is_known; k++)
            is_known = of[k] == j->weights[i].seen;
        if (!is_known)
            of[n++] = j->weights[i].seen;
    }
    TRY(run(j, of, n, 1));
    for (int i = 0; i < n; i++)
        TRY(check_seen(j, of[i]));
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < of[i]->groups * of[i]->k; k++)
            of[i]->means[k] = of[i]->totals[k] / (double)(of[i]->rows > 0 ? of[i]->rows : 1);
    for (int i = 0; i < n; i++)
        of[i]->rows = 0;
    return TENON_OK;
}
