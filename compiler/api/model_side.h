/* A model of the two that a command compares: from its file to runs on the samples of one data set. */
#ifndef TENON_API_MODEL_SIDE_H
#define TENON_API_MODEL_SIDE_H

#include "api/fed_data.h"

typedef struct model_side {
    tenon_graph *opened; /* by model_side_open; NULL */
    tenon_graph t;       /* with the options that concern it */
    tenon_options o;
    fed_data fed;
    tenon_code *code;
    void **outputs;
    const void **inputs;
} model_side;

/* An output whose elements stand for (x - zero) * scale: integers at a model's end are what a QuantizeLinear has made
 * of real numbers. */
typedef struct real_output {
    int number;
    double scale, zero;
} real_output;

/* ---- model_side.c ---- */
/* Opens a model file without what the options p and pipeline say. Dumps and stops concern only the graph that they
 * made. */
status model_side_open(model_side *s, tenon_context *c, const tenon_options *o, const char *path);
/* s is t, with its options. */
void model_side_take(model_side *s, const tenon_graph *t);
/* Each takes those of the options dim, shape and freeze that concern its model; what concerns neither is a's, who
 * complains of it. */
status model_side_options(model_side *a, const tenon_graph *of_a, model_side *b, const tenon_graph *of_b,
                          arena *memory);
/* Opens the data of o, whose options map and scale may name inputs of a, or of b (NULL: there is none). */
status model_side_open_data(const model_side *a, const model_side *b, const tenon_options *o, arena *memory,
                            data_file *out);
/* Reads the data and compiles; s->code stays NULL where option stop-after ended it. */
status model_side_compile(model_side *s, data_file *file, arena *memory);
/* Makes room for a sample, and for what s->code makes of it. */
status model_side_prepare(model_side *s, arena *memory);
status model_side_run(model_side *s, int64_t sample);
/* Output `number` of s's code, read as the graph says. */
real_output model_side_output(const model_side *s, int number);
/* The output with the classes: the first of more than one element. False where there is none; *out is the first then.
 */
bool model_side_classes(const model_side *s, real_output *out);
int64_t model_side_elements(const model_side *s, const real_output *o);
/* Element i of it, after a run. */
double model_side_element(const model_side *s, const real_output *o, int64_t i);
void model_side_free(model_side *s);

#endif
