/* Lane-wise arithmetic and reductions: a template, compiled once per instruction set (interp_base.c, interp_avx2.c). */

/* Keeps the compiler from looking beyond one block: the loop inside becomes exactly one block of vector code. */
#define BLOCK_FENCE(k) __asm__("" : "+r"(k))
/* The results of one block before any is stored: `out` may be one of the operands. */
#define BLOCK_STORE(to, from)                                                                                          \
    for (int i = 0; i < INTERP_BLOCK; i++)                                                                             \
    (to)[i] = (from)[i]

#define DEFINE_UNARY(kind, D, T, R, result)                                                                            \
    static const op *kind##_##D##_1(const op *p) {                                                                     \
        const T x = *(const T *)p->a;                                                                                  \
        *(R *)p->out = (R)(result);                                                                                    \
        return p + 1;                                                                                                  \
    }                                                                                                                  \
    static const op *kind##_##D##_n(const op *p) {                                                                     \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            const T *a = (const T *)p->a + k;                                                                          \
            R *out = (R *)p->out + k, r[INTERP_BLOCK];                                                                 \
            for (int i = 0; i < INTERP_BLOCK; i++) {                                                                   \
                const T x = a[i];                                                                                      \
                r[i] = (R)(result);                                                                                    \
            }                                                                                                          \
            BLOCK_STORE(out, r);                                                                                       \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

#define DEFINE_BINARY(kind, D, T, R, result)                                                                           \
    static const op *kind##_##D##_1(const op *p) {                                                                     \
        const T x = *(const T *)p->a, y = *(const T *)p->b;                                                            \
        *(R *)p->out = (R)(result);                                                                                    \
        return p + 1;                                                                                                  \
    }                                                                                                                  \
    static const op *kind##_##D##_n(const op *p) {                                                                     \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            const T *a = (const T *)p->a + k, *b = (const T *)p->b + k;                                                \
            R *out = (R *)p->out + k, r[INTERP_BLOCK];                                                                 \
            for (int i = 0; i < INTERP_BLOCK; i++) {                                                                   \
                const T x = a[i], y = b[i];                                                                            \
                r[i] = (R)(result);                                                                                    \
            }                                                                                                          \
            BLOCK_STORE(out, r);                                                                                       \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

#define DEFINE_TERNARY(kind, D, T, R, result)                                                                          \
    static const op *kind##_##D##_1(const op *p) {                                                                     \
        const T x = *(const T *)p->a, y = *(const T *)p->b, z = *(const T *)p->c;                                      \
        *(R *)p->out = (R)(result);                                                                                    \
        return p + 1;                                                                                                  \
    }                                                                                                                  \
    static const op *kind##_##D##_n(const op *p) {                                                                     \
        for (intptr_t k = 0; k < p->n; k += INTERP_BLOCK) {                                                            \
            BLOCK_FENCE(k);                                                                                            \
            const T *a = (const T *)p->a + k, *b = (const T *)p->b + k, *c = (const T *)p->c + k;                      \
            R *out = (R *)p->out + k, r[INTERP_BLOCK];                                                                 \
            for (int i = 0; i < INTERP_BLOCK; i++) {                                                                   \
                const T x = a[i], y = b[i], z = c[i];                                                                  \
                r[i] = (R)(result);                                                                                    \
            }                                                                                                          \
            BLOCK_STORE(out, r);                                                                                       \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }

/* A tree that halves: x[0..n/2) op x[n/2..n). */
#define DEFINE_REDUCE(kind, D, T, R, result)                                                                           \
    static const op *kind##_##D(const op *p) {                                                                         \
        T t[INTERP_MAX_LANES];                                                                                         \
        memcpy(t, p->a, (size_t)p->n * sizeof *t);                                                                     \
        for (int half = p->n / 2; half > 0; half /= 2)                                                                 \
            for (int i = 0; i < half; i++) {                                                                           \
                const T x = t[i], y = t[i + half];                                                                     \
                t[i] = (R)(result);                                                                                    \
            }                                                                                                          \
        *(R *)p->out = t[0];                                                                                           \
        return p + 1;                                                                                                  \
    }

/* x, x + s, x + 2s ... */
#define DEFINE_RAMP(kind, D, T, R, result)                                                                             \
    static const op *kind##_##D(const op *p) {                                                                         \
        const T x = *(const T *)p->a;                                                                                  \
        const uint64_t s = (uint64_t)p->imm;                                                                           \
        R *out = p->out;                                                                                               \
        for (uint64_t i = 0; i < (uint64_t)p->n; i++)                                                                  \
            out[i] = (R)(result);                                                                                      \
        return p + 1;                                                                                                  \
    }

/* clang-format off: the lists are tables */

/* Integers. T: the type; W: an unsigned type at least as wide as int, in which arithmetic wraps; `bits` of T. */
#define WRAP_ADD(W, x, y) ((W)(x) + (W)(y))
#define WRAP_MUL(W, x, y) ((W)(x) * (W)(y))
#define SHIFT_COUNT(y, bits) ((unsigned)(y) & ((bits) - 1))

#define INT_UNARY(X, D, T, W, bits)                                                                                    \
    X(NEG, D, T, T, (W)0 - (W)x)                                                                                       \
    X(NOT, D, T, T, ~x)

#define INT_BINARY(X, D, T, W, bits)                                                                                   \
    X(ADD, D, T, T, WRAP_ADD(W, x, y))                                                                                 \
    X(SUB, D, T, T, (W)x - (W)y)                                                                                       \
    X(MUL, D, T, T, WRAP_MUL(W, x, y))                                                                                 \
    X(MIN, D, T, T, x < y ? x : y)                                                                                     \
    X(MAX, D, T, T, x > y ? x : y)                                                                                     \
    X(AND, D, T, T, x &y)                                                                                              \
    X(OR, D, T, T, x | y)                                                                                              \
    X(XOR, D, T, T, x ^ y)                                                                                             \
    X(SHL, D, T, T, (W)x << SHIFT_COUNT(y, bits))                                                                      \
    X(SHR, D, T, T, x >> SHIFT_COUNT(y, bits))                                                                         \
    X(SHR_ROUND, D, T, T,                                                                                              \
      SHIFT_COUNT(y, bits) == 0 ? x : (x >> SHIFT_COUNT(y, bits)) + (x >> (SHIFT_COUNT(y, bits) - 1u) & 1))            \
    X(EQ, D, T, uint8_t, x == y)                                                                                       \
    X(NE, D, T, uint8_t, x != y)                                                                                       \
    X(LT, D, T, uint8_t, x < y)                                                                                        \
    X(LE, D, T, uint8_t, x <= y)

/* The division of the smallest number by -1 wraps; so its quotient is the negation, and the remainder 0. */
#define SIGNED_UNARY(X, D, T, W, bits) X(ABS, D, T, T, x < 0 ? (W)0 - (W)x : (W)x)
#define SIGNED_BINARY(X, D, T, W, bits)                                                                                \
    X(DIV, D, T, T, y == 0 ? (W)0 : y == -1 ? (W)0 - (W)x : (W)(x / y))                                                \
    X(REM, D, T, T, y == 0 || y == -1 ? 0 : x % y)

#define UNSIGNED_UNARY(X, D, T, W, bits) X(ABS, D, T, T, x)
#define UNSIGNED_BINARY(X, D, T, W, bits)                                                                              \
    X(DIV, D, T, T, y == 0 ? 0 : x / y)                                                                                \
    X(REM, D, T, T, y == 0 ? 0 : x % y)

#define INT_REDUCE(X, D, T, W, bits)                                                                                   \
    X(REDUCE_ADD, D, T, T, WRAP_ADD(W, x, y))                                                                          \
    X(REDUCE_MUL, D, T, T, WRAP_MUL(W, x, y))                                                                          \
    X(REDUCE_MIN, D, T, T, x < y ? x : y)                                                                              \
    X(REDUCE_MAX, D, T, T, x > y ? x : y)
#define INT_RAMP(X, D, T, W, bits) X(RAMP, D, T, T, (uint64_t)x + i * s)

#define BOOL_UNARY(X) X(NOT, BOOL, uint8_t, uint8_t, x ^ 1)
#define BOOL_BINARY(X)                                                                                                 \
    X(AND, BOOL, uint8_t, uint8_t, x &y)                                                                               \
    X(OR, BOOL, uint8_t, uint8_t, x | y)                                                                               \
    X(XOR, BOOL, uint8_t, uint8_t, x ^ y)                                                                              \
    X(EQ, BOOL, uint8_t, uint8_t, x == y)                                                                              \
    X(NE, BOOL, uint8_t, uint8_t, x != y)

/* Floats. F: the suffix of the type's functions in math.h. */
#define FLOAT_UNARY(X, D, T, F)                                                                                        \
    X(NEG, D, T, T, -x)                                                                                                \
    X(ABS, D, T, T, fabs##F(x))                                                                                        \
    X(SQRT, D, T, T, sqrt##F(x))                                                                                       \
    X(FLOOR, D, T, T, floor##F(x))                                                                                     \
    X(CEIL, D, T, T, ceil##F(x))                                                                                       \
    X(TRUNC, D, T, T, trunc##F(x))                                                                                     \
    X(RINT, D, T, T, rint##F(x))
#define FLOAT_BINARY(X, D, T, F)                                                                                       \
    X(ADD, D, T, T, x + y)                                                                                             \
    X(SUB, D, T, T, x - y)                                                                                             \
    X(MUL, D, T, T, x *y)                                                                                              \
    X(DIV, D, T, T, x / y)                                                                                             \
    X(MIN, D, T, T, x < y ? x : y)                                                                                     \
    X(MAX, D, T, T, x > y ? x : y)                                                                                     \
    X(EQ, D, T, uint8_t, x == y)                                                                                       \
    X(NE, D, T, uint8_t, x != y)                                                                                       \
    X(LT, D, T, uint8_t, x < y)                                                                                        \
    X(LE, D, T, uint8_t, x <= y)
#define FLOAT_TERNARY(X, D, T, F) X(FMA, D, T, T, fma##F(x, y, z))
#define FLOAT_REDUCE(X, D, T, F)                                                                                       \
    X(REDUCE_ADD, D, T, T, x + y)                                                                                      \
    X(REDUCE_MUL, D, T, T, x *y)                                                                                       \
    X(REDUCE_MIN, D, T, T, x < y ? x : y)                                                                              \
    X(REDUCE_MAX, D, T, T, x > y ? x : y)

#define SIGNED_TYPES(Y, X)                                                                                             \
    Y(X, I8, int8_t, uint32_t, 8)                                                                                      \
    Y(X, I16, int16_t, uint32_t, 16)                                                                                   \
    Y(X, I32, int32_t, uint32_t, 32)                                                                                   \
    Y(X, I64, int64_t, uint64_t, 64)
#define UNSIGNED_TYPES(Y, X)                                                                                           \
    Y(X, U8, uint8_t, uint32_t, 8)                                                                                     \
    Y(X, U16, uint16_t, uint32_t, 16)                                                                                  \
    Y(X, U32, uint32_t, uint32_t, 32)                                                                                  \
    Y(X, U64, uint64_t, uint64_t, 64)
#define FLOAT_TYPES(Y, X)                                                                                              \
    Y(X, F32, float, f)                                                                                                \
    Y(X, F64, double, )

#define EACH_UNARY(X)                                                                                                  \
    SIGNED_TYPES(INT_UNARY, X)                                                                                         \
    UNSIGNED_TYPES(INT_UNARY, X)                                                                                       \
    SIGNED_TYPES(SIGNED_UNARY, X)                                                                                      \
    UNSIGNED_TYPES(UNSIGNED_UNARY, X)                                                                                  \
    BOOL_UNARY(X)                                                                                                      \
    FLOAT_TYPES(FLOAT_UNARY, X)
#define EACH_BINARY(X)                                                                                                 \
    X(MUL_HIGH, I32, int32_t, int32_t, (int64_t)x *y >> 32)                                                            \
    SIGNED_TYPES(INT_BINARY, X)                                                                                        \
    UNSIGNED_TYPES(INT_BINARY, X)                                                                                      \
    SIGNED_TYPES(SIGNED_BINARY, X)                                                                                     \
    UNSIGNED_TYPES(UNSIGNED_BINARY, X)                                                                                 \
    BOOL_BINARY(X)                                                                                                     \
    FLOAT_TYPES(FLOAT_BINARY, X)
#define EACH_TERNARY(X) FLOAT_TYPES(FLOAT_TERNARY, X)
#define EACH_REDUCE(X)                                                                                                 \
    SIGNED_TYPES(INT_REDUCE, X)                                                                                        \
    UNSIGNED_TYPES(INT_REDUCE, X)                                                                                      \
    FLOAT_TYPES(FLOAT_REDUCE, X)
#define EACH_RAMP(X)                                                                                                   \
    SIGNED_TYPES(INT_RAMP, X)                                                                                          \
    UNSIGNED_TYPES(INT_RAMP, X)

/* clang-format on */

EACH_UNARY(DEFINE_UNARY)
EACH_BINARY(DEFINE_BINARY)
EACH_TERNARY(DEFINE_TERNARY)
EACH_REDUCE(DEFINE_REDUCE)
EACH_RAMP(DEFINE_RAMP)

static const op *PAIRS_U8(const op *p) {
    const uint8_t *x = p->a;
    const int8_t *y = p->b;
    int16_t *out = p->out;
    for (int j = 0; j < p->n; j++) {
        int sum = x[2 * j] * y[2 * j] + x[2 * j + 1] * y[2 * j + 1];
        out[j] = (int16_t)(sum < INT16_MIN ? INT16_MIN : sum > INT16_MAX ? INT16_MAX : sum);
    }
    return p + 1;
}

static const op *DOT2_I32(const op *p) {
    const int32_t *acc = p->a;
    const int16_t *x = p->b, *y = p->c;
    int32_t *out = p->out;
    for (int j = 0; j < p->n; j++) {
        uint32_t sum = (uint32_t)acc[j];
        for (int t = 2 * j; t < 2 * j + 2; t++)
            sum += (uint32_t)(x[t] * y[t]);
        out[j] = (int32_t)sum;
    }
    return p + 1;
}

/* T: the type of the first factors. */
#define DEFINE_DOT4(D, T)                                                                                              \
    static const op *DOT4_##D(const op *p) {                                                                           \
        const int32_t *acc = p->a;                                                                                     \
        const T *x = p->b;                                                                                             \
        const int8_t *y = p->c;                                                                                        \
        int32_t *out = p->out;                                                                                         \
        for (int j = 0; j < p->n; j++) {                                                                               \
            uint32_t sum = (uint32_t)acc[j];                                                                           \
            for (int t = 4 * j; t < 4 * j + 4; t++)                                                                    \
                sum += (uint32_t)(x[t] * y[t]);                                                                        \
            out[j] = (int32_t)sum;                                                                                     \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }
DEFINE_DOT4(U8, uint8_t)
DEFINE_DOT4(I8, int8_t)

/* Lanes of a type by numbers as wide. */
#define DEFINE_PERMUTE(D, T, U)                                                                                        \
    static const op *PERMUTE_##D(const op *p) {                                                                        \
        const T *x = p->a;                                                                                             \
        const U *lanes = p->b;                                                                                         \
        T *out = p->out;                                                                                               \
        for (int j = 0; j < p->n; j++)                                                                                 \
            out[j] = x[lanes[j] & (U)(p->n - 1)];                                                                      \
        return p + 1;                                                                                                  \
    }
#define DEFINE_PERMUTE2(D, T, U)                                                                                       \
    static const op *PERMUTE2_##D(const op *p) {                                                                       \
        const T *x = p->a, *y = p->b;                                                                                  \
        const U *lanes = p->c;                                                                                         \
        const U n = (U)p->n;                                                                                           \
        T *out = p->out;                                                                                               \
        for (U j = 0; j < n; j++)                                                                                      \
            out[j] = (lanes[j] & n) == 0 ? x[lanes[j] & (U)(n - 1)] : y[lanes[j] & (U)(n - 1)];                        \
        return p + 1;                                                                                                  \
    }
#define PERMUTE_ROW(D, T, U)                                                                                           \
    [EXPR_PERMUTE][DT_##D] = {PERMUTE_##D, PERMUTE_##D}, [EXPR_PERMUTE2][DT_##D] = {PERMUTE2_##D, PERMUTE2_##D},
/* clang-format off */
#define EACH_PERMUTE(X)                                                                                                \
    X(I8, int8_t, uint8_t) X(U8, uint8_t, uint8_t) X(I16, int16_t, uint16_t) X(U16, uint16_t, uint16_t)                \
    X(I32, int32_t, uint32_t) X(U32, uint32_t, uint32_t) X(I64, int64_t, uint64_t) X(U64, uint64_t, uint64_t)          \
    X(F32, float, uint32_t) X(F64, double, uint64_t)
EACH_PERMUTE(DEFINE_PERMUTE)
EACH_PERMUTE(DEFINE_PERMUTE2)
/* clang-format on */

#define LANES_ROW(kind, D, T, R, result) [EXPR_##kind][DT_##D] = {kind##_##D##_1, kind##_##D##_n},
#define WHOLE_ROW(kind, D, T, R, result) [EXPR_##kind][DT_##D] = {kind##_##D, kind##_##D},

/* clang-format off */
static const op_pair lanes_table[EXPR_COUNT][DT_COUNT] = {
    EACH_UNARY(LANES_ROW)
    EACH_BINARY(LANES_ROW)
    EACH_TERNARY(LANES_ROW)
    EACH_REDUCE(WHOLE_ROW)
    EACH_RAMP(WHOLE_ROW)
    [EXPR_PAIRS][DT_U8] = {PAIRS_U8, PAIRS_U8},
    EACH_PERMUTE(PERMUTE_ROW)
    [EXPR_DOT2][DT_I32] = {DOT2_I32, DOT2_I32},
    [EXPR_DOT4][DT_U8] = {DOT4_U8, DOT4_U8},
    [EXPR_DOT4][DT_I8] = {DOT4_I8, DOT4_I8},
};
/* clang-format on */
