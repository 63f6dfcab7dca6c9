/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody else lets the guest run, or ends it, while it is being saved to a file: no image is taken for one of a
 * moment that never was, and what has run since is not ended. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "base/fd.h"
#include "guest/sweep.h"
#include "save/save.h"

/* RESUMED_AND_SUSPENDED: unpaused first, or it would not have run in between. */
enum act { RESUMED, RESUMED_AND_SUSPENDED, DESTROYED };

static struct cv_host_ops hooked;
static const struct cv_host_ops *real;
static enum act act;
static unsigned peeks, act_at; /* before the n-th look; 0: when the emulators' states are taken */

static uint32_t last_pass;

static void do_act(struct cv_host *h, uint32_t domid)
{
    struct cv_error e = CV_ERROR_INIT;

    if (act == DESTROYED) {
        ((struct fake_host *)h)->vanish_at = ((struct fake_host *)h)->calls + 1;
        return;
    }
    struct fake_domain *d = ((struct fake_host *)h)->dom[domid];
    if (act == RESUMED_AND_SUSPENDED)
        ck_assert_int_eq(real->unpause(h, domid, &e), 0);
    uint64_t ran_ns = d->cpu_time_ns;
    ck_assert_int_eq(real->resume(h, domid, &e), 0);
    /* What it would say to its emulators, which stand still, went nowhere. */
    ck_assert_msg(act != RESUMED || d->cpu_time_ns == ran_ns, "it runs, and its emulators do not");
    d->suspended = act == RESUMED_AND_SUSPENDED; /* as a second toolstack's checkpoint does */
}

static int get_state(struct cv_host *h, uint32_t domid, struct cv_guest_state *st, struct cv_error *err)
{
    int rc = real->get_state(h, domid, st, err);

    if (act_at == 0)
        do_act(h, domid);
    return rc;
}

static int peek(struct cv_host *h, int (*each)(void *, const struct cv_domain_info *), void *user, struct cv_error *err)
{
    if (++peeks == act_at)
        do_act(h, 1);
    return real->peek(h, each, user, err);
}

static void hook(struct one_host *w, enum act what, unsigned at)
{
    real = w->host->base.ops;
    hooked = *real;
    hooked.get_state = get_state;
    hooked.peek = peek;
    w->host->base.ops = &hooked;
    act = what;
    act_at = at;
    peeks = 0;
}

static int save(struct one_host *w, int fd, enum cv_save_after after, struct cv_error *err)
{
    struct cv_save_options o = { .emulator_timeout_ms = 5000, .mem = { .threads = 1, .codec = CV_CODEC_NONE } };

    return cv_save_to(&w->host->base, "g", fd < 0 ? w->image : "-", fd, after, &o, NULL, NULL, err);
}

/* Bit 0: and suspended again; bit 1: the guest was to go on; bit 2: through a pipe. */
START_TEST(what_has_run_is_no_image)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    hook(&w, _i & 1 ? RESUMED_AND_SUSPENDED : RESUMED, 0);
    int fd = _i & 4 ? memfd_create("pipe", 0) : -1;
    ck_assert_int_lt(save(&w, fd, _i & 2 ? CV_SAVE_CONTINUE : CV_SAVE_DESTROY, &err), 0);
    ck_assert_int_eq(err.code, CV_E_INTERNAL);
    ck_assert_msg(strstr(err.text, "was resumed by somebody else") != NULL, "%s", err.text);
    ck_assert(d->exists && !d->suspended && !d->paused);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    cv_fd_dispose(&fd);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* When all that is left to do is to end it: the image is there, is said to be nothing to restore, and the guest goes
 * on. */
START_TEST(what_has_run_is_not_ended)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    hook(&w, (enum act)_i, 3);
    ck_assert_int_lt(save(&w, -1, CV_SAVE_DESTROY, &err), 0);
    ck_assert_uint_ge(peeks, 3);
    ck_assert_msg(strstr(err.text, "not to be restored") != NULL, "%s", err.text);
    ck_assert(d->exists && !d->suspended && !d->paused);
    ck_assert_int_eq(access(w.image, F_OK), 0);
    unlink(w.image);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* Ended by somebody else: the image is all that is left of it, and stays. */
START_TEST(what_was_ended_keeps_its_image)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    one_host_guest(&w);
    hook(&w, DESTROYED, (unsigned)_i);
    int rc = save(&w, -1, CV_SAVE_DESTROY, &err);
    ck_assert_msg(rc == 0 || strstr(err.text, "the image is complete") != NULL, "%s", emu_text(&err));
    ck_assert_int_eq(access(w.image, F_OK), 0);
    unlink(w.image);
    w.host->vanish_at = 0;
    ck_assert_int_eq(cv_guest_sweep(&w.host->base, 1, &err), 0); /* the monitor's work */
    reap();
    one_host_end(&w);
}
END_TEST

static int switch_off(void *user, const struct cv_pass_stats *p, enum cv_pass_verdict *out, struct cv_error *err)
{
    struct fake_domain *d = user;

    (void)err;
    if (p->pass == 0)
        d->log_taken = true;
    *out = p->pass >= last_pass ? CV_PASS_STOP_NOW : CV_PASS_AGAIN;
    return 0;
}

/* "xl save" of any kind switches Xen's log off at its end: what the guest has written since is not known. */
START_TEST(a_log_that_somebody_else_has_taken)
{
    struct cv_error err = CV_ERROR_INIT;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    last_pass = (uint32_t)_i;
    struct cv_save_options o = { .live = true,
                                 .emulator_timeout_ms = 5000,
                                 .decide = switch_off,
                                 .decide_user = d,
                                 .mem = { .threads = 1, .codec = CV_CODEC_NONE } };
    ck_assert_int_lt(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_DESTROY, &o, NULL, NULL, &err), 0);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert_msg(strstr(err.text, "somebody else") != NULL, "%s", err.text);
    ck_assert(d->exists && !d->suspended && !d->paused && !d->logging);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A command's snapshots are of one moment, or the error says that they are not. */
START_TEST(a_freeze_that_was_none)
{
    struct cv_save_options o = { .emulator_timeout_ms = 5000, .at_freeze = "true" };
    struct cv_error err = CV_ERROR_INIT;
    CV_AUTO_BUF output = { 0 };
    struct cv_save_report report;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    hook(&w, (enum act)_i, 2);
    ck_assert_int_lt(cv_save_quiesce(&w.host->base, "g", &o, NULL, &report, &output, &err), 0);
    ck_assert_msg(strstr(err.text, "was resumed by somebody else") != NULL, "%s", err.text);
    ck_assert(d->exists && !d->suspended && !d->paused);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("still");
    TCase *t = tcase_create("somebody else");

    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    tcase_add_loop_test(t, what_has_run_is_no_image, 0, 8);
    tcase_add_loop_test(t, what_has_run_is_not_ended, 0, 2);
    tcase_add_loop_test(t, what_was_ended_keeps_its_image, 2, 4);
    tcase_add_loop_test(t, a_log_that_somebody_else_has_taken, 0, 2);
    tcase_add_loop_test(t, a_freeze_that_was_none, 0, 2);
    return run_suite(s);
}
