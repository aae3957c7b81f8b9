/* Insertion-ordered hash maps with open addressing, and the hash function. */
#include "base/map.h"

#include <string.h>

enum { FIRST_ENTRIES = 8 };

static const uint64_t MIX_1 = 0x9e3779b97f4a7c15u, MIX_2 = 0xd6e8feb86659fd93u, MIX_3 = 0xa0761d6478bd642fu;

static uint64_t rotate(uint64_t x, int by) {
    return x << by | x >> (64 - by);
}

static uint64_t scramble(uint64_t x) {
    x = (x ^ x >> 32) * MIX_2;
    x = (x ^ x >> 32) * MIX_2;
    return x ^ x >> 32;
}

/* Up to eight bytes as a little-endian number, whatever the machine's own order. */
static uint64_t load(const unsigned char *p, size_t n) {
    uint64_t x = 0;
    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

/* 64-bit hash of bytes, the same on every machine. Four independent lanes, so that weights hash at memory speed. */
uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed) {
    const unsigned char *p = bytes;
    uint64_t lanes[4] = {seed + MIX_1, seed ^ MIX_2, seed + MIX_3, ~seed};
    size_t left = n;
    for (; left >= 32; left -= 32, p += 32)
        for (size_t i = 0; i < 4; i++)
            lanes[i] = rotate((lanes[i] ^ load(p + 8 * i, 8)) * MIX_1, 29) + MIX_3;
    uint64_t h = scramble(lanes[0]) ^ rotate(scramble(lanes[1]), 17) ^ rotate(scramble(lanes[2]), 31) ^
                 rotate(scramble(lanes[3]), 47) ^ (uint64_t)n * MIX_1;
    for (; left > 0;) {
        size_t step = left < 8 ? left : 8;
        h = scramble((h ^ load(p, step)) * MIX_1 + MIX_3);
        left -= step;
        p += step;
    }
    return scramble(h);
}

/* An empty map; allocates nothing yet. */
map map_in(arena *a) {
    return (map){.memory = a};
}

static bool entry_is(const map_entry *e, const char *name, uint64_t key) {
    return e->value != NULL && e->key == key &&
           (name == NULL ? e->name == NULL : e->name != NULL && strcmp(e->name, name) == 0);
}

/* The slot of the entry; n_slots where there is none. */
static size_t find_slot(const map *m, const char *name, uint64_t key) {
    if (m->n_slots == 0)
        return 0;
    for (size_t s = (size_t)scramble(key) & (m->n_slots - 1); m->slots[s] != 0; s = (s + 1) & (m->n_slots - 1))
        if (entry_is(&m->entries[m->slots[s] - 1], name, key))
            return s;
    return m->n_slots;
}

static map_entry *find(const map *m, const char *name, uint64_t key) {
    size_t s = find_slot(m, name, key);
    return s < m->n_slots ? &m->entries[m->slots[s] - 1] : NULL;
}

static void slot_fill(map *m, size_t index) {
    size_t s = (size_t)scramble(m->entries[index].key) & (m->n_slots - 1);
    while (m->slots[s] != 0)
        s = (s + 1) & (m->n_slots - 1);
    m->slots[s] = (uint32_t)(index + 1);
}

/* Drops removed entries and files the others anew. */
static void refile(map *m) {
    memset(m->slots, 0, m->n_slots * sizeof *m->slots);
    size_t live = 0;
    for (size_t i = 0; i < m->n; i++)
        if (m->entries[i].value != NULL)
            m->entries[live++] = m->entries[i];
    m->n = live;
    for (size_t i = 0; i < live; i++)
        slot_fill(m, i);
}

/* Room for one more entry, keeping at least half of the slots empty so that searches stay short and end. */
static status make_room(map *m) {
    if (m->n < m->cap)
        return STATUS_OK;
    size_t live = 0;
    for (size_t i = 0; i < m->n; i++)
        live += m->entries[i].value != NULL;
    if (live * 2 > m->cap || m->cap == 0) {
        size_t cap = m->cap == 0 ? FIRST_ENTRIES : m->cap * 2;
        if (cap >= UINT32_MAX)
            return STATUS_RESOURCE;
        map_entry *entries = ARENA_NEW_N(m->memory, map_entry, cap);
        TRY_ALLOC(entries);
        uint32_t *slots = ARENA_NEW_N(m->memory, uint32_t, cap * 2);
        TRY_ALLOC(slots);
        if (m->n > 0)
            memcpy(entries, m->entries, m->n * sizeof *entries);
        m->entries = entries;
        m->cap = cap;
        m->slots = slots;
        m->n_slots = cap * 2;
    }
    refile(m);
    return STATUS_OK;
}

static status set(map *m, const char *name, uint64_t key, void *value) {
    map_entry *old = find(m, name, key);
    if (old != NULL) {
        old->value = value;
        return STATUS_OK;
    }
    TRY(make_room(m));
    m->entries[m->n] = (map_entry){name, key, value};
    slot_fill(m, m->n++);
    return STATUS_OK;
}

static uint64_t name_key(const char *name) {
    return hash_bytes(name, strlen(name), 0);
}

/* Sets or replaces; an entry that was removed before comes back at the end. */
status map_set(map *m, const char *name, void *value) {
    return set(m, name, name_key(name), value);
}

/* The value, or NULL. */
void *map_get(const map *m, const char *name) {
    const map_entry *e = find(m, name, name_key(name));
    return e == NULL ? NULL : e->value;
}

/* Removes the entry where there is one; its place in `entries` stays, without a value, until the map next grows. */
void map_remove(map *m, const char *name) {
    size_t s = find_slot(m, name, name_key(name));
    if (s == m->n_slots)
        return;
    m->entries[m->slots[s] - 1].value = NULL;
    m->slots[s] = 0;
    /* Those behind it may have been looked for through its slot: file them again. */
    while (m->slots[s = (s + 1) & (m->n_slots - 1)] != 0) {
        size_t index = m->slots[s] - 1;
        m->slots[s] = 0;
        slot_fill(m, index);
    }
}

/* As map_set, for an integer key. */
status map_set_key(map *m, uint64_t key, void *value) {
    return set(m, NULL, key, value);
}

/* As map_get, for an integer key. */
void *map_get_key(const map *m, uint64_t key) {
    const map_entry *e = find(m, NULL, key);
    return e == NULL ? NULL : e->value;
}
