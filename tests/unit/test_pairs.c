/* rooms: schedule loop base */
/* Fours of bytes by PAIRS: what the weights allow, and how many steps it takes. */
#include "schedule_support.h"

#define ROWS 6
#define FOURS 8
#define COLUMNS 8 /* one block, a vector wide */

typedef struct product {
    const char *target;
    dtype data;
    int8_t weights[4 * FOURS][COLUMNS];
} product;

/* y[i, j] = sum over k of x[i, k] * w[k, j] */
static status schedule_product(const void *of, arena *a, const kernel **out) {
    const product *p = of;
    static const int64_t dims[3][2] = {{ROWS, 4 * FOURS}, {4 * FOURS, COLUMNS}, {ROWS, COLUMNS}};
    const dtype types[3] = {p->data, DT_I8, DT_I32};
    const target *t = target_find(p->target, NULL);
    nest_list l = {.b = builder_new(a, t), .n_inputs = 2, .n_outputs = 1};
    schedule_operand operands[3];
    TRY_ALLOC(l.b);
    for (int k = 0; k < 3; k++) {
        TRY(VEC_PUSH(a, l.operands, ((nest_operand){true, types[k], 2, dims[k]})));
        operands[k] = (schedule_operand){types[k], 2, dims[k], k == 1 ? p->weights : NULL, NULL};
    }
    nest *n = nest_add(&l, "product");
    TRY_ALLOC(n);
    n->contract = true;
    const expr *at[2];
    nest_outer_all(n, 2, (int64_t[]){ROWS, COLUMNS}, at);
    nest_open(n);
    const expr *k = nest_inner(n, "k", 4 * FOURS);
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

/* Steps of a block, and how many of them are SIGNED. Vectors are as wide as the block, so that the constants'
 * sizes say so. */
typedef struct steps {
    int64_t all, changed;
} steps;

static steps steps_of(const kernel *k) {
    steps n = {0, 0};
    for (size_t i = 0; i < k->buffers.n; i++) {
        const kernel_buffer *b = &k->buffers.at[i];
        n.all += b->elem == DT_I8 && b->name[0] == 'w' ? b->n / (4 * COLUMNS) : 0;
        n.changed += b->elem == DT_U8 && b->name[0] == 'w' ? b->n / (4 * COLUMNS) : 0;
    }
    return n;
}

/* The first four's weights in two columns; all others are 1. */
static product product_of(const int8_t (*fours)[4]) {
    product p = {.target = "x86-64-v3", .data = DT_U8};
    memset(p.weights, 1, sizeof p.weights);
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 2; j++)
            p.weights[k][3 * j] = fours[j][k];
    return p;
}

static void steps_are_what_the_weights_need(void **state) {
    (void)state;
    static const struct {
        int8_t fours[2][4];
        int64_t changed;
    } cases[] = {
        {{{64, 64, -64, -64}, {127, 1, -128, 0}}, 0}, {{{127, -128, -128, 127}, {127, -127, 1, 127}}, 0},
        {{{65, 64, 0, 0}, {1, 1, 1, 1}}, 1},          {{{1, 1, -64, -65}, {127, 127, 0, 0}}, 1},
        {{{1, 1, 1, 1}, {1, 1, -1, -128}}, 1},        {{{-128, -128, -128, -128}, {1, 1, 1, 1}}, 1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        arena *a = arena_new(&allocator_system);
        product p = product_of(cases[c].fours);
        const kernel *k;
        assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
        assert_true(is_spelt(k, a, "pairs("));
        assert_int_equal(steps_of(k).all, FOURS);
        assert_int_equal(steps_of(k).changed, cases[c].changed);
        arena_free(a);
    }
}

static void every_four_may_be_signed(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    product p = {.target = "x86-64-v3", .data = DT_U8};
    const kernel *k;
    memset(p.weights, -128, sizeof p.weights);
    assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
    assert_int_equal(steps_of(k).all, FOURS);
    assert_int_equal(steps_of(k).changed, FOURS);
    arena_free(a);
}

/* 255 * 64 twice fits 16 bits, 255 * 66 does not. */
static void small_weights_make_chains(void **state) {
    (void)state;
    static const struct {
        int weight;
        const char *loop;
    } cases[] = {{33, NULL}, {32, "for k < 2 "}, {-32, "for k < 2 "}, {21, "for k < 3 "}, {12, "for k < 5 "}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        arena *a = arena_new(&allocator_system);
        product p = {.target = "x86-64-v3", .data = DT_U8};
        const kernel *k;
        memset(p.weights, cases[c].weight, sizeof p.weights);
        assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
        assert_int_equal(is_spelt(k, a, "i16x16["), cases[c].loop != NULL);
        assert_true(cases[c].loop == NULL || is_spelt(k, a, cases[c].loop));
        arena_free(a);
    }
}

static void only_where_there_is_nothing_better(void **state) {
    (void)state;
    static const char *const targets[] = {"x86-64", "x86-64-v3", "x86-64-v4", "x86-64-vnni", "aarch64", "generic"};
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        arena *a = arena_new(&allocator_system);
        product p = product_of((const int8_t[2][4]){{1, 2, 3, 4}, {5, 6, 7, 8}});
        const kernel *k;
        p.target = targets[t];
        assert_int_equal(schedule_product(&p, a, &k), STATUS_OK);
        assert_int_equal(is_spelt(k, a, "pairs("), t == 1 || t == 2);
        arena_free(a);
    }
}

static void pairs_survive_failing_allocations(void **state) {
    (void)state;
    product p = product_of((const int8_t[2][4]){{100, 100, 0, 0}, {100, -100, 0, 0}});
    survives_failing_allocations(schedule_product, &p);
    p.data = DT_I8;
    survives_failing_allocations(schedule_product, &p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_what_the_weights_need),   cmocka_unit_test(every_four_may_be_signed),
        cmocka_unit_test(small_weights_make_chains),         cmocka_unit_test(only_where_there_is_nothing_better),
        cmocka_unit_test(pairs_survive_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
