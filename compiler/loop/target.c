/* The targets there are, and which of them this machine can run. */
#include "loop/target.h"

#include <string.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/text.h"

/* Element types by their bits, for the facts that are asked by element. */
#define SINGLE (1u << DT_F32)
#define BOTH (SINGLE | 1u << DT_F64)
/* Caches that nearly every core with these instructions has. */
#define X86_CACHES .l1_bytes = 32 << 10, .l2_bytes = 256 << 10
/* What every core with AVX2 has. */
#define AVX2_CORE                                                                                                      \
    .isa = ISA_AVX2, .vector_bytes = 32, .vector_registers = 16, X86_CACHES, .fma = BOTH, .sqrt = BOTH, .rint = BOTH,  \
    .has_half = true, .has_pairs = true, .triple = "x86_64-unknown-linux-gnu", .cpu = "x86-64-v3"
#define AVX2_C_TARGET "avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"
/* What every core with AVX-512 has. */
#define AVX512_CORE                                                                                                    \
    .isa = ISA_AVX512, .vector_bytes = 64, .vector_registers = 32, .l1_bytes = 32 << 10, .l2_bytes = 512 << 10,        \
    .fma = BOTH, .sqrt = BOTH, .rint = BOTH, .has_half = true, .has_pairs = true,                                      \
    .triple = "x86_64-unknown-linux-gnu", .cpu = "x86-64-v4"
#define AVX512_FEATURES "-prefer-256-bit"
#define AVX512_C_TARGET(more) "avx512f,avx512bw,avx512cd,avx512dq,avx512vl," more "avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"

static const target generic = {
    .name = "generic",
    .isa = ISA_NONE,
    .triple = "x86_64-unknown-linux-gnu",
    .cpu = "x86-64",
    .features = "",
};

static const target x86_64 = {
    .name = "x86-64",
    .isa = ISA_SSE2,
    .vector_bytes = 16,
    .vector_registers = 16,
    X86_CACHES,
    .sqrt = BOTH,
    .dot4 = 4,
    .triple = "x86_64-unknown-linux-gnu",
    .cpu = "x86-64",
    .features = "",
};

static const target x86_64_v3 = {
    .name = "x86-64-v3",
    AVX2_CORE,
    .dot4 = 4,
    .features = "",
    .c_target = AVX2_C_TARGET,
};

/* Whose core multiplies bytes, but has no AVX-512: Alder Lake, and what came after it. */
static const target x86_64_avxvnni = {
    .name = "x86-64-avxvnni",
    AVX2_CORE,
    .has_vnni = true,
    .dot4 = 1,
    .features = "+avxvnni",
    .c_target = AVX2_C_TARGET ",avxvnni",
};

static const target x86_64_v4 = {
    .name = "x86-64-v4",
    AVX512_CORE,
    .dot4 = 4,
    .features = AVX512_FEATURES,
    .c_target = AVX512_C_TARGET(""),
};

/* Whose core multiplies bytes: Ice Lake, Zen 4, and what came after them. */
static const target x86_64_vnni = {
    .name = "x86-64-vnni",
    AVX512_CORE,
    .has_vnni = true,
    .dot4 = 1,
    .features = AVX512_FEATURES ",+avx512vnni",
    .c_target = AVX512_C_TARGET("avx512vnni,"),
};

/* What every 64-bit ARM core has. */
#define AARCH64_CORE                                                                                                   \
    .isa = ISA_NEON, .vector_bytes = 16, .vector_registers = 32, .l1_bytes = 32 << 10, .l2_bytes = 256 << 10,          \
    .fma = BOTH, .sqrt = BOTH, .rint = BOTH, .has_half = true, .triple = "aarch64-unknown-linux-gnu", .cpu = "generic"

static const target aarch64 = {
    .name = "aarch64",
    AARCH64_CORE,
    .features = "+neon",
};

/* Whose core multiplies bytes: Cortex-A76, Neoverse N1, Apple M1, and what came after them. */
static const target aarch64_dotprod = {
    .name = "aarch64-dotprod",
    AARCH64_CORE,
    .has_dotprod = true,
    .dot4 = 1,
    .features = "+neon,+dotprod",
    .c_target = "arch=armv8.2-a+dotprod",
};

/* And its like: what has a single-precision unit with fused multiply-add. */
static const target cortex_m4 = {
    .name = "cortex-m4",
    .isa = ISA_VFP,
    .fma = SINGLE,
    .sqrt = SINGLE,
    .triple = "thumbv7em-none-eabihf",
    .cpu = "cortex-m4",
    .features = "+vfp4d16sp",
    .is_bare = true,
};

const target *const target_table[] = {&generic,     &x86_64,  &x86_64_v3,       &x86_64_avxvnni, &x86_64_v4,
                                      &x86_64_vnni, &aarch64, &aarch64_dotprod, &cortex_m4,      NULL};

#if defined(__x86_64__)
static bool isa_runs_here(target_isa isa) {
    __builtin_cpu_init();
    switch (isa) {
    case ISA_NONE:
    case ISA_SSE2:
        return true;
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case ISA_AVX512:
        return isa_runs_here(ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    default:
        return false;
    }
}

static bool has_avxvnni(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1u << 4) != 0;
}

static bool products_run_here(const target *t) {
    return !t->has_vnni || (t->isa == ISA_AVX2 ? has_avxvnni() : __builtin_cpu_supports("avx512vnni") != 0);
}
#elif defined(__aarch64__)
static bool isa_runs_here(target_isa isa) {
    return isa == ISA_NEON;
}

static bool products_run_here(const target *t) {
#if defined(__linux__)
    return !t->has_dotprod || (getauxval(AT_HWCAP) & 1u << 20) != 0; /* ASIMDDP */
#else
    return !t->has_dotprod;
#endif
}
#else
static bool isa_runs_here(target_isa isa) {
    (void)isa;
    return false;
}

static bool products_run_here(const target *t) {
    (void)t;
    return true;
}
#endif

bool target_runs_here(const target *t) {
    return isa_runs_here(t->isa) && products_run_here(t);
}

/* The widest vectors that run here; the generic row where none do. */
const target *target_host(void) {
    const target *best = &generic;
    for (size_t i = 0; target_table[i] != NULL; i++)
        if (target_runs_here(target_table[i]) && target_table[i]->vector_bytes >= best->vector_bytes)
            best = target_table[i];
    return best;
}

const target *target_find(const char *name, diag *d) {
    if (strcmp(name, "host") == 0)
        return target_host();
    char names[128] = "host";
    const char *choices[sizeof target_table / sizeof *target_table];
    size_t n = 0;
    for (; target_table[n] != NULL; n++) {
        if (strcmp(target_table[n]->name, name) == 0)
            return target_table[n];
        choices[n] = target_table[n]->name;
        strcat(strcat(names, ", "), target_table[n]->name);
    }
    diag_error(d, STATUS_USAGE, "unknown-target", DIAG_NOWHERE, "there is no target '%s'; there are %s", name, names);
    const char *near = text_nearest(name, choices, n);
    if (near != NULL)
        diag_note(d, "did you mean '%s'?", near);
    return NULL;
}

dtype target_dot4_data(const target *t) {
    return t->isa == ISA_NEON ? DT_I8 : DT_U8;
}

bool target_has_fma(const target *t, dtype elem) {
    return (t->fma >> elem & 1) != 0;
}

bool target_has_sqrt(const target *t, dtype elem) {
    return (t->sqrt >> elem & 1) != 0;
}

bool target_has_rint(const target *t, dtype elem) {
    return (t->rint >> elem & 1) != 0;
}

bool target_permutes(const target *t, int bits, int lanes) {
    bool avx512 = t->isa == ISA_AVX512;
    return bits == 32 && ((lanes == 8 && (avx512 || t->isa == ISA_AVX2)) || (lanes == 16 && avx512));
}

bool target_permutes2(const target *t, int bits, int lanes) {
    return t->isa == ISA_AVX512 && target_permutes(t, bits, lanes);
}

int target_lanes(const target *t, int bits) {
    int lanes = t->vector_bytes * 8 / bits;
    return lanes > 1 ? lanes : 1;
}

const target *target_numeric(void) {
    return &x86_64_v3;
}
