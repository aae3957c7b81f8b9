/* Tokens of the dimension and graph languages. */
#include "ir/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 64 };

static bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word_part(char c) {
    return is_word_start(c) || is_digit(c) || c == '.';
}

/* The beginning of `text`. */
scan scan_text(const char *text, size_t n) {
    return (scan){text, text + n, 1};
}

/* Skips blanks, line ends and comments. */
void scan_space(scan *s) {
    for (; s->at < s->end; s->at++) {
        if (*s->at == '#')
            while (s->at < s->end && *s->at != '\n')
                s->at++;
        if (s->at == s->end)
            return;
        if (*s->at == '\n')
            s->line++;
        else if (*s->at != ' ' && *s->at != '\t' && *s->at != '\r')
            return;
    }
}

/* Is nothing left but blanks and comments? */
bool scan_at_end(scan *s) {
    scan_space(s);
    return s->at == s->end;
}

/* The next character, '\0' at the end; not taken. */
char scan_peek(scan *s) {
    return scan_at_end(s) ? '\0' : *s->at;
}

/* Takes `token` where it is next; a word only as a whole. */
bool scan_take(scan *s, const char *token) {
    scan_space(s);
    size_t n = strlen(token);
    if ((size_t)(s->end - s->at) < n || memcmp(s->at, token, n) != 0)
        return false;
    if (is_word_part(token[n - 1]) && s->at + n < s->end && is_word_part(s->at[n]))
        return false;
    s->at += n;
    return true;
}

/* Takes a word; the text is in place. */
bool scan_word(scan *s, const char **out_text, size_t *out_n) {
    scan_space(s);
    if (s->at == s->end || !is_word_start(*s->at))
        return false;
    const char *from = s->at;
    while (s->at < s->end && is_word_part(*s->at))
        s->at++;
    *out_text = from;
    *out_n = (size_t)(s->at - from);
    return true;
}

/* Takes an integer; nothing is taken where it is none or out of range. */
bool scan_int(scan *s, int64_t *out) {
    scan_space(s);
    const char *p = s->at;
    bool negative = p < s->end && *p == '-';
    p += negative;
    if (p == s->end || !is_digit(*p))
        return false;
    int64_t x = 0;
    for (; p < s->end && is_digit(*p); p++) {
        int digit = *p - '0';
        if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, digit, &x))
            return false;
    }
    if (!negative && x == INT64_MIN)
        return false;
    *out = negative ? x : -x;
    s->at = p;
    return true;
}

/* Takes a number: digits as strtod reads them, or inf, -inf, nan. */
bool scan_double(scan *s, double *out) {
    if (scan_take(s, "nan")) {
        *out = (double)NAN;
        return true;
    }
    char text[NUMBER_MAX];
    size_t n = 0;
    for (const char *p = s->at; p < s->end && n < NUMBER_MAX - 1 && (is_word_part(*p) || *p == '-' || *p == '+'); p++)
        text[n++] = *p;
    text[n] = '\0';
    const char *digits = text + (text[0] == '-');
    if (!is_digit(*digits) && strcmp(digits, "inf") != 0)
        return false;
    char *rest;
    *out = strtod(text, &rest);
    if (rest == text || *rest != '\0')
        return false;
    s->at += n;
    return true;
}

static int hex_digit(char c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character that the escape after a backslash stands for, -1 where it is none; moves *p behind it. */
static int unescape(const char **p, const char *end) {
    static const char letters[] = "\"\\ntr", meant[] = "\"\\\n\t\r";
    if (*p == end)
        return -1;
    char c = *(*p)++;
    const char *known = c == '\0' ? NULL : strchr(letters, c);
    if (known != NULL)
        return (unsigned char)meant[known - letters];
    if (c != 'x' || end - *p < 2 || hex_digit((*p)[0]) < 0 || hex_digit((*p)[1]) < 0)
        return -1;
    int value = hex_digit((*p)[0]) * 16 + hex_digit((*p)[1]);
    *p += 2;
    return value;
}

/* Takes a quoted text that ends on its line. */
status scan_quoted(scan *s, arena *a, const char **out_text, size_t *out_n) {
    if (!scan_take(s, "\""))
        return STATUS_INVALID;
    const char *close = s->at;
    while (close < s->end && *close != '"' && *close != '\n')
        close += *close == '\\' && close + 1 < s->end ? 2 : 1;
    if (close >= s->end || *close != '"')
        return STATUS_INVALID;
    char *text = arena_alloc(a, (size_t)(close - s->at) + 1);
    TRY_ALLOC(text);
    size_t n = 0;
    const char *p = s->at;
    while (p < close) {
        int c = (unsigned char)*p++;
        if (c == '\\')
            c = unescape(&p, close);
        if (c < 0)
            return STATUS_INVALID;
        text[n++] = (char)c;
    }
    s->at = close + 1;
    *out_text = text;
    *out_n = n;
    return STATUS_OK;
}

/* Is `text` a word in the sense of scan_word? */
bool scan_is_word(const char *text) {
    if (!is_word_start(*text))
        return false;
    while (is_word_part(*text))
        text++;
    return *text == '\0';
}
