/* Contractions of an integer program. Private to integer_*.c. */
#ifndef TENON_PASSES_INTEGER_CONTRACT_H
#define TENON_PASSES_INTEGER_CONTRACT_H

#include "passes/integer.h"
#include "passes/integer_choice.h"

typedef enum form_kind { FORM_CONV, FORM_TRANSPOSED, FORM_PRODUCT } form_kind;

typedef struct contraction_form {
    const char *op, *becomes;
    form_kind kind;
    bool has_bias;
} contraction_form;

typedef struct contraction {
    integer_work *work;
    node *n;
    const contraction_form *form;
    quantised x, w;
    span x_span;    /* of x as the contraction reads it */
    int64_t x_zero; /* what stands for 0 there */
    int64_t centre; /* what is subtracted from x before */
    dtype reads;    /* then: as which type */
    value *bias;    /* real; NULL: none */
    node *adds;     /* Add of the bias behind a MatMul; NULL: none */
    /* of constant weights */
    value *weights;
    bool turned;            /* Gemm's transB */
    int64_t channels, taps; /* of the result; products in a sum */
    int64_t largest;        /* of the weights, without signs */
    int64_t *totals;        /* by channel: the sum of the weights */
    span *sums;             /* by channel: what a sum can be */
    /* the sum */
    bool wide;
    span range;
    int64_t *whole;  /* by channel: the bias in steps of the sum; NULL: none, or not whole */
    double *offsets; /* the bias in real numbers where it is not whole */
    double *scales;  /* by channel: what a step is worth */
} contraction;

/* ---- integer_contract.c ---- */
/* The bias of a product, in real numbers, from the operator or from an Add behind it. *out_fits false where it is not
 * known. */
status contraction_offsets(contraction *c, bool *out_fits);

/* ---- integer_choice.c ---- */
/* Is it to be computed in integers? Where not, the node says why. */
status integer_choose(const contraction *c, bool *out);

/* ---- integer_blocks.c ---- */
/* A product with constant weights that are quantised by blocks. Changes nothing where they do not fit this form. */
status integer_by_blocks(contraction *c);

/* ---- integer_weights.c ---- */
/* Fills how many channels and taps there are, by the weights' shape. */
void weights_read_sizes(contraction *c);
/* Fills what constant weights say, with the weights as a new constant. *out_fits false where they do not fit this form.
 */
status weights_read(contraction *c, bool *out_fits);

#endif
