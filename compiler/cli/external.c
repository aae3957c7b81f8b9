/* Commands that tenon does not have itself: programs tenon-NAME, beside this one or in PATH, as git has them. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { LONGEST = 4096 };

static bool is_name(const char *word) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    return *word != '\0' && *word != '-' && strlen(word) < 64 && word[strspn(word, letters)] == '\0';
}

static bool is_own(const char *word) {
    for (size_t i = 0; command_table[i] != NULL; i++)
        if (strcmp(command_table[i]->name, word) == 0)
            return true;
    return strcmp(word, "help") == 0;
}

/* The program beside this one, "" where that cannot be told. */
static void beside(const char *program, char *path, size_t n) {
    ssize_t length = readlink("/proc/self/exe", path, n);
    path[length > 0 && (size_t)length < n ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    size_t folder = slash != NULL ? (size_t)(slash - path) + 1 : 0;
    if (folder == 0 || folder + strlen(program) >= n)
        path[0] = '\0';
    else
        memcpy(path + folder, program, strlen(program) + 1);
}

void external_run(int argc, char **argv) {
    char program[80], path[LONGEST];
    sigset_t interrupts;
    if (argc < 2 || !is_name(argv[1]) || is_own(argv[1]))
        return;
    snprintf(program, sizeof program, "tenon-%s", argv[1]);
    beside(program, path, sizeof path);
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    sigprocmask(SIG_UNBLOCK, &interrupts, NULL);
    execv(path, argv + 1);
    execvp(program, argv + 1);
    sigprocmask(SIG_BLOCK, &interrupts, NULL);
}
