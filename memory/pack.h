/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One batch of guest pages into the body of one PAGES record: what a worker of the saver does. */
#ifndef CONVOY_MEMORY_PACK_H
#define CONVOY_MEMORY_PACK_H

#include <sys/uio.h>

#include "memory/batch.h"
#include "memory/fixed.h"
#include "memory/hashes.h"
#include "memory/pages.h"
#include "memory/pages_codec.h"
#include "memory/pipeline.h"

/* In: pass to n.  Out: the rest.  buffer is owned by the batch and may be swapped for another by cv_pack. */
struct cv_batch {
    uint32_t pass;
    uint8_t codec; /* CV_CODEC_NONE or CV_CODEC_ZSTD */
    int level;
    size_t n; /* 1 to CV_BATCH_PAGES */
    uint64_t pfns[CV_BATCH_PAGES];
    uint8_t *buffer;   /* cv_pack_buffer_new */
    struct iovec body; /* in buffer */
    uint64_t body_hash;
    struct cv_pages head; /* what went into the fixed part */
    uint32_t counts[CV_RUN_KINDS];
    struct cv_fixed *fixed;          /* cv_pack puts the pages there, and there is no body; NULL: it makes one */
    struct cv_hashes *hashes;        /* learn what was packed; NULL: not wanted */
    bool compare;                    /* cv_compare instead of cv_pack */
    uint8_t changed[CV_BATCH_PAGES]; /* cv_compare: page i differs from what hashes know */
};

struct cv_packer;
/* source: borrowed.  One for each thread. */
int cv_packer_new(struct cv_packer **p_out, struct cv_page_source *source, struct cv_error *err) CV_CHECKED;
void cv_packer_free(struct cv_packer *p);

/* The bytes of b->body depend on the batch's pages, codec and level only. */
int cv_pack(struct cv_packer *p, struct cv_batch *b, struct cv_error *err) CV_CHECKED;

/* In: pfns, n, hashes.  Out: changed. */
int cv_compare(struct cv_packer *p, struct cv_batch *b, struct cv_error *err) CV_CHECKED;

uint8_t *cv_pack_buffer_new(void); /* NULL: out of memory */
void cv_pack_buffer_free(uint8_t *buffer);

#endif
