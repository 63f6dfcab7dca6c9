/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <xxhash.h>

#include "stream-format/bodies.h"
#include "stream-format/index.h"
#include "stream-format/io.h"
#include "stream-format/order.h"
#include "stream-format/reader_header.h"

/* A body is read in steps of this or of what has arrived already, whichever is more. */
#define STEP (1u << 20)

struct cv_reader {
    struct cv_io io;
    struct cv_area_source area;
    struct cv_reader_options opt;
    struct cv_stream_header header;
    struct cv_order order;
    uint64_t chain, chain_before, number, offset; /* chain_before: the seed of the check of the record at hand */
    XXH3_state_t *digest;                         /* over the headers */
    bool over;                                    /* END or an error was met */
    uint64_t index_offset;
    struct cv_index index; /* what INDEX has to say */
    struct cv_rec_end end;
};

static int reader_new(struct cv_reader **r_out, struct cv_io io, const struct cv_reader_options *opt,
                      struct cv_error *err)
{
    struct cv_reader *r = calloc(1, sizeof *r);
    uint8_t bytes[CV_STREAM_HEADER_SIZE];

    if (r == NULL || (r->digest = XXH3_createState()) == NULL) {
        free(r);
        return cv_fail(err, CV_E_NOMEM, 0, "stream reader");
    }
    XXH3_128bits_reset(r->digest);
    r->opt = *opt;
    r->io = io;
    r->area = (struct cv_area_source){ .fd = io.fd, .memory = io.memory, .len = io.memory_left };
    r->index.stride = 1;
    if (cv_header_read(&r->io, opt->accept_features, &r->header, bytes, err) < 0 ||
        cv_header_skip_area(&r->io, &r->header, err) < 0) {
        cv_reader_free(r);
        return cv_context(err, "header at offset 0");
    }
    XXH3_128bits_update(r->digest, bytes, sizeof bytes);
    r->chain = cv_load64(bytes + CV_STREAM_HEADER_SIZE - 8);
    r->offset = cv_stream_records_at(&r->header);
    cv_order_init(&r->order, CV_E_STREAM, r->header.required_features);
    r->order.area_pages = r->header.area_pages;
    *r_out = r;
    return 0;
}

int cv_reader_new(struct cv_reader **r_out, int fd, const struct cv_reader_options *opt, struct cv_error *err)
{
    struct cv_io io = { .fd = fd, .stall_ms = opt->stall_ms, .cancel = opt->cancel };

    if (fd < 0)
        return cv_fail(err, CV_E_INVALID, 0, "no descriptor to read a stream from");
    return reader_new(r_out, io, opt, err);
}

int cv_reader_new_memory(struct cv_reader **r_out, const void *data, size_t len, const struct cv_reader_options *opt,
                         struct cv_error *err)
{
    struct cv_io io = { .fd = -1, .memory = data, .memory_left = len };

    return reader_new(r_out, io, opt, err);
}

void cv_reader_free(struct cv_reader *r)
{
    if (r == NULL)
        return;
    XXH3_freeState(r->digest);
    cv_index_dispose(&r->index);
    free(r);
}

/* Names a record in a message.  trusted: its header's check was right, so type and tag are what was written. */
static int name_record(struct cv_error *err, uint64_t number, uint32_t type, uint32_t tag, uint64_t offset,
                       bool trusted)
{
    const char *name = cv_record_name(type);

    if (!trusted)
        return cv_context(err, "record %llu %s%s at offset %llu", (unsigned long long)number, name,
                          *name == '?' ? "" : "?", (unsigned long long)offset);
    if (type == CV_REC_DEVICE_STATE)
        return cv_context(err, "record %llu %s dmid %u at offset %llu", (unsigned long long)number, name, tag,
                          (unsigned long long)offset);
    return cv_context(err, "record %llu %s at offset %llu", (unsigned long long)number, name,
                      (unsigned long long)offset);
}

int cv_record_context(const struct cv_record *rec, struct cv_error *err)
{
    return name_record(err, rec->number, rec->raw_type, rec->tag, rec->offset, true);
}

/* The record's header, its check and its number.  Everything in it can be trusted afterwards as far as accidents go. */
static int read_frame(struct cv_reader *r, struct cv_frame *f, struct cv_error *err)
{
    uint8_t bytes[CV_RECORD_HEADER_SIZE];
    size_t got;

    if (cv_io_read(&r->io, bytes, sizeof bytes, &got, err) < 0)
        return name_record(err, r->number, 0, 0, r->offset, false);
    if (got != sizeof bytes) {
        cv_rule_fail(err, CV_E_STREAM, "truncated", "the stream ends at offset %llu, %s",
                     (unsigned long long)(r->offset + got), got ? "inside a record's header" : "without END");
        return name_record(err, r->number, 0, 0, r->offset, false);
    }
    r->chain_before = r->chain;
    if (!cv_frame_decode(f, r->chain, bytes, &r->chain)) {
        cv_rule_fail(err, CV_E_STREAM, "chain", "the header's check differs: damaged, or not the record that was here");
        return name_record(err, r->number, f->type, f->tag, r->offset, false);
    }
    if (f->type != CV_REC_END)
        XXH3_128bits_update(r->digest, bytes, sizeof bytes);
    if (f->number != r->number) {
        cv_rule_fail(err, CV_E_STREAM, "number", "it says %llu", (unsigned long long)f->number);
        return name_record(err, r->number, f->type, f->tag, r->offset, true);
    }
    return 0;
}

/* Body and padding.  Memory grows with what arrives, never with what a header claims. */
static int read_body(struct cv_reader *r, const struct cv_frame *f, struct cv_buf *body, struct cv_error *err)
{
    size_t total = (size_t)f->length + cv_frame_padding(f->length);

    for (body->len = 0; body->len < total;) {
        size_t step = body->len > STEP ? body->len : STEP, got;
        if (step > total - body->len)
            step = total - body->len;
        if (cv_buf_reserve(body, step, err) < 0 || cv_io_read(&r->io, body->data + body->len, step, &got, err) < 0)
            return -1;
        body->len += got;
        if (got < step)
            return cv_rule_fail(err, CV_E_STREAM, "truncated", "the stream ends at offset %llu, inside a body",
                                (unsigned long long)(r->offset + CV_RECORD_HEADER_SIZE + body->len));
    }
    for (size_t i = (size_t)f->length; i < total; i++)
        if (body->data[i] != 0)
            return cv_rule_fail(err, CV_E_STREAM, "padding", "a byte behind the body is not 0");
    body->len = (size_t)f->length;
    return 0;
}

static int check_hash(const struct cv_frame *f, const struct cv_buf *body, struct cv_error *err)
{
    if (cv_body_hash(body->data, body->len) != f->body_hash)
        return cv_rule_fail(err, CV_E_STREAM, "hash", "the body is damaged");
    return 0;
}

/* A PAGES body whose hash a worker will check: only its head is looked at here, and when that makes no sense
 * the hash says first whether the body is damaged or was written so. */
static int take_deferred(struct cv_reader *r, const struct cv_frame *f, const struct cv_buf *body, struct cv_error *err)
{
    struct cv_error damaged = CV_ERROR_INIT;

    if (cv_order_take(&r->order, f, body->data, body->len, true, err) == 0)
        return 0;
    if (check_hash(f, body, &damaged) < 0)
        cv_fail_as(err, &damaged);
    return -1;
}

static int take_checked(struct cv_reader *r, const struct cv_frame *f, const struct cv_buf *body, struct cv_error *err)
{
    if (check_hash(f, body, err) < 0 || cv_body_check(f->type, body->data, body->len, err) < 0)
        return -1;
    return cv_order_take(&r->order, f, body->data, body->len, false, err);
}

/* Totals and digest, and that the stream ends here. */
static int check_end(struct cv_reader *r, const struct cv_buf *body, struct cv_error *err)
{
    XXH128_canonical_t digest;
    uint8_t more;
    size_t got = 0;

    if (cv_rec_end_decode(&r->end, body->data, body->len, err) < 0)
        return -1;
    if (r->end.records != r->number || r->end.bytes != r->offset || r->end.data_pages != r->order.data_pages ||
        r->end.index_offset != r->index_offset)
        return cv_rule_fail(err, CV_E_STREAM, "totals",
                            "records, bytes, pages or place of the index are not as announced");
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(r->digest));
    if (memcmp(digest.digest, r->end.digest, sizeof r->end.digest) != 0)
        return cv_rule_fail(err, CV_E_STREAM, "digest", "the digest over all headers differs");
    if (!r->opt.stays_open && cv_io_read(&r->io, &more, 1, &got, err) < 0)
        return -1;
    return got == 0 ? 0 : cv_rule_fail(err, CV_E_STREAM, "trailing", "bytes behind the end of the stream");
}

/* INDEX is compared with what was there; what it does not list passes. */
static int take_index(struct cv_reader *r, const struct cv_frame *f, const struct cv_buf *body, struct cv_error *err)
{
    struct cv_index_entry e = {
        .offset = r->offset, .number = f->number, .type = f->type, .tag = f->tag, .chain = r->chain_before
    };
    struct cv_rec_index v;

    if (f->type == CV_REC_INDEX) {
        r->index_offset = r->offset;
        return cv_rec_index_decode(&v, body->data, body->len, err) < 0 ? -1 : cv_index_compare(&r->index, &v, err);
    }
    if (!cv_index_lists(f->type))
        return 0;
    if (f->type == CV_REC_PAGES)
        e.key = cv_load64(body->data + 8);
    return cv_index_add(&r->index, &e, err);
}

static int read_record(struct cv_reader *r, const struct cv_frame *f, struct cv_record *rec, struct cv_error *err)
{
    bool defer = f->type == CV_REC_PAGES && r->opt.defer_hash_of_pages;

    if (cv_order_check(&r->order, f, err) < 0 || read_body(r, f, &rec->body, err) < 0)
        return -1;
    if ((defer ? take_deferred : take_checked)(r, f, &rec->body, err) < 0)
        return -1;
    if (f->type == CV_REC_END)
        return check_end(r, &rec->body, err);
    if (take_index(r, f, &rec->body, err) < 0)
        return -1;
    rec->type = (enum cv_record_type)f->type;
    rec->raw_type = f->type;
    rec->tag = f->tag;
    rec->known = cv_record_rule(f->type) != NULL;
    rec->number = f->number;
    rec->offset = r->offset;
    rec->body_hash = f->body_hash;
    rec->body_checked = !defer;
    return 0;
}

int cv_reader_next(struct cv_reader *r, struct cv_record *rec, struct cv_error *err)
{
    struct cv_frame f;

    if (r->over)
        return cv_fail(err, CV_E_INTERNAL, 0, "the stream is over");
    r->over = true; /* unless this goes well */
    if (read_frame(r, &f, err) < 0)
        return -1;
    if (read_record(r, &f, rec, err) < 0)
        return name_record(err, r->number, f.type, f.tag, r->offset, true);
    r->offset += CV_RECORD_HEADER_SIZE + f.length + cv_frame_padding(f.length);
    r->number++;
    if (f.type == CV_REC_END)
        return 0;
    r->over = false;
    return 1;
}

int cv_record_check(const struct cv_record *rec, struct cv_error *err)
{
    if (cv_body_hash(rec->body.data, rec->body.len) == rec->body_hash)
        return 0;
    cv_rule_fail(err, CV_E_STREAM, "hash", "the body is damaged");
    return cv_record_context(rec, err);
}

const struct cv_stream_header *cv_reader_header(const struct cv_reader *r) { return &r->header; }

struct cv_area_source cv_reader_area(const struct cv_reader *r) { return r->area; }

uint64_t cv_reader_bytes(const struct cv_reader *r) { return r->offset; }

const struct cv_rec_end *cv_reader_end(const struct cv_reader *r) { return r->over && r->order.ended ? &r->end : NULL; }
