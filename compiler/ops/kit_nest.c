/* Nests that operators share: typed reads and stores, index arithmetic between shapes, checks of index operands. */
#include "ops/kit.h"

const nest_operand *kit_operand(const nest_list *l, int operand) {
    return &l->operands.at[operand];
}

const expr *kit_read(const nest_list *l, int operand, const expr *const *index) {
    return kit_wide(l->b, nest_read(l, operand, index));
}

const expr *kit_read_masked(const nest_list *l, int operand, const expr *const *index, const expr *mask) {
    if (mask == NULL)
        return kit_read(l, operand, index);
    return kit_wide(l->b, nest_read_masked(l, operand, index, mask));
}

const expr *kit_read_broadcast(const nest_list *l, int operand, const expr *const *index, int rank) {
    return kit_wide(l->b, nest_read_broadcast(l, operand, index, rank));
}

void kit_store(nest_list *l, nest *n, int operand, const expr *const *index, const expr *x) {
    const nest_operand *y = kit_operand(l, operand);
    nest_store(n, operand, index, y->rank, kit_narrow(l->b, y->elem, x));
}

nest *kit_over(nest_list *l, const char *name, int operand, const expr **vars) {
    const nest_operand *y = kit_operand(l, operand);
    nest *n = nest_add(l, name);
    nest_outer_all(n, y->rank, y->dims, vars);
    return n;
}

void kit_rows_begin(nest_list *l, const char *name, int operand, const bool *inner, kit_rows *out) {
    const nest_operand *x = kit_operand(l, operand);
    *out = (kit_rows){.m = nest_add(l, name), .rank = x->rank, .dims = x->dims, .count = 1};
    for (int k = 0; k < x->rank; k++) {
        out->inner[k] = inner[k];
        out->index[k] = build_index(l->b, 0);
        if (inner[k])
            out->count *= x->dims[k];
        else
            out->index[k] = nest_outer(out->m, "i", x->dims[k]);
    }
}

void kit_rows_open(kit_rows *r) {
    nest_open(r->m);
    for (int k = 0; k < r->rank; k++)
        if (r->inner[k])
            r->index[k] = nest_inner(r->m, "j", r->dims[k]);
}

/* One group of dimensions with the same number of elements on both sides. */
static void reindex_group(builder *b, const expr *const *index, const int64_t *from, int n_from, const int64_t *dims,
                          int n, const expr **out) {
    const expr *position = n_from == 1 ? index[0] : nest_linear(b, index, n_from, from);
    if (n == 1)
        out[0] = position;
    else
        nest_delinear(b, position, n, dims, out);
}

void kit_reindex(builder *b, const expr *const *index, int from_rank, const int64_t *from, int rank,
                 const int64_t *dims, const expr **out) {
    const expr *zero = build_index(b, 0);
    for (int k = 0; k < rank; k++)
        out[k] = zero;
    int i = 0, j = 0;
    while (i < from_rank && j < rank) {
        if (from[i] == 0 || dims[j] == 0)
            return; /* no elements: nobody asks */
        if (from[i] == 1 && dims[j] != 1) {
            i++;
            continue;
        }
        if (dims[j] == 1 && from[i] != 1) {
            j++;
            continue;
        }
        int first_i = i, first_j = j;
        int64_t left = from[i++], right = dims[j++];
        while (left != right) {
            if (left < right) {
                if (i == from_rank || from[i] == 0)
                    return;
                left *= from[i++];
            } else {
                if (j == rank || dims[j] == 0)
                    return;
                right *= dims[j++];
            }
        }
        reindex_group(b, index + first_i, from + first_i, i - first_i, dims + first_j, j - first_j, out + first_j);
    }
}

const expr *kit_inside(builder *b, const expr *mask, const expr *x, int64_t lo, int64_t hi, bool check_lo,
                       bool check_hi) {
    const expr *conditions[] = {mask, check_lo ? build_le(b, build_index(b, lo), x) : NULL,
                                check_hi ? build_lt(b, x, build_index(b, hi)) : NULL};
    const expr *all = NULL;
    for (int k = 0; k < 3; k++)
        if (conditions[k] != NULL)
            all = all == NULL ? conditions[k] : build_and(b, all, conditions[k]);
    return all;
}

static bool has_negative(const tensor *t) {
    for (int64_t i = 0; i < t->count; i++)
        if (tensor_int(t, i) < 0)
            return true;
    return false;
}

const expr *kit_wrapped_index(const node *n, const nest_list *l, int operand, const expr *const *index,
                              int64_t extent) {
    builder *b = l->b;
    const expr *i = build_cast(b, DT_I64, nest_read(l, operand, index));
    const tensor *known = kit_constant(n, operand);
    if (known != NULL && !has_negative(known))
        return i;
    return build_select(b, build_lt(b, i, build_index(b, 0)), build_add(b, i, build_index(b, extent)), i);
}

void kit_check_index(const node *n, nest_list *l, int operand, int64_t lo, int64_t hi, const int64_t *except) {
    if (kit_constant(n, operand) != NULL)
        return;
    builder *b = l->b;
    const nest_operand *x = kit_operand(l, operand);
    int64_t count = 1;
    for (int k = 0; k < x->rank; k++)
        count *= x->dims[k];
    nest *m = nest_add(l, "check_index");
    nest_raw_begin(l, m);
    const expr *at = build_for(b, "i", build_index(b, count), LOOP_SERIAL);
    const expr *i = build_cast(b, DT_I64, build_load(b, operand, LTYPE(x->elem, 1), at, NULL));
    const expr *valid = kit_inside(b, NULL, i, lo, hi, true, true);
    if (except != NULL)
        valid = build_binary(b, EXPR_OR, valid, build_eq(b, i, build_index(b, *except)));
    build_check(b, valid, KIT_E_INDEX);
    build_end(b);
    nest_raw_end(l, m);
}

void kit_check_allowed(const node *n, nest_list *l, int operand, const kit_allowed *allowed, int64_t count) {
    if (kit_constant(n, operand) != NULL || count == 0)
        return;
    builder *b = l->b;
    const nest_operand *o = kit_operand(l, operand);
    int64_t given = 1;
    for (int k = 0; k < o->rank; k++)
        given *= o->dims[k];
    nest *m = nest_add(l, "check_values");
    nest_raw_begin(l, m);
    if (given != count)
        build_check(b, build_int(b, DT_BOOL, 0), KIT_E_VALUE);
    for (int64_t k = 0; k < count && k < given; k++) {
        const expr *x = kit_cast(b, DT_I64, build_load(b, operand, LTYPE(o->elem, 1), build_index(b, k), NULL));
        const expr *valid = build_int(b, DT_BOOL, 0);
        for (int v = 0; v < allowed[k].n; v++)
            valid = build_binary(b, EXPR_OR, valid, build_eq(b, x, build_index(b, allowed[k].values[v])));
        build_check(b, valid, KIT_E_VALUE);
    }
    nest_raw_end(l, m);
}

void kit_check_equal(const node *n, nest_list *l, int operand, const int64_t *values, int64_t count) {
    kit_allowed allowed[TENSOR_MAX_RANK];
    TENON_ASSERT(count <= TENSOR_MAX_RANK);
    for (int64_t k = 0; k < count; k++)
        allowed[k] = (kit_allowed){1, {values[k]}};
    kit_check_allowed(n, l, operand, allowed, count);
}

const expr *kit_int_at(const node *n, const nest_list *l, int operand, int64_t k, bool raw) {
    builder *b = l->b;
    const nest_operand *o = kit_operand(l, operand);
    const tensor *known = kit_constant(n, operand);
    const expr *at = build_index(b, k);
    if (known != NULL)
        return build_index(b, tensor_int(known, k));
    return build_cast(
        b, DT_I64, raw ? build_load(b, operand, LTYPE(o->elem, 1), at, NULL) : nest_read_broadcast(l, operand, &at, 1));
}
