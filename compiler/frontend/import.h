/* Inside of the import of a model: what its files share. */
#ifndef TENON_FRONTEND_IMPORT_H
#define TENON_FRONTEND_IMPORT_H

#include "frontend/mapped_file.h"
#include "frontend/tensor_import.h"
#include "frontend/weights.h"
#include "ir/op.h"
#include "onnx.pb-c.h"

#define IMPORT_MAX_ENDS 1000000 /* of one node: inputs, outputs */
#define IMPORT_MAX_ATTRS 256    /* of one node */
#define IMPORT_MAX_CALLS 64     /* of functions in functions */
/* Nodes, and their inputs and outputs, in one import: all that n bytes can spell, and so many by inlined functions. */
#define IMPORT_MAX_MADE(n) (200000 + (n) / 2)

typedef struct importer {
    arena *scratch; /* messages and tables: dies with the import */
    graph *g;
    diag *d;
    weights *weights;
    size_t n_bytes; /* of tensors.bytes, the model file */
    tensor_source tensors;
    external_files external;
    const Onnx__ModelProto *model;
    map functions; /* domain, name and overload -> function */
    map calls;     /* node that calls a function -> function */
    map symbols;   /* names of the dimensions of the graph's inputs */
    size_t n_made; /* nodes, and their inputs and outputs */
    status worst;  /* of what has been reported */
} importer;

/* A local function of the model. */
typedef struct function {
    const Onnx__FunctionProto *proto;
    map opsets;
    enum { FUNCTION_UNSEEN, FUNCTION_OPEN, FUNCTION_CHECKED } state; /* of the search for recursion */
    bool is_broken;                                                  /* its body has been reported */
} function;

/* Where names mean something: the main graph, or one call of a function. */
typedef struct scope {
    const char *graph;  /* for diagnostics: "main", or the function's name */
    const char *prefix; /* of the names of its values and nodes */
    map values;         /* name -> value */
    map absent;         /* inputs of the function that the call does not give */
    map opsets;         /* domain -> version */
    node *call;         /* new nodes go before it; NULL: at the end */
    bool is_unsorted;   /* a node uses a value that a later one defines */
} scope;

/* Runs CALL and goes on after an error that has been reported, so that one run reports all; only want of memory or a
 * file ends it. */
#define COLLECT(im, call)                                                                                              \
    do {                                                                                                               \
        status collected_ = (call);                                                                                    \
        if (collected_ == STATUS_RESOURCE)                                                                             \
            return collected_;                                                                                         \
        import_note((im), collected_);                                                                                 \
    } while (0)

/* Remembers an outcome; what is not valid is worse than what is not supported. */
static inline void import_note(importer *im, status s) {
    if (s == STATUS_INVALID || im->worst == STATUS_OK)
        im->worst = s;
}
/* A proto's text: "" where it has none. */
static inline const char *import_text(const char *text) {
    return text == NULL ? "" : text;
}

/* ---- scope.c ---- */
scope scope_in(importer *im, const char *graph_name, const char *prefix);
/* [duplicate-value] where the scope has the name. `v` NULL: absent. */
status scope_define(importer *im, scope *s, diag_place where, const char *name, value *v);
/* A name in the graph: the prefix before it. NULL when out of memory. */
const char *scope_name(importer *im, const scope *s, const char *name);
/* Something of unknown type in the place of what has been reported, so that what uses it is still checked. NULL when
 * out of memory. */
value *scope_stand_in(importer *im, const scope *s, const char *name);
/* Reads opset imports: [unsupported-opset], [missing-opset]. Domain "ai.onnx" becomes "". */
status scope_opsets(importer *im, diag_place where, Onnx__OperatorSetIdProto *const *list, size_t n, map *out);
/* "" for ai.onnx. */
const char *scope_domain(const char *domain);
diag_place scope_place(const importer *im, const scope *s);

/* ---- type_import.c ---- */
/* Collects the names of the dimensions of the graph's inputs. */
status type_import_symbols(importer *im, const Onnx__GraphProto *g);
/* An input's type: a dimension without value and name gets the symbol NAME_dimK. */
status type_import_input(importer *im, const Onnx__ValueInfoProto *info, diag_place where, tensor_type *out);
/* A declared type of another value, with what can be used of it: element type DT_NONE, rank -1 where it says nothing.
 */
status type_import_declared(importer *im, const Onnx__ValueInfoProto *info, tensor_type *out);

/* ---- attr_import.c ---- */
/* The attribute in scratch memory; one that refers to the attribute of a call is looked up there. out->kind ATTR_NONE:
 * absent. */
status attr_import(importer *im, const scope *s, const Onnx__AttributeProto *proto, diag_place where, attr *out);

/* ---- node_import.c ---- */
/* Makes the nodes and constants of a list; Constant nodes become constants. */
status node_import_all(importer *im, scope *s, Onnx__NodeProto *const *nodes, size_t n);

/* ---- function_import.c ---- */
/* Tables the model's functions: [duplicate-function], [recursive-function]. */
status function_import_all(importer *im);
/* NULL where the model has none of that name. */
function *function_find(const importer *im, const char *domain, const char *name, const char *overload);
/* Replaces every call by the function's body. */
status function_inline_all(importer *im);

/* ---- node_upgrade.c ---- */
/* Puts every node into its operator's newest form: [unsupported-version]. */
status node_upgrade_all(importer *im);

/* ---- file_kind.c ---- */
/* What bytes that are no model look like, e.g. "a PNG image"; NULL where that is not known. */
const char *file_kind(const uint8_t *bytes, size_t n);

#endif
