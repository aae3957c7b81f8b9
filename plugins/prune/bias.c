/* Bias correction: what has gone from a weight, and from those before it, shifts what a layer gives on average; its
 * bias takes that back. */
#include <math.h>

#include "prune.h"

/* Where a layer's bias is: an input of the node itself, or of the Add behind a MatMul. */
typedef struct place {
    tenon_node *node;
    int input;
    double factor; /* what a shift of the output is, of the bias */
} place;

static const tenon_tensor *bias_at(const job *j, const place *p, int64_t outputs) {
    const tenon_value *v = j->graph->node_input(p->node, p->input);
    const tenon_tensor *t = v != NULL && j->graph->element_type(v) == TENON_FLOAT ? j->graph->constant(v) : NULL;
    return t != NULL && j->tensor->count(t) == outputs ? t : NULL;
}

/* An Add of a scalar zero behind a MatMul, for a bias to be put into. */
static int insert_add(const job *j, tenon_node *matmul, place *out) {
    float zero = 0;
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, 0, NULL, &zero);
    tenon_value *y = j->graph->node_output(matmul, 0);
    tenon_value *in[2] = {y, t != NULL ? j->graph->add_constant(j->host, j->g, "no_bias", t) : NULL};
    tenon_node *add =
        in[1] != NULL ? j->graph->build(j->host, j->g, j->graph->next(matmul), "Add", in, 2, NULL, 1) : NULL;
    if (add == NULL)
        return TENON_PASS_RESOURCE;
    tenon_value *sum = j->graph->node_output(add, 0);
    for (int i = j->graph->uses(y); i > 0; i--) {
        tenon_use u = j->graph->use(y, i - 1);
        if (u.node != add)
            TRY(u.node != NULL ? j->graph->set_input(j->host, u.node, u.index, sum)
                               : j->graph->set_output(j->host, j->g, u.index, sum));
    }
    *out = (place){add, 1, 1};
    return TENON_OK;
}

static int place_behind(const job *j, const weight *w, place *out) {
    const tenon_value *y = j->graph->node_output(w->node, 0);
    tenon_use only = {NULL, 0};
    if (j->graph->uses(y) == 1)
        only = j->graph->use(y, 0);
    if (prune_is_op(j, only.node, "Add")) {
        *out = (place){only.node, 1 - only.index, 1};
        if (bias_at(j, out, w->shape.outputs) != NULL)
            return TENON_OK;
    }
    return insert_add(j, w->node, out);
}

static int find_place(const job *j, const weight *w, place *out) {
    *out = (place){w->node, 2, 1};
    if (prune_is_op(j, w->node, "MatMul"))
        return place_behind(j, w, out);
    if (prune_is_op(j, w->node, "Gemm")) {
        double beta = j->graph->attribute_float(w->node, "beta");
        out->factor = beta != 0 ? j->graph->attribute_float(w->node, "alpha") / beta : 0;
    }
    return TENON_OK;
}

/* W mean - W' mean': what is lost of the mean output o. */
static double shift_of(const weight *w, int64_t o) {
    const seen *s = w->seen;
    int64_t part = o / (w->shape.outputs / w->groups);
    double sum = 0;
    for (int64_t i = 0; i < s->k; i++)
        sum += (double)w->x[o * s->k + i] * s->means[part * s->k + i] -
               (double)w->pruned[o * s->k + i] * s->totals[part * s->k + i] / (double)s->rows;
    return sum;
}

int prune_correct(job *j, weight *w) {
    int64_t n = w->shape.outputs, dims[8] = {n};
    int rank = 1;
    place p;
    if (!j->corrects || w->seen == NULL || w->seen->rows == 0)
        return TENON_OK;
    TRY(find_place(j, w, &p));
    const tenon_tensor *old = bias_at(j, &p, n);
    int is_other = old == NULL && p.node == w->node && j->graph->node_input(p.node, p.input) != NULL;
    if (is_other || p.factor == 0)
        return TENON_OK; /* a Gemm whose C is no bias of its outputs */
    float *x = prune_room(j, (size_t)n, sizeof *x);
    if (x == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t o = 0; o < n; o++) {
        double shift = shift_of(w, o);
        x[o] = (float)((old != NULL ? j->tensor->real(old, o) : 0) + shift * p.factor);
        w->shift = fabs(shift) > w->shift ? fabs(shift) : w->shift;
    }
    for (int i = 0; old != NULL && i < j->tensor->rank(old) && i < 8; i++)
        dims[i] = j->tensor->dims(old)[i];
    rank = old != NULL ? j->tensor->rank(old) : rank;
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, rank, dims, x);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, "corrected_bias", t) : NULL;
    return v != NULL ? j->graph->set_input(j->host, p.node, p.input, v) : TENON_PASS_RESOURCE;
}
