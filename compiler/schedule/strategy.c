/* Which way a plan is computed: vectors along an outer axis, along the stages' own axes, or no vectors at all. */
#include <string.h>

#include "schedule/sparse.h"
#include "schedule/tiles.h"

/* A load or store that does not step by 0 or 1 along the vector axis is made lane by lane. */
#define GATHER_COST 1.5
#define NO_AXIS (-1)

typedef struct candidate {
    int axis; /* outer axis, or NO_AXIS for rows */
    int lanes;
    double cost; /* loads and operations in scalars' worth; of a contraction, half cycles */
} candidate;

/* ---- how wide may the vectors be ---- */

typedef struct width {
    int bits;
} width;

static bool is_literal(const expr *x) {
    return x->kind == EXPR_INT || x->kind == EXPR_FLOAT;
}

static void widest_element(const expr *x, void *ctx) {
    width *w = ctx;
    int bits = is_literal(x) || x->type.elem == DT_BOOL ? 0 : dtype_bits(x->type.elem);
    if (bits > w->bits)
        w->bits = bits;
}

/* The widest element type that is computed with in vectors along `var`; addresses that step by 0 or 1 stay scalar, and
 * in a contraction others, too: it packs its operands. */
static status element_bits(const plan *p, const plan_stage *g, const expr *var, int *out_bits) {
    expr_list loads;
    TRY(plan_loads(p, &loads));
    const expr **stand_ins = ARENA_NEW_N(p->memory, const expr *, loads.at.n + 1);
    TRY_ALLOC(stand_ins);
    for (size_t i = 0; i < loads.at.n; i++) {
        const expr *x = loads.at.at[i];
        int64_t step = 0;
        bool scalar_address = !x->masked && expr_uses(g->value, x) && plan_step(p, x->arg[0], var, &step) &&
                              (step == 0 || step == 1 || p->contract);
        stand_ins[i] = scalar_address ? build_var(p->b, x->type, "load") : x;
    }
    width w = {0};
    expr_visit(build_substitute(p->b, g->value, loads.at.at, stand_ins, (int)loads.at.n), widest_element, &w);
    if (w.bits == 0 && g->kind == STAGE_STORE && is_literal(g->value))
        w.bits = dtype_bits(g->value->type.elem);
    *out_bits = w.bits > *out_bits ? w.bits : *out_bits;
    return STATUS_OK;
}

static int lanes_for(const plan *p, int bits, int64_t extent) {
    int lanes = bits == 0 ? 1 : target_lanes(p->options->target, bits);
    while (lanes > extent)
        lanes /= 2;
    return lanes < 1 ? 1 : lanes;
}

/* ---- what it costs ---- */

typedef struct work {
    const plan *p;
    const expr *var; /* the vector axis; NULL: none */
    int lanes;
    double cost;
} work;

static void count_work(const expr *x, void *ctx) {
    work *w = ctx;
    int64_t step = 0;
    if (x->n_args == 0)
        return;
    if (x->kind != EXPR_LOAD) {
        w->cost += x->type.elem == DT_I64 ? 0 : 1.0 / w->lanes;
        return;
    }
    bool dense = w->var == NULL || (plan_step(w->p, x->arg[0], w->var, &step) && (step == 0 || step == 1));
    w->cost += dense ? 1.0 / w->lanes : GATHER_COST;
}

static double stage_cost(const plan *p, const plan_stage *g, const expr *var, int lanes) {
    work w = {p, var, lanes, 0};
    int64_t step = 1;
    double points = 1;
    for (int i = 0; i < p->n_axes; i++)
        points *= (double)p->axes[i].extent;
    for (int i = 0; i < g->n_axes; i++)
        points *= (double)g->axes[i].extent;
    expr_visit(g->value, count_work, &w);
    bool scatters = var != NULL && g->kind == STAGE_STORE && plan_step(p, g->address, var, &step) && step != 1;
    return points * (w.cost + (scatters ? GATHER_COST : 1.0 / lanes));
}

/* ---- the candidates ---- */

/* The lanes, what they go along, and the reductions. */
static status describe(const plan *p, const candidate *c, const char **out) {
    strbuf s = strbuf_in(p->memory);
    if (c->axis == NO_AXIS)
        strbuf_printf(&s, "rows of %d", c->lanes);
    else
        strbuf_printf(&s, "tiles of %d", c->lanes);
    for (int k = 0; k < p->n_stages; k++) {
        const plan_stage *g = &p->stages[k];
        int64_t step = 0;
        if (g->kind == STAGE_STORE && c->axis != NO_AXIS && plan_step(p, g->address, p->axes[c->axis].var, &step))
            strbuf_printf(&s, ", stores by %lld", (long long)step);
        for (int i = 0; g->kind == STAGE_REDUCE && i < g->n_axes; i++)
            strbuf_printf(&s, "%s%lld", i == 0 ? ", over " : "x", (long long)g->axes[i].extent);
    }
    return strbuf_finish(&s, out);
}

/* Takes the candidate where it costs less than the best, and has the form that is to be kept. */
static status weigh(const plan *p, const candidate *c, candidate *best) {
    const char *form = p->form;
    if (form != NULL)
        TRY(describe(p, c, &form));
    if (c->cost < best->cost && (form == NULL || strcmp(form, p->form) == 0))
        *best = *c;
    return STATUS_OK;
}

bool plan_stores_along(const plan *p, const expr *var) {
    for (int s = 0; s < p->n_stages; s++) {
        int64_t step = 0;
        if (p->stages[s].kind != STAGE_STORE)
            continue;
        if (!plan_step(p, p->stages[s].address, var, &step) || step == 0 || (step != 1 && !p->contract))
            return false;
    }
    return true;
}

/* Does the stage end the sums of a contraction of integers? Those are most of the work, so their lanes are what counts,
 * not those of the rounding of 64 bits that comes after them. */
static bool ends_sums(const plan *p, int stage) {
    bool sums = false;
    for (int s = 0; s < stage; s++)
        sums |= p->stages[s].kind == STAGE_REDUCE && p->stages[s].value->type.elem == DT_I32;
    return p->contract && sums && p->stages[stage].kind != STAGE_REDUCE;
}

static status consider_outer(plan *p, int axis, candidate *best) {
    const expr *var = p->axes[axis].var;
    if (!plan_stores_along(p, var) || !plan_dots_along(p, axis))
        return STATUS_OK;
    int bits = 0;
    for (int s = 0; s < p->n_stages; s++)
        if (!ends_sums(p, s))
            TRY(element_bits(p, &p->stages[s], var, &bits));
    candidate c = {axis, lanes_for(p, bits, p->axes[axis].extent), 0};
    if (p->contract)
        TRY(tile_cost_along(p, axis, c.lanes, &c.cost));
    double ignored;
    if (p->candidates != NULL && c.lanes > 1) /* narrower vectors never cost less, but may be faster */
        TRY(tile_cost_along(p, axis, c.lanes / 2, &ignored));
    for (int s = 0; s < p->n_stages && !p->contract; s++)
        c.cost += stage_cost(p, &p->stages[s], var, c.lanes);
    return weigh(p, &c, best);
}

static status consider_rows(const plan *p, candidate *best) {
    int bits = 0;
    int64_t extent = 1;
    for (int s = 0; s < p->n_stages; s++) {
        const plan_stage *g = &p->stages[s];
        if (g->n_axes == 0)
            continue;
        const nest_axis *last = &g->axes[g->n_axes - 1];
        TRY(element_bits(p, g, last->var, &bits));
        extent = last->extent > extent ? last->extent : extent;
    }
    candidate c = {NO_AXIS, lanes_for(p, bits, extent), 0};
    for (int s = 0; s < p->n_stages; s++) {
        const plan_stage *g = &p->stages[s];
        bool own = g->n_axes > 0;
        c.cost += stage_cost(p, g, own ? g->axes[g->n_axes - 1].var : NULL, own ? c.lanes : 1);
    }
    return weigh(p, &c, best);
}

static bool has_own_axes(const plan *p) {
    for (int s = 0; s < p->n_stages; s++)
        if (p->stages[s].n_axes > 0)
            return true;
    return false;
}

static status choose(plan *p, candidate *best) {
    *best = (candidate){NO_AXIS, 1, __builtin_inf()};
    for (int i = 0; i < p->n_axes; i++)
        TRY(consider_outer(p, i, best));
    if (has_own_axes(p) && !(p->contract && best->axis != NO_AXIS))
        TRY(consider_rows(p, best));
    return builder_status(p->b);
}

/* ---- what was measured ---- */

/* Every tile that the plan can be computed in. */
static status list_tiles(plan *p, tile_candidates *all) {
    candidate ignored = {NO_AXIS, 1, __builtin_inf()};
    p->candidates = all;
    for (int i = 0; i < p->n_axes; i++)
        TRY(consider_outer(p, i, &ignored));
    p->candidates = NULL;
    return builder_status(p->b);
}

static status refuse(const plan *p, const tune_entry *e) {
    const tuning *t = p->options->tuning;
    const diag_place where = {.file = t->table->file, .node = -1};
    diag_error(t->diags, STATUS_INVALID, "tune-file", where,
               "line %d: this kernel cannot be computed in such tiles: %d x %d lanes along axis %d, %d rows along %d",
               e->line, e->choice.vectors, e->choice.lanes, e->choice.along, e->choice.rows, e->choice.rows_along);
    diag_note(t->diags, "take the line out, or let tenon tune make the file anew");
    return STATUS_INVALID;
}

/* Takes the table's tile, where it has one that keeps the plan's form. */
static status take_measured(plan *p, const tune_entry *e, const tile_candidates *all, candidate *best,
                            const char **form, const kernel_choice **out) {
    const char *its_form;
    if (!tuning_allows(all, &e->choice))
        return refuse(p, e);
    candidate c = {e->choice.along, e->choice.lanes, 0};
    TRY(describe(p, &c, &its_form));
    if (p->form != NULL && strcmp(its_form, p->form) != 0)
        return STATUS_OK;
    *best = c;
    *form = its_form;
    *out = &e->choice;
    p->options->tuning->used[e - p->options->tuning->table->at.at] = true;
    return STATUS_OK;
}

/* Only tiles that keep the form. */
static status keep_form(const plan *p, tile_candidates *all) {
    size_t n = 0;
    for (size_t i = 0; i < all->at.n; i++) {
        const candidate c = {all->at.at[i].tile.along, all->at.at[i].tile.lanes, 0};
        const char *form = p->form;
        if (form != NULL)
            TRY(describe(p, &c, &form));
        if (form == NULL || strcmp(form, p->form) == 0)
            all->at.at[n++] = all->at.at[i];
    }
    all->at.n = n;
    return STATUS_OK;
}

/* emit_tiles, in the tile that the table has for the kernel; tells of the kernel where that is wanted. */
static status emit_tuned(plan *p, candidate *best, const char **form) {
    const tuning *t = p->options->tuning;
    const char *name;
    const kernel_choice *given = NULL;
    tile_candidates all = {0};
    TRY(tuning_kernel(p, &name));
    const tune_entry *e = tuning_find(t, p->options->target, name);
    if (e != NULL || t->sites != NULL)
        TRY(list_tiles(p, &all));
    if (e != NULL)
        TRY(take_measured(p, e, &all, best, form, &given));
    TRY(keep_form(p, &all));
    TRY(emit_tiles(p, best->axis, best->lanes, given));
    return tuning_record(p, name, &all);
}

/* ---- constants that are mostly zero ---- */

typedef struct sparse_candidate {
    sparse *s; /* NULL: there is none */
    int stage;
    sparse_way way;
    double cost, bytes;
    const char *form;
} sparse_candidate;

/* Where zeros are left out, so much of a dense kernel's time has to be left out, too. */
#define GAIN 0.9

/* bests[v - 1]: with windows of v vectors. */
static status weigh_sparse(plan *p, sparse_candidate *c, sparse_candidate *bests) {
    static const sparse_way ways[] = {{false, false, 1, 1, 1}, {false, false, 1, 4, 1}, {false, false, 2, 1, 1},
                                      {false, false, 2, 4, 1}, {false, false, 4, 1, 1}, {false, false, 4, 4, 1},
                                      {true, false, 1, 1, 1},  {true, true, 1, 1, 1},   {false, false, 1, 1, 2},
                                      {false, false, 1, 4, 2}};
    kernel_choice chosen;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        c->way = ways[i];
        TRY(sparse_cost(p, c->s, &c->way, &chosen, &c->cost));
        c->cost /= GAIN;
        c->bytes = sparse_bytes(c->s);
        sparse_candidate *best = &bests[c->way.vectors - 1];
        if (c->cost >= best->cost)
            continue;
        TRY_ALLOC(c->form = arena_printf(p->memory, "sparse %s, vectors of %d, %d a window, %d steps a window, %d sums",
                                         c->way.copied   ? "across a copy"
                                         : c->way.across ? "across"
                                                         : "permuted",
                                         c->s->lanes, c->way.vectors, c->way.shared, c->way.chains));
        if (p->form == NULL || strcmp(c->form, p->form) == 0)
            *best = *c;
    }
    return STATUS_OK;
}

/* The best way to leave out zeros, and the one whose product of time and bytes is the least. */
static status find_sparse(plan *p, sparse_candidate *best, sparse_candidate *small) {
    sparse_candidate bests[2] = {{.cost = __builtin_inf()}, {.cost = __builtin_inf()}};
    for (int i = 0; i < p->n_axes; i++) {
        sparse_candidate c = {0};
        TRY(sparse_read(p, i, &c.s, &c.stage));
        if (c.s != NULL)
            TRY(weigh_sparse(p, &c, bests));
    }
    *best = bests[bests[1].cost < bests[0].cost];
    *small = bests[bests[1].cost * bests[1].bytes < bests[0].cost * bests[0].bytes];
    return STATUS_OK;
}

static status emit_sparse(plan *p, const sparse_candidate *c) {
    kernel_choice chosen;
    double cost;
    TRY(sparse_cost(p, c->s, &c->way, &chosen, &cost));
    TRY(sparse_take(p, c->stage, c->s, chosen.along));
    p->out->form = c->form;
    return emit_tiles(p, chosen.along, chosen.lanes, &chosen);
}

/* The best that keeps the form. */
static status choose_form(plan *p, const plan_stage *plain, candidate *best, sparse_candidate *zeros) {
    size_t bytes = (size_t)p->n_stages * sizeof *plain;
    sparse_candidate small;
    memcpy(p->stages, plain, bytes);
    TRY(find_sparse(p, zeros, &small));
    TRY(plan_dots(p));
    TRY(choose(p, best));
    if (small.cost < best->cost)
        *zeros = small;
    if (zeros->cost < best->cost)
        memcpy(p->stages, plain, bytes);
    else
        zeros->s = NULL;
    return STATUS_OK;
}

status emit_plan(plan *p) {
    candidate best;
    sparse_candidate zeros;
    plan_stage *plain = ARENA_NEW_N(p->memory, plan_stage, p->n_stages + 1);
    TRY_ALLOC(plain);
    memcpy(plain, p->stages, (size_t)p->n_stages * sizeof *plain);
    TRY(choose_form(p, plain, &best, &zeros));
    if (p->form != NULL && zeros.s == NULL && best.cost == __builtin_inf()) { /* it cannot be kept */
        p->form = NULL;
        TRY(choose_form(p, plain, &best, &zeros));
    }
    if (zeros.s != NULL)
        return emit_sparse(p, &zeros);
    const char *form = NULL;
    TRY(describe(p, &best, &form));
    if (best.axis != NO_AXIS) {
        bool tuned = p->options->tuning != NULL && p->contract && tile_reduces(p);
        TRY(tuned ? emit_tuned(p, &best, &form) : emit_tiles(p, best.axis, best.lanes, NULL));
    } else {
        TRY(plan_compact(p));
        TRY(has_own_axes(p) ? emit_rows(p, best.lanes) : emit_naive(p));
    }
    p->out->form = form; /* not that of a copy that was made on the way */
    return STATUS_OK;
}
