/* rooms: schedule loop base */
/* What tiles look like: the order and number of the loops of some nests whose best form is known. */
#include "test_support.h"

#include "schedule/schedule.h"
#include "schedule/tuning.h"

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
        memset(data, 0x3f, (size_t)count * 4); /* no weight is zero: that would be another matter */
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

static int count_loops(const block *body, int64_t extent) {
    int n = 0;
    for (const stmt *x = body->first; x != NULL; x = x->next)
        if (x->kind == STMT_FOR)
            n += (x->loop.extent->imm == extent) + count_loops(&x->loop.body, extent);
    return n;
}

/* y[o] = f(g, sum over k of x[k] * w[1, o, k]), g: the sum of x[k] * w[0, o, k]; with `apart` that is in the other sum.
 */
static const kernel *two_sums(setup *s, int64_t columns, int64_t k, bool apart) {
    const int64_t dims[3][4] = {{k}, {2, columns, k}, {columns}};
    const expr *o[1], *sums[2] = {NULL, NULL};
    open_case(s, "x86-64-v3", dims, (const int[]){1, 3, 1});
    nest_outer_all(s->n, 1, (int64_t[]){columns}, o);
    for (int i = 0; i < 2; i++) {
        nest_open(s->n);
        const expr *at = nest_inner(s->n, "k", k);
        const expr *x = nest_read(&s->l, 0, (const expr *[]){at});
        const expr *w = nest_read(&s->l, 1, (const expr *[]){build_index(s->l.b, i), o[0], at});
        const expr *product = build_mul(s->l.b, x, w);
        sums[i] = nest_reduce(s->n, REDUCE_SUM, i == 1 && apart ? build_sub(s->l.b, product, sums[0]) : product);
    }
    nest_store(s->n, 2, o, 1, build_mul(s->l.b, sums[0], sums[1]));
    return scheduled(s, "x86-64-v3");
}

static void reductions_go_side_by_side(void **state) {
    (void)state;
    setup s;
    const kernel *k = two_sums(&s, 128, 200, false);
    assert_int_equal(count_loops(&k->body, 200), 1);
    arena_free(s.a);
    k = two_sums(&s, 128, 200, true); /* the second has to wait for the first */
    assert_int_equal(count_loops(&k->body, 200), 2);
    arena_free(s.a);
}

/* A single row holds no weights in registers: 8 sums of 8 lanes and what is broadcast fit 16. */
static void a_row_takes_as_many_sums_as_there_are_registers(void **state) {
    (void)state;
    setup s;
    int64_t extents[16];
    const kernel *k = rows_apart(&s, "x86-64-v3", 1, 1, 500, 128);
    assert_int_equal(loops_of(&k->body, extents), 2);
    assert_int_equal(extents[0], 2);
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

/* ---- a table in place of the cost model ---- */

static status schedule_with(setup *s, const tuning *t, const kernel **out) {
    schedule made = {.memory = s->a};
    schedule_options options = {.target = row_of("x86-64-v3"), .tuning = t};
    TRY(schedule_nest(s->n, s->operands, 3, &options, &made));
    *out = made.calls.at[made.calls.n - 1].k;
    return STATUS_OK;
}

/* y[i, co] = sum over k of x[i, k] * w[co, k], for 12 rows and 32 channels */
static status product(const allocator *from, setup *s) {
    static const int64_t dims[3][4] = {{12, 40}, {32, 40}, {12, 32}};
    *s = (setup){.a = arena_new(from)};
    TRY_ALLOC(s->a);
    s->l = (nest_list){.b = builder_new(s->a, row_of("x86-64-v3")), .n_inputs = 2, .n_outputs = 1};
    TRY_ALLOC(s->l.b);
    for (int k = 0; k < 3; k++) {
        nest_operand o = {true, DT_F32, 2, dims[k]};
        TRY(VEC_PUSH(s->a, s->l.operands, o));
        s->operands[k] = (schedule_operand){DT_F32, 2, dims[k], NULL, NULL};
    }
    void *weights = arena_alloc(s->a, 32 * 40 * 4);
    TRY_ALLOC(weights);
    memset(weights, 0x3f, 32 * 40 * 4);
    s->operands[1].data = weights;
    TRY_ALLOC(s->n = nest_add(&s->l, "case"));
    s->n->contract = true;
    const expr *o[2];
    nest_outer_all(s->n, 2, dims[2], o);
    nest_open(s->n);
    const expr *i = nest_inner(s->n, "k", 40);
    const expr *x = nest_read(&s->l, 0, (const expr *[]){o[0], i}), *w = nest_read(&s->l, 1, (const expr *[]){o[1], i});
    nest_store(s->n, 2, o, 2, nest_reduce(s->n, REDUCE_SUM, build_mul(s->l.b, x, w)));
    return builder_status(s->l.b);
}

static int64_t accumulators(const kernel *k) {
    int64_t n = 0;
    for (size_t i = 0; i < k->regs.n; i++)
        n += k->regs.at[i].n;
    return n;
}

static const char product_name[] = "12x32 sum 40 of 1 x:f32[40,0;1] w:f32[0,40;1] store of 0 to f32[32,1]";

static tune_table one_entry(arena *a, kernel_choice tile, status *out) {
    tune_table t = {.file = "x.tune"};
    tune_entry e = {.target = "x86-64-v3", .threads = 1, .kernel = product_name, .choice = tile, .line = 7};
    *out = VEC_PUSH(a, t.at, e);
    return t;
}

static void sites_say_what_else_there_is(void **state) {
    (void)state;
    setup s;
    const kernel *k;
    assert_int_equal(product(&allocator_system, &s), STATUS_OK);
    tune_sites sites = {.memory = s.a, .by_kernel = map_in(s.a)};
    const tuning t = {.threads = 1, .sites = &sites};
    assert_int_equal(schedule_with(&s, &t, &k), STATUS_OK);
    assert_int_equal(sites.at.n, 1);
    const tune_site *site = map_get(&sites.by_kernel, product_name);
    assert_non_null(site);
    assert_int_equal(accumulators(k), site->chosen.rows * site->chosen.vectors);
    assert_true(site->others.n > 4);
    for (size_t i = 0; i < site->others.n; i++) {
        const char *why;
        assert_true(kernel_choice_is_sound(&site->others.at[i], &why));
        assert_false(kernel_choice_is_same(&site->others.at[i], &site->chosen));
    }
    arena_free(s.a);
}

static void a_table_takes_the_cost_models_place(void **state) {
    (void)state;
    setup s;
    status pushed;
    const kernel *k;
    bool used = false;
    assert_int_equal(product(&allocator_system, &s), STATUS_OK);
    const tune_table table = one_entry(s.a, (kernel_choice){1, 0, -1, 8, 2, 8, 3, 0, false, 0}, &pushed);
    const tuning t = {.table = &table, .threads = 1, .used = &used};
    assert_int_equal(schedule_with(&s, &t, &k), STATUS_OK);
    assert_true(used);
    assert_int_equal(accumulators(k), 6);
    int64_t extents[16];
    assert_true(loops_of(&k->body, extents) >= 2);
    assert_int_equal(extents[0], 2); /* 32 channels in twos of 8 lanes, around 4 blocks of rows */
    assert_int_equal(extents[1], 4);
    arena_free(s.a);
}

static void impossible_tiles_are_refused(void **state) {
    (void)state;
    static const kernel_choice tiles[] = {
        {1, 0, -1, 16, 1, 16, 1, 0, false, 0}, /* lanes that the target has not */
        {1, 0, -1, 8, 5, 8, 1, 0, false, 0},   /* 40 channels of 32 */
        {1, 0, -1, 8, 4, 8, 4, 0, false, 0},   /* 21 registers */
        {1, 0, -1, 8, 2, 4, 1, 0, false, 0},   /* a half vector, where all are full */
        {2, 0, -1, 8, 1, 8, 1, 0, false, 0},   /* no such axis */
    };
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        setup s;
        status pushed;
        const kernel *k;
        bool used = false;
        diag *d = diag_new(&allocator_system);
        assert_int_equal(product(&allocator_system, &s), STATUS_OK);
        const tune_table table = one_entry(s.a, tiles[i], &pushed);
        const tuning t = {.table = &table, .threads = 1, .used = &used, .diags = d};
        assert_int_equal(schedule_with(&s, &t, &k), STATUS_INVALID);
        assert_string_equal(diag_at(d, 0)->id, "tune-file");
        assert_non_null(strstr(diag_at(d, 0)->message, "line 7: "));
        assert_false(used);
        diag_free(d);
        arena_free(s.a);
    }
}

static status tune_product(const allocator *from, void *ctx) {
    (void)ctx;
    setup s;
    const kernel *k;
    bool used = false;
    status done = product(from, &s);
    if (done == STATUS_OK) {
        tune_sites sites = {.memory = s.a, .by_kernel = map_in(s.a)};
        const tune_table table = one_entry(s.a, (kernel_choice){1, 0, -1, 8, 2, 8, 3, 0, false, 0}, &done);
        const tuning t = {.table = &table, .threads = 1, .used = &used, .sites = &sites};
        if (done == STATUS_OK)
            done = schedule_with(&s, &t, &k);
        if (done == STATUS_OK)
            assert_true(used && sites.at.n == 1 && accumulators(k) == 6);
    }
    arena_free(s.a);
    return done;
}

static void tuning_survives_failing_allocations(void **state) {
    (void)state;
    assert_true(test_each_allocation(tune_product, NULL) > 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reduction_goes_in_the_order_of_its_data),
        cmocka_unit_test(rows_run_on_over_two_axes),
        cmocka_unit_test(reductions_go_side_by_side),
        cmocka_unit_test(a_row_takes_as_many_sums_as_there_are_registers),
        cmocka_unit_test(large_weights_are_read_once),
        cmocka_unit_test(last_vector_may_be_half),
        cmocka_unit_test(transposed_copies_go_by_blocks_of_lanes),
        cmocka_unit_test(sites_say_what_else_there_is),
        cmocka_unit_test(a_table_takes_the_cost_models_place),
        cmocka_unit_test(impossible_tiles_are_refused),
        cmocka_unit_test(tuning_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
