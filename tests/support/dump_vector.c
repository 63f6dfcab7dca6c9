/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/support/dump_vector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zstd.h>

#include "memory/fixed.h"
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

struct vector {
    struct cv_dump d; /* first member */
    struct cv_reader *r;
    struct cv_fixed fixed;
};

/* As a reader of everything goes about it: what lies before the pages is empty, and they are what their hashes say. */
static int put_area(struct vector *v, const struct cv_pages *p, const uint8_t *hashes, struct cv_error *err)
{
    uint8_t *raw = malloc((size_t)p->data_pages * CV_PAGE_SIZE + 1);
    uint64_t pfns[CV_PAGES_MAX];
    struct cv_run_walk at = { 0 };
    struct cv_run run;
    size_t n = 0;
    int rc = 0;

    while (rc == 0 && cv_pages_next_run(p, &at, &run)) {
        if (run.kind == CV_RUN_DATA)
            rc = cv_fixed_check_gap(&v->fixed, run.pfn, run.length, err);
        for (uint64_t i = 0; run.kind == CV_RUN_DATA && i < run.length; i++)
            pfns[n++] = run.pfn + i;
    }
    if (rc == 0)
        rc = cv_fixed_read(&v->fixed, pfns, n, raw, hashes, err);
    if (rc == 0)
        fprintf(v->d.out, "  contents %016" PRIx64 "\n", cv_body_hash(raw, n * CV_PAGE_SIZE));
    free(raw);
    return rc;
}

static int put_pages(struct cv_dump *d, const struct cv_record *rec, struct cv_error *err)
{
    static const char *const names[] = { "DATA", "ABSENT", "BROKEN", "ALLOC", "ZERO", "SKIP" };
    struct vector *v = (struct vector *)d;
    struct cv_pages p;
    struct cv_run_walk at = { 0 };
    struct cv_run run;

    const uint8_t *hashes;
    bool contents = rec->raw_type == CV_REC_PAGES;

    if (rec->raw_type == CV_REC_PLACES)
        return cv_fixed_take(&v->fixed, v->r, rec, err);
    if (!contents && cv_hashes_decode(rec->body.data, rec->body.len, &p, &hashes, err) < 0)
        return -1;
    if (contents && cv_pages_decode(rec->body.data, rec->body.len, CV_PFN_LIMIT, &p, err) < 0)
        return cv_context(err, "body");
    while (cv_pages_next_run(&p, &at, &run))
        fprintf(d->out, "  run %s 0x%" PRIx64 " %" PRIu64 "\n", names[run.kind], run.pfn, run.length);
    if (!contents)
        return cv_fixed_is_open(&v->fixed) ? put_area(v, &p, hashes, err) : 0;
    return put_contents(d, &p, err) < 0 ? cv_context(err, "body") : 0;
}

/* "error stream record 3 PAGES at offset 4711: hash": code, place and rule without the explaining text. */
static void put_error(FILE *out, const struct cv_error *why)
{
    /* "<place>: <rule>: <text>": what is behind the second colon may be worded anew at any time. */
    const char *colon = strstr(why->text, ": ");
    const char *stop = colon ? strstr(colon + 2, ": ") : NULL;

    fprintf(out, "error %s %.*s\n", cv_code_name(why->code), stop ? (int)(stop - why->text) : (int)strlen(why->text),
            why->text);
}

int dump_vector(const void *data, size_t len, FILE *out)
{
    struct cv_reader_options opt = { .accept_features = CV_FEATURE_MEMORY_ONLY | CV_FEATURE_STATES_ONLY |
                                                        CV_FEATURE_INCREMENTAL | CV_FEATURE_FIXED_OFFSETS };
    struct cv_error err = CV_ERROR_INIT;
    char *text = NULL;
    size_t text_len = 0;
    struct vector v = { .d = { .out = open_memstream(&text, &text_len), .pages = put_pages } };
    int rc = cv_reader_new_memory(&v.r, data, len, &opt, &err);

    if (rc == 0)
        rc = cv_dump_stream(&v.d, v.r, &err);
    if (rc == 0 && cv_fixed_is_open(&v.fixed) && (rc = cv_fixed_check_gap(&v.fixed, 0, 0, &err)) < 0)
        cv_context(&err, "area at offset %u", CV_AREA_PAGE);
    cv_fixed_dispose(&v.fixed);
    cv_reader_free(v.r);
    fclose(v.d.out);
    v.d.out = out;
    if (rc < 0)
        put_error(out, &err);
    else
        fwrite(text, 1, text_len, out);
    free(text);
    return rc;
}
