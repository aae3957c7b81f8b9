/* auto=accuracy:POINTS: what a change of the graph does to its first output, on labelled samples. */
#ifndef SHARED_JUDGE_H
#define SHARED_JUDGE_H

#include "pass.h"

typedef struct judge {
    const tenon_plugin_host *host;
    const tenon_eval_1 *eval;
    const tenon_tensor_1 *tensor;
    tenon_graph *g;
    tenon_samples *samples;
    const tenon_tensor *labels;
    tenon_value *output;
    int64_t n, probes; /* samples to judge by; to measure harm by */
    int64_t size;      /* elements of the output */
    float *reference;  /* of the graph as it was, for all n samples */
    int keeps;         /* the reference is being made */
    int64_t before;    /* right answers of the graph as it was */
    int64_t right;     /* of the last run, */
    double harm;       /* and its squared distance from the reference */
    double allowed;    /* points */
} judge;

/* "auto=TEXT: WHY" is a usage error. */
int judge_refuse(const tenon_plugin_host *host, const char *text, const char *why);
/* Reads the points; samples: NULL where there are none, which is refused. */
int judge_read(judge *a, const tenon_plugin_host *host, tenon_graph *g, tenon_samples *samples, const char *text);
/* Finds the labels (option label) and how many samples there are to judge by (auto_samples). */
int judge_begin(judge *a, const char *text);
/* Runs the graph as it is on all of them. */
int judge_reference(judge *a);
/* Runs the graph as it is now on the first n samples. */
int judge_run(judge *a, int64_t n);
/* Did the last run, on all samples, lose no more than is allowed? */
int judge_is_good(const judge *a);

#endif
