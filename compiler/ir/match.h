/* Matching small patterns in a graph. */
#ifndef TENON_IR_MATCH_H
#define TENON_IR_MATCH_H

#include "ir/op.h"

#define MATCH_MAX 16

/* What was found. */
typedef struct match {
    int n_values, n_nodes;
    value *values[MATCH_MAX]; /* what the variables stand for, in the order in which they first appear */
    node *nodes[MATCH_MAX];   /* in the order of their appearance: nodes[0] is the root */
    bool is_private;          /* does nobody outside of the match use a value of its nodes, but for the root's? */
} match;

/* Does `root`, an output of a node, have the form of the pattern? Operators of ONNX's domain are words with arguments;
 * other words are variables, the same one being the same value; $c is a variable for a constant; a number is a constant
 * all of whose elements are nearly that; _ is any value or none. Add, Mul, Min, Max, And, Or, Xor and Equal match
 * either way round. Where the text is no pattern, *out_why says so; else it becomes NULL. */
bool graph_match(const value *root, const char *pattern, match *out, const char **out_why);

#endif
