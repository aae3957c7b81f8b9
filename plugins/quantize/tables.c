/* Tables whose rows Gather picks. */
#include "quantize.h"

/* ---- tables: rows are picked as integers, so that the table stays as narrow as it is stored. ONNX's Gather has no
 * types below 8 bits: such tables hold several codes a byte, which are taken apart behind it. ---- */

/* Bits in which codes of a table are packed; 8 and more: not packed. */
static int packed_bits(const weight *w) {
    int bits = quant_bits_of(quant_type_of(w->width, 1));
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
    return quant_add_integers(j, quant_named(j, w->name, "packed"), TENON_UINT8, w->rank, dims, bytes, n);
}

static tenon_value *add_list(const job *j, const weight *w, const char *what, int type, int64_t n, const void *x) {
    tenon_tensor *t = j->tensor->make(j->host, j->g, type, 1, &n, x);
    return t != NULL ? j->graph->add_constant(j->host, j->g, quant_named(j, w->name, what), t) : NULL;
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
    tenon_value *x = quant_build(j, w->node, "Unsqueeze", bytes, add_list(j, w, "axis", TENON_INT64, 1, &last), NULL);
    x = x != NULL ? quant_build(j, w->node, "BitShift", x, add_list(j, w, "shifts", TENON_UINT8, 8 / bits, shifts),
                                "direction=\"RIGHT\"")
                  : NULL;
    x = x != NULL ? quant_build(j, w->node, "BitwiseAnd", x, add_list(j, w, "mask", TENON_UINT8, 1, &mask), NULL)
                  : NULL;
    return x != NULL ? quant_build(j, w->node, "Reshape", x, add_list(j, w, "shape", TENON_INT64, rank, shape), NULL)
                     : NULL;
}

int quant_insert_table(const job *j, weight *w) {
    int bits = packed_bits(w), type = bits >= 8 && w->width < 8 ? TENON_INT8 : quant_type_of(w->width, 1);
    tenon_value *old = j->graph->node_output(w->node, 0);
    tenon_value *codes = bits < 8 ? add_packed(j, w, bits)
                                  : quant_add_integers(j, quant_named(j, w->name, "quantised"), type, w->rank, w->dims,
                                                       w->codes, w->count);
    tenon_value *in[2] = {codes, j->graph->node_input(w->node, 1)};
    tenon_node *pick = codes != NULL ? j->graph->build(j->host, j->g, w->node, "Gather", in, 2, "axis=0", 1) : NULL;
    if (pick == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->set_node_name(j->host, pick, j->graph->node_name(w->node)));
    tenon_value *picked = j->graph->node_output(pick, 0);
    if (bits < 8)
        picked = unpack(j, w, picked, bits);
    tenon_value *real = picked != NULL ? quant_dequantise(j, w, picked, j->graph->rank(picked) - 1, w->node) : NULL;
    if (real == NULL)
        return TENON_PASS_RESOURCE;
    TRY(j->graph->replace_all_uses(j->host, j->g, old, real));
    TRY(j->graph->erase(j->host, j->g, w->node));
    w->node = pick;
    return TENON_OK;
}
