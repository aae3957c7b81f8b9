/* tenon check --suite: hands the cases to workers, starts a new one where one ends early, and collects what they say.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/files.h"
#include "api/reports.h"
#include "api/suite.h"
#include "frontend/frontend.h"

enum { LOOK_MS = 50, MOST_WORKERS = 64, MOST_SHARE = 32 };

/* A case has so many seconds more than its limit, since the one before is seen to be done only when it is looked for.
 */
static const double grace = 0.2;

/* A worker, and the cases [at, end) that it has. */
typedef struct share {
    arena *memory;
    parcel request, answer;
    size_t at, end;
    uint64_t seen; /* the answer's text_at when it was looked at */
    size_t n_seen; /* how often it had changed */
    double begin;  /* of the case that runs: clock_ms */
} share;

typedef struct suite {
    tenon_context *c;
    const tenon_options *o;
    arena *a;
    const char *folder, *temporary;
    worker_setup setup;
    suite_names names;
    suite_case *cases; /* one for each name, and */
    status *ended;     /* how it ended */
    share *shares;
    process *workers; /* one for each share */
    size_t n_workers, n_running, next, n_done;
} suite;

/* ---- handing out ---- */

static status write_request(const suite *k, share *w) {
    strbuf s = strbuf_in(w->memory);
    const char *text;
    suite_put(&s, k->folder);
    suite_put(&s, k->temporary);
    for (size_t i = 0; i < k->o->given.n; i++) {
        const named_text *option = &k->o->given.at[i];
        if (strcmp(option->name, "isolate") == 0)
            continue; /* the case is in a process of its own */
        suite_put(&s, option->name);
        suite_put(&s, option->text != NULL ? option->text : "");
    }
    suite_put(&s, "");
    for (size_t i = w->at; i < w->end; i++)
        suite_put(&s, k->names.at[i]);
    TRY(strbuf_finish(&s, &text));
    return parcel_finish(&w->request, text, s.n);
}

/* A fresh worker for what is left of the share. */
static status start(suite *k, size_t i) {
    share *w = &k->shares[i];
    arena_free(w->memory);
    w->seen = w->n_seen = 0;
    TRY_ALLOC(w->memory = arena_new(&k->c->memory));
    TRY(parcel_new(w->memory, &w->request));
    TRY(parcel_new(w->memory, &w->answer));
    TRY(write_request(k, w));
    w->begin = clock_ms();
    int error = worker_start(&k->setup, SUITE_JOB, &w->request, &w->answer, &k->workers[i]);
    if (error != 0)
        return diag_error(k->c->diags, STATUS_RESOURCE, "no-worker", DIAG_NOWHERE, "--suite: %s cannot be started: %s",
                          k->setup.program, strerror(error));
    k->n_running++;
    return STATUS_OK;
}

/* Small shares at the end, so that all workers end at about the same time. */
static status hand_out(suite *k, size_t i) {
    size_t left = k->names.n - k->next, n = left / (k->n_workers * 4) + 1;
    if (left == 0)
        return STATUS_OK;
    k->shares[i].at = k->next;
    k->next += n < MOST_SHARE ? n : MOST_SHARE;
    k->shares[i].end = k->next;
    return start(k, i);
}

/* ---- what comes back ---- */

static const suite_verdict verdicts[] = {
    [STATUS_OK] = SUITE_PASS,
    [STATUS_DIFFER] = SUITE_FAIL,
    [STATUS_USAGE] = SUITE_FAIL,
    [STATUS_INVALID] = SUITE_INVALID,
    [STATUS_UNSUPPORTED] = SUITE_UNSUPPORTED,
    [STATUS_RESOURCE] = SUITE_FAIL,
};

/* False where the worker has not written what it should. */
static bool read_case(const char **at, const char *end, const char **fields, status *out) {
    for (int i = 0; i < SUITE_FIELDS; i++)
        if ((fields[i] = suite_take(at, end)) == NULL)
            return false;
    *out = (status)(fields[SUITE_STATUS][0] - '0');
    return *out <= STATUS_RESOURCE && fields[SUITE_STATUS][1] == '\0';
}

/* The cases that the worker has done; w->at moves behind them. */
static status collect(suite *k, share *w) {
    const char *text, *fields[SUITE_FIELDS];
    size_t n;
    status s = parcel_read_text(&w->answer, w->memory, &text, &n), found;
    if (s != STATUS_OK)
        return s == STATUS_INVALID ? STATUS_OK : s;
    for (const char *at = text; w->at < w->end && read_case(&at, text + n, fields, &found); w->at++) {
        suite_case *c = &k->cases[w->at];
        TRY_ALLOC(c->op = arena_strdup(k->a, fields[SUITE_OP]));
        c->is = verdicts[found];
        c->ms = strtod(fields[SUITE_MS], NULL);
        k->ended[w->at] = found;
        k->n_done++;
        if (found == STATUS_OK)
            continue;
        TRY_ALLOC(c->message = arena_strdup(k->a, fields[SUITE_MESSAGE]));
    }
    return STATUS_OK;
}

/* The case at which a worker ended. */
static status blame(suite *k, share *w, const worker_outcome *outcome) {
    suite_case *c = &k->cases[w->at];
    onnx_operator_list ops;
    const char *path = suite_path(w->memory, k->folder, c->name);
    TRY_ALLOC(path);
    TRY_ALLOC(path = arena_printf(w->memory, "%s/model.onnx", path));
    TRY(onnx_operators(path, w->memory, &ops));
    TRY_ALLOC(c->op = arena_strdup(k->a, suite_operator(c->name, ops.at, ops.n)));
    c->is = outcome->fate == WORKER_LATE ? SUITE_TIMEOUT : SUITE_CRASH;
    c->message = outcome->what != NULL ? outcome->what : "ended its process, with status 0, before it was done";
    TRY_ALLOC(c->message = arena_strdup(k->a, c->message));
    c->ms = clock_ms() - w->begin;
    k->ended[w->at++] = STATUS_DIFFER;
    k->n_done++;
    return STATUS_OK;
}

static status finish(suite *k, size_t i, process_end end) {
    share *w = &k->shares[i];
    k->n_running--;
    worker_outcome outcome = worker_judge(&k->setup, end, &w->answer, w->memory);
    TRY(collect(k, w));
    if (w->at < w->end)
        TRY(blame(k, w, &outcome));
    return w->at < w->end ? start(k, i) : hand_out(k, i);
}

/* ---- running ---- */

/* Gives each case its own time: a worker whose answer has grown is at its next one. */
static void look(suite *k) {
    size_t done = k->n_done;
    for (size_t i = 0; i < k->n_workers; i++) {
        share *w = &k->shares[i];
        uint64_t at = k->workers[i].id != 0 ? parcel_read_head(&w->answer).text_at : 0;
        if (at != 0 && at != w->seen) {
            w->seen = at;
            w->n_seen++;
            w->begin = clock_ms();
            k->workers[i].deadline = process_now() + k->setup.seconds + grace;
        }
        done += k->workers[i].id != 0 ? w->n_seen : 0;
    }
    context_progress(k->c, "checking", (int64_t)done, (int64_t)k->names.n);
}

static status run_all(suite *k) {
    for (size_t i = 0; i < k->n_workers; i++)
        TRY(hand_out(k, i));
    while (k->n_running > 0) {
        process_end end;
        int i = process_wait_any(k->workers, k->n_workers, LOOK_MS, &end);
        if (i >= 0)
            TRY(finish(k, (size_t)i, end));
        TRY(context_check_stop(k->c));
        look(k);
    }
    return STATUS_OK;
}

static size_t count_processors(size_t n_cases) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    size_t most = n < 1 ? 1 : n > MOST_WORKERS ? MOST_WORKERS : (size_t)n;
    return most < n_cases ? most : n_cases;
}

/* With a folder for what the cases leave behind, and no worker left at the end. */
static status run_cases(suite *k) {
    size_t n = k->names.n;
    k->n_workers = count_processors(n);
    TRY_ALLOC(k->shares = ARENA_NEW_N(k->a, share, k->n_workers));
    TRY_ALLOC(k->workers = ARENA_NEW_N(k->a, process, k->n_workers));
    TRY_ALLOC(k->cases = ARENA_NEW_N(k->a, suite_case, n));
    TRY_ALLOC(k->ended = ARENA_NEW_N(k->a, status, n));
    for (size_t i = 0; i < n; i++)
        k->cases[i].name = k->names.at[i];
    TRY_ALLOC(k->temporary = files_make_temporary(k->a, k->c->diags));
    status s = run_all(k);
    for (size_t i = 0; i < k->n_workers; i++) {
        process_kill(&k->workers[i]);
        arena_free(k->shares[i].memory);
    }
    files_remove(k->temporary, k->a);
    return s;
}

/* ---- the whole ---- */

/* Where nothing could be tried for one and the same reason, that is the run's: a pass that there is none of, no C
 * compiler. */
static status check_common(const suite *k) {
    status first = k->ended[0];
    if (first != STATUS_USAGE && first != STATUS_RESOURCE)
        return STATUS_OK;
    for (size_t i = 1; i < k->names.n; i++)
        if (k->ended[i] != first || strcmp(k->cases[i].message, k->cases[0].message) != 0)
            return STATUS_OK;
    return diag_error(k->c->diags, first, "suite", DIAG_NOWHERE, "--suite: every case: %s", k->cases[0].message);
}

static status sum_up(const suite *k, const target *machine, arena *a, report *out) {
    const check_limits limits = suite_limits(k->o);
    suite_result r = {.backend = k->o->backend,
                      .target = machine->name,
                      .rtol = limits.rtol,
                      .rtol_bf16 = limits.rtol_bf16,
                      .atol = limits.atol,
                      .cases = k->cases,
                      .n = k->names.n};
    for (size_t i = 0; i < r.n; i++)
        r.n_by[k->cases[i].is]++;
    TRY(suite_report(&r, a, out));
    size_t n_fine = r.n_by[SUITE_PASS] + r.n_by[SUITE_UNSUPPORTED];
    return n_fine < r.n ? STATUS_DIFFER : r.n_by[SUITE_UNSUPPORTED] > 0 ? STATUS_UNSUPPORTED : STATUS_OK;
}

/* What would end cases early, change them, or be said by each. */
static status check_options(const suite *k) {
    static const char *const none[] = {"stop-after", "dump-after", "freeze", "time-passes"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (options_are_given(k->o, none[i]))
            return diag_error(k->c->diags, STATUS_USAGE, "usage", DIAG_NOWHERE,
                              "--%s is for one model, not for --suite", none[i]);
    return STATUS_OK;
}

static status check_suite(suite *k, report *out) {
    const target *machine = target_find(k->o->target != NULL ? k->o->target : "host", k->c->diags);
    if (machine == NULL)
        return STATUS_USAGE;
    TRY(check_options(k));
    TRY(suite_find(k->folder, k->a, k->c->diags, &k->names));
    TRY_ALLOC(k->setup.program = context_program("tenon-worker", k->a));
    TRY(run_cases(k));
    TRY(check_common(k));
    return sum_up(k, machine, k->a, out);
}

TENON_API tenon_status tenon_check_suite(const tenon_options *o, const char *folder, tenon_report **out) {
    size_t errors = context_begin(o->c);
    tenon_report *r = report_new(o->c);
    suite k = {.c = o->c,
               .o = o,
               .folder = folder,
               .setup = {.seconds = (double)o->isolate.seconds, .bytes = (size_t)o->isolate.memory << 20}};
    status s = STATUS_RESOURCE;
    if (r != NULL) {
        k.a = r->memory;
        s = check_suite(&k, &r->forms);
    }
    bool unsupported = s == STATUS_UNSUPPORTED && r->forms.json != NULL;
    tenon_status ended = report_end(o->c, unsupported ? STATUS_OK : s, errors, r, out);
    return unsupported ? TENON_UNSUPPORTED : ended;
}
