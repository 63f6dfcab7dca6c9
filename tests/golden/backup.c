/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vectors of what backups add to the format: FREEZE. */
#include <stdlib.h>

#include "tests/golden/vectors.h"

static const struct sample_options frozen = {
    .seed = 5, .emulators = 1, .passes = 2, .pages_records = 1, .index = true, .freeze = true
};

static void base_of(struct raw_stream *s, const struct sample_options *opt)
{
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
}

static void frozen_base(struct raw_stream *s) { base_of(s, &frozen); }

void base_having(struct raw_stream *s, uint32_t type)
{
    if (type == CV_REC_FREEZE)
        frozen_base(s);
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

void make_backup(void) { freeze(); }
