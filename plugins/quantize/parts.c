/* Constants and nodes as the graph gets them. */
#include <stdio.h>
#include <string.h>

#include "quantize.h"

/* ---- tensors ---- */

/* The narrowest of ONNX's types that holds the width. */
int quant_type_of(int width, int is_signed) {
    static const struct {
        int width, of_signed, of_unsigned;
    } types[] = {{2, TENON_INT2, TENON_UINT2},
                 {4, TENON_INT4, TENON_UINT4},
                 {8, TENON_INT8, TENON_UINT8},
                 {16, TENON_INT16, TENON_UINT16},
                 {32, TENON_INT32, TENON_UINT32}};
    int i = 0;
    while (types[i].width < width)
        i++;
    return is_signed ? types[i].of_signed : types[i].of_unsigned;
}

int quant_bits_of(int type) {
    switch (type) {
    case TENON_INT2:
    case TENON_UINT2:
        return 2;
    case TENON_INT4:
    case TENON_UINT4:
        return 4;
    case TENON_INT8:
    case TENON_UINT8:
        return 8;
    case TENON_INT16:
    case TENON_UINT16:
        return 16;
    default:
        return 32;
    }
}

/* Integers of a type as a constant, packed. */
tenon_value *quant_add_integers(const job *j, const char *name, int type, int rank, const int64_t *dims,
                                const int32_t *x, int64_t n) {
    int bits = quant_bits_of(type), per_byte = bits < 8 ? 8 / bits : 1;
    uint32_t mask = bits == 32 ? UINT32_MAX : ((uint32_t)1 << bits) - 1;
    unsigned char *bytes = quant_room(j, (size_t)n + 1, bits < 8 ? 1 : (size_t)bits / 8);
    if (bytes == NULL)
        return NULL;
    for (int64_t i = 0; i < n; i++) {
        uint32_t code = (uint32_t)x[i] & mask;
        if (bits < 8)
            bytes[i / per_byte] = (unsigned char)(bytes[i / per_byte] | code << i % per_byte * bits);
        for (int b = 0; b < bits / 8; b++)
            bytes[i * (bits / 8) + b] = (unsigned char)(code >> 8 * b);
    }
    tenon_tensor *t = j->tensor->make(j->host, j->g, type, rank, dims, bytes);
    return t != NULL ? j->graph->add_constant(j->host, j->g, name, t) : NULL;
}

tenon_value *quant_add_floats(const job *j, const char *name, int rank, const int64_t *dims, const float *x) {
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, rank, dims, x);
    return t != NULL ? j->graph->add_constant(j->host, j->g, name, t) : NULL;
}

const char *quant_named(const job *j, const char *of, const char *what) {
    char *name = quant_room(j, strlen(of) + strlen(what) + 2, 1);
    if (name != NULL)
        sprintf(name, "%s_%s", of, what);
    return name != NULL ? name : what;
}

/* Scale and zero point of formats as constants, of a shape. with_zero: also where every zero is 0. */
int quant_add_parameters(const job *j, const char *of, const format *f, int64_t n, int type, int rank,
                         const int64_t *dims, int with_zero, tenon_value *out[2]) {
    float *scales = quant_room(j, (size_t)n + 1, sizeof *scales);
    int32_t *zeros = quant_room(j, (size_t)n + 1, sizeof *zeros);
    if (scales == NULL || zeros == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < n; i++) {
        scales[i] = f[i].scale;
        zeros[i] = (int32_t)f[i].zero;
        with_zero |= zeros[i] != 0;
    }
    out[0] = quant_add_floats(j, quant_named(j, of, "scale"), rank, dims, scales);
    out[1] = with_zero ? quant_add_integers(j, quant_named(j, of, "zero_point"), type, rank, dims, zeros, n) : NULL;
    return out[0] != NULL && (out[1] != NULL || !with_zero) ? TENON_OK : TENON_PASS_RESOURCE;
}

/* ---- annotations: what the types do not say ---- */

int quant_annotate(const job *j, tenon_node *n, scheme s, const format *f, int64_t n_formats) {
    char text[32];
    sprintf(text, "%d", f->width);
    TRY(j->graph->annotate(j->host, n, "tenon.width", text));
    if (s != SCHEME_FIXED || n_formats != 1)
        return TENON_OK;
    sprintf(text, "%d", f->frac);
    return j->graph->annotate(j->host, n, "tenon.frac", text);
}

int quant_name_node(const job *j, tenon_node *n, const char *of, const char *what) {
    return j->graph->set_node_name(j->host, n, quant_named(j, of, what));
}

tenon_value *quant_build(const job *j, tenon_node *before, const char *op, tenon_value *x, tenon_value *y,
                         const char *attributes) {
    tenon_value *in[2] = {x, y};
    tenon_node *n = x != NULL ? j->graph->build(j->host, j->g, before, op, in, y != NULL ? 2 : 1, attributes, 1) : NULL;
    return n != NULL ? j->graph->node_output(n, 0) : NULL;
}
