/* Calibration: what the float graph does on data. */
#include "quantize.h"

/* ---- the run ---- */

/* Values: those of points, then the outputs of linears, then the inputs of those that need a Hessian. */
typedef struct calibration {
    const job *j;
    weight **hessians;
    int n_hessians;
} calibration;

void quant_add_means(const job *j, const linear *l, const tenon_tensor *t, double *sums, int64_t *n) {
    const float *x = j->tensor->data(t), *end = x + j->tensor->count(t);
    int64_t inner = 1;
    for (int i = l->channel_axis + 1; i < j->tensor->rank(t); i++)
        inner *= j->tensor->dims(t)[i];
    while (x < end)
        for (int64_t c = 0; c < l->channels; c++)
            for (int64_t i = 0; i < inner; i++)
                sums[c] += (double)*x++;
    *n += j->tensor->count(t) / l->channels;
}

static int see(void *context, int64_t sample, const tenon_tensor *const *values) {
    const calibration *c = context;
    const job *j = c->j;
    (void)sample;
    for (int i = 0; i < j->n_points; i++, values++)
        histogram_add(j->points[i].seen, j->tensor->data(*values), j->tensor->count(*values));
    for (int i = 0; i < j->n_linears; i++, values++)
        quant_add_means(j, &j->linears[i], *values, j->linears[i].mean, &j->linears[i].n_mean);
    for (int i = 0; i < c->n_hessians; i++, values++)
        TRY(hessian_see(j, c->hessians[i], *values));
    return TENON_OK;
}

static int find_hessians(const job *j, calibration *c) {
    c->hessians = quant_room(j, (size_t)j->n_weights + 1, sizeof *c->hessians);
    if (c->hessians == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_weights; i++) {
        TRY(hessian_begin(j, &j->weights[i]));
        if (j->weights[i].hessian != NULL)
            c->hessians[c->n_hessians++] = &j->weights[i];
    }
    return TENON_OK;
}

static int begin_points(const job *j) {
    for (int i = 0; i < j->n_points; i++) {
        j->points[i].seen = quant_room(j, 1, sizeof(histogram));
        if (j->points[i].seen == NULL)
            return TENON_PASS_RESOURCE;
        histogram_begin(j->points[i].seen);
    }
    return TENON_OK;
}

int quant_calibrate(job *j) {
    calibration c = {j, NULL, 0};
    if (j->samples == NULL)
        return TENON_OK;
    TRY(begin_points(j));
    TRY(find_hessians(j, &c));
    int n = j->n_points + j->n_linears + c.n_hessians;
    tenon_value **values = quant_room(j, (size_t)n + 1, sizeof *values), **next = values;
    if (values == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < j->n_points; i++)
        *next++ = j->points[i].value;
    for (int i = 0; i < j->n_linears; i++)
        *next++ = j->linears[i].output;
    for (int i = 0; i < c.n_hessians; i++)
        *next++ = j->graph->node_input(c.hessians[i]->node, 0);
    return n > 0 ? j->eval->run(j->host, j->g, j->samples, 0, j->n_samples, values, n, see, &c) : TENON_OK;
}

/* ---- formats of data ---- */

/* A Cast of integers that fit into bytes, and into the width. */
static int is_count(const job *j, const point *p) {
    const tenon_node *from = j->graph->producer(p->value);
    if (!quant_is_op(j, from, "Cast") || p->seen == NULL || p->seen->n == 0 || p->how.data_width > 8)
        return 0;
    int type = j->graph->element_type(j->graph->node_input(from, 0));
    return type != TENON_FLOAT && type != TENON_DOUBLE && type != TENON_FLOAT16 && type != TENON_BFLOAT16 &&
           p->seen->low >= 0 && p->seen->high < (double)((int64_t)1 << p->how.data_width);
}

int quant_choose_point(const job *j, point *p) {
    const settings *how = &p->how;
    p->is_count = is_count(j, p);
    if (p->is_count) {
        p->format = format_fixed(8, 0, 0);
        return TENON_OK;
    }
    int is_signed = how->always_signed || p->seen == NULL || p->seen->n == 0 || p->seen->low < 0;
    if (how->scheme == SCHEME_AFFINE)
        is_signed = 0; /* the zero point does it */
    choice c = {how->scheme, how->method, how->data_width, is_signed, how->percentile};
    if (how->has_data_frac) {
        p->format = format_fixed(how->data_width, is_signed, how->data_frac);
        return TENON_OK;
    }
    if (p->seen == NULL) {
        j->diag->error(j->host, j->graph->producer(p->value), "no-calibration",
                       "data_width=%d: without data, nobody knows what values '%s' has", how->data_width,
                       j->graph->value_name(p->value));
        j->diag->note(j->host,
                      "give calibration=FILE.npz, or data_frac=N, or data=dynamic for products, or data_width=0 to "
                      "quantise weights only");
        return TENON_PASS_USAGE;
    }
    p->format = choose_for_histogram(&c, p->seen);
    return TENON_OK;
}

int quant_choose(job *j) {
    for (int i = 0; i < j->n_points; i++) {
        point *p = &j->points[i];
        if (p->like != NULL)
            p->format = p->like->format;
        else
            TRY(quant_choose_point(j, p));
    }
    return TENON_OK;
}
