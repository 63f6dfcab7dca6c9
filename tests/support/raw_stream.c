/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/raw_stream.h"

#include <stdlib.h>
#include <xxhash.h>

#include "stream-format/bodies.h"

static void must(int rc)
{
    if (rc < 0)
        abort();
}

int raw_parse(struct raw_stream *s, const uint8_t *data, size_t len)
{
    *s = (struct raw_stream){ 0 };
    if (len < CV_STREAM_HEADER_SIZE)
        return -1;
    cv_stream_header_decode(&s->header, data);
    uint64_t records_at = cv_stream_records_at(&s->header);
    if (s->header.area_pages > len || records_at > len)
        return -1;
    must(cv_buf_append(&s->area, data + CV_STREAM_HEADER_SIZE, (size_t)records_at - CV_STREAM_HEADER_SIZE, NULL));
    for (size_t at = (size_t)records_at; at < len; s->count++) {
        struct cv_frame f;
        uint64_t check;
        if (len - at < CV_RECORD_HEADER_SIZE || s->count == RAW_RECORDS_MAX)
            return -1;
        cv_frame_decode(&f, 0, data + at, &check);
        at += CV_RECORD_HEADER_SIZE;
        if (f.length > len - at || cv_frame_padding(f.length) > len - at - f.length)
            return -1;
        struct raw_record *r = &s->record[s->count];
        r->type = f.type;
        r->tag = f.tag;
        must(cv_buf_append(&r->body, data + at, (size_t)f.length, NULL));
        at += (size_t)f.length + cv_frame_padding(f.length);
    }
    return 0;
}

void raw_dispose(struct raw_stream *s)
{
    for (size_t i = 0; i < RAW_RECORDS_MAX; i++)
        cv_buf_dispose(&s->record[i].body);
    cv_buf_dispose(&s->area);
    s->count = 0;
}

/* What END has to say about everything in front of it. */
static void end_body(const struct raw_stream *s, const struct cv_buf *out, uint64_t index_offset, XXH3_state_t *digest,
                     uint8_t body[CV_END_SIZE])
{
    struct cv_rec_end end = { .records = s->count - 1, .bytes = out->len, .index_offset = index_offset };
    XXH128_canonical_t canonical;

    for (size_t i = 0; i < s->count; i++)
        if (s->record[i].type == CV_REC_PAGES && s->record[i].body.len >= CV_PAGES_HEAD_SIZE)
            end.data_pages += cv_load32(s->record[i].body.data + 28);
        else if (s->header.required_features & CV_FEATURE_FIXED_OFFSETS && s->record[i].type == CV_REC_PAGE_HASHES &&
                 s->record[i].body.len >= CV_HASHES_HEAD_SIZE)
            end.data_pages += cv_load32(s->record[i].body.data + 20);
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(digest));
    memcpy(end.digest, canonical.digest, sizeof end.digest);
    cv_rec_end_encode(&end, body);
}

void raw_emit(const struct raw_stream *s, struct cv_buf *out)
{
    uint8_t header[CV_STREAM_HEADER_SIZE], frame[CV_RECORD_HEADER_SIZE], end[CV_END_SIZE], pad[8];
    XXH3_state_t *digest = XXH3_createState();
    uint64_t chain = cv_stream_header_encode(&s->header, header), index_offset = 0;

    out->len = 0;
    must(cv_buf_append(out, header, sizeof header, NULL));
    must(cv_buf_append(out, s->area.data, s->area.len, NULL));
    XXH3_128bits_reset(digest);
    XXH3_128bits_update(digest, header, sizeof header);
    for (size_t i = 0; i < s->count; i++) {
        const struct raw_record *r = &s->record[i];
        const uint8_t *body = r->body.data;
        if (r->type == CV_REC_END && !s->keep_end && r->body.len == CV_END_SIZE) {
            end_body(s, out, index_offset, digest, end);
            body = end;
        }
        struct cv_frame f = { .type = r->type,
                              .tag = r->tag,
                              .length = r->body.len + r->length_error,
                              .number = i + r->number_error,
                              .body_hash = cv_body_hash(body, r->body.len) + r->hash_error };
        chain = cv_frame_encode(&f, chain, frame) + r->check_error;
        cv_store64(frame + CV_RECORD_HEADER_SIZE - 8, chain);
        if (r->type != CV_REC_END)
            XXH3_128bits_update(digest, frame, sizeof frame);
        if (r->type == CV_REC_INDEX)
            index_offset = out->len;
        memset(pad, r->padding, sizeof pad);
        must(cv_buf_append(out, frame, sizeof frame, NULL));
        must(cv_buf_append(out, body, r->body.len, NULL));
        must(cv_buf_append(out, pad, cv_frame_padding(r->body.len), NULL));
    }
    XXH3_freeState(digest);
}

size_t raw_find(const struct raw_stream *s, uint32_t type, size_t n)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->record[i].type == type && n-- == 0)
            return i;
    abort();
}

void raw_insert(struct raw_stream *s, size_t at, uint32_t type, uint32_t tag, const void *body, size_t len)
{
    if (s->count == RAW_RECORDS_MAX)
        abort();
    memmove(&s->record[at + 1], &s->record[at], (s->count - at) * sizeof s->record[0]);
    s->record[at] = (struct raw_record){ .type = type, .tag = tag };
    must(cv_buf_append(&s->record[at].body, body, len, NULL));
    s->count++;
}

void raw_remove(struct raw_stream *s, size_t at)
{
    cv_buf_dispose(&s->record[at].body);
    memmove(&s->record[at], &s->record[at + 1], (s->count - at - 1) * sizeof s->record[0]);
    s->record[--s->count] = (struct raw_record){ 0 };
}

void raw_swap(struct raw_stream *s, size_t a, size_t b)
{
    struct raw_record t = s->record[a];
    s->record[a] = s->record[b];
    s->record[b] = t;
}
