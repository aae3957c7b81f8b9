/* The interpreter's instructions for any machine. */
#include "loop/interp.h"

#include "loop/interp_ops.h"

const interp_ops interp_ops_base = INTERP_TABLE;

/* A double that holds u64 values above INT64_MAX closely enough to round on to a narrower float as they would. */
static double double_of_u64(uint64_t x) {
    return (double)(x >> 11 | ((x & 0x7ff) != 0)) * 0x1p11;
}

static void cast_lane(dtype from, dtype to, const void *a, size_t i, void *out) {
    if (dtype_is_float(to) && from == DT_U64 && ((const uint64_t *)a)[i] > INT64_MAX)
        dtype_set_double(to, out, i, double_of_u64(((const uint64_t *)a)[i]));
    else if (!dtype_is_float(from))
        dtype_set_int(to, out, i, dtype_get_int(from, a, i));
    else
        dtype_set_double(to, out, i, dtype_get_double(from, a, i));
}

/* The integer nearest to zero from x, saturated. Narrow floats are exact in double. */
static void cast_lane_to_int(dtype from, dtype to, const void *a, size_t i, void *out) {
    const double x = dtype_get_double(from, a, i);
    const double lo = (double)dtype_min(to), hi = (double)dtype_max(to);
    if (x != x)
        dtype_set_int(to, out, i, 0);
    else if (x <= lo || x >= hi)
        dtype_set_int(to, out, i, x <= lo ? dtype_min(to) : (int64_t)dtype_max(to));
    else
        dtype_set_int(to, out, i, to == DT_U64 ? (int64_t)(uint64_t)x : (int64_t)x);
}

const op *interp_cast_any(const op *p) {
    const dtype from = (dtype)p->imm, to = (dtype)p->size;
    for (size_t i = 0; i < (size_t)p->n; i++) {
        if (dtype_is_int(to))
            cast_lane_to_int(from, to, p->a, i, p->out);
        else
            cast_lane(from, to, p->a, i, p->out);
    }
    return p + 1;
}
