/* What `tenon tune` found, and what a tune file in use is told as. */
#include "report/json.h"
#include "report/report.h"

enum { COLUMNS = 5, LONGEST_NAME = 40 };

void tuned_report_text(strbuf *s, const tuned_by *t) {
    if (t->file != NULL)
        strbuf_printf(s, "%s (%lld of its entries)\n", t->file, (long long)t->used);
}

void tuned_report_json(json *j, const tuned_by *t) {
    if (t->file == NULL)
        return;
    cJSON *object = json_object(j, NULL, "tune");
    json_text(j, object, "file", t->file);
    json_integer(j, object, "used", t->used);
}

static status add_rows(strbuf *s, const tune_result *r, arena *a) {
    static const char *const heads[COLUMNS] = {"node", "default", "faster", "us", "ratio"};
    const char **cells = ARENA_NEW_N(a, const char *, (r->n_faster + 1) * COLUMNS);
    size_t line = 1;
    TRY_ALLOC(cells);
    for (size_t c = 0; c < COLUMNS; c++)
        cells[c] = heads[c];
    for (size_t i = 0; i < r->n; i++) {
        const tune_row *row = &r->rows[i];
        if (row->choice == NULL)
            continue;
        const char *of_row[COLUMNS] = {report_name(a, row->node, LONGEST_NAME), row->default_choice, row->choice,
                                       arena_printf(a, "%.1f -> %.1f", row->default_us, row->tuned_us),
                                       arena_printf(a, "%.3f", row->ratio)};
        for (size_t c = 0; c < COLUMNS; c++)
            TRY_ALLOC(cells[line * COLUMNS + c] = of_row[c]);
        line++;
    }
    report_table(s, cells, line, COLUMNS, 3);
    return STATUS_OK;
}

static status as_text(const tune_result *r, arena *a, const char **out) {
    strbuf s = strbuf_in(a);
    strbuf_printf(&s, "%s on %s (%s, %d thread%s)\n", r->head.model, r->cpu, r->head.target, r->threads,
                  r->threads == 1 ? "" : "s");
    strbuf_printf(&s, "measured  %lld variants of %zu kernels in %.0f s%s\n", (long long)r->variants, r->n, r->seconds,
                  r->stopped ? ", stopped before the end" : "");
    if (r->n_faster > 0) {
        strbuf_printf(&s, "faster    %zu", r->n_faster);
        if (r->default_us > 0)
            strbuf_printf(&s, "; a run takes %.1f us in place of %.1f (median of the ratios %.3f)", r->tuned_us,
                          r->default_us, r->ratio);
        strbuf_add(&s, "\n\n");
        TRY(add_rows(&s, r, a));
    } else {
        strbuf_add(&s, "faster    none: the cost model's tiles are as good\n");
    }
    strbuf_printf(&s, "\n%s has %zu entries, %zu of them for other kernels or targets\n", r->file, r->n_entries,
                  r->n_entries - r->n_own);
    return strbuf_finish(&s, out);
}

static status as_json(const tune_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "target", r->head.target);
    json_text(&j, NULL, "cpu", r->cpu);
    json_integer(&j, NULL, "threads", r->threads);
    json_text(&j, NULL, "file", r->file);
    json_integer(&j, NULL, "entries", (int64_t)r->n_entries);
    json_integer(&j, NULL, "variants", r->variants);
    json_number(&j, NULL, "seconds", r->seconds);
    json_bool(&j, NULL, "stopped", r->stopped);
    json_integer(&j, NULL, "faster", (int64_t)r->n_faster);
    if (r->default_us > 0) {
        json_number(&j, NULL, "default_us", r->default_us);
        json_number(&j, NULL, "tuned_us", r->tuned_us);
        json_number(&j, NULL, "ratio", r->ratio);
    }
    cJSON *list = json_list(&j, NULL, "kernels");
    for (size_t i = 0; i < r->n; i++) {
        const tune_row *row = &r->rows[i];
        cJSON *item = json_item(&j, list);
        json_text(&j, item, "node", row->node);
        json_text(&j, item, "kernel", row->kernel);
        json_text(&j, item, "default", row->default_choice);
        if (row->choice == NULL)
            continue;
        json_text(&j, item, "choice", row->choice);
        json_number(&j, item, "default_us", row->default_us);
        json_number(&j, item, "tuned_us", row->tuned_us);
        json_number(&j, item, "ratio", row->ratio);
    }
    return json_finish(&j, a, out);
}

status tune_report(const tune_result *r, arena *a, report *out) {
    TRY(as_text(r, a, &out->text));
    return as_json(r, a, &out->json);
}
