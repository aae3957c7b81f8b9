/* Axes of a reduction that the data take apart, as a flattened picture's: the data lie by i / 49, i / 7 % 7 and i % 7.
 * Those digits become axes of their own, along each of which the data step evenly. */
#include "schedule/plan.h"

#define MOST_DIGITS 4

/* i / low % (high / low): what an expression over the axis is. */
typedef struct digit {
    const expr *x;
    int64_t low, high;
} digit;

typedef struct digit_list {
    const expr *var;
    int64_t extent;
    VEC(digit) at;
} digit_list;

static bool is_by_number(const expr *x, expr_kind k) {
    return x->kind == k && x->arg[1]->kind == EXPR_INT && x->arg[1]->imm > 0;
}

static bool read_digit(const digit_list *l, const expr *x, digit *out) {
    *out = (digit){.x = x, .low = 1, .high = l->extent};
    if (is_by_number(x, EXPR_REM)) {
        out->high = x->arg[1]->imm;
        x = x->arg[0];
    }
    if (is_by_number(x, EXPR_DIV)) {
        out->low = x->arg[1]->imm;
        if (out->x != x && __builtin_mul_overflow(out->high, out->low, &out->high))
            return false;
        x = x->arg[0];
    }
    return x == l->var && out->high <= l->extent && out->low < out->high;
}

/* The digits that x is made of: the longest expressions, so that none is a part of another. */
static status find_digits(plan *p, digit_list *l, const expr *x) {
    digit d;
    if (read_digit(l, x, &d)) {
        for (size_t i = 0; i < l->at.n; i++)
            if (l->at.at[i].x == x)
                return STATUS_OK;
        return VEC_PUSH(p->memory, l->at, d);
    }
    for (int i = 0; i < x->n_args; i++)
        TRY(find_digits(p, l, x->arg[i]));
    return STATUS_OK;
}

static bool add_place(int64_t *places, int *n, int64_t place) {
    int k = 0;
    while (k < *n && places[k] < place)
        k++;
    if (k < *n && places[k] == place)
        return true;
    if (*n == MOST_DIGITS + 1)
        return false;
    for (int i = *n; i > k; i--)
        places[i] = places[i - 1];
    places[k] = place;
    (*n)++;
    return true;
}

/* Where digits begin and end, from 1 to the extent: each has to divide the next. */
static bool find_places(const digit_list *l, int64_t *places, int *n) {
    *n = 0;
    if (l->extent < 2 || !add_place(places, n, 1) || !add_place(places, n, l->extent))
        return false;
    for (size_t i = 0; i < l->at.n; i++)
        if (!add_place(places, n, l->at.at[i].low) || !add_place(places, n, l->at.at[i].high))
            return false;
    for (int i = 0; i + 1 < *n; i++)
        if (places[i + 1] % places[i] != 0)
            return false;
    return *n > 2;
}

/* The digit's number, of axes that count from each place to the next, outermost first. */
static const expr *number_of(builder *b, const digit *d, const int64_t *places, int n, const nest_axis *axes) {
    const expr *x = build_index(b, 0);
    for (int i = 0; i + 1 < n; i++)
        if (places[i] >= d->low && places[i] < d->high)
            x = build_add(b, x, build_mul(b, axes[n - 2 - i].var, build_index(b, places[i] / d->low)));
    return x;
}

/* Axis k becomes those of its digits. */
static status split(plan *p, plan_stage *g, int k, const digit_list *l, const int64_t *places, int n) {
    nest_axis axes[MOST_DIGITS];
    size_t n_digits = l->at.n;
    const expr **from = ARENA_NEW_N(p->memory, const expr *, n_digits + 1),
               **to = ARENA_NEW_N(p->memory, const expr *, n_digits + 1);
    TRY_ALLOC(from);
    TRY_ALLOC(to);
    for (int i = 0; i + 1 < n; i++)
        axes[n - 2 - i] = (nest_axis){build_var(p->b, LTYPE(DT_I64, 1), "k"), places[i + 1] / places[i]};
    for (size_t i = 0; i < n_digits; i++) {
        from[i] = l->at.at[i].x;
        to[i] = number_of(p->b, &l->at.at[i], places, n, axes);
    }
    plan_substitute(p, from, to, (int)n_digits);
    int more = n - 2;
    for (int i = g->n_axes - 1; i > k; i--)
        g->axes[i + more] = g->axes[i];
    for (int i = 0; i <= more; i++)
        g->axes[k + i] = axes[i];
    g->n_axes += more;
    return builder_status(p->b);
}

static int axes_of_all(const plan *p) {
    int n = p->n_axes;
    for (int s = 0; s < p->n_stages; s++)
        n += p->stages[s].n_axes;
    return n;
}

static status split_axis(plan *p, plan_stage *g, int k) {
    digit_list l = {.var = g->axes[k].var, .extent = g->axes[k].extent};
    int64_t places[MOST_DIGITS + 1];
    int n;
    TRY(find_digits(p, &l, g->value));
    bool room =
        find_places(&l, places, &n) && g->n_axes + n - 2 <= NEST_MAX_AXES && axes_of_all(p) + n - 2 <= PLAN_MAX_AXES;
    return room ? split(p, g, k, &l, places, n) : STATUS_OK;
}

status plan_digits(plan *p) {
    for (int s = 0; p->contract && s < p->n_stages; s++)
        for (int k = p->stages[s].n_axes - 1; k >= 0 && p->stages[s].kind == STAGE_REDUCE; k--)
            TRY(split_axis(p, &p->stages[s], k));
    return STATUS_OK;
}
