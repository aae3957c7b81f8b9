/* What reports share: tables and readable numbers. */
#include "report/report.h"

#include <string.h>

/* Characters on the screen: bytes that do not continue a UTF-8 character. */
static size_t width_of(const char *text) {
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static size_t column_width(const char *const *cells, size_t n_rows, size_t n_columns, size_t column) {
    size_t widest = 0;
    for (size_t r = 0; r < n_rows; r++) {
        size_t w = width_of(cells[r * n_columns + column]);
        widest = w > widest ? w : widest;
    }
    return widest;
}

static void add_blanks(strbuf *s, size_t n) {
    while (n-- > 0)
        strbuf_char(s, ' ');
}

void report_table(strbuf *s, const char *const *cells, size_t n_rows, size_t n_columns, size_t n_left) {
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            const char *cell = cells[r * n_columns + c];
            size_t pad = column_width(cells, n_rows, n_columns, c) - width_of(cell);
            add_blanks(s, (c > 0 ? 2 : 0) + (c < n_left ? 0 : pad));
            strbuf_add(s, cell);
            if (c < n_left && c + 1 < n_columns)
                add_blanks(s, pad);
        }
        strbuf_char(s, '\n');
    }
}

const char *report_amount(arena *a, double x, const char *unit) {
    static const char *const prefixes[] = {"", "k", "M", "G", "T"};
    size_t p = 0;
    while (x >= 999.5 && p + 1 < sizeof prefixes / sizeof *prefixes) {
        x /= 1000;
        p++;
    }
    const char *text = p == 0 || x >= 99.95 ? arena_printf(a, "%.0f %s%s", x, prefixes[p], unit)
                                            : arena_printf(a, "%.1f %s%s", x, prefixes[p], unit);
    return text != NULL ? text : "";
}

const char *report_name(arena *a, const char *name, size_t longest) {
    if (width_of(name) <= longest)
        return name;
    const char *from = name + strlen(name);
    for (size_t n = 0; n + 3 < longest; n += ((unsigned char)*from & 0xc0) != 0x80)
        from--;
    const char *text = arena_printf(a, "...%s", from);
    return text != NULL ? text : "";
}

const char *report_shape(arena *a, int rank, const int64_t *dims) {
    strbuf s = strbuf_in(a);
    const char *text;
    for (int i = 0; i < rank; i++)
        strbuf_printf(&s, "%s%lld", i > 0 ? "x" : "", (long long)dims[i]);
    return rank > 0 && strbuf_finish(&s, &text) == STATUS_OK ? text : "scalar";
}
