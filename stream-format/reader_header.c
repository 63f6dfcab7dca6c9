/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream-format/reader_header.h"

#include <xxhash.h>

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream-format/bodies.h"
#include "stream-format/foreign.h"
#include "stream-format/order.h"

/* These stand at the same places in every version: magic, version, length of the header, and the check in its last
 * eight bytes.  So a damaged header and one from the future are told apart. */
#define PRELUDE 16u

/* A file of another kind is no damaged image. */
static int wrong_magic(const uint8_t *begin, size_t len, struct cv_error *err)
{
    const char *name = cv_foreign_name(begin, len);

    if (name != NULL)
        return cv_rule_fail(err, CV_E_UNSUPPORTED, "magic", "not a convoy stream: this is %s", name);
    return cv_rule_fail(err, CV_E_STREAM, "magic", "not a convoy stream");
}

static int read_part(struct cv_io *io, uint8_t *out, size_t from, size_t to, struct cv_error *err)
{
    size_t got;

    if (cv_io_read(io, out + from, to - from, &got, err) < 0)
        return -1;
    size_t have = from + got, compare = have < sizeof cv_stream_magic ? have : sizeof cv_stream_magic;
    if (memcmp(out, cv_stream_magic, compare) != 0)
        return wrong_magic(out, have, err);
    if (have < to)
        return cv_rule_fail(err, CV_E_STREAM, "truncated", "the stream ends at offset %zu, inside its header", have);
    return 0;
}

static int check_fields(const struct cv_stream_header *h, const uint8_t *bytes, size_t len, uint64_t accept,
                        struct cv_error *err)
{
    if (h->version != CV_STREAM_VERSION)
        return cv_rule_fail(err, CV_E_STREAM_VERSION, "version", "format version %u, this program knows version %u",
                            h->version, CV_STREAM_VERSION);
    if (len != CV_STREAM_HEADER_SIZE)
        return cv_rule_fail(err, CV_E_STREAM, "length", "header of %zu bytes", len);
    bool fixed = h->required_features & CV_FEATURE_FIXED_OFFSETS;
    if (cv_load32(bytes + 12) != 0 || (!fixed && h->area_pages != 0))
        return cv_rule_fail(err, CV_E_STREAM, "reserved", "a reserved field is not 0");
    uint64_t unknown = h->required_features & ~(accept & CV_FEATURES_KNOWN);
    if (fixed && h->required_features & CV_FEATURE_INCREMENTAL)
        unknown |= CV_FEATURE_FIXED_OFFSETS | CV_FEATURE_INCREMENTAL;
    if (h->required_features & CV_FEATURE_STATES_ONLY && h->required_features != CV_FEATURE_STATES_ONLY)
        unknown |= h->required_features;
    if (unknown != 0)
        return cv_rule_fail(err, CV_E_STREAM_VERSION, "feature", "required features 0x%llx",
                            (unsigned long long)unknown);
    if (fixed && (h->area_pages == 0 || h->area_pages > CV_PFN_COUNT_MAX))
        return cv_rule_fail(err, CV_E_STREAM, "area", "an area of %llu pages", (unsigned long long)h->area_pages);
    return 0;
}

static int skip_memory(struct cv_io *io, uint64_t bytes)
{
    if (bytes > io->memory_left)
        return -1;
    io->memory += bytes;
    io->memory_left -= (size_t)bytes;
    return 0;
}

/* Behind the area of fd's file, whose header has just been read. */
static int skip_in_file(int fd, const struct cv_stream_header *h, struct cv_error *err)
{
    off_t to = (off_t)cv_stream_records_at(h);
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return cv_rule_fail(err, CV_E_UNSUPPORTED, "feature",
                            "an image of fixed layout is read from a file, and not from a pipe: put it into one first");
    if (lseek(fd, 0, SEEK_CUR) != CV_AREA_PAGE)
        return cv_rule_fail(err, CV_E_UNSUPPORTED, "feature",
                            "an image of fixed layout has to begin at the beginning of its file");
    if (st.st_size < to)
        return cv_rule_fail(err, CV_E_STREAM, "truncated", "the stream ends at offset %llu, inside its area",
                            (unsigned long long)st.st_size);
    if (lseek(fd, to, SEEK_SET) != to)
        return cv_fail(err, CV_E_IO, errno, "seek behind the area");
    return 0;
}

int cv_header_skip_area(struct cv_io *io, const struct cv_stream_header *h, struct cv_error *err)
{
    uint8_t rest[CV_AREA_PAGE - CV_STREAM_HEADER_SIZE];
    size_t got;

    if (!(h->required_features & CV_FEATURE_FIXED_OFFSETS))
        return 0;
    if (cv_io_read(io, rest, sizeof rest, &got, err) < 0)
        return -1;
    for (size_t i = 0; i < got; i++)
        if (rest[i] != 0)
            return cv_rule_fail(err, CV_E_STREAM, "reserved", "a byte between header and area is not 0");
    if (got < sizeof rest || (io->fd < 0 && skip_memory(io, h->area_pages * CV_AREA_PAGE) < 0))
        return cv_rule_fail(err, CV_E_STREAM, "truncated", "the stream ends inside its area");
    return io->fd < 0 ? 0 : skip_in_file(io->fd, h, err);
}

int cv_header_read(struct cv_io *io, uint64_t accept, struct cv_stream_header *h_out,
                   uint8_t bytes[CV_STREAM_HEADER_SIZE], struct cv_error *err)
{
    uint8_t all[CV_STREAM_HEADER_MAX];

    if (read_part(io, all, 0, PRELUDE, err) < 0)
        return -1;
    size_t len = cv_load16(all + 10);
    if (len < CV_STREAM_HEADER_SIZE || len > sizeof all || len % 8 != 0)
        return cv_rule_fail(err, CV_E_STREAM, "length", "header of %zu bytes", len);
    if (read_part(io, all, PRELUDE, len, err) < 0)
        return -1;
    if (cv_load64(all + len - 8) != XXH3_64bits(all, len - 8))
        return cv_rule_fail(err, CV_E_STREAM, "check", "the header is damaged");
    cv_stream_header_decode(h_out, all);
    if (check_fields(h_out, all, len, accept, err) < 0)
        return -1;
    memcpy(bytes, all, CV_STREAM_HEADER_SIZE);
    return 0;
}
