/* SPDX-License-Identifier: MIT-0
 * A model written by hand in the shape of generated code: what runtime.h asks of it, and how little that is.
 * y = relu(x * W + b), and the index of the largest y.
 */
#ifndef TENON_MODEL_specimen_H
#define TENON_MODEL_specimen_H

#include "tenon/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Scratch memory for one run at a time, aligned to specimen_ARENA_ALIGN. */
#define specimen_ARENA_BYTES 64
#define specimen_ARENA_ALIGN 64
/* The weights are compiled in. */
#define specimen_WEIGHTS_BYTES 0

typedef struct {
    const float *x; /* f32 1x3, x */
} specimen_inputs;

typedef struct {
    float *y;      /* f32 1x2, y */
    int64_t *best; /* i64 1, best */
} specimen_outputs;

/* Runs the model: TENON_OK or a TENON_E... code. Two threads may run it with two arenas. */
int specimen_run(const specimen_inputs *in, specimen_outputs *out, void *arena);
/* The same in an environment of the caller's. */
int specimen_run_env(const specimen_inputs *in, specimen_outputs *out, const tenon_env *env);
/* The same behind a uniform struct; NULL where max_abi is too old: pass TENON_ABI. */
const tenon_model *specimen_model(uint32_t max_abi);

#ifdef __cplusplus
}
#endif

#endif
