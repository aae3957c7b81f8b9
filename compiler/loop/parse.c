/* Programs in text form: loop_text.h has the grammar. The text is not trusted: every mistake is a diagnostic. */
#include "loop/parse_internal.h"

#include <string.h>

typedef struct program_parser {
    parser base;
    program *result;
    map buffers, kernels; /* name to 1 + number, as a pointer */
} program_parser;

static void *number_pointer(size_t i) {
    return (void *)(uintptr_t)(i + 1);
}

static bool find_number(program_parser *p, const map *in, const char *what, int *out_number) {
    const char *name;
    if (!parse_name(&p->base, &name))
        return false;
    uintptr_t found = (uintptr_t)map_get(in, name);
    *out_number = (int)found - 1;
    return found != 0 || parse_fail(&p->base, "there is no %s called '%.40s'", what, name);
}

static bool add_number(program_parser *p, map *to, const char *name, size_t number) {
    if (map_get(to, name) != NULL)
        return parse_fail(&p->base, "'%.40s' is defined twice", name);
    return map_set(to, name, number_pointer(number)) == STATUS_OK || parse_out_of_memory(&p->base);
}

/* ---- buffers ---- */

static bool parse_dims(program_parser *p, program_buffer *b) {
    VEC(int64_t) dims = {NULL, 0, 0};
    b->n = 1;
    while (!parse_is(&p->base, "]")) {
        int64_t n;
        if ((dims.n > 0 && !parse_expect(&p->base, ",")) || !parse_count(&p->base, &n))
            return false;
        if (__builtin_mul_overflow(b->n, n, &b->n))
            return parse_fail(&p->base, "the shape has too many elements");
        if (VEC_PUSH(p->base.memory, dims, n) != STATUS_OK)
            return parse_out_of_memory(&p->base);
    }
    b->dims = dims.at;
    b->rank = (int)dims.n;
    return true;
}

static bool parse_values(program_parser *p, program_buffer *b) {
    if (b->n > TEXT_INLINE_ELEMENTS)
        return parse_fail(&p->base, "more than %d elements are given by their sha256", TEXT_INLINE_ELEMENTS);
    void *data = arena_alloc(p->base.memory, dtype_bytes(b->elem, (size_t)b->n) + 1);
    if (data == NULL)
        return parse_out_of_memory(&p->base);
    for (size_t i = 0; i < (size_t)b->n; i++) {
        int64_t integer = 0;
        double real = 0;
        bool is_float = dtype_is_float(b->elem);
        if (!(is_float ? parse_float(&p->base, b->elem, &real) : parse_integer(&p->base, b->elem, &integer)))
            return false;
        if (is_float)
            dtype_set_double(b->elem, data, i, real);
        else
            dtype_set_int(b->elem, data, i, integer);
    }
    b->data = data;
    return parse_expect(&p->base, "}");
}

static bool parse_const_data(program_parser *p, program_buffer *b) {
    if (!parse_expect(&p->base, "="))
        return false;
    if (parse_accept(&p->base, "{"))
        return parse_values(p, b);
    const char *sum;
    if (!parse_expect(&p->base, "sha256") || !parse_string(&p->base, &sum))
        return false;
    if (p->base.resolve != NULL && strlen(sum) == 64)
        b->data = p->base.resolve(p->base.resolve_ctx, sum, dtype_bytes(b->elem, (size_t)b->n));
    return b->data != NULL || parse_fail(&p->base, "the data of constant '%.40s' is not at hand", b->name);
}

static bool parse_buffer(program_parser *p, place_kind place) {
    program_buffer b = {.place = place};
    bool shaped = place == PLACE_INPUT || place == PLACE_OUTPUT;
    if (!parse_name(&p->base, &b.name) || (p->base.current.kind == TOKEN_STRING && !parse_string(&p->base, &b.title)) ||
        !parse_expect(&p->base, ":") || !(shaped ? parse_any_elem : parse_elem)(&p->base, &b.elem) ||
        !parse_expect(&p->base, "["))
        return false;
    if (!(shaped ? parse_dims(p, &b) : parse_count(&p->base, &b.n)) || !parse_expect(&p->base, "]"))
        return false;
    if (place == PLACE_CONST && !parse_const_data(p, &b))
        return false;
    if (place == PLACE_ARENA && (!parse_expect(&p->base, "at") || !parse_integer(&p->base, DT_I64, &b.offset)))
        return false;
    p->result->n_inputs += place == PLACE_INPUT;
    p->result->n_outputs += place == PLACE_OUTPUT;
    if (!add_number(p, &p->buffers, b.name, p->result->buffers.n))
        return false;
    return VEC_PUSH(p->base.memory, p->result->buffers, b) == STATUS_OK || parse_out_of_memory(&p->base);
}

static bool parse_region(program_parser *p) {
    program_region r = {0};
    if (!parse_name(&p->base, &r.name) || !parse_expect(&p->base, "limit") || !parse_count(&p->base, &r.limit) ||
        !parse_expect(&p->base, "at") || !parse_count(&p->base, &r.start) || !parse_expect(&p->base, "bytes") ||
        !parse_count(&p->base, &r.bytes))
        return false;
    return VEC_PUSH(p->base.memory, p->result->regions, r) == STATUS_OK || parse_out_of_memory(&p->base);
}

/* ---- kernels and steps ---- */

static bool parse_program_kernel(program_parser *p) {
    kernel *k = parse_kernel(&p->base);
    if (k == NULL || !add_number(p, &p->kernels, k->name, p->result->kernels.n))
        return false;
    return VEC_PUSH(p->base.memory, p->result->kernels, k) == STATUS_OK || parse_out_of_memory(&p->base);
}

static bool parse_step_args(program_parser *p, program_step *s) {
    size_t n = p->result->kernels.at[s->kernel]->buffers.n;
    step_arg *args = ARENA_NEW_N(p->base.memory, step_arg, n + 1);
    if (args == NULL)
        return parse_out_of_memory(&p->base);
    for (size_t i = 0; i < n; i++) {
        if ((i > 0 && !parse_expect(&p->base, ",")) || !find_number(p, &p->buffers, "buffer", &args[i].buffer))
            return false;
        if (parse_accept(&p->base, "@") && !parse_count(&p->base, &args[i].first))
            return false;
    }
    s->args = args;
    return true;
}

static bool parse_step(program_parser *p) {
    program_step s = {.node = -1};
    if (!find_number(p, &p->kernels, "kernel", &s.kernel) || !parse_expect(&p->base, "(") || !parse_step_args(p, &s) ||
        !parse_expect(&p->base, ")"))
        return false;
    if (parse_accept(&p->base, "node") && !parse_count(&p->base, &s.node))
        return false;
    if (parse_accept(&p->base, "lead") && !parse_string(&p->base, &s.lead))
        return false;
    if (parse_accept(&p->base, "macs") && !parse_integer(&p->base, DT_I64, &s.macs))
        return false;
    if (parse_accept(&p->base, "note") && !parse_string(&p->base, &s.note))
        return false;
    return VEC_PUSH(p->base.memory, p->result->steps, s) == STATUS_OK || parse_out_of_memory(&p->base);
}

/* ---- the program ---- */

static bool parse_header(program_parser *p) {
    const char *name;
    if (!parse_expect(&p->base, "program") || !parse_name(&p->base, &p->result->name) ||
        !parse_expect(&p->base, "target") || !parse_string(&p->base, &name))
        return false;
    for (size_t i = 0; target_table[i] != NULL; i++)
        if (strcmp(target_table[i]->name, name) == 0)
            p->result->target = p->base.target = target_table[i];
    if (p->result->target == NULL)
        return parse_fail(&p->base, "there is no target '%.40s'", name);
    return parse_expect(&p->base, "arena") && parse_integer(&p->base, DT_I64, &p->result->arena_bytes) &&
           parse_expect(&p->base, "{");
}

static bool parse_part(program_parser *p) {
    static const char *const places[PLACE_COUNT] = {"input", "output", "const", "arena"};
    for (int place = 0; place < PLACE_COUNT; place++)
        if (parse_accept(&p->base, places[place]))
            return parse_buffer(p, (place_kind)place);
    if (parse_accept(&p->base, "kernel"))
        return parse_program_kernel(p);
    if (parse_accept(&p->base, "step"))
        return parse_step(p);
    if (parse_accept(&p->base, "region"))
        return parse_region(p);
    if (parse_accept(&p->base, "origin"))
        return parse_string(&p->base, &p->result->origin);
    return parse_unexpected(&p->base, "region, input, output, const, arena, kernel, step or }");
}

static bool parse_program(program_parser *p) {
    parse_next(&p->base);
    if (!parse_header(p))
        return false;
    while (!parse_accept(&p->base, "}"))
        if (!parse_part(p))
            return false;
    if (p->base.current.kind != TOKEN_END)
        return parse_fail(&p->base, "there is more text after the program");
    return true;
}

/* A program that program_verify accepts, in `a`; or STATUS_INVALID after diagnostics. */
status program_parse(const char *text, size_t n, const char *file, arena *a, diag *d, const_resolver resolve, void *ctx,
                     program **out) {
    program_parser p = {.base = {.memory = a, .d = d, .file = file, .line = 1, .resolve = resolve, .resolve_ctx = ctx}};
    p.base.at = arena_strndup(a, text, n);
    p.base.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    p.result = ARENA_NEW(a, program);
    p.buffers = map_in(a);
    p.kernels = map_in(a);
    if (p.base.at == NULL || p.result == NULL || p.base.c_locale == (locale_t)0)
        parse_out_of_memory(&p.base);
    else if (strlen(p.base.at) != n)
        parse_fail(&p.base, "the text contains a zero byte");
    if (p.base.result == STATUS_OK) {
        p.result->memory = a;
        parse_program(&p);
    }
    if (p.base.c_locale != (locale_t)0)
        freelocale(p.base.c_locale);
    TRY(p.base.result);
    TRY(program_verify(p.result, d));
    *out = p.result;
    return STATUS_OK;
}
