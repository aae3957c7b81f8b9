/* Data files: .npy and .npz arrays, their conversion to a model's inputs, and metrics. All files are untrusted. */
#ifndef TENON_DATA_DATA_H
#define TENON_DATA_DATA_H

#include "base/diag.h"
#include "base/dtype.h"

#define DATA_MAX_RANK 16

/* A dense row-major array in an arena. */
typedef struct array {
    dtype elem;
    int rank;
    int64_t dims[DATA_MAX_RANK];
    int64_t count;
    void *data;
} array;

/* ---- npy.c: NumPy's format, versions 1 to 3; Fortran order is converted; big-endian, structured, string and object
 * arrays are refused. `name` stands in diagnostics. [npy] STATUS_INVALID, [file] STATUS_RESOURCE. ---- */
status npy_parse(const void *bytes, size_t n, const char *name, arena *a, diag *d, array *out);
status npy_read(const char *path, arena *a, diag *d, array *out);
/* Element types that NumPy lacks are written as the unsigned integer of their width (bfloat16 as uint16), sub-byte
 * types one a byte. */
status npy_write(const char *path, const array *x, arena *scratch, diag *d);

/* ---- npz.c ---- */
typedef struct npz npz;
/* Opens the file; arrays are read on demand. Closed with the arena. [npz] STATUS_INVALID, [file] STATUS_RESOURCE. */
status npz_open(const char *path, arena *a, diag *d, npz **out);
size_t npz_count(const npz *z);
const char *npz_name(const npz *z, size_t i); /* without ".npy" */
/* Reads array `name` into `a`. [missing-array] STATUS_INVALID lists the arrays there are. */
status npz_read(npz *z, const char *name, arena *a, diag *d, array *out);

/* ---- convert.c ---- */
/* What the model wants of one input. scale multiplies first; then, where quantised, x / quantum + zero_point rounds
 * half to even and saturates. */
typedef struct array_want {
    const char *name; /* input's, for diagnostics */
    dtype elem;
    double scale; /* 1: none */
    bool quantised;
    double quantum;
    int64_t zero_point;
    bool real; /* the array's integers are real values: see array_prepare */
} array_want;
/* Decides how x's integers are meant for a quantised input: as they are, where all of them fit; else as real values to
 * be quantised (pixels of 0 to 255 for an int8 model). */
void array_prepare(const array *x, array_want *want);
/* Sample i (along the first dimension) of x as `count` elements of want->elem in out (count * element size bytes).
 * Integers are converted where every value fits ([value-range] STATUS_INVALID says which does not); a real for an
 * integer input that is not quantised is refused ([wrong-type]). */
status array_sample(const array *x, int64_t i, const array_want *want, int64_t count, void *out, diag *d);
/* The whole of x, likewise. */
status array_convert(const array *x, const array_want *want, void *out, diag *d);

/* ---- metrics.c ---- */
typedef struct accuracy {
    int64_t samples, correct;
} accuracy;
/* Index of the first largest of n elements (NaN never is). */
int64_t metric_argmax(dtype t, const void *data, int64_t n);
/* Wilson's 95 % interval of a proportion. */
void metric_wilson(int64_t correct, int64_t samples, double *out_low, double *out_high);
/* Scores that two models have on the same samples. */
typedef struct paired {
    int64_t n, first_better, second_better; /* samples; those where one's score is larger */
    double sum, squares;                    /* of the differences, first - second */
} paired;
void metric_pair(double first, double second, paired *into);
/* 95 % interval of the mean difference: of scores that are 0 or 1 by Agresti and Min (Statistics in Medicine 24, 2005),
 * half a sample added to each of the four cells; of others by the normal approximation. */
void metric_paired_proportions(const paired *p, double *out_low, double *out_high);
void metric_paired_means(const paired *p, double *out_low, double *out_high);
/* Sums of squares over n elements: of the reference and of the difference. mse = noise / n, sqnr = 10 log10(signal /
 * noise) dB. */
typedef struct squares {
    double signal, noise;
    int64_t n;
} squares;
void metric_squares(dtype t, const void *reference, const void *x, int64_t n, squares *into);
double metric_sqnr(const squares *s);

/* Two forms x (the reference) and y of a value, element by element. Where one of them is infinite or NaN, the elements
 * enter no sum: they only count, in n_odd, unless both are the same. */
typedef struct comparison {
    squares squares;       /* of x, and of y - x; squares.n counts every element */
    double other, product; /* sums of y * y and of x * y */
    double error_sum, error_max;
    int64_t n_differ, n_odd;
    double low[2], high[2]; /* least and largest of x, of y; low above high where there is none */
} comparison;
comparison metric_comparison(void); /* of nothing */
void metric_compare(dtype tx, const void *x, dtype ty, const void *y, int64_t n, comparison *into);
/* 1 where both are zero all over, 0 where only one is. */
double metric_cosine(const comparison *c);
double metric_mean_error(const comparison *c);

/* How many of the elements of an integer tensor are the least and the largest that its type has. */
typedef struct saturation {
    int64_t n, least, largest;
} saturation;
void metric_saturation(dtype t, const void *x, int64_t n, saturation *into);

#endif
