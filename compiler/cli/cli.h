/* The command: arguments, messages, and one function for each command. Nothing here knows more of tenon than tenon.h
 * says. */
#ifndef TENON_CLI_H
#define TENON_CLI_H

#include <stdbool.h>
#include <tenon/tenon.h>

typedef struct command command;

/* One invocation; lives in main. */
typedef struct cli {
    tenon_context *context;
    tenon_options *options;
    const command *command; /* NULL until it is known */
    char **words;           /* what is neither an option nor its value */
    int n_words;
    const char *output;                    /* -o */
    const char *check, *test, *new_plugin; /* passes --check, --test, --new */
    const char *against;                   /* draw --diff */
    const char *suite;                     /* check --suite */
    const char *next, *after_json;         /* the argument that follows the option being set, and that follows --json */
    bool json, help, version, print_pipeline;
    bool color;
    bool interrupted;   /* SIGINT came */
    bool has_progress;  /* a progress line stands on the terminal */
    double progress_at; /* when it was written */
} cli;

/* Flags of the command itself; every other option is one of tenon.h's. */
enum { FLAG_OUTPUT = 1, FLAG_JSON = 2, FLAG_PIPELINE = 4, FLAG_PLUGIN = 8, FLAG_DRAW = 16, FLAG_SUITE = 32 };

struct command {
    const char *name;
    const char *arguments; /* "MODEL DATA_DIR..." */
    const char *summary;
    const char *details; /* paragraphs of --help; NULL */
    const char *examples;
    unsigned id;     /* TENON_COMPILE ...; 0 takes none of tenon.h's options */
    unsigned flags;  /* FLAG_OUTPUT ... */
    int least, most; /* words */
    tenon_status (*run)(cli *c);
};

/* ---- commands.c ---- */
/* NULL-terminated. */
extern const command *const command_table[];
/* NULL after an error that names the nearest. */
const command *command_find(cli *c, const char *name);
extern const command command_compile, command_run, command_check, command_bench, command_eval, command_inspect,
    command_diff, command_explain, command_draw, command_tune, command_passes, command_ops, command_doctor;

/* ---- external.c ---- */
/* Becomes the program tenon-NAME where argv[1] is a NAME that no command of ours has, and there is one; else returns.
 */
void external_run(int argc, char **argv);

/* ---- arguments.c ---- */
/* Sorts argv[1..] into command, options and words. */
tenon_status arguments_parse(cli *c, int argc, char **argv);

/* ---- help.c ---- */
void help_overview(void);
void help_command(const command *m);

/* ---- terminal.c ---- */
/* What the library calls: stop, progress and note of tenon_host. */
int terminal_stop(void *data);
void terminal_progress(void *data, const char *what, int64_t done, int64_t total);
void terminal_note(void *data, const char *text);
void terminal_clear_progress(cli *c);
/* Messages on stderr. */
void terminal_messages(cli *c);
bool terminal_wants_color(const char *choice);

/* ---- output.c ---- */
/* Prints a report, as text or JSON, frees it, and returns `status`. Nothing where report is NULL. */
tenon_status output_report(cli *c, tenon_status status, tenon_report *report);
/* Opens the model that the first word names, and prints the report that `make` makes of it. */
tenon_status output_report_of(cli *c, tenon_status (*make)(tenon_graph *graph, tenon_report **out));

#endif
