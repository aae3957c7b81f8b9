/* rooms: schedule loop base */
/* The memory planner: random lifetimes never overlap, plans that are known to exist are found, regions hold what they
 * may hold, results take the place of operands only where the bits stay, the order of steps needs no more. */
#include "program_support.h"

#include "schedule/schedule.h"

enum { RANDOM_PROGRAMS = 400, MOST_BUFFERS = 60, MOST_STEPS = 40 };

static int setup(void **state) {
    *state = arena_new(&allocator_system);
    return *state == NULL;
}

static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

/* ---- programs of lifetimes alone ---- */

typedef struct life {
    int64_t bytes;
    int first, last;
} life;

static uint32_t next_random(uint64_t *r) {
    *r = *r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*r >> 33);
}

/* A program whose step s touches the buffers that begin or end there. */
static program *program_of(arena *a, const life *lives, int n, int n_steps) {
    program *p = ARENA_NEW(a, program);
    assert_non_null(p);
    *p = (program){.memory = a, .name = "p", .target = target_find("generic", NULL)};
    for (int i = 0; i < n; i++) {
        program_buffer b = {
            .name = arena_printf(a, "t%d", i), .elem = DT_U8, .n = lives[i].bytes, .place = PLACE_ARENA};
        assert_int_equal(VEC_PUSH(a, p->buffers, b), STATUS_OK);
    }
    for (int s = 0; s < n_steps; s++) {
        kernel *k = ARENA_NEW(a, kernel);
        step_arg *args = ARENA_NEW_N(a, step_arg, n + 1);
        assert_true(k != NULL && args != NULL);
        k->name = arena_printf(a, "k%d", s);
        for (int i = 0; i < n; i++) {
            if (s != lives[i].first && s != lives[i].last)
                continue;
            kernel_buffer b = {arena_printf(a, "b%d", i), DT_U8, lives[i].bytes, ACCESS_READ_WRITE};
            args[k->buffers.n] = (step_arg){i, 0};
            assert_int_equal(VEC_PUSH(a, k->buffers, b), STATUS_OK);
        }
        assert_int_equal(VEC_PUSH(a, p->kernels, k), STATUS_OK);
        assert_int_equal(VEC_PUSH(a, p->steps, (program_step){.kernel = s, .args = args, .node = -1}), STATUS_OK);
    }
    return p;
}

static int random_lives(uint64_t *r, life *out, int *out_steps) {
    int n = 1 + (int)(next_random(r) % MOST_BUFFERS);
    *out_steps = 1 + (int)(next_random(r) % MOST_STEPS);
    for (int i = 0; i < n; i++) {
        int first = (int)(next_random(r) % (uint32_t)*out_steps), length = (int)(next_random(r) % 8);
        int last = first + length < *out_steps ? first + length : *out_steps - 1;
        out[i] = (life){next_random(r) % (next_random(r) % 4 == 0 ? 100000 : 2000), first, last};
    }
    return n;
}

static void is_a_plan(const program *p, const life *lives, int n) {
    for (int i = 0; i < n; i++) {
        const program_buffer *x = &p->buffers.at[i];
        assert_int_equal(x->offset % PLAN_ALIGN, 0);
        assert_true(x->offset >= 0 && x->offset + x->n <= p->arena_bytes);
        for (int j = 0; j < i; j++) {
            const program_buffer *y = &p->buffers.at[j];
            bool lives_with = lives[i].first <= lives[j].last && lives[j].first <= lives[i].last;
            assert_true(!lives_with || x->offset + x->n <= y->offset || y->offset + y->n <= x->offset);
        }
    }
}

/* Orders alone find the best plan for 353 of these programs, and need up to 11 % more than the bound. */
static void random_lifetimes_never_overlap(void **state) {
    uint64_t r = 7;
    int best = 0;
    (void)state;
    for (int t = 0; t < RANDOM_PROGRAMS; t++) {
        life lives[MOST_BUFFERS];
        int n_steps, n = random_lives(&r, lives, &n_steps);
        arena *a = arena_new(&allocator_system);
        int64_t least;
        program *p = program_of(a, lives, n, n_steps);
        assert_int_equal(plan_memory(p, NULL), STATUS_OK);
        assert_int_equal(plan_lower_bound(p, &least), STATUS_OK);
        is_a_plan(p, lives, n);
        assert_true(p->arena_bytes >= least);
        assert_true(p->arena_bytes <= least + least / 50);
        best += p->arena_bytes == least;
        assert_int_equal(p->regions.n, 0);
        arena_free(a);
    }
    assert_true(best >= 395);
}

static void the_same_program_gets_the_same_plan(void **state) {
    uint64_t r = 99;
    life lives[MOST_BUFFERS];
    int n_steps, n = random_lives(&r, lives, &n_steps);
    program *p = program_of(*state, lives, n, n_steps), *q = program_of(*state, lives, n, n_steps);
    assert_int_equal(plan_memory(p, NULL), STATUS_OK);
    assert_int_equal(plan_memory(q, NULL), STATUS_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(p->buffers.at[i].offset, q->buffers.at[i].offset);
}

/* ---- regions ---- */

static memory_regions regions_of(arena *a, const memory_region *at, size_t n) {
    memory_regions list = {0};
    for (size_t i = 0; i < n; i++)
        assert_int_equal(VEC_PUSH(a, list, at[i]), STATUS_OK);
    return list;
}

static void regions_follow_each_other(const program *p) {
    int64_t end = 0;
    for (size_t i = 0; i < p->regions.n; i++) {
        const program_region *x = &p->regions.at[i];
        assert_int_equal(x->start, end);
        assert_int_equal(x->bytes % PLAN_ALIGN, 0);
        assert_true(i + 1 == p->regions.n || x->bytes <= x->limit);
        end += x->bytes;
    }
    assert_int_equal(end, p->arena_bytes);
    for (size_t i = 0; i < p->buffers.n; i++) {
        const program_buffer *b = &p->buffers.at[i];
        const program_region *x = &p->regions.at[program_region_of(p, b)];
        assert_true(b->n == 0 || (b->offset >= x->start && b->offset + b->n <= x->start + x->bytes));
    }
}

static void random_lifetimes_lie_in_regions(void **state) {
    uint64_t r = 8;
    (void)state;
    for (int t = 0; t < RANDOM_PROGRAMS; t++) {
        life lives[MOST_BUFFERS];
        int n_steps, n = random_lives(&r, lives, &n_steps);
        arena *a = arena_new(&allocator_system);
        const memory_region at[] = {{"a", next_random(&r) % 5000}, {"b", next_random(&r) % 50000}, {"c", 1 << 20}};
        memory_regions list = regions_of(a, at, 1 + next_random(&r) % 3);
        program *p = program_of(a, lives, n, n_steps);
        assert_int_equal(plan_memory(p, &list), STATUS_OK);
        assert_int_equal(p->regions.n, list.n);
        is_a_plan(p, lives, n);
        regions_follow_each_other(p);
        arena_free(a);
    }
}

static void what_fits_into_the_first_region_lies_there(void **state) {
    static const life lives[] = {{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}};
    static const memory_region at[] = {{"fast", 2048}, {"slow", 4096}};
    memory_regions list = regions_of(*state, at, 2);
    program *p = program_of(*state, lives, 3, 4);
    assert_int_equal(plan_memory(p, &list), STATUS_OK);
    assert_int_equal(p->regions.at[0].bytes, 2048);
    assert_int_equal(p->regions.at[1].bytes, 0);
}

/* Text of a program of kernels that copy the whole of a buffer. */
#define COPY(name, n)                                                                                                  \
    "kernel " name "(y: f32[" n "] write, x: f32[" n "] read) {\n"                                                     \
    "  for i < " n " { store y[i] = load<f32>(x, i) }\n}\n"

/* t1 is read four times, t2 once, and they live together. */
static void what_is_read_most_lies_in_the_first_region(void **state) {
    program *p =
        parse(*state, "program p target \"generic\" arena 1024 {\n"
                      "input in \"in\": f32[64]\n"
                      "output o1 \"o1\": f32[64]\noutput o2 \"o2\": f32[64]\noutput o3 \"o3\": f32[64]\n"
                      "output o4 \"o4\": f32[64]\noutput o5 \"o5\": f32[64]\n"
                      "arena t2: f32[64] at 0\narena t1: f32[64] at 256\n" COPY(
                          "k", "64") "step k(t2, in)\nstep k(t1, in)\nstep k(o1, t1)\nstep k(o2, t1)\nstep k(o3, t1)\n"
                                     "step k(o4, t1)\nstep k(o5, t2)\n}\n");
    static const memory_region at[] = {{"fast", 300}, {"slow", 4096}};
    memory_regions list = regions_of(*state, at, 2);
    assert_int_equal(plan_memory(p, &list), STATUS_OK);
    assert_int_equal(p->buffers.at[7].offset, 0);
    assert_int_equal(p->buffers.at[6].offset, 256);
    assert_int_equal(p->regions.at[0].bytes, 256);
    assert_int_equal(p->regions.at[1].bytes, 256);
}

static void what_no_region_holds_lies_in_the_last(void **state) {
    static const life lives[] = {{1000, 0, 1}, {3000, 0, 1}};
    static const memory_region at[] = {{"fast", 1024}, {"slow", 512}};
    memory_regions list = regions_of(*state, at, 2);
    program *p = program_of(*state, lives, 2, 2);
    assert_int_equal(plan_memory(p, &list), STATUS_OK);
    assert_int_equal(p->regions.at[0].bytes, 1024);
    assert_int_equal(p->regions.at[1].bytes, 3008);
}

static void programs_with_regions_print_and_parse(void **state) {
    static const char text[] = "program p target \"generic\" arena 512 {\n"
                               "  region fast limit 300 at 0 bytes 256\n  region slow limit 4096 at 256 bytes 256\n"
                               "  input in \"in\": f32[64]\n  output out \"out\": f32[64]\n"
                               "  arena t: f32[64] at 256\n";
    const char *rest = COPY("k", "64") "step k(t, in)\nstep k(out, t)\n}\n", *printed;
    char *whole = arena_printf(*state, "%s%s", text, rest);
    strbuf s = strbuf_in(*state);
    program_print(parse(*state, whole), &s);
    assert_int_equal(strbuf_finish(&s, &printed), STATUS_OK);
    assert_memory_equal(printed, text, sizeof text - 1);
    static const char *const wrong[] = {"at 0 bytes 255", "at 0 bytes 192", "at 64 bytes 256", "at 0 bytes 448"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        diag *d = diag_new(&allocator_system);
        program *p = NULL;
        char *at = strstr(whole, "at 0 bytes 256");
        char *changed = arena_printf(*state, "%.*s%s%s", (int)(at - whole), whole, wrong[i], at + 14);
        status got = program_parse(changed, strlen(changed), "t", *state, d, NULL, NULL, &p);
        assert_int_equal(got, STATUS_INVALID);
        diag_free(d);
    }
}

/* ---- in place ---- */

enum { N = 40 };

static void run(program *p, const float *in, float *out) {
    diag *d = diag_new(&allocator_system);
    interp *m;
    int code;
    assert_int_equal(plan_memory(p, NULL), STATUS_OK);
    assert_int_equal(program_verify(p, d), STATUS_OK);
    assert_int_equal(interp_new(p, p->memory, &m), STATUS_OK);
    char *scratch = arena_alloc(p->memory, (size_t)p->arena_bytes + 64);
    scratch += (64 - (uintptr_t)scratch % 64) % 64;
    const void *inputs[] = {in};
    void *outputs[] = {out};
    assert_int_equal(interp_run(m, inputs, outputs, scratch, &code), STATUS_OK);
    assert_int_equal(code, 0);
    diag_free(d);
}

/* in -> a, a -> b by `body`, b -> out; the same bits with and without sharing. Gives whether a and b became one. */
static bool shares(arena *memory, const char *body) {
    float in[N], want[N], got[N];
    char *text = arena_printf(memory,
                              "program p target \"x86-64-v3\" arena 512 {\ninput in \"in\": f32[40]\n"
                              "output out \"out\": f32[40]\narena a: f32[40] at 0\narena b: f32[40] at 192\n" COPY(
                                  "k0", "40") "kernel k1(y: f32[40] write, x: f32[40] read) {\n%s\n}\n"
                                              "step k0(a, in)\nstep k1(b, a)\nstep k0(out, b)\n}\n",
                              body);
    for (int i = 0; i < N; i++)
        in[i] = (float)(i * 7 % 11) - 3;
    run(parse(memory, text), in, want);
    program *p = parse(memory, text);
    assert_int_equal(share_in_place(p), STATUS_OK);
    run(p, in, got);
    assert_memory_equal(got, want, sizeof want);
    assert_int_equal(p->arena_bytes, p->kernels.n == 3 ? 192 : 384);
    return p->kernels.n == 3;
}

static void results_take_the_place_of_operands(void **state) {
    static const char *const good[] = {
        "for i < 40 { store y[i] = load<f32>(x, i) * load<f32>(x, i) }",
        "for i < 5 { store y[i*8] = load<f32x8>(x, i*8) + load<f32x8>(x, i*8) }",
        "for i < 4 { for j < 10 { store y[j*4 + i] = f32(1) - load<f32>(x, j*4 + i) } }",
        /* a row is read as a whole before it is written: softmax and the like */
        ("for i < 5 { reg s: f32[1]  set s[0] = f32(0)  for j < 8 { set s[0] = s[0] + load<f32>(x, i*8 + j) }\n"
         "for k < 8 { store y[i*8 + k] = load<f32>(x, i*8 + k) - s[0] } }"),
        /* towards the front, what has been read */
        "for i < 39 { store y[i] = load<f32>(x, i + 1) }  store y[39] = f32(0)",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(shares(*state, good[i]));
}

static void results_that_need_their_operands_do_not(void **state) {
    static const char *const bad[] = {
        "for i < 40 { store y[39 - i] = load<f32>(x, i) }",
        "for i < 39 { store y[i + 1] = load<f32>(x, i) }  store y[0] = f32(0)",
        /* the last block steps back, and computes elements twice */
        ("for i < 7 { let at: i64 = min(i*6, 34)\n"
         "for j < 6 { store y[at + j] = load<f32>(x, at + j) + f32(1) } }"),
        /* the sum of all is needed for each */
        ("for i < 40 { reg s: f32[1]  set s[0] = f32(0)  for j < 40 { set s[0] = s[0] + load<f32>(x, j) }\n"
         "store y[i] = s[0] }"),
        /* an address that only the data know */
        "for i < 40 { store y[i] = load<f32>(x, min(max(cast<i64>(load<f32>(x, i)), 0), 39)) }",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(shares(*state, bad[i]));
}

/* a is read again afterwards; b is larger; b is there before. */
static void operands_that_live_on_keep_their_place(void **state) {
    static const char *const texts[] = {
        "arena a: f32[40] at 0\narena b: f32[40] at 192\n" COPY(
            "k0", "40") "step k0(a, in)\nstep k0(b, a)\nstep k0(out, b)\nstep k0(out2, a)\n}\n",
        "arena a: f32[40] at 0\narena b: f32[48] at 192\n" COPY(
            "k0", "40") "step k0(a, in)\nstep k0(b, a)\nstep k0(out, b)\nstep k0(out2, in)\n}\n",
        "arena a: f32[40] at 0\narena b: f32[40] at 192\n" COPY(
            "k0", "40") "step k0(b, in)\nstep k0(a, in)\nstep k0(b, a)\nstep k0(out, b)\nstep k0(out2, in)\n}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        program *p = parse(*state, arena_printf(*state,
                                                "program p target \"generic\" arena 512 {\ninput in \"in\": f32[40]\n"
                                                "output out \"out\": f32[40]\noutput out2 \"out2\": f32[40]\n%s",
                                                texts[i]));
        assert_int_equal(share_in_place(p), STATUS_OK);
        assert_int_equal(p->kernels.n, 1);
    }
}

/* ---- the order of steps ---- */

/* Two large values that are made at once and each read into a small one: one after the other is enough. */
static const char branches[] =
    "program p target \"generic\" arena 4096 {\ninput in \"in\": f32[256]\noutput out \"out\": f32[1]\n"
    "arena a: f32[256] at 0\narena b: f32[256] at 1024\narena s: f32[1] at 2048\narena t: f32[1] at 2112\n" COPY(
        "copy",
        "256") "kernel first(y: f32[1] write, x: f32[256] read) { store y[0] = load<f32>(x, 3) }\n"
               "kernel add(y: f32[1] write, x: f32[1] read, z: f32[1] read) {\n"
               "  store y[0] = load<f32>(x, 0) + load<f32>(z, 0)\n}\n"
               "step copy(a, in)\nstep copy(b, in)\nstep first(s, a)\nstep first(t, b)\nstep add(out, s, t)\n}\n";

static void steps_come_in_an_order_that_needs_less(void **state) {
    const int *order;
    program *p = parse(*state, branches);
    int64_t before, after;
    assert_int_equal(plan_lower_bound(p, &before), STATUS_OK);
    assert_int_equal(order_steps(p, *state, &order), STATUS_OK);
    assert_non_null(order);
    program_step *steps = arena_copy(*state, p->steps.at, p->steps.n * sizeof *steps);
    for (size_t i = 0; i < p->steps.n; i++)
        p->steps.at[i] = steps[order[i]];
    assert_int_equal(plan_lower_bound(p, &after), STATUS_OK);
    assert_int_equal(before, 2048 + 64);
    assert_int_equal(after, 1024 + 128);
    assert_int_equal(order_steps(p, *state, &order), STATUS_OK);
    assert_null(order); /* nothing better */
}

static bool touches(const program *p, int step, int buffer, unsigned access) {
    const program_step *s = &p->steps.at[step];
    const kernel *k = p->kernels.at[s->kernel];
    for (size_t i = 0; i < k->buffers.n; i++)
        if (s->args[i].buffer == buffer && ((unsigned)k->buffers.at[i].access & access) != 0)
            return true;
    return false;
}

static void the_order_keeps_what_depends(void **state) {
    uint64_t r = 5;
    (void)state;
    for (int t = 0; t < RANDOM_PROGRAMS; t++) {
        life lives[MOST_BUFFERS];
        int n_steps, n = random_lives(&r, lives, &n_steps);
        const int *order = NULL;
        arena *a = arena_new(&allocator_system);
        program *p = program_of(a, lives, n, n_steps);
        for (int s = 0; s < n_steps; s++)
            for (size_t i = 0; i < p->kernels.at[s]->buffers.n; i++)
                p->kernels.at[s]->buffers.at[i].access = next_random(&r) % 2 == 0 ? ACCESS_READ : ACCESS_WRITE;
        assert_int_equal(order_steps(p, a, &order), STATUS_OK);
        for (int i = 0; order != NULL && i < n_steps; i++)
            for (int j = 0; j < i; j++)
                for (int b = 0; b < n && order[j] > order[i]; b++)
                    assert_false(
                        (touches(p, order[i], b, ACCESS_WRITE) && touches(p, order[j], b, ACCESS_READ_WRITE)) ||
                        (touches(p, order[j], b, ACCESS_WRITE) && touches(p, order[i], b, ACCESS_READ_WRITE)));
        arena_free(a);
    }
}

/* ---- without memory ---- */

static status work(const allocator *from, void *ctx) {
    (void)ctx;
    arena *a = arena_new(from);
    diag *d = diag_new(from);
    program *p = NULL;
    const int *order;
    memory_regions list = {0};
    status s = a == NULL || d == NULL ? STATUS_RESOURCE : STATUS_OK;
    if (s == STATUS_OK)
        s = program_parse(branches, sizeof branches - 1, "t", a, d, NULL, NULL, &p);
    if (s == STATUS_OK)
        s = order_steps(p, a, &order);
    if (s == STATUS_OK)
        s = share_in_place(p);
    if (s == STATUS_OK)
        s = VEC_PUSH(a, list, (memory_region){"a", 512});
    if (s == STATUS_OK)
        s = VEC_PUSH(a, list, (memory_region){"b", 4096});
    if (s == STATUS_OK)
        s = plan_memory(p, &list);
    diag_free(d);
    arena_free(a);
    return s;
}

static void it_survives_each_failing_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(work, NULL) > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lifetimes_never_overlap),
        cmocka_unit_test_setup_teardown(the_same_program_gets_the_same_plan, setup, teardown),
        cmocka_unit_test(random_lifetimes_lie_in_regions),
        cmocka_unit_test_setup_teardown(what_fits_into_the_first_region_lies_there, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_read_most_lies_in_the_first_region, setup, teardown),
        cmocka_unit_test_setup_teardown(what_no_region_holds_lies_in_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_with_regions_print_and_parse, setup, teardown),
        cmocka_unit_test_setup_teardown(results_take_the_place_of_operands, setup, teardown),
        cmocka_unit_test_setup_teardown(results_that_need_their_operands_do_not, setup, teardown),
        cmocka_unit_test_setup_teardown(operands_that_live_on_keep_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_come_in_an_order_that_needs_less, setup, teardown),
        cmocka_unit_test(the_order_keeps_what_depends),
        cmocka_unit_test(it_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
