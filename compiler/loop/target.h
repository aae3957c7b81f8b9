/* What a machine has: the facts that scheduling and both back ends decide by. Targets are constants. */
#ifndef TENON_LOOP_TARGET_H
#define TENON_LOOP_TARGET_H

#include "base/diag.h"

/* Which intrinsics the C back end may write. */
typedef enum target_isa { ISA_NONE, ISA_SSE2, ISA_AVX2, ISA_AVX512, ISA_NEON } target_isa;

typedef struct target {
    const char *name;       /* "generic", "x86-64", "x86-64-v3", "x86-64-v4", "aarch64" */
    target_isa isa;
    int vector_bytes;       /* widest vector register; 0: no vectors, every lane count is 1 */
    int vector_registers;
    bool has_fma;           /* the loop IR may say FMA on float and double */
    bool has_sqrt;          /* SQRT is one correctly rounded instruction */
    bool has_rint;          /* FLOOR, CEIL, TRUNC, RINT are instructions */
    bool has_half;          /* f16 <-> f32 CAST is an instruction */
    const char *triple;     /* LLVM's, CPU and feature string */
    const char *cpu;
    const char *features;
    const char *c_target;   /* what `#pragma GCC target(...)` and clang's attribute name: "avx2,fma,f16c"; NULL none */
} target;

/* NULL-terminated. */
extern const target *const target_table[];
/* The row called `name`; "host" is the best row that this machine can run, by run-time feature detection.
 * NULL after a diagnostic that lists the names there are (STATUS_USAGE). */
const target *target_find(const char *name, diag *d);
const target *target_host(void);
/* Can this machine run code for `t`? */
bool target_runs_here(const target *t);
/* Lanes of one vector of elements of `bits` bits; 1 where the target has no vectors. */
int target_lanes(const target *t, int bits);
/* The fixed numeric target of everything that feeds a decision: x86-64-v3. */
const target *target_numeric(void);

#endif
