/* rooms: schedule loop base */
/* What tiles look like: the order and number of the loops of some nests whose best form is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "schedule/schedule.h"

typedef struct setup {
    arena *a;
    nest_list l;
    nest *n;
    schedule_operand operands[3]; /* x, w, y */
} setup;

static const target *row_of(const char *name) {
    diag *d = diag_new(&allocator_system);
    const target *t = target_find(name, d);
    diag_free(d);
    return t;
}

static void open_case(setup *s, const char *target_name, const int64_t (*dims)[4], const int *ranks) {
    s->a = arena_new(&allocator_system);
    s->l = (nest_list){.b = builder_new(s->a, row_of(target_name)), .n_inputs = 2, .n_outputs = 1};
    for (int k = 0; k < 3; k++) {
        nest_operand o = {true, DT_F32, ranks[k], dims[k]};
        int64_t count = 1;
        for (int d = 0; d < ranks[k]; d++)
            count *= dims[k][d];
        void *data = arena_alloc(s->a, (size_t)count * 4);
        memset(data, 0, (size_t)count * 4);
        assert_int_equal(VEC_PUSH(s->a, s->l.operands, o), STATUS_OK);
        s->operands[k] = (schedule_operand){DT_F32, ranks[k], dims[k], k == 1 ? data : NULL, NULL};
    }
    s->n = nest_add(&s->l, "case");
    s->n->contract = true;
}

/* The kernel that multiplies: the last one. */
static const kernel *scheduled(setup *s, const char *target_name) {
    schedule out = {.memory = s->a};
    schedule_options options = {.target = row_of(target_name)};
    assert_int_equal(schedule_nest(s->n, s->operands, 3, &options, &out), STATUS_OK);
    return out.calls.at[out.calls.n - 1].k;
}

/* Extents of the loops, outermost first, down the first loop of each. */
static int loops_of(const block *body, int64_t *extents) {
    for (const stmt *x = body->first; x != NULL; x = x->next)
        if (x->kind == STMT_FOR) {
            extents[0] = x->loop.extent->imm;
            return 1 + loops_of(&x->loop.body, extents + 1);
        }
    return 0;
}

/* y[p, co] = sum over ci, r, c of x[p, r, c, ci] * w[co, ci, r, c] */
static void reduction_goes_in_the_order_of_its_data(void **state) {
    (void)state;
    setup s;
    int64_t extents[16];
    open_case(&s, "x86-64-v3", (const int64_t[][4]){{12, 3, 5, 40}, {16, 40, 3, 5}, {12, 16}}, (const int[]){4, 4, 2});
    const expr *o[2];
    nest_outer_all(s.n, 2, (int64_t[]){12, 16}, o);
    nest_open(s.n);
    const expr *ci = nest_inner(s.n, "ci", 40), *r = nest_inner(s.n, "r", 3), *c = nest_inner(s.n, "c", 5);
    const expr *x = nest_read(&s.l, 0, (const expr *[]){o[0], r, c, ci});
    const expr *w = nest_read(&s.l, 1, (const expr *[]){o[1], ci, r, c});
    nest_store(s.n, 2, o, 2, nest_reduce(s.n, REDUCE_SUM, build_mul(s.l.b, x, w)));
    const kernel *k = scheduled(&s, "x86-64-v3");
    int n = loops_of(&k->body, extents);
    assert_true(n >= 1);
    assert_int_equal(extents[n - 1], 3 * 5 * 40); /* one loop */
    arena_free(s.a);
}

/* y[h, c, co] = sum over k of x[h, c, k] * w[co, k], where x lies with gaps between its rows h */
static const kernel *rows_apart(setup *s, const char *target_name, int64_t h, int64_t c, int64_t k, int64_t co) {
    const int64_t dims[3][4] = {{h + 2, c + 2, k}, {co, k}, {h, c, co}};
    open_case(s, target_name, dims, (const int[]){3, 2, 3});
    const expr *o[3];
    nest_outer_all(s->n, 3, (int64_t[]){h, c, co}, o);
    nest_open(s->n);
    const expr *i = nest_inner(s->n, "k", k);
    const expr *x = nest_read(&s->l, 0, (const expr *[]){o[0], o[1], i});
    const expr *w = nest_read(&s->l, 1, (const expr *[]){o[2], i});
    nest_store(s->n, 2, o, 3, nest_reduce(s->n, REDUCE_SUM, build_mul(s->l.b, x, w)));
    return scheduled(s, target_name);
}

/* 7 rows of 7 leave 2 of 14 blocks of 6 half empty; 49 in a row leave 1 of 9. */
static void rows_run_on_over_two_axes(void **state) {
    (void)state;
    setup s;
    int64_t extents[16];
    const kernel *k = rows_apart(&s, "x86-64-v3", 7, 7, 400, 16);
    assert_int_equal(loops_of(&k->body, extents), 2);
    assert_true(extents[0] < 14);
    arena_free(s.a);
}

/* 9 MB of weights are not read once for each of 14 rows. */
static void large_weights_are_read_once(void **state) {
    (void)state;
    setup s;
    int64_t extents[16];
    const kernel *k = rows_apart(&s, "x86-64-v4", 14, 14, 4608, 512);
    assert_true(loops_of(&k->body, extents) >= 2);
    assert_int_equal(512 % (extents[0] * 16), 0); /* the outermost loop is that of blocks of channels */
    arena_free(s.a);
}

/* 24 channels in vectors of 16 lanes: one of 16, one of 8. */
static void last_vector_may_be_half(void **state) {
    (void)state;
    setup s;
    const kernel *k = rows_apart(&s, "x86-64-v4", 14, 14, 96, 24);
    bool half = false;
    for (size_t i = 0; i < k->regs.n; i++)
        half |= k->regs.at[i].type.lanes == 8;
    assert_true(half);
    arena_free(s.a);
}

/* y[i, j] = x[j, i]: the loop over blocks of lanes, along j, is the outer one. */
static void transposed_copies_go_by_blocks_of_lanes(void **state) {
    (void)state;
    setup s;
    int64_t extents[16];
    open_case(&s, "x86-64-v4", (const int64_t[][4]){{128, 96}, {1}, {96, 128}}, (const int[]){2, 1, 2});
    const expr *o[2];
    s.n->contract = false;
    nest_outer_all(s.n, 2, (int64_t[]){96, 128}, o);
    nest_open(s.n);
    nest_store(s.n, 2, o, 2, nest_read(&s.l, 0, (const expr *[]){o[1], o[0]}));
    const kernel *k = scheduled(&s, "x86-64-v4");
    assert_int_equal(loops_of(&k->body, extents), 2);
    assert_int_equal(extents[1], 96);
    assert_true(extents[0] < 128);
    arena_free(s.a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduction_goes_in_the_order_of_its_data),
        cmocka_unit_test(rows_run_on_over_two_axes),
        cmocka_unit_test(large_weights_are_read_once),
        cmocka_unit_test(last_vector_may_be_half),
        cmocka_unit_test(transposed_copies_go_by_blocks_of_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
