/* Einsum: a sum of products over the labels of an equation. */
#include <string.h>

#include "ops/kit.h"

/* Labels: letters by their character, the dimensions of the ellipsis above them, the last of them first. */
enum { ELLIPSIS = 128, LABELS = ELLIPSIS + TENSOR_MAX_RANK };

typedef struct term {
    int n;
    int labels[TENSOR_MAX_RANK];
} term;

typedef struct equation {
    term inputs[TENSOR_MAX_RANK], output;
    int n_inputs, n_ellipsis;
    bool explicit_output;
    int count[128]; /* how often each letter stands on the left side */
} equation;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool push(term *t, int label) {
    if (t->n == TENSOR_MAX_RANK)
        return false;
    t->labels[t->n++] = label;
    return true;
}

/* Reads one term up to a comma, "->" or the end; `n_ellipsis` is what "..." stands for. */
static bool read_term(const char **at, int n_ellipsis, term *out) {
    bool dots = false;
    out->n = 0;
    for (const char *s = *at;; s++) {
        *at = s;
        if (*s == ',' || *s == '\0' || (*s == '-' && s[1] == '>'))
            return true;
        if (*s == ' ')
            continue;
        if (is_letter(*s)) {
            if (!push(out, *s))
                return false;
        } else if (strncmp(s, "...", 3) == 0 && !dots) {
            dots = true;
            s += 2;
            for (int k = n_ellipsis - 1; k >= 0; k--)
                if (!push(out, ELLIPSIS + k))
                    return false;
        } else {
            return false;
        }
    }
}

/* The letters of a term, to find what its ellipsis stands for; -1 where it has none. */
static int ellipsis_size(const char *s, int rank) {
    int letters = 0;
    bool dots = false;
    for (; *s != '\0' && *s != ',' && *s != '-'; s++) {
        letters += is_letter(*s);
        dots |= *s == '.';
    }
    return dots ? rank - letters : -1;
}

static void implicit_output(equation *e) {
    e->output.n = 0;
    for (int k = e->n_ellipsis - 1; k >= 0; k--)
        push(&e->output, ELLIPSIS + k);
    for (int c = 0; c < 128; c++)
        if (e->count[c] == 1)
            push(&e->output, c);
}

static status read_equation(const node *n, const int *ranks, equation *e) {
    const char *text = op_string(n, "equation"), *at = text;
    *e = (equation){.n_inputs = 0};
    for (;;) {
        if (e->n_inputs == n->n_inputs || e->n_inputs == TENSOR_MAX_RANK)
            return op_invalid(n, "wrong-attribute", "equation '%s' has more terms than the node has inputs", text);
        int size = ellipsis_size(at, ranks[e->n_inputs]);
        term *t = &e->inputs[e->n_inputs];
        if (!read_term(&at, size > 0 ? size : 0, t))
            return op_invalid(n, "wrong-attribute", "equation '%s' cannot be read at '%s'", text, at);
        if (t->n != ranks[e->n_inputs])
            return op_invalid(n, "shape-mismatch", "term %d of equation '%s' has %d labels, the input %d dimensions",
                              e->n_inputs, text, t->n, ranks[e->n_inputs]);
        e->n_ellipsis = size > e->n_ellipsis ? size : e->n_ellipsis;
        for (int k = 0; k < t->n; k++)
            if (t->labels[k] < ELLIPSIS)
                e->count[t->labels[k]]++;
        e->n_inputs++;
        if (*at != ',')
            break;
        at++;
    }
    if (e->n_inputs != n->n_inputs)
        return op_invalid(n, "wrong-attribute", "equation '%s' has %d terms, the node %d inputs", text, e->n_inputs,
                          n->n_inputs);
    if (*at == '\0') {
        implicit_output(e);
        return STATUS_OK;
    }
    at += 2;
    if (!read_term(&at, e->n_ellipsis, &e->output) || *at != '\0')
        return op_invalid(n, "wrong-attribute", "equation '%s' cannot be read at '%s'", text, at);
    return STATUS_OK;
}

static status einsum_infer(node *n) {
    int ranks[TENSOR_MAX_RANK];
    dtype elem = op_input_type(n, 0)->elem;
    dim extents[LABELS], dims[TENSOR_MAX_RANK];
    bool known[LABELS] = {false};
    equation e;
    if (n->n_inputs > TENSOR_MAX_RANK)
        return op_unsupported(n, "too-many-inputs", "%d inputs, more than %d", n->n_inputs, TENSOR_MAX_RANK);
    for (int k = 0; k < n->n_inputs; k++) {
        ranks[k] = op_input_rank(n, k);
        if (ranks[k] < 0)
            return op_unknown_output(n, 0, elem);
    }
    TRY(read_equation(n, ranks, &e));
    for (int k = 0; k < e.n_inputs; k++)
        for (int d = 0; d < e.inputs[k].n; d++) {
            int label = e.inputs[k].labels[d];
            dim own = op_input_type(n, k)->dims[d];
            if (known[label])
                TRY(op_broadcast_dim(n, extents[label], own, &extents[label]));
            else
                extents[label] = own;
            known[label] = true;
        }
    for (int d = 0; d < e.output.n; d++) {
        if (!known[e.output.labels[d]])
            return op_invalid(n, "wrong-attribute", "output label '%c' of equation '%s' stands in no term",
                              (char)e.output.labels[d], op_string(n, "equation"));
        dims[d] = extents[e.output.labels[d]];
    }
    return op_set_output(n, 0, elem, e.output.n, dims);
}

/* The labels' extents: the largest of the dimensions, 1 being spread. */
static void find_extents(const nest_list *l, const equation *e, int64_t *extents) {
    for (int label = 0; label < LABELS; label++)
        extents[label] = -1;
    for (int k = 0; k < e->n_inputs; k++)
        for (int d = 0; d < e->inputs[k].n; d++) {
            int64_t own = kit_operand(l, k)->dims[d], *extent = &extents[e->inputs[k].labels[d]];
            if (*extent < 0 || *extent == 1)
                *extent = own;
        }
}

static status einsum_lower(const node *n, nest_list *l) {
    builder *b = l->b;
    int ranks[TENSOR_MAX_RANK];
    int64_t extents[LABELS];
    const expr *vars[LABELS] = {NULL}, *i[TENSOR_MAX_RANK], *f[TENSOR_MAX_RANK], *product = NULL;
    equation e;
    for (int k = 0; k < n->n_inputs; k++)
        ranks[k] = kit_operand(l, k)->rank;
    TRY(read_equation(n, ranks, &e));
    find_extents(l, &e, extents);
    nest *m = nest_add(l, "einsum");
    for (int d = 0; d < e.output.n; d++)
        i[d] = vars[e.output.labels[d]] = nest_outer(m, "i", extents[e.output.labels[d]]);
    nest_open(m);
    for (int k = 0; k < e.n_inputs; k++)
        for (int d = 0; d < e.inputs[k].n; d++) {
            int label = e.inputs[k].labels[d];
            if (vars[label] == NULL) {
                vars[label] = nest_inner(m, "k", extents[label]);
                m->contract = e.n_inputs > 1;
            }
        }
    for (int k = 0; k < e.n_inputs; k++) {
        for (int d = 0; d < e.inputs[k].n; d++)
            f[d] = kit_operand(l, k)->dims[d] == 1 ? build_index(b, 0) : vars[e.inputs[k].labels[d]];
        const expr *x = kit_read(l, k, f);
        product = product == NULL ? x : build_mul(b, product, x);
    }
    kit_store(l, m, nest_output(l, 0), i, nest_reduce(m, REDUCE_SUM, product));
    return builder_status(b);
}

OP_ROW(Einsum) = {
    .name = "Einsum",
    .domain = "",
    .versions = VERSIONS(12, 28),
    .kind = OP_CONTRACT,
    .inputs = PARAMS({"Inputs", TYPES_NUMBER, 'T', PARAM_VARIADIC}),
    .outputs = PARAMS({"Output", TYPES_NUMBER, 'T', 0}),
    .attrs = ATTRS({"equation", ATTR_STRING, .required = true}),
    .infer = einsum_infer,
    .lower = einsum_lower,
};
