/* What the cost model says, as part of inspect's and bench's reports. */
#include "report/json.h"
#include "report/report.h"

void cost_report_text(strbuf *s, const cost_result *r, arena *a) {
    strbuf_add(s, "computes in");
    for (size_t i = 0; i < r->n_macs; i++)
        strbuf_printf(s, "%s %s: %s", i > 0 ? "," : "", r->macs[i].precision,
                      report_amount(a, (double)r->macs[i].macs, "MACs"));
    strbuf_add(s, r->n_macs == 0 ? " no products\n" : "\n");
    strbuf_printf(s, "stored      %.3g bits a weight, %.3g bits a datum\n", r->weight_bits, r->data_bits);
    strbuf_printf(s, "moved       %s a run\n", report_amount(a, (double)r->bytes, "B"));
    strbuf_printf(s, "predicted   %s", report_amount(a, r->cycles, "cycles"));
    if (r->us > 0)
        strbuf_printf(s, ", %.1f us at %.0f MHz", r->us, r->megahertz);
    strbuf_char(s, '\n');
}

void cost_report_json(json *j, cJSON *parent, const cost_result *r) {
    cJSON *macs = json_object(j, parent, "macs_by_precision");
    for (size_t i = 0; i < r->n_macs; i++)
        json_integer(j, macs, r->macs[i].precision, r->macs[i].macs);
    json_number(j, parent, "weight_bits", r->weight_bits);
    json_number(j, parent, "data_bits", r->data_bits);
    json_integer(j, parent, "moved_bytes", r->bytes);
    cJSON *predicted = json_object(j, parent, "predicted");
    json_number(j, predicted, "cycles", r->cycles);
    if (r->us > 0)
        json_number(j, predicted, "us", r->us);
}
