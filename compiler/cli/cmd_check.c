/* tenon check */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static tenon_status needs(cli *c, const char *problem) {
    char note[160];
    snprintf(note, sizeof note, "usage: tenon %s %s", c->command->name, c->command->arguments);
    return tenon_fail(c->context, TENON_USAGE, "usage", note, "%s", problem);
}

static tenon_status write_json(cli *c, const char *file, const tenon_report *report) {
    FILE *out = fopen(file, "w");
    bool written = out != NULL && fputs(tenon_report_json(report), out) >= 0;
    int error = errno;
    if (out != NULL && fclose(out) != 0 && written) {
        written = false;
        error = errno;
    }
    return written ? TENON_DONE
                   : tenon_fail(c->context, TENON_RESOURCE, "file", NULL, "--json %s: cannot be written: %s", file,
                                strerror(error));
}

/* The only word that there may be is the one behind --json. */
static tenon_status check_suite(cli *c) {
    tenon_report *report = NULL;
    const char *file = c->n_words == 1 && c->words[0] == c->after_json ? c->after_json : NULL;
    if (c->n_words > (file != NULL))
        return needs(c, "with --suite there is no MODEL and no DATA_DIR");
    tenon_status s = tenon_check_suite(c->options, c->suite, &report);
    if (file == NULL || strcmp(file, "-") == 0 || report == NULL)
        return output_report(c, s, report);
    tenon_status written = write_json(c, file, report);
    c->json = false;
    output_report(c, s, report);
    return written != TENON_DONE ? written : s;
}

static tenon_status run(cli *c) {
    tenon_graph *graph = NULL;
    tenon_report *report = NULL;
    if (c->suite != NULL)
        return check_suite(c);
    if (c->n_words < 2)
        return needs(c, "'check' needs more: MODEL DATA_DIR..., or --suite DIR");
    tenon_status s = tenon_graph_open(c->context, c->words[0], c->options, &graph);
    if (s == TENON_DONE)
        s = tenon_check(graph, (const char *const *)c->words + 1, (size_t)c->n_words - 1, &report);
    tenon_graph_free(graph);
    return output_report(c, s, report);
}

const command command_check = {
    .name = "check",
    .arguments = "MODEL DATA_DIR... | --suite DIR [--json FILE]",
    .summary = "runs ONNX test data and compares the outputs",
    .details = "A DATA_DIR holds input_0.pb, ..., output_0.pb, ..., or folders test_data_set_0, ... that do. An "
               "element passes within\n"
               "atol + rtol * |expected|, an integer within --steps, too. Exit status 1 where one does not.\n"
               "MODEL may also be a .so that tenon compile --emit shared has written.\n"
               "--suite takes every model.onnx below DIR with the data sets beside it, several at once, each in a "
               "process that may crash or\n"
               "hang (--isolate=LIMITS; 60 seconds, 2048 MiB), and counts by operator what passes. Its tolerances are "
               "those of the ONNX\n"
               "project: rtol 1e-3, for bfloat16 2^-6, atol 1e-7. Exit status 1 where a case fails, is not valid, "
               "crashes or hangs; else 4\n"
               "where one is not supported.",
    .examples = "  tenon check mnist/model.onnx mnist\n"
                "  tenon check bert/model.onnx bert/test_data_set_0 --backend all\n"
                "  tenon check bert/model.onnx bert --backend interp --schedule naive --rtol 1e-5\n"
                "  tenon check --suite models --backend interp --json results.json",
    .id = TENON_CHECK,
    .flags = FLAG_JSON | FLAG_PIPELINE | FLAG_SUITE,
    .least = 0,
    .most = INT_MAX,
    .run = run,
};
