/* Arrays as a model's inputs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/data.h"

static status misfit(const array_want *w, const char *what, diag *d) {
    return diag_error(d, STATUS_INVALID, "value-range", DIAG_NOWHERE, "input '%s' is %s and cannot hold the value %s",
                      w->name, dtype_name(w->elem), what);
}

static bool fits(const array_want *w, int64_t value, bool big) {
    if (w->elem == DT_BOOL)
        return value == 0 || value == 1;
    if (!dtype_is_int(w->elem))
        return true;
    return value < 0 && !big ? value >= dtype_min(w->elem) : (uint64_t)value <= dtype_max(w->elem);
}

void array_prepare(const array *x, array_want *want) {
    want->real = false;
    for (int64_t i = 0; want->quantised && !want->real && dtype_is_int(x->elem) && i < x->count; i++) {
        int64_t value = dtype_get_int(x->elem, x->data, (size_t)i);
        want->real = !fits(want, value, x->elem == DT_U64 && value < 0);
    }
}

static status convert_int(const array *x, int64_t i, const array_want *w, void *out, int64_t k, diag *d) {
    int64_t value = dtype_get_int(x->elem, x->data, (size_t)i);
    char text[32];
    bool big = x->elem == DT_U64 && value < 0;
    if (!fits(w, value, big)) {
        snprintf(text, sizeof text, big ? "%llu" : "%lld", (unsigned long long)value);
        return misfit(w, text, d);
    }
    if (dtype_is_float(w->elem))
        dtype_set_double(w->elem, out, (size_t)k, big ? (double)(uint64_t)value : (double)value);
    else
        dtype_set_int(w->elem, out, (size_t)k, value);
    return STATUS_OK;
}

static void quantise(double x, const array_want *w, void *out, int64_t k) {
    double q = rint(x / w->quantum) + (double)w->zero_point;
    double low = (double)dtype_min(w->elem), high = (double)dtype_max(w->elem);
    dtype_set_int(w->elem, out, (size_t)k, (int64_t)(q < low ? low : q > high ? high : q == q ? q : 0));
}

static status convert_one(const array *x, int64_t i, const array_want *w, void *out, int64_t k, diag *d) {
    if (!dtype_is_float(x->elem) && !w->real && w->scale == 1)
        return convert_int(x, i, w, out, k, d);
    double value = dtype_get_double(x->elem, x->data, (size_t)i) * w->scale;
    if (dtype_is_float(w->elem))
        dtype_set_double(w->elem, out, (size_t)k, value);
    else if (w->quantised)
        quantise(value, w, out, k);
    else
        return diag_error(d, STATUS_INVALID, "wrong-type", DIAG_NOWHERE,
                          "input '%s' is %s; its data are real numbers (%s%s)", w->name, dtype_name(w->elem),
                          dtype_name(x->elem), w->scale == 1 ? "" : ", scaled");
    return STATUS_OK;
}

static status convert_range(const array *x, int64_t first, int64_t count, const array_want *w, void *out, diag *d) {
    if (x->elem == w->elem && w->scale == 1 && dtype_bits(x->elem) >= 8) {
        size_t each = dtype_bytes(x->elem, 1);
        memcpy(out, (const char *)x->data + (size_t)first * each, (size_t)count * each);
        return STATUS_OK;
    }
    for (int64_t k = 0; k < count; k++)
        TRY(convert_one(x, first + k, w, out, k, d));
    return STATUS_OK;
}

status array_sample(const array *x, int64_t i, const array_want *want, int64_t count, void *out, diag *d) {
    int64_t samples = x->rank > 0 ? x->dims[0] : 1, each = samples > 0 ? x->count / samples : 0;
    if (i >= samples || each != count)
        return diag_error(d, STATUS_INVALID, "wrong-shape", DIAG_NOWHERE,
                          "input '%s' takes %lld elements a sample; its data have %lld", want->name, (long long)count,
                          (long long)each);
    return convert_range(x, i * each, each, want, out, d);
}

status array_convert(const array *x, const array_want *want, void *out, diag *d) {
    return convert_range(x, 0, x->count, want, out, d);
}
