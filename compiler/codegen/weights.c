/* Constants outside the code: their symbols and their places in PREFIX.weights, the same for every back end. */
#include <string.h>

#include "base/map.h"
#include "codegen/codegen.h"

static status make_symbol(const program *p, const char *name, map *taken, arena *a, const char **out) {
    const char *base = text_identifier(a, name);
    TRY_ALLOC(base);
    TRY_ALLOC(*out = arena_printf(a, "%s_w_%s", p->name, base));
    for (int i = 2; map_get(taken, *out) != NULL; i++)
        TRY_ALLOC(*out = arena_printf(a, "%s_w_%s_%d", p->name, base, i));
    return map_set(taken, *out, taken);
}

/* Only what some step reads. */
static status name_used(const program *p, arena *a, weight_table *out) {
    map taken = map_in(a);
    for (size_t i = 0; i < p->steps.n; i++) {
        const program_step *s = &p->steps.at[i];
        for (size_t k = 0; k < p->kernels.at[s->kernel]->buffers.n; k++) {
            int buffer = s->args[k].buffer;
            const program_buffer *b = &p->buffers.at[buffer];
            if (b->place == PLACE_CONST && out->symbols[buffer] == NULL)
                TRY(make_symbol(p, b->name, &taken, a, &out->symbols[buffer]));
        }
    }
    return STATUS_OK;
}

status weights_place(const program *p, arena *a, weight_table *out) {
    *out = (weight_table){0};
    TRY_ALLOC(out->symbols = ARENA_NEW_N(a, const char *, p->buffers.n + 1));
    TRY_ALLOC(out->offsets = ARENA_NEW_N(a, uint64_t, p->buffers.n + 1));
    TRY(name_used(p, a, out));
    for (size_t i = 0; i < p->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[i];
        if (out->symbols[i] == NULL)
            continue;
        out->offsets[i] = out->bytes;
        out->bytes += (dtype_bytes(b->elem, (size_t)b->n) + WEIGHTS_ALIGN - 1) / WEIGHTS_ALIGN * WEIGHTS_ALIGN;
    }
    return STATUS_OK;
}

status weights_file(const program *p, const weight_table *w, arena *a, const void **out) {
    const size_t large = 256; /* from here on arenas align as WEIGHTS_ALIGN asks */
    unsigned char *bytes = arena_alloc(a, w->bytes > large ? w->bytes : large);
    TRY_ALLOC(bytes);
    for (size_t i = 0; i < p->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[i];
        if (w->symbols[i] != NULL)
            memcpy(bytes + w->offsets[i], b->data, dtype_bytes(b->elem, (size_t)b->n));
    }
    *out = bytes;
    return STATUS_OK;
}
