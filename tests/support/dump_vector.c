/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/dump_vector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zstd.h>

#include "memory/hashes.h"
#include "stream-format/dump.h"

static int put_contents(struct cv_dump *d, const struct cv_pages *p, struct cv_error *err)
{
    uint8_t *raw = malloc(p->raw_length + 1);
    ZSTD_DCtx *dctx = ZSTD_createDCtx();
    int rc = cv_pages_unpack(p, dctx, raw, err);

    if (rc == 0)
        fprintf(d->out, "  contents %016" PRIx64 "\n", cv_body_hash(raw, p->raw_length));
    ZSTD_freeDCtx(dctx);
    free(raw);
    return rc;
}

static int put_pages(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    static const char *const names[] = { "DATA", "ABSENT", "BROKEN", "ALLOC", "ZERO", "SKIP" };
    struct cv_pages p;
    struct cv_run_walk at = { 0 };
    struct cv_run run;

    const uint8_t *hashes;
    bool contents = rec->raw_type == CV_REC_PAGES;

    if (!contents && cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
        return -1;
    if (contents && cv_pages_decode(rec->body.data, rec->body.len, CV_PFN_LIMIT, &p, err) < 0)
        return cv_context(err, "body");
    while (cv_pages_next_run(&p, &at, &run))
        fprintf(d->out, "  run %s 0x%" PRIx64 " %" PRIu64 "\n", names[run.kind], run.pfn, run.length);
    return contents && put_contents(d, &p, err) < 0 ? cv_context(err, "body") : 0;
}

int dump_vector(const void *data, size_t len, FILE *out)
{
    struct cv_reader_options opt = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_INCREMENTAL };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r = NULL;
    char *text = NULL;
    size_t text_len = 0;
    struct cv_dump d = { .out = open_memstream(&text, &text_len), .pages = put_pages };
    int rc = cv_reader_new_memory(&r, data, len, &opt, &err);

    if (rc == 0)
        rc = cv_dump_stream(&d, r, &err);
    cv_reader_free(r);
    fclose(d.out);
    d.out = out;
    if (rc < 0)
        cv_dump_error(&d, &err);
    else
        fwrite(text, 1, text_len, out);
    free(text);
    return rc;
}
