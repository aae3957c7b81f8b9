/* rooms: schedule loop base */
/* A picture that is flattened, channels last in memory: the sum over its places has no division left in it. */
#include "schedule_support.h"

#define CHANNELS 8
#define HEIGHT 3
#define WIDTH 5
#define ALL (CHANNELS * HEIGHT * WIDTH)
#define COLUMNS 8

typedef struct flattened {
    const char *target;
    int64_t width; /* by which the sum's axis is divided; WIDTH where that is the picture's */
} flattened;

/* y[j] = sum over k of x[k / width / HEIGHT, k / width % HEIGHT, k % width] * w[k, j] */
static status schedule_flattened(const void *of, arena *a, const kernel **out) {
    const flattened *f = of;
    static const int64_t x_dims[] = {CHANNELS + 8, HEIGHT, WIDTH + 8}, w_dims[] = {ALL, COLUMNS}, y_dims[] = {COLUMNS};
    static const operand_layout last = {.strides = {1, CHANNELS * (WIDTH + 8), CHANNELS}, .n = 4096};
    const int64_t *const dims[] = {x_dims, w_dims, y_dims};
    const int ranks[] = {3, 2, 1};
    const dtype types[] = {DT_U8, DT_I8, DT_I32};
    const target *t = target_find(f->target, NULL);
    nest_list l = {.b = builder_new(a, t), .n_inputs = 2, .n_outputs = 1};
    schedule_operand operands[3];
    int8_t *weights = ARENA_NEW_N(a, int8_t, ALL *COLUMNS);
    TRY_ALLOC(weights);
    TRY_ALLOC(l.b);
    for (int i = 0; i < ALL * COLUMNS; i++)
        weights[i] = (int8_t)(i % 60);
    for (int k = 0; k < 3; k++) {
        TRY(VEC_PUSH(a, l.operands, ((nest_operand){true, types[k], ranks[k], dims[k]})));
        operands[k] = (schedule_operand){types[k], ranks[k], dims[k], k == 1 ? weights : NULL, k == 0 ? &last : NULL};
    }
    nest *n = nest_add(&l, "flattened");
    TRY_ALLOC(n);
    n->contract = true;
    const expr *j;
    nest_outer_all(n, 1, y_dims, &j);
    nest_open(n);
    const expr *k = nest_inner(n, "k", ALL), *width = build_index(l.b, f->width), *rows = build_div(l.b, k, width);
    const expr *place[] = {build_div(l.b, k, build_index(l.b, f->width * HEIGHT)),
                           build_rem(l.b, rows, build_index(l.b, HEIGHT)), build_rem(l.b, k, width)};
    const expr *x = nest_read(&l, 0, place), *w = nest_read(&l, 1, (const expr *[]){k, j});
    nest_store(n, 2, &j, 1,
               nest_reduce(n, REDUCE_SUM, build_mul(l.b, build_cast(l.b, DT_I32, x), build_cast(l.b, DT_I32, w))));
    TRY(builder_status(l.b));
    schedule s = {.memory = a};
    schedule_options options = {.target = t};
    TRY(schedule_nest(n, operands, 3, &options, &s));
    *out = s.calls.at[s.calls.n - 1].k;
    return STATUS_OK;
}

static bool has(const flattened *f, const char *what) {
    arena *a = arena_new(&allocator_system);
    const kernel *k;
    assert_int_equal(schedule_flattened(f, a, &k), STATUS_OK);
    bool found = is_spelt(k, a, what);
    arena_free(a);
    return found;
}

static void digits_become_axes(void **state) {
    (void)state;
    const flattened f = {"x86-64-v3", WIDTH}, vnni = {"x86-64-vnni", WIDTH};
    assert_false(has(&f, "%"));
    assert_false(has(&f, "/"));
    assert_true(has(&f, "pairs("));
    assert_true(has(&vnni, "dot4("));
}

static void digits_that_do_not_divide_stay(void **state) {
    (void)state;
    const flattened f = {"x86-64-v3", 7}; /* 120 places are no whole rows of it */
    assert_true(has(&f, "%7"));
}

static void digits_survive_failing_allocations(void **state) {
    (void)state;
    flattened f = {"x86-64-v3", WIDTH};
    survives_failing_allocations(schedule_flattened, &f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_become_axes),
        cmocka_unit_test(digits_that_do_not_divide_stay),
        cmocka_unit_test(digits_survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
