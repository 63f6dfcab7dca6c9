/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PAGES head, PASS_END, DEVICE_STATE, INDEX, END: what structures a stream and carries its bulk. */
#include <xxhash.h>

#include "stream-format/bodies.h"
#include "stream-format/body_util.h"

#define PAGE 4096u

void cv_pages_head_encode(const struct cv_pages_head *v, uint8_t out[CV_PAGES_HEAD_SIZE])
{
    memset(out, 0, CV_PAGES_HEAD_SIZE);
    cv_store32(out, v->pass);
    out[4] = v->codec;
    cv_store64(out + 8, v->first_pfn);
    cv_store64(out + 16, v->span);
    cv_store32(out + 24, v->runs_length);
    cv_store32(out + 28, v->data_pages);
    cv_store32(out + 32, v->raw_length);
    cv_store32(out + 36, v->payload_length);
}

int cv_pages_head_decode(struct cv_pages_head *v, const void *head, size_t head_len, uint64_t body_len,
                         struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(head, head_len);

    v->pass = cv_cur_u32(&c);
    v->codec = cv_cur_u8(&c);
    uint8_t flags = cv_cur_u8(&c);
    uint16_t reserved = cv_cur_u16(&c);
    v->first_pfn = cv_cur_u64(&c);
    v->span = cv_cur_u64(&c);
    v->runs_length = cv_cur_u32(&c);
    v->data_pages = cv_cur_u32(&c);
    v->raw_length = cv_cur_u32(&c);
    v->payload_length = cv_cur_u32(&c);
    if (!cv_cur_ok(&c))
        return cv_body_fail(err, "shorter than its fields");
    if (flags != 0 || reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    if (v->span == 0 || v->span > CV_PFN_COUNT_MAX || v->first_pfn > CV_PFN_COUNT_MAX - v->span)
        return cv_body_fail(err, "%llu pages from pfn %#llx on", (unsigned long long)v->span,
                            (unsigned long long)v->first_pfn);
    if (v->data_pages > v->span || v->data_pages > CV_PAGES_MAX || v->raw_length != PAGE * v->data_pages)
        return cv_body_fail(err, "%u data pages of %u bytes", v->data_pages, v->raw_length);
    if (v->runs_length == 0 || v->runs_length > CV_PAGES_RUNS_MAX)
        return cv_body_fail(err, "run table of %u bytes", v->runs_length);
    if (v->codec > CV_CODEC_ZSTD || (v->codec == CV_CODEC_NONE && v->payload_length != v->raw_length) ||
        (v->codec == CV_CODEC_ZSTD && (v->payload_length == 0 || v->payload_length >= v->raw_length)))
        return cv_body_fail(err, "codec %u, payload of %u bytes for %u", v->codec, v->payload_length, v->raw_length);
    if ((uint64_t)CV_PAGES_HEAD_SIZE + v->runs_length + v->payload_length != body_len)
        return cv_body_fail(err, "run table of %u and payload of %u bytes in a body of %llu", v->runs_length,
                            v->payload_length, (unsigned long long)body_len);
    return 0;
}

int cv_rec_pass_end_encode(const struct cv_rec_pass_end *v, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };
    size_t start = out->len;
    struct cv_rec_pass_end again;

    cv_put_u32(&p, v->pass);
    cv_put_u32(&p, v->flags);
    cv_put_u64(&p, v->records);
    cv_put_u64(&p, v->data_pages);
    cv_put_u64(&p, v->pages);
    cv_put_u64(&p, v->dirty_left);
    cv_put_u64(&p, v->duration_us);
    return p.rc < 0 ? -1 : cv_encoded(cv_rec_pass_end_decode(&again, out->data + start, out->len - start, err), err);
}

int cv_rec_pass_end_decode(struct cv_rec_pass_end *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->pass = cv_cur_u32(&c);
    v->flags = cv_cur_u32(&c);
    v->records = cv_cur_u64(&c);
    v->data_pages = cv_cur_u64(&c);
    v->pages = cv_cur_u64(&c);
    v->dirty_left = cv_cur_u64(&c);
    v->duration_us = cv_cur_u64(&c);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (v->flags & ~CV_PASS_LAST)
        return cv_body_fail(err, "flags 0x%x", v->flags);
    if (v->data_pages > v->pages)
        return cv_body_fail(err, "%llu data pages among %llu", (unsigned long long)v->data_pages,
                            (unsigned long long)v->pages);
    if (v->flags & CV_PASS_LAST && v->dirty_left != 0)
        return cv_body_fail(err, "the last pass leaves %llu pages dirty", (unsigned long long)v->dirty_left);
    return 0;
}

static void blob_digest(const void *blob, size_t len, uint8_t out[16])
{
    XXH128_canonical_t digest;

    XXH128_canonicalFromHash(&digest, XXH3_128bits(blob, len));
    memcpy(out, digest.digest, 16);
}

int cv_rec_device_state_head(const struct cv_rec_device_state *v, uint8_t out[CV_DEVICE_STATE_HEAD],
                             struct cv_error *err)
{
    if (v->dmid >= CV_EMULATORS_MAX || v->format > CV_STATE_FORMAT_MAX)
        return cv_encode_fail(err, "dmid %u, format %u", v->dmid, v->format);
    if (v->blob_len == 0 || v->blob_len > CV_DEVICE_STATE_MAX - CV_DEVICE_STATE_HEAD)
        return cv_encode_fail(err, "device state of %llu bytes", (unsigned long long)v->blob_len);
    cv_store32(out, v->dmid);
    cv_store32(out + 4, v->format);
    cv_store64(out + 8, v->blob_len);
    blob_digest(v->blob, (size_t)v->blob_len, out + 16);
    return 0;
}

int cv_rec_device_state_head_decode(struct cv_rec_device_state *v, const uint8_t head[CV_DEVICE_STATE_HEAD],
                                    uint64_t body_len, struct cv_error *err)
{
    v->dmid = cv_load32(head);
    v->format = cv_load32(head + 4);
    v->blob = NULL;
    v->blob_len = cv_load64(head + 8);
    memcpy(v->digest, head + 16, sizeof v->digest);
    if (v->blob_len == 0 || v->blob_len != body_len - CV_DEVICE_STATE_HEAD)
        return cv_body_fail(err, "device state of %llu bytes in a body of %llu", (unsigned long long)v->blob_len,
                            (unsigned long long)body_len);
    if (v->dmid >= CV_EMULATORS_MAX || v->format > CV_STATE_FORMAT_MAX)
        return cv_body_fail(err, "dmid %u, format %u", v->dmid, v->format);
    return 0;
}

int cv_rec_device_state_decode(struct cv_rec_device_state *v, const void *body, size_t len, struct cv_error *err)
{
    uint8_t digest[16];

    if (len < CV_DEVICE_STATE_HEAD)
        return cv_body_fail(err, "shorter than its fields");
    if (cv_rec_device_state_head_decode(v, body, len, err) < 0)
        return -1;
    v->blob = (const uint8_t *)body + CV_DEVICE_STATE_HEAD;
    blob_digest(v->blob, (size_t)v->blob_len, digest);
    return memcmp(digest, v->digest, sizeof digest) == 0 ? 0 : cv_body_fail(err, "digest of the device state differs");
}

int cv_index_entry_encode(const struct cv_index_entry *e, struct cv_buf *out, struct cv_error *err)
{
    struct cv_put p = { out, err, 0 };

    cv_put_u64(&p, e->offset);
    cv_put_u64(&p, e->number);
    cv_put_u32(&p, e->type);
    cv_put_u32(&p, e->tag);
    cv_put_u64(&p, e->key);
    cv_put_u64(&p, e->chain);
    return p.rc;
}

struct cv_index_entry cv_index_at(const struct cv_rec_index *v, uint32_t i)
{
    const uint8_t *p = v->entries + (size_t)CV_INDEX_ENTRY_SIZE * i;
    return (struct cv_index_entry){ .offset = cv_load64(p),
                                    .number = cv_load64(p + 8),
                                    .type = cv_load32(p + 16),
                                    .tag = cv_load32(p + 20),
                                    .key = cv_load64(p + 24),
                                    .chain = cv_load64(p + 32) };
}

int cv_rec_index_decode(struct cv_rec_index *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->count = cv_cur_u32(&c);
    uint32_t reserved = cv_cur_u32(&c);
    if (v->count > CV_INDEX_ENTRIES_MAX)
        return cv_body_fail(err, "%u entries", v->count);
    v->entries = cv_cur_bytes(&c, (size_t)CV_INDEX_ENTRY_SIZE * v->count);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    if (reserved != 0)
        return cv_body_fail(err, "reserved field is not 0");
    for (uint32_t i = 0; i < v->count; i++) {
        struct cv_index_entry e = cv_index_at(v, i);
        struct cv_index_entry before = i ? cv_index_at(v, i - 1) : (struct cv_index_entry){ 0 };
        if (e.offset < CV_STREAM_HEADER_SIZE || e.offset % CV_RECORD_ALIGN != 0 ||
            (i && (e.offset < before.offset + CV_RECORD_HEADER_SIZE || e.number <= before.number)))
            return cv_body_fail(err, "entry %u", i);
    }
    return 0;
}

void cv_rec_end_encode(const struct cv_rec_end *v, uint8_t out[CV_END_SIZE])
{
    cv_store64(out, v->records);
    cv_store64(out + 8, v->bytes);
    cv_store64(out + 16, v->data_pages);
    cv_store64(out + 24, v->index_offset);
    memcpy(out + 32, v->digest, sizeof v->digest);
}

int cv_rec_end_decode(struct cv_rec_end *v, const void *body, size_t len, struct cv_error *err)
{
    struct cv_cursor c = cv_cursor(body, len);

    v->records = cv_cur_u64(&c);
    v->bytes = cv_cur_u64(&c);
    v->data_pages = cv_cur_u64(&c);
    v->index_offset = cv_cur_u64(&c);
    const uint8_t *digest = cv_cur_bytes(&c, sizeof v->digest);
    if (cv_body_finish(&c, err) < 0)
        return -1;
    memcpy(v->digest, digest, sizeof v->digest);
    return 0;
}
