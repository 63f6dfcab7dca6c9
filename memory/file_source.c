/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One mapping of the whole file.  The pages of a batch are entered into the page table with one call and are taken
 * out again when the batch is done: a fault for every 64 KiB would cost more than the zero test, and the resident
 * size of the process stays that of a few batches. */
#include "memory/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

struct cv_file_source {
    struct cv_page_source source;    /* first member: the port */
    uint8_t *base;
    uint64_t bytes, pages;
};

struct span { uint8_t *start; size_t bytes; };

/* n pages from pfns[0] on without a gap?  Then the batch is one piece of the mapping. */
static bool dense(const uint64_t *pfns, size_t n)
{
    return pfns[n - 1] - pfns[0] + 1 <= 2 * n;
}

static int map(struct cv_page_source *source, const uint64_t *pfns, size_t n, uint8_t *types_out,
               const void **pages_out, void **handle_out, struct cv_error *err)
{
    struct cv_file_source *s = (struct cv_file_source *)source;
    struct span *span = NULL;

    if (pfns[n - 1] >= s->pages)
        return cv_fail(err, CV_E_INVALID, 0, "pfn %#llx is beyond the image", (unsigned long long)pfns[n - 1]);
    if (dense(pfns, n)) {
        span = malloc(sizeof *span);
        if (span == NULL)
            return cv_fail(err, CV_E_NOMEM, 0, "file source");
        *span = (struct span){ s->base + pfns[0] * CV_PAGE_SIZE, (pfns[n - 1] - pfns[0] + 1) * CV_PAGE_SIZE };
        /* Without this call (Linux before 5.14) the pages come by faults. */
        (void)madvise(span->start, span->bytes, MADV_POPULATE_READ);
    }
    for (size_t i = 0; i < n; i++) {
        types_out[i] = CV_PAGE_DATA;
        pages_out[i] = s->base + pfns[i] * CV_PAGE_SIZE;
    }
    *handle_out = span;
    return 0;
}

static void unmap(struct cv_page_source *source, void *handle)
{
    struct span *span = handle;

    (void)source;
    if (span != NULL)
        (void)madvise(span->start, span->bytes, MADV_DONTNEED);
    free(span);
}

static const struct cv_page_source_ops ops = { .map = map, .unmap = unmap };

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
    s->source = (struct cv_page_source){ .ops = &ops, .stable = true };
    s->bytes = (uint64_t)st.st_size;
    s->pages = (s->bytes + CV_PAGE_SIZE - 1) / CV_PAGE_SIZE;
    void *base = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        free(s);
        return cv_fail(err, CV_E_IO, errno, "map %s", path);
    }
    s->base = base;
    *s_out = s;
    return 0;
}

struct cv_page_source *cv_file_source_port(struct cv_file_source *s)
{
    return &s->source;
}

uint64_t cv_file_source_pages(const struct cv_file_source *s)
{
    return s->pages;
}

void cv_file_source_close(struct cv_file_source *s)
{
    if (s == NULL)
        return;
    munmap(s->base, s->bytes);
    free(s);
}
