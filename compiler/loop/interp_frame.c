/* The interpreter's frame: a stack of slots whose addresses never change. */
#include "loop/interp.h"

#define CHUNK_BYTES ((size_t)16384)

struct interp_chunk {
    interp_chunk *next;
    size_t bytes;
    uint8_t *data;
};

/* Bytes of an element; those narrower than a byte are not part of the loop IR. */
int interp_size(dtype t) {
    TENON_ASSERT(dtype_bits(t) >= 8);
    return dtype_bits(t) / 8;
}

/* Bytes of a slot for one value, padding included. */
size_t interp_slot_bytes(ltype t) {
    TENON_ASSERT(t.lanes >= 1 && t.lanes <= INTERP_MAX_LANES);
    int blocks = (t.lanes + INTERP_BLOCK - 1) / INTERP_BLOCK;
    return t.lanes == 1 ? 8 : (size_t)(blocks * INTERP_BLOCK * interp_size(t.elem));
}

static size_t slot_alignment(size_t bytes) {
    return bytes >= 64 ? 64 : bytes >= 32 ? 32 : 8;
}

static interp_chunk *chunk_new(interp_frame *f, size_t bytes) {
    interp_chunk *chunk = ARENA_NEW(f->memory, interp_chunk);
    if (chunk == NULL)
        return NULL;
    chunk->bytes = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk->data = arena_alloc(f->memory, chunk->bytes);
    return chunk->data != NULL ? chunk : NULL;
}

/* The chunk after the current one that holds `bytes`, made where there is none; one too small is skipped for good. */
static interp_chunk *chunk_next(interp_frame *f, size_t bytes) {
    interp_chunk **link = f->current == NULL ? &f->first : &f->current->next;
    while (*link != NULL && (*link)->bytes < bytes)
        link = &(*link)->next;
    if (*link == NULL)
        *link = chunk_new(f, bytes);
    return *link;
}

/* A slot in use until the frame returns to an earlier mark. NULL when out of memory. */
void *interp_slot(interp_frame *f, size_t bytes) {
    size_t align = slot_alignment(bytes), at = (f->used + align - 1) & ~(align - 1);
    if (f->current == NULL || at > f->current->bytes || bytes > f->current->bytes - at) {
        interp_chunk *next = chunk_next(f, bytes);
        if (next == NULL)
            return NULL;
        f->current = next;
        at = 0;
    }
    f->used = at + bytes;
    return f->current->data + at;
}

/* The slots in use now. */
interp_mark interp_frame_mark(const interp_frame *f) {
    return (interp_mark){f->current, f->used};
}

/* Gives back the slots taken since the mark. */
void interp_frame_return(interp_frame *f, interp_mark mark) {
    f->current = mark.chunk;
    f->used = mark.used;
}
