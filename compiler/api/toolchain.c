/* Running the C compiler and the archiver. */
#include "api/toolchain.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "frontend/mapped_file.h"

extern char **environ;

typedef struct tool_row {
    const char *variable, *otherwise, *what;
    const char *missing, *failed; /* diagnostics */
    const char *cross;            /* what it is called for another machine, after that */
} tool_row;

static const tool_row tools[TOOL_COUNT] = {
    [TOOL_CC] = {"CC", "cc", "C compiler", "no-compiler", "compiler-failed", "gcc"},
    [TOOL_AR] = {"AR", "ar", "archiver", "no-archiver", "archiver-failed", "ar"},
};

typedef struct tool_call {
    tenon_context *c;
    const tool_row *row;
    const target *t;
    arena *memory; /* of this call */
    VEC(char *) words;
} tool_call;

static status add_word(tool_call *k, const char *word) {
    char *copy = arena_strdup(k->memory, word);
    TRY_ALLOC(copy);
    return VEC_PUSH(k->memory, k->words, copy);
}

static const char *setting(const tool_row *row) {
    const char *given = getenv(row->variable);
    return given != NULL && given[strspn(given, " ")] != '\0' ? given : row->otherwise;
}

/* It may be several words: "ccache gcc". A relative path is good only here, not in the folder where it will run. */
static status add_program(tool_call *k) {
    char *rest = arena_strdup(k->memory, setting(k->row));
    TRY_ALLOC(rest);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (*word != '\0')
            TRY(add_word(k, word));
    char absolute[PATH_MAX];
    if (strchr(k->words.at[0], '/') != NULL && realpath(k->words.at[0], absolute) != NULL)
        TRY_ALLOC(k->words.at[0] = arena_strdup(k->memory, absolute));
    return STATUS_OK;
}

/* ---- starting it ---- */

static int set_actions(posix_spawn_file_actions_t *actions, const char *folder) {
    int error = posix_spawn_file_actions_addchdir_np(actions, folder);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(actions, 1, "log", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (error == 0)
        error = posix_spawn_file_actions_adddup2(actions, 1, 2);
    return error;
}

/* With its messages in the file "log", and with signals as a program expects them. */
static int spawn(pid_t *child, char **words, const char *folder) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t nothing;
    sigemptyset(&nothing);
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    if ((error = posix_spawnattr_init(&attributes)) == 0) {
        posix_spawnattr_setsigmask(&attributes, &nothing);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        error = set_actions(&actions, folder);
        if (error == 0)
            error = posix_spawnp(child, words[0], &actions, &attributes, words, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* ---- what went wrong ---- */

/* The first line that the program wrote. */
static const char *first_line(const char *folder, arena *a) {
    mapped_file file;
    const char *why, *log = arena_printf(a, "%s/log", folder);
    if (log == NULL || mapped_file_open(a, log, &file, &why) != STATUS_OK || file.n == 0)
        return "it says nothing";
    const uint8_t *end = memchr(file.bytes, '\n', file.n);
    const char *line = arena_strndup(a, (const char *)file.bytes, end != NULL ? (size_t)(end - file.bytes) : file.n);
    return line != NULL ? line : "";
}

/* For another machine the usual program is the wrong one. */
static void note_machine(const tool_call *k) {
    if (!target_runs_here(k->t))
        diag_note(k->c->diags,
                  "target '%s' is another machine: set %s to a %s for it, as aarch64-linux-gnu-%s is for aarch64",
                  k->t->name, k->row->variable, k->row->what, k->row->cross);
}

static status fail_to_start(const tool_call *k, int error) {
    diag_error(k->c->diags, STATUS_RESOURCE, k->row->missing, DIAG_NOWHERE, "cannot start the %s '%s': %s",
               k->row->what, k->words.at[0], strerror(error));
    diag_note(k->c->diags, "set %s to one that this machine has", k->row->variable);
    note_machine(k);
    return STATUS_RESOURCE;
}

static status fail(const tool_call *k, const char *folder) {
    diag_error(k->c->diags, STATUS_RESOURCE, k->row->failed, DIAG_NOWHERE, "the %s '%s' refused the generated code",
               k->row->what, k->words.at[0]);
    diag_note(k->c->diags, "%s", first_line(folder, k->memory));
    note_machine(k);
    return STATUS_RESOURCE;
}

static status call(tool_call *k, const char *folder, const char *const *words) {
    TRY(add_program(k));
    for (; *words != NULL; words++)
        TRY(add_word(k, *words));
    TRY(VEC_PUSH(k->memory, k->words, NULL));
    pid_t child;
    int error = spawn(&child, k->words.at, folder), outcome = 0;
    if (error != 0)
        return fail_to_start(k, error);
    while (waitpid(child, &outcome, 0) < 0 && errno == EINTR)
        ;
    TRY(context_check_stop(k->c));
    return outcome == 0 ? STATUS_OK : fail(k, folder);
}

status toolchain_run(tenon_context *c, tool which, const target *t, const char *folder, const char *const *words) {
    tool_call k = {.c = c, .row = &tools[which], .t = t, .memory = arena_new(&c->memory)};
    TRY_ALLOC(k.memory);
    status s = call(&k, folder, words);
    arena_free(k.memory);
    return s;
}

const char *toolchain_program(tool which, arena *a) {
    const char *text = setting(&tools[which]);
    text += strspn(text, " ");
    return arena_strndup(a, text, strcspn(text, " "));
}
