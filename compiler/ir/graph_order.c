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
    node **stack;
    int *next_input; /* by stack slot */
    int depth;
    uint8_t *marks; /* by node->order, which counts from 0 meanwhile */
    node **sorted;
    int n_sorted;
} sorter;

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
        if (v != NULL && v->def != NULL && s->marks[v->def->order] != PLACED)
            return v->def;
    }
    return NULL;
}

static void open_node(sorter *s, node *n) {
    s->marks[n->order] = OPEN;
    s->next_input[s->depth] = 0;
    s->stack[s->depth++] = n;
}

static status place(sorter *s, node *root) {
    if (s->marks[root->order] != UNSEEN)
        return STATUS_OK;
    open_node(s, root);
    while (s->depth > 0) {
        node *def = next_definition(s);
        if (def != NULL && s->marks[def->order] == OPEN)
            return report_cycle(s, def);
        if (def != NULL) {
            open_node(s, def);
            continue;
        }
        node *done = s->stack[--s->depth];
        s->marks[done->order] = PLACED;
        s->sorted[s->n_sorted++] = done;
    }
    return STATUS_OK;
}

static status sort_nodes(graph *g) {
    sorter s = {.g = g};
    s.stack = ARENA_NEW_N(g->memory, node *, g->n_nodes);
    s.sorted = ARENA_NEW_N(g->memory, node *, g->n_nodes);
    s.next_input = ARENA_NEW_N(g->memory, int, g->n_nodes);
    s.marks = ARENA_NEW_N(g->memory, uint8_t, g->n_nodes);
    if (s.stack == NULL || s.sorted == NULL || s.next_input == NULL || s.marks == NULL)
        return STATUS_RESOURCE;
    uint64_t index = 0;
    for (node *n = g->first; n != NULL; n = n->next)
        n->order = index++;
    for (node *n = g->first; n != NULL; n = n->next)
        TRY(place(&s, n));
    for (int i = 0; i < s.n_sorted; i++) {
        s.sorted[i]->prev = i > 0 ? s.sorted[i - 1] : NULL;
        s.sorted[i]->next = i + 1 < s.n_sorted ? s.sorted[i + 1] : NULL;
    }
    g->first = s.n_sorted > 0 ? s.sorted[0] : NULL;
    g->last = s.n_sorted > 0 ? s.sorted[s.n_sorted - 1] : NULL;
    return STATUS_OK;
}

/* Puts nodes in topological order: each keeps its place unless a definition must come before it. */
status graph_sort(graph *g) {
    arena_mark mark = arena_get_mark(g->memory);
    status s = sort_nodes(g);
    arena_reset(g->memory, mark);
    relabel(g);
    return s;
}
