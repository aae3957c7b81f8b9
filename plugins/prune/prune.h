/* What the files of prune share. */
#ifndef PRUNE_H
#define PRUNE_H

#include "grain.h"
#include "pass.h"

typedef enum method { METHOD_RANDOM, METHOD_L1, METHOD_L2, METHOD_WANDA, METHOD_HESSIAN, METHOD_OTHER } method;

/* What goes as one. Of the last four, what goes leaves the graph; the others become zeros. */
typedef enum granularity {
    BY_ELEMENT,
    BY_BLOCK,
    BY_N_OF_M,
    BY_COLUMN,
    BY_ROW,
    BY_CHANNEL,
    BY_HEAD,
    BY_NEURON
} granularity;

/* The options, as they are for one node. */
typedef struct settings {
    method method;
    const char *criterion; /* METHOD_OTHER: its name */
    granularity by;
    grain grain;
    double sparsity;
} settings;

/* Numbers whose place is used again and again. */
typedef struct growing {
    double *at;
    size_t n;
} growing;

/* What is known of the inputs of a weight, from calibration data. */
typedef struct seen {
    tenon_value *value;        /* the node's data */
    const struct weight *conv; /* whose places it is seen from; NULL: by rows */
    int64_t k, groups;         /* inputs of an output; matrices, of a convolution in groups */
    double *sums; /* of the last run; groups x k x k: the upper half of the sum of products; is_diagonal: groups x k, of
                     squares */
    int is_diagonal;
    double *totals;     /* groups x k */
    double *means;      /* groups x k, of the model as it was */
    int64_t rows;       /* that have been added, for each group */
    float *room;        /* some rows */
    growing *place;     /* of full sums; NULL: the job's */
    tenon_value *dense; /* the same in j->dense, the model as it was; NULL: it cannot have become another */
    double *cross;      /* groups x k x k: (what it was - what it is) by what it is; NULL: not seen */
    int64_t elements;   /* of a sample */
    float *kept;        /* what `dense` is in all samples, for the next run; NULL: it has to be computed again */
} seen;

/* A further node that has the same weight. */
typedef struct sharer {
    tenon_node *node;
    int input;
    struct sharer *next;
} sharer;

/* A constant that is to be pruned for one node: as a matrix, outputs x inputs. */
typedef struct weight {
    tenon_node *node;
    int input;
    sharer *others;
    settings how;
    method used; /* how.method, where what it needs can be had here */
    tenon_value *value;
    const char *name; /* of the value */
    int rank;
    int64_t dims[8], count;
    shape shape;
    int64_t inner, outer_step, output_step, run_step, input_step; /* where element (o, i) lies: see weight_place */
    int64_t groups;                                               /* of outputs that have inputs of their own */
    int is_conv;
    float *x;            /* the matrix, as it was */
    float *aim;          /* hessian: the dense numbers that would do best on what it reads by then */
    float *pruned;       /* as it is going to be */
    unsigned char *keep; /* of the matrix */
    double share;        /* of its units that go */
    seen *seen;          /* NULL: nothing is */
    int64_t zeros;
    double shift;               /* the largest of its bias */
    double error, output_error; /* squared, over that of the weight, of the output; the latter below 0: not known */
} weight;

/* A value whose small numbers become zeros. */
typedef struct activation {
    tenon_value *value;
    double sparsity, threshold, was; /* was: zeros as it is */
    int64_t *bins;                   /* of magnitudes */
} activation;

/* Where a unit lies along an axis: outer * units * inner places. */
typedef struct member {
    tenon_value *value;
    int axis;
    int64_t outer, inner;
} member;

/* All that has to be cut with a unit. */
typedef struct group {
    member *members;
    int n, room;
    int64_t units;
    const char *barrier;                 /* why they cannot go; NULL: they can */
    const char *at;                      /* the node or value that says so */
    tenon_node **producers, **consumers; /* linears whose outputs, whose inputs are cut */
    int n_producers, n_consumers;
} group;

/* A layer that is not pruned, though it was asked for. */
typedef struct unpruned {
    const tenon_node *node;
    const char *why;
    int is_unsupported; /* it could be, but not by this pass */
} unpruned;

/* What was asked to leave the graph: from one node on. */
typedef struct structure {
    tenon_node *node;
    settings how;
    double share;
    int64_t units, gone;
    const char *barrier, *at;
} structure;

typedef struct job {
    const tenon_plugin_host *host;
    const tenon_graph_1 *graph;
    const tenon_tensor_1 *tensor;
    const tenon_option_1 *option;
    const tenon_diag_1 *diag;
    const tenon_report_1 *report;
    const tenon_eval_1 *eval;
    const tenon_opinfo_1 *opinfo;
    const tenon_criterion_1 *criterion;
    const tenon_cost_1 *cost;
    tenon_graph *g;
    uint64_t seed;
    int is_global;
    tenon_samples *samples; /* NULL: no calibration data */
    int64_t n_samples;
    int corrects; /* biases */
    weight *weights;
    int n_weights;
    activation *activations;
    int n_activations;
    structure *structures;
    int n_structures;
    unpruned *left;
    int n_left;
    int n_layers;       /* that there are, selected or not */
    tenon_graph *dense; /* the model before anything became zero, as far as it is needed; NULL: it is not */
    growing sums, cross, h, inverse, matrix, scores, units_sums, units_twice; /* room for one weight */
    growing kept;                                                             /* samples of j->dense */
    seen *now;                                                                /* whose sums those are */
    int64_t lost, judged;                                                     /* auto=accuracy: of so many samples */
    double cycles_share;                   /* auto=latency: of the cycles before; 0: not asked for */
    int64_t numbers_before, numbers_after; /* of the nodes that structures have been cut out of */
} job;

/* Zeroed memory until the pass returns. */
void *prune_room(const job *j, size_t n, size_t each);
/* Room for n numbers, which are not zeroed; what was there before is gone. */
double *prune_grown(const job *j, growing *g, size_t n);

/* ---- options.c ---- */
extern const tenon_option *const prune_options[];
/* Those that hold for the pass as a whole. */
extern const tenon_option *const prune_whole[];
/* The options for a node; NULL: for the pass. Contradictions are said. */
int prune_settings(const job *j, const tenon_node *node, settings *out);
/* Is the node among those that select= and keep= leave? */
int prune_is_selected(const job *j, const tenon_node *node);
const char *prune_method_name(const weight *w);

/* ---- find.c ---- */
/* Its name, or that of its first output: as select= and keep= take it. */
const char *prune_label(const job *j, const tenon_node *n);
/* Is it ONNX's operator of this name? n may be NULL. */
int prune_is_op(const job *j, const tenon_node *n, const char *op);
/* Is it a Conv, MatMul or Gemm with a constant weight? Puts down which input that is. */
int prune_is_linear(const job *j, const tenon_node *n, int *input);
/* The weight of such a node (or of a Gather). */
int prune_take(const job *j, tenon_node *n, weight *w);
/* The weights that are to become sparse: of the nodes that are selected; what is left, and why. */
int prune_find(job *j);
/* Where element (o, i) of the matrix lies in the tensor. */
int64_t weight_place(const weight *w, int64_t o, int64_t i);

/* ---- calibrate.c ---- */
/* Says what each weight is pruned by, and makes room for what is seen of its data: once for those that read the same.
 */
int prune_begin_seen(job *j);
/* What would be seen of w's data: is_diagonal: squares only. NULL: no memory. */
seen *prune_new_seen(const job *j, const weight *w, int is_diagonal);
/* Can the data of w's node be seen? */
int prune_is_fed(const job *j, const weight *w);
/* Runs the graph as it is for s; what it knew is forgotten. */
int prune_see(job *j, seen *s);
/* Runs it once for the means of all. */
int prune_see_means(job *j);

/* ---- masks.c ---- */
/* keep, where the node has a mask from before: what is pruned stays so. */
int mask_read(const job *j, weight *w);
/* Writes what is kept to the nodes. */
int mask_write(const job *j, const weight *w);

/* ---- scores.c ---- */
/* What its elements (outputs x inputs) are worth, with what is seen now: the least go first. */
int weight_scores(job *j, const weight *w, double *scores);
/* The inverse of the sum of products of part `part` of its inputs, in j->inverse. */
int weight_inverse(job *j, const weight *w, int64_t part);
/* Says that there is none, and returns a code. */
int weight_no_hessian(const job *j, const weight *w);

/* ---- weights.c ---- */
/* Prunes w to its share, with what is seen now: pruned, keep, errors. */
int weight_prune(job *j, weight *w);
/* Puts x (a matrix) into the graph as the weight. */
int weight_put(const job *j, weight *w, const float *x);
/* Sees what w is pruned by, in the graph as it is, unless that has just been seen. */
int weight_see(job *j, const weight *w);
/* Shares for scope=global, then everything, layer after layer. */
int prune_weights(job *j);

/* ---- auto.c, auto_goals.c ---- */
/* With auto=: chooses the share of each weight. */
int prune_auto(job *j);

/* ---- bias.c ---- */
/* Gives w's node the mean output that it had, on what it is fed by now. */
int prune_correct(job *j, weight *w);

/* ---- groups.c ---- */
/* Everything that has to be cut where `units` of the axis of the value (outer * units * inner places) are. */
int group_grow(const job *j, group *g, const member *from, int64_t units);
/* How the dimension `axis` of a value lies in that of the same elements in another shape: forward to the output of a
 * Reshape (or Squeeze, ...), or back. 0: in none. */
int group_through_reshape(const job *j, const tenon_value *from, const tenon_value *to, int64_t units, const member *m,
                          member *out);
int prune_is_reshape(const job *j, const tenon_node *n);

/* ---- cut.c ---- */
/* Takes the units that keep (g->units) has not out of the graph. */
int group_cut(job *j, const group *g, const unsigned char *keep);

/* ---- structures.c ---- */
/* Takes channels, heads, neurons and rows out of the graph where they are asked for. */
int prune_structures(job *j);

/* ---- activations.c ---- */
int prune_activations(job *j);

/* ---- report.c ---- */
void prune_report(const job *j);

#endif
