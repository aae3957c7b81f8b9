/* What the files of quantize share. */
#ifndef QUANTIZE_H
#define QUANTIZE_H

#include "formats.h"
#include "pass.h"

/* For how many numbers a weight has one format. */
typedef enum granularity { PER_TENSOR, PER_CHANNEL, PER_BLOCK } granularity;

/* The options, as they are for one node. */
typedef struct settings {
    scheme scheme;
    method method;
    granularity per;
    int data_width, weight_width, table_width, bias_width; /* 0: floats */
    int has_data_frac, has_weight_frac, has_bias_frac, data_frac, weight_frac, bias_frac;
    int always_signed, hessian;
    int dynamic; /* data=dynamic: rows are quantised while the model runs */
    int equalise, smooths;
    double smooth; /* SmoothQuant's alpha */
    int64_t block;
    double percentile;
} settings;

/* A value that is to be quantised for those of its users that want it in the same way. */
typedef struct point {
    tenon_value *value;
    const struct point *like; /* whose elements it has, elsewhere: it takes that one's format; NULL: none */
    settings how;
    tenon_use *uses;
    int n_uses;
    int is_count;    /* a Cast of small integers, masks for one */
    histogram *seen; /* on the calibration data; NULL: there are none */
    format format;
} point;

typedef enum weight_kind {
    WEIGHT_LINEAR, /* of Conv, ConvTranspose, MatMul, Gemm */
    WEIGHT_TABLE,  /* of Gather: rows are picked first, as integers */
    WEIGHT_ADDEND  /* a table that has been picked from already: what is added to each place */
} weight_kind;

/* A constant that is to be quantised for one node. */
typedef struct weight {
    weight_kind kind;
    tenon_node *node;
    int input;
    settings how;
    int width;
    tenon_value *value;         /* as it was */
    const char *name;           /* of the value */
    float *x;                   /* its numbers */
    int rank, axis, block_axis; /* axis: of the channels; block_axis: along which blocks lie */
    int64_t dims[8], count;
    granularity per; /* as it can be had here */
    int64_t groups;  /* how many formats */
    float *sorted;   /* x, those of a format together; begins[g]: where those of format g begin */
    int64_t *begins;
    format *formats;
    format *stored; /* as the graph has them, where codes are stored with another zero point; NULL: as they are */
    int32_t *codes; /* of x */
    float *rounded; /* auto=: room */
    double error;   /* squared, over that of the numbers: what the report says */
    float *hessian; /* sums of products of its inputs, a matrix for each group; NULL: rounded to nearest */
    int64_t inputs, input_groups;
    int is_dynamic;
    float *patch; /* of a convolution: room */
} weight;

/* A Conv, MatMul or Gemm with a constant weight. */
typedef struct linear {
    tenon_node *node;
    weight *weight; /* NULL: kept in float */
    settings how;
    int level;        /* linears of one level do not depend on each other */
    int channel_axis; /* of the output */
    int64_t channels;
    tenon_node *bias_node; /* itself, or the Add that follows */
    int bias_input;
    double *bias; /* NULL: none */
    double *mean; /* of the float output */
    double *now;  /* of the quantised one */
    int64_t n_mean, n_now;
    tenon_value *output; /* what is averaged */
    double shift;        /* largest correction */
} linear;

typedef struct job {
    const tenon_plugin_host *host;
    const tenon_graph_1 *graph;
    const tenon_tensor_1 *tensor;
    const tenon_option_1 *option;
    const tenon_diag_1 *diag;
    const tenon_report_1 *report;
    const tenon_eval_1 *eval;
    tenon_graph *g;
    int64_t lost, judged;   /* auto=: of so many samples */
    tenon_samples *samples; /* NULL: no calibration data */
    int64_t n_samples;
    int corrects; /* bias correction */
    point *points;
    int n_points;
    weight *weights;
    int n_weights;
    linear *linears;
    int n_linears;
    int n_equalised, n_smoothed; /* pairs; values */
} job;

/* Zeroed memory until the pass returns. */
void *quant_room(const job *j, size_t n, size_t each);

/* ---- options.c ---- */
extern const tenon_option *const quant_options[];
/* Those that hold for the pass as a whole. */
extern const tenon_option *const quant_whole[];
/* The options for a node; NULL: for the pass. Contradictions are said. */
int quant_settings(const job *j, const tenon_node *node, settings *out);
/* Is the node among those that select= and keep= leave? */
int quant_is_selected(const job *j, const tenon_node *node);

/* ---- find.c ---- */
/* What is to be quantised: points, weights, linears. */
int quant_find(job *j);
/* Has it an input that may be a weight? */
int quant_is_linear(const job *j, const tenon_node *n);
/* Is it one of ONNX's operators of these names? */
int quant_is_among(const job *j, const tenon_node *n, const char *const *ops);
/* Is it ONNX's operator of this name? n may be NULL. */
int quant_is_op(const job *j, const tenon_node *n, const char *op);

/* ---- everywhere.c ---- */
/* Is data=all asked for? */
int quant_is_everywhere(const job *j);
/* With data=all: a point for every value but those that an operator behind takes in. */
int quant_find_everywhere(job *j);
/* With ends=integer: inputs and outputs of the graph become the integers that they are quantised to. */
int quant_ends(job *j);

/* ---- calibrate.c ---- */
/* Runs the graph, still in floats, for the histograms of points, the means of linears and what the Hessian method
 * needs. */
int quant_calibrate(job *j);
/* Adds an output of l to the sums of its channels, and how many elements of each there were to n. */
void quant_add_means(const job *j, const linear *l, const tenon_tensor *t, double *sums, int64_t *n);
/* Chooses the formats of points. */
int quant_choose(job *j);
int quant_choose_point(const job *j, point *p);

/* ---- auto.c ---- */
/* With auto=: chooses the width of each weight, and of each value where that is asked for. */
int quant_auto(job *j);

/* ---- weights.c ---- */
/* Formats and codes of w at its width, rounded to nearest. */
int weight_round(const job *j, weight *w);
/* Formats and codes of all weights. */
int quant_weights(job *j);
/* The number of the format of element i. */
int64_t weight_group(const weight *w, int64_t i);

/* ---- hessian.c ---- */
/* Makes room for the sums, where the method is asked for and can do the node. */
int hessian_begin(const job *j, weight *w);
/* Adds what one sample shows: t is the node's data. */
int hessian_see(const job *j, weight *w, const tenon_tensor *t);
/* Codes of w whose errors make up for each other under the sum. */
int hessian_round(const job *j, weight *w);

/* ---- kernel.c ---- */
typedef enum kernel_side { KERNEL_OUTPUTS, KERNEL_INPUTS } kernel_side;

/* The constant weight of a Conv, MatMul or Gemm by its channels. */
typedef struct kernel {
    tenon_node *node;
    const tenon_tensor *like; /* as it is in the graph */
    int64_t count, outputs, inputs, groups;
    int64_t each;     /* elements for one input of one output */
    int inputs_first; /* [inputs, outputs], not [outputs, inputs] */
    float *x;         /* its numbers; NULL: the node has no such weight */
} kernel;

int kernel_read(const job *j, tenon_node *n, kernel *k);
/* The largest size of each channel's numbers, where it is above what ranges has. */
void kernel_ranges(const kernel *k, kernel_side side, double *ranges);
void kernel_scale(kernel *k, kernel_side side, const double *factors);
int kernel_write(const job *j, const kernel *k);
/* Multiplies the elements of a node's constant, one by one. */
int quant_scale_constant(const job *j, tenon_node *n, int input, const double *factors);

/* ---- equalise.c, smooth.c: the float model computes the same, and loses less when it is quantised ---- */
int quant_equalise(job *j);
int quant_smooth(job *j);

/* ---- parts.c ---- */
/* The narrowest of ONNX's types that holds the width; its bits. */
int quant_type_of(int width, int is_signed);
int quant_bits_of(int type);
/* Constants; integers are packed as the type is. NULL after a failure, as of those that follow. */
tenon_value *quant_add_integers(const job *j, const char *name, int type, int rank, const int64_t *dims,
                                const int32_t *x, int64_t n);
tenon_value *quant_add_floats(const job *j, const char *name, int rank, const int64_t *dims, const float *x);
/* Scales (out[0]) and zero points of formats as constants of a shape; no zero points (NULL) where all are 0, unless
 * with_zero. */
int quant_add_parameters(const job *j, const char *of, const format *f, int64_t n, int type, int rank,
                         const int64_t *dims, int with_zero, tenon_value *out[2]);
/* "OF_WHAT" */
const char *quant_named(const job *j, const char *of, const char *what);
int quant_name_node(const job *j, tenon_node *n, const char *of, const char *what);
/* The node's metadata: the width, and the fraction where there is one. */
int quant_annotate(const job *j, tenon_node *n, scheme s, const format *f, int64_t n_formats);
/* op(x, y), or op(x) where y is NULL, before a node. */
tenon_value *quant_build(const job *j, tenon_node *before, const char *op, tenon_value *x, tenon_value *y,
                         const char *attributes);

/* ---- insert.c, tables.c, dynamic.c ---- */
/* Puts QuantizeLinear and DequantizeLinear into the graph. */
int quant_insert(job *j);
int quant_insert_point(const job *j, const point *p);
/* Undoes it, of a point that nodes read. */
int quant_remove_point(const job *j, const point *p);
/* The weight's real numbers from its codes, or from those of them that have been picked. */
tenon_value *quant_dequantise(const job *j, const weight *w, tenon_value *codes, int axis, tenon_node *before);
int quant_insert_table(const job *j, weight *w);
/* Can rows be quantised while the model runs: a MatMul or Gemm with a constant matrix? */
int quant_can_be_dynamic(const job *j, tenon_node *n);
int quant_insert_dynamic(job *j, weight *w);

/* ---- bias.c ---- */
/* Gives every linear its float mean output, layer after layer. */
int quant_correct(job *j);
/* Writes biases as integers where that is asked for. */
int quant_biases(job *j);

/* ---- report.c ---- */
void quant_report(const job *j);
/* "Q3.5 of 8 bits", "8 bits, scale 0.013, zero 128" */
const char *quant_format_text(const job *j, scheme s, const format *f);

#endif
