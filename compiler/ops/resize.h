/* Resize: what the form with constant sizes (resize.c) and the form with sizes from the data (resize_data.c) share. */
#ifndef TENON_OPS_RESIZE_H
#define TENON_OPS_RESIZE_H

#include "ops/kit.h"

/* Of the tables that an axis is made by. */
#define RESIZE_MOST_ENTRIES (1 << 21)

enum { INPUT_X, INPUT_ROI, INPUT_SCALES, INPUT_SIZES };

typedef enum resize_mode { MODE_NEAREST, MODE_LINEAR, MODE_CUBIC, N_MODES } resize_mode;
typedef enum resize_nearest {
    NEAREST_PREFER_FLOOR,
    NEAREST_PREFER_CEIL,
    NEAREST_FLOOR,
    NEAREST_CEIL,
    N_NEAREST
} resize_nearest;
typedef enum resize_place {
    PLACE_HALF_PIXEL,
    PLACE_SYMMETRIC,
    PLACE_PYTORCH,
    PLACE_ALIGN,
    PLACE_ASYMMETRIC,
    PLACE_CROP,
    N_PLACES
} resize_place;

typedef struct resizing {
    resize_mode mode;
    resize_nearest nearest;
    resize_place place;
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
    double scale[TENSOR_MAX_RANK], from[TENSOR_MAX_RANK], to[TENSOR_MAX_RANK]; /* from, to: the region of interest */
    int64_t out[TENSOR_MAX_RANK];
} resizing;

/* Modes and coefficients; [wrong-attribute]. */
status resize_attributes(const node *n, resizing *r);
/* The input, NULL where it is absent or empty. */
value *resize_given(const node *n, int k);
/* Neighbours on each side that can weigh anything. */
int resize_reach(const resizing *r, double scale);
/* Where scales, sizes or the region of interest are data and the model declares the output's shape. */
status resize_data_lower(const node *n, nest_list *l);

#endif
