/* Expressions of the loop IR's text form. They are interned as they stand, without simplification. */
#include "loop/parse_internal.h"

#include <string.h>

/* An expression with its depth. */
typedef struct parsed {
    const expr *x; /* NULL after a mistake */
    int depth;
} parsed;

static const parsed nothing = {NULL, 0};

/* What an operation's word is followed by. */
typedef struct immediates {
    ltype type;
    int64_t stride;
    int n_lanes;
    uint8_t lanes[64];
} immediates;

static parsed parse_sum(parser *p, int nesting);

static parsed made(parser *p, const expr *shape, const expr *const *args, int depth) {
    if (depth > PARSE_EXPR_DEPTH) {
        parse_fail(p, "the expression is too deep");
        return nothing;
    }
    const expr *x = build_intern(p->b, shape, args);
    if (builder_status(p->b) != STATUS_OK) {
        parse_out_of_memory(p);
        return nothing;
    }
    return (parsed){x, depth};
}

kernel_name *parse_find(parser *p, name_kind kind, const char *name) {
    static const char *const kinds[] = {"buffer", "register array", "variable"};
    kernel_name *found = map_get(&p->names, name);
    if (found != NULL && found->kind == kind)
        return found;
    parse_fail(p, "there is no %s called '%.40s'", kinds[kind], name);
    return NULL;
}

/* ---- leaves ---- */

static parsed parse_index_constant(parser *p) {
    expr shape = {.kind = EXPR_INT, .type = LTYPE(DT_I64, 1)};
    return parse_integer(p, DT_I64, &shape.imm) ? made(p, &shape, NULL, 1) : nothing;
}

/* After `type (` */
static parsed parse_constant(parser *p, dtype t) {
    bool is_float = dtype_is_float(t);
    expr shape = {.kind = is_float ? EXPR_FLOAT : EXPR_INT, .type = LTYPE(t, 1)};
    bool read = is_float ? parse_float(p, t, &shape.f) : parse_integer(p, t, &shape.imm);
    if (!read || !parse_expect(p, ")"))
        return nothing;
    if (shape.f != shape.f)
        shape.f = build_float(p->b, t, shape.f)->f;
    return made(p, &shape, NULL, 1);
}

static parsed parse_variable(parser *p, const char *name) {
    kernel_name *found = parse_find(p, NAME_VAR, name);
    if (found == NULL)
        return nothing;
    expr shape = {.kind = EXPR_VAR, .type = p->b->vars.at[found->ref].type, .ref = found->ref};
    return made(p, &shape, NULL, 1);
}

/* After `name [` */
static parsed parse_register(parser *p, const char *name, int nesting) {
    kernel_name *found = parse_find(p, NAME_REG, name);
    parsed index = found != NULL ? parse_sum(p, nesting + 1) : nothing;
    if (index.x == NULL || !parse_expect(p, "]"))
        return nothing;
    expr shape = {.kind = EXPR_REG, .type = p->k->regs.at[found->ref].type, .ref = found->ref, .n_args = 1};
    return made(p, &shape, &index.x, index.depth + 1);
}

/* ---- operations ---- */

static const signed char operand_counts[EXPR_COUNT] = {
#define EXPR(name, text, args) args,
#include "loop/expr.def"
#undef EXPR
};

static bool find_operation(const char *name, expr_kind *out_kind) {
    for (int k = EXPR_LOAD; k < EXPR_COUNT; k++) {
        if (k == EXPR_REG || k == EXPR_READ || text_infix((expr_kind)k) != 0 ||
            strcmp(text_kind_name((expr_kind)k), name) != 0)
            continue;
        *out_kind = (expr_kind)k;
        return true;
    }
    return false;
}

static bool parse_lane_count(parser *p, int *out_lanes) {
    int64_t n;
    if (!parse_integer(p, DT_I64, &n))
        return false;
    *out_lanes = (int)n;
    return (n > 1 && n <= 64) || parse_fail(p, "lanes must be 2 to 64");
}

static bool parse_lane_list(parser *p, immediates *out) {
    do {
        int64_t lane;
        if (!parse_integer(p, DT_I64, &lane))
            return false;
        if (lane < 0 || lane > 127 || out->n_lanes == 64)
            return parse_fail(p, "a shuffle takes up to 64 lanes, each 0 to 127");
        out->lanes[out->n_lanes++] = (uint8_t)lane;
    } while (parse_accept(p, ","));
    return true;
}

static bool parse_immediates(parser *p, text_form form, immediates *out) {
    *out = (immediates){.n_lanes = 0};
    if (form == FORM_PLAIN)
        return true;
    if (!parse_expect(p, "<"))
        return false;
    bool read = false;
    switch (form) {
    case FORM_TYPE:
        read = parse_type(p, &out->type);
        break;
    case FORM_ELEM:
        read = parse_elem(p, &out->type.elem);
        break;
    case FORM_LANES:
        read = parse_lane_count(p, &out->type.lanes);
        break;
    case FORM_RAMP:
        read = parse_lane_count(p, &out->type.lanes) && parse_expect(p, ",") && parse_integer(p, DT_I64, &out->stride);
        break;
    default:
        read = parse_lane_list(p, out);
        break;
    }
    return read && parse_expect(p, ">");
}

static ltype result_type(expr_kind k, const immediates *i, const expr *const *args) {
    ltype first = args[0]->type;
    switch (text_form_of(k)) {
    case FORM_TYPE:
        return i->type;
    case FORM_ELEM:
        return LTYPE(i->type.elem, first.lanes);
    case FORM_LANES:
    case FORM_RAMP:
        return LTYPE(first.elem, i->type.lanes);
    case FORM_SHUFFLE:
        return LTYPE(first.elem, i->n_lanes);
    default:
        break;
    }
    if (k >= EXPR_REDUCE_ADD && k <= EXPR_REDUCE_MAX)
        return LTYPE(first.elem, 1);
    if (k >= EXPR_EQ && k <= EXPR_LE)
        return LTYPE(DT_BOOL, first.lanes);
    if (k == EXPR_PAIRS)
        return LTYPE(DT_I16, first.lanes / 2);
    return k == EXPR_SELECT ? args[1]->type : first;
}

/* The operands up to the closing parenthesis. */
static bool parse_operands(parser *p, int nesting, const expr **args, int most, int *out_n, int *out_depth) {
    do {
        if (*out_n == most)
            return parse_fail(p, "too many operands");
        parsed a = parse_sum(p, nesting + 1);
        if (a.x == NULL)
            return false;
        args[(*out_n)++] = a.x;
        *out_depth = a.depth > *out_depth ? a.depth : *out_depth;
    } while (parse_accept(p, ","));
    return parse_expect(p, ")");
}

static bool parse_load_buffer(parser *p, int *out_ref) {
    const char *name;
    if (!parse_name(p, &name) || !parse_expect(p, ","))
        return false;
    kernel_name *found = parse_find(p, NAME_BUFFER, name);
    *out_ref = found != NULL ? found->ref : 0;
    return found != NULL;
}

static parsed parse_operation(parser *p, const char *name, int nesting) {
    expr shape = {.kind = EXPR_INT};
    immediates i;
    const expr *args[3] = {NULL, NULL, NULL};
    int depth = 0;
    if (!find_operation(name, &shape.kind)) {
        parse_fail(p, "there is no operation '%.40s'", name);
        return nothing;
    }
    bool load = shape.kind == EXPR_LOAD;
    int wanted = operand_counts[shape.kind];
    if (!parse_immediates(p, text_form_of(shape.kind), &i) || !parse_expect(p, "(") ||
        (load && !parse_load_buffer(p, &shape.ref)) ||
        !parse_operands(p, nesting, args, load ? 2 : wanted, &shape.n_args, &depth))
        return nothing;
    if (!load && shape.n_args != wanted) {
        parse_fail(p, "%s takes %d operands", name, wanted);
        return nothing;
    }
    shape.type = result_type(shape.kind, &i, args);
    shape.masked = load && shape.n_args == 2;
    shape.imm = i.stride;
    shape.lanes = shape.kind == EXPR_SHUFFLE ? i.lanes : NULL;
    return made(p, &shape, args, depth + 1);
}

/* ---- grammar ---- */

static parsed parse_primary(parser *p, int nesting) {
    if (nesting > PARSE_NESTING) {
        parse_fail(p, "the expression nests too deeply");
        return nothing;
    }
    if (parse_accept(p, "(")) {
        parsed inner = parse_sum(p, nesting + 1);
        return inner.x != NULL && parse_expect(p, ")") ? inner : nothing;
    }
    if (p->current.kind == TOKEN_NUMBER || parse_is(p, "-"))
        return parse_index_constant(p);
    const char *name;
    if (!parse_name(p, &name))
        return nothing;
    if (parse_accept(p, "["))
        return parse_register(p, name, nesting);
    dtype t = dtype_parse(name);
    if (t != DT_NONE && parse_is(p, "(")) {
        if (dtype_bits(t) < 8 || t == DT_F8E8M0) {
            parse_fail(p, "there are no constants of %s here", name);
            return nothing;
        }
        parse_next(p);
        return parse_constant(p, t);
    }
    return parse_is(p, "(") || parse_is(p, "<") ? parse_operation(p, name, nesting) : parse_variable(p, name);
}

/* The infix operation that the current token means, of the given precedence. */
static bool infix_kind(const parser *p, int precedence, expr_kind *out_kind) {
    if (p->current.kind != TOKEN_PUNCTUATION)
        return false;
    for (int k = EXPR_ADD; k <= EXPR_REM; k++)
        if (text_infix((expr_kind)k) == *p->current.text && text_precedence((expr_kind)k) == precedence) {
            *out_kind = (expr_kind)k;
            return true;
        }
    return false;
}

static parsed parse_chain(parser *p, int nesting, int precedence) {
    parsed left = precedence == 3 ? parse_primary(p, nesting) : parse_chain(p, nesting, precedence + 1);
    expr_kind k;
    while (left.x != NULL && precedence < 3 && infix_kind(p, precedence, &k)) {
        parse_next(p);
        parsed right = parse_chain(p, nesting, precedence + 1);
        if (right.x == NULL)
            return nothing;
        const expr *args[] = {left.x, right.x};
        expr shape = {.kind = k, .type = left.x->type, .n_args = 2};
        left = made(p, &shape, args, (left.depth > right.depth ? left.depth : right.depth) + 1);
    }
    return left;
}

static parsed parse_sum(parser *p, int nesting) {
    return parse_chain(p, nesting, 1);
}

const expr *parse_expr(parser *p) {
    return parse_sum(p, 0).x;
}
