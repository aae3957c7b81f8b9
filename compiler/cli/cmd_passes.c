/* tenon passes */
#include "cli.h"

static tenon_status test(cli *c) {
    tenon_report *report = NULL;
    if (c->n_words != 1)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "--test %s needs DIR, a folder of *.graph", c->test);
    tenon_status s = tenon_passes_test(c->options, c->test, c->words[0], &report);
    return output_report(c, s, report);
}

static tenon_status check(cli *c) {
    tenon_report *report = NULL;
    tenon_status s = tenon_passes_check(c->options, c->check, &report);
    return output_report(c, s, report);
}

static tenon_status new_plugin(cli *c) {
    tenon_report *report = NULL;
    if (c->n_words != 1)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "--new %s needs DIR, the folder to write",
                          c->new_plugin);
    tenon_status s = tenon_passes_new(c->context, c->new_plugin, c->words[0], &report);
    return output_report(c, s, report);
}

static tenon_status run(cli *c) {
    tenon_report *report = NULL;
    if (c->check != NULL)
        return check(c);
    if (c->test != NULL)
        return test(c);
    if (c->new_plugin != NULL)
        return new_plugin(c);
    tenon_status s = tenon_passes(c->options, c->n_words > 0 ? c->words[0] : NULL, &report);
    return output_report(c, s, report);
}

const command command_passes = {
    .name = "passes",
    .arguments = "[NAME] | --new NAME DIR | --test FILE.so DIR | --check FILE.so",
    .summary = "lists the passes over a model, or explains one with its options",
    .details = "Built-in passes, and those of plugins: of --plugin FILE.so, of the folders in TENON_PLUGIN_PATH, and "
               "of the folder\n"
               "tenon/plugins beside the library.\n"
               "--test runs a plugin on small graphs. Each file has a line \"# pass: NAME[:ITEMS]\", a graph as --emit "
               "graph prints it, a "
               "line ---,\nand the graph that it has to become; or a second line \"# error: ID\", and the pass has to "
               "fail so.\n"
               "--check loads, opens, closes and runs a plugin in processes of their own, and looks at its file: what "
               "plugin.h asks for\nand loading does not show.",
    .examples = "  tenon passes\n"
                "  tenon passes input\n"
                "  tenon passes --plugin ./my_pass.so my-pass --json\n"
                "  tenon passes --new my_pass my_pass && cmake -S my_pass -B build && cmake --build build && ctest "
                "--test-dir build\n"
                "  tenon passes --test ./my_pass.so tests\n"
                "  tenon passes --check ./my_pass.so",
    .id = TENON_PASSES,
    .flags = FLAG_JSON | FLAG_PLUGIN,
    .least = 0,
    .most = 1,
    .run = run,
};
