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

/* Smallest and largest value of an index over the axes; false where it is not affine in them. */
static bool extremes(builder *b, const expr *index, const nest_axis *axes, int n, int64_t *out_low, int64_t *out_high) {
    const expr *vars[PLAN_MAX_AXES], *rest = NULL;
    int64_t c[PLAN_MAX_AXES];
    for (int i = 0; i < n; i++)
        vars[i] = axes[i].var;
    if (!expr_affine(b, index, vars, n, c, &rest) || rest->kind != EXPR_INT)
        return false;
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

status pad_operand(plan *p, const expr *read, const expr **out_load) {
    const schedule_operand *o = &p->operands[read->ref];
    nest_axis axes[PLAN_MAX_AXES];
    pad_reach reach[NEST_MAX_AXES];
    pack_dim dims[NEST_MAX_AXES];
    int order[NEST_MAX_AXES], src = plan_operand_slot(p, read->ref);
    const expr *address = build_index(p->b, 0);
    int64_t total = 1;
    *out_load = NULL;
    if (!pad_reach_of(p->b, read, o->rank, axes, plan_all_axes(p, axes), reach))
        return STATUS_OK;
    if (has_border(o, reach)) {
        *out_load = build_load(p->b, src, read->type, operand_position(p->b, o, read->arg), NULL);
        return src < 0 ? STATUS_RESOURCE : STATUS_OK;
    }
    pad_order(o, order);
    for (int i = o->rank - 1; i >= 0; i--) {
        int d = order[i];
        const pad_reach *r = &reach[d];
        dims[i] = (pack_dim){r->high - r->low + 1, operand_stride(o, d), r->low, r->from, r->to};
        const expr *position = build_sub(p->b, read->arg[d], build_index(p->b, r->low));
        address = build_add(p->b, address, build_mul(p->b, position, build_index(p->b, total)));
        total *= dims[i].extent;
    }
    int dst = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = o->elem, .n = total});
    if (src < 0 || dst < 0)
        return STATUS_RESOURCE;
    TRY(pack_copy(p, src, o->layout != NULL ? o->layout->first : 0, dst, dims, o->rank));
    *out_load = build_load(p->b, dst, read->type, address, NULL);
    return STATUS_OK;
}
