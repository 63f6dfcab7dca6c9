/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saver against loader over random memory: what goes in comes out, and the bytes do not depend on the workers. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "memory/batch.h"
#include "tests/support/memory_model.h"

static const unsigned thread_counts[] = { 0, 1, 2, 5 };
#define THREAD_COUNTS (sizeof thread_counts / sizeof thread_counts[0])

/* clang-format off */
static const struct { enum cv_codec codec; int level; } codecs[] = {
    { CV_CODEC_NONE, 0 }, { CV_CODEC_ZSTD, 1 }, { CV_CODEC_ZSTD, -5 }, { CV_CODEC_ZSTD, 6 }, { CV_CODEC_AUTO, 0 },
};
/* clang-format on */
#define CODECS (sizeof codecs / sizeof codecs[0])

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

static bool same_bytes(const struct cv_buf *a, const struct cv_buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

START_TEST(what_is_saved_is_loaded)
{
    struct cv_error err = CV_ERROR_INIT;
    struct rng r = rng_seed((uint64_t)_i);
    struct cv_mem_options opt = { .codec = codecs[_i % CODECS].codec, .level = codecs[_i % CODECS].level };
    CV_AUTO_BUF first = { 0 };
    struct model m;

    /* Sizes around the borders of batches, words and single pages. */
    static const uint64_t sizes[] = { 1, 63, 65, 1023, 1024, 1025, 5000, 9000 };
    model_init(&m, sizes[(unsigned)_i % 8]);
    if (_i / 2 & 1)
        model_read_instead(&m);
    model_fill(&m, &r);
    for (unsigned t = 0; t < THREAD_COUNTS; t++) {
        struct cv_mem_stats stats;
        CV_AUTO_BUF stream = { 0 };
        struct model got;

        opt.threads = thread_counts[t];
        OK(model_save_all(&m, &opt, &stream, &err));
        if (first.len == 0)
            OK(model_save_all(&m, &opt, &first, &err));
        if (opt.codec != CV_CODEC_AUTO)
            ck_assert_msg(same_bytes(&first, &stream), "%u threads give other bytes", opt.threads);
        model_init(&got, m.pfn_count);
        got.scattered = _i & 1;
        OK(model_load(&stream, &got.sink, &opt, &stats, &err));
        ck_assert(model_same(&m, &got, 0, m.pfn_count));
        ck_assert_uint_eq(stats.pages, m.pfn_count);
        OK(model_load(&stream, NULL, &opt, &stats, &err));
        ck_assert_uint_eq(stats.pages, m.pfn_count);
        model_dispose(&got);
    }
    model_dispose(&m);
}
END_TEST

/* Passes with ever fewer pages, memory changing between them; the last contents win, absent pages stay untouched. */
START_TEST(later_passes_override)
{
    struct cv_error err = CV_ERROR_INIT;
    struct rng r = rng_seed((uint64_t)_i + 1000);
    const struct cv_mem_options opt = { .threads = thread_counts[(unsigned)_i % THREAD_COUNTS],
                                        .codec = CV_CODEC_ZSTD,
                                        .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct model m, got;
    struct model_save c;
    uint64_t pages = 4096 + rng_below(&r, 3000), *bitmap, sent = 0;

    model_init(&m, pages);
    model_init(&got, pages);
    got.scattered = _i & 1;
    bitmap = calloc(pages / 64 + 1, sizeof *bitmap);
    model_fill(&m, &r);
    OK(model_save_begin(&c, &m, &opt, &err));
    OK(cv_saver_pass(c.s, 0, NULL, pages, NULL, NULL, &err));
    OK(cv_saver_pass_end(c.s, false, 1, 0, &err));
    sent = pages;
    for (uint32_t pass = 1; pass < 5; pass++) {
        model_dirty(&m, &r, bitmap, 40 >> (2 * pass));
        OK(cv_saver_pass(c.s, pass, bitmap, pages, NULL, NULL, &err));
        ck_assert_uint_eq(cv_saver_next_pfn(c.s), pages);
        OK(cv_saver_pass_end(c.s, pass == 4, 0, 0, &err));
        for (uint64_t i = 0; i < pages; i++)
            sent += bitmap[i / 64] >> i % 64 & 1;
    }
    ck_assert_uint_eq(cv_saver_stats(c.s)->pages, sent);
    OK(model_save_end(&c, &stream, &err));
    OK(model_load(&stream, &got.sink, &opt, NULL, &err));
    ck_assert(model_same(&m, &got, 0, pages));
    model_dispose(&m);
    model_dispose(&got);
    free(bitmap);
}
END_TEST

START_TEST(a_pass_over_nothing_writes_nothing)
{
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    uint64_t bitmap[200] = { 0 };
    struct model m;
    struct model_save c;

    model_init(&m, 200 * 64);
    OK(model_save_begin(&c, &m, &opt, &err));
    OK(cv_saver_pass(c.s, 0, bitmap, m.pfn_count, NULL, NULL, &err));
    OK(cv_saver_pass_end(c.s, false, 1, 0, &err));
    ck_assert_uint_eq(cv_saver_stats(c.s)->records, 0);
    bitmap[150] = 1;
    OK(cv_saver_pass(c.s, 1, bitmap, m.pfn_count, NULL, NULL, &err));
    ck_assert_uint_eq(cv_saver_stats(c.s)->records, 1);
    ck_assert_uint_eq(cv_saver_stats(c.s)->zero_pages, 1);
    model_save_drop(&c);
    model_dispose(&m);
}
END_TEST

struct stopper {
    unsigned calls, stop_at;
    uint64_t pages;
};

static int stop_after(void *user, const struct cv_mem_stats *now)
{
    struct stopper *s = user;
    ck_assert_uint_ge(now->pages, s->pages);
    s->pages = now->pages;
    return ++s->calls >= s->stop_at;
}

/* A stopped pass sent exactly the pages below next_pfn, and the rest can be sent by the next one. */
START_TEST(a_pass_can_be_stopped)
{
    struct cv_error err = CV_ERROR_INIT;
    struct rng r = rng_seed(7);
    const struct cv_mem_options opt = { .threads = thread_counts[_i], .codec = CV_CODEC_ZSTD, .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct stopper stop = { .stop_at = 3 };
    struct model m, got;
    struct model_save c;

    model_init(&m, 64 * 1024);
    model_init(&got, m.pfn_count);
    uint64_t *bitmap = calloc(1, m.pfn_count / 8);
    model_dirty(&m, &r, bitmap, 3);
    memset(bitmap, 0, m.pfn_count / 8);
    OK(model_save_begin(&c, &m, &opt, &err));
    OK(cv_saver_pass(c.s, 0, NULL, m.pfn_count, stop_after, &stop, &err));
    uint64_t next = cv_saver_next_pfn(c.s);
    ck_assert_uint_lt(next, m.pfn_count);
    ck_assert_uint_eq(cv_saver_stats(c.s)->pages, next);
    OK(cv_saver_pass_end(c.s, false, m.pfn_count - next, 0, &err));
    for (uint64_t pfn = next; pfn < m.pfn_count; pfn++)
        bitmap[pfn / 64] |= UINT64_C(1) << pfn % 64;
    OK(cv_saver_pass(c.s, 1, bitmap, m.pfn_count, NULL, NULL, &err));
    OK(cv_saver_pass_end(c.s, true, 0, 0, &err));
    OK(model_save_end(&c, &stream, &err));
    OK(model_load(&stream, &got.sink, &opt, NULL, &err));
    ck_assert(model_same(&m, &got, 0, m.pfn_count));
    model_dispose(&m);
    model_dispose(&got);
    free(bitmap);
}
END_TEST

/* Another process writes to the memory meanwhile, as a running guest does: the stream is whole all the same, and
 * pages that nobody touched are right. */
START_TEST(memory_may_change_while_it_is_read)
{
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_mem_options opt = { .threads = 2, .codec = _i ? CV_CODEC_ZSTD : CV_CODEC_NONE, .level = 1 };
    struct model m, got;

    model_init_shared(&m, 2048);
    for (uint64_t i = 0; i < m.pfn_count * CV_PAGE_SIZE; i++)
        m.data[i] = (uint8_t)(i / 97);
    pid_t guest = fork();
    if (guest == 0)
        for (uint64_t n = 0;; n += 0x9e3779b97f4a7c15) {
            uint64_t pfn = n >> 40 & 1022; /* even pfns below 1024 */
            memset(m.data + pfn * CV_PAGE_SIZE + (n >> 20 & 2047), n >> 16 & 1 ? 0 : (int)(n >> 32), 2048);
            if ((n & 64) == 0)
                memset(m.data + pfn * CV_PAGE_SIZE, 0, CV_PAGE_SIZE);
        }
    ck_assert_int_gt(guest, 0);
    for (unsigned round = 0; round < 8; round++) {
        CV_AUTO_BUF stream = { 0 };
        OK(model_save_all(&m, &opt, &stream, &err));
        model_init(&got, m.pfn_count);
        OK(model_load(&stream, &got.sink, &opt, NULL, &err));
        ck_assert(model_same(&m, &got, 1024, m.pfn_count));
        for (uint64_t pfn = 1; pfn < 1024; pfn += 2)
            ck_assert(model_same(&m, &got, pfn, pfn + 1));
        model_dispose(&got);
    }
    kill(guest, SIGKILL);
    waitpid(guest, NULL, 0);
    model_dispose(&m);
}
END_TEST

/* Random contents come out raw: a few bytes more than they are. */
START_TEST(random_memory_costs_next_to_nothing)
{
    struct cv_error err = CV_ERROR_INIT;
    struct rng r = rng_seed(3);
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct model m, got;

    model_init(&m, 4096);
    if (_i != 0)
        model_read_instead(&m);
    rng_fill(&r, m.data, m.pfn_count * CV_PAGE_SIZE);
    memset(m.data + 100 * CV_PAGE_SIZE, 0, CV_PAGE_SIZE);
    OK(model_save_all(&m, &opt, &stream, &err));
    ck_assert_uint_lt(stream.len, m.pfn_count * CV_PAGE_SIZE + 2048);
    model_init(&got, 4096);
    OK(model_load(&stream, &got.sink, &opt, NULL, &err));
    ck_assert(model_same(&m, &got, 0, m.pfn_count));
    model_dispose(&got);
    model_dispose(&m);
}
END_TEST

START_TEST(zero_memory_costs_less_than_a_bit_for_each_page)
{
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct model m;

    model_init(&m, 1 << 18);
    OK(model_save_all(&m, &opt, &stream, &err));
    ck_assert_uint_lt(stream.len, m.pfn_count / 8);
    model_dispose(&m);
}
END_TEST

/* No more batches are mapped at a time than there are threads. */
START_TEST(few_batches_are_mapped_at_a_time)
{
    struct cv_error err = CV_ERROR_INIT;
    struct rng r = rng_seed(11);
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct model m;

    model_init(&m, 40 * CV_BATCH_PAGES);
    model_fill(&m, &r);
    OK(model_save_all(&m, &opt, &stream, &err));
    ck_assert_uint_le(m.most_mapped, 3);
    model_dispose(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory");
    TCase *t = tcase_create("pipeline");

    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, what_is_saved_is_loaded, 0, 24);
    tcase_add_loop_test(t, later_passes_override, 0, 12);
    tcase_add_test(t, a_pass_over_nothing_writes_nothing);
    tcase_add_loop_test(t, a_pass_can_be_stopped, 0, THREAD_COUNTS);
    tcase_add_loop_test(t, memory_may_change_while_it_is_read, 0, 2);
    tcase_add_loop_test(t, random_memory_costs_next_to_nothing, 0, 2);
    tcase_add_test(t, zero_memory_costs_less_than_a_bit_for_each_page);
    tcase_add_test(t, few_batches_are_mapped_at_a_time);
    suite_add_tcase(s, t);
    return run_suite(s);
}
