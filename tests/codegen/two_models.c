/* Two generated models in one program, -DFIRST=PREFIX_model -DSECOND=PREFIX_model. Each runs once; then two threads,
 * each with memory of its own, run both many times, in turn: every output must be that of the single run. Prints the
 * most memory that was resident, in kB. usage: two_models [ROUNDS]; with 0 rounds FIRST runs once and nothing else
 * happens. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place.h"

const tenon_model *FIRST(uint32_t max_abi);
const tenon_model *SECOND(uint32_t max_abi);

typedef struct worker {
    place places[2];
    const place *single; /* what the outputs must be */
    int first, rounds, wrong;
} worker;

static int run(place *p) {
    tenon_env env = {.struct_size = sizeof env, .arena = p->arena, .arena_bytes = p->model->arena_bytes};
    return p->model->run(p->inputs, p->outputs, &env);
}

static void *work(void *data) {
    worker *w = data;
    for (int i = 0; i < 2 * w->rounds; i++) {
        int k = (w->first + i) % 2;
        place *p = &w->places[k];
        for (int o = 0; p->model->outputs[o] != NULL; o++)
            memset(p->outputs[o], i & 0xFF, (size_t)p->model->outputs[o]->bytes);
        w->wrong += run(p) != TENON_OK || !same(p, &w->single[k]);
    }
    return NULL;
}

static int print_resident(void) {
    char line[128];
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            printf("resident %ld\n", strtol(line + 6, NULL, 10));
    return f == NULL || fclose(f) != 0;
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    place single[2] = {make_place(FIRST(TENON_ABI)), {0}};
    if (run(&single[0]) != TENON_OK)
        return 1;
    if (rounds > 0) {
        worker workers[2];
        pthread_t threads[2];
        single[1] = make_place(SECOND(TENON_ABI));
        if (run(&single[1]) != TENON_OK)
            return 1;
        for (int k = 0; k < 2; k++) {
            workers[k] = (worker){{make_place(single[0].model), make_place(single[1].model)}, single, k, rounds, 0};
            if (pthread_create(&threads[k], NULL, work, &workers[k]) != 0)
                return 2;
        }
        for (int k = 0; k < 2; k++) {
            pthread_join(threads[k], NULL);
            printf("thread %d: %d runs, %d wrong\n", k, 2 * rounds, workers[k].wrong);
            free_place(&workers[k].places[0]);
            free_place(&workers[k].places[1]);
        }
        free_place(&single[1]);
    }
    free_place(&single[0]);
    return print_resident();
}
