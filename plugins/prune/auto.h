/* What auto= is made of: weights, levels of sparsity, and goals. Private to auto.c and auto_goals.c. */
#ifndef PRUNE_AUTO_H
#define PRUNE_AUTO_H

#include "judge.h"
#include "prune.h"

enum { N_LEVELS = 11 };
extern const double auto_levels[N_LEVELS];

/* A weight: what each level does to the output, and what it gains. */
typedef struct candidate {
    double harm[N_LEVELS], gain[N_LEVELS];
    float *pruned[N_LEVELS];
    int level, best;
} candidate;

typedef struct judging {
    job *j;
    judge by;
    const struct goal *goal;
    double asked;       /* the number behind the colon */
    candidate *of;      /* each weight */
    const char *target; /* latency */
    double cycles_before;
} judging;

/* What is asked for. */
typedef struct goal {
    const char *name;
    const char *number; /* what is expected behind the colon */
    double most;
    int bounds_harm; /* it is met by what does little harm, not by what gains much */
    /* Before anything is pruned. */
    int (*begin)(judging *a);
    /* What the level, which is in the graph, gains for w. */
    int (*gain)(judging *a, const weight *w, int level, double *out);
    /* Is the goal met by the graph as it is? */
    int (*judge)(judging *a, int *out_met);
} goal;

extern const goal auto_goals[];
extern const int auto_n_goals;

#endif
