/* The LLVM back end's own page: from the loop IR to an LLVM module, to code in this process.
 *
 * Every value has the LLVM type of its ltype: a scalar, or <lanes x scalar>; bool is i1 in registers and i8 in memory;
 * f16, bf16 and the float8 kinds travel as integers of their width. No instruction carries a fast-math flag.
 * Calls of LLVM do not fail: it aborts when memory is out. What fails here is our own bookkeeping: `failed`. */
#ifndef TENON_CODEGEN_LLVM_EMIT_H
#define TENON_CODEGEN_LLVM_EMIT_H

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/TargetMachine.h>

#include "codegen/codegen.h"

/* Where the program's constants are: at their address in this process (JIT), in the module, in another object under the
 * symbols of weights_place, or in a file that the caller of the model gives. */
typedef enum const_place { CONSTS_IN_PLACE, CONSTS_IN_MODULE, CONSTS_OUTSIDE, CONSTS_IN_FILE } const_place;

/* An expression's value, good while its statement is emitted. */
typedef struct memo_entry {
    const expr *key;
    uint32_t statement;
    LLVMValueRef value;
} memo_entry;

typedef struct emitter {
    arena *memory;
    const program *program;
    const llvm_options *options;
    const kernel *kernel; /* the one being emitted */
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at;
    LLVMTypeRef scalar[DT_COUNT]; /* in registers */
    LLVMTypeRef pointer, i32, i64;
    LLVMValueRef parallel; /* of llvm_parallel_emit, or NULL */
    LLVMValueRef function;
    LLVMBasicBlockRef entry; /* holds the allocas */
    LLVMValueRef *buffers;   /* by the kernel's buffer number: the parameters */
    LLVMValueRef *vars;      /* by the kernel's variable number */
    const expr **lets;       /* by variable: what a LET bound, NULL for others */
    LLVMValueRef **regs;     /* by register array, by element: an alloca, promoted by LLVM; NULL before DECLARE */
    memo_entry *memo;        /* open addressing, a power of two slots */
    size_t memo_slots, memo_used;
    uint32_t statement;
    bool failed; /* out of memory */
} emitter;

/* ---- llvm_types.c ---- */
/* Types and constants of `e->context`. */
void llvm_types_init(emitter *e);
bool llvm_is_real(dtype t); /* f32, f64: has arithmetic as a float */
LLVMTypeRef llvm_type(const emitter *e, ltype t);
/* The type in memory: bool as i8. */
LLVMTypeRef llvm_memory_type(const emitter *e, ltype t);
/* `value` in every lane of a bool or integer type. */
LLVMValueRef llvm_int(const emitter *e, ltype t, int64_t value);
/* Every lane of a float type; the storage types by their bits. */
LLVMValueRef llvm_float(const emitter *e, ltype t, double value);
LLVMValueRef llvm_splat(const emitter *e, LLVMValueRef scalar, int lanes);
/* Lanes first, first + step, ... of x (and y, or NULL), as a vector; as a scalar where n is 1. */
LLVMValueRef llvm_lanes(const emitter *e, LLVMValueRef x, int first, int step, int n);
/* Calls the intrinsic `name` overloaded on `types`. */
LLVMValueRef llvm_intrinsic(const emitter *e, const char *name, const LLVMTypeRef *types, int n_types,
                            LLVMValueRef *args, int n_args);
/* The same for an intrinsic overloaded on the type of its first operand. */
LLVMValueRef llvm_intrinsic_like(const emitter *e, const char *name, LLVMValueRef *args, int n_args);
LLVMAttributeRef llvm_attribute(LLVMContextRef context, const char *name, uint64_t value);

/* ---- llvm_expr.c ---- */
/* The value of x at the builder's position. */
LLVMValueRef llvm_expr(emitter *e, const expr *x);

/* ---- llvm_arith.c: x's operator applied to emitted operands ---- */
typedef LLVMValueRef (*expr_emitter)(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_binary(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_high(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_divide(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_min_max(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_shift(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_shift_round(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_compare(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_reduce(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_neg(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_abs(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_not(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_float_unary(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_select(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_fma(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_pairs(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_permute(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_permute2(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_arith_dot(emitter *e, const expr *x, const LLVMValueRef *args);

/* ---- llvm_convert.c ---- */
LLVMValueRef llvm_convert_cast(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_convert_saturate(emitter *e, const expr *x, const LLVMValueRef *args);
LLVMValueRef llvm_convert_bitcast(emitter *e, const expr *x, const LLVMValueRef *args);

/* ---- llvm_memory.c ---- */
LLVMValueRef llvm_memory_load(emitter *e, const expr *x);
void llvm_memory_store(emitter *e, const stmt *s);

/* ---- llvm_stmt.c ---- */
/* Appends the block's statements; the builder ends where control goes on. */
void llvm_block(emitter *e, const block *b);
bool llvm_block_has_check(const block *b);

/* ---- llvm_program.c ---- */
/* Which of the kernels a module has. Where there are several parts, their functions are seen by each other. */
typedef struct kernel_part {
    const int *of; /* by kernel: its part */
    int index, n;  /* this part, of so many; the first one has the function that calls them */
} kernel_part;
/* A new module in `context` with all of p: one internal function per kernel, and
 * `int PREFIX_run_raw(void *const *inputs, void *const *outputs, void *scratch)`, in p's order. CONSTS_IN_PLACE: that
 * one is exported, and there is nothing else; where it is traced, `llvm_tick tick, void *ctx` follow. Other places: it
 * is internal (CONSTS_IN_FILE: with another parameter for the weights), and llvm_entry.c's functions are exported.
 * Where a kernel has parts, `const tenon_env *env` comes last. The caller disposes of the module, also after a failure
 * (NULL where none was made). */
status llvm_program_emit(const program *p, const_place consts, const kernel_part *part, const llvm_options *o,
                         LLVMContextRef context, LLVMTargetMachineRef machine, arena *a, diag *d, LLVMModuleRef *out);
/* PREFIX_run_raw. NULL when out of memory. */
const char *llvm_program_entry(const program *p, arena *a);
/* What every function of the module has: the target's instructions, no unwinding. */
void llvm_program_attributes(emitter *e, LLVMValueRef function);

/* ---- llvm_parallel.c ---- */
/* Does some kernel of p have parts? */
bool llvm_parallel_is_in(const program *p);
/* Adds a function that runs the parts of a kernel by env's parallel_for. */
void llvm_parallel_emit(emitter *e);
/* Calls all parts of kernel k, which is `function`, with these arguments, whose addresses `room` keeps. */
status llvm_parallel_call(emitter *e, const kernel *k, LLVMValueRef function, LLVMTypeRef type, LLVMValueRef *args,
                          LLVMValueRef room, LLVMValueRef env);

/* ---- llvm_entry.c ---- */
/* The fields of tenon_env, in order, and its type. */
enum {
    ENV_SIZE,
    ENV_RESERVED,
    ENV_ARENA,
    ENV_ARENA_BYTES,
    ENV_WEIGHTS,
    ENV_WEIGHTS_BYTES,
    ENV_PARALLEL_FOR,
    ENV_CTX,
    ENV_ARENAS,
    ENV_ARENAS_BYTES,
    ENV_N_ARENAS,
    ENV_FIELDS
};
LLVMTypeRef llvm_entry_env(const emitter *e);
/* Adds PREFIX_run, PREFIX_run_env and PREFIX_model, which check their arguments and call `run`. weight_bytes: of
 * PREFIX.weights, 0 where there is none. */
status llvm_entry_emit(emitter *e, LLVMValueRef run, LLVMTypeRef run_type, uint64_t weight_bytes);

/* ---- llvm_weights.c ---- */
/* The constant b as a private global of the module. */
LLVMValueRef llvm_weights_define(const emitter *e, const program_buffer *b);
/* The same, defined by another file of the model's. */
LLVMValueRef llvm_weights_declare(const emitter *e, const program_buffer *b, const char *symbol);
/* A new module with the constants alone, under their symbols. The caller disposes of it, as above. */
status llvm_weights_emit(const program *p, LLVMContextRef context, LLVMTargetMachineRef machine, arena *a, diag *d,
                         LLVMModuleRef *out);

/* ---- llvm_symbols.c ---- */
/* The function of kernel k: PREFIX__NODE__KERNEL, where NODE leads the first step that calls it, and ends in
 * _and_N_more where it serves N nodes besides. NULL when out of memory. */
const char *llvm_symbols_kernel(const program *p, int k, arena *a);
/* The functions in the object's section of `entry`, in `a`; addresses are relative to `entry`. */
status llvm_symbols_list(LLVMMemoryBufferRef object, const char *entry, arena *a, diag *d, llvm_symbol **out,
                         size_t *out_n);
/* Code that this builder's JIT links is told to gdb. */
void llvm_symbols_tell_gdb(LLVMOrcLLJITBuilderRef settings);

/* ---- llvm_names.c ---- */
typedef struct llvm_machine_names {
    LLVMTargetRef backend;
    const char *triple, *cpu, *features;
} llvm_machine_names;
/* [unknown-cpu], [unknown-feature] STATUS_USAGE for a name among t->asked_... that LLVM does not know. */
status llvm_names_check(const llvm_machine_names *names, const target *t, diag *d);

/* ---- llvm_target.c ---- */
/* LLVM's machine for t; a diagnostic where this LLVM has none. The caller disposes of it. */
status llvm_target_machine(const target *t, diag *d, LLVMTargetMachineRef *out);
/* A context whose errors become diagnostics: LLVM's own handler would exit. The caller disposes of it. */
LLVMContextRef llvm_target_context(diag *d);
/* A new module called p->name with the machine's triple and layout. [big-endian] STATUS_UNSUPPORTED. The caller
 * disposes of it, also after a failure. */
status llvm_target_module(const program *p, LLVMContextRef context, LLVMTargetMachineRef machine, diag *d,
                          LLVMModuleRef *out);
/* Runs the pass pipeline. */
status llvm_target_optimise(LLVMModuleRef module, LLVMTargetMachineRef machine, diag *d);
/* Machine code or assembly of the module; the caller disposes of the buffer, NULL after a failure. */
status llvm_target_generate(LLVMModuleRef module, LLVMTargetMachineRef machine, LLVMCodeGenFileType form, diag *d,
                            LLVMMemoryBufferRef *out);
/* Turns an LLVMErrorRef (consumed) into a diagnostic; STATUS_OK where it is success. */
status llvm_target_check(LLVMErrorRef error, const char *doing, diag *d);
/* The same for the message (consumed; may be NULL) of a failed call. */
status llvm_target_fail(char *message, const char *doing, diag *d);

/* ---- llvm_build.c ---- */
#define LLVM_MOST_PARTS 4
/* p compiled for the JIT, its constants used in place: up to LLVM_MOST_PARTS objects, which the caller disposes of.
 * None after a failure. */
status llvm_build_objects(const program *p, const llvm_options *o, arena *a, diag *d, LLVMMemoryBufferRef *out,
                          int *out_n);

/* ---- llvm_jit.c ---- */
status llvm_jit_compile(const program *p, const llvm_options *o, const allocator *from, diag *d, llvm_code **out);
status llvm_jit_load(const target *t, const void *object, size_t bytes, const char *symbol, const allocator *from,
                     diag *d, llvm_code **out, uintptr_t *out_address);
int llvm_jit_run(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
                 const tenon_env *env);
int llvm_jit_run_traced(const llvm_code *c, const void *const *inputs, void *const *outputs, void *scratch,
                        const tenon_env *env, llvm_tick tick, void *ctx);
size_t llvm_jit_code_bytes(const llvm_code *c);
const llvm_symbol *llvm_jit_symbols(const llvm_code *c, size_t *out_n);
void llvm_jit_release(llvm_code *c);

#endif
