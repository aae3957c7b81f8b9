/* Kernels: the type of every expression by a table of rules, scopes, and bounds where they are certain. */
#include "loop/verify_internal.h"

/* ---- elements ---- */

enum { BOOLS = 1, INTS = 2, FLOATS = 4, SMALL_FLOATS = 8, NUMBERS = INTS | FLOATS, STORABLE = 15 };

static unsigned class_of(dtype t) {
    if (t == DT_BOOL)
        return BOOLS;
    if (t == DT_F32 || t == DT_F64)
        return FLOATS;
    if (dtype_bits(t) < 8 || t == DT_F8E8M0)
        return 0;
    return dtype_is_float(t) ? SMALL_FLOATS : INTS;
}

bool verify_storable(dtype t) {
    return t > DT_NONE && t < DT_COUNT && class_of(t) != 0;
}

static bool is_type(ltype t, dtype elem, int lanes) {
    return t.elem == elem && t.lanes == lanes;
}

status verify_fail(verifier *v, const char *format, ...) {
    if (v->result != STATUS_OK)
        return v->result;
    strbuf text = strbuf_in(v->memory);
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    const char *message;
    v->result = strbuf_finish(&text, &message);
    if (v->result == STATUS_OK)
        v->result = diag_error(v->d, STATUS_INVALID, "invalid-program", DIAG_NOWHERE, "%s '%s': %s",
                               v->k != NULL ? "kernel" : "program", v->name, message);
    return v->result;
}

/* ---- expressions ---- */

typedef struct rule {
    bool (*holds)(verifier *v, const expr *x);
    unsigned elements; /* classes that operand 0 (a leaf: itself) may have */
    const char *text;  /* the rule, for the diagnostic */
} rule;

static bool int_holds(verifier *v, const expr *x) {
    (void)v;
    return x->type.lanes == 1 && x->imm == fold_wrap(x->type.elem, x->imm);
}

static bool float_holds(verifier *v, const expr *x) {
    (void)v;
    return x->type.lanes == 1 && (x->f != x->f || fold_round(x->type.elem, x->f) == x->f);
}

static bool var_holds(verifier *v, const expr *x) {
    return x->ref >= 0 && (size_t)x->ref < v->k->vars.n && ltype_equal(v->k->vars.at[x->ref].type, x->type) &&
           v->vars[x->ref].scope == SCOPE_OPEN;
}

static bool access_holds(const verifier *v, int buffer, ltype t, const expr *index, const expr *mask, unsigned access) {
    if (buffer < 0 || (size_t)buffer >= v->k->buffers.n)
        return false;
    const kernel_buffer *b = &v->k->buffers.at[buffer];
    return b->elem == t.elem && ((unsigned)b->access & access) != 0 &&
           (is_type(index->type, DT_I64, 1) || is_type(index->type, DT_I64, t.lanes)) &&
           (mask == NULL || is_type(mask->type, DT_BOOL, t.lanes));
}

static bool load_holds(verifier *v, const expr *x) {
    return x->n_args == (x->masked ? 2 : 1) &&
           access_holds(v, x->ref, x->type, x->arg[0], x->masked ? x->arg[1] : NULL, ACCESS_READ);
}

static bool register_holds(const verifier *v, int reg, ltype t, const expr *index) {
    return reg >= 0 && (size_t)reg < v->k->regs.n && v->reg_visible[reg] && ltype_equal(v->k->regs.at[reg].type, t) &&
           index->kind == EXPR_INT && is_type(index->type, DT_I64, 1) && index->imm >= 0 &&
           index->imm < v->k->regs.at[reg].n;
}

static bool reg_holds(verifier *v, const expr *x) {
    return register_holds(v, x->ref, x->type, x->arg[0]);
}

static bool never_holds(verifier *v, const expr *x) {
    (void)v;
    (void)x;
    return false;
}

static bool spread_holds(verifier *v, const expr *x) {
    (void)v;
    return x->type.lanes > 1 && is_type(x->arg[0]->type, x->type.elem, 1);
}

static bool shuffle_holds(verifier *v, const expr *x) {
    (void)v;
    int lanes = x->arg[0]->type.lanes;
    if (x->lanes == NULL || !ltype_equal(x->arg[0]->type, x->arg[1]->type) || x->arg[0]->type.elem != x->type.elem)
        return false;
    for (int i = 0; i < x->type.lanes; i++)
        if (x->lanes[i] >= 2 * lanes)
            return false;
    return true;
}

static bool permute_holds(verifier *v, const expr *x) {
    (void)v;
    ltype t = x->type, i = x->arg[x->n_args - 1]->type;
    return ltype_equal(x->arg[0]->type, t) && (x->n_args == 2 || ltype_equal(x->arg[1]->type, t)) &&
           class_of(i.elem) == INTS && dtype_bits(i.elem) == dtype_bits(t.elem) && i.lanes == t.lanes && t.lanes > 1 &&
           (t.lanes & (t.lanes - 1)) == 0;
}

static bool reduce_holds(verifier *v, const expr *x) {
    (void)v;
    int lanes = x->arg[0]->type.lanes;
    return is_type(x->type, x->arg[0]->type.elem, 1) && lanes > 1 && (lanes & (lanes - 1)) == 0;
}

static bool same_holds(verifier *v, const expr *x) {
    (void)v;
    for (int i = 0; i < x->n_args; i++)
        if (!ltype_equal(x->arg[i]->type, x->type))
            return false;
    return true;
}

static bool high_holds(verifier *v, const expr *x) {
    return x->type.elem == DT_I32 && same_holds(v, x);
}

static bool cast_holds(verifier *v, const expr *x) {
    (void)v;
    return x->arg[0]->type.lanes == x->type.lanes && verify_storable(x->type.elem);
}

static bool saturate_holds(verifier *v, const expr *x) {
    return cast_holds(v, x) && class_of(x->type.elem) == INTS;
}

static bool bitcast_holds(verifier *v, const expr *x) {
    return cast_holds(v, x) && x->type.elem != DT_BOOL && dtype_bits(x->type.elem) == dtype_bits(x->arg[0]->type.elem);
}

static bool compare_holds(verifier *v, const expr *x) {
    (void)v;
    return ltype_equal(x->arg[0]->type, x->arg[1]->type) && is_type(x->type, DT_BOOL, x->arg[0]->type.lanes);
}

static bool select_holds(verifier *v, const expr *x) {
    (void)v;
    return x->arg[0]->type.lanes == x->type.lanes && ltype_equal(x->arg[1]->type, x->type) &&
           ltype_equal(x->arg[2]->type, x->type);
}

static bool pairs_holds(verifier *v, const expr *x) {
    (void)v;
    int lanes = 2 * x->type.lanes;
    return x->type.elem == DT_I16 && is_type(x->arg[0]->type, DT_U8, lanes) && is_type(x->arg[1]->type, DT_I8, lanes);
}

static bool dot_holds(const expr *x, dtype a, dtype b, int each) {
    int lanes = each * x->type.lanes;
    return x->type.elem == DT_I32 && ltype_equal(x->arg[0]->type, x->type) && is_type(x->arg[1]->type, a, lanes) &&
           is_type(x->arg[2]->type, b, lanes);
}

static bool dot2_holds(verifier *v, const expr *x) {
    (void)v;
    return dot_holds(x, DT_I16, DT_I16, 2);
}

static bool dot4_holds(verifier *v, const expr *x) {
    (void)v;
    return dot_holds(x, DT_U8, DT_I8, 4) || dot_holds(x, DT_I8, DT_I8, 4);
}

static const rule rules[EXPR_COUNT] = {
    [EXPR_INT] = {int_holds, INTS | BOOLS, "a scalar integer or bool in its type's range"},
    [EXPR_FLOAT] = {float_holds, FLOATS | SMALL_FLOATS, "a scalar float that its type can hold"},
    [EXPR_VAR] = {var_holds, STORABLE, "a variable of the kernel, in scope, of the declared type"},
    [EXPR_LOAD] = {load_holds, STORABLE, "a readable buffer of the element type, an i64 index, a bool mask"},
    [EXPR_REG] = {reg_holds, STORABLE, "a declared register array of that type and a constant index within it"},
    [EXPR_READ] = {never_holds, STORABLE, "not within a kernel"},
    [EXPR_BROADCAST] = {spread_holds, STORABLE, "a scalar operand and several lanes"},
    [EXPR_RAMP] = {spread_holds, INTS, "a scalar integer operand and several lanes"},
    [EXPR_SHUFFLE] = {shuffle_holds, STORABLE, "two operands of one type and lanes within them"},
    [EXPR_PERMUTE] = {permute_holds, NUMBERS, "a power of two of lanes, and integers as wide and as many"},
    [EXPR_PERMUTE2] = {permute_holds, NUMBERS, "two operands of its type, and integers as PERMUTE has them"},
    [EXPR_REDUCE_ADD] = {reduce_holds, NUMBERS, "lanes that are a power of two, to a scalar"},
    [EXPR_REDUCE_MUL] = {reduce_holds, NUMBERS, "lanes that are a power of two, to a scalar"},
    [EXPR_REDUCE_MIN] = {reduce_holds, NUMBERS, "lanes that are a power of two, to a scalar"},
    [EXPR_REDUCE_MAX] = {reduce_holds, NUMBERS, "lanes that are a power of two, to a scalar"},
    [EXPR_NEG] = {same_holds, NUMBERS, "numbers of the operand's type"},
    [EXPR_ABS] = {same_holds, NUMBERS, "numbers of the operand's type"},
    [EXPR_NOT] = {same_holds, INTS | BOOLS, "integers or bool of the operand's type"},
    [EXPR_SQRT] = {same_holds, FLOATS, "f32 or f64"},
    [EXPR_FLOOR] = {same_holds, FLOATS, "f32 or f64"},
    [EXPR_CEIL] = {same_holds, FLOATS, "f32 or f64"},
    [EXPR_TRUNC] = {same_holds, FLOATS, "f32 or f64"},
    [EXPR_RINT] = {same_holds, FLOATS, "f32 or f64"},
    [EXPR_CAST] = {cast_holds, STORABLE, "the operand's lanes"},
    [EXPR_SATURATE] = {saturate_holds, INTS, "integer to integer of the operand's lanes"},
    [EXPR_BITCAST] = {bitcast_holds, NUMBERS | SMALL_FLOATS, "the operand's lanes and width, not bool"},
    [EXPR_ADD] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_SUB] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_MUL] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_MUL_HIGH] = {high_holds, INTS, "two i32"},
    [EXPR_DIV] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_REM] = {same_holds, INTS, "two integers of one type"},
    [EXPR_MIN] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_MAX] = {same_holds, NUMBERS, "two numbers of one type"},
    [EXPR_AND] = {same_holds, INTS | BOOLS, "two integers or bools of one type"},
    [EXPR_OR] = {same_holds, INTS | BOOLS, "two integers or bools of one type"},
    [EXPR_XOR] = {same_holds, INTS | BOOLS, "two integers or bools of one type"},
    [EXPR_SHL] = {same_holds, INTS, "two integers of one type"},
    [EXPR_SHR] = {same_holds, INTS, "two integers of one type"},
    [EXPR_SHR_ROUND] = {same_holds, INTS, "two integers of one type"},
    [EXPR_EQ] = {compare_holds, NUMBERS | BOOLS, "two operands of one type, to bool"},
    [EXPR_NE] = {compare_holds, NUMBERS | BOOLS, "two operands of one type, to bool"},
    [EXPR_LT] = {compare_holds, NUMBERS, "two numbers of one type, to bool"},
    [EXPR_LE] = {compare_holds, NUMBERS, "two numbers of one type, to bool"},
    [EXPR_SELECT] = {select_holds, BOOLS, "a bool and two operands of one type, of equal lanes"},
    [EXPR_FMA] = {same_holds, FLOATS, "three operands of f32 or f64"},
    [EXPR_PAIRS] = {pairs_holds, INTS, "u8 and i8 of twice the lanes, to i16"},
    [EXPR_DOT2] = {dot2_holds, INTS, "i32 and two i16 of twice the lanes"},
    [EXPR_DOT4] = {dot4_holds, INTS, "i32, u8 or i8, and i8 of four times the lanes"},
};

static const char *const kind_names[EXPR_COUNT] = {
#define EXPR(name, text, args) text,
#include "loop/expr.def"
#undef EXPR
};

static const signed char kind_args[EXPR_COUNT] = {
#define EXPR(name, text, args) args,
#include "loop/expr.def"
#undef EXPR
};

static void check_node(const expr *x, void *ctx) {
    verifier *v = ctx;
    if (v->result != STATUS_OK)
        return;
    const rule *r = &rules[x->kind];
    if (kind_args[x->kind] >= 0 && kind_args[x->kind] != x->n_args) {
        verify_fail(v, "%s has %d operands", kind_names[x->kind], x->n_args);
        return;
    }
    bool typed = verify_storable(x->type.elem) && x->type.lanes >= 1 && x->type.lanes <= 64;
    dtype first = x->n_args == 0 || x->kind == EXPR_LOAD || x->kind == EXPR_REG ? x->type.elem : x->arg[0]->type.elem;
    if (!typed || !verify_storable(first) || (class_of(first) & r->elements) == 0 || !r->holds(v, x))
        verify_fail(v, "%s of type %sx%d breaks the rule: %s", kind_names[x->kind], dtype_name(x->type.elem),
                    x->type.lanes, r->text);
    if (x->kind == EXPR_LOAD)
        verify_bounds(v, x->ref, x->type.lanes, x->arg[0], x->masked);
}

static void check_expr(verifier *v, const expr *x) {
    if (v->result == STATUS_OK)
        expr_visit(x, check_node, v);
    if (v->result == STATUS_OK && expr_owner_failed(x))
        v->result = STATUS_RESOURCE;
}

/* ---- statements ---- */

static void check_block(verifier *v, const block *in);

static void define(verifier *v, const expr *var, ltype t, const expr *value, int64_t extent) {
    if (var->kind != EXPR_VAR || var->ref < 0 || (size_t)var->ref >= v->k->vars.n ||
        !ltype_equal(v->k->vars.at[var->ref].type, t) || !ltype_equal(var->type, t)) {
        verify_fail(v, "a definition of something that is no variable of its type");
        return;
    }
    verify_var *state = &v->vars[var->ref];
    if (state->scope != SCOPE_NEVER)
        verify_fail(v, "variable '%s' is defined twice", v->k->vars.at[var->ref].name);
    *state = (verify_var){SCOPE_OPEN, value, extent};
}

static void check_let(verifier *v, const stmt *s) {
    check_expr(v, s->let.value);
    define(v, s->let.var, s->let.value->type, s->let.value, 0);
}

static void inner_block(verifier *v, const block *in, bool certain) {
    bool outer = v->certain;
    v->certain = outer && certain;
    check_block(v, in);
    v->certain = outer;
}

static void check_for(verifier *v, const stmt *s) {
    const expr *n = s->loop.extent;
    check_expr(v, n);
    if (!is_type(n->type, DT_I64, 1) || s->loop.kind == LOOP_UNROLLED)
        verify_fail(v, "a loop must be serial or parallel and count to a scalar i64");
    bool constant = n->kind == EXPR_INT && n->imm >= 1;
    define(v, s->loop.var, LTYPE(DT_I64, 1), NULL, constant ? n->imm : 0);
    if (v->result != STATUS_OK)
        return;
    bool outer = v->parallel;
    v->parallel = outer || s->loop.kind == LOOP_PARALLEL;
    inner_block(v, &s->loop.body, constant);
    v->parallel = outer;
    v->vars[s->loop.var->ref].scope = SCOPE_CLOSED;
}

static void check_store(verifier *v, const stmt *s) {
    check_expr(v, s->store.index);
    check_expr(v, s->store.value);
    if (s->store.mask != NULL)
        check_expr(v, s->store.mask);
    ltype t = s->store.value->type;
    if (!access_holds(v, s->store.buffer, t, s->store.index, s->store.mask, ACCESS_WRITE))
        verify_fail(v,
                    "store of %sx%d breaks the rule: a writable buffer of the element type, an i64 index, a bool mask",
                    dtype_name(t.elem), t.lanes);
    verify_bounds(v, s->store.buffer, t.lanes, s->store.index, s->store.mask != NULL);
}

static void check_declare(verifier *v, const stmt *s) {
    int r = s->declare.reg;
    if (r < 0 || (size_t)r >= v->k->regs.n || v->reg_visible[r])
        verify_fail(v, "register array %d does not exist or is declared already", r);
    else
        v->reg_visible[r] = true;
}

static void check_set(verifier *v, const stmt *s) {
    check_expr(v, s->set.index);
    check_expr(v, s->set.value);
    if (!register_holds(v, s->set.reg, s->set.value->type, s->set.index))
        verify_fail(v, "set breaks the rule: %s", rules[EXPR_REG].text);
}

static void check_condition(verifier *v, const expr *c) {
    check_expr(v, c);
    if (!is_type(c->type, DT_BOOL, 1))
        verify_fail(v, "a condition must be a scalar bool");
}

static void check_if(verifier *v, const stmt *s) {
    check_condition(v, s->cond.condition);
    inner_block(v, &s->cond.then, false);
    inner_block(v, &s->cond.otherwise, false);
}

static void check_check(verifier *v, const stmt *s) {
    check_condition(v, s->check.condition);
    if (s->check.code == 0)
        verify_fail(v, "a check must return a code other than 0");
    if (v->parallel)
        verify_fail(v, "a check in a parallel loop, which has nothing to return to");
    v->certain = false;
}

static void check_note(verifier *v, const stmt *s) {
    if (s->note.text == NULL)
        verify_fail(v, "a note without text");
}

/* What the block defined and declared ends with it. */
static void close_block(verifier *v, const block *in) {
    for (const stmt *s = in->first; s != NULL; s = s->next) {
        if (s->kind == STMT_LET)
            v->vars[s->let.var->ref].scope = SCOPE_CLOSED;
        if (s->kind == STMT_DECLARE)
            v->reg_visible[s->declare.reg] = false;
    }
}

static void check_block(verifier *v, const block *in) {
    static void (*const check[STMT_COUNT])(verifier *, const stmt *) = {
        [STMT_LET] = check_let, [STMT_FOR] = check_for, [STMT_STORE] = check_store, [STMT_DECLARE] = check_declare,
        [STMT_SET] = check_set, [STMT_IF] = check_if,   [STMT_CHECK] = check_check, [STMT_NOTE] = check_note,
    };
    bool certain = v->certain;
    for (const stmt *s = in->first; s != NULL && v->result == STATUS_OK; s = s->next)
        check[s->kind](v, s);
    v->certain = certain;
    if (v->result == STATUS_OK)
        close_block(v, in);
}

/* ---- tables ---- */

bool verify_identifier(const char *name) {
    if (name == NULL || name[0] == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (const char *c = name; *c != 0; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_'))
            return false;
    return true;
}

static void check_tables(verifier *v) {
    const kernel *k = v->k;
    if (!verify_identifier(k->name))
        verify_fail(v, "the name is no identifier");
    for (size_t i = 0; i < k->buffers.n; i++) {
        const kernel_buffer *b = &k->buffers.at[i];
        bool known = (b->access >= ACCESS_READ && b->access <= ACCESS_READ_WRITE) || b->access == ACCESS_SCRATCH;
        if (!verify_identifier(b->name) || !verify_storable(b->elem) || b->n < 0 || !known)
            verify_fail(v, "buffer %zu is not well formed", i);
    }
    for (size_t i = 0; i < k->regs.n; i++) {
        const kernel_reg *r = &k->regs.at[i];
        if (!verify_identifier(r->name) || !verify_storable(r->type.elem) || r->type.lanes < 1 || r->type.lanes > 64 ||
            r->n < 1)
            verify_fail(v, "register array %zu is not well formed", i);
    }
    for (size_t i = 0; i < k->vars.n; i++)
        if (!verify_identifier(k->vars.at[i].name))
            verify_fail(v, "variable %zu has no name", i);
}

status kernel_verify_in(const kernel *k, diag *d, arena *scratch) {
    verifier v = {.k = k, .name = k->name != NULL ? k->name : "", .d = d, .memory = scratch, .certain = true};
    v.vars = ARENA_NEW_N(scratch, verify_var, k->vars.n + 1);
    v.reg_visible = ARENA_NEW_N(scratch, bool, k->regs.n + 1);
    if (v.vars == NULL || v.reg_visible == NULL)
        return STATUS_RESOURCE;
    check_tables(&v);
    check_block(&v, &k->body);
    return v.result;
}

status kernel_verify(const kernel *k, diag *d) {
    arena *scratch = arena_new(&allocator_system);
    TRY_ALLOC(scratch);
    status s = kernel_verify_in(k, d, scratch);
    arena_free(scratch);
    return s;
}
