/* What the test programs need to run a generated model: inputs of small numbers, outputs, an arena. */
#ifndef TESTS_CODEGEN_PLACE_H
#define TESTS_CODEGEN_PLACE_H

#include <stdlib.h>
#include <string.h>

#include "tenon/runtime.h"

enum { MOST = 8 };

/* All that one thread needs to run one model. */
typedef struct place {
    const tenon_model *model;
    const void *inputs[MOST];
    void *outputs[MOST], *arena;
} place;

static inline void *aligned(uint64_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 64, (size_t)bytes + 1) != 0)
        exit(99);
    memset(p, 0x5A, (size_t)bytes);
    return p;
}

/* Small numbers of any type; flags and indices are 0 or 1. */
static inline void *make_input(const tenon_tensor_info *t) {
    unsigned char *p = aligned(t->bytes);
    for (uint64_t i = 0; i < t->bytes; i += t->alignment) {
        float real = (float)(i / 4 % 17) / 16;
        memset(p + i, 0, t->alignment);
        if (t->element_type == TENON_FLOAT)
            memcpy(p + i, &real, sizeof real);
        else
            p[i] = i / t->alignment % 3 == 1;
    }
    return p;
}

static inline place make_place(const tenon_model *m) {
    place p = {.model = m, .arena = aligned(m->arena_bytes)};
    for (int i = 0; m->inputs[i] != NULL; i++)
        p.inputs[i] = make_input(m->inputs[i]);
    for (int i = 0; m->outputs[i] != NULL; i++)
        p.outputs[i] = aligned(m->outputs[i]->bytes);
    return p;
}

static inline void free_place(place *p) {
    for (int i = 0; p->model->inputs[i] != NULL; i++)
        free((void *)(size_t)p->inputs[i]);
    for (int i = 0; p->model->outputs[i] != NULL; i++)
        free(p->outputs[i]);
    free(p->arena);
}

static inline int same(const place *x, const place *y) {
    for (int i = 0; x->model->outputs[i] != NULL; i++)
        if (memcmp(x->outputs[i], y->outputs[i], (size_t)x->model->outputs[i]->bytes) != 0)
            return 0;
    return 1;
}

#endif
