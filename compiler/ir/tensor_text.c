/* Contents of tensors as text, exact to the bit. */
#include <math.h>
#include <string.h>

#include "ir/graph_text.h"

enum { INLINE_MAX = 64 };

static uint64_t element_bits(dtype elem, const void *data, size_t i) {
    size_t bytes = dtype_bytes(elem, 1);
    uint64_t bits = 0;
    for (size_t b = 0; b < bytes; b++)
        bits |= (uint64_t)((const uint8_t *)data)[i * bytes + b] << (8 * b);
    return bits;
}

static void set_element_bits(dtype elem, void *data, size_t i, uint64_t bits) {
    size_t bytes = dtype_bytes(elem, 1);
    for (size_t b = 0; b < bytes; b++)
        ((uint8_t *)data)[i * bytes + b] = (uint8_t)(bits >> (8 * b));
}

/* As dtype_set_double, but an infinity stays one where the type has it. */
static void set_float(dtype elem, void *data, size_t i, double x) {
    if (dtype_bits(elem) == 8)
        set_element_bits(elem, data, i, dtype_small_float_make(elem, (float)x, false));
    else
        dtype_set_double(elem, data, i, x);
}

/* "nan", with the bits where they are not those that NaN converts to. */
static void print_nan(dtype elem, const void *data, size_t i, strbuf *out) {
    uint64_t usual = 0, bits = element_bits(elem, data, i);
    set_float(elem, &usual, 0, (double)NAN);
    strbuf_add(out, "nan");
    if (bits != element_bits(elem, &usual, 0))
        strbuf_printf(out, ":%llx", (unsigned long long)bits);
}

/* Element i, so that it reads back as the same bits. */
void element_print(dtype elem, const void *data, size_t i, strbuf *out) {
    if (elem == DT_U64) {
        strbuf_printf(out, "%llu", (unsigned long long)dtype_get_int(elem, data, i));
        return;
    }
    if (!dtype_is_float(elem)) {
        strbuf_printf(out, "%lld", (long long)dtype_get_int(elem, data, i));
        return;
    }
    double x = dtype_get_double(elem, data, i);
    if (isnan(x))
        print_nan(elem, data, i, out);
    else if (elem == DT_F64)
        strbuf_double(out, x);
    else
        strbuf_float(out, (float)x);
}

static bool scan_integer(scan *s, dtype elem, void *data, size_t i) {
    int64_t x;
    uint64_t natural;
    if (elem == DT_U64) {
        if (!scan_natural(s, &natural))
            return false;
        set_element_bits(elem, data, i, natural);
        return true;
    }
    int64_t low = elem == DT_BOOL ? 0 : dtype_min(elem), high = elem == DT_BOOL ? 1 : (int64_t)dtype_max(elem);
    if (!scan_int(s, &x) || x < low || x > high)
        return false;
    dtype_set_int(elem, data, i, x);
    return true;
}

/* Reads what element_print wrote into element i. */
bool element_scan(scan *s, dtype elem, void *data, size_t i) {
    if (!dtype_is_float(elem))
        return scan_integer(s, elem, data, i);
    double x;
    uint64_t bits;
    if (!scan_float(s, elem != DT_F64, &x))
        return false;
    bool other_nan = isnan(x) && s->at < s->end && *s->at == ':';
    if (!other_nan) {
        set_float(elem, data, i, x);
        return true;
    }
    s->at++;
    if (!scan_hex(s, &bits) || dtype_bits(elem) < 8)
        return false;
    set_element_bits(elem, data, i, bits);
    return isnan(dtype_get_double(elem, data, i));
}

static void print_name(const tensor *t, const graph_naming *by, strbuf *out) {
    char name[65];
    if (by == NULL)
        tensor_sha256(t, name);
    else if (by->name(by->ctx, t, name) != STATUS_OK)
        out->failed = true;
    if (!out->failed)
        strbuf_printf(out, "sha256:%s bytes %zu", name, t->bytes);
}

/* "[1, 2]", or the hash where there are many elements. */
void tensor_print_data(const tensor *t, const graph_naming *by, strbuf *out) {
    if (t->count > INLINE_MAX) {
        print_name(t, by, out);
        return;
    }
    strbuf_char(out, '[');
    for (int64_t i = 0; i < t->count; i++) {
        strbuf_add(out, i > 0 ? ", " : "");
        element_print(t->elem, t->data, (size_t)i, out);
    }
    strbuf_char(out, ']');
}

static status scan_elements(scan *s, tensor *t, const char **out_why) {
    /* The tensor was made for this reader, so its data is still writable. */
    void *data = (void *)(uintptr_t)t->data;
    for (int64_t i = 0; i < t->count; i++) {
        *out_why = "expected one more element";
        if (i > 0 && !scan_take(s, ","))
            return STATUS_INVALID;
        *out_why = "expected an element of the tensor's type";
        if (!element_scan(s, t->elem, data, (size_t)i))
            return STATUS_INVALID;
    }
    *out_why = "expected ']' after the last element";
    return scan_take(s, "]") ? STATUS_OK : STATUS_INVALID;
}

static bool scan_sha(scan *s, char sha[65], uint64_t *out_bytes) {
    for (int i = 0; i < 64; i++, s->at++) {
        if (s->at == s->end || strchr("0123456789abcdef", *s->at) == NULL || *s->at == '\0')
            return false;
        sha[i] = *s->at;
    }
    sha[64] = '\0';
    return scan_take(s, "bytes") && scan_natural(s, out_bytes);
}

static status scan_hashed(scan *s, arena *a, dtype elem, int rank, const int64_t *dims, size_t bytes,
                          graph_resolver resolve, void *ctx, tensor **out, const char **out_why) {
    char sha[65];
    uint64_t said;
    *out_why = "expected 64 hexadecimal digits and the number of bytes";
    if (!scan_sha(s, sha, &said))
        return STATUS_INVALID;
    *out_why = "the number of bytes is not that of the type";
    if (said != bytes)
        return STATUS_INVALID;
    const void *data = resolve == NULL ? NULL : resolve(ctx, sha, bytes);
    *out_why = "the contents of this constant are not at hand";
    if (data == NULL)
        return STATUS_INVALID;
    *out = tensor_new(a, elem, rank, dims, data);
    TRY_ALLOC(*out);
    return STATUS_OK;
}

/* Reads contents; the type's dimensions must be known. */
status tensor_scan_data(scan *s, arena *a, const tensor_type *type, graph_resolver resolve, void *ctx, tensor **out,
                        const char **out_why) {
    int64_t dims[TENSOR_MAX_RANK], count = type_count(type);
    *out_why = "a constant's type must have known dimensions";
    if (type->elem == DT_NONE || count < 0 || count > (INT64_C(1) << 48) || !type_shape(type, dims))
        return STATUS_INVALID;
    if (scan_take(s, "sha256:"))
        return scan_hashed(s, a, type->elem, type->rank, dims, dtype_bytes(type->elem, (size_t)count), resolve, ctx,
                           out, out_why);
    *out_why = "expected '[' or 'sha256:'";
    if (!scan_take(s, "["))
        return STATUS_INVALID;
    *out_why = "expected one more element";
    if (count > s->end - s->at)
        return STATUS_INVALID;
    *out = tensor_new(a, type->elem, type->rank, dims, NULL);
    TRY_ALLOC(*out);
    return scan_elements(s, *out, out_why);
}
