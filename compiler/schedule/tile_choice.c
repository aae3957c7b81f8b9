/* Which block of accumulators: axis, rows and vectors. */
#include "schedule/tiles.h"

#define MAX_ROWS 14
#define MAX_VECTORS 8

static int64_t extent_of(const plan *p, int axis) {
    return axis < 0 ? 1 : p->axes[axis].extent;
}

int64_t tile_a_first(const tile *t, int64_t i) {
    int64_t size = (int64_t)t->lanes * t->vectors, extent = extent_of(t->p, t->a), last = extent - size;
    return last <= 0 ? 0 : i * size < last ? i * size : last;
}

int64_t tile_c_first(const tile *t, int64_t i) {
    int64_t last = extent_of(t->p, t->c) - t->rows;
    return i * t->rows < last ? i * t->rows : last;
}

int64_t tile_vector_first(const tile *t, int v) {
    int64_t last = extent_of(t->p, t->a) - t->lanes, first = (int64_t)v * t->lanes;
    return first < last ? first : last;
}

/* Loads in the reductions, by the axes that they step along. */
typedef struct load_count {
    int along_a, along_c, along_both;
} load_count;

static status count_loads(const plan *p, const load_list *loads, int a, int c, load_count *out) {
    *out = (load_count){0};
    for (size_t i = 0; i < loads->at.n; i++) {
        const expr *x = loads->at.at[i];
        bool on_a = expr_uses(x, p->axes[a].var), on_c = c >= 0 && expr_uses(x, p->axes[c].var);
        out->along_both += on_a && on_c;
        out->along_a += on_a && !on_c;
        out->along_c += !on_a && on_c;
    }
    return STATUS_OK;
}

static int64_t blocks_of(int64_t extent, int64_t size) {
    return (extent + size - 1) / size;
}

/* Half cycles per step of the reduction, with two loads and two operations a cycle and a latency of four cycles. */
static int64_t step_cost(const load_count *n, int rows, int vectors) {
    int64_t operations = (int64_t)rows * vectors;
    int64_t loads =
        (int64_t)n->along_a * vectors + (int64_t)n->along_c * rows + (int64_t)n->along_both * rows * vectors;
    int64_t most = operations > loads ? operations : loads;
    return most > 8 ? most : 8;
}

static bool has_reduction(const plan *p) {
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].kind == STAGE_REDUCE)
            return true;
    return false;
}

/* Does a register block pay off: does some load not step along c? */
static bool shares_loads(const load_count *n) {
    return n->along_a > 0;
}

static int64_t tile_cost(const tile *t, const load_count *n, int64_t depth) {
    int64_t others = 1;
    for (int i = 0; i < t->p->n_axes; i++)
        others *= i == t->a || i == t->c ? 1 : t->p->axes[i].extent;
    int64_t blocks = others * blocks_of(extent_of(t->p, t->a), (int64_t)t->lanes * t->vectors) *
                     blocks_of(extent_of(t->p, t->c), t->rows);
    return blocks * (depth * step_cost(n, t->rows, t->vectors) + 6 * (int64_t)t->rows * t->vectors + 16);
}

/* Vectors for a chain of element-wise work: enough to overlap latencies, few enough to stay short; one where the work
 * keeps values of its own in registers. */
static void choose_map(tile *t) {
    int64_t vectors = blocks_of(extent_of(t->p, t->a), t->lanes);
    t->vectors = vectors >= 2 && t->p->stages[0].kind != STAGE_LET ? 2 : 1;
}

static void choose_block(tile *t, const load_count *n, int64_t depth, int64_t *best, tile *out) {
    int registers = t->p->options->target->vector_registers;
    if (registers == 0)
        registers = 16;
    int64_t most_vectors = blocks_of(extent_of(t->p, t->a), t->lanes), most_rows = extent_of(t->p, t->c);
    for (t->vectors = 1; t->vectors <= MAX_VECTORS && t->vectors <= most_vectors; t->vectors++)
        for (t->rows = 1; t->rows <= MAX_ROWS && t->rows <= most_rows; t->rows++) {
            if (t->rows * t->vectors + t->vectors + 1 > registers)
                continue;
            int64_t cost = tile_cost(t, n, depth);
            if (*best >= 0 && cost >= *best)
                continue;
            *best = cost;
            *out = *t;
        }
}

status tile_choose(plan *p, int a, int lanes, tile *out) {
    tile t = {.p = p, .a = a, .c = -1, .lanes = lanes, .vectors = 1, .rows = 1};
    int64_t depth = 0, best = -1;
    for (int s = 0; s < p->n_stages; s++) {
        int64_t n = 1;
        for (int i = 0; i < p->stages[s].n_axes; i++)
            n *= p->stages[s].axes[i].extent;
        depth += n;
    }
    load_list loads;
    TRY(plan_loads(p, &loads));
    *out = t;
    if (!has_reduction(p)) {
        choose_map(out);
    } else {
        load_count n;
        TRY(count_loads(p, &loads, a, -1, &n));
        choose_block(&t, &n, depth, &best, out);
        for (t.c = 0; t.c < p->n_axes; t.c++) {
            if (t.c == a)
                continue;
            TRY(count_loads(p, &loads, a, t.c, &n));
            if (shares_loads(&n))
                choose_block(&t, &n, depth, &best, out);
        }
    }
    out->a_blocks = blocks_of(extent_of(p, a), (int64_t)lanes * out->vectors);
    out->c_blocks = blocks_of(extent_of(p, out->c), out->rows);
    return STATUS_OK;
}
