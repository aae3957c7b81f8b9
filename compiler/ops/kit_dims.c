/* Shape arithmetic: integer tensors whose elements are dimensions, known though the dimensions are symbols. */
#include <string.h>

#include "ops/kit.h"

enum { MOST_DEEP = 16 };

/* The elements of a scalar or vector. */
typedef struct elements {
    dim at[TENSOR_MAX_RANK];
    int n;
    bool is_scalar;
} elements;

static bool read(const value *v, int deep, elements *out);

static bool read_input(const node *n, int i, int deep, elements *out) {
    const value *v = node_input(n, i);
    return v != NULL && read(v, deep + 1, out);
}

static bool read_constant(const value *v, elements *out) {
    const tensor *t = v->constant;
    if (!dtype_is_int(t->elem) || t->rank > 1 || t->count > TENSOR_MAX_RANK)
        return false;
    *out = (elements){.n = (int)t->count, .is_scalar = t->rank == 0};
    for (int i = 0; i < out->n; i++)
        out->at[i] = DIM(tensor_int(t, i));
    return true;
}

static bool read_shape(const node *n, int deep, elements *out) {
    (void)deep;
    const tensor_type *x = op_input_type(n, 0);
    if (x == NULL || x->rank < 0)
        return false;
    int64_t rank = x->rank, start = op_int(n, "start"), end = op_has(n, "end") ? op_int(n, "end") : rank;
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    out->n = (int)(end - start);
    out->is_scalar = false;
    for (int i = 0; i < out->n; i++)
        out->at[i] = x->dims[start + i];
    return true;
}

/* The same elements, whatever their places: the output's rank says whether it is a scalar. */
static bool read_same(const node *n, int deep, elements *out) {
    int rank = n->outputs[0]->type.rank;
    bool ok = read_input(n, 0, deep, out) && rank >= 0 && rank <= 1;
    out->is_scalar = rank == 0;
    return ok;
}

static bool read_gather(const node *n, int deep, elements *out) {
    elements from;
    const value *which = node_input(n, 1);
    if (!read_input(n, 0, deep, &from) || from.is_scalar || which == NULL || which->constant == NULL ||
        !read_constant(which, out))
        return false;
    for (int i = 0; i < out->n; i++) {
        int64_t k = out->at[i].n < 0 ? out->at[i].n + from.n : out->at[i].n;
        if (k < 0 || k >= from.n)
            return false;
        out->at[i] = from.at[k];
    }
    return true;
}

static bool read_concat(const node *n, int deep, elements *out) {
    *out = (elements){.n = 0};
    for (int i = 0; i < n->n_inputs; i++) {
        elements part;
        if (!read_input(n, i, deep, &part) || part.is_scalar || out->n + part.n > TENSOR_MAX_RANK)
            return false;
        memcpy(out->at + out->n, part.at, (size_t)part.n * sizeof *part.at);
        out->n += part.n;
    }
    return true;
}

static bool read_slice(const node *n, int deep, elements *out) {
    elements from;
    int64_t n_starts, n_ends, n_steps = 1;
    const int64_t *start = op_known_ints(n, 1, &n_starts), *end = op_known_ints(n, 2, &n_ends);
    const int64_t *step = node_input(n, 4) != NULL ? op_known_ints(n, 4, &n_steps) : &(int64_t){1};
    if (!read_input(n, 0, deep, &from) || from.is_scalar || start == NULL || end == NULL || step == NULL ||
        n_starts != 1 || n_ends != 1 || n_steps != 1 || *step != 1)
        return false;
    int64_t first = *start < 0 ? *start + from.n : *start, last = *end < 0 ? *end + from.n : *end;
    first = first < 0 ? 0 : first;
    last = last > from.n ? from.n : last;
    *out = (elements){.n = last > first ? (int)(last - first) : 0};
    memcpy(out->at, from.at + first, (size_t)out->n * sizeof *out->at);
    return true;
}

static bool read_arithmetic(const node *n, int deep, elements *out) {
    static const struct {
        const char *op;
        dim (*fn)(arena *a, dim x, dim y);
    } rows[] = {{"Add", dim_add}, {"Sub", dim_sub}, {"Mul", dim_mul}};
    elements x, y;
    size_t k = 0;
    while (strcmp(rows[k].op, n->op) != 0)
        k++;
    if (!read_input(n, 0, deep, &x) || !read_input(n, 1, deep, &y) || (x.n != y.n && x.n != 1 && y.n != 1))
        return false;
    *out = (elements){.n = x.n > y.n ? x.n : y.n, .is_scalar = x.is_scalar && y.is_scalar};
    for (int i = 0; i < out->n; i++) {
        out->at[i] = rows[k].fn(n->graph->memory, x.at[x.n == 1 ? 0 : i], y.at[y.n == 1 ? 0 : i]);
        if (dim_status(out->at[i]) != STATUS_OK)
            return false;
    }
    return true;
}

static const struct {
    const char *op;
    bool (*read)(const node *n, int deep, elements *out);
} readers[] = {
    {"Shape", read_shape},  {"Gather", read_gather},  {"Unsqueeze", read_same}, {"Squeeze", read_same},
    {"Reshape", read_same}, {"Cast", read_same},      {"Identity", read_same},  {"Concat", read_concat},
    {"Slice", read_slice},  {"Add", read_arithmetic}, {"Sub", read_arithmetic}, {"Mul", read_arithmetic},
};

static bool read(const value *v, int deep, elements *out) {
    if (v->constant != NULL)
        return read_constant(v, out);
    const node *n = v->def;
    if (deep == MOST_DEEP || n == NULL || n->domain[0] != '\0' || v->def_index != 0 || !dtype_is_int(v->type.elem))
        return false;
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (strcmp(readers[i].op, n->op) == 0)
            return readers[i].read(n, deep, out);
    return false;
}

bool kit_known_dims(const node *n, int input, dim out[TENSOR_MAX_RANK], int *out_n) {
    elements x;
    const value *v = node_input(n, input);
    if (v == NULL || !read(v, 0, &x) || x.is_scalar)
        return false;
    memcpy(out, x.at, (size_t)x.n * sizeof *out);
    *out_n = x.n;
    return true;
}
