/* A kernel as a static function: its variables, registers and statements. */
#include <string.h>

#include "codegen/c99/c99.h"

static void write_block(c99 *c, const block *b);

/* The expressions that a statement itself evaluates, NULL after the last. */
static void roots_of(const stmt *s, const expr *roots[4]) {
    roots[0] = roots[1] = roots[2] = roots[3] = NULL;
    switch (s->kind) {
    case STMT_LET:
        roots[0] = s->let.value;
        break;
    case STMT_FOR:
        roots[0] = s->loop.extent;
        break;
    case STMT_STORE:
        roots[0] = s->store.index;
        roots[1] = s->store.value;
        roots[2] = s->store.mask;
        break;
    case STMT_SET:
        roots[0] = s->set.value;
        break;
    case STMT_IF:
        roots[0] = s->cond.condition;
        break;
    case STMT_CHECK:
        roots[0] = s->check.condition;
        break;
    default:
        break;
    }
}

static bool has_check(const block *b) {
    for (const stmt *s = b->first; s != NULL; s = s->next)
        if (s->kind == STMT_CHECK || (s->kind == STMT_FOR && has_check(&s->loop.body)) ||
            (s->kind == STMT_IF && (has_check(&s->cond.then) || has_check(&s->cond.otherwise))))
            return true;
    return false;
}

/* ---- variables and registers ---- */

/* The names of a value that lives in C variables: one for each part. They outlive the statement. */
static value named_value(c99 *c, const char *name, ltype type, int bits) {
    value v = c99_value(c, type.elem, bits, type.lanes);
    part *kept = arena_copy(c->memory, v.at, (size_t)v.n * sizeof *v.at);
    if (kept == NULL) {
        c->failed = true;
        v.n = 0;
    }
    v.at = kept;
    for (int i = 0; i < v.n; i++) {
        const char *wanted = v.n == 1 ? name : c99_keep(c, arena_printf(c->scratch, "%s_%d", name, i));
        v.at[i].code = (code){c99_name(c, &c->locals, wanted), LEVEL_NAME, 1};
    }
    return v;
}

static const char *part_type(c99 *c, const value *v, const part *p) {
    return p->count == 1 ? c99_scalar_type(v->elem) : c99_vector(c, c99_lane_type(v), p->count);
}

static int bits_of(ltype t) {
    return t.elem == DT_BOOL && t.lanes > 1 ? 32 : dtype_bits(t.elem);
}

/* Zeros keep compilers from warning of what they cannot prove. */
static void write_declare(c99 *c, const stmt *s) {
    const kernel_reg *r = &c->k->regs.at[s->declare.reg];
    for (int i = 0; i < r->n; i++) {
        value *v = &c->regs[s->declare.reg][i];
        const char *name = r->n == 1 ? r->name : c99_keep(c, arena_printf(c->scratch, "%s_%d", r->name, i));
        *v = named_value(c, name, r->type, bits_of(r->type));
        for (int k = 0; k < v->n; k++) {
            const part *p = &v->at[k];
            c99_line(c, "%s %s = %s;", part_type(c, v, p), p->code.s,
                     p->count > 1              ? "{0}"
                     : r->type.elem == DT_BOOL ? "false"
                                               : "0");
        }
    }
}

static void write_set(c99 *c, const stmt *s) {
    const value *reg = &c->regs[s->set.reg][s->set.index->imm];
    const expr *x = s->set.value;
    value *v = x->type.elem == DT_BOOL ? c99_mask(c, x, reg->bits) : c99_expr(c, x);
    code parts[MAX_LANES];
    for (int k = 0; k < v->n; k++) {
        parts[k] = v->at[k].code;
        /* The old value may be read by every part of the new one. */
        if (v->n > 1) {
            parts[k].level = LEVEL_ATOM;
            parts[k] = c99_temporary(c, v->elem, v->bits, v->at[k].count, parts[k]);
        }
    }
    for (int k = 0; k < v->n; k++)
        if (strcmp(reg->at[k].code.s, parts[k].s) != 0) /* clang warns of x = x */
            c99_line(c, "%s = %s;", reg->at[k].code.s, parts[k].s);
}

static void write_let(c99 *c, const stmt *s) {
    int ref = s->let.var->ref;
    c99_var *var = &c->vars[ref];
    const kernel_var *k = &c->k->vars.at[ref];
    value *v = c99_expr(c, s->let.value);
    var->range = c99_expr_range(c, s->let.value);
    var->value = named_value(c, k->name, k->type, v->bits);
    for (int i = 0; i < v->n; i++)
        c99_line(c, "const %s %s = %s;", part_type(c, v, &v->at[i]), var->value.at[i].code.s, v->at[i].code.s);
}

/* The name of the loop's variable. */
static const char *define_loop_var(c99 *c, const stmt *s) {
    int ref = s->loop.var->ref;
    c99_var *var = &c->vars[ref];
    const kernel_var *k = &c->k->vars.at[ref];
    var->range = (c99_range){0, c99_expr_range(c, s->loop.extent).hi - 1};
    var->value = named_value(c, k->name, k->type, 64);
    return var->value.n == 0 ? "" : var->value.at[0].code.s;
}

static void write_for(c99 *c, const stmt *s) {
    code n = c99_scalar_expr(c, s->loop.extent);
    if (n.level != LEVEL_NAME)
        n = c99_temporary(c, DT_I64, 64, 1, n);
    const char *i = define_loop_var(c, s);
    c99_line(c, "for (int64_t %s = 0; %s < %s; %s++) {", i, i, n.s, i);
    c->indent++;
    write_block(c, &s->loop.body);
    c->indent--;
    c99_line(c, "}");
}

static void write_if(c99 *c, const stmt *s) {
    c99_line(c, "if (%s) {", c99_scalar_expr(c, s->cond.condition).s);
    c->indent++;
    write_block(c, &s->cond.then);
    c->indent--;
    if (s->cond.otherwise.first != NULL) {
        c99_line(c, "} else {");
        c->indent++;
        write_block(c, &s->cond.otherwise);
        c->indent--;
    }
    c99_line(c, "}");
}

static const char *error_name(c99 *c, int number) {
    static const char *const codes[] = {
        "TENON_OK",           "TENON_E_ARGUMENT", "TENON_E_STRUCT_SIZE", "TENON_E_ARENA", "TENON_E_WEIGHTS",
        "TENON_E_BYTE_ORDER", "TENON_E_INDEX",    "TENON_E_DIVISION",    "TENON_E_LIMIT", "TENON_E_VALUE"};
    if (number >= 0 && (size_t)number < sizeof codes / sizeof *codes)
        return codes[number];
    return c99_keep(c, arena_printf(c->scratch, "%d", number));
}

static void write_check(c99 *c, const stmt *s) {
    c99_line(c, "if (!%s)", c99_inside(c, c99_scalar_expr(c, s->check.condition), LEVEL_UNARY));
    c->indent++;
    c99_line(c, "return %s;", error_name(c, s->check.code));
    c->indent--;
}

static void write_note(c99 *c, const stmt *s) {
    strbuf text = strbuf_in(c->scratch);
    c99_comment(&text, s->note.text);
    c99_line(c, "/* %s */", c99_keep(c, text.failed ? NULL : text.text));
}

static void (*const writers[STMT_COUNT])(c99 *c, const stmt *s) = {
    [STMT_LET] = write_let, [STMT_FOR] = write_for, [STMT_STORE] = c99_store,   [STMT_DECLARE] = write_declare,
    [STMT_SET] = write_set, [STMT_IF] = write_if,   [STMT_CHECK] = write_check, [STMT_NOTE] = write_note,
};

static void write_block(c99 *c, const block *b) {
    for (const stmt *s = b->first; s != NULL && !c->failed; s = s->next) {
        const expr *roots[4];
        arena_mark mark = arena_get_mark(c->scratch);
        c99_statement_begin(c);
        roots_of(s, roots);
        for (int i = 0; roots[i] != NULL; i++)
            c99_count_uses(c, roots[i]);
        writers[s->kind](c, s);
        arena_reset(c->scratch, mark);
    }
}

/* ---- the function ---- */

/* What the function has besides its buffers: the number of the part; NULL. */
static const char *part_of(const c99 *c) {
    const stmt *parts = kernel_parts(c->k);
    return parts != NULL && !c->failed ? c->vars[parts->loop.var->ref].value.at[0].code.s : NULL;
}

static void write_head(c99 *c, bool checks, const char *name, const map *used, strbuf *out) {
    const char *number = part_of(c);
    const kernel *k = c->k;
    strbuf_printf(out, "static TN_KERNEL %s %s(", checks ? "int" : "void", name);
    for (size_t i = 0; i < k->buffers.n; i++) {
        const kernel_buffer *b = &k->buffers.at[i];
        strbuf_printf(out, "%s%s%s *restrict %s", i == 0 ? "" : ", ", b->access == ACCESS_READ ? "const " : "",
                      c99_storage_type(b->elem), c->buffer_names[i]);
    }
    if (number != NULL)
        strbuf_printf(out, "%sint64_t %s", k->buffers.n == 0 ? "" : ", ", number);
    strbuf_add(out, k->buffers.n == 0 && number == NULL ? "void) {\n" : ") {\n");
    for (size_t i = 0; i < k->buffers.n; i++)
        if (!c99_is_used(used, c->buffer_names[i], strlen(c->buffer_names[i])))
            strbuf_printf(out, "    (void)%s;\n", c->buffer_names[i]);
    if (number != NULL && !c99_is_used(used, number, strlen(number)))
        strbuf_printf(out, "    (void)%s;\n", number);
}

static bool prepare(c99 *c) {
    const kernel *k = c->k;
    c->vars = ARENA_NEW_N(c->memory, c99_var, k->vars.n + 1);
    c->regs = ARENA_NEW_N(c->memory, value *, k->regs.n + 1);
    c->buffer_names = ARENA_NEW_N(c->memory, const char *, k->buffers.n + 1);
    if (c->vars == NULL || c->regs == NULL || c->buffer_names == NULL)
        return false;
    for (size_t i = 0; i < k->vars.n; i++)
        c->vars[i].range = c99_type_range(k->vars.at[i].type.elem);
    for (size_t i = 0; i < k->regs.n; i++) {
        c->regs[i] = ARENA_NEW_N(c->memory, value, k->regs.at[i].n);
        if (c->regs[i] == NULL)
            return false;
    }
    c->locals = (names){map_in(c->memory), &c->globals};
    for (size_t i = 0; i < k->buffers.n; i++)
        c->buffer_names[i] = c99_name(c, &c->locals, k->buffers.at[i].name);
    return true;
}

/* The body is written first, as its head depends on what is used; `out` gets both. */
static status assemble(c99 *c, const char *name, bool checks, const strbuf *body, strbuf *out) {
    map used = map_in(c->scratch);
    strbuf kept = strbuf_in(c->scratch);
    TRY(c99_drop_unused(c->scratch, body->text, body->n, &used, &kept));
    const char *text;
    TRY(strbuf_finish(&kept, &text));
    write_head(c, checks, name, &used, out);
    strbuf_add(out, text);
    for (size_t i = 0; i < used.n; i++)
        TRY(map_set_key(&c->words, used.entries[i].key, c));
    return STATUS_OK;
}

void c99_kernel_write(c99 *c, int index, strbuf *out) {
    c->k = c->p->kernels.at[index];
    c->indent = 1;
    c->n_temporaries = 0;
    if (!prepare(c)) {
        c->failed = true;
        return;
    }
    strbuf body = strbuf_in(c->memory);
    bool checks = has_check(&c->k->body);
    const stmt *parts = kernel_parts(c->k);
    c->kernel_checks[index] = checks;
    c->out = &body;
    if (parts != NULL)
        define_loop_var(c, parts);
    write_block(c, parts != NULL ? &parts->loop.body : &c->k->body);
    if (checks)
        c99_line(c, "return TENON_OK;");
    strbuf_add(&body, "}\n\n");
    arena_mark mark = arena_get_mark(c->scratch);
    const char *name = parts != NULL ? c->part_names[index] : c->kernel_names[index];
    if (body.failed || assemble(c, name, checks, &body, out) != STATUS_OK)
        c->failed = true;
    if (parts != NULL && !c->failed)
        c99_parts_write(c, index, out);
    arena_reset(c->scratch, mark);
}
