/* Element types and their number conversions. */
#ifndef TENON_BASE_DTYPE_H
#define TENON_BASE_DTYPE_H

#include "base/memory.h"

typedef enum dtype {
    DT_NONE = 0,
#define DTYPE(name, text, onnx, bits, class) DT_##name,
#include "base/dtype.def"
#undef DTYPE
    DT_COUNT
} dtype;

const char *dtype_name(dtype t);       /* "f32"; "?" for DT_NONE */
dtype dtype_parse(const char *name);   /* DT_NONE where unknown */
dtype dtype_from_onnx(int32_t number); /* DT_NONE where unknown (string, complex) */
int32_t dtype_to_onnx(dtype t);
int dtype_bits(dtype t);
bool dtype_is_float(dtype t);  /* any float */
bool dtype_is_int(dtype t);    /* signed or unsigned, not bool */
bool dtype_is_signed(dtype t); /* signed integer */
/* Bytes of n elements, sub-byte types packed; n elements known not to overflow. */
size_t dtype_bytes(dtype t, size_t n);
/* The type in which kernels hold an element: that of its value or, for f4e2m1 and f8e8m0, of its code where the loop IR
 * does not have `t`; else `t`. */
dtype dtype_storage(dtype t);
/* Smallest and largest value of an integer type. */
int64_t dtype_min(dtype t);
uint64_t dtype_max(dtype t);

/* Bit patterns to and from float: exact one way, round half to even the other. For float8 kinds `saturate` clamps
 * out-of-range values to the largest finite one, as ONNX Cast's saturate=1 does. */
float half_to_float(uint16_t h);
uint16_t half_from_float(float f);
uint16_t half_from_double(double f);
float bfloat_to_float(uint16_t h);
uint16_t bfloat_from_float(float f);
double dtype_small_float_get(dtype t, uint8_t bits); /* float8 kinds, f4e2m1 */
uint8_t dtype_small_float_make(dtype t, float f, bool saturate);

/* Element i of packed data as a double / as an int64 (floats truncated); and its storing (rounding, wrapping). */
double dtype_get_double(dtype t, const void *data, size_t i);
int64_t dtype_get_int(dtype t, const void *data, size_t i);
void dtype_set_double(dtype t, void *data, size_t i, double x);
void dtype_set_int(dtype t, void *data, size_t i, int64_t x);

#endif
