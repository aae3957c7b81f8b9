/* Which iterations of a loop are independent of each other, proven from addresses.
 *
 * An address is a sum of coefficient * atom. The atoms that depend on the loop's variable make up its OWN part, a
 * number for each iteration. Of the other atoms those whose coefficients are multiples of some M are HIGH, the rest is
 * LOW and stays within a span of W elements. Where the own part grows by W or more from one iteration to the next, and
 * from the first to the end of the last by M at most, an address modulo M tells its iteration: no two share one. */
#include <stdlib.h>

#include "schedule/parallel.h"

#define MOST_TERMS 24
#define MOST_STEPS 400 /* LETs may repeat each other's parts */
#define MOST_ITERATIONS (1 << 20)

typedef struct term {
    const expr *atom; /* NULL: lanes */
    int64_t coef;
    int64_t lo, hi; /* values of the atom; lo INT64_MIN where unknown */
    bool own;
} term;

/* The addresses of a load or store. */
typedef struct address {
    int buffer;
    int64_t constant;
    int n;
    term terms[MOST_TERMS];
} address;

typedef struct proof {
    const kernel_view *v;
    const stmt *loop;
    bool inside;   /* of the loop, on the walk */
    bool *watched; /* by buffer: its accesses are noted */
    bool is_rough; /* accesses that cannot be understood are left out */
    bool fails;
    bool out_of_memory;
    int steps;
    int64_t iteration; /* the value of the loop's variable, for value_at */
    VEC(address) accesses;
} proof;

typedef struct span {
    int64_t lo, hi; /* INT64_MIN, INT64_MAX: unknown */
} span;

/* ---- values ---- */

static const span unknown = {INT64_MIN, INT64_MAX};

static span known(__int128 lo, __int128 hi) {
    const int64_t most = INT64_C(1) << 48;
    return lo >= -most && hi <= most ? (span){(int64_t)lo, (int64_t)hi} : unknown;
}

static span span_of(const kernel_view *v, const expr *x, int *steps);

static span span_of_operation(expr_kind k, span x, span y) {
    if (x.lo == INT64_MIN || y.lo == INT64_MIN)
        return unknown;
    bool divides = x.lo >= 0 && y.lo == y.hi && y.lo > 0, is_product = x.lo >= 0 && y.lo >= 0;
    switch (k) {
    case EXPR_ADD:
        return known((__int128)x.lo + y.lo, (__int128)x.hi + y.hi);
    case EXPR_SUB:
        return known((__int128)x.lo - y.hi, (__int128)x.hi - y.lo);
    case EXPR_MUL:
        return is_product ? known((__int128)x.lo * y.lo, (__int128)x.hi * y.hi) : unknown;
    case EXPR_DIV:
        return divides ? known(x.lo / y.lo, x.hi / y.lo) : unknown;
    case EXPR_REM:
        return divides ? known(0, x.hi < y.lo ? x.hi : y.lo - 1) : unknown;
    case EXPR_MIN:
        return known(x.lo < y.lo ? x.lo : y.lo, x.hi < y.hi ? x.hi : y.hi);
    case EXPR_MAX:
        return known(x.lo > y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi);
    default:
        return unknown;
    }
}

static span span_of_var(const kernel_view *v, const expr *x, int *steps) {
    const var_source *s = &v->vars[x->ref];
    if (s->value != NULL)
        return span_of(v, s->value, steps);
    if (s->extent == NULL)
        return unknown;
    span n = span_of(v, s->extent, steps);
    return n.lo == INT64_MIN ? unknown : (span){0, n.hi > 0 ? n.hi - 1 : 0};
}

/* The values of a scalar i64, as far as arithmetic on loop variables tells. */
static span span_of(const kernel_view *v, const expr *x, int *steps) {
    if (++*steps > MOST_STEPS || x->type.elem != DT_I64 || x->type.lanes != 1)
        return unknown;
    if (x->kind == EXPR_INT)
        return known(x->imm, x->imm);
    if (x->kind == EXPR_VAR)
        return span_of_var(v, x, steps);
    if (x->n_args != 2 || x->kind == EXPR_LOAD)
        return unknown;
    return span_of_operation(x->kind, span_of(v, x->arg[0], steps), span_of(v, x->arg[1], steps));
}

int64_t kernel_most(const kernel_view *v, const expr *extent) {
    int steps = 0;
    return span_of(v, extent, &steps).hi;
}

/* What x depends on: the loop's own variable, anything else that changes. */
enum { ON_OWN = 1, ON_OTHERS = 2 };

static int depends(proof *p, const expr *x) {
    int on = 0;
    if (++p->steps > MOST_STEPS)
        return ON_OWN | ON_OTHERS;
    if (x->kind == EXPR_VAR && x->ref == p->loop->loop.var->ref)
        return ON_OWN;
    if (x->kind == EXPR_VAR)
        return p->v->vars[x->ref].value != NULL ? depends(p, p->v->vars[x->ref].value) : ON_OTHERS;
    if (x->kind == EXPR_LOAD || x->kind == EXPR_REG)
        on = ON_OTHERS;
    for (int i = 0; i < x->n_args; i++)
        on |= depends(p, x->arg[i]);
    return on;
}

bool index_operate(expr_kind op, int64_t x, int64_t y, int64_t *out) {
    switch (op) {
    case EXPR_ADD:
        return !__builtin_add_overflow(x, y, out);
    case EXPR_SUB:
        return !__builtin_sub_overflow(x, y, out);
    case EXPR_MUL:
        return !__builtin_mul_overflow(x, y, out);
    case EXPR_DIV:
    case EXPR_REM:
        if (x < 0 || y <= 0)
            return false;
        *out = op == EXPR_DIV ? x / y : x % y;
        return true;
    case EXPR_MIN:
        *out = x < y ? x : y;
        return true;
    case EXPR_MAX:
        *out = x > y ? x : y;
        return true;
    default:
        return false;
    }
}

/* The value of an own atom in p->iteration. */
static int64_t value_at(proof *p, const expr *x) {
    if (x->kind == EXPR_INT)
        return x->imm;
    if (x->kind == EXPR_VAR)
        return x->ref == p->loop->loop.var->ref ? p->iteration : value_at(p, p->v->vars[x->ref].value);
    if (x->n_args != 2 || x->type.lanes != 1) {
        p->fails = true;
        return 0;
    }
    int64_t result = 0;
    p->fails |= !index_operate(x->kind, value_at(p, x->arg[0]), value_at(p, x->arg[1]), &result);
    return result;
}

/* ---- addresses as sums ---- */

static void add_term(proof *p, address *a, term t) {
    for (int i = 0; i < a->n; i++)
        if (a->terms[i].atom == t.atom && t.atom != NULL) {
            p->fails |= __builtin_add_overflow(a->terms[i].coef, t.coef, &a->terms[i].coef);
            return;
        }
    if (a->n == MOST_TERMS)
        p->fails = true;
    else
        a->terms[a->n++] = t;
}

static void add_atom(proof *p, address *a, const expr *x, int64_t scale) {
    int steps = 0, on = depends(p, x);
    if (on == (ON_OWN | ON_OTHERS))
        p->fails = true;
    span s = span_of(p->v, x, &steps);
    add_term(p, a, (term){x, scale, s.lo, s.hi, on == ON_OWN});
}

static void add_sum(proof *p, address *a, const expr *x, int64_t scale) {
    int64_t product;
    p->fails |= ++p->steps > MOST_STEPS;
    if (p->fails)
        return;
    if (x->kind == EXPR_INT) {
        p->fails |= __builtin_mul_overflow(x->imm, scale, &product) ||
                    __builtin_add_overflow(a->constant, product, &a->constant);
    } else if (x->kind == EXPR_VAR && p->v->vars[x->ref].value != NULL) {
        add_sum(p, a, p->v->vars[x->ref].value, scale);
    } else if (x->kind == EXPR_ADD || x->kind == EXPR_SUB) {
        add_sum(p, a, x->arg[0], scale);
        add_sum(p, a, x->arg[1], x->kind == EXPR_SUB ? -scale : scale);
    } else if (x->kind == EXPR_NEG) {
        add_sum(p, a, x->arg[0], -scale);
    } else if (x->kind == EXPR_MUL && x->arg[1]->kind == EXPR_INT &&
               !__builtin_mul_overflow(x->arg[1]->imm, scale, &product)) {
        add_sum(p, a, x->arg[0], product);
    } else {
        add_atom(p, a, x, scale);
    }
}

/* An access of `lanes` elements. What is outside of the loop is in no iteration. */
static void add_access(proof *p, int buffer, const expr *index, int lanes) {
    address a = {.buffer = buffer};
    int64_t stride = 1;
    p->steps = 0;
    if (index->type.lanes > 1 && index->kind == EXPR_RAMP) {
        stride = index->imm;
        index = index->arg[0];
    }
    p->fails |= !p->inside || index->type.lanes != 1;
    add_sum(p, &a, index, 1);
    if (lanes > 1)
        add_term(p, &a, (term){NULL, stride, 0, lanes - 1, false});
    if (p->fails && p->is_rough) {
        p->fails = false;
        return;
    }
    if (!p->fails && VEC_PUSH(p->v->scratch, p->accesses, a) != STATUS_OK)
        p->out_of_memory = true;
}

/* ---- the walk over a nest ---- */

static void find_stores(proof *p, const block *body) {
    for (const stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind == STMT_STORE)
            p->watched[s->store.buffer] = true;
        if (s->kind == STMT_FOR)
            find_stores(p, &s->loop.body);
        if (s->kind == STMT_IF) {
            find_stores(p, &s->cond.then);
            find_stores(p, &s->cond.otherwise);
        }
    }
}

static void look_at_node(const expr *x, void *ctx) {
    proof *p = ctx;
    if (x->kind == EXPR_LOAD && p->watched[x->ref] && !p->fails)
        add_access(p, x->ref, x->arg[0], x->type.lanes);
}

static void look_at(proof *p, const expr *x) {
    if (x != NULL)
        expr_visit(x, look_at_node, p);
}

static void look_at_block(proof *p, const block *body);

static void look_at_statement(proof *p, const stmt *s) {
    switch (s->kind) {
    case STMT_LET:
        look_at(p, s->let.value);
        break;
    case STMT_FOR:
        look_at(p, s->loop.extent);
        p->inside |= s == p->loop;
        look_at_block(p, &s->loop.body);
        p->inside &= s != p->loop;
        break;
    case STMT_STORE:
        look_at(p, s->store.index);
        look_at(p, s->store.value);
        look_at(p, s->store.mask);
        add_access(p, s->store.buffer, s->store.index, s->store.value->type.lanes);
        break;
    case STMT_SET:
        look_at(p, s->set.value);
        break;
    case STMT_IF:
        look_at(p, s->cond.condition);
        look_at_block(p, &s->cond.then);
        look_at_block(p, &s->cond.otherwise);
        break;
    case STMT_CHECK: /* the kernel would have to end in all threads */
        p->fails = true;
        break;
    case STMT_DECLARE:
    case STMT_NOTE:
    case STMT_COUNT:
        break;
    }
}

static void look_at_block(proof *p, const block *body) {
    for (const stmt *s = body->first; s != NULL && !p->fails; s = s->next)
        look_at_statement(p, s);
}

/* A register that an iteration finds as the one before left it would be a dependence: there is none where it is
 * declared inside of the loop. */
static bool declares(const block *body, int reg) {
    for (const stmt *s = body->first; s != NULL; s = s->next)
        if ((s->kind == STMT_DECLARE && s->declare.reg == reg) ||
            (s->kind == STMT_FOR && declares(&s->loop.body, reg)) ||
            (s->kind == STMT_IF && (declares(&s->cond.then, reg) || declares(&s->cond.otherwise, reg))))
            return true;
    return false;
}

static bool sets_only_own(const block *body, const block *inside) {
    for (const stmt *s = body->first; s != NULL; s = s->next)
        if ((s->kind == STMT_SET && !declares(inside, s->set.reg)) ||
            (s->kind == STMT_FOR && !sets_only_own(&s->loop.body, inside)) ||
            (s->kind == STMT_IF &&
             !(sets_only_own(&s->cond.then, inside) && sets_only_own(&s->cond.otherwise, inside))))
            return false;
    return true;
}

/* ---- the proof, for one buffer ---- */

static int64_t gcd(int64_t x, int64_t y) {
    while (y != 0) {
        int64_t r = x % y;
        x = y;
        y = r;
    }
    return x;
}

static bool is_high(const term *t, int64_t from) {
    return !t->own && llabs(t->coef) >= from;
}

/* Coefficients from `from` on are those of high terms. The M of the head of this file; 0: no high terms, any M. */
static int64_t modulus(const proof *p, int buffer, int64_t from) {
    int64_t m = 0;
    for (size_t i = 0; i < p->accesses.n; i++)
        for (int k = 0; p->accesses.at[i].buffer == buffer && k < p->accesses.at[i].n; k++)
            if (is_high(&p->accesses.at[i].terms[k], from))
                m = gcd(m, llabs(p->accesses.at[i].terms[k].coef));
    return m;
}

static int64_t least_constant(const proof *p, int buffer) {
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < p->accesses.n; i++)
        if (p->accesses.at[i].buffer == buffer && p->accesses.at[i].constant < least)
            least = p->accesses.at[i].constant;
    return least;
}

/* Rows of a block are constants apart: the least such distance that is no less than `reach`, or 0. */
static int64_t least_distance(const proof *p, int buffer, int64_t reach) {
    int64_t least = least_constant(p, buffer), distance = 0;
    for (size_t i = 0; i < p->accesses.n; i++) {
        int64_t here = p->accesses.at[i].constant - least;
        if (p->accesses.at[i].buffer == buffer && here > 0 && here >= reach && (distance == 0 || here < distance))
            distance = here;
    }
    return distance;
}

/* The W, over all accesses; 0 where it is not known. */
static int64_t low_width(const proof *p, int buffer, int64_t from, int64_t m) {
    __int128 lo = 0, hi = 0;
    bool first = true;
    int64_t least = least_constant(p, buffer);
    for (size_t i = 0; i < p->accesses.n; i++) {
        const address *a = &p->accesses.at[i];
        if (a->buffer != buffer)
            continue;
        __int128 low = m > 0 ? (a->constant - least) % m : a->constant - least, high = low;
        for (int k = 0; k < a->n; k++) {
            const term *t = &a->terms[k];
            if (t->own || is_high(t, from))
                continue;
            if (t->lo == INT64_MIN)
                return 0;
            low += (__int128)t->coef * (t->coef > 0 ? t->lo : t->hi);
            high += (__int128)t->coef * (t->coef > 0 ? t->hi : t->lo);
        }
        lo = first || low < lo ? low : lo;
        hi = first || high > hi ? high : hi;
        first = false;
    }
    __int128 width = hi - lo + 1;
    return width <= INT64_MAX ? (int64_t)width : 0;
}

/* The own part in p->iteration. */
static int64_t own_value(proof *p, const address *a) {
    int64_t sum = 0, product;
    for (int k = 0; k < a->n; k++)
        if (a->terms[k].own)
            p->fails |= __builtin_mul_overflow(a->terms[k].coef, value_at(p, a->terms[k].atom), &product) ||
                        __builtin_add_overflow(sum, product, &sum);
    return sum;
}

/* From the first iteration to the last. */
static int64_t own_reach(proof *p, const address *a) {
    p->iteration = 0;
    int64_t first = own_value(p, a);
    p->iteration = p->loop->loop.extent->imm - 1;
    return own_value(p, a) - first;
}

/* Are the iterations far enough from each other, with the own parts of a? */
static loop_cut cut_by(proof *p, const address *a, int64_t m, int64_t width) {
    int64_t n = p->loop->loop.extent->imm;
    loop_cut cut = CUT_ANYWHERE;
    p->iteration = 0;
    int64_t first = own_value(p, a), before = first;
    for (p->iteration = 1; p->iteration < n && !p->fails; p->iteration++) {
        int64_t here = own_value(p, a);
        if (here - before < width)
            cut = p->iteration == n - 1 && here >= before ? CUT_BUT_LAST : CUT_NOWHERE;
        if (cut == CUT_NOWHERE)
            return cut;
        before = here;
    }
    bool reaches = m > 0 && before - first > m - width;
    return p->fails || reaches ? CUT_NOWHERE : cut;
}

static loop_cut cut_with(proof *p, const address *a, int64_t from, int64_t m) {
    int64_t width = low_width(p, a->buffer, from, m);
    return width > 0 ? cut_by(p, a, m, width) : CUT_NOWHERE;
}

static loop_cut better(loop_cut a, loop_cut b) {
    return a > b ? a : b;
}

static bool same_own(const address *a, const address *b) {
    for (int pass = 0; pass < 2; pass++) {
        for (int k = 0; k < a->n; k++) {
            bool found = !a->terms[k].own;
            for (int j = 0; j < b->n && !found; j++)
                found = b->terms[j].own && a->terms[k].atom == b->terms[j].atom && a->terms[k].coef == b->terms[j].coef;
            if (!found)
                return false;
        }
        const address *swap = a;
        a = b;
        b = swap;
    }
    return true;
}

static loop_cut cut_of_buffer(proof *p, int buffer) {
    const address *one = NULL;
    loop_cut best = CUT_NOWHERE;
    for (size_t i = 0; i < p->accesses.n; i++) {
        const address *a = &p->accesses.at[i];
        if (a->buffer != buffer)
            continue;
        one = one != NULL ? one : a;
        if (!same_own(one, a))
            return CUT_NOWHERE;
    }
    if (one == NULL)
        return CUT_ANYWHERE;
    for (int k = -1; k < one->n && best != CUT_ANYWHERE; k++) {
        if (k >= 0 && one->terms[k].own)
            continue;
        int64_t from = k < 0 ? INT64_MAX : llabs(one->terms[k].coef);
        int64_t m = modulus(p, buffer, from), smaller = gcd(m, least_distance(p, buffer, own_reach(p, one)));
        best = better(best, cut_with(p, one, from, m));
        if (smaller != m && best != CUT_ANYWHERE)
            best = better(best, cut_with(p, one, from, smaller));
    }
    return best;
}

/* ---- the kernel ---- */

static void note_vars(kernel_view *v, const block *body) {
    for (const stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind == STMT_LET)
            v->vars[s->let.var->ref].value = s->let.value;
        if (s->kind == STMT_FOR) {
            v->vars[s->loop.var->ref].extent = s->loop.extent;
            note_vars(v, &s->loop.body);
        }
        if (s->kind == STMT_IF) {
            note_vars(v, &s->cond.then);
            note_vars(v, &s->cond.otherwise);
        }
    }
}

status kernel_view_of(const kernel *k, arena *scratch, kernel_view *out) {
    *out = (kernel_view){.k = k, .scratch = scratch};
    TRY_ALLOC(out->vars = ARENA_NEW_N(scratch, var_source, k->vars.n + 1));
    note_vars(out, &k->body);
    return STATUS_OK;
}

status loop_cut_of(const kernel_view *v, const stmt *nest, const stmt *loop, loop_cut *out) {
    *out = CUT_NOWHERE;
    if (loop->loop.extent->kind != EXPR_INT || loop->loop.extent->imm < 2 || loop->loop.extent->imm > MOST_ITERATIONS ||
        !sets_only_own(&loop->loop.body, &loop->loop.body))
        return STATUS_OK;
    proof p = {.v = v, .loop = loop};
    TRY_ALLOC(p.watched = ARENA_NEW_N(v->scratch, bool, v->k->buffers.n + 1));
    find_stores(&p, &nest->loop.body);
    for (size_t b = 0; b < v->k->buffers.n; b++) /* the outermost loop's iterations have their own */
        p.watched[b] = p.watched[b] && !(loop == nest && v->k->buffers.at[b].access == ACCESS_SCRATCH);
    for (const stmt *s = v->k->body.first; s != nest; s = s->next) /* each part repeats what stands before the nest */
        look_at_statement(&p, s);
    look_at_statement(&p, nest);
    loop_cut cut = CUT_ANYWHERE;
    for (size_t b = 0; b < v->k->buffers.n && !p.fails && cut != CUT_NOWHERE; b++) {
        loop_cut here = p.watched[b] ? cut_of_buffer(&p, (int)b) : CUT_ANYWHERE;
        cut = here < cut ? here : cut;
    }
    if (p.out_of_memory)
        return STATUS_RESOURCE;
    *out = p.fails ? CUT_NOWHERE : cut;
    return STATUS_OK;
}

/* The share of one buffer. Terms and distances no less than the way from the first iteration to the last are whole
 * periods. */
static loop_share share_of_buffer(proof *p, int buffer) {
    int64_t reach = 0, all = p->v->k->buffers.at[buffer].n, n = p->loop->loop.extent->imm;
    for (size_t i = 0; i < p->accesses.n && !p->fails; i++) {
        int64_t own = p->accesses.at[i].buffer == buffer ? own_reach(p, &p->accesses.at[i]) : 0;
        reach = own > reach ? own : reach;
    }
    if (reach == 0)
        return (loop_share){0};
    int64_t period = gcd(modulus(p, buffer, reach), least_distance(p, buffer, reach));
    period = period < reach || period > all ? all : period;
    double part = (double)reach * (double)n / (double)(n - 1) / (double)period;
    return (loop_share){part < 1 ? part : 1, period};
}

status loop_shares_of(const kernel_view *v, const stmt *nest, const stmt *loop, loop_share *out) {
    proof p = {.v = v, .loop = loop, .is_rough = true};
    TRY_ALLOC(p.watched = ARENA_NEW_N(v->scratch, bool, v->k->buffers.n + 1));
    for (size_t b = 0; b < v->k->buffers.n; b++)
        p.watched[b] = true;
    look_at_statement(&p, nest);
    for (size_t b = 0; b < v->k->buffers.n && !p.fails; b++)
        out[b] = share_of_buffer(&p, (int)b);
    return p.out_of_memory ? STATUS_RESOURCE : STATUS_OK;
}
