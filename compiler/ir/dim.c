/* Dimension arithmetic: canonical sums of products. */
#include "ir/dim_form.h"

#include <stdlib.h>
#include <string.h>

/* Bounds on what untrusted models can make of an expression. */
enum { TERMS_MAX = 64, FACTORS_MAX = 32, EXPRESSION_MAX = 256, DIVISION_STEPS_MAX = 64 };

const dim_expr dim_poison;
const dim_expr dim_undefined;

#define POISON ((dim){0, &dim_poison})
#define UNDEFINED ((dim){0, &dim_undefined})

/* STATUS_OK where d has a value. */
status dim_status(dim d) {
    return d.expr == &dim_poison ? STATUS_RESOURCE : d.expr == &dim_undefined ? STATUS_INVALID : STATUS_OK;
}

/* The worse of two dims of which one has no value. */
static dim without_value(dim x, dim y) {
    return x.expr == &dim_poison || y.expr == &dim_poison ? POISON : UNDEFINED;
}

/* floor(x / y) and x - y * floor(x / y), for y > 0 */
static int64_t floor_quotient(int64_t x, int64_t y) {
    return x / y - (x % y < 0);
}

static int64_t floor_remainder(int64_t x, int64_t y) {
    return x % y + (x % y < 0 ? y : 0);
}

static int64_t constant_of(dim d) {
    return dim_is_known(d) ? d.n : d.expr->constant;
}

static int n_terms(dim d) {
    return dim_is_known(d) ? 0 : d.expr->n;
}

static int size_of(dim d) {
    return dim_is_known(d) ? 1 : d.expr->size;
}

/* ---- order ---- */

static int compare(dim x, dim y);

static int compare_factors(const dim_factor *x, const dim_factor *y) {
    if (x == y)
        return 0;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind == FACTOR_SYMBOL)
        return strcmp(x->symbol, y->symbol);
    int first = compare(x->x, y->x);
    return first != 0 ? first : compare(x->y, y->y);
}

/* Higher degree first, then by factors: an order that multiplication keeps, so that polynomial division ends. */
static int compare_products(const dim_term *x, const dim_term *y) {
    if (x->n != y->n)
        return x->n > y->n ? -1 : 1;
    for (int i = 0; i < x->n; i++) {
        int c = compare_factors(x->factors[i], y->factors[i]);
        if (c != 0)
            return c;
    }
    return 0;
}

static int compare_numbers(int64_t x, int64_t y) {
    return (x > y) - (x < y);
}

/* Any total order; 0 exactly where the expressions are the same. */
static int compare(dim x, dim y) {
    if (x.expr == y.expr)
        return x.expr == NULL ? compare_numbers(x.n, y.n) : 0;
    if (n_terms(x) != n_terms(y))
        return compare_numbers(n_terms(x), n_terms(y));
    for (int i = 0; i < n_terms(x); i++) {
        const dim_term *s = &x.expr->terms[i], *t = &y.expr->terms[i];
        int c = compare_products(s, t);
        if (c != 0)
            return c;
        if (s->coefficient != t->coefficient)
            return compare_numbers(s->coefficient, t->coefficient);
    }
    return compare_numbers(constant_of(x), constant_of(y));
}

/* Are they the same expression? No value equals nothing. */
bool dim_equal(dim x, dim y) {
    return dim_has_value(x) && dim_has_value(y) && compare(x, y) == 0;
}

/* ---- sums under construction ---- */

typedef struct sum {
    arena *memory;
    VEC(dim_term) terms; /* sorted */
    int64_t constant;
    const dim_expr *bad; /* why there is no value; NULL while there is one */
} sum;

static void sum_constant(sum *s, int64_t c) {
    if (__builtin_add_overflow(s->constant, c, &s->constant))
        s->bad = &dim_undefined;
}

static void sum_insert(sum *s, size_t at, dim_term t) {
    if (s->terms.n == TERMS_MAX) {
        s->bad = &dim_undefined;
        return;
    }
    if (VEC_PUSH(s->memory, s->terms, t) != STATUS_OK) {
        s->bad = &dim_poison;
        return;
    }
    memmove(&s->terms.at[at + 1], &s->terms.at[at], (s->terms.n - 1 - at) * sizeof t);
    s->terms.at[at] = t;
}

static void sum_remove(sum *s, size_t at) {
    s->terms.n--;
    memmove(&s->terms.at[at], &s->terms.at[at + 1], (s->terms.n - at) * sizeof *s->terms.at);
}

static void sum_term(sum *s, dim_term t) {
    if (s->bad != NULL || t.coefficient == 0)
        return;
    size_t at = 0;
    while (at < s->terms.n && compare_products(&s->terms.at[at], &t) < 0)
        at++;
    if (at == s->terms.n || compare_products(&s->terms.at[at], &t) != 0) {
        sum_insert(s, at, t);
        return;
    }
    dim_term *same = &s->terms.at[at];
    if (__builtin_add_overflow(same->coefficient, t.coefficient, &same->coefficient))
        s->bad = &dim_undefined;
    else if (same->coefficient == 0)
        sum_remove(s, at);
}

/* Adds d times factor. */
static void sum_add(sum *s, dim d, int64_t factor) {
    int64_t c;
    if (__builtin_mul_overflow(constant_of(d), factor, &c))
        s->bad = &dim_undefined;
    else
        sum_constant(s, c);
    for (int i = 0; i < n_terms(d) && s->bad == NULL; i++) {
        dim_term t = d.expr->terms[i];
        if (__builtin_mul_overflow(t.coefficient, factor, &t.coefficient))
            s->bad = &dim_undefined;
        else
            sum_term(s, t);
    }
}

static dim sum_dim(sum *s) {
    if (s->bad != NULL)
        return (dim){0, s->bad};
    if (s->terms.n == 0)
        return DIM(s->constant);
    int size = 1;
    for (size_t i = 0; i < s->terms.n; i++)
        for (int f = 0; f < s->terms.at[i].n; f++)
            size += s->terms.at[i].factors[f]->size;
    if (size > EXPRESSION_MAX)
        return UNDEFINED;
    dim_expr *e = ARENA_NEW(s->memory, dim_expr);
    if (e == NULL)
        return POISON;
    *e = (dim_expr){s->constant, (int)s->terms.n, size, s->terms.at};
    return (dim){0, e};
}

static dim linear(arena *a, dim x, int64_t kx, dim y, int64_t ky) {
    if (!dim_has_value(x) || !dim_has_value(y))
        return without_value(x, y);
    sum s = {.memory = a};
    sum_add(&s, x, kx);
    sum_add(&s, y, ky);
    return sum_dim(&s);
}

static dim scaled(arena *a, dim x, int64_t k) {
    return linear(a, x, k, DIM(0), 0);
}

/* A sum of one factor; f is copied. */
static dim from_factor(arena *a, dim_factor f) {
    f.size = f.kind == FACTOR_SYMBOL ? 1 : 1 + size_of(f.x) + size_of(f.y);
    dim_factor *copy = ARENA_NEW(a, dim_factor);
    const dim_factor **list = ARENA_NEW(a, const dim_factor *);
    if (copy == NULL || list == NULL)
        return POISON;
    *copy = f;
    *list = copy;
    sum s = {.memory = a};
    sum_term(&s, (dim_term){1, 1, list});
    return sum_dim(&s);
}

/* ---- operations ---- */

/* The symbol of that name, which is copied. */
dim dim_symbol(arena *a, const char *name) {
    const char *copy = arena_strdup(a, name);
    return copy == NULL ? POISON : from_factor(a, (dim_factor){.kind = FACTOR_SYMBOL, .symbol = copy});
}

/* x + y */
dim dim_add(arena *a, dim x, dim y) {
    return linear(a, x, 1, y, 1);
}

/* x - y */
dim dim_sub(arena *a, dim x, dim y) {
    return linear(a, x, 1, y, -1);
}

static void sum_product(sum *s, const dim_term *x, const dim_term *y) {
    int n = x->n + y->n;
    int64_t c;
    if (n > FACTORS_MAX || __builtin_mul_overflow(x->coefficient, y->coefficient, &c)) {
        s->bad = &dim_undefined;
        return;
    }
    const dim_factor **list = ARENA_NEW_N(s->memory, const dim_factor *, n);
    if (list == NULL) {
        s->bad = &dim_poison;
        return;
    }
    for (int i = 0, j = 0; i + j < n;) {
        bool first = j == y->n || (i < x->n && compare_factors(x->factors[i], y->factors[j]) <= 0);
        list[i + j] = first ? x->factors[i] : y->factors[j];
        *(first ? &i : &j) += 1;
    }
    sum_term(s, (dim_term){c, n, list});
}

/* x * y */
dim dim_mul(arena *a, dim x, dim y) {
    if (!dim_has_value(x) || !dim_has_value(y))
        return without_value(x, y);
    if (dim_is_known(y))
        return scaled(a, x, y.n);
    if (dim_is_known(x))
        return scaled(a, y, x.n);
    sum s = {.memory = a};
    sum_add(&s, x, constant_of(y));
    sum_add(&s, y, constant_of(x));
    int64_t twice;
    if (__builtin_mul_overflow(constant_of(x), constant_of(y), &twice) || twice == INT64_MIN)
        return UNDEFINED;
    sum_constant(&s, -twice);
    for (int i = 0; i < n_terms(x); i++)
        for (int j = 0; j < n_terms(y) && s.bad == NULL; j++)
            sum_product(&s, &x.expr->terms[i], &y.expr->terms[j]);
    return sum_dim(&s);
}

static int64_t common_divisor(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t r = x % y;
        x = y;
        y = r;
    }
    return x < 0 ? -x : x;
}

/* floor(x / y) for y > 0: floor((y*Q + R) / y) = Q + floor(R / y) with the coefficients of R in [0, y), and then what
 * R's coefficients and y have in common cancels. */
static dim divide_by_number(arena *a, dim x, int64_t y) {
    sum whole = {.memory = a}, rest = {.memory = a};
    int64_t common = y;
    for (int i = 0; i < n_terms(x); i++) {
        dim_term q = x.expr->terms[i], r = q;
        q.coefficient = floor_quotient(q.coefficient, y);
        r.coefficient = floor_remainder(r.coefficient, y);
        common = common_divisor(common, r.coefficient);
        sum_term(&whole, q);
        sum_term(&rest, r);
    }
    sum_constant(&whole, floor_quotient(constant_of(x), y));
    dim quotient = sum_dim(&whole), numerator = sum_dim(&rest);
    if (!dim_has_value(numerator) || dim_is_known(numerator))
        return linear(a, quotient, 1, numerator, 0);
    sum reduced = {.memory = a};
    sum_constant(&reduced, floor_remainder(constant_of(x), y) / common);
    for (int i = 0; i < n_terms(numerator); i++) {
        dim_term t = numerator.expr->terms[i];
        t.coefficient /= common;
        sum_term(&reduced, t);
    }
    dim below = sum_dim(&reduced);
    if (y == common || !dim_has_value(below))
        return dim_add(a, quotient, below);
    return dim_add(a, quotient, from_factor(a, (dim_factor){.kind = FACTOR_DIV, .x = below, .y = DIM(y / common)}));
}

/* *out = x / y, which may have no factors left; false where y does not divide x. */
static bool divide_terms(arena *a, const dim_term *x, const dim_term *y, dim_term *out, bool *out_no_memory) {
    if (y->n > x->n || x->coefficient == INT64_MIN || x->coefficient % y->coefficient != 0)
        return false;
    const dim_factor **left = ARENA_NEW_N(a, const dim_factor *, x->n);
    *out_no_memory = left == NULL;
    if (left == NULL)
        return false;
    int n = 0, j = 0;
    for (int i = 0; i < x->n; i++)
        if (j < y->n && compare_factors(x->factors[i], y->factors[j]) == 0)
            j++;
        else
            left[n++] = x->factors[i];
    *out = (dim_term){x->coefficient / y->coefficient, n, left};
    return j == y->n;
}

/* Long division by an expression: the quotient where nothing is left over, else dim_undefined. */
static dim divide_exactly(arena *a, dim x, dim y) {
    dim quotient = DIM(0), left = x;
    for (int step = 0; step < DIVISION_STEPS_MAX && !dim_is_known(left); step++) {
        dim_term t;
        bool no_memory = false;
        if (!divide_terms(a, &left.expr->terms[0], &y.expr->terms[0], &t, &no_memory))
            return no_memory ? POISON : UNDEFINED;
        sum s = {.memory = a};
        if (t.n == 0)
            sum_constant(&s, t.coefficient);
        else
            sum_term(&s, t);
        dim part = sum_dim(&s);
        quotient = dim_add(a, quotient, part);
        left = dim_sub(a, left, dim_mul(a, part, y));
        if (!dim_has_value(left))
            return left;
    }
    return dim_is_known(left) && left.n == 0 ? quotient : UNDEFINED;
}

/* floor(x / y) */
dim dim_floor_div(arena *a, dim x, dim y) {
    if (!dim_has_value(x) || !dim_has_value(y))
        return without_value(x, y);
    if (dim_is_known(y)) {
        if (y.n == 0 || y.n == INT64_MIN)
            return UNDEFINED;
        if (y.n > 0)
            return divide_by_number(a, x, y.n);
        dim negative = scaled(a, x, -1);
        return dim_has_value(negative) ? divide_by_number(a, negative, -y.n) : negative;
    }
    dim exact = divide_exactly(a, x, y);
    if (exact.expr != &dim_undefined)
        return exact;
    return from_factor(a, (dim_factor){.kind = FACTOR_DIV, .x = x, .y = y});
}

/* x - y * floor(x / y) */
dim dim_rem(arena *a, dim x, dim y) {
    return dim_sub(a, x, dim_mul(a, y, dim_floor_div(a, x, y)));
}

static dim extreme(arena *a, dim_factor_kind kind, dim x, dim y) {
    if (!dim_has_value(x) || !dim_has_value(y))
        return without_value(x, y);
    int64_t low = 0, high = 0;
    dim difference = dim_sub(a, x, y);
    if (difference.expr == &dim_poison)
        return POISON;
    if (dim_is_known(x) && dim_is_known(y)) {
        low = high = compare_numbers(x.n, y.n);
    } else if (dim_has_value(difference)) {
        dim_range(difference, &low, &high);
    } else {
        low = -1;
        high = 1;
    }
    if (high <= 0)
        return kind == FACTOR_MIN ? x : y;
    if (low >= 0)
        return kind == FACTOR_MIN ? y : x;
    bool swap = compare(x, y) < 0;
    return from_factor(a, (dim_factor){.kind = kind, .x = swap ? y : x, .y = swap ? x : y});
}

/* The smaller of x and y; decided here where their ranges allow. */
dim dim_min(arena *a, dim x, dim y) {
    return extreme(a, FACTOR_MIN, x, y);
}

/* The larger of x and y; decided here where their ranges allow. */
dim dim_max(arena *a, dim x, dim y) {
    return extreme(a, FACTOR_MAX, x, y);
}

/* ---- ranges ---- */

#define RANGE_LIMIT (INT64_C(1) << 62)

typedef struct range {
    int64_t low, high;
} range;

static int64_t clamp(__int128 x) {
    return x > RANGE_LIMIT ? RANGE_LIMIT : x < -RANGE_LIMIT ? -RANGE_LIMIT : (int64_t)x;
}

static range range_product(range x, range y) {
    __int128 p[4] = {(__int128)x.low * y.low, (__int128)x.low * y.high, (__int128)x.high * y.low,
                     (__int128)x.high * y.high};
    __int128 low = p[0], high = p[0];
    for (int i = 1; i < 4; i++) {
        low = p[i] < low ? p[i] : low;
        high = p[i] > high ? p[i] : high;
    }
    return (range){clamp(low), clamp(high)};
}

static range range_of(dim d) {
    range r;
    dim_range(d, &r.low, &r.high);
    return r;
}

static int64_t smaller(int64_t x, int64_t y) {
    return x < y ? x : y;
}

static int64_t larger(int64_t x, int64_t y) {
    return x > y ? x : y;
}

/* Of floor(x / y): a divisor that may be zero or negative says nothing; otherwise a quotient is no farther from zero
 * than x (or is -1). */
static range range_quotient(range x, range y) {
    if (y.low <= 0)
        return (range){-RANGE_LIMIT, RANGE_LIMIT};
    if (y.low == y.high)
        return (range){floor_quotient(x.low, y.low), floor_quotient(x.high, y.low)};
    return (range){smaller(x.low, 0), larger(floor_quotient(x.high, y.low), x.high < 0 ? -1 : 0)};
}

static range range_factor(const dim_factor *f) {
    if (f->kind == FACTOR_SYMBOL)
        return (range){0, DIM_SYMBOL_MAX};
    range x = range_of(f->x), y = range_of(f->y);
    if (f->kind == FACTOR_MIN)
        return (range){smaller(x.low, y.low), smaller(x.high, y.high)};
    if (f->kind == FACTOR_MAX)
        return (range){larger(x.low, y.low), larger(x.high, y.high)};
    return range_quotient(x, y);
}

/* The smallest and the largest value that d can have, clamped to +-2^62. */
void dim_range(dim d, int64_t *out_low, int64_t *out_high) {
    if (!dim_has_value(d)) {
        *out_low = -RANGE_LIMIT;
        *out_high = RANGE_LIMIT;
        return;
    }
    __int128 low = constant_of(d), high = low;
    for (int i = 0; i < n_terms(d); i++) {
        const dim_term *t = &d.expr->terms[i];
        range r = {clamp(t->coefficient), clamp(t->coefficient)};
        for (int f = 0; f < t->n; f++)
            r = range_product(r, range_factor(t->factors[f]));
        /* A clamped end stands for anything beyond it. */
        low = low <= -RANGE_LIMIT || r.low == -RANGE_LIMIT ? -((__int128)RANGE_LIMIT << 1) : low + r.low;
        high = high >= RANGE_LIMIT || r.high == RANGE_LIMIT ? (__int128)RANGE_LIMIT << 1 : high + r.high;
    }
    *out_low = clamp(low);
    *out_high = clamp(high);
}

/* ---- symbols ---- */

static dim apply(arena *a, dim_factor_kind kind, dim x, dim y) {
    return kind == FACTOR_DIV ? dim_floor_div(a, x, y) : kind == FACTOR_MIN ? dim_min(a, x, y) : dim_max(a, x, y);
}

static dim bind_factor(arena *a, const dim_factor *f, const map *bindings) {
    if (f->kind != FACTOR_SYMBOL)
        return apply(a, f->kind, dim_bind(a, f->x, bindings), dim_bind(a, f->y, bindings));
    const int64_t *bound = map_get(bindings, f->symbol);
    return bound != NULL ? DIM(*bound) : dim_symbol(a, f->symbol);
}

/* Replaces symbols by the integers that `bindings` has for their names. */
dim dim_bind(arena *a, dim d, const map *bindings) {
    if (!dim_has_value(d) || dim_is_known(d))
        return d;
    dim total = DIM(d.expr->constant);
    for (int i = 0; i < d.expr->n; i++) {
        const dim_term *t = &d.expr->terms[i];
        dim product = DIM(t->coefficient);
        for (int f = 0; f < t->n; f++)
            product = dim_mul(a, product, bind_factor(a, t->factors[f], bindings));
        total = dim_add(a, total, product);
    }
    return total;
}

/* Calls fn with each symbol's name, once per occurrence. */
void dim_symbols(dim d, void (*fn)(const char *symbol, void *ctx), void *ctx) {
    if (!dim_has_value(d) || dim_is_known(d))
        return;
    for (int i = 0; i < d.expr->n; i++)
        for (int f = 0; f < d.expr->terms[i].n; f++) {
            const dim_factor *factor = d.expr->terms[i].factors[f];
            if (factor->kind == FACTOR_SYMBOL)
                fn(factor->symbol, ctx);
            dim_symbols(factor->x, fn, ctx);
            dim_symbols(factor->y, fn, ctx);
        }
}
