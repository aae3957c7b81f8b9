/* Bounds of accesses whose index is affine in loop variables of constant extent: both ends of such an index are
 * reached, so what lies outside is a bug and not a guess. Everything else is left to the interpreter. */
#include "loop/verify_internal.h"

#define MOST_TERMS 32
#define MOST_STEPS 256 /* LETs may repeat each other's parts */

typedef struct sum {
    int n, steps;
    int ref[MOST_TERMS];
    int64_t coef[MOST_TERMS];
    int64_t constant;
} sum;

static bool add_var(sum *s, int ref, int64_t scale) {
    for (int i = 0; i < s->n; i++)
        if (s->ref[i] == ref)
            return !__builtin_add_overflow(s->coef[i], scale, &s->coef[i]);
    if (s->n == MOST_TERMS)
        return false;
    s->ref[s->n] = ref;
    s->coef[s->n++] = scale;
    return true;
}

/* Adds scale * x; false where x is not affine in loop variables of constant extent, or numbers get too large. */
static bool add_to_sum(const verifier *v, sum *s, const expr *x, int64_t scale) {
    int64_t product;
    if (++s->steps > MOST_STEPS)
        return false;
    switch (x->kind) {
    case EXPR_INT:
        return !__builtin_mul_overflow(x->imm, scale, &product) &&
               !__builtin_add_overflow(s->constant, product, &s->constant);
    case EXPR_VAR:
        if (v->vars[x->ref].value != NULL)
            return add_to_sum(v, s, v->vars[x->ref].value, scale);
        return v->vars[x->ref].extent > 0 && add_var(s, x->ref, scale);
    case EXPR_ADD:
        return add_to_sum(v, s, x->arg[0], scale) && add_to_sum(v, s, x->arg[1], scale);
    case EXPR_SUB:
        return add_to_sum(v, s, x->arg[0], scale) && scale != INT64_MIN && add_to_sum(v, s, x->arg[1], -scale);
    case EXPR_NEG:
        return scale != INT64_MIN && add_to_sum(v, s, x->arg[0], -scale);
    case EXPR_MUL:
        return x->arg[1]->kind == EXPR_INT && !__builtin_mul_overflow(x->arg[1]->imm, scale, &product) &&
               add_to_sum(v, s, x->arg[0], product);
    default:
        return false;
    }
}

static bool sum_range(const verifier *v, const sum *s, __int128 *out_lo, __int128 *out_hi) {
    *out_lo = *out_hi = s->constant;
    for (int i = 0; i < s->n; i++) {
        __int128 reach = (__int128)s->coef[i] * (v->vars[s->ref[i]].extent - 1);
        *(reach < 0 ? out_lo : out_hi) += reach;
    }
    return *out_lo >= INT64_MIN && *out_hi <= INT64_MAX;
}

void verify_bounds(verifier *v, int buffer, int lanes, const expr *index, bool masked) {
    if (v->result != STATUS_OK || !v->certain || masked)
        return;
    int64_t stride = 1;
    if (index->type.lanes > 1) {
        if (index->kind != EXPR_RAMP)
            return;
        stride = index->imm;
        index = index->arg[0];
    }
    sum s = {0};
    __int128 lo, hi;
    if (!add_to_sum(v, &s, index, 1) || !sum_range(v, &s, &lo, &hi))
        return;
    __int128 reach = (__int128)stride * (lanes - 1);
    *(reach < 0 ? &lo : &hi) += reach;
    const kernel_buffer *b = &v->k->buffers.at[buffer];
    if (lo < 0 || hi >= b->n)
        verify_fail(v, "elements %lld to %lld of buffer '%s' are accessed, which has %lld", (long long)lo,
                    (long long)hi, b->name, (long long)b->n);
}
