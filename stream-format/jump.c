/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/jump.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream-format/frame.h"
#include "stream-format/order.h"

#define END_RECORD (CV_RECORD_HEADER_SIZE + CV_END_SIZE)

static bool read_at(int fd, void *data, size_t len, uint64_t offset)
{
    uint8_t *to = data;

    while (len > 0) {
        ssize_t n = pread(fd, to, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        to += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* Header and body at offset.  A chain of NULL: the header's check cannot be judged (whoever follows it can). */
static bool read_record(int fd, uint64_t offset, const uint64_t *chain, size_t max, struct cv_frame *f, uint64_t *check,
                        struct cv_buf *body)
{
    uint8_t head[CV_RECORD_HEADER_SIZE];

    if (!read_at(fd, head, sizeof head, offset))
        return false;
    if (!cv_frame_decode(f, chain != NULL ? *chain : 0, head, check) && chain != NULL)
        return false;
    *check = cv_load64(head + 32);
    body->len = 0;
    if (f->length > max || cv_buf_reserve(body, (size_t)f->length + 1, NULL) < 0 ||
        !read_at(fd, body->data, (size_t)f->length, offset + sizeof head))
        return false;
    body->len = (size_t)f->length;
    return cv_body_hash(body->data, body->len) == f->body_hash;
}

/* INDEX, vouched for by END, whose check is seeded with that of the header before it. */
static bool read_index(struct cv_jump *j, uint64_t size, struct cv_buf *body)
{
    uint8_t head[CV_RECORD_HEADER_SIZE], end[CV_END_SIZE];
    struct cv_frame index, last;
    uint64_t check, unused;

    if (size < CV_STREAM_HEADER_SIZE + END_RECORD || !read_at(j->fd, head, sizeof head, size - END_RECORD) ||
        !read_at(j->fd, end, sizeof end, size - sizeof end) || cv_rec_end_decode(&j->end, end, sizeof end, NULL) < 0 ||
        j->end.index_offset == 0 || j->end.index_offset >= size - END_RECORD || j->end.bytes != size - END_RECORD)
        return false;
    if (!read_record(j->fd, j->end.index_offset, NULL, CV_INDEX_RECORD_MAX, &index, &check, body))
        return false;
    return index.type == CV_REC_INDEX && cv_frame_decode(&last, check, head, &unused) && last.type == CV_REC_END &&
           last.length == sizeof end && cv_body_hash(end, sizeof end) == last.body_hash;
}

/* The last record of this type. */
static bool find_record(struct cv_jump *j, const struct cv_buf *index, uint32_t type)
{
    struct cv_rec_index v;

    if (cv_rec_index_decode(&v, index->data, index->len, NULL) < 0)
        return false;
    for (uint32_t i = v.count; i-- > 0;) {
        struct cv_index_entry e = cv_index_at(&v, i);
        if (e.type != type)
            continue;
        j->offset = e.offset;
        j->number = e.number;
        j->chain = e.chain;
        return true;
    }
    return false;
}

static void step(struct cv_jump *j, const struct cv_frame *f, uint64_t check)
{
    j->offset += CV_RECORD_HEADER_SIZE + f->length + cv_frame_padding(f->length);
    j->number++;
    j->chain = check;
}

static bool open_index(struct cv_jump *j, int fd, struct cv_buf *body)
{
    struct stat st;

    *j = (struct cv_jump){ .fd = fd };
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && read_index(j, (uint64_t)st.st_size, body);
}

int cv_jump_to(struct cv_jump *j, int fd, uint32_t type)
{
    CV_AUTO_BUF body = { 0 };

    return open_index(j, fd, &body) && find_record(j, &body, type);
}

int cv_jump_begin(struct cv_jump *j, int fd)
{
    struct cv_rec_pass_end pass;
    CV_AUTO_BUF body = { 0 };
    struct cv_frame f;
    uint64_t check;

    if (!open_index(j, fd, &body) || !find_record(j, &body, CV_REC_PASS_END) ||
        !read_record(fd, j->offset, &j->chain, cv_record_rule(CV_REC_PASS_END)->max, &f, &check, &body) ||
        f.type != CV_REC_PASS_END || f.number != j->number ||
        cv_rec_pass_end_decode(&pass, body.data, body.len, NULL) < 0 || !(pass.flags & CV_PASS_LAST))
        return 0;
    step(j, &f, check);
    return 1;
}

static int next_frame(const struct cv_jump *j, struct cv_frame *f, uint64_t *check, struct cv_error *err)
{
    uint8_t head[CV_RECORD_HEADER_SIZE];

    if (read_at(j->fd, head, sizeof head, j->offset) && cv_frame_decode(f, j->chain, head, check) &&
        f->number == j->number)
        return 0;
    return cv_rule_fail(err, CV_E_STREAM, "chain", "record %llu at offset %llu is not the one that was here",
                        (unsigned long long)j->number, (unsigned long long)j->offset);
}

int cv_jump_peek(struct cv_jump *j, uint32_t *type_out, uint8_t *begin_out, size_t n, struct cv_error *err)
{
    struct cv_frame f;
    uint64_t check;

    if (next_frame(j, &f, &check, err) < 0)
        return -1;
    *type_out = f.type;
    memset(begin_out, 0, n);
    if (!read_at(j->fd, begin_out, f.length < n ? (size_t)f.length : n, j->offset + CV_RECORD_HEADER_SIZE))
        return cv_rule_fail(err, CV_E_STREAM, "truncated", "the file ends in record %llu",
                            (unsigned long long)j->number);
    return 0;
}

int cv_jump_skip(struct cv_jump *j, struct cv_error *err)
{
    struct cv_frame f;
    uint64_t check;

    if (next_frame(j, &f, &check, err) < 0)
        return -1;
    step(j, &f, check);
    return 0;
}

int cv_jump_next(struct cv_jump *j, struct cv_record *rec, struct cv_error *err)
{
    struct cv_frame f;
    uint64_t check;

    if (next_frame(j, &f, &check, err) < 0)
        return -1;
    if (f.type == CV_REC_INDEX || f.type == CV_REC_END)
        return 0;
    const struct cv_record_rule *rule = cv_record_rule(f.type);
    *rec = (struct cv_record){ .type = (enum cv_record_type)f.type,
                               .raw_type = f.type,
                               .tag = f.tag,
                               .known = rule != NULL,
                               .number = f.number,
                               .offset = j->offset,
                               .body_hash = f.body_hash,
                               .body_checked = true,
                               .body = rec->body };
    if (!read_record(j->fd, j->offset, &j->chain, rule ? rule->max : CV_OPTIONAL_RECORD_MAX, &f, &check, &rec->body)) {
        cv_rule_fail(err, CV_E_STREAM, "hash", "the body is damaged, or the file ends in it");
        return cv_record_context(rec, err);
    }
    if (cv_body_check(f.type, rec->body.data, rec->body.len, err) < 0)
        return cv_record_context(rec, err);
    step(j, &f, check);
    return 1;
}
