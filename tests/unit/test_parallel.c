/* rooms: schedule loop base */
/* Loops for threads: what the addresses prove, against an enumeration of them; and kernels cut into parts, which give
 * the bits of the whole ones. */
#include <stdio.h>

#include "program_support.h"

#include "schedule/parallel.h"
#include "schedule/schedule.h"

enum { MOST_ELEMENTS = 4096, CASES = 20000 };

static uint32_t next(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33);
}

static int64_t between(uint64_t *seed, int64_t low, int64_t high) {
    return low + (int64_t)(next(seed) % (uint64_t)(high - low + 1));
}

static const stmt *find_loop(const kernel *k, const block *body, const char *name) {
    for (const stmt *s = body->first; s != NULL; s = s->next) {
        if (s->kind != STMT_FOR)
            continue;
        if (strcmp(k->vars.at[s->loop.var->ref].name, name) == 0)
            return s;
        const stmt *inside = find_loop(k, &s->loop.body, name);
        if (inside != NULL)
            return inside;
    }
    return NULL;
}

/* Of the loop `name` in the last statement of the kernel. */
static loop_cut cut_of(const kernel *k, arena *a, const char *name) {
    kernel_view v;
    loop_cut cut = CUT_NOWHERE;
    assert_int_equal(kernel_view_of(k, a, &v), STATUS_OK);
    assert_int_equal(loop_cut_of(&v, k->body.last, find_loop(k, &k->body, name), &cut), STATUS_OK);
    return cut;
}

/* ---- what has to be seen, and what must not ---- */

static const struct {
    const char *what, *body, *loop;
    loop_cut cut;
} known[] = {
    {"rows", "for i < 8 { for j < 9 { store y[i*9 + j] = f32(1) } }", "i", CUT_ANYWHERE},
    {"columns", "for i < 8 { for j < 9 { store y[i*9 + j] = f32(1) } }", "j", CUT_ANYWHERE},
    {"rows that overlap", "for i < 8 { for j < 10 { store y[i*9 + j] = f32(1) } }", "i", CUT_NOWHERE},
    {"columns that overlap", "for i < 8 { for j < 10 { store y[i*9 + j] = f32(1) } }", "j", CUT_NOWHERE},
    {"a last block that steps back", "for i < 3 { store y[min(i*8, 14)] = broadcast<8>(f32(1)) }", "i", CUT_BUT_LAST},
    {"blocks that all step back", "for i < 4 { store y[min(i*8, 14)] = broadcast<8>(f32(1)) }", "i", CUT_NOWHERE},
    {"channels within pixels",
     "for p < 5 { for b < 2 { let at: i64 = b*8 store y[p*16 + at] = broadcast<8>(f32(1)) } }", "b", CUT_ANYWHERE},
    {"columns of several rows",
     "for i < 6 { for b < 2 { store y[i*8 + b*100] = broadcast<8>(f32(1)) store y[i*8 + b*100 + 50] = "
     "broadcast<8>(f32(1)) } }",
     "i", CUT_ANYWHERE},
    {"columns into the next row",
     "for i < 7 { for b < 2 { store y[i*8 + b*100] = broadcast<8>(f32(1)) store y[i*8 + b*100 + 50] = "
     "broadcast<8>(f32(1)) } }",
     "i", CUT_NOWHERE},
    {"positions in a border", "for i < 30 { store y[i/5*7 + i%5 + 8] = f32(1) }", "i", CUT_ANYWHERE},
    {"a sum", "for i < 8 { store y[0] = load<f32>(y, 0) + load<f32>(x, i) }", "i", CUT_NOWHERE},
    {"each its own sum", "for k < 3 { for i < 8 { store y[i] = load<f32>(y, i) + load<f32>(x, i*3 + k) } }", "i",
     CUT_ANYWHERE},
    {"the steps of sums", "for k < 3 { for i < 8 { store y[i] = load<f32>(y, i) + load<f32>(x, i*3 + k) } }", "k",
     CUT_NOWHERE},
    {"a neighbour's", "for i < 8 { store y[i] = load<f32>(y, i + 1) }", "i", CUT_NOWHERE},
    {"somebody's", "for i < 8 { store y[load<i64>(z, i)] = f32(1) }", "i", CUT_NOWHERE},
    {"a register from before",
     "reg r: f32[1] set r[0] = f32(0) for i < 8 { set r[0] = r[0] + f32(1) store y[i] = r[0] }", "i", CUT_NOWHERE},
    {"a register of its own", "for i < 8 { reg r: f32[1] set r[0] = load<f32>(x, i) store y[i] = r[0] }", "i",
     CUT_ANYWHERE},
    {"a store outside", "for k < 2 { store y[100] = f32(1) for i < 8 { store y[i] = f32(1) } }", "i", CUT_NOWHERE},
    {"a value from before", "let v: f32 = load<f32>(y, 3) for i < 8 { store y[i] = v }", "i", CUT_NOWHERE},
    {"a constant from before", "let v: f32 = load<f32>(x, 3) for i < 8 { store y[i] = v }", "i", CUT_ANYWHERE},
    {"a check", "for i < 8 { check ne(load<f32>(x, i), f32(0)), 9 store y[i] = f32(1) }", "i", CUT_NOWHERE},
    {"every other", "for i < 8 { store y[ramp<4, 2>(i*8)] = broadcast<4>(f32(1)) }", "i", CUT_ANYWHERE},
    {"lanes between lanes", "for i < 8 { store y[ramp<4, 2>(i)] = broadcast<4>(f32(1)) }", "i", CUT_NOWHERE},
};

static void parallel_knows_what_is_independent(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        arena *a = arena_new(&allocator_system);
        char text[2000];
        snprintf(text, sizeof text,
                 "program p target \"x86-64-v3\" arena 0 { input x: f32[256] input z: i64[256] output y: f32[256] "
                 "kernel k(x: f32[256] read, z: i64[256] read, y: f32[256] readwrite) { %s } step k(x, z, y) }",
                 known[i].body);
        loop_cut cut = cut_of(parse(a, text)->kernels.at[0], a, known[i].loop);
        if (cut != known[i].cut)
            fail_msg("%s: %d instead of %d", known[i].what, (int)cut, (int)known[i].cut);
        arena_free(a);
    }
}

/* ---- against all addresses ---- */

/* An address of i, j and k, each below extent[]. */
typedef struct form {
    int64_t extent[3], coef[3], constant, lanes;
    int shape[3]; /* 0: v; 1: min(v*part, rest); 2: v/part*step + v%part */
    int64_t part[3], rest[3], step[3];
} form;

static int64_t atom(const form *f, int v, int64_t x) {
    int64_t stepped = x * f->part[v];
    return f->shape[v] == 0   ? x
           : f->shape[v] == 1 ? (stepped < f->rest[v] ? stepped : f->rest[v])
                              : x / f->part[v] * f->step[v] + x % f->part[v];
}

static void spell(const form *f, int v, char *to, size_t bytes) {
    const char name = "ijk"[v];
    long long coef = f->coef[v], part = f->part[v], rest = f->rest[v], step = f->step[v];
    if (f->shape[v] == 0)
        snprintf(to, bytes, "%c*%lld", name, coef);
    else if (f->shape[v] == 1)
        snprintf(to, bytes, "min(%c*%lld, %lld)*%lld", name, part, rest, coef);
    else
        snprintf(to, bytes, "%c/%lld*%lld + %c%%%lld*%lld", name, part, step * coef, name, part, coef);
}

/* Coefficients are mostly those of dense tensors, in any order. */
static form random_form(uint64_t *seed) {
    form f = {.constant = between(seed, 0, 3), .lanes = between(seed, 0, 2) * 4};
    int64_t stride = f.lanes > 0 ? f.lanes : 1;
    int order[3] = {0, 1, 2}, swap = (int)between(seed, 0, 2), at = order[swap];
    order[swap] = order[0];
    order[0] = at;
    for (int n = 0; n < 3; n++) {
        int v = order[n];
        f.extent[v] = between(seed, 2, 6);
        f.shape[v] = (int)between(seed, 0, 4) % 3;
        f.part[v] = between(seed, 1, 4);
        f.rest[v] = between(seed, (f.extent[v] - 2) * f.part[v], (f.extent[v] - 1) * f.part[v]);
        f.step[v] = f.part[v] + between(seed, 0, 1);
        f.coef[v] = next(seed) % 4 == 0 ? stride - between(seed, 0, 1) : stride;
        stride = f.coef[v] * (atom(&f, v, f.extent[v] - 1) + 1) + (next(seed) % 3 == 0 ? between(seed, 0, 2) : 0);
        if (stride < 1)
            stride = 1;
        if (stride > 300)
            stride = between(seed, 1, 300);
    }
    return f;
}

/* Do iterations x and y of variable v touch an element together? */
static bool meet(const form *f, int v, int64_t x, int64_t y) {
    static uint8_t seen[MOST_ELEMENTS];
    memset(seen, 0, sizeof seen);
    int a = (v + 1) % 3, b = (v + 2) % 3;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < f->extent[a]; i++)
            for (int64_t j = 0; j < f->extent[b]; j++) {
                int64_t at = f->constant + f->coef[v] * atom(f, v, pass == 0 ? x : y) + f->coef[a] * atom(f, a, i) +
                             f->coef[b] * atom(f, b, j);
                for (int64_t lane = 0; lane < (f->lanes > 0 ? f->lanes : 1); lane++) {
                    if (pass == 1 && seen[at + lane])
                        return true;
                    seen[at + lane] |= pass == 0;
                }
            }
    return false;
}

static loop_cut true_cut(const form *f, int v) {
    loop_cut cut = CUT_ANYWHERE;
    for (int64_t x = 0; x < f->extent[v]; x++)
        for (int64_t y = x + 1; y < f->extent[v]; y++)
            if (meet(f, v, x, y))
                cut = x == f->extent[v] - 2 && cut != CUT_NOWHERE ? CUT_BUT_LAST : CUT_NOWHERE;
    return cut;
}

static bool fits(const form *f) {
    int64_t most = f->constant + f->lanes + 1;
    for (int v = 0; v < 3; v++)
        most += f->coef[v] * atom(f, v, f->extent[v] - 1);
    return most < MOST_ELEMENTS;
}

static kernel *kernel_of(const form *f, arena *a) {
    char text[1000], terms[3][100], value[60] = "f32(1)";
    for (int v = 0; v < 3; v++)
        spell(f, v, terms[v], sizeof terms[v]);
    if (f->lanes > 0)
        snprintf(value, sizeof value, "broadcast<%lld>(f32(1))", (long long)f->lanes);
    snprintf(text, sizeof text,
             "program p target \"x86-64-v3\" arena 0 { output y: f32[%d] kernel k(y: f32[%d] write) { for i < %lld { "
             "for j < %lld { for k < %lld { store y[%s + %s + %s + %lld] = %s } } } } step k(y) }",
             MOST_ELEMENTS, MOST_ELEMENTS, (long long)f->extent[0], (long long)f->extent[1], (long long)f->extent[2],
             terms[0], terms[1], terms[2], (long long)f->constant, value);
    return parse(a, text)->kernels.at[0];
}

static void parallel_claims_only_what_is_so(void **state) {
    (void)state;
    uint64_t seed = 7;
    int proven = 0, so = 0;
    for (int n = 0; n < CASES; n++) {
        form f = random_form(&seed);
        if (!fits(&f))
            continue;
        arena *a = arena_new(&allocator_system);
        const kernel *k = kernel_of(&f, a);
        for (int v = 0; v < 3; v++) {
            loop_cut claimed = cut_of(k, a, (const char *[]){"i", "j", "k"}[v]), truth = true_cut(&f, v);
            if (claimed > truth) {
                loop_dump(k);
                fail_msg("loop %c: %d is claimed, %d is so", "ijk"[v], (int)claimed, (int)truth);
            }
            proven += claimed == CUT_ANYWHERE;
            so += truth == CUT_ANYWHERE;
        }
        arena_free(a);
    }
    print_message("# of %d independent loops %d are proven\n", so, proven);
    assert_true(proven * 10 > so * 8);
}

/* ---- cutting ---- */

/* y = exp-like work over a block of rows, the last of which steps back; %d rows of 20 columns. */
static const char *const worked =
    "program p target \"x86-64-v3\" arena 0 { input x: f32[20000] output y: f32[20000] "
    "kernel k(x: f32[20000] read, y: f32[20000] write) { let c: f32x4 = load<f32x4>(x, 0) "
    "for b < %d { let first: i64 = min(b*4, %d) for r < 4 { for t < 5 { let at: i64 = (first + r)*20 + t*4 "
    "reg s: f32x4[1] set s[0] = c for n < 30 { set s[0] = s[0] * load<f32x4>(x, at) + c } store y[at] = s[0] } } } } "
    "step k(x, y) }";

static program *work_of(arena *a, int rows) {
    char text[1000];
    snprintf(text, sizeof text, worked, (rows + 3) / 4, rows - 4);
    return parse(a, text);
}

static float *run(const program *p, arena *a) {
    float *x = ARENA_NEW_N(a, float, 20000), *y = ARENA_NEW_N(a, float, 20000);
    void *memory = arena_alloc(a, (size_t)p->arena_bytes + 256);
    interp *m = NULL;
    int code = -1;
    for (int i = 0; i < 20000; i++)
        x[i] = (float)(i % 1013) / 1024;
    assert_int_equal(interp_new(p, a, &m), STATUS_OK);
    assert_int_equal(interp_run(m, (const void *const[]){x}, (void *const[]){y}, memory, &code), STATUS_OK);
    assert_int_equal(code, 0);
    return y;
}

static void parallel_parts_give_the_same_bits(void **state) {
    (void)state;
    for (int rows = 990; rows < 998; rows++) {
        arena *a = arena_new(&allocator_system);
        const float *want = run(work_of(a, rows), a);
        for (int threads = 2; threads < 9; threads++) {
            program *p = work_of(a, rows);
            diag *d = diag_new(&allocator_system);
            assert_int_equal(schedule_parallel(p, threads), STATUS_OK);
            assert_int_equal(program_verify(p, d), STATUS_OK);
            assert_non_null(kernel_parts(p->kernels.at[0]));
            assert_int_equal(p->threads, threads);
            assert_memory_equal(run(p, a), want, 20000 * sizeof(float));
            diag_free(d);
        }
        arena_free(a);
    }
}

/* The parts of 990 rows must not end between the last two blocks, which share two rows. */
static void parallel_keeps_the_last_blocks_together(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    const char *text = "program p target \"x86-64-v3\" arena 0 { input x: f32[64] output y: f32[64] "
                       "kernel k(x: f32[64] read, y: f32[64] write) { for b < 3 { let first: i64 = min(b*4, 6) "
                       "reg s: f32x4[1] set s[0] = load<f32x4>(x, first) for n < 40000 { set s[0] = s[0] + "
                       "load<f32x4>(x, first) } store y[first] = s[0] } } step k(x, y) }";
    program *p = parse(a, text);
    assert_int_equal(schedule_parallel(p, 3), STATUS_OK);
    const stmt *parts = kernel_parts(p->kernels.at[0]);
    assert_non_null(parts);
    assert_int_equal(parts->loop.extent->imm, 2);
    arena_free(a);
}

/* Blocks with a scratch: as many parts as threads, each with a copy in the arena. */
static void parallel_copies_scratch(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    const char *text =
        "program p target \"x86-64-v3\" arena 320 { input x: f32[20000] output y: f32[20000] arena t: f32[80] at 0 "
        "kernel k(x: f32[20000] read, y: f32[20000] write, t: f32[80] scratch) { for b < 250 { for n < 9 { for j < 20 "
        "{ store t[j*4] = load<f32x4>(x, b*80 + j*4) * load<f32x4>(x, n*4) } } for i < 20 { store y[b*80 + i*4] = "
        "load<f32x4>(t, i*4) + load<f32x4>(x, 0) } } } step k(x, y, t) }";
    program *p = parse(a, text), *whole = parse(a, text);
    diag *d = diag_new(&allocator_system);
    assert_int_equal(schedule_parallel(p, 3), STATUS_OK);
    assert_non_null(kernel_parts(p->kernels.at[0]));
    assert_int_equal(kernel_parts(p->kernels.at[0])->loop.extent->imm, 3);
    assert_int_equal(p->kernels.at[0]->buffers.at[2].n, 80);
    assert_int_equal(p->buffers.at[2].n, 3 * 80);
    assert_int_equal(plan_memory(p, NULL), STATUS_OK);
    assert_int_equal(program_verify(p, d), STATUS_OK);
    assert_memory_equal(run(p, a), run(whole, a), 20000 * sizeof(float));
    diag_free(d);
    arena_free(a);
}

/* ---- how threads divide what they hand on ---- */

static const struct {
    const char *what, *body, *loop;
    double part;
    int64_t period;
} gone_through[] = {
    {"all of it", "for i < 32 { for j < 8 { store y[i*8 + j] = f32(1) } }", "i", 1, 256},
    {"half of it", "for i < 16 { for j < 8 { store y[i*8 + j] = f32(1) } }", "i", 0.5, 256},
    {"columns", "for i < 32 { for j < 8 { store y[i*8 + j] = f32(1) } }", "j", 1, 8},
    {"the same for all", "for i < 8 { store y[0] = f32(1) }", "i", 0, 0},
    {"tiles of several points",
     "for i < 4 { store y[i*8] = broadcast<8>(f32(1)) store y[i*8 + 32] = "
     "broadcast<8>(f32(2)) store y[i*8 + 64] = broadcast<8>(f32(3)) }",
     "i", 1, 32},
    {"channels of pixels", "for p < 5 { for b < 2 { store y[p*16 + b*8] = broadcast<8>(f32(1)) } }", "b", 1, 16},
};

static void parallel_sees_who_goes_where(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof gone_through / sizeof *gone_through; i++) {
        arena *a = arena_new(&allocator_system);
        char text[2000];
        snprintf(text, sizeof text,
                 "program p target \"x86-64-v3\" arena 0 { output y: f32[256] kernel k(y: f32[256] write) { %s } step "
                 "k(y) }",
                 gone_through[i].body);
        const kernel *k = parse(a, text)->kernels.at[0];
        kernel_view v;
        loop_share share = {0};
        assert_int_equal(kernel_view_of(k, a, &v), STATUS_OK);
        assert_int_equal(loop_shares_of(&v, k->body.last, find_loop(k, &k->body, gone_through[i].loop), &share),
                         STATUS_OK);
        if (share.period != gone_through[i].period || share.part < gone_through[i].part - 0.01 ||
            share.part > gone_through[i].part + 0.01)
            fail_msg("%s: %g of %lld", gone_through[i].what, share.part, (long long)share.period);
        arena_free(a);
    }
}

/* Eight points of 128 tiles are written tile by tile. The products, whose outermost loop is that of the points, have to
 * be divided by tiles, too. */
static void parallel_reads_what_it_wrote(void **state) {
    (void)state;
    const char *text =
        "program p target \"x86-64-v3\" arena 262144 { input x: f32[8192] output y: f32[65536] arena t: f32[65536] at "
        "0 "
        "kernel data(x: f32[8192] read, t: f32[65536] write) { for i < 128 { for j < 8 { let at: i64 = i*64 + j*8 "
        "reg s: f32x8[1] set s[0] = load<f32x8>(x, at) for n < 90 { set s[0] = s[0] * load<f32x8>(x, at) } store t[at] "
        "= "
        "s[0] store t[at + 8192] = s[0] store t[at + 16384] = s[0] store t[at + 24576] = s[0] store t[at + 32768] = "
        "s[0] "
        "store t[at + 40960] = s[0] store t[at + 49152] = s[0] store t[at + 57344] = s[0] } } } "
        "kernel product(t: f32[65536] read, y: f32[65536] write) { for q < 8 { for i < 128 { let at: i64 = q*8192 + "
        "i*64 "
        "for j < 8 { reg s: f32x8[1] set s[0] = broadcast<8>(f32(0)) for n < 64 { set s[0] = s[0] + "
        "broadcast<8>(load<f32>(t, at + n)) } store y[at + j*8] = s[0] } } } } step data(x, t) step product(t, y) }";
    arena *a = arena_new(&allocator_system);
    program *p = parse(a, text);
    strbuf after = strbuf_in(a);
    assert_int_equal(schedule_parallel(p, 2), STATUS_OK);
    program_print(p, &after);
    assert_non_null(kernel_parts(p->kernels.at[0]));
    assert_non_null(kernel_parts(p->kernels.at[1]));
    if (strstr(after.text, "for i < 128") != NULL || strstr(after.text, "let q") != NULL)
        fail_msg("%s", after.text);
    arena_free(a);
}

static void parallel_leaves_small_kernels_alone(void **state) {
    (void)state;
    arena *a = arena_new(&allocator_system);
    program *p = work_of(a, 12);
    strbuf before = strbuf_in(a), after = strbuf_in(a);
    program_print(p, &before);
    assert_int_equal(schedule_parallel(p, 4), STATUS_OK);
    program_print(p, &after);
    assert_string_equal(after.text, before.text);
    arena_free(a);
}

static void parallel_survives_failing_allocations(void **state) {
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        test_memory m = {0};
        allocator from = {test_memory_resize, &m};
        arena *a = arena_new(&from);
        program *p = work_of(a, 990);
        m.fail_at = m.calls + n;
        status s = schedule_parallel(p, 4);
        failed = test_memory_has_failed(&m);
        assert_int_equal(s, failed ? STATUS_RESOURCE : STATUS_OK);
        arena_free(a);
        assert_int_equal(m.live_blocks, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parallel_knows_what_is_independent),
        cmocka_unit_test(parallel_claims_only_what_is_so),
        cmocka_unit_test(parallel_parts_give_the_same_bits),
        cmocka_unit_test(parallel_keeps_the_last_blocks_together),
        cmocka_unit_test(parallel_copies_scratch),
        cmocka_unit_test(parallel_sees_who_goes_where),
        cmocka_unit_test(parallel_reads_what_it_wrote),
        cmocka_unit_test(parallel_leaves_small_kernels_alone),
        cmocka_unit_test(parallel_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
