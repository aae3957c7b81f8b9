/* tenon tune: variants of the whole model, in each of which every kernel is computed otherwise, against the plain one.
 */
#include <string.h>

#include "api/files.h"
#include "api/measure.h"
#include "api/reports.h"
#include "api/seeded.h"
#include "api/tune_file.h"
#include "api/tune_variant.h"
#include "tenon/pool.h"

/* A choice is faster where the median of its ratios is below this, and three quarters of the rounds are below 1. */
static const double FASTER = 0.98;
static const double DEFAULT_SECONDS = 30;
static const double SEARCH_SHARE = 0.6; /* of the time; what is found is then measured once more, together */
static const double LEAST_SECONDS = 0.1, MOST_SECONDS = 2; /* for one variant */
enum {
    SEARCH_ROUNDS = 9,
    RENEWED = 8, /* variants for one plain program */
    PROOF_ROUNDS = 21,
    PROOFS = 2,
    MOST_PROOFS = 10
};

typedef struct faster_choice {
    kernel_choice choice;
    tune_ratio by;
    int proofs; /* passed */
    bool refuted;
} faster_choice;

/* A kernel of the program, and what may be better for it than what the cost model chooses. */
typedef struct rival {
    tune_site *site;
    const char *node;
    int turn, of;              /* what shares a step changes in turns */
    VEC(faster_choice) faster; /* what the search has found */
    faster_choice *best;       /* of those that no proof has refuted; NULL: none */
} rival;

typedef struct search {
    tune_stand stand;
    tenon_context *c;
    const tenon_options *o;
    const target *machine;
    arena *memory; /* of the report */
    tune_variant plain;
    tune_sites sites;
    VEC(rival) rivals;
    map numbers;                 /* site's name -> rival's number + 1 */
    tune_site **sites_of_rivals; /* of the rivals, in order */
    size_t n_form_variants;      /* the first ones, in which forms change; tiles do in the others */
    tune_table old;
    double began, seconds;
    int64_t variants;
    bool stopped;
    tune_ratio whole;
} search;

static double elapsed(const search *x) {
    return (clock_ms() - x->began) * 1e-3;
}

static bool is_faster(const tune_ratio *r) {
    return r->known && r->median < FASTER && r->upper < 1;
}

static void choose_best(rival *r) {
    r->best = NULL;
    for (size_t i = 0; i < r->faster.n; i++) {
        faster_choice *f = &r->faster.at[i];
        if (!f->refuted && (r->best == NULL || f->by.median < r->best->by.median))
            r->best = f;
    }
}

/* ---- the kernels ---- */

static const char *name_of(const search *x, const node *n) {
    const char *text = n->name != NULL && n->name[0] != '\0' ? arena_printf(x->memory, "%s %s", n->op, n->name) : n->op;
    return text != NULL ? text : "";
}

static bool is_form(const rival *r) {
    return r->site->sources.n > 0;
}

static status add_rival(search *x, tune_site *site, const node *lead, size_t turn, size_t of) {
    if (site == NULL || site->others.n == 0 || map_get(&x->numbers, site->kernel) != NULL)
        return STATUS_OK;
    rival r = {.site = site, .node = name_of(x, lead), .turn = (int)turn, .of = (int)of};
    TRY(VEC_PUSH(x->memory, x->rivals, r));
    return map_set(&x->numbers, site->kernel, (void *)(uintptr_t)x->rivals.n);
}

/* A tile's kernel is one that some step computes. */
static status add_tiles(search *x) {
    const step_nodes_list *steps = &x->plain.built.steps;
    for (size_t s = 0; s < steps->n; s++) {
        const step_nodes *of = &steps->at[s];
        for (size_t k = 0; k < of->n_kernels; k++)
            TRY(add_rival(x, map_get(&x->sites.by_kernel, of->kernels[k]), of->lead, k, of->n_kernels));
    }
    return STATUS_OK;
}

static bool shares_nodes(const tune_site *x, const tune_site *y) {
    for (size_t i = 0; i < x->sources.n; i++)
        for (size_t k = 0; k < y->sources.n; k++)
            if (x->sources.at[i] == y->sources.at[k])
                return true;
    return false;
}

/* The first turn that no other form about the same nodes has. */
static size_t free_turn(const search *x, const tune_site *site) {
    size_t turn = 0;
    for (size_t i = 0; i < x->rivals.n; i++)
        if (shares_nodes(x->rivals.at[i].site, site) && (size_t)x->rivals.at[i].turn >= turn)
            turn = (size_t)x->rivals.at[i].turn + 1;
    return turn;
}

static const node *node_of(const search *x, const tune_site *site) {
    for (const node *n = x->plain.built.g->first; n != NULL; n = n->next)
        if (n->source == site->sources.at[0])
            return n;
    return NULL;
}

static status add_forms(search *x) {
    size_t turns = 0, most = 0;
    for (size_t i = 0; i < x->sites.at.n; i++) {
        tune_site *site = x->sites.at.at[i];
        const node *lead = site->sources.n > 0 ? node_of(x, site) : NULL;
        if (lead == NULL)
            continue;
        size_t turn = free_turn(x, site);
        TRY(add_rival(x, site, lead, turn, 1));
        turns = turn + 1 > turns ? turn + 1 : turns;
        most = site->others.n > most ? site->others.n : most;
    }
    for (size_t i = 0; i < x->rivals.n; i++)
        x->rivals.at[i].of = (int)turns;
    x->n_form_variants = turns * most;
    return STATUS_OK;
}

/* What the file has already is tried first, if it is still one of the choices. */
static void try_first(search *x, rival *r) {
    const tuning had = {.table = &x->old, .threads = (int)x->o->threads};
    const tune_entry *e = tuning_find(&had, x->machine, r->site->kernel);
    for (size_t i = 0; e != NULL && i < r->site->others.n; i++) {
        kernel_choice like = r->site->others.at[i];
        like.panels = e->choice.panels;
        if (!kernel_choice_is_same(&like, &e->choice))
            continue;
        memmove(r->site->others.at + 1, r->site->others.at, i * sizeof like);
        r->site->others.at[0] = like;
        return;
    }
}

static status find_rivals(search *x) {
    TRY(add_forms(x));
    TRY(add_tiles(x));
    TRY_ALLOC(x->sites_of_rivals = ARENA_NEW_N(x->memory, tune_site *, x->rivals.n + 1));
    for (size_t i = 0; i < x->rivals.n; i++) {
        x->sites_of_rivals[i] = x->rivals.at[i].site;
        try_first(x, &x->rivals.at[i]);
    }
    return STATUS_OK;
}

/* ---- variants ---- */

static status add_choice(const search *x, const rival *r, const kernel_choice *choice, const tune_ratio *by, arena *a,
                         tune_table *out) {
    const tune_entry e = {.target = x->machine->name,
                          .threads = (int)x->o->threads,
                          .kernel = r->site->kernel,
                          .choice = *choice,
                          .default_us = by->a_us,
                          .tuned_us = by->b_us};
    return VEC_PUSH(a, out->at, e);
}

/* The rival's choice in a variant; NULL: the cost model's. */
static const kernel_choice *choice_in(const search *x, const rival *r, size_t variant) {
    if (is_form(r) != (variant < x->n_form_variants))
        return NULL;
    size_t of = (size_t)r->of, own = is_form(r) ? variant : variant - x->n_form_variants, number = own / of;
    return own % of == (size_t)r->turn && number < r->site->others.n ? &r->site->others.at[number] : NULL;
}

static status variant_table(const search *x, size_t variant, arena *a, tune_table *out) {
    *out = (tune_table){.file = "tenon tune"};
    for (size_t i = 0; i < x->rivals.n; i++) {
        const kernel_choice *choice = choice_in(x, &x->rivals.at[i], variant);
        if (choice != NULL)
            TRY(add_choice(x, &x->rivals.at[i], choice, &(tune_ratio){0}, a, out));
    }
    return STATUS_OK;
}

/* Does any kernel have a choice left? */
static bool has_variant(const search *x, size_t variant) {
    bool has = variant < x->n_form_variants;
    for (size_t i = 0; i < x->rivals.n && !has; i++) {
        const rival *r = &x->rivals.at[i];
        has = !is_form(r) && (variant - x->n_form_variants) / (size_t)r->of < r->site->others.n;
    }
    return has;
}

/* Makes the variant and compares the plain program to it. */
static status measure(search *x, const tune_table *table, tune_sites *sites, size_t least, arena *a, tune_ratio *out) {
    tune_variant v;
    double begin = clock_ms();
    status s = tune_variant_new(&x->stand, table, sites, &v);
    double made = (clock_ms() - begin) * 1e-3, seconds = made > MOST_SECONDS ? MOST_SECONDS : made;
    seconds = seconds < LEAST_SECONDS ? LEAST_SECONDS : seconds;
    if (s == STATUS_OK)
        s = tune_compare(&x->stand, &x->plain, &v, x->sites_of_rivals, x->rivals.n, seconds, least, a, out,
                         &x->stopped);
    tune_variant_free(&x->stand, &v);
    return s;
}

/* With option verbose, every measurement is told. */
static status tell(const search *x, const rival *r, const kernel_choice *choice, const tune_ratio *by, arena *a) {
    const char *text;
    if (!x->o->verbose || !by->known)
        return STATUS_OK;
    TRY(tune_file_describe(choice, a, &text));
    TRY_ALLOC(text = arena_printf(a, "tune: %-28s %-44s %8.2f us, ratio %.3f, %.3f\n", r->node, text, by->b_us,
                                  by->median, by->upper));
    context_note(x->c, text);
    return STATUS_OK;
}

/* Makes the plain program anew: where its data lie in memory can be luck, good or bad. */
static status renew_plain(search *x) {
    tune_variant fresh;
    status s = tune_variant_new(&x->stand, NULL, NULL, &fresh);
    tune_variant_free(&x->stand, s == STATUS_OK ? &x->plain : &fresh);
    if (s == STATUS_OK)
        x->plain = fresh;
    return s;
}

static status try_variant(search *x, size_t variant, arena *a) {
    tune_table table;
    tune_ratio *ratios = ARENA_NEW_N(a, tune_ratio, x->rivals.n + 1);
    TRY_ALLOC(ratios);
    TRY(variant_table(x, variant, a, &table));
    if (table.at.n == 0)
        return STATUS_OK;
    if (variant % RENEWED == RENEWED - 1)
        TRY(renew_plain(x));
    TRY(measure(x, &table, NULL, SEARCH_ROUNDS, a, ratios));
    for (size_t i = 0; i < x->rivals.n; i++) {
        rival *r = &x->rivals.at[i];
        const kernel_choice *choice = choice_in(x, r, variant);
        if (choice != NULL)
            TRY(tell(x, r, choice, &ratios[i], a));
        if (choice != NULL && is_faster(&ratios[i]))
            TRY(VEC_PUSH(x->memory, r->faster, (faster_choice){.choice = *choice, .by = ratios[i]}));
        choose_best(r);
    }
    x->variants++;
    return STATUS_OK;
}

static status seek(search *x, arena *scratch) {
    for (size_t i = 0; has_variant(x, i) && !x->stopped && (i == 0 || elapsed(x) < SEARCH_SHARE * x->seconds); i++) {
        arena_mark mark = arena_get_mark(scratch);
        context_progress(x->c, "tuning, seconds", (int64_t)elapsed(x), (int64_t)x->seconds);
        TRY(try_variant(x, i, scratch));
        arena_reset(scratch, mark);
    }
    return STATUS_OK;
}

/* ---- the proof: all that was found, together ---- */

/* The tile as it was emitted, where the search has left something to the cost model. */
static void settle(rival *r, const tune_sites *sites) {
    const tune_site *site = map_get(&sites->by_kernel, r->site->kernel);
    if (site != NULL)
        r->best->choice = site->chosen;
}

static size_t count_found(const search *x) {
    size_t n = 0;
    for (size_t i = 0; i < x->rivals.n; i++)
        n += x->rivals.at[i].best != NULL;
    return n;
}

static status found_table(const search *x, arena *a, tune_table *out) {
    *out = (tune_table){.file = "tenon tune"};
    for (size_t i = 0; i < x->rivals.n; i++) {
        const faster_choice *f = x->rivals.at[i].best;
        if (f != NULL)
            TRY(add_choice(x, &x->rivals.at[i], &f->choice, &f->by, a, out));
    }
    return STATUS_OK;
}

/* What is not faster now is refuted, and the next best has its turn. *out_done: all has passed all proofs. */
static status prove_once(search *x, arena *a, bool *out_done) {
    tune_table table;
    tune_sites sites = {.memory = a, .by_kernel = map_in(a)};
    tune_ratio *ratios = ARENA_NEW_N(a, tune_ratio, x->rivals.n + 1);
    TRY_ALLOC(ratios);
    TRY(found_table(x, a, &table));
    TRY(renew_plain(x));
    TRY(measure(x, &table, &sites, PROOF_ROUNDS, a, ratios));
    *out_done = true;
    if (x->stopped)
        return STATUS_OK;
    for (size_t i = 0; i < x->rivals.n; i++) {
        rival *r = &x->rivals.at[i];
        faster_choice *f = r->best;
        if (f == NULL)
            continue;
        settle(r, &sites);
        TRY(tell(x, r, &f->choice, &ratios[i], a));
        f->refuted = !is_faster(&ratios[i]);
        f->proofs += !f->refuted;
        f->by = ratios[i];
        *out_done &= f->proofs >= PROOFS;
        choose_best(r);
    }
    x->whole = ratios[x->rivals.n];
    return STATUS_OK;
}

/* What has not passed in time is left out. */
static void drop_unproven(search *x) {
    for (size_t i = 0; i < x->rivals.n; i++) {
        rival *r = &x->rivals.at[i];
        if (r->best != NULL && r->best->proofs < PROOFS)
            r->best = NULL;
    }
}

static status prove(search *x, arena *scratch) {
    bool done = false;
    for (int i = 0; i < MOST_PROOFS && !done && !x->stopped && count_found(x) > 0; i++) {
        if (i > PROOFS && elapsed(x) > x->seconds)
            break;
        arena_mark mark = arena_get_mark(scratch);
        TRY(prove_once(x, scratch, &done));
        arena_reset(scratch, mark);
    }
    if (!done)
        x->whole = (tune_ratio){0};
    if (!x->stopped)
        drop_unproven(x);
    return STATUS_OK;
}

/* ---- the file ---- */

static bool is_own(const search *x, const tune_entry *e) {
    return e->threads == x->o->threads && strcmp(e->target, x->machine->name) == 0 &&
           map_get(&x->numbers, e->kernel) != NULL;
}

/* An entry that was there stays where this run has not come to measure its kernel to the end. */
static bool is_kept(const search *x, const tune_entry *e) {
    if (!is_own(x, e))
        return true;
    const rival *r = &x->rivals.at[(uintptr_t)map_get(&x->numbers, e->kernel) - 1];
    return x->stopped && r->best == NULL;
}

static status write_file(search *x, const char *path, tune_result *r) {
    tune_table all;
    const char *text;
    TRY(found_table(x, x->memory, &all));
    for (size_t i = 0; i < x->old.at.n; i++)
        if (is_kept(x, &x->old.at.at[i]))
            TRY(VEC_PUSH(x->memory, all.at, x->old.at.at[i]));
    r->n_entries = all.at.n;
    for (size_t i = 0; i < all.at.n; i++)
        r->n_own += is_own(x, &all.at.at[i]);
    TRY(tune_file_print(&all, x->memory, &text));
    return files_write(path, text, strlen(text), x->c->diags);
}

/* ---- the report ---- */

static status fill_rows(const search *x, tune_result *r) {
    tune_row *rows = ARENA_NEW_N(x->memory, tune_row, x->rivals.n + 1);
    TRY_ALLOC(rows);
    r->rows = rows;
    for (size_t i = 0; i < x->rivals.n; i++) {
        const rival *from = &x->rivals.at[i];
        tune_row *to = &rows[r->n++];
        *to = (tune_row){.node = from->node, .kernel = from->site->kernel};
        TRY(tune_file_describe(&from->site->chosen, x->memory, &to->default_choice));
        if (from->best == NULL)
            continue;
        r->n_faster++;
        to->default_us = from->best->by.a_us;
        to->tuned_us = from->best->by.b_us;
        to->ratio = from->best->by.median;
        TRY(tune_file_describe(&from->best->choice, x->memory, &to->choice));
    }
    return STATUS_OK;
}

static status finish(search *x, const char *file, report *out) {
    tune_result r = {.head = report_head_of(x->stand.t, x->machine),
                     .cpu = measure_cpu(x->memory),
                     .threads = (int)x->o->threads,
                     .variants = x->variants,
                     .seconds = elapsed(x),
                     .stopped = x->stopped,
                     .default_us = x->whole.a_us,
                     .tuned_us = x->whole.b_us,
                     .ratio = x->whole.median,
                     .file = file};
    TRY(write_file(x, file, &r));
    TRY(fill_rows(x, &r));
    return tune_report(&r, x->memory, out);
}

/* ---- all ---- */

/* A stop that something further down has told of is one, too. */
static status or_stopped(search *x, status s) {
    x->stopped |= s == STATUS_RESOURCE && tune_stopped(x->c);
    return x->stopped ? STATUS_OK : s;
}

static status measure_all(search *x, arena *scratch) {
    void **inputs;
    TRY(tune_variant_new(&x->stand, NULL, &x->sites, &x->plain));
    TRY(seeded_inputs(x->stand.base->g, x->plain.built.p, x->o->seed, scratch, &inputs));
    x->stand.inputs = (const void *const *)inputs;
    TRY(find_rivals(x));
    TRY(or_stopped(x, seek(x, scratch)));
    return x->stopped ? STATUS_OK : or_stopped(x, prove(x, scratch));
}

static status with_threads(search *x, arena *scratch) {
    struct tenon_pool *pool = NULL;
    if (x->o->threads > 1) {
        TRY_ALLOC(pool = tenon_pool_new((int)x->o->threads));
        x->stand.env = (tenon_env){.struct_size = sizeof(tenon_env), .parallel_for = tenon_pool_for, .ctx = pool};
    }
    status s = measure_all(x, scratch);
    tune_variant_free(&x->stand, &x->plain);
    tenon_pool_free(pool);
    return s;
}

static status check(const tenon_graph *t, const target *machine) {
    if (t->shared != NULL)
        return shared_model_refuse(t->c, t->file, "tune");
    if (strcmp(t->o->schedule, "naive") == 0)
        return diag_error(t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                          "--schedule naive has no tiles that could be tuned");
    if (!target_runs_here(machine))
        return diag_error(t->c->diags, STATUS_RESOURCE, "wrong-machine", DIAG_NOWHERE,
                          "this machine cannot run code for target '%s', so nothing can be measured", machine->name);
    return STATUS_OK;
}

static status tune(tenon_graph *t, const char *file, tenon_report *r) {
    pipeline base;
    search x = {.c = t->c, .o = t->o, .memory = r->memory, .began = clock_ms()};
    x.machine = model_target(t, "host");
    if (x.machine == NULL)
        return STATUS_USAGE;
    TRY(check(t, x.machine));
    TRY(tune_file_read(file, true, x.memory, t->c->diags, &x.old));
    x.seconds = options_are_given(t->o, "time") ? t->o->seconds : DEFAULT_SECONDS;
    x.sites = (tune_sites){.memory = x.memory, .by_kernel = map_in(x.memory)};
    x.numbers = map_in(x.memory);
    x.stand = (tune_stand){.t = t, .base = &base, .env = {.struct_size = sizeof(tenon_env)}};
    TRY(context_llvm(t->c, &x.stand.llvm));
    TRY(model_build(t, NULL, 0, x.machine, NULL, PIPELINE_EDIT, &base));
    base.may_be_unbound = false;
    arena *scratch = arena_new(&t->c->memory);
    status s = scratch == NULL ? STATUS_RESOURCE : pipeline_run(&base, PIPELINE_BIND, PIPELINE_PASSES);
    if (s == STATUS_OK && !base.stopped)
        s = with_threads(&x, scratch);
    if (s == STATUS_OK)
        s = base.stopped ? report_stopped(r) : finish(&x, file, &r->forms);
    arena_free(scratch);
    model_build_free(&base);
    return s;
}

TENON_API tenon_status tenon_tune(tenon_graph *t, const char *file, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    status s = r == NULL ? STATUS_RESOURCE : tune(t, file, r);
    return report_end_of(t, s, errors, r, out);
}
