/* Programs that are timed against each other. */
#include "api/tune_variant.h"

#include <string.h>

#include "api/measure.h"
#include "api/step_times.h"

enum { MOST_ROUNDS = 1500, MOST_TIMES = 2000000 };

bool tune_stopped(const tenon_context *c) {
    return c->host.stop != NULL && c->host.stop(c->host.data) != 0;
}

/* ---- one variant ---- */

static const tune_table no_entries = {.file = "tenon tune"};

status tune_variant_new(const tune_stand *b, const tune_table *table, tune_sites *sites, tune_variant *out) {
    const llvm_options options = {.is_traced = true};
    tenon_context *c = b->t->c;
    *out = (tune_variant){0};
    pipeline *w = &out->built;
    TRY(model_build_copy(b->base, w));
    w->tuned = table != NULL ? table : &no_entries; /* with any table, steps are told which kernels they compute */
    w->sites = sites;
    TRY(pipeline_run(w, PIPELINE_LOWER, PIPELINE_VERIFY));
    TRY_ALLOC(out->scratch = arena_alloc_raw(w->memory, (size_t)w->p->arena_bytes + 256));
    TRY_ALLOC(out->ns = ARENA_NEW_N(w->memory, int64_t, w->p->steps.n + 1));
    TRY(program_new_outputs(w->p, w->memory, &out->outputs));
    return b->llvm->compile(w->p, &options, &c->memory, c->diags, &out->code);
}

void tune_variant_free(const tune_stand *b, tune_variant *v) {
    if (v->code != NULL)
        b->llvm->release(v->code);
    model_build_free(&v->built);
    *v = (tune_variant){0};
}

static status run(const tune_stand *b, tune_variant *v) {
    int code = b->llvm->run_traced(v->code, b->inputs, v->outputs, v->scratch, &b->env, step_times_tick, v->ns);
    if (code == 0)
        return STATUS_OK;
    diag_error(b->t->c->diags, STATUS_INVALID, "run", DIAG_NOWHERE, "the model refuses to run on random inputs");
    diag_note(b->t->c->diags, "code %d of tenon/runtime.h; another --seed gives other inputs", code);
    return STATUS_INVALID;
}

/* ---- which steps a site is about ---- */

/* The step's time counts for the site. */
typedef struct share {
    size_t step, site;
} share;
typedef VEC(share) share_list;

static bool is_about(const tune_site *site, const step_nodes *of) {
    for (size_t k = 0; k < of->n_kernels; k++)
        if (strcmp(of->kernels[k], site->kernel) == 0)
            return true;
    for (size_t i = 0; i < of->n; i++)
        for (size_t k = 0; k < site->sources.n; k++)
            if (of->nodes[i]->source == site->sources.at[k] && of->nodes[i]->source >= 0)
                return true;
    return false;
}

static status find_shares(const tune_variant *v, tune_site *const *sites, size_t n, arena *a, share_list *out) {
    for (size_t s = 0; s < v->built.steps.n; s++)
        for (size_t i = 0; i < n; i++)
            if (is_about(sites[i], &v->built.steps.at[s]))
                TRY(VEC_PUSH(a, *out, (share){s, i}));
    return STATUS_OK;
}

/* ---- two in turns ---- */

typedef struct contest {
    const tune_stand *b;
    size_t n; /* sites */
    tune_variant *v[2];
    share_list shares[2];
    size_t most, rounds;
    double *us[2]; /* [round][site], whole runs last */
} contest;

/* The last run's times, site by site. */
static void take_times(const contest *x, int which, double *us) {
    const tune_variant *v = x->v[which];
    for (size_t i = 0; i < x->n; i++)
        us[i] = 0;
    for (size_t i = 0; i < x->shares[which].n; i++) {
        const share *p = &x->shares[which].at[i];
        us[p->site] += (double)(v->ns[p->step + 1] - v->ns[p->step]) * 1e-3;
    }
    us[x->n] = (double)(v->ns[v->built.p->steps.n] - v->ns[0]) * 1e-3;
}

/* Two runs of each, the second of which counts: the caches then hold what they hold where one runs alone. Who goes
 * first changes. */
static status play_round(contest *x) {
    for (int i = 0; i < 2; i++) {
        int which = (int)(x->rounds + (size_t)i) % 2;
        TRY(run(x->b, x->v[which]));
        TRY(run(x->b, x->v[which]));
        take_times(x, which, x->us[which] + x->rounds * (x->n + 1));
    }
    x->rounds++;
    return STATUS_OK;
}

static status play(contest *x, double seconds, size_t least, bool *out_stopped) {
    TRY(play_round(x)); /* to warm up */
    x->rounds = 0;
    double end = clock_ms() + seconds * 1e3;
    while (x->rounds < x->most && (x->rounds < least || clock_ms() < end)) {
        if ((*out_stopped = tune_stopped(x->b->t->c)))
            return STATUS_OK;
        TRY(play_round(x));
    }
    return STATUS_OK;
}

static double median_of(const contest *x, int which, size_t site, double *scratch) {
    for (size_t r = 0; r < x->rounds; r++)
        scratch[r] = x->us[which][r * (x->n + 1) + site];
    measure_sort(scratch, x->rounds);
    return measure_quantile(scratch, x->rounds, 0.5);
}

static tune_ratio judge(const contest *x, size_t site, double *scratch) {
    tune_ratio out = {.a_us = median_of(x, 0, site, scratch), .b_us = median_of(x, 1, site, scratch)};
    out.known = out.a_us > 0 && out.b_us > 0;
    for (size_t r = 0; r < x->rounds; r++) {
        size_t at = r * (x->n + 1) + site;
        scratch[r] = x->us[0][at] > 0 ? x->us[1][at] / x->us[0][at] : 1;
    }
    measure_sort(scratch, x->rounds);
    out.median = measure_quantile(scratch, x->rounds, 0.5);
    out.upper = measure_quantile(scratch, x->rounds, 0.75);
    return out;
}

status tune_compare(const tune_stand *b, tune_variant *x, tune_variant *y, tune_site *const *sites, size_t n,
                    double seconds, size_t least, arena *a, tune_ratio *out, bool *out_stopped) {
    contest c = {.b = b, .n = n, .v = {x, y}};
    size_t fit = MOST_TIMES / (n + 1);
    c.most = fit > MOST_ROUNDS ? MOST_ROUNDS : fit < least ? least : fit;
    double *scratch = ARENA_NEW_N(a, double, c.most);
    TRY_ALLOC(scratch);
    for (int i = 0; i < 2; i++) {
        TRY(find_shares(c.v[i], sites, n, a, &c.shares[i]));
        TRY_ALLOC(c.us[i] = ARENA_NEW_N(a, double, c.most *(n + 1)));
    }
    TRY(play(&c, seconds, least, out_stopped));
    for (size_t i = 0; i <= n; i++)
        out[i] = c.rounds < least ? (tune_ratio){.known = false} : judge(&c, i, scratch);
    return STATUS_OK;
}
