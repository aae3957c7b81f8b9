/* Winograd's convolutions of a 3x3 window and stride 1: the numbers that the weights' transform (passes/) and those of
 * data and results (ops/) have in common.
 *
 * A tile of m x m results comes from (m+2) x (m+2) inputs by as many products for each pair of channels in place of 9 m
 * m: Y = A' ((G w G') * (B' x B)) A, the matrices being those of Toom and Cook's interpolation at 0, +-near, in the
 * larger form +-far, and infinity.
 */
#ifndef TENON_IR_WINOGRAD_H
#define TENON_IR_WINOGRAD_H

#include <stdint.h>

/* What the node of the internal operator is called; it is made when a model is lowered and never leaves the compiler.
 */
#define WINOGRAD_OP "WinogradConv"

#define WINOGRAD_MOST_OUTPUTS 4
#define WINOGRAD_MOST_POINTS 6

typedef struct winograd_form {
    int outputs;      /* m: results of a tile along one dimension */
    int points;       /* m + 2: inputs, and products, along one dimension */
    double near, far; /* exact in f32, as are their powers up to the fourth and the products of those; far 0: none */
    double growth;    /* of rounding errors, at most: see docs/performance.md */
} winograd_form;

/* F(2x2,3x3) and F(4x4,3x3); ended by one of 0 outputs. */
extern const winograd_form winograd_forms[];
/* The form of so many outputs; NULL where there is none. */
const winograd_form *winograd_form_of(int64_t outputs);
/* G, of so many rows as there are points. */
void winograd_matrix(const winograd_form *f, double g[WINOGRAD_MOST_POINTS][3]);
/* G w G' of a 3x3 window w, row-major, into points x points numbers. */
void winograd_weights(double g[WINOGRAD_MOST_POINTS][3], int points, const double *w, double *out);

#endif
