/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A layout from a stream: refused, or consistent and written again as the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layout/layout.h"
#include "tests/fuzz/forge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_layout l, again;
    char *one, *two;

    if (cv_layout_decode((const char *)data, size, &l, &err) < 0) {
        if (err.code == CV_OK || err.text[0] == '\0')
            abort();
        return 0;
    }
    if (cv_layout_check(&l, &err) < 0 || cv_layout_encode(&l, &one, &err) < 0 ||
        cv_layout_decode(one, strlen(one), &again, &err) < 0 || cv_layout_encode(&again, &two, &err) < 0 ||
        strcmp(one, two) != 0)
        abort();
    free(one);
    free(two);
    cv_layout_dispose(&l);
    cv_layout_dispose(&again);
    return 0;
}

/* Mostly JSON that stays JSON. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct rng r = rng_seed(seed);
    struct cv_buf out = { 0 };

    if (rng_below(&r, 5) == 0)
        return LLVMFuzzerMutate(data, size, max);
    forge_json((const char *)data, size, &out, &r);
    size_t n = out.len <= max ? out.len : max;
    if (n > 0)
        memcpy(data, out.data, n);
    cv_buf_dispose(&out);
    return n;
}
