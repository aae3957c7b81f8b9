/* The numbers of Winograd's convolutions. */
#include "ir/winograd.h"

#include <stddef.h>

/* 5/8 and 3/2 have about half the errors of the usual 1 and 2, for one operation more in ten of the results'
 * transform. */
const winograd_form winograd_forms[] = {
    {.outputs = 2, .points = 4, .near = 1, .growth = 16},
    {.outputs = 4, .points = 6, .near = 0.625, .far = 1.5, .growth = 205},
    {.outputs = 0},
};

const winograd_form *winograd_form_of(int64_t outputs) {
    for (const winograd_form *f = winograd_forms; f->outputs != 0; f++)
        if (f->outputs == outputs)
            return f;
    return NULL;
}

/* Row `point` of G: the powers of the point over the product of its distances from the other finite ones. */
static void weight_row(const winograd_form *f, int point, double out[3]) {
    const double finite[] = {0, f->near, -f->near, f->far, -f->far};
    double distance = 1, x = finite[point % 5];
    if (point == f->points - 1) {
        out[0] = out[1] = 0;
        out[2] = 1;
        return;
    }
    for (int k = 0; k < f->points - 1; k++)
        distance *= k == point ? 1 : x - finite[k];
    out[0] = 1 / distance;
    out[1] = x / distance;
    out[2] = x * x / distance;
}

void winograd_matrix(const winograd_form *f, double g[WINOGRAD_MOST_POINTS][3]) {
    for (int i = 0; i < f->points; i++)
        weight_row(f, i, g[i]);
}

void winograd_weights(double g[WINOGRAD_MOST_POINTS][3], int points, const double *w, double *out) {
    for (int i = 0; i < points; i++) {
        double half[3];
        for (int c = 0; c < 3; c++)
            half[c] = g[i][0] * w[c] + g[i][1] * w[3 + c] + g[i][2] * w[6 + c];
        for (int k = 0; k < points; k++)
            out[i * points + k] = half[0] * g[k][0] + half[1] * g[k][1] + half[2] * g[k][2];
    }
}
