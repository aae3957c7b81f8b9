/* What is said on stdout or written to files. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

static tenon_status cannot(cli *c, const char *path, const char *what, int error) {
    return tenon_fail(c->context, TENON_RESOURCE, "file", NULL, "%s: cannot be %s: %s", path, what, strerror(error));
}

tenon_status output_report(cli *c, tenon_status status, tenon_report *report) {
    terminal_clear_progress(c);
    if (report != NULL)
        fputs(c->json ? tenon_report_json(report) : tenon_report_text(report), stdout);
    tenon_report_free(report);
    return status;
}

tenon_status output_file(cli *c, const char *path, const void *data, size_t bytes) {
    if (strcmp(path, "-") == 0) {
        fwrite(data, 1, bytes, stdout);
        return TENON_DONE;
    }
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return cannot(c, path, "written", errno);
    int error = fwrite(data, 1, bytes, f) == bytes ? 0 : errno;
    if (fclose(f) != 0 && error == 0)
        error = errno;
    return error == 0 ? TENON_DONE : cannot(c, path, "written", error);
}

tenon_status output_folder(cli *c, const char *path) {
    char part[PATH_MAX];
    if (strlen(path) >= sizeof part)
        return cannot(c, path, "made a folder", ENAMETOOLONG);
    struct stat there;
    for (size_t n = 1; n <= strlen(path); n++) {
        if (path[n] != '/' && path[n] != '\0')
            continue;
        memcpy(part, path, n);
        part[n] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return cannot(c, part, "made a folder", errno);
    }
    if (stat(path, &there) != 0 || !S_ISDIR(there.st_mode))
        return cannot(c, path, "made a folder", ENOTDIR);
    return TENON_DONE;
}

tenon_status output_open(cli *c, tenon_graph **out) {
    return tenon_graph_open(c->context, c->words[0], c->options, out);
}
