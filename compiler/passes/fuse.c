/* Fusion: what exporters have taken apart becomes one operator again. */
#include <string.h>

#include "ir/match.h"
#include "passes/builtin.h"

/* What has been matched, on its way to a new node. */
typedef struct fusing {
    graph *g;
    node *root;
    const match *m;
} fusing;

status fuse_replace(graph *g, node *root, const char *op, value *const *inputs, int n, const attr *attrs, int n_attrs) {
    size_t errors = diag_errors(g->diags);
    node *made = graph_build(g, root, op, inputs, n, attrs, n_attrs, 1);
    if (made == NULL)
        return diag_errors(g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    value *old = root->outputs[0];
    const char *name = old->name;
    made->source = root->source;
    made->name = root->name;
    TRY(graph_replace_all_uses(g, old, made->outputs[0]));
    TRY(graph_erase_node(g, root));
    return graph_set_name(g, made->outputs[0], name);
}

static status replace(const fusing *f, const char *op, value *const *inputs, int n, const attr *attrs, int n_attrs) {
    return fuse_replace(f->g, f->root, op, inputs, n, attrs, n_attrs);
}

static bool is_form(const value *v, const char *pattern, match *out) {
    const char *why;
    return v != NULL && graph_match(v, pattern, out, &why);
}

/* Is `axes` (NULL: it is not given) the last axis of x alone? */
static bool is_last_axis(const value *axes, const value *x) {
    if (axes == NULL || axes->constant == NULL || axes->constant->count != 1 || x->type.rank < 1)
        return false;
    int64_t axis = tensor_int(axes->constant, 0);
    return axis == -1 || axis == x->type.rank - 1;
}

static bool keeps_dims(const node *n) {
    return op_int(n, "keepdims") == 1;
}

/* ---- LayerNormalization ---- */

/* Is v a vector along the last axis of x? */
static bool is_vector_of(const value *v, const value *x) {
    const tensor_type *t = &x->type;
    return v->type.rank == 1 && t->rank >= 1 && dim_equal(v->type.dims[0], t->dims[t->rank - 1]);
}

/* d = x - mean(x) over the last axis; *out_x is x. */
static bool is_centred(const value *d, value **out_x) {
    match m;
    if (!is_form(d, "Sub(x, ReduceMean(x, $axes))", &m) || !keeps_dims(m.nodes[1]) ||
        !is_last_axis(m.values[1], m.values[0]))
        return false;
    *out_x = m.values[0];
    return true;
}

/* Variables: d, axes, epsilon, scale, bias in the order in which the patterns have them. */
static status fuse_norm(const fusing *f, bool *out_done) {
    value *d = f->m->values[0], *axes = f->m->values[1], *epsilon = f->m->values[2], *scale = f->m->values[3],
          *bias = f->m->values[4], *x;
    const node *mean = NULL;
    for (int i = 0; i < f->m->n_nodes; i++)
        if (strcmp(f->m->nodes[i]->op, "ReduceMean") == 0)
            mean = f->m->nodes[i];
    if (!is_centred(d, &x) || mean == NULL || !keeps_dims(mean) || !is_last_axis(axes, x) ||
        epsilon->constant->count != 1 || !is_vector_of(scale, x) || !is_vector_of(bias, x) ||
        x->type.elem != scale->type.elem || !dtype_is_float(x->type.elem))
        return STATUS_OK;
    value *inputs[] = {x, scale, bias};
    const attr attrs[] = {{.name = "axis", .kind = ATTR_INT, .i = -1},
                          {.name = "epsilon", .kind = ATTR_FLOAT, .f = tensor_double(epsilon->constant, 0)}};
    *out_done = true;
    return replace(f, "LayerNormalization", inputs, 3, attrs, 2);
}

/* ---- Gelu ---- */

static status fuse_gelu_as(const fusing *f, const char *approximate, bool *out_done) {
    const attr a = {.name = "approximate", .kind = ATTR_STRING, .s = approximate, .s_bytes = strlen(approximate)};
    value *x = f->m->values[0];
    if (!dtype_is_float(x->type.elem) || !type_equal(&x->type, &f->root->outputs[0]->type))
        return STATUS_OK;
    *out_done = true;
    return replace(f, "Gelu", &x, 1, &a, 1);
}

static status fuse_gelu(const fusing *f, bool *out_done) {
    return fuse_gelu_as(f, "none", out_done);
}

static status fuse_gelu_tanh(const fusing *f, bool *out_done) {
    return fuse_gelu_as(f, "tanh", out_done);
}

/* ---- Softmax ---- */

/* e / sum(e) with e = exp(x), or exp(x - max(x)): the operator subtracts the largest itself. */
static status fuse_softmax(const fusing *f, bool *out_done) {
    value *e = f->m->values[0], *axes = f->m->values[1], *x;
    match exponent, centred;
    if (!is_form(e, "Exp(x)", &exponent) || !keeps_dims(f->m->nodes[1]) || axes->constant->count != 1)
        return STATUS_OK;
    x = exponent.values[0];
    if (is_form(x, "Sub(x, ReduceMax(x, $axes))", &centred) && keeps_dims(centred.nodes[1]) &&
        centred.values[1]->constant->count == 1 &&
        tensor_int(centred.values[1]->constant, 0) == tensor_int(axes->constant, 0))
        x = centred.values[0];
    const attr axis = {.name = "axis", .kind = ATTR_INT, .i = tensor_int(axes->constant, 0)};
    *out_done = true;
    return replace(f, "Softmax", &x, 1, &axis, 1);
}

/* ---- the patterns ---- */

#define INNER "Mul(0.7978845608, Add(x, Mul(0.044715, Pow(x, 3))))"

static const struct fusion {
    const char *pattern;
    status (*fuse)(const fusing *f, bool *out_done);
} fusions[] = {
    {"Add(Mul(Div(d, Sqrt(Add(ReduceMean(Pow(d, 2), $axes), $epsilon))), $scale), $bias)", fuse_norm},
    {"Add(Mul(Div(d, Sqrt(Add(ReduceMean(Mul(d, d), $axes), $epsilon))), $scale), $bias)", fuse_norm},
    {"Add(Mul(Mul(d, Reciprocal(Sqrt(Add(ReduceMean(Pow(d, 2), $axes), $epsilon)))), $scale), $bias)", fuse_norm},
    {"Mul(Mul(x, Add(Erf(Div(x, 1.4142135624)), 1)), 0.5)", fuse_gelu},
    {"Mul(Mul(x, 0.5), Add(Erf(Div(x, 1.4142135624)), 1))", fuse_gelu},
    {"Mul(x, Mul(0.5, Add(Erf(Div(x, 1.4142135624)), 1)))", fuse_gelu},
    {"Mul(Mul(x, Add(Erf(Mul(x, 0.7071067812)), 1)), 0.5)", fuse_gelu},
    {"Mul(Mul(x, 0.5), Add(Erf(Mul(x, 0.7071067812)), 1))", fuse_gelu},
    {"Mul(x, Mul(0.5, Add(Erf(Mul(x, 0.7071067812)), 1)))", fuse_gelu},
    {"Mul(Mul(x, 0.5), Add(Tanh(" INNER "), 1))", fuse_gelu_tanh},
    {"Mul(x, Mul(0.5, Add(Tanh(" INNER "), 1)))", fuse_gelu_tanh},
    {"Mul(Mul(x, Add(Tanh(" INNER "), 1)), 0.5)", fuse_gelu_tanh},
    {"Div(e, ReduceSum(e, $axes))", fuse_softmax},
};

/* Is its outermost operator this one? Most are not, and need not be read further. */
static bool begins_with(const char *pattern, const char *op) {
    size_t n = strlen(op);
    return strncmp(pattern, op, n) == 0 && pattern[n] == '(';
}

static status try_node(graph *g, node *n) {
    match m;
    const char *why;
    bool done = false;
    for (size_t i = 0; i < sizeof fusions / sizeof *fusions && !done; i++) {
        if (!begins_with(fusions[i].pattern, n->op))
            continue;
        if (!graph_match(n->outputs[0], fusions[i].pattern, &m, &why)) {
            TENON_ASSERT(why == NULL);
            continue;
        }
        fusing f = {g, n, &m};
        if (m.is_private)
            TRY(fusions[i].fuse(&f, &done));
    }
    return STATUS_OK;
}

status pass_fuse(graph *g) {
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        if (n->n_outputs == 1 && n->outputs[0] != NULL && n->domain[0] == '\0')
            TRY(try_node(g, n));
    }
    return STATUS_OK;
}
