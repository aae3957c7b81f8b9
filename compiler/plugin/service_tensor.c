/* tenon.tensor/1: constant contents. */
#include <string.h>

#include "data/data.h"
#include "plugin/services.h"

static const tensor *inside(const tenon_tensor *t) {
    return (const tensor *)t;
}

static int element_type(const tenon_tensor *t) {
    return dtype_to_onnx(inside(t)->elem);
}

static int rank(const tenon_tensor *t) {
    return inside(t)->rank;
}

static const int64_t *dims(const tenon_tensor *t) {
    return inside(t)->dims;
}

static int64_t count(const tenon_tensor *t) {
    return inside(t)->count;
}

static size_t bytes(const tenon_tensor *t) {
    return inside(t)->bytes;
}

static const void *data(const tenon_tensor *t) {
    return inside(t)->data;
}

static double real(const tenon_tensor *t, int64_t i) {
    return i >= 0 && i < inside(t)->count ? tensor_double(inside(t), i) : 0;
}

static int64_t integer(const tenon_tensor *t, int64_t i) {
    return i >= 0 && i < inside(t)->count ? tensor_int(inside(t), i) : 0;
}

/* An empty tensor; NULL, said, where it is none that the host could hold. */
static tensor *new_tensor(pass_host *h, graph *g, int type, int n, const int64_t *sizes) {
    dtype t = dtype_from_onnx(type);
    int64_t elements = 1;
    bool ok = t != DT_NONE && n >= 0 && n <= TENSOR_MAX_RANK;
    for (int i = 0; ok && i < n; i++)
        ok = sizes[i] >= 0 && !__builtin_mul_overflow(elements, sizes[i], &elements) && elements <= INT64_MAX / 8;
    if (ok)
        return tensor_new(g->memory, t, n, sizes, NULL);
    pass_host_blame(h, "bad-tensor", "asks for a tensor of type %d and rank %d, or with dimensions that cannot be",
                    type, n);
    return NULL;
}

static tenon_tensor *make(const tenon_plugin_host *host, tenon_graph *g, int type, int n, const int64_t *sizes,
                          const void *from) {
    tensor *t = new_tensor(pass_host_of(host), plugin_graph_of(g), type, n, sizes);
    if (t != NULL && from != NULL && t->bytes > 0)
        memcpy((void *)(uintptr_t)t->data, from, t->bytes);
    return (tenon_tensor *)t;
}

static tenon_tensor *fill(const tenon_plugin_host *host, tenon_graph *g, int type, int n, const int64_t *sizes,
                          double x) {
    tensor *t = new_tensor(pass_host_of(host), plugin_graph_of(g), type, n, sizes);
    for (int64_t i = 0; t != NULL && i < t->count; i++)
        dtype_set_double(t->elem, (void *)(uintptr_t)t->data, (size_t)i, x);
    return (tenon_tensor *)t;
}

static tenon_tensor *read_npy(const tenon_plugin_host *host, tenon_graph *g, const char *path) {
    pass_host *h = pass_host_of(host);
    array x;
    if (npy_read(path, h->scratch, h->d, &x) != STATUS_OK)
        return NULL;
    return make(host, g, dtype_to_onnx(x.elem), x.rank, x.dims, x.data);
}

static const char *type_name(int type) {
    dtype t = dtype_from_onnx(type);
    return t != DT_NONE ? dtype_name(t) : NULL;
}

const tenon_tensor_1 plugin_tensor = {
    sizeof plugin_tensor, element_type, rank, dims, count, bytes, data, real, integer, make, fill, read_npy, type_name,
};
