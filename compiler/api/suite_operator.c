/* Which operator a case of a suite is about. */
#include <ctype.h>
#include <string.h>

#include "api/suite.h"
#include "ops/ops.h"

static char plain(char c) {
    return (char)tolower((unsigned char)c);
}

/* Does the name begin with the operator's, underscores aside? */
static bool begins_with(const char *name, const char *op) {
    for (; *op != '\0'; op++, name++) {
        while (*name == '_' && *op != '_')
            name++;
        if (plain(*name) != plain(*op))
            return false;
    }
    return true;
}

static bool is_one_kind(const char *const *ops, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (strcmp(ops[i], ops[0]) != 0)
            return false;
    return true;
}

const char *suite_operator(const char *name, const char *const *ops, size_t n) {
    static const char test[] = "test_";
    const char *slash = strrchr(name, '/'), *best = "";
    if (n == 0 || is_one_kind(ops, n))
        return n > 0 ? ops[0] : "";
    name = slash != NULL ? slash + 1 : name;
    name += strncmp(name, test, strlen(test)) == 0 ? strlen(test) : 0;
    for (size_t i = 0; i < n + ops_table.n; i++) {
        const char *op = i < n ? ops[i] : ops_table.rows[i - n]->name;
        if (begins_with(name, op) && strlen(op) > strlen(best))
            best = op;
    }
    return *best != '\0' ? best : ops[0];
}
