/* rooms: schedule loop base */
/* Ends of integer kernels: what is added to a sum is what it begins with, and bytes are stored four vectors at once. */
#include "schedule_support.h"

#define ROWS 6
#define TAPS 32

enum { DATA, WEIGHTS, BIAS, OUT, OPERANDS };

/* What becomes of sum + bias, and where the bias is read from. */
typedef struct ending {
    const char *target;
    int columns;
    bool adds_twice;  /* the sum is used without the bias, too */
    bool adds_column; /* what is added steps along with the columns, else with the rows */
    dtype result;
} ending;

static const expr *end_of(builder *b, const ending *e, const expr *sum, const expr *bias) {
    const expr *y = build_add(b, sum, bias);
    if (e->adds_twice)
        y = build_binary(b, EXPR_XOR, y, sum);
    return build_saturate(b, e->result, build_binary(b, EXPR_SHR, y, build_int(b, DT_I32, 3)));
}

/* y[i, j] = what becomes of the sum over k of x[i, k] * w[k, j] */
static status schedule_ending(const void *of, arena *a, const kernel **out) {
    const ending *e = of;
    const int64_t dims[OPERANDS][2] = {{ROWS, TAPS}, {TAPS, e->columns}, {ROWS, e->columns}, {ROWS, e->columns}};
    const dtype types[OPERANDS] = {DT_U8, DT_I8, DT_I32, e->result};
    const target *t = target_find(e->target, NULL);
    nest_list l = {.b = builder_new(a, t), .n_inputs = OUT, .n_outputs = 1};
    schedule_operand operands[OPERANDS];
    int8_t *weights = ARENA_NEW_N(a, int8_t, TAPS * e->columns);
    TRY_ALLOC(weights);
    memset(weights, 1, (size_t)(TAPS * e->columns));
    TRY_ALLOC(l.b);
    for (int k = 0; k < OPERANDS; k++) {
        TRY(VEC_PUSH(a, l.operands, ((nest_operand){true, types[k], 2, dims[k]})));
        operands[k] = (schedule_operand){types[k], 2, dims[k], k == WEIGHTS ? weights : NULL, NULL};
    }
    nest *n = nest_add(&l, "product");
    TRY_ALLOC(n);
    n->contract = true;
    const expr *at[2];
    nest_outer_all(n, 2, (int64_t[]){ROWS, e->columns}, at);
    nest_open(n);
    const expr *zero = build_index(l.b, 0);
    const expr *bias =
        nest_read(&l, BIAS, (const expr *[]){e->adds_column ? zero : at[0], e->adds_column ? at[1] : zero});
    const expr *k = nest_inner(n, "k", TAPS);
    const expr *x = nest_read(&l, DATA, (const expr *[]){at[0], k});
    const expr *w = nest_read(&l, WEIGHTS, (const expr *[]){k, at[1]});
    const expr *sum =
        nest_reduce(n, REDUCE_SUM, build_mul(l.b, build_cast(l.b, DT_I32, x), build_cast(l.b, DT_I32, w)));
    nest_store(n, OUT, at, 2, end_of(l.b, e, sum, bias));
    TRY(builder_status(l.b));
    schedule s = {.memory = a};
    schedule_options options = {.target = t};
    TRY(schedule_nest(n, operands, OPERANDS, &options, &s));
    *out = s.calls.at[s.calls.n - 1].k;
    return STATUS_OK;
}

static int count_of(const ending *e, const char *what) {
    arena *a = arena_new(&allocator_system);
    const kernel *k;
    int n = 0;
    assert_int_equal(schedule_ending(e, a, &k), STATUS_OK);
    for (const char *at = kernel_text(k, a); (at = strstr(at, what)) != NULL; at += strlen(what))
        n++;
    arena_free(a);
    return n;
}

/* Nothing is left to add behind the loop: stores shift the sums themselves. */
static void sums_begin_with_what_is_added(void **state) {
    (void)state;
    static const char *const targets[] = {"x86-64-v3", "x86-64-v4", "x86-64-vnni"};
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++)
        for (int column = 0; column < 2; column++) {
            ending e = {.target = targets[t], .columns = 32, .adds_column = column != 0, .result = DT_U8};
            assert_true(count_of(&e, "shr(acc[") > 0);
            assert_int_equal(count_of(&e, "(i32(0)"), 0);
            e.adds_twice = true;
            assert_int_equal(count_of(&e, "shr(acc["), 0);
        }
}

static void bytes_are_packed(void **state) {
    (void)state;
    const ending avx2 = {.target = "x86-64-v3", .columns = 32, .result = DT_U8};
    ending other = avx2;
    assert_true(count_of(&avx2, "saturate<u8>(shuffle") > 0);
    other.result = DT_I8;
    assert_true(count_of(&other, "saturate<i8>(shuffle") > 0);
    other.result = DT_I16;
    assert_int_equal(count_of(&other, "saturate<i16>(shuffle"), 0);
    other = avx2;
    other.target = "x86-64-v4";
    assert_int_equal(count_of(&other, "saturate<u8>(shuffle"), 0);
    other = avx2;
    other.columns = 4; /* half a vector */
    assert_int_equal(count_of(&other, "saturate<u8>(shuffle"), 0);
}

static void ends_survive_failing_allocations(void **state) {
    (void)state;
    ending e = {.target = "x86-64-v3", .columns = 32, .result = DT_U8};
    survives_failing_allocations(schedule_ending, &e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_begin_with_what_is_added),
        cmocka_unit_test(bytes_are_packed),
        cmocka_unit_test(ends_survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
