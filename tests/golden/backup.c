/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vectors of what backups add to the format: PARENT, PAGE_HASHES, FREEZE. */
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

void base_having(struct raw_stream *s, uint32_t type)
{
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

void make_backup(void)
{
    freeze();
    parent();
}
