/* A second, slow reading of loop.h for the tests of the builder: evaluates expressions and runs statements, unrolled
 * loops and LETs as they stand. Floats are f32; masks, gathers and lanes are supported, narrow floats and dot products
 * are not. */
#ifndef TENON_LOOP_SUPPORT_H
#define TENON_LOOP_SUPPORT_H

#include <math.h>

#include "test_support.h"

#include "loop/loop.h"

typedef struct test_value {
    int64_t i;
    float f;
} test_value;

typedef struct test_lanes {
    test_value lane[8];
} test_lanes;

enum {
    TEST_MOST_VARS = 1024,
    TEST_MOST_REGS = 64,
    TEST_MOST_BUFFERS = 8,
    TEST_BUFFER_ELEMENTS = 64,
    TEST_REG_ELEMENTS = 8
};

/* Where a block runs. Buffers hold TEST_BUFFER_ELEMENTS values each. */
typedef struct test_machine {
    test_lanes vars[TEST_MOST_VARS];
    test_lanes regs[TEST_MOST_REGS][TEST_REG_ELEMENTS];
    test_value buffers[TEST_MOST_BUFFERS][TEST_BUFFER_ELEMENTS];
    int code;
} test_machine;

/* A small random generator: the same numbers everywhere. */
static inline uint32_t test_random(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static inline int64_t test_wrap(dtype t, int64_t x) {
    switch (t) {
    case DT_BOOL:
        return x != 0;
    case DT_U8:
        return (uint8_t)x;
    case DT_I32:
        return (int32_t)x;
    case DT_U32:
        return (uint32_t)x;
    default:
        return x;
    }
}

static inline test_value test_int(dtype t, uint64_t x) {
    return (test_value){.i = test_wrap(t, (int64_t)x)};
}

static inline int64_t test_divide(dtype t, int64_t x, int64_t y) {
    if (y == 0)
        return 0;
    if (dtype_is_signed(t) && y == -1)
        return (int64_t)(0 - (uint64_t)x);
    return dtype_is_signed(t) ? x / y : (int64_t)((uint64_t)x / (uint64_t)y);
}

static inline test_value test_int_binary(expr_kind k, dtype t, int64_t x, int64_t y) {
    uint64_t a = (uint64_t)x, b = (uint64_t)y;
    uint64_t count = b % (uint64_t)dtype_bits(t);
    bool less = dtype_is_signed(t) ? x < y : a < b, more = dtype_is_signed(t) ? x > y : a > b;
    switch (k) {
    case EXPR_ADD:
        return test_int(t, a + b);
    case EXPR_SUB:
        return test_int(t, a - b);
    case EXPR_MUL:
        return test_int(t, a * b);
    case EXPR_DIV:
        return test_int(t, (uint64_t)test_divide(t, x, y));
    case EXPR_REM:
        return test_int(t, y == 0 ? 0 : a - (uint64_t)test_divide(t, x, y) * b);
    case EXPR_MIN:
        return test_int(t, less ? a : b);
    case EXPR_MAX:
        return test_int(t, more ? a : b);
    case EXPR_AND:
        return test_int(t, a & b);
    case EXPR_OR:
        return test_int(t, a | b);
    case EXPR_XOR:
        return test_int(t, a ^ b);
    case EXPR_SHL:
        return test_int(t, a << count);
    case EXPR_SHR:
        return test_int(t, dtype_is_signed(t) ? (uint64_t)(x >> count) : a >> count);
    case EXPR_EQ:
        return test_int(DT_BOOL, x == y);
    case EXPR_NE:
        return test_int(DT_BOOL, x != y);
    case EXPR_LT:
        return test_int(DT_BOOL, less);
    case EXPR_LE:
        return test_int(DT_BOOL, !more);
    default:
        fail_msg("integer operation %d", (int)k);
        return (test_value){0};
    }
}

static inline test_value test_float_binary(expr_kind k, float x, float y) {
    switch (k) {
    case EXPR_ADD:
        return (test_value){.f = x + y};
    case EXPR_SUB:
        return (test_value){.f = x - y};
    case EXPR_MUL:
        return (test_value){.f = x * y};
    case EXPR_DIV:
        return (test_value){.f = x / y};
    case EXPR_MIN:
        return (test_value){.f = x < y ? x : y};
    case EXPR_MAX:
        return (test_value){.f = x > y ? x : y};
    case EXPR_EQ:
        return (test_value){.i = x == y};
    case EXPR_NE:
        return (test_value){.i = x != y};
    case EXPR_LT:
        return (test_value){.i = x < y};
    case EXPR_LE:
        return (test_value){.i = x <= y};
    default:
        fail_msg("float operation %d", (int)k);
        return (test_value){0};
    }
}

static inline test_value test_binary(expr_kind k, dtype t, test_value x, test_value y) {
    return dtype_is_float(t) ? test_float_binary(k, x.f, y.f) : test_int_binary(k, t, x.i, y.i);
}

static inline test_value test_unary(expr_kind k, dtype t, test_value x) {
    bool is_float = dtype_is_float(t);
    switch (k) {
    case EXPR_NEG:
        return is_float ? (test_value){.f = -x.f} : test_int(t, 0 - (uint64_t)x.i);
    case EXPR_ABS:
        if (is_float)
            return (test_value){.f = fabsf(x.f)};
        return test_int(t, dtype_is_signed(t) && x.i < 0 ? 0 - (uint64_t)x.i : (uint64_t)x.i);
    case EXPR_NOT:
        return test_int(t, t == DT_BOOL ? x.i == 0 : ~(uint64_t)x.i);
    case EXPR_FLOOR:
        return (test_value){.f = floorf(x.f)};
    case EXPR_RINT:
        return (test_value){.f = rintf(x.f)};
    default:
        fail_msg("operation %d", (int)k);
        return x;
    }
}

static inline test_value test_cast(dtype to, dtype from, test_value x) {
    if (dtype_is_float(from) && dtype_is_int(to)) {
        assert_true(dtype_bits(to) <= 32);
        double low = (double)dtype_min(to), high = (double)dtype_max(to);
        double v = isnan(x.f) ? 0 : x.f < low ? low : x.f > high ? high : trunc((double)x.f);
        return (test_value){.i = (int64_t)v};
    }
    if (dtype_is_float(to)) {
        assert_true(!dtype_is_float(from) && from != DT_U64);
        return (test_value){.f = (float)x.i};
    }
    return test_int(to, (uint64_t)x.i);
}

static inline test_value test_saturate(dtype to, dtype from, test_value x) {
    int64_t v = x.i;
    if (dtype_is_signed(from) && v < dtype_min(to))
        v = dtype_min(to);
    else if ((v > 0 || !dtype_is_signed(from)) && (uint64_t)v > dtype_max(to))
        v = (int64_t)dtype_max(to);
    return (test_value){.i = v};
}

static inline test_lanes test_eval(test_machine *m, const expr *x);

static inline test_lanes test_load(test_machine *m, const expr *x) {
    test_lanes at = test_eval(m, x->arg[0]), out = {0};
    test_lanes mask = x->masked ? test_eval(m, x->arg[1]) : out;
    for (int i = 0; i < x->type.lanes; i++) {
        if (x->masked && !mask.lane[i].i)
            continue;
        int64_t index = x->arg[0]->type.lanes == 1 ? at.lane[0].i + i : at.lane[i].i;
        assert_in_range(index, 0, TEST_BUFFER_ELEMENTS - 1);
        out.lane[i] = m->buffers[x->ref][index];
    }
    return out;
}

static inline test_lanes test_reduce(const expr *x, test_lanes v) {
    static const expr_kind folds[] = {EXPR_ADD, EXPR_MUL, EXPR_MIN, EXPR_MAX};
    for (int n = x->arg[0]->type.lanes / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            v.lane[i] = test_binary(folds[x->kind - EXPR_REDUCE_ADD], x->type.elem, v.lane[i], v.lane[n + i]);
    return v;
}

/* Operations that work lane by lane. */
static inline test_value test_operation(const expr *x, const test_lanes *args, int lane) {
    dtype from = x->arg[0]->type.elem;
    test_value first = args[0].lane[lane];
    if (x->kind >= EXPR_ADD && x->kind <= EXPR_LE)
        return test_binary(x->kind, from, first, args[1].lane[lane]);
    switch (x->kind) {
    case EXPR_BROADCAST:
        return args[0].lane[0];
    case EXPR_RAMP:
        return test_int(from, (uint64_t)args[0].lane[0].i + (uint64_t)x->imm * (uint64_t)lane);
    case EXPR_CAST:
        return test_cast(x->type.elem, from, first);
    case EXPR_SATURATE:
        return test_saturate(x->type.elem, from, first);
    case EXPR_SHUFFLE: {
        int n = x->arg[0]->type.lanes, source = x->lanes[lane];
        return args[source / n].lane[source % n];
    }
    case EXPR_SELECT:
        return args[first.i != 0 ? 1 : 2].lane[lane];
    case EXPR_FMA:
        return (test_value){.f = fmaf(first.f, args[1].lane[lane].f, args[2].lane[lane].f)};
    default:
        return test_unary(x->kind, x->type.elem, first);
    }
}

static inline test_lanes test_eval(test_machine *m, const expr *x) {
    test_lanes out = {0}, args[3];
    switch (x->kind) {
    case EXPR_INT:
        out.lane[0].i = x->imm;
        return out;
    case EXPR_FLOAT:
        out.lane[0].f = (float)x->f;
        return out;
    case EXPR_VAR:
        return m->vars[x->ref];
    case EXPR_LOAD:
        return test_load(m, x);
    case EXPR_REG:
        return m->regs[x->ref][test_eval(m, x->arg[0]).lane[0].i];
    default:
        break;
    }
    for (int i = 0; i < x->n_args; i++)
        args[i] = test_eval(m, x->arg[i]);
    if (x->kind >= EXPR_REDUCE_ADD && x->kind <= EXPR_REDUCE_MAX)
        return test_reduce(x, args[0]);
    for (int i = 0; i < x->type.lanes; i++)
        out.lane[i] = test_operation(x, args, i);
    return out;
}

static inline bool test_same(dtype t, test_value x, test_value y) {
    if (!dtype_is_float(t))
        return x.i == y.i;
    return (isnan(x.f) && isnan(y.f)) || memcmp(&x.f, &y.f, sizeof x.f) == 0;
}

static inline void test_store(test_machine *m, const stmt *s) {
    test_lanes at = test_eval(m, s->store.index), value = test_eval(m, s->store.value), mask = {0};
    if (s->store.mask != NULL)
        mask = test_eval(m, s->store.mask);
    for (int i = 0; i < s->store.value->type.lanes; i++) {
        if (s->store.mask != NULL && !mask.lane[i].i)
            continue;
        int64_t index = s->store.index->type.lanes == 1 ? at.lane[0].i + i : at.lane[i].i;
        assert_in_range(index, 0, TEST_BUFFER_ELEMENTS - 1);
        m->buffers[s->store.buffer][index] = value.lane[i];
    }
}

static inline void test_run(test_machine *m, const block *in);

static inline void test_run_loop(test_machine *m, const stmt *s) {
    int64_t n = test_eval(m, s->loop.extent).lane[0].i;
    for (int64_t i = 0; i < n && m->code == 0; i++) {
        m->vars[s->loop.var->ref].lane[0].i = i;
        test_run(m, &s->loop.body);
    }
}

static inline void test_run(test_machine *m, const block *in) {
    for (const stmt *s = in->first; s != NULL && m->code == 0; s = s->next) {
        if (s->kind == STMT_LET)
            m->vars[s->let.var->ref] = test_eval(m, s->let.value);
        if (s->kind == STMT_FOR)
            test_run_loop(m, s);
        if (s->kind == STMT_STORE)
            test_store(m, s);
        if (s->kind == STMT_SET)
            m->regs[s->set.reg][test_eval(m, s->set.index).lane[0].i] = test_eval(m, s->set.value);
        if (s->kind == STMT_IF)
            test_run(m, test_eval(m, s->cond.condition).lane[0].i != 0 ? &s->cond.then : &s->cond.otherwise);
        if (s->kind == STMT_CHECK && test_eval(m, s->check.condition).lane[0].i == 0)
            m->code = s->check.code;
    }
}

#endif
