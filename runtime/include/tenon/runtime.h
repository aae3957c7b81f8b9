/* SPDX-License-Identifier: MIT-0
 *
 * What a compiled model and its caller share: error codes, the environment of a run, and the uniform description of a
 * model. Freestanding C99 and C++; nothing here needs a library. Copied next to every generated model.
 *
 * Growth: every struct begins with struct_size, filled with sizeof by whoever makes it, and grows at its end only. A
 * field is read only where TENON_HAS says that it is there. Lists are NULL-terminated arrays of pointers.
 */
#ifndef TENON_RUNTIME_H
#define TENON_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* major << 16 | minor. A model of abi A can be used through max_abi M where the majors are equal and A's minor is not
 * above M's. Major 0: still growing. */
#define TENON_ABI 0x00000001u

/* Does the struct that `p` points to reach to the end of `field`? */
#define TENON_HAS(p, field) ((size_t)((const char *)(&(p)->field + 1) - (const char *)(p)) <= (size_t)(p)->struct_size)

/* What a run returns. Numbers are never reused. */
#define TENON_OK 0
#define TENON_E_ARGUMENT 1    /* an argument, input or output is NULL */
#define TENON_E_STRUCT_SIZE 2 /* a struct_size is too short for the fields that the model needs */
#define TENON_E_ARENA 3       /* the arena is missing, too small or not aligned */
#define TENON_E_WEIGHTS 4     /* the weights are missing, of another size or not aligned */
#define TENON_E_BYTE_ORDER 5  /* the weights are little-endian, this machine is not */
#define TENON_E_INDEX 6       /* an index in the data is out of range */
#define TENON_E_DIVISION 7    /* an integer division by zero */
#define TENON_E_LIMIT 8       /* a loop count or size in the data is above what the model was compiled for */
#define TENON_E_VALUE 9       /* any other value in the data that the operator does not allow */

/* Element types: the numbers of ONNX's TensorProto.DataType. In memory bool is uint8_t, the 16-bit floats uint16_t, the
 * 8-bit floats uint8_t; 4- and 2-bit types are packed, low bits first. */
#define TENON_FLOAT 1
#define TENON_UINT8 2
#define TENON_INT8 3
#define TENON_UINT16 4
#define TENON_INT16 5
#define TENON_INT32 6
#define TENON_INT64 7
#define TENON_BOOL 9
#define TENON_FLOAT16 10
#define TENON_DOUBLE 11
#define TENON_UINT32 12
#define TENON_UINT64 13
#define TENON_BFLOAT16 16
#define TENON_FLOAT8E4M3FN 17
#define TENON_FLOAT8E4M3FNUZ 18
#define TENON_FLOAT8E5M2 19
#define TENON_FLOAT8E5M2FNUZ 20
#define TENON_UINT4 21
#define TENON_INT4 22
#define TENON_FLOAT4E2M1 23
#define TENON_FLOAT8E8M0 24
#define TENON_UINT2 25
#define TENON_INT2 26

/* One input or output of a model. */
typedef struct tenon_tensor_info {
    uint32_t struct_size;
    int32_t element_type; /* TENON_FLOAT ... */
    const char *name;     /* as in the ONNX file */
    const int64_t *dims;  /* `rank` dimensions, never NULL */
    uint64_t bytes;       /* of the whole tensor */
    int32_t rank;
    uint32_t alignment; /* bytes that its address must be a multiple of: its element's size */
} tenon_tensor_info;

/* Scratch memory of one kind, where a model was compiled for several (--region). */
typedef struct tenon_region_info {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    const char *name;  /* as --region has it */
    uint64_t bytes;    /* what a run needs; may be 0 */
    uint64_t alignment;
} tenon_region_info;

/* What the caller gives for one run. Two runs at the same time need two arenas; everything else may be shared. */
typedef struct tenon_env {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    void *arena;       /* scratch memory; contents before and after mean nothing. NULL where the model needs none */
    uint64_t arena_bytes;
    const void *weights; /* PREFIX.weights, where the model was written with `--weights bin`; else ignored */
    uint64_t weights_bytes;
    /* Runs body(data, i) for every i in [0, n) in any order, on any threads, and returns when all are done; bodies
     * never call it again. NULL: the calling thread does everything, as it does for models compiled for one thread.
     * tenon/pool.h has such a function. The bits of the outputs do not depend on it. */
    void (*parallel_for)(void *ctx, int64_t n, void (*body)(void *data, int64_t i), void *data);
    void *ctx;
    /* Where the model has several regions: the scratch memory of each, in their order, in place of `arena`. */
    void *const *arenas; /* NULL where the region needs no bytes */
    const uint64_t *arenas_bytes;
    uint64_t n_arenas;
} tenon_env;

/* A compiled model, constant, in read-only memory. */
typedef struct tenon_model {
    uint32_t struct_size;
    uint32_t abi;                           /* the TENON_ABI it was compiled for */
    const char *name;                       /* the prefix of its symbols */
    const tenon_tensor_info *const *inputs; /* in the model's order, NULL at the end */
    const tenon_tensor_info *const *outputs;
    uint64_t arena_bytes; /* what a run needs, in all regions together */
    uint64_t arena_alignment;
    uint64_t weights_bytes; /* what tenon_env must bring; 0 where the weights are compiled in */
    uint64_t weights_alignment;
    /* One pointer per input and output, in order. Returns TENON_OK or a TENON_E... code; on an error the outputs'
     * contents mean nothing. Re-entrant; any thread. */
    int (*run)(const void *const *inputs, void *const *outputs, const tenon_env *env);
    const char *target; /* what it was compiled for: "x86-64-v3"; other machines may not have its instructions */
    const tenon_region_info *const *regions; /* NULL at the end; NULL itself where the arena is one */
} tenon_model;

/* Generated for each model: const tenon_model *PREFIX_model(uint32_t max_abi);
 * NULL where the model needs more than max_abi; pass TENON_ABI. */
typedef const tenon_model *(*tenon_model_query)(uint32_t max_abi);

#ifdef __cplusplus
}
#endif

#endif
