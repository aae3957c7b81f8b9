/* Pooling: MaxPool, AveragePool, LpPool and their global forms. */
#include <string.h>

#include "ops/window.h"

#define POOL_ATTRS {"ceil_mode", ATTR_INT, .i = 0}, {"kernel_shape", ATTR_INTS, .required = true}, WINDOW_ATTRS

static status pool_shape(node *n, int output, dtype elem) {
    const tensor_type *x = op_input_type(n, 0);
    window w;
    if (x->rank < 0)
        return op_unknown_output(n, output, elem);
    if (x->rank < 3)
        return op_invalid(n, "wrong-rank", "the input must have 3 dimensions or more, it has %d", x->rank);
    TRY(window_read(n, x->rank - 2, NULL, &w));
    dim dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int k = 0; k < w.rank; k++)
        dims[2 + k] = window_output(n->graph->memory, &w, k, x->dims[2 + k]);
    return op_set_output(n, output, elem, x->rank, dims);
}

static status pool_infer(node *n) {
    return pool_shape(n, 0, op_input_type(n, 0)->elem);
}

/* A pooling nest; open_reduction opens a stage over the window and gives the input's index and its mask (NULL: none).
 */
typedef struct pooling {
    nest *m;
    window w;
    const nest_operand *x, *y;
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK];
    const expr *mask;
} pooling;

static status open_pooling(const node *n, nest_list *l, const char *name, pooling *p) {
    p->x = kit_operand(l, 0);
    p->y = kit_operand(l, nest_output(l, 0));
    TRY(window_read(n, p->x->rank - 2, NULL, &p->w));
    window_resolve(&p->w, p->x->dims + 2, p->y->dims + 2);
    p->m = kit_over(l, name, nest_output(l, 0), p->i);
    return STATUS_OK;
}

static void open_reduction(builder *b, pooling *p) {
    const expr *k[TENSOR_MAX_RANK];
    nest_open(p->m);
    for (int d = 0; d < p->w.rank; d++)
        k[d] = nest_inner(p->m, "k", p->w.kernel[d]);
    p->f[0] = p->i[0];
    p->f[1] = p->i[1];
    p->mask = window_index(b, &p->w, p->x->dims + 2, p->y->dims + 2, p->i + 2, k, p->f + 2);
}

/* ---- MaxPool ---- */

static status max_pool_infer(node *n) {
    TRY(pool_infer(n));
    return node_output(n, 1) == NULL ? STATUS_OK : pool_shape(n, 1, DT_I64);
}

/* The element, or the lowest value where the window is outside the input. */
static const expr *max_candidate(const nest_list *l, const pooling *p) {
    const expr *x = kit_read_masked(l, 0, p->f, p->mask);
    return p->mask == NULL ? x : build_select(l->b, p->mask, x, kit_lowest(l->b, x->type.elem));
}

/* The first place in the window that holds the maximum, as a position in the whole input. */
static void store_indices(const node *n, nest_list *l, pooling *p, const expr *most) {
    builder *b = l->b;
    const int64_t *dims = p->x->dims + 2;
    int rank = p->w.rank;
    open_reduction(b, p);
    const expr *held = build_eq(b, max_candidate(l, p), most), *place[TENSOR_MAX_RANK];
    if (p->mask != NULL)
        held = build_and(b, held, p->mask);
    const expr *position = nest_linear(b, p->f + 2, rank, dims);
    const expr *first = nest_reduce(p->m, REDUCE_MIN, build_select(b, held, position, build_index(b, INT64_MAX)));
    int64_t plane = 1;
    for (int k = 0; k < rank; k++)
        plane *= dims[k];
    if (op_int(n, "storage_order") != 0) {
        nest_delinear(b, first, rank, dims, place);
        first = build_index(b, 0);
        for (int k = rank - 1; k >= 0; k--)
            first = build_add(b, build_mul(b, first, build_index(b, dims[k])), place[k]);
    }
    const expr *image = build_add(b, build_mul(b, p->i[0], build_index(b, p->x->dims[1])), p->i[1]);
    kit_store(l, p->m, nest_output(l, 1), p->i, build_add(b, build_mul(b, image, build_index(b, plane)), first));
}

static status max_pool_lower(const node *n, nest_list *l) {
    pooling p;
    TRY(open_pooling(n, l, "max_pool", &p));
    open_reduction(l->b, &p);
    const expr *most = nest_reduce(p.m, REDUCE_MAX, max_candidate(l, &p));
    kit_store(l, p.m, nest_output(l, 0), p.i, most);
    if (node_output(n, 1) != NULL)
        store_indices(n, l, &p, most);
    return builder_status(l->b);
}

#define TYPES_MAX_POOL (TYPES_FLOAT | TYPE_BIT(DT_I8) | TYPE_BIT(DT_U8))
OP_ROW(MaxPool) = {
    .name = "MaxPool",
    .domain = "",
    .versions = VERSIONS(1, 8, 10, 11, 12, 22),
    .kind = OP_LOWER,
    .inputs = PARAMS({"X", TYPES_MAX_POOL, 'T', 0}),
    .outputs = PARAMS({"Y", TYPES_MAX_POOL, 'T', 0}, {"Indices", TYPE_BIT(DT_I64), 0, PARAM_OPTIONAL}),
    .attrs = ATTRS(POOL_ATTRS, {"storage_order", ATTR_INT, .i = 0}),
    .infer = max_pool_infer,
    .lower = max_pool_lower,
};

/* ---- AveragePool ---- */

/* How many places of the window along dimension d lie in [lo, hi) of the input: NULL where all do. */
static const expr *places_inside(builder *b, const pooling *p, int d, int64_t lo, int64_t hi) {
    int64_t step = p->w.dilation[d], size = p->w.kernel[d],
            last = (p->y->dims[2 + d] - 1) * p->w.stride[d] - p->w.begin[d];
    bool before = -p->w.begin[d]<lo, behind = last + window_span(&p->w, d)> hi;
    if (!before && !behind)
        return NULL;
    const expr *start =
        build_sub(b, build_mul(b, p->i[2 + d], build_index(b, p->w.stride[d])), build_index(b, p->w.begin[d]));
    const expr *first = build_index(b, 0), *end = build_index(b, size), *width = build_index(b, step);
    if (before) {
        const expr *short_of = build_max(b, build_sub(b, build_index(b, lo), start), build_index(b, 0));
        first = build_min(b, build_div(b, build_add(b, short_of, build_index(b, step - 1)), width), end);
    }
    if (behind) {
        const expr *room = build_max(b, build_sub(b, build_index(b, hi), start), build_index(b, 0));
        end = build_min(b, end, build_div(b, build_add(b, room, build_index(b, step - 1)), width));
    }
    return build_sub(b, end, first);
}

/* The divisor: places inside the input, or inside the padded input; 1 where there are none (dilated windows can miss
 * them all). */
static const expr *average_count(const node *n, builder *b, const pooling *p, dtype t) {
    bool pads_count = op_int(n, "count_include_pad") != 0;
    int64_t whole = 1;
    const expr *varying = NULL;
    for (int d = 0; d < p->w.rank; d++) {
        int64_t lo = pads_count ? -p->w.begin[d] : 0, hi = p->x->dims[2 + d] + (pads_count ? p->w.end[d] : 0);
        const expr *count = places_inside(b, p, d, lo, hi);
        if (count == NULL)
            whole *= p->w.kernel[d];
        else
            varying = varying == NULL ? count : build_mul(b, varying, count);
    }
    if (varying == NULL)
        return build_const(b, t, (double)whole);
    return build_cast(b, t, build_max(b, build_mul(b, varying, build_index(b, whole)), build_index(b, 1)));
}

static status average_pool_lower(const node *n, nest_list *l) {
    pooling p;
    builder *b = l->b;
    TRY(open_pooling(n, l, "average_pool", &p));
    open_reduction(b, &p);
    const expr *sum = nest_reduce(p.m, REDUCE_SUM, kit_read_masked(l, 0, p.f, p.mask));
    kit_store(l, p.m, nest_output(l, 0), p.i, build_div(b, sum, average_count(n, b, &p, sum->type.elem)));
    return builder_status(b);
}

OP_ROW(AveragePool) = {
    .name = "AveragePool",
    .domain = "",
    .versions = VERSIONS(1, 7, 10, 11, 19, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS(POOL_ATTRS, {"count_include_pad", ATTR_INT, .i = 0}),
    .infer = pool_infer,
    .lower = average_pool_lower,
};

/* ---- LpPool ---- */

/* |x|^p, summed, then the p-th root. */
static const expr *lp_term(builder *b, const expr *x, int64_t p) {
    if (p == 2)
        return build_mul(b, x, x);
    const expr *size = build_unary(b, EXPR_ABS, x);
    return p == 1 ? size : build_pow(b, size, kit_const(b, x, (double)p));
}
static const expr *lp_root(builder *b, const expr *sum, int64_t p) {
    if (p == 2)
        return build_unary(b, EXPR_SQRT, sum);
    return p == 1 ? sum : build_pow(b, sum, kit_const(b, sum, 1.0 / (double)p));
}

static status lp_pool_infer(node *n) {
    if (op_int(n, "p") < 1)
        return op_invalid(n, "wrong-attribute", "p is %lld", (long long)op_int(n, "p"));
    return pool_infer(n);
}

static status lp_pool_lower(const node *n, nest_list *l) {
    pooling p;
    int64_t power = op_int(n, "p");
    TRY(open_pooling(n, l, "lp_pool", &p));
    open_reduction(l->b, &p);
    const expr *sum = nest_reduce(p.m, REDUCE_SUM, lp_term(l->b, kit_read_masked(l, 0, p.f, p.mask), power));
    kit_store(l, p.m, nest_output(l, 0), p.i, lp_root(l->b, sum, power));
    return builder_status(l->b);
}

OP_ROW(LpPool) = {
    .name = "LpPool",
    .domain = "",
    .versions = VERSIONS(1, 2, 11, 18, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS(POOL_ATTRS, {"p", ATTR_INT, .i = 2}),
    .infer = lp_pool_infer,
    .upgrade = kit_upgrade_p,
    .lower = lp_pool_lower,
};

/* ---- over the whole image ---- */

static status global_infer(node *n) {
    const tensor_type *x = op_input_type(n, 0);
    if (x->rank < 0)
        return op_unknown_output(n, 0, x->elem);
    if (x->rank < 3)
        return op_invalid(n, "wrong-rank", "the input must have 3 dimensions or more, it has %d", x->rank);
    dim dims[TENSOR_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int k = 2; k < x->rank; k++)
        dims[k] = DIM(1);
    return op_set_output(n, 0, x->elem, x->rank, dims);
}

/* A stage over the image: i[rank] for the output, the element read; *out_count elements. */
static const expr *open_global(nest_list *l, nest *m, const expr *const *i, int64_t *out_count) {
    const nest_operand *x = kit_operand(l, 0);
    const expr *f[TENSOR_MAX_RANK] = {i[0], i[1]};
    *out_count = 1;
    nest_open(m);
    for (int k = 2; k < x->rank; k++) {
        f[k] = nest_inner(m, "k", x->dims[k]);
        *out_count *= x->dims[k];
    }
    return kit_read(l, 0, f);
}

static status global_average_pool_lower(const node *n, nest_list *l) {
    (void)n;
    const expr *i[TENSOR_MAX_RANK];
    int64_t count;
    nest *m = kit_over(l, "global_average_pool", nest_output(l, 0), i);
    const expr *sum = nest_reduce(m, REDUCE_SUM, open_global(l, m, i, &count));
    kit_store(l, m, nest_output(l, 0), i, build_div(l->b, sum, kit_const(l->b, sum, (double)count)));
    return builder_status(l->b);
}

static status global_max_pool_lower(const node *n, nest_list *l) {
    (void)n;
    const expr *i[TENSOR_MAX_RANK];
    int64_t count;
    nest *m = kit_over(l, "global_max_pool", nest_output(l, 0), i);
    kit_store(l, m, nest_output(l, 0), i, nest_reduce(m, REDUCE_MAX, open_global(l, m, i, &count)));
    return builder_status(l->b);
}

static status global_lp_pool_lower(const node *n, nest_list *l) {
    const expr *i[TENSOR_MAX_RANK];
    int64_t count, power = op_int(n, "p");
    nest *m = kit_over(l, "global_lp_pool", nest_output(l, 0), i);
    const expr *sum = nest_reduce(m, REDUCE_SUM, lp_term(l->b, open_global(l, m, i, &count), power));
    kit_store(l, m, nest_output(l, 0), i, lp_root(l->b, sum, power));
    return builder_status(l->b);
}

OP_ROW(GlobalAveragePool) = {
    .name = "GlobalAveragePool",
    .domain = "",
    .versions = VERSIONS(1, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .infer = global_infer,
    .lower = global_average_pool_lower,
};
OP_ROW(GlobalMaxPool) = {
    .name = "GlobalMaxPool",
    .domain = "",
    .versions = VERSIONS(1, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .infer = global_infer,
    .lower = global_max_pool_lower,
};
OP_ROW(GlobalLpPool) = {
    .name = "GlobalLpPool",
    .domain = "",
    .versions = VERSIONS(1, 2, 22),
    .kind = OP_LOWER,
    .inputs = kit_float_X,
    .outputs = kit_float_Y,
    .attrs = ATTRS({"p", ATTR_INT, .i = 2}),
    .infer = global_infer,
    .upgrade = kit_upgrade_p,
    .lower = global_lp_pool_lower,
};
