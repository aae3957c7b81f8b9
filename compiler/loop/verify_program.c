/* Programs: tables in range, places and access, steps that fit their buffers. */
#include "loop/verify_internal.h"

#include "base/map.h"

#define ARENA_ALIGNMENT 64

static void check_name(verifier *v, map *names, const char *name, const char *what) {
    if (!verify_identifier(name)) {
        verify_fail(v, "a %s without a proper name", what);
        return;
    }
    if (map_get(names, name) != NULL)
        verify_fail(v, "two %ss are called '%s'", what, name);
    if (v->result == STATUS_OK)
        v->result = map_set(names, name, v);
}

static bool dims_fit(const program_buffer *b) {
    int64_t n = 1;
    if (b->rank < 0 || (b->rank > 0 && b->dims == NULL))
        return false;
    for (int i = 0; i < b->rank; i++)
        if (b->dims[i] < 0 || __builtin_mul_overflow(n, b->dims[i], &n))
            return false;
    return n == b->n;
}

static int64_t buffer_bytes(const program_buffer *b) {
    return b->n * (dtype_bits(b->elem) / 8);
}

/* How a kernel sees a program's buffer: its element type and how many there are. */
kernel_buffer program_seen(const program_buffer *b) {
    bool as_bytes = !verify_storable(b->elem);
    return (kernel_buffer){.elem = as_bytes ? DT_U8 : b->elem,
                           .n = as_bytes ? (int64_t)dtype_bytes(b->elem, (size_t)b->n) : b->n};
}

static place_kind expected_place(const program *p, size_t i) {
    size_t inputs = (size_t)p->n_inputs, outputs = (size_t)p->n_outputs;
    return i < inputs ? PLACE_INPUT : i < inputs + outputs ? PLACE_OUTPUT : PLACE_COUNT;
}

static void check_buffer(verifier *v, const program *p, size_t i) {
    const program_buffer *b = &p->buffers.at[i];
    place_kind expected = expected_place(p, i);
    bool of_model = b->place == PLACE_INPUT || b->place == PLACE_OUTPUT;
    bool has_type = of_model ? b->elem > DT_NONE && b->elem < DT_COUNT : verify_storable(b->elem);
    if (!has_type || b->n < 0 || b->n > INT64_MAX / 8)
        verify_fail(v, "buffer '%s' has no proper type or size", b->name);
    else if (of_model ? b->place != expected : expected != PLACE_COUNT)
        verify_fail(v, "buffer '%s' is not where inputs, then outputs, then the rest belong", b->name);
    else if (of_model && !dims_fit(b))
        verify_fail(v, "buffer '%s' does not have as many elements as its shape", b->name);
    else if (b->place == PLACE_CONST && b->data == NULL && b->n > 0)
        verify_fail(v, "constant '%s' has no data", b->name);
    else if (b->place == PLACE_ARENA && (b->offset < 0 || b->offset % ARENA_ALIGNMENT != 0 ||
                                         b->offset > p->arena_bytes || buffer_bytes(b) > p->arena_bytes - b->offset))
        verify_fail(v, "buffer '%s' does not lie within the arena, aligned to %d", b->name, ARENA_ALIGNMENT);
}

/* ---- regions ---- */

size_t program_region_of(const program *p, const program_buffer *b) {
    size_t i = p->regions.n - 1;
    while (i > 0 && p->regions.at[i].start > b->offset)
        i--;
    return i;
}

static bool lies_in_one_region(const program *p, const program_buffer *b) {
    if (p->regions.n == 0)
        return true;
    const program_region *r = &p->regions.at[program_region_of(p, b)];
    return buffer_bytes(b) <= r->start + r->bytes - b->offset;
}

static void check_regions(verifier *v, const program *p) {
    map names = map_in(v->memory);
    int64_t end = 0;
    for (size_t i = 0; i < p->regions.n && v->result == STATUS_OK; i++) {
        const program_region *r = &p->regions.at[i];
        check_name(v, &names, r->name, "region");
        if (r->start != end || r->bytes < 0 || r->bytes % ARENA_ALIGNMENT != 0 || r->bytes > p->arena_bytes - end)
            verify_fail(v, "region '%s' does not follow the one before it, aligned to %d", r->name, ARENA_ALIGNMENT);
        else
            end += r->bytes;
    }
    if (v->result == STATUS_OK && p->regions.n > 0 && end != p->arena_bytes)
        verify_fail(v, "the regions are not the arena");
}

static void check_buffers(verifier *v, const program *p) {
    map names = map_in(v->memory);
    bool counted = p->n_inputs >= 0 && p->n_outputs >= 0 && (size_t)p->n_inputs + (size_t)p->n_outputs <= p->buffers.n;
    if (!counted)
        verify_fail(v, "there are not as many inputs and outputs as said");
    for (size_t i = 0; i < p->buffers.n && v->result == STATUS_OK; i++) {
        check_name(v, &names, p->buffers.at[i].name, "buffer");
        if (v->result == STATUS_OK)
            check_buffer(v, p, i);
    }
}

/* ---- kernels on this target ---- */

typedef struct target_search {
    const target *t;
    const expr *found; /* what the target does not have */
} target_search;

static void look_for_missing(const expr *x, void *ctx) {
    target_search *s = ctx;
    bool lacks =
        (x->kind == EXPR_FMA && !target_has_fma(s->t, x->type.elem)) || (x->type.lanes > 1 && s->t->vector_bytes == 0);
    if (lacks && s->found == NULL)
        s->found = x;
}

static void search_block(const block *in, target_search *t) {
    for (const stmt *s = in->first; s != NULL; s = s->next) {
        if (s->kind == STMT_LET)
            expr_visit(s->let.value, look_for_missing, t);
        if (s->kind == STMT_STORE)
            expr_visit(s->store.value, look_for_missing, t);
        if (s->kind == STMT_SET)
            expr_visit(s->set.value, look_for_missing, t);
        if (s->kind == STMT_FOR)
            search_block(&s->loop.body, t);
        if (s->kind == STMT_IF) {
            search_block(&s->cond.then, t);
            search_block(&s->cond.otherwise, t);
        }
    }
}

static void check_kernels(verifier *v, const program *p) {
    map names = map_in(v->memory);
    for (size_t i = 0; i < p->kernels.n && v->result == STATUS_OK; i++) {
        const kernel *k = p->kernels.at[i];
        check_name(v, &names, k->name, "kernel");
        if (v->result == STATUS_OK)
            v->result = kernel_verify_in(k, v->d, v->memory);
        target_search t = {p->target, NULL};
        if (v->result == STATUS_OK)
            search_block(&k->body, &t);
        if (t.found != NULL)
            verify_fail(v, "kernel '%s' uses fma or lanes, which target '%s' does not have", k->name, p->target->name);
    }
}

/* ---- steps ---- */

static void check_arg(verifier *v, const program *p, const program_step *s, size_t i) {
    const kernel *k = p->kernels.at[s->kernel];
    const kernel_buffer *kb = &k->buffers.at[i];
    const step_arg *a = &s->args[i];
    if (a->buffer < 0 || (size_t)a->buffer >= p->buffers.n) {
        verify_fail(v, "a call of '%s' names buffer %d, which does not exist", k->name, a->buffer);
        return;
    }
    const program_buffer *b = &p->buffers.at[a->buffer];
    bool writes = (kb->access & ACCESS_WRITE) != 0;
    kernel_buffer seen = program_seen(b);
    if (seen.elem != kb->elem)
        verify_fail(v, "a call of '%s' gives '%s' of another element type for '%s'", k->name, b->name, kb->name);
    else if (a->first < 0 || a->first > seen.n || kb->n > seen.n - a->first)
        verify_fail(v, "a call of '%s' gives '%s', which is too short for '%s'", k->name, b->name, kb->name);
    else if (writes && (b->place == PLACE_INPUT || b->place == PLACE_CONST))
        verify_fail(v, "a call of '%s' writes '%s', which is constant", k->name, b->name);
    else if (b->place == PLACE_ARENA && !lies_in_one_region(p, b))
        verify_fail(v, "a call of '%s' gives '%s', which lies in two regions", k->name, b->name);
}

/* Where an argument lies: in which memory, and the bytes there. */
typedef struct extent {
    int memory; /* a buffer's number; -1 the arena */
    int64_t from, to;
} extent;

static extent extent_of(const program *p, const step_arg *a, int64_t n) {
    const program_buffer *b = &p->buffers.at[a->buffer];
    int64_t each = dtype_bits(program_seen(b).elem) / 8;
    bool shared = b->place == PLACE_ARENA;
    int64_t from = (shared ? b->offset : 0) + a->first * each;
    return (extent){shared ? -1 : a->buffer, from, from + n * each};
}

static void check_overlap(verifier *v, const program *p, const program_step *s) {
    const kernel *k = p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n; i++) {
        extent x = extent_of(p, &s->args[i], k->buffers.at[i].n);
        for (size_t j = 0; j < i; j++) {
            extent y = extent_of(p, &s->args[j], k->buffers.at[j].n);
            bool writes = ((k->buffers.at[i].access | k->buffers.at[j].access) & ACCESS_WRITE) != 0;
            if (writes && x.memory == y.memory && x.from < y.to && y.from < x.to)
                verify_fail(v, "a call of '%s' gives overlapping memory for '%s' and '%s'", k->name,
                            k->buffers.at[i].name, k->buffers.at[j].name);
        }
    }
}

static void check_step(verifier *v, const program *p, const program_step *s, bool *written) {
    if (s->kernel < 0 || (size_t)s->kernel >= p->kernels.n) {
        verify_fail(v, "a step calls kernel %d, which does not exist", s->kernel);
        return;
    }
    const kernel *k = p->kernels.at[s->kernel];
    if (s->args == NULL && k->buffers.n > 0)
        verify_fail(v, "a call of '%s' without arguments", k->name);
    for (size_t i = 0; i < k->buffers.n && v->result == STATUS_OK; i++) {
        check_arg(v, p, s, i);
        if (v->result == STATUS_OK && (k->buffers.at[i].access & ACCESS_WRITE) != 0)
            written[s->args[i].buffer] = true;
    }
    if (v->result == STATUS_OK)
        check_overlap(v, p, s);
}

static void check_steps(verifier *v, const program *p) {
    bool *written = ARENA_NEW_N(v->memory, bool, p->buffers.n + 1);
    if (written == NULL) {
        v->result = STATUS_RESOURCE;
        return;
    }
    for (size_t i = 0; i < p->steps.n && v->result == STATUS_OK; i++)
        check_step(v, p, &p->steps.at[i], written);
    for (size_t i = 0; i < p->buffers.n && v->result == STATUS_OK; i++) {
        const program_buffer *b = &p->buffers.at[i];
        if (b->place == PLACE_OUTPUT && b->n > 0 && !written[i])
            verify_fail(v, "no step writes output '%s'", b->name);
    }
}

status program_verify(const program *p, diag *d) {
    arena *scratch = arena_new(arena_allocator(p->memory));
    TRY_ALLOC(scratch);
    verifier v = {.name = p->name != NULL ? p->name : "", .d = d, .memory = scratch};
    if (!verify_identifier(p->name))
        verify_fail(&v, "the name is no identifier");
    if (p->target == NULL || p->arena_bytes < 0)
        verify_fail(&v, "there is no target, or a negative arena");
    if (v.result == STATUS_OK)
        check_regions(&v, p);
    if (v.result == STATUS_OK)
        check_buffers(&v, p);
    if (v.result == STATUS_OK)
        check_kernels(&v, p);
    if (v.result == STATUS_OK)
        check_steps(&v, p);
    arena_free(scratch);
    return v.result;
}
