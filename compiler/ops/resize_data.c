/* Resize and Upsample whose scales, sizes or region of interest are data: the model declares the output's shape. One
 * nest checks that the data give it and makes tables of places and weights; one for each axis then sums by them. */
#include <string.h>

#include "ops/resize.h"

typedef struct run_axis {
    const expr *scale, *from, *to, *size; /* f64; size: what comes of the axis */
    int64_t in, out, start;               /* start: of its rows in the tables */
    int taps;
} run_axis;

typedef struct run_resize {
    resizing r;
    builder *b;
    nest_list *l;
    int rank;
    run_axis axes[TENSOR_MAX_RANK];
    int64_t rows, entries;
    int places, weights, outside; /* temporaries: first neighbour, weights of all, is it outside the input */
    dtype t;                      /* of sums */
} run_resize;

static const expr *number(builder *b, double x) {
    return build_float(b, DT_F64, x);
}

static const expr *element(const run_resize *s, int operand, int64_t k) {
    const nest_operand *o = kit_operand(s->l, operand);
    return kit_cast(s->b, DT_F64, build_load(s->b, operand, LTYPE(o->elem, 1), build_index(s->b, k), NULL));
}

/* The product of constants and data in f64, as the specification writes it. */
static void read_axis(run_resize *s, int axis, int64_t k, int64_t count, bool scales) {
    builder *b = s->b;
    run_axis *a = &s->axes[axis];
    if (s->r.place == PLACE_CROP) {
        a->from = element(s, INPUT_ROI, k);
        a->to = element(s, INPUT_ROI, count + k);
    }
    if (scales) {
        a->scale = build_let(b, "scale", element(s, INPUT_SCALES, k));
        a->size = build_mul(b, number(b, (double)a->in), build_sub(b, a->to, a->from));
        a->size = build_unary(b, EXPR_FLOOR, build_mul(b, a->size, a->scale));
    } else {
        a->size = element(s, INPUT_SIZES, k);
        a->scale = build_let(b, "scale", build_div(b, a->size, number(b, a->in > 0 ? (double)a->in : 1)));
    }
}

/* One scale for all of the n axes, if the aspect ratio is kept. */
static void keep_aspect(run_resize *s, const node *n, const int *axes, int64_t count) {
    builder *b = s->b;
    const char *policy = op_string(n, "keep_aspect_ratio_policy");
    if (strcmp(policy, "stretch") == 0 || count == 0)
        return;
    const expr *scale = s->axes[axes[0]].scale;
    for (int64_t k = 1; k < count; k++)
        scale = (strcmp(policy, "not_smaller") == 0 ? build_max : build_min)(b, scale, s->axes[axes[k]].scale);
    for (int64_t k = 0; k < count; k++) {
        run_axis *a = &s->axes[axes[k]];
        const expr *size = build_mul(b, scale, number(b, (double)a->in));
        a->scale = scale;
        a->size = build_unary(b, EXPR_FLOOR, build_add(b, size, number(b, 0.5)));
    }
}

static const expr *original_place(const run_resize *s, const run_axis *a, const expr *at) {
    builder *b = s->b;
    const expr *x = build_cast(b, DT_F64, at), *one = number(b, 1), *half = number(b, 0.5),
               *last = number(b, (double)(a->in - 1));
    const expr *width = build_mul(b, a->scale, number(b, (double)a->in)), *is_one = build_eq(b, width, one);
    const expr *centred = build_sub(b, build_div(b, build_add(b, x, half), a->scale), half);
    switch (s->r.place) {
    case PLACE_ALIGN:
        return build_select(b, is_one, number(b, 0), build_div(b, build_mul(b, x, last), build_sub(b, width, one)));
    case PLACE_ASYMMETRIC:
        return build_div(b, x, a->scale);
    case PLACE_CROP: {
        const expr *span = build_mul(b, build_sub(b, a->to, a->from), last);
        span = a->out == 1 ? build_mul(b, span, half)
                           : build_div(b, build_mul(b, x, span), number(b, (double)(a->out - 1)));
        return build_add(b, build_mul(b, a->from, last), span);
    }
    case PLACE_PYTORCH:
        return build_select(b, is_one, number(b, -0.5), centred);
    case PLACE_SYMMETRIC: {
        const expr *offset = build_sub(b, one, build_div(b, number(b, (double)a->out), width));
        return build_add(b, build_mul(b, number(b, (double)a->in / 2), offset), centred);
    }
    default:
        return centred;
    }
}

static const expr *nearest_place(const run_resize *s, const expr *x) {
    builder *b = s->b;
    switch (s->r.nearest) {
    case NEAREST_FLOOR:
        return build_unary(b, EXPR_FLOOR, x);
    case NEAREST_CEIL:
        return build_unary(b, EXPR_CEIL, x);
    case NEAREST_PREFER_CEIL:
        return build_unary(b, EXPR_FLOOR, build_add(b, x, number(b, 0.5)));
    default:
        return build_unary(b, EXPR_CEIL, build_sub(b, x, number(b, 0.5)));
    }
}

/* The interpolation kernel at distance d. */
static const expr *kernel_weight(const run_resize *s, const expr *d) {
    builder *b = s->b;
    const double a = s->r.cubic_a;
    const expr *zero = number(b, 0), *one = number(b, 1);
    d = build_unary(b, EXPR_ABS, d);
    if (s->r.mode == MODE_LINEAR)
        return build_max(b, build_sub(b, one, d), zero);
    const expr *near = build_sub(b, build_mul(b, number(b, a + 2), d), number(b, a + 3));
    near = build_add(b, build_mul(b, build_mul(b, near, d), d), one);
    const expr *far = build_sub(b, build_mul(b, number(b, a), d), number(b, 5 * a));
    far = build_sub(b, build_mul(b, build_add(b, build_mul(b, far, d), number(b, 8 * a)), d), number(b, 4 * a));
    return build_select(b, build_le(b, d, one), near, build_select(b, build_lt(b, d, number(b, 2)), far, zero));
}

/* The weights of row `row`, whose first neighbour is `first`; x: where the row lies. */
static void fill_weights(const run_resize *s, const run_axis *a, const expr *at, const expr *first, const expr *x) {
    builder *b = s->b;
    ltype wide = LTYPE(DT_F64, 1);
    const expr *zero = number(b, 0), *one = number(b, 1), *base = build_index(b, a->start * s->axes[0].taps);
    base = build_add(b, base, build_mul(b, at, build_index(b, a->taps)));
    const expr *stretch = s->r.antialias ? build_min(b, a->scale, one) : one;
    int sum = build_declare(b, "sum", wide, 1);
    build_set(b, sum, build_index(b, 0), zero);
    const expr *t = build_for(b, "t", build_index(b, a->taps), LOOP_SERIAL), *i = build_add(b, first, t);
    const expr *w = kernel_weight(s, build_mul(b, stretch, build_sub(b, build_cast(b, DT_F64, i), x)));
    if (s->r.exclude_outside)
        w = build_select(b, kit_inside(b, NULL, i, 0, a->in, true, true), w, zero);
    w = build_let(b, "w", w);
    build_store(b, s->weights, build_add(b, base, t), w, NULL);
    build_set(b, sum, build_index(b, 0), build_add(b, build_reg_get(b, sum, wide, build_index(b, 0)), w));
    build_end(b);
    const expr *total = build_let(b, "total", build_reg_get(b, sum, wide, build_index(b, 0)));
    if (!s->r.exclude_outside)
        total = build_select(b, build_lt(b, stretch, one), total, one);
    total = build_let(b, "by", build_select(b, build_eq(b, total, zero), one, total));
    t = build_for(b, "t", build_index(b, a->taps), LOOP_SERIAL);
    const expr *place = build_add(b, base, t);
    build_store(b, s->weights, place, build_div(b, build_load(b, s->weights, wide, place, NULL), total), NULL);
    build_end(b);
}

static void fill_axis(const run_resize *s, const run_axis *a) {
    builder *b = s->b;
    const expr *at = build_for(b, "at", build_index(b, a->out), LOOP_SERIAL),
               *row = build_add(b, at, build_index(b, a->start));
    const expr *x = build_let(b, "x", original_place(s, a, at));
    bool nearest = s->r.mode == MODE_NEAREST;
    const expr *first = nearest ? nearest_place(s, x) : build_unary(b, EXPR_FLOOR, x);
    first = build_sub(b, build_cast(b, DT_I64, first), build_index(b, nearest ? 0 : a->taps / 2 - 1));
    first = build_let(b, "first", first);
    build_store(b, s->places, row, first, NULL);
    if (s->r.place == PLACE_CROP) {
        const expr *out =
            build_binary(b, EXPR_OR, build_lt(b, x, number(b, 0)), build_lt(b, number(b, (double)(a->in - 1)), x));
        build_store(b, s->outside, row, out, NULL);
    }
    if (!nearest)
        fill_weights(s, a, at, first, x);
    build_end(b);
}

/* Sizes of the tables. An axis has as many neighbours as the least scale that gives its size needs. */
static status plan(const node *n, run_resize *s) {
    const nest_operand *x = kit_operand(s->l, 0), *y = kit_operand(s->l, nest_output(s->l, 0));
    s->rank = x->rank;
    s->t = x->elem == DT_F64 ? DT_F64 : DT_F32;
    if (s->r.antialias && s->r.place == PLACE_CROP)
        return op_unsupported(n, "not-constant",
                              "antialias in a region of interest that is data; make 'roi' a constant");
    int most = 1;
    double rows = 0;
    for (int k = 0; k < s->rank; k++) {
        double scale = x->dims[k] > 0 ? (double)y->dims[k] / (double)x->dims[k] : 1;
        if (x->dims[k] == 0 && y->dims[k] > 0)
            return op_invalid(n, "bad-value", "axis %d has no elements to resize", k);
        int taps = s->r.mode == MODE_NEAREST ? 1 : 2 * resize_reach(&s->r, scale > 0 ? scale : 1);
        most = taps > most ? taps : most;
    }
    for (int k = 0; k < s->rank; k++) {
        s->axes[k] = (run_axis){.scale = number(s->b, 1),
                                .from = number(s->b, 0),
                                .to = number(s->b, 1),
                                .in = x->dims[k],
                                .out = y->dims[k],
                                .start = s->rows,
                                .taps = most};
        s->axes[k].size = number(s->b, (double)x->dims[k]);
        rows += (double)y->dims[k];
        s->rows = rows <= RESIZE_MOST_ENTRIES ? s->rows + y->dims[k] : 0;
    }
    if (rows * most > RESIZE_MOST_ENTRIES)
        return op_unsupported(n, "too-large", "%.0f rows of elements, each of up to %d others, are too many", rows,
                              most);
    s->entries = s->rows * most;
    return STATUS_OK;
}

static status make_tables(const node *n, run_resize *s, const int *axes, int64_t count) {
    builder *b = s->b;
    bool scales = INPUT_SCALES == 1 || resize_given(n, INPUT_SCALES) != NULL;
    const int64_t rows[] = {s->rows}, entries[] = {s->entries};
    const nest_operand *list = kit_operand(s->l, scales ? INPUT_SCALES : INPUT_SIZES);
    if (list->rank != 1 || list->dims[0] != count)
        return op_invalid(n, "shape-mismatch", "'scales' or 'sizes' must have %lld entries", (long long)count);
    if (s->r.place == PLACE_CROP &&
        (resize_given(n, INPUT_ROI) == NULL || kit_operand(s->l, INPUT_ROI)->dims[0] != 2 * count))
        return op_invalid(n, "shape-mismatch", "'roi' must have %lld entries", (long long)(2 * count));
    s->places = nest_temporary(s->l, DT_I64, 1, rows);
    s->weights = s->r.mode == MODE_NEAREST ? -1 : nest_temporary(s->l, DT_F64, 1, entries);
    s->outside = s->r.place == PLACE_CROP ? nest_temporary(s->l, DT_BOOL, 1, rows) : -1;
    nest *m = nest_add(s->l, "resize_places");
    nest_raw_begin(s->l, m);
    for (int64_t k = 0; k < count; k++)
        read_axis(s, axes[k], k, count, scales);
    if (!scales)
        keep_aspect(s, n, axes, count);
    for (int k = 0; k < s->rank; k++) {
        const run_axis *a = &s->axes[k];
        build_check(b, build_eq(b, a->size, number(b, (double)a->out)), KIT_E_VALUE);
        if (a->out > 0)
            build_check(b, build_lt(b, number(b, 0), a->scale), KIT_E_VALUE);
    }
    for (int k = 0; k < s->rank; k++)
        fill_axis(s, &s->axes[k]);
    nest_raw_end(s->l, m);
    return builder_status(b);
}

/* Operand `from` resized along one axis into operand `to`. */
static void resize_along(run_resize *s, int axis, int from, int to) {
    builder *b = s->b;
    const run_axis *a = &s->axes[axis];
    const expr *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *sum;
    nest *m = kit_over(s->l, "resize", to, i);
    const expr *row = build_add(b, i[axis], build_index(b, a->start)), *last = build_index(b, a->in - 1),
               *first = nest_read(s->l, s->places, &row);
    memcpy(f, i, (size_t)s->rank * sizeof *i);
    if (s->r.mode == MODE_NEAREST) {
        f[axis] = build_max(b, build_index(b, 0), build_min(b, first, last));
        sum = nest_read(s->l, from, f);
    } else {
        nest_open(m);
        const expr *t = nest_inner(m, "t", a->taps);
        const expr *entry = build_add(b, build_mul(b, row, build_index(b, a->taps)), t);
        f[axis] = build_max(b, build_index(b, 0), build_min(b, build_add(b, first, t), last));
        const expr *x = kit_cast(b, s->t, nest_read(s->l, from, f));
        sum = nest_reduce(m, REDUCE_SUM, build_mul(b, x, build_cast(b, s->t, nest_read(s->l, s->weights, &entry))));
    }
    if (s->r.place == PLACE_CROP) {
        const expr *other = kit_cast(b, sum->type.elem, number(b, s->r.extrapolation));
        sum = build_select(b, nest_read(s->l, s->outside, &row), other, sum);
    }
    nest_store(m, to, i, s->rank, kit_cast(b, kit_operand(s->l, to)->elem, sum));
}

static status lower_by(const node *n, run_resize *s, const int *axes, int64_t count) {
    if (count == 0)
        return op_unsupported(n, "unsupported-shape", "there is no axis to resize; leave the node out");
    TRY(make_tables(n, s, axes, count));
    int from = 0;
    int64_t dims[TENSOR_MAX_RANK];
    memcpy(dims, kit_operand(s->l, 0)->dims, (size_t)s->rank * sizeof *dims);
    dtype between = s->r.mode == MODE_NEAREST ? kit_operand(s->l, 0)->elem : s->t;
    for (int64_t k = 0; k < count; k++) {
        dims[axes[k]] = s->axes[axes[k]].out;
        int to = k == count - 1 ? nest_output(s->l, 0) : nest_temporary(s->l, between, s->rank, dims);
        resize_along(s, axes[k], from, to);
        from = to;
    }
    return builder_status(s->b);
}

status resize_data_lower(const node *n, nest_list *l) {
    run_resize s = {.b = l->b, .l = l};
    int axes[TENSOR_MAX_RANK];
    int64_t count;
    const int64_t *list = op_ints(n, "axes", &count);
    TRY(resize_attributes(n, &s.r));
    TRY(plan(n, &s));
    count = list == NULL ? s.rank : count;
    for (int64_t k = 0; k < count; k++)
        axes[k] = list == NULL ? (int)k : kit_axis(list[k], s.rank);
    return lower_by(n, &s, axes, count);
}
