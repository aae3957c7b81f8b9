/* rooms: loop base */
/* Nests: axes, stages, reads, and that positions and indices turn into each other. */
#include "loop_support.h"

#include "loop/nest.h"

typedef struct fixture {
    arena *memory;
    nest_list l;
} fixture;

static void add_operand(fixture *f, dtype elem, int rank, const int64_t *dims) {
    nest_operand o = {true, elem, rank, arena_copy(f->memory, dims, (size_t)rank * sizeof *dims)};
    assert_int_equal(VEC_PUSH(f->memory, f->l.operands, o), STATUS_OK);
}

static int setup(void **state) {
    arena *a = arena_new(&allocator_system);
    fixture *f = ARENA_NEW(a, fixture);
    f->memory = a;
    f->l.b = builder_new(a, target_find("x86-64-v3", NULL));
    f->l.n_inputs = 2;
    f->l.n_outputs = 1;
    static const int64_t dims[] = {4, 6};
    static const int64_t column[] = {1, 6};
    add_operand(f, DT_F32, 2, dims);
    add_operand(f, DT_F32, 2, column);
    add_operand(f, DT_F32, 2, dims);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    arena_free(f->memory);
    return 0;
}

static void nest_turns_positions_into_indices_and_back(void **state) {
    fixture *f = *state;
    builder *b = f->l.b;
    uint64_t seed = 5;
    for (int round = 0; round < 300; round++) {
        int64_t dims[5], total = 1;
        int rank = 1 + (int)(test_random(&seed) % 5);
        const expr *vars[5], *out[5];
        nest *n = nest_add(&f->l, "n");
        for (int i = 0; i < rank; i++)
            total *= dims[i] = 1 + test_random(&seed) % 7;
        const expr *position = nest_outer(n, "p", total);
        nest_delinear(b, position, rank, dims, out);
        assert_ptr_equal(nest_linear(b, out, rank, dims), total == 1 ? build_index(b, 0) : position);
        nest_outer_all(nest_add(&f->l, "m"), rank, dims, vars);
        nest_delinear(b, nest_linear(b, vars, rank, dims), rank, dims, out);
        for (int i = 0; i < rank; i++)
            assert_ptr_equal(out[i], dims[i] == 1 ? build_index(b, 0) : vars[i]);
    }
}

static void nest_reshapes_through_positions(void **state) {
    fixture *f = *state;
    builder *b = f->l.b;
    static const int64_t from[] = {8, 12}, to[] = {8, 3, 4};
    const expr *vars[2], *split[3], *joined[2];
    nest_outer_all(nest_add(&f->l, "n"), 2, from, vars);
    nest_delinear(b, nest_linear(b, vars, 2, from), 3, to, split);
    assert_ptr_equal(split[0], vars[0]);
    assert_ptr_equal(split[1], build_div(b, vars[1], build_index(b, 4)));
    nest_delinear(b, nest_linear(b, split, 3, to), 2, from, joined);
    assert_ptr_equal(joined[0], vars[0]);
    assert_ptr_equal(joined[1], vars[1]);
}

static void nest_collects_stages(void **state) {
    fixture *f = *state;
    nest *n = nest_add(&f->l, "rows");
    const expr *i = nest_outer(n, "i", 4);
    nest_open(n);
    const expr *index[] = {i, nest_inner(n, "j", 6)};
    const expr *sum = nest_reduce(n, REDUCE_SUM, nest_read(&f->l, 0, index));
    nest_open(n);
    const expr *where[] = {i, nest_inner(n, "k", 6)};
    nest_store(n, nest_output(&f->l, 0), where, 2, build_div(f->l.b, nest_read(&f->l, 0, where), sum));
    const expr *first[] = {i, build_index(f->l.b, 0)};
    nest_store(n, 2, first, 2, sum);
    assert_int_equal(n->n_axes, 1);
    assert_int_equal(n->axes[0].extent, 4);
    assert_int_equal(n->stages.n, 3);
    const nest_stage *reduce = &n->stages.at[0], *store = &n->stages.at[1], *last = &n->stages.at[2];
    assert_int_equal(reduce->kind, STAGE_REDUCE);
    assert_int_equal(reduce->n_axes, 1);
    assert_ptr_equal(reduce->result, sum);
    assert_int_equal(store->kind, STAGE_STORE);
    assert_int_equal(store->operand, 2);
    assert_ptr_equal(store->index[1], store->axes[0].var);
    assert_int_equal(last->n_axes, 0);
    assert_int_equal(f->l.nests.n, 1);
}

static void nest_reads_with_broadcasting(void **state) {
    fixture *f = *state;
    const expr *vars[3];
    static const int64_t dims[] = {2, 4, 6};
    nest_outer_all(nest_add(&f->l, "n"), 3, dims, vars);
    const expr *x = nest_read_broadcast(&f->l, 1, vars, 3);
    assert_int_equal(x->kind, EXPR_READ);
    assert_int_equal(x->n_args, 2);
    assert_ptr_equal(x->arg[0], build_index(f->l.b, 0));
    assert_ptr_equal(x->arg[1], vars[2]);
    const expr *mask = build_lt(f->l.b, vars[1], build_index(f->l.b, 3));
    const expr *masked = nest_read_masked(&f->l, 0, vars + 1, mask);
    assert_true(masked->masked);
    assert_ptr_equal(masked->arg[2], mask);
}

static void nest_widens_reads(void **state) {
    fixture *f = *state;
    const expr *vars[2];
    static const int64_t dims[] = {4, 8};
    nest_outer_all(nest_add(&f->l, "n"), 2, dims, vars);
    const expr *lanes = build_ramp(f->l.b, build_index(f->l.b, 0), 1, 8);
    const expr *x = build_widen(f->l.b, nest_read(&f->l, 0, vars), &vars[1], &lanes, 1, 8);
    assert_int_equal(x->kind, EXPR_READ);
    assert_int_equal(x->type.lanes, 8);
    assert_ptr_equal(x->arg[1], lanes);
    const expr *uniform = build_widen(f->l.b, nest_read_broadcast(&f->l, 1, vars, 2), &vars[0], &lanes, 1, 8);
    assert_int_equal(uniform->kind, EXPR_BROADCAST);
}

static void nest_keeps_raw_statements(void **state) {
    fixture *f = *state;
    nest *n = nest_add(&f->l, "raw");
    nest_raw_begin(&f->l, n);
    build_store(f->l.b, 2, build_index(f->l.b, 0), build_float(f->l.b, DT_F32, 1), NULL);
    nest_raw_end(&f->l, n);
    assert_true(n->raw);
    assert_int_equal(n->body.first->kind, STMT_STORE);
    assert_null(builder_take(f->l.b).first);
    static const int64_t dims[] = {3};
    assert_int_equal(nest_temporary(&f->l, DT_I64, 1, dims), 3);
    assert_int_equal(f->l.operands.at[3].dims[0], 3);
}

static status describe(const allocator *from, void *ctx) {
    (void)ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    nest_list l = {.b = builder_new(a, target_find("generic", NULL)), .n_outputs = 1};
    if (l.b == NULL) {
        arena_free(a);
        return STATUS_RESOURCE;
    }
    for (int i = 0; i < 60; i++) {
        static const int64_t dims[] = {7, 9};
        const expr *vars[2];
        int t = nest_temporary(&l, DT_F32, 2, dims);
        nest *n = nest_add(&l, "n");
        nest_outer_all(n, 2, dims, vars);
        nest_open(n);
        const expr *k = nest_inner(n, "k", 5);
        const expr *sum = nest_reduce(n, REDUCE_MAX, build_cast(l.b, DT_F32, build_add(l.b, vars[0], k)));
        nest_store(n, t, vars, 2, build_mul(l.b, nest_read(&l, t, vars), sum));
        nest_raw_begin(&l, nest_add(&l, "raw"));
        build_note(l.b, "raw");
        nest_raw_end(&l, nest_add(&l, "raw"));
    }
    status s = builder_status(l.b);
    assert_true(s != STATUS_OK || l.nests.n == 180);
    arena_free(a);
    return s;
}

static void nest_survives_want_of_memory(void **state) {
    (void)state;
    assert_true(test_each_allocation(describe, NULL) > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nest_turns_positions_into_indices_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nest_reshapes_through_positions, setup, teardown),
        cmocka_unit_test_setup_teardown(nest_collects_stages, setup, teardown),
        cmocka_unit_test_setup_teardown(nest_reads_with_broadcasting, setup, teardown),
        cmocka_unit_test_setup_teardown(nest_widens_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(nest_keeps_raw_statements, setup, teardown),
        cmocka_unit_test(nest_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
