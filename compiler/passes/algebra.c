/* Algebra: operands that change nothing, choices that are known, and broadcasts that a consumer makes anyway.
 *
 * A value may be known to have one number for all elements ("splat") even where its shape is not known: a mask of ones
 * stays one through Unsqueeze, Cast and arithmetic. What is decided here goes by that number; the nodes that computed
 * it are then dead. */
#include <math.h>
#include <string.h>

#include "passes/builtin.h"

enum { MOST_DEEP = 32 };

/* ---- splats ---- */

static bool splat(const value *v, int deep, double *out);

static double round_to(dtype t, double x) {
    double rounded;
    dtype_set_double(t, &rounded, 0, x);
    return dtype_get_double(t, &rounded, 0);
}

static bool splat_constant(const tensor *t, double *out) {
    if (t->count == 0 || t->elem == DT_NONE)
        return false;
    *out = tensor_double(t, 0);
    for (int64_t i = 1; i < t->count; i++)
        if (tensor_double(t, i) != *out)
            return false;
    return true;
}

static double add(double x, double y) {
    return x + y;
}
static double sub(double x, double y) {
    return x - y;
}
static double mul(double x, double y) {
    return x * y;
}
static double quotient(double x, double y) {
    return x / y;
}
static double equal(double x, double y) {
    return x == y;
}
static double greater(double x, double y) {
    return x > y;
}
static double less(double x, double y) {
    return x < y;
}
static double both(double x, double y) {
    return x != 0 && y != 0;
}
static double either(double x, double y) {
    return x != 0 || y != 0;
}

/* Arithmetic that a double does as the operator does, for what a double holds. */
static const struct {
    const char *op;
    double (*fn)(double x, double y);
    bool floats_only;
} arithmetic[] = {{"Add", add, false},     {"Sub", sub, false},     {"Mul", mul, false},
                  {"Div", quotient, true}, {"Equal", equal, false}, {"Greater", greater, false},
                  {"Less", less, false},   {"And", both, false},    {"Or", either, false}};

static bool splat_arithmetic(const node *n, int deep, double *out) {
    double x, y;
    for (size_t i = 0; i < sizeof arithmetic / sizeof *arithmetic; i++) {
        if (strcmp(arithmetic[i].op, n->op) != 0)
            continue;
        if (n->n_inputs != 2 || !splat(node_input(n, 0), deep, &x) || !splat(node_input(n, 1), deep, &y))
            return false;
        *out = arithmetic[i].fn(x, y);
        return !arithmetic[i].floats_only || dtype_is_float(n->outputs[0]->type.elem);
    }
    return false;
}

/* Operators that hand on one number, whatever they do with places. */
static bool moves_elements(const node *n) {
    static const char *const ops[] = {"Expand",    "Unsqueeze", "Squeeze", "Reshape", "Flatten",
                                      "Transpose", "Identity",  "Slice",   "Tile",    "Cast"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i], n->op) == 0)
            return true;
    return false;
}

static bool splat_of_shape(const node *n, double *out) {
    const attr *a = node_attr(n, "value");
    *out = 0;
    return a == NULL || (a->kind == ATTR_TENSOR && a->t->count == 1 && splat_constant(a->t, out));
}

/* Integers beyond this are not all doubles. */
#define EXACT 9007199254740992.0

/* Has every element of v the value *out, however many there are? */
static bool splat(const value *v, int deep, double *out) {
    if (v == NULL || deep == MOST_DEEP)
        return false;
    if (v->constant != NULL)
        return splat_constant(v->constant, out) && (dtype_is_float(v->constant->elem) || fabs(*out) <= EXACT);
    const node *n = v->def;
    if (n == NULL || n->domain[0] != '\0' || v->def_index != 0 || v->type.elem == DT_NONE)
        return false;
    bool known = is_op(n, "ConstantOfShape") ? splat_of_shape(n, out)
                 : moves_elements(n)         ? splat(node_input(n, 0), deep + 1, out)
                                             : splat_arithmetic(n, deep + 1, out);
    if (!known || (!dtype_is_float(v->type.elem) && !(fabs(*out) <= EXACT)))
        return false;
    *out = v->type.elem == DT_BOOL ? *out != 0 : round_to(v->type.elem, *out);
    return true;
}

/* ---- operands that change nothing ---- */

/* With the number in its second (or, where that is the same, first) operand, the operator gives the other one. */
static const struct {
    const char *op;
    double neutral;
    bool commutes;
} neutral[] = {{"Add", 0, true},  {"Sub", 0, false}, {"Mul", 1, true}, {"Div", 1, false},
               {"Pow", 1, false}, {"And", 1, true},  {"Or", 0, true}};

static value *unchanged_operand(const node *n) {
    double x;
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++) {
        if (strcmp(neutral[i].op, n->op) != 0 || n->n_inputs != 2)
            continue;
        if (splat(node_input(n, 1), 0, &x) && x == neutral[i].neutral)
            return node_input(n, 0);
        if (neutral[i].commutes && splat(node_input(n, 0), 0, &x) && x == neutral[i].neutral)
            return node_input(n, 1);
    }
    return NULL;
}

/* What the node's output is the same as; NULL where that is not known. */
static value *same_as(const node *n) {
    double condition;
    value *v = unchanged_operand(n);
    if (is_op(n, "Where") && splat(node_input(n, 0), 0, &condition))
        v = node_input(n, condition != 0 ? 1 : 2);
    return v != NULL && v->type.rank >= 0 && type_equal(&v->type, &n->outputs[0]->type) ? v : NULL;
}

/* ---- broadcasts that the consumer makes ---- */

/* A row of the table that every index picks, as a constant. */
static status table_row(graph *g, const tensor *t, int64_t row, value **out) {
    int64_t rows = t->rank > 0 ? t->dims[0] : 0;
    row = row < 0 ? row + rows : row;
    if (row < 0 || row >= rows || dtype_bits(t->elem) < 8)
        return STATUS_OK;
    size_t bytes = t->bytes / (size_t)rows;
    void *data = arena_copy(g->memory, (const char *)t->data + (size_t)row * bytes, bytes);
    TRY_ALLOC(data);
    tensor *made = tensor_new(g->memory, t->elem, t->rank - 1, t->dims + 1, data);
    TRY_ALLOC(made);
    TRY_ALLOC(*out = graph_add_constant(g, NULL, made));
    return STATUS_OK;
}

/* What v is a mere broadcast of, by the rules of element-wise operators; *out stays NULL where it is none. */
static status broadcast_source(graph *g, const value *v, value **out) {
    const node *n = v->def;
    double row;
    *out = NULL;
    if (is_op(n, "Expand")) {
        *out = node_input(n, 0);
    } else if (is_op(n, "Gather") && op_int(n, "axis") == 0 && node_input(n, 0)->constant != NULL &&
               splat(node_input(n, 1), 0, &row)) {
        return table_row(g, node_input(n, 0)->constant, (int64_t)row, out);
    }
    return STATUS_OK;
}

/* Has another operand the shape of the result already? */
static bool other_has_shape(const node *n, int operand) {
    const tensor_type *y = &n->outputs[0]->type;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (i == operand || v == NULL || v->type.rank != y->rank || y->rank < 0)
            continue;
        bool same = true;
        for (int k = 0; k < y->rank; k++)
            same &= dim_equal(v->type.dims[k], y->dims[k]);
        if (same)
            return true;
    }
    return false;
}

static status skip_broadcasts(graph *g, node *n) {
    if (n->row == NULL || n->row->kind != OP_SCALAR)
        return STATUS_OK;
    for (int i = 0; i < n->n_inputs; i++) {
        value *v = node_input(n, i), *source = NULL;
        if (v == NULL || !other_has_shape(n, i))
            continue;
        TRY(broadcast_source(g, v, &source));
        if (source != NULL)
            TRY(node_set_input(n, i, source));
    }
    return STATUS_OK;
}

/* A mask that lets all through is none. */
static status drop_mask(node *n) {
    enum { MASK = 3 };
    double x;
    const value *mask = is_op(n, "Attention") ? node_input(n, MASK) : NULL;
    if (mask == NULL || !splat(mask, 0, &x) || x != (mask->type.elem == DT_BOOL))
        return STATUS_OK;
    return node_set_input(n, MASK, NULL);
}

static status simplify(graph *g, node *n) {
    if (n->domain[0] != '\0' || n->n_outputs != 1 || n->outputs[0] == NULL || n->outputs[0]->constant != NULL)
        return STATUS_OK;
    TRY(drop_mask(n));
    value *v = same_as(n);
    if (v == NULL)
        return skip_broadcasts(g, n);
    TRY(graph_replace_all_uses(g, n->outputs[0], v));
    return graph_erase_node(g, n);
}

status pass_algebra(graph *g) {
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        TRY(simplify(g, n));
    }
    return STATUS_OK;
}
