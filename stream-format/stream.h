/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing and reading a convoy stream: one pass, no seeking, on a file, a pipe or a socket; but for streams of fixed
 * layout, which are files with the contents of pages in an area of their own, and which memory/fixed.h is about.
 * The authority for the bytes is docs/stream-format.md; the one list of records is records.def.
 * This folder knows nothing of Xen or QEMU: bodies are bytes, and what may follow what is a table. */
#ifndef CONVOY_STREAM_FORMAT_STREAM_H
#define CONVOY_STREAM_FORMAT_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/bytes.h"
#include "base/cancel.h"
#include "base/error.h"

#include "stream-format/records.h" /* enum cv_record_type, cv_record_name(), limits: from records.def */

struct cv_stream_header {
    uint16_t version;           /* CV_STREAM_VERSION when written */
    uint64_t required_features; /* an unknown bit: refuse (CV_E_STREAM_VERSION) */
    uint64_t optional_features; /* an unknown bit: ignore */
    uint8_t stream_id[16];      /* random: seeds the checksum chain, so that records of two streams never mix */
    uint64_t area_pages;        /* CV_FEATURE_FIXED_OFFSETS: places between header and records; else 0 */
};
/* Where the records begin. */
uint64_t cv_stream_records_at(const struct cv_stream_header *h);

/* ---- writer ---------------------------------------------------------------------------------------------- */
struct cv_writer;

struct cv_writer_options {
    int64_t stall_ms;         /* no byte accepted by fd for so long: CV_E_TIMEOUT; 0 = wait for ever */
    struct cv_cancel *cancel; /* borrowed, may be NULL */
    uint64_t required_features, optional_features;
    uint64_t area_pages; /* with CV_FEATURE_FIXED_OFFSETS: fd is a regular file, which is made so long that they fit */
    bool index;          /* collect an INDEX record before END (files; bounded memory) */
    const uint8_t *stream_id; /* 16 bytes: the same stream twice; NULL = random */
};

/* Writes the header.  fd is borrowed until cv_writer_free; a pipe or socket that blocks heeds stall_ms and cancel, too.
 * A stream of memory alone (benchmarks, tests): required_features = CV_FEATURE_MEMORY_ONLY, then MEMORY, PAGES...,
 * PASS_END; its reader sets accept_features. */
int cv_writer_new(struct cv_writer **w_out, int fd, const struct cv_writer_options *opt,
                  struct cv_error *err) CV_CHECKED;

/* Writes one record; order, limits and fixed parts are checked against what the reader checks (CV_E_INTERNAL), so that
 * no stream is written that would not be read.  iov and its bytes are only read.  At most CV_WRITER_PIECES pieces.
 * The header's tag is taken from the body (records.def).  After a failure the writer refuses everything but free:
 * the stream is broken off, and without END no reader takes it.  Single-threaded. */
#define CV_WRITER_PIECES 8
int cv_writer_put(struct cv_writer *w, enum cv_record_type type, const struct iovec *body, int count,
                  struct cv_error *err) CV_CHECKED;
/* The same with the body's hash computed elsewhere (cv_body_hash), e.g. by a worker while it is in its cache. */
int cv_writer_put_hashed(struct cv_writer *w, enum cv_record_type type, const struct iovec *body, int count,
                         uint64_t body_hash, struct cv_error *err) CV_CHECKED;
uint64_t cv_body_hash(const void *data, size_t len);
/* XXH3-128 in canonical form. */
void cv_body_hash128(const void *data, size_t len, uint8_t out[16]);

/* INDEX (if wanted) and END with totals and digest. Nothing may be put afterwards. */
int cv_writer_finish(struct cv_writer *w, struct cv_error *err) CV_CHECKED;
uint64_t cv_writer_bytes(const struct cv_writer *w);      /* bytes written so far */
uint64_t cv_writer_data_pages(const struct cv_writer *w); /* pages with contents so far, as END will have them */
uint64_t cv_writer_blocked_ns(const struct cv_writer *w); /* time spent waiting in write: the output's speed */
uint64_t cv_writer_records(const struct cv_writer *w);    /* records written so far */
void cv_writer_free(struct cv_writer *w);                 /* NULL is fine; writes nothing */

/* ---- reader ---------------------------------------------------------------------------------------------- */
struct cv_reader;

struct cv_record {
    enum cv_record_type type;
    uint32_t raw_type; /* as on the wire: an unknown optional record keeps its number */
    uint32_t tag;      /* PAGES, PASS_END: pass; DEVICE_STATE: dmid; else 0 */
    bool known;        /* false: unknown optional record, only its hash was checked: skip it */
    uint64_t number;   /* 0 for the first record after the header */
    uint64_t offset;   /* of the record's header in the stream, bytes */
    uint64_t body_hash;
    bool body_checked;  /* false only with defer_hash: whoever uses the body checks it first */
    struct cv_buf body; /* owned by the caller: take it (cv_buf_take) or let cv_reader_next use it again */
};
/* Start with { 0 }: cv_reader_next reuses what body holds.  Dispose when done; twice is safe. */
static inline void cv_record_dispose(struct cv_record *rec) { cv_buf_dispose(&rec->body); }
#define CV_AUTO_RECORD __attribute__((cleanup(cv_record_dispose))) struct cv_record

struct cv_reader_options {
    int64_t stall_ms;
    struct cv_cancel *cancel;
    bool defer_hash_of_pages; /* PAGES bodies are handed out unchecked; cv_record_check() does it on a worker */
    bool stays_open;          /* a conversation: END is not followed by the end of the file, do not wait for it */
    uint64_t accept_features; /* required features that the caller can handle (CV_FEATURE_MEMORY_ONLY) */
};

/* Reads and checks the header.  fd is borrowed.  Errors: CV_E_STREAM (no stream, truncated, damaged), CV_E_UNSUPPORTED
 * (a file of another kind that is known: it is named), CV_E_STREAM_VERSION (version or required feature unknown),
 * CV_E_IO, CV_E_TIMEOUT, CV_E_CANCELLED.  A stream of fixed layout has to begin where fd's file begins; the contents of
 * its pages are not read: PAGE_HASHES records say what they are, and cv_reader_area where. */
int cv_reader_new(struct cv_reader **r_out, int fd, const struct cv_reader_options *opt,
                  struct cv_error *err) CV_CHECKED;
/* The same over a stream that lies in memory (a mapped file, a test): data is borrowed until cv_reader_free. */
int cv_reader_new_memory(struct cv_reader **r_out, const void *data, size_t len, const struct cv_reader_options *opt,
                         struct cv_error *err) CV_CHECKED;
const struct cv_stream_header *cv_reader_header(const struct cv_reader *r);

/* The next record, checked: header chain, order table, limits before allocation, padding, hash, and the body by its
 * decoder (bodies.h; of PAGES the fixed head only).  Memory stays below twice what arrived plus 1 MiB, whatever a
 * header claims.
 * Returns 1 with *rec filled, 0 after a correct END (with totals and digest; and nothing follows it), -1 with err.
 * Every stream error is "record 3 PAGES at offset 4711: <rule>: <text>"; the rules are in docs/stream-format.md, 6.
 * After 0 or -1 there is nothing more to read. */
int cv_reader_next(struct cv_reader *r, struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* Checks a deferred body; thread-safe. */
int cv_record_check(const struct cv_record *rec, struct cv_error *err) CV_CHECKED;
/* Prepends "record 12 PAGES at offset 4711" ("record 20 DEVICE_STATE dmid 2 at offset 815") to a fault found inside a
 * body.  Returns -1. */
int cv_record_context(const struct cv_record *rec, struct cv_error *err);
uint64_t cv_reader_bytes(const struct cv_reader *r); /* bytes read so far */
/* The file or the memory that the reader was made for, whole. */
struct cv_area_source {
    int fd;                /* borrowed; -1: it lies in memory */
    const uint8_t *memory; /* borrowed */
    size_t len;            /* of memory */
};
struct cv_area_source cv_reader_area(const struct cv_reader *r);
/* What END said, once cv_reader_next returned 0; NULL before. */
struct cv_rec_end;
const struct cv_rec_end *cv_reader_end(const struct cv_reader *r);
void cv_reader_free(struct cv_reader *r); /* NULL is fine */

#endif
