/* Masks as annotations of nodes: tenon.mask is a bit for each number of the constant, in its order, the first in the
 * highest bit, as base64; 1 stays. It goes with the node into ONNX (metadata_props) and back, whatever is done to the
 * weight meanwhile. */
#include <stdio.h>
#include <string.h>

#include "prune.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
#define MASK "tenon.mask"
#define SPARSITY "tenon.sparsity"

static size_t text_length(int64_t bits) {
    return ((size_t)bits + 23) / 24 * 4;
}

/* ---- writing ---- */

static char *text_of(const job *j, const weight *w) {
    size_t n = text_length(w->count);
    char *text = prune_room(j, n + 1, 1);
    unsigned char *sixes = prune_room(j, n + 1, 1);
    if (text == NULL || sixes == NULL)
        return NULL;
    for (int64_t o = 0, at = 0; o < w->shape.outputs; o++)
        for (int64_t i = 0; i < w->shape.inputs; i++, at++) {
            int64_t bit = weight_place(w, o, i);
            sixes[bit / 6] |= (unsigned char)(w->keep[at] << (5 - bit % 6));
        }
    size_t used = (size_t)((w->count + 7) / 8 * 8 + 5) / 6;
    for (size_t i = 0; i < n; i++)
        text[i] = i < used ? digits[sixes[i]] : '=';
    return text;
}

static int annotate(const job *j, tenon_node *n, const char *mask, const char *sparsity) {
    TRY(j->graph->annotate(j->host, n, MASK, mask));
    return j->graph->annotate(j->host, n, SPARSITY, sparsity);
}

int mask_write(const job *j, const weight *w) {
    char sparsity[32], *mask = text_of(j, w);
    if (mask == NULL)
        return TENON_PASS_RESOURCE;
    sprintf(sparsity, "%.4f", (double)w->zeros / (double)w->count);
    TRY(annotate(j, w->node, mask, sparsity));
    for (const sharer *s = w->others; s != NULL; s = s->next)
        TRY(annotate(j, s->node, mask, sparsity));
    return TENON_OK;
}

/* ---- reading ---- */

static int is_mask(const weight *w, const char *text) {
    size_t n = strlen(text), digits_first = strspn(text, digits);
    return n == text_length(w->count) && digits_first >= (size_t)(w->count + 5) / 6 &&
           digits_first + strspn(text + digits_first, "=") == n;
}

int mask_read(const job *j, weight *w) {
    const char *text = j->graph->annotation(w->node, MASK);
    if (text == NULL)
        return TENON_OK;
    if (!is_mask(w, text)) {
        j->diag->warning(j->host, w->node, "bad-mask",
                         "its annotation " MASK " is no mask of the %lld numbers of '%s', and is left out of account",
                         (long long)w->count, w->name);
        return TENON_OK;
    }
    for (int64_t o = 0, at = 0; o < w->shape.outputs; o++)
        for (int64_t i = 0; i < w->shape.inputs; i++, at++) {
            int64_t bit = weight_place(w, o, i);
            int six = (int)(strchr(digits, text[bit / 6]) - digits);
            w->keep[at] = (unsigned char)(six >> (5 - bit % 6) & 1);
        }
    return TENON_OK;
}
