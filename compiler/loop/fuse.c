/* One kernel out of several: loops over blocks, and inside of them the statements of each. */
#include "loop/copy.h"

/* The first element of the loop's current block along its axis; opens the loop where there are several. */
static const expr *open_loop(builder *b, const fused_loop *l) {
    if (l->block >= l->extent)
        return build_index(b, 0);
    const expr *number = build_for(b, "block", build_index(b, fused_blocks(l)), LOOP_SERIAL);
    const expr *first = build_mul(b, number, build_index(b, l->block));
    if (l->extent % l->block != 0)
        first = build_min(b, first, build_index(b, l->extent - l->block));
    return build_let(b, "first", first);
}

static void close_loop(builder *b, const fused_loop *l) {
    if (l->block < l->extent)
        build_end(b);
}

static status inline_call(builder *b, const fused_call *call, const expr *const *firsts) {
    size_t n = call->k->buffers.n;
    const expr **shifts = ARENA_NEW_N(builder_arena(b), const expr *, n + 1);
    TRY_ALLOC(shifts);
    for (size_t k = 0; k < n; k++) {
        shifts[k] = build_index(b, 0);
        for (int i = 0; i < call->depth; i++)
            shifts[k] = build_add(b, shifts[k], build_mul(b, firsts[i], build_index(b, call->steps[k][i])));
    }
    kernel_copy c = {.k = call->k, .b = b, .buffers = call->buffers, .shifts = shifts};
    return kernel_copy_body(&c);
}

status kernel_fuse(const fusion *f, arena *a, const target *t, kernel **out) {
    builder *b = builder_new(a, t);
    const expr *firsts[FUSE_MAX_LOOPS];
    TRY_ALLOC(b);
    for (int d = 0; d <= f->n_loops; d++) {
        for (int i = 0; i < f->n_calls; i++)
            if (f->calls[i].depth == d)
                TRY(inline_call(b, &f->calls[i], firsts));
        if (d < f->n_loops)
            firsts[d] = open_loop(b, &f->loops[d]);
    }
    for (int d = f->n_loops - 1; d >= 0; d--)
        close_loop(b, &f->loops[d]);
    TRY(builder_status(b));
    *out = builder_kernel(b, f->name, f->buffers, f->n_buffers);
    TRY_ALLOC(*out);
    return kernel_legalise(*out, a, t);
}
