/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small whole streams made from a seed with the real writer: every record type, small bodies. */
#ifndef CONVOY_TESTS_SUPPORT_SAMPLE_STREAM_H
#define CONVOY_TESTS_SUPPORT_SAMPLE_STREAM_H

#include "base/bytes.h"
#include "stream-format/stream.h"

struct sample_options {
    uint64_t seed;          /* contents and stream_id */
    unsigned emulators;     /* 1 to 8; 0 = a memory-only stream, but of pvh */
    bool pvh;               /* a PVH guest: 0 or 1 */
    unsigned passes;        /* 1 or more */
    unsigned pages_records; /* in each pass */
    bool index, notes;
    bool devices;  /* guests: a DEVICES record */
    bool parent;   /* incremental: based on another image */
    bool hashes;   /* hashes of some pages */
    bool fixed;    /* of fixed layout: these pages are in an area; no parent, no PAGES */
    bool freeze;   /* guests: a command ran while it stood still */
    unsigned zstd; /* 0: no PAGES packed, 1: every other one, 2: all */
};

/* Appends the stream to *out.  Aborts on failure: it has to work. */
void sample_stream(struct cv_buf *out, const struct sample_options *opt);

/* Body of a PAGES record of `pages` (1 to 6) pages from first_pfn on, of these about half data, the others zero. */
void sample_pages(struct cv_buf *out, uint64_t seed, uint32_t pass, uint64_t first_pfn, unsigned pages, bool zstd);

/* A reader over it with what a sample needs. */
struct cv_reader *sample_reader(const struct cv_buf *stream, struct cv_error *err);

#endif
