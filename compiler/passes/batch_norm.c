/* Batch normalisation: what scales and shifts the channels beside a contraction becomes part of its weights. */
#include <math.h>
#include <string.h>

#include "passes/builtin.h"

enum { MOST_NODES = 8, SCALE = 1, MEAN = 3, VARIANCE = 4 };

/* ---- x * scale + shift by channel ---- */

typedef struct affine {
    int64_t n; /* channels */
    double *scale, *shift;
} affine;

static status affine_new(arena *a, int64_t n, affine *out) {
    *out = (affine){n, ARENA_NEW_N(a, double, n + 1), ARENA_NEW_N(a, double, n + 1)};
    TRY_ALLOC(out->scale);
    TRY_ALLOC(out->shift);
    for (int64_t k = 0; k < n; k++)
        out->scale[k] = 1;
    return STATUS_OK;
}

/* f after g, into out, which may be one of them. */
static void compose(const affine *f, const affine *g, affine *out) {
    for (int64_t k = 0; k < out->n; k++) {
        double shift = f->scale[k] * g->shift[k] + f->shift[k];
        out->scale[k] = f->scale[k] * g->scale[k];
        out->shift[k] = shift;
    }
}

static bool is_norm(const node *n, int64_t channels) {
    if (!is_op(n, "BatchNormalization") || op_int(n, "training_mode") != 0)
        return false;
    for (int i = SCALE; i <= VARIANCE; i++) {
        const value *v = node_input(n, i);
        if (v == NULL || v->constant == NULL || v->constant->count != channels)
            return false;
    }
    return true;
}

static void read_norm(const node *n, affine *out) {
    const tensor *t[VARIANCE + 1];
    for (int i = SCALE; i <= VARIANCE; i++)
        t[i] = node_input(n, i)->constant;
    for (int64_t k = 0; k < out->n; k++) {
        out->scale[k] = tensor_double(t[SCALE], k) / sqrt(tensor_double(t[VARIANCE], k) + op_float(n, "epsilon"));
        out->shift[k] = tensor_double(t[SCALE + 1], k) - tensor_double(t[MEAN], k) * out->scale[k];
    }
}

/* Has the constant one number for all, or one for each channel along dimension `axis` of rank dimensions? */
static bool is_by_channel(const tensor *t, int rank, int axis, int64_t channels) {
    int missing = rank - t->rank;
    if (missing < 0 || t->count == 1)
        return missing >= 0;
    return t->count == channels && axis >= missing && t->dims[axis - missing] == channels;
}

static bool read_arithmetic(const node *n, const tensor *t, affine *out) {
    for (int64_t k = 0; k < out->n; k++) {
        double x = tensor_double(t, t->count == 1 ? 0 : k);
        out->scale[k] = is_op(n, "Mul") ? x : is_op(n, "Div") ? 1 / x : 1;
        out->shift[k] = is_op(n, "Add") ? x : is_op(n, "Sub") ? -x : 0;
    }
    return is_op(n, "Mul") || is_op(n, "Div") || is_op(n, "Add") || is_op(n, "Sub");
}

/* Does the node scale and shift the channels of one value, *out_x? */
static bool read_affine(const node *n, int axis, affine *out, value **out_x) {
    if (n->n_outputs < 1 || n->outputs[0] == NULL || n->domain[0] != '\0')
        return false;
    const tensor_type *y = &n->outputs[0]->type;
    *out_x = node_input(n, 0);
    if (axis == 1 && is_norm(n, out->n)) {
        read_norm(n, out);
        return true;
    }
    if (n->n_inputs != 2 || *out_x == NULL || node_input(n, 1) == NULL)
        return false;
    const tensor *t = node_input(n, 1)->constant;
    if ((*out_x)->constant != NULL && (is_op(n, "Add") || is_op(n, "Mul"))) {
        t = (*out_x)->constant;
        *out_x = node_input(n, 1);
    }
    return t != NULL && (*out_x)->constant == NULL && y->rank > axis && type_equal(y, &(*out_x)->type) &&
           is_by_channel(t, y->rank, axis, out->n) && read_arithmetic(n, t, out);
}

/* ---- contractions ---- */

typedef struct contraction contraction;

typedef struct form {
    const char *op;
    int axis; /* of the channels; -1: the last */
    bool has_bias;
    /* The channels of the result and of the input that element i of the weights belongs to. */
    int64_t (*result)(const contraction *c, int64_t i);
    int64_t (*input)(const contraction *c, int64_t i); /* NULL: not by channels alone */
} form;

struct contraction {
    graph *g;
    node *n;
    const form *form;
    const tensor *w, *b;     /* b NULL: none */
    int64_t results, inputs; /* channels */
    int64_t group, window;   /* of convolutions: groups, elements of the window */
    arena *scratch;
    node *nodes[MOST_NODES]; /* what is taken into the weights, the nearest first */
    int n_nodes;
    affine sum;
};

static int64_t conv_result(const contraction *c, int64_t i) {
    return i / (c->w->dims[1] * c->window);
}

static int64_t conv_input(const contraction *c, int64_t i) {
    int64_t group = conv_result(c, i) / (c->results / c->group);
    return group * c->w->dims[1] + i / c->window % c->w->dims[1];
}

static int64_t conv_transpose_result(const contraction *c, int64_t i) {
    int64_t from = i / (c->w->dims[1] * c->window);
    return from / (c->inputs / c->group) * c->w->dims[1] + i / c->window % c->w->dims[1];
}

static bool is_turned(const contraction *c) {
    return is_op(c->n, "Gemm") && op_int(c->n, "transB") != 0;
}

static int64_t product_result(const contraction *c, int64_t i) {
    return is_turned(c) ? i / c->inputs : i % c->results;
}

static int64_t product_input(const contraction *c, int64_t i) {
    return is_turned(c) ? i % c->inputs : i / c->results;
}

static const form forms[] = {
    {"Conv", 1, true, conv_result, conv_input},
    {"ConvTranspose", 1, true, conv_transpose_result, NULL},
    {"Gemm", -1, true, product_result, product_input},
    {"MatMul", -1, false, product_result, product_input},
};

/* By the weights' shape. */
static bool read_channels(contraction *c) {
    const int64_t *d = c->w->dims;
    bool is_convolution = c->form->axis == 1, outer_first = is_op(c->n, "Conv") || is_turned(c);
    if (c->w->count == 0 || (is_convolution ? c->w->rank < 3 : c->w->rank != 2))
        return false;
    c->group = is_convolution ? op_int(c->n, "group") : 1;
    c->window = c->w->count / (d[0] * d[1]);
    c->results = outer_first ? d[0] : d[1] * c->group;
    c->inputs = outer_first ? d[1] * c->group : d[0];
    return c->group >= 1 && d[0] % c->group == 0;
}

static bool read_bias(contraction *c) {
    const value *v = c->form->has_bias ? node_input(c->n, 2) : NULL;
    c->b = v != NULL ? v->constant : NULL;
    return v == NULL || (c->b != NULL && is_by_channel(c->b, 2, 1, c->results));
}

static bool read_contraction(graph *g, node *n, arena *scratch, contraction *out) {
    *out = (contraction){.g = g, .n = n, .scratch = scratch};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (is_op(n, forms[i].op))
            out->form = &forms[i];
    const value *x = node_input(n, 0), *w = node_input(n, 1);
    if (out->form == NULL || x == NULL || x->type.rank < 1 || w == NULL || w->constant == NULL ||
        n->outputs[0]->type.rank < 1 || !dtype_is_float(w->type.elem))
        return false;
    out->w = w->constant;
    return read_channels(out) && read_bias(out);
}

static int axis_of(const contraction *c, const value *v) {
    return c->form->axis < 0 ? v->type.rank - 1 : c->form->axis;
}

/* ---- the new constants ---- */

/* NULL in *out where a number would not be finite. */
static status rounded(const contraction *c, int rank, const int64_t *dims, const double *numbers, tensor **out) {
    tensor *t = tensor_new(c->g->memory, c->w->elem, rank, dims, NULL);
    TRY_ALLOC(t);
    *out = t;
    for (int64_t i = 0; i < t->count; i++) {
        dtype_set_double(t->elem, (void *)(uintptr_t)t->data, (size_t)i, numbers[i]);
        if (!isfinite(tensor_double(t, i)))
            *out = NULL;
    }
    return STATUS_OK;
}

static double bias_at(const contraction *c, int64_t channel) {
    double beta = is_op(c->n, "Gemm") ? op_float(c->n, "beta") : 1;
    return c->b == NULL ? 0 : beta * tensor_double(c->b, c->b->count == 1 ? 0 : channel);
}

static status set_constant(const contraction *c, int input, const char *name, tensor *t) {
    value *v = graph_add_constant(c->g, name, t);
    TRY_ALLOC(v);
    return node_set_input(c->n, input, v);
}

/* An Add of the bias behind the node, whose result goes by the node's former name. */
static status append_bias(const contraction *c, tensor *t) {
    value *y = c->n->outputs[0], *bias = graph_add_constant(c->g, NULL, t);
    const char *name = y->name;
    TRY_ALLOC(bias);
    node *sum = graph_build(c->g, c->n->next, "Add", (value *[]){y, bias}, 2, NULL, 0, 1);
    TRY_ALLOC(sum);
    sum->source = c->n->source;
    sum->name = c->n->name;
    for (use *u = y->uses, *next; u != NULL; u = next) {
        next = u->next;
        if (u->user != sum)
            TRY(u->user != NULL ? node_set_input(u->user, u->index, sum->outputs[0])
                                : graph_set_output(c->g, u->index, sum->outputs[0]));
    }
    TRY(graph_set_name(c->g, y, "product"));
    return graph_set_name(c->g, sum->outputs[0], name);
}

static status set_bias(const contraction *c, tensor *t) {
    const attr one = {.name = "beta", .kind = ATTR_FLOAT, .f = 1};
    if (!c->form->has_bias)
        return append_bias(c, t);
    if (is_op(c->n, "Gemm"))
        TRY(node_set_attr(c->n, &one));
    return set_constant(c, 2, c->b != NULL ? node_input(c->n, 2)->name : NULL, t);
}

/* Both, where all numbers stay finite; a bias of zeros is none. */
static status replace(const contraction *c, const double *weights, const double *bias, bool *out_done) {
    tensor *w, *b;
    bool any = c->b != NULL;
    for (int64_t k = 0; k < c->results; k++)
        any |= bias[k] != 0;
    TRY(rounded(c, c->w->rank, c->w->dims, weights, &w));
    TRY(rounded(c, 1, &c->results, bias, &b));
    *out_done = w != NULL && b != NULL;
    if (!*out_done)
        return STATUS_OK;
    TRY(set_constant(c, 1, node_input(c->n, 1)->name, w));
    return any ? set_bias(c, b) : STATUS_OK;
}

/* ---- behind a contraction ---- */

static status collect_behind(contraction *c, value **out_last, bool *out_scales) {
    affine one;
    value *v = c->n->outputs[0], *x;
    TRY(affine_new(c->scratch, c->results, &c->sum));
    TRY(affine_new(c->scratch, c->results, &one));
    *out_scales = false;
    while (v->n_uses == 1 && v->uses->user != NULL && c->n_nodes < MOST_NODES) {
        node *n = v->uses->user;
        if (!read_affine(n, axis_of(c, v), &one, &x) || x != v)
            break;
        compose(&one, &c->sum, &c->sum);
        *out_scales |= !is_op(n, "Add") && !is_op(n, "Sub");
        c->nodes[c->n_nodes++] = n;
        v = n->outputs[0];
    }
    *out_last = v;
    return STATUS_OK;
}

static status fold_behind(contraction *c) {
    value *last;
    bool scales, done;
    TRY(collect_behind(c, &last, &scales));
    if (c->n_nodes == 0 || (!c->form->has_bias && !scales))
        return STATUS_OK;
    double *w = ARENA_NEW_N(c->scratch, double, c->w->count + 1), *b = ARENA_NEW_N(c->scratch, double, c->results + 1);
    TRY_ALLOC(w);
    TRY_ALLOC(b);
    for (int64_t i = 0; i < c->w->count; i++)
        w[i] = tensor_double(c->w, i) * c->sum.scale[c->form->result(c, i)];
    for (int64_t k = 0; k < c->results; k++)
        b[k] = bias_at(c, k) * c->sum.scale[k] + c->sum.shift[k];
    TRY(replace(c, w, b, &done));
    if (!done)
        return STATUS_OK;
    const char *name = last->name;
    value *y = node_input(c->nodes[0], 0);
    y = y->constant == NULL ? y : node_input(c->nodes[0], 1); /* with the bias that has been appended */
    y->def->name = y->def != c->n ? last->def->name : c->n->name;
    TRY(graph_replace_all_uses(c->g, last, y));
    while (c->n_nodes > 0)
        TRY(graph_erase_node(c->g, c->nodes[--c->n_nodes]));
    return graph_set_name(c->g, y, name);
}

/* ---- before a contraction ---- */

static bool pads_nothing(const node *n) {
    int64_t count;
    const int64_t *pads = op_ints(n, "pads", &count);
    const char *automatic = op_string(n, "auto_pad");
    for (int64_t i = 0; i < count; i++)
        if (pads[i] != 0)
            return false;
    return automatic == NULL || strcmp(automatic, "NOTSET") == 0 || strcmp(automatic, "VALID") == 0;
}

static status collect_before(contraction *c, value **out_x, bool *out_has_norm) {
    affine one;
    value *v = node_input(c->n, 0), *x;
    TRY(affine_new(c->scratch, c->inputs, &c->sum));
    TRY(affine_new(c->scratch, c->inputs, &one));
    *out_has_norm = false;
    while (v->def != NULL && v->n_uses == 1 && c->n_nodes < MOST_NODES &&
           read_affine(v->def, axis_of(c, v), &one, &x)) {
        compose(&c->sum, &one, &c->sum);
        *out_has_norm |= is_op(v->def, "BatchNormalization");
        c->nodes[c->n_nodes++] = v->def;
        v = x;
    }
    *out_x = v;
    return STATUS_OK;
}

/* What a border of zeros adds is not shifted, so a shift needs a contraction without one. */
static bool may_shift(const contraction *c) {
    for (int64_t k = 0; k < c->inputs; k++)
        if (c->sum.shift[k] != 0)
            return pads_nothing(c->n);
    return true;
}

static status fold_before(contraction *c) {
    value *x;
    bool has_norm, done;
    if (c->form->input == NULL || (is_op(c->n, "Gemm") && op_int(c->n, "transA") != 0))
        return STATUS_OK;
    c->n_nodes = 0;
    TRY(collect_before(c, &x, &has_norm));
    if (!has_norm || !may_shift(c))
        return STATUS_OK;
    double *w = ARENA_NEW_N(c->scratch, double, c->w->count + 1), *b = ARENA_NEW_N(c->scratch, double, c->results + 1);
    TRY_ALLOC(w);
    TRY_ALLOC(b);
    double alpha = is_op(c->n, "Gemm") ? op_float(c->n, "alpha") : 1;
    for (int64_t k = 0; k < c->results; k++)
        b[k] = bias_at(c, k);
    for (int64_t i = 0; i < c->w->count; i++) {
        double old = tensor_double(c->w, i);
        w[i] = old * c->sum.scale[c->form->input(c, i)];
        b[c->form->result(c, i)] += alpha * old * c->sum.shift[c->form->input(c, i)];
    }
    TRY(replace(c, w, b, &done));
    if (!done)
        return STATUS_OK;
    TRY(node_set_input(c->n, 0, x));
    for (int i = 0; i < c->n_nodes; i++)
        TRY(graph_erase_node(c->g, c->nodes[i]));
    return STATUS_OK;
}

/* ---- all ---- */

static status fold_around(graph *g, node *n, arena *scratch) {
    contraction c;
    if (read_contraction(g, n, scratch, &c))
        TRY(fold_behind(&c));
    return read_contraction(g, n, scratch, &c) ? fold_before(&c) : STATUS_OK;
}

status pass_fold_batch_norm(graph *g) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (node *n = g->first; n != NULL && s == STATUS_OK; n = n->next) {
        arena_mark mark = arena_get_mark(scratch);
        s = n->n_outputs == 1 && n->outputs[0] != NULL ? fold_around(g, n, scratch) : STATUS_OK;
        arena_reset(scratch, mark);
    }
    arena_free(scratch);
    return s;
}
