/* Element types in C: scalars, storage, vectors, literals, and how values are cut into registers. */
#include <math.h>
#include <string.h>

#include "codegen/c99/c99.h"

static const char *const int_types[2][4] = {
    {"uint8_t", "uint16_t", "uint32_t", "uint64_t"},
    {"int8_t", "int16_t", "int32_t", "int64_t"},
};

static int log_of(int n) {
    int l = 0;
    while (n > 1) {
        n /= 2;
        l++;
    }
    return l;
}

dtype c99_int_type(int bits, bool is_signed) {
    static const dtype types[2][4] = {{DT_U8, DT_U16, DT_U32, DT_U64}, {DT_I8, DT_I16, DT_I32, DT_I64}};
    return types[is_signed][log_of(bits / 8)];
}

dtype c99_stored(dtype t) {
    if (dtype_bits(t) < 8)
        return DT_U8; /* packed */
    if (t == DT_F32 || t == DT_F64 || dtype_is_int(t))
        return t;
    return c99_int_type(dtype_bits(t), false);
}

const char *c99_storage_type(dtype t) {
    t = c99_stored(t);
    if (t == DT_F32)
        return "float";
    if (t == DT_F64)
        return "double";
    return int_types[dtype_is_signed(t)][log_of(dtype_bits(t) / 8)];
}

const char *c99_scalar_type(dtype t) {
    return t == DT_BOOL ? "bool" : c99_storage_type(t);
}

const char *c99_vector(c99 *c, dtype t, int count) {
    t = c99_stored(t);
    c->vectors[t][log_of(count)] = true;
    return c99_keep(c, arena_printf(c->scratch, "%sx%d", dtype_name(t), count));
}

const char *c99_memory_vector(c99 *c, dtype t, int count) {
    t = c99_stored(t);
    c->memory_vectors[t][log_of(count)] = true;
    return c99_keep(c, arena_printf(c->scratch, "%sx%d_u", dtype_name(t), count));
}

void c99_vector_typedefs(c99 *c, strbuf *out) {
    for (dtype t = 1; t < DT_COUNT; t++) {
        int bytes = dtype_bits(t) / 8;
        for (int l = 0; l < VECTOR_LOGS; l++) {
            const char *type = dtype_name(t);
            int count = 1 << l;
            if (c->vectors[t][l])
                strbuf_printf(out, "typedef %s %sx%d __attribute__((vector_size(%d)));\n", c99_storage_type(t), type,
                              count, count * bytes);
            if (c->memory_vectors[t][l])
                strbuf_printf(out, "typedef %s %sx%d_u __attribute__((vector_size(%d), aligned(%d), may_alias));\n",
                              c99_storage_type(t), type, count, count * bytes, bytes);
        }
    }
}

int c99_cut(const target *t, int bits, int lanes, int *sizes) {
    int n = 0;
    int width = t->vector_bytes == 0 ? 1 : t->vector_bytes * 8 / bits;
    while (lanes > 0) {
        while (width > lanes)
            width /= 2;
        int vector_bits = width * bits;
        /* Half a register is worth a vector only for bytes and halves on their way to wider lanes. */
        if (vector_bits < 128 && !(vector_bits == 64 && bits <= 16))
            width = 1;
        sizes[n++] = width;
        lanes -= width;
    }
    return n;
}

value c99_value(c99 *c, dtype elem, int bits, int lanes) {
    int sizes[MAX_LANES];
    value v = {elem, lanes, bits, c99_cut(c->target, bits, lanes, sizes), NULL};
    v.at = ARENA_NEW_N(c->scratch, part, v.n);
    if (v.at == NULL) {
        c->failed = true;
        v.n = 0;
        return v;
    }
    int first = 0;
    for (int i = 0; i < v.n; i++) {
        v.at[i] = (part){first, sizes[i], {"0", LEVEL_NAME, 0}};
        first += sizes[i];
    }
    return v;
}

code c99_int(c99 *c, dtype t, int64_t x) {
    if (t == DT_BOOL)
        return (code){x != 0 ? "true" : "false", LEVEL_NAME, 1};
    if (t == DT_U64 || t == DT_U32) {
        bool big = (uint64_t)x > UINT32_MAX;
        return c99_code(c, LEVEL_NAME, 1, big ? "UINT64_C(%llu)" : "%lluu", (unsigned long long)x);
    }
    if (x == INT64_MIN || x == INT32_MIN)
        return (code){x == INT32_MIN ? "INT32_MIN" : "INT64_MIN", LEVEL_NAME, 1};
    bool big = x > INT32_MAX || x < INT32_MIN;
    return c99_code(c, x < 0 ? LEVEL_ADD : LEVEL_NAME, 1, big ? "%sINT64_C(%lld)" : "%s%lld", x < 0 ? "-" : "",
                    (long long)(x < 0 ? -x : x));
}

uint64_t c99_float_bits(dtype t, double x) {
    uint64_t bits = 0;
    dtype_set_double(t, &bits, 0, x);
    return bits;
}

code c99_float(c99 *c, dtype t, double x) {
    if (t != DT_F32 && t != DT_F64)
        return c99_code(c, LEVEL_NAME, 1, dtype_bits(t) == 8 ? "0x%02llx" : "0x%04llx",
                        (unsigned long long)c99_float_bits(t, x));
    if (!isfinite(x)) {
        const char *helper = c99_helper_name(c, HELPER_BITCAST, t, t == DT_F32 ? DT_U32 : DT_U64);
        return c99_code(c, LEVEL_NAME, 1, t == DT_F32 ? "%s(0x%08llxu)" : "%s(UINT64_C(0x%016llx))", helper,
                        (unsigned long long)c99_float_bits(t, x));
    }
    strbuf s = strbuf_in(c->scratch);
    if (t == DT_F32)
        strbuf_float(&s, (float)x);
    else
        strbuf_double(&s, x);
    const char *text = "";
    if (strbuf_finish(&s, &text) != STATUS_OK)
        c->failed = true;
    bool has_point = strpbrk(text, ".e") != NULL;
    return c99_code(c, signbit(x) ? LEVEL_ADD : LEVEL_NAME, 1, "%s%s%s", text, has_point ? "" : ".0",
                    t == DT_F32 ? "f" : "");
}
