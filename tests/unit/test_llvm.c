/* rooms: codegen loop base */
/* The JIT against the interpreter, bit for bit: every expression kind with every element type and several lane counts.
 */
#include "test_llvm_support.h"

static const llvm_table *llvm;

static int group_setup(void **state) {
    (void)state;
    llvm = open_module();
    return 0;
}

static const dtype numbers[] = {DT_I8, DT_I16, DT_I32, DT_I64, DT_U8, DT_U16, DT_U32, DT_U64, DT_F32, DT_F64};
static const dtype movable[] = {DT_BOOL, DT_I8,       DT_I16,        DT_I32,    DT_I64,       DT_U8,
                                DT_U16,  DT_U32,      DT_U64,        DT_F32,    DT_F64,       DT_F16,
                                DT_BF16, DT_F8E4M3FN, DT_F8E4M3FNUZ, DT_F8E5M2, DT_F8E5M2FNUZ};
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define LENGTH 192 /* elements of each operand: a multiple of 64 */
#define OPERANDS 4 /* x, y, z and the choice of select */
#define LIMIT 256  /* buffers of one kernel */

/* ---- kernels made of many results over one loop: result r goes to an output of its own ---- */
typedef struct cases {
    bench *x;
    builder *b;
    ltype type;        /* of the three operands */
    const expr *index; /* of lane 0 */
    const expr *operand[3], *choice;
    kernel_buffer buffers[LIMIT];
    step_arg args[LIMIT];
    int n;
} cases;

static void cases_begin(cases *c, bench *x, ltype type) {
    *c = (cases){.x = x, .b = builder_new(x->memory, x->p->target), .type = type};
    const expr *i = build_for(c->b, "i", build_index(c->b, LENGTH / type.lanes), LOOP_SERIAL);
    c->index = build_mul(c->b, i, build_index(c->b, type.lanes));
    static const char *const names[] = {"x", "y", "z"};
    for (int k = 0; k < 3; k++) {
        const char *name = arena_printf(x->memory, "%s_%s", names[k], dtype_name(type.elem));
        c->buffers[k] = (kernel_buffer){names[k], type.elem, LENGTH, ACCESS_READ};
        c->args[k] = (step_arg){bench_buffer(x, PLACE_CONST, name, type.elem, LENGTH), 0};
        c->operand[k] = build_load(c->b, k, type, c->index, NULL);
    }
    c->buffers[3] = (kernel_buffer){"choice", DT_BOOL, LENGTH, ACCESS_READ};
    const char *choice = arena_printf(x->memory, "choice_%s", dtype_name(type.elem));
    c->args[3] = (step_arg){bench_buffer(x, PLACE_CONST, choice, DT_BOOL, LENGTH), 0};
    c->choice = build_load(c->b, 3, LTYPE(DT_BOOL, type.lanes), c->index, NULL);
    c->n = OPERANDS;
}

/* Each result has a buffer of its own in the arena, which bench_compare looks at. */
static void result(cases *c, const char *what, const expr *value) {
    assert_true(c->n < LIMIT);
    int64_t n = (int64_t)LENGTH / c->type.lanes * value->type.lanes;
    const char *name = arena_printf(c->x->memory, "%s_%s%d_%d", what, dtype_name(c->type.elem), c->type.lanes, c->n);
    const expr *step = build_div(c->b, c->index, build_index(c->b, c->type.lanes));
    c->buffers[c->n] = (kernel_buffer){name, value->type.elem, n, ACCESS_WRITE};
    build_store(c->b, c->n, build_mul(c->b, step, build_index(c->b, value->type.lanes)), value, NULL);
    c->n++;
}

static void cases_end(cases *c) {
    build_end(c->b);
    for (int k = OPERANDS; k < c->n; k++)
        c->args[k] =
            (step_arg){bench_buffer(c->x, PLACE_ARENA, c->buffers[k].name, c->buffers[k].elem, c->buffers[k].n), 0};
    const char *name =
        arena_printf(c->x->memory, "cases_%s_%d_%d", dtype_name(c->type.elem), c->type.lanes, (int)c->x->p->kernels.n);
    bench_step(c->x, bench_kernel(c->x, c->b, name, c->buffers, c->n), c->args);
}

/* A program of what `make` puts together, with one kernel for every type of the list; false where the target has no
 * vectors and the lane count asks for them. */
static bool put_together(bench *x, const target *t, const dtype *types, int n_types, int lanes,
                         void (*make)(cases *c)) {
    if (lanes > 1 && t->vector_bytes == 0)
        return false;
    *x = bench_new(t);
    for (int k = 0; k < n_types; k++) {
        cases c;
        cases_begin(&c, x, LTYPE(types[k], lanes));
        make(&c);
        cases_end(&c);
    }
    return true;
}

static const int lane_counts[] = {1, 4, 8, 16};

static void each_target(const dtype *types, int n_types, void (*make)(cases *c)) {
    bench x;
    for (const target *const *t = target_table; *t != NULL; t++)
        for (int l = 0; l < COUNT(lane_counts) && target_runs_here(*t); l++) {
            if (!put_together(&x, *t, types, n_types, lane_counts[l], make))
                continue;
            bench_compare(&x, llvm, 1, 0);
            bench_free(&x);
        }
}

static const char *kind_name(expr_kind k) {
    static const char *const names[] = {
#define EXPR(name, text, args) text,
#include "loop/expr.def"
#undef EXPR
    };
    return names[k];
}

/* As wide as t. */
static dtype integer_of(dtype t) {
    return dtype_is_int(t) ? t : t == DT_F32 ? DT_U32 : DT_I64;
}

static void make_arithmetic(cases *c) {
    static const expr_kind unary[] = {EXPR_NEG, EXPR_ABS};
    static const expr_kind binary[] = {EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_DIV, EXPR_MIN,
                                       EXPR_MAX, EXPR_EQ,  EXPR_NE,  EXPR_LT,  EXPR_LE};
    const expr *x = c->operand[0], *y = c->operand[1];
    for (int i = 0; i < COUNT(unary); i++)
        result(c, kind_name(unary[i]), build_unary(c->b, unary[i], x));
    for (int i = 0; i < COUNT(binary); i++)
        result(c, kind_name(binary[i]), build_binary(c->b, binary[i], x, y));
    result(c, "select", build_select(c->b, c->choice, y, c->operand[2]));
    if (c->type.lanes > 1) {
        const expr *lanes = build_bitcast(c->b, integer_of(c->type.elem), y);
        result(c, "permute", build_permute(c->b, x, lanes));
        result(c, "permute2", build_permute2(c->b, x, c->operand[2], lanes));
    }
    for (expr_kind k = EXPR_REDUCE_ADD; k <= EXPR_REDUCE_MAX; k++)
        result(c, kind_name(k), build_unary(c->b, k, x));
}

static void make_integers(cases *c) {
    static const expr_kind kinds[] = {EXPR_REM, EXPR_AND, EXPR_OR, EXPR_XOR, EXPR_SHL, EXPR_SHR, EXPR_SHR_ROUND};
    const int64_t constants[] = {
        0, 1, 2, 3, -1, -7, 100, dtype_bits(c->type.elem) - 1, dtype_bits(c->type.elem) + 1, dtype_min(c->type.elem)};
    const expr *x = c->operand[0], *y = c->operand[1];
    result(c, "not", build_unary(c->b, EXPR_NOT, x));
    if (c->type.elem == DT_I32)
        result(c, "mul_high", build_binary(c->b, EXPR_MUL_HIGH, x, y));
    for (int i = 0; i < COUNT(kinds); i++)
        result(c, kind_name(kinds[i]), build_binary(c->b, kinds[i], x, y));
    for (int k = 0; k < COUNT(constants); k++) {
        const expr *constant = build_broadcast(c->b, build_int(c->b, c->type.elem, constants[k]), c->type.lanes);
        result(c, "div_constant", build_div(c->b, x, constant));
        for (int i = 0; i < COUNT(kinds); i++)
            result(c, kind_name(kinds[i]), build_binary(c->b, kinds[i], x, constant));
    }
    for (int i = 0; i < COUNT(numbers); i++)
        if (dtype_is_int(numbers[i]))
            result(c, "saturate", build_saturate(c->b, numbers[i], x));
    const expr *first = build_cast(c->b, c->type.elem, c->index);
    if (c->type.lanes > 1)
        result(c, "ramp", build_add(c->b, build_ramp(c->b, first, -37, c->type.lanes), x));
}

static void make_floats(cases *c) {
    for (expr_kind k = EXPR_SQRT; k <= EXPR_RINT; k++)
        result(c, kind_name(k), build_unary(c->b, k, c->operand[0]));
    const expr *product = build_mul(c->b, c->operand[0], c->operand[1]);
    result(c, "not_fused", build_add(c->b, product, c->operand[2]));
    result(c, "not_fused", build_sub(c->b, c->operand[2], product));
    result(c, "mul_add", build_mul_add(c->b, c->operand[0], c->operand[1], c->operand[2]));
    result(c, "divided",
           build_div(c->b, c->operand[0], build_broadcast(c->b, build_float(c->b, c->type.elem, 3.0), c->type.lanes)));
}

static void make_moves(cases *c) {
    const expr *x = c->operand[0], *y = c->operand[1];
    int n = c->type.lanes;
    uint64_t seed = (uint64_t)n;
    for (int round = 0; round < 3; round++) {
        static const int widths[] = {1, 4, 16};
        uint8_t lanes[16];
        for (int i = 0; i < widths[round]; i++)
            lanes[i] = (uint8_t)random_below(&seed, 2 * n);
        if (n > 1)
            result(c, "shuffle", build_shuffle(c->b, x, y, lanes, widths[round]));
    }
    result(c, "moved", x);
    result(c, "select", build_select(c->b, c->choice, x, y));
    if (n == 1)
        result(c, "constant", build_select(c->b, c->choice, x, build_const(c->b, c->type.elem, 1.5)));
    for (int i = 0; i < COUNT(movable); i++)
        if (dtype_bits(movable[i]) == dtype_bits(c->type.elem) && movable[i] != DT_BOOL && c->type.elem != DT_BOOL)
            result(c, "bitcast", build_bitcast(c->b, movable[i], x));
}

static void make_casts(cases *c) {
    for (int i = 0; i < COUNT(movable); i++)
        result(c, dtype_name(movable[i]), build_cast(c->b, movable[i], c->operand[0]));
}

static void make_bools(cases *c) {
    static const expr_kind kinds[] = {EXPR_AND, EXPR_OR, EXPR_XOR, EXPR_EQ, EXPR_NE};
    for (int i = 0; i < COUNT(kinds); i++)
        result(c, kind_name(kinds[i]), build_binary(c->b, kinds[i], c->operand[0], c->operand[1]));
    result(c, "not", build_unary(c->b, EXPR_NOT, c->operand[0]));
}

static const expr *first_lanes(cases *c, const expr *x, int n) {
    static const uint8_t lanes[] = {0, 1, 2, 3, 4, 5, 6, 7};
    return build_shuffle(c->b, x, x, lanes, n);
}

static void make_dots(cases *c) {
    int n = c->type.lanes;
    const expr *start = c->operand[2];
    if (c->type.elem == DT_I16 && n > 1) {
        const expr *acc = build_cast(c->b, DT_I32, first_lanes(c, start, n / 2));
        result(c, "dot2", build_dot(c->b, EXPR_DOT2, acc, c->operand[0], c->operand[1]));
    }
    if (c->type.elem == DT_U8 && n > 1) {
        const expr *acc = build_cast(c->b, DT_I32, first_lanes(c, start, n / 4));
        result(c, "pairs", build_pairs(c->b, c->operand[0], build_bitcast(c->b, DT_I8, c->operand[1])));
        const expr *y = build_bitcast(c->b, DT_I8, c->operand[1]);
        result(c, "dot4", build_dot(c->b, EXPR_DOT4, acc, c->operand[0], y));
        result(c, "dot4_signed", build_dot(c->b, EXPR_DOT4, acc, build_bitcast(c->b, DT_I8, c->operand[0]), y));
    }
    result(c, "widened", build_cast(c->b, DT_I32, c->operand[0]));
}

static void llvm_arithmetic_equals_the_interpreter(void **state) {
    (void)state;
    each_target(numbers, COUNT(numbers), make_arithmetic);
}

static void llvm_integers_equal_the_interpreter(void **state) {
    (void)state;
    each_target(numbers, 8, make_integers);
}

static void llvm_floats_equal_the_interpreter(void **state) {
    (void)state;
    each_target(numbers + 8, 2, make_floats);
}

static void llvm_moves_equal_the_interpreter(void **state) {
    (void)state;
    each_target(movable, COUNT(movable), make_moves);
}

static void llvm_casts_equal_the_interpreter(void **state) {
    (void)state;
    each_target(movable, COUNT(movable), make_casts);
}

static void llvm_bools_equal_the_interpreter(void **state) {
    (void)state;
    each_target(movable, 1, make_bools);
}

static void llvm_dots_equal_the_interpreter(void **state) {
    (void)state;
    static const dtype narrow[] = {DT_I16, DT_U8};
    each_target(narrow, 2, make_dots);
}

/* Every call and every jump to a function goes to one of the program's own, or is arithmetic that the processor lacks.
 */
static void assert_calls_stay_inside(bench *x) {
    static const char *const calls[] = {"\tcallq\t", "\tcall\t", "\tjmp\t", "\tbl\t", "\tb\t"};
    const void *text = NULL;
    size_t bytes = 0;
    assert_int_equal(llvm->emit(x->p, LLVM_FORM_ASSEMBLY, WEIGHTS_INLINE, x->memory, x->messages, &text, &bytes),
                     STATUS_OK);
    for (int i = 0; i < COUNT(calls); i++)
        for (const char *at = strstr(text, calls[i]); at != NULL; at = strstr(at + 1, calls[i])) {
            const char *callee = at + strlen(calls[i]);
            if (strncmp(callee, "bench__cases_", 13) != 0 && strncmp(callee, "bench_run", 9) != 0 &&
                strncmp(callee, ".L", 2) != 0 && (x->p->target->isa != ISA_VFP || strncmp(callee, "__aeabi_", 8) != 0))
                fail_msg("%s: a call of %.20s", x->p->target->name, callee);
        }
}

static void calls_nothing(const dtype *types, int n_types, void (*make)(cases *c)) {
    bench x;
    for (const target *const *t = target_table; *t != NULL; t++)
        for (int l = 0; l < COUNT(lane_counts); l += 2) {
            if (!put_together(&x, *t, types, n_types, lane_counts[l], make))
                continue;
            assert_calls_stay_inside(&x);
            bench_free(&x);
        }
}

static void llvm_calls_no_library(void **state) {
    (void)state;
    calls_nothing(numbers, COUNT(numbers), make_arithmetic);
    calls_nothing(numbers + 8, 2, make_floats);
    calls_nothing(movable, COUNT(movable), make_casts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(llvm_arithmetic_equals_the_interpreter), cmocka_unit_test(llvm_integers_equal_the_interpreter),
        cmocka_unit_test(llvm_floats_equal_the_interpreter),      cmocka_unit_test(llvm_moves_equal_the_interpreter),
        cmocka_unit_test(llvm_casts_equal_the_interpreter),       cmocka_unit_test(llvm_bools_equal_the_interpreter),
        cmocka_unit_test(llvm_dots_equal_the_interpreter),        cmocka_unit_test(llvm_calls_no_library),
    };
    return cmocka_run_group_tests_name("llvm", tests, group_setup, NULL);
}
