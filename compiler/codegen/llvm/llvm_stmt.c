/* Statements, and the table of how each kind is spelt. */
#include "codegen/llvm/llvm_emit.h"

typedef void (*stmt_emitter)(emitter *e, const stmt *s);

static LLVMBasicBlockRef new_block(emitter *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static void continue_in(emitter *e, LLVMBasicBlockRef b) {
    LLVMPositionBuilderAtEnd(e->at, b);
}

static void emit_let(emitter *e, const stmt *s) {
    e->vars[s->let.var->ref] = llvm_expr(e, s->let.value);
    e->lets[s->let.var->ref] = s->let.value;
}

/* body: i = phi(0, next); ...; next = i + 1; again while next < n. Entered only where 0 < n. */
static void emit_for(emitter *e, const stmt *s) {
    LLVMTypeRef type = llvm_type(e, s->loop.var->type);
    LLVMValueRef zero = LLVMConstInt(type, 0, false), extent = llvm_expr(e, s->loop.extent);
    LLVMBasicBlockRef before = new_block(e, "before"), body = new_block(e, "loop"), after = new_block(e, "after");
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntSLT, zero, extent, ""), before, after);
    continue_in(e, before);
    LLVMBuildBr(e->at, body);
    continue_in(e, body);
    LLVMValueRef i = LLVMBuildPhi(e->at, type, e->kernel->vars.at[s->loop.var->ref].name);
    e->vars[s->loop.var->ref] = i;
    llvm_block(e, &s->loop.body);
    LLVMValueRef next = LLVMBuildNUWAdd(e->at, i, LLVMConstInt(type, 1, false), "");
    if (LLVMIsAInstruction(next))
        LLVMSetNSW(next, true);
    LLVMValueRef from[] = {zero, next};
    LLVMBasicBlockRef blocks[] = {before, LLVMGetInsertBlock(e->at)};
    LLVMAddIncoming(i, from, blocks, 2);
    LLVMBuildCondBr(e->at, LLVMBuildICmp(e->at, LLVMIntSLT, next, extent, ""), body, after);
    continue_in(e, after);
}

/* One alloca per element: with constant indices LLVM turns each into a register. */
static void emit_declare(emitter *e, const stmt *s) {
    const kernel_reg *r = &e->kernel->regs.at[s->declare.reg];
    LLVMValueRef *slots = ARENA_NEW_N(e->memory, LLVMValueRef, r->n);
    if (slots == NULL) {
        e->failed = true;
        return;
    }
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->at);
    continue_in(e, e->entry);
    for (int i = 0; i < r->n; i++)
        slots[i] = LLVMBuildAlloca(e->at, llvm_type(e, r->type), r->name);
    continue_in(e, here);
    e->regs[s->declare.reg] = slots;
}

static void emit_set(emitter *e, const stmt *s) {
    LLVMValueRef value = llvm_expr(e, s->set.value);
    TENON_ASSERT(s->set.index->kind == EXPR_INT);
    if (!e->failed)
        LLVMBuildStore(e->at, value, e->regs[s->set.reg][s->set.index->imm]);
}

static void emit_if(emitter *e, const stmt *s) {
    LLVMBasicBlockRef then = new_block(e, "then"), otherwise = new_block(e, "else"), after = new_block(e, "after");
    LLVMBuildCondBr(e->at, llvm_expr(e, s->cond.condition), then, otherwise);
    continue_in(e, then);
    llvm_block(e, &s->cond.then);
    LLVMBuildBr(e->at, after);
    continue_in(e, otherwise);
    llvm_block(e, &s->cond.otherwise);
    LLVMBuildBr(e->at, after);
    continue_in(e, after);
}

static void emit_check(emitter *e, const stmt *s) {
    LLVMBasicBlockRef fail = new_block(e, "fail"), after = new_block(e, "checked");
    LLVMBuildCondBr(e->at, llvm_expr(e, s->check.condition), after, fail);
    continue_in(e, fail);
    LLVMBuildRet(e->at, LLVMConstInt(e->i32, (unsigned long long)s->check.code, true));
    continue_in(e, after);
}

static void emit_note(emitter *e, const stmt *s) {
    (void)e;
    (void)s;
}

#define ROWS(ROW)                                                                                                      \
    ROW(LET, emit_let)                                                                                                 \
    ROW(FOR, emit_for)                                                                                                 \
    ROW(STORE, llvm_memory_store)                                                                                      \
    ROW(DECLARE, emit_declare) ROW(SET, emit_set) ROW(IF, emit_if) ROW(CHECK, emit_check) ROW(NOTE, emit_note)

#define AS_ENTRY(kind, function) [STMT_##kind] = function,
#define PLUS_ONE(kind, function) +1
static const stmt_emitter emitters[] = {ROWS(AS_ENTRY)};
_Static_assert(0 ROWS(PLUS_ONE) == STMT_COUNT, "every statement kind has its row");

void llvm_block(emitter *e, const block *b) {
    for (const stmt *s = b->first; s != NULL && !e->failed; s = s->next) {
        e->statement++;
        emitters[s->kind](e, s);
    }
}

bool llvm_block_has_check(const block *b) {
    for (const stmt *s = b->first; s != NULL; s = s->next) {
        bool here = s->kind == STMT_CHECK;
        if (s->kind == STMT_FOR)
            here = llvm_block_has_check(&s->loop.body);
        else if (s->kind == STMT_IF)
            here = llvm_block_has_check(&s->cond.then) || llvm_block_has_check(&s->cond.otherwise);
        if (here)
            return true;
    }
    return false;
}
