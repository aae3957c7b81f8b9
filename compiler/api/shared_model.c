/* Compiled models in place of ONNX files. */
#include "api/shared_model.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/elf_file.h"

const target shared_model_target = {.name = "as compiled", .isa = ISA_NONE};

typedef struct opening {
    tenon_context *c;
    diag *d;
    const tenon_options *o;
    const char *path;
    diag_place where;
    const mapped_file *contents;
    arena *memory;
    shared_model *m;
    VEC(const char *) prefixes;
    bool failed; /* out of memory */
} opening;

bool shared_model_is(const char *path, const mapped_file *contents) {
    size_t n = strlen(path);
    return elf_is(contents) || (n > 3 && strcmp(path + n - 3, ".so") == 0);
}

/* ---- options ---- */

/* Every other option is about compiling. */
static const char *const meaningful[] = {"input",  "rtol",  "atol", "steps", "time", "data",    "limit",
                                         "metric", "label", "map",  "scale", "seed", "threads", "verbose"};

static bool has_meaning(const char *option) {
    for (size_t i = 0; i < sizeof meaningful / sizeof *meaningful; i++)
        if (strcmp(meaningful[i], option) == 0)
            return true;
    return false;
}

static status check_options(const opening *x) {
    status worst = STATUS_OK;
    for (size_t i = 0; i < x->o->given.n; i++)
        if (!has_meaning(x->o->given.at[i].name))
            worst = diag_error(x->d, STATUS_USAGE, "compiled", x->where, "%s%s means nothing for a compiled model",
                               x->o->given.at[i].name[1] == '\0' ? "-" : "--", x->o->given.at[i].name);
    if (worst != STATUS_OK)
        diag_note(x->d, "give it with the ONNX model");
    return worst;
}

status shared_model_refuse(tenon_context *c, const char *file, const char *command) {
    diag_place where = {.file = file, .node = -1};
    diag_error(c->diags, STATUS_USAGE, "compiled", where, "is a compiled model; %s needs the ONNX model", command);
    return STATUS_USAGE;
}

/* ---- what is in the library ---- */

static void take_prefix(void *ctx, const char *text, size_t n) {
    opening *x = ctx;
    const char *prefix = arena_strndup(x->memory, text, n);
    if (prefix == NULL || VEC_PUSH(x->memory, x->prefixes, prefix) != STATUS_OK)
        x->failed = true;
}

/* The one model of the library. */
static status find_model(opening *x) {
    elf_each_model(x->contents, take_prefix, x);
    if (x->failed)
        return STATUS_RESOURCE;
    if (x->prefixes.n == 1)
        return STATUS_OK;
    if (x->prefixes.n == 0)
        return diag_error(x->d, STATUS_INVALID, "not-a-library", x->where,
                          "not a compiled model: it exports no PREFIX_model with PREFIX_run and PREFIX_run_env");
    diag_error(x->d, STATUS_INVALID, "not-a-library", x->where, "not a compiled model: it holds several");
    for (size_t i = 0; i < x->prefixes.n; i++)
        diag_note(x->d, "%s_model", x->prefixes.at[i]);
    return STATUS_INVALID;
}

/* A plain name would be looked for in the system's folders. */
static status open_library(opening *x) {
    char path[PATH_MAX];
    return opened_model_open(&x->m->opened, realpath(x->path, path) != NULL ? path : x->path, x->prefixes.at[0],
                             x->memory, x->d, x->where);
}

static bool is_tensor(const tenon_tensor_info *t) {
    if (!TENON_HAS(t, alignment) || t->rank < 0 || t->rank > TENSOR_MAX_RANK)
        return false;
    dtype elem = dtype_from_onnx(t->element_type);
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        if (t->dims[i] < 0 || t->dims[i] > DIM_SYMBOL_MAX || __builtin_mul_overflow(n, t->dims[i], &n))
            return false;
    return elem != DT_NONE && (uint64_t)n <= t->bytes * 8 + 1 && dtype_bytes(elem, (size_t)n) == t->bytes;
}

static bool are_tensors(const tenon_tensor_info *const *list) {
    for (; *list != NULL; list++)
        if (!is_tensor(*list))
            return false;
    return true;
}

/* Regions of ours lie one after another in one arena. */
static bool are_regions(const tenon_model *m) {
    size_t n = opened_model_regions(m);
    uint64_t sum = 0;
    for (size_t i = 0; i < n && n <= MOST_REGIONS; i++) {
        const tenon_region_info *r = m->regions[i];
        if (!TENON_HAS(r, alignment) || r->alignment > WEIGHTS_ALIGN || r->bytes % WEIGHTS_ALIGN != 0 ||
            r->bytes > m->arena_bytes - sum)
            return false;
        sum += r->bytes;
    }
    return n <= MOST_REGIONS && (n == 0 || sum == m->arena_bytes);
}

/* An arena of ours is aligned to 64 bytes. */
static status check_model(const opening *x) {
    const tenon_model *m = x->m->opened.model;
    bool good = TENON_HAS(m, run) && strcmp(m->name, x->prefixes.at[0]) == 0 && are_tensors(m->inputs) &&
                are_tensors(m->outputs) && m->arena_bytes <= INT64_MAX / 2 && m->arena_alignment <= WEIGHTS_ALIGN &&
                m->weights_alignment <= WEIGHTS_ALIGN && are_regions(m);
    return good ? STATUS_OK
                : diag_error(x->d, STATUS_INVALID, "not-a-library", x->where,
                             "not a compiled model: what %s_model gives is not what tenon writes", x->prefixes.at[0]);
}

/* Has this machine the instructions? A target that this tenon does not know is let through. */
static status check_machine(const opening *x) {
    const tenon_model *m = x->m->opened.model;
    for (const target *const *t = target_table; TENON_HAS(m, target) && *t != NULL; t++) {
        if (strcmp((*t)->name, m->target) != 0 || target_runs_here(*t))
            continue;
        diag_error(x->d, STATUS_RESOURCE, "wrong-machine", x->where,
                   "is compiled for target '%s', which this machine cannot run", m->target);
        diag_note(x->d, "compile the model again, with --target host");
        return STATUS_RESOURCE;
    }
    return STATUS_OK;
}

static status open_weights(opening *x) {
    opened_model *m = &x->m->opened;
    const char *slash = strrchr(x->path, '/'), *why;
    mapped_file file;
    diag_place where = {.node = -1};
    if (m->model->weights_bytes == 0)
        return STATUS_OK;
    where.file = arena_printf(x->memory, "%.*s%s.weights", slash != NULL ? (int)(slash + 1 - x->path) : 0, x->path,
                              m->model->name);
    TRY_ALLOC(where.file);
    if (mapped_file_open(x->memory, where.file, &file, &why) != STATUS_OK) {
        diag_error(x->d, STATUS_RESOURCE, "weights", where, "cannot be read: %s", why != NULL ? why : "out of memory");
        diag_note(x->d, "%s was compiled with --weights bin: its weights lie beside it", x->where.file);
        return STATUS_RESOURCE;
    }
    if (file.n != m->model->weights_bytes)
        return diag_error(x->d, STATUS_INVALID, "weights", where, "has %zu bytes, but %s wants %llu", file.n,
                          x->where.file, (unsigned long long)m->model->weights_bytes);
    m->weights = file.bytes;
    m->weights_bytes = file.n;
    return STATUS_OK;
}

/* ---- its inputs as a graph ---- */

static status add_inputs(const opening *x, graph *g) {
    for (const tenon_tensor_info *const *t = x->m->opened.model->inputs; *t != NULL; t++) {
        dim dims[TENSOR_MAX_RANK];
        for (int i = 0; i < (*t)->rank; i++)
            dims[i] = DIM((*t)->dims[i]);
        tensor_type type = {dtype_from_onnx((*t)->element_type), (*t)->rank, dims};
        TRY_ALLOC(graph_add_input(g, (*t)->name, &type));
    }
    return STATUS_OK;
}

static status make_graph(const opening *x, graph **out) {
    TRY_ALLOC(*out = graph_new(&x->c->memory, x->d, NULL, x->m->opened.model->name, x->where.file));
    return add_inputs(x, *out);
}

static status open_all(opening *x, graph **out_graph) {
    TRY(check_options(x));
    TRY(elf_check_library(x->contents, x->d, x->where));
    TRY(find_model(x));
    TRY(open_library(x));
    TRY(check_model(x));
    TRY(check_machine(x));
    TRY(open_weights(x));
    x->m->code_bytes = elf_code_bytes(x->contents);
    x->m->constant_bytes = elf_constant_bytes(x->contents) + (size_t)x->m->opened.weights_bytes;
    return make_graph(x, out_graph);
}

status shared_model_open(tenon_context *c, const tenon_options *o, const char *path, const mapped_file *contents,
                         arena *a, shared_model **out, graph **out_graph) {
    const char *slash = strrchr(path, '/');
    TRY_ALLOC(*out = ARENA_NEW(a, shared_model));
    opening x = {.c = c,
                 .d = c->diags,
                 .o = o,
                 .path = path,
                 .where = {.file = slash != NULL ? slash + 1 : path, .node = -1},
                 .contents = contents,
                 .memory = a,
                 .m = *out};
    return open_all(&x, out_graph);
}

void shared_model_close(shared_model *m) {
    if (m != NULL)
        opened_model_close(&m->opened);
}

/* ---- its program ---- */

static status add_buffers(program *p, const tenon_tensor_info *const *list, place_kind place, int *out_n) {
    for (; *list != NULL; list++, (*out_n)++) {
        const tenon_tensor_info *t = *list;
        program_buffer b = {.name = t->name,
                            .title = t->name,
                            .elem = dtype_from_onnx(t->element_type),
                            .n = 1,
                            .place = place,
                            .rank = t->rank,
                            .dims = t->dims};
        for (int i = 0; i < t->rank; i++)
            b.n *= t->dims[i];
        TRY(VEC_PUSH(p->memory, p->buffers, b));
    }
    return STATUS_OK;
}

static status add_regions(program *p, const tenon_model *m) {
    int64_t start = 0;
    for (size_t i = 0; i < opened_model_regions(m); i++) {
        const tenon_region_info *r = m->regions[i];
        TRY(VEC_PUSH(p->memory, p->regions, (program_region){r->name, 0, start, (int64_t)r->bytes}));
        start += (int64_t)r->bytes;
    }
    return STATUS_OK;
}

status shared_model_program(const shared_model *m, arena *a, program **out) {
    const tenon_model *model = m->opened.model;
    program *p = ARENA_NEW(a, program);
    TRY_ALLOC(p);
    *p = (program){
        .memory = a, .name = model->name, .target = &shared_model_target, .arena_bytes = (int64_t)model->arena_bytes};
    TRY(add_regions(p, model));
    TRY(add_buffers(p, model->inputs, PLACE_INPUT, &p->n_inputs));
    TRY(add_buffers(p, model->outputs, PLACE_OUTPUT, &p->n_outputs));
    *out = p;
    return STATUS_OK;
}

void shared_model_facts(const shared_model *m, program_facts *out) {
    *out = (program_facts){.weight_bytes = (int64_t)m->constant_bytes};
}
