/* rooms: base plugin */
/* The channels of weights in plugins/quantize: the plugin's own file, and a graph of one node as it sees it. */
#include <stdlib.h>
#include <string.h>

#include "test_support.h"
#undef TRY
#include "../../plugins/quantize/kernel.c"

/* The node, its weight, and what there is to allocate. */
static struct {
    const char *op;
    int64_t group, trans_b, dims[4];
    int rank, left;
    float x[144];
} one;

static const char *op_of(const tenon_node *n) {
    (void)n;
    return one.op;
}

int quant_is_op(const job *j, const tenon_node *n, const char *op) {
    return strcmp(j->graph->op(n), op) == 0;
}

void *quant_room(const job *j, size_t n, size_t each) {
    (void)j;
    return one.left-- > 0 ? calloc(n, each) : NULL;
}

static int two_inputs(const tenon_node *n) {
    (void)n;
    return 2;
}

static tenon_value *weight_value(const tenon_node *n, int i) {
    (void)n;
    return i == 1 ? (tenon_value *)&one : NULL;
}

static const tenon_tensor *weight_tensor(const tenon_value *v) {
    return (const tenon_tensor *)v;
}

static int64_t attribute(const tenon_node *n, const char *name) {
    (void)n;
    return strcmp(name, "group") == 0 ? one.group : strcmp(name, "transB") == 0 ? one.trans_b : 0;
}

static int float_type(const tenon_tensor *t) {
    (void)t;
    return TENON_FLOAT;
}

static int weight_rank(const tenon_tensor *t) {
    (void)t;
    return one.rank;
}

static const int64_t *weight_dims(const tenon_tensor *t) {
    (void)t;
    return one.dims;
}

static int64_t weight_count(const tenon_tensor *t) {
    (void)t;
    int64_t n = 1;
    for (int i = 0; i < one.rank; i++)
        n *= one.dims[i];
    return n;
}

static const void *weight_data(const tenon_tensor *t) {
    (void)t;
    return one.x;
}

static const tenon_graph_1 graph = {.op = op_of,
                                    .node_inputs = two_inputs,
                                    .node_input = weight_value,
                                    .constant = weight_tensor,
                                    .attribute_int = attribute};
static const tenon_tensor_1 tensor = {
    .element_type = float_type, .rank = weight_rank, .dims = weight_dims, .count = weight_count, .data = weight_data};
static const job the_job = {.graph = &graph, .tensor = &tensor};

static kernel read(const char *op, int rank, const int64_t *dims, int64_t group, int64_t trans_b) {
    kernel k;
    one.op = op;
    one.group = group;
    one.trans_b = trans_b;
    one.rank = rank;
    one.left = 1;
    memcpy(one.dims, dims, (size_t)rank * sizeof *dims);
    for (int i = 0; i < 144; i++)
        one.x[i] = (float)(i % 2 == 0 ? i : -i);
    assert_int_equal(kernel_read(&the_job, (tenon_node *)&one, &k), TENON_OK);
    return k;
}

/* The last element of a channel is its largest. */
static void assert_ranges(const kernel *k, kernel_side side, int64_t n, const double *want) {
    double ranges[12] = {0}, factors[12], scaled[12] = {0};
    assert_int_equal(side == KERNEL_OUTPUTS ? k->outputs : k->inputs, n);
    kernel_ranges(k, side, ranges);
    for (int64_t c = 0; c < n; c++) {
        assert_true(ranges[c] == want[c]);
        factors[c] = (double)(c + 2);
    }
    kernel copy = *k;
    copy.x = calloc((size_t)k->count, sizeof *copy.x);
    memcpy(copy.x, k->x, (size_t)k->count * sizeof *copy.x);
    kernel_scale(&copy, side, factors);
    kernel_ranges(&copy, side, scaled);
    for (int64_t c = 0; c < n; c++)
        assert_true(scaled[c] == want[c] * factors[c]);
    free(copy.x);
}

static void test_products(void **state) {
    (void)state;
    kernel k = read("MatMul", 2, (const int64_t[]){3, 4}, 1, 0); /* [inputs, outputs] */
    assert_ranges(&k, KERNEL_INPUTS, 3, (const double[]){3, 7, 11});
    assert_ranges(&k, KERNEL_OUTPUTS, 4, (const double[]){8, 9, 10, 11});
    free(k.x);
    k = read("Gemm", 2, (const int64_t[]){3, 4}, 1, 1); /* [outputs, inputs] */
    assert_ranges(&k, KERNEL_OUTPUTS, 3, (const double[]){3, 7, 11});
    assert_ranges(&k, KERNEL_INPUTS, 4, (const double[]){8, 9, 10, 11});
    free(k.x);
}

static void test_convolutions(void **state) {
    (void)state;
    kernel k = read("Conv", 4, (const int64_t[]){4, 3, 1, 2}, 2, 0); /* two groups of two outputs and three inputs */
    assert_ranges(&k, KERNEL_OUTPUTS, 4, (const double[]){5, 11, 17, 23});
    assert_ranges(&k, KERNEL_INPUTS, 6, (const double[]){7, 9, 11, 19, 21, 23});
    free(k.x);
    k = read("Conv", 4, (const int64_t[]){3, 1, 2, 2}, 3, 0); /* depthwise */
    assert_ranges(&k, KERNEL_INPUTS, 3, (const double[]){3, 7, 11});
    assert_ranges(&k, KERNEL_OUTPUTS, 3, (const double[]){3, 7, 11});
    free(k.x);
}

static void test_refused(void **state) {
    (void)state;
    assert_null(read("ConvTranspose", 4, (const int64_t[]){3, 1, 2, 2}, 1, 0).x);
    assert_null(read("MatMul", 3, (const int64_t[]){3, 2, 2}, 1, 0).x); /* a batch of matrices */
    kernel k;
    one.op = "MatMul";
    one.rank = 2;
    one.left = 0;
    assert_int_equal(kernel_read(&the_job, (tenon_node *)&one, &k), TENON_PASS_RESOURCE);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_convolutions),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
