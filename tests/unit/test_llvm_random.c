/* rooms: codegen loop base */
/* Random programs, the same ones in every run: the JIT gives the interpreter's bits. */
#include "test_llvm_support.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

static const dtype types[] = {DT_I8, DT_I16, DT_I32, DT_I64, DT_U8, DT_U16, DT_U32, DT_U64, DT_F32, DT_F64, DT_BOOL};
#define TYPES ((int)(sizeof types / sizeof *types))
#define NUMBERS (TYPES - 1)
#define ELEMENTS 64 /* of each buffer: buffer t is an input of types[t], buffer TYPES + t an output */
#define REGISTERS 3
#define POOL 12

typedef struct generator {
    builder *b;
    const target *t;
    uint64_t seed;
    const expr *vars[POOL]; /* in scope: loop variables and LETs */
    int n_vars;
    int regs[TYPES]; /* -1: none of this type */
    int reg_lanes[TYPES];
    int budget; /* statements left */
} generator;

static int pick(generator *g, int n) {
    return random_below(&g->seed, n);
}

static const expr *any(generator *g, ltype t, int depth);

static int any_lanes(generator *g) {
    static const int lanes[] = {1, 1, 4, 8, 16};
    return g->t->vector_bytes == 0 ? 1 : lanes[pick(g, 5)];
}

static const expr *bounded(generator *g, const expr *x, int64_t limit) {
    return build_and(g->b, build_cast(g->b, DT_I64, x), build_int(g->b, DT_I64, limit));
}

/* An index of a run of 16 elements within a buffer. */
static const expr *any_index(generator *g, int depth) {
    return depth > 0 && pick(g, 2) ? bounded(g, any(g, LTYPE(types[pick(g, NUMBERS - 2)], 1), depth - 1), 31)
                                   : build_index(g->b, pick(g, 48));
}

static const expr *any_load(generator *g, ltype t, int type_number, int depth) {
    int buffer = type_number + (pick(g, 3) == 0 ? TYPES : 0);
    const expr *mask = pick(g, 4) == 0 ? any(g, LTYPE(DT_BOOL, t.lanes), depth - 1) : NULL;
    if (t.lanes > 1 && pick(g, 4) == 0)
        return build_load(g->b, buffer, t, bounded(g, any(g, LTYPE(types[pick(g, 8)], t.lanes), depth - 1), 63), mask);
    return build_load(g->b, buffer, t, any_index(g, depth - 1), mask);
}

static const expr *any_leaf(generator *g, ltype t, int type_number) {
    for (int tries = 0; g->n_vars > 0 && tries < 3; tries++) {
        const expr *v = g->vars[pick(g, g->n_vars)];
        if (ltype_equal(v->type, t))
            return v;
    }
    if (g->regs[type_number] >= 0 && g->reg_lanes[type_number] == t.lanes && pick(g, 2))
        return build_reg_get(g->b, g->regs[type_number], t, build_index(g->b, pick(g, REGISTERS)));
    if (pick(g, 3) == 0)
        return build_broadcast(g->b, build_const(g->b, t.elem, pick(g, 9) - 4), t.lanes);
    return build_load(g->b, type_number, t, build_index(g->b, pick(g, 48)), NULL);
}

static const expr *any_unary(generator *g, ltype t, int depth) {
    static const expr_kind float_kinds[] = {EXPR_NEG,  EXPR_ABS,   EXPR_SQRT, EXPR_FLOOR,
                                            EXPR_CEIL, EXPR_TRUNC, EXPR_RINT};
    static const expr_kind int_kinds[] = {EXPR_NEG, EXPR_ABS, EXPR_NOT};
    const expr *x = any(g, t, depth - 1);
    if (t.elem == DT_BOOL)
        return build_unary(g->b, EXPR_NOT, x);
    return build_unary(g->b, dtype_is_float(t.elem) ? float_kinds[pick(g, 7)] : int_kinds[pick(g, 3)], x);
}

static const expr *any_binary(generator *g, ltype t, int depth) {
    static const expr_kind kinds[] = {EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_DIV, EXPR_MIN, EXPR_MAX,       EXPR_REM,
                                      EXPR_AND, EXPR_OR,  EXPR_XOR, EXPR_SHL, EXPR_SHR, EXPR_SHR_ROUND, EXPR_MUL_HIGH};
    static const expr_kind comparisons[] = {EXPR_LT, EXPR_LE, EXPR_EQ, EXPR_NE};
    if (t.elem == DT_BOOL) {
        ltype of = LTYPE(types[pick(g, NUMBERS)], t.lanes);
        const expr *x = any(g, of, depth - 1), *y = any(g, of, depth - 1);
        return build_binary(g->b, comparisons[pick(g, 4)], x, y);
    }
    const expr *x = any(g, t, depth - 1), *y = any(g, t, depth - 1);
    return build_binary(g->b, kinds[pick(g, dtype_is_float(t.elem) ? 6 : t.elem == DT_I32 ? 14 : 13)], x, y);
}

static const expr *any_conversion(generator *g, ltype t, int depth) {
    dtype from = types[pick(g, TYPES)];
    bool ints = dtype_is_int(t.elem) && dtype_is_int(from);
    const expr *x = any(g, LTYPE(from, t.lanes), depth - 1);
    return ints && pick(g, 2) ? build_saturate(g->b, t.elem, x) : build_cast(g->b, t.elem, x);
}

static const expr *any_lane_move(generator *g, ltype t, int depth) {
    int from = any_lanes(g);
    const expr *x = any(g, LTYPE(t.elem, from), depth - 1);
    if (from == 1)
        return build_broadcast(g->b, x, t.lanes);
    if (t.lanes == 1 && t.elem != DT_BOOL && pick(g, 2))
        return build_unary(g->b, (expr_kind)(EXPR_REDUCE_ADD + pick(g, 4)), x);
    uint8_t lanes[16];
    for (int i = 0; i < t.lanes; i++)
        lanes[i] = (uint8_t)pick(g, 2 * from);
    return build_shuffle(g->b, x, any(g, LTYPE(t.elem, from), depth - 1), lanes, t.lanes);
}

static const expr *any_three(generator *g, ltype t, int depth) {
    const expr *x = any(g, t, depth - 1), *y = any(g, t, depth - 1);
    if (dtype_is_float(t.elem) && pick(g, 2))
        return build_mul_add(g->b, x, y, any(g, t, depth - 1));
    return build_select(g->b, any(g, LTYPE(DT_BOOL, t.lanes), depth - 1), x, y);
}

static const expr *any(generator *g, ltype t, int depth) {
    int type_number = 0;
    while (types[type_number] != t.elem)
        type_number++;
    if (depth <= 0)
        return any_leaf(g, t, type_number);
    switch (pick(g, 8)) {
    case 0:
        return any_leaf(g, t, type_number);
    case 1:
        return any_load(g, t, type_number, depth);
    case 2:
        return any_unary(g, t, depth);
    case 3:
    case 4:
        return any_binary(g, t, depth);
    case 5:
        return any_conversion(g, t, depth);
    case 6:
        return any_lane_move(g, t, depth);
    default:
        return any_three(g, t, depth);
    }
}

static void any_store(generator *g) {
    int number = pick(g, TYPES);
    ltype t = LTYPE(types[number], any_lanes(g));
    const expr *mask = pick(g, 3) == 0 ? any(g, LTYPE(DT_BOOL, t.lanes), 2) : NULL;
    const expr *index = any_index(g, 2);
    if (t.lanes > 1 && pick(g, 4) == 0)
        index = build_ramp(g->b, bounded(g, index, 15), 1 + pick(g, 3), t.lanes);
    build_store(g->b, TYPES + number, index, any(g, t, 4), mask);
}

static void any_set(generator *g) {
    int number = pick(g, TYPES);
    if (g->regs[number] >= 0)
        build_set(g->b, g->regs[number], build_index(g->b, pick(g, REGISTERS)),
                  any(g, LTYPE(types[number], g->reg_lanes[number]), 3));
}

static void add_var(generator *g, const expr *v) {
    if (g->n_vars < POOL)
        g->vars[g->n_vars++] = v;
}

static void any_block(generator *g, int depth) {
    int outside = g->n_vars;
    for (int n = 1 + pick(g, 4); n > 0 && g->budget > 0; n--) {
        g->budget--;
        int choice = depth > 0 ? pick(g, 10) : pick(g, 6);
        if (choice < 3) {
            any_store(g);
        } else if (choice < 5) {
            any_set(g);
        } else if (choice < 6) {
            add_var(g, build_let(g->b, "v", any(g, LTYPE(types[pick(g, TYPES)], any_lanes(g)), 3)));
        } else if (choice < 8) {
            const expr *extent =
                pick(g, 2) ? build_index(g->b, pick(g, 4)) : bounded(g, any(g, LTYPE(DT_I32, 1), 2), 3);
            int scope = g->n_vars;
            add_var(g, build_for(g->b, "i", extent, LOOP_SERIAL));
            any_block(g, depth - 1);
            build_end(g->b);
            g->n_vars = scope;
        } else if (choice < 9) {
            build_if(g->b, any(g, LTYPE(DT_BOOL, 1), 2));
            any_block(g, depth - 1);
            build_else(g->b);
            any_block(g, depth - 1);
            build_end(g->b);
        } else if (pick(g, 4) == 0) {
            build_check(g->b, any(g, LTYPE(DT_BOOL, 1), 2), 1 + pick(g, 100));
        }
    }
    g->n_vars = outside;
}

static void declare_registers(generator *g) {
    for (int n = 0; n < TYPES; n++) {
        g->regs[n] = -1;
        if (pick(g, 2))
            continue;
        g->reg_lanes[n] = any_lanes(g);
        ltype t = LTYPE(types[n], g->reg_lanes[n]);
        int reg = build_declare(g->b, "r", t, REGISTERS);
        for (int i = 0; i < REGISTERS; i++)
            build_set(g->b, reg, build_index(g->b, i), any(g, t, 1));
        g->regs[n] = reg;
    }
}

static void random_kernel(bench *x, const step_arg *args, uint64_t seed) {
    generator g = {.b = builder_new(x->memory, x->p->target), .t = x->p->target, .seed = seed * 977 + 5, .budget = 14};
    for (int n = 0; n < TYPES; n++)
        g.regs[n] = -1;
    declare_registers(&g);
    any_block(&g, 3);
    any_store(&g);
    kernel_buffer buffers[2 * TYPES];
    for (int n = 0; n < 2 * TYPES; n++)
        buffers[n] = (kernel_buffer){arena_printf(x->memory, "%s%d", n < TYPES ? "in" : "out", n % TYPES),
                                     types[n % TYPES], ELEMENTS, n < TYPES ? ACCESS_READ : ACCESS_READ_WRITE};
    char *name = arena_printf(x->memory, "random_%u", (unsigned)seed);
    bench_step(x, bench_kernel(x, g.b, name, buffers, 2 * TYPES), args);
}

/* Each program runs a few kernels one after the other over the same buffers. */
static void random_programs(const target *t, uint64_t first, int n) {
    for (uint64_t seed = first; seed < first + (uint64_t)n; seed++) {
        bench x = bench_new(t);
        step_arg args[2 * TYPES];
        for (int k = 0; k < 2 * TYPES; k++)
            args[k].buffer = bench_buffer(&x, k < TYPES ? PLACE_INPUT : PLACE_OUTPUT,
                                          arena_printf(x.memory, "%s%d", k < TYPES ? "in" : "out", k % TYPES),
                                          types[k % TYPES], ELEMENTS),
            args[k].first = 0;
        x.p->name = arena_printf(x.memory, "random_%u", (unsigned)seed);
        for (uint64_t k = 0; k < 4; k++)
            random_kernel(&x, args, seed * 4 + k);
        bench_compare(&x, llvm, seed, seed % 8);
        bench_free(&x);
    }
}

static void llvm_equals_the_interpreter_on_random_programs(void **state) {
    (void)state;
    uint64_t seed = 0;
    for (const target *const *t = target_table; *t != NULL; t++, seed += 1000)
        if (target_runs_here(*t))
            random_programs(*t, seed, 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llvm_equals_the_interpreter_on_random_programs),
    };
    return cmocka_run_group_tests_name("llvm_random", tests, group_setup, NULL);
}
