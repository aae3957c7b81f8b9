/* Worker processes: work that may crash, hang or run out of memory is done by a fresh lib/tenon/tenon-worker. A request
 * goes there as a parcel, an answer comes back as one.
 */
#ifndef TENON_BASE_WORKER_H
#define TENON_BASE_WORKER_H

#include "base/parcel.h"
#include "base/process.h"

/* What the worker has as descriptors. */
#define WORKER_REQUEST_FD PROCESS_FIRST_FD
#define WORKER_ANSWER_FD (PROCESS_FIRST_FD + 1)

/* How workers are started. */
typedef struct worker_setup {
    const char *program;
    double seconds;
    size_t bytes;                    /* of memory, besides what is shared; 0: any */
    status (*check_stop)(void *ctx); /* other than STATUS_OK ends the work; may be NULL */
    void *ctx;
} worker_setup;

typedef enum worker_fate {
    WORKER_ANSWERED,
    WORKER_CRASHED, /* or ended without an answer */
    WORKER_LATE,
    WORKER_OUT_OF_MEMORY, /* it crashed after its limit had refused it memory */
    WORKER_STOPPED,       /* by check_stop */
    WORKER_NOT_STARTED
} worker_fate;

typedef struct worker_outcome {
    worker_fate fate;
    uint64_t refused; /* bytes that the limit refused it, also where it answered; 0: nothing */
    const char
        *what; /* "crashed: signal 11 (Segmentation fault)", in the arena; NULL where it answered or was stopped */
} worker_outcome;

/* Starts one on `job`. An errno, or 0. A pool waits with process_wait_any. */
int worker_start(const worker_setup *w, const char *job, const parcel *request, const parcel *answer, process *out);
/* What came of a worker that has ended so. */
worker_outcome worker_judge(const worker_setup *w, process_end end, const parcel *answer, arena *a);
/* Starts one and waits for it. */
worker_outcome worker_call(const worker_setup *w, const char *job, const parcel *request, const parcel *answer,
                           arena *a);

/* Inside of the worker, first of all: reads its arguments, limits itself. The job; NULL where it was not started by
 * worker_start. */
const char *worker_enter(int argc, char **argv);

#endif
