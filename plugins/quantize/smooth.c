/* smooth=ALPHA: SmoothQuant (Xiao et al.). Some channels of what goes into a linear are far larger than the others, and
 * one scale for all wastes the codes of these. Each channel is divided by max|x|^ALPHA / max|w|^(1 - ALPHA), and its
 * weights multiplied by that: by the LayerNormalization that makes the value, where nobody else reads it, else by a Mul
 * in front of the linears. */
#include <math.h>
#include <string.h>

#include "quantize.h"

/* A value, and the linears that read it and are to be smoothed. */
typedef struct smoothed {
    tenon_value *value;
    kernel *kernels;
    int n;
    double alpha, *largest, *factors; /* by channel */
} smoothed;

typedef struct smoothing {
    const job *j;
    smoothed *of;
    int n;
} smoothing;

/* ---- what is to be smoothed ---- */

static smoothed *smoothed_of(smoothing *s, tenon_value *v, double alpha) {
    smoothed *x = s->of;
    while (x < s->of + s->n && (x->value != v || x->alpha < alpha || x->alpha > alpha))
        x++;
    return x;
}

static int add(const job *j, smoothing *s, tenon_node *n, double alpha) {
    kernel k;
    tenon_value *v = j->graph->node_input(n, 0);
    TRY(kernel_read(j, n, &k));
    if (k.x == NULL || quant_is_op(j, n, "Conv") || j->graph->constant(v) != NULL)
        return TENON_OK;
    smoothed *x = smoothed_of(s, v, alpha);
    if (x == s->of + s->n) {
        *x = (smoothed){.value = v, .alpha = alpha};
        x->kernels = quant_room(j, (size_t)j->graph->uses(v), sizeof *x->kernels);
        x->largest = quant_room(j, (size_t)k.inputs, sizeof *x->largest);
        x->factors = quant_room(j, (size_t)k.inputs, sizeof *x->factors);
        if (x->kernels == NULL || x->largest == NULL || x->factors == NULL)
            return TENON_PASS_RESOURCE;
        s->n++;
    }
    x->kernels[x->n++] = k;
    return TENON_OK;
}

static int find(const job *j, smoothing *s) {
    for (tenon_node *n = j->graph->first(j->g); n != NULL; n = j->graph->next(n)) {
        settings how;
        if (!quant_is_linear(j, n) || !quant_is_selected(j, n))
            continue;
        TRY(quant_settings(j, n, &how));
        if (how.smooths && how.data_width > 0 && how.weight_width > 0)
            TRY(add(j, s, n, how.smooth));
    }
    if (s->n == 0 || j->samples != NULL)
        return TENON_OK;
    j->diag->error(j->host, NULL, "no-calibration", "smooth=%g: without data, nobody knows which channels are large",
                   s->of[0].alpha);
    j->diag->note(j->host, "give calibration=FILE.npz");
    return TENON_PASS_USAGE;
}

/* ---- the factors ---- */

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    const smoothing *s = context;
    (void)sample;
    for (int i = 0; i < s->n; i++) {
        const float *x = s->j->tensor->data(values[i]), *end = x + s->j->tensor->count(values[i]);
        double *largest = s->of[i].largest;
        while (x < end)
            for (int64_t c = 0; c < s->of[i].kernels->inputs; c++)
                largest[c] = fmax(largest[c], fabs((double)*x++));
    }
    return TENON_OK;
}

static int measure(const job *j, smoothing *s) {
    tenon_value **values = quant_room(j, (size_t)s->n, sizeof *values);
    if (values == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < s->n; i++)
        values[i] = s->of[i].value;
    return j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, values, s->n, see, s);
}

/* Channels that are never anything but 0 stay as they are. */
static int find_factors(const job *j, smoothed *x) {
    int64_t n = x->kernels->inputs;
    double *of_weights = quant_room(j, (size_t)n, sizeof *of_weights);
    if (of_weights == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < x->n; i++)
        kernel_ranges(&x->kernels[i], KERNEL_INPUTS, of_weights);
    for (int64_t c = 0; c < n; c++) {
        double s = pow(x->largest[c], x->alpha) / pow(of_weights[c], 1 - x->alpha);
        x->factors[c] = s > 1e-6 && s < 1e6 && x->largest[c] > 0 ? (double)(float)s : 1;
    }
    return TENON_OK;
}

/* ---- the graph ---- */

static int is_row(const job *j, const tenon_node *n, int input, int64_t count) {
    const tenon_value *v = input < j->graph->node_inputs(n) ? j->graph->node_input(n, input) : NULL;
    const tenon_tensor *t = v != NULL ? j->graph->constant(v) : NULL;
    return v == NULL ? input == 2 : t != NULL && j->tensor->rank(t) == 1 && j->tensor->count(t) == count;
}

/* Can the value's LayerNormalization divide its channels, because nobody but these linears reads it? */
static int is_own_norm(const job *j, const smoothed *x) {
    const tenon_node *n = j->graph->producer(x->value);
    return quant_is_op(j, n, "LayerNormalization") && j->graph->node_outputs(n) == 1 &&
           j->graph->uses(x->value) == x->n && is_row(j, n, 1, x->kernels->inputs) &&
           is_row(j, n, 2, x->kernels->inputs);
}

static int divide(const job *j, const smoothed *x, const double *inverse) {
    tenon_node *norm = j->graph->producer(x->value);
    if (is_own_norm(j, x)) {
        TRY(quant_scale_constant(j, norm, 1, inverse));
        int has_bias = j->graph->node_inputs(norm) > 2 && j->graph->node_input(norm, 2) != NULL;
        return has_bias ? quant_scale_constant(j, norm, 2, inverse) : TENON_OK;
    }
    int64_t n = x->kernels->inputs;
    float *rows = quant_room(j, (size_t)n, sizeof *rows);
    if (rows == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t c = 0; c < n; c++)
        rows[c] = (float)inverse[c];
    const char *name = quant_named(j, j->graph->value_name(x->value), "smoothed");
    tenon_value *by = quant_add_floats(j, quant_named(j, name, "factors"), 1, &n, rows);
    tenon_value *y = by != NULL ? quant_build(j, x->kernels->node, "Mul", x->value, by, NULL) : NULL;
    if (y == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->set_node_name(j->host, j->graph->producer(y), name));
    for (int i = 0; i < x->n; i++)
        TRY(j->graph->set_input(j->host, x->kernels[i].node, 0, y));
    return TENON_OK;
}

static int apply(const job *j, smoothed *x) {
    int64_t n = x->kernels->inputs;
    double *inverse = quant_room(j, (size_t)n, sizeof *inverse);
    if (inverse == NULL)
        return TENON_PASS_RESOURCE;
    TRY(find_factors(j, x));
    for (int64_t c = 0; c < n; c++)
        inverse[c] = 1 / x->factors[c];
    for (int i = 0; i < x->n; i++) {
        kernel_scale(&x->kernels[i], KERNEL_INPUTS, x->factors);
        TRY(kernel_write(j, &x->kernels[i]));
    }
    return divide(j, x, inverse);
}

int quant_smooth(job *j) {
    smoothing s = {j, quant_room(j, (size_t)j->graph->nodes(j->g) + 1, sizeof(smoothed)), 0};
    if (s.of == NULL)
        return TENON_PASS_RESOURCE;
    TRY(find(j, &s));
    if (s.n == 0)
        return TENON_OK;
    TRY(measure(j, &s));
    for (int i = 0; i < s.n; i++)
        TRY(apply(j, &s.of[i]));
    j->n_smoothed = s.n;
    return TENON_OK;
}
