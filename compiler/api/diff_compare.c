/* The values inside two forms of a model, compared on data. */
#include "api/diff_compare.h"

/* ---- what is compared ---- */

static bool is_output(const diff_side *s, const diff_point *p) {
    return map_get_key(&s->numbers, MAP_KEY(p->v)) != NULL ||
           (p->real != NULL && map_get_key(&s->numbers, MAP_KEY(p->real)) != NULL);
}

static status expose(diff_side *s, diff_point *p, int *out_real, int *out_integer) {
    const value *real;
    TRY(diff_point_real(&s->points, p, &real));
    TRY(diff_side_expose(s, real, out_real));
    *out_integer = -1;
    return diff_point_is_integer(p) ? diff_side_expose(s, p->v, out_integer) : STATUS_OK;
}

status diff_compare_match(differing *x) {
    diff_pairs pairs;
    TRY(diff_match(&x->a.points, &x->b.points, x->memory, &pairs));
    if (pairs.n == 0)
        return diag_error(x->t->c->diags, STATUS_INVALID, "no-match", DIAG_NOWHERE,
                          "the models have nothing in common: no value, node or output that could be compared");
    TRY_ALLOC(x->rows = ARENA_NEW_N(x->memory, compared, pairs.n));
    x->n = pairs.n;
    for (size_t i = 0; i < x->n; i++) { /* before any value becomes an output that was none */
        const diff_pair *of = &pairs.at[i];
        bool ends = is_output(&x->a, of->a) && is_output(&x->b, of->b);
        x->rows[i] = (compared){.of = *of, .is_output = ends, .same_bits = true, .numbers = metric_comparison()};
    }
    for (size_t i = 0; i < x->n; i++) {
        compared *row = &x->rows[i];
        TRY(expose(&x->a, row->of.a, &row->real[0], &row->integer[0]));
        TRY(expose(&x->b, row->of.b, &row->real[1], &row->integer[1]));
    }
    return STATUS_OK;
}

/* ---- the samples ---- */

static void count_ends(const diff_side *s, compared *row, int side) {
    int number = row->integer[side];
    if (number < 0)
        return;
    const program_buffer *b = code_output(s->m.code, (size_t)number);
    metric_saturation(b->elem, s->m.outputs[number], b->n, &row->ends[side]);
}

static void compare(const differing *x, compared *row) {
    const program_buffer *a = code_output(x->a.m.code, (size_t)row->real[0]);
    const program_buffer *b = code_output(x->b.m.code, (size_t)row->real[1]);
    const void *of_a = x->a.m.outputs[row->real[0]], *of_b = x->b.m.outputs[row->real[1]];
    int64_t at;
    metric_compare(a->elem, of_a, b->elem, of_b, a->n, &row->numbers);
    row->same_bits = row->same_bits && a->elem == b->elem && code_same_bits(a->elem, of_a, of_b, a->n, &at);
    count_ends(&x->a, row, 0);
    count_ends(&x->b, row, 1);
}

static status run_samples(differing *x) {
    x->samples = x->a.m.fed.n + x->b.m.fed.n > 0 ? data_file_samples(&x->file) : 1;
    if (x->samples == 0)
        return diag_error(x->t->c->diags, STATUS_INVALID, "no-data", DIAG_NOWHERE, "the data have no samples");
    for (int64_t s = 0; s < x->samples; s++) {
        TRY(context_check_stop(x->t->c));
        TRY(model_side_run(&x->a.m, s));
        TRY(model_side_run(&x->b.m, s));
        for (size_t i = 0; i < x->n; i++)
            compare(x, &x->rows[i]);
        context_progress(x->t->c, "comparing", s + 1, x->samples);
    }
    return STATUS_OK;
}

status diff_compare_run(differing *x) {
    TRY(diff_side_compile(&x->a, x->memory));
    TRY(diff_side_compile(&x->b, x->memory));
    x->stopped = x->a.m.code == NULL || x->b.m.code == NULL;
    return x->stopped ? STATUS_OK : run_samples(x);
}

/* ---- what a report says of them ---- */

static double share_of(int64_t part, int64_t whole) {
    return whole > 0 ? (double)part / (double)whole : 0;
}

status diff_compare_describe(const diff_point *p, const saturation *ends, arena *a, diff_value *out) {
    const node *n = p->v->def;
    strbuf s = strbuf_in(a);
    type_print(&p->v->type, &s);
    *out = (diff_value){.index = n != NULL ? n->source : -1,
                        .op = n != NULL        ? n->op
                              : p->v->is_input ? "(input)"
                                               : "(constant)",
                        .name = n != NULL && n->name != NULL ? n->name : "",
                        .value = p->v->name,
                        .is_quantised = p->quantum != NULL,
                        .has_integers = ends != NULL && ends->n > 0};
    if (out->has_integers) {
        int64_t zero = 0;
        bool known = diff_point_zero(p, &zero);
        dtype t = p->v->type.elem;
        out->least = share_of(ends->least, ends->n);
        out->largest = share_of(ends->largest, ends->n);
        out->saturated = (known && zero == dtype_min(t) ? 0 : out->least) +
                         (known && zero >= 0 && (uint64_t)zero == dtype_max(t) ? 0 : out->largest);
    }
    return strbuf_finish(&s, &out->type);
}
