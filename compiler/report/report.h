/* Reports: what was found, as a struct; and its two forms, lines for people and one JSON object. */
#ifndef TENON_REPORT_REPORT_H
#define TENON_REPORT_REPORT_H

#include "base/diag.h"
#include "base/dtype.h"
#include "base/text.h"
#include "data/data.h"
#include "passes/passes.h"
#include "schedule/schedule.h"

struct json;
struct cJSON;

/* Both forms, in the arena that the writing function got. */
typedef struct report {
    const char *text, *json;
} report;

/* What every report on a compiled model begins with. */
typedef struct report_head {
    const char *model; /* file name without folders */
    const char *backend;
    const char *target;
} report_head;

/* A tune file in use. */
typedef struct tuned_by {
    const char *file; /* NULL: none */
    int64_t used;     /* entries */
} tuned_by;

/* ---- cost_report.c: what inspect and bench say of the cost model ---- */
/* Multiply-accumulates in one kind of arithmetic. */
typedef struct macs_in {
    const char *precision; /* "8x8" bits of data and weights, "float" */
    int64_t macs;
} macs_in;

/* Of a run of the program. */
typedef struct cost_result {
    double weight_bits, data_bits; /* average, by element */
    const macs_in *macs;           /* the most first */
    size_t n_macs;
    int64_t bytes;     /* that its steps read and write */
    double cycles, us; /* predicted; us 0: the target is not this machine, or its clock is not known */
    double megahertz;
} cost_result;
void cost_report_text(strbuf *s, const cost_result *r, arena *a);
void cost_report_json(struct json *j, struct cJSON *parent, const cost_result *r);

/* ---- tune_report.c ---- */
/* A kernel. */
typedef struct tune_row {
    const char *node, *kernel, *default_choice;
    const char *choice;                 /* a faster one; NULL: none was found */
    double default_us, tuned_us, ratio; /* of that one; the ratio is the median of the rounds' ratios */
} tune_row;

typedef struct tune_result {
    report_head head;
    const char *cpu, *file;
    int threads;
    size_t n_entries, n_own; /* of the file; for this model, target and number of threads */
    int64_t variants;
    double seconds;
    bool stopped;
    double default_us, tuned_us, ratio; /* of whole runs; 0: not measured */
    const tune_row *rows;
    size_t n, n_faster;
} tune_result;
status tune_report(const tune_result *r, arena *a, report *out);
/* "FILE (12 of its entries)" and a newline; nothing where there is none. */
void tuned_report_text(strbuf *s, const tuned_by *t);
void tuned_report_json(struct json *j, const tuned_by *t);

/* ---- check_report.c ---- */
typedef struct check_case {
    const char *name; /* the data set's folder as it was given or found */
    bool passed;
    double error;       /* largest absolute difference */
    const char *output; /* where it is; NULL where nothing differs */
    int64_t element;
    int64_t n_beyond;   /* elements beyond the tolerances */
    const char *reason; /* of a failure that is not one of numbers; NULL */
    double ms;          /* of the run */
} check_case;

typedef struct check_result {
    report_head head;
    double rtol, atol;
    int64_t steps;
    const check_case *cases;
    size_t n, n_passed;
} check_result;
status check_report(const check_result *r, arena *a, report *out);
/* "largest error 1e-8 (output 'y', element 3)", or what else there is to say of the case. */
void check_report_case(strbuf *s, const check_case *c);

/* ---- suite_report.c ---- */
typedef enum suite_verdict {
    SUITE_PASS,
    SUITE_FAIL,
    SUITE_UNSUPPORTED,
    SUITE_INVALID,
    SUITE_CRASH,
    SUITE_TIMEOUT,
    SUITE_VERDICTS
} suite_verdict;

typedef struct suite_case {
    const char *name; /* the model's folder, below the suite's */
    suite_verdict is;
    const char *op;      /* the operator that it is about; "" where the model has none */
    const char *message; /* NULL where it passes */
    double ms;
} suite_case;

typedef struct suite_result {
    const char *backend, *target;
    double rtol, rtol_bf16, atol;
    const suite_case *cases;
    size_t n;
    size_t n_by[SUITE_VERDICTS];
} suite_result;
status suite_report(const suite_result *r, arena *a, report *out);

/* ---- node_report.c, trace_report.c: what `tenon bench --per-node` adds ---- */
typedef struct bench_part {
    int64_t index; /* in the file; -1: none */
    const char *op, *name;
} bench_part;

/* A node that leads a group, with everything that its kernels do. */
typedef struct bench_node {
    bench_part lead;
    const bench_part *fused; /* the other nodes of the group */
    size_t n_fused;
    const char *shapes;    /* "f32[1,8] -> f32[1,4]" */
    const char *precision; /* as of inspect_node */
    double us;             /* median, all calls */
    double cycles;         /* predicted */
    int64_t calls, macs, bytes;
} bench_node;

/* One call of a kernel, in one run. */
typedef struct bench_call {
    size_t node; /* entry of `at` below */
    const char *kernel;
    double begin_us, us;
    int64_t macs, bytes;
} bench_call;

typedef struct bench_nodes {
    const bench_node *at; /* in order of execution */
    size_t n;
    const bench_call *calls; /* of a run of median length */
    size_t n_calls;
    double run_us;          /* how long that run took */
    double sum_us, tick_us; /* of all nodes; what the clock costs a call */
    int64_t runs;
    double peak_gflops, bandwidth_gbs;
    int64_t bandwidth_bytes; /* what the bandwidth was measured on */
    const char *trace;       /* the file that was written; NULL none */
} bench_nodes;

/* ---- bench_report.c ---- */
typedef struct bench_result {
    report_head head;
    const char *cpu;
    int threads;
    double min_us, median_us, p99_us;
    int64_t runs;
    double import_ms, compile_ms;
    int64_t macs, arena_bytes, weight_bytes, code_bytes, resident_bytes;
    int64_t kernels, steps;
    const cost_result *cost; /* NULL: a model that comes compiled */
    tuned_by tuned;
    const bench_nodes *nodes; /* NULL: not asked for */
} bench_result;
status bench_report(const bench_result *r, arena *a, report *out);
/* The run as a Chrome trace. */
status trace_report(const bench_result *r, arena *a, const char **out);

/* ---- eval_report.c ---- */
/* How good one model is. */
typedef struct eval_score {
    const char *path;
    int64_t correct;
    double low, high; /* 95 % interval of the accuracy */
    double mse, sqnr;
} eval_score;

typedef struct eval_result {
    report_head head;
    const char *metric; /* "accuracy", "mse", "sqnr" */
    int64_t samples;
    eval_score score;
    bool has_against; /* another model, on the same samples: */
    eval_score against;
    paired pairs;
    int64_t same_class;
    double margin_mse; /* of the label's output before the best other, between the two; NAN where not known */
    double seconds;
    int64_t weight_bytes;
    double weight_bits, data_bits; /* average, by element */
} eval_result;
status eval_report(const eval_result *r, arena *a, report *out);

/* ---- explain_report.c ---- */
/* A form of the model on all samples: its output beside the float model's. */
typedef struct explain_score {
    squares error;
    int64_t correct;
} explain_score;

/* A node of the quantised model that reads quantised values. */
typedef struct explain_row {
    int64_t index; /* in its file; -1 none */
    const char *op, *name, *value;
    const char **weights, **data; /* formats, each once; NULL-terminated */
    bool is_compared;             /* its result is known in the float model: */
    comparison numbers;
    bool has_integers;
    double saturated;    /* the largest share of its data at the ends of their range */
    explain_score alone; /* the model with this node in floats */
} explain_row;

typedef struct explain_result {
    report_head head;
    const char *reference; /* the float model's path */
    bool is_own_reference; /* it is the quantised one, its quantisation taken out */
    int64_t samples;
    bool has_labels;
    explain_score floats, quantised;
    const explain_row *rows;
    size_t n;
} explain_result;
status explain_report(const explain_result *r, arena *a, report *out);

/* ---- diff_report.c ---- */
/* One form of a value. */
typedef struct diff_value {
    int64_t index; /* of the node that makes it, in its file; -1 none */
    const char *op, *name;
    const char *value, *type; /* "f32[1,16,32,32]" */
    bool is_quantised;        /* its integers are compared as what they stand for */
    bool has_integers;        /* and were counted: */
    double least, largest;    /* shares of them at the ends of their type's range */
    double saturated;         /* the same without an end that means zero */
} diff_value;

/* Both forms of a value. */
typedef struct diff_row {
    diff_value a, b;
    const char *by; /* how they were matched */
    bool is_of_b;   /* what b makes of a value that both have */
    bool is_input, is_output, same_bits;
    comparison numbers;
} diff_row;

/* A value that only one of them has, or that cannot be compared. */
typedef struct diff_lost {
    diff_value value;
    const char *reason; /* NULL: there is none of that name */
} diff_lost;

typedef struct diff_pass {
    const char *option, *text; /* "p", "pipeline"; what it says */
} diff_pass;

typedef struct diff_form {
    const char *path;
    const diff_pass *passes;
    size_t n_passes;
    const diff_lost *lost;
    size_t n_lost;
} diff_form;

typedef struct diff_result {
    report_head head;
    diff_form a, b;
    int64_t samples;
    double threshold;     /* dB */
    const diff_row *rows; /* in the order of a */
    size_t n;
} diff_result;
/* Is a value of the two forms more than r->threshold apart? */
bool diff_report_departs(const diff_result *r);
status diff_report(const diff_result *r, arena *a, report *out);

/* ---- run_report.c ---- */
typedef struct run_tensor {
    const char *name;
    dtype elem;
    int rank;
    const int64_t *dims;
    int64_t count;
    const void *data;
    const char *file; /* where it was written; NULL nowhere */
} run_tensor;

typedef struct run_result {
    report_head head;
    const run_tensor *outputs;
    size_t n_outputs;
    double ms;
} run_result;
status run_report(const run_result *r, arena *a, report *out);

/* ---- inspect_report.c ---- */
typedef struct inspect_tensor {
    const char *name, *type; /* "f32[batch,10]" */
} inspect_tensor;

typedef struct inspect_node {
    int64_t index;                  /* in the file; -1 made by tenon */
    const char *name, *op, *output; /* type of the first output */
    const char *precision;         /* what it computes in: "i8xi8->i32", "table", "int", "float"; "" where fused away */
    double weight_bits, data_bits; /* of an element of its constants, of what it computes; 0: there are none */
    int64_t macs, params, bytes,
        arena;     /* bytes of its outputs; bytes of the arena in use while it runs, 0 where fused into another */
    int64_t moved; /* bytes that its kernels read and write, */
    double cycles; /* and take, as predicted; both 0 where fused into another */
    int64_t zeros, matrix; /* zeros among the numbers of its weights; these */
    int64_t effective;     /* MACs by those that are not zero */
    int64_t stored;        /* bytes of the constants that its steps read */
} inspect_node;

/* All nodes of an operator. */
typedef struct inspect_operator {
    const char *op;
    int64_t nodes, macs, params;
} inspect_operator;

typedef struct inspect_result {
    report_head head;
    const char *graph;
    const inspect_tensor *inputs, *outputs;
    size_t n_inputs, n_outputs;
    const inspect_node *nodes;
    size_t n_nodes;
    const inspect_operator *operators; /* the most frequent first */
    size_t n_operators;
    int64_t file_nodes, params, param_bytes, macs, arena_bytes, arena_least, weight_bytes, kernels, steps;
    cost_result cost;
    int64_t zeros, matrix, effective;
    tuned_by tuned;
    const program_region *regions; /* of the arena; none: it is one */
    size_t n_regions;
} inspect_result;
status inspect_report(const inspect_result *r, arena *a, report *out);
/* Lists inputs or outputs, as lines and as a list of the object. */
void inspect_report_tensors(strbuf *s, const char *what, const inspect_tensor *t, size_t n);
void inspect_report_list(struct json *j, const char *name, const inspect_tensor *t, size_t n);
/* Lists regions, as lines and as a list of the object `parent`. */
void inspect_report_regions(strbuf *s, const program_region *r, size_t n, arena *a);
void inspect_report_region_list(struct json *j, struct cJSON *parent, const program_region *r, size_t n);

/* ---- shared_report.c: what inspect says of a model that comes compiled ---- */
typedef struct shared_result {
    const char *model; /* file name without folders */
    const char *name;  /* the prefix of its symbols */
    const inspect_tensor *inputs, *outputs;
    size_t n_inputs, n_outputs;
    int64_t arena_bytes, weight_bytes, code_bytes; /* weights: all constants, wherever they are */
    const program_region *regions;
    size_t n_regions;
    const char *weights_file; /* "in m.weights"; NULL where they are compiled in */
} shared_result;
status shared_report(const shared_result *r, arena *a, report *out);

/* ---- doctor_report.c ---- */
typedef struct doctor_item {
    const char *name; /* "C compiler" */
    bool there;
    const char *detail; /* version, path, or what is missing */
    const char *help;   /* how to get it; NULL */
} doctor_item;

typedef struct doctor_result {
    const char *version, *cpu, *target;
    int cores;
    int64_t memory_bytes;
    const char *const *targets; /* that run here */
    size_t n_targets;
    const doctor_item *items;
    size_t n_items;
} doctor_result;
status doctor_report(const doctor_result *r, arena *a, report *out);

/* ---- report.c ---- */
/* Columns: cells joined by two blanks or more, each column as wide as its widest cell. The first `n_left` columns are
 * aligned left, the others right. cells: n_rows * n_columns texts. */
void report_table(strbuf *s, const char *const *cells, size_t n_rows, size_t n_columns, size_t n_left);
/* "12", "1.5 K", "17.6 M" of `unit` */
const char *report_amount(arena *a, double x, const char *unit);
/* A node's name, cut to `longest` characters: long names differ at their ends. */
const char *report_name(arena *a, const char *name, size_t longest);
const char *report_shape(arena *a, int rank, const int64_t *dims);

/* ---- passes_report.c ---- */
/* Every pass of the registry in a line. */
status passes_report(const pass_registry *r, arena *a, report *out);
/* One pass with its options. */
status pass_report_one(const pass_entry *e, arena *a, report *out);
/* What passes reported of their work, as member "passes" of the JSON object *text, which is rewritten. */
status pass_reports_add(const pass_report *const *reports, size_t n, arena *a, const char **text);

#endif
