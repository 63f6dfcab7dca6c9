/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints streams as text: streamdump FILE...; "-" is standard input.  With several files each is preceded by its name.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "tests/support/dump_vector.h"

#define FILE_MAX (256u << 20)

int main(int argc, char **argv)
{
    int bad = 0;

    for (int i = 1; i < argc; i++) {
        struct cv_error err = CV_ERROR_INIT;
        char *data;
        size_t len;
        if (cv_file_read(strcmp(argv[i], "-") == 0 ? "/dev/stdin" : argv[i], FILE_MAX, &data, &len, &err) < 0) {
            fprintf(stderr, "streamdump: %s\n", err.text);
            return 2;
        }
        if (argc > 2)
            printf("file %s\n", argv[i]);
        bad |= dump_vector(data, len, stdout) < 0;
        free(data);
    }
    return bad;
}
