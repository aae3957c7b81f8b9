/* rooms: api */
/* tenon_check_suite: what is left when memory is out, and which operator a case is about. */
#include "test_support.h"

#include <string.h>
#include <tenon/tenon.h>

#include "api/suite.h"

#define SUITE TENON_SOURCE_DIR "/models/mnist-mlp"

static status check_suite(const allocator *from, void *ctx) {
    (void)ctx;
    tenon_context *context = NULL;
    tenon_options *options = NULL;
    tenon_host host = {.struct_size = sizeof host, .data = from->ctx, .resize = from->resize};
    tenon_report *made = NULL;
    tenon_status done = tenon_context_new(&host, &context);
    if (done == TENON_DONE)
        done = tenon_options_new(context, &options);
    if (done == TENON_DONE)
        done = tenon_options_set(options, "backend", "interp");
    if (done == TENON_DONE)
        done = tenon_check_suite(options, SUITE, &made);
    assert_int_equal(done == TENON_DONE, made != NULL);
    if (made != NULL)
        assert_non_null(strstr(tenon_report_json(made), "\"passed\":\t1"));
    tenon_report_free(made);
    tenon_options_free(options);
    tenon_context_free(context);
    return (status)done;
}

static void suite_survives_each_failed_allocation(void **state) {
    (void)state;
    assert_true(test_each_allocation(check_suite, NULL) > 5);
}

static void suite_cases_are_of_an_operator(void **state) {
    static const struct {
        const char *name, *op;
        const char *ops[3];
    } cases[] = {
        {"node/test_abs", "Abs", {"Abs"}},
        {"node/test_constant_pad", "Pad", {"Pad"}},
        {"node/test_reduce_log_sum_exp_expanded", "ReduceLogSumExp", {"Exp", "ReduceSum", "Log"}},
        {"test_logsoftmax_axis_0_expanded", "LogSoftmax", {"Exp", "Log"}},
        {"test_adam_multiple", "Adam", {"Cast", "Adam"}},
        {"resnet50", "Conv", {"Conv", "Relu"}},
        {"test_squeeze", "Neg", {"Neg", "Neg"}},
        {"nothing", "", {NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 0;
        while (n < 3 && cases[i].ops[n] != NULL)
            n++;
        assert_string_equal(suite_operator(cases[i].name, cases[i].ops, n), cases[i].op);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite_survives_each_failed_allocation),
        cmocka_unit_test(suite_cases_are_of_an_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
