/* Kernels and programs as text: loop_text.h has the grammar. */
#include "loop/loop_text.h"

#include <stdio.h>

#include "base/map.h"

/* ---- words ---- */

text_form text_form_of(expr_kind k) {
    switch (k) {
    case EXPR_LOAD:
        return FORM_TYPE;
    case EXPR_BROADCAST:
        return FORM_LANES;
    case EXPR_RAMP:
        return FORM_RAMP;
    case EXPR_SHUFFLE:
        return FORM_SHUFFLE;
    case EXPR_CAST:
    case EXPR_SATURATE:
    case EXPR_BITCAST:
        return FORM_ELEM;
    default:
        return FORM_PLAIN;
    }
}

const char *text_kind_name(expr_kind k) {
    static const char *const names[EXPR_COUNT] = {
#define EXPR(name, text, args) text,
#include "loop/expr.def"
#undef EXPR
    };
    return names[k];
}

char text_infix(expr_kind k) {
    static const char infix[EXPR_COUNT] = {
        [EXPR_ADD] = '+', [EXPR_SUB] = '-', [EXPR_MUL] = '*', [EXPR_DIV] = '/', [EXPR_REM] = '%'};
    return infix[k];
}

int text_precedence(expr_kind k) {
    return text_infix(k) == 0 ? 3 : k == EXPR_ADD || k == EXPR_SUB ? 1 : 2;
}

const char *text_access_name(buffer_access a) {
    static const char *const names[] = {[ACCESS_READ] = "read",
                                        [ACCESS_WRITE] = "write",
                                        [ACCESS_READ_WRITE] = "readwrite",
                                        [ACCESS_SCRATCH] = "scratch"};
    return names[a];
}

/* ---- names: unique within a kernel, whatever its tables say ---- */

typedef struct printer {
    strbuf *out;
    const kernel *k;
    map taken;
    const char **buffers, **regs, **vars;
} printer;

static const char *unique_name(printer *p, const char *name, size_t number) {
    const char *own = name;
    while (own != NULL && map_get(&p->taken, own) != NULL)
        own = arena_printf(p->out->memory, "%s_%zu", own, number);
    if (own == NULL || map_set(&p->taken, own, p) != STATUS_OK) {
        p->out->failed = true;
        return "";
    }
    return own;
}

static bool name_all(printer *p) {
    const kernel *k = p->k;
    arena *a = p->out->memory;
    p->buffers = ARENA_NEW_N(a, const char *, k->buffers.n + 1);
    p->regs = ARENA_NEW_N(a, const char *, k->regs.n + 1);
    p->vars = ARENA_NEW_N(a, const char *, k->vars.n + 1);
    if (p->buffers == NULL || p->regs == NULL || p->vars == NULL) {
        p->out->failed = true;
        return false;
    }
    for (size_t i = 0; i < k->buffers.n; i++)
        p->buffers[i] = unique_name(p, k->buffers.at[i].name, i);
    for (size_t i = 0; i < k->regs.n; i++)
        p->regs[i] = unique_name(p, k->regs.at[i].name, i);
    for (size_t i = 0; i < k->vars.n; i++)
        p->vars[i] = unique_name(p, k->vars.at[i].name, i);
    return !p->out->failed;
}

/* ---- expressions ---- */

static void print_type(strbuf *out, ltype t) {
    strbuf_add(out, dtype_name(t.elem));
    if (t.lanes > 1)
        strbuf_printf(out, "x%d", t.lanes);
}

static void print_number(strbuf *out, dtype t, double x) {
    if (t == DT_F32)
        strbuf_float(out, (float)x);
    else
        strbuf_double(out, x);
}

static void print_integer(strbuf *out, dtype t, int64_t x) {
    if (t == DT_U64)
        strbuf_printf(out, "%llu", (unsigned long long)x);
    else
        strbuf_printf(out, "%lld", (long long)x);
}

static void print_constant(strbuf *out, const expr *x) {
    if (x->kind == EXPR_INT && x->type.elem == DT_I64) {
        print_integer(out, DT_I64, x->imm);
        return;
    }
    print_type(out, x->type);
    strbuf_char(out, '(');
    if (x->kind == EXPR_INT)
        print_integer(out, x->type.elem, x->imm);
    else
        print_number(out, x->type.elem, x->f);
    strbuf_char(out, ')');
}

static void print_expr(printer *p, const expr *x, int precedence);

static void print_infix(printer *p, const expr *x, int precedence) {
    int own = text_precedence(x->kind);
    bool spaced = own == 1;
    if (own < precedence)
        strbuf_char(p->out, '(');
    print_expr(p, x->arg[0], own);
    strbuf_printf(p->out, spaced ? " %c " : "%c", text_infix(x->kind));
    print_expr(p, x->arg[1], own + 1);
    if (own < precedence)
        strbuf_char(p->out, ')');
}

static void print_immediates(printer *p, const expr *x) {
    strbuf *out = p->out;
    text_form form = text_form_of(x->kind);
    if (form == FORM_PLAIN)
        return;
    strbuf_char(out, '<');
    if (form == FORM_TYPE)
        print_type(out, x->type);
    if (form == FORM_ELEM)
        strbuf_add(out, dtype_name(x->type.elem));
    if (form == FORM_LANES || form == FORM_RAMP)
        strbuf_printf(out, "%d", x->type.lanes);
    if (form == FORM_RAMP)
        strbuf_printf(out, ", %lld", (long long)x->imm);
    for (int i = 0; form == FORM_SHUFFLE && i < x->type.lanes; i++)
        strbuf_printf(out, i > 0 ? ", %d" : "%d", x->lanes[i]);
    strbuf_char(out, '>');
}

static void print_call(printer *p, const expr *x) {
    strbuf_add(p->out, text_kind_name(x->kind));
    print_immediates(p, x);
    strbuf_char(p->out, '(');
    if (x->kind == EXPR_LOAD)
        strbuf_add(p->out, p->buffers[x->ref]);
    if (x->kind == EXPR_READ)
        strbuf_printf(p->out, "%d", x->ref);
    bool named = x->kind == EXPR_LOAD || x->kind == EXPR_READ;
    for (int i = 0; i < x->n_args; i++) {
        strbuf_add(p->out, i > 0 || named ? ", " : "");
        print_expr(p, x->arg[i], 0);
    }
    strbuf_char(p->out, ')');
}

static void print_expr(printer *p, const expr *x, int precedence) {
    if (p->out->failed)
        return;
    if (x->n_args == 0 && x->kind == EXPR_VAR)
        strbuf_add(p->out, p->vars[x->ref]);
    else if (x->kind == EXPR_INT || x->kind == EXPR_FLOAT)
        print_constant(p->out, x);
    else if (x->kind == EXPR_REG) {
        strbuf_printf(p->out, "%s[", p->regs[x->ref]);
        print_expr(p, x->arg[0], 0);
        strbuf_char(p->out, ']');
    } else if (text_infix(x->kind) != 0)
        print_infix(p, x, precedence);
    else
        print_call(p, x);
}

/* ---- statements ---- */

static void print_block(printer *p, const block *in, int depth);

static void print_indent(strbuf *out, int depth) {
    for (int i = 0; i < depth; i++)
        strbuf_add(out, "  ");
}

static void print_let(printer *p, const stmt *s, int depth) {
    (void)depth;
    strbuf_printf(p->out, "let %s: ", p->vars[s->let.var->ref]);
    print_type(p->out, s->let.var->type);
    strbuf_add(p->out, " = ");
    print_expr(p, s->let.value, 0);
}

static void print_for(printer *p, const stmt *s, int depth) {
    static const char *const kinds[] = {"", "unrolled ", "parallel "};
    strbuf_printf(p->out, "%sfor %s < ", kinds[s->loop.kind], p->vars[s->loop.var->ref]);
    print_expr(p, s->loop.extent, 0);
    print_block(p, &s->loop.body, depth);
}

static void print_store(printer *p, const stmt *s, int depth) {
    (void)depth;
    strbuf_printf(p->out, "store %s[", p->buffers[s->store.buffer]);
    print_expr(p, s->store.index, 0);
    if (s->store.mask != NULL) {
        strbuf_add(p->out, ", ");
        print_expr(p, s->store.mask, 0);
    }
    strbuf_add(p->out, "] = ");
    print_expr(p, s->store.value, 0);
}

static void print_declare(printer *p, const stmt *s, int depth) {
    (void)depth;
    const kernel_reg *r = &p->k->regs.at[s->declare.reg];
    strbuf_printf(p->out, "reg %s: ", p->regs[s->declare.reg]);
    print_type(p->out, r->type);
    strbuf_printf(p->out, "[%d]", r->n);
}

static void print_set(printer *p, const stmt *s, int depth) {
    (void)depth;
    strbuf_printf(p->out, "set %s[", p->regs[s->set.reg]);
    print_expr(p, s->set.index, 0);
    strbuf_add(p->out, "] = ");
    print_expr(p, s->set.value, 0);
}

static void print_if(printer *p, const stmt *s, int depth) {
    strbuf_add(p->out, "if ");
    print_expr(p, s->cond.condition, 0);
    print_block(p, &s->cond.then, depth);
    if (s->cond.otherwise.first == NULL)
        return;
    strbuf_add(p->out, " else");
    print_block(p, &s->cond.otherwise, depth);
}

static void print_check(printer *p, const stmt *s, int depth) {
    (void)depth;
    strbuf_add(p->out, "check ");
    print_expr(p, s->check.condition, 0);
    strbuf_printf(p->out, ", %d", s->check.code);
}

static void print_quoted(strbuf *out, const char *text) {
    size_t n = 0;
    while (text[n] != 0)
        n++;
    strbuf_quoted(out, text, n);
}

static void print_note(printer *p, const stmt *s, int depth) {
    (void)depth;
    strbuf_add(p->out, "note ");
    print_quoted(p->out, s->note.text);
}

static void print_block(printer *p, const block *in, int depth) {
    static void (*const print[STMT_COUNT])(printer *, const stmt *, int) = {
        [STMT_LET] = print_let, [STMT_FOR] = print_for, [STMT_STORE] = print_store, [STMT_DECLARE] = print_declare,
        [STMT_SET] = print_set, [STMT_IF] = print_if,   [STMT_CHECK] = print_check, [STMT_NOTE] = print_note,
    };
    strbuf_add(p->out, " {\n");
    for (const stmt *s = in->first; s != NULL && !p->out->failed; s = s->next) {
        print_indent(p->out, depth + 1);
        print[s->kind](p, s, depth + 1);
        strbuf_char(p->out, '\n');
    }
    print_indent(p->out, depth);
    strbuf_char(p->out, '}');
}

static void print_kernel(const kernel *k, strbuf *out, int depth) {
    printer p = {.out = out, .k = k, .taken = map_in(out->memory)};
    if (!name_all(&p))
        return;
    print_indent(out, depth);
    strbuf_printf(out, "kernel %s(", k->name);
    for (size_t i = 0; i < k->buffers.n; i++) {
        const kernel_buffer *b = &k->buffers.at[i];
        strbuf_printf(out, "%s%s: %s[%lld] %s", i > 0 ? ", " : "", p.buffers[i], dtype_name(b->elem), (long long)b->n,
                      text_access_name(b->access));
    }
    strbuf_char(out, ')');
    print_block(&p, &k->body, depth);
    strbuf_char(out, '\n');
}

void kernel_print(const kernel *k, strbuf *out) {
    print_kernel(k, out, 0);
}

/* ---- programs ---- */

static void print_data(strbuf *out, const program_buffer *b) {
    if (b->n > TEXT_INLINE_ELEMENTS) {
        char sum[65];
        text_sha256(b->data, dtype_bytes(b->elem, (size_t)b->n), sum);
        strbuf_printf(out, " = sha256 \"%s\"", sum);
        return;
    }
    strbuf_add(out, " = {");
    for (int64_t i = 0; i < b->n; i++) {
        strbuf_char(out, ' ');
        if (dtype_is_float(b->elem))
            print_number(out, b->elem, dtype_get_double(b->elem, b->data, (size_t)i));
        else
            print_integer(out, b->elem, dtype_get_int(b->elem, b->data, (size_t)i));
    }
    strbuf_add(out, " }");
}

static void print_buffer(strbuf *out, const program_buffer *b) {
    static const char *const places[PLACE_COUNT] = {"input", "output", "const", "arena"};
    strbuf_printf(out, "  %s %s", places[b->place], b->name);
    if (b->title != NULL) {
        strbuf_char(out, ' ');
        print_quoted(out, b->title);
    }
    strbuf_printf(out, ": %s[", dtype_name(b->elem));
    bool shaped = b->place == PLACE_INPUT || b->place == PLACE_OUTPUT;
    for (int i = 0; shaped && i < b->rank; i++)
        strbuf_printf(out, "%s%lld", i > 0 ? ", " : "", (long long)b->dims[i]);
    if (!shaped)
        strbuf_printf(out, "%lld", (long long)b->n);
    strbuf_char(out, ']');
    if (b->place == PLACE_CONST)
        print_data(out, b);
    if (b->place == PLACE_ARENA)
        strbuf_printf(out, " at %lld", (long long)b->offset);
    strbuf_char(out, '\n');
}

static void print_step(strbuf *out, const program *p, const program_step *s) {
    const kernel *k = p->kernels.at[s->kernel];
    strbuf_printf(out, "  step %s(", k->name);
    for (size_t i = 0; i < k->buffers.n; i++) {
        strbuf_printf(out, "%s%s", i > 0 ? ", " : "", p->buffers.at[s->args[i].buffer].name);
        if (s->args[i].first != 0)
            strbuf_printf(out, "@%lld", (long long)s->args[i].first);
    }
    strbuf_char(out, ')');
    if (s->node >= 0)
        strbuf_printf(out, " node %lld", (long long)s->node);
    if (s->lead != NULL) {
        strbuf_add(out, " lead ");
        print_quoted(out, s->lead);
    }
    if (s->macs != 0)
        strbuf_printf(out, " macs %lld", (long long)s->macs);
    if (s->note != NULL) {
        strbuf_add(out, " note ");
        print_quoted(out, s->note);
    }
    strbuf_char(out, '\n');
}

/* A program that program_verify accepts. */
void program_print(const program *p, strbuf *out) {
    strbuf_printf(out, "program %s target \"%s\" arena %lld {\n", p->name, p->target->name, (long long)p->arena_bytes);
    if (p->origin != NULL) {
        strbuf_add(out, "  origin ");
        print_quoted(out, p->origin);
        strbuf_char(out, '\n');
    }
    for (size_t i = 0; i < p->regions.n; i++) {
        const program_region *r = &p->regions.at[i];
        strbuf_printf(out, "  region %s limit %lld at %lld bytes %lld\n", r->name, (long long)r->limit,
                      (long long)r->start, (long long)r->bytes);
    }
    for (size_t i = 0; i < p->buffers.n; i++)
        print_buffer(out, &p->buffers.at[i]);
    for (size_t i = 0; i < p->kernels.n; i++)
        print_kernel(p->kernels.at[i], out, 1);
    for (size_t i = 0; i < p->steps.n; i++)
        print_step(out, p, &p->steps.at[i]);
    strbuf_add(out, "}\n");
}

void loop_dump(const kernel *k) {
    arena *a = arena_new(&allocator_system);
    if (a == NULL)
        return;
    strbuf out = strbuf_in(a);
    const char *text;
    kernel_print(k, &out);
    if (strbuf_finish(&out, &text) == STATUS_OK)
        fputs(text, stderr);
    arena_free(a);
}
