/* rooms: schedule loop base */
/* What the lists of steps hold: every weight that is not zero, once, beside its own datum; and nothing else. */
#include "loop_support.h"

#include "schedule/schedule.h"
#include "schedule/sparse.h"

enum { TAPS = 90, MOST = 64 };

static uint64_t random_state;

typedef struct weights {
    float at[MOST][TAPS]; /* [result][tap] */
    int64_t results;
    sparse_tap taps[TAPS];
} weights;

/* Every `gap`-th place has a datum that is multiplied. */
static void fill(weights *w, int64_t results, int in_a_hundred, int64_t gap) {
    w->results = results;
    for (int64_t n = 0; n < results; n++)
        for (int k = 0; k < TAPS; k++)
            w->at[n][k] = (int)(test_random(&random_state) % 100) < in_a_hundred
                              ? (float)(1 + test_random(&random_state) % 1000)
                              : -0.0f;
    for (int k = 0; k < TAPS; k++)
        w->taps[k] = (sparse_tap){k * gap - 7, k};
}

static sparse packed(arena *a, const weights *w, int lanes, sparse_way way, int parts, int64_t panel) {
    sparse s = {.extent = w->results,
                .column_step = TAPS,
                .elem = DT_F32,
                .taps = w->taps,
                .n_taps = TAPS,
                .way = way,
                .lanes = lanes,
                .parts = parts,
                .panel = panel > 0 ? panel : (w->results + lanes - 1) / lanes,
                .room = 1,
                .blocks = (w->results + lanes - 1) / lanes};
    sparse_count(w->at, &s);
    assert_int_equal(sparse_pack(a, w->at, &s), STATUS_OK);
    return s;
}

static int tap_at(const weights *w, int64_t place) {
    for (int k = 0; k < TAPS; k++)
        if (w->taps[k].place == place)
            return k;
    return -1;
}

/* Takes what one lane multiplies in a step out of `left`. */
static void take(const weights *w, const sparse *s, int64_t step, int lane, int64_t result, float (*left)[TAPS]) {
    float value = ((const float *)s->values)[step * s->lanes + lane];
    int64_t base = s->base[step / s->way.shared], number = 0;
    const int window = s->lanes * s->way.vectors;
    if (s->lanes > 1)
        number =
            s->numbers[step / s->group * s->lanes + lane] >> step % s->group * s->number_bits & (window > 16 ? 31 : 15);
    int k = tap_at(w, base + number);
    assert_true(number < window);
    assert_true(base >= w->taps[0].place && base + window - 1 <= w->taps[TAPS - 1].place);
    assert_true(k >= 0); /* also where it is multiplied by 0: what lies between might be no number */
    if (value != 0) {
        assert_true(left[result][k] == value);
        left[result][k] = 0;
    }
}

static void check_packed(const weights *w, int lanes, sparse_way way) {
    arena *a = arena_new(&allocator_system);
    sparse s = packed(a, w, lanes, way, 1, 0);
    assert_int_equal(s.groups[0], 0);
    assert_int_equal((int64_t)s.groups[s.blocks] * s.group, s.steps);
    float left[MOST][TAPS];
    for (int64_t b = 0; b < s.blocks; b++) {
        int64_t first = b * lanes, last = w->results - lanes;
        first = first < last ? first : last; /* the last block steps back */
        memcpy(left[first], w->at[first], (size_t)lanes * sizeof *left);
        for (int64_t step = (int64_t)s.groups[b] * s.group; step < (int64_t)s.groups[b + 1] * s.group; step++)
            for (int lane = 0; lane < lanes; lane++)
                take(w, &s, step, lane, first + lane, left);
        for (int64_t n = first; n < first + lanes; n++)
            for (int k = 0; k < TAPS; k++)
                assert_true(left[n][k] == 0);
    }
    arena_free(a);
}

static void every_weight_is_there_once(void **state) {
    (void)state;
    static weights w;
    static const sparse_way ways[] = {{.shared = 1, .chains = 1, .vectors = 1},
                                      {.shared = 2, .chains = 1, .vectors = 1},
                                      {.shared = 4, .chains = 1, .vectors = 1},
                                      {.shared = 1, .chains = 1, .vectors = 2}};
    static const int lanes[] = {1, 8, 16}, fullness[] = {0, 3, 10, 50, 100};
    random_state = 1;
    for (size_t l = 0; l < 3; l++)
        for (size_t s = 0; s < (lanes[l] == 1 ? 1 : sizeof ways / sizeof *ways); s++)
            for (size_t f = 0; f < 5; f++)
                for (int64_t gap = 1; gap <= 3; gap++) {
                    fill(&w, 16 + (int64_t)(test_random(&random_state) % 40), fullness[f], gap);
                    check_packed(&w, lanes[l], ways[s]);
                }
}

/* Lists by panels, in each by parts, in each by results. */
static void parts_are_lists_of_their_own(void **state) {
    (void)state;
    static weights w;
    enum { PARTS = 4, PANEL = 12, RESULTS = 36 };
    arena *a = arena_new(&allocator_system);
    fill(&w, RESULTS, 30, 1);
    sparse s = packed(a, &w, 1, (sparse_way){.shared = 1, .vectors = 1}, PARTS, PANEL);
    float left[RESULTS][TAPS];
    memcpy(left, w.at, sizeof left);
    for (int list = 0; list < RESULTS * PARTS; list++) {
        int part = list / PANEL % PARTS, result = list / (PANEL * PARTS) * PANEL + list % PANEL;
        for (int64_t step = (int64_t)s.groups[list] * s.group; step < (int64_t)s.groups[list + 1] * s.group; step++) {
            take(&w, &s, step, 0, result, left);
            int k = tap_at(&w, s.base[step]);
            assert_true(k >= TAPS * part / PARTS && k < TAPS * (part + 1) / PARTS);
        }
    }
    for (int n = 0; n < RESULTS; n++)
        for (int k = 0; k < TAPS; k++)
            assert_true(left[n][k] == 0);
    arena_free(a);
}

/* Two of each four: windows of eight that start together hold four of each lane, and no step has a place to spare. */
static void two_of_four_leave_no_gap(void **state) {
    (void)state;
    static weights w;
    arena *a = arena_new(&allocator_system);
    fill(&w, 16, 0, 1);
    for (int64_t n = 0; n < 16; n++)
        for (int k = 0; k < 88; k += 4) {
            int one = (int)(test_random(&random_state) % 4),
                other = (one + 1 + (int)(test_random(&random_state) % 3)) % 4;
            w.at[n][k + one] = w.at[n][k + other] = 1;
        }
    assert_int_equal(packed(a, &w, 8, (sparse_way){.shared = 4, .vectors = 1}, 1, 0).steps, 2 * 88 / 2);
    arena_free(a);
}

static void percentages(void **state) {
    (void)state;
    float x[200] = {0};
    for (int i = 0; i < 60; i++)
        x[i * 3] = -1;
    x[1] = -0.0f;
    assert_true(schedule_is_sparse(DT_F32, x, 200, 30));
    assert_false(schedule_is_sparse(DT_F32, x, 200, 29));
    const int8_t codes[100] = {-128, 1};
    assert_true(schedule_is_sparse(DT_I8, codes, 100, 2));
    assert_false(schedule_is_sparse(DT_I8, codes, 100, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_weight_is_there_once),
        cmocka_unit_test(parts_are_lists_of_their_own),
        cmocka_unit_test(two_of_four_leave_no_gap),
        cmocka_unit_test(percentages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
