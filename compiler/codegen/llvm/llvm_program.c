/* A program as one LLVM module: a function per kernel, one that calls them in order, and the entry points. */
#include "codegen/llvm/llvm_emit.h"

#include <llvm-c/Analysis.h>
#include <stdio.h>
#include <string.h>

/* What a run's parameters are: those that every one has, then what CONSTS_IN_FILE or tracing adds. */
enum { RUN_INPUTS, RUN_OUTPUTS, RUN_SCRATCH, RUN_PARAMS };
enum { RUN_WEIGHTS = RUN_PARAMS, RUN_WEIGHTS_PARAMS };
enum { RUN_TICK = RUN_PARAMS, RUN_TICK_CTX, RUN_TICK_PARAMS };
enum { RUN_MOST_PARAMS = RUN_TICK_PARAMS + 1 }; /* last: tenon_env, where a kernel has parts */

typedef struct run_builder {
    emitter *e;
    const kernel_part *part; /* NULL: all of it */
    const_place consts;
    weight_table weights;
    LLVMValueRef *base; /* by the program's buffer number: where it begins */
    LLVMValueRef *kernels;
    LLVMTypeRef *types;
    bool *checked;     /* by kernel: returns a CHECK's code */
    LLVMValueRef room; /* for the addresses of a kernel's buffers while its parts run */
} run_builder;

#define BASE_ALIGNMENT 64
#define UNWIND_ASYNC 2 /* LLVM's UWTableKind: debuggers can unwind from everywhere */

const char *llvm_program_entry(const program *p, arena *a) {
    return arena_printf(a, "%s_run_raw", p->name);
}

static void set_attribute(emitter *e, LLVMValueRef function, LLVMAttributeIndex where, const char *name,
                          uint64_t value) {
    LLVMAddAttributeAtIndex(function, where, llvm_attribute(e->context, name, value));
}

static void set_text_attribute(emitter *e, LLVMValueRef function, const char *name, const char *value) {
    LLVMAttributeRef attribute =
        LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void llvm_program_attributes(emitter *e, LLVMValueRef function) {
    const target *t = e->program->target;
    char width[16];
    snprintf(width, sizeof width, "%d", t->vector_bytes * 8);
    set_attribute(e, function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "nounwind", 0);
    set_text_attribute(e, function, "no-builtins", "");
    if (e->options->is_named)
        set_attribute(e, function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, "uwtable", UNWIND_ASYNC);
    if (t->cpu != NULL)
        set_text_attribute(e, function, "target-cpu", t->cpu);
    if (t->features != NULL)
        set_text_attribute(e, function, "target-features", t->features);
    if (t->vector_bytes != 0)
        set_text_attribute(e, function, "prefer-vector-width", width);
}

static uint64_t lowest_bit(uint64_t x) {
    return x & (~x + 1);
}

/* What is known of the alignment of an argument of a call; users' buffers may lie anywhere. */
static uint64_t argument_alignment(const program *p, const_place consts, const step_arg *arg) {
    const program_buffer *b = &p->buffers.at[arg->buffer];
    uint64_t place = (uint64_t)arg->first * ((uint64_t)dtype_bits(b->elem) / 8);
    if (b->place == PLACE_INPUT || b->place == PLACE_OUTPUT)
        return 1;
    if (b->place == PLACE_ARENA)
        place += (uint64_t)b->offset;
    else if (consts == CONSTS_IN_PLACE)
        place += (uint64_t)(uintptr_t)b->data;
    return lowest_bit(place | BASE_ALIGNMENT);
}

/* What holds in every call of kernel k. */
static uint64_t parameter_alignment(const program *p, const_place consts, int k, size_t parameter) {
    uint64_t alignment = BASE_ALIGNMENT;
    for (size_t i = 0; i < p->steps.n; i++) {
        if (p->steps.at[i].kernel != k)
            continue;
        uint64_t here = argument_alignment(p, consts, &p->steps.at[i].args[parameter]);
        alignment = here < alignment ? here : alignment;
    }
    return alignment;
}

static void set_parameter_attributes(run_builder *r, int k, size_t parameter) {
    emitter *e = r->e;
    const kernel_buffer *b = &e->kernel->buffers.at[parameter];
    LLVMAttributeIndex where = (LLVMAttributeIndex)(parameter + 1);
    uint64_t alignment = parameter_alignment(e->program, r->consts, k, parameter);
    uint64_t bytes = (uint64_t)b->n * ((uint64_t)dtype_bits(b->elem) / 8);
    set_attribute(e, e->function, where, "noalias", 0);
    set_attribute(e, e->function, where, "nocapture", 0);
    if (b->access == ACCESS_READ)
        set_attribute(e, e->function, where, "readonly", 0);
    if (b->access == ACCESS_WRITE)
        set_attribute(e, e->function, where, "writeonly", 0);
    if (alignment > 1)
        set_attribute(e, e->function, where, "align", alignment);
    if (bytes > 0)
        set_attribute(e, e->function, where, "dereferenceable", bytes);
    LLVMSetValueName2(e->buffers[parameter], b->name, strlen(b->name));
}

static status declare_kernel(run_builder *r, int k) {
    emitter *e = r->e;
    const kernel *source = e->program->kernels.at[k];
    LLVMTypeRef *params = ARENA_NEW_N(e->memory, LLVMTypeRef, source->buffers.n + 1);
    TRY_ALLOC(params);
    for (size_t i = 0; i < source->buffers.n; i++)
        params[i] = e->pointer;
    params[source->buffers.n] = e->i64; /* the number of the part */
    r->checked[k] = llvm_block_has_check(&source->body);
    LLVMTypeRef result = r->checked[k] ? e->i32 : LLVMVoidTypeInContext(e->context);
    unsigned n_params = (unsigned)source->buffers.n + (kernel_parts(source) != NULL ? 1 : 0);
    r->types[k] = LLVMFunctionType(result, params, n_params, false);
    const char *name = llvm_symbols_kernel(e->program, k, e->memory);
    TRY_ALLOC(name);
    r->kernels[k] = LLVMAddFunction(e->module, name, r->types[k]);
    if (r->part == NULL || r->part->n == 1)
        LLVMSetLinkage(r->kernels[k], LLVMInternalLinkage);
    LLVMSetAlignment(r->kernels[k], BASE_ALIGNMENT);
    llvm_program_attributes(e, r->kernels[k]);
    return STATUS_OK;
}

static status emit_kernel(run_builder *r, int k) {
    emitter *e = r->e;
    e->kernel = e->program->kernels.at[k];
    e->function = r->kernels[k];
    e->buffers = ARENA_NEW_N(e->memory, LLVMValueRef, e->kernel->buffers.n + 1);
    e->vars = ARENA_NEW_N(e->memory, LLVMValueRef, e->kernel->vars.n + 1);
    e->lets = ARENA_NEW_N(e->memory, const expr *, e->kernel->vars.n + 1);
    e->regs = ARENA_NEW_N(e->memory, LLVMValueRef *, e->kernel->regs.n + 1);
    if (e->buffers == NULL || e->vars == NULL || e->lets == NULL || e->regs == NULL)
        return STATUS_RESOURCE;
    for (size_t i = 0; i < e->kernel->buffers.n; i++) {
        e->buffers[i] = LLVMGetParam(e->function, (unsigned)i);
        set_parameter_attributes(r, k, i);
    }
    e->entry = LLVMAppendBasicBlockInContext(e->context, e->function, "entry");
    LLVMBasicBlockRef start = LLVMAppendBasicBlockInContext(e->context, e->function, "start");
    LLVMPositionBuilderAtEnd(e->at, start);
    const stmt *parts = kernel_parts(e->kernel);
    if (parts != NULL)
        e->vars[parts->loop.var->ref] = LLVMGetParam(e->function, (unsigned)e->kernel->buffers.n);
    llvm_block(e, parts != NULL ? &parts->loop.body : &e->kernel->body);
    if (e->failed)
        return STATUS_RESOURCE;
    if (r->checked[k])
        LLVMBuildRet(e->at, LLVMConstInt(e->i32, 0, false));
    else
        LLVMBuildRetVoid(e->at);
    LLVMPositionBuilderAtEnd(e->at, e->entry);
    LLVMBuildBr(e->at, start);
    return STATUS_OK;
}

static LLVMValueRef nth_pointer(emitter *e, LLVMValueRef table, size_t n) {
    LLVMValueRef index = LLVMConstInt(e->i64, n, false);
    return LLVMBuildLoad2(e->at, e->pointer, LLVMBuildInBoundsGEP2(e->at, e->pointer, table, &index, 1, ""), "");
}

static LLVMValueRef place_in(emitter *e, LLVMValueRef start, uint64_t offset) {
    LLVMValueRef index = LLVMConstInt(e->i64, offset, false);
    return LLVMBuildInBoundsGEP2(e->at, LLVMInt8TypeInContext(e->context), start, &index, 1, "");
}

static LLVMValueRef constant_base(run_builder *r, LLVMValueRef run, size_t i) {
    emitter *e = r->e;
    const program_buffer *b = &e->program->buffers.at[i];
    switch (r->consts) {
    case CONSTS_IN_PLACE:
        return LLVMConstIntToPtr(LLVMConstInt(e->i64, (uint64_t)(uintptr_t)b->data, false), e->pointer);
    case CONSTS_IN_MODULE:
        return llvm_weights_define(e, b);
    case CONSTS_OUTSIDE:
        return llvm_weights_declare(e, b, r->weights.symbols[i]);
    case CONSTS_IN_FILE:
        break;
    }
    return place_in(e, LLVMGetParam(run, RUN_WEIGHTS), r->weights.offsets[i]);
}

/* Code that is called through the entry points gets a table of the regions. */
static LLVMValueRef arena_base(run_builder *r, LLVMValueRef run, const program_buffer *b) {
    const program *p = r->e->program;
    LLVMValueRef scratch = LLVMGetParam(run, RUN_SCRATCH);
    if (p->regions.n < 2 || r->consts == CONSTS_IN_PLACE)
        return place_in(r->e, scratch, (uint64_t)b->offset);
    size_t region = program_region_of(p, b);
    return place_in(r->e, nth_pointer(r->e, scratch, region), (uint64_t)(b->offset - p->regions.at[region].start));
}

/* Constants that no step reads have no place. */
static LLVMValueRef buffer_base(run_builder *r, LLVMValueRef run, size_t i) {
    emitter *e = r->e;
    const program_buffer *b = &e->program->buffers.at[i];
    if (b->place == PLACE_INPUT)
        return nth_pointer(e, LLVMGetParam(run, RUN_INPUTS), i);
    if (b->place == PLACE_OUTPUT)
        return nth_pointer(e, LLVMGetParam(run, RUN_OUTPUTS), i - (size_t)e->program->n_inputs);
    if (b->place == PLACE_ARENA)
        return arena_base(r, run, b);
    return r->weights.symbols[i] != NULL ? constant_base(r, run, i) : NULL;
}

/* Calls the step's kernel; a code other than 0 ends the run. */
static status emit_step(run_builder *r, LLVMValueRef run, const program_step *s) {
    emitter *e = r->e;
    const kernel *k = e->program->kernels.at[s->kernel];
    LLVMValueRef *args = ARENA_NEW_N(e->memory, LLVMValueRef, k->buffers.n + 1);
    TRY_ALLOC(args);
    for (size_t i = 0; i < k->buffers.n; i++) {
        LLVMValueRef first = LLVMConstInt(e->i64, (uint64_t)s->args[i].first, false);
        LLVMTypeRef element = llvm_memory_type(e, (ltype){k->buffers.at[i].elem, 1});
        args[i] = LLVMBuildInBoundsGEP2(e->at, element, r->base[s->args[i].buffer], &first, 1, "");
    }
    if (kernel_parts(k) != NULL)
        return llvm_parallel_call(e, k, r->kernels[s->kernel], r->types[s->kernel], args, r->room,
                                  LLVMGetLastParam(run));
    LLVMValueRef code =
        LLVMBuildCall2(e->at, r->types[s->kernel], r->kernels[s->kernel], args, (unsigned)k->buffers.n, "");
    if (!r->checked[s->kernel])
        return STATUS_OK;
    LLVMBasicBlockRef fail = LLVMAppendBasicBlockInContext(e->context, run, "fail");
    LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(e->context, run, "next");
    LLVMValueRef is_zero = LLVMBuildICmp(e->at, LLVMIntEQ, code, LLVMConstInt(e->i32, 0, false), "");
    LLVMBuildCondBr(e->at, is_zero, next, fail);
    LLVMPositionBuilderAtEnd(e->at, fail);
    LLVMBuildRet(e->at, code);
    LLVMPositionBuilderAtEnd(e->at, next);
    return STATUS_OK;
}

static void emit_tick(run_builder *r, LLVMValueRef run, size_t step) {
    emitter *e = r->e;
    LLVMTypeRef params[] = {e->pointer, e->i64};
    LLVMValueRef args[] = {LLVMGetParam(run, RUN_TICK_CTX), LLVMConstInt(e->i64, step, false)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), params, 2, false);
    LLVMBuildCall2(e->at, type, LLVMGetParam(run, RUN_TICK), args, 2, "");
}

static void name_parameters(const run_builder *r, LLVMValueRef run) {
    const char *more = r->consts == CONSTS_IN_FILE ? "weights" : "tick";
    const char *const names[RUN_TICK_PARAMS] = {"inputs", "outputs", "scratch", more, "ctx"};
    unsigned n = LLVMCountParams(run) - (r->e->parallel != NULL ? 1 : 0);
    for (unsigned i = 0; i < n; i++)
        LLVMSetValueName2(LLVMGetParam(run, i), names[i], strlen(names[i]));
    if (r->e->parallel != NULL)
        LLVMSetValueName2(LLVMGetLastParam(run), "env", strlen("env"));
}

static size_t most_buffers(const program *p) {
    size_t most = 0;
    for (size_t i = 0; i < p->kernels.n; i++)
        most = p->kernels.at[i]->buffers.n > most ? p->kernels.at[i]->buffers.n : most;
    return most;
}

static status emit_run(run_builder *r, LLVMValueRef run) {
    emitter *e = r->e;
    const program *p = e->program;
    name_parameters(r, run);
    LLVMPositionBuilderAtEnd(e->at, LLVMAppendBasicBlockInContext(e->context, run, "entry"));
    if (e->parallel != NULL)
        r->room = LLVMBuildAlloca(e->at, LLVMArrayType2(e->pointer, most_buffers(p)), "room");
    for (size_t i = 0; i < p->buffers.n; i++)
        r->base[i] = buffer_base(r, run, i);
    for (size_t i = 0; i < p->steps.n; i++) {
        if (e->options->is_traced)
            emit_tick(r, run, i);
        TRY(emit_step(r, run, &p->steps.at[i]));
    }
    if (e->options->is_traced)
        emit_tick(r, run, p->steps.n);
    LLVMBuildRet(e->at, LLVMConstInt(e->i32, 0, false));
    return STATUS_OK;
}

static bool is_main(const run_builder *r) {
    return r->part == NULL || r->part->index == 0;
}

static bool is_own(const run_builder *r, int k) {
    return r->part == NULL || r->part->n == 1 || r->part->of[k] == r->part->index;
}

/* Everything after the module and the builder exist, which the caller disposes of. */
static status emit_all(run_builder *r) {
    emitter *e = r->e;
    const program *p = e->program;
    const char *entry = llvm_program_entry(p, e->memory);
    r->base = ARENA_NEW_N(e->memory, LLVMValueRef, p->buffers.n + 1);
    r->kernels = ARENA_NEW_N(e->memory, LLVMValueRef, p->kernels.n + 1);
    r->types = ARENA_NEW_N(e->memory, LLVMTypeRef, p->kernels.n + 1);
    r->checked = ARENA_NEW_N(e->memory, bool, p->kernels.n + 1);
    if (entry == NULL || r->base == NULL || r->kernels == NULL || r->types == NULL || r->checked == NULL)
        return STATUS_RESOURCE;
    TRY(weights_place(p, e->memory, &r->weights));
    LLVMTypeRef params[RUN_MOST_PARAMS] = {e->pointer, e->pointer, e->pointer, e->pointer, e->pointer, e->pointer};
    unsigned n_params = e->options->is_traced         ? RUN_TICK_PARAMS
                        : r->consts == CONSTS_IN_FILE ? RUN_WEIGHTS_PARAMS
                                                      : RUN_PARAMS;
    if (llvm_parallel_is_in(p))
        n_params++;
    LLVMTypeRef type = LLVMFunctionType(e->i32, params, n_params, false);
    for (int k = 0; k < (int)p->kernels.n; k++)
        if (is_main(r) || is_own(r, k))
            TRY(declare_kernel(r, k));
    for (int k = 0; k < (int)p->kernels.n; k++)
        if (is_own(r, k))
            TRY(emit_kernel(r, k));
    if (!is_main(r))
        return STATUS_OK;
    if (llvm_parallel_is_in(p))
        llvm_parallel_emit(e);
    LLVMValueRef run = LLVMAddFunction(e->module, entry, type);
    llvm_program_attributes(e, run);
    TRY(emit_run(r, run));
    if (r->consts == CONSTS_IN_PLACE)
        return STATUS_OK;
    LLVMSetLinkage(run, LLVMInternalLinkage);
    return llvm_entry_emit(e, run, type, r->consts == CONSTS_IN_FILE ? r->weights.bytes : 0);
}

static status verify(LLVMModuleRef module, diag *d) {
    char *message = NULL;
    if (LLVMVerifyModule(module, LLVMReturnStatusAction, &message))
        return llvm_target_fail(message, "the emitted module", d);
    LLVMDisposeMessage(message);
    return STATUS_OK;
}

status llvm_program_emit(const program *p, const_place consts, const kernel_part *part, const llvm_options *o,
                         LLVMContextRef context, LLVMTargetMachineRef machine, arena *a, diag *d, LLVMModuleRef *out) {
    TRY(llvm_target_module(p, context, machine, d, out));
    emitter e = {.memory = a, .program = p, .options = o, .context = context, .module = *out};
    e.at = LLVMCreateBuilderInContext(context);
    llvm_types_init(&e);
    run_builder r = {.e = &e, .part = part, .consts = consts};
    status result = emit_all(&r);
    LLVMDisposeBuilder(e.at);
    return result == STATUS_OK ? verify(*out, d) : result;
}
