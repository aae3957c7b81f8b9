/* The arena: every temporary gets an offset such that buffers alive at the same step do not overlap. */
#include "schedule/memory_plan.h"

static int64_t aligned_bytes(const program_buffer *b) {
    int64_t n = (int64_t)dtype_bytes(b->elem, (size_t)b->n);
    return (n + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

static void find_ends(const program *p, lifetime *by_buffer) {
    for (size_t i = 0; i < p->buffers.n; i++)
        by_buffer[i] = (lifetime){.buffer = (int)i, .bytes = aligned_bytes(&p->buffers.at[i]), .first = -1, .last = -1};
    for (size_t s = 0; s < p->steps.n; s++) {
        const program_step *step = &p->steps.at[s];
        for (size_t a = 0; a < p->kernels.at[step->kernel]->buffers.n; a++) {
            lifetime *x = &by_buffer[step->args[a].buffer];
            x->first = x->first < 0 ? (int64_t)s : x->first;
            x->last = (int64_t)s;
        }
    }
}

static void sum_alive(const lifetime_list *all, size_t n_steps, int64_t *alive) {
    for (size_t i = 0; i < all->n; i++) {
        alive[all->at[i]->first] += all->at[i]->bytes;
        alive[all->at[i]->last + 1] -= all->at[i]->bytes;
    }
    for (size_t s = 1; s <= n_steps; s++)
        alive[s] += alive[s - 1];
}

status plan_lifetimes(const program *p, arena *a, lifetime_list *out, int64_t **out_alive) {
    lifetime *by_buffer = ARENA_NEW_N(a, lifetime, p->buffers.n + 1);
    int64_t *alive = ARENA_NEW_N(a, int64_t, p->steps.n + 2);
    TRY_ALLOC(by_buffer);
    TRY_ALLOC(alive);
    find_ends(p, by_buffer);
    *out = (lifetime_list){0};
    for (size_t i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i].place == PLACE_ARENA && by_buffer[i].first >= 0)
            TRY(VEC_PUSH(a, *out, &by_buffer[i]));
    sum_alive(out, p->steps.n, alive);
    for (size_t i = 0; i < out->n; i++) {
        lifetime *x = out->at[i];
        for (int64_t s = x->first; s <= x->last; s++)
            x->breadth = alive[s] > x->breadth ? alive[s] : x->breadth;
    }
    if (out_alive != NULL)
        *out_alive = alive;
    return STATUS_OK;
}

status plan_least(const lifetime_list *all, size_t n_steps, arena *scratch, int64_t *out) {
    int64_t *alive = ARENA_NEW_N(scratch, int64_t, n_steps + 2);
    TRY_ALLOC(alive);
    sum_alive(all, n_steps, alive);
    *out = 0;
    for (size_t s = 0; s < n_steps; s++)
        *out = alive[s] > *out ? alive[s] : *out;
    return STATUS_OK;
}

static status find_least(const program *p, arena *scratch, int64_t *out) {
    lifetime_list all;
    TRY(plan_lifetimes(p, scratch, &all, NULL));
    return plan_least(&all, p->steps.n, scratch, out);
}

status plan_lower_bound(const program *p, int64_t *out) {
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    status s = find_least(p, scratch, out);
    arena_free(scratch);
    return s;
}

static status place_as_one(program *p, lifetime_list *all, arena *scratch) {
    int64_t least;
    TRY(plan_least(all, p->steps.n, scratch, &least));
    return place_best(all, least, scratch, &p->arena_bytes);
}

static status plan(program *p, const memory_regions *regions, arena *scratch) {
    lifetime_list all;
    TRY(plan_lifetimes(p, scratch, &all, NULL));
    if (regions != NULL && regions->n > 0)
        TRY(place_in_regions(p, regions, &all, scratch));
    else
        TRY(place_as_one(p, &all, scratch));
    for (size_t i = 0; i < all.n; i++)
        p->buffers.at[all.at[i]->buffer].offset = all.at[i]->offset;
    return STATUS_OK;
}

status plan_memory(program *p, const memory_regions *regions) {
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    status s = plan(p, regions, scratch);
    arena_free(scratch);
    return s;
}
