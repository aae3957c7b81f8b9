/* Names that collide with nothing, text that is safe in comments and strings, pieces of C. */
#include <string.h>

#include "codegen/c99/c99.h"

static const char *const common_names[] = {
    /* C++ keywords, since headers are read as C++ too */
    "and",
    "and_eq",
    "asm",
    "bitand",
    "bitor",
    "bool",
    "catch",
    "char8_t",
    "char16_t",
    "char32_t",
    "class",
    "compl",
    "concept",
    "consteval",
    "constexpr",
    "constinit",
    "const_cast",
    "co_await",
    "co_return",
    "co_yield",
    "decltype",
    "delete",
    "dynamic_cast",
    "explicit",
    "export",
    "false",
    "friend",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "reinterpret_cast",
    "requires",
    "static_assert",
    "static_cast",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typeid",
    "typename",
    "using",
    "virtual",
    "wchar_t",
    "xor",
    "xor_eq",
    "typeof",
    "alignas",
    "alignof",
    /* macros of compilers and of headers that users include */
    "linux",
    "unix",
    "i386",
    "arm",
    "mips",
    "sparc",
    "sun",
    "NULL",
    "EOF",
    "BUFSIZ",
    "FILENAME_MAX",
    "errno",
    "stdin",
    "stdout",
    "stderr",
    "assert",
    "offsetof",
    "signals",
    "slots",
    "emit",
    "foreach",
    "I",
    "complex",
    "imaginary",
    "NAN",
    "INFINITY",
    "HUGE_VAL",
    "min",
    "max",
    "near",
    "far",
    "interface",
    "small",
    "hyper",
    "CHAR_BIT",
    "INT_MAX",
    /* what generated files use */
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "size_t",
    "uintptr_t",
    "intptr_t",
    "ptrdiff_t",
    "main",
    "memcpy",
    "memset",
    "memmove",
    "tenon_env",
    "tenon_model",
    "tenon_tensor_info",
    "tenon_region_info",
    "tenon_model_query",
    "TENON_ABI",
    "TENON_HAS",
    "TENON_OK",
    "TENON_RUNTIME_H",
};

static void take(c99 *c, names *scope, const char *name, void *mark) {
    if (map_set(&scope->taken, c99_keep(c, arena_strdup(c->memory, name)), mark) != STATUS_OK)
        c->failed = true;
}

void c99_reserve(c99 *c, names *scope, const char *name) {
    take(c, scope, name, c);
}

void c99_reserve_here(c99 *c, names *scope, const char *name) {
    take(c, scope, name, scope);
}

static bool is_taken(const names *scope, const char *name) {
    if (map_get(&scope->taken, name) != NULL)
        return true;
    const names *outer = scope->outer;
    const void *mark = outer == NULL ? NULL : map_get(&outer->taken, name);
    return mark != NULL && mark != outer;
}

/* __FILE__ and its like are macros of every compiler, _Bool and its like are keywords; TENON_ belongs to runtime.h, tn_
 * to the file's helpers. */
static bool is_reserved(const char *name) {
    size_t n = strlen(name);
    if (n >= 4 && strncmp(name, "__", 2) == 0 && strcmp(name + n - 2, "__") == 0)
        return true;
    if (name[0] == '_' && name[1] >= 'A' && name[1] <= 'Z')
        return true;
    if (strncmp(name, "TENON_", 6) == 0 || strncmp(name, "tn_", 3) == 0 || strncmp(name, "TN_", 3) == 0)
        return true;
    /* f32x8 and its like are vector types of the file */
    if (n > 0 && strchr("fiu", name[0]) != NULL && strspn(name + 1, "0123456789x") >= 3)
        return true;
    for (size_t i = 0; i < sizeof common_names / sizeof *common_names; i++)
        if (strcmp(name, common_names[i]) == 0)
            return true;
    return false;
}

const char *c99_name(c99 *c, names *scope, const char *wanted) {
    const char *base = c99_keep(c, text_identifier(c->memory, wanted));
    if (is_reserved(base))
        base = c99_keep(c, arena_printf(c->memory, "_%s", base));
    const char *name = base;
    for (int k = 2; is_taken(scope, name) && !c->failed; k++)
        name = c99_keep(c, arena_printf(c->memory, "%s_%d", base, k));
    c99_reserve(c, scope, name);
    return name;
}

const char *c99_keep(c99 *c, const char *text) {
    if (text == NULL)
        c->failed = true;
    return text == NULL ? "" : text;
}

const char *c99_title(const program_buffer *b) {
    return b->title != NULL ? b->title : b->name;
}

void c99_comment(strbuf *out, const char *text) {
    char last = ' ';
    for (; *text != '\0'; text++) {
        unsigned char x = (unsigned char)*text;
        if ((last == '*' && x == '/') || (last == '/' && x == '*') || (last == '?' && x == '?'))
            strbuf_char(out, ' ');
        if (x == '\n' || x == '\r' || x == '\t')
            x = ' ';
        if (x < ' ' || x > '~')
            strbuf_printf(out, "\\x%02x", x);
        else
            strbuf_char(out, (char)x);
        last = (char)x;
    }
    if (last == '\\' || last == '*' || last == '/')
        strbuf_char(out, ' ');
}

void c99_string(strbuf *out, const char *text) {
    strbuf_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char x = (unsigned char)*text;
        if (x < ' ' || x > '~' || x == '"' || x == '\\' || x == '?')
            strbuf_printf(out, "\\%03o", x);
        else
            strbuf_char(out, (char)x);
    }
    strbuf_char(out, '"');
}

code c99_code(c99 *c, level l, int cost, const char *format, ...) {
    strbuf s = strbuf_in(c->scratch);
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&s, format, args);
    va_end(args);
    const char *text = "";
    if (strbuf_finish(&s, &text) != STATUS_OK)
        c->failed = true;
    return (code){text, l, cost};
}

const char *c99_inside(c99 *c, code x, level most) {
    if (x.level <= most)
        return x.s;
    return c99_keep(c, arena_printf(c->scratch, "(%s)", x.s));
}

void c99_line(c99 *c, const char *format, ...) {
    for (int i = 0; i < c->indent; i++)
        strbuf_add(c->out, "    ");
    va_list args;
    va_start(args, format);
    strbuf_vprintf(c->out, format, args);
    va_end(args);
    strbuf_char(c->out, '\n');
}
