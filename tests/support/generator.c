/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/generator.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/generator_fill.h"

#define REGION 4096u /* pages; runs do not cross regions, so that any page can be made alone */

#define NEIGHBOURS 16u  /* pages that share a pattern */
#define OWN_PERCENT 36u /* of a page is not of the pattern */

/* Share of each kind and the pages of its runs.  Permille of the pages. */
static const struct {
    uint16_t permille, min, max;
} mix[CV_GEN_KINDS] = {
    [CV_GEN_ZERO] = { 779, 16, 2000 }, [CV_GEN_TEXT] = { 40, 4, 120 }, [CV_GEN_CODE] = { 68, 8, 300 },
    [CV_GEN_HEAP] = { 62, 1, 200 },    [CV_GEN_SLAB] = { 28, 1, 16 },  [CV_GEN_TABLES] = { 9, 1, 8 },
    [CV_GEN_RANDOM] = { 14, 2, 60 },
};

static cv_gen_fill *const fill[CV_GEN_KINDS] = {
    [CV_GEN_TEXT] = cv_gen_fill_text, [CV_GEN_CODE] = cv_gen_fill_code,     [CV_GEN_HEAP] = cv_gen_fill_heap,
    [CV_GEN_SLAB] = cv_gen_fill_slab, [CV_GEN_TABLES] = cv_gen_fill_tables, [CV_GEN_RANDOM] = cv_gen_fill_random,
};

/* A kind for a run: chosen so that pages, not runs, come in the proportions of the mix. */
static enum cv_gen_kind choose_kind(struct cv_rng *r)
{
    uint64_t weight[CV_GEN_KINDS], total = 0;

    for (unsigned k = 0; k < CV_GEN_KINDS; k++) {
        weight[k] = (uint64_t)mix[k].permille * 100000 / (mix[k].min + mix[k].max);
        total += weight[k];
    }
    uint64_t at = cv_rng_below(r, total);
    for (unsigned k = 0; k + 1 < CV_GEN_KINDS; k++) {
        if (at < weight[k])
            return (enum cv_gen_kind)k;
        at -= weight[k];
    }
    return CV_GEN_KINDS - 1;
}

enum cv_gen_kind cv_generator_kind(const struct cv_generator *g, uint64_t pfn)
{
    struct cv_rng r = cv_rng(g->seed, pfn / REGION);
    uint64_t at = 0, wanted = pfn % REGION;

    if (g->all_random)
        return CV_GEN_RANDOM;
    for (;;) {
        enum cv_gen_kind kind = choose_kind(&r);
        at += mix[kind].min + cv_rng_below(&r, mix[kind].max - mix[kind].min + 1u);
        if (wanted < at)
            return kind;
    }
}

/* Neighbouring pages of one kind have much in common: they are built from one pattern, and pieces of it are replaced.
 */
static void replace_pieces(struct cv_rng *r, uint8_t *page, const uint8_t *own)
{
    for (unsigned replaced = 0; replaced < CV_PAGE_SIZE / 100 * OWN_PERCENT;) {
        unsigned len = 128 + (unsigned)cv_rng_below(r, 1024),
                 at = (unsigned)cv_rng_below(r, CV_PAGE_SIZE - len) / 8 * 8;
        memcpy(page + at, own + at, len);
        replaced += len;
    }
}

static void make(const struct cv_generator *g, uint64_t pfn, enum cv_gen_kind kind, void *page)
{
    struct cv_rng r = cv_rng(g->seed ^ UINT64_C(0x9e3779b97f4a7c15), pfn);
    struct cv_rng pattern = cv_rng(g->seed ^ UINT64_C(0xbf58476d1ce4e5b9), pfn / NEIGHBOURS);
    uint64_t own[CV_PAGE_SIZE / 8];

    if (kind == CV_GEN_ZERO) {
        memset(page, 0, CV_PAGE_SIZE);
    } else if (kind == CV_GEN_RANDOM) {
        fill[kind](&r, pfn, page);
    } else {
        fill[kind](&pattern, pfn / NEIGHBOURS, page);
        fill[kind](&r, pfn, own);
        replace_pieces(&r, page, (const uint8_t *)own);
    }
}

void cv_generator_page(const struct cv_generator *g, uint64_t pfn, void *page)
{
    make(g, pfn, cv_generator_kind(g, pfn), page);
}

static const uint64_t zero_page[CV_PAGE_SIZE / 8];

static int map(struct cv_page_source *s, const uint64_t *pfns, size_t n, uint8_t *types_out, const void **pages_out,
               void **handle_out, struct cv_error *err)
{
    const struct cv_generator *g = (const struct cv_generator *)s;
    uint8_t *pages = malloc(n * CV_PAGE_SIZE);

    if (pages == NULL)
        return cv_fail(err, CV_E_NOMEM, 0, "%zu generated pages", n);
    for (size_t i = 0; i < n; i++) {
        enum cv_gen_kind kind = cv_generator_kind(g, pfns[i]);
        types_out[i] = CV_PAGE_DATA;
        pages_out[i] = kind == CV_GEN_ZERO ? (const void *)zero_page : pages + i * CV_PAGE_SIZE;
        if (kind != CV_GEN_ZERO)
            make(g, pfns[i], kind, pages + i * CV_PAGE_SIZE);
    }
    *handle_out = pages;
    return 0;
}

static void unmap(struct cv_page_source *s, void *handle)
{
    (void)s;
    free(handle);
}

static const struct cv_page_source_ops ops = { .map = map, .unmap = unmap };

void cv_generator_init(struct cv_generator *g, uint64_t seed, bool all_random)
{
    *g = (struct cv_generator){ .source = { &ops }, .seed = seed, .all_random = all_random };
}
