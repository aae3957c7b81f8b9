/* Layouts: in which order the dimensions of the values between kernels lie in memory. */
#include "lower/group.h"

const operand_layout *layout_of(const grouping *x, const value *v) {
    return map_get_key(&x->layouts, MAP_KEY(v));
}

/* ---- where a contraction's constants step ---- */

typedef struct constant_use {
    const composed *c;
    const nest *m;
    bool along[NEST_MAX_AXES]; /* outer axes */
    bool sparse;               /* most of it is zero */
} constant_use;

/* So many weights in a hundred are not zero, at most, so many neighbours lie in a row, and so many products with
 * windows, and without, make a result, at least. */
#define SPARSE 12
#define ROW 8
#define WINDOWS 576
#define POINTS 64

static void note_constant(const expr *x, void *ctx) {
    constant_use *u = ctx;
    if (x->kind != EXPR_READ || u->c->operands.at[x->ref].data == NULL)
        return;
    for (int k = 0; k < u->m->n_axes; k++)
        u->along[k] |= expr_uses(x, u->m->axes[k].var);
    const schedule_operand *o = &u->c->operands.at[x->ref];
    int64_t n = 1;
    for (int d = 0; d < o->rank; d++)
        n *= o->dims[d];
    u->sparse |= schedule_is_sparse(o->elem, o->data, n, SPARSE);
}

static bool steps_along(const constant_use *u, const expr *index) {
    for (int k = 0; k < u->m->n_axes; k++)
        if (u->along[k] && expr_uses(index, u->m->axes[k].var))
            return true;
    return false;
}

/* Are there enough neighbours of the result whose data are neighbours, and enough products of each? A row is the last
 * dimension, or all behind the channels where there is no window. */
static bool has_rows(const nest *m, const schedule_operand *y) {
    int64_t n = y->dims[y->rank - 1], axes = 0, products = 1;
    for (size_t s = 0; s < m->stages.n; s++)
        for (int i = 0; i < m->stages.at[s].n_axes; i++) {
            axes += m->stages.at[s].axes[i].extent > 1;
            products *= m->stages.at[s].axes[i].extent;
        }
    for (int d = 2; axes < 2 && d < y->rank - 1; d++)
        n *= y->dims[d];
    return n >= ROW && products >= (axes < 2 ? POINTS : WINDOWS);
}

static bool is_depthwise(const node *n) {
    return n != NULL && is_op(n, "Conv") && op_int(n, "group") > 1;
}

/* Do convolutions of single channels, which are faster with channels last, make the data or read the result? */
static bool is_among_depthwise(const node_info *root, const node_info *which) {
    const value *data = node_input(which->n, 0);
    bool any = data != NULL && is_depthwise(data->def);
    for (const use *u = node_output(root->n, 0)->uses; u != NULL; u = u->next)
        any |= is_depthwise(u->user);
    return any;
}

/* Does the contraction want dimension 1 of its result to lie last? Not where it multiplies vectors along a row by the
 * few weights that are not zero, unless x->zeros_follow. */
static status wants_channels_last(grouping *x, const node_info *root, const node_info *which, arena *scratch,
                                  bool *out) {
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
    if (!*out || x->zeros_follow || !u.sparse || !has_rows(m, &c.operands.at[store->operand]) ||
        is_among_depthwise(root, which))
        return STATUS_OK;
    x->has_rows = true;
    *out = false;
    return STATUS_OK;
}

/* ---- who else follows ---- */

bool layout_is_free(const grouping *x, const node_info *root) {
    const value *v = node_output(root->n, 0);
    if (root->raw || root->n->n_outputs != 1 || v->type.rank < 3)
        return false;
    for (const use *u = v->uses; u != NULL; u = u->next)
        if (u->user == NULL || group_info(x, u->user)->raw)
            return false;
    return true;
}

static status channels_last(grouping *x, const value *v) {
    int64_t dims[TENSOR_MAX_RANK], stride;
    operand_layout *l = ARENA_NEW(x->memory, operand_layout);
    TRY_ALLOC(l);
    type_shape(&v->type, dims);
    stride = dims[1];
    l->strides[1] = 1;
    for (int d = v->type.rank - 1; d >= 2; d--) {
        l->strides[d] = stride;
        stride *= dims[d];
    }
    l->strides[0] = stride;
    l->n = stride * dims[0];
    return map_set_key(&x->layouts, MAP_KEY(v), l);
}

/* Is it a transpose by which the last dimension becomes dimension 1? */
static bool takes_channels_up(const node *n) {
    int64_t count;
    const int64_t *perm = is_op(n, "Transpose") ? op_ints(n, "perm", &count) : NULL;
    bool is_it = perm != NULL && count >= 3 && perm[0] == 0 && perm[1] == count - 1;
    for (int64_t d = 2; is_it && d < count; d++)
        is_it = perm[d] == d - 1;
    return is_it;
}

/* Does the node read a value of its result's rank that lies channels last, through maps of its own group or directly?
 */
static bool follows_operand(const grouping *x, const node_info *i, int rank) {
    for (int k = 0; k < i->n->n_inputs; k++) {
        const value *v = node_input(i->n, k);
        if (v == NULL || v->constant != NULL || v->type.rank != rank)
            continue;
        if (layout_of(x, v) != NULL)
            return true;
        const node_info *def = v->def != NULL ? group_info(x, v->def) : NULL;
        if (def == NULL || (!def->inlined && def->core_of < 0))
            continue;
        if (def->movement ? takes_channels_up(def->n) : follows_operand(x, def, rank))
            return true;
    }
    return false;
}

/* ---- transposes ---- */

typedef struct permutation {
    int rank;
    int of[NEST_MAX_AXES]; /* dimension of the input -> dimension of the result */
} permutation;

/* Is the node a transpose: one READ at a permutation of the axes, of all of the operand? */
static bool is_permutation(const nest_list *l, permutation *out) {
    const nest *m = l->nests.at[0];
    const expr *read = m->stages.at[0].value;
    out->rank = m->n_axes;
    if (read->n_args != m->n_axes)
        return false;
    for (int d = 0; d < out->rank; d++) {
        int k = 0;
        while (k < m->n_axes && read->arg[d] != m->axes[k].var)
            k++;
        int64_t extent = l->operands.at[read->ref].dims[d];
        bool unit = expr_is_int(read->arg[d], 0) && extent == 1;
        if (!unit && (k == m->n_axes || m->axes[k].extent != extent))
            return false;
        for (int e = 0; e < d; e++)
            if (!unit && out->of[e] == k)
                return false;
        out->of[d] = unit ? -1 : k;
    }
    return true;
}

static status transposed(const grouping *x, const node_info *i, const value *v, arena *scratch, operand_layout **out) {
    nest_list *l = NULL;
    permutation p;
    int64_t dims[TENSOR_MAX_RANK], row_major[TENSOR_MAX_RANK], stride = 1;
    const value *y = node_output(i->n, 0);
    builder *b = builder_new(scratch, x->o->target);
    *out = NULL;
    TRY_ALLOC(b);
    TRY(compose_lower(i->n, scratch, b, &l));
    if (!is_permutation(l, &p))
        return STATUS_OK;
    type_shape(&y->type, dims);
    for (int d = p.rank - 1; d >= 0; d--) {
        row_major[d] = stride;
        stride *= dims[d];
    }
    TRY_ALLOC(*out = ARENA_NEW(x->memory, operand_layout));
    for (int d = 0; d < v->type.rank; d++)
        (*out)->strides[d] = p.of[d] < 0 ? stride : row_major[p.of[d]];
    (*out)->n = stride;
    return STATUS_OK;
}

status adopt_transposes(grouping *x) {
    arena *scratch = arena_new(arena_allocator(x->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (int k = 0; k < x->n && s == STATUS_OK && !x->o->naive; k++) {
        const node_info *i = &x->nodes[k];
        const value *v = i->movement && !i->view ? node_input(i->n, 0) : NULL;
        const node_info *def = v != NULL && v->def != NULL && v->constant == NULL ? group_info(x, v->def) : NULL;
        if (def == NULL || def->raw || def->map || def->n->n_outputs != 1 || v->uses->next != NULL)
            continue;
        operand_layout *layout = NULL;
        s = transposed(x, i, v, scratch, &layout);
        if (s == STATUS_OK && layout != NULL)
            s = map_set_key(&x->layouts, MAP_KEY(v), layout);
    }
    arena_free(scratch);
    return s;
}

/* ---- all ---- */

status choose_layouts(grouping *x) {
    arena *scratch = arena_new(arena_allocator(x->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (int k = 0; k < x->n && s == STATUS_OK && !x->o->naive; k++) {
        const node_info *root = &x->nodes[k];
        if (root->inlined || root->core_of >= 0 || layout_of(x, node_output(root->n, 0)) != NULL ||
            !layout_is_free(x, root))
            continue;
        const node_info *which = root->core >= 0 ? &x->nodes[root->core] : root;
        const value *v = node_output(root->n, 0);
        bool last = false;
        if (which->channels_last)
            last = true;
        else if (which->contract)
            s = wants_channels_last(x, root, which, scratch, &last);
        else
            last = follows_operand(x, root, v->type.rank);
        if (last && s == STATUS_OK)
            s = channels_last(x, v);
    }
    arena_free(scratch);
    return s;
}
