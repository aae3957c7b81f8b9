/* Reductions of a register tile: an accumulator for each point of the block, or chains of PAIRS in 16 bits before it.
 */
#include "schedule/tile_block.h"

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
    const expr *at = block_at(s, stage, load->arg[0], v, r, 1);
    const expr *x = build_load(b, load->ref, LTYPE(load->type.elem, each), at, NULL);
    if (each == 2 && dtype_bits(load->type.elem) == 8)
        x = build_cast(b, DT_I16, x);
    return lanes == each ? x : build_shuffle(b, x, x, order, lanes);
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
            build_load(b, g->flips->ref, LTYPE(DT_U8, lanes), block_at(s, stage, g->flips->arg[0], v, r, 1), NULL);
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
    const expr *at = block_at(s, stage, weights->arg[0], vector, r, 1);
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
                                  : plan_combine(b, g->op, sum, block_at(s, stage, g->value, v, r, x.type.lanes)));
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
        const expr *step = unrolled ? build_index(s->t->p->b, k) : block_loop(s, "k", x->extent);
        for (int i = 0; i < m->n; i++)
            block_bind(s, g[i].axes[axis].var, step);
        reduce_axes(s, m, axis + 1);
        s->n -= m->n;
    }
    if (!unrolled)
        block_end(s, x->extent);
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
    block_bind(s, g->axes[0].var, build_add(b, block_loop(s, "k", n), first));
    if (m->rows >= 0)
        add_to_rows(s, m->first, rows);
    add_to_chain(s, m->first, &chain);
    s->n--;
    block_end(s, n);
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
        reduce_chain(s, m, build_mul(b, block_loop(s, "chain", whole), build_index(b, length)), length);
        block_end(s, whole);
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
        block_bind(s, g->axes[0].var, build_add(b, block_loop(s, "k", n), build_index(b, first)));
        reduce_points(s, m->first, m->acc);
        s->n--;
        block_end(s, n);
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
                      g->start != NULL && !g->scales ? block_at(s, stage, g->start, v, r, x.type.lanes)
                                                     : plan_neutral(t->p->b, g->op, x.type));
        }
}

/* What packed weights have made too large; only then is added what other sums begin with. */
static const expr *scaled_back(tile_state *s, int stage, const expr *sum, int v, int r) {
    const plan_stage *g = &s->t->p->stages[stage];
    builder *b = s->t->p->b;
    sum = codes_divide(b, g, sum);
    return g->start != NULL ? build_add(b, sum, block_at(s, stage, g->start, v, r, sum->type.lanes)) : sum;
}

/* A row's data are the same in all lanes. */
static const expr *with_row(const tile_state *s, const team *m, const expr *sum, int r) {
    builder *b = s->t->p->b;
    point x = row_of(s, m->rows, DT_I32, r);
    const expr *row = sum_at(b, &x);
    return build_add(b, sum, sum->type.lanes == x.type.lanes ? row : block_lanes(b, row, row, 0, sum->type.lanes));
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

void block_reduce(tile_state *s, int first, int n) {
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
