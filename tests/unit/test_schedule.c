/* rooms: schedule loop base */
/* The scheduler against its oracle: random contractions and poolings, scheduled and naive, give the same integers
 * exactly and the same floats within a bound that follows from the length of the sums. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schedule/schedule.h"
#include "schedule/tuning.h"

#define CASES 2000
#define MAX_SPATIAL 2

/* ---- random numbers ---- */

typedef struct rng {
    uint64_t state;
} rng;

static uint32_t next(rng *r) {
    r->state = r->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(r->state >> 33);
}

static int64_t between(rng *r, int64_t low, int64_t high) {
    return low + (int64_t)(next(r) % (uint64_t)(high - low + 1));
}

/* ---- a case ---- */

typedef struct conv_case {
    bool matmul, constant_weights, transposed, has_bias, has_relu, pooling;
    dtype elem;
    int64_t batch, groups, ci, co; /* channels per group */
    int spatial;
    int64_t in[MAX_SPATIAL], kernel[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL], pad[MAX_SPATIAL],
        out[MAX_SPATIAL];
    int64_t m, n, k;
} conv_case;

static conv_case random_case(rng *r) {
    conv_case c = {.matmul = next(r) % 2,
                   .constant_weights = next(r) % 2,
                   .transposed = next(r) % 2,
                   .has_bias = next(r) % 2,
                   .has_relu = next(r) % 2,
                   .elem = next(r) % 4 == 0 ? DT_I32 : DT_F32};
    c.batch = between(r, 1, 3);
    c.m = between(r, 1, 40);
    c.n = between(r, 1, 40);
    c.k = between(r, 1, 40);
    c.groups = next(r) % 3 == 0 ? between(r, 1, 9) : 1;
    c.ci = next(r) % 3 == 0 ? 1 : between(r, 1, 9);
    c.co = next(r) % 3 == 0 ? 1 : between(r, 1, 20);
    c.pooling = !c.matmul && next(r) % 6 == 0;
    c.spatial = (int)between(r, 1, MAX_SPATIAL);
    for (int d = 0; d < c.spatial; d++) {
        c.kernel[d] = between(r, 1, 4);
        c.stride[d] = between(r, 1, 3);
        c.dilation[d] = between(r, 1, 2);
        c.pad[d] = next(r) % 2 ? between(r, 0, 2) : 0;
        int64_t reach = (c.kernel[d] - 1) * c.dilation[d] + 1;
        c.in[d] = between(r, reach, reach + 20);
        c.out[d] = (c.in[d] + 2 * c.pad[d] - reach) / c.stride[d] + 1;
    }
    return c;
}

/* ---- its nest ---- */

typedef struct shapes {
    int rank[4];
    int64_t dims[4][6]; /* x, w, bias, y */
    int64_t count[4];
} shapes;

static void set_shape(shapes *s, int k, int rank, const int64_t *dims) {
    s->rank[k] = rank;
    s->count[k] = 1;
    for (int d = 0; d < rank; d++) {
        s->dims[k][d] = dims[d];
        s->count[k] *= dims[d];
    }
}

static shapes shapes_of(const conv_case *c) {
    shapes s;
    if (c->matmul) {
        set_shape(&s, 0, 3, (int64_t[]){c->batch, c->m, c->k});
        set_shape(&s, 1, 2, c->transposed ? (int64_t[]){c->n, c->k} : (int64_t[]){c->k, c->n});
        set_shape(&s, 2, 1, (int64_t[]){c->n});
        set_shape(&s, 3, 3, (int64_t[]){c->batch, c->m, c->n});
        return s;
    }
    int64_t x[4] = {c->batch, c->groups * c->ci}, w[4] = {c->groups * c->co, c->ci},
            y[4] = {c->batch, c->groups * c->co};
    for (int d = 0; d < c->spatial; d++) {
        x[2 + d] = c->in[d];
        w[2 + d] = c->kernel[d];
        y[2 + d] = c->out[d];
    }
    set_shape(&s, 0, 2 + c->spatial, x);
    set_shape(&s, 1, 2 + c->spatial, w);
    set_shape(&s, 2, 1, &y[1]);
    set_shape(&s, 3, 2 + c->spatial, y);
    return s;
}

static const expr *finish(const conv_case *c, nest_list *l, const expr *sum, const expr *channel) {
    if (c->has_bias)
        sum = build_add(l->b, sum, nest_read(l, 2, &channel));
    return c->has_relu ? build_max(l->b, sum, build_const(l->b, c->elem, 0)) : sum;
}

static void matmul_nest(const conv_case *c, nest_list *l, nest *n) {
    const expr *i[3];
    nest_outer_all(n, 3, (int64_t[]){c->batch, c->m, c->n}, i);
    nest_open(n);
    const expr *k = nest_inner(n, "k", c->k);
    const expr *x = nest_read(l, 0, (const expr *[]){i[0], i[1], k});
    const expr *w = nest_read(l, 1, c->transposed ? (const expr *[]){i[2], k} : (const expr *[]){k, i[2]});
    const expr *sum = nest_reduce(n, REDUCE_SUM, build_mul(l->b, x, w));
    nest_store(n, 3, i, 3, finish(c, l, sum, i[2]));
}

static void conv_nest(const conv_case *c, nest_list *l, nest *n) {
    builder *b = l->b;
    const expr *batch = nest_outer(n, "n", c->batch), *g = nest_outer(n, "g", c->groups),
               *co = nest_outer(n, "co", c->co);
    const expr *o[MAX_SPATIAL], *x_index[4], *w_index[4], *y_index[4], *mask = NULL;
    for (int d = 0; d < c->spatial; d++)
        o[d] = nest_outer(n, "o", c->out[d]);
    nest_open(n);
    const expr *ci = nest_inner(n, "ci", c->ci);
    const expr *channel = build_add(b, build_mul(b, g, build_index(b, c->co)), co);
    x_index[0] = y_index[0] = batch;
    x_index[1] = build_add(b, build_mul(b, g, build_index(b, c->ci)), ci);
    y_index[1] = w_index[0] = channel;
    w_index[1] = ci;
    for (int d = 0; d < c->spatial; d++) {
        const expr *k = nest_inner(n, "k", c->kernel[d]);
        const expr *at = build_add(b, build_mul(b, o[d], build_index(b, c->stride[d])),
                                   build_mul(b, k, build_index(b, c->dilation[d])));
        x_index[2 + d] = build_sub(b, at, build_index(b, c->pad[d]));
        w_index[2 + d] = k;
        y_index[2 + d] = o[d];
        if (c->pad[d] == 0)
            continue;
        const expr *in = build_and(b, build_le(b, build_index(b, 0), x_index[2 + d]),
                                   build_lt(b, x_index[2 + d], build_index(b, c->in[d])));
        mask = mask == NULL ? in : build_and(b, mask, in);
    }
    const expr *x = mask != NULL ? nest_read_masked(l, 0, x_index, mask) : nest_read(l, 0, x_index);
    const expr *sum = c->pooling ? nest_reduce(n, REDUCE_MAX, x)
                                 : nest_reduce(n, REDUCE_SUM, build_mul(b, x, nest_read(l, 1, w_index)));
    nest_store(n, 3, y_index, 2 + c->spatial, finish(c, l, sum, channel));
}

/* ---- running a schedule ---- */

typedef struct tensors {
    void *data[4];
} tensors;

static void fill(rng *r, dtype t, void *data, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (t == DT_F32)
            ((float *)data)[i] = (float)between(r, -1000, 1000) / 997.0f;
        else
            ((int32_t *)data)[i] = (int32_t)between(r, -100, 100);
}

static program *make_program(arena *a, const conv_case *c, const shapes *s, const tensors *t, const target *target_row,
                             bool naive, const tuning *tuned) {
    builder *b = builder_new(a, target_row);
    nest_list l = {.b = b, .n_inputs = 3, .n_outputs = 1};
    schedule_operand operands[4];
    for (int k = 0; k < 4; k++) {
        nest_operand o = {true, c->elem, s->rank[k], s->dims[k]};
        assert_int_equal(VEC_PUSH(a, l.operands, o), STATUS_OK);
        operands[k] = (schedule_operand){c->elem, s->rank[k], s->dims[k],
                                         k == 1 && c->constant_weights ? t->data[1] : NULL, NULL};
    }
    nest *n = nest_add(&l, "case");
    n->contract = !c->pooling;
    if (c->matmul)
        matmul_nest(c, &l, n);
    else
        conv_nest(c, &l, n);
    schedule out = {.memory = a};
    schedule_options options = {.target = target_row, .naive = naive, .tuning = tuned};
    assert_int_equal(schedule_nest(n, operands, 4, &options, &out), STATUS_OK);
    program *p = ARENA_NEW(a, program);
    *p = (program){.memory = a, .name = "p", .target = target_row, .n_inputs = 3, .n_outputs = 1};
    for (int k = 0; k < 4; k++) {
        program_buffer buffer = {arena_printf(a, "b%d", k),
                                 "t",
                                 c->elem,
                                 s->count[k],
                                 k < 3 ? PLACE_INPUT : PLACE_OUTPUT,
                                 s->rank[k],
                                 s->dims[k],
                                 NULL,
                                 0};
        assert_int_equal(VEC_PUSH(a, p->buffers, buffer), STATUS_OK);
    }
    int first = (int)p->buffers.n;
    for (size_t i = 0; i < out.buffers.n; i++) {
        const schedule_buffer *x = &out.buffers.at[i];
        program_buffer buffer = {arena_printf(a, "s%zu", i),
                                 NULL,
                                 x->elem,
                                 x->n,
                                 x->kind == SCHEDULE_CONST ? PLACE_CONST : PLACE_ARENA,
                                 0,
                                 NULL,
                                 x->data,
                                 0};
        if (x->kind == SCHEDULE_OPERAND)
            buffer.n = 0;
        assert_int_equal(VEC_PUSH(a, p->buffers, buffer), STATUS_OK);
    }
    for (size_t i = 0; i < out.calls.n; i++) {
        kernel *k = out.calls.at[i].k;
        k->name = arena_printf(a, "k%zu", i);
        assert_int_equal(VEC_PUSH(a, p->kernels, k), STATUS_OK);
        step_arg *args = ARENA_NEW_N(a, step_arg, k->buffers.n + 1);
        for (size_t j = 0; j < k->buffers.n; j++) {
            int buffer = out.calls.at[i].buffers[j];
            const schedule_buffer *x = &out.buffers.at[buffer];
            args[j] = (step_arg){x->kind == SCHEDULE_OPERAND ? x->operand : first + buffer, 0};
        }
        program_step step = {(int)i, args, NULL, -1, NULL, out.calls.at[i].macs};
        assert_int_equal(VEC_PUSH(a, p->steps, step), STATUS_OK);
    }
    assert_int_equal(plan_memory(p, NULL), STATUS_OK);
    int64_t least;
    assert_int_equal(plan_lower_bound(p, &least), STATUS_OK);
    assert_true(p->arena_bytes >= least);
    return p;
}

static void run(arena *a, const program *p, const tensors *t, void *y) {
    interp *m = NULL;
    int code = -1;
    diag *d = diag_new(&allocator_system);
    if (program_verify(p, d) != STATUS_OK)
        fail_msg("%s", diag_line(d, 0, a));
    diag_free(d);
    assert_int_equal(interp_new(p, a, &m), STATUS_OK);
    char *scratch = arena_alloc(a, (size_t)p->arena_bytes + 64);
    void *aligned = scratch + (64 - (uintptr_t)scratch % 64) % 64;
    assert_int_equal(
        interp_run(m, (const void *const[]){t->data[0], t->data[1], t->data[2]}, (void *const[]){y}, aligned, &code),
        STATUS_OK);
    assert_int_equal(code, 0);
}

static void compare(const conv_case *c, const shapes *s, const void *x, const void *y, int number, const char *name) {
    int64_t length = c->matmul ? c->k : c->ci;
    for (int d = 0; !c->matmul && d < c->spatial; d++)
        length *= c->kernel[d];
    /* Each of at most length + 2 roundings is within half an ulp of a partial sum, whose terms are at most 1.01 * 1.01.
     */
    double bound = c->pooling ? 0 : 2 * (double)(length + 2) * (double)(length + 2) * 1.1 * 0x1p-24;
    for (int64_t i = 0; i < s->count[3]; i++) {
        if (c->elem == DT_I32 && ((const int32_t *)x)[i] != ((const int32_t *)y)[i])
            fail_msg("case %d on %s: element %lld is %d, naive %d", number, name, (long long)i, ((const int32_t *)y)[i],
                     ((const int32_t *)x)[i]);
        if (c->elem == DT_F32 && !(fabs((double)((const float *)x)[i] - (double)((const float *)y)[i]) <= bound))
            fail_msg("case %d on %s: element %lld is %g, naive %g", number, name, (long long)i,
                     (double)((const float *)y)[i], (double)((const float *)x)[i]);
    }
}

/* A random kernel with its data, and the target that its turn gives it. */
typedef struct trial {
    arena *a;
    conv_case c;
    shapes s;
    tensors t; /* the last is what the naive schedule gives */
    void *fast;
    const target *row;
} trial;

static trial random_trial(rng *r, arena *a, int number) {
    trial x = {.a = a, .c = random_case(r)};
    int targets = 0;
    while (target_table[targets] != NULL)
        targets++;
    x.s = shapes_of(&x.c);
    for (int k = 0; k < 4; k++) {
        x.t.data[k] = arena_alloc(a, (size_t)x.s.count[k] * 4);
        fill(r, x.c.elem, x.t.data[k], x.s.count[k]);
    }
    x.fast = arena_alloc(a, (size_t)x.s.count[3] * 4);
    x.row = target_table[number % targets];
    return x;
}

static void run_trial(const trial *x, bool naive, const tuning *tuned, void *y) {
    run(x->a, make_program(x->a, &x->c, &x->s, &x->t, x->row, naive, tuned), &x->t, y);
}

static void scheduled_agrees_with_naive(void **state) {
    (void)state;
    rng r = {20240607};
    for (int i = 0; i < CASES; i++) {
        arena *a = arena_new(&allocator_system);
        const trial x = random_trial(&r, a, i);
        run_trial(&x, true, NULL, x.t.data[3]);
        run_trial(&x, false, NULL, x.fast);
        compare(&x.c, &x.s, x.t.data[3], x.fast, i, x.row->name);
        arena_free(a);
    }
}

/* Whatever tile the scheduler says that a kernel could have, a table may ask for it. */
static void every_tile_agrees_with_naive(void **state) {
    (void)state;
    rng r = {20261128};
    int tried = 0;
    for (int i = 0; i < CASES / 4; i++) {
        arena *a = arena_new(&allocator_system);
        const trial x = random_trial(&r, a, i);
        tune_sites sites = {.memory = a, .by_kernel = map_in(a)};
        tuning tuned = {.threads = 1, .sites = &sites};
        make_program(a, &x.c, &x.s, &x.t, x.row, false, &tuned);
        if (sites.at.n > 0 && sites.at.at[0]->others.n > 0) {
            const tune_site *site = sites.at.at[0];
            bool used = false;
            tune_table table = {.file = "table"};
            tune_entry e = {.target = x.row->name, .threads = 1, .kernel = site->kernel};
            e.choice = site->others.at[between(&r, 0, (int64_t)site->others.n - 1)];
            assert_int_equal(VEC_PUSH(a, table.at, e), STATUS_OK);
            tuned = (tuning){.table = &table, .threads = 1, .used = &used};
            run_trial(&x, true, NULL, x.t.data[3]);
            run_trial(&x, false, &tuned, x.fast);
            compare(&x.c, &x.s, x.t.data[3], x.fast, i, x.row->name);
            assert_true(used);
            tried++;
        }
        arena_free(a);
    }
    assert_true(tried > CASES / 16);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scheduled_agrees_with_naive),
                                       cmocka_unit_test(every_tile_agrees_with_naive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
