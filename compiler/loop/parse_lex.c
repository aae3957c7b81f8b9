/* Tokens of the loop IR's text form, and the small things that are made of them. */
#include "loop/parse_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/verify_internal.h"

#define MOST_ELEMENTS (INT64_C(1) << 48)

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static const char *end_of_number(const char *c) {
    while (is_digit(*c) || *c == '.')
        c++;
    if (*c == 'e' || *c == 'E') {
        c++;
        if (*c == '+' || *c == '-')
            c++;
        while (is_digit(*c))
            c++;
    }
    return c;
}

/* After the closing quote; NULL where there is none. */
static const char *end_of_string(const char *c) {
    for (c++; *c != '"'; c++) {
        if (*c == '\\' && c[1] != 0)
            c++;
        else if (*c == 0 || *c == '\n')
            return NULL;
    }
    return c + 1;
}

void parse_next(parser *p) {
    p->last_line = p->current.line;
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')
        p->line += *p->at++ == '\n';
    const char *start = p->at, *end = start;
    token_kind kind = TOKEN_END;
    if (p->result != STATUS_OK || *start == 0) {
        end = start;
    } else if (is_letter(*start)) {
        kind = TOKEN_NAME;
        while (is_letter(*end) || is_digit(*end))
            end++;
    } else if (is_digit(*start)) {
        kind = TOKEN_NUMBER;
        end = end_of_number(start);
    } else if (*start == '"') {
        kind = TOKEN_STRING;
        end = end_of_string(start);
    } else {
        kind = TOKEN_PUNCTUATION;
        end++;
    }
    if (end == NULL) {
        p->last_line = p->line;
        parse_fail(p, "a string does not end on its line");
        return;
    }
    p->current = (token){kind, start, (size_t)(end - start), p->line};
    p->at = end;
}

bool parse_fail(parser *p, const char *format, ...) {
    if (p->result == STATUS_OK) {
        strbuf text = strbuf_in(p->memory);
        va_list args;
        va_start(args, format);
        strbuf_vprintf(&text, format, args);
        va_end(args);
        const char *message;
        p->result = strbuf_finish(&text, &message);
        diag_place where = DIAG_NOWHERE;
        where.file = p->file;
        if (p->result == STATUS_OK)
            p->result =
                diag_error(p->d, STATUS_INVALID, "invalid-program", where, "line %d: %s", p->last_line, message);
    }
    p->current = (token){TOKEN_END, p->at, 0, p->line};
    return false;
}

bool parse_out_of_memory(parser *p) {
    if (p->result == STATUS_OK)
        p->result = STATUS_RESOURCE;
    p->current = (token){TOKEN_END, p->at, 0, p->line};
    return false;
}

bool parse_is(const parser *p, const char *text) {
    return (p->current.kind == TOKEN_NAME || p->current.kind == TOKEN_PUNCTUATION) && strlen(text) == p->current.n &&
           memcmp(text, p->current.text, p->current.n) == 0;
}

bool parse_accept(parser *p, const char *text) {
    bool is = parse_is(p, text);
    if (is)
        parse_next(p);
    return is;
}

static int shown_length(const parser *p) {
    return p->current.n < 40 ? (int)p->current.n : 40;
}

bool parse_unexpected(parser *p, const char *wanted) {
    p->last_line = p->current.line;
    if (p->current.kind == TOKEN_END)
        return parse_fail(p, "expected %s, found the end", wanted);
    return parse_fail(p, "expected %s, found '%.*s'", wanted, shown_length(p), p->current.text);
}

bool parse_expect(parser *p, const char *text) {
    return parse_accept(p, text) || parse_unexpected(p, text);
}

bool parse_name(parser *p, const char **out_name) {
    *out_name = "";
    if (p->current.kind != TOKEN_NAME)
        return parse_unexpected(p, "a name");
    *out_name = arena_strndup(p->memory, p->current.text, p->current.n);
    if (*out_name == NULL)
        return parse_out_of_memory(p);
    parse_next(p);
    return true;
}

/* The number's text with its sign, terminated; also inf and nan. False where it is too long to be one. */
static bool number_text(parser *p, char *out, size_t room) {
    size_t sign = parse_is(p, "-");
    out[0] = '-';
    if (sign == 1)
        parse_next(p);
    bool word = parse_is(p, "inf") || parse_is(p, "nan");
    if ((p->current.kind != TOKEN_NUMBER && !word) || p->current.n + sign >= room)
        return parse_unexpected(p, "a number");
    memcpy(out + sign, p->current.text, p->current.n);
    out[sign + p->current.n] = 0;
    parse_next(p);
    return true;
}

bool parse_integer(parser *p, dtype t, int64_t *out_value) {
    char text[32], *end;
    *out_value = 0;
    if (!number_text(p, text, sizeof text))
        return false;
    bool wide = t == DT_U64;
    errno = 0;
    *out_value = wide ? (int64_t)strtoull(text, &end, 10) : strtoll(text, &end, 10);
    if (*end != 0 || errno != 0 || (wide && text[0] == '-') || fold_wrap(t, *out_value) != *out_value)
        return parse_fail(p, "%s is no value of %s", text, dtype_name(t));
    return true;
}

bool parse_float(parser *p, dtype t, double *out_value) {
    char text[512], *end;
    *out_value = 0;
    if (!number_text(p, text, sizeof text))
        return false;
    *out_value = t == DT_F32 ? (double)strtof_l(text, &end, p->c_locale) : strtod_l(text, &end, p->c_locale);
    bool exact = *out_value != *out_value || fold_round(t, *out_value) == *out_value;
    if (*end != 0 || !exact)
        return parse_fail(p, "%s is no value of %s", text, dtype_name(t));
    return true;
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *found = c == 0 ? NULL : strchr(digits, c);
    return found != NULL ? (int)(found - digits) : -1;
}

/* One character of a string, escapes undone; -1 for an unknown escape. */
static int unescape(const char **at) {
    char c = *(*at)++;
    if (c != '\\')
        return (unsigned char)c;
    c = *(*at)++;
    if (c == 'n' || c == 't')
        return c == 'n' ? '\n' : '\t';
    if (c == '"' || c == '\\')
        return c;
    if (c != 'x' || hex_digit((*at)[0]) < 0 || hex_digit((*at)[1]) < 0)
        return -1;
    int value = hex_digit((*at)[0]) * 16 + hex_digit((*at)[1]);
    *at += 2;
    return value;
}

bool parse_string(parser *p, const char **out_text) {
    *out_text = "";
    if (p->current.kind != TOKEN_STRING)
        return parse_unexpected(p, "a string");
    char *text = arena_alloc(p->memory, p->current.n);
    if (text == NULL)
        return parse_out_of_memory(p);
    const char *at = p->current.text + 1, *end = p->current.text + p->current.n - 1;
    size_t n = 0;
    while (at < end) {
        int c = unescape(&at);
        if (c <= 0)
            return parse_fail(p, "a string with an escape that does not exist, or a zero byte");
        text[n++] = (char)c;
    }
    *out_text = text;
    parse_next(p);
    return true;
}

/* "f32x8": element type and lanes. */
static bool type_from(const char *name, ltype *out) {
    *out = LTYPE(dtype_parse(name), 1);
    if (out->elem != DT_NONE)
        return verify_storable(out->elem);
    const char *x = strrchr(name, 'x');
    char elem[16];
    if (x == NULL || (size_t)(x - name) >= sizeof elem || !is_digit(x[1]) || strlen(x) > 3)
        return false;
    memcpy(elem, name, (size_t)(x - name));
    elem[x - name] = 0;
    *out = LTYPE(dtype_parse(elem), (int)strtol(x + 1, NULL, 10));
    return verify_storable(out->elem) && out->lanes > 1 && out->lanes <= 64;
}

bool parse_type(parser *p, ltype *out_type) {
    const char *name;
    *out_type = LTYPE(DT_NONE, 1);
    if (!parse_name(p, &name))
        return false;
    return type_from(name, out_type) || parse_fail(p, "there is no type '%.40s'", name);
}

bool parse_any_elem(parser *p, dtype *out_elem) {
    char name[16];
    size_t n = p->current.n < sizeof name ? p->current.n : 0;
    memcpy(name, p->current.text, n);
    name[n] = 0;
    *out_elem = dtype_parse(name);
    if (*out_elem == DT_NONE)
        return parse_elem(p, out_elem);
    parse_next(p);
    return true;
}

bool parse_elem(parser *p, dtype *out_elem) {
    ltype t;
    if (!parse_type(p, &t))
        return false;
    *out_elem = t.elem;
    return t.lanes == 1 || parse_fail(p, "lanes do not belong here");
}

bool parse_count(parser *p, int64_t *out_n) {
    if (!parse_integer(p, DT_I64, out_n))
        return false;
    return (*out_n >= 0 && *out_n < MOST_ELEMENTS) || parse_fail(p, "a size must be between 0 and 2^48");
}
