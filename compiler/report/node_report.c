/* What `tenon bench --per-node` measured. */
#include "report/node_report.h"

#include <string.h>

enum { COLUMNS = 12, LEFT_COLUMNS = 4, LONGEST_NAME = 35, LONGEST_FUSED = 19 };

double node_gflops(int64_t macs, double us) {
    return us > 0 ? 2e-3 * (double)macs / us : 0;
}

static double gigabytes(int64_t bytes, double us) {
    return us > 0 ? 1e-3 * (double)bytes / us : 0;
}

static double share(double part, double whole) {
    return whole > 0 ? part / whole : 0;
}

/* Steps of nodes are in the order of the schedule; rows go by the file's. Few enough to sort by insertion. */
static const bench_node **in_order(const bench_nodes *b, arena *a) {
    const bench_node **rows = ARENA_NEW_N(a, const bench_node *, b->n + 1);
    for (size_t i = 0; rows != NULL && i < b->n; i++) {
        uint64_t index = (uint64_t)b->at[i].lead.index; /* -1 comes last */
        size_t k = i;
        for (; k > 0 && (uint64_t)rows[k - 1]->lead.index > index; k--)
            rows[k] = rows[k - 1];
        rows[k] = &b->at[i];
    }
    return rows;
}

/* ---- text ---- */

/* What follows the last '/': fused nodes mostly lie in their leader's folder. */
static const char *last_part(const bench_part *p) {
    const char *slash = strrchr(p->name, '/'), *name = slash != NULL ? slash + 1 : p->name;
    return *name != '\0' ? name : p->op;
}

/* "conv1 + Add, Relu, 2 more" */
static status print_names(const bench_node *n, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_add(&s, report_name(a, n->lead.name, LONGEST_NAME));
    size_t end = s.n + LONGEST_FUSED, i = 0;
    for (; i < n->n_fused && s.n + strlen(last_part(&n->fused[i])) <= end; i++)
        strbuf_printf(&s, "%s%s", i > 0 ? ", " : s.n > 0 ? " + " : "+ ", last_part(&n->fused[i]));
    if (i < n->n_fused)
        strbuf_printf(&s, "%s%zu more", i > 0 ? ", " : s.n > 0 ? " + " : "+ ", n->n_fused - i);
    return strbuf_finish(&s, out);
}

static const char *number(arena *a, const char *format, double x) {
    const char *text = x == 0 ? "." : arena_printf(a, format, x);
    return text != NULL ? text : "";
}

/* The columns from time on. */
static void fill_numbers(const bench_nodes *b, const bench_node *n, arena *a, const char **cells) {
    const double us = n->us;
    const int64_t macs = n->macs, bytes = n->bytes;
    cells[0] = number(a, "%.2f", us);
    cells[1] = number(a, "%.1f%%", 100 * share(us, b->sum_us));
    cells[2] = number(a, "%.0f", (double)macs);
    cells[3] = number(a, "%.1f", node_gflops(macs, us));
    cells[4] = number(a, "%.1f%%", 100 * share(node_gflops(macs, us), b->peak_gflops));
    cells[5] = report_amount(a, (double)bytes, "B");
    cells[6] = number(a, "%.1f%%", 100 * share(gigabytes(bytes, us), b->bandwidth_gbs));
    cells[7] = number(a, "%.0f", n->cycles);
}

static status fill_row(const bench_nodes *b, const bench_node *n, arena *a, const char **cells) {
    cells[0] = n->lead.index < 0 ? "-" : arena_printf(a, "%lld", (long long)n->lead.index);
    cells[1] = n->lead.op;
    TRY_ALLOC(cells[0]);
    TRY(print_names(n, a, &cells[2]));
    cells[3] = n->precision;
    fill_numbers(b, n, a, cells + LEFT_COLUMNS);
    return STATUS_OK;
}

static status add_table(const bench_nodes *b, arena *a, strbuf *s) {
    static const char *const heads[COLUMNS] = {"node", "operator", "name",    "computes in", "us",           "share",
                                               "MACs", "GFLOP/s",  "of peak", "bytes",       "of bandwidth", "cycles"};
    const bench_node **rows = in_order(b, a);
    const char **cells = ARENA_NEW_N(a, const char *, (b->n + 2) * COLUMNS);
    if (rows == NULL || cells == NULL)
        return STATUS_RESOURCE;
    memcpy(cells, heads, sizeof heads);
    bench_node all = {.us = b->sum_us};
    for (size_t i = 0; i < b->n; i++) {
        TRY(fill_row(b, rows[i], a, cells + (i + 1) * COLUMNS));
        all.macs += rows[i]->macs;
        all.bytes += rows[i]->bytes;
        all.cycles += rows[i]->cycles;
    }
    const char **totals = cells + (b->n + 1) * COLUMNS;
    totals[0] = "total";
    totals[1] = totals[2] = totals[3] = "";
    fill_numbers(b, &all, a, totals + LEFT_COLUMNS);
    report_table(s, cells, b->n + 2, COLUMNS, LEFT_COLUMNS);
    return STATUS_OK;
}

status node_report_text(const bench_result *r, arena *a, strbuf *s) {
    const bench_nodes *b = r->nodes;
    strbuf_char(s, '\n');
    TRY(add_table(b, a, s));
    double more = 100 * (share(b->sum_us, r->median_us) - 1);
    strbuf_printf(s,
                  "\nnodes     %.1f us in all, %.1f %% %s the median latency (%lld traced runs; less %.0f ns a call "
                  "for the clock)\n",
                  b->sum_us, more < 0 ? -more : more, more < 0 ? "below" : "above", (long long)b->runs,
                  b->tick_us * 1e3);
    strbuf_printf(s, "peak      %.1f GFLOP/s measured: f32 multiply-adds in registers%s\n", b->peak_gflops,
                  r->threads > 1 ? ", of one core times the threads" : "");
    strbuf_printf(s, "bandwidth %.1f GB/s measured: reading %s, as much as the model touches\n", b->bandwidth_gbs,
                  report_amount(a, (double)b->bandwidth_bytes, "B"));
    if (b->trace != NULL)
        strbuf_printf(s, "trace     %s\n", b->trace);
    return STATUS_OK;
}

/* ---- JSON ---- */

static void json_part(json *j, cJSON *item, const bench_part *p) {
    json_integer(j, item, "index", p->index);
    json_text(j, item, "op", p->op);
    json_text(j, item, "name", p->name);
}

static void json_node(json *j, cJSON *list, const bench_nodes *b, const bench_node *n) {
    cJSON *item = json_item(j, list);
    json_part(j, item, &n->lead);
    cJSON *fused = json_list(j, item, "fused");
    for (size_t i = 0; i < n->n_fused; i++)
        json_part(j, json_item(j, fused), &n->fused[i]);
    json_text(j, item, "shapes", n->shapes);
    json_text(j, item, "precision", n->precision);
    json_integer(j, item, "calls", n->calls);
    json_number(j, item, "us", n->us);
    json_number(j, item, "share", share(n->us, b->sum_us));
    json_integer(j, item, "macs", n->macs);
    json_number(j, item, "gflops", node_gflops(n->macs, n->us));
    json_number(j, item, "peak_share", share(node_gflops(n->macs, n->us), b->peak_gflops));
    json_integer(j, item, "bytes", n->bytes);
    json_number(j, item, "cycles", n->cycles);
    json_number(j, item, "gbs", gigabytes(n->bytes, n->us));
    json_number(j, item, "bandwidth_share", share(gigabytes(n->bytes, n->us), b->bandwidth_gbs));
}

status node_report_json(const bench_result *r, arena *a, json *j) {
    const bench_nodes *b = r->nodes;
    const bench_node **rows = in_order(b, a);
    TRY_ALLOC(rows);
    json_number(j, NULL, "peak_gflops", b->peak_gflops);
    json_number(j, NULL, "bandwidth_gbs", b->bandwidth_gbs);
    json_integer(j, NULL, "bandwidth_bytes", b->bandwidth_bytes);
    json_number(j, NULL, "nodes_us", b->sum_us);
    json_integer(j, NULL, "nodes_runs", b->runs);
    json_number(j, NULL, "clock_us", b->tick_us);
    if (b->trace != NULL)
        json_text(j, NULL, "trace", b->trace);
    cJSON *list = json_list(j, NULL, "nodes");
    for (size_t i = 0; i < b->n; i++)
        json_node(j, list, b, rows[i]);
    return STATUS_OK;
}
