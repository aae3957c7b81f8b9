/* What the cost model says of a lowered model: predicted time, bytes, multiply-accumulates by what they multiply. */
#include "api/model_cost.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "api/measure.h"

const char *cost_precision(const node *lowered) {
    const char *note = lowered->notes != NULL ? map_get(lowered->notes, INTEGER_NOTE) : NULL;
    if (note != NULL)
        return note;
    if (node_has_floats(lowered))
        return "float";
    return strcmp(lowered->op, "Lookup") == 0 ? "table" : "int";
}

/* "8x4" of "u8xi4->i32"; else its first word. */
static const char *bits_of(const char *precision, arena *a) {
    size_t at = strcspn(precision, "0123456789,");
    const char *times = strchr(precision, 'x');
    if (times != NULL && strstr(precision, "->") != NULL)
        return arena_printf(a, "%dx%d", atoi(precision + at), atoi(times + 1 + strcspn(times + 1, "0123456789")));
    return arena_strndup(a, precision, strcspn(precision, ", "));
}

static status add_macs(macs_in *all, size_t *n, const char *precision, int64_t macs) {
    size_t k = 0;
    while (k < *n && strcmp(all[k].precision, precision) != 0)
        k++;
    if (k == *n)
        all[(*n)++] = (macs_in){precision, 0};
    all[k].macs += macs;
    return STATUS_OK;
}

static int most_first(const void *x, const void *y) {
    const macs_in *a = x, *b = y;
    return a->macs != b->macs ? (a->macs < b->macs ? 1 : -1) : strcmp(a->precision, b->precision);
}

static status count_macs(const pipeline *w, const program *p, arena *a, cost_result *out) {
    macs_in *all = ARENA_NEW_N(a, macs_in, p->steps.n + 1);
    TRY_ALLOC(all);
    for (size_t i = 0; i < p->steps.n; i++) {
        const program_step *s = &p->steps.at[i];
        const node *lead = w->steps.at[i].lead;
        if (s->macs == 0 || lead == NULL)
            continue;
        const char *precision = bits_of(cost_precision(lead), a);
        TRY_ALLOC(precision);
        TRY(add_macs(all, &out->n_macs, precision, s->macs));
    }
    qsort(all, out->n_macs, sizeof *all, most_first);
    out->macs = all;
    return STATUS_OK;
}

status cost_of_model(const pipeline *w, const program *p, arena *a, program_cost *out_steps, cost_result *out) {
    program_facts facts;
    TRY(program_cost_of(p, a, out_steps));
    TRY(measure_program(p, a, &facts));
    *out = (cost_result){.weight_bits = facts.weight_bits,
                         .data_bits = facts.data_bits,
                         .bytes = out_steps->bytes,
                         .cycles = out_steps->cycles};
    if (target_runs_here(p->target) && !p->target->is_bare)
        out->megahertz = measure_megahertz();
    if (out->megahertz > 0)
        out->us = out->cycles / out->megahertz;
    return count_macs(w, p, a, out);
}
