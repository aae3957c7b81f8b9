/* The model's entry points in C: checks, the steps in order, the uniform description. */
#include "codegen/c99/c99.h"

static const program_buffer *tensor(const c99 *c, bool output, int i) {
    return &c->p->buffers.at[output ? c->p->n_inputs + i : i];
}

static int n_tensors(const c99 *c, bool output) {
    return output ? c->p->n_outputs : c->p->n_inputs;
}

/* ---- PREFIX_run_env ---- */

static bool uses_arena(const c99 *c) {
    return c->p->arena_bytes > 0;
}

static void write_pointer_checks(c99 *c, strbuf *out) {
    strbuf_add(out, "    if (in == NULL || out == NULL || env == NULL)\n        return TENON_E_ARGUMENT;\n");
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < n_tensors(c, o); i++) {
            int at = o ? c->p->n_inputs + i : i;
            if (c->p->buffers.at[at].n > 0)
                strbuf_printf(out, "    if (%s->%s == NULL)\n        return TENON_E_ARGUMENT;\n", o ? "out" : "in",
                              c->fields[at]);
        }
}

static void write_arena_checks(c99 *c, strbuf *out) {
    strbuf_printf(out,
                  "    if (!TENON_HAS(env, arena_bytes))\n        return TENON_E_STRUCT_SIZE;\n"
                  "    if (env->arena == NULL || env->arena_bytes < %s_ARENA_BYTES ||\n"
                  "        ((uintptr_t)env->arena & (%s_ARENA_ALIGN - 1)) != 0)\n        return TENON_E_ARENA;\n",
                  c->p->name, c->p->name);
}

static void write_region_checks(c99 *c, strbuf *out) {
    strbuf_printf(out,
                  "    if (!TENON_HAS(env, n_arenas))\n        return TENON_E_STRUCT_SIZE;\n"
                  "    if (env->arenas == NULL || env->arenas_bytes == NULL || env->n_arenas != %zu)\n"
                  "        return TENON_E_ARENA;\n",
                  c->p->regions.n);
    for (size_t i = 0; i < c->p->regions.n; i++)
        if (c->p->regions.at[i].bytes > 0)
            strbuf_printf(out,
                          "    if (env->arenas[%zu] == NULL || env->arenas_bytes[%zu] < %s ||\n"
                          "        ((uintptr_t)env->arenas[%zu] & (%s_ARENA_ALIGN - 1)) != 0)\n"
                          "        return TENON_E_ARENA;\n",
                          i, i, c99_region_macro(c, i), i, c->p->name);
}

static void write_arenas(c99 *c, strbuf *out) {
    if (!c99_has_regions(c))
        strbuf_add(out, "    unsigned char *const arena = (unsigned char *)env->arena;\n");
    for (size_t i = 0; i < c->p->regions.n && c99_has_regions(c); i++)
        if (c->p->regions.at[i].bytes > 0)
            strbuf_printf(out, "    unsigned char *const %s = (unsigned char *)env->arenas[%zu];\n",
                          c99_region_name(c, i), i);
}

static void write_memory_checks(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    if (uses_arena(c))
        (c99_has_regions(c) ? write_region_checks : write_arena_checks)(c, out);
    if (c->weight_bytes > 0)
        strbuf_printf(out,
                      "    if (!TENON_HAS(env, weights_bytes))\n        return TENON_E_STRUCT_SIZE;\n"
                      "    if (env->weights == NULL || env->weights_bytes != %s_WEIGHTS_BYTES ||\n"
                      "        ((uintptr_t)env->weights & (%d - 1)) != 0)\n        return TENON_E_WEIGHTS;\n",
                      name, WEIGHTS_ALIGN);
    if (c99_weights_have_order(c))
        strbuf_add(out, "#ifndef __BYTE_ORDER__\n"
                        "    const uint16_t one = 1;\n"
                        "    if (*(const unsigned char *)&one != 1)\n        return TENON_E_BYTE_ORDER;\n"
                        "#endif\n");
    if (uses_arena(c))
        write_arenas(c, out);
    if (c->weight_bytes > 0)
        strbuf_add(out, "    const unsigned char *const weights = (const unsigned char *)env->weights;\n");
}

static void write_first(strbuf *out, int64_t first) {
    if (first != 0)
        strbuf_printf(out, " + %lld", (long long)first);
}

/* Is it in memory that the model does not have, since nothing in it has elements? */
static bool has_no_memory(const c99 *c, const program_buffer *b) {
    bool no_arena = c99_has_regions(c) ? c->p->regions.at[program_region_of(c->p, b)].bytes == 0 : !uses_arena(c);
    return (b->place == PLACE_ARENA && no_arena) ||
           (b->place == PLACE_CONST && c->weights == WEIGHTS_BIN && c->weight_bytes == 0);
}

static void write_argument(c99 *c, strbuf *out, const step_arg *a, const kernel_buffer *k) {
    const program_buffer *b = &c->p->buffers.at[a->buffer];
    const char *type = c99_storage_type(k->elem), *qualifier = k->access == ACCESS_READ ? "const " : "";
    bool same = c99_stored(k->elem) == c99_stored(b->elem);
    long long skip = (long long)dtype_bytes(k->elem, (size_t)a->first);
    if (has_no_memory(c, b)) {
        strbuf_add(out, "NULL");
        return;
    }
    if (b->place == PLACE_ARENA) {
        size_t region = c99_has_regions(c) ? program_region_of(c->p, b) : 0;
        long long start = c99_has_regions(c) ? (long long)c->p->regions.at[region].start : 0;
        strbuf_printf(out, "(%s%s *)(void *)(%s + %lld)", qualifier, type, c99_region_name(c, region),
                      (long long)b->offset - start + skip);
        return;
    }
    if (b->place == PLACE_CONST && c->weights == WEIGHTS_BIN) {
        strbuf_printf(out, "(const %s *)(const void *)(weights + %llu)", type,
                      (unsigned long long)c->table.offsets[a->buffer] + (unsigned long long)skip);
        return;
    }
    if (!same)
        strbuf_printf(out, "(%s%s *)(%svoid *)", qualifier, type, qualifier);
    if (b->place == PLACE_CONST)
        strbuf_add(out, c99_weight_data(c, a->buffer));
    else
        strbuf_printf(out, "%s->%s", b->place == PLACE_INPUT ? "in" : "out", c->fields[a->buffer]);
    write_first(out, a->first);
}

static void write_step(c99 *c, strbuf *out, const program_step *s) {
    const kernel *k = c->p->kernels.at[s->kernel];
    bool checks = c->kernel_checks[s->kernel];
    if (s->note != NULL && *s->note != '\0') {
        strbuf_add(out, "\n    /* ");
        c99_comment(out, s->note);
        strbuf_add(out, " */");
    }
    strbuf_printf(out, "\n    %s%s(", checks ? "code = " : "", c->kernel_names[s->kernel]);
    for (size_t i = 0; i < k->buffers.n; i++) {
        strbuf_add(out, i == 0 ? "" : ", ");
        write_argument(c, out, &s->args[i], &k->buffers.at[i]);
    }
    if (kernel_parts(k) != NULL)
        strbuf_add(out, k->buffers.n == 0 ? "env" : ", env");
    strbuf_add(out, checks ? ");\n    if (code != TENON_OK)\n        return code;" : ");");
}

static void write_run_env(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    bool checks = false;
    strbuf_printf(out, "int %s_run_env(const %s_inputs *in, %s_outputs *out, const tenon_env *env) {\n", name, name,
                  name);
    write_pointer_checks(c, out);
    write_memory_checks(c, out);
    for (size_t i = 0; i < c->p->steps.n; i++)
        checks |= c->kernel_checks[c->p->steps.at[i].kernel];
    if (checks)
        strbuf_add(out, "    int code;\n");
    for (size_t i = 0; i < c->p->steps.n; i++) {
        arena_mark mark = arena_get_mark(c->scratch);
        write_step(c, out, &c->p->steps.at[i]);
        arena_reset(c->scratch, mark);
    }
    strbuf_add(out, "\n    return TENON_OK;\n}\n\n");
}

static void write_run_arenas(c99 *c, strbuf *out) {
    for (size_t i = 0; i < c->p->regions.n; i++)
        strbuf_printf(out, "    arenas[%zu] = %s;\n    bytes[%zu] = %s;\n", i, c99_region_name(c, i), i,
                      c99_region_macro(c, i));
    strbuf_printf(out, "    env.arenas = arenas;\n    env.arenas_bytes = bytes;\n    env.n_arenas = %zu;\n",
                  c->p->regions.n);
}

static void write_run(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    size_t n = c->p->regions.n;
    c99_run_signature(c, out);
    strbuf_add(out, " {\n");
    if (c99_has_regions(c))
        strbuf_printf(out, "    void *arenas[%zu];\n    uint64_t bytes[%zu];\n", n, n);
    strbuf_add(out, "    tenon_env env = {0};\n    env.struct_size = (uint32_t)sizeof env;\n");
    if (c99_has_regions(c))
        write_run_arenas(c, out);
    else
        strbuf_printf(out, "    env.arena = arena;\n    env.arena_bytes = %s_ARENA_BYTES;\n", name);
    strbuf_printf(out, "    return %s_run_env(in, out, &env);\n}\n\n", name);
}

/* ---- PREFIX_model ---- */

static void write_info(c99 *c, strbuf *out, bool output, int i) {
    const program_buffer *b = tensor(c, output, i);
    const char *kind = output ? "output" : "input";
    strbuf_printf(out, "static const int64_t tn_%s_%d_dims[] = {", kind, i);
    for (int d = 0; d < b->rank; d++)
        strbuf_printf(out, "%s%s", d == 0 ? "" : ", ", c99_int(c, DT_I64, b->dims[d]).s);
    strbuf_printf(out,
                  "%s};\nstatic const tenon_tensor_info tn_%s_%d = {\n    (uint32_t)sizeof(tenon_tensor_info), %d, ",
                  b->rank == 0 ? "1" : "", kind, i, dtype_to_onnx(b->elem));
    c99_string(out, c99_title(b));
    strbuf_printf(out, ", tn_%s_%d_dims, %llu, %d, %d,\n};\n", kind, i,
                  (unsigned long long)dtype_bytes(b->elem, (size_t)b->n), b->rank, (int)dtype_bytes(b->elem, 1));
}

static void write_infos(c99 *c, strbuf *out, bool output) {
    const char *kind = output ? "output" : "input";
    for (int i = 0; i < n_tensors(c, output); i++)
        write_info(c, out, output, i);
    strbuf_printf(out, "static const tenon_tensor_info *const tn_%s_list[] = {", kind);
    for (int i = 0; i < n_tensors(c, output); i++)
        strbuf_printf(out, "&tn_%s_%d, ", kind, i);
    strbuf_add(out, "NULL};\n\n");
}

static void write_regions(c99 *c, strbuf *out) {
    for (size_t i = 0; i < c->p->regions.n; i++)
        strbuf_printf(out,
                      "static const tenon_region_info tn_region_%zu = {\n    (uint32_t)sizeof(tenon_region_info), 0, "
                      "\"%s\", %s, %s_ARENA_ALIGN,\n};\n",
                      i, c->p->regions.at[i].name, c99_region_macro(c, i), c->p->name);
    strbuf_add(out, "static const tenon_region_info *const tn_region_list[] = {");
    for (size_t i = 0; i < c->p->regions.n; i++)
        strbuf_printf(out, "&tn_region_%zu, ", i);
    strbuf_add(out, "NULL};\n\n");
}

static void write_run_pointers(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_printf(
        out,
        "static int tn_run_pointers(const void *const *inputs, void *const *outputs, const tenon_env *env) {\n"
        "    %s_inputs in = {0};\n    %s_outputs out = {0};\n"
        "    if (inputs == NULL || outputs == NULL)\n        return TENON_E_ARGUMENT;\n",
        name, name);
    for (int o = 0; o < 2; o++)
        for (int i = 0; i < n_tensors(c, o); i++) {
            int at = o ? c->p->n_inputs + i : i;
            strbuf_printf(out, "    %s.%s = (%s%s *)%s[%d];\n", o ? "out" : "in", c->fields[at], o ? "" : "const ",
                          c99_storage_type(c->p->buffers.at[at].elem), o ? "outputs" : "inputs", i);
        }
    strbuf_printf(out, "    return %s_run_env(&in, &out, env);\n}\n\n", name);
}

static void write_model(c99 *c, strbuf *out) {
    const char *name = c->p->name;
    strbuf_printf(
        out,
        "static const tenon_model tn_description = {\n"
        "    (uint32_t)sizeof(tenon_model), TENON_ABI, \"%s\", tn_input_list, tn_output_list,\n"
        "    %s_ARENA_BYTES, %s_ARENA_ALIGN, %s_WEIGHTS_BYTES, %d, tn_run_pointers, \"%s\",\n    %s,\n};\n\n"
        "const tenon_model *%s_model(uint32_t max_abi) {\n"
        "    const int known = TENON_ABI >> 16 == max_abi >> 16 && (TENON_ABI & 0xffffu) <= (max_abi & 0xffffu);\n"
        "    return known ? &tn_description : NULL;\n}\n",
        name, name, name, name, WEIGHTS_ALIGN, c->target->name, c99_has_regions(c) ? "tn_region_list" : "NULL", name);
}

void c99_run_write(c99 *c, strbuf *out) {
    write_run_env(c, out);
    write_run(c, out);
    write_infos(c, out, false);
    write_infos(c, out, true);
    if (c99_has_regions(c))
        write_regions(c, out);
    write_run_pointers(c, out);
    write_model(c, out);
}
