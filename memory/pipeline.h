/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guest memory to PAGES records and back, on several threads with bounded memory.
 *
 * Save: pfns are cut into batches that depend only on the pfns and their contents, never on the number of
 * workers; each worker maps a batch, finds its zero pages, packs and compresses the rest and hashes the body;
 * the calling thread writes the records in order.  The bytes are the same for any number of workers.
 * Load: the calling thread reads records in order; workers check, decompress and write into mapped pages.
 * A page may be sent again in a later pass: cv_loader_barrier separates the passes. */
#ifndef CONVOY_MEMORY_PIPELINE_H
#define CONVOY_MEMORY_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "memory/pages.h"
#include "stream-format/bodies.h"
#include "stream-format/stream.h"

struct cv_hashes;
struct cv_fixed;

struct cv_mem_options {
    unsigned threads; /* workers; 0 = work inline on the calling thread */
    enum cv_codec codec;
    int level;                /* zstd level; used when codec is ZSTD.  Level 1 is the one to use for speed */
    struct cv_cancel *cancel; /* borrowed, may be NULL */
    /* Fixed layout: pages go to, and come from, the area of a file (memory/fixed.h), and PAGE_HASHES records (save: by
     * cv_hashes_put, so that hashes is wanted too) are in the place of PAGES.  codec is NONE.  Borrowed, NULL = no. */
    struct cv_fixed *fixed;
    struct cv_hashes *hashes; /* save: learns what is sent of every page; borrowed, NULL = nobody wants to know */
};

/* "none", "zstd", "zstd:3", "zstd:-5", "auto" */
int cv_mem_parse_compress(const char *text, struct cv_mem_options *opt, struct cv_error *err) CV_CHECKED;
/* Threads and level within their limits.  CV_E_INVALID. */
int cv_mem_check_options(const struct cv_mem_options *opt, struct cv_error *err) CV_CHECKED;
#define CV_MEM_THREADS_MAX 64u

struct cv_mem_stats {
    uint64_t pages, zero_pages, absent_pages; /* as sent, all passes */
    uint64_t bytes_raw;                       /* 4096 * pages with data that is not zero */
    uint64_t bytes_out;                       /* PAGES records, bodies and headers */
    uint64_t records;
};

/* ---- save ---- */
struct cv_saver;
int cv_saver_new(struct cv_saver **s_out, struct cv_page_source *source, struct cv_writer *writer,
                 const struct cv_mem_options *opt, struct cv_error *err) CV_CHECKED;
/* One pass over the pfns whose bit is set in bitmap (bit i = pfn i, ceil(pfn_count/8) bytes rounded up to 8;
 * NULL = all of [0, pfn_count)).  Blocks until every record of the pass is written.
 * progress may be NULL; called on the calling thread now and then with pages done in this pass.
 * Its result: 0 go on, 1 stop this pass here without an error (what was not sent stays the caller's to send:
 * bits from cv_saver_next_pfn on).  After an error the saver only fails again, with the same error. */
int cv_saver_pass(struct cv_saver *s, uint32_t pass, const uint64_t *bitmap, uint64_t pfn_count,
                  int (*progress)(void *user, const struct cv_mem_stats *now), void *user,
                  struct cv_error *err) CV_CHECKED;
/* Looks at the pages of bitmap and sets the bits in changed_out (as large, all 0) of those that differ from what
 * opt->hashes knows of them.  Nothing is written, and hashes stay as they are.  Errors as for a pass. */
int cv_saver_compare(struct cv_saver *s, const uint64_t *bitmap, uint64_t pfn_count, uint64_t *changed_out,
                     struct cv_error *err) CV_CHECKED;
/* Writes the PASS_END record of the last pass.  last: the guest is stopped and no more pages follow.
 * dirty_left: pages known to need another pass, 0 with last.  duration_us: how long the pass took, for whoever
 * inspects the image; 0 where the same memory is to give the same bytes. */
int cv_saver_pass_end(struct cv_saver *s, bool last, uint64_t dirty_left, uint64_t duration_us,
                      struct cv_error *err) CV_CHECKED;
/* The first pfn that the last pass did not get to: pfn_count unless it was stopped.  Every set bit below was sent. */
uint64_t cv_saver_next_pfn(const struct cv_saver *s);
const struct cv_mem_stats *cv_saver_stats(const struct cv_saver *s);
void cv_saver_free(struct cv_saver *s); /* joins the workers */

/* ---- load ---- */
struct cv_loader;
/* sink NULL: everything is checked and decompressed, nothing is stored (convoy verify). */
int cv_loader_new(struct cv_loader **l_out, struct cv_page_sink *sink, uint64_t max_pfn,
                  const struct cv_mem_options *opt, struct cv_error *err) CV_CHECKED;
/* Takes the body of a PAGES record, of fixed layout a PAGE_HASHES record (rec->body becomes empty).  A fault in an
 * earlier record may be reported here. */
int cv_loader_record(struct cv_loader *l, struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* Waits until everything handed in is stored. */
int cv_loader_barrier(struct cv_loader *l, struct cv_error *err) CV_CHECKED;
/* Takes a PASS_END record: waits like cv_loader_barrier, then compares the pass with what it announces. */
int cv_loader_pass_end(struct cv_loader *l, const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* Fixed layout: the last PAGE_HASHES record was taken.  Waits, and without a sink looks whether the area holds nothing
 * else.  Layouts that are not fixed: waits. */
int cv_loader_end(struct cv_loader *l, struct cv_error *err) CV_CHECKED;
/* Complete after a barrier. */
const struct cv_mem_stats *cv_loader_stats(const struct cv_loader *l);
void cv_loader_free(struct cv_loader *l);

#endif
