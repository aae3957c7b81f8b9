/* The order of nodes: list, labels that compare in O(1), topological sort. */
#include <string.h>

#include "ir/graph_parts.h"

#define ORDER_GAP (UINT64_C(1) << 32)

enum { CYCLE_NAMED_MAX = 12 };

static void relabel(graph *g) {
    uint64_t order = 0;
    for (node *n = g->first; n != NULL; n = n->next)
        n->order = order += ORDER_GAP;
}

/* Puts a node that is not in the list before `before`; NULL: at the end. */
void order_insert(graph *g, node *n, node *before) {
    n->next = before;
    n->prev = before != NULL ? before->prev : g->last;
    *(n->prev != NULL ? &n->prev->next : &g->first) = n;
    *(before != NULL ? &before->prev : &g->last) = n;
    g->n_nodes++;
    uint64_t low = n->prev != NULL ? n->prev->order : 0;
    n->order = before == NULL ? low + ORDER_GAP : low + (before->order - low) / 2;
    if (n->order == low)
        relabel(g);
}

/* Takes a node out of the list. */
void order_remove(graph *g, node *n) {
    *(n->prev != NULL ? &n->prev->next : &g->first) = n->next;
    *(n->next != NULL ? &n->next->prev : &g->last) = n->prev;
    n->prev = n->next = NULL;
    g->n_nodes--;
}

/* Does x come before y in their graph's order? */
bool node_is_before(const node *x, const node *y) {
    return x->order < y->order;
}

/* Position in the order, from 0. Walks the list. */
int node_index(const node *n) {
    int index = 0;
    for (const node *p = n->prev; p != NULL; p = p->prev)
        index++;
    return index;
}

static status refuse_move(const node *n, const char *what, const node *other) {
    return diag_error(n->graph->diags, STATUS_INVALID, "use-before-definition", node_place(n),
                      "node '%s' (%s) cannot be moved: it would come %s '%s' (%s)", node_label(n), n->op, what,
                      node_label(other), other->op);
}

/* Moves n before `before` (NULL: to the end); refused where a definition would no longer come before its users. */
status graph_move_before(graph *g, node *n, node *before) {
    if (before == n)
        return STATUS_OK;
    for (int i = 0; i < n->n_inputs; i++) {
        const node *def = n->inputs[i].v == NULL ? NULL : n->inputs[i].v->def;
        if (def != NULL && before != NULL && !node_is_before(def, before))
            return refuse_move(n, "before its input's definition", def);
    }
    for (int i = 0; i < n->n_outputs; i++)
        for (const use *u = n->outputs[i] == NULL ? NULL : n->outputs[i]->uses; u != NULL; u = u->next)
            if (u->user != NULL && (before == NULL || node_is_before(u->user, before)))
                return refuse_move(n, "after its user", u->user);
    order_remove(g, n);
    order_insert(g, n, before);
    return STATUS_OK;
}

/* ---- sorting ---- */

enum { UNSEEN, OPEN, PLACED };

/* Depth-first walk with a stack of its own: a chain may be as long as the model. */
typedef struct sorter {
    graph *g;
    uint64_t low;  /* the first node's order; meanwhile node->order counts on from it */
    uint64_t step; /* from one node's order to the next one's, in the end */
    int n;         /* nodes to sort */
    node **stack;
    int *next_input; /* by stack slot */
    int depth;
    uint8_t *marks; /* by node->order - low */
    node **sorted;
    int n_sorted;
} sorter;

static uint8_t *mark_of(const sorter *s, const node *n) {
    return &s->marks[n->order - s->low];
}

static bool is_sorted_by(const sorter *s, const node *n) {
    return n->order >= s->low && n->order - s->low < (uint64_t)s->n;
}

static status report_cycle(const sorter *s, const node *again) {
    int from = s->depth - 1;
    while (s->stack[from] != again)
        from--;
    strbuf text = strbuf_in(s->g->memory);
    int listed = 0;
    /* The stack goes from users to definitions; the message follows the data. */
    for (int i = s->depth - 1; i >= from && listed < CYCLE_NAMED_MAX; i--, listed++)
        strbuf_printf(&text, "'%s' (%s) -> ", node_label(s->stack[i]), s->stack[i]->op);
    if (s->depth - from > CYCLE_NAMED_MAX)
        strbuf_printf(&text, "%d more -> ", s->depth - from - CYCLE_NAMED_MAX);
    strbuf_printf(&text, "'%s' (%s)", node_label(s->stack[s->depth - 1]), s->stack[s->depth - 1]->op);
    const char *path;
    TRY(strbuf_finish(&text, &path));
    return diag_error(s->g->diags, STATUS_INVALID, "cycle", node_place(again), "the graph has a cycle: %s", path);
}

/* The next definition that the node on top of the stack waits for; NULL where it waits for none. */
static node *next_definition(sorter *s) {
    const node *top = s->stack[s->depth - 1];
    int *i = &s->next_input[s->depth - 1];
    while (*i < top->n_inputs) {
        const value *v = top->inputs[(*i)++].v;
        if (v != NULL && v->def != NULL && is_sorted_by(s, v->def) && *mark_of(s, v->def) != PLACED)
            return v->def;
    }
    return NULL;
}

static void open_node(sorter *s, node *n) {
    *mark_of(s, n) = OPEN;
    s->next_input[s->depth] = 0;
    s->stack[s->depth++] = n;
}

static status place(sorter *s, node *root) {
    if (*mark_of(s, root) != UNSEEN)
        return STATUS_OK;
    open_node(s, root);
    while (s->depth > 0) {
        node *def = next_definition(s);
        if (def != NULL && *mark_of(s, def) == OPEN)
            return report_cycle(s, def);
        if (def != NULL) {
            open_node(s, def);
            continue;
        }
        node *done = s->stack[--s->depth];
        *mark_of(s, done) = PLACED;
        s->sorted[s->n_sorted++] = done;
    }
    return STATUS_OK;
}

/* Links the nodes between those around them. */
static void link_sorted(const sorter *s, node *before, node *after) {
    graph *g = s->g;
    for (int i = 0; i < s->n; i++) {
        node *n = s->sorted[i];
        n->prev = i > 0 ? s->sorted[i - 1] : before;
        n->next = i + 1 < s->n ? s->sorted[i + 1] : after;
        n->order = s->low + (uint64_t)i * s->step;
    }
    *(before != NULL ? &before->next : &g->first) = s->sorted[0];
    *(after != NULL ? &after->prev : &g->last) = s->sorted[s->n - 1];
}

static status sort_nodes(sorter *s, node *first, node *last) {
    node *before = first->prev, *after = last->next;
    arena *a = s->g->memory;
    s->stack = ARENA_NEW_N(a, node *, s->n);
    s->sorted = ARENA_NEW_N(a, node *, s->n);
    s->next_input = ARENA_NEW_N(a, int, s->n);
    s->marks = ARENA_NEW_N(a, uint8_t, s->n);
    if (s->stack == NULL || s->sorted == NULL || s->next_input == NULL || s->marks == NULL)
        return STATUS_RESOURCE;
    uint64_t order = s->low;
    for (node *n = first; n != after; n = n->next)
        n->order = order++;
    for (node *n = first; n != after; n = n->next)
        TRY(place(s, n));
    link_sorted(s, before, after);
    return STATUS_OK;
}

/* Puts the nodes from first to last in topological order: each keeps its place unless a definition must come before
 * it. */
status graph_sort(graph *g, node *first, node *last) {
    if (first == NULL)
        return STATUS_OK;
    arena_mark mark = arena_get_mark(g->memory);
    sorter s = {.g = g, .low = first->order};
    for (const node *n = first; n != last->next; n = n->next)
        s.n++;
    s.step = s.n > 1 ? (last->order - s.low) / (uint64_t)(s.n - 1) : 1;
    status outcome = sort_nodes(&s, first, last);
    arena_reset(g->memory, mark);
    return outcome;
}
