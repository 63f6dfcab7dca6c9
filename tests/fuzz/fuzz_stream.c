/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stream reader, the dumper and the PAGES decoder, once on the bytes as they are and once with all checks made
 * right, so that the fuzzer gets past them. */
#include <stdlib.h>

#include "tests/support/dump_vector.h"
#include "tests/support/raw_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void dump(const uint8_t *data, size_t size)
{
    FILE *sink = fopen("/dev/null", "w");

    if (sink == NULL)
        abort();
    (void)dump_vector(data, size, sink);
    fclose(sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct raw_stream *raw = calloc(1, sizeof *raw);
    CV_AUTO_BUF sealed = { 0 };

    dump(data, size);
    if (raw_parse(raw, data, size) == 0) {
        raw->header.version = 1;
        raw_emit(raw, &sealed);
        dump(sealed.data, sealed.len);
    }
    raw_dispose(raw);
    free(raw);
    return 0;
}
