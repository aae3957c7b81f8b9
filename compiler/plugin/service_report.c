/* tenon.report/1: what a pass has to say of its work, recorded in order. */
#include <stdarg.h>

#include "plugin/services.h"

/* An event that memory is too short for is dropped: a report is not worth failing for. */
static void record(const tenon_plugin_host *host, report_event e) {
    pass_report *r = pass_host_of(host)->report;
    if (r == NULL)
        return;
    const char *key = e.key != NULL ? arena_strdup(r->memory, e.key) : NULL;
    const char *text = e.text != NULL ? arena_strdup(r->memory, e.text) : NULL;
    if ((e.key != NULL && key == NULL) || (e.text != NULL && text == NULL))
        return;
    e.key = key;
    e.text = text;
    (void)VEC_PUSH(r->memory, r->events, e);
}

static void line(const tenon_plugin_host *host, const char *format, ...) {
    va_list args;
    strbuf s = strbuf_in(pass_host_of(host)->scratch);
    const char *text;
    va_start(args, format);
    strbuf_vprintf(&s, format, args);
    va_end(args);
    if (strbuf_finish(&s, &text) == STATUS_OK)
        record(host, (report_event){.kind = REPORT_LINE, .text = text});
}

static void begin_object(const tenon_plugin_host *host, const char *key) {
    record(host, (report_event){.kind = REPORT_OBJECT, .key = key});
}

static void begin_list(const tenon_plugin_host *host, const char *key) {
    record(host, (report_event){.kind = REPORT_LIST, .key = key});
}

static void end(const tenon_plugin_host *host) {
    record(host, (report_event){.kind = REPORT_END});
}

static void text(const tenon_plugin_host *host, const char *key, const char *x) {
    record(host, (report_event){.kind = REPORT_TEXT, .key = key, .text = x});
}

static void integer(const tenon_plugin_host *host, const char *key, int64_t x) {
    record(host, (report_event){.kind = REPORT_INTEGER, .key = key, .i = x});
}

static void real(const tenon_plugin_host *host, const char *key, double x) {
    record(host, (report_event){.kind = REPORT_REAL, .key = key, .f = x});
}

const tenon_report_1 plugin_report = {sizeof plugin_report, line, begin_object, begin_list, end, text, integer, real};
