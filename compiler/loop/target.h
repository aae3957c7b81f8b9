/* What a machine has: the facts that scheduling and both back ends decide by. Targets are constants. */
#ifndef TENON_LOOP_TARGET_H
#define TENON_LOOP_TARGET_H

#include "base/diag.h"
#include "base/dtype.h"

/* Which intrinsics the C back end may write. */
typedef enum target_isa { ISA_NONE, ISA_SSE2, ISA_AVX2, ISA_AVX512, ISA_NEON, ISA_VFP } target_isa;

typedef struct target {
    const char *name; /* "generic", "x86-64", "x86-64-v3", "x86-64-avxvnni", "x86-64-v4", "x86-64-vnni",
                         "aarch64", "aarch64-dotprod", "cortex-m4" */
    target_isa isa;
    int vector_bytes; /* widest vector register; 0: no vectors, every lane count is 1 */
    int vector_registers;
    int l1_bytes, l2_bytes; /* data caches of one core, at least; 0: none, or memory is as fast */
    uint32_t fma;           /* element types, 1 << dtype, on which the loop IR may say FMA */
    uint32_t sqrt;          /* on which SQRT is one correctly rounded instruction */
    uint32_t rint;          /* on which FLOOR, CEIL, TRUNC, RINT are instructions */
    bool has_half;          /* f16 <-> f32 CAST is an instruction */
    bool has_pairs;         /* PAIRS is one */
    bool has_vnni;          /* DOT4 is one, and so is DOT2 */
    bool has_dotprod;       /* NEON's DOT4 is one */
    int dot4;               /* operations on vectors that a DOT4 of target_dot4_data takes; 0: it is none */
    const char *triple;     /* LLVM's, CPU and feature string */
    const char *cpu;
    const char *features;
    bool is_bare;                           /* no operating system: code stays where it was linked */
    const char *asked_cpu, *asked_features; /* the user's words among these, which LLVM may not know; NULL: none */
    const char *c_target; /* what `#pragma GCC target(...)` and clang's attribute name: "avx2,fma,f16c",
                             "arch=armv8.2-a+dotprod"; NULL none */
} target;

/* NULL-terminated. */
extern const target *const target_table[];
/* The row called `name`; "host" is the best row that this machine can run, by run-time feature detection.
 * NULL after a diagnostic that lists the names there are (STATUS_USAGE). */
const target *target_find(const char *name, diag *d);
const target *target_host(void);
/* Can this machine run code for `t`? */
bool target_runs_here(const target *t);
bool target_has_fma(const target *t, dtype elem);
bool target_has_sqrt(const target *t, dtype elem);
bool target_has_rint(const target *t, dtype elem);
/* Is a PERMUTE, or PERMUTE2, of so many lanes one instruction? */
bool target_permutes(const target *t, int bits, int lanes);
bool target_permutes2(const target *t, int bits, int lanes);
/* Which type of the first factors DOT4 is made for: u8, or i8. */
dtype target_dot4_data(const target *t);
/* Lanes of one vector of elements of `bits` bits; 1 where the target has no vectors. */
int target_lanes(const target *t, int bits);
/* The fixed numeric target of everything that feeds a decision: x86-64-v3. */
const target *target_numeric(void);

/* ---- machine.c ---- */
/* The row with the user's words in place of its own, each of which may be NULL; in `a`, as long as the words live.
 * Where the triple's architecture is not the row's, the facts are those of row generic. [unknown-triple],
 * [unknown-feature] STATUS_USAGE. */
status machine_of(const target *row, const char *triple, const char *cpu, const char *features, arena *a, diag *d,
                  target *out);

#endif
