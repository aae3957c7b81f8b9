/* Operands in the order in which a tile reads them. */
#include "schedule/tiles.h"

#include <string.h>

/* One loop of the repacked order: how far a step moves in the source, and what stands for it in the new address. */
typedef struct pack_loop {
    int64_t extent;
    int64_t step;            /* in the source, where `first` is NULL */
    const expr *var;
    int64_t (*first)(const tile *t, int64_t block); /* block loops: the source position is stride * first(block) */
    int64_t stride;
} pack_loop;

typedef struct pack_order {
    pack_loop loops[PLAN_MAX_AXES + 4];
    int n;
    int64_t total;
} pack_order;

static void add_loop(pack_order *o, pack_loop l) {
    o->loops[o->n++] = l;
    o->total *= l.extent;
}

static int64_t lane_first(const tile *t, int64_t lane) {
    int v = (int)(lane / t->lanes);
    return tile_vector_first(t, v) + lane % t->lanes;
}

static bool is_axis_of(const plan_stage *g, const expr *var) {
    for (int i = 0; i < g->n_axes; i++)
        if (g->axes[i].var == var)
            return true;
    return false;
}

/* Outer axes, blocks, the reduction's axes, then the inside of a block. */
static void order_of(const tile *t, const plan_stage *g, const access *x, pack_order *o) {
    const plan *p = t->p;
    nest_axis axes[PLAN_MAX_AXES];
    int n = plan_all_axes(p, axes);
    *o = (pack_order){.total = 1};
    for (int i = 0; i < p->n_axes; i++)
        if (i != t->a && i != t->c && x->step[i] != 0)
            add_loop(o, (pack_loop){axes[i].extent, x->step[i], axes[i].var, NULL, 0});
    int64_t along_a = x->step[t->a], along_c = t->c >= 0 ? x->step[t->c] : 0;
    if (along_a != 0)
        add_loop(o, (pack_loop){t->a_blocks, 0, t->a_block, tile_a_first, along_a});
    if (along_c != 0)
        add_loop(o, (pack_loop){t->c_blocks, 0, t->c_block, tile_c_first, along_c});
    for (int i = p->n_axes; i < n; i++)
        if (x->step[i] != 0 && is_axis_of(g, axes[i].var))
            add_loop(o, (pack_loop){axes[i].extent, x->step[i], axes[i].var, NULL, 0});
    if (along_c != 0)
        add_loop(o, (pack_loop){t->rows, along_c, t->row, NULL, 0});
    if (along_a != 0)
        add_loop(o, (pack_loop){(int64_t)t->lanes * t->vectors, 0, t->lane, lane_first, along_a});
}

static void copy_elements(const tile *t, const pack_order *o, int level, const char *src, int64_t from, char **dst, size_t each) {
    if (level == o->n) {
        memcpy(*dst, src + (size_t)from * each, each);
        *dst += each;
        return;
    }
    const pack_loop *l = &o->loops[level];
    for (int64_t i = 0; i < l->extent; i++) {
        int64_t move = l->first != NULL ? l->stride * l->first(t, i) : l->step * i;
        copy_elements(t, o, level + 1, src, from + move, dst, each);
    }
}

static status repack_constant(tile *t, const plan_stage *g, const access *x, const expr **out_load) {
    plan *p = t->p;
    schedule_buffer from = *plan_slot_buffer(p, x->load->ref);
    const void *data = from.kind == SCHEDULE_CONST ? from.data : p->operands[from.operand].data;
    size_t each = dtype_bytes(from.elem, 1);
    pack_order o;
    order_of(t, g, x, &o);
    char *copy = arena_alloc_n(p->memory, (size_t)o.total, each), *end = copy;
    TRY_ALLOC(copy);
    copy_elements(t, &o, 0, data, x->first, &end, each);
    int slot = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = from.elem, .n = o.total, .data = copy});
    if (slot < 0)
        return STATUS_RESOURCE;
    const expr *address = build_index(p->b, 0);
    int64_t stride = 1;
    for (int i = o.n - 1; i >= 0; i--) {
        address = build_add(p->b, address, build_mul(p->b, o.loops[i].var, build_index(p->b, stride)));
        stride *= o.loops[i].extent;
    }
    *out_load = build_load(p->b, slot, x->load->type, address, NULL);
    return STATUS_OK;
}

/* A dense copy over the axes that the load steps along, axis a last. Left alone (a gather) where that would be much larger. */
static status transpose_operand(tile *t, const access *x, const expr **out_load) {
    plan *p = t->p;
    nest_axis axes[PLAN_MAX_AXES];
    pack_dim dims[PLAN_MAX_AXES];
    const expr *vars[PLAN_MAX_AXES];
    int n_axes = plan_all_axes(p, axes), n = 0;
    int64_t total = 1;
    for (int i = 0; i <= n_axes; i++) {
        int k = i < n_axes ? i : t->a;
        if ((i == t->a && i < n_axes) || x->step[k] == 0)
            continue;
        dims[n] = (pack_dim){axes[k].extent, x->step[k], 0, -1};
        vars[n++] = axes[k].var;
        total *= axes[k].extent;
    }
    schedule_buffer from = *plan_slot_buffer(p, x->load->ref);
    if (total > 4 * from.n)
        return STATUS_OK;
    int slot = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = from.elem, .n = total});
    if (slot < 0)
        return STATUS_RESOURCE;
    TRY(pack_copy(p, x->load->ref, x->first, slot, dims, n));
    const expr *address = build_index(p->b, 0);
    int64_t stride = 1;
    for (int i = n - 1; i >= 0; i--) {
        address = build_add(p->b, address, build_mul(p->b, vars[i], build_index(p->b, stride)));
        stride *= dims[i].extent;
    }
    *out_load = build_load(p->b, slot, x->load->type, address, NULL);
    return STATUS_OK;
}

static status pack_load(tile *t, plan_stage *g, const expr *load) {
    plan *p = t->p;
    access x = plan_access(p, load);
    const expr *better = NULL;
    if (!x.affine)
        return STATUS_OK;
    bool moves = x.step[t->a] != 0 || (t->c >= 0 && x.step[t->c] != 0);
    if (plan_is_constant(p, load->ref) && moves)
        TRY(repack_constant(t, g, &x, &better));
    else if (!plan_is_constant(p, load->ref) && x.step[t->a] != 0 && x.step[t->a] != 1)
        TRY(transpose_operand(t, &x, &better));
    if (better != NULL)
        g->value = build_substitute(p->b, g->value, &load, &better, 1);
    return STATUS_OK;
}

status tile_pack(tile *t) {
    plan *p = t->p;
    load_list loads;
    TRY(plan_loads(p, &loads));
    for (int s = 0; s < p->n_stages; s++)
        for (size_t i = 0; i < loads.at.n; i++)
            if (p->stages[s].kind == STAGE_REDUCE && expr_uses(p->stages[s].value, loads.at.at[i]))
                TRY(pack_load(t, &p->stages[s], loads.at.at[i]));
    return STATUS_OK;
}
