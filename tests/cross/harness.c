/* Runs many models in one process of another machine: for each of them reads FOLDER/NAME.I.in, an input each, and
 * writes FOLDER/NAME.O.out. -DMODELS="ROW(a_model) ROW(b_model)" names them. usage: harness FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tenon/runtime.h"

#define ROW(query) const tenon_model *query(uint32_t max_abi);
MODELS
#undef ROW
#define ROW(query) query,
static const tenon_model_query models[] = {MODELS};

enum { MOST = 16 };

static void *aligned(uint64_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 64, (size_t)bytes + 1) != 0)
        exit(99);
    memset(p, 0xA5, (size_t)bytes + 1); /* what is read without having been written shows */
    return p;
}

static FILE *open_file(const char *folder, const tenon_model *m, int i, const char *suffix, const char *mode) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%d.%s", folder, m->name, i, suffix);
    FILE *f = fopen(path, mode);
    if (f == NULL) {
        perror(path);
        exit(98);
    }
    return f;
}

static void run_model(const char *folder, const tenon_model *m) {
    const void *inputs[MOST];
    void *outputs[MOST];
    tenon_env env = {.struct_size = sizeof env, .arena = aligned(m->arena_bytes), .arena_bytes = m->arena_bytes};
    for (int i = 0; m->inputs[i] != NULL; i++) {
        void *data = aligned(m->inputs[i]->bytes);
        FILE *f = open_file(folder, m, i, "in", "rb");
        if (i == MOST || fread(data, 1, (size_t)m->inputs[i]->bytes, f) != m->inputs[i]->bytes || fgetc(f) != EOF)
            exit(97);
        fclose(f);
        inputs[i] = data;
    }
    for (int i = 0; m->outputs[i] != NULL; i++) {
        if (i == MOST)
            exit(96);
        outputs[i] = aligned(m->outputs[i]->bytes);
    }
    int code = m->run(inputs, outputs, &env);
    printf("%s %d\n", m->name, code);
    for (int i = 0; m->outputs[i] != NULL; i++) {
        FILE *f = open_file(folder, m, i, "out", "wb");
        if (fwrite(outputs[i], 1, (size_t)m->outputs[i]->bytes, f) != m->outputs[i]->bytes || fclose(f) != 0)
            exit(95);
        free(outputs[i]);
    }
    for (int i = 0; m->inputs[i] != NULL; i++)
        free((void *)(size_t)inputs[i]);
    free(env.arena);
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 2 && i < sizeof models / sizeof *models; i++)
        run_model(argv[1], models[i](TENON_ABI));
    return argc == 2 ? 0 : 94;
}
