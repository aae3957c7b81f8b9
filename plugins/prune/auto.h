/* What auto= is made of: weights, levels of sparsity, and goals. Private to auto.c and auto_goals.c. */
#ifndef PRUNE_AUTO_H
#define PRUNE_AUTO_H

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
    const char *text; /* of auto= */
    const struct goal *goal;
    double asked;  /* the number behind the colon */
    candidate *of; /* each weight */
    tenon_value *output;
    int64_t probes;             /* samples to measure harm by */
    int64_t n;                  /* samples of the reference */
    int64_t size;               /* elements of the output */
    float *reference;           /* of the model as it was */
    int keeps;                  /* the reference is being made */
    double harm;                /* of the last run */
    const tenon_tensor *labels; /* accuracy; NULL otherwise */
    int64_t right, right_before;
    const char *target; /* latency */
    double cycles_before;
} judging;

/* What is asked for. */
typedef struct goal {
    const char *name;
    const char *number; /* what is expected behind the colon */
    double most;
    int bounds_harm; /* it is met by what does little harm, not by what gains much */
    /* Before anything is pruned. a->n: how many samples the model is to be run on for a reference. */
    int (*begin)(judging *a);
    /* What the level, which is in the graph, gains for w. */
    int (*gain)(judging *a, const weight *w, int level, double *out);
    /* Is the goal met by the graph as it is? */
    int (*judge)(judging *a, int *out_met);
} goal;

/* ---- auto.c ---- */
/* Runs n samples: harm, right. */
int auto_run(judging *a, int64_t n);
int auto_refuse(const judging *a, const char *why);

/* ---- auto_goals.c ---- */
extern const goal auto_goals[];
extern const int auto_n_goals;

#endif
