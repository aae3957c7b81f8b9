/* Rounding by the Hessian of a linear's squared output error, which is the sum of products of its inputs: when a weight
 * has been rounded, those that are still to come make up for its error (Frantar et al., GPTQ). */
#include <math.h>
#include <string.h>

#include "quantize.h"
#include "window.h"

/* ---- which weights ---- */

/* Above this, the sum would be larger than what it is for. */
enum { INPUTS_MOST = 4096 };

static int is_plain_conv(const job *j, const weight *w) {
    const char *pad = j->graph->attribute_text(w->node, "auto_pad");
    return strcmp(j->graph->op(w->node), "Conv") == 0 && w->rank == 4 && (pad == NULL || strcmp(pad, "NOTSET") == 0);
}

static int is_product(const job *j, const weight *w) {
    const char *op = j->graph->op(w->node);
    int turned = strcmp(op, "Gemm") == 0 && j->graph->attribute_int(w->node, "transA") != 0;
    return (strcmp(op, "MatMul") == 0 || strcmp(op, "Gemm") == 0) && w->rank == 2 && !turned;
}

int hessian_begin(const job *j, weight *w) {
    if (w->kind != WEIGHT_LINEAR || !w->how.hessian || !(is_product(j, w) || is_plain_conv(j, w)))
        return TENON_OK;
    int is_conv = is_plain_conv(j, w);
    int64_t k = is_conv ? w->count / w->dims[0] : w->dims[w->block_axis];
    int64_t groups = is_conv ? j->graph->attribute_int(w->node, "group") : 1;
    if (k > INPUTS_MOST)
        return TENON_OK;
    w->inputs = k;
    w->input_groups = groups;
    w->hessian = quant_room(j, (size_t)(groups * k * k), sizeof *w->hessian);
    return w->hessian != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

/* ---- the sum: its upper half ---- */

static void add_row(float *sum, int64_t k, const float *x) {
    for (int64_t a = 0; a < k; a++) {
        float *to = sum + a * k, by = x[a];
        for (int64_t b = a; b < k && by != 0; b++)
            to[b] += by * x[b];
    }
}

static void see_conv(const job *j, weight *w, const tenon_tensor *t, float *patch) {
    const int64_t *dims = j->tensor->dims(t), channels = w->dims[1], plane = dims[2] * dims[3];
    const window v = window_of(j->graph, w->node, w->dims, dims);
    for (int64_t g = 0; g < w->input_groups * dims[0]; g++) {
        const float *planes = (const float *)j->tensor->data(t) + g * channels * plane;
        for (int64_t y = 0; y < v.steps[0]; y++)
            for (int64_t x = 0; x < v.steps[1]; x++) {
                window_patch(&v, planes, channels, y, x, v.kernel[0] * v.kernel[1], 1, patch);
                add_row(w->hessian + g % w->input_groups * w->inputs * w->inputs, w->inputs, patch);
            }
    }
}

int hessian_see(const job *j, weight *w, const tenon_tensor *t) {
    const float *x = j->tensor->data(t);
    if (is_product(j, w)) {
        for (int64_t i = 0; i < j->tensor->count(t); i += w->inputs)
            add_row(w->hessian, w->inputs, x + i);
        return TENON_OK;
    }
    if (w->patch == NULL)
        w->patch = quant_room(j, (size_t)w->inputs, sizeof *w->patch);
    if (w->patch == NULL)
        return TENON_PASS_RESOURCE;
    see_conv(j, w, t, w->patch);
    return TENON_OK;
}

/* ---- linear algebra, on k x k matrices ---- */

/* The lower Cholesky factor in place; 0 where the matrix is not positive. */
static int factorise(double *m, int64_t k) {
    for (int64_t c = 0; c < k; c++) {
        for (int64_t r = c; r < k; r++) {
            double s = m[r * k + c];
            for (int64_t i = 0; i < c; i++)
                s -= m[r * k + i] * m[c * k + i];
            if (r == c && !(s > 0))
                return 0;
            m[r * k + c] = r == c ? sqrt(s) : s / m[c * k + c];
        }
    }
    return 1;
}

/* out = the inverse of L L^T, by columns. */
static void invert(const double *l, double *out, int64_t k) {
    for (int64_t c = 0; c < k; c++) {
        double *x = out + c * k; /* row c: the inverse is symmetric */
        for (int64_t r = 0; r < k; r++) {
            double s = r == c ? 1 : 0;
            for (int64_t i = c; i < r; i++)
                s -= l[r * k + i] * x[i];
            x[r] = r < c ? 0 : s / l[r * k + r];
        }
        for (int64_t r = k - 1; r >= 0; r--) {
            double s = x[r];
            for (int64_t i = r + 1; i < k; i++)
                s -= l[i * k + r] * x[i];
            x[r] = s / l[r * k + r];
        }
    }
}

/* ---- rounding ---- */

/* What the outputs of one group of inputs are rounded by. */
typedef struct solver {
    weight *w;
    int64_t k; /* inputs */
    int64_t
        *order; /* those with the largest squares first: they have the most to lose, and the others make up for them */
    double *h;  /* room */
    double *lower; /* factor of the inverse of the damped sum, in that order */
    double *row;   /* the weights of one output */
} solver;

static int begin_solver(const job *j, weight *w, solver *s) {
    int64_t k = w->inputs;
    *s = (solver){w, k, NULL, NULL, NULL, NULL};
    s->order = quant_room(j, (size_t)k, sizeof *s->order);
    s->h = quant_room(j, (size_t)(k * k), sizeof *s->h);
    s->lower = quant_room(j, (size_t)(k * k), sizeof *s->lower);
    s->row = quant_room(j, (size_t)k, sizeof *s->row);
    return s->order != NULL && s->h != NULL && s->lower != NULL && s->row != NULL ? TENON_OK : TENON_PASS_RESOURCE;
}

static void sort_inputs(solver *s, const float *sum) {
    for (int64_t i = 0, n; i < s->k; i++) {
        for (n = i; n > 0 && sum[s->order[n - 1] * (s->k + 1)] < sum[i * (s->k + 1)]; n--)
            s->order[n] = s->order[n - 1];
        s->order[n] = i;
    }
}

/* 0 where there is no factor: data that are not finite. */
static int factorise_inverse(solver *s, const float *sum) {
    int64_t k = s->k;
    double mean = 0;
    sort_inputs(s, sum);
    for (int64_t i = 0; i < k; i++)
        mean += (double)sum[i * (k + 1)] / (double)k;
    for (int64_t i = 0; i < k * k; i++) {
        int64_t r = s->order[i / k], c = s->order[i % k];
        s->h[i] = (double)sum[r < c ? r * k + c : c * k + r] + (r == c ? 0.01 * mean + 1e-9 : 0);
    }
    if (!factorise(s->h, k))
        return 0;
    invert(s->h, s->lower, k);
    return factorise(s->lower, k);
}

/* Where input i of output o lies. */
static int64_t place(const weight *w, int64_t o, int64_t i) {
    return w->rank == 2 && w->block_axis == 0 ? i * w->dims[1] + o : o * w->inputs + i;
}

/* Returns the squared error of the output. */
static double round_output(const solver *s, int64_t o) {
    weight *w = s->w;
    double sum = 0;
    for (int64_t i = 0; i < s->k; i++)
        s->row[i] = (double)w->x[place(w, o, s->order[i])];
    for (int64_t i = 0; i < s->k; i++) {
        int64_t at = place(w, o, s->order[i]);
        const format *f = &w->formats[weight_group(w, at)];
        w->codes[at] = (int32_t)format_code(f, (float)s->row[i]);
        double error = (s->row[i] - (double)format_number(f, w->codes[at])) / s->lower[i * s->k + i];
        sum += error * error;
        for (int64_t n = i + 1; n < s->k; n++)
            s->row[n] -= error * s->lower[n * s->k + i];
    }
    return sum;
}

/* ---- the format of a channel: that of the least error of the output, not of the weights ---- */

/* Steps of a scale, and of a fraction. */
enum { COARSER = 3, FINER = 8, BITS = 1 };

static format varied(const weight *w, const format *f, int step) {
    format to = w->how.scheme == SCHEME_FIXED ? format_fixed(f->width, f->is_signed, f->frac + step) : *f;
    for (int i = step; i < 0 && w->how.scheme != SCHEME_FIXED; i++)
        to.scale /= (float)FORMAT_STEP;
    for (int i = step; i > 0 && w->how.scheme != SCHEME_FIXED; i--)
        to.scale *= (float)FORMAT_STEP;
    return to;
}

static void round_channel(const solver *s, int64_t o) {
    int is_fixed = s->w->how.scheme == SCHEME_FIXED;
    format *f = &s->w->formats[o], first = *f, best = first;
    double least = INFINITY;
    for (int step = is_fixed ? -BITS : -COARSER; step <= (is_fixed ? BITS : FINER); step++) {
        *f = varied(s->w, &first, step);
        double error = round_output(s, o);
        if (error < least || (error <= least && step == 0)) {
            least = error;
            best = *f;
        }
    }
    *f = best;
    round_output(s, o);
}

int hessian_round(const job *j, weight *w) {
    int64_t k = w->inputs, each = w->count / k / w->input_groups;
    int chooses = w->per == PER_CHANNEL && w->how.method == METHOD_MSE && !w->how.has_weight_frac;
    solver s;
    TRY(begin_solver(j, w, &s));
    for (int64_t g = 0; g < w->input_groups; g++) {
        if (!factorise_inverse(&s, w->hessian + g * k * k)) {
            j->diag->error(j->host, w->node, "no-hessian",
                           "rounding=hessian: its data are not finite, so no Hessian can be made of them");
            return TENON_PASS_INVALID;
        }
        for (int64_t o = g * each; o < (g + 1) * each; o++)
            chooses ? round_channel(&s, o) : (void)round_output(&s, o);
    }
    return TENON_OK;
}
