/* tenon ops */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_report *report = NULL;
    tenon_status s = tenon_operators(c->context, c->n_words > 0 ? c->words[0] : NULL, &report);
    return output_report(c, s, report);
}

const command command_ops = {
    .name = "ops",
    .arguments = "[NAME]",
    .summary = "lists every operator with its opset versions and element types",
    .examples = "  tenon ops\n"
                "  tenon ops Conv --json",
    .flags = FLAG_JSON,
    .least = 0,
    .most = 1,
    .run = run,
};
