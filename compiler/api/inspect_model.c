/* tenon inspect: what a model consists of, after the clean-up, and what it will need. */
#include <stdlib.h>
#include <string.h>

#include "api/measure.h"
#include "api/model_cost.h"
#include "api/reports.h"

typedef struct inspection {
    const tenon_graph *t;
    const pipeline *w;
    const graph *g; /* before lowering, where operators are whole */
    arena *memory;  /* the report's */
    map counted;    /* constants whose elements are counted */
    program_cost cost;
    bool *is_told; /* by step: some node has its cost */
    inspect_result r;
} inspection;

static status print_type(arena *a, const value *v, const char **out) {
    strbuf s = strbuf_in(a);
    type_print(&v->type, &s);
    return strbuf_finish(&s, out);
}

static status list_tensors(inspection *x) {
    const graph *g = x->g;
    inspect_tensor *inputs = ARENA_NEW_N(x->memory, inspect_tensor, g->inputs.n + 1);
    inspect_tensor *outputs = ARENA_NEW_N(x->memory, inspect_tensor, g->outputs.n + 1);
    if (inputs == NULL || outputs == NULL)
        return STATUS_RESOURCE;
    for (size_t i = 0; i < g->inputs.n; i++) {
        inputs[i].name = g->inputs.at[i]->name;
        TRY(print_type(x->memory, g->inputs.at[i], &inputs[i].type));
    }
    for (size_t i = 0; i < g->outputs.n; i++) {
        outputs[i].name = g->output_names.at[i];
        TRY(print_type(x->memory, g->outputs.at[i]->v, &outputs[i].type));
    }
    x->r.inputs = inputs;
    x->r.n_inputs = g->inputs.n;
    x->r.outputs = outputs;
    x->r.n_outputs = g->outputs.n;
    return STATUS_OK;
}

/* ---- parameters: elements of constants, each counted once ---- */

static int64_t own_params(inspection *x, const node *n) {
    int64_t params = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        const value *v = node_input(n, i);
        if (!model_is_parameter(v) || map_get_key(&x->counted, MAP_KEY(v)) != NULL)
            continue;
        if (map_set_key(&x->counted, MAP_KEY(v), x) == STATUS_OK)
            params += v->constant->count;
    }
    return params;
}

/* ---- nodes ---- */

/* The numbers that input i of the node is made of: a constant, or the codes that are dequantised to it, of which *code
 * stands for zero. NULL where they are none, or codes whose zeros differ. */
static const tensor *numbers_of(const node *n, int i, double *code) {
    const value *v = node_input(n, i);
    const node *from = v != NULL && v->constant == NULL ? v->def : NULL;
    *code = 0;
    if (from == NULL || strcmp(from->op, "DequantizeLinear") != 0)
        return v != NULL && v->constant != NULL && v->constant->elem == DT_F32 ? v->constant : NULL;
    const value *zero = node_input(from, 2);
    const tensor *z = zero != NULL ? zero->constant : NULL;
    if (z != NULL)
        *code = tensor_double(z, 0);
    for (int64_t k = 1; z != NULL && k < z->count; k++)
        if (tensor_double(z, k) != *code)
            return NULL;
    return zero == NULL || z != NULL ? node_input(from, 0)->constant : NULL;
}

/* How many of the numbers of the weights that the node reads are zero, and of how many: of matrices, not of biases. */
static int64_t zeros_of(const node *n, int64_t *of) {
    int64_t zeros = 0;
    double code;
    for (int i = 0; i < n->n_inputs; i++) {
        const tensor *t = numbers_of(n, i, &code);
        if (t == NULL || t->rank < 2)
            continue;
        *of += t->count;
        for (int64_t k = 0; k < t->count; k++)
            zeros += tensor_double(t, k) == code;
    }
    return zeros;
}

static int64_t output_bytes(const node *n) {
    int64_t bytes = 0;
    for (int i = 0; i < n->n_outputs; i++)
        if (n->outputs[i] != NULL)
            bytes += (int64_t)dtype_bytes(n->outputs[i]->type.elem, (size_t)type_count(&n->outputs[i]->type));
    return bytes;
}

/* Bytes of the arena buffers that the step reads and writes. */
static int64_t arena_of_step(const program *p, const program_step *s) {
    int64_t bytes = 0;
    for (size_t i = 0; i < p->kernels.at[s->kernel]->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[s->args[i].buffer];
        if (b->place == PLACE_ARENA)
            bytes += (int64_t)dtype_bytes(b->elem, (size_t)b->n);
    }
    return bytes;
}

static int64_t arena_of_node(const program *p, const node *n) {
    int64_t most = 0;
    for (size_t i = 0; i < p->steps.n && n->source >= 0; i++) {
        int64_t bytes = p->steps.at[i].node == n->source ? arena_of_step(p, &p->steps.at[i]) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* What the lowered nodes that stand for n compute in: what a contraction says of itself, else whether floats take part.
 */
static const char *precision_of(const inspection *x, const node *n) {
    const char *found = "";
    for (const node *m = x->w->g->first; m != NULL && n->source >= 0; m = m->next) {
        if (m->source != n->source)
            continue;
        const char *its = cost_precision(m);
        if (m->notes != NULL && map_get(m->notes, INTEGER_NOTE) != NULL)
            return its;
        if (found[0] == '\0' || strcmp(its, "float") == 0)
            found = its;
    }
    return found;
}

/* What the steps that n leads move and take. What a node was made into may be several of them. */
static void cost_of_node(inspection *x, const node *n, inspect_node *to) {
    element_count weights = {0, 0}, data = {0, 0};
    const program *p = x->w->p;
    for (size_t i = 0; i < p->steps.n && n->source >= 0; i++) {
        if (p->steps.at[i].node != n->source || x->is_told[i])
            continue;
        x->is_told[i] = true;
        to->moved += x->cost.steps[i].bytes;
        to->cycles += x->cost.steps[i].cycles;
        measure_step(p, &p->steps.at[i], NULL, &weights, &data);
    }
    to->stored = (int64_t)(weights.bits / 8);
    to->weight_bits = weights.elements > 0 ? weights.bits / weights.elements : 0;
    to->data_bits = data.elements > 0 ? data.bits / data.elements : 0;
}

static status list_nodes(inspection *x) {
    const graph *g = x->g;
    inspect_node *nodes = ARENA_NEW_N(x->memory, inspect_node, g->n_nodes + 1);
    TRY_ALLOC(nodes);
    x->r.nodes = nodes;
    for (const node *n = g->first; n != NULL; n = n->next) {
        inspect_node *to = &nodes[x->r.n_nodes++];
        *to = (inspect_node){.index = n->source,
                             .name = n->name,
                             .op = n->op,
                             .output = "",
                             .precision = precision_of(x, n),
                             .params = own_params(x, n),
                             .bytes = output_bytes(n),
                             .arena = arena_of_node(x->w->p, n)};
        if (n->n_outputs > 0 && n->outputs[0] != NULL)
            TRY(print_type(x->memory, n->outputs[0], &to->output));
        cost_of_node(x, n, to);
        TRY(passes_node_macs(x->w->plan->registry, n, x->w->machine, &to->macs));
        x->r.macs += to->macs;
        to->zeros = zeros_of(n, &to->matrix);
        to->effective = to->macs;
        if (to->zeros > 0)
            to->effective = (int64_t)((double)to->macs / (double)to->matrix * (double)(to->matrix - to->zeros) + 0.5);
        x->r.effective += to->effective;
        x->r.zeros += to->zeros;
        x->r.matrix += to->matrix;
    }
    return STATUS_OK;
}

static int more_first(const void *x, const void *y) {
    const inspect_operator *a = x, *b = y;
    return a->nodes != b->nodes ? (a->nodes < b->nodes ? 1 : -1) : strcmp(a->op, b->op);
}

static status sum_operators(inspection *x) {
    inspect_operator *sums = ARENA_NEW_N(x->memory, inspect_operator, x->r.n_nodes + 1);
    TRY_ALLOC(sums);
    size_t n = 0;
    for (size_t i = 0; i < x->r.n_nodes; i++) {
        const inspect_node *from = &x->r.nodes[i];
        size_t k = 0;
        while (k < n && strcmp(sums[k].op, from->op) != 0)
            k++;
        if (k == n)
            sums[n++].op = from->op;
        sums[k].nodes++;
        sums[k].macs += from->macs;
        sums[k].params += from->params;
    }
    qsort(sums, n, sizeof *sums, more_first);
    x->r.operators = sums;
    x->r.n_operators = n;
    return STATUS_OK;
}

static status inspect_all(inspection *x, report *out) {
    const program *p = x->w->p;
    program_facts facts;
    x->r.head = report_head_of(x->t, x->w->machine);
    x->r.graph = x->g->name;
    x->r.file_nodes = x->t->file_nodes;
    x->r.params = x->t->params;
    x->r.param_bytes = x->t->param_bytes;
    x->r.arena_bytes = p->arena_bytes;
    x->r.regions = p->regions.at;
    x->r.n_regions = p->regions.n;
    TRY(plan_lower_bound(p, &x->r.arena_least));
    x->r.kernels = (int64_t)p->kernels.n;
    x->r.steps = (int64_t)p->steps.n;
    x->r.tuned = (tuned_by){x->t->o->tune, (int64_t)x->w->n_tuned};
    TRY(measure_program(p, x->memory, &facts));
    x->r.weight_bytes = facts.weight_bytes;
    TRY_ALLOC(x->is_told = ARENA_NEW_N(x->memory, bool, p->steps.n + 1));
    TRY(cost_of_model(x->w, p, x->memory, &x->cost, &x->r.cost));
    TRY(list_tensors(x));
    TRY(list_nodes(x));
    TRY(sum_operators(x));
    return inspect_report(&x->r, x->memory, out);
}

static status inspect(tenon_graph *t, tenon_report *r) {
    if (t->shared != NULL)
        return inspect_shared(t, r->memory, &r->forms);
    pipeline w;
    const target *machine = model_target(t, "host");
    if (machine == NULL)
        return STATUS_USAGE;
    TRY(model_build(t, NULL, 0, machine, NULL, PIPELINE_EDIT, &w));
    w.may_be_unbound = false;
    status s = pipeline_run(&w, PIPELINE_BIND, PIPELINE_PASSES);
    graph *whole = s == STATUS_OK ? graph_copy(w.g) : NULL;
    if (s == STATUS_OK)
        s = whole == NULL ? STATUS_RESOURCE : pipeline_run(&w, PIPELINE_LOWER, PIPELINE_VERIFY);
    inspection x = {.t = t, .w = &w, .g = whole, .memory = r->memory, .counted = map_in(r->memory)};
    if (s == STATUS_OK)
        s = w.stopped ? report_stopped(r) : inspect_all(&x, &r->forms);
    graph_free(whole);
    model_build_free(&w);
    return s;
}

TENON_API tenon_status tenon_inspect(tenon_graph *t, tenon_report **out) {
    size_t errors = context_begin(t->c);
    tenon_report *r = report_new(t->c);
    status s = r == NULL ? STATUS_RESOURCE : inspect(t, r);
    return report_end_of(t, s, errors, r, out);
}
