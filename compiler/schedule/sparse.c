/* Sums of products by constants most of which are zero: which, what they cost, and their statements. */
#include "schedule/sparse.h"

#include <stdlib.h>

#include "schedule/tiles.h"

/* More than this part of the weights is not worth a look. */
#define MOST_FULL 0.7
#define NUMBER_BITS 4
/* Half cycles, as in tile_cost.c: of a row in a step (a product, and half of the permutation, which other units do), of a
 * step besides, of a row's store, of a block; and until a sum can be added to again. */
#define ROW 1.5
#define STEP 1.0
#define STORE 6
#define BLOCK 16
#define LATENCY 10

/* ---- which ---- */

static const expr *without_cast(const expr *x) {
    return x->kind == EXPR_CAST ? x->arg[0] : x;
}

/* Its place among the axes of plan_all_axes. */
static int first_axis_of(const plan *p, int stage) {
    int n = p->n_axes;
    for (int s = 0; s < stage; s++)
        n += p->stages[s].n_axes;
    return n;
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

static const void *constant_data(const plan *p, int slot) {
    const schedule_buffer *b = plan_slot_buffer(p, slot);
    return b->kind == SCHEDULE_CONST ? b->data : p->operands[b->operand].data;
}

static bool is_mostly_zero(const plan *p, int slot) {
    const schedule_buffer *b = plan_slot_buffer(p, slot);
    const char *data = constant_data(p, slot);
    size_t size = dtype_bytes(b->elem, 1);
    int64_t most = (int64_t)(MOST_FULL * (double)b->n), full = 0;
    for (int64_t i = 0; i < b->n && full <= most; i++) {
        bool zero = true;
        for (size_t k = 0; k < size; k++) /* the sign of a float's zero does not count */
            zero = zero && (data[(size_t)i * size + k] & (size > 1 && k + 1 == size ? 0x7f : 0xff)) == 0;
        full += !zero;
    }
    return full <= most;
}

static int by_place(const void *x, const void *y) {
    int64_t a = ((const sparse_tap *)x)->place, b = ((const sparse_tap *)y)->place;
    return a < b ? -1 : a > b;
}

/* All products of one result, by the place of the data. */
static status list_taps(const plan *p, int stage, const access *data, const access *weights, sparse_tap **out,
                        int64_t *out_n) {
    const plan_stage *g = &p->stages[stage];
    int first = first_axis_of(p, stage);
    int64_t n = 1;
    for (int i = 0; i < g->n_axes; i++)
        n *= g->axes[i].extent;
    TRY_ALLOC(*out = ARENA_NEW_N(p->memory, sparse_tap, n + 1));
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i;
        (*out)[i].weight = weights->first;
        for (int k = g->n_axes - 1; k >= 0; k--) {
            int64_t at = rest % g->axes[k].extent;
            (*out)[i].place += at * data->step[first + k];
            (*out)[i].weight += at * weights->step[first + k];
            rest /= g->axes[k].extent;
        }
    }
    qsort(*out, (size_t)n, sizeof **out, by_place);
    *out_n = n;
    return STATUS_OK;
}

/* Do the weights step along the axis, which the data do not, and along no other outer one? */
static bool is_along(const plan *p, int axis, const access *data, const access *weights) {
    bool along = data->affine && weights->affine && data->step[axis] == 0 && weights->step[axis] != 0 &&
                 plan_stores_along(p, p->axes[axis].var);
    for (int i = 0; along && i < p->n_axes; i++)
        along = i == axis || weights->step[i] == 0;
    return along;
}

static int lanes_of(const plan *p, int64_t extent) {
    const target *t = p->options->target;
    int lanes = target_lanes(t, 32);
    while (lanes > 1 && (lanes > extent || !target_permutes(t, 32, lanes)))
        lanes /= 2;
    return lanes;
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
    sparse_tap *taps;
    int64_t n, extent = p->axes[axis].extent;
    TRY(list_taps(p, stage, &data, &weights, &taps, &n));
    found.lanes = lanes_of(p, extent);
    if (n == 0 || taps[n - 1].place - taps[0].place + 1 < found.lanes || taps[n - 1].place > INT32_MAX ||
        taps[0].place < INT32_MIN || n * (extent + found.lanes) > INT32_MAX)
        return STATUS_OK;
    found.elem = found.weights->type.elem;
    found.each = found.lanes > 1 ? 32 / NUMBER_BITS : 4;
    found.blocks = tile_blocks(extent, found.lanes);
    TRY_ALLOC(*out = ARENA_NEW(p->memory, sparse));
    **out = found;
    return sparse_pack(p->memory, taps, n, constant_data(p, found.weights->ref), weights.step[axis], extent, *out);
}

/* ---- what it costs ---- */

static double bytes_of(const sparse *s) {
    return (double)s->steps * (s->lanes * (dtype_bits(s->elem) / 8.0 + (s->lanes > 1 ? 0.5 : 0)) + 2);
}

/* Half cycles of a step for so many rows. `far`: what it reads lies beyond the first cache. */
static double step_cost(const sparse *s, int rows, bool far) {
    double most = ROW * rows + STEP, loads = rows + (far ? 2 : 1) + (s->lanes > 1 ? 0.25 : 0), latency;
    latency = (double)LATENCY / s->chains;
    most = most > loads ? most : loads;
    return (most > latency ? most : latency) + loads / 8;
}

static double cost_of(const plan *p, const sparse *s, int rows, int along) {
    double outer = 1, stores = 0;
    for (int i = 0; i < p->n_axes; i++)
        outer *= i == s->axis || i == along ? 1 : (double)p->axes[i].extent;
    int64_t groups = tile_blocks(tile_extent(p, along), rows);
    for (int i = 0; i < p->n_stages; i++)
        stores += p->stages[i].kind == STAGE_STORE ? STORE : 0;
    bool again = outer * (double)groups > 1;
    double bytes = bytes_of(s) / (again ? (double)s->blocks : 1);
    bool far = p->options->target->l1_bytes > 0 && bytes > p->options->target->l1_bytes / 2;
    return outer * (double)groups *
           ((double)s->steps * step_cost(s, rows, far) + (double)s->blocks * (BLOCK + stores * rows));
}

/* Blocks of the results as the outermost loop: where the weights would be read more often otherwise than the data. */
static bool is_by_panels(const plan *p, const sparse *s, int along) {
    double around = 1;
    for (int i = 0; i < p->n_axes; i++)
        around *= i == s->axis || i == along ? 1 : (double)p->axes[i].extent;
    double data = (double)plan_slot_buffer(p, s->data->ref)->n * dtype_bits(s->data->type.elem) / 8;
    return bytes_of(s) * (around - 1) > data * (double)(s->blocks - 1);
}

double sparse_cost(const plan *p, const sparse *s, kernel_choice *out) {
    double best = __builtin_inf();
    int registers = tile_registers(p);
    access data = plan_access(p, s->data);
    for (int along = -1; along < p->n_axes; along++) {
        if (along == s->axis || (along >= 0 && data.step[along] == 0))
            continue;
        for (int rows = 1; rows <= TILE_MOST_ROWS && rows <= tile_extent(p, along); rows++) {
            double cost = cost_of(p, s, rows, along);
            if (rows * s->chains + 3 > registers || cost >= best)
                continue;
            best = cost;
            *out = (kernel_choice){s->axis, along, -1, s->lanes, 1, s->lanes, rows, 0, false, 0};
            out->panels = is_by_panels(p, s, along);
        }
    }
    return best;
}

/* ---- its statements ---- */

void sparse_take(plan *p, int stage, sparse *s) {
    plan_stage *g = &p->stages[stage];
    const expr *none = build_index(p->b, 0);
    for (int i = 0; i < g->n_axes; i++)
        s->data = build_substitute(p->b, s->data, &g->axes[i].var, &none, 1);
    g->value = s->data;
    g->n_axes = 0;
    g->sparse = s;
}

static status add_slot(plan *p, dtype elem, int64_t n, const void *data, int *out) {
    *out = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = elem, .n = n, .data = data});
    return *out < 0 ? STATUS_RESOURCE : STATUS_OK;
}

/* The places in 16 bits where they fit. */
static status add_places(plan *p, sparse *s) {
    int32_t low = 0, high = 0;
    for (int64_t i = 0; i < s->steps; i++) {
        low = s->base[i] < low ? s->base[i] : low;
        high = s->base[i] > high ? s->base[i] : high;
    }
    if (low < 0 || high > UINT16_MAX)
        return add_slot(p, DT_I32, s->steps, s->base, &s->slot_of_base);
    uint16_t *narrow = ARENA_NEW_N(p->memory, uint16_t, s->steps + 1);
    TRY_ALLOC(narrow);
    for (int64_t i = 0; i < s->steps; i++)
        narrow[i] = (uint16_t)s->base[i];
    return add_slot(p, DT_U16, s->steps, narrow, &s->slot_of_base);
}

status sparse_slots(plan *p, sparse *s) {
    TRY(add_slot(p, DT_I32, s->blocks + 1, s->groups, &s->slot_of_groups));
    TRY(add_places(p, s));
    if (s->lanes > 1)
        TRY(add_slot(p, DT_U32, s->groups[s->blocks] * s->lanes, s->numbers, &s->slot_of_numbers));
    return add_slot(p, s->elem, s->steps * s->lanes, s->values, &s->slot_of_values);
}

static const expr *load_index(plan *p, int slot, const expr *at) {
    ltype t = LTYPE(plan_slot_buffer(p, slot)->elem, 1);
    return build_cast(p->b, DT_I64, build_load(p->b, slot, t, at, NULL));
}

/* One step in all rows. */
static void add_step(plan *p, const plan_stage *g, const expr *step, const expr *numbers, const expr *const *addresses,
                     int rows, int reg, int chain) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    dtype elem = g->result->type.elem;
    const expr *base = load_index(p, s->slot_of_base, step),
               *at = build_mul(b, step, build_index(b, s->lanes)),
               *weight = build_cast(b, elem, build_load(b, s->slot_of_values, LTYPE(s->elem, s->lanes), at, NULL));
    for (int r = 0; r < rows; r++) {
        const expr *x = build_load(b, g->value->ref, LTYPE(g->value->type.elem, s->lanes),
                                   build_add(b, addresses[r], base), NULL);
        x = build_cast(b, elem, x);
        x = numbers != NULL ? build_permute(b, x, numbers) : x;
        const expr *sum = build_index(b, r * s->chains + chain);
        build_set(b, reg, sum,
                  plan_combine(b, REDUCE_SUM, build_reg_get(b, reg, LTYPE(elem, s->lanes), sum),
                               build_mul(b, x, weight)));
    }
}

static void add_groups(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int rows,
                       int reg) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    const expr *one = build_index(b, 1), *first = build_let(b, "first", load_index(p, s->slot_of_groups, number)),
               *end = load_index(p, s->slot_of_groups, build_add(b, number, one));
    const expr *group = build_add(b, first, build_for(b, "k", build_sub(b, end, first), LOOP_SERIAL)), *numbers = NULL;
    if (s->lanes > 1)
        numbers = build_load(b, s->slot_of_numbers, LTYPE(DT_U32, s->lanes),
                             build_mul(b, group, build_index(b, s->lanes)), NULL);
    for (int i = 0; i < s->each; i++) {
        const expr *step = build_add(b, build_mul(b, group, build_index(b, s->each)), build_index(b, i)), *shifted;
        shifted = numbers == NULL || i == 0
                      ? numbers
                      : build_binary(b, EXPR_SHR, numbers,
                                     build_broadcast(b, build_int(b, DT_U32, i * NUMBER_BITS), s->lanes));
        add_step(p, g, step, shifted, addresses, rows, reg, i % s->chains);
    }
    build_end(b);
}

void sparse_sums(plan *p, const plan_stage *g, const expr *number, const expr *const *addresses, int rows,
                 const expr **out) {
    const sparse *s = g->sparse;
    builder *b = p->b;
    ltype t = LTYPE(g->result->type.elem, s->lanes);
    int reg = build_declare(b, "acc", t, rows * s->chains);
    for (int i = 0; i < rows * s->chains; i++)
        build_set(b, reg, build_index(b, i), plan_neutral(b, REDUCE_SUM, t));
    add_groups(p, g, number, addresses, rows, reg);
    for (int r = 0; r < rows; r++) {
        out[r] = build_reg_get(b, reg, t, build_index(b, r * s->chains));
        for (int c = 1; c < s->chains; c++)
            out[r] = build_add(b, out[r], build_reg_get(b, reg, t, build_index(b, r * s->chains + c)));
        if (s->chains > 1)
            out[r] = build_let(b, "sum", out[r]);
    }
}
