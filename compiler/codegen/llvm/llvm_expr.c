/* Expressions: leaves and lane movement, and the table of how each kind is spelt. */
#include "codegen/llvm/llvm_emit.h"

static LLVMValueRef emit_int(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    return llvm_int(e, x->type, x->imm);
}

static LLVMValueRef emit_float(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    return llvm_float(e, x->type, x->f);
}

static LLVMValueRef emit_var(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    return e->vars[x->ref];
}

static LLVMValueRef emit_load(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    return llvm_memory_load(e, x);
}

static LLVMValueRef emit_reg(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    TENON_ASSERT(x->arg[0]->kind == EXPR_INT && e->regs[x->ref] != NULL);
    return LLVMBuildLoad2(e->at, llvm_type(e, x->type), e->regs[x->ref][x->arg[0]->imm], "");
}

/* Kernels have no tensor operands: the verifier refuses READ outside a nest. */
static LLVMValueRef emit_read(emitter *e, const expr *x, const LLVMValueRef *args) {
    (void)args;
    TENON_ASSERT(x->kind != EXPR_READ);
    return LLVMGetPoison(llvm_type(e, x->type));
}

static LLVMValueRef emit_broadcast(emitter *e, const expr *x, const LLVMValueRef *args) {
    return llvm_splat(e, args[0], x->type.lanes);
}

static LLVMValueRef emit_ramp(emitter *e, const expr *x, const LLVMValueRef *args) {
    LLVMTypeRef scalar = e->scalar[x->type.elem];
    LLVMValueRef steps[64];
    for (int i = 0; i < x->type.lanes; i++)
        steps[i] = LLVMConstInt(scalar, (uint64_t)x->imm * (uint64_t)i, false);
    if (x->type.lanes == 1)
        return args[0];
    LLVMValueRef base = llvm_splat(e, args[0], x->type.lanes);
    return LLVMBuildAdd(e->at, base, LLVMConstVector(steps, (unsigned)x->type.lanes), "");
}

/* Lane i of the concatenation of two scalars or two vectors, as a scalar. */
static LLVMValueRef shuffle_lane(emitter *e, const expr *x, const LLVMValueRef *args, int i) {
    int lanes = x->arg[0]->type.lanes;
    LLVMValueRef from = args[i < lanes ? 0 : 1];
    return lanes == 1 ? from : llvm_lanes(e, from, i % lanes, 1, 1);
}

static LLVMValueRef emit_shuffle(emitter *e, const expr *x, const LLVMValueRef *args) {
    int n = x->type.lanes;
    if (n == 1)
        return shuffle_lane(e, x, args, x->lanes[0]);
    if (x->arg[0]->type.lanes == 1) {
        LLVMValueRef result = LLVMGetPoison(llvm_type(e, x->type));
        for (int i = 0; i < n; i++)
            result =
                LLVMBuildInsertElement(e->at, result, args[x->lanes[i]], LLVMConstInt(e->i32, (unsigned)i, false), "");
        return result;
    }
    if (expr_repeats_word(x)) {
        LLVMValueRef word = LLVMBuildBitCast(e->at, args[0], e->i32, "");
        word = llvm_splat(e, word, n / x->arg[0]->type.lanes);
        return LLVMBuildBitCast(e->at, word, llvm_type(e, x->type), "");
    }
    LLVMValueRef mask[64];
    for (int i = 0; i < n; i++)
        mask[i] = LLVMConstInt(e->i32, x->lanes[i], false);
    return LLVMBuildShuffleVector(e->at, args[0], args[1], LLVMConstVector(mask, (unsigned)n), "");
}

/* One row per kind of expr.def. */
/* clang-format off */
#define ROWS(ROW)                                                                                             \
    ROW(INT, emit_int) ROW(FLOAT, emit_float) ROW(VAR, emit_var) ROW(LOAD, emit_load) ROW(REG, emit_reg)      \
    ROW(READ, emit_read) ROW(BROADCAST, emit_broadcast) ROW(RAMP, emit_ramp) ROW(SHUFFLE, emit_shuffle)       \
    ROW(PERMUTE, llvm_arith_permute) ROW(PERMUTE2, llvm_arith_permute2)                                       \
    ROW(REDUCE_ADD, llvm_arith_reduce) ROW(REDUCE_MUL, llvm_arith_reduce) ROW(REDUCE_MIN, llvm_arith_reduce)  \
    ROW(REDUCE_MAX, llvm_arith_reduce) ROW(NEG, llvm_arith_neg) ROW(ABS, llvm_arith_abs)                      \
    ROW(NOT, llvm_arith_not) ROW(SQRT, llvm_arith_float_unary) ROW(FLOOR, llvm_arith_float_unary)             \
    ROW(CEIL, llvm_arith_float_unary) ROW(TRUNC, llvm_arith_float_unary) ROW(RINT, llvm_arith_float_unary)    \
    ROW(CAST, llvm_convert_cast) ROW(SATURATE, llvm_convert_saturate) ROW(BITCAST, llvm_convert_bitcast)      \
    ROW(ADD, llvm_arith_binary) ROW(SUB, llvm_arith_binary) ROW(MUL, llvm_arith_binary)                       \
    ROW(DIV, llvm_arith_divide) ROW(REM, llvm_arith_divide) ROW(MIN, llvm_arith_min_max)                      \
    ROW(MAX, llvm_arith_min_max) ROW(AND, llvm_arith_binary) ROW(OR, llvm_arith_binary)                       \
    ROW(XOR, llvm_arith_binary) ROW(SHL, llvm_arith_shift) ROW(SHR, llvm_arith_shift)                         \
    ROW(SHR_ROUND, llvm_arith_shift_round) ROW(MUL_HIGH, llvm_arith_high)                                     \
    ROW(EQ, llvm_arith_compare) ROW(NE, llvm_arith_compare)                                                   \
    ROW(LT, llvm_arith_compare) ROW(LE, llvm_arith_compare) ROW(SELECT, llvm_arith_select)                    \
    ROW(FMA, llvm_arith_fma) ROW(PAIRS, llvm_arith_pairs) ROW(DOT2, llvm_arith_dot) ROW(DOT4, llvm_arith_dot)
/* clang-format on */

#define AS_ENTRY(kind, function) [EXPR_##kind] = function,
#define PLUS_ONE(kind, function) +1
static const expr_emitter emitters[] = {ROWS(AS_ENTRY)};
_Static_assert(0 ROWS(PLUS_ONE) == EXPR_COUNT, "every expression kind has its row");

static size_t memo_slot(const memo_entry *memo, size_t slots, const expr *x) {
    size_t slot = (size_t)(((uint64_t)(uintptr_t)x >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (slots - 1);
    while (memo[slot].key != NULL && memo[slot].key != x)
        slot = (slot + 1) & (slots - 1);
    return slot;
}

static bool memo_grow(emitter *e) {
    size_t slots = e->memo_slots ? e->memo_slots * 2 : 256;
    memo_entry *memo = ARENA_NEW_N(e->memory, memo_entry, slots);
    if (memo == NULL)
        return false;
    for (size_t i = 0; i < e->memo_slots; i++)
        if (e->memo[i].key != NULL)
            memo[memo_slot(memo, slots, e->memo[i].key)] = e->memo[i];
    e->memo = memo;
    e->memo_slots = slots;
    return true;
}

static void memo_keep(emitter *e, const expr *x, LLVMValueRef value) {
    if (e->memo_used * 2 >= e->memo_slots && !memo_grow(e)) {
        e->failed = true;
        return;
    }
    memo_entry *entry = &e->memo[memo_slot(e->memo, e->memo_slots, x)];
    if (entry->key == NULL)
        e->memo_used++;
    *entry = (memo_entry){x, e->statement, value};
}

/* LOAD and REG see their operands themselves: an index need not become a vector. */
static bool takes_operands(const expr *x) {
    return x->kind != EXPR_LOAD && x->kind != EXPR_REG && x->kind != EXPR_READ;
}

LLVMValueRef llvm_expr(emitter *e, const expr *x) {
    if (x->kind == EXPR_VAR)
        return e->vars[x->ref];
    if (e->memo_slots) {
        const memo_entry *entry = &e->memo[memo_slot(e->memo, e->memo_slots, x)];
        if (entry->key == x && entry->statement == e->statement)
            return entry->value;
    }
    if (e->failed)
        return LLVMGetPoison(llvm_type(e, x->type));
    LLVMValueRef args[3];
    if (takes_operands(x))
        for (int i = 0; i < x->n_args; i++)
            args[i] = llvm_expr(e, x->arg[i]);
    LLVMValueRef value = emitters[x->kind](e, x, args);
    memo_keep(e, x, value);
    return value;
}
