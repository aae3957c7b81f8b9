/* What a block of accumulators costs, in half cycles of a core with two loads and two operations a cycle and a latency
 * of four cycles: each of the three may be what takes longest. */
#include "schedule/tiles.h"

#define MOST_STEPS 32 /* unrolled, */
#define MOST_BROADCASTS 9
#define MOST_POINTS 300 /* and in all rows and vectors */
#define LATENCY 12      /* and a little, for what is not spread evenly */
#define SHORT_LATENCY 6 /* where the next block begins before this one ends */
#define SHORT 32        /* steps */
#define MOST_CARRIED 4
#define MOST_POINTERS 8 /* in registers, beside what else is there */
#define LOOP_ENTRY 12   /* of a loop inside a reduction: filling and draining the pipeline */
#define STORE 6         /* and what comes before it in an epilogue */
#define STORE_PART 8
#define DIVISION 4
#define BLOCK 16

int64_t tile_extent(const plan *p, int axis) {
    return axis < 0 ? 1 : p->axes[axis].extent;
}

status tile_loads_of(const plan *p, tile_loads *out) {
    expr_list loads;
    TRY(plan_loads(p, &loads));
    *out = (tile_loads){0};
    for (int s = 0; s < p->n_stages; s++)
        for (size_t i = 0; i < loads.at.n; i++) {
            const expr *x = loads.at.at[i];
            if (p->stages[s].kind != STAGE_REDUCE || !expr_uses(p->stages[s].value, x))
                continue;
            tile_load l = {plan_access(p, x), s, plan_is_constant(p, x->ref)};
            TRY(VEC_PUSH(p->memory, out->at, l));
        }
    return STATUS_OK;
}

static bool steps_along(const tile *t, const tile_load *l, int axis) {
    return axis >= 0 && (l->x.affine ? l->x.step[axis] != 0 : expr_uses(l->x.load, t->p->axes[axis].var));
}

/* By how many of its steps an axis of the reduction moves a load as far as one row does; 0 where it does not. */
static int64_t steps_in_row(const tile *t, const tile_load *l, int axis, int64_t extent) {
    int64_t step = l->x.affine ? l->x.step[axis] : 0, along = l->x.affine && t->c >= 0 ? l->x.step[t->c] : 0;
    return step != 0 && along % step == 0 && along / step > 0 && along / step < extent ? along / step : 0;
}

/* Registers that hold what neighbouring rows read in other steps, if this axis is unrolled around `inside` steps. */
static int64_t kept(const tile *t, const tile_loads *loads, int stage, int axis, int64_t extent, int64_t inside) {
    int64_t n = 0;
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        if (l->stage == stage)
            n += steps_in_row(t, l, axis, extent) * inside * t->rows * (steps_along(t, l, t->a) ? t->vectors : 1);
    }
    return n;
}

/* Registers that hold what no row changes, if all axes are unrolled: it is loaded outside of the loop over the rows. */
static int64_t hoisted(const tile *t, const tile_loads *loads, int stage, int64_t steps) {
    int64_t n = 0;
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        if (l->stage == stage && !steps_along(t, l, t->c) && !steps_along(t, l, t->d))
            n += steps * (steps_along(t, l, t->a) ? t->vectors : 1);
    }
    return n;
}

int tile_registers(const plan *p) {
    int registers = p->options->target->vector_registers;
    return registers > 0 ? registers : 16;
}

/* Does the reduction broadcast scalars over the vectors? What it multiplies them with should stay in registers. */
static bool broadcasts(const tile *t, const tile_loads *loads, int stage) {
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        if (l->stage == stage && !steps_along(t, l, t->a))
            return true;
    }
    return false;
}

int tile_unrolled(const tile *t, const tile_loads *loads, int stage) {
    const plan_stage *g = &t->p->stages[stage];
    int64_t steps = 1, points = (int64_t)t->rows * t->vectors, held = points + t->vectors;
    int64_t most = broadcasts(t, loads, stage) ? MOST_BROADCASTS : MOST_STEPS;
    int n = 0, first = plan_first_axis(t->p, stage);
    for (; n < g->n_axes && g->axes[g->n_axes - 1 - n].extent > 0; n++) {
        int k = g->n_axes - 1 - n;
        held += kept(t, loads, stage, first + k, g->axes[k].extent, steps);
        steps *= g->axes[k].extent;
        held += k == 0 ? hoisted(t, loads, stage, steps) : 0;
        if (steps > most || steps * points > MOST_POINTS || held > tile_registers(t->p))
            break;
    }
    return n;
}

/* Different vectors (or scalars) of a load in one unrolled step of the reduction. */
static int64_t loads_in_step(const tile *t, const tile_load *l, int unrolled) {
    const plan_stage *g = &t->p->stages[l->stage];
    bool along_c = steps_along(t, l, t->c) || steps_along(t, l, t->d), merged = false;
    int64_t rows = along_c ? t->rows : 1, others = steps_along(t, l, t->a) ? t->vectors : 1;
    int first = plan_first_axis(t->p, l->stage);
    for (int k = g->n_axes - unrolled; k < g->n_axes; k++) {
        int64_t extent = g->axes[k].extent, apart = steps_in_row(t, l, first + k, extent);
        if (l->x.affine && l->x.step[first + k] == 0)
            continue;
        if (!merged && apart != 0)
            rows = (rows - 1) * apart + extent;
        else
            others *= extent;
        merged = merged || apart != 0;
    }
    return rows * others;
}

/* Bytes of a constant that one block reads over and over, for the blocks along c and the outer axes. */
static int64_t panel_bytes(const tile *t, const tile_load *l, bool packed) {
    const plan_stage *g = &t->p->stages[l->stage];
    int first = plan_first_axis(t->p, l->stage);
    int64_t n = tile_width(t) * (packed ? g->bits : dtype_bits(l->x.load->type.elem)) / 8 * (g->each > 0 ? g->each : 1);
    for (int k = 0; k < g->n_axes; k++)
        n *= !l->x.affine || l->x.step[first + k] != 0 ? g->axes[k].extent : 1;
    return n;
}

/* Does a constant come from beyond the first-level cache? What all blocks read is read again soon, its panel at a time;
 * what is read once was last read in another run of the nest, with all of it since. Small weights of few bits are not
 * alone in a model, either. */
static bool is_far(const tile *t, const tile_load *l, bool packed) {
    const plan *p = t->p;
    int l1 = p->options->target->l1_bytes;
    if (!l->is_constant || !steps_along(t, l, t->a) || l1 == 0)
        return false;
    bool again = tile_blocks(tile_extent(p, t->c) * tile_extent(p, t->d), t->rows) > 1;
    int64_t bytes = panel_bytes(t, l, packed), blocks = tile_blocks(tile_extent(p, t->a), tile_width(t));
    for (int i = 0; i < p->n_axes; i++)
        again |= i != t->a && i != t->c && i != t->d && p->axes[i].extent > 1;
    bool has_codes = t->p->stages[l->stage].bits > 0;
    return again ? bytes > l1 / 2 : bytes * blocks > (has_codes ? l1 / 8 : l1 / 2);
}

/* Do the rows lie so far apart that they share few sets of a first-level cache of 8 ways? */
static bool collides(const tile *t, const tile_load *l) {
    int64_t step = l->x.affine && t->c >= 0 ? l->x.step[t->c] * dtype_bits(l->x.load->type.elem) / 8 : 0;
    int64_t places = 64;
    for (; step % 128 == 0 && step > 0 && places > 1; step /= 2)
        places /= 2;
    return t->rows > 4 * places;
}

/* Do the next iterations of the innermost loop read in one row what this one reads in another? Compilers then carry it
 * over in registers, which there are too few of. */
static bool carries(const tile *t, const tile_load *l, int unrolled) {
    const plan_stage *g = &t->p->stages[l->stage];
    int k = g->n_axes - unrolled - 1;
    int64_t apart = k < 0 ? 0 : steps_in_row(t, l, plan_first_axis(t->p, l->stage) + k, g->axes[k].extent);
    return t->rows > 1 && apart != 0 && apart <= MOST_CARRIED;
}

/* Vectors of constants that a step reads. */
static int constant_vectors(const tile *t, int stage, bool packed) {
    return packed ? codes_vectors(t, t->p->stages[stage].bits) : t->vectors;
}

/* Of fours of bytes by PAIRS: two products a vector, of which the second is for each chain; SIGNED is a further
 * operation, and reads what the data are xored with. Where sums of both widths are too many for the registers, those of
 * 32 bits come and go. */
#define PAIRS_SIGNED 2.2
#define PAIRS_MOVE 2

static double pairs_cost(const tile *t, const tile_loads *loads, int stage, bool packed) {
    pair_steps n;
    if (pairs_count(t, stage, &n) != STATUS_OK)
        build_fail(t->p->b);
    if (t->p->stages[stage].pairs == NULL || builder_status(t->p->b) != STATUS_OK || pairs_total(&n) == 0)
        return __builtin_inf();
    int masks = n.of[PAIR_SIGNED] > 0 ? t->vectors : 0;
    if (tile_registers_for(t, true) + masks > tile_registers(t->p))
        return __builtin_inf();
    double points = (double)t->rows * t->vectors, each = 1 + 1 / (double)n.chain, weights = 0, cost = 0;
    double data = 1 + t->rows, steps[] = {[PAIR_PLAIN] = points * each, [PAIR_SIGNED] = points * PAIRS_SIGNED};
    if (n.chain > 1 && t->rows * t->vectors + tile_registers_for(t, true) > tile_registers(t->p))
        data += PAIRS_MOVE * points / (double)n.chain;
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        if (l->stage == stage && l->is_constant)
            weights += constant_vectors(t, stage, packed) * (is_far(t, l, packed) ? 2 : 1);
    }
    if (packed) /* and the sums of the rows' data */
        steps[PAIR_PLAIN] += codes_cost(t, stage, true) + t->rows * each;
    if (t->d >= 0 && t->rows > MOST_POINTERS)
        data += t->rows - MOST_POINTERS;
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        double read = data + weights * (1 + kind);
        if (n.of[kind] > 0)
            cost += (double)n.of[kind] * ((read > steps[kind] ? read : steps[kind]) + read / 8) + LOOP_ENTRY;
    }
    return cost;
}

/* What a step of a DOT4 that is made of products of pairs does to its operands: once a row, once a vector. */
static int64_t parting_of_dots(const tile *t) {
    return t->p->options->target->dot4 > 1 ? 2 * t->rows + 3 * t->vectors : 0;
}

/* Has the first reduction of the team read what l reads? */
static bool is_read_before(const tile *t, const tile_loads *loads, const tile_load *l, int first) {
    const plan *p = t->p;
    int own = plan_first_axis(p, l->stage), its = plan_first_axis(p, first);
    bool same = false;
    for (size_t i = 0; i < loads->at.n && !same && l->stage != first; i++) {
        const tile_load *x = &loads->at.at[i];
        same = x->stage == first && x->x.load->ref == l->x.load->ref && x->x.affine && l->x.affine &&
               x->x.first == l->x.first;
        for (int k = 0; same && k < p->n_axes; k++)
            same = x->x.step[k] == l->x.step[k];
        for (int k = 0; same && k < p->stages[first].n_axes; k++)
            same = x->x.step[its + k] == l->x.step[own + k];
    }
    return same;
}

/* By products of 16 bits: fours of bytes are parted, for which there have to be registers. */
static double products_cost(const tile *t, const tile_loads *loads, int stage, int first, int team, bool packed) {
    const plan_stage *g = &t->p->stages[stage];
    if (g->pairs != NULL && tile_registers_for(t, false) > tile_registers(t->p))
        return __builtin_inf();
    int unrolled = tile_unrolled(t, loads, stage);
    int64_t steps = 1, read = 0;
    bool carried = false;
    for (int k = g->n_axes - unrolled; k < g->n_axes; k++)
        steps *= g->axes[k].extent;
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        if (l->stage != stage || is_read_before(t, loads, l, first))
            continue;
        int64_t n = loads_in_step(t, l, unrolled);
        if (l->is_constant && steps_along(t, l, t->a))
            n = n / t->vectors * constant_vectors(t, stage, packed);
        bool splits = l->is_constant && steps_along(t, l, t->a) && t->tail < t->lanes; /* of lines of a cache */
        carried = carried || carries(t, l, unrolled);
        read += is_far(t, l, packed) || splits || collides(t, l) ? 2 * n : n;
    }
    if (t->d >= 0 && t->rows > MOST_POINTERS) /* each row has an address of its own */
        read += (t->rows - MOST_POINTERS) * steps;
    double most = (double)((int64_t)t->rows * (4 * t->vectors - (t->tail < t->lanes)) * steps) / 4;
    if (g->each == 2) /* with the sum, where that is another operation */
        most *= t->p->options->target->has_vnni ? 1 : 2;
    if (g->each == 4)
        most = most * (double)t->p->options->target->dot4 + (double)(parting_of_dots(t) * steps);
    most += packed ? codes_cost(t, stage, false) * (double)steps : 0;
    most = (double)read > most ? (double)read : most;
    double latency = (double)((plan_steps(g) <= SHORT ? SHORT_LATENCY : LATENCY) * steps) / team;
    most = latency > most ? latency : most;
    most += (double)read / 8; /* loads are in the way of the rest */
    most *= carried ? 1.5 : 1;
    int64_t iterations = plan_steps(g) / steps, entries = 1;
    for (int k = 0; k < g->n_axes - unrolled - 1; k++)
        entries *= g->axes[k].extent;
    return (double)iterations * most + (double)(iterations > 1 ? entries * LOOP_ENTRY : 0);
}

/* In fewer bytes if that takes little longer, since other data then find room in the caches. */
#define LITTLE 1.05

/* One of `team` reductions from `first` on that go side by side, so that each waits for a part of what it alone would.
 */
static double reduction_cost(const tile *t, const tile_loads *loads, int stage, int first, int team, dot_way *out) {
    double best = __builtin_inf();
    bool has_pairs = t->p->stages[stage].pairs != NULL;
    *out = (dot_way){false, false};
    for (int packed = 0; packed <= codes_can(t, stage); packed++)
        for (int by_pairs = 0; by_pairs <= has_pairs; by_pairs++) {
            if (packed && tile_registers_for(t, by_pairs) + codes_registers(t, by_pairs) > tile_registers(t->p))
                continue;
            double cost =
                by_pairs ? pairs_cost(t, loads, stage, packed) : products_cost(t, loads, stage, first, team, packed);
            if (cost >= best * (packed > out->packed ? LITTLE : 1))
                continue;
            *out = (dot_way){by_pairs, packed};
            best = cost;
        }
    return best;
}

dot_way tile_way(const tile *t, const tile_loads *loads, int stage) {
    dot_way way;
    reduction_cost(t, loads, stage, stage, 1, &way);
    return way;
}

/* Half cycles to store a vector. What goes beyond the second cache goes there in whole lines of rows, or in parts of
 * them, one pass after another. */
static int store_cost(const tile *t, const plan_stage *g) {
    int64_t step = 0, bytes = dtype_bits(g->value->type.elem) / 8;
    for (int i = 0; i < t->p->n_axes; i++)
        bytes *= t->p->axes[i].extent;
    bool dense = g->kind == STAGE_STORE && plan_step(t->p, g->address, t->p->axes[t->a].var, &step) && step == 1;
    bool in_parts = dense && tile_width(t) < tile_extent(t->p, t->a);
    int l2 = t->p->options->target->l2_bytes;
    return in_parts && l2 > 0 && bytes > l2 ? STORE + STORE_PART : STORE;
}

double tile_cost(const tile *t, const tile_loads *loads) {
    const plan *p = t->p;
    double blocks = 1, cost = BLOCK;
    for (int i = 0; i < p->n_axes; i++)
        blocks *= i == t->a || i == t->c || i == t->d ? 1 : (double)p->axes[i].extent;
    blocks *= (double)tile_blocks(tile_extent(p, t->a), tile_width(t));
    blocks *= (double)tile_blocks(tile_extent(p, t->c) * tile_extent(p, t->d), t->rows);
    for (int s = 0, n; s < p->n_stages; s += n) {
        const plan_stage *g = &p->stages[s];
        bool reduces = g->kind == STAGE_REDUCE;
        n = reduces ? tile_team(p, s) : 1;
        dot_way way;
        for (int i = 0; i < n; i++)
            cost += reduces ? reduction_cost(t, loads, s + i, s, n, &way)
                            : (double)(store_cost(t, g) * t->rows * t->vectors * plan_steps(g));
    }
    if (t->d >= 0) /* the place of each row, by division */
        cost += (double)DIVISION * t->rows * (double)(1 + loads->at.n);
    return blocks * cost;
}

/* Elements of a load over all axes of the nest that it steps along. */
static double elements_of(const plan *p, const access *x) {
    nest_axis axes[PLAN_MAX_AXES];
    double n = 1;
    int all = plan_all_axes(p, axes);
    for (int i = 0; i < all; i++)
        n *= !x->affine || x->step[i] != 0 ? (double)axes[i].extent : 1;
    return n;
}

double tile_moves(const tile *t, const tile_loads *loads) {
    const plan *p = t->p;
    double cost = 0, points = 1;
    for (size_t i = 0; i < loads->at.n; i++) {
        const access *x = &loads->at.at[i].x;
        bool dense = x->affine && (x->step[t->a] == 0 || x->step[t->a] == 1 || loads->at.at[i].is_constant);
        if (!dense)
            cost += TILE_GATHER * elements_of(p, x);
    }
    for (int i = 0; i < p->n_axes; i++)
        points *= (double)p->axes[i].extent;
    for (int s = 0; s < p->n_stages; s++) {
        int64_t step = 1;
        const plan_stage *g = &p->stages[s];
        if (g->kind == STAGE_STORE && !(plan_step(p, g->address, p->axes[t->a].var, &step) && step == 1))
            cost += TILE_SCATTER * points * (double)plan_steps(g);
    }
    return cost;
}

/* ---- the order of the loops ---- */

/* Bytes of a load over all of the nest, and of one step of the axes around the block. */
static void bytes_of(const tile *t, const tile_load *l, double *all, double *slice) {
    nest_axis axes[PLAN_MAX_AXES];
    int n = plan_all_axes(t->p, axes);
    *all = *slice = dtype_bits(l->x.load->type.elem) / 8.0;
    for (int i = 0; i < n; i++) {
        if (l->x.affine ? l->x.step[i] == 0 : !expr_uses(l->x.load, axes[i].var))
            continue;
        *all *= (double)axes[i].extent;
        *slice *= i < t->p->n_axes && i != t->a && i != t->c ? 1 : (double)axes[i].extent;
    }
    double most = (double)plan_slot_buffer(t->p, l->x.load->ref)->n * dtype_bits(l->x.load->type.elem) / 8;
    *all = *all < most ? *all : most;
    *slice = *slice < *all ? *slice : *all;
}

/* How much of what is read again and again does not stay in the second-level cache meanwhile. */
static double lost(const tile *t, double bytes) {
    double l2 = t->p->options->target->l2_bytes;
    return l2 == 0 || bytes <= l2 ? 0 : 1 - l2 / bytes;
}

bool tile_panels(const tile *t, const tile_loads *loads) {
    const plan *p = t->p;
    double around = 1, panels = 0, shared = 0, slices = 0, blocks = (double)t->a_blocks;
    for (int i = 0; i < p->n_axes; i++)
        around *= i == t->a || i == t->c ? 1 : (double)p->axes[i].extent;
    for (size_t i = 0; i < loads->at.n; i++) {
        const tile_load *l = &loads->at.at[i];
        double all, slice;
        bytes_of(t, l, &all, &slice);
        if (steps_along(t, l, t->a)) {
            if (slice < all)
                return false; /* moves along both: nothing is read again */
            panels += all;
        } else {
            shared += all;
            slices += slice;
        }
    }
    double rows_first = panels * (1 + (around - 1) * lost(t, panels + slices)) + shared;
    double panel = panels / blocks, panels_first = panels * (1 + (around - 1) * lost(t, panel + slices)) +
                                                   shared * (1 + (blocks - 1) * lost(t, panel + shared));
    return panels_first < rows_first;
}
