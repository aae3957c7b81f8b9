/* The table of commands. */
#include <string.h>

#include "cli.h"

const command *const command_table[] = {
    &command_compile, &command_run,  &command_check, &command_bench,  &command_eval, &command_inspect, &command_diff,
    &command_explain, &command_draw, &command_tune,  &command_passes, &command_ops,  &command_doctor,  NULL,
};
enum { N_COMMANDS = sizeof command_table / sizeof *command_table - 1 };

const command *command_find(cli *c, const char *name) {
    const char *names[N_COMMANDS];
    for (size_t i = 0; i < N_COMMANDS; i++) {
        names[i] = command_table[i]->name;
        if (strcmp(names[i], name) == 0)
            return command_table[i];
    }
    const char *near = tenon_nearest(name, names, N_COMMANDS);
    char note[80] = "";
    if (near != NULL)
        strcat(strcat(strcpy(note, "did you mean '"), near), "'?");
    tenon_fail(c->context, TENON_USAGE, "usage", near != NULL ? note : "tenon --help lists the commands",
               "there is no command '%s'", name);
    return NULL;
}
