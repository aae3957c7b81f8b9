/* Colors: by what an operator does, or by what has become of it. */
#include <string.h>

#include "report/picture.h"

enum {
    ENDS,
    CONTRACTION,
    NORMALISATION,
    ACTIVATION,
    ELEMENTWISE,
    REDUCTION,
    MOVEMENT,
    GATHER,
    CONVERSION,
    MADE,
    OTHER,
    STATES
};

static const picture_color colors[PICTURE_COLORS] = {
    [ENDS] = {"input, output", "#374151", "#1f2937", "#ffffff", "#d1d5db"},
    [CONTRACTION] = {"multiply-accumulate", "#cfe0fc", "#4a7bd0", "#17315f", "#4a7bd0"},
    [NORMALISATION] = {"normalisation", "#e2d8fa", "#8462c7", "#38216b", "#8462c7"},
    [ACTIVATION] = {"activation", "#ffdfc8", "#d97d3d", "#66320c", "#d97d3d"},
    [ELEMENTWISE] = {"element by element", "#fdf0bd", "#c4a22e", "#4f3f07", "#c4a22e"},
    [REDUCTION] = {"reduction", "#fbd5e0", "#cc6486", "#641c36", "#cc6486"},
    [MOVEMENT] = {"shape, order", "#e5e8ec", "#8e99a6", "#2e3742", "#8e99a6"},
    [GATHER] = {"look-up", "#cdeedd", "#3f9f77", "#10452f", "#3f9f77"},
    [CONVERSION] = {"types, quantisation", "#cfeff3", "#3898a8", "#0c424b", "#3898a8"},
    [MADE] = {"made of shapes", "#efe7d3", "#a5915f", "#453a1c", "#a5915f"},
    [OTHER] = {"other", "#ffffff", "#6b7280", "#1f2937", "#6b7280"},
    [STATES + PICTURE_SAME] = {"as before", "#fafbfc", "#c2cad3", "#77828e", "#9aa4af"},
    [STATES + PICTURE_REMOVED] = {"removed", "#ffd3d0", "#d1242f", "#6e0b12", "#d1242f"},
    [STATES + PICTURE_ADDED] = {"added", "#c6f3d0", "#1f883d", "#0b4a1d", "#1f883d"},
    [STATES + PICTURE_CHANGED] = {"changed", "#ffedb0", "#c08a00", "#573c00", "#c08a00"},
};
_Static_assert(STATES + PICTURE_STATES <= PICTURE_COLORS, "a color for each state");

/* The files of ops/. What is in none of them goes by the row's kind. */
static const struct {
    const char *family;
    size_t color;
} families[] = {
    {"activation", ACTIVATION},
    {"attention", CONTRACTION},
    {"cast", CONVERSION},
    {"constant", MADE},
    {"cumulative", REDUCTION},
    {"gather", GATHER},
    {"loss", REDUCTION},
    {"movement", MOVEMENT},
    {"pool", REDUCTION},
    {"quantize", CONVERSION},
    {"normalization", NORMALISATION},
    {"recurrent", CONTRACTION},
    {"reduce", REDUCTION},
    {"reshape", MOVEMENT},
    {"resize", MOVEMENT},
    {"sample", MOVEMENT},
    {"scatter", GATHER},
    {"signal_window", MADE},
    {"slice", MOVEMENT},
    {"softmax", NORMALISATION},
};

static size_t color_of_operator(const picture_box *b) {
    for (size_t i = 0; i < sizeof families / sizeof *families && b->family != NULL; i++)
        if (strcmp(families[i].family, b->family) == 0)
            return families[i].color;
    if (b->row == NULL)
        return OTHER;
    return b->row->kind == OP_CONTRACT ? CONTRACTION : b->row->kind == OP_SCALAR ? ELEMENTWISE : OTHER;
}

size_t picture_color_number(picture_state s) {
    return STATES + (size_t)s;
}

size_t picture_color_of(const picture *p, const picture_box *b) {
    if (p->other != NULL)
        return picture_color_number(b->state);
    return b->kind == PICTURE_NODE ? color_of_operator(b) : ENDS;
}

const picture_color *picture_color_at(size_t i) {
    return &colors[i];
}
