/* Register tiles: every stage is computed for a block of vectors and rows at once. Any nest whose stores step along an
 * outer axis can be written so: contractions (whose loads the block shares), pooling, reductions over outer axes,
 * element-wise chains. */
#include "schedule/sparse.h"
#include "schedule/tile_block.h"

void block_bind(tile_state *s, const expr *from, const expr *to) {
    s->from[s->n] = from;
    s->to[s->n++] = to;
}

const expr *block_loop(tile_state *s, const char *name, int64_t extent) {
    return extent == 1 ? build_index(s->t->p->b, 0)
                       : build_for(s->t->p->b, name, build_index(s->t->p->b, extent), LOOP_SERIAL);
}

void block_end(tile_state *s, int64_t extent) {
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

const expr *block_at(tile_state *s, int stage, const expr *x, int v, int r, int lanes) {
    tile *t = s->t;
    plan *p = t->p;
    builder *b = p->b;
    int n = s->n;
    const expr *first = build_add(b, s->a_first, build_index(b, tile_vector_first(t, v)));
    const expr *lane = build_index(b, (int64_t)v * t->lanes);
    block_bind(s, p->axes[t->a].var, lanes == 1 ? first : build_ramp(b, first, 1, lanes));
    block_bind(s, t->lane, lanes == 1 ? lane : build_ramp(b, lane, 1, lanes));
    if (t->c >= 0)
        block_bind(s, p->axes[t->c].var, build_add(b, s->c_first, build_index(b, r)));
    block_bind(s, t->row, build_index(b, r));
    block_bind(s, t->a_block, s->a_index);
    block_bind(s, t->c_block, s->c_index);
    for (int k = 0; k < stage; k++)
        if (p->stages[k].kind != STAGE_STORE && (lanes > 1 || t->lanes == 1))
            block_bind(s, p->stages[k].result, s->results[k][r * t->vectors + v]);
    x = build_widen(b, x, s->from, s->to, s->n, lanes);
    s->n = n;
    return x->type.lanes == lanes ? x : build_broadcast(b, x, lanes);
}

const expr *block_lanes(builder *b, const expr *x, const expr *y, int first, int n) {
    uint8_t lanes[64];
    for (int i = 0; i < n; i++)
        lanes[i] = (uint8_t)(first + i);
    return build_shuffle(b, x, y, lanes, n);
}

static void open_stage(tile_state *s, const plan_stage *g) {
    for (int i = 0; i < g->n_axes; i++)
        block_bind(s, g->axes[i].var, block_loop(s, "k", g->axes[i].extent));
}

static void close_stage(tile_state *s, const plan_stage *g) {
    for (int i = 0; i < g->n_axes; i++)
        block_end(s, g->axes[i].extent);
    s->n -= g->n_axes;
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
            addresses[r * t->vectors + v] = block_at(s, stage, g->value->arg[0], v, r, 1);
    if (g->sparse->way.across)
        number = s->list != NULL ? s->list : block_at(s, stage, t->p->axes[g->sparse->axis].var, 0, 0, 1);
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
            const expr *x = block_at(s, stage, value, v, r, tile_lanes(t, v));
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
        x[k] = block_at(s, stage, g->value->arg[0], (first + k) % t->vectors, (first + k) / t->vectors, t->lanes);
    const expr *low = block_lanes(b, x[0], x[1], 0, 2 * t->lanes), *high = block_lanes(b, x[2], x[3], 0, 2 * t->lanes);
    const expr *all = block_lanes(b, low, high, 0, PACKED * t->lanes);
    dtype to = g->value->type.elem;
    all = build_let(b, "bytes", g->value->kind == EXPR_CAST ? build_cast(b, to, all) : build_saturate(b, to, all));
    for (int k = 0, n; k < PACKED; k += n) {
        n = run_of(t, first + k, k);
        const expr *at = block_at(s, stage, g->address, (first + k) % t->vectors, (first + k) / t->vectors, 1);
        build_store(b, g->slot, at, block_lanes(b, all, all, k * t->lanes, n * t->lanes), NULL);
    }
}

static void store_point(tile_state *s, int stage, int64_t step, int v, int r) {
    tile *t = s->t;
    const plan_stage *g = &t->p->stages[stage];
    const expr *address = block_at(s, stage, g->address, v, r, 1);
    int lanes = tile_lanes(t, v);
    if (step != 1 && lanes > 1)
        address = build_ramp(t->p->b, address, step, lanes);
    build_store(t->p->b, g->slot, address, block_at(s, stage, g->value, v, r, lanes), NULL);
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
    s->a_index = block_loop(s, "ab", t->a_blocks);
    s->a_first = block_first(s, s->a_index, tile_width(t), tile_extent(t->p, t->a));
}

static void emit_block(tile_state *s) {
    tile *t = s->t;
    plan *p = t->p;
    s->c_index = block_loop(s, "cb", t->c_blocks);
    s->c_first = block_first(s, s->c_index, t->rows, tile_extent(p, t->c));
    for (int k = 0, n; k < p->n_stages; k += n) {
        n = p->stages[k].kind == STAGE_REDUCE ? tile_team(p, k) : 1;
        if (p->stages[k].sparse != NULL)
            sparse_stage(s, k);
        else if (p->stages[k].kind == STAGE_REDUCE)
            block_reduce(s, k, n);
        else if (p->stages[k].kind == STAGE_LET)
            let_stage(s, k);
        else
            store_stage(s, k);
    }
    block_end(s, t->c_blocks);
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
    const expr *in_panel = block_loop(s, "n", z->panel), *size = build_index(b, z->panel);
    block_bind(s, s->t->p->axes[z->axis].var, build_add(b, build_mul(b, panel, size), in_panel));
    s->list = build_add(b, build_mul(b, panel, build_index(b, z->parts)), part);
    s->list = build_add(b, build_mul(b, s->list, size), in_panel);
    s->sums = build_mul(b, in_panel, build_index(b, tile_width(s->t)));
}

static void close_results(tile_state *s, const sparse *z) {
    block_end(s, z->panel);
    s->n--;
}

/* Sums of these parts, which are added to what stands there where `begun`. */
static void sum_parts(tile_state *s, int stage, const expr *panel, int64_t first, int64_t n, bool begun) {
    const plan_stage *g = &s->t->p->stages[stage];
    builder *b = s->t->p->b;
    const expr *part = build_add(b, block_loop(s, "part", n), build_index(b, first));
    open_results(s, g->sparse, panel, part);
    const expr *sums = s->sums;
    s->sums = begun ? sums : NULL;
    sparse_stage(s, stage);
    s->sums = sums;
    for (int i = 0; i < s->t->vectors; i++)
        build_store(b, g->sparse->slot_of_sums, place_of_sum(s, i), s->results[stage][i], NULL);
    close_results(s, g->sparse);
    block_end(s, n);
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
    const expr *row = build_mul(s->t->p->b, block_loop(s, "v", s->t->vectors), build_index(s->t->p->b, lanes));
    TRY(end_square(s, stage, panel, block_first(s, block_loop(s, "nb", squares), lanes, z->panel), row));
    block_end(s, squares);
    block_end(s, s->t->vectors);
    return STATUS_OK;
}

static status emit_copied(tile_state *s, int stage) {
    tile *t = s->t;
    plan *p = t->p;
    const sparse *z = p->stages[stage].sparse;
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != z->axis)
            block_bind(s, p->axes[i].var, block_loop(s, "i", p->axes[i].extent));
    open_a(s);
    TRY(emit_panel(s, stage, block_loop(s, "panel", z->blocks / z->panel)));
    block_end(s, z->blocks / z->panel);
    block_end(s, t->a_blocks);
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != z->axis)
            block_end(s, p->axes[i].extent);
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
            block_bind(&s, p->axes[i].var, block_loop(&s, "i", p->axes[i].extent));
    if (!t.panels)
        open_a(&s);
    emit_block(&s);
    for (int i = 0; i < p->n_axes; i++)
        if (i != t.a && i != t.c)
            block_end(&s, p->axes[i].extent);
    block_end(&s, t.a_blocks);
    return STATUS_OK;
}
