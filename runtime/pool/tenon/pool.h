/* SPDX-License-Identifier: MIT-0
 *
 * A small pool of threads for models compiled with --threads, whose tenon_env it fills:
 *
 *     tenon_pool *pool = tenon_pool_new(4);
 *     env.parallel_for = tenon_pool_for;
 *     env.ctx = pool;
 *
 * It needs POSIX threads and gcc or clang: compile tenon_pool.c with -pthread. Models do not need the pool: any
 * function that does what runtime.h says of parallel_for will do.
 */
#ifndef TENON_POOL_H
#define TENON_POOL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_pool tenon_pool;

/* A pool for so many threads, the caller's among them: one thread less is started, or as many as the system gives. NULL
 * when out of memory. Between loops threads wait, at first busily for 0.3 ms. */
tenon_pool *tenon_pool_new(int threads);
/* How many threads it has, the caller's among them. */
int tenon_pool_threads(const tenon_pool *pool);
/* parallel_for of tenon_env: `pool` is env's ctx. Any number of threads may call it at the same time: while the pool
 * works for one, others do their loops themselves. */
void tenon_pool_for(void *pool, int64_t n, void (*body)(void *data, int64_t i), void *data);
/* Ends the threads; nobody may be in tenon_pool_for. NULL is allowed. */
void tenon_pool_free(tenon_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
