/* Which region each buffer lies in. Those that steps read and write most for their size are the first to choose, and
 * take the first region that holds them beside what lives with them. Where so the last region becomes too full, the
 * largest choose first. */
#include <stdlib.h>
#include <string.h>

#include "schedule/memory_plan.h"

typedef struct sorting {
    const program *p;
    const memory_regions *regions;
    arena *scratch;
    lifetime_list *in; /* by region */
    int64_t *bytes;    /* by region */
} sorting;

/* ---- traffic ---- */

static status sum_traffic(const program *p, const lifetime_list *all, arena *scratch) {
    int64_t *traffic = ARENA_NEW_N(scratch, int64_t, p->buffers.n + 1);
    const buffer_traffic **of = ARENA_NEW_N(scratch, const buffer_traffic *, p->kernels.n + 1);
    TRY_ALLOC(traffic);
    TRY_ALLOC(of);
    for (size_t s = 0; s < p->steps.n; s++) {
        const program_step *step = &p->steps.at[s];
        const kernel *k = p->kernels.at[step->kernel];
        if (of[step->kernel] == NULL)
            TRY(kernel_traffic(k, scratch, &of[step->kernel]));
        for (size_t i = 0; i < k->buffers.n; i++)
            traffic[step->args[i].buffer] +=
                (of[step->kernel][i].read + of[step->kernel][i].written) * (dtype_bits(k->buffers.at[i].elem) / 8);
    }
    for (size_t i = 0; i < all->n; i++)
        all->at[i]->traffic = traffic[all->at[i]->buffer];
    return STATUS_OK;
}

static int compare(double x, double y) {
    return (x > y) - (x < y);
}

static int larger_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare((double)b->bytes, (double)a->bytes);
    return c != 0 ? c : a->buffer - b->buffer;
}

static int busier_first(const void *x, const void *y) {
    const lifetime *a = *(lifetime *const *)x, *b = *(lifetime *const *)y;
    int c = compare((double)b->traffic * (double)a->bytes, (double)a->traffic * (double)b->bytes);
    return c != 0 ? c : larger_first(x, y);
}

/* ---- choosing ---- */

enum { MOST_REPLACED = 200 };

/* Offsets to come back to. */
typedef struct placing {
    lifetime **order;
    int64_t *offsets;
} placing;

static status remember(const lifetime_list *in, arena *a, placing *out) {
    TRY_ALLOC(out->order = arena_copy(a, in->at, in->n * sizeof *in->at));
    TRY_ALLOC(out->offsets = ARENA_NEW_N(a, int64_t, in->n + 1));
    for (size_t i = 0; i < in->n; i++)
        out->offsets[i] = in->at[i]->offset;
    return STATUS_OK;
}

static void restore(lifetime_list *in, const placing *from) {
    for (size_t i = 0; i < in->n; i++) {
        in->at[i] = from->order[i];
        in->at[i]->offset = from->offsets[i];
    }
}

/* The last of the list is new: may it stay? Beside the others as they lie, or as they could lie. */
static status fits(sorting *s, lifetime_list *in, int64_t limit, bool *out) {
    placing before;
    int64_t bytes;
    lifetime *x = in->at[--in->n];
    TRY(place_one(in, x, s->scratch));
    in->n++;
    *out = x->offset + x->bytes <= limit;
    if (*out || in->n > MOST_REPLACED)
        return STATUS_OK;
    TRY(remember(in, s->scratch, &before));
    TRY(place_quickly(in, limit, s->scratch, &bytes));
    *out = bytes <= limit;
    if (!*out)
        restore(in, &before);
    return STATUS_OK;
}

/* What fits nowhere goes into the last. */
static status choose_region(sorting *s, lifetime *x) {
    bool done = false;
    for (size_t r = 0; r < s->regions->n && !done; r++) {
        lifetime_list *in = &s->in[r];
        TRY(VEC_PUSH(s->scratch, *in, x));
        arena_mark mark = arena_get_mark(s->scratch);
        TRY(fits(s, in, s->regions->at[r].bytes, &done));
        arena_reset(s->scratch, mark);
        in->n -= !done && r + 1 < s->regions->n;
    }
    return STATUS_OK;
}

/* As it lies, or better. */
static status place_region(sorting *s, size_t r) {
    lifetime_list *in = &s->in[r];
    placing before;
    int64_t least, bytes = 0;
    for (size_t i = 0; i < in->n; i++)
        bytes = in->at[i]->offset + in->at[i]->bytes > bytes ? in->at[i]->offset + in->at[i]->bytes : bytes;
    TRY(remember(in, s->scratch, &before));
    TRY(plan_least(in, s->p->steps.n, s->scratch, &least));
    TRY(place_best(in, least, s->scratch, &s->bytes[r]));
    if (s->bytes[r] <= bytes)
        return STATUS_OK;
    restore(in, &before);
    s->bytes[r] = bytes;
    return STATUS_OK;
}

/* Places each region's buffers, and gives the bytes that the regions lack. */
static status place_each(sorting *s, int64_t *out_missing) {
    *out_missing = 0;
    for (size_t r = 0; r < s->regions->n; r++) {
        TRY(place_region(s, r));
        int64_t limit = s->regions->at[r].bytes;
        *out_missing += s->bytes[r] > limit ? s->bytes[r] - limit : 0;
    }
    return STATUS_OK;
}

static status sort_into_regions(sorting *s, lifetime_list *all, int (*order)(const void *, const void *),
                                int64_t *out_missing) {
    for (size_t r = 0; r < s->regions->n; r++)
        s->in[r].n = 0;
    qsort(all->at, all->n, sizeof *all->at, order);
    for (size_t i = 0; i < all->n; i++)
        TRY(choose_region(s, all->at[i]));
    return place_each(s, out_missing);
}

/* All in the first region, where that is large enough. */
static status try_first(sorting *s, const lifetime_list *all, bool *out) {
    int64_t least;
    for (size_t i = 0; i < all->n; i++)
        TRY(VEC_PUSH(s->scratch, s->in[0], all->at[i]));
    TRY(plan_least(all, s->p->steps.n, s->scratch, &least));
    TRY(place_best(&s->in[0], least, s->scratch, &s->bytes[0]));
    *out = s->bytes[0] <= s->regions->at[0].bytes;
    return STATUS_OK;
}

/* ---- the program's regions ---- */

static status write_regions(const sorting *s, program *p) {
    p->arena_bytes = 0;
    for (size_t r = 0; r < s->regions->n; r++) {
        program_region made = {s->regions->at[r].name, s->regions->at[r].bytes, p->arena_bytes, s->bytes[r]};
        TRY(VEC_PUSH(p->memory, p->regions, made));
        for (size_t i = 0; i < s->in[r].n; i++)
            s->in[r].at[i]->offset += p->arena_bytes;
        p->arena_bytes += s->bytes[r];
    }
    return STATUS_OK;
}

status place_in_regions(program *p, const memory_regions *regions, lifetime_list *all, arena *scratch) {
    sorting s = {.p = p, .regions = regions, .scratch = scratch};
    bool done;
    int64_t missing, of_largest;
    TRY_ALLOC(s.in = ARENA_NEW_N(scratch, lifetime_list, regions->n));
    TRY_ALLOC(s.bytes = ARENA_NEW_N(scratch, int64_t, regions->n));
    TRY(sum_traffic(p, all, scratch));
    TRY(try_first(&s, all, &done));
    if (!done && regions->n > 1) {
        TRY(sort_into_regions(&s, all, busier_first, &missing));
        if (missing > 0)
            TRY(sort_into_regions(&s, all, larger_first, &of_largest));
        if (missing > 0 && of_largest > missing)
            TRY(sort_into_regions(&s, all, busier_first, &missing));
    }
    return write_regions(&s, p);
}
