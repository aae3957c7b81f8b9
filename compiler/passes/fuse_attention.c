/* Attention: products, mask and Softmax that exporters write become one operator, which lowering takes apart again. */
#include <math.h>

#include "passes/transposes.h"

enum { RANK = 4, QUERIES = 2, SIZE = 3 };

/* A mask that is chosen rather than added, and at least this far down, leaves nothing of a score. */
#define MASKED_OUT (-1e30)

typedef struct attention {
    graph *g;
    node *root;         /* probabilities times values */
    value *q, *k, *v;   /* k as it stands before its Transpose */
    const node *turned; /* that Transpose */
    permutation turn_k; /* what brings k into the order of q */
    value *added;       /* a mask that is added; NULL: none */
    node *chosen;       /* Where between scores and a number that masks out; NULL: none */
    double scale;
} attention;

static bool is_private(const value *v) {
    return v->n_uses == 1 && v->uses->user != NULL;
}

static bool is_number(const value *v, double *out) {
    if (v == NULL || v->constant == NULL || v->constant->count != 1)
        return false;
    *out = tensor_double(v->constant, 0);
    return true;
}

/* What v is a multiple of, where nobody else sees that; the factor goes into *scale. */
static value *without_scale(value *v, double *scale) {
    double x;
    while (v->def != NULL && is_private(v) && (is_op(v->def, "Mul") || is_op(v->def, "Div"))) {
        value *first = node_input(v->def, 0), *second = node_input(v->def, 1), *of = first;
        if (!is_number(second, &x)) {
            of = second;
            if (!is_op(v->def, "Mul") || !is_number(first, &x))
                break;
        }
        if (!type_equal(&of->type, &v->type))
            break;
        *scale *= is_op(v->def, "Mul") ? x : 1 / x;
        v = of;
    }
    return v;
}

static bool read_product(attention *a, value *scores) {
    double scale = 1;
    if (!is_private(scores))
        return false;
    value *product = without_scale(scores, &scale);
    if (!is_op(product->def, "MatMul") || !is_private(product))
        return false;
    a->q = without_scale(node_input(product->def, 0), &scale);
    value *turned = without_scale(node_input(product->def, 1), &scale);
    permutation p;
    if (!permutation_read(turned->def, &p) || p.rank != RANK)
        return false;
    a->turned = turned->def;
    a->turn_k = p;
    a->turn_k.of[QUERIES] = p.of[SIZE];
    a->turn_k.of[SIZE] = p.of[QUERIES];
    a->k = without_scale(node_input(turned->def, 0), &scale);
    a->scale = scale;
    return true;
}

static bool read_added(attention *a, value *s) {
    for (int i = 0; i < 2; i++) {
        value *scores = node_input(s->def, i);
        a->added = node_input(s->def, 1 - i);
        if (type_equal(&scores->type, &s->type) && read_product(a, scores))
            return true;
    }
    return false;
}

static bool read_chosen(attention *a, value *s) {
    double x;
    for (int i = 1; i <= 2; i++) {
        value *scores = node_input(s->def, i);
        a->chosen = s->def;
        if (is_number(node_input(s->def, 3 - i), &x) && x <= MASKED_OUT && type_equal(&scores->type, &s->type) &&
            read_product(a, scores))
            return true;
    }
    return false;
}

static bool read_scores(attention *a, value *s) {
    return is_op(s->def, "Add") && is_private(s)     ? read_added(a, s)
           : is_op(s->def, "Where") && is_private(s) ? read_chosen(a, s)
                                                     : read_product(a, s);
}

static dim dim_of_k(const attention *a, int k) {
    return a->k->type.dims[a->turn_k.of[k]];
}

/* As Attention wants them: the same batch and heads, and sizes that fit. */
static bool fits(const attention *a) {
    const tensor_type *q = &a->q->type, *k = &a->k->type, *v = &a->v->type;
    if (q->rank != RANK || k->rank != RANK || v->rank != RANK || q->elem != DT_F32 || k->elem != DT_F32 ||
        v->elem != DT_F32)
        return false;
    for (int i = 0; i < QUERIES; i++)
        if (!dim_equal(q->dims[i], dim_of_k(a, i)) || !dim_equal(q->dims[i], v->dims[i]))
            return false;
    return dim_equal(q->dims[SIZE], dim_of_k(a, SIZE)) && dim_equal(dim_of_k(a, QUERIES), v->dims[QUERIES]);
}

static bool read_attention(graph *g, node *n, attention *out) {
    *out = (attention){.g = g, .root = n};
    value *p = is_op(n, "MatMul") ? node_input(n, 0) : NULL;
    if (p == NULL || !is_op(p->def, "Softmax") || !is_private(p) || p->type.rank != RANK)
        return false;
    int64_t axis = op_int(p->def, "axis");
    out->v = node_input(n, 1);
    return (axis == -1 || axis == RANK - 1) && read_scores(out, node_input(p->def, 0)) && fits(out);
}

/* ---- the mask ---- */

static value *made(const attention *a, const char *op, value *const *inputs, int n, const attr *attrs, int n_attrs) {
    node *m = graph_build(a->g, a->root, op, inputs, n, attrs, n_attrs, 1);
    if (m == NULL)
        return NULL;
    m->source = a->root->source;
    m->name = a->root->name;
    return m->outputs[0];
}

/* What is added to scores in place of the choice: 0 where they stay. */
static value *added_choice(const attention *a) {
    const node *w = a->chosen;
    double x;
    int fill = is_number(node_input(w, 1), &x) ? 1 : 2;
    value *inputs[] = {node_input(w, 0), node_input(w, 1), node_input(w, 2)};
    inputs[3 - fill] = graph_add_number(a->g, DT_F32, 0);
    return inputs[3 - fill] != NULL ? made(a, "Where", inputs, 3, NULL, 0) : NULL;
}

static value *one_dim(const attention *a, value *of, int k) {
    const attr range[] = {{.name = "start", .kind = ATTR_INT, .i = k}, {.name = "end", .kind = ATTR_INT, .i = k + 1}};
    return made(a, "Shape", &of, 1, range, 2);
}

/* [queries, keys] as a tensor. */
static value *scores_shape(const attention *a) {
    const dim queries = a->q->type.dims[QUERIES], keys = dim_of_k(a, QUERIES);
    if (dim_is_known(queries) && dim_is_known(keys)) {
        const int64_t dims[] = {queries.n, keys.n};
        return graph_add_ints(a->g, NULL, 1, dims, 2);
    }
    const attr axis = {.name = "axis", .kind = ATTR_INT, .i = 0};
    value *both[] = {one_dim(a, a->q, QUERIES), one_dim(a, a->k, (int)a->turn_k.of[QUERIES])};
    return both[0] != NULL && both[1] != NULL ? made(a, "Concat", both, 2, &axis, 1) : NULL;
}

static bool has_rows(const attention *a, const tensor_type *t) {
    return t->rank >= 2 && dim_equal(t->dims[t->rank - 2], a->q->type.dims[QUERIES]) &&
           dim_equal(t->dims[t->rank - 1], dim_of_k(a, QUERIES));
}

/* A row for each query and a number for each key: other runtimes do not broadcast these two. Ours does, without cost.
 */
static value *whole_mask(const attention *a, value *mask) {
    if (has_rows(a, &mask->type))
        return mask;
    for (const use *u = mask->uses; u != NULL; u = u->next) /* of an attention before */
        if (is_op(u->user, "Expand") && u->index == 0 && has_rows(a, &u->user->outputs[0]->type) &&
            node_is_before(u->user, a->root))
            return u->user->outputs[0];
    value *shape = scores_shape(a);
    return shape != NULL ? made(a, "Expand", (value *[]){mask, shape}, 2, NULL, 0) : NULL;
}

/* ---- the operator ---- */

/* The keys in the order of the queries; a Transpose that this takes stands for the one there was. */
static value *ordered_keys(const attention *a) {
    if (permutation_is_identity(&a->turn_k))
        return a->k;
    value *k = permutation_apply(a->g, a->root, a->k, &a->turn_k);
    if (k != NULL) {
        k->def->source = a->turned->source;
        k->def->name = a->turned->name;
    }
    return k;
}

static status fuse(const attention *a) {
    size_t errors = diag_errors(a->g->diags);
    const attr scale = {.name = "scale", .kind = ATTR_FLOAT, .f = (double)(float)a->scale};
    bool masked = a->added != NULL || a->chosen != NULL;
    value *inputs[] = {a->q, ordered_keys(a), a->v, a->chosen != NULL ? added_choice(a) : a->added};
    if (inputs[3] != NULL)
        inputs[3] = whole_mask(a, inputs[3]);
    if (inputs[1] == NULL || (masked && inputs[3] == NULL))
        return diag_errors(a->g->diags) > errors ? STATUS_INVALID : STATUS_RESOURCE;
    return fuse_replace(a->g, a->root, "Attention", inputs, masked ? 4 : 3, &scale, 1);
}

status pass_fuse_attention(graph *g) {
    attention a;
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        if (read_attention(g, n, &a))
            TRY(fuse(&a));
    }
    return STATUS_OK;
}
