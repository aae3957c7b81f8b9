/* What is said on stderr: messages, notes, progress; and the look for Ctrl-C. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

bool terminal_wants_color(const char *choice) {
    if (strcmp(choice, "auto") != 0)
        return strcmp(choice, "always") == 0;
    const char *terminal = getenv("TERM"), *without = getenv("NO_COLOR");
    return isatty(STDERR_FILENO) && (without == NULL || *without == '\0') && terminal != NULL &&
           strcmp(terminal, "dumb") != 0;
}

int terminal_stop(void *data) {
    cli *c = data;
    sigset_t interrupts;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    if (sigtimedwait(&interrupts, NULL, &(struct timespec){0, 0}) == SIGINT)
        c->interrupted = true;
    return c->interrupted;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void terminal_progress(void *data, const char *what, int64_t done, int64_t total) {
    cli *c = data;
    const double often = 0.1;
    if (!isatty(STDERR_FILENO) || now() - c->progress_at < often)
        return;
    c->progress_at = now();
    c->has_progress = true;
    char bar[] = "------------------------------";
    const int64_t width = (int64_t)sizeof bar - 1;
    for (int64_t i = 0; total > 0 && i < width && i * total < done * width; i++)
        bar[i] = '#';
    if (total > 0)
        fprintf(stderr, "\r%s [%s] %lld of %lld\033[K", what, bar, (long long)done, (long long)total);
    else
        fprintf(stderr, "\r%s %lld\033[K", what, (long long)done);
    fflush(stderr);
}

void terminal_clear_progress(cli *c) {
    if (c->has_progress)
        fputs("\r\033[K", stderr);
    c->has_progress = false;
}

void terminal_note(void *data, const char *text) {
    terminal_clear_progress(data);
    fputs(text, stderr);
}

/* "error[id]:" in red, "warning[id]:" in magenta. */
static void print_colored(const char *line) {
    const char *mark = strstr(line, "error["), *end;
    const char *color = "\033[1;31m";
    if (mark == NULL) {
        mark = strstr(line, "warning[");
        color = "\033[1;35m";
    }
    if (mark == NULL || (end = strstr(mark, "]:")) == NULL) {
        fprintf(stderr, "%s\n", line);
        return;
    }
    end += strlen("]:");
    fprintf(stderr, "%.*s%s%.*s\033[0m%s\n", (int)(mark - line), line, color, (int)(end - mark), mark, end);
}

void terminal_messages(cli *c) {
    terminal_clear_progress(c);
    fflush(stdout);
    for (size_t i = 0; i < tenon_message_count(c->context); i++) {
        const char *line = tenon_message(c->context, i);
        if (c->color)
            print_colored(line);
        else
            fprintf(stderr, "%s\n", line);
    }
    tenon_messages_clear(c->context);
}
