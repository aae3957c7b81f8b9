/* The order of steps that do not depend on each other: what begins to live late and ends early needs less memory. Steps
 * are taken one by one, from the first on and from the last on, each time the one that leaves the least alive. */
#include "schedule/memory_plan.h"

typedef struct ordering {
    const program *p;
    const lifetime **of; /* by buffer; NULL: not in the arena */
    int *uses;           /* by buffer: of steps that are not taken yet; 0 and is_open: it has just ended */
    bool *is_open;       /* by buffer */
    bool *is_taken;      /* by step */
    int *waits;          /* by step: steps that have to be taken before */
    bool *depends;       /* [later * n + earlier] */
    int *order;
    int64_t alive, most;
} ordering;

enum { MOST_STEPS = 1000 };

static size_t n_args(const program *p, size_t step) {
    return p->kernels.at[p->steps.at[step].kernel]->buffers.n;
}

static bool conflict(const program *p, size_t x, size_t y) {
    const program_step *a = &p->steps.at[x], *b = &p->steps.at[y];
    for (size_t i = 0; i < n_args(p, x); i++)
        for (size_t j = 0; j < n_args(p, y); j++)
            if (a->args[i].buffer == b->args[j].buffer &&
                ((p->kernels.at[a->kernel]->buffers.at[i].access | p->kernels.at[b->kernel]->buffers.at[j].access) &
                 ACCESS_WRITE) != 0)
                return true;
    return false;
}

/* Is argument i of the step the first that names its buffer? */
static bool is_new(const program_step *s, size_t i) {
    for (size_t j = 0; j < i; j++)
        if (s->args[j].buffer == s->args[i].buffer)
            return false;
    return true;
}

static void count_uses(ordering *o, bool from_the_end) {
    const program *p = o->p;
    size_t n = p->steps.n;
    o->alive = o->most = 0;
    for (size_t b = 0; b < p->buffers.n; b++) {
        o->uses[b] = 0;
        o->is_open[b] = false;
    }
    for (size_t s = 0; s < n; s++) {
        o->is_taken[s] = false;
        o->waits[s] = 0;
        for (size_t i = 0; i < n_args(p, s); i++)
            o->uses[p->steps.at[s].args[i].buffer] += is_new(&p->steps.at[s], i);
        for (size_t k = 0; k < n; k++)
            o->waits[s] += from_the_end ? o->depends[k * n + s] : o->depends[s * n + k];
    }
}

/* What the step adds while it runs, and what of that is left after it. */
static void cost_of(const ordering *o, size_t step, int64_t *out_during, int64_t *out_after) {
    const program_step *s = &o->p->steps.at[step];
    *out_during = *out_after = 0;
    for (size_t i = 0; i < n_args(o->p, step); i++) {
        int b = s->args[i].buffer;
        if (o->of[b] == NULL || !is_new(s, i))
            continue;
        *out_during += o->is_open[b] ? 0 : o->of[b]->bytes;
        *out_after += (o->uses[b] == 1 ? 0 : o->of[b]->bytes) - (o->is_open[b] ? o->of[b]->bytes : 0);
    }
}

static void take(ordering *o, size_t step, bool from_the_end) {
    const program_step *s = &o->p->steps.at[step];
    size_t n = o->p->steps.n;
    int64_t during, after;
    cost_of(o, step, &during, &after);
    o->most = o->alive + during > o->most ? o->alive + during : o->most;
    o->alive += after;
    o->is_taken[step] = true;
    for (size_t i = 0; i < n_args(o->p, step); i++)
        if (is_new(s, i)) {
            o->uses[s->args[i].buffer]--;
            o->is_open[s->args[i].buffer] = true;
        }
    for (size_t k = 0; k < n; k++)
        o->waits[k] -= from_the_end ? o->depends[step * n + k] : o->depends[k * n + step];
}

/* Of the steps that may be next the one that leaves the least alive; of those, that needs the least while it runs; of
 * those, the one that is next now. */
static size_t choose(const ordering *o, bool from_the_end) {
    size_t n = o->p->steps.n, best = n;
    int64_t best_during = 0, best_after = 0;
    for (size_t i = 0; i < n; i++) {
        size_t s = from_the_end ? n - 1 - i : i;
        int64_t during, after;
        if (o->is_taken[s] || o->waits[s] > 0)
            continue;
        cost_of(o, s, &during, &after);
        if (best == n || after < best_after || (after == best_after && during < best_during)) {
            best = s;
            best_during = during;
            best_after = after;
        }
    }
    return best;
}

/* Fills o->order, and gives the most that is alive. */
static int64_t order_from(ordering *o, bool from_the_end) {
    size_t n = o->p->steps.n;
    count_uses(o, from_the_end);
    for (size_t i = 0; i < n; i++) {
        size_t s = choose(o, from_the_end);
        o->order[from_the_end ? n - 1 - i : i] = (int)s;
        take(o, s, from_the_end);
    }
    return o->most;
}

static status ordering_new(const program *p, const lifetime_list *all, arena *scratch, ordering *o) {
    size_t n = p->steps.n;
    *o = (ordering){.p = p};
    TRY_ALLOC(o->of = ARENA_NEW_N(scratch, const lifetime *, p->buffers.n + 1));
    TRY_ALLOC(o->uses = ARENA_NEW_N(scratch, int, p->buffers.n + 1));
    TRY_ALLOC(o->is_open = ARENA_NEW_N(scratch, bool, p->buffers.n + 1));
    TRY_ALLOC(o->is_taken = ARENA_NEW_N(scratch, bool, n + 1));
    TRY_ALLOC(o->waits = ARENA_NEW_N(scratch, int, n + 1));
    TRY_ALLOC(o->depends = ARENA_NEW_N(scratch, bool, n *n + 1));
    TRY_ALLOC(o->order = ARENA_NEW_N(scratch, int, n + 1));
    for (size_t i = 0; i < all->n; i++)
        o->of[all->at[i]->buffer] = all->at[i];
    return STATUS_OK;
}

static void find_dependences(ordering *o) {
    size_t n = o->p->steps.n;
    for (size_t later = 0; later < n; later++)
        for (size_t earlier = 0; earlier < later; earlier++)
            o->depends[later * n + earlier] = conflict(o->p, earlier, later);
}

/* Whatever the order, a step needs its own buffers. */
static int64_t largest_step(const ordering *o) {
    int64_t most = 0;
    for (size_t s = 0; s < o->p->steps.n; s++) {
        int64_t bytes = 0;
        for (size_t i = 0; i < n_args(o->p, s); i++) {
            const lifetime *x = o->of[o->p->steps.at[s].args[i].buffer];
            bytes += x != NULL && is_new(&o->p->steps.at[s], i) ? x->bytes : 0;
        }
        most = bytes > most ? bytes : most;
    }
    return most;
}

static status find_order(const program *p, arena *a, arena *scratch, const int **out) {
    lifetime_list all;
    int64_t best;
    ordering o;
    TRY(plan_lifetimes(p, scratch, &all, NULL));
    TRY(plan_least(&all, p->steps.n, scratch, &best));
    TRY(ordering_new(p, &all, scratch, &o));
    if (best <= largest_step(&o))
        return STATUS_OK;
    find_dependences(&o);
    for (int end = 0; end < 2 && best > largest_step(&o); end++) {
        int64_t most = order_from(&o, end != 0);
        if (most >= best)
            continue;
        best = most;
        TRY_ALLOC(*out = arena_copy(a, o.order, p->steps.n * sizeof *o.order));
    }
    return STATUS_OK;
}

status order_steps(const program *p, arena *a, const int **out_order) {
    *out_order = NULL;
    if (p->steps.n > MOST_STEPS)
        return STATUS_OK;
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    status s = find_order(p, a, scratch, out_order);
    arena_free(scratch);
    return s;
}
