/* Tokens of the dimension and graph languages. */
#include "ir/scan.h"

#include <math.h>
#include <stdio.h>
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

/* Takes a decimal natural number; nothing is taken where there is none or it is out of range. */
bool scan_natural(scan *s, uint64_t *out) {
    scan_space(s);
    const char *p = s->at;
    uint64_t x = 0;
    for (; p < s->end && is_digit(*p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (__builtin_mul_overflow(x, 10u, &x) || __builtin_add_overflow(x, digit, &x))
            return false;
    }
    if (p == s->at)
        return false;
    *out = x;
    s->at = p;
    return true;
}

/* Takes an integer; nothing is taken where it is none or out of range. */
bool scan_int(scan *s, int64_t *out) {
    scan_space(s);
    scan before = *s;
    bool negative = s->at < s->end && *s->at == '-';
    s->at += negative;
    uint64_t x;
    bool digits = s->at < s->end && is_digit(*s->at) && scan_natural(s, &x);
    if (!digits || x > (uint64_t)INT64_MAX + negative) {
        *s = before;
        return false;
    }
    *out = negative ? (int64_t)(0 - x) : (int64_t)x;
    return true;
}

/* Digits without their point, and the power of ten that makes up for it: strtod's point depends on the locale. */
static bool decimal_text(const char *p, const char *end, char text[NUMBER_MAX + 8], const char **out_rest) {
    int n = 0, after_point = 0, exponent = 0;
    bool point = false;
    for (; p < end && n < NUMBER_MAX && (is_digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        text[n++] = *p;
        after_point += point;
    }
    if (n == 0)
        return false;
    if (p < end && *p == 'e') {
        bool negative = ++p < end && *p == '-';
        p += negative;
        const char *digits = p;
        for (; p < end && is_digit(*p) && p - digits < 4; p++)
            exponent = exponent * 10 + (*p - '0');
        if (p == digits)
            return false;
        exponent = negative ? -exponent : exponent;
    }
    if (p < end && is_word_part(*p))
        return false;
    snprintf(text + n, 8, "e%d", exponent - after_point);
    *out_rest = p;
    return true;
}

/* Takes a number: decimal, or inf, -inf, nan. */
bool scan_float(scan *s, bool single, double *out) {
    scan_space(s);
    scan before = *s;
    if (scan_take(s, "nan")) {
        *out = (double)NAN;
        return true;
    }
    bool negative = s->at < s->end && *s->at == '-';
    s->at += negative;
    char text[NUMBER_MAX + 8];
    bool infinite = s->at < s->end && *s->at == 'i' && scan_take(s, "inf");
    if (infinite) {
        *out = (double)INFINITY;
    } else if (decimal_text(s->at, s->end, text, &s->at)) {
        *out = single ? (double)strtof(text, NULL) : strtod(text, NULL);
    } else {
        *s = before;
        return false;
    }
    *out = negative ? -*out : *out;
    return true;
}

static int hex_digit(char c) {
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Takes hexadecimal digits; nothing is taken where there is none. */
bool scan_hex(scan *s, uint64_t *out) {
    const char *p = s->at;
    uint64_t x = 0;
    for (; p < s->end && p - s->at < 16 && hex_digit(*p) >= 0; p++)
        x = x << 4 | (uint64_t)hex_digit(*p);
    if (p == s->at)
        return false;
    *out = x;
    s->at = p;
    return true;
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
