/* Engines: what a program can be run by. One table row in engine.c for each back end. */
#ifndef TENON_API_ENGINE_H
#define TENON_API_ENGINE_H

#include "api/context.h"
#include "loop/loop.h"

/* The values of option backend; NULL-terminated. "all" is every row of the table. */
extern const char *const engine_names[];

typedef struct engine_row engine_row;

/* A program made ready by one back end. */
typedef struct engine {
    const engine_row *row;
    tenon_context *c;
    const tenon_options *o;
    const program *p;
    const struct shared_model *shared; /* where the model comes compiled */
    tenon_env env;                     /* parallel_for and its ctx, where there are threads; no memory */
    arena *memory;                     /* dies with the engine */
    void *state;                       /* the back end's own */
    size_t code_bytes;                 /* of machine code; 0 where there is none */
} engine;

struct engine_row {
    const char *name;
    bool is_native; /* runs code made for the program's target */
    status (*prepare)(engine *e);
    status (*run)(engine *e, const void *const *inputs, void *const *outputs, void *scratch, int *out_code);
    void (*release)(engine *e); /* also after a failed prepare */
};

/* ---- engine.c ---- */
/* Prepares the engines that option backend names, each in an arena of its own over the context's memory. */
status engines_open(tenon_context *c, const tenon_options *o, const program *p, engine *out, size_t *out_n);
/* Prepares the only engine of a model that comes compiled. */
status engines_open_shared(tenon_context *c, const struct shared_model *m, const program *p, engine *out,
                           size_t *out_n);
void engines_close(engine *engines, size_t n);
#define ENGINES_MAX 4

extern const engine_row engine_jit, engine_interp; /* engine_jit.c, engine_interp.c */
extern const engine_row engine_object;             /* engine_object.c: through the .o, without a linker */
extern const engine_row engine_c;                  /* engine_c.c: through $CC */
extern const engine_row engine_shared;             /* engine_shared.c: of no program, but of a shared_model */

#endif
