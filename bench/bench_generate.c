/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "bench/bench_stream.h"
#include "tests/support/generator.h"

#define PIECE 1024u /* pages */

/* Zero pages become holes. */
static int write_piece(int fd, const struct cv_generator *g, uint64_t pfn, uint64_t n, uint64_t *pages,
                       struct cv_error *err)
{
    uint64_t filled = 0;

    for (uint64_t i = 0; i <= n; i++) {
        if (i < n && cv_generator_kind(g, pfn + i) != CV_GEN_ZERO) {
            cv_generator_page(g, pfn + i, pages + filled++ * (CV_PAGE_SIZE / 8));
            continue;
        }
        if (filled > 0 && pwrite(fd, pages, filled * CV_PAGE_SIZE, (off_t)((pfn + i - filled) * CV_PAGE_SIZE)) !=
                              (ssize_t)(filled * CV_PAGE_SIZE))
            return cv_fail(err, CV_E_IO, errno, "write");
        filled = 0;
    }
    return 0;
}

int bench_generate(const char *path, uint64_t bytes, uint64_t seed, bool all_random, struct cv_error *err)
{
    CV_AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CV_AUTO_FREE uint64_t *pages = malloc((size_t)PIECE * CV_PAGE_SIZE);
    struct cv_generator g;
    uint64_t count = bytes / CV_PAGE_SIZE;

    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        return cv_fail(err, CV_E_IO, errno, "make %s", path);
    if (pages == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "generator");
    cv_generator_init(&g, seed, all_random);
    for (uint64_t pfn = 0; pfn < count; pfn += PIECE)
        if (write_piece(fd, &g, pfn, count - pfn < PIECE ? count - pfn : PIECE, pages, err) < 0)
            return cv_context(err, "%s", path);
    return 0;
}
