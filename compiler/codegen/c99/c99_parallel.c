/* Kernels with parts: what hands them to the caller's parallel_for. */
#include "codegen/c99/c99.h"

bool c99_has_parts(const c99 *c) {
    for (size_t i = 0; i < c->p->kernels.n; i++)
        if (c->part_names[i] != NULL)
            return true;
    return false;
}

void c99_parallel_write(c99 *c, strbuf *out) {
    if (!c99_has_parts(c))
        return;
    strbuf_add(out, "/* The parts of a kernel, by the caller's parallel_for where there is one. */\n"
                    "static void tn_parallel(const tenon_env *env, int64_t n, void (*body)(void *data, int64_t i), "
                    "void *data) {\n"
                    "    if (TENON_HAS(env, ctx) && env->parallel_for != NULL) {\n"
                    "        env->parallel_for(env->ctx, n, body, data);\n        return;\n    }\n"
                    "    for (int64_t i = 0; i < n; i++)\n        body(data, i);\n}\n\n");
}

static void write_pointer(c99 *c, size_t buffer, strbuf *out) {
    const kernel_buffer *b = &c->k->buffers.at[buffer];
    strbuf_printf(out, "%s%s *%s", b->access == ACCESS_READ ? "const " : "", c99_storage_type(b->elem),
                  c->buffer_names[buffer]);
}

/* struct tn_NAME { what the kernel is given }, a function that runs one part of it, and one that runs all. */
void c99_parts_write(c99 *c, int index, strbuf *out) {
    const char *all = c->kernel_names[index], *one = c->part_names[index];
    const char *args = c99_name(c, &c->locals, "args"), *env = c99_name(c, &c->locals, "env");
    size_t n = c->k->buffers.n;
    strbuf_printf(out, "struct tn_%s {\n", one);
    for (size_t i = 0; i < n; i++) {
        strbuf_add(out, "    ");
        write_pointer(c, i, out);
        strbuf_add(out, ";\n");
    }
    strbuf_printf(out,
                  "};\n\nstatic void tn_%s(void *data, int64_t i) {\n"
                  "    const struct tn_%s *args = (const struct tn_%s *)data;\n    %s(",
                  one, one, one, one);
    for (size_t i = 0; i < n; i++) {
        strbuf_printf(out, "args->%s", c->buffer_names[i]);
        if (c->k->buffers.at[i].access == ACCESS_SCRATCH)
            strbuf_printf(out, " + i * %lld", (long long)kernel_scratch_step(&c->k->buffers.at[i]));
        strbuf_add(out, ", ");
    }
    strbuf_printf(out, "i);\n}\n\nstatic void %s(", all);
    for (size_t i = 0; i < n; i++) {
        write_pointer(c, i, out);
        strbuf_add(out, ", ");
    }
    strbuf_printf(out, "const tenon_env *%s) {\n    struct tn_%s %s;\n", env, one, args);
    for (size_t i = 0; i < n; i++)
        strbuf_printf(out, "    %s.%s = %s;\n", args, c->buffer_names[i], c->buffer_names[i]);
    strbuf_printf(out, "    tn_parallel(%s, %lld, tn_%s, &%s);\n}\n\n", env,
                  (long long)kernel_parts(c->k)->loop.extent->imm, one, args);
}
