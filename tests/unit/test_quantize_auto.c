/* rooms: base plugin */
/* The knapsack of plugins/quantize: the plugin's own file, and what it would have from others. */
#include <math.h>

#include "test_support.h"
#undef TRY
#include "../../plugins/quantize/auto.c"
#include "../../plugins/quantize/formats.c"
#include "../../plugins/shared/judge.c"

void *quant_room(const job *j, size_t n, size_t each) {
    (void)j;
    (void)n;
    (void)each;
    return NULL;
}

int weight_round(const job *j, weight *w) {
    (void)j;
    (void)w;
    return TENON_PASS_UNSUPPORTED;
}

int quant_choose_point(const job *j, point *p) {
    (void)j;
    (void)p;
    return TENON_PASS_UNSUPPORTED;
}

int quant_insert_point(const job *j, const point *p) {
    (void)j;
    (void)p;
    return TENON_PASS_UNSUPPORTED;
}

int quant_remove_point(const job *j, const point *p) {
    (void)j;
    (void)p;
    return TENON_PASS_UNSUPPORTED;
}

int quant_is_everywhere(const job *j) {
    (void)j;
    return 0;
}

int64_t weight_group(const weight *w, int64_t i) {
    (void)w;
    (void)i;
    return 0;
}

/* Of three items all 216 choices are tried: none within the bound has fewer bits than the knapsack's. */
static void test_knapsack(void **state) {
    (void)state;
    static double room[2 * (UNITS + 1)];
    static unsigned char chosen[3 * (UNITS + 1)];
    const sack s = {room, chosen};
    item it[3] = {{.numbers = 1000, .harm = {900, 300, 90, 20, 4, 0.2}},
                  {.numbers = 300, .harm = {50, 11, 3, 0.7, 0.2, 0.01}},
                  {.numbers = 5000, .harm = {7000, 2000, 10, 9, 8, 0.5}}};
    for (double bound = 1; bound < 20000; bound *= 1.7) {
        double least = INFINITY, bits = 0, sum = 0;
        for (int i = 0; i < N_WIDTHS * N_WIDTHS * N_WIDTHS; i++) {
            int of[3] = {i % N_WIDTHS, i / N_WIDTHS % N_WIDTHS, i / N_WIDTHS / N_WIDTHS};
            double tried = 0, hurt = 0;
            for (int k = 0; k < 3; k++) {
                tried += it[k].numbers * widths[of[k]];
                hurt += ceil(it[k].harm[of[k]] / bound * (double)UNITS);
            }
            least = hurt <= (double)UNITS && tried < least ? tried : least;
        }
        assert_int_equal(fill(it, 3, bound, &s), 1);
        for (int k = 0; k < 3; k++) {
            int at = 0;
            while (widths[at] != it[k].width)
                at++;
            bits += it[k].numbers * widths[at];
            sum += it[k].harm[at];
        }
        assert_true(sum <= bound && bits == least);
    }
    assert_int_equal(fill(it, 3, 0.5, &s), 0); /* not even 8 bits of each */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_knapsack)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
