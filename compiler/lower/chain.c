/* Which nests form chains. */
#include "lower/chain.h"

#include <string.h>

const chain *chain_of(const chain_list *l, const node_info *root, int index) {
    for (size_t i = 0; i < l->n; i++)
        for (int k = 0; k < l->at[i]->n; k++)
            if (l->at[i]->at[k].root == root && l->at[i]->at[k].nest == index)
                return l->at[i];
    return NULL;
}

bool chain_ends_with(const chain *c, const node_info *root, int index) {
    return c->at[c->n - 1].root == root && c->at[c->n - 1].nest == index;
}

/* ---- by how much operands move ---- */

static expr_list reads_of(const composed *c, const expr *x) {
    expr_list l = {.kind = EXPR_READ, .memory = builder_arena(c->b)};
    expr_list_add(&l, x);
    if (l.result != STATUS_OK)
        build_fail(c->b);
    return l;
}

/* Does the operand's border of zeros do the work of all masks? */
static bool has_border(const composed *c, int operand) {
    const schedule_operand *o = &c->operands.at[operand];
    int64_t low[NEST_MAX_AXES] = {0}, high[NEST_MAX_AXES] = {0};
    if (!c->n->contract || !layout_has_border(o->layout, o->rank) || !border_of_reads(c->n, operand, o, low, high))
        return false;
    for (int d = 0; d < o->rank; d++)
        if (low[d] > o->layout->low[d] || high[d] > o->layout->high[d])
            return false;
    return true;
}

static bool note_step(const composed *c, int operand, const expr *const *index, const expr *var, int64_t *steps) {
    int64_t step = 0;
    const expr *rest = NULL, *at = operand_position(c->b, &c->operands.at[operand], index);
    if (!expr_affine(c->b, at, &var, 1, &step, &rest))
        return false;
    bool agrees = steps[operand] == CHAIN_UNUSED || steps[operand] == step;
    steps[operand] = step;
    return agrees;
}

/* What x reads moves with the axis; nothing else in x may depend on it. */
static bool note_reads(const composed *c, const expr *x, const expr *var, int64_t *steps) {
    expr_list reads = reads_of(c, x);
    const expr **stand_ins = ARENA_NEW_N(builder_arena(c->b), const expr *, reads.at.n + 1);
    if (stand_ins == NULL)
        build_fail(c->b);
    if (builder_status(c->b) != STATUS_OK)
        return false;
    for (size_t i = 0; i < reads.at.n; i++) {
        const expr *r = reads.at.at[i];
        const expr *mask = r->masked ? r->arg[r->n_args - 1] : NULL;
        if (mask != NULL && expr_uses(mask, var) && !has_border(c, r->ref))
            return false;
        if (!note_step(c, r->ref, r->arg, var, steps))
            return false;
        stand_ins[i] = build_var(c->b, r->type, "read");
    }
    return !expr_uses(build_substitute(c->b, x, reads.at.at, stand_ins, (int)reads.at.n), var);
}

bool chain_steps(const composed *c, int axis, int64_t *out) {
    const expr *var = c->n->axes[axis].var;
    for (size_t i = 0; i < c->operands.n; i++)
        out[i] = CHAIN_UNUSED;
    for (size_t s = 0; s < c->n->stages.n; s++) {
        const nest_stage *g = &c->n->stages.at[s];
        if (!note_reads(c, g->value, var, out))
            return false;
        if (g->kind == STAGE_STORE && !note_step(c, g->operand, g->index, var, out))
            return false;
    }
    return builder_status(c->b) == STATUS_OK;
}

/* ---- a nest that may be a member ---- */

/* The operand that the nest stores; -1 where there are several. */
static int stored_operand(const composed *c) {
    int found = -1;
    for (size_t s = 0; s < c->n->stages.n; s++) {
        const nest_stage *g = &c->n->stages.at[s];
        if (g->kind != STAGE_STORE)
            continue;
        if (found >= 0 && found != g->operand)
            return -1;
        found = g->operand;
    }
    return found;
}

static int operand_of(const composed *c, const value *v, int temporary) {
    for (size_t i = 0; i < c->values.n; i++)
        if (c->values.at[i] == v && (v != NULL || c->temporaries.at[i] == temporary))
            return (int)i;
    return -1;
}

static const node_info *core_or_self(const grouping *x, const node_info *root) {
    return root->core >= 0 ? &x->nodes[root->core] : root;
}

static status compose_member(const grouping *x, const node_info *root, int index, composed *out) {
    return compose_group(x, root, core_or_self(x, root), index, x->memory, out);
}

/* ---- the next of a chain ---- */

typedef struct next_nest {
    const node_info *root; /* NULL: none */
    int nest;
    composed c;
    int reads;
} next_nest;

/* The one root that reads v, or NULL. */
static const node_info *only_reader(const grouping *x, const value *v) {
    const node_info *only = NULL;
    for (const use *u = v->uses; u != NULL; u = u->next) {
        const node_info *reader = u->user != NULL ? group_info(x, u->user) : NULL;
        if (reader == NULL || reader->n_roots != 1)
            return NULL;
        const node_info *root = &x->nodes[reader->roots[0]];
        if (only != NULL && only != root)
            return NULL;
        only = root;
    }
    return only;
}

static bool may_chain(const grouping *x, const node_info *root) {
    const node_info *which = core_or_self(x, root);
    return !which->raw && !which->in_steps && which->n->n_outputs == 1 && root->n->n_outputs == 1;
}

/* The only nest of `root`, from `from` on, that reads the value or temporary. */
static status find_reader(const grouping *x, const node_info *root, int from, const value *v, int temporary,
                          next_nest *out) {
    *out = (next_nest){0};
    for (int k = from; k < core_or_self(x, root)->n_nests; k++) {
        composed c;
        TRY(compose_member(x, root, k, &c));
        int reads = operand_of(&c, v, temporary);
        if (reads < 0)
            continue;
        bool several = out->root != NULL;
        *out = (next_nest){several ? NULL : root, k, c, reads};
        if (several)
            break;
    }
    return STATUS_OK;
}

/* Does another nest of the root than `own` and `reader` access what `own` stores? */
static status is_shared(const grouping *x, const chain_member *own, int reader, const value *v, int temporary,
                        bool *out) {
    *out = false;
    for (int k = 0; k < own->which->n_nests && !*out; k++) {
        composed c;
        if (k == own->nest || k == reader)
            continue;
        TRY(compose_member(x, own->root, k, &c));
        *out = operand_of(&c, v, temporary) >= 0;
    }
    return STATUS_OK;
}

static status next_of(const grouping *x, const chain_member *m, const composed *c, next_nest *out) {
    const value *v = c->values.at[m->stores];
    *out = (next_nest){0};
    if (layout_has_border(c->operands.at[m->stores].layout, c->operands.at[m->stores].rank))
        return STATUS_OK;
    const node_info *reader = v != NULL ? only_reader(x, v) : m->root;
    int temporary = v != NULL ? -1 : c->temporaries.at[m->stores];
    if (reader == NULL || (v != NULL && reader == m->root) || !may_chain(x, reader))
        return STATUS_OK;
    TRY(find_reader(x, reader, v != NULL ? 0 : m->nest + 1, v, temporary, out));
    bool shared = false;
    TRY(is_shared(x, m, v != NULL ? -1 : out->nest, v, temporary, &shared));
    if (shared)
        out->root = NULL;
    return STATUS_OK;
}

/* ---- the axes that two neighbours share ---- */

static int axis_of(const nest *n, const expr *var, int64_t extent) {
    for (int i = 0; i < n->n_axes; i++)
        if (n->axes[i].var == var && n->axes[i].extent == extent)
            return i;
    return -1;
}

/* The outer axis that alone indexes dimension d of the operand in every store; -1 none. */
static int store_axis(const composed *c, int operand, int d) {
    int axis = -1;
    for (size_t s = 0; s < c->n->stages.n; s++) {
        const nest_stage *g = &c->n->stages.at[s];
        if (g->kind != STAGE_STORE)
            continue;
        int found = axis_of(c->n, g->index[d], c->operands.at[operand].dims[d]);
        if (found < 0 || (axis >= 0 && axis != found))
            return -1;
        axis = found;
    }
    return axis;
}

/* And wherever it is read. */
static int read_axis(const composed *c, int operand, int d) {
    int axis = -1;
    for (size_t s = 0; s < c->n->stages.n; s++) {
        expr_list reads = reads_of(c, c->n->stages.at[s].value);
        for (size_t i = 0; i < reads.at.n; i++) {
            const expr *r = reads.at.at[i];
            if (r->ref != operand)
                continue;
            int found = axis_of(c->n, r->arg[d], c->operands.at[operand].dims[d]);
            if (found < 0 || r->masked || (axis >= 0 && axis != found))
                return -1;
            axis = found;
        }
    }
    return axis;
}

static int loop_of_axis(const chain *c, int member, int axis) {
    for (int l = 0; l < c->n_loops; l++)
        if (c->at[member].axis[l] == axis)
            return l;
    return -1;
}

static bool is_splittable(const composed *c, int axis, arena *a) {
    int64_t *steps = ARENA_NEW_N(a, int64_t, c->operands.n + 1);
    if (steps == NULL)
        build_fail(c->b);
    return steps != NULL && chain_steps(c, axis, steps);
}

/* The axes of a first link become loops, as the dimensions of the value lie; a later one has to share all loops. */
static bool link_members(const grouping *x, chain *c, const composed *from, const next_nest *to) {
    chain_member *m = &c->at[c->n - 1];
    chain_member next = {.root = to->root, .nest = to->nest, .reads = to->reads};
    const schedule_operand *between = &from->operands.at[m->stores];
    int shared = 0;
    for (int d = 0; d < between->rank; d++) {
        int64_t extent = between->dims[d];
        int out = store_axis(from, m->stores, d), in = read_axis(&to->c, to->reads, d);
        int loop = c->n > 1 ? loop_of_axis(c, c->n - 1, out) : c->n_loops;
        m->loop_of_dim[d] = -1;
        if (extent <= 1 || out < 0 || in < 0 || loop < 0 || loop == FUSE_MAX_LOOPS ||
            !is_splittable(&to->c, in, x->memory))
            continue;
        if (c->n == 1) {
            if (!is_splittable(from, out, x->memory))
                continue;
            c->loops[c->n_loops++] = (fused_loop){extent, extent};
            m->axis[loop] = out;
        }
        next.axis[loop] = in;
        m->loop_of_dim[d] = loop;
        shared++;
    }
    if (shared == 0 || shared != c->n_loops)
        return false;
    next.which = core_or_self(x, to->root);
    next.stores = stored_operand(&to->c);
    c->at[c->n++] = next;
    return next.stores >= 0;
}

/* ---- what the cost model wants to know ---- */

static int64_t operand_bytes(const schedule_operand *o) {
    int64_t n = o->layout != NULL ? o->layout->n : 1;
    for (int d = 0; d < o->rank && o->layout == NULL; d++)
        n *= o->dims[d];
    return (int64_t)dtype_bytes(o->elem, (size_t)n);
}

static int count_passes(const composed *c, int operand) {
    int passes = 0;
    for (size_t s = 0; s < c->n->stages.n; s++) {
        expr_list reads = reads_of(c, c->n->stages.at[s].value);
        for (size_t i = 0; i < reads.at.n; i++)
            if (reads.at.at[i]->ref == operand) {
                passes++;
                break;
            }
    }
    return passes;
}

static status weigh(const grouping *x, const chain *c, int member, const composed *m, chain_work *out) {
    const chain_member *at = &c->at[member];
    out->macs = (double)nest_macs(m->n);
    out->stored = operand_bytes(&m->operands.at[at->stores]);
    int64_t *steps = ARENA_NEW_N(x->memory, int64_t, (m->operands.n + 1) * FUSE_MAX_LOOPS);
    TRY_ALLOC(steps);
    for (int l = 0; l < c->n_loops; l++)
        if (!chain_steps(m, at->axis[l], steps + (size_t)l * m->operands.n))
            return STATUS_RESOURCE;
    for (size_t k = 0; k < m->operands.n; k++) {
        if ((int)k == at->reads || (int)k == at->stores || steps[k] == CHAIN_UNUSED)
            continue;
        chain_load load = {operand_bytes(&m->operands.at[k]), m->operands.at[k].data != NULL, {0}};
        for (int l = 0; l < c->n_loops; l++)
            load.moves[l] = steps[(size_t)l * m->operands.n + k] != 0;
        TRY(VEC_PUSH(x->memory, out->loads, load));
    }
    return STATUS_OK;
}

/* ---- all chains ---- */

typedef struct candidate {
    chain c;
    double saves;
} candidate;
typedef VEC(candidate) candidate_list;

/* Follows the chain from a nest on for as long as each next nest shares all loops. */
static status follow(const grouping *x, chain *c, chain_work *work) {
    composed from;
    next_nest next;
    TRY(compose_member(x, c->at[0].root, c->at[0].nest, &from));
    c->at[0].stores = stored_operand(&from);
    while (c->n < CHAIN_MAX_MEMBERS && c->at[c->n - 1].stores >= 0) {
        TRY(next_of(x, &c->at[c->n - 1], &from, &next));
        if (next.root == NULL)
            return STATUS_OK;
        bool linked = link_members(x, c, &from, &next);
        TRY(builder_status(from.b));
        TRY(builder_status(next.c.b));
        if (!linked)
            return STATUS_OK;
        work[c->n - 2].passes = count_passes(&next.c, next.reads);
        from = next.c;
    }
    return STATUS_OK;
}

/* All chains that begin with a nest and pay off, each with what it saves. */
static status add_candidates(const grouping *x, chain *c, chain_work *work, arena *a, candidate_list *out) {
    for (int k = 0; c->n > 1 && k < c->n; k++) {
        composed m;
        TRY(compose_member(x, c->at[k].root, c->at[k].nest, &m));
        TRY(weigh(x, c, k, &m, &work[k]));
    }
    for (int n = 2; n <= c->n; n++) {
        candidate found = {.c = *c};
        found.c.n = n;
        found.saves = chain_choose_blocks(&found.c, work, x->o);
        if (found.saves > 0)
            TRY(VEC_PUSH(a, *out, found));
    }
    return STATUS_OK;
}

static status start_at(const grouping *x, const node_info *root, int index, arena *scratch, candidate_list *out) {
    grouping passing = *x;
    chain c = {.n = 1, .at[0] = {.root = root, .which = core_or_self(x, root), .nest = index, .reads = -1}};
    chain_work work[CHAIN_MAX_MEMBERS];
    arena_mark mark = arena_get_mark(scratch);
    memset(work, 0, sizeof work);
    passing.memory = scratch;
    status s = follow(&passing, &c, work);
    if (s == STATUS_OK)
        s = add_candidates(&passing, &c, work, x->memory, out);
    arena_reset(scratch, mark);
    return s;
}

/* A question that costs little: has some nest of the root a single reader? */
static bool may_start(const grouping *x, const node_info *root) {
    return core_or_self(x, root)->n_nests > 1 || only_reader(x, node_output(root->n, 0)) != NULL;
}

static status find_candidates(const grouping *x, arena *scratch, candidate_list *out) {
    for (int i = 0; i < x->n; i++) {
        const node_info *root = &x->nodes[i];
        if (root->inlined || root->core_of >= 0 || !may_chain(x, root) || !may_start(x, root))
            continue;
        for (int k = 0; k < core_or_self(x, root)->n_nests; k++)
            TRY(start_at(x, root, k, scratch, out));
    }
    return STATUS_OK;
}

static bool is_free(const chain *c, const chain_list *taken) {
    for (int k = 0; k < c->n; k++)
        if (chain_of(taken, c->at[k].root, c->at[k].nest) != NULL)
            return false;
    return true;
}

/* ---- what was measured ---- */

/* "chain Conv 1x64x56x56, Conv 1x64x56x56 by 8 of 56": what each member makes, and the loops' blocks. */
static status print_chain(const grouping *x, const chain *c, strbuf *s) {
    strbuf_add(s, "chain");
    for (int k = 0; k < c->n; k++) {
        composed m;
        TRY(compose_member(x, c->at[k].root, c->at[k].nest, &m));
        const schedule_operand *made = &m.operands.at[c->at[k].stores];
        strbuf_printf(s, "%s %s ", k > 0 ? "," : "", c->at[k].which->n->op);
        for (int d = 0; d < made->rank; d++)
            strbuf_printf(s, "%s%lld", d > 0 ? "x" : "", (long long)made->dims[d]);
    }
    for (int l = 0; l < c->n_loops; l++)
        strbuf_printf(s, "%s%lld of %lld", l > 0 ? ", " : " by ", (long long)c->loops[l].block,
                      (long long)c->loops[l].extent);
    return STATUS_OK;
}

/* Form 1 of a chain is that it is one, form 0 that its nests run one after the other. */
static status choose_tuned(const grouping *x, const chain *c, arena *scratch, bool *holds) {
    static const int forms[] = {1, 0};
    grouping passing = *x;
    int64_t sources[2 * CHAIN_MAX_MEMBERS];
    size_t n = 0;
    int form = 1;
    const char *name;
    passing.memory = scratch;
    strbuf s = strbuf_in(scratch);
    TRY(print_chain(&passing, c, &s));
    TRY(strbuf_finish(&s, &name));
    for (int k = 0; k < c->n; k++) {
        sources[n++] = c->at[k].root->n->source;
        sources[n++] = c->at[k].which->n->source;
    }
    TRY(tuning_decide(x->o->tuning, x->o->target, name, forms, 2, sources, n, &form));
    *holds = form == 1;
    return STATUS_OK;
}

/* The one that saves most, then the next that shares no nest with it, and so on. */
static status take_best(const grouping *x, candidate_list *all, arena *scratch, chain_list *out) {
    for (;;) {
        candidate *best = NULL;
        for (size_t i = 0; i < all->n; i++)
            if (all->at[i].saves > (best != NULL ? best->saves : 0) && is_free(&all->at[i].c, out))
                best = &all->at[i];
        if (best == NULL)
            return STATUS_OK;
        bool holds = false;
        TRY(chain_keeps_form(x, &best->c, scratch, &holds));
        if (holds && x->o->tuning != NULL)
            TRY(choose_tuned(x, &best->c, scratch, &holds));
        best->saves = 0;
        if (holds)
            TRY(VEC_PUSH(x->memory, *out, &best->c));
    }
}

status find_chains(const grouping *x, chain_list *out) {
    candidate_list all = {0};
    if (x->o->naive || x->o->chains == CHAINS_NEVER)
        return STATUS_OK;
    arena *scratch = arena_new(arena_allocator(x->memory));
    TRY_ALLOC(scratch);
    status s = find_candidates(x, scratch, &all);
    if (s == STATUS_OK)
        s = take_best(x, &all, scratch, out);
    arena_free(scratch);
    return s;
}
