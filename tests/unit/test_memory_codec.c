/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bodies of PAGES records: what is put is got, and nothing that breaks a rule is taken. */
#include <check.h>
#include <stdlib.h>
#include <zstd.h>

#include "../support/run_suite.h"
#include "base/bytes.h"
#include "memory/pages_codec.h"
#include "memory/pipeline.h"
#include "tests/support/rng.h"

#define MAX_PFN (UINT64_C(1) << 40)

/* A body made by hand: run table and payload as given, the fixed part to match. */
struct body {
    struct cv_pages head;
    uint8_t runs[64];
    uint8_t bytes[70000];
    size_t len;
};

static void make_body(struct body *b, const uint8_t *payload)
{
    cv_pages_put_header(&b->head, b->bytes);
    memcpy(b->bytes + CV_PAGES_HEADER, b->runs, b->head.runs_length);
    if (b->head.payload_length > 0)
        memcpy(b->bytes + CV_PAGES_HEADER + b->head.runs_length, payload, b->head.payload_length);
    b->len = CV_PAGES_HEADER + b->head.runs_length + b->head.payload_length;
}

static void set_runs(struct body *b, const uint8_t *runs, uint32_t len)
{
    memcpy(b->runs, runs, len);
    b->head.runs_length = len;
}

#define RUN(kind, length) (uint8_t)((length) << 3 | (kind))

static int decode(const struct body *b, struct cv_pages *p, struct cv_error *err)
{
    /* Exactly as long as it is, so that a sanitizer sees every read behind it. */
    uint8_t *copy = malloc(b->len);
    memcpy(copy, b->bytes, b->len);
    int rc = cv_pages_decode(copy, b->len, MAX_PFN, p, err);
    free(copy);
    return rc;
}

static uint8_t zeros[8 * CV_PAGE_SIZE];

/* 2 data pages at 100, 3 zero pages, a gap of 5, 1 absent page: plain. */
static void good_body(struct body *b)
{
    static const uint8_t runs[] = { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 3), RUN(CV_RUN_SKIP, 5),
                                    RUN(CV_RUN_ABSENT, 1) };

    *b = (struct body){ .head = { .pass = 3,
                                  .codec = CV_CODEC_NONE,
                                  .first_pfn = 100,
                                  .span = 11,
                                  .data_pages = 2,
                                  .raw_length = 8192,
                                  .payload_length = 8192 } };
    set_runs(b, runs, sizeof runs);
    make_body(b, zeros);
}

START_TEST(a_good_body_is_taken)
{
    struct cv_error err = CV_ERROR_INIT;
    struct body *b = malloc(sizeof *b);
    struct cv_run_walk at = { 0 };
    struct cv_pages p;
    struct cv_run run;

    good_body(b);
    ck_assert_msg(cv_pages_decode(b->bytes, b->len, MAX_PFN, &p, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(p.pass, 3);
    ck_assert_uint_eq(p.listed, 6);
    ck_assert_uint_eq(p.counts[CV_RUN_ZERO], 3);
    ck_assert(cv_pages_next_run(&p, &at, &run) && run.kind == CV_RUN_DATA && run.pfn == 100 && run.length == 2);
    ck_assert(cv_pages_next_run(&p, &at, &run) && run.kind == CV_RUN_ZERO && run.pfn == 102 && run.length == 3);
    ck_assert(cv_pages_next_run(&p, &at, &run) && run.kind == CV_RUN_ABSENT && run.pfn == 110 && run.length == 1);
    ck_assert(!cv_pages_next_run(&p, &at, &run));
    /* Below max_pfn means below. */
    ck_assert_int_eq(cv_pages_decode(b->bytes, b->len, 111, &p, &err), 0);
    ck_assert_int_eq(cv_pages_decode(b->bytes, b->len, 110, &p, &err), -1);
    free(b);
}
END_TEST

START_TEST(every_shorter_or_longer_body_is_refused)
{
    struct cv_error err;
    struct body *b = malloc(sizeof *b);
    struct cv_pages p;

    good_body(b);
    for (size_t whole = b->len, len = 0; len <= whole + 1; len += len < 200 || len + 200 > whole ? 1 : 61) {
        b->len = len;
        if (len != whole)
            ck_assert_int_eq(decode(b, &p, &err), -1);
    }
    free(b);
}
END_TEST

/* Each entry spoils one field of the fixed part. */
/* clang-format off */
static const struct { unsigned offset, bytes; uint64_t value; const char *what; } spoiled[] = {
    { 4, 1, 2, "codec" },                  { 4, 1, 1, "zstd as long as raw" }, { 5, 1, 1, "flags" },
    { 6, 2, 1, "reserved" },               { 8, 8, MAX_PFN - 10, "range" },    { 8, 8, UINT64_MAX, "range" },
    { 16, 8, 0, "span 0" },                { 16, 8, 12, "span" },              { 16, 8, 10, "span" },
    { 16, 8, UINT64_MAX - 100, "span" },   { 24, 4, 0, "runs" },               { 24, 4, 5, "runs" },
    { 24, 4, UINT32_MAX, "runs" },         { 28, 4, 1, "data pages" },         { 28, 4, UINT32_MAX, "data pages" },
    { 32, 4, 4096, "raw length" },         { 36, 4, 8191, "payload" },         { 36, 4, UINT32_MAX, "payload" },
};
/* clang-format on */

START_TEST(a_spoiled_field_is_refused)
{
    struct cv_error err = CV_ERROR_INIT;
    struct body *b = malloc(sizeof *b);
    struct cv_pages p;

    good_body(b);
    for (unsigned i = 0; i < spoiled[_i].bytes; i++)
        b->bytes[spoiled[_i].offset + i] = (uint8_t)(spoiled[_i].value >> (8 * i));
    ck_assert_msg(decode(b, &p, &err) == -1, "%s", spoiled[_i].what);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    free(b);
}
END_TEST

/* Run tables for a span of 11 with 2 data pages that are wrong. */
/* clang-format off */
static const struct { uint8_t runs[8]; uint32_t len; const char *what; } bad_runs[] = {
    { { RUN(CV_RUN_SKIP, 1), RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 8) }, 3, "skips first" },
    { { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 8), RUN(CV_RUN_SKIP, 1) }, 3, "skips last" },
    { { RUN(CV_RUN_DATA, 1), RUN(CV_RUN_DATA, 1), RUN(CV_RUN_ZERO, 9) }, 3, "same kind twice" },
    { { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 0), RUN(CV_RUN_ALLOC, 9) }, 3, "length 0" },
    { { RUN(CV_RUN_DATA, 2), RUN(6, 9) }, 2, "kind 6" },
    { { RUN(CV_RUN_DATA, 2), RUN(7, 9) }, 2, "kind 7" },
    { { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 8) }, 2, "short" },
    { { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 10) }, 2, "long" },
    { { RUN(CV_RUN_DATA, 1), RUN(CV_RUN_ZERO, 10) }, 2, "one data page" },
    { { RUN(CV_RUN_DATA, 2), RUN(CV_RUN_ZERO, 9) | 0x80, 0 }, 3, "not the shortest form" },
    { { RUN(CV_RUN_DATA, 2), 0x80 }, 2, "cut off" },
    { { RUN(CV_RUN_DATA, 2), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 7, "never ends" },
};
/* clang-format on */

START_TEST(a_bad_run_table_is_refused)
{
    struct cv_error err = CV_ERROR_INIT;
    struct body *b = malloc(sizeof *b);
    struct cv_pages p;

    good_body(b);
    set_runs(b, bad_runs[_i].runs, bad_runs[_i].len);
    make_body(b, zeros);
    ck_assert_msg(decode(b, &p, &err) == -1, "%s", bad_runs[_i].what);
    ck_assert_int_eq(err.code, CV_E_STREAM);
    free(b);
}
END_TEST

START_TEST(too_many_pages_are_refused)
{
    struct body *b = malloc(sizeof *b);
    struct cv_pages p;
    struct cv_error err;

    for (uint32_t n = CV_PAGES_MAX; n <= CV_PAGES_MAX + 1; n++) {
        uint32_t v = n << 3 | CV_RUN_ZERO;
        const uint8_t runs[] = { (uint8_t)(v | 0x80), (uint8_t)(v >> 7 | 0x80), (uint8_t)(v >> 14) };
        *b = (struct body){ .head = { .first_pfn = 5, .span = n } };
        set_runs(b, runs, v >> 14 ? 3 : 2);
        b->runs[1] &= v >> 14 ? 0xff : 0x7f;
        make_body(b, zeros);
        ck_assert_int_eq(decode(b, &p, &err), n > CV_PAGES_MAX ? -1 : 0);
    }
    free(b);
}
END_TEST

/* Random lists of pages: put, got, and the same again. */
START_TEST(random_lists_come_back)
{
    static uint64_t pfns[CV_PAGES_MAX];
    static uint8_t kinds[CV_PAGES_MAX], body[CV_PAGES_BODY_MAX];
    struct rng r = rng_seed((uint64_t)_i);
    size_t n = 1 + rng_below(&r, CV_PAGES_MAX), got = 0;
    uint64_t pfn = rng_below(&r, 1u << 30);
    struct cv_error err = CV_ERROR_INIT;

    for (size_t i = 0; i < n; i++) {
        kinds[i] = (uint8_t)(i > 0 && rng_below(&r, 4) ? kinds[i - 1] : 1 + rng_below(&r, 4));
        pfns[i] = pfn;
        pfn += 1 + (rng_below(&r, 5) ? 0 : rng_below(&r, UINT64_C(1) << rng_below(&r, 28)));
    }
    struct cv_pages p = { .first_pfn = pfns[0], .span = pfns[n - 1] - pfns[0] + 1 };
    p.runs_length = cv_pages_put_runs(pfns, kinds, n, body + CV_PAGES_HEADER);
    cv_pages_put_header(&p, body);
    ck_assert_msg(cv_pages_decode(body, CV_PAGES_HEADER + p.runs_length, MAX_PFN, &p, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(p.listed, n);
    struct cv_run_walk at = { 0 };
    for (struct cv_run run; cv_pages_next_run(&p, &at, &run);)
        for (uint64_t i = 0; i < run.length; i++, got++) {
            ck_assert_uint_eq(pfns[got], run.pfn + i);
            ck_assert_uint_eq(kinds[got], run.kind);
        }
    ck_assert_uint_eq(got, n);
}
END_TEST

/* ---- zstd payloads ---- */

static int unpack_zstd(const uint8_t *payload, size_t len, uint32_t pages)
{
    static uint8_t raw[8 * CV_PAGE_SIZE];
    struct cv_error err = CV_ERROR_INIT;
    struct body *b = malloc(sizeof *b);
    uint8_t run = (uint8_t)(pages << 3);
    struct cv_pages p;
    ZSTD_DCtx *dctx = ZSTD_createDCtx();

    *b = (struct body){ .head = { .codec = CV_CODEC_ZSTD,
                                  .span = pages,
                                  .data_pages = pages,
                                  .raw_length = pages * CV_PAGE_SIZE,
                                  .payload_length = (uint32_t)len } };
    set_runs(b, &run, 1);
    make_body(b, payload);
    int rc = cv_pages_decode(b->bytes, b->len, MAX_PFN, &p, &err);
    if (rc == 0)
        rc = cv_pages_unpack(&p, dctx, raw, &err);
    ZSTD_freeDCtx(dctx);
    free(b);
    return rc;
}

START_TEST(one_zstd_frame_of_the_right_size_is_taken)
{
    uint8_t frame[65536], odd[65536 + 64];
    size_t len = ZSTD_compress(frame, sizeof frame, zeros, sizeof zeros, 1), half;

    ck_assert_int_eq(unpack_zstd(frame, len, 8), 0);
    ck_assert_int_eq(unpack_zstd(frame, len, 7), -1);
    ck_assert_int_eq(unpack_zstd(frame, len - 1, 8), -1);
    memcpy(odd, frame, len);
    odd[len] = 0;
    ck_assert_int_eq(unpack_zstd(odd, len + 1, 8), -1);

    /* two frames of half the size each */
    half = ZSTD_compress(odd, sizeof odd, zeros, sizeof zeros / 2, 1);
    memcpy(odd + half, odd, half);
    ck_assert_int_eq(unpack_zstd(odd, 2 * half, 8), -1);

    /* a skippable frame in front, or behind */
    static const uint8_t skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'h', 'i' };
    memcpy(odd, skippable, sizeof skippable);
    memcpy(odd + sizeof skippable, frame, len);
    ck_assert_int_eq(unpack_zstd(odd, len + sizeof skippable, 8), -1);
    memcpy(odd, frame, len);
    memcpy(odd + len, skippable, sizeof skippable);
    ck_assert_int_eq(unpack_zstd(odd, len + sizeof skippable, 8), -1);
}
END_TEST

START_TEST(a_frame_without_its_size_is_refused)
{
    uint8_t frame[65536];
    ZSTD_CCtx *c = ZSTD_createCCtx();

    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    size_t len = ZSTD_compress2(c, frame, sizeof frame, zeros, sizeof zeros);
    ZSTD_freeCCtx(c);
    ck_assert_int_eq(unpack_zstd(frame, len, 8), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_codec");
    TCase *t = tcase_create("bodies");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_good_body_is_taken);
    tcase_add_test(t, every_shorter_or_longer_body_is_refused);
    tcase_add_loop_test(t, a_spoiled_field_is_refused, 0, sizeof spoiled / sizeof spoiled[0]);
    tcase_add_loop_test(t, a_bad_run_table_is_refused, 0, sizeof bad_runs / sizeof bad_runs[0]);
    tcase_add_test(t, too_many_pages_are_refused);
    tcase_add_loop_test(t, random_lists_come_back, 0, 200);
    tcase_add_test(t, one_zstd_frame_of_the_right_size_is_taken);
    tcase_add_test(t, a_frame_without_its_size_is_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
