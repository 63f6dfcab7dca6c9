/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in the way of a save: all of it at once, and nothing is touched. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../support/one_host.h"
#include "../support/run_suite.h"
#include "guest/blockers.h"
#include "save/save.h"

START_TEST(nothing_in_the_way)
{
    struct cv_findings found;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    one_host_check(&w, "g", &found);
    ck_assert_uint_eq(found.count, 0);
    ck_assert(d->exists && !d->paused && !d->suspended && !d->logging);
    cv_findings_dispose(&found);
    one_host_check(&w, "nobody", &found);
    ck_assert_uint_eq(found.count, 1);
    ck_assert_int_eq(found.items[0].code, CV_E_NOT_FOUND);
    cv_findings_dispose(&found);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(all_at_once)
{
    static const char *const faults[EMULATORS] = { "--blocked first", NULL, "--unmigratable nvme" };
    struct cv_emu_wait wait = emu_wait(5000);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct one_host w;
    struct cv_guest g;

    one_host_begin(&w, faults);
    struct fake_domain *d = one_host_guest(&w);
    d->paused = true;
    one_host_check(&w, "g", &found);
    one_host_found(&found, 0, "paused", "domain 1 'g' is paused and cannot suspend itself");
    ck_assert_str_eq(found.items[0].advice, "unpause it first");
    one_host_found(&found, 1, "devices", "emulator 0 'dm0': cannot be saved: first");
    one_host_found(&found, 2, "devices", "cannot be saved: State blocked by non-migratable device 'nvme'");
    ck_assert_uint_eq(found.count, 3);
    cv_findings_dispose(&found);

    /* save and migrate run the same list */
    ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "g", NULL, &err), 0);
    ck_assert_int_eq(cv_emuset_connect(&g.set, &wait, NULL, &err), 0);
    ck_assert_int_lt(cv_guest_refuse_blocked(&g, &wait, false, &err), 0);
    ck_assert_str_eq(err.text, "domain 1 'g' is paused and cannot suspend itself (and 2 more)");
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    cv_guest_dispose(&g);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

START_TEST(a_dead_emulator_is_said_once)
{
    struct cv_emu_wait wait = emu_wait(5000);
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct one_host w;
    struct cv_guest g;

    one_host_begin(&w, NULL);
    one_host_guest(&w);
    ck_assert_int_eq(cv_guest_open(&g, &w.host->base, "g", NULL, &err), 0);
    ck_assert_int_eq(kill(g.set.emus[1].pid, SIGKILL), 0);
    ck_assert_int_lt(cv_emuset_connect(&g.set, &wait, NULL, &err), 0);
    cv_guest_dispose(&g);
    reap();
    one_host_check(&w, "g", &found);
    ck_assert_uint_eq(found.count, 1);
    one_host_found(&found, 0, "emulators", "emulator 1 ");
    cv_findings_dispose(&found);
    one_host_destroy(&w);
    reap();
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A guest whose interrupts would be dead after a restore is refused, and saved by who insists. */
START_TEST(interrupts_that_die)
{
    struct cv_save_options opt = { .mem = { .threads = 1, .codec = CV_CODEC_NONE } };
    struct cv_error err = CV_ERROR_INIT;
    struct cv_findings found;
    struct one_host w;

    one_host_begin(&w, NULL);
    struct fake_domain *d = one_host_guest(&w);
    d->event_msis = 2;
    one_host_check(&w, "g", &found);
    ck_assert_uint_eq(found.count, EMULATORS - 1);
    one_host_found(&found, 0, "interrupts", "emulator 1 'dm1': dev0 (edu) may be dead after a restore");
    cv_findings_dispose(&found);
    ck_assert_int_lt(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &opt, NULL, NULL, &err), 0);
    ck_assert_int_eq(err.code, CV_E_UNSUPPORTED);
    ck_assert(!d->suspended && !d->logging);
    ck_assert_int_ne(access(w.image, F_OK), 0);
    opt.force = true;
    err = (struct cv_error)CV_ERROR_INIT;
    ck_assert_msg(cv_save_to(&w.host->base, "g", w.image, -1, CV_SAVE_CONTINUE, &opt, NULL, NULL, &err) == 0, "%s",
                  err.text);
    ck_assert_int_eq(unlink(w.image), 0);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

/* A card that would be deaf: said by name, before anything is touched; not with a QEMU in which nobody has seen it. */
START_TEST(a_device_with_a_known_fault)
{
    static const struct {
        const char *model, *version;
        unsigned found;
    } t[] = { { "e1000e", "7.2.22", 1 }, { "e1000e", "10.0.2", 0 }, { "e1000", "7.2.22", 0 } };
    struct cv_findings found;
    struct one_host w;
    char line[300];

    one_host_begin(&w, NULL);
    snprintf(line, sizeof line,
             "vif=['model=%s,type=ioemu,pv=0']\n"
             "device_models=[\"name=main,model=%s,default=1,args=[--tag t --version %s]\"]",
             t[_i].model, getenv("FAKE_QEMU"), t[_i].version);
    one_host_lines(&w, line);
    one_host_guest(&w);
    one_host_check(&w, "g", &found);
    ck_assert_uint_eq(found.count, t[_i].found);
    if (t[_i].found > 0)
        one_host_found(&found, 0, "faults",
                       "emulator 0 'main': nic0 (e1000e): QEMU 7.2.22's receives nothing more after a restore");
    cv_findings_dispose(&found);
    one_host_destroy(&w);
    one_host_is_bare(&w);
    one_host_end(&w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("blockers");
    TCase *t = tcase_create("blockers");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, nothing_in_the_way);
    tcase_add_test(t, all_at_once);
    tcase_add_test(t, a_dead_emulator_is_said_once);
    tcase_add_test(t, interrupts_that_die);
    tcase_add_loop_test(t, a_device_with_a_known_fault, 0, 3);
    suite_add_tcase(s, t);
    return run_suite(s);
}
