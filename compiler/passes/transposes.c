/* Layout: transposes that follow each other become one, none, or part of a Reshape. */
#include <string.h>

#include "passes/transposes.h"

/* ---- permutations ---- */

bool permutation_read(const node *n, permutation *out) {
    const value *x = is_op(n, "Transpose") ? node_input(n, 0) : NULL;
    int64_t count;
    if (x == NULL || x->type.rank < 0)
        return false;
    const int64_t *perm = op_ints(n, "perm", &count);
    out->rank = x->type.rank;
    for (int k = 0; k < out->rank; k++)
        out->of[k] = perm != NULL ? perm[k] : out->rank - 1 - k;
    return true;
}

permutation permutation_after(const permutation *p, const permutation *q) {
    permutation r = {.rank = p->rank};
    for (int k = 0; k < p->rank; k++)
        r.of[k] = q->of[p->of[k]];
    return r;
}

permutation permutation_inverse(const permutation *p) {
    permutation r = {.rank = p->rank};
    for (int k = 0; k < p->rank; k++)
        r.of[p->of[k]] = k;
    return r;
}

bool permutation_is_identity(const permutation *p) {
    for (int k = 0; k < p->rank; k++)
        if (p->of[k] != k)
            return false;
    return true;
}

value *permutation_apply(graph *g, node *before, value *v, const permutation *p) {
    const attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = p->of, .n = p->rank};
    node *made = graph_build(g, before, "Transpose", &v, 1, &perm, 1, 1);
    return made != NULL ? made->outputs[0] : NULL;
}

status permutation_undo(graph *g, const value *v, const permutation *p, value **out) {
    const tensor *t = v->constant;
    int64_t dims[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK], at[TENSOR_MAX_RANK] = {0}, step = 1;
    size_t bytes = (size_t)dtype_bits(t->elem) / 8;
    for (int k = p->rank - 1; k >= 0; k--) {
        int own = k - (p->rank - t->rank);
        dims[p->of[k]] = own >= 0 ? t->dims[own] : 1;
        stride[p->of[k]] = step;
        step *= dims[p->of[k]];
    }
    tensor *made = tensor_new(g->memory, t->elem, p->rank, dims, NULL);
    TRY_ALLOC(made);
    char *to = (char *)(uintptr_t)made->data;
    for (int64_t i = 0; i < t->count; i++, to += bytes) {
        int64_t from = 0;
        for (int k = 0; k < p->rank; k++)
            from += at[k] * stride[k];
        memcpy(to, (const char *)t->data + (size_t)from * bytes, bytes);
        for (int k = p->rank - 1; k >= 0 && ++at[k] == dims[k]; k--)
            at[k] = 0;
    }
    TRY_ALLOC(*out = graph_add_constant(g, v->name, made));
    return STATUS_OK;
}

status erase_unused(graph *g, node *n) {
    return n != NULL && (is_op(n, "Transpose") || is_op(n, "Reshape")) && n->outputs[0]->uses == NULL
               ? graph_erase_node(g, n)
               : STATUS_OK;
}

/* ---- one behind another ---- */

/* y takes the place of n's output; what n read goes with it where nobody else reads that. */
static status replace(graph *g, node *n, value *y) {
    node *before = node_input(n, 0)->def;
    TRY(graph_replace_all_uses(g, n->outputs[0], y));
    TRY(graph_erase_node(g, n));
    return erase_unused(g, before);
}

/* Transpose of a Transpose: of what that reads. */
static status merge_transposes(graph *g, node *n) {
    permutation p, q;
    node *before = node_input(n, 0)->def;
    if (before == NULL || !permutation_read(n, &p) || !permutation_read(before, &q))
        return STATUS_OK;
    permutation both = permutation_after(&p, &q);
    if (permutation_is_identity(&both))
        return replace(g, n, node_input(before, 0));
    const attr perm = {.name = "perm", .kind = ATTR_INTS, .ints = both.of, .n = both.rank};
    TRY(node_set_attr(n, &perm));
    TRY(node_set_input(n, 0, node_input(before, 0)));
    return erase_unused(g, before);
}

/* ---- beside a Reshape ---- */

/* Does the Transpose leave all elements where they are, because it moves but dimensions of 1? */
static bool moves_ones(const node *n) {
    permutation p;
    int64_t last = -1;
    if (!permutation_read(n, &p))
        return false;
    for (int k = 0; k < p.rank; k++) {
        const dim d = node_input(n, 0)->type.dims[p.of[k]];
        if (dim_is_known(d) && d.n == 1)
            continue;
        if (p.of[k] < last)
            return false;
        last = p.of[k];
    }
    return true;
}

/* Does the Reshape say its result's shape without regard to its input's? */
static bool says_all(const node *n) {
    const value *shape = node_input(n, 1);
    if (shape == NULL || shape->constant == NULL)
        return false;
    for (int64_t i = 0; i < shape->constant->count; i++)
        if (tensor_int(shape->constant, i) == 0)
            return false;
    return true;
}

/* Reshape of what only has another shape: of that itself. */
static status skip_before_reshape(graph *g, node *n) {
    node *before = node_input(n, 0)->def;
    if (before == NULL || !says_all(n) || !(is_op(before, "Reshape") || moves_ones(before)))
        return STATUS_OK;
    TRY(node_set_input(n, 0, node_input(before, 0)));
    return erase_unused(g, before);
}

/* Transpose of a Reshape, where it moves but dimensions of 1: another Reshape. */
static status merge_into_reshape(graph *g, node *n) {
    node *before = node_input(n, 0)->def;
    const tensor_type *y = &n->outputs[0]->type;
    int64_t shape[TENSOR_MAX_RANK], rank = y->rank, unknown = 0;
    if (before == NULL || !is_op(before, "Reshape") || !moves_ones(n))
        return STATUS_OK;
    for (int k = 0; k < y->rank; k++) {
        bool known = dim_is_known(y->dims[k]);
        shape[k] = known ? y->dims[k].n : -1;
        unknown += !known;
        if (shape[k] == 0)
            return STATUS_OK;
    }
    if (unknown > 1)
        return STATUS_OK;
    value *to = graph_add_ints(g, NULL, 1, shape, rank);
    TRY_ALLOC(to);
    node *made = graph_build(g, n, "Reshape", (value *[]){node_input(before, 0), to}, 2, NULL, 0, 1);
    TRY_ALLOC(made);
    made->source = n->source;
    made->name = n->name;
    const char *name = n->outputs[0]->name;
    TRY(replace(g, n, made->outputs[0]));
    return graph_set_name(g, made->outputs[0], name);
}

/* ---- all ---- */

static status merge_all(graph *g) {
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        TRY(is_op(n, "Transpose") ? merge_transposes(g, n) : transpose_absorb(g, n));
    }
    return STATUS_OK;
}

static status flip_any(graph *g, bool *out_done) {
    arena *scratch = arena_new(arena_allocator(g->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    *out_done = false;
    for (const node *n = g->first; n != NULL && s == STATUS_OK && !*out_done; n = n->next)
        if (is_op(n, "Transpose"))
            s = transpose_flip(g, n, scratch, out_done);
    arena_free(scratch);
    return s;
}

status pass_layout(graph *g) {
    bool flipped;
    do { /* each time with fewer transposes */
        TRY(merge_all(g));
        TRY(flip_any(g, &flipped));
    } while (flipped);
    for (node *n = g->first, *next; n != NULL; n = next) {
        next = n->next;
        if (is_op(n, "Reshape"))
            TRY(skip_before_reshape(g, n));
        else if (is_op(n, "Transpose"))
            TRY(merge_into_reshape(g, n));
    }
    return STATUS_OK;
}
