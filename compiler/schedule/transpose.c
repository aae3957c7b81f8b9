/* Squares of data are turned in registers: rows become columns. */
#include "schedule/tiles.h"

/* The lower or upper halves of x and y, by turns. */
static const expr *interleave(builder *b, const expr *x, const expr *y, bool upper) {
    uint8_t lanes[TILE_MOST_LANES];
    const int n = x->type.lanes;
    for (int i = 0; i < n; i++)
        lanes[i] = (uint8_t)(i / 2 + (upper ? n / 2 : 0) + (i % 2 != 0 ? n : 0));
    return build_shuffle(b, x, y, lanes, n);
}

/* Each round takes the highest bit of a row's number to the lowest place of its columns', and the other way. */
void turn_square(builder *b, const expr **x, int n) {
    const expr *next[TILE_MOST_LANES];
    for (int round = 1; round < n; round *= 2) {
        for (int i = 0; i < n; i++)
            next[i] = build_let(b, "turned", interleave(b, x[i / 2], x[i / 2 + n / 2], i % 2 != 0));
        for (int i = 0; i < n; i++)
            x[i] = next[i];
    }
}

/* ---- copies ---- */

/* A copy whose data lie along `from`, and go along `to`. */
typedef struct turn {
    int from, to, lanes;
    access x;
} turn;

#define LEAST 4 /* lanes: smaller squares are not worth it */

static bool find_turn(const plan *p, turn *out) {
    const expr *x = p->stages[0].value;
    *out = (turn){.from = -1, .to = -1};
    if (p->n_stages != 1 || p->stages[0].n_axes != 0 || x->kind != EXPR_LOAD || dtype_bits(x->type.elem) != 32)
        return false;
    out->x = plan_access(p, x);
    for (int i = 0; out->x.affine && i < p->n_axes; i++) {
        int64_t step = 0;
        if (!plan_step(p, p->stages[0].address, p->axes[i].var, &step))
            return false;
        out->to = step == 1 && out->x.step[i] > 1 ? i : out->to;
        out->from = step > 1 && out->x.step[i] == 1 ? i : out->from;
    }
    if (out->to < 0 || out->from < 0)
        return false;
    out->lanes = target_lanes(p->options->target, 32);
    while (out->lanes > p->axes[out->to].extent || out->lanes > p->axes[out->from].extent)
        out->lanes /= 2;
    return out->lanes >= LEAST;
}

/* The first element of each square along the axis; the last one steps back. */
static const expr *squares(plan *p, int axis, int lanes) {
    builder *b = p->b;
    const int64_t extent = p->axes[axis].extent, n = tile_blocks(extent, lanes);
    const expr *first = build_mul(b, build_for(b, "b", build_index(b, n), LOOP_SERIAL), build_index(b, lanes));
    return build_let(b, "first", build_min(b, first, build_index(b, extent - lanes)));
}

static void copy_square(plan *p, const turn *t, const expr **vars, const expr **at) {
    builder *b = p->b;
    const plan_stage *g = &p->stages[0];
    const expr *x[TILE_MOST_LANES], *first_to = at[t->to], *first_from = at[t->from];
    const ltype type = LTYPE(g->value->type.elem, t->lanes);
    for (int i = 0; i < t->lanes; i++) {
        at[t->to] = build_add(b, first_to, build_index(b, i));
        x[i] = build_load(b, g->value->ref, type, build_substitute(b, g->value->arg[0], vars, at, p->n_axes), NULL);
    }
    at[t->to] = first_to;
    turn_square(b, x, t->lanes);
    for (int i = 0; i < t->lanes; i++) {
        at[t->from] = build_add(b, first_from, build_index(b, i));
        build_store(b, g->slot, build_substitute(b, g->address, vars, at, p->n_axes), x[i], NULL);
    }
}

status emit_turned(plan *p, bool *out_done) {
    turn t;
    const expr *vars[NEST_MAX_AXES], *at[NEST_MAX_AXES];
    *out_done = find_turn(p, &t);
    if (!*out_done)
        return STATUS_OK;
    for (int i = 0; i < p->n_axes; i++) {
        vars[i] = p->axes[i].var;
        if (i != t.to && i != t.from)
            at[i] = build_for(p->b, "i", build_index(p->b, p->axes[i].extent), LOOP_SERIAL);
    }
    at[t.to] = squares(p, t.to, t.lanes);
    at[t.from] = squares(p, t.from, t.lanes);
    copy_square(p, &t, vars, at);
    for (int i = 0; i < p->n_axes; i++)
        build_end(p->b);
    return STATUS_OK;
}
