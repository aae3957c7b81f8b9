/* A data set on its way into a model: the arrays of an .npz file, as samples of the inputs. */
#ifndef TENON_API_FED_DATA_H
#define TENON_API_FED_DATA_H

#include "api/handles.h"
#include "data/data.h"

/* The file of option data. Arrays are read once, whoever asks for them. */
typedef struct data_file {
    tenon_context *c;
    const tenon_options *o;
    arena *memory; /* of all that is read */
    npz *file;
    map arrays;                /* name -> array */
    int64_t samples;           /* -1 until an array has been read */
    const bound_inputs *bound; /* for inputs that the file has no array for; NULL */
    const char *map, *scale;   /* what messages call the options */
} data_file;

/* An input of the model, and the array that brings its samples. */
typedef struct fed_input {
    const value *v;         /* of the imported graph */
    const tensor *bound;    /* is what it is always fed; NULL: the array counts */
    const char *array_name; /* in the file; NULL none */
    const array *samples;
    array_want want;
    input_shape shape; /* of one sample */
    void *data;        /* of the sample that is being run */
    int64_t count;     /* elements of it */
} fed_input;

/* The inputs of a model that are not frozen, in its order. */
typedef struct fed_data {
    data_file *file;
    fed_input *at;
    size_t n;
} fed_data;

/* ---- fed_data.c ---- */
/* [usage] where option data was not given; npz_open's errors. */
status data_file_open(tenon_context *c, const tenon_options *o, arena *a, data_file *out);
bool data_file_has(const data_file *f, const char *name);
/* An array whose first dimension is the samples, as many as every other has ([wrong-shape]); `hint` is the note where
 * there is none of this name. */
status data_file_array(data_file *f, const char *name, const char *hint, const array **out);
/* How many samples to take, by option limit. */
int64_t data_file_samples(const data_file *f);
/* Finds the arrays of t's inputs, by t's options freeze, map and scale. */
status fed_data_read(data_file *f, const tenon_graph *t, fed_data *out);
/* The shapes of one sample, for code_new. */
status fed_data_shapes(const fed_data *fed, const input_shape **out, size_t *out_n);
/* Makes room for a sample of each input of the code. */
status fed_data_prepare(fed_data *fed, const tenon_code *code);
/* Converts sample i; inputs: room for fed->n pointers, in the order of the code's inputs. */
status fed_data_sample(fed_data *fed, int64_t i, const void **inputs);

#endif
