/* Kernels that a test schedules: their text, and failing allocations on the way. */
#ifndef TENON_SCHEDULE_SUPPORT_H
#define TENON_SCHEDULE_SUPPORT_H

#include "test_support.h"

#include "schedule/schedule.h"

static inline const char *kernel_text(const kernel *k, arena *a) {
    strbuf s = strbuf_in(a);
    const char *text;
    kernel_print(k, &s);
    assert_int_equal(strbuf_finish(&s, &text), STATUS_OK);
    return text;
}

static inline bool is_spelt(const kernel *k, arena *a, const char *what) {
    return strstr(kernel_text(k, a), what) != NULL;
}

/* Schedules what `of` describes, in `a`. */
typedef status kernel_maker(const void *of, arena *a, const kernel **out);

typedef struct scheduling {
    kernel_maker *make;
    const void *of;
} scheduling;

static inline status schedule_once(const allocator *from, void *ctx) {
    const scheduling *x = ctx;
    arena *a = arena_new(from);
    const kernel *k;
    status s = a != NULL ? x->make(x->of, a, &k) : STATUS_RESOURCE;
    arena_free(a);
    return s;
}

static inline void survives_failing_allocations(kernel_maker *make, const void *of) {
    scheduling x = {make, of};
    assert_true(test_each_allocation(schedule_once, &x) > 2);
}

#endif
