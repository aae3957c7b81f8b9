/* tenon doctor */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_report *report = NULL;
    tenon_status s = tenon_doctor(c->context, &report);
    return output_report(c, s, report);
}

const command command_doctor = {
    .name = "doctor",
    .arguments = "",
    .summary = "says what this machine has, what is missing and how to get it",
    .examples = "  tenon doctor",
    .flags = FLAG_JSON,
    .least = 0,
    .most = 0,
    .run = run,
};
