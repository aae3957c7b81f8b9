/* The system allocator, arenas and arena vectors. */
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CHUNK_BYTES = 4096, LAST_CHUNK_BYTES = 1 << 20, SMALL_ALIGN = 16, BIG_ALIGN = 64, BIG_BYTES = 256 };

/* Chunks form a stack, newest first. A block too large for the growing chunks gets a chunk of its own on the stack
 * while small blocks go on filling the chunk below, which `fill` names; so a mark needs only the top and one count. */
typedef struct chunk {
    struct chunk *below;
    struct chunk *fill;
    size_t bytes; /* of data */
    size_t used;
} chunk;

enum { CHUNK_HEADER = (sizeof(chunk) + SMALL_ALIGN - 1) / SMALL_ALIGN * SMALL_ALIGN };

typedef struct cleanup {
    struct cleanup *below;
    void (*fn)(void *object);
    void *object;
} cleanup;

struct arena {
    const allocator *from;
    chunk *top;
    cleanup *cleanups;
};

static void *system_resize(void *ctx, void *block, size_t old_bytes, size_t new_bytes) {
    (void)ctx;
    (void)old_bytes;
    if (new_bytes == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, new_bytes);
}

const allocator allocator_system = {system_resize, NULL};

static unsigned char *chunk_data(chunk *c) {
    return (unsigned char *)c + CHUNK_HEADER;
}

/* Where a block of this alignment would start in the chunk; may lie past its end. */
static size_t chunk_start(chunk *c, size_t align) {
    uintptr_t at = (uintptr_t)chunk_data(c) + c->used;
    return c->used + (size_t)(-at & (align - 1));
}

static chunk *chunk_push(arena *a, size_t bytes) {
    if (bytes > SIZE_MAX - CHUNK_HEADER)
        return NULL;
    chunk *c = a->from->resize(a->from->ctx, NULL, 0, CHUNK_HEADER + bytes);
    if (c == NULL)
        return NULL;
    *c = (chunk){.below = a->top, .fill = c, .bytes = bytes, .used = 0};
    a->top = c;
    return c;
}

static void chunk_pop(arena *a) {
    chunk *c = a->top;
    a->top = c->below;
    a->from->resize(a->from->ctx, c, CHUNK_HEADER + c->bytes, 0);
}

/* A chunk with room for the block: the next of the growing ones, or one of the block's own. */
static chunk *chunk_for(arena *a, chunk *fill, size_t bytes) {
    size_t next = fill == NULL                     ? FIRST_CHUNK_BYTES
                  : fill->bytes < LAST_CHUNK_BYTES ? fill->bytes * 2
                                                   : LAST_CHUNK_BYTES;
    if (bytes <= next / 4)
        return chunk_push(a, next);
    if (bytes > SIZE_MAX - BIG_ALIGN)
        return NULL;
    chunk *own = chunk_push(a, bytes + BIG_ALIGN);
    if (own != NULL && fill != NULL)
        own->fill = fill;
    return own;
}

void *arena_alloc_raw(arena *a, size_t bytes) {
    size_t align = bytes >= BIG_BYTES ? BIG_ALIGN : SMALL_ALIGN;
    chunk *c = a->top == NULL ? NULL : a->top->fill;
    size_t start = c == NULL ? 0 : chunk_start(c, align);
    if (c == NULL || start > c->bytes || bytes > c->bytes - start) {
        c = chunk_for(a, c, bytes);
        if (c == NULL)
            return NULL;
        start = chunk_start(c, align);
    }
    c->used = start + bytes;
    return chunk_data(c) + start;
}

/* An empty arena over `from`; NULL when out of memory. */
arena *arena_new(const allocator *from) {
    arena *a = from->resize(from->ctx, NULL, 0, sizeof *a);
    if (a != NULL)
        *a = (arena){.from = from};
    return a;
}

/* Runs the clean-ups, newest first, and frees everything. */
void arena_free(arena *a) {
    if (a == NULL)
        return;
    arena_reset(a, (arena_mark){NULL, 0, NULL});
    a->from->resize(a->from->ctx, a, sizeof *a, 0);
}

/* `bytes` zeroed bytes; never NULL for want of a size: zero bytes have an address too. */
void *arena_alloc(arena *a, size_t bytes) {
    void *block = arena_alloc_raw(a, bytes);
    return block == NULL ? NULL : memset(block, 0, bytes);
}

/* `n` zeroed objects of `each` bytes; NULL also where the product overflows. */
void *arena_alloc_n(arena *a, size_t n, size_t each) {
    size_t bytes;
    return __builtin_mul_overflow(n, each, &bytes) ? NULL : arena_alloc(a, bytes);
}

/* A copy of the bytes. */
void *arena_copy(arena *a, const void *from, size_t bytes) {
    void *block = arena_alloc_raw(a, bytes);
    if (block != NULL && bytes > 0)
        memcpy(block, from, bytes);
    return block;
}

/* A copy of the text. */
char *arena_strdup(arena *a, const char *text) {
    return arena_copy(a, text, strlen(text) + 1);
}

/* A terminated copy of at most n characters. */
char *arena_strndup(arena *a, const char *text, size_t n) {
    size_t length = strnlen(text, n);
    char *copy = length == SIZE_MAX ? NULL : arena_alloc_raw(a, length + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

/* Formatted text. */
char *arena_printf(arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : arena_alloc_raw(a, (size_t)length + 1);
    if (text != NULL)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* Runs fn(object) when the arena is freed, or at once when there is no memory to remember it. */
status arena_on_free(arena *a, void (*fn)(void *object), void *object) {
    cleanup *c = arena_alloc_raw(a, sizeof *c);
    if (c == NULL) {
        fn(object);
        return STATUS_RESOURCE;
    }
    *c = (cleanup){a->cleanups, fn, object};
    a->cleanups = c;
    return STATUS_OK;
}

/* The present state, for arena_reset. */
arena_mark arena_get_mark(const arena *a) {
    return (arena_mark){a->top, a->top == NULL ? 0 : a->top->fill->used, a->cleanups};
}

/* Gives back everything allocated after the mark. */
void arena_reset(arena *a, arena_mark mark) {
    while (a->cleanups != mark.cleanup) {
        cleanup *c = a->cleanups;
        a->cleanups = c->below;
        c->fn(c->object);
    }
    while (a->top != mark.chunk)
        chunk_pop(a);
    if (a->top != NULL)
        a->top->fill->used = mark.used;
}

/* Bytes handed out and not given back, alignment included. */
size_t arena_bytes(const arena *a) {
    size_t bytes = 0;
    for (const chunk *c = a->top; c != NULL; c = c->below)
        bytes += c->used;
    return bytes;
}

/* The allocator below. */
const allocator *arena_allocator(const arena *a) {
    return a->from;
}

/* Makes room for `need` elements of `each` bytes; `at_field` is the address of the typed pointer to them. */
status vec_reserve(arena *a, void *at_field, size_t *cap, size_t each, size_t need) {
    if (need <= *cap)
        return STATUS_OK;
    size_t grown = *cap > SIZE_MAX / 2 ? need : *cap * 2;
    grown = grown < 8 ? 8 : grown;
    grown = grown < need ? need : grown;
    void *bigger = arena_alloc_n(a, grown, each);
    TRY_ALLOC(bigger);
    /* The field's type is unknown here, so it is read and written as bytes. */
    void *old;
    memcpy(&old, at_field, sizeof old);
    if (*cap > 0)
        memcpy(bigger, old, *cap * each);
    memcpy(at_field, &bigger, sizeof bigger);
    *cap = grown;
    return STATUS_OK;
}
