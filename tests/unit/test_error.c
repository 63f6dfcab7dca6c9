/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/: the error object's rules, bytes, sets of CPUs, cancelling, and what a library leaves alone. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../support/run_suite.h"
#include "base/bytes.h"
#include "base/cancel.h"
#include "base/cpuset.h"
#include "base/error.h"
#include "base/priority.h"
#include "base/process.h"
#include "base/testpoint.h"

/* ---- errors ---- */

START_TEST(a_failing_path_is_one_line)
{
    struct cv_error err = CV_ERROR_INIT;
    char text[700];

    ck_assert_int_eq(cv_fail(&err, CV_E_IO, ENOSPC, "write %s", "web1.img"), -1);
    ck_assert_int_eq(err.code, CV_E_IO);
    ck_assert_int_eq(err.sys, ENOSPC);
    ck_assert_int_eq(cv_context(&err, "step '%s'", "tail"), -1);
    ck_assert_int_eq(err.code, CV_E_IO); /* a frame changes neither code nor errno */
    ck_assert_str_eq(cv_error_string(&err, text, sizeof text), "step 'tail': write web1.img: No space left on device");
    err.sys = 0;
    ck_assert_str_eq(cv_error_string(&err, text, sizeof text), "step 'tail': write web1.img");
}
END_TEST

START_TEST(nobody_has_to_want_an_error)
{
    struct cv_error why = CV_ERROR_INIT;

    ck_assert_int_eq(cv_fail(NULL, CV_E_IO, EIO, "write"), -1);
    ck_assert_int_eq(cv_context(NULL, "step"), -1);
    ck_assert_int_eq(cv_fail_as(NULL, &why), -1);
    cv_error_recode(NULL, CV_E_IO, CV_E_STREAM);
    ck_assert_ptr_null(cv_if_first(NULL, 0));
}
END_TEST

START_TEST(a_text_may_hold_the_text_before_it)
{
    struct cv_error err = CV_ERROR_INIT;

    cv_fail(&err, CV_E_TIMEOUT, 0, "no answer");
    cv_fail(&err, CV_E_TIMEOUT, 0, "%s (emulator 1 hangs)", err.text);
    ck_assert_str_eq(err.text, "no answer (emulator 1 hangs)");
    ck_assert_int_eq(cv_fail_as(&err, &err), -1);
    ck_assert_str_eq(err.text, "no answer (emulator 1 hangs)");
}
END_TEST

/* The outer frames name the operation: of a text that is too long the inner end is cut. */
START_TEST(what_does_not_fit_is_cut_at_the_end)
{
    struct cv_error err = CV_ERROR_INIT;
    char long_text[2 * sizeof err.text];

    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    cv_fail(&err, CV_E_IO, 0, "%s", long_text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    cv_context(&err, "save 'web1'");
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_int_eq(strncmp(err.text, "save 'web1': xxx", 16), 0);
    cv_context(&err, "%s", long_text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

static int attempt(int rc, const char *text, struct cv_error *err)
{
    return rc == 0 ? 0 : cv_fail(err, CV_E_HYPERVISOR, 0, "%s", text);
}

/* Undo goes on after a failure; what is reported is what went wrong first, and success leaves the error as it was. */
START_TEST(the_first_failure_is_kept)
{
    for (int fails = 0; fails < 8; fails++) {
        struct cv_error err = CV_ERROR_INIT;
        static const char *const names[] = { "first", "second", "third" };
        int rc = 0, first = -1;

        for (int i = 0; i < 3; i++) {
            bool fail = fails & 1 << i;
            rc |= attempt(fail ? -1 : 0, names[i], cv_if_first(&err, rc));
            if (fail && first < 0)
                first = i;
        }
        ck_assert_int_eq(rc, fails == 0 ? 0 : -1);
        ck_assert_str_eq(err.text, first < 0 ? "" : names[first]);
        ck_assert_int_eq(err.code, first < 0 ? CV_OK : CV_E_HYPERVISOR);
    }
}
END_TEST

START_TEST(a_code_is_changed_only_from_what_was_meant)
{
    struct cv_error err = CV_ERROR_INIT;

    cv_fail(&err, CV_E_NOMEM, 0, "no memory");
    cv_error_recode(&err, CV_E_STREAM, CV_E_INTERNAL);
    ck_assert_int_eq(err.code, CV_E_NOMEM);
    cv_error_recode(&err, CV_E_NOMEM, CV_E_INTERNAL);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
}
END_TEST

START_TEST(every_code_has_a_word_of_its_own)
{
    for (int a = CV_OK; a <= CV_E_NOT_FOUND; a++) {
        ck_assert_str_ne(cv_code_name((enum cv_code)a), "unknown");
        for (int b = CV_OK; b < a; b++)
            ck_assert_str_ne(cv_code_name((enum cv_code)a), cv_code_name((enum cv_code)b));
    }
    ck_assert_str_eq(cv_code_name((enum cv_code)999), "unknown");
}
END_TEST

/* ---- bytes ---- */

START_TEST(what_was_put_is_what_is_got)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF b = { 0 };

    for (unsigned i = 0; i < 100; i++)
        ck_assert_int_eq(cv_buf_put_u8(&b, (uint8_t)i, &err) | cv_buf_put_u16(&b, 0x1234, &err) |
                             cv_buf_put_u32(&b, 0x89abcdef, &err) | cv_buf_put_u64(&b, UINT64_MAX - i, &err),
                         0);
    ck_assert_uint_eq(b.len, 100 * 15);
    ck_assert_uint_eq(b.data[1], 0x34); /* little-endian */
    struct cv_cursor c = cv_cursor(b.data, b.len);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_eq(cv_cur_u8(&c), i);
        ck_assert_uint_eq(cv_cur_u16(&c), 0x1234);
        ck_assert_uint_eq(cv_cur_u32(&c), 0x89abcdef);
        ck_assert_uint_eq(cv_cur_u64(&c), UINT64_MAX - i);
    }
    ck_assert(cv_cur_ok(&c));
    ck_assert_uint_eq(c.left, 0);
    struct cv_buf taken = cv_buf_take(&b);
    ck_assert(b.data == NULL && b.len == 0 && taken.len == 1500);
    cv_buf_dispose(&taken);
    cv_buf_dispose(&taken);
}
END_TEST

START_TEST(a_short_get_says_so_and_moves_nothing)
{
    static const uint8_t seven[7] = { 1, 2, 3, 4, 5, 6, 7 };
    struct cv_cursor c = cv_cursor(seven, sizeof seven);

    ck_assert_uint_eq(cv_cur_u64(&c), 0);
    ck_assert(!cv_cur_ok(&c));
    ck_assert_uint_eq(c.left, 7);
    ck_assert_uint_eq(cv_cur_u8(&c), 0); /* and nothing is got behind it */
    c = cv_cursor(seven, sizeof seven);
    ck_assert_ptr_null(cv_cur_bytes(&c, SIZE_MAX));
    c = cv_cursor(seven, sizeof seven);
    ck_assert_ptr_eq(cv_cur_bytes(&c, 7), seven);
    ck_assert(cv_cur_ok(&c));
}
END_TEST

START_TEST(a_buffer_that_cannot_be_is_an_error)
{
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF b = { 0 };

    ck_assert_int_eq(cv_buf_put_u8(&b, 1, &err), 0);
    ck_assert_int_eq(cv_buf_reserve(&b, SIZE_MAX, &err), -1);
    ck_assert_int_eq(err.code, CV_E_NOMEM);
    ck_assert_uint_eq(b.len, 1);
}
END_TEST

/* ---- sets of CPUs ---- */

static const struct {
    const char *text, *cpus; /* of eight; NULL = an error */
    enum cv_code code;
} sets[] = {
    { "all", "11111111", CV_OK },          { "0", "10000000", CV_OK },
    { "0-3,6", "11110010", CV_OK },        { "all,^2", "11011111", CV_OK },
    { "0-3,^1-2", "10010000", CV_OK },     { "^0", NULL, CV_E_INVALID },
    { "8", NULL, CV_E_INVALID },           { "0-8", NULL, CV_E_INVALID },
    { "3-1", NULL, CV_E_INVALID },         { "", NULL, CV_E_INVALID },
    { "1,,2", NULL, CV_E_INVALID },        { "1-", NULL, CV_E_INVALID },
    { "one", NULL, CV_E_INVALID },         { "99999999999999999999", NULL, CV_E_INVALID },
    { "nodes:0", NULL, CV_E_UNSUPPORTED },
};

START_TEST(sets_of_cpus_are_xl_s)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cpuset set;
    char seen[9] = "";

    int rc = cv_cpuset_parse(sets[_i].text, 8, &set, &err);
    ck_assert_msg((rc == 0) == (sets[_i].cpus != NULL), "'%s': %d %s", sets[_i].text, rc, err.text);
    ck_assert_msg(err.code == sets[_i].code, "'%s': %d %s", sets[_i].text, (int)err.code, err.text);
    if (rc < 0)
        return;
    for (unsigned i = 0; i < 8; i++)
        seen[i] = set.map[0] & 1u << i ? '1' : '0';
    ck_assert_str_eq(seen, sets[_i].cpus);
    for (unsigned i = 1; i < sizeof set.map; i++)
        ck_assert_uint_eq(set.map[i], 0);
}
END_TEST

/* ---- cancelling ---- */

START_TEST(a_request_is_seen_by_every_wait_and_may_come_twice)
{
    struct cv_error err = CV_ERROR_INIT;
    struct cv_cancel c;

    ck_assert_int_eq(cv_cancel_init(&c, &err), 0);
    struct pollfd p = { .fd = c.fd, .events = POLLIN };
    ck_assert_int_eq(poll(&p, 1, 0), 0);
    ck_assert_int_eq(cv_cancel_check(&c, &err), 0);
    ck_assert_int_eq(err.code, CV_OK);
    errno = EXDEV;
    cv_cancel_request(&c);
    cv_cancel_request(&c);
    ck_assert_int_eq(errno, EXDEV); /* a signal handler calls it */
    ck_assert_int_eq(poll(&p, 1, 0), 1);
    ck_assert(cv_cancel_requested(&c));
    ck_assert_int_eq(cv_cancel_check(&c, &err), -1);
    ck_assert_int_eq(err.code, CV_E_CANCELLED);
    cv_cancel_dispose(&c);
    cv_cancel_dispose(&c);
    ck_assert(!cv_cancel_requested(NULL));
    ck_assert_int_eq(cv_cancel_check(NULL, &err), 0);
}
END_TEST

/* ---- whose process this is ---- */

/* In a program that only uses the library: Check's own process for this test is one. */
START_TEST(a_library_leaves_the_process_alone)
{
    int before = getpriority(PRIO_PROCESS, 0);

    setenv("CONVOY_KILL_AT", "source:COMMIT", 1);
    setenv("CONVOY_STOP_AT", "source:COMMIT", 1);
    ck_assert(!cv_process_is_own());
    cv_nice(0, CV_NICE_BACKGROUND);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
    cv_testpoint("source", "COMMIT");
    unsetenv("CONVOY_KILL_AT");
    unsetenv("CONVOY_STOP_AT");
}
END_TEST

START_TEST(a_program_of_our_own_goes_to_the_background)
{
    cv_process_own();
    int before = cv_nice_own();
    cv_nice(0, CV_NICE_BACKGROUND);
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before > CV_NICE_BACKGROUND ? before : CV_NICE_BACKGROUND);
}
END_TEST

START_TEST(what_others_wait_for_is_not_started_in_the_background)
{
    int before = getpriority(PRIO_PROCESS, 0);

    cv_nice_thread_own();
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), before);
    cv_process_own();
    before = cv_nice_own();
    setpriority(PRIO_PROCESS, 0, CV_NICE_BACKGROUND); /* as a source on this host does with its transport */
    cv_nice_thread_own();
    ck_assert_int_eq(getpriority(PRIO_PROCESS, 0), geteuid() == 0 ? before : CV_NICE_BACKGROUND);
}
END_TEST

START_TEST(a_program_of_our_own_dies_where_a_test_says)
{
    cv_process_own();
    setenv("CONVOY_KILL_AT", "source:COMMIT", 1);
    cv_testpoint(NULL, "COMMIT");
    cv_testpoint("destination", "COMMIT");
    cv_testpoint("source", "COMM");
    cv_testpoint("source", "COMMIT");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("error");
    TCase *t = tcase_create("rules");

    tcase_add_test(t, a_failing_path_is_one_line);
    tcase_add_test(t, nobody_has_to_want_an_error);
    tcase_add_test(t, a_text_may_hold_the_text_before_it);
    tcase_add_test(t, what_does_not_fit_is_cut_at_the_end);
    tcase_add_test(t, the_first_failure_is_kept);
    tcase_add_test(t, a_code_is_changed_only_from_what_was_meant);
    tcase_add_test(t, every_code_has_a_word_of_its_own);
    tcase_add_test(t, what_was_put_is_what_is_got);
    tcase_add_test(t, a_short_get_says_so_and_moves_nothing);
    tcase_add_test(t, a_buffer_that_cannot_be_is_an_error);
    tcase_add_loop_test(t, sets_of_cpus_are_xl_s, 0, sizeof sets / sizeof sets[0]);
    tcase_add_test(t, a_request_is_seen_by_every_wait_and_may_come_twice);
    suite_add_tcase(s, t);
    /* Each in a process of its own. */
    TCase *p = tcase_create("process");
    tcase_add_test(p, a_library_leaves_the_process_alone);
    tcase_add_test(p, a_program_of_our_own_goes_to_the_background);
    tcase_add_test(p, what_others_wait_for_is_not_started_in_the_background);
    tcase_add_test_raise_signal(p, a_program_of_our_own_dies_where_a_test_says, SIGKILL);
    const char *fork_mode = getenv("CK_FORK");
    if (fork_mode == NULL || strcmp(fork_mode, "no") != 0)
        suite_add_tcase(s, p);
    return run_suite(s);
}
