/* Which block of accumulators: axes, rows and vectors. */
#include "schedule/tiles.h"

int tile_lanes(const tile *t, int v) {
    return v == t->vectors - 1 ? t->tail : t->lanes;
}

int64_t tile_width(const tile *t) {
    return (int64_t)t->lanes * (t->vectors - 1) + t->tail;
}

int64_t tile_a_first(const tile *t, int64_t i) {
    int64_t size = tile_width(t), extent = tile_extent(t->p, t->a), last = extent - size;
    return last <= 0 ? 0 : i * size < last ? i * size : last;
}

int64_t tile_c_first(const tile *t, int64_t i) {
    int64_t last = tile_extent(t->p, t->c) - t->rows;
    return i * t->rows < last ? i * t->rows : last;
}

int64_t tile_vector_first(const tile *t, int v) {
    int64_t last = tile_extent(t->p, t->a) - tile_lanes(t, v), first = (int64_t)v * t->lanes;
    return first < last ? first : last;
}

int64_t tile_lane_first(const tile *t, int64_t lane) {
    return tile_vector_first(t, (int)(lane / t->lanes)) + lane % t->lanes;
}

bool tile_reduces(const plan *p) {
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].kind == STAGE_REDUCE)
            return true;
    return false;
}

/* Vectors for a chain of element-wise work: enough to overlap latencies, few enough to stay short; one where the work
 * keeps values of its own in registers; as many as bytes fill a register where it ends in those. */
static void choose_map(tile *t) {
    int64_t vectors = tile_blocks(tile_extent(t->p, t->a), t->lanes);
    bool fills = vectors % TILE_PACKED == 0 || vectors >= 2 * TILE_PACKED;
    t->vectors = t->p->stages[0].kind == STAGE_LET || vectors < 2 ? 1
                 : fills && tile_narrows(t->p, &t->p->stages[0])  ? TILE_PACKED
                                                                  : 2;
}

/* Are there sums of products by fours or twos? */
static bool has_dots(const plan *p) {
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].each > 0)
            return true;
    return false;
}

/* Does a reduction go by fours of bytes that take several operations? */
static bool parts_dots(const plan *p, bool *out_pairs) {
    bool any = false;
    *out_pairs = true;
    for (int s = 0; s < p->n_stages; s++) {
        any |= p->stages[s].each == 4;
        *out_pairs &= p->stages[s].each != 4 || p->stages[s].pairs != NULL;
    }
    return any && p->options->target->dot4 > 1;
}

static bool steps_alike(const plan_stage *x, const plan_stage *y) {
    bool alike = x->n_axes == y->n_axes && x->each == y->each && x->steps == NULL && y->steps == NULL;
    for (int i = 0; alike && i < x->n_axes; i++)
        alike = x->axes[i].extent == y->axes[i].extent;
    return alike;
}

int tile_team(const plan *p, int stage) {
    const plan_stage *first = &p->stages[stage];
    int n = 1;
    for (; stage + n < p->n_stages; n++) {
        const plan_stage *next = first + n;
        bool joins = next->kind == STAGE_REDUCE && steps_alike(first, next);
        for (int i = 0; joins && i < n; i++)
            joins = !expr_uses(next->value, first[i].result);
        if (!joins)
            break;
    }
    return n;
}

/* The largest number of reductions that go side by side. */
static int largest_team(const plan *p) {
    int most = 1;
    for (int s = 0, n; s < p->n_stages; s += n) {
        n = p->stages[s].kind == STAGE_REDUCE ? tile_team(p, s) : 1;
        most = n > most ? n : most;
    }
    return most;
}

/* Accumulators, what is broadcast, and the vectors that several rows share; a single row multiplies by what it reads
 * from memory. By PAIRS, ones, and what is on its way to the sum. */
int tile_registers_for(const tile *t, bool by_pairs) {
    bool can_pair;
    int shared = t->rows > 1 ? t->vectors : 1;
    int parting = !parts_dots(t->p, &can_pair) ? 0 : by_pairs && can_pair ? 2 : t->vectors + 2;
    return t->rows * t->vectors * largest_team(t->p) + shared + 1 + parting;
}

static void choose_rows(tile *t, const tile_loads *loads, double *best, tile *out) {
    int64_t most = tile_extent(t->p, t->c) * tile_extent(t->p, t->d);
    for (t->rows = 1; t->rows <= TILE_MOST_ROWS && t->rows <= most; t->rows++) {
        if (tile_registers_for(t, true) > tile_registers(t->p))
            break;
        double cost = tile_cost(t, loads);
        if (t->p->candidates != NULL)
            tuning_note(t, cost);
        if (cost >= *best)
            continue;
        *best = cost;
        *out = *t;
    }
}

#define LEAST_DOTS 4 /* lanes of the smallest register */

static void choose_block(tile *t, const tile_loads *loads, double *best, tile *out) {
    int64_t extent = tile_extent(t->p, t->a), most = tile_blocks(extent, t->lanes);
    /* Below, half a vector costs what a whole one does. */
    bool halves = t->p->options->target->vector_bytes >= 64 && extent % t->lanes != 0;
    int least = has_dots(t->p) ? LEAST_DOTS : 2;
    for (t->vectors = 1; t->vectors <= TILE_MOST_VECTORS && t->vectors <= most; t->vectors++) {
        t->tail = t->lanes;
        choose_rows(t, loads, best, out);
        t->tail = t->lanes / 2;
        if (halves && t->tail >= least && t->vectors > 1)
            choose_rows(t, loads, best, out);
    }
}

/* May rows run over axes d and c as one, whose addresses then are affine in neither? Only where nothing that steps
 * along them is packed. */
static bool runs_on(const tile *t, const tile_loads *loads) {
    bool apart = false;
    for (size_t i = 0; i < loads->at.n; i++) {
        const access *x = &loads->at.at[i].x;
        if (!x->affine)
            return false;
        if (x->step[t->c] == 0 && x->step[t->d] == 0)
            continue;
        if (loads->at.at[i].is_constant || (x->step[t->a] != 0 && x->step[t->a] != 1))
            return false;
        apart = true;
    }
    return apart && t->p->contract;
}

/* Axes c and d of the plan become one. */
static status run_on(tile *t) {
    plan *p = t->p;
    builder *b = p->b;
    if (t->d < 0)
        return STATUS_OK;
    nest_axis *outer = &p->axes[t->d], *inner = &p->axes[t->c];
    const expr *both = build_var(b, LTYPE(DT_I64, 1), "i"), *extent = build_index(b, inner->extent);
    const expr *from[2] = {outer->var, inner->var}, *to[2] = {build_div(b, both, extent), build_rem(b, both, extent)};
    plan_substitute(p, from, to, 2);
    *inner = (nest_axis){both, outer->extent * inner->extent};
    for (int i = t->d; i + 1 < p->n_axes; i++)
        p->axes[i] = p->axes[i + 1];
    p->n_axes--;
    t->a -= t->a > t->d;
    t->c -= t->c > t->d;
    t->d = -1;
    return builder_status(b);
}

/* The best block, before the plan's axes are merged for it. */
static status best_block(plan *p, int a, int lanes, const tile_loads *loads, tile *out, double *cost) {
    tile t = {.p = p, .a = a, .c = -1, .d = -1, .lanes = lanes, .tail = lanes, .vectors = 1, .rows = 1};
    *cost = __builtin_inf();
    TRY_ALLOC(t.unrolled = ARENA_NEW_N(p->memory, int, p->n_stages + 1));
    choose_block(&t, loads, cost, out);
    for (t.c = p->n_axes - 1; t.c >= 0; t.c--) { /* of equals the innermost */
        if (t.c == a)
            continue;
        t.d = -1;
        choose_block(&t, loads, cost, out);
        for (t.d = 0; t.d < p->n_axes; t.d++)
            if (t.d != a && t.d != t.c && runs_on(&t, loads))
                choose_block(&t, loads, cost, out);
    }
    return STATUS_OK;
}

status tile_cost_along(plan *p, int a, int lanes, double *out) {
    tile t;
    tile_loads loads;
    size_t before = p->candidates != NULL ? p->candidates->at.n : 0;
    TRY(tile_loads_of(p, &loads));
    TRY(best_block(p, a, lanes, &loads, &t, out));
    double moves = tile_moves(&t, &loads);
    for (size_t i = before; p->candidates != NULL && i < p->candidates->at.n; i++)
        p->candidates->at.at[i].cost += moves;
    *out += moves;
    return STATUS_OK;
}

/* Is a load made lane by lane? Then blocks along a are the outermost loop: what a block reads are as many streams as it
 * has lanes, which the nearest cache holds; all of the axis, at one distance, would push itself out of it. */
static status gathers(const tile *t, bool *out) {
    expr_list loads;
    *out = false;
    TRY(plan_loads(t->p, &loads));
    for (size_t i = 0; i < loads.at.n; i++) {
        access x = plan_access(t->p, loads.at.at[i]);
        *out |= x.affine && x.step[t->a] != 0 && x.step[t->a] != 1;
    }
    return STATUS_OK;
}

/* The block that costs least, or the one that is given. */
static status block_of(plan *p, const kernel_choice *given, const tile_loads *loads, tile *out) {
    double cost;
    if (given == NULL)
        return best_block(p, out->a, out->lanes, loads, out, &cost);
    TRY_ALLOC(out->unrolled = ARENA_NEW_N(p->memory, int, p->n_stages + 1));
    tuning_apply(given, out);
    return STATUS_OK;
}

status tile_choose(plan *p, int a, int lanes, const kernel_choice *given, tile *out) {
    tile_loads loads;
    *out = (tile){.p = p, .a = a, .c = -1, .d = -1, .lanes = lanes, .tail = lanes, .vectors = 1, .rows = 1};
    if (!tile_reduces(p)) {
        choose_map(out);
    } else {
        TRY(tile_loads_of(p, &loads));
        TRY(block_of(p, given, &loads, out));
        p->chosen = tuning_choice(out);
        TRY_ALLOC(out->ways = ARENA_NEW_N(p->memory, dot_way, p->n_stages + 1));
        for (int s = 0; s < p->n_stages; s++) {
            out->unrolled[s] = tile_unrolled(out, &loads, s);
            out->ways[s] = tile_way(out, &loads, s);
        }
        TRY(run_on(out));
        TRY(tile_loads_of(p, &loads));
    }
    out->a_blocks = tile_blocks(tile_extent(p, out->a), tile_width(out));
    out->c_blocks = tile_blocks(tile_extent(p, out->c), out->rows);
    if (tile_reduces(p)) {
        out->panels = given != NULL && given->panels >= 0 ? given->panels : tile_panels(out, &loads);
        p->chosen.panels = out->a_blocks > 1 ? out->panels : -1;
    } else {
        TRY(gathers(out, &out->panels));
    }
    return builder_status(p->b);
}
