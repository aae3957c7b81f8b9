/* Processes that may crash, hang or be ended: started fresh, never forked, waited for with a deadline, always reaped.
 */
#ifndef TENON_BASE_PROCESS_H
#define TENON_BASE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The number that the first descriptor handed to a process has there; the others follow. */
#define PROCESS_FIRST_FD 3

typedef struct process {
    pid_t id;        /* 0: none */
    int watch;       /* a descriptor that is readable once it has ended; -1 where the kernel has none */
    double deadline; /* of process_now */
} process;

typedef enum process_fate { PROCESS_EXITED, PROCESS_SIGNALLED, PROCESS_LATE } process_fate;

/* How one has ended. */
typedef struct process_end {
    process_fate fate;
    int code; /* the exit status, or the signal */
} process_end;

/* Seconds of a clock that never goes back. */
double process_now(void);
/* Starts the program words[0] (a path; words end with NULL) in a process group of its own: no input, stdout goes to
 * stderr, the descriptors `fds` are PROCESS_FIRST_FD and on, every other is closed; signals are as a program expects
 * them. 0, or an errno. */
int process_start(process *p, char *const *words, const int *fds, size_t n_fds, double seconds);
/* Waits at most `milliseconds` until one of the n has ended, or is late, which ends it. The index of that one, which
 * has been reaped and all of its group with it; -1: none yet. */
int process_wait_any(process *list, size_t n, int milliseconds, process_end *out);
/* Ends and reaps it with its group. */
void process_kill(process *p);

/* For the process itself, first of all: it ends when `parent`, which started it, does. False where that is gone
 * already. */
bool process_follow(pid_t parent);
/* For the process itself: the most memory it may have (0: any), and no core files. */
void process_limit(size_t bytes);

#endif
