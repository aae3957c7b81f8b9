/* Memory: one allocator, arenas on top of it, growing vectors inside arenas.
 *
 * Nothing else in the library calls malloc. An allocator is a table the embedder may give;
 * a test gives one whose n-th call fails. Every function that allocates says so by returning
 * NULL (or STATUS_RESOURCE) when memory is out; nothing aborts.
 */
#ifndef TENON_BASE_MEMORY_H
#define TENON_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* The only source of heap memory. `resize(ctx, NULL, 0, n)` allocates, `resize(ctx, p, n, 0)` frees
 * and returns NULL. The result is aligned to 16. Returns NULL when out of memory. */
typedef struct allocator {
    void *(*resize)(void *ctx, void *block, size_t old_bytes, size_t new_bytes);
    void *ctx;
} allocator;

/* malloc and free. */
extern const allocator allocator_system;

/* A region freed as a whole. Not thread-safe; one arena has one owner. */
typedef struct arena arena;

/* An empty arena over `from` (borrowed). NULL when out of memory. */
arena *arena_new(const allocator *from);
/* Frees the arena, everything in it, and runs the clean-ups in reverse order. NULL is allowed. */
void arena_free(arena *a);
/* `bytes` zeroed bytes aligned to 16 (to 64 from 256 bytes on); NULL when out of memory. */
void *arena_alloc(arena *a, size_t bytes);
/* The same, but what the bytes are is open: memory that will be written before it is read. */
void *arena_alloc_raw(arena *a, size_t bytes);
/* `n` zeroed objects of `each` bytes; NULL also where the product overflows. */
void *arena_alloc_n(arena *a, size_t n, size_t each);
/* Copies; NULL when out of memory. */
void *arena_copy(arena *a, const void *from, size_t bytes);
char *arena_strdup(arena *a, const char *text);
char *arena_strndup(arena *a, const char *text, size_t n);
char *arena_printf(arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Runs fn(object) when the arena is freed (munmap, dlclose, ...). On failure fn(object) has been run. */
status arena_on_free(arena *a, void (*fn)(void *object), void *object);
/* Everything allocated after the mark is given back by arena_reset (clean-ups included). */
typedef struct arena_mark {
    void *chunk;
    size_t used;
    void *cleanup;
} arena_mark;
arena_mark arena_get_mark(const arena *a);
void arena_reset(arena *a, arena_mark mark);
/* Bytes handed out so far, and the allocator below. */
size_t arena_bytes(const arena *a);
const allocator *arena_allocator(const arena *a);

#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_NEW_N(a, type, n) ((type *)arena_alloc_n((a), (size_t)(n), sizeof(type)))

/* A growing array in an arena: `VEC(int) v = {0}; TRY(VEC_PUSH(a, v, 3)); v.at[0]`. Old storage stays
 * in the arena until that is freed. */
#define VEC(type)                                                                                                      \
    struct {                                                                                                           \
        type *at;                                                                                                      \
        size_t n, cap;                                                                                                 \
    }
status vec_reserve(arena *a, void *at_field, size_t *cap, size_t each, size_t need);
#define VEC_RESERVE(a, v, need) vec_reserve((a), &(v).at, &(v).cap, sizeof *(v).at, (need))
#define VEC_PUSH(a, v, ...)                                                                                            \
    (VEC_RESERVE((a), (v), (v).n + 1) == STATUS_OK ? ((v).at[(v).n++] = (__VA_ARGS__), STATUS_OK) : STATUS_RESOURCE)

#endif
