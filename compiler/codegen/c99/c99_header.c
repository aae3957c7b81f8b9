/* PREFIX.h, and PREFIX_example.c that shows its use. */
#include <ctype.h>
#include <string.h>

#include "codegen/c99/c99.h"

void c99_banner(c99 *c, strbuf *out) {
    strbuf_add(out, "/* SPDX-License-Identifier: MIT-0\n");
    const char *line = c->p->origin == NULL ? "" : c->p->origin;
    while (*line != '\0') {
        size_t n = strcspn(line, "\n");
        const char *text = c99_keep(c, arena_strndup(c->memory, line, n));
        strbuf_add(out, n == 0 ? " *" : " * ");
        c99_comment(out, text);
        strbuf_char(out, '\n');
        line += n + (line[n] == '\n');
    }
    strbuf_add(out, " */\n");
}

static void write_shape(strbuf *out, const program_buffer *b) {
    strbuf_add(out, dtype_name(b->elem));
    for (int i = 0; i < b->rank; i++)
        strbuf_printf(out, "%s%lld", i == 0 ? " " : "x", (long long)b->dims[i]);
}

static void write_struct(c99 *c, strbuf *out, bool output) {
    int n = output ? c->p->n_outputs : c->p->n_inputs, first = output ? c->p->n_inputs : 0;
    strbuf_add(out, "typedef struct {\n");
    for (int i = first; i < first + n; i++) {
        const program_buffer *b = &c->p->buffers.at[i];
        strbuf_printf(out, "    %s%s *%s; /* ", output ? "" : "const ", c99_storage_type(b->elem), c->fields[i]);
        write_shape(out, b);
        strbuf_add(out, ", ");
        c99_comment(out, c99_title(b));
        strbuf_add(out, " */\n");
    }
    if (n == 0)
        strbuf_add(out, "    char unused; /* there are none */\n");
    strbuf_printf(out, "} %s_%s;\n\n", c->p->name, output ? "outputs" : "inputs");
}

/* ---- regions ---- */

bool c99_has_regions(const c99 *c) {
    return c->p->regions.n > 1;
}

const char *c99_region_name(c99 *c, size_t region) {
    return c99_has_regions(c) ? c99_keep(c, arena_printf(c->memory, "arena_%s", c->p->regions.at[region].name))
                              : "arena";
}

const char *c99_region_macro(c99 *c, size_t region) {
    char *name = arena_printf(c->memory, "%s", c->p->regions.at[region].name);
    for (char *s = name; s != NULL && *s != '\0'; s++)
        *s = (char)toupper((unsigned char)*s);
    return c99_keep(c, name == NULL ? NULL : arena_printf(c->memory, "%s_ARENA_%s_BYTES", c->p->name, name));
}

void c99_run_signature(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_printf(out, "int %s_run(const %s_inputs *in, %s_outputs *out", name, name, name);
    for (size_t i = 0; i < (c99_has_regions(c) ? c->p->regions.n : 1); i++)
        strbuf_printf(out, ", void *%s", c99_region_name(c, i));
    strbuf_add(out, ")");
}

static void write_region_sizes(c99 *c, strbuf *out) {
    for (size_t i = 0; i < c->p->regions.n; i++) {
        const program_region *r = &c->p->regions.at[i];
        strbuf_printf(out, "#define %s %lld /* in %s, of %lld */\n", c99_region_macro(c, i), (long long)r->bytes,
                      r->name, (long long)r->limit);
    }
    strbuf_add(out, "/* The sum of them. */\n");
}

static void write_sizes(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_printf(out, "/* Scratch memory for one run at a time, %saligned to %s_ARENA_ALIGN. */\n",
                  c99_has_regions(c) ? "by region, each " : "", name);
    if (c99_has_regions(c))
        write_region_sizes(c, out);
    strbuf_printf(out, "#define %s_ARENA_BYTES %lld\n#define %s_ARENA_ALIGN 64\n", name, (long long)c->p->arena_bytes,
                  name);
    if (c->weight_bytes > 0)
        strbuf_printf(out, "/* Of %s.weights, whose address goes into tenon_env, aligned to %d. */\n", name,
                      WEIGHTS_ALIGN);
    else
        strbuf_add(out, "/* The weights are compiled in. */\n");
    strbuf_printf(out, "#define %s_WEIGHTS_BYTES %llu\n\n", name, (unsigned long long)c->weight_bytes);
}

static void write_run_env(c99 *c, strbuf *out) {
    strbuf_add(out, "/* The same in an environment of the caller's.");
    if (c->p->threads > 1)
        strbuf_printf(out,
                      " It is made for %d threads: env->parallel_for is handed the parts\n"
                      " * of large kernels. tenon/pool.h has one; compile tenon_pool.c with it, with -pthread. Without "
                      "any, and in\n * %s_run, the caller's thread does everything, with the same bits.",
                      c->p->threads, c->p->name);
    strbuf_add(out, " */\n");
}

void c99_header_write(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    c99_banner(c, out);
    strbuf_printf(out, "#ifndef TENON_MODEL_%s_H\n#define TENON_MODEL_%s_H\n\n#include \"tenon/runtime.h\"\n\n", name,
                  name);
    strbuf_add(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    write_sizes(c, out);
    write_struct(c, out, false);
    write_struct(c, out, true);
    strbuf_printf(out,
                  "/* Runs the model: TENON_OK or a TENON_E... code. Two threads may run it with two arenas%s. */\n",
                  c->weight_bytes > 0 ? ".\n * Without weights it can only fail: use run_env" : "");
    c99_run_signature(c, out);
    strbuf_add(out, ";\n");
    write_run_env(c, out);
    strbuf_printf(out,
                  "int %s_run_env(const %s_inputs *in, %s_outputs *out, const tenon_env *env);\n"
                  "/* The same behind a uniform struct; NULL where max_abi is too old: pass TENON_ABI. */\n"
                  "const tenon_model *%s_model(uint32_t max_abi);\n",
                  name, name, name, name);
    strbuf_add(out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* ---- the example ---- */

static const char *print_format(dtype t) {
    if (t == DT_F32 || t == DT_F64)
        return "printf(\" %g\", (double)";
    return "printf(\" %lld\", (long long)";
}

static void write_example_memory(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    if (!c99_has_regions(c))
        strbuf_printf(out, "static unsigned char memory[%s_ARENA_BYTES + %s_ARENA_ALIGN];\n", name, name);
    for (size_t i = 0; i < c->p->regions.n && c99_has_regions(c); i++)
        strbuf_printf(out, "static unsigned char memory_%zu[%s + %s_ARENA_ALIGN]; /* to be placed in %s */\n", i,
                      c99_region_macro(c, i), name, c->p->regions.at[i].name);
}

/* What main says of its memory before it does anything. */
static void write_example_arenas(c99 *c, strbuf *out) {
    size_t n = c->p->regions.n;
    strbuf_printf(out, "    void *arenas[%zu];\n    uint64_t arenas_bytes[%zu];\n", n, n);
}

static void write_example_memory_use(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_add(out, "    env.struct_size = (uint32_t)sizeof env;\n");
    if (!c99_has_regions(c)) {
        strbuf_printf(out,
                      "    env.arena = memory;\n    env.arena_bytes = %s_ARENA_BYTES;\n"
                      "    while (((uintptr_t)env.arena & (%s_ARENA_ALIGN - 1)) != 0)\n"
                      "        env.arena = (unsigned char *)env.arena + 1;\n",
                      name, name);
        return;
    }
    for (size_t i = 0; i < c->p->regions.n; i++)
        strbuf_printf(out,
                      "    arenas[%zu] = memory_%zu;\n    arenas_bytes[%zu] = %s;\n"
                      "    while (((uintptr_t)arenas[%zu] & (%s_ARENA_ALIGN - 1)) != 0)\n"
                      "        arenas[%zu] = (unsigned char *)arenas[%zu] + 1;\n",
                      i, i, i, c99_region_macro(c, i), i, name, i, i);
    strbuf_printf(out, "    env.arenas = arenas;\n    env.arenas_bytes = arenas_bytes;\n    env.n_arenas = %zu;\n",
                  c->p->regions.n);
}

static void write_example_buffers(c99 *c, strbuf *out) {
    for (int i = 0; i < c->p->n_inputs + c->p->n_outputs; i++) {
        const program_buffer *b = &c->p->buffers.at[i];
        strbuf_printf(out, "static %s %s_%d[%lld]; /* ", c99_storage_type(b->elem),
                      i < c->p->n_inputs ? "input" : "output", i < c->p->n_inputs ? i : i - c->p->n_inputs,
                      (long long)dtype_bytes(b->elem, b->n == 0 ? 1 : (size_t)b->n));
        c99_comment(out, c99_title(b));
        strbuf_add(out, " */\n");
    }
    write_example_memory(c, out);
    if (c->weight_bytes > 0)
        strbuf_printf(out, "static unsigned char weight_memory[%s_WEIGHTS_BYTES + %d];\n", c->p->name, WEIGHTS_ALIGN);
}

static void write_example_inputs(c99 *c, strbuf *out) {
    for (int i = 0; i < c->p->n_inputs; i++) {
        const program_buffer *b = &c->p->buffers.at[i];
        const char *type = c99_storage_type(b->elem);
        if (b->elem == DT_F32 || b->elem == DT_F64)
            strbuf_printf(out, "    for (i = 0; i < %lld; i++)\n        input_%d[i] = (%s)(i %% 17) / 16;\n",
                          (long long)b->n, i, type);
        else if (dtype_is_float(b->elem))
            strbuf_printf(out, "    for (i = 0; i < %lld; i++)\n        input_%d[i] = 0; /* bits of %s */\n",
                          (long long)b->n, i, dtype_name(b->elem));
        else
            strbuf_printf(out, "    for (i = 0; i < %lld; i++)\n        input_%d[i] = (%s)(i %% 2);\n", (long long)b->n,
                          i, type);
        strbuf_printf(out, "    in.%s = input_%d;\n", c->fields[i], i);
    }
    for (int i = 0; i < c->p->n_outputs; i++)
        strbuf_printf(out, "    out.%s = output_%d;\n", c->fields[c->p->n_inputs + i], i);
}

static void write_example_weights(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_printf(out,
                  "    if (argc != 2 || (file = fopen(argv[1], \"rb\")) == NULL) {\n"
                  "        fprintf(stderr, \"usage: %%s %s.weights\\n\", argv[0]);\n        return 2;\n    }\n"
                  "    env.weights_bytes = fread(weights, 1, %s_WEIGHTS_BYTES, file);\n"
                  "    fclose(file);\n    env.weights = weights;\n",
                  name, name);
}

#define SHOWN_NAME 100

static void write_example_outputs(c99 *c, strbuf *out) {
    for (int i = 0; i < c->p->n_outputs; i++) {
        const program_buffer *b = &c->p->buffers.at[c->p->n_inputs + i];
        long long shown = b->n < 10 ? b->n : 10;
        strbuf_add(out, "    printf(\"%s:\", ");
        c99_string(out, c99_keep(c, arena_strndup(c->memory, c99_title(b), SHOWN_NAME)));
        strbuf_printf(out, ");\n    for (i = 0; i < %lld; i++)\n        %soutput_%d[i]);\n", shown,
                      print_format(b->elem), i);
        strbuf_printf(out, "    printf(\"%s\\n\");\n", b->n > shown ? " ..." : "");
    }
}

void c99_example_write(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    bool file = c->weight_bytes > 0;
    c99_banner(c, out);
    strbuf_printf(out, "#include <stdio.h>\n\n#include \"%s.h\"\n%s\n", name,
                  c->p->threads > 1 ? "#include \"tenon/pool.h\"\n" : "");
    write_example_buffers(c, out);
    strbuf_printf(out,
                  "\nint main(%s) {\n    %s_inputs in = {0};\n    %s_outputs out = {0};\n    tenon_env env = {0};\n",
                  file ? "int argc, char **argv" : "void", name, name);
    if (c99_has_regions(c))
        write_example_arenas(c, out);
    strbuf_add(out, "    int64_t i;\n    int code;\n");
    if (file)
        strbuf_printf(out,
                      "    FILE *file;\n    unsigned char *weights = weight_memory;\n\n"
                      "    while (((uintptr_t)weights & (%d - 1)) != 0)\n        weights++;\n",
                      WEIGHTS_ALIGN);
    write_example_memory_use(c, out);
    if (file)
        write_example_weights(c, out);
    write_example_inputs(c, out);
    if (c->p->threads > 1)
        strbuf_printf(out,
                      "    env.parallel_for = tenon_pool_for;\n    env.ctx = tenon_pool_new(%d);\n"
                      "    if (env.ctx == NULL)\n        return 1;\n",
                      c->p->threads);
    strbuf_printf(out, "    code = %s_run_env(&in, &out, &env);\n", name);
    if (c->p->threads > 1)
        strbuf_add(out, "    tenon_pool_free((tenon_pool *)env.ctx);\n");
    strbuf_add(
        out,
        "    if (code != TENON_OK) {\n        fprintf(stderr, \"error %d\\n\", code);\n        return 1;\n    }\n");
    write_example_outputs(c, out);
    strbuf_add(out, "    return 0;\n}\n");
}
