/* Steps as rows by ONNX node. A node's kernels compute others too, which were fused into it: the row is the leader's.
 */
#include "api/per_node.h"

#include <string.h>

#include "api/files.h"
#include "api/machine_peak.h"
#include "api/model_cost.h"
#include "api/step_times.h"

typedef struct gathering {
    const program *p;
    const step_nodes *steps; /* by p's step */
    const step_times *times;
    const program_cost *cost;
    bench_node *rows;
    size_t n_rows;
    bench_call *calls; /* by p's step */
    map by_lead;       /* node -> row */
    arena *memory;
} gathering;

status per_node_check(const tenon_graph *t) {
    const tenon_options *o = t->o;
    if ((!o->per_node && o->trace == NULL) || strcmp(o->backend, "jit") == 0)
        return STATUS_OK;
    return diag_error(t->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                      "--%s measures JIT code, which --backend %s does not run", o->per_node ? "per-node" : "trace",
                      o->backend);
}

/* ---- bytes ---- */

static int64_t bytes_of(const program_buffer *b, int64_t elements) {
    return (int64_t)dtype_bytes(b->elem, (size_t)elements);
}

/* Bytes of memory that a run touches: the arena, and of other buffers what the step that moves most of them does. */
static status touched_bytes(const gathering *x, int64_t *out) {
    int64_t *most = ARENA_NEW_N(x->memory, int64_t, x->p->buffers.n + 1);
    TRY_ALLOC(most);
    for (size_t s = 0; s < x->p->steps.n; s++) {
        const program_step *step = &x->p->steps.at[s];
        for (size_t i = 0; i < x->p->kernels.at[step->kernel]->buffers.n; i++) {
            const buffer_traffic *t = &x->cost->traffic[step->kernel][i];
            int64_t *m = &most[step->args[i].buffer], n = t->read > t->written ? t->read : t->written;
            *m = n > *m ? n : *m;
        }
    }
    *out = x->p->arena_bytes;
    for (size_t i = 0; i < x->p->buffers.n; i++)
        *out += x->p->buffers.at[i].place != PLACE_ARENA ? bytes_of(&x->p->buffers.at[i], most[i]) : 0;
    return STATUS_OK;
}

/* ---- rows ---- */

/* What an operator was expanded to counts as that operator. */
static bench_part part_of(const node *n) {
    return (bench_part){n->source, n->part_of != NULL ? n->part_of : n->op, n->name != NULL ? n->name : ""};
}

static bool is_same(const bench_part *x, const bench_part *y) {
    return x->index == y->index && strcmp(x->op, y->op) == 0 && strcmp(x->name, y->name) == 0;
}

static status print_type(strbuf *s, const char *separator, const value *v) {
    strbuf_add(s, separator);
    if (v == NULL)
        strbuf_char(s, '-');
    else
        type_print(&v->type, s);
    return s->failed ? STATUS_RESOURCE : STATUS_OK;
}

/* "f32[1,128], f32[128,64] -> f32[1,64]" */
static status print_shapes(arena *a, const node *n, const char **out) {
    strbuf s = strbuf_in(a);
    for (int i = 0; i < n->n_inputs; i++)
        TRY(print_type(&s, i > 0 ? ", " : "", node_input(n, i)));
    strbuf_add(&s, n->n_inputs > 0 ? " -> " : "-> ");
    for (int i = 0; i < n->n_outputs; i++)
        TRY(print_type(&s, i > 0 ? ", " : "", n->outputs[i]));
    return strbuf_finish(&s, out);
}

/* The step's nodes into the row, each once. */
static status add_parts(gathering *x, const step_nodes *from, bench_node *row) {
    bench_part *fused = ARENA_NEW_N(x->memory, bench_part, row->n_fused + from->n + 1);
    TRY_ALLOC(fused);
    for (size_t i = 0; i < row->n_fused; i++)
        fused[i] = row->fused[i];
    row->fused = fused;
    for (size_t i = 0; i < from->n; i++) {
        bench_part part = part_of(from->nodes[i]);
        bool known = from->nodes[i] == from->lead || (from->nodes[i]->part_of != NULL && is_same(&part, &row->lead));
        for (size_t k = 0; k < row->n_fused && from->nodes[i]->part_of != NULL; k++)
            known |= is_same(&part, &fused[k]);
        if (!known)
            fused[row->n_fused++] = part;
    }
    return STATUS_OK;
}

/* The row of another part of what the node was expanded from; NULL: none yet. */
static bench_node *row_of_whole(const gathering *x, const node *lead) {
    const bench_part part = part_of(lead);
    for (size_t i = 0; i < x->n_rows && lead->part_of != NULL && lead->source >= 0; i++)
        if (is_same(&x->rows[i].lead, &part))
            return &x->rows[i];
    return NULL;
}

static status fill_row(gathering *x, const step_nodes *from, bench_node *row) {
    *row = (bench_node){.lead = part_of(from->lead), .precision = cost_precision(from->lead)};
    return print_shapes(x->memory, from->lead, &row->shapes);
}

/* The row of the step; a copy to an output has one of its own. */
static status row_of(gathering *x, size_t step, bench_node **out) {
    const step_nodes *from = &x->steps[step];
    *out = from->lead != NULL ? map_get_key(&x->by_lead, MAP_KEY(from->lead)) : NULL;
    if (*out != NULL)
        return STATUS_OK;
    *out = from->lead != NULL ? row_of_whole(x, from->lead) : NULL;
    if (*out == NULL) {
        *out = &x->rows[x->n_rows++];
        if (from->lead != NULL)
            TRY(fill_row(x, from, *out));
    }
    if (from->lead != NULL) {
        TRY(add_parts(x, from, *out));
        return map_set_key(&x->by_lead, MAP_KEY(from->lead), *out);
    }
    const program_step *s = &x->p->steps.at[step];
    const char *title = NULL;
    for (size_t i = 0; i < x->p->kernels.at[s->kernel]->buffers.n; i++)
        if (x->p->buffers.at[s->args[i].buffer].place == PLACE_OUTPUT)
            title = x->p->buffers.at[s->args[i].buffer].title;
    **out = (bench_node){.lead = {-1, "(copy)", title != NULL ? title : ""}, .shapes = "", .precision = ""};
    return STATUS_OK;
}

static status add_step(gathering *x, size_t step) {
    const program_step *s = &x->p->steps.at[step];
    const int64_t *line = x->times->line_ns;
    bench_node *row;
    TRY(row_of(x, step, &row));
    const step_cost *cost = &x->cost->steps[step];
    double us = (double)(line[step + 1] - line[step]) * 1e-3 - x->times->tick_us;
    row->us += x->times->us[step];
    row->calls++;
    row->macs += s->macs;
    row->bytes += cost->bytes;
    row->cycles += cost->cycles;
    x->calls[step] = (bench_call){.node = (size_t)(row - x->rows),
                                  .kernel = x->p->kernels.at[s->kernel]->name,
                                  .begin_us = (double)(line[step] - line[0]) * 1e-3,
                                  .us = us > 0 ? us : 0,
                                  .macs = s->macs,
                                  .bytes = cost->bytes};
    return STATUS_OK;
}

static status gather(gathering *x, bench_nodes *out) {
    size_t n = x->p->steps.n;
    x->by_lead = map_in(x->memory);
    TRY_ALLOC(x->rows = ARENA_NEW_N(x->memory, bench_node, n + 1));
    TRY_ALLOC(x->calls = ARENA_NEW_N(x->memory, bench_call, n + 1));
    for (size_t s = 0; s < n; s++) {
        TRY(add_step(x, s));
        out->sum_us += x->times->us[s];
    }
    out->at = x->rows;
    out->n = x->n_rows;
    out->calls = x->calls;
    out->n_calls = n;
    out->run_us = (double)(x->times->line_ns[n] - x->times->line_ns[0]) * 1e-3;
    return STATUS_OK;
}

/* ---- all ---- */

status per_node_measure(tenon_graph *t, tenon_code *code, const void *const *inputs, void *const *outputs, arena *a,
                        const program_cost *cost, bench_result *r) {
    bench_nodes *out = ARENA_NEW(a, bench_nodes);
    step_times times;
    machine_peak peak;
    int64_t touched;
    gathering x = {.p = code->p, .steps = code->built.steps.at, .times = &times, .cost = cost, .memory = a};
    TRY_ALLOC(out);
    TENON_ASSERT(code->built.steps.n == code->p->steps.n);
    TRY(touched_bytes(&x, &touched));
    TRY(step_times_measure(code, inputs, outputs, t->o->seconds, a, &times));
    TRY(machine_peak_measure(t->c, code->p->target, touched, a, &peak));
    *out = (bench_nodes){.runs = times.runs,
                         .tick_us = times.tick_us,
                         .peak_gflops = peak.gflops * (double)t->o->threads,
                         .bandwidth_gbs = peak.bandwidth,
                         .bandwidth_bytes = peak.bytes,
                         .trace = t->o->trace};
    TRY(gather(&x, out));
    r->nodes = out;
    if (t->o->trace == NULL)
        return STATUS_OK;
    const char *text;
    TRY(trace_report(r, a, &text));
    return files_write(t->o->trace, text, strlen(text), t->c->diags);
}
