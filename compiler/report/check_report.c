/* What `tenon check` found. */
#include "report/json.h"
#include "report/report.h"

void check_report_case(strbuf *s, const check_case *c) {
    if (c->reason != NULL)
        strbuf_add(s, c->reason);
    else if (c->output == NULL)
        strbuf_add(s, "no difference");
    else
        strbuf_printf(s, "largest error %.3g (output '%s', element %lld)", c->error, c->output, (long long)c->element);
    if (c->n_beyond > 0)
        strbuf_printf(s, ", %lld elements beyond the tolerances", (long long)c->n_beyond);
}

static void add_case(strbuf *s, const check_case *c) {
    strbuf_printf(s, "%s: %s, ", c->name, c->passed ? "pass" : "FAIL");
    check_report_case(s, c);
    strbuf_char(s, '\n');
}

static status as_json(const check_result *r, arena *a, const char **out) {
    json j = json_begin();
    json_text(&j, NULL, "model", r->head.model);
    json_text(&j, NULL, "backend", r->head.backend);
    json_text(&j, NULL, "target", r->head.target);
    json_number(&j, NULL, "rtol", r->rtol);
    json_number(&j, NULL, "atol", r->atol);
    json_integer(&j, NULL, "steps", r->steps);
    json_integer(&j, NULL, "passed", (int64_t)r->n_passed);
    json_integer(&j, NULL, "total", (int64_t)r->n);
    cJSON *cases = json_list(&j, NULL, "cases");
    for (size_t i = 0; i < r->n; i++) {
        const check_case *c = &r->cases[i];
        cJSON *item = json_item(&j, cases);
        json_text(&j, item, "name", c->name);
        json_text(&j, item, "result", c->passed ? "pass" : "fail");
        json_text(&j, item, "message", c->reason);
        json_number(&j, item, "largest_error", c->error);
        json_text(&j, item, "output", c->output);
        json_integer(&j, item, "element", c->element);
        json_integer(&j, item, "beyond", c->n_beyond);
        json_number(&j, item, "ms", c->ms);
    }
    return json_finish(&j, a, out);
}

status check_report(const check_result *r, arena *a, report *out) {
    strbuf s = strbuf_in(a);
    for (size_t i = 0; i < r->n; i++)
        add_case(&s, &r->cases[i]);
    strbuf_printf(&s, "%s: %zu of %zu data sets pass (%s, %s)\n", r->n_passed == r->n ? "pass" : "FAIL", r->n_passed,
                  r->n, r->head.backend, r->head.target);
    TRY(strbuf_finish(&s, &out->text));
    return as_json(r, a, &out->json);
}
