/* Zero padding: an operand that a contraction reads under a mask is copied into a scratch with a border, so that no
 * masks are left. */
#include "schedule/plan.h"

/* What a mask allows of one dimension's index: low <= index < high. */
typedef struct range {
    int64_t low, high;
    bool has_low, has_high;
} range;

void pad_order(const schedule_operand *o, int *out) {
    for (int d = 0; d < o->rank; d++) {
        int k = d;
        for (; k > 0 && operand_stride(o, out[k - 1]) < operand_stride(o, d); k--)
            out[k] = out[k - 1];
        out[k] = d;
    }
}

/* The dimension whose index is x plus a constant, which goes to *out_shift; -1 where there is none. */
static int dimension_of(builder *b, const expr *const *index, int rank, const expr *x, int64_t *out_shift) {
    for (int d = 0; d < rank; d++) {
        const expr *shift = build_sub(b, index[d], x);
        if (index[d]->kind != EXPR_INT && shift->kind == EXPR_INT) {
            *out_shift = shift->imm;
            return d;
        }
    }
    return -1;
}

/* Takes `bound op x` or `x op bound` apart into the dimension's range. */
static bool read_comparison(builder *b, const expr *const *index, int rank, const expr *c, range *ranges) {
    bool below = c->arg[0]->kind == EXPR_INT; /* bound <= x */
    const expr *x = c->arg[below ? 1 : 0], *bound = c->arg[below ? 0 : 1];
    int64_t shift = 0, strict = c->kind == EXPR_LT;
    if ((c->kind != EXPR_LT && c->kind != EXPR_LE) || bound->kind != EXPR_INT)
        return false;
    int d = dimension_of(b, index, rank, x, &shift);
    if (d < 0)
        return false;
    range *r = &ranges[d];
    int64_t at = bound->imm + shift + (below ? strict : 1 - strict);
    if (below) {
        r->low = r->has_low && r->low > at ? r->low : at;
        r->has_low = true;
    } else {
        r->high = r->has_high && r->high < at ? r->high : at;
        r->has_high = true;
    }
    return true;
}

/* Is the mask a conjunction of such comparisons? */
static bool read_mask(builder *b, const expr *const *index, int rank, const expr *mask, range *ranges) {
    if (mask->kind == EXPR_AND)
        return read_mask(b, index, rank, mask->arg[0], ranges) && read_mask(b, index, rank, mask->arg[1], ranges);
    return read_comparison(b, index, rank, mask, ranges);
}

/* Smallest and largest value of a sum of axes, multiples of axes, and the smaller ones of two such: where the last tile
 * along an axis steps back. */
static bool bounds(const expr *x, const nest_axis *axes, int n, int64_t *out_low, int64_t *out_high) {
    int64_t low[2], high[2];
    for (int i = 0; i < n; i++)
        if (axes[i].var == x) {
            *out_low = 0;
            *out_high = axes[i].extent - 1;
            return true;
        }
    *out_low = *out_high = x->imm;
    if (x->kind == EXPR_INT)
        return true;
    if ((x->kind != EXPR_ADD && x->kind != EXPR_SUB && x->kind != EXPR_MUL && x->kind != EXPR_MIN) ||
        !bounds(x->arg[0], axes, n, &low[0], &high[0]) || !bounds(x->arg[1], axes, n, &low[1], &high[1]))
        return false;
    switch (x->kind) {
    case EXPR_ADD:
        *out_low = low[0] + low[1];
        *out_high = high[0] + high[1];
        return true;
    case EXPR_SUB:
        *out_low = low[0] - high[1];
        *out_high = high[0] - low[1];
        return true;
    case EXPR_MIN:
        *out_low = low[0] < low[1] ? low[0] : low[1];
        *out_high = high[0] < high[1] ? high[0] : high[1];
        return true;
    default: /* by a number above 0 */
        *out_low = low[0] * low[1];
        *out_high = high[0] * high[1];
        return low[1] == high[1] && low[1] > 0;
    }
}

/* Smallest and largest value of an index over the axes; false where it is neither affine in them nor such a sum. */
static bool extremes(builder *b, const expr *index, const nest_axis *axes, int n, int64_t *out_low, int64_t *out_high) {
    const expr *vars[PLAN_MAX_AXES], *rest = NULL;
    int64_t c[PLAN_MAX_AXES];
    for (int i = 0; i < n; i++)
        vars[i] = axes[i].var;
    if (!expr_affine(b, index, vars, n, c, &rest) || rest->kind != EXPR_INT)
        return bounds(index, axes, n, out_low, out_high);
    *out_low = *out_high = rest->imm;
    for (int k = 0; k < n; k++) {
        int64_t reach = c[k] * (axes[k].extent - 1);
        *(reach < 0 ? out_low : out_high) += reach;
    }
    return true;
}

bool pad_reach_of(builder *b, const expr *read, int rank, const nest_axis *axes, int n, pad_reach *out) {
    range ranges[NEST_MAX_AXES] = {{0}};
    if (!read_mask(b, read->arg, rank, read->arg[rank], ranges))
        return false;
    for (int d = 0; d < rank; d++) {
        pad_reach *r = &out[d];
        if (!extremes(b, read->arg[d], axes, n, &r->low, &r->high))
            return false;
        r->from = ranges[d].has_low ? ranges[d].low : r->low;
        r->to = ranges[d].has_high ? ranges[d].high : r->high + 1;
    }
    return true;
}

/* Do zeros around the operand stand for all that the mask leaves out? */
static bool has_border(const schedule_operand *o, const pad_reach *reach) {
    for (int d = 0; d < o->rank; d++) {
        const pad_reach *r = &reach[d];
        int64_t low = o->layout != NULL ? -o->layout->low[d] : 0,
                high = o->dims[d] + (o->layout != NULL ? o->layout->high[d] : 0);
        if (r->low < low || r->high >= high || !pad_is_whole(r, o->dims[d]))
            return false;
    }
    return true;
}

/* ---- copies ---- */

static bool is_whole(const schedule_operand *o, const pad_reach *reach) {
    for (int d = 0; d < o->rank; d++)
        if (!pad_is_whole(&reach[d], o->dims[d]))
            return false;
    return true;
}

/* The reach of all masked READs of the operand, of which `read` is one. */
typedef struct pad_union {
    plan *p;
    const expr *read;
    const nest_axis *axes;
    int n_axes;
    pad_reach *reach;
} pad_union;

static void add_reach(const expr *x, void *ctx) {
    const pad_union *u = ctx;
    const schedule_operand *o = &u->p->operands[u->read->ref];
    pad_reach reach[NEST_MAX_AXES];
    if (x->kind != EXPR_READ || x->ref != u->read->ref || !x->masked ||
        !pad_reach_of(u->p->b, x, o->rank, u->axes, u->n_axes, reach) || !is_whole(o, reach))
        return;
    for (int d = 0; d < o->rank; d++) {
        u->reach[d].low = reach[d].low < u->reach[d].low ? reach[d].low : u->reach[d].low;
        u->reach[d].high = reach[d].high > u->reach[d].high ? reach[d].high : u->reach[d].high;
    }
}

/* One copy serves all READs whose masks only keep them inside of the operand. */
static void unite_reach(plan *p, const expr *read, const nest_axis *axes, int n_axes, pad_reach *reach) {
    const schedule_operand *o = &p->operands[read->ref];
    pad_union u = {p, read, axes, n_axes, reach};
    if (!is_whole(o, reach))
        return;
    for (int s = 0; s < p->n_stages; s++)
        expr_visit(p->stages[s].value, add_reach, &u);
    for (int d = 0; d < o->rank; d++) {
        reach[d].from = 0;
        reach[d].to = o->dims[d];
    }
}

/* The copy that has been made for another READ and has all that this one reaches; NULL: none. */
static const pad_copy *find_copy(const plan *p, const expr *read, const pad_reach *reach) {
    const schedule_operand *o = &p->operands[read->ref];
    for (size_t i = 0; i < p->copies.n && is_whole(o, reach); i++) {
        const pad_copy *c = &p->copies.at[i];
        bool holds = c->operand == read->ref && is_whole(o, c->reach);
        for (int d = 0; d < o->rank; d++)
            holds &= reach[d].low >= c->reach[d].low && reach[d].high <= c->reach[d].high;
        if (holds)
            return c;
    }
    return NULL;
}

static status make_copy(plan *p, int operand, const pad_reach *reach, pad_copy *out) {
    const schedule_operand *o = &p->operands[operand];
    pack_dim dims[NEST_MAX_AXES];
    int order[NEST_MAX_AXES], src = plan_operand_slot(p, operand);
    int64_t total = 1;
    *out = (pad_copy){.operand = operand};
    pad_order(o, order);
    for (int i = o->rank - 1; i >= 0; i--) {
        int d = order[i];
        const pad_reach *r = &reach[d];
        int64_t all = r->high - r->low + 1;
        dims[i] = (pack_dim){all, operand_stride(o, d), r->low, r->from, r->to, all};
        out->reach[d] = *r;
        out->strides[d] = total;
        total *= dims[i].extent;
    }
    out->slot = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = o->elem, .n = total});
    if (src < 0 || out->slot < 0)
        return STATUS_RESOURCE;
    TRY(pack_copy(p, src, o->layout != NULL ? o->layout->first : 0, out->slot, dims, o->rank));
    return VEC_PUSH(p->memory, p->copies, *out);
}

status pad_operand(plan *p, const expr *read, const expr **out_load) {
    const schedule_operand *o = &p->operands[read->ref];
    nest_axis axes[PLAN_MAX_AXES];
    pad_reach reach[NEST_MAX_AXES];
    pad_copy made;
    int n_axes = plan_all_axes(p, axes);
    *out_load = NULL;
    if (!pad_reach_of(p->b, read, o->rank, axes, n_axes, reach))
        return STATUS_OK;
    if (has_border(o, reach)) {
        int src = plan_operand_slot(p, read->ref);
        *out_load = build_load(p->b, src, read->type, operand_position(p->b, o, read->arg), NULL);
        return src < 0 ? STATUS_RESOURCE : STATUS_OK;
    }
    const pad_copy *c = find_copy(p, read, reach);
    if (c == NULL) {
        unite_reach(p, read, axes, n_axes, reach);
        TRY(make_copy(p, read->ref, reach, &made));
        c = &made;
    }
    const expr *address = build_index(p->b, 0);
    for (int d = 0; d < o->rank; d++) {
        const expr *position = build_sub(p->b, read->arg[d], build_index(p->b, c->reach[d].low));
        address = build_add(p->b, address, build_mul(p->b, position, build_index(p->b, c->strides[d])));
    }
    *out_load = build_load(p->b, c->slot, read->type, address, NULL);
    return STATUS_OK;
}
