/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decompresses straight into the sink's pages where they lie one behind the other (Xen maps them so), and through
 * a buffer that stays in the cache where they do not. */
#include "memory/unpack.h"

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "memory/area.h"
#include "memory/hashes.h"
#include "memory/pipeline.h"

#define BOUNCE_SIZE ((size_t)CV_PAGES_MAX * CV_PAGE_SIZE)

_Static_assert(CV_PAGES_MAX <= CV_MAP_MAX, "one record's pages fit one call of the sink");

struct cv_unpacker {
    struct cv_page_sink *sink;
    ZSTD_DCtx *dctx;
    uint8_t *bounce; /* BOUNCE_SIZE bytes, untouched ones cost nothing */
    uint64_t pfns[CV_PAGES_MAX];
    uint8_t types[CV_PAGES_MAX];
    void *pages[CV_PAGES_MAX];
};

int cv_unpacker_new(struct cv_unpacker **u_out, struct cv_page_sink *sink, struct cv_error *err)
{
    struct cv_unpacker *u = calloc(1, sizeof *u);

    if (u == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "page unpacker");
    u->sink = sink;
    u->dctx = ZSTD_createDCtx();
    u->bounce = cv_area_new(BOUNCE_SIZE);
    if (u->dctx == NULL || u->bounce == NULL) {
        cv_unpacker_free(u);
        return cv_fail(err, CV_E_NOMEM, 0, "page unpacker");
    }
    *u_out = u;
    return 0;
}

void cv_unpacker_free(struct cv_unpacker *u)
{
    if (u == NULL)
        return;
    ZSTD_freeDCtx(u->dctx);
    cv_area_free(u->bounce, BOUNCE_SIZE);
    free(u);
}

/* The pfns of all runs whose kind is in the set, types beside them.  Returns how many. */
static size_t collect(struct cv_unpacker *u, const struct cv_pages *p, unsigned kinds)
{
    struct cv_run_walk at = { 0 };
    struct cv_run run;
    size_t n = 0;

    while (cv_pages_next_run(p, &at, &run)) {
        if (!(kinds & 1u << run.kind))
            continue;
        for (uint64_t i = 0; i < run.length; i++) {
            u->pfns[n] = run.pfn + i;
            u->types[n++] = (uint8_t)run.kind;
        }
    }
    return n;
}

static bool contiguous(void *const *pages, size_t n)
{
    const uint8_t *first = pages[0];

    for (size_t i = 1; i < n; i++)
        if ((const uint8_t *)pages[i] != first + i * CV_PAGE_SIZE)
            return false;
    return true;
}

static void scatter(void *const *pages, size_t n, const uint8_t *raw)
{
    for (size_t i = 0; i < n; i++)
        memcpy(pages[i], raw + i * CV_PAGE_SIZE, CV_PAGE_SIZE);
}

static int fill(struct cv_unpacker *u, const struct cv_pages *p, struct cv_error *err)
{
    size_t n = p->data_pages;

    if (contiguous(u->pages, n))
        return cv_pages_unpack(p, u->dctx, u->pages[0], err);
    if (p->codec == CV_CODEC_NONE) {
        scatter(u->pages, n, p->payload);
        return 0;
    }
    if (cv_pages_unpack(p, u->dctx, u->bounce, err) < 0)
        return -1;
    scatter(u->pages, n, u->bounce);
    return 0;
}

static int store_data(struct cv_unpacker *u, const struct cv_pages *p, struct cv_error *err)
{
    struct cv_page_sink *s = u->sink;
    void *handle = NULL;
    size_t n = collect(u, p, 1u << CV_RUN_DATA);

    if (n == 0)
        return 0;
    if (s->ops->map(s, u->pfns, n, u->pages, &handle, err) < 0)
        return -1;
    int rc = fill(u, p, err);
    /* The first fault is the one to report. */
    if (s->ops->unmap(s, handle, rc < 0 ? NULL : err) < 0)
        rc = -1;
    return rc;
}

static int check_data(struct cv_unpacker *u, const struct cv_pages *p, struct cv_error *err)
{
    return p->codec == CV_CODEC_NONE ? 0 : cv_pages_unpack(p, u->dctx, u->bounce, err);
}

static int store_rest(struct cv_unpacker *u, const struct cv_pages *p, struct cv_error *err)
{
    struct cv_page_sink *s = u->sink;
    size_t n = collect(u, p, 1u << CV_RUN_ABSENT | 1u << CV_RUN_BROKEN | 1u << CV_RUN_ALLOC);

    if (n != 0 && s->ops->special(s, u->pfns, u->types, n, err) < 0)
        return -1;
    n = collect(u, p, 1u << CV_RUN_ZERO);
    return n == 0 ? 0 : s->ops->zero(s, u->pfns, n, err);
}

int cv_unpack(struct cv_unpacker *u, const void *body, size_t len, uint64_t max_pfn, struct cv_pages *head_out,
              struct cv_error *err)
{
    if (cv_pages_decode(body, len, max_pfn, head_out, err) < 0)
        return -1;
    if (u->sink == NULL)
        return check_data(u, head_out, err);
    return store_rest(u, head_out, err) < 0 ? -1 : store_data(u, head_out, err);
}

/* ---- fixed layout ---- */

#define READ_PAGES 256u /* read at a time: they are still in the cache when they are hashed and copied */

/* Pages [0, n) of u->pfns, whose hashes follow each other from hashes on.  What foreign mappings of guest memory are,
 * no file can be read into directly: it goes through bounce. */
static int take_contents(struct cv_unpacker *u, struct cv_fixed *f, size_t n, const uint8_t *hashes,
                         struct cv_error *err)
{
    for (size_t i = 0, step; i < n; i += step) {
        step = n - i < READ_PAGES ? n - i : READ_PAGES;
        if (cv_fixed_read(f, u->pfns + i, step, u->bounce, hashes + i * CV_PAGE_HASH, err) < 0)
            return -1;
        if (u->sink != NULL)
            scatter(u->pages + i, step, u->bounce);
    }
    return 0;
}

static int place_data(struct cv_unpacker *u, struct cv_fixed *f, size_t n, const uint8_t *hashes, struct cv_error *err)
{
    struct cv_page_sink *s = u->sink;
    void *handle = NULL;

    if (n == 0 || s == NULL)
        return take_contents(u, f, n, hashes, err);
    if (s->ops->map(s, u->pfns, n, u->pages, &handle, err) < 0)
        return -1;
    int rc = take_contents(u, f, n, hashes, err);
    if (s->ops->unmap(s, handle, rc < 0 ? NULL : err) < 0)
        rc = -1;
    return rc;
}

/* Those of u->pfns[0, n) that are wanted stay, and *first_out says which the first of them was.  Returns how many. */
static size_t clip(struct cv_unpacker *u, const struct cv_fixed *f, size_t n, size_t *first_out)
{
    size_t first = 0, end = n;

    while (first < end && u->pfns[first] < f->from)
        first++;
    while (end > first && u->pfns[end - 1] >= f->to)
        end--;
    memmove(u->pfns, u->pfns + first, (end - first) * sizeof *u->pfns);
    *first_out = first;
    return end - first;
}

int cv_unpack_fixed(struct cv_unpacker *u, struct cv_fixed *f, const void *body, size_t len, uint64_t max_pfn,
                    struct cv_pages *head_out, struct cv_error *err)
{
    const uint8_t *hashes;
    size_t first;

    if (cv_hashes_decode(body, len, head_out, &hashes, err) < 0)
        return -1;
    if (head_out->first_pfn + head_out->span > max_pfn)
        return cv_fail(err, CV_E_STREAM, 0, "body: pages beyond the memory's end");
    head_out->raw_length = head_out->data_pages * CV_PAGE_SIZE;
    if (u->sink != NULL && store_rest(u, head_out, err) < 0)
        return -1;
    size_t n = clip(u, f, collect(u, head_out, 1u << CV_RUN_DATA), &first);
    return place_data(u, f, n, hashes + first * CV_PAGE_HASH, err);
}
