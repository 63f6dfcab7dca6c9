/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The area of an image of fixed layout: the contents of pages at places that follow from their pfns, zero pages as
 * holes.
 *
 *   written  by every worker of a saver (cv_mem_options.fixed), past the page cache where the file system can
 *   read     by every worker of a loader, likewise, in any order; each page is held against its hash in PAGE_HASHES
 *
 * An unchanged page has the same bytes at the same place in each image of a guest.  The records are the stream's own
 * (stream-format/): PLACES says which pfns have places, PAGE_HASHES which of them hold anything. */
#ifndef CONVOY_MEMORY_FIXED_H
#define CONVOY_MEMORY_FIXED_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/pages.h"
#include "memory/pages_codec.h"
#include "stream-format/bodies.h"
#include "stream-format/stream.h"

struct cv_fixed_extent {
    uint64_t first_pfn, pages, slot; /* slot: of first_pfn; the area's first one is 0 */
};

/* { 0 } is closed, and so is what was disposed of. */
struct cv_fixed {
    struct cv_fixed_extent *extents; /* ascending; count of them */
    unsigned count;
    uint64_t area_pages;
    struct cv_area_source file; /* borrowed */
    int direct;                 /* another description of the file, past the page cache if it can be; -1 = none */
    uint64_t *written;          /* of what is written: bit per slot, set with atomics */
    uint64_t from, to;          /* a loader passes over pages outside of [from, to) */
    uint64_t bytes;             /* moved so far, with atomics */
    uint64_t checked_to;        /* cv_fixed_check_gap has been here */
};

/* Places alone. f: to be disposed of in any case. */
int cv_fixed_init(struct cv_fixed *f, const struct cv_rec_places *places, struct cv_error *err) CV_CHECKED;
int cv_fixed_open_write(struct cv_fixed *f, int fd, struct cv_error *err) CV_CHECKED;
void cv_fixed_open_read(struct cv_fixed *f, struct cv_area_source file);
void cv_fixed_dispose(struct cv_fixed *f);
/* A PLACES record that r has read, all at once. */
int cv_fixed_take(struct cv_fixed *f, const struct cv_reader *r, const struct cv_record *places,
                  struct cv_error *err) CV_CHECKED;
static inline bool cv_fixed_is_open(const struct cv_fixed *f) { return f->extents != NULL; }

/* n <= CV_MAP_MAX pages of these pfns (ascending), which lie at pages one behind the other, aligned to CV_PAGE_SIZE.
 * CV_E_IO; CV_E_UNSUPPORTED: a page has no place. Any number of threads, different pages. */
int cv_fixed_write(struct cv_fixed *f, const uint64_t *pfns, size_t n, const uint8_t *pages,
                   struct cv_error *err) CV_CHECKED;
/* A page that has no contents any more: what was written at its place becomes a hole again. */
int cv_fixed_clear(struct cv_fixed *f, uint64_t pfn, struct cv_error *err) CV_CHECKED;

/* n <= CV_MAP_MAX pages of these pfns (ascending) to `to`, one behind the other, aligned as above, and hashes, 16 bytes
 * each, that they are to have.  CV_E_IO; CV_E_STREAM ("hash: page 0x1234 ..."): damaged, or it has no place. */
int cv_fixed_read(struct cv_fixed *f, const uint64_t *pfns, size_t n, uint8_t *to, const uint8_t *hashes,
                  struct cv_error *err) CV_CHECKED;
/* The next pages that have contents: places between those of the last call and theirs must be empty.  pages 0: there
 * are no more.  In ascending order, one thread.  CV_E_STREAM ("area: ..."). */
int cv_fixed_check_gap(struct cv_fixed *f, uint64_t pfn, uint64_t pages, struct cv_error *err) CV_CHECKED;

#endif
