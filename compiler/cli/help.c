/* Help texts, made from the tables of commands and options. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

void help_overview(void) {
    printf("tenon %s: from an ONNX model to fast CPU code\n\nusage: tenon COMMAND ...\n\n", tenon_version());
    for (size_t i = 0; command_table[i] != NULL; i++)
        printf("  %-8s  %s\n", command_table[i]->name, command_table[i]->summary);
    printf("  %-8s  %s\n", "NAME",
           "any other: the program tenon-NAME, beside tenon or in PATH; tenon sweep is Python's");
    printf("\ntenon COMMAND --help says more; tenon --version\n\n"
           "Exit status: 0 done; 1 outputs differ; 2 wrong usage; 3 a file is not valid; 4 valid, but not supported;\n"
           "5 the machine lacks something.\n");
}

static void print_option(const char *name, const char *argument, const char *help) {
    char text[64];
    const char *dashes = name[1] == '\0' ? "-" : "--";
    snprintf(text, sizeof text, "%s%s%s%s", dashes, name, argument != NULL && argument[0] != '[' ? " " : "",
             argument != NULL ? argument : "");
    printf("  %-26s  %s\n", text, help);
}

static void print_options(const command *m, bool common) {
    const unsigned all =
        TENON_COMPILE | TENON_RUN | TENON_CHECK | TENON_BENCH | TENON_EVAL | TENON_INSPECT | TENON_DIFF | TENON_DRAW;
    for (size_t i = 0; tenon_option_at(i) != NULL; i++) {
        const tenon_option_info *o = tenon_option_at(i);
        if ((o->commands & m->id) != 0 && ((o->commands & all) == all) == common)
            print_option(o->name, o->argument, o->help);
    }
}

void help_command(const command *m) {
    printf("usage: tenon %s%s%s%s\n\n%s\n", m->name, *m->arguments != '\0' ? " " : "", m->arguments,
           m->id != 0 ? " [OPTION...]" : "", m->summary);
    if (m->details != NULL)
        printf("\n%s\n", m->details);
    printf("\nOptions:\n");
    print_options(m, false);
    if ((m->flags & FLAG_OUTPUT) != 0)
        print_option("o", "OUT", "where to write");
    if ((m->flags & FLAG_DRAW) != 0)
        print_option("diff", "OTHER", "what has gone, come and changed since the model OTHER, in one picture");
    if ((m->flags & FLAG_PLUGIN) != 0) {
        print_option("check", "FILE.so", "looks for what is wrong with a plugin");
        print_option("test", "FILE.so", "runs the plugin on the cases *.graph of the folder DIR");
        print_option("new", "NAME", "writes a plugin of this name, ready to be changed, into the folder DIR");
    }
    if ((m->flags & FLAG_SUITE) != 0)
        print_option("suite", "DIR", "checks every model.onnx below the folder; --json FILE writes the JSON there");
    if ((m->flags & FLAG_JSON) != 0)
        print_option("json", NULL, "one JSON object on stdout, and nothing else there");
    print_options(m, true);
    if ((m->flags & FLAG_PIPELINE) != 0)
        print_option("print-pipeline", NULL, "prints the stages and passes, and ends");
    print_option("color", "WHEN", "auto, always or never");
    print_option("help", NULL, "this text");
    printf("\nExamples:\n%s\n", m->examples);
}
