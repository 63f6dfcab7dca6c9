/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages are decompressed into a buffer and written with pwrite: a shared mapping of the file would take a fault and
 * a trip through the file system for every page.  The buffer's pages are contiguous whatever the pfns are, and it
 * goes back to a small stock, so that it stays in the cache. */
#include "memory/file_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/quiet.h"
#include "memory/area.h"

struct stage {
    struct stage *next; /* in the stock; under the sink's lock */
    size_t n;
    uint64_t pfns[CV_MAP_MAX];
    uint8_t *pages; /* CV_MAP_MAX pages, untouched ones cost nothing */
};

struct cv_file_sink {
    struct cv_page_sink sink; /* first member: the port */
    int fd;
    uint64_t first, pfn_count; /* the pages that the file has */
    bool window;               /* others are dropped */
    pthread_mutex_t lock;
    struct stage *stock; /* under the lock */
    uint64_t *written;   /* bit per pfn, set with atomics: only these need a hole to become zero again.  An area: the
                          * length that an image claims costs nothing */
};

static size_t written_bytes(const struct cv_file_sink *s) { return (s->pfn_count / 64 + 1) * sizeof *s->written; }

#define STAGE_BYTES ((size_t)CV_MAP_MAX * CV_PAGE_SIZE)

static struct stage *stage_new(void)
{
    struct stage *stage = malloc(sizeof *stage);

    if (stage == NULL)
        return NULL;
    stage->pages = cv_area_new(STAGE_BYTES);
    if (stage->pages != NULL)
        return stage;
    free(stage);
    return NULL;
}

static struct stage *stage_get(struct cv_file_sink *s)
{
    pthread_mutex_lock(&s->lock);
    struct stage *stage = s->stock;
    if (stage != NULL)
        s->stock = stage->next;
    pthread_mutex_unlock(&s->lock);
    return stage != NULL ? stage : stage_new();
}

static void stage_put(struct cv_file_sink *s, struct stage *stage)
{
    pthread_mutex_lock(&s->lock);
    stage->next = s->stock;
    s->stock = stage;
    pthread_mutex_unlock(&s->lock);
}

static bool has(const struct cv_file_sink *s, uint64_t pfn) { return pfn >= s->first && pfn - s->first < s->pfn_count; }

static int check_range(const struct cv_file_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    if (n == 0 || n > CV_MAP_MAX || (!s->window && pfns[n - 1] >= s->pfn_count))
        return cv_fail(err, CV_E_INVALID, 0, "pages beyond the end of the image");
    return 0;
}

static int map(struct cv_page_sink *sink, const uint64_t *pfns, size_t n, void **pages_out, void **handle_out,
               struct cv_error *err)
{
    struct cv_file_sink *s = (struct cv_file_sink *)sink;

    if (check_range(s, pfns, n, err) < 0)
        return -1;
    struct stage *stage = stage_get(s);
    if (stage == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "file sink");
    stage->n = n;
    memcpy(stage->pfns, pfns, n * sizeof *pfns);
    for (size_t i = 0; i < n; i++)
        pages_out[i] = stage->pages + i * CV_PAGE_SIZE;
    *handle_out = stage;
    return 0;
}

/* Length of the run of following pfns that starts at i, all of them in the file or none. */
static size_t run_length(const struct cv_file_sink *s, const uint64_t *pfns, size_t n, size_t i)
{
    size_t length = 1;

    while (i + length < n && pfns[i + length] == pfns[i] + length && has(s, pfns[i + length]) == has(s, pfns[i]))
        length++;
    return length;
}

/* Longer writes get page-cache folios that are slow to come by, see stream-format/io.c. */
#define WRITE_STEP ((size_t)256 << 10)

static int write_run(struct cv_file_sink *s, uint64_t pfn, const uint8_t *data, size_t bytes, struct cv_error *err)
{
    uint64_t at = (pfn - s->first) * CV_PAGE_SIZE;

    while (bytes > 0) {
        ssize_t n = cv_quiet_pwrite(s->fd, data, bytes < WRITE_STEP ? bytes : WRITE_STEP, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cv_fail(err, CV_E_IO, n < 0 ? errno : 0, "write memory image at %llu", (unsigned long long)at);
        data += n;
        at += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

static bool mark_written(struct cv_file_sink *s, uint64_t pfn, bool now)
{
    uint64_t page = pfn - s->first, bit = UINT64_C(1) << page % 64, *word = &s->written[page / 64];

    /* Pages of zeros leave the table as it is: nothing of it is there until something is written to. */
    if (!now && (__atomic_load_n(word, __ATOMIC_RELAXED) & bit) == 0)
        return false;
    uint64_t before =
        now ? __atomic_fetch_or(word, bit, __ATOMIC_RELAXED) : __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);

    return (before & bit) != 0;
}

static int unmap(struct cv_page_sink *sink, void *handle, struct cv_error *err)
{
    struct cv_file_sink *s = (struct cv_file_sink *)sink;
    struct stage *stage = handle;
    int rc = 0;

    for (size_t i = 0, length; rc == 0 && i < stage->n; i += length) {
        length = run_length(s, stage->pfns, stage->n, i);
        if (!has(s, stage->pfns[i]))
            continue;
        rc = write_run(s, stage->pfns[i], stage->pages + i * CV_PAGE_SIZE, length * CV_PAGE_SIZE, err);
        for (size_t j = 0; j < length; j++)
            mark_written(s, stage->pfns[i] + j, true);
    }
    stage_put(s, stage);
    return rc;
}

/* A file system without holes gets zeros. */
static int punch(struct cv_file_sink *s, uint64_t pfn, struct cv_error *err)
{
    static const uint8_t zeros[CV_PAGE_SIZE];

    if (fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)((pfn - s->first) * CV_PAGE_SIZE),
                  CV_PAGE_SIZE) == 0)
        return 0;
    return write_run(s, pfn, zeros, sizeof zeros, err);
}

static int zero(struct cv_page_sink *sink, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    struct cv_file_sink *s = (struct cv_file_sink *)sink;

    if (check_range(s, pfns, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (has(s, pfns[i]) && mark_written(s, pfns[i], false) && punch(s, pfns[i], err) < 0)
            return -1;
    return 0;
}

static int special(struct cv_page_sink *sink, const uint64_t *pfns, const uint8_t *types, size_t n,
                   struct cv_error *err)
{
    (void)types;
    return zero(sink, pfns, n, err);
}

static const struct cv_page_sink_ops ops = { .map = map, .unmap = unmap, .zero = zero, .special = special };

int cv_file_sink_new(struct cv_file_sink **s_out, int fd, uint64_t pfn_count, struct cv_error *err)
{
    if (pfn_count > INT64_MAX / CV_PAGE_SIZE)
        return cv_fail(err, CV_E_INVALID, 0, "image of %llu pages", (unsigned long long)pfn_count);
    if (cv_quiet_ftruncate(fd, 0) < 0 || cv_quiet_ftruncate(fd, (off_t)(pfn_count * CV_PAGE_SIZE)) < 0)
        return cv_fail(err, CV_E_IO, errno, "make an image of %llu pages", (unsigned long long)pfn_count);
    struct cv_file_sink *s = calloc(1, sizeof *s);
    if (s == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "file sink");
    s->sink.ops = &ops;
    s->fd = fd;
    s->pfn_count = pfn_count;
    pthread_mutex_init(&s->lock, NULL);
    s->written = (uint64_t *)cv_area_new(written_bytes(s));
    if (s->written == NULL) {
        cv_file_sink_free(s);
        return cv_fail(err, CV_E_NOMEM, 0, "file sink");
    }
    *s_out = s;
    return 0;
}

int cv_file_sink_new_window(struct cv_file_sink **s_out, int fd, uint64_t first, uint64_t count, struct cv_error *err)
{
    if (cv_file_sink_new(s_out, fd, count, err) < 0)
        return -1;
    (*s_out)->first = first;
    (*s_out)->window = true;
    return 0;
}

struct cv_page_sink *cv_file_sink_port(struct cv_file_sink *s) { return &s->sink; }

void cv_file_sink_free(struct cv_file_sink *s)
{
    if (s == NULL)
        return;
    while (s->stock != NULL) {
        struct stage *stage = s->stock;
        s->stock = stage->next;
        cv_area_free(stage->pages, STAGE_BYTES);
        free(stage);
    }
    pthread_mutex_destroy(&s->lock);
    cv_area_free((uint8_t *)s->written, written_bytes(s));
    free(s);
}
