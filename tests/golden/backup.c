/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vectors of what backups add to the format: PARENT, PAGE_HASHES, FREEZE, fixed layout. */
#include <stdlib.h>

#include "tests/golden/vectors.h"

static const struct sample_options frozen = {
    .seed = 5, .emulators = 1, .passes = 2, .pages_records = 1, .index = true, .freeze = true
};

static const struct sample_options incremental = { .seed = 6,
                                                   .emulators = 2,
                                                   .passes = 1,
                                                   .pages_records = 2,
                                                   .index = true,
                                                   .parent = true,
                                                   .hashes = true,
                                                   .freeze = true };

static void base_of(struct raw_stream *s, const struct sample_options *opt)
{
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
}

static void frozen_base(struct raw_stream *s) { base_of(s, &frozen); }

static void incremental_base(struct raw_stream *s) { base_of(s, &incremental); }

static const struct sample_options with_devices = {
    .seed = 7, .emulators = 3, .passes = 1, .pages_records = 1, .index = true, .devices = true
};

static const struct sample_options fixed = {
    .seed = 8, .emulators = 1, .passes = 2, .index = true, .hashes = true, .fixed = true, .freeze = true
};

static void fixed_base(struct raw_stream *s) { base_of(s, &fixed); }

void base_having(struct raw_stream *s, uint32_t type)
{
    if (type == CV_REC_PLACES) {
        fixed_base(s);
        return;
    }
    if (type == CV_REC_PARENT || type == CV_REC_PAGE_HASHES) {
        incremental_base(s);
        return;
    }
    if (type == CV_REC_FREEZE)
        frozen_base(s);
    else if (type == CV_REC_DEVICES)
        base_of(s, &with_devices);
    else
        base_stream(s);
}

static void freeze(void)
{
    static const struct fault faults[] = {
        { "freeze-flags", CV_REC_FREEZE, 12, 4, 2 },
        { "freeze-no-command", CV_REC_FREEZE, 16, 4, 0 },
        { "freeze-output-length", CV_REC_FREEZE, 20, 4, 1000 },
        { "freeze-output-wraps", CV_REC_FREEZE, 20, 4, 0xffffffff },
        { "freeze-command-utf8", CV_REC_FREEZE, 30, 1, 0xff },
    };
    struct raw_stream *s = calloc(1, sizeof *s);

    sample("freeze", frozen);
    invalid_fields(frozen_base, faults, sizeof faults / sizeof faults[0], "body-");
    frozen_base(s);
    raw_swap(s, raw_find(s, CV_REC_FREEZE, 0), raw_find(s, CV_REC_TSC_INFO, 0));
    invalid("order-freeze-tsc", s);
    frozen_base(s);
    raw_swap(s, raw_find(s, CV_REC_FREEZE, 0), raw_find(s, CV_REC_PAGES, 1));
    invalid("order-freeze-before-memory", s);
    free(s);
}

static void parent(void)
{
    static const struct fault faults[] = {
        { "parent-reserved", CV_REC_PARENT, 36, 4, 1 },
        { "parent-name-length", CV_REC_PARENT, 32, 4, 1 },
        { "parent-name-wraps", CV_REC_PARENT, 32, 4, 0xffffffff },
        { "parent-name-slash", CV_REC_PARENT, 41, 1, '/' },
        { "parent-name-utf8", CV_REC_PARENT, 41, 1, 0xff },
        { "hashes-beyond-memory", CV_REC_PAGE_HASHES, 0, 8, 0xfffff },
        { "hashes-pfn-wraps", CV_REC_PAGE_HASHES, 0, 8, UINT64_MAX },
        { "hashes-no-span", CV_REC_PAGE_HASHES, 8, 8, 0 },
        { "hashes-span", CV_REC_PAGE_HASHES, 8, 8, 11 },
        { "hashes-no-runs", CV_REC_PAGE_HASHES, 16, 4, 0 },
        { "hashes-data-pages", CV_REC_PAGE_HASHES, 20, 4, 2 },
        { "hashes-data-pages-many", CV_REC_PAGE_HASHES, 20, 4, 2049 },
        { "hashes-run-kind", CV_REC_PAGE_HASHES, 25, 1, 2 << 3 | 7 },
    };
    struct sample_options full = incremental;
    struct raw_stream *s = calloc(1, sizeof *s);

    sample("incremental", incremental);
    full.parent = false;
    sample("page-hashes", full);
    full.emulators = 0;
    full.freeze = false;
    full.parent = true;
    sample("incremental-memory-only", full);
    invalid_fields(incremental_base, faults, sizeof faults / sizeof faults[0], "body-");
    incremental_base(s);
    s->header.required_features &= ~CV_FEATURE_INCREMENTAL;
    invalid("order-parent-in-a-full-image", s);
    base_stream(s);
    s->header.required_features |= CV_FEATURE_INCREMENTAL;
    invalid("missing-parent-of-an-incremental-image", s);
    incremental_base(s);
    raw_swap(s, raw_find(s, CV_REC_PARENT, 0), raw_find(s, CV_REC_MEMORY, 0));
    invalid("order-parent-memory", s);
    incremental_base(s);
    raw_swap(s, raw_find(s, CV_REC_PAGE_HASHES, 0), raw_find(s, CV_REC_PAGE_HASHES, 1));
    invalid("order-hashes-pfn-again", s);
    incremental_base(s);
    raw_swap(s, raw_find(s, CV_REC_PAGE_HASHES, 0), raw_find(s, CV_REC_PASS_END, 0));
    invalid("order-hashes-before-the-last-pass", s);
    free(s);
}

static void fixed_order(void)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF pages = { 0 };

    fixed_base(s);
    s->header.required_features &= ~CV_FEATURE_FIXED_OFFSETS;
    invalid("fixed-not-in-the-features", s);
    fixed_base(s);
    s->header.required_features |= CV_FEATURE_INCREMENTAL;
    invalid("fixed-and-incremental", s);
    fixed_base(s);
    raw_remove(s, raw_find(s, CV_REC_PLACES, 0));
    invalid("missing-places", s);
    fixed_base(s);
    raw_swap(s, raw_find(s, CV_REC_PLACES, 0), raw_find(s, CV_REC_MEMORY, 0));
    invalid("order-places-memory", s);
    fixed_base(s);
    size_t at = raw_find(s, CV_REC_PLACES, 0);
    raw_insert(s, at + 1, CV_REC_PLACES, 0, s->record[at].body.data, s->record[at].body.len);
    invalid("twice-places", s);
    fixed_base(s);
    sample_pages(&pages, 1, 0, 2, 1, false);
    raw_insert(s, raw_find(s, CV_REC_PASS_END, 0), CV_REC_PAGES, 0, pages.data, pages.len);
    invalid("order-pages-of-fixed-layout", s);
    base_stream(s);
    raw_insert(s, raw_find(s, CV_REC_MEMORY, 0) + 1, CV_REC_PLACES, 0, "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\4\0\0\0\0\0\0",
               24);
    invalid("order-places-in-a-stream", s);
    fixed_base(s);
    s->header.area_pages = 0;
    s->area.len = 4096 - CV_STREAM_HEADER_SIZE;
    invalid("header-area-none", s);
    fixed_base(s);
    s->header.area_pages = (UINT64_C(1) << 40) + 1;
    invalid("header-area-too-large", s);
    fixed_base(s);
    s->header.area_pages = UINT64_C(1) << 40;
    invalid("area-truncated", s);
    fixed_base(s);
    s->header.area_pages--;
    s->area.len -= 4096;
    invalid("area-smaller-than-places", s);
    free(s);
}

/* Damage between header and records. */
static void fixed_area(void)
{
    static const struct {
        const char *name;
        size_t at; /* in the stream */
    } damage[] = { { "area-header-block", 100 },
                   { "area-page", 4096 + 17 },
                   { "area-between-pages", 2 * 4096 + 4095 },
                   { "area-before-a-record", 3 * 4096 },
                   { "area-last-page", 5 * 4096 + 4000 } };
    struct raw_stream *s = calloc(1, sizeof *s);

    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        fixed_base(s);
        s->area.data[damage[i].at - CV_STREAM_HEADER_SIZE] ^= 1;
        invalid(damage[i].name, s);
    }
    /* Something behind the last page: a place more than the pages need.  Without an index, whose offsets would be
     * wrong. */
    struct sample_options bare = fixed;
    bare.index = false;
    base_of(s, &bare);
    cv_store64(s->record[raw_find(s, CV_REC_PLACES, 0)].body.data + 32, 4);
    s->header.area_pages++;
    CV_AUTO_BUF page = { 0 };
    if (cv_buf_reserve(&page, 4096, NULL) < 0)
        abort();
    memset(page.data, 0, 4096);
    page.data[4095] = 1;
    if (cv_buf_append(&s->area, page.data, 4096, NULL) < 0)
        abort();
    invalid("area-behind-the-last-page", s);
    free(s);
}

static void fixed_layout(void)
{
    static const struct fault faults[] = {
        { "places-none", CV_REC_PLACES, 0, 4, 0 },           { "places-count", CV_REC_PLACES, 0, 4, 3 },
        { "places-reserved", CV_REC_PLACES, 4, 4, 1 },       { "places-overlap", CV_REC_PLACES, 24, 8, 3 },
        { "places-touch", CV_REC_PLACES, 24, 8, 4 },         { "places-empty", CV_REC_PLACES, 16, 8, 0 },
        { "places-wrap", CV_REC_PLACES, 24, 8, UINT64_MAX }, { "places-beyond-memory", CV_REC_PLACES, 24, 8, 0xffffe },
        { "places-too-few", CV_REC_PLACES, 16, 8, 1 },       { "places-not-of-a-page", CV_REC_PLACES, 24, 8, 0x2000 },
    };
    struct sample_options only = fixed;

    sample("fixed", fixed);
    only.emulators = 0;
    only.passes = 1;
    only.index = false;
    sample("fixed-memory-only", only);
    invalid_fields(fixed_base, faults, sizeof faults / sizeof faults[0], "body-");
    fixed_order();
    fixed_area();
}

void make_backup(void)
{
    fixed_layout();
    freeze();
    parent();
}
