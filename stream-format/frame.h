/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frame round the bodies: stream header and record headers, and the checks that chain them.
 * Private to stream-format/ and its tests. */
#ifndef CONVOY_STREAM_FORMAT_FRAME_H
#define CONVOY_STREAM_FORMAT_FRAME_H

#include <stdint.h>

#include "stream-format/stream.h"

extern const uint8_t cv_stream_magic[8];

/* A record header as on the wire, without its check. */
struct cv_frame {
    uint32_t type, tag;
    uint64_t length, number, body_hash;
};

/* out: CV_STREAM_HEADER_SIZE bytes.  Returns the header's check: the first link of the chain. */
uint64_t cv_stream_header_encode(const struct cv_stream_header *h, uint8_t *out);
/* in: the bytes that cv_stream_header_encode wrote, whole and with a right check. */
void cv_stream_header_decode(struct cv_stream_header *h, const uint8_t *in);

/* out: CV_RECORD_HEADER_SIZE bytes.  chain: check of the header before.  Returns this header's check. */
uint64_t cv_frame_encode(const struct cv_frame *f, uint64_t chain, uint8_t *out);
/* Always fills f.  Returns whether the check fits the chain; *check_out is then the next link. */
bool cv_frame_decode(struct cv_frame *f, uint64_t chain, const uint8_t *in, uint64_t *check_out);

/* cv_body_hash on a processor with AVX2. */
uint64_t cv_body_hash_avx2(const void *data, size_t len);
void cv_body_hash128_avx2(const void *data, size_t len, uint8_t out[16]);

/* Zero bytes after a body. */
static inline size_t cv_frame_padding(uint64_t length) { return (size_t)(-length & (CV_RECORD_ALIGN - 1)); }

#endif
