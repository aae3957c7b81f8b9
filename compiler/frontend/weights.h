/* The weights of a model: tensors and the mapped files behind them, alive while any graph holds one of the tensors. */
#ifndef TENON_FRONTEND_WEIGHTS_H
#define TENON_FRONTEND_WEIGHTS_H

#include "ir/graph.h"

typedef struct weights weights;

/* Held once, by the caller. NULL when out of memory. */
weights *weights_new(const allocator *from);
/* Ends the caller's hold. */
void weights_drop(weights *w);
/* Where the tensors and their files live. */
arena *weights_memory(const weights *w);
/* Makes a tensor of weights_memory keep all of it alive, and holds the tensor until `holder` is freed. */
status weights_share(weights *w, tensor *t, arena *holder);

#endif
