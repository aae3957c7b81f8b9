/* Small patterns: "Mul(x, Sigmoid(x))" against what computes a value. */
#include <math.h>
#include <string.h>

#include "ir/match.h"
#include "ir/scan.h"

enum { MOST_TERMS = 48, MOST_ARGUMENTS = 6, MOST_SWAPS = 10 };
/* A number in a pattern means a constant this near, relatively: what exporters round. */
#define NEAR 1e-5

typedef enum term_kind { TERM_ANY, TERM_VALUE, TERM_CONSTANT, TERM_NUMBER, TERM_NODE } term_kind;

typedef struct term {
    term_kind kind;
    const char *name; /* of the variable or operator: n bytes in the pattern */
    size_t n;
    int variable; /* its number */
    double number;
    int arguments[MOST_ARGUMENTS], n_arguments;
    int swap; /* the bit that says whether its two inputs are taken the other way round; -1: never */
} term;

typedef struct pattern {
    const char *at;
    const char *why; /* it is wrong */
    term terms[MOST_TERMS];
    int n, n_variables, n_swaps;
} pattern;

/* ---- reading ---- */

static void skip_blanks(pattern *p) {
    p->at += strspn(p->at, " \t\n");
}

static int fail(pattern *p, const char *why) {
    if (p->why == NULL)
        p->why = why;
    return -1;
}

static bool is_commutative(const term *t) {
    static const char *const ops[] = {"Add", "Mul", "Min", "Max", "And", "Or", "Xor", "Equal"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strlen(ops[i]) == t->n && strncmp(ops[i], t->name, t->n) == 0)
            return t->n_arguments == 2;
    return false;
}

static int variable_number(pattern *p, const term *t) {
    for (int i = 0; i < p->n; i++) {
        const term *x = &p->terms[i];
        if (x != t && (x->kind == TERM_VALUE || x->kind == TERM_CONSTANT) && x->n == t->n &&
            strncmp(x->name, t->name, t->n) == 0)
            return x->variable;
    }
    return p->n_variables++;
}

static int read_term(pattern *p);

static int read_arguments(pattern *p, int of) {
    do {
        p->at++; /* '(' or ',' */
        term *t = &p->terms[of];
        if (t->n_arguments == MOST_ARGUMENTS)
            return fail(p, "an operator has too many arguments");
        int argument = read_term(p);
        if (argument < 0)
            return -1;
        t->arguments[t->n_arguments++] = argument;
        skip_blanks(p);
    } while (*p->at == ',');
    if (*p->at != ')')
        return fail(p, "expected ',' or ')'");
    p->at++;
    if (is_commutative(&p->terms[of]))
        p->terms[of].swap = p->n_swaps++;
    return p->n_swaps <= MOST_SWAPS ? of : fail(p, "too many operators that match both ways");
}

static int read_word(pattern *p, int i) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    term *t = &p->terms[i];
    t->kind = *p->at == '$' ? TERM_CONSTANT : TERM_VALUE;
    p->at += *p->at == '$';
    t->name = p->at;
    t->n = strspn(p->at, letters);
    p->at += t->n;
    if (t->n == 0)
        return fail(p, "expected an operator, a variable, $constant, a number or _");
    skip_blanks(p);
    if (t->kind == TERM_VALUE && *p->at == '(') {
        t->kind = TERM_NODE;
        return read_arguments(p, i);
    }
    if (t->kind == TERM_VALUE && t->n == 1 && *t->name == '_') {
        t->kind = TERM_ANY;
        return i;
    }
    t->variable = variable_number(p, t);
    return t->variable < MATCH_MAX ? i : fail(p, "too many variables");
}

static int read_term(pattern *p) {
    skip_blanks(p);
    if (p->n == MOST_TERMS)
        return fail(p, "it is too long");
    int i = p->n++;
    term *t = &p->terms[i];
    *t = (term){.swap = -1};
    if (strchr("-.0123456789", *p->at) == NULL || *p->at == '\0')
        return read_word(p, i);
    size_t n = strspn(p->at, "-+.0123456789eE");
    scan s = scan_text(p->at, n);
    t->kind = TERM_NUMBER;
    p->at += n;
    return scan_float(&s, false, &t->number) && scan_at_end(&s) ? i : fail(p, "expected a number");
}

/* ---- matching, for one choice of the swaps ---- */

typedef struct matching {
    const pattern *p;
    unsigned swaps;
    match *found;
} matching;

static bool is_number(const value *v, double x) {
    const tensor *t = v->constant;
    if (t == NULL || t->count == 0 || !(dtype_is_float(t->elem) || dtype_is_int(t->elem)))
        return false;
    for (int64_t i = 0; i < t->count; i++)
        if (!(fabs(tensor_double(t, i) - x) <= NEAR * fabs(x)))
            return false;
    return true;
}

static bool match_variable(matching *m, const term *t, value *v) {
    if (t->kind == TERM_CONSTANT && v->constant == NULL)
        return false;
    value **to = &m->found->values[t->variable];
    if (*to == NULL)
        *to = v;
    return *to == v;
}

static bool match_term(matching *m, int i, value *v);

static bool match_node(matching *m, const term *t, const value *v) {
    node *n = v->def;
    if (n == NULL || v->def_index != 0 || n->domain[0] != '\0' || strlen(n->op) != t->n ||
        strncmp(n->op, t->name, t->n) != 0)
        return false;
    if (m->found->n_nodes == MATCH_MAX)
        return false;
    m->found->nodes[m->found->n_nodes++] = n;
    bool swapped = t->swap >= 0 && (m->swaps >> t->swap & 1) != 0;
    for (int i = 0; i < t->n_arguments || i < n->n_inputs; i++)
        if (!(i < t->n_arguments ? match_term(m, t->arguments[swapped ? 1 - i : i], node_input(n, i))
                                 : node_input(n, i) == NULL))
            return false;
    return true;
}

static bool match_term(matching *m, int i, value *v) {
    const term *t = &m->p->terms[i];
    if (t->kind == TERM_ANY || v == NULL)
        return t->kind == TERM_ANY;
    return t->kind == TERM_NUMBER ? is_number(v, t->number)
           : t->kind == TERM_NODE ? match_node(m, t, v)
                                  : match_variable(m, t, v);
}

/* Does nobody else use what the nodes below the root compute? */
static bool is_private(const match *found) {
    for (int i = 1; i < found->n_nodes; i++) {
        const node *n = found->nodes[i];
        for (int k = 0; k < n->n_outputs; k++)
            for (const use *u = n->outputs[k] != NULL ? n->outputs[k]->uses : NULL; u != NULL; u = u->next) {
                bool inside = false;
                for (int j = 0; j < found->n_nodes; j++)
                    inside |= u->user == found->nodes[j];
                if (!inside)
                    return false;
            }
    }
    return true;
}

bool graph_match(const value *root, const char *text, match *out, const char **out_why) {
    pattern p = {.at = text};
    int top = read_term(&p);
    skip_blanks(&p);
    if (top >= 0 && *p.at != '\0')
        fail(&p, "something follows its end");
    *out_why = p.why;
    for (unsigned swaps = 0; p.why == NULL && swaps < 1u << p.n_swaps; swaps++) {
        *out = (match){.n_values = p.n_variables};
        matching m = {&p, swaps, out};
        if (!match_term(&m, top, (value *)(uintptr_t)root))
            continue;
        out->is_private = is_private(out);
        return true;
    }
    return false;
}
