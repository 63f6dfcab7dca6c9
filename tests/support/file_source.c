/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages are read, not mapped: entering a page into the page table and taking it out again costs as much as copying it
 * on bare metal, and several times that on a virtual machine whose page tables are shadowed (docs/performance.md).  It
 * also keeps a file that shrinks from being a SIGBUS.  Holes of a sparse file are zero without a look. */
#include "tests/support/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct cv_file_source {
    struct cv_page_source source; /* first member: the port */
    int fd;
    uint64_t bytes, pages;
    bool sparse; /* worth asking for holes */
};

/* n neighbouring pages.  What lies beyond the end of the last one is zero. */
static int read_data(const struct cv_file_source *s, uint64_t pfn, size_t n, uint8_t *to, struct cv_error *err)
{
    uint64_t at = pfn * CV_PAGE_SIZE;
    size_t want = n * CV_PAGE_SIZE, got = 0, there = want;

    if (there > s->bytes - at)
        there = (size_t)(s->bytes - at);
    while (got < there) {
        ssize_t r = pread(s->fd, to + got, there - got, (off_t)(at + got));
        if (r > 0)
            got += (size_t)r;
        else if (r == 0)
            return cv_fail(err, CV_E_IO, 0, "the image ends at byte %" PRIu64 ", it had %" PRIu64, at + got, s->bytes);
        else if (errno != EINTR)
            return cv_fail(err, CV_E_IO, errno, "read the image at byte %" PRIu64, at + got);
    }
    memset(to + there, 0, want - there);
    return 0;
}

/* The first page from pfn on that is not (whence SEEK_DATA) or is (SEEK_HOLE) wholly in a hole; end when none is
 * before. */
static uint64_t seek(const struct cv_file_source *s, uint64_t pfn, uint64_t end, int whence)
{
    off_t at = lseek(s->fd, (off_t)(pfn * CV_PAGE_SIZE), whence);

    if (at < 0) /* ENXIO: a hole up to the end of the file.  Anything else: not known, so data. */
        return errno == ENXIO || whence == SEEK_HOLE ? end : pfn;
    uint64_t found = ((uint64_t)at + (whence == SEEK_HOLE ? CV_PAGE_SIZE - 1 : 0)) / CV_PAGE_SIZE;
    return found < pfn ? pfn : found < end ? found : end;
}

/* n neighbouring pages of a sparse file. */
static int read_between_holes(const struct cv_file_source *s, uint64_t first, size_t n, uint8_t *types_out, uint8_t *to,
                              struct cv_error *err)
{
    uint64_t end = first + n;

    memset(types_out, CV_PAGE_ZERO, n);
    for (uint64_t hole, data = first; (data = seek(s, data, end, SEEK_DATA)) < end; data = hole) {
        hole = seek(s, data + 1, end, SEEK_HOLE);
        memset(types_out + (data - first), CV_PAGE_DATA, (size_t)(hole - data));
        if (read_data(s, data, (size_t)(hole - data), to + (data - first) * CV_PAGE_SIZE, err) < 0)
            return -1;
    }
    return 0;
}

static int read_pages(struct cv_page_source *source, const uint64_t *pfns, size_t n, uint8_t *types_out, void *to,
                      struct cv_error *err)
{
    const struct cv_file_source *s = (struct cv_file_source *)source;

    if (pfns[n - 1] >= s->pages)
        return cv_fail(err, CV_E_INVALID, 0, "pfn %#" PRIx64 " is beyond the image", pfns[n - 1]);
    memset(types_out, CV_PAGE_DATA, n);
    for (size_t i = 0, run; i < n; i += run) {
        uint8_t *here = (uint8_t *)to + i * CV_PAGE_SIZE;
        for (run = 1; i + run < n && pfns[i + run] == pfns[i] + run; run++)
            ;
        if ((s->sparse ? read_between_holes(s, pfns[i], run, types_out + i, here, err)
                       : read_data(s, pfns[i], run, here, err)) < 0)
            return -1;
    }
    return 0;
}

static const struct cv_page_source_ops ops = { .read = read_pages };

int cv_file_source_open(struct cv_file_source **s_out, const char *path, struct cv_error *err)
{
    CV_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return cv_fail(err, errno == ENOENT ? CV_E_NOT_FOUND : CV_E_IO, errno, "open %s", path);
    if (fstat(fd, &st) < 0)
        return cv_fail(err, CV_E_IO, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return cv_fail(err, CV_E_INVALID, 0, "%s is not a memory image: %s", path,
                       S_ISREG(st.st_mode) ? "it is empty" : "no regular file");
    struct cv_file_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "file source");
    s->source.ops = &ops;
    s->bytes = (uint64_t)st.st_size;
    s->pages = (s->bytes + CV_PAGE_SIZE - 1) / CV_PAGE_SIZE;
    s->sparse = (uint64_t)st.st_blocks * 512 < s->bytes;
    s->fd = cv_fd_take(&fd);
    *s_out = s;
    return 0;
}

struct cv_page_source *cv_file_source_port(struct cv_file_source *s) { return &s->source; }

uint64_t cv_file_source_pages(const struct cv_file_source *s) { return s->pages; }

void cv_file_source_close(struct cv_file_source *s)
{
    if (s == NULL)
        return;
    cv_fd_dispose(&s->fd);
    free(s);
}
