/* rooms: loop base */
/* Expressions: simplification keeps every value, equal expressions are one, substitution, widening, affine parts. */
#include "loop_support.h"

enum { POINTS = 12, POOL = 40 };

/* An expression and its value at each point, computed without the builder. */
typedef struct sample {
    const expr *x;
    test_value value[POINTS];
} sample;

typedef struct pool {
    arena *memory;
    builder *b;
    test_machine *at; /* by point */
    uint64_t seed;
    size_t n;
    sample samples[POOL + 8];
} pool;

static pool *pool_new(test_machine *machines, uint64_t seed) {
    arena *a = arena_new(&allocator_system);
    pool *p = ARENA_NEW(a, pool);
    p->memory = a;
    p->b = builder_new(a, target_find("x86-64-v3", NULL));
    p->seed = seed;
    p->at = machines;
    return p;
}

static sample *any(pool *p) {
    return &p->samples[test_random(&p->seed) % p->n];
}

static void add(pool *p, const sample *s) {
    p->samples[p->n++] = *s;
    for (int i = 0; i < POINTS; i++) {
        test_lanes got = test_eval(&p->at[i], s->x);
        if (!test_same(s->x->type.elem, got.lane[0], s->value[i]))
            fail_msg("expression %d of kind %d: %lld %a at point %d, expected %lld %a", (int)p->n, (int)s->x->kind,
                     (long long)got.lane[0].i, (double)got.lane[0].f, i, (long long)s->value[i].i,
                     (double)s->value[i].f);
    }
}

/* ---- index arithmetic over loop variables ---- */

static void add_axis(pool *p, int64_t extent) {
    sample s = {.x = build_for(p->b, "i", build_index(p->b, extent), LOOP_SERIAL)};
    for (int i = 0; i < POINTS; i++) {
        int64_t v = i == 0 ? 0 : i == 1 ? extent - 1 : (int64_t)(test_random(&p->seed) % (uint32_t)extent);
        p->at[i].vars[s.x->ref].lane[0].i = v;
        s.value[i].i = v;
    }
    add(p, &s);
}

static sample index_constant(pool *p) {
    static const int64_t constants[] = {0, 1, 2, 3, 4, 5, 8, 12, 16, 60, -1, -3, -8, INT64_MAX, INT64_MIN};
    uint32_t r = test_random(&p->seed);
    int64_t c = constants[r % (r % 50 == 0 ? 15 : 13)];
    sample s = {.x = build_index(p->b, c)};
    for (int i = 0; i < POINTS; i++)
        s.value[i].i = c;
    return s;
}

static void add_binary(pool *p, expr_kind k, const sample *x, const sample *y) {
    sample s = {.x = build_binary(p->b, k, x->x, y->x)};
    for (int i = 0; i < POINTS; i++)
        s.value[i] = test_binary(k, x->x->type.elem, x->value[i], y->value[i]);
    add(p, &s);
}

static void add_index_operation(pool *p) {
    static const expr_kind kinds[] = {EXPR_ADD, EXPR_ADD, EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_MUL, EXPR_DIV,
                                      EXPR_DIV, EXPR_REM, EXPR_REM, EXPR_MIN, EXPR_MAX, EXPR_AND, EXPR_SHL};
    uint32_t r = test_random(&p->seed);
    sample c = index_constant(p);
    const sample *x = any(p);
    const sample *y = r % 3 == 0 ? any(p) : &c;
    expr_kind k = kinds[(r / 3) % (sizeof kinds / sizeof *kinds)];
    if (r % 7 == 0)
        add_binary(p, k, &c, x);
    else
        add_binary(p, k, x, y);
}

static void add_comparison(pool *p) {
    static const expr_kind kinds[] = {EXPR_EQ, EXPR_NE, EXPR_LT, EXPR_LE};
    expr_kind k = kinds[test_random(&p->seed) % 4];
    const sample *x = any(p), *y = any(p);
    sample c = index_constant(p);
    if (test_random(&p->seed) % 2)
        y = &c;
    sample s = {.x = build_select(p->b, build_binary(p->b, k, x->x, y->x), x->x, y->x)};
    for (int i = 0; i < POINTS; i++)
        s.value[i] = test_binary(k, DT_I64, x->value[i], y->value[i]).i ? x->value[i] : y->value[i];
    add(p, &s);
}

static void build_keeps_index_values(void **state) {
    test_machine *machines = *state;
    static const int64_t extents[] = {1, 3, 4, 8, 12, 64, 1000};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        pool *p = pool_new(machines, seed);
        for (int i = 0; i < 3; i++)
            add_axis(p, extents[test_random(&p->seed) % 7]);
        while (p->n < POOL)
            if (test_random(&p->seed) % 8 == 0)
                add_comparison(p);
            else
                add_index_operation(p);
        assert_int_equal(builder_status(p->b), STATUS_OK);
        arena_free(p->memory);
    }
}

/* ---- other integers and floats ---- */

static int64_t corner(uint64_t *seed, dtype t) {
    uint32_t r = test_random(seed);
    int64_t all[] = {0, 1, -1, 2, dtype_min(t), (int64_t)dtype_max(t), r, -(int64_t)r};
    return test_wrap(t, all[r % 8]);
}

static void add_integer(pool *p, dtype t, bool constant) {
    sample s = {.x = constant ? build_int(p->b, t, corner(&p->seed, t)) : build_var(p->b, LTYPE(t, 1), "x")};
    for (int i = 0; i < POINTS; i++) {
        int64_t v = constant ? s.x->imm : corner(&p->seed, t);
        if (!constant)
            p->at[i].vars[s.x->ref].lane[0].i = v;
        s.value[i].i = v;
    }
    add(p, &s);
}

static void add_unary(pool *p, expr_kind k, const sample *x) {
    sample s = {.x = build_unary(p->b, k, x->x)};
    for (int i = 0; i < POINTS; i++)
        s.value[i] = test_unary(k, x->x->type.elem, x->value[i]);
    add(p, &s);
}

static void add_round_trip(pool *p, dtype t, const sample *x) {
    static const dtype through[] = {DT_U8, DT_I32, DT_U32, DT_I64, DT_U64};
    dtype other = through[test_random(&p->seed) % 5];
    bool clamp = test_random(&p->seed) % 2;
    const expr *there = clamp ? build_saturate(p->b, other, x->x) : build_cast(p->b, other, x->x);
    sample s = {.x = build_cast(p->b, t, there)};
    for (int i = 0; i < POINTS; i++) {
        test_value v = clamp ? test_saturate(other, t, x->value[i]) : test_cast(other, t, x->value[i]);
        s.value[i] = test_cast(t, other, v);
    }
    add(p, &s);
}

static void build_keeps_integer_values(void **state) {
    test_machine *machines = *state;
    static const dtype types[] = {DT_U8, DT_I32, DT_U32, DT_I64, DT_U64};
    static const expr_kind unary[] = {EXPR_NEG, EXPR_ABS, EXPR_NOT};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        pool *p = pool_new(machines, seed);
        dtype t = types[seed % 5];
        for (int i = 0; i < 5; i++)
            add_integer(p, t, i > 2);
        while (p->n < POOL) {
            uint32_t r = test_random(&p->seed);
            if (r % 8 == 0)
                add_unary(p, unary[(r / 8) % 3], any(p));
            else if (r % 8 == 1)
                add_round_trip(p, t, any(p));
            else
                add_binary(p, (expr_kind)(EXPR_ADD + (int)((r / 8) % (EXPR_SHR - EXPR_ADD + 1))), any(p), any(p));
        }
        arena_free(p->memory);
    }
}

static void add_float(pool *p, bool constant) {
    static const float values[] = {0.0f, -0.0f,  1.0f,  -1.0f,    0.5f,      4.0f, 3.0f,
                                   0.1f, 1e-40f, 1e38f, INFINITY, -INFINITY, NAN};
    float c = values[test_random(&p->seed) % 13];
    sample s = {.x = constant ? build_float(p->b, DT_F32, (double)c) : build_var(p->b, LTYPE(DT_F32, 1), "x")};
    for (int i = 0; i < POINTS; i++) {
        s.value[i].f = constant ? c : values[test_random(&p->seed) % 13];
        if (!constant)
            p->at[i].vars[s.x->ref].lane[0] = s.value[i];
    }
    add(p, &s);
}

static void add_fma(pool *p) {
    const sample *x = any(p), *y = any(p), *z = any(p);
    sample s = {.x = build_fma(p->b, x->x, y->x, z->x)};
    for (int i = 0; i < POINTS; i++)
        s.value[i].f = fmaf(x->value[i].f, y->value[i].f, z->value[i].f);
    add(p, &s);
}

/* A float quantized and brought back: float(int(clip(rint(x / scale))) + zero). */
static void add_quantized(pool *p) {
    static const dtype through[] = {DT_I8, DT_U8, DT_I16, DT_U16, DT_I32};
    dtype q = through[test_random(&p->seed) % 5];
    float lo = (float)dtype_min(q), hi = (float)dtype_max(q);
    int32_t zero = (int32_t)(test_random(&p->seed) % 513) - 256;
    bool with_zero = test_random(&p->seed) % 4 != 0;
    const sample *x = any(p);
    builder *b = p->b;
    const expr *r = build_unary(b, EXPR_RINT, x->x);
    r = build_min(b, build_max(b, r, build_float(b, DT_F32, (double)lo)), build_float(b, DT_F32, (double)hi));
    r = build_cast(b, DT_I32, build_cast(b, q, r));
    sample s = {.x = build_cast(b, DT_F32, with_zero ? build_add(b, r, build_int(b, DT_I32, zero)) : r)};
    for (int i = 0; i < POINTS; i++) {
        test_value v = {.f = rintf(x->value[i].f)};
        v.f = v.f > lo ? v.f : lo;
        v.f = v.f < hi ? v.f : hi;
        int64_t whole = test_cast(q, DT_F32, v).i;
        int64_t sum = test_wrap(DT_I32, whole + (with_zero ? zero : 0));
        s.value[i].f = (float)sum;
    }
    add(p, &s);
}

static void build_keeps_float_values(void **state) {
    test_machine *machines = *state;
    static const expr_kind unary[] = {EXPR_NEG, EXPR_ABS, EXPR_FLOOR};
    for (uint64_t seed = 0; seed < 3000; seed++) {
        pool *p = pool_new(machines, seed);
        for (int i = 0; i < 7; i++)
            add_float(p, i > 2);
        while (p->n < POOL) {
            uint32_t r = test_random(&p->seed);
            if (r % 6 == 0)
                add_unary(p, unary[(r / 8) % 3], any(p));
            else if (r % 6 == 1 && r % 4 == 1)
                add_quantized(p);
            else if (r % 6 == 1)
                add_fma(p);
            else {
                static const expr_kind kinds[] = {EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_DIV, EXPR_MIN, EXPR_MAX};
                add_binary(p, kinds[(r / 8) % 6], any(p), any(p));
            }
        }
        arena_free(p->memory);
    }
}

/* ---- canonical forms ---- */

typedef struct fixture {
    arena *memory;
    builder *b;
    const expr *i, *j, *x; /* i < 64, j < 8; x any */
} fixture;

static int setup(void **state) {
    arena *a = arena_new(&allocator_system);
    fixture *f = ARENA_NEW(a, fixture);
    f->memory = a;
    f->b = builder_new(a, target_find("x86-64-v3", NULL));
    f->i = build_for(f->b, "i", build_index(f->b, 64), LOOP_SERIAL);
    f->j = build_for(f->b, "j", build_index(f->b, 8), LOOP_SERIAL);
    f->x = build_var(f->b, LTYPE(DT_I64, 1), "x");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    arena_free(f->memory);
    return 0;
}

static const expr *times(const fixture *f, const expr *x, int64_t c) {
    return build_mul(f->b, x, build_index(f->b, c));
}

static const expr *plus(const fixture *f, const expr *x, int64_t c) {
    return build_add(f->b, x, build_index(f->b, c));
}

static void build_orders_sums(void **state) {
    const fixture *f = *state;
    const expr *one = plus(f, build_add(f->b, times(f, f->i, 128), f->j), 5);
    const expr *other = build_add(f->b, plus(f, f->j, 2), plus(f, times(f, plus(f, times(f, f->i, 2), 0), 64), 3));
    assert_ptr_equal(one, other);
    assert_ptr_equal(build_sub(f->b, plus(f, one, 7), other), build_index(f->b, 7));
}

static void build_divides_by_ranges(void **state) {
    const fixture *f = *state;
    const expr *position = build_add(f->b, times(f, f->i, 8), f->j), *eight = build_index(f->b, 8);
    assert_ptr_equal(build_div(f->b, position, eight), f->i);
    assert_ptr_equal(build_rem(f->b, position, eight), f->j);
    assert_ptr_equal(build_div(f->b, f->j, eight), build_index(f->b, 0));
    assert_ptr_equal(build_div(f->b, build_div(f->b, f->i, eight), eight), build_index(f->b, 0));
    const expr *parts = build_add(f->b, times(f, build_div(f->b, f->x, eight), 8), build_rem(f->b, f->x, eight));
    assert_ptr_equal(parts, f->x);
    assert_true(expr_is_int(build_lt(f->b, position, build_index(f->b, 512)), 1));
    assert_ptr_equal(build_min(f->b, position, build_index(f->b, 511)), position);
}

static void build_does_not_divide_what_may_be_negative(void **state) {
    const fixture *f = *state;
    const expr *position = build_add(f->b, times(f, f->x, 8), f->j), *eight = build_index(f->b, 8);
    assert_int_equal(build_div(f->b, position, eight)->kind, EXPR_DIV);
    assert_int_equal(build_rem(f->b, plus(f, f->j, -1), eight)->kind, EXPR_REM);
}

static void build_keeps_ramps(void **state) {
    const fixture *f = *state;
    const expr *ramp = build_ramp(f->b, times(f, f->j, 8), 1, 8);
    const expr *scaled = build_add(f->b, build_mul(f->b, ramp, build_index(f->b, 4)), build_index(f->b, 3));
    assert_ptr_equal(scaled, build_ramp(f->b, plus(f, times(f, f->j, 32), 3), 4, 8));
    const expr *sixteen = build_index(f->b, 16);
    assert_int_equal(build_div(f->b, ramp, sixteen)->kind, EXPR_BROADCAST);
    assert_int_equal(build_rem(f->b, ramp, sixteen)->kind, EXPR_RAMP);
    assert_int_equal(build_div(f->b, build_ramp(f->b, f->j, 1, 8), sixteen)->kind, EXPR_BROADCAST);
    assert_int_equal(build_div(f->b, build_ramp(f->b, f->i, 1, 8), sixteen)->kind, EXPR_DIV);
}

static void build_loads_by_the_shape_of_the_index(void **state) {
    const fixture *f = *state;
    ltype t = LTYPE(DT_F32, 8);
    const expr *ramp = build_ramp(f->b, f->i, 1, 8), *spread = build_broadcast(f->b, f->i, 8);
    assert_ptr_equal(build_load(f->b, 0, t, ramp, NULL), build_load(f->b, 0, t, f->i, NULL));
    assert_int_equal(build_load(f->b, 0, t, spread, NULL)->kind, EXPR_BROADCAST);
    const expr *never = build_broadcast(f->b, build_int(f->b, DT_BOOL, 0), 8);
    const expr *mask = build_lt(f->b, ramp, build_index(f->b, 9));
    assert_ptr_equal(build_load(f->b, 0, t, ramp, never), build_broadcast(f->b, build_float(f->b, DT_F32, 0), 8));
    const expr *gather = build_load(f->b, 0, t, spread, mask);
    assert_int_equal(gather->kind, EXPR_LOAD);
    assert_int_equal(gather->arg[0]->type.lanes, 8);
}

static void build_substitutes_shared_parts_once(void **state) {
    const fixture *f = *state;
    const expr *x = f->x;
    for (int i = 0; i < 200; i++) /* 2^200 paths */
        x = build_binary(f->b, EXPR_XOR, build_binary(f->b, EXPR_MUL, x, f->x), x);
    const expr *from[] = {f->x}, *to[] = {f->i}, *back[] = {f->i};
    const expr *y = build_substitute(f->b, x, from, to, 1);
    assert_false(expr_uses(y, f->x));
    assert_true(expr_uses(y, f->i));
    assert_ptr_equal(build_substitute(f->b, y, back, from, 1), x);
}

static void count_node(const expr *x, void *ctx) {
    (void)x;
    ++*(int *)ctx;
}

static void count_nested(const expr *x, void *ctx) {
    int inner = 0;
    expr_visit(x, count_node, &inner);
    assert_true(inner >= 1);
    ++*(int *)ctx;
}

static void build_visits_each_node_once(void **state) {
    const fixture *f = *state;
    const expr *sum = build_binary(f->b, EXPR_MUL, f->i, f->j);
    const expr *x = build_binary(f->b, EXPR_XOR, sum, build_binary(f->b, EXPR_OR, sum, f->i));
    int n = 0, nested = 0;
    expr_visit(x, count_node, &n);
    expr_visit(x, count_nested, &nested);
    assert_int_equal(n, 5);
    assert_int_equal(nested, 5);
}

static void build_finds_affine_parts(void **state) {
    const fixture *f = *state;
    const expr *vars[] = {f->i, f->j}, *rest;
    int64_t c[2];
    const expr *quotient = build_div(f->b, f->x, build_index(f->b, 3));
    const expr *index = build_sub(f->b, build_add(f->b, times(f, f->i, 24), plus(f, times(f, quotient, 2), 9)), f->j);
    assert_true(expr_affine(f->b, index, vars, 2, c, &rest));
    assert_int_equal(c[0], 24);
    assert_int_equal(c[1], -1);
    assert_ptr_equal(rest, plus(f, times(f, quotient, 2), 9));
    assert_false(expr_affine(f->b, build_mul(f->b, f->i, f->j), vars, 2, c, &rest));
    assert_false(expr_affine(f->b, build_div(f->b, f->i, build_index(f->b, 3)), vars, 2, c, &rest));
}

/* ---- widening ---- */

static const expr *random_scalar(builder *b, uint64_t *seed, const expr *i, const expr *u, int depth) {
    uint32_t r = test_random(seed);
    if (depth == 0)
        return r % 3 == 0 ? build_index(b, r % 20) : r % 3 == 1 ? i : u;
    static const expr_kind kinds[] = {EXPR_ADD, EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_MIN, EXPR_XOR};
    const expr *x = random_scalar(b, seed, i, u, depth - 1);
    if (r % 8 == 0)
        return build_rem(b, x, build_index(b, 1 + r % 13));
    if (r % 8 == 1)
        return build_div(b, x, build_index(b, 1 + r % 13));
    if (r % 8 == 2) {
        const expr *at = build_and(b, x, build_index(b, 63));
        return build_load(b, 0, LTYPE(DT_I64, 1), at, r % 16 == 2 ? NULL : build_lt(b, u, i));
    }
    return build_binary(b, kinds[(r / 8) % 6], x, random_scalar(b, seed, i, u, depth - 1));
}

static void build_widens_to_the_same_values(void **state) {
    const fixture *f = *state;
    test_machine *m = ARENA_NEW(f->memory, test_machine);
    uint64_t seed = 1;
    for (int i = 0; i < TEST_BUFFER_ELEMENTS; i++)
        m->buffers[0][i].i = test_random(&seed);
    for (int round = 0; round < 3000; round++) {
        const expr *x = random_scalar(f->b, &seed, f->i, f->x, 1 + round % 5);
        const expr *wide = build_ramp(f->b, times(f, f->j, 8), 1, 8);
        const expr *y = build_widen(f->b, x, &f->i, &wide, 1, 8);
        assert_int_equal(y->type.lanes, 8);
        for (int64_t j = 0; j < 8; j++) {
            m->vars[f->j->ref].lane[0].i = j;
            m->vars[f->x->ref].lane[0].i = (int64_t)(test_random(&seed) % 100) - 50;
            test_lanes got = test_eval(m, y);
            for (int lane = 0; lane < 8; lane++) {
                m->vars[f->i->ref].lane[0].i = j * 8 + lane;
                assert_int_equal(got.lane[lane].i, test_eval(m, x).lane[0].i);
            }
        }
    }
}

static void build_widens_loads(void **state) {
    const fixture *f = *state;
    ltype one = LTYPE(DT_F32, 1), eight = LTYPE(DT_F32, 8);
    const expr *wide = build_ramp(f->b, times(f, f->j, 8), 1, 8);
    const expr *run = build_load(f->b, 0, one, plus(f, f->i, 3), NULL);
    assert_ptr_equal(build_widen(f->b, run, &f->i, &wide, 1, 8),
                     build_load(f->b, 0, eight, plus(f, times(f, f->j, 8), 3), NULL));
    const expr *strided = build_widen(f->b, build_load(f->b, 0, one, times(f, f->i, 2), NULL), &f->i, &wide, 1, 8);
    assert_int_equal(strided->arg[0]->kind, EXPR_RAMP);
    const expr *uniform = build_load(f->b, 0, one, f->x, NULL);
    assert_ptr_equal(build_widen(f->b, uniform, &f->i, &wide, 1, 8), build_broadcast(f->b, uniform, 8));
}

/* ---- out of memory ---- */

static status use_builder(const allocator *from, void *ctx) {
    (void)ctx;
    arena *a = arena_new(from);
    TRY_ALLOC(a);
    builder *b = builder_new(a, target_find("x86-64-v3", NULL));
    status s = STATUS_RESOURCE;
    if (b != NULL) {
        const expr *i = build_for(b, "i", build_index(b, 64), LOOP_SERIAL);
        int acc = build_declare(b, "acc", LTYPE(DT_F32, 1), 4);
        const expr *u = build_for(b, "u", build_index(b, 50), LOOP_UNROLLED);
        const expr *at = build_add(b, build_rem(b, build_mul(b, i, i), build_index(b, 7)), u);
        const expr *v = build_let(b, "v", build_load(b, 0, LTYPE(DT_F32, 1), at, NULL));
        build_set(b, acc, build_index(b, 0), build_mul(b, v, v));
        build_if(b, build_lt(b, i, build_index(b, 9)));
        build_store(b, 1, at, build_mul_add(b, v, v, build_reg_get(b, acc, LTYPE(DT_F32, 1), build_index(b, 0))), NULL);
        build_else(b);
        build_note(b, "nothing");
        build_end(b);
        build_end(b);
        build_end(b);
        const expr *other = build_substitute(b, at, &i, &u, 1);
        s = expr_uses(other, i) || builder_status(b) != STATUS_OK ? builder_status(b) : STATUS_OK;
        kernel_buffer buffers[] = {{"x", DT_F32, 64, ACCESS_READ}, {"y", DT_F32, 64, ACCESS_WRITE}};
        if (builder_kernel(b, "k", buffers, 2) == NULL)
            s = STATUS_RESOURCE;
        assert_int_equal(s, builder_status(b));
    }
    arena_free(a);
    return s;
}

static void build_survives_want_of_memory(void **state) {
    (void)state;
    assert_true(test_each_allocation(use_builder, NULL) > 4);
}

static int setup_machines(void **state) {
    *state = test_calloc(POINTS, sizeof(test_machine));
    return 0;
}

static int teardown_machines(void **state) {
    test_free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(build_keeps_index_values, setup_machines, teardown_machines),
        cmocka_unit_test_setup_teardown(build_keeps_integer_values, setup_machines, teardown_machines),
        cmocka_unit_test_setup_teardown(build_keeps_float_values, setup_machines, teardown_machines),
        cmocka_unit_test_setup_teardown(build_orders_sums, setup, teardown),
        cmocka_unit_test_setup_teardown(build_divides_by_ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(build_does_not_divide_what_may_be_negative, setup, teardown),
        cmocka_unit_test_setup_teardown(build_keeps_ramps, setup, teardown),
        cmocka_unit_test_setup_teardown(build_loads_by_the_shape_of_the_index, setup, teardown),
        cmocka_unit_test_setup_teardown(build_substitutes_shared_parts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(build_visits_each_node_once, setup, teardown),
        cmocka_unit_test_setup_teardown(build_finds_affine_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(build_widens_to_the_same_values, setup, teardown),
        cmocka_unit_test_setup_teardown(build_widens_loads, setup, teardown),
        cmocka_unit_test(build_survives_want_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
