/* Outcome of every call that can fail. The values are the command's exit codes. */
#ifndef TENON_BASE_STATUS_H
#define TENON_BASE_STATUS_H

typedef enum status {
    STATUS_OK = 0,
    STATUS_DIFFER = 1,      /* outputs differ */
    STATUS_USAGE = 2,       /* wrong usage */
    STATUS_INVALID = 3,     /* input is not valid */
    STATUS_UNSUPPORTED = 4, /* input is valid, but not supported */
    STATUS_RESOURCE = 5,    /* the machine lacks memory, a file, permission, a program */
} status;

/* Returns from the calling function when CALL fails. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        status try_status_ = (call);                                                                                   \
        if (try_status_ != STATUS_OK)                                                                                  \
            return try_status_;                                                                                        \
    } while (0)

/* Returns STATUS_RESOURCE when POINTER is null: out of memory. */
#define TRY_ALLOC(pointer)                                                                                             \
    do {                                                                                                               \
        if ((pointer) == NULL)                                                                                         \
            return STATUS_RESOURCE;                                                                                    \
    } while (0)

#endif
