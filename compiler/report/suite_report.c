/* What `tenon check --suite` found. */
#include <stdlib.h>
#include <string.h>

#include "report/json.h"
#include "report/report.h"

static const char *const words[SUITE_VERDICTS] = {
    [SUITE_PASS] = "pass",       [SUITE_FAIL] = "fail",   [SUITE_UNSUPPORTED] = "unsupported",
    [SUITE_INVALID] = "invalid", [SUITE_CRASH] = "crash", [SUITE_TIMEOUT] = "timeout",
};

/* An operator's cases. */
typedef struct tally {
    const char *op;
    size_t passed, total;
} tally;

typedef VEC(tally) tallies;

static int by_op(const void *x, const void *y) {
    return strcmp(((const tally *)x)->op, ((const tally *)y)->op);
}

/* One for each operator, by name. */
static status count(const suite_result *r, arena *a, tallies *out) {
    for (size_t i = 0; i < r->n; i++)
        TRY(VEC_PUSH(a, *out, (tally){r->cases[i].op, r->cases[i].is == SUITE_PASS, 1}));
    if (out->n == 0)
        return STATUS_OK;
    qsort(out->at, out->n, sizeof *out->at, by_op);
    size_t last = 0;
    for (size_t i = 1; i < out->n; i++) {
        if (by_op(&out->at[last], &out->at[i]) != 0) {
            out->at[++last] = out->at[i];
            continue;
        }
        out->at[last].passed += out->at[i].passed;
        out->at[last].total++;
    }
    out->n = last + 1;
    return STATUS_OK;
}

static status add_table(strbuf *s, const suite_result *r, const tallies *ops, arena *a) {
    enum { COLUMNS = 3 };
    const char **cells = ARENA_NEW_N(a, const char *, (ops->n + 2) * COLUMNS), **row = cells;
    TRY_ALLOC(cells);
    *row++ = "operator";
    *row++ = "passed";
    *row++ = "total";
    for (size_t i = 0; i <= ops->n; i++) {
        const tally *t = i < ops->n ? &ops->at[i] : &(tally){"all", r->n_by[SUITE_PASS], r->n};
        *row++ = *t->op != '\0' ? t->op : "(none)";
        TRY_ALLOC(*row++ = arena_printf(a, "%zu", t->passed));
        TRY_ALLOC(*row++ = arena_printf(a, "%zu", t->total));
    }
    report_table(s, cells, ops->n + 2, COLUMNS, 1);
    return STATUS_OK;
}

static void add_not_passed(strbuf *s, const suite_result *r) {
    for (size_t i = 0; i < r->n; i++) {
        const suite_case *c = &r->cases[i];
        if (c->is != SUITE_PASS)
            strbuf_printf(s, "%s: %s: %s\n", c->name, words[c->is], c->message);
    }
}

static void add_totals(strbuf *s, const suite_result *r) {
    const char *between = "";
    for (int v = 0; v < SUITE_VERDICTS; v++) {
        if (r->n_by[v] == 0)
            continue;
        strbuf_printf(s, "%s%zu %s", between, r->n_by[v], words[v]);
        between = ", ";
    }
    strbuf_printf(s, " (%s, %s)\n", r->backend, r->target);
}

static status as_json(const suite_result *r, const tallies *ops, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "backend", r->backend);
    json_text(&j, NULL, "target", r->target);
    json_number(&j, NULL, "rtol", r->rtol);
    json_number(&j, NULL, "rtol_bf16", r->rtol_bf16);
    json_number(&j, NULL, "atol", r->atol);
    json_integer(&j, NULL, "passed", (int64_t)r->n_by[SUITE_PASS]);
    json_integer(&j, NULL, "total", (int64_t)r->n);
    cJSON *results = json_object(&j, NULL, "results"), *operators = json_list(&j, NULL, "operators");
    for (int v = 0; v < SUITE_VERDICTS; v++)
        json_integer(&j, results, words[v], (int64_t)r->n_by[v]);
    for (size_t i = 0; i < ops->n; i++) {
        cJSON *item = json_item(&j, operators);
        json_text(&j, item, "op", ops->at[i].op);
        json_integer(&j, item, "passed", (int64_t)ops->at[i].passed);
        json_integer(&j, item, "total", (int64_t)ops->at[i].total);
    }
    cJSON *cases = json_list(&j, NULL, "cases");
    for (size_t i = 0; i < r->n; i++) {
        const suite_case *c = &r->cases[i];
        cJSON *item = json_item(&j, cases);
        json_text(&j, item, "name", c->name);
        json_text(&j, item, "op", c->op);
        json_text(&j, item, "result", words[c->is]);
        json_text(&j, item, "message", c->message);
        json_number(&j, item, "ms", c->ms);
    }
    return json_finish(&j, a, out);
}

status suite_report(const suite_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    tallies ops = {0};
    TRY(count(r, a, &ops));
    TRY(add_table(&s, r, &ops, a));
    add_totals(&s, r);
    add_not_passed(&s, r);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, &ops, a, &out->json);
}
