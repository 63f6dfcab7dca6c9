/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a PAGES record.  docs/stream-format.md takes its section on PAGES from here.
 *
 * A body lists pages of guest-physical memory in ascending order, as runs of pages of one kind, and carries the
 * contents of those that have any.  All numbers are little-endian.
 *
 *  offset size field        range and meaning
 *       0    4 pass         0 for the first pass over memory; a page sent again in a later pass replaces the
 *                           earlier one.  Never decreases from record to record.
 *       4    1 codec        how the payload is stored: 0 none, 1 zstd
 *       5    1 flags        0 (reserved); anything else is refused
 *       6    2 reserved     0; anything else is refused
 *       8    8 first_pfn    pfn of the first page of the first run
 *      16    8 span         sum of the runs' lengths, >= 1; first_pfn + span <= the pfn limit that MEMORY gives
 *      24    4 runs_length  bytes of run table, 1 to CV_PAGES_RUNS_MAX
 *      28    4 data_pages   pages of kind DATA, 0 to CV_PAGES_MAX
 *      32    4 raw_length   4096 * data_pages
 *      36    4 payload_length
 *                           codec none: = raw_length; codec zstd: 1 to raw_length - 1
 *      40      run table    runs_length bytes
 *       .      payload      payload_length bytes, the last of the body
 *
 * Run table: unsigned LEB128 numbers in the shortest form, each (length << 3) | kind, length >= 1.
 *   kind  0 DATA    contents in the payload
 *         1 ABSENT  no page here any more (ballooned out after an earlier pass had sent it)
 *         2 BROKEN  a page whose contents are lost (machine check)
 *         3 ALLOC   a page whose contents do not matter
 *         4 ZERO    a page full of zero bytes
 *         5 SKIP    not in this record
 *   6 and 7 are refused.  Neighbouring runs differ in kind; the first and the last run are not SKIP, so that
 *   there is one way only to write a list.  At most CV_PAGES_MAX pages other than SKIP are listed.
 * Payload: the contents of all DATA pages in order, back to back.  Codec zstd: exactly one zstd frame (RFC 8878,
 * no skippable frames before or after, no dictionary) whose header states its content size, raw_length.
 * Codec none is used when there is no data page, and where zstd would not make the payload shorter.
 *
 * From record to record: pass does not decrease; within one pass, first_pfn is at least the first_pfn + span of
 * the record before (a page occurs once in each pass).  What a pass does not mention is as an earlier pass left
 * it, and is absent if no pass ever mentions it.  Room for later: several channels, each with this order of its
 * own. */
#ifndef CONVOY_MEMORY_PAGES_CODEC_H
#define CONVOY_MEMORY_PAGES_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "memory/pages.h"
#include "stream-format/bodies.h"

#define CV_PAGES_HEADER CV_PAGES_HEAD_SIZE
#define CV_PAGES_BODY_MAX (CV_PAGES_HEADER + CV_PAGES_RUNS_MAX + CV_PAGES_MAX * CV_PAGE_SIZE)
/* No pfn is this large: guest-physical addresses have at most 64 bits. */
#define CV_PFN_LIMIT (UINT64_C(1) << 52)

/* 0 to 3 are enum cv_page_type. */
/* clang-format off */
enum cv_run_kind { CV_RUN_DATA = 0, CV_RUN_ABSENT = 1, CV_RUN_BROKEN = 2, CV_RUN_ALLOC = 3, CV_RUN_ZERO = 4,
                   CV_RUN_SKIP = 5, CV_RUN_KINDS };
/* clang-format on */

/* A body taken apart.  Pointers are into the body. */
struct cv_pages {
    uint32_t pass;
    uint8_t codec;
    uint64_t first_pfn, span;
    uint32_t data_pages, raw_length;
    const uint8_t *runs, *payload;
    uint32_t runs_length, payload_length;
    uint32_t listed;               /* pages of all kinds but SKIP; decode only */
    uint32_t counts[CV_RUN_KINDS]; /* pages of each kind, SKIP not counted; decode only */
};

/* The fixed part alone, fields checked one against the other but not the run table: cheap, for the thread that
 * only hands bodies on.  len: whole body.  CV_E_STREAM. */
int cv_pages_peek(const void *body, size_t len, uint64_t max_pfn, struct cv_pages *out,
                  struct cv_error *err) CV_CHECKED;

/* Everything but the contents of the payload.  max_pfn: pfns are below it.  CV_E_STREAM. */
int cv_pages_decode(const void *body, size_t len, uint64_t max_pfn, struct cv_pages *out,
                    struct cv_error *err) CV_CHECKED;

/* A run table alone: p has span, data_pages, runs and runs_length, and gets listed and counts.  CV_E_STREAM. */
int cv_pages_check_runs(struct cv_pages *p, struct cv_error *err) CV_CHECKED;

/* The payload of a decoded body into raw (p->raw_length bytes).  dctx: a ZSTD_DCtx.  CV_E_STREAM. */
struct ZSTD_DCtx_s;
int cv_pages_unpack(const struct cv_pages *p, struct ZSTD_DCtx_s *dctx, void *raw, struct cv_error *err) CV_CHECKED;

/* Walks the runs of a decoded body: SKIP runs are passed over.
 * Start with { 0 } in *at; returns false at the end. */
struct cv_run {
    enum cv_run_kind kind;
    uint64_t pfn, length;
};
struct cv_run_walk {
    uint32_t offset;
    uint64_t pfn;
};
bool cv_pages_next_run(const struct cv_pages *p, struct cv_run_walk *at, struct cv_run *out);

/* Writes a run table for n <= CV_PAGES_MAX pages: pfns strictly increasing and below CV_PFN_LIMIT, kinds[i]: enum
 * cv_run_kind but not SKIP.  runs: room for CV_PAGES_RUNS_MAX bytes.  Returns the bytes used. */
uint32_t cv_pages_put_runs(const uint64_t *pfns, const uint8_t *kinds, size_t n, uint8_t *runs);

/* Writes the CV_PAGES_HEADER bytes of the fixed part; the caller puts run table and payload behind it. */
void cv_pages_put_header(const struct cv_pages *p, uint8_t *header);

#endif
