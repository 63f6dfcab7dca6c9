/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an emulator, or those who talk to it, can make convoy wait for or hold. */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/run_suite.h"
#include "base/clock.h"
#include "base/fd.h"
#include "emulators/state_memory.h"

static void begin(struct emu_fixture *f, unsigned n, const char *const *faults)
{
    struct cv_error err = CV_ERROR_INIT;

    emu_fixture_begin(f, n, faults);
    ck_assert_msg(emu_fixture_start(f, CV_SPAWN_CREATE, 10000, &err) == 0, "%s", emu_text(&err));
}

/* It writes for ever, and says nothing: seen while it does, not when its time is over. */
START_TEST(a_state_without_an_end)
{
    static const char *const faults[CV_DM_MAX] = { NULL, "--state-grows", NULL };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_emu_results r;
    struct emu_fixture f;
    uint64_t sizes[CV_DM_MAX];
    struct stat st;

    begin(&f, 3, faults);
    emu_fixture_states(&f, true);
    struct cv_emu_wait w = emu_wait(30000);
    ck_assert_int_eq(cv_emuset_save_state(&f.set, f.states, true, sizes, &w, &r, &err), -1);
    ck_assert_msg(strstr(err.text, "emulator 1 'dm1': its state of ") &&
                      strstr(err.text, "is too large: at most 64 MiB"),
                  "%s", err.text);
    ck_assert_int_eq(r.emu[1].state, CV_EMU_FAILED);
    ck_assert_int_eq(r.emu[0].state, CV_EMU_DONE);
    ck_assert_int_lt(r.ns, 10000000000);
    /* given back, and whoever still writes has nowhere to */
    ck_assert_int_eq(fstat(f.states[1], &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    ck_assert_int_eq(st.st_blocks, 0);
    ck_assert_int_eq(pwrite(f.states[1], "x", 1, 0), -1);
    emu_fixture_end(&f);
}
END_TEST

static int visitors[16];
static unsigned visitor_count;

/* Others, until there is no place left in its queue: one is served, and will be for long. */
static void fill_queue(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct cv_error err = CV_ERROR_INIT;

    strcpy(sa.sun_path, path);
    for (visitor_count = 0; visitor_count < 16; visitor_count++) {
        int fd = visitors[visitor_count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        ck_assert_int_ge(fd, 0);
        if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) {
            if (visitor_count == 0)
                ck_assert_int_ge(cv_poll_one(fd, POLLIN, cv_after_ms(5000), NULL, &err), 0); /* its greeting */
            continue;
        }
        ck_assert_int_eq(errno, EAGAIN);
        close(fd);
        return;
    }
    ck_abort_msg("the queue has no end");
}

static void *leave(void *arg)
{
    usleep(300 * 1000);
    for (unsigned i = 0; i < visitor_count; i++)
        close(visitors[i]);
    return arg;
}

/* 0: they go after a moment, and it is our turn.  1: they stay, and the error says so. */
START_TEST(a_queue_that_is_full)
{
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    pthread_t thread;

    begin(&f, 2, NULL);
    cv_emuset_disconnect(&f.set);
    fill_queue(f.set.emus[1].qmp_path);
    struct cv_emu_wait w = emu_wait(_i == 0 ? 10000 : 500);
    if (_i == 0)
        ck_assert_int_eq(pthread_create(&thread, NULL, leave, NULL), 0);
    int rc = cv_emuset_connect(&f.set, &w, NULL, &err);
    if (_i == 0) {
        pthread_join(thread, NULL);
        ck_assert_msg(rc == 0, "%s", emu_text(&err));
    } else {
        ck_assert_int_lt(rc, 0);
        ck_assert_int_eq(err.code, CV_E_BUSY);
        ck_assert_msg(strstr(err.text, "other clients are waiting") != NULL, "%s", err.text);
        leave(NULL);
    }
    emu_fixture_end(&f);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("waits");
    TCase *t = tcase_create("waits");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, a_state_without_an_end);
    tcase_add_loop_test(t, a_queue_that_is_full, 0, 2);
    suite_add_tcase(s, t);
    return run_suite(s);
}
