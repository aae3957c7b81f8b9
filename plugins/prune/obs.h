/* Optimal brain surgery: what goes is made up for by what stays, by the second derivative of a layer's squared error,
 * which is the sum of products of its inputs (Hassibi and Stork; Frantar and Alistarh, SparseGPT). Needs nothing of
 * tenon. */
#ifndef PRUNE_OBS_H
#define PRUNE_OBS_H

#include "grain.h"

/* Adds n rows of k numbers to the upper half of the sum of products. */
void obs_add(double *sum, int64_t k, const float *x, int64_t n);
/* Adds n rows of d, each number by all of the same row of x, to the k x k sum. */
void obs_add_cross(double *sum, int64_t k, const float *d, const float *x, int64_t n);
/* The inverse of the damped sum, into `inverse`; h is room of k * k. 0 where there is none: the sum is not finite. */
int obs_invert(const double *sum, int64_t k, double *h, double *inverse);
/* Replaces an inverse by the factor that obs_prune wants: row i has what input i's error does to those behind. */
int obs_factorise(double *inverse, int64_t k);

/* Prunes the matrix x (s->outputs x s->inputs): `share` of its units, chosen by stripes of inputs; keep says of what
 * there is before what may stay, and afterwards what did. factor: of obs_factorise. scores: room of outputs *
 * OBS_STRIPE (or a unit's columns, if these are more) numbers; sums and twice: of as many as a stripe has units; units:
 * likewise. */
enum { OBS_STRIPE = 128 };
typedef struct obs_room {
    double *scores, *sums, *twice;
    unsigned char *units;
} obs_room;
void obs_prune(const grain *g, const shape *s, double *x, const double *factor, double share, unsigned char *keep,
               const obs_room *room);

/* Inputs of unit u are those i with i / inner % n_units == u. */
typedef struct obs_units {
    int64_t outer, n_units, inner; /* inputs: outer * n_units * inner */
} obs_units;
/* A layer that reads them: x is outputs x inputs. */
typedef struct obs_reader {
    double *x;
    int64_t outputs;
    double *inverse; /* inputs x inputs: is used up */
    obs_units by;
    double weight; /* of its loss, beside the others': obs_remove sets it */
} obs_reader;
/* Takes `gone` units away from the n readers, one after the other, always the one whose loss costs least, each reader's
 * loss beside what all units together would cost it; units[u] becomes 0 for it. room: as many numbers as a reader has
 * inputs, and as a unit has, squared and once. 0 where the numbers do not allow it. */
int obs_remove(obs_reader *readers, int n, int64_t gone, unsigned char *units, double *room);

#endif
