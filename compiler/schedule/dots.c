/* Sums of products of narrow integers: bytes by fours (DOT4), wider ones, up to 16 bits, by twos (DOT2).
 *
 * The reduction's innermost axis, along which the data lie, is counted in fours (or twos: so below). Constants are
 * padded with zeros to whole fours; so what the last four of the data reads beyond its axis does not matter, as long as
 * it lies in the buffer. DOT4 takes data without a sign (NEON: with one), DOT2 both operands with one: data that are
 * not so get half of their range added, or taken off, by changing a bit, and the sums what that amounts to. */
#include "schedule/plan.h"

void plan_dot_loads(const plan *p, const plan_stage *g, const expr **out_data, const expr **out_weights) {
    const expr *x = g->value->arg[0]->arg[0], *y = g->value->arg[1]->arg[0];
    bool swapped = plan_is_constant(p, x->ref);
    *out_data = swapped ? y : x;
    *out_weights = swapped ? x : y;
}

/* ---- what can be computed so ---- */

typedef struct dots {
    plan *p;
    plan_stage *g;
    access data, weights;
    int first, k; /* in plan_all_axes: the reduction's first and last axis */
    nest_axis axes[PLAN_MAX_AXES];
    int n_axes;
    int each;       /* 4 or 2 */
    int64_t offset; /* what is added to the data */
    int64_t fours;
} dots;

static bool is_narrow_load(const expr *x) {
    bool widens = x->kind == EXPR_CAST && x->type.elem == DT_I32 && x->arg[0]->kind == EXPR_LOAD;
    return widens && dtype_is_int(x->arg[0]->type.elem) && dtype_bits(x->arg[0]->type.elem) <= 16;
}

static int64_t number_at(const dots *d, int64_t i) {
    int slot = d->weights.load->ref;
    return dtype_get_int(plan_slot_buffer(d->p, slot)->elem, plan_constant(d->p, slot), (size_t)i);
}

/* Are all constants in the range of a signed type? */
static bool constants_fit(const dots *d, dtype t) {
    int64_t n = plan_slot_buffer(d->p, d->weights.load->ref)->n, most = (int64_t)dtype_max(t), least = dtype_min(t);
    for (int64_t i = 0; i < n; i++)
        if (number_at(d, i) > most || number_at(d, i) < least)
            return false;
    return true;
}

/* By fours or by twos? */
static bool choose_each(dots *d) {
    const target *t = d->p->options->target;
    dtype data = d->data.load->type.elem, wanted = target_dot4_data(t);
    if (dtype_bits(data) == 8 && constants_fit(d, DT_I8)) {
        d->each = 4;
        d->offset = data == wanted ? 0 : wanted == DT_U8 ? -(int64_t)INT8_MIN : INT8_MIN;
    } else {
        d->each = 2;
        d->offset = data == DT_U16 ? INT16_MIN : 0;
    }
    d->fours = (d->axes[d->k].extent + d->each - 1) / d->each;
    return d->each == 4 || (!t->has_dotprod && constants_fit(d, DT_I16));
}

/* Does the last four of the data end in the buffer? A copy that was made for this can be longer. */
static bool ends_inside(const dots *d) {
    schedule_buffer *b = &d->p->out->buffers.at[d->p->slots.at[d->data.load->ref]];
    int64_t last = d->data.first;
    for (int i = 0; i < d->n_axes; i++)
        last += d->data.step[i] > 0 && i != d->k ? d->data.step[i] * (d->axes[i].extent - 1) : 0;
    last += d->each * d->fours;
    if (last > b->n && b->kind == SCHEDULE_SCRATCH)
        b->n = last;
    return last <= b->n;
}

static bool is_along(const dots *d, int axis) {
    return d->data.step[axis] == 0 && d->weights.step[axis] != 0 && plan_stores_along(d->p, d->axes[axis].var);
}

static bool reads(plan *p, int stage, dots *d) {
    plan_stage *g = &p->stages[stage];
    *d = (dots){.p = p, .g = g};
    if (g->kind != STAGE_REDUCE || g->op != REDUCE_SUM || g->n_axes == 0 || g->value->kind != EXPR_MUL ||
        !is_narrow_load(g->value->arg[0]) || !is_narrow_load(g->value->arg[1]))
        return false;
    const expr *data, *weights;
    plan_dot_loads(p, g, &data, &weights);
    if (plan_is_constant(p, data->ref) || !plan_is_constant(p, weights->ref))
        return false;
    d->data = plan_access(p, data);
    d->weights = plan_access(p, weights);
    d->n_axes = plan_all_axes(p, d->axes);
    d->first = plan_first_axis(p, stage);
    d->k = d->first + g->n_axes - 1;
    if (!d->data.affine || !d->weights.affine || d->data.step[d->k] != 1 || d->axes[d->k].extent < 2)
        return false;
    bool along = false;
    for (int i = 0; i < p->n_axes; i++)
        along |= is_along(d, i);
    return along && choose_each(d) && ends_inside(d);
}

/* ---- the constants ---- */

/* The axes that the weights step along, without the innermost: outer ones, then those of the reduction. */
static int axes_of_weights(const dots *d, int *out, int *out_outer) {
    int n = 0;
    for (int i = 0; i < d->p->n_axes; i++)
        if (d->weights.step[i] != 0)
            out[n++] = i;
    *out_outer = n;
    for (int i = d->first; i < d->k; i++)
        if (d->weights.step[i] != 0)
            out[n++] = i;
    return n;
}

/* The load of a new constant at the place of n axes, outermost first, `inner` elements each. */
static const expr *load_new(const dots *d, schedule_buffer b, const int *axes, int n, int64_t inner,
                            const expr *within) {
    builder *to = d->p->b;
    const expr *address = within;
    for (int i = n - 1; i >= 0; i--) {
        address = build_add(to, address, build_mul(to, d->axes[axes[i]].var, build_index(to, inner)));
        inner *= d->axes[axes[i]].extent;
    }
    int slot = plan_new_slot(d->p, b);
    return slot < 0 ? NULL : build_load(to, slot, LTYPE(b.elem, 1), address, NULL);
}

/* Position in the weights of the i-th place of the axes. */
static int64_t place_of(const dots *d, const int *axes, int n, int64_t i) {
    int64_t at = d->weights.first;
    for (int k = n - 1; k >= 0; k--) {
        at += i % d->axes[axes[k]].extent * d->weights.step[axes[k]];
        i /= d->axes[axes[k]].extent;
    }
    return at;
}

static int64_t places(const dots *d, const int *axes, int n) {
    int64_t all = 1;
    for (int i = 0; i < n; i++)
        all *= d->axes[axes[i]].extent;
    return all;
}

/* How few bits hold the weights, as packed, if no more than 4. */
static void look_at_bits(plan_stage *g, const int8_t *packed, int64_t n) {
    int least = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        least = packed[i] < least ? packed[i] : least;
        most = packed[i] > most ? packed[i] : most;
    }
    g->least = least;
    g->most = most;
    g->bits = most - least < 4 ? 2 : most - least < 16 ? 4 : 0;
}

static status pack_fours(const dots *d, const expr **out) {
    int axes[PLAN_MAX_AXES], outer, n = axes_of_weights(d, axes, &outer);
    int64_t all = places(d, axes, n), extent = d->axes[d->k].extent, run = d->each * d->fours;
    dtype elem = d->each == 4 ? DT_I8 : DT_I16;
    void *packed = arena_alloc_n(d->p->memory, (size_t)(all * run), dtype_bytes(elem, 1));
    TRY_ALLOC(packed);
    for (int64_t i = 0; i < all; i++) {
        int64_t at = place_of(d, axes, n, i);
        for (int64_t k = 0; k < run; k++)
            dtype_set_int(elem, packed, (size_t)(i * run + k),
                          k < extent ? number_at(d, at + k * d->weights.step[d->k]) : 0);
    }
    if (elem == DT_I8)
        look_at_bits(d->g, packed, all * run);
    const expr *within = build_mul(d->p->b, d->axes[d->k].var, build_index(d->p->b, d->each));
    *out = load_new(d, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = elem, .n = all * run, .data = packed}, axes, n,
                    run, within);
    return *out == NULL ? STATUS_RESOURCE : STATUS_OK;
}

/* What the offset of the data adds to each sum. */
static status take_off(const dots *d) {
    int axes[PLAN_MAX_AXES], outer, n = axes_of_weights(d, axes, &outer);
    int64_t sums = places(d, axes, outer), inner = places(d, axes + outer, n - outer), times = 1;
    int32_t *excess = ARENA_NEW_N(d->p->memory, int32_t, sums);
    TRY_ALLOC(excess);
    for (int i = d->first; i < d->k; i++)
        times *= d->weights.step[i] == 0 ? d->axes[i].extent : 1;
    for (int64_t i = 0; i < sums; i++) {
        uint32_t total = 0;
        for (int64_t j = 0; j < inner; j++)
            for (int64_t k = 0; k < d->axes[d->k].extent; k++)
                total += (uint32_t)number_at(d, place_of(d, axes, n, i * inner + j) + k * d->weights.step[d->k]);
        excess[i] = (int32_t)(0 - total * (uint32_t)times * (uint32_t)d->offset);
    }
    builder *b = d->p->b;
    const expr *load = load_new(d, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = DT_I32, .n = sums, .data = excess},
                                axes, outer, 1, build_index(b, 0));
    if (load == NULL)
        return STATUS_RESOURCE;
    const expr *sum = build_add(b, d->g->result, load);
    plan_substitute(d->p, &d->g->result, &sum, 1);
    return STATUS_OK;
}

/* ---- the pass over the plan ---- */

static status by_fours(dots *d) {
    builder *b = d->p->b;
    const expr *var = d->axes[d->k].var, *fours = build_mul(b, var, build_index(b, d->each)), *weights;
    const expr *data = build_substitute(b, d->data.load, &var, &fours, 1);
    TRY(pack_fours(d, &weights));
    if (d->offset != 0)
        TRY(take_off(d));
    d->g->value = build_mul(b, build_cast(b, DT_I32, data), build_cast(b, DT_I32, weights));
    d->g->axes[d->g->n_axes - 1].extent = d->fours;
    d->g->each = d->each;
    if (d->each == 4 && d->p->options->target->has_pairs && d->p->options->target->dot4 > 1)
        TRY_ALLOC(d->g->pairs = pairs_new(d->p->memory));
    return builder_status(b);
}

status plan_dots(plan *p) {
    dots d;
    for (int s = 0; p->contract && p->options->target->dot4 > 0 && s < p->n_stages; s++)
        if (reads(p, s, &d))
            TRY(by_fours(&d));
    return STATUS_OK;
}

bool plan_dots_along(const plan *p, int axis) {
    for (int s = 0; s < p->n_stages; s++) {
        const expr *data, *weights;
        if (p->stages[s].each == 0)
            continue;
        plan_dot_loads(p, &p->stages[s], &data, &weights);
        if (plan_access(p, data).step[axis] != 0 || plan_access(p, weights).step[axis] == 0)
            return false;
    }
    return true;
}
