/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration between two models of hosts, swept: every host call fails once on either side, every emulator fails in
 * turn, the guest ends before every call, the channel is cut after every so many bytes.  Afterwards the guest runs
 * exactly once, perhaps after convoy recover, and nothing else is left. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "../support/run_suite.h"
#include "../support/two_hosts.h"

/* Bit 0: live; bit 1: the call fails at the destination. */
START_TEST(every_host_call_fails)
{
    unsigned taken = 0, kept = 0;
    struct world w;

    world_begin(&w);
    for (unsigned n = 1;; n++) {
        struct one_host *bad = _i & 2 ? &w.dst : &w.src;
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        one_host_faults(bad, n, 0);
        int rc = migrate(&w, _i & 1, &r, &err);
        unsigned calls = bad->host->calls;
        one_host_faults(bad, 0, 0);
        ck_assert_msg(rc == 0 || err.code != CV_OK, "call %u", n);
        if (rc == 0)
            taken++;
        else
            kept++;
        settle(&w);
        if (calls < n)
            break;
    }
    ck_assert_uint_gt(kept, 10);
    ck_assert_uint_gt(taken, 0);
    world_end(&w);
}
END_TEST

/* Somebody destroys the guest while it is on its way, or it ends by itself and its monitor clears it away: nothing is
 * left on either side, nothing waits for a recovery, unless it had been taken before. */
START_TEST(the_guest_ends_meanwhile)
{
    unsigned lost = 0, taken = 0, unsettled = 0;
    struct world w;

    world_begin(&w);
    for (unsigned n = 1;; n++) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        struct cv_guest held;
        ck_assert_int_eq(cv_guest_open_to_check(&held, &w.src.host->base, "g", NULL, NULL, &err), 0);
        w.src.host->calls = 0;
        w.src.host->vanish_at = n;
        int rc = migrate(&w, _i & 1, &r, &err);
        bool vanished = w.src.host->calls >= n;
        w.src.host->vanish_at = 0;
        lost += r.outcome == CV_OUT_LOST;
        taken += r.outcome == CV_OUT_TAKEN;
        ck_assert_msg(r.outcome != CV_OUT_STUCK, "call %u: %s", n, err.text);
        unsettled += r.outcome == CV_OUT_STUCK || r.outcome == CV_OUT_UNKNOWN || r.outcome == CV_OUT_TAKEN_LEFT;
        ck_assert_msg((rc == 0) == (r.outcome == CV_OUT_TAKEN), "call %u: %s", n, err.text);
        if (rc == 0) {
            ck_assert(runs(guest_of(&w.dst)));
            end_guest(&w.dst);
        }
        ck_assert_msg(guest_of(&w.dst) == NULL, "call %u: a copy is left at the destination: %s", n, err.text);
        if (!vanished) {
            ck_assert_ptr_null(guest_of(&w.src));
            cv_guest_dispose(&held);
            break;
        }
        ck_assert_int_eq(cv_guest_kill_emulators(&held, &err), 0); /* its monitor's business */
        cv_guest_dispose(&held);
        reap();
    }
    ck_assert_uint_gt(lost, 3);
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_eq(unsettled, 0);
    world_end(&w);
}
END_TEST

/* clang-format off */
static const char *const emulator_faults[] = {
    "--fail stop", "--fail xen-save-devices-state", "--die-at stop", "--die-at xen-save-devices-state", "--no-eof",
    "--fail migrate-incoming", "--die-at migrate-incoming", "--die-at migrate-set-capabilities",
    "--fail xen-set-global-dirty-log", "--die-at getfd", "--blocked no", "--garbage-at add-fd", "--close-at stop",
};
/* clang-format on */
#define FAULTS (sizeof emulator_faults / sizeof emulator_faults[0])

START_TEST(every_emulator_fails)
{
    const char *faults[EMULATORS] = { NULL };
    struct cv_migrate_result r;
    struct cv_error err = CV_ERROR_INIT;
    struct world w;

    world_begin(&w);
    faults[(unsigned)_i / FAULTS] = emulator_faults[(unsigned)_i % FAULTS];
    make_guest(&w.src, faults);
    ck_assert_int_lt(migrate(&w, true, &r, &err), 0);
    ck_assert(r.outcome == CV_OUT_KEPT || r.outcome == CV_OUT_NONE);
    ck_assert(one_runs(&w, false));
    world_end(&w);
}
END_TEST

/* Bit 0: which way is counted. */
START_TEST(the_channel_is_cut_anywhere)
{
    bool back = _i & 1;
    struct world w;
    long step = 1;

    world_begin(&w);
    for (long at = 1;; at += step) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        w.cut_forth = back ? -1 : at;
        w.cut_back = back ? at : -1;
        make_guest(&w.src, NULL);
        int rc = migrate(&w, true, &r, &err);
        settle(&w);
        if (rc == 0)
            break;
        /* Every message backwards is small; forwards, the stream lies between OFFER and COMMIT. */
        step = back ? 29 : at < 100 ? 33 : at < 20000 ? 1777 : 9001;
    }
    world_end(&w);
}
END_TEST

/* The end of the conversation forwards: within DONE, COMMIT and END. */
START_TEST(the_channel_is_cut_near_its_end)
{
    struct world w;
    long whole = 0;
    unsigned kept = 0, taken = 0;

    world_begin(&w);
    for (long at = 0; at < 160; at += 7) {
        struct cv_migrate_result r;
        struct cv_error err = CV_ERROR_INIT;

        make_guest(&w.src, NULL);
        w.cut_forth = whole != 0 ? whole - at : 1L << 40;
        int rc = migrate(&w, false, &r, &err);
        if (whole == 0) /* the same each time: the guest stands still */
            whole = w.passed_forth;
        ck_assert(rc == 0 || err.code != CV_OK);
        kept += r.outcome == CV_OUT_KEPT;
        taken += r.outcome == CV_OUT_TAKEN;
        settle(&w);
    }
    ck_assert_uint_gt(kept, 2);
    ck_assert_uint_gt(taken, 2);
    world_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("migrate-sweeps");
    TCase *t = tcase_create("migrate-sweeps");

    signal(SIGPIPE, SIG_IGN);
    tcase_set_timeout(t, 900);
    tcase_add_loop_test(t, the_guest_ends_meanwhile, 0, 2);
    tcase_add_loop_test(t, every_emulator_fails, 0, (int)(EMULATORS * FAULTS));
    tcase_add_loop_test(t, every_host_call_fails, 0, 4);
    tcase_add_loop_test(t, the_channel_is_cut_anywhere, 0, 2);
    tcase_add_test(t, the_channel_is_cut_near_its_end);
    suite_add_tcase(s, t);
    return run_suite(s);
}
