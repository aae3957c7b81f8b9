/* A model made for several threads against the same one made for one: -DONE=PREFIX_model -DMANY=PREFIX_model. Every
 * run of the second must give the bits of the first: with the pool, from two threads at once that share it, with a
 * parallel_for of the caller's that goes backwards, with none, and with a tenon_env that is too short to have one.
 * usage: threads THREADS ROUNDS. Prints how many loops the model hands out. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"
#include "tenon/pool.h"

const tenon_model *ONE(uint32_t max_abi);
const tenon_model *MANY(uint32_t max_abi);

typedef struct worker {
    place at;
    const place *want;
    tenon_pool *pool;
    int rounds, wrong;
} worker;

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
