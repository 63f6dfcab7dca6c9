/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every call of the ports fails once: the first error is kept, nothing hangs, nothing leaks (the leak checker and the
 * model look), all threads are gone afterwards.  Damaged streams, cancelling, outputs that do not take more. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/fd.h"
#include "tests/support/memory_model.h"

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

static const unsigned thread_counts[] = { 0, 1, 2, 5 };
#define THREAD_COUNTS 4
#define PAGES 6000

/* A sanitizer's own thread starts with the first of ours: it is not to be counted. */
static void *tell_tid(void *arg)
{
    *(pid_t *)arg = gettid();
    return NULL;
}

static unsigned threads_at_rest(void)
{
    char path[40];
    pthread_t t;
    pid_t tid;

    ck_assert_int_eq(pthread_create(&t, NULL, tell_tid, &tid), 0);
    pthread_join(t, NULL);
    snprintf(path, sizeof path, "/proc/self/task/%d", (int)tid);
    for (unsigned i = 0; i < 2000 && access(path, F_OK) == 0; i++)
        usleep(1000);
    return model_thread_count();
}

/* pthread_join returns a moment before the kernel has forgotten the thread. */
static void expect_threads(unsigned want)
{
    for (unsigned i = 0; i < 2000 && model_thread_count() != want; i++)
        usleep(1000);
    ck_assert_uint_eq(model_thread_count(), want);
}

START_TEST(every_call_of_the_source_fails_once)
{
    const struct cv_mem_options opt = { .threads = thread_counts[_i % THREAD_COUNTS],
                                        .codec = CV_CODEC_ZSTD,
                                        .level = 1 };
    struct rng r = rng_seed(5);
    unsigned threads = threads_at_rest(), fds = model_fd_count();
    struct model m;
    unsigned step = 1;
    int rc = -1;

    model_init(&m, PAGES);
    model_fill(&m, &r);
    if (_i / THREAD_COUNTS != 0) {
        model_read_instead(&m);
        step = 5; /* it is called far more often */
    }
    memset(m.types, CV_PAGE_DATA, PAGES / 2);
    rng_fill(&r, m.data, PAGES / 2 * CV_PAGE_SIZE);
    for (unsigned n = 1; rc < 0; n += step) {
        struct cv_error err = CV_ERROR_INIT;
        CV_AUTO_BUF stream = { 0 };
        char want[32];

        m.calls = 0;
        m.fail_at = n;
        rc = model_save_all(&m, &opt, &stream, &err);
        ck_assert_uint_eq(m.mapped, 0);
        snprintf(want, sizeof want, "call %u ", n);
        if (rc < 0) {
            ck_assert_int_eq(err.code, CV_E_HYPERVISOR);
            ck_assert_msg(strstr(err.text, want) != NULL, "%s", err.text);
        } else {
            ck_assert_uint_lt(m.calls, n);
        }
    }
    model_dispose(&m);
    expect_threads(threads);
    ck_assert_uint_eq(model_fd_count(), fds);
}
END_TEST

START_TEST(every_call_of_the_sink_fails_once)
{
    const struct cv_mem_options opt = { .threads = thread_counts[_i], .codec = CV_CODEC_ZSTD, .level = 1 };
    struct rng r = rng_seed(6);
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF stream = { 0 };
    unsigned threads = threads_at_rest();
    struct model m;
    int rc = -1;

    model_init(&m, PAGES);
    model_fill(&m, &r);
    OK(model_save_all(&m, &opt, &stream, &err));
    for (unsigned n = 1; rc < 0; n++) {
        struct model got;
        char want[32];

        model_init(&got, PAGES);
        got.fail_at = n;
        rc = model_load(&stream, &got.sink, &opt, NULL, &err);
        snprintf(want, sizeof want, "call %u ", n);
        if (rc < 0)
            ck_assert_msg(err.code == CV_E_HYPERVISOR && strstr(err.text, want) != NULL, "%s", err.text);
        else
            ck_assert(got.calls < n && model_same(&m, &got, 0, PAGES));
        model_dispose(&got);
    }
    model_dispose(&m);
    expect_threads(threads);
}
END_TEST

/* Once failed, always failed, with the same words. */
START_TEST(a_failed_saver_stays_failed)
{
    const struct cv_mem_options opt = { .threads = 2, .codec = CV_CODEC_ZSTD, .level = 1 };
    struct cv_error err = CV_ERROR_INIT, again = CV_ERROR_INIT;
    struct model m;
    struct model_save c;

    model_init(&m, PAGES);
    m.fail_at = 2;
    OK(model_save_begin(&c, &m, &opt, &err));
    ck_assert_int_eq(cv_saver_pass(c.s, 0, NULL, PAGES, NULL, NULL, &err), -1);
    ck_assert_int_eq(cv_saver_pass(c.s, 1, NULL, PAGES, NULL, NULL, &again), -1);
    ck_assert_str_eq(err.text, again.text);
    model_save_drop(&c);
    model_dispose(&m);
}
END_TEST

START_TEST(a_full_disk_ends_the_save)
{
    const struct cv_mem_options opt = { .threads = thread_counts[_i], .codec = CV_CODEC_NONE };
    struct rng r = rng_seed(8);
    struct cv_error err = CV_ERROR_INIT;
    struct model m;
    struct model_save c;

    model_init(&m, PAGES);
    model_fill(&m, &r);
    OK(model_save_begin(&c, &m, &opt, &err));
    CV_AUTO_FD full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(dup2(full, c.fd), 0);
    ck_assert_int_eq(cv_saver_pass(c.s, 0, NULL, PAGES, NULL, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_eq(err.sys, ENOSPC);
    model_save_drop(&c);
    model_dispose(&m);
}
END_TEST

static int cancel_soon(void *user, const struct cv_mem_stats *now)
{
    if (now->records == 2)
        cv_cancel_request(user);
    return 0;
}

START_TEST(cancelling_ends_a_save)
{
    struct cv_cancel cancel;
    struct cv_error err = CV_ERROR_INIT;
    struct model m;
    struct model_save c;

    OK(cv_cancel_init(&cancel, &err));
    const struct cv_mem_options opt = {
        .threads = thread_counts[_i], .codec = CV_CODEC_ZSTD, .level = 1, .cancel = &cancel
    };
    model_init(&m, 64 * 1024);
    OK(model_save_begin(&c, &m, &opt, &err));
    ck_assert_int_eq(cv_saver_pass(c.s, 0, NULL, m.pfn_count, cancel_soon, &cancel, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    ck_assert_uint_eq(cv_saver_stats(c.s)->records, 2);
    model_save_drop(&c);
    model_dispose(&m);
    cv_cancel_dispose(&cancel);
}
END_TEST

START_TEST(cancelling_ends_a_load)
{
    struct cv_cancel cancel;
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF stream = { 0 };
    struct model m;

    OK(cv_cancel_init(&cancel, &err));
    struct cv_mem_options opt = { .threads = thread_counts[_i], .codec = CV_CODEC_ZSTD, .level = 1 };
    model_init(&m, PAGES);
    OK(model_save_all(&m, &opt, &stream, &err));
    opt.cancel = &cancel;
    cv_cancel_request(&cancel);
    ck_assert_int_eq(model_load(&stream, &m.sink, &opt, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    model_dispose(&m);
    cv_cancel_dispose(&cancel);
}
END_TEST

/* Any changed bit and any cut is found, although the hashes are checked by workers. */
START_TEST(a_damaged_stream_is_refused)
{
    struct rng r = rng_seed((uint64_t)_i + 77);
    struct cv_error err = CV_ERROR_INIT;
    const struct cv_mem_options opt = { .threads = thread_counts[_i % THREAD_COUNTS],
                                        .codec = CV_CODEC_ZSTD,
                                        .level = 1 };
    CV_AUTO_BUF stream = { 0 };
    struct model m, got;

    model_init(&m, 3000);
    model_init(&got, 3000);
    model_fill(&m, &r);
    OK(model_save_all(&m, &opt, &stream, &err));
    for (unsigned n = 0; n < 60; n++) {
        size_t at = rng_below(&r, stream.len), len = stream.len;
        uint8_t bit = (uint8_t)(1u << rng_below(&r, 8));

        if (n % 4 == 0)
            stream.len = at;
        else
            stream.data[at] ^= bit;
        ck_assert_msg(model_load(&stream, n % 3 ? &got.sink : NULL, &opt, NULL, &err) == -1, "byte %zu", at);
        ck_assert_msg(err.code == CV_E_STREAM || err.code == CV_E_STREAM_VERSION, "%s", err.text);
        ck_assert_uint_eq(got.mapped, 0);
        if (n % 4 != 0)
            stream.data[at] ^= bit;
        stream.len = len;
    }
    model_dispose(&m);
    model_dispose(&got);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memory_faults");
    TCase *t = tcase_create("faults");

    tcase_set_timeout(t, 100);
    tcase_add_loop_test(t, every_call_of_the_source_fails_once, 0, 2 * THREAD_COUNTS);
    tcase_add_loop_test(t, every_call_of_the_sink_fails_once, 0, THREAD_COUNTS);
    tcase_add_test(t, a_failed_saver_stays_failed);
    tcase_add_loop_test(t, a_full_disk_ends_the_save, 0, THREAD_COUNTS);
    tcase_add_loop_test(t, cancelling_ends_a_save, 0, THREAD_COUNTS);
    tcase_add_loop_test(t, cancelling_ends_a_load, 0, THREAD_COUNTS);
    tcase_add_loop_test(t, a_damaged_stream_is_refused, 0, 8);
    suite_add_tcase(s, t);
    return run_suite(s);
}
