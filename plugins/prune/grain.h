/* Weights as matrices, and which of their elements go: scores, units, selection. Needs nothing of tenon. */
#ifndef PRUNE_GRAIN_H
#define PRUNE_GRAIN_H

#include <stddef.h>
#include <stdint.h>

/* A weight is outputs x inputs. Inputs lie in runs (a convolution's channels, for each place of its kernel; else all of
 * them are one run): a unit of several inputs is part of one run. */
typedef struct shape {
    int64_t outputs, inputs, run;
} shape;

/* What goes as one. */
typedef struct grain {
    int64_t rows, columns; /* a unit's outputs and inputs; at the end of a run there are fewer. 0: all of them */
    int64_t kept;          /* of so many columns of an output, at most; 0: as the share says */
} grain;

/* How many units there are in the columns from..to, whose ends are those of units. */
int64_t grain_units(const grain *g, const shape *s, int64_t from, int64_t to);
/* The end of the unit that column i is in. */
int64_t grain_end(const grain *g, const shape *s, int64_t i);
/* Adds up the scores (outputs x (to - from)) of each unit. */
void grain_sum(const grain *g, const shape *s, int64_t from, int64_t to, const double *scores, double *sums);
/* keep[o * inputs + i] becomes 0 where of_unit[its unit] is, for the columns from..to. */
void grain_spread(const grain *g, const shape *s, int64_t from, int64_t to, const unsigned char *of_unit,
                  unsigned char *keep);
/* Of each group of g->columns inputs of an output, keeps at most the g->kept with the highest scores (the first of
 * equal ones), of what is kept so far. */
void grain_keep_best(const grain *g, const shape *s, int64_t from, int64_t to, const double *scores,
                     unsigned char *keep);

/* keep[i] = 0 for the `n_least` of n scores that are least, the first of equal ones, else 1. room: n. */
void keep_but_least(const double *scores, int64_t n, int64_t n_least, double *room, unsigned char *keep);
/* The least number that is not below `nth` (from 0) of x, which is put into another order: linear on average. */
double nth_least(double *x, int64_t n, int64_t nth);
/* share of n, rounded to the nearest. */
int64_t share_of(double share, int64_t n);

/* A number in [0, 1) that seed, name and i decide. */
double random_score(uint64_t seed, const char *name, int64_t i);

#endif
