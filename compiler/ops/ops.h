/* The table of every operator that tenon knows. Its rows stand in the files of this folder, one file per family. */
#ifndef TENON_OPS_OPS_H
#define TENON_OPS_OPS_H

#include "ir/op.h"

/* Sorted by domain, then name; collected by ops/CMakeLists.txt from the lines that begin with OP_ROW(NAME). */
extern const op_table ops_table;

#endif
