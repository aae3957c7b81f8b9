/* NumPy's .npy format (NEP 1): a magic, a header that is a Python dictionary, and the elements. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "data/data.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6

typedef struct npy_type {
    const char *code; /* after the byte order: 'f4' */
    dtype elem;
} npy_type;

static const npy_type types[] = {{"f4", DT_F32}, {"f8", DT_F64}, {"f2", DT_F16}, {"i1", DT_I8},
                                 {"i2", DT_I16}, {"i4", DT_I32}, {"i8", DT_I64}, {"u1", DT_U8},
                                 {"u2", DT_U16}, {"u4", DT_U32}, {"u8", DT_U64}, {"b1", DT_BOOL}};
#define N_TYPES (sizeof types / sizeof *types)

static diag_place at_file(const char *name) {
    return (diag_place){name, NULL, -1, NULL, NULL};
}

/* ---- the header's dictionary ---- */

typedef struct header {
    char descr[16];
    bool fortran;
    int rank;
    int64_t dims[DATA_MAX_RANK];
} header;

/* The text after `'key':`, or NULL. */
static const char *find_key(const char *text, const char *key) {
    const char *p = strstr(text, key);
    if (p == NULL || p == text || (p[-1] != '\'' && p[-1] != '"'))
        return NULL;
    p += strlen(key) + 1;
    while (*p == ' ')
        p++;
    if (*p++ != ':')
        return NULL;
    while (*p == ' ')
        p++;
    return p;
}

static bool parse_descr(const char *p, header *h) {
    size_t n = 0;
    char quote = *p++;
    if (quote != '\'' && quote != '"')
        return false;
    while (p[n] != '\0' && p[n] != quote)
        n++;
    if (p[n] == '\0' || n >= sizeof h->descr)
        return false;
    memcpy(h->descr, p, n);
    h->descr[n] = '\0';
    return true;
}

static bool parse_shape(const char *p, header *h) {
    if (*p++ != '(')
        return false;
    for (h->rank = 0;; h->rank++) {
        while (*p == ' ' || *p == ',')
            p++;
        if (*p == ')')
            return true;
        if (!isdigit((unsigned char)*p) || h->rank == DATA_MAX_RANK)
            return false;
        int64_t x = 0;
        for (; isdigit((unsigned char)*p); p++)
            if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, *p - '0', &x))
                return false;
        h->dims[h->rank] = x;
    }
}

static bool parse_header(const char *text, header *h) {
    const char *descr = find_key(text, "descr"), *order = find_key(text, "fortran_order"),
               *shape = find_key(text, "shape");
    if (descr == NULL || order == NULL || shape == NULL)
        return false;
    h->fortran = strncmp(order, "True", 4) == 0;
    return (h->fortran || strncmp(order, "False", 5) == 0) && parse_descr(descr, h) && parse_shape(shape, h);
}

static status find_type(const header *h, const char *name, diag *d, dtype *out) {
    const char *code = h->descr;
    if (*code == '<' || *code == '=' || *code == '|')
        code++;
    for (size_t i = 0; i < N_TYPES; i++)
        if (strcmp(types[i].code, code) == 0) {
            *out = types[i].elem;
            return STATUS_OK;
        }
    if (*code == '>')
        return diag_error(d, STATUS_INVALID, "npy", at_file(name),
                          "big-endian elements ('%s'); save it with x.astype(x.dtype.newbyteorder('<'))", h->descr);
    return diag_error(d, STATUS_INVALID, "npy", at_file(name), "elements of type '%s' are not numbers that tenon reads",
                      h->descr);
}

/* ---- elements ---- */

/* Column-major to row-major. */
static void reorder(const array *x, const char *from, size_t each) {
    int64_t index[DATA_MAX_RANK] = {0}, stride[DATA_MAX_RANK], s = 1;
    char *to = x->data;
    for (int k = 0; k < x->rank; k++) {
        stride[k] = s;
        s *= x->dims[k];
    }
    for (int64_t i = 0; i < x->count; i++) {
        int64_t at = 0;
        for (int k = 0; k < x->rank; k++)
            at += index[k] * stride[k];
        memcpy(to + (size_t)i * each, from + (size_t)at * each, each);
        for (int k = x->rank - 1; k >= 0 && ++index[k] == x->dims[k]; k--)
            index[k] = 0;
    }
}

static status fill(const header *h, const char *body, size_t left, const char *name, arena *a, diag *d, array *out) {
    TRY(find_type(h, name, d, &out->elem));
    size_t each = dtype_bytes(out->elem, 1);
    out->rank = h->rank;
    out->count = 1;
    for (int k = 0; k < h->rank; k++) {
        out->dims[k] = h->dims[k];
        if (__builtin_mul_overflow(out->count, h->dims[k], &out->count))
            return diag_error(d, STATUS_INVALID, "npy", at_file(name), "its shape overflows");
    }
    size_t want;
    if (__builtin_mul_overflow((size_t)out->count, each, &want) || want > left)
        return diag_error(d, STATUS_INVALID, "npy", at_file(name),
                          "truncated: its shape needs %lld elements of %zu bytes, the file has %zu bytes of them",
                          (long long)out->count, each, left);
    out->data = arena_alloc(a, want + 1);
    TRY_ALLOC(out->data);
    if (h->fortran && h->rank > 1)
        reorder(out, body, each);
    else
        memcpy(out->data, body, want);
    return STATUS_OK;
}

status npy_parse(const void *bytes, size_t n, const char *name, arena *a, diag *d, array *out) {
    const unsigned char *p = bytes;
    *out = (array){0};
    if (n < MAGIC_BYTES + 4 || memcmp(p, MAGIC, MAGIC_BYTES) != 0 || p[6] < 1 || p[6] > 3)
        return diag_error(d, STATUS_INVALID, "npy", at_file(name), "not a .npy file of version 1 to 3");
    size_t start = p[6] == 1 ? 10 : 12;
    size_t length = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1 && n >= 12)
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (n < start || length > n - start)
        return diag_error(d, STATUS_INVALID, "npy", at_file(name), "truncated in its header");
    char *text = arena_strndup(a, (const char *)p + start, length);
    TRY_ALLOC(text);
    header h = {0};
    if (!parse_header(text, &h))
        return diag_error(d, STATUS_INVALID, "npy", at_file(name),
                          "its header cannot be read, or it has more than %d dimensions", DATA_MAX_RANK);
    return fill(&h, (const char *)p + start + length, n - start - length, name, a, d, out);
}

/* ---- files ---- */

static status read_all(FILE *f, const char *path, arena *a, diag *d, void **out, size_t *out_n) {
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size < 0 || fseek(f, 0, SEEK_SET) != 0)
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be read: it is not a plain file");
    *out_n = (size_t)size;
    *out = arena_alloc(a, (size_t)size + 1);
    TRY_ALLOC(*out);
    if (fread(*out, 1, *out_n, f) != *out_n)
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be read");
    return STATUS_OK;
}

status npy_read(const char *path, arena *a, diag *d, array *out) {
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be opened: %m");
    void *bytes = NULL;
    size_t n = 0;
    status s = read_all(f, path, a, d, &bytes, &n);
    fclose(f);
    return s != STATUS_OK ? s : npy_parse(bytes, n, path, a, d, out);
}

static const char *write_code(dtype t) {
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].elem == t)
            return types[i].code;
    return dtype_bits(t) > 8 ? "u2" : "u1";
}

static status header_text(const array *x, arena *a, const char **out, size_t *out_n) {
    strbuf s = strbuf_in(a);
    const char *code = write_code(x->elem);
    strbuf_printf(&s, "{'descr': '%s%s', 'fortran_order': False, 'shape': (", code[1] == '1' ? "|" : "<", code);
    for (int k = 0; k < x->rank; k++)
        strbuf_printf(&s, "%lld,%s", (long long)x->dims[k], k + 1 < x->rank ? " " : "");
    strbuf_add(&s, "), }");
    while ((s.n + 11) % 64 != 0)
        strbuf_char(&s, ' ');
    strbuf_char(&s, '\n');
    *out_n = s.n;
    return strbuf_finish(&s, out);
}

/* Sub-byte elements are written one a byte. */
static status spread(const array *x, arena *a, const void **out, size_t *out_n) {
    *out = x->data;
    *out_n = dtype_bytes(x->elem, (size_t)x->count);
    if (dtype_bits(x->elem) >= 8)
        return STATUS_OK;
    unsigned char *bytes = arena_alloc(a, (size_t)x->count + 1);
    TRY_ALLOC(bytes);
    int bits = dtype_bits(x->elem), mask = (1 << bits) - 1;
    for (int64_t i = 0; i < x->count; i++)
        bytes[i] = (unsigned char)((((const unsigned char *)x->data)[i * bits / 8] >> (i * bits % 8)) & mask);
    *out = bytes;
    *out_n = (size_t)x->count;
    return STATUS_OK;
}

status npy_write(const char *path, const array *x, arena *scratch, diag *d) {
    const char *text = NULL;
    const void *body = NULL;
    size_t length = 0, n = 0;
    TRY(header_text(x, scratch, &text, &length));
    TRY(spread(x, scratch, &body, &n));
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be written: %m");
    unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
    bool good = fwrite(start, 1, 10, f) == 10 && fwrite(text, 1, length, f) == length && fwrite(body, 1, n, f) == n;
    good &= fclose(f) == 0;
    return good ? STATUS_OK : diag_error(d, STATUS_RESOURCE, "file", at_file(path), "cannot be written: %m");
}
