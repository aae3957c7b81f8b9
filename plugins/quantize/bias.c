/* Bias correction: rounding errors of weights and data shift what a layer gives on average; its bias takes that back.
 * Layer after layer, so that each sees what those before it give by then. */
#include <math.h>

#include "quantize.h"

/* ---- what the quantised graph gives ---- */

typedef struct measuring {
    const job *j;
    linear **of;
    int n;
} measuring;

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    const measuring *m = context;
    (void)sample;
    for (int k = 0; k < m->n; k++)
        quant_add_means(m->j, m->of[k], values[k], m->of[k]->now, &m->of[k]->n_now);
    return TENON_OK;
}

static int measure_level(const job *j, int level, measuring *m) {
    tenon_value **values = quant_room(j, (size_t)j->n_linears + 1, sizeof *values);
    m->j = j;
    m->n = 0;
    m->of = quant_room(j, (size_t)j->n_linears + 1, sizeof *m->of);
    if (values == NULL || m->of == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_linears; i++)
        if (j->linears[i].level == level) {
            values[m->n] = j->linears[i].output;
            m->of[m->n++] = &j->linears[i];
        }
    return m->n > 0 ? j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, values, m->n, see, m) : TENON_OK;
}

/* ---- the biases ---- */

/* The dimensions of a bias that lies in an Add: channels are the last. */
static int set_bias(const job *j, linear *l) {
    float *x = quant_room(j, (size_t)l->channels, sizeof *x);
    if (x == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < l->channels; i++)
        x[i] = (float)l->bias[i];
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, 1, &l->channels, x);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, "corrected_bias", t) : NULL;
    return v != NULL ? j->graph->set_input(j->host, l->bias_node, l->bias_input, v) : TENON_PASS_RESOURCE;
}

/* A linear without a bias gets one: as its third input, or in an Add behind it. */
static int add_bias(const job *j, linear *l) {
    l->bias = quant_room(j, (size_t)l->channels, sizeof *l->bias);
    if (l->bias == NULL)
        return TENON_PASS_RESOURCE;
    l->bias_node = l->node;
    l->bias_input = 2;
    if (j->graph->op(l->node)[0] != 'M')
        return TENON_OK;
    tenon_node *from = l->node;
    float zero = 0;
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, 0, NULL, &zero);
    tenon_value *in[2] = {l->output, t != NULL ? j->graph->add_constant(j->host, j->g, "no_bias", t) : NULL};
    if (in[1] == NULL)
        return TENON_PASS_RESOURCE;
    tenon_node *add = j->graph->build(j->host, j->g, j->graph->next(from), "Add", in, 2, NULL, 1);
    if (add == NULL)
        return TENON_PASS_RESOURCE;
    l->bias_node = add;
    l->bias_input = 1;
    for (int i = j->graph->uses(l->output); i > 0; i--) {
        tenon_use u = j->graph->use(l->output, i - 1);
        if (u.node == add)
            continue;
        TRY(u.node != NULL ? j->graph->set_input(j->host, u.node, u.index, j->graph->node_output(add, 0))
                           : j->graph->set_output(j->host, j->g, u.index, j->graph->node_output(add, 0)));
    }
    return TENON_OK;
}

/* beta of a Gemm scales what is added. */
static double factor_of(const job *j, const linear *l) {
    return j->graph->op(l->bias_node)[0] == 'G' ? j->graph->attribute_float(l->bias_node, "beta") : 1;
}

static int correct(const job *j, linear *l) {
    if (l->bias == NULL)
        TRY(add_bias(j, l));
    double factor = factor_of(j, l);
    if (factor == 0 || l->n_now == 0 || l->n_mean == 0)
        return TENON_OK;
    for (int64_t i = 0; i < l->channels; i++) {
        double shift = l->mean[i] / (double)l->n_mean - l->now[i] / (double)l->n_now;
        l->bias[i] += shift / factor;
        l->shift = fabs(shift) > l->shift ? fabs(shift) : l->shift;
    }
    return set_bias(j, l);
}

int quant_correct(job *j) {
    int levels = 0;
    for (int i = 0; i < j->n_linears; i++)
        levels = j->linears[i].level >= levels ? j->linears[i].level + 1 : levels;
    for (int level = 0; level < levels; level++) {
        measuring m;
        TRY(measure_level(j, level, &m));
        for (int k = 0; k < m.n; k++)
            TRY(correct(j, m.of[k]));
    }
    return TENON_OK;
}

/* ---- biases as integers ---- */

int quant_biases(job *j) {
    for (int i = 0; i < j->n_linears; i++) {
        linear *l = &j->linears[i];
        if (l->bias == NULL || l->how.bias_width == 0)
            continue;
        const choice c = {l->how.scheme == SCHEME_AFFINE ? SCHEME_SYMMETRIC : l->how.scheme, l->how.method,
                          l->how.bias_width, 1, l->how.percentile};
        float *x = quant_room(j, (size_t)l->channels, sizeof *x);
        int32_t *codes = quant_room(j, (size_t)l->channels, sizeof *codes);
        histogram *room = quant_room(j, 1, sizeof *room);
        if (x == NULL || codes == NULL || room == NULL)
            return TENON_PASS_RESOURCE;
        for (int64_t k = 0; k < l->channels; k++)
            x[k] = (float)l->bias[k];
        const format f = l->how.has_bias_frac ? format_fixed(c.width, 1, l->how.bias_frac)
                                              : choose_for_numbers(&c, x, l->channels, room);
        for (int64_t k = 0; k < l->channels; k++)
            codes[k] = (int32_t)format_code(&f, x[k]);
        const char *name = quant_named(j, j->graph->value_name(l->output), "bias");
        tenon_value *in[3] = {quant_add_integers(j, quant_named(j, name, "quantised"), quant_type_of(f.width, 1), 1,
                                                 &l->channels, codes, l->channels),
                              NULL, NULL};
        if (in[0] == NULL)
            return TENON_PASS_RESOURCE;
        TRY(quant_add_parameters(j, name, &f, 1, quant_type_of(f.width, 1), 0, NULL, 0, &in[1]));
        tenon_node *n = j->graph->build(j->host, j->g, l->bias_node, "DequantizeLinear", in, 2, NULL, 1);
        if (n == NULL)
            return TENON_PASS_RESOURCE;
        TRY(quant_name_node(j, n, name, "DequantizeLinear"));
        TRY(quant_annotate(j, n, l->how.scheme, &f, 1));
        TRY(j->graph->set_input(j->host, l->bias_node, l->bias_input, j->graph->node_output(n, 0)));
    }
    return TENON_OK;
}
