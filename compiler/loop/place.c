/* Second step of builder_kernel: decides which expressions get a LET, and before which statement.
 *
 * An expression that does not read what the kernel changes may be computed at its home, the innermost region that
 * defines one of its variables, or anywhere between there and its use. It moves out of loops, but not out of a
 * condition (nor out of a loop that may not run at all) if it could trap and is not computed there anyway. It gets a
 * LET where that takes it out of a loop, or where two uses meet. */
#include "loop/build_internal.h"

#define CHEAP 8 /* operations that may be computed in vain */
#define WEIGHT_MAX 1000

/* ---- regions and items ---- */

static int open_region(placement *p, region_kind kind, int parent, int at) {
    region r = {kind, parent, 0, at};
    if (VEC_PUSH(p->f->b->memory, p->regions, r) != STATUS_OK)
        build_fail(p->f->b);
    return (int)p->regions.n - 1;
}

static void close_regions(placement *p, int from) {
    for (size_t i = (size_t)from; i < p->regions.n; i++)
        if (p->regions.at[i].end == 0)
            p->regions.at[i].end = (int)p->regions.n;
}

static bool number_block(placement *p, const block *in, int region_at);

static bool number_branch(placement *p, const block *in, region_kind kind, int parent, int at) {
    int inner = open_region(p, kind, parent, at);
    bool checks = !p->f->b->failed && number_block(p, in, inner);
    close_regions(p, inner);
    return checks;
}

static bool number_for(placement *p, const stmt *s, int region_at, int at) {
    bool runs = expr_range(s->loop.extent).lo >= 1;
    p->var_home[s->loop.var->ref] = (int)p->regions.n;
    return number_branch(p, &s->loop.body, runs ? REGION_LOOP : REGION_LOOP_MAYBE, region_at, at);
}

/* Gives the statements their items and regions. Is there a CHECK among them? */
static bool number_block(placement *p, const block *in, int region_at) {
    bool checks = false;
    for (const stmt *s = in->first; s != NULL && !p->f->b->failed; s = s->next) {
        int at = (int)p->items.n;
        if (VEC_PUSH(p->f->b->memory, p->items, (item){region_at, NULL}) != STATUS_OK) {
            build_fail(p->f->b);
            return false;
        }
        bool inside = s->kind == STMT_CHECK;
        if (s->kind == STMT_FOR)
            inside = number_for(p, s, region_at, at);
        if (s->kind == STMT_IF) {
            inside = number_branch(p, &s->cond.then, REGION_BRANCH, region_at, at);
            inside |= number_branch(p, &s->cond.otherwise, REGION_BRANCH, region_at, at);
        }
        if (s->kind == STMT_LET && finish_pinned(p->f, s->let.value))
            p->var_home[s->let.var->ref] = region_at;
        if (inside && s->next != NULL)
            region_at = open_region(p, REGION_CHECKED, region_at, at);
        checks = checks || inside;
    }
    return checks;
}

static bool within(const placement *p, int inner, int outer) {
    return inner >= outer && inner < p->regions.at[outer].end;
}

/* ---- the expressions of the kernel ---- */

static void collect(placement *p, const expr *x) {
    expr_info *e = &p->info[x->id];
    if (e->x != NULL || p->f->b->failed)
        return;
    e->x = x;
    for (int i = 0; i < x->n_args; i++)
        collect(p, x->arg[i]);
    if (VEC_PUSH(p->f->b->memory, p->order, e) != STATUS_OK)
        build_fail(p->f->b);
}

static void add_use(placement *p, const expr *x, int at, bool hint) {
    expr_use *u = ARENA_NEW(p->f->b->memory, expr_use);
    if (u == NULL) {
        build_fail(p->f->b);
        return;
    }
    *u = (expr_use){at, hint, p->info[x->id].uses};
    p->info[x->id].uses = u;
}

static void add_root(placement *p, const expr *x, int at, bool hint) {
    if (x == NULL || p->f->b->failed)
        return;
    collect(p, x);
    add_use(p, x, at, hint);
}

static void add_let_root(placement *p, const stmt *s, int at) {
    bool pinned = finish_pinned(p->f, s->let.value);
    add_root(p, s->let.value, at, !pinned);
    if (!pinned)
        p->info[s->let.value->id].stem = p->f->b->vars.at[s->let.var->ref].name;
}

static void add_roots(placement *p, const block *in, int *next) {
    for (const stmt *s = in->first; s != NULL && !p->f->b->failed; s = s->next) {
        int at = (*next)++;
        switch (s->kind) {
        case STMT_LET:
            add_let_root(p, s, at);
            break;
        case STMT_FOR:
            add_root(p, s->loop.extent, at, false);
            add_roots(p, &s->loop.body, next);
            break;
        case STMT_STORE:
            add_root(p, s->store.index, at, false);
            add_root(p, s->store.value, at, false);
            add_root(p, s->store.mask, at, false);
            break;
        case STMT_SET:
            add_root(p, s->set.index, at, false);
            add_root(p, s->set.value, at, false);
            break;
        case STMT_IF:
            add_root(p, s->cond.condition, at, false);
            add_roots(p, &s->cond.then, next);
            add_roots(p, &s->cond.otherwise, next);
            break;
        case STMT_CHECK:
            add_root(p, s->check.condition, at, false);
            break;
        default:
            break;
        }
    }
}

static bool may_trap(const expr *x) {
    if (x->kind == EXPR_LOAD)
        return true;
    bool divides = (x->kind == EXPR_DIV || x->kind == EXPR_REM) && !dtype_is_float(x->type.elem);
    const expr *divisor = divides ? x->arg[1] : NULL;
    if (divides && divisor->kind == EXPR_BROADCAST)
        divisor = divisor->arg[0];
    return divides && divisor->kind != EXPR_INT;
}

/* The outermost region that runs whenever `r` does, down to e's home. */
static int surely_with(const placement *p, const expr_info *e, int r) {
    while (r != e->home && p->regions.at[r].kind == REGION_LOOP)
        r = p->regions.at[r].parent;
    return r;
}

static void note_computed(const placement *p, expr_info *e, int r) {
    r = surely_with(p, e, r);
    if (e->computed < 0 || within(p, e->computed, r))
        e->computed = r;
}

/* The region that lies within both; -1 none. */
static int inner_of(const placement *p, int a, int b) {
    if (a < 0 || b < 0)
        return -1;
    return within(p, a, b) ? a : within(p, b, a) ? b : -1;
}

static void describe(const placement *p, expr_info *e) {
    e->home = e->x->kind == EXPR_VAR ? p->var_home[e->x->ref] : 0;
    e->weight = e->x->n_args > 0;
    e->computed = -1;
    for (int i = 0; i < e->x->n_args; i++) {
        const expr_info *a = &p->info[e->x->arg[i]->id];
        e->home = a->home > e->home ? a->home : e->home;
        e->weight += a->weight;
    }
    e->weight = e->weight < WEIGHT_MAX ? e->weight : WEIGHT_MAX;
}

static void describe_all(placement *p) {
    for (size_t i = 0; i < p->order.n; i++)
        describe(p, p->order.at[i]);
    for (size_t i = p->order.n; i-- > 0;) {
        expr_info *e = p->order.at[i];
        for (const expr_use *u = e->uses; u != NULL; u = u->next)
            note_computed(p, e, p->items.at[u->item].region);
        for (int j = 0; j < e->x->n_args; j++)
            note_computed(p, &p->info[e->x->arg[j]->id], e->computed);
    }
    for (size_t i = 0; i < p->order.n; i++) {
        expr_info *e = p->order.at[i];
        e->safe = may_trap(e->x) ? e->computed : 0;
        for (int j = 0; j < e->x->n_args; j++)
            e->safe = inner_of(p, e->safe, p->info[e->x->arg[j]->id].safe);
    }
}

/* Not worth a variable wherever it stands. */
static bool trivial(const expr *x) {
    return x->n_args == 0 || ((x->kind == EXPR_BROADCAST || x->kind == EXPR_RAMP) && expr_is_const(x->arg[0]));
}

/* ---- placing ---- */

/* The uses of one expression that share a region. */
typedef struct group {
    int region_at, item, count;
    bool hoisted; /* some use is in a deeper region than the LET would be */
} group;

typedef struct placer {
    placement *p;
    VEC(group) groups;
    int *group_of; /* by region: 1 + index in groups; 0 none */
    int *count_of; /* by item, for pinned expressions */
} placer;

static bool may_leave(const placement *p, const expr_info *e, const region *inner) {
    if (inner->kind == REGION_LOOP)
        return true;
    bool safe = e->safe >= 0 && within(p, inner->parent, e->safe);
    return safe && (inner->kind == REGION_LOOP_MAYBE || e->weight <= CHEAP);
}

/* The item before which e is best computed for a use at `at`: outside of all the loops that it may leave. */
static int climb(const placement *p, const expr_info *e, int at) {
    int best = at, r = p->items.at[at].region;
    while (r != e->home) {
        const region *inner = &p->regions.at[r];
        if (!may_leave(p, e, inner))
            break;
        at = inner->at;
        r = inner->parent;
        if (inner->kind == REGION_LOOP || inner->kind == REGION_LOOP_MAYBE)
            best = at;
    }
    return best;
}

static void add_to_group(placer *s, int at, int count, bool hoisted) {
    int r = s->p->items.at[at].region;
    if (s->group_of[r] == 0) {
        if (VEC_PUSH(s->p->f->b->memory, s->groups, (group){r, at, 0, false}) != STATUS_OK) {
            build_fail(s->p->f->b);
            return;
        }
        s->group_of[r] = (int)s->groups.n;
    }
    group *g = &s->groups.at[s->group_of[r] - 1];
    g->item = at < g->item ? at : g->item;
    g->count += count;
    g->hoisted = g->hoisted || hoisted;
}

/* Moves a group to the outermost enclosing region that has a group, if any. */
static void merge_outwards(placer *s, size_t i) {
    group *g = &s->groups.at[i];
    const region *regions = s->p->regions.at;
    int into = 0, at = g->item, at_into = at;
    for (int r = g->region_at; r != 0; r = regions[r].parent) {
        at = regions[r].at;
        if (s->group_of[regions[r].parent] != 0) {
            into = s->group_of[regions[r].parent];
            at_into = at;
        }
    }
    if (into == 0)
        return;
    group *outer = &s->groups.at[into - 1];
    outer->item = at_into < outer->item ? at_into : outer->item;
    outer->count += g->count;
    outer->hoisted = outer->hoisted || g->count > 0;
    g->count = 0;
}

/* What is shuffled with itself is used once. */
static void use_operands(placement *p, const expr *x, int at) {
    for (int i = 0; i < x->n_args; i++)
        if (!p->f->b->failed && (x->kind != EXPR_SHUFFLE || i == 0 || x->arg[i] != x->arg[0]))
            add_use(p, x->arg[i], at, false);
}

static void add_let(placement *p, expr_info *e, int at, bool pinned) {
    let_place *l = ARENA_NEW(p->f->b->memory, let_place);
    if (l == NULL) {
        build_fail(p->f->b);
        return;
    }
    *l = (let_place){e->x, at, pinned, p->items.at[at].lets, e->lets, NULL};
    p->items.at[at].lets = l;
    e->lets = l;
    use_operands(p, e->x, at);
}

static void place_pinned(placer *s, expr_info *e) {
    for (const expr_use *u = e->uses; u != NULL; u = u->next)
        s->count_of[u->item]++;
    for (const expr_use *u = e->uses; u != NULL; u = u->next) {
        int count = s->count_of[u->item];
        s->count_of[u->item] = 0;
        if (count > 1)
            add_let(s->p, e, u->item, true);
        else if (count == 1)
            use_operands(s->p, e->x, u->item);
    }
}

/* The uses that no LET covers compute x where they are. */
static void inline_uses(placer *s, const expr_info *e) {
    for (const expr_use *u = e->uses; u != NULL; u = u->next)
        if (!u->hint && place_find(s->p, e->x, u->item) == NULL)
            use_operands(s->p, e->x, u->item);
}

static void place_movable(placer *s, expr_info *e) {
    placement *p = s->p;
    s->groups.n = 0;
    for (const expr_use *u = e->uses; u != NULL; u = u->next) {
        int at = climb(p, e, u->item);
        add_to_group(s, at, !u->hint, !u->hint && p->items.at[at].region != p->items.at[u->item].region);
    }
    for (size_t i = 0; i < s->groups.n; i++)
        merge_outwards(s, i);
    for (size_t i = 0; i < s->groups.n; i++) {
        const group *g = &s->groups.at[i];
        s->group_of[g->region_at] = 0;
        if (g->count > 1 || (g->count == 1 && g->hoisted))
            add_let(p, e, g->item, false);
    }
    inline_uses(s, e);
}

let_place *place_find(const placement *p, const expr *x, int item_at) {
    int r = p->items.at[item_at].region;
    for (let_place *l = p->info[x->id].lets; l != NULL; l = l->next_of_value)
        if (l->pinned ? l->item == item_at : within(p, r, p->items.at[l->item].region))
            return l;
    return NULL;
}

static void place_all(placement *p) {
    arena *a = p->f->b->memory;
    placer s = {.p = p, .group_of = ARENA_NEW_N(a, int, p->regions.n), .count_of = ARENA_NEW_N(a, int, p->items.n + 1)};
    if (s.group_of == NULL || s.count_of == NULL) {
        build_fail(p->f->b);
        return;
    }
    for (size_t i = p->order.n; i-- > 0 && !p->f->b->failed;) {
        expr_info *e = p->order.at[i];
        if (trivial(e->x))
            continue;
        if (finish_pinned(p->f, e->x))
            place_pinned(&s, e);
        else
            place_movable(&s, e);
    }
}

void place_lets(placement *p) {
    builder *b = p->f->b;
    open_region(p, REGION_ROOT, -1, -1);
    p->var_home = ARENA_NEW_N(b->memory, int, b->vars.n + 1);
    p->info = ARENA_NEW_N(b->memory, expr_info, (size_t)b->n_exprs + 1);
    if (p->var_home == NULL || p->info == NULL)
        build_fail(b);
    if (b->failed)
        return;
    number_block(p, &p->f->body, 0);
    close_regions(p, 0);
    int next = 0;
    add_roots(p, &p->f->body, &next);
    if (b->failed)
        return;
    describe_all(p);
    place_all(p);
}
