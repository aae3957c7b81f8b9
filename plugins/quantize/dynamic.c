/* data=dynamic: the rows that go into MatMul and Gemm are quantised while the model runs, each by its own largest
 * number; integers are multiplied (MatMulInteger), and the result is scaled by row and column. */
#include "quantize.h"

static tenon_value *number(const job *j, const char *name, float x) {
    return quant_add_floats(j, name, 0, NULL, &x);
}

/* A chain of nodes: y = op(x, with). A failure makes the rest fail. */
typedef struct chain {
    const job *j;
    tenon_node *before;
    const char *name; /* of the weight: what is new is called after it */
} chain;

static tenon_value *link(const chain *c, const char *op, tenon_value *x, tenon_value *with, const char *attributes) {
    tenon_value *y = x != NULL ? quant_build(c->j, c->before, op, x, with, attributes) : NULL;
    tenon_node *n = y != NULL ? c->j->graph->producer(y) : NULL;
    return n != NULL && c->j->graph->set_node_name(c->j->host, n, quant_named(c->j, c->name, op)) == TENON_OK ? y
                                                                                                              : NULL;
}

/* The step of each row: its largest number over the largest code. A row of zeros gets any. */
static tenon_value *steps_of(const chain *c, tenon_value *x, int width) {
    static const int64_t last = -1, one = 1;
    const job *j = c->j;
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_INT64, 1, &one, &last);
    tenon_value *axes = t != NULL ? j->graph->add_constant(j->host, j->g, quant_named(j, c->name, "axes"), t) : NULL;
    tenon_value *least = number(j, quant_named(j, c->name, "least"), 1e-30f);
    tenon_value *share = number(j, quant_named(j, c->name, "share"), 1.0f / (float)((1 << (width - 1)) - 1));
    if (axes == NULL || least == NULL || share == NULL)
        return NULL;
    tenon_value *most = link(c, "ReduceMax", link(c, "Abs", x, NULL, NULL), axes, "keepdims=1");
    return link(c, "Mul", link(c, "Max", most, least, NULL), share, NULL);
}

/* Codes and formats of the weight as [inputs, outputs], whatever its layout. */
static int add_weight(const job *j, const weight *w, tenon_value *out[3]) {
    int64_t k = w->dims[w->block_axis], n = w->dims[w->axis], dims[2] = {k, n};
    int32_t *codes = quant_room(j, (size_t)w->count, sizeof *codes);
    if (codes == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < w->count; i++)
        codes[i] = w->codes[w->block_axis == 0 ? i : i % n * k + i / n];
    out[0] = quant_add_integers(j, quant_named(j, w->name, "quantised"), TENON_INT8, 2, dims, codes, w->count);
    if (out[0] == NULL)
        return TENON_PASS_RESOURCE;
    return quant_add_parameters(j, w->name, w->formats, w->groups, TENON_INT8, w->per == PER_TENSOR ? 0 : 1, &w->groups,
                                0, &out[1]);
}

/* A Gemm's third input becomes an Add, which is where its bias is from now on. */
static tenon_value *add_gemm_bias(const chain *c, const weight *w, linear *l, tenon_value *y) {
    tenon_value *bias = quant_is_op(c->j, w->node, "Gemm") && c->j->graph->node_inputs(w->node) > 2
                            ? c->j->graph->node_input(w->node, 2)
                            : NULL;
    if (bias == NULL || y == NULL)
        return y;
    y = link(c, "Add", y, bias, NULL);
    if (l != NULL && l->bias != NULL && y != NULL) {
        l->bias_node = c->j->graph->producer(y);
        l->bias_input = 1;
    }
    return y;
}

static tenon_value *multiply(const chain *c, const weight *w, linear *l) {
    const job *j = c->j;
    tenon_value *x = j->graph->node_input(w->node, 0), *own[3], *steps = steps_of(c, x, w->how.data_width);
    if (steps == NULL || add_weight(j, w, own) != TENON_OK)
        return NULL;
    tenon_value *codes = link(c, "Cast", link(c, "Round", link(c, "Div", x, steps, NULL), NULL, NULL), NULL, "to=3");
    tenon_value *in[4] = {codes, own[0], NULL, own[2]};
    tenon_node *product =
        codes != NULL ? j->graph->build(j->host, j->g, c->before, "MatMulInteger", in, own[2] != NULL ? 4 : 2, NULL, 1)
                      : NULL;
    if (product == NULL || j->graph->set_node_name(j->host, product, j->graph->node_name(w->node)) != TENON_OK ||
        quant_annotate(j, product, w->how.scheme, w->formats, w->groups) != TENON_OK)
        return NULL;
    tenon_value *y = link(c, "Cast", j->graph->node_output(product, 0), NULL, "to=1");
    y = link(c, "Mul", link(c, "Mul", y, steps, NULL), own[1], NULL);
    if (l != NULL && y != NULL)
        l->node = j->graph->producer(y);
    return add_gemm_bias(c, w, l, y);
}

static int is_one(double x) {
    return !(x < 1 || x > 1);
}

int quant_can_be_dynamic(const job *j, tenon_node *n) {
    const tenon_value *b = j->graph->node_inputs(n) > 1 ? j->graph->node_input(n, 1) : NULL;
    if (b == NULL || j->graph->constant(b) == NULL || j->graph->rank(b) != 2 ||
        j->graph->constant(j->graph->node_input(n, 0)) != NULL)
        return 0;
    return quant_is_op(j, n, "MatMul") ||
           (quant_is_op(j, n, "Gemm") && j->graph->attribute_int(n, "transA") == 0 &&
            is_one(j->graph->attribute_float(n, "alpha")) && is_one(j->graph->attribute_float(n, "beta")));
}

int quant_insert_dynamic(job *j, weight *w) {
    const chain c = {j, w->node, w->name};
    tenon_value *old = j->graph->node_output(w->node, 0);
    linear *l = NULL;
    for (int i = 0; i < j->n_linears; i++)
        l = j->linears[i].weight == w ? &j->linears[i] : l;
    tenon_value *y = multiply(&c, w, l);
    if (y == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->replace_all_uses(j->host, j->g, old, y));
    TRY(j->graph->erase(j->host, j->g, w->node));
    if (l != NULL)
        l->output = y;
    w->node = NULL;
    return TENON_OK;
}
