/* Names of inputs in options. */
#ifndef TENON_API_INPUT_NAMES_H
#define TENON_API_INPUT_NAMES_H

#include "api/options.h"
#include "ir/graph.h"

/* The graph input called `name`, NULL where there is none. */
value *input_find(const graph *g, const char *name);
/* [unknown-input] STATUS_USAGE: `option` names an input that the model does not have. Tells those that it has, and the
 * nearest. */
status input_unknown(tenon_context *c, const graph *g, const char *option, const char *name);
/* Every name in the list is an input's of g, or of `other` (NULL: there is none). */
status input_check_names(tenon_context *c, const graph *g, const graph *other, const char *option,
                         const named_list *list);

#endif
