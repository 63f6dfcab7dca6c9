/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of PAGES records as they come from anywhere: decoded, walked and stored, never out of bounds. */
#include <stdint.h>
#include <stdlib.h>

#include "tests/support/ram.h"
#include "memory/unpack.h"

#define PAGES 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cv_unpacker *check, *store;
    static struct cv_ram ram;
    struct cv_error err;
    struct cv_pages p;

    if (store == NULL) {
        cv_ram_init(&ram, calloc(PAGES, CV_PAGE_SIZE), PAGES);
        if (cv_unpacker_new(&check, NULL, &err) < 0 || cv_unpacker_new(&store, &ram.sink, &err) < 0)
            abort();
    }
    int loose = cv_unpack(check, data, size, PAGES, &p, &err);
    int tight = cv_unpack(store, data, size, PAGES, &p, &err);
    if (loose != tight) /* verify takes what restore takes */
        abort();
    if (tight == 0 && p.listed > CV_PAGES_MAX)
        abort();
    return 0;
}
