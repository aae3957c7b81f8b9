/* tenon passes */
#include "cli.h"

static tenon_status run(cli *c) {
    tenon_report *report = NULL;
    tenon_status s = tenon_passes(c->options, c->n_words > 0 ? c->words[0] : NULL, &report);
    return output_report(c, s, report);
}

const command command_passes = {
    .name = "passes",
    .arguments = "[NAME]",
    .summary = "lists the passes over a model, or explains one with its options",
    .details = "Built-in passes, and those of plugins: of --plugin FILE.so, of the folders in TENON_PLUGIN_PATH, and "
               "of the folder\n"
               "tenon/plugins beside the library.",
    .examples = "  tenon passes\n"
                "  tenon passes input\n"
                "  tenon passes --plugin ./my_pass.so my-pass --json",
    .id = TENON_PASSES,
    .flags = FLAG_JSON,
    .least = 0,
    .most = 1,
    .run = run,
};
