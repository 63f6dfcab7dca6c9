/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "stream-format/bodies.h"
#include "tests/golden/vectors.h"
#include "tests/support/sample_stream.h"

void base_stream(struct raw_stream *s)
{
    struct sample_options opt = {
        .seed = 1, .emulators = 3, .passes = 2, .pages_records = 2, .index = true, .notes = true, .zstd = 2
    };
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, &opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
}

void invalid(const char *name, struct raw_stream *s)
{
    CV_AUTO_BUF b = { 0 };

    raw_emit(s, &b);
    vector_write(false, name, &b);
    raw_dispose(s);
}

void sample(const char *name, struct sample_options opt)
{
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, &opt);
    vector_write(true, name, &b);
}

/* The listing in docs/stream-format.md, 9. */
static void tiny(void)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF b = { 0 };
    struct cv_rec_memory m = { .pfn_count = 1 };
    struct cv_rec_pass_end e = { .flags = CV_PASS_LAST, .records = 1, .pages = 1 };
    struct cv_pages_head h = { .span = 1, .runs_length = 1 };
    uint8_t pages[CV_PAGES_HEAD_SIZE + 1] = { 0 }, end[CV_END_SIZE] = { 0 };

    s->header = (struct cv_stream_header){ .version = 1, .required_features = CV_FEATURE_MEMORY_ONLY };
    for (uint8_t i = 0; i < 16; i++)
        s->header.stream_id[i] = i;
    cv_pages_head_encode(&h, pages);
    pages[CV_PAGES_HEAD_SIZE] = 1 << 3 | 4;
    if (cv_rec_memory_encode(&m, &b, NULL) < 0)
        abort();
    raw_insert(s, 0, CV_REC_MEMORY, 0, b.data, b.len);
    raw_insert(s, 1, CV_REC_PAGES, 0, pages, sizeof pages);
    b.len = 0;
    if (cv_rec_pass_end_encode(&e, &b, NULL) < 0)
        abort();
    raw_insert(s, 2, CV_REC_PASS_END, 0, b.data, b.len);
    raw_insert(s, 3, CV_REC_END, 0, end, sizeof end);
    raw_emit(s, &b);
    vector_write(true, "tiny", &b);
    raw_dispose(s);
    free(s);
}

/* What convoy-dm gives a toolstack. */
static void states_only(void)
{
    struct sample_options opt = { .seed = 6, .emulators = 3, .passes = 1, .pages_records = 1 };
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF b = { 0 };

    sample_stream(&b, &opt);
    if (s == NULL || raw_parse(s, b.data, b.len) < 0)
        abort();
    s->header.required_features = CV_FEATURE_STATES_ONLY;
    for (size_t i = s->count; i-- > 0;)
        if (s->record[i].type != CV_REC_LAYOUT && s->record[i].type != CV_REC_DEVICE_STATE &&
            s->record[i].type != CV_REC_END)
            raw_remove(s, i);
    b.len = 0;
    raw_emit(s, &b);
    vector_write(true, "states-only", &b);
    raw_dispose(s);
    free(s);
}

/* Every kind of run, in one record. */
static void all_kinds(void)
{
    static const uint8_t runs[] = { 2 << 3 | 4, 1 << 3 | 5, 1 << 3 | 0, 3 << 3 | 1, 1 << 3 | 2, 0xd3, 0x08 };
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF b = { 0 };
    uint8_t body[CV_PAGES_HEAD_SIZE + sizeof runs + 4096] = { 0 };
    struct sample_options opt = { .seed = 21, .passes = 1 };
    struct cv_pages_head h = { .first_pfn = 0x40,
                               .span = 2 + 1 + 1 + 3 + 1 + 138,
                               .runs_length = sizeof runs,
                               .data_pages = 1,
                               .raw_length = 4096,
                               .payload_length = 4096 };
    struct cv_rec_pass_end e = { .flags = CV_PASS_LAST, .records = 1, .data_pages = 1, .pages = 2 + 1 + 3 + 1 + 138 };

    /* The last run is 138 << 3 | 3 = 0x453: 138 of ALLOC, in two bytes. */
    cv_pages_head_encode(&h, body);
    memcpy(body + CV_PAGES_HEAD_SIZE, runs, sizeof runs);
    memset(body + CV_PAGES_HEAD_SIZE + sizeof runs, 0xa5, 4096);
    sample_stream(&b, &opt);
    if (raw_parse(s, b.data, b.len) < 0)
        abort();
    raw_remove(s, raw_find(s, CV_REC_PASS_END, 0));
    raw_insert(s, 1, CV_REC_PAGES, 0, body, sizeof body);
    b.len = 0;
    if (cv_rec_pass_end_encode(&e, &b, NULL) < 0)
        abort();
    raw_insert(s, 2, CV_REC_PASS_END, 0, b.data, b.len);
    raw_emit(s, &b);
    vector_write(true, "all-kinds", &b);
    raw_dispose(s);
    free(s);
}

static void future_optional(void)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF b = { 0 };

    base_stream(s);
    s->header.optional_features |= 1ull << 63;
    raw_insert(s, 0, 0x80000777u, 42, "from the future", 15);
    raw_insert(s, 9, 0x80000778u, 0, "", 0);
    raw_remove(s, raw_find(s, CV_REC_INDEX, 0)); /* its offsets would be wrong */
    raw_emit(s, &b);
    vector_write(true, "unknown-optional", &b);
    raw_dispose(s);
    free(s);
}

static void without_maybes(void)
{
    struct raw_stream *s = calloc(1, sizeof *s);
    CV_AUTO_BUF b = { 0 };

    base_stream(s);
    raw_remove(s, raw_find(s, CV_REC_INDEX, 0));
    raw_remove(s, raw_find(s, CV_REC_XENSTORE, 0));
    raw_remove(s, raw_find(s, CV_REC_CPU_POLICY, 0));
    raw_swap(s, raw_find(s, CV_REC_DEVICE_STATE, 0), raw_find(s, CV_REC_DEVICE_STATE, 2));
    raw_emit(s, &b);
    vector_write(true, "optional-parts-missing", &b);
    raw_dispose(s);
    free(s);
}

void make_valid(void)
{
    tiny();
    all_kinds();
    future_optional();
    without_maybes();
    sample("one-emulator", (struct sample_options){ .seed = 2, .emulators = 1, .passes = 1, .pages_records = 1 });
    sample("three-emulators-live",
           (struct sample_options){
               .seed = 1, .emulators = 3, .passes = 2, .pages_records = 2, .index = true, .notes = true, .zstd = 1 });
    sample("eight-emulators", (struct sample_options){ .seed = 3, .emulators = 8, .passes = 1, .index = true });
    sample("pvh", (struct sample_options){
                      .seed = 6, .pvh = true, .passes = 1, .pages_records = 1, .index = true, .devices = true });
    sample("pvh-qdisk", (struct sample_options){
                            .seed = 7, .pvh = true, .emulators = 1, .passes = 1, .pages_records = 1, .devices = true });
    sample("pv-devices",
           (struct sample_options){
               .seed = 5, .emulators = 2, .passes = 1, .pages_records = 1, .index = true, .devices = true });
    states_only();
    sample("memory-only",
           (struct sample_options){ .seed = 4, .passes = 3, .pages_records = 3, .zstd = 1, .index = true });
}
