/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plain memory of this process as page source and sink: measurements, tests, and whoever has a guest mapped whole. */
#ifndef CONVOY_TESTS_RAM_H
#define CONVOY_TESTS_RAM_H

#include <stdint.h>

#include "memory/pages.h"

/* pages: pfn_count pages, pfn 0 first, borrowed.  The sink writes zeros where a page has no contents, but not over
 * zeros: memory that was never touched stays so. */
struct cv_ram {
    struct cv_page_source source;
    struct cv_page_sink sink;
    uint8_t *pages;
    uint64_t pfn_count;
};

void cv_ram_init(struct cv_ram *r, void *pages, uint64_t pfn_count);

#endif
