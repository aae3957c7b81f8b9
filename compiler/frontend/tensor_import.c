/* TensorProto messages to tensors: raw data borrowed, typed data decoded, external data found. */
#include "frontend/tensor_import.h"

#include <string.h>

#include "frontend/wire.h"

enum {
    FIELD_FLOAT = 4,
    FIELD_INT32 = 5,
    FIELD_STRING = 6,
    FIELD_INT64 = 7,
    FIELD_RAW = 9,
    FIELD_DOUBLE = 10,
    FIELD_UINT64 = 11
};
enum { FIELDS = 12, ONNX_STRING = 8, ONNX_COMPLEX64 = 14, ONNX_COMPLEX128 = 15, LOCATION_EXTERNAL = 1 };

/* Where a tensor's elements are in the bytes of its message. */
typedef struct payload {
    bool has_raw;
    const uint8_t *raw;
    size_t raw_n;
    size_t count[FIELDS];     /* entries of each typed field */
    wire_record only[FIELDS]; /* the last record of each */
    int records[FIELDS];
} payload;

/* One import, so that helpers need not carry six arguments. */
typedef struct reading {
    const tensor_source *from;
    const Onnx__TensorProto *proto;
    diag_place where;
    const char *what;
    wire_span span;
    dtype elem;
    size_t bytes; /* that the shape needs */
} reading;

#define BAD_TENSOR(r, ...) diag_error((r)->from->d, STATUS_INVALID, "bad-tensor", (r)->where, __VA_ARGS__)

static int typed_field(dtype t) {
    switch (t) {
    case DT_F32:
        return FIELD_FLOAT;
    case DT_F64:
        return FIELD_DOUBLE;
    case DT_I64:
        return FIELD_INT64;
    case DT_U32:
    case DT_U64:
        return FIELD_UINT64;
    default:
        return FIELD_INT32;
    }
}

static bool is_element_field(uint32_t field) {
    return field == FIELD_FLOAT || field == FIELD_INT32 || field == FIELD_INT64 || field == FIELD_DOUBLE ||
           field == FIELD_UINT64;
}

/* Bytes of one entry of a fixed-width field, 0 for varints. */
static size_t entry_bytes(int field) {
    return field == FIELD_FLOAT ? 4 : field == FIELD_DOUBLE ? 8 : 0;
}

static size_t count_entries(const uint8_t *bytes, const wire_record *r) {
    size_t each = entry_bytes((int)r->field);
    if (r->type != WIRE_BYTES)
        return 1;
    if (each != 0)
        return r->n / each;
    size_t n = 0;
    for (size_t i = r->at; i < r->at + r->n; i++)
        n += bytes[i] < 0x80;
    return n;
}

/* wire_unpack has checked the message: every record is whole. */
static payload find_payload(const uint8_t *bytes, wire_span span) {
    payload p = {0};
    wire_record r;
    wire_fault none;
    for (size_t at = (size_t)span.at, end = at + (size_t)span.n; at < end && wire_next(bytes, &at, end, &r, &none);) {
        if (r.field == FIELD_RAW) {
            p.has_raw = true;
            p.raw = bytes + r.at;
            p.raw_n = r.n;
        } else if (is_element_field(r.field)) {
            p.count[r.field] += count_entries(bytes, &r);
            p.only[r.field] = r;
            p.records[r.field]++;
        }
    }
    return p;
}

/* Bytes of one unit of typed data: an element, or the byte that several narrow ones share. */
static size_t unit_bytes(dtype t) {
    return dtype_bits(t) < 8 ? 1 : (size_t)dtype_bits(t) / 8;
}

/* False where the number does not fit; bit patterns may be given signed or unsigned. */
static bool store_unit(uint8_t *to, size_t unit, uint64_t number) {
    if (unit < 8) {
        int64_t x = (int64_t)number;
        if (x < -(INT64_C(1) << (8 * unit - 1)) || x >= INT64_C(1) << (8 * unit))
            return false;
    }
    memcpy(to, &number, unit);
    return true;
}

/* The entries of one typed field, one after another; to must have room for all. */
static bool decode_typed(const reading *r, int field, uint8_t *to) {
    const uint8_t *bytes = r->from->bytes;
    size_t each = entry_bytes(field), unit = unit_bytes(r->elem);
    wire_record record;
    wire_fault none;
    for (size_t at = (size_t)r->span.at, end = at + (size_t)r->span.n;
         at < end && wire_next(bytes, &at, end, &record, &none);) {
        if (record.field != (uint32_t)field)
            continue;
        if (each != 0) {
            memcpy(to, bytes + record.at, record.n);
            to += record.n;
            continue;
        }
        uint64_t number;
        for (size_t i = record.at; wire_varint(bytes, &i, record.at + record.n, &number); to += unit)
            if (!store_unit(to, unit, number))
                return false;
    }
    return true;
}

static status import_typed(const reading *r, const payload *p, int64_t *dims, tensor **out) {
    int field = typed_field(r->elem);
    size_t unit = unit_bytes(r->elem), units = r->bytes / unit;
    for (int k = 0; k < FIELDS; k++)
        if (k != field && p->count[k] > 0)
            return BAD_TENSOR(r, "%s: its elements are in a field that is not for %s", r->what, dtype_name(r->elem));
    if (p->count[field] != units)
        return BAD_TENSOR(r, "%s: it has %zu elements of data, its shape needs %zu", r->what, p->count[field], units);
    if (entry_bytes(field) != 0 && p->records[field] == 1) {
        TRY_ALLOC(*out = tensor_new(r->from->memory, r->elem, (int)r->proto->n_dims, dims,
                                    r->from->bytes + p->only[field].at));
        return STATUS_OK;
    }
    tensor *t = tensor_new(r->from->memory, r->elem, (int)r->proto->n_dims, dims, NULL);
    TRY_ALLOC(t);
    if (!decode_typed(r, field, (uint8_t *)(uintptr_t)t->data))
        return BAD_TENSOR(r, "%s: an element does not fit %s", r->what, dtype_name(r->elem));
    *out = t;
    return STATUS_OK;
}

/* A decimal number of an external_data entry. */
static bool parse_number(const char *text, uint64_t *out) {
    uint64_t x = 0;
    if (text[0] == '\0')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, (uint64_t)(*text - '0'), &x))
            return false;
    *out = x;
    return *text == '\0';
}

static status import_external(const reading *r, payload *p) {
    const char *location = "";
    uint64_t offset = 0, length = r->bytes;
    diag *d = r->from->d;
    for (size_t i = 0; i < r->proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = r->proto->external_data[i];
        const char *key = e->key == NULL ? "" : e->key, *text = e->value == NULL ? "" : e->value;
        if (strcmp(key, "location") == 0)
            location = text;
        else if ((strcmp(key, "offset") == 0 && !parse_number(text, &offset)) ||
                 (strcmp(key, "length") == 0 && !parse_number(text, &length)))
            return diag_error(d, STATUS_INVALID, "external-data", r->where, "%s: its external data has %s '%s'",
                              r->what, key, text);
    }
    if (location[0] == '\0')
        return diag_error(d, STATUS_INVALID, "external-data", r->where, "%s: its external data has no location",
                          r->what);
    if (r->from->external == NULL)
        return diag_error(d, STATUS_UNSUPPORTED, "external-data", r->where, "%s: its data is in another file", r->what);
    if (length != r->bytes)
        return diag_error(d, STATUS_INVALID, "external-data", r->where,
                          "%s: its external data has %llu bytes, its shape needs %zu", r->what,
                          (unsigned long long)length, r->bytes);
    const mapped_file *file;
    TRY(external_files_find(r->from->external, location, d, r->where, r->what, &file));
    if (offset > file->n || length > file->n - offset)
        return diag_error(d, STATUS_INVALID, "external-data", r->where,
                          "%s: external data file '%s' is too short: %zu bytes, needed are %llu from byte %llu on",
                          r->what, location, file->n, (unsigned long long)length, (unsigned long long)offset);
    *p = (payload){.has_raw = true, .raw = file->bytes + offset, .raw_n = (size_t)length};
    return STATUS_OK;
}

/* Any byte but 0 is true in a file; what reads a bool later counts on 0 and 1. */
static status normalise_bools(const reading *r, const payload *p, int64_t *dims, tensor **out) {
    tensor *t = tensor_new(r->from->memory, DT_BOOL, (int)r->proto->n_dims, dims, NULL);
    TRY_ALLOC(t);
    uint8_t *to = (uint8_t *)(uintptr_t)t->data;
    for (size_t i = 0; i < p->raw_n; i++)
        to[i] = p->raw[i] != 0;
    *out = t;
    return STATUS_OK;
}

static status import_raw(const reading *r, const payload *p, int64_t *dims, tensor **out) {
    for (int k = 0; k < FIELDS; k++)
        if (p->count[k] > 0)
            return BAD_TENSOR(r, "%s: it has both raw and typed data", r->what);
    if (p->raw_n != r->bytes)
        return BAD_TENSOR(r, "%s: it has %zu bytes of data, its shape needs %zu", r->what, p->raw_n, r->bytes);
    if (r->elem == DT_BOOL)
        return normalise_bools(r, p, dims, out);
    TRY_ALLOC(*out = tensor_new(r->from->memory, r->elem, (int)r->proto->n_dims, dims, p->raw_n == 0 ? NULL : p->raw));
    return STATUS_OK;
}

/* Elements of a shape without negative dimensions; false where they are too many. A zero does not excuse the other
 * dimensions. */
static bool count_elements(const int64_t *dims, size_t n, int64_t *out) {
    int64_t volume = 1;
    bool empty = false;
    for (size_t i = 0; i < n; i++) {
        empty |= dims[i] == 0;
        if (dims[i] != 0 && __builtin_mul_overflow(volume, dims[i], &volume))
            return false;
    }
    *out = empty ? 0 : volume;
    return volume <= INT64_MAX / 8;
}

/* Fills r->bytes. */
static status check_shape(reading *r) {
    const Onnx__TensorProto *p = r->proto;
    int64_t count;
    if (p->n_dims > TENSOR_MAX_RANK)
        return diag_error(r->from->d, STATUS_UNSUPPORTED, "unsupported-rank", r->where,
                          "%s: %zu dimensions, at most %d are supported", r->what, p->n_dims, TENSOR_MAX_RANK);
    for (size_t i = 0; i < p->n_dims; i++)
        if (p->dims[i] < 0)
            return BAD_TENSOR(r, "%s: dimension %zu is %lld", r->what, i, (long long)p->dims[i]);
    if (!count_elements(p->dims, p->n_dims, &count))
        return BAD_TENSOR(r, "%s: its shape has too many elements", r->what);
    r->bytes = dtype_bytes(r->elem, (size_t)count);
    return STATUS_OK;
}

status tensor_import_dtype(diag *d, int32_t number, diag_place where, const char *what, dtype *out) {
    *out = dtype_from_onnx(number);
    if (*out != DT_NONE)
        return STATUS_OK;
    const char *name = number == ONNX_STRING                                   ? "string"
                       : number == ONNX_COMPLEX64 || number == ONNX_COMPLEX128 ? "complex"
                                                                               : NULL;
    if (name != NULL)
        return diag_error(d, STATUS_UNSUPPORTED, "unsupported-type", where, "%s: element type %s is not supported",
                          what, name);
    if (number == 0)
        return diag_error(d, STATUS_INVALID, "bad-tensor", where, "%s: it has no element type", what);
    return diag_error(d, STATUS_UNSUPPORTED, "unsupported-type", where, "%s: element type number %d is not supported",
                      what, (int)number);
}

status tensor_import(const tensor_source *source, const Onnx__TensorProto *proto, diag_place where, const char *what,
                     tensor **out) {
    reading r = {.from = source, .proto = proto, .where = where, .what = what};
    TRY(tensor_import_dtype(source->d, proto->data_type, where, what, &r.elem));
    if (proto->segment != NULL)
        return diag_error(source->d, STATUS_UNSUPPORTED, "unsupported-type", where, "%s: it is one segment of a tensor",
                          what);
    TRY(check_shape(&r));
    int64_t dims[TENSOR_MAX_RANK];
    if (proto->n_dims > 0)
        memcpy(dims, proto->dims, proto->n_dims * sizeof *dims);
    memcpy(&r.span, proto->raw_data.data, sizeof r.span);
    payload p = {0};
    if (proto->data_location == LOCATION_EXTERNAL)
        TRY(import_external(&r, &p));
    else
        p = find_payload(source->bytes, r.span);
    return p.has_raw ? import_raw(&r, &p, dims, out) : import_typed(&r, &p, dims, out);
}
