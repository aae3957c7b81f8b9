/* The way of the data, as a list of stages. */
#include "api/pipeline.h"

#include <stdio.h>
#include <string.h>

#include "api/prove.h"
#include "frontend/frontend.h"
#include "ops/ops.h"
#include "passes/passes.h"

typedef struct stage {
    const char *name, *help;
    status (*run)(pipeline *w);
} stage;

static status import(pipeline *w);
static status edit(pipeline *w);
static status bind(pipeline *w);
static status clean_up(pipeline *w);
static status lower(pipeline *w);
static status verify(pipeline *w);

/* What follows is a back end: codegen/c99, codegen/llvm, or the interpreter (engine.c). */
static const stage stages[PIPELINE_STAGES] = {
    [PIPELINE_IMPORT] = {"import", "the file becomes a graph: functions inlined, every node in its newest form",
                         import},
    [PIPELINE_EDIT] = {"edit", "what -p asks for, on a graph that has been cleaned up:", edit},
    [PIPELINE_BIND] = {"bind", "dimensions are bound (--dim, --shape, the data), inputs frozen, types inferred", bind},
    [PIPELINE_PASSES] = {"passes", "the graph is cleaned up, until nothing changes:", clean_up},
    [PIPELINE_LOWER] = {"lower", "nodes become loops, fused and scheduled for the target, in a planned arena", lower},
    [PIPELINE_VERIFY] = {"verify", "the loop program is checked", verify},
};

static status import(pipeline *w) {
    return onnx_import(w->path, &w->c->memory, w->c->diags, &ops_table, &w->g);
}

static status after_pass(void *ctx, const char *name, graph *g);

static status prove(void *ctx, const pass_entry *e, graph *before, graph *after) {
    return prove_pass(ctx, e, before, after);
}

static pass_options options_of(pipeline *w) {
    bool verify = w->o->verify_passes;
    return (pass_options){
        .skip = w->plan->skip.at, .verify = verify, .after = after_pass, .prove = verify ? prove : NULL, .ctx = w};
}

static status clean_up(pipeline *w) {
    const pass_options o = options_of(w);
    return passes_clean_up(w->plan->registry, &w->g, &o);
}

/* What a pass says of its work goes to the user at once; its JSON goes into the command's report. */
static status tell(pipeline *w, const pass_report *r) {
    for (size_t i = 0; i < r->events.n && !w->quiet; i++) {
        if (r->events.at[i].kind != REPORT_LINE)
            continue;
        const char *line = arena_printf(r->memory, "%s: %s\n", pass_name(r->entry), r->events.at[i].text);
        TRY_ALLOC(line);
        context_note(w->c, line);
    }
    return STATUS_OK;
}

/* pass_apply, and the graph before it is put back where the pass does not keep the numbers. */
static status apply_proven(pipeline *w, const pass_request *q, pass_report *r) {
    graph *before = graph_copy(w->g);
    TRY_ALLOC(before);
    status s = pass_apply(w->plan->registry, q, &w->g, r, &w->plan->bound, w->plan->plugins->memory);
    if (s == STATUS_OK)
        s = prove_pass(w, q->entry, before, w->g);
    if (s != STATUS_OK) {
        graph *after = w->g;
        w->g = before;
        before = after;
    }
    graph_free(before);
    return s;
}

static status apply(pipeline *w, const pass_request *q) {
    arena *a = w->plan->plugins->memory;
    pass_report *r = ARENA_NEW(a, pass_report);
    TRY_ALLOC(r);
    *r = (pass_report){.entry = q->entry, .memory = a};
    TRY(w->o->verify_passes ? apply_proven(w, q, r) : pass_apply(w->plan->registry, q, &w->g, r, &w->plan->bound, a));
    TRY(VEC_PUSH(a, w->plan->reports, r));
    TRY(tell(w, r));
    return after_pass(w, pass_name(q->entry), w->g);
}

static status edit(pipeline *w) {
    if (w->plan->asked.n > 0)
        TRY(bind_early(w));
    for (size_t i = 0; i < w->plan->asked.n; i++) {
        TRY(clean_up(w));
        TRY(apply(w, &w->plan->asked.at[i]));
    }
    return w->plan->asked.n > 0 ? clean_up(w) : STATUS_OK;
}

static status bind(pipeline *w) {
    return bind_inputs(w);
}

/* Does every region hold what lies in it? What none holds lies in the last. */
static status check_regions(const pipeline *w) {
    diag *d = w->c->diags;
    const program_region *last = w->p->regions.n > 0 ? &w->p->regions.at[w->p->regions.n - 1] : NULL;
    if (last == NULL || last->bytes <= last->limit)
        return STATUS_OK;
    diag_error(d, STATUS_RESOURCE, "regions-full", (diag_place){.file = w->g->file, .node = -1},
               "the arena does not fit into the regions: %lld bytes are missing",
               (long long)(last->bytes - last->limit));
    for (size_t i = 0; i < w->p->regions.n; i++)
        diag_note(d, "%s has %lld bytes, %lld would lie there", w->p->regions.at[i].name,
                  (long long)w->p->regions.at[i].limit, (long long)w->p->regions.at[i].bytes);
    diag_note(d, "make one larger, or add another with --region NAME=SIZE");
    return STATUS_RESOURCE;
}

/* A table that changes nothing is told of. */
static status count_tuned(pipeline *w, const tune_table *table, const tuning *tuned) {
    for (size_t i = 0; i < table->at.n; i++)
        w->n_tuned += tuned->used[i];
    if (w->n_tuned > 0 || w->quiet)
        return STATUS_OK;
    bool others = tune_table_count(table, w->machine, tuned->threads) > 0;
    const char *line = arena_printf(w->memory, "tune: %s has nothing for %s%s and %d thread%s\n", table->file,
                                    others ? "the kernels of this model on target " : "target ", w->machine->name,
                                    tuned->threads, tuned->threads == 1 ? "" : "s");
    TRY_ALLOC(line);
    context_note(w->c, line);
    return STATUS_OK;
}

/* A naive schedule computes what the operators say, in their own way. */
static status lower(pipeline *w) {
    bool naive = strcmp(w->o->schedule, "naive") == 0;
    pass_options passes = options_of(w);
    passes.target = naive ? NULL : w->machine;
    passes.integer = (integer_options){.target = w->machine,
                                       .no_float = strcmp(w->o->floats, "none") == 0,
                                       .force = strcmp(w->o->integers, "force") == 0};
    const tune_table *table = w->tuned != NULL ? w->tuned : w->plan->tuned;
    tuning tuned = {.table = table, .threads = (int)w->o->threads, .sites = w->sites, .diags = w->c->diags};
    TRY_ALLOC(tuned.used = ARENA_NEW_N(w->memory, bool, (table != NULL ? table->at.n : 0) + 1));
    passes.tuning = table != NULL || w->sites != NULL ? &tuned : NULL;
    TRY(passes_before_lowering(w->plan->registry, &w->g, &passes));
    lower_options o = {.target = w->machine,
                       .threads = (int)w->o->threads,
                       .naive = naive,
                       .name = w->name,
                       .origin = w->origin,
                       .regions = &w->o->regions,
                       .tuning = passes.tuning,
                       .steps = &w->steps};
    TRY(lower_graph(w->g, &o, w->memory, &w->p));
    if (table != NULL && !naive)
        TRY(count_tuned(w, table, &tuned));
    return check_regions(w);
}

static status verify(pipeline *w) {
    return program_verify(w->p, w->c->diags);
}

/* ---- running them, with --dump-after, --stop-after and --time-passes ---- */

static bool has_word(const word_list *list, const char *word) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i], word) == 0)
            return true;
    return false;
}

static status dump(pipeline *w, const char *after) {
    arena *scratch = arena_new(&w->c->memory);
    TRY_ALLOC(scratch);
    strbuf s = strbuf_in(scratch);
    const char *text;
    strbuf_printf(&s, "# after %s\n", after);
    if (w->p != NULL)
        program_print(w->p, &s);
    else
        graph_print(w->g, &s);
    status done = strbuf_finish(&s, &text);
    if (done == STATUS_OK)
        context_note(w->c, text);
    arena_free(scratch);
    return done;
}

/* A pass that stops does so by STATUS_DIFFER, which no pass returns. */
static status after_pass(void *ctx, const char *name, graph *g) {
    pipeline *w = ctx;
    TRY(context_check_stop(w->c));
    if (has_word(&w->o->dump_after, name) && !w->quiet) {
        TENON_ASSERT(g == w->g);
        TRY(dump(w, name));
    }
    w->stopped = has_word(&w->o->stop_after, name);
    return w->stopped ? STATUS_DIFFER : STATUS_OK;
}

void pipeline_note_time(pipeline *w, const char *what, double milliseconds) {
    char line[80];
    w->milliseconds += milliseconds;
    if (!(w->o->time_passes || w->o->verbose) || w->quiet)
        return;
    snprintf(line, sizeof line, "time: %-8s %9.3f ms\n", what, milliseconds);
    context_note(w->c, line);
}

static status run_stage(pipeline *w, const stage *s) {
    TRY(context_check_stop(w->c));
    double begin = clock_ms();
    status result = s->run(w);
    pipeline_note_time(w, s->name, clock_ms() - begin);
    if (w->stopped)
        return STATUS_OK;
    TRY(result);
    if (has_word(&w->o->dump_after, s->name) && !w->quiet)
        TRY(dump(w, s->name));
    w->stopped = has_word(&w->o->stop_after, s->name);
    return STATUS_OK;
}

status pipeline_run(pipeline *w, stage_id first, stage_id last) {
    for (int i = (int)first; i <= (int)last && !w->stopped; i++)
        TRY(run_stage(w, &stages[i]));
    return STATUS_OK;
}

/* ---- their names ---- */

status pipeline_names(arena *a, const pass_registry *r, bool with_stages, const char *const **out, size_t *out_n) {
    VEC(const char *) names = {0};
    for (size_t i = 0; i < PIPELINE_STAGES && with_stages; i++)
        TRY(VEC_PUSH(a, names, stages[i].name));
    for (size_t i = 0; i < r->all.n; i++)
        TRY(VEC_PUSH(a, names, pass_name(r->all.at[i])));
    *out_n = names.n;
    TRY(VEC_PUSH(a, names, NULL));
    *out = names.at;
    return STATUS_OK;
}

static pipeline_row row_of_pass(const pass_plan *plan, const pass_entry *e) {
    return (pipeline_row){pass_name(e), has_word(&plan->skip, pass_name(e)) ? "(left out)" : pass_help(e), true};
}

status pipeline_rows(arena *a, const pass_plan *plan, const pipeline_row **out, size_t *out_n) {
    VEC(pipeline_row) list = {0};
    for (size_t i = 0; i < PIPELINE_STAGES; i++) {
        pipeline_row row = {stages[i].name, stages[i].help, false};
        if (i == PIPELINE_LOWER && plan->tuned != NULL)
            TRY_ALLOC(row.help = arena_printf(a, "%s; tiles as %s has them", row.help, plan->tuned->file));
        TRY(VEC_PUSH(a, list, row));
        for (size_t k = 0; i == PIPELINE_EDIT && k < plan->asked.n; k++) {
            row = (pipeline_row){pass_name(plan->asked.at[k].entry), plan->asked.at[k].text, true};
            TRY(VEC_PUSH(a, list, row));
        }
        for (size_t k = 0; i == PIPELINE_PASSES && k < plan->registry->clean_up.n; k++)
            TRY(VEC_PUSH(a, list, row_of_pass(plan, plan->registry->clean_up.at[k])));
        for (size_t k = 0; i == PIPELINE_LOWER && k < plan->registry->all.n; k++)
            if (strcmp(pass_stage(plan->registry->all.at[k]), "lowering") == 0)
                TRY(VEC_PUSH(a, list, row_of_pass(plan, plan->registry->all.at[k])));
    }
    *out = list.at;
    *out_n = list.n;
    return STATUS_OK;
}
