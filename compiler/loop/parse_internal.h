/* What the parser's files share: tokens, errors, names. */
#ifndef TENON_LOOP_PARSE_INTERNAL_H
#define TENON_LOOP_PARSE_INTERNAL_H

#include <locale.h>

#include "base/map.h"
#include "loop/build_internal.h"
#include "loop/loop_text.h"

/* Deeper expressions and blocks are refused: everything after the parser walks them recursively. */
#define PARSE_EXPR_DEPTH 2000
#define PARSE_NESTING 200

typedef enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_STRING, TOKEN_PUNCTUATION } token_kind;

typedef struct token {
    token_kind kind;
    const char *text; /* of a string: with its quotes */
    size_t n;
    int line;
} token;

typedef struct parser {
    arena *memory;
    diag *d;
    const char *file;
    const char *at; /* after `current` */
    int line;       /* of `at` */
    int last_line;  /* of the token before `current`: what a mistake is about */
    token current;
    status result;     /* of the first mistake */
    locale_t c_locale; /* numbers have a point, whatever the host program says */
    int nesting;
    const_resolver resolve;
    void *resolve_ctx;
    const target *target;
    /* the kernel that is being read */
    builder *b;
    kernel *k;
    map names; /* of its buffers, register arrays and variables, to kernel_name */
} parser;

typedef enum name_kind { NAME_BUFFER, NAME_REG, NAME_VAR } name_kind;
typedef struct kernel_name {
    name_kind kind;
    int ref;
} kernel_name;

/* ---- parse_lex.c; after a mistake everything fails quietly, and the current token is TOKEN_END ---- */
void parse_next(parser *p);
/* Records the first mistake; false. */
bool parse_fail(parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool parse_out_of_memory(parser *p);
bool parse_is(const parser *p, const char *text);
/* Consumes the token if it is this word or punctuation. */
bool parse_accept(parser *p, const char *text);
bool parse_expect(parser *p, const char *text);
/* Reports the current token; false. */
bool parse_unexpected(parser *p, const char *wanted);
bool parse_name(parser *p, const char **out_name);
bool parse_integer(parser *p, dtype t, int64_t *out_value);
bool parse_float(parser *p, dtype t, double *out_value);
bool parse_string(parser *p, const char **out_text);
bool parse_type(parser *p, ltype *out_type);
bool parse_elem(parser *p, dtype *out_elem);
bool parse_any_elem(parser *p, dtype *out_elem); /* also of the types that kernels do not have */
/* A non-negative number of elements, below 2^48. */
bool parse_count(parser *p, int64_t *out_n);

/* ---- parse_expr.c; NULL after a mistake ---- */
const expr *parse_expr(parser *p);
kernel_name *parse_find(parser *p, name_kind kind, const char *name);

/* ---- parse_kernel.c; NULL after a mistake ---- */
kernel *parse_kernel(parser *p);

#endif
