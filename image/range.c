/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/range.h"

#include <errno.h>
#include <unistd.h>

#include "memory/fixed.h"
#include "stream-format/jump.h"

/* MEMORY and PLACES.  Returns 1, 0 or -1 as the whole. */
static int read_places(int fd, const struct cv_reader *r, struct cv_fixed *fixed, uint64_t *pfn_count,
                       struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_rec_memory m;
    struct cv_jump jump;

    if (!cv_jump_to(&jump, fd, CV_REC_MEMORY))
        return 0;
    if (cv_jump_next(&jump, &rec, err) <= 0 || cv_rec_memory_decode(&m, rec.body.data, rec.body.len, err) < 0)
        return -1;
    *pfn_count = m.pfn_count;
    while (rec.raw_type != CV_REC_PLACES)
        if (cv_jump_next(&jump, &rec, err) <= 0)
            return -1;
    return cv_fixed_take(fixed, r, &rec, err) < 0 ? -1 : 1;
}

/* Records that are about pages of the range. */
static int take_records(struct cv_jump *jump, const struct cv_fixed *fixed, struct cv_loader *loader,
                        struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    uint8_t begin[16];
    uint32_t type;

    for (;;) {
        if (cv_jump_peek(jump, &type, begin, sizeof begin, err) < 0)
            return -1;
        uint64_t first = cv_load64(begin), span = cv_load64(begin + 8);
        if (type != CV_REC_PAGE_HASHES && type != CV_REC_NOTE)
            return 0;
        if (type == CV_REC_PAGE_HASHES && first >= fixed->to)
            return 0;
        if (type == CV_REC_NOTE || span <= fixed->from - (first < fixed->from ? first : fixed->from)) {
            if (cv_jump_skip(jump, err) < 0)
                return -1;
        } else if (cv_jump_next(jump, &rec, err) < 0 || cv_loader_record(loader, &rec, err) < 0) {
            return -1;
        }
    }
}

static int read_pages(int fd, struct cv_fixed *fixed, uint64_t pfn_count, struct cv_page_sink *sink,
                      const struct cv_mem_options *mem, struct cv_error *err)
{
    struct cv_mem_options o = *mem;
    struct cv_loader *loader;
    struct cv_jump jump;

    if (cv_jump_begin(&jump, fd) != 1)
        return 0;
    o.fixed = fixed;
    if (cv_loader_new(&loader, sink, pfn_count, &o, err) < 0)
        return -1;
    int rc = take_records(&jump, fixed, loader, err);
    if (rc == 0)
        rc = cv_loader_barrier(loader, err);
    cv_loader_free(loader);
    return rc < 0 ? -1 : 1;
}

int cv_image_read_range(int fd, uint64_t from, uint64_t to, struct cv_page_sink *sink, const struct cv_mem_options *mem,
                        uint64_t *bytes_out, struct cv_error *err)
{
    const struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL |
                                                             CV_FEATURE_FIXED_OFFSETS };
    struct cv_fixed fixed = { 0 };
    uint64_t pfn_count = 0;
    struct cv_reader *r;

    if (lseek(fd, 0, SEEK_CUR) != 0)
        return 0;
    if (cv_reader_new(&r, fd, &ro, err) < 0)
        return -1;
    int rc = 0;
    if (cv_reader_header(r)->required_features & CV_FEATURE_FIXED_OFFSETS)
        rc = read_places(fd, r, &fixed, &pfn_count, err);
    fixed.from = from;
    fixed.to = to;
    if (rc == 1)
        rc = read_pages(fd, &fixed, pfn_count, sink, mem, err);
    *bytes_out = fixed.bytes;
    cv_fixed_dispose(&fixed);
    cv_reader_free(r);
    if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
        return cv_fail(err, CV_E_IO, errno, "rewind the image");
    return rc;
}
