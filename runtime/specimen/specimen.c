/* SPDX-License-Identifier: MIT-0
 * The specimen's code: kernels over plain pointers, the steps in order, the uniform description.
 */
#include <stddef.h>
#include <stdint.h>

#include "specimen.h"

static const float w_dense[6] = {
    1.0f, -2.0f, 0.5f, 0.25f, -1.0f, 3.0f,
};

static const float w_bias[2] = {
    0.125f,
    -1.0f,
};

static void dense(const float *restrict x, const float *restrict w, const float *restrict bias, float *restrict y) {
    for (int64_t j = 0; j < 2; j++) {
        float sum = bias[j];
        for (int64_t k = 0; k < 3; k++)
            sum = sum + x[k] * w[k * 2 + j];
        y[j] = sum;
    }
}

static void relu(const float *restrict x, float *restrict y) {
    for (int64_t j = 0; j < 2; j++)
        y[j] = x[j] > 0.0f ? x[j] : 0.0f;
}

static int arg_max(const float *restrict x, int64_t *restrict best) {
    int64_t at = 0;
    for (int64_t j = 0; j < 2; j++) {
        if (x[j] != x[j])
            return TENON_E_VALUE;
        at = x[j] > x[at] ? j : at;
    }
    best[0] = at;
    return TENON_OK;
}

int specimen_run_env(const specimen_inputs *in, specimen_outputs *out, const tenon_env *env) {
    int code;
    if (in == NULL || out == NULL || env == NULL)
        return TENON_E_ARGUMENT;
    if (in->x == NULL || out->y == NULL || out->best == NULL)
        return TENON_E_ARGUMENT;
    if (!TENON_HAS(env, arena_bytes))
        return TENON_E_STRUCT_SIZE;
    if (env->arena == NULL || env->arena_bytes < specimen_ARENA_BYTES ||
        ((uintptr_t)env->arena & (specimen_ARENA_ALIGN - 1)) != 0)
        return TENON_E_ARENA;
    float *const sums = (float *)env->arena;
    dense(in->x, w_dense, w_bias, sums);
    relu(sums, out->y);
    code = arg_max(sums, out->best);
    return code;
}

int specimen_run(const specimen_inputs *in, specimen_outputs *out, void *arena) {
    tenon_env env = {0};
    env.struct_size = (uint32_t)sizeof env;
    env.arena = arena;
    env.arena_bytes = specimen_ARENA_BYTES;
    return specimen_run_env(in, out, &env);
}

static const int64_t x_dims[] = {1, 3}, y_dims[] = {1, 2}, best_dims[] = {1};
static const tenon_tensor_info x_info = {(uint32_t)sizeof(tenon_tensor_info), TENON_FLOAT, "x", x_dims, 12, 2, 4};
static const tenon_tensor_info y_info = {(uint32_t)sizeof(tenon_tensor_info), TENON_FLOAT, "y", y_dims, 8, 2, 4};
static const tenon_tensor_info best_info = {
    (uint32_t)sizeof(tenon_tensor_info), TENON_INT64, "best", best_dims, 8, 1, 8};
static const tenon_tensor_info *const input_infos[] = {&x_info, NULL};
static const tenon_tensor_info *const output_infos[] = {&y_info, &best_info, NULL};

static int run_pointers(const void *const *inputs, void *const *outputs, const tenon_env *env) {
    specimen_inputs in = {0};
    specimen_outputs out = {0};
    if (inputs == NULL || outputs == NULL)
        return TENON_E_ARGUMENT;
    in.x = (const float *)inputs[0];
    out.y = (float *)outputs[0];
    out.best = (int64_t *)outputs[1];
    return specimen_run_env(&in, &out, env);
}

static const tenon_model model = {
    (uint32_t)sizeof(tenon_model),
    TENON_ABI,
    "specimen",
    input_infos,
    output_infos,
    specimen_ARENA_BYTES,
    specimen_ARENA_ALIGN,
    specimen_WEIGHTS_BYTES,
    64,
    run_pointers,
    "generic",
    NULL,
};

const tenon_model *specimen_model(uint32_t max_abi) {
    const int known = TENON_ABI >> 16 == max_abi >> 16 && (TENON_ABI & 0xffffu) <= (max_abi & 0xffffu);
    return known ? &model : NULL;
}
