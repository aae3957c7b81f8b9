/* Register tiles: every stage is computed for a block of vectors and rows at once. Any nest whose stores step along an
 * outer axis can be written so: contractions (whose loads the block shares), pooling, reductions over outer axes,
 * element-wise chains. */
#include "schedule/tiles.h"
#include "schedule/sparse.h"

typedef struct tile_state {
    tile *t;
    const expr *a_first, *c_first; /* of the current block */
    const expr *a_index, *c_index; /* the current block */
    const expr **from, **to;       /* axes bound to loops around the block */
    int n;
    pair_kind kind;        /* of the steps that are emitted */
    const expr ***results; /* [stage][point]: reduced and other kept values */
    const expr *list;      /* across a copy: the current part of a list */
    const expr *sums;      /* where its sums stand that it begins with; NULL: nowhere */
} tile_state;

static void bind(tile_state *s, const expr *from, const expr *to) {
    s->from[s->n] = from;
    s->to[s->n++] = to;
}

static const expr *loop(tile_state *s, const char *name, int64_t extent) {
    return extent == 1 ? build_index(s->t->p->b, 0)
                       : build_for(s->t->p->b, name, build_index(s->t->p->b, extent), LOOP_SERIAL);
}

static void end(tile_state *s, int64_t extent) {
    if (extent != 1)
        build_end(s->t->p->b);
}

/* First element of the block of this number, as tile_a_first and tile_c_first count it. */
static const expr *block_first(tile_state *s, const expr *number, int64_t size, int64_t extent) {
    builder *b = s->t->p->b;
    const expr *first = build_mul(b, number, build_index(b, size));
    if (extent <= size)
        return build_index(b, 0);
    if (extent % size != 0)
        first = build_min(b, first, build_index(b, extent - size));
    return build_let(b, "first", first);
}

/* x at vector v and row r of the block: `lanes` lanes, or the scalar of lane 0 (for addresses). */
static const expr *at_point(tile_state *s, int stage, const expr *x, int v, int r, int lanes) {
    tile *t = s->t;
    plan *p = t->p;
    builder *b = p->b;
    int n = s->n;
    const expr *first = build_add(b, s->a_first, build_index(b, tile_vector_first(t, v)));
    const expr *lane = build_index(b, (int64_t)v * t->lanes);
    bind(s, p->axes[t->a].var, lanes == 1 ? first : build_ramp(b, first, 1, lanes));
    bind(s, t->lane, lanes == 1 ? lane : build_ramp(b, lane, 1, lanes));
    if (t->c >= 0)
        bind(s, p->axes[t->c].var, build_add(b, s->c_first, build_index(b, r)));
    bind(s, t->row, build_index(b, r));
    bind(s, t->a_block, s->a_index);
    bind(s, t->c_block, s->c_index);
    for (int k = 0; k < stage; k++)
        if (p->stages[k].kind != STAGE_STORE && (lanes > 1 || t->lanes == 1))
            bind(s, p->stages[k].result, s->results[k][r * t->vectors + v]);
    x = build_widen(b, x, s->from, s->to, s->n, lanes);
    s->n = n;
    return x->type.lanes == lanes ? x : build_broadcast(b, x, lanes);
}

static void open_stage(tile_state *s, const plan_stage *g) {
    for (int i = 0; i < g->n_axes; i++)
        bind(s, g->axes[i].var, loop(s, "k", g->axes[i].extent));
}

static void close_stage(tile_state *s, const plan_stage *g) {
    for (int i = 0; i < g->n_axes; i++)
        end(s, g->axes[i].extent);
    s->n -= g->n_axes;
}

/* The accumulators of a block: an array for each kind of vector. */
typedef struct accumulators {
    int full, tail; /* register arrays; tail is -1 where all vectors are of one kind */
    dtype elem;
    int each; /* for a lane of the block */
} accumulators;

typedef struct point {
    int reg;
    ltype type;
    const expr *index;
} point;

static point point_of(const tile_state *s, const accumulators *acc, int v, int r) {
    const tile *t = s->t;
    ltype type = LTYPE(acc->elem, tile_lanes(t, v) * acc->each);
    if (acc->tail < 0)
        return (point){acc->full, type, build_index(t->p->b, (int64_t)r * t->vectors + v)};
    if (v == t->vectors - 1)
        return (point){acc->tail, type, build_index(t->p->b, r)};
    return (point){acc->full, type, build_index(t->p->b, (int64_t)r * (t->vectors - 1) + v)};
}

static accumulators declare(const tile_state *s, dtype elem, int each) {
    const tile *t = s->t;
    builder *b = t->p->b;
    bool alike = t->tail == t->lanes;
    accumulators acc = {.tail = -1, .elem = elem, .each = each};
    acc.full = build_declare(b, "acc", LTYPE(elem, t->lanes * each), t->rows * (t->vectors - !alike));
    if (!alike)
        acc.tail = build_declare(b, "tail", LTYPE(elem, t->tail * each), t->rows);
    return acc;
}

/* The numbers at a load's address, so many as are multiplied at once, again and again. */
static const expr *repeat(tile_state *s, int stage, const expr *load, int v, int r, int lanes) {
    builder *b = s->t->p->b;
    const int each = s->t->p->stages[stage].each;
    uint8_t order[64];
    for (int i = 0; i < lanes; i++)
        order[i] = (uint8_t)(i % each);
    const expr *at = at_point(s, stage, load->arg[0], v, r, 1);
    const expr *x = build_load(b, load->ref, LTYPE(load->type.elem, each), at, NULL);
    if (each == 2 && dtype_bits(load->type.elem) == 8)
        x = build_cast(b, DT_I16, x);
    return lanes == each ? x : build_shuffle(b, x, x, order, lanes);
}

/* `n` lanes of the concatenation of x and y, from `first` on. */
static const expr *lanes_of(builder *b, const expr *x, const expr *y, int first, int n) {
    uint8_t lanes[64];
    for (int i = 0; i < n; i++)
        lanes[i] = (uint8_t)(first + i);
    return build_shuffle(b, x, y, lanes, n);
}

/* x with its highest bit changed, as the type of other sign: what plan_dots takes off the sum. */
static const expr *change_sign(builder *b, dtype to, const expr *x) {
    const expr *bit = build_int(b, to, to == DT_U8 ? 128 : dtype_min(to));
    return build_binary(b, EXPR_XOR, build_bitcast(b, to, x), build_broadcast(b, bit, x->type.lanes));
}

/* For PAIRS, flips are in place of the change of sign. */
static const expr *data_of_dot(tile_state *s, int stage, const expr *data, int v, int r, int lanes) {
    builder *b = s->t->p->b;
    const plan_stage *g = &s->t->p->stages[stage];
    const expr *x = repeat(s, stage, data, v, r, lanes);
    if (g->flips != NULL && s->kind != PAIR_PLAIN) {
        const expr *flips =
            build_load(b, g->flips->ref, LTYPE(DT_U8, lanes), at_point(s, stage, g->flips->arg[0], v, r, 1), NULL);
        return build_bitcast(b, DT_I8, build_binary(b, EXPR_XOR, build_bitcast(b, DT_U8, x), flips));
    }
    if (g->each == 2)
        return x->type.elem == DT_U16 ? change_sign(b, DT_I16, x) : x;
    dtype as = g->packed && g->steps != NULL ? DT_I8 : target_dot4_data(s->t->p->options->target);
    return x->type.elem != as ? change_sign(b, as, x) : x;
}

static const expr *weights_of_dot(tile_state *s, int stage, const expr *weights, int v, int r, int lanes) {
    builder *b = s->t->p->b;
    const plan_stage *g = &s->t->p->stages[stage];
    int vector = g->packed ? codes_vector_of(g, v) : v;
    const expr *at = at_point(s, stage, weights->arg[0], vector, r, 1);
    const expr *w = build_load(b, weights->ref, LTYPE(weights->type.elem, lanes), at, NULL);
    return g->packed ? codes_unpack(b, g, w, v) : w;
}

/* What a step multiplies: `lanes` of data and of weights. */
typedef struct factors {
    const expr *x, *w;
} factors;

static factors factors_of(tile_state *s, int stage, int v, int r, int lanes) {
    const expr *data, *weights;
    plan_dot_loads(s->t->p, &s->t->p->stages[stage], &data, &weights);
    return (factors){data_of_dot(s, stage, data, v, r, lanes), weights_of_dot(s, stage, weights, v, r, lanes)};
}

/* Neighbours of 16 bits are added to each sum, so many times. */
static const expr *add_twos(builder *b, const expr *sum, const expr *twos, int times) {
    return build_dot(b, EXPR_DOT2, sum, twos, build_broadcast(b, build_int(b, DT_I16, times), twos->type.lanes));
}

/* sum and the products of the fours that the stage's loads begin. */
static const expr *add_dot(tile_state *s, int stage, const expr *sum, int v, int r) {
    const plan_stage *g = &s->t->p->stages[stage];
    builder *b = s->t->p->b;
    factors f = factors_of(s, stage, v, r, g->each * sum->type.lanes);
    if (g->steps == NULL)
        return build_dot(b, g->each == 2 ? EXPR_DOT2 : EXPR_DOT4, sum, f.x, f.w);
    bool is_signed = s->kind == PAIR_SIGNED;
    return add_twos(b, sum, is_signed ? build_pairs(b, build_bitcast(b, DT_U8, f.w), f.x) : build_pairs(b, f.x, f.w),
                    1);
}

/* One step of a reduction in all points of the block. */
static void reduce_points(tile_state *s, int stage, const accumulators *acc) {
    tile *t = s->t;
    builder *b = t->p->b;
    const plan_stage *g = &t->p->stages[stage];
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, acc, v, r);
            const expr *sum = build_reg_get(b, x.reg, x.type, x.index);
            build_set(b, x.reg, x.index,
                      g->each > 0 ? add_dot(s, stage, sum, v, r)
                                  : plan_combine(b, g->op, sum, at_point(s, stage, g->value, v, r, x.type.lanes)));
        }
}

/* Reductions that go side by side, over the same steps. */
typedef struct team {
    int first, n; /* stages */
    accumulators *acc;
    int rows; /* registers with sums of the rows' data, which codes that count from the least weight need; -1: none */
} team;

/* The steps along the reductions' axes from `axis` on. */
static void reduce_axes(tile_state *s, const team *m, int axis) {
    const plan_stage *g = &s->t->p->stages[m->first];
    if (axis == g->n_axes) {
        for (int i = 0; i < m->n; i++)
            reduce_points(s, m->first + i, &m->acc[i]);
        return;
    }
    const nest_axis *x = &g->axes[axis];
    bool unrolled = axis >= g->n_axes - s->t->unrolled[m->first];
    for (int64_t k = 0; k < (unrolled ? x->extent : 1); k++) {
        const expr *step = unrolled ? build_index(s->t->p->b, k) : loop(s, "k", x->extent);
        for (int i = 0; i < m->n; i++)
            bind(s, g[i].axes[axis].var, step);
        reduce_axes(s, m, axis + 1);
        s->n -= m->n;
    }
    if (!unrolled)
        end(s, x->extent);
}

static const expr *sum_at(builder *b, const point *x) {
    return build_reg_get(b, x->reg, x->type, x->index);
}

static const expr *all_of(builder *b, ltype type, int64_t number) {
    return build_broadcast(b, build_int(b, type.elem, number), type.lanes);
}

/* A step of a chain in all points of the block. */
static void add_to_chain(tile_state *s, int stage, const accumulators *acc) {
    tile *t = s->t;
    builder *b = t->p->b;
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, acc, v, r);
            factors f = factors_of(s, stage, v, r, 2 * x.type.lanes);
            bool codes = t->p->stages[stage].packed;
            const expr *pairs = codes ? build_pairs(b, f.w, f.x) : build_pairs(b, f.x, f.w);
            build_set(b, x.reg, x.index, build_add(b, sum_at(b, &x), pairs));
        }
}

/* The register of a row's sum in 16 bits, and in 32. */
static point row_of(const tile_state *s, int reg, dtype elem, int r) {
    return (point){reg, LTYPE(elem, s->t->lanes * (elem == DT_I16 ? 2 : 1)), build_index(s->t->p->b, r)};
}

static int declare_rows(const tile_state *s, dtype elem) {
    builder *b = s->t->p->b;
    int reg = build_declare(b, "row", row_of(s, 0, elem, 0).type, s->t->rows);
    for (int r = 0; r < s->t->rows; r++) {
        point x = row_of(s, reg, elem, r);
        build_set(b, x.reg, x.index, all_of(b, x.type, 0));
    }
    return reg;
}

static void add_to_rows(tile_state *s, int stage, int reg) {
    builder *b = s->t->p->b;
    const expr *data, *weights;
    plan_dot_loads(s->t->p, &s->t->p->stages[stage], &data, &weights);
    for (int r = 0; r < s->t->rows; r++) {
        point x = row_of(s, reg, DT_I16, r);
        const expr *bytes = data_of_dot(s, stage, data, 0, r, 2 * x.type.lanes);
        const expr *ones = all_of(b, LTYPE(DT_U8, 2 * x.type.lanes), 1);
        build_set(b, x.reg, x.index, build_add(b, sum_at(b, &x), build_pairs(b, ones, bytes)));
    }
}

/* n steps, summed in 16 bits, from this one on. */
static void reduce_chain(tile_state *s, const team *m, const expr *first, int64_t n) {
    tile *t = s->t;
    builder *b = t->p->b;
    const plan_stage *g = &t->p->stages[m->first];
    accumulators chain = declare(s, DT_I16, 2);
    int rows = m->rows >= 0 ? declare_rows(s, DT_I16) : -1;
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, &chain, v, r);
            build_set(b, x.reg, x.index, all_of(b, x.type, 0));
        }
    bind(s, g->axes[0].var, build_add(b, loop(s, "k", n), first));
    if (m->rows >= 0)
        add_to_rows(s, m->first, rows);
    add_to_chain(s, m->first, &chain);
    s->n--;
    end(s, n);
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, m->acc, v, r), twos = point_of(s, &chain, v, r);
            build_set(b, x.reg, x.index, add_twos(b, sum_at(b, &x), sum_at(b, &twos), 1));
        }
    for (int r = 0; r < t->rows && m->rows >= 0; r++) {
        point x = row_of(s, m->rows, DT_I32, r), twos = row_of(s, rows, DT_I16, r);
        build_set(b, x.reg, x.index, add_twos(b, sum_at(b, &x), sum_at(b, &twos), g->least));
    }
}

static void reduce_chains(tile_state *s, const team *m, int64_t n, int64_t length) {
    builder *b = s->t->p->b;
    int64_t whole = n / length;
    if (whole > 0) {
        reduce_chain(s, m, build_mul(b, loop(s, "chain", whole), build_index(b, length)), length);
        end(s, whole);
    }
    if (n % length > 0)
        reduce_chain(s, m, build_index(b, whole * length), n % length);
}

/* A loop for each kind of steps. */
static void reduce_pairs(tile_state *s, const team *m) {
    const plan_stage *g = &s->t->p->stages[m->first];
    builder *b = s->t->p->b;
    int64_t first = 0;
    s->kind = PAIR_PLAIN;
    if (g->steps->chain > 1) {
        reduce_chains(s, m, g->steps->of[PAIR_PLAIN], g->steps->chain);
        return;
    }
    for (; s->kind < PAIR_KINDS; first += g->steps->of[s->kind++]) {
        int64_t n = g->steps->of[s->kind];
        if (n == 0)
            continue;
        bind(s, g->axes[0].var, build_add(b, loop(s, "k", n), build_index(b, first)));
        reduce_points(s, m->first, m->acc);
        s->n--;
        end(s, n);
    }
}

static void begin_sums(tile_state *s, int stage, accumulators *acc) {
    tile *t = s->t;
    const plan_stage *g = &t->p->stages[stage];
    *acc = declare(s, g->value->type.elem, 1);
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, acc, v, r);
            build_set(t->p->b, x.reg, x.index,
                      g->start != NULL && !g->scales ? at_point(s, stage, g->start, v, r, x.type.lanes)
                                                     : plan_neutral(t->p->b, g->op, x.type));
        }
}

/* What packed weights have made too large; only then is added what other sums begin with. */
static const expr *scaled_back(tile_state *s, int stage, const expr *sum, int v, int r) {
    const plan_stage *g = &s->t->p->stages[stage];
    builder *b = s->t->p->b;
    sum = codes_divide(b, g, sum);
    return g->start != NULL ? build_add(b, sum, at_point(s, stage, g->start, v, r, sum->type.lanes)) : sum;
}

/* A row's data are the same in all lanes. */
static const expr *with_row(const tile_state *s, const team *m, const expr *sum, int r) {
    builder *b = s->t->p->b;
    point x = row_of(s, m->rows, DT_I32, r);
    const expr *row = sum_at(b, &x);
    return build_add(b, sum, sum->type.lanes == x.type.lanes ? row : lanes_of(b, row, row, 0, sum->type.lanes));
}

static void keep_sums(tile_state *s, int stage, const team *m, const accumulators *acc) {
    tile *t = s->t;
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            point x = point_of(s, acc, v, r);
            const expr *sum = sum_at(t->p->b, &x);
            if (t->p->stages[stage].scales)
                sum = scaled_back(s, stage, sum, v, r);
            s->results[stage][r * t->vectors + v] = m->rows >= 0 ? with_row(s, m, sum, r) : sum;
        }
}

static void reduce_stages(tile_state *s, int first, int n) {
    const plan_stage *g = &s->t->p->stages[first];
    team m = {first, n, ARENA_NEW_N(s->t->p->memory, accumulators, n), -1};
    if (m.acc == NULL) {
        build_fail(s->t->p->b);
        return;
    }
    for (int i = 0; i < n; i++)
        begin_sums(s, first + i, &m.acc[i]);
    if (g->steps != NULL && g->packed && g->least != 0)
        m.rows = declare_rows(s, DT_I32);
    if (g->steps != NULL)
        reduce_pairs(s, &m);
    else
        reduce_axes(s, &m, 0);
    for (int i = 0; i < n; i++)
        keep_sums(s, first + i, &m, &m.acc[i]);
}

/* Where the point's sum stands. */
static const expr *place_of_sum(const tile_state *s, int k) {
    return build_add(s->t->p->b, s->sums, build_index(s->t->p->b, (int64_t)k * s->t->lanes));
}

static void sparse_stage(tile_state *s, int stage) {
    const tile *t = s->t;
    const plan_stage *g = &t->p->stages[stage];
    const expr *addresses[SPARSE_MOST_POINTS], *number = s->a_index;
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++)
            addresses[r * t->vectors + v] = at_point(s, stage, g->value->arg[0], v, r, 1);
    if (g->sparse->way.across)
        number = s->list != NULL ? s->list : at_point(s, stage, t->p->axes[g->sparse->axis].var, 0, 0, 1);
    for (int i = 0; s->sums != NULL && i < t->rows * t->vectors; i++)
        s->results[stage][i] = build_load(t->p->b, g->sparse->slot_of_sums, LTYPE(g->result->type.elem, t->lanes),
                                          place_of_sum(s, i), NULL);
    sparse_sums(t->p, g, number, addresses, t->rows * t->vectors, t->lanes, s->sums != NULL, s->results[stage]);
}

static void let_stage(tile_state *s, int stage) {
    tile *t = s->t;
    const expr *value = t->p->stages[stage].value;
    for (int r = 0; r < t->rows; r++)
        for (int v = 0; v < t->vectors; v++) {
            const expr *x = at_point(s, stage, value, v, r, tile_lanes(t, v));
            s->results[stage][r * t->vectors + v] = build_let(t->p->b, "x", x);
        }
}

/* ---- stores ---- */

#define PACKED TILE_PACKED

bool tile_narrows(const plan *p, const plan_stage *g) {
    const expr *x = g->value;
    return p->options->target->isa == ISA_AVX2 && g->kind == STAGE_STORE &&
           (x->kind == EXPR_SATURATE || x->kind == EXPR_CAST) && dtype_bits(x->type.elem) == 8 &&
           x->arg[0]->type.elem == DT_I32;
}

static bool packs(const tile *t, const plan_stage *g, int64_t step) {
    return tile_narrows(t->p, g) && step == 1 && 4 * t->lanes == t->p->options->target->vector_bytes &&
           t->tail == t->lanes;
}

/* Points from this one on whose results follow each other in memory, of those that are packed with it. */
static int run_of(const tile *t, int first, int k) {
    int n = PACKED, v = first % t->vectors;
    while (n > 1 && (k % n != 0 || v + n > t->vectors ||
                     tile_vector_first(t, v + n - 1) != tile_vector_first(t, v) + (n - 1) * t->lanes))
        n /= 2;
    return n;
}

static void store_packed(tile_state *s, int stage, int first) {
    tile *t = s->t;
    builder *b = t->p->b;
    const plan_stage *g = &t->p->stages[stage];
    const expr *x[PACKED];
    for (int k = 0; k < PACKED; k++)
        x[k] = at_point(s, stage, g->value->arg[0], (first + k) % t->vectors, (first + k) / t->vectors, t->lanes);
    const expr *low = lanes_of(b, x[0], x[1], 0, 2 * t->lanes), *high = lanes_of(b, x[2], x[3], 0, 2 * t->lanes);
    const expr *all = lanes_of(b, low, high, 0, PACKED * t->lanes);
    dtype to = g->value->type.elem;
    all = build_let(b, "bytes", g->value->kind == EXPR_CAST ? build_cast(b, to, all) : build_saturate(b, to, all));
    for (int k = 0, n; k < PACKED; k += n) {
        n = run_of(t, first + k, k);
        const expr *at = at_point(s, stage, g->address, (first + k) % t->vectors, (first + k) / t->vectors, 1);
        build_store(b, g->slot, at, lanes_of(b, all, all, k * t->lanes, n * t->lanes), NULL);
    }
}

static void store_point(tile_state *s, int stage, int64_t step, int v, int r) {
    tile *t = s->t;
    const plan_stage *g = &t->p->stages[stage];
    const expr *address = at_point(s, stage, g->address, v, r, 1);
    int lanes = tile_lanes(t, v);
    if (step != 1 && lanes > 1)
        address = build_ramp(t->p->b, address, step, lanes);
    build_store(t->p->b, g->slot, address, at_point(s, stage, g->value, v, r, lanes), NULL);
}

static void store_stage(tile_state *s, int stage) {
    tile *t = s->t;
    const plan_stage *g = &t->p->stages[stage];
    int64_t step = 1;
    plan_step(t->p, g->address, t->p->axes[t->a].var, &step);
    open_stage(s, g);
    int i = 0, n = t->rows * t->vectors;
    for (; packs(t, g, step) && i + PACKED <= n; i += PACKED)
        store_packed(s, stage, i);
    for (; i < n; i++)
        store_point(s, stage, step, i % t->vectors, i / t->vectors);
    close_stage(s, g);
}

static void open_a(tile_state *s) {
    tile *t = s->t;
    s->a_index = loop(s, "ab", t->a_blocks);
    s->a_first = block_first(s, s->a_index, tile_width(t), tile_extent(t->p, t->a));
}

static void emit_block(tile_state *s) {
    tile *t = s->t;
    plan *p = t->p;
    s->c_index = loop(s, "cb", t->c_blocks);
    s->c_first = block_first(s, s->c_index, t->rows, tile_extent(p, t->c));
    for (int k = 0, n; k < p->n_stages; k += n) {
        n = p->stages[k].kind == STAGE_REDUCE ? tile_team(p, k) : 1;
        if (p->stages[k].sparse != NULL)
            sparse_stage(s, k);
        else if (p->stages[k].kind == STAGE_REDUCE)
            reduce_stages(s, k, n);
        else if (p->stages[k].kind == STAGE_LET)
            let_stage(s, k);
        else
            store_stage(s, k);
    }
    end(s, t->c_blocks);
}

static status new_state(tile *t, tile_state *out) {
    plan *p = t->p;
    int most = 2 * PLAN_MAX_AXES + p->n_stages * (NEST_MAX_AXES + 1) + 8;
    *out = (tile_state){.t = t};
    TRY_ALLOC(out->from = ARENA_NEW_N(p->memory, const expr *, most));
    TRY_ALLOC(out->to = ARENA_NEW_N(p->memory, const expr *, most));
    TRY_ALLOC(out->results = ARENA_NEW_N(p->memory, const expr **, p->n_stages + 1));
    for (int k = 0; k < p->n_stages; k++)
        TRY_ALLOC(out->results[k] = ARENA_NEW_N(p->memory, const expr *, t->rows * t->vectors));
    return STATUS_OK;
}

/* ---- across a copy: results by panels, their lists by parts ---- */

/* The loop over a panel's results, in this part of their lists. */
static void open_results(tile_state *s, const sparse *z, const expr *panel, const expr *part) {
    builder *b = s->t->p->b;
    const expr *in_panel = loop(s, "n", z->panel), *size = build_index(b, z->panel);
    bind(s, s->t->p->axes[z->axis].var, build_add(b, build_mul(b, panel, size), in_panel));
    s->list = build_add(b, build_mul(b, panel, build_index(b, z->parts)), part);
    s->list = build_add(b, build_mul(b, s->list, size), in_panel);
    s->sums = build_mul(b, in_panel, build_index(b, tile_width(s->t)));
}

static void close_results(tile_state *s, const sparse *z) {
    end(s, z->panel);
    s->n--;
}

/* Sums of these parts, which are added to what stands there where `begun`. */
static void sum_parts(tile_state *s, int stage, const expr *panel, int64_t first, int64_t n, bool begun) {
    const plan_stage *g = &s->t->p->stages[stage];
    builder *b = s->t->p->b;
    const expr *part = build_add(b, loop(s, "part", n), build_index(b, first));
    open_results(s, g->sparse, panel, part);
    const expr *sums = s->sums;
    s->sums = begun ? sums : NULL;
    sparse_stage(s, stage);
    s->sums = sums;
    for (int i = 0; i < s->t->vectors; i++)
        build_store(b, g->sparse->slot_of_sums, place_of_sum(s, i), s->results[stage][i], NULL);
    close_results(s, g->sparse);
    end(s, n);
}

/* The other stages of a square of a panel's sums, with vectors along the results. */
static status end_square(const tile_state *s, int stage, const expr *panel, const expr *first, const expr *row) {
    tile along = *s->t;
    plan *p = along.p;
    builder *b = p->b;
    const sparse *z = p->stages[stage].sparse;
    const expr *width = build_index(b, tile_width(s->t));
    tile_state e;
    along.a = z->axis;
    along.c = s->t->a;
    along.vectors = 1;
    along.rows = along.lanes;
    TRY(new_state(&along, &e));
    for (; e.n < s->n; e.n++) {
        e.from[e.n] = s->from[e.n];
        e.to[e.n] = s->to[e.n];
    }
    e.a_first = build_add(b, build_mul(b, panel, build_index(b, z->panel)), first);
    e.c_first = build_add(b, s->a_first, row);
    e.a_index = e.c_index = build_index(b, 0);
    for (int i = 0; i < along.lanes; i++) {
        const expr *at = build_mul(b, build_add(b, first, build_index(b, i)), width);
        e.results[stage][i] = build_load(b, z->slot_of_sums, LTYPE(p->stages[stage].result->type.elem, along.lanes),
                                         build_add(b, at, row), NULL);
    }
    turn_square(b, e.results[stage], along.lanes);
    for (int k = 0; k < p->n_stages; k++)
        if (k != stage)
            (p->stages[k].kind == STAGE_LET ? let_stage : store_stage)(&e, k);
    return STATUS_OK;
}

/* The sums of a panel in a block. Where results do not lie along the block's vectors, all are in memory before they go
 * to the other stages. */
static status emit_panel(tile_state *s, int stage, const expr *panel) {
    const sparse *z = s->t->p->stages[stage].sparse;
    const int64_t before = z->parts - !z->turns;
    if (before > 0)
        sum_parts(s, stage, panel, 0, 1, false);
    if (before > 1)
        sum_parts(s, stage, panel, 1, before - 1, true);
    if (!z->turns) {
        open_results(s, z, panel, build_index(s->t->p->b, z->parts - 1));
        s->sums = before > 0 ? s->sums : NULL;
        emit_block(s);
        close_results(s, z);
        return STATUS_OK;
    }
    const int lanes = s->t->lanes;
    const int64_t squares = tile_blocks(z->panel, lanes);
    const expr *row = build_mul(s->t->p->b, loop(s, "v", s->t->vectors), build_index(s->t->p->b, lanes));
    TRY(end_square(s, stage, panel, block_first(s, loop(s, "nb", squares), lanes, z->panel), row));
    end(s, squares);
    end(s, s->t->vectors);
    return STATUS_OK;
}

static status emit_copied(tile_state *s, int stage) {
    tile *t = s->t;
    plan *p = t->p;
    const sparse *z = p->stages[stage].sparse;
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != z->axis)
            bind(s, p->axes[i].var, loop(s, "i", p->axes[i].extent));
    open_a(s);
    TRY(emit_panel(s, stage, loop(s, "panel", z->blocks / z->panel)));
    end(s, z->blocks / z->panel);
    end(s, t->a_blocks);
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != z->axis)
            end(s, p->axes[i].extent);
    return STATUS_OK;
}

/* Iterations of the loops around a panel in a block. */
static int64_t around(const tile *t, const sparse *z) {
    int64_t n = z->blocks / z->panel * t->a_blocks;
    for (int i = 0; i < t->p->n_axes; i++)
        n *= i == t->a || i == z->axis ? 1 : t->p->axes[i].extent;
    return n;
}

status emit_tiles(plan *p, int axis, int lanes, const kernel_choice *given) {
    tile t;
    tile_state s;
    ltype index = LTYPE(DT_I64, 1);
    TRY(tile_choose(p, axis, lanes, given, &t));
    t.a_block = build_var(p->b, index, "a_block");
    t.c_block = build_var(p->b, index, "c_block");
    t.row = build_var(p->b, index, "row");
    t.lane = build_var(p->b, index, "lane");
    TRY(tile_pack(&t));
    TRY(plan_starts(p));
    TRY(plan_compact(p));
    int copied = -1;
    for (int k = 0; k < p->n_stages; k++) {
        const plan_stage *g = &p->stages[k];
        if (g->sparse == NULL)
            continue;
        TRY(sparse_slots(p, g, tile_width(&t), around(&t, g->sparse)));
        copied = g->sparse->way.copied ? k : copied;
    }
    TRY(new_state(&t, &s));
    if (copied >= 0)
        return emit_copied(&s, copied);
    if (t.panels)
        open_a(&s);
    for (int i = 0; i < p->n_axes; i++)
        if (i != t.a && i != t.c)
            bind(&s, p->axes[i].var, loop(&s, "i", p->axes[i].extent));
    if (!t.panels)
        open_a(&s);
    emit_block(&s);
    for (int i = 0; i < p->n_axes; i++)
        if (i != t.a && i != t.c)
            end(&s, p->axes[i].extent);
    end(&s, t.a_blocks);
    return STATUS_OK;
}
