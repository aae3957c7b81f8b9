/* The entry points of a compiled model, with the ABI of tenon/runtime.h: what c99/c99_run.c writes, as LLVM IR.
 * PREFIX_inputs and PREFIX_outputs are structs of pointers, which lie in memory as arrays of pointers do; so
 * PREFIX_run_env is at the same time the run of tenon_model. */
#include <stddef.h>
#include <string.h>

#include "codegen/llvm/llvm_emit.h"
#include "tenon/runtime.h"

enum { RUN_IN, RUN_OUT, RUN_ENV, RUN_PARAMS };

typedef struct entry_builder {
    emitter *e;
    LLVMTargetDataRef layout;
    LLVMTypeRef env, info, region, model; /* tenon_env, tenon_tensor_info, tenon_region_info, tenon_model */
    LLVMTypeRef run_type;                 /* of PREFIX_run_env */
    LLVMValueRef run_env;
    LLVMValueRef function; /* the one being emitted */
    uint64_t weight_bytes;
} entry_builder;

LLVMTypeRef llvm_entry_env(const emitter *e) {
    LLVMTypeRef i32 = e->i32, i64 = e->i64, pointer = e->pointer;
    LLVMTypeRef fields[ENV_FIELDS] = {i32, i32, pointer, i64, pointer, i64, pointer, pointer, pointer, pointer, i64};
    return LLVMStructTypeInContext(e->context, fields, ENV_FIELDS, false);
}

static void init_types(entry_builder *n) {
    const emitter *e = n->e;
    LLVMTypeRef i32 = e->i32, i64 = e->i64, pointer = e->pointer;
    LLVMTypeRef info[] = {i32, i32, pointer, pointer, i64, i32, i32};
    LLVMTypeRef region[] = {i32, i32, pointer, i64, i64};
    LLVMTypeRef model[] = {i32, i32, pointer, pointer, pointer, i64, i64, i64, i64, pointer, pointer, pointer};
    LLVMTypeRef params[RUN_PARAMS] = {pointer, pointer, pointer};
    n->env = llvm_entry_env(e);
    n->info = LLVMStructTypeInContext(e->context, info, sizeof info / sizeof *info, false);
    n->region = LLVMStructTypeInContext(e->context, region, sizeof region / sizeof *region, false);
    n->model = LLVMStructTypeInContext(e->context, model, sizeof model / sizeof *model, false);
    n->run_type = LLVMFunctionType(i32, params, RUN_PARAMS, false);
}

static LLVMValueRef i32_of(const entry_builder *n, uint64_t x) {
    return LLVMConstInt(n->e->i32, x, false);
}

static LLVMValueRef i64_of(const entry_builder *n, uint64_t x) {
    return LLVMConstInt(n->e->i64, x, false);
}

static uint64_t bytes_of(const entry_builder *n, LLVMTypeRef type) {
    return LLVMABISizeOfType(n->layout, type);
}

/* A new function PREFIX_suffix; the builder stands at its beginning. */
static status begin_function(entry_builder *n, const char *suffix, LLVMTypeRef type) {
    emitter *e = n->e;
    const char *name = arena_printf(e->memory, "%s_%s", e->program->name, suffix);
    TRY_ALLOC(name);
    n->function = LLVMAddFunction(e->module, name, type);
    llvm_program_attributes(e, n->function);
    if (LLVMGetReturnType(type) == e->i32) /* as riscv64 and powerpc64 return an int */
        LLVMAddAttributeAtIndex(n->function, LLVMAttributeReturnIndex, llvm_attribute(e->context, "signext", 0));
    LLVMPositionBuilderAtEnd(e->at, LLVMAppendBasicBlockInContext(e->context, n->function, "entry"));
    return STATUS_OK;
}

static bool has_regions(const entry_builder *n) {
    return n->e->program->regions.n > 1;
}

/* ---- PREFIX_run_env ---- */

/* Where `bad` holds, the function returns `code`. */
static void refuse_if(entry_builder *n, LLVMValueRef bad, int code) {
    emitter *e = n->e;
    LLVMBasicBlockRef refuse = LLVMAppendBasicBlockInContext(e->context, n->function, "refuse");
    LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(e->context, n->function, "next");
    LLVMBuildCondBr(e->at, bad, refuse, next);
    LLVMPositionBuilderAtEnd(e->at, refuse);
    LLVMBuildRet(e->at, i32_of(n, (uint64_t)code));
    LLVMPositionBuilderAtEnd(e->at, next);
}

static void refuse_if_null(entry_builder *n, LLVMValueRef pointer, int code) {
    refuse_if(n, LLVMBuildIsNull(n->e->at, pointer, ""), code);
}

static LLVMValueRef env_field(entry_builder *n, LLVMValueRef env, unsigned field) {
    LLVMValueRef at = LLVMBuildStructGEP2(n->e->at, n->env, env, field, "");
    return LLVMBuildLoad2(n->e->at, LLVMStructGetTypeAtIndex(n->env, field), at, "");
}

static void check_tensors(entry_builder *n, unsigned parameter, int first, int count) {
    emitter *e = n->e;
    for (int i = 0; i < count; i++) {
        LLVMValueRef index = i64_of(n, (uint64_t)i), table = LLVMGetParam(n->function, parameter);
        if (e->program->buffers.at[first + i].n == 0)
            continue;
        LLVMValueRef at = LLVMBuildInBoundsGEP2(e->at, e->pointer, table, &index, 1, "");
        refuse_if_null(n, LLVMBuildLoad2(e->at, e->pointer, at, ""), TENON_E_ARGUMENT);
    }
}

/* env must reach to the end of a field of 64 bits. */
static void check_reach(entry_builder *n, unsigned field) {
    LLVMValueRef size = env_field(n, LLVMGetParam(n->function, RUN_ENV), ENV_SIZE);
    uint64_t reach = LLVMOffsetOfElement(n->layout, n->env, field) + sizeof(uint64_t);
    refuse_if(n, LLVMBuildICmp(n->e->at, LLVMIntULT, size, i32_of(n, reach), ""), TENON_E_STRUCT_SIZE);
}

/* A block of memory that has `has` bytes: there, of the right size (of more than that, too, where `may_be_larger`) and
 * aligned; else the function returns `code`. */
static void check_block(entry_builder *n, LLVMValueRef memory, LLVMValueRef has, uint64_t bytes, bool may_be_larger,
                        int code) {
    emitter *e = n->e;
    refuse_if_null(n, memory, code);
    refuse_if(n, LLVMBuildICmp(e->at, may_be_larger ? LLVMIntULT : LLVMIntNE, has, i64_of(n, bytes), ""), code);
    LLVMTypeRef integer = LLVMIntPtrTypeInContext(e->context, n->layout);
    LLVMValueRef low = LLVMBuildAnd(e->at, LLVMBuildPtrToInt(e->at, memory, integer, ""),
                                    LLVMConstInt(integer, WEIGHTS_ALIGN - 1, false), "");
    refuse_if(n, LLVMBuildICmp(e->at, LLVMIntNE, low, LLVMConstNull(integer), ""), code);
}

/* The block that env has in `field`, with its size in the one after that. */
static LLVMValueRef check_memory(entry_builder *n, unsigned field, uint64_t bytes, bool may_be_larger, int code) {
    LLVMValueRef env = LLVMGetParam(n->function, RUN_ENV);
    check_reach(n, field + 1);
    LLVMValueRef memory = env_field(n, env, field);
    check_block(n, memory, env_field(n, env, field + 1), bytes, may_be_larger, code);
    return memory;
}

static LLVMValueRef nth(entry_builder *n, LLVMTypeRef type, LLVMValueRef table, size_t i) {
    LLVMValueRef index = i64_of(n, i);
    return LLVMBuildInBoundsGEP2(n->e->at, type, table, &index, 1, "");
}

/* The table of the regions' memory, whose blocks are as they must be. */
static LLVMValueRef check_regions(entry_builder *n) {
    emitter *e = n->e;
    const program *p = e->program;
    LLVMValueRef env = LLVMGetParam(n->function, RUN_ENV);
    check_reach(n, ENV_N_ARENAS);
    LLVMValueRef memory = env_field(n, env, ENV_ARENAS), bytes = env_field(n, env, ENV_ARENAS_BYTES);
    LLVMValueRef count = env_field(n, env, ENV_N_ARENAS);
    refuse_if_null(n, memory, TENON_E_ARENA);
    refuse_if_null(n, bytes, TENON_E_ARENA);
    refuse_if(n, LLVMBuildICmp(e->at, LLVMIntNE, count, i64_of(n, p->regions.n), ""), TENON_E_ARENA);
    for (size_t i = 0; i < p->regions.n; i++)
        if (p->regions.at[i].bytes > 0)
            check_block(n, LLVMBuildLoad2(e->at, e->pointer, nth(n, e->pointer, memory, i), ""),
                        LLVMBuildLoad2(e->at, e->i64, nth(n, e->i64, bytes, i), ""), (uint64_t)p->regions.at[i].bytes,
                        true, TENON_E_ARENA);
    return memory;
}

static status emit_run_env(entry_builder *n, LLVMValueRef run, LLVMTypeRef run_type) {
    emitter *e = n->e;
    const program *p = e->program;
    TRY(begin_function(n, "run_env", n->run_type));
    n->run_env = n->function;
    for (unsigned i = 0; i < RUN_PARAMS; i++)
        refuse_if_null(n, LLVMGetParam(n->function, i), TENON_E_ARGUMENT);
    check_tensors(n, RUN_IN, 0, p->n_inputs);
    check_tensors(n, RUN_OUT, p->n_inputs, p->n_outputs);
    LLVMValueRef none = LLVMConstNull(e->pointer);
    LLVMValueRef args[] = {LLVMGetParam(n->function, RUN_IN), LLVMGetParam(n->function, RUN_OUT), none, none, none};
    if (p->arena_bytes > 0)
        args[2] = has_regions(n) ? check_regions(n)
                                 : check_memory(n, ENV_ARENA, (uint64_t)p->arena_bytes, true, TENON_E_ARENA);
    if (n->weight_bytes > 0)
        args[3] = check_memory(n, ENV_WEIGHTS, n->weight_bytes, false, TENON_E_WEIGHTS);
    if (e->parallel != NULL)
        args[LLVMCountParamTypes(run_type) - 1] = LLVMGetParam(n->function, RUN_ENV);
    LLVMBuildRet(e->at, LLVMBuildCall2(e->at, run_type, run, args, LLVMCountParamTypes(run_type), ""));
    return STATUS_OK;
}

/* ---- PREFIX_run ---- */

static void set_field(entry_builder *n, LLVMValueRef env, unsigned field, LLVMValueRef value) {
    LLVMBuildStore(n->e->at, value, LLVMBuildStructGEP2(n->e->at, n->env, env, field, ""));
}

/* One pointer for each region, after the inputs and outputs. */
static void set_regions(entry_builder *n, LLVMValueRef env) {
    emitter *e = n->e;
    size_t count = e->program->regions.n;
    LLVMValueRef length = i64_of(n, count);
    LLVMValueRef memory = LLVMBuildArrayAlloca(e->at, e->pointer, length, "arenas");
    LLVMValueRef bytes = LLVMBuildArrayAlloca(e->at, e->i64, length, "bytes");
    for (size_t i = 0; i < count; i++) {
        LLVMBuildStore(e->at, LLVMGetParam(n->function, (unsigned)(RUN_ENV + i)), nth(n, e->pointer, memory, i));
        LLVMBuildStore(e->at, i64_of(n, (uint64_t)e->program->regions.at[i].bytes), nth(n, e->i64, bytes, i));
    }
    set_field(n, env, ENV_ARENAS, memory);
    set_field(n, env, ENV_ARENAS_BYTES, bytes);
    set_field(n, env, ENV_N_ARENAS, length);
}

static status run_type_of(const entry_builder *n, LLVMTypeRef *out) {
    emitter *e = n->e;
    size_t count = RUN_ENV + (has_regions(n) ? e->program->regions.n : 1);
    LLVMTypeRef *params = ARENA_NEW_N(e->memory, LLVMTypeRef, count);
    TRY_ALLOC(params);
    for (size_t i = 0; i < count; i++)
        params[i] = e->pointer;
    *out = LLVMFunctionType(e->i32, params, (unsigned)count, false);
    return STATUS_OK;
}

static status emit_run(entry_builder *n) {
    emitter *e = n->e;
    LLVMTypeRef type;
    TRY(run_type_of(n, &type));
    TRY(begin_function(n, "run", type));
    LLVMValueRef env = LLVMBuildAlloca(e->at, n->env, "env");
    LLVMBuildStore(e->at, LLVMConstNull(n->env), env);
    set_field(n, env, ENV_SIZE, i32_of(n, bytes_of(n, n->env)));
    if (has_regions(n)) {
        set_regions(n, env);
    } else {
        set_field(n, env, ENV_ARENA, LLVMGetParam(n->function, RUN_ENV));
        set_field(n, env, ENV_ARENA_BYTES, i64_of(n, (uint64_t)e->program->arena_bytes));
    }
    LLVMValueRef args[RUN_PARAMS] = {LLVMGetParam(n->function, 0), LLVMGetParam(n->function, 1), env};
    LLVMBuildRet(e->at, LLVMBuildCall2(e->at, n->run_type, n->run_env, args, RUN_PARAMS, ""));
    return STATUS_OK;
}

/* ---- PREFIX_model ---- */

/* A constant of the module that nothing else sees. */
static LLVMValueRef constant(entry_builder *n, LLVMValueRef contents) {
    LLVMValueRef global = LLVMAddGlobal(n->e->module, LLVMTypeOf(contents), "");
    LLVMSetInitializer(global, contents);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

static LLVMValueRef text(entry_builder *n, const char *s) {
    return constant(n, LLVMConstStringInContext2(n->e->context, s, strlen(s), false));
}

static status dims_of(entry_builder *n, const program_buffer *b, LLVMValueRef *out) {
    LLVMValueRef *dims = ARENA_NEW_N(n->e->memory, LLVMValueRef, b->rank + 1);
    TRY_ALLOC(dims);
    dims[0] = i64_of(n, 1);
    for (int i = 0; i < b->rank; i++)
        dims[i] = i64_of(n, (uint64_t)b->dims[i]);
    *out = constant(n, LLVMConstArray2(n->e->i64, dims, b->rank == 0 ? 1 : (uint64_t)b->rank));
    return STATUS_OK;
}

static status info_of(entry_builder *n, const program_buffer *b, LLVMValueRef *out) {
    LLVMValueRef dims;
    TRY(dims_of(n, b, &dims));
    LLVMValueRef fields[] = {
        i32_of(n, bytes_of(n, n->info)),
        i32_of(n, (uint64_t)dtype_to_onnx(b->elem)),
        text(n, b->title != NULL ? b->title : b->name),
        dims,
        i64_of(n, dtype_bytes(b->elem, (size_t)b->n)),
        i32_of(n, (uint64_t)b->rank),
        i32_of(n, dtype_bytes(b->elem, 1)),
    };
    *out = constant(n, LLVMConstNamedStruct(n->info, fields, sizeof fields / sizeof *fields));
    return STATUS_OK;
}

/* The list of inputs or outputs, with NULL at its end. */
static status list_of(entry_builder *n, int first, int count, LLVMValueRef *out) {
    LLVMValueRef *infos = ARENA_NEW_N(n->e->memory, LLVMValueRef, count + 1);
    TRY_ALLOC(infos);
    for (int i = 0; i < count; i++)
        TRY(info_of(n, &n->e->program->buffers.at[first + i], &infos[i]));
    infos[count] = LLVMConstNull(n->e->pointer);
    *out = constant(n, LLVMConstArray2(n->e->pointer, infos, (uint64_t)count + 1));
    return STATUS_OK;
}

/* The list of the regions, NULL where the arena is one. */
static status regions_of(entry_builder *n, LLVMValueRef *out) {
    const program *p = n->e->program;
    *out = LLVMConstNull(n->e->pointer);
    if (!has_regions(n))
        return STATUS_OK;
    LLVMValueRef *list = ARENA_NEW_N(n->e->memory, LLVMValueRef, p->regions.n + 1);
    TRY_ALLOC(list);
    for (size_t i = 0; i < p->regions.n; i++) {
        LLVMValueRef fields[] = {i32_of(n, bytes_of(n, n->region)), i32_of(n, 0), text(n, p->regions.at[i].name),
                                 i64_of(n, (uint64_t)p->regions.at[i].bytes), i64_of(n, WEIGHTS_ALIGN)};
        list[i] = constant(n, LLVMConstNamedStruct(n->region, fields, sizeof fields / sizeof *fields));
    }
    list[p->regions.n] = *out;
    *out = constant(n, LLVMConstArray2(n->e->pointer, list, p->regions.n + 1));
    return STATUS_OK;
}

static status describe(entry_builder *n, LLVMValueRef *out) {
    const program *p = n->e->program;
    LLVMValueRef inputs, outputs, regions;
    TRY(regions_of(n, &regions));
    TRY(list_of(n, 0, p->n_inputs, &inputs));
    TRY(list_of(n, p->n_inputs, p->n_outputs, &outputs));
    LLVMValueRef fields[] = {
        i32_of(n, bytes_of(n, n->model)),
        i32_of(n, TENON_ABI),
        text(n, p->name),
        inputs,
        outputs,
        i64_of(n, (uint64_t)p->arena_bytes),
        i64_of(n, WEIGHTS_ALIGN),
        i64_of(n, n->weight_bytes),
        i64_of(n, WEIGHTS_ALIGN),
        n->run_env,
        text(n, p->target->name),
        regions,
    };
    *out = constant(n, LLVMConstNamedStruct(n->model, fields, sizeof fields / sizeof *fields));
    return STATUS_OK;
}

static status emit_model(entry_builder *n) {
    emitter *e = n->e;
    LLVMValueRef description;
    TRY(describe(n, &description));
    TRY(begin_function(n, "model", LLVMFunctionType(e->pointer, &e->i32, 1, false)));
    LLVMValueRef max_abi = LLVMGetParam(n->function, 0);
    LLVMValueRef major = LLVMBuildLShr(e->at, max_abi, i32_of(n, 16), "");
    LLVMValueRef minor = LLVMBuildAnd(e->at, max_abi, i32_of(n, 0xffff), "");
    LLVMValueRef same = LLVMBuildICmp(e->at, LLVMIntEQ, major, i32_of(n, TENON_ABI >> 16), "");
    LLVMValueRef enough = LLVMBuildICmp(e->at, LLVMIntUGE, minor, i32_of(n, TENON_ABI & 0xffff), "");
    LLVMValueRef known = LLVMBuildAnd(e->at, same, enough, "");
    LLVMBuildRet(e->at, LLVMBuildSelect(e->at, known, description, LLVMConstNull(e->pointer), ""));
    return STATUS_OK;
}

status llvm_entry_emit(emitter *e, LLVMValueRef run, LLVMTypeRef run_type, uint64_t weight_bytes) {
    entry_builder n = {.e = e, .layout = LLVMGetModuleDataLayout(e->module), .weight_bytes = weight_bytes};
    init_types(&n);
    TRY(emit_run_env(&n, run, run_type));
    TRY(emit_run(&n));
    return emit_model(&n);
}
