/* SPDX-License-Identifier: MIT-0
 *
 * The pool of tenon/pool.h. A loop is handed out by one word, `ticket`: the loop's number, and how many of its
 * iterations nobody has begun. Whoever takes one, the caller or a worker, counts the word down by compare and exchange.
 * That succeeds only while the loop is the one that was seen before, so what has been read of it (body, data) is of
 * that loop: the next one cannot be handed out while an iteration of this one is left.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "tenon/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

/* Rounds of waiting before a thread sleeps: about 50 microseconds. */
#define SPINS 2000

struct tenon_pool {
    uint64_t ticket; /* of the loop: number << 32 | iterations that nobody has begun */
    void (*body)(void *data, int64_t i);
    void *data;
    uint32_t left; /* iterations that have not ended */
    int is_busy;   /* a caller has the pool */
    int stops;
    int sleepers;        /* workers that sleep */
    int is_caller_asleep;
    int n_workers;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    pthread_t *workers;
};

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define STORE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define LOAD_ALL(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE_ALL(x, value) __atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static uint32_t not_begun(uint64_t ticket) {
    return (uint32_t)ticket;
}

static void wake_caller(tenon_pool *p) {
    if (!LOAD_ALL(p->is_caller_asleep))
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
}

/* Runs iterations of the loop that is handed out, as long as there are some. */
static void work(tenon_pool *p) {
    uint64_t seen = LOAD_ALL(p->ticket);
    while (not_begun(seen) > 0) {
        void (*body)(void *data, int64_t i) = LOAD(p->body);
        void *data = LOAD(p->data);
        if (!__atomic_compare_exchange_n(&p->ticket, &seen, seen - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        body(data, (int64_t)not_begun(seen) - 1);
        if (__atomic_sub_fetch(&p->left, 1, __ATOMIC_SEQ_CST) == 0)
            wake_caller(p);
        seen = LOAD_ALL(p->ticket);
    }
}

static void sleep_until_work(tenon_pool *p) {
    pthread_mutex_lock(&p->lock);
    STORE_ALL(p->sleepers, LOAD(p->sleepers) + 1);
    while (not_begun(LOAD_ALL(p->ticket)) == 0 && !LOAD_ALL(p->stops))
        pthread_cond_wait(&p->work, &p->lock);
    STORE_ALL(p->sleepers, LOAD(p->sleepers) - 1);
    pthread_mutex_unlock(&p->lock);
}

static void *run_worker(void *of) {
    tenon_pool *p = (tenon_pool *)of;
    int spins = 0;
    while (!LOAD_ALL(p->stops)) {
        if (not_begun(LOAD_ALL(p->ticket)) > 0) {
            work(p);
            spins = 0;
        } else if (spins < SPINS) {
            pause_briefly();
            spins++;
        } else {
            sleep_until_work(p);
            spins = 0;
        }
    }
    return NULL;
}

static void wake_workers(tenon_pool *p) {
    if (LOAD_ALL(p->sleepers) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
}

/* Until the iterations that others have begun have ended. */
static void wait_for_others(tenon_pool *p) {
    for (int i = 0; i < SPINS; i++) {
        if (LOAD_ALL(p->left) == 0)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&p->lock);
    STORE_ALL(p->is_caller_asleep, 1);
    while (LOAD_ALL(p->left) != 0)
        pthread_cond_wait(&p->done, &p->lock);
    STORE_ALL(p->is_caller_asleep, 0);
    pthread_mutex_unlock(&p->lock);
}

/* At most UINT32_MAX iterations at a time. */
static void hand_out(tenon_pool *p, uint32_t n, void (*body)(void *data, int64_t i), void *data) {
    uint64_t number = (LOAD_ALL(p->ticket) >> 32) + 1;
    STORE(p->body, body);
    STORE(p->data, data);
    STORE(p->left, n);
    STORE_ALL(p->ticket, number << 32 | n);
    wake_workers(p);
    work(p);
    wait_for_others(p);
}

void tenon_pool_for(void *pool, int64_t n, void (*body)(void *data, int64_t i), void *data) {
    tenon_pool *p = (tenon_pool *)pool;
    if (p->n_workers == 0 || n < 2 || n > UINT32_MAX || __atomic_exchange_n(&p->is_busy, 1, __ATOMIC_SEQ_CST)) {
        for (int64_t i = 0; i < n; i++)
            body(data, i);
        return;
    }
    hand_out(p, (uint32_t)n, body, data);
    STORE_ALL(p->is_busy, 0);
}

/* Signals stay with the threads that the process had before. */
static void start_workers(tenon_pool *p, int n) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->n_workers < n && pthread_create(&p->workers[p->n_workers], NULL, run_worker, p) == 0)
        p->n_workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

tenon_pool *tenon_pool_new(int threads) {
    int n = threads > 1 ? threads - 1 : 0;
    tenon_pool *p = (tenon_pool *)calloc(1, sizeof *p);
    pthread_t *workers = (pthread_t *)calloc((size_t)n + 1, sizeof *workers);
    if (p == NULL || workers == NULL) {
        free(p);
        free(workers);
        return NULL;
    }
    p->workers = workers;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    start_workers(p, n);
    return p;
}

int tenon_pool_threads(const tenon_pool *p) {
    return p->n_workers + 1;
}

void tenon_pool_free(tenon_pool *p) {
    if (p == NULL)
        return;
    STORE_ALL(p->stops, 1);
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_workers; i++)
        pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->workers);
    free(p);
}
