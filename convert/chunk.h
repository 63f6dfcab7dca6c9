/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that have come in through a pipe, as a page source for the saving pipeline: some thousand at a time, ascending.
 */
#ifndef CONVOY_CONVERT_CHUNK_H
#define CONVOY_CONVERT_CHUNK_H

#include <stdbool.h>

#include "memory/pages.h"

#define CV_CHUNK_PAGES 8192u /* 32 MiB */

struct cv_chunk {
    struct cv_page_source source;
    uint64_t *pfns; /* strictly increasing */
    uint8_t *types; /* enum cv_page_type */
    uint8_t *pages;
    size_t n;
};

int cv_chunk_init(struct cv_chunk *c, struct cv_error *err) CV_CHECKED;
void cv_chunk_dispose(struct cv_chunk *c);
/* n < CV_CHUNK_PAGES; page: 4096 bytes, or NULL for types without contents. */
void cv_chunk_add(struct cv_chunk *c, uint64_t pfn, enum cv_page_type type, const void *page);

#endif
