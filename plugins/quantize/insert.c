/* The graph as it is quantised: QuantizeLinear and DequantizeLinear, constants as integers. */
#include <stdio.h>
#include <string.h>

#include "quantize.h"

/* ---- tensors ---- */

/* The narrowest of ONNX's types that holds the width. */
static int type_of(int width, int is_signed) {
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

static int bits_of(int type) {
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
static tenon_value *add_integers(const job *j, const char *name, int type, int rank, const int64_t *dims,
                                 const int32_t *x, int64_t n) {
    int bits = bits_of(type), per_byte = bits < 8 ? 8 / bits : 1;
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

static tenon_value *add_floats(const job *j, const char *name, int rank, const int64_t *dims, const float *x) {
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, rank, dims, x);
    return t != NULL ? j->graph->add_constant(j->host, j->g, name, t) : NULL;
}

static const char *named(const job *j, const char *of, const char *what) {
    char *name = quant_room(j, strlen(of) + strlen(what) + 2, 1);
    if (name != NULL)
        sprintf(name, "%s_%s", of, what);
    return name != NULL ? name : what;
}

/* Scale and zero point of formats as constants, of a shape. with_zero: also where every zero is 0. */
static int add_parameters(const job *j, const char *of, const format *f, int64_t n, int type, int rank,
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
    out[0] = add_floats(j, named(j, of, "scale"), rank, dims, scales);
    out[1] = with_zero ? add_integers(j, named(j, of, "zero_point"), type, rank, dims, zeros, n) : NULL;
    return out[0] != NULL && (out[1] != NULL || !with_zero) ? TENON_OK : TENON_PASS_RESOURCE;
}

/* ---- annotations: what the types do not say ---- */

static int annotate(const job *j, tenon_node *n, scheme s, const format *f, int64_t n_formats) {
    char text[32];
    sprintf(text, "%d", f->width);
    TRY(j->graph->annotate(j->host, n, "tenon.width", text));
    if (s != SCHEME_FIXED || n_formats != 1)
        return TENON_OK;
    sprintf(text, "%d", f->frac);
    return j->graph->annotate(j->host, n, "tenon.frac", text);
}

static int name_node(const job *j, tenon_node *n, const char *of, const char *what) {
    return j->graph->set_node_name(j->host, n, named(j, of, what));
}

/* ---- points ---- */

/* What does not fit into the width must not use the type's spare codes. */
static tenon_value *clip(const job *j, const point *p, const char *name, tenon_node *before) {
    const format *f = &p->format;
    if (bits_of(type_of(f->width, f->is_signed)) == f->width)
        return p->value;
    float low = format_number(f, format_least(f)), high = format_number(f, format_most(f));
    tenon_value *in[3] = {p->value, add_floats(j, named(j, name, "low"), 0, NULL, &low),
                          add_floats(j, named(j, name, "high"), 0, NULL, &high)};
    if (in[1] == NULL || in[2] == NULL)
        return NULL;
    tenon_node *n = j->graph->build(j->host, j->g, before, "Clip", in, 3, NULL, 1);
    if (n == NULL || name_node(j, n, name, "Clip") != TENON_OK)
        return NULL;
    return j->graph->node_output(n, 0);
}

/* Integers that are cast to floats need no rounding: they are the codes. */
static tenon_node *cast_codes(const job *j, const point *p, tenon_node *before) {
    tenon_value *in = j->graph->node_input(j->graph->producer(p->value), 0);
    char text[16];
    sprintf(text, "to=%d", type_of(p->format.width, p->format.is_signed));
    return j->graph->build(j->host, j->g, before, "Cast", &in, 1, text, 1);
}

static int insert_point(const job *j, const point *p) {
    tenon_node *from = j->graph->producer(p->value);
    tenon_node *before = from != NULL ? j->graph->next(from) : j->graph->first(j->g);
    const char *name = named(j, j->graph->value_name(p->value), "quantised");
    tenon_value *in[3] = {p->is_count ? p->value : clip(j, p, name, before), NULL, NULL};
    if (in[0] == NULL)
        return TENON_PASS_RESOURCE;
    TRY(add_parameters(j, name, &p->format, 1, type_of(p->format.width, p->format.is_signed), 0, NULL, 1, &in[1]));
    tenon_node *q = p->is_count ? cast_codes(j, p, before)
                                : j->graph->build(j->host, j->g, before, "QuantizeLinear", in, 3, NULL, 1);
    if (q == NULL)
        return TENON_PASS_RESOURCE;
    in[0] = j->graph->node_output(q, 0);
    tenon_node *dq = j->graph->build(j->host, j->g, before, "DequantizeLinear", in, 3, NULL, 1);
    if (dq == NULL)
        return TENON_PASS_RESOURCE;
    TRY(name_node(j, q, name, p->is_count ? "Cast" : "QuantizeLinear"));
    TRY(name_node(j, dq, name, "DequantizeLinear"));
    TRY(annotate(j, q, p->how.scheme, &p->format, 1));
    for (int i = 0; i < p->n_uses; i++) {
        tenon_value *real = j->graph->node_output(dq, 0);
        TRY(p->uses[i].node != NULL ? j->graph->set_input(j->host, p->uses[i].node, p->uses[i].index, real)
                                    : j->graph->set_output(j->host, j->g, p->uses[i].index, real));
    }
    return TENON_OK;
}

/* ---- weights ---- */

/* The shape of scales, and what the operator has to know of them. */
static const char *shape_of_scales(const job *j, const weight *w, int axis, int *rank, int64_t *dims) {
    char *text = quant_room(j, 64, 1);
    *rank = 0;
    if (text == NULL || w->per == PER_TENSOR)
        return text;
    *rank = 1;
    dims[0] = w->groups;
    sprintf(text, "axis=%d", axis);
    if (w->per == PER_CHANNEL)
        return text;
    *rank = w->rank;
    for (int i = 0; i < w->rank; i++)
        dims[i] = w->dims[i];
    dims[w->block_axis] = (dims[w->block_axis] + w->how.block - 1) / w->how.block;
    sprintf(text, "axis=%d, block_size=%lld", w->block_axis, (long long)w->how.block);
    return text;
}

static tenon_value *dequantise(const job *j, const weight *w, tenon_value *codes, int axis, tenon_node *before) {
    int rank;
    int64_t dims[8];
    tenon_value *in[3] = {codes, NULL, NULL};
    const char *attributes = shape_of_scales(j, w, axis, &rank, dims);
    if (attributes == NULL || add_parameters(j, w->name, w->stored != NULL ? w->stored : w->formats, w->groups,
                                             j->graph->element_type(codes), rank, dims, 0, &in[1]) != TENON_OK)
        return NULL;
    tenon_node *n =
        j->graph->build(j->host, j->g, before, "DequantizeLinear", in, in[2] != NULL ? 3 : 2, attributes, 1);
    if (n == NULL || name_node(j, n, w->name, "DequantizeLinear") != TENON_OK ||
        annotate(j, n, w->how.scheme, w->formats, w->groups) != TENON_OK)
        return NULL;
    return j->graph->node_output(n, 0);
}

/* ---- tables: rows are picked as integers, so that the table stays as narrow as it is stored. ONNX's Gather has no
 * types below 8 bits: such tables hold several codes a byte, which are taken apart behind it. ---- */

/* Bits in which codes of a table are packed; 8 and more: not packed. */
static int packed_bits(const weight *w) {
    int bits = bits_of(type_of(w->width, 1));
    return bits < 8 && w->rank > 1 && w->dims[w->rank - 1] % (8 / bits) == 0 ? bits : bits < 8 ? 8 : bits;
}

/* Codes as unsigned bytes, the first in the low bits; their zero points move with them. */
static tenon_value *add_packed(const job *j, weight *w, int bits) {
    int64_t per_byte = 8 / bits, n = w->count / per_byte, dims[8];
    int32_t middle = 1 << (bits - 1), *bytes = quant_room(j, (size_t)n + 1, sizeof *bytes);
    w->stored = quant_room(j, (size_t)w->groups, sizeof *w->stored);
    if (bytes == NULL || w->stored == NULL)
        return NULL;
    for (int64_t i = 0; i < w->count; i++)
        bytes[i / per_byte] |= (w->codes[i] + middle) << i % per_byte * bits;
    for (int64_t g = 0; g < w->groups; g++) {
        w->stored[g] = w->formats[g];
        w->stored[g].zero += middle;
    }
    for (int i = 0; i < w->rank; i++)
        dims[i] = w->dims[i];
    dims[w->rank - 1] /= per_byte;
    return add_integers(j, named(j, w->name, "packed"), TENON_UINT8, w->rank, dims, bytes, n);
}

static tenon_value *build_one(const job *j, tenon_node *before, const char *op, tenon_value *x, tenon_value *y,
                              const char *attributes) {
    tenon_value *in[2] = {x, y};
    tenon_node *n = y != NULL ? j->graph->build(j->host, j->g, before, op, in, 2, attributes, 1) : NULL;
    return n != NULL ? j->graph->node_output(n, 0) : NULL;
}

static tenon_value *add_list(const job *j, const weight *w, const char *what, int type, int64_t n, const void *x) {
    tenon_tensor *t = j->tensor->make(j->host, j->g, type, 1, &n, x);
    return t != NULL ? j->graph->add_constant(j->host, j->g, named(j, w->name, what), t) : NULL;
}

/* [..., n] of bytes become [..., n * 8 / bits] of codes. */
static tenon_value *unpack(const job *j, const weight *w, tenon_value *bytes, int bits) {
    int rank = j->graph->rank(bytes);
    unsigned char shifts[4], mask = (unsigned char)((1 << bits) - 1);
    int64_t shape[TENON_MATCH_MAX] = {0}, last = -1;
    for (int i = 0; i < 8 / bits; i++)
        shifts[i] = (unsigned char)(i * bits);
    if (rank < 1 || rank > TENON_MATCH_MAX)
        return NULL;
    shape[rank - 1] = w->dims[w->rank - 1];
    tenon_value *x = build_one(j, w->node, "Unsqueeze", bytes, add_list(j, w, "axis", TENON_INT64, 1, &last), NULL);
    x = x != NULL ? build_one(j, w->node, "BitShift", x, add_list(j, w, "shifts", TENON_UINT8, 8 / bits, shifts),
                              "direction=\"RIGHT\"")
                  : NULL;
    x = x != NULL ? build_one(j, w->node, "BitwiseAnd", x, add_list(j, w, "mask", TENON_UINT8, 1, &mask), NULL) : NULL;
    return x != NULL ? build_one(j, w->node, "Reshape", x, add_list(j, w, "shape", TENON_INT64, rank, shape), NULL)
                     : NULL;
}

static int insert_table(const job *j, weight *w) {
    int bits = packed_bits(w), type = bits >= 8 && w->width < 8 ? TENON_INT8 : type_of(w->width, 1);
    tenon_value *old = j->graph->node_output(w->node, 0);
    tenon_value *codes =
        bits < 8 ? add_packed(j, w, bits)
                 : add_integers(j, named(j, w->name, "quantised"), type, w->rank, w->dims, w->codes, w->count);
    tenon_value *in[2] = {codes, j->graph->node_input(w->node, 1)};
    tenon_node *pick = codes != NULL ? j->graph->build(j->host, j->g, w->node, "Gather", in, 2, "axis=0", 1) : NULL;
    if (pick == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->set_node_name(j->host, pick, j->graph->node_name(w->node)));
    tenon_value *picked = j->graph->node_output(pick, 0);
    if (bits < 8)
        picked = unpack(j, w, picked, bits);
    tenon_value *real = picked != NULL ? dequantise(j, w, picked, j->graph->rank(picked) - 1, w->node) : NULL;
    if (real == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->replace_all_uses(j->host, j->g, old, real));
    TRY(j->graph->erase(j->host, j->g, w->node));
    w->node = pick;
    return TENON_OK;
}

static int insert_weight(const job *j, weight *w) {
    if (w->kind == WEIGHT_TABLE)
        return insert_table(j, w);
    tenon_value *codes =
        add_integers(j, named(j, w->name, "quantised"), type_of(w->width, 1), w->rank, w->dims, w->codes, w->count);
    if (codes == NULL)
        return TENON_PASS_RESOURCE;
    tenon_value *real = dequantise(j, w, codes, w->axis, w->node);
    return real != NULL ? j->graph->set_input(j->host, w->node, w->input, real) : TENON_PASS_RESOURCE;
}

/* Points first: their uses are those of the graph as it was. */
int quant_insert(job *j) {
    for (int i = 0; i < j->n_points; i++)
        TRY(insert_point(j, &j->points[i]));
    for (int i = 0; i < j->n_weights; i++)
        TRY(insert_weight(j, &j->weights[i]));
    return TENON_OK;
}

/* ---- biases ---- */

int quant_biases(job *j) {
    for (int i = 0; i < j->n_linears; i++) {
        linear *l = &j->linears[i];
        if (l->bias == NULL || l->how.bias_width == 0)
            continue;
        const choice c = {l->how.scheme == SCHEME_AFFINE ? SCHEME_SYMMETRIC : l->how.scheme, l->how.method,
                          l->how.bias_width, 1, l->how.percentile};
        float *x = quant_room(j, (size_t)l->channels, sizeof *x);
        int32_t *codes = quant_room(j, (size_t)l->channels, sizeof *codes);
        histogram *room = quant_room(j, 1, sizeof *room);
        if (x == NULL || codes == NULL || room == NULL)
            return TENON_PASS_RESOURCE;
        for (int64_t k = 0; k < l->channels; k++)
            x[k] = (float)l->bias[k];
        const format f = l->how.has_bias_frac ? format_fixed(c.width, 1, l->how.bias_frac)
                                              : choose_for_numbers(&c, x, l->channels, room);
        for (int64_t k = 0; k < l->channels; k++)
            codes[k] = (int32_t)format_code(&f, x[k]);
        const char *name = named(j, j->graph->value_name(l->output), "bias");
        tenon_value *in[3] = {
            add_integers(j, named(j, name, "quantised"), type_of(f.width, 1), 1, &l->channels, codes, l->channels),
            NULL, NULL};
        if (in[0] == NULL)
            return TENON_PASS_RESOURCE;
        TRY(add_parameters(j, name, &f, 1, type_of(f.width, 1), 0, NULL, 0, &in[1]));
        tenon_node *n = j->graph->build(j->host, j->g, l->bias_node, "DequantizeLinear", in, 2, NULL, 1);
        if (n == NULL)
            return TENON_PASS_RESOURCE;
        TRY(name_node(j, n, name, "DequantizeLinear"));
        TRY(annotate(j, n, l->how.scheme, &f, 1));
        TRY(j->graph->set_input(j->host, l->bias_node, l->bias_input, j->graph->node_output(n, 0)));
    }
    return TENON_OK;
}
