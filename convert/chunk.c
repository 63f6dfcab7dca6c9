/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "convert/chunk.h"

#include <stdlib.h>
#include <string.h>

static size_t find_page(const struct cv_chunk *c, uint64_t pfn)
{
    size_t low = 0, high = c->n;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (c->pfns[mid] < pfn)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int map(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, const void **pages_out,
               void **handle_out, struct cv_error *err)
{
    struct cv_chunk *c = (struct cv_chunk *)s;

    for (size_t i = 0, at = n ? find_page(c, pfns[0]) : 0; i < n; i++) {
        while (at < c->n && c->pfns[at] < pfns[i])
            at++;
        if (at == c->n || c->pfns[at] != pfns[i])
            return cv_fail(err, CV_E_INTERNAL, 0, "page %#llx is not in the chunk", (unsigned long long)pfns[i]);
        types_out[i] = c->types[at];
        pages_out[i] = c->pages + at * CV_PAGE_SIZE;
    }
    *handle_out = NULL;
    return 0;
}

static void unmap(struct cv_page_source *s, void *handle)
{
    (void)s;
    (void)handle;
}

int cv_chunk_init(struct cv_chunk *c, struct cv_error *err)
{
    static const struct cv_page_source_ops ops = { .map = map, .unmap = unmap };

    *c = (struct cv_chunk){ .source = { &ops },
                            .pfns = calloc(CV_CHUNK_PAGES, sizeof *c->pfns),
                            .types = calloc(CV_CHUNK_PAGES, 1),
                            .pages = malloc((size_t)CV_CHUNK_PAGES * CV_PAGE_SIZE) };
    if (c->pfns != NULL && c->types != NULL && c->pages != NULL)
        return 0;
    cv_chunk_dispose(c);
    return cv_fail(err, CV_E_NOMEM, 0, "no memory for %u pages", CV_CHUNK_PAGES);
}

void cv_chunk_dispose(struct cv_chunk *c)
{
    free(c->pfns);
    free(c->types);
    free(c->pages);
    *c = (struct cv_chunk){ 0 };
}

void cv_chunk_add(struct cv_chunk *c, uint64_t pfn, enum cv_page_type type, const void *page)
{
    c->pfns[c->n] = pfn;
    c->types[c->n] = (uint8_t)type;
    if (page != NULL)
        memcpy(c->pages + c->n * CV_PAGE_SIZE, page, CV_PAGE_SIZE);
    c->n++;
}
