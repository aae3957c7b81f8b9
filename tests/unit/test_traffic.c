/* rooms: loop base */
/* What kernels move: elements counted once, whatever the number of loops over them, and never more than there are. */
#include "loop_support.h"

static int setup(void **state) {
    *state = arena_new(&allocator_system);
    return *state == NULL;
}

static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

static builder *new_builder(void **state) {
    return builder_new(*state, target_find("x86-64-v3", NULL));
}

static const expr *load_float(builder *b, int buffer, const expr *index) {
    return build_load(b, buffer, LTYPE(DT_F32, 1), index, NULL);
}

static const expr *loop(builder *b, int64_t n) {
    return build_for(b, "i", build_index(b, n), LOOP_SERIAL);
}

static const expr *affine(builder *b, const expr *i, int64_t scale, const expr *j) {
    return build_add(b, build_mul(b, i, build_index(b, scale)), j);
}

static const buffer_traffic *traffic_of(builder *b, const kernel_buffer *buffers, int n) {
    const buffer_traffic *t = NULL;
    kernel *k = builder_kernel(b, "k", buffers, n);
    assert_non_null(k);
    assert_int_equal(kernel_traffic(k, builder_arena(b), &t), STATUS_OK);
    return t;
}

/* y[i,j] = table[ids[i],j]: as many rows as there are ids. */
static void traffic_of_a_gather_is_its_rows(void **state) {
    builder *b = new_builder(state);
    const kernel_buffer buffers[] = {
        {"ids", DT_I64, 5, ACCESS_READ}, {"table", DT_F32, 30000, ACCESS_READ}, {"y", DT_F32, 80, ACCESS_WRITE}};
    const expr *i = loop(b, 5), *row = build_let(b, "row", build_load(b, 0, LTYPE(DT_I64, 1), i, NULL)),
               *j = loop(b, 2);
    const expr *at = build_mul(b, j, build_index(b, 8));
    const expr *x = build_load(b, 1, LTYPE(DT_F32, 8), affine(b, row, 16, at), NULL);
    build_store(b, 2, affine(b, i, 16, at), x, NULL);
    build_end(b);
    build_end(b);
    const buffer_traffic *t = traffic_of(b, buffers, 3);
    assert_int_equal(t[0].read, 5);
    assert_int_equal(t[1].read, 80);
    assert_int_equal(t[1].written, 0);
    assert_int_equal(t[2].written, 80);
    assert_int_equal(t[2].read, 0);
}

/* Two passes over the first 4 of 10 rows of a buffer: each row counts once. */
static void traffic_counts_a_second_pass_once(void **state) {
    builder *b = new_builder(state);
    const kernel_buffer buffers[] = {{"x", DT_F32, 60, ACCESS_READ}, {"y", DT_F32, 24, ACCESS_WRITE}};
    const expr *i = loop(b, 4);
    int sum = build_declare(b, "sum", LTYPE(DT_F32, 1), 1);
    const expr *zero = build_index(b, 0);
    build_set(b, sum, zero, build_float(b, DT_F32, 0));
    const expr *j = loop(b, 6);
    const expr *now = build_reg_get(b, sum, LTYPE(DT_F32, 1), zero);
    build_set(b, sum, zero, build_add(b, now, load_float(b, 0, affine(b, i, 6, j))));
    build_end(b);
    const expr *k = loop(b, 6);
    const expr *x = build_sub(b, load_float(b, 0, affine(b, i, 6, k)), now);
    build_store(b, 1, affine(b, i, 6, k), x, NULL);
    build_end(b);
    build_end(b);
    const buffer_traffic *t = traffic_of(b, buffers, 2);
    assert_int_equal(t[0].read, 24);
    assert_int_equal(t[1].written, 24);
}

/* Overlapping windows have more addresses than the buffer has elements; a loop that an address does not vary with adds
 * none. */
static void traffic_ends_at_the_buffer(void **state) {
    builder *b = new_builder(state);
    const kernel_buffer buffers[] = {
        {"x", DT_F32, 12, ACCESS_READ}, {"w", DT_F32, 100, ACCESS_READ}, {"y", DT_F32, 10, ACCESS_WRITE}};
    const expr *again = loop(b, 7), *i = loop(b, 10), *j = loop(b, 3);
    const expr *product = build_mul(b, load_float(b, 0, build_add(b, i, j)), load_float(b, 1, j));
    build_store(b, 2, i, product, build_le(b, again, j));
    build_end(b);
    build_end(b);
    build_end(b);
    const buffer_traffic *t = traffic_of(b, buffers, 3);
    assert_int_equal(t[0].read, 12);
    assert_int_equal(t[1].read, 3);
    assert_int_equal(t[2].written, 10);
}

/* A loop as long as the data say, and an index that a register holds: at most everything. */
static void traffic_of_what_is_not_known_is_everything(void **state) {
    builder *b = new_builder(state);
    const kernel_buffer buffers[] = {
        {"n", DT_I64, 1, ACCESS_READ}, {"x", DT_F32, 50, ACCESS_READ}, {"y", DT_F32, 9, ACCESS_WRITE}};
    int best = build_declare(b, "best", LTYPE(DT_I64, 1), 1);
    const expr *zero = build_index(b, 0), *at = build_reg_get(b, best, LTYPE(DT_I64, 1), zero);
    build_set(b, best, zero, zero);
    const expr *i = build_for(b, "i", build_load(b, 0, LTYPE(DT_I64, 1), zero, NULL), LOOP_SERIAL);
    build_store(b, 2, at, load_float(b, 1, i), NULL);
    build_set(b, best, zero, i);
    build_end(b);
    const buffer_traffic *t = traffic_of(b, buffers, 3);
    assert_int_equal(t[0].read, 1);
    assert_int_equal(t[1].read, 50);
    assert_int_equal(t[2].written, 9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(traffic_of_a_gather_is_its_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(traffic_counts_a_second_pass_once, setup, teardown),
        cmocka_unit_test_setup_teardown(traffic_ends_at_the_buffer, setup, teardown),
        cmocka_unit_test_setup_teardown(traffic_of_what_is_not_known_is_everything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
