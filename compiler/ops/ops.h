/* The table of every operator that tenon knows. Its rows stand in the files of this folder, one file per family. */
#ifndef TENON_OPS_OPS_H
#define TENON_OPS_OPS_H

#include "ir/op.h"

/* Sorted by domain, then name; collected by ops/CMakeLists.txt from the lines that begin with OP_ROW(NAME). */
extern const op_table ops_table;
/* The file of this folder that the row stands in, without its ending: "conv". NULL where it is none of these rows. */
const char *ops_family(const op_row *row);

#endif
