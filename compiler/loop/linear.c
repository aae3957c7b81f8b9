/* Linear forms of scalar i64 expressions: sums of constant * atom + constant, in one canonical spelling.
 * All of it is exact modulo 2^64; division uses value ranges to prove that nothing wraps and nothing is negative. */
#include "loop/build_internal.h"

#define LINEAR_TERMS 24

typedef __int128 wide;

typedef struct linear {
    int n;
    bool overfull; /* more terms than fit */
    const expr *atom[LINEAR_TERMS];
    int64_t coef[LINEAR_TERMS];
    int64_t constant;
} linear;

static int64_t wrap_mul(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

static int64_t wrap_add(int64_t x, int64_t y) {
    return (int64_t)((uint64_t)x + (uint64_t)y);
}

static void drop_term(linear *l, int i) {
    l->n--;
    l->atom[i] = l->atom[l->n];
    l->coef[i] = l->coef[l->n];
}

static void add_term(linear *l, const expr *atom, int64_t coef) {
    for (int i = 0; i < l->n; i++) {
        if (l->atom[i] != atom)
            continue;
        l->coef[i] = wrap_add(l->coef[i], coef);
        if (l->coef[i] == 0)
            drop_term(l, i);
        return;
    }
    if (l->n == LINEAR_TERMS) {
        l->overfull = true;
        return;
    }
    l->atom[l->n] = atom;
    l->coef[l->n++] = coef;
}

static void gather(linear *l, const expr *x, int64_t scale) {
    if (scale == 0 || l->overfull)
        return;
    range r = expr_range(x);
    if (r.lo == r.hi) {
        l->constant = wrap_add(l->constant, wrap_mul(r.lo, scale));
    } else if (x->kind == EXPR_ADD || x->kind == EXPR_SUB) {
        gather(l, x->arg[0], scale);
        gather(l, x->arg[1], x->kind == EXPR_ADD ? scale : wrap_mul(scale, -1));
    } else if (x->kind == EXPR_NEG) {
        gather(l, x->arg[0], wrap_mul(scale, -1));
    } else if (x->kind == EXPR_MUL && x->arg[1]->kind == EXPR_INT) {
        gather(l, x->arg[0], wrap_mul(scale, x->arg[1]->imm));
    } else {
        add_term(l, x, scale);
    }
}

static linear linear_of(const expr *x) {
    linear l = {0};
    gather(&l, x, 1);
    return l;
}

/* The mathematical sum's range; RANGE_ALL where a part is unknown or it could leave 64 bits. */
static range linear_range(const linear *l) {
    wide lo = l->constant, hi = l->constant;
    for (int i = 0; i < l->n; i++) {
        range r = expr_range(l->atom[i]);
        if (!range_known(r))
            return RANGE_ALL;
        wide a = (wide)r.lo * l->coef[i], b = (wide)r.hi * l->coef[i];
        lo += a < b ? a : b;
        hi += a < b ? b : a;
        if (lo < INT64_MIN || hi > INT64_MAX)
            return RANGE_ALL;
    }
    return (range){(int64_t)lo, (int64_t)hi};
}

range linear_difference(const expr *x, const expr *y) {
    range a = expr_range(x), b = expr_range(y);
    bool fits = range_known(a) && range_known(b) && (wide)a.lo - b.hi >= INT64_MIN && (wide)a.hi - b.lo <= INT64_MAX;
    if (!fits) /* the sum below is x - y modulo 2^64 only */
        return RANGE_ALL;
    linear l = {0};
    gather(&l, x, 1);
    gather(&l, y, -1);
    return l.overfull ? RANGE_ALL : linear_range(&l);
}

/* ---- the canonical spelling: terms in order, positive ones first, the constant last ---- */

static void sort_terms(linear *l) {
    for (int i = 1; i < l->n; i++) {
        const expr *atom = l->atom[i];
        int64_t coef = l->coef[i];
        int j = i;
        for (; j > 0; j--) {
            bool before = (coef > 0) != (l->coef[j - 1] > 0) ? coef > 0 : expr_before(atom, l->atom[j - 1]);
            if (!before)
                break;
            l->atom[j] = l->atom[j - 1];
            l->coef[j] = l->coef[j - 1];
        }
        l->atom[j] = atom;
        l->coef[j] = coef;
    }
}

static const expr *raw_pair(builder *b, expr_kind k, const expr *x, const expr *y) {
    const expr *args[] = {x, y};
    return build_raw(b, k, LTYPE(DT_I64, 1), args, 2);
}

static const expr *scaled(builder *b, const expr *x, int64_t coef) {
    if (coef == 1)
        return x;
    if (coef == -1)
        return build_raw(b, EXPR_NEG, LTYPE(DT_I64, 1), &x, 1);
    return raw_pair(b, EXPR_MUL, x, build_index(b, coef));
}

static const expr *spell(builder *b, linear *l) {
    sort_terms(l);
    const expr *sum = NULL;
    for (int i = 0; i < l->n; i++) {
        bool subtract = sum != NULL && l->coef[i] < 0 && l->coef[i] != INT64_MIN;
        const expr *term = scaled(b, l->atom[i], subtract ? -l->coef[i] : l->coef[i]);
        sum = sum == NULL ? term : raw_pair(b, subtract ? EXPR_SUB : EXPR_ADD, sum, term);
    }
    if (sum == NULL)
        return build_index(b, l->constant);
    return l->constant == 0 ? sum : raw_pair(b, EXPR_ADD, sum, build_index(b, l->constant));
}

/* ---- y / n * n + y % n is y ---- */

static int find_atom(const linear *l, const expr *atom, int64_t coef) {
    for (int i = 0; i < l->n; i++)
        if (l->atom[i] == atom && l->coef[i] == coef)
            return i;
    return -1;
}

static bool rejoin_one(builder *b, linear *l) {
    for (int i = 0; i < l->n; i++) {
        const expr *rem = l->atom[i];
        if (rem->kind != EXPR_REM || rem->arg[1]->kind != EXPR_INT || rem->arg[1]->imm == 0)
            continue;
        int64_t coef = l->coef[i];
        const expr *quotient = build_div(b, rem->arg[0], rem->arg[1]);
        int at = find_atom(l, quotient, wrap_mul(coef, rem->arg[1]->imm));
        if (at < 0 || at == i)
            continue;
        drop_term(l, at > i ? at : i);
        drop_term(l, at > i ? i : at);
        gather(l, rem->arg[0], coef);
        return true;
    }
    return false;
}

static const expr *canonical(builder *b, linear *l) {
    while (!l->overfull && rejoin_one(b, l)) {
    }
    return l->overfull ? NULL : spell(b, l);
}

/* x * scale_x + y * scale_y; NULL where it has too many terms for a canonical form. */
const expr *linear_combine(builder *b, const expr *x, int64_t scale_x, const expr *y, int64_t scale_y) {
    linear l = {0};
    gather(&l, x, scale_x);
    gather(&l, y, scale_y);
    return canonical(b, &l);
}

/* ---- division by a positive constant ---- */

static int64_t floor_div(int64_t x, int64_t c) {
    return x / c - (x % c < 0);
}

static int64_t floor_rem(int64_t x, int64_t c) {
    int64_t r = x % c;
    return r < 0 ? r + c : r;
}

/* x = c * quotient + rest; true where all of it is exact in 64 bits, and division truncates to quotient + rest / c. */
static bool split(const expr *x, int64_t c, linear *quotient, linear *rest) {
    linear all = linear_of(x);
    *quotient = (linear){0};
    *rest = (linear){0};
    if (all.overfull)
        return false;
    for (int i = 0; i < all.n; i++) {
        bool divisible = all.coef[i] % c == 0;
        add_term(divisible ? quotient : rest, all.atom[i], divisible ? all.coef[i] / c : all.coef[i]);
    }
    quotient->constant = floor_div(all.constant, c);
    rest->constant = floor_rem(all.constant, c);
    range r = linear_range(&all);
    if (!range_known(r))
        return false;
    bool exact = rest->n == 0 && rest->constant == 0;
    return exact || (r.lo >= 0 && linear_range(rest).lo >= 0);
}

static int64_t gcd(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t r = x % y;
        x = y;
        y = r;
    }
    return x < 0 ? -x : x;
}

/* The common factor of c and all coefficients. */
static int64_t common_factor(const linear *l, int64_t c) {
    int64_t g = c;
    for (int i = 0; i < l->n; i++)
        g = gcd(g, l->coef[i]);
    return g;
}

static void divide_by_factor(linear *l, int64_t g) {
    for (int i = 0; i < l->n; i++)
        l->coef[i] /= g;
    l->constant = floor_div(l->constant, g);
}

const expr *linear_divide(builder *b, const expr *x, int64_t c) {
    if (x->kind == EXPR_DIV && x->arg[1]->kind == EXPR_INT && x->arg[1]->imm > 0 && x->arg[1]->imm <= INT64_MAX / c)
        return build_div(b, x->arg[0], build_index(b, x->arg[1]->imm * c));
    if (x->kind == EXPR_REM && x->arg[1]->kind == EXPR_INT && x->arg[1]->imm > 0 && x->arg[1]->imm % c == 0 &&
        expr_range(x->arg[0]).lo >= 0)
        return build_rem(b, build_div(b, x->arg[0], build_index(b, c)), build_index(b, x->arg[1]->imm / c));
    linear quotient, rest;
    if (!split(x, c, &quotient, &rest))
        return NULL;
    range r = linear_range(&rest);
    bool vanishes = r.lo >= 0 && r.hi < c;
    if (vanishes)
        return canonical(b, &quotient);
    if (quotient.n > 0 || quotient.constant != 0) {
        const expr *small = build_div(b, spell(b, &rest), build_index(b, c));
        gather(&quotient, small, 1);
        return canonical(b, &quotient);
    }
    int64_t g = common_factor(&rest, c);
    if (g <= 1)
        return NULL;
    divide_by_factor(&rest, g);
    return build_div(b, spell(b, &rest), build_index(b, c / g));
}

const expr *linear_remainder(builder *b, const expr *x, int64_t c) {
    if (x->kind == EXPR_REM && x->arg[1]->kind == EXPR_INT && x->arg[1]->imm > 0 && x->arg[1]->imm % c == 0)
        return build_rem(b, x->arg[0], build_index(b, c));
    linear quotient, rest;
    if (!split(x, c, &quotient, &rest))
        return NULL;
    range r = linear_range(&rest);
    if (r.lo >= 0 && r.hi < c)
        return canonical(b, &rest);
    if (quotient.n > 0 || quotient.constant != 0)
        return build_rem(b, spell(b, &rest), build_index(b, c));
    int64_t g = common_factor(&rest, c);
    if (g <= 1)
        return NULL;
    int64_t low = floor_rem(rest.constant, g);
    divide_by_factor(&rest, g);
    const expr *high = build_rem(b, spell(b, &rest), build_index(b, c / g));
    return linear_combine(b, high, g, build_index(b, low), 1);
}
