/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/ram.h"

#include <string.h>

#include "memory/zero.h"

static struct cv_ram *of_source(struct cv_page_source *s)
{
    return (struct cv_ram *)((char *)s - offsetof(struct cv_ram, source));
}

static struct cv_ram *of_sink(struct cv_page_sink *s)
{
    return (struct cv_ram *)((char *)s - offsetof(struct cv_ram, sink));
}

static int check_range(const struct cv_ram *r, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    if (n == 0 || pfns[n - 1] >= r->pfn_count)
        return cv_fail(err, CV_E_INVALID, 0, "pages beyond the end of memory");
    return 0;
}

static int source_map(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out,
                      const void **pages_out, void **handle_out, struct cv_error *err)
{
    struct cv_ram *r = of_source(s);

    if (check_range(r, pfns, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        types_out[i] = CV_PAGE_DATA;
        pages_out[i] = r->pages + pfns[i] * CV_PAGE_SIZE;
    }
    *handle_out = NULL;
    return 0;
}

static void source_unmap(struct cv_page_source *s, void *handle)
{
    (void)s;
    (void)handle;
}

static int sink_map(struct cv_page_sink *s, const uint64_t *pfns, size_t n, void **pages_out, void **handle_out,
                    struct cv_error *err)
{
    struct cv_ram *r = of_sink(s);

    if (check_range(r, pfns, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        pages_out[i] = r->pages + pfns[i] * CV_PAGE_SIZE;
    *handle_out = NULL;
    return 0;
}

static int sink_unmap(struct cv_page_sink *s, void *handle, struct cv_error *err)
{
    (void)s;
    (void)handle;
    (void)err;
    return 0;
}

static int sink_zero(struct cv_page_sink *s, const uint64_t *pfns, size_t n, struct cv_error *err)
{
    struct cv_ram *r = of_sink(s);

    if (check_range(r, pfns, n, err) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!cv_page_is_zero(r->pages + pfns[i] * CV_PAGE_SIZE))
            memset(r->pages + pfns[i] * CV_PAGE_SIZE, 0, CV_PAGE_SIZE);
    return 0;
}

static int sink_special(struct cv_page_sink *s, const uint64_t *pfns, const uint8_t *types, size_t n,
                        struct cv_error *err)
{
    (void)types;
    return sink_zero(s, pfns, n, err);
}

static const struct cv_page_source_ops source_ops = { .map = source_map, .unmap = source_unmap };
static const struct cv_page_sink_ops sink_ops = {
    .map = sink_map, .unmap = sink_unmap, .zero = sink_zero, .special = sink_special
};

void cv_ram_init(struct cv_ram *r, void *pages, uint64_t pfn_count)
{
    *r = (struct cv_ram){ .source = { &source_ops }, .sink = { &sink_ops }, .pages = pages, .pfn_count = pfn_count };
}
