/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a save writes to takes no more, or would kill its writer: the guest goes on, and so does the process. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/clock.h"
#include "save/save.h"

/* A process whose signals do what they do by default, as a program with this library in it may be: the save fails, and
 * the process and the guest go on. */
START_TEST(a_save_is_not_killed_by_its_output)
{
    bool to_pipe = _i & 1;
    struct cv_save_options o = { .live = _i & 2, .mem = { .threads = 2, .codec = CV_CODEC_NONE } };
    struct rlimit limit = { 100000, RLIM_INFINITY }, before;
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    int fds[2];

    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    close(fds[0]);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    if (!to_pipe)
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int rc = cv_save_to(&w.host->base, "g", to_pipe ? "-" : w.image, to_pipe ? fds[1] : -1, CV_SAVE_DESTROY, &o, NULL,
                        NULL, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    close(fds[1]);
    ck_assert_int_lt(rc, 0);
    ck_assert_int_eq(err.sys, to_pipe ? EPIPE : EFBIG);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    one_host_emulators_run(&w);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    ck_assert_uint_eq(one_host_leftovers(&w), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* An output that takes nothing more, and never will: a pipe, a socket; row: bit 0 socket, bit 1 live, bit 2 the guest
 * goes on afterwards. */
START_TEST(a_reader_that_stalls)
{
    struct cv_save_options o = {
        .live = _i & 2, .stall_ms = 300, .emulator_timeout_ms = 5000, .mem = { .threads = 1, .codec = CV_CODEC_NONE }
    };
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;
    int fds[2];

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    ck_assert_int_eq(_i & 1 ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC), 0);
    int64_t begin = cv_now_ms();
    ck_assert_int_lt(
        cv_save_to(&w.host->base, "g", "-", fds[1], _i & 4 ? CV_SAVE_CONTINUE : CV_SAVE_DESTROY, &o, NULL, NULL, &err),
        0);
    ck_assert_msg(err.code == CV_E_TIMEOUT, "%s", emu_text(&err));
    ck_assert_msg(strstr(err.text, "no byte was taken for 0.3 s") != NULL, "%s", err.text);
    ck_assert_int_lt(cv_now_ms() - begin, 20000);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    one_host_emulators_run(&w);
    ck_assert_uint_eq(one_host_leftovers(&w), 0);
    /* Others may hold this descriptor too, and expect it to be as it was. */
    ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    close(fds[0]);
    close(fds[1]);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("save-output");
    TCase *t = tcase_create("save-output");

    tcase_set_timeout(t, 200);
    tcase_add_loop_test(t, a_save_is_not_killed_by_its_output, 0, 4);
    tcase_add_loop_test(t, a_reader_that_stalls, 0, 8);
    suite_add_tcase(s, t);
    return run_suite(s);
}
