/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where guest pages come from and where they go: the two ports of the memory pipeline.
 * Implementations: Xen guests (host/xen), files, a seeded generator, models in tests. */
#ifndef CONVOY_MEMORY_PAGES_H
#define CONVOY_MEMORY_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CV_PAGE_SIZE 4096u

/* What a pfn is.  Numbers are those on the wire (docs/stream-format.md, PAGES). */
enum cv_page_type {
    CV_PAGE_DATA = 0,   /* has contents */
    CV_PAGE_ABSENT = 1, /* no page here any more (ballooned out while we watched): depopulate */
    CV_PAGE_BROKEN = 2, /* machine check poisoned it: no contents */
    CV_PAGE_ALLOC = 3,  /* populate, contents do not matter */
    CV_PAGE_ZERO = 4,   /* known to be full of zeros without a look; said by sources only */
};

/* All members are called from several worker threads at once.  A source has map and unmap, or read. */
struct cv_page_source;
struct cv_page_source_ops {
    /* Gives addresses of n <= CV_MAP_MAX pages.  pfns: strictly increasing.
     * types_out[i]: enum cv_page_type; pages_out[i]: address, borrowed until unmap; not looked at unless the
     * type is CV_PAGE_DATA.  *handle_out: what unmap needs (unmap is called once after each map that succeeded).
     * The contents may change at any time while the guest runs (the page is then logged dirty): the pipeline
     * copies every page that is not zero before it compresses or hashes it, and reads that copy only. */
    int (*map)(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, const void **pages_out,
               void **handle_out, struct cv_error *err);
    void (*unmap)(struct cv_page_source *s, void *handle);
    /* Copies instead: the contents of pfns[i] to `to + i * CV_PAGE_SIZE`, for types other than CV_PAGE_DATA anything.
     * For sources whose pages lie somewhere else in any case (a file), or cost less to copy than to map. */
    int (*read)(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, void *to,
                struct cv_error *err);
};
struct cv_page_source {
    const struct cv_page_source_ops *ops;
};

struct cv_page_sink;
struct cv_page_sink_ops {
    /* Makes n pages exist (types DATA) and gives writable addresses, until unmap: every page is then written
     * whole.  Contiguous addresses are the fast case: the pages are decompressed in place.
     * unmap is called once after each map that succeeded, also when the pages could not be filled
     * (the load has then failed and their contents do not matter). */
    int (*map)(struct cv_page_sink *s, const uint64_t *pfns, size_t n, void **pages_out, void **handle_out,
               struct cv_error *err);
    int (*unmap)(struct cv_page_sink *s, void *handle, struct cv_error *err);
    /* Makes n pages exist and read as zero. */
    int (*zero)(struct cv_page_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err);
    /* Pages of the other types: ABSENT depopulates if it was populated by an earlier pass, ALLOC populates. */
    int (*special)(struct cv_page_sink *s, const uint64_t *pfns, const uint8_t *types, size_t n, struct cv_error *err);
};
struct cv_page_sink {
    const struct cv_page_sink_ops *ops;
};

/* At most so many pages in one map/zero/special call. */
#define CV_MAP_MAX 4096u

#endif
