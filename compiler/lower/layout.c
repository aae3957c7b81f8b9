/* Layouts: in which order the dimensions of the values between kernels lie in memory. */
#include "lower/group.h"

const int64_t *layout_of(const grouping *x, const value *v) {
    return map_get_key(&x->layouts, MAP_KEY(v));
}

/* ---- where a contraction's constants step ---- */

typedef struct constant_use {
    const composed *c;
    const nest *m;
    bool along[NEST_MAX_AXES]; /* outer axes */
} constant_use;

static void note_constant(const expr *x, void *ctx) {
    constant_use *u = ctx;
    if (x->kind != EXPR_READ || u->c->operands.at[x->ref].data == NULL)
        return;
    for (int k = 0; k < u->m->n_axes; k++)
        u->along[k] |= expr_uses(x, u->m->axes[k].var);
}

static bool steps_along(const constant_use *u, const expr *index) {
    for (int k = 0; k < u->m->n_axes; k++)
        if (u->along[k] && expr_uses(index, u->m->axes[k].var))
            return true;
    return false;
}

/* Does the contraction want dimension 1 of its result to lie last? */
static status wants_channels_last(const grouping *x, const node_info *root, const node_info *which, arena *scratch, bool *out) {
    composed c;
    *out = false;
    TRY(compose_group(x, root, which, which->n_nests - 1, scratch, &c));
    const nest *m = c.n;
    const nest_stage *store = &m->stages.at[m->stages.n - 1];
    constant_use u = {.c = &c, .m = m};
    for (size_t s = 0; s < m->stages.n; s++)
        if (m->stages.at[s].kind == STAGE_REDUCE)
            expr_visit(m->stages.at[s].value, note_constant, &u);
    *out = store->rank >= 3 && steps_along(&u, store->index[1]) && !steps_along(&u, store->index[store->rank - 1]);
    return STATUS_OK;
}

/* ---- who else follows ---- */

/* Is the value free to have a layout: only between kernels, and read by no raw nest? */
static bool is_free(const grouping *x, const node_info *root) {
    const value *v = node_output(root->n, 0);
    if (root->raw || root->n->n_outputs != 1 || v->type.rank < 3)
        return false;
    for (const use *u = v->uses; u != NULL; u = u->next)
        if (u->user == NULL || group_info(x, u->user)->raw)
            return false;
    return true;
}

static int64_t *channels_last(arena *a, const value *v) {
    int64_t dims[TENSOR_MAX_RANK], *strides = ARENA_NEW_N(a, int64_t, TENSOR_MAX_RANK);
    if (strides == NULL)
        return NULL;
    type_shape(&v->type, dims);
    int64_t stride = dims[1];
    strides[1] = 1;
    for (int d = v->type.rank - 1; d >= 2; d--) {
        strides[d] = stride;
        stride *= dims[d];
    }
    strides[0] = stride;
    return strides;
}

/* Does the node read a value of its result's rank that lies channels last, through maps of its own group or directly? */
static bool follows_operand(const grouping *x, const node_info *i, int rank) {
    for (int k = 0; k < i->n->n_inputs; k++) {
        const value *v = node_input(i->n, k);
        if (v == NULL || v->constant != NULL || v->type.rank != rank)
            continue;
        if (layout_of(x, v) != NULL)
            return true;
        const node_info *def = v->def != NULL ? group_info(x, v->def) : NULL;
        if (def != NULL && (def->inlined || def->core_of >= 0) && !def->movement && follows_operand(x, def, rank))
            return true;
    }
    return false;
}

status choose_layouts(grouping *x) {
    arena *scratch = arena_new(arena_allocator(x->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (int k = 0; k < x->n && s == STATUS_OK && !x->o->naive; k++) {
        const node_info *root = &x->nodes[k];
        if (root->inlined || root->core_of >= 0 || !is_free(x, root))
            continue;
        const node_info *which = root->core >= 0 ? &x->nodes[root->core] : root;
        const value *v = node_output(root->n, 0);
        bool last = false;
        if (which->contract)
            s = wants_channels_last(x, root, which, scratch, &last);
        else
            last = follows_operand(x, root, v->type.rank);
        int64_t *strides = last && s == STATUS_OK ? channels_last(x->memory, v) : NULL;
        if (strides != NULL)
            s = map_set_key(&x->layouts, MAP_KEY(v), strides);
        else if (last && s == STATUS_OK)
            s = STATUS_RESOURCE;
    }
    arena_free(scratch);
    return s;
}
