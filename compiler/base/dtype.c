/* Element types: their table, and conversions between every representation. */
#include "base/dtype.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed data is read as little-endian words");

typedef enum dtype_class { CLASS_NONE, CLASS_B, CLASS_S, CLASS_U, CLASS_F } dtype_class;

typedef struct dtype_row {
    const char *name;
    int32_t onnx;
    int bits;
    dtype_class kind;
} dtype_row;

static const dtype_row ROWS[DT_COUNT] = {
    [DT_NONE] = {"?", 0, 0, CLASS_NONE},
#define DTYPE(name, text, onnx, bits, class) [DT_##name] = {text, onnx, bits, CLASS_##class},
#include "base/dtype.def"
#undef DTYPE
};

/* A float narrower than 32 bits: sign, exponent, mantissa. Codes are compared without the sign. */
typedef struct narrow_format {
    int man_bits;
    int min_exp;   /* of the smallest normal number */
    uint16_t sign; /* sign bit; 0 in rows of other types */
    uint16_t max;  /* code of the largest finite number */
    uint16_t inf;  /* what overflow becomes where it is not clamped: infinity, NaN, or the largest number */
    uint16_t nan;
    bool signed_nan;    /* a NaN keeps its sign */
    bool unsigned_zero; /* no negative zero, whose code is the only NaN */
} narrow_format;

static const narrow_format HALF = {10, -14, 0x8000, 0x7bff, 0x7c00, 0x7e00, true, false};
static const narrow_format BFLOAT = {7, -126, 0x8000, 0x7f7f, 0x7f80, 0x7fc0, true, false};
static const narrow_format SMALL[DT_COUNT] = {
    [DT_F8E4M3FN] = {3, -6, 0x80, 0x7e, 0x7f, 0x7f, true, false},
    [DT_F8E4M3FNUZ] = {3, -7, 0x80, 0x7f, 0x80, 0x80, false, true},
    [DT_F8E5M2] = {2, -14, 0x80, 0x7b, 0x7c, 0x7e, true, false},
    [DT_F8E5M2FNUZ] = {2, -15, 0x80, 0x7f, 0x80, 0x80, false, true},
    [DT_F4E2M1] = {1, 0, 0x8, 0x7, 0x7, 0x7, false, false},
};

enum { DOUBLE_MAN_BITS = 52, E8M0_BIAS = 127, E8M0_MAX = 254, E8M0_NAN = 255 };

const char *dtype_name(dtype t) {
    return ROWS[t].name;
}

dtype dtype_parse(const char *name) {
    for (dtype t = DT_NONE + 1; t < DT_COUNT; t++)
        if (strcmp(name, ROWS[t].name) == 0)
            return t;
    return DT_NONE;
}

dtype dtype_from_onnx(int32_t number) {
    for (dtype t = DT_NONE + 1; t < DT_COUNT; t++)
        if (number == ROWS[t].onnx)
            return t;
    return DT_NONE;
}

int32_t dtype_to_onnx(dtype t) {
    return ROWS[t].onnx;
}

int dtype_bits(dtype t) {
    return ROWS[t].bits;
}

bool dtype_is_float(dtype t) {
    return ROWS[t].kind == CLASS_F;
}

bool dtype_is_int(dtype t) {
    return ROWS[t].kind == CLASS_S || ROWS[t].kind == CLASS_U;
}

bool dtype_is_signed(dtype t) {
    return ROWS[t].kind == CLASS_S;
}

/* Bytes of n elements, the last byte of sub-byte types perhaps in part. */
size_t dtype_bytes(dtype t, size_t n) {
    size_t bits = (size_t)ROWS[t].bits;
    if (bits >= 8)
        return n * (bits / 8);
    size_t per_byte = bits == 0 ? 1 : 8 / bits;
    return bits == 0 ? 0 : n / per_byte + (n % per_byte != 0);
}

/* See dtype.h. */
dtype dtype_storage(dtype t) {
    if (ROWS[t].bits >= 8 && t != DT_F8E8M0)
        return t;
    return ROWS[t].kind == CLASS_S ? DT_I8 : DT_U8;
}

/* Smallest value of an integer type; 0 for bool. */
int64_t dtype_min(dtype t) {
    return ROWS[t].kind == CLASS_S ? INT64_MIN >> (64 - ROWS[t].bits) : 0;
}

/* Largest value of an integer type; 1 for bool. */
uint64_t dtype_max(dtype t) {
    if (ROWS[t].kind == CLASS_B)
        return 1;
    return UINT64_MAX >> (64 - ROWS[t].bits + (ROWS[t].kind == CLASS_S));
}

static uint64_t bits_of_double(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float float_of_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double power_of_two(int exponent) {
    return double_of_bits((uint64_t)(exponent + 1023) << DOUBLE_MAN_BITS);
}

/* The code nearest to x, ties to even; one rounding. */
static inline uint16_t narrow_make(const narrow_format *f, double x, bool saturate) {
    uint64_t bits = bits_of_double(x);
    uint16_t sign = bits >> 63 ? f->sign : 0;
    int exponent = (int)(bits >> DOUBLE_MAN_BITS & 0x7ff) - 1023;
    uint64_t fraction = bits & ((UINT64_C(1) << DOUBLE_MAN_BITS) - 1);
    if (exponent == 1024 && fraction != 0)
        return f->signed_nan ? (uint16_t)(f->nan | sign) : f->nan;

    /* The mantissa with its leading one, in units of the last place of the result; subnormals share the smallest
     * exponent. Adding it to the exponent field lets a carry, and the leading one itself, raise the exponent.
     * A double's own subnormals are below every format's half step, so the leading one they lack does not matter. */
    int place = exponent < f->min_exp ? f->min_exp : exponent;
    int shift = DOUBLE_MAN_BITS - f->man_bits + (place - exponent);
    shift = shift > DOUBLE_MAN_BITS + 2 ? DOUBLE_MAN_BITS + 2 : shift;
    uint64_t mantissa = fraction | UINT64_C(1) << DOUBLE_MAN_BITS;
    uint64_t kept = mantissa >> shift;
    uint64_t lost = mantissa & ((UINT64_C(1) << shift) - 1), half = UINT64_C(1) << (shift - 1);
    kept += lost > half || (lost == half && (kept & 1));
    uint64_t code = ((uint64_t)(place - f->min_exp) << f->man_bits) + kept;
    if (code > f->max)
        code = saturate ? f->max : f->inf;
    if (code == 0 && f->unsigned_zero)
        return 0;
    return (uint16_t)(code | sign);
}

static inline double narrow_get(const narrow_format *f, uint16_t code) {
    int magnitude = code & (f->sign - 1);
    if (magnitude > f->max)
        return magnitude == f->inf && f->inf != f->nan ? (code & f->sign ? -INFINITY : INFINITY) : (double)NAN;
    if (f->unsigned_zero && code == f->nan)
        return (double)NAN;
    int field = magnitude >> f->man_bits, one = 1 << f->man_bits;
    int mantissa = (magnitude & (one - 1)) + (field > 0 ? one : 0);
    double x = mantissa * power_of_two(f->min_exp - f->man_bits + (field > 0 ? field - 1 : 0));
    return code & f->sign ? -x : x;
}

/* The exact value of an IEEE half. */
float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, field = h >> 10 & 31, fraction = h & 0x3ff;
    if (field == 31)
        return float_of_bits(sign | 0x7f800000 | fraction << 13);
    if (field > 0)
        return float_of_bits(sign | (field + 112) << 23 | fraction << 13);
    float x = (float)fraction * 0x1p-24f;
    return sign ? -x : x;
}

/* The nearest half; infinity on overflow. NaNs become one quiet NaN of the same sign. */
uint16_t half_from_float(float f) {
    return narrow_make(&HALF, (double)f, false);
}

/* The nearest half, with one rounding only. */
uint16_t half_from_double(double f) {
    return narrow_make(&HALF, f, false);
}

/* The exact value of a bfloat16. */
float bfloat_to_float(uint16_t h) {
    return float_of_bits((uint32_t)h << 16);
}

/* The nearest bfloat16; infinity on overflow. NaNs become one quiet NaN of the same sign. */
uint16_t bfloat_from_float(float f) {
    return narrow_make(&BFLOAT, (double)f, false);
}

/* The nearest power of two, ties up; there is no zero, no sign, no infinity. Zero counts as out of range. */
static uint8_t e8m0_make(double x, bool saturate) {
    if (!(x >= 0))
        return E8M0_NAN;
    if (x < power_of_two(-E8M0_BIAS))
        return saturate ? 0 : E8M0_NAN;
    if (x == (double)INFINITY)
        return saturate ? E8M0_MAX : E8M0_NAN;
    int exponent;
    double fraction = frexp(x, &exponent);
    int code = exponent - 1 + E8M0_BIAS + (fraction >= 0.75);
    if (code > E8M0_MAX)
        return saturate ? E8M0_MAX : E8M0_NAN;
    return (uint8_t)code;
}

static uint8_t small_make(dtype t, double x, bool saturate) {
    if (t == DT_F8E8M0)
        return e8m0_make(x, saturate);
    return (uint8_t)narrow_make(&SMALL[t], x, saturate);
}

/* The exact value of a code of a float8 kind or of f4e2m1. */
double dtype_small_float_get(dtype t, uint8_t bits) {
    if (t == DT_F8E8M0)
        return bits == E8M0_NAN ? (double)NAN : power_of_two(bits - E8M0_BIAS);
    return narrow_get(&SMALL[t], bits);
}

/* The code nearest to f. f4e2m1 has neither infinity nor NaN: both become its largest number. */
uint8_t dtype_small_float_make(dtype t, float f, bool saturate) {
    return small_make(t, (double)f, saturate);
}

static uint64_t load_bits(int bits, const void *data, size_t i) {
    const unsigned char *p = data;
    uint16_t x16;
    uint32_t x32;
    uint64_t x64;
    switch (bits) {
    case 8:
        return p[i];
    case 16:
        memcpy(&x16, p + 2 * i, sizeof x16);
        return x16;
    case 32:
        memcpy(&x32, p + 4 * i, sizeof x32);
        return x32;
    case 64:
        memcpy(&x64, p + 8 * i, sizeof x64);
        return x64;
    default: {
        size_t per_byte = (size_t)(8 / bits);
        return (unsigned)p[i / per_byte] >> (i % per_byte * (size_t)bits) & ((1u << bits) - 1);
    }
    }
}

static void store_bits(int bits, void *data, size_t i, uint64_t x) {
    unsigned char *p = data;
    if (bits >= 8) {
        size_t bytes = (size_t)bits / 8;
        memcpy(p + bytes * i, &x, bytes);
        return;
    }
    size_t per_byte = (size_t)(8 / bits), shift = i % per_byte * (size_t)bits;
    unsigned mask = ((1u << bits) - 1) << shift;
    p[i / per_byte] = (unsigned char)((p[i / per_byte] & ~mask) | ((unsigned)x << shift & mask));
}

static double float_get(dtype t, uint64_t bits) {
    switch (t) {
    case DT_F64:
        return double_of_bits(bits);
    case DT_F32:
        return (double)float_of_bits((uint32_t)bits);
    case DT_F16:
        return (double)half_to_float((uint16_t)bits);
    case DT_BF16:
        return (double)bfloat_to_float((uint16_t)bits);
    default:
        return dtype_small_float_get(t, (uint8_t)bits);
    }
}

static uint64_t float_make(dtype t, double x) {
    float single;
    uint32_t bits;
    switch (t) {
    case DT_F64:
        return bits_of_double(x);
    case DT_F32:
        single = (float)x;
        memcpy(&bits, &single, sizeof bits);
        return bits;
    case DT_F16:
        return narrow_make(&HALF, x, false);
    case DT_BF16:
        return narrow_make(&BFLOAT, x, false);
    default:
        return small_make(t, x, true);
    }
}

static int64_t extend_sign(dtype t, uint64_t bits) {
    if (ROWS[t].kind != CLASS_S)
        return (int64_t)bits;
    int unused = 64 - ROWS[t].bits;
    return (int64_t)(bits << unused) >> unused;
}

/* Element i of packed data as a double. */
double dtype_get_double(dtype t, const void *data, size_t i) {
    uint64_t bits = load_bits(ROWS[t].bits, data, i);
    if (ROWS[t].kind == CLASS_F)
        return float_get(t, bits);
    if (t == DT_U64)
        return (double)bits;
    return (double)dtype_get_int(t, data, i);
}

/* Element i as an integer: floats truncated and clamped, NaN 0; u64 wraps; bool 0 or 1. */
int64_t dtype_get_int(dtype t, const void *data, size_t i) {
    uint64_t bits = load_bits(ROWS[t].bits, data, i);
    if (ROWS[t].kind == CLASS_B)
        return bits != 0;
    if (ROWS[t].kind != CLASS_F)
        return extend_sign(t, bits);
    double x = float_get(t, bits);
    if (x != x)
        return 0;
    if (x >= 0x1p63)
        return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

/* x rounded half to even, modulo 2^64; 0 for NaN and infinities. */
static uint64_t wrap_double(double x) {
    if (!isfinite(x))
        return 0;
    double whole = rint(x);
    if (fabs(whole) < 0x1p63)
        return (uint64_t)(int64_t)whole;
    uint64_t magnitude = (uint64_t)fmod(fabs(whole), 0x1p64);
    return whole < 0 ? 0 - magnitude : magnitude;
}

/* Stores x as element i: integers round half to even and wrap, bool is x != 0, float8 clamps, f16 and bf16 overflow
 * to infinity. */
void dtype_set_double(dtype t, void *data, size_t i, double x) {
    uint64_t bits;
    if (ROWS[t].kind == CLASS_F)
        bits = float_make(t, x);
    else if (ROWS[t].kind == CLASS_B)
        bits = x != 0;
    else
        bits = wrap_double(x);
    store_bits(ROWS[t].bits, data, i, bits);
}

/* An integer as a double that rounds on to any narrower float as the integer itself would: where the double is too
 * short, the bits it cannot hold leave a one behind. */
static double sticky_double(int64_t x) {
    uint64_t magnitude = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    if (magnitude >> 53 != 0) {
        uint64_t lost = magnitude & 0x7ff;
        magnitude = (magnitude & ~UINT64_C(0x7ff)) | (lost != 0 ? 0x800 : 0);
    }
    return x < 0 ? -(double)magnitude : (double)magnitude;
}

/* Stores x as element i: integers wrap, bool is x != 0, floats as dtype_set_double. */
void dtype_set_int(dtype t, void *data, size_t i, int64_t x) {
    if (ROWS[t].kind == CLASS_F) {
        double exact = t == DT_F64 ? (double)x : sticky_double(x);
        dtype_set_double(t, data, i, exact);
        return;
    }
    store_bits(ROWS[t].bits, data, i, ROWS[t].kind == CLASS_B ? x != 0 : (uint64_t)x);
}
