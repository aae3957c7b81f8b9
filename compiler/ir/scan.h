/* Reading text forms: tokens of the dimension and graph languages. The text is untrusted. */
#ifndef TENON_IR_SCAN_H
#define TENON_IR_SCAN_H

#include "ir/dim.h"

/* A place in a text; lines are counted from 1. `#` begins a comment that ends with the line. */
typedef struct scan {
    const char *at, *end;
    int line;
} scan;

scan scan_text(const char *text, size_t n);
/* Skips blanks, line ends and comments. All functions below do so first. */
void scan_space(scan *s);
bool scan_at_end(scan *s);
/* The next character, '\0' at the end; not taken. */
char scan_peek(scan *s);
/* Takes `token` (punctuation, or a word that no word character follows) where it is next. */
bool scan_take(scan *s, const char *token);
/* Takes a word [A-Za-z_][A-Za-z0-9_.]*; the text is in place. */
bool scan_word(scan *s, const char **out_text, size_t *out_n);
/* Takes a decimal integer in the range of int64_t, with an optional minus sign. */
bool scan_int(scan *s, int64_t *out);
/* Takes a decimal natural number. */
bool scan_natural(scan *s, uint64_t *out);
/* Takes a number as strbuf_double, or with `single` strbuf_float, writes it ("inf", "-inf", "nan" too). */
bool scan_float(scan *s, bool single, double *out);
/* Takes hexadecimal digits, at most 16 and with nothing between. */
bool scan_hex(scan *s, uint64_t *out);
/* Takes what strbuf_quoted wrote: STATUS_INVALID where it is not such a text. The copy ends with '\0', not counted. */
status scan_quoted(scan *s, arena *a, const char **out_text, size_t *out_n);
/* Is `text` a word in the sense of scan_word? */
bool scan_is_word(const char *text);
/* dim_text.c. Reads a dimension: STATUS_INVALID without a diagnostic where there is none. */
status scan_dim(scan *s, arena *a, dim *out);

#endif
