/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/quiet.h"
#include "stream-format/bodies.h"
#include "stream-format/index.h"
#include "stream-format/io.h"
#include "stream-format/order.h"

/* Enough of a body for every fixed part that the order table looks at, except LAYOUT. */
#define HEAD_SIZE 64u

struct cv_writer {
    struct cv_io io;
    struct cv_stream_header header;
    struct cv_order order;
    uint64_t chain, number, offset;
    XXH3_state_t *digest;    /* over the headers */
    XXH3_state_t *body_hash; /* for bodies in several pieces */
    bool indexed, broken, finished;
    struct cv_index index;
};

static int write_pieces(struct cv_writer *w, struct iovec *iov, int count, size_t len, struct cv_error *err)
{
    if (cv_io_write(&w->io, iov, count, err) < 0) {
        w->broken = true;
        return -1;
    }
    w->offset += len;
    return 0;
}

static int write_header(struct cv_writer *w, struct cv_error *err)
{
    uint8_t bytes[CV_STREAM_HEADER_SIZE];
    struct iovec iov = { .iov_base = bytes, .iov_len = sizeof bytes };

    w->chain = cv_stream_header_encode(&w->header, bytes);
    XXH3_128bits_update(w->digest, bytes, sizeof bytes);
    return write_pieces(w, &iov, 1, sizeof bytes, err);
}

/* The file has its area from the beginning, as a hole; records follow behind it. */
static int make_area(struct cv_writer *w, struct cv_error *err)
{
    off_t end = (off_t)cv_stream_records_at(&w->header);
    struct stat st;

    if (!(w->header.required_features & CV_FEATURE_FIXED_OFFSETS))
        return 0;
    if (w->header.area_pages == 0 || w->header.area_pages > CV_PFN_COUNT_MAX)
        return cv_fail(err, CV_E_INTERNAL, 0, "an area of %llu pages", (unsigned long long)w->header.area_pages);
    if (fstat(w->io.fd, &st) < 0 || !S_ISREG(st.st_mode) || lseek(w->io.fd, 0, SEEK_CUR) != CV_STREAM_HEADER_SIZE)
        return cv_fail(err, CV_E_INVALID, 0,
                       "an image of fixed layout is written to a file of its own, and not to a pipe");
    if (cv_quiet_ftruncate(w->io.fd, end) < 0 || lseek(w->io.fd, end, SEEK_SET) != end)
        return cv_fail(err, CV_E_IO, errno, "make room for %llu pages", (unsigned long long)w->header.area_pages);
    w->offset = (uint64_t)end;
    return 0;
}

static int pick_stream_id(uint8_t id[16], const uint8_t *given, struct cv_error *err)
{
    if (given != NULL)
        memcpy(id, given, 16);
    else if (getrandom(id, 16, 0) != 16)
        return cv_fail(err, CV_E_IO, errno, "getrandom");
    return 0;
}

int cv_writer_new(struct cv_writer **w_out, int fd, const struct cv_writer_options *opt, struct cv_error *err)
{
    struct cv_writer *w = calloc(1, sizeof *w);

    if (w == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "stream writer");
    w->digest = XXH3_createState();
    w->body_hash = XXH3_createState();
    if (w->digest == NULL || w->body_hash == NULL) {
        cv_writer_free(w);
        return cv_fail(err, CV_E_NOMEM, 0, "stream writer");
    }
    XXH3_128bits_reset(w->digest);
    w->io = (struct cv_io){ .fd = fd, .stall_ms = opt->stall_ms, .cancel = opt->cancel };
    if (opt->stall_ms > 0 || opt->cancel != NULL)
        cv_io_unblock(&w->io);
    w->header = (struct cv_stream_header){ .version = CV_STREAM_VERSION,
                                           .required_features = opt->required_features,
                                           .optional_features = opt->optional_features,
                                           .area_pages = opt->area_pages };
    w->indexed = opt->index;
    w->index.stride = 1;
    if (opt->index)
        w->header.optional_features |= CV_OPTIONAL_INDEX;
    cv_order_init(&w->order, CV_E_INTERNAL, opt->required_features);
    w->order.area_pages = opt->area_pages;
    if (opt->required_features & ~CV_FEATURES_KNOWN) {
        cv_writer_free(w);
        return cv_fail(err, CV_E_INTERNAL, 0, "required features 0x%llx are not built",
                       (unsigned long long)(opt->required_features & ~CV_FEATURES_KNOWN));
    }
    if (pick_stream_id(w->header.stream_id, opt->stream_id, err) < 0 || write_header(w, err) < 0 ||
        make_area(w, err) < 0) {
        cv_writer_free(w);
        return -1;
    }
    *w_out = w;
    return 0;
}

void cv_writer_free(struct cv_writer *w)
{
    if (w == NULL)
        return;
    cv_io_reblock(&w->io);
    XXH3_freeState(w->digest);
    XXH3_freeState(w->body_hash);
    cv_index_dispose(&w->index);
    free(w);
}

/* The first bytes of a body in pieces, at most max.  Returns how many. */
static size_t gather(const struct iovec *iov, int count, uint8_t *out, size_t max)
{
    size_t got = 0;

    for (int i = 0; i < count && got < max; i++) {
        size_t step = iov[i].iov_len < max - got ? iov[i].iov_len : max - got;
        if (step > 0)
            memcpy(out + got, iov[i].iov_base, step);
        got += step;
    }
    return got;
}

static uint64_t hash_pieces(struct cv_writer *w, const struct iovec *body, int count)
{
    if (count == 1)
        return cv_body_hash(body[0].iov_base, body[0].iov_len);
    XXH3_64bits_reset(w->body_hash);
    for (int i = 0; i < count; i++)
        XXH3_64bits_update(w->body_hash, body[i].iov_base, body[i].iov_len);
    return XXH3_64bits_digest(w->body_hash);
}

/* The bulk is looked at by its head alone: its makers check the rest (memory/, cv_rec_device_state_head). */
static bool bulk(enum cv_record_type type)
{
    return type == CV_REC_PAGES || type == CV_REC_DEVICE_STATE || type == CV_REC_HVM_CONTEXT;
}

/* Asks the reader's rules about a record that is about to be written. */
static int admit(struct cv_writer *w, const struct cv_frame *f, const struct iovec *body, int count,
                 struct cv_error *err)
{
    CV_AUTO_BUF whole = { 0 };
    uint8_t head[HEAD_SIZE];

    if (cv_order_check(&w->order, f, err) < 0)
        return -1;
    if (bulk((enum cv_record_type)f->type))
        return cv_order_take(&w->order, f, head, gather(body, count, head, sizeof head), false, err);
    if (cv_buf_reserve(&whole, (size_t)f->length + 1, err) < 0)
        return -1;
    whole.len = gather(body, count, whole.data, (size_t)f->length);
    if (cv_body_check(f->type, whole.data, whole.len, err) < 0)
        return -1;
    return cv_order_take(&w->order, f, whole.data, whole.len, false, err);
}

static int add_to_index(struct cv_writer *w, const struct cv_frame *f, const struct iovec *body, int count,
                        struct cv_error *err)
{
    uint8_t head[16] = { 0 };

    if (!w->indexed || !cv_index_lists(f->type))
        return 0;
    if (f->type == CV_REC_PAGES)
        gather(body, count, head, sizeof head);
    struct cv_index_entry e = { .offset = w->offset,
                                .number = f->number,
                                .type = f->type,
                                .tag = f->tag,
                                .key = cv_load64(head + 8),
                                .chain = w->chain };
    return cv_index_add(&w->index, &e, err);
}

static int write_record(struct cv_writer *w, const struct cv_frame *f, const struct iovec *body, int count,
                        struct cv_error *err)
{
    static const uint8_t zeros[CV_RECORD_ALIGN];
    uint8_t header[CV_RECORD_HEADER_SIZE];
    size_t padding = cv_frame_padding(f->length);
    struct iovec iov[CV_WRITER_PIECES + 2];

    w->chain = cv_frame_encode(f, w->chain, header);
    if (f->type != CV_REC_END)
        XXH3_128bits_update(w->digest, header, sizeof header);
    iov[0] = (struct iovec){ .iov_base = header, .iov_len = sizeof header };
    memcpy(iov + 1, body, sizeof *body * (size_t)count);
    iov[count + 1] = (struct iovec){ .iov_base = (void *)zeros, .iov_len = padding };
    if (write_pieces(w, iov, count + 2, sizeof header + (size_t)f->length + padding, err) < 0)
        return -1;
    w->number++;
    return 0;
}

static int put_record(struct cv_writer *w, enum cv_record_type type, const struct iovec *body, int count,
                      const uint64_t *hash, struct cv_error *err)
{
    const struct cv_record_rule *rule = cv_record_rule((uint32_t)type);
    struct cv_frame f = { .type = (uint32_t)type, .number = w->number };
    uint8_t first[4] = { 0 };

    if (w->broken || w->finished)
        return cv_fail(err, CV_E_INTERNAL, 0, "the stream is %s", w->broken ? "broken off" : "finished");
    w->broken = true; /* until everything went well */
    if (rule == NULL || count < 0 || count > CV_WRITER_PIECES)
        return cv_fail(err, CV_E_INTERNAL, 0, "record type 0x%x in %d pieces", (unsigned)type, count);
    for (int i = 0; i < count; i++)
        f.length += body[i].iov_len;
    if (rule->tag == CV_TAG_BODY && gather(body, count, first, sizeof first) == sizeof first)
        f.tag = cv_load32(first);
    if (admit(w, &f, body, count, err) < 0 || add_to_index(w, &f, body, count, err) < 0) {
        cv_error_recode(err, CV_E_STREAM, CV_E_INTERNAL);
        return cv_context(err, "record %llu %s", (unsigned long long)w->number, rule->name);
    }
    f.body_hash = hash != NULL ? *hash : hash_pieces(w, body, count);
    if (write_record(w, &f, body, count, err) < 0)
        return cv_context(err, "record %llu %s", (unsigned long long)w->number, rule->name);
    w->broken = false;
    return 0;
}

int cv_writer_put(struct cv_writer *w, enum cv_record_type type, const struct iovec *body, int count,
                  struct cv_error *err)
{
    if (type == CV_REC_END || type == CV_REC_INDEX)
        return cv_fail(err, CV_E_INTERNAL, 0, "%s is written by cv_writer_finish", cv_record_name((uint32_t)type));
    return put_record(w, type, body, count, NULL, err);
}

int cv_writer_put_hashed(struct cv_writer *w, enum cv_record_type type, const struct iovec *body, int count,
                         uint64_t body_hash, struct cv_error *err)
{
    if (type == CV_REC_END || type == CV_REC_INDEX)
        return cv_fail(err, CV_E_INTERNAL, 0, "%s is written by cv_writer_finish", cv_record_name((uint32_t)type));
    return put_record(w, type, body, count, &body_hash, err);
}

static int put_index(struct cv_writer *w, struct cv_error *err)
{
    CV_AUTO_BUF body = { 0 };

    if (cv_index_encode(&w->index, &body, err) < 0)
        return -1;
    struct iovec iov = { .iov_base = body.data, .iov_len = body.len };
    return put_record(w, CV_REC_INDEX, &iov, 1, NULL, err);
}

int cv_writer_finish(struct cv_writer *w, struct cv_error *err)
{
    struct cv_rec_end end = { 0 };
    uint8_t body[CV_END_SIZE];
    XXH128_canonical_t digest;

    if (w->indexed) {
        end.index_offset = w->offset;
        if (put_index(w, err) < 0)
            return -1;
    }
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(w->digest));
    memcpy(end.digest, digest.digest, sizeof end.digest);
    end.records = w->number;
    end.bytes = w->offset;
    end.data_pages = w->order.data_pages;
    cv_rec_end_encode(&end, body);

    struct iovec iov = { .iov_base = body, .iov_len = sizeof body };
    if (put_record(w, CV_REC_END, &iov, 1, NULL, err) < 0)
        return -1;
    w->finished = true;
    return 0;
}

uint64_t cv_writer_bytes(const struct cv_writer *w) { return w->offset; }

uint64_t cv_writer_data_pages(const struct cv_writer *w) { return w->order.data_pages; }

uint64_t cv_writer_records(const struct cv_writer *w) { return w->number; }

uint64_t cv_writer_blocked_ns(const struct cv_writer *w) { return w->io.blocked_ns; }
