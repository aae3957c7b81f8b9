/* A program as C99 files. */
#include "codegen/c99/c99.h"

typedef struct isa_text {
    const char *check;   /* which machine the file is for */
    const char *include; /* its intrinsics */
} isa_text;

#define X86_TEXT                                                                                                       \
    {"#if !defined(__x86_64__)\n#error \"this file was generated for x86-64\"\n#endif\n", "#include <immintrin.h>\n"}

static const isa_text isa_texts[] = {
    [ISA_NONE] = {"", ""},
    [ISA_SSE2] = X86_TEXT,
    [ISA_AVX2] = X86_TEXT,
    [ISA_AVX512] = X86_TEXT,
    [ISA_NEON] = {"#if !defined(__aarch64__)\n#error \"this file was generated for aarch64\"\n#endif\n",
                  "#include <arm_neon.h>\n"},
    /* Only flags choose the instructions that it has. */
    [ISA_VFP] = {"#if !defined(__arm__) || !defined(__ARM_FEATURE_FMA) || !defined(__ARM_FP) || (__ARM_FP & 4) == 0\n"
                 "#error \"compile this file with -mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard\"\n#endif\n",
                 ""},
};

/* Names that stand in the file whatever the model is. */
static void reserve_names(c99 *c) {
    static const char *const suffixes[] = {"inputs", "outputs",     "run",         "run_env",
                                           "model",  "ARENA_BYTES", "ARENA_ALIGN", "WEIGHTS_BYTES"};
    static const char *const locals[] = {"in",      "out", "env",     "arena", "weights", "code", "inputs",
                                         "outputs", "one", "max_abi", "known", "arenas",  "bytes"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        c99_reserve(c, &c->globals, c99_keep(c, arena_printf(c->memory, "%s_%s", c->p->name, suffixes[i])));
    for (size_t i = 0; i < sizeof locals / sizeof *locals; i++)
        c99_reserve_here(c, &c->globals, locals[i]);
    for (size_t i = 0; i < c->p->regions.n; i++) {
        c99_reserve_here(c, &c->globals, c99_region_name(c, i));
        c99_reserve(c, &c->globals, c99_region_macro(c, i));
    }
}

/* Constants that other files see have the names that those give them, which therefore come first. */
static void name_symbols(c99 *c) {
    for (size_t i = 0; i < c->p->buffers.n && c99_weights_are_symbols(c); i++) {
        c->const_names[i] = c->table.symbols[i];
        if (c->const_names[i] != NULL)
            c99_reserve(c, &c->globals, c->const_names[i]);
    }
}

static void name_const(c99 *c, int buffer) {
    const program_buffer *b = &c->p->buffers.at[buffer];
    if (b->place == PLACE_CONST && c->const_names[buffer] == NULL)
        c->const_names[buffer] = c99_name(c, &c->globals, c99_keep(c, arena_printf(c->memory, "w_%s", b->name)));
}

/* The header's macros would be replaced in members too. */
static void reserve_members(c99 *c, names *scope) {
    static const char *const macros[] = {"ARENA_BYTES", "ARENA_ALIGN", "WEIGHTS_BYTES"};
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        c99_reserve(c, scope, c99_keep(c, arena_printf(c->memory, "%s_%s", c->p->name, macros[i])));
    for (size_t i = 0; i < c->p->regions.n; i++)
        c99_reserve(c, scope, c99_region_macro(c, i));
}

static void name_everything(c99 *c) {
    const program *p = c->p;
    reserve_names(c);
    name_symbols(c);
    for (size_t i = 0; i < p->steps.n; i++) {
        const program_step *s = &p->steps.at[i];
        const kernel *k = p->kernels.at[s->kernel];
        /* A kernel may be called exp, which every compiler thinks it knows. */
        if (c->kernel_names[s->kernel] == NULL)
            c->kernel_names[s->kernel] =
                c99_name(c, &c->globals, c99_keep(c, arena_printf(c->memory, "k_%s", k->name)));
        if (kernel_parts(k) != NULL && c->part_names[s->kernel] == NULL)
            c->part_names[s->kernel] = c99_name(c, &c->globals, c99_keep(c, arena_printf(c->memory, "p_%s", k->name)));
        for (size_t a = 0; a < k->buffers.n; a++)
            name_const(c, s->args[a].buffer);
    }
    names inputs = {map_in(c->memory), NULL}, outputs = {map_in(c->memory), NULL};
    reserve_members(c, &inputs);
    reserve_members(c, &outputs);
    for (int i = 0; i < p->n_inputs + p->n_outputs; i++)
        c->fields[i] = c99_name(c, i < p->n_inputs ? &inputs : &outputs, c99_title(&p->buffers.at[i]));
}

static bool prepare(c99 *c, const program *p, weights_form weights, arena *a) {
    size_t n = p->buffers.n + 1;
    c->memory = a;
    c->p = p;
    c->target = p->target;
    c->weights = weights;
    c->globals = (names){map_in(a), NULL};
    c->words = map_in(a);
    c->helpers = ARENA_NEW_N(a, bool, (size_t)HELPER_COUNT *DT_COUNT *DT_COUNT);
    c->const_names = ARENA_NEW_N(a, const char *, n);
    c->fields = ARENA_NEW_N(a, const char *, n);
    c->kernel_names = ARENA_NEW_N(a, const char *, p->kernels.n + 1);
    c->kernel_checks = ARENA_NEW_N(a, bool, p->kernels.n + 1);
    c->part_names = ARENA_NEW_N(a, const char *, p->kernels.n + 1);
    return c->helpers != NULL && c->const_names != NULL && c->fields != NULL && c->kernel_names != NULL &&
           c->kernel_checks != NULL && c->part_names != NULL && weights_place(p, a, &c->table) == STATUS_OK;
}

/* ---- PREFIX.c ---- */

static void write_target(c99 *c, strbuf *out) {
    const target *t = c->target;
    strbuf_add(out, isa_texts[t->isa].check);
    strbuf_add(out, "#if defined(__FAST_MATH__)\n#error \"this file needs IEEE arithmetic: compile it without "
                    "-ffast-math\"\n#endif\n"
                    "#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 2\n"
                    "#error \"this file needs float arithmetic in float: compile it without x87, e.g. with -msse2 "
                    "-mfpmath=sse\"\n#endif\n");
    if (c99_weights_have_order(c))
        strbuf_add(out, "#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__\n"
                        "#error \"the weights of this file are little-endian\"\n#endif\n");
    strbuf_add(out, "#if defined(__clang__)\n#pragma clang fp contract(off)\n#elif defined(__GNUC__)\n"
                    "#pragma GCC optimize(\"fp-contract=off\")\n");
    if (t->c_target != NULL)
        /* With -march=native on an AVX-512 machine, gcc 12 turns some byte blends under an inverted mask the wrong way
         * round. */
        strbuf_printf(out, "#pragma GCC target(\"%s%s\")\n", t->c_target, t->isa == ISA_AVX2 ? ",no-avx512f" : "");
    strbuf_add(out, "#endif\n");
    strbuf_add(out, isa_texts[t->isa].include);
    /* gcc's own AVX-512 macros, where it does not optimise. */
    if (t->isa == ISA_AVX512)
        strbuf_add(out, "#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__)\n"
                        "#pragma GCC diagnostic ignored \"-Wsign-conversion\"\n#endif\n");
    if (t->c_target != NULL)
        strbuf_printf(out,
                      "#if defined(__clang__)\n#pragma clang attribute push(__attribute__((target(\"%s\"))), apply_to "
                      "= function)\n#endif\n",
                      t->c_target);
}

static void write_macros(strbuf *out) {
    strbuf_add(out, "#if defined(__GNUC__)\n#define TN_KERNEL __attribute__((noinline))\n#define TN_ALIGNED "
                    "__attribute__((aligned(64)))\n"
                    "#else\n#define TN_KERNEL\n#define TN_ALIGNED\n#endif\n\n");
}

/* Weights and names may be longer strings than C99 promises: gcc and clang have no limit. And a model may well compare
 * what its constants decide. */
static void write_diagnostics(strbuf *out) {
    strbuf_add(out, "#if defined(__GNUC__)\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n"
                    "#pragma GCC diagnostic ignored \"-Wtautological-compare\"\n#endif\n");
}

static void write_weights(c99 *c, strbuf *out) {
    if (c->weights == WEIGHTS_BIN)
        return;
    for (size_t i = 0; i < c->p->buffers.n; i++) {
        if (c->const_names[i] == NULL)
            continue;
        if (c->weights == WEIGHTS_INLINE)
            c99_weight_write(c, (int)i, true, out);
        else
            c99_weight_declare(c, (int)i, out);
    }
    strbuf_char(out, '\n');
}

static status write_source(c99 *c, strbuf *out) {
    strbuf kernels = strbuf_in(c->memory);
    for (size_t i = 0; i < c->p->kernels.n && !c->failed; i++)
        if (c->kernel_names[i] != NULL)
            c99_kernel_write(c, (int)i, &kernels);
    const char *text;
    TRY(strbuf_finish(&kernels, &text));
    c99_banner(c, out);
    strbuf_printf(out, "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n#include \"%s.h\"\n\n",
                  c->p->name);
    write_target(c, out);
    write_diagnostics(out);
    write_macros(out);
    c99_vector_typedefs(c, out);
    strbuf_char(out, '\n');
    /* Helpers may need constants of helpers before them. */
    c99_helpers_write(c, out);
    write_weights(c, out);
    c99_parallel_write(c, out);
    strbuf_add(out, text);
    c99_run_write(c, out);
    if (c->target->c_target != NULL)
        strbuf_add(out, "\n#if defined(__clang__)\n#pragma clang attribute pop\n#endif\n");
    return STATUS_OK;
}

/* ---- PREFIX_weights.c ---- */

static void write_weights_source(c99 *c, strbuf *out) {
    c99_banner(c, out);
    strbuf_add(out, "#include <stdint.h>\n\n");
    write_diagnostics(out);
    write_macros(out);
    for (size_t i = 0; i < c->p->buffers.n; i++)
        if (c->const_names[i] != NULL)
            c99_weight_write(c, (int)i, false, out);
}

static status finish(const c99 *c, strbuf *s, const char **out_text, size_t *out_bytes) {
    TRY(strbuf_finish(s, out_text));
    *out_bytes = s->n;
    return c->failed ? STATUS_RESOURCE : STATUS_OK;
}

static status emit_source(c99 *c, c99_files *out) {
    strbuf source = strbuf_in(c->memory);
    TRY(write_source(c, &source));
    return finish(c, &source, &out->source, &out->source_bytes);
}

/* Everything but PREFIX.c. */
static status emit_others(c99 *c, c99_files *out) {
    strbuf header = strbuf_in(c->memory), example = strbuf_in(c->memory), weights = strbuf_in(c->memory);
    c99_header_write(c, &header);
    TRY(finish(c, &header, &out->header, &out->header_bytes));
    c99_example_write(c, &example);
    TRY(finish(c, &example, &out->example, &out->example_bytes));
    out->weights_bytes = c->weight_bytes;
    if (c->weights == WEIGHTS_C) {
        write_weights_source(c, &weights);
        TRY(finish(c, &weights, &out->weights_source, &out->weights_source_bytes));
    }
    return c->weight_bytes > 0 ? weights_file(c->p, &c->table, c->memory, &out->weights) : STATUS_OK;
}

static status emit(const program *p, weights_form weights, bool with_source, arena *a, c99_files *out) {
    c99 *c = ARENA_NEW(a, c99);
    TRY_ALLOC(c);
    *out = (c99_files){0};
    if (!prepare(c, p, weights, a))
        return STATUS_RESOURCE;
    c->weight_bytes = weights == WEIGHTS_BIN ? c->table.bytes : 0;
    c->scratch = arena_new(arena_allocator(a));
    TRY_ALLOC(c->scratch);
    name_everything(c);
    status s = with_source ? emit_source(c, out) : STATUS_OK;
    if (s == STATUS_OK)
        s = emit_others(c, out);
    arena_free(c->scratch);
    return s;
}

status c99_emit(const program *p, weights_form weights, arena *a, c99_files *out) {
    return emit(p, weights, true, a, out);
}

status c99_emit_beside(const program *p, weights_form weights, arena *a, c99_files *out) {
    return emit(p, weights, false, a, out);
}
