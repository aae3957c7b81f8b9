/* Results that take the place of an operand, in steps at which the most is alive: elsewhere it would save nothing. */
#include "base/map.h"
#include "schedule/memory_plan.h"

enum { MOST_ACCESSES = 1 << 20 };

/* Parameters of a step's kernel that may be one buffer. */
typedef struct pair {
    size_t step;
    int from, to;
} pair;

typedef struct sharing {
    program *p;
    arena *scratch;
    int64_t budget;
    map proofs;  /* kernel and parameters -> yes or no */
    map kernels; /* the same -> (the merged kernel's number + 1) */
    VEC(pair) pairs;
} sharing;

static const int yes = 1, no = 0;

static uint64_t key_of(const sharing *s, const pair *x) {
    return (uint64_t)s->p->steps.at[x->step].kernel << 32 | (uint64_t)x->from << 16 | (uint64_t)x->to;
}

static status prove(sharing *s, const pair *x, bool *out) {
    uint64_t key = key_of(s, x);
    const int *known = map_get_key(&s->proofs, key);
    if (known != NULL) {
        *out = *known == yes;
        return STATUS_OK;
    }
    const kernel *k = s->p->kernels.at[s->p->steps.at[x->step].kernel];
    TRY(in_place_is_exact(k, x->from, x->to, &s->budget, s->scratch, out));
    return map_set_key(&s->proofs, key, (void *)(uintptr_t)(*out ? &yes : &no));
}

static bool is_whole(const program *p, const step_arg *a) {
    const program_buffer *b = &p->buffers.at[a->buffer];
    return b->place == PLACE_ARENA && a->first == 0;
}

static bool is_given_once(const program_step *s, size_t n, int parameter) {
    for (size_t i = 0; i < n; i++)
        if ((int)i != parameter && s->args[i].buffer == s->args[parameter].buffer)
            return false;
    return true;
}

/* Does buffer x end at the step at which y begins, and could y lie where it lies? */
static bool may_follow(const program *p, const lifetime *x, const lifetime *y, size_t step) {
    const program_buffer *a = &p->buffers.at[x->buffer], *b = &p->buffers.at[y->buffer];
    return x->last == (int64_t)step && y->first == (int64_t)step && a->elem == b->elem && a->n == b->n;
}

/* A pair of the step that may be one buffer; false where there is none. */
static status find_pair(sharing *s, const lifetime_list *all, size_t step, bool *out) {
    const program *p = s->p;
    const program_step *at = &p->steps.at[step];
    size_t n = p->kernels.at[at->kernel]->buffers.n;
    lifetime **of = ARENA_NEW_N(s->scratch, lifetime *, p->buffers.n + 1);
    TRY_ALLOC(of);
    *out = false;
    for (size_t i = 0; i < all->n; i++)
        of[all->at[i]->buffer] = all->at[i];
    for (size_t to = 0; to < n; to++)
        for (size_t from = 0; from < n && !*out; from++) {
            pair x = {step, (int)from, (int)to};
            if (from != to && is_whole(p, &at->args[from]) && is_whole(p, &at->args[to]) &&
                is_given_once(at, n, x.from) && is_given_once(at, n, x.to) &&
                may_follow(p, of[at->args[from].buffer], of[at->args[to].buffer], step))
                TRY(prove(s, &x, out));
            if (*out)
                TRY(VEC_PUSH(s->scratch, s->pairs, x));
        }
    return STATUS_OK;
}

static status merged_kernel(sharing *s, const pair *x, int *out) {
    program *p = s->p;
    uint64_t key = key_of(s, x);
    const kernel *k = p->kernels.at[p->steps.at[x->step].kernel];
    *out = (int)(intptr_t)map_get_key(&s->kernels, key) - 1;
    if (*out >= 0)
        return STATUS_OK;
    kernel *made;
    const char *name = arena_printf(p->memory, "k%zu_%.40s_in_place", p->kernels.n, k->name);
    TRY_ALLOC(name);
    TRY(kernel_merge_buffers(k, x->from, x->to, name, p->target, p->memory, &made));
    TRY(VEC_PUSH(p->memory, p->kernels, made));
    *out = (int)p->kernels.n - 1;
    return map_set_key(&s->kernels, key, (void *)(intptr_t)p->kernels.n);
}

/* From the step on, the result's buffer is the operand's. */
static status share(sharing *s, const pair *x) {
    program *p = s->p;
    program_step *step = &p->steps.at[x->step];
    size_t n = p->kernels.at[step->kernel]->buffers.n, k = 0;
    int old = step->args[x->to].buffer, buffer = step->args[x->from].buffer, merged;
    TRY(merged_kernel(s, x, &merged));
    step_arg *args = ARENA_NEW_N(p->memory, step_arg, n);
    TRY_ALLOC(args);
    for (size_t i = 0; i < n; i++)
        if ((int)i != x->from)
            args[k++] = step->args[i];
    step->kernel = merged;
    step->args = args;
    p->buffers.at[old].n = 0; /* nothing uses it any more */
    for (size_t i = x->step; i < p->steps.n; i++) {
        step_arg *at = (step_arg *)p->steps.at[i].args;
        for (size_t j = 0; j < p->kernels.at[p->steps.at[i].kernel]->buffers.n; j++)
            at[j].buffer = at[j].buffer == old ? buffer : at[j].buffer;
    }
    return STATUS_OK;
}

/* One round: every step with the most alive gets a pair, or nothing changes. */
static status lower_peak(sharing *s, bool *out) {
    lifetime_list all;
    int64_t *alive, most = 0;
    TRY(plan_lifetimes(s->p, s->scratch, &all, &alive));
    for (size_t i = 0; i < s->p->steps.n; i++)
        most = alive[i] > most ? alive[i] : most;
    s->pairs.n = 0;
    *out = most > 0;
    for (size_t i = 0; i < s->p->steps.n && *out; i++)
        if (alive[i] == most)
            TRY(find_pair(s, &all, i, out));
    for (size_t i = 0; i < s->pairs.n && *out; i++)
        TRY(share(s, &s->pairs.at[i]));
    return STATUS_OK;
}

status share_in_place(program *p) {
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    sharing s = {
        .p = p, .scratch = scratch, .budget = MOST_ACCESSES, .proofs = map_in(scratch), .kernels = map_in(scratch)};
    bool is_lower = true;
    status result = STATUS_OK;
    while (result == STATUS_OK && is_lower)
        result = lower_peak(&s, &is_lower);
    arena_free(scratch);
    return result;
}
