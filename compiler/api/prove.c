/* Is a model the same after a pass as before? Evaluated, not believed. */
#include "api/prove.h"

#include <math.h>
#include <string.h>

#include "api/handles.h"
#include "api/seeded.h"

/* What rounding in another order may do, relative to the largest element. */
#define TOLERANCE 1e-4
/* A dimension that nobody binds: small, and no divisor of much. */
#define FREE_SIZE 3

typedef struct proof {
    const pipeline *w;
    const pass_entry *e;
    arena *a;
    diag *d; /* of the evaluations: their messages are not the user's */
} proof;

/* A graph that has been run. */
typedef struct evaluation {
    graph *g;
    const program *p;
    void **inputs, **outputs;
} evaluation;

/* ---- running one ---- */

static status bind_symbols(const proof *p, graph *g) {
    map symbols = map_in(p->a), sizes = map_in(p->a);
    TRY(graph_symbols(g, &symbols));
    for (size_t i = 0; i < symbols.n; i++) {
        int64_t *size = ARENA_NEW(p->a, int64_t);
        const char *given = options_find(&p->w->o->dims, symbols.entries[i].name);
        TRY_ALLOC(size);
        if (given == NULL || !options_count(given, size))
            *size = FREE_SIZE;
        TRY(map_set(&sizes, symbols.entries[i].name, size));
    }
    return graph_bind(g, &sizes);
}

/* Only what lowering cannot do without: the pass is not to be proven by itself. */
static status make_lowerable(const proof *p, graph **g) {
    static const char *const needed[] = {"expand", "fold", "dead-code"};
    const pass_registry *r = p->w->plan->registry;
    const char **skip = ARENA_NEW_N(p->a, const char *, r->clean_up.n + 2);
    size_t n = 0;
    TRY_ALLOC(skip);
    skip[n++] = "integer"; /* floats show what a pass does to them */
    for (size_t i = 0; i < r->clean_up.n; i++) {
        bool keep = false;
        for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
            keep |= strcmp(pass_name(r->clean_up.at[i]), needed[k]) == 0;
        if (!keep)
            skip[n++] = pass_name(r->clean_up.at[i]);
    }
    pass_options o = {.skip = skip};
    TRY(passes_clean_up(r, g, &o));
    return passes_before_lowering(r, g, &o);
}

static const bound_input *find_bound(const proof *p, const char *name) {
    const bound_inputs *list = &p->w->plan->bound;
    for (size_t i = list->n; i > 0; i--)
        if (strcmp(list->at[i - 1].name, name) == 0)
            return &list->at[i - 1];
    return NULL;
}

/* What the pass bound an input to is what the graph before is fed. */
static void feed_bound(const proof *p, evaluation *x) {
    for (int i = 0; i < x->p->n_inputs; i++) {
        const program_buffer *b = &x->p->buffers.at[i];
        const bound_input *bound = find_bound(p, b->title);
        for (int64_t k = 0; bound != NULL && k < b->n; k++)
            dtype_set_double(b->elem, x->inputs[i], (size_t)k,
                             tensor_double(bound->value, bound->value->count == 1 ? 0 : k));
    }
}

/* The same data for the inputs of the same name. */
static void feed_alike(evaluation *x, const evaluation *from) {
    for (int i = 0; i < x->p->n_inputs; i++)
        for (int k = 0; k < from->p->n_inputs; k++) {
            const program_buffer *to = &x->p->buffers.at[i], *b = &from->p->buffers.at[k];
            if (strcmp(to->title, b->title) == 0 && to->elem == b->elem && to->n == b->n)
                x->inputs[i] = from->inputs[k];
        }
}

static status run(const proof *p, evaluation *x) {
    interp *m = NULL;
    int code = 0;
    char *scratch = arena_alloc_raw(p->a, (size_t)x->p->arena_bytes + 64);
    TRY_ALLOC(scratch);
    TRY(interp_new(x->p, p->a, &m));
    TRY(interp_run(m, (const void *const *)x->inputs, x->outputs, (void *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63),
                   &code));
    return code == 0 ? STATUS_OK
                     : diag_error(p->d, STATUS_INVALID, "run", DIAG_NOWHERE,
                                  "random inputs are out of its range (code %d)", code);
}

static status evaluate(const proof *p, const graph *from, const evaluation *reference, evaluation *x) {
    lower_options o = {.target = target_numeric(), .name = "proof"};
    program *made = NULL;
    TRY_ALLOC(x->g = graph_copy(from));
    x->g->diags = p->d;
    TRY(bind_symbols(p, x->g));
    TRY(make_lowerable(p, &x->g));
    TRY(lower_graph(x->g, &o, p->a, &made));
    x->p = made;
    TRY(seeded_inputs(x->g, made, p->w->o->seed, p->a, &x->inputs));
    if (reference != NULL)
        feed_alike(x, reference);
    else
        feed_bound(p, x);
    TRY(program_new_outputs(x->p, p->a, &x->outputs));
    return run(p, x);
}

/* ---- comparing two ---- */

static double largest(const program_buffer *b, const void *data) {
    double most = 0;
    for (int64_t i = 0; i < b->n; i++) {
        double x = fabs(dtype_get_double(b->elem, data, (size_t)i));
        most = x > most && x - x == 0 ? x : most;
    }
    return most;
}

static bool is_near(double x, double y, double most) {
    return x == y || (x != x && y != y) || fabs(x - y) <= TOLERANCE * most;
}

static status compare_output(const proof *p, const program_buffer *b, const void *was, const program_buffer *now_b,
                             const void *now) {
    diag *d = p->w->c->diags;
    if (b->elem != now_b->elem || b->n != now_b->n)
        return diag_error(d, STATUS_INVALID, "pass-changed-numbers", DIAG_NOWHERE,
                          "pass '%s' has to keep the numbers, but output '%s' has another type or shape now",
                          pass_name(p->e), b->title);
    double most = dtype_is_float(b->elem) ? largest(b, was) : 0;
    for (int64_t i = 0; i < b->n; i++) {
        double x = dtype_get_double(b->elem, was, (size_t)i), y = dtype_get_double(b->elem, now, (size_t)i);
        if (!is_near(x, y, most))
            return diag_error(
                d, STATUS_INVALID, "pass-changed-numbers", DIAG_NOWHERE,
                "pass '%s' has to keep the numbers, but output '%s' has %.9g at element %lld, which was %.9g",
                pass_name(p->e), b->title, y, (long long)i, x);
    }
    return STATUS_OK;
}

static status compare(const proof *p, const evaluation *was, const evaluation *now) {
    for (int i = 0; i < was->p->n_outputs; i++)
        for (int k = 0; k < now->p->n_outputs; k++) {
            const program_buffer *b = &was->p->buffers.at[was->p->n_inputs + i],
                                 *now_b = &now->p->buffers.at[now->p->n_inputs + k];
            if (strcmp(b->title, now_b->title) == 0)
                TRY(compare_output(p, b, was->outputs[i], now_b, now->outputs[k]));
        }
    return STATUS_OK;
}

/* ---- the proof ---- */

static const char *first_error(const proof *p) {
    for (size_t i = 0; i < diag_count(p->d); i++)
        if (diag_at(p->d, i)->severity == DIAG_ERROR)
            return diag_at(p->d, i)->message;
    return "out of memory";
}

static status prove(const proof *p, const graph *before, const graph *after, evaluation *was, evaluation *now) {
    status s = evaluate(p, before, NULL, was);
    if (s != STATUS_OK) {
        diag_warn(p->w->c->diags, "not-verified", DIAG_NOWHERE,
                  "that pass '%s' keeps the numbers is not verified: the model before it cannot be run: %s",
                  pass_name(p->e), first_error(p));
        return s == STATUS_RESOURCE ? s : STATUS_OK;
    }
    s = evaluate(p, after, was, now);
    if (s == STATUS_OK)
        return compare(p, was, now);
    return diag_error(p->w->c->diags, STATUS_INVALID, "pass-changed-numbers", DIAG_NOWHERE,
                      "pass '%s' has to keep the numbers, but what it left cannot be run: %s", pass_name(p->e),
                      first_error(p));
}

status prove_pass(const pipeline *w, const pass_entry *e, const graph *before, const graph *after) {
    if (!pass_keeps_numbers(e))
        return STATUS_OK;
    evaluation was = {0}, now = {0};
    proof p = {w, e, arena_new(&w->c->memory), diag_new(&w->c->memory)};
    status s = p.a != NULL && p.d != NULL ? prove(&p, before, after, &was, &now) : STATUS_RESOURCE;
    graph_free(was.g);
    graph_free(now.g);
    diag_free(p.d);
    arena_free(p.a);
    return s;
}
