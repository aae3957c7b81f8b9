/* The interpreter's instructions for x86-64 with AVX2 and FMA, chosen at run time. */
#include "loop/interp.h"

#if defined(__x86_64__)

#if defined(__clang__)
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#include "loop/interp_ops.h"

const interp_ops interp_ops_avx2 = INTERP_TABLE;

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
