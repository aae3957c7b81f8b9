/* Calls a function many times and says how long that took, so that no interpreter stands between the calls; and what
 * the machine can do: kernels that only multiply and add, only read, or do nothing. Compiled by subjects.py, called
 * through ctypes. */
#include <stdint.h>
#include <time.h>

#if defined __AVX512F__
enum { VECTOR_BYTES = 64 };
#elif defined __AVX__
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
typedef float vector __attribute__((vector_size(VECTOR_BYTES)));

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Calls f `n` times with the arguments; nanoseconds in all, or -1 - (what f returned) where that was not 0. */
int64_t repeat_1(int (*f)(void *), void *const *a, int64_t n) {
    int64_t begin = now();
    for (int64_t i = 0; i < n; i++) {
        int status = f(a[0]);
        if (status != 0)
            return -1 - (int64_t)(status & 0xffff);
    }
    return now() - begin;
}

int64_t repeat_3(int (*f)(void *, void *, void *), void *const *a, int64_t n) {
    int64_t begin = now();
    for (int64_t i = 0; i < n; i++) {
        int status = f(a[0], a[1], a[2]);
        if (status != 0)
            return -1 - (int64_t)(status & 0xffff);
    }
    return now() - begin;
}

/* OrtApi::Run, whose sizes are as wide as pointers and which returns NULL where all is well. */
int64_t repeat_8(void *(*f)(void *, void *, void *, void *, void *, void *, void *, void *), void *const *a,
                 int64_t n) {
    int64_t begin = now();
    for (int64_t i = 0; i < n; i++)
        if (f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]) != 0)
            return -2;
    return now() - begin;
}

/* ---- the machine ---- */

int machine_nothing(void *x, void *n, void *out) {
    (void)x, (void)n, (void)out;
    return 0;
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE(k) vector sum##k = x[k];
#define MULTIPLY_ADD(k) sum##k = sum##k * factor + term;
#define ADD(k) sum##k += x[i + k];
#define STORE(k) out[k] = sum##k;

/* How many floats a step of the two kernels takes. */
int machine_step(void) {
    return 12 * VECTOR_BYTES / (int)sizeof(float);
}

/* `n` times machine_step() multiply-adds, in registers that do not wait for each other. x: one step and two vectors. */
int machine_multiply_add(const vector *x, const int64_t *n, vector *out) {
    const vector factor = x[12], term = x[13];
    EACH(DECLARE)
    for (int64_t i = 0; i < *n; i++) {
        EACH(MULTIPLY_ADD)
    }
    EACH(STORE)
    return 0;
}

/* Reads `n` steps of x, in order. */
int machine_read(const vector *x, const int64_t *n, vector *out) {
    EACH(DECLARE)
    for (int64_t i = 0; i < *n * 12; i += 12) {
        EACH(ADD)
    }
    EACH(STORE)
    return 0;
}
