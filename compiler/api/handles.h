/* Inside of the handles of tenon.h: graphs and code. */
#ifndef TENON_API_HANDLES_H
#define TENON_API_HANDLES_H

#include "api/engine.h"
#include "api/pipeline.h"
#include "api/shared_model.h"

struct tenon_graph {
    tenon_context *c;
    const tenon_options *o;
    arena *memory;
    const char *path;
    const char *file;   /* without folders */
    const char *prefix; /* option name, or the file's stem as an identifier */
    pass_plan plan;
    graph *g;                                /* as imported and changed by -p; what is compiled is a copy */
    int64_t file_nodes, params, param_bytes; /* as imported */
    word_list file_inputs, file_outputs;     /* names, as imported: test data are numbered so */
    shared_model *shared;                    /* where the model comes compiled; else NULL, as nearly always */
    double import_ms;
    bool stopped; /* by option stop-after, at import */
    bool seen;    /* a build has gone by: dumps and times are said once */
};

/* ---- open_graph.c ---- */
/* A copy of the imported graph, taken through the stages up to `last`. w is filled; on success its graph (and its
 * arena, from lower on) are the caller's, who frees them by model_build_free. */
status model_build(tenon_graph *t, const input_shape *shapes, size_t n_shapes, const target *machine,
                   const char *origin, stage_id last, pipeline *out);
/* Another of what has come through PIPELINE_PASSES: a graph and an arena of its own, and silent. */
status model_build_copy(const pipeline *from, pipeline *out);
void model_build_free(pipeline *w);
/* Is v a parameter: a constant that is no index, no flag, and more than one number? */
bool model_is_parameter(const value *v);
/* The target of option target, else `otherwise`; a shared model has its own. */
const target *model_target(const tenon_graph *t, const char *otherwise);

struct tenon_code {
    tenon_context *c;
    arena *memory; /* of this struct, buffers and the program */
    pipeline built;
    const program *p;
    engine engines[ENGINES_MAX];
    size_t n_engines;
    struct tenon_pool *pool; /* of option threads; NULL: one thread */
    void *scratch;
    void **others; /* outputs of the engines after the first */
    program_facts facts;
    double compile_ms;
};

/* ---- compiled.c ---- */
/* tenon_code_new, with the shapes of data. *out stays NULL (and the status OK) where option stop-after ended it. */
status code_new(tenon_graph *t, const input_shape *shapes, size_t n_shapes, tenon_code **out);
/* The same of a graph that model_build has taken through PIPELINE_PASSES, and that may have been changed since. What
 * `built` owns is the code's from then on; on failure to make even that, it stays the caller's. */
status code_new_built(tenon_graph *t, pipeline *built, tenon_code **out);
status code_run(tenon_code *code, const void *const *inputs, void *const *outputs);
/* What a run's code means: [run] STATUS_INVALID where it is not 0. */
status code_check(const tenon_code *code, int number);
/* Runs only the first engine: for timing. */
status code_run_once(tenon_code *code, const void *const *inputs, void *const *outputs);
const program_buffer *code_input(const tenon_code *code, size_t i);
const program_buffer *code_output(const tenon_code *code, size_t i);
size_t code_buffer_bytes(const program_buffer *b);
/* Zeroed memory for each output of the program, in `a`. */
status program_new_outputs(const program *p, arena *a, void ***out);
/* The same bits, where any NaN is any NaN? *out_first: the first element that is not. */
bool code_same_bits(dtype t, const void *x, const void *y, int64_t n, int64_t *out_first);

#endif
