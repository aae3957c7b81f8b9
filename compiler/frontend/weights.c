/* The weights of a model, counted by the tensors in use. */
#include "frontend/weights.h"

struct weights {
    arena *memory;
    size_t holds;
};

weights *weights_new(const allocator *from) {
    arena *memory = arena_new(from);
    weights *w = memory == NULL ? NULL : ARENA_NEW(memory, weights);
    if (w == NULL) {
        arena_free(memory);
        return NULL;
    }
    *w = (weights){memory, 1};
    return w;
}

/* Graphs on several threads may share tensors, so counting is atomic. */
void weights_drop(weights *w) {
    if (w != NULL && __atomic_sub_fetch(&w->holds, 1, __ATOMIC_ACQ_REL) == 0)
        arena_free(w->memory);
}

arena *weights_memory(const weights *w) {
    return w->memory;
}

static void release(tensor *t) {
    weights_drop(t->owner);
}

status weights_share(weights *w, tensor *t, arena *holder) {
    __atomic_add_fetch(&w->holds, 1, __ATOMIC_RELAXED);
    t->owner = w;
    t->release = release;
    return tensor_hold(holder, t);
}
