/* Ways to compute a kernel that were measured to be faster than what the cost models choose: a table to go by, and what
 * the one who measures wants to know. Nothing here takes a time. */
#ifndef TENON_SCHEDULE_TUNING_H
#define TENON_SCHEDULE_TUNING_H

#include "base/diag.h"
#include "base/map.h"
#include "loop/target.h"

/* How a contraction is computed: in which tile, or in which form. Axes are counted as the kernel's name lists them,
 * from 0. */
typedef struct kernel_choice {
    int along;      /* the axis that the vectors lie along */
    int rows_along; /* the axis of the block's rows; -1: the block is one row */
    int runs_on;    /* the axis around that one which rows run on into, or -1 */
    int lanes, vectors, tail, rows;
    int panels;   /* are blocks along `along` the outermost loop? -1: as the cost model says, or where it is all one */
    bool is_form; /* all of the above is 0: what is chosen is a form, of which `form` is one */
    int form;     /* what it means says who asks tuning_decide */
} kernel_choice;

enum { TILE_MOST_ROWS = 14, TILE_MOST_VECTORS = 8, TILE_MOST_LANES = 64 };

typedef struct tune_entry {
    const char *target; /* by name; nobody has to know it */
    int threads;
    const char *kernel; /* tuning_kernel's text, or what tuning_decide is asked about */
    kernel_choice choice;
    double default_us, tuned_us; /* when it was measured */
    int line;                    /* of the file; 0: none */
} tune_entry;

/* A tune file. */
typedef struct tune_table {
    const char *file;
    VEC(tune_entry) at;
} tune_table;

/* A kernel that can be computed in several ways. */
typedef struct tune_site {
    const char *kernel;
    kernel_choice chosen;      /* by the cost model, or by the table */
    VEC(kernel_choice) others; /* what may be faster, the most promising first */
    VEC(int64_t) sources;      /* of a form: the ONNX nodes that it is about; what they take is what the form takes */
} tune_site;
typedef struct tune_sites {
    arena *memory;
    map by_kernel;
    VEC(tune_site *) at;
} tune_sites;

/* What a schedule goes by. */
typedef struct tuning {
    const tune_table *table; /* NULL: the cost model alone */
    int threads;
    bool *used;        /* by entry of the table: does it stand for some kernel? */
    tune_sites *sites; /* where not NULL, gets every contraction that is scheduled in tiles */
    diag *diags;
} tuning;

/* Which of the n forms? *form is the cost model's, and becomes the table's where that has one for `name`; where sites
 * are wanted, this is one, about the nodes with these numbers in the file. [tune-file] STATUS_INVALID where the table
 * has another. */
status tuning_decide(const tuning *t, const target *machine, const char *name, const int *forms, size_t n,
                     const int64_t *sources, size_t n_sources, int *form);
/* May some kernel be computed so? *out_why says what is wrong with it. */
bool kernel_choice_is_sound(const kernel_choice *c, const char **out_why);
bool kernel_choice_is_same(const kernel_choice *x, const kernel_choice *y);
/* The table's entry for the kernel; NULL: none. */
const tune_entry *tuning_find(const tuning *t, const target *machine, const char *name);
/* How many entries are for the target and so many threads. */
size_t tune_table_count(const tune_table *t, const target *machine, int threads);

#endif
