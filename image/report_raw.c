/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "image/report.h"
#include "memory/hashes.h"
#include "stream-format/dump.h"

static int dump_runs(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    static const char *const names[] = { "DATA", "ABSENT", "BROKEN", "ALLOC", "ZERO", "SKIP" };
    struct cv_pages p;
    struct cv_run_walk at = { 0 };
    struct cv_run run;

    const uint8_t *hashes;

    if (rec->raw_type == CV_REC_PLACES)
        return 0;
    if (rec->raw_type == CV_REC_PAGE_HASHES) {
        if (cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
            return -1;
    } else if (cv_pages_decode(rec->body.data, rec->body.len, CV_PFN_LIMIT, &p, err) < 0) {
        return cv_context(err, "body");
    }
    while (cv_pages_next_run(&p, &at, &run))
        fprintf(d->out, "  run %s 0x%" PRIx64 " %" PRIu64 "\n", names[run.kind], run.pfn, run.length);
    return 0;
}

int cv_report_raw(struct cv_reader *r, FILE *out, struct cv_error *err)
{
    struct cv_dump d = { .out = out, .pages = dump_runs };

    return cv_dump_stream(&d, r, err);
}
