/* tenon, the command: from an ONNX model to fast CPU code. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static tenon_status run_command(cli *c) {
    if (c->print_pipeline) {
        tenon_report *report;
        tenon_status s = tenon_pipeline(c->options, &report);
        return output_report(c, s, report);
    }
    return c->command->run(c);
}

static tenon_status start(cli *c, int argc, char **argv) {
    tenon_status s = tenon_options_new(c->context, &c->options);
    if (s == TENON_DONE)
        s = arguments_parse(c, argc, argv);
    if (s != TENON_DONE)
        return s;
    if (!c->version && !c->help)
        return run_command(c);
    if (c->version)
        printf("tenon %s\n", tenon_version());
    else if (c->command != NULL)
        help_command(c->command);
    else
        help_overview();
    return TENON_DONE;
}

/* SIGINT is kept back and looked for where work can stop (terminal_stop): nothing is half written, nothing is left
 * behind. */
static void hold_interrupts(sigset_t *interrupts) {
    sigemptyset(interrupts);
    sigaddset(interrupts, SIGINT);
    sigprocmask(SIG_BLOCK, interrupts, NULL);
}

/* Ends as an interrupted program does, so that a shell script stops too. */
static void end_by_interrupt(const sigset_t *interrupts) {
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);
    sigprocmask(SIG_UNBLOCK, interrupts, NULL);
}

static int finish_output(int code) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fputs("tenon: error[file]: stdout: cannot be written\n", stderr);
    return TENON_RESOURCE;
}

int main(int argc, char **argv) {
    cli c = {.color = terminal_wants_color("auto")};
    tenon_host host = {.struct_size = sizeof host,
                       .data = &c,
                       .stop = terminal_stop,
                       .progress = terminal_progress,
                       .note = terminal_note};
    sigset_t interrupts;
    hold_interrupts(&interrupts);
    external_run(argc, argv);
    tenon_status s = tenon_context_new(&host, &c.context);
    if (s != TENON_DONE) {
        fputs("tenon: error[out-of-memory]: out of memory\n", stderr);
        return (int)s;
    }
    s = start(&c, argc, argv);
    terminal_messages(&c);
    tenon_options_free(c.options);
    tenon_context_free(c.context);
    int code = finish_output((int)s);
    if (c.interrupted)
        end_by_interrupt(&interrupts);
    return code;
}
