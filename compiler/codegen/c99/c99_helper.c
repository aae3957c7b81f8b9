/* Small functions of generated code: which are needed, and their text for the types at hand. */
#include <string.h>

#include "codegen/c99/c99.h"

typedef struct helper_row {
    const char *stem;
    const char *text;
} helper_row;

static const helper_row rows[] = {
#define HELPER(name, text) {#name, text},
#include "codegen/c99/helper.def"
#undef HELPER
};

static size_t slot(c99_helper h, dtype t, dtype from) {
    return ((size_t)h * DT_COUNT + (size_t)t) * DT_COUNT + (size_t)from;
}

/* tn_min_f32, tn_bitcast_f32_to_u32: the row's name in lower case, up to a suffix that names an instruction set. */
static const char *name_of(c99 *c, c99_helper h, dtype t, dtype from) {
    char stem[32];
    size_t n = 0;
    for (const char *s = rows[h].stem; *s != '\0' && n + 1 < sizeof stem; s++)
        stem[n++] = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
    stem[n] = '\0';
    if (from == DT_NONE)
        return c99_keep(c, arena_printf(c->scratch, "tn_%s_%s", stem, dtype_name(t)));
    return c99_keep(c, arena_printf(c->scratch, "tn_%s_%s_to_%s", stem, dtype_name(from), dtype_name(t)));
}

const char *c99_helper_name(c99 *c, c99_helper h, dtype t, dtype from) {
    c->helpers[slot(h, t, from)] = true;
    return name_of(c, h, t, from);
}

static void add_bound(c99 *c, strbuf *out, dtype t, dtype from, bool high) {
    dtype in = dtype_is_int(from) ? from : t;
    strbuf_add(out, c99_int(c, in, high ? (int64_t)dtype_max(t) : dtype_min(t)).s);
}

/* 2^width or -2^(width-1) as a constant of floating type `from`; `high` is one above the largest. */
static void add_float_bound(c99 *c, strbuf *out, dtype t, dtype from, bool high) {
    double half = (double)(UINT64_C(1) << (dtype_bits(t) - 1));
    double x = high ? dtype_is_signed(t) ? half : 2 * half : dtype_is_signed(t) ? -half : 0;
    strbuf_add(out, c99_float(c, from, x).s);
}

static void add_field(c99 *c, strbuf *out, char field, c99_helper h, dtype t, dtype from) {
    int bits = dtype_bits(t);
    switch (field) {
    case 'N':
        strbuf_add(out, name_of(c, h, t, from));
        break;
    case 'T':
        strbuf_add(out, c99_scalar_type(t));
        break;
    case 'F':
        strbuf_add(out, c99_scalar_type(from));
        break;
    case 'U':
    case 'S':
        strbuf_add(out, c99_scalar_type(c99_int_type(bits, field == 'S')));
        break;
    case 'W':
        strbuf_printf(out, "%d", bits);
        break;
    case 'l':
    case 'h':
        add_bound(c, out, t, from, field == 'h');
        break;
    case 'a':
    case 'b':
        add_float_bound(c, out, t, from, field == 'b');
        break;
    case 'x':
        strbuf_add(out, t == DT_F32 ? "ss" : "sd");
        break;
    case 't':
        strbuf_add(out, dtype_name(t));
        break;
    default: /* 'm' */
        strbuf_add(out, t == DT_F32 ? "0x7fffffffu" : "UINT64_C(0x7fffffffffffffff)");
        break;
    }
}

/* Unless all that named it was dropped again. */
static void write_one(c99 *c, strbuf *out, c99_helper h, dtype t, dtype from) {
    const char *name = name_of(c, h, t, from);
    if (!c99_is_used(&c->words, name, strlen(name)))
        return;
    for (const char *s = rows[h].text; *s != '\0'; s++) {
        if (*s == '$')
            add_field(c, out, *++s, h, t, from);
        else
            strbuf_char(out, *s);
    }
    strbuf_char(out, '\n');
}

void c99_helpers_write(c99 *c, strbuf *out) {
    for (c99_helper h = 0; h < HELPER_COUNT; h++)
        for (dtype t = 0; t < DT_COUNT; t++)
            for (dtype from = 0; from < DT_COUNT; from++)
                if (c->helpers[slot(h, t, from)])
                    write_one(c, out, h, t, from);
}
