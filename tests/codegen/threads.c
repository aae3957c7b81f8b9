/* A model made for several threads against the same one made for one: -DONE=PREFIX_model -DMANY=PREFIX_model. Every
 * run of the second must give the bits of the first: with the pool, from two threads at once that share it, with a
 * parallel_for of the caller's that goes backwards, with none, and with a tenon_env that is too short to have one.
 * usage: threads THREADS ROUNDS. Prints how many loops the model hands out. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/pool.h"
#include "tenon/runtime.h"

const tenon_model *ONE(uint32_t max_abi);
const tenon_model *MANY(uint32_t max_abi);

enum { MOST = 8 };

typedef struct place {
    const tenon_model *model;
    const void *inputs[MOST];
    void *outputs[MOST], *arena;
} place;

typedef struct worker {
    place at;
    const place *want;
    tenon_pool *pool;
    int rounds, wrong;
} worker;

static void *aligned(uint64_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 64, (size_t)bytes + 1) != 0)
        exit(99);
    memset(p, 0x5A, (size_t)bytes);
    return p;
}

static void *make_input(const tenon_tensor_info *t) {
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

static place make_place(const tenon_model *m) {
    place p = {.model = m, .arena = aligned(m->arena_bytes)};
    for (int i = 0; m->inputs[i] != NULL; i++)
        p.inputs[i] = make_input(m->inputs[i]);
    for (int i = 0; m->outputs[i] != NULL; i++)
        p.outputs[i] = aligned(m->outputs[i]->bytes);
    return p;
}

static int loops;

static void backwards(void *ctx, int64_t n, void (*body)(void *data, int64_t i), void *data) {
    if (ctx != &loops)
        exit(98);
    loops++;
    for (int64_t i = n; i-- > 0;)
        body(data, i);
}

typedef void (*parallel_for)(void *ctx, int64_t n, void (*body)(void *data, int64_t i), void *data);

static int run(place *p, size_t env_bytes, parallel_for f, void *ctx) {
    tenon_env env = {.struct_size = (uint32_t)env_bytes, .arena = p->arena, .arena_bytes = p->model->arena_bytes};
    env.parallel_for = f;
    env.ctx = ctx;
    for (int o = 0; p->model->outputs[o] != NULL; o++)
        memset(p->outputs[o], 0xA5, (size_t)p->model->outputs[o]->bytes);
    return p->model->run(p->inputs, p->outputs, &env);
}

static int same(const place *x, const place *y) {
    for (int i = 0; x->model->outputs[i] != NULL; i++)
        if (memcmp(x->outputs[i], y->outputs[i], (size_t)x->model->outputs[i]->bytes) != 0)
            return 0;
    return 1;
}

static void *work(void *data) {
    worker *w = data;
    for (int i = 0; i < w->rounds; i++)
        w->wrong += run(&w->at, sizeof(tenon_env), tenon_pool_for, w->pool) != TENON_OK || !same(&w->at, w->want);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    place want = make_place(ONE(TENON_ABI)), at = make_place(MANY(TENON_ABI));
    if (run(&want, sizeof(tenon_env), NULL, NULL) != TENON_OK)
        return 1;
    if (run(&at, sizeof(tenon_env), backwards, &loops) != TENON_OK || !same(&at, &want))
        return 3;
    printf("loops %d\n", loops);
    int before = loops;
    if (run(&at, sizeof(tenon_env), NULL, NULL) != TENON_OK || !same(&at, &want))
        return 4;
    /* The field lies in memory, but the struct ends before it. */
    if (run(&at, offsetof(tenon_env, ctx), backwards, &loops) != TENON_OK || !same(&at, &want) || loops != before)
        return 5;
    worker workers[2];
    pthread_t threads[2];
    tenon_pool *pool = tenon_pool_new(atoi(argv[1]));
    for (int k = 0; k < 2; k++) {
        workers[k] = (worker){make_place(at.model), &want, pool, atoi(argv[2]), 0};
        work(&workers[k]); /* alone */
        if (workers[k].wrong != 0)
            return 6;
    }
    for (int k = 0; k < 2; k++)
        if (pthread_create(&threads[k], NULL, work, &workers[k]) != 0)
            return 7;
    for (int k = 0; k < 2; k++)
        pthread_join(threads[k], NULL);
    tenon_pool_free(pool);
    return workers[0].wrong + workers[1].wrong != 0 ? 8 : 0;
}
