/* Zero padding: an operand that a contraction reads under a mask is copied into a scratch with a border, so that no masks are left. */
#include "schedule/plan.h"

/* What a mask allows of one dimension's index: low <= index < high. */
typedef struct range {
    int64_t low, high;
    bool has_low, has_high;
} range;

/* Dimensions by falling stride. */
static void order_by_stride(const schedule_operand *o, int *out) {
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

/* Smallest and largest value of an index over all axes; false where it is not affine in them. */
static bool reach_of(const plan *p, const expr *index, int64_t *out_low, int64_t *out_high) {
    nest_axis axes[PLAN_MAX_AXES];
    const expr *vars[PLAN_MAX_AXES], *rest = NULL;
    int64_t c[PLAN_MAX_AXES];
    int n = plan_all_axes(p, axes);
    for (int i = 0; i < n; i++)
        vars[i] = axes[i].var;
    if (!expr_affine(p->b, index, vars, n, c, &rest) || rest->kind != EXPR_INT)
        return false;
    *out_low = *out_high = rest->imm;
    for (int k = 0; k < n; k++) {
        int64_t reach = c[k] * (axes[k].extent - 1);
        *(reach < 0 ? out_low : out_high) += reach;
    }
    return true;
}

status pad_operand(plan *p, const expr *read, const expr **out_load) {
    const schedule_operand *o = &p->operands[read->ref];
    pack_dim dims[NEST_MAX_AXES];
    range ranges[NEST_MAX_AXES] = {{0}};
    int order[NEST_MAX_AXES];
    const expr *address = build_index(p->b, 0);
    int64_t total = 1;
    *out_load = NULL;
    if (!read_mask(p->b, read->arg, o->rank, read->arg[o->rank], ranges))
        return STATUS_OK;
    order_by_stride(o, order);
    for (int i = o->rank - 1; i >= 0; i--) {
        int d = order[i];
        int64_t low = 0, high = 0;
        if (!reach_of(p, read->arg[d], &low, &high))
            return STATUS_OK;
        dims[i] = (pack_dim){high - low + 1, operand_stride(o, d), low, ranges[d].has_low ? ranges[d].low : low,
                             ranges[d].has_high ? ranges[d].high : high + 1};
        const expr *position = build_sub(p->b, read->arg[d], build_index(p->b, low));
        address = build_add(p->b, address, build_mul(p->b, position, build_index(p->b, total)));
        total *= dims[i].extent;
    }
    int src = plan_operand_slot(p, read->ref);
    int dst = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_SCRATCH, .elem = o->elem, .n = total});
    if (src < 0 || dst < 0)
        return STATUS_RESOURCE;
    TRY(pack_copy(p, src, 0, dst, dims, o->rank));
    *out_load = build_load(p->b, dst, read->type, address, NULL);
    return STATUS_OK;
}
