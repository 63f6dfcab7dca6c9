/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes the golden vectors: make-vectors FOLDER.  Run by hand when the format grows; ctest runs it into a scratch
 * folder and compares.  Vectors of a released version are never changed: new ones get new names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <xxhash.h>
#include <zstd.h>

#include "stream-format/bodies.h"
#include "tests/golden/vectors.h"
#include "tests/support/dump_vector.h"

static const char *folder;

static FILE *create(const char *kind, const char *name, const char *suffix)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, kind);
    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        perror(path);
    snprintf(path, sizeof path, "%s/%s/%s%s", folder, kind, name, suffix);
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    return f;
}

void vector_write(bool valid, const char *name, const struct cv_buf *stream)
{
    const char *kind = valid ? "valid" : "invalid";
    FILE *f = create(kind, name, ".cvy");

    fwrite(stream->data, 1, stream->len, f);
    fclose(f);
    f = create(kind, name, ".expect");
    int rc = dump_vector(stream->data, stream->len, f);
    fclose(f);
    if ((rc == 0) != valid) {
        fprintf(stderr, "%s/%s is %s\n", kind, name, rc == 0 ? "accepted" : "refused");
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: make-vectors FOLDER\n");
        return 2;
    }
    folder = argv[1];
    make_valid();
    make_invalid_frames();
    make_invalid_order();
    make_invalid_bodies();
    make_backup();
    printf("%s\n", ZSTD_versionString()); /* what packed them */
    return 0;
}
