/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/frame.h"

#include <xxhash.h>

/* As PNG does it: a high bit, CR LF, an end-of-file character and LF find transfers in text mode. */
const uint8_t cv_stream_magic[8] = { 0x89, 'C', 'V', 'Y', '\r', '\n', 0x1a, '\n' };

uint64_t cv_body_hash(const void *data, size_t len)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return cv_body_hash_avx2(data, len);
#endif
    return XXH3_64bits(data, len);
}

void cv_body_hash128(const void *data, size_t len, uint8_t out[16])
{
    XXH128_canonical_t canonical;

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        cv_body_hash128_avx2(data, len, out);
        return;
    }
#endif
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, len));
    memcpy(out, canonical.digest, sizeof canonical.digest);
}

uint64_t cv_stream_header_encode(const struct cv_stream_header *h, uint8_t *out)
{
    memset(out, 0, CV_STREAM_HEADER_SIZE);
    memcpy(out, cv_stream_magic, sizeof cv_stream_magic);
    cv_store16(out + 8, h->version);
    cv_store16(out + 10, CV_STREAM_HEADER_SIZE);
    cv_store64(out + 16, h->required_features);
    cv_store64(out + 24, h->optional_features);
    memcpy(out + 32, h->stream_id, sizeof h->stream_id);
    cv_store64(out + 48, h->area_pages);

    uint64_t check = XXH3_64bits(out, CV_STREAM_HEADER_SIZE - 8);
    cv_store64(out + CV_STREAM_HEADER_SIZE - 8, check);
    return check;
}

void cv_stream_header_decode(struct cv_stream_header *h, const uint8_t *in)
{
    h->version = cv_load16(in + 8);
    h->required_features = cv_load64(in + 16);
    h->optional_features = cv_load64(in + 24);
    memcpy(h->stream_id, in + 32, sizeof h->stream_id);
    h->area_pages = cv_load64(in + 48);
}

uint64_t cv_stream_records_at(const struct cv_stream_header *h)
{
    return h->required_features & CV_FEATURE_FIXED_OFFSETS ? (h->area_pages + 1) * CV_AREA_PAGE : CV_STREAM_HEADER_SIZE;
}

uint64_t cv_frame_encode(const struct cv_frame *f, uint64_t chain, uint8_t *out)
{
    cv_store32(out, f->type);
    cv_store32(out + 4, f->tag);
    cv_store64(out + 8, f->length);
    cv_store64(out + 16, f->number);
    cv_store64(out + 24, f->body_hash);

    uint64_t check = XXH3_64bits_withSeed(out, CV_RECORD_HEADER_SIZE - 8, chain);
    cv_store64(out + CV_RECORD_HEADER_SIZE - 8, check);
    return check;
}

bool cv_frame_decode(struct cv_frame *f, uint64_t chain, const uint8_t *in, uint64_t *check_out)
{
    f->type = cv_load32(in);
    f->tag = cv_load32(in + 4);
    f->length = cv_load64(in + 8);
    f->number = cv_load64(in + 16);
    f->body_hash = cv_load64(in + 24);
    *check_out = cv_load64(in + CV_RECORD_HEADER_SIZE - 8);
    return *check_out == XXH3_64bits_withSeed(in, CV_RECORD_HEADER_SIZE - 8, chain);
}
