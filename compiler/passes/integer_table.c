/* Functions of one narrow quantised value: tables made at compile time, in double precision. */
#include <math.h>

#include "passes/integer.h"

enum { MOST_NODES = 64, TABLE_BITS = 8, MOST_TABLE_BITS = 16 };

/* ---- what lies between a quantised value and q ---- */

typedef struct region {
    integer_work *work;
    quantised x;
    bool has_x, holds;
    node *nodes[MOST_NODES]; /* in an order in which they can be computed */
    int n;
} region;

/* An element-wise function of floats that can be computed in double. */
static bool is_function(const node *n) {
    if (n->row == NULL || n->row->kind != OP_SCALAR || n->n_outputs != 1 || n->domain[0] != '\0' || is_op(n, "Cast"))
        return false;
    for (int i = 0; i < n->n_inputs; i++) {
        const op_param *p = op_input_param(n, i);
        const value *v = node_input(n, i);
        if (v != NULL && (p == NULL || (p->types & TYPE_BIT(DT_F64)) == 0 || v->type.elem != DT_F32))
            return false;
    }
    return n->outputs[0]->type.elem == DT_F32;
}

static bool has_node(const region *r, const node *n) {
    for (int i = 0; i < r->n; i++)
        if (r->nodes[i] == n)
            return true;
    return false;
}

static void collect(region *r, const value *v) {
    quantised x;
    if (v == NULL || !r->holds || (v->constant != NULL && v->constant->count == 1))
        return;
    if (quantised_read(v, &x) && quantised_is_single(&x) && x.q->constant == NULL) {
        r->holds = !r->has_x || (r->x.q == x.q && quantised_same(&r->x, &x));
        r->x = x;
        r->has_x = true;
        return;
    }
    if (v->constant != NULL || v->def == NULL || !is_function(v->def) || r->n == MOST_NODES) {
        r->holds = false;
        return;
    }
    if (has_node(r, v->def))
        return;
    for (int i = 0; i < v->def->n_inputs; i++)
        collect(r, node_input(v->def, i));
    if (r->n == MOST_NODES)
        r->holds = false;
    else if (!has_node(r, v->def))
        r->nodes[r->n++] = v->def;
}

static bool read_region(integer_work *w, const quantiser *q, region *out) {
    *out = (region){.work = w, .holds = true};
    collect(out, q->from);
    return out->holds && out->has_x && out->n > 0;
}

/* ---- its values ---- */

/* Every number that x can be. */
static status all_numbers(const region *r, graph *g, value **out) {
    dtype t = r->x.q->type.elem;
    int64_t n = INT64_C(1) << dtype_bits(t);
    tensor *made = tensor_new(g->memory, DT_F64, 1, &n, NULL);
    TRY_ALLOC(made);
    for (int64_t i = 0; i < n; i++)
        dtype_set_double(DT_F64, (void *)(uintptr_t)made->data, (size_t)i,
                         (double)(dtype_min(t) + i - quantised_zero(&r->x, 0)) * quantised_scale(&r->x, 0));
    *out = graph_add_constant(g, NULL, made);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

/* What stands for v in the graph of the table. */
static status stand_in(const map *made, graph *g, value *x, const value *v, value **out) {
    *out = v == NULL ? NULL : map_get_key(made, MAP_KEY(v));
    if (v == NULL || *out != NULL)
        return STATUS_OK;
    if (v->constant != NULL) {
        TRY_ALLOC(*out = graph_add_number(g, DT_F64, tensor_double(v->constant, 0)));
        return STATUS_OK;
    }
    *out = x;
    return STATUS_OK;
}

/* The region's nodes once more, over doubles. */
static status rebuild(const region *r, const value *end, graph *g, value **out) {
    map made = map_in(g->memory);
    value *x, *inputs[MOST_NODES];
    TRY(all_numbers(r, g, &x));
    for (int i = 0; i < r->n; i++) {
        const node *n = r->nodes[i];
        for (int k = 0; k < n->n_inputs; k++)
            TRY(stand_in(&made, g, x, node_input(n, k), &inputs[k]));
        node *copy = graph_build(g, NULL, n->op, inputs, n->n_inputs, n->attrs, n->n_attrs, 1);
        TRY_ALLOC(copy);
        TRY(map_set_key(&made, MAP_KEY(n->outputs[0]), copy->outputs[0]));
    }
    *out = map_get_key(&made, MAP_KEY(end));
    return graph_add_output(g, *out, "table");
}

/* The function's value for every number that x can be, in order; NULL where it cannot be computed. */
static status evaluate(const region *r, const value *end, double **out) {
    const graph *own = r->work->g;
    diag *d = diag_new(arena_allocator(own->memory)); /* what fails here is no mistake of the user's */
    TRY_ALLOC(d);
    graph *g = graph_new(arena_allocator(own->memory), d, own->ops, "table", own->file);
    value *y = NULL;
    status s = g == NULL ? STATUS_RESOURCE : rebuild(r, end, g, &y);
    if (s == STATUS_OK)
        s = pass_fold(g);
    const tensor *t = s == STATUS_OK ? g->outputs.at[0]->v->constant : NULL;
    *out = NULL;
    if (t != NULL && (*out = ARENA_NEW_N(r->work->scratch, double, t->count)) == NULL)
        s = STATUS_RESOURCE;
    for (int64_t i = 0; t != NULL && *out != NULL && i < t->count; i++)
        (*out)[i] = tensor_double(t, i);
    bool out_of_memory = s == STATUS_RESOURCE && diag_errors(d) == 0;
    graph_free(g);
    diag_free(d);
    return out_of_memory ? s : STATUS_OK;
}

/* ---- the table ---- */

static int bits_allowed(const integer_work *w) {
    return w->o->no_float ? MOST_TABLE_BITS : TABLE_BITS;
}

status integer_table(integer_work *w, const quantiser *q, value **out) {
    region r;
    double *y;
    value *inputs[2];
    if (!read_region(w, q, &r) || dtype_bits(r.x.q->type.elem) > bits_allowed(w) ||
        !type_equal(&q->from->type, &r.x.n->outputs[0]->type))
        return STATUS_OK;
    TRY(evaluate(&r, q->from, &y));
    if (y == NULL)
        return STATUS_OK;
    int64_t n = INT64_C(1) << dtype_bits(r.x.q->type.elem), *codes = ARENA_NEW_N(w->scratch, int64_t, n);
    TRY_ALLOC(codes);
    for (int64_t i = 0; i < n; i++)
        codes[i] = quantised_number(y[i] < 0 ? y[i] * q->slope : y[i], q->scale, q->zero, q->within);
    inputs[0] = r.x.q;
    TRY(integer_constant(w, q->to, 1, &n, codes, &inputs[1]));
    return integer_node(w, q->n, "Lookup", inputs, 2, NULL, 0, out);
}
