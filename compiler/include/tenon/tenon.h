/* tenon: from an ONNX model to fast CPU code. The embedding API, which the command `tenon` itself is written on.
 *
 *     tenon_context *context;                                  tenon_context_new(NULL, &context)
 *     tenon_options *options;                                  tenon_options_new(context, &options)
 *     tenon_options_set(options, "dim", "batch=1")             what the command's --dim batch=1 says
 *     tenon_graph *graph;                                      tenon_graph_open(context, "model.onnx", options, &graph)
 *     tenon_code *code;                                        tenon_code_new(graph, &code)
 *     tenon_code_run(code, inputs, outputs)                    as often as you like
 *     tenon_code_free, tenon_graph_free, tenon_options_free, tenon_context_free
 *
 * ERRORS. A call that can fail returns a tenon_status; what went wrong stands in the context's messages, in order. On
 * failure an out-parameter is NULL. Nothing exits, aborts or prints, except for broken invariants of tenon itself.
 * OWNERSHIP. Every handle is freed by its function, which takes NULL too. A handle must outlive what was made from it:
 * context, options, graph, code. Texts that a call returns live as long as the handle that they came from. THREADS. A
 * context and everything made from it is for one thread at a time. Different contexts know nothing of each other.
 * GROWTH. Structs that begin with struct_size grow at their end; fill it with sizeof.
 */
#ifndef TENON_H
#define TENON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TENON_API __attribute__((visibility("default")))
#define TENON_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TENON_API
#define TENON_PRINTF(text, first)
#endif

/* The values are the command's exit codes. */
typedef enum tenon_status {
    TENON_DONE = 0,
    TENON_DIFFER = 1,      /* outputs differ */
    TENON_USAGE = 2,       /* wrong usage */
    TENON_INVALID = 3,     /* a file is not valid */
    TENON_UNSUPPORTED = 4, /* valid, but not supported */
    TENON_RESOURCE = 5     /* the machine lacks memory, a file, permission, a program; or the host said stop */
} tenon_status;

/* "0.1.0" */
TENON_API const char *tenon_version(void);
/* The entry of `names` (n) nearest to `wrong`, NULL where none is near: for "did you mean". */
TENON_API const char *tenon_nearest(const char *wrong, const char *const *names, size_t n);

/* ---- context ---- */

/* What the embedder brings. Every function may be NULL; `data` is handed to each. They are called on the calling
 * thread. */
typedef struct tenon_host {
    uint32_t struct_size;
    void *data;
    /* The only source of memory: resize(data, NULL, 0, n) allocates n bytes aligned to 16, resize(data, p, n, 0) frees
     * and gives NULL. NULL when out of memory. Default: malloc and free. */
    void *(*resize)(void *data, void *block, size_t old_bytes, size_t new_bytes);
    /* Polled by long work: other than 0 ends it with TENON_RESOURCE and the message [stopped]. */
    int (*stop)(void *data);
    /* Long work tells how far it is; `total` is 0 where it is not known. */
    void (*progress)(void *data, const char *what, int64_t done, int64_t total);
    /* Text of the options dump-after, verbose and time-passes: whole lines. */
    void (*note)(void *data, const char *text);
} tenon_host;

typedef struct tenon_context tenon_context;

/* host is copied and may be NULL. TENON_RESOURCE when out of memory. */
TENON_API tenon_status tenon_context_new(const tenon_host *host, tenon_context **out);
TENON_API void tenon_context_free(tenon_context *context);

/* The messages since the last clearing. Each is a line, with further lines "note: ..."; no newline at the end. */
TENON_API size_t tenon_message_count(const tenon_context *context);
/* Message i, valid until the next call that adds or clears messages. Never NULL. */
TENON_API const char *tenon_message(tenon_context *context, size_t i);
/* Is message i an error (as opposed to a warning)? */
TENON_API int tenon_message_is_error(const tenon_context *context, size_t i);
TENON_API void tenon_messages_clear(tenon_context *context);
/* Adds an error of the embedder's own and returns `status`. `note` may be NULL. */
TENON_API tenon_status tenon_fail(tenon_context *context, tenon_status status, const char *id, const char *note,
                                  const char *format, ...) TENON_PRINTF(5, 6);

/* ---- options: those of the command, by name ---- */

/* Which commands an option belongs to. */
enum {
    TENON_COMPILE = 1,
    TENON_RUN = 2,
    TENON_CHECK = 4,
    TENON_BENCH = 8,
    TENON_EVAL = 16,
    TENON_INSPECT = 32,
    TENON_DIFF = 64,
    TENON_DRAW = 128,
    TENON_PASSES = 256,
    TENON_EXPLAIN = 512,
    TENON_TUNE = 1024
};

typedef struct tenon_option_info {
    const char *name;     /* "dim" */
    const char *argument; /* "NAME=N"; "[=N]" where it may be left out; NULL where it takes none */
    const char *help;
    unsigned commands; /* TENON_COMPILE | ... */
} tenon_option_info;

/* Every option in the order of help texts; NULL at the end. */
TENON_API const tenon_option_info *tenon_option_at(size_t i);

typedef struct tenon_options tenon_options;
TENON_API tenon_status tenon_options_new(tenon_context *context, tenon_options **out);
TENON_API void tenon_options_free(tenon_options *options);
/* Sets an option, or adds to one that may be given several times. TENON_USAGE for an unknown name or a bad value,
 * TENON_UNSUPPORTED for a value whose time has not come. */
TENON_API tenon_status tenon_options_set(tenon_options *options, const char *name, const char *value);
/* The command line (without the program) that generated code names as its origin. Where things lie is left out of it:
 * folders of files, and -o OUT. */
TENON_API tenon_status tenon_options_set_command(tenon_options *options, int n, const char *const *words);

/* Adds a plugin of this program's, as option plugin adds a file's: a descriptor as tenon/plugin.h has it, which has to
 * live as long as what is opened with the options. Its functions get `state`, `open` in *state. `where` says in
 * messages where it stands. It always runs in this process, whatever option isolate says, and the workers of
 * tenon_check_suite do not have it. What is wrong with it is said when a graph is opened. */
struct tenon_plugin;
TENON_API tenon_status tenon_options_add_plugin(tenon_options *options, const struct tenon_plugin *plugin, void *state,
                                                const char *where);

/* ---- graph: a model as it was read ---- */

typedef struct tenon_graph tenon_graph;
/* Reads a model file and changes it as option p says. All independent errors of the file are reported in one call. It
 * may also be a shared library with a compiled model, which is loaded into this process; options about compiling are
 * TENON_USAGE then, and so is tenon_emit. */
TENON_API tenon_status tenon_graph_open(tenon_context *context, const char *path, const tenon_options *options,
                                        tenon_graph **out);
TENON_API void tenon_graph_free(tenon_graph *graph);

/* ---- code: a model compiled for a back end ---- */

typedef struct tenon_code tenon_code;
/* Compiles. The dimensions must be bound by the options dim and shape. With the option stop-after there is no code:
 * TENON_USAGE. */
TENON_API tenon_status tenon_code_new(tenon_graph *graph, tenon_code **out);
TENON_API void tenon_code_free(tenon_code *code);

/* An input or output. element_type is a number of ONNX's TensorProto.DataType, as TENON_FLOAT in runtime.h. */
typedef struct tenon_tensor {
    const char *name;
    int element_type;
    int rank;
    const int64_t *dims;
    size_t bytes;
} tenon_tensor;
TENON_API size_t tenon_code_inputs(const tenon_code *code);
TENON_API size_t tenon_code_outputs(const tenon_code *code);
TENON_API tenon_tensor tenon_code_input(const tenon_code *code, size_t i);
TENON_API tenon_tensor tenon_code_output(const tenon_code *code, size_t i);
/* Runs it on `tenon_code_inputs` inputs, filling the outputs. TENON_INVALID where the data has an index out of range or
 * the like; TENON_DIFFER where the option backend is `all` and they do not agree to the bit. */
TENON_API tenon_status tenon_code_run(tenon_code *code, const void *const *inputs, void *const *outputs);

/* ---- emission ---- */

/* What option emit asks for, in memory. */
typedef struct tenon_files tenon_files;
TENON_API tenon_status tenon_emit(tenon_graph *graph, tenon_files **out);
TENON_API void tenon_files_free(tenon_files *files);
/* 0 where option stop-after ended the work before. */
TENON_API size_t tenon_files_count(const tenon_files *files);
/* A path inside a folder ("model.c", "tenon/runtime.h"); NULL where the form is a single text. */
TENON_API const char *tenon_files_name(const tenon_files *files, size_t i);
TENON_API const void *tenon_files_data(const tenon_files *files, size_t i, size_t *out_bytes);
/* Writes them: into the folder `path` (made where missing), or as the file `path` where the form is a single text. */
TENON_API tenon_status tenon_files_write(const tenon_files *files, const char *path);

/* ---- reports ---- */

typedef struct tenon_report tenon_report;
/* What was emitted: names and sizes. */
TENON_API tenon_status tenon_files_report(const tenon_files *files, tenon_report **out);
TENON_API void tenon_report_free(tenon_report *report);
/* For people: lines, ending with a newline. */
TENON_API const char *tenon_report_text(const tenon_report *report);
/* The same as one JSON object, in UTF-8. */
TENON_API const char *tenon_report_json(const tenon_report *report);

/* Runs the model on the .npy files of option input; with `folder` (created where missing) the outputs go there as .npy.
 */
TENON_API tenon_status tenon_run(tenon_graph *graph, const char *folder, tenon_report **out);
/* Runs ONNX test data: each folder is a data set (input_0.pb ..., output_0.pb ...) or holds some (test_data_set_0 ...).
 * Returns TENON_DIFFER, with a report, where an output is beyond the tolerances. */
TENON_API tenon_status tenon_check(tenon_graph *graph, const char *const *folders, size_t n, tenon_report **out);
/* Runs every model.onnx below `folder` on the data sets beside it, each case in a worker process, as many at once as
 * there are processors. Tolerances that are not set are those of the ONNX project: rtol 1e-3, for bfloat16 outputs
 * 2^-6, atol 1e-7; option isolate limits each case. With a report: TENON_DIFFER where a case fails, is not valid,
 * crashes or is not done in time; else TENON_UNSUPPORTED where one is not supported; else TENON_DONE. */
TENON_API tenon_status tenon_check_suite(const tenon_options *options, const char *folder, tenon_report **out);
/* Times the model on seeded inputs; with the options per-node and trace by node, too. */
TENON_API tenon_status tenon_bench(tenon_graph *graph, tenon_report **out);
/* Measures in option time which tiles are faster for the model's contractions than those that the cost model chooses,
 * on seeded inputs, for option target (which must run here) and threads. What is found goes into `file`, where option
 * tune can read it; what that has of other kernels, targets and numbers of threads stays. Where the host says stop,
 * what was found by then is written. TENON_INVALID where there is a file that is no tune file. */
TENON_API tenon_status tenon_tune(tenon_graph *graph, const char *file, tenon_report **out);
/* Accuracy or error on the labelled data of option data. */
TENON_API tenon_status tenon_eval(tenon_graph *graph, tenon_report **out);
/* Compares the values inside two forms of a model, node by node, on the data of option data: the graph's against those
 * of the model file `other`; or, where that is NULL, those of the graph's own file as it was before option p against
 * the graph's. Returns TENON_DIFFER, with a report, where one departs by more than option threshold. */
TENON_API tenon_status tenon_diff(tenon_graph *graph, const char *other, tenon_report **out);
/* Where a quantised model loses its accuracy, on the data of option data: each node that reads quantised values, what
 * the float model (of option against; else the graph's file before option p; else the graph without its quantisation)
 * has in its place, and what the output gains where that node alone computes with floats. */
TENON_API tenon_status tenon_explain(tenon_graph *graph, tenon_report **out);
/* Draws the graph into `file`, whose name ends with .svg, .png, .pdf or .dot. With the model file `other` (may be NULL)
 * in one picture what has gone, come and changed since that one, which is taken as its file has it, without option p.
 */
TENON_API tenon_status tenon_draw(tenon_graph *graph, const char *other, const char *file, tenon_report **out);
/* Operators, parameters, multiply-accumulates and memory, by node and in total. */
TENON_API tenon_status tenon_inspect(tenon_graph *graph, tenon_report **out);
/* Every operator that tenon knows, or the one called `name`. */
TENON_API tenon_status tenon_operators(tenon_context *context, const char *name, tenon_report **out);
/* The stages and passes that a model goes through with these options. */
TENON_API tenon_status tenon_pipeline(const tenon_options *options, tenon_report **out);
/* Every pass, of the plugins that are found with these options too, or the one called `name` with its options. */
TENON_API tenon_status tenon_passes(const tenon_options *options, const char *name, tenon_report **out);
/* Runs the plugin in `file` on the cases *.graph of a folder: a line "# pass: NAME[:ITEMS]", a graph in its text form,
 * a line ---, and the graph that it has to become; with a second line "# error: ID" the pass has to fail so.
 * TENON_DIFFER, with a report, where one fails. */
TENON_API tenon_status tenon_passes_test(const tenon_options *options, const char *file, const char *folder,
                                         tenon_report **out);
/* Writes a plugin called `name`, with its CMakeLists.txt and tests, into the folder (made where missing):
 * plugins/example under another name. TENON_USAGE where the name is none, or a file is there already. */
TENON_API tenon_status tenon_passes_new(tenon_context *context, const char *name, const char *folder,
                                        tenon_report **out);
/* Looks for what is wrong with the plugin in `file`, in processes of its own: TENON_INVALID, TENON_UNSUPPORTED (its
 * version) or TENON_RESOURCE (it cannot be loaded), with a report, where something is. */
TENON_API tenon_status tenon_passes_check(const tenon_options *options, const char *file, tenon_report **out);
/* What this machine has, what is missing and how to get it. */
TENON_API tenon_status tenon_doctor(tenon_context *context, tenon_report **out);

/* ---- the program lib/tenon/tenon-worker, in which plugins run with the option isolate, and suites ---- */

/* All of its main: does the work that the process was started for, and gives the exit status. For no other program. */
TENON_API int tenon_worker(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
