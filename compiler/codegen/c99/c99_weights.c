/* Constant data as C: numbers where it is short, strings where it is long, or a file of its own. */
#include <math.h>

#include "codegen/c99/c99.h"

/* From here on gcc reads a string much faster than numbers. */
#define STRING_BYTES 65536
/* Long lines: gcc's memory grows with the number of literals. */
#define STRING_LINE 32768

static bool is_string(const program_buffer *b) {
    return dtype_bytes(b->elem, (size_t)b->n) >= STRING_BYTES;
}

/* Numbers that C has no constant for, NaN and infinity, are written by their bits. */
static bool is_bits(const program_buffer *b) {
    if (b->elem != DT_F32 && b->elem != DT_F64)
        return false;
    for (int64_t i = 0; i < b->n; i++)
        if (!isfinite(dtype_get_double(b->elem, b->data, (size_t)i)))
            return true;
    return false;
}

static bool is_union(const program_buffer *b) {
    return is_string(b) || is_bits(b);
}

bool c99_weights_are_symbols(const c99 *c) {
    return c->weights == WEIGHTS_C || c->weights == WEIGHTS_OBJ;
}

static void add_byte(strbuf *out, unsigned char x, unsigned char next) {
    char text[5];
    size_t n = 0;
    if (x >= ' ' && x <= '~' && x != '"' && x != '\\' && x != '?') {
        text[n++] = (char)x;
    } else {
        bool digit_follows = next >= '0' && next <= '7';
        text[n++] = '\\';
        if (x >= 64 || digit_follows)
            text[n++] = (char)('0' + x / 64);
        if (x >= 8 || digit_follows)
            text[n++] = (char)('0' + x / 8 % 8);
        text[n++] = (char)('0' + x % 8);
    }
    strbuf_add_n(out, text, n);
}

static void add_string(strbuf *out, const unsigned char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool last = i + 1 == n || (i + 1) % STRING_LINE == 0;
        if (i % STRING_LINE == 0)
            strbuf_add(out, "    \"");
        add_byte(out, bytes[i], last ? 'x' : bytes[i + 1]);
        if (last)
            strbuf_add(out, "\"\n");
    }
}

static void add_numbers(c99 *c, strbuf *out, const program_buffer *b, dtype as) {
    arena_mark mark = arena_get_mark(c->scratch);
    for (int64_t i = 0; i < b->n && !c->failed; i++) {
        code x = dtype_is_float(as) ? c99_float(c, as, dtype_get_double(as, b->data, (size_t)i))
                                    : c99_int(c, as, dtype_get_int(as, b->data, (size_t)i));
        strbuf_printf(out, "%s%s", i % 8 == 0 ? i == 0 ? "    " : ",\n    " : ", ", x.s);
        arena_reset(c->scratch, mark);
    }
    strbuf_char(out, '\n');
}

/* The type in front of the name, up to it. Two files agree on a union by its tag. */
static void add_type(c99 *c, strbuf *out, int buffer) {
    const program_buffer *b = &c->p->buffers.at[buffer];
    const char *type = c99_storage_type(b->elem), *tag = c99_weights_are_symbols(c) ? c->const_names[buffer] : "";
    unsigned long long n = (unsigned long long)b->n, bytes = dtype_bytes(b->elem, (size_t)b->n);
    if (is_string(b))
        strbuf_printf(out, "const union %s {\n    char bytes[%llu];\n    %s at[%llu];\n} ", tag, bytes + 1, type, n);
    else if (is_bits(b))
        strbuf_printf(out, "const union %s {\n    %s bits[%llu];\n    %s at[%llu];\n} ", tag,
                      c99_storage_type(c99_int_type(dtype_bits(b->elem), false)), n, type, n);
    else
        strbuf_printf(out, "const %s ", type);
}

static void add_name(c99 *c, strbuf *out, int buffer) {
    const program_buffer *b = &c->p->buffers.at[buffer];
    strbuf_add(out, c->const_names[buffer]);
    if (!is_union(b))
        strbuf_printf(out, "[%lld]", (long long)(b->n == 0 ? 1 : b->n));
}

void c99_weight_write(c99 *c, int buffer, bool is_static, strbuf *out) {
    const program_buffer *b = &c->p->buffers.at[buffer];
    strbuf_add(out, "/* ");
    c99_comment(out, b->name);
    strbuf_add(out, " */\n");
    strbuf_add(out, is_static ? "static " : "");
    add_type(c, out, buffer);
    add_name(c, out, buffer);
    strbuf_add(out, " TN_ALIGNED = {\n");
    if (is_string(b)) {
        add_string(out, b->data, dtype_bytes(b->elem, (size_t)b->n));
    } else if (is_bits(b)) {
        strbuf_add(out, "    {\n");
        add_numbers(c, out, b, c99_int_type(dtype_bits(b->elem), false));
        strbuf_add(out, "    }\n");
    } else if (b->n == 0) {
        strbuf_add(out, "    0\n");
    } else {
        add_numbers(c, out, b, c99_stored(b->elem));
    }
    strbuf_add(out, "};\n\n");
}

void c99_weight_declare(c99 *c, int buffer, strbuf *out) {
    strbuf_add(out, "extern ");
    add_type(c, out, buffer);
    add_name(c, out, buffer);
    strbuf_add(out, ";\n");
}

const char *c99_weight_data(c99 *c, int buffer) {
    const program_buffer *b = &c->p->buffers.at[buffer];
    return c99_keep(c, arena_printf(c->scratch, "%s%s", c->const_names[buffer], is_union(b) ? ".at" : ""));
}

bool c99_weights_have_order(const c99 *c) {
    for (size_t i = 0; i < c->p->buffers.n; i++) {
        const program_buffer *b = &c->p->buffers.at[i];
        if (c->const_names[i] != NULL && dtype_bits(b->elem) > 8 && (c->weights == WEIGHTS_BIN || is_string(b)))
            return true;
    }
    return false;
}
