/* What a plugin declares, as text:
 *
 *   plugin "name" "1.0" 1 "Apache-2.0"
 *   pass 1 "dead_inputs" "help" "edit" "doc"
 *   after "fold"
 *   option 5 "drop" "INPUT,..." "help" _ 0 0 choice "x"
 */
#include "plugin/wire.h"

static void put_names(strbuf *out, const char *word, const char *const *names) {
    for (; names != NULL && *names != NULL; names++) {
        strbuf_add(out, word);
        wire_put(out, *names);
        strbuf_char(out, '\n');
    }
}

static void put_option(strbuf *out, const tenon_option *o) {
    strbuf_printf(out, "option %d", (int)o->kind);
    wire_put(out, o->name);
    wire_put(out, o->argument);
    wire_put(out, o->help);
    wire_put(out, o->default_value);
    wire_put_real(out, o->least);
    wire_put_real(out, o->most);
    for (const char *const *c = o->choices; c != NULL && *c != NULL; c++) {
        strbuf_add(out, " choice");
        wire_put(out, *c);
    }
    strbuf_char(out, '\n');
}

static void put_pass(strbuf *out, const tenon_pass *p) {
    strbuf_printf(out, "pass %lu", (unsigned long)p->flags);
    wire_put(out, p->name);
    wire_put(out, p->help);
    wire_put(out, p->stage);
    wire_put(out, TENON_HAS(p, doc) ? p->doc : NULL);
    strbuf_char(out, '\n');
    put_names(out, "after", p->after);
    put_names(out, "before", p->before);
    for (const tenon_option *const *o = p->options; o != NULL && *o != NULL; o++)
        put_option(out, *o);
}

void wire_put_plugin(strbuf *out, const tenon_plugin *p) {
    strbuf_add(out, "plugin");
    wire_put(out, p->name);
    wire_put(out, p->version);
    strbuf_printf(out, " %lu", (unsigned long)p->abi);
    wire_put(out, TENON_HAS(p, licence) ? p->licence : NULL);
    strbuf_char(out, '\n');
    for (const tenon_pass *const *pass = p->passes; *pass != NULL; pass++)
        put_pass(out, *pass);
}

/* ---- reading ---- */

/* Takes `word "text"` as often as it comes; NULL where it does not. */
static const char *const *read_names(wire *w, const char *word) {
    VEC(const char *) list = {0};
    while (wire_take(w, word))
        w->out_of_memory |= VEC_PUSH(w->a, list, wire_text(w)) != STATUS_OK;
    if (list.n == 0)
        return NULL;
    w->out_of_memory |= VEC_PUSH(w->a, list, NULL) != STATUS_OK;
    return list.at;
}

static status read_option(wire *w, const tenon_option **out) {
    tenon_option *o = ARENA_NEW(w->a, tenon_option);
    TRY_ALLOC(o);
    *o = (tenon_option){.struct_size = sizeof *o};
    o->kind = (tenon_option_kind)wire_integer(w, TENON_OPTION_BOOL, TENON_OPTION_SELECTOR);
    o->name = wire_text(w);
    o->argument = wire_text(w);
    o->help = wire_text(w);
    o->default_value = wire_optional(w);
    o->least = wire_real(w);
    o->most = wire_real(w);
    o->choices = read_names(w, "choice");
    *out = o;
    return STATUS_OK;
}

/* It runs elsewhere: nobody calls this. */
static int run_nowhere(const tenon_plugin_host *host, void *state, tenon_graph *g) {
    (void)host, (void)state, (void)g;
    return TENON_PASS_INVALID;
}

static status read_pass(wire *w, const tenon_pass **out) {
    tenon_pass *p = ARENA_NEW(w->a, tenon_pass);
    VEC(const tenon_option *) options = {0};
    TRY_ALLOC(p);
    *p = (tenon_pass){.struct_size = sizeof *p, .run = run_nowhere};
    p->flags = (uint32_t)wire_integer(w, 0, UINT32_MAX);
    p->name = wire_text(w);
    p->help = wire_text(w);
    p->stage = wire_text(w);
    p->doc = wire_optional(w);
    p->after = read_names(w, "after");
    p->before = read_names(w, "before");
    while (wire_take(w, "option")) {
        const tenon_option *o;
        TRY(read_option(w, &o));
        TRY(VEC_PUSH(w->a, options, o));
    }
    TRY(VEC_PUSH(w->a, options, NULL));
    p->options = options.at;
    *out = p;
    return STATUS_OK;
}

static status read_plugin(wire *w, const tenon_plugin **out) {
    tenon_plugin *p = ARENA_NEW(w->a, tenon_plugin);
    VEC(const tenon_pass *) passes = {0};
    TRY_ALLOC(p);
    *p = (tenon_plugin){.struct_size = sizeof *p};
    w->ok = wire_take(w, "plugin");
    p->name = wire_text(w);
    p->version = wire_text(w);
    p->abi = (uint32_t)wire_integer(w, 0, UINT32_MAX);
    p->licence = wire_optional(w);
    while (wire_take(w, "pass")) {
        const tenon_pass *pass;
        TRY(read_pass(w, &pass));
        TRY(VEC_PUSH(w->a, passes, pass));
    }
    TRY(VEC_PUSH(w->a, passes, NULL));
    p->passes = passes.at;
    *out = p;
    return STATUS_OK;
}

const tenon_plugin *wire_plugin(wire *w) {
    const tenon_plugin *p = NULL;
    w->out_of_memory |= read_plugin(w, &p) != STATUS_OK;
    w->ok &= !w->out_of_memory;
    return w->ok ? p : NULL;
}
