/* WinogradConv, an internal operator: a convolution by a 3x3 window of stride 1 whose weights the pass `winograd` has
 * transformed. Three nests: the data's transform, a product of matrices for each of the points, the results' transform.
 */
#include "ir/winograd.h"

#include "ops/conv.h"

enum { IN_X, IN_U, IN_BIAS };

/* ---- tiles ---- */

/* Tiles along one dimension, each `size` apart from the one before; the last steps back to end with the results. */
typedef struct tiling {
    int64_t size, extent, count; /* extent: of the results */
    int64_t pad, in;             /* before the data; the data's extent */
} tiling;

typedef struct winograd {
    const node *n;
    nest_list *l;
    nest *m; /* the one being written */
    const winograd_form *f;
    tiling tall, wide;
    int64_t batch, inputs, results; /* images; channels */
    int64_t tiles;                  /* of an image */
} winograd;

static const expr *tile_first(builder *b, const tiling *t, const expr *number) {
    const expr *first = build_mul(b, number, build_index(b, t->size));
    return t->count * t->size > t->extent ? build_min(b, first, build_index(b, t->extent - t->size)) : first;
}

/* Where the tile that begins at `first` reads its line i, under the mask that it is there; false where it never is. */
static bool line_of(builder *b, const tiling *t, const expr *first, int i, const expr **out_at, const expr **mask) {
    int64_t low = i - t->pad, high = t->extent - t->size + low;
    if (high < 0 || low >= t->in || (t->count == 1 && (low < 0 || high >= t->in)))
        return false;
    *out_at = build_add(b, first, build_index(b, low));
    *mask = kit_inside(b, *mask, *out_at, 0, t->in, low < 0, high >= t->in);
    return true;
}

/* ---- lines: the transforms of one dimension ---- */

/* factor * x + y; y NULL: nothing. */
static const expr *plus(builder *b, double factor, const expr *x, const expr *y) {
    if (y == NULL)
        return factor == 1 ? x : build_mul(b, x, build_const(b, x->type.elem, factor));
    return factor == 1    ? build_add(b, y, x)
           : factor == -1 ? build_sub(b, y, x)
                          : build_mul_add(b, x, build_const(b, x->type.elem, factor), y);
}

/* The polynomial with all finite points for zeros, over every second element. */
static const expr *whole_line(builder *b, const winograd_form *f, const expr *const *x) {
    double near = f->near * f->near, far = f->far * f->far;
    if (f->far == 0)
        return plus(b, -near, x[0], x[2]);
    return plus(b, near * far, x[0], plus(b, -(near + far), x[2], x[4]));
}

/* What the points +-at give, the other pair being +-other (0: none). */
static void pair_of_points(winograd *w, const expr *const *x, double at, double other, const expr **out) {
    builder *b = w->l->b;
    const expr *even = x[w->f->points - 2], *odd = x[w->f->points - 3];
    if (other != 0) {
        even = nest_let(w->m, plus(b, -other * other, x[w->f->points - 4], even));
        odd = nest_let(w->m, plus(b, -other * other, x[w->f->points - 5], odd));
    }
    out[0] = nest_let(w->m, plus(b, at, odd, even));
    out[1] = nest_let(w->m, plus(b, -at, odd, even));
}

/* B' x of one line. */
static void data_line(winograd *w, const expr *const *x, const expr **out) {
    const winograd_form *f = w->f;
    out[0] = nest_let(w->m, whole_line(w->l->b, f, x));
    pair_of_points(w, x, f->near, f->far, out + 1);
    if (f->far != 0)
        pair_of_points(w, x, f->far, f->near, out + 3);
    out[f->points - 1] = nest_let(w->m, whole_line(w->l->b, f, x + 1));
}

/* A' x of one line. */
static void result_line(winograd *w, const expr *const *x, const expr **out) {
    const winograd_form *f = w->f;
    builder *b = w->l->b;
    const expr *near[2] = {nest_let(w->m, build_add(b, x[1], x[2])), nest_let(w->m, build_sub(b, x[1], x[2]))};
    const expr *far[2] = {NULL, NULL};
    double near_power = 1, far_power = 1;
    if (f->far != 0) {
        far[0] = nest_let(w->m, build_add(b, x[3], x[4]));
        far[1] = nest_let(w->m, build_sub(b, x[3], x[4]));
    }
    for (int k = 0; k < f->outputs; k++) {
        const expr *sum = k == 0 ? x[0] : k == f->outputs - 1 ? x[f->points - 1] : NULL;
        if (f->far != 0)
            sum = plus(b, far_power, far[k % 2], sum);
        out[k] = nest_let(w->m, plus(b, near_power, near[k % 2], sum));
        near_power *= f->near;
        far_power *= f->far;
    }
}

/* ---- the nests ---- */

/* Transformed data and products: [image][point][tile and channel]. Lines of points that a multiple of 1 KiB separates
 * would share few sets of a cache, so they are moved apart. */
static int points_temporary(winograd *w, int64_t channels) {
    int64_t line = w->tiles * channels, dims[] = {w->batch, (int64_t)w->f->points * w->f->points, line};
    dims[2] += line % 256 == 0 ? 16 : 0;
    return nest_temporary(w->l, kit_operand(w->l, IN_X)->elem, 3, dims);
}

typedef struct tile_axes {
    const expr *image, *first[2]; /* the tile's first result, along both dimensions */
    const expr *tile, *channel;
} tile_axes;

static const expr *tile_number(const winograd *w, const expr *i, const expr *k) {
    return build_add(w->l->b, build_mul(w->l->b, i, build_index(w->l->b, w->wide.count)), k);
}

static tile_axes open_tiles(winograd *w, const char *name, int64_t channels) {
    builder *b = w->l->b;
    w->m = nest_add(w->l, name);
    w->m->contract = true;
    const expr *image = nest_outer(w->m, "n", w->batch), *i = nest_outer(w->m, "i", w->tall.count),
               *k = nest_outer(w->m, "k", w->wide.count);
    tile_axes a = {image, {tile_first(b, &w->tall, i), tile_first(b, &w->wide, k)}, NULL, NULL};
    a.tile = tile_number(w, i, k);
    a.channel = nest_outer(w->m, "c", channels);
    return a;
}

/* Index of a temporary's element. */
static void point_at(const winograd *w, const expr *image, const expr *point, const expr *tile, const expr *channel,
                     int64_t channels, const expr **out) {
    builder *b = w->l->b;
    out[0] = image;
    out[1] = point;
    out[2] = build_add(b, build_mul(b, tile, build_index(b, channels)), channel);
}

static const expr *read_data(winograd *w, const tile_axes *a, int i, int k) {
    builder *b = w->l->b;
    const expr *index[4] = {a->image, a->channel}, *mask = NULL;
    if (!line_of(b, &w->tall, a->first[0], i, &index[2], &mask) ||
        !line_of(b, &w->wide, a->first[1], k, &index[3], &mask))
        return build_const(b, kit_operand(w->l, IN_X)->elem, 0);
    return nest_let(w->m, nest_read_masked(w->l, IN_X, index, mask));
}

static void transform_data(winograd *w, int to) {
    builder *b = w->l->b;
    int n = w->f->points;
    const expr *half[WINOGRAD_MOST_POINTS][WINOGRAD_MOST_POINTS], *line[WINOGRAD_MOST_POINTS],
        *done[WINOGRAD_MOST_POINTS], *index[3];
    tile_axes a = open_tiles(w, "winograd_data", w->inputs);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < n; i++)
            line[i] = read_data(w, &a, i, k);
        data_line(w, line, done);
        for (int i = 0; i < n; i++)
            half[i][k] = done[i];
    }
    for (int i = 0; i < n; i++) {
        data_line(w, half[i], done);
        for (int k = 0; k < n; k++) {
            point_at(w, a.image, build_index(b, i * n + k), a.tile, a.channel, w->inputs, index);
            nest_store(w->m, to, index, 3, done[k]);
        }
    }
}

/* Counts as the direct convolution that it stands for. */
static void multiply(winograd *w, int from, int to) {
    builder *b = w->l->b;
    const expr *x[3], *y[3];
    w->m = nest_add(w->l, "winograd_product");
    w->m->contract = true;
    w->m->macs = w->batch * w->results * w->inputs * w->tall.extent * w->wide.extent * 9;
    const expr *image = nest_outer(w->m, "n", w->batch),
               *point = nest_outer(w->m, "p", (int64_t)w->f->points * w->f->points),
               *i = nest_outer(w->m, "i", w->tall.count), *k = nest_outer(w->m, "k", w->wide.count),
               *tile = tile_number(w, i, k), *co = nest_outer(w->m, "co", w->results);
    nest_open(w->m);
    const expr *ci = nest_inner(w->m, "ci", w->inputs), *u[3] = {point, ci, co};
    point_at(w, image, point, tile, ci, w->inputs, x);
    point_at(w, image, point, tile, co, w->results, y);
    const expr *term = build_mul(b, nest_read(w->l, from, x), nest_read(w->l, IN_U, u));
    nest_store(w->m, to, y, 3, nest_reduce(w->m, REDUCE_SUM, term));
}

static void transform_results(winograd *w, int from) {
    builder *b = w->l->b;
    int n = w->f->points, m = w->f->outputs;
    const expr *half[WINOGRAD_MOST_OUTPUTS][WINOGRAD_MOST_POINTS], *line[WINOGRAD_MOST_POINTS],
        *done[WINOGRAD_MOST_OUTPUTS], *index[3];
    tile_axes a = open_tiles(w, "winograd_results", w->results);
    const expr *bias = NULL;
    if (node_input(w->n, IN_BIAS) != NULL)
        bias = nest_let(w->m, nest_read(w->l, IN_BIAS, &a.channel));
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < n; i++) {
            point_at(w, a.image, build_index(b, i * n + k), a.tile, a.channel, w->results, index);
            line[i] = nest_let(w->m, nest_read(w->l, from, index));
        }
        result_line(w, line, done);
        for (int i = 0; i < m; i++)
            half[i][k] = done[i];
    }
    for (int i = 0; i < m; i++) {
        result_line(w, half[i], done);
        for (int k = 0; k < m; k++) {
            const expr *at[4] = {a.image, a.channel, build_add(b, a.first[0], build_index(b, i)),
                                 build_add(b, a.first[1], build_index(b, k))};
            nest_store(w->m, nest_output(w->l, 0), at, 4, bias != NULL ? build_add(b, done[k], bias) : done[k]);
        }
    }
}

static tiling tiling_of(const winograd_form *f, int64_t extent, int64_t pad, int64_t in) {
    return (tiling){f->outputs, extent, (extent + f->outputs - 1) / f->outputs, pad, in};
}

static status winograd_lower(const node *n, nest_list *l) {
    const nest_operand *x = kit_operand(l, IN_X), *y = kit_operand(l, nest_output(l, 0));
    int64_t pads[4];
    TRY(window_list(n, "pads", 4, 0, 0, pads));
    winograd w = {.n = n, .l = l, .f = winograd_form_of(op_int(n, "tile"))};
    w.tall = tiling_of(w.f, y->dims[2], pads[0], x->dims[2]);
    w.wide = tiling_of(w.f, y->dims[3], pads[1], x->dims[3]);
    w.batch = x->dims[0];
    w.inputs = x->dims[1];
    w.results = y->dims[1];
    w.tiles = w.tall.count * w.wide.count;
    l->parts = l->channels_last = true;
    int data = points_temporary(&w, w.inputs), products = points_temporary(&w, w.results);
    transform_data(&w, data);
    multiply(&w, data, products);
    transform_results(&w, products);
    return builder_status(l->b);
}

/* ---- the row ---- */

static status winograd_infer(node *n) {
    const tensor_type *x = op_input_type(n, IN_X), *u = op_input_type(n, IN_U);
    const winograd_form *f = winograd_form_of(op_int(n, "tile"));
    int64_t pads[4], d[4], e[3];
    if (f == NULL)
        return op_invalid(n, "wrong-attribute", "tile is %lld, expected 2 or 4", (long long)op_int(n, "tile"));
    TRY(window_list(n, "pads", 4, 0, 0, pads));
    if (x->rank != 4 || u->rank != 3 || !type_shape(x, d) || !type_shape(u, e) || e[1] != d[1] ||
        e[0] != (int64_t)f->points * f->points)
        return op_invalid(n, "shape-mismatch", "the data and the transformed weights do not fit");
    TRY(conv_check_bias(n, IN_BIAS, u->dims[2]));
    dim dims[4] = {x->dims[0], u->dims[2], DIM(d[2] + pads[0] + pads[2] - 2), DIM(d[3] + pads[1] + pads[3] - 2)};
    if (dims[2].n < f->outputs || dims[3].n < f->outputs)
        return op_invalid(n, "shape-mismatch", "the result is smaller than a tile");
    return op_set_output(n, 0, x->elem, 4, dims);
}

OP_ROW(tenon__WinogradConv) = {
    .name = WINOGRAD_OP,
    .domain = OP_OWN_DOMAIN,
    .versions = VERSIONS(1),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"X", TYPE_BIT(DT_F32), 'T', 0}, {"U", TYPE_BIT(DT_F32), 'T', 0},
                     {"B", TYPE_BIT(DT_F32), 'T', PARAM_OPTIONAL}),
    .outputs = PARAMS({"Y", TYPE_BIT(DT_F32), 'T', 0}),
    .attrs = ATTRS({"pads", .kind = ATTR_INTS}, {"tile", ATTR_INT, .required = true}),
    .infer = winograd_infer,
    .lower = winograd_lower,
};
