/* Dimensions as text. */
#include <string.h>

#include "ir/dim_form.h"
#include "ir/scan.h"

enum { NESTING_MAX = 256 };

static void print_factor(const dim_factor *f, bool alone, strbuf *out);

/* An operand of `/`: in parentheses where it is more than a symbol or a natural number. */
static void print_operand(dim d, strbuf *out) {
    bool plain = dim_is_known(d) ? d.n >= 0
                                 : d.expr->n == 1 && d.expr->constant == 0 && d.expr->terms[0].coefficient == 1 &&
                                       d.expr->terms[0].n == 1 && d.expr->terms[0].factors[0]->kind != FACTOR_DIV;
    strbuf_add(out, plain ? "" : "(");
    dim_print(d, out);
    strbuf_add(out, plain ? "" : ")");
}

static void print_symbol(const char *name, strbuf *out) {
    if (scan_is_word(name))
        strbuf_add(out, name);
    else
        strbuf_quoted(out, name, strlen(name));
}

static void print_factor(const dim_factor *f, bool alone, strbuf *out) {
    if (f->kind == FACTOR_SYMBOL) {
        print_symbol(f->symbol, out);
    } else if (f->kind == FACTOR_DIV) {
        strbuf_add(out, alone ? "" : "(");
        print_operand(f->x, out);
        strbuf_add(out, "/");
        print_operand(f->y, out);
        strbuf_add(out, alone ? "" : ")");
    } else {
        strbuf_add(out, f->kind == FACTOR_MIN ? "min(" : "max(");
        dim_print(f->x, out);
        strbuf_add(out, ",");
        dim_print(f->y, out);
        strbuf_add(out, ")");
    }
}

static void print_term(const dim_term *t, bool first, strbuf *out) {
    if (t->coefficient == -1)
        strbuf_add(out, "-");
    else if (!first && t->coefficient > 0)
        strbuf_add(out, "+");
    bool counted = t->coefficient != 1 && t->coefficient != -1;
    if (counted)
        strbuf_printf(out, "%lld*", (long long)t->coefficient);
    for (int i = 0; i < t->n; i++) {
        strbuf_add(out, i > 0 ? "*" : "");
        print_factor(t->factors[i], t->coefficient == 1 && t->n == 1, out);
    }
}

/* Prints d; "?" where it has no value. */
void dim_print(dim d, strbuf *out) {
    if (!dim_has_value(d)) {
        strbuf_add(out, "?");
        return;
    }
    if (dim_is_known(d)) {
        strbuf_printf(out, "%lld", (long long)d.n);
        return;
    }
    for (int i = 0; i < d.expr->n; i++)
        print_term(&d.expr->terms[i], i == 0, out);
    if (d.expr->constant != 0)
        strbuf_printf(out, "%+lld", (long long)d.expr->constant);
}

/* ---- parsing ---- */

static status parse_sum(arena *a, scan *s, int depth, dim *out);

static status parse_pair(arena *a, scan *s, int depth, dim (*make)(arena *, dim, dim), dim *out) {
    dim x, y;
    TRY(parse_sum(a, s, depth, &x));
    if (!scan_take(s, ","))
        return STATUS_INVALID;
    TRY(parse_sum(a, s, depth, &y));
    *out = make(a, x, y);
    return scan_take(s, ")") ? STATUS_OK : STATUS_INVALID;
}

static bool word_is(const char *text, size_t n, const char *word) {
    return strlen(word) == n && memcmp(text, word, n) == 0;
}

static status parse_atom(arena *a, scan *s, int depth, dim *out) {
    const char *text;
    size_t n;
    if (scan_take(s, "(")) {
        TRY(parse_sum(a, s, depth, out));
        return scan_take(s, ")") ? STATUS_OK : STATUS_INVALID;
    }
    if (scan_int(s, &out->n)) {
        out->expr = NULL;
        return STATUS_OK;
    }
    if (scan_peek(s) == '"') {
        TRY(scan_quoted(s, a, &text, &n));
        if (memchr(text, '\0', n) != NULL)
            return STATUS_INVALID;
    } else {
        if (!scan_word(s, &text, &n))
            return STATUS_INVALID;
        if ((word_is(text, n, "min") || word_is(text, n, "Min")) && scan_take(s, "("))
            return parse_pair(a, s, depth, dim_min, out);
        if ((word_is(text, n, "max") || word_is(text, n, "Max")) && scan_take(s, "("))
            return parse_pair(a, s, depth, dim_max, out);
        text = arena_strndup(a, text, n);
        TRY_ALLOC(text);
    }
    *out = dim_symbol(a, text);
    return STATUS_OK;
}

/* A minus sign binds to its factor; a literal takes it in scan_int, so that INT64_MIN reads back. */
static status parse_signed(arena *a, scan *s, int depth, dim *out) {
    bool number = scan_peek(s) == '-' && s->at + 1 < s->end && s->at[1] >= '0' && s->at[1] <= '9';
    if (number || !scan_take(s, "-"))
        return parse_atom(a, s, depth, out);
    if (depth == NESTING_MAX)
        return STATUS_INVALID;
    dim x;
    TRY(parse_signed(a, s, depth + 1, &x));
    *out = dim_sub(a, DIM(0), x);
    return STATUS_OK;
}

static status parse_product(arena *a, scan *s, int depth, dim *out) {
    TRY(parse_signed(a, s, depth, out));
    for (;;) {
        dim (*make)(arena *, dim, dim) = scan_take(s, "*")                         ? dim_mul
                                         : scan_take(s, "//") || scan_take(s, "/") ? dim_floor_div
                                         : scan_take(s, "%")                       ? dim_rem
                                                                                   : NULL;
        if (make == NULL)
            return STATUS_OK;
        dim y;
        TRY(parse_signed(a, s, depth, &y));
        *out = make(a, *out, y);
    }
}

static status parse_sum(arena *a, scan *s, int depth, dim *out) {
    if (depth == NESTING_MAX)
        return STATUS_INVALID;
    TRY(parse_product(a, s, depth + 1, out));
    for (;;) {
        dim (*make)(arena *, dim, dim) = scan_take(s, "+") ? dim_add : scan_take(s, "-") ? dim_sub : NULL;
        if (make == NULL)
            return dim_status(*out);
        dim y;
        TRY(parse_product(a, s, depth + 1, &y));
        *out = make(a, *out, y);
    }
}

/* Reads a dimension from a longer text: STATUS_INVALID without a diagnostic where there is none. */
status scan_dim(scan *s, arena *a, dim *out) {
    return parse_sum(a, s, 0, out);
}

/* Parses a text that is a dimension as a whole. */
status dim_parse(arena *a, const char *text, size_t n, dim *out) {
    scan s = scan_text(text, n);
    TRY(scan_dim(&s, a, out));
    return scan_at_end(&s) ? STATUS_OK : STATUS_INVALID;
}
