/* auto=: what a change of the graph does to its first output, on samples that may have labels. */
#ifndef SHARED_JUDGE_H
#define SHARED_JUDGE_H

#include "pass.h"

typedef struct judge {
    const tenon_plugin_host *host;
    const char *text; /* of auto= */
    const tenon_eval_1 *eval;
    const tenon_tensor_1 *tensor;
    tenon_graph *g;
    tenon_samples *samples;
    const tenon_tensor *labels; /* NULL: there are none */
    tenon_value *output;
    int64_t n, probes; /* samples to judge by; to measure harm by */
    int64_t size;      /* elements of the output */
    float *reference;  /* of the graph as it was, for all n samples */
    int keeps;         /* the reference is being made */
    int64_t before;    /* right answers of the graph as it was */
    int64_t right;     /* of the last run, */
    double harm;       /* and its squared distance from the reference */
} judge;

/* "auto=TEXT: WHY" is a usage error. */
int judge_refuse(const judge *a, const char *why);
/* Begins for text. */
void judge_begin(judge *a, const tenon_plugin_host *host, const char *text);
/* Takes samples to judge by (at most auto_samples); NULL, where there are none, is refused. */
int judge_open(judge *a, tenon_graph *g, tenon_samples *samples);
/* Finds the labels (option label), one for each sample. */
int judge_find_labels(judge *a);
/* Runs the graph as it is on all of them. */
int judge_reference(judge *a);
/* Runs the graph as it is now on the first n samples. */
int judge_run(judge *a, int64_t n);
/* Did the last run, on all samples, lose no more than so many points? */
int judge_lost_at_most(const judge *a, double points);

#endif
