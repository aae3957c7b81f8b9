/* Hash maps in an arena: from strings, and from 64-bit keys (pointers, ids), to pointers. Insertion order is kept. */
#ifndef TENON_BASE_MAP_H
#define TENON_BASE_MAP_H

#include "base/memory.h"

typedef struct map_entry {
    const char *name; /* string maps; borrowed, must outlive the map */
    uint64_t key;     /* hash of name, or the integer key */
    void *value;
} map_entry;

typedef struct map {
    arena *memory;
    map_entry *entries; /* in order of insertion; value NULL where removed */
    size_t n, cap;
    uint32_t *slots;
    size_t n_slots;
} map;

map map_in(arena *a);
/* Sets or replaces; value must not be NULL. */
status map_set(map *m, const char *name, void *value);
void *map_get(const map *m, const char *name);
void map_remove(map *m, const char *name);
status map_set_key(map *m, uint64_t key, void *value);
void *map_get_key(const map *m, uint64_t key);
#define MAP_KEY(pointer) ((uint64_t)(uintptr_t)(pointer))

/* 64-bit hash of bytes, the same on every machine. */
uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed);

#endif
