/* Nests: axes, stages and reads, as operators spell them. */
#include "loop/nest.h"

#include "loop/build_internal.h"

/* Out of memory: a nest of the builder that nobody schedules. */
static nest *spare(builder *b) {
    build_fail(b);
    b->spare_nest = (nest){.b = b, .name = ""};
    return &b->spare_nest;
}

nest *nest_add(nest_list *l, const char *name) {
    arena *a = l->b->memory;
    nest *n = ARENA_NEW(a, nest);
    char *kept = name != NULL ? arena_strdup(a, name) : NULL; /* NULL: its maker ran out of memory */
    if (l->b->failed || n == NULL || kept == NULL || VEC_PUSH(a, l->nests, n) != STATUS_OK)
        return spare(l->b);
    n->b = l->b;
    n->name = kept;
    return n;
}

const expr *nest_steps(nest *n, const char *name, int64_t extent) {
    n->steps = (nest_axis){build_axis(n->b, name, extent), extent};
    return n->steps.var;
}

nest *nest_then(nest_list *l, nest *n) {
    nest *next = ARENA_NEW(l->b->memory, nest);
    if (l->b->failed || next == NULL)
        return spare(l->b);
    *next = (nest){.b = l->b, .steps = n->steps, .name = n->name};
    n->then = next;
    return next;
}

int nest_temporary(nest_list *l, dtype elem, int rank, const int64_t *dims) {
    arena *a = l->b->memory;
    int64_t *kept = arena_copy(a, dims, (size_t)rank * sizeof *dims);
    nest_operand o = {true, elem, rank, kept};
    if ((kept == NULL && rank > 0) || VEC_PUSH(a, l->operands, o) != STATUS_OK) {
        build_fail(l->b);
        return 0;
    }
    return (int)l->operands.n - 1;
}

int nest_output(const nest_list *l, int k) {
    return l->n_inputs + k;
}

static const expr *add_axis(builder *b, nest_axis *axes, int *n_axes, const char *name, int64_t extent) {
    if (b->failed)
        return b->poison;
    TENON_ASSERT(*n_axes < NEST_MAX_AXES);
    const expr *var = build_axis(b, name, extent);
    axes[(*n_axes)++] = (nest_axis){var, extent};
    return var;
}

const expr *nest_outer(nest *n, const char *name, int64_t extent) {
    return add_axis(n->b, n->axes, &n->n_axes, name, extent);
}

void nest_outer_all(nest *n, int rank, const int64_t *dims, const expr **vars) {
    for (int i = 0; i < rank; i++) {
        char name[] = {'i', (char)('0' + i / 10), (char)('0' + i % 10), 0};
        if (i < 10) {
            name[1] = name[2];
            name[2] = 0;
        }
        vars[i] = nest_outer(n, name, dims[i]);
    }
}

/* ---- stages ---- */

/* A stage that nest_open opened and nothing closed yet has no value. */
static nest_stage *open_stage(nest *n) {
    if (n->stages.n == 0)
        return NULL;
    nest_stage *last = &n->stages.at[n->stages.n - 1];
    return last->value == NULL ? last : NULL;
}

void nest_open(nest *n) {
    if (n->b->failed)
        return;
    TENON_ASSERT(open_stage(n) == NULL);
    if (VEC_PUSH(n->b->memory, n->stages, (nest_stage){.kind = STAGE_STORE}) != STATUS_OK)
        build_fail(n->b);
}

static nest_stage *stage_to_close(nest *n) {
    if (open_stage(n) == NULL)
        nest_open(n);
    return n->b->failed ? NULL : open_stage(n);
}

const expr *nest_inner(nest *n, const char *name, int64_t extent) {
    if (n->b->failed)
        return n->b->poison;
    nest_stage *s = open_stage(n);
    TENON_ASSERT(s != NULL);
    return add_axis(n->b, s->axes, &s->n_axes, name, extent);
}

const expr *nest_reduce(nest *n, reduce_op op, const expr *value) {
    static const char *const names[] = {"sum", "product", "least", "most"};
    nest_stage *s = stage_to_close(n);
    const expr *result = build_var(n->b, value->type, names[op]);
    if (s == NULL || n->b->failed)
        return n->b->poison;
    s->kind = STAGE_REDUCE;
    s->op = op;
    s->value = value;
    s->result = result;
    return result;
}

const expr *nest_let(nest *n, const expr *value) {
    nest_stage *s = stage_to_close(n);
    const expr *result = build_var(n->b, value->type, "x");
    if (s == NULL || n->b->failed)
        return n->b->poison;
    TENON_ASSERT(s->n_axes == 0);
    s->kind = STAGE_LET;
    s->value = value;
    s->result = result;
    return result;
}

void nest_store(nest *n, int operand, const expr *const *index, int rank, const expr *value) {
    nest_stage *s = stage_to_close(n);
    if (s == NULL)
        return;
    TENON_ASSERT(rank <= NEST_MAX_AXES);
    s->kind = STAGE_STORE;
    s->value = value;
    s->operand = operand;
    s->rank = rank;
    for (int i = 0; i < rank; i++)
        s->index[i] = index[i];
}

/* ---- reads ---- */

const expr *nest_read_masked(const nest_list *l, int operand, const expr *const *index, const expr *mask) {
    if (l->b->failed)
        return l->b->poison;
    const nest_operand *o = &l->operands.at[operand];
    return build_read(l->b, operand, o->elem, index, o->rank, mask);
}

const expr *nest_read(const nest_list *l, int operand, const expr *const *index) {
    return nest_read_masked(l, operand, index, NULL);
}

const expr *nest_read_broadcast(const nest_list *l, int operand, const expr *const *index, int rank) {
    if (l->b->failed)
        return l->b->poison;
    const nest_operand *o = &l->operands.at[operand];
    const expr *own[NEST_MAX_AXES];
    for (int i = 0; i < o->rank; i++) {
        TENON_ASSERT(o->dims[i] == 1 || i >= o->rank - rank);
        own[i] = o->dims[i] == 1 ? build_index(l->b, 0) : index[rank - o->rank + i];
    }
    return nest_read(l, operand, own);
}

const expr *nest_linear(builder *b, const expr *const *index, int rank, const int64_t *dims) {
    const expr *position = build_index(b, 0);
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        position = build_add(b, position, build_mul(b, index[i], build_index(b, stride)));
        stride = (int64_t)((uint64_t)stride * (uint64_t)dims[i]);
    }
    return position;
}

/* `position` is within the dims: the first index is not reduced modulo its dimension. */
void nest_delinear(builder *b, const expr *position, int rank, const int64_t *dims, const expr **out) {
    const expr *left = position;
    for (int i = rank - 1; i > 0; i--) {
        out[i] = build_rem(b, left, build_index(b, dims[i]));
        left = build_div(b, left, build_index(b, dims[i]));
    }
    if (rank > 0)
        out[0] = left;
}

/* ---- raw ---- */

void nest_raw_begin(nest_list *l, nest *n) {
    n->raw = true;
    builder_take(l->b);
}

void nest_raw_end(nest_list *l, nest *n) {
    n->body = builder_take(l->b);
}

int64_t nest_macs(const nest *n) {
    int64_t sum = 0;
    if (n->macs > 0)
        return n->macs;
    for (size_t s = 0; n->contract && s < n->stages.n; s++) {
        const nest_stage *g = &n->stages.at[s];
        if (g->kind != STAGE_REDUCE || g->op != REDUCE_SUM)
            continue;
        int64_t points = n->steps.var != NULL ? n->steps.extent : 1;
        for (int i = 0; i < n->n_axes; i++)
            points *= n->axes[i].extent;
        for (int i = 0; i < g->n_axes; i++)
            points *= g->axes[i].extent;
        sum += points;
    }
    return sum;
}
