/* Kernels and their statements in text form. */
#include "loop/parse_internal.h"

#include <string.h>

static bool parse_block(parser *p, block *out);

static stmt *append(parser *p, block *to, stmt_kind k) {
    stmt *s = stmt_new(p->b, k);
    if (s == NULL)
        parse_out_of_memory(p);
    else
        block_append(to, s);
    return s;
}

static bool add_name(parser *p, const char *name, name_kind kind, size_t ref) {
    if (map_get(&p->names, name) != NULL)
        return parse_fail(p, "'%.40s' is defined twice", name);
    kernel_name *n = ARENA_NEW(p->memory, kernel_name);
    if (n == NULL || map_set(&p->names, name, n) != STATUS_OK)
        return parse_out_of_memory(p);
    *n = (kernel_name){kind, (int)ref};
    return true;
}

static const expr *define(parser *p, const char *name, ltype t) {
    builder *b = p->b;
    if (!add_name(p, name, NAME_VAR, b->vars.n))
        return NULL;
    kernel_var v = {name, t};
    if (VEC_PUSH(p->memory, b->vars, v) != STATUS_OK) {
        parse_out_of_memory(p);
        return NULL;
    }
    const expr *var = build_var_ref(b, t, (int)b->vars.n - 1);
    if (builder_status(b) != STATUS_OK)
        parse_out_of_memory(p);
    return p->result == STATUS_OK ? var : NULL;
}

/* ---- statements, after their first word ---- */

static bool parse_let(parser *p, block *to) {
    const char *name = "";
    ltype t = LTYPE(DT_NONE, 1);
    if (!parse_name(p, &name) || !parse_expect(p, ":") || !parse_type(p, &t) || !parse_expect(p, "="))
        return false;
    const expr *value = parse_expr(p);
    if (value == NULL)
        return false;
    if (!ltype_equal(value->type, t))
        return parse_fail(p, "'%.40s' is said to be of another type than its value", name);
    const expr *var = define(p, name, t);
    stmt *s = var != NULL ? append(p, to, STMT_LET) : NULL;
    if (s == NULL)
        return false;
    s->let.var = var;
    s->let.value = value;
    return true;
}

static bool parse_loop(parser *p, block *to, loop_kind kind) {
    const char *name = "";
    if (!parse_name(p, &name) || !parse_expect(p, "<"))
        return false;
    const expr *extent = parse_expr(p);
    const expr *var = extent != NULL ? define(p, name, LTYPE(DT_I64, 1)) : NULL;
    stmt *s = var != NULL ? append(p, to, STMT_FOR) : NULL;
    if (s == NULL)
        return false;
    s->loop.var = var;
    s->loop.extent = extent;
    s->loop.kind = kind;
    return parse_block(p, &s->loop.body);
}

static bool parse_for(parser *p, block *to) {
    return parse_loop(p, to, LOOP_SERIAL);
}

static bool parse_parallel(parser *p, block *to) {
    return parse_expect(p, "for") && parse_loop(p, to, LOOP_PARALLEL);
}

static bool parse_store(parser *p, block *to) {
    const char *name = "";
    if (!parse_name(p, &name))
        return false;
    kernel_name *buffer = parse_find(p, NAME_BUFFER, name);
    if (buffer == NULL || !parse_expect(p, "["))
        return false;
    const expr *mask = NULL, *index = parse_expr(p);
    if (index == NULL || (parse_accept(p, ",") && (mask = parse_expr(p)) == NULL))
        return false;
    if (!parse_expect(p, "]") || !parse_expect(p, "="))
        return false;
    const expr *value = parse_expr(p);
    stmt *s = value != NULL ? append(p, to, STMT_STORE) : NULL;
    if (s == NULL)
        return false;
    s->store.buffer = buffer->ref;
    s->store.index = index;
    s->store.value = value;
    s->store.mask = mask;
    return true;
}

/* The same array may be declared in several blocks. */
static bool find_or_add_reg(parser *p, const char *name, ltype t, int64_t n, int *out_reg) {
    kernel_name *known = map_get(&p->names, name);
    if (known != NULL && known->kind == NAME_REG) {
        const kernel_reg *r = &p->k->regs.at[known->ref];
        *out_reg = known->ref;
        return (ltype_equal(r->type, t) && r->n == n) || parse_fail(p, "'%.40s' is declared differently above", name);
    }
    if (n < 1 || n > INT16_MAX)
        return parse_fail(p, "a register array has 1 to %d elements", INT16_MAX);
    *out_reg = (int)p->k->regs.n;
    kernel_reg r = {name, t, (int)n};
    if (!add_name(p, name, NAME_REG, p->k->regs.n))
        return false;
    return VEC_PUSH(p->memory, p->k->regs, r) == STATUS_OK || parse_out_of_memory(p);
}

static bool parse_declare(parser *p, block *to) {
    const char *name = "";
    ltype t = LTYPE(DT_NONE, 1);
    int64_t n = 0;
    int reg = 0;
    if (!parse_name(p, &name) || !parse_expect(p, ":") || !parse_type(p, &t) || !parse_expect(p, "[") ||
        !parse_count(p, &n) || !parse_expect(p, "]") || !find_or_add_reg(p, name, t, n, &reg))
        return false;
    stmt *s = append(p, to, STMT_DECLARE);
    if (s != NULL)
        s->declare.reg = reg;
    return s != NULL;
}

static bool parse_set(parser *p, block *to) {
    const char *name = "";
    if (!parse_name(p, &name))
        return false;
    kernel_name *reg = parse_find(p, NAME_REG, name);
    if (reg == NULL || !parse_expect(p, "["))
        return false;
    const expr *index = parse_expr(p);
    if (index == NULL || !parse_expect(p, "]") || !parse_expect(p, "="))
        return false;
    const expr *value = parse_expr(p);
    stmt *s = value != NULL ? append(p, to, STMT_SET) : NULL;
    if (s == NULL)
        return false;
    s->set.reg = reg->ref;
    s->set.index = index;
    s->set.value = value;
    return true;
}

static bool parse_if(parser *p, block *to) {
    const expr *condition = parse_expr(p);
    stmt *s = condition != NULL ? append(p, to, STMT_IF) : NULL;
    if (s == NULL)
        return false;
    s->cond.condition = condition;
    return parse_block(p, &s->cond.then) && (!parse_accept(p, "else") || parse_block(p, &s->cond.otherwise));
}

static bool parse_check(parser *p, block *to) {
    const expr *condition = parse_expr(p);
    int64_t code = 0;
    if (condition == NULL || !parse_expect(p, ",") || !parse_integer(p, DT_I32, &code))
        return false;
    stmt *s = append(p, to, STMT_CHECK);
    if (s == NULL)
        return false;
    s->check.condition = condition;
    s->check.code = (int)code;
    return true;
}

static bool parse_note(parser *p, block *to) {
    const char *text;
    stmt *s = parse_string(p, &text) ? append(p, to, STMT_NOTE) : NULL;
    if (s != NULL)
        s->note.text = text;
    return s != NULL;
}

static bool parse_stmt(parser *p, block *to) {
    static const struct {
        const char *word;
        bool (*parse)(parser *p, block *to);
    } statements[] = {
        {"let", parse_let},     {"for", parse_for},     {"parallel", parse_parallel},
        {"store", parse_store}, {"reg", parse_declare}, {"set", parse_set},
        {"if", parse_if},       {"check", parse_check}, {"note", parse_note},
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (parse_accept(p, statements[i].word))
            return statements[i].parse(p, to);
    return parse_unexpected(p, "a statement or }");
}

static bool parse_block(parser *p, block *out) {
    if (++p->nesting > PARSE_NESTING)
        return parse_fail(p, "blocks nest too deeply");
    if (!parse_expect(p, "{"))
        return false;
    while (!parse_accept(p, "}"))
        if (!parse_stmt(p, out))
            return false;
    p->nesting--;
    return true;
}

/* ---- the kernel ---- */

static bool parse_access(parser *p, buffer_access *out_access) {
    static const buffer_access all[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_READ_WRITE, ACCESS_SCRATCH};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (parse_accept(p, text_access_name(all[i]))) {
            *out_access = all[i];
            return true;
        }
    return parse_unexpected(p, "read, write, readwrite or scratch");
}

static bool parse_buffers(parser *p) {
    if (!parse_expect(p, "("))
        return false;
    if (parse_accept(p, ")"))
        return true;
    do {
        kernel_buffer b;
        if (!parse_name(p, &b.name) || !parse_expect(p, ":") || !parse_elem(p, &b.elem) || !parse_expect(p, "[") ||
            !parse_count(p, &b.n) || !parse_expect(p, "]") || !parse_access(p, &b.access) ||
            !add_name(p, b.name, NAME_BUFFER, p->k->buffers.n))
            return false;
        if (VEC_PUSH(p->memory, p->k->buffers, b) != STATUS_OK)
            return parse_out_of_memory(p);
    } while (parse_accept(p, ","));
    return parse_expect(p, ")");
}

/* After the word `kernel`. */
kernel *parse_kernel(parser *p) {
    p->b = builder_new(p->memory, p->target);
    p->k = ARENA_NEW(p->memory, kernel);
    p->names = map_in(p->memory);
    p->nesting = 0;
    if (p->b == NULL || p->k == NULL) {
        parse_out_of_memory(p);
        return NULL;
    }
    if (!parse_name(p, &p->k->name) || !parse_buffers(p) || !parse_block(p, &p->k->body))
        return NULL;
    p->k->vars.at = p->b->vars.at;
    p->k->vars.n = p->b->vars.n;
    p->k->vars.cap = p->b->vars.cap;
    return p->k;
}
