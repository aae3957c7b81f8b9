/* The back ends: spell a verified, legalised program in C99 or through LLVM. They see the loop IR and nothing else. */
#ifndef TENON_CODEGEN_CODEGEN_H
#define TENON_CODEGEN_CODEGEN_H

#include "loop/loop.h"
#include "tenon/runtime.h"

/* ---- weights.c ---- */
/* Where a model's constants are: in its own file, in PREFIX_weights.c or PREFIX_weights.o as symbols of their own, or
 * in PREFIX.weights, which the caller hands to each run. */
typedef enum weights_form { WEIGHTS_INLINE, WEIGHTS_C, WEIGHTS_OBJ, WEIGHTS_BIN } weights_form;

#define WEIGHTS_ALIGN 64

/* The constants that some step reads. */
typedef struct weight_table {
    const char **symbols; /* by program buffer: PREFIX_w_NAME; NULL for every other buffer */
    uint64_t *offsets;    /* by program buffer: in PREFIX.weights, multiples of WEIGHTS_ALIGN */
    uint64_t bytes;       /* of PREFIX.weights */
} weight_table;

/* In `a`. STATUS_RESOURCE when out of memory. */
status weights_place(const program *p, arena *a, weight_table *out);
/* The contents of PREFIX.weights, at an address aligned to WEIGHTS_ALIGN in `a`. STATUS_RESOURCE when out of memory. */
status weights_file(const program *p, const weight_table *w, arena *a, const void **out);

/* ---- c99/ ---- */

typedef struct c99_files { /* each NULL where not written; texts end with '\0', not counted */
    const char *source;    /* PREFIX.c */
    size_t source_bytes;
    const char *header; /* PREFIX.h */
    size_t header_bytes;
    const char *example; /* PREFIX_example.c */
    size_t example_bytes;
    const char *weights_source; /* WEIGHTS_C: PREFIX_weights.c */
    size_t weights_source_bytes;
    const void *weights; /* WEIGHTS_BIN: PREFIX.weights */
    size_t weights_bytes;
} c99_files;

/* Writes p as C99 for p->target, in `a`. The prefix is p->name. STATUS_RESOURCE when out of memory. */
status c99_emit(const program *p, weights_form weights, arena *a, c99_files *out);
/* The same without PREFIX.c: what goes beside an object of p. */
status c99_emit_beside(const program *p, weights_form weights, arena *a, c99_files *out);

/* ---- llvm/: built as the module lib/tenon/tenon-llvm.so, which api/ opens on first use ---- */
typedef enum llvm_form {
    LLVM_FORM_IR,
    LLVM_FORM_ASSEMBLY,
    LLVM_FORM_OBJECT, /* PREFIX.o */
    LLVM_FORM_WEIGHTS /* PREFIX_weights.o: only the constants, under the symbols of weights_place */
} llvm_form;

typedef struct llvm_code llvm_code; /* a program compiled into this process */

/* What code in this process may have besides; all false: nothing. */
typedef struct llvm_options {
    bool is_traced; /* calls a tick before each step and after the last: for run_traced */
    bool is_named;  /* gdb is told of the code, and `symbols` lists it for perf */
} llvm_options;

/* Is called before step 0, 1, ... and, as the number of steps, after the last of a run that ends well. */
typedef void (*llvm_tick)(void *ctx, int64_t step);

/* A function of compiled code. */
typedef struct llvm_symbol {
    const char *name;
    uintptr_t address;
    size_t bytes;
} llvm_symbol;

#define LLVM_TABLE_VERSION 5u
typedef struct llvm_table {
    uint32_t version; /* LLVM_TABLE_VERSION of the module's build */
    /* The program for p->target, with the entry points of generated C (PREFIX_run, PREFIX_run_env, PREFIX_model): as
     * text, or as an object that needs nothing but memcpy, memset and memmove. In `a`; a '\0' after it is not counted.
     */
    status (*emit)(const program *p, llvm_form form, weights_form weights, arena *a, diag *d, const void **out,
                   size_t *out_bytes);
    /* Compiles p for this machine (p->target must run here). Constants are used in place: p must outlive the code. */
    status (*compile)(const program *p, const llvm_options *o, const allocator *from, diag *d, llvm_code **out);
    /* Loads an object that emit wrote for t, which must run here, without a linker; the bytes are copied. The address
     * of its `symbol` is good until `release`. Such code has no `run` of the table's. */
    status (*load)(const target *t, const void *object, size_t bytes, const char *symbol, const allocator *from,
                   diag *d, llvm_code **out, uintptr_t *out_address);
    /* Runs what was compiled: one pointer per input and output, scratch of p->arena_bytes aligned to 64. Returns 0 or a
     * CHECK's code. env brings parallel_for and nothing else; NULL: none. Re-entrant with different scratch. */
    int (*run)(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
               const tenon_env *env);
    /* The same for code compiled with is_traced, which `run` does not run. */
    int (*run_traced)(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
                      const tenon_env *env, llvm_tick tick, void *ctx);
    size_t (*code_bytes)(const llvm_code *c);
    /* The functions of code compiled with is_named, which own the list; none for other code. */
    const llvm_symbol *(*symbols)(const llvm_code *c, size_t *out_n);
    void (*release)(llvm_code *c);
    const char *(*llvm_version)(void);
} llvm_table;

/* The module's one exported symbol. NULL where `version` is not LLVM_TABLE_VERSION. */
const llvm_table *tenon_llvm_query(uint32_t version);

#endif
