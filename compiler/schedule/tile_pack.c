/* Operands in the order in which a tile reads them. */
#include "schedule/tiles.h"

static bool is_axis_of(const plan_stage *g, const expr *var) {
    for (int i = 0; i < g->n_axes; i++)
        if (g->axes[i].var == var)
            return true;
    return false;
}

/* A loop whose step i lies at first(i) along an axis of the given step. */
static status block_loop(const tile *t, const expr *var, int64_t extent, int64_t step,
                         int64_t (*first)(const tile *t, int64_t i), repack_loop *out) {
    int64_t *moves = ARENA_NEW_N(t->p->memory, int64_t, extent);
    TRY_ALLOC(moves);
    for (int64_t i = 0; i < extent; i++)
        moves[i] = step * first(t, i);
    *out = (repack_loop){extent, 0, moves, var};
    return STATUS_OK;
}

/* Of a constant in the order of the loops, the last of which are the lanes of a block and their fours. */
static status pack_codes(tile *t, plan_stage *g, repack_loop *loops, int n, const expr **load) {
    plan *p = t->p;
    const schedule_buffer *from = plan_slot_buffer(p, (*load)->ref);
    schedule_buffer packed;
    TRY(codes_pack(t, g, false, plan_constant(p, (*load)->ref), from->n / (tile_width(t) * g->each), &packed));
    int slot = plan_new_slot(p, packed);
    if (slot < 0)
        return STATUS_RESOURCE;
    loops[n - 2].extent = (int64_t)codes_vectors(t, g->bits) * t->lanes;
    *load = build_load(p->b, slot, LTYPE(DT_U8, 1), repack_address(p->b, loops, n), NULL);
    return STATUS_OK;
}

/* Outer axes, blocks, the reduction's axes, then the inside of a block. */
static status pack_constant(tile *t, int stage, const access *x, const expr **out_load) {
    plan_stage *g = &t->p->stages[stage];
    plan *p = t->p;
    nest_axis axes[PLAN_MAX_AXES];
    repack_loop loops[PLAN_MAX_AXES + 5];
    int all = plan_all_axes(p, axes), n = 0;
    int64_t along_a = x->step[t->a], along_c = t->c >= 0 ? x->step[t->c] : 0;
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != t->c && x->step[i] != 0)
            loops[n++] = repack_axis(&axes[i], x->step[i]);
    if (along_a != 0)
        TRY(block_loop(t, t->a_block, t->a_blocks, along_a, tile_a_first, &loops[n++]));
    if (along_c != 0)
        TRY(block_loop(t, t->c_block, t->c_blocks, along_c, tile_c_first, &loops[n++]));
    for (int i = p->n_axes; i < all; i++)
        if (x->step[i] != 0 && is_axis_of(g, axes[i].var))
            loops[n++] = repack_axis(&axes[i], x->step[i]);
    if (along_c != 0)
        loops[n++] = (repack_loop){t->rows, along_c, NULL, t->row};
    if (along_a != 0)
        TRY(block_loop(t, t->lane, tile_width(t), along_a, tile_lane_first, &loops[n++]));
    if (g->each > 0)
        loops[n++] = (repack_loop){g->each, 1, NULL, build_index(p->b, 0)};
    TRY(repack_constant(p, x, loops, n, out_load));
    return g->each > 0 && t->ways[stage].packed ? pack_codes(t, g, loops, n, out_load) : STATUS_OK;
}

/* A copy may be this much larger than what it copies; else the load is left alone, a gather. */
#define MOST_GROWTH 4

static bool tile_packs(const plan *p, const expr *load, int a) {
    access x = plan_access(p, load);
    nest_axis axes[PLAN_MAX_AXES];
    int n = plan_all_axes(p, axes);
    int64_t total = 1;
    if (p->written.at[load->ref])
        return false; /* the copy would be made before what is stored there */
    if (!x.affine || plan_is_constant(p, load->ref) || x.step[a] == 0)
        return x.affine;
    for (int i = 0; i < n; i++)
        total *= x.step[i] != 0 ? axes[i].extent : 1;
    return total <= MOST_GROWTH * plan_slot_buffer(p, load->ref)->n;
}

status tile_copy(plan *p, int a, int64_t room, const access *x, const expr **out_load) {
    nest_axis axes[PLAN_MAX_AXES];
    pack_dim dims[PLAN_MAX_AXES];
    const expr *vars[PLAN_MAX_AXES];
    int n_axes = plan_all_axes(p, axes), n = 0;
    int64_t total = 1;
    for (int i = 0; i <= n_axes; i++) {
        int k = i < n_axes ? i : a;
        if ((i == a && i < n_axes) || x->step[k] == 0)
            continue;
        dims[n] = (pack_dim){axes[k].extent, x->step[k], 0, 0, axes[k].extent, i < n_axes ? axes[k].extent : room};
        total *= dims[n].room;
        vars[n++] = axes[k].var;
    }
    schedule_buffer from = *plan_slot_buffer(p, x->load->ref);
    int slot = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = from.elem, .n = total});
    if (slot < 0)
        return STATUS_RESOURCE;
    TRY(pack_copy(p, x->load->ref, x->first, slot, dims, n));
    const expr *address = build_index(p->b, 0);
    int64_t stride = 1;
    for (int i = n - 1; i >= 0; i--) {
        address = build_add(p->b, address, build_mul(p->b, vars[i], build_index(p->b, stride)));
        stride *= dims[i].room;
    }
    *out_load = build_load(p->b, slot, x->load->type, address, NULL);
    return STATUS_OK;
}

static status pack_load(tile *t, int stage, const expr *load) {
    plan *p = t->p;
    plan_stage *g = &p->stages[stage];
    access x = plan_access(p, load);
    const expr *better = NULL;
    if (!x.affine)
        return STATUS_OK;
    bool moves = x.step[t->a] != 0 || (t->c >= 0 && x.step[t->c] != 0);
    if (plan_is_constant(p, load->ref) && moves)
        TRY(pack_constant(t, stage, &x, &better));
    else if (!plan_is_constant(p, load->ref) && x.step[t->a] != 0 && x.step[t->a] != 1 && tile_packs(p, load, t->a))
        TRY(tile_copy(p, t->a, p->axes[t->a].extent, &x, &better));
    if (better != NULL)
        g->value = build_substitute(p->b, g->value, &load, &better, 1);
    return STATUS_OK;
}

status tile_pack(tile *t) {
    plan *p = t->p;
    expr_list loads;
    TRY(plan_loads(p, &loads));
    for (int s = 0; s < p->n_stages; s++) {
        if (t->ways != NULL && t->ways[s].by_pairs)
            TRY(pairs_pack(t, s));
        for (size_t i = 0; i < loads.at.n && p->stages[s].steps == NULL; i++)
            if (p->stages[s].kind == STAGE_REDUCE && expr_uses(p->stages[s].value, loads.at.at[i]))
                TRY(pack_load(t, s, loads.at.at[i]));
    }
    return STATUS_OK;
}
