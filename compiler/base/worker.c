/* Starting workers, and saying what became of them. */
#include "base/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Address sanitizers reserve far more memory than any limit. */
#if defined(__SANITIZE_ADDRESS__)
#define MAY_LIMIT_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MAY_LIMIT_MEMORY 0
#endif
#endif
#ifndef MAY_LIMIT_MEMORY
#define MAY_LIMIT_MEMORY 1
#endif

/* How long the host looks away between two looks for Ctrl-C. */
enum { LOOK_MS = 50 };

int worker_start(const worker_setup *w, const char *job, const parcel *request, const parcel *answer, process *out) {
    char parent[24], bytes[24];
    snprintf(parent, sizeof parent, "%lld", (long long)getpid());
    snprintf(bytes, sizeof bytes, "%zu", w->bytes);
    char *words[] = {(char *)(uintptr_t)w->program, (char *)(uintptr_t)job, parent, bytes, NULL};
    return process_start(out, words, (const int[]){request->fd, answer->fd}, 2, w->seconds);
}

static const char *say_refused(const worker_setup *w, uint64_t refused, arena *a) {
    return arena_printf(a, "its limit of %zu MiB of memory refused it %llu more bytes", w->bytes >> 20,
                        (unsigned long long)refused);
}

static const char *say_signal(int signal, arena *a) {
    const char *name = strsignal(signal);
    return arena_printf(a, "crashed: signal %d (%s)", signal, name != NULL ? name : "unknown");
}

static worker_outcome judge_crash(const worker_setup *w, const char *what, uint64_t refused, arena *a) {
    if (refused == 0)
        return (worker_outcome){WORKER_CRASHED, 0, what};
    const char *why = say_refused(w, refused, a);
    return (worker_outcome){WORKER_OUT_OF_MEMORY, refused, arena_printf(a, "%s; %s", what, why)};
}

worker_outcome worker_judge(const worker_setup *w, process_end end, const parcel *answer, arena *a) {
    parcel_head head = parcel_read_head(answer);
    if (end.fate == PROCESS_LATE)
        return (worker_outcome){WORKER_LATE, head.refused,
                                arena_printf(a, "was not done after %g seconds", w->seconds)};
    if (end.fate == PROCESS_SIGNALLED)
        return judge_crash(w, say_signal(end.code, a), head.refused, a);
    if (head.text_at != 0 && end.code == 0)
        return (worker_outcome){WORKER_ANSWERED, head.refused, NULL};
    return judge_crash(w, arena_printf(a, "ended its process, with status %d, before it was done", end.code),
                       head.refused, a);
}

worker_outcome worker_call(const worker_setup *w, const char *job, const parcel *request, const parcel *answer,
                           arena *a) {
    process p;
    process_end end;
    int error = worker_start(w, job, request, answer, &p);
    if (error != 0)
        return (worker_outcome){WORKER_NOT_STARTED, 0,
                                arena_printf(a, "%s cannot be started: %s", w->program, strerror(error))};
    while (process_wait_any(&p, 1, LOOK_MS, &end) < 0) {
        if (w->check_stop == NULL || w->check_stop(w->ctx) == STATUS_OK)
            continue;
        process_kill(&p);
        return (worker_outcome){WORKER_STOPPED, 0, NULL};
    }
    return worker_judge(w, end, answer, a);
}

const char *worker_enter(int argc, char **argv) {
    if (argc != 4 || !process_follow((pid_t)strtoll(argv[2], NULL, 10)))
        return NULL;
    process_limit(MAY_LIMIT_MEMORY ? (size_t)strtoull(argv[3], NULL, 10) : 0);
    return argv[1];
}
