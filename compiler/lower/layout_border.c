/* Borders: which values lie in memory with zeros around them. */
#include "lower/group.h"

bool layout_has_border(const operand_layout *l, int rank) {
    for (int d = 0; l != NULL && d < rank; d++)
        if (l->low[d] > 0 || l->high[d] > 0)
            return true;
    return false;
}

/* The value's layout to write in: a copy of nothing but its order of dimensions where it has none yet. */
static operand_layout *layout_to_grow(grouping *x, const value *v) {
    operand_layout *have = map_get_key(&x->layouts, MAP_KEY(v));
    if (have != NULL)
        return have;
    int64_t dims[TENSOR_MAX_RANK], stride = 1;
    operand_layout *l = ARENA_NEW(x->memory, operand_layout);
    if (l == NULL || map_set_key(&x->layouts, MAP_KEY(v), l) != STATUS_OK)
        return NULL;
    type_shape(&v->type, dims);
    for (int d = v->type.rank - 1; d >= 0; d--) {
        l->strides[d] = stride;
        stride *= dims[d];
    }
    l->n = stride;
    return l;
}

/* Elements of room behind a value of narrow integers: contractions may read its rows by fours of bytes, or by twos, to
 * the end of the last one. */
static int room_behind(const grouping *x, const value *v) {
    int bits = dtype_bits(v->type.elem);
    return x->o->target->dot4 == 0 || !dtype_is_int(v->type.elem) ? 0 : bits == 8 ? 3 : bits == 16 ? 1 : 0;
}

/* Strides, first and n anew: the same order of dimensions, with the border's extents. */
static void lay_out(const grouping *x, operand_layout *l, const value *v) {
    int64_t dims[TENSOR_MAX_RANK], before[TENSOR_MAX_RANK];
    bool done[TENSOR_MAX_RANK] = {false};
    type_shape(&v->type, dims);
    for (int d = 0; d < v->type.rank; d++)
        before[d] = l->strides[d];
    l->first = 0;
    l->n = 1;
    for (int k = 0; k < v->type.rank; k++) {
        int next = -1;
        for (int d = v->type.rank - 1; d >= 0; d--)
            if (!done[d] && (next < 0 || before[d] < before[next]))
                next = d;
        done[next] = true;
        l->strides[next] = l->n;
        l->first += l->low[next] * l->n;
        l->n *= l->low[next] + dims[next] + l->high[next];
    }
    l->n += room_behind(x, v);
}

/* A border may not make a value much larger: where a window is about as large as the tensor, a copy of what is read is
 * better. */
static bool is_small(const operand_layout *l, const value *v) {
    int64_t dims[TENSOR_MAX_RANK];
    double larger = 1;
    type_shape(&v->type, dims);
    for (int d = 0; d < v->type.rank; d++)
        larger *= (double)(l->low[d] + dims[d] + l->high[d]) / (double)dims[d];
    return larger <= 4;
}

static status borders_of_reads(grouping *x, const composed *c) {
    for (size_t k = 0; k < c->operands.n; k++) {
        const value *v = c->values.at[k];
        const node_info *def = v != NULL && v->constant == NULL && v->def != NULL ? group_info(x, v->def) : NULL;
        int64_t low[NEST_MAX_AXES] = {0}, high[NEST_MAX_AXES] = {0};
        if (def == NULL || !layout_is_free(x, def))
            continue;
        bool has_border = border_of_reads(c->n, (int)k, &c->operands.at[k], low, high);
        if (!has_border && room_behind(x, v) == 0)
            continue;
        operand_layout wanted = {.n = 0};
        const operand_layout *have = layout_of(x, v);
        bool grows = false;
        for (int d = 0; d < v->type.rank; d++) {
            wanted.low[d] = have != NULL && have->low[d] > low[d] ? have->low[d] : low[d];
            wanted.high[d] = have != NULL && have->high[d] > high[d] ? have->high[d] : high[d];
            grows |= low[d] > (have != NULL ? have->low[d] : 0) || high[d] > (have != NULL ? have->high[d] : 0);
        }
        if ((!grows && room_behind(x, v) == 0) || type_count(&v->type) == 0 || !is_small(&wanted, v))
            continue;
        operand_layout *l = layout_to_grow(x, v);
        TRY_ALLOC(l);
        for (int d = 0; d < v->type.rank; d++) {
            l->low[d] = wanted.low[d];
            l->high[d] = wanted.high[d];
        }
        lay_out(x, l, v);
    }
    return STATUS_OK;
}

status choose_borders(grouping *x) {
    arena *scratch = arena_new(arena_allocator(x->memory));
    TRY_ALLOC(scratch);
    status s = STATUS_OK;
    for (int k = 0; k < x->n && s == STATUS_OK && !x->o->naive; k++) {
        const node_info *root = &x->nodes[k];
        const node_info *which = root->core >= 0 ? &x->nodes[root->core] : root;
        arena_mark mark = arena_get_mark(scratch);
        for (int i = 0; i < which->n_nests && s == STATUS_OK && which->contract && !root->inlined && root->core_of < 0;
             i++) {
            composed c;
            s = compose_group(x, root, which, i, scratch, &c);
            if (s == STATUS_OK && c.n->contract)
                s = borders_of_reads(x, &c);
        }
        arena_reset(scratch, mark);
    }
    arena_free(scratch);
    return s;
}
