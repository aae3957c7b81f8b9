/* A program as objects in memory, for the JIT: its kernels in several modules, compiled side by side where there are
 * cores. What comes out of a kernel does not depend on where it was compiled. */
#include "codegen/llvm/llvm_emit.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

/* Statements that are worth a thread. */
#define LEAST_WORK 120

typedef struct part {
    LLVMTargetMachineRef machine;
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMMemoryBufferRef object;
    diag *d; /* its own: the collector of the caller is for one thread */
    status result;
    pthread_t thread;
    bool started;
} part;

/* ---- which kernel goes where ---- */

static int64_t count_statements(const block *b) {
    int64_t n = 0;
    for (const stmt *s = b->first; s != NULL; s = s->next) {
        n++;
        if (s->kind == STMT_FOR)
            n += count_statements(&s->loop.body);
        else if (s->kind == STMT_IF)
            n += count_statements(&s->cond.then) + count_statements(&s->cond.otherwise);
    }
    return n;
}

static int cores(void) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

/* Each kernel to the part that has least; the first part has the calls besides. Returns how many parts there are. */
static int divide(const program *p, int *of) {
    int64_t work[LLVM_MOST_PARTS] = {0}, all = 0;
    int n = cores() < LLVM_MOST_PARTS ? cores() : LLVM_MOST_PARTS;
    for (size_t k = 0; k < p->kernels.n; k++)
        all += count_statements(&p->kernels.at[k]->body);
    if (n > all / LEAST_WORK)
        n = all >= LEAST_WORK ? (int)(all / LEAST_WORK) : 1;
    work[0] = (int64_t)p->steps.n / 2;
    for (size_t k = 0; k < p->kernels.n; k++) {
        int least = 0;
        for (int i = 1; i < n; i++)
            least = work[i] < work[least] ? i : least;
        of[k] = least;
        work[least] += count_statements(&p->kernels.at[k]->body);
    }
    return n;
}

/* ---- one part ---- */

/* The module is made on the calling thread: only there is the host's memory to be had. */
static status begin(part *t, const program *p, const llvm_options *o, const kernel_part *which, arena *a, diag *d) {
    TRY_ALLOC(t->d = diag_new(&allocator_system));
    TRY(llvm_target_machine(p->target, d, &t->machine));
    t->context = llvm_target_context(t->d);
    LLVMContextSetDiscardValueNames(t->context, true);
    return llvm_program_emit(p, CONSTS_IN_PLACE, which, o, t->context, t->machine, a, d, &t->module);
}

static void *compile(void *of) {
    part *t = of;
    t->result = llvm_target_optimise(t->module, t->machine, t->d);
    if (t->result == STATUS_OK)
        t->result = llvm_target_generate(t->module, t->machine, LLVMObjectFile, t->d, &t->object);
    return NULL;
}

/* Signals stay with the threads that the process had before. */
static void start(part *t) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    t->started = pthread_create(&t->thread, NULL, compile, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void compile_all(part *parts, int n) {
    for (int i = 1; i < n; i++)
        start(&parts[i]);
    for (int i = 0; i < n; i++)
        if (!parts[i].started)
            compile(&parts[i]);
    for (int i = 1; i < n; i++)
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
}

static void end(part *t, diag *d) {
    for (size_t i = 0; t->d != NULL && i < diag_count(t->d); i++) {
        const diag_item *item = diag_at(t->d, i);
        diag_error(d, item->code, item->id, DIAG_NOWHERE, "%s", item->message);
    }
    if (t->module != NULL)
        LLVMDisposeModule(t->module);
    if (t->context != NULL)
        LLVMContextDispose(t->context);
    if (t->machine != NULL)
        LLVMDisposeTargetMachine(t->machine);
    diag_free(t->d);
}

status llvm_build_objects(const program *p, const llvm_options *o, arena *a, diag *d, LLVMMemoryBufferRef *out,
                          int *out_n) {
    part parts[LLVM_MOST_PARTS] = {{0}};
    int *of = ARENA_NEW_N(a, int, p->kernels.n + 1);
    TRY_ALLOC(of);
    int n = o->is_named ? 1 : divide(p, of); /* lists of functions are of one object */
    status result = STATUS_OK;
    for (int i = 0; i < n && result == STATUS_OK; i++)
        result = begin(&parts[i], p, o, &(kernel_part){of, i, n}, a, d);
    if (result == STATUS_OK)
        compile_all(parts, n);
    *out_n = 0;
    for (int i = 0; i < n; i++) {
        result = result == STATUS_OK ? parts[i].result : result;
        end(&parts[i], d);
        if (parts[i].object != NULL)
            out[(*out_n)++] = parts[i].object;
    }
    for (int i = 0; result != STATUS_OK && i < *out_n; i++)
        LLVMDisposeMemoryBuffer(out[i]);
    return result;
}
