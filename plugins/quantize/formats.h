/* Number formats and how one is chosen for numbers: mathematics alone, no graph. */
#ifndef QUANTIZE_FORMATS_H
#define QUANTIZE_FORMATS_H

#include <stdint.h>

/* How integers stand for reals. FIXED: q * 2^-frac. SYMMETRIC: q * scale. AFFINE: (q - zero) * scale. */
typedef enum scheme { SCHEME_FIXED, SCHEME_AFFINE, SCHEME_SYMMETRIC } scheme;

/* How fraction or scale is chosen. RANGE: nothing saturates; PERCENTILE: that share of the numbers does not; MSE: the
 * least squared error; ENTROPY: the least divergence of the distribution; HALF: width / 2, whatever the numbers. */
typedef enum method { METHOD_RANGE, METHOD_PERCENTILE, METHOD_MSE, METHOD_ENTROPY, METHOD_HALF } method;

typedef struct format {
    int width; /* bits: 2 to 32 */
    int is_signed;
    int frac;     /* FIXED */
    int64_t zero; /* AFFINE */
    float scale;  /* FIXED: 2^-frac */
} format;

/* What is to be chosen. */
typedef struct choice {
    scheme scheme;
    method method;
    int width, is_signed;
    double percentile; /* 0 to 100 */
} choice;

/* The integers that there are. */
int64_t format_least(const format *f);
int64_t format_most(const format *f);
/* As QuantizeLinear rounds x: in float32, to nearest even, saturated. */
int64_t format_code(const format *f, float x);
/* What the integer stands for. */
float format_number(const format *f, int64_t code);
float format_round(const format *f, float x);
format format_fixed(int width, int is_signed, int frac);
/* Covers low to high, and 0. */
format format_covering(const choice *c, double low, double high);

/* ---- histograms: of any number of numbers, in one pass. The bins halve in resolution when a number does not fit, so
 * the result does not depend on how the numbers are divided among calls. ---- */

enum { HISTOGRAM_BINS = 4096 };
typedef struct histogram {
    double low, high; /* of the finite numbers, once n > 0 */
    double reach;     /* bins are those of -reach to reach: a power of two */
    int64_t n, zeros; /* zeros are in no bin */
    int64_t bins[HISTOGRAM_BINS];
} histogram;

void histogram_begin(histogram *h);
void histogram_add(histogram *h, const float *x, int64_t n);
/* The squared error, summed, of the numbers in a format. */
double histogram_error(const histogram *h, const format *f);

/* ---- choosing ---- */

/* Scales that are tried are so far apart: a sixteenth of an octave. */
#define FORMAT_STEP 0.957603280698573647

/* For what a histogram has seen. */
format choose_for_histogram(const choice *c, const histogram *h);
/* For n numbers, exactly; `h` is room. */
format choose_for_numbers(const choice *c, const float *x, int64_t n, histogram *h);
/* The squared error, summed, of n numbers in a format. */
double numbers_error(const float *x, int64_t n, const format *f);

#endif
