/* Command line arguments: commands, options with one or two dashes, words. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* The command's own options, beside those of tenon.h. */
typedef struct own_option {
    const char *name, *argument;
    unsigned flag; /* the command must have it; 0: all have it */
    tenon_status (*set)(cli *c, const char *value);
} own_option;

static tenon_status set_output(cli *c, const char *value) {
    c->output = value;
    return TENON_DONE;
}

static tenon_status set_test(cli *c, const char *value) {
    c->test = value;
    return TENON_DONE;
}

static tenon_status set_check(cli *c, const char *value) {
    c->check = value;
    return TENON_DONE;
}

static tenon_status set_new(cli *c, const char *value) {
    c->new_plugin = value;
    return TENON_DONE;
}

static tenon_status set_diff(cli *c, const char *value) {
    c->against = value;
    return TENON_DONE;
}

static tenon_status set_suite(cli *c, const char *value) {
    c->suite = value;
    return TENON_DONE;
}

static tenon_status set_json(cli *c, const char *value) {
    (void)value;
    c->json = true;
    c->after_json = c->next;
    return TENON_DONE;
}

static tenon_status set_help(cli *c, const char *value) {
    (void)value;
    c->help = true;
    return TENON_DONE;
}

static tenon_status set_version(cli *c, const char *value) {
    (void)value;
    c->version = true;
    return TENON_DONE;
}

static tenon_status set_pipeline(cli *c, const char *value) {
    (void)value;
    c->print_pipeline = true;
    return TENON_DONE;
}

static tenon_status set_color(cli *c, const char *value) {
    static const char *const choices[] = {"auto", "always", "never"};
    for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
        if (strcmp(choices[i], value) == 0) {
            c->color = terminal_wants_color(value);
            return TENON_DONE;
        }
    }
    return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "--color %s: there are auto, always, never", value);
}

static const own_option own_options[] = {
    {"o", "OUT", FLAG_OUTPUT, set_output},
    {"check", "FILE.so", FLAG_PLUGIN, set_check},
    {"test", "FILE.so", FLAG_PLUGIN, set_test},
    {"new", "NAME", FLAG_PLUGIN, set_new},
    {"diff", "OTHER", FLAG_DRAW, set_diff},
    {"suite", "DIR", FLAG_SUITE, set_suite},
    {"json", NULL, FLAG_JSON, set_json},
    {"print-pipeline", NULL, FLAG_PIPELINE, set_pipeline},
    {"color", "WHEN", 0, set_color},
    {"help", NULL, 0, set_help},
    {"version", NULL, 0, set_version},
};
enum { N_OWN = sizeof own_options / sizeof *own_options };

/* An option as it was found: its own row, or one of tenon.h's. */
typedef struct found {
    const own_option *own;
    const tenon_option_info *info;
} found;

static bool belongs(const cli *c, const found *f) {
    if (f->own != NULL)
        return f->own->flag == 0 || (c->command->flags & f->own->flag) != 0;
    return (c->command->id & f->info->commands) != 0;
}

enum { MOST_NAMES = 64 };

static tenon_status no_such_option(cli *c, const char *name) {
    const char *names[MOST_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < N_OWN; i++)
        if (belongs(c, &(found){&own_options[i], NULL}))
            names[n++] = own_options[i].name;
    for (size_t i = 0; tenon_option_at(i) != NULL && n < MOST_NAMES; i++)
        if (belongs(c, &(found){NULL, tenon_option_at(i)}))
            names[n++] = tenon_option_at(i)->name;
    const char *near = tenon_nearest(name, names, n);
    char note[160];
    snprintf(note, sizeof note, near != NULL ? "did you mean --%s?" : "tenon %s --help lists the options",
             near != NULL ? near : c->command->name);
    return tenon_fail(c->context, TENON_USAGE, "usage", note, "'%s' has no option --%s", c->command->name, name);
}

static tenon_status find_option(cli *c, const char *name, found *out) {
    *out = (found){NULL, NULL};
    for (size_t i = 0; i < N_OWN; i++)
        if (strcmp(own_options[i].name, name) == 0)
            out->own = &own_options[i];
    for (size_t i = 0; out->own == NULL && out->info == NULL && tenon_option_at(i) != NULL; i++)
        if (strcmp(tenon_option_at(i)->name, name) == 0)
            out->info = tenon_option_at(i);
    if ((out->own == NULL && out->info == NULL) || !belongs(c, out))
        return no_such_option(c, name);
    return TENON_DONE;
}

/* What is left to read. */
typedef struct reading {
    cli *c;
    char **argv;
    int argc, at;
    bool only_words; /* after "--" */
} reading;

static tenon_status set_option(reading *r, const char *name, const char *value) {
    cli *c = r->c;
    found f;
    tenon_status s = find_option(c, name, &f);
    if (s != TENON_DONE)
        return s;
    const char *argument = f.own != NULL ? f.own->argument : f.info->argument;
    const char *dashes = name[1] == '\0' ? "-" : "--";
    bool optional = argument != NULL && argument[0] == '[';
    if (argument == NULL && value != NULL)
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "%s%s takes no value", dashes, name);
    if (argument != NULL && !optional && value == NULL && r->at < r->argc)
        value = r->argv[r->at++];
    if (argument != NULL && !(optional && value == NULL) && (value == NULL || value[0] == '\0'))
        return tenon_fail(c->context, TENON_USAGE, "usage", NULL, "%s%s needs %s", dashes, name, argument);
    c->next = r->at < r->argc ? r->argv[r->at] : NULL;
    return f.own != NULL ? f.own->set(c, value) : tenon_options_set(c->options, name, value);
}

/* --name, --name=value */
static tenon_status long_option(reading *r, char *text) {
    char *equals = strchr(text, '=');
    if (equals != NULL)
        *equals = '\0';
    tenon_status s = set_option(r, text, equals != NULL ? equals + 1 : NULL);
    if (equals != NULL)
        *equals = '=';
    return s;
}

/* -o OUT, -oOUT, -o=OUT, -h */
static tenon_status short_option(reading *r, const char *text) {
    static const char *const names[] = {"o", "p"};
    if (text[0] == 'h' && text[1] == '\0')
        return set_help(r->c, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text[0] == names[i][0])
            return set_option(r, names[i], text[1] != '\0' ? text + 1 + (text[1] == '=') : NULL);
    return tenon_fail(r->c->context, TENON_USAGE, "usage", NULL, "'%s' has no option -%s", r->c->command->name, text);
}

static tenon_status read_one(reading *r) {
    char *word = r->argv[r->at++];
    if (r->only_words || word[0] != '-' || word[1] == '\0') {
        r->c->words[r->c->n_words++] = word;
        return TENON_DONE;
    }
    if (strcmp(word, "--") == 0) {
        r->only_words = true;
        return TENON_DONE;
    }
    return word[1] == '-' ? long_option(r, word + 2) : short_option(r, word + 1);
}

static tenon_status check_words(cli *c) {
    const command *m = c->command;
    if (c->help || c->version || c->print_pipeline || (c->n_words >= m->least && c->n_words <= m->most))
        return TENON_DONE;
    char note[160];
    snprintf(note, sizeof note, "usage: tenon %s%s%s", m->name, *m->arguments != '\0' ? " " : "", m->arguments);
    return c->n_words < m->least
               ? tenon_fail(c->context, TENON_USAGE, "usage", note, "'%s' needs more: %s", m->name, m->arguments)
               : tenon_fail(c->context, TENON_USAGE, "usage", note, "'%s' does not know what to do with '%s'", m->name,
                            c->words[m->most]);
}

tenon_status arguments_parse(cli *c, int argc, char **argv) {
    if (argc < 2)
        return tenon_fail(c->context, TENON_USAGE, "usage", "tenon --help lists the commands", "which command?");
    c->help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0;
    c->version = strcmp(argv[1], "--version") == 0;
    if (c->version || (c->help && argc == 2))
        return TENON_DONE;
    c->command = command_find(c, argv[c->help ? 2 : 1]);
    if (c->command == NULL)
        return TENON_USAGE;
    tenon_status s = tenon_options_set_command(c->options, argc - 1, (const char *const *)argv + 1);
    reading r = {.c = c, .argv = argv, .argc = argc, .at = c->help ? 3 : 2};
    c->words = argv; /* what has been read makes room */
    while (r.at < argc && s == TENON_DONE)
        s = read_one(&r);
    return s == TENON_DONE ? check_words(c) : s;
}
