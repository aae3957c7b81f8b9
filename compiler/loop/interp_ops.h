/* The template of the interpreter's instructions. Include it once, and define a table with INTERP_TABLE. */
#include <math.h>
#include <string.h>

#include "loop/interp_lanes.h" /* first: the others use its macros */

#include "loop/interp_casts.h"
#include "loop/interp_moves.h"

#define INTERP_TABLE                                                                                                   \
    {                                                                                                                  \
        .lanes = lanes_table,                                                                                          \
        .cast = cast_table,                                                                                            \
        .saturate = saturate_table,                                                                                    \
        .broadcast = broadcast_table,                                                                                  \
        .load_broadcast = load_broadcast_table,                                                                        \
        .select = select_table,                                                                                        \
        .shuffle = shuffle_table,                                                                                      \
        .gather = gather_table,                                                                                        \
        .scatter = scatter_table,                                                                                      \
        .load_masked = load_masked_table,                                                                              \
        .store_masked = store_masked_table,                                                                            \
        .load = load_table,                                                                                            \
        .store = store_table,                                                                                          \
        .copy = copy_table,                                                                                            \
    }
