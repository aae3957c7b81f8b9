/* Constant operands rewritten at compile time in the order in which a nest reads them. */
#include <string.h>

#include "schedule/plan.h"

repack_loop repack_axis(const nest_axis *axis, int64_t step) {
    return (repack_loop){axis->extent, step, NULL, axis->var};
}

static int64_t source_of(const repack_loop *loop, int64_t i) {
    return loop->moves != NULL ? loop->moves[i] : loop->step * i;
}

static bool is_contiguous(const repack_loop *loop) {
    for (int64_t i = 0; i < loop->extent; i++)
        if (source_of(loop, i) != i)
            return false;
    return true;
}

/* The two innermost loops, the outer one along neighbours in the source: a cache line of them at a time, so that it is
 * read once. `each` is a constant where it is called, so that an element is a load and a store. */
static inline void copy_rows(const repack_loop *outer, const char *from, char *to, size_t each) {
    const repack_loop *inner = outer + 1;
    const int64_t line = 16, size = (int64_t)each;
    for (int64_t first = 0; first < outer->extent; first += line) {
        int64_t end = first + line < outer->extent ? first + line : outer->extent;
        for (int64_t i = 0; i < inner->extent; i++) {
            const char *row = from + source_of(inner, i) * size;
            for (int64_t k = first; k < end; k++)
                memcpy(to + (k * inner->extent + i) * size, row + source_of(outer, k) * size, each);
        }
    }
}

static void copy_innermost(const repack_loop *outer, bool contiguous, const char *from, char *to, size_t each) {
    size_t run = (size_t)outer[1].extent * each;
    for (int64_t k = 0; contiguous && k < outer->extent; k++)
        memcpy(to + (size_t)k * run, from + source_of(outer, k) * (int64_t)each, run);
    if (contiguous)
        return;
    if (each == 4)
        copy_rows(outer, from, to, 4);
    else if (each == 1)
        copy_rows(outer, from, to, 1);
    else
        copy_rows(outer, from, to, each);
}

static void copy_elements(const repack_loop *loops, int n, bool contiguous, const char *from, char **to, size_t each) {
    const repack_loop alone[] = {{.extent = 1}, loops[0]};
    if (n <= 2) {
        loops = n == 2 ? loops : alone;
        copy_innermost(loops, contiguous, from, *to, each);
        *to += loops[0].extent * loops[1].extent * (int64_t)each;
        return;
    }
    for (int64_t i = 0; i < loops->extent; i++)
        copy_elements(loops + 1, n - 1, contiguous, from + source_of(loops, i) * (int64_t)each, to, each);
}

/* Is the data in this order already? */
static bool is_dense(const repack_loop *loops, int n, int64_t first, int64_t elements) {
    int64_t stride = 1;
    for (int i = n - 1; i >= 0; i--) {
        if (loops[i].moves != NULL || (loops[i].step != stride && loops[i].extent > 1))
            return false;
        stride *= loops[i].extent;
    }
    return first == 0 && stride == elements;
}

const expr *repack_address(builder *b, const repack_loop *loops, int n) {
    int64_t total = 1;
    const expr *address = build_index(b, 0);
    for (int i = n - 1; i >= 0; i--) {
        address = build_add(b, address, build_mul(b, loops[i].var, build_index(b, total)));
        total *= loops[i].extent;
    }
    return address;
}

status repack_constant(plan *p, const access *x, const repack_loop *loops, int n, const expr **out_load) {
    schedule_buffer from = *plan_slot_buffer(p, x->load->ref);
    const char *data = plan_constant(p, x->load->ref);
    size_t each = dtype_bytes(from.elem, 1);
    int64_t total = 1;
    for (int i = 0; i < n; i++)
        total *= loops[i].extent;
    int slot = x->load->ref;
    if (!is_dense(loops, n, x->first, from.n)) {
        char *copy = arena_alloc_n(p->memory, (size_t)total, each), *end = copy;
        TRY_ALLOC(copy);
        copy_elements(loops, n, is_contiguous(&loops[n - 1]), data + x->first * (int64_t)each, &end, each);
        slot = plan_new_slot(p, (schedule_buffer){.kind = SCHEDULE_CONST, .elem = from.elem, .n = total, .data = copy});
        if (slot < 0)
            return STATUS_RESOURCE;
    }
    *out_load = build_load(p->b, slot, x->load->type, repack_address(p->b, loops, n), NULL);
    return STATUS_OK;
}

/* ---- the order of a contraction's reduction ---- */

/* The first load of a stage's value whose data are not constant and whose address is affine. */
static bool find_data(const plan *p, const plan_stage *g, const expr_list *loads, access *out) {
    for (size_t i = 0; i < loads->at.n; i++) {
        const expr *x = loads->at.at[i];
        if (plan_is_constant(p, x->ref) || !expr_uses(g->value, x))
            continue;
        *out = plan_access(p, x);
        if (out->affine)
            return true;
    }
    return false;
}

static int64_t step_of(const plan *p, const access *x, const expr *var) {
    nest_axis axes[PLAN_MAX_AXES];
    int n = plan_all_axes(p, axes);
    for (int i = 0; i < n; i++)
        if (axes[i].var == var)
            return x->step[i] < 0 ? -x->step[i] : x->step[i];
    return 0;
}

/* Largest steps outermost (insertion sort: stable). An access counts axes in their order, so it is asked first. */
static void sort_axes(const plan *p, plan_stage *g, const access *data) {
    int64_t steps[NEST_MAX_AXES];
    for (int i = 0; i < g->n_axes; i++)
        steps[i] = step_of(p, data, g->axes[i].var);
    for (int i = 1; i < g->n_axes; i++) {
        nest_axis moving = g->axes[i];
        int64_t step = steps[i];
        int k = i;
        for (; k > 0 && steps[k - 1] < step; k--) {
            g->axes[k] = g->axes[k - 1];
            steps[k] = steps[k - 1];
        }
        g->axes[k] = moving;
        steps[k] = step;
    }
}

static status follow_order(plan *p, plan_stage *g, const expr *load) {
    access x = plan_access(p, load);
    repack_loop loops[PLAN_MAX_AXES];
    const expr *better = NULL;
    int n = 0;
    if (!x.affine)
        return STATUS_OK;
    for (int i = 0; i < p->n_axes; i++)
        if (x.step[i] != 0)
            loops[n++] = repack_axis(&p->axes[i], x.step[i]);
    int first = n;
    for (int i = 0; i < g->n_axes; i++) {
        nest_axis axes[PLAN_MAX_AXES];
        int all = plan_all_axes(p, axes);
        for (int k = 0; k < all; k++)
            if (axes[k].var == g->axes[i].var && x.step[k] != 0)
                loops[n++] = repack_axis(&g->axes[i], x.step[k]);
    }
    if (n == first)
        return STATUS_OK;
    TRY(repack_constant(p, &x, loops, n, &better));
    g->value = build_substitute(p->b, g->value, &load, &better, 1);
    return STATUS_OK;
}

status repack_reductions(plan *p) {
    for (int s = 0; p->contract && s < p->n_stages; s++) {
        plan_stage *g = &p->stages[s];
        expr_list loads;
        access data;
        if (g->kind != STAGE_REDUCE || g->n_axes < 2)
            continue;
        TRY(plan_loads(p, &loads));
        if (!find_data(p, g, &loads, &data))
            continue;
        sort_axes(p, g, &data);
        for (size_t i = 0; i < loads.at.n; i++)
            if (plan_is_constant(p, loads.at.at[i]->ref) && expr_uses(g->value, loads.at.at[i]))
                TRY(follow_order(p, g, loads.at.at[i]));
    }
    return builder_status(p->b);
}
