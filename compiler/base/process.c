/* Starting processes, waiting for them, and ending them. */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FDS = 4, MOST_POLLED = 64, SLICE_MS = 5 };

extern char **environ;

double process_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- starting ---- */

/* What is handed over moves out of the way of the numbers that it gets. */
static int add_descriptors(posix_spawn_file_actions_t *actions, const int *high, size_t n) {
    int error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
    for (size_t i = 0; i < n && error == 0; i++)
        error = posix_spawn_file_actions_adddup2(actions, high[i], PROCESS_FIRST_FD + (int)i);
    return error == 0 ? posix_spawn_file_actions_addclosefrom_np(actions, PROCESS_FIRST_FD + (int)n) : error;
}

static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn(process *p, char *const *words, const int *high, size_t n) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        error = set_attributes(&attributes);
        if (error == 0)
            error = add_descriptors(&actions, high, n);
        if (error == 0)
            error = posix_spawn(&p->id, words[0], &actions, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int process_start(process *p, char *const *words, const int *fds, size_t n_fds, double seconds) {
    int high[MOST_FDS] = {-1, -1, -1, -1}, error = n_fds > MOST_FDS ? EINVAL : 0;
    *p = (process){.watch = -1};
    for (size_t i = 0; i < n_fds && error == 0; i++)
        if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, PROCESS_FIRST_FD + MOST_FDS)) < 0)
            error = errno;
    if (error == 0)
        error = spawn(p, words, high, n_fds);
    for (size_t i = 0; i < MOST_FDS; i++)
        if (high[i] >= 0)
            close(high[i]);
    if (error != 0) {
        p->id = 0;
        return error;
    }
    p->watch = pidfd_open(p->id, 0);
    p->deadline = process_now() + seconds;
    return 0;
}

/* ---- ending ---- */

/* The group goes first: until the process is reaped, nobody else can have its number. */
static process_end reap(process *p, process_fate fate) {
    process_end end = {fate, 0};
    siginfo_t info = {.si_pid = 0};
    kill(-p->id, SIGKILL);
    kill(p->id, SIGKILL);
    while (waitid(P_PID, (id_t)p->id, &info, WEXITED) != 0 && errno == EINTR)
        ;
    if (fate != PROCESS_LATE && info.si_pid == p->id) {
        end.fate = info.si_code == CLD_EXITED ? PROCESS_EXITED : PROCESS_SIGNALLED;
        end.code = info.si_status;
    }
    if (p->watch >= 0)
        close(p->watch);
    *p = (process){.watch = -1};
    return end;
}

void process_kill(process *p) {
    if (p->id != 0)
        reap(p, PROCESS_LATE);
}

/* An error means that somebody else has reaped it: SIGCHLD is ignored in this program. */
static bool has_ended(const process *p) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)p->id, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ? errno == ECHILD : info.si_pid != 0;
}

static int find_ended(process *list, size_t n, process_end *out) {
    for (size_t i = 0; i < n; i++) {
        if (list[i].id == 0)
            continue;
        bool ended = has_ended(&list[i]);
        if (!ended && process_now() < list[i].deadline)
            continue;
        *out = reap(&list[i], ended ? PROCESS_EXITED : PROCESS_LATE);
        return (int)i;
    }
    return -1;
}

/* Sleeps until something may have happened. */
static void sleep_until_news(const process *list, size_t n, double until) {
    struct pollfd polled[MOST_POLLED];
    nfds_t n_polled = 0;
    bool all = true;
    for (size_t i = 0; i < n; i++) {
        if (list[i].id == 0)
            continue;
        until = list[i].deadline < until ? list[i].deadline : until;
        if (list[i].watch >= 0 && n_polled < MOST_POLLED)
            polled[n_polled++] = (struct pollfd){.fd = list[i].watch, .events = POLLIN};
        else
            all = false;
    }
    double left = (until - process_now()) * 1e3;
    int milliseconds = left <= 0 ? 0 : left > 1e6 ? 1000000 : (int)left + 1;
    poll(polled, n_polled, !all && milliseconds > SLICE_MS ? SLICE_MS : milliseconds);
}

int process_wait_any(process *list, size_t n, int milliseconds, process_end *out) {
    double until = process_now() + milliseconds * 1e-3;
    for (;;) {
        int found = find_ended(list, n, out);
        if (found >= 0 || process_now() >= until)
            return found;
        sleep_until_news(list, n, until);
    }
}

/* ---- inside ---- */

bool process_follow(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return getppid() == parent;
}

void process_limit(size_t bytes) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (bytes > 0)
        setrlimit(RLIMIT_DATA, &(struct rlimit){bytes, bytes});
}
