/* Conversions between element types: a template, compiled once per instruction set. Uses interp_lanes.h's DEFINE_UNARY.
 */

/* Truncates, saturates, NaN gives 0. lo is the type's smallest value, hi its largest, as T's next float: hi rounds up
 * to a power of two where it is not representable, and every float at or above it saturates. */
#define FLOAT_TO_INT(T, R, lo, hi) (x != x ? (R)0 : x <= (T)(lo) ? (R)(lo) : x >= (T)(hi) ? (R)(hi) : (R)x)

/* X(from, T, to, R, value) for every type to cast to. */
#define CASTS_TO_FLOATS(X, D, T)                                                                                       \
    X(D, T, F32, float, (float)x)                                                                                      \
    X(D, T, F64, double, (double)x)
#define CASTS_OF_INT(X, D, T)                                                                                          \
    X(D, T, BOOL, uint8_t, x != 0)                                                                                     \
    X(D, T, I8, int8_t, x)                                                                                             \
    X(D, T, I16, int16_t, x)                                                                                           \
    X(D, T, I32, int32_t, x)                                                                                           \
    X(D, T, I64, int64_t, x)                                                                                           \
    X(D, T, U8, uint8_t, x)                                                                                            \
    X(D, T, U16, uint16_t, x)                                                                                          \
    X(D, T, U32, uint32_t, x)                                                                                          \
    X(D, T, U64, uint64_t, x)                                                                                          \
    CASTS_TO_FLOATS(X, D, T)
#define CASTS_OF_FLOAT(X, D, T)                                                                                        \
    X(D, T, BOOL, uint8_t, x != 0)                                                                                     \
    X(D, T, I8, int8_t, FLOAT_TO_INT(T, int8_t, INT8_MIN, INT8_MAX))                                                   \
    X(D, T, I16, int16_t, FLOAT_TO_INT(T, int16_t, INT16_MIN, INT16_MAX))                                              \
    X(D, T, I32, int32_t, FLOAT_TO_INT(T, int32_t, INT32_MIN, INT32_MAX))                                              \
    X(D, T, I64, int64_t, FLOAT_TO_INT(T, int64_t, INT64_MIN, INT64_MAX))                                              \
    X(D, T, U8, uint8_t, FLOAT_TO_INT(T, uint8_t, 0, UINT8_MAX))                                                       \
    X(D, T, U16, uint16_t, FLOAT_TO_INT(T, uint16_t, 0, UINT16_MAX))                                                   \
    X(D, T, U32, uint32_t, FLOAT_TO_INT(T, uint32_t, 0, UINT32_MAX))                                                   \
    X(D, T, U64, uint64_t, FLOAT_TO_INT(T, uint64_t, 0, UINT64_MAX))                                                   \
    CASTS_TO_FLOATS(X, D, T)
/* The common casts of narrow floats; interp_cast_any does the others. */
#define CASTS_OF_NARROW(X)                                                                                             \
    X(F16, uint16_t, F32, float, half_to_float(x))                                                                     \
    X(F32, float, F16, uint16_t, half_from_float(x))                                                                   \
    X(BF16, uint16_t, F32, float, bfloat_to_float(x))                                                                  \
    X(F32, float, BF16, uint16_t, bfloat_from_float(x))

#define EACH_CAST(X)                                                                                                   \
    CASTS_OF_INT(X, BOOL, uint8_t)                                                                                     \
    CASTS_OF_INT(X, I8, int8_t)                                                                                        \
    CASTS_OF_INT(X, I16, int16_t)                                                                                      \
    CASTS_OF_INT(X, I32, int32_t)                                                                                      \
    CASTS_OF_INT(X, I64, int64_t)                                                                                      \
    CASTS_OF_INT(X, U8, uint8_t)                                                                                       \
    CASTS_OF_INT(X, U16, uint16_t)                                                                                     \
    CASTS_OF_INT(X, U32, uint32_t)                                                                                     \
    CASTS_OF_INT(X, U64, uint64_t)                                                                                     \
    CASTS_OF_FLOAT(X, F32, float)                                                                                      \
    CASTS_OF_FLOAT(X, F64, double)                                                                                     \
    CASTS_OF_NARROW(X)

#define DEFINE_CAST(D, T, to, R, result) DEFINE_UNARY(CAST_##to, D, T, R, result)
EACH_CAST(DEFINE_CAST)

#define CAST_ROW(D, T, to, R, result) [DT_##D][DT_##to] = {CAST_##to##_##D##_1, CAST_##to##_##D##_n},
static const op_pair cast_table[DT_COUNT][DT_COUNT] = {EACH_CAST(CAST_ROW)};

/* Integers clamped: through __int128, which holds all of them. */
#define CLAMP(lo, hi) ((x) < (__int128)(lo) ? (__int128)(lo) : (x) > (__int128)(hi) ? (__int128)(hi) : (x))
#define SATURATES_OF(X, D, T)                                                                                          \
    X(D, T, I8, int8_t, CLAMP(INT8_MIN, INT8_MAX))                                                                     \
    X(D, T, I16, int16_t, CLAMP(INT16_MIN, INT16_MAX))                                                                 \
    X(D, T, I32, int32_t, CLAMP(INT32_MIN, INT32_MAX))                                                                 \
    X(D, T, I64, int64_t, CLAMP(INT64_MIN, INT64_MAX))                                                                 \
    X(D, T, U8, uint8_t, CLAMP(0, UINT8_MAX))                                                                          \
    X(D, T, U16, uint16_t, CLAMP(0, UINT16_MAX))                                                                       \
    X(D, T, U32, uint32_t, CLAMP(0, UINT32_MAX))                                                                       \
    X(D, T, U64, uint64_t, CLAMP(0, UINT64_MAX))
#define EACH_SATURATE(X)                                                                                               \
    SATURATES_OF(X, I8, int8_t)                                                                                        \
    SATURATES_OF(X, I16, int16_t)                                                                                      \
    SATURATES_OF(X, I32, int32_t)                                                                                      \
    SATURATES_OF(X, I64, int64_t)                                                                                      \
    SATURATES_OF(X, U8, uint8_t)                                                                                       \
    SATURATES_OF(X, U16, uint16_t)                                                                                     \
    SATURATES_OF(X, U32, uint32_t)                                                                                     \
    SATURATES_OF(X, U64, uint64_t)

#define DEFINE_SATURATE(D, T, to, R, result)                                                                           \
    static const op *SATURATE_##to##_##D(const op *p) {                                                                \
        const T *a = p->a;                                                                                             \
        R *out = p->out;                                                                                               \
        for (int i = 0; i < p->n; i++) {                                                                               \
            const __int128 x = a[i];                                                                                   \
            out[i] = (R)(result);                                                                                      \
        }                                                                                                              \
        return p + 1;                                                                                                  \
    }
EACH_SATURATE(DEFINE_SATURATE)

#define SATURATE_ROW(D, T, to, R, result) [DT_##D][DT_##to] = SATURATE_##to##_##D,
static const op_fn saturate_table[DT_COUNT][DT_COUNT] = {EACH_SATURATE(SATURATE_ROW)};
