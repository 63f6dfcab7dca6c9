/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a chain of images holds of each page, as a table of hashes: written behind an image's memory (PAGE_HASHES), so
 * that the next image can leave out what has not changed without the image at hand being read.
 *
 * 16 bytes a page, because a page is left out on the word of its hash alone.  A collision restores an old page in the
 * place of a new one, and no check ever finds it.  With 8 bytes a fleet that compares 10^12 changed pages would meet
 * one with a chance of 5 in 10^8: little, but of a fault that nobody could see; with 16 it is 3 in 10^27.  The hash is
 * no proof against somebody who makes collisions on purpose: that is the guest alone, and it spoils its own memory
 * only. */
#ifndef CONVOY_MEMORY_HASHES_H
#define CONVOY_MEMORY_HASHES_H

#include <stdint.h>

#include "memory/pages.h"
#include "memory/pages_codec.h"
#include "stream-format/stream.h"

#define CV_PAGE_HASH 16u

/* { 0 } is empty, and so is what was disposed of.  Memory that no page was written to costs nothing. */
struct cv_hashes {
    uint64_t pfn_count;
    uint8_t *kinds; /* a pfn: enum cv_run_kind + 1; 0 = there is no such page */
    uint8_t *hash;  /* a pfn: CV_PAGE_HASH bytes, of pages of kind DATA */
    uint8_t *fresh; /* a pfn: set since cv_hashes_begin_child */
};

int cv_hashes_init(struct cv_hashes *h, uint64_t pfn_count, struct cv_error *err) CV_CHECKED;
/* To at least pfn_count pages; what is in it stays. */
int cv_hashes_grow(struct cv_hashes *h, uint64_t pfn_count, struct cv_error *err) CV_CHECKED;
void cv_hashes_dispose(struct cv_hashes *h);

/* XXH3-128 of a page in canonical form. */
void cv_page_hash(const void *page, uint8_t out[CV_PAGE_HASH]);

/* A page as it is now.  hash: of kind DATA, else not looked at.  Different pfns: from any threads at once. */
void cv_hashes_set(struct cv_hashes *h, uint64_t pfn, enum cv_run_kind kind, const uint8_t *hash);
bool cv_hashes_same(const struct cv_hashes *h, uint64_t pfn, enum cv_run_kind kind, const uint8_t *hash);
/* Sets the bits of all pages that are there.  bitmap: h->pfn_count bits, rounded up to 64. */
void cv_hashes_add_pages(const struct cv_hashes *h, uint64_t *bitmap);

/* From here on cv_hashes_set is about an image that is based on what is known: its records are to be about that only.
 */
void cv_hashes_begin_child(struct cv_hashes *h);
/* As PAGE_HASHES records.  child: what was set since cv_hashes_begin_child, pages that are gone among it; else all that
 * is there. */
int cv_hashes_put(const struct cv_hashes *h, bool child, struct cv_writer *w, struct cv_error *err) CV_CHECKED;
/* The body of a PAGE_HASHES record, taken apart: *runs_out for cv_pages_next_run; *hashes_out: CV_PAGE_HASH bytes of
 * each page of kind DATA, in their order, borrowed from body.  CV_E_STREAM. */
int cv_hashes_decode(const void *body, size_t len, struct cv_pages *runs_out, const uint8_t **hashes_out,
                     struct cv_error *err) CV_CHECKED;
/* The body of a PAGE_HASHES record into h; its pages are below h->pfn_count.  CV_E_STREAM. */
int cv_hashes_take(struct cv_hashes *h, const void *body, size_t len, struct cv_error *err) CV_CHECKED;

#endif
