/* Expressions as C: each once per statement, in parts. */
#include "codegen/c99/c99.h"

typedef struct node {
    int uses;
    bool done;
    value v;
} node;

/* Longer texts become a temporary: for the reader, and for the nesting that compilers allow. */
#define MAX_COST 12

void c99_statement_begin(c99 *c) {
    c->nodes = map_in(c->scratch);
}

static node *node_of(c99 *c, const expr *x) {
    node *n = map_get_key(&c->nodes, MAP_KEY(x));
    if (n != NULL)
        return n;
    n = ARENA_NEW(c->scratch, node);
    if (n == NULL || map_set_key(&c->nodes, MAP_KEY(x), n) != STATUS_OK)
        c->failed = true;
    return n;
}

void c99_count_uses(c99 *c, const expr *x) {
    if (c->failed)
        return;
    node *n = node_of(c, x);
    if (n == NULL || n->uses++ > 0)
        return;
    for (int i = 0; i < x->n_args; i++)
        c99_count_uses(c, x->arg[i]);
}

static bool is_bool_vector(const expr *x) {
    return x->type.elem == DT_BOOL && x->type.lanes > 1;
}

/* i < n for consecutive i, where n - i cannot wrap: a comparison of small numbers, in lanes of any width. */
static bool is_tail_mask(c99 *c, const expr *x) {
    if (x->kind != EXPR_LT || x->arg[0]->kind != EXPR_RAMP || x->arg[0]->imm != 1 ||
        x->arg[1]->kind != EXPR_BROADCAST || x->arg[0]->type.elem != DT_I64)
        return false;
    c99_range i = c99_expr_range(c, x->arg[0]->arg[0]), n = c99_expr_range(c, x->arg[1]->arg[0]);
    return n.lo - i.hi >= INT64_MIN && n.hi - i.lo <= INT64_MAX && i.hi <= INT64_MAX - MAX_LANES;
}

/* The width of the lanes that a bool vector has by nature, 0 where any will do. */
static int natural_bits(c99 *c, const expr *x) {
    switch (x->kind) {
    case EXPR_INT:
    case EXPR_BROADCAST:
        return 0;
    case EXPR_VAR:
        return c->vars[x->ref].value.bits;
    case EXPR_REG:
        return 32;
    case EXPR_LOAD:
        return 8;
    case EXPR_SELECT:
        return natural_bits(c, x->arg[1]);
    case EXPR_EQ:
    case EXPR_NE:
    case EXPR_LT:
    case EXPR_LE:
        if (is_tail_mask(c, x))
            return 0;
        if (x->arg[0]->type.elem != DT_BOOL)
            return dtype_bits(x->arg[0]->type.elem);
        break;
    case EXPR_CAST:
        return dtype_bits(x->arg[0]->type.elem);
    default:
        break;
    }
    int bits = natural_bits(c, x->arg[0]);
    return bits != 0 || x->n_args < 2 ? bits : natural_bits(c, x->arg[1]);
}

/* The operation lane by lane. */
static code by_lanes(c99 *c, const expr *x, expr_kind kind, value *const *args, int bits, const part *p) {
    code lanes[MAX_LANES], operands[3];
    dtype from = args[x->n_args - 1]->elem;
    bool plain = c99_never_wraps(c, x);
    for (int i = 0; i < p->count; i++) {
        for (int k = 0; k < x->n_args; k++)
            operands[k] = c99_lane(c, args[k], p->first + i);
        lanes[i] = c99_scalar(c, kind, x->type.elem, from, operands, x->n_args, plain);
    }
    return c99_gathered(c, x->type.elem, bits, p->count, lanes);
}

static bool is_constant(const expr *x, int64_t *out) {
    if (x->kind == EXPR_BROADCAST)
        x = x->arg[0];
    *out = x->imm;
    return x->kind == EXPR_INT;
}

/* Shift counts are constants nearly always: then they are taken modulo the width here. */
static value *shift_count(c99 *c, const expr *x) {
    int64_t n;
    if (!is_constant(x, &n))
        return c99_expr(c, x);
    value *v = ARENA_NEW(c->scratch, value);
    if (v == NULL) {
        c->failed = true;
        return c99_expr(c, x);
    }
    *v = c99_value(c, x->type.elem, dtype_bits(x->type.elem), x->type.lanes);
    for (int i = 0; i < v->n; i++)
        v->at[i].code = c99_code(c, LEVEL_NAME, 1, "%d", (int)(n & (dtype_bits(x->type.elem) - 1)));
    return v;
}

static bool is_shift(expr_kind k) {
    return k == EXPR_SHL || k == EXPR_SHR || k == EXPR_SHR_ROUND;
}

/* (x + 2^(n-1)) >> n by a constant n: the shifted value plus the last bit shifted out. */
static bool vector_shr_round(c99 *c, const expr *x, int count, code operand, code *out) {
    int64_t n;
    dtype t = x->type.elem;
    if (!is_constant(x->arg[1], &n))
        return false;
    n &= dtype_bits(t) - 1;
    if (n == 0) {
        *out = operand;
        return true;
    }
    operand = c99_temporary(c, t, dtype_bits(t), count, operand);
    code whole[2] = {operand, c99_code(c, LEVEL_NAME, 1, "%d", (int)n)};
    code bit[2] = {operand, c99_code(c, LEVEL_NAME, 1, "%d", (int)n - 1)};
    code one[2] = {{0}, c99_vector_splat(c, t, count, c99_int(c, t, 1))}, sum[2];
    bool ok = c99_vector_op(c, EXPR_SHR, t, count, 2, whole, &sum[0]) &&
              c99_vector_op(c, EXPR_SHR, t, count, 2, bit, &one[0]) &&
              c99_vector_op(c, EXPR_AND, t, count, 2, one, &sum[1]);
    return ok && c99_vector_op(c, EXPR_ADD, t, count, 2, sum, out);
}

/* Lane-wise operations on numbers: result and operands are cut alike. */
static value elementwise(c99 *c, const expr *x) {
    dtype from = x->arg[0]->type.elem;
    int bits = dtype_bits(from);
    value v = c99_value(c, x->type.elem, bits, x->type.lanes);
    value *args[3];
    for (int k = 0; k < x->n_args; k++)
        args[k] = k == 1 && is_shift(x->kind) ? shift_count(c, x->arg[k]) : c99_expr(c, x->arg[k]);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        code operands[3];
        if (p->count > 1) {
            if (x->kind == EXPR_SHR_ROUND &&
                vector_shr_round(c, x, p->count, c99_piece(c, args[0], p->first, p->count), &p->code))
                continue;
            for (int k = 0; k < x->n_args; k++)
                operands[k] = c99_piece(c, args[k], p->first, p->count);
            if (c99_vector_op(c, x->kind, from, p->count, x->n_args, operands, &p->code))
                continue;
        }
        p->code = by_lanes(c, x, x->kind, args, bits, p);
    }
    return v;
}

/* AND OR XOR NOT EQ NE on bool. */
static value bool_op(c99 *c, const expr *x, int bits) {
    value v = c99_value(c, DT_BOOL, bits, x->type.lanes);
    dtype t = c99_int_type(bits, true);
    expr_kind kind = x->kind == EXPR_EQ || x->kind == EXPR_NE ? EXPR_XOR : x->kind;
    value *args[2];
    for (int k = 0; k < x->n_args; k++)
        args[k] = c99_mask(c, x->arg[k], bits);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        code operands[2];
        if (p->count == 1) {
            p->code = by_lanes(c, x, x->kind, args, bits, p);
            continue;
        }
        for (int k = 0; k < x->n_args; k++)
            operands[k] = c99_piece(c, args[k], p->first, p->count);
        c99_vector_op(c, kind, t, p->count, x->n_args, operands, &p->code);
        if (x->kind == EXPR_EQ) {
            code differ = p->code;
            c99_vector_op(c, EXPR_NOT, t, p->count, 1, &differ, &p->code);
        }
    }
    return v;
}

static value tail_mask(c99 *c, const expr *x, int bits) {
    value v = c99_value(c, DT_BOOL, bits, x->type.lanes);
    dtype t = c99_int_type(bits, true);
    code ends[2] = {c99_scalar_expr(c, x->arg[1]->arg[0]), c99_scalar_expr(c, x->arg[0]->arg[0])};
    code left = c99_temporary(c, DT_I64, 64, 1, c99_scalar(c, EXPR_SUB, DT_I64, DT_I64, ends, 2, true));
    code lanes[MAX_LANES], clamped = {"", LEVEL_NAME, 0};
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        if (p->count == 1) {
            p->code = c99_code(c, LEVEL_ANY, 2, "%s > %d", left.s, p->first);
            continue;
        }
        if (*clamped.s == '\0')
            clamped = c99_temporary(c, t, bits, 1,
                                    c99_code(c, LEVEL_ATOM, 9, "(%s)(%s < 0 ? 0 : %s > %d ? %d : %s)",
                                             c99_scalar_type(t), left.s, left.s, MAX_LANES, MAX_LANES, left.s));
        for (int j = 0; j < p->count; j++)
            lanes[j] = c99_int(c, t, p->first + j);
        code operands[2] = {c99_gathered(c, t, bits, p->count, lanes), c99_vector_splat(c, t, p->count, clamped)};
        c99_vector_op(c, EXPR_LT, t, p->count, 2, operands, &p->code);
    }
    return v;
}

static value compare(c99 *c, const expr *x, int bits) {
    if (x->type.lanes > 1 && is_tail_mask(c, x))
        return tail_mask(c, x, bits);
    /* Decided by the types alone: compilers warn about such comparisons. */
    c99_range a = c99_expr_range(c, x->arg[0]), b = c99_expr_range(c, x->arg[1]);
    bool yes = x->kind == EXPR_LT ? a.hi < b.lo : x->kind == EXPR_LE ? a.hi <= b.lo : false;
    bool no = x->kind == EXPR_LT ? a.lo >= b.hi : x->kind == EXPR_LE ? a.lo > b.hi : false;
    if (dtype_is_float(x->arg[0]->type.elem) || (!yes && !no))
        return elementwise(c, x);
    value v = c99_value(c, DT_BOOL, bits, x->type.lanes);
    code lanes[MAX_LANES];
    for (int i = 0; i < x->type.lanes; i++)
        lanes[i] = c99_int(c, DT_BOOL, yes);
    for (int i = 0; i < v.n; i++)
        v.at[i].code = c99_gathered(c, DT_BOOL, bits, v.at[i].count, lanes);
    return v;
}

static value choose(c99 *c, const expr *x, int bits) {
    value v = c99_value(c, x->type.elem, bits, x->type.lanes);
    bool is_mask = is_bool_vector(x);
    value *args[3];
    args[0] = x->type.lanes > 1 ? c99_mask(c, x->arg[0], bits) : c99_expr(c, x->arg[0]);
    for (int k = 1; k < 3; k++)
        args[k] = is_mask ? c99_mask(c, x->arg[k], bits) : c99_expr(c, x->arg[k]);
    for (int i = 0; i < v.n && !c->failed; i++) {
        part *p = &v.at[i];
        code operands[3];
        if (p->count == 1) {
            p->code = by_lanes(c, x, EXPR_SELECT, args, bits, p);
            continue;
        }
        for (int k = 0; k < 3; k++)
            operands[k] = c99_piece(c, args[k], p->first, p->count);
        p->code = c99_vector_select(c, c99_lane_type(&v), p->count, operands[0], operands[1], operands[2]);
    }
    return v;
}

static value constant(c99 *c, const expr *x, int bits) {
    if (x->type.lanes > 1)
        return c99_broadcast(c, x, bits);
    value v = c99_value(c, x->type.elem, bits, 1);
    if (v.n > 0)
        v.at[0].code = x->kind == EXPR_INT ? c99_int(c, x->type.elem, x->imm) : c99_float(c, x->type.elem, x->f);
    return v;
}

static value spell(c99 *c, const expr *x, int bits) {
    switch (x->kind) {
    case EXPR_INT:
    case EXPR_FLOAT:
        return constant(c, x, bits);
    case EXPR_VAR:
        return c->vars[x->ref].value;
    case EXPR_REG:
        return c->regs[x->ref][x->arg[0]->imm];
    case EXPR_LOAD:
        return c99_load(c, x);
    case EXPR_BROADCAST:
        return c99_broadcast(c, x, bits);
    case EXPR_RAMP:
        return c99_ramp(c, x);
    case EXPR_SHUFFLE:
        return c99_shuffle(c, x);
    case EXPR_REDUCE_ADD:
    case EXPR_REDUCE_MUL:
    case EXPR_REDUCE_MIN:
    case EXPR_REDUCE_MAX:
        return c99_reduce(c, x);
    case EXPR_CAST:
    case EXPR_SATURATE:
    case EXPR_BITCAST:
        return c99_cast(c, x);
    case EXPR_PAIRS:
        return c99_pairs(c, x);
    case EXPR_DOT2:
    case EXPR_DOT4:
        return c99_dot(c, x);
    case EXPR_SELECT:
        return choose(c, x, bits);
    case EXPR_LT:
    case EXPR_LE:
    case EXPR_EQ:
    case EXPR_NE:
        if (x->arg[0]->type.elem != DT_BOOL)
            return compare(c, x, bits);
        return bool_op(c, x, bits);
    default:
        return x->type.elem == DT_BOOL ? bool_op(c, x, bits) : elementwise(c, x);
    }
}

static value *evaluate(c99 *c, const expr *x, node *n, int bits) {
    n->v = spell(c, x, bits);
    n->done = true;
    for (int i = 0; i < n->v.n; i++) {
        part *p = &n->v.at[i];
        if (n->uses > 1 || p->code.cost > MAX_COST)
            p->code = c99_temporary(c, n->v.elem, n->v.bits, p->count, p->code);
    }
    return &n->v;
}

value *c99_expr(c99 *c, const expr *x) {
    node *n = node_of(c, x);
    if (n == NULL)
        return &c->nothing;
    if (n->done)
        return &n->v;
    int bits = dtype_bits(x->type.elem);
    if (is_bool_vector(x)) {
        bits = natural_bits(c, x);
        bits = bits == 0 ? 32 : bits;
    }
    return evaluate(c, x, n, bits);
}

value *c99_mask(c99 *c, const expr *x, int bits) {
    node *n = node_of(c, x);
    if (n == NULL || x->type.lanes == 1)
        return c99_expr(c, x);
    if (n->done && n->v.bits == bits)
        return &n->v;
    if (natural_bits(c, x) == 0 && evaluate(c, x, n, bits)->bits == bits)
        return &n->v;
    value *converted = ARENA_NEW(c->scratch, value);
    if (converted == NULL) {
        c->failed = true;
        return &c->nothing;
    }
    *converted = c99_mask_as(c, c99_expr(c, x), bits);
    c99_name_parts(c, converted);
    return converted;
}

code c99_scalar_expr(c99 *c, const expr *x) {
    value *v = c99_expr(c, x);
    return v->n == 0 ? (code){"0", LEVEL_NAME, 0} : v->at[0].code;
}

code c99_lane_of(c99 *c, const expr *x, int lane) {
    code args[2];
    switch (x->kind) {
    case EXPR_INT:
        return c99_int(c, x->type.elem, x->imm);
    case EXPR_BROADCAST:
        args[0] = c99_scalar_expr(c, x->arg[0]);
        break;
    case EXPR_RAMP:
        args[0] = c99_scalar_expr(c, x->arg[0]);
        args[1] = c99_int(c, x->type.elem, (int64_t)((uint64_t)x->imm * (uint64_t)lane));
        return lane == 0 ? args[0]
                         : c99_scalar(c, EXPR_ADD, x->type.elem, x->type.elem, args, 2, c99_never_wraps(c, x));
    case EXPR_ADD:
    case EXPR_SUB:
    case EXPR_MUL:
        args[0] = c99_lane_of(c, x->arg[0], lane);
        args[1] = c99_lane_of(c, x->arg[1], lane);
        args[0] = c99_scalar(c, x->kind, x->type.elem, x->type.elem, args, 2, c99_never_wraps(c, x));
        break;
    default:
        args[0] = c99_lane(c, c99_expr(c, x), lane);
        break;
    }
    return args[0].cost > MAX_COST ? c99_temporary(c, x->type.elem, dtype_bits(x->type.elem), 1, args[0]) : args[0];
}
