/* auto=accuracy:POINTS: the fewest bits of weights, and with auto_widths=all of data, that lose no more.
 *
 * Each of them alone is rounded at each width, and what that does to the model's output is measured: the harm. Harms
 * add up, nearly. So for a bound of the harm, the fewest bits are a knapsack's: of each item one width, the sum of
 * harms within the bound. Which bound it may be, the labelled samples say.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "judge.h"
#include "quantize.h"

static const int widths[] = {2, 3, 4, 5, 6, 8};
enum { N_WIDTHS = 6, UNITS = 4096, STEPS = 9 };

/* What gets a width: a weight, or a value. */
typedef struct item {
    weight *w; /* NULL: it is p */
    point *p;
    double numbers; /* of a value: in a sample */
    double harm[N_WIDTHS];
    int width;
} item;

typedef struct judging {
    job *j;
    item *items;
    int n_items;
    judge by;
    double points; /* that may be lost */
} judging;

/* ---- items in the float graph ---- */

static int put_weight(const job *j, weight *w, int width) {
    w->width = width;
    TRY(weight_round(j, w));
    w->rounded = w->rounded != NULL ? w->rounded : quant_room(j, (size_t)w->count, sizeof *w->rounded);
    if (w->rounded == NULL)
        return TENON_PASS_RESOURCE;
    for (int64_t i = 0; i < w->count; i++)
        w->rounded[i] = format_number(&w->formats[weight_group(w, i)], w->codes[i]);
    tenon_tensor *t = j->tensor->make(j->host, j->g, TENON_FLOAT, w->rank, w->dims, w->rounded);
    tenon_value *v = t != NULL ? j->graph->add_constant(j->host, j->g, "tried", t) : NULL;
    return v != NULL ? j->graph->set_input(j->host, w->node, w->input, v) : TENON_PASS_RESOURCE;
}

static int take_weight_back(const job *j, const weight *w) {
    tenon_value *tried = j->graph->node_input(w->node, w->input);
    if (tried == w->value)
        return TENON_OK;
    TRY(j->graph->set_input(j->host, w->node, w->input, w->value));
    return j->graph->remove_value(j->host, j->g, tried);
}

static int put(const job *j, item *it, int width) {
    it->width = width;
    if (it->w != NULL)
        return put_weight(j, it->w, width);
    it->p->how.data_width = width;
    TRY(quant_choose_point(j, it->p));
    return quant_insert_point(j, it->p);
}

static int take_back(const job *j, const item *it) {
    return it->w != NULL ? take_weight_back(j, it->w) : quant_remove_point(j, it->p);
}

static int measure(judging *a) {
    for (int i = 0; i < a->n_items; i++)
        for (int k = 0; k < N_WIDTHS; k++) {
            TRY(put(a->j, &a->items[i], widths[k]));
            TRY(judge_run(&a->by, a->by.probes));
            TRY(take_back(a->j, &a->items[i]));
            a->items[i].harm[k] = a->by.harm;
        }
    return TENON_OK;
}

/* ---- the knapsack ---- */

/* choice[i * (UNITS + 1) + u]: the width of item i where the first i + 1 share u units of the bound. */
typedef struct sack {
    double *bits;
    unsigned char *choice;
} sack;

static int units_of(double harm, double bound) {
    double most = (double)UNITS, u = ceil(harm / bound * most);
    return u > most ? UNITS + 1 : (int)u;
}

static void add_item(const item *it, double bound, const double *before, double *after, unsigned char *chosen) {
    for (int u = 0; u <= UNITS; u++) {
        after[u] = INFINITY;
        for (int k = 0; k < N_WIDTHS; k++) {
            int need = units_of(it->harm[k], bound);
            double bits = need <= u ? before[u - need] + it->numbers * widths[k] : INFINITY;
            if (bits < after[u]) {
                after[u] = bits;
                chosen[u] = (unsigned char)k;
            }
        }
    }
}

/* Sets the widths; 0 where no choice keeps the bound. */
static int fill(item *items, int n, double bound, const sack *s) {
    double *rows[2] = {s->bits, s->bits + UNITS + 1};
    memset(s->bits, 0, 2 * (UNITS + 1) * sizeof *s->bits);
    for (int i = 0; i < n; i++)
        add_item(&items[i], bound, rows[i % 2], rows[1 - i % 2], s->choice + i * (UNITS + 1));
    if (!(rows[n % 2][UNITS] < INFINITY))
        return 0;
    for (int i = n - 1, u = UNITS; i >= 0; i--) {
        int k = s->choice[i * (UNITS + 1) + u];
        items[i].width = widths[k];
        u -= units_of(items[i].harm[k], bound);
    }
    return 1;
}

/* ---- the bound ---- */

static int try_widths(judging *a, int *out_good) {
    const job *j = a->j;
    for (int i = 0; i < a->n_items; i++)
        TRY(put(j, &a->items[i], a->items[i].width));
    TRY(judge_run(&a->by, a->by.n));
    for (int i = 0; i < a->n_items; i++)
        TRY(take_back(j, &a->items[i]));
    a->j->lost = a->by.before - a->by.right;
    *out_good = judge_lost_at_most(&a->by, a->points);
    return TENON_OK;
}

/* From all of 8 bits (the harm that is always accepted) to all of 2, by halves of the logarithm. */
static int search(judging *a, int *best) {
    job *j = a->j;
    sack s = {quant_room(j, 2 * (UNITS + 1), sizeof *s.bits), quant_room(j, (size_t)a->n_items * (UNITS + 1), 1)};
    double low = 1e-12, high = 1e-12;
    int64_t lost = 0;
    if (s.bits == NULL || s.choice == NULL)
        return TENON_PASS_RESOURCE;
    for (int i = 0; i < a->n_items; i++) {
        best[i] = widths[N_WIDTHS - 1];
        low += a->items[i].harm[N_WIDTHS - 1];
        high += a->items[i].harm[0];
    }
    for (int step = 0; step < STEPS; step++) {
        double bound = sqrt(low * high);
        int good = 0;
        if (fill(a->items, a->n_items, bound, &s))
            TRY(try_widths(a, &good));
        if (good) {
            low = bound;
            lost = j->lost;
            for (int i = 0; i < a->n_items; i++)
                best[i] = a->items[i].width;
        } else {
            high = bound;
        }
    }
    j->lost = lost;
    j->judged = a->by.n;
    return TENON_OK;
}

static int settle(const judging *a, const int *best) {
    for (int i = 0; i < a->n_items; i++) {
        const item *it = &a->items[i];
        if (it->w != NULL) {
            it->w->width = best[i];
        } else {
            it->p->how.data_width = best[i];
            TRY(quant_choose_point(a->j, it->p));
        }
    }
    return TENON_OK;
}

/* ---- all ---- */

/* Weights, and where they are asked for the values that calibration has seen. */
static int find_items(judging *a) {
    job *j = a->j;
    int all = strcmp(j->option->text(j->host, "auto_widths", NULL), "all") == 0;
    a->items = quant_room(j, (size_t)j->n_weights + (size_t)j->n_points + 1, sizeof *a->items);
    if (a->items == NULL)
        return TENON_PASS_RESOURCE;
    if (all && quant_is_everywhere(j)) {
        j->diag->error(j->host, NULL, "usage", "auto_widths=all goes with data=operands, not with data=all");
        return TENON_PASS_USAGE;
    }
    for (int i = 0; i < j->n_weights; i++)
        a->items[a->n_items++] = (item){.w = &j->weights[i], .numbers = (double)j->weights[i].count};
    for (int i = 0; all && i < j->n_points; i++)
        if (j->points[i].seen->n > 0 && !j->points[i].is_count && !j->points[i].how.has_data_frac)
            a->items[a->n_items++] =
                (item){.p = &j->points[i], .numbers = (double)j->points[i].seen->n / (double)j->n_samples};
    return TENON_OK;
}

static int read_points(judging *a) {
    char *end;
    const char *number = a->by.text + strlen("accuracy:");
    if (strncmp(a->by.text, "accuracy:", strlen("accuracy:")) != 0)
        return judge_refuse(&a->by, "expected accuracy:POINTS; did you mean 'accuracy:0.5'?");
    a->points = strtod(number, &end);
    int is_good = end != number && *end == '\0' && a->points >= 0 && a->points <= 100;
    return is_good ? TENON_OK : judge_refuse(&a->by, "expected points from 0 to 100, as in accuracy:0.5");
}

int quant_auto(job *j) {
    const char *text = j->option->text(j->host, "auto", NULL);
    judging a = {.j = j};
    if (text == NULL)
        return TENON_OK;
    judge_begin(&a.by, j->host, text);
    TRY(read_points(&a));
    TRY(judge_open(&a.by, j->g, j->samples));
    TRY(judge_find_labels(&a.by));
    TRY(find_items(&a));
    int *best = quant_room(j, (size_t)a.n_items + 1, sizeof *best);
    if (best == NULL)
        return TENON_PASS_RESOURCE;
    TRY(judge_reference(&a.by));
    TRY(measure(&a));
    TRY(search(&a, best));
    return settle(&a, best);
}
