/* What quantize tells of its work. */
#include <math.h>
#include <stdio.h>

#include "quantize.h"

const char *quant_format_text(const job *j, scheme s, const format *f) {
    char *text = quant_room(j, 96, 1);
    const char *sign = f->is_signed ? "signed" : "unsigned";
    if (text == NULL)
        return "";
    if (s == SCHEME_FIXED)
        sprintf(text, "%d bits %s, %d of them fraction", f->width, sign, f->frac);
    else if (s == SCHEME_SYMMETRIC)
        sprintf(text, "%d bits %s, scale %.6g", f->width, sign, (double)f->scale);
    else
        sprintf(text, "%d bits %s, scale %.6g, zero %lld", f->width, sign, (double)f->scale, (long long)f->zero);
    return text;
}

static void put_format(const job *j, scheme s, const format *f) {
    j->report->integer(j->host, "width", f->width);
    j->report->text(j->host, "format", quant_format_text(j, s, f));
    if (s == SCHEME_FIXED)
        j->report->integer(j->host, "frac", f->frac);
    j->report->real(j->host, "scale", (double)f->scale);
    j->report->integer(j->host, "zero", f->zero);
}

static void put_points(const job *j) {
    j->report->begin_list(j->host, "data");
    for (int i = 0; i < j->n_points; i++) {
        const point *p = &j->points[i];
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "value", j->graph->value_name(p->value));
        put_format(j, p->how.scheme, &p->format);
        if (p->seen != NULL) {
            j->report->real(j->host, "low", p->seen->low);
            j->report->real(j->host, "high", p->seen->high);
        }
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static void put_weights(const job *j) {
    static const char *const kinds[] = {"linear", "table", "addend"};
    static const char *const granularities[] = {"tensor", "channel", "block"};
    j->report->begin_list(j->host, "weights");
    for (int i = 0; i < j->n_weights; i++) {
        const weight *w = &j->weights[i];
        j->report->begin_object(j->host, NULL);
        j->report->text(j->host, "name", w->name);
        j->report->text(j->host, "kind", kinds[w->kind]);
        j->report->text(j->host, "per", granularities[w->per]);
        j->report->integer(j->host, "numbers", w->count);
        put_format(j, w->how.scheme, &w->formats[0]);
        j->report->integer(j->host, "formats", w->groups);
        j->report->real(j->host, "sqnr", w->error > 0 ? -10 * log10(w->error) : 999);
        j->report->end(j->host);
    }
    j->report->end(j->host);
}

static double weight_numbers(const job *j) {
    double n = 0;
    for (int i = 0; i < j->n_weights; i++)
        n += (double)j->weights[i].count;
    return n;
}

static double weight_bits(const job *j) {
    double n = 0;
    for (int i = 0; i < j->n_weights; i++)
        n += (double)j->weights[i].width * (double)j->weights[i].count;
    return n;
}

/* On average of the numbers that calibration has seen. */
static double data_width(const job *j) {
    double n = 0, bits = 0;
    for (int i = 0; i < j->n_points; i++) {
        n += (double)j->points[i].seen->n;
        bits += (double)j->points[i].format.width * (double)j->points[i].seen->n;
    }
    return n > 0 ? bits / n : 32;
}

void quant_report(const job *j) {
    int corrected = 0, dynamic = 0;
    for (int i = 0; i < j->n_linears; i++)
        corrected += j->linears[i].n_now > 0;
    for (int i = 0; i < j->n_weights; i++)
        dynamic += j->weights[i].is_dynamic;
    if (j->n_equalised > 0)
        j->report->line(j->host, "%d pairs of linears equalised", j->n_equalised);
    if (j->n_smoothed > 0)
        j->report->line(j->host, "%d values smoothed", j->n_smoothed);
    if (dynamic > 0)
        j->report->line(j->host, "%d products quantise their rows while the model runs", dynamic);
    j->report->line(j->host, "%d values and %d weights quantised, %d biases corrected; weights %.2f MB -> %.2f MB",
                    j->n_points, j->n_weights, corrected, weight_numbers(j) * 4e-6, weight_bits(j) / 8e6);
    if (j->judged > 0)
        j->report->line(j->host,
                        "widths chosen: %.2f bits of weights and %.2f of data on average, %lld of %lld samples lost",
                        weight_bits(j) / weight_numbers(j), data_width(j), (long long)j->lost, (long long)j->judged);
    j->report->integer(j->host, "samples", j->n_samples);
    j->report->integer(j->host, "biases_corrected", corrected);
    j->report->integer(j->host, "pairs_equalised", j->n_equalised);
    j->report->integer(j->host, "values_smoothed", j->n_smoothed);
    j->report->integer(j->host, "dynamic_products", dynamic);
    put_points(j);
    put_weights(j);
}
