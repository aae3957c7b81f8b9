/* The graph as it is quantised: QuantizeLinear and DequantizeLinear, constants as integers. */
#include <stdio.h>
#include <string.h>

#include "quantize.h"

/* ---- points ---- */

/* What does not fit into the width must not use the type's spare codes. */
static tenon_value *clip(const job *j, const point *p, const char *name, tenon_node *before) {
    const format *f = &p->format;
    if (quant_bits_of(quant_type_of(f->width, f->is_signed)) == f->width)
        return p->value;
    float low = format_number(f, format_least(f)), high = format_number(f, format_most(f));
    tenon_value *in[3] = {p->value, quant_add_floats(j, quant_named(j, name, "low"), 0, NULL, &low),
                          quant_add_floats(j, quant_named(j, name, "high"), 0, NULL, &high)};
    if (in[1] == NULL || in[2] == NULL)
        return NULL;
    tenon_node *n = j->graph->build(j->host, j->g, before, "Clip", in, 3, NULL, 1);
    if (n == NULL || quant_name_node(j, n, name, "Clip") != TENON_OK)
        return NULL;
    return j->graph->node_output(n, 0);
}

/* Integers that are cast to floats need no rounding: they are the codes. */
static tenon_node *cast_codes(const job *j, const point *p, tenon_node *before) {
    tenon_value *in = j->graph->node_input(j->graph->producer(p->value), 0);
    char text[16];
    sprintf(text, "to=%d", quant_type_of(p->format.width, p->format.is_signed));
    return j->graph->build(j->host, j->g, before, "Cast", &in, 1, text, 1);
}

int quant_insert_point(const job *j, const point *p) {
    tenon_node *from = j->graph->producer(p->value);
    tenon_node *before = from != NULL ? j->graph->next(from) : j->graph->first(j->g);
    const char *name = quant_named(j, j->graph->value_name(p->value), "quantised");
    tenon_value *in[3] = {p->is_count ? p->value : clip(j, p, name, before), NULL, NULL};
    if (in[0] == NULL)
        return TENON_PASS_RESOURCE;
    TRY(quant_add_parameters(j, name, &p->format, 1, quant_type_of(p->format.width, p->format.is_signed), 0, NULL, 1,
                             &in[1]));
    tenon_node *q = p->is_count ? cast_codes(j, p, before)
                                : j->graph->build(j->host, j->g, before, "QuantizeLinear", in, 3, NULL, 1);
    if (q == NULL)
        return TENON_PASS_RESOURCE;
    in[0] = j->graph->node_output(q, 0);
    tenon_node *dq = j->graph->build(j->host, j->g, before, "DequantizeLinear", in, 3, NULL, 1);
    if (dq == NULL)
        return TENON_PASS_RESOURCE;
    TRY(quant_name_node(j, q, name, p->is_count ? "Cast" : "QuantizeLinear"));
    TRY(quant_name_node(j, dq, name, "DequantizeLinear"));
    TRY(quant_annotate(j, q, p->how.scheme, &p->format, 1));
    for (int i = 0; i < p->n_uses; i++) {
        tenon_value *real = j->graph->node_output(dq, 0);
        TRY(p->uses[i].node != NULL ? j->graph->set_input(j->host, p->uses[i].node, p->uses[i].index, real)
                                    : j->graph->set_output(j->host, j->g, p->uses[i].index, real));
    }
    return TENON_OK;
}

/* Erases a node that nobody reads any more, and its constants. */
static int erase_with_constants(const job *j, tenon_node *n) {
    tenon_value *in[3] = {NULL};
    for (int i = 0; i < 3 && i < j->graph->node_inputs(n); i++)
        in[i] = j->graph->node_input(n, i);
    TRY(j->graph->erase(j->host, j->g, n));
    for (int i = 0; i < 3; i++)
        if (in[i] != NULL && j->graph->constant(in[i]) != NULL && j->graph->uses(in[i]) == 0)
            TRY(j->graph->remove_value(j->host, j->g, in[i]));
    return TENON_OK;
}

int quant_remove_point(const job *j, const point *p) {
    tenon_node *dq = j->graph->producer(j->graph->node_input(p->uses->node, p->uses->index));
    tenon_node *q = j->graph->producer(j->graph->node_input(dq, 0));
    tenon_value *rounded = j->graph->node_input(q, 0);
    for (int i = 0; i < p->n_uses; i++)
        TRY(j->graph->set_input(j->host, p->uses[i].node, p->uses[i].index, p->value));
    TRY(erase_with_constants(j, dq));
    TRY(erase_with_constants(j, q));
    return p->is_count || rounded == p->value ? TENON_OK : erase_with_constants(j, j->graph->producer(rounded));
}

/* ---- weights ---- */

/* The shape of scales, and what the operator has to know of them. */
static const char *shape_of_scales(const job *j, const weight *w, int axis, int *rank, int64_t *dims) {
    char *text = quant_room(j, 64, 1);
    *rank = 0;
    if (text == NULL || w->per == PER_TENSOR)
        return text;
    *rank = 1;
    dims[0] = w->groups;
    sprintf(text, "axis=%d", axis);
    if (w->per == PER_CHANNEL)
        return text;
    *rank = w->rank;
    for (int i = 0; i < w->rank; i++)
        dims[i] = w->dims[i];
    dims[w->block_axis] = (dims[w->block_axis] + w->how.block - 1) / w->how.block;
    sprintf(text, "axis=%d, block_size=%lld", w->block_axis, (long long)w->how.block);
    return text;
}

tenon_value *quant_dequantise(const job *j, const weight *w, tenon_value *codes, int axis, tenon_node *before) {
    int rank;
    int64_t dims[8];
    tenon_value *in[3] = {codes, NULL, NULL};
    const char *attributes = shape_of_scales(j, w, axis, &rank, dims);
    if (attributes == NULL || quant_add_parameters(j, w->name, w->stored != NULL ? w->stored : w->formats, w->groups,
                                                   j->graph->element_type(codes), rank, dims, 0, &in[1]) != TENON_OK)
        return NULL;
    tenon_node *n =
        j->graph->build(j->host, j->g, before, "DequantizeLinear", in, in[2] != NULL ? 3 : 2, attributes, 1);
    if (n == NULL || quant_name_node(j, n, w->name, "DequantizeLinear") != TENON_OK ||
        quant_annotate(j, n, w->how.scheme, w->formats, w->groups) != TENON_OK)
        return NULL;
    return j->graph->node_output(n, 0);
}

static int insert_weight(job *j, weight *w) {
    if (w->kind == WEIGHT_TABLE)
        return quant_insert_table(j, w);
    if (w->is_dynamic)
        return quant_insert_dynamic(j, w);
    tenon_value *codes = quant_add_integers(j, quant_named(j, w->name, "quantised"), quant_type_of(w->width, 1),
                                            w->rank, w->dims, w->codes, w->count);
    if (codes == NULL)
        return TENON_PASS_RESOURCE;
    tenon_value *real = quant_dequantise(j, w, codes, w->axis, w->node);
    return real != NULL ? j->graph->set_input(j->host, w->node, w->input, real) : TENON_PASS_RESOURCE;
}

/* Points first: their uses are those of the graph as it was. */
int quant_insert(job *j) {
    for (int i = 0; i < j->n_points; i++)
        TRY(quant_insert_point(j, &j->points[i]));
    for (int i = 0; i < j->n_weights; i++)
        TRY(insert_weight(j, &j->weights[i]));
    return TENON_OK;
}
