/* SPDX-License-Identifier: MIT-0
 *
 * The pool of tenon/pool.h. Each thread has a share of a loop's iterations, the same in every loop of that many, so
 * that what it has written is in its core's cache when the next loop reads it; who has done its own helps the others.
 * A share is one word: the loop's number, and how many of the share's iterations nobody has begun. Whoever takes one
 * counts the word down by compare and exchange. That succeeds only while the loop is the one that was seen before, so
 * what has been read of it (body, data) is of that loop: the next one is not handed out while an iteration of this one
 * is left.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include "tenon/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* How long a thread waits busily before it sleeps, in nanoseconds: to be woken can take longer than most loops do. */
#define BUSY 300000

/* On a cache line of its own. */
typedef struct share {
    uint64_t ticket; /* number of the loop << 32 | iterations that nobody has begun */
    char unused[120];
} share;

struct tenon_pool {
    share *shares; /* by thread; 0: the caller's */
    void (*body)(void *data, int64_t i);
    void *data;
    uint32_t n;    /* iterations */
    uint32_t left; /* those that have not ended */
    uint32_t number;
    int is_busy; /* a caller has the pool */
    int stops;
    int sleepers; /* workers that sleep */
    int is_caller_asleep;
    int n_workers;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct worker *workers;
};

typedef struct worker {
    tenon_pool *pool;
    int index; /* of its share */
    pthread_t thread;
} worker;

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

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Waits a moment. False when it is time to sleep; *since is when the waiting began, 0 at first. */
static int wait_busily(int64_t *since) {
    for (int i = 0; i < 8; i++)
        pause_briefly();
    if (*since == 0)
        *since = now();
    return now() - *since < BUSY;
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

/* The first iteration of a thread's share. */
static int64_t first_of(const tenon_pool *p, int64_t n, int index) {
    return n * index / (p->n_workers + 1);
}

/* Runs iterations of a share, as long as there are some. */
static void empty(tenon_pool *p, int index) {
    uint64_t *ticket = &p->shares[index].ticket, seen = LOAD_ALL(*ticket);
    while (not_begun(seen) > 0) {
        void (*body)(void *data, int64_t i) = LOAD(p->body);
        void *data = LOAD(p->data);
        int64_t end = first_of(p, LOAD(p->n), index + 1);
        if (!__atomic_compare_exchange_n(ticket, &seen, seen - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            continue;
        body(data, end - not_begun(seen));
        if (__atomic_sub_fetch(&p->left, 1, __ATOMIC_SEQ_CST) == 0)
            wake_caller(p);
        seen = LOAD_ALL(*ticket);
    }
}

static int has_work(tenon_pool *p) {
    for (int i = 0; i <= p->n_workers; i++)
        if (not_begun(LOAD_ALL(p->shares[i].ticket)) > 0)
            return 1;
    return 0;
}

/* A thread's own share first. */
static void work(tenon_pool *p, int index) {
    for (int i = 0; i <= p->n_workers; i++)
        empty(p, (index + i) % (p->n_workers + 1));
}

static void sleep_until_work(tenon_pool *p) {
    pthread_mutex_lock(&p->lock);
    STORE_ALL(p->sleepers, LOAD(p->sleepers) + 1);
    while (!has_work(p) && !LOAD_ALL(p->stops))
        pthread_cond_wait(&p->work, &p->lock);
    STORE_ALL(p->sleepers, LOAD(p->sleepers) - 1);
    pthread_mutex_unlock(&p->lock);
}

static void *run_worker(void *of) {
    const worker *w = (const worker *)of;
    tenon_pool *p = w->pool;
    int64_t since = 0;
    pthread_mutex_lock(&p->lock);
    pthread_mutex_unlock(&p->lock);
    while (!LOAD_ALL(p->stops)) {
        if (has_work(p)) {
            work(p, w->index);
            since = 0;
        } else if (!wait_busily(&since)) {
            sleep_until_work(p);
            since = 0;
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
    int64_t since = 0;
    for (int busily = 1; busily; busily = wait_busily(&since))
        if (LOAD_ALL(p->left) == 0)
            return;
    pthread_mutex_lock(&p->lock);
    STORE_ALL(p->is_caller_asleep, 1);
    while (LOAD_ALL(p->left) != 0)
        pthread_cond_wait(&p->done, &p->lock);
    STORE_ALL(p->is_caller_asleep, 0);
    pthread_mutex_unlock(&p->lock);
}

/* At most UINT32_MAX iterations at a time. */
static void hand_out(tenon_pool *p, uint32_t n, void (*body)(void *data, int64_t i), void *data) {
    STORE(p->body, body);
    STORE(p->data, data);
    STORE(p->n, n);
    STORE(p->left, n);
    p->number++;
    for (int i = p->n_workers; i >= 0; i--) {
        uint64_t own = (uint64_t)(first_of(p, n, i + 1) - first_of(p, n, i));
        STORE_ALL(p->shares[i].ticket, (uint64_t)p->number << 32 | own);
    }
    wake_workers(p);
    work(p, 0);
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

/* Signals stay with the threads that the process had before. Workers begin when it is known how many they are. */
static void start_workers(tenon_pool *p, int n) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&p->lock);
    for (int started = 1; started && p->n_workers < n;) {
        worker *w = &p->workers[p->n_workers];
        w->pool = p;
        w->index = p->n_workers + 1;
        started = pthread_create(&w->thread, NULL, run_worker, w) == 0;
        p->n_workers += started;
    }
    pthread_mutex_unlock(&p->lock);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void free_memory(tenon_pool *p) {
    free(p->shares);
    free(p->workers);
    free(p);
}

tenon_pool *tenon_pool_new(int threads) {
    int n = threads > 1 ? threads - 1 : 0;
    tenon_pool *p = (tenon_pool *)calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    p->shares = (share *)calloc((size_t)n + 1, sizeof *p->shares);
    p->workers = (worker *)calloc((size_t)n + 1, sizeof *p->workers);
    if (p->shares == NULL || p->workers == NULL) {
        free_memory(p);
        return NULL;
    }
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
        pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free_memory(p);
}
