/* What a graph's text does not say:
 *
 *   next 173
 *   counted "base" 2
 *   order "x" "w" ...
 */
#include <string.h>

#include "ir/graph_parts.h"
#include "ir/graph_text.h"

/* Ids beyond this are nobody's: a copy of the graph has a table of that many entries. */
enum { MOST_IDS = 1 << 26 };

void graph_state_print(const graph *g, strbuf *out) {
    strbuf_printf(out, "next %lu\n", (unsigned long)g->next_id);
    for (size_t i = 0; i < g->name_counts.n; i++) {
        const map_entry *e = &g->name_counts.entries[i];
        strbuf_add(out, "counted ");
        strbuf_quoted(out, e->name, strlen(e->name));
        strbuf_printf(out, " %lld\n", (long long)(intptr_t)e->value);
    }
    strbuf_add(out, "order");
    for (const value *v = g->values; v != NULL; v = v->next) {
        strbuf_char(out, ' ');
        strbuf_quoted(out, v->name, strlen(v->name));
    }
    strbuf_char(out, '\n');
}

static status read_counts(graph *g, scan *s) {
    while (scan_take(s, "counted")) {
        const char *name;
        size_t n;
        int64_t count;
        TRY(scan_quoted(s, g->memory, &name, &n));
        if (!scan_int(s, &count) || count <= 0 || count > INT32_MAX)
            return STATUS_INVALID;
        TRY(map_set(&g->name_counts, name, (void *)(intptr_t)count));
    }
    return STATUS_OK;
}

/* The order has each value once. */
static status read_order(const graph *g, scan *s, value ***out, size_t *out_n) {
    VEC(value *) list = {0};
    arena *a = g->memory;
    map seen = map_in(a);
    while (!scan_at_end(s)) {
        const char *name;
        size_t n;
        TRY(scan_quoted(s, a, &name, &n));
        value *v = graph_find_value(g, name);
        if (v == NULL || map_get_key(&seen, MAP_KEY(v)) != NULL)
            return STATUS_INVALID;
        TRY(map_set_key(&seen, MAP_KEY(v), v));
        TRY(VEC_PUSH(a, list, v));
    }
    size_t count = 0;
    for (const value *v = g->values; v != NULL; v = v->next)
        count++;
    *out = list.at;
    *out_n = list.n;
    return count == list.n ? STATUS_OK : STATUS_INVALID;
}

static void relink(graph *g, value **order, size_t n) {
    for (size_t i = 0; i < n; i++) {
        order[i]->id = (uint32_t)i;
        order[i]->prev = i > 0 ? order[i - 1] : NULL;
        order[i]->next = i + 1 < n ? order[i + 1] : NULL;
    }
    g->values = n > 0 ? order[0] : NULL;
    g->last_value = n > 0 ? order[n - 1] : NULL;
}

status graph_state_restore(graph *g, const char *text, size_t n) {
    scan s = scan_text(text, n);
    int64_t next;
    value **order;
    size_t n_order;
    if (!scan_take(&s, "next") || !scan_int(&s, &next) || next < 0 || next > MOST_IDS)
        return STATUS_INVALID;
    TRY(read_counts(g, &s));
    if (!scan_take(&s, "order"))
        return STATUS_INVALID;
    TRY(read_order(g, &s, &order, &n_order));
    relink(g, order, n_order);
    uint32_t id = (uint32_t)n_order;
    for (node *x = g->first; x != NULL; x = x->next)
        x->id = id++;
    g->next_id = id > (uint32_t)next ? id : (uint32_t)next;
    return STATUS_OK;
}
