/* String buffers, identifiers, suggestions, globs. */
#include "base/text.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An empty text; allocates nothing yet. */
strbuf strbuf_in(arena *a) {
    return (strbuf){.memory = a, .text = ""};
}

static bool grow(strbuf *s, size_t more) {
    if (s->failed)
        return false;
    if (s->n + more < s->cap)
        return true;
    size_t cap = s->cap < 64 ? 64 : s->cap * 2;
    cap = cap <= s->n + more ? s->n + more + 1 : cap;
    char *bigger = arena_alloc(s->memory, cap);
    if (bigger == NULL) {
        s->failed = true;
        return false;
    }
    memcpy(bigger, s->text, s->n);
    s->text = bigger;
    s->cap = cap;
    return true;
}

/* Appends the text. */
void strbuf_add(strbuf *s, const char *text) {
    strbuf_add_n(s, text, strlen(text));
}

/* Appends n bytes. */
void strbuf_add_n(strbuf *s, const char *text, size_t n) {
    if (n == 0 || !grow(s, n))
        return;
    memcpy(s->text + s->n, text, n);
    s->n += n;
    s->text[s->n] = '\0';
}

/* Appends one byte. */
void strbuf_char(strbuf *s, char c) {
    strbuf_add_n(s, &c, 1);
}

/* Appends formatted text. */
void strbuf_printf(strbuf *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    strbuf_vprintf(s, format, args);
    va_end(args);
}

/* Appends formatted text. */
void strbuf_vprintf(strbuf *s, const char *format, va_list args) {
    if (s->failed)
        return;
    va_list again;
    va_copy(again, args);
    size_t room = s->cap - s->n;
    int length = vsnprintf(room == 0 ? NULL : s->text + s->n, room, format, args);
    if (length < 0)
        s->failed = true;
    else if ((size_t)length < room)
        s->n += (size_t)length;
    else if (grow(s, (size_t)length))
        s->n += (size_t)vsnprintf(s->text + s->n, s->cap - s->n, format, again);
    if (s->failed && room > 0)
        s->text[s->n] = '\0';
    va_end(again);
}

/* Digits and decimal exponent of a number: d.ddd * 10^exponent. */
typedef struct decimal {
    char digits[DBL_DECIMAL_DIG + 1];
    int n;
    int exponent;
} decimal;

/* Read from printf's output by digits only, since the decimal point depends on the locale. */
static decimal decimal_of(double magnitude, int n) {
    char text[40];
    snprintf(text, sizeof text, "%.*e", n - 1, magnitude);
    decimal d = {.n = 0};
    const char *p = text;
    for (; *p != 'e'; p++)
        if (isdigit((unsigned char)*p))
            d.digits[d.n++] = *p;
    d.exponent = atoi(p + 1);
    return d;
}

static double decimal_value(const decimal *d, bool single) {
    char text[40];
    snprintf(text, sizeof text, "%.*se%d", d->n, d->digits, d->exponent - (d->n - 1));
    return single ? (double)strtof(text, NULL) : strtod(text, NULL);
}

/* The next larger number of as many digits. */
static decimal decimal_above(decimal d) {
    int i = d.n - 1;
    for (; i >= 0 && d.digits[i] == '9'; i--)
        d.digits[i] = '0';
    if (i >= 0) {
        d.digits[i]++;
    } else {
        d.digits[0] = '1';
        d.exponent++;
    }
    return d;
}

/* The fewest digits that read back as the number. The nearest number of n digits is tried, and the one above: at a
 * power of two the interval that reads back is wider above. */
static decimal decimal_shortest(double magnitude, bool single) {
    int most = single ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
    bool normal = magnitude >= (single ? (double)FLT_MIN : DBL_MIN);
    /* A number of so few digits that every float holds them is found, with zeros at its end, at that length. */
    int n = !normal ? 1 : single ? FLT_DIG : DBL_DIG;
    decimal d = decimal_of(magnitude, n);
    while (n < most && decimal_value(&d, single) != magnitude) {
        decimal above = decimal_above(d);
        if (decimal_value(&above, single) == magnitude) {
            d = above;
            break;
        }
        d = decimal_of(magnitude, ++n);
    }
    while (d.n > 1 && d.digits[d.n - 1] == '0')
        d.n--;
    return d;
}

static void add_zeros(strbuf *s, int n) {
    for (int i = 0; i < n; i++)
        strbuf_char(s, '0');
}

static void add_decimal(strbuf *s, const decimal *d) {
    int whole = d->exponent + 1; /* digits before the point */
    if (d->exponent < -5 || d->exponent > 16) {
        strbuf_char(s, d->digits[0]);
        if (d->n > 1)
            strbuf_char(s, '.');
        strbuf_add_n(s, d->digits + 1, (size_t)(d->n - 1));
        strbuf_printf(s, "e%d", d->exponent);
    } else if (whole <= 0) {
        strbuf_add(s, "0.");
        add_zeros(s, -whole);
        strbuf_add_n(s, d->digits, (size_t)d->n);
    } else if (d->n <= whole) {
        strbuf_add_n(s, d->digits, (size_t)d->n);
        add_zeros(s, whole - d->n);
    } else {
        strbuf_add_n(s, d->digits, (size_t)whole);
        strbuf_char(s, '.');
        strbuf_add_n(s, d->digits + whole, (size_t)(d->n - whole));
    }
}

static void add_number(strbuf *s, double x, bool single) {
    if (isnan(x)) {
        strbuf_add(s, "nan");
        return;
    }
    if (signbit(x))
        strbuf_char(s, '-');
    if (isinf(x)) {
        strbuf_add(s, "inf");
        return;
    }
    decimal d = decimal_shortest(fabs(x), single);
    add_decimal(s, &d);
}

/* Shortest decimal text that reads back as the same double; whole numbers have no point: "1", "0.5", "1e20". */
void strbuf_double(strbuf *s, double x) {
    add_number(s, x, false);
}

/* Shortest decimal text that reads back as the same float. */
void strbuf_float(strbuf *s, float x) {
    add_number(s, (double)x, true);
}

/* Between double quotes, printable ASCII whatever the input. */
void strbuf_quoted(strbuf *s, const char *text, size_t n) {
    strbuf_char(s, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            strbuf_printf(s, "\\%c", c);
        else if (c == '\n')
            strbuf_add(s, "\\n");
        else if (c == '\t')
            strbuf_add(s, "\\t");
        else if (c < 0x20 || c >= 0x7f)
            strbuf_printf(s, "\\x%02x", c);
        else
            strbuf_char(s, (char)c);
    }
    strbuf_char(s, '"');
}

/* The text (never NULL), or as much of it as there was memory for and STATUS_RESOURCE. */
status strbuf_finish(strbuf *s, const char **out_text) {
    *out_text = s->text;
    return s->failed ? STATUS_RESOURCE : STATUS_OK;
}

static const char *const C_KEYWORDS[] = {
    "alignas",       "alignof",       "asm",      "auto",     "bool",         "break",  "case",    "char",
    "const",         "constexpr",     "continue", "default",  "do",           "double", "else",    "enum",
    "extern",        "false",         "float",    "for",      "goto",         "if",     "inline",  "int",
    "long",          "nullptr",       "register", "restrict", "return",       "short",  "signed",  "sizeof",
    "static",        "static_assert", "struct",   "switch",   "thread_local", "true",   "typedef", "typeof",
    "typeof_unqual", "union",         "unsigned", "void",     "volatile",     "while",
};

static bool is_keyword(const char *text) {
    for (size_t i = 0; i < sizeof C_KEYWORDS / sizeof *C_KEYWORDS; i++)
        if (text[0] == C_KEYWORDS[i][0] && strcmp(text, C_KEYWORDS[i]) == 0)
            return true;
    return false;
}

/* ASCII only, whatever the locale. */
static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* `name` as a C identifier; "_" where it is empty. NULL when out of memory. */
char *text_identifier(arena *a, const char *name) {
    bool guard = name[0] == '\0' || is_digit(name[0]) || is_keyword(name);
    size_t n = strlen(name), first = guard ? 1 : 0;
    char *text = arena_alloc(a, n + first + 1);
    if (text == NULL)
        return NULL;
    text[0] = '_';
    for (size_t i = 0; i < n; i++)
        text[first + i] = is_word(name[i]) ? name[i] : '_';
    text[first + n] = '\0';
    return text;
}

enum { LONGEST_SUGGESTION = 100 };

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Insertions, deletions, substitutions and swaps of neighbours that turn a into b; case does not count. */
static unsigned edit_distance(const char *a, size_t n_a, const char *b, size_t n_b) {
    unsigned rows[3][LONGEST_SUGGESTION + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n_b; j++)
        last[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            char x = to_lower(a[i - 1]), y = to_lower(b[j - 1]);
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == to_lower(b[j - 2]) && to_lower(a[i - 2]) == y)
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[n_b];
}

/* The nearest of the names, the first where several are; near is within a third of the length. */
const char *text_nearest(const char *wrong, const char *const *names, size_t n) {
    size_t length = strlen(wrong);
    if (length > LONGEST_SUGGESTION)
        return NULL;
    const char *nearest = NULL;
    unsigned best = (unsigned)(length < 3 ? 1 : length / 3) + 1;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(names[i]);
        if (other > LONGEST_SUGGESTION)
            continue;
        unsigned distance = edit_distance(wrong, length, names[i], other);
        if (distance < best && distance < least((unsigned)length, (unsigned)other)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Does `text` match the glob? On a mismatch only the last star needs another try. */
bool text_glob(const char *glob, const char *text) {
    const char *star = NULL, *resume = NULL;
    while (*text != '\0') {
        if (*glob == '*') {
            star = ++glob;
            resume = text;
        } else if (*glob == '?' || *glob == *text) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

size_t text_utf8_length(const char *text) {
    const unsigned char *p = (const unsigned char *)text;
    static const unsigned char leads[][2] = {{0x80, 0}, {0xe0, 0xc0}, {0xf0, 0xe0}, {0xf8, 0xf0}}; /* mask, value */
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    for (size_t n = 0; n < 4; n++) {
        if ((p[0] & leads[n][0]) != leads[n][1])
            continue;
        uint32_t c = n == 0 ? p[0] : p[0] & (0x3fu >> n);
        for (size_t i = 1; i <= n; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (p[i] & 0x3f);
        }
        return c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : n + 1;
    }
    return 0;
}
