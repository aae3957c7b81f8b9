/* MODEL.so: a model that was compiled into a shared library, by --emit shared or by a user from generated C. It stands
 * in for a graph: its inputs are known, what is between them and the outputs is not. */
#ifndef TENON_API_SHARED_MODEL_H
#define TENON_API_SHARED_MODEL_H

#include "api/measure.h"
#include "api/opened_model.h"
#include "api/options.h"
#include "frontend/mapped_file.h"
#include "ir/graph.h"

typedef struct shared_model {
    opened_model opened;
    size_t code_bytes, constant_bytes; /* of machine code; of constants compiled in and of PREFIX.weights */
} shared_model;

/* The target of its programs: whatever the library was made for. */
extern const target shared_model_target;

/* Is `path` meant as one: an ELF file, or one that is called so? */
bool shared_model_is(const char *path, const mapped_file *contents);
/* Opens it, with PREFIX.weights beside it where it wants that, in `a`; checks that no option is given that means
 * nothing for it. Gives a graph of its inputs. STATUS_INVALID, STATUS_UNSUPPORTED, STATUS_RESOURCE, STATUS_USAGE after
 * a diagnostic. Whatever comes of it, the caller closes it where *out is not NULL. */
status shared_model_open(tenon_context *c, const tenon_options *o, const char *path, const mapped_file *contents,
                         arena *a, shared_model **out, graph **out_graph);
void shared_model_close(shared_model *m);
/* A program of its inputs, outputs and arena, without steps. */
status shared_model_program(const shared_model *m, arena *a, program **out);
void shared_model_facts(const shared_model *m, program_facts *out);
/* [compiled] STATUS_USAGE: `command` does not work on one. */
status shared_model_refuse(tenon_context *c, const char *file, const char *command);

#endif
