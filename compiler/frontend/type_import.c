/* Declared types: element type and shape, whose dimensions may be symbols or expressions over them. */
#include <string.h>

#include "frontend/import.h"

static const Onnx__TypeProto__Tensor *tensor_of(const Onnx__ValueInfoProto *info) {
    return info->type == NULL ? NULL : info->type->tensor_type;
}

status type_import_symbols(importer *im, const Onnx__GraphProto *g) {
    for (size_t i = 0; i < g->n_input; i++) {
        const Onnx__TypeProto__Tensor *t = tensor_of(g->input[i]);
        for (size_t k = 0; t != NULL && t->shape != NULL && k < t->shape->n_dim; k++) {
            char *name = t->shape->dim[k]->dim_param;
            if (name != NULL && name[0] != '\0')
                TRY(map_set(&im->symbols, name, name));
        }
    }
    return STATUS_OK;
}

typedef struct symbol_check {
    const map *known;
    bool all_known;
} symbol_check;

static void check_symbol(const char *symbol, void *ctx) {
    symbol_check *c = ctx;
    c->all_known &= map_get(c->known, symbol) != NULL;
}

static bool is_over_known(const importer *im, dim d) {
    symbol_check c = {&im->symbols, true};
    dim_symbols(d, check_symbol, &c);
    return c.all_known;
}

/* A dim_param is by the specification a mere name. One that reads as an expression over symbols that the inputs have
 * ("seq+1" beside "seq") is meant as one; anything else ("batch-size") is a symbol of that name. */
static status import_param(importer *im, const char *text, dim *out) {
    arena *a = im->g->memory;
    status s = dim_parse(a, text, strlen(text), out);
    if (s == STATUS_OK)
        s = dim_status(*out);
    if (s == STATUS_INVALID || (s == STATUS_OK && !is_over_known(im, *out))) {
        *out = dim_symbol(a, text);
        s = dim_status(*out);
    }
    return s;
}

/* A dimension of which the model says nothing (or -1, as some exporters write) gets a symbol of its own. */
static status import_dim(importer *im, const char *name, size_t k, const Onnx__TensorShapeProto__Dimension *proto,
                         dim *out) {
    if (proto->has_dim_value && proto->dim_value != -1) {
        *out = DIM(proto->dim_value);
        return STATUS_OK;
    }
    if (proto->dim_param != NULL && proto->dim_param[0] != '\0')
        return import_param(im, proto->dim_param, out);
    const char *symbol = arena_printf(im->scratch, "%s_dim%zu", name, k);
    TRY_ALLOC(symbol);
    *out = dim_symbol(im->g->memory, symbol);
    return dim_status(*out);
}

static status import_shape(importer *im, const char *name, const Onnx__TensorShapeProto *shape, tensor_type *out) {
    dim *dims = ARENA_NEW_N(im->scratch, dim, shape->n_dim);
    TRY_ALLOC(dims);
    for (size_t k = 0; k < shape->n_dim; k++)
        TRY(import_dim(im, name, k, shape->dim[k], &dims[k]));
    out->rank = (int)shape->n_dim;
    out->dims = dims;
    return STATUS_OK;
}

static status check_input_shape(importer *im, const tensor_type *t, diag_place where, const char *name) {
    int64_t volume = 1;
    for (int k = 0; k < t->rank; k++) {
        if (!dim_is_known(t->dims[k]))
            continue;
        if (t->dims[k].n < 0)
            return diag_error(im->d, STATUS_INVALID, "bad-shape", where, "input '%s': dimension %d is %lld", name, k,
                              (long long)t->dims[k].n);
        if (t->dims[k].n != 0 && (__builtin_mul_overflow(volume, t->dims[k].n, &volume) || volume > INT64_MAX / 64))
            return diag_error(im->d, STATUS_INVALID, "bad-shape", where, "input '%s': its shape has too many elements",
                              name);
    }
    return STATUS_OK;
}

status type_import_input(importer *im, const Onnx__ValueInfoProto *info, diag_place where, tensor_type *out) {
    const char *name = import_text(info->name);
    const Onnx__TypeProto__Tensor *t = tensor_of(info);
    *out = (tensor_type){DT_NONE, -1, NULL};
    if (info->type == NULL)
        return diag_error(im->d, STATUS_INVALID, "missing-type", where, "input '%s' has no type", name);
    if (t == NULL)
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-type", where,
                          "input '%s' is not a tensor, which is not supported", name);
    const char *what = arena_printf(im->scratch, "input '%s'", name);
    TRY_ALLOC(what);
    TRY(tensor_import_dtype(im->d, t->elem_type, where, what, &out->elem));
    if (t->shape == NULL)
        return STATUS_OK;
    if (t->shape->n_dim > TENSOR_MAX_RANK)
        return diag_error(im->d, STATUS_UNSUPPORTED, "unsupported-rank", where,
                          "input '%s': %zu dimensions, at most %d are supported", name, t->shape->n_dim,
                          TENSOR_MAX_RANK);
    TRY(import_shape(im, name, t->shape, out));
    status s = check_input_shape(im, out, where, name);
    if (s != STATUS_OK)
        *out = (tensor_type){DT_NONE, -1, NULL};
    return s;
}

status type_import_declared(importer *im, const Onnx__ValueInfoProto *info, tensor_type *out) {
    const Onnx__TypeProto__Tensor *t = tensor_of(info);
    *out = (tensor_type){DT_NONE, -1, NULL};
    if (t == NULL)
        return STATUS_OK;
    out->elem = dtype_from_onnx(t->elem_type);
    if (t->shape != NULL && t->shape->n_dim <= TENSOR_MAX_RANK)
        TRY(import_shape(im, import_text(info->name), t->shape, out));
    for (int k = 0; k < out->rank; k++)
        if (dim_is_known(out->dims[k]) && out->dims[k].n < 0)
            out->rank = -1;
    return STATUS_OK;
}
