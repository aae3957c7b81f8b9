/* The options of quantize. */
#include <string.h>

#include "quantize.h"

static const char *const schemes[] = {"fixed", "affine", "symmetric", NULL};
static const char *const methods[] = {"range", "percentile", "mse", "entropy", "half", NULL};
static const char *const granularities[] = {"tensor", "channel", "block", NULL};
static const char *const places[] = {"operands", "all", "dynamic", NULL};
static const char *const ends[] = {"float", "integer", NULL};
static const char *const signs[] = {"auto", "signed", NULL};
static const char *const kinds[] = {"weights", "all", NULL};
static const char *const roundings[] = {"nearest", "hessian", NULL};

#define OPTION(variable, kind, name, argument, help, otherwise, least, most, choices)                                  \
    static const tenon_option variable = {sizeof variable, kind, name, argument, help, otherwise, least, most, choices}

OPTION(o_format, TENON_OPTION_ENUM, "format", "FORMAT",
       "fixed: q * 2^-frac; affine: (q - zero) * scale; symmetric: q * scale", "fixed", 0, 0, schemes);
OPTION(o_data_width, TENON_OPTION_INT, "data_width", "BITS", "of values between operators: 2 to 16; 0: floats", "8", 0,
       16, NULL);
OPTION(o_weight_width, TENON_OPTION_INT, "weight_width", "BITS", "of weights: 2 to 16; 0: floats", "8", 0, 16, NULL);
OPTION(o_table_width, TENON_OPTION_INT, "table_width", "BITS",
       "of Gather's tables (embeddings) and of constants like them; without it as weight_width", NULL, 0, 16, NULL);
OPTION(o_bias_width, TENON_OPTION_INT, "bias_width", "BITS", "of biases: 2 to 32; 0: floats", "0", 0, 32, NULL);
OPTION(o_data_frac, TENON_OPTION_INT, "data_frac", "BITS", "fraction bits of data; without it, frac= chooses", NULL,
       -60, 60, NULL);
OPTION(o_weight_frac, TENON_OPTION_INT, "weight_frac", "BITS", "fraction bits of weights and tables, likewise", NULL,
       -60, 60, NULL);
OPTION(o_bias_frac, TENON_OPTION_INT, "bias_frac", "BITS", "fraction bits of biases, likewise", NULL, -60, 60, NULL);
OPTION(o_frac, TENON_OPTION_ENUM, "frac", "METHOD",
       "how fractions and scales are chosen: range, percentile, mse, entropy, or half of the width", "mse", 0, 0,
       methods);
OPTION(o_percentile, TENON_OPTION_FLOAT, "percentile", "P", "of frac=percentile: how much does not saturate", "99.99",
       50, 100, NULL);
OPTION(o_per, TENON_OPTION_ENUM, "per", "WHAT", "a weight has one fraction or scale per tensor, channel or block",
       "channel", 0, 0, granularities);
OPTION(o_block, TENON_OPTION_INT, "block", "N", "inputs that make a block, with per=block", "32", 2, 65536, NULL);
OPTION(
    o_data, TENON_OPTION_ENUM, "data", "WHERE",
    "operands: in front of what multiplies; all: behind every operator, for machines without floats; dynamic: rows of "
    "MatMul and Gemm while the model runs",
    "operands", 0, 0, places);
OPTION(o_ends, TENON_OPTION_ENUM, "ends", "TYPE", "with data=all: of the model's inputs and outputs", "float", 0, 0,
       ends);
OPTION(o_sign, TENON_OPTION_ENUM, "sign", "SIGN", "auto: data that are never negative are unsigned", "auto", 0, 0,
       signs);
OPTION(o_rounding, TENON_OPTION_ENUM, "rounding", "METHOD",
       "of weights: nearest, or hessian, by which errors make up for each other", "nearest", 0, 0, roundings);
OPTION(o_smooth, TENON_OPTION_FLOAT, "smooth", "ALPHA",
       "SmoothQuant: what large channels of data have too much goes into the weights; 0: nothing of it, 1: all", NULL,
       0, 1, NULL);
OPTION(o_equalise, TENON_OPTION_BOOL, "equalise", "true|false",
       "cross-layer equalisation: channels between two linears get a scale with which both weights have like ranges",
       "false", 0, 0, NULL);
OPTION(o_calibration, TENON_OPTION_STRING, "calibration", "FILE.npz",
       "inputs to calibrate with, as tenon eval --data has them", NULL, 0, 0, NULL);
OPTION(o_samples, TENON_OPTION_INT, "samples", "N", "of the file, at most", "128", 1, 1000000, NULL);
OPTION(o_map, TENON_OPTION_LIST, "calibration_map", "INPUT=ARRAY,...", "arrays of the file that are called otherwise",
       NULL, 0, 0, NULL);
OPTION(o_scale, TENON_OPTION_LIST, "calibration_scale", "INPUT=X,...", "factors of the file's numbers", NULL, 0, 0,
       NULL);
OPTION(o_auto, TENON_OPTION_STRING, "auto", "accuracy:POINTS",
       "widths of weights: the fewest bits that lose at most so many points on the calibration data", NULL, 0, 0, NULL);
OPTION(o_auto_widths, TENON_OPTION_ENUM, "auto_widths", "WHAT", "of auto=: weights, or all: of data, too", "weights", 0,
       0, kinds);
OPTION(o_auto_samples, TENON_OPTION_INT, "auto_samples", "N", "that auto= judges by, at most", "512", 1, 1000000, NULL);
OPTION(o_label, TENON_OPTION_STRING, "label", "ARRAY", "of the file: the classes, for auto=", "label", 0, 0, NULL);
OPTION(o_bias_correction, TENON_OPTION_BOOL, "bias_correction", "true|false",
       "biases make up for the mean error, where there are calibration data", "true", 0, 0, NULL);
OPTION(o_select, TENON_OPTION_SELECTOR, "select", "NODES", "quantises these only", NULL, 0, 0, NULL);
OPTION(o_keep, TENON_OPTION_SELECTOR, "keep", "NODES", "leaves these in floats", NULL, 0, 0, NULL);

const tenon_option *const quant_options[] = {
    &o_format,    &o_data_width,      &o_weight_width, &o_table_width, &o_bias_width,
    &o_data_frac, &o_weight_frac,     &o_bias_frac,    &o_frac,        &o_percentile,
    &o_per,       &o_block,           &o_data,         &o_ends,        &o_sign,
    &o_rounding,  &o_smooth,          &o_equalise,     &o_calibration, &o_samples,
    &o_map,       &o_scale,           &o_auto,         &o_auto_widths, &o_auto_samples,
    &o_label,     &o_bias_correction, &o_select,       &o_keep,        NULL};

const tenon_option *const quant_whole[] = {&o_ends, &o_calibration, &o_samples,      &o_map,   &o_scale,
                                           &o_auto, &o_auto_widths, &o_auto_samples, &o_label, &o_bias_correction,
                                           NULL};

/* ---- reading them ---- */

static int choice_of(const job *j, const char *name, const tenon_node *node, const char *const *choices) {
    const char *text = j->option->text(j->host, name, node);
    int i = 0;
    while (choices[i + 1] != NULL && (text == NULL || strcmp(choices[i], text) != 0))
        i++;
    return i;
}

static int width_of(const job *j, const char *name, const tenon_node *node, int *out) {
    *out = (int)j->option->integer(j->host, name, node);
    if (*out != 1)
        return TENON_OK;
    j->diag->error(j->host, node, "usage",
                   "%s=1: a number of one bit is not supported; give 2 or more, or 0 for floats", name);
    return TENON_PASS_USAGE;
}

static int contradiction(const job *j, const tenon_node *node, const char *text) {
    j->diag->error(j->host, node, "usage", "%s", text);
    return TENON_PASS_USAGE;
}

/* An option without a default: was it given? */
static int has_number(const job *j, const char *name, const tenon_node *node, int *out) {
    *out = 0;
    if (!j->option->given_for(j->host, name, node))
        return 0;
    *out = (int)j->option->integer(j->host, name, node);
    return 1;
}

static int is_all(const job *j, const tenon_node *node) {
    return strcmp(j->option->text(j->host, "data", node), "all") == 0;
}

static int check(const job *j, const tenon_node *node, const settings *s) {
    if (is_all(j, node) != is_all(j, NULL))
        return contradiction(j, node, "data=all is of the pass as a whole: it cannot differ by node");
    if (s->scheme != SCHEME_FIXED && (s->has_data_frac || s->has_weight_frac || s->has_bias_frac))
        return contradiction(j, node, "data_frac, weight_frac and bias_frac are of format=fixed");
    if (s->scheme != SCHEME_FIXED && s->method == METHOD_HALF)
        return contradiction(j, node, "frac=half is of format=fixed: other formats have no fraction");
    if (s->dynamic && (s->data_width > 8 || s->weight_width > 8))
        return contradiction(j, node, "data=dynamic multiplies bytes: data_width and weight_width are 8 at most");
    if (s->dynamic && s->has_data_frac)
        return contradiction(j, node, "data_frac says what data=dynamic finds while the model runs: give one of them");
    if (s->dynamic && s->per == PER_BLOCK)
        return contradiction(j, node, "data=dynamic scales results by column: per=channel or per=tensor");
    return TENON_OK;
}

int quant_settings(const job *j, const tenon_node *node, settings *out) {
    memset(out, 0, sizeof *out);
    out->scheme = (scheme)choice_of(j, "format", node, schemes);
    out->method = (method)choice_of(j, "frac", node, methods);
    out->per = (granularity)choice_of(j, "per", node, granularities);
    out->always_signed = choice_of(j, "sign", node, signs) == 1;
    out->hessian = choice_of(j, "rounding", node, roundings) == 1;
    out->dynamic = choice_of(j, "data", node, places) == 2;
    out->equalise = j->option->boolean(j->host, "equalise", node);
    out->smooths = j->option->given_for(j->host, "smooth", node);
    out->smooth = out->smooths ? j->option->real(j->host, "smooth", node) : 0;
    TRY(width_of(j, "data_width", node, &out->data_width));
    TRY(width_of(j, "weight_width", node, &out->weight_width));
    TRY(width_of(j, "bias_width", node, &out->bias_width));
    if (!has_number(j, "table_width", node, &out->table_width))
        out->table_width = out->weight_width;
    else
        TRY(width_of(j, "table_width", node, &out->table_width));
    out->has_data_frac = has_number(j, "data_frac", node, &out->data_frac);
    out->has_weight_frac = has_number(j, "weight_frac", node, &out->weight_frac);
    out->has_bias_frac = has_number(j, "bias_frac", node, &out->bias_frac);
    out->block = j->option->integer(j->host, "block", node);
    out->percentile = j->option->real(j->host, "percentile", node);
    return check(j, node, out);
}

int quant_is_selected(const job *j, const tenon_node *node) {
    int all = j->option->count(j->host, "select", NULL) == 0;
    return (all || j->option->selects(j->host, "select", node)) && !j->option->selects(j->host, "keep", node);
}
