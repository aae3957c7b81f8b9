/* How often loops run whose extents stand in constant tables, as a sparse kernel's do: on average. */
#include "schedule/parallel.h"

#define MOST_STEPS 400 /* LETs may repeat each other's parts */
#define MOST_VARS 8
#define MOST_POINTS 4096

typedef struct sampling {
    const kernel_view *v;
    int n;
    int vars[MOST_VARS]; /* loop variables that the extent depends on */
    int64_t extents[MOST_VARS], at[MOST_VARS];
    bool is_read; /* something is, from a table */
    bool fails;
    int steps;
} sampling;

static int place_of(const sampling *s, int var) {
    int i = 0;
    while (i < s->n && s->vars[i] != var)
        i++;
    return i;
}

static void note(sampling *s, const expr *x);

static void note_var(sampling *s, const expr *x) {
    const var_source *from = &s->v->vars[x->ref];
    if (from->value != NULL) {
        note(s, from->value);
        return;
    }
    if (place_of(s, x->ref) < s->n)
        return;
    int64_t most = from->extent != NULL ? kernel_most(s->v, from->extent) : INT64_MAX;
    s->fails |= s->n == MOST_VARS || most == INT64_MAX || most < 1;
    if (!s->fails) {
        s->vars[s->n] = x->ref;
        s->extents[s->n++] = most;
    }
}

/* Finds what the extent depends on. */
static void note(sampling *s, const expr *x) {
    bool is_load = x->kind == EXPR_LOAD;
    s->fails |= ++s->steps > MOST_STEPS || x->type.lanes != 1 || x->kind == EXPR_REG ||
                (is_load && (s->v->tables == NULL || s->v->tables[x->ref] == NULL));
    if (s->fails)
        return;
    s->is_read |= is_load;
    if (x->kind == EXPR_VAR)
        note_var(s, x);
    for (int i = 0; i < x->n_args; i++)
        note(s, x->arg[i]);
}

static int64_t value_of(sampling *s, const expr *x);

static int64_t element_of(sampling *s, const expr *x) {
    const kernel_buffer *b = &s->v->k->buffers.at[x->ref];
    int64_t i = value_of(s, x->arg[0]);
    s->fails |= i < 0 || i >= b->n || !dtype_is_int(b->elem);
    return s->fails ? 0 : dtype_get_int(b->elem, s->v->tables[x->ref], (size_t)i);
}

static int64_t value_of(sampling *s, const expr *x) {
    int64_t result = 0;
    switch (x->kind) {
    case EXPR_INT:
        return x->imm;
    case EXPR_VAR:
        return s->v->vars[x->ref].value != NULL ? value_of(s, s->v->vars[x->ref].value) : s->at[place_of(s, x->ref)];
    case EXPR_CAST:
        return value_of(s, x->arg[0]);
    case EXPR_LOAD:
        return element_of(s, x);
    default:
        s->fails |= x->n_args != 2;
        if (!s->fails)
            s->fails |= !index_operate(x->kind, value_of(s, x->arg[0]), value_of(s, x->arg[1]), &result);
        return result;
    }
}

double kernel_trips(const kernel_view *v, const expr *extent) {
    sampling s = {.v = v};
    int64_t most = kernel_most(v, extent), points = 1;
    double sum = 0;
    if (most != INT64_MAX)
        return most > 1 ? (double)most : 1;
    note(&s, extent);
    for (int i = 0; i < s.n && !s.fails; i++)
        s.fails |= __builtin_mul_overflow(points, s.extents[i], &points);
    const int64_t n = points < MOST_POINTS ? points : MOST_POINTS;
    for (int64_t i = 0; i < n && s.is_read && !s.fails; i++) {
        int64_t rest = (int64_t)((__int128)i * points / n);
        for (int k = 0; k < s.n; k++) {
            s.at[k] = rest % s.extents[k];
            rest /= s.extents[k];
        }
        int64_t trips = value_of(&s, extent);
        sum += trips > 0 ? (double)trips : 0;
    }
    return s.is_read && !s.fails ? sum / (double)n : 1;
}

const void *const *step_tables(const program *p, const program_step *s, arena *a) {
    const size_t n = p->kernels.at[s->kernel]->buffers.n;
    const void **tables = ARENA_NEW_N(a, const void *, n + 1);
    for (size_t i = 0; tables != NULL && i < n; i++) {
        const program_buffer *b = &p->buffers.at[s->args[i].buffer];
        if (b->place == PLACE_CONST)
            tables[i] = (const char *)b->data + dtype_bytes(b->elem, (size_t)s->args[i].first);
    }
    return tables;
}
