/* rooms: base */
/* The pool of threads in runtime/pool: every iteration once, whoever calls and how often. */
#include <stdio.h>
#include <time.h>

#include "test_support.h"

#include "../../runtime/pool/tenon_pool.c"

enum { MOST = 1000, LOOPS = 20000, CALLERS = 4 };

typedef struct loop {
    int64_t n;
    int counts[MOST]; /* by iteration: how often it was run */
    tenon_pool *inner;
} loop;

static void count(void *data, int64_t i) {
    loop *l = data;
    assert_true(i >= 0 && i < l->n);
    __atomic_add_fetch(&l->counts[i], 1, __ATOMIC_RELAXED);
}

static bool each_once(loop *l) {
    for (int64_t i = 0; i < MOST; i++) {
        if (l->counts[i] != (i < l->n))
            return false;
        l->counts[i] = 0;
    }
    return true;
}

static void pool_runs_each_iteration_once(void **state) {
    (void)state;
    for (int threads = 0; threads < 6; threads++) {
        tenon_pool *p = tenon_pool_new(threads);
        loop l = {0};
        assert_int_equal(tenon_pool_threads(p), threads > 1 ? threads : 1);
        for (int k = 0; k < 500; k++) {
            l.n = k < MOST ? k : MOST;
            tenon_pool_for(p, l.n, count, &l);
            assert_true(each_once(&l));
        }
        tenon_pool_free(p);
    }
    tenon_pool_free(NULL);
}

/* Short loops, one after another: a worker that is late must not take what belongs to the next loop. */
static void pool_keeps_loops_apart(void **state) {
    (void)state;
    tenon_pool *p = tenon_pool_new(3);
    static loop loops[7];
    for (int k = 0; k < LOOPS; k++) {
        loop *l = &loops[k % 7];
        l->n = 2 + k % 5;
        tenon_pool_for(p, l->n, count, l);
        for (int64_t i = 0; i < l->n; i++) {
            assert_int_equal(l->counts[i], 1);
            l->counts[i] = 0;
        }
    }
    tenon_pool_free(p);
}

static void *call_often(void *of) {
    static __thread loop l;
    for (int k = 0; k < LOOPS / CALLERS; k++) {
        l.n = k % 9;
        tenon_pool_for(of, l.n, count, &l);
        if (!each_once(&l))
            return NULL;
    }
    return of;
}

static void pool_serves_several_callers(void **state) {
    (void)state;
    tenon_pool *p = tenon_pool_new(2);
    pthread_t callers[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, call_often, p), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *done = NULL;
        pthread_join(callers[i], &done);
        assert_ptr_equal(done, p);
    }
    tenon_pool_free(p);
}

static void count_within(void *data, int64_t i) {
    loop *l = data;
    (void)i;
    tenon_pool_for(l->inner, l->n, count, l);
}

static void pool_may_be_called_from_a_loop(void **state) {
    (void)state;
    loop l = {.n = 10, .inner = tenon_pool_new(3)};
    tenon_pool_for(l.inner, 20, count_within, &l);
    for (int64_t i = 0; i < l.n; i++)
        assert_int_equal(l.counts[i], 20);
    tenon_pool_free(l.inner);
}

static void pool_wakes_threads_that_sleep(void **state) {
    (void)state;
    tenon_pool *p = tenon_pool_new(3);
    loop l = {.n = 50};
    for (int k = 0; k < 20; k++) {
        nanosleep(&(struct timespec){0, 2000000}, NULL);
        tenon_pool_for(p, l.n, count, &l);
        assert_true(each_once(&l));
    }
    tenon_pool_free(p);
}

/* Both iterations wait for each other, so two threads must run them. */
static void meet(void *data, int64_t i) {
    int *arrived = data;
    (void)i;
    __atomic_add_fetch(arrived, 1, __ATOMIC_SEQ_CST);
    for (int k = 0; k < 20000 && __atomic_load_n(arrived, __ATOMIC_SEQ_CST) < 2; k++)
        nanosleep(&(struct timespec){0, 100000}, NULL);
}

static void pool_has_threads(void **state) {
    (void)state;
    tenon_pool *p = tenon_pool_new(2);
    int arrived = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    tenon_pool_for(p, 2, meet, &arrived);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(arrived, 2);
    assert_true(end.tv_sec - begin.tv_sec < 2); /* alone, the first would wait for all of its rounds */
    tenon_pool_free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_runs_each_iteration_once), cmocka_unit_test(pool_keeps_loops_apart),
        cmocka_unit_test(pool_serves_several_callers),   cmocka_unit_test(pool_may_be_called_from_a_loop),
        cmocka_unit_test(pool_wakes_threads_that_sleep), cmocka_unit_test(pool_has_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
