/* Sums of products by constants most of which are zero: which, what they cost, and their statements. */
#include "schedule/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "schedule/tiles.h"

/* In a hundred: with more that are not zero weights are not worth a look. */
#define MOST_FULL 70
/* Half cycles, as in tile_cost.c: of a vector in a step (a product, and half of the permutation, which other units do),
 * of a step besides, of a row's store, of a block; and until a sum can be added to again. */
#define PERMUTED 1.8
#define PERMUTED_WHOLE 1.5
#define PERMUTED_TWICE 3.2
#define PERMUTED_TWICE_WHOLE 3.0
#define STEP 1.0
#define STORE 6
#define BLOCK 40
#define LATENCY 10
/* Loads' worth of a vector that lies anywhere: nearly always in two lines where it is as long as one. */
#define PLACE 0.5
#define FAR 2.3 /* that lies beyond the first cache */
#define CACHE_LINE 64
#define APART 1.5
#define APART_WHOLE 1.75
#define APART_TWICE 1.4 /* of each vector of a window of two */
#define APART_TWICE_WHOLE 1.35
/* Of a copy: an element that lies next to its neighbour already, or that is turned with others; loads' worth of a
 * weight with its place, and of a vector beyond the first cache, of which so much is for the data; a list; a sum that
 * is stored and loaded. */
#define COPY 2.5
#define TURN 2.5
#define WEIGHT 1.2
#define SECOND 1.6
#define HELD 0.8
#define LIST 16
#define SUM 1.5
#define PANEL 128 /* results, at most */

/* ---- which ---- */

static const expr *without_cast(const expr *x) {
    return x->kind == EXPR_CAST ? x->arg[0] : x;
}

static bool is_sum_of_products(const plan_stage *g) {
    const expr *v = g->value;
    if (g->kind != STAGE_REDUCE || g->op != REDUCE_SUM || g->n_axes == 0 || v->kind != EXPR_MUL ||
        dtype_bits(v->type.elem) != 32)
        return false;
    const expr *x = without_cast(v->arg[0]), *y = without_cast(v->arg[1]);
    return x->kind == EXPR_LOAD && y->kind == EXPR_LOAD;
}

/* The one stage that sums, where no other has axes of its own. */
static int only_sum(const plan *p) {
    int found = -1;
    for (int s = 0; s < p->n_stages; s++) {
        if (p->stages[s].n_axes == 0 && p->stages[s].kind != STAGE_REDUCE)
            continue;
        if (found >= 0 || !is_sum_of_products(&p->stages[s]))
            return -1;
        found = s;
    }
    return found;
}

int64_t schedule_not_zero(dtype elem, const void *data, int64_t n, int64_t most) {
    int64_t full = 0;
    for (int64_t i = 0; i < n && full <= most; i++)
        full += dtype_get_double(elem, data, (size_t)i) != 0;
    return full;
}

bool schedule_is_sparse(dtype elem, const void *data, int64_t n, int percent) {
    int64_t most = n / 100 * percent;
    return schedule_not_zero(elem, data, n, most) <= most;
}

static bool is_mostly_zero(const plan *p, int slot) {
    const schedule_buffer *b = plan_slot_buffer(p, slot);
    return schedule_is_sparse(b->elem, plan_constant(p, slot), b->n, MOST_FULL);
}

static int by_place(const void *x, const void *y) {
    int64_t a = ((const sparse_tap *)x)->place, b = ((const sparse_tap *)y)->place;
    return a < b ? -1 : a > b;
}

/* All products of one result, in the reduction's order and by the place of the data. */
static status list_taps(const plan *p, int stage, const access *data, const access *weights, sparse *out) {
    const plan_stage *g = &p->stages[stage];
    int first = plan_first_axis(p, stage);
    int64_t n = plan_steps(g);
    sparse_tap *taps = ARENA_NEW_N(p->memory, sparse_tap, n + 1), *counted = ARENA_NEW_N(p->memory, sparse_tap, n + 1);
    TRY_ALLOC(taps);
    TRY_ALLOC(counted);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i;
        taps[i].weight = weights->first;
        for (int k = g->n_axes - 1; k >= 0; k--) {
            int64_t at = rest % g->axes[k].extent;
            taps[i].place += at * data->step[first + k];
            taps[i].weight += at * weights->step[first + k];
            rest /= g->axes[k].extent;
        }
        counted[i] = (sparse_tap){i, taps[i].weight};
    }
    qsort(taps, (size_t)n, sizeof *taps, by_place);
    out->taps = taps;
    out->counted = counted;
    out->n_taps = n;
    return STATUS_OK;
}

/* Is there a window, and do places and steps fit their integers? */
static bool fits(const sparse *s) {
    if (s->n_taps == 0)
        return false;
    int64_t first = s->taps[0].place, last = s->taps[s->n_taps - 1].place;
    return last <= INT32_MAX && first >= INT32_MIN && s->n_taps <= INT32_MAX / (s->extent + SPARSE_MOST_LANES);
}

/* Do the weights step along the axis, which the data do not, and along no other outer one? */
static bool is_along(const plan *p, int axis, const access *data, const access *weights) {
    bool along = data->affine && weights->affine && data->step[axis] == 0 && weights->step[axis] != 0 &&
                 plan_stores_along(p, p->axes[axis].var);
    for (int i = 0; along && i < p->n_axes; i++)
        along = i == axis || weights->step[i] == 0;
    return along;
}

status sparse_read(plan *p, int axis, sparse **out, int *out_stage) {
    int stage = *out_stage = only_sum(p);
    *out = NULL;
    if (stage < 0 || !p->contract)
        return STATUS_OK;
    const expr *x = without_cast(p->stages[stage].value->arg[0]), *y = without_cast(p->stages[stage].value->arg[1]);
    bool swapped = plan_is_constant(p, x->ref);
    sparse found = {.data = swapped ? y : x, .weights = swapped ? x : y, .axis = axis};
    access data = plan_access(p, found.data), weights = plan_access(p, found.weights);
    if (plan_is_constant(p, found.data->ref) || !plan_is_constant(p, found.weights->ref) ||
        !is_along(p, axis, &data, &weights) || !is_mostly_zero(p, found.weights->ref))
        return STATUS_OK;
    found.extent = p->axes[axis].extent;
    found.column_step = weights.step[axis];
    found.elem = found.weights->type.elem;
    found.parts = 1;
    found.room = 1;
    TRY(list_taps(p, stage, &data, &weights, &found));
    if (!fits(&found))
        return STATUS_OK;
    TRY_ALLOC(*out = ARENA_NEW(p->memory, sparse));
    **out = found;
    return STATUS_OK;
}

/* ---- what it costs ---- */

/* Of a lane in a group. */
static int bytes_of_numbers(const sparse *s) {
    return s->group * s->number_bits > 16 ? 4 : 2;
}

double sparse_bytes(const sparse *s) {
    double numbers = s->lanes > 1 ? (double)bytes_of_numbers(s) / s->group : 0;
    return (double)s->steps * (s->lanes * (dtype_bits(s->elem) / 8.0 + numbers) + 2.0 / s->way.shared);
}

/* Half cycles of a step for so many vectors of the data. `far`: the constants lie beyond the first cache. */
static double step_cost(const sparse *s, int points, int lanes, bool far) {
    static const double aparts[2][2] = {{APART, 2 * APART_TWICE}, {APART_WHOLE, 2 * APART_TWICE_WHOLE}},
                        permutations[2][2] = {{PERMUTED, PERMUTED_TWICE}, {PERMUTED_WHOLE, PERMUTED_TWICE_WHOLE}};
    bool permutes = s->lanes > 1, whole = lanes * 4 == CACHE_LINE;
    double apart = lanes == 1 ? 1 : aparts[whole][s->way.vectors - 1];
    double permuted = permutations[whole][s->way.vectors - 1];
    double loads = points * (s->way.shared > 1 ? 1.0 / s->way.shared : apart) + 1;
    loads += (permutes ? 1.0 / s->group : 0) + PLACE / s->way.shared;
    double most = permutes ? permuted * points + STEP : points, latency = (double)LATENCY / (s->way.chains * points);
    double streamed = far ? FAR * sparse_bytes(s) / (double)s->steps / (4 * s->lanes) : 0;
    most = most > loads ? most : loads;
    most = most > streamed ? most : streamed;
    return (most > latency ? most : latency) + loads / 8;
}

static double cost_of(const plan *p, const sparse *s, const kernel_choice *c) {
    double outer = 1, stores = 0;
    int points = c->rows * c->vectors;
    for (int i = 0; i < p->n_axes; i++)
        outer *= i == s->axis || i == c->along || i == c->rows_along ? 1 : (double)p->axes[i].extent;
    outer *= (double)tile_blocks(tile_extent(p, c->rows_along), c->rows);
    outer *= s->way.across ? (double)tile_blocks(tile_extent(p, c->along), (int64_t)c->lanes * c->vectors) : 1;
    for (int i = 0; i < p->n_stages; i++)
        stores += p->stages[i].kind == STAGE_STORE ? STORE : 0;
    double bytes = sparse_bytes(s) / (outer > 1 ? (double)s->blocks : 1);
    bool far = p->options->target->l1_bytes > 0 && bytes > p->options->target->l1_bytes / 2;
    return outer *
           ((double)s->steps * step_cost(s, points, c->lanes, far) + (double)s->blocks * (BLOCK + stores * points));
}

/* Blocks of the results as the outermost loop: where the weights would be read more often otherwise than the data. */
static bool is_by_panels(const plan *p, const sparse *s, const kernel_choice *c) {
    double around = 1;
    for (int i = 0; i < p->n_axes; i++)
        around *= i == s->axis || i == c->along || i == c->rows_along ? 1 : (double)p->axes[i].extent;
    double data = (double)plan_slot_buffer(p, s->data->ref)->n * dtype_bits(s->data->type.elem) / 8;
    return !s->way.across && sparse_bytes(s) * (around - 1) > data * (double)(s->blocks - 1);
}

/* Sums, a window for each row where it is kept, and what passes through. */
static int registers_for(const sparse *s, int points) {
    return points * s->way.chains + (s->way.shared > 1 ? points : 1) + 1 + s->way.vectors;
}

typedef struct search {
    const plan *p;
    const sparse *s;
    access data;
    double best;
    kernel_choice *out;
    int parts; /* of the best */
    bool turns;
} search;

static void try_rows(search *x, kernel_choice c) {
    for (c.rows_along = -1; c.rows_along < x->p->n_axes; c.rows_along++) {
        if (c.rows_along == x->s->axis || c.rows_along == c.along ||
            (c.rows_along >= 0 && x->data.step[c.rows_along] == 0))
            continue;
        int64_t most = tile_extent(x->p, c.rows_along);
        for (c.rows = 1; c.rows <= TILE_MOST_ROWS && c.rows <= most; c.rows++) {
            int points = c.rows * c.vectors;
            double cost = cost_of(x->p, x->s, &c);
            if (points > SPARSE_MOST_POINTS || registers_for(x->s, points) > tile_registers(x->p) || cost >= x->best)
                continue;
            x->best = cost;
            c.panels = is_by_panels(x->p, x->s, &c);
            *x->out = c;
            x->parts = 1;
        }
    }
}

/* Does the nest store its results one after another along the axis, and read the data so? */
static bool runs_along(const search *x, int axis) {
    const plan *p = x->p;
    bool runs = axis != x->s->axis && x->data.step[axis] == 1;
    for (int i = 0; runs && i < p->n_stages; i++) {
        int64_t step = 0;
        if (p->stages[i].kind == STAGE_STORE)
            runs = plan_step(p, p->stages[i].address, p->axes[axis].var, &step) && step == 1;
    }
    return runs;
}

static void try_across(search *x) {
    const plan *p = x->p;
    for (int i = 0; i < p->n_axes; i++) {
        int64_t extent = p->axes[i].extent;
        for (int lanes = target_lanes(p->options->target, 32); lanes > 1 && runs_along(x, i); lanes /= 2)
            for (int v = 1; v <= TILE_MOST_VECTORS && lanes <= extent && v <= tile_blocks(extent, lanes); v++)
                try_rows(x, (kernel_choice){.along = i, .runs_on = -1, .lanes = lanes, .vectors = v, .tail = lanes});
    }
}

/* ---- across a copy ---- */

/* Results that go through their lists together: as many as divide all. */
static int64_t panel_of(int64_t extent) {
    int64_t n = PANEL;
    while (extent % n != 0)
        n--;
    return n >= PANEL / 8 ? n : extent;
}

/* Is a copy for vectors along the axis no larger than the data, with a row for each step of the reduction? */
static bool can_copy(const search *x, int axis) {
    const plan *p = x->p;
    nest_axis axes[PLAN_MAX_AXES];
    int n = plan_all_axes(p, axes);
    int64_t total = 1;
    for (int i = 0; i < n; i++) {
        if (x->data.step[i] == 0 && i >= p->n_axes)
            return false;
        total *= x->data.step[i] != 0 ? axes[i].extent : 1;
    }
    return axis != x->s->axis && x->data.step[axis] != 0 && plan_stores_along(p, p->axes[axis].var) &&
           !p->written.at[x->s->data->ref] && total <= plan_slot_buffer(p, x->s->data->ref)->n;
}

static bool steps_by_one(const plan *p, const plan_stage *store, int axis) {
    int64_t step = 0;
    return plan_step(p, store->address, p->axes[axis].var, &step) && step == 1;
}

/* Do all results lie along the axis of the weights, for whole vectors of it? */
static bool turns(const search *x, int along) {
    const plan *p = x->p;
    bool all = panel_of(x->s->extent) >= target_lanes(p->options->target, 32);
    for (int i = 0; all && i < p->n_stages; i++)
        all = p->stages[i].kind != STAGE_STORE ||
              (steps_by_one(p, &p->stages[i], x->s->axis) && !steps_by_one(p, &p->stages[i], along));
    return all;
}

/* Half cycles for what is copied, and loaded and stored lane by lane. */
static status moved(const search *x, int axis, double *out) {
    const plan *p = x->p;
    const schedule_buffer *data = plan_slot_buffer(p, x->s->data->ref);
    double points = 1;
    expr_list loads;
    TRY(plan_loads(p, &loads));
    for (int i = 0; i < p->n_axes; i++)
        points *= (double)p->axes[i].extent;
    *out = (double)data->n * (x->data.step[axis] == 1 ? COPY : TURN);
    for (size_t i = 0; i < loads.at.n; i++) {
        access l = plan_access(p, loads.at.at[i]);
        bool ends = loads.at.at[i] != x->s->data && loads.at.at[i] != x->s->weights;
        *out += ends && !turns(x, axis) && !(l.affine && (l.step[axis] == 0 || l.step[axis] == 1))
                    ? TILE_GATHER * points
                    : 0;
    }
    for (int i = 0; i < p->n_stages; i++)
        if (p->stages[i].kind == STAGE_STORE && !steps_by_one(p, &p->stages[i], axis))
            *out += points * (turns(x, axis) ? TURN : TILE_SCATTER);
    return STATUS_OK;
}

/* As many parts as let the first cache hold what one reads. */
static int parts_for(const search *x, int64_t width) {
    int64_t bytes = x->s->n_taps * width * dtype_bits(x->s->data->type.elem) / 8;
    int64_t held = (int64_t)(x->p->options->target->l1_bytes * HELD);
    int64_t parts = held > 0 ? tile_blocks(bytes, held) : 1;
    return parts < x->s->n_taps ? (int)parts : 1;
}

static double copied_cost(const search *x, const kernel_choice *c, int parts) {
    const plan *p = x->p;
    const sparse *s = x->s;
    int n = c->vectors;
    bool near = parts > 1 || parts_for(x, (int64_t)c->lanes * n) == 1;
    double outer = (double)tile_blocks(tile_extent(p, c->along), (int64_t)c->lanes * n), stores = 0;
    for (int i = 0; i < p->n_axes; i++)
        outer *= i == s->axis || i == c->along ? 1 : (double)p->axes[i].extent;
    for (int i = 0; i < p->n_stages; i++)
        stores += p->stages[i].kind == STAGE_STORE ? STORE : 0;
    double loads = n * (near ? 1 : SECOND) + WEIGHT, latency = (double)LATENCY / n;
    double lists = (double)s->extent, steps = (double)s->steps + lists * (parts - 1) * s->group / 2.0;
    double sums = parts > 1 ? SUM * n : 0;
    return outer * (steps * (loads > latency ? loads : latency) + lists * (parts * (LIST + sums) + stores * n));
}

static status try_copied(search *x) {
    const plan *p = x->p;
    const int lanes = target_lanes(p->options->target, 32);
    for (int i = 0; i < p->n_axes && lanes > 1; i++) {
        kernel_choice c = {.along = i, .runs_on = -1, .rows_along = -1, .lanes = lanes, .rows = 1, .tail = lanes};
        int64_t extent = p->axes[i].extent;
        double moves;
        if (!can_copy(x, i) || extent < lanes)
            continue;
        TRY(moved(x, i, &moves));
        for (c.vectors = 1; c.vectors <= TILE_MOST_VECTORS && (int64_t)lanes * c.vectors <= extent; c.vectors++) {
            int most = parts_for(x, (int64_t)lanes * c.vectors);
            for (int parts = 1; parts <= most; parts += most > 1 ? most - 1 : 1) {
                double cost = moves + copied_cost(x, &c, parts);
                if (cost >= x->best)
                    continue;
                x->best = cost;
                x->parts = parts;
                x->turns = turns(x, i);
                *x->out = c;
            }
        }
    }
    return STATUS_OK;
}

static int permuted_lanes(const plan *p, const sparse *s, int vectors) {
    const target *t = p->options->target;
    int64_t span = s->taps[s->n_taps - 1].place - s->taps[0].place + 1;
    int lanes = target_lanes(t, 32);
    while (lanes > 1 && (lanes > s->extent || lanes * vectors > span || !target_permutes(t, 32, lanes)))
        lanes /= 2;
    return lanes;
}

static void prepare(const plan *p, sparse *s, int parts, int64_t panel) {
    s->parts = parts;
    s->blocks = tile_blocks(s->extent, s->lanes);
    s->panel = panel < s->blocks ? panel : s->blocks;
    sparse_count(plan_constant(p, s->weights->ref), s);
}

status sparse_cost(const plan *p, sparse *s, const sparse_way *way, kernel_choice *out, double *cost) {
    int lanes = way->across ? 1 : permuted_lanes(p, s, way->vectors);
    search x = {p, s, plan_access(p, s->data), __builtin_inf(), out, 1, false};
    *cost = x.best;
    if (lanes == 1 && (way->shared > 1 || way->vectors > 1))
        return STATUS_OK;
    bool counted = s->lanes == lanes && s->way.shared == way->shared && s->way.vectors == way->vectors && s->parts == 1;
    s->lanes = lanes;
    s->way = *way;
    if (!counted)
        prepare(p, s, 1, INT64_MAX);
    if (way->copied)
        TRY(try_copied(&x));
    else if (way->across)
        try_across(&x);
    else
        try_rows(&x, (kernel_choice){.along = s->axis, .runs_on = -1, .lanes = lanes, .vectors = 1, .tail = lanes});
    s->parts = x.parts;
    s->turns = x.turns;
    *cost = x.best;
    return STATUS_OK;
}

/* ---- its statements ---- */

/* The data, copied so that they lie along the axis; an odd number of lines apart, so that they share no sets of a
 * cache.
 */
static status copy_data(plan *p, sparse *s, int along) {
    access x = plan_access(p, s->data);
    const int64_t line = CACHE_LINE * 8 / dtype_bits(s->data->type.elem);
    s->room = (tile_blocks(p->axes[along].extent, line) | 1) * line;
    s->taps = s->counted;
    prepare(p, s, s->parts, panel_of(s->extent));
    return tile_copy(p, along, s->room, &x, &s->data);
}

status sparse_take(plan *p, int stage, sparse *s, int along) {
    plan_stage *g = &p->stages[stage];
    const expr *none = build_index(p->b, 0);
    if (s->way.copied)
        TRY(copy_data(p, s, along));
    for (int i = 0; i < g->n_axes; i++)
        s->data = build_substitute(p->b, s->data, &g->axes[i].var, &none, 1);
    g->value = s->data;
    g->n_axes = 0;
    g->sparse = s;
    return sparse_pack(p->memory, plan_constant(p, s->weights->ref), s);
}

static status add_slot(plan *p, dtype elem, int64_t n, const void *data, int *out) {
    *out = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = elem, .n = n, .data = data});
    return *out < 0 ? STATUS_RESOURCE : STATUS_OK;
}

/* In 16 bits where they fit. */
static status add_integers(plan *p, int64_t n, const int32_t *all, int *out) {
    int32_t low = 0, high = 0;
    for (int64_t i = 0; i < n; i++) {
        low = all[i] < low ? all[i] : low;
        high = all[i] > high ? all[i] : high;
    }
    if (low < 0 || high > UINT16_MAX)
        return add_slot(p, DT_I32, n, all, out);
    uint16_t *narrow = ARENA_NEW_N(p->memory, uint16_t, n + 1);
    TRY_ALLOC(narrow);
    for (int64_t i = 0; i < n; i++)
        narrow[i] = (uint16_t)all[i];
    return add_slot(p, DT_U16, n, narrow, out);
}

/* Where sums stand between parts. Of each iteration alone where there is a loop around all parts. */
static status add_sums(plan *p, const plan_stage *g, int64_t width, int64_t around) {
    sparse *s = g->sparse;
    dtype elem = g->result->type.elem;
    s->slot_of_sums =
        plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = elem, .n = s->panel * width});
    if (s->slot_of_sums < 0)
        return STATUS_RESOURCE;
    p->written.at[s->slot_of_sums] = true;
    p->raw |= around == 1;
    p->sums = around > 1 ? s->slot_of_sums : 0;
    return STATUS_OK;
}

status sparse_slots(plan *p, const plan_stage *g, int64_t width, int64_t around) {
    sparse *s = g->sparse;
    const int64_t lists = s->blocks * s->parts;
    if (s->parts > 1 || s->turns)
        TRY(add_sums(p, g, width, around));
    TRY(add_slot(p, DT_I32, lists + 1, s->groups, &s->slot_of_groups));
    TRY(add_integers(p, s->steps / s->way.shared, s->base, &s->slot_of_base));
    if (s->lanes > 1)
        TRY(add_integers(p, s->groups[lists] * s->lanes, s->numbers, &s->slot_of_numbers));
    return add_slot(p, s->elem, s->steps * s->lanes, s->values, &s->slot_of_values);
}

static const expr *load_index(plan *p, int slot, const expr *at) {
    ltype t = LTYPE(plan_slot_buffer(p, slot)->elem, 1);
    return build_cast(p->b, DT_I64, build_load(p->b, slot, t, at, NULL));
}

static const expr *window_vector(const plan *p, const plan_stage *g, const expr *place, ltype t) {
    ltype loaded = LTYPE(g->value->type.elem, t.lanes);
    return build_cast(p->b, t.elem, build_load(p->b, g->value->ref, loaded, place, NULL));
}

/* Step i of a group in all points. */
static void add_step(plan *p, const plan_stage *g, const expr *group, int i, const expr *numbers,
                     const expr *const *addresses, int n, ltype t, int reg) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    const expr *step = build_add(b, build_mul(b, group, build_index(b, s->group)), build_index(b, i));
    const expr *window =
        build_add(b, build_mul(b, group, build_index(b, s->group / s->way.shared)), build_index(b, i / s->way.shared));
    const expr *base = build_mul(b, load_index(p, s->slot_of_base, window), build_index(b, s->room)),
               *at = build_mul(b, step, build_index(b, s->lanes)),
               *weight = build_cast(b, t.elem, build_load(b, s->slot_of_values, LTYPE(s->elem, s->lanes), at, NULL));
    for (int k = 0; k < n; k++) {
        const expr *place = build_add(b, addresses[k], base), *x = window_vector(p, g, place, t);
        if (numbers != NULL && s->way.vectors > 1)
            x = build_permute2(b, x, window_vector(p, g, build_add(b, place, build_index(b, t.lanes)), t), numbers);
        else if (numbers != NULL)
            x = build_permute(b, x, numbers);
        const expr *sum = build_index(b, k * s->way.chains + i % s->way.chains);
        build_set(b, reg, sum, plan_combine(b, REDUCE_SUM, build_reg_get(b, reg, t, sum), build_mul(b, x, weight)));
    }
}

static void add_groups(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int n, ltype t,
                       int reg) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    const expr *one = build_index(b, 1), *first = build_let(b, "first", load_index(p, s->slot_of_groups, number)),
               *end = load_index(p, s->slot_of_groups, build_add(b, number, one));
    const expr *group = build_add(b, first, build_for(b, "k", build_sub(b, end, first), LOOP_SERIAL)), *numbers = NULL;
    if (s->lanes > 1)
        numbers =
            build_cast(b, DT_U32,
                       build_load(b, s->slot_of_numbers, LTYPE(plan_slot_buffer(p, s->slot_of_numbers)->elem, s->lanes),
                                  build_mul(b, group, build_index(b, s->lanes)), NULL));
    for (int i = 0; i < s->group; i++) {
        const expr *shifted = numbers;
        if (numbers != NULL && i > 0)
            shifted = build_binary(b, EXPR_SHR, numbers,
                                   build_broadcast(b, build_int(b, DT_U32, i * s->number_bits), s->lanes));
        add_step(p, g, group, i, shifted, addresses, n, t, reg);
    }
    build_end(b);
}

void sparse_sums(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int n, int lanes,
                 bool begun, const expr **out) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    ltype t = LTYPE(g->result->type.elem, lanes);
    int chains = s->way.chains, reg = build_declare(b, "acc", t, n * chains);
    for (int i = 0; i < n * chains; i++)
        build_set(b, reg, build_index(b, i), begun ? out[i] : plan_neutral(b, REDUCE_SUM, t));
    add_groups(p, g, number, addresses, n, t, reg);
    for (int k = 0; k < n; k++) {
        out[k] = build_reg_get(b, reg, t, build_index(b, k * chains));
        for (int c = 1; c < chains; c++)
            out[k] = build_add(b, out[k], build_reg_get(b, reg, t, build_index(b, k * chains + c)));
        if (chains > 1)
            out[k] = build_let(b, "sum", out[k]);
    }
}
