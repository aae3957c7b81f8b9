/* Is a plugin built as plugin.h asks? */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "plugin/services.h"

/* The least that a struct may be: what 0.0 had. */
#define LEAST(type, next) offsetof(type, next)

typedef struct checking {
    const tenon_plugin *p;
    const char *file;
    diag *d;
    status result;
} checking;

__attribute__((format(printf, 2, 3))) static bool fault(checking *c, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->result = diag_error(c->d, STATUS_INVALID, "plugin", (diag_place){c->file, NULL, -1, NULL, NULL}, "%s", text);
    return false;
}

static bool is_name(const char *text) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return text != NULL && *text != '\0' && strlen(text) <= 64 && text[strspn(text, letters)] == '\0';
}

static status refuse_version(const checking *c, const char *name, uint32_t abi) {
    return diag_error(c->d, STATUS_UNSUPPORTED, "plugin-version", (diag_place){c->file, NULL, -1, NULL, NULL},
                      "plugin '%s' is built for version %u.%u of the plugin ABI, this tenon has %u.%u", name, abi >> 16,
                      abi & 0xffff, TENON_PLUGIN_ABI_MAJOR, TENON_PLUGIN_ABI_MINOR);
}

static void check_option(checking *c, const tenon_pass *pass, const tenon_option *o, int i) {
    if (o->struct_size < LEAST(tenon_option, choices) + sizeof o->choices)
        fault(c, "pass '%s': option %d: its struct_size is %u, too short", pass->name, i, o->struct_size);
    else if (!is_name(o->name))
        fault(c, "pass '%s': option %d: a name of letters, digits, _ and - is missing", pass->name, i);
    else if ((unsigned)o->kind > TENON_OPTION_SELECTOR)
        fault(c, "pass '%s': option '%s': there is no kind %d", pass->name, o->name, (int)o->kind);
    else if (o->help == NULL || o->argument == NULL)
        fault(c, "pass '%s': option '%s': help or argument is missing", pass->name, o->name);
    else if (o->kind == TENON_OPTION_ENUM && (o->choices == NULL || o->choices[0] == NULL))
        fault(c, "pass '%s': option '%s': an ENUM without choices", pass->name, o->name);
    else if (o->least > o->most)
        fault(c, "pass '%s': option '%s': least is above most", pass->name, o->name);
}

static void check_pass(checking *c, const tenon_pass *pass, int i) {
    if (pass->struct_size < LEAST(tenon_pass, doc)) {
        fault(c, "pass %d: its struct_size is %u, too short: %zu bytes are the least", i, pass->struct_size,
              LEAST(tenon_pass, doc));
        return;
    }
    if (!is_name(pass->name)) {
        fault(c, "pass %d: a name of letters, digits, _ and - is missing", i);
        return;
    }
    if (pass->help == NULL)
        fault(c, "pass '%s': help is missing", pass->name);
    if (pass->run == NULL)
        fault(c, "pass '%s': the function run is missing", pass->name);
    if (pass->stage == NULL || (strcmp(pass->stage, "edit") != 0 && strcmp(pass->stage, "clean-up") != 0))
        fault(c, "pass '%s': its stage must be \"edit\" or \"clean-up\"", pass->name);
    for (int k = 0; pass->options != NULL && pass->options[k] != NULL; k++)
        check_option(c, pass, pass->options[k], k);
}

static void check_criterion(checking *c, const tenon_criterion *r, int i) {
    if (r->struct_size < LEAST(tenon_criterion, score) + sizeof r->score)
        fault(c, "criterion %d: its struct_size is %u, too short", i, r->struct_size);
    else if (!is_name(r->name))
        fault(c, "criterion %d: a name of letters, digits, _ and - is missing", i);
    else if (r->help == NULL || r->score == NULL)
        fault(c, "criterion '%s': help or the function score is missing", r->name);
}

static bool has_criteria(const tenon_plugin *p) {
    return TENON_HAS(p, criteria) && p->criteria != NULL && p->criteria[0] != NULL;
}

status plugin_check(const tenon_plugin *p, const char *file, diag *d) {
    checking c = {p, file, d, STATUS_OK};
    if (p->abi >> 16 != TENON_PLUGIN_ABI_MAJOR || (p->abi & 0xffff) > TENON_PLUGIN_ABI_MINOR)
        return refuse_version(&c, is_name(p->name) ? p->name : "?", p->abi);
    if (p->struct_size < LEAST(tenon_plugin, licence))
        fault(&c, "its struct_size is %u, too short: %zu bytes are the least", p->struct_size,
              LEAST(tenon_plugin, licence));
    else if (!is_name(p->name))
        fault(&c, "a name of letters, digits, _ and - is missing");
    else if (p->version == NULL)
        fault(&c, "plugin '%s': its version is missing", p->name);
    else if (p->passes == NULL || (p->passes[0] == NULL && !has_criteria(p)))
        fault(&c, "plugin '%s' has no passes", p->name);
    else if (p->close != NULL && p->open == NULL)
        fault(&c, "plugin '%s' has a function close, but no open", p->name);
    for (int i = 0; c.result == STATUS_OK && p->passes[i] != NULL; i++)
        check_pass(&c, p->passes[i], i);
    for (int i = 0; c.result == STATUS_OK && has_criteria(p) && p->criteria[i] != NULL; i++)
        check_criterion(&c, p->criteria[i], i);
    return c.result;
}

void plugin_describe(const tenon_plugin *p, strbuf *out) {
    strbuf_printf(out, "plugin %s %s, ABI %u.%u", p->name, p->version, p->abi >> 16, p->abi & 0xffff);
    if (TENON_HAS(p, licence) && p->licence != NULL)
        strbuf_printf(out, ", licence %s", p->licence);
    strbuf_char(out, '\n');
    for (const tenon_pass *const *pass = p->passes; *pass != NULL; pass++)
        strbuf_printf(out, "  %-16s %s\n", (*pass)->name, (*pass)->help);
    for (int i = 0; has_criteria(p) && p->criteria[i] != NULL; i++)
        strbuf_printf(out, "  %-16s %s (criterion)\n", p->criteria[i]->name, p->criteria[i]->help);
}
