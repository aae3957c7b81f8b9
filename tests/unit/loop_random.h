/* Random kernels over four buffers of TEST_BUFFER_ELEMENTS elements: x (i64, read), w (f32, read), y (i64), z (f32). */
#ifndef TENON_LOOP_RANDOM_H
#define TENON_LOOP_RANDOM_H

#include "loop_support.h"

enum { RANDOM_POOL = 64, RANDOM_BUFFERS = 4, RANDOM_REG_ELEMENTS = 4 };

static const kernel_buffer random_buffers[RANDOM_BUFFERS] = {
    {"x", DT_I64, TEST_BUFFER_ELEMENTS, ACCESS_READ},
    {"w", DT_F32, TEST_BUFFER_ELEMENTS, ACCESS_READ},
    {"y", DT_I64, TEST_BUFFER_ELEMENTS, ACCESS_READ_WRITE},
    {"z", DT_F32, TEST_BUFFER_ELEMENTS, ACCESS_READ_WRITE},
};

typedef struct random_pool {
    const expr *at[RANDOM_POOL];
    size_t n;
} random_pool;

typedef struct random_kernel {
    builder *b;
    uint64_t seed;
    random_pool ints, floats, vectors; /* expressions in scope: i64, f32, f32x8 */
    const expr *slot;                  /* index of an unrolled loop around, or a constant */
    int budget, int_reg, vector_reg;
} random_kernel;

static inline const expr *random_pick(random_kernel *r, const random_pool *p) {
    return p->at[test_random(&r->seed) % p->n];
}

static inline void random_push(random_kernel *r, random_pool *p, const expr *x) {
    if (p->n < RANDOM_POOL)
        p->at[p->n++] = x;
    else
        p->at[test_random(&r->seed) % RANDOM_POOL] = x;
}

static inline const expr *random_index(random_kernel *r, int lanes) {
    int64_t mask = lanes == 1 ? TEST_BUFFER_ELEMENTS - 1 : TEST_BUFFER_ELEMENTS - lanes;
    return build_and(r->b, random_pick(r, &r->ints), build_index(r->b, mask));
}

static inline const expr *random_condition(random_kernel *r) {
    const expr *x = random_pick(r, &r->ints), *y = random_pick(r, &r->ints);
    return build_lt(r->b, build_and(r->b, x, build_index(r->b, 7)), build_and(r->b, y, build_index(r->b, 7)));
}

static inline const expr *random_mask(random_kernel *r) {
    const expr *ramp = build_ramp(r->b, build_and(r->b, random_pick(r, &r->ints), build_index(r->b, 7)), 1, 8);
    return build_lt(r->b, ramp, build_index(r->b, test_random(&r->seed) % 12));
}

static inline void random_int(random_kernel *r) {
    static const expr_kind kinds[] = {EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_DIV, EXPR_REM, EXPR_MIN, EXPR_XOR, EXPR_ADD};
    uint32_t choice = test_random(&r->seed);
    const expr *x = random_pick(r, &r->ints), *y = random_pick(r, &r->ints);
    if (choice % 6 == 0)
        x = build_load(r->b, choice % 12 == 0 ? 0 : 2, LTYPE(DT_I64, 1), random_index(r, 1), NULL);
    else if (choice % 6 == 1)
        x = build_reg_get(r->b, r->int_reg, LTYPE(DT_I64, 1), r->slot);
    else if (choice % 6 == 2)
        x = build_select(r->b, random_condition(r), x, y);
    else if (choice % 6 == 3)
        x = build_binary(r->b, kinds[(choice / 6) % 8], x, build_index(r->b, 1 + (choice / 48) % 9));
    else
        x = build_binary(r->b, kinds[(choice / 6) % 8], x, y);
    random_push(r, &r->ints, x);
}

static inline void random_float(random_kernel *r) {
    static const expr_kind kinds[] = {EXPR_ADD, EXPR_SUB, EXPR_MUL, EXPR_MIN};
    uint32_t choice = test_random(&r->seed);
    const expr *x = random_pick(r, &r->floats);
    if (choice % 4 == 0)
        x = build_load(r->b, choice % 8 == 0 ? 1 : 3, LTYPE(DT_F32, 1), random_index(r, 1), NULL);
    else if (choice % 4 == 1)
        x = build_unary(r->b, EXPR_REDUCE_ADD, random_pick(r, &r->vectors));
    else
        x = build_binary(r->b, kinds[(choice / 4) % 4], x, random_pick(r, &r->floats));
    random_push(r, &r->floats, x);
}

static inline const expr *random_vector_load(random_kernel *r, int buffer, bool masked) {
    const expr *mask = masked ? random_mask(r) : NULL;
    const expr *index = random_index(r, 8);
    if (test_random(&r->seed) % 3 == 0) /* a gather */
        index = build_and(r->b, build_ramp(r->b, index, 5, 8), build_index(r->b, TEST_BUFFER_ELEMENTS - 1));
    return build_load(r->b, buffer, LTYPE(DT_F32, 8), index, mask);
}

static inline void random_vector(random_kernel *r) {
    static const uint8_t lanes[] = {7, 8, 3, 12, 0, 0, 15, 1};
    uint32_t choice = test_random(&r->seed);
    const expr *x = random_pick(r, &r->vectors), *y = random_pick(r, &r->vectors);
    switch (choice % 6) {
    case 0:
        x = random_vector_load(r, choice % 12 == 0 ? 1 : 3, choice % 5 == 0);
        break;
    case 1:
        x = build_broadcast(r->b, random_pick(r, &r->floats), 8);
        break;
    case 2:
        x = build_reg_get(r->b, r->vector_reg, LTYPE(DT_F32, 8), r->slot);
        break;
    case 3:
        x = build_shuffle(r->b, x, y, lanes, 8);
        break;
    case 4:
        x = build_select(r->b, random_mask(r), x, y);
        break;
    default:
        x = build_mul_add(r->b, x, y, random_pick(r, &r->vectors));
        break;
    }
    random_push(r, &r->vectors, x);
}

static inline void random_block(random_kernel *r, int depth);

/* What is defined inside is forgotten at the end. */
static inline void random_inner(random_kernel *r, int depth) {
    random_pool ints = r->ints, floats = r->floats, vectors = r->vectors;
    random_block(r, depth + 1);
    r->ints = ints;
    r->floats = floats;
    r->vectors = vectors;
}

static inline void random_loop(random_kernel *r, int depth) {
    uint32_t choice = test_random(&r->seed);
    const expr *extent = build_index(r->b, choice % 4), *slot = r->slot;
    loop_kind kind = (choice / 4) % 3 == 0 ? LOOP_UNROLLED : LOOP_SERIAL;
    if ((choice / 4) % 3 == 1)
        extent = build_and(r->b, random_pick(r, &r->ints), build_index(r->b, 3));
    random_pool ints = r->ints;
    const expr *var = build_for(r->b, "i", extent, kind);
    random_push(r, &r->ints, var);
    if (kind == LOOP_UNROLLED)
        r->slot = var;
    random_inner(r, depth);
    build_end(r->b);
    r->slot = slot;
    r->ints = ints;
}

static inline void random_if(random_kernel *r, int depth) {
    build_if(r->b, random_condition(r));
    random_inner(r, depth);
    if (test_random(&r->seed) % 2) {
        build_else(r->b);
        random_inner(r, depth);
    }
    build_end(r->b);
}

static inline void random_store(random_kernel *r) {
    uint32_t choice = test_random(&r->seed);
    if (choice % 3 == 0)
        build_store(r->b, 2, random_index(r, 1), random_pick(r, &r->ints), NULL);
    else if (choice % 3 == 1)
        build_store(r->b, 3, random_index(r, 1), random_pick(r, &r->floats), NULL);
    else
        build_store(r->b, 3, random_index(r, 8), random_pick(r, &r->vectors), choice % 6 == 2 ? random_mask(r) : NULL);
}

static inline void random_let(random_kernel *r) {
    random_pool *pools[] = {&r->ints, &r->floats, &r->vectors};
    random_pool *p = pools[test_random(&r->seed) % 3];
    random_push(r, p, build_let(r->b, "v", random_pick(r, p)));
}

static inline void random_set(random_kernel *r) {
    if (test_random(&r->seed) % 2)
        build_set(r->b, r->int_reg, r->slot, random_pick(r, &r->ints));
    else
        build_set(r->b, r->vector_reg, r->slot, random_pick(r, &r->vectors));
}

static inline void random_check(random_kernel *r) {
    const expr *x = build_and(r->b, random_pick(r, &r->ints), build_index(r->b, 31));
    build_check(r->b, build_le(r->b, x, build_index(r->b, 29)), 3);
}

static inline void random_statement(random_kernel *r, int depth) {
    switch (test_random(&r->seed) % 12) {
    case 0:
    case 1:
        if (depth < 4)
            random_loop(r, depth);
        break;
    case 2:
        if (depth < 4)
            random_if(r, depth);
        break;
    case 3:
    case 4:
        random_let(r);
        break;
    case 5:
    case 6:
        random_set(r);
        break;
    case 7:
        if (test_random(&r->seed) % 4 == 0)
            random_check(r);
        break;
    default:
        random_store(r);
        break;
    }
}

static inline void random_block(random_kernel *r, int depth) {
    int n = 1 + (int)(test_random(&r->seed) % 4);
    for (int i = 0; i < n && r->budget > 0; i++, r->budget--) {
        random_int(r);
        random_float(r);
        random_vector(r);
        random_statement(r, depth);
    }
}

/* Appends a random kernel's statements to the builder. */
static inline void random_statements(builder *b, uint64_t seed) {
    random_kernel r = {.b = b, .seed = seed, .budget = 30};
    random_push(&r, &r.ints, build_index(b, 3));
    random_push(&r, &r.floats, build_float(b, DT_F32, 1.5));
    random_push(&r, &r.vectors, build_broadcast(b, build_float(b, DT_F32, -0.25), 8));
    r.int_reg = build_declare(b, "n", LTYPE(DT_I64, 1), RANDOM_REG_ELEMENTS);
    r.vector_reg = build_declare(b, "acc", LTYPE(DT_F32, 8), RANDOM_REG_ELEMENTS);
    for (int i = 0; i < RANDOM_REG_ELEMENTS; i++) {
        build_set(b, r.int_reg, build_index(b, i), build_index(b, i * 7));
        build_set(b, r.vector_reg, build_index(b, i), r.vectors.at[0]);
    }
    r.slot = build_index(b, 2);
    for (int i = 0; i < 6; i++)
        random_block(&r, 0);
}

#endif
