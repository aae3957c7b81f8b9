/* rooms: schedule loop base */
/* Weights of 4 and 2 bits: which of them share bytes, and what takes them apart. */
#include "schedule_support.h"

#define TAPS 512
#define COLUMNS 512

/* y[i, j] = sum over k of x[i, k] * w[k, j], where w goes round from the least to the most. */
typedef struct product {
    const char *target;
    int rows, least, most;
} product;

static status schedule_product(const void *of, arena *a, const kernel **out) {
    const product *p = of;
    const int64_t dims[3][2] = {{p->rows, TAPS}, {TAPS, COLUMNS}, {p->rows, COLUMNS}};
    const dtype types[3] = {DT_U8, DT_I8, DT_I32};
    const target *t = target_find(p->target, NULL);
    nest_list l = {.b = builder_new(a, t), .n_inputs = 2, .n_outputs = 1};
    schedule_operand operands[3];
    int8_t *weights = ARENA_NEW_N(a, int8_t, TAPS *COLUMNS);
    TRY_ALLOC(weights);
    for (int i = 0; i < TAPS * COLUMNS; i++)
        weights[i] = (int8_t)(p->least + i % (p->most - p->least + 1));
    TRY_ALLOC(l.b);
    for (int k = 0; k < 3; k++) {
        TRY(VEC_PUSH(a, l.operands, ((nest_operand){true, types[k], 2, dims[k]})));
        operands[k] = (schedule_operand){types[k], 2, dims[k], k == 1 ? weights : NULL, NULL};
    }
    nest *n = nest_add(&l, "product");
    TRY_ALLOC(n);
    n->contract = true;
    const expr *at[2];
    nest_outer_all(n, 2, (int64_t[]){p->rows, COLUMNS}, at);
    nest_open(n);
    const expr *k = nest_inner(n, "k", TAPS);
    const expr *x = nest_read(&l, 0, (const expr *[]){at[0], k}), *w = nest_read(&l, 1, (const expr *[]){k, at[1]});
    const expr *sum =
        nest_reduce(n, REDUCE_SUM, build_mul(l.b, build_cast(l.b, DT_I32, x), build_cast(l.b, DT_I32, w)));
    nest_store(n, 2, at, 2, sum);
    TRY(builder_status(l.b));
    schedule s = {.memory = a};
    schedule_options options = {.target = t};
    TRY(schedule_nest(n, operands, 3, &options, &s));
    *out = s.calls.at[s.calls.n - 1].k;
    return STATUS_OK;
}

/* How many of the weights share a byte. */
static int64_t in_byte(const kernel *k) {
    int64_t bytes = 0;
    for (size_t i = 0; i < k->buffers.n; i++)
        if (k->buffers.at[i].name[0] == 'w' && dtype_bits(k->buffers.at[i].elem) == 8)
            bytes += k->buffers.at[i].n;
    return (int64_t)TAPS * COLUMNS / bytes;
}

static void few_bits_share_bytes(void **state) {
    (void)state;
    static const struct {
        int least, most;
        int64_t in_byte;
        bool scales, adds;
    } cases[] = {
        {-8, 7, 2, true, false},  {-7, 7, 2, true, false},  {0, 15, 2, false, false}, {-3, 12, 2, false, true},
        {-15, 0, 2, false, true}, {-2, 1, 4, true, false},  {-1, 1, 4, true, false},  {0, 3, 4, false, false},
        {-1, 2, 4, false, true},  {-8, 8, 1, false, false}, {0, 16, 1, false, false}, {-128, 127, 1, false, false},
        {3, 15, 2, false, false}, /* zeros fill up */
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        arena *a = arena_new(&allocator_system);
        product p = {"x86-64-vnni", 1, cases[c].least, cases[c].most};
        const kernel *k;
        assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
        assert_int_equal(in_byte(k), cases[c].in_byte);
        assert_int_equal(is_spelt(k, a, "shl("), cases[c].scales);
        assert_int_equal(is_spelt(k, a, "(i8("), cases[c].adds);
        arena_free(a);
    }
}

/* Where a row's data meet weights that are read once, fewer bytes are less time; many rows share what is read. */
static void rows_pay_for_unpacking(void **state) {
    (void)state;
    static const char *const targets[] = {"x86-64-vnni", "x86-64-avxvnni", "aarch64-dotprod"};
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        arena *a = arena_new(&allocator_system);
        product p = {targets[t], 1, -8, 7};
        const kernel *k;
        assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
        assert_int_equal(in_byte(k), 2);
        arena_free(a);
    }
}

static void codes_survive_failing_allocations(void **state) {
    (void)state;
    product p = {"x86-64-vnni", 1, -8, 7};
    survives_failing_allocations(schedule_product, &p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bits_share_bytes),
        cmocka_unit_test(rows_pay_for_unpacking),
        cmocka_unit_test(codes_survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
