/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What emulators have, looked at; and emulators that another process has started. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/emu_fixture.h"
#include "../support/run_suite.h"

/* ---- survey ---- */

static const struct {
    const char *faults[3], *text;
} survey_cases[] = {
    { { NULL, "--block x.rom@10000:1000", NULL },
      "layout: emulator 1 'dm1': x.rom at gfn 0x10+0x1 lies outside of its window" },
    { { NULL, "--pci 20", "--pci 20" },
      "layout: emulators 1 'dm1' and 2 'dm2': both have a device at 00:14.0: extra and extra" },
    { { NULL, "--pci 3", NULL },
      "layout: emulators 0 'main0' and 1 'dm1': both have a device at 00:03.0: cirrus-vga and extra" },
    { { NULL, NULL, "--fail query-pci" }, "emulator 2 'dm2': query-pci: model: told to fail" },
};

START_TEST(survey_finds_what_does_not_fit)
{
    const char *faults[CV_DM_MAX] = { 0 };
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;

    memcpy(faults, survey_cases[_i].faults, sizeof survey_cases[_i].faults);
    emu_fixture_begin(&f, 3, faults);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    struct cv_emu_wait w = emu_wait(5000);
    ck_assert_int_eq(cv_emuset_survey(&f.set, &f.layout, &w, &err), -1);
    ck_assert_msg(strncmp(err.text, survey_cases[_i].text, strlen(survey_cases[_i].text)) == 0, "%s", err.text);
    emu_fixture_end(&f);
}
END_TEST

START_TEST(reports_what_xenstore_needs)
{
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    cv_emu_tty tty[4];
    unsigned port;

    emu_fixture_begin(&f, 2, NULL);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    struct cv_emu_wait w = emu_wait(5000);
    EMU_OK(cv_emuset_serial_ttys(&f.set, &w, tty, &err));
    ck_assert_str_eq(tty[0], "/dev/pts/7");
    EMU_OK(cv_emuset_vnc_port(&f.set, &w, &port, &err));
    ck_assert_uint_eq(port, 5901);
    emu_fixture_end(&f);
}
END_TEST

/* ---- attach ---- */

/* What "convoy save" does with a guest that another process created: pids and paths from xenstore. */
START_TEST(another_set_attaches_by_pid)
{
    struct cv_error err = CV_ERROR_INIT;
    struct emu_fixture f;
    struct cv_emuset other;

    emu_fixture_begin(&f, 3, NULL);
    emu_fixture_must_start(&f, CV_SPAWN_CREATE);
    cv_emuset_disconnect(&f.set);
    EMU_OK(cv_emuset_init(&other, &f.layout, 7, NULL, &err));
    for (unsigned i = 0; i < 3; i++)
        EMU_OK(cv_emuset_attach(&other, i, f.set.emus[i].pid, f.set.emus[i].qmp_path, &err));
    struct cv_emu_wait w = emu_wait(5000);
    EMU_OK(cv_emuset_connect(&other, &w, NULL, &err));
    EMU_OK(cv_emuset_cont(&other, &w, NULL, &err));
    /* a second client at the same time: told so, not served half */
    struct cv_emu_wait moment = emu_wait(200);
    ck_assert_int_eq(cv_emuset_connect(&f.set, &moment, NULL, &err), -1);
    ck_assert_int_eq(err.code, CV_E_BUSY);
    ck_assert(other.emus[0].owns_sockets && other.emus[2].owns_sockets);
    ck_assert_str_ne(other.emus[0].xl_path, "");
    cv_emuset_dispose(&other);
    EMU_OK(cv_emuset_init(&other, &f.layout, 8, NULL, &err));
    ck_assert_int_eq(cv_emuset_attach(&other, 0, f.set.emus[0].pid, NULL, &err), -1);
    ck_assert_msg(strstr(err.text, "is not an emulator of domain 8") != NULL, "%s", err.text);
    cv_emuset_dispose(&other);
    emu_fixture_end(&f);
}
END_TEST

/* A secondary that somebody else starts, a moment after convoy began to wait for its socket. */
static pid_t start_stranger(const char *socket, const char *domid, const char *slot)
{
    pid_t pid = fork();

    if (pid == 0) {
        const char *fake = getenv("FAKE_QEMU");
        usleep(150 * 1000);
        execl(fake, fake, "-xen-domid", domid, "--socket", socket, "--tag", "stranger", "--pci", slot, (char *)NULL);
        _exit(127);
    }
    return pid;
}

START_TEST(a_running_emulator_is_attached)
{
    static const struct {
        const char *domid, *slot, *text;
    } cases[] = { { "7", "24", NULL },
                  { "8", "24", "is not an emulator of domain 7" },
                  { "7", "3", "both have a device at 00:03.0" } };
    char text[600], socket[64];

    for (unsigned i = 0; i < 3; i++) {
        struct cv_error err = CV_ERROR_INIT;
        struct cv_layout_host host = { .default_model = getenv("FAKE_QEMU") };
        struct cv_guest_config config;
        struct emu_fixture f;
        emu_fixture_begin(&f, 1, NULL);
        cv_emuset_dispose(&f.set);
        cv_layout_dispose(&f.layout);
        snprintf(text, sizeof text, "type='hvm'\nname='g'\nmemory=64\ndevice_models=['name=far,qmp=%s/far-@{domid}']\n",
                 f.dir);
        snprintf(socket, sizeof socket, "%s/far-7", f.dir);
        EMU_OK(cv_guest_config_parse(text, strlen(text), "x.cfg", &config, &err));
        EMU_OK(cv_layout_decide(&config, &host, &f.layout, &err));
        cv_guest_config_dispose(&config);
        EMU_OK(cv_emuset_init(&f.set, &f.layout, 7, NULL, &err));
        pid_t stranger = start_stranger(socket, cases[i].domid, cases[i].slot);
        struct cv_emu_wait w = emu_wait(5000);
        int rc = emu_fixture_start(&f, CV_SPAWN_CREATE, 5000, &err);
        if (rc == 0)
            rc = cv_emuset_survey(&f.set, &f.layout, &w, &err);
        if (cases[i].text == NULL) {
            ck_assert_msg(rc == 0, "%s", emu_text(&err));
            ck_assert_int_eq(f.set.emus[1].pid, stranger);
            EMU_OK(cv_emuset_cont(&f.set, &w, NULL, &err));
            EMU_OK(cv_emuset_quit(&f.set, &w, &err));
        } else {
            ck_assert_int_eq(rc, -1);
            ck_assert_msg(strstr(err.text, cases[i].text) != NULL, "%s", err.text);
        }
        kill(stranger, SIGKILL);
        waitpid(stranger, NULL, 0);
        emu_fixture_end(&f);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("set");
    TCase *t = tcase_create("attach");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, survey_finds_what_does_not_fit, 0, sizeof survey_cases / sizeof *survey_cases);
    tcase_add_test(t, reports_what_xenstore_needs);
    tcase_add_test(t, another_set_attaches_by_pid);
    tcase_add_test(t, a_running_emulator_is_attached);
    suite_add_tcase(s, t);
    return run_suite(s);
}
