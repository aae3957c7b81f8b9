/* Which tiles there are for a plan, and what the table says of it. */
#include "schedule/tiles.h"

#include <stdlib.h>
#include <string.h>

/* Candidates that cost so many times what the best does are not worth a measurement. */
#define WORST 2
/* Of tiles that differ in their rows only, the next best counts as so much dearer: others come first. */
#define ALIKE 0.04
#define MOST_OTHERS 96

/* ---- the table ---- */

bool kernel_choice_is_same(const kernel_choice *x, const kernel_choice *y) {
    return x->along == y->along && x->rows_along == y->rows_along && x->runs_on == y->runs_on && x->lanes == y->lanes &&
           x->vectors == y->vectors && x->tail == y->tail && x->rows == y->rows && x->panels == y->panels &&
           x->is_form == y->is_form && x->form == y->form;
}

bool kernel_choice_is_sound(const kernel_choice *c, const char **out_why) {
    *out_why = c->along < 0 || c->along >= NEST_MAX_AXES || c->rows_along < -1 || c->rows_along >= NEST_MAX_AXES ||
                       c->runs_on < -1 || c->runs_on >= NEST_MAX_AXES
                   ? "there is no such axis"
               : c->along == c->rows_along || c->along == c->runs_on || (c->runs_on >= 0 && c->runs_on == c->rows_along)
                   ? "one axis stands for two"
               : c->lanes < 1 || c->lanes > TILE_MOST_LANES || (c->lanes & (c->lanes - 1)) != 0
                   ? "lanes are a power of two, at most 64"
               : c->tail != c->lanes && 2 * c->tail != c->lanes   ? "a tail has all lanes, or half as many"
               : c->vectors < 1 || c->vectors > TILE_MOST_VECTORS ? "vectors are 1 to 8"
               : c->rows < 1 || c->rows > TILE_MOST_ROWS          ? "rows are 1 to 14"
               : c->rows > 1 && c->rows_along < 0                 ? "several rows need an axis to lie along"
               : c->panels < -1 || c->panels > 1                  ? "panels are 0 or 1"
                                                                  : NULL;
    return *out_why == NULL;
}

static bool is_for(const tune_entry *e, const target *machine, int threads) {
    return e->threads == threads && strcmp(e->target, machine->name) == 0;
}

const tune_entry *tuning_find(const tuning *t, const target *machine, const char *name) {
    for (size_t i = 0; t->table != NULL && i < t->table->at.n; i++) {
        const tune_entry *e = &t->table->at.at[i];
        if (is_for(e, machine, t->threads) && strcmp(e->kernel, name) == 0)
            return e;
    }
    return NULL;
}

size_t tune_table_count(const tune_table *t, const target *machine, int threads) {
    size_t n = 0;
    for (size_t i = 0; i < t->at.n; i++)
        n += is_for(&t->at.at[i], machine, threads);
    return n;
}

/* ---- forms ---- */

static status add_form_site(tune_sites *sites, const char *name, const int *forms, size_t n, int chosen,
                            tune_site **out) {
    tune_site *site = ARENA_NEW(sites->memory, tune_site);
    TRY_ALLOC(*out = site);
    *site = (tune_site){.kernel = arena_strdup(sites->memory, name), .chosen = {.is_form = true, .form = chosen}};
    TRY_ALLOC(site->kernel);
    for (size_t i = 0; i < n; i++)
        if (forms[i] != chosen)
            TRY(VEC_PUSH(sites->memory, site->others, (kernel_choice){.is_form = true, .form = forms[i]}));
    TRY(VEC_PUSH(sites->memory, sites->at, site));
    return map_set(&sites->by_kernel, site->kernel, site);
}

static status take_form(const tuning *t, const tune_entry *e, const int *forms, size_t n, int *form) {
    for (size_t i = 0; i < n; i++)
        if (e->choice.is_form && forms[i] == e->choice.form) {
            *form = forms[i];
            t->used[e - t->table->at.at] = true;
            return STATUS_OK;
        }
    diag_error(t->diags, STATUS_INVALID, "tune-file", (diag_place){.file = t->table->file, .node = -1},
               "line %d: this kernel has no such form", e->line);
    diag_note(t->diags, "take the line out, or let tenon tune make the file anew");
    return STATUS_INVALID;
}

status tuning_decide(const tuning *t, const target *machine, const char *name, const int *forms, size_t n,
                     const int64_t *sources, size_t n_sources, int *form) {
    const tune_entry *e = tuning_find(t, machine, name);
    if (e != NULL)
        TRY(take_form(t, e, forms, n, form));
    if (t->sites == NULL)
        return STATUS_OK;
    tune_site *site = map_get(&t->sites->by_kernel, name);
    if (site == NULL)
        TRY(add_form_site(t->sites, name, forms, n, *form, &site));
    for (size_t i = 0; i < n_sources; i++)
        TRY(VEC_PUSH(t->sites->memory, site->sources, sources[i]));
    return STATUS_OK;
}

/* ---- the name of a kernel: what it loops over, reads and writes ---- */

static const char *const reductions[] = {
    [REDUCE_SUM] = "sum", [REDUCE_PROD] = "product", [REDUCE_MIN] = "min", [REDUCE_MAX] = "max"};

static void print_extents(strbuf *s, const nest_axis *axes, int n) {
    for (int i = 0; i < n; i++)
        strbuf_printf(s, "%s%lld", i > 0 ? "x" : "", (long long)axes[i].extent);
}

static void print_type(strbuf *s, dtype elem) {
    strbuf_add(s, dtype_name(elem));
}

/* " w:f32[0,64;1]": of a constant, by its steps along the outer axes and those of the stage; "?": not affine. */
static void print_load(strbuf *s, const plan *p, const expr *load, int first, int n) {
    access x = plan_access(p, load);
    strbuf_add(s, plan_is_constant(p, load->ref) ? " w:" : " x:");
    print_type(s, load->type.elem);
    strbuf_char(s, '[');
    for (int i = 0; i < p->n_axes && x.affine; i++)
        strbuf_printf(s, "%s%lld", i > 0 ? "," : "", (long long)x.step[i]);
    for (int i = 0; i < n && x.affine; i++)
        strbuf_printf(s, "%s%lld", i > 0 ? "," : ";", (long long)x.step[first + i]);
    strbuf_add(s, x.affine ? "]" : "?]");
}

static void print_store(strbuf *s, const plan *p, const plan_stage *g) {
    strbuf_add(s, " to ");
    print_type(s, g->value->type.elem);
    for (int i = 0; i < p->n_axes; i++) {
        int64_t step = 0;
        bool steps = plan_step(p, g->address, p->axes[i].var, &step);
        strbuf_char(s, i > 0 ? ',' : '[');
        if (steps)
            strbuf_printf(s, "%lld", (long long)step);
        else
            strbuf_char(s, '?');
    }
    strbuf_char(s, ']');
}

/* Operations, but for loads and what makes addresses. */
static void count_operation(const expr *x, void *ctx) {
    *(int *)ctx += x->n_args > 0 && x->kind != EXPR_LOAD && x->type.elem != DT_I64;
}

static void print_stage(strbuf *s, const plan *p, int stage, const expr_list *loads) {
    const plan_stage *g = &p->stages[stage];
    int operations = 0, first = plan_first_axis(p, stage);
    expr_visit(g->value, count_operation, &operations);
    strbuf_printf(s, " %s", g->kind == STAGE_REDUCE ? reductions[g->op] : g->kind == STAGE_LET ? "let" : "store");
    if (g->n_axes > 0)
        strbuf_char(s, ' ');
    print_extents(s, g->axes, g->n_axes);
    strbuf_printf(s, " of %d", operations);
    for (size_t i = 0; i < loads->at.n; i++)
        if (expr_uses(g->value, loads->at.at[i]))
            print_load(s, p, loads->at.at[i], first, g->n_axes);
    if (g->kind == STAGE_STORE)
        print_store(s, p, g);
}

status tuning_kernel(const plan *p, const char **out) {
    strbuf s = strbuf_in(p->memory);
    expr_list loads;
    TRY(plan_loads(p, &loads));
    print_extents(&s, p->axes, p->n_axes);
    for (int k = 0; k < p->n_stages; k++)
        print_stage(&s, p, k, &loads);
    return strbuf_finish(&s, out);
}

/* ---- candidates ---- */

kernel_choice tuning_choice(const tile *t) {
    return (kernel_choice){.along = t->a,
                           .rows_along = t->c,
                           .runs_on = t->d,
                           .lanes = t->lanes,
                           .vectors = t->vectors,
                           .tail = t->tail,
                           .rows = t->rows,
                           .panels = -1};
}

void tuning_apply(const kernel_choice *c, tile *t) {
    t->a = c->along;
    t->c = c->rows_along;
    t->d = c->runs_on;
    t->lanes = c->lanes;
    t->vectors = c->vectors;
    t->tail = c->tail;
    t->rows = c->rows;
}

void tuning_note(const tile *t, double cost) {
    tile_candidates *all = t->p->candidates;
    tile_candidate c = {tuning_choice(t), cost, all->at.n};
    if (VEC_PUSH(t->p->memory, all->at, c) != STATUS_OK)
        build_fail(t->p->b);
}

/* But for the order of the blocks, which is open to every tile. */
bool tuning_allows(const tile_candidates *all, const kernel_choice *c) {
    kernel_choice open = *c;
    open.panels = -1;
    for (size_t i = 0; i < all->at.n; i++)
        if (kernel_choice_is_same(&all->at.at[i].tile, &open))
            return true;
    return false;
}

static int by_cost(const void *x, const void *y) {
    const tile_candidate *a = x, *b = y;
    return a->cost != b->cost ? (a->cost < b->cost ? -1 : 1) : (a->number > b->number) - (a->number < b->number);
}

static bool is_alike(const kernel_choice *x, const kernel_choice *y) {
    kernel_choice z = *y;
    z.rows = x->rows;
    return kernel_choice_is_same(x, &z);
}

/* The cheapest first, and variety before its like. */
static void rank(tile_candidates *all) {
    qsort(all->at.at, all->at.n, sizeof *all->at.at, by_cost);
    while (all->at.n > 0 && all->at.at[all->at.n - 1].cost > WORST * all->at.at[0].cost)
        all->at.n--;
    for (size_t i = all->at.n; i-- > 0;) {
        size_t before = 0;
        for (size_t k = 0; k < i; k++)
            before += is_alike(&all->at.at[k].tile, &all->at.at[i].tile);
        all->at.at[i].cost *= 1 + ALIKE * (double)before;
    }
    qsort(all->at.at, all->at.n, sizeof *all->at.at, by_cost);
}

static status add_site(tune_sites *sites, const char *name, const kernel_choice *chosen, tile_candidates *all) {
    tune_site *site = ARENA_NEW(sites->memory, tune_site);
    kernel_choice open = *chosen, turned = *chosen;
    TRY_ALLOC(site);
    *site = (tune_site){.kernel = arena_strdup(sites->memory, name), .chosen = *chosen};
    TRY_ALLOC(site->kernel);
    rank(all);
    open.panels = -1;
    turned.panels = !chosen->panels;
    if (chosen->panels >= 0)
        TRY(VEC_PUSH(sites->memory, site->others, turned));
    for (size_t i = 0; i < all->at.n && site->others.n < MOST_OTHERS; i++)
        if (!kernel_choice_is_same(&all->at.at[i].tile, &open))
            TRY(VEC_PUSH(sites->memory, site->others, all->at.at[i].tile));
    TRY(VEC_PUSH(sites->memory, sites->at, site));
    return map_set(&sites->by_kernel, site->kernel, site);
}

status tuning_record(const plan *p, const char *name, tile_candidates *all) {
    tune_sites *sites = p->options->tuning->sites;
    if (sites != NULL && map_get(&sites->by_kernel, name) == NULL)
        TRY(add_site(sites, name, &p->chosen, all));
    return VEC_PUSH(p->memory, p->out->kernels, name);
}
