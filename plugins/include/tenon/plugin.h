/* tenon/plugin.h: what a plugin and tenon know of each other. Standalone C99; a plugin links to nothing of tenon.
 *
 * A plugin is a shared object with one visible symbol, tenon_plugin_query, which hands out a constant tenon_plugin:
 * passes with their options. A pass gets the graph of a model and changes it through the functions of the interfaces
 * below. docs/plugins.md goes from nothing to a working pass.
 *
 * VERSIONS. TENON_PLUGIN_ABI is major << 16 | minor. A plugin loads where its major is the host's and its minor is not
 * above: what is built for 1.0 loads in every tenon with 1.x. What came later says "since 1.N". GROWTH. Every struct
 * begins with struct_size, which its maker sets to sizeof; fields are only ever added at the end, and one that an older
 * maker may lack is read only where TENON_HAS says that it is there. Lists are NULL-terminated arrays of pointers.
 * OWNERSHIP. Each side frees what it has allocated. What the host returns (handles, texts, arrays) is the host's:
 * handles live until the pass returns or the thing is erased, texts and arrays until the next change of the graph.
 * THREADS. A plugin is called by one thread at a time for one model; two models may be worked on by two threads at
 * once, so a plugin has no mutable globals. The host's functions are called on the thread that called the plugin.
 * FAILURE. A pass that fails says why through diag->error and returns one of the codes below; so do the host's
 * functions that return int (TENON_OK or a code) or a pointer (NULL), which have then said why themselves: return at
 * once. A failed pass has changed nothing: it works on a copy of the graph that is thrown away.
 */
#ifndef TENON_PLUGIN_H
#define TENON_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TENON_PLUGIN_ABI_MAJOR 1u
#define TENON_PLUGIN_ABI_MINOR 0u
#define TENON_PLUGIN_ABI (TENON_PLUGIN_ABI_MAJOR << 16 | TENON_PLUGIN_ABI_MINOR)

/* Has the struct at p, by its struct_size, the field? */
#define TENON_HAS(p, field) ((size_t)((const char *)(&(p)->field + 1) - (const char *)(p)) <= (size_t)(p)->struct_size)

#if defined(__GNUC__)
#define TENON_PLUGIN_EXPORT __attribute__((visibility("default")))
#define TENON_PLUGIN_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TENON_PLUGIN_EXPORT
#define TENON_PLUGIN_PRINTF(text, first)
#endif

/* What functions return. The values after TENON_OK are the exit codes of the command. */
#define TENON_OK 0
#define TENON_PASS_USAGE 2       /* an option has a value that does not fit this model */
#define TENON_PASS_INVALID 3     /* the model is not what it should be */
#define TENON_PASS_UNSUPPORTED 4 /* it is valid, but the pass cannot do it */
#define TENON_PASS_RESOURCE 5    /* memory, a file */

/* Element types: the numbers of ONNX's TensorProto.DataType. */
#define TENON_FLOAT 1
#define TENON_UINT8 2
#define TENON_INT8 3
#define TENON_UINT16 4
#define TENON_INT16 5
#define TENON_INT32 6
#define TENON_INT64 7
#define TENON_BOOL 9
#define TENON_FLOAT16 10
#define TENON_DOUBLE 11
#define TENON_UINT32 12
#define TENON_UINT64 13
#define TENON_BFLOAT16 16
#define TENON_UINT4 21 /* below 8 bits, elements are packed, low bits first */
#define TENON_INT4 22
#define TENON_UINT2 25
#define TENON_INT2 26

typedef struct tenon_graph tenon_graph;   /* a model, or a part of one */
typedef struct tenon_node tenon_node;     /* one operator at work */
typedef struct tenon_value tenon_value;   /* what flows: an input, a constant, an output of a node */
typedef struct tenon_tensor tenon_tensor; /* constant contents: immutable, shared, row-major, little-endian */

typedef struct tenon_plugin_host tenon_plugin_host;

/* ---- what a plugin declares ---- */

typedef enum tenon_option_kind {
    TENON_OPTION_BOOL,  /* true or false; the name alone is true */
    TENON_OPTION_INT,   /* an integer in [least, most] */
    TENON_OPTION_FLOAT, /* a number in [least, most] */
    TENON_OPTION_ENUM,  /* one of `choices` */
    TENON_OPTION_STRING,
    TENON_OPTION_LIST,    /* texts, divided by commas */
    TENON_OPTION_FLOATS,  /* finite numbers, divided by commas */
    TENON_OPTION_SELECTOR /* nodes: a list of NAME, a glob of names (encoder/?), re:REGEX of names, op:GLOB of operators
                           */
} tenon_option_kind;

/* An option of a pass: -p PASS:name=VALUE. The host parses and checks it before the pass runs. */
typedef struct tenon_option {
    uint32_t struct_size;
    tenon_option_kind kind;
    const char *name;           /* letters, digits, '_' and '-' */
    const char *argument;       /* "N", for help texts */
    const char *help;           /* one line */
    const char *default_value;  /* as a user would write it; NULL: none */
    double least, most;         /* INT, FLOAT: the range; both 0: any */
    const char *const *choices; /* ENUM */
} tenon_option;

/* flags of a pass */
#define TENON_PASS_KEEPS_NUMBERS                                                                                       \
    1u /* outputs that remain have the values they had, up to rounding: --verify-passes proves it */
#define TENON_PASS_CHANGES_INPUTS 2u /* what is fed afterwards is not what was fed before */

typedef struct tenon_pass {
    uint32_t struct_size;
    uint32_t flags;
    const char *name;  /* what -p calls it: letters, digits, '_' and '-' */
    const char *help;  /* one line */
    const char *stage; /* "edit": runs where -p asks for it; "clean-up": always, with the built-in passes */
    const char *const *after,
        *const *before; /* names of passes of the same stage; NULL: none. Names that nobody has are ignored */
    const tenon_option *const *options; /* NULL: none */
    /* Changes the graph. state is what open made. Returns TENON_OK, or a code after diag->error. */
    int (*run)(const tenon_plugin_host *host, void *state, tenon_graph *graph);
    const char *doc; /* some paragraphs, for `tenon passes NAME`; NULL: none */
} tenon_pass;

/* A measure of what weights are worth, for passes of other plugins (tenon.criterion/1): -p
 * prune:criterion=NAME. */
typedef struct tenon_samples tenon_samples; /* an .npz file: see tenon.eval/1 */
typedef struct tenon_criterion {
    uint32_t struct_size;
    const char *name; /* unique among those loaded: letters, digits, '_' and '-' */
    const char *help; /* one line */
    /* Puts a score for each number of the constant that is input `input` of the node into `scores`, in the constant's
     * order: the least are worth least. samples: n of calibration data, or NULL. state is what open made. `host` is
     * that of the pass which asks. Returns TENON_OK, or a code after diag->error. */
    int (*score)(const tenon_plugin_host *host, void *state, const tenon_graph *graph, const tenon_node *node,
                 int input, tenon_samples *samples, int64_t n, double *scores);
} tenon_criterion;

typedef struct tenon_plugin {
    uint32_t struct_size;
    uint32_t abi;        /* TENON_PLUGIN_ABI of the header that it was compiled with */
    const char *name;    /* unique among those loaded */
    const char *version; /* its own, for messages */
    const tenon_pass *const *passes;
    /* Called once after loading, on the loading thread; what is put into *state is handed to run and close. Both may be
     * NULL. close is called once, before unloading, and only where open returned TENON_OK. */
    int (*open)(const tenon_plugin_host *host, void **state);
    void (*close)(void *state);
    const char *licence;                    /* an SPDX identifier; NULL: not said */
    const tenon_criterion *const *criteria; /* NULL: none */
} tenon_plugin;

/* The one symbol of a plugin. host_abi is the host's TENON_PLUGIN_ABI. Pure: callable any number of times, on any
 * thread, before open and after close. NULL where the plugin needs more than such a host offers. */
TENON_PLUGIN_EXPORT const tenon_plugin *tenon_plugin_query(uint32_t host_abi);
typedef const tenon_plugin *(*tenon_plugin_query_function)(uint32_t host_abi);

/* ---- what the host offers ---- */

struct tenon_plugin_host {
    uint32_t struct_size;
    uint32_t abi;
    const char *version; /* tenon's */
    /* The interface with this id ("tenon.graph/1"): a pointer to its struct of functions, constant and valid for ever.
     * NULL where there is none; that is reported as a failure of the plugin. */
    const void *(*get_interface)(const tenon_plugin_host *host, const char *id);
    /* Zeroed memory, aligned to 16, that lives until the pass (or open) returns. NULL when there is none. */
    void *(*scratch)(const tenon_plugin_host *host, size_t bytes);
};

/* What a user is told. A message stands at a node where one is given; NULL: about the pass as a whole. `id` is a word
 * such as "bad-scale". */
#define TENON_DIAG_1 "tenon.diag/1"
typedef struct tenon_diag_1 {
    uint32_t struct_size;
    void (*error)(const tenon_plugin_host *host, const tenon_node *node, const char *id, const char *format, ...)
        TENON_PLUGIN_PRINTF(4, 5);
    void (*warning)(const tenon_plugin_host *host, const tenon_node *node, const char *id, const char *format, ...)
        TENON_PLUGIN_PRINTF(4, 5);
    /* A line under the last error or warning. */
    void (*note)(const tenon_plugin_host *host, const char *format, ...) TENON_PLUGIN_PRINTF(2, 3);
    /* The one of `names` (n) that `wrong` was perhaps meant to be; NULL where none is near. */
    const char *(*nearest)(const tenon_plugin_host *host, const char *wrong, const char *const *names, size_t n);
} tenon_diag_1;

/* The values of declared options; asking for one that is not declared, or for another kind, makes the pass fail.
 * `node`: the value for that node, which a pipeline file may override; NULL: the value given for the pass. */
#define TENON_OPTION_1 "tenon.option/1"
typedef struct tenon_option_1 {
    uint32_t struct_size;
    /* Did the user say it? (A default is not said.) */
    int (*given)(const tenon_plugin_host *host, const char *name);
    int (*boolean)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    int64_t (*integer)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    double (*real)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    /* STRING, ENUM; NULL where there is none. */
    const char *(*text)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    /* LIST, FLOATS, SELECTOR: their items. */
    size_t (*count)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    const char *(*item)(const tenon_plugin_host *host, const char *name, const tenon_node *node, size_t i);
    double (*number)(const tenon_plugin_host *host, const char *name, const tenon_node *node, size_t i);
    /* SELECTOR: does it select the node? */
    int (*selects)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
    /* given, for the node or for the pass. */
    int (*given_for)(const tenon_plugin_host *host, const char *name, const tenon_node *node);
} tenon_option_1;

/* Constant contents. */
#define TENON_TENSOR_1 "tenon.tensor/1"
typedef struct tenon_tensor_1 {
    uint32_t struct_size;
    int (*element_type)(const tenon_tensor *tensor);
    int (*rank)(const tenon_tensor *tensor);
    const int64_t *(*dims)(const tenon_tensor *tensor);
    int64_t (*count)(const tenon_tensor *tensor); /* elements */
    size_t (*bytes)(const tenon_tensor *tensor);
    const void *(*data)(const tenon_tensor *tensor);
    /* Element i as a number; integers of 64 bits lose what a double cannot hold. */
    double (*real)(const tenon_tensor *tensor, int64_t i);
    int64_t (*integer)(const tenon_tensor *tensor, int64_t i); /* of integers and bools */
    /* A new tensor for this graph, its contents copied from data (NULL: zeros). */
    tenon_tensor *(*make)(const tenon_plugin_host *host, tenon_graph *graph, int element_type, int rank,
                          const int64_t *dims, const void *data);
    /* One with every element `x`, rounded to nearest even and saturated where the type does not hold it. */
    tenon_tensor *(*fill)(const tenon_plugin_host *host, tenon_graph *graph, int element_type, int rank,
                          const int64_t *dims, double x);
    /* The contents of a .npy file. */
    tenon_tensor *(*read_npy)(const tenon_plugin_host *host, tenon_graph *graph, const char *path);
    const char *(*type_name)(int element_type); /* "f32"; NULL where there is no such type */
} tenon_tensor_1;

/* Where a value is used: input `index` of `node`; node NULL: output number `index` of the graph. */
typedef struct tenon_use {
    tenon_node *node;
    int index;
} tenon_use;

/* One of the changes that are made at once. */
typedef struct tenon_change {
    tenon_node *node;
    int input; /* which gets `value`; NULL: none does */
    tenon_value *value;
    const char *attributes; /* added and replaced, in the form that build has; NULL: none */
} tenon_change;

/* What match found. */
#define TENON_MATCH_MAX 16
typedef struct tenon_match {
    uint32_t struct_size;
    int n_values, n_nodes;
    tenon_value *values[TENON_MATCH_MAX]; /* what the variables stand for, in the order in which they first appear */
    tenon_node *nodes[TENON_MATCH_MAX];   /* in the order of their appearance: nodes[0] is the root */
    int is_private; /* does nobody outside of the match use a value of its nodes, but for the root's? */
} tenon_match;

/* The graph: values know their users, nodes stand in an order in which definitions come before uses, and every function
 * below keeps it so or refuses; types behind a change are inferred anew. Operators are in the newest form of their
 * opset that tenon knows, whatever the model's opset was. */
#define TENON_GRAPH_1 "tenon.graph/1"
typedef struct tenon_graph_1 {
    uint32_t struct_size;

    /* -- walking; counts and indices as the names say, NULL beyond the end -- */
    const char *(*name)(const tenon_graph *graph);
    int (*inputs)(const tenon_graph *graph);
    tenon_value *(*input)(const tenon_graph *graph, int i);
    int (*outputs)(const tenon_graph *graph);
    tenon_value *(*output)(const tenon_graph *graph, int i);
    const char *(*output_name)(const tenon_graph *graph, int i);
    int (*nodes)(const tenon_graph *graph); /* how many */
    tenon_node *(*first)(const tenon_graph *graph);
    tenon_node *(*next)(const tenon_node *node);
    tenon_node *(*previous)(const tenon_node *node);
    tenon_value *(*first_value)(const tenon_graph *graph); /* every value: inputs, constants, outputs of nodes */
    tenon_value *(*next_value)(const tenon_value *value);
    tenon_value *(*find_value)(const tenon_graph *graph, const char *name);
    tenon_node *(*find_node)(const tenon_graph *graph, const char *name);

    /* -- a node -- */
    const char *(*op)(const tenon_node *node);        /* "MatMul" */
    const char *(*domain)(const tenon_node *node);    /* "" for ONNX's own */
    const char *(*node_name)(const tenon_node *node); /* may be "" */
    int (*node_inputs)(const tenon_node *node);
    tenon_value *(*node_input)(const tenon_node *node, int i); /* NULL where absent, too */
    int (*node_outputs)(const tenon_node *node);
    tenon_value *(*node_output)(const tenon_node *node, int i);
    /* Attributes, with the operator's default where the node has none. */
    int (*has_attribute)(const tenon_node *node, const char *name);
    int64_t (*attribute_int)(const tenon_node *node, const char *name);
    double (*attribute_float)(const tenon_node *node, const char *name);
    const char *(*attribute_text)(const tenon_node *node, const char *name); /* NULL where there is none */
    const int64_t *(*attribute_ints)(const tenon_node *node, const char *name,
                                     size_t *n); /* NULL and 0 where there are none */
    /* An annotation: shown by inspect and draw, written into ONNX as metadata_props. NULL where there is none. */
    const char *(*annotation)(const tenon_node *node, const char *key);

    /* -- a value -- */
    const char *(*value_name)(const tenon_value *value); /* unique in the graph */
    int (*element_type)(const tenon_value *value);       /* 0: not known */
    int (*rank)(const tenon_value *value);               /* -1: not known */
    int64_t (*dim)(const tenon_value *value, int i);     /* -1: symbolic or not known */
    const char *(*dim_text)(const tenon_plugin_host *host, const tenon_value *value,
                            int i); /* "128", "batch", "2*sequence+1" */
    const char *(*type_text)(const tenon_plugin_host *host, const tenon_value *value); /* "f32[batch,128]" */
    int (*is_input)(const tenon_value *value);                                         /* of the graph */
    const tenon_tensor *(*constant)(const tenon_value *value);                         /* NULL where it is none */
    tenon_node *(*producer)(const tenon_value *value); /* NULL: an input or a constant */
    int (*uses)(const tenon_value *value);
    tenon_use (*use)(const tenon_value *value, int i); /* oldest first */

    /* -- building. `attributes` as the graph's text form has them: "axis=1, perm=[0, 2, 1], mode=\"linear\""; NULL:
     * none -- */
    /* A node before `before` (NULL: at the end) in ONNX's domain; its output types are inferred. `inputs` may have NULL
     * entries. */
    tenon_node *(*build)(const tenon_plugin_host *host, tenon_graph *graph, tenon_node *before, const char *op,
                         tenon_value *const *inputs, int n_inputs, const char *attributes, int n_outputs);
    /* A node of one input and one output behind `value`: everyone who used the value uses the node's output from now
     * on. */
    tenon_node *(*insert_after)(const tenon_plugin_host *host, tenon_graph *graph, tenon_value *value, const char *op,
                                const char *attributes);
    /* A node of one input and one output between `node` and its input i. */
    tenon_node *(*insert_before)(const tenon_plugin_host *host, tenon_graph *graph, tenon_node *node, int i,
                                 const char *op, const char *attributes);
    tenon_value *(*add_constant)(const tenon_plugin_host *host, tenon_graph *graph, const char *name,
                                 tenon_tensor *tensor);
    tenon_value *(*add_input)(const tenon_plugin_host *host, tenon_graph *graph, const char *name,
                              const char *type); /* "f32[batch,128]" */
    int (*add_output)(const tenon_plugin_host *host, tenon_graph *graph, tenon_value *value, const char *name);

    /* -- changing -- */
    int (*set_input)(const tenon_plugin_host *host, tenon_node *node, int i, tenon_value *value);
    int (*set_output)(const tenon_plugin_host *host, tenon_graph *graph, int i, tenon_value *value);
    int (*set_attributes)(const tenon_plugin_host *host, tenon_node *node,
                          const char *attributes); /* adds and replaces; infers anew */
    int (*set_node_name)(const tenon_plugin_host *host, tenon_node *node, const char *name);
    int (*annotate)(const tenon_plugin_host *host, tenon_node *node, const char *key,
                    const char *text); /* NULL takes it away */
    /* Every use of `from`, outputs of the graph too, becomes a use of `to`. Refused where `to` is defined after a user.
     */
    int (*replace_all_uses)(const tenon_plugin_host *host, tenon_graph *graph, tenon_value *from, tenon_value *to);
    int (*move_before)(const tenon_plugin_host *host, tenon_graph *graph, tenon_node *node,
                       tenon_node *before); /* NULL: to the end */
    /* Turns an output of a node into a constant; the node loses it. */
    int (*make_constant)(const tenon_plugin_host *host, tenon_graph *graph, tenon_value *value, tenon_tensor *tensor);
    /* Turns an input into a constant, whatever its shape: a tensor of its shape, or a scalar for all elements. Integers
     * are converted to the input's element type where every value fits; sizes that the tensor gives to symbols of the
     * input's shape hold for the whole graph. The input is gone afterwards; --verify-passes feeds it with these values.
     */
    int (*bind_input)(const tenon_plugin_host *host, tenon_graph *graph, tenon_value *input, tenon_tensor *tensor);

    /* -- removing; refused, with the users named, while there are any: replace_all_uses comes first -- */
    int (*erase)(const tenon_plugin_host *host, tenon_graph *graph, tenon_node *node);
    int (*remove_value)(const tenon_plugin_host *host, tenon_graph *graph,
                        tenon_value *value); /* an input or a constant */
    int (*remove_output)(const tenon_plugin_host *host, tenon_graph *graph, int i);

    /* -- more -- */
    /* Does `root`, an output of a node, have the form of `pattern`? "Mul(x, Sigmoid(x))": operators begin with a
     * capital letter; other words are variables, the same one being the same value; $c is a variable for a constant; a
     * number (0.5) is a constant all of whose elements are (nearly) that; _ is any value or none. Add, Mul, Min, Max,
     * And, Or, Xor and Equal match either way round. 1: found, 0: not (or the pattern is wrong, which is an error of
     * the pass). */
    int (*match)(const tenon_plugin_host *host, const tenon_value *root, const char *pattern, tenon_match *out);
    /* A new graph of what computes `outputs` from `inputs`, which become its inputs; constants come along. NULL where
     * it needs other inputs of the graph, which are named. Lives until the pass returns. */
    tenon_graph *(*extract)(const tenon_plugin_host *host, const tenon_graph *graph, tenon_value *const *inputs,
                            int n_inputs, tenon_value *const *outputs, int n_outputs);
    /* The graph's text form. In gdb: call graph->print(host, g). */
    const char *(*print)(const tenon_plugin_host *host, const tenon_graph *graph);
    /* What tenon itself does to the graph between passes: computes what is constant, merges what is equal, removes what
     * is unused
     * (--skip leaves parts of it out). For a pass that reports or decides by what is left. Any node and any constant
     * may be gone afterwards; inputs stay. */
    int (*clean_up)(const tenon_plugin_host *host, tenon_graph *graph);
    /* Changes n inputs and attributes at once, and infers types only when all are as they are to be: for
     * what is not valid in between. */
    int (*change)(const tenon_plugin_host *host, tenon_graph *graph, const tenon_change *list, int n);
} tenon_graph_1;

/* What operators do along the axes of their inputs: which channels of a model belong together. */
#define TENON_OPINFO_1 "tenon.opinfo/1"
#define TENON_AXIS_SUMMED (-1) /* summed over, place by place with another input's: zeros may be left out */
#define TENON_AXIS_MIXED (-2)  /* neither, or not known */
typedef struct tenon_opinfo_1 {
    uint32_t struct_size;
    /* The axis of output 0 that has, place by place, what comes from `axis` of the input; a normalisation's, too,
     * though its statistics are of all places. Or one of the above. An input of one place that is broadcast goes to the
     * axis that it is broadcast along. */
    int (*axis)(const tenon_plugin_host *host, const tenon_node *node, int input, int axis);
} tenon_opinfo_1;

/* Evaluation: what values of a graph are on data. Always computed with the same numeric target, whatever the machine
 * and the command's --target, so that what is decided by it is the same everywhere. */
#define TENON_EVAL_1 "tenon.eval/1"
typedef struct tenon_eval_1 {
    uint32_t struct_size;
    /* Opens a file with an array for each input of the graph, whose first dimension is the samples. maps: "INPUT=ARRAY"
     * where their names differ; scales: "INPUT=X", factors of the data; NULL-terminated, or NULL. Lives until the pass
     * returns. */
    tenon_samples *(*open)(const tenon_plugin_host *host, const char *path, const char *const *maps,
                           const char *const *scales);
    /* How many samples there are for the inputs of the graph; -1 after an error. */
    int64_t (*count)(const tenon_plugin_host *host, tenon_samples *samples, const tenon_graph *graph);
    /* Runs the graph (a copy: it may be changed while nothing runs) on samples `first` to first + n - 1, and hands what
     * `values` are for each to `each`: tensors that live until it returns. Symbols are bound by the shapes of the data,
     * the batch being 1. An `each` that does not return TENON_OK ends the run, which returns the same. */
    int (*run)(const tenon_plugin_host *host, const tenon_graph *graph, tenon_samples *samples, int64_t first,
               int64_t n, tenon_value *const *values, int n_values,
               int (*each)(void *context, int64_t sample, const tenon_tensor *const *values), void *context);
    /* Another array of the file, such as the labels. Lives until the pass returns; NULL after an error. */
    const tenon_tensor *(*array)(const tenon_plugin_host *host, tenon_samples *samples, const char *name);
} tenon_eval_1;

/* Criteria of all plugins that are loaded. */
#define TENON_CRITERION_1 "tenon.criterion/1"
typedef struct tenon_criterion_1 {
    uint32_t struct_size;
    /* Has the criterion `name` score a constant, as tenon_criterion says. Where there is none of that name, those that
     * there are are named. */
    int (*score)(const tenon_plugin_host *host, const char *name, const tenon_graph *graph, const tenon_node *node,
                 int input, tenon_samples *samples, int64_t n, double *scores);
} tenon_criterion_1;

/* What nodes and graphs cost. */
#define TENON_COST_1 "tenon.cost/1"
typedef struct tenon_cost_1 {
    uint32_t struct_size;
    /* Multiply-accumulates of the node; -1 where a dimension that it takes is not known. */
    int64_t (*macs)(const tenon_plugin_host *host, const tenon_node *node);
    /* Cycles that a run of the graph takes on the target (as in --target; NULL: host), by the model of its core:
     * nothing is measured. All shapes must be known. -1 after an error. */
    double (*cycles)(const tenon_plugin_host *host, const tenon_graph *graph, const char *target);
} tenon_cost_1;

/* What a pass reports of its work: lines for people, and the same as JSON (the command's --json has it under "passes").
 */
#define TENON_REPORT_1 "tenon.report/1"
typedef struct tenon_report_1 {
    uint32_t struct_size;
    void (*line)(const tenon_plugin_host *host, const char *format, ...) TENON_PLUGIN_PRINTF(2, 3);
    /* key NULL inside of a list. */
    void (*begin_object)(const tenon_plugin_host *host, const char *key);
    void (*begin_list)(const tenon_plugin_host *host, const char *key);
    void (*end)(const tenon_plugin_host *host);
    void (*text)(const tenon_plugin_host *host, const char *key, const char *text);
    void (*integer)(const tenon_plugin_host *host, const char *key, int64_t x);
    void (*real)(const tenon_plugin_host *host, const char *key, double x);
} tenon_report_1;

#ifdef __cplusplus
}
#endif

#endif
