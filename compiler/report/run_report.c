/* What `tenon run` gave. */
#include <math.h>

#include "report/json.h"
#include "report/report.h"

enum { SHOWN = 8 };

typedef struct summary {
    double min, max, mean;
    int64_t largest; /* index of max */
    int64_t n_nan;
} summary;

/* Of the elements that are numbers. */
static summary summarise(const run_tensor *t) {
    summary s = {.min = INFINITY, .max = -INFINITY, .largest = -1};
    double sum = 0;
    for (int64_t i = 0; i < t->count; i++) {
        double x = dtype_get_double(t->elem, t->data, (size_t)i);
        if (isnan(x)) {
            s.n_nan++;
            continue;
        }
        sum += x;
        s.min = fmin(s.min, x);
        if (s.largest < 0 || x > s.max) {
            s.largest = i;
            s.max = x;
        }
    }
    s.mean = sum / (double)(t->count - s.n_nan);
    return s;
}

static void print_element(strbuf *s, const run_tensor *t, int64_t i) {
    if (t->elem == DT_F64)
        strbuf_double(s, dtype_get_double(t->elem, t->data, (size_t)i));
    else if (dtype_is_float(t->elem))
        strbuf_float(s, (float)dtype_get_double(t->elem, t->data, (size_t)i));
    else
        strbuf_printf(s, "%lld", (long long)dtype_get_int(t->elem, t->data, (size_t)i));
}

static void print_tensor(strbuf *s, const run_tensor *t, arena *a) {
    summary x = summarise(t);
    strbuf_printf(s, "%s: %s %s\n", t->name, dtype_name(t->elem), report_shape(a, t->rank, t->dims));
    if (t->count > x.n_nan)
        strbuf_printf(s, "  min %.6g, max %.6g at %lld, mean %.6g", x.min, x.max, (long long)x.largest, x.mean);
    if (x.n_nan > 0)
        strbuf_printf(s, "%sNaN %lld times", t->count > x.n_nan ? ", " : "  ", (long long)x.n_nan);
    strbuf_add(s, t->count > 0 ? "\n  [" : "  [");
    for (int64_t i = 0; i < t->count && i < SHOWN; i++) {
        strbuf_add(s, i > 0 ? ", " : "");
        print_element(s, t, i);
    }
    strbuf_add(s, t->count > SHOWN ? ", ...]\n" : "]\n");
    if (t->file != NULL)
        strbuf_printf(s, "  written to %s\n", t->file);
}

static status as_json(const run_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_number(&j, NULL, "ms", r->ms);
    cJSON *list = json_list(&j, NULL, "outputs");
    for (size_t i = 0; i < r->n_outputs; i++) {
        const run_tensor *t = &r->outputs[i];
        summary x = summarise(t);
        cJSON *item = json_item(&j, list);
        json_text(&j, item, "name", t->name);
        json_text(&j, item, "type", dtype_name(t->elem));
        cJSON *shape = json_list(&j, item, "shape");
        for (int d = 0; d < t->rank; d++)
            json_item_number(&j, shape, (double)t->dims[d]);
        json_number(&j, item, "min", x.min);
        json_number(&j, item, "max", x.max);
        json_number(&j, item, "mean", x.mean);
        json_integer(&j, item, "argmax", x.largest);
        json_integer(&j, item, "nan", x.n_nan);
        json_text(&j, item, "file", t->file);
    }
    return json_finish(&j, a, out);
}

status run_report(const run_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    for (size_t i = 0; i < r->n_outputs; i++)
        print_tensor(&s, &r->outputs[i], a);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
