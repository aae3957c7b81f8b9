/* Expressions as instructions of the interpreter. */
#include "loop/interp.h"

#include <string.h>

#define FOR_EVER UINT64_MAX

/* Where the value of an expression is, and in which statement. */
typedef struct value_slot {
    const void *at;
    uint64_t statement;
} value_slot;

/* Appends an instruction. */
status interp_emit(interp_code *c, op o) {
    TENON_ASSERT(o.run != NULL);
    return VEC_PUSH(c->memory, c->line, o);
}

static const void *value_known(const interp_code *c, const expr *x) {
    const value_slot *v = map_get_key(&c->values, MAP_KEY(x));
    return v != NULL && (v->statement == c->statement || v->statement == FOR_EVER) ? v->at : NULL;
}

static status value_remember(interp_code *c, const expr *x, const void *at, uint64_t statement) {
    value_slot *v = map_get_key(&c->values, MAP_KEY(x));
    if (v == NULL) {
        TRY_ALLOC(v = ARENA_NEW(c->memory, value_slot));
        TRY(map_set_key(&c->values, MAP_KEY(x), v));
    }
    *v = (value_slot){at, statement};
    return STATUS_OK;
}

static int32_t whole_blocks(int lanes) {
    return lanes == 1 ? 1 : (lanes + INTERP_BLOCK - 1) / INTERP_BLOCK * INTERP_BLOCK;
}

/* Index in a table by element size. */
int interp_size_row(dtype t) {
    return __builtin_ctz((unsigned)interp_size(t));
}

/* Index in a table by bytes of all lanes. */
int interp_width_row(ltype t) {
    unsigned bytes = (unsigned)(interp_size(t.elem) * t.lanes);
    return (bytes & (bytes - 1)) == 0 && bytes <= 64 ? __builtin_ctz(bytes) : INTERP_WIDTHS - 1;
}

/* ---- values that lie somewhere already ---- */

static void fill_constant(const expr *x, ltype t, void *slot) {
    const size_t n = t.lanes == 1 ? 1 : (size_t)whole_blocks(t.lanes);
    for (size_t i = 0; i < n; i++) {
        if (x->kind == EXPR_INT)
            dtype_set_int(t.elem, slot, i, x->imm);
        else
            dtype_set_double(t.elem, slot, i, x->f);
    }
}

static status constant_slot(interp_code *c, const expr *x, const expr *value, const void **out) {
    void *slot = arena_alloc(c->memory, interp_slot_bytes(x->type));
    TRY_ALLOC(slot);
    fill_constant(value, x->type, slot);
    *out = slot;
    return value_remember(c, x, slot, FOR_EVER);
}

/* The slot of element `index` of a register array. The index is constant: no loop is left that was to be unrolled. */
void *interp_reg_slot(const interp_code *c, int reg, const expr *index) {
    TENON_ASSERT(index->kind == EXPR_INT && index->imm >= 0 && index->imm < c->k->regs.at[reg].n);
    TENON_ASSERT(c->regs[reg].slots != NULL);
    return c->regs[reg].slots + (size_t)index->imm * c->regs[reg].stride;
}

static bool is_constant(const expr *x) {
    return x->kind == EXPR_INT || x->kind == EXPR_FLOAT;
}

/* *out stays NULL where x takes instructions. */
static status value_in_place(interp_code *c, const expr *x, const void **out) {
    *out = value_known(c, x);
    if (*out != NULL)
        return STATUS_OK;
    if (is_constant(x))
        return constant_slot(c, x, x, out);
    if (x->kind == EXPR_BROADCAST && is_constant(x->arg[0]))
        return constant_slot(c, x, x->arg[0], out);
    if (x->kind == EXPR_VAR) {
        *out = c->vars[x->ref];
        TENON_ASSERT(*out != NULL);
    } else if (x->kind == EXPR_REG) {
        *out = interp_reg_slot(c, x->ref, x->arg[0]);
    }
    return STATUS_OK;
}

/* ---- operations ---- */

static status operands(interp_code *c, const expr *x, op *o) {
    const void **slots[] = {&o->a, &o->b, &o->c};
    TENON_ASSERT(x->n_args <= 3);
    for (int i = 0; i < x->n_args; i++)
        TRY(interp_value(c, x->arg[i], NULL, slots[i]));
    return STATUS_OK;
}

static status value_lanes(interp_code *c, const expr *x, op o) {
    dtype t = x->arg[0]->type.elem;
    o.run = c->ops->lanes[x->kind][t][x->type.lanes > 1];
    o.n = whole_blocks(x->type.lanes);
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

static const op *run_add_constant(const op *p) {
    *(int64_t *)p->out = (int64_t)((uint64_t)*(const int64_t *)p->a + (uint64_t)p->imm);
    return p + 1;
}

static const op *run_mul_constant(const op *p) {
    *(int64_t *)p->out = (int64_t)((uint64_t)*(const int64_t *)p->a * (uint64_t)p->imm);
    return p + 1;
}

static const op *run_mul_constant_add(const op *p) {
    *(int64_t *)p->out =
        (int64_t)((uint64_t)*(const int64_t *)p->a * (uint64_t)p->imm + (uint64_t)*(const int64_t *)p->b);
    return p + 1;
}

static bool is_index(const expr *x) {
    return x->type.elem == DT_I64 && x->type.lanes == 1;
}

static bool is_by_constant(const expr *x, expr_kind k) {
    return x->kind == k && x->arg[1]->kind == EXPR_INT;
}

/* Index arithmetic is mostly x + 3, x * 3 and x * 3 + y. */
static status value_mul(interp_code *c, const expr *x, op o) {
    if (!is_index(x) || !is_by_constant(x, EXPR_MUL))
        return value_lanes(c, x, o);
    o.run = run_mul_constant;
    o.imm = x->arg[1]->imm;
    TRY(interp_value(c, x->arg[0], NULL, &o.a));
    return interp_emit(c, o);
}

static status value_add(interp_code *c, const expr *x, op o) {
    if (!is_index(x))
        return value_lanes(c, x, o);
    if (is_by_constant(x, EXPR_ADD)) {
        o.run = run_add_constant;
        o.imm = x->arg[1]->imm;
        TRY(interp_value(c, x->arg[0], NULL, &o.a));
        return interp_emit(c, o);
    }
    for (int i = 0; i < 2; i++) {
        const expr *product = x->arg[i];
        if (!is_by_constant(product, EXPR_MUL) || value_known(c, product) != NULL)
            continue;
        o.run = run_mul_constant_add;
        o.imm = product->arg[1]->imm;
        TRY(interp_value(c, product->arg[0], NULL, &o.a));
        TRY(interp_value(c, x->arg[1 - i], NULL, &o.b));
        return interp_emit(c, o);
    }
    return value_lanes(c, x, o);
}

/* Operations that see all lanes at once. */
static status value_whole(interp_code *c, const expr *x, op o) {
    o.run = c->ops->lanes[x->kind][x->arg[x->kind == EXPR_DOT4 ? 1 : 0]->type.elem][0];
    o.n = x->type.lanes == 1 ? x->arg[0]->type.lanes : x->type.lanes;
    o.imm = x->imm;
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

static status value_pairs(interp_code *c, const expr *x, op o) {
    o.run = c->ops->lanes[EXPR_PAIRS][DT_U8][0];
    o.n = x->type.lanes;
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

/* Fills o's operands for an access to `buffer` at `index`, for values of type t. */
status interp_address(interp_code *c, int buffer, ltype t, const expr *index, const expr *mask, op *o) {
    TENON_ASSERT(index->type.elem == DT_I64);
    TENON_ASSERT(index->type.lanes == 1 || index->type.lanes == t.lanes);
    o->view = &c->views[buffer];
    o->n = t.lanes;
    o->size = interp_size(t.elem);
    if (is_by_constant(index, EXPR_ADD) && is_index(index)) {
        o->imm = index->arg[1]->imm;
        index = index->arg[0];
    }
    TRY(interp_value(c, index, NULL, &o->a));
    return mask != NULL ? interp_value(c, mask, NULL, &o->b) : STATUS_OK;
}

static const expr *load_mask(const expr *x) {
    return x->masked ? x->arg[1] : NULL;
}

static status value_load(interp_code *c, const expr *x, op o) {
    TRY(interp_address(c, x->ref, x->type, x->arg[0], load_mask(x), &o));
    const int size = interp_size_row(x->type.elem);
    if (x->arg[0]->type.lanes > 1)
        o.run = c->ops->gather[size];
    else
        o.run = x->masked ? c->ops->load_masked[size] : c->ops->load[interp_width_row(x->type)];
    return interp_emit(c, o);
}

static status value_broadcast(interp_code *c, const expr *x, op o) {
    const expr *from = x->arg[0];
    const int size = interp_size_row(x->type.elem);
    if (from->kind == EXPR_LOAD && !from->masked && value_known(c, from) == NULL) {
        TRY(interp_address(c, from->ref, from->type, from->arg[0], NULL, &o));
        o.run = c->ops->load_broadcast[size];
    } else {
        TRY(operands(c, x, &o));
        o.run = c->ops->broadcast[size];
    }
    o.n = whole_blocks(x->type.lanes);
    return interp_emit(c, o);
}

static status value_shuffle(interp_code *c, const expr *x, op o) {
    o.run = c->ops->shuffle[interp_size_row(x->type.elem)];
    o.n = x->type.lanes;
    o.imm = x->arg[0]->type.lanes;
    TRY(operands(c, x, &o));
    o.c = x->lanes;
    return interp_emit(c, o);
}

static status value_select(interp_code *c, const expr *x, op o) {
    o.run = c->ops->select[interp_size_row(x->type.elem)][x->type.lanes > 1];
    o.n = whole_blocks(x->type.lanes);
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

static status value_cast(interp_code *c, const expr *x, op o) {
    dtype from = x->arg[0]->type.elem, to = x->type.elem;
    o.n = whole_blocks(x->type.lanes);
    o.run = c->ops->cast[from][to][x->type.lanes > 1];
    if (o.run == NULL) {
        o.run = interp_cast_any;
        o.n = x->type.lanes;
        o.imm = from;
        o.size = (int32_t)to;
    }
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

static status value_saturate(interp_code *c, const expr *x, op o) {
    o.run = c->ops->saturate[x->arg[0]->type.elem][x->type.elem];
    o.n = x->type.lanes;
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

static op copy_op(const interp_code *c, ltype t, op o) {
    o.run = c->ops->copy[interp_width_row(t)];
    o.n = t.lanes;
    o.size = interp_size(t.elem);
    return o;
}

static status value_bitcast(interp_code *c, const expr *x, op o) {
    o = copy_op(c, x->type, o);
    TRY(operands(c, x, &o));
    return interp_emit(c, o);
}

typedef status (*value_fn)(interp_code *c, const expr *x, op o);

#define LANES(kind) [EXPR_##kind] = value_lanes
#define WHOLE(kind) [EXPR_##kind] = value_whole
/* How each expression becomes instructions. NULL: it has a place already (see value_in_place), or is never in a kernel.
 */
static const value_fn VALUES[] = {
    [EXPR_INT] = NULL,
    [EXPR_FLOAT] = NULL,
    [EXPR_VAR] = NULL,
    [EXPR_REG] = NULL,
    [EXPR_READ] = NULL,
    [EXPR_LOAD] = value_load,
    [EXPR_BROADCAST] = value_broadcast,
    [EXPR_SHUFFLE] = value_shuffle,
    WHOLE(PERMUTE),
    WHOLE(PERMUTE2),
    WHOLE(RAMP),
    WHOLE(REDUCE_ADD),
    WHOLE(REDUCE_MUL),
    WHOLE(REDUCE_MIN),
    WHOLE(REDUCE_MAX),
    LANES(NEG),
    LANES(ABS),
    LANES(NOT),
    LANES(SQRT),
    LANES(FLOOR),
    LANES(CEIL),
    LANES(TRUNC),
    LANES(RINT),
    [EXPR_CAST] = value_cast,
    [EXPR_SATURATE] = value_saturate,
    [EXPR_BITCAST] = value_bitcast,
    [EXPR_ADD] = value_add,
    LANES(SUB),
    [EXPR_MUL] = value_mul,
    LANES(DIV),
    LANES(REM),
    LANES(MIN),
    LANES(MAX),
    LANES(AND),
    LANES(OR),
    LANES(XOR),
    LANES(SHL),
    LANES(SHR),
    LANES(SHR_ROUND),
    LANES(MUL_HIGH),
    LANES(EQ),
    LANES(NE),
    LANES(LT),
    LANES(LE),
    [EXPR_SELECT] = value_select,
    LANES(FMA),
    [EXPR_PAIRS] = value_pairs,
    WHOLE(DOT2),
    WHOLE(DOT4),
};
_Static_assert(EXPR_COUNT == 49, "a new expression needs a row in VALUES and its meaning in interp_lanes.h");

/* May the result be written over an operand? All but these read a lane before they write it. */
static bool works_in_place(const expr *x) {
    return x->kind != EXPR_SHUFFLE && x->kind != EXPR_PERMUTE && x->kind != EXPR_PERMUTE2;
}

/* Instructions that compute x; *out is where its value will be until the statement ends. With `dest` it is put there.
 */
status interp_value(interp_code *c, const expr *x, void *dest, const void **out) {
    TRY(value_in_place(c, x, out));
    if (*out == NULL) {
        void *to = dest != NULL && works_in_place(x) ? dest : interp_slot(c->frame, interp_slot_bytes(x->type));
        TRY_ALLOC(to);
        TENON_ASSERT(VALUES[x->kind] != NULL);
        TRY(VALUES[x->kind](c, x, (op){.out = to}));
        TRY(value_remember(c, x, to, c->statement));
        *out = to;
    }
    if (dest == NULL || *out == dest)
        return STATUS_OK;
    op o = copy_op(c, x->type, (op){.out = dest, .a = *out});
    *out = dest;
    return interp_emit(c, o);
}
