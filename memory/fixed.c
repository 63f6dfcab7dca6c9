/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Direct I/O goes through a second description of the same file (flags belong to descriptions): what the records are
 * read or written with stays as it is, and its offset too. */
#include "memory/fixed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/quiet.h"
#include "memory/area.h"
#include "memory/hashes.h"

_Static_assert(CV_AREA_PAGE == CV_PAGE_SIZE, "a place holds a page");

/* Sparse areas of a terabyte are refused by nobody; a bitmap of one is 32 MiB. */
int cv_fixed_init(struct cv_fixed *f, const struct cv_rec_places *places, struct cv_error *err)
{
    uint64_t slot = 0;

    *f = (struct cv_fixed){ .direct = -1, .to = UINT64_MAX, .file = { .fd = -1 } };
    f->extents = calloc(places->count, sizeof *f->extents);
    if (f->extents == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "places of pages");
    f->count = places->count;
    for (unsigned i = 0; i < f->count; i++) {
        struct cv_place p = cv_places_at(places, i);
        f->extents[i] = (struct cv_fixed_extent){ p.first_pfn, p.pages, slot };
        slot += p.pages;
    }
    f->area_pages = slot;
    return 0;
}

/* Another description of it.  Neither of the two is needed: -1 means that file.fd is used, through the page cache. */
static int reopen(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int other = open(path, flags | O_CLOEXEC | O_DIRECT);
    return other >= 0 || errno != EINVAL ? other : open(path, flags | O_CLOEXEC);
}

static size_t written_bytes(const struct cv_fixed *f) { return (f->area_pages / 64 + 1) * sizeof *f->written; }

int cv_fixed_open_write(struct cv_fixed *f, int fd, struct cv_error *err)
{
    f->file.fd = fd;
    f->direct = reopen(fd, O_WRONLY);
    f->written = (uint64_t *)cv_area_new(written_bytes(f));
    return f->written != NULL ? 0 : cv_fail(err, CV_E_NOMEM, 0, "places of pages");
}

void cv_fixed_open_read(struct cv_fixed *f, struct cv_area_source file)
{
    f->file = file;
    f->direct = file.fd >= 0 ? reopen(file.fd, O_RDONLY) : -1;
}

void cv_fixed_dispose(struct cv_fixed *f)
{
    if (cv_fixed_is_open(f))
        cv_fd_dispose(&f->direct);
    free(f->extents);
    cv_area_free((uint8_t *)f->written, written_bytes(f));
    *f = (struct cv_fixed){ 0 };
}

int cv_fixed_take(struct cv_fixed *f, const struct cv_reader *r, const struct cv_record *places, struct cv_error *err)
{
    struct cv_rec_places v;

    cv_fixed_dispose(f);
    if (cv_rec_places_decode(&v, places->body.data, places->body.len, err) < 0 || cv_fixed_init(f, &v, err) < 0)
        return -1;
    cv_fixed_open_read(f, cv_reader_area(r));
    return 0;
}

/* ---- places ---- */

/* The slot of pfn, and how many places follow each other from there on.  False: it has none. */
static bool find_slot(const struct cv_fixed *f, uint64_t pfn, uint64_t *slot_out, uint64_t *left_out)
{
    unsigned low = 0, high = f->count;

    while (low < high) { /* the first extent that begins behind pfn */
        unsigned mid = low + (high - low) / 2;
        if (f->extents[mid].first_pfn <= pfn)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0 || pfn - f->extents[low - 1].first_pfn >= f->extents[low - 1].pages)
        return false;
    const struct cv_fixed_extent *e = &f->extents[low - 1];
    *slot_out = e->slot + (pfn - e->first_pfn);
    *left_out = e->pages - (pfn - e->first_pfn);
    return true;
}

static uint64_t offset_of(uint64_t slot) { return (slot + 1) * CV_AREA_PAGE; }

/* Pages from i on whose places follow each other. */
static size_t run_length(const uint64_t *pfns, size_t n, size_t i, uint64_t left)
{
    size_t length = 1;

    while (i + length < n && length < left && pfns[i + length] == pfns[i] + length)
        length++;
    return length;
}

/* ---- writing ---- */

/* What direct I/O does not take (a file system with larger blocks, a rest of a short write) goes through the page
 * cache. */
static ssize_t write_some(struct cv_fixed *f, const uint8_t *data, size_t bytes, uint64_t at)
{
    ssize_t n = -1;

    errno = EINVAL;
    if (f->direct >= 0)
        n = cv_quiet_pwrite(f->direct, data, bytes, (off_t)at);
    return n < 0 && errno == EINVAL ? cv_quiet_pwrite(f->file.fd, data, bytes, (off_t)at) : n;
}

static int write_run(struct cv_fixed *f, uint64_t slot, const uint8_t *data, size_t bytes, struct cv_error *err)
{
    uint64_t at = offset_of(slot);

    __atomic_fetch_add(&f->bytes, bytes, __ATOMIC_RELAXED);
    while (bytes > 0) {
        ssize_t n = write_some(f, data, bytes, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cv_fail(err, CV_E_IO, n < 0 ? errno : ENOSPC, "write pages at byte %" PRIu64 " of the image", at);
        data += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

static bool mark(struct cv_fixed *f, uint64_t slot, bool now)
{
    uint64_t bit = UINT64_C(1) << slot % 64, *word = &f->written[slot / 64];
    uint64_t before =
        now ? __atomic_fetch_or(word, bit, __ATOMIC_RELAXED) : __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);

    return (before & bit) != 0;
}

int cv_fixed_write(struct cv_fixed *f, const uint64_t *pfns, size_t n, const uint8_t *pages, struct cv_error *err)
{
    uint64_t slot, left;

    for (size_t i = 0, length; i < n; i += length) {
        if (!find_slot(f, pfns[i], &slot, &left))
            return cv_fail(err, CV_E_UNSUPPORTED, 0,
                           "the guest has a page at %#" PRIx64
                           ", where its layout explains none: --layout fixed has no "
                           "place for it",
                           pfns[i]);
        length = run_length(pfns, n, i, left);
        if (write_run(f, slot, pages + i * CV_PAGE_SIZE, length * CV_PAGE_SIZE, err) < 0)
            return -1;
        for (size_t k = 0; k < length; k++)
            mark(f, slot + k, true);
    }
    return 0;
}

int cv_fixed_clear(struct cv_fixed *f, uint64_t pfn, struct cv_error *err)
{
    static const uint8_t zeros[CV_PAGE_SIZE] __attribute__((aligned(CV_PAGE_SIZE)));
    uint64_t slot, left;

    if (!find_slot(f, pfn, &slot, &left) || !mark(f, slot, false))
        return 0;
    if (fallocate(f->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset_of(slot), CV_PAGE_SIZE) == 0)
        return 0;
    return write_run(f, slot, zeros, sizeof zeros, err); /* a file system without holes */
}

/* ---- reading ---- */

static ssize_t read_some(const struct cv_fixed *f, uint8_t *to, size_t bytes, uint64_t at)
{
    ssize_t n = -1;

    if (f->file.fd < 0) {
        if (at >= f->file.len)
            return 0;
        if (bytes > f->file.len - at)
            bytes = (size_t)(f->file.len - at);
        memcpy(to, f->file.memory + at, bytes);
        return (ssize_t)bytes;
    }
    errno = EINVAL;
    if (f->direct >= 0)
        n = pread(f->direct, to, bytes, (off_t)at);
    return n < 0 && errno == EINVAL ? pread(f->file.fd, to, bytes, (off_t)at) : n;
}

static int read_run(struct cv_fixed *f, uint64_t slot, uint8_t *to, size_t bytes, struct cv_error *err)
{
    uint64_t at = offset_of(slot);

    __atomic_fetch_add(&f->bytes, bytes, __ATOMIC_RELAXED);
    while (bytes > 0) {
        ssize_t n = read_some(f, to, bytes, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            return cv_fail(err, CV_E_STREAM, 0, "truncated: the file ends at byte %" PRIu64 ", within its pages", at);
        if (n < 0)
            return cv_fail(err, CV_E_IO, errno, "read pages at byte %" PRIu64 " of the image", at);
        to += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

int cv_fixed_read(struct cv_fixed *f, const uint64_t *pfns, size_t n, uint8_t *to, const uint8_t *hashes,
                  struct cv_error *err)
{
    uint8_t hash[CV_PAGE_HASH];
    uint64_t slot, left;

    for (size_t i = 0, length; i < n; i += length) {
        if (!find_slot(f, pfns[i], &slot, &left))
            return cv_fail(err, CV_E_STREAM, 0, "area: page %#" PRIx64 " has no place", pfns[i]);
        length = run_length(pfns, n, i, left);
        if (read_run(f, slot, to + i * CV_PAGE_SIZE, length * CV_PAGE_SIZE, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < n; i++) {
        cv_page_hash(to + i * CV_PAGE_SIZE, hash);
        if (memcmp(hash, hashes + i * CV_PAGE_HASH, CV_PAGE_HASH) == 0)
            continue;
        if (!find_slot(f, pfns[i], &slot, &left))
            slot = 0;
        return cv_fail(err, CV_E_STREAM, 0, "hash: page %#" PRIx64 ", at byte %" PRIu64 ", is damaged", pfns[i],
                       offset_of(slot));
    }
    return 0;
}

/* ---- what is empty ---- */

/* The first place from slot on that may hold something; end when there is none before. */
static uint64_t next_data(const struct cv_fixed *f, uint64_t slot, uint64_t end)
{
    if (f->file.fd < 0 || f->direct < 0)
        return slot;
    off_t at = lseek(f->direct, (off_t)offset_of(slot), SEEK_DATA);
    if (at < 0) /* ENXIO: a hole up to the end of the file.  Anything else: not known. */
        return errno == ENXIO ? end : slot;
    uint64_t found = (uint64_t)at / CV_AREA_PAGE - 1;
    return found < slot ? slot : found < end ? found : end;
}

#define GAP_PAGES 8u /* they are on the stack, which may be a caller's small one */

static int check_empty(struct cv_fixed *f, uint64_t slot, uint64_t end, struct cv_error *err)
{
    uint8_t page[GAP_PAGES * CV_PAGE_SIZE] __attribute__((aligned(CV_PAGE_SIZE)));

    while ((slot = next_data(f, slot, end)) < end) {
        size_t bytes = (size_t)(end - slot < GAP_PAGES ? end - slot : GAP_PAGES) * CV_PAGE_SIZE;
        if (read_run(f, slot, page, bytes, err) < 0)
            return -1;
        if (page[0] != 0 || memcmp(page, page + 1, bytes - 1) != 0)
            return cv_fail(err, CV_E_STREAM, 0, "area: there is something from byte %" PRIu64 " on, where no page lies",
                           offset_of(slot));
        slot += bytes / CV_PAGE_SIZE;
    }
    return 0;
}

int cv_fixed_check_gap(struct cv_fixed *f, uint64_t pfn, uint64_t pages, struct cv_error *err)
{
    uint64_t slot = f->area_pages, left = 0;

    if (pages != 0 && (!find_slot(f, pfn, &slot, &left) || left < pages))
        return cv_fail(err, CV_E_STREAM, 0, "area: page %#" PRIx64 " has no place", pfn + left);
    if (slot > f->checked_to && check_empty(f, f->checked_to, slot, err) < 0)
        return -1;
    f->checked_to = slot + pages;
    return 0;
}
