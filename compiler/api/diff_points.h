/* What can be compared in a model, and which of it belongs together in two models. */
#ifndef TENON_API_DIFF_POINTS_H
#define TENON_API_DIFF_POINTS_H

#include "api/fed_data.h"

/* A value that is compared: an input, or what a node computes. Integers that a QuantizeLinear makes or a
 * DequantizeLinear reads are compared as the real numbers that they stand for. */
typedef struct diff_point {
    size_t index; /* among the graph's, in topological order */
    const value *v;
    const value *real;   /* v, or the result of a DequantizeLinear; NULL: diff_point_real makes one */
    const node *quantum; /* the node whose scale and zero point count; NULL: not quantised */
    const value *origin; /* what a QuantizeLinear made v of; else NULL */
    const char *array;   /* an input's data; else NULL */
    int group;           /* of points that stand for the same, from 1; 0: not matched */
    bool ambiguous;      /* other nodes have this name, too */
    const char *reason;  /* why the value of this name in the other graph is not compared; NULL */
} diff_point;

typedef struct diff_points {
    graph *g;
    arena *memory;
    VEC(diff_point *) at;
    map by_value; /* value (and its real) -> diff_point */
    map by_node;  /* operator, name and output's number -> diff_point */
    bool plain;   /* every value is a point, as it stands */
} diff_points;

typedef struct diff_pair {
    diff_point *a, *b;
    bool is_of_b;   /* a belongs to another point of b's already: this one is b's own doing */
    const char *by; /* "name", "data", "node", "output", "quantised", "place" */
} diff_pair;
typedef VEC(diff_pair) diff_pairs;

/* ---- diff_points.c ---- */
/* The points of g, whose inputs are fed->at's; fed NULL: nothing is run, so quantised values stand for no others, and
 * values of one name belong together whatever their types. Everything lives in `a`. */
status diff_points_find(graph *g, const fed_data *fed, arena *a, diff_points *out);
/* The point that value v, of this name, belongs to: a constant becomes one. *out NULL where there is no such value. */
status diff_points_named(diff_points *s, const char *name, diff_point **out);
/* Its real numbers as a value of the graph, which gets a DequantizeLinear where it has none. */
status diff_point_real(diff_points *s, diff_point *p, const value **out);
/* Are p's integers to be looked at, and are the ends of their range not just what a zero becomes? */
bool diff_point_is_integer(const diff_point *p);
/* The integer that means 0 in p; false where it differs by channel or is not known. */
bool diff_point_zero(const diff_point *p, int64_t *out);

/* ---- diff_match.c ---- */
/* Pairs of points that stand for the same, in a's order: by the value's name, then inputs by their data, then by the
 * node's name, then outputs by their number; then, until nothing is found any more, what only one of the two quantises
 * with the value that the other has, and by place: the only node of its operator that reads the same, or what is read
 * by two nodes that make the same of it. */
status diff_match(diff_points *a, diff_points *b, arena *memory, diff_pairs *out);

#endif
