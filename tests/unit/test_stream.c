/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writer against reader: round trip, every prefix, memory, conversations over a pipe. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <xxhash.h>

#include "../support/run_suite.h"
#include "stream-format/bodies.h"
#include "stream-format/frame.h"
#include "stream-format/index.h"
#include "tests/support/raw_stream.h"
#include "tests/support/rng.h"
#include "tests/support/sample_stream.h"

static struct sample_options options(uint64_t seed)
{
    struct rng r = rng_seed(seed * 7919 + 1);
    return (struct sample_options){ .seed = seed,
                                    .emulators = (unsigned)rng_below(&r, 9),
                                    .passes = 1 + (unsigned)rng_below(&r, 3),
                                    .pages_records = (unsigned)rng_below(&r, 4),
                                    .index = rng_below(&r, 2),
                                    .notes = rng_below(&r, 2),
                                    .zstd = rng_below(&r, 2) };
}

/* Reads everything.  Returns the number of records in front of END, or -1. */
static int read_all(const struct cv_buf *s, struct cv_error *err)
{
    CV_AUTO_RECORD rec = { 0 };
    struct cv_reader *r = sample_reader(s, err);
    int n = 0, rc;

    if (r == NULL)
        return -1;
    while ((rc = cv_reader_next(r, &rec, err)) == 1)
        n++;
    cv_reader_free(r);
    return rc < 0 ? -1 : n;
}

START_TEST(what_is_written_is_read)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct sample_options opt = options(seed);
        CV_AUTO_BUF s = { 0 }, again = { 0 };
        CV_AUTO_RECORD rec = { 0 };
        struct cv_error err = CV_ERROR_INIT;
        struct raw_stream *raw = calloc(1, sizeof *raw);
        size_t n = 0;
        int rc;

        sample_stream(&s, &opt);
        ck_assert_int_eq(raw_parse(raw, s.data, s.len), 0);
        struct cv_reader *r = sample_reader(&s, &err);
        ck_assert_msg(r != NULL, "%s", err.text);
        while ((rc = cv_reader_next(r, &rec, &err)) == 1) {
            ck_assert_uint_eq(rec.number, n);
            ck_assert_uint_eq(rec.raw_type, raw->record[n].type);
            ck_assert_uint_eq(rec.body.len, raw->record[n].body.len);
            ck_assert(memcmp(rec.body.data, raw->record[n].body.data, rec.body.len) == 0);
            n++;
        }
        ck_assert_msg(rc == 0, "seed %u: %s", (unsigned)seed, err.text);
        ck_assert_uint_eq(cv_reader_end(r)->records, n);
        ck_assert_uint_eq(cv_reader_bytes(r), s.len);
        ck_assert_int_lt(cv_reader_next(r, &rec, &err), 0);
        cv_reader_free(r);

        /* The test's own frame maker agrees with the writer byte by byte. */
        raw_emit(raw, &again);
        ck_assert_uint_eq(again.len, s.len);
        ck_assert(memcmp(again.data, s.data, s.len) == 0);
        raw_dispose(raw);
        free(raw);
    }
}
END_TEST

/* The offset after "ends at offset ". */
static uint64_t told_offset(const struct cv_error *err)
{
    const char *p = strstr(err->text, "ends at offset ");
    return p ? strtoull(p + strlen("ends at offset "), NULL, 10) : UINT64_MAX;
}

START_TEST(every_prefix_fails_where_it_ends)
{
    struct sample_options opt = {
        .seed = 5, .emulators = 3, .passes = 2, .pages_records = 1, .index = true, .notes = true, .zstd = true
    };
    CV_AUTO_BUF s = { 0 };

    sample_stream(&s, &opt);
    for (size_t len = 0; len < s.len; len++) {
        struct cv_buf prefix = { .data = s.data, .len = len };
        struct cv_error err = CV_ERROR_INIT;
        ck_assert_int_lt(read_all(&prefix, &err), 0);
        ck_assert_int_eq(err.code, CV_E_STREAM);
        ck_assert_msg(strstr(err.text, ": truncated: ") != NULL, "%zu: %s", len, err.text);
        ck_assert_msg(told_offset(&err) == len, "%zu: %s", len, err.text);
    }
}
END_TEST

START_TEST(every_single_bit_is_found)
{
    struct sample_options opt = {
        .seed = 6, .emulators = 2, .passes = 1, .pages_records = 1, .index = true, .zstd = true
    };
    CV_AUTO_BUF s = { 0 };

    sample_stream(&s, &opt);
    for (size_t bit = 0; bit < s.len * 8; bit++) {
        struct cv_error err = CV_ERROR_INIT;
        s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_msg(read_all(&s, &err) < 0, "bit %zu", bit);
        ck_assert_msg(strstr(err.text, "at offset ") != NULL, "%s", err.text);
        s.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

START_TEST(damaged_device_state_names_its_dmid)
{
    struct sample_options opt = { .seed = 8, .emulators = 4, .passes = 1 };
    CV_AUTO_BUF s = { 0 };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    uint64_t at = 0;
    int rc;

    sample_stream(&s, &opt);
    struct cv_reader *r = sample_reader(&s, &err);
    while ((rc = cv_reader_next(r, &rec, &err)) == 1)
        if (rec.type == CV_REC_DEVICE_STATE && rec.tag == 2)
            at = rec.offset;
    cv_reader_free(r);
    ck_assert_int_eq(rc, 0);
    s.data[at + CV_RECORD_HEADER_SIZE + CV_DEVICE_STATE_HEAD] ^= 1;
    ck_assert_int_lt(read_all(&s, &err), 0);
    ck_assert_msg(strstr(err.text, "DEVICE_STATE dmid 2 at offset ") != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, ": hash: ") != NULL, "%s", err.text);
}
END_TEST

START_TEST(deferred_bodies_are_checked_later)
{
    struct sample_options opt = { .seed = 9, .emulators = 0, .passes = 1, .pages_records = 2 };
    struct cv_reader_options ro = { .accept_features = CV_FEATURE_MEMORY_ONLY, .defer_hash_of_pages = true };
    CV_AUTO_BUF s = { 0 };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r;
    unsigned pages = 0;

    sample_stream(&s, &opt);
    ck_assert_int_eq(cv_reader_new_memory(&r, s.data, s.len, &ro, &err), 0);
    while (cv_reader_next(r, &rec, &err) == 1) {
        if (rec.type != CV_REC_PAGES)
            continue;
        pages++;
        ck_assert(!rec.body_checked);
        ck_assert_int_eq(cv_record_check(&rec, &err), 0);
        rec.body.data[rec.body.len - 1] ^= 1;
        ck_assert_int_lt(cv_record_check(&rec, &err), 0);
        ck_assert_msg(strstr(err.text, "PAGES at offset ") != NULL, "%s", err.text);
    }
    ck_assert_uint_eq(pages, 2);
    cv_reader_free(r);
}
END_TEST

/* Whatever a header claims, no more is allocated than twice what arrived and one step. */
START_TEST(claimed_lengths_do_not_allocate)
{
    struct sample_options opt = { .seed = 10, .emulators = 1, .passes = 1, .pages_records = 1 };
    static const uint32_t types[] = { CV_REC_PAGES, CV_REC_HVM_CONTEXT, CV_REC_DEVICE_STATE, 0x80001234u };
    struct raw_stream *raw = calloc(1, sizeof *raw);

    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        CV_AUTO_BUF s = { 0 };
        CV_AUTO_RECORD rec = { 0 };
        struct cv_error err = CV_ERROR_INIT;
        int rc;

        sample_stream(&s, &opt);
        ck_assert_int_eq(raw_parse(raw, s.data, s.len), 0);
        if (types[t] == 0x80001234u)
            raw_insert(raw, 1, types[t], 0, "", 0);
        size_t at = raw_find(raw, types[t], 0);
        const struct cv_record_rule *rule = cv_record_rule(types[t]);
        uint64_t max = rule ? rule->max : CV_OPTIONAL_RECORD_MAX;
        raw->record[at].length_error = (max & ~7ull) - raw->record[at].body.len;
        raw_emit(raw, &s);
        struct cv_reader *r = sample_reader(&s, &err);
        while ((rc = cv_reader_next(r, &rec, &err)) == 1)
            ;
        ck_assert_int_lt(rc, 0);
        ck_assert_msg(strstr(err.text, ": truncated: ") != NULL, "%s", err.text);
        ck_assert_uint_le(rec.body.cap, 2 * s.len + (2u << 20));
        cv_reader_free(r);
        raw_dispose(raw);
    }
    free(raw);
}
END_TEST

START_TEST(unknown_optional_records_are_passed_over)
{
    struct sample_options opt = { .seed = 11, .emulators = 1, .passes = 1, .pages_records = 1 };
    struct raw_stream *raw = calloc(1, sizeof *raw);
    CV_AUTO_BUF s = { 0 };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    unsigned unknown = 0;
    int rc;

    sample_stream(&s, &opt);
    ck_assert_int_eq(raw_parse(raw, s.data, s.len), 0);
    raw_insert(raw, 0, 0x80000777u, 42, "future", 6);
    raw_insert(raw, 5, 0x80000778u, 0, "", 0);
    raw_emit(raw, &s);
    struct cv_reader *r = sample_reader(&s, &err);
    while ((rc = cv_reader_next(r, &rec, &err)) == 1)
        unknown += !rec.known;
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_uint_eq(unknown, 2);
    cv_reader_free(r);
    raw_dispose(raw);
    free(raw);
}
END_TEST

START_TEST(works_on_a_pipe_that_stays_open)
{
    struct sample_options opt = { .seed = 12, .emulators = 2, .passes = 1 };
    struct cv_reader_options ro = { .stays_open = true, .stall_ms = 5000 };
    CV_AUTO_BUF s = { 0 };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r;
    int p[2], rc;

    sample_stream(&s, &opt);
    ck_assert_int_eq(pipe(p), 0);
    ck_assert_int_eq((int)write(p[1], s.data, s.len), (int)s.len);
    ck_assert_int_eq(cv_reader_new(&r, p[0], &ro, &err), 0);
    while ((rc = cv_reader_next(r, &rec, &err)) == 1)
        ;
    ck_assert_msg(rc == 0, "%s", err.text);
    cv_reader_free(r);
    close(p[0]);
    close(p[1]);
}
END_TEST

START_TEST(a_silent_peer_is_a_timeout)
{
    struct cv_reader_options ro = { .stall_ms = 20 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_reader *r;
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    ck_assert_int_lt(cv_reader_new(&r, p[0], &ro, &err), 0);
    ck_assert_int_eq(err.code, CV_E_TIMEOUT);
    close(p[0]);
    close(p[1]);
}
END_TEST

START_TEST(a_full_disk_breaks_the_writer_off)
{
    struct cv_writer_options wo = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_writer *w;
    struct rlimit small = { 80, RLIM_INFINITY }, before;
    int fd = memfd_create("full", MFD_CLOEXEC);
    struct iovec iov = { "a note that is longer than what is left", 39 };

    getrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(cv_writer_new(&w, fd, &wo, &err), 0);
    setrlimit(RLIMIT_FSIZE, &small);
    int rc = cv_writer_put(w, CV_REC_NOTE, &iov, 1, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_lt(cv_writer_put(w, CV_REC_NOTE, &iov, 1, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
    cv_writer_free(w);
    close(fd);
}
END_TEST

/* The list that 5.15 prescribes, computed from its words: how many entries, and which PAGES records are among them. */
static void check_long_index(uint64_t records, uint64_t every)
{
    struct cv_index x = { .stride = 1 };
    uint64_t pages = 0, others = 0, step = 1, at = 0;
    bool good = true; /* an assertion for each entry would take minutes */

    for (uint64_t i = 0; i < records; i++) {
        struct cv_index_entry e = { .offset = 64 + 40 * i,
                                    .number = i,
                                    .type = i % every ? CV_REC_PAGES : CV_REC_PASS_END };
        e.key = i % every ? pages++ : others++;
        good = cv_index_add(&x, &e, NULL) == 0 && good;
    }
    while (step < pages && others + (pages + step - 1) / step > CV_INDEX_ENTRIES_MAX)
        step *= 2;
    for (uint64_t i = 0, ordinal = 0; i < records && at < CV_INDEX_ENTRIES_MAX; i++)
        if (i % every == 0 || ordinal++ % step == 0) {
            good = good && at < x.count && x.entries[at].number == i;
            at++;
        }
    ck_assert(good);
    ck_assert_uint_eq(at, x.count);
    cv_index_dispose(&x);
}

START_TEST(a_long_index_is_thinned_out_evenly)
{
    check_long_index(65536, 7);
    check_long_index(65537, 7);
    check_long_index(70001, 2);
    check_long_index(400000, 9);
    check_long_index(300000, 3); /* more other records than there is room for */
    check_long_index(70000, 1);  /* no PAGES at all */
}
END_TEST

START_TEST(the_index_leads_to_every_record)
{
    struct sample_options opt = { .seed = 13, .emulators = 3, .passes = 3, .pages_records = 3, .index = true };
    CV_AUTO_BUF s = { 0 };
    CV_AUTO_RECORD rec = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_rec_index x;
    unsigned checked = 0;

    sample_stream(&s, &opt);
    struct cv_reader *r = sample_reader(&s, &err);
    while (cv_reader_next(r, &rec, &err) == 1) {
        if (rec.raw_type != CV_REC_INDEX)
            continue;
        ck_assert_int_eq(cv_rec_index_decode(&x, rec.body.data, rec.body.len, &err), 0);
        ck_assert_uint_eq(x.count, rec.number);
        for (uint32_t i = 0; i < x.count; i++) {
            struct cv_index_entry e = cv_index_at(&x, i);
            struct cv_frame f;
            uint64_t check;
            ck_assert(cv_frame_decode(&f, e.chain, s.data + e.offset, &check));
            ck_assert_uint_eq(f.type, e.type);
            ck_assert_uint_eq(f.number, e.number);
            ck_assert_uint_eq(f.tag, e.tag);
            checked++;
        }
    }
    ck_assert_uint_gt(checked, 15);
    cv_reader_free(r);
}
END_TEST

/* Whatever variant this processor gets, at every length class of XXH3 and at any alignment. */
START_TEST(the_body_hash_is_xxh3)
{
    static uint8_t data[70000];
    struct rng r = rng_seed(11);

    rng_fill(&r, data, sizeof data);
    for (size_t len = 0; len < 1500; len++)
        ck_assert_uint_eq(cv_body_hash(data + len % 64, len), XXH3_64bits(data + len % 64, len));
    for (unsigned i = 0; i < 200; i++) {
        size_t at = rng_below(&r, 100), len = rng_below(&r, sizeof data - at);
        ck_assert_uint_eq(cv_body_hash(data + at, len), XXH3_64bits(data + at, len));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stream");
    TCase *tc = tcase_create("stream");

    tcase_set_timeout(tc, 100);
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, every_prefix_fails_where_it_ends);
    tcase_add_test(tc, every_single_bit_is_found);
    tcase_add_test(tc, damaged_device_state_names_its_dmid);
    tcase_add_test(tc, deferred_bodies_are_checked_later);
    tcase_add_test(tc, claimed_lengths_do_not_allocate);
    tcase_add_test(tc, unknown_optional_records_are_passed_over);
    tcase_add_test(tc, works_on_a_pipe_that_stays_open);
    tcase_add_test(tc, a_silent_peer_is_a_timeout);
    tcase_add_test(tc, a_full_disk_breaks_the_writer_off);
    tcase_add_test(tc, the_index_leads_to_every_record);
    tcase_add_test(tc, the_body_hash_is_xxh3);
    tcase_add_test(tc, a_long_index_is_thinned_out_evenly);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}
