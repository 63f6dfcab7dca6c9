/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream taken apart into records and put together again with right checks and without the writer's order table:
 * for making streams that no writer of ours would write. */
#ifndef CONVOY_TESTS_SUPPORT_RAW_STREAM_H
#define CONVOY_TESTS_SUPPORT_RAW_STREAM_H

#include "base/bytes.h"
#include "stream-format/frame.h"

#define RAW_RECORDS_MAX 256

struct raw_record {
    uint32_t type, tag;
    struct cv_buf body; /* owned */
    /* Added to what would be right, so that 0 leaves it right. */
    uint64_t number_error, length_error, hash_error, check_error;
    uint8_t padding; /* value of the padding bytes */
};

struct raw_stream {
    struct cv_stream_header header;
    struct cv_buf area; /* owned: what lies between header and records; of fixed layout */
    struct raw_record record[RAW_RECORDS_MAX];
    size_t count;
    bool keep_end; /* put END's body as it is instead of with right totals and digest */
};

/* data: a stream whose lengths make sense; checks are not looked at.  Returns -1 if it makes no sense. */
int raw_parse(struct raw_stream *s, const uint8_t *data, size_t len);
void raw_emit(const struct raw_stream *s, struct cv_buf *out);
void raw_dispose(struct raw_stream *s);

/* Index of the n-th record (from 0) of a type; aborts if there is none. */
size_t raw_find(const struct raw_stream *s, uint32_t type, size_t n);
/* body is copied. */
void raw_insert(struct raw_stream *s, size_t at, uint32_t type, uint32_t tag, const void *body, size_t len);
void raw_remove(struct raw_stream *s, size_t at);
void raw_swap(struct raw_stream *s, size_t a, size_t b);

#endif
