/* Runs a generated model on raw input files and prints a hash of each output. -DMODEL=PREFIX_model names the model.
 * usage: harness [-w WEIGHTS] [-t] INPUT...      -t: four runs in two threads with an arena each, which must agree
 * The hash of a float output counts every NaN as the same. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/runtime.h"

const tenon_model *MODEL(uint32_t max_abi);

enum { MOST = 16 };

typedef struct job {
    const tenon_model *model;
    const void *inputs[MOST];
    const void *weights;
    void *outputs[MOST];
    int status;
} job;

static void *aligned(size_t bytes, size_t alignment) {
    void *p = NULL;
    if (posix_memalign(&p, alignment < sizeof(void *) ? sizeof(void *) : alignment, bytes + 1) != 0)
        exit(99);
    memset(p, 0xA5, bytes); /* what is read without having been written shows */
    return p;
}

static void *read_file(const char *path, size_t bytes, size_t alignment) {
    FILE *f = fopen(path, "rb");
    unsigned char *p = aligned(bytes, alignment);
    if (f == NULL || fread(p, 1, bytes, f) != bytes || fgetc(f) != EOF) {
        fprintf(stderr, "%s: not %zu bytes\n", path, bytes);
        exit(98);
    }
    fclose(f);
    return p;
}

/* An arena for each region, where the model has several. */
static void give_regions(const tenon_model *m, tenon_env *env, void **arenas, uint64_t *bytes) {
    for (; m->regions != NULL && m->regions[env->n_arenas] != NULL && env->n_arenas < MOST; env->n_arenas++) {
        const tenon_region_info *r = m->regions[env->n_arenas];
        arenas[env->n_arenas] = r->bytes > 0 ? aligned((size_t)r->bytes, (size_t)r->alignment) : NULL;
        bytes[env->n_arenas] = r->bytes;
    }
    if (env->n_arenas > 0)
        env->arena = NULL;
    env->arenas = arenas;
    env->arenas_bytes = bytes;
}

static void *work(void *data) {
    job *j = data;
    void *arena = aligned((size_t)j->model->arena_bytes, (size_t)j->model->arena_alignment), *arenas[MOST];
    uint64_t bytes[MOST];
    tenon_env env = {.struct_size = sizeof env,
                     .arena = arena,
                     .arena_bytes = j->model->arena_bytes,
                     .weights = j->weights,
                     .weights_bytes = j->model->weights_bytes};
    give_regions(j->model, &env, arenas, bytes);
    for (int i = 0; i < 2 && j->status == 0; i++)
        j->status = j->model->run(j->inputs, j->outputs, &env);
    free(arena);
    for (uint64_t i = 0; i < env.n_arenas; i++)
        free(arenas[i]);
    return NULL;
}

static uint64_t hash(const tenon_tensor_info *t, const void *data) {
    uint64_t h = 14695981039346656037u;
    for (uint64_t i = 0; i < t->bytes; i++) {
        unsigned char byte = ((const unsigned char *)data)[i];
        if (t->element_type == TENON_FLOAT) {
            float x;
            memcpy(&x, (const unsigned char *)data + i / 4 * 4, 4);
            byte = x != x ? 0xFF : byte;
        }
        h = (h ^ byte) * 1099511628211u;
    }
    return h;
}

static void make_outputs(job *j) {
    for (int i = 0; j->model->outputs[i] != NULL; i++)
        j->outputs[i] = aligned((size_t)j->model->outputs[i]->bytes, 64);
}

static int differ(const job *a, const job *b) {
    for (int i = 0; a->model->outputs[i] != NULL; i++)
        if (hash(a->model->outputs[i], a->outputs[i]) != hash(a->model->outputs[i], b->outputs[i]))
            return 1;
    return 0;
}

static void free_outputs(job *j) {
    for (int i = 0; j->model->outputs[i] != NULL; i++)
        free(j->outputs[i]);
}

int main(int argc, char **argv) {
    static job one, two;
    int at = 1, threads = 0;
    one.model = MODEL(TENON_ABI);
    if (one.model == NULL || MODEL(0) != NULL)
        return 97;
    if (at + 1 < argc && strcmp(argv[at], "-w") == 0) {
        one.weights = read_file(argv[at + 1], (size_t)one.model->weights_bytes, (size_t)one.model->weights_alignment);
        at += 2;
    }
    if (at < argc && strcmp(argv[at], "-t") == 0)
        threads = at++;
    for (int i = 0; one.model->inputs[i] != NULL; i++, at++) {
        if (at >= argc || i == MOST)
            return 96;
        one.inputs[i] = read_file(argv[at], (size_t)one.model->inputs[i]->bytes, 64);
    }
    two = one;
    make_outputs(&one);
    make_outputs(&two);
    if (threads) {
        pthread_t a, b;
        if (pthread_create(&a, NULL, work, &one) != 0 || pthread_create(&b, NULL, work, &two) != 0)
            return 95;
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        if (one.status == 0 && two.status == 0 && differ(&one, &two)) {
            puts("the threads' outputs differ");
            return 1;
        }
    } else {
        work(&one);
    }
    if (one.status != 0 || two.status != 0) {
        printf("run returned %d\n", one.status ? one.status : two.status);
        return 1;
    }
    for (int i = 0; one.model->outputs[i] != NULL; i++)
        printf("%s %016llx\n", one.model->outputs[i]->name,
               (unsigned long long)hash(one.model->outputs[i], one.outputs[i]));
    free_outputs(&one);
    free_outputs(&two);
    for (int i = 0; one.model->inputs[i] != NULL; i++)
        free((void *)(size_t)one.inputs[i]);
    free((void *)(size_t)one.weights);
    return 0;
}
