/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of each page of an image: its kind after the last pass that mentions it, and how well its neighbourhood
 * compresses.  Kept in blocks that exist only where pages do. */
#ifndef CONVOY_IMAGE_PAGEMAP_H
#define CONVOY_IMAGE_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "memory/pages_codec.h"

/* 1 TiB of guest-physical space; at most 150 MiB of map, whatever an image claims.  Beyond that there is no map. */
#define CV_PAGEMAP_PFNS_MAX (UINT64_C(1) << 28)
#define CV_PAGEMAP_CELL 512u    /* pages of one density cell: 2 MiB */
#define CV_PAGEMAP_BLOCK 65536u /* pages of one block */

/* As enum cv_run_kind; SKIP stands for pages that no pass mentions, or only as absent.  ABSENT: it was there in an
 * earlier pass and is not any more. */
#define CV_PAGEMAP_NONE CV_RUN_SKIP

struct cv_pagemap_block;
/* { 0 } is the empty map, on which every page is NONE. */
struct cv_pagemap {
    uint64_t pfn_count;
    struct cv_pagemap_block **blocks;
    bool left_out; /* pfn_count is above the limit: nothing is kept */
};

int cv_pagemap_init(struct cv_pagemap *m, uint64_t pfn_count, struct cv_error *err) CV_CHECKED;
/* To at least pfn_count pages; what is in it stays. */
int cv_pagemap_grow(struct cv_pagemap *m, uint64_t pfn_count, struct cv_error *err) CV_CHECKED;
void cv_pagemap_dispose(struct cv_pagemap *m);
/* Takes a decoded PAGES body into account: the later one counts. */
int cv_pagemap_take(struct cv_pagemap *m, const struct cv_pages *p, struct cv_error *err) CV_CHECKED;
enum cv_run_kind cv_pagemap_kind(const struct cv_pagemap *m, uint64_t pfn);
/* The end of the run of one kind that begins at pfn, at most end. */
uint64_t cv_pagemap_run(const struct cv_pagemap *m, uint64_t pfn, uint64_t end, enum cv_run_kind *kind_out);
/* Pages of each kind in [pfn, end). */
void cv_pagemap_count(const struct cv_pagemap *m, uint64_t pfn, uint64_t end, uint64_t counts_out[CV_RUN_KINDS]);
/* Bytes of data pages around pfn, raw and as stored, all passes together; 0, 0: none. */
void cv_pagemap_density(const struct cv_pagemap *m, uint64_t pfn, uint64_t *raw_out, uint64_t *stored_out);

#endif
