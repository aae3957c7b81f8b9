/* Rounding by the Hessian of a linear's squared output error, which is the sum of products of its inputs: when a weight
 * has been rounded, those that are still to come make up for its error (Frantar et al., GPTQ). */
#include <math.h>

#include "quantize.h"

/* Above this, the sum would be larger than what it is for. */
enum { INPUTS_MOST = 4096 };

int64_t hessian_size(const job *j, const weight *w) {
    int is_product = j->graph->op(w->node)[0] == 'M' || j->graph->op(w->node)[0] == 'G';
    if (w->kind != WEIGHT_LINEAR || !w->how.hessian || !is_product || w->rank != 2)
        return 0;
    if (j->graph->op(w->node)[0] == 'G' && j->graph->attribute_int(w->node, "transA") != 0)
        return 0;
    int64_t k = w->dims[w->block_axis];
    return k <= INPUTS_MOST ? k : 0;
}

void hessian_add(float *sum, int64_t k, const float *x, int64_t rows) {
    for (int64_t r = 0; r < rows; r++, x += k)
        for (int64_t a = 0; a < k; a++) {
            float *restrict to = sum + a * k, by = x[a];
            for (int64_t b = 0; b < k && by != 0; b++)
                to[b] += by * x[b];
        }
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

/* The upper factor U of the inverse of the damped sum, U^T U; NULL when out of memory or hopeless. */
static double *inverse_factor(const job *j, const float *sum, int64_t k) {
    double *h = quant_room(j, (size_t)(k * k), sizeof *h), *inverse = quant_room(j, (size_t)(k * k), sizeof *inverse);
    double mean = 0;
    if (h == NULL || inverse == NULL)
        return NULL;
    for (int64_t i = 0; i < k; i++)
        mean += (double)sum[i * k + i] / (double)k;
    for (int64_t i = 0; i < k * k; i++)
        h[i] = (double)sum[i] + (i % (k + 1) == 0 ? 0.01 * mean + 1e-9 : 0);
    if (!factorise(h, k))
        return NULL;
    invert(h, inverse, k);
    return factorise(inverse, k) ? inverse : NULL; /* the lower factor: U is its transpose */
}

/* ---- rounding ---- */

/* Element (output o, input i) of a matrix whose inputs lie along block_axis. */
static int64_t place(const weight *w, int64_t o, int64_t i) {
    return w->block_axis == 0 ? i * w->dims[1] + o : o * w->dims[1] + i;
}

static void round_output(weight *w, int64_t o, const double *l, double *row, int64_t k) {
    for (int64_t i = 0; i < k; i++)
        row[i] = (double)w->x[place(w, o, i)];
    for (int64_t i = 0; i < k; i++) {
        int64_t at = place(w, o, i);
        const format *f = &w->formats[weight_group(w, at)];
        w->codes[at] = (int32_t)format_code(f, (float)row[i]);
        double error = (row[i] - (double)format_number(f, w->codes[at])) / l[i * k + i];
        for (int64_t n = i + 1; n < k; n++)
            row[n] -= error * l[n * k + i];
    }
}

int hessian_round(const job *j, weight *w) {
    int64_t k = w->dims[w->block_axis], outputs = w->count / k;
    double *l = inverse_factor(j, w->hessian, k), *row = quant_room(j, (size_t)k, sizeof *row);
    if (l == NULL || row == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t o = 0; o < outputs; o++)
        round_output(w, o, l, row, k);
    return TENON_OK;
}
